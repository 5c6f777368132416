/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ssm.h"

#include "aws/timestamp.h"

void draft_begin(struct draft *draft)
{
	draft->buf = BUF(DRAFT_MAX_BYTES);
	draft->json = JSON_WRITER(&draft->buf, false);
	json_write_object(&draft->json);
}

void draft_fini(struct draft *draft)
{
	buf_fini(&draft->buf);
}

int draft_end(struct draft *draft, struct arena *arena, str *ret)
{
	json_write_object_end(&draft->json);
	if (buf_failed(&draft->buf))
		return -ERR_LIMIT;
	return arena_copy(arena, buf_str(&draft->buf), ret);
}

void write_value(struct json_writer *w, const char *key, const struct value *value)
{
	if (value_kind(value) == VALUE_NULL)
		return;
	json_write_key(w, key);
	value_write_json(value, w);
}

void write_members(struct json_writer *w, const struct value *from, const char *const *names)
{
	for (; *names; names++)
		write_value(w, *names, value_get(from, str_from_c(*names)));
}

void write_flag(struct json_writer *w, const char *key, bool flag)
{
	json_write_key(w, key);
	json_write_bool(w, flag);
}

int64_t value_get_time(const struct value *v, str key)
{
	int64_t ms = 0;
	const struct value *member = value_get(v, key);
	return member && timestamp_from_value(member, &ms) ? ms / 1000 : 0;
}

bool value_has_str(const struct value *array, str text)
{
	for (size_t i = 0; i < value_count(array); i++) {
		str item = value_str(value_at(array, i));
		if (item.p && str_eq(item, text))
			return true;
	}
	return false;
}

int page_begin(const struct request *request, struct response *response, const char *key,
        size_t n_items, size_t most, struct list_page *ret)
{
	int64_t asked = value_get_i64(request->in, STR("MaxResults"), 0);
	if (asked > 0)
		most = (size_t)asked;
	int r = token_slice(
	        request, STR("NextToken"), n_items, most, &ret->from, &ret->to, &ret->token);
	if (r == -ERR_FORMAT)
		return response_fail(response, "InvalidNextToken",
		        "The NextToken is not one that this operation gave for this request.");
	if (r < 0)
		return r;
	json_write_key(&response->json, key);
	json_write_array(&response->json);
	return 0;
}

int page_end(struct response *response, const struct list_page *page, int r)
{
	json_write_array_end(&response->json);
	write_text(&response->json, "NextToken", page->token);
	return r;
}

str host_digits(str id)
{
	if (str_has_prefix(id, STR("mi-")))
		id = str_skip(id, 3);
	else if (str_has_prefix(id, STR("i-")))
		id = str_skip(id, 2);
	if (id.n != 17)
		return (str){ NULL, 0 };
	for (size_t i = 0; i < id.n; i++) {
		if (!is_digit(id.p[i]) && (id.p[i] < 'a' || id.p[i] > 'f'))
			return (str){ NULL, 0 };
	}
	return id;
}

static struct host_ref refer(const struct fleet_host *host)
{
	struct host_ref ref = {
		.number = host->number,
		.account = host->account,
		.shown = host_ssm_id(host),
		.is_ec2 = host->is_ec2,
	};
	memcpy(ref.id, host->id, sizeof(ref.id));
	return ref;
}

int request_host(struct request *request, struct response *response, str id, struct host_ref *ret)
{
	bool is_found = false;

	fleet_lock(request->server->fleet);
	const struct fleet_host *host = host_of_caller(request->server, &request->caller, id);
	/* A delegated administrator sees its members' findings, not their Systems Manager. */
	if (host && host->state != HOST_TERMINATED && host->account == request->caller.account) {
		*ret = refer(host);
		is_found = true;
	}
	fleet_unlock(request->server->fleet);
	if (is_found)
		return 0;
	return response_fail(response, "InvalidInstanceId",
	        "There is no managed node " STR_FMT " in this account.", STR_ARG(str_head(id, 64)));
}

int request_commit(struct request *request, const struct object_change *changes, size_t n,
        const char *what, str object)
{
	struct err err = { 0 };
	struct store_batch batch;
	store_batch_init(&batch, 0);
	audit_add(request->server, request, what, object, &batch);
	int r = objects_change(request->server->objects, changes, n, &batch, &err);
	store_batch_fini(&batch);
	return r;
}

int account_str(int64_t account, struct arena *arena, str *ret)
{
	struct account_text text = account_text(account);
	return arena_copy(arena, str_from_c(text.text), ret);
}

int64_t host_pinged_at(const struct fleet_host *host)
{
	int64_t ping_at = atomic_load_explicit(&host->ping_at, memory_order_relaxed);
	int64_t seen_at = atomic_load_explicit(&host->seen_at, memory_order_relaxed);
	return ping_at > seen_at ? ping_at : seen_at;
}

int request_self(struct request *request, struct response *response, str id, const char *error,
        struct host_ref *ret)
{
	bool is_found = false;

	fleet_lock(request->server->fleet);
	const struct fleet_host *host = host_of_caller(request->server, &request->caller, id);
	if (host && host->state != HOST_TERMINATED) {
		*ret = refer(host);
		if (request->caller.role == ROLE_HOST)
			fleet_pinged(request->server->fleet, host->number, request->now_at);
		is_found = true;
	}
	fleet_unlock(request->server->fleet);
	return is_found ? 0
	                : response_fail(response, error,
	                          "The caller is not the managed node " STR_FMT
	                          ", or that is not registered.",
	                          STR_ARG(str_head(id, 64)));
}
