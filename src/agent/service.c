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

int service_call(struct service *service, const char *target, str body, struct arena *arena,
        struct ssm_reply *ret, struct err *err)
{
	str name = str_from_c(target);
	bool is_messages = str_has_prefix(name, STR("EC2WindowsMessageDeliveryService."));
	struct net_sign sign = sign_of(service, is_messages ? STR("ec2messages") : STR("ssm"));
	*ret = (struct ssm_reply){ .retry_after_s = -1 };
	int r = ssm_call(service->session, &sign, name, body, 0, arena, ret, err);
	if (r < 0 || ret->error.n == 0)
		return r;
	return err_set(err, -EREMOTEIO, "%s: " STR_FMT ": " STR_FMT, target,
	        STR_ARG(str_head(ret->error, 60)), STR_ARG(str_head(ret->message, 120)));
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
