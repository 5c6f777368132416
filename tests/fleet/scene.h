/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A fleet with a store and a vulnerability database in a folder of its own, a clock, and short ways
 * to make advisories and inventories. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "fleet/fleet.h"

#define ACCOUNT INT64_C(111122223333)
#define DAY INT64_C(86400)

/* One advisory: an id affects versions of a package below `fixed`. */
struct scene_advisory {
	char id[32], ecosystem[24], name[32], fixed[24];
	bool is_critical;
};

/* One package of an inventory. */
struct scene_package {
	const char *type, *name, *version, *path, *owner, *vendor, *source, *source_version;
};

struct scene {
	char dir[64];
	struct store *store;
	struct fleet *fleet;
	int64_t now_at;
	struct scene_advisory advisories[64];
	size_t n_advisories;
	char told[4096];
	bool has_database;
};

/* cmocka setup and teardown. The fleet is open; there is no database yet. */
int scene_setup(void **state);
int scene_teardown(void **state);

#define on_scene(test) cmocka_unit_test_setup_teardown(test, scene_setup, scene_teardown)

/* Close and open the fleet and the store. */
void scene_restart(struct scene *scene);
void scene_close(struct scene *scene);
int scene_open(struct scene *scene, struct err *err);

/* Let every commit fail with a class from now on; 0: none. Of a store that the scene opened. */
void scene_fail(int r);

/* Let commits fail when so many went through. */
void scene_fail_after(int n_commits, int r);

/* Add, take back an advisory; they count from scene_build() on. */
void scene_advise(struct scene *scene, const char *ecosystem, const char *id, const char *name,
        const char *fixed);
void scene_withdraw(struct scene *scene, const char *id);

/* Compile the database of the advisories. */
void scene_build(struct scene *scene);

/* The same, and renew the fleet. */
void scene_renew(struct scene *scene);

/* Add an active host of ACCOUNT, or of another account, on Debian 12. */
uint64_t scene_host(struct scene *scene);
uint64_t scene_host_of(struct scene *scene, int64_t account);

/* Report packages, ended by one without a name, as Custom:InspectorThirdPartyPackage, captured now.
 */
void scene_report(struct scene *scene, uint64_t host, const struct scene_package *packages);

/* The same as our own upload. */
void scene_report_own(struct scene *scene, uint64_t host, const struct scene_package *packages);

/* The same as AWS:Application, as the stock agent sends the packages of dpkg: names and versions.
 */
void scene_report_stock(struct scene *scene, uint64_t host, const struct scene_package *packages);

/* Tidy until nothing is left to do. */
void scene_tidy(struct scene *scene);

/* The content of the first two. */
void scene_write(const struct scene_package *packages, struct buf *out);
void scene_write_own(const struct scene_package *packages, struct buf *out);

/* Report one item. */
enum report_verdict scene_item(struct scene *scene, uint64_t host, const char *type,
        const char *hash, int64_t captured_at, const struct buf *content);

/* Put a host in a state. */
void scene_state(struct scene *scene, uint64_t host, enum host_state state);

/* Since when a finding is open; 0: it is not. */
int64_t scene_first(struct scene *scene, uint64_t host, const char *vuln);

/* How many closed findings there are, and one of them by vulnerability and host; NULL: none. It
 * borrows until the next change. */
size_t scene_n_closed(struct scene *scene);
const struct closed_finding *scene_closed(struct scene *scene, uint64_t host, const char *vuln);

/* Everything that a restart must not change, as text. */
void scene_dump(struct scene *scene, struct buf *out);

/* Numbers that are the same in each run. */
uint64_t scene_random(uint64_t *seed);
