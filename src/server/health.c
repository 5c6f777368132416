/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /healthz: can this server do its work? Each part says whether, and why not. Missing vulnerability
 * data are said and are not a failure: inventories are taken, and matched when the data come.
 */
#include "server/inside.h"

/* A commit that failed this long ago is history. */
#define FAILED_FOR_S 60

static void write_part(struct json_writer *w, const char *key, bool is_well, const char *text)
{
	json_write_key(w, key);
	json_write_object(w);
	json_write_key(w, "ok");
	json_write_bool(w, is_well);
	json_write_member_str(w, "text", str_from_c(text));
	json_write_object_end(w);
}

/* Is a record written and read back? */
static bool is_writable(struct server *server, int64_t now_at)
{
	return now_at - atomic_load(&server->inside->store_failed_at) > FAILED_FOR_S;
}

bool health_write(struct server *server, int64_t now_at, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, true);
	struct fleet_stats fleet = { 0 };
	bool is_loaded = server->fleet != NULL, writes = is_writable(server, now_at);
	bool has_data = false;
	if (is_loaded) {
		fleet_stats(server->fleet, &fleet);
		fleet_lock(server->fleet);
		const struct generation *generation = fleet_generation(server->fleet);
		has_data = generation && generation->digest.n > 0;
		fleet_unlock(server->fleet);
	}
	json_write_object(&w);
	json_write_member_str(&w, "status", writes && is_loaded ? STR("ready") : STR("not ready"));
	json_write_member_str(&w, "version", STR(SONDE_VERSION));
	write_number(&w, "uptimeSeconds", now_at - server->inside->started_at);
	json_write_key(&w, "checks");
	json_write_object(&w);
	write_part(
	        &w, "store", writes, writes ? "writable" : "a write failed within the last minute");
	write_part(&w, "fleet", is_loaded, is_loaded ? "loaded" : "not loaded");
	write_part(&w, "vulnerabilityData", has_data,
	        has_data ? "present" : "no vulnerability data; nothing is matched until there are");
	json_write_object_end(&w);
	json_write_object_end(&w);
	return writes && is_loaded;
}
