/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * caller: who makes a request, as the verified credential says; and what accounts it may look at.
 * Nothing in a request's body adds to it.
 */

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/** What a credential is for. */
enum role {
	ROLE_NOBODY,
	ROLE_READER, /* reads its account */
	ROLE_ADMIN,  /* administers its account */
	ROLE_HOST,   /* one host */
};

/** A verified caller. */
struct caller {
	enum role role;
	int64_t account;
	str key_id;           /* access key, or the host's shown id */
	str arn;              /* "arn:aws:iam::123456789012:user/AKIA..." */
	uint64_t host_number; /* ROLE_HOST */
	char host_id[18];     /* ROLE_HOST */
	bool is_ec2;          /* ROLE_HOST with a key of its own: it is shown as i-<id> */
	bool is_management;   /* its account manages its organisation */
	bool is_delegated;    /* its account is the delegated administrator */
	int64_t organisation; /* account number of the management account; 0 without */
};

/** "123456789012" of an account number. Static inside `ret`. */
struct account_text {
	char text[13];
};

/** Twelve digits. */
struct account_text account_text(int64_t account);

/** Read exactly twelve digits. False when it is anything else. */
bool account_parse(str text, int64_t *ret);
