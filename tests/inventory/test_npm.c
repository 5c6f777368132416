/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "probe.h"

extern const struct reader reader_npm;

#define LODASH "/srv/node_modules/lodash/package.json"

static bool is_wanted(const char *path)
{
	size_t count;
	str s = str_from_c(path);
	int tag = inventory_select(str_dirname(s), str_basename(s));
	return tag >= 0 && reader_all(&count)[tag] == &reader_npm;
}

static void test_npm__wants_package_json_anywhere(void **state)
{
	(void)state;
	assert_true(is_wanted(LODASH));
	assert_true(is_wanted("/package.json"));
	assert_false(is_wanted("/srv/node_modules/.package-lock.json"));
	assert_false(is_wanted("/srv/package-lock.json"));
	assert_false(is_wanted("/srv/Package.json"));
	assert_false(is_wanted("/srv/xpackage.json"));
}

static void test_npm__knows_a_package_s_root_by_its_path(void **state)
{
	(void)state;
	static const char inside[] = "skip not the root of a package\n";
	static const char text[] = "{\"name\":\"@s/n\",\"version\":\"1.0.0\"}";
	static const struct {
		const char *path, *package; /* NULL: a helper file */
	} rows[] = {
		{ "/node_modules/@s/n/package.json", "@s/n|1.0.0|high||\n" },
		{ "node_modules/@s/n/package.json", "@s/n|1.0.0|high||\n" },
		{ "/a/node_modules/b/node_modules/@s/n/package.json", "@s/n|1.0.0|high||\n" },
		{ "/a/node_modules/.pnpm/@s+n@1.0.0/node_modules/@s/n/package.json",
		        "@s/n|1.0.0|high||\n" },
		{ "/a/node_modules/n/package.json", "@s/n|1.0.0|high||installed as n\n" },
		{ "/a/node_modules/@t/n/package.json", "@s/n|1.0.0|high||installed as @t/n\n" },
		{ "/a/package.json", "@s/n|1.0.0|medium||outside node_modules\n" },
		{ "package.json", "@s/n|1.0.0|medium||outside node_modules\n" },
		{ "/a/xnode_modules/n/package.json", "@s/n|1.0.0|medium||outside node_modules\n" },
		{ "/a/node_modules/@s/n/x/package.json", NULL },
		{ "/a/node_modules/n/x/package.json", NULL },
		{ "/a/node_modules/@s/package.json", NULL },
		{ "/a/node_modules/package.json", NULL },
		{ "/node_modules/package.json", NULL },
		{ "/a/node_modules/.n-1a2b3c/package.json", NULL },
		{ "/a/node_modules/.cache/n/package.json", NULL },
		{ "/a/node_modules/@s/.n-1a2b3c/package.json", NULL },
		{ "/a/node_modules/@/n/package.json", NULL },
		{ "/a/node_modules//package.json", NULL },
		{ "/a/node_modules/@s//package.json", NULL },
		{ "/a/node_modules//n/package.json", NULL },
		{ "/a/node_modules/@s//n/package.json", NULL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct probe p = PROBE(str_from_c(rows[i].path), STR(text));
		assert_int_equal(probe_read(&p, &reader_npm), 0);
		probe_expect(
		        &p, rows[i].package ? rows[i].package : "", rows[i].package ? "" : inside);
		if (!rows[i].package)
			assert_int_equal(p.n_read_bytes, 0);
		probe_fini(&p);
	}
}

static void test_npm__tells_an_application_from_a_copy(void **state)
{
	(void)state;
	static const struct {
		const char *member, *package;
	} rows[] = {
		{ "true", "a|1.0.0|low||private application\n" },
		{ "false", "a|1.0.0|medium||outside node_modules\n" },
		{ "\"true\"", "a|1.0.0|medium||outside node_modules\n" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128];
		int n = snprintf(text, sizeof(text),
		        "{\"private\":%s,\"name\":\"a\",\"version\":\"1.0.0\"}", rows[i].member);
		struct probe p = PROBE(STR("/srv/a/package.json"), ((str){ text, (size_t)n }));
		assert_int_equal(probe_read(&p, &reader_npm), 0);
		probe_expect(&p, rows[i].package, "");
		probe_fini(&p);
	}
}

static void test_npm__reads_every_form_of_licence(void **state)
{
	(void)state;
	static const struct {
		const char *members, *licence;
	} rows[] = {
		{ "\"license\":\"MIT\"", "MIT" },
		{ "\"license\":\"(MIT OR ISC)\"", "(MIT OR ISC)" },
		{ "\"license\":{\"url\":\"u\",\"type\":\"BSD\"}", "BSD" },
		{ "\"licenses\":[{\"type\":\"MIT\"},{\"url\":\"u\"},\"ISC\",7,null]",
		        "MIT OR ISC" },
		{ "\"licenses\":\"MIT\"", "MIT" },
		{ "\"license\":\"MIT\",\"licenses\":[\"ISC\"]", "MIT" },
		{ "\"licenses\":[\"ISC\"],\"license\":\"MIT\"", "MIT" },
		{ "\"license\":7", "" },
		{ "\"license\":null", "" },
		{ "\"license\":[]", "" },
		{ "\"license\":\"a\\u001bb\"", "" },
		{ "\"license\":{\"type\":{\"type\":\"x\"}}", "" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256], expected[128];
		int n = snprintf(text, sizeof(text),
		        "{%s,\"name\":\"lodash\",\"version\":\"1.0.0\"}", rows[i].members);
		(void)snprintf(
		        expected, sizeof(expected), "lodash|1.0.0|high|%s|\n", rows[i].licence);
		struct probe p = PROBE(STR(LODASH), ((str){ text, (size_t)n }));
		assert_int_equal(probe_read(&p, &reader_npm), 0);
		probe_expect(&p, expected, "");
		probe_fini(&p);
	}
}

static void test_npm__takes_a_path_of_any_bytes(void **state)
{
	(void)state;
	struct probe p = PROBE(STR("/\xff\n/node_modules/l\xff\x1bo/package.json"),
	        STR("{\"name\":\"lodash\",\"version\":\"1.0.0\"}"));
	assert_int_equal(probe_read(&p, &reader_npm), 0);
	probe_expect(&p, "lodash|1.0.0|high||installed as l\xff?o\n", "");
	probe_fini(&p);
}

static void test_npm__refuses_what_it_cannot_read_whole(void **state)
{
	(void)state;
	struct probe p = PROBE(STR(LODASH), STR("{"));
	p.size_bytes = (uint64_t)1 << 30;
	p.filler = ' ';
	assert_int_equal(probe_read(&p, &reader_npm), -ERR_LIMIT);
	assert_int_equal(p.n_read_bytes, 0);
	probe_fini(&p);

	p = PROBE(STR(LODASH), STR("{\"name\":\"lodash\",\"version\":\"1.0.0\"}"));
	p.read_error = -EIO;
	assert_int_equal(probe_read(&p, &reader_npm), -EIO);
	probe_expect(&p, "", "");
	probe_fini(&p);

	p = PROBE(STR(LODASH), STR("{\"name\":\"lodash\",\"version\":\"1.0.0\"}"));
	p.size_bytes = 4096; /* it has shrunk since: what is there is whole */
	assert_int_equal(probe_read(&p, &reader_npm), 0);
	probe_expect(&p, "lodash|1.0.0|high||\n", "");
	probe_fini(&p);
}

static void test_npm__stops_when_the_sink_or_the_memory_says_so(void **state)
{
	(void)state;
	struct probe p = PROBE(STR(LODASH), STR("{\"name\":\"lodash\",\"version\":\"1.0.0\"}"));
	p.sink_error = -ECANCELED;
	assert_int_equal(probe_read(&p, &reader_npm), -ECANCELED);
	probe_fini(&p);

	for (size_t cap = 0; cap < 1024; cap += 16) {
		p = PROBE(STR(LODASH), STR("{\"name\":\"lodas\\u0068\",\"version\":\"1.0.\\u0030\","
		                           "\"licenses\":[\"MIT\",\"ISC\"]}"));
		p.arena_bytes = cap;
		int r = probe_read(&p, &reader_npm);
		assert_true(r == 0 || r == -ERR_LIMIT);
		assert_int_equal(p.n_packages, p.packages.n > 0);
		if (r == 0)
			probe_expect(&p, "lodash|1.0.0|high|MIT OR ISC|\n", "");
		probe_fini(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_npm__wants_package_json_anywhere),
		cmocka_unit_test(test_npm__knows_a_package_s_root_by_its_path),
		cmocka_unit_test(test_npm__tells_an_application_from_a_copy),
		cmocka_unit_test(test_npm__reads_every_form_of_licence),
		cmocka_unit_test(test_npm__takes_a_path_of_any_bytes),
		cmocka_unit_test(test_npm__refuses_what_it_cannot_read_whole),
		cmocka_unit_test(test_npm__stops_when_the_sink_or_the_memory_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
