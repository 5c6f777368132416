/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/meter.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"

#define NS_PER_MS INT64_C(1000000)
#define STATM_BYTES 256

void samples_add(struct samples *samples, uint64_t pct)
{
	uint64_t i = pct / 10;
	samples->n++;
	samples->buckets[i < SAMPLES_BUCKETS ? i : SAMPLES_BUCKETS - 1]++;
}

/* What rounding down leaves goes to the largest remainders, the lower bucket first. */
void samples_shares(const struct samples *samples, unsigned ret_pct[SAMPLES_BUCKETS])
{
	uint64_t remainders[SAMPLES_BUCKETS] = { 0 };
	unsigned left = samples->n > 0 ? 100 : 0;
	for (size_t i = 0; i < SAMPLES_BUCKETS; i++) {
		uint64_t share = (uint64_t)samples->buckets[i] * 100;
		ret_pct[i] = samples->n > 0 ? (unsigned)(share / samples->n) : 0;
		remainders[i] = samples->n > 0 ? share % samples->n : 0;
		left -= ret_pct[i];
	}
	for (; left > 0; left--) {
		size_t most = 0;
		for (size_t i = 1; i < SAMPLES_BUCKETS; i++) {
			if (remainders[i] > remainders[most])
				most = i;
		}
		ret_pct[most]++;
		remainders[most] = 0;
	}
}

static int64_t read_clock(clockid_t id)
{
	struct timespec t = { 0 };
	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000 * NS_PER_MS + t.tv_nsec;
}

static int64_t cpu_used(const pid_t *pids, size_t n)
{
	int64_t sum = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < n; i++) {
		clockid_t clock;
		if (clock_getcpuclockid(pids[i], &clock) == 0)
			sum += read_clock(clock);
	}
	return sum;
}

/* Resident pages; of a child those that it does not share with us. 0 where /proc does not tell. */
static uint64_t resident_pages(pid_t pid, bool is_child)
{
	char path[64];
	autobuf text = BUF(STATM_BYTES);
	str rest, word;
	uint64_t resident, shared;
	if (is_child)
		(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	else
		(void)snprintf(path, sizeof(path), "/proc/self/statm");
	if (fs_read(AT_FDCWD, path, &text, NULL) < 0)
		return 0;
	rest = buf_str(&text);
	if (!str_split_first(rest, ' ', &word, &rest) ||
	        !str_split_first(rest, ' ', &word, &rest) ||
	        !str_to_u64(word, UINT64_MAX, &resident) ||
	        !str_split_first(rest, ' ', &word, &rest) || !str_to_u64(word, UINT64_MAX, &shared))
		return 0;
	return !is_child ? resident : resident > shared ? resident - shared : 0;
}

static uint64_t memory_used(const pid_t *pids, size_t n)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t sum = resident_pages(0, false) * page;
	struct rusage usage;
	/* Without /proc, what it was at most is the best that is known. */
	if (sum == 0 && getrusage(RUSAGE_SELF, &usage) == 0)
		sum = (uint64_t)usage.ru_maxrss * 1024;
	for (size_t i = 0; i < n; i++)
		sum += resident_pages(pids[i], true) * page;
	return sum;
}

void meter_init(struct meter *meter)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	*meter = (struct meter){ .taken_ns = read_clock(CLOCK_MONOTONIC),
		.used_ns = cpu_used(NULL, 0) };
	meter->machine_bytes = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

bool meter_take(struct meter *meter, const pid_t *pids, size_t n, bool final)
{
	int64_t now = read_clock(CLOCK_MONOTONIC), elapsed = now - meter->taken_ns;
	if (elapsed < METER_PERIOD_MS * NS_PER_MS && !final)
		return false;
	int64_t used = cpu_used(pids, n);
	/* A child that ended takes its time with it. */
	int64_t delta = used > meter->used_ns ? used - meter->used_ns : 0;
	samples_add(&meter->cpu, elapsed > 0 ? (uint64_t)(delta * 100 / elapsed) : 0);
	meter->memory_bytes = memory_used(pids, n);
	if (meter->memory_bytes > meter->max_memory_bytes)
		meter->max_memory_bytes = meter->memory_bytes;
	samples_add(&meter->memory,
	        meter->machine_bytes > 0 ? meter->memory_bytes * 100 / meter->machine_bytes : 0);
	meter->taken_ns = now;
	meter->used_ns = used;
	return true;
}
