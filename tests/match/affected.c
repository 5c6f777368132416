/* SPDX-License-Identifier: Apache-2.0 */
#include "affected.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"

#define LIST_MAX 200

static enum advisory_event_kind kind_of(str key)
{
	if (str_eq(key, STR("fixed")))
		return EVENT_FIXED;
	if (str_eq(key, STR("last_affected")))
		return EVENT_LAST_AFFECTED;
	if (str_eq(key, STR("limit")))
		return EVENT_LIMIT;
	assert_true(str_eq(key, STR("introduced")));
	return EVENT_INTRODUCED;
}

static void read_events(struct json *json, struct arena *arena, struct advisory_range *range)
{
	struct advisory_event *events = arena_alloc(arena, LIST_MAX, sizeof(*events));
	str key;
	for (json_array_begin(json); json_next_element(json);) {
		for (json_object_begin(json); json_next_key(json, &key);) {
			assert_true(range->n_events < LIST_MAX);
			events[range->n_events].kind = kind_of(key);
			assert_true(json_string(json, &events[range->n_events++].version));
		}
	}
	range->events = events;
}

static bool read_range(struct json *json, struct arena *arena, struct advisory_range *range)
{
	str key, type = { NULL, 0 };
	for (json_object_begin(json); json_next_key(json, &key);) {
		if (str_eq(key, STR("type")))
			assert_true(json_string(json, &type));
		else if (str_eq(key, STR("events")))
			read_events(json, arena, range);
		else
			json_skip(json);
	}
	range->is_semver = str_eq(type, STR("SEMVER"));
	return range->is_semver || str_eq(type, STR("ECOSYSTEM"));
}

static void read_ranges(struct json *json, struct arena *arena, struct advisory_affected *affected)
{
	struct advisory_range *ranges = arena_alloc(arena, LIST_MAX, sizeof(*ranges));
	for (json_array_begin(json); json_next_element(json);) {
		assert_true(affected->n_ranges < LIST_MAX);
		struct advisory_range range = { .n_events = 0 };
		if (read_range(json, arena, &range))
			ranges[affected->n_ranges++] = range;
	}
	affected->ranges = ranges;
}

static void read_versions(
        struct json *json, struct arena *arena, struct advisory_affected *affected)
{
	str *versions = arena_alloc(arena, LIST_MAX, sizeof(*versions));
	for (json_array_begin(json); json_next_element(json);) {
		assert_true(affected->n_versions < LIST_MAX);
		assert_true(json_string(json, &versions[affected->n_versions++]));
	}
	affected->versions = versions;
}

static void read_package(struct json *json, struct advisory_affected *affected)
{
	str key;
	for (json_object_begin(json); json_next_key(json, &key);) {
		if (str_eq(key, STR("ecosystem")))
			assert_true(json_string(json, &affected->ecosystem));
		else if (str_eq(key, STR("name")))
			assert_true(json_string(json, &affected->package));
		else
			json_skip(json);
	}
}

size_t affected_read(str text, struct arena *arena, struct advisory_affected **ret)
{
	struct advisory_affected *list = arena_alloc(arena, LIST_MAX, sizeof(*list));
	struct json json = JSON(text, arena);
	size_t n = 0;
	str key;

	for (json_array_begin(&json); json_next_element(&json); n++) {
		assert_true(n < LIST_MAX);
		for (json_object_begin(&json); json_next_key(&json, &key);) {
			if (str_eq(key, STR("package")))
				read_package(&json, &list[n]);
			else if (str_eq(key, STR("ranges")))
				read_ranges(&json, arena, &list[n]);
			else if (str_eq(key, STR("versions")))
				read_versions(&json, arena, &list[n]);
			else
				json_skip(&json);
		}
	}
	assert_int_equal(json_finish(&json, NULL), 0);
	*ret = list;
	return n;
}

const char *shared_path(const char *below)
{
	static char path[1024];
	const char *shared = getenv("SONDE_SHARED");
	snprintf(path, sizeof(path), "%s/%s", shared ? shared : SHARED, below);
	return path;
}

bool shared_read(const char *below, struct buf *out)
{
	const char *path = shared_path(below);
	if (access(path, F_OK) != 0) {
		printf("skipped: %s\n", path);
		return false;
	}
	assert_int_equal(fs_read(AT_FDCWD, path, out, NULL), 0);
	return true;
}
