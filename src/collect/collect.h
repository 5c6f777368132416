/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Collect: one inventory of one host. Joins the walk, the readers in their sandboxed processes, and
 * ownership.
 */

#include "base/arena.h"
#include "base/err.h"
#include "collect/meter.h"
#include "collect/pace.h"
#include "model/host.h"
#include "model/ledger.h"
#include "model/package.h"

/** What to look at. Zero is the default of every field but `root`. */
struct collect_options {
	const char *root;         /* folder taken as "/" */
	const char *const *paths; /* absolute inside the root; none: the deep-inspection roots */
	size_t n_paths;
	const char *const *more_paths; /* --path: added to either */
	size_t n_more_paths;
	const char *const *excludes;
	size_t n_excludes;
	bool one_file_system;
	unsigned n_threads;    /* 0: one per CPU */
	unsigned n_parsers;    /* 0: one per CPU, at most 4 */
	uint64_t timeout_ms;   /* stop looking after so long, with a ledger entry; 0: never */
	uint64_t max_packages; /* stop looking after so many, with a ledger entry; 0: no limit */
	/* Stop looking when the process and its parsers have so much, with a ledger entry; 0: no
	 * limit. The parts have limits below it, which cost what they are for: a file that needs
	 * more than a parser may have, packages past the memory for packages. */
	uint64_t max_memory_bytes;
	struct pace *pace; /* the limit on processor time that the caller began; NULL: none */

	/** Called now and then for a progress line; may be NULL. */
	void (*progress)(void *ctx, uint64_t directories, uint64_t files, uint64_t packages);
	void *progress_ctx;
};

/** What ended a run before everything was looked at. */
enum collect_end {
	COLLECT_WHOLE,
	COLLECT_TIME,
	COLLECT_PACKAGES,
	COLLECT_MEMORY,
};

/** One place that was looked at. */
struct collect_root {
	str path; /* as it was given */
	/* What was read below it; what an earlier root covers is not counted again. */
	uint64_t n_directories, n_files;
};

/** Room for the readers of ecosystems.def. */
#define COLLECT_READERS_MAX 64

/** One host's packages. Initialise with zero; release with inventory_fini(). */
struct inventory {
	struct arena arena;        /* holds what follows, but the ledger */
	struct arena ledger_arena; /* full packages must not cost the words about it */
	struct host host;
	struct package *packages; /* sorted by package_order() */
	size_t n_packages;
	struct ledger ledger; /* sorted */
	uint64_t n_directories, n_files, n_candidates;
	uint64_t elapsed_ms;
	enum collect_end end;
	struct collect_root *roots; /* in their order, without the places of package databases */
	size_t n_roots;
	/* Files that OS packages list and a language reader wants, by its index in reader_all(). */
	uint64_t n_owned[COLLECT_READERS_MAX];
	struct meter meter;
};

/**
 * Make an inventory.
 *
 * Out:     ret  caller releases, also after a failure
 * Returns: 0, also when the ledger has failures; -errno when the root cannot be opened or no
 *          process be made
 * Cost:    the whole scan; blocks
 */
int collect_run(const struct collect_options *options, struct inventory *ret, struct err *err);

/** Release. A zeroed inventory is a no-op. */
void inventory_fini(struct inventory *inventory);
