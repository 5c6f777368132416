/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/temp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

#define TRIES_MAX 16u

int temp_make(int dir_fd, const char *stem, char ret_name[TEMP_NAME_SIZE])
{
	for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
		uint64_t random;
		if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
			return errno ? -errno : -EIO;
		int n = snprintf(ret_name, TEMP_NAME_SIZE, ".%.200s.%016llx.new", stem,
		        (unsigned long long)random);
		if (n < 0 || (size_t)n >= TEMP_NAME_SIZE)
			return -ENAMETOOLONG;
		int fd = openat(
		        dir_fd, ret_name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd >= 0 || errno != EEXIST)
			return fd >= 0 ? fd : -errno;
	}
	return -EEXIST;
}
