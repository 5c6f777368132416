/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * filter: saved criteria of findings and suppression rules, as objects of type "filter" named by
 * their id of 32 hexadecimal digits. The JSON has the members of inspector2's Filter, times as
 * whole seconds.
 */

#include "base/str.h"
#include "server/request.h"

#define FILTER_ID_BYTES 32u

/** Most filters of one account. */
#define FILTERS_MAX 500u

/** "arn:aws:inspector2:<region>:<account>:owner/<account>/filter/<id>". Returns: 0; -ERR_LIMIT */
int filter_arn(const struct request *request, int64_t account, str id, str *ret);

/**
 * Take a filter's ARN apart. Its region may be any.
 *
 * Out:     ret_id  borrows
 * Returns: false when it is none
 */
bool filter_arn_parse(str arn, int64_t *ret_account, str *ret_id);
