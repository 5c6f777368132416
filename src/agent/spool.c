/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report is spool/<20 digits>-<16 of the key's digest>, so that names sort by age. The inventory
 * is spool/inventory.zst with spool/inventory.json, which is written last and removed first: it
 * alone says that there is one.
 */
#include "agent/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define NAME_SIZE 40 /* 20 digits, '-', 16 digits, NUL */
#define NAME_LENGTH 37
#define INVENTORY "inventory.zst"
#define INVENTORY_WORD "inventory.json"

struct names {
	char names[4 * SPOOL_REPORTS_MAX][NAME_SIZE];
	size_t n;
};

static int open_spool(const struct state *state, struct err *err)
{
	int fd = openat(state->dir, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_set(err, -errno, "%s/spool: %m", state->path) : fd;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The reports by age. What has another form of name is not ours and is left alone. */
static int list(int dir_fd, struct names *ret)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	ret->n = 0;
	if (!dir) {
		int saved = errno;
		if (fd >= 0)
			(void)close(fd);
		return -saved;
	}
	size_t most = sizeof(ret->names) / sizeof(ret->names[0]);
	for (struct dirent *entry; ret->n < most && (entry = readdir(dir)) != NULL;) {
		str name = str_from_c(entry->d_name);
		if (name.n == NAME_LENGTH && is_digit(name.p[0]) && name.p[20] == '-')
			(void)snprintf(ret->names[ret->n++], NAME_SIZE, "%s", entry->d_name);
	}
	(void)closedir(dir);
	qsort(ret->names, ret->n, NAME_SIZE, compare);
	return 0;
}

/* Remove those of the same key, and the oldest beyond the limit. */
static void make_room(int dir_fd, const char *suffix, struct names *names)
{
	size_t left = names->n;
	for (size_t i = 0; i < names->n; i++) {
		bool is_same = strcmp(names->names[i] + 21, suffix) == 0;
		if (!is_same && left < SPOOL_REPORTS_MAX)
			continue;
		if (is_same || left >= SPOOL_REPORTS_MAX) {
			(void)unlinkat(dir_fd, names->names[i], 0);
			left--;
		}
	}
}

/* A number that sorts behind all that are there, whatever the clock does. */
static uint64_t next_number(const struct names *names)
{
	uint64_t last = 0;
	if (names->n > 0)
		(void)str_to_u64((str){ names->names[names->n - 1], 20 }, UINT64_MAX / 2, &last);
	return last + 1;
}

int spool_add(const struct state *state, str key, const char *target, str body, struct err *err)
{
	autofree struct names *names = malloc(sizeof(*names));
	autobuf text = BUF(SPOOL_REPORT_BYTES);
	char hex[SHA256_HEX_SIZE], name[NAME_SIZE];
	autoclose int dir = open_spool(state, err);
	if (dir < 0 || !names)
		return dir < 0 ? dir : err_set(err, -ENOMEM, "out of memory");
	buf_add(&text, str_from_c(target));
	buf_add_byte(&text, '\n');
	buf_add(&text, body);
	if (buf_failed(&text))
		return err_set(err, -ERR_LIMIT, "a report is too large to be kept");
	int r = list(dir, names);
	if (r < 0)
		return err_set(err, r, "%s/spool: cannot be read", state->path);
	hash_sha256_hex(key, hex);
	hex[16] = '\0';
	(void)snprintf(name, sizeof(name), "%020" PRIu64 "-%.16s", next_number(names), hex);
	r = fs_replace(dir, name, buf_str(&text), 0600, err);
	if (r == 0)
		make_room(dir, hex, names);
	return r;
}

bool spool_has(const struct state *state)
{
	autofree struct names *names = malloc(sizeof(*names));
	autoclose int dir = open_spool(state, NULL);
	struct stat st;
	if (dir < 0 || !names)
		return false;
	return (list(dir, names) == 0 && names->n > 0) ||
	       fstatat(dir, INVENTORY_WORD, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int deliver(int dir, const char *name, struct service *service, struct err *err)
{
	autobuf text = BUF(SPOOL_REPORT_BYTES);
	struct arena arena = ARENA(1u << 20);
	struct ssm_reply reply = { 0 };
	str target, body, copy;
	int r = fs_read(dir, name, &text, err);
	if (r == 0 && !str_split_first(buf_str(&text), '\n', &target, &body))
		r = -ERR_FORMAT;
	if (r == 0)
		r = arena_copy(&arena, target, &copy);
	if (r == 0)
		r = service_call(service, copy.p, body, &arena, &reply, err);
	/* What is refused for good, or cannot be read, is no use to keep. */
	bool is_over = r == 0 || r == -ERR_FORMAT || r == -ERR_LIMIT || r == -ENOENT ||
	               !service_may_retry(r, &reply);
	arena_fini(&arena);
	if (is_over)
		(void)unlinkat(dir, name, 0);
	return is_over ? 0 : r;
}

int spool_deliver(const struct state *state, struct service *service, struct err *err)
{
	autofree struct names *names = malloc(sizeof(*names));
	autoclose int dir = open_spool(state, err);
	if (dir < 0 || !names)
		return dir < 0 ? dir : err_set(err, -ENOMEM, "out of memory");
	int r = list(dir, names);
	for (size_t i = 0; r == 0 && i < names->n; i++)
		r = deliver(dir, names->names[i], service, err);
	return r;
}

/* ---- the inventory ---- */

static int copy_file(int dir, const struct upload *upload, struct err *err)
{
	autofree char *piece = malloc(1u << 20);
	autoclose int to =
	        openat(dir, INVENTORY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0 || !piece)
		return err_set(err, to < 0 ? -errno : -ENOMEM, "the inventory cannot be kept");
	for (uint64_t at = 0; at < upload->packed_bytes;) {
		ssize_t n = pread(upload->fd, piece, 1u << 20, (off_t)at);
		if (n <= 0 || write(to, piece, (size_t)n) != n)
			return err_set(err, -EIO, "the inventory cannot be kept");
		at += (uint64_t)n;
	}
	return fsync(to) < 0 ? err_set(err, -errno, "the inventory cannot be kept: %m") : 0;
}

int spool_keep_inventory(const struct state *state, const struct upload *upload, struct err *err)
{
	autobuf text = BUF(1024);
	struct json_writer w = JSON_WRITER(&text, false);
	autoclose int dir = open_spool(state, err);
	if (dir < 0)
		return dir;
	spool_drop_inventory(state);
	int r = copy_file(dir, upload, err);
	if (r < 0)
		return r;
	json_write_object(&w);
	json_write_member_str(&w, "Hash", str_from_c(upload->sha256));
	json_write_member_str(&w, "Captured", str_from_c(upload->captured));
	json_write_key(&w, "Bytes");
	json_write_u64(&w, upload->bytes);
	json_write_object_end(&w);
	return fs_replace(dir, INVENTORY_WORD, buf_str(&text), 0600, err);
}

void spool_drop_inventory(const struct state *state)
{
	autoclose int dir = open_spool(state, NULL);
	if (dir < 0)
		return;
	(void)unlinkat(dir, INVENTORY_WORD, 0);
	(void)unlinkat(dir, INVENTORY, 0);
}

static int read_word(int dir, struct upload *ret, struct err *err)
{
	autobuf text = BUF(1024);
	struct arena arena = ARENA(1u << 16);
	const struct value *v = NULL;
	struct stat st;
	int r = fs_read(dir, INVENTORY_WORD, &text, err);
	if (r == 0)
		r = value_from_json(buf_str(&text), &arena, &v, err);
	str hash = value_get_str(v, STR("Hash")), captured = value_get_str(v, STR("Captured"));
	int64_t bytes = value_get_i64(v, STR("Bytes"), 0);
	if (r == 0 && (hash.n != sizeof(ret->sha256) - 1 || captured.n >= sizeof(ret->captured) ||
	                      bytes <= 0 || fstat(ret->fd, &st) < 0))
		r = err_set(err, -ERR_FORMAT, "the kept inventory is damaged");
	if (r == 0) {
		(void)snprintf(ret->sha256, sizeof(ret->sha256), STR_FMT, STR_ARG(hash));
		(void)snprintf(ret->captured, sizeof(ret->captured), STR_FMT, STR_ARG(captured));
		ret->bytes = (uint64_t)bytes;
		ret->packed_bytes = (uint64_t)st.st_size;
	}
	arena_fini(&arena);
	return r;
}

int spool_deliver_inventory(const struct state *state, struct service *service, struct err *err)
{
	struct upload upload = { .fd = -1 };
	bool is_sent = false;
	autoclose int dir = open_spool(state, err);
	if (dir < 0)
		return dir;
	autoclose int fd = openat(dir, INVENTORY, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	upload.fd = fd;
	int r = fd < 0 ? -ENOENT : read_word(dir, &upload, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = upload_send(service, &upload, &is_sent, err);
	if (r == 0 || r == -ERR_FORMAT || r == -ERR_LIMIT || r == -EREMOTEIO || r == -EOPNOTSUPP)
		spool_drop_inventory(state);
	return r;
}
