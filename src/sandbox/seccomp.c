/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/parts.h"

static void releasep(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

/* Allow one call when one argument passes a comparison. */
static int allow_if(
        scmp_filter_ctx filter, const struct role_call *call, struct scmp_arg_cmp argument)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number, 1, &argument);
}

/* Allow one call when an argument, under a mask, is a value. */
static int allow_bits(scmp_filter_ctx filter, const struct role_call *call, unsigned argument,
        scmp_datum_t mask, scmp_datum_t value)
{
	return allow_if(
	        filter, call, (struct scmp_arg_cmp){ argument, SCMP_CMP_MASKED_EQ, mask, value });
}

/* Allow one call once for every value that an argument may have. */
static int allow_values(scmp_filter_ctx filter, const struct role_call *call, unsigned argument,
        const int *values, size_t n)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = allow_if(filter, call,
		        (struct scmp_arg_cmp){ argument, SCMP_CMP_EQ, (scmp_datum_t)values[i], 0 });
	return r;
}

#define ALLOW_VALUES(filter, call, argument, values)                                               \
	allow_values(filter, call, argument, values, sizeof(values) / sizeof((values)[0]))

static int allow_internet(scmp_filter_ctx filter, const struct role_call *call)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int r = ALLOW_VALUES(filter, call, 0, families);
	if (r < 0)
		return r;
	/* The C library asks which addresses this host has, to sort those of the server. */
	const struct scmp_arg_cmp routes[] = { { 0, SCMP_CMP_EQ, AF_NETLINK, 0 },
		{ 2, SCMP_CMP_EQ, NETLINK_ROUTE, 0 } };
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number, 2, routes);
}

/* Not writable, or not executable. */
static int allow_no_wx(scmp_filter_ctx filter, const struct role_call *call)
{
	int r = allow_bits(filter, call, 2, PROT_EXEC, 0);
	return r < 0 ? r : allow_bits(filter, call, 2, PROT_WRITE, 0);
}

static int allow(scmp_filter_ctx filter, const struct role_call *call)
{
	static const int fd_commands[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	static const int ioctls[] = { FIONREAD, FIONBIO };
	const scmp_datum_t makes = O_ACCMODE | O_CREAT | O_TRUNC | O_PATH;
	const scmp_datum_t thread =
	        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
	switch (call->limit) {
	case CALL_ANY: return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call->number, 0);
	case CALL_NO_PATH: return allow_bits(filter, call, 3, AT_EMPTY_PATH, AT_EMPTY_PATH);
	case CALL_NO_EXEC: return allow_bits(filter, call, 2, PROT_EXEC, 0);
	case CALL_NO_WX: return allow_no_wx(filter, call);
	case CALL_OWN_SIGNAL:
		return allow_if(filter, call,
		        (struct scmp_arg_cmp){ 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 });
	case CALL_FD_FLAGS: return ALLOW_VALUES(filter, call, 1, fd_commands);
	case CALL_READ_ONLY:
		return allow_bits(
		        filter, call, call->number == SCMP_SYS(openat) ? 2 : 1, makes, O_RDONLY);
	case CALL_INTERNET: return allow_internet(filter, call);
	case CALL_THREAD:
		return allow_bits(filter, call, 0, thread | CLONE_NEWUSER | CLONE_NEWNS, thread);
	case CALL_ABSENT: return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), call->number, 0);
	case CALL_REFUSED: return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call->number, 0);
	case CALL_READABLE: return ALLOW_VALUES(filter, call, 1, ioctls);
	case CALL_ASK_LIMIT:
		return allow_if(filter, call, (struct scmp_arg_cmp){ 2, SCMP_CMP_EQ, 0, 0 });
	}
	return -EINVAL;
}

/* Kernels before 4.14 can only kill the thread: the same, in a process that has one. */
static scmp_filter_ctx make_filter(const struct role_row *row)
{
	if (row->other == OTHER_PASSES)
		return seccomp_init(SCMP_ACT_ALLOW);
	if (row->other == OTHER_FAILS)
		return seccomp_init(SCMP_ACT_ERRNO(EPERM));
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	return filter ? filter : seccomp_init(SCMP_ACT_KILL);
}

int seccomp_enter(const struct role_row *row, struct err *err)
{
	cleanup(releasep) scmp_filter_ctx filter = make_filter(row);
	if (!filter)
		return err_set(err, -ENOMEM, "cannot make a filter of system calls");
	for (size_t i = 0; i < row->n_calls; i++) {
		const struct role_call *call = &row->calls[i];
		int r = call->number >= 0 ? allow(filter, call) : 0;
		if (r < 0)
			return err_set(err, r, "cannot allow the system call %s: %s", call->name,
			        strerror(-r));
	}
	int r = seccomp_load(filter);
	if (r < 0)
		return err_set(err, r, "cannot enter the filter of system calls: %s", strerror(-r));
	return 0;
}
