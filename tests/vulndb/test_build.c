/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "advisories.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"

#define KEV(cve)                                                                                   \
	"{\"catalogVersion\":\"1\",\"dateReleased\":\"2024-06-01T00:00:00Z\",\"vulnerabilities\":" \
	"[{"                                                                                       \
	"\"cveID\":\"" cve "\"}]}"

/* Three sources; `version` makes the second differ. */
static void write_feeds(void **state, const char *version)
{
	char record[512];
	(void)snprintf(record, sizeof(record),
	        "{\"id\":\"B-1\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"b\"},"
	        "\"versions\":[\"%s\"]}]}",
	        version);
	write_zip(in_scratch(state, "osv/PyPI/all.zip"), "A-2.json", OSV_PLAIN("A-2", "a"),
	        "A-10.json", OSV_PLAIN("A-10", "b"), "A-1.json", OSV_PLAIN("A-1", "a"),
	        "sub/A-0.json", OSV_PLAIN("A-0", "c"), NULL);
	write_zip(in_scratch(state, "osv/npm/all.zip"), "B-1.json", record, NULL);
	write_file(in_scratch(state, "osv/known_exploited_vulnerabilities.json"),
	        STR(KEV("CVE-2024-0001")));
}

static int import_and_build(
        void **state, const char *store, const char *db, unsigned n_threads, struct err *err)
{
	const char *path = in_scratch(state, "osv");
	char a[256], b[256];
	(void)snprintf(a, sizeof(a), "%s/%s", (const char *)*state, store);
	(void)snprintf(b, sizeof(b), "%s/%s", (const char *)*state, db);
	int r = feed_import(&path, 1, a, n_threads, NULL, err);
	return r < 0 ? r : vulndb_build(a, b, n_threads, NULL, err);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_data(const struct dirent *e)
{
	return e->d_name[0] != '.' && strcmp(e->d_name, "verified") != 0;
}

/* Names and bytes of a folder's files. */
static void digest_folder(const char *dir, char ret[SHA256_HEX_SIZE])
{
	struct dirent **names;
	autobuf all = BUF((size_t)64 << 20);
	int n = scandir(dir, &names, is_data, by_name);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		char path[1024];
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]->d_name);
		buf_add(&all, str_from_c(names[i]->d_name));
		read_file(path, &all);
		free(names[i]);
	}
	free(names);
	hash_sha256_hex(buf_str(&all), ret);
}

static void test_build__same_feeds_give_the_same_bytes_with_any_threads(void **state)
{
	char stores[3][SHA256_HEX_SIZE], dbs[3][SHA256_HEX_SIZE];
	static const unsigned threads[] = { 1, 2, 7 };
	write_feeds(state, "1");
	for (int i = 0; i < 3; i++) {
		char store[16], db[16];
		struct err err = { 0 };
		(void)snprintf(store, sizeof(store), "store%d", i);
		(void)snprintf(db, sizeof(db), "db%d", i);
		assert_int_equal(import_and_build(state, store, db, threads[i], &err), 0);
		digest_folder(in_scratch(state, "%s", store), stores[i]);
		digest_folder(in_scratch(state, "%s", db), dbs[i]);
	}
	assert_string_equal(stores[0], stores[1]);
	assert_string_equal(stores[0], stores[2]);
	assert_string_equal(dbs[0], dbs[1]);
	assert_string_equal(dbs[0], dbs[2]);
}

static void test_build__changes_only_the_files_of_changed_sources(void **state)
{
	struct stat before, after;
	struct err err = { 0 };
	struct vulndb *db = NULL;
	char kept[1200], digest[SHA256_HEX_SIZE];
	size_t n;
	write_feeds(state, "1");
	assert_int_equal(import_and_build(state, "store", "db", 2, &err), 0);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &db, &err), 0);
	const struct vulndb_source *sources = vulndb_sources(db, &n);
	assert_int_equal(n, 3);
	(void)snprintf(kept, sizeof(kept), "%s/" STR_FMT, in_scratch(state, "db"),
	        STR_ARG(sources[1].file));
	(void)snprintf(digest, sizeof(digest), STR_FMT, STR_ARG(vulndb_digest(db)));
	vulndb_close(db);
	assert_int_equal(stat(kept, &before), 0);
	write_feeds(state, "2");
	assert_int_equal(import_and_build(state, "store", "db", 2, &err), 0);
	assert_int_equal(stat(kept, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	assert_int_equal(count_files(in_scratch(state, "db"), ".sqlite"), 3);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &db, &err), 0);
	assert_false(str_eq(vulndb_digest(db), str_from_c(digest)));
	vulndb_close(db);
}

static str version_of_b(struct vulndb *db, struct arena *arena)
{
	const struct advisory_affected *a;
	struct err err = { 0 };
	size_t n;
	if (vulndb_affecting(db, STR("npm"), STR("b"), arena, &a, &n, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(n, 1);
	return a[0].versions[0];
}

/* Who has opened the old database goes on with it, also with sources not looked at yet. */
static void test_build__leaves_a_reader_its_database(void **state)
{
	struct err err = { 0 };
	struct vulndb *old = NULL, *new = NULL;
	struct arena arena = ARENA((size_t)1 << 20);
	write_feeds(state, "1");
	assert_int_equal(import_and_build(state, "store", "db", 2, &err), 0);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &old, &err), 0);
	write_feeds(state, "2");
	assert_int_equal(import_and_build(state, "store", "db", 2, &err), 0);
	assert_int_equal(count_files(in_scratch(state, "db"), ".sqlite"), 4);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &new, &err), 0);
	assert_true(str_eq(version_of_b(old, &arena), STR("1")));
	assert_true(str_eq(version_of_b(new, &arena), STR("2")));
	vulndb_close(old);
	vulndb_close(new);
	write_feeds(state, "3");
	assert_int_equal(import_and_build(state, "store", "db", 2, &err), 0);
	assert_int_equal(count_files(in_scratch(state, "db"), ".sqlite"), 3);
	arena_fini(&arena);
}

/* Two processes build, two read, all at once: every reader finds a whole database. */
static void test_build__builds_and_readers_do_not_disturb_each_other(void **state)
{
	struct err err = { 0 };
	pid_t children[4];
	write_feeds(state, "1");
	assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
	write_feeds(state, "2");
	assert_int_equal(import_and_build(state, "store2", "db2", 1, &err), 0);
	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] > 0)
			continue;
		int bad = 0;
		for (int n = 0; n < 20 && !bad; n++) {
			struct vulndb *db = NULL;
			struct arena arena = ARENA((size_t)1 << 20);
			const struct advisory_affected *a;
			size_t count;
			if (i < 2) {
				bad = vulndb_build(
				              in_scratch(state, (n + i) % 2 ? "store" : "store2"),
				              in_scratch(state, "db"), 1, NULL, &err) < 0;
			} else {
				bad = vulndb_open(in_scratch(state, "db"), &db, &err) < 0 ||
				      vulndb_affecting(db, STR("npm"), STR("b"), &arena, &a, &count,
				              &err) < 0 ||
				      count != 1;
				vulndb_close(db);
			}
			if (bad)
				(void)fprintf(stderr, "child %d: %s\n", i, err.text);
			arena_fini(&arena);
		}
		_exit(bad);
	}
	for (int i = 0; i < 4; i++) {
		int status;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(vulndb_verify(in_scratch(state, "db"), NULL, NULL, &err), 0);
	assert_int_equal(count_files(in_scratch(state, "db"), ".new"), 0);
}

static void test_build__says_when_the_store_is_empty_or_damaged(void **state)
{
	struct err err = { 0 };
	write_feeds(state, "1");
	assert_int_equal(fs_make_dirs(in_scratch(state, "none"), 0755, NULL), 0);
	assert_int_equal(
	        vulndb_build(in_scratch(state, "none"), in_scratch(state, "db"), 1, NULL, &err),
	        -ENOENT);
	assert_non_null(strstr(err.text, "no feed has been imported"));
	assert_int_equal(
	        vulndb_build(in_scratch(state, "absent"), in_scratch(state, "db"), 1, NULL, &err),
	        -ENOENT);
	assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
	flip_byte(in_scratch(state, "store/osv+npm.feed"), 4096 + 20, 1);
	assert_int_equal(
	        vulndb_build(in_scratch(state, "store"), in_scratch(state, "db"), 1, NULL, &err),
	        -ERR_FORMAT);
	assert_non_null(strstr(err.text, "osv+npm.feed"));
	assert_int_equal(
	        vulndb_verify(in_scratch(state, "db"), NULL, NULL, &err), 0); /* the old stands */
	assert_int_equal(count_files(in_scratch(state, "db"), ".new"), 0);
}

static void test_build__removes_what_a_killed_run_left(void **state)
{
	struct err err = { 0 };
	write_feeds(state, "1");
	write_file(in_scratch(state, "db/.osv-PyPI.1.0.new"), STR("half"));
	write_file(in_scratch(state, "store/.osv+PyPI.feed.1.new"), STR("half"));
	write_file(
	        in_scratch(state, "db/osv-Old-0123456789abcdef.sqlite"), STR("of an older build"));
	write_file(in_scratch(state, "db/my-notes.txt"), STR("not ours"));
	assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
	assert_int_equal(count_files(in_scratch(state, "db"), ".new"), 0);
	assert_int_equal(count_files(in_scratch(state, "store"), ".new"), 0);
	assert_int_equal(
	        count_files(in_scratch(state, "db"), "osv-Old-0123456789abcdef.sqlite"), 0);
	assert_int_equal(count_files(in_scratch(state, "db"), "my-notes.txt"), 1);
}

/* A record whose details do not pack: the feed grows with every version. */
static void write_large_feed(void **state, const char *version)
{
	autobuf json = BUF((size_t)4 << 20);
	uint64_t seed = 88172645463325252u;
	buf_printf(&json, "{\"id\":\"C-1\",\"details\":\"");
	for (int i = 0; i < 300000; i++) {
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		buf_add_byte(&json, (char)('!' + seed % 90 + (seed % 90 == 1 || seed % 90 == 59)));
	}
	buf_printf(&json,
	        "\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"b\"},"
	        "\"versions\":[\"%s\"]}]}",
	        version);
	buf_add_byte(&json, '\0');
	assert_false(buf_failed(&json));
	write_zip(in_scratch(state, "osv/npm/all.zip"), "C-1.json", json.p, NULL);
}

/* The limit on the size of a file stands for a full disk: a write fails in the middle. */
static int with_small_files(void **state, bool is_import)
{
	struct err err = { 0 };
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct rlimit limit = { 100000, 100000 };
		const char *path = in_scratch(state, "osv");
		(void)signal(SIGXFSZ, SIG_IGN);
		(void)setrlimit(RLIMIT_FSIZE, &limit);
		int r = is_import ? feed_import(&path, 1, in_scratch(state, "store"), 2, NULL, &err)
		                  : vulndb_build(in_scratch(state, "store2"),
		                            in_scratch(state, "db"), 2, NULL, &err);
		/* SQLite does not always tell which error of the system it met */
		bool is_good = (r == -EFBIG && strstr(err.text, "too large")) ||
		               (!is_import && r == -EIO && strstr(err.text, "larger than a limit"));
		if (!is_good)
			(void)fprintf(stderr, "%d %s\n", r, err.text);
		_exit(is_good ? 42 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status >> 8;
}

static void expect_old_data(void **state)
{
	struct err err = { 0 };
	struct vulndb *db = NULL;
	struct arena arena = ARENA((size_t)1 << 20);
	assert_int_equal(count_files(in_scratch(state, "store"), ".new"), 0);
	assert_int_equal(count_files(in_scratch(state, "db"), ".new"), 0);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &db, &err), 0);
	assert_true(str_eq(version_of_b(db, &arena), STR("1")));
	vulndb_close(db);
	assert_int_equal(
	        vulndb_build(in_scratch(state, "store"), in_scratch(state, "db"), 1, NULL, &err),
	        0);
	assert_int_equal(vulndb_verify(in_scratch(state, "db"), NULL, NULL, &err), 0);
	arena_fini(&arena);
}

static void test_build__a_write_that_fails_leaves_the_old_data(void **state)
{
	struct err err = { 0 };
	write_feeds(state, "1");
	assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
	write_large_feed(state, "2");
	const char *path = in_scratch(state, "osv");
	assert_int_equal(feed_import(&path, 1, in_scratch(state, "store2"), 1, NULL, &err), 0);
	assert_int_equal(with_small_files(state, true), 42);
	expect_old_data(state);
	assert_int_equal(with_small_files(state, false), 42);
	expect_old_data(state);
}

/* The same on a real filesystem that is full, where the test may mount one. */
static void test_build__a_full_disk_leaves_the_old_data(void **state)
{
	struct err err = { 0 };
	struct vulndb *db = NULL;
	const char *disk = in_scratch(state, "disk");
	assert_int_equal(fs_make_dirs(disk, 0755, NULL), 0);
	if (mount("none", disk, "tmpfs", 0, "size=400k") < 0) {
		print_message("skipped: the right to mount a small filesystem\n");
		skip();
	}
	write_feeds(state, "1");
	int first = import_and_build(state, "disk/store", "disk/db", 1, &err);
	write_large_feed(state, "2");
	int second = import_and_build(state, "disk/store", "disk/db", 1, &err);
	size_t left = count_files(in_scratch(state, "disk/store"), ".new") +
	              count_files(in_scratch(state, "disk/db"), ".new");
	int third = vulndb_open(in_scratch(state, "disk/db"), &db, NULL);
	struct arena arena = ARENA((size_t)1 << 20);
	const struct advisory_affected *a;
	size_t n = 0;
	int fourth = third < 0 ? third
	                       : vulndb_affecting(db, STR("npm"), STR("b"), &arena, &a, &n, NULL);
	bool is_old = fourth == 0 && n == 1 && str_eq(a[0].versions[0], STR("1"));
	vulndb_close(db);
	arena_fini(&arena);
	assert_int_equal(umount2(in_scratch(state, "disk"), MNT_DETACH), 0);
	assert_int_equal(first, 0);
	if (second != -ENOSPC || !strstr(err.text, "No space left"))
		fail_msg("%d %s", second, err.text);
	assert_int_equal(left, 0);
	assert_true(is_old);
}

/* Whoever may read the lock may hold it for ever: that keeps two generations, and no more. */
static void test_build__keeps_one_former_database_for_a_reader_that_never_ends(void **state)
{
	struct err err = { 0 };
	struct vulndb *stuck = NULL, *second = NULL;
	struct arena arena = ARENA((size_t)1 << 20);
	size_t n;
	write_feeds(state, "1");
	assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &stuck, &err), 0);
	write_feeds(state, "2");
	assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
	/* the same again is no new generation */
	assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
	assert_int_equal(count_files(in_scratch(state, "db"), ".sqlite"), 4);
	assert_int_equal(vulndb_open(in_scratch(state, "db"), &second, &err), 0);
	for (int version = 3; version < 7; version++) {
		char text[16];
		(void)snprintf(text, sizeof(text), "%d", version);
		write_feeds(state, text);
		assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
		assert_int_equal(count_files(in_scratch(state, "db"), ".sqlite"), 4);
		assert_int_equal(count_files(in_scratch(state, "db"), ".filter"), 1);
		if (version == 3)
			assert_true(str_eq(version_of_b(second, &arena), STR("2")));
	}
	/* its file is gone: it says so, and gives no answer */
	const struct advisory_affected *a;
	assert_int_equal(vulndb_affecting(stuck, STR("npm"), STR("b"), &arena, &a, &n, &err), 0);
	assert_int_equal(n, 0);
	(void)vulndb_problems(stuck, &n);
	assert_int_equal(n, 1);
	vulndb_close(second);
	vulndb_close(stuck);
	write_feeds(state, "7");
	assert_int_equal(import_and_build(state, "store", "db", 1, &err), 0);
	assert_int_equal(count_files(in_scratch(state, "db"), ".sqlite"), 3);
	assert_int_equal(count_files(in_scratch(state, "db"), ".previous"), 0);
	arena_fini(&arena);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(test_build__##name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(same_feeds_give_the_same_bytes_with_any_threads),
		TEST(changes_only_the_files_of_changed_sources),
		TEST(leaves_a_reader_its_database),
		TEST(keeps_one_former_database_for_a_reader_that_never_ends),
		TEST(builds_and_readers_do_not_disturb_each_other),
		TEST(says_when_the_store_is_empty_or_damaged),
		TEST(removes_what_a_killed_run_left),
		TEST(a_write_that_fails_leaves_the_old_data),
		TEST(a_full_disk_leaves_the_old_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
