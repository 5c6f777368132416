/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSV: a zip with one JSON text per record, or loose JSON files.
 *
 * Entries are taken in the order of their names without ".json", which is the order of the ids in
 * all published archives: so the feed file comes out sorted, and of two records with one id the
 * same one always stays. Every entry that is not a folder is a record, and is counted.
 */
#include "vulndb/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "vulndb/encode.h"
#include "vulndb/origin.h"
#include "vulndb/osv.h"
#include "zip/zip.h"

#define LOOKS_MAX 16u /* entries of a zip that are looked into, to see what it is */
#define REST_BYTES ((size_t)512 << 10) /* an arena that holds more is released between records */
#define COMPRESSION_LEVEL 3

/* What one import uses over and over. */
struct work {
	struct job *job;
	struct feed_writer *writer;
	struct arena arena;
	struct buf text, head, cold, body, payload;
	ZSTD_CCtx *zstd;
	bool *origins;      /* rows of origin_all() that were seen */
	bool other_origins; /* and ids of none of them */
};

/* One thing to read: an entry of a zip, or a file. */
struct item {
	str name, stem; /* the stem is the name without ".json" */
	size_t index;
};

static void work_fini(struct work *work)
{
	feed_writer_free(work->writer);
	arena_fini(&work->arena);
	buf_fini(&work->text);
	buf_fini(&work->head);
	buf_fini(&work->cold);
	buf_fini(&work->body);
	buf_fini(&work->payload);
	ZSTD_freeCCtx(work->zstd);
	free(work->origins);
}

static int work_init(struct work *work, struct job *job, struct err *err)
{
	size_t n_origins;
	(void)origin_all(&n_origins);
	*work = (struct work){ .job = job,
		.arena = ARENA(RECORD_MAX_MEMORY),
		.text = BUF(RECORD_MAX_BYTES),
		.head = BUF(FRAME_MAX_BYTES),
		.cold = BUF(FRAME_MAX_BYTES),
		.body = BUF(FRAME_MAX_BYTES),
		.payload = BUF(FRAME_MAX_BYTES),
		.zstd = ZSTD_createCCtx(),
		.origins = calloc(n_origins, sizeof(bool)) };
	if (!work->zstd || !work->origins)
		return err_set(err, -ENOMEM, "%s: out of memory", job->found->name);
	return feed_writer_new(job->dir_fd, job->found->name, &work->writer, err);
}

static void note_origin(struct work *work, str id)
{
	size_t n;
	const struct origin *all = origin_all(&n);
	const struct origin *origin = origin_of_id(id);
	if (origin)
		work->origins[origin - all] = true;
	else
		work->other_origins = true;
}

/* "AlmaLinux: MIT; GitHub: CC-BY-4.0": every database that records came from. */
static void describe_licence(const struct work *work, struct buf *out)
{
	size_t n;
	const struct origin *all = origin_all(&n);
	for (size_t i = 0; i < n; i++) {
		bool is_repeated = false;
		for (size_t j = 0; j < i; j++)
			is_repeated |=
			        work->origins[j] && strcmp(all[j].publisher, all[i].publisher) == 0;
		if (work->origins[i] && !is_repeated)
			buf_printf(out, "%s%s: %s", out->n ? "; " : "", all[i].publisher,
			        all[i].licence);
	}
	if (work->other_origins)
		buf_printf(out, "%sothers: as their publishers state", out->n ? "; " : "");
}

/* The payload of a record, as vulndb/format.h lays it out. False when it is too large. */
static bool encode(struct work *work, const struct osv *osv)
{
	buf_clear(&work->head);
	buf_clear(&work->cold);
	buf_clear(&work->payload);
	encode_head(&work->head, &osv->advisory);
	encode_cold(&work->cold, &osv->advisory, osv->affected, osv->n_affected);
	if (buf_failed(&work->head) || buf_failed(&work->cold))
		return false;
	encode_text(&work->payload, osv->advisory.id);
	encode_text(&work->payload, buf_str(&work->head));
	encode_number(&work->payload, work->cold.n);

	buf_clear(&work->body);
	size_t bound = ZSTD_compressBound(work->cold.n);
	char *to = buf_reserve(&work->body, bound);
	size_t packed = to ? ZSTD_compressCCtx(work->zstd, to, bound, work->cold.p, work->cold.n,
	                             COMPRESSION_LEVEL)
	                   : 0;
	if (!to || ZSTD_isError(packed))
		return false;
	encode_text(&work->payload, (str){ to, packed });

	encode_number(&work->payload, osv->n_affected);
	for (size_t i = 0; i < osv->n_affected; i++) {
		encode_text(&work->payload, osv->affected[i].ecosystem);
		encode_text(&work->payload, osv->affected[i].package);
		buf_clear(&work->body);
		encode_body(&work->body, &osv->affected[i]);
		encode_text(&work->payload, buf_str(&work->body));
		if (buf_failed(&work->body))
			return false;
	}
	return !buf_failed(&work->payload);
}

static void tell_oddities(struct work *work, str name, const struct osv *osv)
{
	autobuf text = BUF(1024);
	osv_describe(osv, &text);
	if (text.n > 0)
		job_tell(work->job, name, buf_str(&text));
}

/* One record whose text is in work->text. */
static int take_record(struct work *work, str name, struct err *err)
{
	struct job *job = work->job;
	struct osv osv;
	if (work->arena.used_bytes > REST_BYTES)
		arena_fini(&work->arena);
	enum reason reason = osv_read(buf_str(&work->text), &work->arena, &osv);
	if (reason == REASON_USED && !encode(work, &osv))
		reason = REASON_TOO_LARGE;
	if (reason != REASON_NOT_JSON)
		job_date(job, osv.advisory.modified); /* it dates the data, used or not */
	if (reason != REASON_USED) {
		job_left_out(job, name, reason);
		return 0;
	}
	job->result.by_reason[REASON_USED]++;
	note_origin(work, osv.advisory.id);
	tell_oddities(work, name, &osv);
	return feed_writer_add(work->writer, osv.advisory.id, name, buf_str(&work->payload), err);
}

/* A record that could not be read from its zip or file. */
static void leave_unread(struct work *work, str name, int r, const struct err *why)
{
	enum reason reason = r == -ERR_LIMIT ? REASON_TOO_LARGE : REASON_UNREADABLE;
	autobuf text = BUF(512);
	buf_printf(&text, "%s: %s", reason_name(reason), why->text);
	work->job->result.by_reason[reason]++;
	job_tell(work->job, name, buf_str(&text));
}

static int by_stem(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int c = str_cmp(x->stem, y->stem);
	return c ? c : (x->index > y->index) - (x->index < y->index);
}

static struct item item_of(str name, size_t index)
{
	struct item item = { .name = name, .stem = name, .index = index };
	if (str_has_suffix(name, STR(".json")))
		item.stem.n -= 5;
	return item;
}

/* The entries of a zip that are no folders, sorted. */
static struct item *sort_entries(const struct zip *zip, size_t *ret_count)
{
	size_t n, count = 0;
	const struct zip_entry *entries = zip_entries(zip, &n);
	struct item *items = calloc(n + 1, sizeof(*items));
	for (size_t i = 0; items && i < n; i++) {
		if (!zip_entry_is_folder(&entries[i]))
			items[count++] = item_of(entries[i].name, i);
	}
	if (items && count > 0)
		qsort(items, count, sizeof(*items), by_stem);
	*ret_count = count;
	return items;
}

static int read_zip(struct work *work, struct zip *zip, struct err *err)
{
	size_t n, n_entries;
	const struct zip_entry *entries = zip_entries(zip, &n_entries);
	autofree struct item *items = sort_entries(zip, &n);
	int r = items ? 0 : err_set(err, -ENOMEM, "%s: out of memory", work->job->found->name);
	for (size_t i = 0; items && r == 0 && i < n; i++) {
		const struct zip_entry *entry = &entries[items[i].index];
		struct err why = { 0 };
		work->job->result.n_records++;
		int read = zip_read(zip, entry, &work->text, &why);
		if (read == -ENOMEM) {
			r = err_set(err, read, "%s", why.text);
		} else if (read < 0) {
			leave_unread(work, entry->name, read, &why);
		} else {
			work->job->result.n_bytes += work->text.n;
			r = take_record(work, entry->name, err);
		}
		job_advance(work->job, entry->packed);
	}
	return r;
}

static int import_zip(struct work *work, struct err *err)
{
	const char *path = work->job->found->paths[0];
	struct zip *zip = NULL;
	struct err why = { 0 };
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot open: %s", path, strerror(errno));
	int r = zip_open(fd, &zip, &why);
	if (r < 0)
		return err_set(err, r, "%.100s: %.140s", path, why.text);
	r = read_zip(work, zip, err);
	zip_close(zip);
	return r;
}

static int import_loose(struct work *work, struct err *err)
{
	const struct found *found = work->job->found;
	autofree struct item *items = calloc(found->n_paths + 1, sizeof(*items));
	int r = items ? 0 : err_set(err, -ENOMEM, "%s: out of memory", found->name);
	for (size_t i = 0; items && i < found->n_paths; i++)
		items[i] = item_of(str_basename(str_from_c(found->paths[i])), i);
	if (items && found->n_paths > 0)
		qsort(items, found->n_paths, sizeof(*items), by_stem);
	for (size_t i = 0; items && r == 0 && i < found->n_paths; i++) {
		struct err why = { 0 };
		work->job->result.n_records++;
		buf_clear(&work->text);
		int read = feed_read_file(found->paths[items[i].index], &work->text, &why);
		if (read == -ENOMEM) {
			r = err_set(err, read, "%s", why.text);
		} else if (read < 0) {
			leave_unread(work, items[i].name, read, &why);
		} else {
			work->job->result.n_bytes += work->text.n;
			job_advance(work->job, work->text.n);
			r = take_record(work, items[i].name, err);
		}
	}
	return r;
}

static int import(struct job *job, struct err *err)
{
	struct work work;
	autobuf licence = BUF(LICENCE_MAX_BYTES);
	int r = work_init(&work, job, err);
	if (r == 0)
		r = job->found->is_loose ? import_loose(&work, err) : import_zip(&work, err);
	if (r == 0) {
		describe_licence(&work, &licence);
		r = job_commit(job, work.writer, buf_str(&licence), err);
	}
	work_fini(&work);
	return r;
}

/* Does one of the first JSON entries of a zip look like a record? */
static bool zip_holds_records(struct zip *zip)
{
	size_t n;
	unsigned looked = 0;
	const struct zip_entry *entries = zip_entries(zip, &n);
	autobuf text = BUF(RECORD_MAX_BYTES);
	for (size_t i = 0; i < n && looked < LOOKS_MAX; i++) {
		if (!str_has_suffix(entries[i].name, STR(".json")))
			continue;
		looked++;
		if (zip_read(zip, &entries[i], &text, NULL) == 0 && osv_looks_like(buf_str(&text)))
			return true;
	}
	return false;
}

/*
 * "all.zip" is how OSV calls its archives, so it is one, whatever it holds. Another zip is one if
 * it holds records; one that cannot even be opened is taken, so that its import says why.
 */
static bool claims(const struct feed_sight *sight)
{
	bool is_zip = str_has_prefix(sight->head, STR("PK\3\4")) ||
	              str_has_prefix(sight->head, STR("PK\5\6"));
	if (str_eq(sight->name, STR("all.zip")))
		return true;
	if (!is_zip && !str_has_suffix(sight->name, STR(".zip")))
		return false;
	struct zip *zip = NULL;
	autoclose int fd =
	        open(sight->path.p, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || zip_open(fd, &zip, NULL) < 0)
		return true;
	bool good = zip_holds_records(zip);
	zip_close(zip);
	return good;
}

const struct feed feed_osv = {
	.name = "osv",
	.claims = claims,
	.import = import,
};
