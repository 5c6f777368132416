/* SPDX-License-Identifier: Apache-2.0 */
#include "net/call_frame.h"

#include <errno.h>

#include "net/protocol.h"

#define NAME_MAX_BYTES 128
#define VALUE_MAX_BYTES 8192
#define SECRET_MAX 256
#define PEM_MAX 16384
#define PUBLIC_KEY_MAX 4096
#define LATEST_AT INT64_C(253402300799) /* the end of year 9999 */

/* The classes that sonde-net tells apart; on the socket they are their place here. */
static const int classes[] = { -EIO, -ETIMEDOUT, -ECONNREFUSED, -EKEYREJECTED, -ERR_LIMIT, -EINVAL,
	-EPROTO };
#define N_CLASSES (sizeof(classes) / sizeof(classes[0]))

/* Headers of an answer that somebody wants, each once. */
static const char *const kept[CALL_KEPT_MAX] = { "content-type", "etag", "location",
	"x-amzn-errortype", "x-amzn-requestid" };

/* Headers that are made here, or change what a request is. */
static const char *const reserved[] = { "accept-encoding", "connection", "content-length", "expect",
	"host", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade",
	"user-agent", "x-amz-date", "x-amz-security-token" };

static bool is_known(unsigned type)
{
	return (type >= CALL_FRAME_SETUP && type <= CALL_FRAME_MAKE_KEY) ||
	       (type >= CALL_FRAME_READY && type <= CALL_FRAME_FAIL);
}

int call_frame_take(str *bytes, size_t max_bytes, struct call_frame *ret)
{
	struct cursor cursor = CURSOR(*bytes);
	uint32_t n = cursor_u32(&cursor);
	unsigned type = cursor_u8(&cursor), version = cursor_u8(&cursor);
	uint16_t number = (uint16_t)cursor_u8(&cursor);
	number = (uint16_t)(number | cursor_u8(&cursor) << 8);
	/* Even a part of a header that cannot become one is refused: it is not waited for. */
	if ((bytes->n >= 4 && n > max_bytes) || (bytes->n >= 5 && !is_known(type)) ||
	        (bytes->n >= 6 && version != CALL_FRAME_VERSION))
		return -EPROTO;
	str payload = cursor_bytes(&cursor, n);
	if (cursor_failed(&cursor))
		return 0;
	*ret = (struct call_frame){
		.type = (enum call_frame_type)type, .number = number, .payload = payload
	};
	*bytes = cursor.rest;
	return 1;
}

size_t call_frame_begin(struct buf *out, enum call_frame_type type, uint16_t number)
{
	size_t at = out->n;
	buf_add_u32(out, 0);
	buf_add_byte(out, (char)type);
	buf_add_byte(out, CALL_FRAME_VERSION);
	buf_add_byte(out, (char)(number & 0xff));
	buf_add_byte(out, (char)(number >> 8));
	return at;
}

void call_frame_end(struct buf *out, size_t at)
{
	if (buf_failed(out))
		return;
	size_t n = out->n - at - CALL_FRAME_HEAD_BYTES;
	for (size_t i = 0; i < 4; i++)
		out->p[at + i] = (char)(n >> 8 * i & 0xff);
}

static bool is_visible(char c)
{
	return c > ' ' && c < 0x7f;
}

static bool is_value_byte(char c)
{
	return is_visible(c) || c == ' ' || c == '\t';
}

static bool is_name_byte(char c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

static bool is_scope_byte(char c)
{
	return is_alnum(c) || c == '-' || c == '_' || c == '.';
}

static bool is_pem_byte(char c)
{
	return is_visible(c) || c == ' ' || c == '\n' || c == '\r';
}

static bool is_base64_byte(char c)
{
	return is_alnum(c) || c == '+' || c == '/' || c == '=';
}

/* Not longer than allowed, and made of nothing else. */
static bool is_all(str s, size_t max, bool (*is)(char))
{
	if (s.n > max)
		return false;
	(void)str_take_while(&s, is);
	return s.n == 0;
}

/* The same, and not empty. */
static bool is_some(str s, size_t max, bool (*is)(char))
{
	return s.n > 0 && is_all(s, max, is);
}

static bool is_one_of(str name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq_nocase(name, str_from_c(names[i])))
			return true;
	}
	return false;
}

void call_setup_add(struct buf *out, const struct call_setup *setup)
{
	size_t at = call_frame_begin(out, CALL_FRAME_SETUP, 0);
	buf_add_str(out, setup->endpoint);
	buf_add_str(out, setup->proxy);
	buf_add_str(out, setup->authorities);
	buf_add_u32(out, setup->connect_timeout_ms);
	call_frame_end(out, at);
}

bool call_setup_read(str payload, struct call_setup *ret)
{
	struct cursor cursor = CURSOR(payload);
	struct call_setup setup = { .endpoint = cursor_str(&cursor),
		.proxy = cursor_str(&cursor),
		.authorities = cursor_str(&cursor),
		.connect_timeout_ms = cursor_u32(&cursor) };
	if (cursor_failed(&cursor) || cursor.rest.n > 0 || !net_is_endpoint(setup.endpoint) ||
	        (setup.proxy.n > 0 && !net_is_url(setup.proxy)) ||
	        setup.authorities.n > CALL_AUTHORITIES_MAX || setup.connect_timeout_ms == 0 ||
	        setup.connect_timeout_ms > NET_CALL_TIMEOUT_MAX_MS)
		return false;
	*ret = setup;
	return true;
}

static int check_headers(const struct net_call *call, struct err *err)
{
	size_t n = 0;
	if (call->n_headers > NET_CALL_HEADERS_MAX)
		return err_set(err, -ERR_LIMIT, "more than %d headers", NET_CALL_HEADERS_MAX);
	for (size_t i = 0; i < call->n_headers; i++) {
		str name = call->headers[i].name, value = call->headers[i].value;
		n += name.n + value.n;
		if (!is_some(name, NAME_MAX_BYTES, is_name_byte) ||
		        !is_all(value, VALUE_MAX_BYTES, is_value_byte) ||
		        is_one_of(name, reserved, sizeof(reserved) / sizeof(reserved[0])) ||
		        (call->sign.kind != NET_SIGN_NONE &&
		                str_eq_nocase(name, STR("authorization"))))
			return err_set(err, -EINVAL, "header %zu cannot be sent", i + 1);
	}
	if (n > NET_CALL_HEADER_BYTES_MAX)
		return err_set(err, -ERR_LIMIT, "headers of %zu bytes", n);
	return 0;
}

static int check_sign(const struct net_sign *sign, struct err *err)
{
	if (sign->kind == NET_SIGN_NONE)
		return 0;
	bool has_scope = is_some(sign->service, NAME_MAX_BYTES, is_scope_byte) &&
	                 is_some(sign->region, NAME_MAX_BYTES, is_scope_byte) &&
	                 is_some(sign->key_id, NAME_MAX_BYTES, is_scope_byte);
	bool has_key = sign->kind == NET_SIGN_V4
	                       ? sign->secret.n > 0 && sign->secret.n <= SECRET_MAX &&
	                                 is_all(sign->session_token, VALUE_MAX_BYTES, is_visible)
	                       : sign->kind == NET_SIGN_RSA &&
	                                 is_some(sign->private_key, PEM_MAX, is_pem_byte);
	return has_scope && has_key ? 0 : err_set(err, -EINVAL, "there is no key to sign with");
}

int call_check(const struct net_call *call, struct err *err)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "DELETE" };
	bool is_method = false;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		is_method |= str_eq(call->method, str_from_c(methods[i]));
	bool takes_body = str_eq(call->method, STR("POST")) || str_eq(call->method, STR("PUT"));
	if (!is_method || (call->body.n > 0 && !takes_body))
		return err_set(err, -EINVAL, "no method for such a request");
	if (call->body.n > NET_CALL_BODY_MAX)
		return err_set(err, -ERR_LIMIT, "a request of %zu bytes", call->body.n);
	if (call->target.n == 0 || call->target.p[0] != '/' ||
	        !is_all(call->target, NET_URL_MAX, is_visible) ||
	        memchr(call->target.p, '#', call->target.n))
		return err_set(err, -EINVAL, "no path of a request");
	if (call->timeout_ms == 0 || call->timeout_ms > NET_CALL_TIMEOUT_MAX_MS ||
	        call->max_answer_bytes == 0 || call->max_answer_bytes > INT64_MAX ||
	        call->now <= 0 || call->now > LATEST_AT)
		return err_set(err, -EINVAL, "a time or size out of range");
	int r = check_headers(call, err);
	return r < 0 ? r : check_sign(&call->sign, err);
}

void call_ask_add(struct buf *out, uint16_t number, const struct net_call *call)
{
	const struct net_sign *sign = &call->sign;
	size_t at = call_frame_begin(out, CALL_FRAME_ASK, number);
	buf_add_str(out, call->method);
	buf_add_str(out, call->target);
	buf_add_u32(out, (uint32_t)call->n_headers);
	for (size_t i = 0; i < call->n_headers; i++) {
		buf_add_str(out, call->headers[i].name);
		buf_add_str(out, call->headers[i].value);
	}
	buf_add_byte(out, (char)sign->kind);
	const str none = { NULL, 0 };
	bool is_v4 = sign->kind == NET_SIGN_V4, is_rsa = sign->kind == NET_SIGN_RSA;
	const str texts[] = { is_v4 || is_rsa ? sign->service : none,
		is_v4 || is_rsa ? sign->region : none, is_v4 || is_rsa ? sign->key_id : none,
		is_v4 ? sign->secret : none, is_v4 ? sign->session_token : none,
		is_rsa ? sign->private_key : none };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		buf_add_str(out, texts[i]);
	buf_add_u64(out, (uint64_t)call->now);
	buf_add_u32(out, call->timeout_ms);
	buf_add_u64(out, call->max_answer_bytes);
	buf_add_str(out, call->body);
	call_frame_end(out, at);
}

bool call_ask_read(
        str payload, struct net_header headers[NET_CALL_HEADERS_MAX], struct net_call *ret)
{
	struct cursor cursor = CURSOR(payload);
	struct net_call call = {
		.method = cursor_str(&cursor), .target = cursor_str(&cursor), .headers = headers
	};
	uint32_t n = cursor_u32(&cursor);
	if (n > NET_CALL_HEADERS_MAX)
		return false;
	for (; call.n_headers < n; call.n_headers++) {
		headers[call.n_headers].name = cursor_str(&cursor);
		headers[call.n_headers].value = cursor_str(&cursor);
	}
	unsigned kind = cursor_u8(&cursor);
	if (kind > NET_SIGN_RSA)
		return false;
	call.sign.kind = (enum net_sign_kind)kind;
	str *const texts[] = { &call.sign.service, &call.sign.region, &call.sign.key_id,
		&call.sign.secret, &call.sign.session_token, &call.sign.private_key };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = cursor_str(&cursor);
	call.now = (int64_t)cursor_u64(&cursor);
	call.timeout_ms = cursor_u32(&cursor);
	call.max_answer_bytes = cursor_u64(&cursor);
	call.body = cursor_str(&cursor);
	if (cursor_failed(&cursor) || cursor.rest.n > 0 || call_check(&call, NULL) < 0)
		return false;
	*ret = call;
	return true;
}

int call_kept_index(str name)
{
	for (int i = 0; i < CALL_KEPT_MAX; i++) {
		if (str_eq_nocase(name, str_from_c(kept[i])))
			return i;
	}
	return -1;
}

str call_kept_name(int i)
{
	return str_from_c(kept[i]);
}

void call_head_add(struct buf *out, uint16_t number, const struct net_call_answer *answer)
{
	size_t at = call_frame_begin(out, CALL_FRAME_HEAD, number);
	buf_add_u32(out, answer->status);
	buf_add_u64(out, (uint64_t)answer->date_at);
	buf_add_u64(out, (uint64_t)answer->retry_after_s);
	buf_add_u32(out, (uint32_t)answer->n_headers);
	for (size_t i = 0; i < answer->n_headers; i++) {
		buf_add_str(out, answer->headers[i].name);
		buf_add_str(out, answer->headers[i].value);
	}
	call_frame_end(out, at);
}

bool call_head_read(
        str payload, struct net_header headers[CALL_KEPT_MAX], struct net_call_answer *ret)
{
	struct cursor cursor = CURSOR(payload);
	bool is_here[CALL_KEPT_MAX] = { false };
	struct net_call_answer answer = { .status = cursor_u32(&cursor),
		.date_at = (int64_t)cursor_u64(&cursor),
		.retry_after_s = (int64_t)cursor_u64(&cursor),
		.headers = headers };
	uint32_t n = cursor_u32(&cursor);
	if (n > CALL_KEPT_MAX)
		return false;
	for (; answer.n_headers < n; answer.n_headers++) {
		str name = cursor_str(&cursor), value = cursor_str(&cursor);
		int i = call_kept_index(name);
		if (i < 0 || is_here[i] || !is_all(value, VALUE_MAX_BYTES, is_value_byte))
			return false;
		is_here[i] = true;
		headers[answer.n_headers] = (struct net_header){ str_from_c(kept[i]), value };
	}
	if (cursor_failed(&cursor) || cursor.rest.n > 0 || answer.status < 200 ||
	        answer.status > 599 || answer.date_at < -1 || answer.date_at > LATEST_AT ||
	        answer.retry_after_s < -1 || answer.retry_after_s > INT32_MAX)
		return false;
	*ret = answer;
	return true;
}

void call_fail_add(struct buf *out, uint16_t number, const struct err *err)
{
	size_t class = 0;
	for (size_t i = 0; i < N_CLASSES; i++) {
		if (classes[i] == err->code)
			class = i;
	}
	size_t at = call_frame_begin(out, CALL_FRAME_FAIL, number);
	buf_add_byte(out, (char)class);
	buf_add_str(out, str_from_c(err->text));
	call_frame_end(out, at);
}

int call_fail_read(str payload, struct err *err)
{
	char shown[sizeof(err->text)];
	struct cursor cursor = CURSOR(payload);
	size_t class = cursor_u8(&cursor);
	str text = cursor_str(&cursor);
	if (cursor_failed(&cursor) || cursor.rest.n > 0 || class >= N_CLASSES || text.n == 0)
		return err_set(err, -EPROTO, "sonde-net reports a failure that is none");
	net_text_show(text, shown, sizeof(shown));
	return err_set(err, classes[class], "%s", shown);
}

void call_key_add(struct buf *out, uint16_t number, str private_pem, str public_key)
{
	size_t at = call_frame_begin(out, CALL_FRAME_KEY, number);
	buf_add_str(out, private_pem);
	buf_add_str(out, public_key);
	call_frame_end(out, at);
}

bool call_key_read(str payload, str *ret_private_pem, str *ret_public_key)
{
	struct cursor cursor = CURSOR(payload);
	str private_pem = cursor_str(&cursor), public_key = cursor_str(&cursor);
	if (cursor_failed(&cursor) || cursor.rest.n > 0 ||
	        !is_some(private_pem, PEM_MAX, is_pem_byte) ||
	        !str_has_prefix(private_pem, STR("-----BEGIN PRIVATE KEY-----\n")) ||
	        !is_some(public_key, PUBLIC_KEY_MAX, is_base64_byte))
		return false;
	*ret_private_pem = private_pem;
	*ret_public_key = public_key;
	return true;
}
