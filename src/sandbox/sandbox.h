/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Sandbox: what each process of Sonde may do. One row per role in roles.c; docs/privileges.md is the page.
 */

#include "base/err.h"

/** The processes. */
enum role {
	ROLE_PARSER, /* reads descriptors it is given and talks on one socket; opens nothing */
};

/**
 * Give up everything that the role does not need; there is no way back.
 *
 * As root the process first becomes nobody. Then, as any user: no new privileges, no core dump, no
 * children, no file growth, and a seccomp filter that kills the process on any other call. A build
 * with a sanitizer leaves the filter out, because the sanitizer's own reporting needs more calls.
 *
 * Returns: 0; -errno; nothing may be parsed after a failure
 * Threads: before any other thread of this process exists
 */
int sandbox_enter(enum role role, struct err *err);
