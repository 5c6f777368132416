/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Starting and ending a process of sonde-net.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/** A running sonde-net. */
struct helper {
	pid_t pid; /* 0: none */
	int fd;    /* our end of the socket; -1: none */
};

/**
 * Start it.
 *
 * In:      program  path; NULL: beside this executable, else from $PATH. It gets this process's
 *                   environment
 *          mode     its only argument, a short word; NULL: none
 *          body_fd  what it gets as NET_FD_BODY; borrowed; < 0: nothing
 * Out:     ret      ended by helper_kill() or helper_reap(); on success only
 * Returns: 0; -ENOENT when there is no such program; -errno
 */
int helper_start(
        const char *program, const char *mode, int body_fd, struct helper *ret, struct err *err);

/** End it, whatever it does, and leave no process behind. One that does not run is a no-op. */
void helper_kill(struct helper *helper);

/**
 * Wait until it ends by itself, and kill it if it does not. The socket stays open if it did.
 *
 * Out:     ret_status  as waitpid() has it
 * Returns: false when it still ran after 5 s; then *ret_status is not written
 */
bool helper_reap(struct helper *helper, int *ret_status);

/** Say how it ended without the answer that was waited for, after having waited for its end. */
int helper_explain(struct helper *helper, struct err *err);
