/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVSS v3.0 and v3.1, specification section 7 and, for v3.1's rounding, appendix A.
 *
 * They differ in two places. Rounding up: v3.0 takes the smallest tenth that is not below the
 * value; v3.1 rounds to five decimals first, so that binary fractions cannot lift a score. And the
 * modified impact of a changed scope has other constants. NEAR keeps v3.0's rounding free of what
 * binary fractions add.
 */
#include "model/cvss_metrics.h"

#include <math.h>

#define NEAR 1e-9

enum {
	AV,
	AC,
	PR,
	UI,
	S,
	C,
	I,
	A,
	E,
	RL,
	RC,
	CR,
	IR,
	AR,
	MAV,
	MAC,
	MPR,
	MUI,
	MS,
	MC,
	MI,
	MA,
	N_METRICS
};

static const struct cvss_metric table[N_METRICS] = {
	[AV] = { "AV", "N A L P", true },
	[AC] = { "AC", "L H", true },
	[PR] = { "PR", "N L H", true },
	[UI] = { "UI", "N R", true },
	[S] = { "S", "U C", true },
	[C] = { "C", "H L N", true },
	[I] = { "I", "H L N", true },
	[A] = { "A", "H L N", true },
	[E] = { "E", "X H F P U", false },
	[RL] = { "RL", "X U W T O", false },
	[RC] = { "RC", "X C R U", false },
	[CR] = { "CR", "X H M L", false },
	[IR] = { "IR", "X H M L", false },
	[AR] = { "AR", "X H M L", false },
	[MAV] = { "MAV", "X N A L P", false },
	[MAC] = { "MAC", "X L H", false },
	[MPR] = { "MPR", "X N L H", false },
	[MUI] = { "MUI", "X N R", false },
	[MS] = { "MS", "X U C", false },
	[MC] = { "MC", "X H L N", false },
	[MI] = { "MI", "X H L N", false },
	[MA] = { "MA", "X H L N", false },
};

/* By metric and index of the value; a modified metric is looked up under the base metric it
 * replaces. */
static const double weights[CR + 1][5] = {
	[AV] = { 0.85, 0.62, 0.55, 0.2 },
	[AC] = { 0.77, 0.44 },
	[PR] = { 0.85, 0.62, 0.27 },
	[UI] = { 0.85, 0.62 },
	[C] = { 0.56, 0.22, 0 },
	[I] = { 0.56, 0.22, 0 },
	[A] = { 0.56, 0.22, 0 },
	[E] = { 1, 1, 0.97, 0.94, 0.91 },
	[RL] = { 1, 1, 0.97, 0.96, 0.95 },
	[RC] = { 1, 1, 0.96, 0.92 },
	[CR] = { 1, 1.5, 1, 0.5 },
};

static const double changed_privileges[] = { 0.85, 0.68, 0.5 };

static bool is_defined(const uint8_t *v, unsigned metric)
{
	return v[metric] != CVSS_ABSENT && v[metric] > 0; /* 0 is "X" wherever this is asked */
}

/* The index of an optional metric, "X" when it is absent. */
static unsigned optional(const uint8_t *v, unsigned metric)
{
	return is_defined(v, metric) ? v[metric] : 0;
}

static double round_up(double x, bool is_3_1)
{
	if (x <= 0)
		return 0;
	if (!is_3_1)
		return ceil(x * 10 - NEAR) / 10;
	int64_t n = (int64_t)llround(x * 100000);
	int64_t tenths = n / 10000; /* whole ones: the standard takes the floor here */
	return n % 10000 == 0 ? (double)n / 100000 : (double)(tenths + 1) / 10;
}

static double exploitability(const uint8_t *m, bool is_changed)
{
	double privileges = is_changed ? changed_privileges[m[PR]] : weights[PR][m[PR]];
	return 8.22 * weights[AV][m[AV]] * weights[AC][m[AC]] * privileges * weights[UI][m[UI]];
}

static double impact(double subscore, bool is_changed, bool is_modified_3_1)
{
	if (!is_changed)
		return 6.42 * subscore;
	double tail =
	        is_modified_3_1 ? pow(subscore * 0.9731 - 0.02, 13) : pow(subscore - 0.02, 15);
	return 7.52 * (subscore - 0.029) - 3.25 * tail;
}

static double combine(double impact_value, double exploit_value, bool is_changed, bool is_3_1)
{
	if (impact_value <= 0)
		return 0;
	double sum = (is_changed ? 1.08 : 1.0) * (impact_value + exploit_value);
	return round_up(sum < 10 ? sum : 10, is_3_1);
}

static double base(const uint8_t *v, bool is_3_1)
{
	bool is_changed = v[S] == 1;
	double left = 1;
	for (unsigned i = C; i <= A; i++)
		left *= 1 - weights[i][v[i]];
	return combine(impact(1 - left, is_changed, false), exploitability(v, is_changed),
	        is_changed, is_3_1);
}

static double modified(const uint8_t *v, bool is_3_1)
{
	uint8_t m[A + 1]; /* the base metrics, replaced where modified ones are defined */
	for (unsigned i = AV; i <= A; i++)
		m[i] = is_defined(v, MAV + i) ? (uint8_t)(v[MAV + i] - 1) : v[i];
	bool is_changed = m[S] == 1;
	double left = 1;
	for (unsigned i = 0; i < 3; i++)
		left *= 1 - weights[CR][optional(v, CR + i)] * weights[C + i][m[C + i]];
	double subscore = 1 - left < 0.915 ? 1 - left : 0.915;
	return combine(impact(subscore, is_changed, is_3_1), exploitability(m, is_changed),
	        is_changed, is_3_1);
}

int cvss_v3_score(str vector, bool is_3_1, double *ret_score, struct err *err)
{
	uint8_t v[N_METRICS];
	int r = cvss_metrics_read(vector, table, N_METRICS, false, v, err);
	if (r < 0)
		return r;
	bool has_environment = false;
	for (unsigned i = CR; i < N_METRICS; i++)
		has_environment = has_environment || is_defined(v, i);

	double score = has_environment ? modified(v, is_3_1) : base(v, is_3_1);
	double time = weights[E][optional(v, E)] * weights[RL][optional(v, RL)] *
	              weights[RC][optional(v, RC)];
	*ret_score = round_up(score * time, is_3_1);
	return 0;
}
