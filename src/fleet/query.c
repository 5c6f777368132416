/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages. Where the sort field is one of issues, these are walked in its order and expanded until
 * the page is full (expand.c). Accounts, states and the times of reports come in parts that follow
 * each other, each walked by name. Only first_observed and updated, which single findings have,
 * make every finding be looked at; a heap keeps the first ones behind the mark. Closed findings go
 * through such a heap in any case and are merged.
 */
#include "fleet/order.h"
#include "fleet/view.h"

#include <errno.h>
#include <roaring/roaring.h>
#include <stdlib.h>

/* Of so many hosts that reported at one time the vulnerabilities are listed first. */
#define PART_SELECT_MOST 4096

/* One finding that may be on the page: a closed one, or an open one as a kept row or as its host.
 */
struct item {
	struct sort_key key;
	const struct closed_finding *closed;
	const struct issue *issue;
	struct finding_row row; /* without host, if it is to be made again */
};

/* The smallest keys behind the mark: the largest of them is on top. */
struct heap {
	const struct sort_order *by;
	struct item *items;
	size_t n, most;
};

struct page {
	struct view view;
	struct sort_order by;
	struct sort_key behind; /* the mark's */
	bool has_behind;
	struct arena *arena;
	struct heap closed; /* sorted, once gathered */
	size_t next_closed;
	struct heap heap;   /* of fields of single findings */
	struct item *items; /* the page, and one more */
	size_t n, most;
	struct err *err;
};

static bool is_less(const struct heap *heap, size_t a, size_t b)
{
	return sort_compare(heap->by, &heap->items[a].key, &heap->items[b].key) < 0;
}

static void swap(struct heap *heap, size_t a, size_t b)
{
	struct item was = heap->items[a];
	heap->items[a] = heap->items[b];
	heap->items[b] = was;
}

static void sink_down(struct heap *heap)
{
	for (size_t i = 0, child; (child = 2 * i + 1) < heap->n; i = child) {
		if (child + 1 < heap->n && is_less(heap, child, child + 1))
			child++;
		if (!is_less(heap, i, child))
			return;
		swap(heap, i, child);
	}
}

/* Would a key be kept? */
static bool heap_takes(const struct heap *heap, const struct sort_key *key)
{
	if (heap->n < heap->most)
		return true;
	return heap->n > 0 && sort_compare(heap->by, key, &heap->items[0].key) < 0;
}

static void heap_add(struct heap *heap, const struct item *item)
{
	if (heap->n == heap->most) {
		heap->items[0] = *item;
		sink_down(heap);
		return;
	}
	heap->items[heap->n++] = *item;
	for (size_t i = heap->n - 1; i > 0 && is_less(heap, (i - 1) / 2, i); i = (i - 1) / 2)
		swap(heap, i, (i - 1) / 2);
}

static int by_key(const void *a, const void *b, void *ctx)
{
	const struct item *x = a, *y = b;
	return sort_compare(ctx, &x->key, &y->key);
}

static void heap_sort(const struct heap *heap)
{
	struct sort_order by = *heap->by;
	if (heap->n > 1)
		qsort_r(heap->items, heap->n, sizeof(heap->items[0]), by_key, &by);
}

static bool is_behind(const struct page *page, const struct sort_key *key)
{
	return !page->has_behind || sort_compare(&page->by, key, &page->behind) > 0;
}

/* ---- the page ---- */

static int page_add(struct page *page, const struct item *item)
{
	page->items[page->n++] = *item;
	return page->n == page->most + 1;
}

/* Closed findings that come before a key; all that are left for NULL. */
static int add_closed_before(struct page *page, const struct sort_key *key)
{
	int r = 0;
	while (r == 0 && page->next_closed < page->closed.n) {
		const struct item *item = &page->closed.items[page->next_closed];
		if (key && sort_compare(&page->by, &item->key, key) >= 0)
			break;
		page->next_closed++;
		r = page_add(page, item);
	}
	return r;
}

static int add_open(void *ctx, struct finding_row *row)
{
	struct page *page = ctx;
	struct item item = { .issue = row->issue };
	int r = view_finish(&page->view, row, page->err);
	if (r < 0)
		return r;
	sort_key_of_row(page->by.field, row, &item.key);
	if (!is_behind(page, &item.key))
		return 0;
	r = add_closed_before(page, &item.key);
	if (r != 0)
		return r;
	if (view_keep(row, page->arena, &item.row) < 0)
		return err_set(page->err, -ERR_LIMIT, "the page is too large");
	return page_add(page, &item);
}

static int gather_closed_of(struct page *page, int64_t account)
{
	const struct dictionary *dictionary = fleet_dictionary(page->view.fleet);
	size_t n;
	const struct closed_finding *const *closed = fleet_closed(page->view.fleet, account, &n);
	for (size_t i = 0; i < n; i++) {
		/* The key first: most are not of this page. */
		struct finding_row row = { .closed = closed[i],
			.host_number = closed[i]->host,
			.account = closed[i]->account,
			.name = dictionary_vuln_name(dictionary, closed[i]->vuln),
			.status = STATUS_CLOSED,
			.severity = closed[i]->severity,
			.score = closed[i]->score,
			.epss = closed[i]->epss,
			.is_kev = closed[i]->is_kev,
			.first_observed = closed[i]->first_observed,
			.last_observed = closed[i]->last_observed,
			.updated_at = closed[i]->closed_at };
		struct item item = { .closed = closed[i] };
		sort_key_of_row(page->by.field, &row, &item.key);
		if (!is_behind(page, &item.key) || !heap_takes(&page->closed, &item.key))
			continue;
		int r = view_is_still_open(&page->view, closed[i]);
		if (r == 0) {
			r = view_closed(&page->view, closed[i], &row);
			r = r < 0 ? r : !view_judge_closed(&page->view, &row, page->err);
		}
		if (r < 0)
			return r;
		if (r == 0)
			heap_add(&page->closed, &item);
	}
	return 0;
}

static int gather_closed(struct page *page)
{
	const struct query *query = page->view.query;
	int r = 0;
	if (!page->view.admits[STATUS_CLOSED])
		return 0;
	for (size_t i = 0; r >= 0 && i < query->n_accounts; i++) {
		if (criteria_admit_account(&query->criteria, query->accounts[i]))
			r = gather_closed_of(page, query->accounts[i]);
	}
	heap_sort(&page->closed);
	return r;
}

/* ---- the ways to walk ---- */

static int walk_issues(struct page *page)
{
	void *own = NULL;
	struct expansion what = {
		.view = &page->view,
		.by = &page->by,
		.n_issues = page->view.generation->n_issues,
		.behind = page->has_behind ? &page->behind : NULL,
		.scope = page->view.scope,
		.ctx = page,
		.visit = add_open,
	};
	int r = orders_of(page->view.generation, &page->by, &what.issues, &own);
	if (r < 0)
		return err_set(page->err, r, "cannot sort the vulnerabilities: out of memory");
	r = expand(&what, page->err);
	free(own);
	return r;
}

static const struct sort_order by_name = { .field = FIELD_TYPE, .is_descending = false };

/* One part, whose findings have the same value, by name. */
static int walk_part(struct page *page, double value, const roaring_bitmap_t *scope,
        const struct issue *const *issues, size_t n_issues)
{
	struct sort_key behind = { .name = page->behind.name, .host = page->behind.host };
	bool is_begun = page->has_behind && page->behind.number == value;
	struct expansion what = {
		.view = &page->view,
		.by = &by_name,
		.issues = issues,
		.n_issues = n_issues,
		.behind = is_begun ? &behind : NULL,
		.scope = scope,
		.ctx = page,
		.visit = add_open,
	};
	return expand(&what, page->err);
}

static int walk_part_of_all(struct page *page, double value, const roaring_bitmap_t *scope)
{
	const struct generation *generation = page->view.generation;
	return walk_part(page, value, scope, generation->issues, generation->n_issues);
}

/* Is a part of this value wholly before the mark? */
static bool is_passed(const struct page *page, double value)
{
	if (!page->has_behind)
		return false;
	return page->by.is_descending ? value > page->behind.number : value < page->behind.number;
}

static int walk_accounts(struct page *page)
{
	const struct query *query = page->view.query;
	int r = 0;
	for (size_t i = 0; r == 0 && i < query->n_accounts; i++) {
		int64_t account =
		        query->accounts[page->by.is_descending ? query->n_accounts - 1 - i : i];
		const roaring_bitmap_t *hosts = fleet_hosts(page->view.fleet, account);
		if (!hosts || is_passed(page, (double)account))
			continue;
		roaring_bitmap_t *scope = roaring_bitmap_and(hosts, page->view.scope);
		if (!scope)
			return err_set(page->err, -ENOMEM, "cannot list an account: out of memory");
		if (!roaring_bitmap_is_empty(scope))
			r = walk_part_of_all(page, (double)account, scope);
		roaring_bitmap_free(scope);
	}
	return r;
}

static int walk_states(struct page *page)
{
	struct view *view = &page->view;
	const bool admits[] = { view->admits[STATUS_ACTIVE], view->admits[STATUS_SUPPRESSED] };
	int r = 0;
	for (int i = 0; r == 0 && i < 2; i++) {
		int status = page->by.is_descending ? STATUS_SUPPRESSED - i : STATUS_ACTIVE + i;
		if (!admits[status] || is_passed(page, status) ||
		        (status == STATUS_SUPPRESSED && view->query->n_suppressions == 0))
			continue;
		view->admits[STATUS_ACTIVE] = status == STATUS_ACTIVE;
		view->admits[STATUS_SUPPRESSED] = status == STATUS_SUPPRESSED;
		r = walk_part_of_all(page, status, view->scope);
	}
	view->admits[STATUS_ACTIVE] = admits[STATUS_ACTIVE];
	view->admits[STATUS_SUPPRESSED] = admits[STATUS_SUPPRESSED];
	return r;
}

struct seen {
	int64_t at;
	uint32_t host;
};

static int by_seen(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return (x->host > y->host) - (x->host < y->host);
}

static int by_seen_falling(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	return x->at != y->at ? by_seen(b, a) : by_seen(a, b);
}

static int walk_seen(struct page *page, const struct seen *seen, size_t n)
{
	struct view *view = &page->view;
	struct issue_list list = { .n = 0 };
	int r = 0;
	view->is_seen_fixed = true;
	for (size_t i = 0, end; r == 0 && i < n; i = end) {
		roaring_bitmap_t *scope = roaring_bitmap_create();
		if (!scope) {
			r = -ENOMEM;
			break;
		}
		for (end = i; end < n && seen[end].at == seen[i].at; end++)
			roaring_bitmap_add(scope, seen[end].host);
		view->seen_at = seen[i].at;
		bool is_small = end - i <= PART_SELECT_MOST;
		if (is_small)
			r = expand_select(view, scope, &by_name, &list);
		if (r == 0 && is_small)
			r = walk_part(page, (double)seen[i].at, scope, list.issues, list.n);
		else if (r == 0)
			r = walk_part_of_all(page, (double)seen[i].at, scope);
		roaring_bitmap_free(scope);
	}
	view->is_seen_fixed = false;
	free(list.issues);
	return r < 0 ? err_set(page->err, r, "cannot list hosts") : r;
}

/* Hosts by when they were seen. The times move while one looks, so they are read once. */
static int walk_hosts(struct page *page)
{
	struct view *view = &page->view;
	uint64_t n_all = roaring_bitmap_get_cardinality(view->scope);
	struct seen *seen = calloc(n_all + 1, sizeof(*seen));
	size_t n = 0;
	int r = seen ? 0 : -ENOMEM;
	roaring_uint32_iterator_t it;
	for (roaring_init_iterator(view->scope, &it); r >= 0 && it.has_value;
	        roaring_advance_uint32_iterator(&it)) {
		const struct fleet_host *host = fleet_host_at(view->fleet, it.current_value);
		if (!host || host->state != HOST_ACTIVE)
			continue;
		int64_t at = atomic_load(&host->seen_at);
		if (!is_passed(page, (double)at))
			seen[n++] = (struct seen){ at, it.current_value };
	}
	if (r >= 0) {
		qsort(seen, n, sizeof(*seen), page->by.is_descending ? by_seen_falling : by_seen);
		r = walk_seen(page, seen, n);
	} else {
		(void)err_set(page->err, r, "cannot sort hosts: out of memory");
	}
	free(seen);
	return r;
}

static int to_heap(void *ctx, struct finding_row *row, struct pair_host *hosts, size_t n)
{
	struct page *page = ctx;
	struct item item = { .issue = row->issue };
	(void)hosts;
	(void)n;
	sort_key_of_row(page->by.field, row, &item.key);
	if (is_behind(page, &item.key) && heap_takes(&page->heap, &item.key)) {
		item.row = *row;
		item.row.packages = NULL; /* they are found again, for those that stay */
		heap_add(&page->heap, &item);
	}
	return 0;
}

static int remake(struct page *page, struct item *item)
{
	struct view *view = &page->view;
	struct finding_row row;
	view_begin(view, &row, item->issue);
	view_set_host(view, &row, item->row.host);
	row.status = item->row.status;
	row.last_observed = item->row.last_observed;
	int r = view_finish(view, &row, page->err);
	row.updated_at = item->row.updated_at;
	if (r >= 0 && view_keep(&row, page->arena, &item->row) < 0)
		r = err_set(page->err, -ERR_LIMIT, "the page is too large");
	return r;
}

static int walk_all(struct page *page)
{
	struct pair_visitor visitor = { .ctx = page, .visit = to_heap, .is_each = true };
	int r = pairs_visit(&page->view, &visitor, NULL, page->err);
	heap_sort(&page->heap);
	for (size_t i = 0; r == 0 && i < page->heap.n; i++) {
		struct item *item = &page->heap.items[i];
		r = add_closed_before(page, &item->key);
		if (r == 0)
			r = remake(page, item);
		if (r == 0)
			r = page_add(page, item);
	}
	return r;
}

static int walk(struct page *page)
{
	if (!page->view.admits[STATUS_ACTIVE] && !page->view.admits[STATUS_SUPPRESSED])
		return 0;
	switch ((int)page->by.field) {
	case FIELD_ACCOUNT: return walk_accounts(page);
	case FIELD_STATUS: return walk_states(page);
	case FIELD_LAST_OBSERVED: return walk_hosts(page);
	case FIELD_FIRST_OBSERVED:
	case FIELD_UPDATED: return walk_all(page);
	default: return walk_issues(page);
	}
}

/* ---- the calls ---- */

static int page_begin(struct page *page, const struct query *query)
{
	size_t most = query->most < SIZE_MAX - 1 ? query->most : SIZE_MAX - 1;
	const struct query_mark *mark = &query->after;
	page->most = most;
	page->by = (struct sort_order){ query->sort, query->is_descending };
	page->has_behind = mark->is_set;
	page->behind = (struct sort_key){
		.number = mark->number,
		.text = mark->text,
		.name = mark->name,
		.host = mark->host,
		.first_observed = mark->first_observed,
	};
	page->items = arena_alloc(page->arena, most + 1, sizeof(struct item));
	page->closed.items = arena_alloc(page->arena, most + 1, sizeof(struct item));
	page->heap.items = sort_is_of_issues(query->sort)
	                           ? page->items
	                           : arena_alloc(page->arena, most + 1, sizeof(struct item));
	if (!page->items || !page->closed.items || !page->heap.items)
		return err_set(page->err, -ERR_LIMIT, "%zu findings are too many", most);
	page->closed.by = page->heap.by = &page->by;
	page->closed.most = page->heap.most = most + 1;
	return 0;
}

static int page_end(struct page *page, const struct finding_row **ret_rows, size_t *ret_count,
        struct query_mark *ret_mark)
{
	bool has_more = page->n > page->most;
	size_t n = has_more ? page->most : page->n;
	struct finding_row *rows = arena_alloc(page->arena, n, sizeof(*rows));
	if (!rows)
		return err_set(page->err, -ERR_LIMIT, "the page is too large");
	for (size_t i = 0; i < n; i++) {
		rows[i] = page->items[i].row;
		if (!page->items[i].closed)
			continue;
		struct finding_row row;
		int r = view_closed(&page->view, page->items[i].closed, &row);
		if (r >= 0)
			r = view_keep(&row, page->arena, &rows[i]);
		if (r < 0)
			return err_set(page->err, r, "the page is too large");
	}
	*ret_mark = (struct query_mark){ .is_set = false };
	if (has_more && n > 0) {
		const struct sort_key *last = &page->items[n - 1].key;
		*ret_mark = (struct query_mark){
			.is_set = true,
			.generation = page->view.generation->number,
			.number = last->number,
			.text = last->text,
			.name = last->name,
			.host = last->host,
			.first_observed = last->first_observed,
		};
	}
	*ret_rows = rows;
	*ret_count = n;
	return 0;
}

int query_page(struct fleet *fleet, const struct query *query, struct arena *arena,
        const struct finding_row **ret_rows, size_t *ret_count, struct query_mark *ret_mark,
        struct err *err)
{
	struct page page = { .arena = arena, .err = err };
	int r = view_init(&page.view, fleet, query);
	if (r < 0)
		(void)err_set(err, r, "cannot begin a query: out of memory");
	if (r >= 0)
		r = page_begin(&page, query);
	if (r >= 0)
		r = gather_closed(&page);
	if (r >= 0)
		r = walk(&page);
	if (r == 0)
		r = add_closed_before(&page, NULL);
	if (r >= 0)
		r = page_end(&page, ret_rows, ret_count, ret_mark);
	view_fini(&page.view);
	return r;
}

struct each {
	int (*visit)(void *ctx, const struct finding_row *row);
	void *ctx;
};

static int visit_one(void *ctx, struct finding_row *row, struct pair_host *hosts, size_t n)
{
	const struct each *each = ctx;
	(void)hosts;
	(void)n;
	return each->visit(each->ctx, row);
}

static int each_closed(struct view *view, int64_t account, const struct each *each, struct err *err)
{
	size_t n;
	const struct closed_finding *const *closed = fleet_closed(view->fleet, account, &n);
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct finding_row row;
		r = view_is_still_open(view, closed[i]);
		if (r == 0)
			r = view_closed(view, closed[i], &row);
		else if (r > 0) {
			r = 0;
			continue;
		}
		if (r == 0)
			r = view_judge_closed(view, &row, err);
		if (r > 0)
			r = each->visit(each->ctx, &row);
	}
	return r;
}

int query_each(struct fleet *fleet, const struct query *query,
        int (*visit)(void *ctx, const struct finding_row *row), void *ctx, struct err *err)
{
	struct view view;
	struct each each = { visit, ctx };
	struct pair_visitor visitor = { .ctx = &each, .visit = visit_one, .is_each = true };
	int r = view_init(&view, fleet, query);
	if (r < 0)
		(void)err_set(err, r, "cannot begin a query: out of memory");
	if (r == 0 && (view.admits[STATUS_ACTIVE] || view.admits[STATUS_SUPPRESSED]))
		r = pairs_visit(&view, &visitor, NULL, err);
	for (size_t i = 0; r == 0 && view.admits[STATUS_CLOSED] && i < query->n_accounts; i++)
		r = each_closed(&view, query->accounts[i], &each, err);
	view_fini(&view);
	return r;
}

static int find_open(struct view *view, uint64_t number, vuln_id vuln, int64_t first_observed,
        struct finding_row *row, struct err *err)
{
	const struct query *query = view->query;
	const struct fleet_host *host = fleet_host_at(view->fleet, number);
	const struct issue *issue;
	if (!host || host->state != HOST_ACTIVE ||
	        !is_account_of(query->accounts, query->n_accounts, host->account))
		return -ENOENT;
	view_begin(view, row, NULL);
	int r = view_find_matches(view, host, vuln, &issue);
	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	view_set_issue(view, row, issue);
	view_set_host(view, row, host);
	r = view_judge(view, row, GRAIN_ALL, err);
	if (r >= 0)
		r = view_finish(view, row, err);
	if (r < 0)
		return r;
	return row->first_observed == first_observed ? 0 : -ENOENT;
}

static int find_closed(struct view *view, uint64_t host, vuln_id vuln, int64_t first_observed,
        struct finding_row *row)
{
	const struct query *query = view->query;
	const struct dictionary *dictionary = fleet_dictionary(view->fleet);
	str name = dictionary_vuln_name(dictionary, vuln);
	for (size_t i = 0; i < query->n_accounts; i++) {
		size_t n, at;
		const struct closed_finding *const *closed =
		        fleet_closed(view->fleet, query->accounts[i], &n);
		size_t end = view_find_closed(closed, n, dictionary, name, host, &at);
		for (; at < end; at++) {
			if (closed[at]->first_observed == first_observed)
				return view_closed(view, closed[at], row);
		}
	}
	return -ENOENT;
}

int query_one(struct fleet *fleet, const struct query *query, uint64_t host, vuln_id vuln,
        int64_t first_observed, struct arena *arena, struct finding_row *ret, struct err *err)
{
	struct query all = *query;
	struct view view;
	struct finding_row row;
	all.criteria = (struct criteria){ .n = 0 };
	all.n_accounts = 0; /* the scope is not needed */
	int r = view_init(&view, fleet, &all);
	view.query = query;
	if (r >= 0)
		r = find_open(&view, host, vuln, first_observed, &row, err);
	if (r == -ENOENT)
		r = find_closed(&view, host, vuln, first_observed, &row);
	if (r >= 0)
		r = view_keep(&row, arena, ret);
	view_fini(&view);
	return r;
}
