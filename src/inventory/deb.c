/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory/inventory.h"

static int read_database(const struct artefact *artefact, struct arena *arena,
        const struct sink *sink, struct err *err)
{
	(void)artefact, (void)arena, (void)sink;
	return err_set(err, -ERR_UNSUPPORTED, "not read yet");
}

static const struct pattern patterns[] = {
	{ .dir = "/var/lib/dpkg", .name = "status" },
	{ .dir = "/var/lib/dpkg/status.d" },
	{ 0 },
};
static const char *const siblings[] = { "info/*.list", "*.md5sums", NULL };
static const char *const well_known[] = { "/var/lib/dpkg", NULL };

const struct reader reader_deb = {
	.name = "deb",
	.title = "Debian packages (dpkg)",
	.source = "deb-control(5), dpkg-query(1)",
	.is_os = true,
	.patterns = patterns,
	.siblings = siblings,
	.well_known = well_known,
	.max_bytes = 256u << 20,
	.read = read_database,
};
