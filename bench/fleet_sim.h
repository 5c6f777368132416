/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * fleet_sim: many hosts that speak to a server as stock agents do, in one process and one thread.
 *
 * What a host has installed follows from the seed, its set and how often it changed, so that
 * nothing of it needs to be kept: sim_content() makes it anew whenever it is sent.
 */

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "aws/crypto.h"
#include "aws/sigv4.h"
#include "base/buf.h"

/** The inventory types that hosts report: OS packages, and those of languages. */
enum sim_type { SIM_OS, SIM_LANGUAGE, SIM_TYPES };

/** What a host reported of one type. A report is *sent* until it is acknowledged: after the death
 * of a server it may have been taken or not. */
struct sim_report {
	char hash[MD5_HEX_SIZE], sent_hash[MD5_HEX_SIZE]; /* empty: none */
	uint32_t moved, sent_moved;                       /* how often a package of it moved */
	int64_t captured_at; /* of the acknowledged one, seconds since 1970 UTC */
};

/** One host. */
struct sim_host {
	char id[24];                  /* "mi-" and 17 digits; empty: not enrolled */
	char key_id[32], secret[128]; /* temporary credentials */
	char *token;                  /* theirs; owned */
	uint8_t signing_key[SIGV4_KEY_BYTES];
	char signing_date[9]; /* the day of signing_key; empty: none */
	int64_t clock_at;     /* capture time of its next report */
	struct sim_report reports[SIM_TYPES];
	bool is_busy; /* a request of it is under way */
};

/** What requests ask for. */
enum sim_step {
	SIM_ACTIVATE,    /* CreateActivation, by the administrator */
	SIM_REGISTER,    /* RegisterManagedInstance */
	SIM_TOKEN,       /* RequestManagedInstanceRoleToken */
	SIM_HELLO,       /* UpdateInstanceInformation */
	SIM_FULL,        /* PutInventory: the content of both types */
	SIM_CHECK_IN,    /* PutInventory: the hashes of both types */
	SIM_CHANGE,      /* PutInventory: the content of one type, in which a package moved */
	SIM_VERIFY,      /* PutInventory: the hash of one type that was acknowledged */
	SIM_VERIFY_SENT, /* and the one that was sent and never answered */
};

/** One request. */
struct sim_job {
	enum sim_step step;
	size_t host;        /* or number of the activation */
	enum sim_type type; /* of SIM_CHANGE and SIM_VERIFY */
	int64_t captured_at;
};

/** One connection. */
struct sim_conn {
	int fd; /* -1: not connected */
	SSL *ssl;
	struct buf in, out;
	size_t n_out; /* of out that is sent */
	bool is_busy;
	double begin_us;
	struct sim_job job;
};

/** Answers that were not good, by their code. */
struct sim_error {
	char code[64];
	uint64_t n;
};
#define SIM_ERRORS_MAX 32

/** What one phase was. */
struct sim_result {
	double seconds;
	uint64_t n, n_lost;  /* requests answered; connections that broke */
	uint32_t *latencies; /* n of them, microseconds; owned */
	size_t latencies_cap;
	struct sim_error errors[SIM_ERRORS_MAX];
	size_t n_errors;
};

/** An activation, by which up to 1,000 hosts enrol. */
struct sim_activation {
	char id[64], code[64];
};
#define SIM_ACTIVATION_HOSTS 1000

/** Everything. */
struct sim {
	/* asked for */
	uint64_t seed;
	size_t n_hosts, n_sets, n_packages[SIM_TYPES];
	size_t n_conns, n_idle;
	double rate;    /* requests a second; 0: as many as there can be */
	double seconds; /* of a load; 0: as long as `requests` last */
	uint64_t requests;
	unsigned changes_pct; /* of a load: how many of 100 requests are changed inventories */
	enum sim_type change; /* the type that changes; SIM_TYPES: both by turns */
	bool until_broken;    /* a broken connection ends the phase well */
	char netloc[128];     /* "127.0.0.1:8443" */
	unsigned port;
	char key_id[64], key_secret[128]; /* the administrator's */
	/* at work */
	struct crypto *crypto;
	SSL_CTX *tls; /* NULL: plain */
	EVP_PKEY *rsa;
	char rsa_public[1024]; /* base64 of its DER */
	int log_fd;            /* -1: none */
	struct sim_host *hosts;
	struct sim_conn *conns; /* n_conns, and then n_idle */
	struct sim_activation *activations;
	struct buf content, body; /* scratch */
	uint64_t n_started, random;
	size_t next_host;
	uint64_t n_verify_lost; /* acknowledged reports that the server does not have */
	struct sim_result result;
};

/** The name of an inventory type; static. */
const char *sim_type_name(enum sim_type type);

/** The next of the simulator's random numbers. */
uint64_t sim_random(struct sim *sim);

/**
 * Make what a host has of one type: a JSON array of rows.
 *
 * In:      moved  how often one of its packages moved; 0: as its set has it
 * Out:     out    appended
 */
void sim_content(
        const struct sim *sim, size_t host, enum sim_type type, uint32_t moved, struct buf *out);

/** Make a job's request, head and body, signed. Out: conn->out. Returns: 0; -ERR_LIMIT, -ENOMEM */
int sim_request(struct sim *sim, struct sim_conn *conn);

/** Make the RSA key that all hosts enrol with. Returns: 0; -ENOMEM */
int sim_make_rsa(struct sim *sim);

/**
 * Take the answer to a connection's job.
 *
 * Returns: true when the connection goes on with another step of it, now in conn->job
 */
bool sim_answer(struct sim *sim, struct sim_conn *conn, unsigned status, str body);

/** Find the job that follows in a phase. Returns: false when there is none now */
typedef bool sim_next(struct sim *sim, uint64_t number, struct sim_job *ret);

/**
 * Run one phase: keep connections [from, to) busy with jobs.
 *
 * In:      n        how many jobs; UINT64_MAX: until `seconds` have passed
 * Out:     sim->result
 * Returns: 0; -EPIPE when a connection broke and must not; -errno
 */
int sim_run(struct sim *sim, size_t from, size_t to, uint64_t n, double seconds, sim_next *next,
        struct err *err);

/** Close all connections. */
void sim_hang_up(struct sim *sim);

/** Microseconds of the monotonic clock. */
double sim_now_us(void);

/** Write hosts and what of theirs was acknowledged to a file. Returns: 0; -errno; -ENOMEM */
int sim_state_write(const struct sim *sim, const char *path, struct err *err);

/** Read such a file, which must be of as many hosts. Returns: 0; -errno; -ERR_FORMAT; -ERR_LIMIT */
int sim_state_read(struct sim *sim, const char *path, struct err *err);
