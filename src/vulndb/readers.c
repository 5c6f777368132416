/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define READERS_NAME ".readers"

int readers_make(int dir_fd, const char *path, struct err *err)
{
	int fd = openat(dir_fd, READERS_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot write: %s", path, strerror(errno));
	(void)close(fd);
	return 0;
}

int readers_lock(int dir_fd, bool alone)
{
	int fd = openat(dir_fd, READERS_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	while (fd >= 0 && flock(fd, alone ? LOCK_EX | LOCK_NB : LOCK_SH) < 0) {
		if (errno == EINTR)
			continue;
		(void)close(fd);
		fd = -1;
	}
	return fd;
}
