/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One program per row of ecosystems.def: meson compiles this file with -DREADER=<id>. The input is
 * offered under a path for every pattern of the row. What follows a line "%%%%" is what siblings
 * hold; without one they hold the same bytes.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "inventory/inventory.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

extern const struct reader JOIN(reader_, READER);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What one input may yield at most: a reader that makes more of fewer bytes is not bounded. */
#define CALLS_MAX 2000000u

struct run {
	const struct reader *reader;
	str main, beside;
	unsigned calls, n_open;
};

struct bytes {
	struct run *run;
	str bytes;
};

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "%s\n", what);
	abort();
}

static int64_t bytes_read_at(const struct artefact *artefact, void *to, size_t n, uint64_t offset)
{
	const struct bytes *bytes = artefact->ctx;
	if (offset >= bytes->bytes.n)
		return 0;
	str part = str_head(str_skip(bytes->bytes, (size_t)offset), n);
	if (part.p)
		memcpy(to, part.p, part.n);
	return (int64_t)part.n;
}

static void bytes_close(struct artefact *artefact)
{
	struct bytes *bytes = artefact->ctx;
	if (!bytes)
		return;
	bytes->run->n_open--;
	free(bytes);
	artefact->ctx = NULL;
}

static int bytes_sibling(const struct artefact *artefact, str name, struct artefact *ret)
{
	const struct bytes *of = artefact->ctx;
	struct bytes *bytes;
	if (!reader_may_see(of->run->reader, name))
		return -EPERM;
	bytes = calloc(1, sizeof(*bytes));
	if (!bytes)
		return -ENOMEM;
	*bytes = (struct bytes){ of->run, of->run->beside };
	of->run->n_open++;
	*ret = *artefact;
	ret->size_bytes = bytes->bytes.n;
	ret->ctx = bytes;
	return 0;
}

static int on_package(void *ctx, const struct package *pkg)
{
	struct run *run = ctx;
	require(pkg->name.n > 0, "a package without a name");
	require(pkg->version.n > 0, "a package without a version");
	require(pkg->type.n > 0, "a package without a type");
	require(++run->calls < CALLS_MAX, "too many packages");
	return 0;
}

static void on_note(void *ctx, uint64_t where, const char *what)
{
	struct run *run = ctx;
	(void)where;
	require(what[0] != '\0', "a note that says nothing");
	require(++run->calls < CALLS_MAX, "too many notes");
}

static void on_skip(void *ctx, const char *why)
{
	on_note(ctx, 0, why);
}

static int on_owned(void *ctx, str owner, str path)
{
	struct run *run = ctx;
	require(owner.n > 0, "a file owned by nobody");
	require(path.n > 0 && path.p[0] == '/', "an owned path that is not absolute");
	require(inventory_is_metadata(path), "an owned path that no reader wants");
	require(++run->calls < CALLS_MAX, "too many owned files");
	return 0;
}

static void read_as(struct run *run, str path)
{
	static const struct artefact_ops ops = { bytes_read_at, bytes_sibling, bytes_close };
	struct bytes bytes = { run, run->main };
	struct arena arena = ARENA((size_t)64 << 20);
	struct err err = { 0 };
	struct sink sink = { on_package, on_note, on_skip, on_owned, run };
	struct artefact artefact = { .path = path,
		.size_bytes = run->main.n,
		.dev = 1,
		.ino = 1,
		.ops = &ops,
		.ctx = &bytes };

	run->calls = run->n_open = 0;
	int r = run->reader->read(&artefact, &arena, &sink, &err);
	require(r <= 0, "a result that the contract does not know");
	require(r == 0 || err.text[0] != '\0', "a failure without a sentence");
	require(run->n_open == 0, "a sibling left open");
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mark[] = "\n%%%%\n";
	struct run run = { .reader = &JOIN(reader_, READER) };
	run.main = run.beside = (str){ (const char *)data, size };
	const char *at = size ? memmem(data, size, mark, sizeof(mark) - 1) : NULL;
	if (at) {
		run.main.n = (size_t)(at - run.main.p) + 1;
		run.beside = str_skip(run.beside, run.main.n + sizeof(mark) - 2);
	}

	for (const struct pattern *p = run.reader->patterns; !pattern_is_end(p); p++) {
		str dir = p->dir.p ? p->dir : STR("/srv/node_modules/fuzz-1.0");
		str name = p->name.p ? p->name : STR("fuzz");
		char path[512];
		int n = snprintf(path, sizeof(path), STR_FMT STR_FMT "/" STR_FMT STR_FMT,
		        STR_ARG(dir), STR_ARG(p->parent_tail), STR_ARG(name),
		        STR_ARG(p->name.p ? STR("") : p->name_tail));
		require(n > 0 && (size_t)n < sizeof(path), "a pattern too long");
		str whole = { path, (size_t)n };
		require(inventory_select(str_dirname(whole), str_basename(whole)) >= 0,
		        "a pattern that does not match its own path");
		read_as(&run, whole);
	}
	return 0;
}
