/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks of accounts: a list of those that are held, so that two accounts never share one and a
 * thread that holds two cannot meet itself. A thread holds an account for the time of a commit;
 * there are as many at once as there are workers, so that the list is short.
 */
#include "server/inside.h"

void locks_init(struct server_inside *inside)
{
	(void)pthread_mutex_init(&inside->locks_mutex, NULL);
	(void)pthread_cond_init(&inside->locks_freed, NULL);
}

void locks_fini(struct server_inside *inside)
{
	(void)pthread_mutex_destroy(&inside->locks_mutex);
	(void)pthread_cond_destroy(&inside->locks_freed);
}

static size_t place(const struct server_inside *inside, int64_t account)
{
	size_t i = 0;
	while (i < inside->n_locked && inside->locked[i] != account)
		i++;
	return i;
}

void account_lock(struct server *server, int64_t account)
{
	struct server_inside *inside = server->inside;
	(void)pthread_mutex_lock(&inside->locks_mutex);
	while (place(inside, account) < inside->n_locked || inside->n_locked == ACCOUNT_LOCKS_MAX)
		(void)pthread_cond_wait(&inside->locks_freed, &inside->locks_mutex);
	inside->locked[inside->n_locked++] = account;
	(void)pthread_mutex_unlock(&inside->locks_mutex);
}

void account_unlock(struct server *server, int64_t account)
{
	struct server_inside *inside = server->inside;
	(void)pthread_mutex_lock(&inside->locks_mutex);
	size_t i = place(inside, account);
	if (i < inside->n_locked)
		inside->locked[i] = inside->locked[--inside->n_locked];
	(void)pthread_cond_broadcast(&inside->locks_freed);
	(void)pthread_mutex_unlock(&inside->locks_mutex);
}
