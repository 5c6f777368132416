/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   {
 *     "format": "sonde.vulndb/2",
 *     ...
 *     "digest": "<64 hexadecimal digits: SHA-256 of all bytes before the line of this member>"
 *   }
 */
#include "vulndb/manifest.h"

#include "base/json.h"
#include "vulndb/format.h"

#define DIGEST_HEAD "  \"digest\": \""
#define DIGEST_TAIL "\"\n}\n"
#define DIGEST_LINE_BYTES (sizeof(DIGEST_HEAD) - 1 + 2 * SHA256_BYTES + sizeof(DIGEST_TAIL) - 1)

/* Members of a source that are text. */
static const struct {
	const char *key;
	size_t offset;
} texts[] = {
	{ "name", offsetof(struct manifest_source, name) },
	{ "kind", offsetof(struct manifest_source, kind) },
	{ "newest", offsetof(struct manifest_source, newest) },
	{ "licence", offsetof(struct manifest_source, licence) },
	{ "file", offsetof(struct manifest_source, file.name) },
	{ "sha256", offsetof(struct manifest_source, file.sha256) },
};

#define N_TEXTS (sizeof(texts) / sizeof(texts[0]))

static void write_source(struct json_writer *w, const struct manifest_source *source)
{
	json_write_object(w);
	for (size_t i = 0; i < N_TEXTS; i++) {
		str text;
		memcpy(&text, (const char *)source + texts[i].offset, sizeof(text));
		json_write_key(w, texts[i].key);
		json_write_str(w, text);
	}
	json_write_key(w, "bytes");
	json_write_u64(w, source->file.bytes);
	json_write_key(w, "records");
	json_write_u64(w, source->n_records);
	json_write_key(w, "reasons");
	json_write_object(w);
	for (size_t i = 0; i < REASON_COUNT; i++) {
		if (source->by_reason[i] == 0)
			continue;
		json_write_key(w, reason_name((enum reason)i));
		json_write_u64(w, source->by_reason[i]);
	}
	json_write_object_end(w);
	json_write_key(w, "ecosystems");
	json_write_array(w);
	for (size_t i = 0; i < source->n_ecosystems; i++) {
		json_write_array(w);
		json_write_str(w, source->ecosystems[i].name);
		json_write_u64(w, source->ecosystems[i].n);
		json_write_array_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

void manifest_write(struct manifest *manifest, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	buf_printf(out, "{\n  \"format\": \"%s/%u\",\n  \"built_at\": ", MANIFEST_FORMAT,
	        MANIFEST_VERSION);
	json_write_str(&w, manifest->built_at);
	buf_add(out, STR(",\n  \"sources\": ["));
	for (size_t i = 0; i < manifest->n_sources; i++) {
		w = JSON_WRITER(out, false);
		buf_add(out, i > 0 ? STR(",\n    ") : STR("\n    "));
		write_source(&w, &manifest->sources[i]);
	}
	buf_add(out, STR("\n  ],\n  \"filter\": "));
	w = JSON_WRITER(out, false);
	json_write_object(&w);
	json_write_member_str(&w, "file", manifest->filter.name);
	json_write_member_str(&w, "sha256", manifest->filter.sha256);
	json_write_key(&w, "bytes");
	json_write_u64(&w, manifest->filter.bytes);
	json_write_object_end(&w);
	buf_add(out, STR(",\n"));
	hash_sha256_hex(buf_str(out), manifest->digest);
	buf_printf(out, DIGEST_HEAD "%s" DIGEST_TAIL, manifest->digest);
}

static bool read_u64(struct json *json, uint64_t *ret)
{
	str number;
	return json_number(json, &number) && str_to_u64(number, UINT64_MAX, ret);
}

static bool read_reasons(struct json *json, struct manifest_source *source)
{
	str key;
	if (!json_object_begin(json))
		return false;
	while (json_next_key(json, &key)) {
		size_t i = 0;
		while (i < REASON_COUNT && !str_eq(key, str_from_c(reason_name((enum reason)i))))
			i++;
		if (i == REASON_COUNT || !read_u64(json, &source->by_reason[i]))
			return false;
	}
	return true;
}

/* How many elements an array has, without reading it. */
static size_t count_elements(const struct json *json)
{
	struct json ahead = *json;
	size_t n = 0;
	if (json_array_begin(&ahead)) {
		for (; json_next_element(&ahead); n++)
			json_skip(&ahead);
	}
	return n;
}

static bool read_ecosystem(struct json *json, struct manifest_ecosystem *ret)
{
	return json_array_begin(json) && json_next_element(json) && json_string(json, &ret->name) &&
	       json_next_element(json) && read_u64(json, &ret->n) && !json_next_element(json);
}

static bool read_ecosystems(struct json *json, struct manifest_source *source)
{
	size_t n = count_elements(json);
	struct manifest_ecosystem *all = arena_alloc(json->arena, n, sizeof(*all));
	if (!all || !json_array_begin(json))
		return false;
	for (size_t i = 0; json_next_element(json); i++) {
		if (i >= n || !read_ecosystem(json, &all[i]) ||
		        (i > 0 && str_cmp(all[i - 1].name, all[i].name) >= 0))
			return false;
	}
	source->ecosystems = all;
	source->n_ecosystems = n;
	return true;
}

static bool read_member(struct json *json, str key, struct manifest_source *source)
{
	for (size_t i = 0; i < N_TEXTS; i++) {
		str text;
		if (!str_eq(key, str_from_c(texts[i].key)))
			continue;
		if (!json_string(json, &text))
			return false;
		memcpy((char *)source + texts[i].offset, &text, sizeof(text));
		return true;
	}
	if (str_eq(key, STR("bytes")))
		return read_u64(json, &source->file.bytes);
	if (str_eq(key, STR("records")))
		return read_u64(json, &source->n_records);
	if (str_eq(key, STR("reasons")))
		return read_reasons(json, source);
	if (str_eq(key, STR("ecosystems")))
		return read_ecosystems(json, source);
	json_skip(json);
	return true;
}

static bool is_file(const struct manifest_file *file)
{
	return manifest_is_data_file(file->name) && file->sha256.n == 2 * SHA256_BYTES;
}

static bool read_source(struct json *json, struct manifest_source *source)
{
	str key;
	if (!json_object_begin(json))
		return false;
	while (json_next_key(json, &key)) {
		if (!read_member(json, key, source))
			return false;
	}
	return source->name.n > 0 && source->kind.n > 0 && is_file(&source->file);
}

/* The filter's file has the members of a source's; what a source has besides is ignored. */
static bool read_filter(struct json *json, struct manifest_file *ret)
{
	struct manifest_source filter = { 0 };
	str key;
	if (!json_object_begin(json))
		return false;
	while (json_next_key(json, &key)) {
		if (!read_member(json, key, &filter))
			return false;
	}
	*ret = filter.file;
	return is_file(ret);
}

static bool read_sources(struct json *json, struct manifest *manifest)
{
	size_t n = count_elements(json);
	struct manifest_source *all = arena_alloc(json->arena, n, sizeof(*all));
	if (!all || !json_array_begin(json))
		return false;
	for (size_t i = 0; json_next_element(json); i++) {
		if (i >= n || !read_source(json, &all[i]) ||
		        (i > 0 && str_cmp(all[i - 1].name, all[i].name) >= 0))
			return false;
	}
	manifest->sources = all;
	manifest->n_sources = n;
	return true;
}

/* The digest must be that of all before it. It is the last member in every version. */
static int check_digest(str text, const char *path, char ret[SHA256_HEX_SIZE], struct err *err)
{
	char digest[SHA256_HEX_SIZE];
	if (text.n < DIGEST_LINE_BYTES ||
	        !str_has_prefix(text, STR("{\n  \"format\": \"" MANIFEST_FORMAT "/")))
		return err_set(
		        err, -ERR_FORMAT, "%s: not the manifest of a vulnerability database", path);
	str body = str_head(text, text.n - DIGEST_LINE_BYTES);
	str line = str_skip(text, body.n);
	hash_sha256_hex(body, digest);
	if (!str_has_prefix(line, STR(DIGEST_HEAD)) || !str_has_suffix(line, STR(DIGEST_TAIL)) ||
	        !str_eq(str_head(str_skip(line, sizeof(DIGEST_HEAD) - 1), 2 * SHA256_BYTES),
	                str_from_c(digest)))
		return err_set(err, -ERR_FORMAT,
		        "%s: damaged: its digest differs; build the database again", path);
	memcpy(ret, digest, sizeof(digest));
	return 0;
}

static int check_version(str format, const char *path, struct err *err)
{
	str name, number;
	uint64_t version;
	if (!str_split_last(format, '/', &name, &number) || !str_eq(name, STR(MANIFEST_FORMAT)) ||
	        !str_to_u64(number, UINT32_MAX, &version))
		return err_set(
		        err, -ERR_FORMAT, "%s: not the manifest of a vulnerability database", path);
	if (version > MANIFEST_VERSION)
		return err_set(err, -ERR_UNSUPPORTED,
		        "%s: made by a newer program (version %llu); update this one", path,
		        (unsigned long long)version);
	if (version < MANIFEST_VERSION)
		return err_set(err, -ERR_UNSUPPORTED,
		        "%s: made by an older program: build it again", path);
	return 0;
}

int manifest_read(
        str text, const char *path, struct arena *arena, struct manifest *ret, struct err *err)
{
	struct json json = JSON(text, arena);
	struct manifest manifest = { 0 };
	bool good = true;
	str key, format;
	int r = check_digest(text, path, manifest.digest, err);
	if (r < 0)
		return r;
	good = json_object_begin(&json);
	while (good && json_next_key(&json, &key)) {
		if (str_eq(key, STR("format"))) {
			good = json_string(&json, &format);
			r = good ? check_version(format, path, err) : 0;
			if (r < 0)
				return r;
		} else if (str_eq(key, STR("built_at"))) {
			good = json_string(&json, &manifest.built_at);
		} else if (str_eq(key, STR("sources"))) {
			good = read_sources(&json, &manifest);
		} else if (str_eq(key, STR("filter"))) {
			good = read_filter(&json, &manifest.filter);
		} else {
			json_skip(&json);
		}
	}
	if (!good || json_finish(&json, NULL) < 0 || manifest.filter.name.n == 0)
		return err_set(
		        err, -ERR_FORMAT, "%s: its contents are not those of a manifest", path);
	*ret = manifest;
	return 0;
}

const struct manifest_file *manifest_file_at(const struct manifest *manifest, size_t i)
{
	if (i < manifest->n_sources)
		return &manifest->sources[i].file;
	return i == manifest->n_sources ? &manifest->filter : NULL;
}

uint64_t manifest_coverage(const struct manifest_source *source, str ecosystem)
{
	size_t low = 0, high = source->n_ecosystems;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = str_cmp(source->ecosystems[middle].name, ecosystem);
		if (c == 0)
			return source->ecosystems[middle].n;
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

bool manifest_is_data_file(str name)
{
	const str tail = str_has_suffix(name, STR(".sqlite")) ? STR(".sqlite") : STR(".filter");
	if (!str_has_suffix(name, tail) || name.n < tail.n + 18 || name.p[0] == '.')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!is_alnum(c) && c != '.' && c != '_' && c != '+' && c != '-')
			return false;
	}
	str digits = { name.p + name.n - tail.n - 16, 16 };
	if (digits.p[-1] != '-')
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (!is_digit(digits.p[i]) && !(digits.p[i] >= 'a' && digits.p[i] <= 'f'))
			return false;
	}
	return true;
}
