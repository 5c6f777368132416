/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queries of a fleet that is made in memory of a seed.
 *
 *   bench_query [HOSTS [RUNS]]
 *
 * 1,000 hosts by default, about 100 findings each. One JSON line per measurement: the first page of
 * 100 by each sort field and once more from a mark half way, all pages, and each aggregation. The
 * orders of the vulnerabilities are made before, as any second query finds them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../tests/fleet/model.h"

#define RUNS_MAX 200

static double now_ms(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

struct bench {
	struct fleet *fleet;
	struct query query;
	unsigned long long n_hosts, n_findings;
	unsigned runs;
};

static void report(const struct bench *bench, const char *name, double *times, unsigned runs)
{
	qsort(times, runs, sizeof(times[0]), by_value);
	(void)printf("{\"name\":\"%s\",\"unit\":\"ms\",\"runs\":%u,\"median\":%.3f,\"p10\":%.3f,"
	             "\"p90\":%.3f,\"seed\":1,\"hosts\":%llu,\"findings\":%llu}\n",
	        name, runs, times[runs / 2], times[runs / 10], times[runs - 1 - runs / 10],
	        bench->n_hosts, bench->n_findings);
	(void)fflush(stdout);
}

/* The texts of a mark are those of the generation. */
static void page(const struct bench *bench, const struct query *query, struct query_mark *ret_mark)
{
	struct arena arena = ARENA((size_t)64 << 20);
	const struct finding_row *rows;
	size_t n;
	if (query_page(bench->fleet, query, &arena, &rows, &n, ret_mark, NULL) < 0)
		abort();
	arena_fini(&arena);
}

static void measure_first(const struct bench *bench, enum finding_field field, const char *name)
{
	double times[RUNS_MAX];
	char text[64];
	struct query query = bench->query;
	struct query_mark mark;
	unsigned runs = bench->runs;
	query.sort = field;
	query.is_descending = true;
	query.most = 100;
	page(bench, &query, &mark);
	for (unsigned i = 0; i < runs; i++) {
		double begin = now_ms();
		page(bench, &query, &mark);
		times[i] = now_ms() - begin;
		if (times[i] > 2000)
			runs = i + 1;
	}
	(void)snprintf(text, sizeof(text), "query_first_page_%s", name);
	report(bench, text, times, runs);
}

static void measure_all(const struct bench *bench)
{
	double times[RUNS_MAX];
	unsigned runs = bench->runs;
	if (runs > 5)
		runs = 5;
	for (unsigned i = 0; i < runs; i++) {
		struct query query = bench->query;
		double begin = now_ms();
		query.sort = FIELD_SEVERITY;
		query.is_descending = true;
		query.most = 100;
		do
			page(bench, &query, &query.after);
		while (query.after.is_set);
		times[i] = now_ms() - begin;
	}
	report(bench, "query_all_pages_severity", times, runs);
}

static void measure_narrow(const struct bench *bench)
{
	double times[RUNS_MAX];
	char id[32];
	struct query query = bench->query;
	struct query_mark mark;
	(void)snprintf(id, sizeof(id), "i-%s", bench->fleet->hosts[bench->n_hosts / 2 + 1]->id);
	struct criterion item = { .field = FIELD_RESOURCE_ID,
		.text = { TEXT_EQUALS, str_from_c(id) } };
	query.criteria = (struct criteria){ &item, 1 };
	query.sort = FIELD_SEVERITY;
	query.is_descending = true;
	query.most = 100;
	for (unsigned i = 0; i < bench->runs; i++) {
		double begin = now_ms();
		page(bench, &query, &mark);
		times[i] = now_ms() - begin;
	}
	report(bench, "query_first_page_of_one_host", times, bench->runs);
}

static void measure_counts(const struct bench *bench, enum aggregation by, const char *name)
{
	double times[RUNS_MAX];
	char text[64];
	struct aggregate_question question = {
		.by = by, .sort = SORT_CRITICAL, .is_descending = true
	};
	unsigned runs = bench->runs;
	if (runs > 5)
		runs = 5;
	for (unsigned i = 0; i < runs; i++) {
		struct arena arena = ARENA((size_t)1 << 30);
		const struct aggregate_row *rows;
		size_t n;
		double begin = now_ms();
		if (query_aggregate(
		            bench->fleet, &bench->query, &question, &arena, &rows, &n, NULL) < 0)
			abort();
		times[i] = now_ms() - begin;
		arena_fini(&arena);
	}
	(void)snprintf(text, sizeof(text), "query_count_by_%s", name);
	report(bench, text, times, runs);
}

static unsigned long long count_findings(const struct bench *bench)
{
	struct arena arena = ARENA((size_t)1 << 30);
	struct aggregate_question question = { .by = BY_ACCOUNT };
	const struct aggregate_row *rows;
	unsigned long long ret = 0;
	size_t n;
	if (query_aggregate(bench->fleet, &bench->query, &question, &arena, &rows, &n, NULL) < 0)
		abort();
	for (size_t i = 0; i < n; i++)
		ret += rows[i].n_all;
	arena_fini(&arena);
	return ret;
}

static void measure(const struct bench *bench)
{
	static const struct {
		enum finding_field field;
		const char *name;
	} sorts[] = { { FIELD_SEVERITY, "severity" }, { FIELD_SCORE, "score" },
		{ FIELD_EPSS, "epss" }, { FIELD_VULNERABILITY, "vulnerability" },
		{ FIELD_SOURCE, "source" }, { FIELD_VENDOR_SEVERITY, "vendor_severity" },
		{ FIELD_ACCOUNT, "account" }, { FIELD_STATUS, "status" },
		{ FIELD_LAST_OBSERVED, "last_observed" },
		{ FIELD_FIRST_OBSERVED, "first_observed" } };
	static const struct {
		enum aggregation by;
		const char *name;
	} counts[] = { { BY_ACCOUNT, "account" }, { BY_HOST, "host" }, { BY_IMAGE, "image" },
		{ BY_PACKAGE, "package" }, { BY_TITLE, "title" } };
	bool is_large = bench->n_findings > 5000000;
	for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
		if (!is_large || sorts[i].field != FIELD_FIRST_OBSERVED)
			measure_first(bench, sorts[i].field, sorts[i].name);
	}
	measure_narrow(bench);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure_counts(bench, counts[i].by, counts[i].name);
	if (!is_large)
		measure_all(bench);
}

int main(int argc, char **argv)
{
	uint64_t n_hosts = 1000, runs = 20;
	if (argc > 3 || (argc > 1 && !str_to_u64(str_from_c(argv[1]), 10000000, &n_hosts)) ||
	        (argc > 2 && !str_to_u64(str_from_c(argv[2]), RUNS_MAX, &runs)) || n_hosts == 0 ||
	        runs == 0) {
		(void)fprintf(stderr, "usage: bench_query [HOSTS [RUNS]]\n");
		return 2;
	}
	struct model_size size = { .seed = 1,
		.n_accounts = 20,
		.n_hosts = n_hosts,
		.n_elements = 20000,
		.n_vulns = 20000,
		.n_matches_per_element = 1,
		.n_sets = n_hosts < 2000 ? 400 : 2000,
		.n_elements_per_set = 150 };
	struct bench bench = {
		.fleet = model_new(&size), .n_hosts = n_hosts, .runs = (unsigned)runs
	};
	bench.query = (struct query){ .accounts = bench.fleet->accounts, .n_accounts = 20 };
	bench.n_findings = count_findings(&bench);
	measure(&bench);
	model_free(bench.fleet);
	return 0;
}
