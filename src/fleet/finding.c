/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a finding says in words: its title, its fix, the parts of a version.
 */
#include "fleet/criteria.h"

#include <errno.h>

const char *finding_status_name(enum finding_status status)
{
	switch (status) {
	case STATUS_ACTIVE: return "ACTIVE";
	case STATUS_SUPPRESSED: return "SUPPRESSED";
	case STATUS_CLOSED: break;
	}
	return "CLOSED";
}

struct finding_version finding_version_of(const struct package *package)
{
	struct finding_version ret = { .version = package->version };
	if (!package_is_os(package))
		return ret;
	str head, tail;
	uint64_t epoch;
	ret.has_epoch = true;
	if (str_split_first(ret.version, ':', &head, &tail) &&
	        str_to_u64(head, UINT32_MAX, &epoch)) {
		ret.epoch = (uint32_t)epoch;
		ret.version = tail;
	}
	if (str_split_last(ret.version, '-', &head, &tail) && head.n > 0 && tail.n > 0) {
		ret.version = head;
		ret.release = tail;
	}
	return ret;
}

str finding_arch(const struct package *package, char ret[FINDING_ARCH_SIZE])
{
	str arch = str_head(package->arch, FINDING_ARCH_SIZE - 1);
	for (size_t i = 0; i < arch.n; i++) {
		char c = arch.p[i];
		ret[i] = c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
	}
	ret[arch.n] = '\0';
	return (str){ ret, arch.n };
}

const char *fix_word(unsigned states)
{
	if (states == 1u << FIX_AVAILABLE)
		return "YES";
	return states == 1u << FIX_NONE || states == 0 ? "NO" : "PARTIAL";
}

const char *finding_fix(const struct finding_row *row)
{
	unsigned states = 0;
	for (size_t i = 0; i < row->n_packages; i++)
		states |= 1u << row->packages[i].fix_state;
	return fix_word(states);
}

/* Adds a name if it fits and the "..." that would follow in place of the rest fits behind it, too.
 */
static bool add_name(char *p, size_t *n, str separator, str name, bool is_last)
{
	size_t tail = is_last ? 0 : separator.n + sizeof("...") - 1;
	if (name.n > TITLE_MAX_BYTES || *n + separator.n + name.n + tail > TITLE_MAX_BYTES)
		return false;
	memcpy(p + *n, separator.p, separator.n);
	memcpy(p + *n + separator.n, name.p, name.n);
	*n += separator.n + name.n;
	return true;
}

str title_write(const struct finding_row *row, char ret[TITLE_MAX_BYTES])
{
	str name = str_head(row->name, TITLE_MAX_BYTES / 2);
	size_t n = name.n;
	if (n > 0)
		memcpy(ret, name.p, n);
	for (size_t i = 0; i < row->n_packages; i++) {
		str separator = i == 0 ? STR(" - ") : STR(", ");
		const struct element *element = row->packages[i].element;
		str package = element ? element->package.name : STR("?");
		if (add_name(ret, &n, separator, package, i + 1 == row->n_packages))
			continue;
		(void)add_name(ret, &n, separator, STR("..."), true);
		break;
	}
	return (str){ ret, n };
}

int finding_title(const struct finding_row *row, struct arena *arena, str *ret)
{
	char text[TITLE_MAX_BYTES];
	return arena_copy(arena, title_write(row, text), ret);
}

/* They are sorted by element. */
size_t places_of(const struct place *places, size_t n, element_id element, size_t *ret_first)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (places[middle].element < element)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < n && places[high].element == element;)
		high++;
	*ret_first = low;
	return high - low;
}

/* The places of a package as they were when its finding was closed. */
static void fill_closed(const struct closed_finding *closed, struct finding_package *package)
{
	for (size_t i = 0; i < closed->n_packages; i++) {
		if (closed->packages[i].element != package->element->id)
			continue;
		package->paths = closed->packages[i].paths;
		package->n_paths = closed->packages[i].n_paths;
		return;
	}
}

static int fill_open(const struct place *places, size_t n_places, struct arena *arena,
        struct finding_package *package)
{
	size_t first, n = places_of(places, n_places, package->element->id, &first);
	str *paths = arena_alloc(arena, n, sizeof(*paths));
	if (!paths)
		return -ERR_LIMIT;
	for (size_t k = 0; k < n; k++)
		paths[k] = places[first + k].path;
	package->paths = paths;
	package->n_paths = n;
	return 0;
}

int finding_fill(struct fleet *fleet, struct finding_row *row, struct arena *arena, struct err *err)
{
	const struct place *places = NULL;
	size_t n_places = 0;
	if (!row->closed && !row->host)
		return 0;
	int r = row->closed ? 0 : fleet_places(fleet, row->host, arena, &places, &n_places, err);
	if (r < 0 && r != -ENOENT)
		return r;
	struct finding_package *packages =
	        arena_alloc(arena, row->n_packages, sizeof(struct finding_package));
	if (!packages)
		return err_set(err, -ERR_LIMIT, "too many packages in one finding");
	for (size_t i = 0; i < row->n_packages; i++) {
		packages[i] = row->packages[i];
		if (!packages[i].element)
			continue;
		if (row->closed)
			fill_closed(row->closed, &packages[i]);
		else if (fill_open(places, n_places, arena, &packages[i]) < 0)
			return err_set(err, -ERR_LIMIT, "too many places in one finding");
	}
	row->packages = packages;
	return 0;
}
