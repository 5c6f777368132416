/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Zips for the tests of every room that reads some. */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A zip being written, to order: every field that a test wants wrong can be. */
struct zip_member {
	const char *name;
	str text;
	bool is_stored;
	bool is_zip64;          /* sizes and place in the extra field only */
	uint32_t add_crc;       /* added to the right checksum */
	uint32_t add_size;      /* added to the right size */
	uint32_t claim_size;    /* claimed instead, when not zero */
	uint16_t flags, method; /* method: in place of the real one, when not zero */
	const char *local_name; /* in the local header, when it should differ */
	bool shares_data;       /* points at the member before it */
	uint32_t unix_mode;     /* as a Unix system wrote it, when not zero */
};
void make_zip(const struct zip_member *members, size_t n, bool is_zip64, struct buf *out);
