/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

static void test_places__are_told_of_hosts_that_are_alike_and_of_others(void **state)
{
	struct scene *scene = *state;
	static const struct scene_package here[] = {
		{ .type = "pypi", .name = "numpy", .version = "1.21.3", .path = "/srv/a" },
		{ .type = NULL },
	};
	static const struct scene_package there[] = {
		{ .type = "pypi", .name = "numpy", .version = "1.21.3", .path = "/srv/b" },
		{ .type = NULL },
	};
	struct arena arena = ARENA((size_t)1 << 20);
	uint64_t hosts[3];
	for (size_t i = 0; i < 3; i++) {
		hosts[i] = scene_host(scene);
		scene_report(scene, hosts[i], i < 2 ? here : there);
	}
	/* More often than there are hosts: what is remembered of one must not be told of another.
	 */
	for (size_t i = 0; i < 9; i++) {
		const struct place *places;
		size_t n;
		fleet_lock(scene->fleet);
		const struct fleet_host *at = fleet_host_at(scene->fleet, hosts[i % 3]);
		assert_int_equal(fleet_places(scene->fleet, at, &arena, &places, &n, NULL), 0);
		assert_int_equal(n, 1);
		assert_true(str_eq(places[0].path, i % 3 < 2 ? STR("/srv/a") : STR("/srv/b")));
		fleet_unlock(scene->fleet);
	}
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_places__are_told_of_hosts_that_are_alike_and_of_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
