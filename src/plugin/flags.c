/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/flags.h"

#include <errno.h>
#include <stddef.h>

#include "base/str.h"

enum kind {
	KIND_FLAG,
	KIND_TEXT,
	KIND_NUMBER, /* into uint64_t */
	KIND_PERCENT,
	KIND_ONLY, /* one value is known */
};

#define AT(field) offsetof(struct plugin_options, field)

static const struct flag {
	const char *name;
	enum kind kind;
	size_t at;        /* in struct plugin_options */
	const char *only; /* of KIND_ONLY */
} flags[] = {
	{ "mode", KIND_ONLY, 0, "bpm" },
	{ "read-params-store", KIND_FLAG, AT(read_parameter), NULL },
	{ "report-ssm-inventory", KIND_FLAG, AT(report_inventory), NULL },
	{ "report-metrics-via-ssm-inventory", KIND_FLAG, AT(report_metrics), NULL },
	{ "save-findings-as", KIND_TEXT, AT(save_as), NULL },
	{ "format", KIND_ONLY, 0, "text" },
	{ "timeout", KIND_NUMBER, AT(timeout_s), NULL },
	{ "cpulimit", KIND_PERCENT, AT(cpu_limit_pct), NULL },
	{ "max-memory", KIND_NUMBER, AT(max_memory_bytes), NULL },
	{ "log-compat", KIND_FLAG, AT(is_compat), NULL },
	{ "log-dir", KIND_TEXT, AT(log_dir), NULL },
	{ "root", KIND_TEXT, AT(root), NULL },
	{ "help", KIND_FLAG, AT(wants_help), NULL },
	{ "h", KIND_FLAG, AT(wants_help), NULL },
	{ "version", KIND_FLAG, AT(wants_version), NULL },
};

#define N_FLAGS (sizeof(flags) / sizeof(flags[0]))

/* Longest run: a week. */
#define NUMBER_MAX (UINT64_C(1) << 40)

static const char usage[] =
        "Usage: inspectorssmplugin -mode bpm [flags]\n"
        "  -mode bpm                          find packages (the only mode)\n"
        "  -read-params-store                 also scan the paths in the parameter\n"
        "                                     "
        "/inspector-aws/service/inspector-linux-application-paths\n"
        "  -report-ssm-inventory              report packages by PutInventory\n"
        "  -report-metrics-via-ssm-inventory  report what the run was like by PutInventory\n"
        "  -save-findings-as FILE             write the path of each package to FILE\n"
        "  -format text                       the format of FILE (the only one)\n"
        "  -timeout SECONDS                   end the scan after SECONDS; 0 is never\n"
        "  -cpulimit PERCENT                  use at most PERCENT of one core; 0 is no limit\n"
        "  -max-memory BYTES                  end the scan with so much memory; 0 is no limit\n"
        "  -log-compat                        log in the published layout\n"
        "  -log-dir DIR                       instead of " PLUGIN_LOG_DIR "\n"
        "  -root DIR                          scan DIR as another host's '/'\n";

static const struct flag *find(str name)
{
	for (size_t i = 0; i < N_FLAGS; i++) {
		if (str_eq(name, str_from_c(flags[i].name)))
			return &flags[i];
	}
	return NULL;
}

static int set(
        struct plugin_options *options, const struct flag *flag, const char *value, struct err *err)
{
	char *at = (char *)options + flag->at;
	uint64_t n = 0;
	switch (flag->kind) {
	case KIND_FLAG:
		if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return err_set(err, -EINVAL, "-%s: '%s' is neither true nor false",
			        flag->name, value);
		*(bool *)(void *)at = !value || strcmp(value, "true") == 0;
		return 0;
	case KIND_TEXT:
		if (!*value)
			return err_set(err, -EINVAL, "-%s: is empty", flag->name);
		*(const char **)(void *)at = value;
		return 0;
	case KIND_NUMBER:
		if (!str_to_u64(str_from_c(value), NUMBER_MAX, &n))
			return err_set(err, -EINVAL, "-%s: '%s' is no number", flag->name, value);
		*(uint64_t *)(void *)at = n;
		return 0;
	case KIND_PERCENT:
		if (!str_to_u64(str_from_c(value), 100, &n))
			return err_set(
			        err, -EINVAL, "-%s: '%s' is no percentage", flag->name, value);
		*(unsigned *)(void *)at = (unsigned)n;
		return 0;
	case KIND_ONLY:
		if (strcmp(value, flag->only) != 0)
			return err_set(err, -EINVAL, "-%s: '%s' is not known, only '%s' is",
			        flag->name, value, flag->only);
		return 0;
	}
	return 0;
}

/* One flag and its value, which may be the next argument. */
static int read_one(int n, char **args, int *at, struct plugin_options *options, bool *ret_has_mode,
        struct err *err)
{
	const char *arg = args[(*at)++];
	str name = str_from_c(arg), value = { NULL, 0 };
	if (name.n < 2 || name.p[0] != '-')
		return err_set(err, -EINVAL, "%s: is no flag", arg);
	name = str_skip(name, name.p[1] == '-' ? 2 : 1);
	bool has_value = str_split_first(name, '=', &name, &value);
	const struct flag *flag = find(name);
	if (!flag)
		return err_set(err, -EINVAL, "%s: no such flag", arg);
	const char *text = has_value ? (value.p ? value.p : "") : NULL;
	if (!text && flag->kind != KIND_FLAG) {
		if (*at == n)
			return err_set(err, -EINVAL, "-%s: needs a value", flag->name);
		text = args[(*at)++];
	}
	*ret_has_mode |= strcmp(flag->name, "mode") == 0;
	return set(options, flag, text, err);
}

int plugin_flags_read(int n, char **args, struct plugin_options *ret, struct err *err)
{
	struct plugin_options options = { .log_dir = NULL };
	bool has_mode = false;
	int r = 0;
	for (int at = 0; r >= 0 && at < n;)
		r = read_one(n, args, &at, &options, &has_mode, err);
	if (r >= 0 && !has_mode && !options.wants_help && !options.wants_version)
		r = err_set(err, -EINVAL, "-mode is missing");
	if (r >= 0)
		*ret = options;
	return r;
}

const char *plugin_flags_usage(void)
{
	return usage;
}
