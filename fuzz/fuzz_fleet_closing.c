/* SPDX-License-Identifier: Apache-2.0 */
/* A record of closed findings: what is read lies within it, and every finding names its packages.
 */
#include <stdlib.h>

#include "fleet/closing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct closing_group *group;
	size_t sum = 0;
	if (closing_read(1, 2, 3, (str){ (const char *)data, size }, &group, NULL) < 0)
		return 0;
	for (size_t i = 0; i < group->n; i++) {
		const struct closed_finding *finding = &group->entries[i].finding;
		if (finding->host == 0 || finding->vuln == 0 || strlen(finding->host_id) != 17)
			abort();
		for (size_t k = 0; k < finding->n_packages; k++) {
			sum += finding->packages[k].fixed_in.n;
			for (size_t p = 0; p < finding->packages[k].n_paths; p++)
				sum += finding->packages[k].paths[p].n;
		}
		for (size_t k = 0; k < finding->text.n; k++)
			sum += (unsigned char)finding->text.p[k];
	}
	if (group->n == 0 && sum > 0)
		abort();
	free(group);
	return 0;
}
