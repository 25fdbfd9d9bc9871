/* SPDX-License-Identifier: Apache-2.0 */
/* Runs and entries over REST: start, list, look into. An item's steps are not stored: they are computed again from the
 * ledger. */
#include "api/api_int.h"

/* ---- start ---- */

static void run_answer(struct request *rq, struct live_run *lr)
{
	struct arena *a = &rq->arena;
	struct value v = value_object(), run = view_run(a, run_row(lr->run), false), items = value_array();
	const char *location = arena_printf(a, "/api/v1/runs/%lld", (long long)run_id(lr->run));
	view_set(a, &v, "run", run);
	if (lr->is_over && live_reply_broken(rq, lr))
		return;
	if (!lr->is_over || lr->is_cut) {
		reply_json(rq, 202, &run, location);
		return;
	}
	(void)value_copy(a, &lr->outputs, &items);
	view_set(a, &v, "items", items);
	if (lr->problem.kind == VALUE_OBJECT) {
		struct value problem = VALUE_NONE;
		(void)value_copy(a, &lr->problem, &problem);
		view_set(a, &v, "problem", problem);
	}
	reply_json(rq, 200, &v, location);
}

/* Prefer: wait=10 (RFC 7240), bounded. */
static msec_t prefer_wait(struct request *rq)
{
	struct str prefer = exchange_header(rq->x, "Prefer");
	uint64_t seconds = 0;
	while (prefer.len) {
		struct str one = str_trim(str_split(&prefer, ','));
		if (str_starts(one, STR("wait=")) && num_parse_u64(str_from(one.ptr + 5, one.len - 5), &seconds) == 0)
			return seconds > API_WAIT_MAX_MS / 1000 ? API_WAIT_MAX_MS : (msec_t)seconds * 1000;
	}
	return 0;
}

/* One line an item, from "data" or "items". 0 lines after answering 400. */
static uint32_t input_lines(struct request *rq, struct buf *lines)
{
	const struct value *data = value_get_c(&rq->body, "data"), *items = value_get_c(&rq->body, "items");
	uint32_t n = 0;
	if (value_is(data, VALUE_OBJECT) && !items) {
		(void)json_write(lines, data, JSON_COMPACT);
		(void)buf_append_char(lines, '\n');
		n = 1;
	}
	for (size_t i = 0; value_is(items, VALUE_ARRAY) && !data && items->len <= API_ITEMS_MAX && i < items->len;
	     i++) {
		(void)json_write(lines, value_at(items, i), JSON_COMPACT);
		(void)buf_append_char(lines, '\n');
		n++;
	}
	if (!n)
		reply_problem(rq, 400, "invalid_request", NULL,
			      "send { \"data\": {...} } or { \"items\": [ {...} ] } with 1 to %d items", API_ITEMS_MAX);
	return n;
}

static void run_ready(struct request *rq, struct loaded *k)
{
	struct buf lines;
	if (!k)
		return;
	buf_init(&lines, RUN_LINE_MAX);
	struct plan *p = loaded_plan(rq, k, rq->params[1]);
	uint32_t n = p ? input_lines(rq, &lines) : 0;
	if (n && !buf_ok(&lines)) {
		reply_problem(rq, 413, "too_large", NULL, "the items take more than %u MiB", RUN_LINE_MAX >> 20);
		n = 0;
	}
	if (n)
		(void)live_start(rq, p, "api", &lines, n, rq->x ? prefer_wait(rq) : 0, run_answer);
	else
		buf_done(&lines);
	plan_unref(p);
}

void post_run(struct request *rq)
{
	component_fetch(rq, rq->params[0], run_ready);
}

/* ---- lists ---- */

/* Answer with the store's refusal to even take the question. */
static void asked(struct request *rq, int code, const struct err *e)
{
	if (code == 0)
		return;
	reply_problem(rq, 503, "store", NULL, "%s", e->msg);
	request_release(rq);
}

bool run_is_interrupted(struct api *a, const struct run_row *row)
{
	struct err e = ERR_INIT;
	if (row->state != RUN_RUNNING || live_find(a, row->id) || store_run_claim(a->config.store, row->id, &e) < 0)
		return false;
	store_run_release(a->config.store, row->id);
	return true;
}

/* How many rows the page asks for, kept as the request's state, which is held; 0 after answering. */
static size_t page_ask(struct request *rq, int64_t *ret_after)
{
	size_t *limit = ARENA_NEW(&rq->arena, size_t);
	if (!limit || !request_page(rq, limit, ret_after))
		return 0;
	rq->state = limit;
	request_hold(rq);
	return *limit;
}

/* One row more than the page was asked for: it only says that there is another page. */
static size_t page_shown(const struct request *rq, const struct store_result *result)
{
	size_t limit = *(const size_t *)rq->state;
	return result->n < limit ? result->n : limit;
}

static void reply_page(struct request *rq, const struct store_result *result, struct value items, int64_t last_id)
{
	struct arena *a = &rq->arena;
	struct value next = value_null();
	if (result->n > items.len)
		next = value_string(str_c(arena_printf(a, "%lld", (long long)last_id)));
	struct value page = view_page(a, items, next, value_int(a, (int64_t)result->total));
	reply_json(rq, 200, &page, NULL);
}

static void on_runs(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct arena *a = &rq->arena;
	struct value items = value_array();
	size_t shown = page_shown(rq, result);
	if (result->error) {
		reply_store_error(rq, result);
	} else {
		for (size_t i = 0; i < shown; i++) {
			struct live_run *lr = live_find(rq->api, result->runs[i].id);
			const struct run_row *row = lr ? run_row(lr->run) : &result->runs[i];
			(void)value_push(a, &items, view_run(a, row, run_is_interrupted(rq->api, row)));
		}
		reply_page(rq, result, items, shown ? result->runs[shown - 1].id : 0);
	}
	request_release(rq);
}

void get_runs(struct request *rq)
{
	int64_t after;
	struct err e = ERR_INIT;
	size_t limit = page_ask(rq, &after);
	if (!limit)
		return;
	asked(rq, store_run_list(rq->api->config.store, after, -1, limit + 1, on_runs, rq, &e), &e);
}

static void on_entries(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct arena *a = &rq->arena;
	struct value items = value_array();
	size_t shown = page_shown(rq, result);
	if (result->error) {
		reply_store_error(rq, result);
	} else {
		for (size_t i = 0; i < shown; i++)
			(void)value_push(a, &items, view_entry(a, &result->entries[i]));
		reply_page(rq, result, items, shown ? result->entries[shown - 1].id : 0);
	}
	request_release(rq);
}

void get_entries(struct request *rq)
{
	int64_t after;
	struct err e = ERR_INIT;
	size_t limit = page_ask(rq, &after);
	if (!limit)
		return;
	asked(rq, store_entry_list(rq->api->config.store, rq->params[0], after, limit + 1, on_entries, rq, &e), &e);
}

static void on_entry(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	if (result->error || !result->n) {
		reply_store_error(rq, result->error ? result : &(struct store_result){ .error = STORE_NOT_FOUND });
	} else {
		struct value v = view_entry(&rq->arena, &result->entries[0]);
		reply_json(rq, 200, &v, NULL);
	}
	request_release(rq);
}

void get_entry(struct request *rq)
{
	int64_t id;
	struct err e = ERR_INIT;
	if (!request_number(rq, 1, &id))
		return;
	request_hold(rq);
	asked(rq, store_entry_get(rq->api->config.store, rq->params[0], id, on_entry, rq, &e), &e);
}

/* ---- one run ---- */

/* What is needed when the row is asked for once more. */
struct run_looked_at {
	struct plan *plan; /* NULL = its version cannot be read: */
	struct str why;
};

static void run_reply(struct request *rq, const struct run_row *row, const struct run_looked_at *l)
{
	struct arena *a = &rq->arena;
	struct live_run *lr = live_find(rq->api, row->id);
	struct value v = view_run(a, lr ? run_row(lr->run) : row, run_is_interrupted(rq->api, row));
	view_set(a, &v, "steps", l->plan ? view_run_steps(a, l->plan, row, lr ? lr->run : NULL) : value_array());
	if (!l->plan)
		view_set_str(a, &v, "problem", l->why);
	reply_json(rq, 200, &v, NULL);
}

static void on_run_again(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct run_looked_at *l = rq->state;
	if (result->error)
		reply_store_error(rq, result);
	else
		run_reply(rq, &result->runs[0], l);
	plan_unref(l->plan);
	request_release(rq);
}

static void on_run(void *arg, const struct run_row *row, struct plan *plan, struct err *e)
{
	struct request *rq = arg;
	struct run_looked_at *l = ARENA_NEW(&rq->arena, struct run_looked_at);
	struct err refused = ERR_INIT;
	if (!l || (!plan && !row->component.ptr)) {
		bool is_missing = l && e->code == -ERR_NOT_FOUND;
		reply_problem(rq, is_missing ? 404 : 503, is_missing ? "not_found" : "store", NULL, "%s",
			      l ? e->msg : "out of memory");
		plan_unref(plan);
		request_release(rq);
		return;
	}
	*l = (struct run_looked_at){ plan, plan ? STR_NULL : arena_str(&rq->arena, str_c(e->msg)) };
	/* The row was read before its component was, and the run may have ended in between: that is no interruption. */
	rq->state = l;
	if (row->state == RUN_RUNNING && !live_find(rq->api, row->id) &&
	    store_run_get(rq->api->config.store, row->id, on_run_again, rq, &refused) == 0)
		return;
	run_reply(rq, row, l);
	plan_unref(plan);
	request_release(rq);
}

void get_run(struct request *rq)
{
	int64_t id;
	struct err e = ERR_INIT;
	if (!request_number(rq, 0, &id))
		return;
	request_hold(rq);
	asked(rq, run_recall(rq->api->config.store, id, &rq->api->config.env, on_run, rq, &e), &e);
}

void post_resume(struct request *rq)
{
	int64_t id;
	if (request_number(rq, 0, &id))
		live_resume(rq->api, id, rq);
}
