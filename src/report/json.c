/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "sonde.scan/1". Its keys are a contract: more may come, none is renamed or left out; a value that
 * is not known is null. JSON is UTF-8: where a path is not, "path" has U+FFFD for each bad byte and
 * "path_base64" the exact bytes. An inventory is the same document without findings.
 */
#include "base/json.h"

#include "report/report.h"

static void member_c(struct json_writer *w, const char *key, const char *value)
{
	json_write_member_str(w, key, str_from_c(value));
}

static void member_u64(struct json_writer *w, const char *key, uint64_t value)
{
	json_write_key(w, key);
	json_write_u64(w, value);
}

/* A string, or null where empty means none. */
static void member_or_null(struct json_writer *w, const char *key, str value)
{
	json_write_member_str(w, key, value.n > 0 ? value : (str){ NULL, 0 });
}

/* A string even where there is nothing to say. */
static void member_str(struct json_writer *w, const char *key, str value)
{
	json_write_member_str(w, key, value.n > 0 ? value : STR(""));
}

/* A number that is negative when nobody knows it. */
static void member_known(struct json_writer *w, const char *key, double value, int decimals)
{
	json_write_key(w, key);
	if (value >= 0)
		json_write_double(w, value, decimals);
	else
		json_write_null(w);
}

static void base64(struct buf *out, str s)
{
	static const char digits[] =
	        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	for (size_t i = 0; i < s.n; i += 3) {
		uint32_t v = 0;
		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_add_byte(out, i + k <= s.n ? digits[v >> (18 - 6 * k) & 63] : '=');
	}
}

/* A path, and its exact bytes beside it where JSON cannot hold them. */
static void member_path(struct json_writer *w, const char *key, const char *base64_key, str path)
{
	member_str(w, key, path);
	if (str_is_utf8(path))
		return;
	autobuf text = BUF(path.n * 2 + 8);
	base64(&text, path);
	if (buf_failed(&text))
		w->out->failed = true;
	json_write_member_str(w, base64_key, buf_str(&text));
}

static void member_purl(struct json_writer *w, const struct package *pkg, const struct host *host)
{
	autobuf purl = BUF(w->out->max);
	package_purl(pkg, host, &purl);
	if (buf_failed(&purl))
		w->out->failed = true;
	member_str(w, "purl", buf_str(&purl));
}

static void member_list(struct json_writer *w, const char *key, const str *items, size_t n)
{
	json_write_key(w, key);
	json_write_array(w);
	for (size_t i = 0; i < n; i++)
		json_write_str(w, items[i]);
	json_write_array_end(w);
}

static void write_tool(struct json_writer *w, const struct report *report)
{
	json_write_key(w, "tool");
	json_write_object(w);
	member_c(w, "name", "sonde");
	member_c(w, "version", report->tool_version);
	member_c(w, "detection", report->detection);
	json_write_object_end(w);
}

static void write_host(struct json_writer *w, const struct host *host)
{
	json_write_key(w, "host");
	json_write_object(w);
	member_path(w, "root", "root_base64", host->root);
	member_or_null(w, "hostname", host->hostname);
	member_or_null(w, "kernel", host->kernel);
	member_or_null(w, "arch", host->arch);
	member_or_null(w, "machine_id", host->machine_id);
	member_or_null(w, "os_id", host->os_id);
	member_or_null(w, "os_id_like", host->os_id_like);
	member_or_null(w, "os_version", host->os_version);
	member_or_null(w, "os_codename", host->os_codename);
	member_or_null(w, "os_name", host->os_name);
	json_write_object_end(w);
}

static void write_remarks(struct json_writer *w, const struct report *report)
{
	size_t max = sizeof(report->remarks) / sizeof(report->remarks[0]);
	json_write_key(w, "remarks");
	json_write_array(w);
	for (size_t i = 0; i < max && report->remarks[i]; i++)
		json_write_str(w, str_from_c(report->remarks[i]));
	json_write_array_end(w);
}

static void write_database(struct json_writer *w, const struct report_database *database)
{
	json_write_key(w, "database");
	json_write_object(w);
	member_str(w, "digest", database->digest);
	member_str(w, "built_at", database->built_at);
	json_write_key(w, "sources");
	json_write_array(w);
	for (size_t i = 0; i < database->n_sources; i++) {
		const struct report_source *source = &database->sources[i];
		json_write_object(w);
		member_str(w, "name", source->name);
		member_or_null(w, "newest", source->newest);
		member_or_null(w, "licence", source->licence);
		member_u64(w, "records", source->n_records);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

/* A reader joins what it noticed with "; ". */
static void write_notes(struct json_writer *w, str notes)
{
	static const str separator = { "; ", 2 };
	json_write_key(w, "notes");
	json_write_array(w);
	while (notes.n > 0) {
		size_t n = 0;
		while (n < notes.n && !str_has_prefix(str_skip(notes, n), separator))
			n++;
		if (n > 0)
			json_write_str(w, str_head(notes, n));
		notes = str_skip(notes, n + separator.n);
	}
	json_write_array_end(w);
}

static void write_package(struct json_writer *w, const struct package *p, const struct host *host)
{
	json_write_object(w);
	member_purl(w, p, host);
	member_str(w, "type", p->type);
	member_str(w, "name", p->name);
	member_str(w, "version", p->version);
	member_path(w, "path", "path_base64", p->path);
	member_or_null(w, "owner", p->owner);
	member_c(w, "confidence", confidence_name(p->confidence));
	write_notes(w, p->note);
	member_or_null(w, "arch", p->arch);
	member_or_null(w, "source_name", p->source_name);
	member_or_null(w, "source_version", p->source_version);
	member_or_null(w, "module", p->module);
	member_or_null(w, "vendor", p->vendor);
	member_or_null(w, "licence", p->licence);
	member_str(w, "reader", p->reader);
	json_write_object_end(w);
}

static void write_cvss(struct json_writer *w, const struct finding *f)
{
	json_write_key(w, "cvss");
	json_write_array(w);
	for (size_t i = 0; i < f->n_cvss; i++) {
		json_write_object(w);
		member_str(w, "version", f->cvss[i].version);
		member_str(w, "vector", f->cvss[i].vector);
		member_known(w, "score", f->cvss[i].score, 1);
		member_str(w, "source", f->cvss[i].source);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_why(struct json_writer *w, const struct finding *f)
{
	json_write_key(w, "why");
	json_write_object(w);
	json_write_key(w, "evidence");
	json_write_object(w);
	member_path(w, "file", "file_base64", f->pkg->path);
	member_str(w, "reader", f->pkg->reader);
	json_write_object_end(w);
	json_write_key(w, "reasons");
	json_write_array(w);
	for (size_t i = 0; i < f->n_reasons; i++) {
		const struct finding_reason *reason = &f->reasons[i];
		json_write_object(w);
		member_str(w, "advisory", reason->advisory);
		member_str(w, "source", reason->source);
		member_str(w, "ecosystem", reason->ecosystem);
		member_str(w, "package", reason->package);
		member_str(w, "range", reason->range);
		member_str(w, "comparison", reason->comparison);
		member_or_null(w, "fixed_in", reason->fixed_in);
		json_write_key(w, "affects_fix");
		json_write_bool(w, reason->affects_fix);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

static void write_finding(
        struct json_writer *w, const struct finding *f, const struct host *host, bool suppressed)
{
	json_write_object(w);
	member_str(w, "id", f->id);
	member_list(w, "aliases", f->aliases, f->n_aliases);
	member_or_null(w, "title", f->title);
	member_purl(w, f->pkg, host);
	member_str(w, "name", f->pkg->name);
	member_str(w, "version", f->pkg->version);
	member_path(w, "path", "path_base64", f->pkg->path);
	member_or_null(w, "fixed_in", f->fixed_in);
	member_c(w, "fix_state", fix_state_name(f->fix_state));
	member_c(w, "severity", severity_name(f->severity));
	member_known(w, "score", f->score, 1);
	write_cvss(w, f);
	member_known(w, "epss", f->epss, 6);
	json_write_key(w, "kev");
	json_write_bool(w, f->is_kev);
	member_str(w, "source", f->source);
	if (suppressed)
		member_str(w, "reason", f->suppressed);
	write_why(w, f);
	json_write_object_end(w);
}

static void write_list(struct json_writer *w, const char *key, const struct finding *findings,
        size_t n, const struct host *host, bool suppressed)
{
	json_write_key(w, key);
	json_write_array(w);
	for (size_t i = 0; i < n; i++)
		write_finding(w, &findings[i], host, suppressed);
	json_write_array_end(w);
}

static void write_ledger(struct json_writer *w, const struct report *report)
{
	static const char *const kinds[] = {
		[SKIP_POLICY] = "policy", [SKIP_DAMAGE] = "damage", [SKIP_FAILURE] = "failure"
	};
	const struct ledger *ledger = report->ledger;
	json_write_key(w, "ledger");
	json_write_object(w);
	member_u64(w, "directories", report->n_directories);
	member_u64(w, "files", report->n_files);
	member_u64(w, "elapsed_ms", report->elapsed_ms);
	member_u64(w, "failures", ledger->n_failures);
	member_u64(w, "unlisted", ledger->n_unlisted);
	json_write_key(w, "skipped");
	json_write_array(w);
	for (size_t i = 0; i < ledger->n; i++) {
		const struct skip *skip = &ledger->entries[i];
		json_write_object(w);
		member_path(w, "path", "path_base64", skip->path);
		member_str(w, "reason", skip->reason);
		member_u64(w, "count", skip->count);
		member_c(w, "kind", kinds[skip->kind]);
		json_write_object_end(w);
	}
	json_write_array_end(w);
	json_write_object_end(w);
}

static int write_json(const struct report *report, const struct report_style *style,
        struct buf *out, struct err *err)
{
	(void)style;
	struct json_writer w = JSON_WRITER(out, true);
	json_write_object(&w);
	member_c(&w, "schema", "sonde.scan/1");
	write_tool(&w, report);
	write_host(&w, report->host);
	write_remarks(&w, report);
	if (report->database)
		write_database(&w, report->database);
	json_write_key(&w, "packages");
	json_write_array(&w);
	for (size_t i = 0; i < report->n_packages; i++)
		write_package(&w, &report->packages[i], report->host);
	json_write_array_end(&w);
	if (report->database) {
		write_list(
		        &w, "findings", report->findings, report->n_findings, report->host, false);
		write_list(&w, "suppressed", report->suppressed, report->n_suppressed, report->host,
		        true);
	}
	write_ledger(&w, report);
	json_write_object_end(&w);
	return buf_failed(out) ? err_set(err, -ERR_LIMIT, "the report is larger than memory allows")
	                       : 0;
}

const struct report_format report_json = {
	.name = "json",
	.title = "JSON, schema sonde.scan/1",
	.write = write_json,
};
