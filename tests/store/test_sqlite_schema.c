/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/sqlite.h"

static const struct migration history[] = {
	{ 1, "one", "CREATE TABLE one (a INTEGER) STRICT; INSERT INTO one VALUES (1);" },
	{ 2, "two", "CREATE TABLE two (a INTEGER) STRICT; INSERT INTO two SELECT a + 1 FROM one;" },
	{ 3, "three", "ALTER TABLE two ADD COLUMN b TEXT; UPDATE one SET a = 3;" },
};

static int migrate(void **state, const struct migration *list, size_t n, struct err *err)
{
	const char *path = in_scratch(state, SQLITE_FILE);
	sqlite3 *sql = NULL;
	autoclose int fd = fs_open_dir(in_scratch(state, "."), false, NULL);
	*err = (struct err){ 0 };
	int r = sqlite_connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &sql, err);
	if (r == 0)
		r = sqlite_migrate(sql, path, fd, list, n, true, err);
	sqlite_disconnect(sql);
	assert_true(r == 0 || strstr(err->text, SQLITE_FILE));
	return r;
}

static int64_t number(const char *path, const char *text)
{
	sqlite3 *sql = NULL;
	int64_t n = -1;
	assert_int_equal(sqlite_connect(path, SQLITE_OPEN_READWRITE, &sql, NULL), 0);
	(void)sqlite_number(sql, path, text, &n, NULL);
	sqlite_disconnect(sql);
	return n;
}

static void test_sqlite_schema__brings_an_earlier_file_up_to_date(void **state)
{
	const char *path = in_scratch(state, SQLITE_FILE);
	struct err err;
	assert_int_equal(migrate(state, history, 1, &err), 0);
	assert_int_equal(number(path, "SELECT count(*) FROM two"), -1);
	assert_int_equal(migrate(state, history, 3, &err), 0);
	assert_int_equal(number(path, "SELECT a FROM two"), 2);
	assert_int_equal(number(path, "SELECT a FROM one"), 3);
	assert_int_equal(number(path, "SELECT count(*) FROM migration"), 3);
	/* Again is nothing. */
	assert_int_equal(migrate(state, history, 3, &err), 0);
	assert_int_equal(number(path, "SELECT a FROM two"), 2);
}

static void test_sqlite_schema__keeps_a_copy_of_the_earlier_file(void **state)
{
	const char *copy = in_scratch(state, SQLITE_FILE ".schema-1");
	struct err err;
	assert_int_equal(migrate(state, history, 1, &err), 0);
	assert_int_equal(size_of(copy), -1);
	assert_int_equal(migrate(state, history, 3, &err), 0);
	assert_true(size_of(copy) > 0);
	assert_int_equal(number(copy, "SELECT a FROM one"), 1);
	assert_int_equal(number(copy, "SELECT count(*) FROM two"), -1);
	assert_int_equal(size_of(in_scratch(state, SQLITE_FILE ".schema-1.new")), -1);
}

static void test_sqlite_schema__refuses_a_newer_file(void **state)
{
	struct err err;
	assert_int_equal(migrate(state, history, 3, &err), 0);
	assert_int_equal(migrate(state, history, 2, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "newer program"));
}

static void test_sqlite_schema__refuses_another_history(void **state)
{
	struct migration other[3];
	struct err err;
	memcpy(other, history, sizeof(other));
	assert_int_equal(migrate(state, history, 2, &err), 0);
	other[0].text = "CREATE TABLE one (a INTEGER) STRICT; INSERT INTO one VALUES (1); ";
	assert_int_equal(migrate(state, other, 3, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "step 1 "));
	assert_int_equal(number(in_scratch(state, SQLITE_FILE), "SELECT a FROM one"), 1);
}

static void test_sqlite_schema__leaves_the_file_as_it_was_when_a_step_fails(void **state)
{
	struct migration other[3];
	struct err err;
	memcpy(other, history, sizeof(other));
	other[2].text = "UPDATE one SET a = 9; INSERT INTO nowhere VALUES (1);";
	assert_int_equal(migrate(state, history, 1, &err), 0);
	assert_true(migrate(state, other, 3, &err) < 0);
	const char *path = in_scratch(state, SQLITE_FILE);
	assert_int_equal(number(path, "SELECT count(*) FROM migration"), 2);
	assert_int_equal(number(path, "SELECT a FROM one"), 1);
	/* Mended, it goes on where it stood. */
	assert_int_equal(migrate(state, history, 3, &err), 0);
	assert_int_equal(number(path, "SELECT a FROM one"), 3);
}

static void die(sqlite3_context *ctx, int n, sqlite3_value **values)
{
	(void)ctx;
	(void)n;
	(void)values;
	(void)raise(SIGKILL);
}

/* A step that kills its process in the middle. */
static bool migrate_and_die(void *ctx)
{
	void **state = ctx;
	struct migration other[3];
	const char *path = in_scratch(state, SQLITE_FILE);
	sqlite3 *sql = NULL;
	autoclose int fd = fs_open_dir(in_scratch(state, "."), false, NULL);
	memcpy(other, history, sizeof(other));
	other[2].text = "UPDATE one SET a = 9; SELECT die();";
	CHECK(sqlite_connect(path, SQLITE_OPEN_READWRITE, &sql, NULL) == 0);
	CHECK(sqlite3_create_function(sql, "die", 0, SQLITE_UTF8, NULL, die, NULL, NULL) == 0);
	(void)sqlite_migrate(sql, path, fd, other, 3, true, NULL);
	CHECK(false);
}

static void test_sqlite_schema__goes_on_after_it_was_killed(void **state)
{
	const char *path = in_scratch(state, SQLITE_FILE);
	struct err err;
	assert_int_equal(migrate(state, history, 1, &err), 0);
	int status = run_in_child(migrate_and_die, state);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(number(path, "SELECT count(*) FROM migration"), 2);
	assert_int_equal(number(path, "SELECT a FROM one"), 1);
	assert_int_equal(migrate(state, history, 3, &err), 0);
	assert_int_equal(number(path, "SELECT a FROM one"), 3);
	assert_int_equal(number(path, "SELECT a FROM two"), 2);
}

static void test_sqlite_schema__refuses_somebody_elses_file(void **state)
{
	const char *path = in_scratch(state, SQLITE_FILE);
	sqlite3 *sql = NULL;
	struct err err;
	assert_int_equal(
	        sqlite_connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &sql, NULL), 0);
	assert_int_equal(sqlite_run(sql, path, "CREATE TABLE theirs (a)", NULL), 0);
	sqlite_disconnect(sql);
	assert_int_equal(migrate(state, history, 3, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "not a store"));
}

static void test_sqlite_schema__numbers_its_steps_without_a_gap(void **state)
{
	const struct migration *list;
	size_t n = sqlite_migrations(&list);
	(void)state;
	assert_true(n >= 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list[i].number, i + 1);
		assert_non_null(list[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		on_place(test_sqlite_schema__brings_an_earlier_file_up_to_date),
		on_place(test_sqlite_schema__keeps_a_copy_of_the_earlier_file),
		on_place(test_sqlite_schema__refuses_a_newer_file),
		on_place(test_sqlite_schema__refuses_another_history),
		on_place(test_sqlite_schema__leaves_the_file_as_it_was_when_a_step_fails),
		on_place(test_sqlite_schema__goes_on_after_it_was_killed),
		on_place(test_sqlite_schema__refuses_somebody_elses_file),
		on_place(test_sqlite_schema__numbers_its_steps_without_a_gap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
