/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))
#define S(lit)                                                                                     \
	{                                                                                          \
		(lit), sizeof(lit) - 1                                                             \
	}

static const struct host bookworm = { .root = S("/"),
	.hostname = S("web-3"),
	.kernel = S("6.1.0-18-amd64"),
	.arch = S("x86_64"),
	.machine_id = S("0123456789abcdef0123456789abcdef"),
	.os_id = S("debian"),
	.os_version = S("12"),
	.os_codename = S("bookworm"),
	.os_name = S("Debian GNU/Linux 12 (bookworm)") };

#define NUMPY "/opt/venv/lib/python3.9/site-packages/numpy-1.21.3.dist-info/METADATA"
#define LODASH "/srv/app/node_modules/lodash/package.json"

static const struct package packages[] = {
	{ .type = S("pypi"),
	        .name = S("numpy"),
	        .version = S("1.21.3"),
	        .licence = S("BSD"),
	        .path = S(NUMPY),
	        .reader = S("pypi"),
	        .note = S("RECORD is missing; the folder says 1.21.4") },
	{ .type = S("npm"),
	        .name = S("lodash"),
	        .version = S("4.17.15"),
	        .path = S(LODASH),
	        .reader = S("npm"),
	        .confidence = CONFIDENCE_MEDIUM },
	{ .type = S("pypi"),
	        .name = S("pyyaml"),
	        .version = S("5.3"),
	        .path = S("/usr/lib/python3/dist-packages/PyYAML-5.3.egg-info"),
	        .owner = S("deb python3-yaml 5.3-1"),
	        .reader = S("pypi") },
	{ .type = S("deb"),
	        .name = S("libssl3"),
	        .version = S("3.0.11-1~deb12u1"),
	        .arch = S("amd64"),
	        .source_name = S("openssl"),
	        .vendor = S("Debian OpenSSL Team"),
	        .path = S("/var/lib/dpkg/status"),
	        .reader = S("deb") },
	{ .type = S("deb"),
	        .name = S("openssl"),
	        .version = S("3.0.11-1~deb12u1"),
	        .arch = S("amd64"),
	        .path = S("/var/lib/dpkg/status"),
	        .reader = S("deb") },
};

static const str numpy_aliases[] = { S("GHSA-fpfv-jqm9-f5jm"), S("PYSEC-2021-855") };

static const struct cvss_rating numpy_cvss[] = {
	{ S("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N"), S("GHSA-fpfv-jqm9-f5jm"), S("3.1"),
	        5.3 },
};

static const struct finding_reason numpy_reasons[] = {
	{ S("GHSA-fpfv-jqm9-f5jm"), S("osv/PyPI"), S("PyPI"), S("numpy"), S(">= 0, < 1.22"),
	        S("1.21.3 < 1.22 (pep440)"), S("1.22"), false },
};

static const struct finding_reason lodash_reasons[] = {
	{ S("GHSA-p6mc-m468-83gw"), S("osv/npm"), S("npm"), S("lodash"), S(">= 3.7.0, < 4.17.19"),
	        S("4.17.15 < 4.17.19 (npm)"), S("4.17.19"), false },
};

static const struct finding_reason openssl_reasons[] = {
	{ S("DSA-0000-1"), S("osv/Debian"), S("Debian:12"), S("openssl"), S(">= 0"),
	        S("3.0.11-1~deb12u1 >= 0 (deb)"), S(""), false },
};

static const struct finding findings[] = {
	{ .id = S("CVE-2024-1000"),
	        .title = S("A key is reused"),
	        .pkg = &packages[3],
	        .severity = SEVERITY_CRITICAL,
	        .score = 9.8,
	        .epss = 0.94321,
	        .is_kev = true,
	        .fix_state = FIX_NONE,
	        .source = S("osv/Debian"),
	        .reasons = openssl_reasons,
	        .n_reasons = 1 },
	{ .id = S("CVE-2024-1000"),
	        .title = S("A key is reused"),
	        .pkg = &packages[4],
	        .severity = SEVERITY_CRITICAL,
	        .score = 9.8,
	        .epss = 0.94321,
	        .is_kev = true,
	        .fix_state = FIX_NONE,
	        .source = S("osv/Debian"),
	        .reasons = openssl_reasons,
	        .n_reasons = 1 },
	{ .id = S("CVE-2020-8203"),
	        .title = S("Prototype pollution in lodash"),
	        .pkg = &packages[1],
	        .severity = SEVERITY_HIGH,
	        .score = 7.4,
	        .epss = 0.0002,
	        .fixed_in = S("4.17.19"),
	        .fix_state = FIX_AVAILABLE,
	        .source = S("osv/npm"),
	        .reasons = lodash_reasons,
	        .n_reasons = 1 },
	{ .id = S("CVE-2021-34141"),
	        .title = S("Incorrect comparison in numpy"),
	        .pkg = &packages[0],
	        .severity = SEVERITY_MEDIUM,
	        .score = 5.3,
	        .epss = 0.01249,
	        .fixed_in = S("1.22"),
	        .fix_state = FIX_AVAILABLE,
	        .source = S("osv/PyPI"),
	        .aliases = numpy_aliases,
	        .n_aliases = N(numpy_aliases),
	        .cvss = numpy_cvss,
	        .n_cvss = N(numpy_cvss),
	        .reasons = numpy_reasons,
	        .n_reasons = N(numpy_reasons) },
	{ .id = S("PYSEC-2021-1"),
	        .pkg = &packages[0],
	        .severity = SEVERITY_UNTRIAGED,
	        .score = -1,
	        .epss = -1,
	        .fix_state = FIX_NONE,
	        .source = S("osv/PyPI"),
	        .reasons = numpy_reasons,
	        .n_reasons = N(numpy_reasons) },
};

static const struct finding suppressed[] = {
	{ .id = S("CVE-2020-14343"),
	        .pkg = &packages[2],
	        .severity = SEVERITY_CRITICAL,
	        .score = 9.8,
	        .epss = 0.1,
	        .fixed_in = S("5.4"),
	        .fix_state = FIX_AVAILABLE,
	        .source = S("osv/PyPI"),
	        .suppressed = S("owned by deb python3-yaml 5.3-1") },
};

static struct skip skips[] = {
	{ S("/home"), S("another filesystem"), 1, SKIP_POLICY },
	{ S("/proc"), S("another filesystem"), 3, SKIP_POLICY },
	{ S("/srv/bad.dist-info/METADATA"), S("no Version"), 1, SKIP_DAMAGE },
	{ S("/srv/helper/package.json"), S("no Version"), 2, SKIP_POLICY },
	{ S("/srv/secret"), S("cannot open: Permission denied"), 1, SKIP_FAILURE },
};

static const struct ledger ledger = { .entries = skips, .n = N(skips), .n_failures = 1 };

static struct report_source sources[] = {
	{ S("osv/Debian"), S("2026-03-09T00:00:00Z"), S("MIT"), 12 },
	{ S("osv/PyPI"), S("2024-10-01T00:00:00Z"), S("CC-BY-4.0"), 2622 },
};

static const struct report_database database = {
	.digest = S("4f2a9c0d11e24f2a9c0d11e24f2a9c0d11e24f2a9c0d11e24f2a9c0d11e2aaaa"),
	.built_at = S("2026-03-09T00:00:00Z"),
	.sources = sources,
	.n_sources = N(sources),
};

static const struct report scan = {
	.tool_version = "0.1.0",
	.detection = "strict",
	.remarks = { "No source covers Debian 12 packages newer than 2023-04." },
	.host = &bookworm,
	.database = &database,
	.packages = packages,
	.n_packages = N(packages),
	.findings = findings,
	.n_findings = N(findings),
	.suppressed = suppressed,
	.n_suppressed = N(suppressed),
	.ledger = &ledger,
	.n_directories = 1200,
	.n_files = 34567,
	.elapsed_ms = 412,
};

static const struct report inventory = {
	.tool_version = "0.1.0",
	.detection = "strict",
	.host = &bookworm,
	.packages = packages,
	.n_packages = N(packages),
	.ledger = &ledger,
	.n_directories = 1200,
	.n_files = 34567,
	.elapsed_ms = 2005,
};

/* Everything that comes from a host or from data, at its worst. */
#define EVIL "a\x1b]0;owned\a\x1b[2J\nHIGH  CVE-1\t\\\"\xff\xc3\x28\xe2\x80\xae"

static const struct package evil_packages[] = {
	{ .type = S("npm"),
	        .name = S(EVIL),
	        .version = S(EVIL),
	        .arch = S(EVIL),
	        .path = S("/srv/" EVIL),
	        .owner = S(EVIL),
	        .reader = S("npm"),
	        .note = S("; ;; " EVIL "; "),
	        .licence = S("caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac"),
	        .confidence = CONFIDENCE_LOW },
};

static const str evil_aliases[] = { S(EVIL), S("") };

static const struct finding evil_findings[] = {
	{ .id = S(EVIL),
	        .title = S(EVIL),
	        .pkg = &evil_packages[0],
	        .severity = SEVERITY_LOW,
	        .score = 0.0 / 1,
	        .epss = 1,
	        .fixed_in = S(EVIL),
	        .fix_state = FIX_AVAILABLE,
	        .source = S(EVIL),
	        .suppressed = S(EVIL),
	        .aliases = evil_aliases,
	        .n_aliases = N(evil_aliases) },
};

static struct skip evil_skips[] = { { S("/\xff\xfe"), S(EVIL), UINT64_MAX, SKIP_FAILURE } };
static const struct ledger evil_ledger = {
	.entries = evil_skips, .n = 1, .n_failures = UINT64_MAX
};

static const struct host evil_host = {
	.root = S("/mnt/\x80"), .os_id = S(EVIL), .os_version = S(EVIL), .os_name = S(EVIL)
};

static const struct report_database evil_database = { .digest = S(EVIL), .built_at = S(EVIL) };

static const struct report hostile = {
	.tool_version = "0.1.0",
	.detection = "evidence",
	.remarks = { EVIL, "", EVIL },
	.host = &evil_host,
	.database = &evil_database,
	.packages = evil_packages,
	.n_packages = 1,
	.findings = evil_findings,
	.n_findings = 1,
	.suppressed = evil_findings,
	.n_suppressed = 1,
	.ledger = &evil_ledger,
	.n_directories = UINT64_MAX,
	.n_files = UINT64_MAX,
	.elapsed_ms = UINT64_MAX,
};

static const struct host no_host = { .root = S("/") };
static const struct ledger no_ledger = { .n = 0 };

static const struct report empty = {
	.tool_version = "0.1.0",
	.detection = "strict",
	.host = &no_host,
	.database = &database,
	.ledger = &no_ledger,
};

const struct report *sample_report(const char *name)
{
	static const struct {
		const char *name;
		const struct report *report;
	} all[] = { { "scan", &scan }, { "inventory", &inventory }, { "hostile", &hostile },
		{ "empty", &empty } };
	for (size_t i = 0; i < N(all); i++) {
		if (strcmp(all[i].name, name) == 0)
			return all[i].report;
	}
	return NULL;
}
