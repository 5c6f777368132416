/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/origin.h"

/*
 * Sorted by prefix (byte order). Whether `related` names a record's own CVEs was read from the
 * published records: distributions whose update notices predate OSV's `upstream` do so and name
 * their CVEs nowhere else; the language databases use `aliases`, and their `related` are other
 * vulnerabilities.
 */
static const struct origin origins[] = {
	{ "ALBA", "AlmaLinux", "MIT", true },
	{ "ALEA", "AlmaLinux", "MIT", true },
	{ "ALPINE", "Alpine Linux security database", "CC-BY-SA-4.0", false },
	{ "ALSA", "AlmaLinux", "MIT", true },
	{ "BELL", "BellSoft", "MIT", false },
	{ "BIT", "Bitnami", "Apache-2.0", false },
	{ "CLEANSTART", "CleanStart", "Apache-2.0", false },
	{ "CURL", "curl", "as curl publishes it", false },
	{ "CVE", "OSV.dev from CVE records", "CC-BY-4.0", false },
	{ "DLA", "Debian", "as the Debian project publishes it", true },
	{ "DRUPAL", "Drupal Security Team", "MIT", false },
	{ "DSA", "Debian", "as the Debian project publishes it", true },
	{ "DTSA", "Debian", "as the Debian project publishes it", true },
	{ "FOPHP", "FriendsOfPHP", "Unlicense", false },
	{ "GHSA", "GitHub", "CC-BY-4.0", false },
	{ "GO", "Go vulnerability database", "CC-BY-4.0", false },
	{ "HSEC", "Haskell Security Response Team", "CC0-1.0", false },
	{ "JLSEC", "Julia", "CC-BY-4.0", false },
	{ "LSN", "Ubuntu", "CC-BY-SA-4.0", true },
	{ "MAL", "OpenSSF malicious packages", "Apache-2.0", false },
	{ "MGAA", "Mageia", "as Mageia publishes it", true },
	{ "MGASA", "Mageia", "as Mageia publishes it", true },
	{ "MIREGO", "Mirego", "BSD-3-Clause", false },
	{ "NSWG", "Node.js Security Working Group", "MIT", false },
	{ "OESA", "openEuler", "as openEuler publishes it", true },
	{ "OSEC", "OCaml", "CC0-1.0", false },
	{ "OSV", "OSS-Fuzz", "CC-BY-4.0", false },
	{ "PROJECTKB", "SAP project KB", "Apache-2.0", false },
	{ "PSF", "Python Software Foundation", "CC-BY-4.0", false },
	{ "PYSEC", "Python Packaging Authority", "CC-BY-4.0", false },
	{ "RHBA", "Red Hat", "CC-BY-4.0", true },
	{ "RHEA", "Red Hat", "CC-BY-4.0", true },
	{ "RHSA", "Red Hat", "CC-BY-4.0", true },
	{ "RLSA", "Rocky Linux", "as Rocky Linux publishes it", true },
	{ "RSEC", "R Consortium", "Apache-2.0", false },
	{ "RUBYSEC", "RubySec", "public domain, parts OSVDB", false },
	{ "RUSTSEC", "RustSec", "CC0-1.0", false },
	{ "RXSA", "Rocky Linux", "as Rocky Linux publishes it", true },
	{ "SUSE", "SUSE", "as SUSE publishes it", true },
	{ "UBUNTU", "Ubuntu", "CC-BY-SA-4.0", true },
	{ "USN", "Ubuntu", "CC-BY-SA-4.0", true },
	{ "openSUSE", "openSUSE", "as SUSE publishes it", true },
};

#define N_ORIGINS (sizeof(origins) / sizeof(origins[0]))

const struct origin *origin_of_id(str id)
{
	str prefix = id, rest;
	size_t low = 0, high = N_ORIGINS;
	if (!str_split_first(id, '-', &prefix, &rest))
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = str_cmp(str_from_c(origins[middle].prefix), prefix);
		if (c == 0)
			return &origins[middle];
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct origin *origin_all(size_t *ret_count)
{
	*ret_count = N_ORIGINS;
	return origins;
}
