/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Matching the packages of one host against the reference feeds, database opened before.
 *
 *   bench_match SCRATCH [SHARED [RUNS]]
 *
 * 1,000 packages as on a Debian host: 700 deb, 200 npm, 100 pypi, one in twenty with a name that
 * advisories know. One JSON line; the first run, with nothing in the page cache of the database, is
 * not counted.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "match/match.h"

#define RUNS_MAX 200
#define N_PACKAGES 1000

static double now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void fill(struct package *packages, struct arena *arena)
{
	static const char *const known[][3] = { { "openssl", "lodash", "numpy" },
		{ "curl", "minimist", "django" }, { "wget", "axios", "urllib3" },
		{ "bind9", "semver", "jinja2" }, { "nginx", "express", "pillow" } };
	static const char *const types[] = { "deb", "npm", "pypi" };
	static const char *const versions[] = { "1.0-1", "1.0.0", "1.0" };
	for (unsigned i = 0; i < N_PACKAGES; i++) {
		unsigned kind = i % 10 < 7 ? 0 : i % 10 < 9 ? 1 : 2;
		struct package *pkg = &packages[i];
		*pkg = (struct package){ .type = str_from_c(types[kind]),
			.name = str_from_c(known[i % 5][kind]),
			.version = str_from_c(versions[kind]),
			.path = STR("/var/lib/dpkg/status") };
		if (i % 20 != 0 && arena_printf(arena, &pkg->name, "package-%u", i) < 0)
			abort();
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static int measure(struct vulndb *db, unsigned runs)
{
	double times[RUNS_MAX + 1];
	struct package packages[N_PACKAGES];
	struct arena names = ARENA((size_t)1 << 20);
	struct host host = { .os_id = STR("debian"), .os_version = STR("11") };
	size_t n_findings = 0;
	int r = 0;
	fill(packages, &names);
	for (unsigned i = 0; r >= 0 && i <= runs; i++) {
		struct arena arena = ARENA((size_t)16 << 20);
		struct ledger ledger = { .arena = &arena };
		struct match_result result;
		double begin = now_ms();
		r = match_host(db, &host, packages, N_PACKAGES, &ledger, &result, NULL);
		times[i] = now_ms() - begin;
		n_findings = result.n_findings;
		match_result_fini(&result);
		arena_fini(&arena);
	}
	arena_fini(&names);
	if (r < 0)
		return r;
	qsort(times + 1, runs, sizeof(times[0]), by_value);
	(void)printf(
	        "{\"name\":\"match_1000_packages\",\"unit\":\"ms\",\"runs\":%u,\"median\":%.3f,"
	        "\"p10\":%.3f,\"p90\":%.3f,\"findings\":%zu}\n",
	        runs, times[1 + runs / 2], times[1 + runs / 10], times[runs - runs / 10],
	        n_findings);
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t runs = 30;
	if (argc < 2 || (argc > 3 && !str_to_u64(str_from_c(argv[3]), RUNS_MAX, &runs)) ||
	        runs == 0) {
		(void)fprintf(stderr, "usage: bench_match SCRATCH [SHARED [RUNS]]\n");
		return 2;
	}
	const char *shared = argc > 2 ? argv[2] : getenv("SONDE_SHARED");
	char feeds[512], store[512], dir[512];
	(void)snprintf(feeds, sizeof(feeds), "%.400s/feeds", shared ? shared : SHARED);
	(void)snprintf(store, sizeof(store), "%.400s/match-store", argv[1]);
	(void)snprintf(dir, sizeof(dir), "%.400s/match-db", argv[1]);
	if (access(feeds, R_OK) < 0) {
		(void)printf("skipped: the reference feeds (%s)\n", feeds);
		return 77;
	}
	const char *paths[] = { feeds };
	struct import_listener quiet = { .ctx = NULL };
	struct err err = { 0 };
	struct vulndb *db = NULL;
	int r = feed_import(paths, 1, store, 0, &quiet, &err);
	if (r >= 0)
		r = vulndb_build(store, dir, 0, &quiet, &err);
	if (r >= 0)
		r = vulndb_open(dir, &db, &err);
	if (r >= 0)
		r = measure(db, (unsigned)runs);
	else
		(void)fprintf(stderr, "bench_match: %s\n", err.text);
	vulndb_close(db);
	(void)fs_remove_tree(AT_FDCWD, store);
	(void)fs_remove_tree(AT_FDCWD, dir);
	return r < 0 ? 1 : 0;
}
