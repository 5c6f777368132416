/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a host is or is not scanned, in the words of Amazon's "ScanStatus". The gravest reason wins:
 * what stops scanning, then what is missing, then what limits deep inspection.
 *
 * Source: Amazon Inspector User Guide, "Assessing Amazon Inspector coverage of your AWS
 * environment"; API reference, ScanStatus
 */
#include "fleet/content.h"
#include "server/server.h"

#define STALE_AFTER_S (INT64_C(7) * 86400)

static struct coverage say(bool is_active, const char *reason, int64_t at)
{
	return (struct coverage){ is_active, reason, at };
}

static bool is_known_os(const struct fleet_host *host)
{
	struct host os = { 0 };
	host_os(host, &os);
	return os.os_id.n > 0;
}

/* Which limit of deep inspection a host has reached, if any. */
static const char *limit_reason(const struct fleet_host *host, int64_t now_at)
{
	uint64_t refused_at = 0;
	if (host_fact(host, FACT_PACKAGE_LIMIT).n > 0)
		return "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED";
	if (host_fact(host, FACT_TIME_LIMIT).n > 0)
		return "DEEP_INSPECTION_COLLECTION_TIME_LIMIT_EXCEEDED";
	if (str_to_u64(host_fact(host, FACT_DAILY_LIMIT_AT), INT64_MAX, &refused_at) &&
	        (int64_t)refused_at / 86400 == now_at / 86400)
		return "DEEP_INSPECTION_DAILY_SSM_INVENTORY_LIMIT_EXCEEDED";
	return NULL;
}

static const char *deep_reason(const struct fleet_host *host, int64_t now_at)
{
	const struct host_item *plugin = host_item(host, STR(CONTENT_THIRD_PARTY));
	const struct host_item *own = host_item(host, STR(FLEET_OWN_TYPE));
	const char *reason = limit_reason(host, now_at);
	if (plugin && plugin->n_rows > CONTENT_THIRD_PARTY_MAX)
		return "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED";
	if (reason)
		return reason;
	return plugin || own ? NULL : "DEEP_INSPECTION_NO_INVENTORY";
}

struct coverage host_coverage(const struct fleet_host *host, bool is_deep_active, int64_t now_at)
{
	int64_t seen_at = atomic_load(&host->seen_at);
	bool has_os =
	        host_item(host, STR(CONTENT_APPLICATION)) || host_item(host, STR(FLEET_OWN_TYPE));
	const char *reason = NULL;
	switch (host->state) {
	case HOST_ACTIVE: break;
	case HOST_EXCLUDED: return say(false, "EXCLUDED_BY_TAG", seen_at);
	case HOST_DISABLED: return say(false, "PENDING_DISABLE", seen_at);
	case HOST_TERMINATED: return say(false, "RESOURCE_TERMINATED", seen_at);
	}
	/* Nothing yet: awaited at first, missing later. */
	if (host->n_items == 0) {
		bool is_new = now_at - host->registered_at < STALE_AFTER_S;
		return is_new ? say(true, "PENDING_INITIAL_SCAN", 0)
		              : say(false, "NO_INVENTORY", 0);
	}
	if (!has_os)
		return say(false, "NO_INVENTORY", seen_at);
	if (now_at - seen_at > STALE_AFTER_S)
		return say(false, "STALE_INVENTORY", seen_at);
	if (!is_known_os(host))
		return say(false, "UNSUPPORTED_OS", seen_at);
	if (is_deep_active)
		reason = deep_reason(host, now_at);
	return say(true, reason ? reason : "SUCCESSFUL", seen_at);
}
