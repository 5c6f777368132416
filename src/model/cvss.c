/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cvss.h"

#include "model/cvss_metrics.h"

/* Where `word` stands in a blank-separated list; CVSS_ABSENT if it does not. */
static unsigned index_of(const char *list, str word)
{
	str rest = str_from_c(list), head;
	for (unsigned i = 0; rest.n > 0; i++) {
		if (!str_split_first(rest, ' ', &head, &rest)) {
			head = rest;
			rest = (str){ NULL, 0 };
		}
		if (str_eq(head, word))
			return i;
	}
	return CVSS_ABSENT;
}

static size_t find(const struct cvss_metric *table, size_t n, str name)
{
	size_t i = 0;
	while (i < n && !str_eq(str_from_c(table[i].name), name))
		i++;
	return i;
}

int cvss_metrics_read(str vector, const struct cvss_metric *table, size_t n, bool is_ordered,
        uint8_t *ret_values, struct err *err)
{
	size_t next = 0; /* first row that may still follow in an ordered vector */
	bool more = true;
	memset(ret_values, CVSS_ABSENT, n);
	for (unsigned pair = 1; more; pair++) {
		str text = vector, name, value;
		more = str_split_first(vector, '/', &text, &vector);
		if (!str_split_first(text, ':', &name, &value))
			return err_set(err, -ERR_FORMAT, "metric %u: expected 'name:value'", pair);
		size_t i = find(table, n, name);
		if (i == n)
			return err_set(
			        err, -ERR_FORMAT, "metric %u: no metric of this version", pair);
		if (ret_values[i] != CVSS_ABSENT)
			return err_set(
			        err, -ERR_FORMAT, "metric %u: %s is repeated", pair, table[i].name);
		if (is_ordered && i < next)
			return err_set(err, -ERR_FORMAT, "metric %u: %s is out of order", pair,
			        table[i].name);
		unsigned at = index_of(table[i].values, value);
		if (at == CVSS_ABSENT)
			return err_set(err, -ERR_FORMAT, "metric %u: %s is none of %s", pair,
			        table[i].name, table[i].values);
		ret_values[i] = (uint8_t)at;
		next = i + 1;
	}
	for (size_t i = 0; i < n; i++) {
		if (table[i].required && ret_values[i] == CVSS_ABSENT)
			return err_set(err, -ERR_FORMAT, "%s is missing", table[i].name);
	}
	return 0;
}

static const struct {
	str prefix;
	enum cvss_version version;
} prefixes[] = {
	{ { "CVSS:3.0/", 9 }, CVSS_3_0 },
	{ { "CVSS:3.1/", 9 }, CVSS_3_1 },
	{ { "CVSS:4.0/", 9 }, CVSS_4_0 },
};

/* Takes the prefix off; leaves *version as it is when there is none. */
static int version_of(str *vector, enum cvss_version *version, struct err *err)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (!str_has_prefix(*vector, prefixes[i].prefix))
			continue;
		*version = prefixes[i].version;
		*vector = str_skip(*vector, prefixes[i].prefix.n);
		return 0;
	}
	if (str_has_prefix(*vector, STR("CVSS")))
		return err_set(err, -ERR_FORMAT, "not 'CVSS:3.0/', 'CVSS:3.1/' or 'CVSS:4.0/'");
	/* v2's guide writes the vector with and without parentheses */
	if (str_has_prefix(*vector, STR("(")) && str_has_suffix(*vector, STR(")")))
		*vector = str_head(str_skip(*vector, 1), vector->n - 2);
	return 0;
}

int cvss_score(str vector, enum cvss_version *ret_version, double *ret_score, struct err *err)
{
	enum cvss_version version = CVSS_2_0; /* v2 has no prefix */
	int r = version_of(&vector, &version, err);
	if (r < 0)
		return r;
	switch (version) {
	case CVSS_2_0: r = cvss_v2_score(vector, ret_score, err); break;
	case CVSS_3_0: r = cvss_v3_score(vector, false, ret_score, err); break;
	case CVSS_3_1: r = cvss_v3_score(vector, true, ret_score, err); break;
	case CVSS_4_0:
	default: r = cvss_v4_score(vector, ret_score, err); break;
	}
	if (r == 0)
		*ret_version = version;
	return r;
}

const char *cvss_version_name(enum cvss_version version)
{
	switch (version) {
	case CVSS_2_0: return "2.0";
	case CVSS_3_0: return "3.0";
	case CVSS_3_1: return "3.1";
	case CVSS_4_0:
	default: return "4.0";
	}
}
