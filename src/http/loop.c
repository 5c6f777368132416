/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines are a binary heap of all connections of the thread. A deadline that moves away, which
 * is what every request does, only changes a number: the connection keeps its place and is put
 * right when it comes to the top. So a deadline costs one heap operation per time-out and not two
 * per request.
 */
#include "http/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/conn.h"
#include "http/work.h"

#define EVENTS_MAX 256

static void place(struct io *io, size_t i, struct conn *conn)
{
	io->heap[i] = conn;
	conn->heap_at = i;
}

static void sift_up(struct io *io, struct conn *conn)
{
	size_t i = conn->heap_at;
	while (i > 0 && io->heap[(i - 1) / 2]->heap_ms > conn->heap_ms) {
		place(io, i, io->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(io, i, conn);
}

static void sift_down(struct io *io, struct conn *conn)
{
	size_t i = conn->heap_at;
	for (size_t child; (child = 2 * i + 1) < io->n_heap; i = child) {
		if (child + 1 < io->n_heap &&
		        io->heap[child + 1]->heap_ms < io->heap[child]->heap_ms)
			child++;
		if (io->heap[child]->heap_ms >= conn->heap_ms)
			break;
		place(io, i, io->heap[child]);
	}
	place(io, i, conn);
}

void io_set_deadline(struct conn *conn, int64_t deadline_ms)
{
	conn->deadline_ms = deadline_ms;
	if (deadline_ms >= conn->heap_ms)
		return;
	conn->heap_ms = deadline_ms;
	sift_up(conn->io, conn);
}

int io_add(struct io *io, struct conn *conn, int64_t deadline_ms)
{
	if (io->n_heap == io->heap_cap) {
		size_t cap = io->heap_cap ? io->heap_cap * 2 : 64;
		struct conn **grown = reallocarray(io->heap, cap, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		io->heap = grown;
		io->heap_cap = cap;
	}
	/* Edge-triggered: one call for the whole life of the connection. */
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		.data.ptr = conn };
	if (epoll_ctl(io->epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0)
		return -errno;
	conn->deadline_ms = conn->heap_ms = deadline_ms;
	place(io, io->n_heap++, conn);
	sift_up(io, conn);
	return 0;
}

void io_remove(struct conn *conn)
{
	struct io *io = conn->io;
	struct conn *last = io->heap[--io->n_heap];
	if (last != conn) {
		place(io, conn->heap_at, last);
		sift_up(io, last);
		sift_down(io, last);
	}
	struct conn **at = &io->ready;
	while (conn->is_ready && *at && *at != conn)
		at = &(*at)->next;
	if (conn->is_ready && *at)
		*at = conn->next;
	conn->is_ready = false;
}

void io_make_ready(struct conn *conn)
{
	if (conn->is_ready)
		return;
	conn->is_ready = true;
	conn->next = conn->io->ready;
	conn->io->ready = conn;
}

str io_date(struct io *io)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	struct timespec now;
	struct tm tm;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != io->date_at && gmtime_r(&now.tv_sec, &tm)) {
		(void)snprintf(io->date, sizeof(io->date), "%s, %02d %s %04d %02d:%02d:%02d GMT",
		        days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
		        tm.tm_hour, tm.tm_min, tm.tm_sec);
		io->date_at = now.tv_sec;
	}
	return str_from_c(io->date);
}

int io_open(struct http *http, struct io **ret)
{
	struct io *io = calloc(1, sizeof(*io));
	if (!io)
		return -ENOMEM;
	io->http = http;
	io->stop_at_ms = NEVER;
	io->mailbox.event_fd = -1;
	io->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int r = io->epoll_fd < 0 ? -errno : mailbox_open(&io->mailbox);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	if (r == 0 && epoll_ctl(io->epoll_fd, EPOLL_CTL_ADD, io->mailbox.event_fd, &event) < 0)
		r = -errno;
	if (r < 0)
		io_close(io);
	else
		*ret = io;
	return r;
}

void io_close(struct io *io)
{
	struct exchange *exchanges;
	struct conn *arrivals = NULL;
	if (!io)
		return;
	/* Exchanges in the mailbox are those of connections in the heap. */
	if (io->mailbox.event_fd >= 0)
		mailbox_take(&io->mailbox, &exchanges, &arrivals);
	while (arrivals) {
		struct conn *next = arrivals->next;
		conn_free(arrivals);
		arrivals = next;
	}
	while (io->n_heap > 0) {
		struct conn *conn = io->heap[io->n_heap - 1];
		io_remove(conn);
		conn_free(conn);
	}
	free(io->heap);
	mailbox_close(&io->mailbox);
	if (io->epoll_fd >= 0)
		(void)close(io->epoll_fd);
	free(io);
}

static void expire(struct io *io)
{
	while (io->n_heap > 0 && io->heap[0]->heap_ms <= io->now_ms) {
		struct conn *conn = io->heap[0];
		if (conn->deadline_ms <= io->now_ms) {
			/* Whatever is decided sets another deadline, or ends the connection. */
			conn->deadline_ms = NEVER;
			conn->heap_ms = NEVER;
			sift_down(io, conn);
			conn_expire(conn);
		} else {
			conn->heap_ms = conn->deadline_ms;
			sift_down(io, conn);
		}
	}
}

static void take_mail(struct io *io)
{
	struct exchange *exchanges;
	struct conn *arrivals;
	mailbox_take(&io->mailbox, &exchanges, &arrivals);
	while (arrivals) {
		struct conn *next = arrivals->next;
		if (io->stop_at_ms == NEVER)
			conn_begin(arrivals);
		else
			conn_free(arrivals);
		arrivals = next;
	}
	while (exchanges) {
		struct exchange *next = exchanges->next;
		exchanges->next = NULL;
		conn_return(exchanges->conn);
		exchanges = next;
	}
}

static void run_ready(struct io *io)
{
	/* Who becomes ready again waits for the next turn, behind the others. */
	struct conn *last = io->ready;
	while (last && last->next)
		last = last->next;
	for (bool is_last = !last; !is_last && io->ready;) {
		struct conn *conn = io->ready;
		io->ready = conn->next;
		conn->is_ready = false;
		is_last = conn == last;
		conn_turn(conn);
	}
}

static void begin_stop(struct io *io)
{
	io->stop_at_ms = io->now_ms + io->http->config.limits.stop_ms;
	/* A deadline that comes nearer moves a connection up in the heap, past the ones that were
	 * seen already: none is missed. */
	for (size_t i = 0; i < io->n_heap; i++)
		conn_stop(io->heap[i]);
}

static int wait_ms(const struct io *io)
{
	int64_t until = io->n_heap > 0 ? io->heap[0]->heap_ms : NEVER;
	if (io->ready)
		return 0;
	if (io->stop_at_ms < until)
		until = io->stop_at_ms;
	if (until == NEVER)
		return -1;
	int64_t ms = until - io->now_ms;
	return ms < 0 ? 0 : ms > 60000 ? 60000 : (int)ms;
}

static void serve(struct io *io, const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		struct conn *conn = events[i].data.ptr;
		uint64_t rings;
		if (conn)
			conn_event(conn, events[i].events);
		else if (read(io->mailbox.event_fd, &rings, sizeof(rings)) < 0)
			continue; /* another turn has read it */
	}
	take_mail(io);
	run_ready(io);
	expire(io);
}

void *io_run(void *arg)
{
	struct io *io = arg;
	struct epoll_event events[EVENTS_MAX];
	io->now_ms = clock_us() / 1000;
	while (io->stop_at_ms == NEVER || (io->n_heap > 0 && io->now_ms < io->stop_at_ms)) {
		int n = epoll_wait(io->epoll_fd, events, EVENTS_MAX, wait_ms(io));
		io->now_ms = clock_us() / 1000;
		if (io->stop_at_ms == NEVER && atomic_load(&io->http->is_stopping))
			begin_stop(io);
		serve(io, events, n);
	}
	return NULL;
}
