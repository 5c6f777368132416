/* SPDX-License-Identifier: Apache-2.0 */
#include "match/records.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define KEY_MAX 1024
#define SCRATCH_BYTES ((size_t)256 << 20)
#define TITLE_BYTES 200

static int full(struct err *err)
{
	return err_set(
	        err, -ERR_LIMIT, "the records behind the findings need more memory than allowed");
}

/* "CVE-" year "-" number. */
bool is_cve(str id)
{
	if (!str_has_prefix(id, STR("CVE-")))
		return false;
	str rest = str_skip(id, 4);
	str year = str_take_while(&rest, is_digit);
	if (year.n != 4 || rest.n == 0 || *rest.p != '-')
		return false;
	rest = str_skip(rest, 1);
	return str_take_while(&rest, is_digit).n >= 4 && rest.n == 0;
}

/* "CVE-2021-3450" of "UBUNTU-CVE-2021-3450", "DEBIAN-CVE-..." and their like; the id itself
 * otherwise. */
static str without_prefix(str id)
{
	str head, tail;
	if (str_split_first(id, '-', &head, &tail) && is_cve(tail))
		return tail;
	return id;
}

static void keep(struct arena *arena, str *s, bool *ret_full)
{
	if (s->n > 0 && arena_copy(arena, *s, s) < 0)
		*ret_full = true;
}

static const str *keep_list(struct arena *arena, const str *list, size_t n, bool *ret_full)
{
	str *copy = n > 0 ? arena_alloc(arena, n, sizeof(*copy)) : NULL;
	if (n > 0 && !copy)
		*ret_full = true;
	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = list[i];
		keep(arena, &copy[i], ret_full);
	}
	return copy;
}

static str first_line(str text)
{
	str line = { NULL, 0 };
	text = str_trim(text);
	(void)str_next_line(&text, &line);
	size_t n = line.n < TITLE_BYTES ? line.n : TITLE_BYTES;
	/* Never cut inside a character of several bytes. */
	while (n > 0 && n < line.n && ((unsigned char)line.p[n] & 0xC0) == 0x80)
		n--;
	return str_trim(str_head(line, n));
}

static int by_text(const void *left, const void *right)
{
	return str_cmp(*(const str *)left, *(const str *)right);
}

/* Sort, and drop what comes twice. Returns how many are left. */
static size_t sort_unique(str *list, size_t n)
{
	size_t n_kept = 0;
	if (n > 0)
		qsort(list, n, sizeof(*list), by_text);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !str_eq(list[i], list[i - 1]))
			list[n_kept++] = list[i];
	}
	return n_kept;
}

static size_t add_cves(str *list, size_t n, const str *ids, size_t n_ids)
{
	for (size_t i = 0; i < n_ids; i++) {
		str id = without_prefix(ids[i]);
		if (is_cve(id))
			list[n++] = id;
	}
	return n;
}

static int find_cves(struct arena *arena, struct record *record)
{
	const struct advisory *a = &record->advisory;
	str *list =
	        arena_alloc(arena, 1 + a->n_aliases + a->n_upstream + a->n_related, sizeof(*list));
	if (!list)
		return -ERR_LIMIT;
	size_t n = add_cves(list, 0, &a->id, 1);
	n = add_cves(list, n, a->aliases, a->n_aliases);
	n = add_cves(list, n, a->upstream, a->n_upstream);
	if (a->uses_related)
		n = add_cves(list, n, a->related, a->n_related);
	record->n_cves = sort_unique(list, n);
	record->cves = list;
	return 0;
}

/* A copy that outlives the call that yielded the advisory. */
static struct record *record_new(struct arena *arena, const struct advisory *from)
{
	struct record *record = arena_alloc(arena, 1, sizeof(*record));
	bool is_full = record == NULL;
	if (is_full)
		return NULL;

	record->advisory = *from;
	struct advisory *a = &record->advisory;
	a->details = first_line(a->details);
	a->references = NULL;
	a->n_references = 0;
	str *texts[] = { &a->id, &a->source, &a->title, &a->details, &a->published, &a->modified,
		&a->withdrawn };
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		keep(arena, texts[i], &is_full);
	a->aliases = keep_list(arena, a->aliases, a->n_aliases, &is_full);
	a->upstream = keep_list(arena, a->upstream, a->n_upstream, &is_full);
	a->related = keep_list(arena, a->related, a->n_related, &is_full);

	struct advisory_severity *severities =
	        arena_alloc(arena, a->n_severities, sizeof(*severities));
	is_full |= severities == NULL;
	for (size_t i = 0; severities && i < a->n_severities; i++) {
		severities[i] = a->severities[i];
		keep(arena, &severities[i].type, &is_full);
		keep(arena, &severities[i].score, &is_full);
	}
	a->severities = severities;
	return is_full || find_cves(arena, record) < 0 ? NULL : record;
}

/* The place of a record; its value is NULL when it was not read yet. */
static void **place_of(struct records *records, str source, str id)
{
	char key[KEY_MAX];
	if (source.n + 1 + id.n > sizeof(key))
		return NULL;
	memcpy(key, source.p, source.n);
	key[source.n] = '\0';
	memcpy(key + source.n + 1, id.p, id.n);
	return map_at(&records->by_id, (str){ key, source.n + 1 + id.n });
}

int records_get(struct records *records, str source, str id, struct record **ret, struct err *err)
{
	cleanup(arena_fini) struct arena scratch = ARENA(SCRATCH_BYTES);
	void **at = place_of(records, source, id);
	struct advisory advisory;

	if (!at)
		return full(err);
	if (!*at) {
		int r = vulndb_record(records->db, source, id, &scratch, &advisory, err);
		if (r == -ENOENT)
			return err_set(err, -ERR_FORMAT,
			        STR_FMT ": record " STR_FMT " is named but not there",
			        STR_ARG(source), STR_ARG(str_head(id, 80)));
		if (r < 0)
			return r;
		*at = record_new(records->arena, &advisory);
		if (!*at)
			return full(err);
	}
	*ret = *at;
	return 0;
}

/* Every record that names an id, each kept. */
static int naming(
        struct records *records, str id, const struct record ***ret, size_t *ret_n, struct err *err)
{
	cleanup(arena_fini) struct arena scratch = ARENA(SCRATCH_BYTES);
	const struct advisory *advisories;
	size_t n;

	int r = vulndb_naming(records->db, id, &scratch, &advisories, &n, err);
	if (r < 0)
		return r;
	const struct record **list = arena_alloc(records->arena, n, sizeof(*list));
	if (!list)
		return full(err);
	for (size_t i = 0; i < n; i++) {
		void **at = place_of(records, advisories[i].source, advisories[i].id);
		if (at && !*at)
			*at = record_new(records->arena, &advisories[i]);
		if (!at || !*at)
			return full(err);
		list[i] = *at;
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

/* The CVEs of all records that name this id. */
static int gather_cves(struct records *records, str id, struct map *cves, struct err *err)
{
	const struct record **list;
	size_t n;
	int r = naming(records, id, &list, &n, err);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		for (size_t k = 0; r >= 0 && k < list[i]->n_cves; k++)
			r = map_at(cves, list[i]->cves[k]) ? 0 : full(err);
	}
	return r;
}

/* Without a CVE: the GHSA id, by which most sources know a vulnerability, or its own. */
static str own_name(const struct advisory *advisory)
{
	if (str_has_prefix(advisory->id, STR("GHSA-")))
		return advisory->id;
	for (size_t i = 0; i < advisory->n_aliases; i++) {
		if (str_has_prefix(advisory->aliases[i], STR("GHSA-")))
			return advisory->aliases[i];
	}
	return advisory->id;
}

int records_name(struct records *records, struct record *record, struct err *err)
{
	const struct advisory *a = &record->advisory;
	if (record->n_names > 0)
		return 0;
	record->names = record->cves;
	record->n_names = record->n_cves;
	if (record->n_names > 0)
		return 0;

	struct map cves = MAP(records->arena);
	int r = gather_cves(records, a->id, &cves, err);
	for (size_t i = 0; r >= 0 && i < a->n_aliases; i++)
		r = gather_cves(records, a->aliases[i], &cves, err);
	if (r < 0)
		return r;
	str *names = arena_alloc(records->arena, cves.n + 1, sizeof(*names));
	if (!names)
		return full(err);
	for (size_t i = 0; i < cves.n; i++)
		names[i] = cves.entries[i].key;
	if (cves.n == 0)
		names[0] = own_name(a);
	record->names = names;
	record->n_names = sort_unique(names, cves.n > 0 ? cves.n : 1);
	return 0;
}

static int by_focus(const void *left, const void *right)
{
	const struct record *a = *(const struct record *const *)left;
	const struct record *b = *(const struct record *const *)right;
	bool wide_a = a->n_cves > 1, wide_b = b->n_cves > 1;
	if (wide_a != wide_b)
		return wide_a ? 1 : -1;
	int c = str_cmp(a->advisory.source, b->advisory.source);
	return c ? c : str_cmp(a->advisory.id, b->advisory.id);
}

static int read_vulnerability(struct records *records, struct vulnerability *v, struct err *err)
{
	int r = naming(records, v->id, &v->records, &v->n_records, err);
	if (r < 0)
		return r;
	if (v->n_records > 0)
		qsort(v->records, v->n_records, sizeof(*v->records), by_focus);
	v->epss = -1;
	if (!is_cve(v->id))
		return 0;
	r = vulndb_epss(records->db, v->id, &v->epss, err);
	if (r < 0 && r != -ENOENT)
		return r;
	r = vulndb_is_kev(records->db, v->id, err);
	v->is_kev = r == 1;
	return r < 0 ? r : 0;
}

int records_vulnerability(
        struct records *records, str id, const struct vulnerability **ret, struct err *err)
{
	void **at = map_at(&records->vulnerabilities, id);
	if (!at)
		return full(err);
	if (!*at) {
		struct vulnerability *v = arena_alloc(records->arena, 1, sizeof(*v));
		if (!v || arena_copy(records->arena, id, &v->id) < 0)
			return full(err);
		int r = read_vulnerability(records, v, err);
		if (r < 0)
			return r;
		*at = v;
	}
	*ret = *at;
	return 0;
}
