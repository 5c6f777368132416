/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "model/cvss.h"

/* Takes the next blank-separated word of a line, up to a '#'. */
static str next_word(str *line)
{
	(void)str_take_while(line, is_space);
	return str_has_prefix(*line, STR("#")) ? (str){ NULL, 0 } : str_take_until(line, is_space);
}

static unsigned check_score_table(str text)
{
	unsigned n = 0, bad = 0;
	for (str line; str_next_line(&text, &line);) {
		str vector = next_word(&line), score = next_word(&line);
		if (vector.n == 0)
			continue;
		enum cvss_version version;
		double got = -1;
		struct err err = { 0 };
		int r = cvss_score(vector, &version, &got, &err);
		char *end;
		double want = strtod(score.p, &end);
		n++;
		if (r == 0 && fabs(got - want) < 1e-6)
			continue;
		print_error(STR_FMT ": %.1f, expected " STR_FMT "; %s\n", STR_ARG(vector), got,
		        STR_ARG(score), err.text);
		bad++;
	}
	assert_int_equal(bad, 0);
	return n;
}

/* A vector of another version than the table's counts as refused: it is none of this version. */
static unsigned check_refused(str text, char major)
{
	unsigned n = 0, bad = 0;
	for (str line; str_next_line(&text, &line);) {
		str vector = next_word(&line);
		if (vector.n == 0)
			continue;
		bool is_good = str_has_suffix(str_trim(line), STR("#OK"));
		enum cvss_version version;
		double got;
		struct err err = { 0 };
		int r = cvss_score(vector, &version, &got, &err);
		n++;
		if (r == 0 && major != '\0' && cvss_version_name(version)[0] != major)
			r = err_set(&err, -ERR_FORMAT, "of another version");
		if (r == (is_good ? 0 : -ERR_FORMAT) && (is_good || err.text[0]))
			continue;
		print_error(STR_FMT ": %d\n", STR_ARG(vector), r);
		bad++;
	}
	assert_int_equal(bad, 0);
	return n;
}

static unsigned check_refused_v2(str text)
{
	return check_refused(text, '2');
}

static unsigned check_refused_v3(str text)
{
	return check_refused(text, '3');
}

static unsigned check_refused_v4(str text)
{
	return check_refused(text, '4');
}

static const char *shared(void)
{
	const char *at = getenv("SONDE_SHARED");
	return at ? at : SHARED;
}

/* Reads <shared>/oracles/cvss/<name>, or skips the test and says what is missing. */
static void read_oracle(const char *name, struct buf *out)
{
	char path[4096];
	(void)snprintf(path, sizeof(path), "%s/oracles/cvss/%s", shared(), name);
	if (access(path, R_OK) < 0) {
		print_message("skipped: oracles/cvss/%s is not there\n", name);
		skip();
	}
	assert_int_equal(fs_read(AT_FDCWD, path, out, NULL), 0);
}

static void check_oracle(const char *name, unsigned (*check)(str text))
{
	autobuf text = BUF(1 << 20);
	read_oracle(name, &text);
	assert_true(check(buf_str(&text)) > 0);
}

/* Every vector of a round-trip list must at least be taken and scored in range. */
static unsigned check_taken_table(str text)
{
	unsigned n = 0;
	for (str line; str_next_line(&text, &line);) {
		str vector = next_word(&line);
		enum cvss_version version;
		double got;
		struct err err = { 0 };
		if (vector.n == 0)
			continue;
		assert_int_equal(cvss_score(vector, &version, &got, &err), 0);
		assert_true(got >= 0 && got <= 10);
		n++;
	}
	return n;
}

static void test_cvss__oracle_scores_are_ours(void **state)
{
	(void)state;
	check_oracle("v2_score.list", check_score_table);
	check_oracle("v30_score.list", check_score_table);
	check_oracle("v31_score.list", check_score_table);
	check_oracle("v4_score.list", check_score_table);
}

static void test_cvss__oracle_round_trip_vectors_are_taken(void **state)
{
	(void)state;
	check_oracle("v2_roundtrip.list", check_taken_table);
	check_oracle("v3_roundtrip.list", check_taken_table);
	check_oracle("v4_roundtrip.list", check_taken_table);
}

static void test_cvss__oracle_errors_are_refused(void **state)
{
	(void)state;
	check_oracle("v2_error.list", check_refused_v2);
	check_oracle("v3_error.list", check_refused_v3);
	check_oracle("v4_error.list", check_refused_v4);
}

static void test_cvss__our_own_table_of_scores_holds(void **state)
{
	(void)state;
	autobuf text = BUF(1 << 20);
	assert_int_equal(fs_read(AT_FDCWD, FIXTURES "/model/cvss_score.txt", &text, NULL), 0);
	assert_true(check_score_table(buf_str(&text)) > 40);
}

static void test_cvss__our_own_table_of_errors_is_refused(void **state)
{
	(void)state;
	autobuf text = BUF(1 << 20);
	assert_int_equal(fs_read(AT_FDCWD, FIXTURES "/model/cvss_error.txt", &text, NULL), 0);
	assert_true(check_refused(buf_str(&text), '\0') > 20);
}

static void test_cvss__the_version_is_told_and_has_a_name(void **state)
{
	(void)state;
	static const struct {
		const char *vector, *name;
	} rows[] = {
		{ "AV:N/AC:L/Au:N/C:C/I:C/A:C", "2.0" },
		{ "(AV:N/AC:L/Au:N/C:C/I:C/A:C)", "2.0" },
		{ "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "3.0" },
		{ "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "3.1" },
		{ "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "4.0" },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum cvss_version version;
		double score;
		assert_int_equal(cvss_score(str_from_c(rows[i].vector), &version, &score, NULL), 0);
		assert_string_equal(cvss_version_name(version), rows[i].name);
	}
}

static void test_cvss__nothing_is_written_on_failure(void **state)
{
	(void)state;
	enum cvss_version version = CVSS_3_1;
	double score = 4.2;
	struct err err = { 0 };
	assert_int_equal(cvss_score(STR("CVSS:4.0/AV:N"), &version, &score, &err), -ERR_FORMAT);
	assert_int_equal(version, CVSS_3_1);
	assert_true(score == 4.2); /* NOLINT: the very bits */
	assert_string_equal(err.text, "AC is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cvss__oracle_scores_are_ours),
		cmocka_unit_test(test_cvss__oracle_round_trip_vectors_are_taken),
		cmocka_unit_test(test_cvss__oracle_errors_are_refused),
		cmocka_unit_test(test_cvss__our_own_table_of_scores_holds),
		cmocka_unit_test(test_cvss__our_own_table_of_errors_is_refused),
		cmocka_unit_test(test_cvss__the_version_is_told_and_has_a_name),
		cmocka_unit_test(test_cvss__nothing_is_written_on_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
