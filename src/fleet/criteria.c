/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Criteria are runs of entries of one field. Of a run, each TEXT_NOT_EQUALS must hold, and one of
 * the others, if there are any. A field with several values (other names, packages) meets an entry
 * when one value does, and TEXT_NOT_EQUALS when no value is the text.
 */
#include "fleet/criteria.h"

#include <stdio.h>

static unsigned grain_of(const struct criterion *item)
{
	switch (item->field) {
	case FIELD_TYPE:
	case FIELD_SEVERITY:
	case FIELD_VULNERABILITY:
	case FIELD_SOURCE:
	case FIELD_VENDOR_SEVERITY:
	case FIELD_RELATED:
	case FIELD_EXPLOIT:
	case FIELD_RESOURCE_TYPE:
	case FIELD_SCORE:
	case FIELD_EPSS:
	case FIELD_NEVER: return GRAIN_ISSUE;
	case FIELD_ACCOUNT:
	case FIELD_RESOURCE_ID:
	case FIELD_IMAGE_ID:
	case FIELD_VPC_ID:
	case FIELD_SUBNET_ID:
	case FIELD_TAG:
	case FIELD_LAST_OBSERVED: return GRAIN_HOST;
	case FIELD_TITLE:
	case FIELD_FIX: return GRAIN_PACKAGES;
	case FIELD_PACKAGE: return item->package.path.value.p ? GRAIN_PATHS : GRAIN_PACKAGES;
	case FIELD_ARN:
	case FIELD_FIRST_OBSERVED: return GRAIN_TIMES;
	case FIELD_STATUS:
	case FIELD_UPDATED: return GRAIN_STATUS;
	}
	return GRAIN_ISSUE;
}

/* The end of the run that begins at `first`, and its grain: that of its dearest entry. */
static size_t run_end(const struct criteria *criteria, size_t first, unsigned *ret_grain)
{
	size_t end = first;
	unsigned grain = 0;
	for (; end < criteria->n && criteria->items[end].field == criteria->items[first].field;
	        end++) {
		unsigned own = grain_of(&criteria->items[end]);
		grain = own > grain ? own : grain;
	}
	*ret_grain = grain;
	return end;
}

unsigned criteria_grains(const struct criteria *criteria)
{
	unsigned grains = 0, grain;
	for (size_t i = 0; i < criteria->n;) {
		i = run_end(criteria, i, &grain);
		grains |= grain;
	}
	return grains;
}

bool criteria_have(const struct criteria *criteria, enum finding_field field)
{
	for (size_t i = 0; i < criteria->n; i++) {
		if (criteria->items[i].field == field)
			return true;
	}
	return false;
}

/* Is it so for a value; of TEXT_NOT_EQUALS: is it the text that must not be? */
static bool text_meets(const struct text_criterion *text, str value)
{
	return text->comparison == TEXT_PREFIX ? str_has_prefix(value, text->value)
	                                       : str_eq(value, text->value);
}

static bool text_holds(const struct text_criterion *text, str value)
{
	return text_meets(text, value) != (text->comparison == TEXT_NOT_EQUALS);
}

str resource_digits(str id)
{
	if (str_has_prefix(id, STR("mi-")))
		return str_skip(id, 3);
	return str_has_prefix(id, STR("i-")) ? str_skip(id, 2) : id;
}

/* A host is i-<digits> here; what managed nodes are called elsewhere is as good. */
static bool resource_meets(const struct text_criterion *text, const struct finding_row *row)
{
	char id[32];
	struct text_criterion wanted = *text;
	(void)snprintf(id, sizeof(id), "i-%s", row->host_id ? row->host_id : "");
	if (str_has_prefix(wanted.value, STR("mi-")))
		wanted.value = str_skip(wanted.value, 1);
	return text_meets(&wanted, str_from_c(id));
}

static bool account_meets(const struct text_criterion *text, int64_t account)
{
	char digits[24];
	(void)snprintf(digits, sizeof(digits), "%012lld", (long long)account);
	return text_meets(text, str_from_c(digits));
}

static bool related_meets(const struct text_criterion *text, const struct finding_row *row)
{
	for (size_t i = 0; row->issue && i < row->issue->n_aliases; i++) {
		if (text_meets(text, row->issue->aliases[i]))
			return true;
	}
	return false;
}

static bool fact_meets(
        const struct text_criterion *text, const struct finding_row *row, const char *key)
{
	str value = { NULL, 0 };
	if (row->host)
		value = host_fact(row->host, key);
	return value.n > 0 && text_meets(text, value);
}

static bool tag_meets(const struct criterion *item, const struct finding_row *row)
{
	str value = { NULL, 0 };
	if (!row->host || !host_tag(row->host, item->tag_key, &value))
		return false;
	return !item->text.value.p || text_meets(&item->text, value);
}

static bool title_meets(const struct text_criterion *text, const struct finding_row *row)
{
	char title[TITLE_MAX_BYTES];
	return text_meets(text, title_write(row, title));
}

static bool is_between(const struct criterion *item, double value)
{
	return value >= item->from && value <= item->to;
}

static bool is_set(const struct text_criterion *text)
{
	return text->value.p != NULL;
}

static bool element_meets(const struct package_criterion *wanted, const struct element *element)
{
	if (wanted->is_never || !element)
		return false;
	char arch[FINDING_ARCH_SIZE];
	const struct package *package = &element->package;
	struct finding_version parts = finding_version_of(package);
	if (is_set(&wanted->name) && !text_holds(&wanted->name, package->name))
		return false;
	if (is_set(&wanted->version) && !text_holds(&wanted->version, parts.version))
		return false;
	if (is_set(&wanted->release) && !text_holds(&wanted->release, parts.release))
		return false;
	if (is_set(&wanted->arch) && !text_holds(&wanted->arch, finding_arch(package, arch)))
		return false;
	return !wanted->has_epoch || (parts.has_epoch && parts.epoch >= wanted->epoch_from &&
	                                     parts.epoch <= wanted->epoch_to);
}

/* The package at one of its places; one whose place is not known meets no path. */
static bool path_meets(const struct text_criterion *wanted, const struct finding_package *package)
{
	for (size_t i = 0; i < package->n_paths; i++) {
		if (text_holds(wanted, package->paths[i]))
			return true;
	}
	return package->n_paths == 0 && text_holds(wanted, STR(""));
}

static bool package_meets(const struct package_criterion *wanted, const struct finding_row *row)
{
	for (size_t i = 0; i < row->n_packages; i++) {
		const struct finding_package *package = &row->packages[i];
		if (element_meets(wanted, package->element) &&
		        (!is_set(&wanted->path) || path_meets(&wanted->path, package)))
			return true;
	}
	return false;
}

static str source_of(const struct finding_row *row)
{
	return row->issue ? row->issue->source : row->closed ? row->closed->source : STR("");
}

static str vendor_severity_of(const struct finding_row *row)
{
	return row->issue    ? row->issue->vendor_severity
	       : row->closed ? row->closed->vendor_severity
	                     : STR("");
}

/* Fields of one text or more; of FIELD_STATUS and the like the words that the API shows. */
static bool text_field_meets(const struct criterion *item, const struct finding_row *row, str arn)
{
	const struct text_criterion *text = &item->text;
	switch ((int)item->field) {
	case FIELD_ACCOUNT: return account_meets(text, row->account);
	case FIELD_TYPE: return text_meets(text, STR("PACKAGE_VULNERABILITY"));
	case FIELD_STATUS: return text_meets(text, str_from_c(finding_status_name(row->status)));
	case FIELD_SEVERITY: return text_meets(text, str_from_c(severity_name(row->severity)));
	case FIELD_TITLE: return title_meets(text, row);
	case FIELD_VULNERABILITY: return text_meets(text, row->name);
	case FIELD_SOURCE: return text_meets(text, source_of(row));
	case FIELD_VENDOR_SEVERITY: return text_meets(text, vendor_severity_of(row));
	case FIELD_RELATED: return related_meets(text, row);
	case FIELD_FIX: return text_meets(text, str_from_c(finding_fix(row)));
	case FIELD_EXPLOIT: return text_meets(text, row->is_kev ? STR("YES") : STR("NO"));
	case FIELD_RESOURCE_TYPE: return text_meets(text, STR("AWS_EC2_INSTANCE"));
	case FIELD_RESOURCE_ID: return resource_meets(text, row);
	case FIELD_IMAGE_ID: return fact_meets(text, row, "ImageId");
	case FIELD_VPC_ID: return fact_meets(text, row, "VpcId");
	case FIELD_SUBNET_ID: return fact_meets(text, row, "SubnetId");
	case FIELD_ARN: return text_meets(text, arn);
	case FIELD_TAG: return tag_meets(item, row);
	default: return false;
	}
}

static bool item_meets(const struct criterion *item, const struct finding_row *row, str arn)
{
	switch ((int)item->field) {
	case FIELD_SCORE: return row->score >= 0 && is_between(item, row->score);
	case FIELD_EPSS: return row->epss >= 0 && is_between(item, row->epss);
	case FIELD_FIRST_OBSERVED: return is_between(item, (double)row->first_observed);
	case FIELD_LAST_OBSERVED: return is_between(item, (double)row->last_observed);
	case FIELD_UPDATED: return is_between(item, (double)row->updated_at);
	case FIELD_PACKAGE: return package_meets(&item->package, row);
	case FIELD_NEVER: return false;
	default: return text_field_meets(item, row, arn);
	}
}

static bool is_excluding(const struct criterion *item)
{
	return item->field <= FIELD_TAG && item->text.comparison == TEXT_NOT_EQUALS;
}

static bool run_holds(
        const struct criterion *items, size_t n, const struct finding_row *row, str arn)
{
	bool has_alternatives = false, is_met = false;
	for (size_t i = 0; i < n; i++) {
		if (is_excluding(&items[i])) {
			if (item_meets(&items[i], row, arn))
				return false;
		} else if (!is_met) {
			has_alternatives = true;
			is_met = item_meets(&items[i], row, arn);
		}
	}
	return is_met || !has_alternatives;
}

bool criteria_hold_at(
        const struct criteria *criteria, unsigned grains, const struct finding_row *row, str arn)
{
	unsigned grain;
	for (size_t i = 0, end; i < criteria->n; i = end) {
		end = run_end(criteria, i, &grain);
		if ((grain & grains) && !run_holds(criteria->items + i, end - i, row, arn))
			return false;
	}
	return true;
}

bool criteria_hold(const struct criteria *criteria, const struct finding_row *row, str arn)
{
	return criteria_hold_at(criteria, GRAIN_ALL, row, arn);
}

/* Do the runs of one field hold for a row of which nothing else is known? */
static bool field_admits(
        const struct criteria *criteria, enum finding_field field, const struct finding_row *row)
{
	unsigned grain;
	for (size_t i = 0, end; i < criteria->n; i = end) {
		end = run_end(criteria, i, &grain);
		if (criteria->items[i].field == field &&
		        !run_holds(criteria->items + i, end - i, row, STR("")))
			return false;
	}
	return true;
}

bool criteria_admit_status(const struct criteria *criteria, enum finding_status status)
{
	struct finding_row row = { .status = status };
	return field_admits(criteria, FIELD_STATUS, &row);
}

bool criteria_admit_account(const struct criteria *criteria, int64_t account)
{
	struct finding_row row = { .account = account };
	return field_admits(criteria, FIELD_ACCOUNT, &row);
}

bool criteria_admit_element(const struct criteria *criteria, const struct element *element)
{
	bool has_any = false;
	for (size_t i = 0; i < criteria->n; i++) {
		if (criteria->items[i].field != FIELD_PACKAGE)
			continue;
		if (element_meets(&criteria->items[i].package, element))
			return true;
		has_any = true;
	}
	return !has_any;
}

/* Whether an entry that must be met can be: the text and the beginning of the title agree. */
static bool begins_alike(str text, str vulnerability)
{
	str rest = str_skip(text, vulnerability.n), dash = STR(" - ");
	if (text.n <= vulnerability.n)
		return str_has_prefix(vulnerability, text);
	return str_has_prefix(text, vulnerability) &&
	       memcmp(rest.p, dash.p, rest.n < dash.n ? rest.n : dash.n) == 0;
}

bool criteria_admit_title(const struct criteria *criteria, str vulnerability)
{
	bool has_any = false;
	for (size_t i = 0; i < criteria->n; i++) {
		const struct criterion *item = &criteria->items[i];
		if (item->field != FIELD_TITLE || is_excluding(item))
			continue;
		if (begins_alike(item->text.value, vulnerability))
			return true;
		has_any = true;
	}
	return !has_any;
}

bool criteria_admit_fixes(const struct criteria *criteria, unsigned states)
{
	static const unsigned words[] = { 1u << FIX_AVAILABLE, 1u << FIX_NONE, 1u << FIX_PARTIAL };
	bool is_mixed = (states & (states - 1)) != 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		/* Any one state alone is possible, and of several any mixture. */
		if (!(states & words[i]) && !(is_mixed && words[i] == 1u << FIX_PARTIAL))
			continue;
		struct finding_package package = { .fix_state = words[i] == 1u << FIX_AVAILABLE
			                                                ? FIX_AVAILABLE
			                                        : words[i] == 1u << FIX_NONE
			                                                ? FIX_NONE
			                                                : FIX_PARTIAL };
		struct finding_row row = { .packages = &package, .n_packages = 1 };
		if (field_admits(criteria, FIELD_FIX, &row))
			return true;
	}
	return false;
}

bool criteria_name_hosts(
        const struct criteria *criteria, const struct criterion **ret_first, size_t *ret_count)
{
	unsigned grain;
	for (size_t i = 0, end; i < criteria->n; i = end) {
		end = run_end(criteria, i, &grain);
		if (criteria->items[i].field != FIELD_RESOURCE_ID)
			continue;
		size_t n_equal = 0, n_prefix = 0;
		for (size_t k = i; k < end; k++) {
			n_equal += criteria->items[k].text.comparison == TEXT_EQUALS;
			n_prefix += criteria->items[k].text.comparison == TEXT_PREFIX;
		}
		if (n_equal == 0 || n_prefix > 0)
			return false;
		*ret_first = criteria->items + i;
		*ret_count = end - i;
		return true;
	}
	return false;
}
