/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * content: what the inventory types that carry packages hold, and what they tell of their host. One
 * row per type; other types are kept and shown, and mean nothing here.
 */

#include "base/arena.h"
#include "base/err.h"
#include "fleet/host.h"
#include "model/ledger.h"

/**
 * Facts about a host's deep inspection that its reports tell, for its coverage. The first two are
 * "true" while they hold and gone when they do not; the third is when the quota was last passed, in
 * seconds since 1970 UTC. Names that begin with "Sonde." are never taken from what a host says.
 */
#define FACT_TIME_LIMIT "Sonde.TimeLimitReached"
#define FACT_PACKAGE_LIMIT "Sonde.PackageLimitReached"
#define FACT_DAILY_LIMIT_AT "Sonde.DailyLimitAt"

/** How many packages of the host are matched by their own names, although advisories name source
 * packages, because nobody told what their sources are; gone when there is none. */
#define FACT_BY_NAME "Sonde.PackagesByName"

/** Types by name, where other rooms need them. */
#define CONTENT_APPLICATION "AWS:Application"
#define CONTENT_INSTANCE "AWS:InstanceInformation"
#define CONTENT_THIRD_PARTY "Custom:InspectorThirdPartyPackage"
#define CONTENT_METRICS "Custom:InspectorMetrics"

/** More third-party packages than this on one host are taken, and pass the limit of deep
 * inspection. */
#define CONTENT_THIRD_PARTY_MAX 5000u

/** What one item says. Strings live in the arena or borrow from the content. */
struct content {
	bool is_packages;        /* the type carries packages: without any, the host has none */
	bool is_os, is_language; /* which of a host's sets it is the word on */
	const struct package *packages; /* with their paths, as far as the type has them */
	size_t n_packages;
	const struct pair *facts; /* of the host, as struct fleet_host.facts */
	size_t n_facts;
	uint32_t n_rows; /* of the type's own rows */
};

/** Most packages of one host that are taken. */
#define CONTENT_PACKAGES_MAX 200000u

/**
 * Read the content of an item.
 *
 *   AWS:Application                   an array of rows as the stock agent sends: Name, Version,
 *                                     Release, Epoch, Architecture, Publisher, PackageId, ...
 *   AWS:InstanceInformation           its first row as facts
 *   AWS:InstanceDetailedInformation   the kernel of its first row as a fact
 *   Custom:InspectorThirdPartyPackage rows Name, Version, PackageManager, Path
 *   Custom:InspectorMetrics           which limits the run reached, as facts
 *   FLEET_OWN_TYPE                    {"schema":"sonde.scan/1", ...}
 *   any other                         an array of rows, counted
 *
 * docs/inventory-types.md lists the columns.
 *
 * In:      content  hostile JSON; what is read borrows from it
 *          os       the distribution that the host is known to run, or empty: decides between deb
 *                   and rpm for AWS:Application
 *          ledger   takes each row that could not be used, with its reason
 * Returns: 0; -ERR_FORMAT when it is not what the type says; -ERR_LIMIT
 */
int content_read(str type, str content, const struct host *os, struct arena *arena,
        struct ledger *ledger, struct content *ret, struct err *err);

/** Inspector's word for the manager of a package type: "OS", "PYTHONPKG", "NODEPKG", "JAR", ...;
 * NULL when its model has none. Static. */
const char *content_package_manager(str type);

/** The package type that such a word names ("PYTHONPKG": "pypi"), in any of the spellings seen on
 * the wire; empty when unknown. Static. */
str content_package_type(str manager);
