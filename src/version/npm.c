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
#define NPM_NUMBER_MAX 9007199254740991u

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
		uint64_t unused;
		if (!str_to_u64(str_take_while(s, is_digit), NPM_NUMBER_MAX, &unused))
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

/* One end of a range: three numbers and a pre-release. */
struct bound {
	uint64_t numbers[3];
	str prerelease;
};

/* "1.2.x": how many numbers stand before the first that is missing or a wildcard. */
struct partial {
	struct bound bound;
	int n_given;
};

/* Versions from `low` on (or behind it), up to and without `high` (or with it). */
struct interval {
	struct bound low, high;
	bool has_low, has_high, is_low_open, is_high_closed, is_empty;
};

static struct bound bound_of(const struct npm *npm)
{
	struct bound bound = { .prerelease = npm->prerelease };
	str numbers = npm->numbers;
	for (int i = 0; i < 3; i++)
		(void)str_to_u64(part_next(&numbers, '.'), UINT64_MAX, &bound.numbers[i]);
	return bound;
}

static enum order compare_numbers(const struct bound *a, const struct bound *b)
{
	enum order o = ORDER_EQUAL;
	for (int i = 0; i < 3 && o == ORDER_EQUAL; i++)
		o = ORDER_OF(a->numbers[i], b->numbers[i]);
	return o;
}

static enum order compare_bounds(const struct bound *a, const struct bound *b)
{
	enum order o = compare_numbers(a, b);
	return o == ORDER_EQUAL ? prerelease_compare(a->prerelease, b->prerelease) : o;
}

/* The lowest of all with the next number at `place`: 1.2.3 at 1 is 1.3.0-0. */
static struct bound next_at(struct bound bound, int place)
{
	bound.numbers[place]++;
	for (int i = place + 1; i < 3; i++)
		bound.numbers[i] = 0;
	bound.prerelease = STR("0");
	return bound;
}

static bool is_wildcard(char c)
{
	return c == 'x' || c == 'X' || c == '*';
}

static bool is_suffix_byte(char c)
{
	return is_alnum(c) || c == '-' || c == '.';
}

/* Remove "[-]pre-release" and "+build" from the front. */
static bool take_suffixes(str *s, struct bound *bound)
{
	str text = str_take_while(s, is_suffix_byte);
	bound->prerelease = str_has_prefix(text, STR("-")) ? str_skip(text, 1) : text;
	if (text.n > 0 && !is_identifiers(bound->prerelease))
		return false;
	if (s->n == 0 || *s->p != '+')
		return true;
	*s = str_skip(*s, 1);
	return is_identifiers(str_take_while(s, is_suffix_byte));
}

static bool take_partial(str *s, struct partial *ret)
{
	struct partial partial = { .bound = { .prerelease = STR("") } };
	bool is_open = false;

	(void)str_take_while(s, is_loose_head);
	for (int i = 0; i < 3; i++) {
		if (i > 0 && !str_has_prefix(*s, STR(".")))
			break;
		*s = str_skip(*s, i > 0);
		if (s->n > 0 && is_wildcard(*s->p)) {
			*s = str_skip(*s, 1);
			is_open = true;
			continue;
		}
		uint64_t number;
		if (!str_to_u64(str_take_while(s, is_digit), NPM_NUMBER_MAX, &number))
			return false;
		if (is_open)
			continue;
		partial.bound.numbers[i] = number;
		partial.n_given = i + 1;
	}
	if ((partial.n_given == 3 || is_open) && !take_suffixes(s, &partial.bound))
		return false;
	if (partial.n_given < 3)
		partial.bound.prerelease = (str){ "", 0 };
	*ret = partial;
	return s->n == 0 || is_space(*s->p);
}

static struct interval from(const struct partial *partial)
{
	return (struct interval){ .low = partial->bound, .has_low = partial->n_given > 0 };
}

/* From the partial on, up to the next number at `place`. */
static struct interval span(const struct partial *partial, int place)
{
	struct interval interval = from(partial);
	interval.has_high = partial->n_given > 0;
	interval.high = next_at(partial->bound, place);
	return interval;
}

/* "1.2", "=1.2.3" */
static struct interval exactly(const struct partial *partial)
{
	struct interval interval = from(partial);
	if (partial->n_given > 0 && partial->n_given < 3)
		return span(partial, partial->n_given - 1);
	interval.high = interval.low;
	interval.has_high = interval.is_high_closed = partial->n_given == 3;
	return interval;
}

static struct interval below(const struct partial *partial, bool or_equal)
{
	struct interval interval = exactly(partial);
	interval.has_low = false;
	if (or_equal)
		return interval;
	interval.is_empty = partial->n_given == 0;
	interval.is_high_closed = false;
	interval.high = partial->bound;
	if (partial->n_given < 3)
		interval.high.prerelease = STR("0");
	return interval;
}

static struct interval above(const struct partial *partial)
{
	struct interval interval = from(partial);
	interval.is_empty = partial->n_given == 0;
	interval.is_low_open = partial->n_given == 3;
	if (partial->n_given > 0 && partial->n_given < 3) {
		interval.low = next_at(partial->bound, partial->n_given - 1);
		interval.low.prerelease = (str){ "", 0 };
	}
	return interval;
}

/* "^1.2.3": up to the next of the first number that is not 0. */
static struct interval caret(const struct partial *partial)
{
	int place = 0;
	while (place + 1 < partial->n_given && partial->bound.numbers[place] == 0)
		place++;
	return span(partial, place);
}

enum operator{
	OP_AT_LEAST,
	OP_AT_MOST,
	OP_ABOVE,
	OP_BELOW,
	OP_TILDE_ABOVE,
	OP_TILDE,
	OP_CARET,
	OP_EQUAL,
	OP_NONE
};

static enum operator take_operator(str *s)
{
	/* Longer spellings first. */
	static const str spellings[OP_NONE] = {
		[OP_AT_LEAST] = STR(">="),
		[OP_AT_MOST] = STR("<="),
		[OP_ABOVE] = STR(">"),
		[OP_BELOW] = STR("<"),
		[OP_TILDE_ABOVE] = STR("~>"),
		[OP_TILDE] = STR("~"),
		[OP_CARET] = STR("^"),
		[OP_EQUAL] = STR("="),
	};
	for (int i = 0; i < OP_NONE; i++) {
		if (!str_has_prefix(*s, spellings[i]))
			continue;
		*s = str_skip(*s, spellings[i].n);
		return (enum operator)i;
	}
	return OP_NONE;
}

static struct interval interval_of(enum operator op, const struct partial *partial)
{
	switch (op) {
	case OP_AT_LEAST: return from(partial);
	case OP_AT_MOST: return below(partial, true);
	case OP_ABOVE: return above(partial);
	case OP_BELOW: return below(partial, false);
	case OP_TILDE_ABOVE:
	case OP_TILDE: return span(partial, partial->n_given > 1 ? 1 : 0);
	case OP_CARET: return caret(partial);
	case OP_EQUAL:
	case OP_NONE: break;
	}
	return exactly(partial);
}

/* Remove one comparator, or a hyphen range "1.2 - 2", and the blanks behind it. */
static bool take_interval(str *s, struct interval *ret)
{
	struct partial partial, to;
	enum operator op = take_operator(s);
	if (!take_partial(s, &partial))
		return false;
	*s = str_trim(*s);
	*ret = interval_of(op, &partial);
	if (op != OP_NONE || s->n < 2 || s->p[0] != '-' || !is_space(s->p[1]))
		return true;

	*s = str_skip(*s, 1);
	if (!take_partial(s, &to))
		return false;
	*s = str_trim(*s);
	struct interval end = below(&to, true);
	*ret = from(&partial);
	ret->high = end.high;
	ret->has_high = end.has_high;
	ret->is_high_closed = end.is_high_closed;
	return true;
}

static bool contains(const struct interval *interval, const struct bound *v)
{
	enum order low = compare_bounds(v, &interval->low),
	           high = compare_bounds(v, &interval->high);
	if (interval->is_empty)
		return false;
	if (interval->has_low && (interval->is_low_open ? low != ORDER_GREATER : low == ORDER_LESS))
		return false;
	return !interval->has_high ||
	       (interval->is_high_closed ? high != ORDER_GREATER : high == ORDER_LESS);
}

static bool names_prerelease_of(bool has_end, const struct bound *bound, const struct bound *v)
{
	return has_end && bound->prerelease.n > 0 && compare_numbers(bound, v) == ORDER_EQUAL;
}

/* All comparators must hold. A pre-release is only inside when one of them names one of its
 * version. */
static enum containment in_all(const struct bound *v, str set)
{
	bool inside = true, allowed = v->prerelease.n == 0;
	for (set = str_trim(set); set.n > 0;) {
		struct interval interval;
		if (!take_interval(&set, &interval))
			return RANGE_UNREADABLE;
		inside &= contains(&interval, v);
		allowed |= names_prerelease_of(interval.has_low, &interval.low, v) ||
		           names_prerelease_of(interval.has_high, &interval.high, v);
	}
	return inside && allowed ? RANGE_INSIDE : RANGE_OUTSIDE;
}

/* Sets of comparators with "||" between them; one must hold. */
static enum containment in_range(str v, str range)
{
	struct npm npm;
	struct bound bound = { .prerelease = STR("") };
	enum containment any = RANGE_OUTSIDE;
	bool is_version = parse(v, &npm), more = true;
	if (is_version)
		bound = bound_of(&npm);
	while (more) {
		size_t n = 0;
		while (n < range.n && !str_has_prefix(str_skip(range, n), STR("||")))
			n++;
		enum containment one = in_all(&bound, str_head(range, n));
		if (one != RANGE_OUTSIDE && any != RANGE_INSIDE)
			any = one;
		more = n < range.n;
		range = str_skip(range, n + 2);
	}
	return any == RANGE_INSIDE && !is_version ? RANGE_OUTSIDE : any;
}

const struct scheme scheme_npm = {
	.name = "npm",
	.title = "npm",
	.source = "Semantic Versioning 2.0.0, item 11; node-semver 7, README \"Versions\" and "
	          "\"Ranges\"",
	.wider = "semver", /* "fixed": "2" */
	.compare = compare,
	.is_valid = is_valid,
	.in_range = in_range,
};
