/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/parts.h"

/* The user and group "nobody" of every Linux: the kernel's own overflow id. */
#define NOBODY 65534

/* Capabilities that the kernel may ever have: one bit each in two words. */
#define CAPABILITIES_MAX 64

/* Drop what is held, and what a program started later could hold. */
static int drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3,
		.pid = 0 };
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };
	(void)prctl(
	        PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* Linux 4.3; older has none */
	if (syscall(SYS_capset, &header, none) < 0)
		return err_set(err, -errno, "cannot give up the capabilities: %m");
	return 0;
}

static int become_nobody(struct err *err)
{
	/* The bounding set first, while there is a right to. A kernel says EINVAL to numbers it
	 * does not have. */
	for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	int groups = setgroups(0, NULL) < 0 ? -errno : 0;
	if (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0) {
		/* A user namespace without a nobody: its root has no rights outside, and loses
		 * those inside. */
		if (errno == EINVAL)
			return 0;
		return err_set(err, -errno, "cannot become nobody: %m");
	}
	if (groups < 0) {
		errno = -groups;
		return err_set(err, groups, "cannot give up the groups: %m");
	}
	return 0;
}

/* One capability in the sets of this process, and of nothing that it starts. */
static int set_reading(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3,
		.pid = 0 };
	const uint32_t reading = UINT32_C(1) << CAP_DAC_READ_SEARCH;
	const struct __user_cap_data_struct only[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = reading, .permitted = reading }, { 0, 0, 0 }
	};
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, only) == 0)
		return 0;
	/* A container's root may not have had it: then it reads what nobody may read. */
	return errno == EPERM ? drop_capabilities(err)
	                      : err_set(err, -errno, "cannot keep the right to read: %m");
}

int identity_keep_reading(struct err *err)
{
	if (geteuid() != 0)
		return drop_capabilities(err);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot keep the right to read: %m");
	int r = become_nobody(err);
	if (r == 0)
		r = set_reading(err);
	(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return r;
}

int identity_drop(struct err *err)
{
	int r = geteuid() == 0 ? become_nobody(err) : 0;
	return r < 0 ? r : drop_capabilities(err);
}
