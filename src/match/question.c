/* SPDX-License-Identifier: Apache-2.0 */
#include "match/question.h"

#include <stdlib.h>

#include "version/version.h"

/* What a distribution's advisories name, and with which of a package's two versions. */
enum naming { NAME_SOURCE, NAME_BINARY };

struct family {
	const char *ecosystem;
	enum naming naming;
	bool has_modules;
};

/*
 * Read off the published records: Debian, Ubuntu, Rocky Linux, SUSE, Mageia, openEuler and Azure
 * Linux name source packages; AlmaLinux, Red Hat and Photon OS list every binary package.
 */
static const struct family families[] = {
	{ "AlmaLinux", NAME_BINARY, true },
	{ "Azure Linux", NAME_SOURCE, false },
	{ "Debian", NAME_SOURCE, false },
	{ "Echo", NAME_SOURCE, false },
	{ "Mageia", NAME_SOURCE, false },
	{ "Photon OS", NAME_BINARY, false },
	{ "Red Hat", NAME_BINARY, true },
	{ "Rocky Linux", NAME_SOURCE, true },
	{ "SUSE", NAME_SOURCE, false },
	{ "Ubuntu", NAME_SOURCE, false },
	{ "openEuler", NAME_SOURCE, false },
	{ "openSUSE", NAME_SOURCE, false },
};

static const struct family *family_of(const struct ecosystem *ecosystem)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		if (strcmp(families[i].ecosystem, ecosystem->name) == 0)
			return &families[i];
	}
	return NULL;
}

int coverage_find(
        struct vulndb *db, const struct host *host, struct arena *arena, struct coverage *ret)
{
	struct coverage coverage = { .n = 0 };
	str names[ECOSYSTEM_HOST_MAX];
	int n = ecosystem_of_host(host, arena, names, ECOSYSTEM_HOST_MAX);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		if (vulndb_covers(db, names[i]))
			coverage.names[coverage.n++] = names[i];
	}
	str id = host->os_id.n > 0 ? host->os_id : STR("a distribution without a name");
	str version = host->os_version.n > 0 ? host->os_version : host->os_codename;
	if (arena_printf(arena, &coverage.os, STR_FMT "%s" STR_FMT, STR_ARG(id),
	            version.n > 0 ? " " : "", STR_ARG(version)) < 0)
		return -ERR_LIMIT;
	*ret = coverage;
	return 0;
}

static int add_question(struct questions *questions, const struct question *question)
{
	if (questions->n == questions->cap) {
		size_t cap = questions->cap ? questions->cap * 2 : 1024;
		struct question *items = arena_alloc(questions->arena, cap, sizeof(*items));
		if (!items)
			return -ERR_LIMIT;
		if (questions->n > 0)
			memcpy(items, questions->items, questions->n * sizeof(*items));
		questions->items = items;
		questions->cap = cap;
	}
	questions->items[questions->n++] = *question;
	return 0;
}

static int count_unasked(struct questions *questions, str reason)
{
	void **at = map_at(&questions->unasked, reason);
	if (!at)
		return -ERR_LIMIT;
	if (!*at)
		*at = arena_alloc(questions->arena, 1, sizeof(uint64_t));
	if (!*at)
		return -ERR_LIMIT;
	++*(uint64_t *)*at;
	return 0;
}

/* An ecosystem that the family table lacks is asked as its kind usually is: deb by source, rpm by
 * binary. */
static struct question ask_os(
        const struct package *pkg, str name, const struct ecosystem *ecosystem)
{
	const struct family *family = family_of(ecosystem);
	bool by_source =
	        family ? family->naming == NAME_SOURCE : strcmp(ecosystem->type, "deb") == 0;
	struct question question = {
		.ecosystem = name,
		.name = pkg->name,
		.version = pkg->version,
		.scheme = ecosystem->scheme,
		.has_modules = family && family->has_modules,
	};
	if (by_source && pkg->source_name.n > 0)
		question.name = pkg->source_name;
	if (by_source && pkg->source_version.n > 0)
		question.version = pkg->source_version;
	return question;
}

static int ask_about_os(struct questions *questions, const struct coverage *coverage,
        const struct package *pkg, size_t index)
{
	size_t before = questions->n;
	for (size_t i = 0; i < coverage->n; i++) {
		const struct ecosystem *ecosystem = ecosystem_find(coverage->names[i]);
		if (!ecosystem || !*ecosystem->scheme ||
		        !str_eq(str_from_c(ecosystem->type), pkg->type))
			continue;
		struct question question = ask_os(pkg, coverage->names[i], ecosystem);
		question.package = index;
		if (add_question(questions, &question) < 0)
			return -ERR_LIMIT;
	}
	if (questions->n > before) {
		questions->n_packages++;
		return 0;
	}
	str reason;
	if (arena_printf(questions->arena, &reason,
	            "no source of advisories covers the " STR_FMT " packages of " STR_FMT,
	            STR_ARG(pkg->type), STR_ARG(coverage->os)) < 0)
		return -ERR_LIMIT;
	return count_unasked(questions, reason);
}

/* Why packages of a language cannot be judged; empty when they can. */
static const char *obstacle_of(struct vulndb *db, const struct ecosystem *ecosystem)
{
	if (!ecosystem)
		return "no ecosystem of advisories is known for";
	if (!*ecosystem->scheme)
		return "this program does not order the versions of";
	return vulndb_covers(db, str_from_c(ecosystem->name)) ? ""
	                                                      : "no source of advisories covers";
}

static int ask_about_language(
        struct questions *questions, struct vulndb *db, const struct package *pkg, size_t index)
{
	const struct ecosystem *ecosystem = ecosystem_of_type(pkg->type);
	/* The same for every package of a type, and these come in long runs. */
	if (!questions->obstacle || !str_eq(questions->type, pkg->type)) {
		questions->type = pkg->type;
		questions->obstacle = obstacle_of(db, ecosystem);
	}
	if (*questions->obstacle) {
		str reason;
		if (arena_printf(questions->arena, &reason, "%s the " STR_FMT " packages",
		            questions->obstacle, STR_ARG(pkg->type)) < 0)
			return -ERR_LIMIT;
		return count_unasked(questions, reason);
	}
	struct question question = {
		.ecosystem = str_from_c(ecosystem->name),
		.version = pkg->version,
		.scheme = ecosystem->scheme,
		.package = index,
	};
	if (ecosystem_normal_name(ecosystem, pkg->name, questions->arena, &question.name) < 0)
		return -ERR_LIMIT;
	questions->n_packages++;
	return add_question(questions, &question);
}

static int by_lookup(const void *left, const void *right)
{
	const struct question *a = left, *b = right;
	int c = str_cmp(a->ecosystem, b->ecosystem);
	if (c == 0)
		c = str_cmp(a->name, b->name);
	return c ? c : (a->package > b->package) - (a->package < b->package);
}

int questions_make(struct vulndb *db, const struct coverage *coverage,
        const struct package *packages, size_t n_packages, struct questions *ret)
{
	ret->unasked = MAP(ret->arena);
	for (size_t i = 0; i < n_packages; i++) {
		int r = package_is_os(&packages[i]) ? ask_about_os(ret, coverage, &packages[i], i)
		                                    : ask_about_language(ret, db, &packages[i], i);
		if (r < 0)
			return r;
	}
	if (ret->n > 0)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_lookup);
	return 0;
}
