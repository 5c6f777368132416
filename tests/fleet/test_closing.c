/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fleet/closing.h"

static void write_sample(struct buf *out)
{
	static const struct issue issue = {
		.vuln = 7,
		.text = STR("About it"),
		.severity = SEVERITY_HIGH,
		.score = 7.5,
		.epss = -1,
		.is_kev = true,
		.source = STR("NVD"),
	};
	static const str paths[] = { STR("/srv/x"), STR("/srv/y") };
	static const struct closed_package packages[] = {
		{ 3, STR("1.2"), NULL, 0 },
		{ 9, STR(""), paths, 2 },
	};
	static const struct closing_host hosts[] = {
		{ 5, "0123456789abcdef0", 100, 200 },
		{ 6, "0123456789abcdef1", 101, 201 },
	};
	const struct closing_draft draft = { &issue, packages, 2, hosts, 2 };
	closing_begin(CLOSED_INELIGIBLE, out);
	closing_write(&draft, out);
	closing_write(&draft, out);
}

static void test_closing__reads_what_it_writes(void **state)
{
	(void)state;
	autobuf record = BUF((size_t)1 << 20);
	struct closing_group *group;
	write_sample(&record);
	assert_int_equal(closing_read(12, 300, 4, buf_str(&record), &group, NULL), 0);
	assert_int_equal(group->n, 4);
	const struct closed_finding *finding = &group->entries[3].finding;
	assert_int_equal(finding->host, 6);
	assert_string_equal(finding->host_id, "0123456789abcdef1");
	assert_int_equal(finding->account, 12);
	assert_int_equal(finding->closed_at, 300);
	assert_int_equal(finding->first_observed, 101);
	assert_int_equal(finding->last_observed, 201);
	assert_int_equal(finding->reason, CLOSED_INELIGIBLE);
	assert_int_equal(finding->n_packages, 2);
	assert_int_equal(finding->packages[0].n_paths, 0);
	assert_int_equal(finding->packages[1].n_paths, 2);
	assert_true(str_eq(finding->packages[1].paths[0], STR("/srv/x")));
	assert_true(str_eq(finding->packages[1].paths[1], STR("/srv/y")));
	assert_true(str_eq(finding->text, STR("About it")));
	assert_true(finding->score == 7.5 && finding->is_kev);
	assert_int_equal(closing_ends_at(group), 300 + 3 * 86400);
	free(group);
}

static void test_closing__refuses_every_cut(void **state)
{
	(void)state;
	autobuf record = BUF((size_t)1 << 20);
	struct closing_group *group;
	write_sample(&record);
	size_t n_good = 0;
	for (size_t n = 0; n < record.n; n++) {
		int r = closing_read(1, 1, 1, (str){ record.p, n }, &group, NULL);
		if (r == 0) {
			free(group);
			n_good++;
		} else {
			assert_int_equal(r, -ERR_FORMAT);
		}
	}
	assert_int_equal(n_good, 2); /* with no vulnerability, and with the first one */
	record.p[0] = 9;
	assert_int_equal(closing_read(1, 1, 1, buf_str(&record), &group, NULL), -ERR_UNSUPPORTED);
}

/* Version 1, of servers before 2026-11: one path of each package, which may be empty. */
static void test_closing__reads_records_of_the_first_version(void **state)
{
	(void)state;
	autobuf record = BUF((size_t)1 << 20);
	struct closing_group *group;
	buf_add_byte(&record, 1);
	buf_add_byte(&record, CLOSED_REMEDIATED);
	buf_add_u32(&record, 7); /* vulnerability */
	buf_add_byte(&record, SEVERITY_LOW);
	buf_add_byte(&record, 0);
	buf_add_u64(&record, 0); /* score */
	buf_add_u64(&record, 0); /* EPSS */
	for (int i = 0; i < 6; i++)
		buf_add_str(&record, STR("text"));
	buf_add_u32(&record, 2);
	for (uint32_t i = 0; i < 2; i++) {
		buf_add_u32(&record, 3 + i);
		buf_add_str(&record, STR("1.2"));
		buf_add_str(&record, i ? STR("/srv/x") : STR(""));
	}
	buf_add_u32(&record, 1);
	buf_add_u64(&record, 5);
	buf_add(&record, STR("0123456789abcdef0"));
	buf_add_u64(&record, 100);
	buf_add_u64(&record, 200);
	assert_int_equal(closing_read(12, 300, 4, buf_str(&record), &group, NULL), 0);
	assert_int_equal(group->n, 1);
	const struct closed_finding *finding = &group->entries[0].finding;
	assert_int_equal(finding->n_packages, 2);
	assert_int_equal(finding->packages[0].n_paths, 0);
	assert_int_equal(finding->packages[1].n_paths, 1);
	assert_true(str_eq(finding->packages[1].paths[0], STR("/srv/x")));
	assert_int_equal(finding->last_observed, 200);
	free(group);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closing__reads_what_it_writes),
		cmocka_unit_test(test_closing__refuses_every_cut),
		cmocka_unit_test(test_closing__reads_records_of_the_first_version),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
