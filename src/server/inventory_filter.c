/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters on rows of inventory. Values of one filter are alternatives, but for NotEqual, where none
 * may be met. LessThan and GreaterThan compare numbers as numbers and all else (dates, versions) as
 * texts.
 */
#include "server/inventory.h"
#include "server/ssm.h"

static const struct {
	str word;
	enum inventory_operator how;
} operators[] = {
	{ STR("Equal"), INVENTORY_EQUAL },
	{ STR("NotEqual"), INVENTORY_NOT_EQUAL },
	{ STR("BeginWith"), INVENTORY_BEGIN_WITH },
	{ STR("LessThan"), INVENTORY_LESS_THAN },
	{ STR("GreaterThan"), INVENTORY_GREATER_THAN },
	{ STR("Exists"), INVENTORY_EXISTS },
};

static enum inventory_operator operator_of(str word)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		if (str_eq(word, operators[i].word))
			return operators[i].how;
	}
	return INVENTORY_EQUAL;
}

/* "AWS:Application.Name"; an attribute alone where the type is known. */
static bool split_key(str key, str type, struct inventory_filter *ret)
{
	bool has_type = str_has_prefix(key, STR("AWS:")) || str_has_prefix(key, STR("Custom:"));
	if (!has_type) {
		ret->type = type;
		ret->attribute = key;
		return type.n > 0;
	}
	if (!str_split_first(key, '.', &ret->type, &ret->attribute))
		return false;
	return ret->attribute.n > 0 && (type.n == 0 || str_eq(type, ret->type));
}

int inventory_filters_read(const struct value *filters, str type, struct inventory_filters *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < value_count(filters); i++) {
		const struct value *from = value_at(filters, i);
		struct inventory_filter *to = &ret->items[ret->n];
		if (ret->n == INVENTORY_FILTERS_MAX ||
		        !split_key(value_get_str(from, STR("Key")), type, to))
			return -ERR_FORMAT;
		to->how = operator_of(value_get_str(from, STR("Type")));
		to->values = value_get(from, STR("Values"));
		to->is_absent = to->how == INVENTORY_EXISTS &&
		                value_has_str(to->values, STR("false")) &&
		                !value_has_str(to->values, STR("true"));
		ret->n++;
	}
	return 0;
}

static int compare(str a, str b)
{
	struct value x = value_of_number(a), y = value_of_number(b);
	double p, q;
	if (value_is_number(a) && value_is_number(b) && value_f64(&x, &p) && value_f64(&y, &q))
		return (p > q) - (p < q);
	return str_cmp(a, b);
}

/* Both spellings of a host's id are the same id. */
static bool is_equal(str attribute, str have, str want)
{
	if (str_eq(have, want))
		return true;
	str digits = host_digits(have);
	return str_eq(attribute, STR("InstanceId")) && digits.n > 0 &&
	       str_eq(digits, host_digits(want));
}

static bool meets_value(const struct inventory_filter *filter, str have, str want)
{
	switch (filter->how) {
	case INVENTORY_EQUAL:
	case INVENTORY_NOT_EQUAL: return is_equal(filter->attribute, have, want);
	case INVENTORY_BEGIN_WITH: return str_has_prefix(have, want);
	case INVENTORY_LESS_THAN: return compare(have, want) < 0;
	case INVENTORY_GREATER_THAN: return compare(have, want) > 0;
	case INVENTORY_EXISTS: return have.n > 0;
	}
	return false;
}

static bool meets(const struct inventory_filter *filter, const struct value *row)
{
	str have = value_get_str(row, filter->attribute);
	if (filter->how == INVENTORY_EXISTS)
		return have.n > 0;
	bool is_met = false;
	for (size_t i = 0; have.p && !is_met && i < value_count(filter->values); i++)
		is_met = meets_value(filter, have, value_str(value_at(filter->values, i)));
	return filter->how == INVENTORY_NOT_EQUAL ? have.p && !is_met : is_met;
}

bool inventory_row_meets(const struct inventory_filters *filters, str type, const struct value *row)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct inventory_filter *filter = &filters->items[i];
		if (str_eq(filter->type, type) && meets(filter, row) == filter->is_absent)
			return false;
	}
	return true;
}

/* Has any row the attribute that is to be absent? */
static bool has_attribute(const struct value *rows, str attribute)
{
	for (size_t i = 0; i < value_count(rows); i++) {
		if (value_get_str(value_at(rows, i), attribute).n > 0)
			return true;
	}
	return false;
}

static bool rows_meet(
        const struct inventory_filters *filters, str type, const struct inventory_rows *rows)
{
	bool is_plain = false;
	for (size_t i = 0; i < filters->n; i++) {
		const struct inventory_filter *filter = &filters->items[i];
		if (!str_eq(filter->type, type))
			continue;
		is_plain |= !filter->is_absent;
		if (filter->is_absent && has_attribute(rows->rows, filter->attribute))
			return false;
	}
	for (size_t i = 0; is_plain && i < value_count(rows->rows); i++) {
		if (inventory_row_meets(filters, type, value_at(rows->rows, i)))
			return true;
	}
	return !is_plain;
}

/* Is filter `i` the first of its type? */
static bool is_first(const struct inventory_filters *filters, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (str_eq(filters->items[k].type, filters->items[i].type))
			return false;
	}
	return true;
}

int inventory_host_meets(struct server *server, const struct fleet_host *host,
        const struct inventory_filters *filters, struct arena *scratch, bool *ret, struct err *err)
{
	int r = 0;
	*ret = true;
	for (size_t i = 0; r == 0 && *ret && i < filters->n; i++) {
		struct inventory_rows rows;
		if (!is_first(filters, i))
			continue;
		r = inventory_rows(server, host, filters->items[i].type, scratch, &rows, err);
		if (r == 0)
			*ret = rows_meet(filters, filters->items[i].type, &rows);
		arena_fini(scratch);
	}
	return r;
}
