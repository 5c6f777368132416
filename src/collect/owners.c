/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/owners.h"

#include "base/map.h"
#include "walk/walk.h"

/* Copies of the owner's text are shared: a package lists its files one after the other. */
int owners_add(struct owners *owners, str owner, str path)
{
	if (owners->n == owners->cap) {
		size_t cap = owners->cap ? owners->cap * 2 : 256;
		struct owned_path *paths = arena_alloc(owners->arena, cap, sizeof(*paths));
		if (!paths)
			return -ERR_LIMIT;
		if (owners->n > 0)
			memcpy(paths, owners->paths, owners->n * sizeof(*paths));
		owners->paths = paths;
		owners->cap = cap;
	}
	struct owned_path *at = &owners->paths[owners->n];
	const struct owned_path *before = owners->n > 0 ? at - 1 : NULL;
	if (before && str_eq(before->owner, owner) && str_eq(before->path, path))
		return 0;
	if (before && str_eq(before->owner, owner))
		at->owner = before->owner;
	else if (arena_copy(owners->arena, owner, &at->owner) < 0)
		return -ERR_LIMIT;
	if (arena_copy(owners->arena, path, &at->path) < 0)
		return -ERR_LIMIT;
	owners->n++;
	return 0;
}

struct file_key {
	uint64_t dev, ino;
};

static str key_of(const struct file_key *key)
{
	return (str){ (const char *)key, sizeof(*key) };
}

/* File -> the first listed path that means it. */
static int index_files(const struct owners *owners, int root_fd, struct map *files)
{
	for (size_t i = 0; i < owners->n; i++) {
		struct file_key key = { 0, 0 };
		if (walk_identify(root_fd, owners->paths[i].path.p, &key.dev, &key.ino) < 0)
			continue; /* listed and gone: it cannot be a package's file */
		void **at = map_at(files, key_of(&key));
		if (!at)
			return -ERR_LIMIT;
		if (!*at)
			*at = &owners->paths[i];
	}
	return 0;
}

/* The name of an owner outlives the paths; packages of one owner that stand side by side share it.
 */
static int name_owner(
        struct package *pkg, const struct package *before, str owner, struct arena *into)
{
	if (before && str_eq(before->owner, owner)) {
		pkg->owner = before->owner;
		return 0;
	}
	return arena_copy(into, owner, &pkg->owner);
}

int owners_apply(const struct owners *owners, int root_fd, struct package *packages,
        size_t n_packages, struct arena *into)
{
	struct map files = MAP(owners->arena);
	int r = index_files(owners, root_fd, &files);
	for (size_t i = 0; r >= 0 && i < n_packages; i++) {
		if (package_is_os(&packages[i]))
			continue;
		struct file_key key = { packages[i].dev, packages[i].ino };
		void **at = map_find(&files, key_of(&key));
		if (at)
			r = name_owner(&packages[i], i > 0 ? &packages[i - 1] : NULL,
			        ((const struct owned_path *)*at)->owner, into);
	}
	return r;
}
