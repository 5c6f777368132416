/* SPDX-License-Identifier: Apache-2.0 */
#include "match/owners.h"

/* Who builds a distribution's own rpms: how its Vendor tag begins. */
struct vendor {
	const char *os_id, *vendor;
};

static const struct vendor vendors[] = {
	{ "almalinux", "AlmaLinux" },
	{ "amzn", "Amazon" },
	{ "azurelinux", "Microsoft" },
	{ "centos", "CentOS" },
	{ "fedora", "Fedora" },
	{ "mageia", "Mageia" },
	{ "mariner", "Microsoft" },
	{ "ol", "Oracle" },
	{ "openEuler", "http://openeuler.org" },
	{ "openEuler", "openEuler" },
	{ "opensuse-leap", "SUSE" },
	{ "opensuse-leap", "openSUSE" },
	{ "opensuse-tumbleweed", "openSUSE" },
	{ "photon", "VMware" },
	{ "rhel", "Red Hat" },
	{ "rocky", "Rocky" },
	{ "sle-micro", "SUSE" },
	{ "sled", "SUSE" },
	{ "sles", "SUSE" },
	{ "sles_sap", "SUSE" },
};

/*
 * dpkg does not say who built a package, only who maintains it, and a distribution's maintainers
 * write from anywhere: so here are the vendors that publish debs of their own, by what their
 * Maintainer fields hold. A vendor that is missing is taken for the distribution.
 */
static const char *const deb_vendors[] = {
	"@amazon.com>",
	"@confluent.io>",
	"@couchbase.com>",
	"@datadoghq.com>",
	"@docker.com>",
	"@elastic.co>",
	"@f5.com>",
	"@github.com>",
	"@gitlab.com>",
	"@grafana.com>",
	"@hashicorp.com>",
	"@influxdb.com>",
	"@influxdata.com>",
	"@microsoft.com>",
	"@mongodb.com>",
	"@neo4j.com>",
	"@newrelic.com>",
	"@nginx.com>",
	"@nodesource.com>",
	"@nvidia.com>",
	"@oss.oracle.com>",
	"@percona.com>",
	"@puppet.com>",
	"@rabbitmq.com>",
	"@redis.com>",
	"@saltstack.com>",
	"@saltproject.io>",
	"@splunk.com>",
	"@tailscale.com>",
	"@wazuh.com>",
	"@zabbix.com>",
	"code.google.com/p/google-cloud-sdk",
	"@google.com>",
};

static bool is_deb_vendor(str maintainer)
{
	for (size_t i = 0; i < sizeof(deb_vendors) / sizeof(*deb_vendors); i++) {
		if (maintainer.n > 0 &&
		        memmem(maintainer.p, maintainer.n, deb_vendors[i], strlen(deb_vendors[i])))
			return true;
	}
	return false;
}

/* No package of a distribution puts files here (FHS 3.0, 3.13 and 4.9). Red Hat's do below /opt/rh.
 */
static bool is_foreign_path(str path)
{
	if (str_has_prefix(path, STR("/opt/")))
		return !str_has_prefix(path, STR("/opt/rh/"));
	return str_has_prefix(path, STR("/usr/local/"));
}

static bool has_prefix_nocase(str s, str head)
{
	return str_eq_nocase(str_head(s, head.n), head);
}

/* A distribution that the table lacks is given the benefit of the doubt. */
static bool is_foreign_vendor(str os_id, str vendor)
{
	bool is_known = false;
	for (size_t i = 0; i < sizeof(vendors) / sizeof(*vendors); i++) {
		if (!str_eq(str_from_c(vendors[i].os_id), os_id))
			continue;
		if (has_prefix_nocase(vendor, str_from_c(vendors[i].vendor)))
			return false;
		is_known = true;
	}
	return is_known;
}

int owners_index(struct owners *owners, const struct package *packages, size_t n_packages)
{
	for (size_t i = 0; i < n_packages; i++) {
		const struct package *pkg = &packages[i];
		str key;
		if (!package_is_os(pkg))
			continue;
		if (arena_printf(owners->arena, &key, STR_FMT " " STR_FMT " " STR_FMT,
		            STR_ARG(pkg->type), STR_ARG(pkg->name), STR_ARG(pkg->version)) < 0)
			return -ERR_LIMIT;
		void **at = map_at(&owners->packages, key);
		if (!at)
			return -ERR_LIMIT;
		*at = (void *)(uintptr_t)pkg;
	}
	return 0;
}

int owners_sentence(struct owners *owners, const struct package *pkg, str *ret)
{
	*ret = (str){ "", 0 };
	if (pkg->owner.n == 0 || package_is_os(pkg) || is_foreign_path(pkg->path))
		return 0;

	void **at = map_find(&owners->packages, pkg->owner);
	const struct package *owner = at ? *at : NULL;
	if (owner && str_eq(owner->type, STR("rpm")) &&
	        is_foreign_vendor(owners->host->os_id, owner->vendor))
		return 0;
	if (owner && str_eq(owner->type, STR("deb")) && is_deb_vendor(owner->vendor))
		return 0;

	if (owners->coverage->n > 0)
		return arena_printf(owners->arena, ret,
		        "owned by " STR_FMT ": the distribution's advisories judge it",
		        STR_ARG(pkg->owner));
	return arena_printf(owners->arena, ret,
	        "owned by " STR_FMT ": only the distribution's advisories could judge it, and no "
	        "source covers " STR_FMT,
	        STR_ARG(pkg->owner), STR_ARG(owners->coverage->os));
}
