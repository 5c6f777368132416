/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collect/pool.h"
#include "inventory/inventory.h"

#define N_FILES 3

struct heard {
	char text[4096];
	unsigned n_done;
};

static int on_package(void *ctx, const struct walk_file *file, const struct package *pkg)
{
	struct heard *h = ctx;
	size_t n = strlen(h->text);
	(void)file;
	snprintf(h->text + n, sizeof(h->text) - n, STR_FMT " " STR_FMT " " STR_FMT "\n",
	        STR_ARG(pkg->name), STR_ARG(pkg->version), STR_ARG(pkg->path));
	return 0;
}

static int on_note(void *ctx, const struct walk_file *file, uint64_t where, str what)
{
	(void)ctx, (void)file, (void)where, (void)what;
	return 0;
}

static int on_skip(void *ctx, const struct walk_file *file, str why)
{
	(void)ctx, (void)file, (void)why;
	return 0;
}

static int on_owned(void *ctx, str owner, str path)
{
	(void)ctx, (void)owner, (void)path;
	return 0;
}

static int on_done(void *ctx, const struct walk_file *file, int code, str sentence)
{
	struct heard *h = ctx;
	size_t n = strlen(h->text);
	(void)file;
	h->n_done++;
	if (code < 0)
		snprintf(h->text + n, sizeof(h->text) - n, "! " STR_FMT "\n", STR_ARG(sentence));
	return 0;
}

static int want(void *ctx, str dir, str name)
{
	(void)ctx;
	return inventory_select(dir, name);
}

static void skip_none(void *ctx, enum walk_skip kind, str path, str reason)
{
	(void)ctx, (void)kind, (void)path, (void)reason;
}

struct tree {
	char root[64];
	int fd;
	struct walk *walk;
};

static void tree_make(struct tree *tree)
{
	strcpy(tree->root, "/tmp/sonde-pool-XXXXXX");
	assert_non_null(mkdtemp(tree->root));
	for (int i = 0; i < N_FILES; i++) {
		char path[256];
		snprintf(path, sizeof(path), "%s/p%d.dist-info", tree->root, i);
		assert_int_equal(mkdir(path, 0755), 0);
		strcat(path, "/METADATA");
		FILE *f = fopen(path, "we");
		fprintf(f, "Metadata-Version: 2.1\nName: p%d\nVersion: 1.%d\n\n", i, i);
		fclose(f);
	}
	tree->fd = open(tree->root, O_RDONLY | O_DIRECTORY);
}

static void tree_walk(struct tree *tree)
{
	struct walk_root root = { .path = "/", .is_named = true };
	struct walk_options options = { .root_fd = tree->fd,
		.roots = &root,
		.n_roots = 1,
		.n_threads = 1,
		.want = want,
		.skip = skip_none };
	assert_int_equal(walk_start(&options, &tree->walk, NULL), 0);
}

static struct walk_file *tree_next(struct tree *tree)
{
	struct walk_file *file = NULL;
	int r;
	while ((r = walk_next(tree->walk, &file)) == -EAGAIN) {
		struct pollfd p = { .fd = walk_fd(tree->walk), .events = POLLIN };
		assert_true(poll(&p, 1, 10000) == 1);
	}
	return r == 1 ? file : NULL;
}

static void tree_free(struct tree *tree)
{
	char command[256];
	walk_free(tree->walk);
	close(tree->fd);
	snprintf(command, sizeof(command), "rm -rf %s", tree->root);
	assert_int_equal(system(command), 0);
}

/* Kill every child of this process: the parsers, as nothing else is running. */
static void kill_children(void)
{
	FILE *f = fopen("/proc/thread-self/children", "re");
	int pid;
	if (!f) {
		print_message("skipped: /proc/thread-self/children\n");
		skip();
	}
	while (fscanf(f, "%d", &pid) == 1)
		assert_int_equal(kill(pid, SIGKILL), 0);
	fclose(f);
}

static void give_and_wait(struct pool *pool, struct walk_file *file)
{
	assert_true(pool_has_room(pool));
	assert_int_equal(pool_give(pool, file), 0);
	while (pool_is_busy(pool))
		assert_int_equal(pool_turn(pool, -1, 10000), 0);
}

static void test_pool__reads_files_in_parsers(void **state)
{
	(void)state;
	struct heard heard = { .n_done = 0 };
	struct pool_listener listener = { on_package, on_note, on_skip, on_owned, on_done, &heard };
	struct pool *pool;
	struct tree tree;
	tree_make(&tree);
	assert_int_equal(pool_start(2, NULL, &listener, &pool, NULL), 0);
	tree_walk(&tree);
	for (struct walk_file *file; (file = tree_next(&tree));)
		give_and_wait(pool, file);
	assert_int_equal(heard.n_done, N_FILES);
	assert_non_null(strstr(heard.text, "p0 1.0 /p0.dist-info/METADATA\n"));
	assert_non_null(strstr(heard.text, "p2 1.2 /p2.dist-info/METADATA\n"));
	assert_null(strchr(heard.text, '!'));
	pool_free(pool);
	tree_free(&tree);
}

static void test_pool__a_killed_parser_costs_one_file_and_is_replaced(void **state)
{
	(void)state;
	struct heard heard = { .n_done = 0 };
	struct pool_listener listener = { on_package, on_note, on_skip, on_owned, on_done, &heard };
	struct pool *pool;
	struct tree tree;
	tree_make(&tree);
	assert_int_equal(pool_start(1, NULL, &listener, &pool, NULL), 0);
	tree_walk(&tree);
	kill_children();
	give_and_wait(pool, tree_next(&tree));
	assert_non_null(strstr(heard.text, "! the parser was killed by signal 9 on this file\n"));
	give_and_wait(pool, tree_next(&tree));
	give_and_wait(pool, tree_next(&tree));
	assert_int_equal(heard.n_done, N_FILES);
	assert_non_null(strstr(heard.text, ".dist-info/METADATA\n"));
	pool_free(pool);
	tree_free(&tree);
}

static void test_pool__end_with_work_under_way_leaves_nothing(void **state)
{
	(void)state;
	struct heard heard = { .n_done = 0 };
	struct pool_listener listener = { on_package, on_note, on_skip, on_owned, on_done, &heard };
	struct pool *pool;
	struct tree tree;
	tree_make(&tree);
	assert_int_equal(pool_start(1, NULL, &listener, &pool, NULL), 0);
	tree_walk(&tree);
	assert_int_equal(pool_give(pool, tree_next(&tree)), 0);
	pool_free(pool);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	tree_free(&tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool__reads_files_in_parsers),
		cmocka_unit_test(test_pool__a_killed_parser_costs_one_file_and_is_replaced),
		cmocka_unit_test(test_pool__end_with_work_under_way_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
