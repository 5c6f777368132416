/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory/inventory.h"

static int read_database(const struct artefact *artefact, struct arena *arena,
        const struct sink *sink, struct err *err)
{
	(void)artefact, (void)arena, (void)sink;
	return err_set(err, -ERR_UNSUPPORTED, "not read yet");
}

#define DATABASES(folder)                                                                          \
	{ .dir = (folder), .name = "rpmdb.sqlite" }, { .dir = (folder), .name = "Packages" },      \
	{                                                                                          \
		.dir = (folder), .name = "Packages.db"                                             \
	}

static const struct pattern patterns[] = {
	DATABASES("/var/lib/rpm"),
	DATABASES("/usr/lib/sysimage/rpm"),
	DATABASES("/usr/share/rpm"),
	{ 0 },
};
static const char *const siblings[] = { "rpmdb.sqlite-wal", "rpmdb.sqlite-journal", NULL };
static const char *const well_known[] = { "/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm",
	NULL };

const struct reader reader_rpm = {
	.name = "rpm",
	.title = "RPM packages",
	.source = "rpm: docs/manual/hregions.md, lib/backend",
	.is_os = true,
	.patterns = patterns,
	.siblings = siblings,
	.well_known = well_known,
	.max_bytes = 256u << 20,
	.read = read_database,
};
