/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python: what an installer leaves behind. METADATA in *.dist-info, PKG-INFO in *.egg-info or in
 * the EGG-INFO of an unpacked egg, and the single file *.egg-info of distutils are one format: a
 * header of "Field: value" lines as in mail, an empty line, and a description that is never read.
 *
 * Name and version come from the content alone, as Amazon Inspector takes them: whoever edits
 * Version changes what is reported. The folder's name and RECORD's digest are only compared, and a
 * disagreement is told.
 */
#include "inventory/inventory.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "inventory/pypi_record.h"
#include "model/ecosystem.h"

/* Real headers are a few kB; a licence's text or a thousand dependencies make 100 kB. */
#define HEADER_MAX ((size_t)1 << 20)

/* Two reads show most headers whole. */
#define CHUNK_BYTES ((size_t)8 << 10)

/* A longer name or version is damage: the longest of the package index are below 200 bytes. */
#define VALUE_MAX 512

#define LICENCE_MAX 256
#define NOTE_MAX 1024

/* A field as it stands in the header: continuation lines and their line ends included. */
struct field {
	str raw;       /* p is NULL when the header has none */
	uint64_t line; /* where it begins, from 1 */
	bool is_repeated;
};

struct header {
	struct field name, version, licence, expression;
	uint64_t n_fields;
	uint64_t n_odd, first_odd; /* lines that are neither a field nor go on with one */
};

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

/* LF, CR LF and a lone CR end a line, as Python reads text. False at the end of the header. */
static bool next_line(str *text, str *ret_line)
{
	if (text->n == 0)
		return false;
	*ret_line = str_take_until(text, is_line_end);
	*text = str_skip(*text, str_has_prefix(*text, STR("\r\n")) ? 2 : 1);
	return ret_line->n > 0;
}

static struct field *field_of(struct header *header, str name)
{
	if (str_eq_nocase(name, STR("Name")))
		return &header->name;
	if (str_eq_nocase(name, STR("Version")))
		return &header->version;
	if (str_eq_nocase(name, STR("License")))
		return &header->licence;
	if (str_eq_nocase(name, STR("License-Expression")))
		return &header->expression;
	return NULL;
}

static bool is_name_byte(char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

/* Split "Name: value". A value may be empty and still have its place in the text. */
static bool split_field(str line, str *ret_name, str *ret_value)
{
	str value = line;
	*ret_name = str_take_while(&value, is_name_byte);
	(void)str_take_while(&value, is_space); /* "Name : value" */
	if (ret_name->n == 0 || value.n == 0 || value.p[0] != ':')
		return false;
	*ret_value = (str){ value.p + 1, value.n - 1 };
	return true;
}

/* A field's first line; later ones of its name are told and ignored, as the mail parsers do. */
static struct field *begin_field(struct header *header, str line, uint64_t n)
{
	str name, value;
	if (!split_field(line, &name, &value)) {
		if (header->n_odd++ == 0)
			header->first_odd = n;
		return NULL;
	}
	header->n_fields++;
	struct field *field = field_of(header, name);
	if (field && field->raw.p) {
		field->is_repeated = true;
		return NULL;
	}
	if (field)
		*field = (struct field){ .raw = value, .line = n };
	return field;
}

static struct header parse(str text)
{
	struct header header = { 0 };
	struct field *open = NULL; /* takes continuation lines */
	uint64_t n = 0;
	for (str line; next_line(&text, &line);) {
		n++;
		bool goes_on = line.p[0] == ' ' || line.p[0] == '\t';
		if (!goes_on || n == 1)
			open = begin_field(&header, line, n);
		else if (open)
			open->raw.n = (size_t)(line.p - open->raw.p) + line.n;
	}
	return header;
}

/* A value on one line: every line end, with the white space that follows it, becomes one blank. */
static int unfold(str raw, struct arena *arena, str *ret)
{
	str rest = str_trim(raw);
	str line = str_take_until(&rest, is_line_end);
	*ret = line;
	if (rest.n == 0)
		return 0;
	char *p = arena_alloc(arena, line.n + rest.n + 1, 1);
	if (!p)
		return -ERR_LIMIT;
	size_t n = 0;
	while (line.n > 0) {
		memcpy(p + n, line.p, line.n);
		n += line.n;
		(void)str_take_while(&rest, is_space);
		line = str_take_until(&rest, is_line_end);
		if (line.n > 0)
			p[n++] = ' ';
	}
	*ret = (str){ p, n };
	return 0;
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool has_control(str s)
{
	(void)str_take_until(&s, is_control);
	return s.n > 0;
}

/* What makes a name or a version unusable; NULL for nothing. */
static const char *fault_of(const struct field *field, str value)
{
	if (!field->raw.p)
		return "is missing";
	if (value.n == 0)
		return "is empty";
	if (value.n > VALUE_MAX)
		return "is longer than 512 bytes";
	if (has_control(value))
		return "holds control bytes";
	return str_is_utf8(value) ? NULL : "is not UTF-8";
}

static bool is_no_alnum(char c)
{
	return !is_alnum(c);
}

/* Equal but for case and for what stands between the words. */
static bool same_name(str a, str b)
{
	do {
		(void)str_take_while(&a, is_no_alnum);
		(void)str_take_while(&b, is_no_alnum);
		if (!str_eq_nocase(str_take_while(&a, is_alnum), str_take_while(&b, is_alnum)))
			return false;
	} while (a.n > 0 || b.n > 0);
	return true;
}

static bool is_zero(char c)
{
	return c == '0';
}

static str next_number(str *s)
{
	(void)str_take_until(s, is_digit);
	(void)str_take_while(s, is_zero);
	return str_take_while(s, is_digit);
}

/*
 * The same numbers in the same order, zeros at the end aside: folders write "1.0.0-beta" as
 * "1.0b0", so words and separators are no sign of an edited version, while numbers are.
 */
static bool same_numbers(str a, str b)
{
	do {
		if (!str_eq(next_number(&a), next_number(&b)))
			return false;
	} while (a.n > 0 || b.n > 0);
	return true;
}

/* "1.0-py3.8-linux-x86_64", as eggs are named, is version 1.0. */
static str without_python(str version)
{
	for (size_t i = 0; i + 3 < version.n; i++) {
		str tail = str_skip(version, i);
		if (str_has_prefix(tail, STR("-py")) && is_digit(tail.p[3]))
			return str_head(version, i);
	}
	return version;
}

/* Does "numpy-1.21.3" mean this name and version? A name alone says nothing of the version. */
static bool agrees(str stem, str name, str version)
{
	if (same_name(stem, name))
		return true;
	for (size_t i = 0; i < stem.n; i++) {
		if (stem.p[i] == '-' && same_name(str_head(stem, i), name) &&
		        same_numbers(without_python(str_skip(stem, i + 1)), version))
			return true;
	}
	return false;
}

static bool strip_suffix(str *s, str tail)
{
	if (!str_has_suffix(*s, tail))
		return false;
	s->n -= tail.n;
	return true;
}

/* What the folder (or the single file) is called without its suffix; empty when it tells nothing.
 */
static str stem_of(str path)
{
	str stem = str_basename(path);
	if (strip_suffix(&stem, STR(".egg-info")))
		return stem;
	stem = str_basename(str_dirname(path));
	if (strip_suffix(&stem, STR(".dist-info")) || strip_suffix(&stem, STR(".egg-info")))
		return stem;
	stem = str_basename(str_dirname(str_dirname(path)));
	return strip_suffix(&stem, STR(".egg")) ? stem : (str){ NULL, 0 };
}

static void add_note(struct buf *note, const char *text)
{
	buf_printf(note, "%s%s", note->n > 0 ? "; " : "", text);
}

/* Compare with the folder's name, which is any bytes but '/'. */
static void compare_folder(str path, str raw_name, struct package *pkg, struct buf *note)
{
	str stem = stem_of(path);
	if (stem.n > VALUE_MAX || stem.n == 0)
		return;
	if (stem.p[0] == '~') {
		pkg->confidence = CONFIDENCE_LOW;
		add_note(note, "left over from an uninstallation: its folder begins with ~");
		return;
	}
	if (agrees(stem, raw_name, pkg->version))
		return;
	add_note(note, str_has_suffix(path, STR(".egg-info")) ? "file name says " : "folder says ");
	for (size_t i = 0; i < stem.n; i++)
		buf_add_byte(note, is_control(stem.p[i]) ? '?' : stem.p[i]);
}

/* One line of it: a whole licence text is no name of a licence. */
static int licence_of(const struct header *header, struct arena *arena, str *ret)
{
	str value;
	int r = unfold(header->expression.raw, arena, &value);
	if (r < 0)
		return r;
	if (value.n == 0) {
		str rest = str_trim(header->licence.raw);
		value = str_trim(str_take_until(&rest, is_line_end));
	}
	bool is_usable = value.n <= LICENCE_MAX && !has_control(value) && str_is_utf8(value) &&
	                 !str_eq_nocase(value, STR("UNKNOWN"));
	*ret = is_usable ? value : (str){ NULL, 0 };
	return 0;
}

/* Read from the start to the empty line, to the end of the file, or as much as we read at all. */
static int read_header(
        const struct artefact *artefact, struct buf *text, bool *ret_is_cut, struct err *err)
{
	size_t line_n = 0;
	char last = '\0';
	while (text->n < HEADER_MAX) {
		size_t want =
		        HEADER_MAX - text->n < CHUNK_BYTES ? HEADER_MAX - text->n : CHUNK_BYTES;
		char *at = buf_reserve(text, want);
		if (!at)
			return err_set(err, -ERR_LIMIT, "out of memory for a header");
		int64_t r = artefact->ops->read_at(artefact, at, want, text->n);
		if (r < 0)
			return err_set(err, (int)r, "cannot read at byte %zu: %s", text->n,
			        strerror((int)-r));
		for (size_t i = 0; i < (size_t)r; last = at[i++], text->n++) {
			if (!is_line_end(at[i]))
				line_n++;
			else if (at[i] == '\n' && last == '\r')
				continue;
			else if (line_n == 0)
				return *ret_is_cut = false, 0;
			else
				line_n = 0;
		}
		if ((size_t)r < want)
			return *ret_is_cut = false, 0;
	}
	*ret_is_cut = true;
	return 0;
}

/* Without its last line, which may be cut in the middle of a version. */
static str whole_lines(str text)
{
	while (text.n > 0 && !is_line_end(text.p[text.n - 1]))
		text.n--;
	return text;
}

static void note_field(
        const struct sink *sink, const char *name, const struct field *field, const char *fault)
{
	char text[64];
	if (!fault)
		return;
	(void)snprintf(text, sizeof(text), "%s %s", name, fault);
	sink->note(sink->ctx, field->line, text);
}

static void note_odd_lines(const struct sink *sink, const struct header *header)
{
	char text[80];
	if (header->n_odd == 0)
		return;
	(void)snprintf(text, sizeof(text), "no 'Field: value', the first of %llu such lines",
	        (unsigned long long)header->n_odd);
	sink->note(sink->ctx, header->first_odd, text);
}

static int put_package(const struct artefact *artefact, const struct header *header, str name,
        str version, struct arena *arena, const struct sink *sink)
{
	struct package pkg = { .type = STR("pypi"), .version = version };
	autobuf note = BUF(NOTE_MAX);
	int r = ecosystem_normal_name(ecosystem_of_type(pkg.type), name, arena, &pkg.name);
	if (r >= 0)
		r = licence_of(header, arena, &pkg.licence);
	if (r < 0)
		return r;
	if (header->name.is_repeated)
		add_note(&note, "Name is given more than once");
	if (header->version.is_repeated)
		add_note(&note, "Version is given more than once");
	compare_folder(artefact->path, name, &pkg, &note);
	if (str_eq(str_basename(artefact->path), STR("METADATA"))) {
		const char *oddity = pypi_record_oddity(artefact, arena);
		if (oddity)
			add_note(&note, oddity);
	}
	pkg.note = buf_str(&note);
	return sink->package(sink->ctx, &pkg);
}

static int hand_over(const struct artefact *artefact, const struct header *header,
        struct arena *arena, const struct sink *sink, struct err *err)
{
	str name, version;
	if (unfold(header->name.raw, arena, &name) < 0 ||
	        unfold(header->version.raw, arena, &version) < 0)
		return err_set(err, -ERR_LIMIT, "a name is more than this job's memory");

	const char *name_fault = fault_of(&header->name, name);
	const char *version_fault = fault_of(&header->version, version);
	note_field(sink, "Name", &header->name, name_fault);
	note_field(sink, "Version", &header->version, version_fault);
	if (name_fault || version_fault)
		return 0;
	if (str_eq(name, STR("Python"))) {
		sink->skip(sink->ctx, "the interpreter itself, no package");
		return 0;
	}
	int r = put_package(artefact, header, name, version, arena, sink);
	return r == -ERR_LIMIT ? err_set(err, r, "a record is more than this job's memory") : r;
}

static int read_metadata(const struct artefact *artefact, struct arena *arena,
        const struct sink *sink, struct err *err)
{
	autobuf buf = BUF(HEADER_MAX);
	bool is_cut = false;
	str folder = str_basename(str_dirname(artefact->path));
	if (str_has_suffix(folder, STR("EGG-INFO")) && folder.n > strlen("EGG-INFO")) {
		sink->skip(sink->ctx, "its folder is not called EGG-INFO");
		return 0;
	}
	int r = read_header(artefact, &buf, &is_cut, err);
	if (r < 0)
		return r;

	str text = is_cut ? whole_lines(buf_str(&buf)) : buf_str(&buf);
	if (str_has_prefix(text, STR("\xEF\xBB\xBF")))
		text = str_skip(text, 3);
	struct header header = parse(text);
	if (is_cut && (!header.name.raw.p || !header.version.raw.p))
		return err_set(err, -ERR_LIMIT,
		        "no name and version in the first %zu bytes of its header", HEADER_MAX);
	if (header.n_fields == 0)
		return err_set(err, -ERR_FORMAT, "no 'Field: value' before the first empty line");
	if (is_cut)
		sink->note(sink->ctx, 0, "the header is longer than 1 MiB: the rest is not read");
	note_odd_lines(sink, &header);
	return hand_over(artefact, &header, arena, sink, err);
}

static const struct pattern patterns[] = {
	{ .parent_tail = STR(".dist-info"), .name = STR("METADATA") },
	{ .parent_tail = STR(".egg-info"), .name = STR("PKG-INFO") },
	{ .parent_tail = STR("EGG-INFO"), .name = STR("PKG-INFO") },
	{ .name_tail = STR(".egg-info") },
	PATTERN_END,
};
static const char *const siblings[] = { "RECORD", NULL };
static const char *const well_known[] = { NULL };

const struct reader reader_pypi = {
	.name = "pypi",
	.title = "Python packages",
	.source = "Python Packaging User Guide: core metadata; PEP 376, 427, 503",
	.is_os = false,
	.patterns = patterns,
	.siblings = siblings,
	.well_known = well_known,
	.max_bytes = UINT64_MAX, /* the header is all that is read, and it has its own limit */
	.read = read_metadata,
};
