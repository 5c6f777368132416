/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * Between io threads and workers: the queue of complete requests, the mailboxes in which exchanges
 * come back, and the parked requests of deferrals.
 */

#include "http/core.h"

/** Prepare the queue. Returns: 0; -ENOMEM */
int queue_open(struct queue *queue, size_t cap);

/** Release it; what is in it belongs to its connections. A zeroed queue is a no-op. */
void queue_close(struct queue *queue);

/** Add a request. Returns: 0; -ERR_LIMIT when the queue is full */
int queue_push(struct queue *queue, struct exchange *exchange);

/** Let every worker end when it has nothing in hand. */
void queue_stop(struct queue *queue);

/** A worker's thread: handles requests until queue_stop(). In: http  struct http. Returns: NULL */
void *work_run(void *http);

/** Prepare a mailbox. Returns: 0; -errno */
int mailbox_open(struct mailbox *mailbox);

/** Release it. One that was never opened has event_fd -1 and is a no-op. */
void mailbox_close(struct mailbox *mailbox);

/** Hand an exchange to its io thread. Threads: any */
void mailbox_put_exchange(struct mailbox *mailbox, struct exchange *exchange);

/** Hand a new connection over. Threads: any */
void mailbox_put_arrival(struct mailbox *mailbox, struct conn *conn);

/** Wake the thread up, without a message. Threads: any */
void mailbox_ring(struct mailbox *mailbox);

/** Take everything. Out: ret_exchanges, ret_arrivals  lists, oldest first */
void mailbox_take(
        struct mailbox *mailbox, struct exchange **ret_exchanges, struct conn **ret_arrivals);

/** Prepare the lists of parked requests. Out: ret  release with park_close(). Returns: 0; -ENOMEM
 */
int park_open(struct bucket **ret);

/** Release them. NULL is a no-op. */
void park_close(struct bucket *buckets);

/**
 * Park an exchange under its response's key.
 *
 * Returns: false, and it is not parked, when a wake came after the handler began to look
 */
bool park_put(struct exchange *exchange);

/** Take an exchange out. Returns: false when a wake was faster: it is on its way to the mailbox */
bool park_take(struct exchange *exchange);
