/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model of associations: what they are to do, on which hosts. How they went is in
 * association_runs.c.
 */
#include "server/association.h"

#include <inttypes.h>
#include <roaring/roaring.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* ---- reading and writing ---- */

static int from_value(const struct value *v, struct association *ret)
{
	const struct value *spec = value_get(v, STR("Spec"));
	if (value_kind(spec) != VALUE_OBJECT)
		return -ERR_FORMAT;
	*ret = (struct association){
		.id = value_get_str(v, STR("Id")),
		.version = value_get_i64(v, STR("Version"), 1),
		.created_at = value_get_i64(v, STR("Created"), 0),
		.updated_at = value_get_i64(v, STR("Updated"), 0),
		.is_builtin = value_get_bool(v, STR("Builtin"), false),
		.asked_at = value_get_i64(v, STR("Asked"), 0),
		.execution = value_get_str(v, STR("Execution")),
		.newest = value_get_str(v, STR("Newest")),
		.spec = *spec,
	};
	return ret->id.n > 0 ? 0 : -ERR_FORMAT;
}

int association_get(struct server *server, int64_t account, str id, struct arena *arena,
        struct association *ret)
{
	const struct value *v = NULL;
	int r = object_get(server->objects, account, "association", id, arena, &v);
	return r < 0 ? r : from_value(v, ret);
}

int association_list(struct server *server, int64_t account, struct arena *arena,
        struct association **ret, size_t *ret_count)
{
	const struct object *objects = NULL;
	size_t n = 0;
	int r = object_list(
	        server->objects, account, "association", none, none, 0, arena, &objects, &n);
	if (r < 0)
		return r;
	struct association *all = arena_alloc(arena, n + 1, sizeof *all);
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		r = from_value(objects[i].value, &all[i]);
		if (r < 0)
			return r;
	}
	*ret = all;
	*ret_count = n;
	return 0;
}

str association_str(const struct association *association, const char *key)
{
	return value_get_str(&association->spec, str_from_c(key));
}

static int by_age(const void *a_, const void *b_)
{
	const struct association *a = a_, *b = b_;
	if (a->created_at != b->created_at)
		return a->created_at < b->created_at ? -1 : 1;
	int order = str_cmp(association_str(a, "Name"), association_str(b, "Name"));
	return order != 0 ? order : str_cmp(a->id, b->id);
}

void association_order(struct association *all, size_t n)
{
	if (n > 1)
		qsort(all, n, sizeof *all, by_age);
}

int association_write(int64_t account, const struct association *association, struct arena *arena,
        struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	json_write_member_str(&draft.json, "Id", association->id);
	write_number(&draft.json, "Version", association->version);
	write_number(&draft.json, "Created", association->created_at);
	write_number(&draft.json, "Updated", association->updated_at);
	if (association->is_builtin)
		write_flag(&draft.json, "Builtin", true);
	write_number(&draft.json, "Asked", association->asked_at);
	write_text(&draft.json, "Execution", association->execution);
	write_text(&draft.json, "Newest", association->newest);
	write_value(&draft.json, "Spec", &association->spec);
	*ret = (struct object_change){
		.account = account, .type = "association", .name = association->id
	};
	return draft_end(&draft, arena, &ret->json);
}

int association_changes(int64_t account, const struct association *association, bool is_new,
        struct arena *arena, struct object_change ret[2])
{
	autodraft draft = { 0 };
	int r = association_write(account, association, arena, &ret[0]);
	if (r < 0)
		return r;
	ret[0].is_new = is_new;
	draft_begin(&draft);
	write_number(&draft.json, "Version", association->version);
	write_number(&draft.json, "Created", association->updated_at);
	write_value(&draft.json, "Spec", &association->spec);
	ret[1] = (struct object_change){ .account = account, .type = "association-version" };
	r = arena_printf(arena, &ret[1].name, STR_FMT "/%010" PRId64, STR_ARG(association->id),
	        association->version);
	return r < 0 ? r : draft_end(&draft, arena, &ret[1].json);
}

/* ---- targets ---- */

static int check_ids(const struct value *values, struct err *err)
{
	for (size_t i = 0; i < value_count(values); i++) {
		str id = value_str(value_at(values, i));
		if (!str_eq(id, STR("*")) && host_digits(id).n == 0)
			return err_set(err, -ERR_FORMAT,
			        "'" STR_FMT "' is not the id of a managed node",
			        STR_ARG(str_head(id, 64)));
	}
	return 0;
}

int targets_check(const struct value *targets, struct err *err)
{
	for (size_t i = 0; i < value_count(targets); i++) {
		const struct value *target = value_at(targets, i);
		const struct value *values = value_get(target, STR("Values"));
		str key = value_get_str(target, STR("Key"));
		if (value_count(values) == 0)
			return err_set(err, -ERR_FORMAT, "target '" STR_FMT "' has no values",
			        STR_ARG(str_head(key, 64)));
		if (str_eq_nocase(key, STR("InstanceIds"))) {
			int r = check_ids(values, err);
			if (r < 0)
				return r;
		} else if (!str_has_prefix(key, STR("tag:")) && !str_eq(key, STR("tag-key"))) {
			return err_set(err, -ERR_UNSUPPORTED,
			        "targets are InstanceIds, tag:<key> or tag-key; this server does "
			        "not "
			        "know '" STR_FMT "'",
			        STR_ARG(str_head(key, 64)));
		}
	}
	return 0;
}

static bool target_has(const struct value *target, const struct fleet_host *host)
{
	const struct value *values = value_get(target, STR("Values"));
	str key = value_get_str(target, STR("Key")), tag_value = none;
	bool are_ids = str_eq_nocase(key, STR("InstanceIds"));
	bool has_tag =
	        str_has_prefix(key, STR("tag:")) && host_tag(host, str_skip(key, 4), &tag_value);

	for (size_t i = 0; i < value_count(values); i++) {
		str v = value_str(value_at(values, i));
		if (are_ids &&
		        (str_eq(v, STR("*")) || str_eq(host_digits(v), str_from_c(host->id))))
			return true;
		if (has_tag && str_eq(v, tag_value))
			return true;
		if (str_eq(key, STR("tag-key")) && host_tag(host, v, NULL))
			return true;
	}
	return false;
}

bool targets_have(const struct value *targets, const struct fleet_host *host)
{
	if (host->state == HOST_TERMINATED || value_count(targets) == 0)
		return false;
	for (size_t i = 0; i < value_count(targets); i++) {
		if (!target_has(value_at(targets, i), host))
			return false;
	}
	return true;
}

bool association_has(const struct association *association, const struct fleet_host *host)
{
	str id = association_str(association, "InstanceId");
	if (id.n > 0)
		return host->state != HOST_TERMINATED &&
		       str_eq(host_digits(id), str_from_c(host->id));
	return targets_have(value_get(&association->spec, STR("Targets")), host);
}

int association_list_of(struct server *server, int64_t account, uint64_t host, struct arena *arena,
        struct association **ret, size_t *ret_count)
{
	struct association *all = NULL;
	size_t n = 0, n_kept = 0;
	int r = association_list(server, account, arena, &all, &n);
	if (r < 0)
		return r;
	fleet_lock(server->fleet);
	const struct fleet_host *at = fleet_host_at(server->fleet, host);
	for (size_t i = 0; at && i < n; i++) {
		if (association_has(&all[i], at))
			all[n_kept++] = all[i];
	}
	fleet_unlock(server->fleet);
	*ret = all;
	*ret_count = n_kept;
	return 0;
}

int account_hosts(struct server *server, int64_t account, struct arena *arena, uint32_t **ret,
        size_t *ret_count)
{
	uint32_t *numbers = NULL;
	uint64_t n = 0;

	fleet_lock(server->fleet);
	const roaring_bitmap_t *hosts = fleet_hosts(server->fleet, account);
	if (hosts)
		n = roaring_bitmap_get_cardinality(hosts);
	numbers = arena_alloc(arena, n + 1, sizeof *numbers);
	if (numbers && n > 0)
		roaring_bitmap_to_uint32_array(hosts, numbers);
	fleet_unlock(server->fleet);
	if (!numbers)
		return -ERR_LIMIT;
	*ret = numbers;
	*ret_count = (size_t)n;
	return 0;
}

int association_hosts(struct server *server, int64_t account, const struct association *association,
        struct arena *arena, const uint64_t **ret, size_t *ret_count)
{
	uint32_t *numbers = NULL;
	size_t n = 0, kept = 0;
	int r = account_hosts(server, account, arena, &numbers, &n);
	if (r < 0)
		return r;
	uint64_t *made = arena_alloc(arena, n + 1, sizeof *made);
	if (!made)
		return -ERR_LIMIT;
	for (size_t from = 0; from < n; from += HOSTS_AT_ONCE) {
		fleet_lock(server->fleet);
		for (size_t i = from; i < n && i < from + HOSTS_AT_ONCE; i++) {
			const struct fleet_host *host = fleet_host_at(server->fleet, numbers[i]);
			if (host && association_has(association, host))
				made[kept++] = host->number;
		}
		fleet_unlock(server->fleet);
	}
	*ret = made;
	*ret_count = kept;
	return 0;
}

/* ---- deleting ---- */

/* Delete every object of a type below a prefix, in pieces. */
int objects_delete(struct server *server, int64_t account, const char *type, str prefix,
        size_t most, struct err *err)
{
	enum { PIECE = 500 };
	int r = 0;
	for (size_t done = 0; r == 0 && done < most;) {
		struct arena arena = ARENA((size_t)64 << 20);
		struct object_change changes[PIECE];
		const struct object *objects = NULL;
		size_t n = 0, piece = most - done;
		if (piece > PIECE)
			piece = PIECE;
		r = object_list(
		        server->objects, account, type, prefix, none, piece, &arena, &objects, &n);
		for (size_t i = 0; i < n; i++)
			changes[i] = (struct object_change){
				.account = account, .type = type, .name = objects[i].name
			};
		if (r == 0 && n > 0)
			r = objects_change(server->objects, changes, n, NULL, err);
		arena_fini(&arena);
		done += n;
		if (n < piece)
			break;
	}
	return r;
}

int association_delete(struct server *server, int64_t account, str id, struct err *err)
{
	struct object_change change = { .account = account, .type = "association", .name = id };
	struct arena arena = ARENA((size_t)32 << 20);
	struct execution *rounds = NULL;
	size_t n = 0;
	str prefix;

	int r = execution_list(server, account, id, &arena, &rounds, &n);
	if (r == 0)
		r = arena_printf(&arena, &prefix, STR_FMT "/", STR_ARG(id));
	/* The association first: what is left behind by a crash is found by nobody. */
	if (r == 0)
		r = objects_change(server->objects, &change, 1, NULL, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		str rows;
		r = arena_printf(&arena, &rows, STR_FMT "/", STR_ARG(rounds[i].id));
		if (r == 0)
			r = objects_delete(
			        server, account, "execution-target", rows, SIZE_MAX, err);
	}
	if (r == 0)
		r = objects_delete(server, account, "execution", prefix, SIZE_MAX, err);
	if (r == 0)
		r = objects_delete(server, account, "association-version", prefix, SIZE_MAX, err);
	arena_fini(&arena);
	return r;
}

int association_forget_host(
        struct server *server, int64_t account, const char *host_id, struct err *err)
{
	static const char *const types[] = { "message", "compliance" };
	struct arena arena = ARENA((size_t)1 << 16);
	struct object_change changes[2] = {
		{ .account = account, .type = "association-state", .name = str_from_c(host_id) },
		{ .account = account, .type = "host", .name = str_from_c(host_id) },
	};
	str prefix;

	account_lock(server, account);
	int r = objects_change(server->objects, changes, 2, NULL, err);
	if (r == 0)
		r = arena_printf(&arena, &prefix, "%s/", host_id);
	for (size_t i = 0; r == 0 && i < sizeof types / sizeof types[0]; i++)
		r = objects_delete(server, account, types[i], prefix, SIZE_MAX, err);
	account_unlock(server, account);
	arena_fini(&arena);
	return r;
}
