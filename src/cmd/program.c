/* SPDX-License-Identifier: Apache-2.0 */
/* What `sonde` says of itself. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "sandbox/sandbox.h"

static const char *const exit_codes[] = {
	"0  done; nothing at or above --fail-on",
	"1  findings at or above --fail-on; 'version': a comparison that does not hold",
	"2  unusable flags, arguments or configuration",
	"3  it failed, or paths could not be read beyond --allow-incomplete",
	"4  no package was recognised",
	NULL,
};

static const struct sub_words sub_words[] = {
	{ "db", "import build update status show verify licenses" },
	{ "version", "compare check" },
	{ NULL, NULL },
};

static const struct other_name other_names[] = {
	{ "inspectorssmplugin", cmd_plugin },
	{ NULL, NULL },
};

const struct program program = {
	.name = "sonde",
	.symbol = "sonde",
	.upper = "SONDE",
	.section = 1,
	.sentence = "find every known vulnerability in every package of a Linux host",
	.short_text = "find every known vulnerability on a Linux host",
	.description =
	        "Finds operating-system packages and language packages on a Linux host and the "
	        "vulnerabilities known in them, each with the file it lies in.",
	.first_steps = "First steps: 'sonde db update', then 'sonde scan /'.",
	.environment = "SONDE_",
	.examples = "\\fBSONDE_DB\\fR, \\fBSONDE_DATA\\fR, \\fBSONDE_FORMAT\\fR",
	.config = "/etc/sonde/sonde.conf",
	.data_name = "sonde",
	.data_dir = "/var/lib/sonde",
	.exit_codes = exit_codes,
	.sub_words = sub_words,
	.other_names = other_names,
};

bool program_help(str as)
{
	autobuf page = BUF((size_t)1 << 20);
	if (!str_eq(as, STR("privileges")))
		return false;
	sandbox_write_page(&page);
	(void)fwrite(page.p, 1, page.n, stdout);
	return true;
}
