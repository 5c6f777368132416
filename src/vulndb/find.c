/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files below the given paths are feeds, and what each source is called:
 *
 *   X/PyPI/all.zip                            "X/PyPI", X being the last name of the folder above
 *   name.zip                                  "osv/name", if it holds OSV records
 *   given path with loose OSV records in it   "osv/" and the path's last name
 *   EPSS and KEV by their names or first bytes; of several issues the newest
 *
 * A JSON file is a record when its folder is one of records: when one of the first JSON files in it
 * looks like one. So a damaged record is counted as such, and other JSON is told as no feed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"
#include "vulndb/feed.h"
#include "vulndb/osv.h"

#define HEAD_BYTES ((size_t)64 << 10)
#define DEPTH_MAX 32u
#define FILES_MAX 4000000u
#define LOOKS_MAX 16u /* JSON files of a folder that are looked into */
#define IN_FUTURE "dated in the future: another issue is used"
#define AHEAD_MAX_S ((int64_t)2 * 24 * 60 * 60)

struct search {
	struct found_list *found;
	const struct import_listener *listener;
	const char *root; /* the given path, resolved */
	size_t n_files;
	struct err *err;
};

/* Names in one folder, sorted. */
struct names {
	char **items;
	size_t n, cap;
};

static void names_fini(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(names->items);
}

static void ignore(struct search *search, const char *path, const char *why)
{
	if (search->listener && search->listener->ignored)
		search->listener->ignored(search->listener->ctx, path, why);
}

static int out_of_memory(struct search *search)
{
	return err_set(search->err, -ENOMEM, "%s: out of memory", search->root);
}

static int grow(void **items, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 16;
	void *p = realloc(*items, more * size);
	if (!p)
		return -ENOMEM;
	*items = p;
	*cap = more;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_folder(struct search *search, const char *path, struct names *ret)
{
	DIR *dir = opendir(path);
	int r = 0;
	if (!dir) {
		ignore(search, path, strerror(errno));
		return 0;
	}
	for (struct dirent *e; r == 0 && (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (++search->n_files > FILES_MAX)
			r = err_set(search->err, -ERR_LIMIT, "%s: more than %u files", search->root,
			        FILES_MAX);
		else if (ret->n == ret->cap &&
		         grow((void **)&ret->items, &ret->cap, sizeof(char *)) < 0)
			r = out_of_memory(search);
		else if (!(ret->items[ret->n] = strdup(e->d_name)))
			r = out_of_memory(search);
		else
			ret->n++;
	}
	(void)closedir(dir);
	if (ret->n > 0)
		qsort(ret->items, ret->n, sizeof(char *), by_text);
	return r;
}

static void found_fini(struct found *found)
{
	for (size_t i = 0; i < found->n_paths; i++)
		free(found->paths[i]);
	free(found->paths);
	*found = (struct found){ 0 };
}

void found_list_fini(struct found_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		found_fini(&list->items[i]);
	free(list->items);
	*list = (struct found_list){ 0 };
}

static struct found *find_source(const struct found_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->items[i].name, name) == 0)
			return &list->items[i];
	}
	return NULL;
}

static int add_path(struct search *search, struct found *found, const char *path, uint64_t bytes)
{
	if (found->n_paths == found->cap_paths &&
	        grow((void **)&found->paths, &found->cap_paths, sizeof(char *)) < 0)
		return out_of_memory(search);
	char *copy = strdup(path);
	if (!copy)
		return out_of_memory(search);
	found->paths[found->n_paths++] = copy;
	found->bytes += bytes;
	return 0;
}

static struct found *add_source(struct search *search, const char *name, const struct feed *feed)
{
	struct found_list *list = search->found;
	if (list->n == list->cap &&
	        grow((void **)&list->items, &list->cap, sizeof(*list->items)) < 0)
		return NULL;
	struct found *found = &list->items[list->n++];
	*found = (struct found){ .feed = feed };
	(void)snprintf(found->name, sizeof(found->name), "%s", name);
	return found;
}

bool feed_is_ahead(struct stamp date, const struct import_listener *listener)
{
	return listener && listener->now_at > 0 && date.at > listener->now_at + AHEAD_MAX_S;
}

/* A date that cannot be is none: believed, it would keep all later issues out for ever. */
static void date_issue(struct search *search, const struct feed *feed,
        const struct feed_sight *sight, struct found *issue)
{
	issue->has_date = feed->date(sight, &issue->date);
	issue->is_ahead = issue->has_date && feed_is_ahead(issue->date, search->listener);
	issue->has_date &= !issue->is_ahead;
}

/* Two issues of a feed: keep the newer, tell the older. An issue without a date is the oldest. */
static int add_issue(struct search *search, struct found *old, struct found *issue,
        const char *path, uint64_t bytes)
{
	bool is_newer =
	        issue->has_date && (!old->has_date || stamp_cmp(issue->date, old->date) > 0);
	if (!is_newer) {
		ignore(search, path,
		        issue->is_ahead ? IN_FUTURE
		                        : "an older issue, or the same again: another is used");
		return 0;
	}
	ignore(search, old->paths[0],
	        old->is_ahead ? IN_FUTURE : "an older issue: a newer one is used");
	free(old->paths[0]);
	old->n_paths = 0;
	old->bytes = 0;
	old->has_date = issue->has_date;
	old->is_ahead = issue->is_ahead;
	old->date = issue->date;
	return add_path(search, old, path, bytes);
}

static int add_file(struct search *search, const struct feed *feed, const char *name,
        const struct feed_sight *sight, uint64_t bytes)
{
	const char *path = sight->path.p;
	struct found issue = { 0 };
	if (feed->only_newest)
		date_issue(search, feed, sight, &issue);
	struct found *old = find_source(search->found, name);
	if (old && feed->only_newest && old->feed == feed)
		return add_issue(search, old, &issue, path, bytes);
	if (old) {
		ignore(search, path, "another file found before gives the source of this name");
		return 0;
	}
	struct found *found = add_source(search, name, feed);
	if (!found)
		return out_of_memory(search);
	found->has_date = issue.has_date;
	found->is_ahead = issue.is_ahead;
	found->date = issue.date;
	return add_path(search, found, path, bytes);
}

/* A name that a terminal shows as it is: nothing in it has to be escaped. */
static bool is_usable_name(str s)
{
	autobuf shown = BUF(4 * (size_t)SOURCE_MAX_BYTES);
	if (s.n == 0 || s.n > SOURCE_MAX_BYTES)
		return false;
	text_escape(&shown, s);
	return !buf_failed(&shown) && str_eq(buf_str(&shown), s);
}

/* "A/B" into `ret`; false when it cannot be the name of a source. */
static bool join_name(str a, str b, char ret[SOURCE_MAX_BYTES + 1])
{
	if (!is_usable_name(a) || !is_usable_name(b) || a.n + 1 + b.n > SOURCE_MAX_BYTES)
		return false;
	memcpy(ret, a.p, a.n);
	ret[a.n] = '/';
	memcpy(ret + a.n + 1, b.p, b.n);
	ret[a.n + 1 + b.n] = '\0';
	return true;
}

static int see_zip(struct search *search, const struct feed *feed, const struct feed_sight *sight,
        uint64_t bytes)
{
	char name[SOURCE_MAX_BYTES + 1];
	str folder = str_dirname(sight->path), stem = sight->name;
	str above = str_basename(str_dirname(folder));
	bool good;
	if (str_has_suffix(stem, STR(".zip")))
		stem.n -= 4;
	if (str_eq(sight->name, STR("all.zip")) && above.n > 0)
		good = join_name(above, str_basename(folder), name);
	else
		good = join_name(STR("osv"), stem, name);
	if (!good) {
		ignore(search, sight->path.p, "its name cannot be that of a source");
		return 0;
	}
	return add_file(search, feed, name, sight, bytes);
}

/* A file that is no loose JSON record. */
static int see_file(struct search *search, const struct feed_sight *sight, uint64_t bytes)
{
	const struct feed *feed;
	for (size_t i = 0; (feed = feed_at(i)); i++) {
		if (!feed->claims(sight))
			continue;
		return feed->only_newest ? add_file(search, feed, feed->name, sight, bytes)
		                         : see_zip(search, feed, sight, bytes);
	}
	ignore(search, sight->path.p,
	        str_has_suffix(sight->name, STR(".zip")) ? "a zip without OSV records"
	        : str_has_suffix(sight->name, STR(".json"))
	                ? "JSON, but neither an OSV record nor another feed we know"
	                : "no feed we know");
	return 0;
}

/* Open a path without waiting (a FIFO) and without following a link. */
static int open_file(struct search *search, const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		ignore(search, path, strerror(errno));
		return -1;
	}
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	ignore(search, path, "not a regular file");
	(void)close(fd);
	return -1;
}

static int add_loose(struct search *search, const char *path, uint64_t bytes)
{
	char name[SOURCE_MAX_BYTES + 1];
	struct stat st;
	str top = str_from_c(search->root);
	if (lstat(search->root, &st) == 0 && !S_ISDIR(st.st_mode))
		top = str_dirname(top);
	if (!join_name(STR("osv"), str_basename(top), name)) {
		ignore(search, path, "its folder's name cannot be that of a source");
		return 0;
	}
	struct found *found = find_source(search->found, name);
	if (found && !found->is_loose) {
		ignore(search, path, "another file found before gives the source of this name");
		return 0;
	}
	if (!found) {
		found = add_source(search, name, feed_find(STR("osv")));
		if (!found)
			return out_of_memory(search);
		found->is_loose = true;
	}
	return add_path(search, found, path, bytes);
}

static bool is_claimed(const struct feed_sight *sight)
{
	const struct feed *feed;
	for (size_t i = 0; (feed = feed_at(i)); i++) {
		if (feed->claims(sight))
			return true;
	}
	return false;
}

static int visit_file(struct search *search, const char *path, bool among_records)
{
	struct stat st;
	autobuf head = BUF(HEAD_BYTES);
	autoclose int fd = open_file(search, path, &st);
	if (fd < 0)
		return 0;
	int r = feed_read_head(fd, &head);
	if (r < 0) {
		ignore(search, path, strerror(-r));
		return 0;
	}
	struct feed_sight sight = { .path = str_from_c(path), .head = buf_str(&head) };
	sight.name = str_basename(sight.path);
	if (among_records && str_has_suffix(sight.name, STR(".json")) && !is_claimed(&sight))
		return add_loose(search, path, (uint64_t)st.st_size);
	return see_file(search, &sight, (uint64_t)st.st_size);
}

/* Is this a folder of OSV records, judged by the first JSON files in it? */
static bool holds_records(const char *folder, const struct names *names)
{
	unsigned looked = 0;
	for (size_t i = 0; i < names->n && looked < LOOKS_MAX; i++) {
		char path[PATH_MAX];
		struct stat st;
		if (!str_has_suffix(str_from_c(names->items[i]), STR(".json")))
			continue;
		int n = snprintf(path, sizeof(path), "%s/%s", folder, names->items[i]);
		if (n < 0 || (size_t)n >= sizeof(path))
			continue;
		autoclose int fd =
		        open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
		autobuf head = BUF(HEAD_BYTES);
		looked++;
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		        feed_read_head(fd, &head) == 0 && osv_looks_like(buf_str(&head)))
			return true;
	}
	return false;
}

static int visit_folder(struct search *search, const char *path, unsigned depth)
{
	struct names names = { 0 };
	if (depth == 0) {
		ignore(search, path, "nested too deeply");
		return 0;
	}
	int r = list_folder(search, path, &names);
	bool among_records = r == 0 && holds_records(path, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		char child[PATH_MAX];
		struct stat st;
		int n = snprintf(child, sizeof(child), "%s/%s", path, names.items[i]);
		if (n < 0 || (size_t)n >= sizeof(child))
			ignore(search, path, "a path in it is too long");
		else if (lstat(child, &st) < 0)
			ignore(search, child, strerror(errno));
		else if (S_ISDIR(st.st_mode))
			r = visit_folder(search, child, depth - 1);
		else if (S_ISLNK(st.st_mode))
			ignore(search, child, "a symbolic link is not followed");
		else
			r = visit_file(search, child, among_records);
	}
	names_fini(&names);
	return r;
}

static int visit_given(struct search *search, const char *path)
{
	struct stat st;
	char resolved[PATH_MAX];
	if (!realpath(path, resolved) || lstat(resolved, &st) < 0)
		return err_set(search->err, -errno, "%s: %s", path, strerror(errno));
	search->root = resolved;
	search->n_files = 0;
	if (S_ISDIR(st.st_mode)) {
		int r = visit_folder(search, resolved, DEPTH_MAX);
		search->root = NULL;
		return r;
	}

	autobuf head = BUF(HEAD_BYTES);
	autoclose int fd = open_file(search, resolved, &st);
	bool is_record =
	        fd >= 0 && feed_read_head(fd, &head) == 0 && osv_looks_like(buf_str(&head));
	int r = fd < 0 ? 0 : visit_file(search, resolved, is_record);
	search->root = NULL;
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	return strcmp(x->name, y->name);
}

int found_list_fill(const char *const *paths, size_t n_paths, struct found_list *ret,
        const struct import_listener *listener, struct err *err)
{
	struct search search = { .found = ret, .listener = listener, .err = err };
	for (size_t i = 0; i < n_paths; i++) {
		int r = visit_given(&search, paths[i]);
		if (r < 0)
			return r;
	}
	if (ret->n > 0)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
	return 0;
}
