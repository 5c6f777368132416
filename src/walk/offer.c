/* SPDX-License-Identifier: Apache-2.0 */
#include "walk/offer.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "walk/walk.h"

int offers_init(struct offers *offers, size_t cap)
{
	*offers = (struct offers){ .cap = cap, .event = -1 };
	(void)pthread_mutex_init(
	        &offers->lock, NULL); /* neither can fail with default attributes */
	(void)pthread_cond_init(&offers->not_full, NULL);
	offers->files = calloc(cap, sizeof(struct walk_file *));
	if (!offers->files)
		return -ENOMEM;
	offers->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return offers->event >= 0 ? 0 : -errno;
}

void offers_fini(struct offers *offers)
{
	for (; offers->n > 0; offers->n--) {
		walk_file_free(offers->files[offers->first]);
		offers->first = (offers->first + 1) % offers->cap;
	}
	free(offers->files);
	if (offers->event >= 0)
		(void)close(offers->event);
	(void)pthread_cond_destroy(&offers->not_full);
	(void)pthread_mutex_destroy(&offers->lock);
}

/* Make the event readable. Its counter never comes near its limit: it is raised only from zero or
 * at the end. */
static void raise_event(const struct offers *offers)
{
	const uint64_t one = 1;
	ssize_t n = write(offers->event, &one, sizeof(one));
	(void)n;
}

static void clear_event(const struct offers *offers)
{
	uint64_t count;
	ssize_t n = read(offers->event, &count, sizeof(count));
	(void)n;
}

bool offers_put(struct offers *offers, struct walk_file *const *files, size_t n)
{
	size_t done = 0;
	(void)pthread_mutex_lock(&offers->lock);
	while (done < n && !offers->is_stopped) {
		if (offers->n == offers->cap) {
			(void)pthread_cond_wait(&offers->not_full, &offers->lock);
			continue;
		}
		offers->files[(offers->first + offers->n) % offers->cap] = files[done++];
		if (offers->n++ == 0)
			raise_event(offers);
	}
	(void)pthread_mutex_unlock(&offers->lock);
	for (size_t i = done; i < n; i++)
		walk_file_free(files[i]);
	return done == n;
}

int offers_take(struct offers *offers, struct walk_file **ret)
{
	int r = -EAGAIN;
	(void)pthread_mutex_lock(&offers->lock);
	if (offers->n > 0) {
		*ret = offers->files[offers->first];
		offers->first = (offers->first + 1) % offers->cap;
		if (--offers->n == 0 && !offers->is_over)
			clear_event(offers);
		(void)pthread_cond_signal(&offers->not_full);
		r = 1;
	} else if (offers->is_over) {
		r = 0;
	}
	(void)pthread_mutex_unlock(&offers->lock);
	return r;
}

void offers_end(struct offers *offers)
{
	(void)pthread_mutex_lock(&offers->lock);
	offers->is_over = true;
	raise_event(offers);
	(void)pthread_mutex_unlock(&offers->lock);
}

void offers_stop(struct offers *offers)
{
	(void)pthread_mutex_lock(&offers->lock);
	offers->is_stopped = true;
	(void)pthread_cond_broadcast(&offers->not_full);
	(void)pthread_mutex_unlock(&offers->lock);
}
