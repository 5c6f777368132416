/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "fleet/content.h"
#include "scene.h"

#include <errno.h>

#define OTHER_ACCOUNT INT64_C(444455556666)
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}
#define DEB(name_, version_)                                                                       \
	{                                                                                          \
		.type = "deb", .name = (name_), .version = (version_)                              \
	}
#define DEB_OF(name_, version_, source_)                                                           \
	{                                                                                          \
		.type = "deb", .name = (name_), .version = (version_), .source = (source_)         \
	}

static const struct scene_package stock[] = { DEB("libssl3", "3.0.11-1"), DEB("bash", "5.2-2"),
	END };
static const struct scene_package own[] = { DEB_OF("libssl3", "3.0.9-1", "openssl"),
	DEB("bash", "5.2-1"), END };

/* An advisory of openssl, which libssl3 is built from, and one of bash, which is its own source. */
static void advise(struct scene *scene)
{
	scene_advise(scene, "Debian:12", "CVE-2023-0001", "openssl", "3.0.13-1");
	scene_advise(scene, "Debian:12", "CVE-2023-0002", "bash", "5.2-9");
	scene_renew(scene);
}

static uint64_t by_name(struct scene *scene, uint64_t number)
{
	fleet_lock(scene->fleet);
	uint64_t n = fleet_host_by_name(fleet_host_at(scene->fleet, number));
	fleet_unlock(scene->fleet);
	return n;
}

static void test_teach__tells_what_is_matched_by_name_only(void **state)
{
	struct scene *scene = *state;
	struct fleet_stats stats;
	advise(scene);
	uint64_t host = scene_host(scene);
	scene_report_stock(scene, host, stock);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0001"), 0);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0002"), scene->now_at);
	assert_int_equal(by_name(scene, host), 2);
	assert_non_null(
	        strstr(scene->told, "2 packages of 1 hosts are matched by their own names"));
	fleet_stats(scene->fleet, &stats);
	assert_int_equal(stats.n_hosts_by_name, 1);
	assert_int_equal(stats.n_packages_by_name, 2);
	scene_restart(scene);
	fleet_stats(scene->fleet, &stats);
	assert_int_equal(stats.n_packages_by_name, 2);
	/* Its own agent takes over. */
	scene->now_at += 60;
	scene_report_own(scene, host, own);
	assert_int_equal(by_name(scene, host), 0);
	fleet_stats(scene->fleet, &stats);
	assert_int_equal(stats.n_hosts_by_name, 0);
	assert_int_equal(stats.n_packages_by_name, 0);
}

static void test_teach__uses_what_an_own_upload_told_before(void **state)
{
	struct scene *scene = *state;
	advise(scene);
	scene_report_own(scene, scene_host(scene), own);
	uint64_t host = scene_host(scene);
	scene->now_at += 60;
	scene_report_stock(scene, host, stock);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0001"), scene->now_at);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0002"), scene->now_at);
	assert_int_equal(by_name(scene, host), 0);
}

static void test_teach__brings_hosts_up_to_date_without_a_report(void **state)
{
	struct scene *scene = *state;
	uint64_t hosts[100];
	advise(scene);
	for (size_t i = 0; i < 100; i++) {
		hosts[i] = scene_host(scene);
		scene_report_stock(scene, hosts[i], stock);
	}
	int64_t reported_at = scene->now_at;
	scene->now_at += 60;
	scene_report_own(scene, scene_host(scene), own);
	scene->now_at += 60;
	scene_tidy(scene);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(scene_first(scene, hosts[i], "CVE-2023-0001"), scene->now_at);
		assert_int_equal(scene_first(scene, hosts[i], "CVE-2023-0002"), reported_at);
		assert_int_equal(by_name(scene, hosts[i]), 0);
	}
	fleet_lock(scene->fleet);
	assert_int_equal(fleet_host_at(scene->fleet, hosts[0])->seen_at, reported_at);
	fleet_unlock(scene->fleet);
	assert_int_equal(scene_n_closed(scene), 0);
}

static void test_teach__finishes_after_a_restart(void **state)
{
	struct scene *scene = *state;
	advise(scene);
	uint64_t host = scene_host(scene);
	scene_report_stock(scene, host, stock);
	scene_report_own(scene, scene_host(scene), own);
	scene_restart(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0001"), 0);
	scene_tidy(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0001"), scene->now_at);
}

static void test_teach__keeps_a_source_when_the_one_who_told_is_gone(void **state)
{
	struct scene *scene = *state;
	advise(scene);
	uint64_t teacher = scene_host(scene), host = scene_host(scene);
	scene_report_own(scene, teacher, own);
	scene_report_stock(scene, host, stock);
	scene_state(scene, teacher, HOST_TERMINATED);
	scene->now_at += 40 * DAY;
	scene_tidy(scene);
	scene_restart(scene);
	scene_tidy(scene);
	assert_int_not_equal(scene_first(scene, host, "CVE-2023-0001"), 0);
	/* Only that bash is its own source is not known any more. */
	assert_int_equal(by_name(scene, host), 1);
}

static void test_teach__keeps_accounts_and_releases_apart(void **state)
{
	struct scene *scene = *state;
	static const struct pair release[] = { { STR("PlatformVersion"), STR("11") } };
	const struct host_change change = { .facts = release, .n_facts = 1 };
	struct err err = { 0 };
	advise(scene);
	scene_report_own(scene, scene_host_of(scene, OTHER_ACCOUNT), own);
	uint64_t host = scene_host(scene);
	scene_report_stock(scene, host, stock);
	scene_tidy(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0001"), 0);
	assert_int_equal(by_name(scene, host), 2);
	assert_int_equal(fleet_host_change(scene->fleet, host, &change, scene->now_at, &err), 0);
	scene_report_own(scene, scene_host(scene), own);
	scene_tidy(scene);
	assert_int_equal(by_name(scene, host), 2);
}

/* A host can add to what is found on others of its account, and take nothing away. */
static void test_teach__takes_a_package_for_one_of_each_source_told(void **state)
{
	static const struct scene_package lie[] = { DEB_OF("libssl3", "3.0.9-1", "harmless"),
		DEB_OF("bash", "5.2-1", "harmless"), END };
	struct scene *scene = *state;
	advise(scene);
	scene_report_own(scene, scene_host(scene), lie);
	uint64_t host = scene_host(scene);
	scene_report_stock(scene, host, stock);
	scene_report_own(scene, scene_host(scene), own);
	scene_tidy(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0001"), scene->now_at);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0002"), scene->now_at);
	fleet_lock(scene->fleet);
	const struct fleet_host *at = fleet_host_at(scene->fleet, host);
	const struct package_set *set = sets_at(fleet_sets(scene->fleet), at->sets[HOST_OS_SET]);
	assert_int_equal(set->n_elements, 4);
	fleet_unlock(scene->fleet);
}

static void test_teach__tries_again_after_a_failure(void **state)
{
	struct scene *scene = *state;
	struct err err = { 0 };
	advise(scene);
	uint64_t host = scene_host(scene);
	scene_report_stock(scene, host, stock);
	scene_report_own(scene, scene_host(scene), own);
	scene_fail(-ENOSPC);
	assert_int_equal(fleet_tidy(scene->fleet, scene->now_at, &err), -ENOSPC);
	scene_fail(0);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0001"), 0);
	scene_tidy(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2023-0001"), scene->now_at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_teach__tells_what_is_matched_by_name_only),
		on_scene(test_teach__uses_what_an_own_upload_told_before),
		on_scene(test_teach__brings_hosts_up_to_date_without_a_report),
		on_scene(test_teach__finishes_after_a_restart),
		on_scene(test_teach__keeps_a_source_when_the_one_who_told_is_gone),
		on_scene(test_teach__keeps_accounts_and_releases_apart),
		on_scene(test_teach__takes_a_package_for_one_of_each_source_told),
		on_scene(test_teach__tries_again_after_a_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
