/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "probe.h"

extern const struct reader reader_pypi;

#define SITE "/usr/lib/python3.11/site-packages/"
#define METADATA SITE "numpy-1.21.3.dist-info/METADATA"
#define NUMPY "Metadata-Version: 2.1\nName: numpy\nVersion: 1.21.3\n"

#define GIB ((uint64_t)1 << 30)
#define MIB ((uint64_t)1 << 20)

static bool is_wanted(const char *path)
{
	size_t count;
	str s = str_from_c(path);
	int tag = inventory_select(str_dirname(s), str_basename(s));
	return tag >= 0 && reader_all(&count)[tag] == &reader_pypi;
}

static void test_pypi__wants_metadata_by_its_exact_name_and_folder(void **state)
{
	(void)state;
	assert_true(is_wanted(METADATA));
	assert_true(is_wanted("/home/u/.local/lib/python3.9/site-packages/a-1.dist-info/METADATA"));
	assert_true(is_wanted(SITE "a-1.egg-info/PKG-INFO"));
	assert_true(is_wanted(SITE "a-1-py3.11.egg/EGG-INFO/PKG-INFO"));
	assert_true(is_wanted(SITE "a-1-py3.11.egg-info"));

	assert_false(is_wanted(SITE "numpy-1.21.3.dist-info/METADATAtest"));
	assert_false(is_wanted(SITE "numpy-1.21.3.dist-info/metadata"));
	assert_false(is_wanted(SITE "numpy-1.21.3.dist-info/RECORD"));
	assert_false(is_wanted(SITE "numpy-1.21.3.DIST-INFO/METADATA"));
	assert_false(is_wanted(SITE "numpy-1.21.3.dist-info/x/METADATA"));
	assert_false(is_wanted(SITE "METADATA"));
	assert_false(is_wanted("/tmp/METADATA"));
	assert_false(is_wanted("/tmp/PKG-INFO"));
	assert_false(is_wanted(SITE "a-1.egg-info/METADATA"));
	assert_false(is_wanted(SITE "a.egg-link"));
}

static void test_pypi__reads_a_gigabyte_no_further_than_its_header(void **state)
{
	(void)state;
	struct probe p = PROBE(STR(METADATA), STR(NUMPY "\n"));
	p.size_bytes = GIB;
	p.filler = 'x';
	assert_int_equal(probe_read(&p, &reader_pypi), 0);
	probe_expect(&p, "numpy|1.21.3|high||\n", "");
	assert_true(p.n_read_bytes <= 16 << 10);
	probe_fini(&p);
}

static void test_pypi__gives_up_on_a_header_without_name_or_end(void **state)
{
	(void)state;
	struct probe p = PROBE(STR(METADATA), STR("Name: numpy\nX: "));
	p.size_bytes = GIB;
	p.filler = 'x';
	assert_int_equal(probe_read(&p, &reader_pypi), -ERR_LIMIT);
	probe_expect(&p, "", "");
	assert_true(p.n_read_bytes <= MIB);
	assert_true(p.err.text[0] != '\0');
	probe_fini(&p);
}

static void test_pypi__tells_of_a_header_that_is_read_in_part(void **state)
{
	(void)state;
	struct probe p = PROBE(STR(METADATA), STR(NUMPY "X: "));
	p.size_bytes = GIB;
	p.filler = 'x';
	assert_int_equal(probe_read(&p, &reader_pypi), 0);
	probe_expect(&p, "numpy|1.21.3|high||\n",
	        "0 the header is longer than 1 MiB: the rest is not read\n");
	assert_true(p.n_read_bytes <= MIB);
	probe_fini(&p);
}

static void test_pypi__never_reads_half_a_version_at_the_limit(void **state)
{
	(void)state;
	static const char head[] = "Name: numpy\nX: ", tail[] = "\nVersion: 1.2";
	autofree char *text = malloc(MIB + 64);
	assert_non_null(text);
	memset(text, 'x', MIB + 64);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + MIB - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	memcpy(text + MIB, "1.3\n\n", 5);
	struct probe p = PROBE(STR(METADATA), ((str){ text, MIB + 64 }));
	assert_int_equal(probe_read(&p, &reader_pypi), -ERR_LIMIT);
	probe_expect(&p, "", "");
	probe_fini(&p);
}

static void test_pypi__finds_the_empty_line_wherever_a_read_ends(void **state)
{
	(void)state;
	static const char *const ends[] = { "\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\r\n\n" };
	static const char rest[] = "Name: other\nVersion: 9\nLicense: no\n";
	char text[8192 + 128];
	for (size_t e = 0; e < sizeof(ends) / sizeof(ends[0]); e++) {
		for (size_t at = 8192 - 8; at < 8192 + 8; at++) {
			memset(text, 'x', sizeof(text));
			memcpy(text, NUMPY "X: ", strlen(NUMPY "X: "));
			memcpy(text + at, ends[e], strlen(ends[e]));
			memcpy(text + at + strlen(ends[e]), rest, sizeof(rest) - 1);
			struct probe p = PROBE(STR(METADATA), ((str){ text, sizeof(text) }));
			assert_int_equal(probe_read(&p, &reader_pypi), 0);
			probe_expect(&p, "numpy|1.21.3|high||\n", "");
			probe_fini(&p);
		}
	}
}

static void test_pypi__survives_a_file_that_shrinks_or_cannot_be_read(void **state)
{
	(void)state;
	struct probe p = PROBE(STR(METADATA), STR(""));
	p.size_bytes = 4096;
	assert_int_equal(probe_read(&p, &reader_pypi), -ERR_FORMAT);
	probe_fini(&p);

	p = PROBE(STR(METADATA), STR(NUMPY));
	p.read_error = -EIO;
	assert_int_equal(probe_read(&p, &reader_pypi), -EIO);
	probe_expect(&p, "", "");
	probe_fini(&p);
}

static void test_pypi__stops_when_the_sink_or_the_memory_says_so(void **state)
{
	(void)state;
	struct probe p = PROBE(STR(METADATA), STR(NUMPY));
	p.sink_error = -ECANCELED;
	assert_int_equal(probe_read(&p, &reader_pypi), -ECANCELED);
	assert_int_equal(p.n_packages, 1);
	probe_fini(&p);

	p = PROBE(STR(METADATA), STR("Name: Num.Py\nVersion: 1\n"));
	p.arena_bytes = 0;
	assert_int_equal(probe_read(&p, &reader_pypi), -ERR_LIMIT);
	assert_true(p.err.text[0] != '\0');
	probe_expect(&p, "", "");
	probe_fini(&p);

	p = PROBE(STR(METADATA), STR("Name: a\nVersion: 1\n 2\n"));
	p.arena_bytes = 0;
	assert_int_equal(probe_read(&p, &reader_pypi), -ERR_LIMIT);
	probe_expect(&p, "", "");
	probe_fini(&p);
}

static void test_pypi__takes_a_path_of_any_bytes(void **state)
{
	(void)state;
	struct probe p = PROBE(STR("/srv/\xff\n/n\xffumpy-1\x1b.dist-info/METADATA"), STR(NUMPY));
	assert_int_equal(probe_read(&p, &reader_pypi), 0);
	probe_expect(&p, "numpy|1.21.3|high||folder says n\xffumpy-1?\n", "");
	probe_fini(&p);

	p = PROBE(STR("METADATA"), STR(NUMPY));
	assert_int_equal(probe_read(&p, &reader_pypi), 0);
	probe_expect(&p, "numpy|1.21.3|high||\n", "");
	probe_fini(&p);
}

static void test_pypi__reads_one_line_of_licence(void **state)
{
	(void)state;
	static const struct {
		const char *fields, *licence;
	} rows[] = {
		{ "License: BSD", "BSD" },
		{ "License: UNKNOWN", "" },
		{ "License:", "" },
		{ "License-Expression: MIT OR Apache-2.0\nLicense: no", "MIT OR Apache-2.0" },
		{ "License: MIT License\n\n", "MIT License" },
		{ "License: Copyright (c) Somebody\n  Permission is hereby granted\n  x",
		        "Copyright (c) Somebody" },
		{ "License: \xff", "" },
		{ "License: a\tb", "" },
		{ "License-Expression: MIT\n  AND ISC", "MIT AND ISC" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[512], expected[512];
		int n = snprintf(text, sizeof(text), "%s%s\n", NUMPY, rows[i].fields);
		(void)snprintf(
		        expected, sizeof(expected), "numpy|1.21.3|high|%s|\n", rows[i].licence);
		struct probe p = PROBE(STR(METADATA), ((str){ text, (size_t)n }));
		assert_int_equal(probe_read(&p, &reader_pypi), 0);
		probe_expect(&p, expected, "");
		probe_fini(&p);
	}
}

static void test_pypi__compares_what_the_folder_is_called(void **state)
{
	(void)state;
	static const struct {
		const char *folder, *name, *version;
		bool agrees;
	} rows[] = {
		{ "numpy-1.21.3.dist-info", "numpy", "1.21.3", true },
		{ "numpy-1.21.3.dist-info", "numpy", "1.21.0", false },
		{ "numpy-1.21.3.dist-info", "NumPy", "1.21.3", true },
		{ "numpy-1.21.3.dist-info", "numpi", "1.21.3", false },
		{ "numpy.dist-info", "numpy", "1.21.3", true },
		{ "zope.interface-6.0.dist-info", "zope-interface", "6.0.0", true },
		{ "a_b-1.0.dist-info", "a.b", "1", true },
		{ "a_b-1.0.dist-info", "a", "1.0", false },
		{ "pkg-2-1.0.dist-info", "pkg-2", "1.0", true },
		{ "pkg-1.0rc1.dist-info", "pkg", "1.0-RC.1", true },
		{ "pkg-1.0rc2.dist-info", "pkg", "1.0rc1", false },
		{ "pkg-1.10.dist-info", "pkg", "1.1", false },
		{ "pkg-1.0_3.dist-info", "pkg", "1.0-3", true },
		{ "pkg-1.0-py3.8.egg-info", "pkg", "1.0", true },
		{ "pkg-1.0-py3.8-win32.egg-info", "pkg", "1.1", false },
		{ "----.dist-info", "a", "1", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256], path[256];
		bool is_egg = strstr(rows[i].folder, "egg-info") != NULL;
		int n = snprintf(text, sizeof(text), "Name: %s\nVersion: %s\n", rows[i].name,
		        rows[i].version);
		(void)snprintf(path, sizeof(path), "/x/%s/%s", rows[i].folder,
		        is_egg ? "PKG-INFO" : "METADATA");
		struct probe p = PROBE(str_from_c(path), ((str){ text, (size_t)n }));
		assert_int_equal(probe_read(&p, &reader_pypi), 0);
		assert_int_equal(p.n_packages, 1);
		if ((memmem(p.packages.p, p.packages.n, "folder says", 11) == NULL) !=
		        rows[i].agrees)
			fail_msg("%s against %s %s", rows[i].folder, rows[i].name, rows[i].version);
		probe_fini(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pypi__wants_metadata_by_its_exact_name_and_folder),
		cmocka_unit_test(test_pypi__reads_a_gigabyte_no_further_than_its_header),
		cmocka_unit_test(test_pypi__gives_up_on_a_header_without_name_or_end),
		cmocka_unit_test(test_pypi__tells_of_a_header_that_is_read_in_part),
		cmocka_unit_test(test_pypi__never_reads_half_a_version_at_the_limit),
		cmocka_unit_test(test_pypi__finds_the_empty_line_wherever_a_read_ends),
		cmocka_unit_test(test_pypi__survives_a_file_that_shrinks_or_cannot_be_read),
		cmocka_unit_test(test_pypi__stops_when_the_sink_or_the_memory_says_so),
		cmocka_unit_test(test_pypi__takes_a_path_of_any_bytes),
		cmocka_unit_test(test_pypi__reads_one_line_of_licence),
		cmocka_unit_test(test_pypi__compares_what_the_folder_is_called),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
