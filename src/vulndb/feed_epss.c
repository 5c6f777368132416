/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EPSS: a CSV file, usually gzip.
 *
 *   #model_version:v2023.03.01,score_date:2023-03-07T00:00:00+0000    (missing in the oldest
 * issues) cve,epss,percentile                                               (the oldest have no
 * percentile) CVE-2020-5902,0.97567,0.99995
 *
 * Probabilities are kept in units of 1e-9, which holds every published digit exactly.
 */
#include "vulndb/feed.h"

#include "vulndb/cve.h"

#define TEXT_MAX_BYTES ((size_t)256 << 20)
#define LICENCE "FIRST EPSS data: free use with attribution (first.org/epss)"

static bool claims(const struct feed_sight *sight)
{
	if (str_has_prefix(sight->name, STR("epss_scores-")) &&
	        (str_has_suffix(sight->name, STR(".csv")) ||
	                str_has_suffix(sight->name, STR(".csv.gz"))))
		return true;
	return str_has_prefix(sight->head, STR("#model_version:")) ||
	       str_has_prefix(sight->head, STR("cve,epss"));
}

/* "score_date:..." of the first line. */
static str date_in_line(str line)
{
	str rest = line, part;
	while (rest.n > 0) {
		if (!str_split_first(rest, ',', &part, &rest)) {
			part = rest;
			rest = (str){ NULL, 0 };
		}
		part = str_trim(part);
		if (str_has_prefix(part, STR("#")))
			part = str_skip(part, 1);
		if (str_has_prefix(part, STR("score_date:")))
			return str_skip(part, sizeof("score_date:") - 1);
	}
	return (str){ NULL, 0 };
}

/* The date of the first line, else of the file's name. */
static str issue_date(str name, str text)
{
	str line;
	struct stamp at;
	if (str_next_line(&text, &line) && str_has_prefix(line, STR("#"))) {
		str date = date_in_line(line);
		if (stamp_parse(date, &at))
			return date;
	}
	if (str_has_prefix(name, STR("epss_scores-")))
		name = str_head(str_skip(name, sizeof("epss_scores-") - 1), 10);
	return stamp_parse(name, &at) ? name : (str){ NULL, 0 };
}

static bool date(const struct feed_sight *sight, struct stamp *ret)
{
	return stamp_parse(issue_date(sight->name, sight->head), ret);
}

/* The exponent of "9.1e-05"; without one 0. */
static bool read_exponent(str s, int *ret)
{
	uint64_t v = 0;
	bool is_negative = false;
	if (s.n == 0) {
		*ret = 0;
		return true;
	}
	s = str_skip(s, 1);
	if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+')) {
		is_negative = s.p[0] == '-';
		s = str_skip(s, 1);
	}
	if (!str_to_u64(s, 99, &v))
		return false;
	*ret = is_negative ? -(int)v : (int)v;
	return true;
}

/*
 * A probability in units of 1e-9, rounded half up. Digits are taken one by one, each with its own
 * power of ten, so that there is neither overflow nor a locale.
 */
static bool read_probability(str s, uint32_t *ret)
{
	int exponent;
	bool any = false, is_half_up = false;
	uint64_t v = 0;
	str rest = s;
	str number = str_take_until(&rest, is_alpha);
	if ((rest.n > 0 && to_lower(rest.p[0]) != 'e') || !read_exponent(rest, &exponent))
		return false;
	str whole = str_take_while(&number, is_digit);
	if (number.n > 0 && number.p[0] != '.')
		return false;
	str part = str_skip(number, 1);
	if (part.n > 64 || whole.n > 64)
		return false;
	for (size_t i = 0; i < whole.n + part.n; i++) {
		char c = i < whole.n ? whole.p[i] : part.p[i - whole.n];
		int power = (int)whole.n - 1 - (int)i + exponent + 9;
		if (!is_digit(c))
			return false;
		any = true;
		if (c == '0')
			continue;
		if (power > 9)
			return false;
		uint64_t unit = 1;
		for (int n = 0; n < power; n++)
			unit *= 10;
		if (power >= 0)
			v += (uint64_t)(c - '0') * unit;
		else if (power == -1 && c >= '5')
			is_half_up = true;
	}
	v += is_half_up;
	if (!any || v > 1000000000u)
		return false;
	*ret = (uint32_t)v;
	return true;
}

static bool read_row(str line, uint32_t *ret_year, uint32_t *ret_number, uint32_t *ret_value)
{
	str cve, score, percentile;
	if (!str_split_first(line, ',', &cve, &score))
		return false;
	(void)str_split_first(score, ',', &score, &percentile);
	return cve_parse(str_trim(cve), ret_year, ret_number) &&
	       read_probability(str_trim(score), ret_value);
}

/* Comments and the line of column names, which must be those we know. */
static int read_columns(struct job *job, str *text, uint64_t *n, struct err *err)
{
	str line;
	while (str_next_line(text, &line)) {
		++*n;
		if (line.n == 0 || line.p[0] == '#' || str_trim(line).n == 0)
			continue;
		line = str_trim(line);
		if (str_eq(line, STR("cve,epss")) || str_has_prefix(line, STR("cve,epss,")))
			return 0;
		break;
	}
	return err_set(err, -ERR_FORMAT,
	        "%s: no EPSS table: its columns do not begin with cve,epss", job->found->paths[0]);
}

static int read_rows(struct job *job, str text, struct cve_table *table, struct err *err)
{
	uint64_t n = 0;
	int r = read_columns(job, &text, &n, err);
	for (str line; r == 0 && str_next_line(&text, &line);) {
		uint32_t year, number, value;
		n++;
		if (str_trim(line).n == 0)
			continue;
		job->result.n_records++;
		if (read_row(line, &year, &number, &value)) {
			job->result.by_reason[REASON_USED]++;
			r = cve_table_add(table, year, number, value);
			if (r < 0)
				r = err_set(err, r, "%s: too many rows", job->found->paths[0]);
		} else {
			autobuf where = BUF(64);
			buf_printf(&where, "line %llu", (unsigned long long)n);
			job_left_out(job, buf_str(&where), REASON_BAD_ROW);
		}
	}
	return r;
}

static int import(struct job *job, struct err *err)
{
	const char *path = job->found->paths[0];
	autobuf text = BUF(TEXT_MAX_BYTES);
	struct cve_table table = { 0 };
	int r = feed_read_file(path, &text, err);
	if (r < 0)
		return r;
	job->result.n_bytes = text.n;
	job_date(job, issue_date(str_basename(str_from_c(path)), buf_str(&text)));
	r = read_rows(job, buf_str(&text), &table, err);
	if (r == 0)
		r = cve_table_store(&table, job, STR(LICENCE), err);
	cve_table_fini(&table);
	return r;
}

const struct feed feed_epss = {
	.name = "epss",
	.only_newest = true,
	.claims = claims,
	.date = date,
	.import = import,
};
