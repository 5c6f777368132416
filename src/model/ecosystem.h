/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * ecosystem: the names advisories use ("PyPI", "Debian:12"), how each orders versions and writes
 * names, and which of them speak about a host or a package type. One table, ecosystem_table.def.
 */

#include "base/arena.h"
#include "base/str.h"
#include "model/host.h"

/** One family of advisories. Every field is static. */
struct ecosystem {
	const char *name;   /* OSV's, without the release: "PyPI", "Debian" */
	const char *scheme; /* row of version/schemes.def; "" when this program has none yet */
	const char *type;  /* package-URL type: "pypi"; "" when no reader finds such packages yet */
	const char *os_id; /* os-release ID of an OS family ("debian"); "" for a language */
};

/** The row for an advisory's ecosystem, release suffix included or not ("Debian:12"); NULL if
 * unknown. */
const struct ecosystem *ecosystem_find(str name);

/** The language row for a package type ("pypi"); NULL if there is none. */
const struct ecosystem *ecosystem_of_type(str type);

/** As many names as any host has: enough room for ecosystem_of_host(). */
#define ECOSYSTEM_HOST_MAX 16

/**
 * The advisory ecosystems that speak about a host's OS packages, best first: Debian 12 gives
 * { "Debian:12" }, Ubuntu 22.04 gives { "Ubuntu:22.04:LTS", "Ubuntu:22.04" }. Each carries its
 * release, unless the distribution has none: advisories are asked for by exactly these names, so
 * that one without a release ("Alpine") speaks about no host. The paid streams (Ubuntu Pro, Red
 * Hat's extended support) are not among them, and os-release's ID_LIKE is not asked: a derivative
 * builds other versions.
 *
 * Out:     ret_names  arena strings, at most `max`
 * Returns: how many; 0 when the distribution or its release is unknown; -ERR_LIMIT when the arena
 * is full
 */
int ecosystem_of_host(const struct host *host, struct arena *arena, str *ret_names, size_t max);

/**
 * A package name as an ecosystem compares it: PEP 503 for PyPI, as it is elsewhere.
 *
 * Out:     ret  arena, or `name` itself when it needs no change
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int ecosystem_normal_name(
        const struct ecosystem *ecosystem, str name, struct arena *arena, str *ret);
