/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * rpm_make: headers and databases made by hand, for tests of what reads them.
 */

#include "base/buf.h"
#include "base/str.h"

/** A header being made. Initialise with RPM_MAKE; release with rpm_make_fini(). */
struct rpm_make {
	struct buf index, store;
	uint32_t n_entries;
};

#define RPM_MAKE ((struct rpm_make){ .index = BUF(1 << 20), .store = BUF((size_t)80 << 20) })

/** Release. */
void rpm_make_fini(struct rpm_make *make);

/** Add an entry with any value: `type` and `count` are written as they are. */
void rpm_make_entry(struct rpm_make *make, uint32_t tag, uint32_t type, uint32_t count, str value);

/** Add a string. */
void rpm_make_string(struct rpm_make *make, uint32_t tag, const char *text);

/** Add an array of strings, ended by NULL. */
void rpm_make_strings(struct rpm_make *make, uint32_t tag, const char *const *texts);

/** Add numbers. */
void rpm_make_numbers(struct rpm_make *make, uint32_t tag, const uint32_t *numbers, uint32_t count);

/** The header's bytes; appended. */
void rpm_make_finish(const struct rpm_make *make, struct buf *out);

/**
 * A header with a name, a version, the release "1.el9", an architecture and two files, appended.
 */
void rpm_make_simple(const char *name, const char *version, struct buf *out);
