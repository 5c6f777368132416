/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * association_json: associations as requests name them and as answers show them.
 */

#include "server/association.h"

/** The members of a request that say what an association is to do; ends with NULL. */
extern const char *const association_members[];

/**
 * Find the association that a request names: by AssociationId, or by Name and InstanceId. A host
 * finds only those that target it.
 *
 * Returns: 0; what response_fail() returned: AssociationDoesNotExist
 */
int association_asked(struct request *request, struct response *response, struct association *ret);

/** May the caller know of it? A host only if it is one of its targets. */
bool association_is_seen(struct request *request, const struct association *association);

/** Members that the specification and answers share, as far as they are there. */
void association_write_members(
        struct json_writer *w, const struct association *association, const char *const *names);

/** "key": an AssociationDescription, with its Overview. Returns: 0; -ERR_LIMIT; what the store says
 */
int association_write_description(struct request *request, struct json_writer *w, const char *key,
        const struct association *association);

/** "Overview": the word for the whole and the counts. */
void association_write_overview(struct json_writer *w, const struct association_tally *tally);

/** "AssociationVersion": as a text. */
void write_version(struct json_writer *w, const char *key, int64_t version);
