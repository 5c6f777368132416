/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "inventory/rpm_sqlite.h"
#include "rpm_make.h"

/* A database in memory: what its reader is given instead of files. */
struct image {
	str db, wal, journal;
	bool has_wal, has_journal;
	int read_error; /* < 0: what reads at or past `error_at` return */
	uint64_t error_at;
	unsigned n_open;
	str touch; /* on the second read of the header, this stands there instead */
	unsigned n_header_reads;
};

struct part {
	struct image *image;
	str bytes;
};

static int64_t part_read_at(const struct artefact *artefact, void *to, size_t n, uint64_t offset)
{
	const struct part *part = artefact->ctx;
	str bytes = part->bytes;
	if (part->image->read_error < 0 && offset >= part->image->error_at)
		return part->image->read_error;
	if (offset == 0 && n == 100 && part->image->touch.n && part->image->n_header_reads++ > 0)
		bytes = part->image->touch;
	str piece = str_head(str_skip(bytes, (size_t)offset), n);
	if (piece.n > 0)
		memcpy(to, piece.p, piece.n);
	return (int64_t)piece.n;
}

static void part_close(struct artefact *artefact)
{
	struct part *part = artefact->ctx;
	part->image->n_open--;
	free(part);
	artefact->ctx = NULL;
}

static int part_sibling(const struct artefact *artefact, str name, struct artefact *ret)
{
	struct image *image = ((struct part *)artefact->ctx)->image;
	bool is_wal = str_eq(name, STR("rpmdb.sqlite-wal"));
	assert_true(is_wal || str_eq(name, STR("rpmdb.sqlite-journal")));
	if (!(is_wal ? image->has_wal : image->has_journal))
		return -ENOENT;
	struct part *part = malloc(sizeof(*part));
	assert_non_null(part);
	*part = (struct part){ image, is_wal ? image->wal : image->journal };
	*ret = *artefact;
	ret->ctx = part;
	ret->size_bytes = part->bytes.n;
	image->n_open++;
	return 0;
}

static const struct artefact_ops part_ops = { part_read_at, part_sibling, part_close };

struct heard {
	struct buf rows;  /* "<number> <bytes> <sum>\n" */
	struct buf notes; /* "<number> <what>\n" */
	int answer;
};

#define HEARD ((struct heard){ .rows = BUF((size_t)16 << 20), .notes = BUF((size_t)1 << 20) })

static void heard_fini(struct heard *heard)
{
	buf_fini(&heard->rows);
	buf_fini(&heard->notes);
}

static void add_row(struct buf *rows, uint64_t number, str bytes)
{
	uint32_t sum = 1;
	for (size_t i = 0; i < bytes.n; i++)
		sum = sum * 31 + (unsigned char)bytes.p[i];
	buf_printf(rows, "%llu %zu %u\n", (unsigned long long)number, bytes.n, sum);
}

static int on_blob(void *ctx, uint64_t number, str bytes)
{
	struct heard *heard = ctx;
	add_row(&heard->rows, number, bytes);
	return heard->answer;
}

static void on_note(void *ctx, uint64_t number, const char *what)
{
	struct heard *heard = ctx;
	buf_printf(&heard->notes, "%llu %s\n", (unsigned long long)number, what);
}

static int read_image(struct image *image, struct heard *heard, struct err *err)
{
	struct rpm_blobs to = { on_blob, on_note, heard };
	struct part part = { image, image->db };
	struct artefact artefact = {
		.path = STR("/var/lib/rpm/rpmdb.sqlite"),
		.size_bytes = image->db.n,
		.ops = &part_ops,
		.ctx = &part,
	};
	struct arena arena = ARENA((size_t)64 << 20);
	int r = rpm_sqlite_read(&artefact, &arena, &to, err);
	assert_true(r == 0 || r == heard->answer || err->text[0] != '\0');
	assert_int_equal(image->n_open, 0);
	arena_fini(&arena);
	return r;
}

static bool has_text(struct buf *buf, const char *text)
{
	buf_add_byte(buf, '\0');
	bool found = strstr(buf->p, text) != NULL;
	buf->n--;
	return found;
}

/* One test's files: a folder, a database in it that is kept open, and copies of its files. */
struct files {
	char folder[64], db[128], wal[160];
	sqlite3 *handle;
	struct buf db_bytes, wal_bytes;
};

static void exec(sqlite3 *db, const char *sql)
{
	char *text = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
}

static void add_package(sqlite3 *db, int number, int size)
{
	static char bytes[100000];
	sqlite3_stmt *stmt;
	for (int i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + number);
	assert_int_equal(sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO Packages VALUES (?, ?)", -1,
	                         &stmt, NULL),
	        SQLITE_OK);
	sqlite3_bind_int(stmt, 1, number);
	sqlite3_bind_blob(stmt, 2, bytes, size, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	sqlite3_finalize(stmt);
}

static void files_open(struct files *files, const char *mode, int page_bytes)
{
	char sql[200];
	*files = (struct files){ .db_bytes = BUF((size_t)64 << 20),
		.wal_bytes = BUF((size_t)64 << 20) };
	(void)snprintf(files->folder, sizeof(files->folder), "/tmp/sonde-rpm-XXXXXX");
	assert_non_null(mkdtemp(files->folder));
	(void)snprintf(files->db, sizeof(files->db), "%s/rpmdb.sqlite", files->folder);
	(void)snprintf(files->wal, sizeof(files->wal), "%s-wal", files->db);
	assert_int_equal(sqlite3_open(files->db, &files->handle), SQLITE_OK);
	(void)snprintf(
	        sql, sizeof(sql), "PRAGMA page_size=%d; PRAGMA journal_mode=%s;", page_bytes, mode);
	exec(files->handle, sql);
	exec(files->handle, "PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=OFF;"
	                    "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT,"
	                    " blob BLOB NOT NULL);"
	                    "CREATE TABLE Name (key TEXT NOT NULL, hnum INTEGER NOT NULL,"
	                    " idx INTEGER NOT NULL);");
}

static void load(const char *path, struct buf *out)
{
	struct err err = { 0 };
	buf_clear(out);
	if (access(path, R_OK) == 0)
		assert_int_equal(fs_read(AT_FDCWD, path, out, &err), 0);
}

static void files_load(struct files *files)
{
	load(files->db, &files->db_bytes);
	load(files->wal, &files->wal_bytes);
}

static void files_close(struct files *files)
{
	(void)sqlite3_close(files->handle);
	assert_int_equal(fs_remove_tree(AT_FDCWD, files->folder), 0);
	buf_fini(&files->db_bytes);
	buf_fini(&files->wal_bytes);
}

static struct image image_of(const struct files *files)
{
	return (struct image){
		.db = buf_str(&files->db_bytes),
		.wal = buf_str(&files->wal_bytes),
		.has_wal = files->wal_bytes.n > 0,
	};
}

static void save(const char *path, str bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes.p, bytes.n), (ssize_t)bytes.n);
	(void)close(fd);
}

/* What SQLite itself reads of copies of both files. Returns its last code. */
static int ask_sqlite(const struct files *files, const struct image *image, struct buf *rows)
{
	char db[160], wal[200];
	sqlite3 *handle;
	sqlite3_stmt *stmt = NULL;
	(void)snprintf(db, sizeof(db), "%s/copy", files->folder);
	(void)snprintf(wal, sizeof(wal), "%s-wal", db);
	(void)unlink(wal);
	save(db, image->db);
	if (image->has_wal)
		save(wal, image->wal);
	assert_int_equal(sqlite3_open(db, &handle), SQLITE_OK);
	int code = sqlite3_exec(handle, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(
		        handle, "SELECT hnum, blob FROM Packages ORDER BY hnum", -1, &stmt, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code == SQLITE_ROW)
			add_row(rows, (uint64_t)sqlite3_column_int64(stmt, 0),
			        (str){ sqlite3_column_blob(stmt, 1),
			                (size_t)sqlite3_column_bytes(stmt, 1) });
	}
	sqlite3_finalize(stmt);
	(void)sqlite3_close(handle);
	return code;
}

/* Ours must equal SQLite's wherever SQLite reads to the end. Returns whether it does. */
static bool compare_with_sqlite(const struct files *files, struct image *image)
{
	struct heard heard = HEARD;
	struct err err = { 0 };
	autobuf rows = BUF((size_t)16 << 20);
	int code = ask_sqlite(files, image, &rows);
	int r = read_image(image, &heard, &err);
	if (code == SQLITE_DONE) {
		assert_int_equal(r, 0);
		assert_true(str_eq(buf_str(&rows), buf_str(&heard.rows)));
	}
	heard_fini(&heard);
	return code == SQLITE_DONE;
}

static void test_rpm_sqlite__reads_every_row_in_order(void **state)
{
	static const int sizes[] = { 512, 1024, 4096, 65536 };
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct files files;
		struct image image;
		files_open(&files, "DELETE", sizes[i]);
		for (int n = 200; n > 0; n--)
			add_package(files.handle, n * 3, n * 50);
		files_load(&files);
		image = image_of(&files);
		assert_true(compare_with_sqlite(&files, &image));
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
	struct image image = image_of(&files);
	assert_int_equal(read_image(&image, &heard, &err), 0);
	assert_int_equal(heard.rows.n + heard.notes.n, 0);
	heard_fini(&heard);
	files_close(&files);
}

/* A log with several transactions, some of whose pages are in the main file already. */
static void fill_log(struct files *files)
{
	files_open(files, "WAL", 1024);
	for (int n = 1; n <= 20; n++)
		add_package(files->handle, n, 700 * n);
	exec(files->handle, "PRAGMA wal_checkpoint(TRUNCATE)");
	for (int n = 15; n <= 30; n++)
		add_package(files->handle, n, 300 * n);
	exec(files->handle, "DELETE FROM Packages WHERE hnum IN (2, 3, 17)");
	files_load(files);
	assert_true(files->wal_bytes.n > 20000);
}

static void test_rpm_sqlite__merges_a_pending_log(void **state)
{
	struct files files;
	struct heard heard = HEARD, without = HEARD;
	struct err err = { 0 };
	(void)state;
	fill_log(&files);
	struct image image = image_of(&files);
	assert_true(compare_with_sqlite(&files, &image));
	assert_int_equal(read_image(&image, &heard, &err), 0);
	assert_int_equal(heard.notes.n, 0);
	image.has_wal = false;
	assert_int_equal(read_image(&image, &without, &err), 0);
	assert_false(str_eq(buf_str(&heard.rows), buf_str(&without.rows)));
	heard_fini(&heard);
	heard_fini(&without);
	files_close(&files);
}

static void test_rpm_sqlite__log_counts_up_to_its_last_commit(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	fill_log(&files);
	exec(files.handle, "PRAGMA cache_size=4; BEGIN");
	for (int n = 100; n < 140; n++)
		add_package(files.handle, n, 5000);
	size_t committed = files.wal_bytes.n;
	files_load(&files);
	assert_true(files.wal_bytes.n > committed); /* the cache has spilled */
	struct image image = image_of(&files);
	assert_true(compare_with_sqlite(&files, &image));
	assert_int_equal(read_image(&image, &heard, &err), 0);
	assert_true(has_text(&heard.notes, "not committed after its last whole transaction"));
	exec(files.handle, "ROLLBACK");
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_sqlite__ignores_an_older_round_of_the_log(void **state)
{
	struct files files;
	struct heard heard = HEARD;
	struct err err = { 0 };
	(void)state;
	fill_log(&files);
	size_t before = files.wal_bytes.n;
	exec(files.handle, "PRAGMA wal_checkpoint(RESTART)");
	add_package(files.handle, 500, 100);
	files_load(&files);
	assert_int_equal(files.wal_bytes.n, before); /* the new round stands at its beginning */
	struct image image = image_of(&files);
	assert_true(compare_with_sqlite(&files, &image));
	assert_int_equal(read_image(&image, &heard, &err), 0);
	assert_int_equal(heard.notes.n, 0);
	heard_fini(&heard);
	files_close(&files);
}

static void test_rpm_sqlite__damaged_log_reads_as_sqlite_reads_it(void **state)
{
	struct files files;
	unsigned n_agreed = 0, n = 0;
	(void)state;
	fill_log(&files);
	for (size_t at = 0; at < files.wal_bytes.n; at += at < 90 ? 1 : 1021, n++) {
		struct image image = image_of(&files);
		files.wal_bytes.p[at] = (char)(files.wal_bytes.p[at] ^ 0x10);
		n_agreed += compare_with_sqlite(&files, &image);
		files.wal_bytes.p[at] = (char)(files.wal_bytes.p[at] ^ 0x10);
		image.wal.n = at;
		n_agreed += compare_with_sqlite(&files, &image);
	}
	print_message(
	        "%u of %u damaged logs were readable to SQLite; all agreed\n", n_agreed, 2 * n);
	assert_true(n_agreed > n);
	files_close(&files);
}

static void test_rpm_sqlite__damage_in_the_log_is_told(void **state)
{
	struct files files;
	(void)state;
	fill_log(&files);
	const struct {
		size_t at, n;
		const char *text;
	} cases[] = {
		{ 0, 1 << 30, "damaged header" },
		{ 26, 1 << 30, "damaged header" },
		{ 32 + 24 + 5, 1 << 30, "damaged or not committed" },
		{ 8, 10, "too short" },
		{ 9, 1 << 30, "damaged header" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		struct image image = image_of(&files);
		files.wal_bytes.p[cases[i].at] = (char)(files.wal_bytes.p[cases[i].at] ^ 1);
		image.wal = str_head(image.wal, cases[i].n);
		assert_int_equal(read_image(&image, &heard, &err), 0);
		assert_true(has_text(&heard.notes, cases[i].text));
		files.wal_bytes.p[cases[i].at] = (char)(files.wal_bytes.p[cases[i].at] ^ 1);
		heard_fini(&heard);
	}
	files_close(&files);
}

static uint32_t get_u32be(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void put_u32be(char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(v >> (24 - 8 * i));
}

static void sum_be(uint32_t s[2], const char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 8) {
		s[0] += get_u32be(p + i) + s[1];
		s[1] += get_u32be(p + i + 4) + s[0];
	}
}

static void test_rpm_sqlite__reads_logs_of_both_byte_orders(void **state)
{
	struct files files;
	uint32_t s[2] = { 0, 0 };
	(void)state;
	fill_log(&files);
	char *p = files.wal_bytes.p;
	assert_int_equal(get_u32be(p) & ~1u, 0x377f0682);
	uint32_t frame = 24 + get_u32be(p + 8);
	put_u32be(p, 0x377f0683);
	sum_be(s, p, 24);
	put_u32be(p + 24, s[0]);
	put_u32be(p + 28, s[1]);
	for (size_t at = 32; at + frame <= files.wal_bytes.n; at += frame) {
		sum_be(s, p + at, 8);
		sum_be(s, p + at + 24, frame - 24);
		put_u32be(p + at + 16, s[0]);
		put_u32be(p + at + 20, s[1]);
	}
	struct image image = image_of(&files);
	assert_true(compare_with_sqlite(&files, &image));
	struct heard heard = HEARD;
	struct err err = { 0 };
	assert_int_equal(read_image(&image, &heard, &err), 0);
	assert_int_equal(heard.notes.n, 0);
	assert_true(has_text(&heard.rows, "\n30 "));
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
	add_package(files.handle, 1, 100);
	files_load(&files);
	struct image image = image_of(&files);
	image.has_journal = true;
	image.journal = STR("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 and so on");
	assert_int_equal(read_image(&image, &heard, &err), 0);
	assert_true(has_text(&heard.notes, "0 rpmdb.sqlite-journal: a transaction is under way"));
	assert_true(has_text(&heard.rows, "1 100 "));
	image.journal = STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	assert_int_equal(read_image(&image, &cold, &err), 0);
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
	add_package(files.handle, 1, 100);
	files_load(&files);
	struct image image = image_of(&files);
	char other[100];
	memcpy(other, image.db.p, 100);
	other[27]++;
	image.touch = (str){ other, 100 };
	/* SQLite reads the header, too: only the first and the last of our own reads see the same.
	 */
	(void)read_image(&image, &heard, &err);
	assert_true(has_text(&heard.notes, "changed while it was read"));
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
	fill_log(&files);
	struct image image = image_of(&files);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		if (!forbid_opening())
			_exit(77);
		_exit(read_image(&image, &heard, &err) == 0 && heard.rows.n > 0 ? 0 : 1);
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
	exec(files.handle, "DROP TABLE Packages");
	exec(files.handle, sql);
	files_load(&files);
	struct image image = image_of(&files);
	assert_int_equal(read_image(&image, &heard, &err), -ERR_FORMAT);
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
	refuse_schema("CREATE TABLE Packages (a, b)", "no such column");
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
		assert_int_equal(read_image(&image, &heard, &err), -ERR_FORMAT);
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
		add_package(files.handle, n, 3000);
	files_load(&files);
	struct image image = image_of(&files);
	heard.answer = -EPIPE;
	assert_int_equal(read_image(&image, &heard, &err), -EPIPE);
	heard.answer = 0;
	image.read_error = -EIO;
	assert_int_equal(read_image(&image, &heard, &err), -EIO);
	image.error_at = 60000;
	assert_int_equal(read_image(&image, &heard, &err), -EIO);
	assert_non_null(strstr(err.text, "Input/output error"));
	heard_fini(&heard);
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
		add_package(files.handle, n, 5000);
	exec(files.handle,
	        "UPDATE Packages SET blob = CAST(replace(hex(zeroblob(2000)), '00', 'seven ')"
	        " AS BLOB) WHERE hnum = 7");
	exec(files.handle, "INSERT INTO Packages VALUES (100, 'text'), (101, 5)");
	add_package(files.handle, 102, 10);
	files_load(&files);
	/* An overflow page begins with the number of the next: break the first one of header 7. */
	char *page = files.db_bytes.p;
	while (!memmem(page + 4, 12, "seven", 5))
		page += 1024;
	put_u32be(page, 0x7fffffff);
	struct image image = image_of(&files);
	assert_int_equal(read_image(&image, &heard, &err), 0);
	assert_true(has_text(&heard.notes, "7 header cannot be read"));
	assert_true(has_text(&heard.notes, "101 header cannot be read"));
	assert_true(has_text(&heard.rows, "\n6 5000 "));
	assert_true(has_text(&heard.rows, "\n8 5000 "));
	assert_true(has_text(&heard.rows, "\n102 10 "));
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
		add_package(files.handle, n, 100);
	files_load(&files);
	char *root = find_root(&files, 512, &cells);
	assert_true(cells > 10);
	put_u32be(cell_of(root, cells / 2), 0x7fffffff);
	struct image image = image_of(&files);
	assert_int_equal(read_image(&image, &heard, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "the database is damaged between headers "));
	size_t n = 0;
	str rest = buf_str(&heard.rows);
	for (str line; str_next_line(&rest, &line);)
		n++;
	assert_true(n > 180 && n < 200);
	assert_true(has_text(&heard.rows, "\n200 100 "));
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
		add_package(files.handle, n, 100);
	files_load(&files);
	char *root = find_root(&files, 512, &cells);
	uint32_t first = get_u32be(cell_of(root, 0));
	for (unsigned i = 1; i < cells; i++)
		put_u32be(cell_of(root, i), first);
	put_u32be(root + 8, first);
	struct image image = image_of(&files);
	assert_int_equal(read_image(&image, &heard, &err), -ERR_FORMAT);
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
		add_package(files.handle, i, i * 60);
	exec(files.handle, "DROP TABLE Name; VACUUM");
	files_load(&files);
	for (size_t at = 0; at < files.db_bytes.n; at++, n++) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		struct image image = image_of(&files);
		char was = files.db_bytes.p[at];
		files.db_bytes.p[at] = (char)(at % 3 == 0 ? ~was : was ^ 1 << at % 8);
		n_failed += read_image(&image, &heard, &err) < 0;
		files.db_bytes.p[at] = was;
		heard_fini(&heard);
	}
	for (size_t size = 0; size < files.db_bytes.n; size += 61, n++) {
		struct heard heard = HEARD;
		struct err err = { 0 };
		struct image image = image_of(&files);
		image.db.n = size;
		n_failed += read_image(&image, &heard, &err) < 0;
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
		cmocka_unit_test(test_rpm_sqlite__merges_a_pending_log),
		cmocka_unit_test(test_rpm_sqlite__log_counts_up_to_its_last_commit),
		cmocka_unit_test(test_rpm_sqlite__ignores_an_older_round_of_the_log),
		cmocka_unit_test(test_rpm_sqlite__damaged_log_reads_as_sqlite_reads_it),
		cmocka_unit_test(test_rpm_sqlite__damage_in_the_log_is_told),
		cmocka_unit_test(test_rpm_sqlite__reads_logs_of_both_byte_orders),
		cmocka_unit_test(test_rpm_sqlite__hot_journal_is_told),
		cmocka_unit_test(test_rpm_sqlite__change_during_the_read_is_told),
		cmocka_unit_test(test_rpm_sqlite__opens_nothing),
		cmocka_unit_test(test_rpm_sqlite__refuses_schemas_that_are_no_table),
		cmocka_unit_test(test_rpm_sqlite__refuses_what_is_no_database),
		cmocka_unit_test(test_rpm_sqlite__passes_on_failures),
		cmocka_unit_test(test_rpm_sqlite__broken_blob_costs_itself),
		cmocka_unit_test(test_rpm_sqlite__broken_tree_is_read_from_both_ends),
		cmocka_unit_test(test_rpm_sqlite__loops_end),
		cmocka_unit_test(test_rpm_sqlite__stands_every_truncation_and_flip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
