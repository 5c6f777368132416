/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One case per folder of tests/fixtures/inventory/<reader>/: `root/` is a small host, `expected`
 * what that reader says of it (see tree.h), `ORIGIN` who wrote the case and after which format.
 *
 *   test_readers <reader> <case folder>       compares; rewrites where SONDE_UPDATE is 1
 *   test_readers <reader> <folder> <case>...  are these all its cases, and of all kinds?
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "tree.h"

/* Prints where two texts part. */
static void show_difference(str expected, str got)
{
	for (unsigned n = 1; expected.n > 0 || got.n > 0; n++) {
		str a = { "(end)", 5 }, b = { "(end)", 5 };
		(void)str_next_line(&expected, &a);
		(void)str_next_line(&got, &b);
		if (str_eq(a, b))
			continue;
		printf("line %u\n- " STR_FMT "\n+ " STR_FMT "\n", n, STR_ARG(a), STR_ARG(b));
		return;
	}
}

static bool has_file(int dir_fd, const char *name)
{
	struct stat st;
	return fstatat(dir_fd, name, &st, 0) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}

static int run_case(const char *reader, const char *folder)
{
	autofree char *root = NULL;
	struct err err = { 0 };
	autoclose int dir_fd = fs_open_dir(folder, false, &err);
	if (dir_fd < 0 || asprintf(&root, "%s/root", folder) < 0)
		return printf("%s\n", err.text), EXIT_FAILURE;

	struct tree tree = TREE;
	autobuf got = BUF((size_t)64 << 20);
	autobuf expected = BUF((size_t)64 << 20);
	int r = tree_scan(&tree, root, reader, NULL);
	tree_print(&tree, &got);
	size_t n_artefacts = tree.n_artefacts;
	tree_fini(&tree);
	if (r != 0 || buf_failed(&got))
		return printf("%s: cannot be scanned\n", root), EXIT_FAILURE;
	if (n_artefacts == 0)
		return printf("%s: holds no file for this reader\n", root), EXIT_FAILURE;
	if (!has_file(dir_fd, "ORIGIN"))
		return printf("%s: ORIGIN is missing\n", folder), EXIT_FAILURE;

	const char *update = getenv("SONDE_UPDATE");
	if (update && strcmp(update, "1") == 0)
		r = fs_replace(dir_fd, "expected", buf_str(&got), 0644, &err);
	if (r != 0 || fs_read(dir_fd, "expected", &expected, &err) != 0)
		return printf("%s\n", err.text), EXIT_FAILURE;
	if (str_eq(buf_str(&expected), buf_str(&got)))
		return EXIT_SUCCESS;
	printf("%s: differs\n", folder);
	show_difference(buf_str(&expected), buf_str(&got));
	return EXIT_FAILURE;
}

/* Which kinds of line an expected file has. */
struct kinds {
	bool package, note, error;
};

static int look_at(int dir_fd, const char *name, struct kinds *kinds)
{
	char path[512];
	struct err err = { 0 };
	autobuf text = BUF((size_t)64 << 20);
	(void)snprintf(path, sizeof(path), "%s/expected", name);
	if (fs_read(dir_fd, path, &text, &err) != 0)
		return printf("%s\n", err.text), EXIT_FAILURE;
	str rest = buf_str(&text);
	struct kinds here = { 0 };
	for (str line; str_next_line(&rest, &line);) {
		bool note = str_has_prefix(line, STR("note "));
		bool error = str_has_prefix(line, STR("error "));
		here.note |= note;
		here.error |= error;
		here.package |= !note && !error && !str_has_prefix(line, STR("owned ")) &&
		                !str_has_prefix(line, STR("skip "));
	}
	kinds->package |= here.package && !here.error;
	kinds->note |= here.note || (here.error && here.package);
	kinds->error |= here.error && !here.package;
	return EXIT_SUCCESS;
}

/* A row is proved by a case that is read, one that is damaged and one that is not the format. */
static int check_cases(const char *reader, const char *folder, char **cases, int n)
{
	struct err err = { 0 };
	struct kinds kinds = { 0 };
	int count = 0, r = EXIT_SUCCESS;
	autoclose int dir_fd = fs_open_dir(folder, false, &err);
	DIR *dir = dir_fd < 0 ? NULL : opendir(folder);
	if (!dir)
		return printf("%s: the row has no cases\n", reader), EXIT_FAILURE;
	for (struct dirent *d; (d = readdir(dir)) != NULL;) {
		bool known = d->d_name[0] == '.';
		for (int i = 0; i < n; i++)
			known = known || strcmp(cases[i], d->d_name) == 0;
		if (!known) {
			printf("%s/%s: new case; run `meson setup --reconfigure`\n", folder,
			        d->d_name);
			r = EXIT_FAILURE;
		}
		count += d->d_name[0] != '.';
	}
	(void)closedir(dir);
	for (int i = 0; i < n && r == EXIT_SUCCESS; i++)
		r = look_at(dir_fd, cases[i], &kinds);
	printf("%s: %d cases; read: %d, damaged: %d, not the format: %d\n", reader, count,
	        kinds.package, kinds.note, kinds.error);
	return r == EXIT_SUCCESS && count >= 3 && kinds.package && kinds.note && kinds.error
	               ? EXIT_SUCCESS
	               : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return run_case(argv[1], argv[2]);
	if (argc > 3)
		return check_cases(argv[1], argv[2], argv + 3, argc - 3);
	printf("usage: test_readers READER CASE | READER FOLDER CASE...\n");
	return 2;
}
