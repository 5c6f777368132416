/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/timestamp.h"

#include <math.h>

#define DAY_MS INT64_C(86400000)
/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z. */
#define FIRST_MS (INT64_C(-62167219200) * 1000)
#define LAST_MS (INT64_C(253402300799) * 1000 + 999)

struct date {
	int64_t year;
	unsigned month, day; /* from 1 */
};

/*
 * Days since 1970 of a date of the proleptic Gregorian calendar, and back. The year begins in
 * March, so that the leap day is its last and the months' lengths follow one formula; an era is the
 * 400 years (146,097 days) after which the calendar repeats.
 */
static int64_t days_of(struct date date)
{
	int64_t y = date.year - (date.month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t month = ((int64_t)date.month + 9) % 12; /* March is 0 */
	int64_t day_of_year = (153 * month + 2) / 5 + (int64_t)date.day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static struct date date_of(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
	        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
	        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* March is 0 */
	return (struct date){
		.year = year_of_era + era * 400 + (month >= 10),
		.month = (unsigned)(month < 10 ? month + 3 : month - 9),
		.day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
	};
}

void timestamp_write_epoch(struct json_writer *w, int64_t at_ms)
{
	json_write_double(w, (double)at_ms / 1000.0, 3);
}

void timestamp_add_iso(struct buf *out, int64_t at_ms)
{
	at_ms = at_ms < FIRST_MS ? FIRST_MS : at_ms > LAST_MS ? LAST_MS : at_ms;
	int64_t days = (at_ms >= 0 ? at_ms : at_ms - (DAY_MS - 1)) / DAY_MS;
	unsigned ms = (unsigned)(at_ms - days * DAY_MS);
	unsigned s = ms / 1000;
	struct date date = date_of(days);
	buf_printf(out, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)date.year, date.month, date.day,
	        s / 3600, s / 60 % 60, s % 60);
	if (ms % 1000 != 0)
		buf_printf(out, ".%03u", ms % 1000);
	buf_add_byte(out, 'Z');
}

/* Exactly `n` digits at the front, not above max. */
static bool take_digits(str *s, size_t n, uint64_t max, uint64_t *ret)
{
	if (s->n < n || !str_to_u64(str_head(*s, n), max, ret))
		return false;
	*s = str_skip(*s, n);
	return true;
}

static bool take_byte(str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

static bool take_date(str *s, int64_t *ret_days)
{
	uint64_t year, month, day;
	if (!take_digits(s, 4, 9999, &year) || !take_byte(s, '-') ||
	        !take_digits(s, 2, 12, &month) || !take_byte(s, '-') ||
	        !take_digits(s, 2, 31, &day) || month == 0 || day == 0)
		return false;
	struct date date = { (int64_t)year, (unsigned)month, (unsigned)day };
	struct date back = date_of(days_of(date)); /* the 31st of April comes back as 1 May */
	*ret_days = days_of(date);
	return back.month == date.month && back.day == date.day;
}

static bool take_fraction(str *s, int64_t *ret_ms)
{
	int64_t ms = 0, scale = 100;
	if (!take_byte(s, '.') && !take_byte(s, ','))
		return true;
	str digits = str_take_while(s, is_digit);
	for (size_t i = 0; i < digits.n && scale > 0; i++, scale /= 10)
		ms += (digits.p[i] - '0') * scale;
	*ret_ms += ms;
	return digits.n > 0;
}

/* "Z", "z" or "+hh:mm". */
static bool take_zone(str *s, int64_t *ret_ms)
{
	uint64_t hours, minutes;
	if (take_byte(s, 'Z') || take_byte(s, 'z'))
		return true;
	bool is_west = s->n > 0 && s->p[0] == '-';
	if (!is_west && !(s->n > 0 && s->p[0] == '+'))
		return false;
	*s = str_skip(*s, 1);
	if (!take_digits(s, 2, 23, &hours) || !take_byte(s, ':') ||
	        !take_digits(s, 2, 59, &minutes))
		return false;
	int64_t offset = (int64_t)(hours * 60 + minutes) * 60000;
	*ret_ms += is_west ? offset : -offset;
	return true;
}

bool timestamp_from_iso(str s, int64_t *ret_at_ms)
{
	int64_t days, ms;
	uint64_t hours, minutes, seconds;
	if (!take_date(&s, &days))
		return false;
	ms = days * DAY_MS;
	if (s.n > 0) {
		if (!(take_byte(&s, 'T') || take_byte(&s, 't') || take_byte(&s, ' ')) ||
		        !take_digits(&s, 2, 23, &hours) || !take_byte(&s, ':') ||
		        !take_digits(&s, 2, 59, &minutes) || !take_byte(&s, ':') ||
		        !take_digits(&s, 2, 60, &seconds))
			return false;
		ms += (int64_t)(hours * 3600 + minutes * 60 + seconds) * 1000;
		if (!take_fraction(&s, &ms) || !take_zone(&s, &ms))
			return false;
	}
	if (s.n > 0 || ms < FIRST_MS || ms > LAST_MS)
		return false;
	*ret_at_ms = ms;
	return true;
}

bool timestamp_from_value(const struct value *v, int64_t *ret_at_ms)
{
	double seconds;
	str text = value_str(v);
	struct value number = value_of_number(text);
	if (text.n > 0 && timestamp_from_iso(text, ret_at_ms))
		return true;
	if (text.n > 0 && value_is_number(text))
		v = &number;
	if (!value_f64(v, &seconds))
		return false;
	double ms = round(seconds * 1000.0);
	if (!(ms >= (double)FIRST_MS && ms <= (double)LAST_MS))
		return false;
	*ret_at_ms = (int64_t)ms;
	return true;
}
