/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "front.h"
#include "fleet/kinds.h"

static int set_up(void **state)
{
	struct front *front = test_malloc(sizeof(*front));
	front_open(front);
	*state = front;
	return 0;
}

static int tear_down(void **state)
{
	front_close(*state);
	test_free(*state);
	return 0;
}

static int put(struct front *front, int64_t account, const char *type, const char *name,
        const char *json, bool is_new)
{
	struct err err = { 0 };
	struct object_change change = { .account = account,
		.type = type,
		.name = str_from_c(name),
		.json = str_from_c(json),
		.is_new = is_new };
	return objects_change(front->server->objects, &change, 1, NULL, &err);
}

static int64_t get(struct front *front, int64_t account, const char *name)
{
	const struct value *v;
	int r = object_get(
	        front->server->objects, account, "thing", str_from_c(name), &front->arena, &v);
	return r < 0 ? r : value_get_i64(v, STR("n"), -1);
}

static void test_object__is_there_after_a_restart(void **state)
{
	struct front *front = *state;
	assert_int_equal(put(front, 5, "thing", "a", "{\"n\":1}", true), 0);
	assert_int_equal(put(front, 5, "thing", "a", "{\"n\":2}", false), 0);
	assert_int_equal(put(front, 6, "thing", "a", "{\"n\":3}", false), 0);
	front_reopen(front);
	assert_int_equal(get(front, 5, "a"), 2);
	assert_int_equal(get(front, 6, "a"), 3);
	assert_int_equal(get(front, 7, "a"), -ENOENT);
}

static void test_object__that_is_new_must_not_be_there(void **state)
{
	struct front *front = *state;
	assert_int_equal(put(front, 5, "thing", "a", "{\"n\":1}", true), 0);
	assert_int_equal(put(front, 5, "thing", "a", "{\"n\":2}", true), -EEXIST);
	assert_int_equal(get(front, 5, "a"), 1);
}

static void test_object__that_is_deleted_stays_away(void **state)
{
	struct front *front = *state;
	assert_int_equal(put(front, 5, "thing", "a", "{\"n\":1}", true), 0);
	assert_int_equal(put(front, 5, "thing", "a", NULL, false), 0);
	assert_int_equal(put(front, 5, "thing", "never", NULL, false), 0);
	assert_int_equal(get(front, 5, "a"), -ENOENT);
	front_reopen(front);
	assert_int_equal(get(front, 5, "a"), -ENOENT);
	assert_int_equal(object_count(front->server->objects, 5, "thing"), 0);
}

static void test_object__may_grow_and_shrink_across_the_kinds(void **state)
{
	struct front *front = *state;
	static char text[9000];
	(void)snprintf(text, sizeof(text), "{\"n\":2,\"x\":\"%08000d\"}", 0);
	assert_int_equal(put(front, 5, "thing", "a", "{\"n\":1}", true), 0);
	assert_int_equal(put(front, 5, "thing", "a", text, false), 0);
	front_reopen(front);
	assert_int_equal(get(front, 5, "a"), 2);
	assert_int_equal(put(front, 5, "thing", "a", "{\"n\":3}", false), 0);
	front_reopen(front);
	assert_int_equal(get(front, 5, "a"), 3);
	assert_int_equal(object_count(front->server->objects, 5, "thing"), 1);
}

static void test_object__several_change_as_a_whole(void **state)
{
	struct front *front = *state;
	struct err err = { 0 };
	assert_int_equal(put(front, 5, "thing", "b", "{\"n\":1}", true), 0);
	struct object_change changes[] = {
		{ .account = 5, .type = "thing", .name = STR("a"), .json = STR("{\"n\":7}") },
		{ .account = 5,
		        .type = "thing",
		        .name = STR("b"),
		        .json = STR("{\"n\":7}"),
		        .is_new = true },
	};
	assert_int_equal(objects_change(front->server->objects, changes, 2, NULL, &err), -EEXIST);
	assert_int_equal(get(front, 5, "a"), -ENOENT);
	/* What goes with them may refuse too: the store decides, and memory follows. */
	struct store_batch batch;
	store_batch_init(&batch, 0);
	store_batch_expect(
	        &batch, (struct store_key){ .kind = KIND_META, .key = STR("not there") }, STR("x"));
	changes[1].is_new = false;
	assert_int_equal(objects_change(front->server->objects, changes, 2, &batch, &err), -ESTALE);
	store_batch_fini(&batch);
	assert_int_equal(get(front, 5, "a"), -ENOENT);
	assert_int_equal(get(front, 5, "b"), 1);
	assert_int_equal(objects_change(front->server->objects, changes, 2, NULL, &err), 0);
	assert_int_equal(get(front, 5, "a"), 7);
	assert_int_equal(get(front, 5, "b"), 7);
}

static void test_object__names_and_types_have_limits(void **state)
{
	struct front *front = *state;
	char name[402];
	memset(name, 'x', sizeof(name) - 1);
	name[401] = '\0';
	assert_int_equal(put(front, 5, "thing", name, "{}", false), -ERR_LIMIT);
	assert_int_equal(put(front, 5, "thing", "", "{}", false), -ERR_LIMIT);
	assert_int_equal(put(front, 5, "a/b", "x", "{}", false), -EINVAL);
	assert_int_equal(put(front, -1, "thing", "x", "{}", false), -EINVAL);
	name[400] = '\0';
	assert_int_equal(put(front, 5, "thing", name, "{\"n\":4}", false), 0);
	assert_int_equal(get(front, 5, name), 4);
}

static void test_object__lists_are_sorted_and_bounded(void **state)
{
	struct front *front = *state;
	const struct object *list;
	size_t n;
	static const char *const names[] = { "b/2", "a", "b/1", "b", "b/3", "c" };
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(put(front, 5, "thing", names[i], "{}", true), 0);
	assert_int_equal(put(front, 4, "thing", "z", "{}", true), 0);
	assert_int_equal(put(front, 5, "thinga", "b/9", "{}", true), 0);
	assert_int_equal(object_list(front->server->objects, 5, "thing", STR("b/"), STR("b/1"), 0,
	                         &front->arena, &list, &n),
	        0);
	assert_int_equal(n, 2);
	assert_true(str_eq(list[0].name, STR("b/2")) && str_eq(list[1].name, STR("b/3")));
	assert_int_equal(object_list(front->server->objects, 5, "thing", STR(""), STR(""), 3,
	                         &front->arena, &list, &n),
	        0);
	assert_int_equal(n, 3);
	assert_true(str_eq(list[0].name, STR("a")) && str_eq(list[2].name, STR("b/1")));
	assert_int_equal(object_list(front->server->objects, STORE_ANY_ACCOUNT, "thing", STR(""),
	                         STR(""), 0, &front->arena, &list, &n),
	        0);
	assert_int_equal(n, 7);
	assert_true(list[0].account == 4 && str_eq(list[0].name, STR("z")));
	assert_int_equal(object_count(front->server->objects, 5, "thing"), 6);
}

/* Against a table of the plainest kind: the same changes in random order. */
static void test_object__agrees_with_a_plain_table(void **state)
{
	struct front *front = *state;
	int64_t table[3][20];
	uint32_t random = 1;
	memset(table, 0, sizeof(table));
	for (int step = 1; step <= 600; step++) {
		random = random * 1664525u + 1013904223u;
		size_t account = (random >> 8) % 3, name = (random >> 12) % 20;
		char text[16], json[24];
		bool is_delete = (random >> 20) % 3 == 0;
		(void)snprintf(text, sizeof(text), "n%zu", name);
		(void)snprintf(json, sizeof(json), "{\"n\":%d}", step);
		assert_int_equal(
		        put(front, (int64_t)account, "thing", text, is_delete ? NULL : json, false),
		        0);
		table[account][name] = is_delete ? 0 : step;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (size_t account = 0; account < 3; account++) {
			for (size_t name = 0; name < 20; name++) {
				char text[16];
				int64_t want = table[account][name];
				(void)snprintf(text, sizeof(text), "n%zu", name);
				assert_int_equal(
				        get(front, (int64_t)account, text), want ? want : -ENOENT);
			}
		}
		front_reopen(front);
	}
}

/* Two threads that add one to the same number, each under the account's lock. */
static void *count_up(void *ctx)
{
	struct front *front = ctx;
	for (int i = 0; i < 50; i++) {
		struct arena arena = ARENA((size_t)64 << 10);
		const struct value *v;
		char json[32];
		account_lock(front->server, 5);
		assert(object_get(front->server->objects, 5, "thing", STR("sum"), &arena, &v) == 0);
		(void)snprintf(
		        json, sizeof(json), "{\"n\":%d}", (int)value_get_i64(v, STR("n"), 0) + 1);
		assert(put(front, 5, "thing", "sum", json, false) == 0);
		account_unlock(front->server, 5);
		arena_fini(&arena);
	}
	return NULL;
}

static void test_object__changes_under_the_account_lock_are_not_lost(void **state)
{
	struct front *front = *state;
	pthread_t threads[4];
	assert_int_equal(put(front, 5, "thing", "sum", "{\"n\":0}", true), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_up, front), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(get(front, 5, "sum"), 200);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_object__is_there_after_a_restart),
		CASE(test_object__that_is_new_must_not_be_there),
		CASE(test_object__that_is_deleted_stays_away),
		CASE(test_object__may_grow_and_shrink_across_the_kinds),
		CASE(test_object__several_change_as_a_whole),
		CASE(test_object__names_and_types_have_limits),
		CASE(test_object__lists_are_sorted_and_bounded),
		CASE(test_object__agrees_with_a_plain_table),
		CASE(test_object__changes_under_the_account_lock_are_not_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
