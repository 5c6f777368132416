/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/recipe.h"

struct made {
	struct arena arena;
	struct recipe recipe;
	struct err err;
	int r;
};

static struct made make(const char *document, const char *values)
{
	struct made made = { .arena = ARENA((size_t)16 << 20) };
	const struct value *tree = NULL, *given = NULL;
	assert_int_equal(value_from_json(str_from_c(document), &made.arena, &tree, NULL), 0);
	if (values)
		assert_int_equal(value_from_json(str_from_c(values), &made.arena, &given, NULL), 0);
	made.r = recipe_make(tree, given, value_from_json, &made.arena, &made.recipe, &made.err);
	return made;
}

static void assert_str(str got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

#define HEAD                                                                                       \
	"{\"schemaVersion\":\"2.2\",\"parameters\":{"                                              \
	"\"text\":{\"type\":\"String\",\"default\":\"d\",\"allowedPattern\":\"^[a-z{} $]*$\"},"    \
	"\"list\":{\"type\":\"StringList\",\"default\":[\"a\",\"b\"]},"                            \
	"\"map\":{\"type\":\"StringMap\",\"default\":{}},"                                         \
	"\"one\":{\"type\":\"String\",\"allowedValues\":[\"x\",\"y\"],\"default\":\"x\"}},"        \
	"\"mainSteps\":[{\"name\":\"s\",\"action\":\"aws:runShellScript\","
#define TAIL "}]}"

static void test_recipe__a_whole_token_keeps_its_type(void **state)
{
	(void)state;
	struct made made =
	        make(HEAD "\"inputs\":{\"runCommand\":\"{{ list }}\",\"m\":\"{{map}}\"}" TAIL,
	                "{\"list\":[\"1\",\"2\",\"3\"],\"map\":{\"SSM_A\":\"b\"}}");
	assert_int_equal(made.r, 0);
	const struct value *inputs = made.recipe.steps[0].inputs;
	assert_int_equal(value_count(value_get(inputs, STR("runCommand"))), 3);
	assert_str(value_get_str(value_get(inputs, STR("m")), STR("SSM_A")), "b");
	arena_fini(&made.arena);
}

static void test_recipe__inside_a_text_a_value_is_text(void **state)
{
	(void)state;
	struct made made = make(HEAD "\"inputs\":{\"a\":\"<{{text}}|{{  list }}|{{\"}" TAIL,
	        "{\"text\":\"{{ one }}\"}");
	if (made.r < 0)
		fail_msg("%s", made.err.text);
	/* No recursion: what a value holds stays as it is. */
	assert_str(value_get_str(made.recipe.steps[0].inputs, STR("a")),
	        "<{{ one }}|[\"a\",\"b\"]|{{");
	arena_fini(&made.arena);
}

static void test_recipe__values_are_checked_on_the_host_too(void **state)
{
	(void)state;
	static const char *const bad[] = { "{\"text\":\"; rm\\n\"}", "{\"text\":\"UPPER\"}",
		"{\"one\":\"z\"}", "{\"stranger\":\"z\"}", "{\"text\":[\"a\",\"b\"]}" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct made made = make(HEAD "\"inputs\":{}" TAIL, bad[i]);
		assert_int_equal(made.r, -ERR_FORMAT);
		assert_true(made.err.text[0] != '\0');
		arena_fini(&made.arena);
	}
}

static void test_recipe__preconditions_skip_or_fail(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_skipped, has_fault;
	} cases[] = {
		{ "\"precondition\":{\"StringEquals\":[\"platformType\",\"Linux\"]},", false,
		        false },
		{ "\"precondition\":{\"StringEquals\":[\"linux\",\"platformType\"]},", false,
		        false },
		{ "\"precondition\":{\"StringEquals\":[\"platformType\",\"Windows\"]},", true,
		        false },
		{ "\"precondition\":{\"StringEquals\":[\"{{one}}\",\"x\"]},", false, false },
		{ "\"precondition\":{\"StringEquals\":[\"{{one}}\",\"y\"]},", true, false },
		{ "\"precondition\":{\"StringLike\":[\"a\",\"b\"]},", false, true },
		{ "\"precondition\":{\"StringEquals\":[\"a\",\"b\",\"c\"]},", false, true },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[2048];
		(void)snprintf(text, sizeof(text), HEAD "%s\"inputs\":{}" TAIL, cases[i].text);
		struct made made = make(text, NULL);
		/* The checker may refuse what is not understood before; else the step fails. */
		if (made.r == 0) {
			assert_int_equal(made.recipe.steps[0].is_skipped, cases[i].is_skipped);
			assert_int_equal(made.recipe.steps[0].fault.n > 0, cases[i].has_fault);
		} else {
			assert_true(cases[i].has_fault);
		}
		arena_fini(&made.arena);
	}
}

static void test_recipe__other_schemas_are_refused(void **state)
{
	(void)state;
	struct made made =
	        make("{\"schemaVersion\":\"1.2\",\"runtimeConfig\":{\"aws:runShellScript\":"
	             "{\"properties\":[]}}}",
	                NULL);
	assert_true(made.r < 0);
	arena_fini(&made.arena);
	made = make("{\"schemaVersion\":\"0.3\",\"mainSteps\":[]}", NULL);
	assert_true(made.r < 0);
	arena_fini(&made.arena);
}

static void test_recipe__texts_do_not_grow_without_end(void **state)
{
	(void)state;
	autobuf values = BUF((size_t)4 << 20);
	autobuf document = BUF((size_t)4 << 20);
	buf_add(&values, STR("{\"text\":\""));
	for (int i = 0; i < 30000; i++)
		buf_add_byte(&values, 'a');
	buf_add(&values, STR("\"}"));
	buf_add_byte(&values, '\0');
	buf_add(&document, STR(HEAD "\"inputs\":{\"a\":\""));
	for (int i = 0; i < 100; i++)
		buf_add(&document, STR("{{text}}"));
	buf_add(&document, STR("\"}" TAIL));
	buf_add_byte(&document, '\0');
	struct made made = make(document.p, values.p);
	assert_int_equal(made.r, -ERR_LIMIT);
	arena_fini(&made.arena);
}

static void test_recipe__parameters_of_the_store_are_refused(void **state)
{
	(void)state;
	struct made made = make(HEAD "\"inputs\":{\"a\":\"x {{ ssm:secret }}\"}" TAIL, NULL);
	assert_int_equal(made.r, -ERR_UNSUPPORTED);
	arena_fini(&made.arena);
}

static void test_recipe__on_failure_and_is_end_are_read(void **state)
{
	(void)state;
	struct made made =
	        make(HEAD "\"onFailure\":\"exit\",\"isEnd\":true,\"inputs\":{}" TAIL, NULL);
	assert_int_equal(made.r, 0);
	assert_true(made.recipe.steps[0].exits_on_failure && made.recipe.steps[0].is_end);
	assert_false(made.recipe.steps[0].forgives_failure);
	assert_null(made.recipe.trusted);
	arena_fini(&made.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipe__a_whole_token_keeps_its_type),
		cmocka_unit_test(test_recipe__inside_a_text_a_value_is_text),
		cmocka_unit_test(test_recipe__values_are_checked_on_the_host_too),
		cmocka_unit_test(test_recipe__preconditions_skip_or_fail),
		cmocka_unit_test(test_recipe__other_schemas_are_refused),
		cmocka_unit_test(test_recipe__texts_do_not_grow_without_end),
		cmocka_unit_test(test_recipe__parameters_of_the_store_are_refused),
		cmocka_unit_test(test_recipe__on_failure_and_is_end_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
