/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves items from step to step. One drain a turn: give runnable items to their steps, let the steps flush what they
 * gathered, feed more while the window has room, let finished items out in order. Nothing here recurses with the number
 * of steps or items.
 */
#include "run/run_int.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBLEM_MAX_BYTES (1u << 20) /* of one problem, as JSON */

struct run_item *run_item_new(struct run *r, struct flight *f, uint64_t seq)
{
	struct run_item *ri = alloc_calloc(1, sizeof(*ri));
	if (!ri)
		return NULL;
	ri->run = r;
	ri->flight = f;
	ri->item.seq = seq;
	arena_init(&ri->item.arena, ITEM_MAX_BYTES);
	arena_init(&ri->rows, 2 * (size_t)ARENA_MAX_DEFAULT);
	list_init(&ri->item.link);
	list_init(&ri->item.order_link);
	f->open++;
	return ri;
}

void run_item_free(struct item *it)
{
	struct run_item *ri = run_item_of(it);
	arena_done(&it->arena);
	arena_done(&ri->rows);
	free(ri);
}

/* Free unless the store still holds it as a callback's argument: then the callback buries it. */
static void item_drop(struct item *it)
{
	list_remove(&it->link);
	list_remove(&it->order_link);
	if (!run_item_of(it)->pending_step)
		run_item_free(it);
}

void run_schedule(struct run *r)
{
	if (!r->is_draining && !r->is_dead)
		loop_soon(r->config.loop, &r->soon);
}

static void item_runs(struct run *r, struct item *it, size_t step)
{
	it->step = step;
	list_remove(&it->link);
	list_add_last(&r->runnable, &it->link);
	run_schedule(r);
}

void run_item_ends(struct run *r, struct item *it)
{
	struct flight *f = run_item_of(it)->flight;
	uint64_t put_no = run_item_of(it)->put_no;
	if (put_no > f->put_no)
		f->put_no = put_no;
	list_remove(&it->link);
	f->open--;
	if (it->state == ITEM_DONE) {
		list_add_last(&f->outputs, &it->link);
	} else {
		/* The first problem stands for the item, unless a later one weighs more: unknown over failed. */
		if (f->failed && it->state <= f->state) {
			run_item_free(it);
		} else {
			if (f->failed)
				run_item_free(f->failed);
			f->failed = it;
			f->state = it->state;
		}
	}
	run_schedule(r);
}

static void branch_end(struct run *r, struct item *it, bool is_output)
{
	if (is_output) {
		it->state = ITEM_DONE;
		run_item_ends(r, it);
		return;
	}
	struct flight *f = run_item_of(it)->flight;
	if (run_item_of(it)->put_no > f->put_no)
		f->put_no = run_item_of(it)->put_no;
	f->open--;
	list_remove(&it->link);
	run_item_free(it);
	run_schedule(r);
}

static void item_fail_here(struct run *r, struct item *it, const char *type, const char *title, const char *detail);

/* A copy of the item for one more follower: its own arena, since each branch may change it. */
static void branch_copy(struct run *r, struct item *it, size_t step)
{
	struct run_item *from = run_item_of(it);
	struct run_item *ri = run_item_new(r, from->flight, it->seq);
	const struct ledger_row *rows = it->recorded;
	size_t n = 0;
	while (rows && rows[n].kind)
		n++;
	if (!ri || run_item_keep_rows(ri, rows, n) < 0) {
		run_broken(r, "out of memory");
		if (ri) {
			from->flight->open--;
			run_item_free(&ri->item);
		}
		return;
	}
	ri->put_no = from->put_no;
	ri->item.step = step;
	if (value_copy(&ri->item.arena, &it->root, &ri->item.root) < 0)
		item_fail_here(r, &ri->item, "too_large", "The item cannot be copied",
			       "the item is too large or too deep to follow two ways");
	else
		item_runs(r, &ri->item, step);
}

/* The item leaves its step for good. */
static void step_leave(struct step *s, struct item *it)
{
	struct run *r = s->run;
	uint64_t now = clock_mono_ns();
	list_remove(&it->order_link);
	it->is_ready = false;
	it->step_data = NULL;
	s->counts.out++;
	s->counts.busy_ns += now - it->entered_ns;
	s->counts.last_ns = now;
	if (r->config.on_step) {
		r->is_in_step = true;
		r->config.on_step(r->config.arg, s->plan, it);
		r->is_in_step = false;
	}
	/* The item itself goes on to its first follower, or out; a response that others follow does both. */
	bool moves_on = s->plan->n_followers && !s->is_output;
	for (size_t i = moves_on ? 1 : 0; i < s->plan->n_followers; i++)
		branch_copy(r, it, s->plan->followers[i]);
	if (moves_on)
		item_runs(r, it, s->plan->followers[0]);
	else
		branch_end(r, it, s->is_output);
}

static void step_leave_ready(struct step *s)
{
	while (!list_is_empty(&s->arrivals)) {
		struct item *it = LIST_ENTRY(list_first(&s->arrivals), struct item, order_link);
		if (!it->is_ready)
			return;
		step_leave(s, it);
	}
}

void step_pass(struct step *s, struct item *it)
{
	it->is_ready = true;
	if (s->is_order_any)
		step_leave(s, it);
	else
		step_leave_ready(s);
}

/* { type, title, detail, status } with the step's name, so that one line of it says where. */
static void problem_place(struct step *s, struct item *it, struct value problem)
{
	it->problem = problem;
	if (it->problem.kind != VALUE_OBJECT)
		it->problem = value_object();
	(void)value_set(&it->arena, &it->problem, STR("step"), value_string(s->plan->name));
}

static void item_record_problem(struct run *r, struct item *it, uint32_t step)
{
	struct buf head;
	buf_init(&head, PROBLEM_MAX_BYTES);
	if (json_write(&head, &it->problem, JSON_COMPACT) < 0) {
		buf_clear(&head);
		(void)buf_append_c(&head, "{\"type\":\"too_large\",\"title\":\"The problem is too large to be kept\"}");
	}
	struct ledger_row row = {
		.key = { .run = r->row.id, .seq = it->seq, .step = step, .attempt = 1 },
		.kind = LEDGER_PROBLEM,
		.at = clock_wall(),
		.code = (int32_t)it->state,
		.head = buf_str(&head),
	};
	run_put_row(r, &row);
	run_item_of(it)->put_no = r->put_no;
	buf_done(&head);
}

/* The item ends on its way to it->step. */
static void item_fail_here(struct run *r, struct item *it, const char *type, const char *title, const char *detail)
{
	struct value p = value_object();
	(void)value_set(&it->arena, &p, STR("type"), value_string(str_c(type)));
	(void)value_set(&it->arena, &p, STR("title"), value_string(str_c(title)));
	(void)value_set(&it->arena, &p, STR("detail"), value_string(str_c(detail)));
	(void)value_set(&it->arena, &p, STR("step"), value_string(r->plan->steps[it->step].name));
	it->problem = p;
	it->state = ITEM_FAILED;
	item_record_problem(r, it, (uint32_t)it->step);
	run_item_ends(r, it);
}

static void steps_stop(struct run *r)
{
	for (size_t i = 0; i < r->plan->n_steps; i++)
		if (r->steps[i].is_open && r->steps[i].plan->kind->stop)
			r->steps[i].plan->kind->stop(&r->steps[i]);
	run_schedule(r);
}

/* Setting on_error: stop. What waits is let go, what is under way ends by itself. */
static void run_stop_early(struct run *r, const struct item *it)
{
	const struct value *detail = value_get_c(&it->problem, "detail");
	if (r->is_stopping)
		return;
	r->is_stopping = true;
	r->row.problem =
	    str_c(arena_printf(&r->arena, RUN_STOPPED_TEXT "%llu: %.*s", (unsigned long long)it->seq,
			       STR_ARG(value_is(detail, VALUE_STRING) ? value_text(detail) : STR("it failed"))));
	steps_stop(r);
}

void run_wind_down(struct run *r)
{
	if (r->is_leaving || r->is_dead)
		return;
	r->is_leaving = true;
	if (r->phase == RUN_PHASE_FLOWING && !r->is_broken)
		steps_stop(r);
}

/* An early stop takes the item back on its way to where its outcome is unknown, which is then told of all the same. */
static bool is_unknown_ahead(struct run *r, struct item *it)
{
	const struct ledger_row *row = it->recorded;
	if (!r->is_stopping || r->is_leaving)
		return false;
	while (row && row->kind && (row->kind != LEDGER_PROBLEM || row->code != ITEM_UNKNOWN))
		row++;
	if (!row || !row->kind)
		return false;
	it->state = ITEM_UNKNOWN;
	it->problem = VALUE_NONE;
	(void)json_parse(&it->arena, row->head, NULL, &it->problem, NULL, NULL);
	return true;
}

void step_drop(struct step *s, struct item *it)
{
	struct run *r = s->run;
	if (is_unknown_ahead(r, it)) {
		list_remove(&it->order_link);
		run_item_ends(r, it);
		step_leave_ready(s);
		return;
	}
	struct flight *f = run_item_of(it)->flight;
	f->is_dropped = true;
	r->has_left |= r->is_leaving;
	list_remove(&it->order_link);
	branch_end(r, it, false);
	step_leave_ready(s);
}

void step_become(struct step *s, struct item *it)
{
	struct run *r = s->run;
	uint64_t now = clock_mono_ns();
	run_item_of(it)->flight->is_spent = true;
	list_remove(&it->order_link);
	s->counts.busy_ns += now - it->entered_ns;
	s->counts.last_ns = now;
	if (r->config.on_step) {
		r->is_in_step = true;
		r->config.on_step(r->config.arg, s->plan, it);
		r->is_in_step = false;
	}
	branch_end(r, it, false);
	step_leave_ready(s);
}

/* The item goes on with its problem as item._error: to the steps that take errors, and on as usual where on_error says
 * keep. */
static void step_pass_error(struct step *s, struct item *it)
{
	it->state = ITEM_FLOWING;
	(void)value_set(&it->arena, &it->root, STR(ITEM_ERROR_FIELD), it->problem);
	for (size_t i = 0; i < s->plan->n_error_followers; i++)
		branch_copy(s->run, it, s->plan->error_followers[i]);
	if (s->plan->on_error == ON_ERROR_KEEP) {
		step_pass(s, it);
		return;
	}
	list_remove(&it->order_link);
	branch_end(s->run, it, false);
	step_leave_ready(s);
}

static void step_item_failed(struct step *s, struct item *it)
{
	struct run *r = s->run;
	bool passes = it->state == ITEM_FAILED && (s->plan->on_error == ON_ERROR_KEEP || s->plan->n_error_followers);
	s->counts.failed++;
	if (passes)
		it->state = ITEM_KEPT;
	if (!step_recorded(s, it, LEDGER_PROBLEM))
		item_record_problem(r, it, (uint32_t)s->plan->index);
	if (passes) {
		step_pass_error(s, it);
		return;
	}
	uint64_t now = clock_mono_ns();
	list_remove(&it->order_link);
	s->counts.busy_ns += now - it->entered_ns;
	s->counts.last_ns = now;
	if (s->plan->on_error == ON_ERROR_STOP)
		run_stop_early(r, it);
	run_item_ends(r, it);
	step_leave_ready(s);
}

void step_fail(struct step *s, struct item *it, struct value problem, enum item_state state)
{
	it->state = state;
	problem_place(s, it, problem);
	step_item_failed(s, it);
}

enum verdict step_problem(struct step *s, struct item *it, const char *type, const char *title, const char *fmt, ...)
{
	struct buf detail;
	va_list args;
	char text[ERR_MSG_MAX];
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	buf_init(&detail, sizeof(text) + NAME_MAX_BYTES + 16);
	(void)buf_printf(&detail, "step \"%.*s\": %s", STR_ARG(s->plan->name), text);
	struct value p = value_object();
	(void)value_set(&it->arena, &p, STR("type"), value_string_copy(&it->arena, str_c(type)));
	(void)value_set(&it->arena, &p, STR("title"), value_string_copy(&it->arena, str_c(title)));
	(void)value_set(&it->arena, &p, STR("detail"), value_string_copy(&it->arena, buf_str(&detail)));
	buf_done(&detail);
	it->state = ITEM_FAILED;
	problem_place(s, it, p);
	return STEP_FAIL;
}

/*
 * What ended at this step before ends there again as recorded: a failed script is not tried again by a resumed run, and
 * a replay shows what happened, not what would happen now.
 */
static bool item_ended_before(struct step *s, struct item *it)
{
	const struct ledger_row *row = step_recorded(s, it, LEDGER_PROBLEM);
	struct value problem = VALUE_NONE;
	if (!row)
		return false;
	(void)json_parse(&it->arena, row->head, NULL, &problem, NULL, NULL);
	step_fail(s, it, problem, row->code == ITEM_UNKNOWN ? ITEM_UNKNOWN : ITEM_FAILED);
	return true;
}

static void item_deliver(struct run *r, struct item *it)
{
	struct step *s = &r->steps[it->step];
	it->entered_ns = clock_mono_ns();
	if (!s->counts.in++)
		s->counts.first_ns = it->entered_ns;
	list_add_last(&s->arrivals, &it->order_link);
	/* What rests on a write goes on to its end, or a call that was made would come to nothing: unless the run is
	 * resumed, which finds the call in the ledger. */
	if (r->is_leaving || (r->is_stopping && !run_item_of(it)->put_no && !it->recorded)) {
		step_drop(s, it);
		return;
	}
	if (item_ended_before(s, it))
		return;
	s->is_touched = true;
	enum verdict v = s->plan->kind->start ? s->plan->kind->start(s, it) : STEP_DONE;
	if (v == STEP_DONE)
		step_pass(s, it);
	else if (v == STEP_FAIL)
		step_item_failed(s, it);
}

/* An item from the source goes to every step without one; a made one to those that follow the step which made it. */
static void item_begins(struct run *r, struct item *it, uint32_t made_by)
{
	const struct step *maker = made_by && made_by <= r->plan->n_steps ? &r->steps[made_by - 1] : NULL;
	if (maker && (maker->is_output || !maker->plan->n_followers)) {
		branch_end(r, it, maker->is_output);
		return;
	}
	if (maker) {
		for (size_t i = 1; i < maker->plan->n_followers; i++)
			branch_copy(r, it, maker->plan->followers[i]);
		item_runs(r, it, maker->plan->followers[0]);
		return;
	}
	for (size_t i = r->first_step + 1; i < r->plan->n_steps; i++)
		if (r->plan->steps[i].source < 0)
			branch_copy(r, it, i);
	item_runs(r, it, r->first_step);
}

static bool is_left_out(const struct run *r, const struct item *it, uint32_t made_by)
{
	size_t begins_at = made_by ? made_by - 1 : r->first_step;
	for (const struct ledger_row *row = it->recorded; row && row->kind; row++)
		if (row->kind == LEDGER_DECISION && row->code == DECISION_SKIP && row->key.step == begins_at)
			return true;
	return false;
}

static bool feed_window(struct run *r)
{
	bool any = false;
	while (r->live < r->window && !r->is_broken && !r->is_leaving && (!r->is_stopping || feed_has_recorded(r))) {
		uint32_t made_by = 0;
		struct item *it = feed_next(r, &made_by);
		if (!it)
			break;
		r->live++;
		any = true;
		if (it->state == ITEM_FAILED) {
			item_record_problem(r, it, 0);
			run_item_ends(r, it);
		} else if (is_left_out(r, it, made_by)) {
			run_item_of(it)->flight->is_dropped = true;
			branch_end(r, it, false);
		} else {
			item_begins(r, it, made_by);
		}
	}
	return any;
}

static bool is_network_problem(const struct value *problem)
{
	static const char *const types[] = { "connect_refused", "connect_timeout", "connect_failed",
					     "dns_not_found",	"dns_temporary",   "first_byte_timeout",
					     "total_timeout",	"too_slow",	   "connection_lost" };
	const struct value *type = value_get_c(problem, "type");
	for (size_t i = 0; type && i < ARRAY_LEN(types); i++)
		if (value_is_string(type, str_c(types[i])))
			return true;
	return false;
}

static void flight_out(struct run *r, struct flight *f)
{
	list_remove(&f->link);
	r->live--;
	if (f->failed) {
		if (f->state == ITEM_UNKNOWN)
			r->row.unknown++;
		else
			r->row.failed++;
		if (!is_network_problem(&f->failed->problem))
			r->by_network = false;
		if (r->config.on_problem)
			r->config.on_problem(r->config.arg, f->failed);
		run_item_free(f->failed);
	} else if (!f->is_dropped) {
		r->row.items_out++;
	}
	LIST_FOREACH (node, &f->outputs) {
		struct item *it = LIST_ENTRY(node, struct item, link);
		if (!f->failed && !f->is_dropped && !r->is_dead && r->config.on_output)
			r->config.on_output(r->config.arg, it);
		list_remove(&it->link);
		run_item_free(it);
	}
	free(f);
}

/* Let out what is finished and rests on nothing that is not on disk. */
static void flights_out(struct run *r)
{
	if (!run_is_sound(r))
		return;
	LIST_FOREACH (node, &r->flights) {
		struct flight *f = LIST_ENTRY(node, struct flight, link);
		if (f->open == 0 && f->put_no <= r->done_no)
			flight_out(r, f);
		else if (r->keeps_order && !f->is_spent)
			return;
		if (r->is_dead)
			return;
	}
}

static void steps_flush(struct run *r)
{
	for (size_t i = 0; i < r->plan->n_steps; i++) {
		struct step *s = &r->steps[i];
		if (!s->is_touched)
			continue;
		s->is_touched = false;
		if (s->plan->kind->flush)
			s->plan->kind->flush(s);
	}
}

void run_drain(struct run *r)
{
	r->is_draining = true;
	bool more = true;
	while (more && !r->is_broken && !r->is_dead) {
		struct list *node;
		while (!r->is_broken && (node = list_first(&r->runnable))) {
			list_remove(node);
			item_deliver(r, LIST_ENTRY(node, struct item, link));
		}
		steps_flush(r);
		flights_out(r);
		if (r->is_dead) /* a callback has freed the run; it is buried at the end of the turn */
			return;
		feed_pump(r);
		more = feed_window(r) || !list_is_empty(&r->runnable);
	}
	r->is_draining = false;
	if (feed_may_pump(r))
		run_schedule(r);
}

/* Bury every item of the run; those in the store's hands are buried by its callback. */
void run_drop_items(struct run *r)
{
	for (size_t i = 0; i < r->plan->n_steps; i++)
		LIST_FOREACH (node, &r->steps[i].arrivals)
			item_drop(LIST_ENTRY(node, struct item, order_link));
	LIST_FOREACH (node, &r->runnable)
		item_drop(LIST_ENTRY(node, struct item, link));
	LIST_FOREACH (node, &r->flights) {
		struct flight *f = LIST_ENTRY(node, struct flight, link);
		LIST_FOREACH (out, &f->outputs)
			item_drop(LIST_ENTRY(out, struct item, link));
		if (f->failed)
			item_drop(f->failed);
		list_remove(&f->link);
		free(f);
	}
}
