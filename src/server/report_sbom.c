/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SBOM export: one file per host, CycloneDX 1.4 or SPDX 2.3, both as JSON.
 *
 * Sources: CycloneDX 1.4 JSON reference; SPDX specification 2.3, clauses 6, 7 and 11
 */
#include <errno.h>
#include <roaring/roaring.h>
#include <stdio.h>

#include "aws/codec.h"
#include "aws/timestamp.h"
#include "base/fs.h"
#include "fleet/content.h"
#include "server/finding_json.h"
#include "server/reports.h"

#define HOST_BYTES ((size_t)256 << 20)

/* One package at one place; `path` is empty where it is not known. */
struct entry {
	const struct element *element;
	str path;
	str purl;
	char ref[33];
};

struct sbom {
	const struct report_job *job;
	const struct fleet_host *host;
	struct arena *arena;
	struct entry *entries;
	size_t n;
};

/* The package URL, and where the package lies as a qualifier without its leading slash. */
static int write_purl(struct sbom *sbom, struct entry *entry)
{
	autobuf text = BUF(16u << 10);
	struct host os = { 0 };
	host_os(sbom->host, &os);
	package_purl(&entry->element->package, &os, &text);
	if (entry->path.n > 1) {
		buf_add_byte(&text, text.n && memchr(text.p, '?', text.n) ? '&' : '?');
		buf_add(&text, STR("path="));
		percent_add(&text, str_skip(entry->path, entry->path.p[0] == '/'), true);
	}
	if (buf_failed(&text) || arena_copy(sbom->arena, buf_str(&text), &entry->purl) < 0)
		return -ERR_LIMIT;
	char hex[SHA256_HEX_SIZE];
	hash_sha256_hex(entry->purl, hex);
	memcpy(entry->ref, hex, 32);
	entry->ref[32] = '\0';
	return 0;
}

static int add_element(struct sbom *sbom, const struct element *element, const struct place *places,
        size_t n_places)
{
	size_t first, n = places_of(places, n_places, element->id, &first);
	int r = 0;
	for (size_t k = 0; r == 0 && (k < n || k == 0); k++) {
		struct entry *entry = &sbom->entries[sbom->n++];
		*entry = (struct entry){ .element = element };
		if (k < n)
			entry->path = places[first + k].path;
		r = write_purl(sbom, entry);
	}
	return r;
}

/* Fleet locked. */
static int collect(struct sbom *sbom, struct err *err)
{
	struct fleet *fleet = sbom->job->server->fleet;
	const struct place *places;
	size_t n_places, n = 0;
	int r = fleet_places(fleet, sbom->host, sbom->arena, &places, &n_places, err);
	if (r < 0)
		return r;
	for (int k = 0; k < HOST_N_SETS; k++) {
		const struct package_set *set = sets_at(fleet_sets(fleet), sbom->host->sets[k]);
		n += set ? set->n_elements : 0;
	}
	sbom->entries = arena_alloc(sbom->arena, n + n_places + 1, sizeof(*sbom->entries));
	if (!sbom->entries)
		return err_set(err, -ERR_LIMIT, "a host has too many packages");
	for (int k = 0; r == 0 && k < HOST_N_SETS; k++) {
		const struct package_set *set = sets_at(fleet_sets(fleet), sbom->host->sets[k]);
		for (size_t i = 0; set && r == 0 && i < set->n_elements; i++)
			r = add_element(sbom,
			        dictionary_element_at(fleet_dictionary(fleet), set->elements[i]),
			        places, n_places);
	}
	return r < 0 ? err_set(err, r, "a host has too many packages") : 0;
}

static void write_now(struct json_writer *w, const char *key, int64_t at)
{
	autobuf text = BUF(64);
	timestamp_add_iso(&text, at * 1000);
	write_text(w, key, buf_str(&text));
}

static void write_property(struct json_writer *w, const char *name, str value)
{
	if (value.n == 0)
		return;
	json_write_object(w);
	write_text(w, "name", str_from_c(name));
	write_text(w, "value", value);
	json_write_object_end(w);
}

static void write_cyclonedx_metadata(const struct sbom *sbom, struct json_writer *w)
{
	struct account_text account = account_text(sbom->host->account);
	struct host_text id = host_ec2_id(sbom->host->id);
	json_write_key(w, "metadata");
	json_write_object(w);
	write_now(w, "timestamp", sbom->job->request.now_at);
	json_write_key(w, "component");
	json_write_object(w);
	write_text(w, "type", STR("operating-system"));
	write_text(w, "name", str_from_c(id.text));
	json_write_object_end(w);
	json_write_key(w, "properties");
	json_write_array(w);
	write_property(w, "imageId", host_fact(sbom->host, "ImageId"));
	write_property(w, "architecture", host_fact(sbom->host, "Arch"));
	write_property(w, "accountId", str_from_c(account.text));
	write_property(w, "resourceType", STR("AWS_EC2_INSTANCE"));
	json_write_array_end(w);
	json_write_object_end(w);
}

static void write_cyclonedx(const struct sbom *sbom, struct json_writer *w)
{
	char uuid[37];
	str serial;
	uuid_make(uuid);
	json_write_object(w);
	write_text(w, "bomFormat", STR("CycloneDX"));
	write_text(w, "specVersion", STR("1.4"));
	if (arena_printf(sbom->arena, &serial, "urn:uuid:%s", uuid) == 0)
		write_text(w, "serialNumber", serial);
	write_number(w, "version", 1);
	write_cyclonedx_metadata(sbom, w);
	json_write_key(w, "components");
	json_write_array(w);
	for (size_t i = 0; i < sbom->n; i++) {
		const struct entry *entry = &sbom->entries[i];
		json_write_object(w);
		write_text(w, "bom-ref", str_from_c(entry->ref));
		write_text(w, "type", STR("library"));
		write_text(w, "name", entry->element->package.name);
		write_text(w, "version", entry->element->package.version);
		write_text(w, "purl", entry->purl);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

static void write_spdx_head(const struct sbom *sbom, struct json_writer *w)
{
	struct account_text account = account_text(sbom->host->account);
	struct host_text id = host_ec2_id(sbom->host->id);
	str name, space, organisation;
	str image = host_fact(sbom->host, "ImageId");
	if (arena_printf(sbom->arena, &name, "%s/EC2/%s/" STR_FMT, account.text, id.text,
	            STR_ARG(image.n ? image : STR("null"))) < 0 ||
	        arena_printf(sbom->arena, &space, "EC2://%s/LINUX/null/" STR_FMT, id.text,
	                STR_ARG(host_fact(sbom->host, "Arch"))) < 0 ||
	        arena_printf(sbom->arena, &organisation, "Organization: %s", account.text) < 0) {
		w->out->failed = true;
		return;
	}
	write_text(w, "SPDXID", STR("SPDXRef-DOCUMENT"));
	write_text(w, "spdxVersion", STR("SPDX-2.3"));
	write_text(w, "dataLicense", STR("CC0-1.0"));
	write_text(w, "name", name);
	write_text(w, "documentNamespace", space);
	json_write_key(w, "creationInfo");
	json_write_object(w);
	write_now(w, "created", sbom->job->request.now_at);
	json_write_key(w, "creators");
	json_write_array(w);
	json_write_str(w, organisation);
	json_write_str(w, STR("Tool: Sonde"));
	json_write_array_end(w);
	json_write_object_end(w);
}

static void write_spdx_package(
        const struct sbom *sbom, struct json_writer *w, const struct entry *entry)
{
	str id;
	if (arena_printf(sbom->arena, &id, "SPDXRef-Package-%s", entry->ref) < 0) {
		w->out->failed = true;
		return;
	}
	json_write_object(w);
	write_text(w, "SPDXID", id);
	write_text(w, "name", entry->element->package.name);
	write_text(w, "versionInfo", entry->element->package.version);
	write_text(w, "downloadLocation", STR("NOASSERTION"));
	write_text(w, "sourceInfo", entry->path);
	json_write_key(w, "filesAnalyzed");
	json_write_bool(w, false);
	json_write_key(w, "externalRefs");
	json_write_array(w);
	json_write_object(w);
	write_text(w, "referenceCategory", STR("PACKAGE-MANAGER"));
	write_text(w, "referenceType", STR("purl"));
	write_text(w, "referenceLocator", entry->purl);
	json_write_object_end(w);
	json_write_array_end(w);
	json_write_object_end(w);
}

static void write_spdx(const struct sbom *sbom, struct json_writer *w)
{
	json_write_object(w);
	write_spdx_head(sbom, w);
	json_write_key(w, "packages");
	json_write_array(w);
	for (size_t i = 0; i < sbom->n; i++)
		write_spdx_package(sbom, w, &sbom->entries[i]);
	json_write_array_end(w);
	json_write_key(w, "relationships");
	json_write_array(w);
	for (size_t i = 0; i < sbom->n; i++) {
		str id;
		if (arena_printf(sbom->arena, &id, "SPDXRef-Package-%s", sbom->entries[i].ref) < 0)
			break;
		json_write_object(w);
		write_text(w, "spdxElementId", STR("SPDXRef-DOCUMENT"));
		write_text(w, "relatedSpdxElement", id);
		write_text(w, "relationshipType", STR("DESCRIBES"));
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

/* Fleet locked. */
static int write_host(
        struct report_job *job, const struct fleet_host *host, struct buf *out, struct err *err)
{
	struct arena arena = ARENA(HOST_BYTES);
	struct sbom sbom = { .job = job, .host = host, .arena = &arena };
	struct json_writer w = JSON_WRITER(out, false);
	int r = collect(&sbom, err);
	if (r == 0 && str_eq(job->report->format, STR("SPDX_2_3")))
		write_spdx(&sbom, &w);
	else if (r == 0)
		write_cyclonedx(&sbom, &w);
	if (r == 0 && buf_failed(out))
		r = err_set(err, -ERR_LIMIT, "an SBOM is too long");
	arena_fini(&arena);
	return r;
}

/* ---- which hosts ---- */

static bool text_holds(const struct value *entries, str text)
{
	bool has_equals = false, is_equal = false;
	for (size_t i = 0; i < value_count(entries); i++) {
		const struct value *entry = value_at(entries, i);
		bool same = str_eq(value_get_str(entry, STR("value")), text);
		bool is_not = str_eq(value_get_str(entry, STR("comparison")), STR("NOT_EQUALS"));
		if (is_not && same)
			return false;
		has_equals = has_equals || !is_not;
		is_equal = is_equal || (!is_not && same);
	}
	return !has_equals || is_equal;
}

static bool tag_holds(const struct value *entries, const struct fleet_host *host)
{
	for (size_t i = 0; i < value_count(entries); i++) {
		const struct value *entry = value_at(entries, i);
		str wanted = value_get_str(entry, STR("value")), value;
		if (host_tag(host, value_get_str(entry, STR("key")), &value) &&
		        (!wanted.p || str_eq(wanted, value)))
			return true;
	}
	return false;
}

static bool is_wanted(const struct value *criteria, const struct fleet_host *host)
{
	struct account_text account = account_text(host->account);
	struct host_text id = host_ec2_id(host->id);
	for (size_t i = 0; i < value_count(criteria); i++) {
		str member = value_key_at(criteria, i);
		const struct value *entries = value_at(criteria, i);
		bool holds;
		if (str_eq(member, STR("accountId")))
			holds = text_holds(entries, str_from_c(account.text));
		else if (str_eq(member, STR("resourceId")))
			holds = text_holds(entries, str_from_c(id.text));
		else if (str_eq(member, STR("resourceType")))
			holds = text_holds(entries, STR("AWS_EC2_INSTANCE"));
		else if (str_eq(member, STR("ec2InstanceTags")))
			holds = tag_holds(entries, host);
		else
			holds = text_holds(entries, (str){ NULL, 0 });
		if (!holds)
			return false;
	}
	return true;
}

static int export_host(struct report_job *job, uint64_t number, struct err *err)
{
	autobuf out = BUF(HOST_BYTES);
	char name[96] = "";
	int r = 0;
	fleet_lock(job->server->fleet);
	const struct fleet_host *host = fleet_host_at(job->server->fleet, number);
	if (host && host->enrolled_at > 0 && is_wanted(job->report->criteria, host)) {
		struct host_text id = host_ec2_id(host->id);
		bool is_spdx = str_eq(job->report->format, STR("SPDX_2_3"));
		(void)snprintf(name, sizeof(name), "%s_%s.json", id.text,
		        is_spdx ? "spdx_2_3" : "cyclonedx_1_4");
		r = write_host(job, host, &out, err);
	}
	fleet_unlock(job->server->fleet);
	if (r < 0 || name[0] == '\0')
		return r;
	job->n_written++;
	return fs_replace(job->folder, name, buf_str(&out), 0600, err);
}

static int export_account(struct report_job *job, int64_t account, struct err *err)
{
	int r = 0;
	fleet_lock(job->server->fleet);
	const roaring_bitmap_t *hosts = fleet_hosts(job->server->fleet, account);
	size_t n = hosts ? roaring_bitmap_get_cardinality(hosts) : 0;
	uint32_t *numbers = arena_alloc(job->arena, n + 1, sizeof(*numbers));
	if (numbers && n > 0)
		roaring_bitmap_to_uint32_array(hosts, numbers);
	fleet_unlock(job->server->fleet);
	if (!numbers)
		return err_set(err, -ERR_LIMIT, "there are too many hosts");
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = export_host(job, numbers[i], err);
		if (r == 0 && report_is_cancelled(job))
			r = err_set(err, -ECANCELED, "the export was cancelled");
	}
	return r;
}

int report_sboms(struct report_job *job, struct err *err)
{
	const int64_t *accounts;
	size_t n;
	int r = caller_accounts(job->server, &job->request.caller, job->arena, &accounts, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = export_account(job, accounts[i], err);
	return r;
}
