/* SPDX-License-Identifier: Apache-2.0 */
/*
 * npm: package.json, which every installed package has in its own folder. Packages also carry files
 * of this name that mean no package (rxjs/ajax/package.json tells a bundler where to look), so
 * below a node_modules only a package's root counts: after the last "node_modules" of the path
 * there is
 * "<name>" or "@scope/<name>" and nothing else. Stores like pnpm's, .pnpm/<id>/node_modules/<name>,
 * fit that rule as they are.
 */
#include "inventory/inventory.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"

/* npm's own limits: 214 for a name, 256 for a version; VERSION has room for the sloppy ones. */
#define NAME_MAX_BYTES 214
#define VERSION_MAX_BYTES 512

#define LICENCE_MAX 256
#define NOTE_BYTES_MAX 2048
#define FILE_MAX_BYTES (16u << 20)

/* Where a package.json lies. */
enum place {
	PLACE_ROOT,    /* a package's own folder below node_modules */
	PLACE_INSIDE,  /* below node_modules, but not a package's root */
	PLACE_OUTSIDE, /* in no node_modules: a project, an application, a copy */
};

/* The members that matter. Strings borrow from the text or the arena; p is NULL for none. */
struct manifest {
	str name, version, licence;
	bool has_odd_name, has_odd_version; /* there, and no string */
	bool is_private;
};

/* What follows the last "node_modules" of a folder; false when there is none. */
static bool after_node_modules(str folder, str *ret_rest)
{
	for (str dir = folder; dir.n > 0; dir = str_dirname(dir)) {
		if (str_eq(str_basename(dir), STR("node_modules"))) {
			*ret_rest = str_skip(folder, dir.n + 1);
			return true;
		}
	}
	return false;
}

/* npm allows no package whose name begins with a dot: such folders are caches, stores and
 * leftovers. */
static bool is_package_folder(str name)
{
	return name.n > 0 && name.p[0] != '.' && !memchr(name.p, '/', name.n);
}

static enum place place_of(str path, str *ret_folder)
{
	str scope, name;
	if (!after_node_modules(str_dirname(path), ret_folder))
		return PLACE_OUTSIDE;
	if (!str_has_prefix(*ret_folder, STR("@")))
		return is_package_folder(*ret_folder) ? PLACE_ROOT : PLACE_INSIDE;
	bool is_root = str_split_first(*ret_folder, '/', &scope, &name) && scope.n > 1 &&
	               is_package_folder(name);
	return is_root ? PLACE_ROOT : PLACE_INSIDE;
}

/* "MIT", or the older { "type": "MIT" }. */
static str read_licence_item(struct json *json)
{
	str key, value = { NULL, 0 };
	if (json_peek(json) == JSON_STRING) {
		(void)json_string(json, &value);
		return value;
	}
	if (!json_object_begin(json))
		return value;
	while (json_next_key(json, &key)) {
		if (str_eq(key, STR("type")))
			(void)json_string(json, &value);
		else
			json_skip(json);
	}
	return value;
}

/* One licence, or an array of them to choose from. */
static int read_licence(struct json *json, struct arena *arena, str *ret)
{
	if (json_peek(json) != JSON_ARRAY) {
		*ret = read_licence_item(json);
		return 0;
	}
	autobuf joined = BUF(LICENCE_MAX);
	(void)json_array_begin(json);
	while (json_next_element(json)) {
		str item = read_licence_item(json);
		if (joined.n > 0 && item.n > 0)
			buf_add(&joined, STR(" OR "));
		buf_add(&joined, item);
	}
	return buf_failed(&joined) ? 0 : arena_copy(arena, buf_str(&joined), ret);
}

/* A string, or the sign that there was something else. The last member of a name wins, as in
 * JavaScript. */
static void read_text(struct json *json, str *ret, bool *ret_is_odd)
{
	str value;
	*ret = (str){ NULL, 0 };
	*ret_is_odd = !json_string(json, &value);
	if (!*ret_is_odd)
		*ret = str_trim(value);
}

static int read_member(struct json *json, str key, struct arena *arena, struct manifest *manifest)
{
	if (str_eq(key, STR("name"))) {
		read_text(json, &manifest->name, &manifest->has_odd_name);
	} else if (str_eq(key, STR("version"))) {
		read_text(json, &manifest->version, &manifest->has_odd_version);
	} else if (str_eq(key, STR("license")) ||
	           (str_eq(key, STR("licenses")) && manifest->licence.n == 0)) {
		return read_licence(json, arena, &manifest->licence);
	} else if (str_eq(key, STR("private"))) {
		if (!json_bool(json, &manifest->is_private))
			manifest->is_private = false;
	} else {
		json_skip(json);
	}
	return 0;
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

static bool is_printable(str s)
{
	str rest = s;
	(void)str_take_until(&rest, is_control);
	return rest.n == 0 && str_is_utf8(s);
}

/* What makes a value unusable; NULL for nothing. */
static const char *fault_of(str value, bool is_odd, size_t max)
{
	if (is_odd)
		return "is no string";
	if (value.n == 0)
		return "is missing or empty";
	if (value.n > max)
		return "is too long";
	return is_printable(value) ? NULL : "holds control bytes or is not UTF-8";
}

/* Returns 0 also when other text follows the object: *ret_has_more. */
static int parse(
        str text, struct arena *arena, struct manifest *ret, bool *ret_has_more, struct err *err)
{
	if (str_has_prefix(text, STR("\xEF\xBB\xBF")))
		text = str_skip(text, 3);
	struct json json = JSON(text, arena);
	str key;
	if (json_peek(&json) != JSON_OBJECT)
		return err_set(err, -ERR_FORMAT, "no JSON object");
	(void)json_object_begin(&json);
	while (json_next_key(&json, &key)) {
		if (read_member(&json, key, arena, ret) < 0)
			return err_set(err, -ERR_LIMIT, "a licence is more than this job's memory");
	}
	*ret_has_more = !json_failed(&json) && json.depth == 0 && str_trim(json.rest).n > 0;
	return *ret_has_more ? 0 : json_finish(&json, err);
}

static void add_note(struct buf *note, const char *text)
{
	buf_printf(note, "%s%s", note->n > 0 ? "; " : "", text);
}

/* An alias (npm install foo@npm:bar) puts the package bar in a folder foo: what it is, wins. */
static void compare_folder(str folder, str name, struct buf *note)
{
	if (str_eq(folder, name))
		return;
	add_note(note, "installed as ");
	for (size_t i = 0; i < folder.n && i < NAME_MAX_BYTES; i++)
		buf_add_byte(note, is_control(folder.p[i]) ? '?' : folder.p[i]);
}

static int put_package(const struct manifest *manifest, enum place place, str folder,
        const char *oddity, const struct sink *sink)
{
	struct package pkg = {
		.type = STR("npm"), .name = manifest->name, .version = manifest->version
	};
	autobuf note = BUF(NOTE_BYTES_MAX);
	if (manifest->licence.n <= LICENCE_MAX && is_printable(manifest->licence))
		pkg.licence = manifest->licence;
	if (place == PLACE_ROOT) {
		compare_folder(folder, manifest->name, &note);
	} else if (manifest->is_private) {
		pkg.confidence = CONFIDENCE_LOW;
		add_note(&note, "private application");
	} else {
		pkg.confidence = CONFIDENCE_MEDIUM;
		add_note(&note, "outside node_modules");
	}
	if (oddity)
		add_note(&note, oddity);
	pkg.note = buf_str(&note);
	return sink->package(sink->ctx, &pkg);
}

/* True when the manifest names a package; else what it lacks is told. */
static bool check(const struct manifest *manifest, enum place place, const struct sink *sink)
{
	char text[128];
	const char *name = fault_of(manifest->name, manifest->has_odd_name, NAME_MAX_BYTES);
	const char *version =
	        fault_of(manifest->version, manifest->has_odd_version, VERSION_MAX_BYTES);
	if (!name && !version)
		return true;
	(void)snprintf(text, sizeof(text), "%s%s%s%s%s", name ? "name " : "", name ? name : "",
	        name && version ? "; " : "", version ? "version " : "", version ? version : "");
	/* A project need not have a name or a version; what was installed must. */
	if (place == PLACE_ROOT || manifest->has_odd_name || manifest->has_odd_version)
		sink->note(sink->ctx, 0, text);
	else
		sink->skip(sink->ctx, text);
	return false;
}

static int read_manifest(const struct artefact *artefact, struct arena *arena,
        const struct sink *sink, struct err *err)
{
	str folder = { NULL, 0 }, text;
	enum place place = place_of(artefact->path, &folder);
	if (place == PLACE_INSIDE) {
		sink->skip(sink->ctx, "not the root of a package");
		return 0;
	}
	int r = artefact_read_all(artefact, arena, FILE_MAX_BYTES, &text, err);
	if (r < 0)
		return r;

	struct manifest manifest = { 0 };
	bool has_more = false;
	const char *oddity = NULL;
	r = parse(text, arena, &manifest, &has_more, err);
	if (r == -ERR_LIMIT && manifest.name.n > 0 && manifest.version.n > 0)
		oddity = "the file passes a limit: read in part";
	else if (r < 0)
		return r;
	else if (has_more)
		oddity = "more text behind the JSON value";
	int put = 0;
	if (check(&manifest, place, sink))
		put = put_package(&manifest, place, folder, oddity, sink);
	return put < 0 ? put : r;
}

static const struct pattern patterns[] = {
	{ .name = STR("package.json") },
	PATTERN_END,
};
static const char *const siblings[] = { NULL };
static const char *const well_known[] = { NULL };

const struct reader reader_npm = {
	.name = "npm",
	.title = "npm packages (node_modules)",
	.source = "npm: package.json(5), folders(5)",
	.is_os = false,
	.patterns = patterns,
	.siblings = siblings,
	.well_known = well_known,
	.max_bytes = FILE_MAX_BYTES,
	.read = read_manifest,
};
