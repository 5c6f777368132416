/* SPDX-License-Identifier: Apache-2.0 */
/* The client of bench_http: one thread, each connection sends its next request when it has the
 * reply to the last. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench_http.h"

/* 330 bytes: a head as the agents' signed requests have, and a small JSON body. */
static const char request[] = "POST / HTTP/1.1\r\n"
                              "Host: fleet.example:8443\r\n"
                              "X-Amz-Target: AmazonSSM.PutInventory\r\n"
                              "Content-Type: application/x-amz-json-1.1\r\n"
                              "X-Amz-Date: 20260101T000000Z\r\n"
                              "Authorization: AWS4-HMAC-SHA256 0123456789abcdef0123456789abcdef\r\n"
                              "Content-Length: 89\r\n"
                              "\r\n"
                              "{\"InstanceId\":\"mi-0123456789abcdef0\",\"Hash\":"
                              "\"0123456789abcdef0123456789abcdef01234567"
                              "89\"}";
_Static_assert(sizeof(request) - 1 == 330, "the request is what the results say");

char bench_cert[4096], bench_key[4096];

static void take_text(BIO *bio, char *text, size_t size)
{
	int n = BIO_read(bio, text, (int)size - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)BIO_free(bio);
}

void load_make_certificate(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	BIO *cert_text = BIO_new(BIO_s_mem()), *key_text = BIO_new(BIO_s_mem());
	X509_NAME *name = X509_get_subject_name(cert);
	(void)X509_set_version(cert, 2);
	(void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	(void)X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	(void)X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	(void)X509_set_pubkey(cert, key);
	(void)X509_NAME_add_entry_by_txt(
	        name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
	(void)X509_set_issuer_name(cert, name);
	(void)X509_sign(cert, key, EVP_sha256());
	(void)PEM_write_bio_X509(cert_text, cert);
	(void)PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL);
	take_text(cert_text, bench_cert, sizeof(bench_cert));
	take_text(key_text, bench_key, sizeof(bench_key));
	X509_free(cert);
	EVP_PKEY_free(key);
}

double load_now_us(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double load_cpu_s(pid_t pid)
{
	struct timespec t = { 0 };
	clockid_t clock;
	if (clock_getcpuclockid(pid, &clock) == 0)
		(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool load_connect(struct peer *peer, const struct child *child, SSL_CTX *tls)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)child->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1;
	peer->ssl = NULL;
	peer->n_in = 0;
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(peer->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return false;
	(void)setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (tls) {
		peer->ssl = SSL_new(tls);
		if (!peer->ssl || SSL_set_fd(peer->ssl, peer->fd) != 1 ||
		        SSL_connect(peer->ssl) != 1)
			return false;
	}
	return fcntl(peer->fd, F_SETFL, O_NONBLOCK) == 0;
}

void load_close(struct peer *peer)
{
	SSL_free(peer->ssl);
	(void)close(peer->fd);
}

static bool send_request(struct peer *peer)
{
	size_t n = sizeof(request) - 1;
	peer->n_in = 0;
	peer->begin_us = load_now_us();
	return (peer->ssl ? SSL_write(peer->ssl, request, (int)n)
	                  : send(peer->fd, request, n, MSG_NOSIGNAL)) == (ssize_t)n;
}

/* Returns: 1 when the reply is complete, 0 when not yet, -1 when the connection is broken. */
static int read_reply(struct peer *peer)
{
	size_t room = sizeof(peer->in) - peer->n_in;
	if (room == 0)
		return -1;
	ssize_t n = peer->ssl ? SSL_read(peer->ssl, peer->in + peer->n_in, (int)room)
	                      : recv(peer->fd, peer->in + peer->n_in, room, 0);
	if (n <= 0 && peer->ssl)
		return SSL_get_error(peer->ssl, (int)n) == SSL_ERROR_WANT_READ ? 0 : -1;
	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	peer->n_in += (size_t)n;
	const char *end = memmem(peer->in, peer->n_in, "\r\n\r\n", 4);
	return end && (size_t)(end + 4 - peer->in) + sizeof(BENCH_REPLY) - 1 <= peer->n_in;
}

bool load_run(struct peer *peers, size_t n_peers, size_t n, pid_t pid, struct load *ret)
{
	struct epoll_event events[64];
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	bool is_sound = epoll_fd >= 0;
	double cpu_s = load_cpu_s(pid), begin_us = load_now_us();
	ret->n = 0;
	for (size_t i = 0; i < n_peers && is_sound; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = &peers[i] };
		is_sound = epoll_ctl(epoll_fd, EPOLL_CTL_ADD, peers[i].fd, &event) == 0 &&
		           send_request(&peers[i]);
	}
	for (size_t n_sent = n_peers; is_sound && ret->n < n;) {
		int n_events = epoll_wait(epoll_fd, events, 64, 10000);
		is_sound = n_events > 0;
		for (int i = 0; i < n_events && is_sound; i++) {
			struct peer *peer = events[i].data.ptr;
			int r = read_reply(peer);
			is_sound = r >= 0;
			if (r <= 0)
				continue;
			if (ret->n < n)
				ret->latencies_us[ret->n++] = load_now_us() - peer->begin_us;
			if (n_sent < n && ++n_sent)
				is_sound = send_request(peer);
		}
	}
	ret->seconds = (load_now_us() - begin_us) / 1e6;
	ret->server_cpu_s = load_cpu_s(pid) - cpu_s;
	(void)close(epoll_fd);
	return is_sound;
}
