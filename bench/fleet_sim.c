/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet of simulated hosts against a real server, over keep-alive connections, plain or TLS.
 *
 *   fleet_sim --url URL --state FILE --hosts N --mode MODE [MORE]
 *
 * MODE  enrol    an activation for each thousand hosts, registration with one RSA key for all of
 * them, credentials, first sign of life; needs --key full     every host reports the content of
 * both types: 600 OS packages, 300 of languages load     hash-only check-ins, --changes of 100 of
 * them changed inventories instead verify   does the server have what it acknowledged? Asked by
 * hash, host by host and type by type; a report that was never answered may be there or not. Exit 1
 * when some is lost
 *
 * State is read when it is there and written at the end; it is the expected.json of tests. Times of
 * capture rise by a second with each report of a host. One JSON line per phase.
 */
#include "fleet_sim.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"

static const char usage[] =
        "usage: fleet_sim --url URL --state FILE --hosts N --mode enrol|full|load|verify|show\n"
        "       [--key ID:SECRET] [--connections K] [--idle N] [--seed S] [--sets N]\n"
        "       [--packages OS,LANGUAGE] [--requests N] [--seconds S] [--rate N]\n"
        "       [--changes PERCENT] [--change os|language|both] [--log FILE] [--until-broken]\n";

#define HOSTS_MAX 2000000
#define CONNS_MAX 20000

/* ---- jobs ---- */

static bool next_activation(struct sim *sim, uint64_t number, struct sim_job *ret)
{
	(void)sim;
	*ret = (struct sim_job){ .step = SIM_ACTIVATE, .host = number * SIM_ACTIVATION_HOSTS };
	return true;
}

static bool next_of(struct sim *sim, uint64_t number, enum sim_step step, struct sim_job *ret)
{
	*ret = (struct sim_job){ .step = step, .host = number };
	sim->hosts[number].is_busy = true;
	return true;
}

static bool next_register(struct sim *sim, uint64_t number, struct sim_job *ret)
{
	return next_of(sim, number, SIM_REGISTER, ret);
}

static bool next_token(struct sim *sim, uint64_t number, struct sim_job *ret)
{
	return next_of(sim, number, SIM_TOKEN, ret);
}

static bool next_hello(struct sim *sim, uint64_t number, struct sim_job *ret)
{
	return next_of(sim, number, SIM_HELLO, ret);
}

static bool next_full(struct sim *sim, uint64_t number, struct sim_job *ret)
{
	return next_of(sim, number, SIM_FULL, ret);
}

/* Hosts take turns; one that waits for an answer is passed over. */
static bool next_load(struct sim *sim, uint64_t number, struct sim_job *ret)
{
	size_t n = 0;
	while (n < sim->n_hosts && sim->hosts[sim->next_host].is_busy) {
		sim->next_host = (sim->next_host + 1) % sim->n_hosts;
		n++;
	}
	if (n == sim->n_hosts)
		return false;
	bool is_change = sim_random(sim) % 100 < sim->changes_pct;
	(void)next_of(sim, sim->next_host, is_change ? SIM_CHANGE : SIM_CHECK_IN, ret);
	ret->type = sim->change < SIM_TYPES ? sim->change : (enum sim_type)(number % SIM_TYPES);
	sim->next_host = (sim->next_host + 1) % sim->n_hosts;
	return true;
}

/* Both types of a host one after the other: no request of it is under way twice. */
static bool next_verify(struct sim *sim, uint64_t number, struct sim_job *ret)
{
	size_t host = number % sim->n_hosts;
	enum sim_type type = (enum sim_type)(number / sim->n_hosts);
	if (sim->hosts[host].is_busy)
		return false;
	(void)next_of(sim, host, SIM_VERIFY, ret);
	ret->type = type;
	if (sim->hosts[host].reports[type].hash[0] == '\0')
		ret->step = SIM_VERIFY_SENT;
	return true;
}

/* ---- results ---- */

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static uint64_t at_share(const struct sim_result *result, double share)
{
	return result->n > 0 ? result->latencies[(size_t)(share * (double)(result->n - 1) + 0.5)]
	                     : 0;
}

static void write_number(struct json_writer *w, const char *key, double v)
{
	json_write_key(w, key);
	json_write_double(w, v, 3);
}

static void report(struct sim *sim, const char *phase)
{
	struct sim_result *result = &sim->result;
	autobuf text = BUF(8192);
	struct json_writer w = JSON_WRITER(&text, false);
	if (result->n > 0)
		qsort(result->latencies, result->n, sizeof(*result->latencies), by_value);
	json_write_object(&w);
	json_write_member_str(&w, "name", STR("fleet_sim"));
	json_write_member_str(&w, "phase", str_from_c(phase));
	write_number(&w, "requests", (double)result->n);
	write_number(&w, "seconds", result->seconds);
	write_number(&w, "per_s", result->seconds > 0 ? (double)result->n / result->seconds : 0);
	write_number(&w, "p50_us", (double)at_share(result, 0.5));
	write_number(&w, "p99_us", (double)at_share(result, 0.99));
	write_number(&w, "connections", (double)sim->n_conns);
	write_number(&w, "broken", (double)result->n_lost);
	json_write_key(&w, "errors");
	json_write_object(&w);
	for (size_t i = 0; i < result->n_errors; i++)
		write_number(&w, result->errors[i].code, (double)result->errors[i].n);
	json_write_object_end(&w);
	json_write_object_end(&w);
	(void)printf(STR_FMT "\n", STR_ARG(buf_str(&text)));
	(void)fflush(stdout);
}

/* ---- modes ---- */

static int phase(struct sim *sim, const char *name, uint64_t n, sim_next *next, struct err *err)
{
	int r = sim_run(sim, 0, sim->n_conns, n, 0, next, err);
	report(sim, name);
	return r;
}

static int enrol(struct sim *sim, struct err *err)
{
	size_t n = (sim->n_hosts + SIM_ACTIVATION_HOSTS - 1) / SIM_ACTIVATION_HOSTS;
	sim->activations = calloc(n, sizeof(*sim->activations));
	if (!sim->activations || sim_make_rsa(sim) < 0)
		return err_set(err, -ENOMEM, "no memory for activations");
	int r = phase(sim, "activate", n, next_activation, err);
	if (r >= 0)
		r = phase(sim, "register", sim->n_hosts, next_register, err);
	if (r >= 0)
		r = phase(sim, "token", sim->n_hosts, next_token, err);
	if (r >= 0)
		r = phase(sim, "hello", sim->n_hosts, next_hello, err);
	for (size_t i = 0; i < sim->n_hosts && r >= 0; i++) {
		if (!sim->hosts[i].token || !sim->hosts[i].token[0])
			r = err_set(err, -EPERM, "host %zu has no credentials", i);
	}
	return r;
}

static int load(struct sim *sim, struct err *err)
{
	uint64_t n = sim->requests > 0 ? sim->requests : UINT64_MAX;
	double seconds = sim->requests > 0 || sim->seconds > 0 ? sim->seconds : 10;
	int r = 0;
	/* An idle connection is one that was used. */
	if (sim->n_idle > 0) {
		r = sim_run(sim, sim->n_conns, sim->n_conns + sim->n_idle, sim->n_idle, 0,
		        next_load, err);
		report(sim, "idle");
	}
	if (r >= 0) {
		r = sim_run(sim, 0, sim->n_conns, n, seconds, next_load, err);
		report(sim, "load");
	}
	return r;
}

static int verify(struct sim *sim, struct err *err)
{
	int r = phase(sim, "verify", sim->n_hosts * SIM_TYPES, next_verify, err);
	if (r >= 0 && sim->n_verify_lost > 0)
		r = err_set(err, -ENODATA, "%llu acknowledged reports are lost",
		        (unsigned long long)sim->n_verify_lost);
	return r;
}

/* What hosts have, as the server has to have it. */
static int show(struct sim *sim, struct err *err)
{
	autobuf text = BUF((size_t)1 << 30);
	struct json_writer w = JSON_WRITER(&text, false);
	for (size_t i = 0; i < sim->n_hosts; i++) {
		const struct sim_host *host = &sim->hosts[i];
		json_write_object(&w);
		json_write_member_str(&w, "id", str_from_c(host->id));
		for (int type = 0; type < SIM_TYPES; type++) {
			json_write_key(&w, sim_type_name((enum sim_type)type));
			sim_content(sim, i, (enum sim_type)type, host->reports[type].moved, &text);
			w.comma = true;
			w.after_key = false;
		}
		json_write_object_end(&w);
		w.comma = false;
		buf_add_byte(&text, '\n');
	}
	if (buf_failed(&text))
		return err_set(err, -ENOMEM, "no memory for what %zu hosts have", sim->n_hosts);
	return fwrite(text.p, 1, text.n, stdout) == text.n
	               ? 0
	               : err_set(err, -EIO, "cannot write to standard output");
}

static const struct mode {
	const char *name;
	int (*run)(struct sim *sim, struct err *err);
} modes[] = { { "enrol", enrol }, { "load", load }, { "verify", verify }, { "show", show } };

static int run_mode(struct sim *sim, const char *mode, struct err *err)
{
	if (strcmp(mode, "full") == 0)
		return phase(sim, mode, sim->n_hosts, next_full, err);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(mode, modes[i].name) == 0)
			return modes[i].run(sim, err);
	}
	return err_set(err, -EINVAL, "there is no mode %.50s", mode);
}

/* ---- arguments ---- */

struct arguments {
	const char *url, *state, *mode, *key, *log;
};

static bool take_url(struct sim *sim, const char *url)
{
	str rest = str_from_c(url), host, port;
	uint64_t number = 0;
	bool is_tls = str_has_prefix(rest, STR("https://"));
	if (!is_tls && !str_has_prefix(rest, STR("http://")))
		return false;
	rest = str_skip(rest, is_tls ? 8 : 7);
	if (rest.n >= sizeof(sim->netloc) || !str_split_last(rest, ':', &host, &port) ||
	        !str_to_u64(port, 65535, &number))
		return false;
	memcpy(sim->netloc, rest.p, rest.n);
	sim->port = (unsigned)number;
	sim->tls = is_tls ? SSL_CTX_new(TLS_client_method()) : NULL;
	return !is_tls || sim->tls;
}

static bool take_key(struct sim *sim, const char *text)
{
	str id, secret;
	if (!str_split_first(str_from_c(text), ':', &id, &secret) || id.n >= sizeof(sim->key_id) ||
	        secret.n >= sizeof(sim->key_secret))
		return false;
	memcpy(sim->key_id, id.p, id.n);
	memcpy(sim->key_secret, secret.p, secret.n);
	return true;
}

static bool take_packages(struct sim *sim, const char *text)
{
	str os, language;
	uint64_t n_os, n_language;
	if (!str_split_first(str_from_c(text), ',', &os, &language) ||
	        !str_to_u64(os, 5000, &n_os) || !str_to_u64(language, 5000, &n_language))
		return false;
	sim->n_packages[SIM_OS] = n_os;
	sim->n_packages[SIM_LANGUAGE] = n_language;
	return true;
}

static bool take_change(struct sim *sim, const char *text)
{
	static const char *const words[] = { "os", "language", "both" };
	for (int i = 0; i <= SIM_TYPES; i++) {
		if (strcmp(words[i], text) != 0)
			continue;
		sim->change = (enum sim_type)i;
		return true;
	}
	return false;
}

static bool take_number(const char *text, uint64_t max, size_t *ret)
{
	uint64_t v;
	if (!str_to_u64(str_from_c(text), max, &v))
		return false;
	*ret = v;
	return true;
}

static const struct option options[] = {
	{ "url", required_argument, NULL, 'u' },
	{ "state", required_argument, NULL, 's' },
	{ "mode", required_argument, NULL, 'm' },
	{ "key", required_argument, NULL, 'k' },
	{ "log", required_argument, NULL, 'l' },
	{ "hosts", required_argument, NULL, 'n' },
	{ "connections", required_argument, NULL, 'c' },
	{ "idle", required_argument, NULL, 'i' },
	{ "seed", required_argument, NULL, 'S' },
	{ "sets", required_argument, NULL, 'D' },
	{ "packages", required_argument, NULL, 'p' },
	{ "requests", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 't' },
	{ "rate", required_argument, NULL, 'R' },
	{ "changes", required_argument, NULL, 'C' },
	{ "change", required_argument, NULL, 'T' },
	{ "until-broken", no_argument, NULL, 'b' },
	{ NULL, 0, NULL, 0 },
};

static bool take_option(struct sim *sim, int option, const char *text, struct arguments *ret)
{
	size_t v = 0;
	bool is_good = true;
	switch (option) {
	case 'u': ret->url = text; return take_url(sim, text);
	case 's': ret->state = text; return true;
	case 'm': ret->mode = text; return true;
	case 'k': return take_key(sim, text);
	case 'l': ret->log = text; return true;
	case 'n': return take_number(text, HOSTS_MAX, &sim->n_hosts) && sim->n_hosts > 0;
	case 'c': return take_number(text, CONNS_MAX, &sim->n_conns) && sim->n_conns > 0;
	case 'i': return take_number(text, CONNS_MAX, &sim->n_idle);
	case 'S':
		is_good = take_number(text, UINT64_MAX, &v);
		sim->seed = v;
		return is_good;
	case 'D': return take_number(text, HOSTS_MAX, &sim->n_sets) && sim->n_sets > 0;
	case 'p': return take_packages(sim, text);
	case 'r':
		is_good = take_number(text, UINT32_MAX, &v);
		sim->requests = v;
		return is_good;
	case 't':
		is_good = take_number(text, 86400, &v);
		sim->seconds = (double)v;
		return is_good;
	case 'R':
		is_good = take_number(text, 10000000, &v);
		sim->rate = (double)v;
		return is_good;
	case 'C':
		is_good = take_number(text, 100, &v);
		sim->changes_pct = (unsigned)v;
		return is_good;
	case 'T': return take_change(sim, text);
	case 'b': sim->until_broken = true; return true;
	default: return false;
	}
}

static bool take_arguments(struct sim *sim, int argc, char **argv, struct arguments *ret)
{
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!take_option(sim, option, optarg, ret))
			return false;
	}
	if (sim->n_sets == 0)
		sim->n_sets = sim->n_hosts > 20 ? sim->n_hosts / 20 : 1;
	sim->random = (uint64_t)getpid();
	return optind == argc && ret->url && ret->state && ret->mode && sim->n_hosts > 0;
}

/* ---- the whole ---- */

static int prepare(struct sim *sim, const struct arguments *arguments, struct err *err)
{
	struct rlimit files;
	size_t n_conns = sim->n_conns + sim->n_idle;
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	(void)signal(SIGPIPE, SIG_IGN);
	sim->hosts = calloc(sim->n_hosts, sizeof(*sim->hosts));
	sim->conns = calloc(n_conns, sizeof(*sim->conns));
	if (!sim->hosts || !sim->conns || crypto_new(&sim->crypto, err) < 0)
		return err_set(err, -ENOMEM, "no memory for %zu hosts", sim->n_hosts);
	for (size_t i = 0; i < n_conns; i++)
		sim->conns[i].fd = -1;
	for (size_t i = 0; i < sim->n_hosts; i++)
		sim->hosts[i].clock_at = (int64_t)time(NULL) - 86000;
	sim->content = BUF((size_t)4 << 20);
	sim->body = BUF((size_t)8 << 20);
	sim->log_fd = -1;
	if (arguments->log)
		sim->log_fd = open(arguments->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (arguments->log && sim->log_fd < 0)
		return err_set(err, -errno, "%.150s: %s", arguments->log, strerror(errno));
	return access(arguments->state, F_OK) == 0 ? sim_state_read(sim, arguments->state, err) : 0;
}

static void release(struct sim *sim)
{
	if (sim->conns)
		sim_hang_up(sim);
	for (size_t i = 0; sim->hosts && i < sim->n_hosts; i++)
		free(sim->hosts[i].token);
	free(sim->hosts);
	free(sim->conns);
	free(sim->activations);
	free(sim->result.latencies);
	buf_fini(&sim->content);
	buf_fini(&sim->body);
	crypto_free(sim->crypto);
	EVP_PKEY_free(sim->rsa);
	SSL_CTX_free(sim->tls);
	if (sim->log_fd >= 0)
		(void)close(sim->log_fd);
}

int main(int argc, char **argv)
{
	struct sim sim = { .seed = 1,
		.n_conns = 64,
		.n_packages = { 600, 300 },
		.change = SIM_TYPES,
		.log_fd = -1 };
	struct arguments arguments = { 0 };
	struct err err = { 0 };
	if (!take_arguments(&sim, argc, argv, &arguments)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	int r = prepare(&sim, &arguments, &err);
	if (r >= 0) {
		struct err written = { 0 };
		r = run_mode(&sim, arguments.mode, &err);
		if (sim_state_write(&sim, arguments.state, &written) < 0) {
			r = written.code;
			err = written;
		}
	}
	if (r < 0)
		(void)fprintf(stderr, "fleet_sim: %s\n", err.text);
	release(&sim);
	return r < 0 ? 1 : 0;
}
