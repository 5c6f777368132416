/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aws:softwareInventory. The whole inventory goes up compressed to the service `sonde`; beside it,
 * as the stock agent does, AWS:InstanceInformation and AWS:Application by PutInventory, each with
 * its hash first. Where there is no such service, PutInventory alone has to do.
 *
 * Both carry the same capture time: of two words on the same packages the server then believes the
 * one that knows more. So AWS:Application must not go up when the upload did not: it would be
 * newer.
 */
#include "agent/step.h"

#include <errno.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "agent/platform.h"
#include "agent/spool.h"
#include "agent/upload.h"
#include "agent/walker.h"
#include "aws/timestamp.h"

#define PATHS_PARAMETER "/inspector-aws/service/inspector-linux-application-paths"
#define PATHS_MAX 20

/* ---- what to look at ---- */

struct paths {
	const char *items[PATHS_MAX];
	size_t n;
	bool is_deep; /* deep inspection is on: the parameter is there */
};

static void read_paths(struct step_context *context, struct paths *ret)
{
	struct ssm_reply reply;
	int r = service_call(context->service, "AmazonSSM.GetParameter",
	        STR("{\"Name\":\"" PATHS_PARAMETER "\"}"), context->arena, &reply, NULL);
	if (r < 0)
		return;
	str rest = value_get_str(value_get(reply.value, STR("Parameter")), STR("Value"));
	ret->is_deep = true;
	while (rest.n > 0 && ret->n < PATHS_MAX) {
		str path = rest, tail = { NULL, 0 }, copy;
		(void)str_split_first(rest, ',', &path, &tail);
		rest = tail;
		path = str_trim(path);
		/* Absolute paths only; anything else, such as NO_PATHS_DEFINED, names none. */
		if (path.n > 1 && path.p[0] == '/' && path.n < 4096 &&
		        arena_copy(context->arena, path, &copy) == 0 && strlen(copy.p) == copy.n)
			ret->items[ret->n++] = copy.p;
	}
}

/* ---- PutInventory ---- */

/* One item; `content` empty: its hash alone. */
static int put(struct step_context *context, const char *type, const char *version,
        const char *captured, str content, bool with_content, struct ssm_reply *reply,
        struct err *err)
{
	autobuf body = BUF(WALKER_ROWS_BYTES + 4096);
	char hash[SHA256_HEX_SIZE];
	hash_sha256_hex(content, hash);
	buf_printf(&body,
	        "{\"InstanceId\":\"%s\",\"Items\":[{\"TypeName\":\"%s\",\"SchemaVersion\":\"%s\","
	        "\"CaptureTime\":\"%s\",\"ContentHash\":\"%s\"",
	        context->service->instance, type, version, captured, hash);
	if (with_content) {
		buf_add(&body, STR(",\"Content\":"));
		buf_add(&body, content);
	}
	buf_add(&body, STR("}]}"));
	if (buf_failed(&body))
		return err_set(err, -ERR_LIMIT, "%s is larger than the service takes", type);
	return service_call(context->service, "AmazonSSM.PutInventory", buf_str(&body),
	        context->arena, reply, err);
}

static void put_item(struct step_context *context, const char *type, const char *version,
        const char *captured, str content, struct step_result *ret)
{
	struct ssm_reply reply = { .error = { NULL, 0 } };
	struct err err = { 0 };
	int r = put(context, type, version, captured, content, false, &reply, &err);
	bool is_wanted = r == -EREMOTEIO &&
	                 (str_eq(reply.error, STR("InvalidItemContentException")) ||
	                         str_eq(reply.error, STR("ItemContentMismatchException")));
	if (is_wanted)
		r = put(context, type, version, captured, content, true, &reply, &err);
	if (r < 0)
		buf_printf(&ret->err, "%s\n", err.text);
	else
		buf_printf(&ret->out, "%s: %s\n", type, is_wanted ? "sent" : "unchanged");
}

static void put_instance(
        struct step_context *context, const char *captured, struct step_result *ret)
{
	autobuf text = BUF(8192);
	struct json_writer w = JSON_WRITER(&text, false);
	struct platform platform;
	if (platform_read(context->config->root, context->arena, &platform, NULL) < 0)
		return;
	json_write_array(&w);
	json_write_object(&w);
	json_write_member_str(&w, "AgentType", STR("sonde"));
	json_write_member_str(&w, "AgentVersion", STR(SONDE_VERSION));
	json_write_member_str(&w, "InstanceId", str_from_c(context->service->instance));
	json_write_member_str(&w, "InstanceStatus", STR("Active"));
	json_write_member_str(&w, "ResourceType", STR("ManagedInstance"));
	platform_write(&platform, "IpAddress", &w);
	json_write_object_end(&w);
	json_write_array_end(&w);
	if (!buf_failed(&text))
		put_item(context, "AWS:InstanceInformation", "1.0", captured, buf_str(&text), ret);
}

static void put_applications(struct step_context *context, const struct walker_result *found,
        const char *captured, struct step_result *ret)
{
	autobuf text = BUF(WALKER_ROWS_BYTES);
	if (found->rows_bytes == 0) {
		buf_add(&ret->out, STR("AWS:Application: more packages than the type takes\n"));
		return;
	}
	char *to = buf_reserve(&text, (size_t)found->rows_bytes);
	if (!to ||
	        pread(found->rows, to, (size_t)found->rows_bytes, 0) != (ssize_t)found->rows_bytes)
		return;
	put_item(context, "AWS:Application", "1.1", captured,
	        (str){ to, (size_t)found->rows_bytes }, ret);
}

/* ---- all of it ---- */

/* Returns: true when AWS:Application may follow */
static bool send_whole(
        struct step_context *context, const struct upload *upload, struct step_result *ret)
{
	struct err err = { 0 };
	bool is_sent = false;
	int r = upload_send(context->service, upload, &is_sent, &err);
	if (r == 0) {
		spool_drop_inventory(context->state);
		buf_printf(
		        &ret->out, "Custom:SondeInventory: %s\n", is_sent ? "sent" : "unchanged");
		return true;
	}
	if (r == -EOPNOTSUPP)
		return true;
	buf_printf(&ret->err, "%s\n", err.text);
	if (r == -EREMOTEIO || r == -ERR_LIMIT) {
		step_fail(ret, "The service refuses the inventory.");
		return false;
	}
	if (spool_keep_inventory(context->state, upload, &err) < 0)
		step_fail(ret, "%s", err.text);
	else
		buf_add(&ret->out, STR("Custom:SondeInventory: kept, to be sent later\n"));
	return false;
}

static void report(
        struct step_context *context, const struct walker_result *found, struct step_result *ret)
{
	struct upload upload = {
		.fd = found->packed, .packed_bytes = found->packed_bytes, .bytes = found->bytes
	};
	autobuf captured = BUF(sizeof(upload.captured) - 1);
	timestamp_add_iso(&captured, (int64_t)time(NULL) * 1000);
	memcpy(upload.captured, captured.p, captured.n);
	memcpy(upload.sha256, found->sha256, sizeof(upload.sha256));
	buf_printf(&ret->out, "packages=%llu unreadable=%llu\n",
	        (unsigned long long)found->n_packages, (unsigned long long)found->n_failures);
	bool may_follow = send_whole(context, &upload, ret);
	put_instance(context, upload.captured, ret);
	if (may_follow)
		put_applications(context, found, upload.captured, ret);
}

static void run(struct step_context *context, const struct value *inputs, struct step_result *ret)
{
	struct walker_result found = { .packed = -1, .rows = -1 };
	struct paths paths = { 0 };
	struct err err = { 0 };

	if (str_eq_nocase(value_get_str(inputs, STR("applications")), STR("Disabled"))) {
		buf_add(&ret->out, STR("Packages are not asked for.\n"));
		return;
	}
	read_paths(context, &paths);
	const struct walker_options options = { .root = context->config->root,
		.more_paths = paths.items,
		.n_more_paths = paths.n,
		.timeout_s = context->config->timeout_s,
		.cpu_pct = context->config->cpu_pct,
		.has_languages = paths.is_deep };
	int r = walker_run(&options, context->service, step_is_cancelled, context, &found, &err);
	if (r == -ECANCELED)
		ret->status = STEP_CANCELLED;
	else if (r < 0)
		step_fail(ret, "%s", err.text);
	else
		report(context, &found, ret);
	walker_result_fini(&found);
}

const struct step_action step_inventory = { .action = "aws:softwareInventory", .run = run };
