/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts. Findings come per pair of sets (pairs.c), so that the group of a package or a title is
 * looked up once for all hosts that have the finding alike, and then only numbers are added.
 */
#include "fleet/view.h"

#include <errno.h>
#include <stdlib.h>

struct counting {
	struct view *view;
	enum aggregation by;
	struct arena *arena;
	struct err *err;
	struct arena scratch;
	struct map groups; /* "<account>\0<key>" to struct aggregate_row, in the scratch */
	struct aggregate_row *of_hosts; /* BY_HOST: one per host of the pairs */
	size_t n_hosts;
	struct pair_host *hosts;
};

/* Most bytes of groups while they are counted. */
#define GROUPS_MAX_BYTES ((size_t)1 << 30)

static struct aggregate_row *group_at(struct counting *counting, int64_t account, str key, str name)
{
	char text[sizeof(account) + TITLE_MAX_BYTES];
	str head = str_head(key, TITLE_MAX_BYTES);
	memcpy(text, &account, sizeof(account));
	if (head.n > 0)
		memcpy(text + sizeof(account), head.p, head.n);
	void **place = map_at(&counting->groups, (str){ text, sizeof(account) + head.n });
	if (!place)
		return NULL;
	if (!*place) {
		struct aggregate_row *row = arena_alloc(&counting->scratch, 1, sizeof(*row));
		if (!row || arena_copy(&counting->scratch, key, &row->key) < 0)
			return NULL;
		row->account = account;
		row->name = name; /* the generation's */
		*place = row;
	}
	return *place;
}

/* What one finding adds. */
static void count(
        struct aggregate_row *group, const struct finding_row *row, bool has_fix, uint64_t times)
{
	group->n_all += times;
	group->n_medium += row->severity == SEVERITY_MEDIUM ? times : 0;
	group->n_high += row->severity == SEVERITY_HIGH ? times : 0;
	group->n_critical += row->severity == SEVERITY_CRITICAL ? times : 0;
	group->n_exploit += row->is_kev ? times : 0;
	group->n_fix += has_fix ? times : 0;
}

static int count_of_hosts(struct counting *counting, const struct finding_row *row, bool has_fix,
        struct pair_host *hosts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (counting->by == BY_HOST) {
			count(&counting->of_hosts[&hosts[i] - counting->hosts], row, has_fix, 1);
			continue;
		}
		struct aggregate_row *group = hosts[i].group;
		if (!group)
			continue; /* it has no image */
		count(group, row, has_fix, 1);
		group->n_hosts += !hosts[i].is_counted;
		hosts[i].is_counted = true;
	}
	return 0;
}

/* The groups of one account that a finding is of: one, or one for each package name. */
static int count_of_account(struct counting *counting, const struct finding_row *row, bool has_fix,
        str title, int64_t account, uint64_t times)
{
	struct aggregate_row *group = NULL;
	switch (counting->by) {
	case BY_ACCOUNT: group = group_at(counting, account, STR(""), STR("")); break;
	case BY_TYPE:
		group = group_at(counting, account, STR("PACKAGE_VULNERABILITY"), STR(""));
		break;
	case BY_TITLE: group = group_at(counting, account, title, row->name); break;
	case BY_PACKAGE:
	case BY_HOST:
	case BY_IMAGE: break;
	}
	if (counting->by != BY_PACKAGE) {
		if (!group)
			return -ERR_LIMIT;
		count(group, row, has_fix, times);
		return 0;
	}
	for (size_t i = 0; i < row->n_packages; i++) {
		const struct element *element = row->packages[i].element;
		const struct element *last = i > 0 ? row->packages[i - 1].element : NULL;
		if (!element || (last && str_eq(last->package.name, element->package.name)))
			continue;
		group = group_at(counting, account, element->package.name, STR(""));
		if (!group)
			return -ERR_LIMIT;
		count(group, row, has_fix, times);
	}
	return 0;
}

static int visit(void *ctx, struct finding_row *row, struct pair_host *hosts, size_t n)
{
	struct counting *counting = ctx;
	char text[TITLE_MAX_BYTES];
	str title = { NULL, 0 };
	int r = view_load(counting->view, row, GRAIN_PACKAGES, counting->err);
	if (r < 0)
		return r;
	bool has_fix = strcmp(finding_fix(row), "YES") == 0;
	if (counting->by == BY_HOST || counting->by == BY_IMAGE)
		return count_of_hosts(counting, row, has_fix, hosts, n);
	if (counting->by == BY_TITLE)
		title = title_write(row, text);
	for (size_t i = 0, end; r >= 0 && i < n; i = end) {
		int64_t account = hosts[i].host->account;
		for (end = i + 1; end < n && hosts[end].host->account == account;)
			end++;
		r = count_of_account(counting, row, has_fix, title, account, end - i);
	}
	return r < 0 ? err_set(counting->err, r, "too many groups to count") : 0;
}

/* Before the first finding: places for the counts of each host, or the image of each. */
static int ready(void *ctx, struct pair_host *hosts, size_t n)
{
	struct counting *counting = ctx;
	counting->hosts = hosts;
	counting->n_hosts = n;
	if (counting->by == BY_HOST) {
		counting->of_hosts = calloc(n + 1, sizeof(*counting->of_hosts));
		if (!counting->of_hosts)
			return err_set(counting->err, -ENOMEM, "cannot count: out of memory");
		for (size_t i = 0; i < n; i++) {
			counting->of_hosts[i].account = hosts[i].host->account;
			counting->of_hosts[i].host = hosts[i].host;
			counting->of_hosts[i].key = str_from_c(hosts[i].host->id);
		}
	}
	for (size_t i = 0; counting->by == BY_IMAGE && i < n; i++) {
		str image = host_fact(hosts[i].host, "ImageId");
		if (image.n == 0)
			continue;
		struct aggregate_row *group =
		        group_at(counting, hosts[i].host->account, image, STR(""));
		if (!group)
			return err_set(counting->err, -ERR_LIMIT, "too many images to count");
		hosts[i].group = group;
	}
	return 0;
}

static uint64_t sort_count(enum aggregate_sort sort, const struct aggregate_row *row)
{
	switch (sort) {
	case SORT_CRITICAL: return row->n_critical;
	case SORT_HIGH: return row->n_high;
	case SORT_HOSTS: return row->n_hosts;
	case SORT_ALL: break;
	}
	return row->n_all;
}

static int by_count(const void *a, const void *b, void *ctx)
{
	const struct aggregate_question *question = ctx;
	const struct aggregate_row *x = a, *y = b;
	uint64_t p = sort_count(question->sort, x), q = sort_count(question->sort, y);
	if (p != q)
		return (p < q) != question->is_descending ? -1 : 1;
	int c = str_cmp(x->key, y->key);
	if (c == 0)
		c = str_cmp(x->name, y->name);
	return c ? c : (x->account > y->account) - (x->account < y->account);
}

static size_t n_groups(const struct counting *counting)
{
	return counting->by == BY_HOST ? counting->n_hosts : counting->groups.n;
}

static const struct aggregate_row *group_of(const struct counting *counting, size_t i)
{
	return counting->by == BY_HOST ? &counting->of_hosts[i] : counting->groups.entries[i].value;
}

static int answer(const struct counting *counting, const struct aggregate_question *question,
        const struct aggregate_row **ret_rows, size_t *ret_count)
{
	size_t n = 0;
	struct aggregate_question by = *question;
	for (size_t i = 0; i < n_groups(counting); i++)
		n += group_of(counting, i)->n_all > 0;
	struct aggregate_row *rows = arena_alloc(counting->arena, n, sizeof(*rows));
	if (!rows)
		return -ERR_LIMIT;
	n = 0;
	for (size_t i = 0; i < n_groups(counting); i++) {
		const struct aggregate_row *group = group_of(counting, i);
		if (group->n_all == 0)
			continue;
		rows[n] = *group;
		if (counting->by != BY_HOST &&
		        arena_copy(counting->arena, group->key, &rows[n].key) < 0)
			return -ERR_LIMIT;
		n++;
	}
	if (n > 1)
		qsort_r(rows, n, sizeof(*rows), by_count, &by);
	*ret_rows = rows;
	*ret_count = n;
	return 0;
}

int query_aggregate(struct fleet *fleet, const struct query *query,
        const struct aggregate_question *question, struct arena *arena,
        const struct aggregate_row **ret_rows, size_t *ret_count, struct err *err)
{
	struct view view;
	struct counting counting = {
		.view = &view,
		.by = question->by,
		.arena = arena,
		.err = err,
		.scratch = ARENA(GROUPS_MAX_BYTES),
	};
	struct pair_visitor visitor = { .ctx = &counting, .visit = visit };
	counting.groups = MAP(&counting.scratch);
	int r = view_init(&view, fleet, query);
	if (r < 0)
		(void)err_set(err, r, "cannot begin to count: out of memory");
	/* Only active ones are counted, if the criteria let them in at all. */
	view.admits[STATUS_SUPPRESSED] = view.admits[STATUS_CLOSED] = false;
	if (r >= 0 && view.admits[STATUS_ACTIVE])
		r = pairs_visit(&view, &visitor, ready, err);
	if (r >= 0 && answer(&counting, question, ret_rows, ret_count) < 0)
		r = err_set(err, -ERR_LIMIT, "too many groups to return");
	view_fini(&view);
	free(counting.of_hosts);
	arena_fini(&counting.scratch);
	return r;
}
