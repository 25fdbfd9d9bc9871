/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims that the database keeps (store_backend.claim): the loop asks, the store's thread does it between two groups,
 * with the session that writes.
 */
#include "store/store_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <time.h>

struct claim {
	struct claim *next;
	int64_t run;
	struct err *e;
	int code;
	bool is_release; /* allocated, freed when it is done; a claim is its asker's */
	bool is_taken, is_over;
};

static void withdraw(struct claims *cs, const struct claim *c)
{
	for (struct claim **at = &cs->first; *at; at = &(*at)->next) {
		if (*at == c) {
			*at = c->next;
			return;
		}
	}
}

int claims_ask(struct claims *cs, pthread_mutex_t *lock, pthread_cond_t *wake, int64_t run, struct err *e)
{
	struct claim c = { .run = run, .e = e };
	struct claim **last = &cs->first;
	struct timespec until;
	int code = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += CLAIM_WAIT;
	(void)pthread_mutex_lock(lock);
	while (*last)
		last = &(*last)->next;
	*last = &c;
	(void)pthread_cond_signal(wake);
	while (!c.is_over && (code == 0 || c.is_taken))
		code = c.is_taken ? pthread_cond_wait(&cs->answered, lock)
				  : pthread_cond_timedwait(&cs->answered, lock, &until);
	if (!c.is_over)
		withdraw(cs, &c);
	(void)pthread_mutex_unlock(lock);
	return c.is_over ? c.code
			 : err_set(e, ERR_IO, "cannot claim run %lld: the database does not answer", (long long)run);
}

void claims_release(struct claims *cs, pthread_mutex_t *lock, pthread_cond_t *wake, int64_t run)
{
	struct claim *c = alloc_calloc(1, sizeof(*c));

	if (!c) /* kept then, and found again by whoever claims it in this process */
		return;
	c->run = run;
	c->is_release = true;
	(void)pthread_mutex_lock(lock);
	c->next = cs->first;
	cs->first = c;
	(void)pthread_cond_signal(wake);
	(void)pthread_mutex_unlock(lock);
}

void claims_serve(struct claims *cs, pthread_mutex_t *lock, const struct worker *w)
{
	struct claim *c = cs->first;

	cs->first = c->next;
	c->is_taken = true;
	(void)pthread_mutex_unlock(lock);
	if (c->is_release) {
		w->backend->release(w->b, c->run);
		free(c);
		(void)pthread_mutex_lock(lock);
		return;
	}
	int code = w->backend->claim(w->b, c->run, c->e);
	(void)pthread_mutex_lock(lock);
	c->code = code;
	c->is_over = true;
	(void)pthread_cond_broadcast(&cs->answered);
}
