/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hits become claims (package, vulnerability, hit): a record about several CVEs makes several.
 * Sorted, the claims of one finding stand together. Every hit of them is a reason: a source that
 * draws its range narrower takes nothing away.
 */
#include "match/hit.h"

#include <stdlib.h>

#include "version/version.h"

/* How often a fix may itself be affected by another record of the finding. */
#define FIX_STEPS_MAX 64

struct claim {
	size_t package;
	str name;
	const struct hit *hit;
	size_t reason; /* index in the finding's reasons */
};

struct claims {
	struct claim *items;
	size_t n, cap;
};

static int full(struct err *err)
{
	return err_set(err, -ERR_LIMIT, "the findings need more memory than allowed");
}

/* Make room for one more element of `size` bytes. */
static void *grow(struct arena *arena, void *items, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return items;
	size_t larger_cap = *cap ? *cap * 2 : 256;
	void *larger = arena_alloc(arena, larger_cap, size);
	if (!larger)
		return NULL;
	if (n > 0)
		memcpy(larger, items, n * size);
	*cap = larger_cap;
	return larger;
}

int hits_add(struct hits *hits, const struct hit *hit)
{
	struct hit *items = grow(hits->arena, hits->items, hits->n, &hits->cap, sizeof(*items));
	if (!items)
		return -ERR_LIMIT;
	hits->items = items;
	items[hits->n++] = *hit;
	return 0;
}

/* The copy of a text in the result's arena; one for all that are equal. */
static int share(struct grouping *g, str *s)
{
	if (s->n == 0)
		return 0;
	void **at = map_at(&g->texts, *s);
	if (!at)
		return -ERR_LIMIT;
	if (!*at) {
		str *copy = arena_alloc(&g->result->arena, 1, sizeof(*copy));
		if (!copy || arena_copy(&g->result->arena, *s, copy) < 0)
			return -ERR_LIMIT;
		*at = copy;
	}
	*s = *(const str *)*at;
	return 0;
}

static int by_finding(const void *left, const void *right)
{
	const struct claim *a = left, *b = right;
	if (a->package != b->package)
		return a->package < b->package ? -1 : 1;
	int c = str_cmp(a->name, b->name);
	if (c == 0)
		c = str_cmp(a->hit->reason.source, b->hit->reason.source);
	if (c == 0)
		c = str_cmp(a->hit->reason.advisory, b->hit->reason.advisory);
	if (c == 0)
		c = str_cmp(a->hit->reason.ecosystem, b->hit->reason.ecosystem);
	return c ? c : str_cmp(a->hit->reason.range, b->hit->reason.range);
}

static bool is_same_reason(const struct finding_reason *a, const struct finding_reason *b)
{
	return str_eq(a->source, b->source) && str_eq(a->advisory, b->advisory) &&
	       str_eq(a->ecosystem, b->ecosystem) && str_eq(a->range, b->range) &&
	       str_eq(a->comparison, b->comparison);
}

static int set_reasons(struct grouping *g, struct claim *claims, size_t n,
        struct finding_reason *reasons, struct finding *finding)
{
	size_t n_reasons = 0;
	for (size_t i = 0; i < n; i++) {
		struct finding_reason reason = claims[i].hit->reason;
		bool is_new = n_reasons == 0 || !is_same_reason(&reasons[n_reasons - 1], &reason);
		n_reasons += is_new;
		claims[i].reason = n_reasons - 1;
		if (!is_new)
			continue;
		str *texts[] = { &reason.advisory, &reason.source, &reason.ecosystem,
			&reason.package, &reason.range, &reason.comparison, &reason.fixed_in };
		for (size_t k = 0; k < sizeof(texts) / sizeof(*texts); k++) {
			if (share(g, texts[k]) < 0)
				return -ERR_LIMIT;
		}
		reasons[n_reasons - 1] = reason;
	}
	finding->reasons = reasons;
	finding->n_reasons = n_reasons;
	finding->source = reasons[0].source;
	return 0;
}

/* Empty when no reason knows one. */
static str highest_fix(const char *scheme_name, const struct finding *finding)
{
	const struct scheme *scheme = scheme_find(str_from_c(scheme_name));
	str highest = { NULL, 0 };
	for (size_t i = 0; i < finding->n_reasons; i++) {
		str fix = finding->reasons[i].fixed_in;
		if (fix.n > 0 && (!highest.p || !scheme ||
		                         version_compare(scheme, fix, highest) == ORDER_GREATER))
			highest = fix;
	}
	return highest;
}

/* Would the fix leave this hit open? Returns: 1, and then the hit's own fix of that; 0; -ERR_LIMIT
 */
static int outlives(struct grouping *g, const struct hit *hit, str fix, str *ret_next)
{
	struct verdict_detail detail;
	if (match_judge(hit->scheme, &hit->outlook, fix, g->scratch, &detail) != VERDICT_YES)
		return 0;
	if (detail.range.n == 0)
		return -ERR_LIMIT;
	*ret_next = detail.fixed_in;
	return 1;
}

/*
 * The highest fix of the reasons may itself lie in a range of one of them. When that range knows
 * its own fix, that is the next candidate; when it knows none, the fix is partial: "affected from 0
 * on" without an end speaks against any upgrade. A list of versions speaks for those in it alone.
 */
static int set_fix(struct grouping *g, const struct claim *claims, size_t n,
        struct finding_reason *reasons, struct finding *finding)
{
	str fix = highest_fix(claims[0].hit->scheme, finding), next = fix;
	size_t n_open = 0;
	finding->fix_state = FIX_NONE;
	for (int step = 0; next.n > 0 && step < FIX_STEPS_MAX; step++) {
		fix = next;
		next = (str){ NULL, 0 };
		n_open = 0;
		for (size_t i = 0; i < n; i++)
			reasons[claims[i].reason].affects_fix = false;
		for (size_t i = 0; n > 1 && i < n; i++) {
			str other;
			int r = outlives(g, claims[i].hit, fix, &other);
			if (r < 0)
				return r;
			n_open += r == 1;
			reasons[claims[i].reason].affects_fix |= r == 1;
			if (r == 1 && other.n > 0)
				next = other;
		}
	}
	if (fix.n == 0)
		return 0;
	finding->fixed_in = fix;
	finding->fix_state = n_open == 0 ? FIX_AVAILABLE : FIX_PARTIAL;
	return share(g, &finding->fixed_in);
}

static int by_text(const void *left, const void *right)
{
	return str_cmp(*(const str *)left, *(const str *)right);
}

/*
 * The other names: the records that hit and their aliases. CVEs of a record about several are other
 * vulnerabilities, not other names.
 */
static int set_aliases(struct grouping *g, const struct record *const *hits, size_t n_hits,
        struct finding *finding)
{
	size_t n = n_hits, n_kept = 0;
	for (size_t i = 0; i < n_hits; i++)
		n += hits[i]->advisory.n_aliases;
	str *list = arena_alloc(g->scratch, n, sizeof(*list));
	str *aliases = arena_alloc(&g->result->arena, n, sizeof(*aliases));
	if (!list || !aliases)
		return -ERR_LIMIT;

	n = 0;
	for (size_t i = 0; i < n_hits; i++) {
		const struct advisory *a = &hits[i]->advisory;
		list[n++] = a->id;
		for (size_t k = 0; k < a->n_aliases; k++) {
			if (!is_cve(a->aliases[k]))
				list[n++] = a->aliases[k];
		}
	}
	qsort(list, n, sizeof(*list), by_text);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(list[i], finding->id) || (i > 0 && str_eq(list[i], list[i - 1])))
			continue;
		aliases[n_kept] = list[i];
		if (share(g, &aliases[n_kept++]) < 0)
			return -ERR_LIMIT;
	}
	finding->aliases = aliases;
	finding->n_aliases = n_kept;
	return 0;
}

static str title_of(const struct record *const *records, size_t n, bool alone)
{
	for (size_t i = 0; i < n; i++) {
		if (records[i]->advisory.title.n > 0 && (!alone || records[i]->n_cves <= 1))
			return records[i]->advisory.title;
	}
	return (str){ "", 0 };
}

/* Of a record that hit, then of any that is about this alone; failing these, what the details begin
 * with. */
static str best_title(const struct record *const *records, size_t n_records, size_t n_hits)
{
	str title = title_of(records, n_records, true);
	if (title.n == 0)
		title = title_of(records, n_hits, false);
	for (size_t i = 0; title.n == 0 && i < n_records; i++)
		title = records[i]->advisory.details;
	return title;
}

static int set_rating(struct grouping *g, const struct record *const *records, size_t n_records,
        size_t n_hits, struct finding *finding)
{
	struct rating rating;
	if (rating_make(records, n_records, n_hits, &g->result->arena, g->ledger, &rating) < 0)
		return -ERR_LIMIT;
	for (size_t i = 0; i < rating.n_cvss; i++) {
		if (share(g, &rating.cvss[i].vector) < 0 || share(g, &rating.cvss[i].source) < 0)
			return -ERR_LIMIT;
	}
	finding->severity = rating.severity;
	finding->score = rating.score;
	finding->cvss = rating.cvss;
	finding->n_cvss = rating.n_cvss;
	finding->title = best_title(records, n_records, n_hits);
	return share(g, &finding->title);
}

/* The records that hit, then the others that name the vulnerability. Returns: NULL when memory is
 * out */
static const struct record **list_records(struct grouping *g, const struct claim *claims, size_t n,
        const struct vulnerability *v, size_t *ret_n_hits, size_t *ret_n)
{
	const struct record **list = arena_alloc(g->scratch, n + v->n_records, sizeof(*list));
	size_t n_hits = 0;
	for (size_t i = 0; list && i < n; i++) {
		if (n_hits == 0 || list[n_hits - 1] != claims[i].hit->record)
			list[n_hits++] = claims[i].hit->record;
	}
	size_t n_all = n_hits;
	for (size_t i = 0; list && i < v->n_records; i++) {
		size_t k = 0;
		while (k < n_hits && list[k] != v->records[i])
			k++;
		if (k == n_hits)
			list[n_all++] = v->records[i];
	}
	*ret_n_hits = n_hits;
	*ret_n = n_all;
	return list;
}

/* One finding of the claims that stand together. */
static int make_finding(struct grouping *g, struct claim *claims, size_t n, struct finding *finding,
        struct err *err)
{
	const struct vulnerability *v;
	size_t n_hits, n_records;
	int r = records_vulnerability(g->records, claims[0].name, &v, err);
	if (r < 0)
		return r;

	struct finding_reason *reasons = arena_alloc(&g->result->arena, n, sizeof(*reasons));
	const struct record **records = list_records(g, claims, n, v, &n_hits, &n_records);
	*finding = (struct finding){
		.id = claims[0].name,
		.pkg = &g->packages[claims[0].package],
		.epss = v->epss,
		.is_kev = v->is_kev,
	};
	if (!records || !reasons || share(g, &finding->id) < 0 ||
	        set_reasons(g, claims, n, reasons, finding) < 0 ||
	        set_fix(g, claims, n, reasons, finding) < 0 ||
	        set_aliases(g, records, n_hits, finding) < 0 ||
	        set_rating(g, records, n_records, n_hits, finding) < 0 ||
	        owners_sentence(g->owners, finding->pkg, &finding->suppressed) < 0 ||
	        share(g, &finding->suppressed) < 0)
		return full(err);
	return 0;
}

static int add_claims(
        struct grouping *g, const struct hit *hit, struct claims *claims, struct err *err)
{
	int r = records_name(g->records, hit->record, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < hit->record->n_names; i++) {
		struct claim *items = grow(
		        g->scratch, claims->items, claims->n, &claims->cap, sizeof(*claims->items));
		if (!items)
			return full(err);
		claims->items = items;
		items[claims->n++] = (struct claim){
			.package = hit->package,
			.name = hit->record->names[i],
			.hit = hit,
		};
	}
	return 0;
}

static bool is_same_finding(const struct claim *a, const struct claim *b)
{
	return a->package == b->package && str_eq(a->name, b->name);
}

static int by_weight(const void *left, const void *right)
{
	const struct finding *a = left, *b = right;
	if (a->severity != b->severity)
		return a->severity > b->severity ? -1 : 1;
	if (a->score > b->score || a->score < b->score)
		return a->score > b->score ? -1 : 1;
	int c = str_cmp(a->id, b->id);
	if (c == 0)
		c = str_cmp(a->pkg->name, b->pkg->name);
	if (c == 0)
		c = str_cmp(a->pkg->path, b->pkg->path);
	if (c == 0)
		c = str_cmp(a->pkg->version, b->pkg->version);
	return c ? c : (a->pkg > b->pkg) - (a->pkg < b->pkg);
}

/* The counted ones from the front, the suppressed from the back. */
static void split(struct match_result *result, struct finding *findings, size_t n)
{
	size_t n_counted = 0;
	for (size_t i = 0; i < n; i++) {
		if (findings[i].suppressed.n > 0)
			continue;
		struct finding counted = findings[i];
		findings[i] = findings[n_counted];
		findings[n_counted++] = counted;
	}
	result->findings = findings;
	result->n_findings = n_counted;
	result->suppressed = findings + n_counted;
	result->n_suppressed = n - n_counted;
	if (n_counted > 0)
		qsort(result->findings, n_counted, sizeof(*findings), by_weight);
	if (n > n_counted)
		qsort(result->suppressed, n - n_counted, sizeof(*findings), by_weight);
}

int findings_make(struct grouping *g, const struct hits *hits, struct err *err)
{
	struct claims claims = { .items = NULL };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < hits->n; i++)
		r = add_claims(g, &hits->items[i], &claims, err);
	if (r < 0 || claims.n == 0)
		return r;
	qsort(claims.items, claims.n, sizeof(*claims.items), by_finding);

	size_t n_findings = 0;
	for (size_t i = 0; i < claims.n; i++)
		n_findings += i == 0 || !is_same_finding(&claims.items[i], &claims.items[i - 1]);
	struct finding *findings = arena_alloc(&g->result->arena, n_findings, sizeof(*findings));
	if (!findings)
		return full(err);

	size_t n = 0;
	for (size_t i = 0, end; r >= 0 && i < claims.n; i = end) {
		for (end = i + 1; end < claims.n; end++) {
			if (!is_same_finding(&claims.items[i], &claims.items[end]))
				break;
		}
		r = make_finding(g, &claims.items[i], end - i, &findings[n++], err);
	}
	if (r >= 0)
		split(g->result, findings, n);
	return r;
}
