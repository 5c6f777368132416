/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <roaring/roaring.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "vulndb/vulndb.h"
#include "store/backend.h"

/* ---- a store whose commits fail to order ---- */

static _Atomic int fail_class, fail_after;

static int apply(void *db, struct store_batch *first, uint64_t *ret_sync_us, struct err *err)
{
	if (atomic_load(&fail_class) != 0 && atomic_fetch_sub(&fail_after, 1) <= 0)
		return err_set(err, atomic_load(&fail_class), "a failure to order");
	return store_sqlite.apply(db, first, ret_sync_us, err);
}

void scene_fail_after(int n_commits, int r)
{
	atomic_store(&fail_after, n_commits);
	atomic_store(&fail_class, r);
}

void scene_fail(int r)
{
	scene_fail_after(0, r);
}

/* ---- opening and closing ---- */

static void tell(void *ctx, const char *text)
{
	struct scene *scene = ctx;
	size_t n = strlen(scene->told);
	(void)snprintf(scene->told + n, sizeof(scene->told) - n, "%s\n", text);
}

static const char *below(const struct scene *scene, const char *name)
{
	static _Thread_local char path[128];
	(void)snprintf(path, sizeof(path), "%s/%s", scene->dir, name);
	return path;
}

int scene_open(struct scene *scene, struct err *err)
{
	static struct store_backend backend;
	char db[128];
	backend = store_sqlite;
	backend.apply = apply;
	(void)snprintf(db, sizeof(db), "%s/db", scene->dir);
	assert_int_equal(
	        store_open_on(&backend, below(scene, "store"), STORE_CREATE, &scene->store, err),
	        0);
	const struct fleet_config config = {
		.store = scene->store,
		.db_dir = db,
		.now_at = scene->now_at,
		.tell = tell,
		.ctx = scene,
	};
	return fleet_open(&config, &scene->fleet, err);
}

void scene_close(struct scene *scene)
{
	fleet_close(scene->fleet);
	scene->fleet = NULL;
	store_close(scene->store);
	scene->store = NULL;
}

void scene_restart(struct scene *scene)
{
	struct err err = { 0 };
	scene_close(scene);
	if (scene_open(scene, &err) < 0)
		fail_msg("%s", err.text);
}

int scene_setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct err err = { 0 };
	assert_non_null(scene);
	(void)snprintf(scene->dir, sizeof(scene->dir), "/tmp/sonde-fleet-XXXXXX");
	assert_non_null(mkdtemp(scene->dir));
	scene->now_at = INT64_C(1700006400); /* a midnight */
	if (scene_open(scene, &err) < 0)
		fail_msg("%s", err.text);
	*state = scene;
	return 0;
}

int scene_teardown(void **state)
{
	struct scene *scene = *state;
	scene_fail(0);
	scene_close(scene);
	assert_int_equal(fs_remove_tree(AT_FDCWD, scene->dir), 0);
	free(scene);
	return 0;
}

/* ---- the database ---- */

void scene_advise(struct scene *scene, const char *ecosystem, const char *id, const char *name,
        const char *fixed)
{
	assert_true(scene->n_advisories < 64);
	struct scene_advisory *a = &scene->advisories[scene->n_advisories++];
	(void)snprintf(a->id, sizeof(a->id), "%s", id);
	(void)snprintf(a->ecosystem, sizeof(a->ecosystem), "%s", ecosystem);
	(void)snprintf(a->name, sizeof(a->name), "%s", name);
	(void)snprintf(a->fixed, sizeof(a->fixed), "%s", fixed);
}

void scene_withdraw(struct scene *scene, const char *id)
{
	size_t n = 0;
	for (size_t i = 0; i < scene->n_advisories; i++) {
		if (strcmp(scene->advisories[i].id, id) != 0)
			scene->advisories[n++] = scene->advisories[i];
	}
	assert_true(n < scene->n_advisories);
	scene->n_advisories = n;
}

static void write_record(const struct scene *scene, const struct scene_advisory *a, size_t i)
{
	char path[320], folder[256];
	/* "Debian:12" is a release of the source "Debian". */
	size_t n = strcspn(a->ecosystem, ":");
	(void)snprintf(folder, sizeof(folder), "%s/in/%.*s", scene->dir, (int)n, a->ecosystem);
	assert_int_equal(fs_make_dirs(folder, 0755, NULL), 0);
	(void)snprintf(path, sizeof(path), "%s/R-%zu.json", folder, i);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	/* Two records of one id are two records that name one CVE. */
	(void)fprintf(file,
	        "{\"schema_version\":\"1.6.0\",\"id\":\"R-%s-%s\",\"aliases\":[\"%s\"],"
	        "\"modified\":\"2024-01-02T03:04:05Z\",\"summary\":\"About %s\","
	        "\"severity\":[{\"type\":\"CVSS_V3\",\"score\":"
	        "\"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"}],"
	        "\"affected\":[{\"package\":{\"ecosystem\":\"%s\",\"name\":\"%s\"},\"ranges\":[{"
	        "\"type\":\"ECOSYSTEM\",\"events\":[{\"introduced\":\"0\"},{\"fixed\":\"%s\"}]}]}]"
	        "}",
	        a->id, a->name, a->id, a->id, a->ecosystem, a->name, a->fixed);
	assert_int_equal(fclose(file), 0);
}

void scene_build(struct scene *scene)
{
	static const char *const ecosystems[] = { "PyPI", "npm", "Debian" };
	struct import_listener listener = { .ctx = NULL };
	struct err err = { 0 };
	char feeds[128], db[128], folders[3][192];
	const char *paths[3];
	size_t n = 0;
	assert_int_equal(fs_remove_tree(AT_FDCWD, below(scene, "in")), 0);
	assert_int_equal(fs_remove_tree(AT_FDCWD, below(scene, "feeds")), 0);
	for (size_t i = 0; i < scene->n_advisories; i++)
		write_record(scene, &scene->advisories[i], i);
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(
		        folders[n], sizeof(folders[n]), "%s/in/%s", scene->dir, ecosystems[i]);
		if (access(folders[n], F_OK) == 0) {
			paths[n] = folders[n];
			n++;
		}
	}
	(void)snprintf(feeds, sizeof(feeds), "%s/feeds", scene->dir);
	(void)snprintf(db, sizeof(db), "%s/db", scene->dir);
	if (feed_import(paths, n, feeds, 1, &listener, &err) < 0 ||
	        vulndb_build(feeds, db, 1, &listener, &err) < 0)
		fail_msg("%s", err.text);
	scene->has_database = true;
}

void scene_renew(struct scene *scene)
{
	struct err err = { 0 };
	scene_build(scene);
	if (fleet_renew(scene->fleet, scene->now_at, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- hosts ---- */

uint64_t scene_host_of(struct scene *scene, int64_t account)
{
	static _Atomic uint64_t n = 1;
	static const struct pair facts[] = { { STR("PlatformName"), STR("Debian GNU/Linux") },
		{ STR("PlatformVersion"), STR("12") } };
	const struct host_change change = { .facts = facts, .n_facts = 2 };
	struct err err = { 0 };
	uint64_t number;
	char id[18];
	(void)snprintf(id, sizeof(id), "%017llx", (unsigned long long)atomic_fetch_add(&n, 1));
	if (fleet_host_add(scene->fleet, account, id, &change, scene->now_at, NULL, &number, &err) <
	        0)
		fail_msg("%s", err.text);
	return number;
}

uint64_t scene_host(struct scene *scene)
{
	return scene_host_of(scene, ACCOUNT);
}

static const char *manager_of(const char *type)
{
	return strcmp(type, "npm") == 0 ? "NODEPKG" : "PYTHONPKG";
}

void scene_write(const struct scene_package *packages, struct buf *out)
{
	buf_add_byte(out, '[');
	for (size_t i = 0; packages[i].name; i++)
		buf_printf(out,
		        "%s{\"Name\":\"%s\",\"Version\":\"%s\",\"PackageManager\":\"%s\","
		        "\"Path\":\"%s\"}",
		        i > 0 ? "," : "", packages[i].name, packages[i].version,
		        manager_of(packages[i].type),
		        packages[i].path ? packages[i].path : "/srv/x");
	buf_add_byte(out, ']');
}

static void write_text(struct buf *out, const char *key, const char *value)
{
	if (value)
		buf_printf(out, ",\"%s\":\"%s\"", key, value);
}

void scene_write_own(const struct scene_package *packages, struct buf *out)
{
	buf_printf(out, "{\"schema\":\"sonde.scan/1\",\"host\":{\"os_id\":\"debian\","
	                "\"os_version\":\"12\"},\"packages\":[");
	for (size_t i = 0; packages[i].name; i++) {
		buf_printf(out,
		        "%s{\"type\":\"%s\",\"name\":\"%s\",\"version\":\"%s\","
		        "\"path\":\"%s\",\"confidence\":\"high\",\"reader\":\"x\"",
		        i > 0 ? "," : "", packages[i].type, packages[i].name, packages[i].version,
		        packages[i].path ? packages[i].path : "/var/lib/x");
		write_text(out, "owner", packages[i].owner);
		write_text(out, "vendor", packages[i].vendor);
		write_text(out, "source_name", packages[i].source);
		write_text(out, "source_version", packages[i].source_version);
		buf_add_byte(out, '}');
	}
	buf_printf(out, "]}");
}

enum report_verdict scene_item(struct scene *scene, uint64_t host, const char *type,
        const char *hash, int64_t captured_at, const struct buf *content)
{
	struct err err = { 0 };
	enum report_verdict verdict = REPORT_TAKEN;
	size_t which;
	const struct report_item item = {
		.type = str_from_c(type),
		.schema_version = STR("1.0"),
		.capture_time = STR("2023-11-15T00:00:00Z"),
		.captured_at = captured_at,
		.content_hash = str_from_c(hash),
		.has_content = content != NULL,
		.content = content ? buf_str(content) : STR(""),
	};
	if (fleet_report(scene->fleet, host, &item, 1, scene->now_at, &verdict, &which, &err) < 0)
		fail_msg("%s", err.text);
	return verdict;
}

void scene_report(struct scene *scene, uint64_t host, const struct scene_package *packages)
{
	autobuf content = BUF((size_t)16 << 20);
	scene_write(packages, &content);
	assert_int_equal(scene_item(scene, host, "Custom:InspectorThirdPartyPackage", "",
	                         scene->now_at, &content),
	        REPORT_TAKEN);
}

void scene_report_own(struct scene *scene, uint64_t host, const struct scene_package *packages)
{
	autobuf content = BUF((size_t)16 << 20);
	scene_write_own(packages, &content);
	assert_int_equal(
	        scene_item(scene, host, FLEET_OWN_TYPE, "", scene->now_at, &content), REPORT_TAKEN);
}

void scene_report_stock(struct scene *scene, uint64_t host, const struct scene_package *packages)
{
	autobuf content = BUF((size_t)16 << 20);
	buf_add_byte(&content, '[');
	for (size_t i = 0; packages[i].name; i++)
		buf_printf(&content,
		        "%s{\"Name\":\"%s\",\"Version\":\"%s\",\"Architecture\":\"x86_64\","
		        "\"PackageId\":\"%s_%s_amd64.deb\"}",
		        i > 0 ? "," : "", packages[i].name, packages[i].version, packages[i].name,
		        packages[i].version);
	buf_add_byte(&content, ']');
	assert_int_equal(scene_item(scene, host, "AWS:Application", "", scene->now_at, &content),
	        REPORT_TAKEN);
}

void scene_tidy(struct scene *scene)
{
	struct err err = { 0 };
	int more = 1;
	while (more == 1)
		more = fleet_tidy(scene->fleet, scene->now_at, &err);
	if (more < 0)
		fail_msg("%s", err.text);
}

void scene_state(struct scene *scene, uint64_t host, enum host_state state)
{
	const struct host_change change = { .state = &state };
	struct err err = { 0 };
	if (fleet_host_change(scene->fleet, host, &change, scene->now_at, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- looking ---- */

int64_t scene_first(struct scene *scene, uint64_t number, const char *vuln)
{
	int64_t at = 0;
	fleet_lock(scene->fleet);
	const struct fleet_host *host = fleet_host_at(scene->fleet, number);
	vuln_id id = dictionary_vuln_find(fleet_dictionary(scene->fleet), str_from_c(vuln));
	if (host && id)
		at = fleet_first_observed(scene->fleet, host, id);
	fleet_unlock(scene->fleet);
	return at;
}

size_t scene_n_closed(struct scene *scene)
{
	size_t n;
	fleet_lock(scene->fleet);
	(void)fleet_closed(scene->fleet, ACCOUNT, &n);
	fleet_unlock(scene->fleet);
	return n;
}

const struct closed_finding *scene_closed(struct scene *scene, uint64_t host, const char *vuln)
{
	size_t n;
	const struct closed_finding *found = NULL;
	fleet_lock(scene->fleet);
	const struct closed_finding *const *closed = fleet_closed(scene->fleet, ACCOUNT, &n);
	for (size_t i = 0; i < n; i++) {
		str name = dictionary_vuln_name(fleet_dictionary(scene->fleet), closed[i]->vuln);
		if (closed[i]->host == host && str_eq(name, str_from_c(vuln)))
			found = closed[i];
	}
	fleet_unlock(scene->fleet);
	return found;
}

static void dump_host(struct scene *scene, const struct fleet_host *host, struct buf *out)
{
	const struct dictionary *dictionary = fleet_dictionary(scene->fleet);
	buf_printf(out,
	        "host %llu %s state %u at %lld enrolled %lld eligible %lld seen %lld "
	        "covered %lld changed %lld\n",
	        (unsigned long long)host->number, host->id, host->state, (long long)host->state_at,
	        (long long)host->enrolled_at, (long long)host->eligible_since,
	        (long long)host->seen_at, (long long)host->covered_since,
	        (long long)host->changed_at);
	for (int k = 0; k < HOST_N_SETS; k++) {
		const struct package_set *set = sets_at(fleet_sets(scene->fleet), host->sets[k]);
		for (size_t i = 0; set && i < set->n_elements; i++) {
			const struct element *e =
			        dictionary_element_at(dictionary, set->elements[i]);
			buf_printf(out, "  has " STR_FMT " " STR_FMT "\n", STR_ARG(e->package.name),
			        STR_ARG(e->package.version));
		}
	}
	for (size_t i = 0; i < host->n_items; i++)
		buf_printf(out, "  item " STR_FMT " %lld %lld " STR_FMT "\n",
		        STR_ARG(host->items[i].type), (long long)host->items[i].captured_at,
		        (long long)host->items[i].received_at,
		        STR_ARG(host->items[i].content_hash));
	for (vuln_id v = 1; dictionary_vuln_name(dictionary, v).n > 0; v++) {
		int64_t first = fleet_first_observed(scene->fleet, host, v);
		if (first != 0)
			buf_printf(out, "  open " STR_FMT " since %lld\n",
			        STR_ARG(dictionary_vuln_name(dictionary, v)), (long long)first);
	}
}

void scene_dump(struct scene *scene, struct buf *out)
{
	size_t n;
	fleet_lock(scene->fleet);
	const roaring_bitmap_t *hosts = fleet_hosts(scene->fleet, ACCOUNT);
	for (uint32_t i = 1; i < 1000; i++) {
		if (roaring_bitmap_contains(hosts, i))
			dump_host(scene, fleet_host_at(scene->fleet, i), out);
	}
	const struct closed_finding *const *closed = fleet_closed(scene->fleet, ACCOUNT, &n);
	for (size_t i = 0; i < n; i++)
		buf_printf(out,
		        "closed " STR_FMT " host %llu first %lld last %lld at %lld why %u "
		        "packages %zu\n",
		        STR_ARG(dictionary_vuln_name(
		                fleet_dictionary(scene->fleet), closed[i]->vuln)),
		        (unsigned long long)closed[i]->host, (long long)closed[i]->first_observed,
		        (long long)closed[i]->last_observed, (long long)closed[i]->closed_at,
		        closed[i]->reason, closed[i]->n_packages);
	buf_printf(out, "usage %.3f generation %llu\n",
	        fleet_usage_hours(scene->fleet, ACCOUNT, scene->now_at),
	        (unsigned long long)fleet_generation(scene->fleet)->number);
	fleet_unlock(scene->fleet);
}

uint64_t scene_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}
