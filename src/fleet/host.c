/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/host.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cursor.h"
#include "fleet/host_make.h"
#include "fleet/platform.h"

#define RECORD_VERSION 1u
#define BUCKETS 256u

int host_bucket(uint64_t number)
{
	return (int)(number % BUCKETS);
}

static str find_pair(const struct pair *pairs, size_t n, str key, bool *ret_found)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t i = low + (high - low) / 2;
		int c = str_cmp(pairs[i].key, key);
		if (c == 0) {
			*ret_found = true;
			return pairs[i].value;
		}
		if (c < 0)
			low = i + 1;
		else
			high = i;
	}
	*ret_found = false;
	return (str){ "", 0 };
}

str host_fact(const struct fleet_host *host, const char *key)
{
	bool found;
	return find_pair(host->facts, host->n_facts, str_from_c(key), &found);
}

bool host_tag(const struct fleet_host *host, str key, str *ret_value)
{
	bool found;
	str value = find_pair(host->tags, host->n_tags, key, &found);
	if (found && ret_value)
		*ret_value = value;
	return found;
}

const struct host_item *host_item(const struct fleet_host *host, str type)
{
	for (size_t i = 0; i < host->n_items; i++) {
		if (str_eq(host->items[i].type, type))
			return &host->items[i];
	}
	return NULL;
}

void host_os(const struct fleet_host *host, struct host *ret)
{
	*ret = (struct host){
		.os_id = host_fact(host, "Os.Id"),
		.os_version = host_fact(host, "Os.Version"),
		.os_codename = host_fact(host, "Os.Codename"),
	};
	if (ret->os_id.n > 0)
		return;
	*ret = (struct host){ .os_id = { "", 0 } };
	platform_os(host_fact(host, "PlatformName"), host_fact(host, "PlatformVersion"), ret);
}

/* ---- making: all of a host in one piece of memory ---- */

/* Where the next array and the next string go. */
struct packer {
	char *arrays, *bytes;
};

static str pack_str(struct packer *p, str s)
{
	str copy = { p->bytes, s.n };
	if (s.n > 0)
		memcpy(p->bytes, s.p, s.n);
	p->bytes += s.n;
	return copy;
}

static struct pair *pack_pairs(struct packer *p, const struct pair *pairs, size_t n)
{
	struct pair *copy = (void *)p->arrays;
	p->arrays += n * sizeof(*copy);
	for (size_t i = 0; i < n; i++) {
		copy[i].key = pack_str(p, pairs[i].key);
		copy[i].value = pack_str(p, pairs[i].value);
	}
	return copy;
}

static struct host_item *pack_items(struct packer *p, const struct host_item *items, size_t n)
{
	struct host_item *copy = (void *)p->arrays;
	p->arrays += n * sizeof(*copy);
	for (size_t i = 0; i < n; i++) {
		copy[i] = items[i];
		copy[i].type = pack_str(p, items[i].type);
		copy[i].schema_version = pack_str(p, items[i].schema_version);
		copy[i].capture_time = pack_str(p, items[i].capture_time);
		copy[i].content_hash = pack_str(p, items[i].content_hash);
	}
	return copy;
}

static size_t pairs_bytes(const struct pair *pairs, size_t n)
{
	size_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += sizeof(*pairs) + pairs[i].key.n + pairs[i].value.n;
	return bytes;
}

struct fleet_host *host_make(const struct fleet_host *draft)
{
	size_t bytes = sizeof(*draft) + draft->n_attached * sizeof(*draft->attached) +
	               pairs_bytes(draft->tags, draft->n_tags) +
	               pairs_bytes(draft->facts, draft->n_facts);
	for (size_t i = 0; i < draft->n_items; i++) {
		const struct host_item *item = &draft->items[i];
		bytes += sizeof(*item) + item->type.n + item->schema_version.n +
		         item->capture_time.n + item->content_hash.n;
	}
	struct fleet_host *host = malloc(bytes);
	if (!host)
		return NULL;

	struct packer p = { .arrays = (char *)(host + 1) };
	p.bytes = p.arrays + draft->n_attached * sizeof(*draft->attached) +
	          (draft->n_tags + draft->n_facts) * sizeof(struct pair) +
	          draft->n_items * sizeof(struct host_item);
	memcpy(host, draft, sizeof(*host));
	struct host_attach *attached = (void *)p.arrays;
	if (draft->n_attached > 0)
		memcpy(attached, draft->attached, draft->n_attached * sizeof(*attached));
	p.arrays += draft->n_attached * sizeof(*attached);
	host->attached = attached;
	host->tags = pack_pairs(&p, draft->tags, draft->n_tags);
	host->facts = pack_pairs(&p, draft->facts, draft->n_facts);
	host->items = pack_items(&p, draft->items, draft->n_items);
	return host;
}

void host_free(struct fleet_host *host)
{
	free(host);
}

/* ---- records ---- */

static void write_pairs(const struct pair *pairs, size_t n, struct buf *out)
{
	buf_add_u32(out, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		buf_add_str(out, pairs[i].key);
		buf_add_str(out, pairs[i].value);
	}
}

/* Without the times of items, which KIND_SEEN has. */
static void write_record(const struct fleet_host *host, bool has_times, struct buf *out)
{
	buf_add_u32(out, RECORD_VERSION);
	buf_add(out, (str){ host->id, sizeof(host->id) - 1 });
	buf_add_byte(out, host->is_ec2 ? 1 : 0);
	buf_add_byte(out, (char)host->state);
	const int64_t times[] = { host->state_at, host->registered_at, host->enrolled_at,
		host->eligible_since, host->changed_at, host->covered_since };
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		buf_add_u64(out, (uint64_t)times[i]);
	for (int i = 0; i < HOST_N_SETS; i++)
		buf_add_u32(out, host->sets[i]);

	buf_add_u32(out, (uint32_t)host->n_items);
	for (size_t i = 0; i < host->n_items; i++) {
		const struct host_item *item = &host->items[i];
		buf_add_str(out, item->type);
		buf_add_str(out, item->schema_version);
		buf_add_str(out, has_times ? item->capture_time : (str){ "", 0 });
		buf_add_str(out, item->content_hash);
		buf_add_u64(out, has_times ? (uint64_t)item->captured_at : 0);
		buf_add_u64(out, has_times ? (uint64_t)item->received_at : 0);
		buf_add(out, (str){ (const char *)item->evidence, sizeof(item->evidence) });
		buf_add_u32(out, item->n_rows);
	}
	write_pairs(host->tags, host->n_tags, out);
	write_pairs(host->facts, host->n_facts, out);
}

void host_write(const struct fleet_host *host, struct buf *out)
{
	write_record(host, true, out);
}

bool host_differs_in_times_only(const struct fleet_host *a, const struct fleet_host *b)
{
	autobuf left = BUF(STORE_LARGE_MAX_BYTES), right = BUF(STORE_LARGE_MAX_BYTES);
	write_record(a, false, &left);
	write_record(b, false, &right);
	return !buf_failed(&left) && !buf_failed(&right) && str_eq(buf_str(&left), buf_str(&right));
}

/* An array of a record, whose elements take at least `least` bytes each: so that a damaged count
 * costs no more memory than the record has bytes. */
static void *read_array(
        struct cursor *cursor, size_t least, size_t size, struct arena *arena, size_t *ret_n)
{
	size_t n = cursor_u32(cursor);
	if (n > cursor->rest.n / least)
		cursor->failed = true;
	void *array = cursor->failed ? NULL : arena_alloc(arena, n, size);
	if (!array)
		cursor->failed = true;
	*ret_n = array ? n : 0;
	return array;
}

static int64_t read_time(struct cursor *cursor)
{
	return (int64_t)cursor_u64(cursor);
}

static struct pair *read_pairs(struct cursor *cursor, struct arena *arena, size_t *ret_n)
{
	struct pair *pairs = read_array(cursor, 8, sizeof(*pairs), arena, ret_n);
	for (size_t i = 0; i < *ret_n; i++) {
		pairs[i].key = cursor_str(cursor);
		pairs[i].value = cursor_str(cursor);
		if (i > 0 && str_cmp(pairs[i - 1].key, pairs[i].key) >= 0)
			cursor->failed = true;
	}
	return pairs;
}

static struct host_item *read_items(struct cursor *cursor, struct arena *arena, size_t *ret_n)
{
	struct host_item *items = read_array(cursor, 68, sizeof(*items), arena, ret_n);
	for (size_t i = 0; i < *ret_n; i++) {
		items[i].type = cursor_str(cursor);
		items[i].schema_version = cursor_str(cursor);
		items[i].capture_time = cursor_str(cursor);
		items[i].content_hash = cursor_str(cursor);
		items[i].captured_at = read_time(cursor);
		items[i].received_at = read_time(cursor);
		str digest = cursor_bytes(cursor, sizeof(items[i].evidence));
		if (digest.n > 0)
			memcpy(items[i].evidence, digest.p, digest.n);
		items[i].n_rows = cursor_u32(cursor);
		if (i > 0 && str_cmp(items[i - 1].type, items[i].type) >= 0)
			cursor->failed = true;
	}
	return items;
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

bool host_id_is_good(str id)
{
	str rest = id;
	(void)str_take_while(&rest, is_hex);
	return rest.n == 0 && id.n == sizeof(((struct fleet_host *)NULL)->id) - 1;
}

static void read_head(struct cursor *cursor, struct fleet_host *host)
{
	str id = cursor_bytes(cursor, sizeof(host->id) - 1);
	if (host_id_is_good(id))
		memcpy(host->id, id.p, id.n);
	else
		cursor->failed = true;
	uint8_t is_ec2 = cursor_u8(cursor), state = cursor_u8(cursor);
	if (is_ec2 > 1 || state > HOST_TERMINATED)
		cursor->failed = true;
	host->is_ec2 = is_ec2 == 1;
	host->state = (enum host_state)state;
	int64_t *const times[] = { &host->state_at, &host->registered_at, &host->enrolled_at,
		&host->eligible_since, &host->changed_at, &host->covered_since };
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		*times[i] = read_time(cursor);
	for (int i = 0; i < HOST_N_SETS; i++)
		host->sets[i] = cursor_u32(cursor);
}

int host_read(
        uint64_t number, int64_t account, str record, struct fleet_host **ret, struct err *err)
{
	cleanup(arena_fini) struct arena arena = ARENA((size_t)64 << 20);
	struct cursor cursor = CURSOR(record);
	struct fleet_host draft = { .number = number, .account = account };

	uint32_t version = cursor_u32(&cursor);
	if (!cursor_failed(&cursor) && version > RECORD_VERSION)
		return err_set(err, -ERR_UNSUPPORTED,
		        "the record of host %llu was written by a newer program",
		        (unsigned long long)number);
	read_head(&cursor, &draft);
	draft.items = read_items(&cursor, &arena, &draft.n_items);
	draft.tags = read_pairs(&cursor, &arena, &draft.n_tags);
	draft.facts = read_pairs(&cursor, &arena, &draft.n_facts);
	if (version != RECORD_VERSION || cursor_failed(&cursor) || cursor.rest.n > 0)
		return err_set(err, -ERR_FORMAT, "the record of host %llu is damaged",
		        (unsigned long long)number);

	struct fleet_host *host = host_make(&draft);
	if (!host)
		return err_set(err, -ENOMEM, "no memory for a host");
	*ret = host;
	return 0;
}

void host_write_seen(const struct fleet_host *host, int64_t seen_at, struct buf *out)
{
	buf_add_u64(out, (uint64_t)seen_at);
	buf_add_u32(out, (uint32_t)host->n_items);
	for (size_t i = 0; i < host->n_items; i++) {
		buf_add_u64(out, (uint64_t)host->items[i].captured_at);
		buf_add_u64(out, (uint64_t)host->items[i].received_at);
		buf_add_str(out, host->items[i].capture_time);
	}
	if (host->day_bytes > 0) {
		buf_add_u32(out, host->day);
		buf_add_u32(out, host->day_bytes);
	}
}

/* Put one made of a draft in a host's place. */
static int remake(struct fleet_host **at, const struct fleet_host *draft, struct err *err)
{
	struct fleet_host *newer = host_make(draft);
	if (!newer)
		return err_set(err, -ENOMEM, "no memory for a host");
	host_free(*at);
	*at = newer;
	return 0;
}

int host_read_seen(struct fleet_host **at, str record, struct err *err)
{
	cleanup(arena_fini) struct arena arena = ARENA((size_t)1 << 20);
	struct fleet_host *host = *at;
	struct cursor cursor = CURSOR(record);

	int64_t seen_at = read_time(&cursor);
	size_t n = cursor_u32(&cursor);
	struct host_item *items = arena_alloc(&arena, host->n_items, sizeof(*items));
	if (!items)
		return err_set(err, -ERR_FORMAT, "host %llu has too many items",
		        (unsigned long long)host->number);
	for (size_t i = 0; n == host->n_items && i < n; i++) {
		items[i] = host->items[i];
		items[i].captured_at = read_time(&cursor);
		items[i].received_at = read_time(&cursor);
		items[i].capture_time = cursor_str(&cursor);
	}
	/* What was taken of a day's quota: records without it were written by older programs, too.
	 */
	bool has_day = cursor.rest.n > 0;
	uint32_t day = has_day ? cursor_u32(&cursor) : 0;
	uint32_t day_bytes = has_day ? cursor_u32(&cursor) : 0;
	if (n != host->n_items || cursor_failed(&cursor) || cursor.rest.n > 0)
		return err_set(err, -ERR_FORMAT, "the record of when host %llu reported is damaged",
		        (unsigned long long)host->number);

	struct fleet_host draft;
	memcpy(&draft, host, sizeof(draft));
	draft.items = items;
	draft.day = day;
	draft.day_bytes = day_bytes;
	int r = remake(at, &draft, err);
	if (r == 0)
		atomic_store(&(*at)->seen_at, seen_at);
	return r;
}

void since_write(
        const struct fleet_host *host, const struct first *firsts, size_t n_firsts, struct buf *out)
{
	buf_add_u32(out, (uint32_t)host->n_attached);
	for (size_t i = 0; i < host->n_attached; i++) {
		buf_add_u32(out, host->attached[i].element);
		buf_add_u64(out, (uint64_t)host->attached[i].at);
	}
	buf_add_u32(out, (uint32_t)n_firsts);
	for (size_t i = 0; i < n_firsts; i++) {
		buf_add_u32(out, firsts[i].vuln);
		buf_add_u64(out, (uint64_t)firsts[i].at);
	}
}

int since_read(struct fleet_host **at, str record, struct first **ret_firsts, size_t *ret_n,
        struct err *err)
{
	cleanup(arena_fini) struct arena arena = ARENA((size_t)256 << 20);
	struct cursor cursor = CURSOR(record);
	struct fleet_host draft;
	memcpy(&draft, *at, sizeof(draft));

	struct host_attach *attached =
	        read_array(&cursor, 12, sizeof(*attached), &arena, &draft.n_attached);
	for (size_t i = 0; i < draft.n_attached; i++) {
		attached[i] = (struct host_attach){ cursor_u32(&cursor), read_time(&cursor) };
		if (i > 0 && attached[i - 1].element >= attached[i].element)
			cursor.failed = true;
	}
	draft.attached = attached;
	size_t n = 0;
	struct first *read = read_array(&cursor, 12, sizeof(*read), &arena, &n);
	for (size_t i = 0; i < n; i++) {
		read[i] = (struct first){ cursor_u32(&cursor), read_time(&cursor) };
		if (i > 0 && read[i - 1].vuln >= read[i].vuln)
			cursor.failed = true;
	}
	if (cursor_failed(&cursor) || cursor.rest.n > 0)
		return err_set(err, -ERR_FORMAT,
		        "the record of what host %llu has since when is damaged",
		        (unsigned long long)draft.number);

	autofree struct first *firsts = calloc(n > 0 ? n : 1, sizeof(*firsts));
	if (!firsts)
		return err_set(err, -ENOMEM, "no memory for a host");
	if (n > 0)
		memcpy(firsts, read, n * sizeof(*firsts));
	int r = remake(at, &draft, err);
	if (r < 0)
		return r;
	*ret_firsts = TAKE(firsts);
	*ret_n = n;
	return 0;
}
