/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A zip, as any bytes. Property: what is unpacked has the length and the checksum that the
 * directory claims, whatever else is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "zip/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_entries(struct zip *zip)
{
	size_t n;
	const struct zip_entry *entries = zip_entries(zip, &n);
	autobuf out = BUF((size_t)1 << 20);
	for (size_t i = 0; i < n && i < 64; i++) {
		struct err err = { 0 };
		int r = zip_read(zip, &entries[i], &out, &err);
		if (r < 0 ? err.text[0] == '\0'
		          : out.n != entries[i].size ||
		                        hash_crc32(0, buf_str(&out)) != entries[i].crc)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zip *zip = NULL;
	struct err err = { 0 };
	autoclose int fd = memfd_create("zip", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	if (zip_open(fd, &zip, &err) < 0) {
		if (err.text[0] == '\0')
			abort();
		return 0;
	}
	read_entries(zip);
	zip_close(zip);
	return 0;
}
