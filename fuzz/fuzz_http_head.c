/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of requests. The verdict does not depend on how the bytes are split, and a head that is
 * accepted has no control character in any part and says only once how long the body is. */
#include <stdint.h>
#include <stdlib.h>

#include "http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum head_verdict read_split(struct head *head, str bytes, size_t first, size_t step)
{
	static const struct head_limits limits = { .head_bytes = 2048, .target_bytes = 256 };
	head_begin(head, &limits);
	enum head_verdict verdict = head_feed(head, str_head(bytes, first));
	for (size_t n = first; n < bytes.n && verdict == HEAD_MORE;) {
		n = bytes.n - n > step ? n + step : bytes.n;
		verdict = head_feed(head, str_head(bytes, n));
	}
	return verdict;
}

static void want(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_accepted(const struct head *head, str bytes)
{
	unsigned n_lengths = 0, n_encodings = 0, n_hosts = 0;
	want(head_is_token(head_text(bytes, head->method)));
	str target = head_text(bytes, head->target);
	want(target.n > 0 && target.p[0] == '/' && target.n <= 256);
	for (size_t i = 0; i < target.n; i++)
		want(target.p[i] > ' ' && target.p[i] < 127);
	for (size_t i = 0; i < head->n_fields; i++) {
		str name = head_text(bytes, head->fields[i].name);
		str value = head_text(bytes, head->fields[i].value);
		want(head_is_token(name) && head_is_value(value));
		want(value.n == 0 || (!is_space(value.p[0]) && !is_space(value.p[value.n - 1])));
		n_lengths += str_eq_nocase(name, STR("content-length"));
		n_encodings += str_eq_nocase(name, STR("transfer-encoding"));
		n_hosts += str_eq_nocase(name, STR("host"));
	}
	want(n_lengths + n_encodings <= 1 && n_hosts <= 1 && (n_hosts == 1 || head->minor == 0));
	want(head->has_length == (n_lengths == 1) && head->is_chunked == (n_encodings == 1));
	want(head->at <= 2048 && str_has_suffix(str_head(bytes, head->at), STR("\r\n\r\n")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	str bytes = { (const char *)data, size };
	struct head whole, split;
	enum head_verdict verdict = read_split(&whole, bytes, size, 1);
	if (verdict == HEAD_DONE)
		check_accepted(&whole, bytes);
	/* Byte by byte, and at a place that the input itself chooses. */
	size_t place = size > 0 ? (data[0] * (size_t)31 + data[size - 1]) % size : 0;
	for (int i = 0; i < 2; i++) {
		want(read_split(&split, bytes, i ? place : 0, i ? size : 1) == verdict);
		want(split.status == whole.status);
		want(verdict != HEAD_DONE || split.at == whole.at);
	}
	return 0;
}
