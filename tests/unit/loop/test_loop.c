/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *new_loop(void)
{
	struct err e = ERR_INIT;
	struct loop *l = loop_new(&e);

	assert_non_null(l);
	return l;
}

TEST(a_loop_with_nothing_to_do_returns)
{
	struct loop *l = new_loop();

	assert_int_equal(loop_run(l), 0);
	assert_int_equal(loop_run(l), 0);
	loop_free(l);
}

/* ---- timers ---- */

struct ticking {
	struct loop_timer timer;
	int *log, *n;
	int id;
	struct loop_timer *other;
};

static void on_tick(struct loop_timer *t)
{
	struct ticking *k = CONTAINER_OF(t, struct ticking, timer);

	k->log[(*k->n)++] = k->id;
	if (k->other)
		loop_timer_stop(k->other);
}

TEST(timers_fire_in_order_of_time_then_of_starting)
{
	struct loop *l = new_loop();
	int log[8], n = 0;
	struct ticking k[5];
	static const int after[] = { 20, 5, 20, 0, 5 };

	for (int i = 0; i < 5; i++) {
		k[i] = (struct ticking){ .log = log, .n = &n, .id = i };
		loop_timer_init(l, &k[i].timer, on_tick);
		assert_false(loop_timer_is_running(&k[i].timer));
		assert_int_equal(loop_timer_start(&k[i].timer, after[i]), 0);
		assert_true(loop_timer_is_running(&k[i].timer));
	}
	loop_run(l);
	assert_int_equal(n, 5);
	for (int i = 1; i < 5; i++) { /* by what they were set to: the machine may dawdle between two starts */
		const struct loop_timer *x = &k[log[i - 1]].timer, *y = &k[log[i]].timer;
		assert_true(x->at < y->at || (x->at == y->at && x->order < y->order));
	}
	loop_free(l);
}

TEST(a_timer_may_stop_another_one_that_is_due)
{
	struct loop *l = new_loop();
	int log[8], n = 0;
	struct ticking a = { .log = log, .n = &n, .id = 1 }, b = { .log = log, .n = &n, .id = 2 };

	loop_timer_init(l, &a.timer, on_tick);
	loop_timer_init(l, &b.timer, on_tick);
	a.other = &b.timer;
	b.other = &a.timer;
	loop_timer_start(&a.timer, 1);
	loop_timer_start(&b.timer, 1);
	loop_run(l);
	assert_int_equal(n, 1);
	loop_free(l);
}

TEST(a_stopped_timer_keeps_no_loop_alive_and_moving_one_moves_it)
{
	struct loop *l = new_loop();
	int log[8], n = 0;
	struct ticking a = { .log = log, .n = &n, .id = 1 }, b = { .log = log, .n = &n, .id = 2 };

	loop_timer_init(l, &a.timer, on_tick);
	loop_timer_init(l, &b.timer, on_tick);
	loop_timer_start(&a.timer, 3600 * 1000);
	loop_timer_start(&b.timer, 3600 * 1000);
	loop_timer_start(&b.timer, 1);
	loop_timer_stop(&a.timer);
	loop_timer_stop(&a.timer);
	loop_run(l);
	assert_int_equal(n, 1);
	assert_int_equal(log[0], 2);
	loop_free(l);
}

#define MANY 20000

struct many {
	struct loop_timer timer;
	msec_t at;
};

static size_t many_fired;
static msec_t last_at;

static void on_many(struct loop_timer *t)
{
	struct many *m = CONTAINER_OF(t, struct many, timer);

	assert_true(m->at >= last_at);
	last_at = m->at;
	many_fired++;
}

TEST(the_heap_holds_under_random_starts_and_stops)
{
	struct loop *l = new_loop();
	struct many *m = calloc(MANY, sizeof(*m));
	unsigned seed = 1;
	size_t running = 0;

	for (size_t i = 0; i < MANY; i++)
		loop_timer_init(l, &m[i].timer, on_many);
	for (size_t i = 0; i < 20 * MANY; i++) {
		struct many *x = &m[(size_t)rand_r(&seed) % MANY];
		if (rand_r(&seed) % 3 == 0)
			loop_timer_stop(&x->timer);
		else
			loop_timer_start(&x->timer, rand_r(&seed) % 30);
		x->at = x->timer.at;
	}
	for (size_t i = 0; i < MANY; i++)
		running += loop_timer_is_running(&m[i].timer);
	loop_run(l);
	assert_int_equal(many_fired, running);
	free(m);
	loop_free(l);
}

struct again {
	struct loop_timer timer;
	int left;
};

static void on_again(struct loop_timer *t)
{
	struct again *a = CONTAINER_OF(t, struct again, timer);

	if (--a->left > 0)
		loop_timer_start(t, 0);
}

TEST(a_timer_that_starts_itself_lets_others_live)
{
	struct loop *l = new_loop();
	struct again a = { .left = 1000 }, b = { .left = 1000 };

	loop_timer_init(l, &a.timer, on_again);
	loop_timer_init(l, &b.timer, on_again);
	loop_timer_start(&a.timer, 0);
	loop_timer_start(&b.timer, 0);
	loop_run(l);
	assert_int_equal(a.left + b.left, 0);
	loop_free(l);
}

/* ---- soons and burials ---- */

struct soonish {
	struct loop_soon soon;
	struct loop *loop;
	int calls, again;
	struct soonish *cancels;
};

static void on_soonish(struct loop_soon *s)
{
	struct soonish *x = CONTAINER_OF(s, struct soonish, soon);

	x->calls++;
	if (x->calls < x->again)
		loop_soon(x->loop, s);
	if (x->cancels)
		loop_soon_cancel(&x->cancels->soon);
}

TEST(a_soon_asked_for_twice_runs_once_and_may_ask_again)
{
	struct loop *l = new_loop();
	struct soonish x = { .loop = l, .again = 1000 };

	loop_soon_init(&x.soon, on_soonish);
	loop_soon(l, &x.soon);
	loop_soon(l, &x.soon);
	assert_int_equal(x.calls, 0);
	loop_run(l);
	assert_int_equal(x.calls, 1000);
	loop_free(l);
}

TEST(a_soon_may_cancel_another_one_of_its_round)
{
	struct loop *l = new_loop();
	struct soonish x = { .loop = l }, y = { .loop = l };

	loop_soon_init(&x.soon, on_soonish);
	loop_soon_init(&y.soon, on_soonish);
	x.cancels = &y;
	loop_soon(l, &x.soon);
	loop_soon(l, &y.soon);
	loop_run(l);
	assert_int_equal(x.calls, 1);
	assert_int_equal(y.calls, 0);
	loop_free(l);
}

static int buried;

static void on_buried(void *p)
{
	buried++;
	free(p);
}

struct digger {
	struct loop_timer timer;
	struct loop *loop;
};

static void on_dig(struct loop_timer *t)
{
	struct digger *d = CONTAINER_OF(t, struct digger, timer);
	char *p = malloc(8);

	loop_free_later(d->loop, p, on_buried);
	memset(p, 1, 8); /* still ours for this turn */
	assert_int_equal(buried, 0);
}

TEST(the_dead_are_buried_at_the_end_of_the_turn)
{
	struct loop *l = new_loop();
	struct digger d = { .loop = l };

	buried = 0;
	loop_timer_init(l, &d.timer, on_dig);
	loop_timer_start(&d.timer, 1);
	loop_run(l);
	assert_int_equal(buried, 1);
	loop_free_later(l, malloc(1), on_buried);
	loop_free(l);
	assert_int_equal(buried, 2);
}

/* ---- posts ---- */

#define POSTS 20000
#define POSTERS 4

static atomic_int posted;
static struct loop *post_loop;

static void on_posted(void *arg)
{
	(void)arg;
	if (atomic_fetch_add(&posted, 1) + 1 == POSTS * POSTERS)
		loop_stop(post_loop);
}

static void *poster(void *arg)
{
	for (int i = 0; i < POSTS; i++)
		loop_post(arg, on_posted, NULL);
	return NULL;
}

static void on_forever(struct loop_timer *t)
{
	(void)t;
	fail_msg("a posted function was slept over");
}

TEST(posts_from_many_threads_all_arrive)
{
	struct loop *l = post_loop = new_loop();
	struct loop_timer forever;
	pthread_t threads[POSTERS];

	loop_timer_init(l, &forever, on_forever);
	loop_timer_start(&forever, 100000);
	for (int i = 0; i < POSTERS; i++)
		pthread_create(&threads[i], NULL, poster, l);
	loop_run(l);
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&posted), POSTS * POSTERS);
	loop_timer_stop(&forever);
	loop_free(l);
}

static int chain;

static void on_chain(void *arg)
{
	if (++chain < 100)
		loop_post(arg, on_chain, arg);
}

TEST(a_post_from_the_loop_itself_runs_though_nothing_else_waits)
{
	struct loop *l = new_loop();

	loop_post(l, on_chain, l);
	loop_run(l);
	assert_int_equal(chain, 100);
	loop_free(l);
}

/* ---- descriptors and signals ---- */

struct reader {
	struct loop_fd *f;
	int fd, got;
};

static void on_readable(void *arg, unsigned events)
{
	struct reader *r = arg;
	char bytes[16];
	ssize_t n = read(r->fd, bytes, sizeof(bytes));

	assert_true(events & LOOP_READ);
	if (n <= 0) {
		loop_fd_close(r->f);
		r->f = NULL;
		return;
	}
	r->got += (int)n;
}

TEST(a_descriptor_is_read_to_its_end)
{
	struct loop *l = new_loop();
	int pair[2];
	struct reader r = { 0 };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	r.fd = pair[0];
	r.f = loop_fd_open(l, pair[0], on_readable, &r, NULL);
	assert_non_null(r.f);
	assert_int_equal(loop_fd_want(r.f, LOOP_READ), 0);
	assert_int_equal(write(pair[1], "hello", 5), 5);
	close(pair[1]);
	loop_run(l);
	assert_int_equal(r.got, 5);
	assert_null(r.f);
	close(pair[0]);
	loop_free(l);
}

static struct loop_signal *watched;

static void on_signal(void *arg, int signum)
{
	*(int *)arg = signum;
	loop_signal_close(watched);
}

TEST(a_signal_arrives_in_the_loop)
{
	struct loop *l = new_loop();
	int got = 0;

	watched = loop_signal_open(l, SIGUSR1, on_signal, &got, NULL);
	assert_non_null(watched);
	raise(SIGUSR1);
	loop_run(l);
	assert_int_equal(got, SIGUSR1);
	loop_free(l);
}

static void stop_soon(struct loop_soon *s)
{
	struct soonish *x = CONTAINER_OF(s, struct soonish, soon);

	loop_stop(x->loop);
}

TEST(a_loop_stopped_at_any_moment_runs_again)
{
	struct loop *l = new_loop();
	struct soonish x = { .loop = l };
	int log[8], n = 0;
	struct ticking k = { .log = log, .n = &n, .id = 7 };

	loop_soon_init(&x.soon, stop_soon);
	loop_timer_init(l, &k.timer, on_tick);
	loop_timer_start(&k.timer, 1);
	loop_soon(l, &x.soon);
	loop_run(l);
	loop_run(l);
	assert_int_equal(n, 1);
	loop_soon(l, &x.soon);
	loop_run(l);
	loop_free(l);
}

RUN_TESTS(CLAIM(a_loop_with_nothing_to_do_returns), CLAIM(timers_fire_in_order_of_time_then_of_starting),
	  CLAIM(a_timer_may_stop_another_one_that_is_due), CLAIM(a_stopped_timer_keeps_no_loop_alive_and_moving_one_moves_it),
	  CLAIM(the_heap_holds_under_random_starts_and_stops), CLAIM(a_timer_that_starts_itself_lets_others_live),
	  CLAIM(a_soon_asked_for_twice_runs_once_and_may_ask_again), CLAIM(a_soon_may_cancel_another_one_of_its_round),
	  CLAIM(the_dead_are_buried_at_the_end_of_the_turn), CLAIM(posts_from_many_threads_all_arrive),
	  CLAIM(a_post_from_the_loop_itself_runs_though_nothing_else_waits), CLAIM(a_descriptor_is_read_to_its_end),
	  CLAIM(a_signal_arrives_in_the_loop), CLAIM(a_loop_stopped_at_any_moment_runs_again))
