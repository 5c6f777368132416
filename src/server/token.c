/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page token is what the handler needs to go on, sealed: nobody else can make or read one. What
 * it is sealed for (service, operation, account, and the digest of everything that was asked but
 * the token and the size of a page) is its context, so that a token opens only for the same
 * question of the same account.
 */
#include "server/inside.h"

/* Longest mark, and longest token that is looked at. */
#define MARK_BYTES 2048
#define TOKEN_BYTES 4096

static bool is_paging(str key)
{
	static const str names[] = { STR("nextToken"), STR("NextToken"), STR("maxResults"),
		STR("MaxResults") };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (str_eq(key, names[i]))
			return true;
	}
	return false;
}

/* What a token is bound to. */
static int context(const struct request *request, struct buf *out)
{
	autobuf question = BUF((size_t)64 << 20);
	uint8_t digest[SHA256_BYTES];
	struct json_writer w = JSON_WRITER(&question, false);
	json_write_object(&w);
	for (size_t i = 0; i < value_count(request->in); i++) {
		str key = value_key_at(request->in, i);
		if (is_paging(key))
			continue;
		json_write_key_str(&w, key);
		value_write_json(value_at(request->in, i), &w);
	}
	json_write_object_end(&w);
	if (buf_failed(&question) ||
	        crypto_sha256(request->server->crypto, buf_str(&question), digest) < 0)
		return -ERR_LIMIT;
	buf_printf(out, "page/%s/%s/%s/", request->operation->shape->service,
	        request->operation->shape->name, account_text(request->caller.account).text);
	buf_add(out, (str){ (const char *)digest, sizeof(digest) });
	return buf_failed(out) ? -ERR_LIMIT : 0;
}

int token_make(const struct request *request, str mark, str *ret)
{
	autobuf bound = BUF(1024), sealed = BUF(TOKEN_BYTES), text = BUF(TOKEN_BYTES);
	if (mark.n > MARK_BYTES || context(request, &bound) < 0 ||
	        crypto_seal(request->server->crypto, request->server->token_key, buf_str(&bound),
	                mark, &sealed) < 0)
		return -ERR_LIMIT;
	base64_add(&text, buf_str(&sealed));
	return buf_failed(&text) ? -ERR_LIMIT : arena_copy(request->arena, buf_str(&text), ret);
}

int token_read(const struct request *request, str member, str *ret)
{
	autobuf bound = BUF(1024), sealed = BUF(TOKEN_BYTES), mark = BUF(TOKEN_BYTES);
	str token = value_get_str(request->in, member);
	if (token.n == 0) {
		*ret = (str){ NULL, 0 };
		return 0;
	}
	int r = token.n > TOKEN_BYTES ? -ERR_FORMAT : base64_decode(token, &sealed);
	if (r >= 0)
		r = context(request, &bound);
	if (r >= 0)
		r = crypto_open(request->server->crypto, request->server->token_key,
		        buf_str(&bound), buf_str(&sealed), &mark);
	if (r < 0 || arena_copy(request->arena, buf_str(&mark), ret) < 0)
		return -ERR_FORMAT;
	return 0;
}

int token_slice(const struct request *request, str member, size_t n_items, size_t most,
        size_t *ret_from, size_t *ret_to, str *ret_token)
{
	str mark, token = { NULL, 0 };
	uint64_t from = 0;
	int r = token_read(request, member, &mark);
	if (r < 0)
		return r;
	if (mark.n > 0 && !str_to_u64(mark, SIZE_MAX / 2, &from))
		return -ERR_FORMAT;
	if (from > n_items)
		from = n_items;
	size_t to = most < n_items - from ? (size_t)from + most : n_items;
	if (to < n_items) {
		str next;
		r = arena_printf(request->arena, &next, "%zu", to);
		if (r >= 0)
			r = token_make(request, next, &token);
		if (r < 0)
			return r;
	}
	*ret_from = (size_t)from;
	*ret_to = to;
	*ret_token = token;
	return 0;
}

int uuid_make(char ret[37])
{
	uint8_t bytes[16];
	size_t at = 0;
	int r = crypto_random(bytes, sizeof(bytes));
	if (r < 0)
		return r;
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4, RFC 9562 section 5.4 */
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		static const char digits[] = "0123456789abcdef";
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		ret[at++] = digits[bytes[i] >> 4];
		ret[at++] = digits[bytes[i] & 15];
	}
	ret[at] = '\0';
	return 0;
}
