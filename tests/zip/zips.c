/* SPDX-License-Identifier: Apache-2.0 */
#include "zips.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/hash.h"

static void add_u16(struct buf *out, unsigned v)
{
	buf_add_byte(out, (char)(v & 0xff));
	buf_add_byte(out, (char)(v >> 8 & 0xff));
}

static void deflate_raw(str text, struct buf *out)
{
	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t bound = deflateBound(&z, text.n);
	char *to = buf_reserve(out, bound);
	assert_non_null(to);
	z.next_in = (Bytef *)(uintptr_t)text.p;
	z.avail_in = (uInt)text.n;
	z.next_out = (Bytef *)to;
	z.avail_out = (uInt)bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->n += bound - z.avail_out;
	(void)deflateEnd(&z);
}

struct place {
	uint64_t at, packed;
};

static void add_local(const struct zip_member *m, struct place *place, struct buf *out)
{
	autobuf packed = BUF((size_t)64 << 20);
	const char *name = m->local_name ? m->local_name : m->name;
	if (m->is_stored)
		buf_add(&packed, m->text);
	else
		deflate_raw(m->text, &packed);
	place->at = out->n;
	place->packed = packed.n;
	buf_add_u32(out, 0x04034b50);
	add_u16(out, 20);
	add_u16(out, m->flags);
	add_u16(out, m->method ? m->method : m->is_stored ? 0 : 8);
	buf_add_u32(out, 0); /* time */
	buf_add_u32(out, 0); /* checksum and sizes: only the directory's count */
	buf_add_u32(out, 0);
	buf_add_u32(out, 0);
	add_u16(out, (unsigned)strlen(name));
	add_u16(out, 0);
	buf_add(out, str_from_c(name));
	buf_add(out, buf_str(&packed));
}

static void add_central(const struct zip_member *m, const struct place *place, struct buf *out)
{
	uint64_t size = m->claim_size ? m->claim_size : m->text.n + m->add_size;
	buf_add_u32(out, 0x02014b50);
	add_u16(out, m->unix_mode ? 3 << 8 | 20 : 20);
	add_u16(out, 20);
	add_u16(out, m->flags);
	add_u16(out, m->method ? m->method : m->is_stored ? 0 : 8);
	buf_add_u32(out, 0);
	buf_add_u32(out, hash_crc32(0, m->text) + m->add_crc);
	buf_add_u32(out, m->is_zip64 ? UINT32_MAX : (uint32_t)place->packed);
	buf_add_u32(out, m->is_zip64 ? UINT32_MAX : (uint32_t)size);
	add_u16(out, (unsigned)strlen(m->name));
	add_u16(out, m->is_zip64 ? 4 + 24 : 0);
	add_u16(out, 0);
	add_u16(out, 0);
	add_u16(out, 0);
	buf_add_u32(out, m->unix_mode << 16);
	buf_add_u32(out, m->is_zip64 ? UINT32_MAX : (uint32_t)place->at);
	buf_add(out, str_from_c(m->name));
	if (m->is_zip64) {
		add_u16(out, 1);
		add_u16(out, 24);
		buf_add_u64(out, size);
		buf_add_u64(out, place->packed);
		buf_add_u64(out, place->at);
	}
}

void make_zip(const struct zip_member *members, size_t n, bool is_zip64, struct buf *out)
{
	struct place places[64] = { 0 };
	assert_true(n <= 64);
	for (size_t i = 0; i < n; i++) {
		if (members[i].shares_data)
			places[i] = places[i - 1];
		else
			add_local(&members[i], &places[i], out);
	}
	uint64_t at = out->n;
	for (size_t i = 0; i < n; i++)
		add_central(&members[i], &places[i], out);
	uint64_t bytes = out->n - at, end_at = out->n;
	if (is_zip64) {
		buf_add_u32(out, 0x06064b50);
		buf_add_u64(out, 44);
		add_u16(out, 45);
		add_u16(out, 45);
		buf_add_u32(out, 0);
		buf_add_u32(out, 0);
		buf_add_u64(out, n);
		buf_add_u64(out, n);
		buf_add_u64(out, bytes);
		buf_add_u64(out, at);
		buf_add_u32(out, 0x07064b50);
		buf_add_u32(out, 0);
		buf_add_u64(out, end_at);
		buf_add_u32(out, 1);
	}
	buf_add_u32(out, 0x06054b50);
	add_u16(out, 0);
	add_u16(out, 0);
	add_u16(out, is_zip64 ? 0xffff : (unsigned)n);
	add_u16(out, is_zip64 ? 0xffff : (unsigned)n);
	buf_add_u32(out, is_zip64 ? UINT32_MAX : (uint32_t)bytes);
	buf_add_u32(out, is_zip64 ? UINT32_MAX : (uint32_t)at);
	add_u16(out, 0);
	assert_false(buf_failed(out));
}
