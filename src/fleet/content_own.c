/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own upload: the report that `sonde inventory --format json` writes, schema "sonde.scan/1",
 * whose keys are a contract. It is the word on both of a host's sets. What it says of the scan
 * itself (ledger, remarks) stays in the evidence.
 */
#include "fleet/content_rows.h"

#include "fleet/fleet.h"

struct row {
	str type, name, version, path, path_base64, owner, arch, source_name, source_version,
	        module, vendor, licence, reader, confidence;
};

static const struct column package_columns[] = {
	COLUMN(struct row, "type", type),
	COLUMN(struct row, "name", name),
	COLUMN(struct row, "version", version),
	COLUMN(struct row, "path", path),
	COLUMN(struct row, "path_base64", path_base64),
	COLUMN(struct row, "owner", owner),
	COLUMN(struct row, "arch", arch),
	COLUMN(struct row, "source_name", source_name),
	COLUMN(struct row, "source_version", source_version),
	COLUMN(struct row, "module", module),
	COLUMN(struct row, "vendor", vendor),
	COLUMN(struct row, "licence", licence),
	COLUMN(struct row, "reader", reader),
	COLUMN(struct row, "confidence", confidence),
};

struct told {
	str hostname, kernel, arch, os_id, os_version, os_codename, os_name;
};

static const struct column host_columns[] = {
	COLUMN(struct told, "hostname", hostname),
	COLUMN(struct told, "kernel", kernel),
	COLUMN(struct told, "arch", arch),
	COLUMN(struct told, "os_id", os_id),
	COLUMN(struct told, "os_version", os_version),
	COLUMN(struct told, "os_codename", os_codename),
	COLUMN(struct told, "os_name", os_name),
};

static bool is_type_byte(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '.' || c == '+' || c == '-';
}

static bool is_type(str s)
{
	bool is_short = s.n > 0 && s.n <= 32;
	(void)str_take_while(&s, is_type_byte);
	return is_short && s.n == 0;
}

static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 section 4, with its padding. */
static bool decode_base64(str text, struct arena *arena, str *ret)
{
	size_t n = 0;
	if (text.n == 0 || text.n % 4 != 0 || text.n > 2 * CONTENT_PATH_MAX)
		return false;
	char *out = arena_alloc(arena, text.n / 4 * 3 + 1, 1);
	size_t n_pad = str_has_suffix(text, STR("==")) ? 2 : str_has_suffix(text, STR("=")) ? 1 : 0;
	for (size_t i = 0; out && i < text.n; i += 4) {
		size_t pads = i + 4 == text.n ? n_pad : 0;
		uint32_t v = 0;
		for (size_t k = 0; k < 4; k++) {
			int digit = k < 4 - pads ? digit_of(text.p[i + k]) : 0;
			if (digit < 0)
				return false;
			v = v << 6 | (uint32_t)digit;
		}
		for (size_t k = 0; k < 3 - pads; k++)
			out[n++] = (char)(v >> (16 - 8 * k) & 255);
	}
	*ret = (str){ out, n };
	return out != NULL;
}

static enum confidence confidence_of(str word)
{
	if (str_eq(word, STR("high")))
		return CONFIDENCE_HIGH;
	return str_eq(word, STR("medium")) ? CONFIDENCE_MEDIUM : CONFIDENCE_LOW;
}

static void take_package(struct content_job *job, void *at)
{
	const struct row *row = at;
	struct package pkg = {
		.type = row->type,
		.name = row->name,
		.version = row->version,
		.arch = row->arch,
		.source_name = row->source_name,
		.source_version = row->source_version,
		.module = row->module,
		.vendor = row->vendor,
		.licence = row->licence,
		.path = row->path,
		.owner = row->owner,
		.reader = str_head(row->reader, 32),
		.confidence = confidence_of(row->confidence),
	};
	if (!is_type(row->type))
		content_refuse(job, SKIP_DAMAGE, "has no type, or one that is no package type");
	else if (row->path_base64.n > 0 && !decode_base64(row->path_base64, job->arena, &pkg.path))
		content_refuse(job, SKIP_DAMAGE, "has a path_base64 that is not base64");
	else
		content_offer(job, &pkg);
}

static void read_packages(struct content_job *job)
{
	struct row row;
	content_rows(job, ROW_FORM(row, package_columns), &row, take_package);
}

/* What it does not tell is not known any more: an empty value deletes the fact. */
static void read_host(struct content_job *job)
{
	struct told host = { 0 };
	if (!json_object_begin(&job->json))
		return content_fail(job, -ERR_FORMAT, "its host is no object");
	content_read_members(
	        job, host_columns, sizeof(host_columns) / sizeof(host_columns[0]), &host);
	content_fact(job, "Arch", host.arch);
	if (host.hostname.n > 0)
		content_fact(job, "ComputerName", host.hostname);
	content_fact(job, "Kernel", host.kernel);
	content_fact(job, "Os.Codename", host.os_codename);
	content_fact(job, "Os.Id", host.os_id);
	content_fact(job, "Os.Name", host.os_name);
	content_fact(job, "Os.Version", host.os_version);
}

static void read_report(struct content_job *job)
{
	str key, schema = { NULL, 0 };
	bool has_packages = false, has_host = false;
	if (!json_object_begin(&job->json))
		return content_fail(job, -ERR_FORMAT, "it is no object");
	while (job->failed == 0 && json_next_key(&job->json, &key)) {
		if (str_eq(key, STR("packages")) && !has_packages) {
			has_packages = true;
			read_packages(job);
		} else if (str_eq(key, STR("host")) && !has_host) {
			has_host = true;
			read_host(job);
		} else if (str_eq(key, STR("schema"))) {
			(void)json_string(&job->json, &schema);
		} else {
			json_skip(&job->json);
		}
	}
	if (!str_eq(schema, STR("sonde.scan/1")))
		content_fail(job, -ERR_FORMAT, "its schema is not \"sonde.scan/1\"");
	else if (!has_packages || !has_host)
		content_fail(job, -ERR_FORMAT, "it has no packages or no host");
}

const struct content_type content_own = {
	.type = STR(FLEET_OWN_TYPE),
	.is_packages = true,
	.is_os = true,
	.is_language = true,
	.read = read_report,
};
