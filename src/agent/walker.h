/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * walker: makes an inventory in a process of its own, which may read files, but neither change one
 * nor reach anybody. What it found comes back as bytes in memory, for others to send.
 */

#include "agent/service.h"
#include "base/hash.h"

/** What to look at. Borrows. */
struct walker_options {
	const char *root;
	const char *const *more_paths; /* beside the deep-inspection roots */
	size_t n_more_paths;
	uint64_t timeout_s; /* 0: none */
	unsigned cpu_pct;   /* of one processor; 0: no limit */
	bool has_languages; /* keep language packages */
};

/** What was found, in descriptors to read from. Release with walker_result_fini(). */
struct walker_result {
	int packed; /* the report as JSON, one zstd frame */
	int rows; /* the rows of AWS:Application: a JSON array, or empty when there are too many */
	uint64_t packed_bytes, bytes, rows_bytes;
	uint64_t n_packages, n_failures;
	char sha256[SHA256_HEX_SIZE]; /* of the JSON */
};

/** Largest report, in bytes: what the service takes. */
#define WALKER_BYTES_MAX (UINT64_C(512) << 20)
#define WALKER_PACKED_MAX (UINT64_C(64) << 20)
/** Rows and bytes of AWS:Application, below what the service takes. */
#define WALKER_ROWS_MAX 10000u
#define WALKER_ROWS_BYTES ((size_t)1000 << 10)

/**
 * Make an inventory.
 *
 * In:      service       its keys are overwritten in the walker; may be NULL
 *          is_cancelled  asked now and then; true ends the walker
 * Returns: 0; -ECANCELED; -EIO when the walker died; -errno and what it said itself
 */
int walker_run(const struct walker_options *options, struct service *service,
        bool (*is_cancelled)(void *ctx), void *ctx, struct walker_result *ret, struct err *err);

/** Close. */
void walker_result_fini(struct walker_result *result);
