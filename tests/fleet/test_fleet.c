/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "scene.h"

#include <errno.h>

#define PYTHON(name_, version_)                                                                    \
	{                                                                                          \
		.type = "pypi", .name = (name_), .version = (version_)                             \
	}
#define END                                                                                        \
	{                                                                                          \
		.name = NULL                                                                       \
	}

static void assert_same(const struct buf *a, const struct buf *b)
{
	if (!str_eq(buf_str(a), buf_str(b)))
		fail_msg(
		        "was\n" STR_FMT "\nis\n" STR_FMT, STR_ARG(buf_str(a)), STR_ARG(buf_str(b)));
}

static void assert_restart_changes_nothing(struct scene *scene)
{
	autobuf before = BUF((size_t)4 << 20), after = BUF((size_t)4 << 20);
	scene_dump(scene, &before);
	scene_restart(scene);
	scene_dump(scene, &after);
	assert_same(&before, &after);
}

static const struct scene_package old_numpy[] = { PYTHON("numpy", "1.21.3"), END };
static const struct scene_package new_numpy[] = { PYTHON("numpy", "1.22.0"), END };
static const struct scene_package numpy_and_jinja[] = { PYTHON("numpy", "1.21.3"),
	PYTHON("jinja2", "2.0"), END };

static void test_fleet__derives_what_is_open(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_advise(scene, "PyPI", "CVE-2021-0002", "jinja2", "3.0");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene->now_at += 60;
	scene_report(scene, host, numpy_and_jinja);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), scene->now_at);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0002"), scene->now_at);
	int64_t enrolled_at = scene->now_at;
	scene->now_at += 60;
	scene_report(scene, host, old_numpy);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), enrolled_at);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0002"), 0);
	const struct closed_finding *closed = scene_closed(scene, host, "CVE-2021-0002");
	assert_non_null(closed);
	assert_int_equal(closed->first_observed, enrolled_at);
	assert_int_equal(closed->last_observed, enrolled_at);
	assert_int_equal(closed->closed_at, scene->now_at);
	assert_int_equal(closed->reason, CLOSED_REMEDIATED);
	assert_int_equal(closed->n_packages, 1);
	assert_true(str_eq(closed->packages[0].fixed_in, STR("3.0")));
	assert_true(str_eq(closed->text, STR("About CVE-2021-0002")));
	assert_int_equal(closed->severity, SEVERITY_CRITICAL);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__works_without_a_database(void **state)
{
	struct scene *scene = *state;
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_restart_changes_nothing(scene);
	scene->now_at += 60;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), scene->now_at);
}

static void test_fleet__takes_a_hash_for_content_that_it_has(void **state)
{
	struct scene *scene = *state;
	static const char type[] = "Custom:InspectorThirdPartyPackage";
	autobuf content = BUF((size_t)1 << 20);
	uint64_t host = scene_host(scene);
	scene_write(old_numpy, &content);
	assert_int_equal(
	        scene_item(scene, host, type, "h1", scene->now_at, NULL), REPORT_NO_CONTENT);
	assert_int_equal(
	        scene_item(scene, host, type, "h1", scene->now_at, &content), REPORT_TAKEN);
	scene->now_at += 3600;
	assert_int_equal(
	        scene_item(scene, host, type, "h2", scene->now_at, NULL), REPORT_OTHER_HASH);
	assert_int_equal(scene_item(scene, host, type, "h1", scene->now_at, NULL), REPORT_TAKEN);
	fleet_lock(scene->fleet);
	const struct fleet_host *at = fleet_host_at(scene->fleet, host);
	assert_int_equal(at->seen_at, scene->now_at);
	assert_int_equal(at->n_items, 1);
	assert_int_equal(at->items[0].captured_at, scene->now_at);
	assert_int_equal(at->items[0].received_at, scene->now_at);
	fleet_unlock(scene->fleet);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__passes_over_what_is_older_or_known(void **state)
{
	struct scene *scene = *state;
	static const char type[] = "Custom:InspectorThirdPartyPackage";
	autobuf old = BUF((size_t)1 << 20), new = BUF((size_t)1 << 20);
	autobuf before = BUF((size_t)1 << 20), after = BUF((size_t)1 << 20);
	uint64_t host = scene_host(scene);
	scene_write(old_numpy, &old);
	scene_write(new_numpy, &new);
	(void)scene_item(scene, host, type, "h2", scene->now_at, &new);
	scene_dump(scene, &before);
	assert_int_equal(
	        scene_item(scene, host, type, "h1", scene->now_at - 5, &old), REPORT_STALE);
	assert_int_equal(
	        scene_item(scene, host, type, "h2", scene->now_at - 5, NULL), REPORT_STALE);
	assert_int_equal(scene_item(scene, host, type, "h2", scene->now_at, &new), REPORT_TAKEN);
	scene_dump(scene, &after);
	assert_same(&before, &after);
	struct fleet_stats stats;
	fleet_stats(scene->fleet, &stats);
	assert_int_equal(stats.n_stale, 2);
}

static void test_fleet__notes_the_latest_sign_of_life(void **state)
{
	struct scene *scene = *state;
	uint64_t host = scene_host(scene);
	fleet_lock(scene->fleet);
	fleet_pinged(scene->fleet, host, 500);
	fleet_pinged(scene->fleet, host, 400);
	fleet_pinged(scene->fleet, host + 1, 600);
	fleet_pinged(scene->fleet, UINT64_MAX, 600);
	assert_int_equal(fleet_host_at(scene->fleet, host)->ping_at, 500);
	fleet_unlock(scene->fleet);
	scene_report(scene, host, old_numpy);
	fleet_lock(scene->fleet);
	assert_int_equal(fleet_host_at(scene->fleet, host)->ping_at, 500);
	fleet_unlock(scene->fleet);
}

static void test_fleet__refuses_a_report_as_a_whole(void **state)
{
	struct scene *scene = *state;
	autobuf content = BUF((size_t)1 << 20), before = BUF((size_t)1 << 20);
	autobuf after = BUF((size_t)1 << 20);
	uint64_t host = scene_host(scene);
	scene_write(old_numpy, &content);
	scene_dump(scene, &before);
	const struct report_item items[] = {
		{ .type = STR("Custom:InspectorThirdPartyPackage"),
		        .captured_at = scene->now_at,
		        .has_content = true,
		        .content = buf_str(&content) },
		{ .type = STR("AWS:Application"),
		        .captured_at = scene->now_at,
		        .content_hash = STR("h") },
	};
	enum report_verdict verdict;
	size_t which;
	assert_int_equal(
	        fleet_report(scene->fleet, host, items, 2, scene->now_at, &verdict, &which, NULL),
	        0);
	assert_int_equal(verdict, REPORT_NO_CONTENT);
	assert_int_equal(which, 1);
	const struct report_item bad = { .type = STR("Custom:InspectorThirdPartyPackage"),
		.captured_at = scene->now_at,
		.has_content = true,
		.content = STR("{no json") };
	assert_int_equal(
	        fleet_report(scene->fleet, host, &bad, 1, scene->now_at, &verdict, &which, NULL),
	        -ERR_FORMAT);
	assert_int_equal(
	        fleet_report(scene->fleet, 77, items, 1, scene->now_at, &verdict, &which, NULL),
	        -ENOENT);
	scene_dump(scene, &after);
	assert_same(&before, &after);
}

static void test_fleet__gives_back_what_was_sent(void **state)
{
	struct scene *scene = *state;
	autobuf content = BUF((size_t)1 << 20);
	struct arena arena = ARENA((size_t)1 << 24);
	str evidence;
	uint64_t host = scene_host(scene), twin = scene_host(scene);
	scene_write(old_numpy, &content);
	scene_report(scene, host, old_numpy);
	scene_report(scene, twin, old_numpy);
	scene->now_at += 1;
	scene_report(scene, twin, new_numpy);
	scene_restart(scene);
	fleet_lock(scene->fleet);
	assert_int_equal(fleet_evidence(scene->fleet, fleet_host_at(scene->fleet, host),
	                         STR("Custom:InspectorThirdPartyPackage"), &arena, &evidence, NULL),
	        0);
	assert_true(str_eq(evidence, buf_str(&content)));
	assert_int_equal(fleet_evidence(scene->fleet, fleet_host_at(scene->fleet, host),
	                         STR("AWS:Application"), &arena, &evidence, NULL),
	        0);
	assert_int_equal(evidence.n, 0);
	fleet_unlock(scene->fleet);
	arena_fini(&arena);
}

static void test_fleet__remembers_since_when_a_host_has_a_package(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_advise(scene, "PyPI", "CVE-2021-0002", "jinja2", "3.0");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	int64_t enrolled_at = scene->now_at;
	scene->now_at += 10 * DAY;
	scene_report(scene, host, numpy_and_jinja);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), enrolled_at);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0002"), scene->now_at);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__keeps_first_observed_when_the_package_changes(void **state)
{
	struct scene *scene = *state;
	static const struct scene_package update[] = { PYTHON("numpy", "1.21.4"), END };
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	int64_t first_at = scene->now_at;
	scene->now_at += DAY;
	scene_report(scene, host, update);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), first_at);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_restart_changes_nothing(scene);
	scene->now_at += DAY;
	scene_report(scene, host, new_numpy);
	assert_int_equal(scene_closed(scene, host, "CVE-2021-0001")->first_observed, first_at);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__opens_the_same_finding_within_seven_days(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	int64_t first_at = scene->now_at;
	scene->now_at += DAY;
	scene_report(scene, host, new_numpy);
	assert_int_equal(scene_n_closed(scene), 1);
	scene->now_at += 7 * DAY;
	scene_report(scene, host, old_numpy);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), first_at);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_restart_changes_nothing(scene);
	scene->now_at += DAY;
	scene_report(scene, host, new_numpy);
	assert_int_equal(scene_closed(scene, host, "CVE-2021-0001")->first_observed, first_at);
	scene->now_at += 7 * DAY + 1;
	scene_report(scene, host, old_numpy);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), scene->now_at);
	assert_int_equal(scene_n_closed(scene), 1);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__renews_without_hearing_from_hosts(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene), other = scene_host(scene);
	scene_report(scene, host, numpy_and_jinja);
	scene_report(scene, other, old_numpy);
	int64_t first_at = scene->now_at;
	assert_int_equal(fleet_renew(scene->fleet, scene->now_at, NULL), 0);

	scene->now_at += DAY;
	scene_advise(scene, "PyPI", "CVE-2021-0002", "jinja2", "3.0");
	scene_withdraw(scene, "CVE-2021-0001");
	scene_renew(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0002"), scene->now_at);
	assert_int_equal(scene_first(scene, other, "CVE-2021-0002"), 0);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), 0);
	assert_int_equal(scene_n_closed(scene), 2);
	assert_int_equal(scene_closed(scene, other, "CVE-2021-0001")->first_observed, first_at);
	assert_true(str_eq(
	        scene_closed(scene, other, "CVE-2021-0001")->text, STR("About CVE-2021-0001")));
	assert_restart_changes_nothing(scene);

	scene->now_at += DAY;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), first_at);
	assert_int_equal(scene_first(scene, other, "CVE-2021-0001"), first_at);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__renews_when_it_is_opened(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, numpy_and_jinja);
	int64_t first_at = scene->now_at;
	scene_close(scene);
	scene->now_at += DAY;
	scene_withdraw(scene, "CVE-2021-0001");
	scene_advise(scene, "PyPI", "CVE-2021-0002", "jinja2", "3.0");
	scene_build(scene);
	assert_int_equal(scene_open(scene, NULL), 0);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), 0);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0002"), scene->now_at);
	assert_int_equal(scene_closed(scene, host, "CVE-2021-0001")->first_observed, first_at);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__keeps_findings_while_the_database_is_away(void **state)
{
	struct scene *scene = *state;
	char from[128], to[128];
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	int64_t first_at = scene->now_at;
	scene_close(scene);
	(void)snprintf(from, sizeof(from), "%s/db", scene->dir);
	(void)snprintf(to, sizeof(to), "%s/away", scene->dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(scene_open(scene, NULL), 0);
	assert_true(strstr(scene->told, "no vulnerability data") != NULL);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), first_at);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_int_equal(rename(to, from), 0);
	assert_int_equal(fleet_renew(scene->fleet, scene->now_at, NULL), 1);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), first_at);
	fleet_lock(scene->fleet);
	assert_int_equal(fleet_generation(scene->fleet)->issues[0]->severity, SEVERITY_CRITICAL);
	fleet_unlock(scene->fleet);
}

static void test_fleet__pins_first_observed_when_a_match_goes(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, numpy_and_jinja);
	int64_t first_at = scene->now_at;
	scene->now_at += DAY;
	scene_withdraw(scene, "CVE-2021-0001");
	scene_advise(scene, "PyPI", "CVE-2021-0001", "jinja2", "3.0");
	scene_renew(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), first_at);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__closes_findings_of_hosts_that_leave_scanning(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	int64_t first_at = scene->now_at;
	scene->now_at += DAY;
	scene_state(scene, host, HOST_EXCLUDED);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), 0);
	assert_int_equal(scene_closed(scene, host, "CVE-2021-0001")->reason, CLOSED_INELIGIBLE);
	assert_restart_changes_nothing(scene);

	/* Inventory is taken meanwhile. */
	scene->now_at += DAY;
	scene_report(scene, host, numpy_and_jinja);
	assert_int_equal(scene_n_closed(scene), 1);
	scene_state(scene, host, HOST_ACTIVE);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), first_at);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_restart_changes_nothing(scene);

	scene->now_at += DAY;
	scene_state(scene, host, HOST_EXCLUDED);
	scene->now_at += 3 * DAY;
	scene_state(scene, host, HOST_ACTIVE);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), scene->now_at);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__forgets_in_time(void **state)
{
	struct scene *scene = *state;
	struct fleet_stats stats;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene), gone = scene_host(scene);
	scene_report(scene, host, old_numpy);
	scene_report(scene, gone, old_numpy);
	scene->now_at += DAY;
	scene_report(scene, host, new_numpy);
	scene_state(scene, gone, HOST_TERMINATED);
	assert_int_equal(scene_n_closed(scene), 2);
	scene->now_at += 3 * DAY - 1;
	assert_int_equal(fleet_tidy(scene->fleet, scene->now_at, NULL), 0);
	assert_int_equal(scene_n_closed(scene), 2);
	scene->now_at += 1;
	assert_int_equal(fleet_tidy(scene->fleet, scene->now_at, NULL), 0);
	assert_int_equal(scene_n_closed(scene), 1);
	fleet_lock(scene->fleet);
	assert_null(fleet_host_at(scene->fleet, gone));
	assert_non_null(fleet_host_at(scene->fleet, host));
	fleet_unlock(scene->fleet);
	fleet_stats(scene->fleet, &stats);
	assert_int_equal(stats.n_sets, 1);
	assert_int_equal(stats.n_hosts, 1);
	assert_int_equal(stats.n_closed, 1);
	assert_restart_changes_nothing(scene);
	scene->now_at += 27 * DAY;
	assert_int_equal(fleet_tidy(scene->fleet, scene->now_at, NULL), 0);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_restart_changes_nothing(scene);
	/* A number is never given twice. */
	assert_true(scene_host(scene) > gone);
}

static void test_fleet__counts_hours_of_coverage(void **state)
{
	struct scene *scene = *state;
	uint64_t host = scene_host(scene);
	scene->now_at += DAY;
	scene_report(scene, host, old_numpy);
	scene->now_at += 6 * 3600;
	fleet_lock(scene->fleet);
	assert_true(fleet_usage_hours(scene->fleet, ACCOUNT, scene->now_at) == 6.0);
	fleet_unlock(scene->fleet);
	/* Neither at once nor later that day nor on the next one does it change. */
	scene_state(scene, host, HOST_EXCLUDED);
	for (int i = 0; i <= 2; i++) {
		fleet_lock(scene->fleet);
		assert_true(fleet_usage_hours(scene->fleet, ACCOUNT, scene->now_at) == 6.0);
		fleet_unlock(scene->fleet);
		scene->now_at += DAY / 2;
	}
	scene->now_at -= DAY / 2;
	assert_restart_changes_nothing(scene);
	scene_state(scene, host, HOST_ACTIVE);
	/* Covered for the 7 days after the last report, of which one and a quarter are over. */
	scene->now_at += 20 * DAY;
	fleet_lock(scene->fleet);
	double hours = fleet_usage_hours(scene->fleet, ACCOUNT, scene->now_at);
	fleet_unlock(scene->fleet);
	assert_true(hours == 6.0 + 24 * 7 - 30);
	scene_report(scene, host, new_numpy);
	scene->now_at += 3600;
	assert_restart_changes_nothing(scene);
	fleet_lock(scene->fleet);
	assert_true(
	        fleet_usage_hours(scene->fleet, ACCOUNT, scene->now_at) == 6.0 + 24 * 7 - 30 + 1);
	assert_true(fleet_usage_hours(scene->fleet, ACCOUNT, scene->now_at + 60 * DAY) == 0.0);
	fleet_unlock(scene->fleet);
}

static void test_fleet__believes_the_newest_word_on_a_set(void **state)
{
	struct scene *scene = *state;
	static const struct scene_package own[] = {
		{ .type = "deb", .name = "zlib1g", .version = "1:1.2.13" },
		{ .type = "pypi", .name = "jinja2", .version = "2.0", .path = "/srv/a" },
		END,
	};
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_advise(scene, "PyPI", "CVE-2021-0002", "jinja2", "3.0");
	scene_advise(scene, "Debian:12", "CVE-2021-0003", "zlib1g", "1:1.2.14");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	scene->now_at += 60;
	scene_report_own(scene, host, own);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), 0);
	assert_true(scene_first(scene, host, "CVE-2021-0002") != 0);
	assert_true(scene_first(scene, host, "CVE-2021-0003") != 0);
	scene->now_at += 60;
	scene_report(scene, host, old_numpy);
	assert_true(scene_first(scene, host, "CVE-2021-0001") != 0);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0002"), 0);
	assert_true(scene_first(scene, host, "CVE-2021-0003") != 0);
	assert_restart_changes_nothing(scene);
	assert_int_equal(fleet_forget_type(scene->fleet, ACCOUNT,
	                         STR("Custom:InspectorThirdPartyPackage"), scene->now_at, NULL),
	        1);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), 0);
	assert_true(scene_first(scene, host, "CVE-2021-0002") != 0);
	assert_int_equal(
	        fleet_forget_type(scene->fleet, ACCOUNT, STR(FLEET_OWN_TYPE), scene->now_at, NULL),
	        1);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0002"), 0);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0003"), 0);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__leaves_owned_packages_to_the_distribution(void **state)
{
	struct scene *scene = *state;
	static const char owner[] = "deb python3-numpy 1:1.21.3-1";
	static const struct scene_package own[] = {
		{ .type = "deb", .name = "python3-numpy", .version = "1:1.21.3-1" },
		{ "pypi", "numpy", "1.21.3", "/usr/lib/python3/dist-packages/numpy", owner, NULL,
		        NULL, NULL },
		END,
	};
	static const struct scene_package foreign[] = {
		{ .type = "deb", .name = "python3-numpy", .version = "1:1.21.3-1" },
		{ "pypi", "numpy", "1.21.3", "/opt/app/numpy", owner, NULL, NULL, NULL },
		END,
	};
	static const struct scene_package vendors[] = {
		{ .type = "deb",
		        .name = "python3-numpy",
		        .version = "1:1.21.3-1",
		        .vendor = "Someone <a@docker.com>" },
		{ "pypi", "numpy", "1.21.3", "/usr/lib/python3/dist-packages/numpy", owner, NULL,
		        NULL, NULL },
		END,
	};
	static const struct scene_package unknown[] = {
		{ "pypi", "numpy", "1.21.3", "/usr/lib/python3/dist-packages/numpy", owner, NULL,
		        NULL, NULL },
		END,
	};
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_advise(scene, "Debian:12", "CVE-2021-0003", "zlib1g", "1:1.2.14");
	scene_renew(scene);
	const struct scene_package *const all[] = { own, foreign, vendors, unknown };
	static const bool is_open[] = { false, true, true, false };
	uint64_t hosts[4];
	for (size_t i = 0; i < 4; i++) {
		hosts[i] = scene_host(scene);
		scene_report_own(scene, hosts[i], all[i]);
		assert_true((scene_first(scene, hosts[i], "CVE-2021-0001") != 0) == is_open[i]);
	}
	/* All of them asked about together, at the next opening. */
	scene_restart(scene);
	for (size_t i = 0; i < 4; i++)
		assert_true((scene_first(scene, hosts[i], "CVE-2021-0001") != 0) == is_open[i]);
}

static void test_fleet__matches_os_packages_anew_when_the_os_changes(void **state)
{
	struct scene *scene = *state;
	static const char rows[] = "[{\"Name\":\"zlib1g\",\"Version\":\"1:1.2.13\","
	                           "\"PackageId\":\"zlib_1.2.13_amd64.deb\"}]";
	static const struct pair upgraded[] = { { STR("PlatformVersion"), STR("13") } };
	const struct host_change change = { .facts = upgraded, .n_facts = 1 };
	autobuf content = BUF((size_t)1 << 16);
	buf_add(&content, STR(rows));
	scene_advise(scene, "Debian:12", "CVE-2021-0003", "zlib1g", "1:1.2.14");
	scene_advise(scene, "Debian:13", "CVE-2021-0004", "zlib1g", "1:1.2.14");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	assert_int_equal(scene_item(scene, host, "AWS:Application", "", scene->now_at, &content),
	        REPORT_TAKEN);
	assert_true(scene_first(scene, host, "CVE-2021-0003") != 0);
	scene->now_at += 60;
	assert_int_equal(fleet_host_change(scene->fleet, host, &change, scene->now_at, NULL), 0);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0003"), 0);
	assert_true(scene_first(scene, host, "CVE-2021-0004") != 0);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__says_where_packages_lie(void **state)
{
	struct scene *scene = *state;
	static const struct scene_package twice[] = {
		{ .type = "pypi", .name = "numpy", .version = "1.21.3", .path = "/srv/b" },
		{ .type = "pypi", .name = "numpy", .version = "1.21.3", .path = "/srv/a" },
		{ .type = "npm", .name = "left-pad", .version = "1.0.0", .path = "/srv/c" },
		END,
	};
	struct arena arena = ARENA((size_t)1 << 20);
	const struct place *places;
	size_t n;
	uint64_t host = scene_host(scene);
	scene_report(scene, host, twice);
	for (int i = 0; i < 2; i++) {
		fleet_lock(scene->fleet);
		const struct fleet_host *at = fleet_host_at(scene->fleet, host);
		assert_int_equal(fleet_places(scene->fleet, at, &arena, &places, &n, NULL), 0);
		assert_int_equal(n, 3);
		assert_true(str_eq(places[0].path, STR("/srv/a")));
		assert_true(str_eq(places[1].path, STR("/srv/b")));
		assert_int_equal(places[0].element, places[1].element);
		const struct package_set *set =
		        sets_at(fleet_sets(scene->fleet), at->sets[HOST_LANGUAGE_SET]);
		assert_int_equal(set->n_elements, 2);
		assert_int_equal(set->elements[0], places[0].element);
		assert_int_equal(set->elements[1], places[2].element);
		fleet_unlock(scene->fleet);
	}
	arena_fini(&arena);
}

static void test_fleet__changes_nothing_when_a_commit_fails(void **state)
{
	struct scene *scene = *state;
	autobuf before = BUF((size_t)1 << 20), after = BUF((size_t)1 << 20);
	autobuf content = BUF((size_t)1 << 20);
	enum report_verdict verdict;
	size_t which;
	uint64_t number;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.22");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	scene_advise(scene, "PyPI", "CVE-2021-0002", "jinja2", "3.0");
	scene_build(scene);
	scene_dump(scene, &before);

	scene_write(numpy_and_jinja, &content);
	const struct report_item item = { .type = STR("Custom:InspectorThirdPartyPackage"),
		.captured_at = scene->now_at + 1,
		.has_content = true,
		.content = buf_str(&content) };
	const struct host_change change = { .state = &(enum host_state){ HOST_EXCLUDED } };
	scene_fail(-ENOSPC);
	assert_int_equal(
	        fleet_report(scene->fleet, host, &item, 1, scene->now_at, &verdict, &which, NULL),
	        -ENOSPC);
	assert_int_equal(
	        fleet_host_change(scene->fleet, host, &change, scene->now_at, NULL), -ENOSPC);
	assert_int_equal(fleet_host_add(scene->fleet, ACCOUNT, "0123456789abcdef0", &change,
	                         scene->now_at, NULL, &number, NULL),
	        -ENOSPC);
	assert_int_equal(fleet_renew(scene->fleet, scene->now_at, NULL), -ENOSPC);
	scene_dump(scene, &after);
	assert_same(&before, &after);
	scene_fail(0);
	int64_t first_at = scene_first(scene, host, "CVE-2021-0001");
	scene_restart(scene);
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), first_at);
	assert_int_equal(scene_n_closed(scene), 0);
	assert_int_equal(
	        fleet_report(scene->fleet, host, &item, 1, scene->now_at, &verdict, &which, NULL),
	        0);
	assert_true(scene_first(scene, host, "CVE-2021-0002") != 0);
	assert_int_equal(fleet_host_add(scene->fleet, ACCOUNT, "0123456789abcdef0", &change,
	                         scene->now_at, NULL, &number, NULL),
	        0);
	assert_int_equal(fleet_host_add(scene->fleet, ACCOUNT + 1, "0123456789abcdef0", &change,
	                         scene->now_at, NULL, &number, NULL),
	        -EEXIST);
	assert_restart_changes_nothing(scene);
}

/* So many elements that a renewal takes more than one batch. */
#define N_MANY 4500u

static void report_many(struct scene *scene, uint64_t host)
{
	autobuf content = BUF((size_t)4 << 20);
	buf_add_byte(&content, '[');
	for (unsigned i = 0; i < N_MANY; i++)
		buf_printf(&content,
		        "%s{\"Name\":\"many\",\"Version\":\"1.%u\",\"PackageManager\":\"PIP\"}",
		        i > 0 ? "," : "", i);
	buf_add_byte(&content, ']');
	assert_int_equal(scene_item(scene, host, "Custom:InspectorThirdPartyPackage", "",
	                         scene->now_at, &content),
	        REPORT_TAKEN);
}

/* Wherever a renewal is cut off, the next opening finds it done or not begun, and does it. */
static void test_fleet__renews_as_a_whole_wherever_it_is_cut_off(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "many", "2");
	scene_advise(scene, "PyPI", "CVE-2021-0002", "numpy", "2");
	scene_renew(scene);
	uint64_t host = scene_host(scene), other = scene_host(scene);
	report_many(scene, host);
	scene_report(scene, other, old_numpy);
	int64_t first_at = scene->now_at;
	size_t n_renewed = 0;
	for (int n_commits = 0; n_commits < 12; n_commits++) {
		scene->now_at += 60;
		bool is_there = n_commits % 2 == 1;
		if (is_there)
			scene_advise(scene, "PyPI", "CVE-2021-0001", "many", "2");
		else
			scene_withdraw(scene, "CVE-2021-0001");
		scene_build(scene);
		scene_fail_after(n_commits, -ENOSPC);
		n_renewed += fleet_renew(scene->fleet, scene->now_at, NULL) == 1;
		scene_fail(0);
		scene_restart(scene);
		assert_int_equal(
		        scene_first(scene, host, "CVE-2021-0001"), is_there ? first_at : 0);
		assert_int_equal(scene_n_closed(scene), !is_there);
		assert_int_equal(scene_first(scene, other, "CVE-2021-0002"), first_at);
		assert_restart_changes_nothing(scene);
	}
	assert_true(n_renewed > 2 && n_renewed < 12);
}

/* What is decided has to be carried out before anything else is written. */
static void test_fleet__carries_out_a_renewal_before_the_next_change(void **state)
{
	struct scene *scene = *state;
	scene_advise(scene, "PyPI", "CVE-2021-0001", "many", "2");
	scene_advise(scene, "PyPI", "CVE-2021-0002", "numpy", "2");
	scene_renew(scene);
	uint64_t host = scene_host(scene);
	report_many(scene, host);
	scene_withdraw(scene, "CVE-2021-0001");
	scene_build(scene);
	int n_commits = 0;
	/* The mark is durable, and nothing of what it stands for. */
	for (int r = -1; r < 0; n_commits++) {
		scene_fail_after(n_commits, -ENOSPC);
		r = fleet_renew(scene->fleet, scene->now_at, NULL);
	}
	assert_int_equal(scene_first(scene, host, "CVE-2021-0001"), 0);
	const struct host_change change = { .state = &(enum host_state){ HOST_EXCLUDED } };
	assert_int_equal(
	        fleet_host_change(scene->fleet, host, &change, scene->now_at, NULL), -ENOSPC);
	scene_fail(0);
	scene_state(scene, host, HOST_EXCLUDED);
	assert_int_equal(scene_n_closed(scene), 1);
	assert_restart_changes_nothing(scene);
}

static void test_fleet__refuses_a_damaged_store(void **state)
{
	struct scene *scene = *state;
	struct err err = { 0 };
	uint64_t host = scene_host(scene);
	scene_report(scene, host, old_numpy);
	static const int kinds[] = { 2, 3, 4, 5, 7, 128, 130, 131, 134 };
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct store_batch batch;
		const struct store_key key = { .account = kinds[i] < 4 || kinds[i] == 130 ? 0
			                                                                  : ACCOUNT,
			.bucket = 3,
			.kind = kinds[i],
			.key = STR("what is this") };
		struct store_key bucket_0 = key;
		bucket_0.bucket = kinds[i] < 4 ? 0 : 3;
		store_batch_init(&batch, 0);
		store_batch_put(&batch, bucket_0, STR("\1"));
		assert_int_equal(store_commit(scene->store, &batch, NULL), 0);
		store_batch_fini(&batch);
		scene_close(scene);
		assert_int_equal(scene_open(scene, &err), -ERR_FORMAT);
		assert_true(err.text[0] != '\0');
		store_batch_init(&batch, 0);
		store_batch_delete(&batch, bucket_0);
		assert_int_equal(store_commit(scene->store, &batch, NULL), 0);
		store_batch_fini(&batch);
		scene_close(scene);
		assert_int_equal(scene_open(scene, &err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_fleet__derives_what_is_open),
		on_scene(test_fleet__works_without_a_database),
		on_scene(test_fleet__takes_a_hash_for_content_that_it_has),
		on_scene(test_fleet__passes_over_what_is_older_or_known),
		on_scene(test_fleet__notes_the_latest_sign_of_life),
		on_scene(test_fleet__refuses_a_report_as_a_whole),
		on_scene(test_fleet__gives_back_what_was_sent),
		on_scene(test_fleet__remembers_since_when_a_host_has_a_package),
		on_scene(test_fleet__keeps_first_observed_when_the_package_changes),
		on_scene(test_fleet__opens_the_same_finding_within_seven_days),
		on_scene(test_fleet__renews_without_hearing_from_hosts),
		on_scene(test_fleet__renews_when_it_is_opened),
		on_scene(test_fleet__keeps_findings_while_the_database_is_away),
		on_scene(test_fleet__pins_first_observed_when_a_match_goes),
		on_scene(test_fleet__closes_findings_of_hosts_that_leave_scanning),
		on_scene(test_fleet__forgets_in_time),
		on_scene(test_fleet__counts_hours_of_coverage),
		on_scene(test_fleet__believes_the_newest_word_on_a_set),
		on_scene(test_fleet__leaves_owned_packages_to_the_distribution),
		on_scene(test_fleet__matches_os_packages_anew_when_the_os_changes),
		on_scene(test_fleet__says_where_packages_lie),
		on_scene(test_fleet__changes_nothing_when_a_commit_fails),
		on_scene(test_fleet__renews_as_a_whole_wherever_it_is_cut_off),
		on_scene(test_fleet__carries_out_a_renewal_before_the_next_change),
		on_scene(test_fleet__refuses_a_damaged_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
