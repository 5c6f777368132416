/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of RECORD is "path,sha256=<base64url without padding>,size"; path is relative to the
 * folder that holds *.dist-info. Inspector does not look at it: a difference is a note, and changes
 * nothing else.
 */
#include "inventory/pypi_record.h"

#include <errno.h>

#include "base/hash.h"
#include "inventory/lines.h"

#define WINDOW_BYTES ((size_t)8 << 10)

/* The largest RECORDs, of packages with 20,000 files, have 3 MB. */
#define RECORD_MAX ((uint64_t)64 << 20)

/* A longer METADATA is compared by its length alone. */
#define DIGESTED_MAX ((uint64_t)1 << 20)

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (is_digit(c))
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* A SHA-256 in base64url as lower-case hexadecimal. False when it is none. */
static bool digest_to_hex(str text, char ret_hex[SHA256_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned bits = 0, n_bits = 0;
	size_t n = 0;
	if (text.n != 43) /* 256 bits */
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int digit = base64_digit(text.p[i]);
		if (digit < 0)
			return false;
		bits = (bits << 6 | (unsigned)digit) & 0xFFFF;
		n_bits += 6;
		while (n_bits >= 4 && n < SHA256_HEX_SIZE - 1) {
			n_bits -= 4;
			ret_hex[n++] = digits[bits >> n_bits & 15];
		}
	}
	ret_hex[SHA256_HEX_SIZE - 1] = '\0';
	return n == SHA256_HEX_SIZE - 1;
}

/* What stands behind the path in METADATA's own line. */
static bool find_line(const struct artefact *record, str path, struct arena *arena, str *ret)
{
	struct lines lines;
	if (lines_init(&lines, arena, WINDOW_BYTES) < 0)
		return false;
	lines_begin(&lines, record, RECORD_MAX);
	for (str line; lines_next(&lines, &line);) {
		if (lines.is_cut || line.n <= path.n || line.p[path.n] != ',' ||
		        !str_has_prefix(line, path))
			continue;
		return arena_copy(arena, str_trim(str_skip(line, path.n + 1)), ret) >= 0;
	}
	return false;
}

static const char *compare(const struct artefact *metadata, str entry, struct arena *arena)
{
	static const char edited[] = "METADATA is not the one that RECORD lists: it was changed "
	                             "after the installation";
	str digest, size, bytes;
	char listed[SHA256_HEX_SIZE], real[SHA256_HEX_SIZE];
	uint64_t n_bytes;
	if (!str_split_last(entry, ',', &digest, &size))
		return NULL;
	if (str_to_u64(size, UINT64_MAX, &n_bytes) && n_bytes != metadata->size_bytes)
		return edited;
	if (!str_has_prefix(digest, STR("sha256=")) ||
	        !digest_to_hex(str_skip(digest, strlen("sha256=")), listed) ||
	        metadata->size_bytes > DIGESTED_MAX ||
	        artefact_read_all(metadata, arena, DIGESTED_MAX, &bytes, NULL) < 0)
		return NULL;
	hash_sha256_hex(bytes, real);
	return strcmp(listed, real) == 0 ? NULL : edited;
}

const char *pypi_record_oddity(const struct artefact *metadata, struct arena *arena)
{
	struct artefact record;
	str folder = str_basename(str_dirname(metadata->path)), path, entry;
	if (arena_printf(arena, &path, STR_FMT "/METADATA", STR_ARG(folder)) < 0)
		return NULL;
	int r = metadata->ops->sibling(metadata, STR("RECORD"), &record);
	if (r < 0)
		return r == -ENOENT ? NULL : "RECORD cannot be read";
	bool found = find_line(&record, path, arena, &entry);
	record.ops->close(&record);
	return found ? compare(metadata, entry, arena) : NULL;
}
