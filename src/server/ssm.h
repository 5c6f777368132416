/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * ssm: what the handlers of Systems Manager share: texts of objects, pages, filters.
 */

#include "base/cleanup.h"
#include "server/server.h"

/** The longest text of one object, in bytes. */
#define DRAFT_MAX_BYTES ((size_t)4 << 20)

/** The text of an object in the making. */
struct draft {
	struct buf buf;
	struct json_writer json;
};

/** Begin a text: an object is open. Release with draft_fini(). */
void draft_begin(struct draft *draft);

/** Release. A zeroed or released draft is a no-op. */
void draft_fini(struct draft *draft);

#define autodraft cleanup(draft_fini) struct draft

/**
 * Close the object and copy the text.
 *
 * Out:     ret  arena
 * Returns: 0; -ERR_LIMIT
 */
int draft_end(struct draft *draft, struct arena *arena, str *ret);

/** "key": value, as it is; nothing for NULL and null. */
void write_value(struct json_writer *w, const char *key, const struct value *value);

/** Those of an object's members that `names` lists, which ends with NULL, in that order. */
void write_members(struct json_writer *w, const struct value *from, const char *const *names);

/** "key": true or false. */
void write_flag(struct json_writer *w, const char *key, bool flag);

/** A time member in seconds since 1970; 0 when it is not there. */
int64_t value_get_time(const struct value *v, str key);

/** Is the text among the strings of an array? */
bool value_has_str(const struct value *array, str text);

/** The page of a list that is being written: the items from `from` to `to`. */
struct list_page {
	size_t from, to;
	str token; /* for the rest */
};

/**
 * Begin to write the page of a list that the request asks for, by MaxResults and NextToken: an
 * array, under `key`, into which the caller writes its items.
 *
 * In:      n_items  of the whole list
 *          most     items a page without MaxResults
 * Returns: 0; what response_fail() returned; -ERR_LIMIT; then nothing is written
 */
int page_begin(const struct request *request, struct response *response, const char *key,
        size_t n_items, size_t most, struct list_page *ret);

/** End it: the array, and NextToken when there is more. Returns: `r`, which the caller has come to
 */
int page_end(struct response *response, const struct list_page *page, int r);

/** The key under which an object of a host's is kept: its 17 digits, from any of its names. Empty
 * when the text is none of these. */
str host_digits(str id);

/** What a handler needs of a host after fleet_unlock(). */
struct host_ref {
	uint64_t number;
	int64_t account;
	char id[18];
	struct host_text shown;
	bool is_ec2;
};

/**
 * Find the host that a request names, as host_of_caller().
 *
 * Returns: 0; what response_fail() returned: InvalidInstanceId
 * Threads: without fleet_lock(), which it takes
 */
int request_host(struct request *request, struct response *response, str id, struct host_ref *ret);

/** Answer with an exception unless a change was made: 0 stays 0, a class of the store is passed on.
 * Commits `n` changes together with an entry of the audit log. */
int request_commit(struct request *request, const struct object_change *changes, size_t n,
        const char *what, str object);

/** The account of a caller as text, as an object's owner: twelve digits, arena. Returns: 0;
 * -ERR_LIMIT */
int account_str(int64_t account, struct arena *arena, str *ret);

/** The caller's own host, which is to be the one that `id` names. Notes that it is alive. Returns:
 * 0; what response_fail() returned, with the exception `error` */
int request_self(struct request *request, struct response *response, str id, const char *error,
        struct host_ref *ret);

/** When a host's agent last gave a sign of life; 0: never. Fleet locked or a copy. */
int64_t host_pinged_at(const struct fleet_host *host);
