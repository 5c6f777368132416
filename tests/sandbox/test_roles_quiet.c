/* SPDX-License-Identifier: Apache-2.0 */
/* The two roles that only think: a reader, and a verifier of signatures. */
#include "forbidden.h"

static int think(const struct given *given)
{
	const size_t n = (size_t)50 << 20;
	char *memory = malloc(n), byte;
	if (!memory)
		return 1;
	memset(memory, 1, n);
	free(memory);
	if (read(given->file, &byte, 1) != 1)
		return 2;
	return write(given->socket, "abc", 3) == 3 ? 0 : 3;
}

static const enum role quiet[] = { ROLE_READER, ROLE_VERIFIER };

static void test_roles_quiet__thinking_and_answering_works(void **state)
{
	struct given given;
	int peer;
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		open_given(&given, &peer);
		assert_int_equal(in_role(quiet[i], think, &given), 0);
		close_given(&given, peer);
	}
}

static int call_stat_of_a_descriptor(const struct given *given)
{
	struct stat st;
	return fstat(given->file, &st) >= 0;
}

static int call_receive(const struct given *given)
{
	char byte;
	return recv(given->socket, &byte, 1, MSG_DONTWAIT) >= 0;
}

static int call_send(const struct given *given)
{
	return send(given->socket, "x", 1, MSG_NOSIGNAL) >= 0;
}

static int call_close(const struct given *given)
{
	return close(given->file) >= 0;
}

/* What a parser does beside. */
static const struct attempt more[] = {
	{ "stat of a descriptor", call_stat_of_a_descriptor },
	{ "recv", call_receive },
	{ "send", call_send },
	{ "close", call_close },
};

static void test_roles_quiet__any_other_call_kills(void **state)
{
	(void)state;
	for (size_t k = 0; k < 2; k++) {
		demand_refused(quiet[k], NULL, beyond_thinking,
		        sizeof(beyond_thinking) / sizeof(beyond_thinking[0]));
		demand_refused(quiet[k], NULL, more, sizeof(more) / sizeof(more[0]));
	}
}

static int write_to_a_file(const struct given *given)
{
	return write(given->writable, "y", 1) >= 0 || errno != EFBIG;
}

static void test_roles_quiet__no_byte_is_written_to_a_file(void **state)
{
	struct given given;
	int peer;
	(void)state;
	open_given(&given, &peer);
	for (size_t k = 0; k < 2; k++)
		assert_int_equal(in_role(quiet[k], write_to_a_file, &given), 0);
	close_given(&given, peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles_quiet__thinking_and_answering_works),
		cmocka_unit_test(test_roles_quiet__any_other_call_kills),
		cmocka_unit_test(test_roles_quiet__no_byte_is_written_to_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
