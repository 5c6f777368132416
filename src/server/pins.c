/* SPDX-License-Identifier: Apache-2.0 */
#include "server/pins.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct pin {
	const struct generation *generation; /* NULL: free */
	int64_t used_at;
};

struct pins {
	pthread_mutex_t lock; /* of the array */
	struct pin items[PINS_MAX];
};

int pins_open(struct pins **ret)
{
	struct pins *pins = calloc(1, sizeof(*pins));
	if (!pins)
		return -ENOMEM;
	if (pthread_mutex_init(&pins->lock, NULL) != 0) {
		free(pins);
		return -ENOMEM;
	}
	*ret = pins;
	return 0;
}

static void release(struct pin *pin)
{
	generation_drop(pin->generation);
	*pin = (struct pin){ 0 };
}

void pins_close(struct pins *pins)
{
	if (!pins)
		return;
	for (size_t i = 0; i < PINS_MAX; i++)
		release(&pins->items[i]);
	(void)pthread_mutex_destroy(&pins->lock);
	free(pins);
}

/* Its place, or the one that gives way for it; places whose time is over become free. Locked. */
static struct pin *place_of(struct pins *pins, uint64_t number, int64_t now_at)
{
	struct pin *oldest = &pins->items[0];
	for (size_t i = 0; i < PINS_MAX; i++) {
		struct pin *pin = &pins->items[i];
		if (pin->generation && pin->generation->number == number)
			return pin;
		if (pin->generation && pin->used_at + PINS_SECONDS < now_at)
			release(pin);
		if (!pin->generation || (oldest->generation && pin->used_at < oldest->used_at))
			oldest = pin;
	}
	return oldest;
}

void pins_hold(struct pins *pins, const struct generation *generation, int64_t now_at)
{
	(void)pthread_mutex_lock(&pins->lock);
	struct pin *pin = place_of(pins, generation->number, now_at);
	if (pin->generation && pin->generation->number != generation->number)
		release(pin);
	if (!pin->generation)
		pin->generation = generation_hold(generation);
	pin->used_at = now_at;
	(void)pthread_mutex_unlock(&pins->lock);
}

const struct generation *pins_find(struct pins *pins, uint64_t number, int64_t now_at)
{
	const struct generation *found = NULL;
	(void)pthread_mutex_lock(&pins->lock);
	struct pin *pin = place_of(pins, number, now_at);
	if (pin->generation && pin->generation->number == number) {
		pin->used_at = now_at;
		found = generation_hold(pin->generation);
	}
	(void)pthread_mutex_unlock(&pins->lock);
	return found;
}
