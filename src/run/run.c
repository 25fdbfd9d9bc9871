/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of a run: STARTING (row being written, claim taken) -> FLOWING (items move) -> ENDING (last state being written)
 * -> ENDED. A run whose ledger cannot be written stops where it is and stays `running` on disk: it is resumed, not
 * guessed at.
 */
#include "run/run_int.h"

#include "base/alloc.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/dice.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void steps_close(struct run *r)
{
	for (size_t i = 0; i < r->plan->n_steps; i++) {
		struct step *s = &r->steps[i];
		if (s->is_open && s->plan->kind->close)
			s->plan->kind->close(s);
		s->is_open = false;
	}
}

/* Broken: calls under way are cancelled before the claim goes, since whoever has it next may send. */
static void run_end(struct run *r)
{
	r->phase = RUN_PHASE_ENDED;
	if (r->is_broken || r->has_left) {
		r->row.state = RUN_RUNNING;
		r->row.ended_at = 0;
		steps_close(r);
	}
	loop_timer_stop(&r->update_timer);
	if (r->is_claimed)
		store_run_release(r->config.store, r->row.id);
	r->is_claimed = false;
	if (r->config.on_end)
		r->config.on_end(r->config.arg, r);
}

static void on_final(void *arg, const struct store_result *result)
{
	struct run *r = arg;
	if (run_enter(r)) {
		r->done_no++;
		if (result->error)
			run_broken(r, result->detail);
		else
			run_end(r);
	}
	run_leave(r);
}

static enum run_state final_state(const struct run *r)
{
	if (r->row.unknown)
		return RUN_NEEDS_ATTENTION;
	if (r->is_stopping)
		return RUN_FAILED;
	if (r->row.problem.len && !r->row.items_out)
		return RUN_FAILED;
	if (r->row.failed)
		return r->row.items_out ? RUN_PARTLY_DONE : RUN_FAILED;
	return r->row.problem.len ? RUN_PARTLY_DONE : RUN_DONE;
}

static void run_finish(struct run *r)
{
	/* An early stop has read no more input either, and is over all the same. */
	r->has_left |= r->is_leaving && !(r->is_stopping ? !feed_has_recorded(r) : feed_is_over(r));
	if (r->has_left) {
		run_end(r);
		return;
	}
	r->phase = RUN_PHASE_ENDING;
	r->row.state = final_state(r);
	r->row.ended_at = clock_wall();
	if (r->config.is_replay)
		run_end(r);
	else
		run_put_state(r, on_final);
}

static void on_soon(struct loop_soon *soon)
{
	struct run *r = CONTAINER_OF(soon, struct run, soon);
	if (r->phase == RUN_PHASE_ENDING && r->is_broken)
		run_end(r);
	if (r->phase != RUN_PHASE_FLOWING)
		return;
	run_drain(r);
	if (r->is_dead)
		return;
	bool is_through = feed_is_over(r) || r->is_leaving || (r->is_stopping && !feed_has_recorded(r));
	if (r->is_broken)
		run_end(r);
	else if (r->live == 0 && is_through && r->done_no == r->put_no)
		run_finish(r);
}

static void on_counts_saved(void *arg, const struct store_result *result)
{
	struct run *r = arg;
	r->update_pending = false;
	if (run_enter(r)) {
		r->done_no++;
		if (result->error)
			run_broken(r, result->detail);
		run_schedule(r);
	}
	run_leave(r);
}

static void on_update_timer(struct loop_timer *t)
{
	struct run *r = CONTAINER_OF(t, struct run, update_timer);
	if (r->phase != RUN_PHASE_FLOWING)
		return;
	if (!r->update_pending && !r->is_broken) {
		r->update_pending = true;
		run_put_state(r, on_counts_saved);
	}
	(void)loop_timer_start(t, RUN_UPDATE_MS);
}

/* Open each step; from here on items flow. */
static void run_begin(struct run *r)
{
	struct err e = ERR_INIT;
	(void)snprintf(r->id_text, sizeof(r->id_text), "%lld", (long long)r->row.id);
	r->log = (struct log){ .key = "run", .value = r->id_text };
	if (!r->config.is_replay) {
		if (store_run_claim(r->config.store, r->row.id, &e) < 0) {
			run_broken(r, e.msg);
			run_end(r);
			return;
		}
		r->is_claimed = true;
		(void)loop_timer_start(&r->update_timer, RUN_UPDATE_MS);
	}
	r->phase = RUN_PHASE_FLOWING;
	for (size_t i = 0; i < r->plan->n_steps; i++) {
		struct step *s = &r->steps[i];
		s->is_open = true;
		if (s->plan->kind->open && s->plan->kind->open(s, &e) < 0) {
			run_broken(r, e.msg);
			break;
		}
		if (s->is_order_any)
			r->keeps_order = false;
	}
	if (r->config.on_started && !r->is_broken)
		r->config.on_started(r->config.arg, r);
	run_schedule(r);
}

static void on_created(void *arg, const struct store_result *result)
{
	struct run *r = arg;
	if (run_enter(r)) {
		r->done_no++;
		if (result->error) {
			run_broken(r, result->detail);
			run_end(r);
		} else {
			r->row.id = result->id;
			run_begin(r);
		}
	}
	run_leave(r);
}

static void begin_later(void *arg)
{
	struct run *r = arg;
	if (run_enter(r))
		run_begin(r);
	run_leave(r);
}

/* Where the recorded input ends is known only to the ledger: the run's row is behind it after a kill. */
static void on_input_end(void *arg, const struct store_result *result)
{
	struct run *r = arg;
	if (run_enter(r)) {
		if (result->error) {
			run_broken(r, result->detail);
			run_end(r);
		} else {
			feed_resume(r, result->next_seq, result->total);
			run_begin(r);
		}
	}
	run_leave(r);
}

static int row_init(struct run *r, struct err *e)
{
	const struct run_row *from = r->config.resume;
	struct run_row *row = &r->row;
	struct arena *a = &r->arena;
	if (from) {
		*row = *from;
		/* Input that could not be read on stays so; an early stop strikes again, or it was none. */
		bool is_kept = from->problem.len && !str_starts(from->problem, STR(RUN_STOPPED_TEXT));
		row->problem = is_kept ? arena_str(a, from->problem) : STR_NULL;
	} else {
		*row = (struct run_row){ .started_at = clock_wall() };
		row->now = row->started_at;
		row->seed = dice();
	}
	row->seed &= INT64_MAX; /* the store's integers are signed */
	row->component = arena_str(a, r->plan->component->name);
	row->dataflow = arena_str(a, r->plan->dataflow->name);
	row->version = arena_str(a, str_c(r->plan->component->version));
	row->env = arena_str(a, from ? from->env : r->plan->env);
	row->trigger = arena_str(a, from ? from->trigger : str_c(r->config.trigger ? r->config.trigger : "api"));
	row->steps = STR_NULL;
	row->state = RUN_RUNNING;
	row->ended_at = 0;
	row->items_out = row->failed = row->unknown = 0;
	/* A run recorded without its names could never be resumed. */
	if (!row->component.ptr || !row->dataflow.ptr || !row->version.ptr || !row->env.ptr || !row->trigger.ptr)
		return err_set(e, ERR_NO_MEMORY, "no memory for a run");
	return 0;
}

static void steps_init(struct run *r)
{
	bool has_response = false;
	r->first_step = SIZE_MAX;
	for (size_t i = 0; i < r->plan->n_steps; i++)
		has_response |= r->plan->steps[i].kind->is_response;
	for (size_t i = 0; i < r->plan->n_steps; i++) {
		struct step *s = &r->steps[i];
		*s = (struct step){ .run = r, .plan = &r->plan->steps[i] };
		list_init(&s->arrivals);
		s->is_output = has_response ? s->plan->kind->is_response : s->plan->n_followers == 0;
		if (s->plan->source < 0 && r->first_step == SIZE_MAX)
			r->first_step = i;
	}
}

static void run_init(struct run *r, const struct run_config *config)
{
	r->config = *config;
	r->plan = plan_ref(config->plan);
	r->window = config->window ? config->window : RUN_WINDOW_DEFAULT;
	if (r->window > RUN_WINDOW_MAX)
		r->window = RUN_WINDOW_MAX;
	r->keeps_order = true;
	r->by_network = true;
	r->start_ns = clock_mono_ns();
	r->failures = alloc_failures();
	arena_init(&r->arena, 0);
	buf_init(&r->scratch, RUN_LINE_MAX + FEED_CHUNK_BYTES);
	list_init(&r->runnable);
	list_init(&r->flights);
	loop_soon_init(&r->soon, on_soon);
	loop_timer_init(config->loop, &r->update_timer, on_update_timer);
}

struct run *run_start(const struct run_config *config, struct err *e)
{
	struct run *r = alloc_calloc(1, sizeof(*r));
	if (r)
		r->steps = alloc_calloc(config->plan->n_steps, sizeof(*r->steps));
	if (!r || !r->steps) {
		free(r);
		err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	run_init(r, config);
	steps_init(r);
	int rc = row_init(r, e);
	feed_init(r);
	if (rc == 0 && config->is_replay) {
		r->pending_store++;
		loop_post(config->loop, begin_later, r);
	} else if (rc == 0 && config->resume) {
		r->pending_store++;
		rc = store_input_end(config->store, r->row.id, on_input_end, r, e);
		if (rc < 0)
			r->pending_store--;
	} else if (rc == 0) {
		(void)run_next_put(r);
		rc = store_run_create(config->store, &r->row, on_created, r, e);
		if (rc < 0)
			r->pending_store--;
	}
	if (rc < 0) {
		run_free(r);
		return NULL;
	}
	return r;
}

void run_free(struct run *r)
{
	if (!r || r->is_dead)
		return;
	assert(!r->is_in_step);
	steps_close(r);
	run_drop_items(r);
	loop_soon_cancel(&r->soon);
	loop_timer_stop(&r->update_timer);
	if (r->is_claimed)
		store_run_release(r->config.store, r->row.id);
	r->is_dead = true;
	r->pending_store++;
	run_leave(r);
}

int64_t run_id(const struct run *r)
{
	return r->row.id;
}

const struct run_row *run_row(const struct run *r)
{
	return &r->row;
}

const struct plan *run_plan(const struct run *r)
{
	return r->plan;
}

const struct step_counts *run_step_counts(const struct run *r, size_t step)
{
	return &r->steps[step].counts;
}

size_t run_live(const struct run *r)
{
	return r->live;
}

bool run_failed_by_network(const struct run *r)
{
	return r->row.failed && !r->row.items_out && !r->row.unknown && r->by_network;
}

struct run *step_run(const struct step *s)
{
	return s->run;
}

const struct plan_step *step_plan(const struct step *s)
{
	return s->plan;
}

const void *step_opts(const struct step *s)
{
	return s->plan->opts;
}

void *step_state(const struct step *s)
{
	return s->state;
}

void step_set_state(struct step *s, void *state)
{
	s->state = state;
}

struct loop *step_loop(const struct step *s)
{
	return s->run->config.loop;
}

struct store *step_store(const struct step *s)
{
	return s->run->config.store;
}

void *step_services(const struct step *s)
{
	return s->run->config.services;
}

const struct run_row *step_row(const struct step *s)
{
	return &s->run->row;
}

bool step_is_stopping(const struct step *s)
{
	return s->run->is_stopping;
}

bool step_is_leaving(const struct step *s)
{
	return s->run->is_leaving;
}

bool step_is_replay(const struct step *s)
{
	return s->run->config.is_replay;
}

bool step_is_checked(const struct step *s)
{
	return s->run->config.is_replay && s->run->config.on_effect;
}

bool step_tell(struct step *s, const struct item *it, enum ledger_kind kind, struct str text)
{
	struct run *r = s->run;
	if (!step_is_checked(s))
		return true;
	r->is_in_step = true;
	bool is_known = r->config.on_effect(r->config.arg, s->plan, it, kind, text);
	r->is_in_step = false;
	return is_known;
}

void step_set_order_any(struct step *s)
{
	s->is_order_any = true;
}
