/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names become addresses in threads, for getaddrinfo() takes its time and cannot be called off. The threads belong to
 * the process and are never waited for; a question that nobody has any more is answered into the void. What they found
 * is believed for half a minute.
 */
#include "http/h1_int.h"
#include "base/alloc.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define THREADS_MAX 4
#define QUEUE_MAX 256
#define HOST_MAX 254 /* with the dot at its end */

/* One question. Fields above the line are the threads' and under the lock; `name` is the loop's alone. */
struct job {
	struct job *next;
	struct loop *loop; /* NULL = nobody waits any more */
	/* ---- */
	struct h1_name *name; /* NULL = as above, found out later */
	int code;	      /* 0 or an HTTP_ERROR_DNS_... */
	size_t n;
	union h1_address addresses[H1_ADDRESSES];
	char host[HOST_MAX + 1];
};

struct h1_name {
	struct list link;    /* among the tier's names, the oldest first */
	struct list waiters; /* connections */
	struct h1 *h1;
	struct job *job; /* NULL = the answer is here */
	msec_t fresh_until;
	size_t n;
	union h1_address addresses[H1_ADDRESSES];
	char host[HOST_MAX + 1];
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t bell;
	struct job *first, **last;
	size_t n_queued, n_threads, n_sleeping;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .bell = PTHREAD_COND_INITIALIZER, .last = &pool.first };

/* ---- in the threads ---- */

static int code_of(int gai)
{
	switch (gai) {
	case 0:
		return 0;
	case EAI_NONAME:
#ifdef EAI_NODATA
	case EAI_NODATA:
#endif
		return HTTP_ERROR_DNS_NOT_FOUND;
	default:
		return HTTP_ERROR_DNS_TEMPORARY;
	}
}

static void look_up(struct job *j)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *found = NULL;

	j->code = code_of(getaddrinfo(j->host, "0", &hints, &found));
	if (j->code)
		return;
	for (struct addrinfo *a = found; a && j->n < H1_ADDRESSES; a = a->ai_next) {
		if (a->ai_family == AF_INET && a->ai_addrlen >= sizeof(struct sockaddr_in))
			memcpy(&j->addresses[j->n++].v4, a->ai_addr, sizeof(struct sockaddr_in));
		else if (a->ai_family == AF_INET6 && a->ai_addrlen >= sizeof(struct sockaddr_in6))
			memcpy(&j->addresses[j->n++].v6, a->ai_addr, sizeof(struct sockaddr_in6));
	}
	if (j->n == 0)
		j->code = HTTP_ERROR_DNS_NOT_FOUND;
	freeaddrinfo(found);
}

static void on_answer(void *arg);

/* With the lock held, which it leaves for the time of the question. */
static void work_on(struct job *j)
{
	bool is_wanted = j->loop != NULL;

	if (is_wanted) {
		(void)pthread_mutex_unlock(&pool.lock);
		look_up(j);
		(void)pthread_mutex_lock(&pool.lock);
	}
	if (j->loop) /* under the lock: the loop cannot be gone before its client has taken the question back */
		loop_post(j->loop, on_answer, j);
	else
		free(j);
}

static void *thread_main(void *unused)
{
	(void)pthread_mutex_lock(&pool.lock);
	for (;;) {
		struct job *j = pool.first;
		if (!j) {
			pool.n_sleeping++;
			(void)pthread_cond_wait(&pool.bell, &pool.lock);
			pool.n_sleeping--;
			continue;
		}
		pool.first = j->next;
		if (!pool.first)
			pool.last = &pool.first;
		pool.n_queued--;
		work_on(j);
	}
	return NULL;
}

/* ---- in the loop ---- */

/* Signals are the loop's: the thread takes none. */
static bool start_thread(void)
{
	sigset_t all, before;
	pthread_t thread;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	bool is_started = pthread_create(&thread, NULL, thread_main, NULL) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (is_started)
		(void)pthread_detach(thread);
	return is_started;
}

static bool enqueue(struct job *j)
{
	(void)pthread_mutex_lock(&pool.lock);
	bool is_taken = pool.n_queued < QUEUE_MAX;
	if (is_taken && pool.n_sleeping <= pool.n_queued && pool.n_threads < THREADS_MAX && start_thread())
		pool.n_threads++;
	is_taken &= pool.n_threads > 0;
	if (is_taken) {
		*pool.last = j;
		pool.last = &j->next;
		pool.n_queued++;
		(void)pthread_cond_signal(&pool.bell);
	}
	(void)pthread_mutex_unlock(&pool.lock);
	return is_taken;
}

static void name_free(struct h1_name *name)
{
	struct job *j = name->job;

	if (j) {
		(void)pthread_mutex_lock(&pool.lock);
		j->loop = NULL;
		j->name = NULL; /* posted already: on_answer() will see it */
		(void)pthread_mutex_unlock(&pool.lock);
	}
	list_remove(&name->link);
	name->h1->n_names--;
	free(name);
}

static void give(struct h1_conn *c, const struct h1_name *name)
{
	memcpy(c->addresses, name->addresses, sizeof(c->addresses));
	c->n_addresses = name->n;
}

static void on_answer(void *arg)
{
	struct job *j = arg;
	struct h1_name *name = j->name;
	struct list waiters;
	int code = j->code;

	if (!name) {
		free(j);
		return;
	}
	list_init(&waiters);
	list_splice(&waiters, &name->waiters);
	name->job = NULL;
	name->n = j->n;
	name->fresh_until = loop_now(name->h1->loop) + H1_NAME_FRESH;
	memcpy(name->addresses, j->addresses, sizeof(name->addresses));
	free(j);
	LIST_FOREACH (node, &waiters) {
		if (!code)
			give(LIST_ENTRY(node, struct h1_conn, name), name);
	}
	if (code)
		name_free(name);	   /* failures are not remembered: the next call asks again */
	while (!list_is_empty(&waiters)) { /* a callback may close others, or the whole client */
		struct h1_conn *c = LIST_ENTRY(waiters.next, struct h1_conn, name);
		list_remove(&c->name);
		h1_conn_on_resolved(c, code);
	}
}

static struct h1_name *name_find(struct h1 *h, const char *host)
{
	LIST_FOREACH (node, &h->names) {
		struct h1_name *name = LIST_ENTRY(node, struct h1_name, link);
		if (strcmp(name->host, host) == 0)
			return name;
	}
	return NULL;
}

/* The oldest that nobody waits for makes room. */
static void make_room(struct h1 *h)
{
	LIST_FOREACH (node, &h->names) {
		struct h1_name *name = LIST_ENTRY(node, struct h1_name, link);
		if (h->n_names < H1_NAMES_KEPT)
			return;
		if (list_is_empty(&name->waiters))
			name_free(name);
	}
}

static struct h1_name *name_ask(struct h1 *h, const char *host, size_t len)
{
	struct h1_name *name = alloc_calloc(1, sizeof(*name));
	struct job *j = alloc_calloc(1, sizeof(*j));

	if (!name || !j)
		goto failed;
	memcpy(name->host, host, len);
	memcpy(j->host, host, len);
	list_init(&name->waiters);
	name->h1 = h;
	name->job = j;
	j->name = name;
	j->loop = h->loop;
	if (!enqueue(j))
		goto failed;
	make_room(h);
	list_add_last(&h->names, &name->link);
	h->n_names++;
	return name;
failed:
	free(name);
	free(j);
	return NULL;
}

int h1_resolve(struct h1_conn *c)
{
	struct h1 *h = c->h1;
	const struct h1_origin *o = c->origin;
	struct h1_name *name = name_find(h, o->host);

	if (name && !name->job && name->fresh_until <= loop_now(h->loop)) {
		name_free(name);
		name = NULL;
	}
	if (!name && (o->host_len > HOST_MAX || !(name = name_ask(h, o->host, o->host_len))))
		return -1;
	if (!name->job) {
		give(c, name);
		return 1;
	}
	list_add_last(&name->waiters, &c->name);
	return 0;
}

void h1_names_close(struct h1 *h)
{
	while (!list_is_empty(&h->names))
		name_free(LIST_ENTRY(h->names.next, struct h1_name, link));
}
