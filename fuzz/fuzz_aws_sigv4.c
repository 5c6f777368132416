/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is an Authorization header; and, cut at line ends, method, path, query and the value of
 * a header. A signature that we make for such a request verifies, and does not when a bit of its
 * body's digest is another.
 */
#include <stdlib.h>

#include "aws/sigv4.h"

#define NOW INT64_C(1440938160)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_only(str authorization)
{
	struct sigv4 sig;
	if (sigv4_parse(authorization, &sig) == SIGV4_OK && sig.credential.access_key_id.n == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str rest = { (const char *)data, size }, lines[4] = { { NULL, 0 } };
	struct crypto *crypto = NULL;
	struct sigv4 sig;
	uint8_t key[SIGV4_KEY_BYTES] = { 1 };
	autobuf authorization = BUF(8192);
	parse_only(rest);
	for (size_t i = 0; i < 4; i++)
		(void)str_next_line(&rest, &lines[i]);
	struct sigv4_header headers[] = { { STR("Host"), STR("h") },
		{ STR("X-Amz-Date"), STR("20150830T123600Z") }, { STR("My-Header"), lines[3] },
		{ STR("my-header"), rest } };
	struct sigv4_request request = { .method = lines[0],
		.path = lines[1],
		.query = lines[2],
		.headers = headers,
		.n_headers = 4 };
	struct sigv4_credential credential = { STR("AKID"), STR("20150830"), STR("us-east-1"),
		STR("ssm") };
	if (crypto_new(&crypto, NULL) < 0)
		abort();
	int r = sigv4_sign(crypto, &credential, key, &request, STR("host;my-header;x-amz-date"),
	        &authorization);
	if (r == 0) {
		if (sigv4_parse(buf_str(&authorization), &sig) != SIGV4_OK ||
		        sigv4_verify(crypto, &sig, &request, key, NOW) != SIGV4_OK)
			abort();
		request.body_sha256[0] ^= 1;
		if (sigv4_verify(crypto, &sig, &request, key, NOW) != SIGV4_MISMATCH)
			abort();
	} else if (r != -ERR_FORMAT && r != -ERR_LIMIT) {
		abort();
	}
	crypto_free(crypto);
	return 0;
}
