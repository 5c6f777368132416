/* SPDX-License-Identifier: Apache-2.0 */
#include "model/finding.h"

static const char *const severity_words[] = {
	[SEVERITY_UNTRIAGED] = "UNTRIAGED",
	[SEVERITY_INFORMATIONAL] = "INFORMATIONAL",
	[SEVERITY_LOW] = "LOW",
	[SEVERITY_MEDIUM] = "MEDIUM",
	[SEVERITY_HIGH] = "HIGH",
	[SEVERITY_CRITICAL] = "CRITICAL",
};

#define N_SEVERITIES (sizeof(severity_words) / sizeof(severity_words[0]))

const char *severity_name(enum severity severity)
{
	return (size_t)severity < N_SEVERITIES ? severity_words[severity]
	                                       : severity_words[SEVERITY_UNTRIAGED];
}

bool severity_parse(str word, enum severity *ret)
{
	for (size_t i = 0; i < N_SEVERITIES; i++) {
		if (!str_eq_nocase(word, str_from_c(severity_words[i])))
			continue;
		*ret = (enum severity)i;
		return true;
	}
	return false;
}

enum severity severity_of_score(double score)
{
	if (!(score >= 0)) /* unknown, or not a number */
		return SEVERITY_UNTRIAGED;
	if (score >= 9.0)
		return SEVERITY_CRITICAL;
	if (score >= 7.0)
		return SEVERITY_HIGH;
	if (score >= 4.0)
		return SEVERITY_MEDIUM;
	return score >= 0.1 ? SEVERITY_LOW : SEVERITY_INFORMATIONAL;
}

const char *fix_state_name(enum fix_state state)
{
	switch (state) {
	case FIX_AVAILABLE: return "fixed";
	case FIX_PARTIAL: return "partial";
	case FIX_NONE: break;
	}
	return "affected";
}
