/* SPDX-License-Identifier: Apache-2.0 */
#include "server/document.h"

#include <inttypes.h>

#include "base/cleanup.h"
#include "ssm/builtin_documents.h"
#include "server/package.h"
#include "server/ssm.h"

/* When the built-in documents were last changed: 2026-01-01. */
#define BUILTIN_AT INT64_C(1767225600)

str document_name(str name_or_arn)
{
	str head, tail;
	if (str_has_prefix(name_or_arn, STR("arn:")) &&
	        str_split_first(name_or_arn, '/', &head, &tail))
		return tail;
	return name_or_arn;
}

/* "arn:aws:ssm:<region>:<account>:document/<name>": the account, or 0. */
static int64_t account_of_arn(str arn)
{
	int64_t account = 0;
	str part = { NULL, 0 };
	for (int i = 0; i < 5; i++) {
		if (!str_split_first(arn, ':', &part, &arn))
			return 0;
	}
	return account_parse(part, &account) ? account : 0;
}

int document_version_name(str name, int64_t version, struct arena *arena, str *ret)
{
	return arena_printf(arena, ret, STR_FMT "/%010" PRId64, STR_ARG(name), version);
}

static void keep_hash(struct document *document)
{
	hash_sha256_hex(document->content, document->hash);
}

static void fill_builtin(const struct builtin_document *builtin, struct document *ret)
{
	*ret = (struct document){ .name = str_from_c(builtin->name),
		.owner = STR("Amazon"),
		.type = STR("Command"),
		.format = STR("JSON"),
		.created_at = BUILTIN_AT,
		.latest = 1,
		.standard = 1,
		.is_builtin = true,
		.version = 1,
		.version_at = BUILTIN_AT,
		.content = str_from_c(builtin->content) };
	keep_hash(ret);
}

/* ---- hosted packages ---- */

/* The files of a manifest as AttachmentContent, each with the address it is fetched from. */
static int write_attachments(const struct server *server, const struct package_version *package,
        const struct value *files, struct json_writer *w, struct arena *arena)
{
	json_write_key(w, "Items");
	json_write_array(w);
	for (size_t i = 0; i < value_count(files); i++) {
		str file = value_key_at(files, i), url;
		const struct value *about = value_at(files, i);
		int r = arena_printf(arena, &url,
		        STR_FMT PACKAGE_PREFIX STR_FMT "/" STR_FMT "/" STR_FMT,
		        STR_ARG(server->public_url), STR_ARG(package->name),
		        STR_ARG(package->version), STR_ARG(file));
		if (r < 0)
			return r;
		json_write_object(w);
		json_write_member_str(w, "Name", file);
		write_value(w, "Size", value_get(about, STR("size")));
		json_write_member_str(w, "Hash",
		        value_get_str(value_get(about, STR("checksums")), STR("sha256")));
		json_write_member_str(w, "HashType", STR("Sha256"));
		json_write_member_str(w, "Url", url);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	return 0;
}

static int attachments_of(const struct server *server, const struct package_version *package,
        struct arena *arena, const struct value **ret)
{
	const struct value *manifest = NULL, *made = NULL;
	autodraft draft = { 0 };
	str text;

	int r = value_from_json(package->manifest, arena, &manifest, NULL);
	if (r < 0)
		return r;
	draft_begin(&draft);
	r = write_attachments(
	        server, package, value_get(manifest, STR("files")), &draft.json, arena);
	if (r == 0)
		r = draft_end(&draft, arena, &text);
	if (r == 0)
		r = value_from_json(text, arena, &made, NULL);
	if (r == 0)
		*ret = value_get(made, STR("Items"));
	return r;
}

static int fill_package(const struct server *server, const struct package_version *all, size_t n,
        size_t i, struct arena *arena, struct document *ret)
{
	*ret = (struct document){ .name = all[i].name,
		.owner = STR("Amazon"),
		.type = STR("Package"),
		.format = STR("JSON"),
		.created_at = all[0].made_at,
		.latest = (int64_t)n,
		.standard = (int64_t)n,
		.is_builtin = true,
		.version = (int64_t)i + 1,
		.version_at = all[i].made_at,
		.version_name = all[i].version,
		.content = all[i].manifest };
	keep_hash(ret);
	return attachments_of(server, &all[i], arena, &ret->attachments);
}

/* ---- stored ones ---- */

static void fill_document(const struct value *v, struct document *ret)
{
	ret->type = value_get_str(v, STR("Type"));
	ret->target_type = value_get_str(v, STR("TargetType"));
	ret->created_at = value_get_i64(v, STR("Created"), 0);
	ret->latest = value_get_i64(v, STR("Latest"), 1);
	ret->standard = value_get_i64(v, STR("Default"), 1);
	ret->tags = value_get(v, STR("Tags"));
	ret->shares = value_get(v, STR("Shares"));
}

static void fill_version(const struct value *v, struct document *ret)
{
	ret->version = value_get_i64(v, STR("Version"), 0);
	ret->version_at = value_get_i64(v, STR("Created"), 0);
	ret->version_name = value_get_str(v, STR("VersionName"));
	ret->display_name = value_get_str(v, STR("DisplayName"));
	ret->format = value_get_str(v, STR("Format"));
	ret->content = value_get_str(v, STR("Content"));
	ret->requires = value_get(v, STR("Requires"));
	ret->attachments = value_get(v, STR("Attachments"));
	keep_hash(ret);
}

static int read_document(
        struct server *server, int64_t account, str name, struct arena *arena, struct document *ret)
{
	const struct value *v = NULL;
	int r = object_get(server->objects, account, "document", name, arena, &v);
	if (r < 0)
		return r;
	*ret = (struct document){ .account = account };
	r = arena_copy(arena, name, &ret->name);
	if (r == 0)
		r = account_str(account, arena, &ret->owner);
	if (r == 0)
		fill_document(v, ret);
	return r;
}

int document_change(const struct document *document, struct arena *arena, struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	write_text(&draft.json, "Type", document->type);
	write_text(&draft.json, "TargetType", document->target_type);
	write_number(&draft.json, "Created", document->created_at);
	write_number(&draft.json, "Latest", document->latest);
	write_number(&draft.json, "Default", document->standard);
	write_value(&draft.json, "Tags", document->tags);
	write_value(&draft.json, "Shares", document->shares);
	*ret = (struct object_change){
		.account = document->account, .type = "document", .name = document->name
	};
	return draft_end(&draft, arena, &ret->json);
}

int document_version_change(
        const struct document *document, struct arena *arena, struct object_change *ret)
{
	autodraft draft = { 0 };
	draft_begin(&draft);
	write_number(&draft.json, "Version", document->version);
	write_number(&draft.json, "Created", document->version_at);
	write_text(&draft.json, "VersionName", document->version_name);
	write_text(&draft.json, "DisplayName", document->display_name);
	write_text(&draft.json, "Format", document->format);
	write_text(&draft.json, "Content", document->content);
	write_value(&draft.json, "Requires", document->requires);
	write_value(&draft.json, "Attachments", document->attachments);
	*ret = (struct object_change){ .account = document->account, .type = "document-version" };
	int r = document_version_name(document->name, document->version, arena, &ret->name);
	return r < 0 ? r : draft_end(&draft, arena, &ret->json);
}

/* ---- versions ---- */

static int versions_of_package(struct server *server, str name, struct arena *arena,
        struct document **ret, size_t *ret_count)
{
	struct package_version *all = NULL;
	size_t n = 0;
	int r = package_versions(server, name, arena, &all, &n, NULL);
	if (r < 0)
		return r;
	if (n == 0)
		return -ENOENT;
	struct document *made = arena_alloc(arena, n, sizeof *made);
	if (!made)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		r = fill_package(server, all, n, n - 1 - i, arena, &made[i]);
		if (r < 0)
			return r;
	}
	*ret = made;
	*ret_count = n;
	return 0;
}

static int versions_of_stored(struct server *server, int64_t account, str name, struct arena *arena,
        struct document **ret, size_t *ret_count)
{
	const struct object *objects = NULL;
	struct document document;
	size_t n = 0;
	str prefix;

	int r = read_document(server, account, name, arena, &document);
	if (r == 0)
		r = arena_printf(arena, &prefix, STR_FMT "/", STR_ARG(name));
	if (r == 0)
		r = object_list(server->objects, account, "document-version", prefix,
		        (str){ NULL, 0 }, 0, arena, &objects, &n);
	if (r < 0)
		return r;
	struct document *made = arena_alloc(arena, n + 1, sizeof *made);
	if (!made)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n; i++) {
		made[i] = document;
		fill_version(objects[n - 1 - i].value, &made[i]);
	}
	*ret = made;
	*ret_count = n;
	return 0;
}

/* Versions that a share lets another account see. */
static size_t keep_shared(int64_t account, struct document *all, size_t n)
{
	char digits[13];
	struct account_text text = account_text(account);
	str scope = { NULL, 0 };
	size_t kept = 0;

	memcpy(digits, text.text, sizeof digits);
	for (size_t i = 0; n > 0 && i < value_count(all[0].shares); i++) {
		const struct value *share = value_at(all[0].shares, i);
		str with = value_get_str(share, STR("AccountId"));
		if (str_eq(with, str_from_c(digits)) || str_eq_nocase(with, STR("all"))) {
			scope = value_get_str(share, STR("SharedDocumentVersion"));
			scope = scope.n > 0 ? scope : STR("$DEFAULT");
			break;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (str_eq(scope, STR("$ALL")) ||
		        (str_eq(scope, STR("$LATEST")) && all[i].version == all[i].latest) ||
		        (str_eq(scope, STR("$DEFAULT")) && all[i].version == all[i].standard))
			all[kept++] = all[i];
	}
	return kept;
}

int document_versions(struct server *server, int64_t account, str name, struct arena *arena,
        struct document **ret, size_t *ret_count)
{
	str plain = document_name(name);
	int64_t owner = str_eq(plain, name) ? 0 : account_of_arn(name);
	const struct builtin_document *builtin =
	        owner == 0 || owner == account ? builtin_document_find(plain) : NULL;

	if (builtin) {
		struct document *one = arena_alloc(arena, 1, sizeof *one);
		if (!one)
			return -ERR_LIMIT;
		fill_builtin(builtin, one);
		*ret = one;
		*ret_count = 1;
		return 0;
	}
	if (owner == 0) {
		int r = versions_of_package(server, plain, arena, ret, ret_count);
		if (r != -ENOENT)
			return r;
	}
	int r = versions_of_stored(server, owner ? owner : account, plain, arena, ret, ret_count);
	if (r == 0 && owner != 0 && owner != account) {
		*ret_count = keep_shared(account, *ret, *ret_count);
		return *ret_count > 0 ? 0 : -ENOENT;
	}
	return r;
}

static bool is_version(const struct document *document, str version, str version_name)
{
	uint64_t n = 0;
	if (version_name.n > 0 && !str_eq(document->version_name, version_name))
		return false;
	if (str_eq(version, STR("$LATEST")))
		return document->version == document->latest;
	if (str_eq(version, STR("$DEFAULT")) || (version.n == 0 && version_name.n == 0))
		return document->version == document->standard;
	if (version.n == 0)
		return true;
	return str_to_u64(version, INT64_MAX, &n) && (int64_t)n == document->version;
}

int document_find(struct server *server, int64_t account, str name, str version, str version_name,
        struct arena *arena, struct document *ret)
{
	struct document *all = NULL;
	size_t n = 0;
	int r = document_versions(server, account, name, arena, &all, &n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		if (is_version(&all[i], version, version_name)) {
			*ret = all[i];
			return 0;
		}
	}
	return -ESRCH;
}

bool document_is_builtin(struct server *server, str name)
{
	struct arena arena = ARENA((size_t)16 << 20);
	struct package_version *all = NULL;
	size_t n = 0;
	if (builtin_document_find(name))
		return true;
	bool is_package = package_versions(server, name, &arena, &all, &n, NULL) == 0 && n > 0;
	arena_fini(&arena);
	return is_package;
}

/* ---- the list ---- */

static int compare_names(const void *a, const void *b)
{
	return str_cmp(((const struct document *)a)->name, ((const struct document *)b)->name);
}

int document_list(struct server *server, int64_t account, struct arena *arena,
        struct document **ret, size_t *ret_count)
{
	const struct object *objects = NULL;
	const str none = { NULL, 0 };
	size_t n_builtin = 0, n_stored = 0, n = 0;
	const struct builtin_document *builtin = builtin_document_all(&n_builtin);

	int r = object_list(
	        server->objects, account, "document", none, none, 0, arena, &objects, &n_stored);
	if (r < 0)
		return r;
	struct document *all = arena_alloc(arena, n_builtin + n_stored + 1, sizeof *all);
	if (!all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < n_builtin; i++)
		fill_builtin(&builtin[i], &all[n++]);
	r = document_find(server, account, STR(PLUGIN_PACKAGE), none, none, arena, &all[n]);
	if (r == 0 && all[n].is_builtin)
		n++;
	else if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < n_stored; i++) {
		r = document_find(server, account, objects[i].name, none, none, arena, &all[n]);
		if (r == -ERR_LIMIT)
			return r;
		n += r == 0;
	}
	qsort(all, n, sizeof *all, compare_names);
	*ret = all;
	*ret_count = n;
	return 0;
}

int document_info(const struct document *document, struct arena *arena, struct document_info *ret,
        struct err *err)
{
	switch (document_check(
	        document->content, document->type, document->format, arena, ret, err)) {
	case DOCUMENT_FINE: return 0;
	case DOCUMENT_SIZE: return -ERR_LIMIT;
	case DOCUMENT_CONTENT:
	case DOCUMENT_SCHEMA: break;
	}
	return -ERR_FORMAT;
}
