/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * state: the agent's folder: who it is, its key, what it has still to report. Nobody else may look
 * into it, and each file is old or new, never half.
 *
 *   owner              marks the folder as an agent's; one agent holds its lock
 *   registration.json  which managed node this is
 *   key.pem, next.pem  its private key, and one that is to replace it
 *   spool/             reports that the server has not taken yet
 *   jobs/              folders of running documents; emptied at start
 *   packages/          what aws:configurePackage installed: agent/package_store.h
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/** An open state folder. */
struct state {
	int dir;          /* -1: not open */
	int lock;         /* the owner file, locked; -1 */
	const char *path; /* borrows */
};

/** Largest file that is read back, in bytes. */
#define STATE_FILE_MAX 65536u

/**
 * Open the folder, make it when it is not there, and take its lock. Jobs that an earlier agent left
 * are removed.
 *
 * In:      path  absolute; borrowed while it is open
 * Returns: 0; -EBUSY when another agent has it; -EPERM when it, or the way to it, is somebody
 *          else's or others may write there; -ENOTEMPTY when it has files and is no agent's;
 *          -errno
 */
int state_open(const char *path, struct state *ret, struct err *err);

/** Close; a closed one is a no-op. */
void state_close(struct state *state);

/**
 * Read a file.
 *
 * Out:     out  appended
 * Returns: 0; -ENOENT; -ERR_LIMIT; -errno
 */
int state_read(const struct state *state, const char *name, struct buf *out, struct err *err);

/** Replace a file, readable for its owner only. Returns: 0; -errno */
int state_write(const struct state *state, const char *name, str bytes, struct err *err);

/** Rename a file over another, durably. Returns: 0; -errno */
int state_rename(const struct state *state, const char *from, const char *to, struct err *err);

/** Remove a file; missing is success. Returns: 0; -errno */
int state_remove(const struct state *state, const char *name, struct err *err);

/** Does a file exist? */
bool state_has(const struct state *state, const char *name);

/**
 * Remove a whole state folder that no agent uses.
 *
 * Returns: 0, also when there is none; -EBUSY; -EINVAL when it is no agent's; -errno
 */
int state_destroy(const char *path, struct err *err);
