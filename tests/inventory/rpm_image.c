/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "rpm_image.h"

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
	if (part->image->wal_error < 0 && part->bytes.p == part->image->wal.p &&
	        offset >= part->image->error_at)
		return part->image->wal_error;
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
	if (image->sibling_error < 0)
		return image->sibling_error;
	struct part *part = malloc(sizeof(*part));
	assert_non_null(part);
	*part = (struct part){ image, is_wal ? image->wal : image->journal };
	*ret = *artefact;
	ret->ctx = part;
	ret->size_bytes = is_wal && image->wal_size > 0 ? image->wal_size : part->bytes.n;
	image->n_open++;
	return 0;
}

static const struct artefact_ops part_ops = { part_read_at, part_sibling, part_close };

void heard_fini(struct heard *heard)
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
	if (heard->during)
		heard->during();
	return heard->answer;
}

static void on_note(void *ctx, uint64_t number, const char *what)
{
	struct heard *heard = ctx;
	buf_printf(&heard->notes, "%llu %s\n", (unsigned long long)number, what);
}

int image_read(struct image *image, struct heard *heard, struct err *err)
{
	struct rpm_blobs to = { on_blob, on_note, heard };
	struct part part = { image, image->db };
	struct artefact artefact = {
		.path = STR("/var/lib/rpm/rpmdb.sqlite"),
		.size_bytes = image->db.n,
		.ops = &part_ops,
		.ctx = &part,
	};
	struct arena arena = ARENA(image->arena_bytes ? image->arena_bytes : (size_t)64 << 20);
	int r = rpm_sqlite_read(&artefact, &arena, &to, err);
	assert_true(r == 0 || r == heard->answer || err->text[0] != '\0');
	assert_int_equal(image->n_open, 0);
	arena_fini(&arena);
	return r;
}

bool heard_has(struct buf *buf, const char *text)
{
	buf_add_byte(buf, '\0');
	bool found = strstr(buf->p, text) != NULL;
	buf->n--;
	return found;
}

void files_exec(struct files *files, const char *sql)
{
	char *text = NULL;
	if (sqlite3_exec(files->handle, sql, NULL, NULL, &text) != SQLITE_OK)
		fail_msg("%s: %s", sql, text);
}

void files_add(struct files *files, int number, int size)
{
	static char bytes[100000];
	sqlite3_stmt *stmt;
	for (int i = 0; i < size; i++)
		bytes[i] = (char)(i * 7 + number);
	assert_int_equal(sqlite3_prepare_v2(files->handle,
	                         "INSERT OR REPLACE INTO Packages VALUES (?, ?)", -1, &stmt, NULL),
	        SQLITE_OK);
	sqlite3_bind_int(stmt, 1, number);
	sqlite3_bind_blob(stmt, 2, bytes, size, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	sqlite3_finalize(stmt);
}

void files_open(struct files *files, const char *mode, int page_bytes)
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
	files_exec(files, sql);
	files_exec(files, "PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=OFF;"
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

void files_load(struct files *files)
{
	load(files->db, &files->db_bytes);
	load(files->wal, &files->wal_bytes);
}

void files_close(struct files *files)
{
	(void)sqlite3_close(files->handle);
	assert_int_equal(fs_remove_tree(AT_FDCWD, files->folder), 0);
	buf_fini(&files->db_bytes);
	buf_fini(&files->wal_bytes);
}

struct image files_image(const struct files *files)
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
bool files_compare(const struct files *files, struct image *image)
{
	struct heard heard = HEARD;
	struct err err = { 0 };
	autobuf rows = BUF((size_t)16 << 20);
	int code = ask_sqlite(files, image, &rows);
	int r = image_read(image, &heard, &err);
	if (code == SQLITE_DONE) {
		assert_int_equal(r, 0);
		assert_true(str_eq(buf_str(&rows), buf_str(&heard.rows)));
	}
	heard_fini(&heard);
	return code == SQLITE_DONE;
}

uint32_t get_u32be(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

void put_u32be(char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (char)(v >> (24 - 8 * i));
}

/* A log with several transactions, some of whose pages are in the main file already. */
void files_fill_log(struct files *files)
{
	files_open(files, "WAL", 1024);
	for (int n = 1; n <= 20; n++)
		files_add(files, n, 700 * n);
	files_exec(files, "PRAGMA wal_checkpoint(TRUNCATE)");
	for (int n = 15; n <= 30; n++)
		files_add(files, n, 300 * n);
	files_exec(files, "DELETE FROM Packages WHERE hnum IN (2, 3, 17)");
	files_load(files);
	assert_true(files->wal_bytes.n > 20000);
}
