/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record is read in one pass. An array grows in the arena by doubling; what was outgrown stays
 * there until the record is done, which at most doubles the memory.
 *
 * Fields of another type than the schema's are taken as absent, as base/json does it. What that
 * costs is counted where it could hide a vulnerability: an unusable event drops its range, because
 * a range that lacks one event says something else than the record did.
 */
#include "vulndb/osv.h"

#include "base/json.h"
#include "vulndb/format.h"
#include "vulndb/origin.h"

/* Most different severities of one record. */
#define SEVERITIES_MAX 256u
/* Longest word that is taken for a severity: "MODERATE". */
#define WORD_MAX_BYTES 64u

struct reader {
	struct json json;
	struct arena *arena;
	struct osv *osv;
	bool full; /* the arena was */
	struct severities *severities;
};

/* A growing array in the arena. */
struct list {
	void *items;
	size_t n, cap;
};

/* What is said of how severe a record is: vectors and the like, and mere words, which go last. */
struct severities {
	struct list rated, words;
};

static void *list_add(struct reader *reader, struct list *list, size_t size)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 4;
		void *items = arena_alloc(reader->arena, cap, size);
		if (!items) {
			reader->full = true;
			return NULL;
		}
		if (list->n > 0)
			memcpy(items, list->items, list->n * size);
		list->items = items;
		list->cap = cap;
	}
	return (char *)list->items + size * list->n++;
}

/* Text that can be a key: no control byte, valid UTF-8, not empty, not longer than `most`. */
static bool is_name(str s, size_t most)
{
	if (s.n == 0 || s.n > most || !str_is_utf8(s))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return true;
}

/* Texts of an array; what is no usable name is counted in *bad. */
static void read_names(
        struct reader *reader, size_t most, const str **ret, size_t *ret_n, uint64_t *bad)
{
	struct list list = { 0 };
	if (json_array_begin(&reader->json)) {
		while (json_next_element(&reader->json)) {
			str s;
			bool good = json_string(&reader->json, &s) && is_name(s, most);
			str *at = good ? list_add(reader, &list, sizeof(*at)) : NULL;
			if (at)
				*at = s;
			else
				(*bad)++;
		}
	}
	*ret = list.items;
	*ret_n = list.n;
}

/* Each severity once. Few are, so that a record with more is too large: the search is quadratic. */
static void add_severity(
        struct reader *reader, struct list *list, struct advisory_severity severity)
{
	const struct advisory_severity *all = list->items;
	if (list->n >= SEVERITIES_MAX) {
		reader->full = true;
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		if (str_eq(all[i].type, severity.type) && str_eq(all[i].score, severity.score))
			return;
	}
	struct advisory_severity *at = list_add(reader, list, sizeof(*at));
	if (at)
		*at = severity;
}

static void read_severities(struct reader *reader, struct list *list)
{
	struct json *json = &reader->json;
	if (!json_array_begin(json))
		return;
	while (json_next_element(json)) {
		struct advisory_severity severity = { 0 };
		str key;
		if (!json_object_begin(json))
			continue;
		while (json_next_key(json, &key)) {
			if (str_eq(key, STR("type")))
				(void)json_string(json, &severity.type);
			else if (str_eq(key, STR("score")))
				(void)json_string(json, &severity.score);
			else
				json_skip(json);
		}
		if (severity.type.n > 0 && severity.score.n > 0)
			add_severity(reader, list, severity);
	}
}

/*
 * {"severity": "HIGH"} in database_specific or ecosystem_specific. Its type is set when the id is
 * known.
 */
static void read_word(struct reader *reader)
{
	struct json *json = &reader->json;
	str key, word;
	if (!json_object_begin(json))
		return;
	while (json_next_key(json, &key)) {
		if (!str_eq(key, STR("severity")))
			json_skip(json);
		else if (json_string(json, &word) && is_name(word, WORD_MAX_BYTES))
			add_severity(reader, &reader->severities->words,
			        (struct advisory_severity){ .score = word });
	}
}

static bool is_specific(str key)
{
	return str_eq(key, STR("database_specific")) || str_eq(key, STR("ecosystem_specific"));
}

static void read_references(struct reader *reader, struct advisory *advisory)
{
	struct json *json = &reader->json;
	struct list list = { 0 };
	if (!json_array_begin(json))
		return;
	while (json_next_element(json)) {
		str key, url = { NULL, 0 };
		if (!json_object_begin(json))
			continue;
		while (json_next_key(json, &key)) {
			if (str_eq(key, STR("url")))
				(void)json_string(json, &url);
			else
				json_skip(json);
		}
		str *at = url.n > 0 ? list_add(reader, &list, sizeof(*at)) : NULL;
		if (at)
			*at = url;
	}
	advisory->references = list.items;
	advisory->n_references = list.n;
}

static bool event_kind(str key, enum advisory_event_kind *ret)
{
	static const struct {
		str key;
		enum advisory_event_kind kind;
	} kinds[] = {
		{ { "introduced", 10 }, EVENT_INTRODUCED },
		{ { "fixed", 5 }, EVENT_FIXED },
		{ { "last_affected", 13 }, EVENT_LAST_AFFECTED },
		{ { "limit", 5 }, EVENT_LIMIT },
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (str_eq(key, kinds[i].key)) {
			*ret = kinds[i].kind;
			return true;
		}
	}
	return false;
}

/* A range as it is read. */
struct draft {
	enum { RANGE_UNKNOWN, RANGE_GIT, RANGE_USABLE } type;
	bool is_semver;
	bool is_bad; /* an event cannot be used */
	bool begins; /* something is introduced */
	struct list events;
};

/* {"introduced": "0"}; also several members in one object, each an event of its own. */
static void read_event(struct reader *reader, struct draft *draft)
{
	struct json *json = &reader->json;
	str key, version;
	if (!json_object_begin(json)) {
		draft->is_bad = true;
		return;
	}
	while (json_next_key(json, &key)) {
		enum advisory_event_kind kind;
		if (!event_kind(key, &kind)) {
			json_skip(json);
			continue;
		}
		if (!json_string(json, &version) || !is_name(version, VERSION_TEXT_MAX_BYTES)) {
			draft->is_bad = true;
			continue;
		}
		struct advisory_event *at = list_add(reader, &draft->events, sizeof(*at));
		if (at)
			*at = (struct advisory_event){ .kind = kind, .version = version };
		draft->begins |= kind == EVENT_INTRODUCED;
	}
}

static void read_range(struct reader *reader, struct draft *draft)
{
	struct json *json = &reader->json;
	str key, type = { NULL, 0 };
	if (!json_object_begin(json))
		return;
	while (json_next_key(json, &key)) {
		if (str_eq(key, STR("type"))) {
			(void)json_string(json, &type);
		} else if (str_eq(key, STR("events"))) {
			if (!json_array_begin(json))
				continue;
			while (json_next_element(json))
				read_event(reader, draft);
		} else {
			json_skip(json);
		}
	}
	draft->is_semver = str_eq(type, STR("SEMVER"));
	if (str_eq(type, STR("GIT")))
		draft->type = RANGE_GIT;
	else if (draft->is_semver || str_eq(type, STR("ECOSYSTEM")))
		draft->type = RANGE_USABLE;
}

/* One entry of `affected` as it is read. */
struct entry {
	struct advisory_affected affected;
	struct list ranges;
	uint64_t n_git, n_bad_ranges, n_bad_versions;
};

static void read_ranges(struct reader *reader, struct entry *entry)
{
	struct json *json = &reader->json;
	if (!json_array_begin(json))
		return;
	while (json_next_element(json)) {
		struct draft draft = { .type = RANGE_UNKNOWN };
		read_range(reader, &draft);
		if (draft.type == RANGE_GIT) {
			entry->n_git++;
			continue;
		}
		if (draft.type == RANGE_UNKNOWN || draft.is_bad || !draft.begins) {
			entry->n_bad_ranges++;
			continue;
		}
		struct advisory_range *at = list_add(reader, &entry->ranges, sizeof(*at));
		if (at)
			*at = (struct advisory_range){ .is_semver = draft.is_semver,
				.events = draft.events.items,
				.n_events = draft.events.n };
	}
}

static void read_package(struct reader *reader, struct advisory_affected *affected)
{
	struct json *json = &reader->json;
	str key;
	if (!json_object_begin(json))
		return;
	while (json_next_key(json, &key)) {
		if (str_eq(key, STR("ecosystem")))
			(void)json_string(json, &affected->ecosystem);
		else if (str_eq(key, STR("name")))
			(void)json_string(json, &affected->package);
		else
			json_skip(json);
	}
}

/* Of what use is an entry? */
static enum reason judge(const struct entry *entry)
{
	const struct advisory_affected *affected = &entry->affected;
	if (!is_name(affected->ecosystem, ECOSYSTEM_MAX_BYTES) ||
	        !is_name(affected->package, PACKAGE_MAX_BYTES))
		return REASON_NO_PACKAGE;
	if (affected->n_ranges > 0 || affected->n_versions > 0)
		return REASON_USED;
	if (entry->n_bad_ranges > 0 || entry->n_bad_versions > 0)
		return REASON_BAD_EVENT;
	return entry->n_git > 0 ? REASON_ONLY_GIT : REASON_NO_RANGE;
}

static void read_entry(struct reader *reader, struct list *affected)
{
	struct json *json = &reader->json;
	struct entry entry = { 0 };
	str key;
	if (!json_object_begin(json)) {
		reader->osv->left_out[REASON_NO_PACKAGE]++;
		return;
	}
	while (json_next_key(json, &key)) {
		if (str_eq(key, STR("package")))
			read_package(reader, &entry.affected);
		else if (str_eq(key, STR("ranges")))
			read_ranges(reader, &entry);
		else if (str_eq(key, STR("versions")))
			read_names(reader, VERSION_TEXT_MAX_BYTES, &entry.affected.versions,
			        &entry.affected.n_versions, &entry.n_bad_versions);
		else if (str_eq(key, STR("severity")))
			read_severities(reader, &reader->severities->rated);
		else if (is_specific(key))
			read_word(reader);
		else
			json_skip(json);
	}
	entry.affected.ranges = entry.ranges.items;
	entry.affected.n_ranges = entry.ranges.n;
	enum reason why = judge(&entry);
	if (why != REASON_USED) {
		reader->osv->left_out[why]++;
		return;
	}
	reader->osv->n_bad_ranges += entry.n_bad_ranges;
	reader->osv->n_bad_versions += entry.n_bad_versions;
	struct advisory_affected *at = list_add(reader, affected, sizeof(*at));
	if (at)
		*at = entry.affected;
}

static void read_affected(struct reader *reader)
{
	struct list list = { 0 };
	if (!json_array_begin(&reader->json))
		return;
	while (json_next_element(&reader->json))
		read_entry(reader, &list);
	reader->osv->affected = list.items;
	reader->osv->n_affected = list.n;
}

/* A member that is one text. */
static str *text_member(struct advisory *a, str key)
{
	if (str_eq(key, STR("id")))
		return &a->id;
	if (str_eq(key, STR("summary")))
		return &a->title;
	if (str_eq(key, STR("details")))
		return &a->details;
	if (str_eq(key, STR("published")))
		return &a->published;
	if (str_eq(key, STR("modified")))
		return &a->modified;
	return str_eq(key, STR("withdrawn")) ? &a->withdrawn : NULL;
}

static void read_member(struct reader *reader, str key)
{
	struct osv *osv = reader->osv;
	struct advisory *a = &osv->advisory;
	str *text = text_member(a, key);
	if (text)
		(void)json_string(&reader->json, text);
	else if (str_eq(key, STR("aliases")))
		read_names(reader, ID_MAX_BYTES, &a->aliases, &a->n_aliases, &osv->n_bad_ids);
	else if (str_eq(key, STR("upstream")))
		read_names(reader, ID_MAX_BYTES, &a->upstream, &a->n_upstream, &osv->n_bad_ids);
	else if (str_eq(key, STR("related")))
		read_names(reader, ID_MAX_BYTES, &a->related, &a->n_related, &osv->n_bad_ids);
	else if (str_eq(key, STR("severity")))
		read_severities(reader, &reader->severities->rated);
	else if (is_specific(key))
		read_word(reader);
	else if (str_eq(key, STR("references")))
		read_references(reader, a);
	else if (str_eq(key, STR("affected")))
		read_affected(reader);
	else
		json_skip(&reader->json);
}

/* No entry can be used: the reason of the one that came furthest. */
static enum reason worst(const struct osv *osv)
{
	static const enum reason order[] = { REASON_BAD_EVENT, REASON_ONLY_GIT, REASON_NO_RANGE };
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (osv->left_out[order[i]] > 0)
			return order[i];
	}
	return REASON_NO_PACKAGE;
}

/* All severities, the words last, each with the prefix of the publisher's ids as its type. */
static void join_severities(struct reader *reader, const struct origin *origin)
{
	struct severities *all = reader->severities;
	struct advisory *a = &reader->osv->advisory;
	const struct advisory_severity *words = all->words.items;
	for (size_t i = 0; i < all->words.n; i++)
		add_severity(reader, &all->rated,
		        (struct advisory_severity){
		                .type = origin ? str_from_c(origin->prefix) : STR("word"),
		                .score = words[i].score });
	a->severities = all->rated.items;
	a->n_severities = all->rated.n;
}

enum reason osv_read(str json, struct arena *arena, struct osv *ret)
{
	struct severities severities = { 0 };
	struct reader reader = {
		.json = JSON(json, arena), .arena = arena, .osv = ret, .severities = &severities
	};
	struct advisory *a = &ret->advisory;
	str key;
	*ret = (struct osv){ 0 };
	if (json_object_begin(&reader.json)) {
		while (json_next_key(&reader.json, &key))
			read_member(&reader, key);
	} else {
		return REASON_NOT_JSON;
	}
	int r = json_finish(&reader.json, NULL);
	if (reader.full || r == -ERR_LIMIT)
		return REASON_TOO_LARGE;
	if (r < 0)
		return REASON_NOT_JSON;
	if (!is_name(a->id, ID_MAX_BYTES)) {
		a->id = (str){ NULL, 0 };
		return REASON_NO_ID;
	}
	if (a->withdrawn.n > 0)
		return REASON_WITHDRAWN;
	if (str_has_prefix(a->id, STR("MAL-")))
		return REASON_MALICIOUS;
	const struct origin *origin = origin_of_id(a->id);
	a->uses_related = origin && origin->uses_related;
	join_severities(&reader, origin);
	if (reader.full)
		return REASON_TOO_LARGE;
	return ret->n_affected > 0 ? REASON_USED : worst(ret);
}

bool osv_looks_like(str head)
{
	struct arena arena = ARENA((size_t)1 << 20);
	struct json json = JSON(head, &arena);
	bool has_id = false, has_more = false;
	str key, id;
	if (json_object_begin(&json)) {
		while (!(has_id && has_more) && json_next_key(&json, &key)) {
			if (str_eq(key, STR("id")) && json_peek(&json) == JSON_STRING)
				has_id = json_string(&json, &id) && id.n > 0;
			else if (str_eq(key, STR("modified")) || str_eq(key, STR("affected")) ||
			         str_eq(key, STR("schema_version")))
				has_more = true, json_skip(&json);
			else
				json_skip(&json);
		}
	}
	arena_fini(&arena);
	return has_id && has_more;
}

void osv_describe(const struct osv *osv, struct buf *out)
{
	uint64_t n = 0;
	for (size_t i = 0; i < REASON_COUNT; i++)
		n += osv->left_out[i];
	if (n > 0) {
		const char *between = ": ";
		buf_printf(out, "%llu of %llu packages left out", (unsigned long long)n,
		        (unsigned long long)(n + osv->n_affected));
		for (size_t i = 0; i < REASON_COUNT; i++) {
			if (osv->left_out[i] == 0)
				continue;
			buf_printf(out, "%s%s", between, reason_name((enum reason)i));
			between = ", ";
		}
	}
	if (osv->n_bad_ranges > 0)
		buf_printf(out, "%s%llu ranges left out: no usable event", out->n ? "; " : "",
		        (unsigned long long)osv->n_bad_ranges);
	if (osv->n_bad_versions > 0)
		buf_printf(out, "%s%llu listed versions left out", out->n ? "; " : "",
		        (unsigned long long)osv->n_bad_versions);
	if (osv->n_bad_ids > 0)
		buf_printf(out, "%s%llu aliases or related ids left out", out->n ? "; " : "",
		        (unsigned long long)osv->n_bad_ids);
}
