/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sorted view of an account's closed findings is made when someone looks: changes only say that
 * it is stale. Who looks holds the fleet's lock for reading, so that no change comes in between,
 * and the first who looks after a change brings the view up to date, so that nobody else can be
 * reading the old one: whoever read it has let go of the fleet's lock since.
 */
#include "fleet/closing.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "fleet/host_make.h"
#include "fleet/keys.h"
#include "fleet/sure.h"

/* Version 1 had exactly one place of each package, which might be empty. */
#define RECORD_VERSION 2u
#define ID_BYTES (sizeof(((struct closing_host *)NULL)->id) - 1)

/* ---- records ---- */

void closing_begin(enum closing_reason reason, struct buf *out)
{
	buf_add_byte(out, (char)RECORD_VERSION);
	buf_add_byte(out, (char)reason);
}

static void write_double(double v, struct buf *out)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	buf_add_u64(out, bits);
}

void closing_write(const struct closing_draft *draft, struct buf *out)
{
	const struct issue *issue = draft->issue;
	const str texts[] = { issue->text, issue->source, issue->source_url, issue->vendor_severity,
		issue->record_source, issue->record_id };

	buf_add_u32(out, issue->vuln);
	buf_add_byte(out, (char)issue->severity);
	buf_add_byte(out, issue->is_kev ? 1 : 0);
	write_double(issue->score, out);
	write_double(issue->epss, out);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		buf_add_str(out, texts[i]);
	buf_add_u32(out, (uint32_t)draft->n_packages);
	for (size_t i = 0; i < draft->n_packages; i++) {
		buf_add_u32(out, draft->packages[i].element);
		buf_add_str(out, draft->packages[i].fixed_in);
		buf_add_u32(out, (uint32_t)draft->packages[i].n_paths);
		for (size_t k = 0; k < draft->packages[i].n_paths; k++)
			buf_add_str(out, draft->packages[i].paths[k]);
	}
	buf_add_u32(out, (uint32_t)draft->n_hosts);
	for (size_t i = 0; i < draft->n_hosts; i++) {
		const struct closing_host *host = &draft->hosts[i];
		buf_add_u64(out, host->number);
		buf_add(out, (str){ host->id, ID_BYTES });
		buf_add_u64(out, (uint64_t)host->first_observed);
		buf_add_u64(out, (uint64_t)host->last_observed);
	}
}

/* Where what is read goes; NULL while it is only counted. */
struct reading {
	struct closing_group *group;
	uint8_t version;
	size_t n_entries, n_packages, n_paths;
};

static double read_double(struct cursor *cursor)
{
	uint64_t bits = cursor_u64(cursor);
	double v;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

static void read_paths(
        struct cursor *cursor, struct reading *reading, struct closed_package *package)
{
	size_t n = reading->version == 1 ? 1 : cursor_u32(cursor);
	if (n > cursor->rest.n / 4)
		cursor->failed = true;
	if (reading->group)
		package->paths = reading->group->paths + reading->n_paths;
	for (size_t i = 0; !cursor_failed(cursor) && i < n; i++) {
		str path = cursor_str(cursor);
		if (path.n == 0)
			continue;
		if (reading->group)
			reading->group->paths[reading->n_paths] = path;
		reading->n_paths++;
		package->n_paths++;
	}
}

static void read_packages(
        struct cursor *cursor, struct reading *reading, struct closed_finding *finding)
{
	size_t n = cursor_u32(cursor);
	if (n > cursor->rest.n / 12)
		cursor->failed = true;
	if (cursor_failed(cursor))
		return;
	if (reading->group) {
		finding->packages = reading->group->packages + reading->n_packages;
		finding->n_packages = n;
	}
	for (size_t i = 0; i < n; i++) {
		struct closed_package package = { .element = cursor_u32(cursor) };
		package.fixed_in = cursor_str(cursor);
		read_paths(cursor, reading, &package);
		if (reading->group)
			reading->group->packages[reading->n_packages] = package;
		reading->n_packages++;
	}
}

static void read_hosts(
        struct cursor *cursor, struct reading *reading, const struct closed_finding *finding)
{
	size_t n = cursor_u32(cursor);
	if (n > cursor->rest.n / (ID_BYTES + 24))
		cursor->failed = true;
	for (size_t i = 0; !cursor_failed(cursor) && i < n; i++) {
		uint64_t number = cursor_u64(cursor);
		str id = cursor_bytes(cursor, ID_BYTES);
		int64_t first = (int64_t)cursor_u64(cursor), last = (int64_t)cursor_u64(cursor);
		if (number == 0 || number > UINT32_MAX || !host_id_is_good(id))
			cursor->failed = true;
		if (reading->group && !cursor_failed(cursor)) {
			struct closed_entry *entry = &reading->group->entries[reading->n_entries];
			*entry = (struct closed_entry){ *finding, reading->group, false };
			entry->finding.host = number;
			if (id.n > 0)
				memcpy(entry->finding.host_id, id.p, id.n);
			entry->finding.first_observed = first;
			entry->finding.last_observed = last;
		}
		reading->n_entries++;
	}
}

static void read_vuln(struct cursor *cursor, struct reading *reading)
{
	struct closed_finding finding = { .vuln = cursor_u32(cursor) };
	str *const texts[] = { &finding.text, &finding.source, &finding.source_url,
		&finding.vendor_severity, &finding.record_source, &finding.record_id };
	uint8_t severity = cursor_u8(cursor), is_kev = cursor_u8(cursor);
	finding.score = read_double(cursor);
	finding.epss = read_double(cursor);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = cursor_str(cursor);
	if (severity > SEVERITY_CRITICAL || is_kev > 1 || finding.vuln == 0)
		cursor->failed = true;
	finding.severity = (enum severity)severity;
	finding.is_kev = is_kev == 1;
	if (reading->group) {
		finding.account = reading->group->account;
		finding.closed_at = reading->group->closed_at;
		finding.reason = reading->group->reason;
	}
	read_packages(cursor, reading, &finding);
	read_hosts(cursor, reading, &finding);
}

/* Read everything behind the head of a record. Returns: false when it is damaged */
static bool read_body(str body, struct reading *reading)
{
	struct cursor cursor = CURSOR(body);
	while (!cursor_failed(&cursor) && cursor.rest.n > 0)
		read_vuln(&cursor, reading);
	return !cursor_failed(&cursor);
}

int closing_read(int64_t account, int64_t closed_at, uint32_t counter, str record,
        struct closing_group **ret, struct err *err)
{
	struct cursor cursor = CURSOR(record);
	uint8_t version = cursor_u8(&cursor), reason = cursor_u8(&cursor);
	struct reading count = { .version = version };
	if (!cursor_failed(&cursor) && version > RECORD_VERSION)
		return err_set(err, -ERR_UNSUPPORTED,
		        "a record of closed findings was written by a newer program");
	if (version == 0 || cursor_failed(&cursor) || reason > CLOSED_INELIGIBLE ||
	        !read_body(cursor.rest, &count))
		return err_set(err, -ERR_FORMAT, "a record of closed findings is damaged");

	str body = cursor.rest;
	size_t bytes =
	        sizeof(struct closing_group) + count.n_entries * sizeof(struct closed_entry) +
	        count.n_packages * sizeof(struct closed_package) + count.n_paths * sizeof(str);
	struct closing_group *group = malloc(bytes + body.n);
	if (!group)
		return err_set(err, -ENOMEM, "no memory for closed findings");
	*group = (struct closing_group){
		.account = account,
		.closed_at = closed_at,
		.counter = counter,
		.reason = (enum closing_reason)reason,
		.n = count.n_entries,
		.entries = (void *)(group + 1),
	};
	group->packages = (void *)(group->entries + count.n_entries);
	group->paths = (void *)(group->packages + count.n_packages);
	if (body.n > 0)
		memcpy((char *)group + bytes, body.p, body.n);
	struct reading reading = { .group = group, .version = version };
	(void)read_body((str){ (char *)group + bytes, body.n }, &reading);
	*ret = group;
	return 0;
}

int64_t closing_ends_at(const struct closing_group *group)
{
	return group->closed_at +
	       (group->reason == CLOSED_INELIGIBLE ? CLOSING_INELIGIBLE_S : CLOSING_REMEDIATED_S);
}

/* ---- lists ---- */

void closed_list_init(struct closed_list *list)
{
	*list = (struct closed_list){ .n_view = 0 };
	(void)pthread_mutex_init(&list->lock, NULL);
}

static void release_gone(struct closed_list *list)
{
	for (size_t i = 0; i < list->n_gone; i++)
		free(list->gone[i]);
	list->n_gone = 0;
}

void closed_list_fini(struct closed_list *list)
{
	release_gone(list);
	for (size_t i = 0; i < list->n_groups; i++)
		free(list->groups[i]);
	free(list->groups);
	free(list->gone);
	free(list->fresh);
	free(list->view);
	(void)pthread_mutex_destroy(&list->lock);
}

void closed_list_add(struct closed_list *list, struct closing_group *group)
{
	list->groups =
	        sure_grow(list->groups, list->n_groups, &list->cap_groups, sizeof(*list->groups));
	list->groups[list->n_groups++] = group;
	for (size_t i = 0; i < group->n; i++) {
		list->fresh = sure_grow(
		        list->fresh, list->n_fresh, &list->cap_fresh, sizeof(*list->fresh));
		list->fresh[list->n_fresh++] = &group->entries[i];
	}
	list->is_stale = true;
}

void closed_list_reopen(struct closed_list *list, struct closed_entry *entry)
{
	if (!entry->is_open_again)
		entry->group->n_open_again++;
	entry->is_open_again = true;
	list->is_stale = true;
}

void closed_list_remove(struct closed_list *list, size_t i)
{
	struct closing_group *group = list->groups[i];
	list->groups[i] = list->groups[--list->n_groups];
	list->gone = sure_grow(list->gone, list->n_gone, &list->cap_gone, sizeof(*list->gone));
	list->gone[list->n_gone++] = group;
	for (size_t k = 0; k < group->n; k++)
		group->entries[k].is_open_again = true; /* in no view any more */
	list->is_stale = true;
}

static int order(const struct closed_finding *a, const struct closed_finding *b,
        const struct dictionary *dictionary)
{
	if (a->vuln != b->vuln)
		return str_cmp(dictionary_vuln_name(dictionary, a->vuln),
		        dictionary_vuln_name(dictionary, b->vuln));
	if (a->host != b->host)
		return a->host < b->host ? -1 : 1;
	if (a->first_observed != b->first_observed)
		return a->first_observed < b->first_observed ? -1 : 1;
	return (a->closed_at > b->closed_at) - (a->closed_at < b->closed_at);
}

static int by_order(const void *left, const void *right, void *dictionary)
{
	return order(*(const struct closed_finding *const *)left,
	        *(const struct closed_finding *const *)right, dictionary);
}

static bool is_seen(const struct closed_finding *finding)
{
	return !((const struct closed_entry *)(const void *)finding)->is_open_again;
}

/* Leave out what is open again or gone, and merge what is new from the end. */
static void refresh(struct closed_list *list, const struct dictionary *dictionary)
{
	size_t n = 0, n_fresh = 0;
	for (size_t i = 0; i < list->n_view; i++) {
		if (is_seen(list->view[i]))
			list->view[n++] = list->view[i];
	}
	autofree const struct closed_finding **fresh =
	        sure_realloc(NULL, list->n_fresh, sizeof(*fresh));
	for (size_t i = 0; i < list->n_fresh; i++) {
		if (!list->fresh[i]->is_open_again)
			fresh[n_fresh++] = &list->fresh[i]->finding;
	}
	if (n_fresh > 1)
		qsort_r(fresh, n_fresh, sizeof(*fresh), by_order, (void *)(uintptr_t)dictionary);
	list->view = sure_reach(list->view, n + n_fresh, &list->cap_view, sizeof(*list->view));
	list->n_view = n + n_fresh;
	for (size_t at = list->n_view, k = n_fresh; k > 0;) {
		if (n > 0 && order(list->view[n - 1], fresh[k - 1], dictionary) > 0)
			list->view[--at] = list->view[--n];
		else
			list->view[--at] = fresh[--k];
	}
	list->n_fresh = 0;
	release_gone(list);
	list->is_stale = false;
}

const struct closed_finding *const *closed_list_view(
        struct closed_list *list, const struct dictionary *dictionary, size_t *ret_count)
{
	(void)pthread_mutex_lock(&list->lock);
	if (list->is_stale)
		refresh(list, dictionary);
	*ret_count = list->n_view;
	const struct closed_finding *const *view = list->view;
	(void)pthread_mutex_unlock(&list->lock);
	return view;
}
