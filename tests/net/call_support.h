/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** What the tests of calls do again and again. */

#include "server.h"

#include "aws/value.h"
#include "base/cleanup.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static const struct net_session_config defaults __attribute__((unused)) = { .endpoint = NULL };

static inline void session_closep(struct net_session **session)
{
	net_session_close(*session);
}

#define autosession cleanup(session_closep) struct net_session

static inline struct net_sign sign_v4(const char *token)
{
	return (struct net_sign){ .kind = NET_SIGN_V4,
		.service = STR("ssm"),
		.region = STR("eu-central-1"),
		.key_id = STR("AKIDEXAMPLE"),
		.secret = STR(SECRET),
		.session_token = str_from_c(token) };
}

static inline struct net_call get(const char *target)
{
	return (struct net_call){ .method = STR("GET"), .target = str_from_c(target) };
}

/* Make a call that has to work. */
static inline struct net_call_answer must(
        struct server *server, struct net_session *session, const struct net_call *call)
{
	struct net_call_answer answer;
	struct err err = { 0 };
	if (net_call(session, call, &server->arena, &answer, &err) < 0)
		fail_msg("%s", err.text);
	return answer;
}

static inline const struct value *json_of(
        struct server *server, const struct net_call_answer *answer)
{
	const struct value *value = NULL;
	struct err err = { 0 };
	if (value_from_json(answer->body, &server->arena, &value, &err) < 0)
		fail_msg("%s: " STR_FMT, err.text, STR_ARG(answer->body));
	return value;
}

static inline const struct value *echo(
        struct server *server, struct net_session *session, const struct net_call *call)
{
	struct net_call_answer answer = must(server, session, call);
	assert_int_equal(answer.status, 200);
	return json_of(server, &answer);
}
