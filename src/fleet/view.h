/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * view: findings as one query sees them: which hosts it may see, what a host's packages say of a
 * vulnerability, and whether the criteria hold and a suppression does. It loads of a finding only
 * what is asked for, the cheap before the dear.
 */

#include "fleet/criteria.h"

/** What is known of one set of criteria. */
struct filter {
	const struct criteria *criteria;
	unsigned grains;
	bool has_updated; /* a criterion of GRAIN_STATUS that wants the times */
	bool holds_issue; /* of suppressions: for the issue of the row */
};

/** The state of one query. Release with view_fini(). */
struct view {
	struct fleet *fleet;
	const struct query *query;
	const struct generation *generation;
	const struct sets *sets;
	bool is_past; /* the generation is not the present one */
	bool has_arn; /* something asks for the ARN */
	bool admits[STATUS_CLOSED + 1];
	struct filter wanted;
	struct filter *suppressions;
	roaring_bitmap_t *scope; /* hosts of the accounts */
	bool is_scope_exact;     /* those of them that are active and meet the criteria of hosts */
	/* Of one row. */
	unsigned loaded;
	const struct issue *issue; /* what `holds_issue` is of */
	int64_t suppressed_at;     /* when its suppression changed */
	const struct match **matches;
	size_t n_matches, cap_matches;
	struct finding_package *packages;
	size_t cap_packages;
	struct arena paths;
	char arn[128];
	/* Set while hosts that reported at one time are walked: the time may move meanwhile. */
	bool is_seen_fixed;
	int64_t seen_at;
};

/**
 * Begin to look.
 *
 * Out:     ret  caller releases, also after a failure
 * Returns: 0; -ENOMEM
 */
int view_init(struct view *ret, struct fleet *fleet, const struct query *query);

/** Release. A zeroed view is a no-op. */
void view_fini(struct view *view);

/** Begin a row: of an issue, which may be NULL and given later. */
void view_begin(struct view *view, struct finding_row *row, const struct issue *issue);

/** Give a row its issue. */
void view_set_issue(struct view *view, struct finding_row *row, const struct issue *issue);

/** Give a row its host. */
void view_set_host(const struct view *view, struct finding_row *row, const struct fleet_host *host);

/**
 * Find what a host has of a vulnerability.
 *
 * Out:     view->matches  by package name, then element
 *          ret            the gravest issue
 * Returns: 1; 0 when the host has nothing of it; -ENOMEM
 */
int view_find_matches(
        struct view *view, const struct fleet_host *host, vuln_id vuln, const struct issue **ret);

/** Let view->matches be these. Returns: 0; -ENOMEM */
int view_take_matches(struct view *view, const struct match *const *matches, size_t n);

/** Load packages, and times, as far as grains ask for them. Returns: 0; -ENOMEM; as query_page() */
int view_load(struct view *view, struct finding_row *row, unsigned grains, struct err *err);

/** Judge a row that has issue and host, but not its issue's criteria: status, and the criteria of
 * other grains than `known`. Returns: 1 when it is wanted; 0; as query_page() */
int view_judge(struct view *view, struct finding_row *row, unsigned known, struct err *err);

/** Load what a row shows, once it is wanted. Returns: 0; -ENOMEM */
int view_finish(struct view *view, struct finding_row *row, struct err *err);

/** Make a row of a closed finding: all but whether it is wanted. Packages are the view's. Returns:
 * 0; -ENOMEM */
int view_closed(struct view *view, const struct closed_finding *closed, struct finding_row *row);

/** Is a closed finding wanted? Returns: 1; 0; as query_page() */
int view_judge_closed(struct view *view, struct finding_row *row, struct err *err);

/** Copy a row and its packages into an arena. Returns: 0; -ERR_LIMIT */
int view_keep(const struct finding_row *row, struct arena *arena, struct finding_row *ret);

/** The closed findings of (vulnerability, host) of an account: [*ret_first, result). */
size_t view_find_closed(const struct closed_finding *const *closed, size_t n,
        const struct dictionary *dictionary, str name, uint64_t host, size_t *ret_first);

/** Is a closed finding shown as an open one, because the view is of a past generation? Returns: 1;
 * 0; -ENOMEM */
int view_is_still_open(struct view *view, const struct closed_finding *closed);

/** Is an account among sorted ones? */
bool is_account_of(const int64_t *accounts, size_t n, int64_t account);

/* ---- findings in the order of their issues, through bitmaps ---- */

struct sort_order;
struct sort_key;

/** What to walk. */
struct expansion {
	struct view *view;
	const struct sort_order *by;       /* of issues */
	const struct issue *const *issues; /* in that order */
	size_t n_issues;
	const struct sort_key *behind; /* value and name to begin at, and the host there; or NULL */
	const roaring_bitmap_t *scope; /* hosts */
	void *ctx;
	/** One wanted finding; not finished. Returns: 0 to go on; else stops and is returned. */
	int (*visit)(void *ctx, struct finding_row *row);
};

/** Visit the open findings that are wanted, by value, name and host. Returns: 0; -ENOMEM; as
 * query_page(); what the visitor returned */
int expand(const struct expansion *expansion, struct err *err);

/** A list of issues that is used again. Release its pointer with free(). */
struct issue_list {
	const struct issue **issues;
	size_t n, cap;
};

/** The issues that some of the hosts have, in an order. Returns: 0; -ENOMEM */
int expand_select(const struct view *view, const roaring_bitmap_t *hosts,
        const struct sort_order *by, struct issue_list *list);
/* ---- all findings, by pairs of sets ---- */

/** A host and the pair of sets that it points at. */
struct pair_host {
	uint32_t sets[HOST_N_SETS];
	bool is_counted; /* for the visitor; false at first */
	void *group;     /* for the visitor; NULL at first */
	const struct fleet_host *host;
};

/** What visits open findings. */
struct pair_visitor {
	void *ctx;
	/**
	 * Visit one finding of hosts that have it alike, sorted by account and number.
	 *
	 * In:      row  of the issue and the packages; with host and times only if `is_each`
	 * Returns: 0 to go on; what else stops, and is returned
	 */
	int (*visit)(void *ctx, struct finding_row *row, struct pair_host *hosts, size_t n);
	bool is_each; /* hosts one by one, with a finished row */
};

/**
 * Visit every open finding that is wanted.
 *
 * In:      ready  told of the hosts in scope before the first visit; may be NULL
 * Returns: 0; -ENOMEM; as query_page(); what the visitor returned
 */
int pairs_visit(struct view *view, const struct pair_visitor *visitor,
        int (*ready)(void *ctx, struct pair_host *hosts, size_t n), struct err *err);
