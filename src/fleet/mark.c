/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks as bytes: a version, numbers little-endian, texts with their length. A mark that is not set
 * is no bytes.
 */
#include "base/cursor.h"
#include "fleet/query.h"

#define MARK_VERSION 1

/* Longer than any vulnerability's name or any text that is sorted by. */
#define MARK_TEXT_MAX_BYTES 4096u

void query_mark_write(const struct query_mark *mark, struct buf *out)
{
	uint64_t number;
	if (!mark->is_set)
		return;
	memcpy(&number, &mark->number, sizeof(number));
	buf_add_byte(out, MARK_VERSION);
	buf_add_u64(out, mark->generation);
	buf_add_u64(out, number);
	buf_add_u64(out, mark->host);
	buf_add_u64(out, (uint64_t)mark->first_observed);
	buf_add_str(out, str_head(mark->text, MARK_TEXT_MAX_BYTES));
	buf_add_str(out, str_head(mark->name, MARK_TEXT_MAX_BYTES));
}

int query_mark_read(str bytes, struct arena *arena, struct query_mark *ret)
{
	struct query_mark mark = { .is_set = true };
	if (bytes.n == 0) {
		*ret = (struct query_mark){ .is_set = false };
		return 0;
	}
	struct cursor cursor = CURSOR(bytes);
	uint8_t version = cursor_u8(&cursor);
	mark.generation = cursor_u64(&cursor);
	uint64_t number = cursor_u64(&cursor);
	mark.host = cursor_u64(&cursor);
	mark.first_observed = (int64_t)cursor_u64(&cursor);
	str text = cursor_str(&cursor);
	str name = cursor_str(&cursor);
	memcpy(&mark.number, &number, sizeof(number));
	if (cursor_failed(&cursor) || cursor.rest.n > 0 || version != MARK_VERSION)
		return -ERR_FORMAT;
	if (text.n > MARK_TEXT_MAX_BYTES || name.n > MARK_TEXT_MAX_BYTES ||
	        mark.host > UINT32_MAX || mark.number != mark.number)
		return -ERR_FORMAT;
	int r = arena_copy(arena, text, &mark.text);
	if (r >= 0)
		r = arena_copy(arena, name, &mark.name);
	if (r >= 0)
		*ret = mark;
	return r;
}
