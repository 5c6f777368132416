/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collect/pace.h"

/* Work, and only work, until so many milliseconds of CPU time are used. */
static void burn(int64_t ms)
{
	struct timespec t;
	do {
		(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	} while ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}

static int64_t wall_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t cpu_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void test_pace__none_is_no_limit(void **state)
{
	(void)state;
	struct pace *pace;
	assert_int_equal(pace_begin(0, &pace, NULL), 0);
	assert_null(pace);
	assert_false(pace_wait(pace));
	assert_int_equal(pace_join(pace, 0), 0);
	assert_int_equal(pace_limit_pct(pace), 0);
	pace_watch(pace, 0, 1);
	pace_leave(pace, 0);
	pace_end(pace);
}

/* What is asserted is how much was used of the time that has passed, not how fast anything is. */
static void test_pace__work_that_asks_nobody_is_slowed_down(void **state)
{
	(void)state;
	struct pace *pace;
	assert_int_equal(pace_begin(20, &pace, NULL), 0);
	int64_t wall = wall_ms(), cpu = cpu_ms();
	burn(cpu + 300);
	int64_t used = cpu_ms() - cpu, passed = wall_ms() - wall;
	pace_end(pace);
	/* 20 % of the time that has passed, and of the burst that is allowed at once. */
	assert_true(used * 100 <= 20 * passed + 20 * 100);
}

static void test_pace__a_child_that_joined_is_slowed_down_with_its_parent(void **state)
{
	(void)state;
	struct pace *pace;
	int status = 0;
	assert_int_equal(pace_begin(20, &pace, NULL), 0);
	int64_t wall = wall_ms(), cpu = cpu_ms();
	pid_t child = fork();
	if (child == 0) {
		if (pace_join(pace, 3) < 0)
			_exit(1);
		burn(150);
		_exit(0);
	}
	assert_true(child > 0);
	pace_watch(pace, 3, child);
	burn(cpu + 150);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	pace_leave(pace, 3);
	int64_t used = cpu_ms() - cpu + 150, passed = wall_ms() - wall;
	pace_end(pace);
	assert_int_equal(status, 0);
	assert_true(used * 100 <= 20 * passed + 20 * 100);
}

static void test_pace__a_child_that_did_not_join_is_counted(void **state)
{
	(void)state;
	struct pace *pace;
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pace_begin(10, &pace, NULL), 0);
	pid_t child = fork();
	if (child == 0) {
		burn(200);
		(void)!write(ready[1], "x", 1);
		pause();
	}
	pace_watch(pace, 0, child);
	while (read(ready[0], &byte, 1) < 0 && errno == EINTR)
		continue;
	/* 200 ms at 10 % take longer than the first wait. */
	assert_true(pace_wait(pace) || pace_wait(pace));
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	pace_leave(pace, 0);
	pace_end(pace);
	close(ready[0]);
	close(ready[1]);
}

/* Nobody watched it, and nobody started it for the work that is limited: a helper of some kind. */
static void test_pace__a_child_that_has_ended_is_counted(void **state)
{
	(void)state;
	struct pace *pace;
	for (int i = 0; i < 2; i++) {
		if (i == 1)
			assert_int_equal(pace_begin(10, &pace, NULL), 0);
		pid_t child = fork();
		if (child == 0) {
			burn(200);
			_exit(0);
		}
		assert_true(child > 0);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			continue;
		if (i == 0)
			continue;
		assert_true(pace_wait(pace) || pace_wait(pace));
		pace_end(pace);
	}
}

static void test_pace__a_child_that_is_watched_twice_counts_once(void **state)
{
	(void)state;
	struct pace *pace;
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pace_begin(50, &pace, NULL), 0);
	pid_t child = fork();
	if (child == 0) {
		burn(100);
		(void)!write(ready[1], "x", 1);
		pause();
	}
	while (read(ready[0], &byte, 1) < 0 && errno == EINTR)
		continue;
	int64_t wall = wall_ms();
	for (int i = 0; i < 50; i++)
		pace_watch(pace, PACE_NET, child);
	pace_watch(pace, PACE_NET, 0);
	while (pace_wait(pace))
		pace_watch(pace, PACE_NET, child);
	/* 100 ms at 50 %, of which the child has let some pass; 50 times that would be 10 s. */
	assert_true(wall_ms() - wall < 5000);
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	pace_leave(pace, PACE_NET);
	pace_end(pace);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace__none_is_no_limit),
		cmocka_unit_test(test_pace__work_that_asks_nobody_is_slowed_down),
		cmocka_unit_test(test_pace__a_child_that_joined_is_slowed_down_with_its_parent),
		cmocka_unit_test(test_pace__a_child_that_did_not_join_is_counted),
		cmocka_unit_test(test_pace__a_child_that_has_ended_is_counted),
		cmocka_unit_test(test_pace__a_child_that_is_watched_twice_counts_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
