/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * server_admin: commands that change the state of a server, running or not.
 */

#include "aws/value.h"
#include "cmd/cmd.h"

/** A request in the making: begin, add members to `json`, admin_ask(). */
struct admin {
	struct buf line;
	struct json_writer json;
	struct arena arena; /* takes the answer */
};

/** Begin a request for one thing; release with admin_fini(). */
void admin_begin(struct admin *admin, const char *what);

/** Release, and wipe. */
void admin_fini(struct admin *admin);

/**
 * Send it: to the server that runs on the data folder, else to the store itself.
 *
 * Out:     ret  an object, in admin->arena
 * Returns: 0; a class with its sentence, as control_do() and server_open()
 */
int admin_ask(struct admin *admin, const char *data_dir, const struct value **ret, struct err *err);
