/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of a run that was prepared (docs/internals/ledger.md). What was shown is sent as it was shown or not at all; a
 * call that another run has had answered takes that answer, into the ledger of its own run first.
 */
#include "step/api_call_int.h"

static bool is_here(const struct api_call_step *st, const struct ledger_row *row, enum ledger_kind kind)
{
	return row->kind == kind && row->key.step == step_plan(st->step)->index;
}

static const struct ledger_row *find(const struct api_call_step *st, const struct api_call *c, enum ledger_kind kind,
				     uint32_t attempt)
{
	for (const struct ledger_row *row = c->item->recorded; row && row->kind; row++)
		if (is_here(st, row, kind) && row->key.attempt == attempt)
			return row;
	return NULL;
}

bool api_call_is_offered(const struct api_call_step *st, const struct api_call *c)
{
	return !step_is_replay(st->step) && find(st, c, LEDGER_OFFERED, 1) && !find(st, c, LEDGER_INTENT, 1);
}

static void copy(struct api_call_step *st, struct api_call *c, const struct ledger_row *row, enum ledger_kind kind)
{
	struct ledger_row own = *row;
	own.kind = kind;
	own.key = step_key(st->step, c->item, row->key.attempt);
	if (kind == LEDGER_INTENT)
		own.code = 0;
	step_record(st->step, c->item, &own, NULL);
}

/*
 * The newest answer first and the first intent last: a process that is killed in between leaves an answer that stands,
 * and a call whose first intent is missing, which is taken over once more. Never an intent without its outcome: nothing
 * is sent here, and nobody shall have to find out.
 */
static void take_over(struct api_call_step *st, struct api_call *c)
{
	const struct ledger_row *newest = step_recorded(st->step, c->item, LEDGER_OFFERED), *row;
	for (uint32_t k = newest->key.attempt; k >= 1; k--)
		if ((row = find(st, c, LEDGER_OFFERED, k)))
			copy(st, c, row, LEDGER_OUTCOME);
	for (uint32_t k = newest->key.attempt; k >= 1; k--)
		if ((row = find(st, c, LEDGER_PLANNED, k)))
			copy(st, c, row, LEDGER_INTENT);
	api_call_takes(st, c, newest);
}

bool api_call_planned(struct api_call_step *st, struct api_call *c)
{
	const struct ledger_row *planned = find(st, c, LEDGER_PLANNED, 1);
	struct err e = ERR_INIT;
	if (!planned)
		return false;
	struct str now = str_clip(call_request_summary(&c->request, &c->item->arena), 800);
	bool is_same = str_eq(planned->head, c->request.masked);
	if (planned->code == PLANNED_HELD) {
		err_set(&e, ERR_STATE,
			"%.*s is not sent: run %lld has a call of this item of which nobody knows whether it was made; "
			"decide there first (weir runs decide), then prepare again",
			STR_ARG(now), (long long)planned->number);
		api_call_fails(st, c, "undecided", "Another run's call has an unknown outcome", &e);
		return true;
	}
	if (planned->code == PLANNED_SHOWN && !is_same) {
		err_set(&e, ERR_STATE,
			"%.*s is not sent: it is not the request that was shown; look again, a script may not give the "
			"same "
			"thing twice",
			STR_ARG(now));
		api_call_fails(st, c, "not_as_planned", "The request is not the one that was shown", &e);
		return true;
	}
	if (!is_same || !find(st, c, LEDGER_OFFERED, 1) || find(st, c, LEDGER_INTENT, 1))
		return false;
	take_over(st, c);
	return true;
}
