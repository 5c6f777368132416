/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fleet/keys.h"

/* A part is one record, and one batch when it is carried out. */
#define PART_OPERATIONS 4000u
#define PART_BYTES ((size_t)16 << 20)
#define PART_MAX_BYTES STORE_LARGE_MAX_BYTES
#define MARK STR("journal")

enum { OPERATION_PUT = 1, OPERATION_DELETE = 2 };

static struct store_key mark_key(void)
{
	return (struct store_key){ .account = 0, .bucket = 0, .kind = KIND_META, .key = MARK };
}

void journal_fini(struct journal *journal)
{
	for (size_t i = 0; i < journal->n_parts; i++)
		buf_fini(&journal->parts[i]);
	free(journal->parts);
	*journal = (struct journal){ .n_parts = 0 };
}

/* The part that takes an operation of about so many bytes. */
static struct buf *part_for(struct journal *journal, size_t bytes)
{
	if (journal->n_parts > 0 && journal->n_last < PART_OPERATIONS) {
		struct buf *last = &journal->parts[journal->n_parts - 1];
		if (last->n + bytes <= PART_BYTES) {
			journal->n_last++;
			return last;
		}
	}
	if (journal->n_parts == journal->cap_parts) {
		size_t cap = journal->cap_parts ? 2 * journal->cap_parts : 4;
		struct buf *larger = reallocarray(journal->parts, cap, sizeof(*larger));
		if (!larger) {
			journal->failed = true;
			return NULL;
		}
		journal->parts = larger;
		journal->cap_parts = cap;
	}
	journal->n_last = 1;
	struct buf *part = &journal->parts[journal->n_parts++];
	*part = BUF(PART_MAX_BYTES);
	return part;
}

static void add(struct journal *journal, int operation, const struct store_key *key, str value)
{
	struct buf *part = part_for(journal, 64 + key->key.n + value.n);
	if (!part)
		return;
	buf_add_byte(part, (char)operation);
	buf_add_u64(part, (uint64_t)key->account);
	buf_add_byte(part, (char)key->bucket);
	buf_add_byte(part, (char)key->kind);
	buf_add_str(part, key->key);
	buf_add_str(part, value);
	journal->failed |= buf_failed(part);
}

void journal_put(struct journal *journal, struct store_key key, str value)
{
	add(journal, OPERATION_PUT, &key, value);
}

void journal_delete(struct journal *journal, struct store_key key)
{
	add(journal, OPERATION_DELETE, &key, (str){ "", 0 });
}

/* Commit what a part says. */
static int carry_out(struct store *store, str part, struct err *err)
{
	cleanup(store_batch_fini) struct store_batch batch;
	struct cursor cursor = CURSOR(part);
	store_batch_init(&batch, 0);
	while (cursor.rest.n > 0 && !cursor_failed(&cursor)) {
		uint8_t operation = cursor_u8(&cursor);
		struct store_key key = { .account = (int64_t)cursor_u64(&cursor) };
		key.bucket = cursor_u8(&cursor);
		key.kind = cursor_u8(&cursor);
		key.key = cursor_str(&cursor);
		str value = cursor_str(&cursor);
		if (cursor_failed(&cursor))
			break;
		if (operation == OPERATION_PUT)
			store_batch_put(&batch, key, value);
		else if (operation == OPERATION_DELETE)
			store_batch_delete(&batch, key);
		else
			cursor.failed = true;
	}
	if (cursor_failed(&cursor))
		return err_set(err, -ERR_FORMAT, "the journal is damaged");
	return store_commit(store, &batch, err);
}

/* Remove the mark first: parts without one mean nothing. */
static int clear(struct store *store, struct err *err)
{
	const struct key none = { .n = 0 };
	for (uint64_t deleted = 1; deleted > 0;) {
		cleanup(store_batch_fini) struct store_batch batch;
		store_batch_init(&batch, 0);
		store_batch_delete(&batch, mark_key());
		store_batch_delete_range(&batch, key_at(0, 0, KIND_JOURNAL, &none), (str){ "", 0 },
		        STORE_DELETE_MAX);
		int r = store_commit(store, &batch, err);
		if (r < 0)
			return r;
		deleted = batch.n_deleted > 1 ? batch.n_deleted - 1 : 0;
	}
	return 0;
}

static int write_down(struct journal *journal, struct store *store, struct err *err)
{
	for (size_t i = 0; i < journal->n_parts; i++) {
		cleanup(store_batch_fini) struct store_batch batch;
		const struct key key = key_u32((uint32_t)i + 1);
		store_batch_init(&batch, 0);
		store_batch_put(
		        &batch, key_at(0, 0, KIND_JOURNAL, &key), buf_str(&journal->parts[i]));
		int r = store_commit(store, &batch, err);
		if (r < 0)
			return r;
	}
	cleanup(store_batch_fini) struct store_batch batch;
	autobuf count = BUF(32);
	buf_printf(&count, "%zu", journal->n_parts);
	store_batch_init(&batch, 0);
	store_batch_put(&batch, mark_key(), buf_str(&count));
	return store_commit(store, &batch, err);
}

int journal_commit(struct journal *journal, struct store *store, bool *ret_waits, struct err *err)
{
	*ret_waits = false;
	if (journal->failed)
		return err_set(err, -ENOMEM, "no memory for what has to be written");
	if (journal->n_parts == 0)
		return 0;
	if (journal->n_parts == 1)
		return carry_out(store, buf_str(&journal->parts[0]), err);
	int r = clear(store, err);
	if (r == 0)
		r = write_down(journal, store, err);
	if (r == 0)
		*ret_waits = journal_finish(store, NULL) < 0;
	return r;
}

int journal_finish(struct store *store, struct err *err)
{
	cleanup(arena_fini) struct arena memory = ARENA((size_t)1 << 20);
	uint64_t n_parts = 0;
	str mark;
	int r = store_get(store, mark_key(), &memory, &mark, err);
	if (r == -ENOENT)
		return clear(store, err);
	if (r < 0)
		return r;
	if (!str_to_u64(mark, UINT32_MAX, &n_parts))
		return err_set(err, -ERR_FORMAT, "the mark of the journal is damaged");
	for (uint64_t i = 1; i <= n_parts; i++) {
		cleanup(arena_fini) struct arena arena = ARENA(PART_MAX_BYTES + ((size_t)1 << 20));
		const struct key key = key_u32((uint32_t)i);
		str part;
		r = store_get(store, key_at(0, 0, KIND_JOURNAL, &key), &arena, &part, err);
		if (r == -ENOENT)
			return err_set(err, -ERR_FORMAT, "a part of the journal is missing");
		if (r == 0)
			r = carry_out(store, part, err);
		if (r < 0)
			return r;
	}
	return clear(store, err);
}
