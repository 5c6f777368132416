/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CVSS v2.0: "A Complete Guide to the Common Vulnerability Scoring System Version 2.0",
 * section 3.2.
 *
 * The guide rounds to one decimal. Weights have few decimals, so that a value which ought to end in
 * exactly 5 can be a hair below it in binary: NEAR lifts it. No two different values of the
 * equations lie that close.
 */
#include "model/cvss_metrics.h"

#include <math.h>

#define NEAR 1e-9

enum { AV, AC, AU, C, I, A, E, RL, RC, CDP, TD, CR, IR, AR, N_METRICS };

static const struct cvss_metric table[N_METRICS] = {
	[AV] = { "AV", "L A N", true },
	[AC] = { "AC", "H M L", true },
	[AU] = { "Au", "M S N", true },
	[C] = { "C", "N P C", true },
	[I] = { "I", "N P C", true },
	[A] = { "A", "N P C", true },
	[E] = { "E", "ND U POC F H", false },
	[RL] = { "RL", "ND OF TF W U", false },
	[RC] = { "RC", "ND UC UR C", false },
	[CDP] = { "CDP", "ND N L LM MH H", false },
	[TD] = { "TD", "ND N L M H", false },
	[CR] = { "CR", "ND L M H", false },
	[IR] = { "IR", "ND L M H", false },
	[AR] = { "AR", "ND L M H", false },
};

static const double weights[N_METRICS][6] = {
	[AV] = { 0.395, 0.646, 1.0 },
	[AC] = { 0.35, 0.61, 0.71 },
	[AU] = { 0.45, 0.56, 0.704 },
	[C] = { 0, 0.275, 0.660 },
	[I] = { 0, 0.275, 0.660 },
	[A] = { 0, 0.275, 0.660 },
	[E] = { 1.0, 0.85, 0.9, 0.95, 1.0 },
	[RL] = { 1.0, 0.87, 0.90, 0.95, 1.0 },
	[RC] = { 1.0, 0.90, 0.95, 1.0 },
	[CDP] = { 0, 0, 0.1, 0.3, 0.4, 0.5 },
	[TD] = { 1.0, 0, 0.25, 0.75, 1.0 },
	[CR] = { 1.0, 0.5, 1.0, 1.51 },
	[IR] = { 1.0, 0.5, 1.0, 1.51 },
	[AR] = { 1.0, 0.5, 1.0, 1.51 },
};

/* An absent metric weighs as "not defined", which is the first of its values. */
static double weight(const uint8_t *v, unsigned metric)
{
	return weights[metric][v[metric] == CVSS_ABSENT ? 0 : v[metric]];
}

static double round_tenth(double x)
{
	return floor(x * 10 + 0.5 + NEAR) / 10;
}

/* Impact, or with the security requirements AdjustedImpact: the same where they are not defined. */
static double impact(const uint8_t *v, bool adjusted)
{
	double left = 1;
	for (unsigned i = 0; i < 3; i++)
		left *= 1 - weight(v, C + i) * (adjusted ? weight(v, CR + i) : 1);
	double value = 10.41 * (1 - left);
	return adjusted && value > 10 ? 10 : value;
}

static double base(const uint8_t *v, double impact_value)
{
	double exploitability = 20 * weight(v, AV) * weight(v, AC) * weight(v, AU);
	double factor = impact_value > 0 ? 1.176 : 0;
	return round_tenth((0.6 * impact_value + 0.4 * exploitability - 1.5) * factor);
}

static double temporal(const uint8_t *v, double base_value)
{
	return round_tenth(base_value * weight(v, E) * weight(v, RL) * weight(v, RC));
}

/* A group of metrics is given as a whole or not at all (section 2.4). */
static bool has_group(const uint8_t *v, unsigned first, unsigned last, bool *ret_has)
{
	unsigned n = 0;
	for (unsigned i = first; i <= last; i++)
		n += v[i] != CVSS_ABSENT;
	*ret_has = n > 0;
	return n == 0 || n == last - first + 1;
}

int cvss_v2_score(str vector, double *ret_score, struct err *err)
{
	uint8_t v[N_METRICS];
	bool has_temporal, has_environment;
	int r = cvss_metrics_read(vector, table, N_METRICS, true, v, err);
	if (r < 0)
		return r;
	if (!has_group(v, E, RC, &has_temporal))
		return err_set(err, -ERR_FORMAT, "not all of E, RL and RC");
	if (!has_group(v, CDP, AR, &has_environment))
		return err_set(err, -ERR_FORMAT, "not all of CDP, TD, CR, IR and AR");

	double score = temporal(v, base(v, impact(v, has_environment)));
	if (has_environment)
		score = round_tenth((score + (10 - score) * weight(v, CDP)) * weight(v, TD));
	*ret_score = score < 0 ? 0 : score;
	return 0;
}
