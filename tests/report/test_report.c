/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json.h"
#include "sample.h"

static void test_report__every_format_is_found_by_its_name(void **state)
{
	(void)state;
	size_t n;
	const struct report_format *const *all = report_format_all(&n);
	assert_true(n >= 2);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(report_format_find(str_from_c(all[i]->name)), all[i]);
		assert_true(all[i]->title[0] != '\0');
	}
	assert_null(report_format_find(STR("")));
	assert_null(report_format_find(STR("TABLE")));
	assert_null(report_format_find(STR("tabl")));
}

static void write_table(const char *sample, struct report_style style, struct buf *out)
{
	const struct report_format *table = report_format_find(STR("table"));
	struct err err = { 0 };
	assert_int_equal(table->write(sample_report(sample), &style, out, &err), 0);
	assert_false(buf_failed(out));
}

/* Whatever the width: a terminal gets no byte that does anything but show. */
static void test_report__hostile_names_never_reach_the_terminal(void **state)
{
	(void)state;
	for (unsigned width = 0; width < 200; width += 7) {
		autobuf out = BUF(1 << 20);
		write_table(
		        "hostile", (struct report_style){ .width = width, .verbose = true }, &out);
		assert_true(str_is_utf8(buf_str(&out)));
		for (size_t i = 0; i < out.n; i++)
			assert_true((unsigned char)out.p[i] >= 0x20 || out.p[i] == '\n');
		buf_add_byte(&out, '\0');
		assert_null(strstr(out.p, "\nHIGH"));
		assert_null(strstr(out.p, "\xe2\x80\xae"));
		assert_non_null(strstr(out.p, "/srv/a\\033]0;owned\\007"));
	}
}

static void test_report__paths_are_whole_at_any_width(void **state)
{
	(void)state;
	const struct report *scan = sample_report("scan");
	for (unsigned width = 0; width < 250; width++) {
		autobuf out = BUF(1 << 20);
		write_table("scan", (struct report_style){ .width = width }, &out);
		buf_add_byte(&out, '\0');
		for (size_t i = 0; i < scan->n_findings; i++) {
			assert_non_null(strstr(out.p, scan->findings[i].pkg->path.p));
			assert_non_null(strstr(out.p, scan->findings[i].id.p));
		}
	}
}

static void test_report__rows_fit_a_usual_terminal(void **state)
{
	(void)state;
	for (unsigned width = 80; width < 250; width++) {
		autobuf out = BUF(1 << 20);
		write_table("scan", (struct report_style){ .width = width }, &out);
		str text = buf_str(&out), line;
		for (; str_next_line(&text, &line) && line.n > 0;)
			assert_true(line.n <= width);
	}
}

static void test_report__colour_is_only_where_it_is_asked_for(void **state)
{
	(void)state;
	autobuf plain = BUF(1 << 20), coloured = BUF(1 << 20);
	write_table("scan", (struct report_style){ .width = 100 }, &plain);
	write_table("scan", (struct report_style){ .width = 100, .colour = true }, &coloured);
	assert_null(memchr(plain.p, '\033', plain.n));
	assert_non_null(memchr(coloured.p, '\033', coloured.n));
}

static void test_report__without_a_terminal_every_finding_is_one_whole_line(void **state)
{
	(void)state;
	const struct report *scan = sample_report("scan");
	autobuf out = BUF(1 << 20);
	write_table("scan", (struct report_style){ 0 }, &out);
	str text = buf_str(&out), line;
	assert_true(str_next_line(&text, &line));
	size_t n = 0;
	for (; str_next_line(&text, &line) && line.n > 0; n++)
		assert_true(str_has_suffix(line, STR("/METADATA")) ||
		            str_has_suffix(line, STR("/package.json")) ||
		            str_has_suffix(line, STR("/status")));
	assert_int_equal(n, scan->n_findings);
}

static void test_report__many_reasons_are_counted_and_the_way_to_all_is_told(void **state)
{
	(void)state;
	struct skip skips[12];
	char reasons[12][16];
	for (size_t i = 0; i < 12; i++) {
		int n = snprintf(reasons[i], sizeof(reasons[i]), "reason %zu", i);
		skips[i] = (struct skip){ .path = STR("/p"),
			.reason = { reasons[i], (size_t)n },
			.count = i + 1,
			.kind = SKIP_DAMAGE };
	}
	struct ledger ledger = { .entries = skips, .n = 12 };
	struct report report = *sample_report("inventory");
	report.ledger = &ledger;
	const struct report_format *table = report_format_find(STR("table"));
	struct report_style style = { 0 };
	struct err err = { 0 };
	autobuf out = BUF(1 << 20);
	assert_int_equal(table->write(&report, &style, &out, &err), 0);
	buf_add_byte(&out, '\0');
	assert_non_null(strstr(out.p, "0 on purpose, 78 damaged, 0 not read\n"));
	assert_non_null(strstr(out.p, "     12  reason 11 (damaged)\n"));
	assert_non_null(strstr(out.p, "      5  reason 4 (damaged)\n"));
	assert_null(strstr(out.p, "reason 3 "));
	assert_non_null(strstr(out.p, "and 4 more reasons; -v or --format json lists each path\n"));
}

/* A report in a format; NUL-terminated. */
static const char *written(const char *format, const struct report *report, struct buf *out)
{
	struct report_style style = { 0 };
	struct err err = { 0 };
	assert_int_equal(
	        report_format_find(str_from_c(format))->write(report, &style, out, &err), 0);
	buf_add_byte(out, '\0');
	return out->p;
}

static void test_report__a_partial_fix_is_told_apart_from_a_fix(void **state)
{
	(void)state;
	struct finding finding = sample_report("scan")->findings[2];
	struct finding_reason reason = finding.reasons[0];
	reason.affects_fix = true;
	finding.fix_state = FIX_PARTIAL;
	finding.reasons = &reason;
	struct report report = *sample_report("scan");
	report.findings = &finding;
	report.n_findings = 1;
	autobuf table = BUF(1 << 20), json = BUF(1 << 20);
	written("table", &report, &table);
	assert_non_null(strstr(table.p, "  4.17.19 (partial)  "));
	assert_non_null(strstr(table.p,
	        " 0 with a fix, 1 with one that some advisories call affected too, 0 known"));
	written("json", &report, &json);
	assert_non_null(
	        strstr(json.p, "\"fixed_in\": \"4.17.19\",\n      \"fix_state\": \"partial\""));
	assert_non_null(strstr(json.p, "\"affects_fix\": true"));

	autobuf whole = BUF(1 << 20);
	written("table", sample_report("scan"), &whole);
	assert_non_null(strstr(whole.p, " 2 with a fix, 2 known"));
	assert_null(strstr(whole.p, "partial"));
}

static void test_report__a_host_without_pretty_name_is_named_by_id_and_version(void **state)
{
	(void)state;
	struct host host = {
		.root = STR("/"), .os_id = STR("al\033pine"), .os_version = STR("3.18")
	};
	struct report report = *sample_report("inventory");
	report.host = &host;
	autobuf both = BUF(1 << 20), rolling = BUF(1 << 20), unknown = BUF(1 << 20);
	assert_non_null(strstr(written("table", &report, &both), "al\\033pine 3.18, root /"));
	host.os_version = STR("");
	assert_non_null(strstr(written("table", &report, &rolling), "al\\033pine, root /"));
	host.os_id = STR("");
	assert_non_null(
	        strstr(written("table", &report, &unknown), "distribution unknown, root /"));
}

static void test_report__a_full_buffer_is_a_limit(void **state)
{
	(void)state;
	size_t n;
	const struct report_format *const *all = report_format_all(&n);
	for (size_t i = 0; i < n; i++) {
		autobuf out = BUF(300);
		struct report_style style = { 0 };
		struct err err = { 0 };
		int r = all[i]->write(sample_report("scan"), &style, &out, &err);
		assert_true(r < 0);
		assert_true(err.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report__every_format_is_found_by_its_name),
		cmocka_unit_test(test_report__hostile_names_never_reach_the_terminal),
		cmocka_unit_test(test_report__paths_are_whole_at_any_width),
		cmocka_unit_test(test_report__rows_fit_a_usual_terminal),
		cmocka_unit_test(test_report__colour_is_only_where_it_is_asked_for),
		cmocka_unit_test(test_report__without_a_terminal_every_finding_is_one_whole_line),
		cmocka_unit_test(test_report__many_reasons_are_counted_and_the_way_to_all_is_told),
		cmocka_unit_test(test_report__a_partial_fix_is_told_apart_from_a_fix),
		cmocka_unit_test(
		        test_report__a_host_without_pretty_name_is_named_by_id_and_version),
		cmocka_unit_test(test_report__a_full_buffer_is_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
