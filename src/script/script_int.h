/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the server side know of each other. */
#pragma once
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "loop/wire.h"
#include "script/script_wire.h"

#define KNOWN_MAX 64		/* programs that a worker remembers */
#define KNOWN_BYTES (8u << 20)	/* and their sources */
#define START_FAILURES_MAX 3	/* workers that die before they are ready; then jobs fail until RETRY_AFTER */
#define RETRY_AFTER 5000	/* ms between attempts when workers cannot be started */
#define BACK_OFF_FIRST 50	/* ms, doubled by each failure */
#define START_DEADLINE 10000	/* ms until a new worker must be ready */
#define WATCH_PERIOD 50		/* ms between looks at a busy worker's memory and time */
#define IDLE_STOP_DEFAULT 60000 /* ms */
#define WORKERS_MAX 64
#define DEATHS_MAX (2 * SCRIPT_BATCH_MAX + 8) /* workers that one job may cost, whoever is to blame */
#define RSS_SLACK (64ull << 20) /* over its limit, before the second line strikes: code and stacks count, too */

struct script_program {
	unsigned refs;
	uint64_t id;   /* of this object: what workers know it by */
	uint64_t hash; /* of kind and sources: same in every process, for Math.random */
	enum script_kind kind;
	size_t n, bytes;
	char *name;
	struct str *sources;
};

/* ---- jobs: script.c ---- */

struct script_lane {	  /* the jobs of one realm */
	struct list link; /* in the pool's ring, while it has jobs */
	uint64_t realm;
	struct list jobs;
};

struct script_job {
	struct list link; /* in its lane, or in the pool's finished list, or nowhere while a worker has it */
	struct script_pool *pool;
	uint64_t id;
	struct script_program *program;
	struct script_realm realm;
	struct script_proc *proc; /* works on it */
	bool is_check, is_careful, is_cancelled;
	uint32_t n, answered, sent;
	unsigned deaths; /* of workers that had it */
	struct script_item *items;
	uint8_t *flags; /* enum script_value_flag, per item */
	struct script_result *results;
	struct arena details; /* messages of the results */
	script_done *done;
	void *arg;
};

struct script_pool {
	struct loop *loop;
	struct script_config config;
	char *path;
	struct list procs;
	size_t n_procs;
	struct list lanes; /* ring: the first gives the next job and goes to the end */
	struct map *lane_of;
	struct list finished; /* jobs whose callback is due */
	struct loop_soon soon;
	struct loop_timer retry;
	unsigned failures; /* starts in a row that came to nothing */
	msec_t next_start; /* not before */
	uint64_t next_job;
	bool is_freed;			 /* waits for its burial; deliver() may be on the stack */
	char why_not[SCRIPT_DETAIL_MAX]; /* what the last failed start said */
};

/* The next job in turn, out of its lane; NULL when none waits. */
struct script_job *job_take(struct script_pool *p);
/* Back to the head of its lane, after its worker died. */
void job_put_back(struct script_job *j);
/* Set the next result; `text` is copied. */
void job_fail_next(struct script_job *j, enum script_error error, struct str text, uint32_t line, uint32_t column);
/* The next result is the text of an answer. */
void job_answer_next(struct script_job *j, struct str json);
static inline bool job_is_done(const struct script_job *j)
{
	return j->answered == j->n;
}
void job_finish(struct script_job *j);

/* ---- workers as the server sees them: script_proc.c ---- */

#define PROC_STATES(X) X(STARTING) X(IDLE) X(BUSY) X(DYING)
enum proc_state {
#define PROC_STATE(name) PROC_##name,
	PROC_STATES(PROC_STATE)
#undef PROC_STATE
};

enum proc_blame { /* why it was killed by us */
		  BLAME_NONE,
		  BLAME_TIMEOUT,
		  BLAME_MEMORY,
		  BLAME_WIRE,	/* it said something wrong */
		  BLAME_NOBODY, /* idle, cancelled, pool gone */
};

struct script_proc {
	struct list link;
	struct script_pool *pool;
	enum proc_state state;
	enum proc_blame blame;
	struct loop_child *child;
	struct wire *wire;
	int pid, statm;
	bool was_ready, has_exited, is_cut; /* dead when the last two */
	int exit_status, term_signal;
	struct script_job *job; /* NULL while busy: it was cancelled */
	struct script_expected expected;
	uint64_t rss_at_start, last_realm, last_program;
	msec_t progress_at;
	struct loop_timer watch; /* STARTING, BUSY: time and memory; IDLE: leave */
	struct {
		uint64_t id;
		size_t bytes;
	} known[KNOWN_MAX]; /* oldest first */
	size_t n_known, known_bytes;
	struct buf frame;
};

int proc_start(struct script_pool *p, struct err *e);
/* Give an idle worker a job. */
void proc_give(struct script_proc *w, struct script_job *j);
/* The job was cancelled: its answers are thrown away. */
void proc_abandon(struct script_proc *w);
/* For good and at once: no callback runs any more. */
void proc_drop(struct script_proc *w);

/* ---- values: script_values.c ---- */

enum script_value_flag {
	SCRIPT_VALUE_ODD = BIT(0),   /* a number whose text JavaScript would write in another way */
	SCRIPT_VALUE_EXACT = BIT(1), /* a number that no double holds */
	SCRIPT_VALUE_KEYS = BIT(2),  /* an object with keys that JavaScript puts first: "10" */
};
/* Append the JSON of `v`; the flags say what reading the result back must mend. */
int script_value_write(struct buf *b, const struct value *v, uint8_t *ret_flags);
/*
 * The result of a script that was given `input`. A number that equals the one at the same place gets that one's text;
 * else the only text that the input had for it. Keys that the input had come in its order.
 */
int script_value_read(struct arena *a, struct str json, const struct value *input, uint8_t flags, struct value *ret,
		      struct err *e);
