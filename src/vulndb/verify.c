/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stamp is a text: the manifest's digest, then a line per file: "<inode> <size> <mtime> <ctime>
 * <name>", times in nanoseconds. It is a hint: whatever is wrong with it costs only the hashing.
 *
 * A file that is changed within one tick of the clock keeps its times, so a mark is good only if
 * the stamp is younger than the file by more than a tick. Kernels tick every 1 to 10 ms.
 */
#include "vulndb/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vulndb/format.h"

#define TICK_NS ((int64_t)20 * 1000 * 1000)
#define NS_PER_S ((int64_t)1000 * 1000 * 1000)
#define MANIFEST_MAX_BYTES ((size_t)64 << 20)

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void mark_of(const struct stat *st, struct file_mark *ret)
{
	*ret = (struct file_mark){ .ino = (uint64_t)st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = ns_of(st->st_mtim),
		.ctime_ns = ns_of(st->st_ctim) };
}

int file_mark_read(int dir_fd, const char *name, struct file_mark *ret)
{
	struct stat st;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ERR_FORMAT;
	mark_of(&st, ret);
	return 0;
}

bool file_mark_eq(const struct file_mark *a, const struct file_mark *b)
{
	return a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns &&
	       a->ctime_ns == b->ctime_ns;
}

/* The name as a C string; manifest_is_data_file() has seen that it holds no NUL. */
static bool file_name(const struct manifest_file *file, char ret[NAME_MAX + 1])
{
	if (file->name.n == 0 || file->name.n > NAME_MAX)
		return false;
	memcpy(ret, file->name.p, file->name.n);
	ret[file->name.n] = '\0';
	return true;
}

int verify_file(int dir_fd, const struct manifest_file *file, struct err *err)
{
	char name[NAME_MAX + 1], hex[SHA256_HEX_SIZE];
	struct stat st;
	if (!file_name(file, name))
		return err_set(err, -ERR_FORMAT, "a file of the database has too long a name");
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return err_set(err, errno == ENOENT || errno == ELOOP ? -ERR_FORMAT : -errno,
		        "%s: cannot open: %s", name, strerror(errno));
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s: cannot read: %s", name, strerror(errno));
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != file->bytes)
		return err_set(err, -ERR_FORMAT,
		        "%s: not the file that the manifest names: %lld bytes, not %" PRIu64, name,
		        (long long)st.st_size, file->bytes);
	int r = hash_sha256_fd(fd, hex);
	if (r < 0)
		return err_set(err, r, "%s: cannot read: %s", name, strerror(-r));
	if (!str_eq(str_from_c(hex), file->sha256))
		return err_set(err, -ERR_FORMAT,
		        "%s: damaged, or not the file that the manifest names: its SHA-256 differs",
		        name);
	return 0;
}

/* One line of the stamp for a file. */
static void write_mark(struct buf *out, const struct file_mark *mark, str name)
{
	buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 " ", mark->ino, mark->size,
	        mark->mtime_ns, mark->ctime_ns);
	buf_add(out, name);
	buf_add_byte(out, '\n');
}

/* Does the stamp hold this very line, and is it younger than the file by more than a tick? */
static bool is_vouched(str stamp, int64_t stamped_ns, const struct file_mark *mark, str name)
{
	autobuf line = BUF(1024);
	buf_add_byte(&line, '\n');
	write_mark(&line, mark, name);
	if (buf_failed(&line) || stamp.n == 0 || stamped_ns - mark->ctime_ns < TICK_NS)
		return false;
	return memmem(stamp.p, stamp.n, line.p, line.n) != NULL;
}

static int64_t read_stamp(int dir_fd, const struct manifest *manifest, struct buf *out)
{
	struct file_mark mark = { 0 };
	str text, digest;
	if (file_mark_read(dir_fd, STAMP_NAME, &mark) < 0 ||
	        fs_read(dir_fd, STAMP_NAME, out, NULL) < 0) {
		buf_clear(out);
		return 0;
	}
	text = buf_str(out);
	if (!str_next_line(&text, &digest) || !str_eq(digest, str_from_c(manifest->digest)))
		buf_clear(out);
	return mark.mtime_ns;
}

/* With `states`, only of the files that were found good, as they were then. */
static void write_stamp(
        int dir_fd, const struct manifest *manifest, const struct file_state *states)
{
	autobuf text = BUF(MANIFEST_MAX_BYTES);
	buf_printf(&text, "%s\n", manifest->digest);
	const struct manifest_file *file;
	for (size_t i = 0; (file = manifest_file_at(manifest, i)); i++) {
		char name[NAME_MAX + 1];
		struct file_mark mark = { 0 };
		if (states && states[i].r < 0)
			continue;
		if (states)
			mark = states[i].mark;
		else if (!file_name(file, name) || file_mark_read(dir_fd, name, &mark) < 0)
			return;
		write_mark(&text, &mark, file->name);
	}
	if (!buf_failed(&text))
		(void)fs_replace(dir_fd, STAMP_NAME, buf_str(&text), 0644, NULL);
}

void verify_write_stamp(int dir_fd, const struct manifest *manifest)
{
	int64_t newest = 0;
	struct timespec now;
	const struct manifest_file *file;
	for (size_t i = 0; (file = manifest_file_at(manifest, i)); i++) {
		char name[NAME_MAX + 1];
		struct file_mark mark = { 0 };
		if (file_name(file, name) && file_mark_read(dir_fd, name, &mark) == 0 &&
		        mark.ctime_ns > newest)
			newest = mark.ctime_ns;
	}
	if (clock_gettime(CLOCK_REALTIME_COARSE, &now) == 0) {
		int64_t missing = newest + TICK_NS + TICK_NS / 2 - ns_of(now);
		struct timespec pause = { .tv_nsec = (long)(missing < 2 * TICK_NS ? missing
			                                                          : 2 * TICK_NS) };
		if (missing > 0)
			(void)nanosleep(&pause, NULL);
	}
	write_stamp(dir_fd, manifest, NULL);
}

/* One file. Returns 0, 1 when it was good but had to be hashed, or a failure. */
static int check_file(int dir_fd, const struct manifest_file *file, str stamp, int64_t stamped_ns,
        struct file_mark *ret, struct err *err)
{
	char name[NAME_MAX + 1];
	struct file_mark after = { 0 };
	if (!file_name(file, name))
		return err_set(err, -ERR_FORMAT, "a file of the database has too long a name");
	int r = file_mark_read(dir_fd, name, ret);
	if (r == 0 && ret->size == file->bytes && is_vouched(stamp, stamped_ns, ret, file->name))
		return 0;
	r = verify_file(dir_fd, file, err);
	if (r < 0)
		return r;
	if (file_mark_read(dir_fd, name, &after) < 0 || !file_mark_eq(ret, &after))
		return err_set(err, -ERR_FORMAT, "%s: it changed while it was read", name);
	return 1;
}

int verify_files(int dir_fd, const struct manifest *manifest, struct arena *arena,
        struct file_state **ret, struct err *err)
{
	autobuf stamp = BUF(MANIFEST_MAX_BYTES);
	int64_t stamped_ns = read_stamp(dir_fd, manifest, &stamp);
	struct file_state *states = arena_alloc(arena, manifest->n_sources + 1, sizeof(*states));
	bool is_stale = false;
	if (!states)
		return err_set(err, -ERR_LIMIT, "out of memory for the database");
	const struct manifest_file *file;
	for (size_t i = 0; (file = manifest_file_at(manifest, i)); i++) {
		struct file_state *state = &states[i];
		state->r = check_file(
		        dir_fd, file, buf_str(&stamp), stamped_ns, &state->mark, &state->err);
		is_stale |= state->r > 0;
	}
	if (is_stale)
		write_stamp(dir_fd, manifest, states);
	*ret = states;
	return 0;
}

int verify_read_manifest(
        int dir_fd, const char *path, struct arena *arena, struct manifest *ret, struct err *err)
{
	char name[PATH_MAX];
	struct err why = { 0 };
	autobuf text = BUF(MANIFEST_MAX_BYTES);
	str copy;
	struct file_mark mark = { 0 };
	(void)snprintf(name, sizeof(name), "%s/%s", path, MANIFEST_NAME);
	if (file_mark_read(dir_fd, MANIFEST_NAME, &mark) == -ERR_FORMAT)
		return err_set(err, -ERR_FORMAT, "%s: not a regular file", name);
	int r = fs_read(dir_fd, MANIFEST_NAME, &text, &why);
	if (r == -ENOENT)
		return err_set(err, r, "%s: no vulnerability database there", path);
	if (r < 0)
		return err_set(err, r, "%.100s: %.140s", path, why.text);
	if (arena_copy(arena, buf_str(&text), &copy) < 0)
		return err_set(err, -ERR_LIMIT, "%s: too large", name);
	return manifest_read(copy, name, arena, ret, err);
}
