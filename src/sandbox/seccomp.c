/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
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

/* Allow one call, once for every value that a restricted argument may have. */
static int allow(scmp_filter_ctx filter, const struct role_call *call)
{
	static const int fd_commands[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL };
	int r = 0;
	switch (call->limit) {
	case CALL_ANY: return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call->number, 0);
	case CALL_NO_PATH:
		return allow_if(filter, call,
		        (struct scmp_arg_cmp){
		                3, SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH });
	case CALL_NO_EXEC:
		return allow_if(
		        filter, call, (struct scmp_arg_cmp){ 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 });
	case CALL_OWN_SIGNAL:
		return allow_if(filter, call,
		        (struct scmp_arg_cmp){ 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 });
	case CALL_FD_FLAGS:
		for (size_t i = 0; r == 0 && i < sizeof(fd_commands) / sizeof(fd_commands[0]); i++)
			r = allow_if(filter, call,
			        (struct scmp_arg_cmp){
			                1, SCMP_CMP_EQ, (scmp_datum_t)fd_commands[i], 0 });
		return r;
	}
	return -EINVAL;
}

int seccomp_enter(const struct role_row *row, struct err *err)
{
	/* Kernels before 4.14 can only kill the thread: the same, in a process that has one. */
	cleanup(releasep) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		filter = seccomp_init(SCMP_ACT_KILL);
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
