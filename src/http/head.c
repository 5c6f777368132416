/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar is that of RFC 9112, less what it lets a server tolerate: empty lines before the
 * request line, bare LF, white space in odd places, obsolete line folding, absolute, authority and
 * asterisk form. Each of these is read in two ways by two programs in some chain of proxies, which
 * is what request smuggling lives on; no client of ours sends any.
 *
 * Every limit is tested as if bytes came one at a time: a part that is read in one go is measured
 * before the byte behind it is looked at. So the verdict is the same however the bytes are split.
 */
#include "http/head.h"

enum state {
	S_METHOD,
	S_TARGET,
	S_OLD,
	S_VERSION,
	S_LINE,
	S_NAME,
	S_PAD,
	S_VALUE,
	S_VALUE_END,
	S_END,
	S_DONE,
	S_REFUSED,
};

/* Sets of ASCII characters, a bit each. */
struct set {
	uint64_t low, high;
};
static const struct set token_set = { 0x03ff6cfa00000000, 0x57ffffffc7fffffe };
static const struct set target_set = { 0xaffffff200000000, 0x47fffffe87ffffff };
static const struct set host_set = { 0x07ff600000000000, 0x07fffffeaffffffe };
static const struct set value_set = { 0xffffffff00000200, 0x7fffffffffffffff };

static bool is_in(struct set set, char c)
{
	unsigned u = (unsigned char)c;
	return u < 128 && ((u < 64 ? set.low : set.high) >> (u & 63) & 1);
}

static bool is_value_byte(char c)
{
	return (unsigned char)c >= 128 || is_in(value_set, c);
}

static size_t run_in(struct set set, str s, size_t at)
{
	while (at < s.n && is_in(set, s.p[at]))
		at++;
	return at;
}

bool head_is_token(str s)
{
	return s.n > 0 && run_in(token_set, s, 0) == s.n;
}

bool head_is_value(str s)
{
	size_t i = 0;
	while (i < s.n && is_value_byte(s.p[i]))
		i++;
	return i == s.n;
}

static void refuse(struct head *head, int status, const char *reason)
{
	head->state = S_REFUSED;
	head->status = status;
	head->reason = reason;
}

static struct head_span span_from(const struct head *head, uint32_t end)
{
	return (struct head_span){ (uint16_t)head->mark, (uint16_t)(end - head->mark) };
}

/* Go to the next part, which begins `skip` bytes further on. */
static void enter(struct head *head, enum state state, uint32_t skip)
{
	head->at += skip;
	head->mark = head->at;
	head->state = (uint8_t)state;
}

static void step_method(struct head *head, str bytes)
{
	head->at = (uint32_t)run_in(token_set, bytes, head->at);
	if (head->at > HEAD_METHOD_MAX)
		refuse(head, 400, "the method is too long");
	if (head->state == S_REFUSED || head->at == bytes.n)
		return;
	if (head->at == 0 || bytes.p[head->at] != ' ') {
		refuse(head, 400, "the request line does not begin with a method and one space");
		return;
	}
	head->method = span_from(head, head->at);
	enter(head, S_TARGET, 1);
}

static bool is_hex(char c)
{
	return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}

static bool is_origin_form(str target)
{
	if (target.n == 0 || target.p[0] != '/')
		return false;
	for (size_t i = 0; i < target.n; i++) {
		if (target.p[i] == '%' &&
		        (target.n - i < 3 || !is_hex(target.p[i + 1]) || !is_hex(target.p[i + 2])))
			return false;
	}
	return true;
}

static void step_target(struct head *head, str bytes)
{
	head->at = (uint32_t)run_in(target_set, bytes, head->at);
	if (head->at - head->mark > head->limits.target_bytes)
		refuse(head, 414, "the target is too long");
	if (head->state == S_REFUSED || head->at == bytes.n)
		return;
	head->target = span_from(head, head->at);
	if (bytes.p[head->at] == '\r' && head->target.n > 0)
		enter(head, S_OLD, 1);
	else if (bytes.p[head->at] != ' ')
		refuse(head, 400, "the target has a character that no URI has");
	else if (!is_origin_form(head_text(bytes, head->target)))
		refuse(head, 400, "the target is not a path");
	else
		enter(head, S_VERSION, 1);
}

/* A request line without a version, which HTTP/0.9 had. */
static void step_old(struct head *head, str bytes)
{
	bool is_line_end = bytes.p[head->at] == '\n';
	refuse(head, is_line_end ? 505 : 400,
	        is_line_end ? "the request line has no version" : "a bare CR in the head");
}

static void step_version(struct head *head, str bytes)
{
	static const char pattern[] = "HTTP/0.0\r\n";
	uint32_t i = head->at - head->mark;
	char c = bytes.p[head->at], want = pattern[i];
	if (want == '0' ? !is_digit(c) : c != want) {
		refuse(head, 400, "the request line does not end with a version, CR and LF");
		return;
	}
	head->at++;
	str version = head_text(bytes, span_from(head, head->at));
	if (want == '\r' && !str_has_prefix(version, STR("HTTP/1.0")) &&
	        !str_has_prefix(version, STR("HTTP/1.1"))) {
		refuse(head, 505, "a version other than HTTP/1.0 and HTTP/1.1");
	} else if (want == '\n') {
		head->minor = (uint8_t)(version.p[7] - '0');
		enter(head, S_LINE, 0);
	}
}

static void step_line(struct head *head, str bytes)
{
	char c = bytes.p[head->at];
	if (c == '\r')
		enter(head, S_END, 1);
	else if (c == ' ' || c == '\t')
		refuse(head, 400, "a header line that begins with white space");
	else if (head->n_fields == HTTP_HEADERS_MAX)
		refuse(head, 431, "too many header fields");
	else
		enter(head, S_NAME, 0);
}

static void step_name(struct head *head, str bytes)
{
	head->at = (uint32_t)run_in(token_set, bytes, head->at);
	if (head->at == bytes.n)
		return;
	if (bytes.p[head->at] != ':' || head->at == head->mark) {
		refuse(head, 400, "a header line that does not begin with a name and a colon");
		return;
	}
	head->fields[head->n_fields].name = span_from(head, head->at);
	enter(head, S_PAD, 1);
}

static void step_pad(struct head *head, str bytes)
{
	while (head->at < bytes.n && (bytes.p[head->at] == ' ' || bytes.p[head->at] == '\t'))
		head->at++;
	if (head->at < bytes.n)
		enter(head, S_VALUE, 0);
}

static void take_host(struct head *head, str value)
{
	if (head->has_host)
		refuse(head, 400, "more than one Host");
	else if (value.n == 0 || run_in(host_set, value, 0) != value.n)
		refuse(head, 400, "Host is not a host and port");
	head->has_host = true;
}

/* One spelling of a number only: "+5", "5, 5", "0x5" and "005" are all read differently somewhere.
 */
static void take_length(struct head *head, str value)
{
	if (head->has_length)
		refuse(head, 400, "more than one Content-Length");
	else if (head->is_chunked)
		refuse(head, 400, "both Content-Length and Transfer-Encoding");
	else if (!str_to_u64(value, INT64_MAX, &head->length) || (value.n > 1 && value.p[0] == '0'))
		refuse(head, 400, "Content-Length is not a number");
	head->has_length = true;
}

static void take_encoding(struct head *head, str value)
{
	if (head->minor == 0)
		refuse(head, 400, "Transfer-Encoding in HTTP/1.0");
	else if (head->is_chunked)
		refuse(head, 400, "more than one Transfer-Encoding");
	else if (head->has_length)
		refuse(head, 400, "both Content-Length and Transfer-Encoding");
	else if (!str_eq(value, STR("chunked")))
		refuse(head, 400, "a Transfer-Encoding other than chunked");
	head->is_chunked = true;
}

static void take_connection(struct head *head, str value)
{
	str item;
	while (value.n > 0) {
		if (!str_split_first(value, ',', &item, &value)) {
			item = value;
			value.n = 0;
		}
		if (str_eq_nocase(str_trim(item), STR("close")))
			head->wants_close = true;
	}
}

static void take_expect(struct head *head, str value)
{
	if (!str_eq_nocase(value, STR("100-continue")))
		refuse(head, 417, "an expectation other than 100-continue");
	head->wants_continue = head->minor > 0;
}

/* The fields that decide where the message ends and what becomes of the connection. */
static const struct meaning {
	str name;
	void (*take)(struct head *head, str value);
} meanings[] = {
	{ { "host", 4 }, take_host },
	{ { "expect", 6 }, take_expect },
	{ { "connection", 10 }, take_connection },
	{ { "content-length", 14 }, take_length },
	{ { "transfer-encoding", 17 }, take_encoding },
};

static void step_value(struct head *head, str bytes)
{
	while (head->at < bytes.n && is_value_byte(bytes.p[head->at]))
		head->at++;
	if (head->at == bytes.n)
		return;
	if (bytes.p[head->at] != '\r') {
		refuse(head, 400,
		        bytes.p[head->at] == '\n' ? "a bare LF in the head"
		                                  : "a control character in a header field");
		return;
	}
	struct head_span value = span_from(head, head->at);
	while (value.n > 0 && is_space(bytes.p[value.at + value.n - 1]))
		value.n--;
	head->fields[head->n_fields].value = value;
	enter(head, S_VALUE_END, 1);
}

static void step_value_end(struct head *head, str bytes)
{
	if (bytes.p[head->at] != '\n') {
		refuse(head, 400, "a bare CR in the head");
		return;
	}
	const struct head_field *field = &head->fields[head->n_fields++];
	str name = head_text(bytes, field->name), value = head_text(bytes, field->value);
	enter(head, S_LINE, 1);
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (str_eq_nocase(name, meanings[i].name))
			meanings[i].take(head, value);
	}
}

static void step_end(struct head *head, str bytes)
{
	if (bytes.p[head->at] != '\n')
		refuse(head, 400, "a bare CR in the head");
	else if (head->minor > 0 && !head->has_host)
		refuse(head, 400, "no Host");
	else
		enter(head, S_DONE, 1);
}

static void (*const steps[])(struct head *head, str bytes) = {
	[S_METHOD] = step_method,
	[S_TARGET] = step_target,
	[S_OLD] = step_old,
	[S_VERSION] = step_version,
	[S_LINE] = step_line,
	[S_NAME] = step_name,
	[S_PAD] = step_pad,
	[S_VALUE] = step_value,
	[S_VALUE_END] = step_value_end,
	[S_END] = step_end,
};

void head_begin(struct head *head, const struct head_limits *limits)
{
	/* The fields are written before they are counted; clearing them would cost more than
	 * reading a head. */
	memset(head, 0, offsetof(struct head, fields));
	head->limits = *limits;
	if (head->limits.head_bytes > UINT16_MAX)
		head->limits.head_bytes = UINT16_MAX;
}

enum head_verdict head_feed(struct head *head, str bytes)
{
	bytes = str_head(bytes, head->limits.head_bytes);
	while (head->state < S_DONE && head->at < bytes.n)
		steps[head->state](head, bytes);
	if (head->state < S_DONE && head->at == head->limits.head_bytes)
		refuse(head, 431, "the head is too long");
	if (head->state == S_REFUSED)
		return HEAD_REFUSED;
	return head->state == S_DONE ? HEAD_DONE : HEAD_MORE;
}
