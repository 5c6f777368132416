/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token bucket. What was used is the sum of the CPU clocks of the process and of the children
 * that run, and what the kernel has noted of those that have ended: all of them, whoever started
 * them, and what their end itself took, which no clock of theirs shows any more. What is allowed
 * grows with time at a rate R below the limit L, and may run ahead of what was used by at most a
 * burst B. Whoever finds more used than allowed sleeps until that is made good. If nobody is ever
 * more than an overshoot O ahead, then in any window of W seconds at most R*W + B + O is used, so R
 * is chosen as L - (B + O) / W.
 *
 * O is small because nobody relies on being woken to stop: each process has a timer on its own CPU
 * clock, which the kernel checks as it charges the time, so that a thread stops itself after a few
 * milliseconds of work even on a machine that has no time left for anybody else. On kernels that
 * charge by the tick this is one tick.
 *
 * The process that began it keeps the account. It shows a copy to the children on a page that they
 * share, and never reads that page: a hostile child deceives nobody but the other children, and is
 * still counted, because its clock is the kernel's. All of this is atomic, and lock-free, because
 * signal handlers touch it.
 */
#include "collect/pace.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define RATE_NS INT64_C(100000)

/* CPU time after which a thread looks at the account. */
#define SLICE_NS (2 * NS_PER_MS)

/* How often the account is looked at by those who ask all the time. */
#define LOOK_NS (NS_PER_MS / 2)

/* Longest sleep before it is looked at again: looking costs processor time, too, of which a low
 * limit leaves little. */
#define SLEEP_MAX_NS (250 * NS_PER_MS)

/* What is kept back of a window for bursts and for stopping late: a fixed part, which counts for
 * low limits, and a share, which covers several threads and a loaded machine. */
#define RESERVE_NS (8 * NS_PER_MS)
#define RESERVE_PCT 10
#define BURST_PCT 3

/* What the children see. */
struct board {
	atomic_llong origin_ns, used_ns;
	atomic_llong counted_ns[PACE_CHILDREN_MAX]; /* of used_ns: what is that child's */
};

struct child {
	atomic_int clock; /* 0: none */
	atomic_llong used_ns;
};

/* Of the process that began it; a child that has joined has a copy of its own. */
struct pace {
	unsigned limit_pct;
	int64_t rate; /* nanoseconds allowed in RATE_NS */
	int64_t burst_ns;
	atomic_llong origin_ns; /* when nothing was allowed yet */
	atomic_llong looked_ns;
	int64_t ended_ns; /* of children that had ended before it was begun */
	struct child children[PACE_CHILDREN_MAX];
	struct board *board;
	int index; /* of a child that has joined; -1: the process that began it */
	timer_t timer;
};

static int64_t read_clock(clockid_t id)
{
	struct timespec t = { 0 };
	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* What children used that have ended and were waited for, and children of theirs. */
static int64_t read_ended(void)
{
	struct rusage usage;
	if (getrusage(RUSAGE_CHILDREN, &usage) < 0)
		return 0;
	return ((int64_t)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
	       ((int64_t)usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
}

/* Look at all clocks, and show what they say. */
static int64_t used_by_all(struct pace *pace)
{
	int64_t sum = read_clock(CLOCK_PROCESS_CPUTIME_ID) + read_ended() - pace->ended_ns;
	for (unsigned i = 0; i < PACE_CHILDREN_MAX; i++) {
		struct child *child = &pace->children[i];
		clockid_t clock = atomic_load(&child->clock);
		if (clock == 0)
			continue;
		/* One that has ended has no clock any more: its last reading counts. */
		int64_t now = read_clock(clock);
		if (now > atomic_load(&child->used_ns))
			atomic_store(&child->used_ns, now);
		atomic_store(&pace->board->counted_ns[i], atomic_load(&child->used_ns));
		sum += atomic_load(&child->used_ns);
	}
	atomic_store(&pace->board->used_ns, sum);
	return sum;
}

static int64_t used(struct pace *pace)
{
	if (pace->index < 0)
		return used_by_all(pace);
	struct board *board = pace->board;
	return atomic_load(&board->used_ns) - atomic_load(&board->counted_ns[pace->index]) +
	       read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* How long to sleep; 0: not at all. Time that was not used is forgotten, but for the burst. */
static int64_t debt_ns(struct pace *pace, int64_t now)
{
	int64_t spent = used(pace);
	long long origin =
	        atomic_load(pace->index < 0 ? &pace->origin_ns : &pace->board->origin_ns);
	int64_t allowed = (now - origin) / RATE_NS * pace->rate;
	int64_t surplus = allowed - spent - pace->burst_ns;
	if (pace->index < 0 && surplus > 0) {
		/* Another thread that moves it at the same time does the same. */
		long long moved = origin + surplus / pace->rate * RATE_NS;
		if (atomic_compare_exchange_strong(&pace->origin_ns, &origin, moved))
			atomic_store(&pace->board->origin_ns, moved);
	}
	return allowed >= spent ? 0 : (spent - allowed) / pace->rate * RATE_NS;
}

bool pace_wait(struct pace *pace)
{
	if (!pace)
		return false;
	int64_t now = read_clock(CLOCK_MONOTONIC);
	if (now - atomic_load_explicit(&pace->looked_ns, memory_order_relaxed) < LOOK_NS)
		return false;
	int64_t sleep = debt_ns(pace, now);
	if (sleep < NS_PER_MS) {
		atomic_store_explicit(&pace->looked_ns, now, memory_order_relaxed);
		return false;
	}
	/* A parser may poll, but not sleep. */
	(void)poll(NULL, 0, (int)((sleep < SLEEP_MAX_NS ? sleep : SLEEP_MAX_NS) / NS_PER_MS));
	return true;
}

static void on_slice(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	int saved = errno;
	if (info->si_code == SI_TIMER) {
		while (pace_wait(info->si_value.sival_ptr))
			continue;
	}
	errno = saved;
}

/* Interrupt the calling thread after each slice of CPU time of its process. */
static int start_timer(struct pace *pace, timer_t *ret)
{
	struct sigaction action = { .sa_sigaction = on_slice, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGPROF };
	const struct itimerspec every = { { 0, SLICE_NS }, { 0, SLICE_NS } };
	timer_t timer;
	event.sigev_value.sival_ptr = pace;
	event._sigev_un._tid = (int)syscall(SYS_gettid);
	(void)sigemptyset(&action.sa_mask);
	sigset_t own;
	(void)sigemptyset(&own);
	(void)sigaddset(&own, SIGPROF);
	(void)pthread_sigmask(SIG_UNBLOCK, &own, NULL);
	if (sigaction(SIGPROF, &action, NULL) < 0 ||
	        timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) < 0)
		return -errno;
	if (timer_settime(timer, 0, &every, NULL) < 0) {
		int r = -errno;
		(void)timer_delete(timer);
		return r;
	}
	*ret = timer;
	return 0;
}

static void choose_rate(struct pace *pace, unsigned limit_pct)
{
	int64_t window = PACE_WINDOW_MS * NS_PER_MS / 100 * limit_pct;
	int64_t kept = RESERVE_NS + window / 100 * RESERVE_PCT;
	/* Below some percent the reserve would take it all. */
	int64_t rate = window - kept > window / 3 ? window - kept : window / 3;
	pace->rate = rate / (PACE_WINDOW_MS * NS_PER_MS / RATE_NS);
	pace->burst_ns = window / 100 * BURST_PCT;
}

static int refuse(int r, struct err *err)
{
	return err_set(err, r, "cannot hold the limit on processor time: %s", strerror(-r));
}

int pace_begin(unsigned limit_pct, struct pace **ret_pace, struct err *err)
{
	*ret_pace = NULL;
	if (limit_pct == 0)
		return 0;
	struct pace *pace = calloc(1, sizeof(*pace));
	if (!pace)
		return refuse(-ENOMEM, err);
	void *board = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE,
	        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED) {
		free(pace);
		return refuse(-ENOMEM, err);
	}
	pace->board = board;
	pace->index = -1;
	pace->limit_pct = limit_pct;
	pace->ended_ns = read_ended();
	choose_rate(pace, limit_pct);
	int64_t now = read_clock(CLOCK_MONOTONIC);
	atomic_store(&pace->origin_ns, now);
	atomic_store(&pace->board->origin_ns, now);
	int r = start_timer(pace, &pace->timer);
	if (r < 0) {
		(void)munmap(board, sizeof(struct board));
		free(pace);
		return refuse(r, err);
	}
	*ret_pace = pace;
	return 0;
}

int pace_join(struct pace *pace, unsigned index)
{
	if (!pace)
		return 0;
	pace->index = (int)index;
	return start_timer(pace, &pace->timer);
}

void pace_watch(struct pace *pace, unsigned index, int pid)
{
	clockid_t clock;
	if (!pace || pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 ||
	        atomic_load(&pace->children[index].clock) == clock)
		return;
	pace_leave(pace, index);
	atomic_store(&pace->children[index].clock, clock);
}

void pace_leave(struct pace *pace, unsigned index)
{
	if (!pace)
		return;
	struct child *child = &pace->children[index];
	atomic_store(&child->clock, 0);
	atomic_store(&child->used_ns, 0);
	atomic_store(&pace->board->counted_ns[index], 0);
}

unsigned pace_limit_pct(const struct pace *pace)
{
	return pace ? pace->limit_pct : 0;
}

void pace_end(struct pace *pace)
{
	if (!pace)
		return;
	(void)timer_delete(pace->timer);
	(void)munmap(pace->board, sizeof(struct board));
	free(pace);
}
