/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages become questions (ecosystem, name, version), sorted so that each (ecosystem, name) is
 * looked up once; the answers are judged and dropped again, so that memory follows the hits and not
 * the data.
 */
#include "match/match.h"

#include "base/cleanup.h"
#include "match/hit.h"
#include "match/modules.h"
#include "version/version.h"

#define MEMORY_BYTES ((size_t)1 << 30)

struct matcher {
	struct vulndb *db;
	const struct package *packages;
	struct ledger *ledger;
	struct match_result *result;
	struct arena *scratch; /* of the whole match */
	size_t most_bytes;     /* of each arena */
	struct records records;
	struct hits hits;
	struct err *err;
};

static int full(struct err *err)
{
	return err_set(err, -ERR_LIMIT, "matching needs more memory than allowed");
}

/* Is the version itself one that this record, in any of its entries, calls fixed? */
static bool is_named_fix(
        const struct advisory_affected *entries, size_t n, const struct question *question)
{
	const struct scheme *scheme = scheme_find(str_from_c(question->scheme));
	for (size_t i = 0; scheme && i < n; i++) {
		for (size_t k = 0; k < entries[i].n_ranges; k++) {
			const struct advisory_range *range = &entries[i].ranges[k];
			for (size_t e = 0; e < range->n_events; e++) {
				if (range->events[e].kind == EVENT_FIXED &&
				        version_compare(scheme, question->version,
				                range->events[e].version) == ORDER_EQUAL)
					return true;
			}
		}
	}
	return false;
}

static void tell_unknown(struct matcher *m, const struct question *question,
        const struct advisory_affected *affected)
{
	const struct package *pkg = &m->packages[question->package];
	char text[512];
	int n = snprintf(text, sizeof(text),
	        STR_FMT " could not be judged: " STR_FMT " version '" STR_FMT
	                "' and its ranges cannot be compared (%s)",
	        STR_ARG(str_head(affected->record, 80)), STR_ARG(str_head(pkg->name, 120)),
	        STR_ARG(str_head(question->version, 120)), question->scheme);
	if (n > 0 && (size_t)n < sizeof(text))
		ledger_add(m->ledger, SKIP_DAMAGE, pkg->path, (str){ text, (size_t)n });
}

/* Returns: 0; -ERR_LIMIT */
static int keep_ranges(struct arena *arena, const struct advisory_affected *affected,
        struct advisory_affected *outlook)
{
	struct advisory_range *ranges = arena_alloc(arena, affected->n_ranges, sizeof(*ranges));
	if (!ranges)
		return -ERR_LIMIT;
	for (size_t i = 0; i < affected->n_ranges; i++) {
		size_t n = affected->ranges[i].n_events;
		struct advisory_event *events = arena_alloc(arena, n, sizeof(*events));
		if (!events)
			return -ERR_LIMIT;
		for (size_t k = 0; k < n; k++) {
			events[k] = affected->ranges[i].events[k];
			if (arena_copy(arena, events[k].version, &events[k].version) < 0)
				return -ERR_LIMIT;
		}
		ranges[i] = affected->ranges[i];
		ranges[i].events = events;
	}
	outlook->ranges = ranges;
	outlook->n_ranges = affected->n_ranges;
	return 0;
}

/* A list is long and mostly repeats the ranges, so that it is kept only when it decided. */
static int keep_versions(struct arena *arena, const struct advisory_affected *affected,
        struct advisory_affected *outlook)
{
	str *versions = arena_alloc(arena, affected->n_versions, sizeof(*versions));
	if (!versions)
		return -ERR_LIMIT;
	for (size_t i = 0; i < affected->n_versions; i++) {
		if (arena_copy(arena, affected->versions[i], &versions[i]) < 0)
			return -ERR_LIMIT;
	}
	outlook->versions = versions;
	outlook->n_versions = affected->n_versions;
	return 0;
}

static int add_hit(struct matcher *m, const struct question *question,
        const struct advisory_affected *affected, const struct verdict_detail *detail)
{
	const struct package *pkg = &m->packages[question->package];
	struct record *record;
	int r = records_get(&m->records, affected->source, affected->record, &record, m->err);
	if (r < 0)
		return r;
	if (record->advisory.withdrawn.n > 0)
		return 0;
	if (question->has_modules && !module_stream_fits(pkg->module, record->advisory.title))
		return 0;

	struct hit hit = {
		.package = question->package,
		.scheme = question->scheme,
		.record = record,
		.reason = {
			.advisory = record->advisory.id,
			.source = record->advisory.source,
			.range = detail->range,
			.comparison = detail->comparison,
			.fixed_in = detail->fixed_in,
		},
	};
	if (detail->range.n == 0 || detail->comparison.n == 0 ||
	        keep_ranges(m->scratch, affected, &hit.outlook) < 0 ||
	        (str_has_prefix(detail->range, STR("= ")) &&
	                keep_versions(m->scratch, affected, &hit.outlook) < 0) ||
	        arena_copy(m->scratch, affected->ecosystem, &hit.reason.ecosystem) < 0 ||
	        arena_copy(m->scratch, affected->package, &hit.reason.package) < 0 ||
	        hits_add(&m->hits, &hit) < 0)
		return full(m->err);
	return 0;
}

/* Judge one package against the entries of one record. */
static int judge_record(struct matcher *m, const struct question *question,
        const struct advisory_affected *entries, size_t n)
{
	const struct package *pkg = &m->packages[question->package];
	/* One build per minor release may be listed; having any of them is having the fix. */
	if (question->has_modules && n > 1 && is_named_fix(entries, n, question))
		return 0;

	for (size_t i = 0; i < n; i++) {
		struct verdict_detail detail = { .fixed_in = STR("") };
		if (question->has_modules && !module_allows(pkg, &entries[i]))
			continue;
		enum verdict verdict = match_judge(
		        question->scheme, &entries[i], question->version, m->scratch, &detail);
		if (verdict == VERDICT_UNKNOWN)
			tell_unknown(m, question, &entries[i]);
		if (verdict != VERDICT_YES)
			continue;
		int r = add_hit(m, question, &entries[i], &detail);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_same_record(const struct advisory_affected *a, const struct advisory_affected *b)
{
	return str_eq(a->source, b->source) && str_eq(a->record, b->record);
}

static int judge(struct matcher *m, const struct question *question,
        const struct advisory_affected *entries, size_t n)
{
	int r = 0;
	for (size_t i = 0, end; r >= 0 && i < n; i = end) {
		for (end = i + 1; end < n && is_same_record(&entries[i], &entries[end]);)
			end++;
		r = judge_record(m, question, &entries[i], end - i);
	}
	return r;
}

/* Answer the questions that ask for the same name. */
static int answer(struct matcher *m, const struct question *questions, size_t n)
{
	cleanup(arena_fini) struct arena lookup = ARENA(m->most_bytes);
	const struct advisory_affected *entries;
	size_t n_entries;

	int r = vulndb_affecting(m->db, questions[0].ecosystem, questions[0].name, &lookup,
	        &entries, &n_entries, m->err);
	for (size_t i = 0; r >= 0 && n_entries > 0 && i < n; i++)
		r = judge(m, &questions[i], entries, n_entries);
	return r;
}

static bool is_same_lookup(const struct question *a, const struct question *b)
{
	return str_eq(a->ecosystem, b->ecosystem) && str_eq(a->name, b->name);
}

static int answer_all(struct matcher *m, const struct questions *questions)
{
	int r = 0;
	for (size_t i = 0, end; r >= 0 && i < questions->n; i = end) {
		for (end = i + 1; end < questions->n; end++) {
			if (!is_same_lookup(&questions->items[i], &questions->items[end]))
				break;
		}
		r = answer(m, &questions->items[i], end - i);
	}
	return r;
}

static void tell_unasked(const struct questions *questions, struct ledger *ledger)
{
	for (size_t i = 0; i < questions->unasked.n; i++) {
		const struct map_entry *entry = &questions->unasked.entries[i];
		/* The ledger counts equal neighbours in one entry. */
		for (uint64_t n = *(const uint64_t *)entry->value; n > 0; n--)
			ledger_add(ledger, SKIP_POLICY, STR(""), entry->key);
	}
}

int match_within(
        size_t most_bytes, const struct match_input *in, struct match_result *ret, struct err *err)
{
	cleanup(arena_fini) struct arena scratch = ARENA(most_bytes);
	*ret = (struct match_result){ .arena = ARENA(most_bytes) };

	struct coverage coverage;
	struct questions questions = { .arena = &scratch };
	struct owners owners = OWNERS(&scratch, in->host, &coverage);
	if (coverage_find(in->db, in->host, &scratch, &coverage) < 0 ||
	        questions_make(in->db, &coverage, in->packages, in->n_packages, &questions) < 0 ||
	        owners_index(&owners, in->packages, in->n_packages) < 0)
		return full(err);
	ret->n_compared = questions.n_packages;
	tell_unasked(&questions, in->ledger);

	struct matcher m = {
		.db = in->db,
		.packages = in->packages,
		.ledger = in->ledger,
		.result = ret,
		.scratch = &scratch,
		.most_bytes = most_bytes,
		.records = RECORDS(in->db, &scratch),
		.hits = { .arena = &scratch },
		.err = err,
	};
	int r = answer_all(&m, &questions);
	if (r < 0)
		return r;

	struct grouping grouping = {
		.packages = in->packages,
		.records = &m.records,
		.owners = &owners,
		.scratch = &scratch,
		.ledger = in->ledger,
		.result = ret,
		.texts = MAP(&scratch),
	};
	return findings_make(&grouping, &m.hits, err);
}

int match_host(struct vulndb *db, const struct host *host, const struct package *packages,
        size_t n_packages, struct ledger *ledger, struct match_result *ret, struct err *err)
{
	const struct match_input in = {
		.db = db,
		.host = host,
		.packages = packages,
		.n_packages = n_packages,
		.ledger = ledger,
	};
	return match_within(MEMORY_BYTES, &in, ret, err);
}

void match_result_fini(struct match_result *result)
{
	if (!result)
		return;
	arena_fini(&result->arena);
	*result = (struct match_result){ .findings = NULL };
}
