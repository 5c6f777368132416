/* SPDX-License-Identifier: Apache-2.0 */
#include "server/inventory.h"

#include <pthread.h>
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

/* ---- the daily quota ---- */

/* Slots at first; doubled when half are taken. Hosts are numbered below 2^32. */
#define SLOTS_MIN 1024
#define SLOTS_MAX ((size_t)1 << 24)

struct slot {
	uint32_t host; /* 0: free */
	uint32_t bytes;
};

struct quotas {
	pthread_mutex_t lock; /* of all below */
	int64_t day;
	struct slot *slots;
	size_t n, cap;
};

int quotas_open(struct quotas **ret)
{
	struct quotas *quotas = calloc(1, sizeof(*quotas));
	if (!quotas || pthread_mutex_init(&quotas->lock, NULL) != 0) {
		free(quotas);
		return -ENOMEM;
	}
	*ret = quotas;
	return 0;
}

void quotas_close(struct quotas *quotas)
{
	if (!quotas)
		return;
	(void)pthread_mutex_destroy(&quotas->lock);
	free(quotas->slots);
	free(quotas);
}

static struct slot *slot_of(struct slot *slots, size_t cap, uint32_t host)
{
	size_t i = (size_t)(host * UINT32_C(2654435761)) & (cap - 1);
	while (slots[i].host != 0 && slots[i].host != host)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

static bool grow(struct quotas *quotas)
{
	size_t cap = quotas->cap ? quotas->cap * 2 : SLOTS_MIN;
	struct slot *slots = cap <= SLOTS_MAX ? calloc(cap, sizeof(*slots)) : NULL;
	if (!slots)
		return false;
	for (size_t i = 0; i < quotas->cap; i++) {
		if (quotas->slots[i].host != 0)
			*slot_of(slots, cap, quotas->slots[i].host) = quotas->slots[i];
	}
	free(quotas->slots);
	quotas->slots = slots;
	quotas->cap = cap;
	return true;
}

/* The slot of a host today; NULL without memory: the quota is then not kept. Locked. */
static struct slot *find_slot(struct quotas *quotas, uint64_t host, int64_t now_at)
{
	if (quotas->day != now_at / 86400) {
		quotas->day = now_at / 86400;
		quotas->n = 0;
		if (quotas->cap > 0)
			memset(quotas->slots, 0, quotas->cap * sizeof(*quotas->slots));
	}
	if (quotas->n >= quotas->cap / 2 && !grow(quotas))
		return NULL;
	struct slot *slot = slot_of(quotas->slots, quotas->cap, (uint32_t)host);
	if (slot->host == 0) {
		slot->host = (uint32_t)host;
		quotas->n++;
	}
	return slot;
}

bool quotas_take(struct quotas *quotas, uint64_t host, uint64_t bytes, int64_t now_at)
{
	(void)pthread_mutex_lock(&quotas->lock);
	struct slot *slot = find_slot(quotas, host, now_at);
	bool suffices = !slot || bytes <= QUOTA_DAY_BYTES - slot->bytes;
	if (slot && suffices)
		slot->bytes += (uint32_t)bytes;
	(void)pthread_mutex_unlock(&quotas->lock);
	return suffices;
}

void quotas_give_back(struct quotas *quotas, uint64_t host, uint64_t bytes, int64_t now_at)
{
	(void)pthread_mutex_lock(&quotas->lock);
	struct slot *slot = find_slot(quotas, host, now_at);
	if (slot)
		slot->bytes -= bytes < slot->bytes ? (uint32_t)bytes : slot->bytes;
	(void)pthread_mutex_unlock(&quotas->lock);
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
