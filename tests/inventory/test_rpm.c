/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "rpm_make.h"
#include "tree.h"

#define DATABASE "/var/lib/rpm/rpmdb.sqlite"

extern const struct reader reader_rpm;

static const char *shared(void)
{
	const char *folder = getenv("SONDE_SHARED");
	return folder ? folder : SHARED;
}

static void read_file(const char *path, struct buf *out)
{
	struct err err = { 0 };
	assert_int_equal(fs_read(AT_FDCWD, path, out, &err), 0);
}

/* Run a shell command; what it prints is added to `out` when that is not NULL. */
static bool run(struct buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static bool run(struct buf *out, const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	va_start(ap, fmt);
	assert_true(vsnprintf(command, sizeof(command), fmt, ap) < (int)sizeof(command));
	va_end(ap);
	FILE *f = popen(command, "re");
	assert_non_null(f);
	for (int c; (c = getc(f)) != EOF;) {
		if (out)
			buf_add_byte(out, (char)c);
	}
	int status = pclose(f);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int by_bytes(const void *a, const void *b)
{
	return str_cmp(*(const str *)a, *(const str *)b);
}

static str *sort_lines(str text, struct arena *arena, size_t *ret_n)
{
	size_t n = 0;
	str rest = text;
	for (str line; str_next_line(&rest, &line);)
		n++;
	str *lines = arena_alloc(arena, n + 1, sizeof(*lines));
	assert_non_null(lines);
	n = 0;
	for (str line; str_next_line(&text, &line);)
		lines[n++] = line;
	qsort(lines, n, sizeof(*lines), by_bytes);
	*ret_n = n;
	return lines;
}

static void assert_same_lines(str expected, str got)
{
	struct arena arena = ARENA((size_t)64 << 20);
	size_t n_expected, n_got;
	str *a = sort_lines(expected, &arena, &n_expected);
	str *b = sort_lines(got, &arena, &n_got);
	for (size_t i = 0; i < n_expected && i < n_got; i++) {
		if (!str_eq(a[i], b[i]))
			fail_msg(
			        "expected " STR_FMT "\ngot " STR_FMT, STR_ARG(a[i]), STR_ARG(b[i]));
	}
	assert_int_equal(n_expected, n_got);
	arena_fini(&arena);
}

/* Our packages in the form of rpm's list: the source's file name put together again. */
static void print_as_rpm(const struct tree *tree, struct buf *out)
{
	for (size_t i = 0; i < tree->n_packages; i++) {
		const struct package *p = &tree->packages[i];
		str name = p->source_name.n ? p->source_name : p->name, epoch;
		str version = p->source_version.n ? p->source_version : p->version;
		str module = p->module.n ? p->module : STR("(none)");
		if (p->source_version.n == 0)
			(void)str_split_first(version, ':', &epoch, &version);
		buf_printf(out,
		        STR_FMT "\t" STR_FMT "\t" STR_FMT "\t" STR_FMT "-" STR_FMT
		                ".src.rpm\t" STR_FMT "\n",
		        STR_ARG(p->name), STR_ARG(p->version), STR_ARG(p->arch), STR_ARG(name),
		        STR_ARG(version), STR_ARG(module));
	}
}

/* rpm's list without its comment and its keys, an epoch of 0 left out as we do. */
static void normalise(str rest, struct buf *out)
{
	for (str line; str_next_line(&rest, &line);) {
		str name, tail;
		if (str_has_prefix(line, STR("#")) || str_has_prefix(line, STR("gpg-pubkey\t")))
			continue;
		assert_true(str_split_first(line, '\t', &name, &tail));
		if (str_has_prefix(tail, STR("0:")))
			tail = str_skip(tail, 2);
		buf_add(out, name);
		buf_add_byte(out, '\t');
		buf_add(out, tail);
		buf_add_byte(out, '\n');
	}
}

static void compare(struct tree *tree, str list)
{
	autobuf expected = BUF((size_t)4 << 20);
	autobuf got = BUF((size_t)4 << 20);
	normalise(list, &expected);
	print_as_rpm(tree, &got);
	assert_same_lines(buf_str(&expected), buf_str(&got));
	assert_int_equal(tree->errors.n, 0);
}

/* One database of the shared folder: equal to rpm's list, or said to be of a format not read yet.
 */
static void check_shared(
        const char *folder, const char *name, unsigned *n_read, unsigned *n_packages)
{
	char path[8192];
	struct tree tree = TREE;
	autobuf bytes = BUF((size_t)64 << 20);
	autobuf list = BUF((size_t)4 << 20);
	static const char *const files[] = { "rpmdb.sqlite", "Packages", "Packages.db" };
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s/%s", folder, name, files[i]);
		if (access(path, R_OK) != 0)
			continue;
		read_file(path, &bytes);
		char at[64];
		(void)snprintf(at, sizeof(at), "/var/lib/rpm/%s", files[i]);
		int r = tree_read_bytes(&tree, at, buf_str(&bytes), &reader_rpm);
		assert_int_equal(r, i == 0 ? 0 : -ERR_UNSUPPORTED);
		if (i == 0) {
			(void)snprintf(path, sizeof(path), "%s/%s/rpm-qa.tsv", folder, name);
			read_file(path, &list);
			compare(&tree, buf_str(&list));
			print_message("%s: %zu packages\n", name, tree.n_packages);
			*n_packages += (unsigned)tree.n_packages;
			++*n_read;
		} else {
			buf_add_byte(&tree.errors, '\0');
			assert_non_null(strstr(tree.errors.p, "which is not read yet"));
			assert_int_equal(tree.n_packages, 0);
		}
	}
	tree_fini(&tree);
}

static void test_rpm__agrees_with_the_databases_of_others(void **state)
{
	char folder[4096];
	unsigned n_read = 0, n_packages = 0;
	(void)state;
	(void)snprintf(folder, sizeof(folder), "%s/fixtures/rpm/rpmdb", shared());
	DIR *dir = opendir(folder);
	if (!dir) {
		print_message("skipped: %s\n", folder);
		skip();
	}
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		if (d->d_name[0] != '.')
			check_shared(folder, d->d_name, &n_read, &n_packages);
	}
	(void)closedir(dir);
	assert_true(n_read >= 2);
	assert_true(n_packages > 100);
}

/* Packages as rpm itself builds and installs them. */
static const char spec[] =
        "Name: sample\nVersion: 1.2~rc1\nRelease: 3%{?dist}\nEpoch: 2\nSummary: s\n"
        "License: MIT AND Apache-2.0\nVendor: Sample Vendor\nBuildArch: noarch\n"
        "%description\nd\n"
        "%package -n python3-sample\nSummary: p\nVersion: 4.5^git1\n"
        "%description -n python3-sample\nd\n"
        "%package module\nSummary: m\nEpoch: 0\nModularityLabel: sample:1:20240101:abcd\n"
        "%description module\nd\n"
        "%install\n"
        "mkdir -p %{buildroot}/usr/lib/python3.9/site-packages/sample-4.5.dist-info"
        " %{buildroot}/usr/lib/node_modules/sample %{buildroot}/usr/share/sample\n"
        "echo x > %{buildroot}/usr/lib/python3.9/site-packages/sample-4.5.dist-info/METADATA\n"
        "echo x > %{buildroot}/usr/lib/node_modules/sample/package.json\n"
        "echo x > %{buildroot}/usr/share/sample/readme\n"
        "%files\n/usr/share/sample\n"
        "%files -n python3-sample\n/usr/lib/python3.9/site-packages/*\n"
        "%files module\n/usr/lib/node_modules/sample\n";

static const char query[] =
        "rpm --dbpath '%s' -qa --qf "
        "'%%{NAME}\\t%%|EPOCH?{%%{EPOCH}:}|%%{VERSION}-%%{RELEASE}\\t%%{ARCH}\\t%%{SOURCERPM}\\t"
        "%%{MODULARITYLABEL}\\n'";

struct host {
	char folder[64], db[128];
};

static void host_fini(struct host *host)
{
	if (host->folder[0])
		assert_int_equal(fs_remove_tree(AT_FDCWD, host->folder), 0);
}

/* A root with a database that rpm has made, or false. */
static bool host_init(struct host *host)
{
	char path[256];
	struct err err = { 0 };
	*host = (struct host){ 0 };
	if (!run(NULL, "command -v rpm") || !run(NULL, "command -v rpmbuild"))
		return false;
	(void)snprintf(host->folder, sizeof(host->folder), "/tmp/sonde-rpm-XXXXXX");
	assert_non_null(mkdtemp(host->folder));
	(void)snprintf(host->db, sizeof(host->db), "%s/root/var/lib/rpm", host->folder);
	assert_int_equal(fs_make_dirs(host->db, 0755, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/sample.spec", host->folder);
	int fd = fs_open_dir(host->folder, false, &err);
	assert_int_equal(fs_replace(fd, "sample.spec", str_from_c(spec), 0644, &err), 0);
	(void)close(fd);
	bool ok = run(NULL, "rpmbuild -bb --quiet --define '_topdir %s/build' %s 2>&1",
	                  host->folder, path) &&
	          run(NULL, "rpm --dbpath %s --initdb 2>&1", host->db) &&
	          run(NULL,
	                  "rpm --dbpath %s -i --justdb --nodeps --noscripts --force-debian "
	                  "%s/build/RPMS/noarch/*.rpm 2>&1 ||"
	                  " rpm --dbpath %s -i --justdb --nodeps --noscripts "
	                  "%s/build/RPMS/noarch/*.rpm 2>&1",
	                  host->db, host->folder, host->db, host->folder);
	char file[256];
	(void)snprintf(file, sizeof(file), "%s/rpmdb.sqlite", host->db);
	return ok && access(file, R_OK) == 0;
}

static void scan_host(const struct host *host, struct tree *tree)
{
	char root[128];
	(void)snprintf(root, sizeof(root), "%s/root", host->folder);
	assert_int_equal(tree_scan(tree, root, "rpm", NULL), 0);
}

static void skip_host(struct host *host)
{
	host_fini(host);
	print_message("skipped: rpm and rpmbuild with SQLite databases\n");
	skip();
}

static const struct package *find_package(const struct tree *tree, str name)
{
	for (size_t i = 0; i < tree->n_packages; i++) {
		if (str_eq(tree->packages[i].name, name))
			return &tree->packages[i];
	}
	fail_msg(STR_FMT " is missing", STR_ARG(name));
	return NULL;
}

static void test_rpm__agrees_with_rpm_on_a_database_it_made(void **state)
{
	struct host host;
	struct tree tree = TREE;
	autobuf list = BUF((size_t)1 << 20);
	(void)state;
	if (!host_init(&host))
		skip_host(&host);
	scan_host(&host, &tree);
	assert_true(run(&list, query, host.db));
	assert_int_equal(tree.n_packages, 3);
	compare(&tree, buf_str(&list));
	assert_true(str_eq(find_package(&tree, STR("sample"))->version, STR("2:1.2~rc1-3")));
	assert_true(str_eq(find_package(&tree, STR("sample"))->vendor, STR("Sample Vendor")));
	assert_true(str_eq(find_package(&tree, STR("sample"))->licence, STR("MIT AND Apache-2.0")));
	assert_true(str_eq(find_package(&tree, STR("python3-sample"))->source_name, STR("sample")));
	assert_true(str_eq(
	        find_package(&tree, STR("python3-sample"))->source_version, STR("1.2~rc1-3")));
	assert_true(str_eq(
	        find_package(&tree, STR("sample-module"))->module, STR("sample:1:20240101:abcd")));
	assert_same_lines(STR("owned rpm python3-sample 2:4.5^git1-3 "
	                      "/usr/lib/python3.9/site-packages/sample-4.5.dist-info/METADATA\n"
	                      "owned rpm sample-module 1.2~rc1-3 "
	                      "/usr/lib/node_modules/sample/package.json\n"),
	        buf_str(&tree.owned));
	tree_fini(&tree);
	host_fini(&host);
}

static void test_rpm__agrees_with_rpm_on_a_pending_log(void **state)
{
	struct host host;
	struct tree tree = TREE;
	sqlite3 *db;
	char path[256];
	autobuf list = BUF((size_t)1 << 20);
	(void)state;
	if (!host_init(&host))
		skip_host(&host);
	(void)snprintf(path, sizeof(path), "%s/rpmdb.sqlite", host.db);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db,
	                "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
	                "INSERT INTO Packages SELECT hnum + 1000, blob FROM Packages;"
	                "DELETE FROM Packages WHERE hnum = (SELECT min(hnum) FROM Packages)",
	                NULL, NULL, NULL),
	        SQLITE_OK);
	(void)snprintf(path, sizeof(path), "%s/copy", host.folder);
	assert_true(run(NULL, "cp -r %s %s && rm -f %s/*-shm", host.db, path, path));
	assert_true(run(NULL, "test -s %s/rpmdb.sqlite-wal", path));
	scan_host(&host, &tree);
	assert_true(run(&list, query, path)); /* rpm moves the log into its copy */
	(void)sqlite3_close(db);
	assert_int_equal(tree.n_packages, 5);
	assert_true(tree.n_siblings > 0);
	assert_int_equal(tree.notes.n, 0);
	compare(&tree, buf_str(&list));
	tree_fini(&tree);
	host_fini(&host);
}

/* rpm, too, reads the headers that our tests make by hand. */
static void test_rpm__headers_made_by_hand_are_headers_to_rpm(void **state)
{
	struct host host;
	struct tree tree = TREE;
	struct err err = { 0 };
	autobuf bytes = BUF((size_t)1 << 20);
	autobuf list = BUF((size_t)1 << 20);
	(void)state;
	if (!host_init(&host))
		skip_host(&host);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "first", "second", "third" };
		buf_add(&bytes, STR("\x8e\xad\xe8\x01\0\0\0\0"));
		rpm_make_simple(names[i], "1.0", &bytes);
	}
	int fd = fs_open_dir(host.folder, false, &err);
	assert_int_equal(fs_replace(fd, "headers", buf_str(&bytes), 0644, &err), 0);
	(void)close(fd);
	assert_true(run(NULL, "rm -rf %s/* && rpmdb --dbpath %s --importdb < %s/headers 2>&1",
	        host.db, host.db, host.folder));
	assert_true(run(&list, "rpm --dbpath '%s' -qa --qf '%%{NAME} %%{VERSION}-%%{RELEASE}\\n'",
	        host.db));
	assert_same_lines(
	        STR("first 1.0-1.el9\nsecond 1.0-1.el9\nthird 1.0-1.el9\n"), buf_str(&list));
	scan_host(&host, &tree);
	assert_int_equal(tree.n_packages, 3);
	assert_int_equal(tree.errors.n + tree.notes.n, 0);
	tree_fini(&tree);
	host_fini(&host);
}

static void read_older(const char *name, str begin, const char *expected)
{
	char path[64], bytes[4096] = { 0 };
	struct tree tree = TREE;
	(void)snprintf(path, sizeof(path), "/var/lib/rpm/%s", name);
	memcpy(bytes, begin.p, begin.n);
	(void)tree_read_bytes(&tree, path, (str){ bytes, sizeof(bytes) }, &reader_rpm);
	buf_add_byte(&tree.errors, '\0');
	assert_non_null(strstr(tree.errors.p, expected));
	tree_fini(&tree);
}

static void test_rpm__says_which_format_it_does_not_read(void **state)
{
	(void)state;
	read_older("Packages", STR("\0\0\0\0\0\0\0\0\0\0\0\0\x61\x15\x06\0"), "BerkeleyDB");
	read_older("Packages", STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\x06\x15\x61"), "BerkeleyDB");
	read_older("Packages.db", STR("RpmP\0\0\0\0"), "NDB");
	read_older("Packages", STR("something else"), "error format");
}

/* Reads a database of headers given as they are, in SQLite's format. */
static int read_headers(struct tree *tree, const str *headers, size_t n)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;
	sqlite3_int64 size;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
	                         "PRAGMA page_size=512;"
	                         "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT,"
	                         " blob BLOB)",
	                         NULL, NULL, NULL),
	        SQLITE_OK);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO Packages(blob) VALUES (?)", -1,
		                         &stmt, NULL),
		        SQLITE_OK);
		sqlite3_bind_blob(stmt, 1, headers[i].p, (int)headers[i].n, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
		sqlite3_finalize(stmt);
	}
	unsigned char *bytes = sqlite3_serialize(db, "main", &size, 0);
	assert_non_null(bytes);
	int r = tree_read_bytes(
	        tree, DATABASE, (str){ (const char *)bytes, (size_t)size }, &reader_rpm);
	sqlite3_free(bytes);
	sqlite3_close(db);
	return r;
}

static void test_rpm__notes_headers_that_cannot_be_named(void **state)
{
	static const struct {
		const char *name, *version, *note;
	} cases[] = {
		{ "", "1", "header has no name: left out" },
		{ "a b", "1", "header has a damaged name: left out" },
		{ "a/b", "1", "header has a damaged name: left out" },
		{ "a", "", "header has no version: left out" },
		{ "a", "1\n2", "header has a damaged version: left out" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tree tree = TREE;
		autobuf bad = BUF(1 << 20);
		autobuf good = BUF(1 << 20);
		rpm_make_simple(cases[i].name, cases[i].version, &bad);
		rpm_make_simple("good", "1", &good);
		const str headers[] = { buf_str(&bad), buf_str(&good), STR("junk") };
		assert_int_equal(read_headers(&tree, headers, 3), 0);
		assert_int_equal(tree.n_packages, 1);
		buf_add_byte(&tree.notes, '\0');
		assert_non_null(strstr(tree.notes.p, cases[i].note));
		assert_non_null(strstr(tree.notes.p, ":3 a header of 4 bytes has no index"));
		tree_fini(&tree);
	}
}

static void test_rpm__tells_a_thousand_notes_and_counts_the_rest(void **state)
{
	static str headers[1500];
	struct tree tree = TREE;
	size_t n = 0;
	(void)state;
	for (size_t i = 0; i < 1500; i++)
		headers[i] = STR("junk");
	assert_int_equal(read_headers(&tree, headers, 1500), 0);
	str rest = buf_str(&tree.notes);
	for (str line; str_next_line(&rest, &line);)
		n++;
	assert_int_equal(n, 1001);
	buf_add_byte(&tree.notes, '\0');
	assert_non_null(strstr(tree.notes.p, ":0 500 more notes are not shown"));
	tree_fini(&tree);
}

static void test_rpm__reads_odd_source_names(void **state)
{
	static const struct {
		const char *source, *name, *version;
		bool noted;
	} cases[] = {
		{ "a-1-1.el9.src.rpm", "", "", false },
		{ "b-1-1.el9.src.rpm", "b", "", false },
		{ "a-2-1.el9.nosrc.rpm", "", "2-1.el9", false },
		{ "b-c-d-2-1.el9.src.rpm", "b-c-d", "2-1.el9", false },
		{ "(none)", "", "", true },
		{ "a-1.src.rpm", "", "", true },
		{ "-1-1.src.rpm", "", "", true },
		{ "a--1.src.rpm", "", "", true },
		{ "a-1-.src.rpm", "", "", true },
		{ ".src.rpm", "", "", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tree tree = TREE;
		struct rpm_make make = RPM_MAKE;
		autobuf bytes = BUF(1 << 20);
		rpm_make_string(&make, 1000, "a");
		rpm_make_string(&make, 1001, "1");
		rpm_make_string(&make, 1002, "1.el9");
		rpm_make_string(&make, 1044, cases[i].source);
		rpm_make_numbers(&make, 1003, (const uint32_t[]){ 0 }, 1);
		rpm_make_finish(&make, &bytes);
		assert_int_equal(read_headers(&tree, (const str[]){ buf_str(&bytes) }, 1), 0);
		assert_int_equal(tree.n_packages, 1);
		assert_true(str_eq(tree.packages[0].version, STR("1-1.el9")));
		assert_true(str_eq(tree.packages[0].source_name, str_from_c(cases[i].name)));
		assert_true(str_eq(tree.packages[0].source_version, str_from_c(cases[i].version)));
		assert_int_equal(tree.notes.n > 0, cases[i].noted);
		rpm_make_fini(&make);
		tree_fini(&tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rpm__agrees_with_the_databases_of_others),
		cmocka_unit_test(test_rpm__agrees_with_rpm_on_a_database_it_made),
		cmocka_unit_test(test_rpm__agrees_with_rpm_on_a_pending_log),
		cmocka_unit_test(test_rpm__headers_made_by_hand_are_headers_to_rpm),
		cmocka_unit_test(test_rpm__says_which_format_it_does_not_read),
		cmocka_unit_test(test_rpm__notes_headers_that_cannot_be_named),
		cmocka_unit_test(test_rpm__tells_a_thousand_notes_and_counts_the_rest),
		cmocka_unit_test(test_rpm__reads_odd_source_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
