/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays a cassette: its lines become the ledger of a store in memory, and the driver that resumes and replays runs does
 * the rest. Services hold no HTTP client and no secret, so that there is nothing to send with.
 */
#include "cassette/cassette_int.h"

#include "base/alloc.h"

#define SYNC_LINES 256 /* lines written to the store before it is waited for */

struct playing {
	const struct cassette *c;
	const struct cassette_play *p;
	struct cassette *ret;
	struct store *store;
	bool is_done, is_full;
	uint64_t parent, made; /* of the item that was put last, how many there are of its parent */
	struct err *e;
};

/* ---- the ledger ---- */

static void on_sync(void *arg, const struct store_result *result)
{
	struct playing *y = arg;
	y->is_done = true;
	if (result->error == STORE_FAILED)
		(void)err_set(y->e, ERR_IO, "%s", result->detail ? result->detail : "the store failed");
	loop_stop(y->p->loop);
}

/* What was queued is done, and no callback is owed to a run that is freed. */
static int sync_store(struct playing *y)
{
	y->is_done = false;
	if (store_run_get(y->store, 1, on_sync, y, y->e) < 0)
		return y->e->code;
	while (!y->is_done)
		(void)loop_run(y->p->loop);
	return y->e->code;
}

/* Index of a step, or -1. */
static ptrdiff_t step_index(const struct plan *p, struct str name)
{
	for (size_t i = 0; i < p->n_steps; i++)
		if (str_eq(p->steps[i].name, name))
			return (ptrdiff_t)i;
	return -1;
}

static int put_input(struct playing *y, const struct cassette_line *l)
{
	const struct value *made_by = value_get_c(&l->v, "made_by"), *parent = value_get_c(&l->v, "parent");
	auto_buf struct buf b = { .max = RUN_LINE_MAX + 1 };
	struct input_row in = { .run = y->c->run, .first_seq = l->item, .count = 1 };
	if (value_is(made_by, VALUE_STRING)) {
		ptrdiff_t maker = step_index(y->p->plan, value_text(made_by));
		if (maker < 0)
			return err_set(y->e, ERR_INVALID,
				       "item %llu was made by step \"%.*s\", which the dataflow has not",
				       (unsigned long long)l->item, STR_ARG(value_text(made_by)));
		in.made_by = (uint32_t)maker + 1;
		(void)num_parse_u64(value_text(parent), &in.parent);
		y->made = y->made && in.parent == y->parent ? y->made + 1 : 1;
		y->parent = in.parent;
		in.made = y->made;
	}
	(void)json_write(&b, value_get_c(&l->v, "input"), JSON_COMPACT);
	(void)buf_append_char(&b, '\n');
	if (!buf_ok(&b))
		return err_set(y->e, ERR_LIMIT, "item %llu is larger than %u MiB", (unsigned long long)l->item,
			       RUN_LINE_MAX >> 20);
	in.lines = buf_str(&b);
	return store_input_put(y->store, &in, NULL, NULL, y->e);
}

static int put_decision(struct playing *y, const struct value *decision, struct ledger_key key)
{
	struct ledger_row row = { .key = key, .kind = LEDGER_DECISION, .at = y->c->now, .head = STR("{}") };
	const struct value *result = value_get_c(decision, "result");
	auto_buf struct buf b = { .max = CASSETTE_MAX_BYTES };
	if (!decision)
		return 0;
	row.code = value_is_string(value_get_c(decision, "is"), STR("done")) ? DECISION_DONE : DECISION_SKIP;
	if (result && result->kind != VALUE_NULL && json_write(&b, result, JSON_COMPACT) < 0)
		return err_set(y->e, ERR_LIMIT, "the result of a decision is too large");
	row.body = buf_str(&b);
	return store_ledger_put(y->store, &row, NULL, NULL, y->e);
}

static int put_call(struct playing *y, struct arena *a, const struct cassette_line *l, struct ledger_key key)
{
	const struct value *answer = value_get_c(&l->v, "answer");
	struct ledger_row intent = { .key = key, .kind = LEDGER_INTENT, .at = y->c->now };
	struct ledger_row outcome = { .key = key, .kind = LEDGER_OUTCOME, .at = y->c->now };
	if (request_to_text(a, value_get_c(&l->v, "request"), &intent.head) < 0)
		return err_set(y->e, ERR_NO_MEMORY, "out of memory");
	if (store_ledger_put(y->store, &intent, NULL, NULL, y->e) < 0)
		return y->e->code;
	if (answer && (answer_to_row(a, answer, &outcome, y->e) < 0 ||
		       store_ledger_put(y->store, &outcome, NULL, NULL, y->e) < 0))
		return y->e->code;
	return put_decision(y, value_get_c(&l->v, "decision"), key);
}

static int put_entry(struct playing *y, const struct cassette_line *l, struct ledger_key key)
{
	const struct value *entry = value_get_c(&l->v, "entry");
	struct ledger_row row = { .key = key, .kind = LEDGER_ENTRY, .at = y->c->now };
	int64_t change = 0;
	(void)value_to_int64(value_get_c(entry, "id"), &row.number);
	(void)value_to_int64(value_get_c(entry, "change"), &change);
	row.code = (int32_t)change;
	row.key.attempt = 1;
	return store_ledger_put(y->store, &row, NULL, NULL, y->e);
}

static int put_problem(struct playing *y, const struct cassette_line *l, struct ledger_key key)
{
	const struct value *problem = value_get_c(&l->v, "problem"), *state = value_get_c(&l->v, "state");
	struct ledger_row row = { .key = key, .kind = LEDGER_PROBLEM, .at = y->c->now };
	auto_buf struct buf b = { .max = 2u << 20 };
	if (!cassette_believes(problem))
		return 0;
	row.code = value_is_string(state, STR("kept"))	    ? ITEM_KEPT
		   : value_is_string(state, STR("unknown")) ? ITEM_UNKNOWN
							    : ITEM_FAILED;
	if (json_write(&b, problem, JSON_COMPACT) < 0)
		return err_set(y->e, ERR_LIMIT, "a problem is too large");
	row.head = buf_str(&b);
	row.key.attempt = 1;
	return store_ledger_put(y->store, &row, NULL, NULL, y->e);
}

static int put_line(struct playing *y, size_t at)
{
	const struct cassette_line *l = &y->c->lines[at];
	ptrdiff_t step = step_index(y->p->plan, l->step);
	auto_arena struct arena a = { 0 };
	arena_init(&a, 0);
	struct ledger_key key = { .run = y->c->run, .seq = l->item, .step = (uint32_t)step, .attempt = l->attempt };
	if (l->kind == CASSETTE_INPUT)
		return put_input(y, l);
	if (step < 0) /* the flow has changed: the comparison says that it is gone */
		return 0;
	return l->kind == CASSETTE_CALL	     ? put_call(y, &a, l, key)
	       : l->kind == CASSETTE_ENTRY   ? put_entry(y, l, key)
	       : l->kind == CASSETTE_PROBLEM ? put_problem(y, l, key)
					     : 0;
}

static int put_all(struct playing *y)
{
	for (size_t i = 0; i < y->c->n; i++)
		if (put_line(y, i) < 0 || (i % SYNC_LINES == 0 && sync_store(y) < 0))
			return y->e->code;
	return sync_store(y);
}

/* ---- what the run does ---- */

static void keep(struct playing *y, struct cassette_line *l, const char *name, const struct value *v, const char *state)
{
	struct arena *a = &y->ret->arena;
	struct value copy;
	l->v = value_object();
	if (value_copy(a, v, &copy) < 0 || value_set(a, &l->v, str_c(name), copy) < 0 ||
	    (state && value_set(a, &l->v, STR("state"), value_string(str_c(state))) < 0) || !cassette_add(y->ret, l))
		y->is_full = true;
}

/* Is this the request that was sent then? True when it was. */
static bool request_tell(struct playing *y, const struct plan_step *s, const struct cassette_line *l, struct str masked)
{
	struct cassette_request rq = { .step = s, .item = l->item, .masked = masked, .verdict = CASSETTE_NEW };
	for (size_t i = cassette_find(y->c->lines, y->c->n, l->item); i < y->c->n && y->c->lines[i].item == l->item;
	     i++) {
		const struct cassette_line *r = &y->c->lines[i];
		if (r->kind != CASSETTE_CALL || !str_eq(r->step, l->step))
			continue;
		if (rq.verdict == CASSETTE_NEW) /* the first attempt: others may be hops elsewhere */
			rq.verdict = value_eq(value_get_c(&r->v, "request"), value_get_c(&l->v, "request"))
					 ? CASSETTE_SAME
					 : CASSETTE_CHANGED;
		rq.is_open = !call_is_over(r); /* by the last one */
	}
	if (y->p->on_request)
		y->p->on_request(y->p->arg, &rq);
	return rq.verdict == CASSETTE_SAME;
}

static bool on_effect(void *arg, const struct plan_step *s, const struct item *it, enum ledger_kind kind,
		      struct str text)
{
	struct playing *y = arg;
	struct cassette_line l = { .kind = kind == LEDGER_INTENT ? CASSETTE_CALL : CASSETTE_ENTRY,
				   .item = it->seq,
				   .step = s->name,
				   .attempt = 1 };
	struct json_options opt = { .copy = true };
	auto_arena struct arena a = { 0 };
	struct value v;
	arena_init(&a, 0);
	if (kind == LEDGER_INTENT ? request_of_text(&a, text, &v, NULL) < 0
				  : json_parse(&a, text, &opt, &v, NULL, NULL) < 0)
		y->is_full = true;
	else
		keep(y, &l, kind == LEDGER_INTENT ? "request" : "entry", &v, NULL);
	if (kind != LEDGER_INTENT || y->is_full)
		return true;
	bool is_same = request_tell(y, s, &y->ret->lines[y->ret->n - 1], text);
	return !y->p->stops_at_changes || is_same;
}

static void on_step(void *arg, const struct plan_step *s, const struct item *it)
{
	struct cassette_line l = {
		.kind = CASSETTE_STEP, .item = it->seq, .step = s->name, .attempt = (uint32_t)s->index
	};
	keep(arg, &l, "step", &it->root, NULL);
}

static void on_output(void *arg, const struct item *it)
{
	struct cassette_line l = { .kind = CASSETTE_OUTPUT, .item = it->seq };
	keep(arg, &l, "output", &it->root, NULL);
}

static void on_problem(void *arg, const struct item *it)
{
	struct cassette_line l = { .kind = CASSETTE_PROBLEM, .item = it->seq };
	const struct value *step = value_get_c(&it->problem, "step");
	struct playing *y = arg;
	l.step = value_is(step, VALUE_STRING) ? arena_str(&y->ret->arena, value_text(step)) : STR_NULL;
	keep(arg, &l, "problem", &it->problem, it->state == ITEM_UNKNOWN ? "unknown" : "failed");
}

static void on_end(void *arg, struct run *r)
{
	struct playing *y = arg;
	if (run_row(r)->state == RUN_RUNNING)
		(void)err_set(y->e, ERR_STATE, "the cassette cannot be played: %.*s", STR_ARG(run_row(r)->problem));
	y->is_done = true;
	loop_stop(y->p->loop);
}

static int play_items(struct playing *y, uint64_t from, uint64_t to)
{
	struct step_services services = { .scripts = y->p->scripts, .secrets = secrets_new_stand_ins() };
	struct run_row row = { .id = y->c->run,
			       .now = y->c->now,
			       .seed = y->c->seed,
			       .env = y->c->env,
			       .trigger = STR("test"),
			       .items_in = to + 1,
			       .input_is_complete = true };
	struct run_config config = {
		.loop = y->p->loop,
		.store = y->store,
		.plan = y->p->plan,
		.services = &services,
		.window = y->p->window,
		.resume = &row,
		.is_replay = true,
		.replay_from = from,
		.replay_to = to,
		.on_effect = on_effect,
		.on_step = y->p->with_steps ? on_step : NULL,
		.on_output = on_output,
		.on_problem = on_problem,
		.on_end = on_end,
		.arg = y,
	};
	y->is_done = false;
	struct run *r = services.secrets ? run_start(&config, y->e) : NULL;
	if (!r && !y->e->code)
		(void)err_set(y->e, ERR_NO_MEMORY, "out of memory");
	while (r && !y->is_done)
		(void)loop_run(y->p->loop);
	run_free(r);
	int code = y->e->code;
	if (sync_store(y) < 0 && code == 0)
		code = y->e->code;
	secrets_free(services.secrets);
	return code;
}

/* Items that follow each other are one run. */
static int play_all(struct playing *y)
{
	const struct cassette *c = y->c;
	for (size_t i = 0; i < c->n;) {
		uint64_t from = c->lines[i].item, to = from;
		while (i < c->n && (c->lines[i].item == to || c->lines[i].item == to + 1))
			to = c->lines[i++].item;
		if (play_items(y, from, to) < 0)
			return y->e->code;
	}
	return 0;
}

int cassette_play(const struct cassette *c, const struct cassette_play *p, struct cassette *ret, struct err *e)
{
	struct playing y = { .c = c, .p = p, .ret = ret, .e = e };
	struct store_config memory = { .dir = NULL };
	unsigned long failures = alloc_failures();
	ret->component = c->component;
	ret->dataflow = c->dataflow;
	ret->env = c->env;
	ret->now = c->now;
	ret->run = c->run;
	ret->seed = c->seed;
	ret->redact = c->redact;
	if (store_open(&y.store, p->loop, &memory, e) < 0)
		return e->code;
	if (put_all(&y) == 0)
		(void)play_all(&y);
	store_close(y.store);
	if (!e->code && (y.is_full || alloc_failures() != failures))
		(void)err_set(e, ERR_NO_MEMORY, "what the run did does not fit in memory");
	if (!e->code)
		(void)cassette_redact(ret, e);
	cassette_sort(ret);
	return e->code;
}
