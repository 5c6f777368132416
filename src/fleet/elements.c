/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/elements.h"

#include <stdlib.h>

#include "base/cleanup.h"

/* A batch with so many records is committed before it takes more. */
#define BATCH_FULL 3000u

bool elements_lack_sources(str type)
{
	return str_eq(type, STR(CONTENT_APPLICATION));
}

bool elements_is_word(str type, int which)
{
	return str_eq(type, STR(FLEET_OWN_TYPE)) ||
	       (which == HOST_OS_SET ? str_eq(type, STR("AWS:Application"))
	                             : str_eq(type, STR("Custom:InspectorThirdPartyPackage")));
}

/* Of equal ones our own upload, which knows more. */
bool elements_is_newer(const struct host_item *a, const struct host_item *b)
{
	if (!b || a->captured_at != b->captured_at)
		return !b || a->captured_at > b->captured_at;
	return str_eq(a->type, STR(FLEET_OWN_TYPE));
}

const struct host_item *elements_word(const struct fleet_host *host, int which)
{
	const struct host_item *word = NULL;
	for (size_t i = 0; i < host->n_items; i++) {
		if (elements_is_word(host->items[i].type, which) &&
		        elements_is_newer(&host->items[i], word))
			word = &host->items[i];
	}
	return word;
}

int elements_flush(struct fleet *fleet, struct store_batch *batch, struct err *err)
{
	if (batch->n < BATCH_FULL)
		return 0;
	int r = store_commit(fleet->store, batch, err);
	dictionary_committed(fleet->dictionary, batch, r == 0);
	if (r < 0)
		return r;
	store_batch_fini(batch);
	store_batch_init(batch, 0);
	return 0;
}

/* No package of a distribution puts files here (FHS 3.0, 3.13 and 4.9), Red Hat's below /opt/rh
 * excepted: what lies here is not judged by the distribution, whatever database lists it. Matching
 * decides the same by the path, which an element has not. */
static bool is_foreign_path(str path)
{
	if (str_has_prefix(path, STR("/opt/")))
		return !str_has_prefix(path, STR("/opt/rh/"));
	return str_has_prefix(path, STR("/usr/local/"));
}

struct element element_of(
        const struct package *pkg, const struct package *owner, const struct host *os)
{
	const struct host same = {
		.os_id = os->os_id,
		.os_version = os->os_version,
		.os_codename = os->os_codename,
	};
	struct element element = {
		.package = {
			.type = pkg->type,
			.name = pkg->name,
			.version = pkg->version,
			.arch = pkg->arch,
			.source_name = pkg->source_name,
			.source_version = pkg->source_version,
			.module = pkg->module,
		},
	};
	if (package_is_os(pkg)) {
		element.package.vendor = pkg->vendor;
		element.os = same;
	} else if (pkg->owner.n > 0 && !is_foreign_path(pkg->path)) {
		element.package.owner = pkg->owner;
		element.is_owner_known = owner != NULL;
		element.owner_vendor = owner ? owner->vendor : (str){ "", 0 };
		element.os = same;
	}
	return element;
}

int elements_index_owners(const struct package *packages, size_t n, struct map *ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct package *pkg = &packages[i];
		str key;
		if (!package_is_os(pkg))
			continue;
		if (arena_printf(ret->arena, &key, STR_FMT " " STR_FMT " " STR_FMT,
		            STR_ARG(pkg->type), STR_ARG(pkg->name), STR_ARG(pkg->version)) < 0)
			return -ERR_LIMIT;
		void **at = map_at(ret, key);
		if (!at)
			return -ERR_LIMIT;
		*at = (void *)(uintptr_t)pkg;
	}
	return 0;
}

const struct package *elements_owner_of(const struct map *index, const struct package *pkg)
{
	void **at = pkg->owner.n > 0 ? map_find(index, pkg->owner) : NULL;
	return at ? *at : NULL;
}

static int by_number(const void *left, const void *right)
{
	const element_id *a = left, *b = right;
	return (*a > *b) - (*a < *b);
}

static size_t sort_once(element_id *ids, size_t n)
{
	size_t n_kept = 0;
	if (n > 1)
		qsort(ids, n, sizeof(*ids), by_number);
	for (size_t i = 0; i < n; i++) {
		if (n_kept == 0 || ids[n_kept - 1] != ids[i])
			ids[n_kept++] = ids[i];
	}
	return n_kept;
}

/* A list that is being made. */
struct making {
	struct fleet *fleet;
	struct origins *origins; /* NULL: elements are as they are told */
	struct store_batch *batch;
	struct arena *arena;
	element_id *ids;
	size_t n, cap, n_by_name;
	struct err *err;
};

static int number(struct making *m, const struct element *element)
{
	if (m->n == m->cap) {
		size_t cap = 2 * m->cap + 64;
		element_id *larger = arena_alloc(m->arena, cap, sizeof(*larger));
		if (!larger)
			return err_set(m->err, -ERR_LIMIT, "the packages need too much memory");
		if (m->n > 0)
			memcpy(larger, m->ids, m->n * sizeof(*larger));
		m->ids = larger;
		m->cap = cap;
	}
	int r = dictionary_element(m->fleet->dictionary, element, m->batch, &m->ids[m->n], m->err);
	if (r < 0)
		return r;
	m->n++;
	return elements_flush(m->fleet, m->batch, m->err);
}

/* An element as a stock agent tells it: with the sources that are known, or by its name only. */
static int number_told(struct making *m, const struct element *element)
{
	struct element made[ORIGINS_MAX];
	if (!m->origins || !origins_concern(&element->package))
		return number(m, element);
	size_t n = origins_find(m->origins, m->fleet->dictionary, element, made);
	if (n == 0) {
		m->n_by_name++;
		return number(m, element);
	}
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = number(m, &made[i]);
	return r;
}

static void end(struct making *m, struct element_list *ret)
{
	*ret = (struct element_list){
		.ids = m->ids,
		.n = sort_once(m->ids, m->n),
		.n_by_name = m->n_by_name,
	};
}

int elements_make(struct fleet *fleet, const struct content *content, int which,
        const struct host *os, struct origins *origins, struct store_batch *batch,
        struct arena *arena, struct element_list *ret, struct err *err)
{
	cleanup(arena_fini) struct arena scratch = ARENA((size_t)256 << 20);
	struct map owners = MAP(&scratch);
	struct making m = { fleet, origins, batch, arena, NULL, 0, 0, 0, err };
	if (content->n_packages > CONTENT_PACKAGES_MAX)
		return err_set(err, -ERR_LIMIT, "more packages than are accepted: %zu",
		        content->n_packages);
	if (which == HOST_LANGUAGE_SET &&
	        elements_index_owners(content->packages, content->n_packages, &owners) < 0)
		return err_set(err, -ERR_LIMIT, "the packages need too much memory");

	int r = 0;
	for (size_t i = 0; r == 0 && i < content->n_packages; i++) {
		const struct package *pkg = &content->packages[i];
		if (package_is_os(pkg) != (which == HOST_OS_SET))
			continue;
		const struct element element = element_of(pkg, elements_owner_of(&owners, pkg), os);
		r = number_told(&m, &element);
	}
	if (r == 0)
		end(&m, ret);
	return r;
}

/* An element of a set as it was told. */
static struct element as_told(const struct fleet *fleet, element_id id)
{
	struct element element = *dictionary_element_at(fleet->dictionary, id);
	if (origins_concern(&element.package))
		element.package.source_name = element.package.source_version = (str){ "", 0 };
	return element;
}

int elements_remake(struct fleet *fleet, const struct package_set *set, struct origins *origins,
        struct store_batch *batch, struct arena *arena, struct element_list *ret, struct err *err)
{
	struct making m = { fleet, origins, batch, arena, NULL, 0, 0, 0, err };
	int r = 0;
	for (size_t i = 0; r == 0 && set && i < set->n_elements; i++) {
		const struct element told = as_told(fleet, set->elements[i]);
		r = number_told(&m, &told);
	}
	if (r == 0)
		end(&m, ret);
	return r;
}

/* Every element has to be among what its package is now taken for, and all of that in the set. */
bool elements_would_differ(const struct fleet *fleet, const struct package_set *set,
        struct origins *origins, size_t n_by_name)
{
	size_t n_unknown = 0;
	for (size_t i = 0; set && i < set->n_elements; i++) {
		struct element made[ORIGINS_MAX];
		const struct element told = as_told(fleet, set->elements[i]);
		bool is_there = false;
		if (!origins_concern(&told.package))
			continue;
		size_t n = origins_find(origins, fleet->dictionary, &told, made);
		if (n == 0) {
			n_unknown++;
			n = 1;
			made[0] = told;
		}
		for (size_t k = 0; k < n; k++) {
			element_id id = dictionary_element_find(fleet->dictionary, &made[k]);
			if (id == 0 || !set_has(set, id))
				return true;
			is_there |= id == set->elements[i];
		}
		if (!is_there)
			return true;
	}
	return n_unknown != n_by_name;
}
