/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an account's settings ask for and what there is are brought together here, and only here:
 * after a change, and once a minute, so that what somebody deleted comes back.
 *
 *   EC2 scanning on   hosts are active, but for those that a tag excludes; the parameter that hands
 *                     the custom paths to hosts is there and right; the associations are there
 *   EC2 scanning off  hosts are disabled; parameter and associations are gone
 */
#include <roaring/roaring.h>

#include "base/cleanup.h"
#include "server/association.h"
#include "server/inside.h"

/* Hosts that are looked at under one hold of the fleet's lock. */
#define HOSTS_PER_LOOK 1000
/* Hosts that one call changes, each with a commit; the rest is left to the next call. */
#define HOSTS_PER_CALL 5000

enum host_state host_state_of(const struct fleet_host *host, bool is_ec2_enabled)
{
	if (host && host->state == HOST_TERMINATED)
		return HOST_TERMINATED;
	if (!is_ec2_enabled)
		return HOST_DISABLED;
	return host && host_tag(host, STR(EXCLUSION_TAG), NULL) ? HOST_EXCLUDED : HOST_ACTIVE;
}

/* ---- hosts ---- */

struct planned {
	uint64_t number;
	enum host_state state;
};

/* Up to HOSTS_PER_LOOK hosts behind `after`; those whose state is wrong. Returns how many are
 * wrong.
 */
static size_t plan_hosts(struct server *server, const struct account *account, uint64_t *after,
        bool *ret_more, struct planned *planned)
{
	size_t n = 0, looked = 0;
	fleet_lock(server->fleet);
	roaring_uint32_iterator_t i;
	const roaring_bitmap_t *hosts = fleet_hosts(server->fleet, account->number);
	*ret_more = false;
	if (hosts) {
		roaring_init_iterator(hosts, &i);
		bool has = roaring_move_uint32_iterator_equalorlarger(&i, (uint32_t)*after);
		for (; has && looked < HOSTS_PER_LOOK; looked++) {
			const struct fleet_host *host =
			        fleet_host_at(server->fleet, i.current_value);
			enum host_state state = host_state_of(host, account->is_ec2_enabled);
			if (host && host->state != state)
				planned[n++] = (struct planned){ host->number, state };
			*after = (uint64_t)i.current_value + 1;
			has = roaring_advance_uint32_iterator(&i);
		}
		*ret_more = has;
	}
	fleet_unlock(server->fleet);
	return n;
}

static int reconcile_hosts(
        struct server *server, const struct account *account, int64_t now_at, struct err *err)
{
	autofree struct planned *planned = calloc(HOSTS_PER_LOOK, sizeof(*planned));
	bool more = planned != NULL;
	uint64_t after = 0;
	int r = planned ? 0 : err_set(err, -ENOMEM, "no memory for hosts");
	size_t changed = 0;
	while (more && r >= 0 && changed < HOSTS_PER_CALL) {
		size_t n = plan_hosts(server, account, &after, &more, planned);
		changed += n;
		for (size_t i = 0; r >= 0 && i < n; i++) {
			struct host_change change = { .state = &planned[i].state };
			r = fleet_host_change(
			        server->fleet, planned[i].number, &change, now_at, err);
			if (r == -ENOENT)
				r = 0; /* it went meanwhile */
		}
	}
	return r < 0 ? r : more ? 1 : 0;
}

/* ---- the parameter ---- */

static int join_paths(
        struct server *server, const struct account *account, struct arena *arena, struct buf *out)
{
	const str *paths;
	int n = account_effective_paths(server, account, arena, &paths);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_add_byte(out, ',');
		buf_add(out, paths[i]);
	}
	if (n == 0)
		buf_add(out, STR("NO_PATHS_DEFINED"));
	return buf_failed(out) ? -ENOMEM : 0;
}

/* The text of the parameter's object, in the members of Parameter Store. */
static int write_parameter(
        struct arena *arena, str value, int64_t version, int64_t now_at, str *ret)
{
	autobuf text = BUF((size_t)32 << 10);
	struct json_writer w = JSON_WRITER(&text, false);
	json_write_object(&w);
	json_write_member_str(&w, "Type", STR("StringList"));
	json_write_member_str(&w, "Value", value);
	json_write_member_str(&w, "DataType", STR("text"));
	write_number(&w, "Version", version);
	write_time(&w, "LastModifiedDate", now_at);
	json_write_object_end(&w);
	return buf_failed(&text) ? -ERR_LIMIT : arena_copy(arena, buf_str(&text), ret);
}

/* Under account_lock(): the parameter is what it should be, or is made so. */
static int change_parameter(struct server *server, const struct account *account, int64_t now_at,
        struct arena *arena, struct err *err)
{
	autobuf value = BUF((size_t)16 << 10);
	struct object_change change = {
		.account = account->number, .type = "parameter", .name = STR(PATHS_PARAMETER)
	};
	const struct value *old = NULL;
	int r = object_get(server->objects, account->number, "parameter", change.name, arena, &old);
	bool is_there = r >= 0;
	if (r >= 0 || r == -ENOENT)
		r = join_paths(server, account, arena, &value);
	if (r < 0)
		return err_set(err, r, "no memory for a parameter");
	if (!account->is_ec2_enabled)
		return is_there ? objects_change(server->objects, &change, 1, NULL, err) : 0;
	if (is_there && str_eq(value_get_str(old, STR("Value")), buf_str(&value)))
		return 0;
	r = write_parameter(arena, buf_str(&value),
	        is_there ? value_get_i64(old, STR("Version"), 0) + 1 : 1, now_at, &change.json);
	return r < 0 ? err_set(err, r, "no memory for a parameter")
	             : objects_change(server->objects, &change, 1, NULL, err);
}

/* The account is read again under its lock: what was asked for last counts. */
static int reconcile_parameter(
        struct server *server, int64_t number, int64_t now_at, struct arena *arena, struct err *err)
{
	struct account account;
	account_lock(server, number);
	int r = account_get(server, number, arena, &account);
	if (r >= 0)
		r = change_parameter(server, &account, now_at, arena, err);
	account_unlock(server, number);
	return r;
}

int account_reconcile(struct server *server, int64_t number, int64_t now_at, struct err *err)
{
	struct arena arena = ARENA((size_t)1 << 20);
	struct account account;
	int more = 0;
	int r = account_get(server, number, &arena, &account);
	if (r < 0)
		(void)err_set(err, r, "account %s cannot be read", account_text(number).text);
	if (r >= 0 && server->fleet) {
		more = reconcile_hosts(server, &account, now_at, err);
		r = more < 0 ? more : 0;
	}
	if (r >= 0)
		r = reconcile_parameter(server, number, now_at, &arena, err);
	if (r >= 0)
		r = account.is_ec2_enabled ? association_ensure_builtin(server, number, now_at, err)
		                           : association_remove_builtin(server, number, err);
	arena_fini(&arena);
	return r < 0 ? r : more;
}
