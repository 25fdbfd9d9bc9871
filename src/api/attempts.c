/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of one item out of its ledger rows: each attempt with request, answer, reason, times and judgement. */
#include "api/views.h"

#include "base/json.h"
#include "step/steps.h"

#define CLIP_BYTES 65536

/* ---- what is known of an attempt ---- */

static const struct plan_step *step_of(const struct plan *p, const struct ledger_row *row)
{
	return row->key.step < p->n_steps ? &p->steps[row->key.step] : NULL;
}

/* Judged again: the same answer, the same judgement. */
static void attempt_judge(const struct plan_step *s, const struct ledger_row *outcome, struct arena *a,
			  struct call_attempt *x)
{
	struct arena scratch; /* answers may be large, and all that is wanted of them is a word */
	struct call_judgement j;
	arena_init(&scratch, 0);
	if (s && step_judge_recorded(s, outcome, &scratch, &j)) {
		x->verdict = str_c(call_verdict_name(j.verdict));
		x->rule = j.rule.len ? arena_str(a, j.rule) : STR_NULL;
	}
	arena_done(&scratch);
}

static void attempt_add_outcome(const struct plan_step *s, const struct ledger_row *outcome, struct arena *a,
				struct call_attempt *x)
{
	struct value head = view_json(a, outcome->head);
	const struct value *error = value_get_c(&head, "error");
	x->has_outcome = true;
	x->status = outcome->code;
	if (value_is(error, VALUE_STRING) && !value_is_string(error, STR("none")))
		x->error = value_text(error);
	x->phases = call_phases_of(value_get_c(&head, "timings"));
	x->has_rest = call_rest_read(value_get_c(&head, "rest"), &x->rest);
	attempt_judge(s, outcome, a, x);
}

/* An attempt follows another of the same step: one is why the other was made. */
static void attempts_link(struct item_attempt *before, struct item_attempt *next)
{
	const struct value *url = value_get_c(&before->request, "url");
	next->x.status_before = before->x.status;
	next->x.error_before = before->x.error;
	next->x.url_before = value_is(url, VALUE_STRING) ? value_text(url) : STR_NULL;
	if (next->x.again.why == CALL_WHY_REDIRECT) {
		before->x.verdict = STR("redirect");
		before->x.rule = STR_NULL;
	}
}

static const struct ledger_row *outcome_of(const struct ledger_row *rows, size_t n, const struct ledger_row *intent)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == LEDGER_OUTCOME && rows[i].key.step == intent->key.step &&
		    rows[i].key.attempt == intent->key.attempt)
			return &rows[i];
	return NULL;
}

size_t view_attempts(struct arena *a, const struct plan *p, const struct ledger_row *rows, size_t n,
		     struct item_attempt **ret)
{
	size_t found = 0;
	struct item_attempt *list = n ? arena_alloc(a, n * sizeof(*list)) : NULL;
	*ret = list;
	for (size_t i = 0; list && i < n; i++) {
		if (rows[i].kind != LEDGER_INTENT)
			continue;
		struct item_attempt *x = &list[found++];
		*x = (struct item_attempt){ .step = step_of(p, &rows[i]), .intent = &rows[i] };
		x->outcome = outcome_of(rows, n, &rows[i]);
		x->request = view_json(a, rows[i].head);
		x->x.number = rows[i].key.attempt;
		x->x.again = call_again_take(&x->request);
		if (x->outcome)
			attempt_add_outcome(x->step, x->outcome, a, &x->x);
		if (found > 1 && list[found - 2].intent->key.step == rows[i].key.step)
			attempts_link(&list[found - 2], x);
	}
	return found;
}

/* ---- as JSON ---- */

static struct value view_answer(struct arena *a, const struct ledger_row *row, const struct value *head)
{
	struct value v = value_object();
	size_t clip = row->body.len < CLIP_BYTES ? row->body.len : CLIP_BYTES, bad = 0;
	struct str body = str_from(row->body.ptr, clip);
	if (!str_is_utf8(body, &bad))
		body.len = bad; /* the rest is not text: the page says how long it is */
	view_set_int(a, &v, "status", row->code);
	view_set(a, &v, "headers", view_member(a, head, "headers"));
	view_set(a, &v, "body", value_string_copy(a, body));
	view_set_int(a, &v, "body_bytes", (int64_t)row->body.len);
	view_set(a, &v, "clipped", value_bool(body.len < row->body.len));
	if (value_get_c(head, "file")) { /* { file, name, bytes }: the body is there, not here */
		const struct value *bytes = value_get_c(value_get_c(head, "file"), "bytes");
		view_set(a, &v, "file", view_member(a, head, "file"));
		view_set(a, &v, "body_bytes", bytes ? *bytes : value_null());
	}
	return v;
}

static void call_add_outcome(struct arena *a, struct value *call, const struct item_attempt *x)
{
	const struct ledger_row *row = x->outcome;
	struct value head = view_json(a, row->head);
	const struct value *error = value_get_c(&head, "error");
	bool has_error = value_is(error, VALUE_STRING) && !value_is_string(error, STR("none"));
	view_set_str(a, call, "state", str_c(row->code && !has_error ? "answered" : "no answer"));
	view_set(a, call, "outcome_at", view_time(a, row->at));
	view_set(a, call, "answer", row->code ? view_answer(a, row, &head) : value_null());
	view_set(a, call, "timings_ms", view_member(a, &head, "timings"));
	if (has_error) {
		struct value problem = value_object();
		view_set(a, &problem, "type", *error);
		view_set(a, &problem, "detail", view_member(a, &head, "detail"));
		view_set(a, call, "problem", problem);
	}
}

/* What an attempt is made of in time, and why it was made at all. */
static struct value view_again(struct arena *a, const struct call_attempt *x)
{
	struct value v = value_object();
	if (x->again.why == CALL_WHY_FIRST)
		return value_null();
	view_set_str(a, &v, "why", str_c(call_why_name(x->again.why)));
	view_set_str(a, &v, "text", call_attempt_why(x, a));
	view_set(a, &v, "wait_ms", call_msec_value(a, x->again.wait_us));
	view_set_str(a, &v, "header", x->again.header);
	view_set(a, &v, "asked_ms", x->again.asked ? value_int(a, x->again.asked) : value_null());
	view_set(a, &v, "status", x->status_before ? value_int(a, x->status_before) : value_null());
	view_set_str(a, &v, "error", x->error_before);
	if (x->again.why == CALL_WHY_DECIDED)
		view_set_str(a, &v, "by", x->again.by);
	view_set_str(a, &v, "from", x->again.why == CALL_WHY_REDIRECT ? x->url_before : STR_NULL);
	return v;
}

static struct value view_phases(struct arena *a, const struct call_phases *phases)
{
	struct value v = value_object();
	for (size_t i = 0; i < CALL_PHASE_COUNT; i++)
		if (phases->us[i])
			view_set(a, &v, call_phase_name((enum call_phase)i), call_msec_value(a, phases->us[i]));
	return v;
}

static struct value view_rest(struct arena *a, const struct call_attempt *x)
{
	struct value v = value_object();
	if (!x->has_rest)
		return value_null();
	view_set_str(a, &v, "text", call_attempt_rest(x, a));
	view_set_int(a, &v, "status", x->rest.status);
	view_set_str(a, &v, "header", x->rest.header);
	view_set_int(a, &v, "asked_ms", x->rest.asked);
	return v;
}

static void call_add_times(struct arena *a, struct value *call, const struct item_attempt *it)
{
	const struct call_attempt *x = &it->x;
	msec_t wire = (msec_t)(x->phases.wire_us / 1000);
	bool is_known = x->phases.connection != CALL_CONNECTION_UNKNOWN;
	view_set(a, call, "sent_at", x->has_outcome ? view_time(a, it->outcome->at - wire) : value_null());
	view_set(a, call, "again", view_again(a, x));
	view_set(a, call, "phases_ms", x->has_outcome ? view_phases(a, &x->phases) : value_null());
	view_set(a, call, "rest", view_rest(a, x));
	view_set(a, call, "reused",
		 is_known ? value_bool(x->phases.connection == CALL_CONNECTION_REUSED) : value_null());
	view_set_str(a, call, "verdict", x->verdict);
	view_set_str(a, call, "rule", x->rule);
}

static struct value call_of_intent(struct arena *a, const struct item_attempt *x)
{
	const struct ledger_row *row = x->intent;
	struct value v = value_object(), request = x->request;
	view_set_str(a, &v, "step", x->step ? x->step->name : STR_NULL);
	view_set_int(a, &v, "attempt", row->key.attempt);
	if (row->number) /* asked and answered there */
		view_set_str(a, &v, "from_run", str_c(arena_printf(a, "%lld", (long long)row->number)));
	view_set_str(a, &v, "state", STR("unknown outcome"));
	view_set(a, &v, "intent_at", view_time(a, row->at));
	view_set(a, &v, "outcome_at", value_null());
	/* A binary body is kept as its size alone, { bytes: n }, or as the file that it is. */
	struct value file = view_member(a, &request, "body");
	const struct value *bytes = value_get_c(&file, "bytes");
	if (value_get_c(&file, "file"))
		view_set(a, &request, "file", file);
	if (bytes)
		view_set(a, &request, "body",
			 value_string(str_c(arena_printf(a, "(%.*s bytes)", STR_ARG(value_text(bytes))))));
	view_set(a, &v, "request", request);
	view_set(a, &v, "answer", value_null());
	view_set(a, &v, "timings_ms", value_null());
	view_set(a, &v, "problem", value_null());
	return v;
}

struct value view_calls(struct arena *a, const struct plan *p, const struct ledger_row *rows, size_t n)
{
	struct value calls = value_array();
	struct item_attempt *list;
	size_t found = view_attempts(a, p, rows, n, &list);
	for (size_t i = 0; i < found; i++) {
		struct value call = call_of_intent(a, &list[i]);
		call_add_times(a, &call, &list[i]);
		if (list[i].outcome)
			call_add_outcome(a, &call, &list[i]);
		(void)value_push(a, &calls, call);
	}
	return calls;
}
