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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIM_STEPS_MAX 4
#define SIM_ITEMS_MAX 64
#define SIM_ATTEMPTS_MAX 64
#define SIM_SECOND UINT64_C(1000000000)
#define SIM_CALM_AFTER (600 * SIM_SECOND) /* from then on nothing goes wrong any more */
#define SIM_LIFE_MAX (86400 * SIM_SECOND) /* a run that has not ended by then hangs */
#define SIM_TURNS_MAX 2000000		  /* nor may it spin without time passing */

/* ---- sim.c: chance, time, events, what is told ---- */

enum sim_method { METHOD_GET, METHOD_PUT, METHOD_DELETE, METHOD_POST_KEYED, METHOD_POST_PLAIN, METHOD_KINDS };

/* How rough this world is, in thousandths. */
struct weather {
	unsigned refused, request_lost, answer_lost, truncated, late, says_500, says_503, says_429, duplicated;
	unsigned disk_full, disk_lost,
	    disk_late;		      /* a group: no room; fsync fails and it is lost; fsync fails and it is there */
	unsigned deaths;	      /* a life ends before its run */
	uint64_t latency_ns, disk_ns; /* up to */
};

/* What the API has seen of one item at one step. */
struct seen {
	unsigned sends, arrivals, effects;
	uint64_t effect_id;
	char key[80];
	bool is_ambiguous; /* the engine was told that nobody knows */
};

/* What is committed of it. */
struct saved {
	unsigned intents, outcomes, problems;
	uint32_t intent_attempt, outcome_attempt;
};

struct sim {
	uint64_t seed, now, dice_state, world_state;
	bool is_traced;
	uint64_t digest, n_events, n_turns;
	struct weather weather;
	/* the flow */
	unsigned n_calls, n_items;
	enum sim_method calls[SIM_STEPS_MAX];
	unsigned n_leaves; /* branches that lead to an end */
	bool saves_entry, is_any_order;
	/* the API, outliving processes */
	struct seen seen[SIM_STEPS_MAX][SIM_ITEMS_MAX];
	struct saved saved[SIM_STEPS_MAX + 2][SIM_ITEMS_MAX];
	uint64_t next_effect;
	/* the disk */
	void *disk;   /* SQLite's, in memory: outlives the processes */
	bool is_dead; /* nothing reaches it any more */
	/* this life */
	struct loop *loop;
	uint64_t turns_left; /* until it dies; 0 = not in this life */
	unsigned lives, orderly, kills, disk_faults;
};
extern struct sim sim;

void sim_reset(uint64_t seed, bool is_traced);
uint64_t sim_dice(uint64_t top);	/* 0..top, of the world */
bool sim_happens(unsigned thousandths); /* never once the world is calm */
bool sim_is_calm(void);
void sim_tell(const char *fmt, ...) PRINTF_LIKE(1, 2);		 /* a line of the trace */
_Noreturn void sim_fail(const char *fmt, ...) PRINTF_LIKE(1, 2); /* a promise is broken */

/* Something in the world outside, after `ns`: it does not die with the process. */
void sim_after(uint64_t ns, void (*fn)(void *arg), void *arg);
bool sim_next_event(uint64_t *ret_at);
void sim_do_event(void);
void sim_drop_events(void);

/* ---- sim_api.c: http/client.h ---- */
void sim_check_effects(void);

/* ---- sim_disk.c ---- */
extern const struct store_backend sim_backend;
void sim_disk_close(void); /* really */

/* ---- sim_check.c: what must hold in the end ---- */
struct told { /* of the last life: the one that came to the end */
	unsigned outputs[SIM_ITEMS_MAX], problems[SIM_ITEMS_MAX];
	enum item_state states[SIM_ITEMS_MAX];
	uint64_t effect_ids[SIM_STEPS_MAX][SIM_ITEMS_MAX];
	unsigned n_outputs, n_problems;
	bool is_out_of_order;
	uint64_t last;
};
void sim_check(const struct told *told, const struct run_row *row, const struct store_result *ledger,
	       uint64_t n_entries);
