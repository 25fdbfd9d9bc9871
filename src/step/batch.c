/* SPDX-License-Identifier: Apache-2.0 */
#include "step/batch.h"

#include "base/alloc.h"

#include "call/call.h"

#include <stdlib.h>

struct round_trip {
	struct list link;
	struct batch *batch;
	struct script_job *job;
	struct item *items[SCRIPT_BATCH_MAX];
	size_t n;
};

struct batch {
	struct step *step;
	struct script_program *program;
	batch_done *done;
	struct list gathered;
	size_t n_gathered;
	struct list trips;
	size_t n_trips;
};

struct batch *batch_new(struct step *s, struct script_program *program, batch_done *done)
{
	struct batch *b = alloc_calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	*b = (struct batch){ .step = s, .program = script_program_ref(program), .done = done };
	list_init(&b->gathered);
	list_init(&b->trips);
	return b;
}

void batch_free(struct batch *b)
{
	if (!b)
		return;
	LIST_FOREACH (node, &b->trips) {
		struct round_trip *t = LIST_ENTRY(node, struct round_trip, link);
		script_cancel(t->job);
		list_remove(&t->link);
		free(t);
	}
	LIST_FOREACH (node, &b->gathered)
		list_remove(node);
	script_program_unref(b->program);
	free(b);
}

void batch_fail_item(struct step *s, struct item *it, const struct script_result *result)
{
	struct str detail = arena_str(&it->arena, result->detail); /* names the step, line and column */
	struct value problem =
	    call_problem(&it->arena, script_error_name(result->error), "The script failed", detail, 0);
	/* What a script throws on purpose is written for the person who gave the data. */
	if (result->error == SCRIPT_THREW && problem.kind == VALUE_OBJECT)
		(void)value_set(&it->arena, &problem, STR("message"),
				value_string(arena_str(&it->arena, result->message)));
	step_fail(s, it, problem, ITEM_FAILED);
}

static void on_trip(void *arg, const struct script_result *results, size_t n)
{
	struct round_trip *t = arg;
	struct batch *b = t->batch;
	list_remove(&t->link);
	b->n_trips--;
	for (size_t i = 0; i < n; i++)
		b->done(b->step, t->items[i], &results[i]);
	free(t);
	batch_flush(b);
}

static struct round_trip *trip_fill(struct batch *b, struct script_item *inputs)
{
	struct round_trip *t = alloc_calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->batch = b;
	while (t->n < SCRIPT_BATCH_MAX && !list_is_empty(&b->gathered)) {
		struct item *it = LIST_ENTRY(list_first(&b->gathered), struct item, link);
		list_remove(&it->link);
		b->n_gathered--;
		inputs[t->n] = (struct script_item){ .input = &it->root, .arena = &it->arena, .number = it->seq };
		t->items[t->n++] = it;
	}
	return t;
}

static void trip_start(struct batch *b)
{
	struct script_item inputs[SCRIPT_BATCH_MAX];
	struct step_services *services = step_services(b->step);
	const struct run_row *row = step_row(b->step);
	struct script_realm realm = { .id = (uint64_t)row->id, .now = row->now, .seed = row->seed };
	struct err e = ERR_INIT;
	struct round_trip *t = trip_fill(b, inputs);
	if (t)
		t->job = script_run(services->scripts, b->program, &realm, inputs, t->n, on_trip, t, &e);
	if (t && t->job) {
		list_add_last(&b->trips, &t->link);
		b->n_trips++;
		return;
	}
	struct script_result refused = { .error = SCRIPT_UNAVAILABLE,
					 .detail = str_c(e.code ? e.msg : "out of memory") };
	for (size_t i = 0; t && i < t->n; i++)
		b->done(b->step, t->items[i], &refused);
	if (!t) { /* one at least, so that nobody waits for ever */
		struct item *it = LIST_ENTRY(list_first(&b->gathered), struct item, link);
		list_remove(&it->link);
		b->n_gathered--;
		b->done(b->step, it, &refused);
	}
	free(t);
}

void batch_add(struct batch *b, struct item *it)
{
	list_remove(&it->link);
	list_add_last(&b->gathered, &it->link);
	b->n_gathered++;
	if (b->n_gathered >= SCRIPT_BATCH_MAX && b->n_trips < BATCH_JOBS_MAX)
		trip_start(b);
}

void batch_stop(struct batch *b, void (*drop)(struct step *s, struct item *it))
{
	while (!list_is_empty(&b->gathered)) {
		struct item *it = LIST_ENTRY(list_first(&b->gathered), struct item, link);
		list_remove(&it->link);
		b->n_gathered--;
		drop(b->step, it);
	}
}

void batch_flush(struct batch *b)
{
	while (b->n_gathered && b->n_trips < BATCH_JOBS_MAX) {
		size_t before = b->n_gathered;
		trip_start(b);
		if (b->n_gathered == before)
			return;
	}
}
