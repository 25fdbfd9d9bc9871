/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call of which nobody knows whether it was made is asked after: the connector's probe is sent, and what it tells is
 * a decision in the ledger as a person would take it, on disk before anything follows from it. So a resumed run asks
 * once for each attempt that is in doubt, and a replay never. Where no probe tells anything the outcome stays unknown.
 *
 *   judged unknown -> PROBE_WAIT -> [PROBE_SCRIPTING] -> PROBE_READY (slot) -> PROBING -+- done ------> DECIDING ->
 * goes on with the result ^                                                                 +- not done --> DECIDING ->
 * sent again, or fails
 *                     '------------------------- says neither, probes are left <--------+- unknown outcome
 */
#include "step/api_call_int.h"

#include "base/clock.h"
#include "base/json.h"

#include <stdlib.h>

#define DECISION_HEAD_MAX (1u << 20)

static const struct call_probe *probe_of(const struct api_call_step *st)
{
	return call_spec_probe(st->plan->spec);
}

static struct str probe_summary(const struct api_call *c)
{
	const struct api_call_probe *p = c->probe;
	return p->request.masked.ptr ? call_request_summary(&p->request, &c->item->arena) : STR("the probe");
}

/* The problem as it was, and what the probes came to. */
static void undecided(struct api_call_step *st, struct api_call *c, struct str why)
{
	struct arena *a = &c->item->arena;
	struct call_judgement j = c->probe->unknown;
	struct value *detail = value_get_c(&j.problem, "detail");
	char *text = detail ? arena_printf(a, "%.*s; asked whether it was made, %.*s %.*s", STR_ARG(value_text(detail)),
					   STR_ARG(str_clip(probe_summary(c), 800)), STR_ARG(why))
			    : NULL;
	if (text)
		*detail = value_string(str_c(text));
	api_call_judged(st, c, &j);
	api_call_pump(st);
}

static void undecided_by(struct api_call_step *st, struct api_call *c, const char *what, struct str detail)
{
	undecided(st, c, str_c(arena_printf(&c->item->arena, "%s: %.*s", what, STR_ARG(detail))));
}

/* ---- waiting, building ---- */

static void probe_waits(struct api_call_step *st, struct api_call *c, msec_t wait)
{
	if (step_is_leaving(st->step)) {
		api_call_drop(st, c);
		return;
	}
	api_call_move(st, c, API_CALL_PROBE_WAIT);
	if (loop_timer_start(&c->timer, wait) < 0)
		api_call_probe_is_due(st, c);
}

void api_call_probe_begins(struct api_call_step *st, struct api_call *c)
{
	probe_waits(st, c, probe_of(st)->wait);
}

void api_call_probe_stop(struct api_call_step *st)
{
	static const enum api_call_state waiting[] = { API_CALL_PROBE_WAIT, API_CALL_PROBE_READY };
	if (!step_is_leaving(st->step))
		return;
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		LIST_FOREACH (node, &st->in[waiting[i]])
			api_call_drop(st, LIST_ENTRY(node, struct api_call, link));
}

bool api_call_probe_wanted(struct api_call_step *st, struct api_call *c, const struct call_judgement *unknown)
{
	if (!probe_of(st) || step_is_replay(st->step))
		return false;
	c->probe = ARENA_NEW(&c->item->arena, struct api_call_probe);
	if (c->probe)
		c->probe->unknown = *unknown;
	return c->probe;
}

bool api_call_is_in_doubt(const struct api_call *c, const struct call_judgement *j)
{
	return j->verdict == CALL_UNKNOWN || (j->retryable && c->doubt == API_CALL_MAY_BE_DONE);
}

void api_call_is_unknown(struct api_call_step *st, struct api_call *c, const struct call_judgement *j)
{
	api_call_slot_back(st, c);
	if (api_call_probe_wanted(st, c, j))
		api_call_probe_begins(st, c);
	else
		api_call_judged(st, c, j);
}

static void probe_build(struct api_call_step *st, struct api_call *c, const struct value *scripted)
{
	struct step_services *services = step_services(st->step);
	const struct mapping *m = st->plan->probe_scripts.mapping;
	struct value parameters = value_object();
	struct item *it = c->item;
	struct err e = ERR_INIT;
	if ((m && mapping_eval(m, &it->arena, &it->root, scripted, &parameters, &e) < 0) ||
	    call_request_build(probe_of(st)->spec, services->secrets, &parameters, STR_NULL, &it->arena,
			       &c->probe->request, &e) < 0) {
		c->probe->request = (struct call_request){ 0 };
		undecided_by(st, c, "cannot be sent", str_c(e.msg));
		return;
	}
	if (step_is_leaving(st->step)) {
		api_call_drop(st, c);
		return;
	}
	api_call_move(st, c, API_CALL_PROBE_READY);
	api_call_pump(st);
}

void api_call_probe_scripted(struct step *s, struct item *it, const struct script_result *result)
{
	struct api_call *c = it->step_data;
	struct api_call_step *st = step_state(s);
	if (result->error)
		undecided_by(st, c, "cannot be sent", result->detail);
	else
		probe_build(st, c, &result->value);
}

void api_call_probe_is_due(struct api_call_step *st, struct api_call *c)
{
	if (c->probe->request.masked.ptr) {
		api_call_move(st, c, API_CALL_PROBE_READY);
		api_call_pump(st);
	} else if (st->probe_batch) {
		api_call_move(st, c, API_CALL_PROBE_SCRIPTING);
		batch_add(st->probe_batch, c->item);
		batch_flush(st->probe_batch);
	} else {
		probe_build(st, c, NULL);
	}
}

/* ---- the decision ---- */

/* Not done, and no attempt is left: that is known now, and a failure. */
static void not_done_fails(struct api_call_step *st, struct api_call *c)
{
	struct arena *a = &c->item->arena;
	char *detail =
	    arena_printf(a,
			 "step \"%.*s\": %.*s: no answer came to the last of %u attempts, and the probe says that "
			 "it was not done",
			 STR_ARG(step_plan(st->step)->name), STR_ARG(call_spec_summary(st->plan->spec, a)), c->tries);
	struct call_judgement j = { .verdict = CALL_FAILED,
				    .problem =
					call_problem(a, "not_done", "The call did not get through", str_c(detail), 0) };
	api_call_judged(st, c, &j);
}

bool api_call_probe_lets_go(struct api_call_step *st, struct api_call *c)
{
	const struct api_call_opts *o = step_opts(st->step);
	c->probe = NULL;
	c->doubt = API_CALL_NO_DOUBT;
	if (c->tries >= (uint32_t)o->attempts) {
		not_done_fails(st, c);
		return false;
	}
	return true;
}

static void on_decision(struct step *s, struct item *it)
{
	struct api_call *c = it->step_data;
	struct api_call_step *st = step_state(s);
	if (c->probe->said == CALL_PROBE_DONE)
		api_call_decided_done(st, c, c->probe->result);
	else if (api_call_is_closing(st))
		api_call_drop(st, c);
	else if (api_call_probe_lets_go(st, c))
		api_call_goes_by_probe(st, c);
	api_call_pump(st);
}

/* { by, note, probe: { request, status, body, sent } }: who decided, why, and what that rests on. */
static int write_head(const struct api_call *c, const struct call_answer *x, struct str why, struct buf *b)
{
	const struct api_call_probe *p = c->probe;
	struct str body = str_clip(x->body, API_CALL_PROBE_BODY);
	size_t bad = 0;
	auto_buf struct buf note = { .max = ERR_MSG_MAX * 4 };
	if (!str_is_utf8(body, &bad))
		body.len = bad;
	(void)buf_printf(&note, "%.*s %.*s: %s", STR_ARG(str_clip(probe_summary(c), 800)), STR_ARG(why),
			 call_probed_name(p->said));
	(void)buf_append_c(b, "{\"by\":\"" API_CALL_PROBE_BY "\",\"note\":");
	(void)json_write_string(b, buf_str(&note));
	(void)buf_append_c(b, ",\"probe\":{\"request\":");
	(void)buf_append_str(b, p->request.masked);
	(void)buf_printf(b, ",\"status\":%d,\"sent\":%u,\"body\":", x->status, p->sent);
	(void)json_write_string(b, body);
	(void)buf_append_c(b, "}}");
	return buf_ok(b) && buf_ok(&note) ? 0 : -ERR_LIMIT;
}

/* The result as the ledger will have it, in the arena: what goes on now is what a resumed run would read. */
static int write_result(struct api_call *c, const struct value *result)
{
	auto_buf struct buf b = { .max = API_CALL_PROBE_RESULT_MAX };
	if (result->kind == VALUE_NULL)
		return 0;
	if (json_write(&b, result, JSON_COMPACT) < 0)
		return -ERR_LIMIT;
	c->probe->result = arena_str(&c->item->arena, buf_str(&b));
	return c->probe->result.ptr ? 0 : -ERR_NO_MEMORY;
}

static void decide(struct api_call_step *st, struct api_call *c, const struct call_answer *x, struct str why,
		   const struct value *result)
{
	auto_buf struct buf head = { .max = DECISION_HEAD_MAX };
	if (write_result(c, result) < 0 || write_head(c, x, why, &head) < 0) {
		undecided(st, c, STR("gave more than a decision may hold"));
		return;
	}
	struct ledger_row row = {
		.key = step_key(st->step, c->item, c->attempt),
		.kind = LEDGER_DECISION,
		.at = clock_wall(),
		.code = c->probe->said == CALL_PROBE_DONE ? DECISION_DONE : DECISION_AGAIN,
		.head = buf_str(&head),
		.body = c->probe->result,
	};
	api_call_move(st, c, API_CALL_DECIDING);
	step_record(st->step, c->item, &row, on_decision);
}

/* ---- on the wire ---- */

static void said_nothing(struct api_call_step *st, struct api_call *c, const struct call_answer *x, struct str why)
{
	const struct api_call_opts *o = step_opts(st->step);
	const struct call_probe *p = probe_of(st);
	struct call_judgement j;
	(void)call_judge_full(p->spec, p->result, x, &c->item->arena, &j);
	if (c->probe->sent >= p->attempts || j.wait_ms > o->max_wait) {
		const char *times = c->probe->sent == 1 ? "" : " at last";
		undecided(st, c, str_c(arena_printf(&c->item->arena, "%.*s%s", STR_ARG(why), times)));
		return;
	}
	msec_t wait = api_call_backoff(c->probe->sent);
	wait = wait > p->wait ? wait : p->wait;
	if (j.verdict == CALL_WAIT && j.wait_ms)
		api_call_pauses(st, x, &j);
	probe_waits(st, c, wait > j.wait_ms ? wait : j.wait_ms);
}

static void on_answer(void *arg, const struct http_response *r)
{
	struct api_call *c = arg;
	struct api_call_step *st = step_state(c->step);
	struct step_services *services = step_services(st->step);
	struct arena *a = &c->item->arena;
	struct call_answer x = { 0 };
	struct value result;
	struct str why = STR_NULL;
	auto_free char *body = NULL;
	c->transfer = NULL;
	api_call_slot_back(st, c);
	if (call_answer_from_response(r, services->secrets, a, &x, &body) < 0) {
		undecided(st, c, STR("gave an answer that does not fit into the item's memory"));
		return;
	}
	c->probe->said = call_probe_judge(probe_of(st), &x, a, &result, &why);
	if (c->probe->said == CALL_PROBE_SILENT)
		said_nothing(st, c, &x, why);
	else
		decide(st, c, &x, why, &result);
	api_call_pump(st);
}

void api_call_probe_send(struct api_call_step *st, struct api_call *c)
{
	struct step_services *services = step_services(st->step);
	const struct call_limits *l = &st->plan->limits;
	const struct call_request *q = &c->probe->request;
	struct err e = ERR_INIT;
	st->slots_used++;
	c->has_slot = true;
	c->probe->sent++;
	api_call_move(st, c, API_CALL_PROBING);
	struct http_request request = {
		.method = str_c(call_method_name(q->method)),
		.url = q->url,
		.headers = &q->headers,
		.connect_timeout = l->connect_timeout,
		.first_byte_timeout = l->first_byte_timeout,
		.total_timeout = call_total_timeout(l, q),
		.max_body = l->max_body < CALL_GATHERED_MAX ? l->max_body : CALL_GATHERED_MAX,
		.tls_no_verify = l->tls_no_verify,
		.http_version = l->http_version,
		.proxy = q->proxy,
		.fresh_connection = true, /* the call may have been lost with a kept one */
	};
	c->transfer = http_start(services->http, &request, on_answer, c, &e);
	if (c->transfer)
		return;
	api_call_slot_back(st, c);
	undecided_by(st, c, "could not be started", str_c(e.msg));
}
