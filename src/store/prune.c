/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One round of retention:
 *
 *   settle: what earlier rounds left ---> list: pages of runs, newest first ---> drop: oldest candidate first, claimed
 *        ^                                                                         |            |
 *        '------------------- after each run: its rows, a stretch at a time <------'            '--> over: report
 *
 * One operation is under way at a time, so a busy store slows this down and not the other way round.
 */
#include "store/prune.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct prune {
	struct store *store;
	struct prune_policy policy;
	prune_each *each;
	prune_done *done;
	void *arg;
	struct prune_report report;
	char problem[256];
	int64_t *ids; /* candidates, newest first */
	size_t n, cap;
	int64_t before; /* of the next page */
	uint64_t seen;
	msec_t now;
	uint64_t used;	 /* bytes, as last heard */
	int64_t claimed; /* 0 = none */
	bool is_listed, has_begun;
	bool is_stopped; /* the owner is gone; the callback under way frees */
};

static void prune_next(struct prune *p);

static void prune_free(struct prune *p)
{
	free(p->ids);
	free(p);
}

static void release(struct prune *p)
{
	if (p->claimed)
		store_run_release(p->store, p->claimed);
	p->claimed = 0;
}

static void end(struct prune *p, const char *problem)
{
	release(p);
	if (problem) {
		(void)snprintf(p->problem, sizeof(p->problem), "%s", problem);
		p->report.problem = p->problem;
	}
	p->report.used_after = p->used;
	p->done(p->arg, &p->report);
	prune_free(p);
}

/* At the head of each callback: false = the owner is gone, or the store failed and the round is over. */
static bool enter(struct prune *p, const struct store_result *r)
{
	if (p->is_stopped) {
		prune_free(p);
		return false;
	}
	if (r->error == STORE_FAILED) {
		end(p, r->detail ? r->detail : "the store failed");
		return false;
	}
	return true;
}

static void tell(struct prune *p, int64_t run, uint64_t bytes, const char *refusal)
{
	if (refusal)
		p->report.refused++;
	else
		p->report.runs++;
	if (p->each)
		p->each(p->arg, run, bytes, refusal);
}

/* ---- which ---- */

static bool may_go(const struct prune *p, const struct run_row *r)
{
	const struct prune_policy *policy = &p->policy;
	msec_t since = r->ended_at ? r->ended_at : r->started_at;

	if (r->state == RUN_RUNNING || r->state == RUN_NEEDS_ATTENTION || p->seen <= policy->keep)
		return false;
	return (!policy->older_than || since < p->now - policy->older_than) &&
	       (!policy->states || (policy->states >> r->state & 1));
}

static bool candidate(struct prune *p, int64_t id)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 256;
		int64_t *ids = alloc_realloc(p->ids, cap * sizeof(*ids));
		if (!ids)
			return false;
		p->ids = ids;
		p->cap = cap;
	}
	p->ids[p->n++] = id;
	return true;
}

static void on_page(void *arg, const struct store_result *r)
{
	struct prune *p = arg;

	if (!enter(p, r))
		return;
	for (size_t i = 0; i < r->n; i++) {
		p->seen++;
		p->before = r->runs[i].id;
		if (may_go(p, &r->runs[i]) && !candidate(p, r->runs[i].id)) {
			end(p, "no memory for the list of runs");
			return;
		}
	}
	p->is_listed = r->error != STORE_OK || r->n < STORE_PAGE_MAX;
	/* The oldest count: of too many the newest are left for the next round. */
	if (p->n > PRUNE_RUNS_MAX) {
		memmove(p->ids, p->ids + (p->n - PRUNE_RUNS_MAX), PRUNE_RUNS_MAX * sizeof(*p->ids));
		p->n = PRUNE_RUNS_MAX;
	}
	prune_next(p);
}

/* ---- going ---- */

static void on_some(void *arg, const struct store_result *r)
{
	struct prune *p = arg;

	if (!enter(p, r))
		return;
	if (!r->has_more)
		p->used = r->bytes_used;
	if (!p->has_begun && !r->has_more) {
		p->has_begun = true;
		p->report.used_before = p->used;
	}
	if (r->has_more) {
		struct err e = ERR_INIT;
		if (store_prune_some(p->store, on_some, p, &e))
			end(p, e.msg);
		return;
	}
	prune_next(p);
}

static void on_dropped(void *arg, const struct store_result *r)
{
	struct prune *p = arg;
	struct err e = ERR_INIT;

	if (p->claimed)
		release(p);
	if (!enter(p, r))
		return;
	tell(p, r->id, 0, r->error ? r->detail : NULL);
	if (store_prune_some(p->store, on_some, p, &e))
		end(p, e.msg);
}

static void on_bytes(void *arg, const struct store_result *r)
{
	struct prune *p = arg;

	if (!enter(p, r))
		return;
	p->used -= r->total < p->used ? r->total : p->used;
	tell(p, r->id, r->total, r->error ? r->detail : NULL);
	prune_next(p);
}

/* Begins with this one: 0, or -code of the store; ERR_CONFLICT: it was refused, on to the next. */
static int drop(struct prune *p, int64_t id, struct err *e)
{
	if (p->policy.is_dry)
		return store_run_bytes(p->store, id, on_bytes, p, e);
	if (store_run_claim(p->store, id, e)) {
		tell(p, id, 0, e->msg);
		return ERR_CONFLICT;
	}
	p->claimed = id;
	return store_run_prune(p->store, id, p->policy.n_named > 0, on_dropped, p, e);
}

static void prune_next(struct prune *p)
{
	bool is_small_enough = p->policy.max_bytes && p->used <= p->policy.max_bytes;
	struct err e = ERR_INIT;

	if (!p->is_listed) {
		if (store_run_list(p->store, p->before, -1, STORE_PAGE_MAX, on_page, p, &e))
			end(p, e.msg);
		return;
	}
	int code = ERR_CONFLICT;
	while (code == ERR_CONFLICT && p->n > 0 && !is_small_enough)
		code = drop(p, p->ids[--p->n], &e);
	if (code)
		end(p, code == ERR_CONFLICT ? NULL : e.msg);
}

/* A dry round changes nothing, so it asks instead of settling. */
static void on_space(void *arg, const struct store_result *r)
{
	struct prune *p = arg;

	if (!enter(p, r))
		return;
	p->used = p->report.used_before = r->bytes_used;
	prune_next(p);
}

struct prune *prune_start(struct store *s, const struct prune_policy *policy, prune_each *each, prune_done *done,
			  void *arg, struct err *e)
{
	struct prune *p = alloc_calloc(1, sizeof(*p));

	if (!p) {
		(void)err_set(e, ERR_NO_MEMORY, "no memory to prune");
		return NULL;
	}
	*p = (struct prune){
		.store = s, .policy = *policy, .each = each, .done = done, .arg = arg, .now = clock_wall()
	};
	p->is_listed = policy->n_named > 0;
	for (size_t i = policy->n_named; i > 0; i--) {
		if (!candidate(p, policy->named[i - 1])) {
			(void)err_set(e, ERR_NO_MEMORY, "no memory to prune");
			prune_free(p);
			return NULL;
		}
	}
	if (policy->is_dry ? store_space(s, on_space, p, e) : store_prune_some(s, on_some, p, e)) {
		prune_free(p);
		return NULL;
	}
	return p;
}

void prune_progress(const struct prune *p, struct prune_progress *ret)
{
	*ret = (struct prune_progress){
		.runs = p->report.runs, .refused = p->report.refused, .began = p->now, .is_dry = p->policy.is_dry
	};
}

static void on_settled(void *arg, const struct store_result *r)
{
	struct err e = ERR_INIT;

	if (r->error == STORE_OK && r->has_more)
		(void)prune_settle(arg, &e);
}

int prune_settle(struct store *s, struct err *e)
{
	return store_prune_some(s, on_settled, s, e);
}

void prune_stop(struct prune *p)
{
	if (!p)
		return;
	release(p);
	p->is_stopped = true;
}
