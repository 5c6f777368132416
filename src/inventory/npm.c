/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory/inventory.h"

static int read_metadata(const struct artefact *artefact, struct arena *arena, const struct sink *sink,
        struct err *err)
{
	(void)artefact, (void)arena, (void)sink;
	return err_set(err, -ERR_UNSUPPORTED, "not read yet");
}

static const struct pattern patterns[] = {
	{ .name = "package.json" },
	{ 0 },
};
static const char *const siblings[] = { NULL };
static const char *const well_known[] = { NULL };

const struct reader reader_npm = {
	.name = "npm",
	.title = "npm packages",
	.source = "",
	.is_os = false,
	.patterns = patterns,
	.siblings = siblings,
	.well_known = well_known,
	.max_bytes = 16u << 20,
	.read = read_metadata,
};
