/* SPDX-License-Identifier: Apache-2.0 */
/* Items of a run: pages of them, and one as a whole, computed again from the ledger with what each step left. */
#include "api/api_int.h"

#include "base/log.h"

#include <string.h>

struct item_list {
	int64_t run;
	struct run_row row;
	size_t limit;
	uint64_t from; /* first seq of the page */
	int code;      /* PROBLEM code wanted, 0 = all items */
	struct value items;
	struct value next;
	uint64_t total;
	size_t pending;
};

/* The line of an item within a stretch of input. */
static struct str input_line(const struct input_row *in, uint64_t seq)
{
	struct str rest = in->lines;
	for (uint64_t i = in->first_seq; i < seq; i++)
		(void)str_split(&rest, '\n');
	return str_split(&rest, '\n');
}

static const struct input_row *input_row_of(const struct store_result *result, uint64_t seq)
{
	for (size_t i = 0; i < result->n_inputs; i++) {
		const struct input_row *in = &result->inputs[i];
		if (seq >= in->first_seq && seq < in->first_seq + in->count)
			return in;
	}
	return NULL;
}

/* What an item began with: the data that came in, or the whole of one that a step made; and which item that one was
 * made of. */
static void set_input(struct arena *a, struct value *item, const struct store_result *result, uint64_t seq)
{
	const struct input_row *in = input_row_of(result, seq);
	view_set(a, item, "input", in ? view_json(a, input_line(in, seq)) : value_null());
	view_set(a, item, "parent", in && in->made_by ? value_int(a, (int64_t)in->parent) : value_null());
}

static const struct ledger_row *problem_of(const struct store_result *result, uint64_t seq)
{
	for (size_t i = 0; i < result->n; i++)
		if (result->rows[i].kind == LEDGER_PROBLEM && result->rows[i].key.seq == seq)
			return &result->rows[i];
	return NULL;
}

/* A person left it out, and that was the last thing that happened. */
static bool is_skipped(const struct store_result *result, uint64_t seq)
{
	bool is = false;
	for (size_t i = 0; i < result->n; i++)
		if (result->rows[i].key.seq == seq && result->rows[i].kind != LEDGER_MADE &&
		    result->rows[i].kind < LEDGER_PLANNED)
			is = result->rows[i].kind == LEDGER_DECISION && result->rows[i].code == DECISION_SKIP;
	return is;
}

static const char *state_name(const struct run_row *row, const struct ledger_row *problem, bool skipped, uint64_t seq)
{
	if (problem && problem->code != ITEM_KEPT)
		return problem->code == ITEM_UNKNOWN ? "unknown outcome" : "failed";
	if (row->state == RUN_RUNNING && seq >= row->items_out + row->failed + row->unknown)
		return "running";
	return skipped ? "skipped" : "done";
}

static struct value item_line(struct arena *a, const struct run_row *row, uint64_t seq,
			      const struct store_result *inputs, const struct ledger_row *problem)
{
	struct value v = value_object();
	view_set_int(a, &v, "seq", (int64_t)seq);
	view_set_str(a, &v, "state", str_c(state_name(row, problem, is_skipped(inputs, seq), seq)));
	set_input(a, &v, inputs, seq);
	view_set(a, &v, "problem", problem ? view_json(a, problem->head) : value_null());
	return v;
}

static void list_answer(struct request *rq, struct item_list *l)
{
	struct value page = view_page(&rq->arena, l->items, l->next, value_int(&rq->arena, (int64_t)l->total));
	reply_json(rq, 200, &page, NULL);
}

static void on_all(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct item_list *l = rq->state;
	struct arena *a = &rq->arena;
	uint64_t end = l->from + l->limit < l->row.items_in ? l->from + l->limit : l->row.items_in;
	if (result->error) {
		reply_store_error(rq, result);
	} else {
		for (uint64_t seq = l->from; seq < end; seq++)
			(void)value_push(a, &l->items, item_line(a, &l->row, seq, result, problem_of(result, seq)));
		if (end < l->row.items_in && end > l->from)
			l->next = value_string(str_c(arena_printf(a, "%llu", (unsigned long long)end - 1)));
		l->total = l->row.items_in;
		list_answer(rq, l);
	}
	request_release(rq);
}

/* The input of an item in a list of problems. */
static void on_problem_input(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct item_list *l = rq->state;
	const struct ledger_row *problem = NULL;
	for (size_t i = 0; i < result->n && !problem; i++)
		if (result->rows[i].kind == LEDGER_PROBLEM)
			problem = &result->rows[i];
	for (size_t i = 0; problem && i < l->items.len; i++) {
		struct value *item = value_at(&l->items, i);
		int64_t seq = -1;
		if (value_to_int64(value_get_c(item, "seq"), &seq) && (uint64_t)seq == problem->key.seq)
			set_input(&rq->arena, item, result, problem->key.seq);
	}
	if (--l->pending == 0)
		list_answer(rq, l);
	request_release(rq);
}

static void on_problems(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct item_list *l = rq->state;
	struct arena *a = &rq->arena;
	struct err e = ERR_INIT;
	if (result->error)
		reply_store_error(rq, result);
	for (size_t i = 0; !result->error && i < result->n; i++) {
		const struct ledger_row *row = &result->rows[i];
		(void)value_push(a, &l->items, item_line(a, &l->row, row->key.seq, result, row));
		request_hold(rq);
		l->pending++;
		if (store_ledger_read(rq->api->config.store, l->run, row->key.seq, row->key.seq, on_problem_input, rq,
				      &e) < 0) {
			l->pending--;
			request_release(rq);
		}
	}
	if (!result->error) {
		l->total = l->code == ITEM_UNKNOWN ? l->row.unknown : l->row.failed;
		if (result->n == l->limit && result->n)
			l->next = value_string(
			    str_c(arena_printf(a, "%llu", (unsigned long long)result->rows[result->n - 1].key.seq)));
		if (!l->pending)
			list_answer(rq, l);
	}
	request_release(rq);
}

static void list_ask(struct request *rq, struct item_list *l)
{
	struct store *s = rq->api->config.store;
	struct err e = ERR_INIT;
	int code;
	request_hold(rq);
	if (l->code)
		code = store_problem_list(s, l->run, l->from ? l->from - 1 : UINT64_MAX, l->code, l->limit, on_problems,
					  rq, &e);
	else
		code = store_ledger_read(s, l->run, l->from, l->from + l->limit - 1, on_all, rq, &e);
	if (code < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		request_release(rq);
	}
}

static void on_list_row(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct item_list *l = rq->state;
	struct live_run *lr = live_find(rq->api, l->run);
	if (result->error || !result->n) {
		reply_problem(rq, 404, "not_found", NULL, "there is no run %lld here", (long long)l->run);
	} else {
		const struct run_row *row = lr ? run_row(lr->run) : &result->runs[0];
		l->row = (struct run_row){ .state = row->state,
					   .items_in = row->items_in,
					   .items_out = row->items_out,
					   .failed = row->failed,
					   .unknown = row->unknown };
		list_ask(rq, l);
	}
	request_release(rq);
}

void get_items(struct request *rq)
{
	struct item_list *l = ARENA_NEW(&rq->arena, struct item_list);
	struct str state = request_query(rq, "state"), after_text = request_query(rq, "after");
	struct err e = ERR_INIT;
	int64_t after;
	if (!l || !request_number(rq, 0, &l->run) || !request_page(rq, &l->limit, &after))
		return;
	l->items = value_array();
	l->next = value_null();
	l->from = after_text.ptr ? (uint64_t)after + 1 : 0;
	if (str_eq_c(state, "failed"))
		l->code = ITEM_FAILED;
	else if (str_eq_c(state, "unknown"))
		l->code = ITEM_UNKNOWN;
	else if (state.ptr && !str_eq_c(state, "all")) {
		reply_problem(rq, 400, "invalid_query", NULL, "state must be all, failed or unknown");
		return;
	}
	rq->state = l;
	request_hold(rq);
	if (store_run_get(rq->api->config.store, l->run, on_list_row, rq, &e) < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		request_release(rq);
	}
}

/* ---- one item, whole ---- */

struct item_view {
	int64_t run;
	uint64_t seq;
	struct run_row row;
	struct plan *plan;
	struct value answer, steps;
	bool has_output;
};

static void on_step(void *arg, const struct plan_step *s, const struct item *it)
{
	struct request *rq = arg;
	struct item_view *iv = rq->state;
	struct arena *a = &rq->arena;
	struct value one = value_object(), copy = value_null();
	(void)value_copy(a, &it->root, &copy);
	view_set_str(a, &one, "name", s->name);
	view_set(a, &one, "item", copy);
	(void)value_push(a, &iv->steps, one);
}

static void on_item_output(void *arg, const struct item *it)
{
	struct request *rq = arg;
	struct item_view *iv = rq->state;
	struct value copy = value_null();
	(void)value_copy(&rq->arena, &it->root, &copy);
	view_set(&rq->arena, &iv->answer, "output", copy);
	iv->has_output = true;
}

static void on_item_problem(void *arg, const struct item *it)
{
	struct request *rq = arg;
	struct item_view *iv = rq->state;
	const struct value *stored = value_get_c(&iv->answer, "problem");
	struct value copy = value_null();
	if (stored && stored->kind == VALUE_OBJECT)
		return; /* what was recorded stands; the replay only shows the way to it */
	if (value_is_string(value_get_c(&iv->answer, "state"), STR("running")))
		return; /* what is missing may still come */
	(void)value_copy(&rq->arena, &it->problem, &copy);
	view_set(&rq->arena, &iv->answer, "problem", copy);
}

static void item_view_end(struct request *rq, struct item_view *iv)
{
	view_set(&rq->arena, &iv->answer, "steps", iv->steps);
	reply_json(rq, 200, &iv->answer, NULL);
	plan_unref(iv->plan);
	request_release(rq);
}

static void on_replayed(void *arg, struct run *r)
{
	struct request *rq = arg;
	struct item_view *iv = rq->state;
	rq->replay = NULL;
	run_free(r);
	item_view_end(rq, iv);
}

static void replay_start(struct request *rq, struct item_view *iv)
{
	struct api *api = rq->api;
	struct err e = ERR_INIT;
	struct run_config config = {
		.loop = api->config.loop,
		.store = api->config.store,
		.plan = iv->plan,
		.services = api->config.services,
		.resume = &iv->row,
		.is_replay = true,
		.replay_from = iv->seq,
		.replay_to = iv->seq,
		.on_step = on_step,
		.on_output = on_item_output,
		.on_problem = on_item_problem,
		.on_end = on_replayed,
		.arg = rq,
	};
	rq->replay = run_start(&config, &e);
	if (!rq->replay) {
		log_warn(NULL, "item cannot be computed again run=%lld error=\"%s\"", (long long)iv->run, e.msg);
		item_view_end(rq, iv);
	}
}

static void on_item_rows(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct item_view *iv = rq->state;
	struct arena *a = &rq->arena;
	if (result->error) {
		reply_store_error(rq, result);
		plan_unref(iv->plan);
		request_release(rq);
		return;
	}
	const struct ledger_row *problem = problem_of(result, iv->seq);
	if (!input_row_of(result, iv->seq)) {
		reply_problem(rq, 404, "not_found", NULL, "run %lld has no item %llu", (long long)iv->run,
			      (unsigned long long)iv->seq);
		plan_unref(iv->plan);
		request_release(rq);
		return;
	}
	iv->answer = item_line(a, &iv->row, iv->seq, result, problem);
	view_set(a, &iv->answer, "output", value_null());
	view_set(a, &iv->answer, "decisions", view_decisions(a, iv->plan, result->rows, result->n));
	view_set(a, &iv->answer, "calls", view_calls(a, iv->plan, result->rows, result->n));
	replay_start(rq, iv);
}

static void on_item_run(void *arg, const struct run_row *row, struct plan *plan, struct err *e)
{
	struct request *rq = arg;
	struct item_view *iv = rq->state;
	struct arena *a = &rq->arena;
	struct err e2 = ERR_INIT;
	if (!plan) {
		int status = e->code == -ERR_NOT_FOUND ? 404 : e->code == -ERR_IO ? 503 : 409;
		reply_problem(rq, status,
			      status == 404   ? "not_found"
			      : status == 503 ? "store"
					      : "component_invalid",
			      NULL, "%s", e->msg);
		request_release(rq);
		return;
	}
	struct live_run *lr = live_find(rq->api, iv->run);
	iv->plan = plan;
	iv->row = *(lr ? run_row(lr->run) : row);
	struct str *texts[] = { &iv->row.component, &iv->row.dataflow, &iv->row.version, &iv->row.env,
				&iv->row.trigger };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		*texts[i] = arena_str(a, *texts[i]);
	iv->row.steps = iv->row.problem = STR_NULL;
	if (store_ledger_read(rq->api->config.store, iv->run, iv->seq, iv->seq, on_item_rows, rq, &e2) < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e2.msg);
		plan_unref(plan);
		request_release(rq);
	}
}

void get_item(struct request *rq)
{
	struct item_view *iv = ARENA_NEW(&rq->arena, struct item_view);
	struct err e = ERR_INIT;
	int64_t seq;
	if (!iv || !request_number(rq, 0, &iv->run) || !request_number(rq, 1, &seq))
		return;
	iv->seq = (uint64_t)seq;
	iv->steps = value_array();
	rq->state = iv;
	request_hold(rq);
	if (run_recall(rq->api->config.store, iv->run, &rq->api->config.env, on_item_run, rq, &e) < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		request_release(rq);
	}
}
