/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * lines: reads an artefact line by line through a window, so that a text of any size costs the
 * window.
 */

#include "inventory/inventory.h"

/** A text being read. Initialise with lines_init(); goes with its arena. */
struct lines {
	const struct artefact *artefact; /* borrowed */
	char *window;
	size_t window_bytes, begin, end; /* bytes [begin, end) of the window are unread */
	uint64_t offset, limit_bytes;    /* of the file: what was read, and where reading stops */
	uint64_t number;                 /* of the line returned last, from 1 */
	bool is_cut; /* that line does not fit the window: only its head was returned */
	int failure; /* < 0: why lines_next() ended early */
};

/**
 * Make a window.
 *
 * In:      arena         holds the window
 *          window_bytes  shorter lines are returned whole
 * Returns: 0; -ERR_LIMIT when the arena is full
 */
int lines_init(struct lines *lines, struct arena *arena, size_t window_bytes);

/**
 * Begin a file, forgetting the one before it.
 *
 * In:      artefact     read until lines_begin() is called again
 *          limit_bytes  what lies beyond is not read: the failure becomes -ERR_LIMIT
 */
void lines_begin(struct lines *lines, const struct artefact *artefact, uint64_t limit_bytes);

/**
 * The next line, without its LF.
 *
 * Out:     ret  borrows from the window until the next call
 * Returns: false at the end of the file, or when reading failed: see `failure`
 */
bool lines_next(struct lines *lines, str *ret);
