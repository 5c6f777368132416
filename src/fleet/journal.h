/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * journal: a change that is too large for one batch of the store, and is to be durable as a whole
 * all the same. What it will write is written down first, in parts; a mark makes it valid; then it
 * is carried out, which may be repeated from the start. A mark that is found when the fleet is
 * opened means that it has to be carried out, parts without a mark that it never happened.
 */

#include "base/buf.h"
#include "store/store.h"

/** A change being put together. Initialise with zero. */
struct journal {
	struct buf *parts;
	size_t n_parts, cap_parts;
	size_t n_last; /* operations of the last part */
	bool failed;   /* memory is out */
};

/** Release. */
void journal_fini(struct journal *journal);

/** Write a record. */
void journal_put(struct journal *journal, struct store_key key, str value);

/** Delete a record. */
void journal_delete(struct journal *journal, struct store_key key);

/**
 * Make the change durable. Nothing else may write what it writes meanwhile.
 *
 * Out:     ret_waits  it is durable, but not carried out yet: journal_finish() has to be called,
 * with success, before anything else is written Returns: 0; else nothing of it is: -ENOMEM; what
 * the store says
 */
int journal_commit(struct journal *journal, struct store *store, bool *ret_waits, struct err *err);

/** Carry out what a journal in the store says, if there is a valid one, and remove it. Returns: 0;
 * -ERR_FORMAT when it is damaged; what the store says */
int journal_finish(struct store *store, struct err *err);
