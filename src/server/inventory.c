/* SPDX-License-Identifier: Apache-2.0 */
#include "server/inventory.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "fleet/content.h"

static const struct inventory_type types[] = {
#define INVENTORY_TYPE(title, versions, attributes) { STR(title), STR(versions), STR(attributes) },
#include "server/inventory_types.def"
#undef INVENTORY_TYPE
};

#define N_TYPES (sizeof(types) / sizeof(types[0]))

const struct inventory_type *inventory_type_all(size_t *ret_count)
{
	*ret_count = N_TYPES;
	return types;
}

const struct inventory_type *inventory_type_find(str name)
{
	for (size_t i = 0; i < N_TYPES; i++) {
		if (str_eq(name, types[i].name))
			return &types[i];
	}
	return NULL;
}

bool inventory_list_next(str *list, str *ret_word)
{
	(void)str_take_while(list, is_space);
	*ret_word = str_take_until(list, is_space);
	return ret_word->n > 0;
}

bool inventory_list_has(str list, str word)
{
	for (str item; inventory_list_next(&list, &item);) {
		if (str_eq(item, word))
			return true;
	}
	return false;
}

int custom_type_get(struct server *server, int64_t account, str name, struct arena *arena,
        struct custom_type *ret)
{
	const struct value *value = NULL;
	*ret = (struct custom_type){ .is_there = false };
	int r = object_get(server->objects, account, "inventory-type", name, arena, &value);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	ret->is_there = true;
	ret->is_disabled = value_get_bool(value, STR("IsDisabled"), false);
	ret->version = value_get_str(value, STR("Version"));
	ret->attributes = value_get(value, STR("Attributes"));
	return 0;
}

bool custom_type_is_counted(str name)
{
	return str_has_prefix(name, STR("Custom:")) && !str_eq(name, STR(CONTENT_THIRD_PARTY)) &&
	       !str_eq(name, STR(CONTENT_METRICS)) && !str_eq(name, STR(FLEET_OWN_TYPE));
}

/* ---- answers ---- */

int response_fail_type(struct response *response, const char *error, str type, const char *fmt, ...)
{
	char text[512];
	struct value extra, *copy = arena_alloc(response->arena, 1, sizeof(*copy));
	struct value_member member = { STR("TypeName"), value_of_str(type) };
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	int r = response_fail(response, error, "%s", text);
	if (copy && value_of_members(response->arena, &member, 1, &extra) == 0) {
		*copy = extra;
		response->extra = copy;
	}
	return r;
}
