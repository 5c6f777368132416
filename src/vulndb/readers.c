/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define READERS_NAME ".readers"
#define TRIES_MAX 100u /* a millisecond apart */

int readers_make(int dir_fd, const char *path, struct err *err)
{
	int fd = openat(
	        dir_fd, READERS_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot write: %s", path, strerror(errno));
	(void)close(fd);
	return 0;
}

int readers_lock(int dir_fd, bool alone)
{
	int fd = openat(dir_fd, READERS_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	for (unsigned tries = 0; fd >= 0; tries++) {
		static const struct timespec pause = { .tv_nsec = 1000000 };
		if (flock(fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
			return fd;
		if (alone || errno != EWOULDBLOCK || tries == TRIES_MAX)
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		(void)close(fd);
	return -1;
}
