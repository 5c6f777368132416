/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define OWNER "owner"

static void close_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

/* Has it anything but what state_open() makes? */
static int is_empty(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup(close_dir) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int saved = errno;
		if (fd >= 0)
			(void)close(fd);
		return -saved;
	}
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return 0;
	}
	return 1;
}

/* What is in it is obeyed, so it may be nobody's but ours. */
static int check_owner(int dir_fd, const char *path, struct err *err)
{
	struct stat st;
	if (fstat(dir_fd, &st) < 0)
		return err_set(err, -errno, "%s: %m", path);
	if (st.st_uid != geteuid())
		return err_set(err, -EPERM, "%s: the state folder belongs to another user", path);
	if ((st.st_mode & 0077) != 0 && fchmod(dir_fd, 0700) < 0)
		return err_set(err, -errno, "%s: cannot be closed to others: %m", path);
	return 0;
}

static int take_lock(int dir_fd, const char *path, bool make, int *ret, struct err *err)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0);
	autoclose int fd = openat(dir_fd, OWNER, flags, 0600);
	if (fd < 0)
		return err_set(err, -errno, "%s/%s: %m", path, OWNER);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, errno == EWOULDBLOCK ? -EBUSY : -errno,
		        "%s: another agent uses this state folder", path);
	*ret = fd;
	fd = -1;
	return 0;
}

static int prepare(struct state *state, struct err *err)
{
	int r = fs_remove_tree(state->dir, "jobs");
	if (r < 0)
		return err_set(err, r, "%s/jobs: cannot be emptied", state->path);
	if (mkdirat(state->dir, "jobs", 0700) < 0 ||
	        (mkdirat(state->dir, "spool", 0700) < 0 && errno != EEXIST))
		return err_set(err, -errno, "%s: cannot make a folder: %m", state->path);
	/* What was being written when an earlier life was cut off; it may be a key. */
	autoclose int spool =
	        openat(state->dir, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	r = spool < 0 ? -errno : fs_sweep(spool);
	if (r == 0)
		r = fs_sweep(state->dir);
	return r < 0 ? err_set(err, r, "%s: cannot be cleaned", state->path) : 0;
}

int state_open(const char *path, struct state *ret, struct err *err)
{
	struct state state = { .dir = -1, .lock = -1, .path = path };
	if (path[0] != '/')
		return err_set(err, -EINVAL, "%s: the state folder is an absolute path", path);
	int r = fs_make_dirs(path, 0700, err);
	if (r < 0)
		return r;
	state.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (state.dir < 0)
		return err_set(err, -errno, "%s: %m", path);
	r = check_owner(state.dir, path, err);
	if (r == 0 && !state_has(&state, OWNER)) {
		r = is_empty(state.dir);
		r = r == 1  ? 0
		    : r < 0 ? err_set(err, r, "%s: cannot be read", path)
		            : err_set(err, -ENOTEMPTY,
		                      "%s: has files, but is not an agent's state folder", path);
	}
	if (r == 0)
		r = take_lock(state.dir, path, true, &state.lock, err);
	if (r == 0)
		r = prepare(&state, err);
	if (r < 0) {
		state_close(&state);
		return r;
	}
	*ret = state;
	return 0;
}

void state_close(struct state *state)
{
	if (state->lock >= 0)
		(void)close(state->lock);
	if (state->dir >= 0)
		(void)close(state->dir);
	state->lock = state->dir = -1;
}

int state_read(const struct state *state, const char *name, struct buf *out, struct err *err)
{
	return fs_read(state->dir, name, out, err);
}

int state_write(const struct state *state, const char *name, str bytes, struct err *err)
{
	return fs_replace(state->dir, name, bytes, 0600, err);
}

int state_rename(const struct state *state, const char *from, const char *to, struct err *err)
{
	if (renameat(state->dir, from, state->dir, to) < 0 || fsync(state->dir) < 0)
		return err_set(err, -errno, "%s/%s: cannot be renamed: %m", state->path, from);
	return 0;
}

int state_remove(const struct state *state, const char *name, struct err *err)
{
	if (unlinkat(state->dir, name, 0) < 0 && errno != ENOENT)
		return err_set(err, -errno, "%s/%s: cannot be removed: %m", state->path, name);
	return 0;
}

bool state_has(const struct state *state, const char *name)
{
	struct stat st;
	return fstatat(state->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int state_destroy(const char *path, struct err *err)
{
	static const char *const names[] = { "jobs", "spool", "packages", "registration.json",
		"key.pem", "next.pem", "fingerprint", "inventory.json", "stop" };
	autoclose int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	autoclose int lock = -1;
	if (dir < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %m", path);
	int r = take_lock(dir, path, false, &lock, err);
	if (r == -ENOENT)
		return err_set(err, -EINVAL, "%s: is not an agent's state folder", path);
	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		r = fs_remove_tree(dir, names[i]);
		if (r < 0)
			return err_set(err, r, "%s/%s: cannot be removed", path, names[i]);
	}
	if (r < 0)
		return r;
	r = fs_sweep(dir);
	if (r < 0)
		return err_set(err, r, "%s: cannot be cleaned", path);
	if (unlinkat(dir, OWNER, 0) < 0)
		return err_set(err, -errno, "%s/%s: %m", path, OWNER);
	/* Something that is not the agent's may lie there: it stays, and the folder with it. */
	if (rmdir(path) < 0)
		return err_set(err, -errno, "%s: cannot be removed: %m", path);
	return 0;
}
