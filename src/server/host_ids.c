/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "server/server.h"

#define ID_DIGITS 17

struct host_text host_ssm_id(const struct fleet_host *host)
{
	struct host_text ret;
	(void)snprintf(ret.text, sizeof(ret.text), "%s-%s", host->is_ec2 ? "i" : "mi", host->id);
	return ret;
}

struct host_text host_ec2_id(const char *id)
{
	struct host_text ret;
	(void)snprintf(ret.text, sizeof(ret.text), "i-%.17s", id);
	return ret;
}

bool host_id_parse(str text, str *ret_digits)
{
	str head, digits;
	if (!str_split_first(text, '-', &head, &digits) ||
	        !(str_eq(head, STR("i")) || str_eq(head, STR("mi"))) || digits.n != ID_DIGITS)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (!is_digit(digits.p[i]) && !(digits.p[i] >= 'a' && digits.p[i] <= 'f'))
			return false;
	}
	*ret_digits = digits;
	return true;
}

const struct fleet_host *host_of_caller(struct server *server, const struct caller *caller, str id)
{
	str digits;
	if (!host_id_parse(id, &digits))
		return NULL;
	const struct fleet_host *host = fleet_host_find(server->fleet, digits);
	if (!host)
		return NULL;
	if (caller->role == ROLE_HOST)
		return host->number == caller->host_number ? host : NULL;
	return caller_sees(server, caller, host->account) ? host : NULL;
}
