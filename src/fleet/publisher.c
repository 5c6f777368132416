/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/publisher.h"

#include <errno.h>

/*
 * By the ecosystem of a record, or by how its id begins. NVD, DEBIAN_CVE, UBUNTU_CVE and GHSA are
 * seen in findings of Amazon Inspector; the others are formed after them. Where the publisher has
 * no page of its own, osv.dev shows the record.
 */
struct publisher {
	const char *ecosystem; /* begins the record's ecosystem; NULL: any */
	const char *record;    /* begins the record's id; NULL: any */
	const char *word;
	const char *url; /* the id follows: of the vulnerability or, if by_record, of the record */
	bool by_record;
	bool has_word; /* its records say a severity in a word of its own */
};

static const struct publisher publishers[] = {
	{ "Debian", NULL, "DEBIAN_CVE", "https://security-tracker.debian.org/tracker/", false,
	        false },
	{ "Ubuntu", NULL, "UBUNTU_CVE", "https://ubuntu.com/security/", false, true },
	{ "Red Hat", NULL, "REDHAT_CVE", "https://access.redhat.com/security/cve/", false, true },
	{ "AlmaLinux", NULL, "ALMALINUX", "https://osv.dev/vulnerability/", true, true },
	{ "Rocky Linux", NULL, "ROCKY_LINUX", "https://errata.rockylinux.org/", true, true },
	{ "SUSE", NULL, "SUSE_CVE", "https://www.suse.com/security/cve/", false, true },
	{ "openSUSE", NULL, "SUSE_CVE", "https://www.suse.com/security/cve/", false, true },
	{ "Photon OS", NULL, "PHOTON", "https://osv.dev/vulnerability/", true, true },
	{ "Azure Linux", NULL, "AZURE_LINUX", "https://osv.dev/vulnerability/", true, true },
	{ "Mageia", NULL, "MAGEIA", "https://osv.dev/vulnerability/", true, true },
	{ "openEuler", NULL, "OPENEULER", "https://osv.dev/vulnerability/", true, true },
	{ NULL, "GHSA-", "GHSA", "https://github.com/advisories/", true, false },
	{ NULL, "PYSEC-", "PYSEC", "https://osv.dev/vulnerability/", true, false },
	{ NULL, "CVE-", "NVD", "https://nvd.nist.gov/vuln/detail/", false, false },
	{ NULL, NULL, "OSV", "https://osv.dev/vulnerability/", true, false },
};

static const struct publisher *publisher_of(const struct finding_reason *reason)
{
	for (size_t i = 0;; i++) {
		const struct publisher *p = &publishers[i];
		if (p->ecosystem && !str_has_prefix(reason->ecosystem, str_from_c(p->ecosystem)))
			continue;
		if (p->record && !str_has_prefix(reason->advisory, str_from_c(p->record)))
			continue;
		return p;
	}
}

/* The first severity that is a word and no vector. */
static int find_word(struct vulndb *db, const struct finding_reason *reason, struct arena *arena,
        str *ret, struct err *err)
{
	struct advisory advisory;
	int r = vulndb_record(db, reason->source, reason->advisory, arena, &advisory, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < advisory.n_severities; i++) {
		if (!str_has_prefix(advisory.severities[i].type, STR("CVSS_"))) {
			*ret = advisory.severities[i].score;
			return 0;
		}
	}
	return 0;
}

int publisher_describe(struct vulndb *db, const struct finding *finding, struct arena *arena,
        struct issue *issue, struct err *err)
{
	const struct finding_reason *reason = &finding->reasons[0];
	const struct publisher *publisher = publisher_of(reason);

	issue->record_source = reason->source;
	issue->record_id = reason->advisory;
	issue->source = str_from_c(publisher->word);
	if (arena_printf(arena, &issue->source_url, "%s" STR_FMT, publisher->url,
	            STR_ARG(publisher->by_record ? reason->advisory : finding->id)) < 0)
		return err_set(err, -ERR_LIMIT, "the addresses of sources need too much memory");
	if (!publisher->has_word)
		return 0;
	return find_word(db, reason, arena, &issue->vendor_severity, err);
}
