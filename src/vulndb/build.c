/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of a build, so that a reader always finds a whole database:
 *
 *   1. each source into a file under a temporary name, hashed, renamed to a name made from its
 * digest: the files of the present database are not touched, for theirs are other names or the same
 * bytes
 *   2. the manifest, replaced by rename: from here on the new database counts
 *   3. the stamp; then files that no manifest names are removed; if somebody reads, all but those
 * of the database before: a reader holds the folder's READERS lock shared from before it reads the
 * manifest until it closes
 *
 * A build that fails before 2 leaves the old manifest and all its files.
 */
#include <dirent.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vulndb/arrange.h"
#include "vulndb/feed.h"
#include "vulndb/format.h"
#include "vulndb/manifest.h"
#include "vulndb/pool.h"
#include "vulndb/readers.h"
#include "vulndb/stamp.h"
#include "vulndb/temp.h"
#include "vulndb/verify.h"

#define SOURCE_MEMORY ((size_t)64 << 20) /* of what the manifest says of one source */
#define MANIFEST_MAX_BYTES ((size_t)64 << 20)
#define STEM_MAX_BYTES 100u

struct build;

/* One source. Owned by the thread that runs it. */
struct part {
	struct build *build;
	struct feed_reader *feed;
	struct arena arena; /* the strings of `source` */
	struct manifest_source source;
	str filter;
	struct err err;
	int r;
	bool is_done;
};

struct build {
	const char *db_dir;
	int db_fd;
	const struct import_listener *listener;
	struct part *parts; /* in order of names */
	size_t n, cap, n_told;
	size_t *by_size;
	pthread_mutex_t lock; /* guards is_done, n_told, done_bytes, is_stopped and the listener */
	uint64_t done_bytes, all_bytes;
	bool is_stopped; /* one failed: the others need not begin */
};

static void build_fini(struct build *build)
{
	for (size_t i = 0; i < build->n; i++) {
		feed_reader_close(build->parts[i].feed);
		arena_fini(&build->parts[i].arena);
	}
	free(build->parts);
	free(build->by_size);
	(void)pthread_mutex_destroy(&build->lock);
}

static void on_advance(void *ctx, uint64_t bytes)
{
	struct build *build = ctx;
	(void)pthread_mutex_lock(&build->lock);
	uint64_t before = build->done_bytes;
	build->done_bytes += bytes;
	/* told every 256 KiB and at the end: records are small */
	if (build->listener && build->listener->progress &&
	        (before >> 18 != build->done_bytes >> 18 || build->done_bytes == build->all_bytes))
		build->listener->progress(
		        build->listener->ctx, build->done_bytes, build->all_bytes);
	(void)pthread_mutex_unlock(&build->lock);
}

/* "osv/Red Hat" as "osv-Red_Hat". Two may become one: the digest in the name keeps them apart. */
static void file_stem(const char *source, char ret[STEM_MAX_BYTES + 1])
{
	size_t n = 0;
	for (; n < STEM_MAX_BYTES && source[n]; n++) {
		char c = source[n];
		bool is_plain = is_alnum(c) || c == '-' || (c == '.' && n > 0);
		ret[n] = (char)(c == '/' ? '-' : is_plain ? c : '_');
	}
	ret[n] = '\0';
}

/* Hash a finished file, and give it its name. One of that name stays if it has the same bytes. */
static int settle(struct part *part, const char *temp, const char *stem, struct err *err)
{
	int db_fd = part->build->db_fd;
	char hex[SHA256_HEX_SIZE];
	struct stat st;
	autoclose int fd = openat(db_fd, temp, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fsync(fd) < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: cannot write: %s", temp, strerror(errno));
	int r = hash_sha256_fd(fd, hex);
	if (r < 0)
		return err_set(err, r, "%s: cannot read back: %s", temp, strerror(-r));
	struct manifest_file *file = &part->source.file;
	file->bytes = (uint64_t)st.st_size;
	if (arena_copy(&part->arena, str_from_c(hex), &file->sha256) < 0 ||
	        arena_printf(&part->arena, &file->name, "%s-%.16s.sqlite", stem, hex) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", temp);
	if (verify_file(db_fd, file, NULL) == 0)
		r = unlinkat(db_fd, temp, 0);
	else
		r = renameat(db_fd, temp, db_fd, file->name.p);
	return r < 0 ? err_set(err, -errno, "%s: cannot write: %s", file->name.p, strerror(errno))
	             : 0;
}

static int copy_head(struct part *part)
{
	const struct feed_head *head = feed_reader_head(part->feed);
	struct manifest_source *source = &part->source;
	source->n_records = head->n_records;
	memcpy(source->by_reason, head->by_reason, sizeof(source->by_reason));
	return arena_copy(&part->arena, str_from_c(head->source), &source->name) < 0 ||
	                       arena_copy(&part->arena, str_from_c(head->kind), &source->kind) <
	                               0 ||
	                       arena_copy(&part->arena, str_from_c(head->newest), &source->newest) <
	                               0 ||
	                       arena_copy(&part->arena, str_from_c(head->licence),
	                               &source->licence) < 0
	               ? -ENOMEM
	               : 0;
}

static int build_part(struct part *part, struct err *err)
{
	const struct feed_head *head = feed_reader_head(part->feed);
	struct build *build = part->build;
	char stem[STEM_MAX_BYTES + 1], temp[TEMP_NAME_SIZE], path[PATH_MAX];
	struct arrange_progress progress = { .advance = on_advance, .ctx = build };
	if (copy_head(part) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", head->source);
	if (!feed_find(str_from_c(head->kind)))
		return err_set(err, -ERR_UNSUPPORTED,
		        "%s: a kind of feed this program does not know: %s", head->source,
		        head->kind);
	assert(head->source); /* store_open() succeeded */
	file_stem(head->source, stem);
	autoclose int fd = temp_make(build->db_fd, stem, temp);
	if (fd < 0)
		return err_set(err, fd, "%s: cannot write there: %s", build->db_dir, strerror(-fd));
	int n = snprintf(path, sizeof(path), "%s/%s", build->db_dir, temp);
	int r = n < 0 || (size_t)n >= sizeof(path)
	                ? err_set(err, -ENAMETOOLONG, "%s: path too long", build->db_dir)
	                : arrange_source(part->feed, path, &part->arena, &part->source,
	                          &part->filter, &progress, err);
	if (r == 0)
		r = settle(part, temp, stem, err);
	if (r < 0)
		(void)unlinkat(build->db_fd, temp, 0);
	return r;
}

static void tell_part(const struct build *build, const struct part *part)
{
	const struct feed_head *head = feed_reader_head(part->feed);
	struct import_result result = { .n_records = head->n_records, .n_bytes = head->n_bytes };
	(void)snprintf(result.source, sizeof(result.source), "%s", head->source);
	memcpy(result.by_reason, head->by_reason, sizeof(result.by_reason));
	if (part->r < 0)
		(void)snprintf(result.problem, sizeof(result.problem), "%s", part->err.text);
	build->listener->source(build->listener->ctx, &result);
}

static void run_part(void *ctx, size_t i)
{
	struct build *build = ctx;
	struct part *part = &build->parts[build->by_size[i]];
	(void)pthread_mutex_lock(&build->lock);
	bool is_stopped = build->is_stopped;
	(void)pthread_mutex_unlock(&build->lock);
	part->r = is_stopped ? err_set(&part->err, -ECANCELED, "not built: another source failed")
	                     : build_part(part, &part->err);
	(void)pthread_mutex_lock(&build->lock);
	part->is_done = true;
	build->is_stopped |= part->r < 0;
	for (; build->n_told < build->n && build->parts[build->n_told].is_done; build->n_told++) {
		if (build->listener && build->listener->source)
			tell_part(build, &build->parts[build->n_told]);
	}
	(void)pthread_mutex_unlock(&build->lock);
}

static int add_part(struct build *build, int feed_fd, const char *name, struct err *err)
{
	if (build->n == build->cap) {
		size_t cap = build->cap ? build->cap * 2 : 64;
		struct part *parts = realloc(build->parts, cap * sizeof(*parts));
		if (!parts)
			return err_set(err, -ENOMEM, "out of memory");
		build->parts = parts;
		build->cap = cap;
	}
	struct part *part = &build->parts[build->n];
	*part = (struct part){ .build = build, .arena = ARENA(SOURCE_MEMORY) };
	int r = feed_reader_open(feed_fd, name, &part->feed, err);
	if (r < 0)
		return r;
	build->n++;
	build->all_bytes += feed_reader_head(part->feed)->data_bytes;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	return strcmp(feed_reader_head(x->feed)->source, feed_reader_head(y->feed)->source);
}

static int by_size(const void *a, const void *b, void *ctx)
{
	const struct build *build = ctx;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	uint64_t m = feed_reader_head(build->parts[x].feed)->data_bytes;
	uint64_t n = feed_reader_head(build->parts[y].feed)->data_bytes;
	if (m != n)
		return m > n ? -1 : 1;
	return (x > y) - (x < y);
}

static int order_parts(struct build *build, const char *feed_dir, struct err *err)
{
	if (build->n == 0)
		return err_set(err, -ENOENT, "%s: no feed has been imported yet", feed_dir);
	qsort(build->parts, build->n, sizeof(*build->parts), by_name);
	for (size_t i = 1; i < build->n; i++) {
		if (by_name(&build->parts[i - 1], &build->parts[i]) == 0)
			return err_set(err, -ERR_FORMAT, "%s: two files are of the source %s",
			        feed_dir, feed_reader_head(build->parts[i].feed)->source);
	}
	build->by_size = calloc(build->n, sizeof(*build->by_size));
	if (!build->by_size)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < build->n; i++)
		build->by_size[i] = i;
	qsort_r(build->by_size, build->n, sizeof(*build->by_size), by_size, build);
	return 0;
}

/* All feed files of the store, opened, so that an import going on at the same time changes nothing.
 */
static int open_feeds(struct build *build, const char *feed_dir, struct err *err)
{
	int r = 0;
	int feed_fd = fs_open_dir(feed_dir, false, err);
	if (feed_fd < 0)
		return feed_fd;
	DIR *dir = fdopendir(feed_fd);
	if (!dir) {
		(void)close(feed_fd);
		return err_set(err, -ENOMEM, "%s: out of memory", feed_dir);
	}
	for (struct dirent *e; r == 0 && (e = readdir(dir));) {
		if (e->d_name[0] != '.' && str_has_suffix(str_from_c(e->d_name), STR(".feed")))
			r = add_part(build, feed_fd, e->d_name, err);
	}
	(void)closedir(dir);
	return r < 0 ? r : order_parts(build, feed_dir, err);
}

/* The first failure, in order of names; one that only followed from another does not count. */
static int verdict(const struct build *build, struct err *err)
{
	for (size_t i = 0; i < build->n; i++) {
		const struct part *part = &build->parts[i];
		if (part->r < 0 && part->r != -ECANCELED)
			return err_set(err, part->r, "%s", part->err.text);
	}
	return 0;
}

static str newest_of(const struct build *build)
{
	str newest = { NULL, 0 };
	struct stamp at = { 0 }, stamp;
	for (size_t i = 0; i < build->n; i++) {
		str text = build->parts[i].source.newest;
		if (!stamp_parse(text, &stamp) || (newest.n > 0 && stamp_cmp(stamp, at) <= 0))
			continue;
		newest = text;
		at = stamp;
	}
	return newest;
}

static bool names_file(const struct manifest *manifest, str name)
{
	const struct manifest_file *file;
	for (size_t i = 0; (file = manifest_file_at(manifest, i)); i++) {
		if (str_eq(file->name, name))
			return true;
	}
	return false;
}

static void remove_files_but(
        int db_fd, const struct manifest *present, const struct manifest *previous)
{
	int fd = openat(db_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		str name = str_from_c(e->d_name);
		if (manifest_is_data_file(name) && !names_file(present, name) &&
		        !names_file(previous, name))
			(void)unlinkat(db_fd, e->d_name, 0);
	}
	(void)closedir(dir);
}

/*
 * Files of former databases. While somebody reads, or says so, those of the database before the
 * present one stay; older ones go all the same, for whoever may read the lock file may hold it for
 * ever.
 */
static void remove_old(int db_fd, const struct manifest *present)
{
	struct manifest previous = { 0 };
	struct arena arena = ARENA(MANIFEST_MAX_BYTES * 4);
	autobuf text = BUF(MANIFEST_MAX_BYTES);
	autoclose int lock_fd = readers_lock(db_fd, true);
	int r = 0;
	if (lock_fd >= 0)
		(void)unlinkat(db_fd, PREVIOUS_NAME, 0);
	else if (fs_read(db_fd, PREVIOUS_NAME, &text, NULL) == 0)
		r = manifest_read(buf_str(&text), PREVIOUS_NAME, &arena, &previous, NULL);
	if (r == 0) /* else it is of another version: nobody knows which files it names */
		remove_files_but(db_fd, present, &previous);
	arena_fini(&arena);
}

/* Keep the manifest that is about to be replaced, unless by the same. */
static int keep_previous(int db_fd, str text, struct err *err)
{
	autobuf old = BUF(MANIFEST_MAX_BYTES);
	if (fs_read(db_fd, MANIFEST_NAME, &old, NULL) < 0 || str_eq(buf_str(&old), text))
		return 0;
	return fs_replace(db_fd, PREVIOUS_NAME, buf_str(&old), 0644, err);
}

/* The filters of all sources as one file, named and written like theirs. */
static int write_filters(
        struct build *build, struct arena *arena, struct manifest_file *ret, struct err *err)
{
	autobuf bytes = BUF(FILTER_MAX_BYTES);
	char hex[SHA256_HEX_SIZE];
	buf_add(&bytes, STR(FILTER_MAGIC));
	buf_add_u32(&bytes, FILTER_VERSION);
	buf_add_u32(&bytes, (uint32_t)build->n);
	for (size_t i = 0; i < build->n; i++) {
		str filter = build->parts[i].filter;
		buf_add_u32(&bytes, (uint32_t)filter.n);
		buf_add_u32(&bytes, hash_crc32(0, filter));
		buf_add(&bytes, filter);
	}
	if (buf_failed(&bytes))
		return err_set(err, -ENOMEM, "%s: out of memory", build->db_dir);
	hash_sha256_hex(buf_str(&bytes), hex);
	ret->bytes = bytes.n;
	if (arena_copy(arena, str_from_c(hex), &ret->sha256) < 0 ||
	        arena_printf(arena, &ret->name, "names-%.16s.filter", hex) < 0)
		return err_set(err, -ENOMEM, "%s: out of memory", build->db_dir);
	if (verify_file(build->db_fd, ret, NULL) == 0)
		return 0;
	return fs_replace(build->db_fd, ret->name.p, buf_str(&bytes), 0644, err);
}

static int install(struct build *build, struct err *err)
{
	autobuf text = BUF(MANIFEST_MAX_BYTES);
	struct manifest manifest = { .built_at = newest_of(build), .n_sources = build->n };
	autofree struct manifest_source *sources = calloc(build->n, sizeof(*sources));
	if (!sources)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < build->n; i++)
		sources[i] = build->parts[i].source;
	manifest.sources = sources;
	int r = write_filters(build, &build->parts[0].arena, &manifest.filter, err);
	if (r < 0)
		return r;
	manifest_write(&manifest, &text);
	if (buf_failed(&text))
		return err_set(err, -ENOMEM, "%s: out of memory", build->db_dir);
	r = readers_make(build->db_fd, build->db_dir, err);
	if (r == 0)
		r = keep_previous(build->db_fd, buf_str(&text), err);
	if (r == 0)
		r = fs_replace(build->db_fd, MANIFEST_NAME, buf_str(&text), 0644, err);
	if (r < 0)
		return r;
	verify_write_stamp(build->db_fd, &manifest);
	remove_old(build->db_fd, &manifest);
	return 0;
}

/* After a failure: what was made for the new database and belongs to no present one. */
static void discard(const struct build *build)
{
	struct arena arena = ARENA(MANIFEST_MAX_BYTES * 4);
	struct manifest old = { 0 };
	if (verify_read_manifest(build->db_fd, build->db_dir, &arena, &old, NULL) != -ENOENT &&
	        old.n_sources == 0) {
		arena_fini(&arena);
		return; /* a manifest that cannot be read: leave everything */
	}
	remove_old(build->db_fd, &old);
	arena_fini(&arena);
}

int vulndb_build(const char *feed_dir, const char *db_dir, unsigned n_threads,
        const struct import_listener *listener, struct err *err)
{
	struct build build = { .db_dir = db_dir, .listener = listener };
	autoclose int db_fd = fs_open_dir(db_dir, true, err);
	if (db_fd < 0)
		return db_fd;
	autoclose int lock_fd = pool_lock_folder(db_fd, db_dir, err);
	if (lock_fd < 0)
		return lock_fd;
	build.db_fd = db_fd;
	(void)pthread_mutex_init(&build.lock, NULL);
	int r = open_feeds(&build, feed_dir, err);
	if (r == 0) {
		pool_run(n_threads, build.n, run_part, &build);
		r = verdict(&build, err);
		if (r == 0)
			r = install(&build, err);
		if (r < 0)
			discard(&build);
	}
	build_fini(&build);
	return r;
}
