/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of roles.c as the tables of docs/privileges.md. */
#include "sandbox/sandbox.h"

#include <linux/capability.h>

#define CAPABILITIES_MAX 64

const char *sandbox_capability_name(unsigned capability)
{
	switch (capability) {
	case CAP_CHOWN: return "CAP_CHOWN";
	case CAP_DAC_OVERRIDE: return "CAP_DAC_OVERRIDE";
	case CAP_DAC_READ_SEARCH: return "CAP_DAC_READ_SEARCH";
	case CAP_FOWNER: return "CAP_FOWNER";
	case CAP_KILL: return "CAP_KILL";
	case CAP_SETGID: return "CAP_SETGID";
	case CAP_SETUID: return "CAP_SETUID";
	case CAP_SETPCAP: return "CAP_SETPCAP";
	default: return NULL;
	}
}

static void write_roles(struct buf *out)
{
	buf_add(out, STR("## Roles\n\n| role | does | user | files | network |\n"
	                 "| --- | --- | --- | --- | --- |\n"));
	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct role_row *row = sandbox_role((enum role)i);
		buf_printf(out, "| %s | %s | %s | %s | %s |\n", row->name, row->does, row->user,
		        row->files, row->network);
	}
}

static void write_capabilities(const struct role_row *row, struct buf *out)
{
	bool has_one = false;
	for (unsigned cap = 0; cap < CAPABILITIES_MAX; cap++) {
		if (!(row->keeps >> cap & 1))
			continue;
		buf_printf(out, "%s`%s`", has_one ? ", " : "", sandbox_capability_name(cap));
		has_one = true;
	}
	if (!has_one)
		buf_add(out, STR("none"));
}

static void write_limit(uint64_t n, const char *unit, struct buf *out)
{
	if (n == 0)
		buf_add(out, STR("the service manager's"));
	else
		buf_printf(out, "%llu%s", (unsigned long long)n, unit);
}

static void write_limits(struct buf *out)
{
	buf_add(out, STR("\n## Capabilities and limits\n\n"
	                 "| role | capabilities | address space | descriptors |\n"
	                 "| --- | --- | --- | --- |\n"));
	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct role_row *row = sandbox_role((enum role)i);
		buf_printf(out, "| %s | ", row->name);
		write_capabilities(row, out);
		buf_add(out, STR(" | "));
		write_limit(row->memory_bytes >> 20, " MiB", out);
		buf_add(out, STR(" | "));
		write_limit(row->n_descriptors, "", out);
		buf_add(out, STR(" |\n"));
	}
}

static const char *other_text(enum call_other other)
{
	switch (other) {
	case OTHER_KILLS: return "Any other call ends the process.";
	case OTHER_FAILS: return "Any other call fails with EPERM.";
	case OTHER_PASSES: break;
	}
	return "Any other call passes.";
}

static void write_calls(const struct role_row *row, struct buf *out)
{
	buf_printf(out,
	        "\n## System calls: %s\n\n%s\n\n| call | restriction | why |\n"
	        "| --- | --- | --- |\n",
	        row->name, other_text(row->other));
	for (size_t i = 0; i < row->n_calls; i++) {
		const struct role_call *call = &row->calls[i];
		const char *limit = sandbox_limit_text(call->limit);
		buf_printf(out, "| `%s` |%s%s | %s |\n", call->name, limit[0] ? " " : "", limit,
		        call->why);
	}
}

void sandbox_write_page(struct buf *out)
{
	write_roles(out);
	write_limits(out);
	for (int i = 0; i < ROLE_COUNT; i++)
		write_calls(sandbox_role((enum role)i), out);
}
