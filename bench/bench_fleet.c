/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of a fleet: hash-only and changed ones, on one thread and on sixteen; memory; renewal.
 *
 *   bench_fleet SCRATCH [HOSTS]
 *
 * A host has 900 packages, 600 of Debian and 300 of Python. Of twenty hosts one has packages of its
 * own making: there are HOSTS / 20 images, each with patch levels that change ten packages. A
 * changed report brings the next level of the host's image: the first host of an image to come
 * makes a new package set, the others share it, and each stores its evidence. The database has
 * 4,000 advisories, the second one 400 more. Every report is durable before the next one of its
 * thread.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "fleet/fleet.h"
#include "vulndb/vulndb.h"

#define ACCOUNT INT64_C(111122223333)
#define N_OS 600u
#define N_PYTHON 300u
#define LEVELS 4u
#define N_ADVISORIES 4000u

struct bench {
	char scratch[256];
	unsigned n_hosts, n_images;
	struct store *store;
	struct fleet *fleet;
	struct buf *contents; /* by image and level */
	_Atomic unsigned next;
	_Atomic int64_t clock;
	unsigned level;
	bool is_hash_only;
};

static double now_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double resident_mb(void)
{
	long pages = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file && fscanf(file, "%ld %ld", &pages, &resident) != 2)
		resident = 0;
	if (file)
		(void)fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1048576.0;
}

static void say(const struct bench *b, const char *name, const char *unit, double value)
{
	(void)printf("{\"name\":\"fleet/%s\",\"unit\":\"%s\",\"runs\":1,\"median\":%.3f,\"p10\":"
	             "%.3f,\"p90\":%.3f,\"seed\":1,\"size\":%u}\n",
	        name, unit, value, value, value, b->n_hosts);
	(void)fflush(stdout);
}

static void must(int r, const struct err *err, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "bench_fleet: %s: %s\n", what, err->text);
	exit(1);
}

/* ---- inputs ---- */

static void write_advisory(const struct bench *b, unsigned i)
{
	bool is_os = i % 3 != 0;
	char path[512];
	(void)snprintf(
	        path, sizeof(path), "%s/in/%s/A-%u.json", b->scratch, is_os ? "Debian" : "PyPI", i);
	FILE *file = fopen(path, "we");
	if (!file)
		exit(1);
	(void)fprintf(file,
	        "{\"id\":\"A-%u\",\"aliases\":[\"CVE-2021-%05u\"],\"modified\":"
	        "\"2024-01-02T03:04:05Z\",\"summary\":\"An advisory\",\"severity\":[{\"type\":"
	        "\"CVSS_V3\",\"score\":\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}],"
	        "\"affected\":[{\"package\":{\"ecosystem\":\"%s\",\"name\":\"package-%u\"},"
	        "\"ranges\":[{\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":"
	        "\"1.%u\"}]}]}]}",
	        i, i, is_os ? "Debian:12" : "PyPI", i * 7 % 2000, i % 12);
	(void)fclose(file);
}

static void build_database(const struct bench *b, unsigned n)
{
	struct import_listener listener = { .ctx = NULL };
	struct err err = { 0 };
	char in[300], os[300], python[300], feeds[300], db[300];
	(void)snprintf(in, sizeof(in), "%s/in", b->scratch);
	(void)snprintf(os, sizeof(os), "%s/in/Debian", b->scratch);
	(void)snprintf(python, sizeof(python), "%s/in/PyPI", b->scratch);
	(void)snprintf(feeds, sizeof(feeds), "%s/feeds", b->scratch);
	(void)snprintf(db, sizeof(db), "%s/db", b->scratch);
	(void)fs_remove_tree(AT_FDCWD, in);
	(void)fs_remove_tree(AT_FDCWD, feeds);
	must(fs_make_dirs(os, 0755, &err), &err, "inputs");
	must(fs_make_dirs(python, 0755, &err), &err, "inputs");
	for (unsigned i = 0; i < n; i++)
		write_advisory(b, i);
	const char *const paths[] = { os, python };
	must(feed_import(paths, 2, feeds, 0, &listener, &err), &err, "import");
	must(vulndb_build(feeds, db, 0, &listener, &err), &err, "build");
}

static unsigned mix(unsigned a, unsigned b)
{
	uint64_t h = (uint64_t)a * 0x9E3779B97F4A7C15u + b;
	h = (h ^ h >> 31) * 0xBF58476D1CE4E5B9u;
	return (unsigned)(h >> 33);
}

static void write_package(
        struct buf *out, const char *type, unsigned name, unsigned version, bool is_first)
{
	buf_printf(out,
	        "%s{\"purl\":\"pkg:%s/package-%u@1.%u\",\"type\":\"%s\",\"name\":\"package-%u\","
	        "\"version\":\"1.%u\",\"path\":\"/usr/lib/x/package-%u\",\"owner\":null,"
	        "\"confidence\":\"high\",\"notes\":[],\"arch\":\"amd64\",\"reader\":\"%s\"}",
	        is_first ? "" : ",", type, name, version, type, name, version, name, type);
}

/* Names are picked from 2,000; an image differs from others in a third of them. */
static void write_content(struct buf *out, unsigned image, unsigned level)
{
	buf_printf(out,
	        "{\"schema\":\"sonde.scan/1\",\"host\":{\"os_id\":\"debian\",\"os_version\":"
	        "\"12\"},\"packages\":[");
	for (unsigned i = 0; i < N_OS + N_PYTHON; i++) {
		unsigned name = i * 2 + (mix(image, i) % 3 == 0);
		unsigned version =
		        mix(i, image % 7) % 10 + (mix(image, i) % 90 < level ? level : 0);
		write_package(out, i < N_OS ? "deb" : "pypi", name, version, i == 0);
	}
	buf_printf(out, "]}");
}

static void make_contents(struct bench *b)
{
	b->contents = calloc((size_t)b->n_images * LEVELS, sizeof(*b->contents));
	if (!b->contents)
		exit(1);
	for (unsigned i = 0; i < b->n_images * LEVELS; i++) {
		b->contents[i] = BUF((size_t)16 << 20);
		write_content(&b->contents[i], i / LEVELS, i % LEVELS);
	}
}

/* ---- work ---- */

static void report(struct bench *b, unsigned host)
{
	unsigned image = host % b->n_images;
	const struct buf *content = &b->contents[image * LEVELS + b->level];
	char hash[32];
	struct err err = { 0 };
	enum report_verdict verdict;
	size_t which;
	(void)snprintf(hash, sizeof(hash), "%u-%u", image, b->level);
	int64_t at = atomic_fetch_add(&b->clock, 1);
	const struct report_item item = {
		.type = STR(FLEET_OWN_TYPE),
		.schema_version = STR("1.0"),
		.capture_time = STR("2023-10-27T05:37:32Z"),
		.captured_at = at,
		.content_hash = str_from_c(hash),
		.has_content = !b->is_hash_only,
		.content = buf_str(content),
	};
	must(fleet_report(b->fleet, host + 1, &item, 1, at, &verdict, &which, &err), &err,
	        "report");
	if (verdict != REPORT_TAKEN)
		abort();
}

static void *work(void *ctx)
{
	struct bench *b = ctx;
	for (unsigned i; (i = atomic_fetch_add(&b->next, 1)) < b->n_hosts;)
		report(b, i);
	return NULL;
}

/* Every host from `first` on reports once. Returns: reports per second */
static double run(struct bench *b, unsigned n_threads, unsigned first)
{
	pthread_t threads[16];
	atomic_store(&b->next, first);
	double begin = now_s();
	for (unsigned i = 0; i < n_threads; i++) {
		if (pthread_create(&threads[i], NULL, work, b) != 0)
			exit(1);
	}
	for (unsigned i = 0; i < n_threads; i++)
		(void)pthread_join(threads[i], NULL);
	return (b->n_hosts - first) / (now_s() - begin);
}

static void add_hosts(struct bench *b)
{
	static const struct host_change change = { .n_facts = 0 };
	struct err err = { 0 };
	for (unsigned i = 0; i < b->n_hosts; i++) {
		char id[18];
		uint64_t number;
		(void)snprintf(id, sizeof(id), "%017x", i);
		must(fleet_host_add(b->fleet, ACCOUNT, id, &change, atomic_load(&b->clock), NULL,
		             &number, &err),
		        &err, "host");
	}
}

static void open_all(struct bench *b)
{
	char store[300], db[300];
	struct err err = { 0 };
	(void)snprintf(store, sizeof(store), "%s/store", b->scratch);
	(void)snprintf(db, sizeof(db), "%s/db", b->scratch);
	must(store_open(store, STORE_CREATE, &b->store, &err), &err, "store");
	const struct fleet_config config = {
		.store = b->store,
		.db_dir = db,
		.now_at = atomic_load(&b->clock),
	};
	must(fleet_open(&config, &b->fleet, &err), &err, "fleet");
}

static void measure(struct bench *b)
{
	struct err err = { 0 };
	struct fleet_stats stats;
	unsigned n_hosts = b->n_hosts;
	open_all(b);
	add_hosts(b);
	/* The first half brings the elements and warms the caches; what the second adds is counted.
	 */
	b->n_hosts = n_hosts / 2;
	say(b, "first report, 16 threads", "reports/s", run(b, 16, 0));
	double before_mb = resident_mb();
	b->n_hosts = n_hosts;
	(void)run(b, 16, n_hosts / 2);
	fleet_stats(b->fleet, &stats);
	say(b, "memory per 1,000 hosts of 900 packages, 5 % distinct", "MB",
	        (resident_mb() - before_mb) * 2000 / n_hosts);
	b->is_hash_only = true;
	say(b, "hash-only report, 1 thread", "reports/s", run(b, 1, 0));
	say(b, "hash-only report, 16 threads", "reports/s", run(b, 16, 0));
	b->is_hash_only = false;
	b->level = 1;
	say(b, "changed report, 1 thread", "reports/s", run(b, 1, 0));
	b->level = 2;
	say(b, "changed report, 16 threads", "reports/s", run(b, 16, 0));

	build_database(b, N_ADVISORIES + N_ADVISORIES / 10);
	double begin = now_s();
	must(fleet_renew(b->fleet, atomic_load(&b->clock), &err), &err, "renewal");
	say(b, "renewal", "ms", (now_s() - begin) * 1e3);
	fleet_close(b->fleet);
	store_close(b->store);
	begin = now_s();
	open_all(b);
	say(b, "opening", "ms", (now_s() - begin) * 1e3);
	fleet_close(b->fleet);
	store_close(b->store);
	(void)fprintf(stderr, "elements %llu, sets %llu, matches %llu\n",
	        (unsigned long long)stats.n_elements, (unsigned long long)stats.n_sets,
	        (unsigned long long)stats.n_matches);
}

int main(int argc, char **argv)
{
	struct bench b = { .clock = 1700000000 };
	uint64_t n_hosts = 2000;
	struct err err = { 0 };
	if (argc < 2 || (argc > 2 && !str_to_u64(str_from_c(argv[2]), 10000000, &n_hosts))) {
		(void)fprintf(stderr, "usage: bench_fleet SCRATCH [HOSTS]\n");
		return 2;
	}
	(void)snprintf(b.scratch, sizeof(b.scratch), "%.200s/fleet", argv[1]);
	(void)fs_remove_tree(AT_FDCWD, b.scratch);
	must(fs_make_dirs(b.scratch, 0755, &err), &err, "scratch");
	b.n_hosts = (unsigned)n_hosts;
	b.n_images = b.n_hosts / 20 > 0 ? b.n_hosts / 20 : 1;
	build_database(&b, N_ADVISORIES);
	make_contents(&b);
	measure(&b);
	for (unsigned i = 0; i < b.n_images * LEVELS; i++)
		buf_fini(&b.contents[i]);
	free(b.contents);
	return fs_remove_tree(AT_FDCWD, b.scratch) < 0;
}
