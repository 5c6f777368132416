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

static const struct scene_package places[] = {
	{ .type = "pypi", .name = "numpy", .version = "1.21.3", .path = "/srv/b" },
	{ .type = "pypi", .name = "numpy", .version = "1.21.3", .path = "/srv/a" },
	{ .type = "pypi", .name = "jinja2", .version = "2.0", .path = "/srv/j" },
	{ .type = NULL },
};
static const struct scene_package only_jinja[] = {
	{ .type = "pypi", .name = "jinja2", .version = "2.0", .path = "/srv/j" },
	{ .type = NULL },
};

static void demand_paths(
        struct scene *scene, uint64_t host, const char *vuln, const char *first, const char *second)
{
	const struct closed_finding *closed = scene_closed(scene, host, vuln);
	assert_non_null(closed);
	assert_int_equal(closed->n_packages, 1);
	assert_int_equal(closed->packages[0].n_paths, second ? 2 : 1);
	assert_true(str_eq(closed->packages[0].paths[0], str_from_c(first)));
	if (second)
		assert_true(str_eq(closed->packages[0].paths[1], str_from_c(second)));
}

static void test_places__of_closed_findings_are_those_before_the_report(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_advise(scene, "PyPI", "CVE-2021-0002", "jinja2", "3.0");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, places);
	scene->now_at += 60;
	scene_report(scene, host, only_jinja);
	demand_paths(scene, host, "CVE-2021-0001", "/srv/a", "/srv/b");
	scene->now_at += 60;
	scene_state(scene, host, HOST_EXCLUDED);
	demand_paths(scene, host, "CVE-2021-0002", "/srv/j", NULL);
	scene_restart(scene);
	demand_paths(scene, host, "CVE-2021-0001", "/srv/a", "/srv/b");
	demand_paths(scene, host, "CVE-2021-0002", "/srv/j", NULL);
}

/* Hosts that are alike share a record, hosts with other places have their own. */
static void test_places__of_findings_that_new_data_close_are_each_hosts_own(void **state)
{
	static const struct scene_package elsewhere[] = {
		{ .type = "pypi", .name = "numpy", .version = "1.21.3", .path = "/opt/n" },
		{ .type = NULL },
	};
	struct scene *scene = *state;
	uint64_t hosts[4];
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_advise(scene, "PyPI", "CVE-2021-0002", "jinja2", "3.0");
	scene_renew(scene);
	for (size_t i = 0; i < 4; i++) {
		hosts[i] = scene_host(scene);
		scene_report(scene, hosts[i], i % 2 ? elsewhere : places);
	}
	scene_withdraw(scene, "CVE-2021-0001");
	scene->now_at += 60;
	scene_renew(scene);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 4; i++)
			demand_paths(scene, hosts[i], "CVE-2021-0001", i % 2 ? "/opt/n" : "/srv/a",
			        i % 2 ? NULL : "/srv/b");
		scene_restart(scene);
	}
}

/* Many places, and long ones: as many as are kept, and the change is made. */
static void test_places__of_closed_findings_are_bounded(void **state)
{
	static char paths[300][4000];
	static struct scene_package many[301];
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	for (size_t i = 0; i < 300; i++) {
		/* From 100 on they are so long that the bytes of one finding run out. */
		size_t n = i < 100 ? 100 : sizeof(paths[i]) - 1;
		memset(paths[i], 'x', n);
		(void)snprintf(paths[i], 8, "/%06zu", i);
		paths[i][7] = '/';
		many[i] = (struct scene_package){ .type = "pypi",
			.name = "numpy",
			.version = i < 100 || i % 2 ? "1.21.3" : "1.21.2",
			.path = paths[i] };
	}
	for (int k = 0; k < 2; k++) {
		uint64_t host = scene_host(scene);
		scene_report(scene, host, many + 100 * k);
		scene->now_at += 60;
		scene_report(scene, host, only_jinja);
		const struct closed_finding *closed = scene_closed(scene, host, "CVE-2021-0001");
		assert_int_equal(closed->n_packages, 2);
		assert_int_equal(closed->packages[0].n_paths, 64);
		assert_int_equal(closed->packages[1].n_paths, k ? 1 : 63);
	}
	scene_restart(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_places__are_told_of_hosts_that_are_alike_and_of_others),
		on_scene(test_places__of_closed_findings_are_those_before_the_report),
		on_scene(test_places__of_findings_that_new_data_close_are_each_hosts_own),
		on_scene(test_places__of_closed_findings_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
