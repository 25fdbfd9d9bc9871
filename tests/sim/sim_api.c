/* SPDX-License-Identifier: Apache-2.0 */
/* An API that acts, refuses, answers late or twice, honours keys, and lists. It outlives all processes. */
#include "sim.h"

#include <time.h>

static uint64_t act(struct sim_wire *w, struct seen *s)
{
	bool is_known = sim.steps[w->step].method == METHOD_POST_KEYED && s->effects && strcmp(s->key, w->key) == 0;
	if (!is_known) {
		s->effects++;
		s->effect_id = ++sim.next_effect;
		sim_tell("api step %u item %u: acts, %" PRIu64, w->step, w->item, s->effect_id);
	}
	return s->effect_id;
}

void sim_list_write(struct buf *b, unsigned step, unsigned item)
{
	unsigned at, n;
	sim_list(step, item, &at, &n);
	(void)buf_append_c(b, ",\"list\":[");
	for (unsigned i = 0; i < n; i++) {
		(void)buf_printf(b, "%s{\"n\":%u,\"pad\":\"", i ? "," : "", at + i);
		for (unsigned j = 0; j < sim.pad; j++)
			(void)buf_append_char(b, 'x');
		(void)buf_append_c(b, "\"}");
	}
	(void)buf_append_char(b, ']');
}

/* In seconds, or as a moment by the clock of the API. */
static void say_when(struct sim_wire *w, unsigned seconds)
{
	time_t at = (time_t)(sim_true_time() / 1000) + (time_t)seconds;
	struct tm tm;
	*w->retry_after = '\0';
	if (seconds && sim_dice(2) == 0)
		(void)strftime(w->retry_after, sizeof(w->retry_after), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&at, &tm));
	else if (seconds)
		(void)snprintf(w->retry_after, sizeof(w->retry_after), "%u", seconds);
}

void sim_api_arrive(struct sim_wire *w)
{
	struct seen *s = &sim.seen[w->step][w->item];
	s->arrivals++;
	say_when(w, 0);
	buf_clear(&w->body);
	if (sim_happens(sim.weather.says_429)) {
		w->status = 429;
		say_when(w, (unsigned)sim_dice(30));
	} else if (sim_happens(sim.weather.says_503)) {
		w->status = 503;
		say_when(w, (unsigned)sim_dice(10));
	} else if (sim_happens(sim.weather.says_500)) {
		w->status = 500;
		if (sim_dice(1))
			(void)act(w, s);
	} else {
		w->status = 200;
		(void)buf_printf(&w->body, "{\"id\":%" PRIu64, act(w, s));
		if (sim.steps[w->step].kind == SIM_LIST)
			sim_list_write(&w->body, w->step, w->item);
		(void)buf_append_char(&w->body, '}');
		return;
	}
	(void)buf_append_c(&w->body, "{\"title\":\"not now\"}");
}

/* Of the whole world, when all messages have arrived. What a person wanted done again may have been. */
void sim_check_effects(void)
{
	for (unsigned k = 0; k < sim.n_steps; k++)
		for (unsigned i = 0; i < sim.n_items && sim_is_call(k); i++) {
			const struct seen *s = &sim.seen[k][i];
			unsigned most = 1 + (sim_is_plain(k) ? sim.saved[k][i].drops : 0);
			if ((sim_is_plain(k) || sim.steps[k].method == METHOD_POST_KEYED) && s->effects > most)
				sim_fail("step %u item %u acted %u times, sent %u times, wanted again %u times", k, i,
					 s->effects, s->sends, sim.saved[k][i].drops);
		}
}
