/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An rpm header: two counts, an index of 16-byte entries, and a store that the entries point into.
 *
 *      index entries (4) | bytes of store (4) | { tag, type, offset, count } ... | store
 *
 * All numbers are big-endian. Entries of the signed region come first and those that the database
 * has added behind them; where a tag stands twice, the first counts. Nothing here trusts an offset
 * or a count.
 */
#include "inventory/rpm_header.h"

#include "base/cursor.h"

#define ENTRIES_MAX 65535
#define PATH_MAX_BYTES 4096

enum tag {
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_EPOCH = 1003,
	TAG_VENDOR = 1011,
	TAG_LICENSE = 1014,
	TAG_ARCH = 1022,
	TAG_OLDFILENAMES = 1027,
	TAG_SOURCERPM = 1044,
	TAG_DIRINDEXES = 1116,
	TAG_BASENAMES = 1117,
	TAG_DIRNAMES = 1118,
	TAG_MODULARITYLABEL = 5096,
};

enum type {
	TYPE_INT32 = 4,
	TYPE_STRING = 6,
	TYPE_STRING_ARRAY = 8,
	TYPE_I18NSTRING = 9,
};

struct entry {
	uint32_t tag, type, offset, count;
	str value; /* from its offset to the end of the store */
};

/* Remove the next zero-terminated string. False when no zero follows. */
static bool take_string(str *bytes, str *ret)
{
	return bytes->n > 0 && str_split_first(*bytes, '\0', ret, bytes);
}

static bool is_text(const struct entry *entry)
{
	return entry->count > 0 &&
	       (entry->type == TYPE_STRING || entry->type == TYPE_STRING_ARRAY ||
	               entry->type == TYPE_I18NSTRING);
}

static bool read_string(const struct entry *entry, str *ret)
{
	str bytes = entry->value;
	if (ret->p)
		return true;
	return is_text(entry) && take_string(&bytes, ret);
}

/* A string takes at least its zero, so a count above the bytes left cannot be true. */
static bool read_strings(const struct entry *entry, struct rpm_strings *ret)
{
	if (ret->bytes.p)
		return true;
	if (!is_text(entry) || entry->count > entry->value.n)
		return false;
	*ret = (struct rpm_strings){ entry->value, entry->count };
	return true;
}

static bool read_epoch(const struct entry *entry, struct rpm_header *header)
{
	struct cursor cursor = CURSOR(entry->value);
	if (header->has_epoch)
		return true;
	if (entry->type != TYPE_INT32 || entry->count == 0)
		return false;
	header->epoch = cursor_u32be(&cursor);
	header->has_epoch = !cursor_failed(&cursor);
	return header->has_epoch;
}

static bool read_indexes(const struct entry *entry, struct rpm_header *header)
{
	if (header->dir_indexes.p)
		return true;
	if (entry->type != TYPE_INT32 || entry->count > entry->value.n / 4)
		return false;
	header->dir_indexes = str_head(entry->value, (size_t)entry->count * 4);
	return true;
}

/* False when the entry is one of ours and damaged. */
static bool read_entry(const struct entry *entry, struct rpm_header *header)
{
	switch (entry->tag) {
	case TAG_NAME: return read_string(entry, &header->name);
	case TAG_VERSION: return read_string(entry, &header->version);
	case TAG_RELEASE: return read_string(entry, &header->release);
	case TAG_ARCH: return read_string(entry, &header->arch);
	case TAG_VENDOR: return read_string(entry, &header->vendor);
	case TAG_LICENSE: return read_string(entry, &header->licence);
	case TAG_SOURCERPM: return read_string(entry, &header->source_rpm);
	case TAG_MODULARITYLABEL: return read_string(entry, &header->module);
	case TAG_EPOCH: return read_epoch(entry, header);
	case TAG_BASENAMES: return read_strings(entry, &header->base_names);
	case TAG_DIRNAMES: return read_strings(entry, &header->dir_names);
	case TAG_OLDFILENAMES: return read_strings(entry, &header->old_names);
	case TAG_DIRINDEXES: return read_indexes(entry, header);
	default: return true;
	}
}

int rpm_header_read(str bytes, struct rpm_header *ret, struct err *err)
{
	struct cursor cursor = CURSOR(bytes);
	struct rpm_header header = { 0 };
	uint32_t n_entries = cursor_u32be(&cursor);
	uint32_t store_bytes = cursor_u32be(&cursor);
	if (cursor_failed(&cursor) || n_entries == 0)
		return err_set(err, -ERR_FORMAT, "a header of %zu bytes has no index", bytes.n);
	if (n_entries > ENTRIES_MAX || store_bytes > RPM_HEADER_MAX || bytes.n > RPM_HEADER_MAX)
		return err_set(err, -ERR_LIMIT, "a header of %u entries and %u bytes is too large",
		        n_entries, store_bytes);

	struct cursor index = CURSOR(cursor_bytes(&cursor, (size_t)n_entries * 16));
	str store = cursor_bytes(&cursor, store_bytes);
	if (cursor_failed(&cursor))
		return err_set(err, -ERR_FORMAT,
		        "a header of %u entries and %u bytes ends after %zu bytes", n_entries,
		        store_bytes, bytes.n);
	for (uint32_t i = 0; i < n_entries; i++) {
		struct entry entry = { .tag = cursor_u32be(&index) };
		entry.type = cursor_u32be(&index);
		entry.offset = cursor_u32be(&index);
		entry.count = cursor_u32be(&index);
		entry.value = str_skip(store, entry.offset);
		if (!read_entry(&entry, &header))
			return err_set(err, -ERR_FORMAT,
			        "entry %u of the header (tag %u) is damaged", i, entry.tag);
	}
	*ret = header;
	return 0;
}

/* Where each folder's name lies, so that files can name them in any order. */
static int index_folders(
        const struct rpm_header *header, struct arena *scratch, str **ret, struct err *err)
{
	uint32_t count = header->dir_names.count;
	str rest = header->dir_names.bytes;
	str *folders = arena_alloc(scratch, count, sizeof(*folders));
	if (!folders)
		return err_set(
		        err, -ERR_LIMIT, "%u folders are more than this job's memory", count);
	for (uint32_t i = 0; i < count; i++) {
		if (!take_string(&rest, &folders[i]))
			return err_set(err, -ERR_FORMAT, "the list of folders ends after %u of %u",
			        i, count);
	}
	*ret = folders;
	return 0;
}

static int each_old_file(const struct rpm_strings *names, uint64_t max,
        int (*file)(void *ctx, str path), void *ctx, uint64_t *ret_count, struct err *err)
{
	str rest = names->bytes, path;
	int r = 0;
	for (*ret_count = 0; r >= 0 && *ret_count < names->count; ++*ret_count) {
		if (*ret_count >= max)
			return err_set(err, -ERR_LIMIT, "too many files in all");
		if (!take_string(&rest, &path))
			return err_set(err, -ERR_FORMAT, "the list of files ends early");
		r = file(ctx, path);
	}
	return r;
}

int rpm_header_each_file(const struct rpm_header *header, struct arena *scratch, uint64_t max,
        int (*file)(void *ctx, str path), void *ctx, uint64_t *ret_count, struct err *err)
{
	uint32_t count = header->base_names.count, last = UINT32_MAX;
	struct cursor indexes = CURSOR(header->dir_indexes);
	str rest = header->base_names.bytes, *folders = NULL, name;
	char path[PATH_MAX_BYTES];
	size_t n_folder = 0;
	*ret_count = 0;
	if (count == 0)
		return each_old_file(&header->old_names, max, file, ctx, ret_count, err);
	if (header->dir_indexes.n / 4 != count)
		return err_set(err, -ERR_FORMAT, "%u files, but %zu folder numbers", count,
		        header->dir_indexes.n / 4);
	int r = index_folders(header, scratch, &folders, err);
	if (r < 0 || !folders)
		return r;
	for (; r >= 0 && *ret_count < count; ++*ret_count) {
		uint32_t at = cursor_u32be(&indexes);
		if (*ret_count >= max)
			return err_set(err, -ERR_LIMIT, "too many files in all");
		if (at >= header->dir_names.count || !take_string(&rest, &name))
			return err_set(err, -ERR_FORMAT, "file %llu of %u is damaged",
			        (unsigned long long)*ret_count, count);
		if (at != last) {
			n_folder = folders[at].n < sizeof(path) ? folders[at].n : sizeof(path);
			/* cppcheck-suppress knownConditionTrueFalse ; folders[] is filled elsewhere
			 */
			if (n_folder > 0)
				memcpy(path, folders[at].p, n_folder);
			last = at;
		}
		/* A path longer than the kernel takes is no file of this host. */
		if (name.n > sizeof(path) - n_folder || n_folder == sizeof(path))
			continue;
		if (name.n > 0)
			memcpy(path + n_folder, name.p, name.n);
		r = file(ctx, (str){ path, n_folder + name.n });
	}
	return r;
}
