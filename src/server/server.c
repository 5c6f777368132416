/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order of opening: folder, store, keys, objects, fleet, background thread, control socket, HTTP;
 * and of closing the reverse. The store is first because its lock says that this process is the
 * only one.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "fleet/kinds.h"
#include "server/association.h"
#include "server/command.h"
#include "server/control.h"
#include "server/details.h"
#include "server/dispatch.h"
#include "server/inside.h"
#include "server/inventory.h"
#include "server/notify.h"
#include "server/pins.h"
#include "server/reports.h"
#include "server/serve.h"
#include "server/upload.h"

/* The record of the server's own keys: a version and the three keys. */
#define KEYS_VERSION 1
#define SIGNING_KEYS_MAX 100000
#define WORKERS 32
/* Memory of one request. */
#define REQUEST_BYTES ((size_t)128 << 20)
#define BODIES_BYTES ((size_t)512 << 20)

int64_t server_now_ms(const struct server *server)
{
	struct timespec now;
	int64_t fixed = atomic_load(&server->inside->fixed_ms);
	if (fixed != 0)
		return fixed;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void server_wake(struct server *server, uint64_t key)
{
	if (server->inside->http)
		http_wake(server->inside->http, key);
}

uint64_t server_host_key(uint64_t host_number)
{
	/* 0 is no key. */
	return UINT64_C(1) << 32 | host_number;
}

/* ---- keys ---- */

static const struct store_key keys_at = { .kind = KIND_META, .key = { "server-keys", 11 } };

static int make_keys(struct store *store, struct err *err)
{
	uint8_t record[1 + 16 + 32 + 32] = { KEYS_VERSION };
	struct store_batch batch;
	int r = crypto_random(record + 1, sizeof(record) - 1);
	if (r < 0)
		return err_set(err, r, "the system has no random bytes");
	store_batch_init(&batch, 0);
	store_batch_expect_absent(&batch, keys_at);
	store_batch_put(&batch, keys_at, (str){ (const char *)record, sizeof(record) });
	r = store_commit(store, &batch, err);
	store_batch_fini(&batch);
	crypto_wipe(record, sizeof(record));
	return r == -EEXIST ? err_set(err, r, "there is a server in this folder already") : r;
}

static int read_keys(struct server *server, struct err *err)
{
	struct arena arena = ARENA((size_t)64 << 10);
	str record;
	int r = store_get(server->store, keys_at, &arena, &record, err);
	if (r == -ENOENT) {
		r = err_set(
		        err, r, "this store has no server's keys; 'sonde-server init' makes them");
	} else if (r >= 0 && (record.n != 81 || record.p[0] != KEYS_VERSION)) {
		r = err_set(err, -ERR_FORMAT, "the record of the server's keys is damaged");
	} else if (r >= 0) {
		memcpy(server->arn_key, record.p + 1, 16);
		memcpy(server->token_key, record.p + 17, 32);
		memcpy(server->secret_key, record.p + 49, 32);
	}
	arena_fini(&arena);
	return r;
}

/* ---- the folder ---- */

static int store_folder(const char *data_dir, char **ret)
{
	return asprintf(ret, "%s/store", data_dir) < 0 ? -ENOMEM : 0;
}

int server_init(const char *data_dir, struct err *err)
{
	autofree char *folder = NULL;
	struct store *store;
	int r = store_folder(data_dir, &folder);
	if (r < 0)
		return err_set(err, r, "no memory");
	r = fs_make_dirs(data_dir, 0700, err);
	if (r >= 0)
		r = store_open(folder, STORE_CREATE, &store, err);
	if (r < 0)
		return r;
	r = make_keys(store, err);
	store_close(store);
	return r;
}

/* ---- opening ---- */

static void free_text(str text)
{
	free((void *)(uintptr_t)text.p);
}

/* Instead of what was there. */
static int copy_text(const char *from, str *ret)
{
	char *copy = strdup(from);
	if (!copy)
		return -ENOMEM;
	free_text(*ret);
	*ret = str_from_c(copy);
	return 0;
}

static int open_store(struct server *server, const struct server_config *config, struct err *err)
{
	autofree char *folder = NULL;
	int r = store_folder(config->data_dir, &folder);
	if (r < 0)
		return err_set(err, r, "no memory");
	r = store_open(
	        folder, config->is_skipping_check ? STORE_SKIP_CHECK : 0, &server->store, err);
	if (r == -ENOENT)
		return err_set(err, r, "%.150s: there is no server; 'sonde-server init' makes one",
		        config->data_dir);
	return r;
}

static int make_inside(struct server *server, const struct server_config *config, struct err *err)
{
	struct server_inside *inside = calloc(1, sizeof(*inside));
	if (!inside)
		return err_set(err, -ENOMEM, "no memory for a server");
	server->inside = inside;
	inside->log = config->log;
	locks_init(inside);
	(void)pthread_mutex_init(&inside->stop_mutex, NULL);
	(void)pthread_cond_init(&inside->stop_cond, NULL);
	inside->started_at = server_now_ms(server) / 1000;
	autofree char *db = NULL;
	if (!config->db_dir && asprintf(&db, "%s/db", config->data_dir) < 0)
		db = NULL;
	if ((!config->db_dir && !db) || copy_text(config->data_dir, &server->data_dir) < 0 ||
	        copy_text(config->db_dir ? config->db_dir : db, &inside->db_dir) < 0 ||
	        copy_text(config->public_url ? config->public_url : "", &server->public_url) < 0 ||
	        signing_keys_new(SIGNING_KEYS_MAX, &inside->signing_keys) < 0)
		return err_set(err, -ENOMEM, "no memory for a server");
	if (details_open(inside->db_dir.p, &server->details) < 0 || pins_open(&server->pins) < 0)
		return err_set(err, -ENOMEM, "no memory for a server");
	int r = crypto_new(&server->crypto, err);
	return r < 0 ? r : operations_make(server, err);
}

int server_open(const struct server_config *config, struct server **ret, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));
	if (!server)
		return err_set(err, -ENOMEM, "no memory for a server");
	int r = make_inside(server, config, err);
	if (r >= 0)
		r = open_store(server, config, err);
	if (r >= 0)
		r = read_keys(server, err);
	if (r >= 0)
		r = objects_open(server->store, &server->objects, err);
	if (r < 0) {
		server_close(server);
		return r;
	}
	*ret = server;
	return 0;
}

static void tell(void *ctx, const char *text)
{
	const struct server *server = ctx;
	log_write(&server->inside->log, LOG_INFO, "vulnerability data",
	        LOG_FIELDS(LOG_TEXT("says", str_from_c(text))));
}

int server_load(struct server *server, struct err *err)
{
	struct fleet_config config = { .store = server->store,
		.db_dir = server->inside->db_dir.p,
		.now_at = server_now_ms(server) / 1000,
		.tell = tell,
		.ctx = server };
	autofree char *spool = NULL;
	if (asprintf(&spool, STR_FMT "/spool", STR_ARG(server->data_dir)) < 0)
		spool = NULL;
	if (!spool)
		return err_set(err, -ENOMEM, "no memory for a server");
	int r = uploads_open(spool, &server->uploads, err);
	return r < 0 ? r : fleet_open(&config, &server->fleet, err);
}

void server_close(struct server *server)
{
	if (!server)
		return;
	struct server_inside *inside = server->inside;
	pins_close(server->pins);
	details_close(server->details);
	uploads_close(server->uploads);
	fleet_close(server->fleet);
	objects_close(server->objects);
	store_close(server->store);
	crypto_free(server->crypto);
	free_text(server->data_dir);
	free_text(server->public_url);
	if (inside) {
		operations_free(server);
		signing_keys_free(inside->signing_keys);
		locks_fini(inside);
		(void)pthread_mutex_destroy(&inside->stop_mutex);
		(void)pthread_cond_destroy(&inside->stop_cond);
		free_text(inside->db_dir);
		free(inside);
	}
	crypto_wipe(server, sizeof(*server));
	free(server);
}

/* ---- background ---- */

/* Has the database's manifest been replaced since the last look? */
static bool is_new_manifest(struct server_inside *inside)
{
	struct stat st = { 0 };
	autofree char *path = NULL;
	if (asprintf(&path, "%s/manifest.json", inside->db_dir.p) < 0 || stat(path, &st) < 0)
		return false;
	bool is_new = st.st_ino != inside->manifest_ino ||
	              st.st_mtim.tv_sec != inside->manifest_mtime.tv_sec ||
	              st.st_mtim.tv_nsec != inside->manifest_mtime.tv_nsec;
	inside->manifest_ino = st.st_ino;
	inside->manifest_mtime = st.st_mtim;
	return is_new;
}

/* Returns: whether there is more to do at once */
static bool reconcile_all(struct server *server, int64_t now_at)
{
	struct arena arena = ARENA((size_t)256 << 20);
	const struct account *accounts;
	size_t n;
	struct err err = { 0 };
	bool more = false;
	int r = account_list(server, &arena, &accounts, &n);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = account_reconcile(server, accounts[i].number, now_at, &err);
		more |= r == 1;
		account_lock(server, accounts[i].number);
		if (r >= 0)
			r = command_tidy(server, accounts[i].number, now_at, &err);
		account_unlock(server, accounts[i].number);
	}
	if (r < 0) {
		if (err.text[0] == '\0')
			(void)err_set(&err, r, "no memory for the list of accounts");
		(void)log_error(&server->inside->log, "accounts could not be brought about", &err);
	}
	arena_fini(&arena);
	return more;
}

void server_tend(struct server *server, int64_t now_at, int64_t *reconciled_at)
{
	struct err err = { 0 };
	int r = 0;
	if (is_new_manifest(server->inside))
		r = fleet_renew(server->fleet, now_at, &err);
	if (r < 0)
		(void)log_error(&server->inside->log, "the old vulnerability data stay", &err);
	else
		atomic_store(&server->inside->renewed_at, now_at);
	for (int i = 0, more = 1; i < 10 && more == 1; i++) {
		more = fleet_tidy(server->fleet, now_at, &err);
		if (more < 0)
			(void)log_error(
			        &server->inside->log, "old findings could not be deleted", &err);
	}
	if (reports_work(server, now_at, &err) < 0)
		(void)log_error(&server->inside->log, "a report could not be made", &err);
	if (now_at - *reconciled_at >= 60) {
		*reconciled_at = reconcile_all(server, now_at) ? 0 : now_at;
	}
}

/* Wait a second, or until the server stops. Returns: whether it goes on. */
static bool wait_a_second(struct server_inside *inside)
{
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	(void)pthread_mutex_lock(&inside->stop_mutex);
	if (!inside->is_stopping)
		(void)pthread_cond_timedwait(&inside->stop_cond, &inside->stop_mutex, &until);
	bool goes_on = !inside->is_stopping;
	(void)pthread_mutex_unlock(&inside->stop_mutex);
	return goes_on;
}

static void *background(void *ctx)
{
	struct server *server = ctx;
	int64_t reconciled_at = 0;
	do {
		server_tend(server, server_now_ms(server) / 1000, &reconciled_at);
		notify_send("WATCHDOG=1");
	} while (wait_a_second(server->inside));
	return NULL;
}

/* ---- serving ---- */

static void *wait_for_signal(void *ctx)
{
	struct server *server = ctx;
	sigset_t signals;
	int number;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	if (sigwait(&signals, &number) != 0)
		return NULL;
	notify_send("STOPPING=1");
	log_write(&server->inside->log, LOG_INFO, "stopping", NULL);
	http_stop(server->inside->http);
	return NULL;
}

static void log_http(void *ctx, str peer, const char *what)
{
	const struct server *server = ctx;
	log_write(&server->inside->log, LOG_DEBUG, what, LOG_FIELDS(LOG_TEXT("peer", peer)));
}

static void log_access(void *ctx, const struct http_access *access)
{
	const struct server *server = ctx;
	log_write(&server->inside->log, LOG_DEBUG, "request",
	        LOG_FIELDS(LOG_TEXT("peer", access->peer), LOG_TEXT("method", access->method),
	                LOG_TEXT("path", access->path), LOG_NUMBER("status", access->status),
	                LOG_NUMBER("micros", access->micros)));
}

static int open_http(struct server *server, const struct serve_config *config, struct err *err)
{
	struct http_config http = { .listen = config->listen,
		.tls_cert = config->tls_cert,
		.tls_key = config->tls_key,
		.n_workers = config->n_workers > 0 ? config->n_workers : WORKERS,
		.limits = { .arena_bytes = REQUEST_BYTES, .bodies_bytes = BODIES_BYTES },
		.ctx = server,
		.handle = dispatch_handle,
		.admit = dispatch_admit,
		.log = log_http,
		.access = log_access };
	return http_open(&http, &server->inside->http, err);
}

/* The address that is listened to, with the port that it became. Caller frees. */
static char *own_url(const struct server *server, const struct serve_config *config)
{
	char *url;
	str address = str_from_c(config->listen), port;
	(void)str_split_last(address, ':', &address, &port);
	return asprintf(&url, "%s://" STR_FMT ":%u", config->tls_cert ? "https" : "http",
	               STR_ARG(address), http_port(server->inside->http)) < 0
	               ? NULL
	               : url;
}

static void stop_background(struct server_inside *inside)
{
	(void)pthread_mutex_lock(&inside->stop_mutex);
	inside->is_stopping = true;
	(void)pthread_cond_broadcast(&inside->stop_cond);
	(void)pthread_mutex_unlock(&inside->stop_mutex);
	(void)pthread_join(inside->background, NULL);
}

static int serve(struct server *server, const struct serve_config *config, struct err *err)
{
	struct server_inside *inside = server->inside;
	struct control *control = NULL;
	pthread_t signals;
	autofree char *url = own_url(server, config);
	if (!url || (server->public_url.n == 0 && copy_text(url, &server->public_url) < 0))
		return err_set(err, -ENOMEM, "no memory for an address");
	int r = control_open(server, &control, err);
	if (r < 0)
		return r;
	r = -pthread_create(&inside->background, NULL, background, server);
	if (r == 0) {
		r = -pthread_create(&signals, NULL, wait_for_signal, server);
		if (r == 0) {
			log_write(&inside->log, LOG_INFO, "listening",
			        LOG_FIELDS(LOG_TEXT("address", str_from_c(url)),
			                LOG_TEXT("url", server->public_url),
			                LOG_TEXT("version", STR(SONDE_VERSION))));
			if (config->ready)
				config->ready(config->ctx, url);
			notify_send("READY=1");
			r = http_run(inside->http, err);
			/* It may have ended by itself: the thread that waits must not stay; it
			 * takes the signal by sigwait(). */
			/* NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread,cert-pos44-c) */
			(void)pthread_kill(signals, SIGTERM);
			(void)pthread_join(signals, NULL);
		}
		stop_background(inside);
	}
	control_close(control);
	return r;
}

int server_run(struct server *server, const struct serve_config *config, struct err *err)
{
	int r = server->fleet ? 0 : server_load(server, err);
	if (r >= 0)
		r = open_http(server, config, err);
	if (r >= 0)
		r = serve(server, config, err);
	http_close(server->inside->http);
	server->inside->http = NULL;
	if (r >= 0)
		log_write(&server->inside->log, LOG_INFO, "stopped", NULL);
	return r;
}
