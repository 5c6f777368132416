/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input, cut in two at its first NUL or tab, is a pair of versions. For every scheme the order
 * of b to a mirrors that of a to b, a version equals itself unless it is none, and a normal form is
 * the version's equal and its own normal form.
 */
#include <stdlib.h>

#include "version/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_cut(char c)
{
	return c == '\0' || c == '\t';
}

static void check_self(const struct scheme *scheme, str v)
{
	enum order o = version_compare(scheme, v, v);
	if (o != ORDER_EQUAL && o != ORDER_UNORDERED)
		abort();
	if (version_is_valid(scheme, v) && o != ORDER_EQUAL)
		abort();
}

static void check_normal(const struct scheme *scheme, str v)
{
	struct version_text once, twice;
	if (!scheme->normalise || v.n > VERSION_MAX || !scheme->normalise(v, &once))
		return;
	str normal = { once.bytes, once.n };
	if (scheme->compare(v, normal) != ORDER_EQUAL || !scheme->normalise(normal, &twice) ||
	        !str_eq(normal, (str){ twice.bytes, twice.n }))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;
	const struct scheme *const *schemes = scheme_all(&n);
	str b = { (const char *)data, size };
	str a = str_take_until(&b, is_cut);
	b = str_skip(b, 1);

	for (size_t i = 0; i < n; i++) {
		enum order o = version_compare(schemes[i], a, b);
		enum order back = version_compare(schemes[i], b, a);
		if (o == ORDER_UNORDERED ? back != o : (int)o != -(int)back)
			abort();
		check_self(schemes[i], a);
		check_self(schemes[i], b);
		check_normal(schemes[i], a);
		check_normal(schemes[i], b);
		if (schemes[i]->in_range && a.n <= VERSION_MAX && b.n <= RANGE_MAX)
			(void)schemes[i]->in_range(a, b);
	}
	return 0;
}
