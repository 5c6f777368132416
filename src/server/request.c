/* SPDX-License-Identifier: Apache-2.0 */
#include "server/request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "aws/timestamp.h"
#include "server/inside.h"

/* Macros of scripts/lint. */
#undef response_fail
#undef response_invalid

/* Longest sentence of an exception. */
#define MESSAGE_BYTES 2048

PRINTF_LIKE(3, 0)
static int fail(struct response *response, const char *error, const char *fmt, va_list ap)
{
	char text[MESSAGE_BYTES];
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	response->is_failed = true;
	response->error = str_from_c(error);
	response->extra = NULL;
	/* Without memory for the sentence, the name must do. */
	if (arena_copy(response->arena, str_from_c(text), &response->message) < 0)
		response->message = response->error;
	return -RESPONSE_FAILED;
}

int response_fail(struct response *response, const char *error, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = fail(response, error, fmt, ap);
	va_end(ap);
	return r;
}

/* {"reason": ..., "fields": [{"name": ..., "message": ...}]} */
static int validation_extra(struct response *response, const char *field)
{
	struct value fields, item, *extra = arena_alloc(response->arena, 1, sizeof(*extra));
	struct value_member of_item[] = {
		{ STR("name"), value_of_str(str_from_c(field)) },
		{ STR("message"), value_of_str(response->message) },
	};
	if (!extra || value_of_members(response->arena, of_item, 2, &item) < 0 ||
	        value_of_items(response->arena, &item, 1, &fields) < 0)
		return -ERR_LIMIT;
	struct value_member of_extra[] = {
		{ STR("reason"), value_of_str(STR("FIELD_VALIDATION_FAILED")) },
		{ STR("fields"), fields },
	};
	int r = value_of_members(response->arena, of_extra, 2, extra);
	if (r >= 0)
		response->extra = extra;
	return r;
}

int response_invalid(struct response *response, const char *field, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int r = fail(response, "ValidationException", fmt, ap);
	va_end(ap);
	/* An answer without its details is still the right answer. */
	(void)validation_extra(response, field);
	return r;
}

int response_defer(struct response *response, uint64_t key, int64_t ms)
{
	response->defer_ms = ms > 0 ? ms : 1;
	response->defer_key = key;
	return -RESPONSE_DEFERRED;
}

void write_time(struct json_writer *w, const char *key, int64_t at)
{
	if (at <= 0)
		return;
	json_write_key(w, key);
	timestamp_write_epoch(w, at * 1000);
}

void write_text(struct json_writer *w, const char *key, str text)
{
	if (text.n > 0)
		json_write_member_str(w, key, text);
}

void write_number(struct json_writer *w, const char *key, int64_t number)
{
	char text[24];
	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	json_write_key(w, key);
	json_write_number(w, str_from_c(text));
}
