/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Collect: one inventory of one host. Joins the walk, the readers in their sandboxed processes, and
 * ownership.
 */

#include "base/arena.h"
#include "base/err.h"
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

	/** Called now and then for a progress line; may be NULL. */
	void (*progress)(void *ctx, uint64_t directories, uint64_t files, uint64_t packages);
	void *progress_ctx;
};

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
};

/**
 * Make an inventory.
 *
 * Out:     ret  caller releases, also after a failure
 * Returns: 0, also when the ledger has failures; -errno when the root cannot be opened or no
 * process be made Cost:    the whole scan; blocks
 */
int collect_run(const struct collect_options *options, struct inventory *ret, struct err *err);

/** Release. A zeroed inventory is a no-op. */
void inventory_fini(struct inventory *inventory);
