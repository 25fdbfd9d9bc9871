/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call out of the ledger: an outcome is judged again, not asked for again; an intent without outcome is repeated only
 * where repeating is harmless, or where a person has decided so.
 */
#include "step/api_call_int.h"

#include "base/json.h"

/* True when the item ends with that; else a probe is to be sent. */
static bool call_is_unknown(struct api_call_step *st, struct api_call *c, bool may_probe)
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
	if (may_probe && api_call_probe_wanted(st, c, &j))
		return false;
	api_call_judged(st, c, &j);
	return true;
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

/* A probe has decided, no person: it says what it has asked. */
static bool is_by_probe(struct api_call *c, const struct ledger_row *decision)
{
	struct value head = VALUE_NONE;
	(void)json_parse(&c->item->arena, decision->head, NULL, &head, NULL, NULL);
	return value_get_c(&head, "probe") != NULL;
}

static const struct ledger_row *decision_of_person(const struct api_call_step *st, struct api_call *c)
{
	const struct ledger_row *found = NULL;
	for (const struct ledger_row *row = c->item->recorded; row && row->kind; row++)
		if (row->kind == LEDGER_DECISION && row->key.step == step_plan(st->step)->index &&
		    (!found || row->key.attempt > found->key.attempt) && !is_by_probe(c, row))
			found = row;
	return found;
}

/* Attempts that ended without being killed: a restart neither gives new ones nor takes any. A person's decision does:
 * what was before it is done with. */
static uint32_t tries_recorded(const struct api_call_step *st, struct api_call *c)
{
	const struct ledger_row *decision = decision_of_person(st, c);
	uint32_t n = 0;
	for (const struct ledger_row *row = c->item->recorded; row && row->kind; row++)
		n += row->kind == LEDGER_OUTCOME && row->key.step == step_plan(st->step)->index &&
		     (!decision || row->key.attempt > decision->key.attempt);
	return n;
}

void api_call_decided_done(struct api_call_step *st, struct api_call *c, struct str result)
{
	const struct api_call_opts *o = step_opts(st->step);
	struct call_judgement j = { .verdict = CALL_OK, .result = value_null() };
	struct item *it = c->item;
	struct step *s = st->step;
	struct err e = ERR_INIT;
	if (!result.len && o->items.len) { /* it has become no items */
		api_call_leave(st, c);
		step_become(s, it);
	} else if (result.len && json_parse(&it->arena, result, NULL, &j.result, NULL, &e) < 0) {
		api_call_fails(st, c, "damaged_record", "The ledger's record of the decision cannot be read", &e);
	} else {
		api_call_judged(st, c, &j);
	}
}

/* A person, or a probe, has decided about the newest attempt. True when the call is over by that; else it is to be sent
 * again. */
static bool recall_decision(struct api_call_step *st, struct api_call *c, const struct ledger_row *decision)
{
	struct value head = VALUE_NONE;
	switch ((enum decision)decision->code) {
	case DECISION_DONE:
		api_call_decided_done(st, c, decision->body);
		return true;
	case DECISION_SKIP:
		api_call_judged(st, c, &(struct call_judgement){ .verdict = CALL_SKIPPED });
		return true;
	case DECISION_AGAIN:
		break;
	default: /* of a newer version: nothing is sent for what is not understood */
		return call_is_unknown(st, c, false);
	}
	if (step_is_replay(st->step))
		return false;
	if (is_by_probe(c, decision) && !api_call_probe_lets_go(st, c))
		return true;
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

/* As call_is_unknown(): nothing is sent, or a probe is. */
static bool key_is_gone(struct api_call_step *st, struct api_call *c, const struct call_judgement *last)
{
	struct call_judgement j = api_call_key_problem(st, c, last);
	if (j.verdict == CALL_UNKNOWN && api_call_probe_wanted(st, c, &j))
		return false;
	api_call_judged(st, c, &j);
	return true;
}

/* The newest attempt has no outcome: it was under way when the run was interrupted. */
static bool recall_intent(struct api_call_step *st, struct api_call *c, const struct ledger_row *intent)
{
	c->attempt = intent->key.attempt;
	if (!call_spec_is_repeatable(st->plan->spec))
		return call_is_unknown(st, c, true);
	if (api_call_key_is_gone(st, c, 0))
		return key_is_gone(st, c, NULL);
	if (step_is_replay(st->step))
		return not_recorded(st, c);
	c->attempt++;
	api_call_resumes(c, intent);
	return false;
}

static bool recall_outcome(struct api_call_step *st, struct api_call *c, const struct ledger_row *outcome)
{
	const struct api_call_opts *o = step_opts(st->step);
	struct call_judgement j;
	struct call_answer x;
	if (outcome->number) { /* another run's, to its end */
		api_call_takes(st, c, outcome);
		return true;
	}
	if (!recorded_answer(st, c, outcome, &x))
		return true;
	if (o->items.len && api_call_items_recalled(st, c, &x))
		return true;
	c->attempt = outcome->key.attempt;
	/* A redirect was answered, the hop after it was not even begun: the server has done nothing yet, so
	 * begin again. */
	bool in_hops = o->follow_redirects && x.error == HTTP_ERROR_NONE &&
		       call_redirect_is_followed(call_spec_method(st->plan->spec), x.status);
	(void)call_judge_full(st->plan->spec, st->plan->rule, &x, &c->item->arena, &j);
	if (!step_is_replay(st->step) && (in_hops || api_call_may_try_again(st, c, &j))) {
		if (c->doubt && !j.wants_new_key && api_call_key_is_gone(st, c, 0))
			return key_is_gone(st, c, &j);
		c->attempt++;
		c->wants_identity = x.error == HTTP_ERROR_BAD_ENCODING;
		api_call_resumes(c, outcome);
		if (j.wants_new_key)
			api_call_key_next(c);
		return false;
	}
	if (api_call_is_in_doubt(c, &j) && api_call_probe_wanted(st, c, &j))
		return false;
	api_call_judged(st, c, &j);
	return true;
}

bool api_call_recall(struct api_call_step *st, struct api_call *c)
{
	const struct ledger_row *outcome = step_recorded(st->step, c->item, LEDGER_OUTCOME);
	const struct ledger_row *intent = step_recorded(st->step, c->item, LEDGER_INTENT);
	const struct ledger_row *decision = step_recorded(st->step, c->item, LEDGER_DECISION);
	c->tries = tries_recorded(st, c);
	api_call_key_recall(st, c, decision);
	if (decision && !is_newer(intent, decision) && !is_newer(outcome, decision))
		return recall_decision(st, c, decision) || not_recorded(st, c);
	if (is_newer(intent, outcome))
		return recall_intent(st, c, intent);
	return outcome ? recall_outcome(st, c, outcome) : not_recorded(st, c);
}
