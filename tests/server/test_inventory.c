/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/inventory.h"

static void test_inventory__knows_the_types_of_aws(void **state)
{
	(void)state;
	const struct inventory_type *type = inventory_type_find(STR("AWS:Application"));
	size_t n;
	assert_non_null(type);
	assert_true(inventory_list_has(type->versions, STR("1.1")));
	assert_false(inventory_list_has(type->versions, STR("1.")));
	assert_false(inventory_list_has(type->versions, STR("2.0")));
	assert_true(inventory_list_has(type->attributes, STR("PackageId")));
	assert_null(inventory_type_find(STR("AWS:Applications")));
	assert_null(inventory_type_find(STR("Custom:SondeInventory")));
	const struct inventory_type *all = inventory_type_all(&n);
	assert_true(n >= 10);
	for (size_t i = 1; i < n; i++)
		assert_true(str_cmp(all[i - 1].name, all[i].name) < 0);
	for (size_t i = 0; i < n; i++) {
		str list = all[i].attributes, word;
		size_t words = 0;
		while (inventory_list_next(&list, &word))
			words++;
		assert_true(words > 0 && words <= INVENTORY_ATTRIBUTES_MAX);
	}
}

static void test_inventory__counts_only_types_that_an_account_made(void **state)
{
	(void)state;
	assert_true(custom_type_is_counted(STR("Custom:Racks")));
	assert_false(custom_type_is_counted(STR("Custom:InspectorThirdPartyPackage")));
	assert_false(custom_type_is_counted(STR("Custom:InspectorMetrics")));
	assert_false(custom_type_is_counted(STR("Custom:SondeInventory")));
	assert_false(custom_type_is_counted(STR("AWS:Application")));
}

/* ---- filters ---- */

static const struct value *parse(const char *text, struct arena *arena)
{
	const struct value *value;
	struct err err = { 0 };
	if (value_from_json(str_from_c(text), arena, &value, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return value;
}

static const char rack[] = "{\"Name\":\"web\",\"Height\":\"42\",\"Built\":\"2024-05-01\","
                           "\"Empty\":\"\",\"InstanceId\":\"mi-0123456789abcdef0\"}";

/* Does the row meet one filter of type Custom:Rack? */
static bool meets(const char *filter)
{
	struct arena arena = ARENA((size_t)1 << 20);
	struct inventory_filters filters;
	assert_int_equal(
	        inventory_filters_read(parse(filter, &arena), STR("Custom:Rack"), &filters), 0);
	bool is_met = inventory_row_meets(&filters, STR("Custom:Rack"), parse(rack, &arena));
	arena_fini(&arena);
	return is_met;
}

#define FILTER(key, type, values)                                                                  \
	"[{\"Key\":\"" key "\",\"Type\":\"" type "\",\"Values\":[" values "]}]"

static void test_inventory__filters_rows(void **state)
{
	(void)state;
	assert_true(meets("[{\"Key\":\"Name\",\"Values\":[\"web\"]}]"));
	assert_true(meets(FILTER("Custom:Rack.Name", "Equal", "\"db\",\"web\"")));
	assert_false(meets(FILTER("Name", "Equal", "\"we\"")));
	assert_false(meets(FILTER("Name", "Equal", "\"Web\"")));
	assert_false(meets(FILTER("Missing", "Equal", "\"\"")));
	assert_false(meets(FILTER("Name", "NotEqual", "\"db\",\"web\"")));
	assert_true(meets(FILTER("Name", "NotEqual", "\"db\",\"cache\"")));
	assert_false(meets(FILTER("Missing", "NotEqual", "\"db\"")));
	assert_true(meets(FILTER("Name", "BeginWith", "\"db\",\"w\"")));
	assert_false(meets(FILTER("Name", "BeginWith", "\"webb\"")));
	assert_true(meets(FILTER("Height", "LessThan", "\"100\"")));
	assert_false(meets(FILTER("Height", "LessThan", "\"42.0\"")));
	assert_true(meets(FILTER("Height", "GreaterThan", "\"9\"")));
	assert_true(meets(FILTER("Built", "GreaterThan", "\"2024-04-30\"")));
	assert_true(meets(FILTER("Built", "LessThan", "\"2024-05-02\"")));
	assert_true(meets(FILTER("Name", "Exists", "\"true\"")));
	assert_false(meets(FILTER("Empty", "Exists", "\"true\"")));
	assert_true(meets(FILTER("Missing", "Exists", "\"false\"")));
	assert_false(meets(FILTER("Name", "Exists", "\"false\"")));
	assert_true(meets(FILTER("InstanceId", "Equal", "\"i-0123456789abcdef0\"")));
	assert_false(meets(FILTER("InstanceId", "Equal", "\"i-0123456789abcdef1\"")));
}

static void test_inventory__wants_every_filter_of_a_type(void **state)
{
	(void)state;
	assert_true(
	        meets("[{\"Key\":\"Name\",\"Values\":[\"web\"]},{\"Key\":\"Height\",\"Values\":["
	              "\"42\"]}]"));
	assert_false(meets("[{\"Key\":\"Name\",\"Values\":[\"web\"]},{\"Key\":\"Height\","
	                   "\"Values\":[\"43\"]}]"));
}

static void test_inventory__refuses_keys_without_type_or_attribute(void **state)
{
	(void)state;
	static const struct {
		const char *key, *type;
		int r;
	} cases[] = {
		{ "AWS:Application.Name", "", 0 },
		{ "Custom:A.b.c", "", 0 },
		{ "Name", "AWS:Application", 0 },
		{ "Name", "", -ERR_FORMAT },
		{ "AWS:Application", "", -ERR_FORMAT },
		{ "AWS:Application.", "", -ERR_FORMAT },
		{ "AWS:Network.Name", "AWS:Application", -ERR_FORMAT },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena arena = ARENA((size_t)1 << 20);
		struct inventory_filters filters;
		str text;
		assert_int_equal(arena_printf(&arena, &text,
		                         "[{\"Key\":\"%s\",\"Values\":[\"x\"]}]", cases[i].key),
		        0);
		int r = inventory_filters_read(
		        parse(text.p, &arena), str_from_c(cases[i].type), &filters);
		if (r != cases[i].r)
			fail_msg("%s of %s: %d", cases[i].key, cases[i].type, r);
		arena_fini(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inventory__knows_the_types_of_aws),
		cmocka_unit_test(test_inventory__counts_only_types_that_an_account_made),
		cmocka_unit_test(test_inventory__filters_rows),
		cmocka_unit_test(test_inventory__wants_every_filter_of_a_type),
		cmocka_unit_test(test_inventory__refuses_keys_without_type_or_attribute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
