/* SPDX-License-Identifier: Apache-2.0 */
/* A record of a host that is read is written again as it was. */
#include <stdlib.h>

#include "fleet/host_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str record = { (const char *)data, size };
	struct fleet_host *host;
	if (host_read(7, 1, record, &host, NULL) < 0)
		return 0;
	autobuf again = BUF((size_t)64 << 20);
	host_write(host, &again);
	if (!str_eq(record, buf_str(&again)))
		abort();

	/* The same bytes as the two other records of a host. */
	struct first *firsts = NULL;
	size_t n = 0;
	(void)host_read_seen(&host, record, NULL);
	if (since_read(&host, record, &firsts, &n, NULL) == 0)
		free(firsts);
	host_free(host);
	return 0;
}
