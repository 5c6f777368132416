/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * host: what is known of the scanned system as a whole. Strings are the inventory's.
 */

#include "base/arena.h"
#include "base/str.h"

/** Facts from os-release(5) and uname(2); each may be empty. */
struct host {
	str root;        /* the folder scanned as "/": "/" or what --root named */
	str hostname;    /* of the running system; empty for another root */
	str kernel;      /* release of the running kernel; empty for another root */
	str arch;        /* machine of the running kernel; empty for another root */
	str machine_id;  /* etc/machine-id */
	str os_id;       /* ID: "debian" */
	str os_id_like;  /* ID_LIKE, blank-separated */
	str os_version;  /* VERSION_ID: "12" */
	str os_codename; /* VERSION_CODENAME: "bookworm" */
	str os_name;     /* PRETTY_NAME */
};

/**
 * Read an os-release file into `host`.
 *
 * In:      text   the file; hostile
 *          arena  takes the values
 * Out:     host   its os_ fields; a key that is missing or damaged leaves its field as it is
 * Returns: 0; -ERR_LIMIT when the arena is full
 * Source:  os-release(5)
 */
int host_read_os_release(struct host *host, str text, struct arena *arena);
