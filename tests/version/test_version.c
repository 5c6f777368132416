/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables written for the project: "A op B" a line, blanks between. Each line is checked in both
 * directions, each version against itself, and all versions of a table for transitivity.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/fs.h"
#include "version/version.h"

#define VERSIONS_MAX 400

static const char *scheme_name;

static enum order order_of_sign(char sign)
{
	switch (sign) {
	case '<': return ORDER_LESS;
	case '=': return ORDER_EQUAL;
	case '>': return ORDER_GREATER;
	default: return ORDER_UNORDERED;
	}
}

static enum order mirrored(enum order o)
{
	return o == ORDER_UNORDERED ? o : (enum order) - (int)o;
}

struct table {
	const struct scheme *scheme;
	str versions[VERSIONS_MAX];
	size_t n;
	unsigned n_lines, n_bad;
};

static void check_row(struct table *table, unsigned line_number, str line)
{
	str a = { 0 }, op = STR(" "), b = { 0 };
	assert_true(str_split_first(line, ' ', &a, &b) && str_split_first(b, ' ', &op, &b));
	assert_true(op.n == 1 && table->n + 2 <= VERSIONS_MAX);

	enum order want = order_of_sign(*op.p);
	enum order got = version_compare(table->scheme, a, b);
	enum order back = version_compare(table->scheme, b, a);
	table->n_lines++;
	if (got != want || back != mirrored(want)) {
		table->n_bad++;
		fprintf(stderr, "line %u: " STR_FMT ": got %s, mirrored %s\n", line_number,
		        STR_ARG(line), order_sign(got), order_sign(back));
	}
	if (want != ORDER_UNORDERED) {
		table->versions[table->n++] = a;
		table->versions[table->n++] = b;
	}
}

/* a <= b and b <= c give a <= c, strictly when one of them is strict. */
static unsigned check_transitivity(const struct table *table)
{
	unsigned n_bad = 0;
	const str *v = table->versions;
	for (size_t i = 0; i < table->n; i++) {
		for (size_t j = 0; j < table->n; j++) {
			int ij = version_compare(table->scheme, v[i], v[j]);
			if (ij > 0)
				continue;
			for (size_t k = 0; k < table->n; k++) {
				int jk = version_compare(table->scheme, v[j], v[k]);
				int ik = version_compare(table->scheme, v[i], v[k]);
				n_bad += jk <= 0 && ik != (ij < jk ? ij : jk);
			}
		}
	}
	return n_bad;
}

static void test_version__follows_its_table(void **state)
{
	struct table table = { .scheme = scheme_find(str_from_c(scheme_name)) };
	autobuf text = BUF(1u << 20);
	char path[1024];
	str line;
	unsigned n = 0;

	(void)state;
	assert_non_null(table.scheme);
	snprintf(path, sizeof(path), "%s/version/%s.txt", FIXTURES, scheme_name);
	assert_int_equal(fs_read(AT_FDCWD, path, &text, NULL), 0);
	for (str rest = buf_str(&text); str_next_line(&rest, &line);) {
		n++;
		if (line.n > 0 && *line.p != '#')
			check_row(&table, n, line);
	}
	assert_true(table.n_lines >= 10);
	assert_int_equal(table.n_bad, 0);
	assert_int_equal(check_transitivity(&table), 0);
}

static void test_version__is_unordered_past_its_limit(void **state)
{
	const struct scheme *scheme = scheme_find(str_from_c(scheme_name));
	char text[VERSION_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = '1';
	str longest = { text, VERSION_MAX }, longer = { text, VERSION_MAX + 1 };
	assert_int_equal(version_compare(scheme, longer, STR("1.0.0")), ORDER_UNORDERED);
	assert_int_equal(version_compare(scheme, STR("1.0.0"), longer), ORDER_UNORDERED);
	assert_false(version_is_valid(scheme, longer));
	/* npm alone has a lower limit of its own. */
	if (!str_eq(str_from_c(scheme_name), STR("npm")))
		assert_int_equal(version_compare(scheme, longest, STR("1.0.0")), ORDER_GREATER);
}

static void test_version__takes_empty_and_odd_bytes(void **state)
{
	const struct scheme *scheme = scheme_find(str_from_c(scheme_name));
	(void)state;
	assert_int_equal(version_compare(scheme, (str){ NULL, 0 }, STR("1.0.0")), ORDER_UNORDERED);
	assert_int_equal(version_compare(scheme, STR("1.0.0"), STR("")), ORDER_UNORDERED);
	(void)version_compare(scheme, STR("1.0.0"), STR("\0\xff\x80\n"));
}

static void test_version__finds_schemes_by_exact_name(void **state)
{
	size_t n;
	const struct scheme *const *all = scheme_all(&n);
	(void)state;
	assert_true(n >= 5);
	for (size_t i = 0; i < n; i++)
		assert_ptr_equal(scheme_find(str_from_c(all[i]->name)), all[i]);
	assert_null(scheme_find(STR("Deb")));
	assert_null(scheme_find(STR("")));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version__follows_its_table),
		cmocka_unit_test(test_version__is_unordered_past_its_limit),
		cmocka_unit_test(test_version__takes_empty_and_odd_bytes),
		cmocka_unit_test(test_version__finds_schemes_by_exact_name),
	};
	scheme_name = argc > 1 ? argv[1] : "deb";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
