/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * closing: closed findings. One record of the store holds what one change closed: for each
 * vulnerability what it was, the packages, and the hosts. A finding that is opened again stays in
 * its record; a record behind it says so.
 */

#include <pthread.h>

#include "base/buf.h"
#include "fleet/fleet.h"

/** How long closed findings are kept, and how long they may be opened again. */
#define CLOSING_REMEDIATED_S (INT64_C(30) * 86400)
#define CLOSING_INELIGIBLE_S (INT64_C(3) * 86400)
#define CLOSING_REOPEN_S (INT64_C(7) * 86400)

/** Most places that are kept of one package, and bytes of places of one finding, and of all that
 * one change of a host, or one renewal, closes: what would not fit is kept without its places. */
#define CLOSING_PATHS_MAX 64u
#define CLOSING_FINDING_BYTES ((size_t)256 << 10)
#define CLOSING_HOST_BYTES ((size_t)8 << 20)
#define CLOSING_RENEWAL_BYTES ((size_t)256 << 20)

/** Most hosts of one vulnerability in one record. */
#define CLOSING_HOSTS_MAX 1000u

/** A host whose finding is closed. */
struct closing_host {
	uint64_t number;
	char id[18];
	int64_t first_observed, last_observed;
};

/** One vulnerability of a record, on hosts that had it in the same packages. */
struct closing_draft {
	const struct issue *issue; /* or one of which only vuln is known, and the texts are empty */
	const struct closed_package *packages;
	size_t n_packages;
	const struct closing_host *hosts;
	size_t n_hosts;
};

/** Begin a record. */
void closing_begin(enum closing_reason reason, struct buf *out);

/** Add a vulnerability to it. */
void closing_write(const struct closing_draft *draft, struct buf *out);

struct closing_group;

/** A closed finding as it is held. */
struct closed_entry {
	struct closed_finding finding;
	struct closing_group *group;
	bool is_open_again;
};

/** What one record holds, in one piece of memory. */
struct closing_group {
	int64_t account, closed_at;
	uint32_t counter;
	enum closing_reason reason;
	size_t n, n_open_again;
	struct closed_entry *entries;
	struct closed_package *packages;
	str *paths;
};

/**
 * Read a record.
 *
 * In:      record  copied
 * Out:     ret     free() releases it
 * Returns: 0; -ERR_FORMAT when it is damaged; -ERR_UNSUPPORTED when a newer program wrote it;
 * -ENOMEM
 */
int closing_read(int64_t account, int64_t closed_at, uint32_t counter, str record,
        struct closing_group **ret, struct err *err);

/** When a record is to be deleted. */
int64_t closing_ends_at(const struct closing_group *group);

/** The closed findings of an account: changed with the fleet's lock for writing, looked at with it
 * for reading and the list's own lock. */
struct closed_list {
	pthread_mutex_t lock; /* the view, while it is brought up to date */
	const struct closed_finding **view;
	size_t n_view, cap_view;
	bool is_stale;
	struct closed_entry **fresh; /* not in the view yet */
	size_t n_fresh, cap_fresh;
	struct closing_group **groups;
	size_t n_groups, cap_groups;
	struct closing_group **gone; /* released when the view is without them */
	size_t n_gone, cap_gone;
};

/** Begin an empty list. */
void closed_list_init(struct closed_list *list);

/** Release it, and the groups. */
void closed_list_fini(struct closed_list *list);

/** Add a group. Never fails: see sure.h. */
void closed_list_add(struct closed_list *list, struct closing_group *group);

/** Say that a finding of the list is open again. */
void closed_list_reopen(struct closed_list *list, struct closed_entry *entry);

/** Take out group number `i`; the last one takes its place. */
void closed_list_remove(struct closed_list *list, size_t i);

/** The closed findings, sorted by vulnerability name, host and first_observed. With the fleet's
 * lock. */
const struct closed_finding *const *closed_list_view(
        struct closed_list *list, const struct dictionary *dictionary, size_t *ret_count);
