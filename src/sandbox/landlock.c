/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/parts.h"

/* The numbers are the same on every architecture; older headers lack them. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

#define VERSION_FLAG 1u

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

int landlock_enter(struct err *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, VERSION_FLAG);
	if (version < 1)
		return 0;
	if (version > n_versions)
		version = n_versions;
	struct ruleset handled = versions[version - 1].handled;
	autoclose int fd =
	        (int)syscall(SYS_landlock_create_ruleset, &handled, versions[version - 1].size, 0u);
	if (fd < 0)
		return err_set(err, -errno, "cannot make a Landlock rule set: %m");
	if (syscall(SYS_landlock_restrict_self, fd, 0u) < 0)
		return err_set(err, -errno, "cannot enter Landlock: %m");
	return 0;
}
