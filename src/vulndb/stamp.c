/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/stamp.h"

#define SECONDS_PER_DAY 86400

/* Exactly `n` digits from the front. */
static bool digits(str *s, size_t n, uint64_t max, unsigned *ret)
{
	uint64_t v;
	if (s->n < n || !str_to_u64(str_head(*s, n), max, &v))
		return false;
	*s = str_skip(*s, n);
	*ret = (unsigned)v;
	return true;
}

static bool byte(str *s, char a, char b)
{
	if (s->n == 0 || (s->p[0] != a && s->p[0] != b))
		return false;
	*s = str_skip(*s, 1);
	return true;
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. Years begin in March here, so that the
 * leap day is the last of a year, and 400 years are 146097 days. */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year =
	        (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool read_day(str *s, int64_t *ret_days)
{
	static const unsigned char lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year, month, day;
	if (!digits(s, 4, 9999, &year) || !byte(s, '-', '-') || !digits(s, 2, 12, &month) ||
	        !byte(s, '-', '-') || !digits(s, 2, 31, &day))
		return false;
	if (month == 0 || day == 0 || day > lengths[month - 1])
		return false;
	*ret_days = days_of(year, month, day);
	return true;
}

/* ".123456789": the first nine digits count. */
static uint32_t read_fraction(str *s)
{
	uint32_t nano = 0, unit = 100000000;
	if (!byte(s, '.', ','))
		return 0;
	str part = str_take_while(s, is_digit);
	for (size_t i = 0; i < part.n; i++, unit /= 10)
		nano += (uint32_t)(part.p[i] - '0') * unit;
	return nano;
}

static bool read_offset(str *s, int64_t *ret_seconds)
{
	unsigned hours, minutes;
	if (byte(s, 'Z', 'z')) {
		*ret_seconds = 0;
		return true;
	}
	bool west = s->n > 0 && s->p[0] == '-';
	if (!byte(s, '+', '-') || !digits(s, 2, 23, &hours))
		return false;
	(void)byte(s, ':', ':');
	if (!digits(s, 2, 59, &minutes))
		return false;
	int64_t seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
	*ret_seconds = west ? -seconds : seconds;
	return true;
}

bool stamp_parse(str text, struct stamp *ret)
{
	int64_t days, offset;
	unsigned hour, minute, second;
	if (!read_day(&text, &days))
		return false;
	if (text.n == 0) {
		*ret = (struct stamp){ .at = days * SECONDS_PER_DAY };
		return true;
	}
	if (!byte(&text, 'T', 't') && !byte(&text, ' ', ' '))
		return false;
	if (!digits(&text, 2, 23, &hour) || !byte(&text, ':', ':') ||
	        !digits(&text, 2, 59, &minute) || !byte(&text, ':', ':') ||
	        !digits(&text, 2, 60, &second))
		return false;
	uint32_t nano = read_fraction(&text);
	if (!read_offset(&text, &offset) || text.n > 0)
		return false;
	int64_t in_day = (int64_t)hour * 3600 + (int64_t)minute * 60 + (int64_t)second;
	*ret = (struct stamp){ .at = days * SECONDS_PER_DAY + in_day - offset, .nano = nano };
	return true;
}

int stamp_cmp(struct stamp a, struct stamp b)
{
	if (a.at != b.at)
		return a.at < b.at ? -1 : 1;
	return (a.nano > b.nano) - (a.nano < b.nano);
}

bool stamp_is_unknown(struct stamp stamp)
{
	return stamp.at < days_of(2, 1, 1) * SECONDS_PER_DAY;
}
