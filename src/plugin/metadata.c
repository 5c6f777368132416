/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/metadata.h"

#include <errno.h>

#include "aws/value.h"
#include "net/reader.h"

#define ENDPOINT "http://169.254.169.254"

/* It is on the machine, or not there at all. */
#define CONNECT_MS 1000
#define TIMEOUT_MS 3000

#define ANSWER_BYTES 16384
#define TARGET_BYTES 512
#define TOKEN_BYTES 4096

struct asking {
	struct net_session *session;
	struct arena *arena;
	struct account *account;
	str token;
};

static bool is_printable(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	}
	return s.n > 0;
}

static int get_token(struct asking *a, struct err *err)
{
	const struct net_header header = { STR("X-aws-ec2-metadata-token-ttl-seconds"), STR("60") };
	struct net_call call = { .method = STR("PUT"),
		.target = STR("/latest/api/token"),
		.headers = &header,
		.n_headers = 1 };
	struct net_call_answer answer;
	int r = net_call(a->session, &call, a->arena, &answer, err);
	if (r < 0)
		return r;
	a->token = str_trim(answer.body);
	if (answer.status != 200 || a->token.n > TOKEN_BYTES || !is_printable(a->token))
		return err_set(err, -EPROTO, "no metadata service: it gives no token");
	return 0;
}

/* A document; empty when it is not there. */
static int get(struct asking *a, str target, str *ret, struct err *err)
{
	const struct net_header header = { STR("X-aws-ec2-metadata-token"), a->token };
	struct net_call call = {
		.method = STR("GET"), .target = target, .headers = &header, .n_headers = 1
	};
	struct net_call_answer answer;
	int r = net_call(a->session, &call, a->arena, &answer, err);
	if (r >= 0)
		*ret = answer.status == 200 ? str_trim(answer.body) : (str){ NULL, 0 };
	return r;
}

static int get_word(struct asking *a, str target, str *ret, struct err *err)
{
	str text;
	if (ret->n > 0)
		return 0;
	int r = get(a, target, &text, err);
	if (r >= 0 && text.n <= 128 && is_printable(text))
		*ret = text;
	return r;
}

/* Characters of a role's name (IAM, RoleName), none of which means anything in an address. */
static bool is_role(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_alnum(s.p[i]) && !str_has(STR("+=,.@-_"), s.p[i]))
			return false;
	}
	return s.n > 0 && s.n <= 64;
}

static int get_credentials(struct asking *a, struct err *err)
{
	str roles, role, text, target;
	const struct value *value;
	int r = get(a, STR("/latest/meta-data/iam/security-credentials/"), &roles, err);
	if (r < 0 || !str_next_line(&roles, &role) || !is_role(str_trim(role)))
		return r;
	role = str_trim(role);
	if (arena_printf(a->arena, &target, "/latest/meta-data/iam/security-credentials/" STR_FMT,
	            STR_ARG(role)) < 0)
		return err_set(err, -ERR_LIMIT, "out of memory");
	r = get(a, target, &text, err);
	if (r < 0 || text.n == 0 || reader_json(text, a->arena, &value, NULL) < 0)
		return r;
	struct account *account = a->account;
	str key = value_get_str(value, STR("AccessKeyId"));
	str secret = value_get_str(value, STR("SecretAccessKey"));
	if (key.n == 0 || secret.n == 0)
		return 0;
	account->key_id = key;
	account->secret = secret;
	account->session_token = value_get_str(value, STR("Token"));
	account->source = ACCOUNT_ROLE;
	return 0;
}

int metadata_ask(
        const char *endpoint, struct arena *arena, struct account *account, struct err *err)
{
	/* Link-local: it never leaves the machine, and speaks no TLS. */
	struct net_session_config config = { .endpoint = endpoint ? endpoint : ENDPOINT,
		.allow_plain = true,
		.connect_timeout_ms = CONNECT_MS,
		.timeout_ms = TIMEOUT_MS,
		.max_answer_bytes = ANSWER_BYTES };
	struct asking a = { .arena = arena, .account = account };
	int r = net_session_open(&config, &a.session, err);
	if (r >= 0)
		r = get_token(&a, err);
	if (r >= 0)
		r = get_word(&a, STR("/latest/meta-data/instance-id"), &account->instance, err);
	if (r >= 0)
		r = get_word(
		        &a, STR("/latest/meta-data/instance-type"), &account->instance_type, err);
	if (r >= 0)
		r = get_word(&a, STR("/latest/meta-data/placement/region"), &account->region, err);
	if (r >= 0 && account->source == ACCOUNT_NONE)
		r = get_credentials(&a, err);
	net_session_close(a.session);
	return r;
}
