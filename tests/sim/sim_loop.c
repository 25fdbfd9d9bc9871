/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop/loop.h over time that jumps: linked instead of src/loop/loop.c and timer.c. The same order in a turn (posts,
 * timers and the world, then soons, then burials); a post takes its time, as a thread does.
 */
#include "loop/loop_int.h"
#include "sim.h"

#define TURN_NS 50000	/* a turn takes up to */
#define POST_NS 3000000 /* a message from another thread takes up to */
#define TIMERS_MAX 4096

struct post {
	struct post *next;
	uint64_t at;
	void (*fn)(void *arg);
	void *arg;
};

struct grave {
	struct grave *next;
	void *p;
	void (*fn)(void *p);
};

static struct {
	struct list soons;
	struct post *posts, *last_post;
	struct grave *graves, *last_grave;
	struct loop_timer *timers[TIMERS_MAX];
	size_t n_timers;
	uint64_t order, turn_at;
	bool is_stopping;
} lp;

void *loop_realloc(void *p, size_t n, size_t size)
{
	void *q = realloc(p, n * (size ? size : 1));
	if (!q)
		abort();
	return q;
}

struct loop *loop_new(struct err *e)
{
	static struct loop only; /* a name; what it holds is in lp */
	memset(&lp, 0, sizeof(lp));
	list_init(&lp.soons);
	lp.turn_at = sim.now;
	return &only;
}

static void run_burials(void)
{
	for (struct grave *g; (g = lp.graves);) {
		lp.graves = g->next;
		if (!lp.graves)
			lp.last_grave = NULL;
		g->fn(g->p);
		free(g);
	}
}

static void run_posts(bool all)
{
	for (struct post *p; (p = lp.posts) && (all || p->at <= sim.now);) {
		lp.posts = p->next;
		if (!lp.posts)
			lp.last_post = NULL;
		p->fn(p->arg);
		free(p);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	run_posts(true);
	run_burials();
	if (!list_is_empty(&lp.soons) || lp.n_timers)
		sim_fail("the loop ends with %zu timers running", lp.n_timers);
}

static void run_soons(void)
{
	struct list now;
	list_init(&now);
	list_splice(&now, &lp.soons);
	while (!list_is_empty(&now)) {
		struct loop_soon *s = LIST_ENTRY(now.next, struct loop_soon, link);
		loop_soon_cancel(s);
		s->fn(s);
	}
}

static struct loop_timer *first_timer(void)
{
	struct loop_timer *first = NULL;
	for (size_t i = 0; i < lp.n_timers; i++) {
		struct loop_timer *t = lp.timers[i];
		if (!first || t->at < first->at || (t->at == first->at && t->order < first->order))
			first = t;
	}
	return first;
}

/* When the next thing happens; UINT64_MAX = never. */
static uint64_t next_at(void)
{
	uint64_t at = UINT64_MAX, event;
	struct loop_timer *t = first_timer();
	if (t)
		at = (uint64_t)t->at * 1000000;
	if (lp.posts && lp.posts->at < at)
		at = lp.posts->at;
	if (sim_next_event(&event) && event < at)
		at = event;
	return at;
}

static void run_due(void)
{
	uint64_t event, newest = lp.order;
	while (!lp.is_stopping && sim_next_event(&event) && event <= sim.now)
		sim_do_event();
	for (struct loop_timer *t; !lp.is_stopping && (t = first_timer());) {
		if ((uint64_t)t->at * 1000000 > sim.now || t->order > newest)
			break;
		loop_timer_stop(t);
		t->fn(t);
	}
	if (!lp.is_stopping)
		run_posts(false);
}

int loop_run(struct loop *l)
{
	while (!lp.is_stopping) {
		if (++sim.n_turns > SIM_TURNS_MAX)
			sim_fail("the loop turns and turns: %" PRIu64 " turns", sim.n_turns);
		run_soons();
		run_burials();
		if (lp.is_stopping)
			break;
		if (list_is_empty(&lp.soons)) {
			uint64_t at = next_at();
			if (at == UINT64_MAX)
				break;
			if (at > sim.now)
				sim.now = at;
		}
		sim.now += sim_dice(TURN_NS);
		lp.turn_at = sim.now;
		if (sim.now > SIM_LIFE_MAX)
			sim_fail("the run hangs: a day has passed");
		if (sim.turns_left && --sim.turns_left == 0)
			lp.is_stopping = true;
		else
			run_due();
	}
	lp.is_stopping = false;
	run_burials();
	return 0;
}

void loop_stop(struct loop *l)
{
	lp.is_stopping = true;
}

msec_t loop_now(struct loop *l)
{
	return (msec_t)(lp.turn_at / 1000000);
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct post *p = loop_realloc(NULL, 1, sizeof(*p));
	uint64_t at = sim.now + sim_dice(POST_NS);
	if (lp.last_post && lp.last_post->at > at)
		at = lp.last_post->at;
	*p = (struct post){ .at = at, .fn = fn, .arg = arg };
	if (lp.last_post)
		lp.last_post->next = p;
	else
		lp.posts = p;
	lp.last_post = p;
}

void loop_free_later(struct loop *l, void *p, void (*fn)(void *p))
{
	struct grave *g = loop_realloc(NULL, 1, sizeof(*g));
	*g = (struct grave){ .p = p, .fn = fn };
	if (lp.last_grave)
		lp.last_grave->next = g;
	else
		lp.graves = g;
	lp.last_grave = g;
}

void loop_soon_init(struct loop_soon *s, void (*fn)(struct loop_soon *s))
{
	list_init(&s->link);
	s->fn = fn;
	s->is_armed = false;
}

void loop_soon(struct loop *l, struct loop_soon *s)
{
	if (s->is_armed)
		return;
	s->is_armed = true;
	list_add_last(&lp.soons, &s->link);
}

void loop_soon_cancel(struct loop_soon *s)
{
	if (!s->is_armed)
		return;
	s->is_armed = false;
	list_remove(&s->link);
}

void loop_timer_init(struct loop *l, struct loop_timer *t, void (*fn)(struct loop_timer *t))
{
	*t = (struct loop_timer){ .loop = l, .fn = fn };
}

int loop_timer_start(struct loop_timer *t, msec_t after)
{
	loop_timer_stop(t);
	if (lp.n_timers == TIMERS_MAX)
		abort();
	t->at = (msec_t)(sim.now / 1000000) + (after < 0 ? 0 : after);
	t->order = ++lp.order;
	lp.timers[lp.n_timers++] = t;
	t->heap_index = lp.n_timers;
	return 0;
}

void loop_timer_stop(struct loop_timer *t)
{
	if (!t->heap_index)
		return;
	struct loop_timer *last = lp.timers[--lp.n_timers];
	lp.timers[t->heap_index - 1] = last;
	last->heap_index = t->heap_index;
	t->heap_index = 0;
}

/* ---- what nothing in a simulated flow asks for, but what it is linked with names ---- */

#define NOT_HERE sim_fail("%s: the simulation has no descriptors, signals or children", __func__)

struct loop_fd *loop_fd_open(struct loop *l, int fd, void (*fn)(void *arg, unsigned events), void *arg, struct err *e)
{
	NOT_HERE;
}

int loop_fd_want(struct loop_fd *f, unsigned events)
{
	NOT_HERE;
}

void loop_fd_close(struct loop_fd *f)
{
	NOT_HERE;
}

void loop_fd_background(struct loop_fd *f)
{
	NOT_HERE;
}

struct loop_signal *loop_signal_open(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg,
				     struct err *e)
{
	NOT_HERE;
}

void loop_signal_close(struct loop_signal *s)
{
	NOT_HERE;
}
