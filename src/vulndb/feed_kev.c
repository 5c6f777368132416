/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KEV: one JSON object, { "dateReleased", "vulnerabilities": [ { "cveID", "dateAdded", ... }, ... ]
 * }.
 */
#include "vulndb/feed.h"

#include <errno.h>

#include "base/json.h"
#include "vulndb/cve.h"

#define TEXT_MAX_BYTES ((size_t)64 << 20)
#define LICENCE "CC0-1.0 (CISA)"

/* The members that tell what file this is, from its beginning. */
struct marks {
	bool has_list, has_version;
	str date; /* arena */
};

static struct marks read_marks(str head, struct arena *arena)
{
	struct json json = JSON(head, arena);
	struct marks marks = { 0 };
	str key;
	if (!json_object_begin(&json))
		return marks;
	while (json_next_key(&json, &key)) {
		if (str_eq(key, STR("vulnerabilities"))) {
			marks.has_list = json_peek(&json) == JSON_ARRAY;
			json_skip(&json);
		} else if (str_eq(key, STR("dateReleased"))) {
			(void)json_string(&json, &marks.date);
		} else {
			marks.has_version |= str_eq(key, STR("catalogVersion"));
			json_skip(&json);
		}
	}
	return marks;
}

static bool claims(const struct feed_sight *sight)
{
	struct arena arena = ARENA((size_t)1 << 20);
	if (str_has_prefix(sight->name, STR("known_exploited_vulnerabilities")) &&
	        str_has_suffix(sight->name, STR(".json")))
		return true;
	struct marks marks = read_marks(sight->head, &arena);
	arena_fini(&arena);
	return marks.has_list && marks.has_version;
}

static bool date(const struct feed_sight *sight, struct stamp *ret)
{
	struct arena arena = ARENA((size_t)1 << 20);
	bool good = stamp_parse(read_marks(sight->head, &arena).date, ret);
	arena_fini(&arena);
	return good;
}

/* "2026-08-21" as 20260821; 0 when it is no date. */
static uint32_t day_number(str day)
{
	struct stamp at;
	uint64_t y, m, d;
	if (day.n != 10 || !stamp_parse(day, &at) || !str_to_u64(str_head(day, 4), 9999, &y) ||
	        !str_to_u64((str){ day.p + 5, 2 }, 12, &m) ||
	        !str_to_u64((str){ day.p + 8, 2 }, 31, &d))
		return 0;
	return (uint32_t)(y * 10000 + m * 100 + d);
}

static int read_entry(struct job *job, struct json *json, struct cve_table *table)
{
	str key, id = { NULL, 0 }, added = { NULL, 0 };
	uint32_t year, number;
	job->result.n_records++;
	if (json_object_begin(json)) {
		while (json_next_key(json, &key)) {
			if (str_eq(key, STR("cveID")))
				(void)json_string(json, &id);
			else if (str_eq(key, STR("dateAdded")))
				(void)json_string(json, &added);
			else
				json_skip(json);
		}
	}
	if (!cve_parse(id, &year, &number)) {
		autobuf where = BUF(512);
		buf_printf(&where, "entry %llu %.*s", (unsigned long long)job->result.n_records,
		        (int)(id.n < 64 ? id.n : 64), id.n ? id.p : "");
		job_left_out(job, buf_str(&where), REASON_BAD_ROW);
		return 0;
	}
	job->result.by_reason[REASON_USED]++;
	return cve_table_add(table, year, number, day_number(added));
}

static int read_list(
        struct job *job, str text, struct arena *arena, struct cve_table *table, struct err *err)
{
	struct json json = JSON(text, arena);
	struct err why = { 0 };
	bool has_list = false;
	str key, released;
	int r = 0;
	if (json_object_begin(&json)) {
		while (r == 0 && json_next_key(&json, &key)) {
			if (str_eq(key, STR("dateReleased"))) {
				if (json_string(&json, &released))
					job_date(job, released);
			} else if (str_eq(key, STR("vulnerabilities")) && !has_list) {
				has_list = json_array_begin(&json);
				while (has_list && r == 0 && json_next_element(&json))
					r = read_entry(job, &json, table);
			} else {
				json_skip(&json);
			}
		}
	}
	if (r < 0)
		return err_set(err, r, "%s: too many entries", job->found->paths[0]);
	r = json_finish(&json, &why);
	if (r < 0)
		return err_set(err, r, "%s: %.180s", job->found->paths[0], why.text);
	if (!has_list)
		return err_set(err, -ERR_FORMAT,
		        "%s: no KEV catalogue: it has no list of vulnerabilities",
		        job->found->paths[0]);
	return 0;
}

static int import(struct job *job, struct err *err)
{
	autobuf text = BUF(TEXT_MAX_BYTES);
	struct arena arena = ARENA(2 * TEXT_MAX_BYTES);
	struct cve_table table = { 0 };
	int r = feed_read_file(job->found->paths[0], &text, err);
	if (r < 0)
		return r;
	job->result.n_bytes = text.n;
	r = read_list(job, buf_str(&text), &arena, &table, err);
	if (r == 0)
		r = cve_table_store(&table, job, STR(LICENCE), err);
	cve_table_fini(&table);
	arena_fini(&arena);
	return r;
}

const struct feed feed_kev = {
	.name = "kev",
	.only_newest = true,
	.claims = claims,
	.date = date,
	.import = import,
};
