/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a file the same as a URL. Four names, and why each order of events is safe:
 *
 *   name             the whole file; only ever replaced by rename
 *   name.state       which bytes of which URL `name` has to be for a conditional request
 *   name.part        what arrived so far; locked while someone fetches
 *   name.part.state  whose bytes those are; written before the first of them is
 *
 * A crash between two steps leaves a state that does not fit its file (the digest says so), and
 * then the file is fetched whole. Nothing but time is lost.
 */
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"
#include "net/protocol.h"

#define NAME_MAX_BYTES 200
#define STATE_MAX 2048
#define BOOT_SIZE 40
#define HEADER "sonde.fetch/1"

/* What a state file holds. Empty strings: not known. */
struct state {
	char url[SHA256_HEX_SIZE]; /* a digest, because a URL may hold a password */
	char etag[NET_ETAG_SIZE];
	char last_modified[NET_DATE_SIZE];
	char sha256[SHA256_HEX_SIZE]; /* of the whole file; not for a part */
	char boot[BOOT_SIZE];         /* of a part: the boot under which it was written */
};

/* One file that is kept. */
struct kept {
	int dir_fd;
	const char *name;
	const struct net_file_options *options;
	char part[NAME_MAX_BYTES + 16];
	char state[NAME_MAX_BYTES + 16];
	char part_state[NAME_MAX_BYTES + 16];
	int fd;                       /* of the part, locked */
	struct state now;             /* of the part, while it is fetched */
	char digest[SHA256_HEX_SIZE]; /* of `name` as it stands; empty: there is none */
};

static bool is_word(str s)
{
	(void)str_take_while(&s, is_alnum);
	return s.n == 0;
}

static bool is_boot_byte(char c)
{
	return is_alnum(c) || c == '-';
}

static bool is_boot(str s)
{
	(void)str_take_while(&s, is_boot_byte);
	return s.n == 0;
}

static bool take_field(struct state *state, str key, str value)
{
	const struct {
		str key;
		char *at;
		size_t size;
		bool (*is_good)(str);
	} fields[] = {
		{ STR("url"), state->url, sizeof(state->url), is_word },
		{ STR("etag"), state->etag, sizeof(state->etag), net_is_etag },
		{ STR("last_modified"), state->last_modified, sizeof(state->last_modified),
		        net_is_date },
		{ STR("sha256"), state->sha256, sizeof(state->sha256), is_word },
		{ STR("boot"), state->boot, sizeof(state->boot), is_boot },
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!str_eq(key, fields[i].key))
			continue;
		if (value.n >= fields[i].size || !fields[i].is_good(value))
			return false;
		memcpy(fields[i].at, value.p, value.n);
		fields[i].at[value.n] = '\0';
		return true;
	}
	return false;
}

/* Read a state of this URL. False, and nothing known, when there is none or it is damaged. */
static bool load(int dir_fd, const char *name, const char *url_digest, struct state *ret)
{
	autobuf in = BUF(STATE_MAX);
	struct state state = { .url = "" };
	if (fs_read(dir_fd, name, &in, NULL) < 0)
		return false;
	str bytes = buf_str(&in), line, key, value;
	if (!str_next_line(&bytes, &line) || !str_eq(line, STR(HEADER)))
		return false;
	while (str_next_line(&bytes, &line)) {
		if (!str_split_first(line, '=', &key, &value) || !take_field(&state, key, value))
			return false;
	}
	if (strcmp(state.url, url_digest) != 0)
		return false;
	*ret = state;
	return true;
}

static int save(int dir_fd, const char *name, const struct state *state, struct err *err)
{
	autobuf out = BUF(STATE_MAX);
	const struct {
		const char *key, *value;
	} fields[] = {
		{ "url", state->url },
		{ "etag", state->etag },
		{ "last_modified", state->last_modified },
		{ "sha256", state->sha256 },
		{ "boot", state->boot },
	};
	buf_add(&out, STR(HEADER "\n"));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].value[0] != '\0')
			buf_printf(&out, "%s=%s\n", fields[i].key, fields[i].value);
	}
	if (buf_failed(&out))
		return err_set(err, -ENOMEM, "out of memory");
	return fs_replace(dir_fd, name, buf_str(&out), 0644, err);
}

/* Empty when the kernel does not say; then no part is resumed. */
static void read_boot(char ret[BOOT_SIZE])
{
	autobuf in = BUF(BOOT_SIZE);
	ret[0] = '\0';
	if (fs_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &in, NULL) < 0)
		return;
	str boot = str_trim(buf_str(&in));
	if (boot.n < BOOT_SIZE && is_boot(boot)) {
		memcpy(ret, boot.p, boot.n);
		ret[boot.n] = '\0';
	}
}

static void copy_validators(struct state *state, const struct net_answer *answer)
{
	memcpy(state->etag, answer->etag, sizeof(state->etag));
	memcpy(state->last_modified, answer->last_modified, sizeof(state->last_modified));
}

/* A body begins: note whose it is before its first byte is written. */
static int on_started(void *ctx, const struct net_answer *answer, struct err *err)
{
	struct kept *kept = ctx;
	copy_validators(&kept->now, answer);
	return save(kept->dir_fd, kept->part_state, &kept->now, err);
}

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
	const struct kept *kept = ctx;
	if (kept->options->progress)
		kept->options->progress(kept->options->ctx, done_bytes, all_bytes);
}

/*
 * Open the part and lock it. The lock belongs to the open file, which sonde-net shares: it holds
 * for as long as anyone may write. The holder renames or removes the part before it lets go, so a
 * lock that was had too late is on a file that is not the part any more.
 */
static int open_part(struct kept *kept, struct err *err)
{
	struct stat ours, there;
	autoclose int fd = openat(kept->dir_fd, kept->part,
	        O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (fd < 0 || fstat(fd, &ours) < 0)
		return err_set(err, -errno, "%s: cannot open: %s", kept->part, strerror(errno));
	if (!S_ISREG(ours.st_mode))
		return err_set(err, -EINVAL, "%s: not a file", kept->part);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 ||
	        fstatat(kept->dir_fd, kept->part, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	        there.st_ino != ours.st_ino || there.st_dev != ours.st_dev)
		return err_set(
		        err, -EBUSY, "%s: another process fetches this file now", kept->name);
	kept->fd = fd;
	fd = -1;
	return 0;
}

static void drop_part(const struct kept *kept)
{
	(void)unlinkat(kept->dir_fd, kept->part_state, 0);
	(void)unlinkat(kept->dir_fd, kept->part, 0);
}

/* Digest the file as it stands. */
static void read_digest(struct kept *kept)
{
	struct stat st;
	autoclose int fd =
	        openat(kept->dir_fd, kept->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	        hash_sha256_fd(fd, kept->digest) < 0)
		kept->digest[0] = '\0';
}

/* The part is whole: make it the file. */
static int install(
        struct kept *kept, const struct net_answer *answer, bool *ret_changed, struct err *err)
{
	struct stat st;
	struct state state = kept->now;
	if (fstat(kept->fd, &st) < 0 || (uint64_t)st.st_size != answer->n_bytes) {
		drop_part(kept);
		return err_set(err, -EIO,
		        "%s: what was fetched is not as long as it was said to be", kept->name);
	}
	int r = hash_sha256_fd(kept->fd, state.sha256);
	if (r < 0)
		return err_set(err, r, "%s: cannot read: %s", kept->part, strerror(-r));
	if (fsync(kept->fd) < 0 ||
	        renameat(kept->dir_fd, kept->part, kept->dir_fd, kept->name) < 0 ||
	        fsync(kept->dir_fd) < 0)
		return err_set(err, -errno, "%s: cannot replace: %s", kept->name, strerror(errno));
	/* The file is in its place. A state that cannot be written costs the next call a whole
	 * fetch. */
	copy_validators(&state, answer);
	state.boot[0] = '\0';
	(void)save(kept->dir_fd, kept->state, &state, NULL);
	(void)unlinkat(kept->dir_fd, kept->part_state, 0);
	*ret_changed = strcmp(kept->digest, state.sha256) != 0;
	return 0;
}

/* Point the request at what is at hand: a part to go on with, or a file that may be current. */
static void offer(
        struct kept *kept, const struct state *old, struct state *part, struct net_request *request)
{
	struct stat st;
	bool may_resume = load(kept->dir_fd, kept->part_state, kept->now.url, part) &&
	                  part->boot[0] != '\0' && strcmp(part->boot, kept->now.boot) == 0 &&
	                  fstat(kept->fd, &st) == 0 && st.st_size > 0 &&
	                  (uint64_t)st.st_size <= request->max_bytes;
	if (may_resume)
		request->resume_at_bytes = (uint64_t)st.st_size;
	request->etag = may_resume ? part->etag : old->etag;
	request->last_modified = may_resume ? part->last_modified : old->last_modified;
}

static int fetch(
        const char *program, const char *url, struct kept *kept, bool *ret_changed, struct err *err)
{
	const struct net_file_options *options = kept->options;
	struct state old = { .url = "" }, part = { .url = "" };
	struct net_answer answer;
	struct net_request request = {
		.url = url,
		.max_bytes = options->max_bytes,
		.timeout_s = options->timeout_s,
		.max_attempts = options->max_attempts,
		.retry_wait_ms = options->retry_wait_ms,
		.fd = kept->fd,
		.started = on_started,
		.progress = on_progress,
		.ctx = kept,
	};
	hash_sha256_hex(str_from_c(url), kept->now.url);
	read_boot(kept->now.boot);
	read_digest(kept);
	if (!load(kept->dir_fd, kept->state, kept->now.url, &old) || kept->digest[0] == '\0' ||
	        strcmp(kept->digest, old.sha256) != 0)
		old = (struct state){ .url = "" };
	offer(kept, &old, &part, &request);
	int r = net_fetch(program, &request, &answer, err);
	/* A part that is too large, or that fills the disk, is better gone. */
	if (r == -ERR_LIMIT || r == -ENOSPC || (r == 0 && answer.unchanged))
		drop_part(kept);
	if (r < 0)
		return r;
	*ret_changed = false;
	return answer.unchanged ? 0 : install(kept, &answer, ret_changed, err);
}

int net_fetch_file(const char *program, const char *url, int dir_fd, const char *name,
        const struct net_file_options *options, bool *ret_changed, struct err *err)
{
	struct kept kept = { .dir_fd = dir_fd, .name = name, .options = options, .fd = -1 };
	str s = str_from_c(name);
	bool changed = false;
	if (s.n == 0 || s.n > NAME_MAX_BYTES || s.p[0] == '.' || memchr(s.p, '/', s.n))
		return err_set(err, -EINVAL, "not a file name to fetch into");
	(void)snprintf(kept.part, sizeof(kept.part), "%s.part", name);
	(void)snprintf(kept.state, sizeof(kept.state), "%s.state", name);
	(void)snprintf(kept.part_state, sizeof(kept.part_state), "%s.part.state", name);
	int r = open_part(&kept, err);
	if (r < 0)
		return r;
	r = fetch(program, url, &kept, &changed, err);
	struct stat st;
	if (r < 0 && fstat(kept.fd, &st) == 0 && st.st_size == 0)
		drop_part(&kept);
	(void)close(kept.fd);
	if (r == 0 && ret_changed)
		*ret_changed = changed;
	return r;
}
