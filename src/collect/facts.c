/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "walk/walk.h"

/* Largest os-release or machine-id that is read: real ones have under 1 KiB. */
#define FACT_BYTES ((size_t)64 << 10)

/* The start of a small regular file inside the root; false when there is none. */
static bool read_fact(int root_fd, const char *path, struct buf *out)
{
	autoclose int fd = walk_open_in_root(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	buf_clear(out);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	char *at = buf_reserve(out, FACT_BYTES);
	ssize_t n = at ? pread(fd, at, FACT_BYTES, 0) : -1;
	out->n = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static bool is_running_root(int root_fd)
{
	struct stat here, running;
	return fstat(root_fd, &here) == 0 && stat("/", &running) == 0 &&
	       here.st_dev == running.st_dev && here.st_ino == running.st_ino;
}

int facts_read(int root_fd, const char *root, struct arena *arena, struct host *ret)
{
	struct host host = { .root = { NULL, 0 } };
	autobuf text = BUF(FACT_BYTES);
	int r = arena_copy(arena, str_from_c(root), &host.root);

	bool found = read_fact(root_fd, "/etc/os-release", &text) ||
	             read_fact(root_fd, "/usr/lib/os-release", &text);
	if (found && r >= 0)
		r = host_read_os_release(&host, buf_str(&text), arena);
	if (r >= 0 && read_fact(root_fd, "/etc/machine-id", &text))
		r = arena_copy(arena, str_head(str_trim(buf_str(&text)), 64), &host.machine_id);

	struct utsname name;
	if (r >= 0 && is_running_root(root_fd) && uname(&name) == 0) {
		r = arena_copy(arena, str_from_c(name.nodename), &host.hostname);
		if (r >= 0)
			r = arena_copy(arena, str_from_c(name.release), &host.kernel);
		if (r >= 0)
			r = arena_copy(arena, str_from_c(name.machine), &host.arch);
	}
	if (r >= 0)
		*ret = host;
	return r;
}
