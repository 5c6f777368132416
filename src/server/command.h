/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * command: Run Command. A document that runs once on some hosts, and what came of it.
 *
 * Objects, by type and name:
 *   command     "<id>"                    what was asked, with counts by status
 *   invocation  "<id>/<host id>"          how it went on one host
 *   message     "<host id>/<message id>"  what a host has still to take: a command, or its end
 *
 * Nothing runs when a time is over: a command that was not taken in time, or not ended, is shown as
 * timed out from then on.
 */

#include "ssm/document_check.h"
#include "server/server.h"

/** Most commands of an account that are kept, and how long; most hosts of one. */
#define COMMANDS_MAX 1000
#define COMMAND_KEEP_S (INT64_C(30) * 86400)
#define COMMAND_HOSTS_MAX 10000

/** Most of an output that is kept, in bytes: standard output, standard error, both together. */
#define COMMAND_STDOUT_MAX 24000u
#define COMMAND_STDERR_MAX 8000u
#define COMMAND_OUTPUT_MAX 2500u

/** How a command goes on a host. */
enum command_status {
	COMMAND_PENDING,
	COMMAND_IN_PROGRESS,
	COMMAND_CANCELLING,
	COMMAND_SUCCESS,
	COMMAND_CANCELLED,
	COMMAND_FAILED,
	COMMAND_TIMED_OUT,   /* while it ran */
	COMMAND_UNDELIVERED, /* before it was taken */
	COMMAND_N_STATUSES,
};

/** Its word: "TimedOut" for both of the last. Static. */
str command_status_text(enum command_status status);

/** Its details: "DeliveryTimedOut". Static. */
str command_status_details(enum command_status status);

/** Does no more follow? */
bool command_status_is_final(enum command_status status);

/** One command. Strings and values live in the arena it was read into. */
struct command {
	str id; /* a UUID */
	int64_t requested_at, deliver_by, expires_at;
	bool is_cancelled;
	int64_t counts[COMMAND_N_STATUSES]; /* as last reported */
	const struct value *in;             /* the request that made it */
	str version;                        /* of the document, resolved */
};

/** How a command went on a host. */
struct invocation {
	str command, host_id;
	enum command_status status; /* as last reported */
	int64_t at;                 /* of that */
	str trace;
	const struct value *plugins; /* a list of {Name, Status, Code, Start, Finish, Output,
	                                Stdout, Stderr} */
};

/** Read a command. Returns: 0; -ENOENT; -ERR_LIMIT */
int command_get(
        struct server *server, int64_t account, str id, struct arena *arena, struct command *ret);

/** All commands of an account, newest first. Returns: 0; -ERR_LIMIT */
int command_list(struct server *server, int64_t account, struct arena *arena, struct command **ret,
        size_t *ret_count);

/** The change that writes a command. Returns: 0; -ERR_LIMIT */
int command_change(int64_t account, const struct command *command, struct arena *arena,
        struct object_change *ret);

/** The counts at a moment: what is late counts as timed out. */
void command_counts(const struct command *command, int64_t now_at, int64_t ret[COMMAND_N_STATUSES]);

/** The status of the whole at a moment. */
enum command_status command_status(const struct command *command, int64_t now_at);

/** Read an invocation. Returns: 0; -ENOENT; -ERR_LIMIT */
int invocation_get(struct server *server, int64_t account, str command, str host_id,
        struct arena *arena, struct invocation *ret);

/** Read an invocation from its object. */
void invocation_read(str name, const struct value *v, struct invocation *ret);

/** The change that writes an invocation. Returns: 0; -ERR_LIMIT */
int invocation_change(int64_t account, const struct invocation *invocation, struct arena *arena,
        struct object_change *ret);

/** The status at a moment, as command_counts(). */
enum command_status invocation_status(
        const struct command *command, const struct invocation *invocation, int64_t now_at);

/**
 * Move an invocation, and the counts of its command with it.
 *
 * In:      invocation  with its new status; `before` is the one it had
 * Out:     ret         the two changes
 * Returns: 0; -ERR_LIMIT
 */
int command_move(int64_t account, struct command *command, const struct invocation *invocation,
        enum command_status before, struct arena *arena, struct object_change ret[2]);

/** The change that puts a message into a host's queue. `kind` is "send" or "cancel". Returns: 0;
 * -ERR_LIMIT */
int message_change(int64_t account, str host_id, str message_id, const char *kind, str command,
        int64_t hidden_until, bool is_taken, struct arena *arena, struct object_change *ret);

/** The name of a message in a host's queue. Returns: 0; -ERR_LIMIT */
int message_name(str host_id, str message_id, struct arena *arena, str *ret);

/**
 * The payload that tells an agent to run a document: JSON.
 *
 * In:      values  the parameters, as lists of strings; given to the agent by their types
 * Out:     ret     arena
 * Returns: 0; -ERR_LIMIT
 */
int command_payload(const struct document_info *info, str document_name, str command_id,
        const struct value *values, const struct value *in, struct arena *arena, str *ret);

/** Drop commands that are too old or too many. Threads: under account_lock(). Returns: 0; what the
 * store says */
int command_tidy(struct server *server, int64_t account, int64_t now_at, struct err *err);
