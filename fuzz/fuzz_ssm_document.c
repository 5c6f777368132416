/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document, as any bytes, read as each type. Property: it is fine or there is a sentence; a fine
 * one that agents run has a platform, and its own defaults of type String satisfy nothing less than
 * a check that does not crash.
 */
#include <stdlib.h>

#include "ssm/document_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_as(str content, const char *type)
{
	struct arena arena = ARENA((size_t)16 << 20);
	struct document_info info = { 0 };
	struct err err = { 0 };
	enum document_fault fault =
	        document_check(content, str_from_c(type), STR("JSON"), &arena, &info, &err);
	if ((fault == DOCUMENT_FINE) != (err.text[0] == '\0'))
		abort();
	if (fault == DOCUMENT_FINE && info.n_platforms > 3)
		abort();
	for (size_t i = 0; fault == DOCUMENT_FINE && i < info.n_parameters; i++) {
		struct value text = value_of_str(STR("12")), list, object;
		struct value_member member;
		if (value_of_items(&arena, &text, 1, &list) < 0)
			break;
		member = (struct value_member){ info.parameters[i].name, list };
		if (value_of_members(&arena, &member, 1, &object) == 0)
			(void)document_check_values(&info, &object, &arena, &err);
	}
	arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str content = { (const char *)data, size };
	check_as(content, "Command");
	check_as(content, "Package");
	return 0;
}
