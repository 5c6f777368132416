/* SPDX-License-Identifier: Apache-2.0 */
#include "server/pages.h"

#include "server/inside.h"

/* One page: an address, or what addresses begin with if it ends in '/'. */
struct page {
	const char *path;
	const char *content_type;
	/** Out: the body, or a descriptor in response->fd. Returns: the status */
	int (*answer)(struct server *server, const struct http_request *request,
	        struct http_response *response);
};

static int health(
        struct server *server, const struct http_request *request, struct http_response *response)
{
	(void)request;
	return health_write(server, server_now_ms(server) / 1000, &response->body) ? 200 : 503;
}

static int metrics(
        struct server *server, const struct http_request *request, struct http_response *response)
{
	(void)request;
	metrics_write(server, &response->body);
	return 200;
}

static const struct page pages[] = {
	{ "/healthz", "application/json", health },
	{ "/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics },
};

static bool is_for(const struct page *page, str path)
{
	str own = str_from_c(page->path);
	return own.p[own.n - 1] == '/' ? str_has_prefix(path, own) : str_eq(path, own);
}

bool page_answer(
        struct server *server, const struct http_request *request, struct http_response *response)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
		if (!is_for(&pages[i], request->path))
			continue;
		if (!str_eq(request->method, STR("GET")) && !str_eq(request->method, STR("HEAD"))) {
			response->status = 405;
			(void)http_response_header(response, STR("Allow"), STR("GET, HEAD"));
			return true;
		}
		response->status = pages[i].answer(server, request, response);
		(void)http_response_header(
		        response, STR("Content-Type"), str_from_c(pages[i].content_type));
		(void)http_response_header(response, STR("Cache-Control"), STR("no-store"));
		return true;
	}
	return false;
}
