/* SPDX-License-Identifier: Apache-2.0 */
#include "version/check.h"

/* Versions may be long; a sentence holds the beginning of each. */
#define SHOWN_BYTES 60

static str shown(str s)
{
	return str_head(s, SHOWN_BYTES);
}

static enum check_result fail(struct err *err, const char *what)
{
	(void)err_set(err, -ERR_FORMAT, "%s", what);
	return CHECK_FAIL;
}

static bool parse_bool(str s, bool *ret)
{
	*ret = str_eq(s, STR("true"));
	return *ret || str_eq(s, STR("false"));
}

static enum check_result check_cmp(const struct scheme *scheme, str line, struct err *err)
{
	str a, op, b;
	if (!str_split_first(line, '\t', &a, &b) || !str_split_first(b, '\t', &op, &b))
		return fail(err, "not 'A<TAB>op<TAB>B'");
	if (op.n != 1 || !strchr("<=>?", *op.p))
		return fail(err, "the operator is not one of < = > ?");

	str got = str_from_c(order_sign(version_compare(scheme, a, b)));
	if (str_eq(got, op))
		return CHECK_PASS;
	(void)err_set(err, -ERR_FORMAT,
	        "'" STR_FMT "' " STR_FMT " '" STR_FMT "', but we say " STR_FMT, STR_ARG(shown(a)),
	        STR_ARG(op), STR_ARG(shown(b)), STR_ARG(got));
	return CHECK_FAIL;
}

static enum check_result check_valid(const struct scheme *scheme, str line, struct err *err)
{
	str v, word;
	bool want;
	if (!str_split_last(line, '\t', &v, &word) || !parse_bool(word, &want))
		return fail(err, "not 'version<TAB>true' or 'version<TAB>false'");
	if (version_is_valid(scheme, v) == want)
		return CHECK_PASS;
	(void)err_set(err, -ERR_FORMAT, "'" STR_FMT "' is %s version, but we say the opposite",
	        STR_ARG(shown(v)), want ? "a" : "no");
	return CHECK_FAIL;
}

static enum check_result check_range(const struct scheme *scheme, str line, struct err *err)
{
	str v, range, word;
	bool want;
	if (!str_split_first(line, '\t', &v, &range) ||
	        !str_split_last(range, '\t', &range, &word) || !parse_bool(word, &want))
		return fail(err, "not 'version<TAB>range<TAB>true' or '...<TAB>false'");

	enum containment got = RANGE_UNREADABLE;
	if (v.n <= VERSION_MAX && range.n <= RANGE_MAX)
		got = scheme->in_range(v, range);
	if ((got == RANGE_INSIDE) == want)
		return CHECK_PASS;
	(void)err_set(err, -ERR_FORMAT, "'" STR_FMT "' is %s '" STR_FMT "', but we say %s",
	        STR_ARG(shown(v)), want ? "inside" : "outside", STR_ARG(shown(range)),
	        got == RANGE_INSIDE    ? "inside"
	        : got == RANGE_OUTSIDE ? "outside"
	                               : "that this is no range");
	return CHECK_FAIL;
}

static enum check_result check_map(const struct scheme *scheme, str line, struct err *err)
{
	str v, want;
	if (!str_split_first(line, '\t', &v, &want))
		return fail(err, "not 'version<TAB>normal form'");

	struct version_text text = { .n = 0 };
	if (v.n > VERSION_MAX || !scheme->normalise(v, &text))
		text.n = 0;
	str got = { text.bytes, text.n };
	if (str_eq(got, want))
		return CHECK_PASS;
	(void)err_set(err, -ERR_FORMAT, "'" STR_FMT "' is '" STR_FMT "', but we say '" STR_FMT "'",
	        STR_ARG(shown(v)), STR_ARG(shown(want)), STR_ARG(shown(got)));
	return CHECK_FAIL;
}

bool check_kind_parse(str word, enum check_kind *ret)
{
	static const char *const words[] = {
		[CHECK_CMP] = "cmp",
		[CHECK_RANGE] = "range",
		[CHECK_VALID] = "valid",
		[CHECK_MAP] = "map",
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!str_eq(str_from_c(words[i]), word))
			continue;
		*ret = (enum check_kind)i;
		return true;
	}
	return false;
}

int check_supports(const struct scheme *scheme, enum check_kind kind, struct err *err)
{
	if (kind == CHECK_RANGE && !scheme->in_range)
		return err_set(err, -ERR_UNSUPPORTED,
		        "scheme %s has no language of ranges that we read", scheme->name);
	if (kind == CHECK_MAP && !scheme->normalise)
		return err_set(err, -ERR_UNSUPPORTED, "scheme %s has no normal form of a version",
		        scheme->name);
	return 0;
}

enum check_result check_line(
        const struct scheme *scheme, enum check_kind kind, str line, struct err *err)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0 || (*line.p == '#' && !memchr(line.p, '\t', line.n)))
		return CHECK_NOTHING;

	switch (kind) {
	case CHECK_CMP: return check_cmp(scheme, line, err);
	case CHECK_RANGE: return check_range(scheme, line, err);
	case CHECK_VALID: return check_valid(scheme, line, err);
	case CHECK_MAP: return check_map(scheme, line, err);
	}
	return CHECK_NOTHING;
}
