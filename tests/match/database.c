/* SPDX-License-Identifier: Apache-2.0 */
#include "database.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"

#define PATHS_MAX 16

void database_init(struct database *database)
{
	*database = (struct database){ .dir = "/tmp/sonde-match-XXXXXX" };
	assert_non_null(mkdtemp(database->dir));
}

void database_write(struct database *database, const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/in/%s", database->dir, name);
	str dir = str_dirname(str_from_c(path));
	char folder[256];
	snprintf(folder, sizeof(folder), STR_FMT, STR_ARG(dir));
	assert_int_equal(fs_make_dirs(folder, 0755, NULL), 0);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

void database_open_from(struct database *database, const char *const *paths, size_t n_paths)
{
	struct import_listener listener = { .ctx = NULL };
	struct err err = { 0 };
	char feeds[128], db[128];

	snprintf(feeds, sizeof(feeds), "%s/feeds", database->dir);
	snprintf(db, sizeof(db), "%s/db", database->dir);
	if (feed_import(paths, n_paths, feeds, 0, &listener, &err) < 0 ||
	        vulndb_build(feeds, db, 0, &listener, &err) < 0 ||
	        vulndb_open(db, &database->db, &err) < 0)
		fail_msg("%s", err.text);
}

/* Each ecosystem's folder is a source of its own, as in what is published; the rest is one path. */
void database_open(struct database *database)
{
	static char paths[PATHS_MAX][400];
	const char *list[PATHS_MAX];
	size_t n = 0;
	char osv[128];

	snprintf(osv, sizeof(osv), "%s/in/osv", database->dir);
	DIR *dir = opendir(osv);
	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		assert_true(n + 2 < PATHS_MAX);
		if (entry->d_name[0] == '.')
			continue;
		snprintf(paths[n], sizeof(paths[n]), "%s/%s", osv, entry->d_name);
		list[n] = paths[n];
		n++;
	}
	closedir(dir);
	snprintf(paths[n], sizeof(paths[n]), "%s/in/tables", database->dir);
	list[n] = paths[n];
	n += access(paths[n], F_OK) == 0;
	database_open_from(database, list, n);
}

void database_fini(struct database *database)
{
	vulndb_close(database->db);
	assert_int_equal(fs_remove_tree(AT_FDCWD, database->dir), 0);
}
