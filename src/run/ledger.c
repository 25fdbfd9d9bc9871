/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run's writes: intents, outcomes, problems, state. All go through one ordered queue of the store, so "the k-th
 * write is on disk" is one counter, and an item's output may leave once the counter has passed the item's last write.
 */
#include "run/run_int.h"

#include "base/alloc.h"
#include "base/auto.h"
#include "base/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(LEDGER_CODE_FAILED == ITEM_FAILED && LEDGER_CODE_UNKNOWN == ITEM_UNKNOWN, "the store asks for them");

uint64_t run_next_put(struct run *r)
{
	r->pending_store++;
	return ++r->put_no;
}

bool run_enter(struct run *r)
{
	return !r->is_dead;
}

static void run_bury(void *p)
{
	struct run *r = p;
	feed_done(r);
	buf_done(&r->scratch);
	plan_unref(r->plan);
	arena_done(&r->arena);
	free(r->steps);
	free(r);
}

void run_leave(struct run *r)
{
	r->pending_store--;
	if (r->is_dead && r->pending_store == 0)
		loop_free_later(r->config.loop, r, run_bury);
}

void run_broken(struct run *r, const char *why)
{
	if (r->is_broken)
		return;
	r->is_broken = true;
	r->row.problem = arena_str(&r->arena, str_c(why ? why : "the store failed"));
	log_error(&r->log, "run stops and can be resumed error=\"%.*s\"", STR_ARG(r->row.problem));
	run_schedule(r);
}

bool run_is_sound(struct run *r)
{
	if (!r->is_broken && alloc_failures() != r->failures)
		run_broken(r, "out of memory");
	return !r->is_broken;
}

static void row_done(void *arg, const struct store_result *result)
{
	struct run *r = arg;
	if (run_enter(r)) {
		r->done_no++;
		if (result->error)
			run_broken(r, result->detail);
		run_schedule(r);
	}
	run_leave(r);
}

void run_put_row(struct run *r, const struct ledger_row *row)
{
	struct err e = ERR_INIT;
	if (r->config.is_replay || !run_is_sound(r))
		return;
	(void)run_next_put(r);
	if (store_ledger_put(r->config.store, row, row_done, r, &e) < 0) {
		r->pending_store--;
		r->put_no--;
		run_broken(r, e.msg);
	}
}

void run_put_state(struct run *r, store_done *done)
{
	struct err e = ERR_INIT;
	struct buf steps;
	if (r->config.is_replay)
		return;
	buf_init(&steps, 1u << 20);
	if (run_write_steps(r, &steps) < 0) {
		run_broken(r, "out of memory");
		buf_done(&steps);
		return;
	}
	r->row.steps = buf_str(&steps);
	(void)run_next_put(r);
	if (store_run_update(r->config.store, &r->row, done, r, &e) < 0) {
		r->pending_store--;
		r->put_no--;
		run_broken(r, e.msg);
	}
	r->row.steps = STR_NULL;
	buf_done(&steps);
}

int run_write_steps(const struct run *r, struct buf *b)
{
	(void)buf_append_char(b, '[');
	for (size_t i = 0; i < r->plan->n_steps; i++) {
		const struct step_counts *c = &r->steps[i].counts;
		if (i)
			(void)buf_append_char(b, ',');
		(void)buf_append_c(b, "{\"name\":");
		(void)json_write_string(b, r->plan->steps[i].name);
		(void)buf_printf(b, ",\"in\":%llu,\"out\":%llu,\"failed\":%llu,\"duration_ms\":%.3f}",
				 (unsigned long long)c->in, (unsigned long long)c->out, (unsigned long long)c->failed,
				 (double)(c->last_ns - c->first_ns) / 1e6);
	}
	(void)buf_append_char(b, ']');
	return buf_ok(b) ? 0 : -b->failed;
}

struct ledger_key step_key(const struct step *s, const struct item *it, uint32_t attempt)
{
	return (struct ledger_key){
		.run = s->run->row.id, .seq = it->seq, .step = (uint32_t)s->plan->index, .attempt = attempt
	};
}

const struct ledger_row *step_recorded(const struct step *s, const struct item *it, enum ledger_kind kind)
{
	const struct ledger_row *found = NULL;
	for (const struct ledger_row *row = it->recorded; row && row->kind; row++)
		if (row->kind == kind && row->key.step == s->plan->index &&
		    (!found || row->key.attempt > found->key.attempt))
			found = row;
	return found;
}

/* The item whose write this was, unless the run is dead: then the item is buried here. */
static struct run_item *write_came(struct run_item *ri, const struct store_result *result)
{
	struct run *r = ri->run;
	if (!run_enter(r)) {
		run_item_free(&ri->item);
		return NULL;
	}
	r->done_no++;
	if (result->error == STORE_FAILED)
		run_broken(r, result->detail);
	run_schedule(r);
	return ri;
}

static void item_row_done(void *arg, const struct store_result *result)
{
	struct run_item *ri = arg;
	struct run *r = ri->run;
	if (write_came(ri, result)) {
		struct step *s = TAKE(ri->pending_step);
		if (run_is_sound(r))
			ri->on_record(s, &ri->item);
	}
	run_leave(r);
}

void step_record(struct step *s, struct item *it, const struct ledger_row *row, step_record_done *done)
{
	struct run *r = s->run;
	struct run_item *ri = run_item_of(it);
	struct err e = ERR_INIT;
	assert(!r->config.is_replay); /* a replay reads */
	if (!done) {
		run_put_row(r, row);
		ri->put_no = r->put_no;
		return;
	}
	if (!run_is_sound(r))
		return; /* the item stays where it is, as below */
	ri->put_no = run_next_put(r);
	ri->pending_step = s;
	ri->on_record = done;
	if (store_ledger_put(r->config.store, row, item_row_done, ri, &e) < 0) {
		/* The item stays where it is: the run stops and is resumed from the ledger. */
		r->pending_store--;
		r->put_no--;
		ri->pending_step = NULL;
		run_broken(r, e.msg);
	}
}

void step_make(struct step *s, struct item *it, struct str lines, uint32_t count, uint64_t made, struct str state,
	       step_record_done *done)
{
	struct run_item *ri = run_item_of(it);
	struct input_row row = {
		.count = count,
		.made_by = (uint32_t)s->plan->index + 1,
		.parent = it->seq,
		.made = made,
		.made_state = state,
		.lines = lines,
	};
	assert(!s->run->config.is_replay && !ri->pending_step);
	if (!run_is_sound(s->run))
		return;
	ri->flight->is_spent = true; /* those that it becomes come after it, and do not wait for it */
	ri->pending_step = s;
	ri->on_record = done;
	s->counts.out += count;
	feed_make(ri, &row, item_row_done);
}

static void item_entry_done(void *arg, const struct store_result *result)
{
	struct run_item *ri = arg;
	struct run *r = ri->run;
	if (write_came(ri, result)) {
		struct step *s = TAKE(ri->pending_step);
		if (run_is_sound(r))
			ri->on_entry(s, &ri->item, result);
	}
	run_leave(r);
}

void step_entry_write(struct step *s, struct item *it, enum entry_mode mode, const struct entry_row *entry,
		      step_entry_done *done)
{
	struct run *r = s->run;
	struct run_item *ri = run_item_of(it);
	struct err e = ERR_INIT;
	struct ledger_key key = step_key(s, it, 1);
	assert(!r->config.is_replay);
	if (!run_is_sound(r))
		return;
	ri->put_no = run_next_put(r);
	ri->pending_step = s;
	ri->on_entry = done;
	if (store_entry_write(r->config.store, &key, mode, entry, item_entry_done, ri, &e) < 0) {
		r->pending_store--;
		r->put_no--;
		ri->pending_step = NULL;
		run_broken(r, e.msg);
	}
}
