/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How associations went. A host has one record with the last run of each association; a round has
 * one with counts by status, and a row per host that took part. A host is never given a row before
 * it speaks: who is still to come follows from the targets and the hosts' records.
 */
#include "server/association.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

static const char *const words[RUN_N_STATUSES] = {
	[RUN_SUCCESS] = "Success",
	[RUN_SKIPPED] = "Skipped",
	[RUN_ASSOCIATED] = "Associated",
	[RUN_PENDING] = "Pending",
	[RUN_IN_PROGRESS] = "InProgress",
	[RUN_CANCELLED] = "Cancelled",
	[RUN_TIMED_OUT] = "TimedOut",
	[RUN_FAILED] = "Failed",
};

str run_status_text(enum run_status status)
{
	return str_from_c(words[status]);
}

bool run_status_parse(str text, enum run_status *ret)
{
	for (int i = 0; i < RUN_N_STATUSES; i++) {
		if (str_eq(text, str_from_c(words[i]))) {
			*ret = (enum run_status)i;
			return true;
		}
	}
	return false;
}

bool run_status_is_final(enum run_status status)
{
	return status != RUN_PENDING && status != RUN_IN_PROGRESS && status != RUN_ASSOCIATED;
}

/* ---- the runs of a host ---- */

static void read_run(const struct value *v, struct association_run *ret)
{
	*ret = (struct association_run){
		.association = value_get_str(v, STR("Association")),
		.version = value_get_i64(v, STR("Version"), 1),
		.execution = value_get_str(v, STR("Execution")),
		.status = RUN_ASSOCIATED,
		.summary = value_get_str(v, STR("Summary")),
		.code = value_get_str(v, STR("Code")),
		.output = value_get_str(v, STR("Output")),
		.asked_at = value_get_i64(v, STR("Asked"), 0),
		.at = value_get_i64(v, STR("At"), 0),
		.success_at = value_get_i64(v, STR("SuccessAt"), 0),
		.told = value_get_str(v, STR("Told")),
	};
	(void)run_status_parse(value_get_str(v, STR("Status")), &ret->status);
}

int association_state_get(struct server *server, int64_t account, str host_id, struct arena *arena,
        struct association_state *ret)
{
	const struct value *v = NULL, *runs = NULL;
	int r = object_get(server->objects, account, "association-state", host_id, arena, &v);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		runs = value_get(v, STR("Runs"));
	size_t n = value_count(runs);
	/* One more: association_reported() may add a run. */
	struct association_run *made = arena_alloc(arena, n + 1, sizeof *made);
	if (!made)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++)
		read_run(value_at(runs, i), &made[i]);
	*ret = (struct association_state){ .runs = made, .n = n };
	return 0;
}

static void write_run(struct json_writer *w, const struct association_run *run)
{
	json_write_object(w);
	json_write_member_str(w, "Association", run->association);
	write_number(w, "Version", run->version);
	write_text(w, "Execution", run->execution);
	json_write_member_str(w, "Status", run_status_text(run->status));
	write_text(w, "Summary", run->summary);
	write_text(w, "Code", run->code);
	write_text(w, "Output", run->output);
	write_number(w, "Asked", run->asked_at);
	write_number(w, "At", run->at);
	write_number(w, "SuccessAt", run->success_at);
	write_text(w, "Told", run->told);
	json_write_object_end(w);
}

int association_state_change(int64_t account, str host_id, const struct association_state *state,
        struct arena *arena, struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_key(&draft.json, "Runs");
	json_write_array(&draft.json);
	for (size_t i = 0; i < state->n; i++)
		write_run(&draft.json, &state->runs[i]);
	json_write_array_end(&draft.json);
	*ret = (struct object_change){
		.account = account, .type = "association-state", .name = host_id
	};
	return draft_end(&draft, arena, &ret->json);
}

struct association_run *association_run_of(const struct association_state *state, str id)
{
	for (size_t i = 0; i < state->n; i++) {
		if (str_eq(state->runs[i].association, id))
			return &state->runs[i];
	}
	return NULL;
}

bool association_is_due(const struct association *association, const struct association_run *run)
{
	return association->asked_at > 0 && (!run || run->asked_at < association->asked_at);
}

enum run_status association_status(
        const struct association *association, const struct association_run *run)
{
	if (association_is_due(association, run))
		return RUN_PENDING;
	return run && run->execution.n > 0 ? run->status : RUN_ASSOCIATED;
}

/* ---- counts ---- */

int64_t association_tally_total(const struct association_tally *tally)
{
	int64_t n = 0;
	for (int i = 0; i < RUN_N_STATUSES; i++)
		n += tally->counts[i];
	return n;
}

str association_tally_status(const struct association_tally *tally)
{
	const int64_t *n = tally->counts;
	if (n[RUN_FAILED] > 0 || n[RUN_TIMED_OUT] > 0 || n[RUN_CANCELLED] > 0)
		return STR("Failed");
	if (n[RUN_PENDING] > 0 || n[RUN_IN_PROGRESS] > 0 || n[RUN_ASSOCIATED] > 0 ||
	        association_tally_total(tally) == 0)
		return STR("Pending");
	return STR("Success");
}

void association_tally_write(
        struct json_writer *w, const char *key, const struct association_tally *tally)
{
	json_write_key(w, key);
	json_write_object(w);
	for (int i = 0; i < RUN_N_STATUSES; i++) {
		if (tally->counts[i] > 0)
			write_number(w, words[i], tally->counts[i]);
	}
	json_write_object_end(w);
}

static void read_tally(const struct value *v, struct association_tally *ret)
{
	for (int i = 0; i < RUN_N_STATUSES; i++)
		ret->counts[i] = value_get_i64(v, str_from_c(words[i]), 0);
}

/* What a pass over the hosts collects. */
struct pass {
	const struct association *associations;
	size_t n;
	struct association_tally *tallies;
	int64_t *last_at, *success_at;
};

static void later(int64_t *times, size_t i, int64_t at)
{
	if (times && at > times[i])
		times[i] = at;
}

/* Fleet locked. */
static int count_host(
        struct server *server, int64_t account, const struct fleet_host *host, struct pass *pass)
{
	struct arena arena = ARENA((size_t)4 << 20);
	struct association_state state = { 0 };
	int r = association_state_get(server, account, str_from_c(host->id), &arena, &state);
	for (size_t i = 0; r == 0 && i < pass->n; i++) {
		const struct association *association = &pass->associations[i];
		if (!association_has(association, host))
			continue;
		const struct association_run *run = association_run_of(&state, association->id);
		pass->tallies[i].counts[association_status(association, run)]++;
		if (run) {
			later(pass->last_at, i, run->at);
			later(pass->success_at, i, run->success_at);
		}
	}
	arena_fini(&arena);
	return r;
}

int association_tally_all(struct server *server, int64_t account,
        const struct association *associations, size_t n, struct association_tally *tallies,
        int64_t *last_at, int64_t *success_at)
{
	struct pass pass = { associations, n, tallies, last_at, success_at };
	struct arena arena = ARENA((size_t)64 << 20);
	uint32_t *numbers = NULL;
	size_t n_hosts = 0;

	for (size_t i = 0; i < n; i++) {
		tallies[i] = (struct association_tally){ 0 };
		if (last_at)
			last_at[i] = 0;
		if (success_at)
			success_at[i] = 0;
	}
	int r = account_hosts(server, account, &arena, &numbers, &n_hosts);
	for (size_t from = 0; r == 0 && from < n_hosts; from += HOSTS_AT_ONCE) {
		fleet_lock(server->fleet);
		for (size_t i = from; r == 0 && i < n_hosts && i < from + HOSTS_AT_ONCE; i++) {
			const struct fleet_host *host = fleet_host_at(server->fleet, numbers[i]);
			if (host)
				r = count_host(server, account, host, &pass);
		}
		fleet_unlock(server->fleet);
	}
	arena_fini(&arena);
	return r;
}

int association_due_hosts(struct server *server, int64_t account,
        const struct association *association, struct arena *arena, uint64_t **ret,
        size_t *ret_count)
{
	const uint64_t *targets = NULL;
	size_t n = 0, kept = 0;
	int r = association_hosts(server, account, association, arena, &targets, &n);
	if (r < 0)
		return r;
	uint64_t *made = arena_alloc(arena, n + 1, sizeof *made);
	if (!made)
		return -ERR_LIMIT;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct arena scratch = ARENA((size_t)4 << 20);
		struct association_state state = { 0 };
		char id[18] = "";
		fleet_lock(server->fleet);
		const struct fleet_host *host = fleet_host_at(server->fleet, targets[i]);
		if (host)
			memcpy(id, host->id, sizeof id);
		fleet_unlock(server->fleet);
		if (id[0] != '\0')
			r = association_state_get(
			        server, account, str_from_c(id), &scratch, &state);
		if (r == 0 && id[0] != '\0' &&
		        association_is_due(
		                association, association_run_of(&state, association->id)))
			made[kept++] = targets[i];
		arena_fini(&scratch);
	}
	*ret = made;
	*ret_count = kept;
	return r;
}

/* ---- rounds ---- */

static int round_name(str association_id, str id, struct arena *arena, str *ret)
{
	return arena_printf(arena, ret, STR_FMT "/" STR_FMT, STR_ARG(association_id), STR_ARG(id));
}

static int write_round(int64_t account, str association_id, const struct execution *round,
        struct arena *arena, struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Id", round->id);
	write_number(&draft.json, "Version", round->version);
	write_number(&draft.json, "Created", round->created_at);
	write_number(&draft.json, "Last", round->last_at);
	association_tally_write(&draft.json, "Counts", &round->tally);
	*ret = (struct object_change){ .account = account, .type = "execution" };
	int r = round_name(association_id, round->id, arena, &ret->name);
	return r < 0 ? r : draft_end(&draft, arena, &ret->json);
}

static void read_round(const struct value *v, struct execution *ret)
{
	*ret = (struct execution){
		.id = value_get_str(v, STR("Id")),
		.version = value_get_i64(v, STR("Version"), 1),
		.created_at = value_get_i64(v, STR("Created"), 0),
		.last_at = value_get_i64(v, STR("Last"), 0),
	};
	read_tally(value_get(v, STR("Counts")), &ret->tally);
}

static int compare_rounds(const void *a, const void *b)
{
	const struct execution *x = a, *y = b;
	if (x->created_at != y->created_at)
		return x->created_at > y->created_at ? -1 : 1;
	return str_cmp(x->id, y->id);
}

int execution_list(struct server *server, int64_t account, str association_id, struct arena *arena,
        struct execution **ret, size_t *ret_count)
{
	const struct object *objects = NULL;
	size_t n = 0;
	str prefix;

	int r = arena_printf(arena, &prefix, STR_FMT "/", STR_ARG(association_id));
	if (r == 0)
		r = object_list(server->objects, account, "execution", prefix, none, 0, arena,
		        &objects, &n);
	if (r < 0)
		return r;
	struct execution *all = arena_alloc(arena, n + 1, sizeof *all);
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++)
		read_round(objects[i].value, &all[i]);
	qsort(all, n, sizeof *all, compare_rounds);
	*ret = all;
	*ret_count = n;
	return 0;
}

static int new_round(const struct association *association, int64_t now_at, struct arena *arena,
        struct execution *ret)
{
	char id[37];
	*ret = (struct execution){ .version = association->version, .created_at = now_at };
	int r = uuid_make(id);
	return r < 0 ? r : arena_copy(arena, str_from_c(id), &ret->id);
}

int association_ask(int64_t account, struct association *association, int64_t now_at,
        struct arena *arena, struct object_change *ret)
{
	struct execution round = { 0 };
	int r = new_round(association, now_at, arena, &round);
	if (r < 0)
		return r;
	association->execution = association->newest = round.id;
	/* Two requests in one second are two all the same. */
	association->asked_at = now_at > association->asked_at ? now_at : association->asked_at + 1;
	return write_round(account, association->id, &round, arena, ret);
}

int association_wake(struct server *server, int64_t account, const struct association *association,
        struct arena *arena)
{
	const uint64_t *numbers = NULL;
	size_t n = 0;
	int r = association_hosts(server, account, association, arena, &numbers, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		server_wake(server, server_host_key(numbers[i]));
	return r;
}

int execution_tidy(
        struct server *server, int64_t account, str association_id, int64_t now_at, struct err *err)
{
	enum { ROUNDS_AT_ONCE = 20, ROWS_AT_ONCE = 2000 };
	struct arena arena = ARENA((size_t)32 << 20);
	struct execution *all = NULL;
	int64_t rows = 0;
	size_t n = 0, dropped = 0;

	int r = execution_list(server, account, association_id, &arena, &all, &n);
	for (size_t i = 2; r == 0 && i < n && dropped < ROUNDS_AT_ONCE; i++) {
		struct object_change change = { .account = account, .type = "execution" };
		str prefix;
		rows += association_tally_total(&all[i].tally);
		bool is_old = i >= EXECUTIONS_MAX || all[i].created_at < now_at - EXECUTION_KEEP_S;
		if (!is_old && rows <= EXECUTION_TARGETS_MAX)
			continue;
		/* A round of many hosts goes in several calls: its record last. */
		r = arena_printf(&arena, &prefix, STR_FMT "/", STR_ARG(all[i].id));
		if (r == 0)
			r = objects_delete(
			        server, account, "execution-target", prefix, ROWS_AT_ONCE, err);
		if (r == 0 && association_tally_total(&all[i].tally) <= ROWS_AT_ONCE)
			r = round_name(association_id, all[i].id, &arena, &change.name);
		if (r == 0 && change.name.n > 0)
			r = objects_change(server->objects, &change, 1, NULL, err);
		dropped++;
	}
	arena_fini(&arena);
	return r < 0 ? r : dropped == ROUNDS_AT_ONCE;
}

/* ---- reports ---- */

struct reporting {
	struct server *server;
	int64_t account;
	const struct association_report *report;
	struct arena *arena;
	struct association association; /* a copy: its newest round may change */
	struct association_state state;
	struct association_run *run;
	struct execution round;
	bool has_round; /* its record is there, or is made now */
	bool is_new;
};

static int get_round(struct reporting *it, str id)
{
	const struct value *v = NULL;
	str name;
	int r = round_name(it->association.id, id, it->arena, &name);
	if (r == 0)
		r = object_get(it->server->objects, it->account, "execution", name, it->arena, &v);
	if (r == 0) {
		read_round(v, &it->round);
		it->has_round = true;
	}
	return r == -ENOENT ? 0 : r;
}

static int row_name(const struct reporting *it, str *ret)
{
	return arena_printf(it->arena, ret, STR_FMT "/" STR_FMT, STR_ARG(it->round.id),
	        STR_ARG(it->report->host_id));
}

/* The status of the host's row in the round; -ENOENT when it has none. */
static int get_row(struct reporting *it, enum run_status *ret)
{
	const struct value *v = NULL;
	str name;
	int r = row_name(it, &name);
	if (r == 0)
		r = object_get(
		        it->server->objects, it->account, "execution-target", name, it->arena, &v);
	if (r == 0 && !run_status_parse(value_get_str(v, STR("Status")), ret))
		r = -ERR_FORMAT;
	return r;
}

/* A run begins that nobody asked for: it belongs to the newest round, or to a new one when the host
 * has been through that. */
static int join_round(struct reporting *it)
{
	enum run_status status = RUN_PENDING;
	int r = it->association.newest.n > 0 ? get_round(it, it->association.newest) : 0;
	if (r == 0 && it->has_round) {
		r = get_row(it, &status);
		if (r == -ENOENT)
			return 0;
	}
	if (r == 0)
		r = new_round(&it->association, it->report->now_at, it->arena, &it->round);
	if (r < 0)
		return r;
	it->association.newest = it->round.id;
	it->has_round = it->is_new = true;
	return 0;
}

static bool begins(const struct reporting *it)
{
	const struct association_run *run = it->run;
	if (run->execution.n == 0 || run_status_is_final(run->status))
		return true;
	return it->report->status == RUN_PENDING && run->status != RUN_PENDING;
}

static int find_run(struct reporting *it)
{
	it->run = association_run_of(&it->state, it->association.id);
	if (!it->run) {
		it->run = &it->state.runs[it->state.n++];
		*it->run = (struct association_run){ .association = it->association.id,
			.status = RUN_ASSOCIATED };
	}
	if (!begins(it))
		return get_round(it, it->run->execution);
	if (!association_is_due(&it->association, it->run))
		return join_round(it);
	it->run->asked_at = it->association.asked_at;
	return get_round(it, it->association.execution);
}

static int row_change(struct reporting *it, struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Status", run_status_text(it->report->status));
	write_number(&draft.json, "At", it->report->at);
	write_text(&draft.json, "Output", it->report->output);
	*ret = (struct object_change){ .account = it->account, .type = "execution-target" };
	int r = row_name(it, &ret->name);
	return r < 0 ? r : draft_end(&draft, it->arena, &ret->json);
}

/* The round's record, with the host counted under its new status, and the host's row. */
static int round_changes(struct reporting *it, struct object_change *changes, size_t *n)
{
	enum run_status before = RUN_PENDING;
	int r = get_row(it, &before);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && it->round.tally.counts[before] > 0)
		it->round.tally.counts[before]--;
	it->round.tally.counts[it->report->status]++;
	it->round.last_at = it->report->at;
	r = write_round(it->account, it->association.id, &it->round, it->arena, &changes[*n]);
	if (r == 0)
		r = row_change(it, &changes[*n + 1]);
	*n += 2;
	return r;
}

int association_reported(struct server *server, int64_t account,
        const struct association_report *report, struct arena *arena, struct err *err)
{
	struct association_state state;
	struct object_change changes[4];
	size_t n = 1;

	int r = association_state_get(server, account, report->host_id, arena, &state);
	if (r != 0)
		return r;
	struct reporting it = { .server = server,
		.account = account,
		.report = report,
		.arena = arena,
		.association = *report->association,
		.state = state };
	r = find_run(&it);
	if (r != 0)
		return r;
	struct association_run *run = it.run;
	if (it.has_round)
		run->execution = it.round.id;
	run->version = it.association.version;
	run->status = report->status;
	run->summary = report->summary;
	run->code = report->code;
	run->output = report->output;
	run->at = report->at;
	if (report->status == RUN_SUCCESS)
		run->success_at = report->at;
	r = association_state_change(account, report->host_id, &it.state, arena, &changes[0]);
	if (r == 0 && it.has_round)
		r = round_changes(&it, changes, &n);
	if (r == 0 && it.is_new)
		r = association_write(account, &it.association, arena, &changes[n++]);
	if (r == 0)
		r = objects_change(server->objects, changes, n, NULL, err);
	if (r == 0 && it.is_new)
		r = execution_tidy(server, account, it.association.id, report->now_at, err);
	return r < 0 ? r : 0;
}
