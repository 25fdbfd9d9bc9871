/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world in one thread: time that jumps from event to event, an API, a disk, and a process that dies. Everything that
 * happens comes out of one seed, so it happens again. What is real here and what is not: docs/internals/simulation.md.
 */
#pragma once
#include "base/auto.h"
#include "base/clock.h"
#include "base/dice.h"
#include "base/log.h"
#include "flow/component.h"
#include "flow/kind.h"
#include "flow/item.h"
#include "http/client.h"
#include "run/run.h"
#include "step/steps.h"
#include "store/store_int.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIM_STEPS_MAX 6 /* of a flow, without its input */
#define SIM_RUNS_MAX 4
#define SIM_INPUT_MAX 64  /* items that sources give, of all runs together */
#define SIM_ITEMS_MAX 256 /* and with those that lists become */
#define SIM_LIST_MAX 6	  /* elements of one list */
#define SIM_SECOND UINT64_C(1000000000)
#define SIM_CALM_AFTER (600 * SIM_SECOND) /* from then on nothing goes wrong any more */
#define SIM_LIFE_MAX (86400 * SIM_SECOND) /* a world that has not ended by then hangs */
#define SIM_TURNS_MAX 4000000		  /* nor may it spin without time passing */
#define SIM_NONE UINT_MAX

/* ---- sim.c: chance, time, events, what is told ---- */

enum sim_method { METHOD_GET, METHOD_PUT, METHOD_DELETE, METHOD_POST_KEYED, METHOD_POST_PLAIN, METHOD_KINDS };
enum sim_kind { SIM_CALL, SIM_LIST, SIM_SCRIPT, SIM_ENTRY };

/* A step of the flow. Its number in the plan is one more than its index here: the first is the input. */
struct sim_step {
	enum sim_kind kind;
	enum sim_method method;
	unsigned from; /* SIM_NONE = the input */
	unsigned attempts;
	bool takes_errors, is_any_order;
	enum on_error on_error;
};

/* How rough this world is, in thousandths. */
struct weather {
	unsigned refused, request_lost, answer_lost, truncated, late, says_500, says_503, says_429, duplicated;
	unsigned disk_full, disk_lost,
	    disk_late;		      /* a group: no room; fsync fails and it is lost; fsync fails and it is there */
	unsigned deaths;	      /* a life ends before its runs */
	unsigned script_deaths;	      /* a worker dies over an item, or takes too long */
	uint64_t latency_ns, disk_ns; /* up to */
};

/* What the API has seen of one item at one step. */
struct seen {
	unsigned sends, arrivals, effects, on_wire;
	unsigned effects_before; /* a person wanted it done again */
	uint64_t effect_id;
	char key[80];
	bool is_ambiguous;	  /* the engine was told that nobody knows */
	bool was_refused;	  /* it was told last that no connection came about: any call may be tried again then */
	bool was_whole;		  /* a whole answer, and all was well */
	unsigned list_at, list_n; /* what its answer lists */
	bool has_list;
	unsigned sends_decided; /* when a person decided last */
};

/* What was committed of it, whatever was dropped later. */
struct saved {
	unsigned intents, outcomes, problems, entries, decisions;
	unsigned drops;		      /* recorded outcomes that a person had done again */
	unsigned open, open_at_birth; /* intents without outcome, now and when this life began */
};

/* An item as the world knows it. */
struct sim_item {
	unsigned run, parent, made_by; /* of the source: SIM_NONE twice */
	uint64_t seq;
	bool is_recorded;
};

/* The row of a ledger, as the store should have it. */
struct sim_row {
	uint64_t seq;
	uint32_t step, attempt;
	enum ledger_kind kind;
	int32_t code;
	int64_t number;
};

struct sim_run {
	unsigned first, n; /* its input */
	int64_t id;	   /* 0 = nobody has committed it */
	unsigned item_of_seq[SIM_ITEMS_MAX];
	uint64_t next_seq;
	struct sim_row *rows;
	size_t n_rows, cap_rows;
	bool is_pruned, is_over; /* nobody will do anything with it any more */
	bool is_redone;		 /* in parts: rows may stand where the item does not come again */
	bool has_stopped;	 /* in this life: a step with on_error: stop has failed */
	unsigned acts;		 /* of a person */
	struct run *run;	 /* under way in this life */
	enum run_state state;	 /* as it was checked */
	/* of the last life: the one that came to the end */
	unsigned n_outputs, n_problems;
	bool is_out_of_order;
	uint64_t last;
};

/* What was told of an item in that life. */
struct told {
	unsigned outputs, problems;
	enum item_state state;
	uint64_t effect_ids[SIM_STEPS_MAX];
};

struct sim {
	uint64_t seed, now, dice_state, world_state;
	msec_t wall_shift;
	bool clock_was_set;
	bool is_traced;
	uint64_t digest, n_events, n_turns;
	struct weather weather;
	/* the flow and what flows */
	struct sim_step steps[SIM_STEPS_MAX];
	unsigned n_steps, n_runs, n_items; /* items: as many as the world has by now */
	unsigned pad;			   /* bytes of each element of a list, so that lists are recorded in parts */
	bool maps_by_script, has_any_order;
	struct sim_run runs[SIM_RUNS_MAX];
	struct sim_item items[SIM_ITEMS_MAX];
	struct told told[SIM_ITEMS_MAX];
	/* the API, outliving processes */
	struct seen seen[SIM_STEPS_MAX][SIM_ITEMS_MAX];
	struct saved saved[SIM_STEPS_MAX][SIM_ITEMS_MAX];
	uint64_t next_effect;
	/* the disk */
	void *disk;   /* SQLite's, in memory: outlives the processes */
	bool is_dead; /* nothing reaches it any more */
	/* this life */
	struct loop *loop;
	uint64_t turns_left; /* until it dies; 0 = not in this life */
	unsigned lives, orderly, kills, disk_faults, acts, prunes, script_faults;
};
extern struct sim sim;

void sim_reset(uint64_t seed, bool is_traced);
uint64_t sim_dice(uint64_t top);	/* 0..top, of the world */
bool sim_happens(unsigned thousandths); /* never once the world is calm */
bool sim_is_calm(void);
msec_t sim_true_time(void);					 /* what the rest of the world has for a clock */
void sim_tell(const char *fmt, ...) PRINTF_LIKE(1, 2);		 /* a line of the trace */
_Noreturn void sim_fail(const char *fmt, ...) PRINTF_LIKE(1, 2); /* a promise is broken */

/* Something in the world outside, after `ns`: it does not die with the process. */
void sim_after(uint64_t ns, void (*fn)(void *arg), void *arg);
bool sim_next_event(uint64_t *ret_at);
void sim_do_event(void);
void sim_drop_events(void);

/* ---- sim_world.c: what a seed makes of the world ---- */
void sim_choose(void);
struct plan *sim_plan(struct component **ret_component);
/* The children of an item at a step that lists: the same each time. */
void sim_list(unsigned step, unsigned item, unsigned *ret_at, unsigned *ret_n);

static inline bool sim_is_call(unsigned step)
{
	return sim.steps[step].kind == SIM_CALL || sim.steps[step].kind == SIM_LIST;
}
static inline bool sim_is_plain(unsigned step)
{
	return sim_is_call(step) && sim.steps[step].method == METHOD_POST_PLAIN;
}

/* ---- sim_api.c, sim_net.c: http/client.h ---- */
/* One message's way; the transfer leaves it when it is told, cancelled, or dead. */
struct sim_wire {
	struct http_transfer *transfer; /* NULL = nobody waits */
	unsigned step, item, refs;
	char key[80];
	int status; /* what the API says */
	struct buf body;
	char retry_after[40];
	size_t given; /* of the body, to a sink */
	bool is_lost_back, is_cut, has_head, is_paused, is_piece_due;
};
void sim_api_arrive(struct sim_wire *w);			  /* it acts, or not, and answers */
void sim_list_write(struct buf *b, unsigned step, unsigned item); /* `,"list":[...]`, the same each time */
void sim_check_effects(void);

/* ---- sim_disk.c ---- */
extern const struct store_backend sim_backend;
void sim_disk_close(void); /* really */

/* ---- sim_books.c: the ledger as it should be ---- */
void sim_books_commit(const struct op *op); /* this is on disk now */
void sim_books_compare(const struct sim_run *r, const struct store_result *ledger);
void sim_books_free(void);
struct sim_run *sim_run_of(int64_t id); /* NULL = nobody's */
unsigned sim_item_of(struct sim_run *r, uint64_t seq);

/* ---- sim_check.c: what must hold in the end ---- */
void sim_check(struct sim_run *r, const struct run_row *row, const struct store_result *ledger);

/* ---- sim_person.c: what somebody does between the lives of a run ---- */
/* True when something is under way; `done` hears of it, whatever comes of it. */
bool sim_person_acts(struct sim_run *r, struct store *s, const struct run_row *row, store_done *done, void *arg);

/* ---- sim_process.c: one process after the other, until all runs are over ---- */
struct store *sim_live(struct plan *p); /* the store of the last one, open */
void sim_last_process_ends(void);
struct sim_wait {
	bool has_come;
	enum store_error error;
	void (*look)(const struct store_result *r);
};
void sim_waited(void *arg, const struct store_result *r);
void sim_wait_for(struct sim_wait *w);
