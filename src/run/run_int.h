/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of run/: the driver's own structures. */
#pragma once
#include "base/log.h"
#include "run/step_run.h"

#define FEED_CHUNK_BYTES (32u << 10) /* input text per ledger row */
#define FEED_KEEP_MAX (4u << 20)     /* input text kept in memory; beyond, it is read back from the ledger */
#define FEED_READ_ITEMS 64	     /* items whose recorded answers are read back at once */
#define RUN_UPDATE_MS 1000	     /* how often counts go to disk */

/* One input item on its way, in all its branches. */
struct flight {
	struct list link; /* run->flights, by seq */
	uint64_t seq;
	unsigned open;	  /* branches still inside steps */
	enum item_state state;
	bool is_spent;	  /* it has become other items or is becoming them: nothing of its own comes out, nobody waits for it */
	bool is_dropped;  /* the run stopped before the item was through: neither out nor failed */
	struct list outputs; /* items that reached the end, waiting to be let out */
	struct item *failed; /* the first that failed, for on_problem */
	uint64_t put_no;     /* the last write it rests on */
};

/* An item as the driver holds it; kinds see the struct item in it. */
struct run_item {
	struct item item;
	struct run *run;
	struct flight *flight;
	uint64_t put_no;	    /* its last write */
	struct step *pending_step;  /* a store callback with this item as argument is under way */
	step_record_done *on_record;
	step_entry_done *on_entry;
	struct arena rows; /* what item.recorded points to; not the item's own arena, which has a limit */
};

struct step {
	struct run *run;
	const struct plan_step *plan;
	void *state;
	struct list arrivals; /* items inside, by arrival (order_link) */
	bool is_open, is_order_any, is_touched;
	bool is_output; /* what leaves here is the run's output */
	struct step_counts counts;
};

struct chunk {
	struct list link;
	uint64_t first_seq;
	uint32_t count, made_by;
	uint64_t put_no; /* its write */
	char *lines; /* NULL = on disk only */
	size_t len;
};

/* Input, from source or ledger to items. */
struct feed {
	struct list chunks;	/* recorded, not yet consumed */
	size_t kept_bytes;
	uint64_t next_in;	/* seq of the next line that is recorded */
	uint64_t next_out;	/* seq of the next item */
	uint64_t skip;		/* lines of a source given again that the ledger has already */
	uint64_t recorded_to;	/* items below this were recorded by an earlier process, perhaps with answers */
	bool source_ended, source_waits, is_reading;
	uint32_t made_by;	/* of the stretch: 0 = the source, else 1 + the step */
	uint64_t put_no;	/* of the stretch: the write of its lines, which an item rests on; 0 = they were read back */
	char *lines;		/* the stretch being consumed: lines of seq next_out.. */
	size_t len, pos;
	uint32_t left;		/* lines left in it */
	uint64_t read_to;	/* last seq asked for */
	uint64_t read_items;	/* how many are asked for at once: fewer when answers are large */
	struct arena rows_arena; /* recorded rows of the stretch */
	struct ledger_row *rows;
	size_t n_rows, row_pos;
};

enum run_phase { RUN_PHASE_STARTING, RUN_PHASE_FLOWING, RUN_PHASE_ENDING, RUN_PHASE_ENDED };

struct run {
	struct run_config config;
	struct plan *plan;
	struct run_row row;
	struct arena arena;
	struct step *steps;
	size_t first_step;
	struct feed feed;
	struct list runnable; /* items to be given to their next step */
	struct list flights;
	size_t live, window;
	bool is_stopping; /* on_error: stop has struck: what is under way ends, nothing else begins */
	bool is_leaving;  /* run_wind_down(): the same, and what was not begun is left to a resumed run */
	bool has_left;	  /* there is something to resume for */
	bool keeps_order, is_claimed, by_network, is_broken, update_pending, is_draining, is_in_step;
	uint64_t put_no, done_no; /* writes queued and committed */
	unsigned long failures;	  /* alloc_failures() when the run began */
	struct loop_soon soon;
	struct loop_timer update_timer;
	enum run_phase phase;
	struct log log;
	char id_text[24];
	uint64_t start_ns;
	struct buf scratch;
	int pending_store; /* callbacks that will still come: the run is freed after the last */
	bool is_dead;
};

/* feed.c */
void feed_init(struct run *r);
void feed_done(struct run *r);
void feed_pump(struct run *r);		    /* take more from the source into the ledger */
bool feed_may_pump(const struct run *r);
struct item *feed_next(struct run *r, uint32_t *ret_made_by); /* the next item, or NULL: none now */
bool feed_is_over(const struct run *r);
bool feed_has_recorded(const struct run *r); /* items yet to come that an earlier process may have begun: none of them may be forgotten */
void feed_resume(struct run *r, uint64_t next_seq, uint64_t from_source); /* what the ledger holds: before anything moves */
/* Record made items behind the input. The same promises as step_make(). */
void feed_make(struct run_item *parent, const struct input_row *row, store_done *done);
/* Copy the ledger's rows of the item, to live with it. -ERR_NO_MEMORY: then it must not go on, it would do again what is done. */
int run_item_keep_rows(struct run_item *ri, const struct ledger_row *rows, size_t n);

/* dispatch.c */
void run_schedule(struct run *r);
void run_drain(struct run *r);
void run_item_free(struct item *it);
void run_item_ends(struct run *r, struct item *it);
void run_drop_items(struct run *r);

static inline struct run_item *run_item_of(struct item *it)
{
	return CONTAINER_OF(it, struct run_item, item);
}
/* A new branch of a flight; NULL when out of memory. */
struct run_item *run_item_new(struct run *r, struct flight *f, uint64_t seq);

/* ledger.c */
void run_broken(struct run *r, const char *why);
/*
 * False, and the run is broken, once memory ran out in this process since it began: values may be missing from any item, and a judgement of it
 * would blame the item. Asked before anything is written, read in, or let out; what the ledger holds stands, and the run is resumed.
 */
bool run_is_sound(struct run *r);
uint64_t run_next_put(struct run *r);
void run_put_row(struct run *r, const struct ledger_row *row);
void run_put_state(struct run *r, store_done *done);
/* A store callback begins: true when the run is still there; call run_leave() at its end. */
bool run_enter(struct run *r);
void run_leave(struct run *r);
