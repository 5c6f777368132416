/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wake must not be lost between a handler's look at its data and the parking of the request.
 * Wakes are numbered. A handler's call notes the newest number before it looks; http_wake() takes
 * its number after the data was changed and enters it in the bucket under the bucket's lock, where
 * it also takes out who is parked. So a wake is either older than the call, which then saw the
 * data; or entered before the parking, which sees a number newer than the noted one and does not
 * park; or enters after the parking, and finds the request. Keys that share a bucket make a call
 * that was not needed, and no more harm.
 */
#include "http/work.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http/exchange.h"

int queue_open(struct queue *queue, size_t cap)
{
	struct exchange **ring = calloc(cap, sizeof(struct exchange *));
	if (!ring)
		return -ENOMEM;
	*queue = (struct queue){ .ring = ring, .cap = cap };
	/* Neither can fail with default attributes. */
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_cond_init(&queue->is_filled, NULL);
	return 0;
}

void queue_close(struct queue *queue)
{
	if (!queue->ring)
		return;
	free(queue->ring);
	(void)pthread_cond_destroy(&queue->is_filled);
	(void)pthread_mutex_destroy(&queue->lock);
	*queue = (struct queue){ .ring = NULL };
}

int queue_push(struct queue *queue, struct exchange *exchange)
{
	(void)pthread_mutex_lock(&queue->lock);
	bool has_room = queue->n < queue->cap;
	if (has_room)
		queue->ring[(queue->first + queue->n++) % queue->cap] = exchange;
	atomic_store_explicit(&queue->n_now, queue->n, memory_order_relaxed);
	bool is_awaited = has_room && queue->n_waiting > 0;
	(void)pthread_mutex_unlock(&queue->lock);
	if (is_awaited)
		(void)pthread_cond_signal(&queue->is_filled);
	return has_room ? 0 : -ERR_LIMIT;
}

static struct exchange *queue_pop(struct queue *queue)
{
	struct exchange *exchange = NULL;
	(void)pthread_mutex_lock(&queue->lock);
	while (queue->n == 0 && !queue->is_closed) {
		queue->n_waiting++;
		(void)pthread_cond_wait(&queue->is_filled, &queue->lock);
		queue->n_waiting--;
	}
	if (!queue->is_closed) {
		exchange = queue->ring[queue->first];
		queue->first = (queue->first + 1) % queue->cap;
		queue->n--;
		atomic_store_explicit(&queue->n_now, queue->n, memory_order_relaxed);
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return exchange;
}

void queue_stop(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->lock);
	queue->is_closed = true;
	(void)pthread_mutex_unlock(&queue->lock);
	(void)pthread_cond_broadcast(&queue->is_filled);
}

void *work_run(void *arg)
{
	struct http *http = arg;
	struct exchange *exchange;
	while ((exchange = queue_pop(&http->queue)) != NULL) {
		exchange_handle(exchange);
		mailbox_put_exchange(&exchange->io->mailbox, exchange);
	}
	return NULL;
}

int mailbox_open(struct mailbox *mailbox)
{
	*mailbox = (struct mailbox){ .event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	if (mailbox->event_fd < 0)
		return -errno;
	(void)pthread_mutex_init(&mailbox->lock, NULL);
	return 0;
}

void mailbox_close(struct mailbox *mailbox)
{
	if (mailbox->event_fd < 0)
		return;
	(void)close(mailbox->event_fd);
	(void)pthread_mutex_destroy(&mailbox->lock);
	mailbox->event_fd = -1;
}

void mailbox_ring(struct mailbox *mailbox)
{
	uint64_t one = 1;
	/* It fails only when the counter is full, and then the thread is awake. */
	ssize_t n = write(mailbox->event_fd, &one, sizeof(one));
	(void)n;
}

void mailbox_put_exchange(struct mailbox *mailbox, struct exchange *exchange)
{
	(void)pthread_mutex_lock(&mailbox->lock);
	bool was_empty = !mailbox->exchanges && !mailbox->arrivals;
	exchange->next = mailbox->exchanges;
	mailbox->exchanges = exchange;
	(void)pthread_mutex_unlock(&mailbox->lock);
	if (was_empty)
		mailbox_ring(mailbox);
}

void mailbox_put_arrival(struct mailbox *mailbox, struct conn *conn)
{
	(void)pthread_mutex_lock(&mailbox->lock);
	bool was_empty = !mailbox->exchanges && !mailbox->arrivals;
	conn->next = mailbox->arrivals;
	mailbox->arrivals = conn;
	(void)pthread_mutex_unlock(&mailbox->lock);
	if (was_empty)
		mailbox_ring(mailbox);
}

void mailbox_take(
        struct mailbox *mailbox, struct exchange **ret_exchanges, struct conn **ret_arrivals)
{
	(void)pthread_mutex_lock(&mailbox->lock);
	struct exchange *exchanges = mailbox->exchanges;
	struct conn *arrivals = mailbox->arrivals;
	mailbox->exchanges = NULL;
	mailbox->arrivals = NULL;
	(void)pthread_mutex_unlock(&mailbox->lock);
	*ret_exchanges = NULL;
	*ret_arrivals = NULL;
	while (exchanges) {
		struct exchange *next = exchanges->next;
		exchanges->next = *ret_exchanges;
		*ret_exchanges = exchanges;
		exchanges = next;
	}
	while (arrivals) {
		struct conn *next = arrivals->next;
		arrivals->next = *ret_arrivals;
		*ret_arrivals = arrivals;
		arrivals = next;
	}
}

int park_open(struct bucket **ret)
{
	struct bucket *buckets = calloc(PARK_BUCKETS, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < PARK_BUCKETS; i++)
		(void)pthread_mutex_init(&buckets[i].lock, NULL);
	*ret = buckets;
	return 0;
}

void park_close(struct bucket *buckets)
{
	for (size_t i = 0; buckets && i < PARK_BUCKETS; i++)
		(void)pthread_mutex_destroy(&buckets[i].lock);
	free(buckets);
}

/* Keys may be small numbers or pointers: multiply and take the upper bits. */
static struct bucket *bucket_of(const struct http *http, uint64_t key)
{
	return &http->buckets[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 54];
}

/* The bucket's lock is held. */
static void unlink_parked(struct exchange *exchange)
{
	*exchange->link = exchange->next;
	if (exchange->next)
		exchange->next->link = exchange->link;
	exchange->next = NULL;
	exchange->is_parked = false;
	(void)atomic_fetch_sub_explicit(&exchange->http->counters.parked, 1, memory_order_relaxed);
}

bool park_put(struct exchange *exchange)
{
	uint64_t key = exchange->response.defer_key;
	struct bucket *bucket = bucket_of(exchange->http, key);
	(void)pthread_mutex_lock(&bucket->lock);
	bool is_parked = key == 0 || bucket->last_wake <= exchange->wakes_seen;
	if (is_parked) {
		exchange->is_parked = true;
		exchange->next = bucket->first;
		exchange->link = &bucket->first;
		if (exchange->next)
			exchange->next->link = &exchange->next;
		bucket->first = exchange;
		COUNT(exchange->http, parked, 1);
	}
	(void)pthread_mutex_unlock(&bucket->lock);
	return is_parked;
}

bool park_take(struct exchange *exchange)
{
	struct bucket *bucket = bucket_of(exchange->http, exchange->response.defer_key);
	(void)pthread_mutex_lock(&bucket->lock);
	bool was_parked = exchange->is_parked;
	if (was_parked)
		unlink_parked(exchange);
	(void)pthread_mutex_unlock(&bucket->lock);
	return was_parked;
}

void http_wake(struct http *http, uint64_t key)
{
	if (key == 0)
		return;
	struct bucket *bucket = bucket_of(http, key);
	struct exchange *woken = NULL, *next;
	uint64_t number = atomic_fetch_add(&http->n_wakes, 1) + 1;
	(void)pthread_mutex_lock(&bucket->lock);
	if (number > bucket->last_wake)
		bucket->last_wake = number;
	for (struct exchange *at = bucket->first; at; at = next) {
		next = at->next;
		if (at->response.defer_key != key)
			continue;
		unlink_parked(at);
		at->next = woken;
		woken = at;
	}
	(void)pthread_mutex_unlock(&bucket->lock);
	for (struct exchange *at = woken; at; at = next) {
		next = at->next;
		mailbox_put_exchange(&at->io->mailbox, at);
	}
}
