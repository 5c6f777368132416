/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sonde db update: fetch the published feeds, import what came, build.
 *
 * Fetched files stay below DATA/fetched, so that the next update asks only for what has changed. A
 * file DATA/fetched/.dirty stands from before the first fetch until after the build: an update that
 * was killed in between is finished by the next one even if nothing is new on the network.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "cmd/db.h"
#include "model/ecosystem.h"
#include "net/net.h"

/* Largest file that is fetched: the whole of Ubuntu's records has under 1 GB. */
#define FEED_BYTES ((uint64_t)8 << 30)

#define LIST_BYTES ((size_t)1 << 20)

struct updating {
	const struct invocation *call;
	const char *dir; /* DATA/fetched */
	size_t n_fetched, n_changed, n_failed;
	char showing[128]; /* what the progress line is about */
};

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
	const struct updating *u = ctx;
	char bar[31] = "..............................";
	size_t full = all_bytes > 0
	                      ? (size_t)(30 * (done_bytes < all_bytes ? done_bytes : all_bytes) /
	                                 all_bytes)
	                      : 0;
	memset(bar, '#', full);
	if (all_bytes > 0)
		say_progress(u->call, "[%s] %5.1f of %.1f MB  %s", bar, (double)done_bytes / 1e6,
		        (double)all_bytes / 1e6, u->showing);
	else
		say_progress(u->call, "%.1f MB  %s", (double)done_bytes / 1e6, u->showing);
}

/* Fetch one URL to DATA/fetched/<folder>/<name>. */
static int fetch(struct updating *u, str url, const char *folder, const char *name, struct err *err)
{
	const char *mirror = settings_text(u->call->settings, SET_MIRROR);
	autobuf real = BUF(4096);
	autobuf path = BUF(4096);
	int r = 0;
	if (*mirror)
		r = net_url_on_mirror(url, str_from_c(mirror), &real, err);
	else
		buf_add(&real, url);
	buf_add_byte(&real, '\0');
	buf_printf(&path, "%s/%s", u->dir, folder);
	buf_add_byte(&path, '\0');
	if (r >= 0 && (buf_failed(&real) || buf_failed(&path)))
		r = err_set(err, -ENAMETOOLONG, "a URL or folder name is too long");
	if (r < 0)
		return r;
	autoclose int dir = fs_open_dir(path.p, true, err);
	if (dir < 0)
		return dir;
	bool changed = false;
	struct net_file_options options = {
		.max_bytes = FEED_BYTES, .progress = on_progress, .ctx = u
	};
	(void)snprintf(u->showing, sizeof(u->showing), "%s", folder);
	r = net_fetch_file(NULL, real.p, dir, name, &options, &changed, err);
	end_progress(u->call);
	u->n_fetched += r >= 0;
	u->n_changed += r >= 0 && changed;
	return r;
}

/* A feed that cannot be had costs itself: its old copy stands, and the rest is fetched. */
static void fetch_or_say(struct updating *u, str url, const char *folder, const char *name)
{
	struct err err = { 0 };
	if (fetch(u, url, folder, name, &err) >= 0)
		return;
	u->n_failed++;
	(void)say_error("db update", &err);
}

static bool is_wanted(const struct updating *u, str ecosystem)
{
	const struct setting_value *only = &u->call->settings->values[SET_ECOSYSTEMS];
	for (size_t i = 0; i < only->n; i++) {
		if (str_eq(str_from_c(only->items[i]), ecosystem))
			return true;
	}
	const struct ecosystem *row = ecosystem_find(ecosystem);
	return only->n == 0 && row && row->scheme[0] != '\0';
}

static void fetch_ecosystem(struct updating *u, const struct feed_info *feed, str ecosystem)
{
	autobuf url = BUF(4096);
	autobuf folder = BUF(256);
	str head, tail = str_from_c(feed->url), place = STR("{ECOSYSTEM}");
	while (tail.n > 0 && !str_has_prefix(tail, place))
		tail = str_skip(tail, 1);
	head = str_head(str_from_c(feed->url), strlen(feed->url) - tail.n);
	buf_add(&url, head);
	net_url_escape(&url, ecosystem);
	buf_add(&url, str_skip(tail, place.n));
	buf_printf(&folder, "%s/" STR_FMT, feed->name, STR_ARG(ecosystem));
	buf_add_byte(&folder, '\0');
	if (!buf_failed(&url) && !buf_failed(&folder))
		fetch_or_say(u, buf_str(&url), folder.p, "all.zip");
}

/* The list names releases too ("Debian:12"): their records are in the family's zip already. A name
 * from the network becomes a folder name: nothing that could leave DATA/fetched. */
static bool is_family_name(str name)
{
	bool plain = name.n > 0 && name.n < 100 && name.p[0] != '.';
	for (size_t i = 0; plain && i < name.n; i++)
		plain = is_alnum(name.p[i]) || strchr(" ._-", name.p[i]);
	return plain;
}

static int fetch_list(struct updating *u, const struct feed_info *feed, struct err *err)
{
	autobuf path = BUF(4096);
	autobuf text = BUF(LIST_BYTES);
	int r = fetch(u, str_from_c(feed->list_url), feed->name, "ecosystems.txt", err);
	if (r < 0)
		return r;
	buf_printf(&path, "%s/%s/ecosystems.txt", u->dir, feed->name);
	buf_add_byte(&path, '\0');
	r = buf_failed(&path) ? -ENOMEM : fs_read(AT_FDCWD, path.p, &text, err);
	str rest = buf_str(&text), line;
	while (r >= 0 && str_next_line(&rest, &line)) {
		line = str_trim(line);
		if (is_family_name(line) && is_wanted(u, line))
			fetch_ecosystem(u, feed, line);
	}
	return r;
}

static void fetch_all(struct updating *u)
{
	size_t n;
	const struct feed_info *feeds = feed_all(&n);
	for (size_t i = 0; i < n; i++) {
		str url = str_from_c(feeds[i].url);
		struct err err = { 0 };
		if (!feeds[i].list_url) {
			char name[128];
			(void)snprintf(name, sizeof(name), STR_FMT, STR_ARG(str_basename(url)));
			fetch_or_say(u, url, feeds[i].name, name);
		} else if (fetch_list(u, &feeds[i], &err) < 0) {
			u->n_failed++;
			(void)say_error("db update", &err);
		}
	}
}

static int import_and_build(struct updating *u)
{
	struct settings *s = u->call->settings;
	struct err err = { 0 };
	struct import_talk talk = { .call = u->call };
	struct import_listener listener = import_talker(&talk);
	const char *paths[] = { u->dir };
	int r = feed_import(
	        paths, 1, feeds_dir(s), (unsigned)settings_number(s, SET_THREADS), &listener, &err);
	end_progress(u->call);
	if (r < 0) {
		(void)say_error("db update", &err);
		return EXIT_BROKEN;
	}
	end_import(&talk);
	int code = db_build(u->call);
	return code == EXIT_GOOD && talk.n_problems > 0 ? EXIT_BROKEN : code;
}

/* Is there a database to fall back on when nothing has changed? */
static bool has_database(const struct invocation *call)
{
	struct vulndb *db;
	if (vulndb_open(settings_db_dir(call->settings), &db, NULL) < 0)
		return false;
	vulndb_close(db);
	return true;
}

int db_update(const struct invocation *call)
{
	struct err err = { 0 };
	struct updating u = { .call = call,
		.dir = settings_path(
		        call->settings, settings_data_dir(call->settings), "fetched") };
	autoclose int fd = fs_open_dir(u.dir, true, &err);
	if (fd < 0)
		return say_error("db update", &err);

	bool unfinished = faccessat(fd, ".dirty", F_OK, 0) == 0;
	if (!unfinished && fs_replace(fd, ".dirty", STR("an update began here and has not ended\n"),
	                           0644, &err) < 0)
		return say_error("db update", &err);
	fetch_all(&u);
	if (u.n_fetched == 0) {
		(void)fprintf(
		        stderr, "sonde: db update: no feed could be fetched; the old data stand\n");
		return EXIT_BROKEN;
	}
	int code = EXIT_GOOD;
	if (unfinished || u.n_changed > 0 || !has_database(call))
		code = import_and_build(&u);
	else
		say(call, "nothing has changed since the last update");
	if (code == EXIT_GOOD)
		(void)unlinkat(fd, ".dirty", 0);
	return code == EXIT_GOOD && u.n_failed > 0 ? EXIT_BROKEN : code;
}
