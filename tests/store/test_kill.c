/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that commits is killed at any moment: what it had acknowledged is there, whole, and
 * nothing is there in part.
 *
 *   test_store_kill [ROUNDS]
 */
#include "support.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMITTERS 4
/* Records of a batch, the last of which is a long one. */
#define PARTS 5
#define BATCHES_MAX 400000u

static uint64_t rounds = 30;

struct committer {
	pthread_t thread;
	struct store *store;
	atomic_uint *next;
	int out;
};

static void add_parts(struct store_batch *batch, unsigned number)
{
	static const char bytes[9000];
	for (unsigned i = 0; i < PARTS; i++) {
		char key[32];
		(void)snprintf(key, sizeof(key), "%08u/%u", number, i);
		/* The parts stand far from one another. */
		struct store_key at = { .account = i,
			.bucket = (int)(number % 256),
			.kind = i == PARTS - 1 ? 200 : 1,
			.key = str_from_c(key) };
		store_batch_put(batch, at,
		        i == PARTS - 1 ? (str){ bytes, number % sizeof(bytes) } : str_from_c(key));
	}
}

/* Commit, then say so; until killed. */
static void *commit_on(void *arg)
{
	struct committer *me = arg;
	for (;;) {
		struct store_batch batch;
		unsigned number = atomic_fetch_add(me->next, 1);
		store_batch_init(&batch, 0);
		add_parts(&batch, number);
		if (store_commit(me->store, &batch, NULL) < 0)
			_exit(3);
		store_batch_fini(&batch);
		if (write(me->out, &number, sizeof(number)) != (ssize_t)sizeof(number))
			_exit(4);
	}
}

static void serve(const struct place *place, unsigned first, int out)
{
	struct committer committers[COMMITTERS];
	struct store *store = NULL;
	atomic_uint next = first;
	if (store_open_on(place->backend, place->folder, STORE_CREATE, &store, NULL) < 0)
		_exit(2);
	for (unsigned i = 0; i < COMMITTERS; i++) {
		committers[i] = (struct committer){ .store = store, .next = &next, .out = out };
		if (pthread_create(&committers[i].thread, NULL, commit_on, &committers[i]) != 0)
			_exit(5);
	}
	(void)pause();
}

/* What is known of each batch. */
struct ledger {
	unsigned char *acknowledged, *parts;
	unsigned end; /* no batch from here on was ever acknowledged */
};

static void read_acknowledged(int in, struct ledger *ledger)
{
	unsigned number;
	while (read(in, &number, sizeof(number)) == (ssize_t)sizeof(number)) {
		assert_true(number < BATCHES_MAX);
		ledger->acknowledged[number] = 1;
		if (number >= ledger->end)
			ledger->end = number + 1;
	}
}

/* Run a child for a while that is random but the same in each run, kill it, read what it said. */
static void kill_one(void **state, uint64_t *seed, struct ledger *ledger)
{
	int fds[2], status;
	unsigned char first[sizeof(unsigned)];
	assert_int_equal(pipe(fds), 0);
	(void)fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		serve(*state, ledger->end + COMMITTERS, fds[1]);
		_exit(6);
	}
	assert_true(pid > 0);
	(void)close(fds[1]);
	uint64_t us = next_random(seed) % 40000;
	bool is_early = next_random(seed) % 8 == 0; /* while it is opening */
	if (!is_early) {
		unsigned number;
		assert_int_equal(read(fds[0], first, sizeof(first)), sizeof(first));
		memcpy(&number, first, sizeof(number));
		ledger->acknowledged[number] = 1;
		ledger->end = number + 1 > ledger->end ? number + 1 : ledger->end;
	}
	struct timespec pause = { .tv_nsec = (long)us * 1000 };
	/* Without reading: a full pipe would only stop the child, and holds thousands. */
	(void)nanosleep(&pause, NULL);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	read_acknowledged(fds[0], ledger);
	(void)close(fds[0]);
}

static int count_part(void *ctx, const struct store_key *key, str value)
{
	struct ledger *ledger = ctx;
	uint64_t number = 0, part = 0;
	str head = { NULL, 0 }, tail = { NULL, 0 };
	assert_true(str_split_first(key->key, '/', &head, &tail));
	assert_true(str_to_u64(head, BATCHES_MAX - 1, &number));
	assert_true(str_to_u64(tail, PARTS - 1, &part));
	assert_int_equal(key->account, part);
	assert_true(part == PARTS - 1 ? value.n == number % 9000 : str_eq(value, key->key));
	ledger->parts[number]++;
	return 0;
}

static void check_store(void **state, struct ledger *ledger)
{
	struct store *store = open_store(state); /* which looks for damage */
	memset(ledger->parts, 0, BATCHES_MAX);
	for (int kind = 1; kind <= 200; kind += 199) {
		struct store_range range = {
			.account = STORE_ANY_ACCOUNT, .bucket = STORE_ANY_BUCKET, .kind = kind
		};
		struct err err = { 0 };
		assert_int_equal(store_scan(store, &range, count_part, ledger, &err), 0);
	}
	for (unsigned i = 0; i < BATCHES_MAX; i++) {
		assert_true(ledger->parts[i] == 0 || ledger->parts[i] == PARTS);
		assert_true(!ledger->acknowledged[i] || ledger->parts[i] == PARTS);
	}
	store_close(store);
}

static void test_kill__loses_nothing_acknowledged_and_keeps_nothing_half(void **state)
{
	struct ledger ledger = { .acknowledged = calloc(BATCHES_MAX, 1),
		.parts = calloc(BATCHES_MAX, 1) };
	uint64_t seed = 20260101;
	unsigned n = 0;
	assert_true(ledger.acknowledged && ledger.parts);
	for (uint64_t round = 0; round < rounds; round++) {
		kill_one(state, &seed, &ledger);
		check_store(state, &ledger);
	}
	for (unsigned i = 0; i < BATCHES_MAX; i++)
		n += ledger.acknowledged[i];
	print_message("%u batches were acknowledged in %u rounds\n", n, (unsigned)rounds);
	assert_true(n >= rounds / 2);
	free(ledger.acknowledged);
	free(ledger.parts);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		on_place(test_kill__loses_nothing_acknowledged_and_keeps_nothing_half),
	};
	if (argc > 1 && !str_to_u64(str_from_c(argv[1]), 10000, &rounds))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
