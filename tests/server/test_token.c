/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "server/inside.h"

struct desk {
	struct server server;
	struct arena arena;
};

static int set_up(void **state)
{
	struct desk *desk = test_calloc(1, sizeof(*desk));
	struct err err = { 0 };
	desk->arena = ARENA((size_t)16 << 20);
	memcpy(desk->server.token_key, "0123456789abcdef0123456789abcdef", 32);
	assert_int_equal(crypto_new(&desk->server.crypto, &err), 0);
	*state = desk;
	return 0;
}

static int tear_down(void **state)
{
	struct desk *desk = *state;
	crypto_free(desk->server.crypto);
	arena_fini(&desk->arena);
	test_free(desk);
	return 0;
}

static struct request ask(struct desk *desk, const struct operation *row, const char *json)
{
	struct err err = { 0 };
	const struct value *in;
	str copy;
	assert_int_equal(arena_copy(&desk->arena, str_from_c(json), &copy), 0);
	assert_int_equal(value_from_json(copy, &desk->arena, &in, &err), 0);
	return (struct request){ .server = &desk->server,
		.operation = row,
		.in = in,
		.arena = &desk->arena,
		.caller = { .role = ROLE_ADMIN, .account = 123456789012 } };
}

static struct operation row(const char *name)
{
	return (struct operation){ .shape = operation_find(STR("inspector2"), str_from_c(name)) };
}

#define QUESTION "{\"maxResults\":5,\"filterCriteria\":{\"a\":1}}"
#define AGAIN "{\"maxResults\":9,\"filterCriteria\":{\"a\":1},\"nextToken\":\"%.*s\"}"

static void test_token__leads_on_the_same_question(void **state)
{
	struct desk *desk = *state;
	struct operation op = row("ListFindings");
	struct request first = ask(desk, &op, QUESTION);
	str token, mark;
	assert_int_equal(token_make(&first, (str){ "a\0b", 3 }, &token), 0);
	char json[1024];
	(void)snprintf(json, sizeof(json), AGAIN, STR_ARG(token));
	struct request next = ask(desk, &op, json);
	assert_int_equal(token_read(&next, STR("nextToken"), &mark), 0);
	assert_true(str_eq(mark, (str){ "a\0b", 3 }));
	assert_int_equal(token_read(&first, STR("nextToken"), &mark), 0);
	assert_int_equal(mark.n, 0);
}

static void test_token__is_of_one_question_only(void **state)
{
	struct desk *desk = *state;
	struct operation op = row("ListFindings"), other = row("ListFilters");
	struct request first = ask(desk, &op, QUESTION);
	char json[1024];
	str token, mark;
	assert_int_equal(token_make(&first, STR("mark"), &token), 0);
	(void)snprintf(json, sizeof(json), AGAIN, STR_ARG(token));
	struct request next = ask(desk, &op, json);
	next.operation = &other;
	assert_int_equal(token_read(&next, STR("nextToken"), &mark), -ERR_FORMAT);
	next.operation = &op;
	next.caller.account++;
	assert_int_equal(token_read(&next, STR("nextToken"), &mark), -ERR_FORMAT);
	(void)snprintf(json, sizeof(json), "{\"filterCriteria\":{\"a\":2},\"nextToken\":\"%.*s\"}",
	        STR_ARG(token));
	next = ask(desk, &op, json);
	assert_int_equal(token_read(&next, STR("nextToken"), &mark), -ERR_FORMAT);
}

static void test_token__that_was_made_up_is_refused(void **state)
{
	struct desk *desk = *state;
	struct operation op = row("ListFindings");
	struct request first = ask(desk, &op, QUESTION);
	char json[8192];
	str token, mark;
	assert_int_equal(token_make(&first, STR("mark"), &token), 0);
	for (size_t i = 0; i < token.n; i++) {
		char altered[1024];
		memcpy(altered, token.p, token.n);
		altered[i] = altered[i] == 'A' ? 'B' : 'A';
		(void)snprintf(json, sizeof(json), AGAIN, (int)token.n, altered);
		struct request next = ask(desk, &op, json);
		assert_int_equal(token_read(&next, STR("nextToken"), &mark), -ERR_FORMAT);
	}
	(void)snprintf(json, sizeof(json), "{\"nextToken\":\"%05000d\"}", 0);
	struct request next = ask(desk, &op, json);
	assert_int_equal(token_read(&next, STR("nextToken"), &mark), -ERR_FORMAT);
}

static void test_token__slices_cover_a_list_once(void **state)
{
	struct desk *desk = *state;
	struct operation op = row("ListFindings");
	size_t from, to, seen = 0, pages = 0;
	str token = { NULL, 0 };
	do {
		char json[1024] = QUESTION;
		if (token.n > 0)
			(void)snprintf(json, sizeof(json), AGAIN, STR_ARG(token));
		struct request next = ask(desk, &op, json);
		assert_int_equal(
		        token_slice(&next, STR("nextToken"), 23, 5, &from, &to, &token), 0);
		assert_int_equal(from, seen);
		seen = to;
		pages++;
	} while (token.n > 0);
	assert_int_equal(seen, 23);
	assert_int_equal(pages, 5);
}

static void test_token__of_a_list_that_shrank_is_its_end(void **state)
{
	struct desk *desk = *state;
	struct operation op = row("ListFindings");
	struct request first = ask(desk, &op, QUESTION);
	char json[1024];
	size_t from, to;
	str token;
	assert_int_equal(token_slice(&first, STR("nextToken"), 23, 20, &from, &to, &token), 0);
	(void)snprintf(json, sizeof(json), AGAIN, STR_ARG(token));
	struct request next = ask(desk, &op, json);
	assert_int_equal(token_slice(&next, STR("nextToken"), 3, 20, &from, &to, &token), 0);
	assert_int_equal(from, 3);
	assert_int_equal(to, 3);
	assert_int_equal(token.n, 0);
}

static void test_token__uuids_differ_and_are_of_version_4(void **state)
{
	char a[37], b[37];
	(void)state;
	assert_int_equal(uuid_make(a), 0);
	assert_int_equal(uuid_make(b), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 36);
	assert_int_equal(a[14], '4');
	assert_non_null(strchr("89ab", a[19]));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_token__leads_on_the_same_question),
		CASE(test_token__is_of_one_question_only),
		CASE(test_token__that_was_made_up_is_refused),
		CASE(test_token__slices_cover_a_list_once),
		CASE(test_token__of_a_list_that_shrank_is_its_end),
		CASE(test_token__uuids_differ_and_are_of_version_4),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
