/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/order.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* One order, of as many issues as there were: a generation only ever gets more of them. */
struct arranged {
	size_t n;
	const struct issue *issues[];
};

/*
 * An order that is made while the fleet is locked holds as long as the number of issues does. One
 * of another number is of before the lock, so that nobody looks at it any more, and whoever
 * replaces it releases it.
 */
struct orders {
	pthread_mutex_t mutex; /* of the pointers; what they point at does not change */
	struct arranged *by[FIELD_NEVER + 1][2];
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
	case FIELD_SOURCE: ret->text = row->issue ? row->issue->source : row->closed->source; break;
	case FIELD_VENDOR_SEVERITY:
		ret->text = row->issue ? row->issue->vendor_severity : row->closed->vendor_severity;
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

int sort_compare(const struct sort_order *order, const struct sort_key *a, const struct sort_key *b)
{
	int c = sort_compare_values(order, a, b);
	if (c == 0)
		c = (a->host > b->host) - (a->host < b->host);
	return c ? c
	         : (a->first_observed > b->first_observed) -
	                       (a->first_observed < b->first_observed);
}

struct orders *orders_new(void)
{
	struct orders *ret = calloc(1, sizeof(*ret));
	if (ret)
		(void)pthread_mutex_init(&ret->mutex, NULL);
	return ret;
}

void orders_free(struct orders *orders)
{
	if (!orders)
		return;
	for (size_t i = 0; i <= FIELD_NEVER; i++) {
		free(orders->by[i][0]);
		free(orders->by[i][1]);
	}
	(void)pthread_mutex_destroy(&orders->mutex);
	free(orders);
}

static int by_order(const void *a, const void *b, void *ctx)
{
	const struct sort_order *order = ctx;
	const struct issue *x = *(const struct issue *const *)a;
	const struct issue *y = *(const struct issue *const *)b;
	struct sort_key p, q;
	sort_key_of_issue(order->field, x, &p);
	sort_key_of_issue(order->field, y, &q);
	int c = sort_compare_values(order, &p, &q);
	return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

void orders_sort(const struct sort_order *order, const struct issue **issues, size_t n)
{
	struct sort_order by = *order;
	if (n > 1)
		qsort_r(issues, n, sizeof(issues[0]), by_order, &by);
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

static struct arranged *arrange(const struct generation *generation, const struct sort_order *order)
{
	size_t n = generation->n_issues;
	struct arranged *ret = malloc(sizeof(*ret) + n * sizeof(ret->issues[0]));
	if (!ret)
		return NULL;
	ret->n = n;
	if (n > 0)
		memcpy(ret->issues, generation->issues, n * sizeof(ret->issues[0]));
	orders_sort(order, ret->issues, n);
	return ret;
}

int orders_of(const struct generation *generation, const struct sort_order *order,
        const struct issue *const **ret, void **ret_own)
{
	struct orders *orders = generation->orders;
	*ret_own = NULL;
	if (is_as_they_stand(order)) {
		*ret = generation->issues;
		return 0;
	}
	if (!orders) {
		struct arranged *own = arrange(generation, order);
		if (!own)
			return -ENOMEM;
		*ret = own->issues;
		*ret_own = own;
		return 0;
	}
	/* Whoever comes while it is made waits for it: it would do the same work. */
	(void)pthread_mutex_lock(&orders->mutex);
	struct arranged **place = &orders->by[order->field][order->is_descending];
	if (!*place || (*place)->n != generation->n_issues) {
		free(*place);
		*place = arrange(generation, order);
	}
	const struct arranged *known = *place;
	(void)pthread_mutex_unlock(&orders->mutex);
	if (!known)
		return -ENOMEM;
	*ret = known->issues;
	return 0;
}
