/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * document: what agents are told to do, in versions. Built-in documents and hosted packages come
 * first by name; then the account's own; then, by ARN, what other accounts share.
 *
 * Objects, by type and name:
 *   document          "<name>"                       type, versions, tags, whom it is shared with
 *   document-version  "<name>/<version, 10 digits>"  content
 */

#include "base/hash.h"
#include "ssm/document_check.h"
#include "server/server.h"

/** Most documents of an account, versions of one, and accounts that one is shared with. */
#define DOCUMENTS_MAX 500
#define DOCUMENT_VERSIONS_MAX 1000
#define DOCUMENT_SHARES_MAX 1000

/** One version of a document. Strings live in the arena, or are static. */
struct document {
	int64_t account; /* owner; 0 for built-in ones */
	str name, owner; /* "Amazon", or twelve digits */
	str type, format, target_type, display_name;
	int64_t created_at;       /* of the document */
	int64_t latest, standard; /* versions: the newest, and $DEFAULT */
	bool is_builtin;
	const struct value *tags;   /* a list of {Key, Value}, or NULL */
	const struct value *shares; /* a list of {AccountId, SharedDocumentVersion}, or NULL */
	/* The version. */
	int64_t version;
	int64_t version_at;
	str version_name, content;
	char hash[SHA256_HEX_SIZE];
	const struct value *requires;    /* a list, or NULL */
	const struct value *attachments; /* a list of AttachmentContent, or NULL */
};

/**
 * Find a version of a document.
 *
 * In:      name     a name, or an ARN
 *          version  "$DEFAULT", "$LATEST", a number, or empty: the default one
 *          version_name  or empty; with both, both must fit
 * Returns: 0; -ENOENT when there is no such document that the account may use; -ESRCH when it has
 *          no such version; -ERR_LIMIT; -errno
 */
int document_find(struct server *server, int64_t account, str name, str version, str version_name,
        struct arena *arena, struct document *ret);

/** The name in an ARN of a document; a plain name is itself. */
str document_name(str name_or_arn);

/** Is this the name of a document that is always there, or of a hosted package? */
bool document_is_builtin(struct server *server, str name);

/**
 * List documents: the built-in ones, hosted packages and the account's own, in their default
 * versions, sorted by name.
 *
 * Out:     ret, ret_count  arena
 * Returns: 0; -ERR_LIMIT; -errno
 */
int document_list(struct server *server, int64_t account, struct arena *arena,
        struct document **ret, size_t *ret_count);

/**
 * List the versions of a document, newest first.
 *
 * Returns: as document_find()
 */
int document_versions(struct server *server, int64_t account, str name, struct arena *arena,
        struct document **ret, size_t *ret_count);

/** The change that writes a document without its content. Returns: 0; -ERR_LIMIT */
int document_change(
        const struct document *document, struct arena *arena, struct object_change *ret);

/** The change that writes one version. Returns: 0; -ERR_LIMIT */
int document_version_change(
        const struct document *document, struct arena *arena, struct object_change *ret);

/** The name of a version's object. Returns: 0; -ERR_LIMIT */
int document_version_name(str name, int64_t version, struct arena *arena, str *ret);

/** Read what a document says of itself. Built-in and stored ones were checked before. Returns: 0;
 * -ERR_FORMAT; -ERR_LIMIT */
int document_info(const struct document *document, struct arena *arena, struct document_info *ret,
        struct err *err);
