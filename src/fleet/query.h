/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * query: findings that meet criteria, sorted, a page at a time, and counts of them. The work is
 * done at the grain of issues (some 10^5) and expanded to hosts through bitmaps, so that a page
 * costs what it shows and not what there is; only criteria and sort fields that belong to single
 * findings (first observed, status, paths) look at each finding.
 *
 * All functions want the fleet locked.
 */

#include "fleet/fleet.h"

/** How a text is compared. */
enum text_comparison { TEXT_EQUALS, TEXT_PREFIX, TEXT_NOT_EQUALS };

/** The fields of a finding that criteria and sorting name. */
enum finding_field {
	FIELD_ACCOUNT,
	FIELD_TYPE,
	FIELD_STATUS,
	FIELD_SEVERITY,
	FIELD_TITLE,
	FIELD_VULNERABILITY,
	FIELD_SOURCE,
	FIELD_VENDOR_SEVERITY,
	FIELD_RELATED,
	FIELD_FIX,
	FIELD_EXPLOIT,
	FIELD_RESOURCE_TYPE,
	FIELD_RESOURCE_ID,
	FIELD_IMAGE_ID,
	FIELD_VPC_ID,
	FIELD_SUBNET_ID,
	FIELD_ARN,
	FIELD_TAG, /* texts */
	FIELD_SCORE,
	FIELD_EPSS, /* numbers */
	FIELD_FIRST_OBSERVED,
	FIELD_LAST_OBSERVED,
	FIELD_UPDATED, /* times */
	FIELD_PACKAGE, /* struct package_criterion */
	FIELD_NEVER,   /* a field that no finding of ours has: an entry meets nothing */
};

/** One text to compare with. */
struct text_criterion {
	enum text_comparison comparison;
	str value;
};

/** All members that are set must hold for one and the same package. */
struct package_criterion {
	struct text_criterion name, version, release, arch, path; /* value.p NULL: not set */
	bool has_epoch;
	double epoch_from, epoch_to;
	bool is_never; /* it asks for a layer or the like, which no package of ours has */
};

/** One entry of the criteria of one field. */
struct criterion {
	enum finding_field field;
	struct text_criterion text; /* texts; of FIELD_TAG the value, p NULL: any */
	str tag_key;                /* FIELD_TAG */
	double from, to;            /* numbers and times, inclusive */
	struct package_criterion package;
};

/**
 * Criteria. The entries of one field are alternatives, but for TEXT_NOT_EQUALS, each of which must
 * hold; fields must all be met. Entries of one field stand beside each other.
 */
struct criteria {
	const struct criterion *items;
	size_t n;
};

/** A suppression rule: what it is called and whose findings it may suppress. */
struct suppression {
	struct criteria criteria;
	const int64_t *accounts; /* sorted */
	size_t n_accounts;
	int64_t changed_at;
};

/** A finding's state. */
enum finding_status { STATUS_ACTIVE, STATUS_SUPPRESSED, STATUS_CLOSED };

/** One package of a finding. */
struct finding_package {
	const struct element *element;
	str fixed_in; /* empty for none */
	enum fix_state fix_state;
	const struct finding_reason *reasons; /* none for a closed finding */
	size_t n_reasons;
	const str *paths; /* filled by finding_fill() only */
	size_t n_paths;
};

/** One finding. Strings borrow from the fleet, the generation or the arena of the query. */
struct finding_row {
	const struct fleet_host *host; /* NULL when it is forgotten already: a closed one's */
	uint64_t host_number;
	const char *host_id;
	int64_t account;
	vuln_id vuln;
	str name;
	const struct issue *issue;           /* of the generation; NULL for a closed one */
	const struct closed_finding *closed; /* NULL for an open one */
	enum finding_status status;
	enum severity severity;
	double score, epss;
	bool is_kev;
	int64_t first_observed, last_observed, updated_at;
	const struct finding_package *packages; /* by element name, then number */
	size_t n_packages;
};

/** Where a page ended: what the next one continues behind. A token carries it; written and read by
 * query_mark_write/read. */
struct query_mark {
	bool is_set;
	uint64_t generation;
	double number; /* the sort key of the last row, if it is a number */
	str text;      /* if it is a text */
	str name;      /* the row's vulnerability */
	uint64_t host;
	int64_t first_observed;
};

/** What to look for. */
struct query {
	const int64_t *accounts; /* whose findings: sorted */
	size_t n_accounts;
	struct criteria criteria;
	const struct suppression *suppressions;
	size_t n_suppressions;
	enum finding_field sort; /* FIELD_VULNERABILITY when nothing is asked for */
	bool is_descending;
	size_t most; /* rows */
	struct query_mark after;
	const struct generation
	        *generation; /* pinned by a mark and still held by somebody, or NULL */
	/** The ARN of a finding, for FIELD_ARN and for the order of nothing else. */
	int (*arn)(void *ctx, const struct finding_row *row, char *ret, size_t size);
	void *arn_ctx;
};

/**
 * Find a page of findings.
 *
 * Out:     ret_rows, ret_count  arena, in order; n_packages is filled, their paths are not
 *          ret_mark             where to go on; is_set only if there may be more
 * Returns: 0; -ERR_LIMIT when the arena is full; -ERR_FORMAT, -errno when evidence that a path
 *          criterion needs cannot be read
 */
int query_page(struct fleet *fleet, const struct query *query, struct arena *arena,
        const struct finding_row **ret_rows, size_t *ret_count, struct query_mark *ret_mark,
        struct err *err);

/**
 * Visit every finding of a query, in no order and regardless of `sort`, `most` and `after`: for
 * counts and exports. Rows live until the visit returns; stops when it returns other than 0.
 */
int query_each(struct fleet *fleet, const struct query *query,
        int (*visit)(void *ctx, const struct finding_row *row), void *ctx, struct err *err);

/** Fill the paths of a row's packages. Returns: 0; as fleet_places() */
int finding_fill(
        struct fleet *fleet, struct finding_row *row, struct arena *arena, struct err *err);

/**
 * One finding by what its ARN says: open with that first_observed, or closed.
 *
 * Out:     ret  arena
 * Returns: 0; -ENOENT
 */
int query_one(struct fleet *fleet, const struct query *query, uint64_t host, vuln_id vuln,
        int64_t first_observed, struct arena *arena, struct finding_row *ret, struct err *err);

/** "CVE-2015-8035 - libxml2, libxml2-python": the title, at most 1,024 bytes. Returns: 0;
 * -ERR_LIMIT */
int finding_title(const struct finding_row *row, struct arena *arena, str *ret);

/** YES, NO or PARTIAL of a finding's packages together. Static. */
const char *finding_fix(const struct finding_row *row);

/** Does a row meet criteria? Path criteria need finding_fill() first. */
bool criteria_hold(const struct criteria *criteria, const struct finding_row *row, str arn);

/** A mark as bytes for a token. */
void query_mark_write(const struct query_mark *mark, struct buf *out);

/** A mark from such bytes, which are hostile. Returns: 0; -ERR_FORMAT */
int query_mark_read(str bytes, struct arena *arena, struct query_mark *ret);
