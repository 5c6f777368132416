/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "server/api.h"
#include "server/document.h"
#include "server/ssm.h"

static const str none = { NULL, 0 };

/* ---- answers ---- */

static void write_platforms(struct json_writer *w, const struct document_info *info)
{
	json_write_key(w, "PlatformTypes");
	json_write_array(w);
	for (size_t i = 0; i < info->n_platforms; i++)
		json_write_str(w, str_from_c(info->platforms[i]));
	json_write_array_end(w);
}

static void write_parameters(struct json_writer *w, const struct document_info *info)
{
	json_write_key(w, "Parameters");
	json_write_array(w);
	for (size_t i = 0; i < info->n_parameters; i++) {
		const struct document_parameter *p = &info->parameters[i];
		json_write_object(w);
		json_write_member_str(w, "Name", p->name);
		json_write_member_str(w, "Type", p->type);
		write_text(w, "Description", p->description);
		if (value_kind(p->otherwise) == VALUE_STRING) {
			json_write_member_str(w, "DefaultValue", value_str(p->otherwise));
		} else if (p->otherwise) {
			autobuf text = BUF(DOCUMENT_MAX_BYTES);
			struct json_writer inner = JSON_WRITER(&text, false);
			value_write_json(p->otherwise, &inner);
			json_write_member_str(w, "DefaultValue", buf_str(&text));
		}
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_version_text(struct json_writer *w, const char *key, int64_t version)
{
	char text[24];
	(void)snprintf(text, sizeof text, "%lld", (long long)version);
	json_write_member_str(w, key, str_from_c(text));
}

static void write_attachment_names(struct json_writer *w, const struct value *attachments)
{
	if (value_count(attachments) == 0)
		return;
	json_write_key(w, "AttachmentsInformation");
	json_write_array(w);
	for (size_t i = 0; i < value_count(attachments); i++) {
		json_write_object(w);
		json_write_member_str(
		        w, "Name", value_get_str(value_at(attachments, i), STR("Name")));
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_identity(
        struct json_writer *w, const struct document *d, const struct document_info *info)
{
	json_write_member_str(w, "Name", d->name);
	write_text(w, "DisplayName", d->display_name);
	write_text(w, "VersionName", d->version_name);
	json_write_member_str(w, "Owner", d->owner);
	write_time(w, "CreatedDate", d->version_at);
	write_version_text(w, "DocumentVersion", d->version);
	json_write_member_str(w, "DocumentType", d->type);
	write_text(w, "SchemaVersion", info->schema);
	json_write_member_str(w, "DocumentFormat", d->format);
	write_text(w, "TargetType", d->target_type);
	write_value(w, "Tags", d->tags);
	write_value(w, "Requires", d->requires);
	write_platforms(w, info);
}

static void write_description(struct json_writer *w, const char *key, const struct document *d,
        const struct document_info *info)
{
	json_write_key(w, key);
	json_write_object(w);
	write_identity(w, d, info);
	json_write_member_str(w, "Hash", str_from_c(d->hash));
	json_write_member_str(w, "HashType", STR("Sha256"));
	json_write_member_str(w, "Status", STR("Active"));
	write_text(w, "Description", info->description);
	write_parameters(w, info);
	write_version_text(w, "LatestVersion", d->latest);
	write_version_text(w, "DefaultVersion", d->standard);
	write_attachment_names(w, d->attachments);
	json_write_object_end(w);
}

/* ---- finding ---- */

static int fail_find(struct response *response, int r, str name)
{
	if (r == -ENOENT)
		return response_fail(response, "InvalidDocument",
		        "There is no document " STR_FMT " that this account can use.",
		        STR_ARG(str_head(name, 200)));
	if (r == -ESRCH)
		return response_fail(response, "InvalidDocumentVersion",
		        "Document " STR_FMT " has no such version.", STR_ARG(str_head(name, 200)));
	return r;
}

static int find_asked(struct request *request, struct response *response, struct document *ret)
{
	str name = value_get_str(request->in, STR("Name"));
	int r = document_find(request->server, request->caller.account, name,
	        value_get_str(request->in, STR("DocumentVersion")),
	        value_get_str(request->in, STR("VersionName")), request->arena, ret);
	return r < 0 ? fail_find(response, r, name) : 0;
}

/* A document of the account itself, to be changed. Under account_lock(). */
static int find_own(
        struct request *request, struct response *response, str version, struct document *ret)
{
	str name = value_get_str(request->in, STR("Name"));
	if (document_is_builtin(request->server, name))
		return response_fail(response, "InvalidDocumentOperation",
		        "Document " STR_FMT " is built in and cannot be changed.",
		        STR_ARG(str_head(name, 200)));
	int r = document_find(
	        request->server, request->caller.account, name, version, none, request->arena, ret);
	if (r == 0 && ret->account != request->caller.account)
		r = -ENOENT;
	return r < 0 ? fail_find(response, r, name) : 0;
}

/* ---- content ---- */

static int check_content(struct request *request, struct response *response,
        struct document *document, struct document_info *ret_info)
{
	struct err err = { 0 };
	switch (document_check(document->content, document->type, document->format, request->arena,
	        ret_info, &err)) {
	case DOCUMENT_FINE: break;
	case DOCUMENT_CONTENT:
		return response_fail(response, "InvalidDocumentContent", "%s", err.text);
	case DOCUMENT_SCHEMA:
		return response_fail(response, "InvalidDocumentSchemaVersion", "%s", err.text);
	case DOCUMENT_SIZE:
		return response_fail(response, "MaxDocumentSizeExceeded", "%s", err.text);
	}
	hash_sha256_hex(document->content, document->hash);
	return 0;
}

/* Where a file of a package is: below the address that was given, or that address itself. */
static int file_url(struct request *request, const struct value *sources, str file, str *ret)
{
	for (size_t i = 0; i < value_count(sources); i++) {
		const struct value *source = value_at(sources, i);
		str url = value_str(value_at(value_get(source, STR("Values")), 0));
		str name = value_get_str(source, STR("Name"));
		if (!str_has_prefix(url, STR("https://")) && !str_has_prefix(url, STR("http://")))
			continue;
		if (str_eq(value_get_str(source, STR("Key")), STR("SourceUrl"))) {
			while (str_has_suffix(url, STR("/")))
				url.n--;
			return arena_printf(request->arena, ret, STR_FMT "/" STR_FMT, STR_ARG(url),
			        STR_ARG(file));
		}
		if (str_eq(name.n > 0 ? name : str_basename(url), file)) {
			*ret = url;
			return 0;
		}
	}
	return -ENOENT;
}

/* The attachments of a package: its manifest says which files with which digests, the request where
 * they are. They are not fetched: the agents do, and check the digests. */
static int make_attachments(struct request *request, struct response *response,
        const struct document_info *info, struct document *document)
{
	const struct value *sources = value_get(request->in, STR("Attachments"));
	const struct value *files = value_get(info->content, STR("files")), *made = NULL;
	autodraft draft = { 0 };
	str text, url = none;
	int r = 0;

	if (!str_eq(document->type, STR("Package")))
		return 0;
	draft_begin(&draft);
	json_write_key(&draft.json, "Items");
	json_write_array(&draft.json);
	for (size_t i = 0; r == 0 && i < value_count(files); i++) {
		str file = value_key_at(files, i);
		r = file_url(request, sources, file, &url);
		if (r == -ENOENT)
			return response_fail(response, "InvalidDocumentContent",
			        "No attachment with an http or https address provides the "
			        "file " STR_FMT " of the manifest.",
			        STR_ARG(str_head(file, 128)));
		json_write_object(&draft.json);
		json_write_member_str(&draft.json, "Name", file);
		write_value(&draft.json, "Size", value_get(value_at(files, i), STR("size")));
		json_write_member_str(&draft.json, "Hash",
		        value_get_str(
		                value_get(value_at(files, i), STR("checksums")), STR("sha256")));
		json_write_member_str(&draft.json, "HashType", STR("Sha256"));
		json_write_member_str(&draft.json, "Url", url);
		json_write_object_end(&draft.json);
	}
	json_write_array_end(&draft.json);
	if (r == 0)
		r = draft_end(&draft, request->arena, &text);
	if (r == 0)
		r = value_from_json(text, request->arena, &made, NULL);
	if (r == 0)
		document->attachments = value_get(made, STR("Items"));
	return r;
}

/* What CreateDocument and UpdateDocument take alike. */
static int read_version(struct request *request, struct response *response,
        struct document *document, struct document_info *ret_info)
{
	str format = value_get_str(request->in, STR("DocumentFormat"));
	document->format = format.n > 0 ? format : STR("JSON");
	document->content = value_get_str(request->in, STR("Content"));
	document->version_name = value_get_str(request->in, STR("VersionName"));
	document->display_name = value_get_str(request->in, STR("DisplayName"));
	document->requires = value_get(request->in, STR("Requires"));
	document->attachments = NULL;
	document->version_at = request->now_at;
	int r = check_content(request, response, document, ret_info);
	return r < 0 ? r : make_attachments(request, response, ret_info, document);
}

static bool is_reserved(str name)
{
	static const str prefixes[] = { STR("aws-"), STR("amazon"), STR("amzn") };
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		if (str_eq_nocase(str_head(name, prefixes[i].n), prefixes[i]))
			return true;
	}
	return false;
}

static int create(struct request *request, struct response *response)
{
	struct document document = { .account = request->caller.account,
		.name = value_get_str(request->in, STR("Name")),
		.type = value_get_str(request->in, STR("DocumentType")),
		.target_type = value_get_str(request->in, STR("TargetType")),
		.tags = value_get(request->in, STR("Tags")),
		.created_at = request->now_at,
		.latest = 1,
		.standard = 1,
		.version = 1 };
	struct document_info info = { 0 };
	struct object_change changes[2];

	if (document.type.n == 0)
		document.type = STR("Command");
	if (is_reserved(document.name))
		return response_fail(response, "ValidationException",
		        "The name of a document does not begin with aws-, amazon or amzn.");
	if (object_count(request->server->objects, document.account, "document") >= DOCUMENTS_MAX)
		return response_fail(response, "DocumentLimitExceeded",
		        "An account has at most %d documents.", DOCUMENTS_MAX);
	int r = account_str(document.account, request->arena, &document.owner);
	if (r == 0)
		r = read_version(request, response, &document, &info);
	if (r == 0)
		r = document_change(&document, request->arena, &changes[0]);
	if (r == 0)
		r = document_version_change(&document, request->arena, &changes[1]);
	if (r < 0)
		return r;
	changes[0].is_new = true;
	r = request_commit(request, changes, 2, "CreateDocument", document.name);
	if (r == -EEXIST)
		return response_fail(response, "DocumentAlreadyExists",
		        "There is a document " STR_FMT " already.", STR_ARG(document.name));
	if (r == 0)
		write_description(&response->json, "DocumentDescription", &document, &info);
	return r;
}

int api_document_create(struct request *request, struct response *response)
{
	account_lock(request->server, request->caller.account);
	int r = create(request, response);
	account_unlock(request->server, request->caller.account);
	return r;
}

/* No other version has this content, or this name. */
static int check_unique(
        struct request *request, struct response *response, const struct document *document)
{
	struct document *all = NULL;
	size_t n = 0;
	int r = document_versions(
	        request->server, request->caller.account, document->name, request->arena, &all, &n);
	if (r < 0)
		return r;
	if (n >= DOCUMENT_VERSIONS_MAX)
		return response_fail(response, "DocumentVersionLimitExceeded",
		        "A document has at most %d versions.", DOCUMENT_VERSIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (all[i].version == all[i].latest && str_eq(all[i].content, document->content))
			return response_fail(response, "DuplicateDocumentContent",
			        "The content is that of the latest version.");
		if (document->version_name.n > 0 &&
		        str_eq(all[i].version_name, document->version_name))
			return response_fail(response, "DuplicateDocumentVersionName",
			        "Another version has this VersionName.");
	}
	return 0;
}

static int update(struct request *request, struct response *response)
{
	struct document document = { 0 };
	struct document_info info = { 0 };
	struct object_change changes[2];
	str base = value_get_str(request->in, STR("DocumentVersion"));

	/* Only the latest version can be the base of a new one; the default without a word. */
	int r = find_own(request, response, STR("$LATEST"), &document);
	if (r < 0)
		return r;
	if (base.n > 0 && !str_eq(base, STR("$LATEST"))) {
		struct document based = { 0 };
		r = find_own(request, response, base, &based);
		if (r < 0)
			return r;
		if (based.version != document.latest)
			return response_fail(response, "InvalidDocumentVersion",
			        "Only the latest version of a document can be updated.");
	}
	r = read_version(request, response, &document, &info);
	if (r == 0)
		r = check_unique(request, response, &document);
	if (r < 0)
		return r;
	document.version = ++document.latest;
	r = document_change(&document, request->arena, &changes[0]);
	if (r == 0)
		r = document_version_change(&document, request->arena, &changes[1]);
	if (r == 0)
		r = request_commit(request, changes, 2, "UpdateDocument", document.name);
	if (r == 0)
		write_description(&response->json, "DocumentDescription", &document, &info);
	return r;
}

int api_document_update(struct request *request, struct response *response)
{
	account_lock(request->server, request->caller.account);
	int r = update(request, response);
	account_unlock(request->server, request->caller.account);
	return r;
}

static int update_default(struct request *request, struct response *response)
{
	struct document document = { 0 };
	struct object_change change;
	int r = find_own(
	        request, response, value_get_str(request->in, STR("DocumentVersion")), &document);
	if (r < 0)
		return r;
	document.standard = document.version;
	r = document_change(&document, request->arena, &change);
	if (r == 0)
		r = request_commit(
		        request, &change, 1, "UpdateDocumentDefaultVersion", document.name);
	if (r < 0)
		return r;
	json_write_key(&response->json, "Description");
	json_write_object(&response->json);
	json_write_member_str(&response->json, "Name", document.name);
	write_version_text(&response->json, "DefaultVersion", document.standard);
	write_text(&response->json, "DefaultVersionName", document.version_name);
	json_write_object_end(&response->json);
	return 0;
}

int api_document_update_default(struct request *request, struct response *response)
{
	account_lock(request->server, request->caller.account);
	int r = update_default(request, response);
	account_unlock(request->server, request->caller.account);
	return r;
}

/* ---- deleting ---- */

static int check_unused(struct request *request, struct response *response, str name)
{
	const struct object *objects = NULL;
	size_t n = 0;
	int r = object_list(request->server->objects, request->caller.account, "association", none,
	        none, 0, request->arena, &objects, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct value *spec = value_get(objects[i].value, STR("Spec"));
		if (str_eq(document_name(value_get_str(spec, STR("Name"))), name))
			return response_fail(response, "AssociatedInstances",
			        "Association " STR_FMT " uses the document: delete it first.",
			        STR_ARG(objects[i].name));
	}
	return r;
}

/* Versions in pieces of what one change may hold; the document itself with the last piece. */
static int delete_all(struct request *request, const struct document *all, size_t n)
{
	struct object_change changes[501];
	int r = 0;
	for (size_t from = 0; r == 0 && from < n; from += 500) {
		size_t count = 0;
		for (size_t i = from; r == 0 && i < n && i < from + 500; i++, count++) {
			changes[count] = (struct object_change){ .account = all[i].account,
				.type = "document-version" };
			r = document_version_name(
			        all[i].name, all[i].version, request->arena, &changes[count].name);
		}
		if (from + 500 >= n)
			changes[count++] = (struct object_change){
				.account = all[0].account, .type = "document", .name = all[0].name
			};
		if (r == 0)
			r = request_commit(request, changes, count, "DeleteDocument", all[0].name);
	}
	return r;
}

static int delete_one(
        struct request *request, struct response *response, const struct document *document)
{
	struct object_change change = { .account = document->account, .type = "document-version" };
	if (document->version == document->standard)
		return response_fail(response, "InvalidDocumentOperation",
		        "The default version of a document cannot be deleted.");
	if (document->version == document->latest)
		return response_fail(response, "InvalidDocumentOperation",
		        "The latest version of a document cannot be deleted alone.");
	int r = document_version_name(
	        document->name, document->version, request->arena, &change.name);
	return r < 0 ? r : request_commit(request, &change, 1, "DeleteDocument", document->name);
}

static int delete_document(struct request *request, struct response *response)
{
	str version = value_get_str(request->in, STR("DocumentVersion"));
	str version_name = value_get_str(request->in, STR("VersionName"));
	struct document document = { 0 }, *all = NULL;
	size_t n = 0;

	int r = find_own(request, response, none, &document);
	if (r == 0 && (version.n > 0 || version_name.n > 0)) {
		r = find_asked(request, response, &document);
		return r < 0 ? r : delete_one(request, response, &document);
	}
	if (r == 0)
		r = check_unused(request, response, document.name);
	if (r == 0 && value_count(document.shares) > 0)
		return response_fail(response, "InvalidDocumentOperation",
		        "The document is shared: stop sharing it first.");
	if (r == 0)
		r = document_versions(request->server, request->caller.account, document.name,
		        request->arena, &all, &n);
	return r < 0 ? r : delete_all(request, all, n);
}

int api_document_delete(struct request *request, struct response *response)
{
	account_lock(request->server, request->caller.account);
	int r = delete_document(request, response);
	account_unlock(request->server, request->caller.account);
	return r;
}

/* ---- reading ---- */

int api_document_describe(struct request *request, struct response *response)
{
	struct document document = { 0 };
	struct document_info info = { 0 };
	int r = find_asked(request, response, &document);
	if (r == 0)
		r = document_info(&document, request->arena, &info, NULL);
	if (r == 0)
		write_description(&response->json, "Document", &document, &info);
	return r;
}

int api_document_get(struct request *request, struct response *response)
{
	struct document document = { 0 };
	struct json_writer *w = &response->json;
	str format = value_get_str(request->in, STR("DocumentFormat"));

	int r = find_asked(request, response, &document);
	if (r < 0)
		return r;
	if (str_eq(format, STR("YAML")))
		return response_fail(response, "ValidationException",
		        "This server keeps documents in JSON and does not translate them to YAML.");
	json_write_member_str(w, "Name", document.name);
	write_time(w, "CreatedDate", document.version_at);
	write_text(w, "DisplayName", document.display_name);
	write_text(w, "VersionName", document.version_name);
	write_version_text(w, "DocumentVersion", document.version);
	json_write_member_str(w, "Status", STR("Active"));
	json_write_member_str(w, "Content", document.content);
	json_write_member_str(w, "DocumentType", document.type);
	json_write_member_str(w, "DocumentFormat", document.format);
	write_value(w, "Requires", document.requires);
	write_value(w, "AttachmentsContent", document.attachments);
	return 0;
}
