/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * generation: what one state of the vulnerability data says about every element: the matches, once
 * per (element, vulnerability), whatever the number of hosts. It is made beside the one in use and
 * takes its place in one step; readers that hold the old one keep it.
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
	const uint32_t *matches; /* indices of its matches, by element */
	size_t n_matches;
};

/** One element is affected by one vulnerability. */
struct match {
	element_id element;
	uint32_t issue; /* index in the generation */
	str fixed_in;   /* empty for none */
	enum fix_state fix_state;
	int64_t matched_at; /* when this was first known; 0: since the element is */
	const struct finding_reason *reasons;
	size_t n_reasons;
};

struct orders;

/** One generation. Nothing in it changes once it is published, but what is remembered of it. */
struct generation {
	uint64_t number; /* rises by one with each */
	int64_t made_at;
	str digest, built_at;       /* of the data */
	const struct issue *issues; /* sorted by vulnerability name, then rank */
	size_t n_issues;
	const struct match *matches; /* sorted by element, then vulnerability number */
	size_t n_matches;
	const uint32_t *first_match; /* by element, n_elements + 2 entries: its matches are
	                                first_match[e] .. first_match[e + 1] - 1 */
	element_id n_elements;       /* those that were matched */
	const str
	        *remarks; /* what could not be judged, and sources with problems: for the status */
	size_t n_remarks;
	struct orders *orders; /* of its issues, made when asked for (fleet/order.h); NULL: none
	                          are remembered */
	_Atomic uint32_t n_users;
};

/** The matches of an element that the generation knows; none for one it does not. */
const struct match *generation_matches(
        const struct generation *generation, element_id element, size_t *ret_count);

/** The issues of a vulnerability: [*ret_first, *ret_first + result). */
size_t generation_issues_of(const struct generation *generation, vuln_id vuln, uint32_t *ret_first);

/** Hold a generation for longer than the fleet's lock. */
const struct generation *generation_hold(const struct generation *generation);

/** Let go of it; the last one releases it. NULL is a no-op. */
void generation_drop(const struct generation *generation);
