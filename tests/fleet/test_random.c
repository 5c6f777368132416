/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any sequence of reports, renewals, changes of state and restarts leaves the fleet in the state
 * that a slow model is in: the model keeps raw inventories, asks match_host() about each host anew
 * after every step, and follows each finding by what it sees: a finding that appears is as old as
 * the step, or as the closed one that it is again.
 */
#include <string.h>

#include "base/cleanup.h"
#include "match/match.h"
#include "scene.h"

#define N_HOSTS 6
#define N_VULNS 10
#define N_CLOSED 4000
#define STEPS 120

struct stock {
	struct scene_package items[24];
	size_t n;
	int64_t captured_at; /* 0: never reported */
};

struct closed {
	size_t host, vuln;
	int64_t first, closed_at;
	enum closing_reason reason;
};

struct model {
	struct scene *scene;
	struct vulndb *db;
	uint64_t seed;
	uint64_t hosts[N_HOSTS];
	enum host_state states[N_HOSTS];
	struct stock third[N_HOSTS], own[N_HOSTS];
	int64_t first[N_HOSTS][N_VULNS];
	struct closed closed[N_CLOSED];
	size_t n_closed;
	bool has[N_VULNS];
	unsigned variant[N_VULNS];
};

static const char *const names[] = { "alpha", "beta", "gamma", "delta" };
static const char *const versions[] = { "1.0", "2.0", "3.0" };

static uint64_t pick(struct model *m, uint64_t n)
{
	return scene_random(&m->seed) % n;
}

static void vuln_name(size_t v, char ret[32])
{
	(void)snprintf(ret, 32, "CVE-2021-%04zu", v + 1);
}

/* ---- what the model thinks ---- */

static size_t gather(const struct model *m, size_t h, struct package *ret)
{
	const struct stock *third = &m->third[h], *own = &m->own[h];
	bool third_is_word = third->captured_at > own->captured_at;
	size_t n = 0;
	for (size_t i = 0; i < own->n; i++) {
		const struct scene_package *p = &own->items[i];
		bool is_os = strcmp(p->type, "deb") == 0;
		if (is_os || !third_is_word)
			ret[n++] = (struct package){
				.type = str_from_c(p->type),
				.name = str_from_c(p->name),
				.version = str_from_c(p->version),
				.path = str_from_c(p->path),
				.owner = str_from_c(p->owner),
				.vendor = str_from_c(p->vendor),
			};
	}
	for (size_t i = 0; third_is_word && i < third->n; i++)
		ret[n++] = (struct package){
			.type = str_from_c(third->items[i].type),
			.name = str_from_c(third->items[i].name),
			.version = str_from_c(third->items[i].version),
			.path = str_from_c(third->items[i].path),
		};
	return n;
}

static void find_open(const struct model *m, size_t h, bool open[N_VULNS])
{
	struct package packages[64];
	struct arena arena = ARENA((size_t)16 << 20);
	struct ledger ledger = { .arena = &arena };
	struct match_result result = { .findings = NULL };
	const struct host os = { .os_id = STR("debian"), .os_version = STR("12") };
	memset(open, 0, N_VULNS * sizeof(*open));
	size_t n = gather(m, h, packages);
	if (m->db && m->states[h] == HOST_ACTIVE) {
		assert_int_equal(match_host(m->db, &os, packages, n, &ledger, &result, NULL), 0);
		for (size_t i = 0; i < result.n_findings; i++) {
			for (size_t v = 0; v < N_VULNS; v++) {
				char name[32];
				vuln_name(v, name);
				open[v] |= str_eq(result.findings[i].id, str_from_c(name));
			}
		}
	}
	match_result_fini(&result);
	arena_fini(&arena);
}

static int64_t ends_at(const struct closed *closed)
{
	return closed->closed_at + (closed->reason == CLOSED_INELIGIBLE ? 3 : 30) * DAY;
}

static struct closed *find_closed(struct model *m, size_t h, size_t v)
{
	struct closed *newest = NULL;
	for (size_t i = 0; i < m->n_closed; i++) {
		struct closed *c = &m->closed[i];
		if (c->host == h && c->vuln == v && m->scene->now_at - c->closed_at <= 7 * DAY &&
		        m->scene->now_at < ends_at(c) &&
		        (!newest || c->closed_at >= newest->closed_at))
			newest = c;
	}
	return newest;
}

/* Follow the findings of a host through a step. */
static void follow(struct model *m, size_t h, enum closing_reason reason)
{
	bool open[N_VULNS];
	find_open(m, h, open);
	for (size_t v = 0; v < N_VULNS; v++) {
		int64_t *first = &m->first[h][v];
		if (open[v] && *first == 0) {
			struct closed *closed = find_closed(m, h, v);
			*first = closed ? closed->first : m->scene->now_at;
			if (closed)
				*closed = m->closed[--m->n_closed];
		} else if (!open[v] && *first != 0) {
			assert_true(m->n_closed < N_CLOSED);
			m->closed[m->n_closed++] =
			        (struct closed){ h, v, *first, m->scene->now_at, reason };
			*first = 0;
		}
	}
}

static void follow_all(struct model *m)
{
	for (size_t h = 0; h < N_HOSTS; h++)
		follow(m, h, CLOSED_REMEDIATED);
}

/* ---- steps ---- */

static void fill(struct model *m, struct stock *stock, bool is_own)
{
	static const char *const owners[] = { "deb python3-alpha 1.0", "deb python3-beta 1.0" };
	stock->n = 0;
	for (size_t i = 0; i < 4; i++) {
		if (pick(m, 3) == 0)
			continue;
		stock->items[stock->n++] = (struct scene_package){
			.type = pick(m, 4) == 0 ? "npm" : "pypi",
			.name = names[i],
			.version = versions[pick(m, 3)],
			.path = pick(m, 3) == 0 ? "/opt/app" : "/usr/lib/x",
			.owner = is_own && pick(m, 2) == 0 ? owners[pick(m, 2)] : NULL,
		};
	}
	for (size_t i = 0; is_own && i < 2; i++) {
		if (pick(m, 3) == 0)
			continue;
		stock->items[stock->n++] = (struct scene_package){
			.type = "deb",
			.name = i == 0 ? "python3-alpha" : "python3-beta",
			.version = "1.0",
			.path = "/var/lib/dpkg/status",
			.vendor = pick(m, 3) == 0 ? "A <a@docker.com>" : NULL,
		};
	}
	stock->items[stock->n] = (struct scene_package){ .name = NULL };
	stock->captured_at = m->scene->now_at;
}

static void step_report(struct model *m)
{
	size_t h = pick(m, N_HOSTS);
	bool is_own = pick(m, 2) == 0;
	struct stock *stock = is_own ? &m->own[h] : &m->third[h];
	fill(m, stock, is_own);
	if (is_own)
		scene_report_own(m->scene, m->hosts[h], stock->items);
	else
		scene_report(m->scene, m->hosts[h], stock->items);
	follow(m, h, CLOSED_REMEDIATED);
}

static void step_stale(struct model *m)
{
	size_t h = pick(m, N_HOSTS);
	struct stock stock;
	autobuf content = BUF((size_t)1 << 20);
	if (m->third[h].captured_at == 0)
		return;
	fill(m, &stock, false);
	scene_write(stock.items, &content);
	assert_int_equal(scene_item(m->scene, m->hosts[h], "Custom:InspectorThirdPartyPackage", "",
	                         m->third[h].captured_at - 1, &content),
	        REPORT_STALE);
}

static void step_state(struct model *m)
{
	static const enum host_state states[] = { HOST_ACTIVE, HOST_ACTIVE, HOST_EXCLUDED,
		HOST_DISABLED };
	size_t h = pick(m, N_HOSTS);
	m->states[h] = states[pick(m, 4)];
	scene_state(m->scene, m->hosts[h], m->states[h]);
	follow(m, h, CLOSED_INELIGIBLE);
}

static void change_data(struct model *m)
{
	for (size_t i = 0; i < 3; i++) {
		size_t v = pick(m, N_VULNS);
		m->has[v] = !m->has[v];
		m->variant[v] = (unsigned)pick(m, 8);
	}
	m->scene->n_advisories = 0;
	for (size_t v = 0; v < N_VULNS; v++) {
		char name[32];
		vuln_name(v, name);
		if (!m->has[v])
			continue;
		scene_advise(m->scene, "PyPI", name, names[m->variant[v] % 4],
		        m->variant[v] < 4 ? "2.0" : "3.0");
		if (m->variant[v] % 3 == 0)
			scene_advise(m->scene, "npm", name, names[(m->variant[v] + 1) % 4], "3.0");
		if (m->variant[v] % 3 == 1)
			scene_advise(m->scene, "Debian:12", name, "python3-alpha", "2.0");
	}
	/* A database is never empty. */
	scene_advise(m->scene, "PyPI", "CVE-2000-0001", "nothing", "1");
}

static void open_data(struct model *m)
{
	char dir[128];
	(void)snprintf(dir, sizeof(dir), "%s/db", m->scene->dir);
	vulndb_close(m->db);
	m->db = NULL;
	assert_int_equal(vulndb_open(dir, &m->db, NULL), 0);
}

static void step_renew(struct model *m)
{
	change_data(m);
	if (pick(m, 3) == 0) {
		scene_build(m->scene);
		scene_restart(m->scene);
	} else {
		scene_renew(m->scene);
	}
	open_data(m);
	follow_all(m);
}

static void step_tidy(struct model *m)
{
	while (fleet_tidy(m->scene->fleet, m->scene->now_at, NULL) > 0) {
	}
	size_t n = 0;
	for (size_t i = 0; i < m->n_closed; i++) {
		if (ends_at(&m->closed[i]) > m->scene->now_at)
			m->closed[n++] = m->closed[i];
	}
	m->n_closed = n;
}

/* A change that the disk refuses is none. */
static void step_failure(struct model *m)
{
	struct err err = { 0 };
	enum report_verdict verdict;
	size_t which, h = pick(m, N_HOSTS);
	struct stock stock;
	autobuf content = BUF((size_t)1 << 20);
	fill(m, &stock, true);
	scene_write_own(stock.items, &content);
	const struct report_item item = { .type = STR(FLEET_OWN_TYPE),
		.captured_at = m->scene->now_at,
		.has_content = true,
		.content = buf_str(&content) };
	scene_fail(-5);
	assert_int_equal(fleet_report(m->scene->fleet, m->hosts[h], &item, 1, m->scene->now_at,
	                         &verdict, &which, &err),
	        -5);
	scene_fail(0);
}

/* ---- comparing ---- */

static void compare_closed(struct model *m, size_t step)
{
	size_t n;
	fleet_lock(m->scene->fleet);
	const struct closed_finding *const *closed = fleet_closed(m->scene->fleet, ACCOUNT, &n);
	size_t n_found = 0;
	for (size_t i = 0; i < n; i++) {
		str name = dictionary_vuln_name(fleet_dictionary(m->scene->fleet), closed[i]->vuln);
		for (size_t k = 0; k < m->n_closed; k++) {
			const struct closed *c = &m->closed[k];
			char want[32];
			vuln_name(c->vuln, want);
			if (m->hosts[c->host] == closed[i]->host &&
			        str_eq(name, str_from_c(want)) &&
			        c->first == closed[i]->first_observed &&
			        c->closed_at == closed[i]->closed_at &&
			        c->reason == closed[i]->reason) {
				n_found++;
				break;
			}
		}
	}
	fleet_unlock(m->scene->fleet);
	if (n_found != n || n != m->n_closed)
		fail_msg("step %zu: %zu closed findings, %zu of them as in the model, which has "
		         "%zu",
		        step, n, n_found, m->n_closed);
}

static void compare(struct model *m, size_t step)
{
	for (size_t h = 0; h < N_HOSTS; h++) {
		for (size_t v = 0; v < N_VULNS; v++) {
			char name[32];
			vuln_name(v, name);
			int64_t first = scene_first(m->scene, m->hosts[h], name);
			if (first != m->first[h][v])
				fail_msg("step %zu: host %zu %s: open since %lld, in the model "
				         "%lld",
				        step, h, name, (long long)first, (long long)m->first[h][v]);
		}
	}
	compare_closed(m, step);
}

static void run(struct scene *scene, uint64_t seed)
{
	static struct model m;
	(void)printf("seed %llu\n", (unsigned long long)seed);
	m = (struct model){ .scene = scene, .seed = seed * UINT64_C(0x9E3779B97F4A7C15) + 1 };
	for (size_t h = 0; h < N_HOSTS; h++)
		m.hosts[h] = scene_host(scene);
	for (size_t step = 0; step < STEPS; step++) {
		scene->now_at += 1 + (int64_t)pick(&m, pick(&m, 4) == 0 ? 4 * DAY : 3600);
		switch (pick(&m, 16)) {
		case 0: step_state(&m); break;
		case 1: step_state(&m); break;
		case 2: step_renew(&m); break;
		case 3: step_renew(&m); break;
		case 4: scene_restart(scene); break;
		case 5: step_tidy(&m); break;
		case 6: step_stale(&m); break;
		case 7: step_failure(&m); break;
		default: step_report(&m); break;
		}
		compare(&m, step);
	}
	scene_restart(scene);
	compare(&m, STEPS);
	vulndb_close(m.db);
}

static uint64_t first_seed = 1;

static void test_random__agrees_with_a_slow_model(void **state)
{
	run(*state, first_seed);
}

static void test_random__agrees_with_it_once_more(void **state)
{
	run(*state, first_seed + 1);
}

static void test_random__agrees_with_it_for_a_third_time(void **state)
{
	run(*state, first_seed + 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_random__agrees_with_a_slow_model),
		on_scene(test_random__agrees_with_it_once_more),
		on_scene(test_random__agrees_with_it_for_a_third_time),
	};
	if (argc > 1)
		(void)str_to_u64(str_from_c(argv[1]), UINT64_MAX, &first_seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
