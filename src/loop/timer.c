/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers: a binary heap of embedded structs over one libuv timer. Starting and stopping touches the heap alone unless
 * the earliest timer moved forward, so that arming a timeout per HTTP call costs nanoseconds.
 */
#include "loop/loop_int.h"

#include <stdlib.h>

#define NOT_ARMED INT64_MAX

static bool is_before(const struct loop_timer *x, const struct loop_timer *y)
{
	return x->at < y->at || (x->at == y->at && x->order < y->order);
}

static void place(struct loop *l, struct loop_timer *t, size_t i)
{
	l->heap[i] = t;
	t->heap_index = i;
}

static void sift_up(struct loop *l, struct loop_timer *t, size_t i)
{
	while (i > 1 && is_before(t, l->heap[i / 2])) {
		place(l, l->heap[i / 2], i);
		i /= 2;
	}
	place(l, t, i);
}

static void sift_down(struct loop *l, struct loop_timer *t, size_t i)
{
	for (;;) {
		size_t child = 2 * i;
		if (child > l->n_timers)
			break;
		if (child < l->n_timers && is_before(l->heap[child + 1], l->heap[child]))
			child++;
		if (!is_before(l->heap[child], t))
			break;
		place(l, l->heap[child], i);
		i = child;
	}
	place(l, t, i);
}

static void on_clock(uv_timer_t *clock);

static void arm_clock(struct loop *l)
{
	msec_t now = (msec_t)uv_now(&l->uv);
	msec_t at = l->heap[1]->at;

	l->clock_at = at;
	(void)uv_timer_start(&l->clock, on_clock, at > now ? (uint64_t)(at - now) : 0, 0);
}

static void on_clock(uv_timer_t *clock)
{
	struct loop *l = CONTAINER_OF(clock, struct loop, clock);
	msec_t now = (msec_t)uv_now(&l->uv);
	uint64_t newest = l->timer_order; /* those started from here on wait for the next turn */

	l->clock_at = NOT_ARMED;
	while (l->n_timers > 0 && l->heap[1]->at <= now && l->heap[1]->order <= newest) {
		struct loop_timer *t = l->heap[1];
		loop_timer_stop(t);
		t->fn(t);
	}
	if (l->n_timers > 0 && l->heap[1]->at < l->clock_at)
		arm_clock(l);
}

int loop_timers_init(struct loop *l)
{
	l->clock_at = NOT_ARMED;
	return uv_timer_init(&l->uv, &l->clock);
}

void loop_timers_done(struct loop *l)
{
	free(l->heap);
	l->heap = NULL;
}

void loop_timers_settle(struct loop *l)
{
	if (l->n_timers == 0 && l->clock_at != NOT_ARMED) {
		(void)uv_timer_stop(&l->clock);
		l->clock_at = NOT_ARMED;
	}
}

void loop_timer_init(struct loop *l, struct loop_timer *t, void (*fn)(struct loop_timer *t))
{
	*t = (struct loop_timer){ .loop = l, .fn = fn };
}

static void reserve(struct loop *l)
{
	if (l->n_timers + 1 < l->cap_timers)
		return;
	size_t cap = l->cap_timers ? l->cap_timers * 2 : 64;
	l->heap = loop_realloc(l->heap, cap, sizeof(struct loop_timer *));
	l->cap_timers = cap;
}

int loop_timer_start(struct loop_timer *t, msec_t after)
{
	struct loop *l = t->loop;
	/* The time now, not the turn's: after a long turn a deadline must not be over before it began. */
	msec_t now = (msec_t)(uv_hrtime() / 1000000);

	if (after < 0)
		after = 0;
	loop_timer_stop(t);
	reserve(l);
	t->at = after > INT64_MAX / 2 ? INT64_MAX / 2 : now + after;
	t->order = ++l->timer_order;
	sift_up(l, t, ++l->n_timers);
	if (l->heap[1]->at < l->clock_at)
		arm_clock(l);
	return 0;
}

void loop_timer_stop(struct loop_timer *t)
{
	struct loop *l = t->loop;
	size_t i = t->heap_index;

	if (i == 0)
		return;
	t->heap_index = 0;
	struct loop_timer *last = l->heap[l->n_timers--];
	if (last == t)
		return;
	if (i > 1 && is_before(last, l->heap[i / 2]))
		sift_up(l, last, i);
	else
		sift_down(l, last, i);
}
