/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The agent at work: what its parts share. One process, one thread, one owner.
 */

#include "agent/backoff.h"
#include "agent/due.h"
#include "agent/job.h"
#include "agent/log.h"
#include "agent/poller.h"
#include "agent/spool.h"
#include "agent/words.h"

/** Most associations of one host, and most commands that wait. */
#define AGENT_ASSOCIATIONS_MAX 200
#define AGENT_COMMANDS_MAX 32
/** How many commands that were taken are remembered, so that none runs twice. */
#define AGENT_SEEN_MAX 128

/** One association, kept between polls. Owned texts. */
struct kept {
	struct association is; /* borrows from `text` */
	struct arena text;
	struct arena document; /* holds `content` */
	str content;           /* JSON; empty: to be asked for */
	str checksum;          /* of that content; in `document` */
	int64_t ran_at;        /* wall clock; 0: not by this process */
	struct due_ahead ran_ahead, last_ahead;
	int64_t began_ms; /* the same, monotonic */
	bool is_asked;    /* a refresh named it: at once */
	bool is_listed;
	bool is_changed;   /* while it ran: to be listed again */
	unsigned n_broken; /* times in a row that its document could not be had */
	int64_t not_before_ms;
};

/** One command that waits or runs. Owned. */
struct told {
	struct arena arena;
	str message_id, command_id, document, values;
	int64_t took_ms; /* monotonic */
	bool is_cancelled;
};

/** The slots in which jobs run. */
enum slot { SLOT_ASSOCIATION, SLOT_COMMAND, SLOT_COUNT };

/** The agent. */
struct agent {
	const struct agent_config *config;
	struct state state;
	struct service service;
	struct arena platform_arena;
	struct platform platform;
	struct backoff backoff; /* of the server */
	int64_t away_until_ms;  /* it did not answer: not before then */
	int64_t heartbeat_at_ms, list_at_ms, deliver_at_ms, poller_at_ms;
	struct backoff poller_backoff;
	struct poller poller;
	struct kept *kept; /* AGENT_ASSOCIATIONS_MAX */
	size_t n_kept;
	struct told *told[AGENT_COMMANDS_MAX];
	size_t n_told;
	char seen[AGENT_SEEN_MAX][48];
	size_t n_seen;
	struct job jobs[SLOT_COUNT];
	struct kept *running;         /* in SLOT_ASSOCIATION */
	struct told *running_command; /* in SLOT_COMMAND */
	char run[37]; /* a name of this run made by chance: tells two agents with one identity apart
	               */
	bool is_stopped, is_ending;
	size_t n_failed; /* runs that failed, for --once */
};

/** The monotonic clock and the wall clock, in milliseconds. */
int64_t agent_now_ms(void);
/** The wall clock. */
int64_t agent_wall_ms(void);

/**
 * Make a call, or keep it for later when the server is away.
 *
 * In:      key  as in spool_add(); empty: it is not worth keeping
 */
void agent_tell(struct agent *agent, str key, const char *target, str body);

/** Note how a call ended: back-off, or all is well. */
void agent_note(struct agent *agent, int r, const struct ssm_reply *reply);

/** Is the server not to be asked now? */
bool agent_is_away(const struct agent *agent);

/* ---- rounds.c: associations ---- */

/** Ask which associations there are. Returns: 0; as service_call() */
int rounds_list(struct agent *agent, struct err *err);

/** Begin the next association that is due, unless one runs. */
void rounds_start(struct agent *agent);

/** When the next one is due, on the monotonic clock; INT64_MAX: none. */
int64_t rounds_next_ms(const struct agent *agent);

/** The job in the slot has ended: report. */
void rounds_ended(struct agent *agent);

/**
 * Look for associations again, and run some at once.
 *
 * In:      ids       a list; none: all that are pending run, as ever
 *          asked_ms  when it was asked, monotonic: what has begun since then is not run again
 */
void rounds_ask(struct agent *agent, const struct value *ids, int64_t asked_ms);

/** Release. */
void rounds_fini(struct agent *agent);

/* ---- commands.c: messages ---- */

/** Take a delivery of the poller: JSON; hostile. */
void commands_take(struct agent *agent, str messages);

/** Begin the next command, unless one runs. */
void commands_start(struct agent *agent);

/** The job in the slot has ended: reply. */
void commands_ended(struct agent *agent);

/** Release. */
void commands_fini(struct agent *agent);

/* ---- notify.c ---- */

/**
 * Tell the service manager, if there is one: "READY=1".
 *
 * Source: sd_notify(3), "Notes": the datagram protocol
 */
void notify_send(const char *text);
