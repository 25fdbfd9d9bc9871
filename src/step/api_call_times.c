/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger is told of an attempt beside request and answer: why it was made, and how long it stood here. */
#include "step/api_call_int.h"

#include "base/clock.h"

#define REST_MIN_NS 1000000u /* timers count in ms: less is their grain, and belongs to the queue */

/* The step's rest up to `now`, the running one included. */
static uint64_t rested_until(const struct api_call_step *st, uint64_t now)
{
	return st->rested_ns + (st->rest_since_ns ? now - st->rest_since_ns : 0);
}

void api_call_rest_begins(struct api_call_step *st, const struct call_answer *x, const struct call_judgement *j)
{
	size_t n = j->wait_source.len < sizeof(st->rest_header) ? j->wait_source.len : sizeof(st->rest_header);
	if (!st->rest_since_ns)
		st->rest_since_ns = clock_mono_ns();
	/* The source may live in the arena of an item that leaves before the rest is over. */
	if (n)
		memcpy(st->rest_header, j->wait_source.ptr, n);
	st->rest =
	    (struct call_rest){ .status = x->status, .header = str_from(st->rest_header, n), .asked = j->wait_ms };
}

void api_call_rest_ends(struct api_call_step *st)
{
	st->rested_ns = rested_until(st, clock_mono_ns());
	st->rest_since_ns = 0;
}

void api_call_is_ready(const struct api_call_step *st, struct api_call *c)
{
	uint64_t now = clock_mono_ns();
	c->ready_ns = now;
	c->rested_ns = rested_until(st, now);
	if (c->ended_ns)
		c->again.wait_us = (now - c->ended_ns) / 1000;
}

void api_call_again(struct api_call *c, enum call_why why)
{
	c->again = (struct call_again){ .why = why };
}

void api_call_again_after(struct api_call *c, const struct call_judgement *j, msec_t wait)
{
	bool is_asked = j->wait_ms > 0 && wait <= j->wait_ms;
	api_call_again(c, is_asked ? CALL_WHY_ASKED : CALL_WHY_BACK_OFF);
	if (is_asked) {
		c->again.header = j->wait_source;
		c->again.asked = j->wait_ms;
	}
}

void api_call_resumes(struct api_call *c, const struct ledger_row *last)
{
	msec_t since = clock_wall() - last->at;
	api_call_again(c, CALL_WHY_RESUMED);
	/* By the wall clock, which may have been set back: the monotonic one does not outlive a process. */
	c->again.wait_us = since > 0 ? (uint64_t)since * 1000 : 0;
}

void api_call_is_decided(struct api_call *c, const struct ledger_row *decision, struct str by)
{
	api_call_resumes(c, decision);
	c->again.why = CALL_WHY_DECIDED;
	c->again.by = by;
}

void api_call_goes_out(const struct api_call_step *st, struct api_call *c)
{
	c->sent_ns = clock_mono_ns();
	c->rested_ns = rested_until(st, c->sent_ns) - c->rested_ns;
	if (c->rested_ns < REST_MIN_NS)
		c->rested_ns = 0;
	c->rest = c->rested_ns ? call_rest_value(&st->rest, &c->item->arena) : VALUE_NONE;
}

void api_call_has_ended(struct api_call *c, struct call_answer *x)
{
	struct arena *a = &c->item->arena;
	c->ended_ns = clock_mono_ns();
	if (x->timings.kind != VALUE_OBJECT)
		return;
	/* An attempt that broke off before anything was sent may come without marks; that it took time is seen here. */
	if (!value_get_c(&x->timings, "total"))
		(void)value_add(a, &x->timings, STR("total"), call_msec_value(a, (c->ended_ns - c->sent_ns) / 1000));
	uint64_t queue = c->sent_ns - c->ready_ns - c->rested_ns;
	(void)value_add(a, &x->timings, STR("queue"), call_msec_value(a, queue / 1000));
	if (!c->rested_ns)
		return;
	(void)value_add(a, &x->timings, STR("limiter"), call_msec_value(a, c->rested_ns / 1000));
	x->rest = c->rest;
}

struct str api_call_intent(const struct api_call *c, struct buf *scratch)
{
	if (c->again.why == CALL_WHY_FIRST)
		return c->request.masked;
	buf_clear(scratch);
	/* A request as long as the buffer may be goes without its reason rather than not at all. */
	return call_again_write(&c->again, c->request.masked, scratch) == 0 ? buf_str(scratch) : c->request.masked;
}
