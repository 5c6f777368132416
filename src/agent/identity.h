/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * identity: which managed node this host is, and the credentials that come of it. The private key
 * is made, and used, inside `sonde-net`; here it is a text that lies in the state folder.
 */

#include "agent/agent.h"
#include "agent/service.h"
#include "agent/state.h"

/** Bytes of a fingerprint with its NUL: a UUID. */
#define FINGERPRINT_SIZE 37

/**
 * The fingerprint of a machine: a UUID made of etc/machine-id below `root` and, for this host, of
 * what the firmware says. A copy of the disk in another machine has another one; a machine that
 * has neither gets a random one, kept in the state folder.
 *
 * Returns: 0; -errno of the state folder
 */
int identity_fingerprint(
        const char *root, const struct state *state, char ret[FINGERPRINT_SIZE], struct err *err);

/**
 * Know who this host is: as the state folder says, by given keys, or by registering with the
 * activation.
 *
 * In:      now  the wall clock, in seconds
 * Out:     service  its instance, and given keys
 * Returns: 0; -EKEYREJECTED when the folder is a copy of another machine's, of which the server is
 *          told, or the server refuses the activation; -EINVAL when there is nothing to register
 * with; else what the call or the folder says: trying again may help
 */
int identity_open(const struct agent_config *config, const struct state *state,
        struct service *service, int64_t now, struct err *err);

/** Are new credentials due: there are none, half of their life is over, or the clock was moved?
 * Given keys are never due. */
bool identity_is_due(const struct agent_config *config, const struct service *service, int64_t now);

/**
 * Ask for credentials, and change the key pair when the server asks for that.
 *
 * Returns: 0; -EKEYREJECTED when the server does not know this machine, or takes it for another;
 *          else as service_call()
 */
int identity_renew(const struct agent_config *config, const struct state *state,
        struct service *service, int64_t now, struct err *err);
