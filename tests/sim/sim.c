/* SPDX-License-Identifier: Apache-2.0 */
/* Chance, time and the events of the world outside. */
#include "sim.h"

#include <stdarg.h>

struct sim sim;

/* splitmix64 (Steele, Lea, Flood 2014): any state is a good one. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint64_t engine_dice(void)
{
	return draw(&sim.dice_state);
}

msec_t sim_true_time(void)
{
	return 1795453200000 + (msec_t)(sim.now / 1000000);
}

/* Somebody sets it, or summer ends: it is not what timers go by. */
static msec_t wall(void)
{
	return sim_true_time() + sim.wall_shift;
}

static uint64_t mono(void)
{
	return sim.now;
}

void sim_reset(uint64_t seed, bool is_traced)
{
	sim_drop_events();
	sim = (struct sim){
		.seed = seed, .is_traced = is_traced, .now = SIM_SECOND, .digest = UINT64_C(14695981039346656037)
	};
	sim.world_state = seed;
	sim.dice_state = ~seed;
	clock_fake(wall, mono);
	dice_fake(engine_dice);
}

uint64_t sim_dice(uint64_t top)
{
	return draw(&sim.world_state) % (top + 1);
}

bool sim_is_calm(void)
{
	return sim.now > SIM_CALM_AFTER;
}

bool sim_happens(unsigned thousandths)
{
	return sim_dice(999) < thousandths && !sim_is_calm();
}

void sim_tell(const char *fmt, ...)
{
	char line[500];
	va_list args;
	int n = snprintf(line, sizeof(line), "%" PRIu64 ".%09" PRIu64 " ", sim.now / SIM_SECOND, sim.now % SIM_SECOND);
	va_start(args, fmt);
	(void)vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, args);
	va_end(args);
	for (const char *p = line; *p; p++)
		sim.digest = (sim.digest ^ (unsigned char)*p) * UINT64_C(1099511628211);
	sim.n_events++;
	if (sim.is_traced)
		(void)printf("%s\n", line);
}

void sim_fail(const char *fmt, ...)
{
	va_list args;
	(void)fflush(stdout);
	(void)fprintf(stderr, "seed %" PRIu64 ", %" PRIu64 ".%03" PRIu64 " s: ", sim.seed, sim.now / SIM_SECOND,
		      sim.now % SIM_SECOND / 1000000);
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fprintf(stderr, "\nagain: weir_sim --seed %" PRIu64 " --trace\n", sim.seed);
	exit(1);
}

/* ---- events: a heap by time, then by order of asking ---- */

struct event {
	uint64_t at, order;
	void (*fn)(void *arg);
	void *arg;
};

static struct event *events;
static size_t n_events, cap_events;
static uint64_t event_order;

static bool is_before(const struct event *a, const struct event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

void sim_after(uint64_t ns, void (*fn)(void *arg), void *arg)
{
	if (n_events == cap_events) {
		cap_events = cap_events ? 2 * cap_events : 256;
		events = realloc(events, cap_events * sizeof(*events));
		if (!events)
			abort();
	}
	struct event e = { .at = sim.now + ns, .order = ++event_order, .fn = fn, .arg = arg };
	size_t i = n_events++;
	for (; i > 0 && is_before(&e, &events[(i - 1) / 2]); i = (i - 1) / 2)
		events[i] = events[(i - 1) / 2];
	events[i] = e;
}

bool sim_next_event(uint64_t *ret_at)
{
	if (n_events)
		*ret_at = events[0].at;
	return n_events > 0;
}

void sim_do_event(void)
{
	struct event first = events[0], last = events[--n_events];
	size_t i = 0;
	for (;;) {
		size_t child = 2 * i + 1;
		if (child + 1 < n_events && is_before(&events[child + 1], &events[child]))
			child++;
		if (child >= n_events || !is_before(&events[child], &last))
			break;
		events[i] = events[child];
		i = child;
	}
	events[i] = last;
	first.fn(first.arg);
}

void sim_drop_events(void)
{
	while (n_events) /* whoever owns memory frees it there */
		sim_do_event();
	free(events);
	events = NULL;
	cap_events = 0;
}
