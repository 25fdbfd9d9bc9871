/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run: one plan over one input, every answer from outside recorded in the ledger. The same driver runs, resumes and replays: what
 * the ledger holds is read, what it does not hold is done (run, resume) or an error (replay). See run/README.md.
 */
#pragma once
#include "flow/kind.h"
#include "loop/loop.h"
#include "store/store.h"

#define RUN_WINDOW_DEFAULT 512 /* items under way at once: the bound of a run's memory */
#define RUN_WINDOW_MAX 10000
#define RUN_LINE_MAX (16u << 20) /* longest input line */

struct run;

enum source_verdict {
	SOURCE_MORE, /* lines were given; ask again */
	SOURCE_LATER, /* none now: run_source_ready() will be called */
	SOURCE_END,
	SOURCE_BAD, /* e is set: the input cannot be read on */
};

/* Where input comes from: JSON objects as text, one a line, each the `data` of an item. */
struct run_source {
	/* Append whole lines (each with "\n"), about `wanted` bytes, and count them. */
	enum source_verdict (*read)(void *arg, struct buf *lines, size_t wanted, uint32_t *ret_count, struct err *e);
	void *arg;
};

struct run_config {
	struct loop *loop;
	struct store *store;
	struct plan *plan;	/* referenced */
	void *services;		/* handed to the step kinds (step/services.h) */
	const char *trigger;	/* "cli", "api", "form" */
	size_t window;		/* 0 = default */
	struct run_source source; /* read NULL: no more input than the ledger holds */
	const struct run_row *resume; /* continue or replay this run; NULL = a new one */
	bool is_replay;		/* read only: nothing is sent or written; a missing answer fails the item */
	uint64_t replay_from, replay_to; /* items to replay, inclusive */
	/* All optional, all from the loop. Items and values are borrowed. */
	void (*on_started)(void *arg, struct run *r); /* id known, run on disk; its input not yet */
	void (*on_recorded)(void *arg, struct run *r); /* all input is on disk: it will be worked on whatever happens. Not when a resumed run had it all */
	void (*on_step)(void *arg, const struct plan_step *s, const struct item *it); /* after each step: views of a replay. The run must not be freed from here */
	/*
	 * With is_replay, a checked replay: what a step would do to the outside is made again and told before the ledger is asked what came of it.
	 * INTENT: the request as it is recorded, masked. ENTRY: { mode, key, data }. False: the ledger is not asked, the item ends here with the
	 * problem "would_be_sent". The run must not be freed from here.
	 */
	bool (*on_effect)(void *arg, const struct plan_step *s, const struct item *it, enum ledger_kind kind, struct str text);
	void (*on_output)(void *arg, const struct item *it); /* after everything it rests on is on disk; in order unless a step says any */
	void (*on_problem)(void *arg, const struct item *it); /* failed or unknown */
	void (*on_end)(void *arg, struct run *r);	/* once; the run may be freed from here */
	void *arg;
};

struct step_counts {
	uint64_t in, out, failed;
	uint64_t busy_ns; /* sum over items of the time inside the step */
	uint64_t first_ns, last_ns;
};

/* Begin; everything else arrives through callbacks. NULL with e set when it cannot even begin. */
struct run *run_start(const struct run_config *config, struct err *e);
/* Stop now: nothing more is sent, in-flight calls are cancelled, callbacks no longer run. Unless it ended, the run stays `running` on disk, to
 * be resumed. Frees the run at the end of the turn. */
void run_free(struct run *r);
/*
 * Wind down: no item begins, no step sends anything new; what is under way ends and is recorded. Then on_end hears `running`, and the run is left
 * to whoever resumes it, unless its last item was through. Every unknown outcome that run_free() would leave of a call which ends in time is
 * spared by this. For any time before on_end; run_free() may cut it short.
 */
void run_wind_down(struct run *r);
void run_source_ready(struct run *r);

int64_t run_id(const struct run *r);
const struct run_row *run_row(const struct run *r); /* state and counts as of now */
const struct plan *run_plan(const struct run *r);
const struct step_counts *run_step_counts(const struct run *r, size_t step);
size_t run_live(const struct run *r);
/* True when every item that failed did so because the other side could not be reached in time (exit 5). */
bool run_failed_by_network(const struct run *r);
/* Steps as JSON for rows and pages: [{ name, in, out, failed, duration_ms }]. */
int run_write_steps(const struct run *r, struct buf *b);

/* What is needed to go on with a run that is on disk: its row and the plan of the very version it started with. */
typedef void run_recalled(void *arg, const struct run_row *row, struct plan *plan /* NULL: see e; referenced for the callee */, struct err *e);
int run_recall(struct store *s, int64_t id, const struct flow_env *env, run_recalled *done, void *arg, struct err *e);
