/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * control: what the owner of the data folder does without a signature: accounts, organisations,
 * keys, activations, backups. One function does it; `sonde-server` calls it on a store that it
 * opened, or, when a server runs, over the socket "control.sock" in the data folder (mode 0600; who
 * connects must be that server's user or root). A request and its answer are each one line of JSON.
 */

#include "server/server.h"

/** Most bytes of a line. */
#define CONTROL_LINE_BYTES ((size_t)1 << 20)

struct control;

/**
 * Do one thing.
 *
 * In:      request  {"do": "account add", ...}
 * Out:     out      the members of an answer, written to an open object
 * Returns: 0; a class with a sentence for a person; nothing of `out` counts then
 */
int control_do(struct server *server, const struct value *request, struct arena *arena,
        struct json_writer *out, struct err *err);

/**
 * Take connections on the socket, one after the other, on a thread of its own.
 *
 * Returns: 0; -errno
 */
int control_open(struct server *server, struct control **ret, struct err *err);

/** Stop, and remove the socket. NULL is a no-op. */
void control_close(struct control *control);

/**
 * Ask the server that runs on a data folder.
 *
 * In:      line  of a request, without its end
 * Out:     answer  appended: a line without its end
 * Returns: 0; -ENOENT, -ECONNREFUSED when no server runs; -errno
 */
int control_ask(const char *data_dir, str line, struct buf *answer, struct err *err);
