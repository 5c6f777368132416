/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of uploads. An upload that a call works on is busy: others are told so and try again,
 * so that the lock is held for the table only and never while a disk is waited for.
 */
#include "server/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "aws/crypto.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "server/server.h"

/* Seconds for which the outcome of an upload is remembered. */
#define ENDED_S 600

struct upload {
	struct upload *next;
	char id[37];
	struct upload_plan plan;
	uint64_t received;
	int fd; /* of the spool, without a name; -1 when it is ended */
	int64_t touched_at;
	bool is_busy;
	enum upload_end end;
};

struct uploads {
	pthread_mutex_t lock; /* of all below */
	int dir_fd;
	struct upload *first;
	size_t n;
	uint64_t spool_bytes; /* announced, of those that are open */
	uint64_t unpacked_bytes;
};

int uploads_open(const char *folder, struct uploads **ret, struct err *err)
{
	struct uploads *uploads = calloc(1, sizeof(*uploads));
	if (!uploads)
		return err_set(err, -ENOMEM, "no memory for uploads");
	(void)pthread_mutex_init(&uploads->lock, NULL);
	int r = fs_remove_tree(AT_FDCWD, folder);
	if (r < 0)
		r = err_set(err, r, "%.150s: cannot be cleared", folder);
	if (r == 0)
		r = fs_make_dirs(folder, 0700, err);
	uploads->dir_fd = r < 0 ? r : fs_open_dir(folder, false, err);
	if (uploads->dir_fd < 0) {
		r = uploads->dir_fd;
		(void)pthread_mutex_destroy(&uploads->lock);
		free(uploads);
		return r;
	}
	*ret = uploads;
	return 0;
}

static void close_file(struct uploads *uploads, struct upload *upload)
{
	if (upload->fd < 0)
		return;
	(void)close(upload->fd);
	upload->fd = -1;
	uploads->spool_bytes -= upload->plan.compressed_bytes;
}

/* Take the upload that `link` points at out of the table. Locked. */
static void drop(struct uploads *uploads, struct upload **link)
{
	struct upload *upload = *link;
	*link = upload->next;
	close_file(uploads, upload);
	uploads->n--;
	free(upload);
}

void uploads_close(struct uploads *uploads)
{
	if (!uploads)
		return;
	while (uploads->first)
		drop(uploads, &uploads->first);
	(void)close(uploads->dir_fd);
	(void)pthread_mutex_destroy(&uploads->lock);
	free(uploads);
}

static struct upload **find(struct uploads *uploads, uint64_t host, str id)
{
	struct upload **link = &uploads->first;
	while (*link && !((*link)->plan.host == host && str_eq(str_from_c((*link)->id), id)))
		link = &(*link)->next;
	return link;
}

/* Forget what nobody goes on with. Locked. */
static void expire(struct uploads *uploads, int64_t now_at)
{
	for (struct upload **link = &uploads->first; *link;) {
		int64_t idle = now_at - (*link)->touched_at;
		bool is_old = idle > ((*link)->fd < 0 ? ENDED_S : UPLOAD_IDLE_S);
		if (is_old && !(*link)->is_busy)
			drop(uploads, link);
		else
			link = &(*link)->next;
	}
}

/* The host's oldest upload that is not busy gives way when it has too many. Locked. */
static int make_room(struct uploads *uploads, const struct upload_plan *plan)
{
	struct upload **oldest = NULL;
	size_t n = 0;
	for (struct upload **link = &uploads->first; *link; link = &(*link)->next) {
		if ((*link)->plan.host != plan->host)
			continue;
		n++;
		if (!(*link)->is_busy && (!oldest || (*link)->touched_at < (*oldest)->touched_at))
			oldest = link;
	}
	if (n >= UPLOADS_A_HOST) {
		if (!oldest)
			return -EAGAIN;
		drop(uploads, oldest);
	}
	bool has_room = uploads->n < UPLOADS_MAX &&
	                plan->compressed_bytes <= UPLOADS_SPOOL_BYTES - uploads->spool_bytes;
	return has_room ? 0 : -EAGAIN;
}

static bool is_same(const struct upload *upload, const struct upload_plan *plan)
{
	return upload->fd >= 0 && upload->plan.host == plan->host &&
	       strcmp(upload->plan.hash, plan->hash) == 0 &&
	       upload->plan.compressed_bytes == plan->compressed_bytes &&
	       upload->plan.bytes == plan->bytes;
}

/* A file without a name: it is gone with its descriptor. */
static int make_file(struct uploads *uploads, const char *id)
{
	int fd = openat(uploads->dir_fd, id, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	(void)unlinkat(uploads->dir_fd, id, 0);
	return fd;
}

/* Locked. */
static int add(struct uploads *uploads, const struct upload_plan *plan, int64_t now_at,
        struct upload **ret)
{
	int r = make_room(uploads, plan);
	struct upload *upload = r < 0 ? NULL : calloc(1, sizeof(*upload));
	if (!upload)
		return r < 0 ? r : -ENOMEM;
	upload->plan = *plan;
	r = uuid_make(upload->id);
	upload->fd = r < 0 ? r : make_file(uploads, upload->id);
	if (upload->fd < 0) {
		r = upload->fd;
		free(upload);
		return r;
	}
	upload->touched_at = now_at;
	upload->next = uploads->first;
	uploads->first = upload;
	uploads->n++;
	uploads->spool_bytes += plan->compressed_bytes;
	*ret = upload;
	return 0;
}

int upload_start(struct uploads *uploads, const struct upload_plan *plan, int64_t now_at,
        char ret_id[37], uint64_t *ret_next, struct err *err)
{
	if (plan->compressed_bytes > UPLOAD_COMPRESSED_MAX || plan->bytes > UPLOAD_BYTES_MAX)
		return err_set(err, -ERR_LIMIT, "the inventory is larger than is accepted");
	if (plan->bytes > plan->compressed_bytes * UPLOAD_RATIO_MAX + UPLOAD_RATIO_FREE)
		return err_set(err, -ERR_LIMIT, "the inventory is compressed too much to be one");
	(void)pthread_mutex_lock(&uploads->lock);
	expire(uploads, now_at);
	struct upload *upload = uploads->first;
	while (upload && !is_same(upload, plan))
		upload = upload->next;
	int r = upload ? 0 : add(uploads, plan, now_at, &upload);
	if (r == 0) {
		/* The same inventory, seen again later: its newest time counts. */
		if (!upload->is_busy)
			upload->plan = *plan;
		upload->touched_at = now_at;
		memcpy(ret_id, upload->id, sizeof(upload->id));
		*ret_next = upload->received;
	}
	(void)pthread_mutex_unlock(&uploads->lock);
	if (r == -EAGAIN)
		return err_set(err, r, "too many uploads are under way");
	return r < 0 ? err_set(err, r, "the spool cannot take an upload") : 0;
}

static int write_all(int fd, str bytes, uint64_t offset)
{
	while (bytes.n > 0) {
		ssize_t n = pwrite(fd, bytes.p, bytes.n, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		offset += (uint64_t)n;
		bytes = str_skip(bytes, (size_t)n);
	}
	return 0;
}

/* Have an upload for oneself. Out: ret  busy, until done() */
static int seize(
        struct uploads *uploads, uint64_t host, str id, int64_t now_at, struct upload **ret)
{
	int r = 0;
	(void)pthread_mutex_lock(&uploads->lock);
	struct upload *upload = *find(uploads, host, id);
	if (!upload)
		r = -ENOENT;
	else if (upload->is_busy)
		r = -EBUSY;
	if (r == 0) {
		upload->is_busy = true;
		upload->touched_at = now_at;
		*ret = upload;
	}
	(void)pthread_mutex_unlock(&uploads->lock);
	return r;
}

/* Let others have it again. In: received  what is here of it now */
static void done(struct uploads *uploads, struct upload *upload, uint64_t received)
{
	(void)pthread_mutex_lock(&uploads->lock);
	upload->received = received;
	upload->is_busy = false;
	(void)pthread_mutex_unlock(&uploads->lock);
}

int upload_put(struct uploads *uploads, uint64_t host, str id, uint64_t offset, str bytes,
        int64_t now_at, uint64_t *ret_next, struct err *err)
{
	struct upload *upload;
	int r = seize(uploads, host, id, now_at, &upload);
	if (r < 0)
		return err_set(err, r,
		        r == -EBUSY ? "the upload is being worked on" : "there is no such upload");
	uint64_t end = upload->plan.compressed_bytes, received = upload->received;
	if (offset > received || offset > end || bytes.n > end - offset)
		r = err_set(err, -ERANGE, "the upload goes on at %" PRIu64, received);
	else if (offset + bytes.n > received)
		r = write_all(upload->fd, bytes, offset);
	if (r == 0 && offset + bytes.n > received)
		received = offset + bytes.n;
	*ret_next = received;
	done(uploads, upload, received);
	return r == 0 || r == -ERANGE ? r : err_set(err, r, "the spool cannot be written");
}

/* Set memory for unpacking aside. */
static bool reserve(struct uploads *uploads, uint64_t bytes)
{
	(void)pthread_mutex_lock(&uploads->lock);
	bool has_room = bytes <= UPLOADS_UNPACKED_BYTES - uploads->unpacked_bytes;
	if (has_room)
		uploads->unpacked_bytes += bytes;
	(void)pthread_mutex_unlock(&uploads->lock);
	return has_room;
}

static void let_go(struct uploads *uploads, uint64_t bytes)
{
	(void)pthread_mutex_lock(&uploads->lock);
	uploads->unpacked_bytes -= bytes;
	(void)pthread_mutex_unlock(&uploads->lock);
}

static int unpack(const struct upload *upload, struct buf *out, struct err *err)
{
	char hex[SHA256_HEX_SIZE];
	size_t before = out->n;
	int r = upload_unpack(
	        upload->fd, upload->plan.compressed_bytes, upload->plan.bytes, out, err);
	if (r < 0)
		return r;
	hash_sha256_hex(str_skip(buf_str(out), before), hex);
	if (strcmp(hex, upload->plan.hash) != 0)
		return err_set(err, -ERR_FORMAT, "its digest is not the ContentHash");
	return 0;
}

/* Unpack an upload that is seized; the memory stays reserved on success. */
static int take(struct uploads *uploads, struct upload *upload, struct buf *out, struct err *err)
{
	if (upload->received < upload->plan.compressed_bytes)
		return err_set(err, -ERANGE, "the upload goes on at %" PRIu64, upload->received);
	if (!reserve(uploads, upload->plan.bytes))
		return err_set(err, -EAGAIN, "too many inventories are being unpacked");
	int r = unpack(upload, out, err);
	if (r < 0)
		let_go(uploads, upload->plan.bytes);
	return r;
}

int upload_take(struct uploads *uploads, uint64_t host, str id, int64_t now_at,
        struct upload_plan *ret_plan, struct buf *out, enum upload_end *ret_end, uint64_t *ret_next,
        struct err *err)
{
	struct upload *upload;
	int r = seize(uploads, host, id, now_at, &upload);
	if (r < 0)
		return err_set(err, r,
		        r == -EBUSY ? "the upload is being worked on" : "there is no such upload");
	*ret_next = upload->received;
	*ret_end = upload->end;
	if (upload->end != UPLOAD_OPEN) {
		done(uploads, upload, upload->received);
		return 0;
	}
	*ret_plan = upload->plan;
	r = take(uploads, upload, out, err);
	if (r == -ERR_FORMAT) {
		(void)pthread_mutex_lock(&uploads->lock);
		drop(uploads, find(uploads, host, id));
		(void)pthread_mutex_unlock(&uploads->lock);
	} else if (r < 0) {
		done(uploads, upload, upload->received);
	}
	return r;
}

void upload_end(struct uploads *uploads, uint64_t host, str id, enum upload_end end)
{
	(void)pthread_mutex_lock(&uploads->lock);
	struct upload *upload = *find(uploads, host, id);
	if (upload && upload->is_busy) {
		uploads->unpacked_bytes -= upload->plan.bytes;
		upload->is_busy = false;
		upload->end = end;
		if (end != UPLOAD_OPEN)
			close_file(uploads, upload);
	}
	(void)pthread_mutex_unlock(&uploads->lock);
}
