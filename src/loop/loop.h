/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one thread, libuv behind it. Contract of everything asynchronous in Weir: starting returns a handle; its
 * callback runs once, later, from the loop, never inside the starter; after cancel it does not run at all.
 */
#pragma once
#include "base/err.h"
#include "base/list.h"
#include "base/num.h"

struct loop;

struct loop *loop_new(struct err *e);
void loop_free(struct loop *l);	   /* everything on it must be closed; runs the pending burials */
int loop_run(struct loop *l);	   /* until loop_stop() or nothing is left to wait for */
void loop_stop(struct loop *l);	   /* from the loop's thread */
msec_t loop_now(struct loop *l);   /* monotonic, as of this turn */

/* Run fn(arg) later in the loop's thread. Callable from any thread; never fails (allocation failure aborts: the caller has no way on). */
void loop_post(struct loop *l, void (*fn)(void *arg), void *arg);
/* Bury: fn(p) runs at the end of this turn. Loop's thread only. */
void loop_free_later(struct loop *l, void *p, void (*fn)(void *p));

/*
 * Idle hook: an embedded struct; loop_soon() asks for one call at the end of this turn, before the loop blocks. Asking twice gives one
 * call. The cheap way to batch ("flush what this turn has gathered"). Loop's thread only.
 */
struct loop_soon {
	struct list link;
	void (*fn)(struct loop_soon *s);
	bool is_armed;
};
void loop_soon_init(struct loop_soon *s, void (*fn)(struct loop_soon *s));
void loop_soon(struct loop *l, struct loop_soon *s);
void loop_soon_cancel(struct loop_soon *s);

/* Timers; the struct is embedded and may be stopped, restarted or abandoned (after stop) freely: it is no libuv handle. */
struct loop_timer {
	struct loop *loop;
	void (*fn)(struct loop_timer *t);
	msec_t at;
	size_t heap_index; /* 0 = not running */
	uint64_t order;
};
void loop_timer_init(struct loop *l, struct loop_timer *t, void (*fn)(struct loop_timer *t));
int loop_timer_start(struct loop_timer *t, msec_t after); /* once; restarting moves it. 0: memory for it is waited for */
void loop_timer_stop(struct loop_timer *t);
static inline bool loop_timer_is_running(const struct loop_timer *t)
{
	return t->heap_index != 0;
}

/* Watch a descriptor. The handle is freed by loop_fd_close() at the end of the turn; the descriptor is the caller's to close after it. */
enum loop_fd_events { LOOP_READ = BIT(0), LOOP_WRITE = BIT(1) };
struct loop_fd;
struct loop_fd *loop_fd_open(struct loop *l, int fd, void (*fn)(void *arg, unsigned events), void *arg, struct err *e);
int loop_fd_want(struct loop_fd *f, unsigned events); /* 0 = none */
void loop_fd_close(struct loop_fd *f);

/* Signals: fn(arg, signum) from the loop. */
struct loop_signal;
struct loop_signal *loop_signal_open(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg, struct err *e);
void loop_signal_close(struct loop_signal *s);

/*
 * Child processes: start argv[0] with exactly this environment, stdin/stdout from /dev/null, stderr inherited, and `fds` (n of them)
 * as descriptors 3, 4, ... The child dies with us (PR_SET_PDEATHSIG). on_exit runs once from the loop.
 */
struct loop_child;
struct loop_child *loop_child_start(struct loop *l, const char *path, char *const argv[], char *const env[], const int *fds, size_t n,
				    void (*on_exit)(void *arg, int exit_status, int term_signal), void *arg, struct err *e);
int loop_child_pid(const struct loop_child *c);
void loop_child_kill(struct loop_child *c, int signum);
void loop_child_forget(struct loop_child *c); /* on_exit will not run; the child is reaped all the same */
