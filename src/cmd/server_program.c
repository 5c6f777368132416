/* SPDX-License-Identifier: Apache-2.0 */
/* What `sonde-server` says of itself. */
#include "cmd/program.h"

static const char *const exit_codes[] = {
	"0  done; 'run': stopped as asked",
	"2  unusable flags, arguments or configuration; no such account or key",
	"3  it failed",
	NULL,
};

static const struct sub_words sub_words[] = {
	{ "account", "add list" },
	{ "organisation", "create add delegate" },
	{ "key", "add list revoke" },
	{ "activation", "add" },
	{ NULL, NULL },
};

const struct program program = {
	.name = "sonde-server",
	.symbol = "sonde_server",
	.upper = "SONDE-SERVER",
	.section = 8,
	.sentence = "the control plane of a fleet of scanned hosts",
	.short_text = "the control plane of a fleet of scanned hosts",
	.description =
	        "Takes the inventories of hosts, matches them with the vulnerability data, and "
	        "answers as Amazon Inspector and Systems Manager do: unmodified clients and agents "
	        "work with its address as their endpoint. All its state is in one folder.",
	.first_steps = "First steps: 'sonde-server init', 'account add', 'key add', 'run'.",
	.environment = "SONDE_SERVER_",
	.examples = "\\fBSONDE_SERVER_DATA\\fR, \\fBSONDE_SERVER_LISTEN\\fR",
	.config = "/etc/sonde/server.conf",
	.data_name = "sonde-server",
	.data_dir = "/var/lib/sonde-server",
	.exit_codes = exit_codes,
	.sub_words = sub_words,
};
