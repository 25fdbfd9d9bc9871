/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of loop/ know of each other. The only header that shows libuv. */
#pragma once
#include "loop/loop.h"

#include <pthread.h>
#include <uv.h>

#define LOOP_SOON_ROUNDS 16 /* soons that arm soons: so many rounds a turn, then the sockets get a look */

struct loop_grave {
	void *p;
	void (*fn)(void *p);
};

struct loop_posted {
	struct loop_posted *next;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t end_of_turn;
	uv_idle_t spin; /* active = do not sleep in this turn */
	uv_async_t bell;
	uv_timer_t clock;
	bool is_stopping;

	pthread_mutex_t posted_lock;
	struct loop_posted *posted_first, *posted_last;

	struct list soons;
	struct loop_grave *graves;
	size_t n_graves, cap_graves;

	struct loop_timer **heap; /* [1..n_timers]; [0] unused */
	size_t n_timers, cap_timers;
	uint64_t timer_order;
	msec_t clock_at; /* when the uv timer fires; INT64_MAX = not armed */

	struct list children;
};

void *loop_realloc(void *p, size_t n, size_t size); /* waits for memory up to a second, then aborts */
int loop_timers_init(struct loop *l);
void loop_timers_done(struct loop *l);
void loop_timers_settle(struct loop *l); /* end of turn: the uv timer stops when no timer runs */
void loop_children_drop(struct loop *l);
void loop_fd_background(struct loop_fd *f); /* watched, but no reason to keep running */
