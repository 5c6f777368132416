/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * poller: a process that waits for messages, so that the supervisor can sleep. It has given up root
 * and all capabilities before it reads a byte from the server.
 */

#include <sys/types.h>

#include "agent/agent.h"
#include "agent/service.h"

/** Most bytes of one delivery: a JSON array of messages. */
#define POLLER_FRAME_MAX ((size_t)4 << 20)

/** A running poller. */
struct poller {
	pid_t pid; /* 0: none */
	int fd;    /* -1: none */
	struct buf said;
};

/**
 * Start it. It ends by itself when the server does not accept its credentials any more.
 *
 * Returns: 0; -errno
 */
int poller_start(const struct agent_config *config, const struct service *service,
        struct poller *ret, struct err *err);

/**
 * Read what it has got, when its descriptor is readable.
 *
 * Out:     ret_messages  the next delivery, JSON; borrows from the poller until the next call
 * Returns: 1 there is a delivery; 0 nothing whole yet; -EPIPE it has ended, or makes no sense
 */
int poller_next(struct poller *poller, str *ret_messages);

/** Kill it, if it runs. */
void poller_stop(struct poller *poller);

/** Make a random UUID. False: the system gives no random numbers. */
bool poller_uuid(char ret[37]);
