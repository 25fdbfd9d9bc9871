/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The turn: timers, then what threads posted and what descriptors say, then the soons, then the funerals, then sleep.
 *
 * Everything of the end of the turn happens in one uv_prepare callback, the last thing libuv does before it blocks;
 * timer and descriptor callbacks all run before it. So nothing asked for in a callback can be slept over.
 */
#include "loop/loop_int.h"
#include "base/alloc.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLOSE_ROUNDS 8 /* closing one handle may lead to closing another */

#define MEMORY_TRIES 100		/* a second of them, then there is no going on */
#define MEMORY_PAUSE_NS 10000000 /* between two */

/* A message, a burial or a deadline cannot be refused: whoever asks has no way back. Memory that is short may be there in a moment. */
void *loop_realloc(void *p, size_t n, size_t size)
{
	const struct timespec pause = { .tv_nsec = MEMORY_PAUSE_NS };
	bool is_countable = !size || n <= SIZE_MAX / size;
	void *q = is_countable ? alloc_realloc(p, n * size) : NULL;
	for (int i = 0; !q && is_countable && i < MEMORY_TRIES; i++) {
		(void)nanosleep(&pause, NULL);
		q = alloc_realloc(p, n * size);
	}
	if (!q) {
		log_error(NULL, "loop out of memory: bytes=%zu", n * size);
		abort();
	}
	return q;
}

/* libuv aborts where its tables cannot grow; so it gets what waits. */
static void *patient_malloc(size_t n)
{
	return loop_realloc(NULL, 1, n ? n : 1);
}

static void *patient_calloc(size_t count, size_t size)
{
	void *p = loop_realloc(NULL, count ? count : 1, size ? size : 1);
	return memset(p, 0, count * size);
}

static void *patient_realloc(void *p, size_t n)
{
	return loop_realloc(p, 1, n ? n : 1);
}

static void give_allocator(void)
{
	(void)uv_replace_allocator(patient_malloc, patient_realloc, patient_calloc, free);
}

/* ---- soons, burials and posts ---- */

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
	list_add_last(&l->soons, &s->link);
}

void loop_soon_cancel(struct loop_soon *s)
{
	if (!s->is_armed)
		return;
	s->is_armed = false;
	list_remove(&s->link);
}

void loop_free_later(struct loop *l, void *p, void (*fn)(void *p))
{
	if (l->n_graves == l->cap_graves) {
		l->cap_graves = l->cap_graves ? l->cap_graves * 2 : 64;
		l->graves = loop_realloc(l->graves, l->cap_graves, sizeof(l->graves[0]));
	}
	l->graves[l->n_graves++] = (struct loop_grave){ .p = p, .fn = fn };
}

static void run_soons(struct loop *l)
{
	for (int round = 0; round < LOOP_SOON_ROUNDS && !list_is_empty(&l->soons); round++) {
		struct list now;
		list_init(&now);
		list_splice(&now, &l->soons);
		while (!list_is_empty(&now)) {
			struct loop_soon *s = LIST_ENTRY(now.next, struct loop_soon, link);
			loop_soon_cancel(s);
			s->fn(s);
		}
	}
}

static void run_burials(struct loop *l)
{
	for (size_t i = 0; i < l->n_graves; i++) { /* a funeral may announce another one */
		struct loop_grave g = l->graves[i];
		g.fn(g.p);
	}
	l->n_graves = 0;
}

static void run_posted(struct loop *l)
{
	(void)pthread_mutex_lock(&l->posted_lock);
	struct loop_posted *p = l->posted_first;
	l->posted_first = l->posted_last = NULL;
	(void)pthread_mutex_unlock(&l->posted_lock);
	while (p) {
		struct loop_posted *next = p->next;
		p->fn(p->arg);
		free(p);
		p = next;
	}
}

void loop_post(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct loop_posted *p = loop_realloc(NULL, 1, sizeof(*p));

	*p = (struct loop_posted){ .fn = fn, .arg = arg };
	(void)pthread_mutex_lock(&l->posted_lock);
	bool was_empty = !l->posted_first;
	if (was_empty)
		l->posted_first = p;
	else
		l->posted_last->next = p;
	l->posted_last = p;
	if (was_empty) /* under the lock: the loop cannot be freed between the two */
		(void)uv_async_send(&l->bell);
	(void)pthread_mutex_unlock(&l->posted_lock);
}

static void on_bell(uv_async_t *bell)
{
	run_posted(CONTAINER_OF(bell, struct loop, bell));
}

static void on_spin(uv_idle_t *spin)
{
	(void)spin; /* being active is its whole work: libuv polls with a zero timeout then */
}

static void end_turn(struct loop *l)
{
	run_soons(l);
	run_burials(l);
	loop_timers_settle(l);
	if (!list_is_empty(&l->soons) || l->n_graves > 0)
		(void)uv_idle_start(&l->spin, on_spin);
	else
		(void)uv_idle_stop(&l->spin);
}

static void on_end_of_turn(uv_prepare_t *prepare)
{
	end_turn(CONTAINER_OF(prepare, struct loop, end_of_turn));
}

/* ---- the loop itself ---- */

struct loop *loop_new(struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void)pthread_once(&once, give_allocator);
	struct loop *l = alloc_calloc(1, sizeof(*l));
	if (!l) {
		err_set(e, ERR_NO_MEMORY, "no memory for an event loop");
		return NULL;
	}
	int code = uv_loop_init(&l->uv);
	if (code) {
		free(l);
		err_set(e, -code, "cannot start an event loop: %s", uv_strerror(code));
		return NULL;
	}
	list_init(&l->soons);
	list_init(&l->children);
	(void)pthread_mutex_init(&l->posted_lock, NULL);
	code = uv_async_init(&l->uv, &l->bell, on_bell);
	if (code) {
		(void)uv_loop_close(&l->uv);
		free(l);
		err_set(e, -code, "cannot start an event loop: %s", uv_strerror(code));
		return NULL;
	}
	(void)loop_timers_init(l);
	(void)uv_prepare_init(&l->uv, &l->end_of_turn);
	(void)uv_idle_init(&l->uv, &l->spin);
	(void)uv_prepare_start(&l->end_of_turn, on_end_of_turn);
	uv_unref((uv_handle_t *)&l->bell);
	uv_unref((uv_handle_t *)&l->end_of_turn);
	return l;
}

static bool has_work(struct loop *l)
{
	(void)pthread_mutex_lock(&l->posted_lock);
	bool has_posted = l->posted_first != NULL;
	(void)pthread_mutex_unlock(&l->posted_lock);
	return has_posted || !list_is_empty(&l->soons) || l->n_graves > 0 || uv_loop_alive(&l->uv);
}

int loop_run(struct loop *l)
{
	uv_update_time(&l->uv);
	while (!l->is_stopping && has_work(l)) {
		run_posted(l); /* libuv does not count the bell and the soons as reasons to run; we do */
		end_turn(l);
		if (!l->is_stopping)
			(void)uv_run(&l->uv, UV_RUN_DEFAULT);
	}
	l->is_stopping = false;
	run_burials(l);
	return 0;
}

void loop_stop(struct loop *l)
{
	l->is_stopping = true;
	uv_stop(&l->uv);
}

msec_t loop_now(struct loop *l)
{
	return (msec_t)uv_now(&l->uv);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	run_posted(l);
	loop_children_drop(l);
	run_burials(l);
	(void)uv_idle_stop(&l->spin);
	uv_close((uv_handle_t *)&l->bell, NULL);
	uv_close((uv_handle_t *)&l->end_of_turn, NULL);
	uv_close((uv_handle_t *)&l->spin, NULL);
	uv_close((uv_handle_t *)&l->clock, NULL);
	int code = UV_EBUSY;
	for (int i = 0; i < CLOSE_ROUNDS && code == UV_EBUSY; i++) { /* a left-over uv_stop() makes one of them idle */
		(void)uv_run(&l->uv, UV_RUN_NOWAIT);
		run_burials(l);
		code = uv_loop_close(&l->uv);
	}
	assert(code == 0); /* somebody left a descriptor, signal or child open */
	(void)code;
	loop_timers_done(l);
	(void)pthread_mutex_destroy(&l->posted_lock);
	free(l->graves);
	free(l);
}

/* ---- descriptors ---- */

struct loop_fd {
	uv_poll_t uv;
	struct loop *loop;
	void (*fn)(void *arg, unsigned events);
	void *arg;
	unsigned wanted;
};

static void free_handle(uv_handle_t *h)
{
	free(h->data);
}

struct loop_fd *loop_fd_open(struct loop *l, int fd, void (*fn)(void *arg, unsigned events), void *arg, struct err *e)
{
	struct loop_fd *f = alloc_calloc(1, sizeof(*f));
	if (!f) {
		err_set(e, ERR_NO_MEMORY, "no memory to watch a descriptor");
		return NULL;
	}
	*f = (struct loop_fd){ .loop = l, .fn = fn, .arg = arg };
	int code = uv_poll_init(&l->uv, &f->uv, fd);
	if (code) {
		free(f);
		err_set(e, -code, "cannot watch descriptor %d: %s", fd, uv_strerror(code));
		return NULL;
	}
	f->uv.data = f;
	return f;
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct loop_fd *f = p->data;
	unsigned happened = (events & UV_READABLE ? LOOP_READ : 0) | (events & UV_WRITABLE ? LOOP_WRITE : 0);

	if (status < 0) { /* libuv has stopped watching; the owner finds out why by reading or writing */
		happened = LOOP_READ | LOOP_WRITE;
		f->wanted = 0;
	}
	f->fn(f->arg, happened);
}

int loop_fd_want(struct loop_fd *f, unsigned events)
{
	if (events == f->wanted)
		return 0;
	f->wanted = events;
	if (!events)
		return uv_poll_stop(&f->uv);
	return uv_poll_start(&f->uv, (events & LOOP_READ ? UV_READABLE : 0) | (events & LOOP_WRITE ? UV_WRITABLE : 0),
			     on_poll);
}

void loop_fd_background(struct loop_fd *f)
{
	uv_unref((uv_handle_t *)&f->uv);
}

void loop_fd_close(struct loop_fd *f)
{
	if (!f)
		return;
	(void)uv_poll_stop(&f->uv);
	uv_close((uv_handle_t *)&f->uv, free_handle);
}

/* ---- signals ---- */

struct loop_signal {
	uv_signal_t uv;
	void (*fn)(void *arg, int signum);
	void *arg;
};

static void on_signal(uv_signal_t *uv, int signum)
{
	struct loop_signal *s = uv->data;
	s->fn(s->arg, signum);
}

struct loop_signal *loop_signal_open(struct loop *l, int signum, void (*fn)(void *arg, int signum), void *arg,
				     struct err *e)
{
	struct loop_signal *s = alloc_calloc(1, sizeof(*s));
	if (!s) {
		err_set(e, ERR_NO_MEMORY, "no memory to watch a signal");
		return NULL;
	}
	*s = (struct loop_signal){ .fn = fn, .arg = arg };
	int code = uv_signal_init(&l->uv, &s->uv);
	if (code) {
		free(s);
		err_set(e, -code, "cannot watch signal %d: %s", signum, uv_strerror(code));
		return NULL;
	}
	s->uv.data = s;
	code = uv_signal_start(&s->uv, on_signal, signum);
	if (code) {
		uv_close((uv_handle_t *)&s->uv, free_handle);
		err_set(e, -code, "cannot watch signal %d: %s", signum, uv_strerror(code));
		return NULL;
	}
	return s;
}

void loop_signal_close(struct loop_signal *s)
{
	if (!s)
		return;
	(void)uv_signal_stop(&s->uv);
	uv_close((uv_handle_t *)&s->uv, free_handle);
}
