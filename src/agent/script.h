/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * script: runs one program with a limit on its time and on what is kept of its output, and leaves
 * nothing of it running.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/** What is kept of standard output and standard error, in bytes, and of both in a reply. */
#define SCRIPT_STDOUT_MAX 24000u
#define SCRIPT_STDERR_MAX 8000u
#define SCRIPT_OUTPUT_MAX 2500u
/** What a cut text ends with. */
#define SCRIPT_CUT "\n--output truncated--"

/** How a script ended. */
enum script_end {
	SCRIPT_EXITED,
	SCRIPT_KILLED, /* by a signal that was not ours */
	SCRIPT_TIMED_OUT,
	SCRIPT_CANCELLED,
};

/** What to run. Borrows. */
struct script {
	const char *const *argv; /* argv[0] is a path; NULL-terminated */
	const char *const *envp; /* NULL-terminated */
	const char *folder;      /* where; NULL: the folder of this process */
	uint64_t timeout_s;
	/** Asked every now and then; true: end it. May be NULL. */
	bool (*is_cancelled)(void *ctx);
	void *ctx;
};

/** What came of it. Zero-initialise; release with script_result_fini(). */
struct script_result {
	enum script_end end;
	int code; /* exit code; 137 when it was killed by us, 128 + signal otherwise */
	struct buf out, err;
};

/**
 * Run a program in a process group of its own, and wait for it. At the time-out, when it is
 * cancelled, and when it ended but left processes in its group behind, the group is killed.
 *
 * Out:     ret  texts are UTF-8, cut to their limits with SCRIPT_CUT at the end
 * Returns: 0; -errno when it could not be started
 */
int script_run(const struct script *script, struct script_result *ret, struct err *err);

/** Release. */
void script_result_fini(struct script_result *result);

/**
 * Add a text, made UTF-8 and without NUL, cut so that it has at most `most` bytes with its mark.
 *
 * In:      is_cut  it was longer before already
 */
void script_add_cut(struct buf *out, str text, size_t most, bool is_cut);
