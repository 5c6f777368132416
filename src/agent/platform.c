/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/platform.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "collect/facts.h"

#define OS_RELEASE_MAX 65536

/* NAME="Debian GNU/Linux" of os-release(5), which struct host has only in its pretty form. */
static str find_name(str text)
{
	str line;
	while (str_next_line(&text, &line)) {
		if (!str_has_prefix(line, STR("NAME=")))
			continue;
		str value = str_trim(str_skip(line, 5));
		if (value.n >= 2 && (value.p[0] == '"' || value.p[0] == '\'') &&
		        value.p[value.n - 1] == value.p[0])
			value = (str){ value.p + 1, value.n - 2 };
		return value;
	}
	return (str){ NULL, 0 };
}

/* The first address of this host that others can reach. */
static int find_address(struct arena *arena, str *ret)
{
	struct ifaddrs *all = NULL;
	char text[INET_ADDRSTRLEN];
	int r = 0;
	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *at = all; at && r == 0 && ret->n == 0; at = at->ifa_next) {
		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET ||
		        (at->ifa_flags & IFF_LOOPBACK))
			continue;
		const struct sockaddr_in *in = (const void *)at->ifa_addr;
		if (inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)))
			r = arena_copy(arena, str_from_c(text), ret);
	}
	freeifaddrs(all);
	return r;
}

int platform_read(const char *root, struct arena *arena, struct platform *ret, struct err *err)
{
	struct platform made = { 0 };
	autobuf text = BUF(OS_RELEASE_MAX);
	autoclose int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[256] = "";
	if (dir < 0)
		return err_set(err, -errno, "%s: %m", root);
	int r = facts_read(dir, root, arena, &made.host);
	if (r == 0 && fs_read(dir, "etc/os-release", &text, NULL) < 0) {
		buf_clear(&text);
		(void)fs_read(dir, "usr/lib/os-release", &text, NULL);
	}
	if (r == 0)
		r = arena_copy(arena, find_name(buf_str(&text)), &made.name);
	made.version = made.host.os_version;
	if (r == 0 && gethostname(name, sizeof(name) - 1) == 0)
		r = arena_copy(arena, str_from_c(name), &made.computer);
	if (r == 0)
		r = find_address(arena, &made.address);
	if (r < 0)
		return err_set(err, r, "%s: what it says of itself is too long", root);
	*ret = made;
	return 0;
}

static void member(struct json_writer *w, const char *key, str value)
{
	if (value.n > 0 && str_is_utf8(value))
		json_write_member_str(w, key, value);
}

void platform_write(const struct platform *platform, const char *address_key, struct json_writer *w)
{
	member(w, "ComputerName", platform->computer);
	member(w, address_key, platform->address);
	member(w, "PlatformName", platform->name);
	json_write_member_str(w, "PlatformType", STR("Linux"));
	member(w, "PlatformVersion", platform->version);
}
