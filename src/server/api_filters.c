/* SPDX-License-Identifier: Apache-2.0 */
/* Filters, of which those with the action SUPPRESS are suppression rules, and their tags. */
#include <errno.h>

#include "aws/codec.h"
#include "server/api.h"
#include "server/filter.h"
#include "server/finding_scope.h"
#include "server/server.h"

#define TAGS_MAX 50u
#define PAGE_MAX 100

int filter_arn(const struct request *request, int64_t account, str id, str *ret)
{
	struct account_text owner = account_text(account);
	return arena_printf(request->arena, ret,
	        "arn:aws:inspector2:" STR_FMT ":%s:owner/%s/filter/" STR_FMT,
	        STR_ARG(request->region), owner.text, owner.text, STR_ARG(id));
}

static bool is_filter_id(str id)
{
	for (size_t i = 0; i < id.n; i++) {
		if (!is_digit(id.p[i]) && !(id.p[i] >= 'a' && id.p[i] <= 'f'))
			return false;
	}
	return id.n == FILTER_ID_BYTES;
}

bool filter_arn_parse(str arn, int64_t *ret_account, str *ret_id)
{
	str fields[6], rest = arn, part;
	for (size_t i = 0; i < 5; i++) {
		if (!str_split_first(rest, ':', &fields[i], &rest))
			return false;
	}
	if (!str_eq(fields[0], STR("arn")) || !str_eq(fields[2], STR("inspector2")) ||
	        !account_parse(fields[4], ret_account) || !str_has_prefix(rest, STR("owner/")))
		return false;
	rest = str_skip(rest, 6);
	if (!str_split_first(rest, '/', &part, &rest) || !str_eq(part, fields[4]) ||
	        !str_has_prefix(rest, STR("filter/")))
		return false;
	*ret_id = str_skip(rest, 7);
	return is_filter_id(*ret_id);
}

/* ---- the object ---- */

/* What a filter is to become: members that are NULL or empty keep what `old` has. */
struct edit {
	const struct value *old, *criteria, *tags;
	str name, action, description, reason;
	int64_t now_at;
};

static void write_member(struct json_writer *w, const struct edit *edit, const char *key, str text)
{
	write_text(w, key, text.p ? text : value_get_str(edit->old, str_from_c(key)));
}

static int write_filter(const struct edit *edit, struct arena *arena, str *ret)
{
	autobuf out = BUF(512u << 10);
	struct json_writer w = JSON_WRITER(&out, false);
	const struct value *criteria = edit->criteria;
	const struct value *tags = edit->tags ? edit->tags : value_get(edit->old, STR("tags"));
	if (!criteria)
		criteria = value_get(edit->old, STR("criteria"));
	json_write_object(&w);
	write_member(&w, edit, "name", edit->name);
	write_member(&w, edit, "action", edit->action);
	write_member(&w, edit, "description", edit->description);
	write_member(&w, edit, "reason", edit->reason);
	write_number(&w, "createdAt", value_get_i64(edit->old, STR("createdAt"), edit->now_at));
	write_number(&w, "updatedAt", edit->now_at);
	json_write_key(&w, "criteria");
	value_write_json(criteria, &w);
	if (tags) {
		json_write_key(&w, "tags");
		value_write_json(tags, &w);
	}
	json_write_object_end(&w);
	if (buf_failed(&out))
		return -ERR_LIMIT;
	return arena_copy(arena, buf_str(&out), ret);
}

static int put_filter(struct request *request, struct response *response, str id, str json,
        bool is_new, const char *what)
{
	struct server *server = request->server;
	struct object_change change = { .account = request->caller.account,
		.type = "filter",
		.name = id,
		.json = json,
		.is_new = is_new };
	struct store_batch batch;
	struct err err = { 0 };
	(void)response;
	store_batch_init(&batch, 0);
	audit_add(server, request, what, id, &batch);
	int r = objects_change(server->objects, &change, 1, &batch, &err);
	store_batch_fini(&batch);
	return r;
}

/* ---- create, update, delete ---- */

/* Members of an organisation are suppressed for by its delegated administrator. */
static int may_suppress(struct request *request, struct response *response, str action)
{
	struct account account;
	if (!str_eq(action, STR("SUPPRESS")))
		return 0;
	int r = account_get(request->server, request->caller.account, request->arena, &account);
	if (r < 0)
		return r;
	if (account.is_member && !request->caller.is_delegated)
		return response_fail(response, "AccessDeniedException",
		        "Findings of a member account are suppressed by the delegated "
		        "administrator of its organization.");
	return 0;
}

static int check_criteria(
        struct request *request, struct response *response, const struct value *criteria)
{
	struct criteria ignored;
	struct err err = { 0 };
	int r = criteria ? criteria_from_value(criteria, request->arena, &ignored, &err) : 0;
	if (r == -EINVAL)
		return response_invalid(response, "filterCriteria", "%s", err.text);
	return r;
}

/* Account locked. */
static int find_name(struct request *request, str name, str but_id, bool *ret)
{
	const struct object *filters;
	size_t n;
	*ret = false;
	int r = object_list(request->server->objects, request->caller.account, "filter", STR(""),
	        STR(""), 0, request->arena, &filters, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (str_eq(value_get_str(filters[i].value, STR("name")), name) &&
		        !str_eq(filters[i].name, but_id))
			*ret = true;
	}
	return r;
}

static int answer_arn(struct request *request, struct response *response, str id)
{
	str arn;
	int r = filter_arn(request, request->caller.account, id, &arn);
	if (r == 0)
		write_text(&response->json, "arn", arn);
	return r;
}

static int new_id(struct arena *arena, str *ret)
{
	unsigned char bytes[FILTER_ID_BYTES / 2];
	autobuf hex = BUF(64);
	int r = crypto_random(bytes, sizeof(bytes));
	if (r < 0)
		return r;
	hex_add(&hex, (str){ (const char *)bytes, sizeof(bytes) });
	return buf_failed(&hex) ? -ERR_LIMIT : arena_copy(arena, buf_str(&hex), ret);
}

/* Account locked. */
static int create(struct request *request, struct response *response, const struct edit *edit)
{
	bool is_taken;
	str id, json;
	if (object_count(request->server->objects, request->caller.account, "filter") >=
	        FILTERS_MAX)
		return response_fail(response, "ServiceQuotaExceededException",
		        "An account has at most %u filters.", FILTERS_MAX);
	int r = find_name(request, edit->name, STR(""), &is_taken);
	if (r == 0 && is_taken)
		return response_fail(response, "BadRequestException",
		        "A filter of this name exists already; take another name, or update it.");
	if (r == 0)
		r = new_id(request->arena, &id);
	if (r == 0)
		r = write_filter(edit, request->arena, &json);
	if (r == 0)
		r = put_filter(request, response, id, json, true, "CreateFilter");
	return r == 0 ? answer_arn(request, response, id) : r;
}

static struct edit read_edit(const struct request *request, const struct value *old)
{
	return (struct edit){
		.old = old,
		.criteria = value_get(request->in, STR("filterCriteria")),
		.tags = value_get(request->in, STR("tags")),
		.name = value_get_str(request->in, STR("name")),
		.action = value_get_str(request->in, STR("action")),
		.description = value_get_str(request->in, STR("description")),
		.reason = value_get_str(request->in, STR("reason")),
		.now_at = request->now_at,
	};
}

int api_create_filter(struct request *request, struct response *response)
{
	struct edit edit = read_edit(request, NULL);
	int r = check_criteria(request, response, edit.criteria);
	if (r == 0)
		r = may_suppress(request, response, edit.action);
	if (r == 0 && value_count(edit.tags) > TAGS_MAX)
		r = response_invalid(response, "tags", "At most %u tags.", TAGS_MAX);
	if (r < 0)
		return r;
	account_lock(request->server, request->caller.account);
	r = create(request, response, &edit);
	account_unlock(request->server, request->caller.account);
	return r;
}

/* Find one of the caller's own; the same answer for one that is not there and one that is
 * another's. */
static int get_own(struct request *request, struct response *response, str arn, str *ret_id,
        const struct value **ret)
{
	int64_t account;
	int r = -ENOENT;
	if (filter_arn_parse(arn, &account, ret_id) && account == request->caller.account)
		r = object_get(
		        request->server->objects, account, "filter", *ret_id, request->arena, ret);
	if (r == -ENOENT)
		return response_fail(response, "ResourceNotFoundException",
		        "There is no such filter in this account.");
	return r;
}

/* Account locked. */
static int update(struct request *request, struct response *response, str arn)
{
	const struct value *old;
	bool is_taken = false;
	str id, json;
	int r = get_own(request, response, arn, &id, &old);
	if (r < 0)
		return r;
	struct edit edit = read_edit(request, old);
	r = may_suppress(
	        request, response, edit.action.p ? edit.action : value_get_str(old, STR("action")));
	if (r == 0 && edit.name.p)
		r = find_name(request, edit.name, id, &is_taken);
	if (r == 0 && is_taken)
		return response_invalid(response, "name", "Another filter has this name.");
	if (r == 0)
		r = write_filter(&edit, request->arena, &json);
	if (r == 0)
		r = put_filter(request, response, id, json, false, "UpdateFilter");
	return r == 0 ? answer_arn(request, response, id) : r;
}

int api_update_filter(struct request *request, struct response *response)
{
	int r = check_criteria(request, response, value_get(request->in, STR("filterCriteria")));
	if (r < 0)
		return r;
	account_lock(request->server, request->caller.account);
	r = update(request, response, value_get_str(request->in, STR("filterArn")));
	account_unlock(request->server, request->caller.account);
	return r;
}

int api_delete_filter(struct request *request, struct response *response)
{
	const struct value *old;
	str id;
	account_lock(request->server, request->caller.account);
	int r = get_own(request, response, value_get_str(request->in, STR("arn")), &id, &old);
	if (r == 0)
		r = put_filter(request, response, id, (str){ NULL, 0 }, false, "DeleteFilter");
	account_unlock(request->server, request->caller.account);
	return r == 0 ? answer_arn(request, response, id) : r;
}

/* ---- list ---- */

static bool is_wanted(const struct request *request, str id, const struct value *filter)
{
	const struct value *arns = value_get(request->in, STR("arns"));
	str action = value_get_str(request->in, STR("action"));
	if (action.n > 0 && !str_eq(value_get_str(filter, STR("action")), action))
		return false;
	for (size_t i = 0; i < value_count(arns); i++) {
		int64_t account;
		str wanted;
		if (filter_arn_parse(value_str(value_at(arns, i)), &account, &wanted) &&
		        account == request->caller.account && str_eq(wanted, id))
			return true;
	}
	return value_count(arns) == 0;
}

static int show(struct request *request, struct json_writer *w, const struct object *filter)
{
	static const char *const texts[] = { "name", "action", "description", "reason" };
	struct account_text owner = account_text(filter->account);
	const struct value *tags = value_get(filter->value, STR("tags"));
	str arn;
	int r = filter_arn(request, filter->account, filter->name, &arn);
	if (r < 0)
		return r;
	json_write_object(w);
	write_text(w, "arn", arn);
	write_text(w, "ownerId", str_from_c(owner.text));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		write_text(w, texts[i], value_get_str(filter->value, str_from_c(texts[i])));
	write_time(w, "createdAt", value_get_i64(filter->value, STR("createdAt"), 0));
	write_time(w, "updatedAt", value_get_i64(filter->value, STR("updatedAt"), 0));
	json_write_key(w, "criteria");
	value_write_json(value_get(filter->value, STR("criteria")), w);
	if (tags) {
		json_write_key(w, "tags");
		value_write_json(tags, w);
	}
	json_write_object_end(w);
	return 0;
}

int api_list_filters(struct request *request, struct response *response)
{
	const struct object *filters;
	size_t n, n_wanted = 0, from, to;
	str token;
	int64_t most = value_get_i64(request->in, STR("maxResults"), PAGE_MAX);
	int r = object_list(request->server->objects, request->caller.account, "filter", STR(""),
	        STR(""), 0, request->arena, &filters, &n);
	struct object *wanted = r == 0 ? arena_alloc(request->arena, n + 1, sizeof(*wanted)) : NULL;
	if (!wanted)
		return r < 0 ? r : -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		if (is_wanted(request, filters[i].name, filters[i].value))
			wanted[n_wanted++] = filters[i];
	}
	r = token_slice(request, STR("nextToken"), n_wanted, (size_t)most, &from, &to, &token);
	if (r == -ERR_FORMAT)
		return response_invalid(
		        response, "nextToken", "The token is not one that this request gave.");
	json_write_key(&response->json, "filters");
	json_write_array(&response->json);
	for (size_t i = from; r == 0 && i < to; i++)
		r = show(request, &response->json, &wanted[i]);
	json_write_array_end(&response->json);
	if (r == 0)
		write_text(&response->json, "nextToken", token);
	return r;
}

/* ---- tags ---- */

static bool is_removed(const struct value *keys, str key)
{
	for (size_t i = 0; i < value_count(keys); i++) {
		if (str_eq(value_str(value_at(keys, i)), key))
			return true;
	}
	return false;
}

/* The tags behind a change: what is removed goes, what is added replaces. */
static int merge_tags(struct arena *arena, const struct value *old, const struct value *added,
        const struct value *removed, struct value *ret)
{
	size_t n = 0, most = value_count(old) + value_count(added);
	struct value_member *merged = arena_alloc(arena, most + 1, sizeof(*merged));
	if (!merged)
		return -ERR_LIMIT;
	for (size_t i = 0; i < value_count(old); i++) {
		str key = value_key_at(old, i);
		if (!value_get(added, key) && !is_removed(removed, key))
			merged[n++] =
			        (struct value_member){ .key = key, .value = *value_at(old, i) };
	}
	for (size_t i = 0; i < value_count(added); i++)
		merged[n++] = (struct value_member){ .key = value_key_at(added, i),
			.value = *value_at(added, i) };
	return value_of_members(arena, merged, n, ret);
}

/* Account locked. */
static int change_tags(struct request *request, struct response *response, const char *what)
{
	const struct value *old;
	struct value tags;
	str id, json;
	int r = get_own(
	        request, response, value_get_str(request->in, STR("resourceArn")), &id, &old);
	if (r < 0)
		return r;
	r = merge_tags(request->arena, value_get(old, STR("tags")),
	        value_get(request->in, STR("tags")), value_get(request->in, STR("tagKeys")), &tags);
	if (r < 0)
		return r;
	if (value_count(&tags) > TAGS_MAX)
		return response_fail(response, "BadRequestException",
		        "A resource has at most %u tags.", TAGS_MAX);
	struct edit edit = { .old = old,
		.tags = &tags,
		.now_at = value_get_i64(old, STR("updatedAt"), request->now_at) };
	r = write_filter(&edit, request->arena, &json);
	return r == 0 ? put_filter(request, response, id, json, false, what) : r;
}

int api_tag_resource(struct request *request, struct response *response)
{
	account_lock(request->server, request->caller.account);
	int r = change_tags(request, response, "TagResource");
	account_unlock(request->server, request->caller.account);
	return r;
}

int api_untag_resource(struct request *request, struct response *response)
{
	account_lock(request->server, request->caller.account);
	int r = change_tags(request, response, "UntagResource");
	account_unlock(request->server, request->caller.account);
	return r;
}

int api_list_tags_for_resource(struct request *request, struct response *response)
{
	const struct value *filter;
	str id;
	int r = get_own(
	        request, response, value_get_str(request->in, STR("resourceArn")), &id, &filter);
	if (r < 0)
		return r;
	const struct value *tags = value_get(filter, STR("tags"));
	if (tags) {
		json_write_key(&response->json, "tags");
		value_write_json(tags, &response->json);
	}
	return 0;
}
