/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/parts.h"

/* The numbers are the same on every architecture; older headers lack them. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define VERSION_FLAG 1u

#define PATH_BENEATH 1
#define READ_FILE (UINT64_C(1) << 2)
#define READ_DIR (UINT64_C(1) << 3)
#define BIND_TCP (UINT64_C(1) << 0)

/* struct landlock_path_beneath_attr */
struct beneath {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

/* struct landlock_ruleset_attr as it stands since the sixth version; older kernels take the front
 * of it. */
struct ruleset {
	uint64_t files, net, scoped;
};

/* What each version of the interface knows. Everything it knows is handled, and nothing is allowed
 * again. */
static const struct {
	struct ruleset handled;
	size_t size;
} versions[] = {
	{ { 0x1fff, 0, 0 }, 8 },  /* 1: read, write, execute, make, remove */
	{ { 0x3fff, 0, 0 }, 8 },  /* 2: link and rename across folders */
	{ { 0x7fff, 0, 0 }, 8 },  /* 3: truncate */
	{ { 0x7fff, 3, 0 }, 16 }, /* 4: TCP bind and connect */
	{ { 0xffff, 3, 0 }, 16 }, /* 5: ioctl of devices */
	{ { 0xffff, 3, 3 }, 24 }, /* 6: abstract sockets and signals to others */
};

static const long n_versions = sizeof(versions) / sizeof(versions[0]);

/* Let what is below a path be read. */
static int allow_reading(int ruleset_fd, const char *path, struct err *err)
{
	struct stat st;
	autoclose int fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return 0; /* not on this system, or not for us */
	struct beneath beneath = {
		.allowed = S_ISDIR(st.st_mode) ? READ_FILE | READ_DIR : READ_FILE, .parent_fd = fd
	};
	if (syscall(SYS_landlock_add_rule, ruleset_fd, PATH_BENEATH, &beneath, 0u) < 0)
		return err_set(err, -errno, "cannot make a Landlock rule: %m");
	return 0;
}

static int allow_all(int ruleset_fd, const char *const *paths, struct err *err)
{
	int r = 0;
	for (; r == 0 && paths && *paths; paths++)
		r = allow_reading(ruleset_fd, *paths, err);
	return r;
}

int landlock_enter(const struct role_row *row, const struct sandbox_grant *grant, struct err *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, VERSION_FLAG);
	if (version < 1)
		return 0;
	if (version > n_versions)
		version = n_versions;
	struct ruleset handled = versions[version - 1].handled;
	if (row->has_network)
		handled.net &= BIND_TCP;
	autoclose int fd =
	        (int)syscall(SYS_landlock_create_ruleset, &handled, versions[version - 1].size, 0u);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a Landlock rule set: %m");
	int r = allow_all(fd, row->readable, err);
	if (r == 0)
		r = allow_all(fd, grant ? grant->readable : NULL, err);
	if (r < 0)
		return r;
	if (syscall(SYS_landlock_restrict_self, fd, 0u) < 0)
		return err_set(err, -errno, "cannot enter Landlock: %m");
	return 0;
}
