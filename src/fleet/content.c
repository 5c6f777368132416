/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of inventory types, and what their readers share. A row that cannot be used costs
 * itself and makes a ledger entry; only what is not JSON, not an array, or too much of it costs the
 * whole item.
 */
#include "fleet/content.h"

#include "base/cleanup.h"
#include "fleet/content_rows.h"
#include "model/ecosystem.h"

static const struct content_type *const types[] = {
	&content_application,
	&content_detailed,
	&content_instance,
	&content_metrics,
	&content_own,
	&content_third_party,
};

void content_fail(struct content_job *job, int code, const char *why)
{
	if (job->failed < 0)
		return;
	job->failed = code;
	job->why = why;
}

void content_refuse(struct content_job *job, enum skip_kind kind, const char *reason)
{
	char where[160];
	int n = snprintf(where, sizeof(where), STR_FMT " row %u", STR_ARG(str_head(job->type, 100)),
	        (unsigned)job->row);
	ledger_add(job->ledger, kind, (str){ where, (size_t)n }, str_from_c(reason));
}

static bool is_blank_or_control(char c)
{
	return (unsigned char)c <= ' ' || c == 0x7f;
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool has(str s, bool (*is)(char))
{
	(void)str_take_until(&s, is);
	return s.n > 0;
}

bool content_is_word(str s)
{
	return s.n > 0 && !has(s, is_blank_or_control);
}

/* What makes a package unusable; NULL for nothing. */
static const char *fault_of(const struct package *pkg)
{
	if (pkg->name.n == 0)
		return "has no name";
	if (pkg->version.n == 0)
		return "has no version";
	if (pkg->name.n > CONTENT_NAME_MAX)
		return "has a name longer than 1024 bytes";
	if (pkg->version.n > CONTENT_VERSION_MAX)
		return "has a version longer than 512 bytes";
	if (package_is_os(pkg) ? !content_is_word(pkg->name) || !content_is_word(pkg->version)
	                       : has(pkg->name, is_control) || has(pkg->version, is_control))
		return "has a name or version that is no single word";
	if (pkg->source_name.n > CONTENT_NAME_MAX || pkg->module.n > CONTENT_VERSION_MAX ||
	        pkg->source_version.n > CONTENT_VERSION_MAX || pkg->arch.n > 64 ||
	        pkg->owner.n > CONTENT_NAME_MAX + CONTENT_VERSION_MAX + 8)
		return "has a source, module, owner or architecture longer than is accepted";
	if (has(pkg->source_name, is_control) || has(pkg->source_version, is_control) ||
	        has(pkg->module, is_control) || has(pkg->arch, is_control) ||
	        has(pkg->owner, is_control))
		return "has control bytes in its source, module, owner or architecture";
	if (pkg->path.n > CONTENT_PATH_MAX ||
	        (pkg->path.n > 0 && memchr(pkg->path.p, 0, pkg->path.n)))
		return "has a path that no file has";
	return NULL;
}

static bool grow(struct content_job *job)
{
	size_t cap = job->cap ? job->cap * 2 : 256;
	struct package *packages = reallocarray(job->packages, cap, sizeof(*packages));
	if (!packages)
		return false;
	job->packages = packages;
	job->cap = cap;
	return true;
}

void content_offer(struct content_job *job, struct package *pkg)
{
	const char *fault = fault_of(pkg);
	if (fault)
		return content_refuse(job, SKIP_DAMAGE, fault);
	if (job->n_packages == CONTENT_PACKAGES_MAX)
		return content_fail(job, -ERR_LIMIT, "more than 200000 packages");
	if (job->n_packages == job->cap && !grow(job))
		return content_fail(job, -ERR_LIMIT, "not enough memory for its packages");
	const struct ecosystem *ecosystem = ecosystem_of_type(pkg->type);
	if (ecosystem && ecosystem_normal_name(ecosystem, pkg->name, job->arena, &pkg->name) < 0)
		return content_fail(job, -ERR_LIMIT, "not enough memory for its names");
	pkg->vendor = str_head(pkg->vendor, CONTENT_NAME_MAX);
	pkg->licence = str_head(pkg->licence, CONTENT_NAME_MAX);
	job->packages[job->n_packages++] = *pkg;
}

void content_fact(struct content_job *job, const char *key, str value)
{
	if (job->n_facts == CONTENT_FACTS_MAX)
		return content_fail(job, -ERR_LIMIT, "more facts than are taken");
	if (has(value, is_control))
		return content_refuse(
		        job, SKIP_DAMAGE, "has control bytes in what it says of the host");
	job->facts[job->n_facts++] =
	        (struct pair){ str_from_c(key), str_head(value, CONTENT_FACT_MAX) };
}

static void read_member(
        struct content_job *job, str key, const struct column *columns, size_t n, char *row)
{
	str value = { NULL, 0 };
	size_t i = 0;
	while (i < n && !str_eq_nocase(key, columns[i].name))
		i++;
	if (i == n)
		return json_skip(&job->json);
	bool good = json_peek(&job->json) == JSON_NUMBER ? json_number(&job->json, &value)
	                                                 : json_string(&job->json, &value);
	if (good)
		memcpy(row + columns[i].offset, &value, sizeof(value));
}

void content_read_members(
        struct content_job *job, const struct column *columns, size_t n, void *row)
{
	str key;
	while (json_next_key(&job->json, &key))
		read_member(job, key, columns, n, row);
}

void content_rows(struct content_job *job, struct row_form form, void *row,
        void (*take)(struct content_job *job, void *row))
{
	if (!json_array_begin(&job->json))
		return content_fail(job, -ERR_FORMAT, "it is not an array of rows");
	while (job->failed == 0 && json_next_element(&job->json)) {
		job->row++;
		if (!json_object_begin(&job->json)) {
			content_refuse(job, SKIP_DAMAGE, "is no object");
			continue;
		}
		memset(row, 0, form.bytes);
		content_read_members(job, form.columns, form.n, row);
		if (!json_failed(&job->json))
			take(job, row);
	}
}

static void pass_over(struct content_job *job, void *row)
{
	(void)job;
	(void)row;
}

/* A type that means nothing here: its rows are counted. */
static void read_other(struct content_job *job)
{
	char none;
	content_rows(job, (struct row_form){ .n = 0 }, &none, pass_over);
}

static const struct content_type content_other = { .read = read_other };

static const struct content_type *find_type(str type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (str_eq(type, types[i]->type))
			return types[i];
	}
	return &content_other;
}

/* Facts sorted by key; of one key the last counts. */
static void sort_facts(struct content_job *job)
{
	for (size_t i = 1; i < job->n_facts; i++) {
		struct pair fact = job->facts[i];
		size_t k = i;
		for (; k > 0 && str_cmp(job->facts[k - 1].key, fact.key) > 0; k--)
			job->facts[k] = job->facts[k - 1];
		job->facts[k] = fact;
	}
	size_t n = 0;
	for (size_t i = 0; i < job->n_facts; i++) {
		if (n > 0 && str_eq(job->facts[n - 1].key, job->facts[i].key))
			n--;
		job->facts[n++] = job->facts[i];
	}
	job->n_facts = n;
}

static int hand_over(struct content_job *job, const struct content_type *type, struct content *ret)
{
	struct package *packages = arena_alloc(job->arena, job->n_packages, sizeof(*packages));
	struct pair *facts = arena_alloc(job->arena, job->n_facts, sizeof(*facts));
	if ((job->n_packages > 0 && !packages) || (job->n_facts > 0 && !facts))
		return -ERR_LIMIT;
	sort_facts(job);
	if (job->n_packages > 0)
		memcpy(packages, job->packages, job->n_packages * sizeof(*packages));
	if (job->n_facts > 0)
		memcpy(facts, job->facts, job->n_facts * sizeof(*facts));
	*ret = (struct content){
		.is_packages = type->is_packages,
		.is_os = type->is_os,
		.is_language = type->is_language,
		.packages = packages,
		.n_packages = job->n_packages,
		.facts = facts,
		.n_facts = job->n_facts,
		.n_rows = job->row,
	};
	return 0;
}

int content_read(str type, str content, const struct host *os, struct arena *arena,
        struct ledger *ledger, struct content *ret, struct err *err)
{
	const struct content_type *reader = find_type(type);
	struct content_job job = { .type = type,
		.os = os,
		.arena = arena,
		.ledger = ledger,
		.json = JSON(content, arena) };
	reader->read(&job);
	autofree __attribute__((unused)) struct package *packages = job.packages;
	if (job.failed == 0 || json_failed(&job.json)) {
		int r = json_finish(&job.json, err);
		if (r < 0)
			return r;
	}
	if (job.failed < 0)
		return err_set(err, job.failed, "content of " STR_FMT ": %s",
		        STR_ARG(str_head(type, 100)), job.why);
	if (hand_over(&job, reader, ret) < 0)
		return err_set(err, -ERR_LIMIT, "content of " STR_FMT " wants too much memory",
		        STR_ARG(str_head(type, 100)));
	return 0;
}
