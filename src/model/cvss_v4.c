/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVSS v4.0, specification section 8.
 *
 * The metrics fall into six equivalence classes EQ1 to EQ6, each with two or three levels, 0 the
 * worst. The six levels are the MacroVector; experts gave each one a score, which is that of the
 * worst vector inside it. A vector's own score is lower by the mean, over the classes, of how far
 * it lies on the way to the next lower MacroVector: distance from the nearest worst vector / depth
 * of the level x difference of the two scores. A class without a next lower MacroVector does not
 * count. EQ3 and EQ6 move together.
 *
 * Everything is counted in whole numbers (scores in tenths, fractions over COMMON), so that the
 * last rounding, half up, is exact; binary fractions would decide ties by chance.
 */
#include "model/cvss_metrics.h"

enum {
	AV,
	AC,
	AT,
	PR,
	UI,
	VC,
	VI,
	VA,
	SC,
	SI,
	SA,
	E,
	CR,
	IR,
	AR,
	MAV,
	MAC,
	MAT,
	MPR,
	MUI,
	MVC,
	MVI,
	MVA,
	MSC,
	MSI,
	MSA,
	S,
	AU,
	R,
	V,
	RE,
	U,
	N_METRICS
};

/* Values stand from worst to best, so that an index is a severity level. */
static const struct cvss_metric table[N_METRICS] = {
	[AV] = { "AV", "N A L P", true },
	[AC] = { "AC", "L H", true },
	[AT] = { "AT", "N P", true },
	[PR] = { "PR", "N L H", true },
	[UI] = { "UI", "N P A", true },
	[VC] = { "VC", "H L N", true },
	[VI] = { "VI", "H L N", true },
	[VA] = { "VA", "H L N", true },
	[SC] = { "SC", "H L N", true },
	[SI] = { "SI", "H L N", true },
	[SA] = { "SA", "H L N", true },
	[E] = { "E", "X A P U", false },
	[CR] = { "CR", "X H M L", false },
	[IR] = { "IR", "X H M L", false },
	[AR] = { "AR", "X H M L", false },
	[MAV] = { "MAV", "X N A L P", false },
	[MAC] = { "MAC", "X L H", false },
	[MAT] = { "MAT", "X N P", false },
	[MPR] = { "MPR", "X N L H", false },
	[MUI] = { "MUI", "X N P A", false },
	[MVC] = { "MVC", "X H L N", false },
	[MVI] = { "MVI", "X H L N", false },
	[MVA] = { "MVA", "X H L N", false },
	[MSC] = { "MSC", "X H L N", false },
	[MSI] = { "MSI", "X S H L N", false },
	[MSA] = { "MSA", "X S H L N", false },
	[S] = { "S", "X N P", false },
	[AU] = { "AU", "X N Y", false },
	[R] = { "R", "X A U I", false },
	[V] = { "V", "X D C", false },
	[RE] = { "RE", "X L M H", false },
	[U] = { "U", "X Clear Green Amber Red", false },
};

/* There is no MacroVector with EQ3 = 2 and EQ6 = 0. */
#define NO 0xFF

/*
 * Scores of the 270 MacroVectors in tenths: a row per EQ1 EQ2 EQ3, in it EQ4, EQ5, EQ6 with EQ6
 * fastest. Source: FIRST, CVSS v4.0 specification, section 8.3 (the lookup table that it
 * publishes).
 */
static const uint8_t scores[18][18] = {
	{ 100, 99, 98, 95, 95, 92, 100, 96, 93, 87, 91, 81, 93, 90, 89, 80, 81, 68 }, /* 000 */
	{ 98, 95, 95, 92, 90, 84, 93, 92, 89, 81, 81, 65, 88, 80, 78, 70, 69, 48 },   /* 001 */
	{ NO, 92, NO, 82, NO, 72, NO, 79, NO, 69, NO, 50, NO, 69, NO, 55, NO, 27 },   /* 002 */
	{ 99, 97, 95, 92, 92, 85, 95, 91, 90, 83, 84, 71, 92, 81, 82, 71, 72, 53 },   /* 010 */
	{ 95, 93, 92, 85, 85, 73, 92, 82, 80, 72, 70, 59, 84, 70, 71, 52, 50, 30 },   /* 011 */
	{ NO, 86, NO, 75, NO, 52, NO, 71, NO, 52, NO, 29, NO, 63, NO, 29, NO, 17 },   /* 012 */
	{ 98, 95, 94, 87, 91, 81, 94, 89, 86, 74, 77, 64, 87, 75, 74, 63, 63, 49 },   /* 100 */
	{ 94, 89, 88, 77, 76, 67, 86, 76, 74, 58, 59, 50, 72, 57, 57, 52, 52, 25 },   /* 101 */
	{ NO, 83, NO, 70, NO, 54, NO, 65, NO, 58, NO, 26, NO, 53, NO, 21, NO, 13 },   /* 102 */
	{ 95, 90, 88, 76, 76, 70, 90, 77, 75, 62, 61, 53, 77, 66, 68, 59, 52, 30 },   /* 110 */
	{ 89, 78, 76, 67, 62, 58, 74, 59, 57, 57, 47, 23, 61, 52, 57, 29, 24, 16 },   /* 111 */
	{ NO, 71, NO, 59, NO, 30, NO, 58, NO, 26, NO, 15, NO, 23, NO, 13, NO, 6 },    /* 112 */
	{ 93, 87, 86, 72, 75, 58, 86, 74, 74, 61, 56, 34, 70, 54, 52, 40, 40, 22 },   /* 200 */
	{ 85, 75, 74, 55, 62, 51, 72, 57, 55, 41, 46, 19, 53, 36, 34, 19, 19, 8 },    /* 201 */
	{ NO, 64, NO, 51, NO, 20, NO, 47, NO, 21, NO, 11, NO, 24, NO, 9, NO, 4 },     /* 202 */
	{ 88, 75, 73, 53, 60, 50, 73, 55, 59, 40, 41, 20, 54, 43, 45, 22, 20, 11 },   /* 210 */
	{ 75, 55, 58, 45, 40, 21, 61, 51, 48, 18, 20, 9, 46, 18, 17, 7, 8, 2 },       /* 211 */
	{ NO, 53, NO, 24, NO, 14, NO, 24, NO, 12, NO, 5, NO, 10, NO, 3, NO, 1 },      /* 212 */
};

enum { COMMON = 840 }; /* divisible by every depth below */

/* Severity levels as the classes use them: index = enum above, up to AR; 0 is the worst. */
struct levels {
	int at[AR + 1];
};

static unsigned optional(const uint8_t *v, unsigned metric)
{
	return v[metric] == CVSS_ABSENT ? 0 : v[metric];
}

/*
 * Modified metrics replace the base ones; what is not defined counts as the worst. For subsequent
 * systems 0 is Safety, which only MSI and MSA can say, so that their other values lie one lower.
 */
static struct levels levels_of(const uint8_t *v)
{
	struct levels l;
	for (unsigned i = AV; i <= SA; i++) {
		unsigned m = optional(v, MAV + i);
		if (m > 0)
			l.at[i] = (int)m - 1 + (i == SC);
		else
			l.at[i] = v[i] + (i >= SC);
	}
	for (unsigned i = E; i <= AR; i++) {
		unsigned m = optional(v, i);
		l.at[i] = m > 0 ? (int)m - 1 : 0;
	}
	return l;
}

struct macro {
	int eq1, eq2, eq3, eq4, eq5, eq6;
};

static struct macro macro_of(const struct levels *l)
{
	const int *at = l->at;
	struct macro m = { 0 };
	int n_open = (at[AV] == 0) + (at[PR] == 0) + (at[UI] == 0);
	m.eq1 = n_open == 3 ? 0 : n_open > 0 && at[AV] != 3 ? 1 : 2;
	m.eq2 = at[AC] == 0 && at[AT] == 0 ? 0 : 1;
	if (at[VC] == 0 && at[VI] == 0)
		m.eq3 = 0;
	else
		m.eq3 = at[VC] == 0 || at[VI] == 0 || at[VA] == 0 ? 1 : 2;
	if (at[SI] == 0 || at[SA] == 0)
		m.eq4 = 0;
	else
		m.eq4 = at[SC] == 1 || at[SI] == 1 || at[SA] == 1 ? 1 : 2;
	m.eq5 = at[E];
	m.eq6 = (at[CR] == 0 && at[VC] == 0) || (at[IR] == 0 && at[VI] == 0) ||
	                        (at[AR] == 0 && at[VA] == 0)
	                ? 0
	                : 1;
	return m;
}

/* The score of a MacroVector in tenths; NO when there is none. */
static int score_of(struct macro m)
{
	if (m.eq1 > 2 || m.eq2 > 1 || m.eq3 > 2 || m.eq4 > 2 || m.eq5 > 2 || m.eq6 > 1)
		return NO;
	return scores[(m.eq1 * 2 + m.eq2) * 3 + m.eq3][(m.eq4 * 3 + m.eq5) * 2 + m.eq6];
}

/* One worst vector of a level of a class: the metrics of the class, in the order of its members. */
struct worst {
	int level;
	int at[6];
};

static const unsigned members1[] = { AV, PR, UI }, members2[] = { AC, AT },
                      members36[] = { VC, VI, VA, CR, IR, AR }, members4[] = { SC, SI, SA };

/* Source: CVSS v4.0 specification, section 8.2, highest severity vectors. EQ3 and EQ6: level = 2
 * EQ3 + EQ6. */
static const struct worst worst1[] = {
	{ 0, { 0, 0, 0 } },
	{ 1, { 1, 0, 0 } },
	{ 1, { 0, 1, 0 } },
	{ 1, { 0, 0, 1 } },
	{ 2, { 3, 0, 0 } },
	{ 2, { 1, 1, 1 } },
};
static const struct worst worst2[] = { { 0, { 0, 0 } }, { 1, { 1, 0 } }, { 1, { 0, 1 } } };
static const struct worst worst36[] = {
	{ 0, { 0, 0, 0, 0, 0, 0 } },
	{ 1, { 0, 0, 1, 1, 1, 0 } },
	{ 1, { 0, 0, 0, 1, 1, 1 } },
	{ 2, { 1, 0, 0, 0, 0, 0 } },
	{ 2, { 0, 1, 0, 0, 0, 0 } },
	{ 3, { 1, 0, 1, 0, 1, 0 } },
	{ 3, { 1, 0, 0, 0, 1, 1 } },
	{ 3, { 0, 1, 0, 1, 0, 1 } },
	{ 3, { 0, 1, 1, 1, 0, 0 } },
	{ 3, { 1, 1, 0, 0, 0, 1 } },
	{ 5, { 1, 1, 1, 0, 0, 0 } },
};
static const struct worst worst4[] = { { 0, { 1, 0, 0 } }, { 1, { 1, 1, 1 } }, { 2, { 2, 2, 2 } } };

/* Depth of each level: its largest distance from a worst vector, plus one. */
static const int depth1[] = { 1, 4, 5 }, depth2[] = { 1, 2 }, depth36[] = { 7, 6, 8, 8, 0, 10 },
                 depth4[] = { 6, 5, 4 };

struct class
{
	const unsigned *members;
	size_t n_members;
	const struct worst *worst;
	size_t n_worst;
	const int *depth;
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CLASS(k)                                                                                   \
	{                                                                                          \
		members##k, COUNT(members##k), worst##k, COUNT(worst##k), depth##k                 \
	}

static const struct class class1 = CLASS(1), class2 = CLASS(2), class36 = CLASS(36),
                          class4 = CLASS(4);

/* Steps down from the first worst vector of the level that is nowhere better than this one. */
static int distance(const struct class *class, int level, const struct levels *l)
{
	for (size_t i = 0; i < class->n_worst; i++) {
		const struct worst *w = &class->worst[i];
		int sum = 0;
		bool below = w->level == level;
		for (size_t k = 0; below && k < class->n_members; k++) {
			int step = l->at[class->members[k]] - w->at[k];
			below = step >= 0;
			sum += step;
		}
		if (below)
			return sum;
	}
	return 0; /* every vector lies below a worst one of its level */
}

/* What the classes take away: a sum over COMMON, and how many of them counted. */
struct mean {
	int sum, n;
};

static void take(struct mean *mean, const struct class *class, int level, const struct levels *l,
        int score, int lower)
{
	if (lower == NO)
		return;
	mean->n++;
	mean->sum += (score - lower) * distance(class, level, l) * (COMMON / class->depth[level]);
}

/* EQ3 and EQ6 step together: 00 to the better of 01 and 10, 01 and 10 to 11, 11 to 21. */
static int lower36(struct macro m)
{
	struct macro left = m, right = m;
	left.eq6++;
	right.eq3++;
	if (m.eq3 == 0 && m.eq6 == 0)
		return score_of(left) > score_of(right) ? score_of(left) : score_of(right);
	return m.eq6 == 0 ? score_of(left) : score_of(right);
}

static int tenths(const struct levels *l)
{
	struct macro m = macro_of(l), m1 = m, m2 = m, m4 = m, m5 = m;
	struct mean mean = { 0 };
	int score = score_of(m);
	m1.eq1++;
	m2.eq2++;
	m4.eq4++;
	m5.eq5++;
	take(&mean, &class1, m.eq1, l, score, score_of(m1));
	take(&mean, &class2, m.eq2, l, score, score_of(m2));
	take(&mean, &class36, 2 * m.eq3 + m.eq6, l, score, lower36(m));
	take(&mean, &class4, m.eq4, l, score, score_of(m4));
	if (score_of(m5) != NO)
		mean.n++; /* EQ5 is one metric: a vector is always its level's worst */
	if (mean.n == 0)
		return score;
	int whole = COMMON * mean.n, exact = score * whole - mean.sum;
	return exact <= 0 ? 0 : (2 * exact + whole) / (2 * whole);
}

int cvss_v4_score(str vector, double *ret_score, struct err *err)
{
	uint8_t v[N_METRICS];
	int r = cvss_metrics_read(vector, table, N_METRICS, true, v, err);
	if (r < 0)
		return r;
	struct levels l = levels_of(v);
	bool has_impact = false;
	for (unsigned i = VC; i <= SA; i++)
		has_impact = has_impact || l.at[i] < (i < SC ? 2 : 3); /* anything above None */
	*ret_score = has_impact ? tenths(&l) / 10.0 : 0;
	return 0;
}
