/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which reader wants a name. Every name of a walk is asked about, most of them in vain: a pattern
 * knows the lengths of its parts, so that most are left without a look at the bytes.
 */
#include "inventory/inventory.h"

#define ECOSYSTEM(id) extern const struct reader reader_##id;
#include "inventory/ecosystems.def"
#undef ECOSYSTEM

static const struct reader *const readers[] = {
#define ECOSYSTEM(id) &reader_##id,
#include "inventory/ecosystems.def"
#undef ECOSYSTEM
};

#define N_READERS (sizeof(readers) / sizeof(readers[0]))

/* Everything of a pattern but its anchored folder; what differs soonest is asked first. */
static bool name_matches(const struct pattern *pattern, str dir, str name)
{
	if (pattern->name.p && (pattern->name.n != name.n || pattern->name.p[0] != name.p[0] ||
	                               !str_eq(pattern->name, name)))
		return false;
	if (pattern->name_tail.p && !str_has_suffix(name, pattern->name_tail))
		return false;
	return !pattern->parent_tail.p || str_has_suffix(str_basename(dir), pattern->parent_tail);
}

static bool pattern_matches(const struct pattern *pattern, str dir, str name)
{
	if (pattern->dir.p && pattern->dir.n != dir.n)
		return false;
	return name_matches(pattern, dir, name) && (!pattern->dir.p || str_eq(dir, pattern->dir));
}

const struct reader *const *reader_all(size_t *ret_count)
{
	*ret_count = N_READERS;
	return readers;
}

int inventory_select(str dir, str name)
{
	if (name.n == 0)
		return -1;
	for (size_t i = 0; i < N_READERS; i++) {
		for (const struct pattern *p = readers[i]->patterns; !pattern_is_end(p); p++) {
			if (pattern_matches(p, dir, name))
				return (int)i;
		}
	}
	return -1;
}

bool inventory_is_foreign_database(str dir, str name)
{
	if (name.n == 0)
		return false;
	for (size_t i = 0; i < N_READERS; i++) {
		if (!readers[i]->is_os)
			continue;
		for (const struct pattern *p = readers[i]->patterns; !pattern_is_end(p); p++) {
			if (p->dir.p && dir.n > p->dir.n && str_has_suffix(dir, p->dir) &&
			        name_matches(p, dir, name))
				return inventory_select(dir, name) < 0;
		}
	}
	return false;
}

bool inventory_is_metadata(str path)
{
	str name = str_basename(path);
	int tag = inventory_select(str_dirname(path), name);
	return tag >= 0 && !readers[tag]->is_os;
}

/* One '*' stands for at least one byte, none of them '/'. */
static bool sibling_matches(str pattern, str name)
{
	str head, tail;
	if (!str_split_first(pattern, '*', &head, &tail))
		return str_eq(pattern, name);
	if (name.n <= head.n + tail.n || !str_has_prefix(name, head) || !str_has_suffix(name, tail))
		return false;
	str middle = str_head(str_skip(name, head.n), name.n - head.n - tail.n);
	return !memchr(middle.p, '/', middle.n);
}

bool reader_may_see(const struct reader *reader, str name)
{
	if (name.n == 0 || memchr(name.p, '\0', name.n))
		return false;
	for (const char *const *p = reader->siblings; *p; p++) {
		if (sibling_matches(str_from_c(*p), name))
			return true;
	}
	return false;
}

int artefact_read_all(const struct artefact *artefact, struct arena *arena, uint64_t max_bytes,
        str *ret, struct err *err)
{
	uint64_t size = artefact->size_bytes;
	if (size > max_bytes || size >= SIZE_MAX)
		return err_set(err, -ERR_LIMIT, "%llu bytes, more than the %llu that are read",
		        (unsigned long long)size, (unsigned long long)max_bytes);
	char *p = arena_alloc(arena, (size_t)size + 1, 1);
	if (!p)
		return err_set(err, -ERR_LIMIT, "%llu bytes are more than this job's memory",
		        (unsigned long long)size);

	size_t n = 0;
	while (n < size) {
		int64_t r = artefact->ops->read_at(artefact, p + n, (size_t)size - n, n);
		if (r < 0)
			return err_set(
			        err, (int)r, "cannot read at byte %zu: %s", n, strerror((int)-r));
		if (r == 0)
			break; /* it has shrunk since it was opened */
		n += (size_t)r;
	}
	*ret = (str){ p, n };
	return 0;
}
