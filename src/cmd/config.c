/* SPDX-License-Identifier: Apache-2.0 */
/* sonde config: the configuration and where each value comes from. */
#include <stdio.h>

#include "cmd/cmd.h"

int cmd_config(struct invocation *call)
{
	struct settings *s = call->settings;
	if (s->n_rest > 0)
		return say_usage(call, "config takes no arguments");
	for (size_t i = 0; i < SET_COUNT; i++) {
		const struct setting_value *value = &s->values[i];
		if (setting_rows[i].kind == KIND_LATER)
			continue;
		(void)printf("%s =", setting_rows[i].key);
		for (size_t n = 0; n < value->n; n++)
			(void)printf("%s%s", n > 0 ? ":" : " ", value->items[n]);
		(void)printf("  # %s\n", value->n > 0 ? value->origin : "not set");
	}
	(void)printf(
	        "# data folder: %s\n# database: %s\n", settings_data_dir(s), settings_db_dir(s));
	return EXIT_GOOD;
}
