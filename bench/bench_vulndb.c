/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import and build of published feeds in MB of their text a second, open, and lookups.
 *
 *   bench_vulndb SCRATCH [SHARED [RUNS]]
 *
 * SCRATCH is a folder that is made and left empty; SHARED holds feeds/osv and feeds/osv-derived.
 * One JSON line per measurement. Peak memory is that of a process that does only the step measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "vulndb/vulndb.h"

#define RUNS_MAX 100u

/* One measurement of one run, sent from the process that made it. */
struct sample {
	double value;
	uint64_t bytes, peak_kib;
	int r;
};

struct setting {
	char store[512], db[512];
	char feeds[4][512];
	const char *paths[4];
	uint64_t bytes; /* of the feeds' text */
};

static double now_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_source(void *ctx, const struct import_result *result)
{
	struct sample *sample = ctx;
	if (str_has_prefix(str_from_c(result->source), STR("osv")))
		sample->bytes += result->n_bytes;
}

static void import_once(const struct setting *setting, struct sample *sample)
{
	struct import_listener listener = { .source = on_source, .ctx = sample };
	double begin = now_s();
	sample->r = feed_import(setting->paths, 4, setting->store, 0, &listener, NULL);
	sample->value = (double)sample->bytes / 1e6 / (now_s() - begin);
}

static void build_once(const struct setting *setting, struct sample *sample)
{
	struct import_listener listener = { .source = on_source, .ctx = sample };
	(void)fs_remove_tree(AT_FDCWD, setting->db);
	double begin = now_s();
	sample->r = vulndb_build(setting->store, setting->db, 0, &listener, NULL);
	sample->value = (double)sample->bytes / 1e6 / (now_s() - begin);
}

static void open_once(const struct setting *setting, struct sample *sample)
{
	struct vulndb *db = NULL;
	double begin = now_s();
	sample->r = vulndb_open(setting->db, &db, NULL);
	sample->value = (now_s() - begin) * 1e3;
	vulndb_close(db);
}

/* 1000 packages, most of which nothing is said about, as on a host. */
static void lookup_once(const struct setting *setting, struct sample *sample)
{
	static const char *const known[] = { "numpy", "django", "pillow", "tensorflow", "urllib3",
		"requests", "ansible", "jinja2", "flask", "cryptography" };
	struct vulndb *db = NULL;
	struct arena arena = ARENA((size_t)256 << 20);
	double begin = now_s();
	sample->r = vulndb_open(setting->db, &db, NULL);
	for (unsigned i = 0; sample->r == 0 && i < 1000; i++) {
		const struct advisory_affected *affected;
		const struct advisory *named;
		char name[32];
		size_t n, n_named;
		if (i % 20)
			(void)snprintf(name, sizeof(name), "package-%u", i);
		else
			(void)snprintf(name, sizeof(name), "%s", known[i / 20 % 10]);
		sample->r = vulndb_affecting(
		        db, STR("PyPI"), str_from_c(name), &arena, &affected, &n, NULL);
		for (size_t j = 0; sample->r == 0 && j < n && j < 10; j++)
			sample->r = vulndb_naming(
			        db, affected[j].record, &arena, &named, &n_named, NULL);
	}
	sample->value = (now_s() - begin) * 1e3;
	vulndb_close(db);
	arena_fini(&arena);
}

/* One run in a process of its own, so that memory is that of the step alone. */
static struct sample run_apart(
        void (*step)(const struct setting *, struct sample *), const struct setting *setting)
{
	struct sample sample = { .r = -EIO };
	int pipe_fds[2];
	if (pipe(pipe_fds) < 0)
		return sample;
	pid_t child = fork();
	if (child == 0) {
		struct rusage usage;
		sample.r = 0;
		step(setting, &sample);
		(void)getrusage(RUSAGE_SELF, &usage);
		sample.peak_kib = (uint64_t)usage.ru_maxrss;
		_exit(write(pipe_fds[1], &sample, sizeof(sample)) == (ssize_t)sizeof(sample) ? 0
		                                                                             : 1);
	}
	(void)close(pipe_fds[1]);
	if (child < 0 || read(pipe_fds[0], &sample, sizeof(sample)) != (ssize_t)sizeof(sample))
		sample.r = -EIO;
	(void)close(pipe_fds[0]);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
	return sample;
}

static int by_value(const void *a, const void *b)
{
	double x = ((const struct sample *)a)->value, y = ((const struct sample *)b)->value;
	return (x > y) - (x < y);
}

static int measure(const char *name, const char *unit,
        void (*step)(const struct setting *, struct sample *), struct setting *setting,
        unsigned runs)
{
	struct sample samples[RUNS_MAX] = { 0 };
	uint64_t peak = 0;
	for (unsigned i = 0; i < runs; i++) {
		samples[i] = run_apart(step, setting);
		if (samples[i].r < 0) {
			(void)fprintf(stderr, "%s: failed (%d)\n", name, samples[i].r);
			return -1;
		}
		if (samples[i].bytes > 0)
			setting->bytes = samples[i].bytes;
		if (samples[i].peak_kib > peak)
			peak = samples[i].peak_kib;
	}
	qsort(samples, runs, sizeof(samples[0]), by_value);
	(void)printf("{\"name\":\"%s\",\"unit\":\"%s\",\"runs\":%u,\"median\":%.3f,\"p10\":%.3f,"
	             "\"p90\":%.3f,"
	             "\"bytes\":%llu,\"peak_kib\":%llu}\n",
	        name, unit, runs, samples[runs / 2].value, samples[runs / 10].value,
	        samples[runs - 1 - runs / 10].value, (unsigned long long)setting->bytes,
	        (unsigned long long)peak);
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	static const char *const folders[] = { "osv", "osv-derived", "kev", "epss" };
	struct setting setting = { .bytes = 0 };
	uint64_t runs = 10;
	if (argc < 2 || (argc > 3 && !str_to_u64(str_from_c(argv[3]), RUNS_MAX, &runs)) ||
	        runs == 0) {
		(void)fprintf(stderr, "usage: bench_vulndb SCRATCH [SHARED [RUNS]]\n");
		return 2;
	}
	const char *shared = argc > 2 ? argv[2] : getenv("SONDE_SHARED");
	if (!shared)
		shared = SHARED;
	for (int i = 0; i < 4; i++) {
		(void)snprintf(setting.feeds[i], sizeof(setting.feeds[i]), "%.400s/feeds/%s",
		        shared, folders[i]);
		setting.paths[i] = setting.feeds[i];
		if (access(setting.feeds[i], R_OK) < 0) {
			(void)printf("skipped: the reference feeds (%s)\n", setting.feeds[i]);
			return 77;
		}
	}
	(void)snprintf(setting.store, sizeof(setting.store), "%.400s/vulndb-store", argv[1]);
	(void)snprintf(setting.db, sizeof(setting.db), "%.400s/vulndb-db", argv[1]);
	unsigned n = (unsigned)runs;
	int r = measure("vulndb_import", "MB/s", import_once, &setting, n);
	r = r < 0 ? r : measure("vulndb_build", "MB/s", build_once, &setting, n);
	r = r < 0 ? r : measure("vulndb_open", "ms", open_once, &setting, n);
	r = r < 0 ? r : measure("vulndb_open_and_1000_lookups", "ms", lookup_once, &setting, n);
	(void)fs_remove_tree(AT_FDCWD, setting.store);
	(void)fs_remove_tree(AT_FDCWD, setting.db);
	return r < 0 ? 1 : 0;
}
