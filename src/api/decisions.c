/* SPDX-License-Identifier: Apache-2.0 */
/* What a person decides about unknown outcomes, and "the failed ones again": over REST, and as it is shown. */
#include "api/api_int.h"

#include "base/clock.h"

static const char *const names[] = { [DECISION_DONE] = "done", [DECISION_AGAIN] = "again", [DECISION_SKIP] = "skip" };

bool decision_parse(struct str name, enum decision *ret)
{
	for (size_t i = DECISION_DONE; i < ARRAY_LEN(names); i++)
		if (str_eq_c(name, names[i])) {
			*ret = (enum decision)i;
			return true;
		}
	return false;
}

int decision_head_write(struct buf *b, struct str by, struct str note)
{
	(void)buf_append_c(b, "{\"by\":");
	(void)json_write_string(b, by);
	if (note.len) {
		(void)buf_append_c(b, ",\"note\":");
		(void)json_write_string(b, note);
	}
	(void)buf_append_char(b, '}');
	return buf_ok(b) ? 0 : -b->failed;
}

struct value view_decisions(struct arena *a, const struct plan *p, const struct ledger_row *rows, size_t n)
{
	struct value list = value_array();
	for (size_t i = 0; i < n; i++) {
		const struct ledger_row *row = &rows[i];
		if (row->kind != LEDGER_DECISION)
			continue;
		bool is_known = row->code > 0 && row->code < (int)ARRAY_LEN(names);
		struct value v = value_object(), head = view_json(a, row->head);
		view_set_str(a, &v, "step", row->key.step < p->n_steps ? p->steps[row->key.step].name : STR_NULL);
		view_set_int(a, &v, "attempt", row->key.attempt);
		view_set_str(a, &v, "decision", is_known ? str_c(names[row->code]) : STR_NULL);
		view_set(a, &v, "by", view_member(a, &head, "by"));
		view_set(a, &v, "at", view_time(a, row->at));
		view_set(a, &v, "note", view_member(a, &head, "note"));
		view_set(a, &v, "result", row->body.len ? view_json(a, row->body) : value_null());
		(void)value_push(a, &list, v);
	}
	return list;
}

/* ---- REST ---- */

struct deciding {
	int64_t run;
	enum decision decision;
	bool resumes;
	struct buf head, body;
	uint64_t *items;
	size_t n;
};

static int refuse(struct request *rq, const char *text)
{
	reply_problem(rq, 422, "invalid_decision", NULL, "%s", text);
	return -1;
}

const char *request_items(struct request *rq, uint64_t **ret_items, size_t *ret_n)
{
	const struct value *items = value_get_c(&rq->body, "items");
	uint64_t *numbers;
	*ret_items = NULL;
	*ret_n = 0;
	if (value_is_string(items, STR("all")))
		return NULL;
	if (!value_is(items, VALUE_ARRAY) || !items->len || items->len > STORE_DECIDE_MAX)
		return "\"items\" must be \"all\", or a list of 1 to 10000 numbers of items";
	numbers = ARENA_ARRAY(&rq->arena, uint64_t, items->len);
	for (size_t i = 0; numbers && i < items->len; i++) {
		int64_t seq;
		if (!value_to_int64(value_at(items, i), &seq) || seq < 0)
			return "\"items\" must hold numbers of items: whole, 0 or more";
		numbers[i] = (uint64_t)seq;
	}
	*ret_items = numbers;
	*ret_n = items->len;
	return numbers ? NULL : "too many items";
}

static int read_items(struct request *rq, struct deciding *d)
{
	const char *wrong = request_items(rq, &d->items, &d->n);
	return wrong ? refuse(rq, wrong) : 0;
}

static int read_decision(struct request *rq, struct deciding *d)
{
	const struct value *decision = value_get_c(&rq->body, "decision"), *note = value_get_c(&rq->body, "note");
	const struct value *result = value_get_c(&rq->body, "result");
	if (!value_is(decision, VALUE_STRING) || !decision_parse(value_text(decision), &d->decision))
		return refuse(rq, "\"decision\" must be done, again or skip");
	if (note && note->kind != VALUE_NULL && !value_is(note, VALUE_STRING))
		return refuse(rq, "\"note\" must be a text");
	struct str text = value_is(note, VALUE_STRING) ? value_text(note) : STR_NULL;
	if (text.len > DECISION_NOTE_MAX)
		return refuse(rq, "\"note\" is longer than 2000 bytes");
	bool has_result = result && result->kind != VALUE_NULL;
	if (has_result && d->decision != DECISION_DONE)
		return refuse(rq, "only \"done\" has a \"result\"");
	if (has_result && json_write(&d->body, result, JSON_COMPACT) < 0)
		return refuse(rq, "\"result\" is larger than 1 MiB");
	return decision_head_write(&d->head, STR("page"), text) < 0 ? refuse(rq, "out of memory") : read_items(rq, d);
}

bool request_claim(struct request *rq, int64_t run)
{
	struct err e = ERR_INIT;
	if (!live_find(rq->api, run) && store_run_claim(rq->api->config.store, run, &e) == 0)
		return true;
	reply_problem(rq, 409, "run_is_executed", NULL, "run %lld is being executed; do this when it has ended",
		      (long long)run);
	return false;
}

static void reply_not_unknown(struct request *rq, const struct store_result *result)
{
	struct arena *a = &rq->arena;
	struct value more = value_object(), items = value_array();
	for (size_t i = 0; i < result->n; i++)
		(void)value_push(a, &items, value_int(a, (int64_t)result->rows[i].key.seq));
	view_set(a, &more, "items", items);
	reply_problem(rq, 409, "not_unknown", &more, "%s; nothing was decided", result->detail);
}

static void reply_refused(struct request *rq, const struct store_result *result, int64_t run)
{
	if (result->error == STORE_CONFLICT)
		reply_not_unknown(rq, result);
	else if (result->error == STORE_NOT_FOUND)
		reply_problem(rq, 404, "not_found", NULL, "there is no run %lld here", (long long)run);
	else
		reply_store_error(rq, result);
}

static void on_decided(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	const struct deciding *d = rq->state;
	struct arena *a = &rq->arena;
	struct value v = value_object();
	int64_t items = 0;
	store_run_release(rq->api->config.store, d->run);
	for (size_t i = 0; !result->error && i < result->n; i++)
		items += i == 0 || result->rows[i].key.seq != result->rows[i - 1].key.seq;
	if (result->error) {
		reply_refused(rq, result, d->run);
	} else if (!items) {
		reply_problem(rq, 409, "not_unknown", NULL, "run %lld has no item with an unknown outcome",
			      (long long)d->run);
	} else {
		view_set_str(a, &v, "run", str_c(arena_printf(a, "%lld", (long long)d->run)));
		view_set_str(a, &v, "decision", str_c(names[d->decision]));
		view_set_int(a, &v, "decided", items);
		view_set_int(a, &v, "left", (int64_t)result->total);
		live_resume_after(rq, d->run, v, d->resumes);
	}
	request_release(rq);
}

static void decide(struct request *rq, struct deciding *d)
{
	struct err e = ERR_INIT;
	struct decision_row row = {
		.run = d->run,
		.decision = d->decision,
		.at = clock_wall(),
		.head = buf_str(&d->head),
		.body = buf_str(&d->body),
		.items = d->items,
		.n_items = d->n,
	};
	if (!request_claim(rq, d->run))
		return;
	rq->state = d;
	request_hold(rq);
	if (store_decide(rq->api->config.store, &row, on_decided, rq, &e) == 0)
		return;
	store_run_release(rq->api->config.store, d->run);
	reply_problem(rq, 503, "store", NULL, "%s", e.msg);
	request_release(rq);
}

static bool wants_resume(struct request *rq)
{
	struct str resume = request_query(rq, "resume");
	return str_eq_c(resume, "1") || str_eq_c(resume, "true");
}

void post_decisions(struct request *rq)
{
	struct deciding *d = ARENA_NEW(&rq->arena, struct deciding);
	if (!d || !request_number(rq, 0, &d->run))
		return;
	buf_init(&d->head, DECISION_NOTE_MAX * 6 + 256);
	buf_init(&d->body, DECISION_RESULT_MAX);
	d->resumes = wants_resume(rq);
	if (read_decision(rq, d) == 0)
		decide(rq, d);
	buf_done(&d->head);
	buf_done(&d->body);
}

/* ---- the failed ones again ---- */

static void on_dropped(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	const struct deciding *d = rq->state;
	struct arena *a = &rq->arena;
	struct value v = value_object();
	store_run_release(rq->api->config.store, d->run);
	if (result->error) {
		reply_refused(rq, result, d->run);
	} else if (!result->total) {
		reply_problem(rq, 409, "nothing_failed", NULL, "no item of run %lld has failed", (long long)d->run);
	} else {
		view_set_str(a, &v, "run", str_c(arena_printf(a, "%lld", (long long)d->run)));
		view_set_int(a, &v, "retried", (int64_t)result->total);
		live_resume_after(rq, d->run, v, true);
	}
	request_release(rq);
}

static void on_retry_run(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	const struct deciding *d = rq->state;
	struct err e = ERR_INIT;
	if (result->error) {
		reply_refused(rq, result, d->run);
	} else if (request_claim(rq, d->run)) {
		request_hold(rq);
		if (store_ledger_drop_problems(rq->api->config.store, d->run, on_dropped, rq, &e) < 0) {
			store_run_release(rq->api->config.store, d->run);
			reply_problem(rq, 503, "store", NULL, "%s", e.msg);
			request_release(rq);
		}
	}
	request_release(rq);
}

void post_retry(struct request *rq)
{
	struct deciding *d = ARENA_NEW(&rq->arena, struct deciding);
	struct err e = ERR_INIT;
	if (!d || !request_number(rq, 0, &d->run))
		return;
	rq->state = d;
	request_hold(rq);
	if (store_run_get(rq->api->config.store, d->run, on_retry_run, rq, &e) == 0)
		return;
	reply_problem(rq, 503, "store", NULL, "%s", e.msg);
	request_release(rq);
}
