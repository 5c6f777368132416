/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include "vulndb/encode.h"

static const struct advisory_event events[] = { { EVENT_INTRODUCED, { "0", 1 } },
	{ EVENT_FIXED, { "1.2", 3 } }, { EVENT_LAST_AFFECTED, { "2", 1 } },
	{ EVENT_LIMIT, { "3", 1 } } };
static const struct advisory_range ranges[] = {
	{ .is_semver = true, .events = events, .n_events = 4 },
	{ .events = events, .n_events = 1 },
};
static const str words[] = { { "one", 3 }, { "", 0 }, { "three", 5 } };
static const struct advisory_affected affected[] = {
	{ .ecosystem = { "PyPI", 4 }, .package = { "a", 1 }, .ranges = ranges, .n_ranges = 2 },
	{ .ecosystem = { "Debian:12", 9 },
	        .package = { "b", 1 },
	        .versions = words,
	        .n_versions = 3 },
};
static const struct advisory_severity severities[] = { { { "CVSS_V3", 7 },
	{ "CVSS:3.1/..", 11 } } };
static const struct advisory advisory = {
	.title = { "title", 5 },
	.details = { "details", 7 },
	.published = { "p", 1 },
	.modified = { "m", 1 },
	.aliases = words,
	.n_aliases = 3,
	.related = words,
	.n_related = 1,
	.severities = severities,
	.n_severities = 1,
	.references = words,
	.n_references = 2,
	.uses_related = true,
};

static void test_encode__head_comes_back_as_it_was(void **state)
{
	(void)state;
	struct arena arena = ARENA(65536);
	autobuf bytes = BUF(65536), again = BUF(65536);
	struct advisory back = { 0 };
	encode_head(&bytes, &advisory);
	assert_int_equal(decode_head(buf_str(&bytes), &arena, &back), 0);
	assert_true(back.uses_related);
	assert_true(str_eq(back.title, advisory.title));
	assert_int_equal(back.n_aliases, 3);
	assert_true(str_eq(back.aliases[2], STR("three")));
	assert_int_equal(back.n_upstream, 0);
	encode_head(&again, &back);
	assert_true(str_eq(buf_str(&bytes), buf_str(&again)));
	arena_fini(&arena);
}

static void test_encode__cold_comes_back_as_it_was(void **state)
{
	(void)state;
	struct arena arena = ARENA(65536);
	autobuf bytes = BUF(65536), again = BUF(65536);
	struct advisory back = { 0 };
	const struct advisory_affected *entries;
	size_t n;
	encode_cold(&bytes, &advisory, affected, 2);
	assert_int_equal(decode_cold(buf_str(&bytes), &arena, &back, &entries, &n), 0);
	assert_int_equal(n, 2);
	assert_true(str_eq(back.details, advisory.details));
	assert_true(entries[0].ranges[0].is_semver);
	assert_int_equal(entries[0].ranges[0].events[3].kind, EVENT_LIMIT);
	assert_int_equal(entries[1].n_versions, 3);
	encode_cold(&again, &back, entries, n);
	assert_true(str_eq(buf_str(&bytes), buf_str(&again)));
	arena_fini(&arena);
}

static void test_encode__numbers_come_back_as_they_were(void **state)
{
	(void)state;
	static const uint64_t numbers[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX };
	autobuf bytes = BUF(1024);
	for (size_t i = 0; i < 8; i++)
		encode_number(&bytes, numbers[i]);
	struct cursor in = CURSOR(buf_str(&bytes));
	for (size_t i = 0; i < 8; i++)
		assert_true(decode_number(&in) == numbers[i]);
	assert_false(cursor_failed(&in));
	assert_int_equal(in.rest.n, 0);
	in = CURSOR(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	(void)decode_number(&in);
	assert_true(cursor_failed(&in));
}

static void test_encode__truncated_or_longer_bytes_are_refused(void **state)
{
	(void)state;
	autobuf head = BUF(65536), body = BUF(65536), cold = BUF(65536);
	encode_head(&head, &advisory);
	encode_body(&body, &affected[0]);
	encode_cold(&cold, &advisory, affected, 2);
	const struct advisory_affected *entries;
	size_t n_entries;
	for (size_t n = 0; n < cold.n; n++) {
		struct arena arena = ARENA(65536);
		struct advisory a = { 0 };
		struct advisory_affected one = { 0 };
		if (n < head.n)
			assert_int_equal(
			        decode_head(str_head(buf_str(&head), n), &arena, &a), -ERR_FORMAT);
		if (n < body.n)
			assert_int_equal(decode_body(str_head(buf_str(&body), n), &arena, &one),
			        -ERR_FORMAT);
		assert_int_equal(
		        decode_cold(str_head(buf_str(&cold), n), &arena, &a, &entries, &n_entries),
		        -ERR_FORMAT);
		arena_fini(&arena);
	}
	struct arena arena = ARENA(65536);
	struct advisory a = { 0 };
	buf_add_byte(&head, 0);
	assert_int_equal(decode_head(buf_str(&head), &arena, &a), -ERR_FORMAT);
	arena_fini(&arena);
}

static void test_encode__a_full_arena_is_a_limit(void **state)
{
	(void)state;
	struct arena arena = ARENA(16);
	autobuf bytes = BUF(65536);
	struct advisory back = { 0 };
	encode_head(&bytes, &advisory);
	assert_int_equal(decode_head(buf_str(&bytes), &arena, &back), -ERR_LIMIT);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode__head_comes_back_as_it_was),
		cmocka_unit_test(test_encode__cold_comes_back_as_it_was),
		cmocka_unit_test(test_encode__numbers_come_back_as_they_were),
		cmocka_unit_test(test_encode__truncated_or_longer_bytes_are_refused),
		cmocka_unit_test(test_encode__a_full_arena_is_a_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
