/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sign.h"

#include <errno.h>

#include "net/protocol.h"

/* Those of a call, and Host, X-Amz-Date, X-Amz-Security-Token. */
#define HEADERS_MAX (NET_CALL_HEADERS_MAX + 3)
#define NAMES_MAX 8192

static int by_name(const void *a, const void *b)
{
	const str *x = a, *y = b;
	return str_cmp(*x, *y);
}

/* The names in lower case, sorted, each once, joined by ';'. */
static int add_names(const struct sigv4_header *headers, size_t n, struct buf *out)
{
	char lower[NAMES_MAX];
	str names[HEADERS_MAX] = { { NULL, 0 } };
	size_t used = 0;
	for (size_t i = 0; i < n; i++) {
		str name = headers[i].name;
		if (name.n > sizeof(lower) - used)
			return -ERR_LIMIT;
		names[i] = (str){ lower + used, name.n };
		for (size_t j = 0; j < name.n; j++)
			lower[used++] = to_lower(name.p[j]);
	}
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && str_eq(names[i], names[i - 1]))
			continue;
		if (i > 0)
			buf_add_byte(out, ';');
		buf_add(out, names[i]);
	}
	return buf_failed(out) ? -ERR_LIMIT : 0;
}

static int add_signature(const struct crypto *crypto, const struct net_sign *sign, str day,
        const struct sigv4_request *request, struct buf *out)
{
	uint8_t key[SIGV4_KEY_BYTES];
	autobuf names = BUF(NAMES_MAX);
	const struct sigv4_credential credential = { .access_key_id = sign->key_id,
		.date = day,
		.region = sign->region,
		.service = sign->service };
	int r = add_names(request->headers, request->n_headers, &names);
	if (r < 0)
		return r;
	if (sign->kind == NET_SIGN_RSA)
		return sigv4_sign_rsa(
		        crypto, &credential, sign->private_key, request, buf_str(&names), out);
	r = sigv4_signing_key(crypto, sign->secret, &credential, key);
	if (r == 0)
		r = sigv4_sign(crypto, &credential, key, request, buf_str(&names), out);
	crypto_wipe(key, sizeof(key));
	return r;
}

static void add_line(struct buf *lines, str name, str value)
{
	buf_add(lines, name);
	/* What curl takes for "no such header" is an empty value; this is how it is told. */
	buf_add(lines, value.n > 0 ? STR(": ") : STR(";"));
	buf_add(lines, value);
	buf_add_byte(lines, '\0');
}

/* The path on the wire: that of the endpoint, and then the call's; and the call's query. */
static void split_target(str endpoint, str target, struct buf *path, str *ret_query)
{
	str head = target, query = { NULL, 0 }, prefix = net_url_path(endpoint);
	(void)str_split_first(target, '?', &head, &query);
	while (str_has_suffix(prefix, STR("/")))
		prefix.n--;
	buf_add(path, prefix);
	buf_add(path, head);
	*ret_query = query;
}

static int sign(const struct crypto *crypto, str endpoint, const struct net_call *call,
        struct sigv4_header *headers, size_t n, struct buf *lines)
{
	char date[SIGV4_DATE_SIZE];
	autobuf path = BUF((size_t)2 * NET_URL_MAX);
	autobuf authorization = BUF(SIGV4_AUTHORIZATION_MAX);
	struct sigv4_request request = { .method = call->method, .headers = headers };
	sigv4_date(call->now, date);
	headers[n++] = (struct sigv4_header){ STR("X-Amz-Date"), str_from_c(date) };
	add_line(lines, headers[n - 1].name, headers[n - 1].value);
	if (call->sign.kind == NET_SIGN_V4 && call->sign.session_token.n > 0) {
		headers[n++] = (struct sigv4_header){ STR("X-Amz-Security-Token"),
			call->sign.session_token };
		add_line(lines, headers[n - 1].name, headers[n - 1].value);
	}
	request.n_headers = n;
	split_target(endpoint, call->target, &path, &request.query);
	request.path = buf_str(&path);
	int r = buf_failed(&path) ? -ERR_LIMIT
	                          : crypto_sha256(crypto, call->body, request.body_sha256);
	if (r == 0)
		r = add_signature(crypto, &call->sign, (str){ date, 8 }, &request, &authorization);
	if (r == 0)
		add_line(lines, STR("Authorization"), buf_str(&authorization));
	return r;
}

int sign_lines(const struct crypto *crypto, str endpoint, const struct net_call *call,
        struct buf *lines, struct err *err)
{
	struct sigv4_header headers[HEADERS_MAX];
	size_t n = 0;
	int r = 0;
	headers[n++] = (struct sigv4_header){ STR("Host"), net_url_host(endpoint) };
	for (size_t i = 0; i < call->n_headers; i++)
		headers[n++] =
		        (struct sigv4_header){ call->headers[i].name, call->headers[i].value };
	for (size_t i = 0; i < n; i++)
		add_line(lines, headers[i].name, headers[i].value);
	if (call->sign.kind != NET_SIGN_NONE)
		r = sign(crypto, endpoint, call, headers, n, lines);
	if (r == 0 && buf_failed(lines))
		r = -ERR_LIMIT;
	if (r == -ERR_FORMAT)
		return err_set(err, -EINVAL, "the key or the request cannot be signed with");
	return r < 0 ? err_set(err, r, "the request cannot be signed: %s",
	                       r == -ERR_LIMIT ? "it is too large" : "out of memory")
	             : 0;
}
