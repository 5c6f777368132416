/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/encode.h"

enum {
	HEAD_USES_RELATED = 1,
	RANGE_SEMVER = 1,
};

void encode_number(struct buf *out, uint64_t v)
{
	char bytes[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (char)(unsigned char)(v | 0x80);
	bytes[n++] = (char)(unsigned char)v;
	buf_add(out, (str){ bytes, n });
}

void encode_text(struct buf *out, str s)
{
	encode_number(out, s.n);
	buf_add(out, s);
}

static void encode_list(struct buf *out, const str *items, size_t n)
{
	encode_number(out, n);
	for (size_t i = 0; i < n; i++)
		encode_text(out, items[i]);
}

uint64_t decode_number(struct cursor *in)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = cursor_u8(in);
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return v;
	}
	in->failed = true;
	return 0;
}

str decode_text(struct cursor *in)
{
	uint64_t n = decode_number(in);
	return cursor_bytes(in, n > SIZE_MAX ? SIZE_MAX : (size_t)n);
}

size_t decode_count(struct cursor *in)
{
	uint64_t n = decode_number(in);
	if (n > in->rest.n)
		in->failed = true;
	return in->failed ? 0 : (size_t)n;
}

/* Memory for `n` elements, or a failed cursor with *ret_full set. */
static void *elements(struct cursor *in, struct arena *arena, size_t n, size_t size, bool *ret_full)
{
	void *p = n > 0 ? arena_alloc(arena, n, size) : NULL;
	if (n > 0 && !p) {
		in->failed = true;
		*ret_full = true;
	}
	return p;
}

static size_t decode_list(struct cursor *in, struct arena *arena, const str **ret, bool *ret_full)
{
	size_t n = decode_count(in);
	str *items = elements(in, arena, n, sizeof(*items), ret_full);
	if (!items)
		return 0;
	for (size_t i = 0; i < n; i++)
		items[i] = decode_text(in);
	*ret = items;
	return n;
}

/* The result of a decoder that should have used up its input. */
static int end(const struct cursor *in, bool full)
{
	if (full)
		return -ERR_LIMIT;
	return cursor_failed(in) || in->rest.n > 0 ? -ERR_FORMAT : 0;
}

void encode_head(struct buf *out, const struct advisory *a)
{
	buf_add_byte(out, a->uses_related ? HEAD_USES_RELATED : 0);
	encode_text(out, a->title);
	encode_text(out, a->published);
	encode_text(out, a->modified);
	encode_text(out, a->withdrawn);
	encode_list(out, a->aliases, a->n_aliases);
	encode_list(out, a->upstream, a->n_upstream);
	encode_list(out, a->related, a->n_related);
	encode_number(out, a->n_severities);
	for (size_t i = 0; i < a->n_severities; i++) {
		encode_text(out, a->severities[i].type);
		encode_text(out, a->severities[i].score);
	}
}

int decode_head(str bytes, struct arena *arena, struct advisory *ret)
{
	struct cursor in = CURSOR(bytes);
	bool full = false;
	ret->uses_related = cursor_u8(&in) & HEAD_USES_RELATED;
	ret->title = decode_text(&in);
	ret->published = decode_text(&in);
	ret->modified = decode_text(&in);
	ret->withdrawn = decode_text(&in);
	ret->n_aliases = decode_list(&in, arena, &ret->aliases, &full);
	ret->n_upstream = decode_list(&in, arena, &ret->upstream, &full);
	ret->n_related = decode_list(&in, arena, &ret->related, &full);
	size_t n = decode_count(&in);
	struct advisory_severity *severities = elements(&in, arena, n, sizeof(*severities), &full);
	for (size_t i = 0; severities && i < n; i++) {
		severities[i].type = decode_text(&in);
		severities[i].score = decode_text(&in);
	}
	ret->severities = severities;
	ret->n_severities = severities ? n : 0;
	return end(&in, full);
}

void encode_body(struct buf *out, const struct advisory_affected *affected)
{
	encode_number(out, affected->n_ranges);
	for (size_t i = 0; i < affected->n_ranges; i++) {
		const struct advisory_range *range = &affected->ranges[i];
		buf_add_byte(out, range->is_semver ? RANGE_SEMVER : 0);
		encode_number(out, range->n_events);
		for (size_t j = 0; j < range->n_events; j++) {
			buf_add_byte(out, (char)range->events[j].kind);
			encode_text(out, range->events[j].version);
		}
	}
	encode_list(out, affected->versions, affected->n_versions);
}

static void decode_range(
        struct cursor *in, struct arena *arena, struct advisory_range *ret, bool *ret_full)
{
	ret->is_semver = cursor_u8(in) & RANGE_SEMVER;
	size_t n = decode_count(in);
	struct advisory_event *events = elements(in, arena, n, sizeof(*events), ret_full);
	for (size_t i = 0; events && i < n; i++) {
		uint8_t kind = cursor_u8(in);
		if (kind > EVENT_LIMIT)
			in->failed = true;
		events[i].kind = (enum advisory_event_kind)kind;
		events[i].version = decode_text(in);
	}
	ret->events = events;
	ret->n_events = events ? n : 0;
}

static void decode_body_at(
        struct cursor *in, struct arena *arena, struct advisory_affected *ret, bool *ret_full)
{
	size_t n = decode_count(in);
	struct advisory_range *ranges = elements(in, arena, n, sizeof(*ranges), ret_full);
	for (size_t i = 0; ranges && i < n && !cursor_failed(in); i++)
		decode_range(in, arena, &ranges[i], ret_full);
	ret->ranges = ranges;
	ret->n_ranges = ranges ? n : 0;
	ret->n_versions = decode_list(in, arena, &ret->versions, ret_full);
}

int decode_body(str bytes, struct arena *arena, struct advisory_affected *ret)
{
	struct cursor in = CURSOR(bytes);
	bool full = false;
	decode_body_at(&in, arena, ret, &full);
	return end(&in, full);
}

void encode_cold(struct buf *out, const struct advisory *a,
        const struct advisory_affected *affected, size_t n_affected)
{
	encode_text(out, a->details);
	encode_list(out, a->references, a->n_references);
	encode_number(out, n_affected);
	for (size_t i = 0; i < n_affected; i++) {
		encode_text(out, affected[i].ecosystem);
		encode_text(out, affected[i].package);
		encode_body(out, &affected[i]);
	}
}

int decode_cold(str bytes, struct arena *arena, struct advisory *ret,
        const struct advisory_affected **ret_affected, size_t *ret_count)
{
	struct cursor in = CURSOR(bytes);
	bool full = false;
	ret->details = decode_text(&in);
	ret->n_references = decode_list(&in, arena, &ret->references, &full);
	size_t n = decode_count(&in);
	struct advisory_affected *affected = elements(&in, arena, n, sizeof(*affected), &full);
	for (size_t i = 0; affected && i < n && !cursor_failed(&in); i++) {
		affected[i].ecosystem = decode_text(&in);
		affected[i].package = decode_text(&in);
		decode_body_at(&in, arena, &affected[i], &full);
	}
	*ret_affected = affected;
	*ret_count = affected ? n : 0;
	return end(&in, full);
}
