/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * generation: what one state of the vulnerability data says about every element: the matches, once
 * per (element, vulnerability), whatever the number of hosts. It is made beside the one in use and
 * takes its place in one step; readers that hold the old one keep it.
 *
 * What a generation says of an element never changes. Elements that join the fleet later are added
 * to the present generation while the fleet's lock is held for writing: so looking at a generation,
 * a held one too, wants the fleet locked. Issues and matches stay where they are for the life of
 * the generation; the lists of them (`issues`, `issue.matches`), ranks and counts may be others at
 * the next lock.
 */

#include "fleet/element.h"
#include "model/finding.h"

/** A vulnerability as a group of matches sees it: sorting and most filters look at this only. */
struct issue {
	vuln_id vuln;
	uint32_t rank; /* among the issues of one vulnerability, the gravest first, from 0 */
	str name;      /* "CVE-2021-34141" */
	str text;      /* one line: the title of the first record; may be empty */
	enum severity severity;
	double score; /* < 0 for none */
	double epss;  /* < 0 for none */
	bool is_kev;
	str source;     /* Inspector's word for who says so: "NVD", "DEBIAN_CVE", "GHSA", ... */
	str source_url; /* of the record; may be empty */
	str vendor_severity;          /* the publisher's own word; may be empty */
	str record_source, record_id; /* the first record, to read details from the database */
	const str *aliases;           /* other names of it, without `name` */
	size_t n_aliases;
	const struct cvss_rating *cvss;
	size_t n_cvss;
	const struct match *const *matches; /* those of this issue, in no order */
	size_t n_matches;
};

/** One element is affected by one vulnerability. */
struct match {
	element_id element;
	const struct issue *issue;
	str fixed_in; /* empty for none */
	enum fix_state fix_state;
	int64_t matched_at; /* when this was first known; 0: since the element is */
	const struct finding_reason *reasons;
	size_t n_reasons;
};

struct orders;

/** One generation. */
struct generation {
	uint64_t number; /* rises with each */
	int64_t made_at;
	str digest, built_at;              /* of the data; empty when there are none */
	const struct issue *const *issues; /* sorted by vulnerability name, then rank */
	size_t n_issues;
	size_t n_matches;
	const str
	        *remarks; /* what could not be judged, and sources with problems: for the status */
	size_t n_remarks;
	struct orders *orders; /* of its issues, made when asked for (fleet/order.h); NULL: none are
	                          remembered */
	_Atomic uint32_t n_users;
};

/** The matches of an element, sorted by vulnerability number; none for one that it does not know.
 */
const struct match *generation_matches(
        const struct generation *generation, element_id element, size_t *ret_count);

/** The match of an element and a vulnerability; NULL when there is none. */
const struct match *generation_match(
        const struct generation *generation, element_id element, vuln_id vuln);

/** The issues of a vulnerability: issues[*ret_first] .. issues[*ret_first + result - 1]. */
size_t generation_issues_of(const struct generation *generation, vuln_id vuln, uint32_t *ret_first);

/** Hold a generation for longer than the fleet's lock. */
const struct generation *generation_hold(const struct generation *generation);

/** Let go of it; the last one releases it. NULL is a no-op. */
void generation_drop(const struct generation *generation);
