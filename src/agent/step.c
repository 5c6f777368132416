/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/step.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

static const struct step_action *const actions[] = {
#define STEP(id, action, sentence) &step_##id,
#include "agent/steps.def"
#undef STEP
};

const char *step_status_name(enum step_status status)
{
	switch (status) {
	case STEP_SUCCESS: return "Success";
	case STEP_SKIPPED: return "Skipped";
	case STEP_CANCELLED: return "Cancelled";
	case STEP_TIMED_OUT: return "TimedOut";
	case STEP_FAILED: break;
	}
	return "Failed";
}

bool step_is_cancelled(void *context)
{
	const struct step_context *step = context;
	struct pollfd fd = { .fd = step->cancel_fd, .events = POLLIN };
	return poll(&fd, 1, 0) == 1;
}

void step_fail(struct step_result *ret, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ret->status = STEP_FAILED;
	if (ret->code == 0)
		ret->code = 1;
	if (n > 0)
		script_add_cut(&ret->err, str_head((str){ text, (size_t)n }, sizeof(text) - 1),
		        SCRIPT_STDERR_MAX, false);
}

const struct step_action *step_find(str action)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (str_eq(action, str_from_c(actions[i]->action)))
			return actions[i];
	}
	return NULL;
}
