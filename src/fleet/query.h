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
	FIELD_SUBNET_ID, /* facts "ImageId", "VpcId" and "SubnetId" of the host */
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
 * Find a page of findings, in the order of the sort field, which may fall, and then of
 * vulnerability name, host number and first_observed, which always rise. Sorted are severities by
 * gravity, states as in enum finding_status, texts by their bytes; a score that there is none of is
 * below all.
 *
 * With `generation` given, what was found is that generation's as far as hosts still have the
 * packages; elements that it does not know are not in it. With NULL it is the present one's,
 * behind the key of the mark.
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

/** Fill the paths of a row's packages: where they lie or, of a closed finding, lay when it was
 * closed. Those of closed ones are the fleet's, until fleet_unlock(). Returns: 0; as fleet_places()
 */
int finding_fill(
        struct fleet *fleet, struct finding_row *row, struct arena *arena, struct err *err);

/**
 * One finding by what its ARN says: open with that first_observed, or closed. The criteria of the
 * query do not matter, its accounts and suppressions do.
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

/** The word of a status: "ACTIVE", ... Static. */
const char *finding_status_name(enum finding_status status);

/** A package's version in the parts that Inspector shows. Borrows from the package. */
struct finding_version {
	str version, release; /* release is empty when there is none */
	bool has_epoch;       /* an OS package: 0 when its version names none */
	uint32_t epoch;
};

/**
 * Split the version of a package. An rpm's "epoch:version-release" and a deb's
 * "epoch:upstream-revision" have the same parts: the epoch ends at the first colon, the release
 * begins behind the last hyphen, and a native deb has no release. Versions of language packages
 * stay whole.
 */
struct finding_version finding_version_of(const struct package *package);

/** Bytes of an architecture as shown, with the NUL. */
#define FINDING_ARCH_SIZE 65

/** The architecture as Inspector shows it: "X86_64", "AMD64"; empty when the package has none.
 * Longer ones are cut. Returns: a view of `ret` */
str finding_arch(const struct package *package, char ret[FINDING_ARCH_SIZE]);

/** Does a row meet criteria? Path criteria need finding_fill() first. */
bool criteria_hold(const struct criteria *criteria, const struct finding_row *row, str arn);

/** What findings are counted by. */
enum aggregation {
	BY_ACCOUNT,
	BY_HOST,
	BY_IMAGE,   /* hosts without an image are left out */
	BY_PACKAGE, /* a finding counts for each package name that it has */
	BY_TITLE,
	BY_TYPE,
};

/** What counts are sorted by. */
enum aggregate_sort { SORT_CRITICAL, SORT_HIGH, SORT_ALL, SORT_HOSTS };

/** How to count. */
struct aggregate_question {
	enum aggregation by;
	enum aggregate_sort sort;
	bool is_descending; /* in the count; equal counts rise by key, vulnerability, account */
};

/** One group, always of one account. */
struct aggregate_row {
	int64_t account;
	const struct fleet_host *host; /* BY_HOST, else NULL */
	str key;  /* image, package name or title; the host's 17 digits; the type's word; empty
	             BY_ACCOUNT */
	str name; /* BY_TITLE: the vulnerability, else empty */
	uint64_t n_all, n_medium, n_high, n_critical;
	uint64_t n_exploit, n_fix; /* with a known exploit; whose fix is YES */
	uint64_t n_hosts;          /* affected hosts: BY_IMAGE only, else 0 */
};

/**
 * Count the active findings that meet the criteria of a query, whatever they say of the status.
 *
 * In:      query  `sort`, `most` and `after` mean nothing here
 * Out:     ret_rows, ret_count  arena; groups with at least one finding, in order
 * Returns: 0; -ERR_LIMIT when the arena is full; -ENOMEM; as query_page()
 * Cost:    by the distinct pairs of sets of the hosts and their findings; each host is visited, its
 *          findings are only where a criterion or a suppression depends on host and finding
 */
int query_aggregate(struct fleet *fleet, const struct query *query,
        const struct aggregate_question *question, struct arena *arena,
        const struct aggregate_row **ret_rows, size_t *ret_count, struct err *err);

/** A mark as bytes for a token; one that is not set has none. */
void query_mark_write(const struct query_mark *mark, struct buf *out);

/**
 * A mark from such bytes, which are hostile.
 *
 * Out:     ret  its texts are in the arena
 * Returns: 0; -ERR_FORMAT; -ERR_LIMIT when the arena is full
 */
int query_mark_read(str bytes, struct arena *arena, struct query_mark *ret);
