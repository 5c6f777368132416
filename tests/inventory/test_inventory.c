/* SPDX-License-Identifier: Apache-2.0 */
/* clang-format off: cmocka needs these first, in this order */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdlib.h>

#include "inventory/inventory.h"

static const char *selected(const char *dir, const char *name)
{
	size_t count;
	const struct reader *const *all = reader_all(&count);
	int tag = inventory_select(str_from_c(dir), str_from_c(name));
	assert_true(tag < (int)count);
	return tag < 0 ? "" : all[tag]->name;
}

static void test_inventory__readers_have_every_field(void **state)
{
	(void)state;
	size_t count;
	const struct reader *const *all = reader_all(&count);
	assert_true(count >= 4);
	for (size_t i = 0; i < count; i++) {
		assert_true(all[i]->name[0] && all[i]->title[0] && all[i]->source[0]);
		assert_true(all[i]->patterns && all[i]->siblings && all[i]->well_known);
		assert_true(all[i]->max_bytes > 0 && all[i]->read);
		for (const struct pattern *p = all[i]->patterns; !pattern_is_end(p); p++)
			assert_true(!all[i]->is_os || p->dir.p);
	}
}

static void test_inventory__select_knows_names_and_folders(void **state)
{
	(void)state;
	assert_string_equal(selected("/var/lib/dpkg", "status"), "deb");
	assert_string_equal(selected("/var/lib/dpkg/status.d", "tzdata"), "deb");
	assert_string_equal(selected("/var/lib/rpm", "rpmdb.sqlite"), "rpm");
	assert_string_equal(selected("/usr/lib/sysimage/rpm", "rpmdb.sqlite"), "rpm");
	assert_string_equal(selected("/usr/share/rpm", "Packages"), "rpm");
	assert_string_equal(selected("/var/lib/rpm", "Packages.db"), "rpm");
	assert_string_equal(selected("/opt/app/numpy-1.21.3.dist-info", "METADATA"), "pypi");
	assert_string_equal(selected("/opt/app/node_modules/lodash", "package.json"), "npm");
	assert_string_equal(selected("", "package.json"), "npm");
}

static void test_inventory__select_refuses_what_only_looks_alike(void **state)
{
	(void)state;
	assert_string_equal(selected("/var/lib/dpkg", "status-old"), "");
	assert_string_equal(selected("/var/lib/dpkg", "statu"), "");
	assert_string_equal(selected("/var/lib/dpkg", ""), "");
	assert_string_equal(selected("/srv/var/lib/dpkg", "status"), "");
	assert_string_equal(selected("/var/lib/dpkg2", "status"), "");
	assert_string_equal(selected("/var/lib/dpk", "status"), "");
	assert_string_equal(selected("", "status"), "");
	assert_string_equal(selected("/var/lib/rpm", "rpmdb.sqlite-wal"), "");
	assert_string_equal(selected("/opt/numpy-1.21.3.dist-info/sub", "METADATA"), "");
	assert_string_equal(selected("/opt/numpy-1.21.3.dist-inf", "METADATA"), "");
}

static bool is_foreign(const char *dir, const char *name)
{
	return inventory_is_foreign_database(str_from_c(dir), str_from_c(name));
}

static void test_inventory__database_of_another_root_is_foreign(void **state)
{
	(void)state;
	assert_true(is_foreign("/srv/jail/var/lib/dpkg", "status"));
	assert_true(is_foreign("/srv/jail/var/lib/dpkg/status.d", "tzdata"));
	assert_true(is_foreign("/mnt/var/lib/rpm", "rpmdb.sqlite"));
	assert_false(is_foreign("/var/lib/dpkg", "status"));
	assert_false(is_foreign("/var/lib/rpm", "Packages"));
	assert_false(is_foreign("/srv/jail/var/lib/dpkg", "status-old"));
	assert_false(is_foreign("/srv/app/node_modules/lodash", "package.json"));
	assert_false(is_foreign("", "status"));
}

static void test_inventory__metadata_is_what_language_readers_want(void **state)
{
	(void)state;
	assert_true(inventory_is_metadata(
	        STR("/usr/lib/python3/dist-packages/a-1.dist-info/METADATA")));
	assert_true(inventory_is_metadata(STR("/usr/share/nodejs/a/package.json")));
	assert_true(inventory_is_metadata(STR("/package.json")));
	assert_false(inventory_is_metadata(STR("/var/lib/dpkg/status")));
	assert_false(inventory_is_metadata(STR("/usr/bin/python3")));
	assert_false(inventory_is_metadata(STR("/usr/share/nodejs/a/")));
	assert_false(inventory_is_metadata(STR("/")));
	assert_false(inventory_is_metadata(STR("")));
}

static void test_inventory__reader_sees_its_siblings_only(void **state)
{
	static const char *const siblings[] = { "RECORD", "info/*.list", "*.sums", NULL };
	const struct reader reader = { .siblings = siblings };
	(void)state;
	assert_true(reader_may_see(&reader, STR("RECORD")));
	assert_true(reader_may_see(&reader, STR("info/zlib1g:amd64.list")));
	assert_true(reader_may_see(&reader, STR("a.sums")));
	assert_false(reader_may_see(&reader, STR("")));
	assert_false(reader_may_see(&reader, STR("RECORDS")));
	assert_false(reader_may_see(&reader, STR("record")));
	assert_false(reader_may_see(&reader, STR("info/.list")));
	assert_false(reader_may_see(&reader, STR("info/../../etc/shadow.list")));
	assert_false(reader_may_see(&reader, STR("other/a.list")));
	assert_false(reader_may_see(&reader, STR(".sums")));
	assert_false(reader_may_see(&reader, STR("../a.sums")));
	assert_false(reader_may_see(&reader, STR("a\0b.sums")));
}

/* A file of `have` bytes, whatever its artefact says; `broken` fails at that offset. */
struct fake {
	uint64_t have, broken;
};

static int64_t fake_read_at(const struct artefact *artefact, void *to, size_t n, uint64_t offset)
{
	const struct fake *fake = artefact->ctx;
	uint64_t left = offset < fake->have ? fake->have - offset : 0;
	if (offset >= fake->broken)
		return -EIO;
	size_t part = n < left ? n : (size_t)left;
	if (part > 7)
		part = 7;
	memset(to, 'x', part);
	return (int64_t)part;
}

static int fake_sibling(const struct artefact *artefact, str name, struct artefact *ret)
{
	(void)artefact, (void)name, (void)ret;
	return -ENOENT;
}

static void fake_close(struct artefact *artefact)
{
	artefact->ctx = NULL;
}

static int read_fake(struct fake fake, uint64_t size, size_t arena_bytes, uint64_t max,
        size_t *ret_n, struct err *err)
{
	static const struct artefact_ops ops = { fake_read_at, fake_sibling, fake_close };
	struct artefact artefact = { .size_bytes = size, .ops = &ops, .ctx = &fake };
	struct arena arena = ARENA(arena_bytes);
	str bytes = { NULL, 0 };
	int r = artefact_read_all(&artefact, &arena, max, &bytes, err);
	if (r == 0) {
		*ret_n = bytes.n;
		assert_int_equal(bytes.p[bytes.n], '\0');
	}
	arena_fini(&arena);
	return r;
}

static void test_inventory__read_all_takes_what_is_there(void **state)
{
	struct err err = { 0 };
	size_t n = 99;
	(void)state;
	assert_int_equal(read_fake((struct fake){ 100, 1000 }, 100, 1 << 20, 100, &n, &err), 0);
	assert_int_equal(n, 100);
	assert_int_equal(read_fake((struct fake){ 0, 1000 }, 0, 1 << 20, 100, &n, &err), 0);
	assert_int_equal(n, 0);
}

static void test_inventory__read_all_stands_a_changing_file(void **state)
{
	struct err err = { 0 };
	size_t n;
	(void)state;
	assert_int_equal(read_fake((struct fake){ 40, 1000 }, 100, 1 << 20, 100, &n, &err), 0);
	assert_int_equal(n, 40);
	assert_int_equal(read_fake((struct fake){ 400, 1000 }, 100, 1 << 20, 100, &n, &err), 0);
	assert_int_equal(n, 100);
}

static void test_inventory__read_all_fails_with_a_sentence(void **state)
{
	struct err err = { 0 };
	size_t n;
	(void)state;
	assert_int_equal(
	        read_fake((struct fake){ 101, 1000 }, 101, 1 << 20, 100, &n, &err), -ERR_LIMIT);
	assert_string_equal(err.text, "101 bytes, more than the 100 that are read");
	assert_int_equal(
	        read_fake((struct fake){ 101, 1000 }, 5000, 4096, 10000, &n, &err), -ERR_LIMIT);
	assert_string_equal(err.text, "5000 bytes are more than this job's memory");
	assert_int_equal(read_fake((struct fake){ 100, 70 }, 100, 1 << 20, 100, &n, &err), -EIO);
	assert_string_equal(err.text, "cannot read at byte 70: Input/output error");
	assert_int_equal(read_fake((struct fake){ 1, 1 }, UINT64_MAX, 4096, UINT64_MAX, &n, &err),
	        -ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inventory__readers_have_every_field),
		cmocka_unit_test(test_inventory__select_knows_names_and_folders),
		cmocka_unit_test(test_inventory__select_refuses_what_only_looks_alike),
		cmocka_unit_test(test_inventory__database_of_another_root_is_foreign),
		cmocka_unit_test(test_inventory__metadata_is_what_language_readers_want),
		cmocka_unit_test(test_inventory__reader_sees_its_siblings_only),
		cmocka_unit_test(test_inventory__read_all_takes_what_is_there),
		cmocka_unit_test(test_inventory__read_all_stands_a_changing_file),
		cmocka_unit_test(test_inventory__read_all_fails_with_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
