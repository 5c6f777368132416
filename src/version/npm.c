/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npm versions: exactly three numbers, then -pre-release and +build, in SemVer's order.
 *
 * Ordered is what node-semver orders when told to be loose: blanks, "v" and "=" in front, leading
 * zeros, a pre-release without its '-'. Valid is what it takes when strict. Both refuse a main
 * number above 2^53 - 1, which JavaScript cannot hold exactly, and more than 256 bytes.
 */
#include "version/number.h"

#define NPM_VERSION_MAX 256

static const str largest_number = STR("9007199254740991");

struct npm {
	str numbers, prerelease;
};

static bool is_loose_head(char c)
{
	return c == 'v' || c == '=' || is_space(c);
}

static bool take_numbers(str *s, str *ret)
{
	str all = *s;
	for (int i = 0; i < 3; i++) {
		if (i > 0 && (s->n == 0 || *s->p != '.'))
			return false;
		*s = str_skip(*s, i > 0);
		str number = str_take_while(s, is_digit);
		if (number.n == 0 || number_compare(number, largest_number) == ORDER_GREATER)
			return false;
	}
	*ret = str_head(all, all.n - s->n);
	return true;
}

/*
 * node-semver finds the pre-release with a regular expression, which gives back what it took when
 * the rest does not fit: a '-' that no identifier follows is one itself ("1.2.3-"), and before a
 * dot the last digit of the patch number is ("1.2.34.5" is 1.2.3-4.5).
 */
static bool take_prerelease(str rest, struct npm *npm)
{
	str numbers = npm->numbers;

	npm->prerelease = *rest.p == '-' ? str_skip(rest, 1) : rest;
	if (is_identifiers(npm->prerelease))
		return true;
	if (*rest.p == '.' && is_digit(numbers.p[numbers.n - 2])) {
		npm->numbers.n--;
		npm->prerelease = (str){ rest.p - 1, rest.n + 1 };
	} else {
		npm->prerelease = rest;
	}
	return is_identifiers(npm->prerelease);
}

static bool parse(str v, struct npm *ret)
{
	struct npm npm = { .prerelease = STR("") };
	str build;

	if (v.n > NPM_VERSION_MAX)
		return false;
	v = str_trim(v);
	(void)str_take_while(&v, is_loose_head);
	if (str_split_first(v, '+', &v, &build) && !is_identifiers(build))
		return false;
	if (!take_numbers(&v, &npm.numbers))
		return false;
	if (v.n > 0 && !take_prerelease(v, &npm))
		return false;
	*ret = npm;
	return true;
}

static enum order compare(str a, str b)
{
	struct npm x, y;
	if (!parse(a, &x) || !parse(b, &y))
		return ORDER_UNORDERED;

	enum order o = numbers_compare(x.numbers, y.numbers);
	return o == ORDER_EQUAL ? prerelease_compare(x.prerelease, y.prerelease) : o;
}

static bool has_leading_zero(str parts)
{
	while (parts.n > 0) {
		str part = part_next(&parts, '.');
		if (part.n > 1 && *part.p == '0' && is_number(part))
			return true;
	}
	return false;
}

static bool is_valid(str v)
{
	struct npm npm;
	if (!parse(v, &npm) || has_leading_zero(npm.numbers) || has_leading_zero(npm.prerelease))
		return false;

	v = str_trim(v);
	if (str_has_prefix(v, STR("v")))
		v = str_skip(v, 1);
	/* Strictly nothing stands before the numbers, and a '-' before the pre-release. */
	return v.p == npm.numbers.p &&
	       (npm.prerelease.n == 0 || npm.prerelease.p == npm.numbers.p + npm.numbers.n + 1);
}

const struct scheme scheme_npm = {
	.name = "npm",
	.title = "npm",
	.source = "Semantic Versioning 2.0.0, item 11; node-semver 7, README \"Versions\"",
	.wider = "semver", /* "fixed": "2" */
	.compare = compare,
	.is_valid = is_valid,
};
