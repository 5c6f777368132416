/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>

static int64_t read_at(const struct artefact *artefact, void *to, size_t n, uint64_t offset)
{
	struct probe *probe = artefact->ctx;
	if (probe->read_error < 0)
		return probe->read_error;
	uint64_t end = probe->filler ? probe->size_bytes : probe->bytes.n;
	if (offset >= end)
		return 0;
	if (n > end - offset)
		n = (size_t)(end - offset);
	memset(to, probe->filler, n);
	str rest = offset < probe->bytes.n ? str_skip(probe->bytes, (size_t)offset) : STR("");
	if (rest.n > 0)
		memcpy(to, rest.p, rest.n < n ? rest.n : n);
	probe->n_read_bytes += n;
	return (int64_t)n;
}

/* Nothing lies beside the file; RECORD is all that may be asked for. */
static int sibling(const struct artefact *artefact, str name, struct artefact *ret)
{
	(void)artefact, (void)ret;
	if (!str_eq(name, STR("RECORD")))
		fail_msg("a sibling was asked for");
	return -ENOENT;
}

static void close_artefact(struct artefact *artefact)
{
	artefact->ctx = NULL;
}

static const struct artefact_ops ops = {
	.read_at = read_at,
	.sibling = sibling,
	.close = close_artefact,
};

static int on_package(void *ctx, const struct package *pkg)
{
	struct probe *probe = ctx;
	probe->n_packages++;
	buf_printf(&probe->packages, STR_FMT "|" STR_FMT "|%s|" STR_FMT "|" STR_FMT "\n",
	        STR_ARG(pkg->name), STR_ARG(pkg->version),
	        pkg->confidence == CONFIDENCE_HIGH     ? "high"
	        : pkg->confidence == CONFIDENCE_MEDIUM ? "medium"
	                                               : "low",
	        STR_ARG(pkg->licence), STR_ARG(pkg->note));
	return probe->sink_error;
}

static void on_note(void *ctx, uint64_t where, const char *what)
{
	struct probe *probe = ctx;
	probe->n_notes++;
	buf_printf(&probe->notes, "%llu %s\n", (unsigned long long)where, what);
}

static void on_skip(void *ctx, const char *why)
{
	struct probe *probe = ctx;
	probe->n_notes++;
	buf_printf(&probe->notes, "skip %s\n", why);
}

static int on_owned(void *ctx, str owner, str path)
{
	(void)ctx, (void)owner, (void)path;
	fail_msg("a language reader owns no file");
	return -1;
}

void probe_fini(struct probe *probe)
{
	buf_fini(&probe->packages);
	buf_fini(&probe->notes);
}

int probe_read(struct probe *probe, const struct reader *reader)
{
	struct artefact artefact = {
		.path = probe->path,
		.size_bytes = probe->size_bytes ? probe->size_bytes : probe->bytes.n,
		.ops = &ops,
		.ctx = probe,
	};
	struct sink sink = { .package = on_package,
		.note = on_note,
		.skip = on_skip,
		.owned = on_owned,
		.ctx = probe };
	struct arena arena = ARENA(probe->arena_bytes);
	int r = reader->read(&artefact, &arena, &sink, &probe->err);
	arena_fini(&arena);
	return r;
}

static void expect_text(const char *what, str got, const char *expected)
{
	if (!str_eq(got, str_from_c(expected)))
		fail_msg("%s: expected \"%s\", got \"" STR_FMT "\"", what, expected, STR_ARG(got));
}

void probe_expect(const struct probe *probe, const char *packages, const char *notes)
{
	expect_text("packages", buf_str(&probe->packages), packages);
	expect_text("notes", buf_str(&probe->notes), notes);
}
