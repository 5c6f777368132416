/* SPDX-License-Identifier: Apache-2.0 */
#include "bare.h"

#include <fcntl.h>

#include "base/fs.h"
#include "server/inside.h"
#include "server/inventory.h"
#include "server/upload.h"

static void tell(void *ctx, const char *text)
{
	(void)ctx, (void)text;
}

static void open_all(struct bare *bare)
{
	char path[128];
	struct err err = { 0 };
	struct server *server = &bare->server;
	server->inside = calloc(1, sizeof(*server->inside));
	assert_non_null(server->inside);
	locks_init(server->inside);
	assert_int_equal(crypto_new(&server->crypto, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/store", bare->folder);
	if (store_open(path, STORE_CREATE, &server->store, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(objects_open(server->store, &server->objects, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/spool", bare->folder);
	assert_int_equal(uploads_open(path, &server->uploads, &err), 0);
	(void)snprintf(path, sizeof(path), "%s/db", bare->folder);
	struct fleet_config config = {
		.store = server->store, .db_dir = path, .now_at = bare->now_at, .tell = tell
	};
	if (fleet_open(&config, &server->fleet, &err) < 0)
		fail_msg("%s", err.text);
}

static void close_all(struct bare *bare)
{
	struct server *server = &bare->server;
	uploads_close(server->uploads);
	fleet_close(server->fleet);
	objects_close(server->objects);
	store_close(server->store);
	crypto_free(server->crypto);
	locks_fini(server->inside);
	free(server->inside);
	bare->server = (struct server){ .store = NULL };
}

static struct caller add_host(struct bare *bare, const char *id)
{
	const bool is_ec2 = false;
	const enum host_state state = HOST_ACTIVE;
	struct host_change change = { .is_ec2 = &is_ec2, .state = &state };
	struct caller caller = {
		.role = ROLE_HOST, .account = BARE_ACCOUNT, .key_id = STR("key"), .arn = STR("arn")
	};
	struct err err = { 0 };
	(void)snprintf(caller.host_id, sizeof(caller.host_id), "%s", id);
	if (fleet_host_add(bare->server.fleet, BARE_ACCOUNT, id, &change, bare->now_at, NULL,
	            &caller.host_number, &err) < 0)
		fail_msg("%s", err.text);
	return caller;
}

int bare_setup(void **state)
{
	struct bare *bare = calloc(1, sizeof(*bare));
	assert_non_null(bare);
	(void)snprintf(bare->folder, sizeof(bare->folder), "/tmp/sonde-bare-XXXXXX");
	assert_non_null(mkdtemp(bare->folder));
	bare->now_at = BARE_NOW;
	bare->arena = ARENA((size_t)512 << 20);
	open_all(bare);
	bare->admin = (struct caller){ .role = ROLE_ADMIN,
		.account = BARE_ACCOUNT,
		.key_id = STR("admin"),
		.arn = STR("arn") };
	bare->reader = bare->admin;
	bare->reader.role = ROLE_READER;
	bare->host = add_host(bare, "00000000000000001");
	bare->other_host = add_host(bare, "00000000000000002");
	*state = bare;
	return 0;
}

int bare_teardown(void **state)
{
	struct bare *bare = *state;
	close_all(bare);
	arena_fini(&bare->arena);
	assert_int_equal(fs_remove_tree(AT_FDCWD, bare->folder), 0);
	free(bare);
	return 0;
}

void bare_reopen(struct bare *bare)
{
	close_all(bare);
	open_all(bare);
}

const struct value *bare_parse(struct bare *bare, const char *text)
{
	const struct value *value;
	struct err err = { 0 };
	if (value_from_json(str_from_c(text), &bare->arena, &value, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return value;
}

static void check_shape(struct bare *bare, const char *input, const struct value *in)
{
	struct shape_problems problems = SHAPE_PROBLEMS(&bare->arena);
	if (shape_validate(bare->operation.shape->input, in, &problems) == 0)
		return;
	fail_msg("%.200s: " STR_FMT ": " STR_FMT, input, STR_ARG(problems.items[0].path),
	        STR_ARG(problems.items[0].text));
}

/* "ErrorName: message {extra}" */
static void write_failure(const struct response *response, struct buf *out)
{
	struct json_writer w = JSON_WRITER(out, false);
	buf_printf(out, STR_FMT ": " STR_FMT " ", STR_ARG(response->error),
	        STR_ARG(response->message));
	if (response->extra)
		value_write_json(response->extra, &w);
}

const char *bare_call(struct bare *bare, const struct caller *caller, const char *service,
        const char *name, int (*handle)(struct request *, struct response *), const char *input)
{
	struct buf out = BUF((size_t)64 << 20);
	struct response *response = &bare->response;
	str text;
	bare->operation.shape = operation_find(str_from_c(service), str_from_c(name));
	assert_non_null(bare->operation.shape);
	struct request request = { .server = &bare->server,
		.operation = &bare->operation,
		.caller = *caller,
		.in = bare_parse(bare, input),
		.body = bare->body,
		.arena = &bare->arena,
		.region = STR("us-east-1"),
		.now_at = bare->now_at,
		.now_ms = bare->now_at * 1000 };
	check_shape(bare, input, request.in);
	*response = (struct response){ .arena = &bare->arena, .body = BUF((size_t)64 << 20) };
	response->json = JSON_WRITER(&response->body, false);
	json_write_object(&response->json);
	int r = handle(&request, response);
	if (response->is_failed) {
		assert_true(r < 0);
		write_failure(response, &out);
	} else {
		if (r < 0)
			fail_msg("%s: internal error %d", name, r);
		json_write_object_end(&response->json);
		buf_add(&out, buf_str(&response->body));
	}
	buf_add_byte(&out, '\0');
	assert_false(buf_failed(&out));
	assert_int_equal(arena_copy(&bare->arena, buf_str(&out), &text), 0);
	buf_fini(&out);
	buf_fini(&response->body);
	return text.p;
}

void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in: %.2000s", part, text);
}
