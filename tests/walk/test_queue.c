/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "walk/plan.h"
#include "walk/queue.h"

static const struct start start = { .fd = -1 };
static atomic_uint n_open;

static struct walk_dir *new_dir(struct walk_dir *parent, const char *name)
{
	struct walk_dir *dir = queue_dir_new(
	        parent, &start, str_from_c(name), open("/", O_PATH | O_DIRECTORY), &n_open);
	assert_non_null(dir);
	return dir;
}

/* A batch that takes the reference and the use over. */
static void push(
        struct queue *queue, struct walk_dir *dir, const char *names, size_t n, bool has_more)
{
	struct batch batch = { .dir = dir,
		.is_user = true,
		.names = malloc(n),
		.n = (uint32_t)n,
		.has_more = has_more };
	memcpy(batch.names, names, n);
	assert_int_equal(queue_push(queue, &batch), 0);
}

static void drop(struct job *job)
{
	struct walk_dir *dir = job->parent ? job->parent : job->resumed;
	if (job->is_user)
		queue_dir_unuse(dir);
	queue_dir_unref(dir);
}

static void take(struct queue *queue, const char *name)
{
	struct job job;
	assert_true(queue_take(queue, &job));
	assert_non_null(job.parent);
	assert_string_equal(job.name, name);
	drop(&job);
}

static void test_queue__the_newest_folder_comes_first(void **state)
{
	struct queue queue;
	struct job job;
	(void)state;
	assert_int_equal(queue_init(&queue), 0);
	push(&queue, new_dir(NULL, ""), "a\0b", 4, false);
	take(&queue, "a");
	push(&queue, new_dir(NULL, ""), "c", 2, false);
	take(&queue, "c");
	take(&queue, "b");
	assert_false(queue_take(&queue, &job));
	assert_int_equal(atomic_load(&n_open), 0);
	queue_fini(&queue);
}

static void test_queue__a_thief_takes_the_oldest_and_half_of_its_names(void **state)
{
	struct queue queue, own;
	struct job job;
	char names[400];
	(void)state;
	for (int i = 0; i < 100; i++)
		(void)snprintf(names + 4 * i, 4, "%03d", i);
	assert_int_equal(queue_init(&queue), 0);
	assert_int_equal(queue_init(&own), 0);
	push(&queue, new_dir(NULL, ""), names, 400, true);
	push(&queue, new_dir(NULL, ""), "young", 6, false);
	assert_true(queue_steal(&queue, &own, &job));
	assert_string_equal(job.name, "000");
	drop(&job);
	bool seen[100] = { true };
	unsigned n_own = 0;
	for (; queue_take(&own, &job); n_own++) {
		unsigned i = (unsigned)(job.name[0] - '0') * 100 +
		             (unsigned)(job.name[1] - '0') * 10 + (unsigned)(job.name[2] - '0');
		assert_false(seen[i]);
		seen[i] = true;
		drop(&job);
	}
	assert_in_range(n_own, 45, 55);
	take(&queue, "young");
	for (unsigned i = 1; i < 100 - n_own; i++) {
		assert_true(queue_take(&queue, &job));
		drop(&job);
	}
	/* The folder itself is to be read on, once, when its names are used up. */
	assert_true(queue_take(&queue, &job));
	assert_null(job.parent);
	assert_non_null(job.resumed);
	drop(&job);
	assert_false(queue_take(&queue, &job));
	assert_false(queue_steal(&queue, &own, &job));
	assert_int_equal(atomic_load(&n_open), 0);
	queue_fini(&own);
	queue_fini(&queue);
}

static void test_queue__folders_can_be_closed_while_they_wait(void **state)
{
	struct queue queue;
	struct job job;
	(void)state;
	assert_int_equal(queue_init(&queue), 0);
	push(&queue, new_dir(NULL, ""), "a\0b", 4, false);
	push(&queue, new_dir(NULL, ""), "c", 2, true);
	assert_int_equal(atomic_load(&n_open), 2);
	queue_close_folders(&queue);
	assert_int_equal(atomic_load(&n_open), 1); /* one is in its middle */
	assert_true(queue_take(&queue, &job));
	assert_true(job.is_user);
	drop(&job);
	assert_true(queue_take(&queue, &job));
	drop(&job);
	assert_true(queue_take(&queue, &job));
	assert_false(job.is_user);
	assert_true(job.ino != 0);
	assert_string_equal(job.name, "a");
	drop(&job);
	queue_fini(&queue); /* with one name left */
	assert_int_equal(atomic_load(&n_open), 0);
}

static void test_queue__a_record_outlives_its_descriptor_and_keeps_its_parents(void **state)
{
	struct walk_dir *top = new_dir(NULL, "");
	struct walk_dir *child = new_dir(queue_dir_ref(top), "child");
	(void)state;
	assert_int_equal(child->depth, 1);
	assert_int_equal(child->tail_bytes, 6);
	queue_dir_unuse(top);
	queue_dir_unref(top);
	assert_int_equal(atomic_load(&n_open), 1);
	assert_int_equal(child->parent->fd, -1);
	queue_dir_unuse(child);
	queue_dir_unref(child);
	queue_dir_unref(NULL);
	assert_int_equal(atomic_load(&n_open), 0);
}

static void test_queue__it_grows_and_keeps_its_order(void **state)
{
	struct queue queue, own;
	struct job job;
	char name[16];
	(void)state;
	assert_int_equal(queue_init(&queue), 0);
	assert_int_equal(queue_init(&own), 0);
	for (unsigned i = 0; i < 300; i++) {
		(void)snprintf(name, sizeof(name), "%u", i);
		push(&queue, new_dir(NULL, ""), name, strlen(name) + 1, false);
		if (i % 3 == 2) {
			assert_true(queue_steal(&queue, &own, &job));
			(void)snprintf(name, sizeof(name), "%u", i / 3);
			assert_string_equal(job.name, name);
			drop(&job);
		}
	}
	for (unsigned i = 300; i-- > 100;) {
		(void)snprintf(name, sizeof(name), "%u", i);
		take(&queue, name);
	}
	assert_false(queue_take(&queue, &job));
	queue_fini(&own);
	queue_fini(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue__the_newest_folder_comes_first),
		cmocka_unit_test(test_queue__a_thief_takes_the_oldest_and_half_of_its_names),
		cmocka_unit_test(test_queue__folders_can_be_closed_while_they_wait),
		cmocka_unit_test(
		        test_queue__a_record_outlives_its_descriptor_and_keeps_its_parents),
		cmocka_unit_test(test_queue__it_grows_and_keeps_its_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
