/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * The servers that bench_http compares, each in a process of its own, and the load that they get.
 */

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

/** The reply of every server, to every request. */
#define BENCH_REPLY "{\"status\":\"accepted\",\"next_s\":1800}"

struct kind {
	const char *name;
	int (*start)(const struct kind *kind); /* in the child. Returns: the port; does not end */
	bool is_tls;
	unsigned n_workers; /* ours: 0 is handlers in the io threads */
	unsigned strict;    /* libmicrohttpd: MHD_OPTION_STRICT_FOR_CLIENT */
};

/** A server's process. */
struct child {
	pid_t pid;
	unsigned port;
};

/** One connection of the load. */
struct peer {
	int fd;
	SSL *ssl;
	double begin_us;
	size_t n_in;
	char in[1024];
};

/** What one load was. */
struct load {
	double seconds, server_cpu_s;
	double *latencies_us; /* n of them, in no order */
	size_t n;
};

/** Start libmicrohttpd. Returns: the port; -1 when this build is without it */
int mhd_start(const struct kind *kind);

/** Is libmicrohttpd in this build? */
bool mhd_is_there(void);

/** PEM texts of a certificate for the servers, made anew by each run; NUL-terminated. */
extern char bench_cert[4096], bench_key[4096];

/** Make them. */
void load_make_certificate(void);

/** Connect. Returns: false when the server refuses */
bool load_connect(struct peer *peer, const struct child *child, SSL_CTX *tls);

/** Close. */
void load_close(struct peer *peer);

/** Microseconds of the monotonic clock. */
double load_now_us(void);

/** CPU time of another process, in seconds. */
double load_cpu_s(pid_t pid);

/**
 * Keep all peers busy until `n` replies have come.
 *
 * Out:     ret  latencies_us has room for n
 * Returns: false when a connection breaks
 */
bool load_run(struct peer *peers, size_t n_peers, size_t n, pid_t pid, struct load *ret);
