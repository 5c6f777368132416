/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The parts of entering a sandbox.
 */

#include "sandbox/sandbox.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
        __has_feature(memory_sanitizer)
#define SANDBOX_IS_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_IS_SANITIZED
#define SANDBOX_IS_SANITIZED 0
#endif

/** Load the filter of a role's calls. Returns: 0; -errno */
int seccomp_enter(const struct role_row *row, struct err *err);

/**
 * Forbid every access to files, TCP, and other processes' signals and sockets that the kernel's
 * Landlock knows, but what the row and the grant name.
 *
 * In:      grant  NULL: nothing
 * Returns: 0, also where there is no Landlock: the filter does not depend on it; -errno. A path to
 *          read that is not there is none to be granted
 * Source:  Documentation/userspace-api/landlock.rst
 */
int landlock_enter(const struct role_row *row, const struct sandbox_grant *grant, struct err *err);

/** Become nobody if root; drop all groups and capabilities. Returns: 0; -errno */
int identity_drop(struct err *err);

/**
 * The same, but keep some capabilities, if it was root and had them. A program that is started
 * later has none.
 *
 * In:      keeps  a bit for each: 1 << CAP_DAC_READ_SEARCH
 * Returns: 0; -errno
 */
int identity_keep(uint64_t keeps, struct err *err);

/**
 * Stay who it is, with these capabilities at most, for itself and everything that it starts.
 *
 * Returns: 0; -errno
 */
int identity_narrow(uint64_t keeps, struct err *err);
