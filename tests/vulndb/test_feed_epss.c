/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <string.h>

static double score(struct vulndb *db, const char *cve)
{
	double v = -1;
	struct err err = { 0 };
	return vulndb_epss(db, str_from_c(cve), &v, &err) == 0 ? v : -1;
}

static void import_text(void **state, const char *name, const char *text, struct told *told)
{
	const char *path = in_scratch(state, "in/%s", name);
	write_file(path, str_from_c(text));
	import_path(state, path, told);
}

static void test_feed_epss__reads_every_published_layout(void **state)
{
	static const char *const layouts[] = {
		"cve,epss\nCVE-2020-5902,0.65117\nCVE-2018-19571,0.04773\n",
		"cve,epss,percentile\nCVE-2020-5902,0.65117,0.9981063485700858\r\n\nCVE-2018-19571,"
		"4.773e-02,0.8\r\n",
		"#model_version:v2022.01.01,score_date:2022-02-04T00:00:00+0000\ncve,epss,"
		"percentile\n"
		"CVE-2018-19571,.04773,0.93112\nCVE-2020-5902,6.5117E-1,0.99999",
	};
	for (size_t i = 0; i < 3; i++) {
		const char *path = in_scratch(state, "in%zu/epss_scores-2021-04-14.csv", i);
		write_file(path, str_from_c(layouts[i]));
		struct vulndb *db = open_built(state, path);
		assert_true(score(db, "CVE-2020-5902") == 0.65117);
		assert_true(score(db, "CVE-2018-19571") == 0.04773);
		assert_true(score(db, "CVE-2018-19572") < 0);
		assert_true(score(db, "nonsense") < 0);
		assert_true(str_has_prefix(
		        vulndb_built_at(db), i < 2 ? STR("2021-04-14") : STR("2022-02-04")));
		vulndb_close(db);
	}
}

static void test_feed_epss__counts_rows_that_are_none_and_rows_that_repeat(void **state)
{
	struct told told;
	told_init(&told);
	import_text(state, "epss_scores-2030-01-01.csv",
	        "cve,epss\nCVE-2020-0001,0.1\nCVE-2020-0001,0.2\nCVE-2020-2,0.1\nCVE-20200-1234,0."
	        "1\n"
	        "CVE-2020-0003,1.1\nCVE-2020-0004,-0.1\nCVE-2020-0005,\nCVE-2020-0006,abc\nCVE-"
	        "2020-0007\n"
	        "CVE-2020-0008,1\nCVE-2020-0009,1.0\nCVE-2020-0010,0\nCVE-2020-0011,1e-30\nCVE-"
	        "2020-0012,1e9\n"
	        "CVE-2020-0013,0.1.2\n",
	        &told);
	assert_true(told_has(&told.sources, "epss 15 used=5 duplicate=1 bad row=9\n"));
	assert_true(told_has(&told.records, "epss line 4: bad row"));
	assert_true(told_has(&told.records, "epss CVE-2020-0001: duplicate"));
	told_fini(&told);
}

static void test_feed_epss__says_what_is_wrong_with_a_file(void **state)
{
	static const struct {
		const char *text, *problem;
	} rows[] = { { "a,b,c\n1,2,3\n", "no EPSS table" }, { "", "no EPSS table" },
		{ "cve,epss\n", "holds no record" },
		{ "cve,epss\nx,y\n", "none of its 1 records" } };
	for (size_t i = 0; i < 4; i++) {
		const char *path = in_scratch(state, "bad/epss_scores-2031-01-0%zu.csv", i + 1);
		struct err err = { 0 };
		struct told told;
		told_init(&told);
		write_file(path, str_from_c(rows[i].text));
		assert_int_equal(
		        feed_import(&path, 1, in_scratch(state, "store"), 1, &told.listener, &err),
		        -ERR_FORMAT);
		if (!strstr(err.text, rows[i].problem))
			fail_msg("%s", err.text);
		assert_true(told_has(&told.sources, rows[i].problem));
		told_fini(&told);
	}
}

static void test_feed_epss__says_when_gzip_data_are_damaged(void **state)
{
	autobuf packed = BUF(1 << 20), text = BUF(1 << 20);
	buf_add(&text, STR("cve,epss\n"));
	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "CVE-2020-%04d,0.%05d\n", 1000 + i, (i * 7919) % 100000);
	make_gzip(buf_str(&text), &packed);
	const char *path = in_scratch(state, "gz/epss_scores-2032-01-01.csv.gz");
	struct err err = { 0 };
	write_file(path, str_head(buf_str(&packed), packed.n / 2));
	assert_int_equal(
	        feed_import(&path, 1, in_scratch(state, "store"), 1, NULL, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "truncated"));
	write_file(path, buf_str(&packed));
	flip_byte(path, packed.n / 2, 0x10);
	assert_int_equal(
	        feed_import(&path, 1, in_scratch(state, "store"), 1, NULL, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "damaged"));
	write_file(path, buf_str(&packed));
	assert_int_equal(feed_import(&path, 1, in_scratch(state, "store"), 1, NULL, &err), 0);
}

static void test_feed_epss__finds_every_score_in_many_pages(void **state)
{
	autobuf text = BUF(1 << 20);
	buf_add(&text, STR("#model_version:x,score_date:2040-01-01T00:00:00+0000\ncve,epss\n"));
	for (int i = 0; i < 3000; i++)
		buf_printf(&text, "CVE-%d-%04d,0.%05d\n", 2000 + i % 3, 1 + i * 5, i);
	const char *path = in_scratch(state, "many.csv");
	write_file(path, buf_str(&text));
	struct vulndb *db = open_built(state, path);
	for (int i = 0; i < 3000; i++) {
		char cve[32];
		(void)snprintf(cve, sizeof(cve), "CVE-%d-%04d", 2000 + i % 3, 1 + i * 5);
		assert_true(score(db, cve) > i / 1e5 - 1e-9 && score(db, cve) < i / 1e5 + 1e-9);
		(void)snprintf(cve, sizeof(cve), "CVE-%d-%04d", 2000 + i % 3, 2 + i * 5);
		assert_true(score(db, cve) < 0);
	}
	vulndb_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_feed_epss__reads_every_published_layout,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(
		        test_feed_epss__counts_rows_that_are_none_and_rows_that_repeat,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_epss__says_what_is_wrong_with_a_file,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_epss__says_when_gzip_data_are_damaged,
		        scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(test_feed_epss__finds_every_score_in_many_pages,
		        scratch_setup, scratch_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
