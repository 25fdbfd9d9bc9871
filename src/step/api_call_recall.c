/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call out of the ledger: an outcome is judged again, not asked for again; an intent without outcome is repeated only
 * where repeating is harmless, or where a person has decided so.
 */
#include "step/api_call_int.h"

#include "base/json.h"

static void call_is_unknown(struct api_call_step *st, struct api_call *c)
{
	struct arena *a = &c->item->arena;
	struct str detail =
	    str_c(arena_printf(a,
			       "step \"%.*s\": the call was about to be sent when the run was interrupted, and whether "
			       "it arrived is not known; "
			       "%.*s must not be repeated by itself",
			       STR_ARG(step_plan(st->step)->name), STR_ARG(call_spec_summary(st->plan->spec, a))));
	struct call_judgement j = {
		.verdict = CALL_UNKNOWN,
		.problem = call_problem(a, "unknown_outcome", "Nobody knows whether the call was made", detail, 0),
	};
	api_call_judged(st, c, &j);
}

static bool recorded_answer(struct api_call_step *st, struct api_call *c, const struct ledger_row *row,
			    struct call_answer *x)
{
	struct err e = ERR_INIT;
	if (call_answer_read(row->head, row->code, row->body, &c->item->arena, x, &e) == 0)
		return true;
	api_call_fails(st, c, "damaged_record", "The ledger's record of the answer cannot be read", &e);
	return false;
}

/* Attempts that ended without being killed: a restart neither gives new ones nor takes any. A person's decision does:
 * what was before it is done with. */
static uint32_t tries_recorded(const struct api_call_step *st, const struct api_call *c,
			       const struct ledger_row *decision)
{
	uint32_t n = 0;
	for (const struct ledger_row *row = c->item->recorded; row && row->kind; row++)
		n += row->kind == LEDGER_OUTCOME && row->key.step == step_plan(st->step)->index &&
		     (!decision || row->key.attempt > decision->key.attempt);
	return n;
}

/* It happened: the item goes on with the result that the person gave, as if it had been answered. */
static void decided_done(struct api_call_step *st, struct api_call *c, const struct ledger_row *decision)
{
	const struct api_call_opts *o = step_opts(st->step);
	struct call_judgement j = { .verdict = CALL_OK, .result = value_null() };
	struct item *it = c->item;
	struct step *s = st->step;
	struct err e = ERR_INIT;
	if (!decision->body.len && o->items.len) { /* it has become no items */
		api_call_leave(st, c);
		step_become(s, it);
	} else if (decision->body.len && json_parse(&it->arena, decision->body, NULL, &j.result, NULL, &e) < 0) {
		api_call_fails(st, c, "damaged_record", "The ledger's record of the decision cannot be read", &e);
	} else {
		api_call_judged(st, c, &j);
	}
}

/* A person has decided about the newest attempt. True when the call is over by that; else it is to be sent again. */
static bool recall_decision(struct api_call_step *st, struct api_call *c, const struct ledger_row *decision)
{
	struct value head = VALUE_NONE;
	switch ((enum decision)decision->code) {
	case DECISION_DONE:
		decided_done(st, c, decision);
		return true;
	case DECISION_SKIP:
		api_call_judged(st, c, &(struct call_judgement){ .verdict = CALL_SKIPPED });
		return true;
	case DECISION_AGAIN:
		break;
	default: /* of a newer version: nothing is sent for what is not understood */
		call_is_unknown(st, c);
		return true;
	}
	if (step_is_replay(st->step))
		return false;
	(void)json_parse(&c->item->arena, decision->head, NULL, &head, NULL, NULL);
	const struct value *by = value_get_c(&head, "by");
	c->attempt = decision->key.attempt + 1;
	api_call_is_decided(c, decision, value_is(by, VALUE_STRING) ? value_text(by) : STR_NULL);
	return false;
}

static bool not_recorded(struct api_call_step *st, struct api_call *c)
{
	struct err e = ERR_INIT;
	if (!step_is_replay(st->step))
		return false;
	struct str made = c->request.masked.ptr ? call_request_summary(&c->request, &c->item->arena) : STR_NULL;
	if (made.len)
		err_set(&e, ERR_NOT_FOUND, "the ledger holds no answer for %.*s", STR_ARG(str_clip(made, 800)));
	else
		err_set(&e, ERR_NOT_FOUND, "the ledger holds no answer for this call");
	api_call_fails(st, c, "not_recorded", "The answer is not recorded", &e);
	return true;
}

static bool is_newer(const struct ledger_row *row, const struct ledger_row *than)
{
	return row && (!than || row->key.attempt > than->key.attempt);
}

void api_call_takes(struct api_call_step *st, struct api_call *c, const struct ledger_row *outcome)
{
	const struct api_call_opts *o = step_opts(st->step);
	struct call_judgement j;
	struct call_answer x;
	if (!recorded_answer(st, c, outcome, &x) || (o->items.len && api_call_items_recalled(st, c, &x)))
		return;
	(void)call_judge_full(st->plan->spec, st->plan->rule, &x, &c->item->arena, &j);
	api_call_judged(st, c, &j);
}

bool api_call_recall(struct api_call_step *st, struct api_call *c)
{
	const struct api_call_opts *o = step_opts(st->step);
	const struct ledger_row *outcome = step_recorded(st->step, c->item, LEDGER_OUTCOME);
	const struct ledger_row *intent = step_recorded(st->step, c->item, LEDGER_INTENT);
	struct call_answer x;
	const struct ledger_row *decision = step_recorded(st->step, c->item, LEDGER_DECISION);
	bool is_open = is_newer(intent, outcome);
	bool is_repeatable = call_spec_is_repeatable(st->plan->spec);
	c->tries = tries_recorded(st, c, decision);
	if (decision && !is_newer(intent, decision) && !is_newer(outcome, decision))
		return recall_decision(st, c, decision) || not_recorded(st, c);
	if (is_open && !is_repeatable) {
		call_is_unknown(st, c);
		return true;
	}
	if (is_open && !step_is_replay(st->step)) {
		c->attempt = intent->key.attempt + 1;
		api_call_resumes(c, intent);
		return false;
	}
	if (outcome && !is_open && outcome->number) { /* another run's, to its end */
		api_call_takes(st, c, outcome);
		return true;
	}
	if (outcome && !is_open) {
		if (!recorded_answer(st, c, outcome, &x))
			return true;
		if (o->items.len && api_call_items_recalled(st, c, &x))
			return true;
		c->attempt = outcome->key.attempt + 1;
		/* A redirect was answered, the hop after it was not even begun: the server has done nothing yet, so
		 * begin again. */
		bool in_hops = o->follow_redirects && x.error == HTTP_ERROR_NONE &&
			       call_redirect_is_followed(call_spec_method(st->plan->spec), x.status);
		struct call_judgement j;
		(void)call_judge_full(st->plan->spec, st->plan->rule, &x, &c->item->arena, &j);
		if (!step_is_replay(st->step) && (in_hops || api_call_may_try_again(st, c, &j))) {
			c->wants_identity = x.error == HTTP_ERROR_BAD_ENCODING;
			api_call_resumes(c, outcome);
			return false;
		}
		api_call_judged(st, c, &j);
		return true;
	}
	return not_recorded(st, c);
}
