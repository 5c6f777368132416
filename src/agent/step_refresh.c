/* SPDX-License-Identifier: Apache-2.0 */
/* aws:refreshAssociation: the job only says what is wanted; the supervisor looks and runs. */
#include "agent/step.h"

static void run(struct step_context *context, const struct value *inputs, struct step_result *ret)
{
	(void)context;
	ret->is_refresh = true;
	ret->refresh = value_get(inputs, STR("associationIds"));
	buf_add(&ret->out, STR("Associations are looked for again."));
}

const struct step_action step_refresh = { .action = "aws:refreshAssociation", .run = run };
