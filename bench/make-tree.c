/* SPDX-License-Identifier: Apache-2.0 */
/*
 * make-tree: makes a tree of files for benchmarks, the same for the same arguments on any machine.
 *
 * Usage: make-tree DIR [--files N] [--seed N] [--depth N] [--node PCT] [--python PCT]
 *
 * Of the files, a share lies in folders as npm makes them (node_modules/NAME with a package.json),
 * and a share in folders as pip makes them (site-packages/NAME and NAME-VERSION.dist-info with
 * METADATA, RECORD and WHEEL); the rest are plain files in a plain tree. Only metadata has content.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/str.h"

struct maker {
	uint64_t state; /* of the random numbers */
	uint64_t n_left;
	uint64_t depth, node_pct, python_pct;
	uint64_t n_packages;
};

/* splitmix64 (Steele, Lea, Flood 2014): small, and the same everywhere. */
static uint64_t next(struct maker *maker, uint64_t below)
{
	uint64_t z = maker->state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (z ^ (z >> 31)) % below;
}

static void stop(const char *what, const char *path)
{
	(void)fprintf(stderr, "make-tree: %s %s: %s\n", what, path, strerror(errno));
	exit(1);
}

static int enter(int dir, const char *name)
{
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		stop("cannot make", name);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		stop("cannot open", name);
	return fd;
}

static void put(struct maker *maker, int dir, const char *name, const char *content)
{
	if (maker->n_left == 0)
		return;
	autoclose int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t n = strlen(content);
	if (fd < 0 || write(fd, content, n) != (ssize_t)n)
		stop("cannot write", name);
	maker->n_left--;
}

/* Some files without content, in one folder or two. */
static void put_plain(struct maker *maker, int dir, const char *suffix, uint64_t n)
{
	char name[64];
	autoclose int inner = n > 8 ? enter(dir, "lib") : -1;
	for (uint64_t i = 0; i < n; i++) {
		(void)snprintf(name, sizeof(name), "%c%06x%s", (int)('a' + next(maker, 26)),
		        (unsigned)next(maker, 1u << 24), suffix);
		put(maker, inner >= 0 && i % 2 ? inner : dir, name, "");
	}
}

static void put_node(struct maker *maker, int dir)
{
	char name[64], text[256];
	autoclose int modules = enter(dir, "node_modules");
	for (uint64_t n = 1 + next(maker, 30); n > 0 && maker->n_left > 0; n--) {
		(void)snprintf(name, sizeof(name), "package-%06u", (unsigned)maker->n_packages++);
		(void)snprintf(text, sizeof(text),
		        "{\"name\":\"%s\",\"version\":\"%u.%u.%u\",\"license\":\"MIT\"}\n", name,
		        (unsigned)next(maker, 20), (unsigned)next(maker, 20),
		        (unsigned)next(maker, 20));
		autoclose int package = enter(modules, name);
		put(maker, package, "package.json", text);
		put_plain(maker, package, ".js", next(maker, 24));
	}
}

static void put_python(struct maker *maker, int dir)
{
	char name[64], folder[128], text[512];
	autoclose int site = enter(dir, "site-packages");
	for (uint64_t n = 1 + next(maker, 15); n > 0 && maker->n_left > 0; n--) {
		unsigned version = (unsigned)next(maker, 100);
		(void)snprintf(name, sizeof(name), "module_%06u", (unsigned)maker->n_packages++);
		autoclose int package = enter(site, name);
		put(maker, package, "__init__.py", "");
		put_plain(maker, package, ".py", next(maker, 40));
		(void)snprintf(folder, sizeof(folder), "%s-1.%u.dist-info", name, version);
		autoclose int info = enter(site, folder);
		(void)snprintf(text, sizeof(text),
		        "Metadata-Version: 2.1\nName: %s\nVersion: 1.%u\nLicense: "
		        "MIT\n\nNothing.\n",
		        name, version);
		put(maker, info, "METADATA", text);
		(void)snprintf(
		        text, sizeof(text), "%s/__init__.py,,0\n%s/METADATA,,\n", name, folder);
		put(maker, info, "RECORD", text);
		put(maker, info, "WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n");
	}
}

/* One branch of the tree: some folders down, files on the way, packages at the end. */
static void put_branch(struct maker *maker, int top)
{
	char name[64];
	int at = dup(top);
	for (uint64_t n = next(maker, maker->depth + 1); at >= 0 && n > 0; n--) {
		(void)snprintf(name, sizeof(name), "dir-%02u", (unsigned)next(maker, 24));
		int below = enter(at, name);
		(void)close(at);
		at = below;
		if (next(maker, 4) == 0)
			put_plain(maker, at, ".dat", next(maker, 6));
	}
	if (at < 0)
		stop("cannot open", "a folder again");
	uint64_t kind = next(maker, 100);
	if (kind < maker->node_pct)
		put_node(maker, at);
	else if (kind < maker->node_pct + maker->python_pct)
		put_python(maker, at);
	else
		put_plain(maker, at, ".bin", next(maker, 60));
	(void)close(at);
}

int main(int argc, char **argv)
{
	uint64_t n_files = 100000, seed = 1;
	struct maker maker = { .depth = 6, .node_pct = 15, .python_pct = 10 };
	const struct {
		const char *name;
		uint64_t *value, max;
	} options[] = {
		{ "--files", &n_files, 100000000 },
		{ "--seed", &seed, UINT64_MAX },
		{ "--depth", &maker.depth, 500 },
		{ "--node", &maker.node_pct, 100 },
		{ "--python", &maker.python_pct, 100 },
	};
	bool is_good = argc >= 2 && argc % 2 == 0 && argv[1][0] != '-';
	for (int i = 2; is_good && i < argc; i += 2) {
		bool is_known = false;
		for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
			if (strcmp(argv[i], options[k].name) == 0)
				is_known = str_to_u64(
				        str_from_c(argv[i + 1]), options[k].max, options[k].value);
		}
		is_good = is_known;
	}
	if (!is_good) {
		(void)fprintf(stderr, "usage: make-tree DIR [--files N] [--seed N] [--depth N] "
		                      "[--node PCT] [--python PCT]\n");
		return 2;
	}
	struct err err = { 0 };
	autoclose int top = fs_open_dir(argv[1], true, &err);
	if (top < 0) {
		(void)fprintf(stderr, "make-tree: %s\n", err.text);
		return 1;
	}
	maker.state = seed;
	for (maker.n_left = n_files; maker.n_left > 0;)
		put_branch(&maker, top);
	return 0;
}
