/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log is a header and frames, a frame a header and one page. Each frame repeats the salts of the
 * log's header, and a checksum runs on from the header through all frames. A frame counts when both
 * agree and some frame from it on is a commit; the first that does not agree ends the log. What
 * follows may be left from an older round of the same file: the salts tell it apart from damage.
 */
#include "inventory/rpm_wal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cursor.h"

#define MAGIC 0x377f0682u /* + 1: checksums over big-endian words */
#define VERSION 3007000u
#define HEADER_BYTES 32
#define FRAME_HEADER_BYTES 24
#define WAL_MAX_BYTES ((uint64_t)1 << 30)

struct sums {
	uint32_t a, b;
	bool is_big_endian;
};

static uint32_t word(const struct sums *sums, struct cursor *cursor)
{
	return sums->is_big_endian ? cursor_u32be(cursor) : cursor_u32(cursor);
}

/* Run the checksum on over a multiple of 8 bytes. */
static void add(struct sums *sums, str bytes)
{
	for (struct cursor cursor = CURSOR(bytes); cursor.rest.n >= 8;) {
		sums->a += word(sums, &cursor) + sums->b;
		sums->b += word(sums, &cursor) + sums->a;
	}
}

static int read_exactly(const struct artefact *file, void *to, size_t n, uint64_t offset)
{
	int64_t r = file->ops->read_at(file, to, n, offset);
	return r < 0 ? (int)r : (size_t)r == n;
}

static bool is_page_size(uint32_t bytes)
{
	return bytes >= 512 && bytes <= 65536 && (bytes & (bytes - 1)) == 0;
}

/* The log's own header. False when SQLite would not take it for one. */
static bool read_header(struct rpm_wal *wal, struct sums *sums)
{
	str bytes = { (const char *)wal->header, HEADER_BYTES };
	struct cursor cursor = CURSOR(bytes);
	uint32_t magic = cursor_u32be(&cursor), version = cursor_u32be(&cursor);
	uint32_t page_bytes = cursor_u32be(&cursor);
	if ((magic & ~1u) != MAGIC || version != VERSION || !is_page_size(page_bytes))
		return false;
	*sums = (struct sums){ .is_big_endian = magic & 1 };
	add(sums, str_head(bytes, 24));
	cursor = CURSOR(str_skip(bytes, 24));
	wal->page_bytes = page_bytes;
	return cursor_u32be(&cursor) == sums->a && cursor_u32be(&cursor) == sums->b;
}

static str salts_of_log(const struct rpm_wal *wal)
{
	return (str){ (const char *)wal->header + 16, 8 };
}

/* Does frame `i` belong to the log? Runs the checksum on. */
static bool check_frame(const struct rpm_wal *wal, struct sums *sums, str frame)
{
	struct cursor cursor = CURSOR(str_skip(frame, 16));
	if (!str_eq(str_head(str_skip(frame, 8), 8), salts_of_log(wal)))
		return false;
	add(sums, str_head(frame, 8));
	add(sums, str_skip(frame, FRAME_HEADER_BYTES));
	return cursor_u32be(&cursor) == sums->a && cursor_u32be(&cursor) == sums->b;
}

/* Is there a frame with the log's salts from `i` on? Then what ended the log is damage, or a writer
 * that has not committed. */
static bool has_more(const struct rpm_wal *wal, uint64_t i, uint64_t n_frames)
{
	char header[FRAME_HEADER_BYTES];
	for (; i < n_frames; i++) {
		uint64_t at = HEADER_BYTES + i * (FRAME_HEADER_BYTES + wal->page_bytes);
		if (read_exactly(&wal->file, header, sizeof(header), at) != 1)
			return false;
		if (memcmp(header + 8, salts_of_log(wal).p, 8) == 0)
			return true;
	}
	return false;
}

static int by_page(const void *a, const void *b)
{
	const struct rpm_wal_page *x = a, *y = b;
	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return (x->frame > y->frame) - (x->frame < y->frame);
}

/* Keep the last frame of each page. */
static void sort_pages(struct rpm_wal *wal)
{
	size_t n = 0;
	if (wal->n_pages == 0)
		return;
	qsort(wal->pages, wal->n_pages, sizeof(*wal->pages), by_page);
	for (size_t i = 0; i < wal->n_pages; i++) {
		if (n > 0 && wal->pages[n - 1].page == wal->pages[i].page)
			n--;
		wal->pages[n++] = wal->pages[i];
	}
	wal->n_pages = n;
}

/* Every frame up to the last commit. */
static int read_frames(struct rpm_wal *wal, struct sums *sums, struct arena *arena, struct err *err)
{
	size_t frame_bytes = FRAME_HEADER_BYTES + wal->page_bytes;
	uint64_t n_frames = (wal->file.size_bytes - HEADER_BYTES) / frame_bytes, i = 0;
	char *frame = arena_alloc(arena, frame_bytes, 1);
	wal->pages = arena_alloc(arena, (size_t)n_frames, sizeof(*wal->pages));
	if (!frame || !wal->pages)
		return err_set(
		        err, -ERR_LIMIT, "the write-ahead log is more than this job's memory");
	for (; i < n_frames; i++) {
		int r = read_exactly(
		        &wal->file, frame, frame_bytes, HEADER_BYTES + i * frame_bytes);
		if (r < 0)
			return err_set(
			        err, r, "the write-ahead log cannot be read: %s", strerror(-r));
		struct cursor cursor = CURSOR(((str){ frame, frame_bytes }));
		uint32_t page = cursor_u32be(&cursor), commit = cursor_u32be(&cursor);
		if (r == 0 || page == 0 || !check_frame(wal, sums, (str){ frame, frame_bytes }))
			break;
		wal->pages[i] = (struct rpm_wal_page){ page, (uint32_t)i };
		if (commit > 0) {
			wal->n_pages = (size_t)i + 1;
			wal->n_database_pages = commit;
		}
	}
	if (has_more(wal, wal->n_pages, n_frames))
		wal->oddity =
		        "the write-ahead log is damaged or not committed after its last whole "
		        "transaction: what follows is not read";
	sort_pages(wal);
	return 0;
}

int rpm_wal_open(const struct artefact *database, str name, struct arena *arena,
        struct rpm_wal *ret, struct err *err)
{
	struct rpm_wal wal = { 0 };
	struct sums sums;
	int r = database->ops->sibling(database, name, &wal.file);
	*ret = (struct rpm_wal){ 0 };
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(err, r, "the write-ahead log cannot be opened: %s", strerror(-r));
	if (wal.file.size_bytes > WAL_MAX_BYTES)
		r = err_set(err, -ERR_LIMIT, "the write-ahead log has %llu bytes: too large",
		        (unsigned long long)wal.file.size_bytes);
	else if (wal.file.size_bytes >= HEADER_BYTES)
		r = read_exactly(&wal.file, wal.header, HEADER_BYTES, 0);
	if (r < 0 || wal.file.size_bytes < HEADER_BYTES) {
		ret->oddity = r == 0 && wal.file.size_bytes > 0
		                      ? "the write-ahead log is too short to hold anything"
		                      : NULL;
		rpm_wal_close(&wal);
		return r < 0 && r != -ERR_LIMIT
		               ? err_set(err, r, "the write-ahead log cannot be read: %s",
		                         strerror(-r))
		               : r;
	}
	if (read_header(&wal, &sums)) {
		r = read_frames(&wal, &sums, arena, err);
	} else {
		wal.page_bytes = 0;
		wal.oddity = "the write-ahead log has a damaged header: what it holds is not read";
	}
	if (r < 0)
		rpm_wal_close(&wal);
	else
		*ret = wal;
	return r < 0 ? r : 0;
}

bool rpm_wal_find(const struct rpm_wal *wal, uint32_t page, uint64_t *ret_offset)
{
	size_t low = 0, high = wal->n_pages;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (wal->pages[middle].page < page)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == wal->n_pages || wal->pages[low].page != page)
		return false;
	*ret_offset = HEADER_BYTES + FRAME_HEADER_BYTES +
	              (uint64_t)wal->pages[low].frame * (FRAME_HEADER_BYTES + wal->page_bytes);
	return true;
}

bool rpm_wal_is_unchanged(const struct rpm_wal *wal)
{
	unsigned char now[HEADER_BYTES];
	if (!wal->file.ops || wal->page_bytes == 0)
		return true;
	return read_exactly(&wal->file, now, sizeof(now), 0) == 1 &&
	       memcmp(now, wal->header, sizeof(now)) == 0;
}

void rpm_wal_close(struct rpm_wal *wal)
{
	if (wal && wal->file.ops)
		wal->file.ops->close(&wal->file);
	if (wal)
		*wal = (struct rpm_wal){ 0 };
}
