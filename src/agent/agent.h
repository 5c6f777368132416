/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * agent: the daemon of a host. Registers, says that it is alive, asks what to run and when, runs
 * it, and reports. It runs only documents that came with its own package, unless the host's own
 * configuration says otherwise.
 *
 * One process with one event loop supervises; what takes long or is dangerous runs in children: a
 * job (one document), its scripts, the walker and its parsers, the poller, and `sonde-net`.
 */

#include <stdbool.h>

#include "base/err.h"

/** How an agent runs. Strings borrow. */
struct agent_config {
	const char *server;  /* "https://host[:port]"; required */
	const char *ca_file; /* the only authorities believed; NULL or empty: the system's */
	const char *region;  /* required */
	const char *state;   /* folder of its own; required */
	const char *root;    /* what is inventoried; required, "/" is this host */
	const char *activation_id, *activation_code; /* NULL or empty: none */
	const char *instance;                /* with given keys: the node that they are of */
	const char *key_id, *secret, *token; /* given keys; NULL or empty: none */
	bool allow_documents;                /* run documents that the server made */
	const char *plugin_home; /* where the plugin is linked; NULL or empty: its standard place */
	const char *package_keys; /* PEM file: who may sign packages; NULL or empty: nobody */
	bool is_stopped;          /* the kill switch, as a setting */
	bool once;                /* one round, then end */
	unsigned heartbeat_s, poll_s, max_delay_s;
	unsigned timeout_s; /* of one walk; 0: none */
	unsigned cpu_pct;   /* of one processor, for one walk; 0: no limit */
};

/** Name of the kill switch in the state folder: while this file exists, nothing is run. */
#define AGENT_STOP_FILE "stop"

/**
 * Run until SIGTERM or SIGINT; with `once`, one round.
 *
 * Returns: 0; -EINVAL for a configuration that cannot work; -EBUSY when another agent has the
 *          state folder; -EKEYREJECTED when the state folder is a copy of another machine's and
 *          there is no activation; with `once` also what kept the round from being made
 */
int agent_run(const struct agent_config *config, struct err *err);

/**
 * Remove everything that an agent keeps on this host: its state folder, whole.
 *
 * Returns: 0, also when there is nothing; -EBUSY while an agent runs on it; -EINVAL when the folder
 * is not one that an agent made; -errno
 */
int agent_uninstall(const struct agent_config *config, struct err *err);
