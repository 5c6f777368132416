/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "scene.h"

#include <errno.h>

static enum report_verdict report_metered(struct scene *scene, uint64_t host, size_t n_bytes)
{
	autobuf content = BUF((size_t)16 << 20);
	struct err err = { 0 };
	enum report_verdict verdict;
	size_t which;
	buf_printf(&content, "[{\"X\":\"%*lld\"}]", (int)n_bytes - 10, (long long)scene->now_at);
	assert_int_equal(content.n, n_bytes);
	const struct report_item items[] = {
		{ .type = STR("AWS:Network"),
		        .captured_at = scene->now_at,
		        .has_content = true,
		        .is_metered = true,
		        .content = buf_str(&content) },
		{ .type = STR("Custom:Racks"),
		        .captured_at = scene->now_at,
		        .has_content = true,
		        .content = buf_str(&content) },
	};
	if (fleet_report(scene->fleet, host, items, 2, scene->now_at, &verdict, &which, &err) < 0)
		fail_msg("%s", err.text);
	return verdict;
}

static void test_ingest__keeps_what_a_host_may_report_a_day(void **state)
{
	struct scene *scene = *state;
	uint64_t host = scene_host(scene), other = scene_host(scene);
	scene->now_at -= scene->now_at % DAY;
	scene->now_at += DAY;
	assert_int_equal(report_metered(scene, host, FLEET_DAY_BYTES - 1000), REPORT_TAKEN);
	scene->now_at += 60;
	assert_int_equal(report_metered(scene, host, 1001), REPORT_OVER_QUOTA);
	assert_int_equal(report_metered(scene, other, 1001), REPORT_TAKEN);
	scene_restart(scene);
	assert_int_equal(report_metered(scene, host, 1001), REPORT_OVER_QUOTA);
	assert_int_equal(report_metered(scene, host, 900), REPORT_TAKEN);
	scene_state(scene, host, HOST_EXCLUDED);
	scene_restart(scene);
	assert_int_equal(report_metered(scene, host, 101), REPORT_OVER_QUOTA);
	assert_int_equal(report_metered(scene, host, 100), REPORT_TAKEN);
	scene->now_at += DAY - 61;
	assert_int_equal(report_metered(scene, host, 100), REPORT_OVER_QUOTA);
	scene->now_at += 1;
	assert_int_equal(report_metered(scene, host, FLEET_DAY_BYTES), REPORT_TAKEN);
}

/* A report that does not become durable takes nothing. */
static void test_ingest__takes_nothing_of_a_day_for_what_failed(void **state)
{
	struct scene *scene = *state;
	autobuf content = BUF((size_t)1 << 20);
	struct err err = { 0 };
	enum report_verdict verdict;
	size_t which;
	uint64_t host = scene_host(scene);
	buf_printf(&content, "[%*d]", 1000000 - 2, 1);
	const struct report_item item = { .type = STR("AWS:Network"),
		.captured_at = scene->now_at,
		.has_content = true,
		.is_metered = true,
		.content = buf_str(&content) };
	scene_fail(-ENOSPC);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fleet_report(scene->fleet, host, &item, 1, scene->now_at, &verdict,
		                         &which, &err),
		        -ENOSPC);
	scene_fail(0);
	assert_int_equal(report_metered(scene, host, FLEET_DAY_BYTES), REPORT_TAKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_ingest__keeps_what_a_host_may_report_a_day),
		on_scene(test_ingest__takes_nothing_of_a_day_for_what_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
