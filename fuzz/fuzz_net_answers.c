/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of sonde-net, line by line: nothing that was not asked for is believed. */
#include <stdlib.h>

#include "net/answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct answers *answers, int event, const struct err *err)
{
	const struct net_answer *answer = &answers->answer;
	uint64_t max = answers->request->max_bytes;
	if (event < 0 && (err->code != event || err->text[0] == '\0'))
		abort(); /* a failure without its sentence */
	for (const char *c = err->text; *c != '\0'; c++) {
		if (*c < ' ' || *c > '~')
			abort(); /* something that a terminal would obey */
	}
	if (event < 0)
		return;
	if (answer->n_bytes > max || answers->done_bytes > max || answers->all_bytes > max)
		abort();
	if ((answer->etag[0] != '\0' && !net_is_etag(str_from_c(answer->etag))) ||
	        (answer->last_modified[0] != '\0' &&
	                !net_is_date(str_from_c(answer->last_modified))))
		abort();
	if (event == ANSWERS_END && answer->unchanged && answers->request->etag == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* the first byte says what was asked */
	struct net_request request = { .url = "http://a/",
		.etag = size > 0 && data[0] & 1 ? "\"a\"" : NULL,
		.resume_at_bytes = size > 0 && data[0] & 2 ? 7 : 0,
		.max_bytes = 1000 };
	struct answers answers = { .request = &request };
	str rest = str_skip((str){ (const char *)data, size }, 1), line;
	int event = 0;
	while (event >= 0 && str_next_line(&rest, &line)) {
		struct err err = { 0 };
		event = answers_take(&answers, line, &err);
		check(&answers, event, &err);
	}
	return 0;
}
