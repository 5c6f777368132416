/* SPDX-License-Identifier: Apache-2.0 */
#include "server/details.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "vulndb/vulndb.h"

struct details {
	pthread_mutex_t lock; /* of everything below */
	const char *db_dir;
	struct vulndb *db;    /* NULL: not open */
	struct stat manifest; /* of the manifest that `db` was opened with */
};

int details_open(const char *db_dir, struct details **ret)
{
	struct details *details = calloc(1, sizeof(*details));
	if (!details)
		return -ENOMEM;
	details->db_dir = db_dir;
	if (pthread_mutex_init(&details->lock, NULL) != 0) {
		free(details);
		return -ENOMEM;
	}
	*ret = details;
	return 0;
}

void details_close(struct details *details)
{
	if (!details)
		return;
	vulndb_close(details->db);
	(void)pthread_mutex_destroy(&details->lock);
	free(details);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The manifest is replaced by rename, so that another file is another database. Locked. */
static int refresh(struct details *details, struct err *err)
{
	char path[4096];
	struct stat now;
	int n = snprintf(path, sizeof(path), "%s/manifest.json", details->db_dir);
	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, -ENAMETOOLONG, "%.100s...: too long", details->db_dir);
	if (stat(path, &now) < 0)
		return err_set(err, -errno, "%s: no vulnerability database", path);
	if (details->db && is_same(&now, &details->manifest))
		return 0;
	struct vulndb *fresh = NULL;
	int r = vulndb_open(details->db_dir, &fresh, err);
	if (r < 0)
		return r;
	vulndb_close(details->db);
	details->db = fresh;
	details->manifest = now;
	return 0;
}

int details_record(struct details *details, str source, str id, struct arena *arena,
        struct advisory *ret, struct err *err)
{
	(void)pthread_mutex_lock(&details->lock);
	int r = refresh(details, err);
	if (r == 0)
		r = vulndb_record(details->db, source, id, arena, ret, err);
	(void)pthread_mutex_unlock(&details->lock);
	return r;
}

/* Records of its own id first: they tell most of it. */
static int read_records(struct details *details, str id, struct arena *arena,
        struct vulnerability_details *ret, struct err *err)
{
	const struct advisory *named;
	size_t n;
	int r = vulndb_naming(details->db, id, arena, &named, &n, err);
	struct advisory *records = r < 0 ? NULL : arena_alloc(arena, n + 1, sizeof(*records));
	if (r < 0)
		return r;
	if (!records)
		return err_set(err, -ERR_LIMIT, "too many records name it");
	for (int is_own = 1; is_own >= 0; is_own--) {
		for (size_t i = 0; i < n; i++) {
			struct advisory *record = &records[ret->n_records];
			if ((int)str_eq(named[i].id, id) != is_own)
				continue;
			r = vulndb_record(
			        details->db, named[i].source, named[i].id, arena, record, err);
			if (r < 0)
				return r;
			ret->n_records++;
		}
	}
	ret->records = records;
	return 0;
}

int details_of(struct details *details, str id, struct arena *arena,
        struct vulnerability_details *ret, struct err *err)
{
	struct vulnerability_details found = { .epss = -1 };
	(void)pthread_mutex_lock(&details->lock);
	int r = refresh(details, err);
	if (r == 0)
		r = read_records(details, id, arena, &found, err);
	if (r == 0) {
		r = vulndb_epss(details->db, id, &found.epss, err);
		r = r == -ENOENT ? 0 : r;
	}
	if (r == 0) {
		r = vulndb_kev_added(details->db, id, &found.kev_day, err);
		found.is_kev = r > 0;
	}
	(void)pthread_mutex_unlock(&details->lock);
	if (r < 0)
		return r;
	*ret = found;
	return 0;
}
