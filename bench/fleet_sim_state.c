/* SPDX-License-Identifier: Apache-2.0 */
/* What fleet_sim keeps between two runs, and what a test holds against the server: for each host
 * its credentials and, by type, what was acknowledged last. */
#include "fleet_sim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "aws/value.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define STATE_BYTES ((size_t)1 << 30)
/* Capture times begin a day ago: a simulated host reports more often than once a second. */
#define CLOCK_START_S 86000

static const char *const words[] = { "os", "language" };

static void write_u64(struct json_writer *w, const char *key, uint64_t v)
{
	json_write_key(w, key);
	json_write_u64(w, v);
}

static void write_report(struct json_writer *w, const struct sim_report *report)
{
	json_write_object(w);
	json_write_member_str(w, "hash", str_from_c(report->hash));
	write_u64(w, "capturedAt", (uint64_t)report->captured_at);
	write_u64(w, "moved", report->moved);
	if (report->sent_hash[0]) {
		json_write_member_str(w, "sentHash", str_from_c(report->sent_hash));
		write_u64(w, "sentMoved", report->sent_moved);
	}
	json_write_object_end(w);
}

int sim_state_write(const struct sim *sim, const char *path, struct err *err)
{
	autobuf text = BUF(STATE_BYTES);
	struct json_writer w = JSON_WRITER(&text, false);
	json_write_object(&w);
	write_u64(&w, "seed", sim->seed);
	json_write_key(&w, "hosts");
	json_write_array(&w);
	for (size_t i = 0; i < sim->n_hosts; i++) {
		const struct sim_host *host = &sim->hosts[i];
		json_write_object(&w);
		json_write_member_str(&w, "id", str_from_c(host->id));
		json_write_member_str(&w, "key", str_from_c(host->key_id));
		json_write_member_str(&w, "secret", str_from_c(host->secret));
		json_write_member_str(&w, "token", str_from_c(host->token));
		write_u64(&w, "clock", (uint64_t)host->clock_at);
		for (int type = 0; type < SIM_TYPES; type++) {
			json_write_key(&w, words[type]);
			write_report(&w, &host->reports[type]);
		}
		json_write_object_end(&w);
		buf_add_byte(&text, '\n');
	}
	json_write_array_end(&w);
	json_write_object_end(&w);
	if (buf_failed(&text))
		return err_set(err, -ENOMEM, "no memory for the state of %zu hosts", sim->n_hosts);
	return fs_replace_path(path, buf_str(&text), 0600, err);
}

static bool take_text(const struct value *from, const char *key, char *ret, size_t size)
{
	str text = value_get_str(from, str_from_c(key));
	if (text.n >= size)
		return false;
	if (text.n > 0)
		memcpy(ret, text.p, text.n);
	ret[text.n] = '\0';
	return true;
}

static bool take_report(const struct value *from, struct sim_report *ret)
{
	ret->captured_at = value_get_i64(from, STR("capturedAt"), 0);
	ret->moved = (uint32_t)value_get_i64(from, STR("moved"), 0);
	ret->sent_moved = (uint32_t)value_get_i64(from, STR("sentMoved"), 0);
	return take_text(from, "hash", ret->hash, sizeof(ret->hash)) &&
	       take_text(from, "sentHash", ret->sent_hash, sizeof(ret->sent_hash));
}

static bool take_host(const struct value *from, struct sim_host *ret)
{
	char token[2048];
	bool is_good = take_text(from, "id", ret->id, sizeof(ret->id)) &&
	               take_text(from, "key", ret->key_id, sizeof(ret->key_id)) &&
	               take_text(from, "secret", ret->secret, sizeof(ret->secret)) &&
	               take_text(from, "token", token, sizeof(token));
	for (int type = 0; type < SIM_TYPES && is_good; type++)
		is_good =
		        take_report(value_get(from, str_from_c(words[type])), &ret->reports[type]);
	ret->clock_at = value_get_i64(from, STR("clock"), (int64_t)time(NULL) - CLOCK_START_S);
	ret->token = is_good ? strdup(token) : NULL;
	return ret->token != NULL;
}

int sim_state_read(struct sim *sim, const char *path, struct err *err)
{
	autobuf text = BUF(STATE_BYTES);
	struct arena arena = ARENA(STATE_BYTES);
	const struct value *root = NULL;
	int r = fs_read(AT_FDCWD, path, &text, err);
	if (r >= 0)
		r = value_from_json(buf_str(&text), &arena, &root, err);
	const struct value *hosts = value_get(root, STR("hosts"));
	if (r >= 0 && value_count(hosts) != sim->n_hosts)
		r = err_set(err, -ERR_FORMAT, "%.150s: it is of %zu hosts, not of %zu", path,
		        value_count(hosts), sim->n_hosts);
	for (size_t i = 0; i < sim->n_hosts && r >= 0; i++) {
		if (!take_host(value_at(hosts, i), &sim->hosts[i]))
			r = err_set(err, -ERR_FORMAT, "%.150s: host %zu is damaged", path, i);
	}
	arena_fini(&arena);
	return r;
}
