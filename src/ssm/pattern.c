/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expression becomes a tree, the tree a program for a machine that is in many states at once
 * (Thompson's construction): for each character of the text, every state that can take it moves on.
 * A state is entered once per character, so the work is the product of the two lengths.
 *
 * Source: K. Thompson, "Regular Expression Search Algorithm", CACM 11 (1968)
 */
#include "ssm/pattern.h"

#include "base/cleanup.h"
#include "base/json.h"

#define DEPTH_MAX 40
#define REPEATS_MAX 3
#define REPEAT_MAX 1000
#define NONE UINT32_MAX

struct range {
	uint32_t low, high;
};

enum node_kind { NODE_SET, NODE_BEGIN, NODE_END, NODE_JOIN, NODE_EITHER, NODE_REPEAT };

struct node {
	enum node_kind kind;
	const struct range *ranges;
	size_t n_ranges;
	bool is_negated;
	const struct node
	        *child; /* the first of NODE_JOIN and NODE_EITHER, the one of NODE_REPEAT */
	struct node *last, *next; /* the last child; the next of the same parent */
	unsigned min, max;        /* NODE_REPEAT; max NONE: without end */
};

enum op { OP_SET, OP_SPLIT, OP_JUMP, OP_BEGIN, OP_END, OP_DONE };

struct code {
	enum op op;
	uint32_t x, y;
	const struct node *set;
};

struct pattern {
	struct code code[PATTERN_CODE_MAX];
	uint32_t n;
	unsigned steps; /* of making it: empty repetitions cost some too */
	bool is_too_large;
};

/* ---- reading ---- */

struct reader {
	str rest;
	struct arena *arena;
	struct err *err;
	int r;
};

static struct node *fail(struct reader *reader, int code, const char *text)
{
	if (reader->r == 0)
		reader->r = err_set(reader->err, code, "the regular expression %s", text);
	return NULL;
}

static struct node *node(struct reader *reader, enum node_kind kind)
{
	struct node *made = arena_alloc(reader->arena, 1, sizeof *made);
	if (!made)
		(void)fail(reader, -ERR_LIMIT, "is too large");
	else
		made->kind = kind;
	return made;
}

/* One character of UTF-8; a byte that belongs to none stands for itself. */
static uint32_t take_char(str *s)
{
	size_t n = str_utf8_len(*s);
	const unsigned char *p = (const unsigned char *)s->p;
	uint32_t c = p[0];
	if (n == 2)
		c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	else if (n == 3)
		c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	else if (n == 4)
		c = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 |
		    (p[3] & 0x3fu);
	*s = str_skip(*s, n ? n : 1);
	return c;
}

static bool is_next(const struct reader *reader, char c)
{
	return reader->rest.n > 0 && reader->rest.p[0] == c;
}

static bool take(struct reader *reader, char c)
{
	if (!is_next(reader, c))
		return false;
	reader->rest = str_skip(reader->rest, 1);
	return true;
}

static const struct range digits[] = { { '0', '9' } };
static const struct range words[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
static const struct range spaces[] = { { '\t', '\r' }, { ' ', ' ' } };
static const struct range not_digits[] = { { 0, '0' - 1 }, { '9' + 1, 0x10ffff } };
static const struct range not_words[] = { { 0, '0' - 1 }, { '9' + 1, 'A' - 1 }, { 'Z' + 1, '^' },
	{ '`', '`' }, { 'z' + 1, 0x10ffff } };
static const struct range not_spaces[] = { { 0, 8 }, { 14, 31 }, { 33, 0x10ffff } };

/* The set that a letter behind a backslash stands for; 0 when it is none. */
static size_t class_of(char letter, const struct range **ret)
{
#define CLASS(c, set)                                                                              \
	case c: *ret = set; return sizeof set / sizeof set[0]
	switch (letter) {
		CLASS('d', digits);
		CLASS('w', words);
		CLASS('s', spaces);
		CLASS('D', not_digits);
		CLASS('W', not_words);
		CLASS('S', not_spaces);
	default: return 0;
	}
#undef CLASS
}

/* A character behind a backslash that stands for one character. */
static bool take_escaped(struct reader *reader, uint32_t *ret)
{
	uint32_t c = take_char(&reader->rest);
	switch (c) {
	case 'n': *ret = '\n'; return true;
	case 't': *ret = '\t'; return true;
	case 'r': *ret = '\r'; return true;
	case 'f': *ret = '\f'; return true;
	case 'v': *ret = '\v'; return true;
	default: break;
	}
	*ret = c;
	if (c < 128 && is_alnum((char)c)) {
		(void)fail(reader, -ERR_UNSUPPORTED, "uses an escape that is not supported here");
		return false;
	}
	return true;
}

static struct node *set_of(struct reader *reader, const struct range *ranges, size_t n)
{
	struct node *set = node(reader, NODE_SET);
	if (!set)
		return NULL;
	struct range *copy = arena_alloc(reader->arena, n + 1, sizeof *copy);
	if (!copy)
		return fail(reader, -ERR_LIMIT, "is too large");
	if (n > 0)
		memcpy(copy, ranges, n * sizeof *copy);
	set->ranges = copy;
	set->n_ranges = n;
	return set;
}

/* One end of a range inside brackets. False: it was a class, added to the set, or a failure. */
static bool take_end(struct reader *reader, struct range *set, size_t *n, uint32_t *ret)
{
	const struct range *class = NULL;
	if (!take(reader, '\\')) {
		*ret = take_char(&reader->rest);
		return true;
	}
	if (reader->rest.n == 0) {
		(void)fail(reader, -ERR_FORMAT, "ends inside of brackets");
		return false;
	}
	size_t n_class = class_of(reader->rest.p[0], &class);
	if (n_class == 0)
		return take_escaped(reader, ret);
	reader->rest = str_skip(reader->rest, 1);
	memcpy(set + *n, class, n_class * sizeof *set);
	*n += n_class;
	return false;
}

static struct node *read_brackets(struct reader *reader)
{
	struct range set[128];
	size_t n = 0;
	bool is_negated = take(reader, '^'), is_first = true;

	for (; reader->r == 0 && (is_first || !is_next(reader, ']')); is_first = false) {
		uint32_t low = 0, high = 0;
		if (reader->rest.n == 0)
			return fail(reader, -ERR_FORMAT,
			        "has an opening bracket without its closing one");
		if (n + 8 > sizeof set / sizeof set[0])
			return fail(reader, -ERR_LIMIT, "has a set that is too large");
		if (!take_end(reader, set, &n, &low))
			continue;
		high = low;
		if (is_next(reader, '-') && reader->rest.n > 1 && reader->rest.p[1] != ']') {
			(void)take(reader, '-');
			if (!take_end(reader, set, &n, &high) || high < low)
				return fail(reader, -ERR_FORMAT, "has a range that runs backwards");
		}
		set[n++] = (struct range){ low, high };
	}
	(void)take(reader, ']');
	struct node *made = reader->r ? NULL : set_of(reader, set, n);
	if (made)
		made->is_negated = is_negated;
	return made;
}

static struct node *read_escape(struct reader *reader)
{
	const struct range *class = NULL;
	uint32_t c = 0;
	if (reader->rest.n == 0)
		return fail(reader, -ERR_FORMAT, "ends with a backslash");
	char letter = reader->rest.p[0];
	if (letter == 'A' || letter == 'z' || letter == 'Z') {
		reader->rest = str_skip(reader->rest, 1);
		return node(reader, letter == 'A' ? NODE_BEGIN : NODE_END);
	}
	size_t n = class_of(letter, &class);
	if (n > 0) {
		reader->rest = str_skip(reader->rest, 1);
		return set_of(reader, class, n);
	}
	if (!take_escaped(reader, &c))
		return NULL;
	return set_of(reader, &(struct range){ c, c }, 1);
}

/* "{m}", "{m,}" or "{m,n}" behind the brace. */
static bool read_counts(struct reader *reader, unsigned *ret_min, unsigned *ret_max)
{
	uint64_t min = 0, max = 0;
	str low = str_take_while(&reader->rest, is_digit), high;
	bool is_good = str_to_u64(low, REPEAT_MAX, &min);

	max = min;
	if (is_good && take(reader, ',')) {
		high = str_take_while(&reader->rest, is_digit);
		max = NONE;
		if (high.n > 0)
			is_good = str_to_u64(high, REPEAT_MAX, &max) && max >= min;
	}
	if (!is_good || !take(reader, '}')) {
		(void)fail(reader, -ERR_FORMAT, "has a repetition that cannot be read");
		return false;
	}
	*ret_min = (unsigned)min;
	*ret_max = (unsigned)max;
	return true;
}

static struct node *read_repeats(struct reader *reader, struct node *atom)
{
	int n = 0;
	while (atom && reader->rest.n > 0) {
		unsigned min = 0, max = NONE;
		if (take(reader, '*'))
			;
		else if (take(reader, '+'))
			min = 1;
		else if (take(reader, '?'))
			max = 1;
		else if (!take(reader, '{'))
			break;
		else if (!read_counts(reader, &min, &max))
			return NULL;
		(void)take(reader, '?'); /* lazy: which match is found makes no difference here */
		struct node *repeat = node(reader, NODE_REPEAT);
		if (!repeat)
			return NULL;
		repeat->child = atom;
		repeat->min = min;
		repeat->max = max;
		atom = repeat;
		if (++n > REPEATS_MAX)
			return fail(reader, -ERR_FORMAT, "repeats a repetition too often");
	}
	return atom;
}

static struct node *read_atom(struct reader *reader)
{
	if (take(reader, '['))
		return read_brackets(reader);
	if (take(reader, '\\'))
		return read_escape(reader);
	if (take(reader, '^'))
		return node(reader, NODE_BEGIN);
	if (take(reader, '$'))
		return node(reader, NODE_END);
	if (take(reader, '.')) {
		struct node *any = set_of(reader, &(struct range){ '\n', '\n' }, 1);
		if (any)
			any->is_negated = true;
		return any;
	}
	if (is_next(reader, '*') || is_next(reader, '+') || is_next(reader, '?'))
		return fail(reader, -ERR_FORMAT, "repeats nothing");
	uint32_t c = take_char(&reader->rest);
	return set_of(reader, &(struct range){ c, c }, 1);
}

static void append(struct node *parent, struct node *child)
{
	if (parent->last)
		parent->last->next = child;
	else
		parent->child = child;
	parent->last = child;
}

/* One open group: its alternatives, the last of which is still growing. */
struct group {
	struct node *either, *join;
};

static bool open_join(struct reader *reader, struct group *group)
{
	group->join = node(reader, NODE_JOIN);
	if (group->join)
		append(group->either, group->join);
	return group->join != NULL;
}

static bool open_group(struct reader *reader, struct group *group)
{
	group->either = node(reader, NODE_EITHER);
	return group->either && open_join(reader, group);
}

/* Behind an opening parenthesis. */
static bool open_inner(struct reader *reader, struct group *groups, unsigned *depth)
{
	if (*depth + 1 == DEPTH_MAX) {
		(void)fail(reader, -ERR_LIMIT, "is nested too deeply");
		return false;
	}
	if (take(reader, '?') && !take(reader, ':')) {
		(void)fail(reader, -ERR_UNSUPPORTED, "uses a group that is not supported here");
		return false;
	}
	return open_group(reader, &groups[++*depth]);
}

static struct node *read_all(struct reader *reader)
{
	struct group groups[DEPTH_MAX];
	unsigned depth = 0;

	if (!open_group(reader, &groups[0]))
		return NULL;
	while (reader->r == 0 && reader->rest.n > 0) {
		struct node *atom = NULL;
		if (take(reader, '(')) {
			(void)open_inner(reader, groups, &depth);
			continue;
		}
		if (take(reader, '|')) {
			(void)open_join(reader, &groups[depth]);
			continue;
		}
		if (take(reader, ')')) {
			if (depth == 0)
				return fail(reader, -ERR_FORMAT, "closes a group that is not open");
			atom = groups[depth--].either;
		} else {
			atom = read_atom(reader);
		}
		atom = read_repeats(reader, atom);
		if (atom)
			append(groups[depth].join, atom);
	}
	if (depth > 0)
		return fail(reader, -ERR_FORMAT, "has a group that is not closed");
	return reader->r ? NULL : groups[0].either;
}

/* ---- the program ---- */

/* Past the limit every addition goes to the last place, and the whole is refused at the end. */
static uint32_t emit(struct pattern *pattern, enum op op, const struct node *set)
{
	if (pattern->n == PATTERN_CODE_MAX) {
		pattern->is_too_large = true;
		return pattern->n - 1;
	}
	pattern->code[pattern->n] = (struct code){ .op = op, .set = set };
	return pattern->n++;
}

static void compile(struct pattern *pattern, const struct node *tree)
{
	uint32_t split, jumps = NONE;

	if (pattern->is_too_large || ++pattern->steps > 100000) {
		pattern->is_too_large = true;
		return;
	}
	switch (tree->kind) {
	case NODE_SET: (void)emit(pattern, OP_SET, tree); break;
	case NODE_BEGIN: (void)emit(pattern, OP_BEGIN, NULL); break;
	case NODE_END: (void)emit(pattern, OP_END, NULL); break;
	case NODE_JOIN:
		for (const struct node *child = tree->child; child; child = child->next)
			compile(pattern, child);
		break;
	case NODE_EITHER:
		/* The jumps to the end are chained through x until the end is known. */
		for (const struct node *child = tree->child; child; child = child->next) {
			if (!child->next) {
				compile(pattern, child);
				break;
			}
			split = emit(pattern, OP_SPLIT, NULL);
			pattern->code[split].x = split + 1;
			compile(pattern, child);
			uint32_t jump = emit(pattern, OP_JUMP, NULL);
			pattern->code[jump].x = jumps;
			jumps = jump;
			pattern->code[split].y = pattern->n;
		}
		while (!pattern->is_too_large && jumps != NONE) {
			uint32_t next = pattern->code[jumps].x;
			pattern->code[jumps].x = pattern->n;
			jumps = next;
		}
		break;
	case NODE_REPEAT:
		for (unsigned i = 0; i < tree->min && !pattern->is_too_large; i++)
			compile(pattern, tree->child);
		if (tree->max == NONE) {
			split = emit(pattern, OP_SPLIT, NULL);
			pattern->code[split].x = split + 1;
			compile(pattern, tree->child);
			pattern->code[emit(pattern, OP_JUMP, NULL)].x = split;
			pattern->code[split].y = pattern->n;
			break;
		}
		for (unsigned i = tree->min; i < tree->max && !pattern->is_too_large; i++) {
			split = emit(pattern, OP_SPLIT, NULL);
			pattern->code[split].x = split + 1;
			compile(pattern, tree->child);
			pattern->code[split].y = pattern->n;
		}
		break;
	}
}

int pattern_read(str text, struct arena *arena, struct pattern **ret, struct err *err)
{
	struct reader reader = { .rest = text, .arena = arena, .err = err };

	if (text.n > PATTERN_MAX)
		return err_set(err, -ERR_LIMIT, "the regular expression is longer than %d bytes",
		        PATTERN_MAX);
	const struct node *tree = read_all(&reader);
	if (!tree)
		return reader.r;
	struct pattern *pattern = arena_alloc(arena, 1, sizeof *pattern);
	if (!pattern)
		return err_set(err, -ERR_LIMIT, "the regular expression is too large");
	compile(pattern, tree);
	(void)emit(pattern, OP_DONE, NULL);
	if (pattern->is_too_large)
		return err_set(err, -ERR_LIMIT, "the regular expression is too large");
	*ret = pattern;
	return 0;
}

/* ---- matching ---- */

/* The states that wait for a character; `seen` is the round in which each was entered last. */
struct states {
	uint32_t at[PATTERN_CODE_MAX];
	uint32_t n;
};

struct machine {
	const struct pattern *pattern;
	struct states states[2];
	uint32_t seen[PATTERN_CODE_MAX];
	uint32_t stack[PATTERN_CODE_MAX * 2];
	uint32_t round;
	bool is_done;
};

/* Enter a state, and all that follow from it without a character. */
static void enter(
        struct machine *machine, struct states *states, uint32_t from, bool is_begin, bool is_end)
{
	uint32_t n = 0;
	machine->stack[n++] = from;
	while (n > 0) {
		uint32_t at = machine->stack[--n];
		const struct code *code = &machine->pattern->code[at];
		if (machine->seen[at] == machine->round)
			continue;
		machine->seen[at] = machine->round;
		switch (code->op) {
		case OP_SET: states->at[states->n++] = at; break;
		case OP_SPLIT:
			machine->stack[n++] = code->y;
			machine->stack[n++] = code->x;
			break;
		case OP_JUMP: machine->stack[n++] = code->x; break;
		case OP_BEGIN:
			if (is_begin)
				machine->stack[n++] = at + 1;
			break;
		case OP_END:
			if (is_end)
				machine->stack[n++] = at + 1;
			break;
		case OP_DONE: machine->is_done = true; break;
		}
	}
}

static bool takes(const struct node *set, uint32_t c)
{
	bool is_in = false;
	for (size_t i = 0; i < set->n_ranges && !is_in; i++)
		is_in = c >= set->ranges[i].low && c <= set->ranges[i].high;
	return is_in != set->is_negated;
}

bool pattern_matches(const struct pattern *pattern, str s)
{
	autofree struct machine *machine = calloc(1, sizeof *machine);
	if (!machine)
		return false;
	machine->pattern = pattern;
	struct states *now = &machine->states[0], *next = &machine->states[1];

	for (bool is_begin = true;; is_begin = false) {
		machine->round++;
		/* The states of the last character are entered by the loop below; a match may
		   also begin here. */
		for (uint32_t i = 0; i < now->n; i++)
			machine->seen[now->at[i]] = machine->round;
		enter(machine, now, 0, is_begin, s.n == 0);
		if (machine->is_done || s.n == 0)
			return machine->is_done;
		uint32_t c = take_char(&s);
		machine->round++;
		next->n = 0;
		for (uint32_t i = 0; i < now->n; i++) {
			if (takes(pattern->code[now->at[i]].set, c))
				enter(machine, next, now->at[i] + 1, false, s.n == 0);
		}
		struct states *swap = now;
		now = next;
		next = swap;
	}
}
