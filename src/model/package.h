/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * package: one installed package at one place, and how it is named in a package URL.
 */

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

struct host;

/** How sure the reader is that the package is there and has this version. */
enum confidence {
	CONFIDENCE_HIGH, /* installed state says so */
	CONFIDENCE_MEDIUM,
	CONFIDENCE_LOW,
};

/** One installed package. Every string lives where the list that holds the package says. */
struct package {
	str type; /* package-URL type, static: "deb", "rpm", "pypi", "npm"; required */
	str name; /* required; as the ecosystem compares names: PEP 503 for pypi, "@scope/name" for
	             npm */
	str version; /* required; as the ecosystem orders it: deb and rpm with "epoch:" unless 0 or
	                absent */
	str arch;    /* empty when the ecosystem has none */
	str source_name;    /* what distributions' advisories name, when it differs from `name` */
	str source_version; /* its version, when it differs from `version` */
	str module;         /* rpm modularity label "name:stream:version:context", empty for none */
	str vendor;  /* who built it, as the database says: rpm Vendor, deb Maintainer; may be empty
	              */
	str licence; /* as written; may be empty */
	str path;    /* required; absolute inside the scanned root; any bytes */
	str owner;   /* the OS package whose file this metadata is, "deb python3-numpy 1:1.24.2-1";
	                empty for none */
	str reader;  /* row of ecosystems.def that found it, static */
	str note;    /* what is odd about it, sentences joined by "; "; empty for nothing */
	enum confidence confidence;
	uint64_t dev, ino; /* of the file at `path`: whose file it is */
};

/** "high", "medium" or "low"; static. */
const char *confidence_name(enum confidence confidence);

/** Is this a package of the operating system's own manager (deb, rpm)? */
bool package_is_os(const struct package *pkg);

/**
 * The version that a deb package was built from, as far as its own version tells: a binary-only
 * rebuild appends "+b" and a number to it.
 *
 * Returns: borrows from `version`: "1.2-3" for "1.2-3+b1" and for "1.2-3"
 * Source:  Debian Developer's Reference 5.10.2.1
 */
str package_deb_source_version(str version);

/**
 * Order packages by path, type, name and version, for reports that do not change from run to run.
 */
int package_order(const struct package *a, const struct package *b);

/**
 * Write the package URL in its canonical form.
 *
 * The colon is never percent-encoded, as clause 5.4 has it since ECMA-427; every byte but letters,
 * digits and ".-_~" is, also one that is not UTF-8. The namespace of an OS package is os-release's
 * ID, in rpm's "redhat" for rhel, "opensuse" and "suse" for their families; without an os-release
 * there is none. An rpm's epoch is a qualifier; `upstream` is "source@version" where the source
 * package differs.
 *
 * In:      host  whose os-release gives OS packages their namespace and `distro` qualifier
 * Out:     out   "pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64&distro=debian-12&upstream=zlib";
 * appended Source:  package-url/purl-spec, ECMA-427 clause 5 and the type definitions of deb, rpm,
 * npm, pypi
 */
void package_purl(const struct package *pkg, const struct host *host, struct buf *out);
