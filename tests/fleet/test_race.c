/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports, changes of state, renewals, tidying and looking on several threads at once: afterwards
 * the fleet is what the last reports say, and what a restart finds. Meant for thread sanitizer,
 * too.
 */
#include <pthread.h>
#include <roaring/roaring.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "scene.h"

#define N_THREADS 4
#define N_HOSTS 8
#define N_ROUNDS 25

struct race {
	struct scene *scene;
	uint64_t hosts[N_HOSTS], others[2];
	_Atomic int64_t clock;
	_Atomic bool is_over;
};

struct runner {
	struct race *race;
	unsigned which;
};

static void report_item(
        struct race *race, uint64_t host, const char *type, const char *text, int64_t at)
{
	enum report_verdict verdict;
	size_t which;
	struct err err = { 0 };
	const struct report_item item = { .type = str_from_c(type),
		.captured_at = at,
		.has_content = true,
		.content = str_from_c(text) };
	int r = fleet_report(race->scene->fleet, host, &item, 1, at, &verdict, &which, &err);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", err.text);
		abort();
	}
}

/* One host tells sources, another one's agent does not. */
static void report_os(struct race *race, unsigned i, int64_t at)
{
	char text[512];
	if (i % 2)
		(void)snprintf(text, sizeof(text),
		        "[{\"Name\":\"lib%u\",\"Version\":\"1\",\"PackageId\":\"x.deb\"},"
		        "{\"Name\":\"lib%u\",\"Version\":\"1\",\"PackageId\":\"x.deb\"}]",
		        i % 20, (i + 1) % 20);
	else
		(void)snprintf(text, sizeof(text),
		        "{\"schema\":\"sonde.scan/1\",\"host\":{\"os_id\":\"debian\","
		        "\"os_version\":\"12\"},\"packages\":[{\"type\":\"deb\",\"name\":"
		        "\"lib%u\",\"version\":\"1\",\"source_name\":\"src%u\"}]}",
		        i % 20, i % 3);
	report_item(
	        race, race->others[i % 2], i % 2 ? "AWS:Application" : FLEET_OWN_TYPE, text, at);
}

static void report(struct race *race, uint64_t host, const char *version, int64_t at)
{
	char text[512];
	(void)snprintf(text, sizeof(text),
	        "[{\"Name\":\"numpy\",\"Version\":\"%s\",\"PackageManager\":\"PYTHONPKG\"},"
	        "{\"Name\":\"jinja2\",\"Version\":\"%s\",\"PackageManager\":\"PYTHONPKG\"}]",
	        version, version);
	report_item(race, host, "Custom:InspectorThirdPartyPackage", text, at);
}

/* Two threads to a host, so that they meet. */
static void *change(void *ctx)
{
	const struct runner *runner = ctx;
	struct race *race = runner->race;
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		char version[32];
		uint64_t host = race->hosts[(i + runner->which / 2 * 4) % N_HOSTS];
		(void)snprintf(version, sizeof(version), "1.%u", (i * 7 + runner->which) % 40);
		report(race, host, version, atomic_fetch_add(&race->clock, 1));
		report_os(race, i + runner->which, atomic_fetch_add(&race->clock, 1));
		if (i % 8 == runner->which) {
			enum host_state state = i % 16 < 8 ? HOST_EXCLUDED : HOST_ACTIVE;
			const struct host_change state_change = { .state = &state };
			if (fleet_host_change(race->scene->fleet, host, &state_change,
			            atomic_fetch_add(&race->clock, 1), NULL) < 0)
				abort();
		}
	}
	return NULL;
}

/* What is seen under one lock belongs together. */
static void *look(void *ctx)
{
	const struct runner *runner = ctx;
	struct race *race = runner->race;
	struct fleet *fleet = race->scene->fleet;
	while (!atomic_load(&race->is_over)) {
		size_t n_closed;
		fleet_lock(fleet);
		const struct generation *g = fleet_generation(fleet);
		for (size_t i = 0; i < g->n_issues; i++) {
			for (size_t k = 0; k < g->issues[i]->n_matches; k++) {
				const struct match *match = g->issues[i]->matches[k];
				if (generation_match(g, match->element, g->issues[i]->vuln) !=
				        match)
					abort();
			}
		}
		for (size_t i = 0; i < N_HOSTS; i++) {
			const struct fleet_host *host = fleet_host_at(fleet, race->hosts[i]);
			const struct package_set *set =
			        sets_at(fleet_sets(fleet), host->sets[HOST_LANGUAGE_SET]);
			if (set && !roaring_bitmap_contains(set->hosts, (uint32_t)host->number))
				abort();
			for (vuln_id v = 1; v < 4; v++)
				(void)fleet_first_observed(fleet, host, v);
		}
		(void)fleet_closed(fleet, ACCOUNT, &n_closed);
		(void)fleet_usage_hours(fleet, ACCOUNT, atomic_load(&race->clock));
		fleet_unlock(fleet);
		struct fleet_stats stats;
		fleet_stats(fleet, &stats);
	}
	return NULL;
}

static void test_race__leaves_what_the_last_reports_say(void **state)
{
	struct scene *scene = *state;
	struct race race = { .scene = scene, .clock = scene->now_at + 10 };
	struct runner runners[N_THREADS + 1];
	pthread_t threads[N_THREADS + 1];
	autobuf before = BUF((size_t)4 << 20), after = BUF((size_t)4 << 20);
	scene_advise(scene, "PyPI", "CVE-2021-0001", "numpy", "1.20");
	scene_renew(scene);
	for (size_t i = 0; i < N_HOSTS; i++)
		race.hosts[i] = scene_host(scene);
	for (size_t i = 0; i < 2; i++)
		race.others[i] = scene_host(scene);
	for (unsigned i = 0; i <= N_THREADS; i++) {
		runners[i] = (struct runner){ &race, i };
		assert_int_equal(pthread_create(&threads[i], NULL, i < N_THREADS ? change : look,
		                         &runners[i]),
		        0);
	}
	for (unsigned i = 0; i < 3; i++) {
		char id[32];
		(void)snprintf(id, sizeof(id), "CVE-2021-001%u", i);
		scene_advise(scene, "PyPI", id, i % 2 ? "numpy" : "jinja2", "1.30");
		scene_build(scene);
		assert_int_equal(
		        fleet_renew(scene->fleet, atomic_fetch_add(&race.clock, 1), NULL), 1);
		assert_true(fleet_tidy(scene->fleet, atomic_load(&race.clock), NULL) >= 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	atomic_store(&race.is_over, true);
	(void)pthread_join(threads[N_THREADS], NULL);

	scene->now_at = atomic_load(&race.clock) + 1;
	scene_dump(scene, &before);
	scene_restart(scene);
	scene_dump(scene, &after);
	if (!str_eq(buf_str(&before), buf_str(&after)))
		fail_msg("was\n" STR_FMT "\nis\n" STR_FMT, STR_ARG(buf_str(&before)),
		        STR_ARG(buf_str(&after)));
	for (size_t i = 0; i < N_HOSTS; i++) {
		scene_state(scene, race.hosts[i], HOST_ACTIVE);
		report(&race, race.hosts[i], "1.1", scene->now_at + 1);
		assert_true(scene_first(scene, race.hosts[i], "CVE-2021-0001") != 0);
		report(&race, race.hosts[i], "1.50", scene->now_at + 2);
		assert_int_equal(scene_first(scene, race.hosts[i], "CVE-2021-0001"), 0);
		assert_int_equal(scene_first(scene, race.hosts[i], "CVE-2021-0011"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_race__leaves_what_the_last_reports_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
