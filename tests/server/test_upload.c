/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "base/hash.h"
#include "server/upload.h"

#define NOW 1700000000

struct scratch {
	char folder[64], spool[80];
	struct uploads *uploads;
};

static int setup(void **state)
{
	struct scratch *s = calloc(1, sizeof(*s));
	struct err err = { 0 };
	(void)snprintf(s->folder, sizeof(s->folder), "/tmp/sonde-upload-XXXXXX");
	assert_non_null(mkdtemp(s->folder));
	(void)snprintf(s->spool, sizeof(s->spool), "%s/spool", s->folder);
	assert_int_equal(uploads_open(s->spool, &s->uploads, &err), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scratch *s = *state;
	uploads_close(s->uploads);
	assert_int_equal(fs_remove_tree(AT_FDCWD, s->folder), 0);
	free(s);
	return 0;
}

/* Text that is not too easy to compress, of a seed. */
static void make_text(struct buf *out, size_t n, uint32_t seed)
{
	while (out->n < n) {
		seed = seed * 1664525 + 1013904223;
		buf_printf(
		        out, "{\"name\":\"package-%u\",\"version\":\"%u\"}", seed >> 20, seed >> 8);
	}
	out->n = n;
}

static void compress(str text, int window_log, struct buf *out)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	size_t bound = ZSTD_compressBound(text.n);
	char *to = buf_reserve(out, bound);
	assert_non_null(to);
	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log)));
	size_t n = ZSTD_compress2(zstd, to, bound, text.p, text.n);
	assert_false(ZSTD_isError(n));
	out->n += n;
	ZSTD_freeCCtx(zstd);
}

static struct upload_plan plan_of(uint64_t host, str text, str packed)
{
	struct upload_plan plan = {
		.host = host, .captured_at = NOW, .compressed_bytes = packed.n, .bytes = text.n
	};
	(void)snprintf(plan.capture_time, sizeof(plan.capture_time), "2023-11-14T22:13:20Z");
	hash_sha256_hex(text, plan.hash);
	return plan;
}

static int start(struct scratch *s, const struct upload_plan *plan, char id[37], uint64_t *next)
{
	struct err err = { 0 };
	return upload_start(s->uploads, plan, NOW, id, next, &err);
}

static int put(struct scratch *s, uint64_t host, const char *id, uint64_t offset, str bytes,
        uint64_t *next)
{
	struct err err = { 0 };
	return upload_put(s->uploads, host, str_from_c(id), offset, bytes, NOW, next, &err);
}

static int take(
        struct scratch *s, uint64_t host, const char *id, struct buf *out, enum upload_end *end)
{
	struct upload_plan plan;
	struct err err = { 0 };
	uint64_t next = 0;
	int r = upload_take(s->uploads, host, str_from_c(id), NOW, &plan, out, end, &next, &err);
	if (r < 0)
		assert_true(err.text[0] != '\0');
	return r;
}

static void test_upload__gives_back_what_was_sent_in_pieces(void **state)
{
	struct scratch *s = *state;
	autobuf text = BUF((size_t)8 << 20), packed = BUF((size_t)8 << 20),
	        got = BUF((size_t)8 << 20);
	enum upload_end end = UPLOAD_STALE;
	uint64_t next = 7;
	char id[37];
	make_text(&text, 3000001, 1);
	compress(buf_str(&text), 20, &packed);
	struct upload_plan plan = plan_of(1, buf_str(&text), buf_str(&packed));
	assert_int_equal(start(s, &plan, id, &next), 0);
	assert_int_equal(next, 0);
	for (size_t at = 0; at < packed.n; at = (size_t)next)
		assert_int_equal(
		        put(s, 1, id, at, str_head(str_skip(buf_str(&packed), at), 1000), &next),
		        0);
	assert_int_equal(next, packed.n);
	assert_int_equal(take(s, 1, id, &got, &end), 0);
	assert_int_equal(end, UPLOAD_OPEN);
	assert_true(str_eq(buf_str(&got), buf_str(&text)));
	upload_end(s->uploads, 1, str_from_c(id), UPLOAD_TAKEN);
	/* asked again, it says what came of it and gives nothing */
	buf_clear(&got);
	assert_int_equal(take(s, 1, id, &got, &end), 0);
	assert_int_equal(end, UPLOAD_TAKEN);
	assert_int_equal(got.n, 0);
}

static void test_upload__goes_on_where_it_was(void **state)
{
	struct scratch *s = *state;
	autobuf text = BUF((size_t)1 << 20), packed = BUF((size_t)1 << 20);
	uint64_t next = 0;
	char id[37], again[37];
	make_text(&text, 100000, 2);
	compress(buf_str(&text), 18, &packed);
	struct upload_plan plan = plan_of(1, buf_str(&text), buf_str(&packed));
	assert_int_equal(start(s, &plan, id, &next), 0);
	assert_int_equal(put(s, 1, id, 0, str_head(buf_str(&packed), 600), &next), 0);
	plan.captured_at++;
	assert_int_equal(start(s, &plan, again, &next), 0);
	assert_string_equal(again, id);
	assert_int_equal(next, 600);
	/* again what is here, and what overlaps it */
	assert_int_equal(put(s, 1, id, 0, str_head(buf_str(&packed), 300), &next), 0);
	assert_int_equal(next, 600);
	assert_int_equal(
	        put(s, 1, id, 500, str_head(str_skip(buf_str(&packed), 500), 300), &next), 0);
	assert_int_equal(next, 800);
	/* a hole, and what is behind the end */
	assert_int_equal(put(s, 1, id, 900, STR("x"), &next), -ERANGE);
	assert_int_equal(next, 800);
	assert_int_equal(put(s, 1, id, 700, buf_str(&packed), &next), -ERANGE);
	assert_int_equal(put(s, 1, id, UINT64_MAX, STR("x"), &next), -ERANGE);
	assert_int_equal(next, 800);
}

static void test_upload__is_of_one_host_only(void **state)
{
	struct scratch *s = *state;
	autobuf out = BUF(1024);
	enum upload_end end;
	uint64_t next = 0;
	char id[37], other[37];
	struct upload_plan plan = plan_of(1, STR("text"), STR("packed"));
	assert_int_equal(start(s, &plan, id, &next), 0);
	assert_int_equal(put(s, 2, id, 0, STR("p"), &next), -ENOENT);
	assert_int_equal(take(s, 2, id, &out, &end), -ENOENT);
	assert_int_equal(
	        put(s, 1, "00000000-0000-4000-8000-000000000000", 0, STR("p"), &next), -ENOENT);
	plan.host = 2;
	assert_int_equal(start(s, &plan, other, &next), 0);
	assert_string_not_equal(id, other);
}

static void test_upload__refuses_to_begin_what_is_too_large(void **state)
{
	struct scratch *s = *state;
	uint64_t next = 0;
	char id[37];
	struct upload_plan plan = plan_of(1, STR("text"), STR("packed"));
	plan.compressed_bytes = UPLOAD_COMPRESSED_MAX + 1;
	assert_int_equal(start(s, &plan, id, &next), -ERR_LIMIT);
	plan.compressed_bytes = UPLOAD_COMPRESSED_MAX;
	plan.bytes = UPLOAD_BYTES_MAX + 1;
	assert_int_equal(start(s, &plan, id, &next), -ERR_LIMIT);
	plan.compressed_bytes = 100;
	plan.bytes = 100 * UPLOAD_RATIO_MAX + UPLOAD_RATIO_FREE + 1;
	assert_int_equal(start(s, &plan, id, &next), -ERR_LIMIT);
	plan.bytes--;
	assert_int_equal(start(s, &plan, id, &next), 0);
}

/* Send and take one that is not what it says. */
static int refuse(struct scratch *s, const struct upload_plan *plan, str packed)
{
	autobuf out = BUF((size_t)64 << 20);
	enum upload_end end = UPLOAD_OPEN;
	uint64_t next = 0;
	char id[37];
	assert_int_equal(start(s, plan, id, &next), 0);
	assert_int_equal(put(s, plan->host, id, 0, packed, &next), 0);
	int r = take(s, plan->host, id, &out, &end);
	/* what is no inventory is forgotten at once */
	if (r == -ERR_FORMAT)
		assert_int_equal(put(s, plan->host, id, 0, packed, &next), -ENOENT);
	return r;
}

static void test_upload__refuses_what_is_not_as_announced(void **state)
{
	struct scratch *s = *state;
	autobuf text = BUF((size_t)1 << 20), packed = BUF((size_t)1 << 20);
	make_text(&text, 50000, 3);
	compress(buf_str(&text), 18, &packed);
	const struct upload_plan good = plan_of(1, buf_str(&text), buf_str(&packed));
	struct upload_plan plan = good;
	assert_int_equal(refuse(s, &plan, str_head(buf_str(&packed), packed.n - 1)), -ERANGE);
	plan = good;
	plan.hash[0] = plan.hash[0] == '0' ? '1' : '0';
	assert_int_equal(refuse(s, &plan, buf_str(&packed)), -ERR_FORMAT);
	plan = good;
	plan.bytes++;
	assert_int_equal(refuse(s, &plan, buf_str(&packed)), -ERR_FORMAT);
	plan.bytes -= 2;
	assert_int_equal(refuse(s, &plan, buf_str(&packed)), -ERR_FORMAT);
	plan = good;
	plan.compressed_bytes--;
	assert_int_equal(refuse(s, &plan, str_head(buf_str(&packed), packed.n - 1)), -ERR_FORMAT);
	buf_add_byte(&packed, 'x');
	plan.compressed_bytes = packed.n;
	assert_int_equal(refuse(s, &plan, buf_str(&packed)), -ERR_FORMAT);
	packed.p[0] ^= 1;
	assert_int_equal(refuse(s, &plan, buf_str(&packed)), -ERR_FORMAT);
}

static void test_upload__refuses_a_window_that_is_too_large(void **state)
{
	struct scratch *s = *state;
	autobuf text = BUF((size_t)32 << 20), packed = BUF((size_t)32 << 20);
	/* The window is that of the text where the text is shorter. */
	make_text(&text, (size_t)20 << 20, 4);
	compress(buf_str(&text), 25, &packed);
	struct upload_plan plan = plan_of(1, buf_str(&text), buf_str(&packed));
	assert_int_equal(refuse(s, &plan, buf_str(&packed)), -ERR_FORMAT);
	buf_clear(&packed);
	compress(buf_str(&text), 23, &packed);
	plan = plan_of(1, buf_str(&text), buf_str(&packed));
	assert_int_equal(refuse(s, &plan, buf_str(&packed)), 0);
}

static void test_upload__lets_the_oldest_of_a_host_give_way(void **state)
{
	struct scratch *s = *state;
	struct err err = { 0 };
	uint64_t next = 0;
	char ids[UPLOADS_A_HOST + 1][37], other[37];
	struct upload_plan plan = plan_of(2, STR("text"), STR("packed"));
	assert_int_equal(start(s, &plan, other, &next), 0);
	plan.host = 1;
	for (int i = 0; i <= UPLOADS_A_HOST; i++) {
		plan.bytes = (uint64_t)i + 1;
		assert_int_equal(upload_start(s->uploads, &plan, NOW + i, ids[i], &next, &err), 0);
	}
	assert_int_equal(put(s, 1, ids[0], 0, STR("p"), &next), -ENOENT);
	for (int i = 1; i <= UPLOADS_A_HOST; i++)
		assert_int_equal(put(s, 1, ids[i], 0, STR("p"), &next), 0);
	assert_int_equal(put(s, 2, other, 0, STR("p"), &next), 0);
}

static void test_upload__forgets_what_nobody_goes_on_with(void **state)
{
	struct scratch *s = *state;
	struct err err = { 0 };
	uint64_t next = 0;
	char id[37], other[37];
	struct upload_plan plan = plan_of(1, STR("text"), STR("packed"));
	assert_int_equal(start(s, &plan, id, &next), 0);
	plan.host = 2;
	assert_int_equal(
	        upload_start(s->uploads, &plan, NOW + UPLOAD_IDLE_S, other, &next, &err), 0);
	assert_int_equal(put(s, 1, id, 0, STR("p"), &next), 0);
	assert_int_equal(
	        upload_start(s->uploads, &plan, NOW + UPLOAD_IDLE_S + 1, other, &next, &err), 0);
	assert_int_equal(put(s, 1, id, 0, STR("p"), &next), -ENOENT);
}

static void test_upload__bounds_the_spool_and_the_number(void **state)
{
	struct scratch *s = *state;
	uint64_t next = 0, host = 1;
	char id[37];
	struct upload_plan plan = plan_of(1, STR("text"), STR("packed"));
	plan.compressed_bytes = UPLOAD_COMPRESSED_MAX;
	int r = 0;
	for (; r == 0 && host <= UPLOADS_SPOOL_BYTES / UPLOAD_COMPRESSED_MAX + 1; host++) {
		plan.host = host;
		r = start(s, &plan, id, &next);
	}
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(host, UPLOADS_SPOOL_BYTES / UPLOAD_COMPRESSED_MAX + 2);
}

static void test_upload__can_be_completed_again_when_it_was_not_taken(void **state)
{
	struct scratch *s = *state;
	autobuf packed = BUF(4096), out = BUF(4096);
	enum upload_end end;
	uint64_t next = 0;
	char id[37];
	compress(STR("an inventory"), 10, &packed);
	struct upload_plan plan = plan_of(1, STR("an inventory"), buf_str(&packed));
	assert_int_equal(start(s, &plan, id, &next), 0);
	assert_int_equal(put(s, 1, id, 0, buf_str(&packed), &next), 0);
	assert_int_equal(take(s, 1, id, &out, &end), 0);
	assert_int_equal(put(s, 1, id, 0, STR("p"), &next), -EBUSY);
	upload_end(s->uploads, 1, str_from_c(id), UPLOAD_OPEN);
	buf_clear(&out);
	assert_int_equal(take(s, 1, id, &out, &end), 0);
	assert_true(str_eq(buf_str(&out), STR("an inventory")));
	upload_end(s->uploads, 1, str_from_c(id), UPLOAD_STALE);
	assert_int_equal(take(s, 1, id, &out, &end), 0);
	assert_int_equal(end, UPLOAD_STALE);
}

static void test_upload__clears_the_spool_when_it_begins(void **state)
{
	struct scratch *s = *state;
	char path[128];
	struct err err = { 0 };
	uploads_close(s->uploads);
	s->uploads = NULL;
	(void)snprintf(path, sizeof(path), "%s/left-behind", s->spool);
	autoclose int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(uploads_open(s->spool, &s->uploads, &err), 0);
	assert_int_equal(access(path, F_OK), -1);
}

/* Two hosts' worth of threads that begin, send and complete at once. */
struct worker {
	struct scratch *s;
	uint64_t host;
	str text, packed;
	int n_taken;
};

static void *work(void *ctx)
{
	struct worker *w = ctx;
	struct upload_plan plan = plan_of(w->host, w->text, w->packed);
	for (int i = 0; i < 50; i++) {
		struct buf out = BUF((size_t)1 << 20);
		struct err err = { 0 };
		enum upload_end end = UPLOAD_OPEN;
		uint64_t next = 0;
		char id[37];
		if (upload_start(w->s->uploads, &plan, NOW, id, &next, &err) == 0 &&
		        upload_put(w->s->uploads, w->host, str_from_c(id), 0, w->packed, NOW, &next,
		                &err) == 0 &&
		        upload_take(w->s->uploads, w->host, str_from_c(id), NOW, &plan, &out, &end,
		                &next, &err) == 0 &&
		        end == UPLOAD_OPEN) {
			w->n_taken += str_eq(buf_str(&out), w->text);
			upload_end(w->s->uploads, w->host, str_from_c(id), UPLOAD_TAKEN);
		}
		buf_fini(&out);
	}
	return NULL;
}

static void test_upload__is_used_by_many_threads(void **state)
{
	struct scratch *s = *state;
	autobuf text = BUF((size_t)1 << 20), packed = BUF((size_t)1 << 20);
	pthread_t threads[4];
	struct worker workers[4];
	int n_taken = 0;
	make_text(&text, 20000, 5);
	compress(buf_str(&text), 15, &packed);
	for (size_t i = 0; i < 4; i++) {
		workers[i] = (struct worker){ s, i / 2 + 1, buf_str(&text), buf_str(&packed), 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		n_taken += workers[i].n_taken;
	}
	assert_true(n_taken > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_upload__gives_back_what_was_sent_in_pieces),
		TEST(test_upload__goes_on_where_it_was),
		TEST(test_upload__is_of_one_host_only),
		TEST(test_upload__refuses_to_begin_what_is_too_large),
		TEST(test_upload__refuses_what_is_not_as_announced),
		TEST(test_upload__refuses_a_window_that_is_too_large),
		TEST(test_upload__lets_the_oldest_of_a_host_give_way),
		TEST(test_upload__forgets_what_nobody_goes_on_with),
		TEST(test_upload__bounds_the_spool_and_the_number),
		TEST(test_upload__can_be_completed_again_when_it_was_not_taken),
		TEST(test_upload__clears_the_spool_when_it_begins),
		TEST(test_upload__is_used_by_many_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
