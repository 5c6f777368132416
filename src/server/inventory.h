/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * inventory: what the inventory operations of Systems Manager share: the types that there are, the
 * rows that a host reported, and filters on rows.
 */

#include "server/server.h"

/** Bytes of one item's content, and of all items of one call. */
#define INVENTORY_ITEM_BYTES ((size_t)1024 << 10)
#define INVENTORY_CALL_BYTES ((size_t)1024 << 10)
/** Custom types of one account, and attributes of one type. */
#define INVENTORY_CUSTOM_MAX 20
#define INVENTORY_ATTRIBUTES_MAX 50

/* ---- types ---- */

/** A type of AWS. Static. */
struct inventory_type {
	str name;
	str versions, attributes; /* separated by blanks */
};

/** Every type of AWS that is known, sorted by name. Static. */
const struct inventory_type *inventory_type_all(size_t *ret_count);

/** A type of AWS by its name; NULL if it is none. */
const struct inventory_type *inventory_type_find(str name);

/** Is a word in a list that is separated by blanks? */
bool inventory_list_has(str list, str word);

/** Take the next word of such a list. False at its end. */
bool inventory_list_next(str *list, str *ret_word);

/** A custom type of an account: the object "inventory-type" of its name. */
struct custom_type {
	bool is_there, is_disabled;
	str version;                    /* schema version of its last report */
	const struct value *attributes; /* array of texts */
};

/**
 * Read a custom type.
 *
 * Out:     ret  arena; is_there false when there is none
 * Returns: 0; -ERR_LIMIT
 */
int custom_type_get(struct server *server, int64_t account, str name, struct arena *arena,
        struct custom_type *ret);

/** Is a type registered and counted like other custom types, or is it one of Inspector's or ours,
 * which always exist? */
bool custom_type_is_counted(str name);

/* ---- what was reported ---- */

/** The rows of one type of one host. */
struct inventory_rows {
	str type, schema_version, capture_time, content_hash; /* empty when not reported */
	const struct value *rows;                             /* array of objects, or NULL */
	bool is_there;
};

/**
 * Read what a host reported of a type. AWS:InstanceInformation is made of the host's facts, and the
 * rows of our own upload of its packages.
 *
 * In:      host   fleet locked
 *          arena  takes the text and its tree
 * Out:     ret    arena, but texts borrow from the host
 * Returns: 0, also when it was not reported; -ERR_LIMIT; what fleet_evidence() says
 */
int inventory_rows(struct server *server, const struct fleet_host *host, str type,
        struct arena *arena, struct inventory_rows *ret, struct err *err);

/* ---- filters ---- */

enum inventory_operator {
	INVENTORY_EQUAL,
	INVENTORY_NOT_EQUAL,
	INVENTORY_BEGIN_WITH,
	INVENTORY_LESS_THAN,
	INVENTORY_GREATER_THAN,
	INVENTORY_EXISTS,
};

/** One filter: attribute of a type. */
struct inventory_filter {
	str type, attribute;
	enum inventory_operator how;
	bool is_absent; /* Exists with the value "false" */
	const struct value *values;
};

/** Most filters of one request. */
#define INVENTORY_FILTERS_MAX 5

struct inventory_filters {
	struct inventory_filter items[INVENTORY_FILTERS_MAX];
	size_t n;
};

/**
 * Read filters of a request, valid by their shape.
 *
 * In:      type  of keys that name an attribute alone; empty: every key must name its type
 * Out:     ret   borrows from the request
 * Returns: 0; -ERR_FORMAT when a key is not "Type.Attribute"
 */
int inventory_filters_read(const struct value *filters, str type, struct inventory_filters *ret);

/** Does a row meet every filter of a type? */
bool inventory_row_meets(
        const struct inventory_filters *filters, str type, const struct value *row);

/**
 * Does a host meet every filter? Filters of one type must hold for one and the same row.
 *
 * In:      host     fleet locked
 *          scratch  memory for what it reported; may be used again afterwards
 * Out:     ret
 * Returns: 0; as inventory_rows()
 */
int inventory_host_meets(struct server *server, const struct fleet_host *host,
        const struct inventory_filters *filters, struct arena *scratch, bool *ret, struct err *err);

/* ---- answers ---- */

/** As response_fail(), with the member TypeName in the error. */
int response_fail_type(struct response *response, const char *error, str type, const char *fmt, ...)
        PRINTF_LIKE(4, 5);
