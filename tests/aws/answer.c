/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers questions from standard input, one JSON object a line, one line each.
 *
 *   answer sigv4     {method, path, query, headers: [[name, value]], body, secret or key, now}
 *                    -> the number of the verdict
 *   answer pattern   {pattern, text} -> "yes", "no" or "unknown"
 *   answer shapes    no questions: each operation as "service name method uri n-inputs"
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/rest.h"
#include "aws/shape_pattern.h"
#include "aws/sigv4.h"

#define LINE_MAX_BYTES (1u << 20)

static void answer_sigv4(const struct crypto *crypto, const struct value *v)
{
	struct sigv4_header headers[SIGV4_HEADERS_MAX];
	struct sigv4_request request = { .headers = headers };
	const struct value *list = value_get(v, STR("headers"));
	struct sigv4 sig;
	uint8_t key[SIGV4_KEY_BYTES];
	str authorization = { NULL, 0 };
	str public_key = value_get_str(v, STR("key"));
	request.method = value_get_str(v, STR("method"));
	request.path = value_get_str(v, STR("path"));
	request.query = value_get_str(v, STR("query"));
	for (size_t i = 0; i < value_count(list) && i < SIGV4_HEADERS_MAX; i++) {
		headers[i].name = value_str(value_at(value_at(list, i), 0));
		headers[i].value = value_str(value_at(value_at(list, i), 1));
		request.n_headers++;
	}
	(void)crypto_sha256(crypto, value_get_str(v, STR("body")), request.body_sha256);
	(void)sigv4_header(&request, STR("authorization"), &authorization);
	enum sigv4_verdict verdict = sigv4_parse(authorization, &sig);
	int64_t now = value_get_i64(v, STR("now"), 0);
	if (verdict == SIGV4_OK && public_key.p) {
		verdict = sigv4_verify_rsa(crypto, &sig, &request, public_key, now);
	} else if (verdict == SIGV4_OK) {
		if (sigv4_signing_key(
		            crypto, value_get_str(v, STR("secret")), &sig.credential, key) < 0)
			exit(EXIT_FAILURE);
		verdict = sigv4_verify(crypto, &sig, &request, key, now);
	}
	printf("%d\n", (int)verdict);
}

static void answer_pattern(const struct value *v)
{
	const struct shape_pattern *pattern = shape_pattern_find(value_get_str(v, STR("pattern")));
	bool matches = pattern && shape_pattern_matches(pattern, value_get_str(v, STR("text")));
	puts(!pattern ? "unknown" : matches ? "yes" : "no");
}

static int print_shapes(void)
{
	size_t n;
	const struct operation_shape *operations = operation_all(&n);
	for (size_t i = 0; i < n; i++)
		printf("%s %s %s %s %zu\n", operations[i].service, operations[i].name,
		        operations[i].method, operations[i].uri, operations[i].input->n);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	str mode = str_from_c(argc > 1 ? argv[1] : "");
	struct crypto *crypto = NULL;
	char *line = NULL;
	size_t cap = 0;
	if (str_eq(mode, STR("shapes")))
		return print_shapes();
	if (crypto_new(&crypto, NULL) < 0)
		return EXIT_FAILURE;
	for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) {
		struct arena arena = ARENA(LINE_MAX_BYTES);
		const struct value *v;
		struct err err = { 0 };
		if (value_from_json((str){ line, (size_t)n }, &arena, &v, &err) < 0) {
			(void)fprintf(stderr, "%s\n", err.text);
			return EXIT_FAILURE;
		}
		if (str_eq(mode, STR("sigv4")))
			answer_sigv4(crypto, v);
		else
			answer_pattern(v);
		arena_fini(&arena);
	}
	free(line);
	crypto_free(crypto);
	return EXIT_SUCCESS;
}
