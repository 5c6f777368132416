/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a host is or is not scanned, in the words of Amazon's "ScanStatus". The gravest reason wins:
 * what stops scanning, then what is missing, then what limits deep inspection.
 *
 * Source: Amazon Inspector User Guide, "Assessing Amazon Inspector coverage of your AWS
 * environment"; API reference, ScanStatus
 */
#include "server/server.h"

#define STALE_AFTER_S (INT64_C(7) * 86400)
/* Packages of languages that deep inspection takes from one host. */
#define PACKAGES_MAX 5000

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

/* What the host's own upload says went wrong with its deep inspection. */
static const char *own_reason(const struct fleet_host *host)
{
	static const struct {
		const char *word, *reason;
	} rows[] = {
		{ "packages", "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED" },
		{ "time", "DEEP_INSPECTION_COLLECTION_TIME_LIMIT_EXCEEDED" },
		{ "inventory", "DEEP_INSPECTION_DAILY_SSM_INVENTORY_LIMIT_EXCEEDED" },
	};
	str limit = host_fact(host, "Sonde.Limit");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (str_eq(limit, str_from_c(rows[i].word)))
			return rows[i].reason;
	}
	return NULL;
}

static const char *deep_reason(const struct fleet_host *host)
{
	const struct host_item *plugin = host_item(host, STR("Custom:InspectorThirdPartyPackage"));
	const struct host_item *own = host_item(host, STR(FLEET_OWN_TYPE));
	const char *reason = own_reason(host);
	if (reason)
		return reason;
	if (plugin && plugin->n_rows > PACKAGES_MAX)
		return "DEEP_INSPECTION_PACKAGE_COLLECTION_LIMIT_EXCEEDED";
	return plugin || own ? NULL : "DEEP_INSPECTION_NO_INVENTORY";
}

struct coverage host_coverage(const struct fleet_host *host, bool is_deep_active, int64_t now_at)
{
	int64_t seen_at = atomic_load(&host->seen_at);
	bool has_os =
	        host_item(host, STR("AWS:Application")) || host_item(host, STR(FLEET_OWN_TYPE));
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
		reason = deep_reason(host);
	return say(true, reason ? reason : "SUCCESSFUL", seen_at);
}
