/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"

int scratch_setup(void **state)
{
	char *dir = strdup("/tmp/sonde-vulndb-XXXXXX");
	if (!dir || !mkdtemp(dir))
		return -1;
	*state = dir;
	return 0;
}

int scratch_teardown(void **state)
{
	int r = fs_remove_tree(AT_FDCWD, *state);
	free(*state);
	return r;
}

const char *in_scratch(void **state, const char *fmt, ...)
{
	static char buffers[8][1024];
	static unsigned next;
	char *to = buffers[next++ % 8];
	int n = snprintf(to, 1024, "%s/", (const char *)*state);
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(to + n, 1024 - (size_t)n, fmt, ap);
	va_end(ap);
	return to;
}

void write_file(const char *path, str bytes)
{
	char dir[1024];
	str above = str_dirname(str_from_c(path));
	(void)snprintf(dir, sizeof(dir), STR_FMT, STR_ARG(above));
	assert_int_equal(fs_make_dirs(dir, 0755, NULL), 0);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	if (bytes.n > 0)
		assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
	assert_int_equal(fclose(f), 0);
}

void read_file(const char *path, struct buf *out)
{
	struct err err = { 0 };
	if (fs_read(AT_FDCWD, path, out, &err) < 0)
		fail_msg("%s", err.text);
}

size_t count_files(const char *dir, const char *tail)
{
	size_t n = 0;
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += str_has_suffix(str_from_c(e->d_name), str_from_c(tail));
	(void)closedir(d);
	return n;
}

void flip_byte(const char *path, uint64_t at, unsigned char mask)
{
	unsigned char byte;
	autoclose int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
	byte ^= mask;
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

void write_zip(const char *path, ...)
{
	struct zip_member members[64] = { 0 };
	size_t n = 0;
	autobuf bytes = BUF((size_t)64 << 20);
	va_list ap;
	va_start(ap, path);
	for (const char *name; n < 64 && (name = va_arg(ap, const char *)); n++) {
		members[n].name = name;
		members[n].text = str_from_c(va_arg(ap, const char *));
	}
	va_end(ap);
	make_zip(members, n, false, &bytes);
	write_file(path, buf_str(&bytes));
}

void make_gzip(str text, struct buf *out)
{
	z_stream z = { 0 };
	assert_int_equal(
	        deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t bound = deflateBound(&z, text.n) + 64;
	char *to = buf_reserve(out, bound);
	assert_non_null(to);
	z.next_in = (Bytef *)(uintptr_t)text.p;
	z.avail_in = (uInt)text.n;
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->n += bound - z.avail_out;
	(void)deflateEnd(&z);
}

static void on_source(void *ctx, const struct import_result *result)
{
	struct told *told = ctx;
	uint64_t sum = 0;
	told->last = *result;
	buf_printf(
	        &told->sources, "%s %llu", result->source, (unsigned long long)result->n_records);
	for (size_t i = 0; i < REASON_COUNT; i++) {
		sum += result->by_reason[i];
		if (result->by_reason[i] > 0)
			buf_printf(&told->sources, " %s=%llu", reason_name((enum reason)i),
			        (unsigned long long)result->by_reason[i]);
	}
	buf_printf(
	        &told->sources, "%s%s\n", result->problem[0] ? " problem: " : "", result->problem);
	if (!result->problem[0])
		assert_int_equal(sum, result->n_records);
}

static void on_record(void *ctx, const char *source, const char *record, const char *what)
{
	struct told *told = ctx;
	buf_printf(&told->records, "%s %s: %s\n", source, record, what);
}

static void on_ignored(void *ctx, const char *path, const char *why)
{
	struct told *told = ctx;
	buf_printf(&told->ignored, "%s: %s\n", path, why);
}

static void on_progress(void *ctx, uint64_t done, uint64_t all)
{
	struct told *told = ctx;
	assert_true(done >= told->done);
	assert_true(done <= all);
	told->done = done;
	told->all = all;
	told->n_progress++;
}

void told_init(struct told *told)
{
	size_t most = (size_t)64 << 20;
	*told = (struct told){ .sources = BUF(most), .records = BUF(most), .ignored = BUF(most) };
	told->listener = (struct import_listener){ .source = on_source,
		.record = on_record,
		.ignored = on_ignored,
		.progress = on_progress,
		.ctx = told };
}

void told_fini(struct told *told)
{
	buf_fini(&told->sources);
	buf_fini(&told->records);
	buf_fini(&told->ignored);
}

bool told_has(const struct buf *text, const char *part)
{
	if (text->n > 0 && memmem(text->p, text->n, part, strlen(part)))
		return true;
	print_message("no \"%s\" in:\n%.*s", part, (int)text->n, text->n ? text->p : "");
	return false;
}

void import_path(void **state, const char *path, struct told *told)
{
	struct err err = { 0 };
	if (told)
		told->done = 0;
	if (feed_import(&path, 1, in_scratch(state, "store"), 2, told ? &told->listener : NULL,
	            &err) < 0)
		fail_msg("%s", err.text);
}

struct vulndb *open_built(void **state, const char *path)
{
	struct err err = { 0 };
	struct vulndb *db = NULL;
	import_path(state, path, NULL);
	if (vulndb_build(in_scratch(state, "store"), in_scratch(state, "db"), 2, NULL, &err) < 0)
		fail_msg("%s", err.text);
	if (vulndb_open(in_scratch(state, "db"), &db, &err) < 0)
		fail_msg("%s", err.text);
	return db;
}

const char *shared_folder(void)
{
	const char *dir = getenv("SONDE_SHARED");
	if (!dir || !*dir)
		dir = SHARED;
	return access(dir, R_OK) == 0 ? dir : NULL;
}
