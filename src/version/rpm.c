/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpm versions: [epoch:]version[-release].
 *
 * Each part is read as runs of digits and runs of letters; every other byte only separates runs,
 * except
 * '~', which sorts before the end ("1.0~rc1" < "1.0"), and '^', which sorts after the end but
 * before anything else ("1.0" < "1.0^git1" < "1.0.1"). A number is newer than a word, a longer part
 * is newer.
 *
 * An absent epoch is 0. An absent release is older than every release, also than an empty one, as
 * rpm's own comparison of whole versions has it ("1" < "1-" < "1-1"); rpm's dependency rule, where
 * an absent release fits any, is no order (1-1 = 1 = 1-2) and is not used. Any bytes form a
 * version, because rpm refuses none; only the empty string is unordered.
 */
#include "version/number.h"

struct evr {
	str epoch, version, release;
	bool has_release;
};

static bool is_run_start(char c)
{
	return is_alnum(c) || c == '~' || c == '^';
}

static bool parse(str v, struct evr *ret)
{
	struct evr evr = { .epoch = STR("0"), .version = v };
	if (v.n == 0)
		return false;

	str rest = v;
	str digits = str_take_while(&rest, is_digit);
	if (rest.n > 0 && *rest.p == ':') {
		evr.epoch = digits;
		evr.version = str_skip(rest, 1);
	}
	evr.has_release = str_split_last(evr.version, '-', &evr.version, &evr.release);

	*ret = evr;
	return true;
}

/* Both sides begin with a letter or a digit. */
static enum order compare_run(str *a, str *b)
{
	bool number_a = is_digit(*a->p), number_b = is_digit(*b->p);
	if (number_a != number_b)
		return ORDER_OF(number_a, number_b);

	str run_a = str_take_while(a, number_a ? is_digit : is_alpha);
	str run_b = str_take_while(b, number_a ? is_digit : is_alpha);
	return number_a ? number_compare(run_a, run_b) : bytes_compare(run_a, run_b);
}

/* Where each kind of start sorts against the others. */
static int rank(str s)
{
	if (s.n == 0)
		return 1;
	return *s.p == '~' ? 0 : *s.p == '^' ? 2 : 3;
}

static enum order compare_part(str a, str b)
{
	for (;;) {
		(void)str_take_until(&a, is_run_start);
		(void)str_take_until(&b, is_run_start);
		int rank_a = rank(a), rank_b = rank(b);
		if (rank_a != rank_b || a.n == 0)
			return ORDER_OF(rank_a, rank_b);
		if (rank_a < 3) {
			a = str_skip(a, 1);
			b = str_skip(b, 1);
			continue;
		}
		enum order o = compare_run(&a, &b);
		if (o != ORDER_EQUAL)
			return o;
	}
}

static enum order compare(str a, str b)
{
	struct evr x, y;
	if (!parse(a, &x) || !parse(b, &y))
		return ORDER_UNORDERED;

	enum order o = number_compare(x.epoch, y.epoch);
	if (o == ORDER_EQUAL)
		o = compare_part(x.version, y.version);
	if (o == ORDER_EQUAL)
		o = ORDER_OF(x.has_release, y.has_release);
	if (o == ORDER_EQUAL)
		o = compare_part(x.release, y.release);
	return o;
}

static bool is_valid(str v)
{
	return v.n > 0;
}

const struct scheme scheme_rpm = {
	.name = "rpm",
	.title = "Fedora, Red Hat, SUSE, Amazon Linux and others with rpm",
	.source = "rpm-version(7)",
	.compare = compare,
	.is_valid = is_valid,
};
