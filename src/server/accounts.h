/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * accounts: what the handlers about accounts share: which accounts a request means, one change of
 * one account, and how states are written.
 */

#include "server/request.h"
#include "server/server.h"

/** A kind of scanning. */
struct scan_type {
	const char *word;   /* "EC2" */
	const char *member; /* of the answers: "ec2" */
	size_t at;          /* of the flag in struct account */
	const char *trial;  /* FreeTrialType */
};

#define SCAN_TYPES 5

/** All of them, in the order of the model. Static. */
extern const struct scan_type scan_types[SCAN_TYPES];

/** Is a kind of scanning on? */
bool scan_is_on(const struct account *account, size_t type);

/** Switch it. */
void scan_set(struct account *account, size_t type, bool is_on);

/**
 * The accounts that a request names in a list of texts; the caller's own when there is none.
 *
 * Out:     ret, ret_count  arena; in the order of the request, those named twice once
 * Returns: 0; -ERR_LIMIT
 */
int accounts_named(
        const struct request *request, const char *member, const int64_t **ret, size_t *ret_count);

/** The caller's account and its members, as caller_accounts(), also where nothing is on. */
int caller_members(struct server *server, const struct caller *caller, struct arena *arena,
        const int64_t **ret, size_t *ret_count);

/** What accounts_change() calls with the account as it is. Returns: 0: write it; anything else: do
 * not, and return that */
typedef int account_edit(void *ctx, struct account *account);

/**
 * Change one account under its lock, with an entry of the audit log, and bring about what follows.
 *
 * Out:     ret  the account as it is now; its strings live in the arena of the request
 * Returns: 0; -ENOENT without the account; what `edit` returned; what the store says
 */
int accounts_change(struct request *request, int64_t number, const char *what, account_edit *edit,
        void *ctx, struct account *ret);

/** The same for the organisation that an account manages. */
typedef int organisation_edit(void *ctx, struct organisation *organisation);

/** Change an organisation under the lock of its management account. As accounts_change() */
int accounts_change_organisation(struct request *request, int64_t management, const char *what,
        organisation_edit *edit, void *ctx, struct organisation *ret);

/** Bring accounts about after a change that concerns others than the one changed: those of an
 * organisation. A failure is logged: it is tried again within a minute. */
void accounts_settle(struct request *request, int64_t account);

/** Does the account follow a delegated administrator other than itself? */
bool account_is_led(struct server *server, const struct account *account, struct arena *arena);

/** An account's ids and states as an element of `failedAccounts`. */
void accounts_write_failed(
        struct json_writer *w, int64_t account, const char *code, const char *message);

/** Make an account the delegated administrator of the caller's organisation, or let it be none.
 * Returns: 0; what response_fail() returned: ConflictException, ResourceNotFoundException; what the
 * store says */
int delegate_set(struct request *request, struct response *response, int64_t number, bool is_on);
