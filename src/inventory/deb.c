/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Debian: /var/lib/dpkg/status, and status.d/ of images without dpkg, one file per package there.
 *
 * Stanzas of "Field: value" lines parted by empty lines; a line that begins with white space goes
 * on with the field before it. The third word of Status says whether the files are on disk. What a
 * package owns is in info/<name>.list, info/<name>:<arch>.list where several architectures of it
 * may be installed, and in status.d/<name>.md5sums.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "inventory/inventory.h"
#include "inventory/lines.h"

/* Longest line that is looked at, and longest value that is kept. Depends: lines reach 10 kB. */
#define LINE_MAX_BYTES ((size_t)128 << 10)
#define VALUE_MAX 1024

#define STATUS_MAX_BYTES ((uint64_t)256 << 20)
/* All file lists of one database together: a full desktop has 50 MiB. */
#define LISTS_MAX_BYTES ((uint64_t)512 << 20)
#define NOTES_MAX 1000

enum field {
	FIELD_PACKAGE,
	FIELD_STATUS,
	FIELD_VERSION,
	FIELD_ARCHITECTURE,
	FIELD_SOURCE,
	FIELD_MAINTAINER,
	FIELD_MULTI_ARCH,
	N_FIELDS
};

static const char *const field_names[N_FIELDS] = {
	[FIELD_PACKAGE] = "Package",
	[FIELD_STATUS] = "Status",
	[FIELD_VERSION] = "Version",
	[FIELD_ARCHITECTURE] = "Architecture",
	[FIELD_SOURCE] = "Source",
	[FIELD_MAINTAINER] = "Maintainer",
	[FIELD_MULTI_ARCH] = "Multi-Arch",
};

/* What a state means for the files, as dpkg(1) describes it under "Package states". */
enum presence {
	PRESENCE_NONE,
	PRESENCE_PART,
	PRESENCE_FULL,
};

static const struct {
	const char *word;
	enum presence presence;
} states[] = {
	{ "installed", PRESENCE_FULL },
	{ "unpacked", PRESENCE_FULL },
	{ "half-configured", PRESENCE_FULL },
	{ "triggers-awaited", PRESENCE_FULL },
	{ "triggers-pending", PRESENCE_FULL },
	{ "half-installed", PRESENCE_PART },
	{ "config-files", PRESENCE_NONE },
	{ "not-installed", PRESENCE_NONE },
};

struct value {
	char text[VALUE_MAX];
	size_t n;
	bool is_set, is_damaged;
};

struct stanza {
	struct value values[N_FIELDS];
	uint64_t line; /* of its first field; 0: nothing yet */
};

struct job {
	const struct artefact *artefact;
	const struct sink *sink;
	struct lines status, list;
	struct stanza stanza;
	bool is_single; /* status.d: no Status is needed, and the list lies beside the file */
	uint64_t n_text_lines, n_named, n_notes, n_listless, n_listed, lists_bytes;
};

static str text_of(const struct job *job, enum field field)
{
	const struct value *value = &job->stanza.values[field];
	return (str){ value->text, value->n };
}

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

/* A name, version or architecture: one word, in which nothing could be taken for a path. */
static bool is_word(str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c == 0x7f || c == '/')
			return false;
	}
	return s.n > 0;
}

/* "name (version)": what the binary package was built from. A binary-only rebuild appends +bN to
 * the version and leaves the source's as it is, which dpkg then writes here; others leave it out.
 */
static void find_source(struct job *job, struct package *pkg)
{
	str name = text_of(job, FIELD_SOURCE), version = STR(""), rest = STR("");
	pkg->source_name = pkg->name;
	pkg->source_version = pkg->version;
	bool has_version = str_split_first(name, '(', &name, &rest);
	name = str_trim(name);
	if (name.n > 0 && is_word(name))
		pkg->source_name = name;
	else if (job->stanza.values[FIELD_SOURCE].is_set)
		note(job, job->stanza.line, "Source of " STR_FMT " is not 'name (version)'",
		        STR_ARG(str_head(pkg->name, 100)));
	if (has_version && str_split_first(rest, ')', &version, &rest) &&
	        is_word(str_trim(version))) {
		pkg->source_version = str_trim(version);
	} else if (has_version) {
		note(job, job->stanza.line, "Source of " STR_FMT " has no version in its brackets",
		        STR_ARG(str_head(pkg->name, 100)));
	} else {
		pkg->source_version = package_deb_source_version(pkg->version);
	}
	if (str_eq(pkg->source_name, pkg->name))
		pkg->source_name = STR("");
	if (str_eq(pkg->source_version, pkg->version))
		pkg->source_version = STR("");
}

/* One line of a list. md5sums has "<digest>  usr/bin/tool". */
static int offer_path(struct job *job, str owner, str line)
{
	char path[4096];
	if (job->is_single) {
		str digest;
		if (!str_split_first(line, ' ', &digest, &line))
			return 0;
		line = str_trim(line);
		if (str_has_prefix(line, STR("./")))
			line = str_skip(line, 2);
		int n = snprintf(path, sizeof(path), "/" STR_FMT, STR_ARG(str_head(line, 4096)));
		if (n < 2 || (size_t)n >= sizeof(path))
			return 0;
		line = (str){ path, (size_t)n };
	}
	if (line.n < 2 || line.p[0] != '/' || !inventory_is_metadata(line))
		return 0;
	return job->sink->owned(job->sink->ctx, owner, line);
}

static int read_list(struct job *job, struct artefact *list, str owner)
{
	uint64_t left = LISTS_MAX_BYTES - job->lists_bytes;
	int r = 0;
	lines_begin(&job->list, list, left);
	for (str line; r >= 0 && lines_next(&job->list, &line);) {
		if (job->list.is_cut)
			note(job, job->stanza.line,
			        "file list of " STR_FMT ": line %llu is too long",
			        STR_ARG(str_head(owner, 200)),
			        (unsigned long long)job->list.number);
		else
			r = offer_path(job, owner, line);
	}
	job->lists_bytes += job->list.offset;
	if (job->list.failure == -ERR_LIMIT) {
		job->lists_bytes = LISTS_MAX_BYTES;
		note(job, job->stanza.line, "the file lists are longer than %llu bytes together",
		        (unsigned long long)LISTS_MAX_BYTES);
	} else if (job->list.failure < 0) {
		note(job, job->stanza.line, "file list of " STR_FMT ": cannot be read: %s",
		        STR_ARG(str_head(owner, 200)), strerror(-job->list.failure));
	}
	return r;
}

/* Where the list may lie. With Multi-Arch: same the name carries the architecture; dpkg before 1.16
 * and packages that have since gained or lost the field leave the other one. */
static int open_list(struct job *job, const struct package *pkg, struct artefact *ret)
{
	char names[2][2 * VALUE_MAX + 32];
	str base = str_basename(job->artefact->path);
	bool with_arch = str_eq(text_of(job, FIELD_MULTI_ARCH), STR("same"));
	int r = -ENOENT, n = 1;
	if (job->is_single) {
		if (base.n > VALUE_MAX)
			return -ENOENT;
		(void)snprintf(names[0], sizeof(names[0]), STR_FMT ".md5sums", STR_ARG(base));
	} else {
		n = 2;
		(void)snprintf(names[with_arch], sizeof(names[0]), "info/" STR_FMT ".list",
		        STR_ARG(pkg->name));
		(void)snprintf(names[!with_arch], sizeof(names[0]),
		        "info/" STR_FMT ":" STR_FMT ".list", STR_ARG(pkg->name),
		        STR_ARG(pkg->arch));
	}
	for (int i = 0; i < n && r == -ENOENT; i++)
		r = job->artefact->ops->sibling(job->artefact, str_from_c(names[i]), ret);
	return r;
}

static int offer_owned(struct job *job, const struct package *pkg)
{
	char text[2 * VALUE_MAX + 8];
	struct artefact list;
	if (job->lists_bytes >= LISTS_MAX_BYTES)
		return 0;
	int n = snprintf(text, sizeof(text), "deb " STR_FMT " " STR_FMT, STR_ARG(pkg->name),
	        STR_ARG(pkg->version));
	int r = open_list(job, pkg, &list);
	if (r == -ENOENT) {
		job->n_listless++;
		return 0;
	}
	if (r < 0) {
		note(job, job->stanza.line, "file list of " STR_FMT ": cannot be opened: %s",
		        STR_ARG(str_head(pkg->name, 200)), strerror(-r));
		return 0;
	}
	job->n_listed++;
	r = read_list(job, &list, (str){ text, (size_t)n });
	list.ops->close(&list);
	return r;
}

/* Are the files of the stanza's package on disk? Tells what it cannot make out. */
static enum presence find_presence(struct job *job)
{
	str status = text_of(job, FIELD_STATUS), word = { NULL, 0 };
	if (!job->stanza.values[FIELD_STATUS].is_set) {
		if (!job->is_single)
			note(job, job->stanza.line, "record has no Status: taken as not installed");
		return job->is_single ? PRESENCE_FULL : PRESENCE_NONE;
	}
	for (int i = 0; i < 3; i++) {
		status = str_trim(status);
		word = str_take_until(&status, is_space);
	}
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (str_eq(word, str_from_c(states[i].word)))
			return states[i].presence;
	}
	note(job, job->stanza.line, "record has an unknown Status: taken as not installed");
	return PRESENCE_NONE;
}

/* Can the record be named? Tells what is wrong with it. */
static bool has_identity(struct job *job)
{
	static const enum field needed[] = { FIELD_PACKAGE, FIELD_VERSION };
	for (size_t i = 0; i < 2; i++) {
		const struct value *v = &job->stanza.values[needed[i]];
		if (v->is_set && !v->is_damaged && is_word((str){ v->text, v->n }))
			continue;
		str name = text_of(job, FIELD_PACKAGE);
		note(job, job->stanza.line, "record %s" STR_FMT "%s%s %s: left out",
		        is_word(name) ? "of " : "",
		        STR_ARG(str_head(is_word(name) ? name : STR(""), 100)),
		        is_word(name) ? " " : "", v->is_set ? "has a damaged" : "lacks",
		        field_names[needed[i]]);
		return false;
	}
	return true;
}

static int end_stanza(struct job *job)
{
	struct stanza *stanza = &job->stanza;
	int r = 0;
	if (stanza->line == 0)
		return 0;
	job->n_named += stanza->values[FIELD_PACKAGE].is_set;
	enum presence presence = find_presence(job);
	if (presence != PRESENCE_NONE && has_identity(job)) {
		struct package pkg = {
			.type = STR("deb"),
			.name = text_of(job, FIELD_PACKAGE),
			.version = text_of(job, FIELD_VERSION),
			.vendor = text_of(job, FIELD_MAINTAINER),
			.confidence = CONFIDENCE_HIGH,
		};
		if (is_word(text_of(job, FIELD_ARCHITECTURE)))
			pkg.arch = text_of(job, FIELD_ARCHITECTURE);
		if (presence == PRESENCE_PART) {
			pkg.confidence = CONFIDENCE_MEDIUM;
			pkg.note = STR("dpkg calls it half-installed");
		}
		find_source(job, &pkg);
		r = job->sink->package(job->sink->ctx, &pkg);
		if (r >= 0)
			r = offer_owned(job, &pkg);
	}
	stanza->line = 0;
	for (size_t i = 0; i < N_FIELDS; i++)
		stanza->values[i].n = stanza->values[i].is_set = stanza->values[i].is_damaged = 0;
	return r;
}

static void keep_value(struct job *job, enum field field, str text)
{
	struct value *v = &job->stanza.values[field];
	if (v->is_set) {
		note(job, job->status.number, "%s stands twice in a record: the first counts",
		        field_names[field]);
		return;
	}
	v->is_set = true;
	text = str_trim(text);
	v->is_damaged = true;
	if (job->status.is_cut || text.n > VALUE_MAX) {
		note(job, job->status.number, "%s is %s%zu bytes long: not kept",
		        field_names[field], job->status.is_cut ? "more than " : "", text.n);
		return;
	}
	if (text.n > 0 && memchr(text.p, '\0', text.n)) {
		note(job, job->status.number, "%s holds a zero byte: not kept", field_names[field]);
		return;
	}
	v->is_damaged = false;
	v->n = text.n;
	if (text.n > 0)
		memcpy(v->text, text.p, text.n);
}

static int take_line(struct job *job, str line)
{
	str name, text;
	int r = 0;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return end_stanza(job);
	job->n_text_lines++;
	if (line.p[0] == ' ' || line.p[0] == '\t')
		return 0; /* goes on with a field, and none of ours has a second line */
	if (!str_split_first(line, ':', &name, &text)) {
		note(job, job->status.number, "expected 'Field: value'");
		return 0;
	}
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (!str_eq_nocase(name, str_from_c(field_names[i])))
			continue;
		if (i == FIELD_PACKAGE && job->stanza.values[i].is_set) {
			note(job, job->status.number,
			        "a record begins without an empty line before it");
			r = end_stanza(job);
		}
		if (job->stanza.line == 0)
			job->stanza.line = job->status.number;
		keep_value(job, (enum field)i, text);
		return r;
	}
	if (job->stanza.line == 0)
		job->stanza.line = job->status.number;
	return 0;
}

/* dpkg writes what it is about to change to updates/ and joins it to status when it is done. */
static void look_for_updates(struct job *job)
{
	struct artefact pending;
	if (job->is_single)
		return;
	if (job->artefact->ops->sibling(job->artefact, STR("updates/0000"), &pending) != 0)
		return;
	pending.ops->close(&pending);
	note(job, 0,
	        "updates/0000: dpkg is at work or was interrupted; what it has not yet joined to "
	        "status is not read");
}

static void tell_sums(struct job *job)
{
	if (job->n_listless > 0)
		note(job, 0, "%llu of %llu packages have no file list: what they own is not known",
		        (unsigned long long)job->n_listless,
		        (unsigned long long)(job->n_listless + job->n_listed));
	if (job->n_notes > NOTES_MAX) {
		uint64_t n = job->n_notes - NOTES_MAX;
		job->n_notes = 0;
		note(job, 0, "%llu more notes are not shown", (unsigned long long)n);
	}
}

/* Control files that lie in status.d beside the records they belong to. */
static bool is_companion(str name)
{
	static const char *const tails[] = { ".md5sums", ".conffiles", ".list", ".preinst",
		".postinst", ".prerm", ".postrm", ".config", ".templates", ".triggers", ".shlibs",
		".symbols", NULL };
	for (const char *const *tail = tails; *tail; tail++) {
		if (str_has_suffix(name, str_from_c(*tail)))
			return true;
	}
	return false;
}

static void ignore_note(void *ctx, uint64_t where, const char *what)
{
	(void)ctx, (void)where, (void)what;
}

static int read_database(const struct artefact *artefact, struct arena *arena,
        const struct sink *sink, struct err *err)
{
	struct sink quiet = *sink;
	struct job *job = arena_alloc(arena, 1, sizeof(*job));
	if (!job || lines_init(&job->status, arena, LINE_MAX_BYTES) != 0 ||
	        lines_init(&job->list, arena, LINE_MAX_BYTES) != 0)
		return err_set(err, -ERR_LIMIT, "not enough memory for the windows");
	job->artefact = artefact;
	job->is_single = str_has_suffix(str_dirname(artefact->path), STR("/status.d"));
	bool is_beside = job->is_single && is_companion(str_basename(artefact->path));
	quiet.note = ignore_note;
	job->sink = is_beside ? &quiet : sink;

	int r = 0;
	lines_begin(&job->status, artefact, STATUS_MAX_BYTES);
	for (str line; r >= 0 && lines_next(&job->status, &line);)
		r = take_line(job, line);
	if (r >= 0)
		r = end_stanza(job);
	if (r < 0)
		return err_set(err, r, "the reader was stopped");
	look_for_updates(job);
	tell_sums(job);
	if (job->status.failure < 0)
		return err_set(err, job->status.failure, "cannot be read after line %llu: %s",
		        (unsigned long long)job->status.number,
		        job->status.failure == -ERR_LIMIT ? "it is too large"
		                                          : strerror(-job->status.failure));
	if (job->n_named == 0 && is_beside)
		sink->skip(sink->ctx, "a control file beside the package's record");
	if (job->n_named == 0 && job->n_text_lines > 0 && !is_beside)
		return err_set(err, -ERR_FORMAT, "no 'Package:' in %llu lines",
		        (unsigned long long)job->n_text_lines);
	return 0;
}

static const struct pattern patterns[] = {
	{ .dir = STR("/var/lib/dpkg"), .name = STR("status") },
	{ .dir = STR("/var/lib/dpkg/status.d") },
	PATTERN_END,
};
static const char *const siblings[] = { "info/*.list", "*.md5sums", "updates/0000", NULL };
static const char *const well_known[] = { "/var/lib/dpkg", NULL };

const struct reader reader_deb = {
	.name = "deb",
	.title = "Debian packages (dpkg)",
	.source = "deb-control(5), dpkg(1) \"Package states\", dpkg-query(1)",
	.is_os = true,
	.patterns = patterns,
	.siblings = siblings,
	.well_known = well_known,
	.max_bytes = STATUS_MAX_BYTES,
	.read = read_database,
};
