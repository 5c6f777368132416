/* SPDX-License-Identifier: Apache-2.0 */
#include "model/ecosystem.h"

#include "base/err.h"

/* Sorted by name: a lookup is a binary search without allocation, because one is made for every
 * record. */
static const struct row {
	str name;
	struct ecosystem ecosystem;
} rows[] = {
#define ECOSYSTEM(title, order, purl_type, distribution)                                           \
	{ { (title), sizeof(title) - 1 }, { .name = (title),                                       \
		                                  .scheme = (order),                               \
		                                  .type = (purl_type),                             \
		                                  .os_id = (distribution) } },
#include "model/ecosystem_table.def"
#undef ECOSYSTEM
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

const struct ecosystem *ecosystem_find(str name)
{
	str release;
	size_t low = 0, high = N_ROWS;
	(void)str_split_first(name, ':', &name, &release);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = str_cmp(rows[middle].name, name);
		if (c == 0)
			return &rows[middle].ecosystem;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct ecosystem *ecosystem_of_type(str type)
{
	for (size_t i = 0; type.n > 0 && i < N_ROWS; i++) {
		const struct ecosystem *e = &rows[i].ecosystem;
		if (e->os_id[0] == '\0' && str_eq(type, str_from_c(e->type)))
			return e;
	}
	return NULL;
}

static bool is_separator(char c)
{
	return c == '-' || c == '_' || c == '.';
}

/* Is `s` already lower case with single dashes? Most names are, and then need no memory. */
static bool is_pep503(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (to_lower(c) != c || c == '_' || c == '.')
			return false;
		if (c == '-' && i + 1 < s.n && s.p[i + 1] == '-')
			return false;
	}
	return true;
}

int ecosystem_normal_name(
        const struct ecosystem *ecosystem, str name, struct arena *arena, str *ret)
{
	if (strcmp(ecosystem->name, "PyPI") != 0 || is_pep503(name)) {
		*ret = name;
		return 0;
	}
	char *out = arena_alloc(arena, name.n + 1, 1);
	size_t n = 0;
	if (!out)
		return -ERR_LIMIT;
	for (size_t i = 0; i < name.n; i++) {
		if (!is_separator(name.p[i]))
			out[n++] = to_lower(name.p[i]);
		else if (i == 0 || !is_separator(name.p[i - 1]))
			out[n++] = '-';
	}
	*ret = (str){ out, n };
	return 0;
}
