/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "advisories.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"
#include "vulndb/format.h"
#include "vulndb/manifest.h"

#define KEV(cve)                                                                                   \
	"{\"catalogVersion\":\"1\",\"dateReleased\":\"2024-06-01T00:00:00Z\",\"vulnerabilities\":" \
	"[{"                                                                                       \
	"\"cveID\":\"" cve "\"}]}"

static int group_setup(void **state)
{
	struct err err = { 0 };
	if (scratch_setup(state) < 0)
		return -1;
	write_zip(in_scratch(state, "in/osv/PyPI/all.zip"), "A-1.json", OSV_PLAIN("A-1", "a"),
	        "A-2.json", OSV_PLAIN("A-2", "b"), NULL);
	write_file(in_scratch(state, "in/known_exploited_vulnerabilities.json"),
	        STR(KEV("CVE-2024-0001")));
	import_path(state, in_scratch(state, "in"), NULL);
	return vulndb_build(in_scratch(state, "store"), in_scratch(state, "db"), 1, NULL, &err);
}

/* A fresh copy of the database, with its stamp or without. */
static void copy_database(void **state, bool with_stamp)
{
	char command[512];
	(void)fs_remove_tree(AT_FDCWD, in_scratch(state, "copy"));
	(void)snprintf(command, sizeof(command), "cp -a '%s' '%s'", in_scratch(state, "db"),
	        in_scratch(state, "copy"));
	assert_int_equal(system(command), 0);
	if (!with_stamp)
		assert_int_equal(unlink(in_scratch(state, "copy/verified")), 0);
}

/* Everything the database can answer, as one text. Returns the first failure. */
static int answers(const char *dir, struct buf *out, struct err *err)
{
	struct vulndb *db = NULL;
	struct arena arena = ARENA((size_t)4 << 20);
	const struct advisory_affected *affected;
	const struct advisory *named;
	struct advisory one = { 0 };
	size_t n = 0;
	int r = vulndb_open(dir, &db, err);
	for (int i = 0; r >= 0 && i < 2; i++) {
		r = vulndb_affecting(
		        db, STR("PyPI"), i ? STR("a") : STR("b"), &arena, &affected, &n, err);
		for (size_t j = 0; r >= 0 && j < n; j++) {
			buf_add(out, affected[j].record);
			buf_add(out, affected[j].ranges[0].events[1].version);
		}
	}
	if (r >= 0)
		r = vulndb_naming(db, STR("A-2"), &arena, &named, &n, err);
	for (size_t j = 0; r >= 0 && j < n; j++)
		buf_add(out, named[j].title);
	if (r >= 0)
		r = vulndb_record(db, STR("osv/PyPI"), STR("A-1"), &arena, &one, err);
	if (r >= 0) {
		buf_add(out, one.details);
		r = vulndb_is_kev(db, STR("CVE-2024-0001"), err);
	}
	if (r >= 0) {
		buf_printf(out, "%d", r);
		buf_add(out, vulndb_digest(db));
		buf_add(out, vulndb_built_at(db));
	}
	if (r >= 0) {
		const struct vulndb_problem *problems = vulndb_problems(db, &n);
		r = n == 0 ? 0
		           : err_set(err, -ERR_FORMAT, STR_FMT ": " STR_FMT,
		                     STR_ARG(problems[0].source), STR_ARG(problems[0].text));
	}
	vulndb_close(db);
	arena_fini(&arena);
	return r < 0 ? r : 0;
}

static int count_problem(void **state, int expected)
{
	struct err err = { 0 };
	int r = vulndb_verify(in_scratch(state, "copy"), NULL, NULL, &err);
	assert_int_equal(r, expected);
	return r;
}

static void each_file(void **state, void (*damage)(void **state, const char *path, uint64_t bytes))
{
	struct dirent **names;
	int n = scandir(in_scratch(state, "db"), &names, NULL, alphasort);
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		struct stat st;
		char path[1400];
		(void)snprintf(
		        path, sizeof(path), "%s/%s", in_scratch(state, "db"), names[i]->d_name);
		bool is_file = stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
		               strcmp(names[i]->d_name, "verified") != 0;
		(void)snprintf(
		        path, sizeof(path), "%s/%s", in_scratch(state, "copy"), names[i]->d_name);
		if (is_file)
			damage(state, path, (uint64_t)st.st_size);
		free(names[i]);
	}
	free(names);
}

static void flip_everywhere(void **state, const char *path, uint64_t bytes)
{
	autobuf right = BUF(1 << 20);
	assert_int_equal(answers(in_scratch(state, "db"), &right, NULL), 0);
	copy_database(state, true);
	uint64_t step = bytes > 4096 ? 61 : 7;
	for (uint64_t at = 0; at < bytes; at += step) {
		autobuf now = BUF(1 << 20);
		struct err err = { 0 };
		flip_byte(path, at, (unsigned char)(1u << at % 8));
		int r = answers(in_scratch(state, "copy"), &now, &err);
		if (r != -ERR_FORMAT || err.text[0] == '\0')
			fail_msg("%s byte %llu: %d %s", path, (unsigned long long)at, r, err.text);
		flip_byte(path, at, (unsigned char)(1u << at % 8));
	}
	autobuf now = BUF(1 << 20);
	assert_int_equal(answers(in_scratch(state, "copy"), &now, NULL), 0);
	assert_true(str_eq(buf_str(&now), buf_str(&right)));
	flip_byte(path, bytes / 2, 1);
	(void)count_problem(state, -ERR_FORMAT);
}

static void test_verify__finds_every_flipped_byte(void **state)
{
	each_file(state, flip_everywhere);
}

static void truncate_everywhere(void **state, const char *path, uint64_t bytes)
{
	copy_database(state, true);
	for (uint64_t n = bytes; n-- > 0;) {
		autobuf now = BUF(1 << 20);
		struct err err = { 0 };
		if (n > 64 && n + 64 < bytes && n % 509 != 0)
			continue;
		assert_int_equal(truncate(path, (off_t)n), 0);
		assert_int_equal(answers(in_scratch(state, "copy"), &now, &err), -ERR_FORMAT);
		assert_true(err.text[0] != '\0');
	}
	(void)count_problem(state, -ERR_FORMAT);
	assert_int_equal(unlink(path), 0);
	autobuf now = BUF(1 << 20);
	int r = answers(in_scratch(state, "copy"), &now, NULL);
	assert_int_equal(r, strstr(path, MANIFEST_NAME) ? -ENOENT : -ERR_FORMAT);
}

static void test_verify__finds_every_truncation(void **state)
{
	each_file(state, truncate_everywhere);
}

/* The page and row checks stand on their own: damage a file, and make the manifest vouch for it. */
static void forge_everywhere(void **state, const char *path, uint64_t bytes)
{
	autobuf right = BUF(1 << 20);
	assert_int_equal(answers(in_scratch(state, "db"), &right, NULL), 0);
	if (!strstr(path, ".sqlite") && !strstr(path, ".filter"))
		return;
	for (uint64_t at = 0; at<bytes; at += bytes> 4096 ? 127 : 1) {
		autobuf text = BUF(1 << 20), now = BUF(1 << 20), file = BUF(1 << 20),
		        again = BUF(1 << 20);
		struct arena arena = ARENA((size_t)4 << 20);
		struct manifest manifest;
		struct err err = { 0 };
		char hex[SHA256_HEX_SIZE];
		copy_database(state, false);
		flip_byte(path, at, (unsigned char)(1u << at % 8));
		read_file(path, &file);
		hash_sha256_hex(buf_str(&file), hex);
		read_file(in_scratch(state, "copy/manifest.json"), &text);
		assert_int_equal(manifest_read(buf_str(&text), "m", &arena, &manifest, &err), 0);
		for (size_t i = 0; i < manifest.n_sources; i++) {
			if (strstr(path, ".sqlite") && str_eq(str_basename(str_from_c(path)),
			                                       manifest.sources[i].file.name))
				manifest.sources[i].file.sha256 = str_from_c(hex);
		}
		if (strstr(path, ".filter"))
			manifest.filter.sha256 = str_from_c(hex);
		manifest_write(&manifest, &again);
		write_file(in_scratch(state, "copy/manifest.json"), buf_str(&again));
		int r = answers(in_scratch(state, "copy"), &now, &err);
		if (r == 0) /* a byte that says nothing; the digest differs by design */
			assert_int_equal(now.n, right.n);
		else if (r != -ERR_FORMAT && r != -ERR_UNSUPPORTED && r != -ENOENT)
			fail_msg("%s byte %llu: %d %s", path, (unsigned long long)at, r, err.text);
		(void)vulndb_verify(in_scratch(state, "copy"), NULL, NULL, &err);
		arena_fini(&arena);
	}
}

static void test_verify__survives_damage_that_the_manifest_vouches_for(void **state)
{
	each_file(state, forge_everywhere);
}

static void test_verify__tells_of_every_file(void **state)
{
	struct err err = { 0 };
	copy_database(state, true);
	assert_int_equal(vulndb_verify(in_scratch(state, "copy"), NULL, NULL, &err), 0);
}

static void write_manifest(void **state, const char *format)
{
	autobuf text = BUF(1 << 20);
	char hex[SHA256_HEX_SIZE];
	buf_printf(&text, "{\n  \"format\": \"%s\",\n  \"new\": [],\n", format);
	hash_sha256_hex(buf_str(&text), hex);
	buf_printf(&text, "  \"digest\": \"%s\"\n}\n", hex);
	write_file(in_scratch(state, "copy/manifest.json"), buf_str(&text));
}

static void test_verify__tells_a_newer_manifest_from_a_foreign_one(void **state)
{
	struct vulndb *db = NULL;
	struct err err = { 0 };
	copy_database(state, true);
	write_manifest(state, "sonde.vulndb/3");
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "newer"));
	write_manifest(state, "sonde.vulndb/1");
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), -ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "made by an older program: build it again"));
	write_manifest(state, "sonde.vulndb/2");
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), -ERR_FORMAT);
	write_manifest(state, "other/1");
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "not the manifest"));
	write_file(in_scratch(state, "copy/manifest.json"), STR("{\"name\":\"a web app\"}"));
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "not the manifest"));
	write_file(in_scratch(state, "copy/manifest.json"), STR(""));
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), -ERR_FORMAT);
}

/* A manifest that is right about a database of another program, or of a newer version of this one.
 */
static void forge_database(void **state, const char *sql)
{
	autobuf text = BUF(1 << 20), again = BUF(1 << 20), file = BUF(1 << 20);
	struct arena arena = ARENA((size_t)4 << 20);
	struct manifest manifest;
	sqlite3 *db = NULL;
	char hex[SHA256_HEX_SIZE];
	const char *path = in_scratch(state, "copy/osv-Foreign-0123456789abcdef.sqlite");
	copy_database(state, false);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	read_file(path, &file);
	hash_sha256_hex(buf_str(&file), hex);
	read_file(in_scratch(state, "copy/manifest.json"), &text);
	assert_int_equal(manifest_read(buf_str(&text), "m", &arena, &manifest, NULL), 0);
	manifest.sources[1].file =
	        (struct manifest_file){ STR("osv-Foreign-0123456789abcdef.sqlite"), str_from_c(hex),
		        file.n };
	manifest_write(&manifest, &again);
	write_file(in_scratch(state, "copy/manifest.json"), buf_str(&again));
	arena_fini(&arena);
}

static void test_verify__names_a_foreign_or_newer_database(void **state)
{
	struct err err = { 0 };
	autobuf now = BUF(1 << 20);
	forge_database(state, "CREATE TABLE package(key, value); INSERT INTO package VALUES(1, 2)");
	assert_int_equal(answers(in_scratch(state, "copy"), &now, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "no database of this program"));
	forge_database(state,
	        "PRAGMA application_id = 1399739972; PRAGMA user_version = 3; CREATE TABLE t(a)");
	assert_int_equal(DB_APPLICATION, 1399739972);
	assert_int_equal(answers(in_scratch(state, "copy"), &now, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "newer"));
	forge_database(state,
	        "PRAGMA application_id = 1399739972; PRAGMA user_version = 1; CREATE TABLE t(a)");
	assert_int_equal(answers(in_scratch(state, "copy"), &now, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "made by an older program: build it again"));
	forge_database(state,
	        "PRAGMA application_id = 1399739972; PRAGMA user_version = 2;"
	        "CREATE TABLE record(n INTEGER PRIMARY KEY, value); CREATE TABLE detail(n, value);"
	        "CREATE TABLE name(key, value)");
	assert_int_equal(answers(in_scratch(state, "copy"), &now, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "it has no table \"package\": build it again"));
	forge_database(state,
	        "PRAGMA application_id = 1399739972; PRAGMA user_version = 2;"
	        "CREATE VIEW package AS SELECT 1 AS key, zeroblob(900000000) AS value");
	assert_int_equal(answers(in_scratch(state, "copy"), &now, &err), -ERR_FORMAT);
}

/* A stamp that vouches is believed; one that is wrong in any way only costs the hashing. */
static void test_verify__a_damaged_stamp_changes_nothing(void **state)
{
	autobuf right = BUF(1 << 20), stamp = BUF(1 << 20);
	assert_int_equal(answers(in_scratch(state, "db"), &right, NULL), 0);
	copy_database(state, true);
	char path[1400];
	(void)snprintf(path, sizeof(path), "%s", in_scratch(state, "copy/verified"));
	autobuf first = BUF(1 << 20);
	assert_int_equal(answers(in_scratch(state, "copy"), &first, NULL), 0);
	read_file(path, &stamp);
	for (size_t i = 0; i < stamp.n; i += 3) {
		autobuf now = BUF(1 << 20);
		flip_byte(path, i, 1);
		assert_int_equal(answers(in_scratch(state, "copy"), &now, NULL), 0);
		assert_true(str_eq(buf_str(&now), buf_str(&right)));
		write_file(path, buf_str(&stamp));
	}
}

static void test_verify__notices_a_file_replaced_while_open(void **state)
{
	struct vulndb *db = NULL;
	struct arena arena = ARENA((size_t)1 << 20);
	const struct advisory_affected *a;
	struct err err = { 0 };
	size_t n;
	char path[1400];
	copy_database(state, true);
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), 0);
	str file = vulndb_sources(db, &n)[1].file;
	(void)snprintf(path, sizeof(path), "%s/" STR_FMT, in_scratch(state, "copy"), STR_ARG(file));
	write_file(path, STR("something else"));
	assert_int_equal(vulndb_affecting(db, STR("PyPI"), STR("a"), &arena, &a, &n, &err), 0);
	assert_int_equal(n, 0);
	const struct vulndb_problem *problem = vulndb_problems(db, &n);
	assert_int_equal(n, 1);
	assert_true(str_eq(problem->source, STR("osv/PyPI")));
	assert_true(str_has_suffix(problem->text, STR("changed or removed since it was opened")));
	vulndb_close(db);
	arena_fini(&arena);
}

static void test_verify__opens_a_database_it_may_not_write(void **state)
{
	autobuf now = BUF(1 << 20);
	copy_database(state, false);
	assert_int_equal(unlink(in_scratch(state, "copy/.readers")), 0);
	assert_int_equal(chmod(in_scratch(state, "copy"), 0555), 0);
	assert_int_equal(answers(in_scratch(state, "copy"), &now, NULL), 0);
	assert_int_equal(chmod(in_scratch(state, "copy"), 0755), 0);
}

/* A FIFO would wait for ever, and a device never end. */
static void test_verify__refuses_what_is_no_regular_file(void **state)
{
	struct vulndb *db = NULL;
	struct err err = { 0 };
	copy_database(state, true);
	assert_int_equal(unlink(in_scratch(state, "copy/.readers")), 0);
	assert_int_equal(mkfifo(in_scratch(state, "copy/.readers"), 0600), 0);
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), 0);
	vulndb_close(db);
	assert_int_equal(unlink(in_scratch(state, "copy/manifest.json")), 0);
	assert_int_equal(mkfifo(in_scratch(state, "copy/manifest.json"), 0600), 0);
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), -ERR_FORMAT);
	assert_non_null(strstr(err.text, "not a regular file"));
	assert_int_equal(unlink(in_scratch(state, "copy/manifest.json")), 0);
	assert_int_equal(symlink("/dev/zero", in_scratch(state, "copy/manifest.json")), 0);
	assert_int_equal(vulndb_open(in_scratch(state, "copy"), &db, &err), -ERR_FORMAT);
	assert_int_equal(vulndb_verify(in_scratch(state, "copy"), NULL, NULL, &err), -ERR_FORMAT);
}

static void test_verify__believes_no_odd_file_name(void **state)
{
	(void)state;
	assert_true(manifest_is_data_file(STR("osv-Py.PI_+-0123456789abcdef.sqlite")));
	assert_true(manifest_is_data_file(STR("names-0123456789abcdef.filter")));
	assert_false(manifest_is_data_file(STR("osv\x1b[2J-0123456789abcdef.sqlite")));
	assert_false(manifest_is_data_file(STR("osv\n-0123456789abcdef.sqlite")));
	assert_false(manifest_is_data_file(STR("../osv-0123456789abcdef.sqlite")));
	assert_false(manifest_is_data_file(STR("osv\xc2\x9b-0123456789abcdef.sqlite")));
	assert_false(manifest_is_data_file(STR("osv b-0123456789abcdef.sqlite")));
}

/* A database of two ecosystems, of which the file of one is damaged. */
static struct vulndb *open_half(void **state, bool after_opening, bool is_filter)
{
	struct vulndb *db = NULL;
	struct err err = { 0 };
	char path[1400];
	size_t n;
	(void)fs_remove_tree(AT_FDCWD, in_scratch(state, "db2"));
	write_zip(
	        in_scratch(state, "in2/osv/PyPI/all.zip"), "A-1.json", OSV_PLAIN("A-1", "a"), NULL);
	write_zip(in_scratch(state, "in2/osv/npm/all.zip"), "B-1.json",
	        "{\"id\":\"B-1\",\"aliases\":[\"A-1\"],\"affected\":[{\"package\":{\"ecosystem\":"
	        "\"npm\",\"name\":\"b\"},\"versions\":[\"1\"]}]}",
	        NULL);
	const char *in = in_scratch(state, "in2/osv"), *store = in_scratch(state, "store2");
	assert_int_equal(feed_import(&in, 1, store, 1, NULL, &err), 0);
	assert_int_equal(vulndb_build(store, in_scratch(state, "db2"), 1, NULL, &err), 0);
	assert_int_equal(vulndb_open(in_scratch(state, "db2"), &db, &err), 0);
	str file = vulndb_sources(db, &n)[0].file;
	(void)snprintf(path, sizeof(path), "%s/" STR_FMT, in_scratch(state, "db2"), STR_ARG(file));
	if (is_filter) {
		struct dirent **names;
		int found = scandir(in_scratch(state, "db2"), &names, NULL, alphasort);
		for (int i = 0; i < found; i++) {
			if (str_has_suffix(str_from_c(names[i]->d_name), STR(".filter")))
				(void)snprintf(path, sizeof(path), "%s/%s",
				        in_scratch(state, "db2"), names[i]->d_name);
			free(names[i]);
		}
		free(names);
	}
	flip_byte(path, 40, 1);
	if (!after_opening) {
		vulndb_close(db);
		assert_int_equal(vulndb_open(in_scratch(state, "db2"), &db, &err), 0);
		assert_ptr_not_equal(vulndb_problems(db, &n), NULL);
		assert_int_equal(n, 1);
	}
	return db;
}

/* What the database says of npm is whole, and of PyPI nothing once the damage is known. */
static void expect_npm_only(struct vulndb *db)
{
	struct arena arena = ARENA((size_t)1 << 20);
	const struct advisory_affected *affected;
	const struct advisory *named;
	struct advisory one;
	struct err err = { 0 };
	size_t n;
	assert_int_equal(
	        vulndb_affecting(db, STR("PyPI"), STR("a"), &arena, &affected, &n, &err), 0);
	assert_int_equal(n, 0);
	assert_false(vulndb_covers(db, STR("PyPI")));
	assert_int_equal(
	        vulndb_affecting(db, STR("npm"), STR("b"), &arena, &affected, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_true(vulndb_covers(db, STR("npm")));
	assert_int_equal(vulndb_naming(db, STR("A-1"), &arena, &named, &n, &err), 0);
	assert_int_equal(n, 1);
	assert_true(str_eq(named[0].id, STR("B-1")));
	assert_int_equal(vulndb_record(db, STR("osv/npm"), STR("B-1"), &arena, &one, &err), 0);
	assert_int_equal(one.n_aliases, 1);
	assert_int_equal(vulndb_record(db, STR("osv/PyPI"), STR("A-1"), &arena, &one, &err), 0);
	assert_true(str_eq(one.id, STR("A-1")));
	assert_int_equal(one.title.n, 0);
	assert_int_equal(
	        vulndb_affected_by(db, STR("osv/PyPI"), STR("A-1"), &arena, &affected, &n, &err),
	        0);
	assert_int_equal(n, 0);
	const struct vulndb_problem *problems = vulndb_problems(db, &n);
	assert_int_equal(n, 1);
	assert_true(str_eq(problems[0].source, STR("osv/PyPI")));
	assert_non_null(memmem(problems[0].text.p, problems[0].text.n, "osv-PyPI-", 9));
	arena_fini(&arena);
	vulndb_close(db);
}

static void test_verify__damage_of_one_source_leaves_the_others(void **state)
{
	expect_npm_only(open_half(state, false, false));
	expect_npm_only(open_half(state, false, false)); /* the stamp vouches for no bad file */
	expect_npm_only(open_half(state, true, false));
}

static void test_verify__a_damaged_filter_costs_only_time(void **state)
{
	for (int after = 0; after < 2; after++) {
		struct vulndb *db = open_half(state, after, true);
		struct arena arena = ARENA((size_t)1 << 20);
		const struct advisory *named;
		const struct advisory_affected *affected;
		struct err err = { 0 };
		size_t n;
		assert_int_equal(vulndb_naming(db, STR("A-1"), &arena, &named, &n, &err), 0);
		assert_int_equal(n, 2);
		assert_int_equal(
		        vulndb_affecting(db, STR("PyPI"), STR("a"), &arena, &affected, &n, &err),
		        0);
		assert_int_equal(n, 1);
		const struct vulndb_problem *problems = vulndb_problems(db, &n);
		assert_int_equal(n, 1);
		assert_int_equal(problems[0].source.n, 0);
		assert_int_equal(
		        vulndb_verify(in_scratch(state, "db2"), NULL, NULL, &err), -ERR_FORMAT);
		vulndb_close(db);
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify__finds_every_flipped_byte),
		cmocka_unit_test(test_verify__finds_every_truncation),
		cmocka_unit_test(test_verify__survives_damage_that_the_manifest_vouches_for),
		cmocka_unit_test(test_verify__tells_of_every_file),
		cmocka_unit_test(test_verify__tells_a_newer_manifest_from_a_foreign_one),
		cmocka_unit_test(test_verify__names_a_foreign_or_newer_database),
		cmocka_unit_test(test_verify__a_damaged_stamp_changes_nothing),
		cmocka_unit_test(test_verify__notices_a_file_replaced_while_open),
		cmocka_unit_test(test_verify__opens_a_database_it_may_not_write),
		cmocka_unit_test(test_verify__refuses_what_is_no_regular_file),
		cmocka_unit_test(test_verify__believes_no_odd_file_name),
		cmocka_unit_test(test_verify__damage_of_one_source_leaves_the_others),
		cmocka_unit_test(test_verify__a_damaged_filter_costs_only_time),
	};
	return cmocka_run_group_tests(tests, group_setup, scratch_teardown);
}
