/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * platform: what an agent says of its host: distribution, address, name.
 */

#include "base/arena.h"
#include "base/json.h"
#include "model/host.h"

/** Facts. Arena; each may be empty. */
struct platform {
	struct host host;  /* of the root */
	str name, version; /* NAME and VERSION_ID of os-release */
	str computer, address;
};

/**
 * Read the facts of a root.
 *
 * Returns: 0; -ERR_LIMIT; -errno when the root cannot be opened
 */
int platform_read(const char *root, struct arena *arena, struct platform *ret, struct err *err);

/** Write them as members: ComputerName, PlatformName, PlatformType, PlatformVersion, and the
 * address under `address_key`. */
void platform_write(
        const struct platform *platform, const char *address_key, struct json_writer *w);
