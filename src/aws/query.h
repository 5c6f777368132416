/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The Query protocol: a form as body, flattened names, decoded into the tree its shape describes.
 */

#include "aws/protocol.h"
#include "aws/shape.h"

/** Most parameters of one request, and the largest index of a list. */
#define QUERY_PARAMETERS_MAX 4096
#define QUERY_INDEX_MAX 1000

/** What every request of this protocol says about itself; borrows from the arena. */
struct query_call {
	str action;
	str version;
};

/**
 * Read Action and Version, which tell the shape to decode by.
 *
 * In:      form  application/x-www-form-urlencoded
 * Out:     ret   arena; a name that is not there is empty
 * Returns: 0; -ERR_FORMAT badly encoded, not UTF-8, or one of them twice; -ERR_LIMIT
 */
int query_call(str form, struct arena *arena, struct query_call *ret, struct err *err);

/**
 * Decode the parameters of a call.
 *
 * In:      protocol  PROTOCOL_EC2: lists are "Tag.1.Key"; PROTOCOL_QUERY: "Tags.member.1.Key"
 *          shape     of the input; a text that is not what its shape asks for stays a string, for
 *                    shape_validate() to tell of
 * Out:     ret       arena: an object; lists are in the order of their indices, gaps closed
 * Returns: 0; -ERR_FORMAT with the parameter's name: badly encoded, not UTF-8, twice, of another
 *          structure than its shape, and unknown in PROTOCOL_EC2 (PROTOCOL_QUERY passes it over);
 *          -ERR_LIMIT past a limit above or the arena
 */
int query_decode(enum protocol protocol, const struct shape *shape, str form, struct arena *arena,
        const struct value **ret, struct err *err);
