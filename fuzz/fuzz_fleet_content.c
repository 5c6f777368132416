/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The content of an inventory item, as any bytes: the first line names the type. Properties: a
 * package has a type, a name and a version within their bounds; facts are sorted and in no name
 * that only the server gives, but for those that the type may tell; a failure has a sentence.
 */
#include <stdlib.h>

#include "fleet/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool good)
{
	if (!good)
		abort();
}

static void check(const struct content *content)
{
	demand(content->n_packages <= content->n_rows);
	demand(content->is_packages || content->n_packages == 0);
	for (size_t i = 0; i < content->n_packages; i++) {
		const struct package *pkg = &content->packages[i];
		demand(pkg->type.n > 0 && pkg->type.n <= 32);
		demand(pkg->name.n > 0 && pkg->name.n <= 1024);
		demand(pkg->version.n > 0 && pkg->version.n <= 512);
		demand(pkg->path.n <= 4096 && pkg->vendor.n <= 1024 && pkg->licence.n <= 1024);
		demand(package_is_os(pkg) ? content->is_os : content->is_language);
	}
	for (size_t i = 0; i < content->n_facts; i++) {
		demand(i == 0 || str_cmp(content->facts[i - 1].key, content->facts[i].key) < 0);
		demand(content->facts[i].value.n <= 256);
		demand(!str_eq(content->facts[i].key, STR(FACT_DAILY_LIMIT_AT)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct host debian = { .os_id = STR("debian"), .os_version = STR("12") };
	struct arena arena = ARENA((size_t)16 << 20);
	struct ledger ledger = { .arena = &arena };
	struct content content = { 0 };
	struct err err = { 0 };
	str text = { (const char *)data, size }, type;
	if (!str_next_line(&text, &type))
		return 0;
	if (content_read(type, text, &debian, &arena, &ledger, &content, &err) == 0)
		check(&content);
	else
		demand(err.text[0] != '\0');
	arena_fini(&arena);
	return 0;
}
