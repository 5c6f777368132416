/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>

#include "aws/timestamp.h"
#include "base/json.h"
#include "base/map.h"
#include "plugin/report.h"

/* How often one reason stands in the ledger. */
struct reason {
	str text;
	enum skip_kind kind;
	uint64_t count;
};

struct reasons {
	struct reason *all;
	size_t n;
};

static int order_reasons(const void *a, const void *b)
{
	const struct reason *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind > y->kind ? -1 : 1;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return str_cmp(x->text, y->text);
}

/* Join the entries of equal reasons, whatever their paths. */
static void gather(const struct ledger *ledger, struct arena *arena, struct reasons *ret)
{
	struct map map = MAP(arena);
	ret->all = arena_alloc(arena, ledger->n + 1, sizeof(*ret->all));
	for (size_t i = 0; i < ledger->n && ret->all; i++) {
		const struct skip *skip = &ledger->entries[i];
		void **at = map_at(&map, skip->reason);
		if (!at)
			break;
		struct reason *reason = *at;
		if (!reason) {
			reason = *at = &ret->all[ret->n++];
			*reason = (struct reason){ .text = skip->reason, .kind = skip->kind };
		}
		reason->count += skip->count;
		if (skip->kind > reason->kind)
			reason->kind = skip->kind;
	}
	if (ret->n > 0)
		qsort(ret->all, ret->n, sizeof(*ret->all), order_reasons);
}

static const char *kind_word(enum skip_kind kind)
{
	switch (kind) {
	case SKIP_POLICY: return "left out";
	case SKIP_DAMAGE: return "damaged";
	case SKIP_FAILURE: return "failed";
	}
	return "";
}

/* "failed 1: the time limit was reached", the gravest first, whole lines as far as there is room.
 */
static void summarise(const struct ledger *ledger, struct arena *arena, struct buf *out)
{
	struct reasons reasons = { .n = 0 };
	gather(ledger, arena, &reasons);
	for (size_t i = 0; i < reasons.n; i++) {
		const struct reason *reason = &reasons.all[i];
		size_t before = out->n;
		buf_printf(out, "%s%s %" PRIu64 ": " STR_FMT, i > 0 ? "\n" : "",
		        kind_word(reason->kind), reason->count,
		        STR_ARG(str_head(reason->text, 512)));
		if (buf_failed(out)) {
			out->n = before;
			break;
		}
	}
}

static void add_shares(struct buf *out, const struct samples *samples)
{
	unsigned pct[SAMPLES_BUCKETS];
	samples_shares(samples, pct);
	for (size_t i = 0; i < SAMPLES_BUCKETS; i++)
		buf_printf(out, "%s%u", i > 0 ? " " : "", pct[i]);
}

static void write_number(struct json_writer *w, const char *key, uint64_t n)
{
	char text[32];
	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	json_write_member_str(w, key, str_from_c(text));
}

static void write_bool(struct json_writer *w, const char *key, bool is_true)
{
	json_write_member_str(w, key, is_true ? STR("true") : STR("false"));
}

static void write_histogram(struct json_writer *w, const char *key, const struct samples *samples)
{
	autobuf text = BUF(256);
	add_shares(&text, samples);
	json_write_member_str(w, key, buf_str(&text));
}

/* What the scan was like. A run that never came to it is silent about it: the server keeps what the
 * last one said. */
static void write_scan(const struct report_run *run, struct arena *arena, struct json_writer *w)
{
	const struct inventory *inv = run->inventory;
	autobuf ledger = BUF(REPORT_VALUE_BYTES);
	uint64_t directories = 0, files = 0;
	for (size_t i = 0; i < inv->n_roots; i++) {
		directories += inv->roots[i].n_directories;
		files += inv->roots[i].n_files;
	}
	summarise(&inv->ledger, arena, &ledger);
	write_number(w, "ElapsedMs", inv->elapsed_ms);
	write_number(w, "Directories", directories);
	write_number(w, "Files", files);
	write_number(w, "Packages", run->packages->n);
	write_number(w, "OwnedPackages", run->packages->n_owned);
	write_bool(w, "TimeLimitReached", inv->end == COLLECT_TIME);
	write_bool(w, "PackageLimitReached", run->packages->n > REPORT_PACKAGES_MAX);
	write_bool(w, "MemoryLimitReached", inv->end == COLLECT_MEMORY);
	write_number(w, "CpuSamples", inv->meter.cpu.n);
	write_histogram(w, "CpuHistogram", &inv->meter.cpu);
	write_number(w, "MemorySamples", inv->meter.memory.n);
	write_histogram(w, "MemoryHistogram", &inv->meter.memory);
	write_number(w, "MemoryMaxBytes", inv->meter.max_memory_bytes);
	json_write_member_str(w, "Ledger", ledger.n > 0 ? buf_str(&ledger) : STR(""));
}

void report_write_metrics(const struct report_run *run, struct arena *arena, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	autobuf began = BUF(64);
	timestamp_add_iso(&began, run->began_at * 1000);
	json_write_array(&w);
	json_write_object(&w);
	json_write_member_str(&w, "RunAt", buf_str(&began));
	write_number(&w, "TimeLimitSeconds", run->options->timeout_s);
	write_number(&w, "CpuLimitPercent", run->options->cpu_limit_pct);
	if (run->packages)
		write_scan(run, arena, &w);
	json_write_member_str(&w, "Error", str_head(run->error, REPORT_VALUE_BYTES));
	json_write_member_str(&w, "LogTail", run->log_tail.n > 0 ? run->log_tail : STR(""));
	json_write_object_end(&w);
	json_write_array_end(&w);
}
