/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/report.h"

#include <errno.h>
#include <time.h>

#include "aws/timestamp.h"
#include "base/json.h"
#include "net/aws_call.h"

/* Memory of one call and its answer. */
#define CALL_BYTES ((size_t)16 << 20)
#define BODY_BYTES ((size_t)2 << 20)

#define TARGET STR("AmazonSSM.PutInventory")

/* Inspector's words for the managers of package types (API reference, PackageManager). */
static const struct manager {
	str type;
	const char *word;
} managers[] = {
	{ STR("pypi"), "PYTHONPKG" },
	{ STR("npm"), "NODEPKG" },
	{ STR("maven"), "JAR" },
	{ STR("golang"), "GOBINARY" },
	{ STR("gem"), "GEMSPEC" },
	{ STR("cargo"), "CARGO" },
	{ STR("composer"), "COMPOSER" },
	{ STR("nuget"), "NUGET" },
};

static str manager_of(str type)
{
	for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++) {
		if (str_eq(type, managers[i].type))
			return str_from_c(managers[i].word);
	}
	return type;
}

int report_choose(
        const struct inventory *inventory, struct arena *arena, struct report_packages *ret)
{
	struct report_packages chosen = { .n = 0 };
	chosen.all = arena_alloc(arena, inventory->n_packages + 1, sizeof(struct package *));
	if (!chosen.all)
		return -ERR_LIMIT;
	for (size_t i = 0; i < inventory->n_packages; i++) {
		const struct package *pkg = &inventory->packages[i];
		if (package_is_os(pkg))
			continue;
		if (pkg->owner.n > 0)
			chosen.n_owned++;
		else
			chosen.all[chosen.n++] = pkg;
	}
	*ret = chosen;
	return 0;
}

static void write_row(const struct package *pkg, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	json_write_object(&w);
	json_write_member_str(&w, "Name", pkg->name);
	json_write_member_str(&w, "Version", pkg->version);
	json_write_member_str(&w, "PackageManager", manager_of(pkg->type));
	json_write_member_str(&w, "Path", pkg->path);
	json_write_object_end(&w);
}

static bool fits(const struct package *pkg)
{
	return pkg->name.n <= REPORT_VALUE_BYTES && pkg->version.n <= REPORT_VALUE_BYTES &&
	       pkg->path.n <= REPORT_VALUE_BYTES;
}

size_t report_write_packages(const struct report_packages *packages, struct buf *out)
{
	size_t start = out->n, n = 0;
	buf_add_byte(out, '[');
	for (size_t i = 0; i < packages->n && n < REPORT_ROWS_MAX; i++) {
		size_t before = out->n;
		if (!fits(packages->all[i]))
			continue;
		if (n > 0)
			buf_add_byte(out, ',');
		write_row(packages->all[i], out);
		if (out->n - start >= REPORT_CONTENT_BYTES) {
			out->n = before;
			break;
		}
		n++;
	}
	buf_add_byte(out, ']');
	return n;
}

/* "2023-10-27T05:37:32Z" */
static void add_time(struct buf *out, int64_t at)
{
	timestamp_add_iso(out, at * 1000);
}

/* An item, with its content or without. The content is JSON already. */
static void write_body(struct buf *body, const struct account *account,
        const struct report_item *item, str hash, bool has_content)
{
	autobuf now = BUF(64);
	struct json_writer w = JSON_WRITER(body, false);
	add_time(&now, (int64_t)time(NULL));
	json_write_object(&w);
	json_write_member_str(&w, "InstanceId", account->instance);
	json_write_key(&w, "Items");
	json_write_array(&w);
	json_write_object(&w);
	json_write_member_str(&w, "TypeName", str_from_c(item->type));
	json_write_member_str(&w, "SchemaVersion", STR(REPORT_VERSION));
	json_write_member_str(&w, "CaptureTime", buf_str(&now));
	json_write_member_str(&w, "ContentHash", hash);
	if (has_content) {
		json_write_key(&w, "Content");
		json_write_number(&w, item->content);
	}
	json_write_object_end(&w);
	json_write_array_end(&w);
	json_write_object_end(&w);
}

/* What went wrong, in the words in which the SDK of the original tells it. */
static void describe(const struct ssm_reply *reply, struct buf *out)
{
	buf_printf(out,
	        "operation error SSM: PutInventory, https response error StatusCode: %u, "
	        "RequestID: " STR_FMT ", " STR_FMT ": " STR_FMT,
	        reply->status, STR_ARG(str_head(reply->request_id, 64)), STR_ARG(reply->error),
	        STR_ARG(str_head(reply->message, 1024)));
	buf_add_byte(out, '\0');
}

/* One call. Returns: 0; 1 when the server wants the content; < 0 */
static int post(struct net_session *session, const struct account *account,
        const struct report_item *item, str hash, bool has_content, struct plugin_log *log,
        struct err *err)
{
	struct arena arena = ARENA(CALL_BYTES);
	struct net_sign sign = account_sign(account);
	struct ssm_reply reply = { .status = 0 };
	autobuf body = BUF(BODY_BYTES);
	autobuf text = BUF(4096);
	write_body(&body, account, item, hash, has_content);
	int r = buf_failed(&body) ? err_set(err, -ERR_LIMIT, "a report is larger than 2 MiB") : 0;
	if (r >= 0)
		r = ssm_call(session, &sign, TARGET, buf_str(&body), 0, &arena, &reply, err);
	if (r < 0) {
		plugin_log_write(log, EVENT_REFUSED,
		        "failed to report inventory via ssm PutInventory: %s", err->text);
	} else if (reply.error.n > 0) {
		describe(&reply, &text);
		plugin_log_write(log, EVENT_REFUSED,
		        "failed to report inventory via ssm PutInventory: %s", text.p);
		bool wants = str_eq(reply.error, STR("InvalidItemContentException")) ||
		             str_eq(reply.error, STR("ItemContentMismatchException"));
		if (wants && !has_content)
			plugin_log_write(log, EVENT_RESEND,
			        "resend inventory request with content per service response: %s",
			        text.p);
		r = wants && !has_content ? 1 : err_set(err, -EIO, "%.200s", text.p);
	}
	arena_fini(&arena);
	return r;
}

int report_post(struct net_session *session, const struct account *account,
        const struct report_item *item, struct plugin_log *log, struct err *err)
{
	char hash[MD5_HEX_SIZE];
	int r = 1;
	hash_md5_hex(item->content, hash);
	if (item->is_announced) {
		plugin_log_write(log, EVENT_POST,
		        "post inventory request for %zu packages with hash '%s'", item->n_packages,
		        hash);
		r = post(session, account, item, str_from_c(hash), false, log, err);
	}
	if (r > 0)
		r = post(session, account, item, str_from_c(hash), true, log, err);
	if (r == 0 && item->is_announced)
		plugin_log_write(
		        log, EVENT_POSTED, "succeeded posting package collection inventory item");
	return r;
}
