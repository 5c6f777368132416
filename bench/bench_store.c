/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durable commits a second, by the number of threads that commit and the size of what they write;
 * and what the disk allows: one thread that appends as many bytes to a file and syncs it each time.
 *
 *   bench_store SCRATCH [RUNS [SECONDS/10 of a run]]
 *
 * A check-in is one record of 100 bytes, at a random one of 100,000 keys, so that most replace one.
 * An inventory is a set of 20 KB and the host's record. Runs of the cases are interleaved.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "store/store.h"

#define RUNS_MAX 100u
#define THREADS_MAX 64u
#define HOSTS 100000u
#define SMALL_BYTES 100u
#define LARGE_BYTES 20480u

struct measured {
	const char *name;
	unsigned threads; /* 0: the file alone */
	size_t bytes;
	double rates[RUNS_MAX], groups[RUNS_MAX];
};

struct run {
	struct store *store;
	size_t bytes;
	double until;
	atomic_uint_fast64_t n;
	atomic_int failure;
};

struct worker {
	pthread_t thread;
	struct run *run;
	uint64_t seed;
};

static double now_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* splitmix64, Steele et al. 2014 */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void fill(char *bytes, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t random = next_random(seed);
		memcpy(bytes + i, &random, n - i < 8 ? n - i : 8);
	}
}

static int commit_one(struct worker *worker, char *bytes)
{
	const struct run *run = worker->run;
	uint64_t host = next_random(&worker->seed) % HOSTS;
	char key[32];
	struct store_batch batch;
	fill(bytes, run->bytes, &worker->seed);
	int n = snprintf(key, sizeof(key), "%017llx", (unsigned long long)host);
	struct store_key at = {
		.account = 1, .bucket = (int)(host % 256), .kind = 1, .key = { key, (size_t)n }
	};
	store_batch_init(&batch, 0);
	store_batch_put(&batch, at, (str){ bytes, SMALL_BYTES });
	if (run->bytes > SMALL_BYTES) {
		/* A set is named by its content: it is new. */
		at.kind = STORE_KIND_LARGE;
		at.key = (str){ bytes, 32 };
		store_batch_put(&batch, at, (str){ bytes, run->bytes });
	}
	int r = store_commit(run->store, &batch, NULL);
	store_batch_fini(&batch);
	return r;
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	char bytes[LARGE_BYTES];
	while (now_s() < worker->run->until && atomic_load(&worker->run->failure) == 0) {
		int r = commit_one(worker, bytes);
		if (r < 0)
			atomic_store(&worker->run->failure, r);
		else
			(void)atomic_fetch_add(&worker->run->n, 1);
	}
	return NULL;
}

static int run_store(struct measured *it, unsigned i, const char *folder, double seconds)
{
	struct worker workers[THREADS_MAX];
	struct run run = { .bytes = it->bytes };
	struct store_stats before, after;
	struct err err = { 0 };
	unsigned started = 0;
	if (store_open(folder, STORE_CREATE | STORE_SKIP_CHECK, &run.store, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		return err.code;
	}
	store_stats(run.store, &before);
	double begin = now_s();
	run.until = begin + seconds;
	for (; started < it->threads; started++) {
		workers[started] = (struct worker){ .run = &run, .seed = i * 1000 + started };
		if (pthread_create(&workers[started].thread, NULL, work, &workers[started]) != 0) {
			atomic_store(&run.failure, -EAGAIN);
			break;
		}
	}
	for (unsigned t = 0; t < started; t++)
		(void)pthread_join(workers[t].thread, NULL);
	double took = now_s() - begin;
	store_stats(run.store, &after);
	store_close(run.store);
	it->rates[i] = (double)atomic_load(&run.n) / took;
	it->groups[i] = (double)(after.groups - before.groups) / took;
	return atomic_load(&run.failure);
}

/* The limit: what a log costs that is only written and synced. */
static int run_file(struct measured *it, unsigned i, const char *path, double seconds)
{
	char bytes[LARGE_BYTES];
	uint64_t seed = i, n = 0;
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	fill(bytes, it->bytes, &seed);
	double begin = now_s();
	while (now_s() < begin + seconds) {
		if (write(fd, bytes, it->bytes) != (ssize_t)it->bytes || fdatasync(fd) < 0)
			return -errno;
		n++;
	}
	it->rates[i] = (double)n / (now_s() - begin);
	it->groups[i] = it->rates[i];
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print(struct measured *it, unsigned runs)
{
	qsort(it->rates, runs, sizeof(it->rates[0]), by_value);
	qsort(it->groups, runs, sizeof(it->groups[0]), by_value);
	(void)printf("{\"name\":\"%s\",\"unit\":\"commits/s\",\"runs\":%u,\"median\":%.0f,"
	             "\"p10\":%.0f,\"p90\":%.0f,\"seed\":1,\"bytes\":%zu,\"threads\":%u,"
	             "\"syncs_per_s\":%.0f}\n",
	        it->name, runs, it->rates[runs / 2], it->rates[runs / 10],
	        it->rates[runs - 1 - runs / 10], it->bytes, it->threads ? it->threads : 1,
	        it->groups[runs / 2]);
}

int main(int argc, char **argv)
{
	static struct measured all[] = {
		{ .name = "store_limit_100", .bytes = SMALL_BYTES },
		{ .name = "store_checkin_1", .threads = 1, .bytes = SMALL_BYTES },
		{ .name = "store_checkin_16", .threads = 16, .bytes = SMALL_BYTES },
		{ .name = "store_checkin_64", .threads = 64, .bytes = SMALL_BYTES },
		{ .name = "store_limit_20k", .bytes = LARGE_BYTES },
		{ .name = "store_inventory_1", .threads = 1, .bytes = LARGE_BYTES },
		{ .name = "store_inventory_16", .threads = 16, .bytes = LARGE_BYTES },
		{ .name = "store_inventory_64", .threads = 64, .bytes = LARGE_BYTES },
	};
	const size_t n = sizeof(all) / sizeof(all[0]);
	uint64_t runs = 10, tenths = 10;
	char folder[512], file[512];
	int r = 0;
	if (argc < 2 || (argc > 2 && !str_to_u64(str_from_c(argv[2]), RUNS_MAX, &runs)) ||
	        (argc > 3 && !str_to_u64(str_from_c(argv[3]), 600, &tenths)) || runs == 0) {
		(void)fprintf(stderr, "usage: bench_store SCRATCH [RUNS [TENTHS]]\n");
		return 2;
	}
	(void)snprintf(folder, sizeof(folder), "%.400s/store", argv[1]);
	(void)snprintf(file, sizeof(file), "%.400s/store-limit", argv[1]);
	r = fs_make_dirs(argv[1], 0755, NULL);
	(void)fs_remove_tree(AT_FDCWD, folder);
	for (unsigned i = 0; r == 0 && i < runs; i++) {
		for (size_t j = 0; r == 0 && j < n; j++)
			r = all[j].threads ? run_store(&all[j], i, folder, (double)tenths / 10)
			                   : run_file(&all[j], i, file, (double)tenths / 10);
	}
	for (size_t j = 0; r == 0 && j < n; j++)
		print(&all[j], (unsigned)runs);
	if (r < 0)
		(void)fprintf(stderr, "bench_store: failed (%d)\n", r);
	(void)fs_remove_tree(AT_FDCWD, folder);
	(void)unlink(file);
	return r < 0 ? 1 : 0;
}
