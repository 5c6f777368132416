/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/matches.h"

#include <errno.h>

#include "base/buf.h"
#include "fleet/keys.h"

static void write_matches(const struct match *matches, size_t n, struct buf *out)
{
	buf_add_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		buf_add_u32(out, matches[i].issue->vuln);
		buf_add_u64(out, (uint64_t)matches[i].matched_at);
	}
}

int matches_put(struct store_batch *batch, const struct prepared *prepared, struct err *err)
{
	autobuf record = BUF(STORE_LARGE_MAX_BYTES);
	if (prepared->n == 0)
		return 0;
	write_matches(prepared->matches, prepared->n, &record);
	if (buf_failed(&record))
		return err_set(err, -ENOMEM, "no memory for matches");
	const struct key key = key_u32(prepared->element);
	store_batch_put(batch, key_at(0, 0, KIND_MATCHES, &key), buf_str(&record));
	return 0;
}

int matches_journal(struct journal *journal, element_id element, const struct match *matches,
        size_t n, struct err *err)
{
	autobuf record = BUF(STORE_LARGE_MAX_BYTES);
	const struct key key = key_u32(element);
	if (n == 0) {
		journal_delete(journal, key_at(0, 0, KIND_MATCHES, &key));
		return 0;
	}
	write_matches(matches, n, &record);
	if (buf_failed(&record))
		return err_set(err, -ENOMEM, "no memory for matches");
	journal_put(journal, key_at(0, 0, KIND_MATCHES, &key), buf_str(&record));
	return 0;
}

int matches_read(
        str record, struct arena *arena, struct known_match **ret, size_t *ret_n, struct err *err)
{
	struct cursor cursor = CURSOR(record);
	size_t n = cursor_u32(&cursor);
	if (n > cursor.rest.n / 12)
		return err_set(err, -ERR_FORMAT, "a record of matches is damaged");
	struct known_match *matches = arena_alloc(arena, n, sizeof(*matches));
	if (!matches)
		return err_set(err, -ERR_LIMIT, "matches need too much memory");
	for (size_t i = 0; i < n; i++) {
		matches[i].vuln = cursor_u32(&cursor);
		matches[i].matched_at = (int64_t)cursor_u64(&cursor);
		if (matches[i].vuln == 0 || (i > 0 && matches[i].vuln <= matches[i - 1].vuln))
			cursor.failed = true;
	}
	if (cursor_failed(&cursor) || cursor.rest.n > 0)
		return err_set(err, -ERR_FORMAT, "a record of matches is damaged");
	*ret = matches;
	*ret_n = n;
	return 0;
}
