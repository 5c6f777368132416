/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   | local header, name, extra | data | ... | central directory | [zip64 end] | end, comment |
 *
 * The end record is looked for from the back; it leads to the directory, and that to the entries.
 * What a local header says again is compared where it matters (name, method) and ignored where it
 * may be zero.
 */
#include "zip/zip.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "base/hash.h"

#define LOCAL_BYTES 30u
#define CENTRAL_BYTES 46u
#define END_BYTES 22u
#define END64_BYTES 56u
#define LOCATOR64_BYTES 20u
#define COMMENT_MAX 65535u

#define LOCAL_MAGIC 0x04034b50u
#define CENTRAL_MAGIC 0x02014b50u
#define END_MAGIC 0x06054b50u
#define END64_MAGIC 0x06064b50u
#define LOCATOR64_MAGIC 0x07064b50u

#define METHOD_STORED 0
#define METHOD_DEFLATED 8
#define FLAG_ENCRYPTED 1

#define ENTRIES_MAX 4000000u
#define DIRECTORY_MAX_BYTES ((size_t)512 << 20)
/* JSON packs 5 to 20 times; an archive that claims more than this is a bomb. */
#define UNPACKED_RATIO_MAX 200u
#define UNPACKED_FREE_BYTES ((uint64_t)64 << 20)

struct zip {
	int fd;
	uint64_t file_bytes;
	struct buf directory; /* holds the names */
	struct zip_entry *entries;
	size_t n_entries;
	struct buf packed; /* the data of the entry being read */
	z_stream stream;
	bool has_stream;
};

/* Where the directory is, from the end record. */
struct end {
	uint64_t n_entries, directory_bytes, directory_at;
};

/* Read exactly `n` bytes at `at` to the end of `out`. */
static int read_at(struct zip *zip, uint64_t at, size_t n, struct buf *out, struct err *err)
{
	if (at > zip->file_bytes || n > zip->file_bytes - at)
		return err_set(err, -ERR_FORMAT, "the zip ends before byte %llu: truncated",
		        (unsigned long long)(at + n));
	char *to = buf_reserve(out, n);
	if (!to)
		return err_set(err, -ENOMEM, "out of memory for %zu bytes of a zip", n);
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(zip->fd, to + done, n - done, (off_t)(at + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, -errno, "cannot read the zip: %s", strerror(errno));
		if (got == 0)
			return err_set(err, -ERR_FORMAT, "the zip shrank while it was read");
		done += (size_t)got;
	}
	out->n += n;
	return 0;
}

/* The zip64 end record, if a locator stands in front of the end record that begins at `end_at`. */
static int read_end64(struct zip *zip, uint64_t end_at, struct end *end, struct err *err)
{
	autobuf bytes = BUF(END64_BYTES);
	if (end_at < LOCATOR64_BYTES)
		return 0;
	int r = read_at(zip, end_at - LOCATOR64_BYTES, LOCATOR64_BYTES, &bytes, err);
	if (r < 0)
		return r;
	struct cursor in = CURSOR(buf_str(&bytes));
	if (cursor_u32(&in) != LOCATOR64_MAGIC)
		return 0;
	(void)cursor_u32(&in); /* part with the record */
	uint64_t at = cursor_u64(&in);
	if (cursor_u32(&in) > 1)
		return err_set(err, -ERR_UNSUPPORTED, "one part of a split zip");
	buf_clear(&bytes);
	r = read_at(zip, at, END64_BYTES, &bytes, err);
	if (r < 0)
		return r;
	in = CURSOR(buf_str(&bytes));
	if (cursor_u32(&in) != END64_MAGIC)
		return err_set(err, -ERR_FORMAT, "the zip64 end record is damaged");
	(void)cursor_bytes(&in, 8 + 2 + 2 + 4 + 4 + 8);
	end->n_entries = cursor_u64(&in);
	end->directory_bytes = cursor_u64(&in);
	end->directory_at = cursor_u64(&in);
	return 0;
}

/* The end record: the last one whose comment reaches exactly to the end of the file. */
static int read_end(struct zip *zip, struct end *ret, struct err *err)
{
	uint64_t most = END_BYTES + COMMENT_MAX;
	size_t n = (size_t)(zip->file_bytes < most ? zip->file_bytes : most);
	uint64_t tail_at = zip->file_bytes - n;
	autobuf tail = BUF((size_t)most);
	int r = read_at(zip, tail_at, n, &tail, err);
	if (r < 0)
		return r;
	for (size_t i = n >= END_BYTES ? n - END_BYTES + 1 : 0; i-- > 0;) {
		struct cursor in = CURSOR(str_skip(buf_str(&tail), i));
		if (cursor_u32(&in) != END_MAGIC)
			continue;
		uint16_t part = cursor_u16(&in), first_part = cursor_u16(&in);
		(void)cursor_u16(&in); /* entries in this part */
		struct end end = { .n_entries = cursor_u16(&in) };
		end.directory_bytes = cursor_u32(&in);
		end.directory_at = cursor_u32(&in);
		if (cursor_u16(&in) != in.rest.n)
			continue;
		if ((part != 0 && part != 0xffff) || (first_part != 0 && first_part != 0xffff))
			return err_set(err, -ERR_UNSUPPORTED, "one part of a split zip");
		r = read_end64(zip, tail_at + i, &end, err);
		if (r == 0)
			*ret = end;
		return r;
	}
	return err_set(err, -ERR_FORMAT, "no zip, or truncated: its end record is missing");
}

/* APPNOTE 4.5.3: 64-bit values stand for those fields, in this order, that are all ones. */
static void read_extra64(str extra, struct zip_entry *entry)
{
	struct cursor in = CURSOR(extra);
	while (!cursor_failed(&in) && in.rest.n >= 4) {
		uint16_t id = cursor_u16(&in), n = cursor_u16(&in);
		struct cursor field = CURSOR(cursor_bytes(&in, n));
		if (id != 1)
			continue;
		uint64_t *const values[] = { &entry->size, &entry->packed, &entry->at };
		for (size_t i = 0; i < 3; i++) {
			if (*values[i] == UINT32_MAX && field.rest.n >= 8)
				*values[i] = cursor_u64(&field);
		}
		return;
	}
}

static void read_entry(struct cursor *in, struct zip_entry *entry)
{
	if (cursor_u32(in) != CENTRAL_MAGIC)
		in->failed = true;
	/* "version made by": the system in the upper byte, APPNOTE 4.4.2; 3 is Unix */
	bool is_unix = cursor_u16(in) >> 8 == 3;
	(void)cursor_u16(in); /* version needed */
	entry->flags = cursor_u16(in);
	entry->method = cursor_u16(in);
	(void)cursor_u32(in); /* time */
	entry->crc = cursor_u32(in);
	entry->packed = cursor_u32(in);
	entry->size = cursor_u32(in);
	uint16_t name = cursor_u16(in), extra = cursor_u16(in), comment = cursor_u16(in);
	(void)cursor_bytes(in, 2 + 2); /* part, attributes inside */
	uint32_t attributes = cursor_u32(in);
	entry->unix_mode = is_unix ? (uint16_t)(attributes >> 16) : 0;
	entry->at = cursor_u32(in);
	entry->name = cursor_bytes(in, name);
	read_extra64(cursor_bytes(in, extra), entry);
	(void)cursor_bytes(in, comment);
}

static int read_directory(struct zip *zip, const struct end *end, struct err *err)
{
	if (end->n_entries > ENTRIES_MAX || end->directory_bytes > DIRECTORY_MAX_BYTES)
		return err_set(err, -ERR_LIMIT, "a zip of %llu entries: more than %u are not read",
		        (unsigned long long)end->n_entries, ENTRIES_MAX);
	if (end->n_entries > end->directory_bytes / CENTRAL_BYTES)
		return err_set(err, -ERR_FORMAT,
		        "the zip's directory is too short for %llu entries",
		        (unsigned long long)end->n_entries);
	int r = read_at(zip, end->directory_at, (size_t)end->directory_bytes, &zip->directory, err);
	if (r < 0)
		return r;
	zip->entries = calloc((size_t)end->n_entries + 1, sizeof(*zip->entries));
	if (!zip->entries)
		return err_set(err, -ENOMEM, "out of memory for the directory of a zip");
	struct cursor in = CURSOR(buf_str(&zip->directory));
	for (uint64_t i = 0; i < end->n_entries; i++) {
		read_entry(&in, &zip->entries[i]);
		if (cursor_failed(&in))
			return err_set(err, -ERR_FORMAT,
			        "entry %llu of the zip's directory is damaged",
			        (unsigned long long)i);
	}
	zip->n_entries = (size_t)end->n_entries;
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct zip_entry *const *x = a, *const *y = b;
	return ((*x)->at > (*y)->at) - ((*x)->at < (*y)->at);
}

/* No two entries share bytes, and together they claim no more than a real feed: else it is a bomb.
 */
static int check_claims(const struct zip *zip, uint64_t directory_at, struct err *err)
{
	autofree const struct zip_entry **order =
	        calloc(zip->n_entries + 1, sizeof(struct zip_entry *));
	uint64_t free_at = 0, unpacked = 0;
	if (!order)
		return err_set(err, -ENOMEM, "out of memory for the directory of a zip");
	for (size_t i = 0; i < zip->n_entries; i++)
		order[i] = &zip->entries[i];
	qsort(order, zip->n_entries, sizeof(struct zip_entry *), by_place);
	for (size_t i = 0; i < zip->n_entries; i++) {
		const struct zip_entry *e = order[i];
		if (e->at < free_at || e->at > directory_at || e->packed > directory_at - e->at)
			return err_set(err, -ERR_FORMAT,
			        "the zip's entries overlap: it is damaged, or a bomb");
		free_at = e->at + LOCAL_BYTES + e->packed;
		if (__builtin_add_overflow(unpacked, e->size, &unpacked))
			unpacked = UINT64_MAX;
	}
	if (unpacked > UNPACKED_FREE_BYTES &&
	        (unpacked - UNPACKED_FREE_BYTES) / UNPACKED_RATIO_MAX > zip->file_bytes)
		return err_set(err, -ERR_LIMIT,
		        "a zip of %llu bytes that claims to unpack to %llu: not read",
		        (unsigned long long)zip->file_bytes, (unsigned long long)unpacked);
	return 0;
}

void zip_close(struct zip *zip)
{
	if (!zip)
		return;
	if (zip->has_stream)
		(void)inflateEnd(&zip->stream);
	buf_fini(&zip->directory);
	buf_fini(&zip->packed);
	free(zip->entries);
	free(zip);
}

int zip_open(int fd, struct zip **ret, struct err *err)
{
	struct stat st;
	struct end end = { 0 };
	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "cannot read the zip: %s", strerror(errno));
	struct zip *zip = calloc(1, sizeof(*zip));
	if (!zip)
		return err_set(err, -ENOMEM, "out of memory for a zip");
	*zip = (struct zip){ .fd = fd,
		.file_bytes = st.st_size > 0 ? (uint64_t)st.st_size : 0,
		.directory = BUF(DIRECTORY_MAX_BYTES),
		.packed = BUF(SIZE_MAX / 2) };
	int r = read_end(zip, &end, err);
	if (r == 0)
		r = read_directory(zip, &end, err);
	if (r == 0)
		r = check_claims(zip, end.directory_at, err);
	if (r < 0) {
		zip_close(zip);
		return r;
	}
	*ret = zip;
	return 0;
}

const struct zip_entry *zip_entries(const struct zip *zip, size_t *ret_count)
{
	*ret_count = zip->n_entries;
	return zip->entries;
}

/* The data of an entry, behind its local header. */
static int read_packed(struct zip *zip, const struct zip_entry *entry, str *ret, struct err *err)
{
	buf_clear(&zip->packed);
	int r = read_at(zip, entry->at, LOCAL_BYTES + entry->name.n, &zip->packed, err);
	if (r < 0)
		return r;
	struct cursor in = CURSOR(buf_str(&zip->packed));
	uint32_t magic = cursor_u32(&in);
	(void)cursor_bytes(&in, 4); /* version, flags */
	uint16_t method = cursor_u16(&in);
	(void)cursor_bytes(&in, 4 + 4 + 4 + 4); /* time, checksum, sizes: may be zero here */
	uint16_t name_bytes = cursor_u16(&in), extra_bytes = cursor_u16(&in);
	if (magic != LOCAL_MAGIC || method != entry->method || name_bytes != entry->name.n ||
	        !str_eq(in.rest, entry->name))
		return err_set(err, -ERR_FORMAT, "its header and the zip's directory disagree");
	buf_clear(&zip->packed);
	r = read_at(zip, entry->at + LOCAL_BYTES + name_bytes + extra_bytes, (size_t)entry->packed,
	        &zip->packed, err);
	if (r == 0)
		*ret = buf_str(&zip->packed);
	return r;
}

static int unpack(struct zip *zip, str packed, size_t size, struct buf *out, struct err *err)
{
	z_stream *z = &zip->stream;
	int zr = zip->has_stream ? inflateReset(z) : inflateInit2(z, -MAX_WBITS);
	if (zr != Z_OK)
		return err_set(err, -ENOMEM, "out of memory to unpack");
	zip->has_stream = true;
	char *to = buf_reserve(out, size ? size : 1);
	if (!to)
		return err_set(err, -ENOMEM, "out of memory for %zu bytes", size);
	/* zlib's interface predates const; it does not write here */
	z->next_in = (Bytef *)(uintptr_t)packed.p;
	z->avail_in = (uInt)packed.n;
	z->next_out = (Bytef *)to;
	z->avail_out = (uInt)size;
	zr = inflate(z, Z_FINISH);
	if (zr != Z_STREAM_END || z->avail_out != 0 || z->avail_in != 0)
		return err_set(
		        err, -ERR_FORMAT, "its data do not unpack to the %zu bytes promised", size);
	out->n += size;
	return 0;
}

int zip_read(struct zip *zip, const struct zip_entry *entry, struct buf *out, struct err *err)
{
	str packed = { NULL, 0 };
	buf_clear(out);
	if (entry->flags & FLAG_ENCRYPTED)
		return err_set(err, -ERR_UNSUPPORTED, "it is encrypted");
	if (entry->method != METHOD_STORED && entry->method != METHOD_DEFLATED)
		return err_set(err, -ERR_UNSUPPORTED, "it is packed with method %u", entry->method);
	if (entry->size > out->max || entry->size > INT32_MAX || entry->packed > INT32_MAX)
		return err_set(
		        err, -ERR_LIMIT, "it is %llu bytes long", (unsigned long long)entry->size);
	/* deflate adds 5 bytes to 16 KiB that do not pack; a claim of more would only cost memory
	 */
	if (entry->packed > entry->size + entry->size / 8 + 1024)
		return err_set(err, -ERR_FORMAT, "its sizes disagree");
	int r = read_packed(zip, entry, &packed, err);
	if (r < 0)
		return r;
	if (entry->method == METHOD_DEFLATED)
		r = unpack(zip, packed, (size_t)entry->size, out, err);
	else if (packed.n == entry->size)
		buf_add(out, packed);
	else
		r = err_set(err, -ERR_FORMAT, "its sizes disagree");
	if (r == 0 && buf_failed(out))
		r = err_set(err, -ENOMEM, "out of memory for %zu bytes", packed.n);
	if (r == 0 && hash_crc32(0, buf_str(out)) != entry->crc)
		r = err_set(err, -ERR_FORMAT, "its checksum is wrong");
	return r;
}
