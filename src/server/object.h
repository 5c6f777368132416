/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * object: what the control plane keeps, as JSON texts under (account, type, name): accounts, keys,
 * filters, associations, documents, parameters, commands, ... All are in memory and durable in the
 * store; a change is committed first and visible after.
 *
 * Threads: any. Read, change and write back under account_lock() of the account.
 */

#include "aws/value.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

struct objects;

/** One object, borrowed from an arena. */
struct object {
	int64_t account;
	str name;
	const struct value *value; /* an object */
};

/** Types are short words: "account", "key", "filter", "association", "association-version",
 * "execution", "document", "parameter", "activation", "command", "invocation", "setting", ... */

/**
 * Load every object.
 *
 * Out:     ret  caller closes
 * Returns: 0; -ERR_FORMAT when one is damaged; -ENOMEM; what the store says
 */
int objects_open(struct store *store, struct objects **ret, struct err *err);

/** Close. NULL is a no-op. */
void objects_close(struct objects *objects);

/**
 * Read one.
 *
 * Out:     ret  arena; a copy that later changes do not touch
 * Returns: 0; -ENOENT; -ERR_LIMIT when the arena is full
 */
int object_get(struct objects *objects, int64_t account, const char *type, str name,
        struct arena *arena, const struct value **ret);

/**
 * Read all of a type whose names begin with `prefix`, sorted by name.
 *
 * In:      account  or STORE_ANY_ACCOUNT: then sorted by account first
 *          after    names behind this one only; empty: from the first
 *          most     how many; 0: all
 * Out:     ret, ret_count  arena
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int object_list(struct objects *objects, int64_t account, const char *type, str prefix, str after,
        size_t most, struct arena *arena, const struct object **ret, size_t *ret_count);

/** How many objects of a type an account has. */
size_t object_count(struct objects *objects, int64_t account, const char *type);

/** One change of several that are made as a whole. */
struct object_change {
	int64_t account;
	const char *type;
	str name;    /* at most 400 bytes */
	str json;    /* the new text; p NULL: delete */
	bool is_new; /* fail with -EEXIST if it is there */
};

/**
 * Change objects: all or none.
 *
 * In:      with  more records to commit with them, or NULL
 * Returns: 0, durable and visible; -EEXIST; -ERR_LIMIT; what the store says
 */
int objects_change(struct objects *objects, const struct object_change *changes, size_t n,
        struct store_batch *with, struct err *err);
