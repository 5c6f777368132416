/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/service.h"

#include <errno.h>

static struct net_sign sign_of(const struct service *service, str name)
{
	return (struct net_sign){
		.kind = NET_SIGN_V4,
		.service = name,
		.region = str_from_c(service->region),
		.key_id = str_from_c(service->keys.key_id),
		.secret = str_from_c(service->keys.secret),
		.session_token = str_from_c(service->keys.token),
	};
}

static struct net_sign sign_for(const struct service *service, const char *target)
{
	bool is_messages =
	        str_has_prefix(str_from_c(target), STR("EC2WindowsMessageDeliveryService."));
	return sign_of(service, is_messages ? STR("ec2messages") : STR("ssm"));
}

static int judge(int r, const char *target, const struct ssm_reply *reply, struct err *err)
{
	if (r < 0 || reply->error.n == 0)
		return r;
	return err_set(err, -EREMOTEIO, "%s: " STR_FMT ": " STR_FMT, target,
	        STR_ARG(str_head(reply->error, 60)), STR_ARG(str_head(reply->message, 120)));
}

int service_call(struct service *service, const char *target, str body, struct arena *arena,
        struct ssm_reply *ret, struct err *err)
{
	struct net_sign sign = sign_for(service, target);
	*ret = (struct ssm_reply){ .retry_after_s = -1 };
	int r = ssm_call(service->session, &sign, str_from_c(target), body, 0, arena, ret, err);
	return judge(r, target, ret, err);
}

int service_wait(struct service *service, const char *target, str body, unsigned wait_s,
        struct arena *arena, struct ssm_reply *ret, struct err *err)
{
	struct net_sign sign = sign_for(service, target);
	*ret = (struct ssm_reply){ .retry_after_s = -1 };
	int r = ssm_wait(
	        service->session, &sign, str_from_c(target), body, wait_s, arena, ret, err);
	return judge(r, target, ret, err);
}

int service_rest(struct service *service, const char *method, str path, str body, bool is_json,
        struct arena *arena, struct net_call_answer *ret, struct err *err)
{
	const struct net_header type = { STR("Content-Type"),
		is_json ? STR("application/json") : STR("application/octet-stream") };
	struct net_call call = {
		.method = str_from_c(method),
		.target = path,
		.headers = &type,
		.n_headers = 1,
		.body = body,
		.sign = sign_of(service, STR("sonde")),
	};
	return net_call(service->session, &call, arena, ret, err);
}

bool service_may_retry(int r, const struct ssm_reply *reply)
{
	if (r != -EREMOTEIO)
		return r != -EINVAL && r != -ERR_LIMIT;
	return reply->status >= 500 || reply->status == 429 ||
	       str_eq(reply->error, STR("ThrottlingException")) ||
	       str_eq(reply->error, STR("TooManyUpdates")) ||
	       str_eq(reply->error, STR("ExpiredTokenException")) ||
	       str_eq(reply->error, STR("InternalServerError"));
}

void service_forget(struct service *service)
{
	explicit_bzero(&service->keys, sizeof(service->keys));
}
