/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collect/wire.h"

static const struct package sample = {
	.type = { "deb", 3 },
	.name = { "zlib1g", 6 },
	.version = { "1:1.2.13", 8 },
	.arch = { "amd64", 5 },
	.source_name = { "zlib", 4 },
	.note = { "odd", 3 },
	.confidence = CONFIDENCE_MEDIUM,
};

static void test_wire__package_survives_the_way(void **state)
{
	(void)state;
	struct buf out = BUF(WIRE_MAX);
	assert_true(wire_put_package(&out, &sample));
	struct cursor cursor = CURSOR(buf_str(&out));
	struct package got;
	assert_int_equal(cursor_u8(&cursor), WIRE_PACKAGE);
	assert_true(wire_get_package(&cursor, &got));
	assert_true(str_eq(got.name, sample.name) && str_eq(got.version, sample.version));
	assert_true(str_eq(got.source_name, sample.source_name) && str_eq(got.note, sample.note));
	assert_int_equal(got.confidence, CONFIDENCE_MEDIUM);
	assert_int_equal(cursor.rest.n, 0);
	buf_fini(&out);
}

static void test_wire__every_cut_is_refused(void **state)
{
	(void)state;
	struct buf out = BUF(WIRE_MAX);
	assert_true(wire_put_package(&out, &sample));
	for (size_t n = 1; n < out.n; n++) {
		struct cursor cursor = CURSOR(str_head(buf_str(&out), n));
		struct package got;
		(void)cursor_u8(&cursor);
		assert_false(wire_get_package(&cursor, &got));
	}
	buf_fini(&out);
}

static void test_wire__package_without_a_version_is_refused(void **state)
{
	(void)state;
	struct buf out = BUF(WIRE_MAX);
	struct package bad = sample, got;
	bad.version.n = 0;
	assert_true(wire_put_package(&out, &bad));
	struct cursor cursor = CURSOR(buf_str(&out));
	(void)cursor_u8(&cursor);
	assert_false(wire_get_package(&cursor, &got));
	buf_fini(&out);
}

static void test_wire__long_string_does_not_travel(void **state)
{
	(void)state;
	static char many[WIRE_STR_MAX + 1];
	struct buf out = BUF(WIRE_MAX);
	struct package pkg = sample;
	pkg.licence = (str){ many, sizeof(many) };
	assert_false(wire_put_package(&out, &pkg));
	assert_int_equal(out.n, 0);
	buf_fini(&out);
}

static void test_wire__descriptor_travels_with_its_packet(void **state)
{
	(void)state;
	int pair[2], fd = -1;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	int null = open("/dev/null", O_RDONLY);
	assert_int_equal(wire_send(pair[0], STR("with"), null), 0);
	assert_int_equal(wire_send(pair[0], STR("without"), -1), 0);

	struct buf packet = BUF(WIRE_MAX);
	assert_int_equal(wire_receive(pair[1], &packet, &fd), 1);
	assert_true(fd >= 0 && str_eq(buf_str(&packet), STR("with")));
	assert_int_equal(close(fd), 0);
	assert_int_equal(wire_receive(pair[1], &packet, &fd), 1);
	assert_int_equal(fd, -1);
	assert_int_equal(close(pair[0]), 0);
	assert_int_equal(wire_receive(pair[1], &packet, &fd), 0);
	assert_int_equal(wire_send(pair[1], STR("late"), -1), -EPIPE);
	(void)close(pair[1]);
	(void)close(null);
	buf_fini(&packet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wire__package_survives_the_way),
		cmocka_unit_test(test_wire__every_cut_is_refused),
		cmocka_unit_test(test_wire__package_without_a_version_is_refused),
		cmocka_unit_test(test_wire__long_string_does_not_travel),
		cmocka_unit_test(test_wire__descriptor_travels_with_its_packet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
