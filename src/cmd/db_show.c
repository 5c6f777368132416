/* SPDX-License-Identifier: Apache-2.0 */
/* sonde db status and sonde db show: what the database holds. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cmd/db.h"
#include "collect/facts.h"
#include "inventory/inventory.h"
#include "model/ecosystem.h"

/* Memory for what one question yields. */
#define ANSWER_BYTES ((size_t)256 << 20)

static int open_db(const struct invocation *call, struct vulndb **ret)
{
	struct err err = { 0 };
	const char *dir = settings_db_dir(call->settings);
	int r = vulndb_open(dir, ret, &err);
	if (r == -ENOENT)
		(void)err_set(&err, r,
		        "%s: no vulnerability data: run 'sonde db update' or 'sonde db import'",
		        dir);
	if (r < 0)
		(void)say_error("db", &err);
	return r;
}

/* Say which sources gave no answers. Returns: was there any? */
static bool tell_problems(const struct vulndb *db)
{
	size_t n;
	const struct vulndb_problem *problems = vulndb_problems(db, &n);
	for (size_t i = 0; i < n; i++)
		say_always("sonde: " STR_FMT ": left out: " STR_FMT, STR_ARG(problems[i].source),
		        STR_ARG(problems[i].text));
	return n > 0;
}

static bool wants_json(const struct invocation *call)
{
	return strcmp(settings_text(call->settings, SET_FORMAT), "json") == 0;
}

static void status_json(const struct vulndb *db)
{
	autobuf out = BUF((size_t)16 << 20);
	struct json_writer w = JSON_WRITER(&out, true);
	size_t n;
	const struct vulndb_source *sources = vulndb_sources(db, &n);
	json_write_object(&w);
	json_write_member_str(&w, "digest", vulndb_digest(db));
	json_write_member_str(&w, "built_at", vulndb_built_at(db));
	json_write_key(&w, "sources");
	json_write_array(&w);
	for (size_t i = 0; i < n; i++) {
		json_write_object(&w);
		json_write_member_str(&w, "name", sources[i].name);
		json_write_member_str(&w, "kind", sources[i].kind);
		json_write_member_str(&w, "newest", sources[i].newest);
		json_write_key(&w, "records");
		json_write_u64(&w, sources[i].n_records);
		json_write_key(&w, "left_out");
		json_write_u64(&w, sources[i].n_left_out);
		json_write_member_str(&w, "licence", sources[i].licence);
		json_write_member_str(&w, "sha256", sources[i].sha256);
		json_write_object_end(&w);
	}
	json_write_array_end(&w);
	json_write_object_end(&w);
	(void)fwrite(out.p, 1, out.n, stdout);
}

int db_status(const struct invocation *call)
{
	struct vulndb *db;
	size_t n;
	if (open_db(call, &db) < 0)
		return EXIT_BROKEN;
	if (wants_json(call)) {
		status_json(db);
		bool is_whole = !tell_problems(db);
		vulndb_close(db);
		return is_whole ? EXIT_GOOD : EXIT_BROKEN;
	}
	const struct vulndb_source *sources = vulndb_sources(db, &n);
	autobuf text = BUF((size_t)16 << 20);
	buf_printf(&text,
	        "digest    " STR_FMT "\nbuilt at  " STR_FMT
	        "\nsources   %zu\n\n%-40s %10s %10s  %s\n",
	        STR_ARG(vulndb_digest(db)), STR_ARG(vulndb_built_at(db)), n, "SOURCE", "RECORDS",
	        "LEFT OUT", "NEWEST");
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%-40.*s %10" PRIu64 " %10" PRIu64 "  " STR_FMT "\n",
		        STR_ARG(sources[i].name), sources[i].n_records, sources[i].n_left_out,
		        STR_ARG(sources[i].newest));
	put_text(buf_str(&text));
	bool is_whole = !tell_problems(db);
	vulndb_close(db);
	return is_whole ? EXIT_GOOD : EXIT_BROKEN;
}

/* ---- show ---- */

static void put_list(struct buf *out, const char *title, const str *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s" STR_FMT, i == 0 ? title : ", ", STR_ARG(items[i]));
	if (n > 0)
		buf_printf(out, "\n");
}

static void put_ranges(struct buf *out, const struct advisory_affected *a)
{
	static const char *const words[] = {
		[EVENT_INTRODUCED] = "from",
		[EVENT_FIXED] = "fixed in",
		[EVENT_LAST_AFFECTED] = "up to and with",
		[EVENT_LIMIT] = "nothing said from",
	};
	buf_printf(out, "  " STR_FMT " " STR_FMT ":", STR_ARG(a->ecosystem), STR_ARG(a->package));
	for (size_t r = 0; r < a->n_ranges; r++) {
		for (size_t e = 0; e < a->ranges[r].n_events; e++)
			buf_printf(out, " %s " STR_FMT "%s", words[a->ranges[r].events[e].kind],
			        STR_ARG(a->ranges[r].events[e].version),
			        e + 1 < a->ranges[r].n_events ? "," : ";");
	}
	if (a->n_versions > 0)
		buf_printf(out, " %zu versions listed, " STR_FMT " to " STR_FMT, a->n_versions,
		        STR_ARG(a->versions[0]), STR_ARG(a->versions[a->n_versions - 1]));
	buf_printf(out, "\n");
}

static int show_record(struct buf *out, struct vulndb *db, const struct advisory *a,
        struct arena *arena, struct err *err)
{
	const struct advisory_affected *affected;
	size_t n;
	int r = vulndb_affected_by(db, a->source, a->id, arena, &affected, &n, err);
	if (r < 0)
		return r;
	buf_printf(out, STR_FMT "  (" STR_FMT ")\n", STR_ARG(a->id), STR_ARG(a->source));
	if (a->title.n > 0)
		buf_printf(out, "  " STR_FMT "\n", STR_ARG(a->title));
	put_list(out, "  aliases: ", a->aliases, a->n_aliases);
	put_list(out, "  upstream: ", a->upstream, a->n_upstream);
	for (size_t i = 0; i < a->n_severities; i++)
		buf_printf(out, "  %.*s: " STR_FMT "\n", STR_ARG(a->severities[i].type),
		        STR_ARG(a->severities[i].score));
	for (size_t i = 0; i < n; i++)
		put_ranges(out, &affected[i]);
	put_list(out, "  see ", a->references, a->n_references);
	buf_printf(out, "\n");
	return 0;
}

static int show_id(struct buf *out, struct vulndb *db, str id, struct arena *arena,
        size_t *ret_found, struct err *err)
{
	const struct advisory *records;
	size_t n;
	int r = vulndb_naming(db, id, arena, &records, &n, err);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = show_record(out, db, &records[i], arena, err);
	double epss;
	if (r >= 0 && n > 0 && vulndb_epss(db, id, &epss, err) == 0)
		buf_printf(out, "EPSS %.5f\n", epss);
	if (r >= 0 && n > 0 && vulndb_is_kev(db, id, err) == 1)
		buf_printf(out, "in CISA's catalogue of known exploited vulnerabilities\n");
	*ret_found = r < 0 ? 0 : n;
	return r;
}

static int hex_digit(char c)
{
	c = to_lower(c);
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding, in place of a copy. */
static int decode(str text, struct arena *arena, str *ret)
{
	char *out = arena_alloc(arena, text.n + 1, 1);
	size_t n = 0;
	if (!out)
		return -ERR_LIMIT;
	for (size_t i = 0; i < text.n; i++) {
		int high = i + 2 < text.n && text.p[i] == '%' ? hex_digit(text.p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
		out[n++] = low >= 0 ? (char)(high * 16 + low) : text.p[i];
		i += low >= 0 ? 2 : 0;
	}
	*ret = (str){ out, n };
	return 0;
}

/* "pkg:npm/%40scope/name@1.2?x=y" -> type and name; the version is left out, and the namespace of
 * OS packages. */
static int split_purl(str purl, struct arena *arena, str *ret_type, str *ret_name)
{
	str rest = str_skip(purl, 4), tail;
	if (!str_has_prefix(purl, STR("pkg:")) || !str_split_first(rest, '/', ret_type, &rest))
		return 0;
	(void)str_split_first(rest, '?', &rest, &tail);
	(void)str_split_last(rest, '@', &rest, &tail);
	if (str_eq(*ret_type, STR("deb")) || str_eq(*ret_type, STR("rpm")))
		rest = str_basename(rest);
	return decode(rest, arena, ret_name);
}

static int show_in(struct buf *out, struct vulndb *db, str ecosystem, const struct ecosystem *row,
        str name, struct arena *arena, size_t *found, struct err *err)
{
	const struct advisory_affected *affected;
	str normal;
	size_t n;
	int r = ecosystem_normal_name(row, name, arena, &normal);
	if (r >= 0)
		r = vulndb_affecting(db, ecosystem, normal, arena, &affected, &n, err);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		buf_printf(out, STR_FMT "  (" STR_FMT ")\n", STR_ARG(affected[i].record),
		        STR_ARG(affected[i].source));
		put_ranges(out, &affected[i]);
	}
	if (r >= 0)
		*found += n;
	return r;
}

/* Languages by their readers; OS packages in the ecosystems that speak about this system. */
static int show_package(struct buf *out, struct vulndb *db, str text, struct arena *arena,
        size_t *ret_found, struct err *err)
{
	str type = { NULL, 0 }, name = text, os[ECOSYSTEM_HOST_MAX];
	size_t n_readers;
	const struct reader *const *readers = reader_all(&n_readers);
	int r = split_purl(text, arena, &type, &name);
	*ret_found = 0;
	for (size_t i = 0; r >= 0 && i < n_readers; i++) {
		str reads = str_from_c(readers[i]->name);
		const struct ecosystem *row = ecosystem_of_type(reads);
		if (!readers[i]->is_os && row && (!type.p || str_eq(type, reads)))
			r = show_in(
			        out, db, str_from_c(row->name), row, name, arena, ret_found, err);
	}
	struct host host = { .root = { NULL, 0 } };
	autoclose int root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r >= 0 && root_fd >= 0)
		r = facts_read(root_fd, "/", arena, &host);
	int n = r >= 0 ? ecosystem_of_host(&host, arena, os, ECOSYSTEM_HOST_MAX) : 0;
	for (int i = 0; r >= 0 && i < n; i++)
		r = show_in(out, db, os[i], ecosystem_find(os[i]), name, arena, ret_found, err);
	return r;
}

int db_show(const struct invocation *call)
{
	struct vulndb *db;
	struct err err = { 0 };
	struct arena arena = ARENA(ANSWER_BYTES);
	str what = str_from_c(call->settings->rest[1]);
	autobuf text = BUF(ANSWER_BYTES);
	size_t found = 0;
	if (open_db(call, &db) < 0)
		return EXIT_BROKEN;
	int r = show_id(&text, db, what, &arena, &found, &err);
	if (r >= 0 && found == 0)
		r = show_package(&text, db, what, &arena, &found, &err);
	arena_fini(&arena);
	bool is_whole = !tell_problems(db);
	vulndb_close(db);
	put_text(buf_str(&text));
	if (r < 0) {
		(void)say_error("db show", &err);
		return EXIT_BROKEN;
	}
	if (found == 0)
		say_always("sonde: %s: this database holds no such id, no such language package, "
		           "and no "
		           "such package of this system",
		        call->settings->rest[1]);
	return !is_whole ? EXIT_BROKEN : found > 0 ? EXIT_GOOD : EXIT_FINDINGS;
}
