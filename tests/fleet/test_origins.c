/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "fleet/origins.h"
#include "scene.h"

/* A dictionary and what was told. */
struct told {
	struct dictionary *dictionary;
	struct store_batch batch;
	struct origins origins;
};

static void begin(struct told *told, struct scene *scene)
{
	struct err err = { 0 };
	assert_int_equal(dictionary_open(scene->store, &told->dictionary, &err), 0);
	store_batch_init(&told->batch, 0);
	origins_init(&told->origins);
}

static void end(struct told *told)
{
	origins_fini(&told->origins);
	store_batch_fini(&told->batch);
	dictionary_close(told->dictionary);
}

static struct element deb(const char *name, const char *version)
{
	return (struct element){
		.package = { .type = STR("deb"),
		        .name = str_from_c(name),
		        .version = str_from_c(version) },
		.os = { .os_id = STR("debian"), .os_version = STR("12") },
	};
}

static void tell(struct told *told, const char *name, const char *version, const char *source,
        const char *source_version)
{
	struct err err = { 0 };
	element_id id;
	struct element element = deb(name, version);
	element.package.source_name = str_from_c(source);
	element.package.source_version = str_from_c(source_version);
	assert_int_equal(
	        dictionary_element(told->dictionary, &element, &told->batch, &id, &err), 0);
	origins_learn(&told->origins, told->dictionary, &id, 1, true);
}

/* Ask, and demand one answer: source and version of it, or "" as they are where they are equal. */
static void demand(struct told *told, const char *name, const char *version, const char *source,
        const char *source_version)
{
	struct element made[ORIGINS_MAX];
	const struct element element = deb(name, version);
	assert_int_equal(origins_find(&told->origins, told->dictionary, &element, made), 1);
	assert_true(str_eq(made[0].package.name, str_from_c(name)));
	assert_true(str_eq(made[0].package.version, str_from_c(version)));
	assert_true(str_eq(made[0].package.source_name, str_from_c(source)));
	assert_true(str_eq(made[0].package.source_version, str_from_c(source_version)));
}

static void demand_none(struct told *told, const char *name, const char *version)
{
	struct element made[ORIGINS_MAX];
	const struct element element = deb(name, version);
	assert_int_equal(origins_find(&told->origins, told->dictionary, &element, made), 0);
}

static void test_origins__keep_the_version_but_for_a_rebuild(void **state)
{
	struct told told;
	begin(&told, *state);
	demand_none(&told, "libssl3", "3.0.11-1");
	tell(&told, "libssl3", "3.0.9-1", "openssl", "");
	demand(&told, "libssl3", "3.0.11-1", "openssl", "");
	demand(&told, "libssl3", "3.0.11-1+b2", "openssl", "3.0.11-1");
	tell(&told, "libfoo1", "1.0-1+b3", "foo", "1.0-1");
	demand(&told, "libfoo1", "1.0-2", "foo", "");
	tell(&told, "bash", "5.2-1", "", "");
	demand(&told, "bash", "5.2-2", "", "");
	demand(&told, "bash", "5.2-2+b1", "", "5.2-2");
	demand_none(&told, "libssl1.1", "3.0.11-1");
	end(&told);
}

static void test_origins__of_another_version_count_in_that_version_only(void **state)
{
	struct told told;
	begin(&told, *state);
	tell(&told, "gcc", "4:12.2.0-3", "gcc-defaults", "1.203");
	tell(&told, "gcc", "4:12.2.0-4", "gcc-defaults", "1.204");
	demand(&told, "gcc", "4:12.2.0-3", "gcc-defaults", "1.203");
	demand(&told, "gcc", "4:12.2.0-4", "gcc-defaults", "1.204");
	demand_none(&told, "gcc", "4:12.2.0-5");
	end(&told);
}

static void test_origins__are_bounded_for_each_package(void **state)
{
	struct told told;
	struct element made[ORIGINS_MAX];
	begin(&told, *state);
	tell(&told, "libssl3", "3.0.9-1", "openssl", "");
	for (int i = 0; i < 1000; i++) {
		char source[32];
		(void)snprintf(source, sizeof(source), "source%d", i);
		tell(&told, "libssl3", "3.0.9-1", source, "");
		tell(&told, "libssl3", "3.0.9-1", source, "1");
	}
	assert_int_equal(origins_count(&told.origins), 2 * ORIGINS_MAX);
	const struct element element = deb("libssl3", "3.0.11-1");
	assert_int_equal(origins_find(&told.origins, told.dictionary, &element, made), ORIGINS_MAX);
	assert_true(str_eq(made[0].package.source_name, STR("openssl")));
	end(&told);
}

static void test_origins__learn_nothing_of_what_has_no_source(void **state)
{
	struct told told;
	struct err err = { 0 };
	element_id ids[3];
	begin(&told, *state);
	struct element elements[3] = { deb("bash", "5.2-1"), deb("dash", "1"), deb("zsh", "1") };
	elements[1].package.type = STR("rpm");
	elements[2].os.os_version = STR("");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(dictionary_element(
		                         told.dictionary, &elements[i], &told.batch, &ids[i], &err),
		        0);
	origins_learn(&told.origins, told.dictionary, ids, 1, false);
	origins_learn(&told.origins, told.dictionary, ids + 1, 2, true);
	assert_int_equal(origins_count(&told.origins), 0);
	end(&told);
}

static void test_origins__hold_many(void **state)
{
	struct told told;
	begin(&told, *state);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3000; i++) {
			char name[32];
			(void)snprintf(name, sizeof(name), "package%d", i);
			if (round == 0)
				tell(&told, name, "1-1", "source", "");
			else
				demand(&told, name, "2-1", "source", "");
		}
	}
	assert_int_equal(origins_count(&told.origins), 3000);
	end(&told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_scene(test_origins__keep_the_version_but_for_a_rebuild),
		on_scene(test_origins__of_another_version_count_in_that_version_only),
		on_scene(test_origins__are_bounded_for_each_package),
		on_scene(test_origins__learn_nothing_of_what_has_no_source),
		on_scene(test_origins__hold_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
