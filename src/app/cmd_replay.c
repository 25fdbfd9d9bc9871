/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir run --replay ID: a recorded run once more, from the ledger alone. In stretches, so that memory does not grow
 * with the run; each is played twice, with another window, since a script that keeps something from item to item gives
 * itself away when they come otherwise.
 */
#include "app/cassettes.h"

#include "app/source.h"

#include <string.h>

#define STRETCH 64  /* items played at once */
#define TOLD_MAX 20 /* findings told of a run */

struct replay {
	struct app app;
	const char *id, *output, *format;
	struct recalled run;
	struct sink *sink;
	uint64_t items, same, wrong;
	struct err e;
};

static void tell(struct replay *x, const struct cassette_finding *f)
{
	struct buf b;
	if (x->wrong++ >= TOLD_MAX)
		return;
	buf_init(&b, 1u << 20);
	if (f->kind == CASSETTE_STEP)
		(void)buf_printf(&b, "not deterministic: item %llu, step %.*s gave one thing, then another\n",
				 (unsigned long long)f->item, STR_ARG(f->step));
	else
		finding_write(&b, f);
	if (f->kind == CASSETTE_STEP)
		(void)cassette_diff_write_as(&b, f->recorded, f->now, "  ", "first", "then");
	fprintf(stderr, "%.*s", STR_ARG(buf_str(&b)));
	buf_done(&b);
}

static void on_recorded(void *arg, const struct cassette_finding *f)
{
	struct replay *x = arg;
	if (f->kind != CASSETTE_CALL)
		return;
	if (f->verdict == CASSETTE_SAME)
		x->same++;
	else
		tell(x, f);
}

static void on_again(void *arg, const struct cassette_finding *f)
{
	if (f->verdict != CASSETTE_SAME)
		tell(arg, f);
}

static void outputs_write(struct replay *x, const struct cassette *played)
{
	for (size_t i = 0; i < played->n && !x->e.code; i++)
		if (played->lines[i].kind == CASSETTE_OUTPUT)
			(void)sink_write(x->sink, value_get_c(&played->lines[i].v, "output"), &x->e);
}

/* How many items there were. */
static uint64_t stretch_play(struct replay *x, uint64_t from, uint64_t to)
{
	struct cassette tape, first, second;
	struct cassette_play play = {
		.loop = x->app.loop, .scripts = x->app.services.scripts, .plan = x->run.plan, .with_steps = true
	};
	uint64_t items = 0;
	cassette_init(&tape);
	cassette_init(&first);
	cassette_init(&second);
	if (cassette_record(&tape, x->app.loop, x->app.store, &x->run.row, x->run.plan, from, to, &items, &x->e) == 0 &&
	    items && cassette_play(&tape, &play, &first, &x->e) == 0) {
		play.window = 1;
		if (cassette_play(&tape, &play, &second, &x->e) == 0) {
			(void)cassette_compare(&tape, &first, true, on_recorded, x);
			if (!cassette_compare_steps(&first, &second, on_again, x))
				(void)cassette_compare(&first, &second, true, on_again, x);
			outputs_write(x, &first);
		}
	}
	x->items += items;
	cassette_done(&second);
	cassette_done(&first);
	cassette_done(&tape);
	return x->e.code ? 0 : items;
}

static int replay_run(struct replay *x)
{
	enum item_format format = FORMAT_NDJSON;
	int code = recalled_open(&x->run, &x->app, x->id);
	if (code != EXIT_OK)
		return code;
	if (x->output && strcmp(x->output, "-") != 0 && !format_of_file(x->output, &format))
		format = FORMAT_NDJSON;
	if (x->format && !format_parse(x->format, &format))
		return app_usage(app_command("run"), "--format %s: write json, ndjson or csv", x->format);
	x->sink = sink_open(x->output, format, &x->e);
	for (uint64_t at = 0; x->sink && stretch_play(x, at, at + STRETCH - 1) > 0;)
		at += STRETCH;
	if (x->sink && !x->e.code)
		(void)sink_finish(x->sink, &x->e);
	if (x->e.code) {
		app_say("%s", x->e.msg);
		return app_refusal(EXIT_RUN_FAILED);
	}
	if (x->wrong > TOLD_MAX)
		fprintf(stderr, "%llu more differences are not shown\n", (unsigned long long)(x->wrong - TOLD_MAX));
	if (!x->app.flags.quiet)
		fprintf(stderr,
			"run %s replayed: %llu items, %llu requests the same, %llu differences; nothing was sent\n",
			x->id, (unsigned long long)x->items, (unsigned long long)x->same, (unsigned long long)x->wrong);
	return x->wrong ? EXIT_RUN_FAILED : EXIT_OK;
}

int cmd_run_replay(int argc, char **argv)
{
	struct replay x = { 0 };
	const struct flag flags[] = {
		{ .name = "replay", .value = &x.id },
		{ .name = "output", .letter = 'o', .value = &x.output },
		{ .name = "format", .value = &x.format },
		{ .name = NULL },
	};
	int first, code = EXIT_USAGE;
	if (app_flags_parse(app_command("run"), argc, argv, &x.app.flags, flags, &first)) {
		code = first == argc ? app_open(&x.app, true)
				     : app_usage(app_command("run"),
						 "--replay takes the run's own version of the component; leave %s out",
						 argv[first]);
		if (first == argc && code == EXIT_OK)
			code = replay_run(&x);
	}
	sink_close(x.sink);
	recalled_close(&x.run);
	app_close(&x.app);
	return code;
}
