/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python versions: [N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local], with every spelling that PEP 440
 * normalises (case, "alpha", "-", "_", a leading "v", "1.0-1" for a post-release).
 *
 * The order of what follows the release number, from low to high:
 *
 *     1.0.dev1  1.0a1.dev1  1.0a1  1.0a1.post1  1.0b1  1.0rc1  1.0  1.0+local  1.0.post1.dev1  1.0.post1
 *
 * A development release sorts before what it leads to, so each of (pre, post, dev) has a rank that
 * stands for "absent", and the three are compared in that order.
 * What is not PEP 440 ("1.0-final", "2013-01-21") is unordered: Python's own tools refuse it too.
 */
#include "version/number.h"

/* What a pre-release is, in its order. A release sorts after all, a bare ".dev" before all. */
enum phase {
	PHASE_DEV,
	PHASE_ALPHA,
	PHASE_BETA,
	PHASE_CANDIDATE,
	PHASE_RELEASE,
};

struct pep440 {
	str epoch, release;
	enum phase phase;
	bool has_post, has_dev;
	str pre, post, dev; /* numbers; empty is 0 */
	str local;
};

struct word {
	str spelling;
	enum phase phase;
};

/* A spelling that begins with another stands before it. */
static const struct word pre_words[] = {
	{ STR("alpha"), PHASE_ALPHA },
	{ STR("a"), PHASE_ALPHA },
	{ STR("beta"), PHASE_BETA },
	{ STR("b"), PHASE_BETA },
	{ STR("preview"), PHASE_CANDIDATE },
	{ STR("pre"), PHASE_CANDIDATE },
	{ STR("rc"), PHASE_CANDIDATE },
	{ STR("c"), PHASE_CANDIDATE },
};
static const struct word post_words[] = {
	{ STR("post"), PHASE_RELEASE },
	{ STR("rev"), PHASE_RELEASE },
	{ STR("r"), PHASE_RELEASE },
};
static const struct word dev_words[] = { { STR("dev"), PHASE_DEV } };

#define N_OF(array) (sizeof(array) / sizeof(*(array)))

static bool is_separator(char c)
{
	return c == '-' || c == '_' || c == '.';
}

static str skip_separator(str s)
{
	return s.n > 0 && is_separator(*s.p) ? str_skip(s, 1) : s;
}

/* Remove "[sep]word[sep][number]" from the front. Returns the word found, or NULL and nothing
 * removed. */
static const struct word *take_word(str *s, const struct word *words, size_t n, str *ret_number)
{
	str rest = skip_separator(*s);
	for (size_t i = 0; i < n; i++) {
		str spelling = words[i].spelling;
		if (!str_eq_nocase(str_head(rest, spelling.n), spelling))
			continue;
		rest = skip_separator(str_skip(rest, spelling.n));
		*ret_number = str_take_while(&rest, is_digit);
		*s = rest;
		return &words[i];
	}
	return NULL;
}

/* Remove N(.N)* from the front; a dot that no digit follows stays. */
static str take_release(str *s)
{
	str all = *s, rest = *s;
	while (str_take_while(&rest, is_digit).n > 0) {
		*s = rest;
		if (rest.n == 0 || *rest.p != '.')
			break;
		rest = str_skip(rest, 1);
	}
	return str_head(all, all.n - s->n);
}

/* "1.0-1" is 1.0.post1; otherwise a word is needed. */
static bool take_post(str *s, str *ret_number)
{
	if (s->n > 1 && s->p[0] == '-' && is_digit(s->p[1])) {
		*s = str_skip(*s, 1);
		*ret_number = str_take_while(s, is_digit);
		return true;
	}
	return take_word(s, post_words, N_OF(post_words), ret_number) != NULL;
}

/* Letters and digits with single separators between them. */
static bool is_local(str s)
{
	bool was_separator = true;
	for (size_t i = 0; i < s.n; i++) {
		if (is_separator(s.p[i]) ? was_separator : !is_alnum(s.p[i]))
			return false;
		was_separator = is_separator(s.p[i]);
	}
	return !was_separator;
}

static bool parse(str v, struct pep440 *ret)
{
	struct pep440 p = { .epoch = STR("0"), .phase = PHASE_RELEASE };
	str tail;

	v = str_trim(v);
	if (v.n > 0 && to_lower(*v.p) == 'v')
		v = str_skip(v, 1);
	if (str_split_first(v, '!', &p.epoch, &tail)) {
		if (!is_number(p.epoch))
			return false;
		v = tail;
	}
	p.release = take_release(&v);
	if (p.release.n == 0)
		return false;

	const struct word *pre = take_word(&v, pre_words, N_OF(pre_words), &p.pre);
	if (pre)
		p.phase = pre->phase;
	p.has_post = take_post(&v, &p.post);
	p.has_dev = take_word(&v, dev_words, N_OF(dev_words), &p.dev) != NULL;
	if (!pre && !p.has_post && p.has_dev)
		p.phase = PHASE_DEV;

	if (v.n > 0 && *v.p == '+') {
		p.local = str_skip(v, 1);
		if (!is_local(p.local))
			return false;
	} else if (v.n > 0) {
		return false;
	}
	*ret = p;
	return true;
}

static str take_local_part(str *s)
{
	str head = str_take_until(s, is_separator);
	*s = str_skip(*s, 1);
	return head;
}

static enum order compare_nocase(str a, str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	for (size_t i = 0; i < n; i++) {
		char x = to_lower(a.p[i]), y = to_lower(b.p[i]);
		if (x != y)
			return ORDER_OF(x, y);
	}
	return ORDER_OF(a.n, b.n);
}

/* Part by part; a number is higher than a word, more parts are higher, none is lowest. */
static enum order compare_local(str a, str b)
{
	while (a.n > 0 && b.n > 0) {
		str part_a = take_local_part(&a), part_b = take_local_part(&b);
		bool number_a = is_number(part_a), number_b = is_number(part_b);
		enum order o = number_a != number_b ? ORDER_OF(number_a, number_b)
		               : number_a           ? number_compare(part_a, part_b)
		                                    : compare_nocase(part_a, part_b);
		if (o != ORDER_EQUAL)
			return o;
	}
	return ORDER_OF(a.n > 0, b.n > 0);
}

/* Everything but the local part. */
static enum order compare_public(const struct pep440 *x, const struct pep440 *y)
{
	enum order o = number_compare(x->epoch, y->epoch);
	if (o == ORDER_EQUAL)
		o = numbers_compare(x->release, y->release);
	if (o == ORDER_EQUAL)
		o = ORDER_OF(x->phase, y->phase);
	if (o == ORDER_EQUAL)
		o = number_compare(x->pre, y->pre);
	if (o == ORDER_EQUAL)
		o = ORDER_OF(x->has_post, y->has_post);
	if (o == ORDER_EQUAL)
		o = number_compare(x->post, y->post);
	if (o == ORDER_EQUAL)
		o = ORDER_OF(y->has_dev, x->has_dev);
	if (o == ORDER_EQUAL)
		o = number_compare(x->dev, y->dev);
	return o;
}

static enum order compare(str a, str b)
{
	struct pep440 x, y;
	if (!parse(a, &x) || !parse(b, &y))
		return ORDER_UNORDERED;

	enum order o = compare_public(&x, &y);
	return o == ORDER_EQUAL ? compare_local(x.local, y.local) : o;
}

static bool is_valid(str v)
{
	struct pep440 p;
	return parse(v, &p);
}

static void add(struct version_text *text, str s)
{
	for (size_t i = 0; i < s.n && text->n < sizeof(text->bytes); i++)
		text->bytes[text->n++] = to_lower(s.p[i]);
}

static void add_number(struct version_text *text, str number)
{
	(void)str_take_while(&number, is_zero);
	add(text, number.n > 0 ? number : STR("0"));
}

static void add_local(struct version_text *text, str local)
{
	char joint = '+';
	while (local.n > 0) {
		str part = take_local_part(&local);
		add(text, (str){ &joint, 1 });
		if (is_number(part))
			add_number(text, part);
		else
			add(text, part);
		joint = '.';
	}
}

static bool normalise(str v, struct version_text *ret)
{
	static const char *const words[] = {
		[PHASE_DEV] = "",
		[PHASE_ALPHA] = "a",
		[PHASE_BETA] = "b",
		[PHASE_CANDIDATE] = "rc",
		[PHASE_RELEASE] = "",
	};
	struct pep440 p;
	if (!parse(v, &p))
		return false;

	ret->n = 0;
	if (number_compare(p.epoch, STR("0")) != ORDER_EQUAL) {
		add_number(ret, p.epoch);
		add(ret, STR("!"));
	}
	for (bool first = true; p.release.n > 0; first = false) {
		add(ret, first ? STR("") : STR("."));
		add_number(ret, part_next(&p.release, '.'));
	}
	if (*words[p.phase]) {
		add(ret, str_from_c(words[p.phase]));
		add_number(ret, p.pre);
	}
	if (p.has_post) {
		add(ret, STR(".post"));
		add_number(ret, p.post);
	}
	if (p.has_dev) {
		add(ret, STR(".dev"));
		add_number(ret, p.dev);
	}
	add_local(ret, p.local);
	return true;
}

/* The operators of a version specifier, longer spellings first. */
enum operator{
	OP_ARBITRARY,
	OP_COMPATIBLE,
	OP_EQUAL,
	OP_UNEQUAL,
	OP_AT_MOST,
	OP_AT_LEAST,
	OP_BELOW,
	OP_ABOVE,
};

static const str operators[] = {
	[OP_ARBITRARY] = STR("==="),
	[OP_COMPATIBLE] = STR("~="),
	[OP_EQUAL] = STR("=="),
	[OP_UNEQUAL] = STR("!="),
	[OP_AT_MOST] = STR("<="),
	[OP_AT_LEAST] = STR(">="),
	[OP_BELOW] = STR("<"),
	[OP_ABOVE] = STR(">"),
};

static size_t count_parts(str release)
{
	size_t n = 0;
	for (; release.n > 0; n++)
		(void)part_next(&release, '.');
	return n;
}

/* Does the release of `x` begin with the first `n` parts of that of `y`? */
static bool has_release_prefix(const struct pep440 *x, const struct pep440 *y, size_t n)
{
	str a = x->release, b = y->release;
	if (number_compare(x->epoch, y->epoch) != ORDER_EQUAL)
		return false;
	for (; n > 0; n--) {
		str part_a = part_next(&a, '.'), part_b = part_next(&b, '.');
		if (number_compare(part_a, part_b) != ORDER_EQUAL)
			return false;
	}
	return true;
}

static bool is_same_base(const struct pep440 *x, const struct pep440 *y)
{
	return number_compare(x->epoch, y->epoch) == ORDER_EQUAL &&
	       numbers_compare(x->release, y->release) == ORDER_EQUAL;
}

static bool is_prerelease(const struct pep440 *p)
{
	return p->has_dev || p->phase < PHASE_RELEASE;
}

/* Local versions take part in == and != only, and there only when the specifier has one. */
static bool satisfies(
        enum operator op, const struct pep440 *x, const struct pep440 *y, bool is_prefix)
{
	enum order o = compare_public(x, y);
	bool equal = is_prefix ? has_release_prefix(x, y, count_parts(y->release))
	                       : o == ORDER_EQUAL &&
	                                 (y->local.n == 0 ||
	                                         compare_local(x->local, y->local) == ORDER_EQUAL);
	switch (op) {
	case OP_EQUAL: return equal;
	case OP_UNEQUAL: return !equal;
	case OP_AT_MOST: return o != ORDER_GREATER;
	case OP_AT_LEAST: return o != ORDER_LESS;
	case OP_COMPATIBLE:
		return o != ORDER_LESS && has_release_prefix(x, y, count_parts(y->release) - 1);
	case OP_BELOW:
		return o == ORDER_LESS &&
		       (is_prerelease(y) || !is_prerelease(x) || !is_same_base(x, y));
	case OP_ABOVE:
		return o == ORDER_GREATER && (y->has_post || !x->has_post || !is_same_base(x, y));
	case OP_ARBITRARY: break;
	}
	return false;
}

static enum containment check_specifier(str v, str specifier)
{
	struct pep440 x, y;
	size_t op = 0;
	while (op < N_OF(operators) && !str_has_prefix(specifier, operators[op]))
		op++;
	if (op == N_OF(operators))
		return RANGE_UNREADABLE;
	str text = str_trim(str_skip(specifier, operators[op].n));
	if (op == OP_ARBITRARY)
		return str_eq_nocase(str_trim(v), text) ? RANGE_INSIDE : RANGE_OUTSIDE;

	bool is_equality = op == OP_EQUAL || op == OP_UNEQUAL;
	bool is_prefix = is_equality && str_has_suffix(text, STR(".*"));
	if (!parse(str_head(text, text.n - (is_prefix ? 2 : 0)), &y))
		return RANGE_UNREADABLE;
	bool has_suffix = y.local.n > 0 || y.has_post || is_prerelease(&y);
	if ((is_prefix && has_suffix) || (y.local.n > 0 && !is_equality) ||
	        (op == OP_COMPATIBLE && count_parts(y.release) < 2))
		return RANGE_UNREADABLE;
	if (!parse(v, &x))
		return RANGE_OUTSIDE;
	return satisfies((enum operator)op, &x, &y, is_prefix) ? RANGE_INSIDE : RANGE_OUTSIDE;
}

/* Specifiers with commas between them; all must hold. */
static enum containment in_range(str v, str range)
{
	enum containment all = RANGE_INSIDE;
	range = str_trim(range);
	if (range.n == 0)
		return is_valid(v) ? RANGE_INSIDE : RANGE_OUTSIDE;
	while (range.n > 0) {
		enum containment one = check_specifier(v, str_trim(part_next(&range, ',')));
		if (one == RANGE_UNREADABLE)
			return one;
		if (one == RANGE_OUTSIDE)
			all = one;
	}
	return all;
}

const struct scheme scheme_pep440 = {
	.name = "pep440",
	.title = "Python",
	.source = "PEP 440, with its appendix B (the regular expression)",
	.compare = compare,
	.is_valid = is_valid,
	.normalise = normalise,
	.in_range = in_range,
};
