/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One OSV record, as any bytes. Properties: a usable record names a package and a version for each
 * of its entries; encoded, decoded and encoded again it is the same bytes; cut short, it does not
 * decode.
 */
#include <stdlib.h>

#include "vulndb/encode.h"
#include "vulndb/osv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool good)
{
	if (!good)
		abort();
}

static void check_entries(const struct osv *osv)
{
	demand(osv->advisory.id.n > 0 && osv->n_affected > 0);
	for (size_t i = 0; i < osv->n_affected; i++) {
		const struct advisory_affected *a = &osv->affected[i];
		demand(a->ecosystem.n > 0 && a->package.n > 0);
		demand(a->n_ranges > 0 || a->n_versions > 0);
		for (size_t j = 0; j < a->n_ranges; j++) {
			bool begins = false;
			for (size_t k = 0; k < a->ranges[j].n_events; k++) {
				demand(a->ranges[j].events[k].version.n > 0);
				begins |= a->ranges[j].events[k].kind == EVENT_INTRODUCED;
			}
			demand(begins);
		}
	}
}

static void check_encoding(const struct osv *osv)
{
	size_t most = (size_t)64 << 20, n = 0;
	autobuf head = BUF(most), cold = BUF(most), again = BUF(most);
	struct arena arena = ARENA(4 * most);
	struct advisory back = { 0 };
	const struct advisory_affected *affected = NULL;

	encode_head(&head, &osv->advisory);
	encode_cold(&cold, &osv->advisory, osv->affected, osv->n_affected);
	demand(decode_head(buf_str(&head), &arena, &back) == 0);
	demand(decode_cold(buf_str(&cold), &arena, &back, &affected, &n) == 0);
	demand(n == osv->n_affected && back.uses_related == osv->advisory.uses_related);
	encode_head(&again, &back);
	demand(str_eq(buf_str(&again), buf_str(&head)));
	buf_clear(&again);
	encode_cold(&again, &back, affected, n);
	demand(str_eq(buf_str(&again), buf_str(&cold)));
	demand(decode_cold(str_head(buf_str(&cold), cold.n - 1), &arena, &back, &affected, &n) < 0);
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size };
	struct arena arena = ARENA((size_t)64 << 20);
	autobuf description = BUF((size_t)1 << 16);
	struct advisory head = { 0 };
	struct osv osv;

	enum reason reason = osv_read(text, &arena, &osv);
	demand(reason < REASON_COUNT && reason_name(reason)[0] != '\0');
	if (reason == REASON_USED) {
		check_entries(&osv);
		check_encoding(&osv);
		osv_describe(&osv, &description);
	}
	(void)osv_looks_like(text);
	(void)decode_head(
	        text, &arena, &head); /* any bytes as an encoded head: no more than refused */
	arena_fini(&arena);
	return 0;
}
