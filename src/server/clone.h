/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * clone: two machines with the identity of one host. A state folder, a disk or a machine was
 * copied; which of the two is meant only its operators know, so they are told: by an item of
 * compliance of the host, a line in the log, an entry in the audit log and a counter.
 *
 * A copy on another machine shows by its fingerprint, and gets no credentials. A copy of the whole
 * machine shows by the runs of its agent: each start of an agent has a name made by chance, and one
 * that comes back after another was heard is a second agent.
 */

#include "server/request.h"
#include "server/ssm.h"

/** The type of compliance under which it is shown. */
#define CLONE_COMPLIANCE "Custom:Identity"
/** The fact of a host that holds the newest runs of its agent, newest first, separated by commas.
 */
#define CLONE_RUNS_FACT "Runs"
/** How many runs are known of a host, and most bytes of the name of one. */
#define CLONE_RUNS_MAX 4
#define CLONE_RUN_MAX_BYTES 40

/** How the second one showed. */
enum clone_kind {
	CLONE_REFUSED, /* another machine: it was refused */
	CLONE_TWIN,    /* machines that cannot be told apart: both act as this host */
};

/**
 * Tell the operators. Repeats of the same kind within ten minutes are counted only.
 *
 * In:      host_id  17 digits, of the caller's account
 */
void clone_note(struct request *request, const char *host_id, enum clone_kind kind);

/**
 * Note which run of an agent speaks.
 *
 * In:      runs  the fact as it stands; may be empty
 *          run   as the agent says it; hostile; empty: it says none
 * Out:     out   the fact as it is to be; empty when nothing changes
 * Returns: whether this run was heard before another one: there are two agents
 */
bool clone_runs_note(str runs, str run, struct buf *out);
