/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Meter: samples of what a run costs while it goes on, as histograms of ten buckets.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Buckets of ten percentage points each; the last one holds 90 to 100 and what is above. */
#define SAMPLES_BUCKETS 10

/** A histogram. Zero-initialise. */
struct samples {
	uint32_t n, buckets[SAMPLES_BUCKETS];
};

/** Add a sample. In: pct  percent; above 100 counts as 100 */
void samples_add(struct samples *samples, uint64_t pct);

/**
 * The percentage of samples in each bucket, rounded so that the sum is 100; all 0 without samples.
 */
void samples_shares(const struct samples *samples, unsigned ret_pct[SAMPLES_BUCKETS]);

/** How often samples are taken, in milliseconds. */
#define METER_PERIOD_MS 150

/** What is measured: this process and its children. Initialise with meter_init(). */
struct meter {
	struct samples cpu;    /* percent of one processor, all threads and processes together */
	struct samples memory; /* percent of the machine's memory */
	uint64_t memory_bytes; /* at the last sample */
	uint64_t max_memory_bytes; /* the most of any sample */
	int64_t taken_ns, used_ns; /* when, and CPU time until then */
	uint64_t machine_bytes;
};

/** Begin to measure. */
void meter_init(struct meter *meter);

/**
 * Take a sample, if it is time for one.
 *
 * In:      pids   the children that run
 *          final  whether it is time or not
 * Returns: true when one was taken
 */
bool meter_take(struct meter *meter, const pid_t *pids, size_t n, bool final);
