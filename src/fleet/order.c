/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/order.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

struct orders {
	_Atomic(uint32_t *) by[FIELD_NEVER + 1][2];
};

/* The fields that findings differ by beside their vulnerability; all others sort by name alone. */
bool sort_is_of_issues(enum finding_field field)
{
	switch ((int)field) {
	case FIELD_ACCOUNT:
	case FIELD_STATUS:
	case FIELD_FIRST_OBSERVED:
	case FIELD_LAST_OBSERVED:
	case FIELD_UPDATED: return false;
	default: return true;
	}
}

/* No score is one below all. */
static double known_or_none(double score)
{
	return score >= 0 ? score : -1;
}

void sort_key_of_row(enum finding_field field, const struct finding_row *row, struct sort_key *ret)
{
	*ret = (struct sort_key){
		.name = row->name,
		.host = row->host_number,
		.first_observed = row->first_observed,
	};
	switch ((int)field) {
	case FIELD_ACCOUNT: ret->number = (double)row->account; break;
	case FIELD_STATUS: ret->number = row->status; break;
	case FIELD_SEVERITY: ret->number = row->severity; break;
	case FIELD_SCORE: ret->number = known_or_none(row->score); break;
	case FIELD_EPSS: ret->number = known_or_none(row->epss); break;
	case FIELD_EXPLOIT: ret->number = row->is_kev; break;
	case FIELD_FIRST_OBSERVED: ret->number = (double)row->first_observed; break;
	case FIELD_LAST_OBSERVED: ret->number = (double)row->last_observed; break;
	case FIELD_UPDATED: ret->number = (double)row->updated_at; break;
	case FIELD_VULNERABILITY: ret->text = row->name; break;
	case FIELD_SOURCE:
		ret->text = row->issue ? row->issue->source : row->closed->source;
		break;
	case FIELD_VENDOR_SEVERITY:
		ret->text = row->issue ? row->issue->vendor_severity
		                       : row->closed->vendor_severity;
		break;
	default: break;
	}
}

void sort_key_of_issue(enum finding_field field, const struct issue *issue, struct sort_key *ret)
{
	struct finding_row row = { .issue = issue,
		.name = issue->name,
		.severity = issue->severity,
		.score = issue->score,
		.epss = issue->epss,
		.is_kev = issue->is_kev };
	sort_key_of_row(field, &row, ret);
}

int sort_compare_values(
        const struct sort_order *order, const struct sort_key *a, const struct sort_key *b)
{
	int c = (a->number > b->number) - (a->number < b->number);
	if (c == 0)
		c = str_cmp(a->text, b->text);
	if (c != 0)
		return (c < 0) != order->is_descending ? -1 : 1;
	return str_cmp(a->name, b->name);
}

int sort_compare(
        const struct sort_order *order, const struct sort_key *a, const struct sort_key *b)
{
	int c = sort_compare_values(order, a, b);
	if (c == 0)
		c = (a->host > b->host) - (a->host < b->host);
	return c ? c : (a->first_observed > b->first_observed) - (a->first_observed < b->first_observed);
}

struct orders *orders_new(void)
{
	return calloc(1, sizeof(struct orders));
}

void orders_free(struct orders *orders)
{
	for (size_t i = 0; orders && i <= FIELD_NEVER; i++) {
		free(atomic_load(&orders->by[i][0]));
		free(atomic_load(&orders->by[i][1]));
	}
	free(orders);
}

struct arrange {
	const struct issue *issues;
	struct sort_order order;
};

static int by_order(const void *a, const void *b, void *ctx)
{
	const struct arrange *arrange = ctx;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	struct sort_key p, q;
	sort_key_of_issue(arrange->order.field, &arrange->issues[x], &p);
	sort_key_of_issue(arrange->order.field, &arrange->issues[y], &q);
	int c = sort_compare_values(&arrange->order, &p, &q);
	return c ? c : (x > y) - (x < y); /* they stand by name, then rank */
}

static uint32_t *make(const struct generation *generation, const struct sort_order *order)
{
	struct arrange arrange = { generation->issues, *order };
	uint32_t *ret = calloc(generation->n_issues ? generation->n_issues : 1, sizeof(*ret));
	if (!ret)
		return NULL;
	for (size_t i = 0; i < generation->n_issues; i++)
		ret[i] = (uint32_t)i;
	qsort_r(ret, generation->n_issues, sizeof(*ret), by_order, &arrange);
	return ret;
}

static bool is_as_they_stand(const struct sort_order *order)
{
	switch ((int)order->field) {
	case FIELD_SEVERITY:
	case FIELD_SCORE:
	case FIELD_EPSS:
	case FIELD_EXPLOIT:
	case FIELD_SOURCE:
	case FIELD_VENDOR_SEVERITY: return false;
	case FIELD_VULNERABILITY: return !order->is_descending;
	default: return true;
	}
}

int orders_of(const struct generation *generation, const struct sort_order *order,
        const uint32_t **ret, uint32_t **ret_own)
{
	*ret = NULL;
	*ret_own = NULL;
	if (is_as_they_stand(order))
		return 0;
	_Atomic(uint32_t *) *place =
	        generation->orders ? &generation->orders->by[order->field][order->is_descending]
	                           : NULL;
	uint32_t *known = place ? atomic_load(place) : NULL;
	if (!known) {
		uint32_t *made = make(generation, order);
		if (!made)
			return -ENOMEM;
		if (!place) {
			*ret_own = made;
			known = made;
		} else if (atomic_compare_exchange_strong(place, &known, made)) {
			known = made;
		} else {
			free(made); /* another query was faster, and its order is the same */
		}
	}
	*ret = known;
	return 0;
}
