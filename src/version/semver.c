/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Semantic Versioning, as advisories use it: number.number.number[-pre-release][+build].
 *
 * The order is that of SemVer 2.0.0. What is read is wider, because OSV's SEMVER ranges and the
 * versions held against them are: a leading "v" or "go" (tags), any count of numbers ("1",
 * "1.2.3.4"; a missing one is 0), leading zeros, a pre-release without its '-' after a number
 * ("1.20rc1").
 */
#include "version/number.h"

struct semver {
	str numbers, prerelease;
};

static bool is_number_or_dot(char c)
{
	return is_digit(c) || c == '.';
}

static bool has_empty_number(str numbers)
{
	for (size_t i = 0; i < numbers.n; i++) {
		if (numbers.p[i] == '.' &&
		        (i == 0 || i + 1 == numbers.n || numbers.p[i - 1] == '.'))
			return true;
	}
	return numbers.n == 0;
}

static bool parse(str v, struct semver *ret)
{
	str build;
	v = str_trim(v);
	if (str_has_prefix(v, STR("v")) || str_has_prefix(v, STR("V")))
		v = str_skip(v, 1);
	else if (str_has_prefix(v, STR("go")))
		v = str_skip(v, 2);
	if (str_split_first(v, '+', &v, &build) && !is_identifiers(build))
		return false;

	struct semver version = { .numbers = str_take_while(&v, is_number_or_dot) };
	if (has_empty_number(version.numbers))
		return false;
	version.prerelease = v;
	if (v.n > 0 && *v.p == '-')
		version.prerelease = str_skip(v, 1);
	if (v.n > 0 && !is_identifiers(version.prerelease))
		return false;

	*ret = version;
	return true;
}

static enum order compare(str a, str b)
{
	struct semver x, y;
	if (!parse(a, &x) || !parse(b, &y))
		return ORDER_UNORDERED;

	enum order o = numbers_compare(x.numbers, y.numbers);
	return o == ORDER_EQUAL ? prerelease_compare(x.prerelease, y.prerelease) : o;
}

static bool is_valid(str v)
{
	struct semver version;
	return parse(v, &version);
}

const struct scheme scheme_semver = {
	.name = "semver",
	.title = "Semantic Versioning as OSV reads it",
	.source = "Semantic Versioning 2.0.0, item 11; OSV schema 1.7, affected[].ranges[].type",
	.compare = compare,
	.is_valid = is_valid,
};
