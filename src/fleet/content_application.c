/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS:Application, as the stock agent of Systems Manager sends it from dpkg-query and rpm.
 *
 *            dpkg                               rpm
 * Version    whole: "1:2.3-4+b1"                "2.3", Release "4.el9", Epoch digits or absent
 * PackageId  "<name>_<version>_<arch>.deb"      file name of the source package
 * Architecture  "amd64" is written "x86_64"     as it is
 *
 * Fields are cut to 100 bytes by the agent, so PackageId may lack its end. A host with both tools
 * sends the packages of both, and those of snap too, which have neither PackageId nor architecture.
 * dpkg-query names no source package, and lists packages that were removed but not purged.
 */
#include "base/str.h"
#include "fleet/content_rows.h"
#include "fleet/platform.h"

struct row {
	str name, version, release, epoch, arch, publisher, package_id;
};

static const struct column columns[] = {
	COLUMN(struct row, "Name", name),
	COLUMN(struct row, "Version", version),
	COLUMN(struct row, "Release", release),
	COLUMN(struct row, "Epoch", epoch),
	COLUMN(struct row, "Architecture", arch),
	COLUMN(struct row, "Publisher", publisher),
	COLUMN(struct row, "PackageId", package_id),
};

/* rpm writes "(none)" for a tag that a package lacks. */
static str or_empty(str s)
{
	return str_eq(s, STR("(none)")) ? (str){ NULL, 0 } : s;
}

/* The file name of a source package without its ending. False if it is none. */
static bool source_stem(str file, str *ret)
{
	static const str endings[] = { { ".src.rpm", 8 }, { ".nosrc.rpm", 10 } };
	for (size_t i = 0; i < 2; i++) {
		if (str_has_suffix(file, endings[i])) {
			*ret = str_head(file, file.n - endings[i].n);
			return true;
		}
	}
	return false;
}

/* "bash-5.1.8-9.el9" is bash, 5.1.8 and 9.el9. */
static bool split_source(str stem, str *ret_name, str *ret_version, str *ret_release)
{
	str rest;
	return str_split_last(stem, '-', &rest, ret_release) &&
	       str_split_last(rest, '-', ret_name, ret_version) && ret_name->n > 0 &&
	       ret_version->n > 0 && ret_release->n > 0;
}

static str type_of(const struct content_job *job, const struct row *row)
{
	str stem;
	if (str_has_suffix(row->package_id, STR(".deb")))
		return STR("deb");
	if (source_stem(row->package_id, &stem) || row->release.n > 0)
		return STR("rpm");
	if (row->package_id.n == 0 && row->arch.n == 0)
		return (str){ NULL, 0 };
	return job->os ? platform_package_type(job->os->os_id) : (str){ NULL, 0 };
}

/* dpkg's own word for the architecture stands in PackageId only. */
static str deb_arch(const struct row *row)
{
	str head, tail;
	if (str_has_suffix(row->package_id, STR(".deb")) &&
	        str_split_last(row->package_id, '_', &head, &tail) && tail.n > 4)
		return str_head(tail, tail.n - 4);
	return str_eq(row->arch, STR("x86_64")) ? STR("amd64") : row->arch;
}

static void offer_deb(struct content_job *job, const struct row *row)
{
	struct package pkg = {
		.type = STR("deb"),
		.name = row->name,
		.version = row->version,
		.arch = deb_arch(row),
		.vendor = row->publisher,
		.reader = STR("deb"),
		.confidence = CONFIDENCE_HIGH,
	};
	content_offer(job, &pkg);
}

/* "1:2.3-4.el9"; an epoch of 0 is not written. */
static bool rpm_version(
        struct content_job *job, const struct row *row, str release, struct package *pkg)
{
	str epoch = row->epoch;
	uint64_t number = 0;
	if (epoch.n > 0 && !str_to_u64(epoch, UINT32_MAX, &number)) {
		content_refuse(job, SKIP_DAMAGE, "has an epoch that is no number");
		return false;
	}
	if (row->version.n + release.n > CONTENT_VERSION_MAX - 16) {
		content_refuse(job, SKIP_DAMAGE, "has a version longer than 512 bytes");
		return false;
	}
	str text;
	int r = number > 0 ? arena_printf(job->arena, &text, "%u:" STR_FMT "-" STR_FMT,
	                             (unsigned)number, STR_ARG(row->version), STR_ARG(release))
	                   : arena_printf(job->arena, &text, STR_FMT "-" STR_FMT,
	                             STR_ARG(row->version), STR_ARG(release));
	if (r < 0) {
		content_fail(job, -ERR_LIMIT, "not enough memory for its versions");
		return false;
	}
	pkg->version = text;
	return true;
}

static void offer_rpm(struct content_job *job, struct row *row)
{
	str stem, source = { NULL, 0 }, version = source, source_release = source;
	str release = row->release;
	bool has_source = source_stem(row->package_id, &stem) &&
	                  split_source(stem, &source, &version, &source_release);
	/* Agents up to 2.3 did not send Release; a binary package has that of its source, as a
	 * rule. */
	if (release.n == 0 && has_source && str_eq(version, row->version))
		release = source_release;
	if (row->version.n == 0 || release.n == 0)
		return content_refuse(job, SKIP_DAMAGE, "has no version or no release");
	struct package pkg = {
		.type = STR("rpm"),
		.name = row->name,
		.arch = row->arch,
		.vendor = row->publisher,
		.reader = STR("rpm"),
		.confidence = CONFIDENCE_HIGH,
	};
	if (!rpm_version(job, row, release, &pkg))
		return;
	if (has_source && !str_eq(source, row->name))
		pkg.source_name = source;
	if (has_source && !(str_eq(version, row->version) && str_eq(source_release, release)))
		pkg.source_version = str_skip(stem, source.n + 1);
	content_offer(job, &pkg);
}

static void take_row(struct content_job *job, void *at)
{
	struct row *row = at;
	row->release = or_empty(row->release);
	row->epoch = or_empty(row->epoch);
	row->arch = or_empty(row->arch);
	row->publisher = or_empty(row->publisher);
	if (str_eq(row->name, STR("gpg-pubkey")))
		return content_refuse(job, SKIP_POLICY, "is a key and no package");
	str type = type_of(job, row);
	if (str_eq(type, STR("deb")))
		offer_deb(job, row);
	else if (str_eq(type, STR("rpm")))
		offer_rpm(job, row);
	else
		content_refuse(job, SKIP_POLICY,
		        "is a package of neither dpkg nor rpm, or its distribution is not known");
}

static void read_rows(struct content_job *job)
{
	struct row row;
	content_rows(job, ROW_FORM(row, columns), &row, take_row);
}

const struct content_type content_application = {
	.type = STR(CONTENT_APPLICATION),
	.is_packages = true,
	.is_os = true,
	.read = read_rows,
};
