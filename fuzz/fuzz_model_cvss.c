/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever is accepted as a vector has a score from 0 to 10 with one decimal, the same one each
 * time. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "model/cvss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(str vector)
{
	enum cvss_version version, again_version;
	double score, again;
	struct err err = { 0 };
	if (cvss_score(vector, &version, &score, &err) < 0) {
		if (err.code != -ERR_FORMAT || err.text[0] == '\0')
			abort();
		return;
	}
	if (!(score >= 0 && score <= 10) || signbit(score) ||
	        fabs(score * 10 - round(score * 10)) > 1e-9)
		abort();
	if (cvss_score(vector, &again_version, &again, NULL) < 0 || again != score ||
	        again_version != version)
		abort();
}

/* A vector a line, so that tables of vectors are inputs too; and the input as a whole. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str text = { (const char *)data, size };
	check(text);
	for (str line; str_next_line(&text, &line);)
		check(str_take_until(&line, is_space));
	return 0;
}
