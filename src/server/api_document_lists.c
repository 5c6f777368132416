/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of documents and of their versions, and with whom they are shared.
 */
#include "base/cleanup.h"
#include "server/api.h"
#include "server/document.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* ---- ListDocuments ---- */

static bool has_platform(const struct document_info *info, str platform)
{
	for (size_t i = 0; i < info->n_platforms; i++) {
		if (str_eq_nocase(str_from_c(info->platforms[i]), platform))
			return true;
	}
	return false;
}

static bool has_owner(const struct document *document, const struct request *request, str owner)
{
	bool is_own = document->account == request->caller.account;
	if (str_eq(owner, STR("Self")) || str_eq(owner, STR("self")))
		return is_own;
	if (str_eq(owner, STR("Private")))
		return is_own && value_count(document->shares) == 0;
	if (str_eq(owner, STR("Public")) || str_eq(owner, STR("ThirdParty")))
		return false;
	return str_eq(document->owner, owner);
}

/* One condition, of either kind of filter. False for a key that is unknown. */
static bool fits_key(const struct request *request, const struct document *document,
        const struct document_info *info, str key, str value, bool *ret)
{
	str tag = str_skip(key, 4);
	if (str_eq(key, STR("Name")))
		*ret = str_has_prefix(document->name, value);
	else if (str_eq(key, STR("Owner")))
		*ret = has_owner(document, request, value);
	else if (str_eq(key, STR("PlatformTypes")))
		*ret = has_platform(info, value);
	else if (str_eq(key, STR("DocumentType")))
		*ret = str_eq(document->type, value);
	else if (str_eq(key, STR("TargetType")))
		*ret = str_eq(document->target_type, value);
	else if (str_eq(key, STR("SearchKeyword")))
		*ret = memmem(document->name.p, document->name.n, value.p, value.n) != NULL;
	else if (str_has_prefix(key, STR("tag:"))) {
		*ret = false;
		for (size_t i = 0; i < value_count(document->tags); i++) {
			const struct value *t = value_at(document->tags, i);
			*ret = *ret || (str_eq(value_get_str(t, STR("Key")), tag) &&
			                       str_eq(value_get_str(t, STR("Value")), value));
		}
	} else
		return false;
	return true;
}

/* Returns: 1 it fits; 0 not; < 0 as response_fail(). */
static int fits(const struct request *request, struct response *response,
        const struct document *document, const struct document_info *info)
{
	const struct value *old = value_get(request->in, STR("DocumentFilterList"));
	const struct value *filters = value_get(request->in, STR("Filters"));

	for (size_t i = 0; i < value_count(old); i++) {
		const struct value *f = value_at(old, i);
		bool is_fit = false;
		if (!fits_key(request, document, info, value_get_str(f, STR("key")),
		            value_get_str(f, STR("value")), &is_fit) ||
		        !is_fit)
			return 0;
	}
	for (size_t i = 0; i < value_count(filters); i++) {
		const struct value *f = value_at(filters, i);
		const struct value *values = value_get(f, STR("Values"));
		str key = value_get_str(f, STR("Key"));
		bool is_any = false, is_fit = false;
		for (size_t k = 0; k < value_count(values); k++) {
			if (!fits_key(request, document, info, key, value_str(value_at(values, k)),
			            &is_fit))
				return response_fail(response, "InvalidFilterKey",
				        "Documents cannot be filtered by " STR_FMT ".",
				        STR_ARG(str_head(key, 64)));
			is_any = is_any || is_fit;
		}
		if (!is_any)
			return 0;
	}
	return 1;
}

static void write_identifier(
        struct json_writer *w, const struct document *d, const struct document_info *info)
{
	char version[24];
	(void)snprintf(version, sizeof version, "%lld", (long long)d->version);
	json_write_object(w);
	json_write_member_str(w, "Name", d->name);
	write_time(w, "CreatedDate", d->created_at);
	write_text(w, "DisplayName", d->display_name);
	json_write_member_str(w, "Owner", d->owner);
	write_text(w, "VersionName", d->version_name);
	json_write_key(w, "PlatformTypes");
	json_write_array(w);
	for (size_t i = 0; i < info->n_platforms; i++)
		json_write_str(w, str_from_c(info->platforms[i]));
	json_write_array_end(w);
	json_write_member_str(w, "DocumentVersion", str_from_c(version));
	json_write_member_str(w, "DocumentType", d->type);
	write_text(w, "SchemaVersion", info->schema);
	json_write_member_str(w, "DocumentFormat", d->format);
	write_text(w, "TargetType", d->target_type);
	write_value(w, "Tags", d->tags);
	write_value(w, "Requires", d->requires);
	json_write_object_end(w);
}

int api_document_list(struct request *request, struct response *response)
{
	struct document *all = NULL;
	size_t n = 0, kept = 0;
	struct list_page page;

	int r = document_list(request->server, request->caller.account, request->arena, &all, &n);
	if (r < 0)
		return r;
	struct document_info *infos = arena_alloc(request->arena, n + 1, sizeof *infos);
	if (!infos)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		r = document_info(&all[i], request->arena, &infos[kept], NULL);
		if (r == 0)
			r = fits(request, response, &all[i], &infos[kept]);
		if (r < 0)
			return r;
		if (r > 0)
			all[kept++] = all[i];
	}
	r = page_begin(request, response, "DocumentIdentifiers", kept, 50, &page);
	if (r < 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		write_identifier(&response->json, &all[i], &infos[i]);
	return page_end(response, &page, 0);
}

/* ---- ListDocumentVersions ---- */

static void write_version(struct json_writer *w, const struct document *d)
{
	char version[24];
	(void)snprintf(version, sizeof version, "%lld", (long long)d->version);
	json_write_object(w);
	json_write_member_str(w, "Name", d->name);
	write_text(w, "DisplayName", d->display_name);
	json_write_member_str(w, "DocumentVersion", str_from_c(version));
	write_text(w, "VersionName", d->version_name);
	write_time(w, "CreatedDate", d->version_at);
	write_flag(w, "IsDefaultVersion", d->version == d->standard);
	json_write_member_str(w, "DocumentFormat", d->format);
	json_write_member_str(w, "Status", STR("Active"));
	json_write_object_end(w);
}

int api_document_versions(struct request *request, struct response *response)
{
	str name = value_get_str(request->in, STR("Name"));
	struct list_page page;
	struct document *all = NULL;
	size_t n = 0;

	int r = document_versions(
	        request->server, request->caller.account, name, request->arena, &all, &n);
	if (r == -ENOENT)
		return response_fail(response, "InvalidDocument",
		        "There is no document " STR_FMT " that this account can use.",
		        STR_ARG(str_head(name, 200)));
	if (r == 0)
		r = page_begin(request, response, "DocumentVersions", n, 50, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		write_version(&response->json, &all[i]);
	return page_end(response, &page, 0);
}

/* ---- sharing ---- */

static int find_own(struct request *request, struct response *response, struct document *ret)
{
	str name = value_get_str(request->in, STR("Name"));
	int r = document_find(request->server, request->caller.account, name, STR("$LATEST"), none,
	        request->arena, ret);
	if (r == 0 && ret->is_builtin)
		return response_fail(response, "InvalidDocumentOperation",
		        "Document " STR_FMT " is built in: every account has it.",
		        STR_ARG(str_head(name, 200)));
	if (r == -ENOENT || r == -ESRCH || (r == 0 && ret->account != request->caller.account))
		return response_fail(response, "InvalidDocument",
		        "This account owns no document " STR_FMT ".", STR_ARG(str_head(name, 200)));
	return r;
}

int api_document_permission_describe(struct request *request, struct response *response)
{
	struct document document = { 0 };
	struct list_page page;

	int r = find_own(request, response, &document);
	if (r == 0)
		r = page_begin(
		        request, response, "AccountIds", value_count(document.shares), 20, &page);
	if (r != 0)
		return r;
	for (size_t i = page.from; i < page.to; i++)
		json_write_str(&response->json,
		        value_get_str(value_at(document.shares, i), STR("AccountId")));
	(void)page_end(response, &page, 0);
	json_write_key(&response->json, "AccountSharingInfoList");
	json_write_array(&response->json);
	for (size_t i = page.from; i < page.to; i++)
		value_write_json(value_at(document.shares, i), &response->json);
	json_write_array_end(&response->json);
	return 0;
}

static void write_share(struct json_writer *w, str account, str version)
{
	json_write_object(w);
	json_write_member_str(w, "AccountId", account);
	json_write_member_str(w, "SharedDocumentVersion", version);
	json_write_object_end(w);
}

/* The present shares without those that are removed or given anew, and the new ones. */
static size_t write_shares(
        const struct request *request, const struct document *document, struct json_writer *w)
{
	const struct value *add = value_get(request->in, STR("AccountIdsToAdd"));
	const struct value *remove = value_get(request->in, STR("AccountIdsToRemove"));
	str version = value_get_str(request->in, STR("SharedDocumentVersion"));
	size_t n = 0;

	json_write_key(w, "Items");
	json_write_array(w);
	for (size_t i = 0; i < value_count(document->shares); i++) {
		const struct value *share = value_at(document->shares, i);
		str id = value_get_str(share, STR("AccountId"));
		if (value_has_str(add, id) || value_has_str(remove, id))
			continue;
		write_share(w, id, value_get_str(share, STR("SharedDocumentVersion")));
		n++;
	}
	for (size_t i = 0; i < value_count(add); i++) {
		str id = value_str(value_at(add, i));
		if (value_has_str(remove, id))
			continue;
		write_share(w, id, version.n > 0 ? version : STR("$DEFAULT"));
		n++;
	}
	json_write_array_end(w);
	return n;
}

static int modify(struct request *request, struct response *response)
{
	struct document document = { 0 };
	struct object_change change;
	const struct value *made = NULL;
	autodraft draft = { 0 };
	str text;

	int r = find_own(request, response, &document);
	if (r < 0)
		return r;
	draft_begin(&draft);
	if (write_shares(request, &document, &draft.json) > DOCUMENT_SHARES_MAX)
		return response_fail(response, "DocumentPermissionLimit",
		        "A document is shared with at most %d accounts.", DOCUMENT_SHARES_MAX);
	r = draft_end(&draft, request->arena, &text);
	if (r == 0)
		r = value_from_json(text, request->arena, &made, NULL);
	if (r < 0)
		return r;
	document.shares = value_get(made, STR("Items"));
	r = document_change(&document, request->arena, &change);
	if (r == 0)
		r = request_commit(request, &change, 1, "ModifyDocumentPermission", document.name);
	return r;
}

int api_document_permission_modify(struct request *request, struct response *response)
{
	account_lock(request->server, request->caller.account);
	int r = modify(request, response);
	account_unlock(request->server, request->caller.account);
	return r;
}
