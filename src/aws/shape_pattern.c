/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All places of the program that the string read so far can have led to are kept as a set, and the
 * next code point moves the whole set on: there is nothing to go back to. A place is in the set at
 * most once, so that a step costs no more than the program is long, whatever the string
 * (K. Thompson, "Regular Expression Search Algorithm", CACM 11:6, 1968).
 */
#include "aws/shape_pattern.h"

#include "aws/shape_table.h"
#include "base/json.h"

/* The places reached at one position of the string. */
struct places {
	uint16_t at[PATTERN_OPS_MAX]; /* of PATTERN_SET instructions only */
	size_t n;
	bool has_match;
};

struct matcher {
	const struct shape_pattern *pattern;
	const struct pattern_op *ops;
	uint32_t marks[PATTERN_OPS_MAX]; /* the step at which an instruction was reached, from 1 */
	uint32_t step;
	uint16_t todo[PATTERN_OPS_MAX]; /* each instruction gets here once a step, by its mark */
	struct places now, next;
	bool is_begin, is_end, is_word_border;
};

static bool is_word(char c)
{
	return is_alnum(c) || c == '_';
}

/* A sequence of n bytes that is known to be UTF-8. */
static uint32_t code_point(str s, size_t n)
{
	static const unsigned char head[] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
	uint32_t c = (unsigned char)s.p[0] & head[n];
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3Fu);
	return c;
}

static bool set_has(const struct pattern_set *set, uint32_t c)
{
	size_t low = 0, high = set->n;
	if (c < 128)
		return set->ascii[c / 64] >> (c % 64) & 1;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (c < set->ranges[mid].first)
			high = mid;
		else if (c > set->ranges[mid].last)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

static bool holds(const struct matcher *m, enum pattern_code code)
{
	switch (code) {
	case PATTERN_BEGIN: return m->is_begin;
	case PATTERN_END: return m->is_end;
	case PATTERN_WORD: return m->is_word_border;
	case PATTERN_INSIDE: return !m->is_word_border;
	case PATTERN_SET:
	case PATTERN_SPLIT:
	case PATTERN_JUMP:
	case PATTERN_MATCH:
	default: return false;
	}
}

static void want(struct matcher *m, size_t *n, uint16_t place)
{
	if (m->marks[place] == m->step)
		return;
	m->marks[place] = m->step;
	m->todo[(*n)++] = place;
}

/* Add a place, and all that can be reached from it without reading. */
static void reach(struct matcher *m, struct places *to, uint16_t place)
{
	size_t n = 0;
	want(m, &n, place);
	while (n > 0) {
		uint16_t at = m->todo[--n];
		const struct pattern_op *op = &m->ops[at];
		if (op->code == PATTERN_SET) {
			to->at[to->n++] = at;
		} else if (op->code == PATTERN_MATCH) {
			to->has_match = true;
		} else if (op->code == PATTERN_SPLIT) {
			want(m, &n, op->y);
			want(m, &n, op->x);
		} else if (op->code == PATTERN_JUMP) {
			want(m, &n, op->x);
		} else if (holds(m, op->code)) {
			want(m, &n, (uint16_t)(at + 1));
		}
	}
}

/* What assertions will see at offset i. */
static void look_around(struct matcher *m, str s, size_t i)
{
	bool before = i > 0 && is_word(s.p[i - 1]), after = i < s.n && is_word(s.p[i]);
	m->is_begin = i == 0;
	m->is_end = i == s.n;
	m->is_word_border = before != after;
	m->step++;
}

/*
 * Returns: 1 when the program matches all of s (is_prefix: any beginning of it), 0 when not; -1
 * when s is not UTF-8
 */
static int run(struct matcher *m, str s, bool is_prefix)
{
	struct places *now = &m->now, *next = &m->next;
	now->n = 0;
	now->has_match = false;
	look_around(m, s, 0);
	reach(m, now, 0);
	for (size_t i = 0, n; i < s.n; i += n) {
		if (is_prefix && now->has_match)
			return 1;
		n = str_utf8_len(str_skip(s, i));
		if (n == 0)
			return -1;
		if (now->n == 0)
			return 0;
		uint32_t c = code_point(str_skip(s, i), n);
		look_around(m, s, i + n);
		next->n = 0;
		next->has_match = false;
		for (size_t k = 0; k < now->n; k++) {
			const struct pattern_op *op = &m->ops[now->at[k]];
			if (set_has(&m->pattern->sets[op->x], c))
				reach(m, next, (uint16_t)(now->at[k] + 1));
		}
		struct places *was = now;
		now = next;
		next = was;
	}
	return now->has_match;
}

static void begin(struct matcher *m, const struct pattern_op *ops, size_t n)
{
	m->ops = ops;
	m->step = 0;
	memset(m->marks, 0, n * sizeof(m->marks[0]));
}

const char *shape_pattern_text(const struct shape_pattern *pattern)
{
	return pattern->text;
}

bool shape_pattern_matches(const struct shape_pattern *pattern, str s)
{
	struct matcher m; /* large: only what a run needs is cleared */
	m.pattern = pattern;
	if (s.n >= UINT32_MAX)
		return false;
	if (pattern->not ) {
		begin(&m, pattern->not, pattern->n_not);
		if (run(&m, s, true) != 0)
			return false;
	}
	begin(&m, pattern->main, pattern->n_main);
	return run(&m, s, false) == 1;
}

const struct shape_pattern *shape_pattern_find(str text)
{
	for (size_t i = 0; i < pattern_table_n; i++) {
		if (str_eq(str_from_c(pattern_table[i].text), text))
			return &pattern_table[i];
	}
	return NULL;
}
