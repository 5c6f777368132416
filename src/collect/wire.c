/* SPDX-License-Identifier: Apache-2.0 */
#include "collect/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int wire_send(int socket, str packet, int fd)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)packet.p, .iov_len = packet.n };
	union control control = { .bytes = { 0 } };
	struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };
	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	for (;;) {
		ssize_t n = sendmsg(socket, &msg, MSG_NOSIGNAL);
		if (n >= 0)
			return (size_t)n == packet.n ? 0 : -EIO;
		if (errno != EINTR)
			return -errno;
	}
}

/* The first descriptor of a message; any further one is closed. */
static int take_fd(struct msghdr *msg)
{
	int found = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0);
		        at += sizeof(int)) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			if (found < 0)
				found = fd;
			else
				(void)close(fd);
		}
	}
	return found;
}

int wire_receive(int socket, struct buf *packet, int *ret_fd)
{
	buf_clear(packet);
	char *at = buf_reserve(packet, WIRE_MAX);
	if (!at)
		return -ENOMEM;
	struct iovec part = { .iov_base = at, .iov_len = WIRE_MAX };
	union control control = { .bytes = { 0 } };
	struct msghdr msg = { .msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n;
	do {
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	int fd = take_fd(&msg);
	if (n == 0 || (msg.msg_flags & MSG_TRUNC)) {
		if (fd >= 0)
			(void)close(fd);
		return n == 0 ? 0 : -EMSGSIZE;
	}
	packet->n = (size_t)n;
	*ret_fd = fd;
	return 1;
}

void wire_put_file(struct buf *out, enum wire_type type, const struct wire_file *file)
{
	buf_add_byte(out, (char)type);
	buf_add_u32(out, file->reader);
	buf_add_u32(out, (uint32_t)file->code);
	buf_add_u64(out, file->size_bytes);
	buf_add_u64(out, file->dev);
	buf_add_u64(out, file->ino);
	buf_add_str(out, file->path);
}

bool wire_get_file(struct cursor *cursor, struct wire_file *ret)
{
	struct wire_file file = { .reader = cursor_u32(cursor) };
	file.code = (int32_t)cursor_u32(cursor);
	file.size_bytes = cursor_u64(cursor);
	file.dev = cursor_u64(cursor);
	file.ino = cursor_u64(cursor);
	file.path = cursor_str(cursor);
	if (cursor_failed(cursor))
		return false;
	*ret = file;
	return true;
}

/* The strings of a package that travel, in wire order. */
#define PACKAGE_STRINGS 10
static void strings_of(struct package *pkg, str *ret[PACKAGE_STRINGS])
{
	str *const all[PACKAGE_STRINGS] = { &pkg->type, &pkg->name, &pkg->version, &pkg->arch,
		&pkg->source_name, &pkg->source_version, &pkg->module, &pkg->vendor, &pkg->licence,
		&pkg->note };
	memcpy(ret, all, sizeof(all));
}

bool wire_put_package(struct buf *out, const struct package *pkg)
{
	struct package copy = *pkg;
	str *strings[PACKAGE_STRINGS];
	strings_of(&copy, strings);
	for (size_t i = 0; i < PACKAGE_STRINGS; i++) {
		if (strings[i]->n > WIRE_STR_MAX)
			return false;
	}
	buf_add_byte(out, (char)WIRE_PACKAGE);
	buf_add_byte(out, (char)pkg->confidence);
	for (size_t i = 0; i < PACKAGE_STRINGS; i++)
		buf_add_str(out, *strings[i]);
	return true;
}

bool wire_get_package(struct cursor *cursor, struct package *ret)
{
	struct package pkg = { .name = { NULL, 0 } };
	str *strings[PACKAGE_STRINGS];
	strings_of(&pkg, strings);
	uint8_t confidence = cursor_u8(cursor);
	for (size_t i = 0; i < PACKAGE_STRINGS; i++)
		*strings[i] = cursor_str(cursor);
	if (cursor_failed(cursor) || confidence > CONFIDENCE_LOW)
		return false;
	if (pkg.type.n == 0 || pkg.name.n == 0 || pkg.version.n == 0)
		return false;
	pkg.confidence = (enum confidence)confidence;
	*ret = pkg;
	return true;
}
