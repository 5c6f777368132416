/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * finding_scope: whose findings a caller looks at, and which: the criteria of inspector2's model as
 * those of fleet/query.h, the suppression rules that apply, and marks in page tokens.
 */

#include "fleet/query.h"
#include "server/request.h"

/**
 * Read a FilterCriteria.
 *
 * In:      value  valid by its shape; NULL: everything
 * Out:     ret    arena, or borrows from the value
 * Returns: 0; -EINVAL when a range of dates or numbers has neither end, with the member in err;
 *          -ERR_LIMIT
 */
int criteria_from_value(
        const struct value *value, struct arena *arena, struct criteria *ret, struct err *err);

/**
 * Begin a query for a caller: accounts, suppression rules, criteria, a way to make ARNs.
 *
 * In:      criteria  the member of the request, or NULL
 * Out:     ret       arena; sort, most and after are as for a first page of everything
 * Returns: 0; what response_invalid() returned; -ERR_LIMIT
 */
int finding_query(struct request *request, struct response *response, const struct value *criteria,
        struct query *ret);

/** The field that a SortField names; FIELD_NEVER for one that no finding of ours has. */
enum finding_field finding_sort_field(str word);

/** Keep the findings of a query to those with status ACTIVE. Returns: 0; -ERR_LIMIT */
int finding_only_active(struct query *query, struct arena *arena);

/** Does the query say which status it wants? */
bool finding_names_status(const struct query *query);
