/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Sandbox: what each process of Sonde may do. One row per role in roles.c; docs/privileges.md is
 * the page.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/** The processes. */
enum role {
	ROLE_SUPERVISOR, /* the agent: starts the others; hears of servers only what they checked */
	ROLE_POLLER,     /* the agent's: waits for messages through a sonde-net of its own */
	ROLE_PARSER,     /* reads descriptors it is given and talks on one socket; opens nothing */
	ROLE_WALKER,     /* walks and opens files for parsers; reads whatever its root may read */
	ROLE_NET,    /* sonde-net: speaks to servers; reads certificates and the resolver's files */
	ROLE_READER, /* reads one text of a server that it has in its memory; opens nothing */
	ROLE_VERIFIER, /* sonde-net, asked whether a signature is genuine; opens nothing */
	ROLE_COUNT,
};

/** How a call's arguments are restricted. */
enum call_limit {
	CALL_ANY,        /* not */
	CALL_NO_PATH,    /* fstatat with AT_EMPTY_PATH: of a descriptor */
	CALL_NO_EXEC,    /* memory that is not executable */
	CALL_FD_FLAGS,   /* fcntl: a descriptor's flags only */
	CALL_OWN_SIGNAL, /* tgkill: this process only */
	CALL_READ_ONLY,  /* open, openat: for reading only, making nothing */
	CALL_NO_WX,      /* mmap: memory that is not both writable and executable */
	CALL_INTERNET,   /* socket: IPv4, IPv6, and asking the kernel for routes */
	CALL_THREAD,     /* clone: a thread of this process only */
	CALL_ABSENT,    /* fails with ENOSYS, as in an older kernel; then something older is used */
	CALL_READABLE,  /* ioctl: how much can be read, and whether to block */
	CALL_ASK_LIMIT, /* prlimit64: asking only */
	CALL_REFUSED,   /* fails with EPERM */
};

/** What a call that is not in a role's row comes to. */
enum call_other {
	OTHER_KILLS,  /* the process */
	OTHER_FAILS,  /* with EPERM: for a role whose libraries differ from system to system */
	OTHER_PASSES, /* the row lists what is refused: for a role that makes other processes, whose
	                 calls it could not name */
};

/** One system call that a role may make. */
struct role_call {
	int number; /* as libseccomp has it: negative on a machine that lacks the call */
	const char *name;
	enum call_limit limit;
	const char *why;
};

/** One role: the row of a table. All texts are static. */
struct role_row {
	enum role role;
	const char *name, *does;
	const char *user, *files, *network; /* for people */
	uint64_t memory_bytes;              /* address space; 0: no limit */
	unsigned n_descriptors;             /* 0: no limit */
	bool stays;                         /* who it is, with `keeps` at most */
	bool starts_programs; /* which its filter holds as well; no Landlock and no other limits */
	bool has_threads;     /* else it can make neither processes nor threads */
	uint64_t keeps;       /* capabilities, if it was root: 1 << CAP_DAC_READ_SEARCH */
	bool has_network;     /* it may connect, but not listen; else there is none at all */
	enum call_other other;
	const char *const *readable; /* files and folders below which it may read; NULL-terminated
	                                or NULL. Only Landlock can hold it to them */
	const struct role_call *calls;
	size_t n_calls;
};

/** What one process is granted beside its role's row. */
struct sandbox_grant {
	uint64_t file_bytes;         /* how long a file may grow by its writing; 0: not at all */
	const char *const *readable; /* more of `readable`; NULL-terminated or NULL */
};

/** The row of a role. Static. */
const struct role_row *sandbox_role(enum role role);

/** The name of a capability in `keeps`: "CAP_KILL"; NULL for one that no role keeps. Static. */
const char *sandbox_capability_name(unsigned capability);

/** Add the tables of docs/privileges.md, which are these rows, as Markdown. */
void sandbox_write_page(struct buf *out);

/** What a restriction means, for people; empty for CALL_ANY. Static. */
const char *sandbox_limit_text(enum call_limit limit);

/** Is this a build in which the filter works? False under a sanitizer. */
bool sandbox_has_filter(void);

/**
 * Give up what needs no role: root, all groups and capabilities, and the right to win a privilege
 * by starting a program. For what a process does before it can enter; sandbox_enter() does it too.
 *
 * Returns: as sandbox_enter()
 */
int sandbox_drop(struct err *err);

/**
 * Give up everything that the role does not need; there is no way back.
 *
 * As root the process first becomes nobody, without a group and without a capability; where a user
 * namespace knows no nobody, it stays the namespace's root without a capability. Then, as any user:
 * no new privileges, no core dump, no tracing, no children, no file growth, no file but the row's
 * where the kernel has Landlock, death with the thread that made the process, and a seccomp filter
 * that refuses any call that is not in the role's row. A supervisor stays who it is, with fewer
 * capabilities and its filter, and everything that it starts inherits both. A build with a
 * sanitizer leaves out the
 * filter and the limits on memory, tracing and children, because the sanitizer's own reporting
 * needs them.
 *
 * Out:     err  what could not be given up, and why
 * Returns: 0; -EPERM, -ENOSYS, -EINVAL and other -errno, for example where a container's own filter
 * refuses: nothing may be parsed after a failure Threads: before any other thread of this process
 * exists
 */
int sandbox_enter(enum role role, struct err *err);

/**
 * The same, with something granted beside the role's row.
 *
 * In:      grant  borrows; NULL: nothing
 */
int sandbox_enter_with(enum role role, const struct sandbox_grant *grant, struct err *err);
