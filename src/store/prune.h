/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention: which runs may go, and their going, a stretch at a time, beside everything else that the store does. All
 * in the loop's thread.
 */
#pragma once
#include "store/store.h"

#define PRUNE_RUNS_MAX 100000 /* runs of one round; the next round takes the next */

/*
 * Each field narrows; a run goes when all that are set allow it. Unset are 0. Runs that are running, interrupted or
 * need attention go only when they are named, and never while a process executes them.
 */
struct prune_policy {
	msec_t older_than;    /* since it ended (or began, if it never ended) */
	uint64_t keep;	      /* the newest so many runs stay, whatever else is said */
	unsigned states;      /* 1 << enum run_state, or'ed; 0 = all that are over */
	uint64_t max_bytes;   /* the oldest go until the database uses no more than this */
	const int64_t *named; /* exactly these, and nothing else counts; borrowed */
	size_t n_named;
	bool is_dry; /* only say which */
};

/* A run that went, or would go; in a dry round `bytes` is what its rows take. Refused ones have a reason. */
typedef void prune_each(void *arg, int64_t run, uint64_t bytes, const char *refusal);

struct prune_report {
	uint64_t runs, refused;
	uint64_t used_before, used_after; /* bytes of the database in use; of a round that was not dry */
	const char *problem;		  /* NULL = went through; else the store failed, and the next round goes on */
};
typedef void prune_done(void *arg, const struct prune_report *report);

struct prune;

/* One round. `each` may be NULL. The callbacks come from the loop, `done` last; NULL says why it did not begin. */
struct prune *prune_start(struct store *s, const struct prune_policy *policy, prune_each *each, prune_done *done,
			  void *arg, struct err *e);
/* How far it is. */
struct prune_progress {
	uint64_t runs, refused;
	msec_t began; /* wall clock */
	bool is_dry;
};
void prune_progress(const struct prune *p, struct prune_progress *ret);
/* What is left of pruned runs goes, nobody is told; a store that closes or fails meanwhile leaves it to the next round.
 * 0 or -code. */
int prune_settle(struct store *s, struct err *e);
/* No more callbacks; what is under way in the store ends there. Before store_close(). NULL is fine. */
void prune_stop(struct prune *p);
