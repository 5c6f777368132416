/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "sandbox/parts.h"

bool sandbox_has_filter(void)
{
	return !SANDBOX_IS_SANITIZED;
}

/* Lower a limit, for good; never above what it is already. */
static int limit_to(int what, const char *name, rlim_t most, struct err *err)
{
	struct rlimit limit;
	if (getrlimit((__rlimit_resource_t)what, &limit) < 0)
		return err_set(err, -errno, "cannot read the limit of %s: %m", name);
	if (limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit((__rlimit_resource_t)what, &limit) < 0)
		return err_set(err, -errno, "cannot limit %s: %m", name);
	return 0;
}

static int limit_all(const struct role_row *row, const struct sandbox_grant *grant, struct err *err)
{
	rlim_t file_bytes = grant ? (rlim_t)grant->file_bytes : 0;
	/* A message to a standard error that is a file is lost, but does not kill. */
	if (!row->starts_programs && signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
		return err_set(err, -errno, "cannot ignore a signal: %m");
	int r = limit_to(RLIMIT_CORE, "core dumps", 0, err);
	if (r < 0 || row->starts_programs)
		return r;
	r = limit_to(RLIMIT_FSIZE, "files", file_bytes, err);
	if (r >= 0)
		r = limit_to(RLIMIT_NOFILE, "descriptors", row->n_descriptors, err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED && !row->has_threads)
		r = limit_to(RLIMIT_NPROC, "processes", 0, err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED)
		r = limit_to(RLIMIT_AS, "memory", (rlim_t)row->memory_bytes, err);
	return r;
}

int sandbox_drop(struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot give up new privileges: %m");
	return identity_drop(err);
}

int sandbox_enter_with(enum role role, const struct sandbox_grant *grant, struct err *err)
{
	const struct role_row *row = sandbox_role(role);
	int r = row->stays   ? identity_narrow(row->keeps, err)
	        : row->keeps ? identity_keep(row->keeps, err)
	                     : identity_drop(err);
	if (r < 0)
		return r;
	/* After the change of user, which would undo the first two. A sanitizer's leak check traces
	 * itself. */
	if (prctl(PR_SET_DUMPABLE, SANDBOX_IS_SANITIZED, 0, 0, 0) < 0 ||
	        (!row->stays && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) ||
	        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot give up new privileges: %m");
	r = limit_all(row, grant, err);
	/* What it starts, a script or sonde-net, would be held by Landlock too. */
	if (r >= 0 && !row->starts_programs)
		r = landlock_enter(row, grant, err);
	if (r >= 0 && !SANDBOX_IS_SANITIZED)
		r = seccomp_enter(row, err);
	return r;
}

int sandbox_enter(enum role role, struct err *err)
{
	return sandbox_enter_with(role, NULL, err);
}
