/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * job: one document on its way: a process of its own, so that what it waits for holds nobody up and
 * what breaks in it breaks alone.
 */

#include <sys/types.h>

#include "agent/step.h"

/** What to run. Borrows; the job has its own copy from its start. */
struct job_request {
	const struct agent_config *config;
	const struct state *state;
	const struct service *service; /* instance and keys; its session is not used */
	const struct host *host;
	str id;       /* of the command or association: a UUID, which names its folder */
	str document; /* JSON; hostile */
	str values;   /* JSON object of the parameters' values; empty: none */
};

/** A running job. */
struct job {
	pid_t pid; /* 0: none */
	int fd;    /* what it says; ends when it does; -1: none */
	struct buf said;
};

/** Most that a job may say, in bytes. */
#define JOB_SAYS_MAX ((size_t)4 << 20)

/**
 * Start a job.
 *
 * Returns: 0; -EINVAL for an id that is none; -errno
 */
int job_start(const struct job_request *request, struct job *ret, struct err *err);

/** Ask it to end: its script is killed, and it says so. */
void job_cancel(const struct job *job);

/**
 * Read what it says, when its descriptor is readable.
 *
 * Returns: 1 it has ended, and job->said is all it said; 0 there is more to come
 */
int job_read(struct job *job);

/** Kill it if it runs, remove its folder, release. */
void job_end(struct job *job, const struct state *state, str id);

/**
 * Run a document in this process and write what came of it.
 *
 * Out:     out  a JSON object: Status, Fault, Trusted, IsRefresh, Refresh, Steps[{Name, Action,
 *               Status, Code, Out, Err, Start, End}]
 */
void job_run(struct step_context *context, str document, str values, struct buf *out);
