/* SPDX-License-Identifier: Apache-2.0 */
#include "scene.h"

#include "fleet/element.h"

static struct element sample(void)
{
	return (struct element){
		.package = {
			.type = STR("pypi"),
			.name = STR("numpy"),
			.version = STR("1.21.3"),
			.owner = STR("deb python3-numpy 1"),
			.module = STR("a:b"),
		},
		.is_owner_known = true,
		.owner_vendor = STR("Someone"),
		.os = { .os_id = STR("debian"), .os_version = STR("12") },
	};
}

static void test_element__reads_what_it_writes(void **state)
{
	(void)state;
	autobuf form = BUF(ELEMENT_MAX_BYTES), again = BUF(ELEMENT_MAX_BYTES);
	struct element element = sample(), read;
	element_write(&element, &form);
	assert_true(str_has_prefix(buf_str(&form), STR("v1:")));
	assert_int_equal(element_read(buf_str(&form), &read, NULL), 0);
	assert_true(read.is_owner_known);
	assert_true(str_eq(read.owner_vendor, STR("Someone")));
	assert_true(str_eq(read.os.os_version, STR("12")));
	element_write(&read, &again);
	assert_true(str_eq(buf_str(&form), buf_str(&again)));
	for (size_t n = 0; n < form.n; n++)
		assert_int_equal(element_read((str){ form.p, n }, &read, NULL), -ERR_FORMAT);
	form.p[1] = '2';
	assert_int_equal(element_read(buf_str(&form), &read, NULL), -ERR_UNSUPPORTED);
}

/* The form names sets and elements for ever: it must not change. */
static void test_element__keeps_its_form(void **state)
{
	(void)state;
	autobuf form = BUF(ELEMENT_MAX_BYTES);
	struct element element = sample();
	element_write(&element, &form);
	static const char want[] = "v1:\1\4\0pypi\5\0numpy\6\0001.21.3\0\0\0\0\0\0\3\0a:b\0\0"
	                           "\23\0deb python3-numpy 1\7\0Someone\6\0debian\2\00012\0\0";
	assert_int_equal(form.n, sizeof(want) - 1);
	assert_memory_equal(form.p, want, form.n);
}

static void test_dictionary__numbers_for_ever(void **state)
{
	struct scene *scene = *state;
	struct dictionary *dictionary;
	struct store_batch batch;
	struct element element = sample();
	element_id id, other, lost;
	vuln_id vuln;
	assert_int_equal(dictionary_open(scene->store, &dictionary, NULL), 0);
	store_batch_init(&batch, 0);
	assert_int_equal(dictionary_element(dictionary, &element, &batch, &id, NULL), 0);
	assert_int_equal(dictionary_vuln(dictionary, STR("CVE-1"), &batch, &vuln, NULL), 0);
	assert_int_equal(store_commit(scene->store, &batch, NULL), 0);
	assert_int_equal(batch.n, 2);
	dictionary_committed(dictionary, &batch, true);
	store_batch_fini(&batch);

	/* A batch that fails: the number is known, but not to the store. */
	store_batch_init(&batch, 0);
	element.package.version = STR("2");
	assert_int_equal(dictionary_element(dictionary, &element, &batch, &lost, NULL), 0);
	dictionary_committed(dictionary, &batch, false);
	store_batch_fini(&batch);
	assert_false(dictionary_element_is_durable(dictionary, lost));

	store_batch_init(&batch, 0);
	element.package.version = STR("3");
	assert_int_equal(dictionary_element(dictionary, &element, &batch, &other, NULL), 0);
	element.package.version = STR("1.21.3");
	assert_int_equal(dictionary_element(dictionary, &element, &batch, &id, NULL), 0);
	assert_int_equal(batch.n, 1);
	assert_int_equal(store_commit(scene->store, &batch, NULL), 0);
	dictionary_committed(dictionary, &batch, true);
	store_batch_fini(&batch);
	assert_int_equal(dictionary_element_at(dictionary, id)->os_class,
	        dictionary_element_at(dictionary, other)->os_class);
	dictionary_close(dictionary);

	assert_int_equal(dictionary_open(scene->store, &dictionary, NULL), 0);
	assert_int_equal(dictionary_element_find(dictionary, &element), id);
	assert_null(dictionary_element_at(dictionary, lost));
	assert_int_equal(dictionary_n_elements(dictionary), other);
	assert_true(str_eq(dictionary_vuln_name(dictionary, vuln), STR("CVE-1")));
	assert_int_equal(dictionary_vuln_find(dictionary, STR("CVE-1")), vuln);
	assert_int_equal(dictionary_vuln_find(dictionary, STR("CVE-2")), 0);
	dictionary_close(dictionary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_element__reads_what_it_writes),
		cmocka_unit_test(test_element__keeps_its_form),
		on_scene(test_dictionary__numbers_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
