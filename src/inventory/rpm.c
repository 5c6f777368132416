/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RPM: the installed packages of Fedora, Red Hat, SUSE, Amazon Linux and their like. The headers
 * that databases of all three formats hold are the same (rpm_header.c); SQLite's is read
 * (rpm_sqlite.c).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "inventory/inventory.h"
#include "inventory/rpm_header.h"
#include "inventory/rpm_sqlite.h"

#define DATABASE_MAX_BYTES ((uint64_t)2 << 30)
#define NAME_MAX_BYTES 1024
#define NOTES_MAX 1000
/* Files of all packages together: a host with everything installed has a million. */
#define FILES_MAX ((uint64_t)16 << 20)

struct job {
	const struct sink *sink;
	str owner;
	uint64_t n_notes, n_files;
};

static void note(struct job *job, uint64_t where, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void note(struct job *job, uint64_t where, const char *fmt, ...)
{
	char text[320];
	va_list ap;
	if (++job->n_notes > NOTES_MAX)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	job->sink->note(job->sink->ctx, where, text);
}

/* A name, version or architecture: one word of sane length. */
static bool is_word(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c == 0x7f || c == '/')
			return false;
	}
	return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

/* "bash-5.1.8-9.el9.src.rpm": the source's name, version and release, without its epoch. */
static bool split_source(str file, str *ret_name, str *ret_version)
{
	str rest, release, version;
	if (str_has_suffix(file, STR(".nosrc.rpm")))
		rest = str_head(file, file.n - 10);
	else if (str_has_suffix(file, STR(".src.rpm")))
		rest = str_head(file, file.n - 8);
	else
		return false;
	if (!str_split_last(rest, '-', &rest, &release) ||
	        !str_split_last(rest, '-', ret_name, &version) || release.n == 0 || version.n == 0)
		return false;
	*ret_version = (str){ version.p, version.n + 1 + release.n };
	return is_word(*ret_name) && is_word(*ret_version);
}

/* Who built it from what. The file name of the source has no epoch: where the rest is the same, the
 * binary's epoch is taken for the source's too. */
static void find_source(struct job *job, uint64_t number, const struct rpm_header *header,
        str without_epoch, struct package *pkg)
{
	str name, version;
	if (header->source_rpm.n == 0)
		return;
	if (!split_source(header->source_rpm, &name, &version)) {
		note(job, number, "source of " STR_FMT " is not 'name-version-release.src.rpm'",
		        STR_ARG(pkg->name));
		return;
	}
	if (!str_eq(name, pkg->name))
		pkg->source_name = name;
	if (!str_eq(version, without_epoch))
		pkg->source_version = version;
}

static int on_file(void *ctx, str path)
{
	struct job *job = ctx;
	if (path.n < 2 || path.p[0] != '/' || !inventory_is_metadata(path))
		return 0;
	return job->sink->owned(job->sink->ctx, job->owner, path);
}

static int offer_files(struct job *job, uint64_t number, const struct rpm_header *header,
        const struct package *pkg)
{
	char owner[3 * NAME_MAX_BYTES + 32];
	struct arena scratch = ARENA(RPM_HEADER_MAX * 8);
	struct err err = { 0 };
	uint64_t count = 0;
	int n = snprintf(owner, sizeof(owner), "rpm " STR_FMT " " STR_FMT, STR_ARG(pkg->name),
	        STR_ARG(pkg->version));
	job->owner = (str){ owner, (size_t)n };
	int r = rpm_header_each_file(
	        header, &scratch, FILES_MAX - job->n_files, on_file, job, &count, &err);
	job->n_files += count;
	arena_fini(&scratch);
	if (r < 0 && err.code != 0) {
		note(job, number, "file list of " STR_FMT ": %s", STR_ARG(str_head(pkg->name, 100)),
		        err.text);
		return 0;
	}
	return r;
}

static int offer_package(struct job *job, uint64_t number, const struct rpm_header *header)
{
	char text[2 * NAME_MAX_BYTES + 32];
	int n = header->epoch > 0 ? snprintf(text, sizeof(text), "%u:", header->epoch) : 0;
	size_t n_epoch = (size_t)n;
	n += snprintf(text + n_epoch, sizeof(text) - n_epoch, STR_FMT "-" STR_FMT,
	        STR_ARG(header->version), STR_ARG(header->release));
	struct package pkg = {
		.type = STR("rpm"),
		.name = header->name,
		.version = { text, (size_t)n },
		.arch = is_word(header->arch) ? header->arch : STR(""),
		.module = is_word(header->module) ? header->module : STR(""),
		.vendor = str_head(header->vendor, NAME_MAX_BYTES),
		.licence = str_head(header->licence, NAME_MAX_BYTES),
		.confidence = CONFIDENCE_HIGH,
	};
	find_source(job, number, header, str_skip(pkg.version, n_epoch), &pkg);
	int r = job->sink->package(job->sink->ctx, &pkg);
	return r < 0 ? r : offer_files(job, number, header, &pkg);
}

static int on_blob(void *ctx, uint64_t number, str bytes)
{
	struct job *job = ctx;
	struct rpm_header header;
	struct err err = { 0 };
	if (rpm_header_read(bytes, &header, &err) < 0) {
		note(job, number, "%s: left out", err.text);
		return 0;
	}
	/* Keys that packages are checked with stand among the packages. */
	if (str_eq(header.name, STR("gpg-pubkey")))
		return 0;
	const struct {
		str value;
		const char *name;
	} needed[] = { { header.name, "name" }, { header.version, "version" },
		{ header.release, "release" } };
	for (size_t i = 0; i < 3; i++) {
		if (is_word(needed[i].value))
			continue;
		note(job, number, "header %s %s: left out",
		        needed[i].value.n == 0 ? "has no" : "has a damaged", needed[i].name);
		return 0;
	}
	return offer_package(job, number, &header);
}

static void on_note(void *ctx, uint64_t number, const char *what)
{
	note(ctx, number, "%s", what);
}

/* The formats before SQLite, known by their first bytes. */
static int read_older(const struct artefact *artefact, const struct sink *sink, struct err *err)
{
	char begin[16] = { 0 };
	struct artefact newer;
	int64_t got = artefact->ops->read_at(artefact, begin, sizeof(begin), 0);
	if (got < 0)
		return err_set(
		        err, (int)got, "the database cannot be read: %s", strerror((int)-got));
	if (artefact->ops->sibling(artefact, STR("rpmdb.sqlite"), &newer) == 0) {
		newer.ops->close(&newer);
		sink->skip(sink->ctx, "left over from before rpmdb.sqlite beside it: not read");
		return 0;
	}
	if (memcmp(begin + 12, "\x61\x15\x06\x00", 4) == 0 ||
	        memcmp(begin + 12, "\x00\x06\x15\x61", 4) == 0)
		return err_set(err, -ERR_UNSUPPORTED,
		        "an rpm database in BerkeleyDB's format, which is not read yet: "
		        "its packages are missing from this inventory");
	if (memcmp(begin, "RpmP", 4) == 0)
		return err_set(err, -ERR_UNSUPPORTED,
		        "an rpm database in NDB format, which is not read yet: "
		        "its packages are missing from this inventory");
	return err_set(err, -ERR_FORMAT, "neither BerkeleyDB nor NDB: no rpm database");
}

static int read_database(const struct artefact *artefact, struct arena *arena,
        const struct sink *sink, struct err *err)
{
	struct job job = { .sink = sink };
	struct rpm_blobs to = { on_blob, on_note, &job };
	if (!str_eq(str_basename(artefact->path), STR("rpmdb.sqlite")))
		return read_older(artefact, sink, err);
	int r = rpm_sqlite_read(artefact, arena, &to, err);
	if (job.n_notes > NOTES_MAX) {
		uint64_t more = job.n_notes - NOTES_MAX;
		job.n_notes = 0;
		note(&job, 0, "%llu more notes are not shown", (unsigned long long)more);
	}
	return r;
}

static const struct pattern patterns[] = {
	{ .dir = STR("/var/lib/rpm"), .name = STR("rpmdb.sqlite") },
	{ .dir = STR("/var/lib/rpm"), .name = STR("Packages") },
	{ .dir = STR("/var/lib/rpm"), .name = STR("Packages.db") },
	{ .dir = STR("/usr/lib/sysimage/rpm"), .name = STR("rpmdb.sqlite") },
	{ .dir = STR("/usr/lib/sysimage/rpm"), .name = STR("Packages") },
	{ .dir = STR("/usr/lib/sysimage/rpm"), .name = STR("Packages.db") },
	{ .dir = STR("/usr/share/rpm"), .name = STR("rpmdb.sqlite") },
	{ .dir = STR("/usr/share/rpm"), .name = STR("Packages") },
	{ .dir = STR("/usr/share/rpm"), .name = STR("Packages.db") },
	PATTERN_END,
};
static const char *const siblings[] = { "rpmdb.sqlite", "rpmdb.sqlite-wal", "rpmdb.sqlite-journal",
	NULL };
static const char *const well_known[] = { "/var/lib/rpm", "/usr/lib/sysimage/rpm", "/usr/share/rpm",
	NULL };

const struct reader reader_rpm = {
	.name = "rpm",
	.title = "RPM packages",
	.source = "rpm: docs/manual/format_header.md and tags.md; lib/backend/sqlite.c",
	.is_os = true,
	.patterns = patterns,
	.siblings = siblings,
	.well_known = well_known,
	.max_bytes = DATABASE_MAX_BYTES,
	.read = read_database,
};
