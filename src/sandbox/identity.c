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

/* The bounding set first, while there is a right to. A kernel says EINVAL to numbers it does not
 * have. */
static void limit_bounding_set(uint64_t keeps)
{
	for (unsigned cap = 0; cap < CAPABILITIES_MAX; cap++) {
		if (!(keeps >> cap & 1))
			(void)prctl(PR_CAPBSET_DROP, (unsigned long)cap, 0, 0, 0);
	}
}

static int become_nobody(struct err *err)
{
	limit_bounding_set(0);
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

/* These capabilities in the sets of this process. Ambient ones came with Linux 4.3. */
static int set_capabilities(uint64_t keeps, struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3,
		.pid = 0 };
	const uint32_t low = (uint32_t)keeps, high = (uint32_t)(keeps >> 32);
	const struct __user_cap_data_struct only[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = low, .permitted = low }, { .effective = high, .permitted = high }
	};
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, only) == 0)
		return 0;
	return err_set(err, -errno, "cannot give up the capabilities: %m");
}

/* Those of the set that this process has: a container's root may lack some. */
static uint64_t held(uint64_t keeps)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3,
		.pid = 0 };
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3] = { { 0, 0, 0 } };
	if (syscall(SYS_capget, &header, now) < 0)
		return 0;
	return keeps & ((uint64_t)now[1].permitted << 32 | now[0].permitted);
}

int identity_keep(uint64_t keeps, struct err *err)
{
	if (geteuid() != 0)
		return set_capabilities(0, err);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot keep capabilities: %m");
	keeps = held(keeps);
	int r = become_nobody(err);
	if (r == 0)
		r = set_capabilities(keeps, err);
	(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return r;
}

int identity_narrow(uint64_t keeps, struct err *err)
{
	if (geteuid() != 0)
		return set_capabilities(0, err);
	keeps = held(keeps);
	limit_bounding_set(keeps);
	return set_capabilities(keeps, err);
}

int identity_drop(struct err *err)
{
	int r = geteuid() == 0 ? become_nobody(err) : 0;
	return r < 0 ? r : set_capabilities(0, err);
}
