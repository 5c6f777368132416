/* SPDX-License-Identifier: Apache-2.0 */
#include "server/finding_json.h"

#include <errno.h>

#include "aws/timestamp.h"
#include "fleet/content.h"
#include "server/details.h"

#define DESCRIPTION_MAX 1024u
#define NAME_MAX_BYTES 1024u
#define REFERENCES_MAX 100u

/* What is said of one finding beyond its row, from the record that says most. */
struct extras {
	struct advisory record; /* zeroed when the present data have it no more */
	str description;
	int64_t created_at, updated_at;
};

static int64_t seconds_of(str date)
{
	int64_t at_ms;
	return timestamp_from_iso(date, &at_ms) ? at_ms / 1000 : 0;
}

int text_at_most(str text, size_t n, struct arena *arena, str *ret)
{
	static const str dots = { "...", 3 };
	size_t kept = 0;
	if (text.n <= n) {
		*ret = text;
		return 0;
	}
	for (size_t step; kept < n - dots.n; kept += step) {
		step = str_utf8_len(str_skip(text, kept));
		step = step ? step : 1;
		if (kept + step > n - dots.n)
			break;
	}
	return arena_printf(arena, ret, STR_FMT "...", STR_ARG(str_head(text, kept)));
}

static int read_extras(struct server *server, const struct finding_row *row, struct arena *arena,
        struct extras *ret)
{
	struct err err = { 0 };
	str source = row->issue ? row->issue->record_source : row->closed->record_source;
	str id = row->issue ? row->issue->record_id : row->closed->record_id;
	str title = row->issue ? row->issue->text : row->closed->text;
	*ret = (struct extras){ 0 };
	int r = details_record(server->details, source, id, arena, &ret->record, &err);
	if (r == -ERR_LIMIT)
		return r;
	if (r < 0)
		ret->record = (struct advisory){ 0 };
	str text = str_trim(ret->record.details);
	if (text.n == 0)
		text = title.n ? title : row->name;
	ret->created_at = seconds_of(ret->record.published);
	ret->updated_at = seconds_of(ret->record.modified);
	return text_at_most(text, DESCRIPTION_MAX, arena, &ret->description);
}

const char *finding_exploit(const struct finding_row *row)
{
	return row->is_kev ? "YES" : "NO";
}

struct platform_text host_platform(const struct fleet_host *host)
{
	struct host os = { 0 };
	host_os(host, &os);
	return platform_word(&os);
}

void write_tag_object(struct json_writer *w, const struct fleet_host *host)
{
	json_write_object(w);
	for (size_t i = 0; i < host->n_tags; i++) {
		char key[4 * 128 + 1];
		str text = str_head(host->tags[i].key, sizeof(key) - 1);
		memcpy(key, text.p, text.n);
		key[text.n] = '\0';
		json_write_key(w, key);
		json_write_str(w, host->tags[i].value);
	}
	json_write_object_end(w);
}

void write_tags(struct json_writer *w, const struct fleet_host *host)
{
	json_write_key(w, "tags");
	write_tag_object(w, host);
}

static void write_addresses(struct json_writer *w, const struct fleet_host *host)
{
	str address = host_fact(host, "IPAddress");
	if (address.n == 0)
		return;
	bool is_v6 = memchr(address.p, ':', address.n) != NULL;
	json_write_key(w, is_v6 ? "ipV6Addresses" : "ipV4Addresses");
	json_write_array(w);
	json_write_str(w, address);
	json_write_array_end(w);
}

static void write_instance(struct json_writer *w, const struct fleet_host *host)
{
	struct platform_text platform = host_platform(host);
	json_write_key(w, "details");
	json_write_object(w);
	json_write_key(w, "awsEc2Instance");
	json_write_object(w);
	write_text(w, "type", host_fact(host, "InstanceType"));
	write_text(w, "imageId", host_fact(host, "ImageId"));
	write_text(w, "vpcId", host_fact(host, "VpcId"));
	write_text(w, "subnetId", host_fact(host, "SubnetId"));
	write_text(w, "keyName", host_fact(host, "KeyName"));
	write_text(w, "iamInstanceProfileArn", host_fact(host, "IamInstanceProfileArn"));
	write_addresses(w, host);
	write_time(w, "launchedAt", host->registered_at);
	write_text(w, "platform", str_from_c(platform.text));
	json_write_object_end(w);
	json_write_object_end(w);
}

static void write_resource(struct json_writer *w, str region, const struct finding_row *row)
{
	struct host_text id = host_ec2_id(row->host_id);
	json_write_key(w, "resources");
	json_write_array(w);
	json_write_object(w);
	write_text(w, "type", STR("AWS_EC2_INSTANCE"));
	write_text(w, "id", str_from_c(id.text));
	write_text(w, "partition", STR("aws"));
	write_text(w, "region", region);
	if (row->host) {
		write_tags(w, row->host);
		write_instance(w, row->host);
	}
	json_write_object_end(w);
	json_write_array_end(w);
}

/* What an administrator types to get the fix. The name is a package's: shell words are not trusted,
 * so that a name with other characters gets no command. */
static int remedy(const struct package *pkg, struct arena *arena, str *ret)
{
	*ret = (str){ "", 0 };
	for (size_t i = 0; i < pkg->name.n; i++) {
		char c = pkg->name.p[i];
		if (!is_alnum(c) && c != '.' && c != '+' && c != '-' && c != '_')
			return 0;
	}
	if (str_eq(pkg->type, STR("deb")))
		return arena_printf(arena, ret, "apt update && apt install --only-upgrade " STR_FMT,
		        STR_ARG(pkg->name));
	if (str_eq(pkg->type, STR("rpm")))
		return arena_printf(arena, ret, "dnf upgrade " STR_FMT, STR_ARG(pkg->name));
	return 0;
}

static int write_package(
        struct json_writer *w, const struct finding_package *found, str path, struct arena *arena)
{
	const struct package *pkg = &found->element->package;
	struct finding_version version = finding_version_of(pkg);
	const char *manager = content_package_manager(pkg->type);
	char arch[FINDING_ARCH_SIZE];
	str name, command, place;
	int r = text_at_most(pkg->name, NAME_MAX_BYTES, arena, &name);
	if (r == 0)
		r = remedy(pkg, arena, &command);
	if (r == 0)
		r = text_at_most(path, NAME_MAX_BYTES, arena, &place);
	if (r != 0)
		return r;
	json_write_object(w);
	write_text(w, "name", name);
	write_text(w, "version", version.version);
	write_text(w, "release", version.release);
	if (version.has_epoch)
		write_number(w, "epoch", version.epoch);
	write_text(w, "arch", finding_arch(pkg, arch));
	if (manager)
		write_text(w, "packageManager", str_from_c(manager));
	write_text(w, "filePath", place);
	write_text(w, "fixedInVersion", found->fixed_in.n ? found->fixed_in : STR("NotAvailable"));
	if (found->fixed_in.n)
		write_text(w, "remediation", command);
	json_write_object_end(w);
	return 0;
}

static int write_packages(struct json_writer *w, const struct finding_row *row, struct arena *arena)
{
	int r = 0;
	json_write_key(w, "vulnerablePackages");
	json_write_array(w);
	for (size_t i = 0; r == 0 && i < row->n_packages; i++) {
		const struct finding_package *found = &row->packages[i];
		if (found->n_paths == 0)
			r = write_package(w, found, STR(""), arena);
		for (size_t k = 0; r == 0 && k < found->n_paths; k++)
			r = write_package(w, found, found->paths[k], arena);
	}
	json_write_array_end(w);
	return r;
}

static void write_cvss(struct json_writer *w, const struct issue *issue)
{
	json_write_key(w, "cvss");
	json_write_array(w);
	for (size_t i = 0; issue && i < issue->n_cvss; i++) {
		json_write_object(w);
		json_write_key(w, "baseScore");
		json_write_double(w, issue->cvss[i].score, 1);
		write_text(w, "scoringVector", issue->cvss[i].vector);
		write_text(w, "version", issue->cvss[i].version);
		write_text(w, "source", issue->cvss[i].source);
		json_write_object_end(w);
	}
	json_write_array_end(w);
}

static void write_strings(struct json_writer *w, const char *key, const str *items, size_t n)
{
	json_write_key(w, key);
	json_write_array(w);
	for (size_t i = 0; i < n; i++) {
		if (items[i].n > 0)
			json_write_str(w, items[i]);
	}
	json_write_array_end(w);
}

static int write_vulnerability(struct json_writer *w, const struct finding_row *row,
        const struct extras *extras, struct arena *arena)
{
	const struct issue *issue = row->issue;
	str url = issue ? issue->source_url : row->closed->source_url;
	size_t n_references = extras->record.n_references;
	json_write_key(w, "packageVulnerabilityDetails");
	json_write_object(w);
	write_text(w, "vulnerabilityId", str_head(row->name, 128));
	int r = write_packages(w, row, arena);
	write_text(w, "source", issue ? issue->source : row->closed->source);
	write_text(w, "sourceUrl", url);
	write_cvss(w, issue);
	write_strings(w, "relatedVulnerabilities", issue ? issue->aliases : NULL,
	        issue ? issue->n_aliases : 0);
	write_text(
	        w, "vendorSeverity", issue ? issue->vendor_severity : row->closed->vendor_severity);
	write_time(w, "vendorCreatedAt", extras->created_at);
	write_time(w, "vendorUpdatedAt", extras->updated_at);
	write_strings(w, "referenceUrls", extras->record.references,
	        n_references < REFERENCES_MAX ? n_references : REFERENCES_MAX);
	json_write_object_end(w);
	return r;
}

/* The score is the base score: nothing is known yet of what is reachable. */
static void write_score(struct json_writer *w, const struct finding_row *row)
{
	const struct cvss_rating *rating = NULL;
	if (row->score < 0)
		return;
	json_write_key(w, "inspectorScore");
	json_write_double(w, row->score, 1);
	for (size_t i = 0; row->issue && i < row->issue->n_cvss && !rating; i++) {
		if (row->issue->cvss[i].score == row->score)
			rating = &row->issue->cvss[i];
	}
	if (!rating)
		return;
	json_write_key(w, "inspectorScoreDetails");
	json_write_object(w);
	json_write_key(w, "adjustedCvss");
	json_write_object(w);
	write_text(w, "scoreSource", rating->source);
	write_text(w, "cvssSource", rating->source);
	write_text(w, "version", rating->version);
	json_write_key(w, "score");
	json_write_double(w, rating->score, 1);
	write_text(w, "scoringVector", rating->vector);
	json_write_object_end(w);
	json_write_object_end(w);
}

static void write_remediation(struct json_writer *w, const struct finding_row *row)
{
	const char *fix = finding_fix(row);
	json_write_key(w, "remediation");
	json_write_object(w);
	json_write_key(w, "recommendation");
	json_write_object(w);
	if (strcmp(fix, "NO") == 0)
		write_text(w, "text", STR("None Provided"));
	else
		write_text(w, "text",
		        STR("Update the vulnerable packages to the versions they are fixed in."));
	json_write_object_end(w);
	json_write_object_end(w);
}

static const char *status_word(enum finding_status status)
{
	switch (status) {
	case STATUS_ACTIVE: return "ACTIVE";
	case STATUS_SUPPRESSED: return "SUPPRESSED";
	case STATUS_CLOSED: return "CLOSED";
	}
	return "ACTIVE";
}

static void write_times(struct json_writer *w, const struct finding_row *row)
{
	write_time(w, "firstObservedAt", row->first_observed);
	write_time(w, "lastObservedAt", row->last_observed);
	write_time(w, "updatedAt", row->updated_at);
}

static void write_ratings(struct json_writer *w, const struct finding_row *row)
{
	write_text(w, "severity", str_from_c(severity_name(row->severity)));
	write_text(w, "fixAvailable", str_from_c(finding_fix(row)));
	write_text(w, "exploitAvailable", str_from_c(finding_exploit(row)));
	if (row->epss >= 0) {
		json_write_key(w, "epss");
		json_write_object(w);
		json_write_key(w, "score");
		json_write_double(w, row->epss, 9);
		json_write_object_end(w);
	}
}

int finding_write(struct server *server, str region, const struct finding_row *row,
        struct arena *arena, struct json_writer *w)
{
	struct extras extras;
	struct account_text account = account_text(row->account);
	struct arn_text arn = arn_of_finding(
	        server, region, row->account, row->host_number, row->vuln, row->first_observed);
	str title;
	int r = read_extras(server, row, arena, &extras);
	if (r == 0)
		r = finding_title(row, arena, &title);
	if (r != 0)
		return r;
	json_write_object(w);
	write_text(w, "findingArn", str_from_c(arn.text));
	write_text(w, "awsAccountId", str_from_c(account.text));
	write_text(w, "type", STR("PACKAGE_VULNERABILITY"));
	write_text(w, "title", title);
	write_text(w, "description", extras.description);
	write_text(w, "status", str_from_c(status_word(row->status)));
	write_times(w, row);
	write_ratings(w, row);
	write_score(w, row);
	write_remediation(w, row);
	write_resource(w, region, row);
	r = write_vulnerability(w, row, &extras, arena);
	json_write_object_end(w);
	return r;
}
