/* SPDX-License-Identifier: Apache-2.0 */
#include "vulndb/pool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/fs.h"

#define THREADS_MAX 64u
#define LOCK_NAME ".lock"

struct pool {
	pthread_mutex_t lock; /* guards `next` */
	size_t next, n_jobs;
	void (*run)(void *ctx, size_t i);
	void *ctx;
};

static void *work(void *arg)
{
	struct pool *pool = arg;
	for (;;) {
		(void)pthread_mutex_lock(&pool->lock);
		size_t i = pool->next < pool->n_jobs ? pool->next++ : pool->n_jobs;
		(void)pthread_mutex_unlock(&pool->lock);
		if (i == pool->n_jobs)
			return NULL;
		pool->run(pool->ctx, i);
	}
}

static unsigned usable_cpus(void)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

void pool_run(unsigned n_threads, size_t n_jobs, void (*run)(void *ctx, size_t i), void *ctx)
{
	struct pool pool = { .n_jobs = n_jobs, .run = run, .ctx = ctx };
	pthread_t threads[THREADS_MAX];
	unsigned n = 0;
	if (n_threads == 0)
		n_threads = usable_cpus();
	if (n_threads > THREADS_MAX)
		n_threads = THREADS_MAX;
	(void)pthread_mutex_init(&pool.lock, NULL);
	/* one that cannot be started is one less */
	while (n + 1 < n_threads && n + 1 < n_jobs &&
	        pthread_create(&threads[n], NULL, work, &pool) == 0)
		n++;
	(void)work(&pool);
	for (unsigned i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	(void)pthread_mutex_destroy(&pool.lock);
}

static void remove_leftovers(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		str name = str_from_c(e->d_name);
		if (str_has_prefix(name, STR(".")) && str_has_suffix(name, STR(".new")))
			(void)unlinkat(dir_fd, e->d_name, 0);
	}
	(void)closedir(dir);
}

int pool_lock_folder(int dir_fd, const char *path, struct err *err)
{
	autoclose int fd = openat(
	        dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return err_set(err, -errno, "%s: cannot write: %s", path, strerror(errno));
	/* not readable by others, who could hold it for ever */
	while (flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_set(err, -errno, "%s: cannot lock: %s", path, strerror(errno));
	}
	remove_leftovers(dir_fd);
	int held = fd;
	fd = -1;
	return held;
}
