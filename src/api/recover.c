/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs that an earlier process left under way go on by themselves when a server starts: the oldest first, a few at a
 * time. All at once would be a thundering herd against the systems they call, and each holds its window of items in
 * memory.
 *
 * So do those that stopped in this process because the store failed under them: a full disk, a database server that is
 * away, memory that did not come. Nobody can tell when it is over but by trying, so a rest comes before each try,
 * longer each time. A store that is lost until it is opened again is not tried.
 */
#include "api/api_int.h"

#include "base/alloc.h"
#include "base/log.h"

#include <stdlib.h>

#define RECOVER_AT_ONCE 8     /* runs; what requests start comes on top */
#define RECOVER_REST_MIN 1000 /* ms before stopped runs are tried again, doubled each time they stop */
#define RECOVER_REST_MAX 60000
#define RECOVER_MAX 1000000 /* runs looked at; the newest ones, and they say so */

static int remember(struct api *a, int64_t id)
{
	struct recover *rc = &a->recover;
	if (rc->n == rc->cap) {
		size_t cap = rc->cap ? 2 * rc->cap : STORE_PAGE_MAX;
		int64_t *ids = rc->n < RECOVER_MAX ? alloc_realloc(rc->ids, cap * sizeof(*ids)) : NULL;
		if (!ids)
			return -ERR_NO_MEMORY;
		rc->ids = ids;
		rc->cap = cap;
	}
	rc->ids[rc->n++] = id;
	return 0;
}

void recover_go_on(struct api *a)
{
	struct recover *rc = &a->recover;
	if (rc->is_going || loop_timer_is_running(&rc->rest))
		return;
	rc->is_going = true; /* one that cannot be resumed may say so before this returns */
	while (rc->n && rc->live < RECOVER_AT_ONCE && !a->is_draining) {
		rc->live++;
		live_resume(a, rc->ids[--rc->n], NULL);
	}
	rc->is_going = false;
}

void recover_one_is_over(struct api *a)
{
	a->recover.live--;
	recover_go_on(a);
}

static void on_rested(struct loop_timer *t)
{
	struct api *a = CONTAINER_OF(t, struct api, recover.rest);
	if (!store_is_lost(a->config.store))
		recover_go_on(a);
}

void recover_later(struct api *a, int64_t id)
{
	struct recover *rc = &a->recover;
	if (remember(a, id) < 0) {
		log_warn(NULL, "run is left as it is run=%lld: no memory to remember it", (long long)id);
		return;
	}
	if (loop_timer_is_running(&rc->rest) || a->is_draining)
		return;
	rc->delay = rc->delay ? 2 * rc->delay : RECOVER_REST_MIN;
	rc->delay = rc->delay < RECOVER_REST_MAX ? rc->delay : RECOVER_REST_MAX;
	if (loop_timer_start(&rc->rest, rc->delay) < 0)
		log_warn(NULL, "run is left as it is run=%lld: no timer", (long long)id);
}

void recover_all_is_well(struct api *a)
{
	a->recover.delay = 0;
}

/* Pages come newest first; the oldest is the last to be remembered and the first to go on. */
static void on_page(void *arg, const struct store_result *result)
{
	struct api *a = arg;
	struct err e = ERR_INIT;
	bool is_full = false;
	for (size_t i = 0; i < result->n && !is_full; i++)
		is_full = remember(a, result->runs[i].id) < 0;
	if (is_full)
		log_warn(NULL, "more interrupted runs than are looked at: the newest %zu go on", a->recover.n);
	else if (result->n == STORE_PAGE_MAX && store_run_list(a->config.store, result->runs[result->n - 1].id,
							       RUN_RUNNING, STORE_PAGE_MAX, on_page, a, &e) == 0)
		return;
	if (a->recover.n)
		log_info(NULL, "interrupted runs go on: runs=%zu at_once=%d", a->recover.n, RECOVER_AT_ONCE);
	recover_go_on(a);
}

void recover_start(struct api *a)
{
	struct err e = ERR_INIT;
	loop_timer_init(a->config.loop, &a->recover.rest, on_rested);
	if (store_run_list(a->config.store, 0, RUN_RUNNING, STORE_PAGE_MAX, on_page, a, &e) < 0)
		log_error(NULL, "interrupted runs cannot be looked for error=\"%s\"", e.msg);
}

void recover_free(struct api *a)
{
	loop_timer_stop(&a->recover.rest);
	free(a->recover.ids);
	a->recover = (struct recover){ 0 };
}
