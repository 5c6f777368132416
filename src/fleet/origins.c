/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of elements, each of which tells the source of its package by its own fields, so that an
 * entry takes the room of a number. There are two kinds: one that keeps the version of its source,
 * found by distribution, release and name, and one that does not ("gcc 4:12.2.0-3" of "gcc-defaults
 * 1.203"), found by its version too. Of one kind at most ORIGINS_MAX entries answer to one
 * question, which bounds every search, whatever hosts report.
 */
#include "fleet/origins.h"

#include <stdlib.h>

#include "base/map.h"
#include "fleet/sure.h"

/* More than all releases of a distribution have; what comes after is not learnt. */
#define TABLE_MAX ((size_t)1 << 18)

void origins_init(struct origins *origins)
{
	*origins = (struct origins){ .n = 0 };
	(void)pthread_mutex_init(&origins->lock, NULL);
}

void origins_fini(struct origins *origins)
{
	free(origins->table);
	(void)pthread_mutex_destroy(&origins->lock);
}

bool origins_concern(const struct package *pkg)
{
	return str_eq(pkg->type, STR("deb"));
}

static str source_of(const struct package *pkg)
{
	return pkg->source_name.n > 0 ? pkg->source_name : pkg->name;
}

static bool keeps_version(const struct package *pkg)
{
	return pkg->source_version.n == 0 ||
	       str_eq(pkg->source_version, package_deb_source_version(pkg->version));
}

/* ---- the table ---- */

/* What entries are looked up by; of those that keep the version it is empty. */
struct question {
	str os_id, os_version, name, version;
};

static struct question question_of(const struct element *element, bool is_exact)
{
	return (struct question){ element->os.os_id, element->os.os_version, element->package.name,
		is_exact ? element->package.version : (str){ NULL, 0 } };
}

static size_t hash_of(const struct question *question)
{
	const str parts[] = { question->os_id, question->os_version, question->name,
		question->version };
	uint64_t h = 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		h = (h ^ map_hash(parts[i])) * 0x9E3779B97F4A7C15u;
	return (size_t)(h ^ h >> 32);
}

static bool answers(const struct element *element, const struct question *question)
{
	bool is_exact = question->version.n > 0;
	return str_eq(element->package.name, question->name) &&
	       str_eq(element->os.os_id, question->os_id) &&
	       str_eq(element->os.os_version, question->os_version) &&
	       keeps_version(&element->package) == !is_exact &&
	       (!is_exact || str_eq(element->package.version, question->version));
}

/* The elements that answer, and the free place behind them. Locked; there is a table. */
static size_t collect(const struct origins *origins, const struct dictionary *dictionary,
        const struct question *question, const struct element *ret[ORIGINS_MAX], size_t *ret_free)
{
	size_t n = 0, mask = origins->cap - 1, i = hash_of(question) & mask;
	for (; origins->table[i] != 0; i = (i + 1) & mask) {
		const struct element *at = dictionary_element_at(dictionary, origins->table[i]);
		if (n < ORIGINS_MAX && answers(at, question))
			ret[n++] = at;
	}
	*ret_free = i;
	return n;
}

static void grow(struct origins *origins, const struct dictionary *dictionary)
{
	const struct element *unused[ORIGINS_MAX];
	element_id *old = origins->table;
	size_t n = origins->cap, at;
	origins->cap = n ? 2 * n : 256;
	origins->table = sure_realloc(NULL, origins->cap, sizeof(*origins->table));
	memset(origins->table, 0, origins->cap * sizeof(*origins->table));
	for (size_t i = 0; i < n; i++) {
		if (old[i] == 0)
			continue;
		const struct element *element = dictionary_element_at(dictionary, old[i]);
		const struct question question =
		        question_of(element, !keeps_version(&element->package));
		(void)collect(origins, dictionary, &question, unused, &at);
		origins->table[at] = old[i];
	}
	free(old);
}

static void learn(
        struct origins *origins, const struct dictionary *dictionary, const struct element *element)
{
	const struct element *known[ORIGINS_MAX];
	const struct package *pkg = &element->package;
	const struct question question = question_of(element, !keeps_version(pkg));
	size_t at;
	if (2 * (origins->n + 1) > origins->cap)
		grow(origins, dictionary);
	size_t n = collect(origins, dictionary, &question, known, &at);
	for (size_t i = 0; i < n; i++) {
		const struct package *other = &known[i]->package;
		if (str_eq(source_of(other), source_of(pkg)) &&
		        (keeps_version(pkg) || str_eq(other->source_version, pkg->source_version)))
			return;
	}
	if (n == ORIGINS_MAX || origins->n == TABLE_MAX)
		return;
	origins->table[at] = element->id;
	origins->n++;
}

void origins_learn(struct origins *origins, const struct dictionary *dictionary,
        const element_id *ids, size_t n, bool is_own)
{
	(void)pthread_mutex_lock(&origins->lock);
	for (size_t i = 0; i < n; i++) {
		const struct element *element = dictionary_element_at(dictionary, ids[i]);
		const struct package *pkg = &element->package;
		if (origins_concern(pkg) && element->os.os_id.n > 0 &&
		        element->os.os_version.n > 0 &&
		        (is_own || pkg->source_name.n > 0 || pkg->source_version.n > 0))
			learn(origins, dictionary, element);
	}
	(void)pthread_mutex_unlock(&origins->lock);
}

size_t origins_count(struct origins *origins)
{
	(void)pthread_mutex_lock(&origins->lock);
	size_t n = origins->n;
	(void)pthread_mutex_unlock(&origins->lock);
	return n;
}

/* ---- asking ---- */

/* Add what an element is by the word of another, unless it is there. */
static size_t add(const struct element *element, const struct package *told,
        struct element ret[ORIGINS_MAX], size_t n)
{
	struct element made = *element;
	str version = package_deb_source_version(element->package.version);
	bool is_rebuilt = version.n != element->package.version.n;
	if (!keeps_version(told))
		version = told->source_version;
	else if (!is_rebuilt)
		version = (str){ "", 0 };
	made.package.source_version = version;
	made.package.source_name =
	        str_eq(source_of(told), element->package.name) ? (str){ "", 0 } : source_of(told);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(ret[i].package.source_name, made.package.source_name) &&
		        str_eq(ret[i].package.source_version, version))
			return n;
	}
	if (n < ORIGINS_MAX)
		ret[n++] = made;
	return n;
}

size_t origins_find(struct origins *origins, const struct dictionary *dictionary,
        const struct element *element, struct element ret[ORIGINS_MAX])
{
	const struct element *told[ORIGINS_MAX];
	size_t n = 0, unused;
	(void)pthread_mutex_lock(&origins->lock);
	for (int is_exact = 1; origins->cap > 0 && is_exact >= 0; is_exact--) {
		const struct question question = question_of(element, is_exact);
		size_t n_told = collect(origins, dictionary, &question, told, &unused);
		for (size_t i = 0; i < n_told; i++)
			n = add(element, &told[i]->package, ret, n);
	}
	(void)pthread_mutex_unlock(&origins->lock);
	return n;
}
