/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_walk: the walk against `find` on the same warm tree, run by run in turn.
 *
 * Usage: bench_walk /DIR [--runs N] [--threads N] [--seed N] [--maker PROGRAM --files N]
 *
 * One JSON line each for the walk with N threads (2), the walk with one, `find DIR -printf ''` and
 * plain `find DIR` printing to /dev/null. Times are wall-clock milliseconds: of the walk from
 * walk_start() to walk_free(), with the files that the package readers want opened and closed; of
 * find from its start to its end. --seed only names the tree's seed in the lines; SONDE_COMMIT in
 * the environment names the commit.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/json.h"
#include "walk/walk.h"

#define RUNS_MAX 1000

extern char **environ;

struct bench {
	const char *dir, *maker;
	uint64_t n_wanted; /* files that the maker makes */
	uint64_t n_runs, n_threads, seed;
	uint64_t n_files, n_directories;
	char cpu[128];
};

static void stop(const char *what)
{
	(void)fprintf(stderr, "bench_walk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int want(void *ctx, str dir, str name)
{
	static const str names[] = { { "package.json", 12 }, { "METADATA", 8 }, { "PKG-INFO", 8 },
		{ "status", 6 }, { "rpmdb.sqlite", 12 } };
	(void)ctx;
	(void)dir;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_eq(name, names[i]))
			return (int)i;
	}
	return -1;
}

static void skip(void *ctx, enum walk_skip kind, str path, str reason)
{
	(void)ctx;
	(void)kind;
	(void)path;
	(void)reason;
}

static double time_walk(struct bench *bench, unsigned n_threads)
{
	autoclose int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct walk_root roots[] = { { .path = bench->dir, .is_named = true } };
	const struct walk_options options = { .root_fd = root,
		.roots = roots,
		.n_roots = 1,
		.n_threads = n_threads,
		.want = want,
		.skip = skip };
	struct walk *walk = NULL;
	double start = now_ms();
	if (walk_start(&options, &walk, NULL) < 0)
		stop("cannot walk");
	struct walk_file *file;
	for (int r; (r = walk_next(walk, &file)) != 0;) {
		struct pollfd pollfd = { walk_fd(walk), POLLIN, 0 };
		if (r > 0)
			walk_file_free(file);
		else
			(void)poll(&pollfd, 1, -1);
	}
	struct walk_stats stats = walk_stats(walk);
	walk_free(walk);
	double end = now_ms();
	bench->n_files = stats.files;
	bench->n_directories = stats.directories;
	return end - start;
}

/* Run a program, its output thrown away, and wait for its end. */
static void run(char *const *argv)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	errno = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (errno != 0 || waitpid(pid, &status, 0) != pid || status != 0)
		stop(argv[0]);
	(void)posix_spawn_file_actions_destroy(&actions);
}

static char *word(const char *z)
{
	return (char *)(uintptr_t)z; /* posix_spawn() leaves its words as they are */
}

static double time_find(const struct bench *bench, const char *format)
{
	char *const argv[] = { word("find"), word(bench->dir), format ? word("-printf") : NULL,
		word(format), NULL };
	double start = now_ms();
	run(argv);
	return now_ms() - start;
}

/* Make the tree beside its place and move it there, so that it is whole or not there. */
static void make_tree(const struct bench *bench)
{
	char part[4096], files[32], seed[32];
	if (!bench->maker || access(bench->dir, F_OK) == 0)
		return;
	(void)snprintf(part, sizeof(part), "%s.part", bench->dir);
	(void)snprintf(files, sizeof(files), "%llu", (unsigned long long)bench->n_wanted);
	(void)snprintf(seed, sizeof(seed), "%llu", (unsigned long long)bench->seed);
	char *const argv[] = { word(bench->maker), part, word("--files"), files, word("--seed"),
		seed, NULL };
	if (fs_remove_tree(AT_FDCWD, part) < 0)
		stop(part);
	run(argv);
	if (rename(part, bench->dir) < 0)
		stop(bench->dir);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void print_line(
        const struct bench *bench, const char *name, uint64_t n_threads, double *times)
{
	autobuf out = BUF(4096);
	struct json_writer w = JSON_WRITER(&out, false);
	size_t n = (size_t)bench->n_runs;
	qsort(times, n, sizeof(*times), compare);
	json_write_object(&w);
	json_write_member_str(&w, "name", str_from_c(name));
	json_write_member_str(&w, "unit", STR("ms"));
	json_write_key(&w, "runs");
	json_write_u64(&w, n);
	json_write_key(&w, "median");
	json_write_double(&w, n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2, 3);
	json_write_key(&w, "p10");
	json_write_double(&w, times[n / 10], 3);
	json_write_key(&w, "p90");
	json_write_double(&w, times[n - 1 - n / 10], 3);
	json_write_key(&w, "threads");
	json_write_u64(&w, n_threads);
	json_write_key(&w, "seed");
	json_write_u64(&w, bench->seed);
	json_write_key(&w, "files");
	json_write_u64(&w, bench->n_files);
	json_write_key(&w, "directories");
	json_write_u64(&w, bench->n_directories);
	json_write_member_str(&w, "cpu", str_from_c(bench->cpu));
	json_write_object_end(&w);
	(void)printf(STR_FMT "\n", STR_ARG(buf_str(&out)));
}

static void read_cpu(struct bench *bench)
{
	autobuf info = BUF(4u << 20);
	(void)fs_read(AT_FDCWD, "/proc/cpuinfo", &info, NULL);
	str rest = buf_str(&info), line, key, value;
	while (str_next_line(&rest, &line)) {
		if (str_split_first(line, ':', &key, &value) &&
		        str_eq(str_trim(key), STR("model name"))) {
			value = str_trim(value);
			(void)snprintf(bench->cpu, sizeof(bench->cpu), STR_FMT, STR_ARG(value));
			return;
		}
	}
}

static bool parse(int argc, char **argv, struct bench *bench)
{
	if (argc < 2 || argc % 2 != 0 || argv[1][0] != '/')
		return false;
	bench->dir = argv[1];
	for (int i = 2; i < argc; i += 2) {
		str key = str_from_c(argv[i]), value = str_from_c(argv[i + 1]);
		bool is_good = false;
		if (str_eq(key, STR("--runs")))
			is_good = str_to_u64(value, RUNS_MAX, &bench->n_runs) && bench->n_runs > 0;
		else if (str_eq(key, STR("--threads")))
			is_good = str_to_u64(value, 64, &bench->n_threads) && bench->n_threads > 0;
		else if (str_eq(key, STR("--seed")))
			is_good = str_to_u64(value, UINT64_MAX, &bench->seed);
		else if (str_eq(key, STR("--files")))
			is_good = str_to_u64(value, 100000000, &bench->n_wanted);
		else if (str_eq(key, STR("--maker")))
			is_good = (bench->maker = argv[i + 1]) != NULL;
		if (!is_good)
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	static double walk_n[RUNS_MAX], walk_1[RUNS_MAX], find_printf[RUNS_MAX],
	        find_plain[RUNS_MAX];
	struct bench bench = { .n_runs = 15, .n_threads = 2, .seed = 1, .n_wanted = 100000 };
	if (!parse(argc, argv, &bench)) {
		(void)fprintf(stderr, "usage: bench_walk /DIR [--runs N] [--threads N] [--seed N] "
		                      "[--maker PROGRAM --files N]\n");
		return 2;
	}
	make_tree(&bench);
	read_cpu(&bench);
	(void)time_find(&bench, "");
	(void)time_walk(&bench, 1);
	for (size_t i = 0; i < bench.n_runs; i++) {
		walk_n[i] = time_walk(&bench, (unsigned)bench.n_threads);
		find_printf[i] = time_find(&bench, "");
		walk_1[i] = time_walk(&bench, 1);
		find_plain[i] = time_find(&bench, NULL);
	}
	print_line(&bench, "walk", bench.n_threads, walk_n);
	print_line(&bench, "walk", 1, walk_1);
	print_line(&bench, "find -printf ''", 1, find_printf);
	print_line(&bench, "find", 1, find_plain);
	return 0;
}
