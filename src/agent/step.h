/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * step: one step of a document. Steps run in the process of a job, which may end at any moment.
 */

#include "agent/agent.h"
#include "agent/recipe.h"
#include "agent/script.h"
#include "agent/service.h"
#include "agent/state.h"
#include "model/host.h"

/** How steps, and documents, end. The words are the service's. */
enum step_status {
	STEP_SUCCESS,
	STEP_SKIPPED,
	STEP_CANCELLED,
	STEP_TIMED_OUT,
	STEP_FAILED,
};

/** The word of a status: "TimedOut". Static. */
const char *step_status_name(enum step_status status);

/** What a step may use. */
struct step_context {
	const struct agent_config *config;
	const struct state *state;
	struct service *service; /* with a session of this job's own */
	const struct host *host; /* facts of the root */
	const struct recipe *plan;
	str job_id;         /* of the command or association run */
	const char *folder; /* absolute, empty, this step's own */
	struct arena *arena;
	int cancel_fd; /* readable when the job is to end */
};

/** What came of it. Zero-initialise but for the buffers. */
struct step_result {
	enum step_status status;
	int code;
	struct buf out, err;         /* for people: standard output and standard error */
	const struct value *refresh; /* associations to run at once: a list; NULL: none was asked
	                                for */
	bool is_refresh;
};

/** An action. Every field is required. */
struct step_action {
	const char *action;
	/**
	 * Run it. Everything that goes wrong is a result, and is told in its texts.
	 *
	 * In:      inputs  filled in; hostile
	 */
	void (*run)(
	        struct step_context *context, const struct value *inputs, struct step_result *ret);
};

/** Was this job asked to end? */
bool step_is_cancelled(void *context);

/** Fail a step with a sentence, which goes to its standard error. */
void step_fail(struct step_result *ret, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define STEP(id, action, sentence) extern const struct step_action step_##id;
#include "agent/steps.def"
#undef STEP

/** Find an action by its name; NULL: this agent does not have it. */
const struct step_action *step_find(str action);
