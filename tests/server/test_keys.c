/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "front.h"

static int set_up(void **state)
{
	struct front *front = test_malloc(sizeof(*front));
	front_open(front);
	*state = front;
	return 0;
}

static int tear_down(void **state)
{
	front_close(*state);
	test_free(*state);
	return 0;
}

static void test_keys__a_secret_is_read_back(void **state)
{
	struct front *front = *state;
	struct access_key key;
	autobuf secret = BUF(256);
	front_reopen(front);
	assert_int_equal(
	        key_get(front->server, str_from_c(front->admin.id), &front->arena, &key), 0);
	assert_int_equal(key.account, FRONT_ACCOUNT);
	assert_int_equal(key.role, ROLE_ADMIN);
	assert_int_equal(key_secret(front->server, &key, &secret), 0);
	assert_true(str_eq(buf_str(&secret), str_from_c(front->admin.secret)));
}

static void test_keys__a_sealed_secret_is_of_its_id_only(void **state)
{
	struct front *front = *state;
	struct access_key key;
	autobuf secret = BUF(256);
	assert_int_equal(
	        key_get(front->server, str_from_c(front->admin.id), &front->arena, &key), 0);
	key.id = STR("AKIAAAAAAAAAAAAAAAAA");
	assert_int_equal(key_secret(front->server, &key, &secret), -EBADMSG);
	assert_int_equal(secret.n, 0);
}

/* What lies on the disk, log included. */
static void test_keys__no_secret_lies_in_the_store(void **state)
{
	struct front *front = *state;
	static const char *const files[] = { "store/sonde.sqlite", "store/sonde.sqlite-wal" };
	size_t n_read = 0;
	for (size_t i = 0; i < 2; i++) {
		char path[128];
		autobuf text = BUF((size_t)64 << 20);
		struct err err = { 0 };
		(void)snprintf(path, sizeof(path), "%s/%s", front->data, files[i]);
		if (fs_read(AT_FDCWD, path, &text, &err) < 0)
			continue;
		n_read++;
		assert_null(
		        memmem(text.p, text.n, front->admin.secret, strlen(front->admin.secret)));
	}
	assert_true(n_read > 0);
}

static void test_keys__that_is_revoked_is_gone(void **state)
{
	struct front *front = *state;
	struct access_key key;
	struct err err = { 0 };
	str id = str_from_c(front->admin.id);
	assert_int_equal(key_revoke(front->server, id, &err), 0);
	assert_int_equal(key_get(front->server, id, &front->arena, &key), -ENOENT);
	assert_int_equal(key_revoke(front->server, id, &err), -ENOENT);
	front_reopen(front);
	assert_int_equal(key_get(front->server, id, &front->arena, &key), -ENOENT);
}

static void test_keys__need_an_account(void **state)
{
	struct front *front = *state;
	struct err err = { 0 };
	struct access_key key = { .account = 5, .role = ROLE_READER };
	char id[KEY_ID_SIZE], secret[KEY_SECRET_SIZE];
	assert_int_equal(key_add(front->server, &key, 1, id, secret, &err), -ENOENT);
}

static void test_keys__a_list_has_all_of_them(void **state)
{
	struct front *front = *state;
	struct front_key reader, host;
	const struct access_key *keys;
	size_t n;
	front_key(front, FRONT_ACCOUNT, ROLE_READER, NULL, &reader);
	front_key(front, FRONT_ACCOUNT, ROLE_HOST, "i-0123456789abcdef0", &host);
	assert_int_equal(key_list(front->server, &front->arena, &keys, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 1; i < n; i++)
		assert_true(str_cmp(keys[i - 1].id, keys[i].id) < 0);
}

static void test_keys__a_session_is_what_its_token_says(void **state)
{
	struct front *front = *state;
	struct session session = { .role = ROLE_HOST,
		.account = FRONT_ACCOUNT,
		.expires_at = 77,
		.host_id = "0123456789abcdef0",
		.name = STR("role/name") };
	struct session got;
	struct session_keys keys, other;
	autobuf secret = BUF(256);
	assert_int_equal(session_make(front->server, &session, &front->arena, &keys), 0);
	assert_int_equal(session_make(front->server, &session, &front->arena, &other), 0);
	assert_false(str_eq(keys.id, other.id) || str_eq(keys.secret, other.secret));
	assert_int_equal(session_read(front->server, keys.id, keys.token, &front->arena, &got), 0);
	assert_int_equal(got.role, ROLE_HOST);
	assert_int_equal(got.account, FRONT_ACCOUNT);
	assert_int_equal(got.expires_at, 77);
	assert_string_equal(got.host_id, "0123456789abcdef0");
	assert_true(str_eq(got.name, STR("role/name")) && got.parent.n == 0);
	assert_int_equal(session_secret(front->server, keys.token, &secret), 0);
	assert_true(str_eq(buf_str(&secret), keys.secret));
	/* A token belongs to its id. */
	assert_int_equal(session_read(front->server, other.id, keys.token, &front->arena, &got),
	        -ERR_FORMAT);
}

static void test_keys__a_session_token_that_was_altered_is_none(void **state)
{
	struct front *front = *state;
	struct session session = { .role = ROLE_READER, .account = 1, .expires_at = 1 }, got;
	struct session_keys keys;
	char altered[1024];
	assert_int_equal(session_make(front->server, &session, &front->arena, &keys), 0);
	for (size_t i = 0; i < keys.token.n; i++) {
		memcpy(altered, keys.token.p, keys.token.n);
		altered[i] = altered[i] == 'A' ? 'B' : 'A';
		assert_int_equal(session_read(front->server, keys.id,
		                         (str){ altered, keys.token.n }, &front->arena, &got),
		        -ERR_FORMAT);
	}
	assert_int_equal(
	        session_read(front->server, keys.id, STR(""), &front->arena, &got), -ERR_FORMAT);
}

static void test_keys__an_identity_is_read_back(void **state)
{
	struct front *front = *state;
	struct err err = { 0 };
	struct object_change change;
	struct host_identity identity = { .id = "0123456789abcdef0",
		.account = FRONT_ACCOUNT,
		.public_key = STR("key"),
		.fingerprint = STR("print"),
		.role = STR("role"),
		.registered_at = 7,
		.must_rotate = true };
	assert_int_equal(host_identity_change(&identity, &front->arena, &change), 0);
	assert_int_equal(objects_change(front->server->objects, &change, 1, NULL, &err), 0);
	struct host_identity got;
	assert_int_equal(host_identity_get(front->server, FRONT_ACCOUNT, STR("0123456789abcdef0"),
	                         &front->arena, &got),
	        0);
	assert_true(
	        str_eq(got.public_key, STR("key")) && got.must_rotate && got.registered_at == 7);
	assert_int_equal(
	        host_identity_get(front->server, 5, STR("0123456789abcdef0"), &front->arena, &got),
	        -ENOENT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_keys__a_secret_is_read_back),
		CASE(test_keys__a_sealed_secret_is_of_its_id_only),
		CASE(test_keys__no_secret_lies_in_the_store),
		CASE(test_keys__that_is_revoked_is_gone),
		CASE(test_keys__need_an_account),
		CASE(test_keys__a_list_has_all_of_them),
		CASE(test_keys__a_session_is_what_its_token_says),
		CASE(test_keys__a_session_token_that_was_altered_is_none),
		CASE(test_keys__an_identity_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
