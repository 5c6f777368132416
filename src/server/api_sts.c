/* SPDX-License-Identifier: Apache-2.0 */
/* Security Token Service: who am I, and temporary keys. */
#include "aws/timestamp.h"
#include "base/cleanup.h"
#include "server/api.h"
#include "server/keys.h"

#define SESSION_S 3600

int api_get_caller_identity(struct request *request, struct response *response)
{
	struct account_text account = account_text(request->caller.account);
	xml_text(&response->xml, "UserId", request->caller.key_id);
	xml_text(&response->xml, "Account", str_from_c(account.text));
	xml_text(&response->xml, "Arn", request->caller.arn);
	return 0;
}

/* arn:<partition>:iam::<account>:role/<path and name> */
static bool parse_role(str arn, int64_t *ret_account, str *ret_name)
{
	str part[5];
	for (size_t i = 0; i < 5; i++) {
		if (!str_split_first(arn, ':', &part[i], &arn))
			return false;
	}
	if (!str_eq(part[0], STR("arn")) || !str_eq(part[2], STR("iam")) ||
	        !account_parse(part[4], ret_account) || !str_has_prefix(arn, STR("role/")))
		return false;
	*ret_name = str_basename(str_skip(arn, 5));
	return ret_name->n > 0 && ret_name->n <= 64;
}

static void write_session(
        struct xml *w, const struct session_keys *keys, const struct session *session)
{
	autobuf at = BUF(64), arn = BUF(512);
	timestamp_add_iso(&at, keys->expires_at * 1000);
	buf_printf(&arn, "arn:aws:sts::%s:assumed-role/" STR_FMT,
	        account_text(session->account).text, STR_ARG(session->name));
	xml_begin(w, "Credentials", NULL);
	xml_text(w, "AccessKeyId", keys->id);
	xml_text(w, "SecretAccessKey", keys->secret);
	xml_text(w, "SessionToken", keys->token);
	xml_text(w, "Expiration", buf_str(&at));
	xml_end(w);
	xml_begin(w, "AssumedRoleUser", NULL);
	xml_text(w, "AssumedRoleId", keys->id);
	xml_text(w, "Arn", buf_str(&arn));
	xml_end(w);
}

/* Roles are not kept: whatever its name, a role of the caller's own account has the caller's
 * rights, and one of a member of its organisation may read. A session cannot make another one last
 * longer than itself. */
int api_assume_role(struct request *request, struct response *response)
{
	int64_t account, seconds = value_get_i64(request->in, STR("DurationSeconds"), SESSION_S);
	str name, session_name = value_get_str(request->in, STR("RoleSessionName"));
	struct session_keys keys;
	if (!parse_role(value_get_str(request->in, STR("RoleArn")), &account, &name))
		return response_fail(response, "ValidationError",
		        "RoleArn must be arn:aws:iam::<account>:role/<name>.");
	if (!str_has_prefix(request->caller.key_id, STR("AKIA")) ||
	        !caller_sees(request->server, &request->caller, account))
		return response_fail(response, "AccessDenied",
		        "This caller is not authorised to perform sts:AssumeRole on that role.");
	/* A delegated administrator acts on members by Inspector's own operations; it does not
	 * become the administrator of all else that they have. */
	bool is_own = account == request->caller.account;
	struct session session = { .role = is_own ? request->caller.role : ROLE_READER,
		.account = account,
		.expires_at = request->now_at + seconds,
		.parent = request->caller.key_id };
	int r = arena_printf(request->arena, &session.name, STR_FMT "/" STR_FMT, STR_ARG(name),
	        STR_ARG(session_name));
	if (r >= 0)
		r = session_make(request->server, &session, request->arena, &keys);
	if (r >= 0)
		write_session(&response->xml, &keys, &session);
	return r;
}
