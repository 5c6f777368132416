/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd as the other server of bench_http: epoll, a pool of two threads, TLS by GnuTLS. */
#include "bench_http.h"

#ifdef HAVE_MHD
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *url,
        const char *method, const char *version, const char *data, size_t *n_data, void **state)
{
	static int seen;
	(void)ctx;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	if (!*state) {
		*state = &seen;
		return MHD_YES;
	}
	if (*n_data > 0) {
		*n_data = 0;
		return MHD_YES;
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(
	        sizeof(BENCH_REPLY) - 1, (void *)(uintptr_t)BENCH_REPLY, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result r = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return r;
}

int mhd_start(const struct kind *kind)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_OptionItem tls[] = { { MHD_OPTION_HTTPS_MEM_CERT, 0, bench_cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, bench_key }, { MHD_OPTION_END, 0, NULL } };
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (kind->is_tls ? MHD_USE_TLS : 0);
	struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, NULL,
	        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_THREAD_POOL_SIZE, 2u,
	        MHD_OPTION_CONNECTION_LIMIT, 4096u, MHD_OPTION_CONNECTION_TIMEOUT, 75u,
	        MHD_OPTION_STRICT_FOR_CLIENT, (int)kind->strict, MHD_OPTION_ARRAY,
	        kind->is_tls ? tls : &tls[2], MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
	        daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	return info ? info->port : -1;
}

bool mhd_is_there(void)
{
	return true;
}
#else
int mhd_start(const struct kind *kind)
{
	(void)kind;
	return -1;
}

bool mhd_is_there(void)
{
	return false;
}
#endif
