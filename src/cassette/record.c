/* SPDX-License-Identifier: Apache-2.0 */
/* From the ledger onto the cassette. */
#include "cassette/cassette_int.h"

#include "base/alloc.h"

#define READ_ITEMS 64 /* asked for at once; fewer when their answers are large */

struct reading {
	struct cassette *c;
	struct loop *loop;
	const struct plan *plan;
	uint64_t from, to, items;
	bool is_done, is_too_large;
	struct err *e;
};

static int out_of_memory(struct err *e)
{
	return err_set(e, ERR_NO_MEMORY, "out of memory, or more than %d lines", CASSETTE_MAX_LINES);
}

static struct str step_name(const struct reading *r, uint32_t index)
{
	return index < r->plan->n_steps ? r->plan->steps[index].name : STR_NULL;
}

static int take_input(struct reading *r, const struct input_row *in)
{
	struct json_options opt = { .copy = true, .max_bytes = RUN_LINE_MAX };
	struct arena *a = &r->c->arena;
	struct str rest = in->lines;
	for (uint64_t seq = in->first_seq; seq < in->first_seq + in->count && rest.ptr; seq++) {
		struct cassette_line l = { .kind = CASSETTE_INPUT, .item = seq, .v = value_object() };
		struct str line = str_split(&rest, '\n');
		struct value input;
		if (seq < r->from || seq > r->to)
			continue;
		if (json_parse(a, line, &opt, &input, NULL, r->e) < 0 || input.kind != VALUE_OBJECT)
			return err_set(r->e, ERR_INVALID,
				       "item %llu of the run is no object: leave it out with --items",
				       (unsigned long long)seq);
		(void)value_set(a, &l.v, STR("input"), input);
		if (in->made_by) {
			(void)value_set(a, &l.v, STR("made_by"), value_string_copy(a, step_name(r, in->made_by - 1)));
			(void)value_set(a, &l.v, STR("parent"), value_int(a, (int64_t)in->parent));
		}
		if (!cassette_add(r->c, &l))
			return out_of_memory(r->e);
		r->items++;
	}
	return 0;
}

/* What a person has said of this attempt: that it happened, or that the item is left out. */
static int take_decision(struct reading *r, struct cassette_line *l, const struct ledger_row *row,
			 const struct ledger_row *end)
{
	struct arena *a = &r->c->arena;
	struct value v = value_object(), result = value_null();
	struct json_options opt = { .copy = true };
	const struct ledger_row *d = row;
	while (d < end && (d->kind != LEDGER_DECISION || d->key.attempt != row->key.attempt) &&
	       d->key.seq == row->key.seq && d->key.step == row->key.step)
		d++;
	bool is_its = d < end && d->kind == LEDGER_DECISION && d->key.seq == row->key.seq &&
		      d->key.step == row->key.step && d->key.attempt == row->key.attempt;
	if (!is_its || (d->code != DECISION_DONE && d->code != DECISION_SKIP))
		return 0;
	if (d->body.len && json_parse(a, d->body, &opt, &result, NULL, r->e) < 0)
		return r->e->code;
	(void)value_set(a, &v, STR("is"), value_string(d->code == DECISION_DONE ? STR("done") : STR("skip")));
	(void)value_set(a, &v, STR("result"), result);
	(void)value_set(a, &l->v, STR("decision"), v);
	return 0;
}

/* An intent; its outcome, if there is one, is the row behind it. */
static int take_call(struct reading *r, const struct ledger_row *row, const struct ledger_row *end)
{
	const struct ledger_row *next = row + 1 < end ? row + 1 : NULL;
	struct arena *a = &r->c->arena;
	struct cassette_line l = {
		.kind = CASSETTE_CALL, .item = row->key.seq, .attempt = row->key.attempt, .v = value_object()
	};
	struct value request, answer;
	bool is_answered = next && next->kind == LEDGER_OUTCOME && next->key.seq == row->key.seq &&
			   next->key.step == row->key.step && next->key.attempt == row->key.attempt;
	l.step = arena_str(a, step_name(r, row->key.step));
	if (request_of_text(a, row->head, &request, r->e) < 0 ||
	    (is_answered && answer_of_row(a, next, &answer, r->e) < 0))
		return r->e->code;
	(void)value_set(a, &l.v, STR("request"), request);
	if (is_answered)
		(void)value_set(a, &l.v, STR("answer"), answer);
	if (take_decision(r, &l, row, end) < 0)
		return r->e->code;
	return cassette_add(r->c, &l) ? 0 : out_of_memory(r->e);
}

static int take_entry(struct reading *r, const struct ledger_row *row)
{
	struct arena *a = &r->c->arena;
	struct cassette_line l = { .kind = CASSETTE_ENTRY, .item = row->key.seq, .v = value_object() };
	struct value entry = value_object();
	l.step = arena_str(a, step_name(r, row->key.step));
	(void)value_set(a, &entry, STR("change"), value_int(a, row->code));
	(void)value_set(a, &entry, STR("id"), value_int(a, row->number));
	(void)value_set(a, &l.v, STR("entry"), entry);
	return cassette_add(r->c, &l) ? 0 : out_of_memory(r->e);
}

static int take_problem(struct reading *r, const struct ledger_row *row)
{
	struct json_options opt = { .copy = true };
	struct arena *a = &r->c->arena;
	struct cassette_line l = { .kind = CASSETTE_PROBLEM, .item = row->key.seq, .v = value_object() };
	struct value problem;
	const char *state = row->code == ITEM_KEPT ? "kept" : row->code == ITEM_UNKNOWN ? "unknown" : "failed";
	if (json_parse(a, row->head, &opt, &problem, NULL, NULL) < 0 || !cassette_believes(&problem))
		return 0;
	l.step = arena_str(a, step_name(r, row->key.step));
	(void)value_set(a, &l.v, STR("problem"), problem);
	(void)value_set(a, &l.v, STR("state"), value_string(str_c(state)));
	return cassette_add(r->c, &l) ? 0 : out_of_memory(r->e);
}

/* An item that was left out where it would have begun has done nothing: it is not on the cassette. */
static void drop_item(struct reading *r, uint64_t item)
{
	struct cassette *c = r->c;
	size_t n = c->n;
	while (n && c->lines[n - 1].item >= r->from) /* what this reading has added */
		n--;
	for (size_t i = n; i < c->n; i++)
		if (c->lines[i].item != item)
			c->lines[n++] = c->lines[i];
	c->n = n;
}

static bool is_left_out(const struct reading *r, const struct store_result *result, const struct ledger_row *row)
{
	if (row->kind != LEDGER_DECISION || row->code != DECISION_SKIP)
		return false;
	for (size_t i = 0; i < result->n_inputs; i++) {
		const struct input_row *in = &result->inputs[i];
		if (row->key.seq >= in->first_seq && row->key.seq < in->first_seq + in->count)
			return in->made_by
				   ? row->key.step == in->made_by - 1
				   : row->key.step < r->plan->n_steps && r->plan->steps[row->key.step].source < 0;
	}
	return false;
}

static int take(struct reading *r, const struct store_result *result)
{
	int code = 0;
	for (size_t i = 0; i < result->n_inputs && code == 0; i++)
		code = take_input(r, &result->inputs[i]);
	for (size_t i = 0; i < result->n && code == 0; i++) {
		const struct ledger_row *row = &result->rows[i];
		if (row->kind == LEDGER_INTENT)
			code = take_call(r, row, result->rows + result->n);
		else if (row->kind == LEDGER_ENTRY)
			code = take_entry(r, row);
		else if (row->kind == LEDGER_PROBLEM)
			code = take_problem(r, row);
		else if (is_left_out(r, result, row))
			drop_item(r, row->key.seq);
	}
	return code;
}

static void on_rows(void *arg, const struct store_result *result)
{
	struct reading *r = arg;
	r->is_done = true;
	r->is_too_large = result->error == STORE_TOO_LARGE;
	if (result->error && !r->is_too_large)
		(void)err_set(r->e, ERR_IO, "the store cannot be read: %s",
			      result->detail ? result->detail : "unknown");
	else if (!result->error)
		(void)take(r, result);
	loop_stop(r->loop);
}

int cassette_record(struct cassette *c, struct loop *l, struct store *s, const struct run_row *row,
		    const struct plan *plan, uint64_t from, uint64_t to, uint64_t *ret_items, struct err *e)
{
	struct reading r = { .c = c, .loop = l, .plan = plan, .e = e };
	uint64_t many = READ_ITEMS, before = 0;
	unsigned long failures = alloc_failures();
	c->component = arena_str(&c->arena, row->component);
	c->dataflow = arena_str(&c->arena, row->dataflow);
	c->env = arena_str(&c->arena, row->env);
	c->now = row->now;
	c->run = row->id;
	c->seed = row->seed;
	for (uint64_t at = from; at <= to;) {
		r.from = at;
		r.to = to - at < many - 1 ? to : at + many - 1;
		r.is_done = r.is_too_large = false;
		if (store_ledger_read(s, row->id, r.from, r.to, on_rows, &r, e) < 0)
			return e->code;
		while (!r.is_done)
			(void)loop_run(l);
		if (r.is_too_large && many == 1)
			return err_set(e, ERR_LIMIT, "item %llu is too large for a cassette", (unsigned long long)at);
		if (e->code)
			return e->code;
		if (r.is_too_large) {
			many /= 2;
			continue;
		}
		if (r.items == before) /* the input is over */
			break;
		before = r.items;
		at = r.to + 1;
	}
	if (alloc_failures() != failures) /* a member may be missing from any line */
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	*ret_items = r.items;
	cassette_sort(c);
	return 0;
}
