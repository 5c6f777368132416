/* SPDX-License-Identifier: Apache-2.0 */
#include "walk/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define WAIT_MS 120000

static void init_at(struct tree *tree, const char *folder)
{
	(void)snprintf(tree->path, sizeof(tree->path), "%s/walk-XXXXXX", folder);
	assert_non_null(mkdtemp(tree->path));
	assert_int_equal(chmod(tree->path, 0755), 0);
	tree->fd = open(tree->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(tree->fd >= 0);
}

void tree_init(struct tree *tree)
{
	const char *tmp = getenv("TMPDIR");
	init_at(tree, tmp ? tmp : "/tmp");
}

void tree_init_large(struct tree *tree)
{
	if (access("/dev/shm", R_OK | W_OK | X_OK) == 0)
		init_at(tree, "/dev/shm");
	else
		tree_init(tree);
}

void tree_fini(struct tree *tree)
{
	/* Not fs_remove_tree(): some of these trees are deeper than it goes. */
	int status = 0;
	(void)close(tree->fd);
	pid_t pid = fork();
	if (pid == 0) {
		(void)execlp("rm", "rm", "-rf", "--", tree->path, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

const char *tree_at(const struct tree *tree, const char *path)
{
	static char buffers[8][8192];
	static unsigned turn;
	char *p = buffers[turn++ % 8];
	(void)snprintf(p, sizeof(buffers[0]), "%s/%s", tree->path, path);
	return p;
}

/* Make the folders of a path, and return the last one opened: paths may be longer than PATH_MAX. */
static int make_dirs(const struct tree *tree, str path)
{
	int at = dup(tree->fd);
	while (path.n > 0) {
		char name[256];
		str part;
		if (!str_split_first(path, '/', &part, &path)) {
			part = path;
			path = (str){ NULL, 0 };
		}
		if (part.n == 0)
			continue;
		assert_true(part.n < sizeof(name));
		memcpy(name, part.p, part.n);
		name[part.n] = '\0';
		assert_true(mkdirat(at, name, 0755) == 0 || errno == EEXIST);
		int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(at);
		at = next;
	}
	return at;
}

void tree_dir(const struct tree *tree, const char *path)
{
	(void)close(make_dirs(tree, str_from_c(path)));
}

void tree_file(const struct tree *tree, const char *path)
{
	autoclose int dir = make_dirs(tree, str_dirname(str_from_c(path)));
	const char *slash = strrchr(path, '/');
	autoclose int fd = openat(
	        dir, slash ? slash + 1 : path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "12345", 5), 5);
}

void tree_link(const struct tree *tree, const char *target, const char *path)
{
	autoclose int dir = make_dirs(tree, str_dirname(str_from_c(path)));
	const char *slash = strrchr(path, '/');
	assert_int_equal(symlinkat(target, dir, slash ? slash + 1 : path), 0);
}

static int want_wanted(void *ctx, str dir, str name)
{
	(void)ctx;
	(void)dir;
	return str_eq(name, STR(WANTED)) ? 7 : -1;
}

static void add(char ***list, size_t *n, char *text)
{
	*list = realloc(*list, (*n + 1) * sizeof(**list));
	assert_non_null(*list);
	assert_non_null(text);
	(*list)[(*n)++] = text;
}

static void on_skip(void *ctx, enum walk_skip kind, str path, str reason)
{
	struct outcome *outcome = ctx;
	char *text = NULL;
	if (asprintf(&text, "%s " STR_FMT ": " STR_FMT,
	            kind == WALK_SKIP_FAILURE ? "failure" : "policy", STR_ARG(path),
	            STR_ARG(reason)) < 0)
		abort();
	add(&outcome->skips, &outcome->n_skips, text);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void outcome_run(struct outcome *outcome, const struct tree *tree, struct walk_options options)
{
	static const struct walk_root whole = { .path = "/", .is_named = true };
	struct walk *walk = NULL;
	struct walk_file *file = NULL;
	struct err err = { 0 };
	*outcome = (struct outcome){ 0 };
	options.root_fd = tree->fd;
	if (!options.roots) {
		options.roots = &whole;
		options.n_roots = 1;
	}
	if (!options.want)
		options.want = want_wanted;
	if (!options.ctx)
		options.ctx = outcome;
	if (!options.skip)
		options.skip = on_skip;
	assert_int_equal(walk_start(&options, &walk, &err), 0);
	for (int r; (r = walk_next(walk, &file)) != 0;) {
		struct pollfd pollfd = { walk_fd(walk), POLLIN, 0 };
		if (r == -EAGAIN) {
			assert_int_equal(poll(&pollfd, 1, WAIT_MS), 1);
			continue;
		}
		assert_int_equal(r, 1);
		add(&outcome->files, &outcome->n_files, strndup(file->path.p, file->path.n));
		walk_file_free(file);
	}
	outcome->stats = walk_stats(walk);
	walk_free(walk);
	if (outcome->n_files > 0)
		qsort(outcome->files, outcome->n_files, sizeof(char *), compare);
	if (outcome->n_skips > 0)
		qsort(outcome->skips, outcome->n_skips, sizeof(char *), compare);
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void outcome_fini(struct outcome *outcome)
{
	free_list(outcome->files, outcome->n_files);
	free_list(outcome->skips, outcome->n_skips);
}

static bool has_lines(char *const *list, size_t n, const char *lines)
{
	str rest = str_from_c(lines), line;
	size_t i = 0;
	for (; str_next_line(&rest, &line); i++) {
		if (i >= n || !str_eq(str_from_c(list[i]), line))
			break;
	}
	if (i == n && rest.n == 0)
		return true;
	for (size_t k = 0; k < n; k++)
		print_message("got: %s\n", list[k]);
	print_message("expected:\n%s", lines);
	return false;
}

bool outcome_has_files(const struct outcome *outcome, const char *lines)
{
	return has_lines(outcome->files, outcome->n_files, lines);
}

bool outcome_has_skips(const struct outcome *outcome, const char *lines)
{
	return has_lines(outcome->skips, outcome->n_skips, lines);
}

void assert_walk(
        const struct tree *tree, struct walk_options options, const char *files, const char *skips)
{
	struct outcome outcome;
	outcome_run(&outcome, tree, options);
	assert_true(outcome_has_files(&outcome, files));
	assert_true(outcome_has_skips(&outcome, skips));
	outcome_fini(&outcome);
}

int run_in_child(bool (*fn)(void *ctx), void *ctx)
{
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		bool is_good = fn(ctx);
		(void)fflush(NULL);
		_exit(is_good ? 0 : 1);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

bool may_mount(void)
{
	static int answer = -1;
	if (answer < 0)
		answer = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
		         mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (!answer)
		print_message("skipped: the right to mount (root)\n");
	return answer;
}

bool hide_openat2(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool is_done = filter &&
	               seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SYS_openat2, 0) == 0 &&
	               seccomp_load(filter) == 0;
	seccomp_release(filter);
	return is_done && syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS;
}
