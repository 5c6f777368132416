/* SPDX-License-Identifier: Apache-2.0 */
#include "server/clone.h"

#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/inside.h"

#define TOLD_AGAIN_S 600

static const struct {
	const char *id, *title;
} kinds[] = {
	[CLONE_REFUSED] = { "refused",
	        "Another machine uses a copy of this host's identity, and was "
	        "refused" },
	[CLONE_TWIN] = { "twin", "Two agents at once act as this host: its machine was copied" },
};

/* ---- runs ---- */

static bool is_run_byte(char c)
{
	return is_alnum(c) || c == '-';
}

static bool is_run(str run)
{
	str rest = run;
	(void)str_take_while(&rest, is_run_byte);
	return run.n >= 8 && run.n <= CLONE_RUN_MAX_BYTES && rest.n == 0;
}

bool clone_runs_note(str runs, str run, struct buf *out)
{
	str one, rest = runs;
	bool is_known = false, is_first = true;
	size_t n = 1;
	if (!is_run(run))
		return false;
	buf_add(out, run);
	for (size_t seen = 0; rest.n > 0 && seen < CLONE_RUNS_MAX; seen++) {
		if (!str_split_first(rest, ',', &one, &rest)) {
			one = rest;
			rest.n = 0;
		}
		if (str_eq(one, run)) {
			if (is_first) {
				buf_clear(out);
				return false;
			}
			is_known = true;
		} else if (n < CLONE_RUNS_MAX) {
			buf_add_byte(out, ',');
			buf_add(out, one);
			n++;
		}
		is_first = false;
	}
	return is_known;
}

/* ---- telling ---- */

/* The item as it was, and when it was told last; 0: never. */
static int64_t told_at(const struct value *before, const char *id)
{
	const struct value *items = value_get(before, STR("Items"));
	for (size_t i = 0; i < value_count(items); i++) {
		const struct value *item = value_at(items, i);
		int64_t ms = 0;
		if (str_eq(value_get_str(item, STR("Id")), str_from_c(id)) &&
		        timestamp_from_value(
		                value_get(value_get(item, STR("Details")), STR("LastSeen")), &ms))
			return ms / 1000;
	}
	return 0;
}

static void write_item(struct request *request, struct json_writer *w, enum clone_kind kind)
{
	autobuf at = BUF(64);
	str address = request->peer, port;
	(void)str_split_last(request->peer, ':', &address, &port);
	timestamp_add_iso(&at, request->now_at * 1000);
	json_write_object(w);
	json_write_member_str(w, "Id", str_from_c(kinds[kind].id));
	json_write_member_str(w, "Title", str_from_c(kinds[kind].title));
	json_write_member_str(w, "Severity", STR("CRITICAL"));
	json_write_member_str(w, "Status", STR("NON_COMPLIANT"));
	json_write_key(w, "Details");
	json_write_object(w);
	json_write_member_str(w, "LastSeen", buf_str(&at));
	json_write_member_str(w, "Address", address.n > 0 ? address : STR("unknown"));
	json_write_object_end(w);
	json_write_object_end(w);
}

/* What was told of the other kind stays. */
static int draft_change(struct request *request, const struct value *before, enum clone_kind kind,
        struct object_change *change)
{
	autodraft draft = { 0 };
	const struct value *items = value_get(before, STR("Items"));
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Type", STR(CLONE_COMPLIANCE));
	json_write_key(&draft.json, "ExecutionSummary");
	json_write_object(&draft.json);
	write_time(&draft.json, "ExecutionTime", request->now_at);
	json_write_object_end(&draft.json);
	json_write_key(&draft.json, "Items");
	json_write_array(&draft.json);
	write_item(request, &draft.json, kind);
	for (size_t i = 0; i < value_count(items) && i < 8; i++) {
		const struct value *item = value_at(items, i);
		if (!str_eq(value_get_str(item, STR("Id")), str_from_c(kinds[kind].id)))
			value_write_json(item, &draft.json);
	}
	json_write_array_end(&draft.json);
	return draft_end(&draft, request->arena, &change->json);
}

static int keep(
        struct request *request, const char *host_id, enum clone_kind kind, bool *ret_is_new)
{
	struct object_change change = { .account = request->caller.account, .type = "compliance" };
	const struct value *before = NULL;
	int r = arena_printf(request->arena, &change.name, "%s/" CLONE_COMPLIANCE, host_id);
	if (r == 0)
		r = object_get(request->server->objects, change.account, "compliance", change.name,
		        request->arena, &before);
	if (r == -ENOENT)
		r = 0;
	int64_t at = told_at(before, kinds[kind].id);
	if (r < 0 || (at <= request->now_at && request->now_at - at < TOLD_AGAIN_S))
		return r;
	r = draft_change(request, before, kind, &change);
	if (r == 0)
		r = request_commit(request, &change, 1, "IdentityIsCopied", str_from_c(host_id));
	*ret_is_new = r == 0;
	return r;
}

void clone_note(struct request *request, const char *host_id, enum clone_kind kind)
{
	struct server_inside *inside = request->server->inside;
	bool is_new = false;
	atomic_fetch_add(&inside->n_clones, 1);
	account_lock(request->server, request->caller.account);
	int r = keep(request, host_id, kind, &is_new);
	account_unlock(request->server, request->caller.account);
	if (r < 0)
		log_write(&inside->log, LOG_ERROR, "a copied identity cannot be noted",
		        LOG_FIELDS(LOG_TEXT("host", str_from_c(host_id)), LOG_NUMBER("code", r)));
	if (is_new)
		log_write(&inside->log, LOG_WARNING, kinds[kind].title,
		        LOG_FIELDS(LOG_TEXT("host", str_from_c(host_id)),
		                LOG_NUMBER("account", request->caller.account),
		                LOG_TEXT("peer", request->peer)));
}
