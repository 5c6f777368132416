/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/log.h"
#include "server/notify.h"

static size_t read_line(int fd, char *line, size_t size)
{
	ssize_t n = read(fd, line, size - 1);
	assert_true(n > 0);
	line[n] = '\0';
	return (size_t)n;
}

static void test_log__an_event_is_one_line(void **state)
{
	int fds[2];
	char line[4096];
	(void)state;
	assert_int_equal(pipe(fds), 0);
	struct log log = { .fd = fds[1], .most = LOG_INFO };
	log_write(&log, LOG_INFO, "it happened",
	        LOG_FIELDS(LOG_TEXT("plain", STR("a/b:1")), LOG_NUMBER("n", -5),
	                LOG_TEXT("hostile", STR("x\ny \"q\" \x1b[31m")),
	                LOG_TEXT("empty", STR(""))));
	(void)read_line(fds[0], line, sizeof(line));
	assert_non_null(strstr(line,
	        " info: it happened plain=a/b:1 n=-5 hostile=\"x\\012y \\\"q\\\" \\033[31m\" "
	        "empty=\"\"\n"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_log__less_grave_events_are_left_out(void **state)
{
	int fds[2];
	char line[4096];
	(void)state;
	assert_int_equal(pipe(fds), 0);
	struct log log = { .fd = fds[1], .most = LOG_WARNING };
	struct err err = { .code = -EIO, .text = "why" };
	log_write(&log, LOG_INFO, "nobody cares", NULL);
	assert_int_equal(log_error(&log, "it broke", &err), -EIO);
	(void)read_line(fds[0], line, sizeof(line));
	assert_null(strstr(line, "nobody"));
	assert_non_null(strstr(line, " error: it broke reason=why\n"));
	log.fd = -1;
	log_write(&log, LOG_ERROR, "to nowhere", NULL);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_log__a_service_manager_is_told(void **state)
{
	char folder[] = "/tmp/sonde-notify-XXXXXX", line[64];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	(void)state;
	notify_send("READY=1"); /* nobody asked */
	assert_non_null(mkdtemp(folder));
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
	notify_send("READY=1");
	assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
	assert_int_equal(read_line(fd, line, sizeof(line)), 7);
	assert_string_equal(line, "READY=1");
	(void)close(fd);
	(void)unlink(address.sun_path);
	(void)rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log__an_event_is_one_line),
		cmocka_unit_test(test_log__less_grave_events_are_left_out),
		cmocka_unit_test(test_log__a_service_manager_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
