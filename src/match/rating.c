/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records are asked in three tiers: those that matched and are about this vulnerability alone;
 * others that are about it alone; those about several, whose vector is that of the worst. The first
 * tier that has a vector decides, and in it the version of CVSS: 3.1, else 3.0, 4.0, 2.0. Where no
 * tier has one, the first word of a vendor decides, in the same order.
 */
#include "match/rating.h"

#include "model/cvss.h"

#define N_TIERS 3

static const enum cvss_version preferred[] = { CVSS_3_1, CVSS_3_0, CVSS_4_0, CVSS_2_0 };

struct rater {
	const struct record *const *records; /* those that matched first */
	size_t n_records, n_hits;
	struct ledger *ledger;
	struct rating rating;
	enum cvss_version *versions; /* of rating.cvss */
	size_t cap;
};

static int tier_of(const struct rater *rater, size_t i)
{
	if (rater->records[i]->n_cves > 1)
		return 2;
	return i < rater->n_hits ? 0 : 1;
}

static bool has_vector(const struct rater *rater, str vector)
{
	for (size_t i = 0; i < rater->rating.n_cvss; i++) {
		if (str_eq(rater->rating.cvss[i].vector, vector))
			return true;
	}
	return false;
}

static void add_vector(struct rater *rater, const struct record *record, str vector)
{
	struct err err = { 0 };
	enum cvss_version version;
	double score;
	struct rating *rating = &rater->rating;

	if (rating->n_cvss == rater->cap || has_vector(rater, vector))
		return;
	if (cvss_score(vector, &version, &score, &err) < 0) {
		char text[400];
		int n = snprintf(text, sizeof(text),
		        "the severity of " STR_FMT " is no CVSS vector: %s",
		        STR_ARG(str_head(record->advisory.id, 80)), err.text);
		if (n > 0 && (size_t)n < sizeof(text))
			ledger_add(rater->ledger, SKIP_DAMAGE, STR(""), (str){ text, (size_t)n });
		return;
	}
	rater->versions[rating->n_cvss] = version;
	rating->cvss[rating->n_cvss++] = (struct cvss_rating){
		.vector = vector,
		.source = record->advisory.id,
		.version = str_from_c(cvss_version_name(version)),
		.score = score,
	};
}

static void add_vectors(struct rater *rater, const struct record *record)
{
	const struct advisory *a = &record->advisory;
	for (size_t i = 0; i < a->n_severities; i++) {
		if (str_has_prefix(a->severities[i].type, STR("CVSS_V")))
			add_vector(rater, record, a->severities[i].score);
	}
}

/* Words that are not Inspector's, as vendors write them. */
static bool parse_word(str word, enum severity *ret)
{
	static const struct {
		str word;
		enum severity severity;
	} words[] = {
		{ STR("negligible"), SEVERITY_INFORMATIONAL },
		{ STR("none"), SEVERITY_INFORMATIONAL },
		{ STR("unimportant"), SEVERITY_INFORMATIONAL },
		{ STR("minor"), SEVERITY_LOW },
		{ STR("moderate"), SEVERITY_MEDIUM },
		{ STR("important"), SEVERITY_HIGH },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (str_eq_nocase(words[i].word, word)) {
			*ret = words[i].severity;
			return true;
		}
	}
	return severity_parse(word, ret);
}

static bool find_word(const struct record *record, enum severity *ret)
{
	const struct advisory *a = &record->advisory;
	for (size_t i = 0; i < a->n_severities; i++) {
		if (!str_has_prefix(a->severities[i].type, STR("CVSS_V")) &&
		        parse_word(a->severities[i].score, ret) && *ret != SEVERITY_UNTRIAGED)
			return true;
	}
	return false;
}

/* The vector that decides, among those of one tier. */
static void decide(struct rater *rater, size_t first)
{
	struct rating *rating = &rater->rating;
	for (size_t p = 0; p < sizeof(preferred) / sizeof(*preferred); p++) {
		for (size_t i = first; i < rating->n_cvss; i++) {
			if (rater->versions[i] != preferred[p])
				continue;
			rating->score = rating->cvss[i].score;
			rating->severity = severity_of_score(rating->score);
			return;
		}
	}
}

static void rate_by_vectors(struct rater *rater)
{
	for (int tier = 0; tier < N_TIERS; tier++) {
		/* What is said of several at once is only for want of something better. */
		if (tier == N_TIERS - 1 && rater->rating.n_cvss > 0)
			return;
		size_t first = rater->rating.n_cvss;
		for (size_t i = 0; i < rater->n_records; i++) {
			if (tier_of(rater, i) == tier)
				add_vectors(rater, rater->records[i]);
		}
		if (rater->rating.score < 0)
			decide(rater, first);
	}
}

static void rate_by_words(struct rater *rater)
{
	for (int tier = 0; tier < N_TIERS; tier++) {
		for (size_t i = 0; i < rater->n_records; i++) {
			enum severity severity;
			if (tier_of(rater, i) != tier || !find_word(rater->records[i], &severity))
				continue;
			rater->rating.severity = severity;
			return;
		}
	}
}

int rating_make(const struct record *const *records, size_t n_records, size_t n_hits,
        struct arena *arena, struct ledger *ledger, struct rating *ret)
{
	struct rater rater = {
		.records = records,
		.n_records = n_records,
		.n_hits = n_hits,
		.ledger = ledger,
		.rating = { .severity = SEVERITY_UNTRIAGED, .score = -1 },
	};
	for (size_t i = 0; i < n_records; i++)
		rater.cap += records[i]->advisory.n_severities;
	rater.rating.cvss = arena_alloc(arena, rater.cap, sizeof(*rater.rating.cvss));
	rater.versions = arena_alloc(arena, rater.cap, sizeof(*rater.versions));
	if (!rater.rating.cvss || !rater.versions)
		return -ERR_LIMIT;

	rate_by_vectors(&rater);
	if (rater.rating.score < 0)
		rate_by_words(&rater);
	*ret = rater.rating;
	return 0;
}
