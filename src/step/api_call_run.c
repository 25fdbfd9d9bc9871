/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of one API call within a run (the drawing is in api_call_int.h). What the ledger holds is believed: an
 * outcome is judged again, not asked for again; an intent without outcome is repeated only where repeating is harmless.
 */
#include "step/api_call_int.h"

#include "base/clock.h"
#include "base/alloc.h"

#include <assert.h>
#include <stdlib.h>

#define ANSWER_HEAD_MAX (2u << 20) /* of an answer, as JSON: six bytes for each of its head at worst */

/* The only writer of c->state. */
void api_call_move(struct api_call_step *st, struct api_call *c, enum api_call_state to)
{
	list_remove(&c->link);
	c->state = to;
	list_add_last(&st->in[to], &c->link);
}

/* Each element of the answer's list becomes an item. */
static bool is_list(const struct api_call_step *st)
{
	const struct api_call_opts *o = step_opts(st->step);
	return o->items.len > 0;
}

void api_call_slot_back(struct api_call_step *st, struct api_call *c)
{
	if (c->has_slot)
		st->slots_used--;
	c->has_slot = false;
}

/* The call is over, one way or the other; its memory goes with the item. */
void api_call_leave(struct api_call_step *st, struct api_call *c)
{
	api_call_items_free(c);
	api_call_slot_back(st, c);
	loop_timer_stop(&c->timer);
	list_remove(&c->link);
	c->item->step_data = NULL;
}

void api_call_drop(struct api_call_step *st, struct api_call *c)
{
	struct step *s = st->step;
	struct item *it = c->item;
	api_call_leave(st, c);
	step_drop(s, it);
}

/* The run takes no more work: what has not begun does not begin. */
bool api_call_is_closing(const struct api_call_step *st)
{
	return step_is_stopping(st->step) || step_is_leaving(st->step);
}

static void call_fails(struct api_call_step *st, struct api_call *c, struct value problem, enum item_state state)
{
	struct step *s = st->step;
	struct item *it = c->item;
	api_call_leave(st, c);
	step_fail(s, it, problem, state);
}

void api_call_fails(struct api_call_step *st, struct api_call *c, const char *type, const char *title,
		    const struct err *e)
{
	call_fails(st, c, step_err_problem(st->step, c->item, type, title, e), ITEM_FAILED);
}

void api_call_judged(struct api_call_step *st, struct api_call *c, const struct call_judgement *j)
{
	const struct api_call_opts *o = step_opts(st->step);
	struct item *it = c->item;
	struct step *s = st->step;
	struct err e = ERR_INIT;
	if (j->verdict == CALL_SKIPPED) {
		api_call_leave(st, c);
		step_drop(s, it);
		return;
	}
	if (j->verdict != CALL_OK) {
		if (j->verdict != CALL_UNKNOWN)
			api_call_key_failed(st, c);
		call_fails(st, c, j->problem, j->verdict == CALL_UNKNOWN ? ITEM_UNKNOWN : ITEM_FAILED);
		return;
	}
	if (is_list(st)) {
		api_call_items_judged(st, c, &j->result);
		return;
	}
	if (o->result_store_field.len && path_put(&it->arena, &it->root, o->result_store_field, j->result, &e) < 0) {
		api_call_fails(st, c, "bad_mapping", "The result cannot be stored in the item", &e);
		return;
	}
	api_call_leave(st, c);
	step_pass(s, it);
}

static void record_intent(struct api_call_step *st, struct api_call *c);

/* The attempt may go as soon as its intent is on disk, or as it has a slot where that comes first. */
static void attempt_begins(struct api_call_step *st, struct api_call *c)
{
	api_call_is_ready(st, c);
	if (call_spec_is_repeatable(st->plan->spec))
		record_intent(st, c);
	else
		api_call_move(st, c, API_CALL_WAITING);
}

/* After redirects a new try begins where the first began: the way may lead elsewhere by now. */
static void try_begins(struct api_call_step *st, struct api_call *c)
{
	c->request = c->first;
	c->trail = (struct call_trail){ 0 };
	attempt_begins(st, c);
}

void api_call_on_timer(struct loop_timer *t)
{
	struct api_call *c = CONTAINER_OF(t, struct api_call, timer);
	struct api_call_step *st = step_state(c->step);
	if (c->state == API_CALL_PROBE_WAIT) {
		api_call_probe_is_due(st, c);
		return;
	}
	try_begins(st, c);
	api_call_pump(st);
}

void api_call_goes_by_probe(struct api_call_step *st, struct api_call *c)
{
	c->attempt++;
	api_call_again(c, CALL_WHY_DECIDED);
	c->again.by = STR(API_CALL_PROBE_BY);
	try_begins(st, c);
}

void api_call_record_outcome(struct api_call_step *st, struct api_call *c, const struct call_answer *x)
{
	buf_clear(&st->scratch);
	if (call_answer_write(x, &st->scratch) < 0) {
		struct call_answer bare = *x; /* the head is what may be dropped; that there was an answer is not */
		bare.headers = value_array();
		bare.detail = STR_NULL;
		buf_clear(&st->scratch);
		(void)call_answer_write(&bare, &st->scratch);
	}
	struct ledger_row row = {
		.key = step_key(st->step, c->item, c->attempt),
		.kind = LEDGER_OUTCOME,
		.at = clock_wall(),
		.code = x->status,
		.head = buf_str(&st->scratch),
		.body = x->body,
	};
	step_record(st->step, c->item, &row, NULL);
}

static void go_again(struct api_call_step *st, struct api_call *c, enum call_why why)
{
	c->attempt++;
	api_call_again(c, why);
	attempt_begins(st, c);
}

/* Each hop is an attempt of its own in the ledger, so that where a call went can be seen. True when the answer is dealt
 * with. */
static bool follow_redirect(struct api_call_step *st, struct api_call *c, const struct http_response *r)
{
	const struct api_call_opts *o = step_opts(st->step);
	struct step_services *services = step_services(st->step);
	struct call_request next;
	struct str reason;
	if (!o->follow_redirects || r->error != HTTP_ERROR_NONE || r->status < 300 || r->status > 399)
		return false;
	switch (call_redirect(&c->request, r->status, r->headers, services->secrets, &c->trail, &c->item->arena, &next,
			      &reason)) {
	case CALL_HOP_FOLLOW:
		c->request = next;
		c->tries--; /* a hop is no new try */
		go_again(st, c, CALL_WHY_REDIRECT);
		return true;
	case CALL_HOP_REFUSED: {
		struct err e = ERR_INIT;
		err_set(&e, ERR_DENIED, "%.*s", STR_ARG(reason));
		api_call_fails(st, c, "redirect_refused", "The redirect was not followed", &e);
		return true;
	}
	default:
		return false;
	}
}

/* What a recorded answer means for the call. */
static void call_decide(struct api_call_step *st, struct api_call *c, const struct call_answer *x)
{
	struct call_judgement j;
	(void)call_judge_full(st->plan->spec, st->plan->rule, x, &c->item->arena, &j);
	api_call_key_answered(st, c, x);
	bool goes_again = api_call_may_try_again(st, c, &j);
	if (goes_again && step_is_leaving(st->step)) {
		api_call_drop(st, c); /* a resumed run judges the recorded answer as we do, and asks again */
	} else if (goes_again) {
		api_call_waits(st, c, x, &j);
	} else if (api_call_is_in_doubt(c, &j)) {
		api_call_is_unknown(st, c, &j);
	} else {
		api_call_judged(st, c, &j);
	}
}

void api_call_answered(struct api_call_step *st, struct api_call *c, const struct call_answer *x)
{
	api_call_record_outcome(st, c, x);
	call_decide(st, c, x);
}

/* The transfer has ended or is cancelled: the one place where what it used is given back. */
static void transfer_over(struct api_call *c)
{
	c->transfer = NULL;
	if (c->body)
		call_body_close(c->body);
	api_call_sink_release(c);
}

static void on_response(void *arg, const struct http_response *r)
{
	struct api_call *c = arg;
	struct api_call_step *st = step_state(c->step);
	struct call_answer x = { 0 };
	struct err e = ERR_INIT;
	auto_free char *body = NULL;
	api_call_slot_back(st, c);
	int code = api_call_answer(st, c, r, &x, &body, &e);
	transfer_over(c);
	if (code < 0) {
		api_call_fails(st, c, code == -ERR_NO_MEMORY ? "too_large" : "store", "The answer cannot be kept", &e);
		api_call_pump(st);
		return;
	}
	x.is_range_asked = headers_count(&c->request.headers, STR("Range")) > 0;
	api_call_has_ended(c, &x);
	if (api_call_items_ended(c, r, &x, &body))
		return;
	api_call_record_outcome(st, c, &x);
	if (!follow_redirect(st, c, r))
		call_decide(st, c, &x);
	api_call_pump(st);
}

/* Files of the body are open from here to transfer_over(). False when the call cannot go now, or not at all. */
static bool body_open(struct api_call_step *st, struct api_call *c)
{
	struct arena *a = &c->item->arena;
	struct err e = ERR_INIT;
	int code = 0;
	if (c->request.n_pieces && !c->body)
		c->body = ARENA_NEW(a, struct call_body);
	if (c->request.n_pieces && !c->body)
		code = err_set(&e, ERR_NO_MEMORY, "out of memory");
	else if (c->body)
		code = call_body_open(c->body, &c->request, &st->folder.face, a, &e);
	if (code == -ERR_LIMIT)
		(void)api_call_holds(st, API_CALL_FILES_WAIT); /* others have them open and give them back */
	else if (code < 0)
		api_call_fails(st, c, "file_missing", "A file of the request cannot be sent", &e);
	return code == 0;
}

static void send(struct api_call_step *st, struct api_call *c)
{
	struct step_services *services = step_services(st->step);
	const struct call_limits *l = &st->plan->limits;
	struct err e = ERR_INIT;
	assert(!step_is_replay(st->step));		  /* call_build() has turned back */
	if (c->doubt && api_call_key_is_gone(st, c, 0)) { /* it has grown old while it stood here */
		api_call_slot_back(st, c);
		api_call_key_expired(st, c, NULL);
		return;
	}
	if (!body_open(st, c))
		return;
	if (!c->has_slot)
		st->slots_used++;
	c->has_slot = true;
	c->tries++;
	api_call_goes_out(st, c);
	api_call_move(st, c, API_CALL_IN_FLIGHT);
	struct http_request request = {
		.method = str_c(call_method_name(c->request.method)),
		.url = c->request.url,
		.headers = &c->request.headers,
		.body = c->request.body,
		.connect_timeout = l->connect_timeout,
		.first_byte_timeout = l->first_byte_timeout,
		.total_timeout = call_total_timeout(l, &c->request),
		.max_body = l->max_body < CALL_GATHERED_MAX ? l->max_body : CALL_GATHERED_MAX,
		.tls_no_verify = l->tls_no_verify,
		.http_version = l->http_version,
		.proxy = c->request.proxy,
		.fresh_connection = c->wants_fresh,
	};
	if (c->request.n_pieces) {
		request.pieces = c->body->pieces;
		request.n_pieces = c->body->n;
	}
	request.sink = is_list(st) ? api_call_items_sink(c, &e) : api_call_sink(st, c);
	if (!is_list(st) || request.sink)
		c->transfer = http_start(services->http, &request, on_response, c, &e);
	if (!c->transfer) {
		transfer_over(c);
		api_call_fails(st, c, "internal", "The call could not be started", &e);
	}
}

static void batched_drop(struct step *s, struct item *it)
{
	api_call_drop(step_state(s), it->step_data);
}

/* Calls that wait are not made; those that have a slot are as good as sent and end by themselves. */
void api_call_stop(struct step *s)
{
	static const enum api_call_state waiting[] = { API_CALL_WAITING, API_CALL_SENDABLE, API_CALL_BACKOFF };
	struct api_call_step *st = step_state(s);
	api_call_probe_stop(st);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		LIST_FOREACH (node, &st->in[waiting[i]]) {
			struct api_call *c = LIST_ENTRY(node, struct api_call, link);
			if (!c->has_slot)
				api_call_drop(st, c);
		}
	if (st->batch)
		batch_stop(st->batch, batched_drop);
}

static void on_intent(struct step *s, struct item *it)
{
	struct api_call *c = it->step_data;
	struct api_call_step *st = step_state(s);
	if (api_call_is_closing(st) && !c->has_slot) {
		api_call_drop(st, c);
		return;
	}
	api_call_move(st, c, API_CALL_SENDABLE);
	api_call_pump(st);
}

static void record_intent(struct api_call_step *st, struct api_call *c)
{
	c->again.key_number = c->key_number;
	struct ledger_row row = {
		.key = step_key(st->step, c->item, c->attempt),
		.kind = LEDGER_INTENT,
		.at = clock_wall(),
		.head = api_call_intent(c, &st->scratch),
	};
	api_call_key_is_used(c, row.at);
	api_call_move(st, c, API_CALL_RECORDING);
	step_record(st->step, c->item, &row, on_intent);
}

/* Send what may go, then give free slots to those that must have one before they are even recorded. */
void api_call_pump(struct api_call_step *st)
{
	if (st->is_pumping || loop_timer_is_running(&st->pause))
		return;
	st->is_pumping = true;
	/* From the front each time: one that fails here may stop the run, which takes others out of the list. */
	while (!list_is_empty(&st->in[API_CALL_SENDABLE])) {
		struct api_call *c = LIST_ENTRY(list_first(&st->in[API_CALL_SENDABLE]), struct api_call, link);
		if (!c->has_slot && st->slots_used >= st->plan->in_flight)
			break;
		send(st, c);
		if (list_first(&st->in[API_CALL_SENDABLE]) == &c->link) /* its files cannot be opened now */
			break;
	}
	while (st->slots_used < st->plan->in_flight && !list_is_empty(&st->in[API_CALL_PROBE_READY]))
		api_call_probe_send(st, LIST_ENTRY(list_first(&st->in[API_CALL_PROBE_READY]), struct api_call, link));
	while (st->slots_used < st->plan->in_flight && !list_is_empty(&st->in[API_CALL_WAITING])) {
		struct api_call *c = LIST_ENTRY(list_first(&st->in[API_CALL_WAITING]), struct api_call, link);
		st->slots_used++;
		c->has_slot = true;
		record_intent(st, c);
	}
	st->is_pumping = false;
}

/* A checked replay: the request is made, its answer is in the ledger or nowhere. */
static void call_checked(struct api_call_step *st, struct api_call *c)
{
	struct err e = ERR_INIT;
	if (step_tell(st->step, c->item, LEDGER_INTENT, c->request.masked)) {
		(void)api_call_recall(st, c);
		return;
	}
	err_set(&e, ERR_NOT_FOUND, "%.*s would be sent",
		STR_ARG(str_clip(call_request_summary(&c->request, &c->item->arena), 800)));
	api_call_fails(st, c, "would_be_sent", "The request is not the recorded one", &e);
}

static void call_build(struct api_call_step *st, struct api_call *c, const struct value *scripted)
{
	struct step_services *services = step_services(st->step);
	struct item *it = c->item;
	struct value parameters = value_object();
	struct err e = ERR_INIT;
	const struct mapping *m = st->plan->scripts.mapping;
	if (m && mapping_eval(m, &it->arena, &it->root, scripted, &parameters, &e) < 0) {
		api_call_fails(st, c, "bad_mapping", "The parameters mapping failed", &e);
		return;
	}
	struct str key = api_call_key(st, c);
	if (call_request_build_files(st->plan->spec, services->secrets, &st->folder.face, &parameters, key, &it->arena,
				     &c->request, &e) < 0) {
		api_call_fails(st, c, e.code == -ERR_MISSING ? "missing_secret" : "invalid_request",
			       "The request cannot be built", &e);
		return;
	}
	if (!step_is_replay(st->step) && api_call_planned(st, c))
		return;
	if (c->wants_identity)
		(void)call_request_ask_identity(&c->request, &it->arena);
	c->first = c->request;
	if (step_is_replay(st->step)) { /* a checked one: this far and no further */
		call_checked(st, c);
		return;
	}
	if (c->probe) { /* an earlier process sent it, and how that ended is to be asked first */
		api_call_probe_begins(st, c);
		return;
	}
	attempt_begins(st, c);
	api_call_pump(st);
}

static void on_scripted(struct step *s, struct item *it, const struct script_result *result)
{
	struct api_call *c = it->step_data;
	struct api_call_step *st = step_state(s);
	if (api_call_is_closing(st)) { /* its stop found the call in the script, where it could not be dropped */
		api_call_drop(st, c);
		return;
	}
	if (!result->error) {
		call_build(st, c, &result->value);
		return;
	}
	api_call_leave(st, c);
	batch_fail_item(s, it, result);
}

static void call_prepare(struct api_call_step *st, struct api_call *c)
{
	if (st->batch)
		batch_add(st->batch, c->item);
	else
		call_build(st, c, NULL);
}

enum verdict api_call_start(struct step *s, struct item *it)
{
	struct api_call_step *st = step_state(s);
	struct api_call *c = ARENA_NEW(&it->arena, struct api_call);
	if (!c)
		return step_problem(s, it, "too_large", "The item does not fit in memory", "out of memory");
	*c = (struct api_call){ .step = s, .item = it, .attempt = 1 };
	list_init(&c->link);
	loop_timer_init(step_loop(s), &c->timer, api_call_on_timer);
	it->step_data = c;
	api_call_move(st, c, API_CALL_SCRIPTING);
	/* What the ledger knows of it counts, whatever else happens: an unknown outcome must be told. */
	bool may_be_over = !step_is_checked(s) && !api_call_is_offered(st, c) && (it->recorded || step_is_replay(s));
	if (may_be_over && api_call_recall(st, c))
		return STEP_WAIT;
	if (api_call_is_closing(st))
		api_call_drop(st, c);
	else
		call_prepare(st, c);
	return STEP_WAIT;
}

void api_call_flush(struct step *s)
{
	struct api_call_step *st = step_state(s);
	if (st->batch)
		batch_flush(st->batch);
}

int api_call_open(struct step *s, struct err *e)
{
	const struct api_call_opts *o = step_opts(s);
	struct api_call_step *st = alloc_calloc(1, sizeof(*st));
	if (!st)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	st->step = s;
	st->plan = step_plan(s)->compiled;
	folder_init(&st->folder, store_files(step_store(s)));
	for (size_t i = 0; i < ARRAY_LEN(st->in); i++)
		list_init(&st->in[i]);
	buf_init(&st->scratch, ANSWER_HEAD_MAX);
	loop_timer_init(step_loop(s), &st->pause, api_call_pause_over);
	step_set_state(s, st);
	if (o->order)
		step_set_order_any(s);
	const struct api_call_plan *p = st->plan;
	if (p->scripts.program)
		st->batch = batch_new(s, p->scripts.program, on_scripted);
	if (p->probe_scripts.program)
		st->probe_batch = batch_new(s, p->probe_scripts.program, api_call_probe_scripted);
	bool has_both = !p->scripts.program == !st->batch && !p->probe_scripts.program == !st->probe_batch;
	return has_both ? 0 : err_set(e, ERR_NO_MEMORY, "out of memory");
}

void api_call_close(struct step *s)
{
	struct api_call_step *st = step_state(s);
	if (!st)
		return;
	for (size_t i = 0; i < ARRAY_LEN(st->in); i++)
		LIST_FOREACH (node, &st->in[i]) {
			struct api_call *c = LIST_ENTRY(node, struct api_call, link);
			if (c->transfer)
				http_cancel(c->transfer);
			transfer_over(c);
			api_call_items_free(c);
			loop_timer_stop(&c->timer);
			list_remove(&c->link);
		}
	loop_timer_stop(&st->pause);
	batch_free(st->batch);
	batch_free(st->probe_batch);
	buf_done(&st->scratch);
	free(st);
	step_set_state(s, NULL);
}
