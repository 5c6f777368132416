/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "agent/identity.h"
#include "agent/state.h"
#include "base/cleanup.h"
#include "base/fs.h"

struct place {
	char base[64], path[80];
};

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	if (!place)
		return -1;
	(void)snprintf(place->base, sizeof(place->base), "/tmp/sonde-state-XXXXXX");
	if (!mkdtemp(place->base))
		return -1;
	(void)snprintf(place->path, sizeof(place->path), "%s/state", place->base);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;
	int r = fs_remove_tree(AT_FDCWD, place->base);
	free(place);
	return r;
}

static void write_file(const char *folder, const char *name, const char *text)
{
	struct err err = { 0 };
	autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(fs_replace(dir, name, str_from_c(text), 0644, &err), 0);
}

static void test_state__folder_and_files_are_for_their_owner(void **ctx)
{
	const struct place *place = *ctx;
	struct state state;
	struct stat st;
	struct err err = { 0 };
	assert_int_equal(state_open(place->path, &state, &err), 0);
	assert_int_equal(state_write(&state, "key.pem", STR("secret"), &err), 0);
	assert_int_equal(fstat(state.dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(fstatat(state.dir, "key.pem", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state_close(&state);
}

static void test_state__one_agent_at_a_time(void **ctx)
{
	const struct place *place = *ctx;
	struct state state, second;
	struct err err = { 0 };
	assert_int_equal(state_open(place->path, &state, &err), 0);
	assert_int_equal(state_open(place->path, &second, &err), -EBUSY);
	assert_int_equal(state_destroy(place->path, &err), -EBUSY);
	state_close(&state);
	assert_int_equal(state_open(place->path, &second, &err), 0);
	state_close(&second);
}

static void test_state__a_folder_of_others_is_left_alone(void **ctx)
{
	const struct place *place = *ctx;
	struct state state;
	struct err err = { 0 };
	struct stat st;
	char path[128];
	assert_int_equal(mkdir(place->path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/notes", place->path);
	write_file(place->path, "notes", "mine");
	assert_int_equal(state_open(place->path, &state, &err), -ENOTEMPTY);
	assert_int_equal(state_destroy(place->path, &err), -EINVAL);
	assert_int_equal(stat(path, &st), 0);
}

static void test_state__uninstall_removes_everything(void **ctx)
{
	const struct place *place = *ctx;
	struct state state;
	struct stat st;
	struct err err = { 0 };
	assert_int_equal(state_destroy(place->path, &err), 0); /* nothing there */
	assert_int_equal(state_open(place->path, &state, &err), 0);
	assert_int_equal(state_write(&state, "registration.json", STR("{}"), &err), 0);
	assert_int_equal(state_write(&state, "key.pem", STR("x"), &err), 0);
	assert_int_equal(state_write(&state, ".key.pem.0123456789abcdef.new", STR("x"), &err), 0);
	state_close(&state);
	assert_int_equal(state_destroy(place->path, &err), 0);
	assert_int_equal(stat(place->path, &st), -1);
}

static void test_state__jobs_of_an_earlier_life_are_removed(void **ctx)
{
	const struct place *place = *ctx;
	struct state state;
	struct stat st;
	struct err err = { 0 };
	assert_int_equal(state_open(place->path, &state, &err), 0);
	assert_int_equal(mkdirat(state.dir, "jobs/left", 0700), 0);
	/* A key and a report that were being written. */
	assert_int_equal(state_write(&state, ".key.pem.0123456789abcdef.new", STR("x"), &err), 0);
	assert_int_equal(symlinkat("/etc/passwd", state.dir, "spool/.1-2.0123456789abcdef.new"), 0);
	state_close(&state);
	assert_int_equal(state_open(place->path, &state, &err), 0);
	assert_int_equal(fstatat(state.dir, "jobs/left", &st, 0), -1);
	assert_int_equal(fstatat(state.dir, ".key.pem.0123456789abcdef.new", &st, 0), -1);
	assert_int_equal(
	        fstatat(state.dir, "spool/.1-2.0123456789abcdef.new", &st, AT_SYMLINK_NOFOLLOW),
	        -1);
	assert_int_equal(fstatat(state.dir, "jobs", &st, 0), 0);
	state_close(&state);
}

static void write_id(const struct place *place, const char *name, const char *id, char ret[160])
{
	char path[200];
	struct err err = { 0 };
	(void)snprintf(ret, 160, "%s/%s", place->base, name);
	(void)snprintf(path, sizeof(path), "%s/etc", ret);
	assert_int_equal(fs_make_dirs(path, 0755, &err), 0);
	write_file(path, "machine-id", id);
}

static void test_identity__a_fingerprint_is_of_the_machine(void **ctx)
{
	const struct place *place = *ctx;
	char one[160], two[160], a[FINGERPRINT_SIZE], b[FINGERPRINT_SIZE];
	struct state state;
	struct err err = { 0 };
	write_id(place, "one", "0123456789abcdef0123456789abcdef\n", one);
	write_id(place, "two", "fedcba9876543210fedcba9876543210\n", two);
	assert_int_equal(state_open(place->path, &state, &err), 0);
	assert_int_equal(identity_fingerprint(one, &state, a, &err), 0);
	assert_int_equal(identity_fingerprint(one, &state, b, &err), 0);
	assert_string_equal(a, b);
	assert_int_equal(identity_fingerprint(two, &state, b, &err), 0);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 36);
	state_close(&state);
}

/* A state folder that was copied: without an activation the agent says so and asks nobody. */
static void test_identity__a_copied_state_takes_nothing_over(void **ctx)
{
	const struct place *place = *ctx;
	char one[160], two[160], a[FINGERPRINT_SIZE];
	struct state state;
	struct err err = { 0 };
	struct service service = { .region = "eu-west-1" };
	autobuf text = BUF(1000);
	write_id(place, "one", "0123456789abcdef0123456789abcdef\n", one);
	write_id(place, "two", "fedcba9876543210fedcba9876543210\n", two);
	assert_int_equal(state_open(place->path, &state, &err), 0);
	assert_int_equal(identity_fingerprint(one, &state, a, &err), 0);
	buf_printf(&text, "{\"InstanceId\":\"mi-0123456789abcdef0\",\"Fingerprint\":\"%s\"}", a);
	assert_int_equal(state_write(&state, "registration.json", buf_str(&text), &err), 0);
	struct agent_config config = { .server = "https://localhost", .root = one };
	assert_int_equal(identity_open(&config, &state, &service, 1, &err), 0);
	assert_string_equal(service.instance, "mi-0123456789abcdef0");
	struct service other = { .region = "eu-west-1" };
	config.root = two;
	assert_int_equal(identity_open(&config, &state, &other, 1, &err), -EKEYREJECTED);
	assert_string_equal(other.instance, "");
	assert_non_null(strstr(err.text, "copied"));
	state_close(&state);
}

static void test_identity__credentials_are_due_at_half_of_their_life(void **ctx)
{
	(void)ctx;
	struct agent_config config = { 0 };
	struct service service = { .keys = {
		                           .key_id = "ASIA", .got_at = 1000, .expires_at = 4600 } };
	assert_false(identity_is_due(&config, &service, 1000));
	assert_false(identity_is_due(&config, &service, 2799));
	assert_true(identity_is_due(&config, &service, 2800));
	assert_true(identity_is_due(&config, &service, 999)); /* the clock was set back */
	service.keys.key_id[0] = '\0';
	assert_true(identity_is_due(&config, &service, 1000));
	config.key_id = "AKIA";
	assert_false(identity_is_due(&config, &service, 1000));
}

int main(void)
{
#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)
	const struct CMUnitTest tests[] = {
		IN_PLACE(test_state__folder_and_files_are_for_their_owner),
		IN_PLACE(test_state__one_agent_at_a_time),
		IN_PLACE(test_state__a_folder_of_others_is_left_alone),
		IN_PLACE(test_state__uninstall_removes_everything),
		IN_PLACE(test_state__jobs_of_an_earlier_life_are_removed),
		IN_PLACE(test_identity__a_fingerprint_is_of_the_machine),
		IN_PLACE(test_identity__a_copied_state_takes_nothing_over),
		cmocka_unit_test(test_identity__credentials_are_due_at_half_of_their_life),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
