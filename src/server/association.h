/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * association: which document is to run on which hosts, how often, and how it went.
 *
 * Objects, by type and name:
 *   association          "<id>"                     what it is to do; one per association
 *   association-version  "<id>/<version, 10 digits>" what it was to do
 *   association-state    "<host id>"                the last run of each association on one host
 *   execution            "<id>/<execution id>"      one round of runs, with counts by status
 *   execution-target     "<execution id>/<host id>" how a host fared in one round
 *
 * Which hosts a round concerns is never written down: a host that an association targets, and whose
 * last run is older than the round that was asked for, is pending. So asking a million hosts to run
 * is one record, and a host that joins later is asked too.
 */

#include "server/server.h"

/** Most associations of an account, and versions of one. */
#define ASSOCIATIONS_MAX 2000
#define ASSOCIATION_VERSIONS_MAX 1000

/** How long rounds are kept, how many of one association, and how many rows of hosts besides those
 * of the newest two rounds. */
#define EXECUTION_KEEP_S (INT64_C(30) * 86400)
#define EXECUTIONS_MAX 1000
#define EXECUTION_TARGETS_MAX 20000

/** One association. Strings and values live in the arena it was read into. */
struct association {
	str id; /* a UUID */
	int64_t version;
	int64_t created_at, updated_at;
	bool is_builtin;   /* made by the server for deep inspection */
	int64_t asked_at;  /* when all its hosts were last asked to run it at once; 0: never */
	str execution;     /* the round of that; empty: none */
	str newest;        /* the newest round; empty: none */
	struct value spec; /* the members of the request that made it, by their names */
};

/** How runs go, in the order from good to bad that the word for a whole follows. */
enum run_status {
	RUN_SUCCESS,
	RUN_SKIPPED,
	RUN_ASSOCIATED, /* not run yet */
	RUN_PENDING,
	RUN_IN_PROGRESS,
	RUN_CANCELLED,
	RUN_TIMED_OUT,
	RUN_FAILED,
	RUN_N_STATUSES,
};

/** The word of a status: "InProgress". Static. */
str run_status_text(enum run_status status);

/** Read a word. False when it is none. */
bool run_status_parse(str text, enum run_status *ret);

/** Does no more follow? */
bool run_status_is_final(enum run_status status);

/** How an association went on one host the last time. */
struct association_run {
	str association; /* its id */
	int64_t version;
	str execution; /* the round it belongs to */
	enum run_status status;
	str summary, code, output; /* what the agent said of it */
	int64_t asked_at;          /* asked_at of the association when this run began */
	int64_t at;                /* when the agent last spoke of it */
	int64_t success_at;        /* the last success; 0: none */
	str told;                  /* the round whose message the host has taken */
};

/** What is known of one host's runs. */
struct association_state {
	struct association_run *runs;
	size_t n;
};

/** How a set of hosts fared: counts by status. */
struct association_tally {
	int64_t counts[RUN_N_STATUSES];
};

/**
 * Read an association.
 *
 * Returns: 0; -ENOENT; -ERR_FORMAT when it is damaged; -ERR_LIMIT
 */
int association_get(struct server *server, int64_t account, str id, struct arena *arena,
        struct association *ret);

/**
 * Read every association of an account, sorted by id.
 *
 * Out:     ret, ret_count  arena
 * Returns: 0; -ERR_LIMIT
 */
int association_list(struct server *server, int64_t account, struct arena *arena,
        struct association **ret, size_t *ret_count);

/**
 * Sort as a host runs them: the older before the newer, those of one second by the name of their
 * document. What installs the plugin so comes before what runs it, for agents that do one after
 * the other in the order in which they are told.
 */
void association_order(struct association *all, size_t n);

/** A member of the specification as text; empty when there is none. */
str association_str(const struct association *association, const char *key);

/**
 * Check targets: of which kinds this server knows the hosts.
 *
 * In:      targets  a list of {Key, Values}, or NULL
 * Returns: 0; -ERR_UNSUPPORTED or -ERR_FORMAT with a sentence
 */
int targets_check(const struct value *targets, struct err *err);

/**
 * Do targets mean a host? Hosts that were deregistered are never meant. Several keys must all hold;
 * of the values of one key, any.
 *
 * In:      targets  a list of {Key, Values}, checked; NULL or empty: none
 */
bool targets_have(const struct value *targets, const struct fleet_host *host);

/** Does an association target a host? Also by its old-fashioned InstanceId. */
bool association_has(const struct association *association, const struct fleet_host *host);

/** Those of a host's account that target it; as association_list(). Threads: without fleet_lock(),
 * which it takes */
int association_list_of(struct server *server, int64_t account, uint64_t host, struct arena *arena,
        struct association **ret, size_t *ret_count);

/**
 * The hosts of an account that an association targets, by number.
 *
 * Out:     ret, ret_count  arena, sorted
 * Returns: 0; -ERR_LIMIT
 * Threads: without fleet_lock(), which it takes
 */
int association_hosts(struct server *server, int64_t account, const struct association *association,
        struct arena *arena, const uint64_t **ret, size_t *ret_count);

/** Hosts that are looked at between fleet_lock() and fleet_unlock(). */
#define HOSTS_AT_ONCE 256

/** The numbers of an account's hosts, sorted. Out: arena. Threads: without fleet_lock(). Returns:
 * 0; -ERR_LIMIT */
int account_hosts(struct server *server, int64_t account, struct arena *arena, uint32_t **ret,
        size_t *ret_count);

/** Delete the first `most` objects of a type whose names begin with a prefix, in pieces. Returns:
 * 0; what the store says */
int objects_delete(struct server *server, int64_t account, const char *type, str prefix,
        size_t most, struct err *err);

/** The change that writes an association alone. Returns: 0; -ERR_LIMIT */
int association_write(int64_t account, const struct association *association, struct arena *arena,
        struct object_change *ret);

/** The changes that write an association and, as a new version, what it is to do; two entries.
 * Returns: 0; -ERR_LIMIT */
int association_changes(int64_t account, const struct association *association, bool is_new,
        struct arena *arena, struct object_change ret[2]);

/**
 * Ask all hosts of an association to run it now: a new round. The caller commits the change, and
 * then calls association_wake().
 *
 * In:      association  asked_at and execution are set
 * Out:     ret          the change that adds the round; the association's own is the caller's
 * Returns: 0; -ERR_LIMIT
 */
int association_ask(int64_t account, struct association *association, int64_t now_at,
        struct arena *arena, struct object_change *ret);

/** Let the hosts of an association, which wait for messages, look again. Returns: 0; -ERR_LIMIT */
int association_wake(struct server *server, int64_t account, const struct association *association,
        struct arena *arena);

/** Read the runs of a host; none is no error. Returns: 0; -ERR_FORMAT; -ERR_LIMIT */
int association_state_get(struct server *server, int64_t account, str host_id, struct arena *arena,
        struct association_state *ret);

/** The change that writes a host's runs. Returns: 0; -ERR_LIMIT */
int association_state_change(int64_t account, str host_id, const struct association_state *state,
        struct arena *arena, struct object_change *ret);

/** The run of an association; NULL when the host had none. */
struct association_run *association_run_of(const struct association_state *state, str id);

/** Is the host to run the association because all were asked to, and has not begun yet? `run` may
 * be NULL. */
bool association_is_due(const struct association *association, const struct association_run *run);

/** What is shown of a host: pending while it is due, associated before the first run, else the
 * status of its last run. */
enum run_status association_status(
        const struct association *association, const struct association_run *run);

/** How many hosts there are in all. */
int64_t association_tally_total(const struct association_tally *tally);

/** "key": the counts that are not 0, by status. */
void association_tally_write(
        struct json_writer *w, const char *key, const struct association_tally *tally);

/** The word for the whole: "Failed" when one host has failed, "Pending" while one has not ended,
 * else "Success". Static. */
str association_tally_status(const struct association_tally *tally);

/**
 * Count the hosts of each association by status, and find the newest runs.
 *
 * Out:     tallies, last_at, success_at  one element per association; the times may be NULL
 * Returns: 0; -ERR_LIMIT
 * Cost:    one pass over the hosts of the account
 * Threads: without fleet_lock(), which it takes in between
 */
int association_tally_all(struct server *server, int64_t account,
        const struct association *associations, size_t n, struct association_tally *tallies,
        int64_t *last_at, int64_t *success_at);

/** What a host tells of one run. */
struct association_report {
	const struct association *association;
	str host_id;
	enum run_status status;
	str summary, code, output;
	int64_t at, now_at;
};

/**
 * Take what a host tells of a run: its state, the round, and the host's row in it, committed as a
 * whole. A run that begins after the host has ended its part of the newest round begins a new one.
 *
 * Threads: under account_lock()
 * Returns: 0, durable; -ERR_LIMIT; what the store says
 */
int association_reported(struct server *server, int64_t account,
        const struct association_report *report, struct arena *arena, struct err *err);

/** One round. */
struct execution {
	str id;
	int64_t version, created_at, last_at;
	struct association_tally tally; /* of the hosts that have a row */
};

/** Read the rounds of an association, newest first. Returns: 0; -ERR_LIMIT; -ERR_FORMAT */
int execution_list(struct server *server, int64_t account, str association_id, struct arena *arena,
        struct execution **ret, size_t *ret_count);

/**
 * The hosts that were asked to run an association and have not begun, by number.
 *
 * Out:     ret, ret_count  arena, sorted
 * Returns: 0; -ERR_LIMIT
 * Cost:    one pass over the hosts of the account
 * Threads: without fleet_lock(), which it takes in between
 */
int association_due_hosts(struct server *server, int64_t account,
        const struct association *association, struct arena *arena, uint64_t **ret,
        size_t *ret_count);

/**
 * Drop rounds that are too old or too many, and rows of hosts beyond what is kept; bounded work per
 * call.
 *
 * Threads: under account_lock()
 * Returns: 1 when there is more to do; 0; what the store says
 */
int execution_tidy(struct server *server, int64_t account, str association_id, int64_t now_at,
        struct err *err);

/**
 * Delete an association with its versions and rounds.
 *
 * Threads: under account_lock()
 * Returns: 0; what the store says
 */
int association_delete(struct server *server, int64_t account, str id, struct err *err);

/**
 * See to it that the associations of EC2 scanning are there: the inventory, the plugin's
 * installation, and, while deep inspection is active, its runs. What is there is left as it is: a
 * schedule that a user has changed stays.
 *
 * Threads: without account_lock(), which it takes
 * Returns: 0; -ENOENT without the account; what the store says
 */
int association_ensure_builtin(
        struct server *server, int64_t account, int64_t now_at, struct err *err);

/**
 * Remove the associations that association_ensure_builtin() made: EC2 scanning is off.
 *
 * Threads: without account_lock(), which it takes
 * Returns: 0; what the store says
 */
int association_remove_builtin(struct server *server, int64_t account, struct err *err);

/**
 * Forget what the control plane keeps of a host that is gone: its runs, its commands in flight, its
 * compliance. Called when a host is terminated.
 *
 * Threads: without account_lock(), which it takes
 * Returns: 0; what the store says
 */
int association_forget_host(
        struct server *server, int64_t account, const char *host_id, struct err *err);
