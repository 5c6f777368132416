/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "server/clone.h"

#define A "aaaaaaaa"
#define B "bbbbbbbb"
#define C "cccccccc"
#define D "dddddddd"

static void test_clone__runs_that_come_back_are_twins(void **state)
{
	(void)state;
	static const struct {
		const char *runs, *run, *out;
		bool is_twin;
	} rows[] = {
		{ "", A, A, false },
		{ A, A, "", false },
		{ A, B, B "," A, false },
		{ B "," A, B, "", false },
		{ B "," A, A, A "," B, true },
		{ B "," A, C, C "," B "," A, false },
		{ D "," C "," B "," A, A, A "," D "," C "," B, true },
		{ D "," C "," B "," A, "eeeeeeee", "eeeeeeee," D "," C "," B, false },
		/* What is none says nothing. */
		{ A, "", "", false },
		{ A, "short", "", false },
		{ A, "aaaa,bbbb", "", false },
		{ A, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", false },
		/* A fact that is longer than it should be is not read to its end. */
		{ "1,2,3,4,5,6,7,8," A, A, A ",1,2,3", false },
		{ ",,,,,," A, A, A ",,,", false },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		autobuf out = BUF(CLONE_RUNS_MAX * (CLONE_RUN_MAX_BYTES + 1));
		bool is_twin =
		        clone_runs_note(str_from_c(rows[i].runs), str_from_c(rows[i].run), &out);
		if (is_twin != rows[i].is_twin || !str_eq(buf_str(&out), str_from_c(rows[i].out)))
			fail_msg("row %zu: %d '" STR_FMT "'", i, is_twin, STR_ARG(buf_str(&out)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clone__runs_that_come_back_are_twins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
