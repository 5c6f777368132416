/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rpm_image.h"

static void test_rpm_sqlite__reads_every_row_in_order(void **state)
{
	static const int sizes[] = { 512, 1024, 4096, 65536 };
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct files files;
		struct image image;
		files_open(&files, "DELETE", sizes[i]);
		for (int n = 200; n > 0; n--)
			files_add(&files, n * 3, n * 50);
		files_load(&files);
		image = files_image(&files);
		assert_true(files_compare(&files, &image));
		files_close(&files);
	}
}

static void test_rpm_sqlite__empty_table_is_no_error(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_open(&files, "DELETE", 4096);
	files_load(&files);
	struct image image = files_image(&files);
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_int_equal(heard.rows.n + heard.notes.n, 0);
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_sqlite__hot_journal_is_told(void **state)
{
	struct files files;
	struct heard heard = HEARD, cold = HEARD;
	struct err err = { 0 };
	(void)state;
	files_open(&files, "DELETE", 1024);
	files_add(&files, 1, 100);
	files_load(&files);
	struct image image = files_image(&files);
	image.has_journal = true;
	image.journal = STR("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and so on");
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_true(heard_has(&heard.notes, "0 rpmdb.sqlite-journal: a transaction is under way"));
	assert_true(heard_has(&heard.rows, "1 100 "));
	image.journal = STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	assert_int_equal(image_read(&image, &cold, &err), 0);
	assert_int_equal(cold.notes.n, 0);
	heard_fini(&heard);
	heard_fini(&cold);
	files_close(&files);
}

static void test_rpm_sqlite__change_during_the_read_is_told(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_open(&files, "DELETE", 1024);
	files_add(&files, 1, 100);
	files_load(&files);
	struct image image = files_image(&files);
	char other[100];
	memcpy(other, image.db.p, 100);
	other[27]++;
	image.touch = (str){ other, 100 };
	/* SQLite reads the header, too: only the first and the last of our own reads see the same.
	 */
	(void)image_read(&image, &heard, &err);
	assert_true(heard_has(&heard.notes, "changed while it was read"));
	heard_fini(&heard);
	files_close(&files);
}

/* The filesystem that rpm_sqlite_read() has put up while it reads; NULL when it does not read. */
static sqlite3_vfs *find_ours(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	while (vfs && strncmp(vfs->zName, "rpm-", 4) != 0)
		vfs = vfs->pNext;
	return vfs;
}

static void try_to_open(void)
{
	static const int kinds[] = { SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_TEMP_DB,
		SQLITE_OPEN_TRANSIENT_DB, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_TEMP_JOURNAL,
		SQLITE_OPEN_SUBJOURNAL, SQLITE_OPEN_SUPER_JOURNAL, SQLITE_OPEN_WAL };
	static const char *const names[] = { NULL, "", "other", "/etc/passwd", "rpmdb-journal",
		"rpmdb-wal", "rpmdb" };
	sqlite3_vfs *vfs = find_ours();
	sqlite3_file *file = calloc(1, vfs ? (size_t)vfs->szOsFile : 1);
	sqlite3 *db;
	int there = 1;
	if (!vfs || !file) {
		fail_msg("no filesystem of ours");
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (size_t j = 0; j < sizeof(kinds) / sizeof(kinds[0]); j++) {
			bool is_it = i == 6 && j == 0;
			assert_int_equal(vfs->xOpen(vfs, names[i], file,
			                         kinds[j] | SQLITE_OPEN_READONLY, NULL),
			        is_it ? SQLITE_OK : SQLITE_CANTOPEN);
			assert_int_equal(file->pMethods != NULL, is_it);
			assert_int_equal(
			        vfs->xOpen(vfs, names[i], file,
			                kinds[j] | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			                NULL),
			        SQLITE_CANTOPEN);
			assert_null(file->pMethods);
		}
	}
	free(file);
	assert_int_equal(vfs->xDelete(vfs, "/etc/passwd", 0), SQLITE_READONLY);
	assert_int_equal(vfs->xAccess(vfs, "/etc/passwd", SQLITE_ACCESS_EXISTS, &there), SQLITE_OK);
	assert_int_equal(there, 0);
	assert_int_equal(
	        sqlite3_open_v2("other", &db, SQLITE_OPEN_READONLY, vfs->zName), SQLITE_CANTOPEN);
	sqlite3_close(db);
	assert_int_equal(
	        sqlite3_open_v2("rpmdb", &db, SQLITE_OPEN_READONLY, vfs->zName), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db, "DELETE FROM Packages", NULL, NULL, NULL), SQLITE_READONLY);
	assert_int_not_equal(
	        sqlite3_exec(db, "ATTACH 'other' AS o; CREATE TABLE o.t (a)", NULL, NULL, NULL),
	        SQLITE_OK);
	sqlite3_close(db);
}

static void test_rpm_sqlite__filesystem_knows_one_file(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_open(&files, "DELETE", 1024);
	files_add(&files, 1, 100);
	files_load(&files);
	struct image image = files_image(&files);
	heard.during = try_to_open;
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_true(heard_has(&heard.rows, "1 100 "));
	assert_null(find_ours());
	heard_fini(&heard);
	files_close(&files);
}

/* Every call by which SQLite could reach a file or another machine. */
static bool forbid_opening(void)
{
	static const int calls[] = { SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2),
		SCMP_SYS(creat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
		SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
		SCMP_SYS(link), SCMP_SYS(symlink), SCMP_SYS(truncate), SCMP_SYS(ftruncate),
		SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(fcntl), SCMP_SYS(stat),
		SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(access), SCMP_SYS(faccessat),
		SCMP_SYS(fork), SCMP_SYS(execve) };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = filter != NULL;
	for (size_t i = 0; ok && i < sizeof(calls) / sizeof(calls[0]); i++)
		ok = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, calls[i], 0) == 0;
	ok = ok && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return ok;
}

static void test_rpm_sqlite__opens_nothing(void **state)
{
	struct files files;
	int status;
	(void)state;
	files_fill_log(&files);
	struct image image = files_image(&files);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		if (!forbid_opening())
			_exit(77);
		_exit(image_read(&image, &heard, &err) == 0 && heard.rows.n > 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	files_close(&files);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("skipped: seccomp filters\n");
		skip();
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A schema that wants more of SQLite than a table does; its sentence. */
static void refuse_schema(const char *sql, const char *text)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	files_open(&files, "DELETE", 1024);
	files_exec(&files, "DROP TABLE Packages");
	files_exec(&files, sql);
	files_load(&files);
	struct image image = files_image(&files);
	assert_int_equal(image_read(&image, &heard, &err), -ERR_FORMAT);
	if (!strstr(err.text, text))
		fail_msg("%s: %s", sql, err.text);
	assert_int_equal(heard.rows.n, 0);
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_sqlite__refuses_schemas_that_are_no_table(void **state)
{
	(void)state;
	refuse_schema("CREATE TABLE Other (a)", "no table Packages");
	refuse_schema(
	        "CREATE VIEW Packages AS SELECT 1 AS hnum, x'00' AS blob", "no table Packages");
	refuse_schema("CREATE VIRTUAL TABLE Packages USING fts5(hnum, blob)", "no table Packages");
	refuse_schema(
	        "CREATE VIRTUAL TABLE packages USING rtree(hnum, blob, c)", "no table Packages");
	refuse_schema("CREATE TABLE Packages (a, b)", "not numbered by hnum");
	refuse_schema("CREATE TABLE Packages (hnum INTEGER, blob BLOB)", "not numbered by hnum");
	refuse_schema("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB) WITHOUT ROWID",
	        "not numbered by hnum");
	/* a virtual table that claims to have a page of its own, as tables have */
	refuse_schema("CREATE VIRTUAL TABLE Packages USING fts5(hnum, blob);"
	              "PRAGMA writable_schema=ON;"
	              "UPDATE sqlite_master SET rootpage=2 WHERE name='Packages'",
	        "no table Packages");
}

static void test_rpm_sqlite__refuses_what_is_no_database(void **state)
{
	static const char *const texts[] = { "", "x", "SQLite format 3", "SQLite format 3\n",
		"this is a text that is longer than the header of a database, so that nobody can "
		"say "
		"that it was too short to be one of them" };
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		struct image image = { .db = str_from_c(texts[i]) };
		assert_int_equal(image_read(&image, &heard, &err), -ERR_FORMAT);
		heard_fini(&heard);
	}
}

static void test_rpm_sqlite__passes_on_failures(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_open(&files, "DELETE", 1024);
	for (int n = 1; n < 50; n++)
		files_add(&files, n, 3000);
	files_load(&files);
	struct image image = files_image(&files);
	heard.answer = -EPIPE;
	assert_int_equal(image_read(&image, &heard, &err), -EPIPE);
	heard.answer = 0;
	image.read_error = -EIO;
	assert_int_equal(image_read(&image, &heard, &err), -EIO);
	image.error_at = 60000;
	assert_int_equal(image_read(&image, &heard, &err), -EIO);
	assert_non_null(strstr(err.text, "Input/output error"));
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_sqlite__reads_many_small_rows(void **state)
{
	struct files files;
	(void)state;
	files_open(&files, "DELETE", 4096);
	files_exec(&files,
	        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)"
	        " INSERT INTO Packages SELECT i, CAST(i AS BLOB) FROM n");
	files_load(&files);
	struct image image = files_image(&files);
	assert_true(files_compare(&files, &image));
	files_close(&files);
}

static void test_rpm_sqlite__needs_memory(void **state)
{
	struct files files;
	(void)state;
	files_fill_log(&files);
	for (size_t bytes = 64; bytes < 20000; bytes += bytes < 1200 ? 16 : 1024) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		struct image image = files_image(&files);
		image.arena_bytes = bytes;
		int r = image_read(&image, &heard, &err);
		assert_true(r == 0 || r == -ERR_LIMIT);
		heard_fini(&heard);
	}
	files_close(&files);
}

static void test_rpm_sqlite__broken_blob_costs_itself(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	files_open(&files, "DELETE", 1024);
	for (int n = 1; n < 20; n++)
		files_add(&files, n, 5000);
	files_exec(&files,
	        "UPDATE Packages SET blob = CAST(replace(hex(zeroblob(2000)), '00', 'seven ')"
	        " AS BLOB) WHERE hnum = 7");
	files_exec(&files, "INSERT INTO Packages VALUES (100, 'text'), (101, 5)");
	files_add(&files, 102, 10);
	files_load(&files);
	/* An overflow page begins with the number of the next: break the first one of header 7. */
	char *page = files.db_bytes.p;
	while (!memmem(page + 4, 12, "seven", 5))
		page += 1024;
	put_u32be(page, 0x7fffffff);
	struct image image = files_image(&files);
	assert_int_equal(image_read(&image, &heard, &err), 0);
	assert_true(heard_has(&heard.notes, "7 header cannot be read"));
	assert_true(heard_has(&heard.notes, "101 header cannot be read"));
	assert_true(heard_has(&heard.rows, "\n6 5000 "));
	assert_true(heard_has(&heard.rows, "\n8 5000 "));
	assert_true(heard_has(&heard.rows, "\n102 10 "));
	heard_fini(&heard);
	files_close(&files);
}

/* The root of a table whose root is an interior page: where it lies and how many cells it has. */
static char *find_root(struct files *files, int page_bytes, unsigned *ret_cells)
{
	sqlite3_stmt *stmt;
	assert_int_equal(sqlite3_prepare_v2(files->handle,
	                         "SELECT rootpage FROM sqlite_master WHERE name='Packages'", -1,
	                         &stmt, NULL),
	        SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	char *page =
	        files->db_bytes.p + (size_t)(sqlite3_column_int(stmt, 0) - 1) * (size_t)page_bytes;
	sqlite3_finalize(stmt);
	assert_int_equal(page[0], 5);
	*ret_cells = (unsigned)(unsigned char)page[3] << 8 | (unsigned char)page[4];
	return page;
}

static char *cell_of(char *page, unsigned i)
{
	const unsigned char *at = (const unsigned char *)page + 12 + 2 * i;
	return page + ((size_t)at[0] << 8 | at[1]);
}

static void test_rpm_sqlite__broken_tree_is_read_from_both_ends(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	unsigned cells;
	(void)state;
	files_open(&files, "DELETE", 512);
	for (int n = 1; n <= 200; n++)
		files_add(&files, n, 100);
	files_load(&files);
	char *root = find_root(&files, 512, &cells);
	assert_true(cells > 10);
	put_u32be(cell_of(root, cells / 2), 0x7fffffff);
	struct image image = files_image(&files);
	assert_int_equal(image_read(&image, &heard, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "the database is damaged between headers "));
	size_t n = 0;
	str rest = buf_str(&heard.rows);
	for (str line; str_next_line(&rest, &line);)
		n++;
	assert_true(n > 180 && n < 200);
	assert_true(heard_has(&heard.rows, "\n200 100 "));
	assert_true(str_has_prefix(buf_str(&heard.rows), STR("1 100 ")));
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_sqlite__loops_end(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	unsigned cells;
	(void)state;
	files_open(&files, "DELETE", 512);
	for (int n = 1; n <= 200; n++)
		files_add(&files, n, 100);
	files_load(&files);
	char *root = find_root(&files, 512, &cells);
	uint32_t first = get_u32be(cell_of(root, 0));
	for (unsigned i = 1; i < cells; i++)
		put_u32be(cell_of(root, i), first);
	put_u32be(root + 8, first);
	struct image image = files_image(&files);
	assert_int_equal(image_read(&image, &heard, &err), -ERR_FORMAT);
	assert_true(heard.rows.n < 1000);
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_sqlite__stands_every_truncation_and_flip(void **state)
{
	struct files files;
	unsigned n_failed = 0, n = 0;
	(void)state;
	files_open(&files, "DELETE", 512);
	for (int i = 1; i <= 12; i++)
		files_add(&files, i, i * 60);
	files_exec(&files, "DROP TABLE Name; VACUUM");
	files_load(&files);
	for (size_t at = 0; at < files.db_bytes.n; at++, n++) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		struct image image = files_image(&files);
		char was = files.db_bytes.p[at];
		files.db_bytes.p[at] = (char)(at % 3 == 0 ? ~was : was ^ 1 << at % 8);
		n_failed += image_read(&image, &heard, &err) < 0;
		files.db_bytes.p[at] = was;
		heard_fini(&heard);
	}
	for (size_t size = 0; size < files.db_bytes.n; size += 61, n++) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		struct image image = files_image(&files);
		image.db.n = size;
		n_failed += image_read(&image, &heard, &err) < 0;
		heard_fini(&heard);
	}
	print_message("%u of %u damaged databases failed with a sentence\n", n_failed, n);
	assert_true(n_failed > 0 && n_failed < n);
	files_close(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rpm_sqlite__reads_every_row_in_order),
		cmocka_unit_test(test_rpm_sqlite__empty_table_is_no_error),
		cmocka_unit_test(test_rpm_sqlite__hot_journal_is_told),
		cmocka_unit_test(test_rpm_sqlite__change_during_the_read_is_told),
		cmocka_unit_test(test_rpm_sqlite__filesystem_knows_one_file),
		cmocka_unit_test(test_rpm_sqlite__opens_nothing),
		cmocka_unit_test(test_rpm_sqlite__refuses_schemas_that_are_no_table),
		cmocka_unit_test(test_rpm_sqlite__refuses_what_is_no_database),
		cmocka_unit_test(test_rpm_sqlite__passes_on_failures),
		cmocka_unit_test(test_rpm_sqlite__reads_many_small_rows),
		cmocka_unit_test(test_rpm_sqlite__needs_memory),
		cmocka_unit_test(test_rpm_sqlite__broken_blob_costs_itself),
		cmocka_unit_test(test_rpm_sqlite__broken_tree_is_read_from_both_ends),
		cmocka_unit_test(test_rpm_sqlite__loops_end),
		cmocka_unit_test(test_rpm_sqlite__stands_every_truncation_and_flip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
