/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The idempotency key of a call, and how long it is worth something. A system forgets keys; what is repeated after that
 * is a second call to it. So the age of a key counts from its first intent, which the ledger holds: a run that is
 * resumed days later knows it. Beside the age it takes the doubt: a call of which nothing can have come, like one that
 * was never sent, needs no key to be sent again.
 */
#include "step/api_call_int.h"

#include "base/clock.h"
#include "base/json.h"

#define CLOCK_BACK_MAX                                                                                                 \
	60000 /* ms that the clock may have been set back between two processes; beyond, no age is believed */

struct str step_idempotency_key(const struct run_row *row, size_t step, uint64_t seq, struct arena *a)
{
	return str_c(arena_printf(a, "weir-%016llx-%llx-%zx-%llx", (unsigned long long)row->seed,
				  (unsigned long long)row->id, step, (unsigned long long)seq));
}

struct str api_call_key(const struct api_call_step *st, const struct api_call *c)
{
	struct arena *a = &c->item->arena;
	if (!call_spec_wants_key(st->plan->spec))
		return STR_NULL;
	struct str key = step_idempotency_key(step_row(st->step), step_plan(st->step)->index, c->item->seq, a);
	return key.ptr && c->key_number ? str_c(arena_printf(a, "%.*s-%x", STR_ARG(key), c->key_number)) : key;
}

void api_call_key_is_used(struct api_call *c, msec_t at)
{
	if (c->key_since)
		return;
	c->key_since = at;
	c->key_since_ns = clock_mono_ns();
}

bool api_call_key_is_gone(const struct api_call_step *st, const struct api_call *c, msec_t later)
{
	if (!c->key_since || !call_spec_rests_on_key(st->plan->spec) || step_is_replay(st->step))
		return false;
	msec_t age = clock_wall() - c->key_since, here = 0;
	if (c->key_since_ns)
		here = (msec_t)((clock_mono_ns() - c->key_since_ns) / 1000000);
	if (age < -CLOCK_BACK_MAX)
		return true;
	age = age > here ? age : here;
	return age + later >= call_spec_key_lifetime(st->plan->spec);
}

/* What such an answer would leave open if no key had been sent. */
static enum api_call_doubt doubt_of(const struct api_call_step *st, const struct call_answer *x)
{
	struct call_answer unkeyed = *x;
	struct call_judgement j;
	struct arena scratch;
	unkeyed.is_key_gone = true;
	arena_init(&scratch, ITEM_MAX_BYTES);
	(void)call_judge_full(st->plan->spec, st->plan->rule, &unkeyed, &scratch, &j);
	arena_done(&scratch);
	if (j.verdict == CALL_UNKNOWN)
		return API_CALL_MAY_BE_DONE;
	return j.retryable ? API_CALL_NO_DOUBT : API_CALL_REFUSED;
}

void api_call_key_answered(const struct api_call_step *st, struct api_call *c, const struct call_answer *x)
{
	if (!call_spec_rests_on_key(st->plan->spec))
		return;
	enum api_call_doubt doubt = doubt_of(st, x);
	c->doubt = doubt > c->doubt ? doubt : c->doubt;
}

void api_call_key_next(struct api_call *c)
{
	c->key_number++;
	c->key_since = 0;
	c->key_since_ns = 0;
	c->doubt = API_CALL_NO_DOUBT; /* what the system gives again is how all under the old key has ended */
}

int api_call_key_renew(const struct api_call_step *st, struct api_call *c)
{
	api_call_key_next(c);
	struct str key = api_call_key(st, c);
	return key.ptr ? call_request_set_key(&c->first, st->plan->spec, key, &c->item->arena) : -ERR_NO_MEMORY;
}

void api_call_key_failed(const struct api_call_step *st, const struct api_call *c)
{
	if (!c->key_since || c->doubt != API_CALL_MAY_BE_DONE || !call_spec_rests_on_key(st->plan->spec) ||
	    step_is_replay(st->step))
		return;
	const struct ledger_row row = {
		.key = step_key(st->step, c->item, c->attempt),
		.kind = LEDGER_DOUBT,
		.at = c->key_since,
		.number = c->key_number,
	};
	step_record(st->step, c->item, &row, NULL);
}

/* ---- out of the ledger ---- */

/* The first attempt of a call has the first key, and says nothing of it. */
static uint32_t key_number_of(struct api_call *c, const struct ledger_row *intent)
{
	struct value request = VALUE_NONE;
	if (intent->key.attempt <= 1 || json_parse(&c->item->arena, intent->head, NULL, &request, NULL, NULL) < 0)
		return 0;
	return call_again_take(&request).key_number;
}

static const struct ledger_row *outcome_of(const struct api_call *c, const struct ledger_row *intent)
{
	for (const struct ledger_row *row = c->item->recorded; row && row->kind; row++)
		if (row->kind == LEDGER_OUTCOME && row->key.step == intent->key.step &&
		    row->key.attempt == intent->key.attempt)
			return row;
	return NULL;
}

static void recall_doubt(const struct api_call_step *st, struct api_call *c, const struct ledger_row *intent)
{
	const struct ledger_row *row = outcome_of(c, intent);
	struct call_answer x;
	struct err e = ERR_INIT;
	if (row && call_answer_read(row->head, row->code, row->body, &c->item->arena, &x, &e) == 0)
		api_call_key_answered(st, c, &x);
	else
		c->doubt = API_CALL_MAY_BE_DONE;
}

/* Of the key that counts: the newest, and since when. What was known of an older one is void. */
static void recall_age(struct api_call *c, uint32_t number, msec_t at)
{
	if (number > c->key_number) {
		c->key_number = number;
		c->key_since = 0;
		c->doubt = API_CALL_NO_DOUBT;
	}
	if (number == c->key_number && (!c->key_since || at < c->key_since))
		c->key_since = at;
}

/* Where a retry has dropped the attempts themselves, what matters of them stands in rows of its own. */
static void recall_dropped(struct api_call *c, const struct ledger_row *row, const struct ledger_row *decision)
{
	recall_age(c, (uint32_t)row->number, row->at);
	if ((uint32_t)row->number == c->key_number && (!decision || row->key.attempt > decision->key.attempt))
		c->doubt = API_CALL_MAY_BE_DONE;
}

void api_call_key_recall(const struct api_call_step *st, struct api_call *c, const struct ledger_row *decision)
{
	if (!call_spec_rests_on_key(st->plan->spec))
		return;
	for (const struct ledger_row *row = c->item->recorded; row && row->kind; row++) {
		if (row->key.step != step_plan(st->step)->index)
			continue;
		if (row->kind == LEDGER_DOUBT)
			recall_dropped(c, row, decision);
		if (row->kind != LEDGER_INTENT)
			continue;
		uint32_t number = key_number_of(c, row);
		recall_age(c, number, row->at);
		if (number == c->key_number && (!decision || row->key.attempt > decision->key.attempt))
			recall_doubt(st, c, row);
	}
}

/* ---- the end ---- */

struct call_judgement api_call_key_problem(const struct api_call_step *st, const struct api_call *c,
					   const struct call_judgement *last)
{
	struct arena *a = &c->item->arena;
	struct call_judgement j = { .verdict = c->doubt == API_CALL_MAY_BE_DONE ? CALL_UNKNOWN : CALL_FAILED };
	if (last && j.verdict == CALL_FAILED) /* answered: without a key that is an end like any other */
		return *last;
	const char *why =
	    j.verdict == CALL_UNKNOWN ? "the call may have been made" : "the call was answered with an error";
	char *detail =
	    arena_printf(a,
			 "step \"%.*s\": %.*s: %s, and the system knows an idempotency key for %.*s only, which "
			 "are over since it was first sent; it must not be repeated by itself",
			 STR_ARG(step_plan(st->step)->name), STR_ARG(call_spec_summary(st->plan->spec, a)), why,
			 STR_ARG(call_duration_text(a, call_spec_key_lifetime(st->plan->spec))));
	j.problem = call_problem(a, "key_expired", "The idempotency key is too old", str_c(detail), 0);
	return j;
}

void api_call_key_expired(struct api_call_step *st, struct api_call *c, const struct call_judgement *last)
{
	struct call_judgement j = api_call_key_problem(st, c, last);
	if (j.verdict == CALL_UNKNOWN)
		api_call_is_unknown(st, c, &j);
	else
		api_call_judged(st, c, &j);
}
