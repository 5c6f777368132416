/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * advisory: what one source says of one vulnerability. Plain values; strings live where the call
 * that yields them says.
 */

#include "base/str.h"

/** Where a range of affected versions begins or ends. */
enum advisory_event_kind {
	EVENT_INTRODUCED,    /* affected from here on; "0" is before every version */
	EVENT_FIXED,         /* not affected from here on */
	EVENT_LAST_AFFECTED, /* not affected after this */
	EVENT_LIMIT,         /* nothing is said from here on */
};

struct advisory_event {
	enum advisory_event_kind kind;
	str version;
};

/** Events of one line of development, in the record's order, which need not be sorted. */
struct advisory_range {
	bool is_semver; /* ordered by SemVer whatever the ecosystem: OSV's SEMVER type */
	const struct advisory_event *events;
	size_t n_events;
};

/** One package that a record says is affected. */
struct advisory_affected {
	str record;    /* id of the record: "GHSA-fpfv-jqm9-f5jm" */
	str source;    /* "osv/PyPI" */
	str ecosystem; /* with the release, as written: "Debian:12" */
	str package;   /* as written */
	const struct advisory_range *ranges;
	size_t n_ranges;
	const str *versions; /* listed one by one; exact */
	size_t n_versions;
};

/** A severity as a source states it. */
struct advisory_severity {
	str type;  /* "CVSS_V2", "CVSS_V3", "CVSS_V4", or a vendor's name: "Ubuntu" */
	str score; /* a vector, or a word */
};

/** One record without what it affects. */
struct advisory {
	str id, source;
	str title;   /* summary; may be empty */
	str details; /* may be empty */
	str published, modified,
	        withdrawn; /* RFC 3339 as written; empty when the record has none */
	const str *aliases;
	size_t n_aliases;
	const str *upstream;
	size_t n_upstream;
	const str *related;
	size_t n_related;
	const struct advisory_severity *severities;
	size_t n_severities;
	const str *references; /* URLs */
	size_t n_references;
	bool uses_related; /* this source names its own CVEs in `related`: AlmaLinux and its like */
};
