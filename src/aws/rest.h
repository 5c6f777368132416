/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * REST-JSON: which operation a method and a path ask for, and its input gathered from path, query
 * and body into one object.
 */

#include "aws/shape.h"

/** Most labels in the address of one operation. */
#define REST_LABELS_MAX 4

/** What was asked for. */
struct rest_route {
	const struct operation_shape *operation;
	str names[REST_LABELS_MAX];  /* static: of the labels, in the order of the address */
	str labels[REST_LABELS_MAX]; /* arena: decoded */
	size_t n;
};

/**
 * Find the operation that a method and a path ask for.
 *
 * In:      path   as on the wire: percent-encoded, without the query. A label takes one segment;
 *                 the last one also takes what follows, since some clients do not encode '/'
 * Out:     ret    written on success only
 * Returns: 0; -ENOENT when there is none; -ERR_FORMAT for a label that is badly encoded, empty, not
 *          UTF-8 or has a NUL; -ERR_LIMIT when the arena is full
 */
int rest_route(str service, str method, str path, struct arena *arena, struct rest_route *ret);

/**
 * Gather an operation's input: the body's members, the labels, and the parameters of the query that
 * the shape knows (others are ignored; one that stands twice fills a list).
 *
 * In:      query  as on the wire, without the '?'
 *          body   NULL when the body was empty; else an object
 * Out:     ret    arena
 * Returns: 0; -ERR_FORMAT when the body is no object or the query is badly encoded; -ERR_LIMIT when
 *          the arena is full or the query has more than 512 parameters
 */
int rest_input(const struct rest_route *route, str query, const struct value *body,
        struct arena *arena, const struct value **ret, struct err *err);
