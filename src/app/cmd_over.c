/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A changed file over yesterday's ledger (weir run FILE --over ID): what would be sent, and what would come out.
 * Nothing is sent and nothing is kept, unless it is asked for by --send, and then only what was not answered yesterday.
 */
#include "app/sending.h"

#include "app/source.h"

#include <string.h>

#define STRETCH 64  /* items compared at once */
#define SHOWN_MAX 3 /* differences shown of one step */

/* What is told of one step, or of all outputs. */
struct tally {
	struct str step;
	uint64_t same, changed, new, gone;
	unsigned shown;
	struct buf text;
};

struct over {
	struct app app;
	const char *id, *send, *format, *output, *window;
	bool yes, all;
	FILE *to;
	bool is_json;
	struct told_json json;
	struct sending sending;
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

static void tally_add(const struct over *x, struct tally *t, const struct cassette_finding *f)
{
	t->same += f->verdict == CASSETTE_SAME;
	t->changed += f->verdict == CASSETTE_CHANGED;
	t->new += f->verdict == CASSETTE_NEW;
	t->gone += f->verdict == CASSETTE_GONE;
	if (f->verdict == CASSETTE_SAME || (t->shown++ >= SHOWN_MAX && !x->all))
		return;
	t->text.max = x->all ? (size_t)CASSETTE_MAX_BYTES : 1u << 20;
	finding_write(&t->text, f);
}

static bool is_at_call(const struct cassette_finding *f)
{
	return f->kind == CASSETTE_PROBLEM && value_is_string(value_get_c(f->now, "type"), STR("would_be_sent"));
}

bool is_would_be_sent(const struct cassette_line *l)
{
	return value_is_string(value_get_c(value_get_c(&l->v, "problem"), "type"), STR("would_be_sent"));
}

/* What stood behind such a call is not gone: nobody has come there. */
bool ends_at_call(const struct cassette *now, uint64_t item)
{
	for (size_t i = 0; i < now->n; i++)
		if (now->lines[i].item == item && is_would_be_sent(&now->lines[i]))
			return true;
	return false;
}

/* ---- for machines ---- */

void told_json_write(struct told_json *j, const struct value *v)
{
	auto_buf struct buf b = { .max = 4 * (size_t)CASSETTE_MAX_BYTES };
	(void)json_write(&b, v, JSON_COMPACT);
	fprintf(j->to, "%s%.*s%s",
		!j->is_array ? ""
		: j->n	     ? ",\n"
			     : "[\n",
		STR_ARG(buf_str(&b)), j->is_array ? "" : "\n");
	j->n++;
}

void told_json_end(struct told_json *j)
{
	if (j->is_array)
		fprintf(j->to, "%s]\n", j->n ? "\n" : "[");
}

struct differences {
	struct arena *a;
	struct value list;
};

static void on_difference(void *arg, struct str pointer, const struct value *recorded, const struct value *now)
{
	struct differences *d = arg;
	struct value one = value_object();
	(void)value_set(d->a, &one, STR("pointer"), value_string_copy(d->a, pointer));
	if (recorded)
		(void)value_set(d->a, &one, STR("recorded"), *recorded);
	if (now)
		(void)value_set(d->a, &one, STR("now"), *now);
	(void)value_push(d->a, &d->list, one);
}

struct value differences_value(struct arena *a, const struct value *recorded, const struct value *now)
{
	struct differences d = { .a = a, .list = value_array() };
	(void)cassette_diff(recorded, now, on_difference, &d);
	return d.list;
}

static void finding_tell(struct over *x, const struct cassette_finding *f)
{
	static const char *const kinds[] = { [CASSETTE_CALL] = "request",
					     [CASSETTE_ENTRY] = "entry",
					     [CASSETTE_OUTPUT] = "output",
					     [CASSETTE_PROBLEM] = "problem" };
	static const char *const verdicts[] = { "same", "changed", "new", "gone" };
	auto_arena struct arena a = { 0 };
	struct value v = value_object();
	arena_init(&a, 0);
	(void)value_set(&a, &v, STR("item"), value_int(&a, (int64_t)f->item));
	(void)value_set(&a, &v, STR("kind"), value_string(str_c(kinds[f->kind])));
	if (f->kind != CASSETTE_OUTPUT)
		(void)value_set(&a, &v, STR("step"), value_string(f->step));
	(void)value_set(&a, &v, STR("verdict"), value_string(str_c(verdicts[f->verdict])));
	if (f->recorded && f->verdict != CASSETTE_SAME)
		(void)value_set(&a, &v, STR("recorded"), *f->recorded);
	if (f->now && f->verdict != CASSETTE_SAME)
		(void)value_set(&a, &v, STR("now"), *f->now);
	if (f->verdict == CASSETTE_CHANGED)
		(void)value_set(&a, &v, STR("differences"), differences_value(&a, f->recorded, f->now));
	told_json_write(&x->json, &v);
}

static void on_finding(void *arg, const struct cassette_finding *f)
{
	struct over *x = arg;
	if (is_at_call(f))
		x->would_send++;
	else if (f->verdict == CASSETTE_GONE && ends_at_call(x->now, f->item))
		return;
	else if (x->is_json)
		finding_tell(x, f);
	else
		tally_add(x, tally_of(x, f), f);
}

/* ---- for people ---- */

static void tally_print(const struct over *x, struct tally *t, struct str name)
{
	static const char *const words[] = { "the same", "changed", "new", "no longer there" };
	const uint64_t counts[] = { t->same, t->changed, t->new, t->gone };
	bool any = false;
	fprintf(x->to, "  %.*s: ", STR_ARG(name));
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if (counts[i]) {
			fprintf(x->to, "%s%llu %s", any ? ", " : "", (unsigned long long)counts[i], words[i]);
			any = true;
		}
	fprintf(x->to, "%s\n", any ? "" : "none");
	struct str rest = buf_str(&t->text);
	while (rest.len) {
		struct str line = str_split(&rest, '\n');
		fprintf(x->to, "    %.*s\n", STR_ARG(line));
	}
	if (t->shown > SHOWN_MAX && !x->all)
		fprintf(x->to, "    (%u more; --all shows them)\n", t->shown - SHOWN_MAX);
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
	    items && cassette_play(&tape, &play, &then, &x->e) == 0 && cassette_complete(&tape, &then) == 0) {
		play.plan = x->plan;
		play.stops_at_changes = true;
		if (x->send) {
			play.on_request = sending_on_request;
			play.arg = &x->sending;
		}
		x->now = &now;
		if (cassette_play(&tape, &play, &now, &x->e) == 0)
			(void)cassette_compare(&tape, &now, false, on_finding, x);
		if (x->send)
			sending_stretch(&x->sending, &tape);
	}
	x->items += items;
	cassette_done(&now);
	cassette_done(&then);
	cassette_done(&tape);
	return x->e.code ? 0 : items;
}

static void over_print(struct over *x)
{
	fprintf(x->to, "requests\n");
	for (size_t i = 0; i < x->n_calls; i++)
		tally_print(x, &x->calls[i], x->calls[i].step);
	tally_print(x, &x->entries, STR("entries"));
	tally_print(x, &x->outputs, STR("outputs"));
	tally_print(x, &x->problems, STR("problems"));
	fprintf(x->to, "%llu items of run %s, %llu of them end at a call that would be sent%s\n",
		(unsigned long long)x->items, x->id, (unsigned long long)x->would_send,
		x->send ? "" : "; nothing was sent");
}

static void over_end(struct over *x)
{
	auto_arena struct arena a = { 0 };
	struct value v = value_object(), summary = value_object();
	if (!x->is_json) {
		over_print(x);
		return;
	}
	arena_init(&a, 0);
	(void)value_set(&a, &summary, STR("over"), value_int(&a, x->run.row.id));
	(void)value_set(&a, &summary, STR("items"), value_int(&a, (int64_t)x->items));
	(void)value_set(&a, &summary, STR("would_send"), value_int(&a, (int64_t)x->would_send));
	(void)value_set(&a, &v, STR("summary"), summary);
	told_json_write(&x->json, &v);
	told_json_end(&x->json);
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

static int over_send(struct over *x, int64_t *ret_run)
{
	struct sending *s = &x->sending;
	bool goes = false;
	s->donor = &x->run;
	s->shown_as = x->run.row;
	int code = sending_choose(s);
	if (code == EXIT_OK)
		code = sending_prepare(s, x->yes, &goes);
	*ret_run = goes ? s->id : 0;
	return code;
}

static int args_check(struct over *x, int argc, char **argv, int first)
{
	enum item_format format = FORMAT_NDJSON;
	const struct command *c = app_command("run");
	if (first + 1 != argc)
		return app_usage(c, "--over wants the changed file, as in `weir run weather.yaml --over 17`");
	if (!x->send && (x->yes || x->output || x->window))
		return app_usage(c, "--yes, -o and --window go with --send: without it nothing is sent");
	if (!x->send && x->format && (!format_parse(x->format, &format) || format == FORMAT_CSV))
		return app_usage(c, "--format %s: what differs is written as json or ndjson", x->format);
	x->to = x->send ? stderr : stdout; /* where a run follows, stdout is its items' */
	x->is_json = !x->send && x->format;
	x->json = (struct told_json){ .to = x->to, .is_array = format == FORMAT_JSON };
	return !x->send || sending_may_ask(x->yes) ? EXIT_OK : EXIT_USAGE;
}

/* A run that is under way may be answered meanwhile; what it was asked is then asked twice. */
static int donor_check(const struct over *x)
{
	if (!x->send || x->run.row.state != RUN_RUNNING)
		return EXIT_OK;
	app_say("run %s has not ended: go on with it first (weir run --resume %s), then send what differs", x->id,
		x->id);
	return EXIT_INVALID;
}

static int over_go(struct over *x, const char *file, int64_t *ret_run)
{
	int code = recalled_open(&x->run, &x->app, x->id);
	if (code == EXIT_OK)
		code = donor_check(x);
	if (code == EXIT_OK)
		code = changed_load(x, file);
	if (code != EXIT_OK)
		return code;
	sending_init(&x->sending, &x->app, x->plan, x->send);
	for (uint64_t at = 0; stretch_compare(x, at, at + STRETCH - 1) > 0;)
		at += STRETCH;
	if (x->e.code) {
		app_say("%s", x->e.msg);
		return app_refusal(EXIT_RUN_FAILED);
	}
	over_end(x);
	return x->send ? over_send(x, ret_run) : EXIT_OK;
}

int cmd_run_over(int argc, char **argv)
{
	struct over x = { 0 };
	const struct flag flags[] = {
		{ .name = "over", .value = &x.id },
		{ .name = "send", .value = &x.send },
		{ .name = "yes", .present = &x.yes },
		{ .name = "all", .present = &x.all },
		{ .name = "output", .letter = 'o', .value = &x.output },
		{ .name = "format", .value = &x.format },
		{ .name = "window", .value = &x.window },
		{ .name = NULL },
	};
	int first, code = EXIT_USAGE;
	int64_t run = 0;
	if (app_flags_parse(app_command("run"), argc, argv, &x.app.flags, flags, &first))
		code = args_check(&x, argc, argv, first);
	x.all |= x.app.flags.verbose;
	if (code == EXIT_OK)
		code = app_open(&x.app, true);
	if (code == EXIT_OK)
		code = over_go(&x, argv[first], &run);
	struct app_flags kept = x.app.flags;
	sending_done(&x.sending);
	plan_unref(x.plan);
	recalled_close(&x.run);
	app_close(&x.app);
	return run ? app_run_prepared(&kept, run, x.output, x.format, x.window) : code;
}
