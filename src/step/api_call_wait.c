/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a call is tried again, when, and what the next try does otherwise; rests that an answer asks of all calls. */
#include "step/api_call_int.h"

#include "base/dice.h"

/* Another try does no harm, is still allowed, and does not have to wait longer than this run will. */
bool api_call_may_try_again(const struct api_call_step *st, const struct api_call *c, const struct call_judgement *j)
{
	const struct api_call_opts *o = step_opts(st->step);
	return j->retryable && c->tries < (uint32_t)o->attempts && (!j->most_tries || c->tries < j->most_tries) &&
	       j->wait_ms <= o->max_wait && !step_is_stopping(st->step);
}

/* Full jitter below base * 2^n: a crowd that failed together does not come back together. */
msec_t api_call_backoff(uint32_t tries)
{
	msec_t top = API_CALL_BACKOFF_BASE << (tries > 7 ? 7 : tries - 1);
	if (top > API_CALL_BACKOFF_CAP)
		top = API_CALL_BACKOFF_CAP;
	return (msec_t)dice_up_to((uint64_t)top);
}

void api_call_pause_over(struct loop_timer *t)
{
	struct api_call_step *st = CONTAINER_OF(t, struct api_call_step, pause);
	api_call_rest_ends(st);
	api_call_pump(st);
}

bool api_call_holds(struct api_call_step *st, msec_t wait)
{
	bool is_longer = !loop_timer_is_running(&st->pause) || st->pause.at < loop_now(step_loop(st->step)) + wait;
	return is_longer && loop_timer_start(&st->pause, wait) == 0;
}

/* To one system, with one credential: so one speaks for all. */
void api_call_pauses(struct api_call_step *st, const struct call_answer *x, const struct call_judgement *j)
{
	if (api_call_holds(st, j->wait_ms))
		api_call_rest_begins(st, x, j);
}

/* What the next try does otherwise: it may ask for no content coding, and may leave kept connections alone. */
static void learn_from(const struct api_call_step *st, struct api_call *c, const struct call_answer *x)
{
	bool was_wrong = x->status == 421 || x->status == 408; /* RFC 9110 15.5.20 and 15.5.9 */
	/* where one kept connection was dead the others may be, too; a session of HTTP/2 is gone with its connection */
	bool was_lost = st->plan->limits.http_version == HTTP_WISH_1_1 &&
			(x->error == HTTP_ERROR_CONNECTION_LOST || x->error == HTTP_ERROR_SEND_FAILED);
	c->wants_fresh = was_wrong || was_lost;
	if (x->error == HTTP_ERROR_BAD_ENCODING && !c->wants_identity)
		c->wants_identity = call_request_ask_identity(&c->first, &c->item->arena) == 0;
}

void api_call_waits(struct api_call_step *st, struct api_call *c, const struct call_answer *x,
		    const struct call_judgement *j)
{
	msec_t wait = api_call_backoff(c->tries);
	learn_from(st, c, x);
	if (wait < j->wait_ms)
		wait = j->wait_ms;
	if (j->verdict == CALL_WAIT && j->wait_ms)
		api_call_pauses(st, x, j);
	if (c->doubt && !j->wants_new_key && api_call_key_is_gone(st, c, wait)) {
		api_call_key_expired(st, c, j);
		return;
	}
	c->attempt++;
	api_call_again_after(c, j, wait);
	if (x->error == HTTP_ERROR_BAD_ENCODING && c->wants_identity)
		c->again.why = CALL_WHY_IDENTITY;
	if (j->wants_new_key) {
		c->again.why = CALL_WHY_NEW_KEY;
		if (api_call_key_renew(st, c) < 0) {
			api_call_judged(st, c, j);
			return;
		}
	}
	api_call_move(st, c, API_CALL_BACKOFF);
	if (loop_timer_start(&c->timer, wait) < 0)
		api_call_on_timer(&c->timer);
}
