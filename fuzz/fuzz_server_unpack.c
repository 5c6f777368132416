/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An upload, as any bytes behind two that announce its size. Property: what is unpacked has exactly
 * the announced size, and nothing is added otherwise; a failure has a sentence.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "server/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autobuf out = BUF((size_t)1 << 20);
	struct err err = { 0 };
	if (size < 3)
		return 0;
	uint64_t bytes = (uint64_t)data[0] << 8 | data[1];
	autoclose int fd = memfd_create("upload", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 2, size - 2) != (ssize_t)(size - 2))
		return 0;
	int r = upload_unpack(fd, size - 2, bytes, &out, &err);
	if (r < 0 ? err.text[0] == '\0' || out.n > 0 : out.n != bytes)
		abort();
	return 0;
}
