/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run is prepared: a row that says it has failed before it began, then input, what is left out, requests that were
 * shown and answers that may be taken; at last the row says that it is under way. Killed before that, it is a run that
 * has sent nothing and says so; after that, it is resumed like any other.
 */
#include "app/sending.h"

#include "api/views.h"
#include "base/alloc.h"
#include "base/clock.h"

#include <string.h>

#define READ_ITEMS 64		       /* of the other run, at once; fewer when their answers are large */
#define CHUNK_BYTES ((size_t)32 << 10) /* of input lines in one row */
#define AGENT "[\"User-Agent\",\"weir/"

/* How many items a list of the other run has become. */
struct donor_made {
	uint64_t parent, made;
	struct str state;
};

struct writing {
	struct sending *s;
	struct app *app;
	const struct plan *plan, *donor_plan; /* donor_plan NULL = there is none */
	int64_t donor;
	struct run_row row;
	struct str skip_head;
	size_t first_step;
	uint64_t from, to;   /* of the stretch */
	uint64_t next_input; /* items below this have their input */
	struct donor_made *made;
	size_t n_made, cap_made;
	struct arena arena; /* of the stretch */
	bool is_too_large;
	struct err *e;
};

static void on_sync(void *arg, const struct store_result *result)
{
	struct writing *w = arg;
	w->row.id = w->row.id ? w->row.id : result->id;
}

/* All that was queued is on disk, or it is said why not. */
static int wait_for(struct writing *w, struct app_wait *wait, int code)
{
	if (code < 0)
		return code;
	if (app_wait(wait) < 0)
		return err_set(w->e, ERR_IO, "the run cannot be prepared: %s", wait->detail);
	return 0;
}

static int run_update(struct writing *w)
{
	struct app_wait wait = { .app = w->app };
	return wait_for(w, &wait, store_run_update(w->app->store, &w->row, app_wait_done, &wait, w->e));
}

static int run_create(struct writing *w)
{
	struct sending *s = w->s;
	struct app_wait wait = { .app = w->app, .use = on_sync, .arg = w };
	msec_t now = clock_wall();
	const char *why =
	    s->donor ? arena_printf(&s->arena, "nothing was sent: preparing it out of run %lld was interrupted",
				    (long long)s->donor->row.id)
		     : "nothing was sent: preparing it was interrupted";
	w->row = (struct run_row){
		.component = w->plan->component->name,
		.dataflow = w->plan->dataflow->name,
		.version = str_c(w->plan->component->version),
		.env = w->plan->env,
		.trigger = STR("cli"),
		.state = RUN_FAILED,
		.started_at = now,
		.ended_at = now,
		.now = s->shown_as.now,
		.seed = s->shown_as.seed,
		.problem = str_c(why),
	};
	if (app_version_keep(w->app, w->plan->component, w->e) < 0)
		return w->e->code;
	return wait_for(w, &wait, store_run_create(w->app->store, &w->row, app_wait_done, &wait, w->e));
}

static void put(struct writing *w, const struct ledger_row *row)
{
	if (!w->e->code)
		(void)store_ledger_put(w->app->store, row, NULL, NULL, w->e);
}

static struct ledger_row row_at(const struct writing *w, uint64_t item, size_t step, enum ledger_kind kind)
{
	return (struct ledger_row){
		.key = { .run = w->row.id, .seq = item, .step = (uint32_t)step, .attempt = 1 },
		.kind = kind,
		.at = w->row.started_at,
	};
}

/* ---- requests ---- */

static struct str replaced(struct arena *a, struct str text, struct str from, struct str to)
{
	ptrdiff_t at = from.len ? str_find(text, from) : -1;
	if (at < 0)
		return text;
	return str_c(arena_printf(a, "%.*s%.*s%.*s", (int)at, text.ptr, STR_ARG(to),
				  (int)(text.len - (size_t)at - from.len), text.ptr + at + from.len));
}

/* The request as this run makes it: under its own key. `row` made it, at its step `step`. */
static struct str keyed(struct writing *w, struct str text, const struct run_row *row, size_t step, uint64_t item,
			size_t now)
{
	struct str from = step_idempotency_key(row, step, item, &w->arena);
	return replaced(&w->arena, text, from, step_idempotency_key(&w->row, now, item, &w->arena));
}

/* A request of the other run's as this Weir would make it, now and for the first time. */
static struct str as_now(struct writing *w, struct str text)
{
	ptrdiff_t again = str_find(text, STR(",\"again\":{\"why\":\"")), agent = str_find(text, STR(AGENT));
	if (again >= 0)
		text = str_c(arena_printf(&w->arena, "%.*s}", (int)again, text.ptr));
	if (agent < 0)
		return text;
	size_t from = (size_t)agent + sizeof(AGENT) - 1;
	const char *end = memchr(text.ptr + from, '"', text.len - from);
	struct str version = str_from(text.ptr + agent, end ? (size_t)(end - text.ptr - agent) : 0);
	return replaced(&w->arena, text, version, STR(AGENT WEIR_VERSION));
}

static void put_planned(struct writing *w, uint64_t item, size_t step, uint32_t attempt, enum planned code,
			struct str text)
{
	struct ledger_row row = row_at(w, item, step, LEDGER_PLANNED);
	row.key.attempt = attempt;
	row.code = code;
	row.number = w->donor;
	row.head = text;
	put(w, &row);
}

/* What is to be sent, in the stretch. */
static void put_shown(struct writing *w)
{
	struct sending *s = w->s;
	for (size_t i = 0; i < s->n_calls; i++) {
		const struct shown_call *c = &s->calls[i];
		if (c->item < w->from || c->item > w->to || c->fate != FATE_SEND || !sending_has(s, c->item))
			continue;
		put_planned(w, c->item, c->step, 1, PLANNED_SHOWN,
			    keyed(w, c->text, &s->shown_as, c->step, c->item, c->step));
	}
}

/* ---- items that do not go ---- */

static bool is_orphan(const struct writing *w, uint64_t item)
{
	const struct shown_made *m = sending_made(w->s, item);
	return m && !m->is_kept;
}

static void leave_out(struct writing *w, uint64_t item)
{
	const struct shown_made *m = sending_made(w->s, item);
	struct ledger_row row = row_at(w, item, m && m->is_kept ? m->maker : w->first_step, LEDGER_DECISION);
	row.code = DECISION_SKIP;
	row.head = w->skip_head;
	put(w, &row);
}

static bool is_held(const struct writing *w, uint64_t item)
{
	for (size_t i = 0; i < w->plan->n_steps; i++) {
		const struct shown_call *c = sending_call(w->s, item, i);
		if (c && c->fate == FATE_HOLD)
			return true;
	}
	return false;
}

/* It ends where it would begin. */
static void hold(struct writing *w, const struct shown_call *c)
{
	const struct shown_made *m = sending_made(w->s, c->item);
	struct str name = w->plan->steps[c->step].name;
	struct ledger_row row = row_at(w, c->item, 0, LEDGER_PROBLEM);
	auto_buf struct buf text = { .max = 64u << 10 };
	struct value p = value_object();
	struct str detail = str_c(arena_printf(
	    &w->arena,
	    "step \"%.*s\": whether run %lld made this call nobody knows; decide there first (weir runs decide)",
	    STR_ARG(name), (long long)w->donor));
	(void)value_set(&w->arena, &p, STR("type"), value_string(STR("undecided")));
	(void)value_set(&w->arena, &p, STR("title"), value_string(STR("Another run's call has an unknown outcome")));
	(void)value_set(&w->arena, &p, STR("detail"), value_string(detail));
	(void)value_set(&w->arena, &p, STR("step"), value_string(name));
	(void)json_write(&text, &p, JSON_COMPACT);
	row.code = LEDGER_CODE_FAILED;
	row.head = buf_str(&text);
	for (size_t i = 0; i < w->plan->n_steps; i++) {
		bool begins = m ? w->plan->steps[i].source == (ptrdiff_t)m->maker : w->plan->steps[i].source < 0;
		row.key.step = (uint32_t)i;
		if (begins)
			put(w, &row);
	}
	/* and should that problem be dropped for a retry, none of its calls is made that does not bear repeating */
	for (size_t i = 0; i < w->plan->n_steps; i++)
		if (step_call_method(&w->plan->steps[i]) && !step_may_call_again(&w->plan->steps[i]))
			put_planned(w, c->item, i, 1, PLANNED_HELD, STR("{}"));
}

static void put_absent(struct writing *w)
{
	struct sending *s = w->s;
	for (uint64_t item = w->from; item <= w->to; item++)
		if (!sending_has(s, item) || is_orphan(w, item))
			leave_out(w, item);
	uint64_t held = UINT64_MAX;
	for (size_t i = 0; i < s->n_calls; i++) {
		const struct shown_call *c = &s->calls[i];
		if (c->fate == FATE_HOLD && c->item >= w->from && c->item <= w->to && c->item != held &&
		    sending_has(s, c->item) && !is_orphan(w, c->item)) {
			held = c->item;
			hold(w, c);
		}
	}
}

/* ---- the other run's rows ---- */

static ptrdiff_t step_now(const struct writing *w, uint32_t step)
{
	if (step >= w->donor_plan->n_steps)
		return -1;
	for (size_t i = 0; i < w->plan->n_steps; i++)
		if (str_eq(w->plan->steps[i].name, w->donor_plan->steps[step].name))
			return (ptrdiff_t)i;
	return -1;
}

/* The rows of one call: those with an outcome, numbered from 1. */
static void offer(struct writing *w, const struct ledger_row *rows, size_t n, size_t step, enum planned code,
		  struct str first)
{
	uint64_t item = rows[0].key.seq;
	uint32_t attempt = 0;
	for (size_t i = 0; i + 1 < n; i++) {
		const struct ledger_row *intent = &rows[i], *outcome = &rows[i + 1];
		if (intent->kind != LEDGER_INTENT || outcome->kind != LEDGER_OUTCOME ||
		    intent->key.attempt != outcome->key.attempt)
			continue;
		struct ledger_row planned = row_at(w, item, step, LEDGER_PLANNED), offered = *outcome;
		planned.key.attempt = ++attempt;
		planned.at = intent->at;
		planned.code = code;
		planned.number = w->donor;
		planned.head = keyed(w, intent->head, &w->s->donor->row, intent->key.step, item, step);
		if (attempt == 1)
			planned.head = first.ptr ? first : as_now(w, planned.head);
		put(w, &planned);
		offered.key = planned.key;
		offered.kind = LEDGER_OFFERED;
		offered.number = w->donor;
		put(w, &offered);
	}
}

/* What a person has said of the call holds here, too: it happened, or its item is left out. */
static void take_decision(struct writing *w, const struct shown_call *c, const struct ledger_row *decision)
{
	struct ledger_row intent = row_at(w, c->item, c->step, LEDGER_INTENT), own = *decision;
	intent.number = w->donor;
	intent.head = keyed(w, c->text, &w->s->shown_as, c->step, c->item, c->step);
	own.key = intent.key;
	put(w, &own);
	put(w, &intent);
}

/* One call of the other run: `n` rows of one item and step. */
static void take_call(struct writing *w, const struct ledger_row *rows, size_t n)
{
	ptrdiff_t step = step_now(w, rows[0].key.step);
	const struct ledger_row *decision = NULL;
	uint32_t intent = 0, outcome = 0;
	for (size_t i = 0; i < n; i++) {
		if (rows[i].kind == LEDGER_INTENT)
			intent = rows[i].key.attempt;
		if (rows[i].kind == LEDGER_OUTCOME)
			outcome = rows[i].key.attempt;
		if (rows[i].kind == LEDGER_DECISION && rows[i].code != DECISION_AGAIN)
			decision = &rows[i];
	}
	if (!intent || step < 0 || !step_call_method(&w->plan->steps[step]))
		return;
	uint64_t item = rows[0].key.seq;
	const struct shown_call *c = sending_call(w->s, item, (size_t)step);
	bool is_decided = decision && decision->key.attempt >= intent;
	if (c && c->fate == FATE_TAKE && is_decided)
		take_decision(w, c, decision);
	else if (c && c->fate == FATE_TAKE)
		offer(w, rows, n, (size_t)step, PLANNED_SHOWN,
		      keyed(w, c->text, &w->s->shown_as, c->step, item, c->step));
	else if (!c && outcome == intent && !is_decided)
		offer(w, rows, n, (size_t)step, PLANNED_OFFER, STR_NULL);
	else if (!c && !step_may_call_again(&w->plan->steps[step]))
		put_planned(w, item, (size_t)step, 1, PLANNED_HELD, STR("{}"));
}

/* What ended it then and is no part of what a flow is made of: it ends there again, as it was shown. */
static void take_problem(struct writing *w, const struct ledger_row *row)
{
	struct ledger_row own = *row;
	struct value problem;
	ptrdiff_t step = step_now(w, row->key.step);
	if (step < 0 || json_parse(&w->arena, row->head, NULL, &problem, NULL, NULL) < 0 ||
	    !cassette_believes(&problem))
		return;
	own.key = row_at(w, row->key.seq, (size_t)step, LEDGER_PROBLEM).key;
	put(w, &own);
}

static int made_keep(struct writing *w, const struct ledger_row *row)
{
	if (w->n_made == w->cap_made) {
		size_t cap = w->cap_made ? 2 * w->cap_made : 64;
		struct donor_made *list = ARENA_ARRAY(&w->s->arena, struct donor_made, cap);
		if (!list)
			return err_set(w->e, ERR_NO_MEMORY, "out of memory");
		if (w->n_made)
			memcpy(list, w->made, w->n_made * sizeof(*list));
		w->made = list;
		w->cap_made = cap;
	}
	w->made[w->n_made++] =
	    (struct donor_made){ row->key.seq, (uint64_t)row->number, arena_str(&w->s->arena, row->head) };
	return 0;
}

static void take_rows(struct writing *w, const struct store_result *result)
{
	for (size_t i = 0, end; i < result->n && !w->e->code; i = end) {
		const struct ledger_row *row = &result->rows[i];
		bool goes = sending_has(w->s, row->key.seq) && !is_orphan(w, row->key.seq) && !is_held(w, row->key.seq);
		for (end = i; end < result->n && result->rows[end].key.seq == row->key.seq &&
			      result->rows[end].key.step == row->key.step;
		     end++) {
			if (result->rows[end].kind == LEDGER_MADE)
				(void)made_keep(w, &result->rows[end]);
			if (result->rows[end].kind == LEDGER_PROBLEM && goes)
				take_problem(w, &result->rows[end]);
		}
		if (goes)
			take_call(w, row, end - i);
	}
}

static void take_inputs(struct writing *w, const struct store_result *result)
{
	for (size_t i = 0; i < result->n_inputs && !w->e->code; i++) {
		struct input_row in = result->inputs[i];
		const struct shown_made *m = sending_made(w->s, in.first_seq);
		if (in.first_seq < w->next_input)
			continue;
		w->next_input = in.first_seq + in.count;
		in.run = w->row.id;
		in.made_by = 0;
		if (m && m->is_kept) {
			in.made_by = (uint32_t)m->maker + 1;
			for (size_t k = 0; k < w->n_made; k++)
				if (w->made[k].parent == in.parent) {
					in.made = w->made[k].made;
					in.made_state = w->made[k].state;
				}
		} else {
			in.parent = 0;
		}
		(void)store_input_put(w->app->store, &in, NULL, NULL, w->e);
	}
}

static void on_read(void *arg, const struct store_result *result)
{
	struct writing *w = arg;
	w->is_too_large = result->error == STORE_TOO_LARGE;
	if (result->error)
		return;
	take_rows(w, result);
	take_inputs(w, result);
}

static int donor_read(struct writing *w)
{
	struct app_wait wait = { .app = w->app, .use = on_read, .arg = w };
	int code = store_ledger_read(w->app->store, w->donor, w->from, w->to, app_wait_done, &wait, w->e);
	w->is_too_large = false;
	if (code == 0 && app_wait(&wait) < 0 && !w->is_too_large)
		return err_set(w->e, ERR_IO, "run %lld cannot be read: %s", (long long)w->donor, wait.detail);
	return w->e->code;
}

/* ---- input of a plan ---- */

static int input_put(struct writing *w, struct input_row *in, struct buf *lines)
{
	in->run = w->row.id;
	in->lines = buf_str(lines);
	if (!buf_ok(lines))
		return err_set(w->e, ERR_NO_MEMORY, "out of memory");
	int code = in->count ? store_input_put(w->app->store, in, NULL, NULL, w->e) : 0;
	in->first_seq += in->count;
	in->count = 0;
	buf_clear(lines);
	return code;
}

static int tape_write(struct writing *w)
{
	const struct cassette *tape = w->s->tape;
	auto_buf struct buf lines = { .max = RUN_LINE_MAX + CHUNK_BYTES + 1 };
	struct input_row in = { .count = 0 };
	for (size_t i = 0; i < tape->n && !w->e->code; i++) {
		if (tape->lines[i].kind != CASSETTE_INPUT)
			continue;
		(void)json_write(&lines, value_get_c(&tape->lines[i].v, "input"), JSON_COMPACT);
		(void)buf_append_char(&lines, '\n');
		in.count++;
		if (lines.len >= CHUNK_BYTES)
			(void)input_put(w, &in, &lines);
	}
	return w->e->code ? w->e->code : input_put(w, &in, &lines);
}

/* ---- all of it ---- */

static int stretch_sync(struct writing *w)
{
	struct app_wait wait = { .app = w->app };
	if (w->e->code)
		return w->e->code;
	return wait_for(w, &wait, store_run_get(w->app->store, w->row.id, app_wait_done, &wait, w->e));
}

static int stretches_write(struct writing *w)
{
	uint64_t many = READ_ITEMS;
	for (w->from = 0; w->from < w->s->n_items;) {
		w->to = w->s->n_items - w->from <= many ? w->s->n_items - 1 : w->from + many - 1;
		arena_done(&w->arena);
		arena_init(&w->arena, SENDING_MAX_BYTES);
		if (w->donor_plan && donor_read(w) < 0)
			return w->e->code;
		if (w->is_too_large && many == 1)
			return err_set(w->e, ERR_LIMIT, "item %llu is too large", (unsigned long long)w->from);
		if (w->is_too_large) {
			many /= 2;
			continue;
		}
		put_absent(w);
		put_shown(w);
		if (stretch_sync(w) < 0)
			return w->e->code;
		w->from = w->to + 1;
	}
	return 0;
}

static int all_write(struct writing *w)
{
	struct sending *s = w->s;
	unsigned long failures = alloc_failures();
	while (w->first_step < w->plan->n_steps && w->plan->steps[w->first_step].source >= 0)
		w->first_step++;
	if (run_create(w) < 0 || (s->tape && tape_write(w) < 0) || stretches_write(w) < 0)
		return w->e->code;
	if (alloc_failures() != failures) /* a row may not be what it should */
		return err_set(w->e, ERR_NO_MEMORY, "out of memory");
	w->row.state = RUN_RUNNING;
	w->row.ended_at = 0;
	w->row.problem = STR_NULL;
	w->row.items_in = s->n_items;
	w->row.input_is_complete = true;
	return run_update(w);
}

int sending_write(struct sending *s, struct err *e)
{
	auto_buf struct buf head = { .max = 64u << 10 };
	struct writing w = { .s = s, .app = s->app, .plan = s->plan, .e = e };
	if (s->donor) {
		w.donor = s->donor->row.id;
		w.donor_plan = s->donor->plan;
	}
	if (decision_head_write(&head, app_who(&s->arena), STR("not chosen when the run was prepared")) < 0)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	w.skip_head = buf_str(&head);
	arena_init(&w.arena, SENDING_MAX_BYTES);
	int code = all_write(&w);
	s->id = w.row.id;
	arena_done(&w.arena);
	return code;
}
