/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ssm/builtin_documents.h"
#include "ssm/document_check.h"

#define STEP "\"mainSteps\":[{\"action\":\"aws:runShellScript\",\"name\":\"s\",\"inputs\":{"
#define DOCUMENT(parameters, command)                                                              \
	"{\"schemaVersion\":\"2.2\",\"parameters\":{" parameters "}," STEP                         \
	"\"runCommand\":[\"" command "\"]}}]}"

static enum document_fault check(const char *content, const char *format)
{
	struct arena arena = ARENA((size_t)8 << 20);
	struct document_info info;
	struct err err = { 0 };
	enum document_fault fault = document_check(
	        str_from_c(content), STR("Command"), str_from_c(format), &arena, &info, &err);
	assert_int_equal(fault != DOCUMENT_FINE, err.text[0] != '\0');
	arena_fini(&arena);
	return fault;
}

static void test_document_check__takes_every_built_in_document(void **state)
{
	(void)state;
	size_t n = 0;
	const struct builtin_document *all = builtin_document_all(&n);
	assert_true(n >= 6);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(check(all[i].content, "JSON"), DOCUMENT_FINE);
		assert_ptr_equal(builtin_document_find(str_from_c(all[i].name)), &all[i]);
		if (i > 0)
			assert_true(
			        str_cmp(str_from_c(all[i - 1].name), str_from_c(all[i].name)) < 0);
	}
}

static void test_document_check__refuses_damaged_documents(void **state)
{
	(void)state;
	assert_int_equal(check("", "JSON"), DOCUMENT_CONTENT);
	assert_int_equal(check("[]", "JSON"), DOCUMENT_CONTENT);
	assert_int_equal(check("{\"schemaVersion\":\"2.3\"}", "JSON"), DOCUMENT_SCHEMA);
	assert_int_equal(check("{\"schemaVersion\":\"2.2\"}", "JSON"), DOCUMENT_CONTENT);
	assert_int_equal(
	        check("{\"schemaVersion\":\"2.2\",\"mainSteps\":[{\"name\":\"a\"}]}", "JSON"),
	        DOCUMENT_CONTENT);
	assert_int_equal(check(DOCUMENT("", "{{ x }}"), "JSON"), DOCUMENT_CONTENT);
	assert_int_equal(check(DOCUMENT("", "{{ssm:x}} {{.Id}} {{"), "JSON"), DOCUMENT_FINE);
	assert_int_equal(
	        check(DOCUMENT("\"x\":{\"type\":\"Text\"}", "a"), "JSON"), DOCUMENT_CONTENT);
	assert_int_equal(
	        check(DOCUMENT("\"x-y\":{\"type\":\"String\"}", "a"), "JSON"), DOCUMENT_CONTENT);
	assert_int_equal(
	        check(DOCUMENT("\"x\":{\"type\":\"String\",\"allowedPattern\":\"(\"}", "a"),
	                "JSON"),
	        DOCUMENT_CONTENT);
}

static void test_document_check__takes_the_older_schema(void **state)
{
	(void)state;
	assert_int_equal(
	        check("{\"schemaVersion\":\"1.2\",\"runtimeConfig\":{\"aws:runShellScript\":"
	              "{\"properties\":[]}}}",
	                "JSON"),
	        DOCUMENT_FINE);
	assert_int_equal(check("{\"schemaVersion\":\"1.2\",\"runtimeConfig\":{\"x\":{}}}", "JSON"),
	        DOCUMENT_CONTENT);
}

static void test_document_check__says_that_it_reads_no_yaml(void **state)
{
	(void)state;
	struct arena arena = ARENA((size_t)1 << 20);
	struct document_info info;
	struct err err = { 0 };
	assert_int_equal(document_check(STR("schemaVersion: '2.2'"), STR("Command"), STR("YAML"),
	                         &arena, &info, &err),
	        DOCUMENT_CONTENT);
	assert_non_null(strstr(err.text, "YAML"));
	arena_fini(&arena);
}

static const char typed[] = DOCUMENT(
        "\"s\":{\"type\":\"String\",\"allowedValues\":[\"a\",\"bc\"]},"
        "\"l\":{\"type\":\"StringList\",\"minItems\":1,\"maxItems\":2,\"default\":[\"x\"]},"
        "\"i\":{\"type\":\"Integer\",\"default\":1},\"b\":{\"type\":\"Boolean\",\"default\":true},"
        "\"m\":{\"type\":\"StringMap\",\"default\":{}},"
        "\"p\":{\"type\":\"String\",\"default\":\"12\",\"allowedPattern\":\"^[0-9]+$\","
        "\"minChars\":2,\"maxChars\":3}",
        "{{ s }}");

static int values(const char *text)
{
	struct arena arena = ARENA((size_t)8 << 20);
	struct document_info info = { 0 };
	const struct value *v = NULL;
	struct err err = { 0 };
	assert_int_equal(
	        document_check(str_from_c(typed), STR("Command"), STR("JSON"), &arena, &info, &err),
	        DOCUMENT_FINE);
	assert_int_equal(info.n_parameters, 6);
	assert_int_equal(value_from_json(str_from_c(text), &arena, &v, &err), 0);
	int r = document_check_values(&info, v, &arena, &err);
	arena_fini(&arena);
	return r;
}

static void test_document_check__holds_values_to_their_parameters(void **state)
{
	(void)state;
	assert_int_equal(values("{\"s\":[\"a\"]}"), 0);
	assert_int_equal(values("{}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"c\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\",\"a\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"other\":[\"a\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"l\":[\"1\",\"2\"]}"), 0);
	assert_int_equal(values("{\"s\":[\"a\"],\"l\":[\"1\",\"2\",\"3\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"l\":[]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"i\":[\"-7\"],\"b\":[\"True\"]}"), 0);
	assert_int_equal(values("{\"s\":[\"a\"],\"i\":[\"7x\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"b\":[\"yes\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"m\":[\"{\\\"k\\\":1}\"]}"), 0);
	assert_int_equal(values("{\"s\":[\"a\"],\"m\":[\"[]\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"p\":[\"123\"]}"), 0);
	assert_int_equal(values("{\"s\":[\"a\"],\"p\":[\"1\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"p\":[\"1234\"]}"), -ERR_FORMAT);
	assert_int_equal(values("{\"s\":[\"a\"],\"p\":[\"1a\"]}"), -ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document_check__takes_every_built_in_document),
		cmocka_unit_test(test_document_check__refuses_damaged_documents),
		cmocka_unit_test(test_document_check__takes_the_older_schema),
		cmocka_unit_test(test_document_check__says_that_it_reads_no_yaml),
		cmocka_unit_test(test_document_check__holds_values_to_their_parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
