/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "walk/engine.h"

static struct walk walk;
static const struct start begin = { .fd = -1 };

static struct walk_file *new_file(const char *path)
{
	static atomic_uint n_open;
	struct walk_dir *dir =
	        queue_dir_new(NULL, &begin, STR(""), open("/", O_PATH | O_DIRECTORY), &n_open);
	assert_non_null(dir);
	struct walk_file *file = engine_file_new(&walk, dir, str_from_c(path), -1);
	queue_dir_unuse(dir);
	queue_dir_unref(dir);
	assert_non_null(file);
	return file;
}

static bool is_readable(const struct offers *offers)
{
	struct pollfd pollfd = { offers->event, POLLIN, 0 };
	return poll(&pollfd, 1, 0) == 1;
}

static void put(struct offers *offers, const char *path)
{
	struct walk_file *file = new_file(path);
	assert_true(offers_put(offers, &file, 1));
}

static void take(struct offers *offers, const char *path)
{
	struct walk_file *file = NULL;
	assert_int_equal(offers_take(offers, &file), 1);
	assert_true(str_eq(file->path, str_from_c(path)));
	walk_file_free(file);
}

static int prepare(void **state)
{
	(void)state;
	atomic_store(&walk.n_refs, 1);
	return 0;
}

static void test_offer__files_come_in_order_and_the_event_says_so(void **state)
{
	struct offers offers;
	struct walk_file *file = NULL;
	(void)state;
	assert_int_equal(offers_init(&offers, 2), 0);
	assert_false(is_readable(&offers));
	assert_int_equal(offers_take(&offers, &file), -EAGAIN);
	put(&offers, "/1");
	put(&offers, "/2");
	assert_true(is_readable(&offers));
	take(&offers, "/1");
	assert_true(is_readable(&offers));
	put(&offers, "/3");
	take(&offers, "/2");
	take(&offers, "/3");
	assert_false(is_readable(&offers));
	offers_end(&offers);
	assert_true(is_readable(&offers));
	assert_int_equal(offers_take(&offers, &file), 0);
	assert_true(is_readable(&offers));
	offers_fini(&offers);
	assert_int_equal(atomic_load(&walk.n_refs), 1);
}

static void *put_five(void *arg)
{
	struct walk_file *files[5];
	for (int i = 0; i < 5; i++) {
		char path[8];
		(void)snprintf(path, sizeof(path), "/%d", i);
		files[i] = new_file(path);
	}
	return offers_put(arg, files, 5) ? arg : NULL;
}

static void await(const struct offers *offers)
{
	struct pollfd pollfd = { offers->event, POLLIN, 0 };
	assert_int_equal(poll(&pollfd, 1, 60000), 1);
}

static void test_offer__who_has_more_than_fits_waits(void **state)
{
	struct offers offers;
	pthread_t thread;
	void *result;
	(void)state;
	assert_int_equal(offers_init(&offers, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, put_five, &offers), 0);
	for (int i = 0; i < 5; i++) {
		char path[8];
		(void)snprintf(path, sizeof(path), "/%d", i);
		await(&offers);
		take(&offers, path);
	}
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, &offers);
	offers_fini(&offers);
}

static void test_offer__a_stop_frees_who_waits_and_what_was_not_taken(void **state)
{
	struct offers offers;
	pthread_t thread;
	void *result;
	(void)state;
	assert_int_equal(offers_init(&offers, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, put_five, &offers), 0);
	await(&offers);
	offers_stop(&offers);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_null(result);
	offers_fini(&offers);
	assert_int_equal(atomic_load(&walk.n_refs), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		        test_offer__files_come_in_order_and_the_event_says_so, prepare),
		cmocka_unit_test_setup(test_offer__who_has_more_than_fits_waits, prepare),
		cmocka_unit_test_setup(
		        test_offer__a_stop_frees_who_waits_and_what_was_not_taken, prepare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
