/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/roots.h"

static bool has_control(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

static bool has_dots(str path)
{
	str part;
	while (path.n > 0) {
		if (!str_split_first(path, '/', &part, &path)) {
			part = path;
			path = (str){ NULL, 0 };
		}
		if (str_eq(part, STR(".")) || str_eq(part, STR("..")))
			return true;
	}
	return false;
}

/* "/" alone is no custom path: the service takes none without a component. */
static bool is_path(str s)
{
	return s.n > 1 && s.n <= PLUGIN_PATH_BYTES && s.p[0] == '/' && !has_control(s) &&
	       !has_dots(s);
}

static bool has(const struct plugin_paths *paths, str path)
{
	for (size_t i = 0; i < paths->n; i++) {
		if (str_eq(str_from_c(paths->all[i]), path))
			return true;
	}
	return false;
}

int plugin_paths_read(str value, struct arena *arena, struct plugin_paths *ret,
        void (*rejected)(void *ctx, str part), void *ctx)
{
	str rest = value, part, copy;
	while (rest.n > 0) {
		if (!str_split_first(rest, ',', &part, &rest)) {
			part = rest;
			rest = (str){ NULL, 0 };
		}
		part = str_trim(part);
		if (part.n == 0 || has(ret, part))
			continue;
		if (!is_path(part) || ret->n == PLUGIN_PATHS_MAX) {
			rejected(ctx, part);
			continue;
		}
		if (arena_copy(arena, part, &copy) < 0)
			return -ERR_LIMIT;
		ret->all[ret->n++] = copy.p;
	}
	return 0;
}
