/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Reports: what the plugin tells the server, as items of PutInventory.
 *
 * Packages are announced by a digest of the content alone; the content follows when the server
 * asks for it.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "collect/collect.h"
#include "plugin/account.h"
#include "plugin/flags.h"
#include "plugin/log.h"

/** The types of the items, and their version. Columns: docs/inventory-types.md */
#define REPORT_TYPE_PACKAGES "Custom:InspectorThirdPartyPackage"
#define REPORT_TYPE_METRICS "Custom:InspectorMetrics"
#define REPORT_VERSION "1.0"

/** More packages than this are too many for a deep inspection: the server is told. */
#define REPORT_PACKAGES_MAX 5000

/** What one item may hold, as the service has it: rows, bytes of content (some are left for the
 * rest of the call), bytes of a value. */
#define REPORT_ROWS_MAX 10000
#define REPORT_CONTENT_BYTES (((size_t)1 << 20) - 4096)
#define REPORT_VALUE_BYTES 4096

/** The packages of a run that are reported. Borrows. */
struct report_packages {
	const struct package **all;
	size_t n;
	uint64_t n_owned; /* left out: the package manager's own, judged by its advisories */
};

/**
 * Choose what is reported: packages of languages that no package of the operating system owns.
 *
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int report_choose(
        const struct inventory *inventory, struct arena *arena, struct report_packages *ret);

/**
 * Write the content of the packages' item.
 *
 * Out:     out     appended: a JSON array of rows
 * Returns: how many packages are in it: fewer than there are when the item would be too large
 */
size_t report_write_packages(const struct report_packages *packages, struct buf *out);

/** What a run was like. */
struct report_run {
	int64_t began_at; /* seconds since 1970 */
	const struct inventory *inventory;
	const struct report_packages *packages; /* NULL: it failed before it had scanned */
	const struct plugin_options *options;
	str error; /* the first failure so far; empty: none */
	str log_tail;
};

/** Write the content of the metrics' item. Out: out  appended: a JSON array of one row */
void report_write_metrics(const struct report_run *run, struct arena *arena, struct buf *out);

/** One item to be posted. Borrows. */
struct report_item {
	const char *type;
	str content;
	bool is_announced; /* by its digest first */
	size_t n_packages; /* for the log, when it is announced */
};

/**
 * Post an item.
 *
 * Returns: 0; -EIO when the server refuses it; as net_call()
 */
int report_post(struct net_session *session, const struct account *account,
        const struct report_item *item, struct plugin_log *log, struct err *err);
