/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * finding: one vulnerability in one package at one path, and why we say so.
 */

#include "base/arena.h"
#include "model/package.h"

/** Inspector's severity words. */
enum severity {
	SEVERITY_UNTRIAGED, /* nobody has rated it */
	SEVERITY_INFORMATIONAL,
	SEVERITY_LOW,
	SEVERITY_MEDIUM,
	SEVERITY_HIGH,
	SEVERITY_CRITICAL,
};

/** What the sources say about a fix. */
enum fix_state {
	FIX_AVAILABLE, /* fixed_in names a version that ends every reason */
	FIX_PARTIAL,   /* fixed_in names a version that a reason still calls affected */
	FIX_NONE,      /* affected, no fixed version known */
};

/** One CVSS vector and its base score. */
struct cvss_rating {
	str vector;
	str source;  /* record that carries it */
	str version; /* static: "2.0", "3.0", "3.1", "4.0" */
	double score;
};

/** One advisory that says the package is affected: the evidence of a finding. */
struct finding_reason {
	str advisory;     /* record id: "GHSA-fpfv-jqm9-f5jm" */
	str source;       /* data source: "osv/PyPI" */
	str ecosystem;    /* as the record names it: "PyPI", "Debian:12" */
	str package;      /* as the record names it */
	str range;        /* ">= 0, < 1.22" */
	str comparison;   /* "1.21.3 < 1.22 (pep440)" */
	str fixed_in;     /* empty for none */
	bool affects_fix; /* calls the finding's fixed_in affected, too */
};

/** One finding. Strings and arrays live in the match result's arena. */
struct finding {
	str id; /* CVE where there is one, else the record's own id */
	str title;
	const struct package *pkg;
	str fixed_in; /* the highest fix of the reasons; p NULL for none */
	enum fix_state fix_state;
	enum severity severity;
	double score; /* base score that decided the severity; < 0 for none */
	double epss;  /* probability, 0 to 1; < 0 for none */
	bool is_kev;
	str source;     /* of the first reason */
	str suppressed; /* why it is not counted; empty when it is */
	const str *aliases;
	size_t n_aliases;
	const struct cvss_rating *cvss;
	size_t n_cvss;
	const struct finding_reason *reasons;
	size_t n_reasons;
};

/** The upper-case word of a severity; static. */
const char *severity_name(enum severity severity);

/** Read a severity word in any case ("high"). False if it is none. */
bool severity_parse(str word, enum severity *ret);

/** The word of a base score as Inspector maps it: 0, 0.1, 4.0, 7.0 and 9.0 begin a class. */
enum severity severity_of_score(double score);

/** "fixed", "partial" or "affected"; static. */
const char *fix_state_name(enum fix_state state);
