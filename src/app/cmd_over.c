/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would be sent: a changed file over yesterday's ledger (weir run FILE --over ID), and a run that stops at each
 * item's first call (--plan). Nothing is sent and nothing is kept.
 */
#include "app/cassettes.h"

#include "app/source.h"
#include "base/clock.h"

#include <string.h>

#define STRETCH 64  /* items compared at once */
#define SHOWN_MAX 3 /* differences, or requests, shown of one step */

/* What is told of one step, or of all outputs. */
struct tally {
	struct str step;
	uint64_t same, changed, new, gone;
	unsigned shown;
	struct buf text;
};

struct over {
	struct app app;
	const char *id;
	struct recalled run;
	struct plan *plan;
	struct tally calls[STEPS_MAX], entries, outputs, problems;
	size_t n_calls;
	const struct cassette *now; /* of the stretch that is compared */
	uint64_t items, would_send;
	struct err e;
};

static struct tally *tally_of(struct over *x, const struct cassette_finding *f)
{
	if (f->kind == CASSETTE_ENTRY)
		return &x->entries;
	if (f->kind == CASSETTE_OUTPUT)
		return &x->outputs;
	if (f->kind == CASSETTE_PROBLEM)
		return &x->problems;
	for (size_t i = 0; i < x->n_calls; i++)
		if (str_eq(x->calls[i].step, f->step))
			return &x->calls[i];
	if (x->n_calls == STEPS_MAX)
		return &x->calls[STEPS_MAX - 1];
	x->calls[x->n_calls].step = arena_str(&x->run.arena, f->step);
	return &x->calls[x->n_calls++];
}

static void tally_add(struct tally *t, const struct cassette_finding *f)
{
	t->same += f->verdict == CASSETTE_SAME;
	t->changed += f->verdict == CASSETTE_CHANGED;
	t->new += f->verdict == CASSETTE_NEW;
	t->gone += f->verdict == CASSETTE_GONE;
	if (f->verdict == CASSETTE_SAME || t->shown++ >= SHOWN_MAX)
		return;
	t->text.max = 1u << 20;
	finding_write(&t->text, f);
}

static bool ends_at_call(const struct cassette_finding *f)
{
	return f->kind == CASSETTE_PROBLEM && value_is_string(value_get_c(f->now, "type"), STR("would_be_sent"));
}

/* Does the item end, now, at a call that would be sent? What stood behind it is not gone, nobody has come there. */
static bool item_ends_at_call(const struct over *x, uint64_t item)
{
	for (size_t i = 0; i < x->now->n; i++) {
		const struct cassette_line *l = &x->now->lines[i];
		if (l->item == item &&
		    value_is_string(value_get_c(value_get_c(&l->v, "problem"), "type"), STR("would_be_sent")))
			return true;
	}
	return false;
}

static void on_finding(void *arg, const struct cassette_finding *f)
{
	struct over *x = arg;
	if (ends_at_call(f))
		x->would_send++;
	else if (f->verdict != CASSETTE_GONE || !item_ends_at_call(x, f->item))
		tally_add(tally_of(x, f), f);
}

static void tally_print(struct tally *t, struct str name)
{
	static const char *const words[] = { "the same", "changed", "new", "no longer there" };
	const uint64_t counts[] = { t->same, t->changed, t->new, t->gone };
	bool any = false;
	printf("  %.*s: ", STR_ARG(name));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if (counts[i]) {
			printf("%s%llu %s", any ? ", " : "", (unsigned long long)counts[i], words[i]);
			any = true;
		}
	printf("%s\n", any ? "" : "none");
	struct str rest = buf_str(&t->text);
	while (rest.len) {
		struct str line = str_split(&rest, '\n');
		printf("    %.*s\n", STR_ARG(line));
	}
	if (t->shown > SHOWN_MAX)
		printf("    (%u more)\n", t->shown - SHOWN_MAX);
	buf_done(&t->text);
}

/* How many items there were. */
static uint64_t stretch_compare(struct over *x, uint64_t from, uint64_t to)
{
	struct cassette tape, then, now;
	struct cassette_play play = { .loop = x->app.loop, .scripts = x->app.services.scripts, .plan = x->run.plan };
	uint64_t items = 0;
	cassette_init(&tape);
	cassette_init(&then);
	cassette_init(&now);
	if (cassette_record(&tape, x->app.loop, x->app.store, &x->run.row, x->run.plan, from, to, &items, &x->e) == 0 &&
	    items && cassette_play(&tape, &play, &then, &x->e) == 0 && cassette_update(&tape, &then) == 0) {
		play.plan = x->plan;
		play.stops_at_changes = true;
		x->now = &now;
		if (cassette_play(&tape, &play, &now, &x->e) == 0)
			(void)cassette_compare(&tape, &now, false, on_finding, x);
	}
	x->items += items;
	cassette_done(&now);
	cassette_done(&then);
	cassette_done(&tape);
	return x->e.code ? 0 : items;
}

static void over_print(struct over *x)
{
	printf("requests\n");
	for (size_t i = 0; i < x->n_calls; i++)
		tally_print(&x->calls[i], x->calls[i].step);
	tally_print(&x->entries, STR("entries"));
	tally_print(&x->outputs, STR("outputs"));
	tally_print(&x->problems, STR("problems"));
	printf("%llu items of run %s, %llu of them end at a call that would be sent; nothing was sent\n",
	       (unsigned long long)x->items, x->id, (unsigned long long)x->would_send);
}

/* The changed file, for the environment of the run. */
static int changed_load(struct over *x, const char *file)
{
	struct str dataflow;
	if (!x->app.flags.env)
		x->app.env.env = x->run.row.env;
	struct component *k = app_component(&x->app, file, &dataflow);
	x->plan = k ? app_plan(&x->app, k, dataflow.len ? dataflow : x->run.row.dataflow) : NULL;
	component_unref(k);
	return x->plan ? EXIT_OK : app_refusal(EXIT_INVALID);
}

int cmd_run_over(int argc, char **argv)
{
	struct over x = { 0 };
	const struct flag flags[] = { { .name = "over", .value = &x.id }, { .name = NULL } };
	int first, code = EXIT_USAGE;
	if (app_flags_parse(app_command("run"), argc, argv, &x.app.flags, flags, &first))
		code = first + 1 == argc
			   ? app_open(&x.app, true)
			   : app_usage(app_command("run"),
				       "--over wants the changed file, as in `weir run weather.yaml --over 17`");
	if (code == EXIT_OK)
		code = recalled_open(&x.run, &x.app, x.id);
	if (code == EXIT_OK)
		code = changed_load(&x, argv[first]);
	for (uint64_t at = 0; code == EXIT_OK && stretch_compare(&x, at, at + STRETCH - 1) > 0;)
		at += STRETCH;
	if (x.e.code) {
		app_say("%s", x.e.msg);
		code = app_refusal(EXIT_RUN_FAILED);
	}
	if (code == EXIT_OK)
		over_print(&x);
	plan_unref(x.plan);
	recalled_close(&x.run);
	app_close(&x.app);
	return code;
}

/* ---- the plan of a run ---- */

/* All of the source on a cassette that has no answers. */
static int input_take(struct app *a, const struct run_source *source, struct cassette *c, struct err *e)
{
	struct json_options opt = { .copy = true, .max_bytes = RUN_LINE_MAX };
	uint64_t item = 0;
	for (enum source_verdict v = SOURCE_MORE; v == SOURCE_MORE;) {
		auto_buf struct buf lines = { .max = RUN_LINE_MAX + (1u << 20) };
		uint32_t count = 0;
		v = source->read(source->arg, &lines, 1u << 16, &count, e);
		if (v == SOURCE_LATER)
			return err_set(e, ERR_STATE, "a plan wants its items from a file");
		for (struct str rest = buf_str(&lines); count > 0; count--) {
			struct cassette_line l = { .kind = CASSETTE_INPUT, .item = item++, .v = value_object() };
			struct value input;
			if (item > CASSETTE_MAX_ITEMS)
				return err_set(e, ERR_LIMIT, "a plan takes up to %d items", CASSETTE_MAX_ITEMS);
			if (json_parse(&c->arena, str_split(&rest, '\n'), &opt, &input, NULL, e) < 0 ||
			    value_set(&c->arena, &l.v, STR("input"), input) < 0 || !cassette_add(c, &l))
				return e->code ? e->code : err_set(e, ERR_NO_MEMORY, "out of memory");
		}
	}
	return e->code;
}

static void request_print(const struct cassette_line *l)
{
	const struct value *request = value_get_c(&l->v, "request"), *body = value_get_c(request, "body");
	const struct value *method = value_get_c(request, "method"), *url = value_get_c(request, "url");
	auto_buf struct buf b = { .max = 1u << 26 };
	if (value_is(method, VALUE_STRING) && value_is(url, VALUE_STRING))
		printf("    item %llu: %.*s %.*s\n", (unsigned long long)l->item, STR_ARG(value_text(method)),
		       STR_ARG(value_text(url)));
	for (uint32_t i = 0; value_is(body, VALUE_OBJECT) && i < body->len && i < 1; i++) {
		(void)json_write(&b, &body->members[i].value, JSON_COMPACT);
		printf("      %.*s%s\n", STR_ARG(str_clip(buf_str(&b), 400)), b.len > 400 ? "..." : "");
	}
}

static bool is_call(const struct plan_step *s)
{
	return strcmp(s->kind->name, "execute_api_call") == 0;
}

static void step_print(const struct plan_step *s, const struct cassette *now)
{
	auto_arena struct arena a = { 0 };
	uint64_t n = 0;
	arena_init(&a, 0);
	for (size_t i = 0; i < now->n; i++)
		n += now->lines[i].kind == CASSETTE_CALL && str_eq(now->lines[i].step, s->name);
	struct str detail = s->kind->detail ? s->kind->detail(s, &a) : STR_NULL,
		   promise = s->kind->promise ? s->kind->promise(s, &a) : STR_NULL;
	printf("%.*s: %.*s, %llu request%s", STR_ARG(s->name), STR_ARG(detail), (unsigned long long)n,
	       n == 1 ? "" : "s");
	printf(promise.len ? " (%.*s)\n" : "%.*s\n", STR_ARG(promise));
	for (size_t i = 0, shown = 0; i < now->n && shown < SHOWN_MAX; i++)
		if (now->lines[i].kind == CASSETTE_CALL && str_eq(now->lines[i].step, s->name)) {
			request_print(&now->lines[i]);
			shown++;
		}
	if (!n)
		printf("    not known before the calls in front of it are answered, or no item comes here\n");
}

static void plan_print(const struct plan *plan, const struct cassette *now)
{
	uint64_t done = 0, failed = 0, at_call = 0;
	for (size_t i = 0; i < plan->n_steps; i++)
		if (is_call(&plan->steps[i]))
			step_print(&plan->steps[i], now);
	for (size_t i = 0; i < now->n; i++) {
		const struct cassette_line *l = &now->lines[i];
		const struct value *problem = value_get_c(&l->v, "problem");
		bool is_sent = value_is_string(value_get_c(problem, "type"), STR("would_be_sent"));
		done += l->kind == CASSETTE_OUTPUT;
		at_call += is_sent;
		failed += l->kind == CASSETTE_PROBLEM && !is_sent;
		if (l->kind == CASSETTE_PROBLEM && !is_sent && failed <= SHOWN_MAX &&
		    value_is(value_get_c(problem, "detail"), VALUE_STRING))
			printf("item %llu fails: %.*s\n", (unsigned long long)l->item,
			       STR_ARG(value_text(value_get_c(problem, "detail"))));
	}
	printf("%llu items would send, %llu fail before, %llu need no call; nothing was sent\n",
	       (unsigned long long)at_call, (unsigned long long)failed, (unsigned long long)done);
}

/* The calls of a recorded run, and what its scripts took for the time and for chance, under the items that are to come.
 */
static int recorded_take(struct over *x, struct cassette *tape, struct err *e)
{
	uint64_t items = 0;
	size_t n = 0;
	if (cassette_record(tape, x->app.loop, x->app.store, &x->run.row, x->run.plan, 0, CASSETTE_MAX_ITEMS, &items,
			    e) < 0)
		return e->code;
	for (size_t i = 0; i < tape->n; i++)
		if (tape->lines[i].kind == CASSETTE_CALL)
			tape->lines[n++] = tape->lines[i];
	tape->n = n;
	return 0;
}

/* Calls of items that are not there this time are no part of the comparison. */
static void calls_without_items_drop(struct cassette *tape)
{
	size_t n = 0;
	uint64_t items = 0;
	for (size_t i = 0; i < tape->n; i++)
		items += tape->lines[i].kind == CASSETTE_INPUT;
	for (size_t i = 0; i < tape->n; i++)
		if (tape->lines[i].item < items)
			tape->lines[n++] = tape->lines[i];
	tape->n = n;
	cassette_sort(tape);
}

static void on_call(void *arg, const struct cassette_finding *f)
{
	struct over *x = arg;
	if (f->kind == CASSETTE_CALL)
		on_finding(x, f);
}

static void diff_print(struct over *x, const struct cassette *tape, const struct cassette *now)
{
	x->now = now;
	(void)cassette_compare(tape, now, false, on_call, x);
	printf("beside run %s\n", x->id);
	for (size_t i = 0; i < x->n_calls; i++)
		tally_print(&x->calls[i], x->calls[i].step);
}

static int plan_show(struct over *x, const struct run_source *source, struct cassette *tape, struct cassette *now,
		     struct err *e)
{
	struct cassette_play play = {
		.loop = x->app.loop, .scripts = x->app.services.scripts, .plan = x->plan, .stops_at_changes = true
	};
	tape->now = clock_wall();
	tape->run = 1;
	if (x->id && recorded_take(x, tape, e) < 0)
		return e->code;
	tape->component = x->plan->component->name;
	tape->dataflow = x->plan->dataflow->name;
	tape->env = x->plan->env;
	if (input_take(&x->app, source, tape, e) < 0)
		return e->code;
	calls_without_items_drop(tape);
	if (cassette_play(tape, &play, now, e) < 0)
		return e->code;
	plan_print(x->plan, now);
	if (x->id)
		diff_print(x, tape, now);
	return 0;
}

int app_run_plan(struct app *a, struct plan *plan, const struct run_source *source, const char *diff)
{
	struct over x = { .app = *a, .plan = plan, .id = diff };
	struct cassette tape, now;
	struct err e = ERR_INIT;
	int code = diff ? recalled_open(&x.run, a, diff) : EXIT_OK;
	cassette_init(&tape);
	cassette_init(&now);
	if (code == EXIT_OK && plan_show(&x, source, &tape, &now, &e) < 0) {
		app_say("%s", e.msg);
		code = app_refusal(EXIT_INVALID);
	}
	cassette_done(&now);
	cassette_done(&tape);
	recalled_close(&x.run);
	return code;
}
