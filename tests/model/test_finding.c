/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/finding.h"

static void test_finding__score_classes_begin_where_inspector_says(void **state)
{
	(void)state;
	static const struct {
		double score;
		enum severity severity;
	} rows[] = {
		{ -1, SEVERITY_UNTRIAGED },
		{ 0, SEVERITY_INFORMATIONAL },
		{ 0.1, SEVERITY_LOW },
		{ 3.9, SEVERITY_LOW },
		{ 4.0, SEVERITY_MEDIUM },
		{ 6.9, SEVERITY_MEDIUM },
		{ 7.0, SEVERITY_HIGH },
		{ 8.9, SEVERITY_HIGH },
		{ 9.0, SEVERITY_CRITICAL },
		{ 10.0, SEVERITY_CRITICAL },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(severity_of_score(rows[i].score), rows[i].severity);
	assert_int_equal(severity_of_score((double)NAN), SEVERITY_UNTRIAGED);
}

static void test_finding__severity_words_are_read_back_in_any_case(void **state)
{
	(void)state;
	for (int i = SEVERITY_UNTRIAGED; i <= SEVERITY_CRITICAL; i++) {
		enum severity back = SEVERITY_UNTRIAGED;
		assert_true(severity_parse(str_from_c(severity_name((enum severity)i)), &back));
		assert_int_equal(back, i);
	}
	enum severity severity = SEVERITY_LOW;
	assert_true(severity_parse(STR("hIgH"), &severity));
	assert_int_equal(severity, SEVERITY_HIGH);
}

static void test_finding__other_words_are_no_severity(void **state)
{
	(void)state;
	enum severity severity = SEVERITY_LOW;
	assert_false(severity_parse(STR(""), &severity));
	assert_false(severity_parse(STR("HIGHER"), &severity));
	assert_false(severity_parse(STR("HIG"), &severity));
	assert_int_equal(severity, SEVERITY_LOW);
}

static void test_finding__fix_states_have_words(void **state)
{
	(void)state;
	assert_string_equal(fix_state_name(FIX_AVAILABLE), "fixed");
	assert_string_equal(fix_state_name(FIX_PARTIAL), "partial");
	assert_string_equal(fix_state_name(FIX_NONE), "affected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finding__score_classes_begin_where_inspector_says),
		cmocka_unit_test(test_finding__severity_words_are_read_back_in_any_case),
		cmocka_unit_test(test_finding__other_words_are_no_severity),
		cmocka_unit_test(test_finding__fix_states_have_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
