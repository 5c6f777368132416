/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cron expression becomes sets of bits; its next time is found by walking the days: each day is
 * tested as a whole, and the hour and minute of the first day that fits are looked up in the sets.
 * So an expression that never fits ("30 February") costs one test per day, and no more.
 */
#include "ssm/schedule.h"

#include "aws/timestamp.h"

#define DAY_S INT64_C(86400)
#define YEAR_MIN 1970
#define YEAR_MAX 2199

/* ---- the calendar ---- */

struct date {
	int year, month, day; /* month and day from 1 */
	int weekday;          /* 0 is Sunday */
};

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days are counted from 1970-01-01, a Thursday; `day` is not negative and before the year 2201. */
static struct date date_of_day(int64_t day)
{
	struct date date = { YEAR_MIN, 1, 1, (int)((day + 4) % 7) };
	while (day >= (is_leap(date.year) ? 366 : 365)) {
		day -= is_leap(date.year) ? 366 : 365;
		date.year++;
	}
	while (day >= days_of_month(date.year, date.month)) {
		day -= days_of_month(date.year, date.month);
		date.month++;
	}
	date.day = (int)day + 1;
	return date;
}

static void next_day(struct date *date)
{
	date->weekday = (date->weekday + 1) % 7;
	if (++date->day <= days_of_month(date->year, date->month))
		return;
	date->day = 1;
	if (++date->month <= 12)
		return;
	date->month = 1;
	date->year++;
}

/* ---- reading ---- */

/* What a field of a cron expression may hold. */
struct field_rule {
	const char *title;
	uint64_t min, max;
	const char *names; /* three letters each, for min, min + 1, ...; NULL for none */
};

static bool number_of(const struct field_rule *rule, str text, uint64_t *ret)
{
	if (str_to_u64(text, rule->max, ret))
		return *ret >= rule->min;
	for (size_t i = 0; rule->names && text.n == 3 && rule->names[i] != '\0'; i += 3) {
		if (str_eq_nocase(text, (str){ rule->names + i, 3 })) {
			*ret = rule->min + i / 3;
			return true;
		}
	}
	return false;
}

/* "a", "a-b", "*", each perhaps with "/step"; "a/step" runs to the end of the range. */
static bool read_range(const struct field_rule *rule, str item, uint64_t ret_bits[4])
{
	uint64_t from = rule->min, to = rule->max, step = 1;
	str range = item, text, low, high;
	bool has_step = str_split_first(item, '/', &range, &text);

	if (has_step && (!str_to_u64(text, rule->max, &step) || step == 0))
		return false;
	if (str_split_first(range, '-', &low, &high)) {
		if (!number_of(rule, low, &from) || !number_of(rule, high, &to) || from > to)
			return false;
	} else if (!str_eq(range, STR("*"))) {
		if (!number_of(rule, range, &from))
			return false;
		to = has_step ? rule->max : from;
	}
	for (uint64_t v = from; v <= to; v += step) {
		uint64_t bit = rule->min >= YEAR_MIN ? v - YEAR_MIN : v;
		ret_bits[bit / 64] |= UINT64_C(1) << (bit % 64);
	}
	return true;
}

/* The day of the month: also L, LW and <n>W. */
static bool read_day(const struct field_rule *rule, str item, struct cron *cron, uint64_t bits[4])
{
	uint64_t day = 0;
	if (str_eq_nocase(item, STR("L"))) {
		cron->has_last_day = true;
	} else if (str_eq_nocase(item, STR("LW"))) {
		cron->has_last_weekday = true;
	} else if (item.n > 1 && to_lower(item.p[item.n - 1]) == 'w') {
		if (!number_of(rule, str_head(item, item.n - 1), &day))
			return false;
		cron->weekdays_near |= 1u << day;
	} else {
		return read_range(rule, item, bits);
	}
	return true;
}

/* The day of the week: also L (Saturday), <d>L and <d>#<n>. */
static bool read_weekday(
        const struct field_rule *rule, str item, struct cron *cron, uint64_t bits[4])
{
	uint64_t day = 0, nth = 0;
	str head, tail;
	if (str_eq_nocase(item, STR("L"))) {
		bits[0] |= UINT64_C(1) << 7;
	} else if (str_split_first(item, '#', &head, &tail)) {
		if (!number_of(rule, head, &day) || !str_to_u64(tail, 5, &nth) || nth == 0)
			return false;
		cron->weekdays_nth[nth] |= (uint8_t)(1u << (day - 1));
	} else if (item.n > 1 && to_lower(item.p[item.n - 1]) == 'l') {
		if (!number_of(rule, str_head(item, item.n - 1), &day))
			return false;
		cron->weekdays_last |= 1u << (day - 1);
	} else {
		return read_range(rule, item, bits);
	}
	return true;
}

enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY, FIELD_YEAR, N_FIELDS };

static const struct field_rule rules[N_FIELDS] = {
	[FIELD_MINUTE] = { "minutes", 0, 59, NULL },
	[FIELD_HOUR] = { "hours", 0, 23, NULL },
	[FIELD_DAY] = { "day of the month", 1, 31, NULL },
	[FIELD_MONTH] = { "month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC" },
	[FIELD_WEEKDAY] = { "day of the week", 1, 7, "SUNMONTUEWEDTHUFRISAT" },
	[FIELD_YEAR] = { "year", YEAR_MIN, YEAR_MAX, NULL },
};

static void keep_field(struct cron *cron, int field, bool is_any, const uint64_t bits[4])
{
	switch (field) {
	case FIELD_MINUTE: cron->minutes = bits[0]; break;
	case FIELD_HOUR: cron->hours = (uint32_t)bits[0]; break;
	case FIELD_DAY:
		cron->days = (uint32_t)bits[0];
		cron->is_any_day = is_any;
		break;
	case FIELD_MONTH: cron->months = (uint32_t)bits[0]; break;
	case FIELD_WEEKDAY:
		cron->weekdays = (uint32_t)(bits[0] >> 1);
		cron->is_any_weekday = is_any;
		break;
	default:
		memcpy(cron->years, bits, sizeof cron->years);
		cron->is_any_year = is_any;
		break;
	}
}

static int read_field(int field, str text, struct cron *cron, struct err *err)
{
	const struct field_rule *rule = &rules[field];
	bool may_ask = field == FIELD_DAY || field == FIELD_WEEKDAY;
	bool is_any = str_eq(text, STR("*")) || (may_ask && str_eq(text, STR("?")));
	uint64_t bits[4] = { 0 };
	str rest = is_any ? STR("*") : text, item;
	bool is_good = rest.n > 0;

	while (is_good && rest.n > 0) {
		bool is_last = !str_split_first(rest, ',', &item, &rest);
		if (is_last)
			item = rest;
		if (field == FIELD_DAY)
			is_good = read_day(rule, item, cron, bits);
		else if (field == FIELD_WEEKDAY)
			is_good = read_weekday(rule, item, cron, bits);
		else
			is_good = read_range(rule, item, bits);
		if (is_last)
			break;
		is_good = is_good && rest.n > 0;
	}
	if (!is_good)
		return err_set(err, -ERR_FORMAT,
		        "the %s of the cron expression cannot be '" STR_FMT "'", rule->title,
		        STR_ARG(str_head(text, 40)));
	keep_field(cron, field, is_any, bits);
	return 0;
}

static int read_cron(str text, struct cron *ret, struct err *err)
{
	struct cron cron = { .is_any_year = true };
	int n = 0;

	for (str rest = str_trim(text); rest.n > 0; rest = str_trim(rest)) {
		str field = str_take_until(&rest, is_space);
		if (n == N_FIELDS)
			return err_set(
			        err, -ERR_FORMAT, "a cron expression has five or six fields");
		int r = read_field(n++, field, &cron, err);
		if (r < 0)
			return r;
	}
	if (n < FIELD_YEAR)
		return err_set(
		        err, -ERR_FORMAT, "a cron expression has five or six fields, not %d", n);
	*ret = cron;
	return 0;
}

static int read_rate(str text, int64_t *ret, struct err *err)
{
	static const struct {
		const char *name;
		int64_t s;
	} units[] = { { "minute", 60 }, { "minutes", 60 }, { "hour", 3600 }, { "hours", 3600 },
		{ "day", 86400 }, { "days", 86400 } };
	uint64_t n = 0;
	str number, unit;

	if (str_split_first(text, ' ', &number, &unit) && str_to_u64(number, 1000000, &n) &&
	        n > 0) {
		for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
			if (!str_eq_nocase(unit, str_from_c(units[i].name)))
				continue;
			*ret = (int64_t)n * units[i].s;
			if (*ret < SCHEDULE_EVERY_MIN_S)
				return err_set(err, -ERR_FORMAT,
				        "the shortest interval of a rate expression is %d minutes",
				        SCHEDULE_EVERY_MIN_S / 60);
			return 0;
		}
	}
	return err_set(err, -ERR_FORMAT,
	        "a rate expression is rate(<number> minutes|hours|days), not rate(" STR_FMT ")",
	        STR_ARG(str_head(text, 40)));
}

static int read_at(str text, int64_t *ret, struct err *err)
{
	char iso[32];
	int64_t ms = 0;
	if (text.n == 19) {
		memcpy(iso, text.p, text.n);
		iso[text.n] = 'Z';
		if (timestamp_from_iso((str){ iso, text.n + 1 }, &ms) && ms > 0) {
			*ret = ms / 1000;
			return 0;
		}
	}
	return err_set(err, -ERR_FORMAT,
	        "a time is at(YYYY-MM-DDThh:mm:ss) in UTC, not at(" STR_FMT ")",
	        STR_ARG(str_head(text, 40)));
}

int schedule_read(str text, struct schedule *ret, struct err *err)
{
	struct schedule schedule = { .kind = SCHEDULE_RATE };
	str word, inside = { NULL, 0 };
	int r;

	if (!str_split_first(text, '(', &word, &inside) || !str_has_suffix(inside, STR(")")))
		return err_set(err, -ERR_FORMAT, "a schedule is rate(...), cron(...) or at(...)");
	inside.n--;
	if (str_eq_nocase(word, STR("rate"))) {
		r = read_rate(inside, &schedule.every_s, err);
	} else if (str_eq_nocase(word, STR("cron"))) {
		schedule.kind = SCHEDULE_CRON;
		r = read_cron(inside, &schedule.cron, err);
	} else if (str_eq_nocase(word, STR("at"))) {
		schedule.kind = SCHEDULE_AT;
		r = read_at(inside, &schedule.at, err);
	} else {
		r = err_set(err, -ERR_FORMAT, "a schedule is rate(...), cron(...) or at(...)");
	}
	if (r == 0)
		*ret = schedule;
	return r;
}

/* ---- the next time ---- */

/* The weekday of a day in the month of `date`. */
static int weekday_of(const struct date *date, int day)
{
	return ((date->weekday + day - date->day) % 7 + 7) % 7;
}

/* The working day nearest to `day` within its month. */
static int nearest_weekday(const struct date *date, int day)
{
	int last = days_of_month(date->year, date->month);
	int target = day > last ? last : day;
	int weekday = weekday_of(date, target);
	if (weekday == 6)
		return target == 1 ? target + 2 : target - 1;
	if (weekday == 0)
		return target == last ? target - 2 : target + 1;
	return target;
}

static bool fits_day(const struct cron *cron, const struct date *date)
{
	int last = days_of_month(date->year, date->month);
	if (cron->days >> date->day & 1)
		return true;
	if (cron->has_last_day && date->day == last)
		return true;
	if (cron->has_last_weekday && date->day == nearest_weekday(date, last))
		return true;
	for (int day = 1; day <= 31; day++) {
		if ((cron->weekdays_near >> day & 1) && day <= last &&
		        date->day == nearest_weekday(date, day))
			return true;
	}
	return false;
}

static bool fits_weekday(const struct cron *cron, const struct date *date)
{
	if (cron->weekdays >> date->weekday & 1)
		return true;
	if ((cron->weekdays_last >> date->weekday & 1) &&
	        date->day + 7 > days_of_month(date->year, date->month))
		return true;
	return cron->weekdays_nth[(date->day - 1) / 7 + 1] >> date->weekday & 1;
}

/* With both kinds of day restricted, either is enough, as in Unix cron. */
static bool fits(const struct cron *cron, const struct date *date)
{
	uint64_t year = (uint64_t)(date->year - YEAR_MIN);
	if (!(cron->months >> date->month & 1))
		return false;
	if (!cron->is_any_year && !(cron->years[year / 64] >> (year % 64) & 1))
		return false;
	if (cron->is_any_day)
		return cron->is_any_weekday || fits_weekday(cron, date);
	if (cron->is_any_weekday)
		return fits_day(cron, date);
	return fits_day(cron, date) || fits_weekday(cron, date);
}

/* The first minute of the day from `from` on; -1 when there is none. */
static int first_minute(const struct cron *cron, int from)
{
	for (int minute = from; minute < 24 * 60; minute++) {
		if ((cron->hours >> (minute / 60) & 1) && (cron->minutes >> (minute % 60) & 1))
			return minute;
	}
	return -1;
}

static int64_t next_cron(const struct cron *cron, int64_t after)
{
	int64_t minute = after / 60 + 1, day = minute / (24 * 60);
	int from = (int)(minute % (24 * 60));

	/* 84 000 days are the years that we count. */
	if (after < 0 || day > 84000)
		return 0;
	struct date date = date_of_day(day);
	for (; date.year <= YEAR_MAX; next_day(&date), day++, from = 0) {
		int at = fits(cron, &date) ? first_minute(cron, from) : -1;
		if (at >= 0)
			return day * DAY_S + at * INT64_C(60);
	}
	return 0;
}

int64_t schedule_next(const struct schedule *schedule, int64_t after, int offset_days)
{
	switch (schedule->kind) {
	case SCHEDULE_RATE: return after + schedule->every_s;
	case SCHEDULE_AT: return schedule->at > after ? schedule->at : 0;
	case SCHEDULE_CRON: break;
	}
	int64_t shift = offset_days * DAY_S;
	int64_t at = next_cron(&schedule->cron, after > shift ? after - shift : 0);
	return at == 0 ? 0 : at + shift;
}
