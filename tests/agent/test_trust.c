/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/trust.h"
#include "ssm/builtin_documents.h"

static const char *find(str text)
{
	struct arena arena = ARENA((size_t)4 << 20);
	const struct value *v = NULL;
	char hex[SHA256_HEX_SIZE];
	assert_int_equal(value_from_json(text, &arena, &v, NULL), 0);
	assert_int_equal(trust_digest(v, hex), 0);
	const char *name = trust_find(hex);
	arena_fini(&arena);
	return name;
}

static void test_trust__four_documents_came_with_the_agent(void **state)
{
	(void)state;
	size_t n = 0, n_trusted = 0;
	const struct builtin_document *all = builtin_document_all(&n);
	for (size_t i = 0; i < n; i++) {
		const char *name = find(str_from_c(all[i].content));
		bool runs_anything = strcmp(all[i].name, "AWS-RunShellScript") == 0 ||
		                     strcmp(all[i].name, "AWS-ConfigureAWSPackage") == 0;
		if (runs_anything)
			assert_null(name);
		else
			assert_string_equal(name, all[i].name);
		n_trusted += name != NULL;
	}
	assert_int_equal(n_trusted, 4);
}

static void test_trust__any_other_byte_is_another_document(void **state)
{
	(void)state;
	const struct builtin_document *one =
	        builtin_document_find(STR("AmazonInspector2-InvokeInspectorSsmPluginLinux"));
	autobuf text = BUF(1u << 20);
	buf_add(&text, str_from_c(one->content));
	/* Blanks between members are no part of a document. */
	assert_true(text.p[1] == '\n');
	text.p[1] = ' ';
	assert_non_null(find(buf_str(&text)));
	/* A byte of a text is. */
	char *at = strstr(text.p, "sleep 60");
	assert_non_null(at);
	*at = 'S';
	assert_null(find(buf_str(&text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trust__four_documents_came_with_the_agent),
		cmocka_unit_test(test_trust__any_other_byte_is_another_document),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
