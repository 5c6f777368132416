/* SPDX-License-Identifier: Apache-2.0 */
#include "net/aws_call.h"

#include <errno.h>
#include <stdio.h>

#include "net/protocol.h"
#include "net/reader.h"

#define CONTENT_TYPE "application/x-amz-json-1.1"
/* A clock that is so far off, in seconds, is why a signature was refused; a nearer one is not. */
#define CLOCK_OFF_S 60
#define NAME_MAX_BYTES 128
/* How much longer than it was asked to a service may hold a question. */
#define PATIENCE_S 15

/*
 * The name of an exception, wherever it stands: the header, or "__type" or "code" of the body, each
 * perhaps with a namespace in front, up to '#', and a colon and an address behind.
 */
static str find_error(const struct net_call_answer *answer, const struct value *value)
{
	str name = net_call_header(answer, STR("x-amzn-errortype")), head, tail;
	if (name.n == 0)
		name = value_get_str(value, STR("__type"));
	if (name.n == 0)
		name = value_get_str(value, STR("code"));
	if (str_split_first(name, ':', &head, &tail))
		name = head;
	if (str_split_last(name, '#', &head, &tail))
		name = tail;
	return name;
}

static bool is_name(str s)
{
	str rest = s;
	(void)str_take_while(&rest, is_alnum);
	return s.n > 0 && s.n <= NAME_MAX_BYTES && rest.n == 0;
}

static int read_exception(const struct net_call_answer *answer, struct arena *arena,
        struct ssm_reply *reply, struct err *err)
{
	const struct value *value = NULL;
	/* A proxy's page is no JSON; the status says enough then. */
	if (reader_json(answer->body, arena, &value, NULL) < 0)
		value = NULL;
	str name = find_error(answer, value), message = value_get_str(value, STR("message"));
	if (message.n == 0)
		message = value_get_str(value, STR("Message"));
	if (!is_name(name)) {
		if (arena_printf(arena, &name, "Http%u", answer->status) < 0)
			return err_set(err, -ERR_LIMIT, "no memory for the answer");
	}
	reply->error = name;
	reply->message = message;
	return 0;
}

static int call_once(struct net_session *session, const struct net_call *call, struct arena *arena,
        struct ssm_reply *ret, struct err *err)
{
	struct net_call_answer answer;
	struct err why = { 0 };
	int r = net_call(session, call, arena, &answer, err);
	if (r < 0)
		return r;
	struct ssm_reply reply = { .status = answer.status,
		.retry_after_s = answer.retry_after_s,
		.request_id = net_call_header(&answer, STR("x-amzn-requestid")) };
	if (answer.status != 200) {
		r = read_exception(&answer, arena, &reply, err);
	} else {
		r = answer.body.n > 0 ? reader_json(answer.body, arena, &reply.value, &why)
		                      : value_from_json(STR("{}"), arena, &reply.value, &why);
		if (r == 0 && value_kind(reply.value) != VALUE_OBJECT)
			r = err_set(&why, -ERR_FORMAT, "no object");
		if (r < 0)
			return err_set(err, r == -ERR_FORMAT ? -EPROTO : r,
			        "the server's answer cannot be read: %s", why.text);
	}
	if (r == 0)
		*ret = reply;
	return r;
}

/* Did the service refuse the signature for its date? Some say only that it does not match. */
static bool is_of_the_clock(str error)
{
	static const char *const names[] = { "InvalidSignatureException", "RequestExpired",
		"RequestTimeTooSkewed", "SignatureDoesNotMatch", "AuthFailure",
		"RequestInTheFuture", "ExpiredTokenException" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (str_eq(error, str_from_c(names[i])))
			return true;
	}
	return false;
}

static int call_twice(struct net_session *session, const struct net_call *call, struct arena *arena,
        struct ssm_reply *ret_reply, struct err *err)
{
	int64_t before = net_session_clock_offset(session);
	struct ssm_reply reply;
	int r = call_once(session, call, arena, &reply, err);
	if (r != 0)
		return r;
	int64_t moved = net_session_clock_offset(session) - before;
	if (call->sign.kind != NET_SIGN_NONE && is_of_the_clock(reply.error) &&
	        (moved > CLOCK_OFF_S || moved < -CLOCK_OFF_S))
		r = call_once(session, call, arena, &reply, err);
	if (r == 0)
		*ret_reply = reply;
	return r;
}

int ssm_call(struct net_session *session, const struct net_sign *sign, str target, str body,
        int64_t now, struct arena *arena, struct ssm_reply *ret_reply, struct err *err)
{
	const struct net_header headers[] = { { STR("Content-Type"), STR(CONTENT_TYPE) },
		{ STR("X-Amz-Target"), target } };
	const struct net_call call = { .method = STR("POST"),
		.target = STR("/"),
		.headers = headers,
		.n_headers = 2,
		.body = body,
		.sign = *sign,
		.now = now };
	return call_twice(session, &call, arena, ret_reply, err);
}

int ssm_wait(struct net_session *session, const struct net_sign *sign, str target, str body,
        unsigned wait_s, struct arena *arena, struct ssm_reply *ret_reply, struct err *err)
{
	char seconds[16];
	(void)snprintf(seconds, sizeof(seconds), "%u", wait_s);
	const struct net_header headers[] = { { STR("Content-Type"), STR(CONTENT_TYPE) },
		{ STR("X-Amz-Target"), target }, { STR(SSM_WAIT_HEADER), str_from_c(seconds) } };
	const struct net_call call = { .method = STR("POST"),
		.target = STR("/"),
		.headers = headers,
		.n_headers = 3,
		.body = body,
		.sign = *sign,
		.timeout_ms = (wait_s + PATIENCE_S) * 1000 };
	return call_twice(session, &call, arena, ret_reply, err);
}
