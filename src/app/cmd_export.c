/* SPDX-License-Identifier: Apache-2.0 */
/* weir runs export: a recorded run becomes a cassette. */
#include "app/cassettes.h"

#include <string.h>

struct export
{
	struct app app;
	const char *items, *output;
	struct cassette tape;
	struct recalled run;
};

static void on_recalled(void *arg, const struct run_row *row, struct plan *plan, struct err *e)
{
	struct recalled *r = arg;
	r->is_done = true;
	r->plan = plan;
	r->e = *e;
	if (plan) {
		r->row = *row;
		struct str *texts[] = { &r->row.component, &r->row.dataflow, &r->row.version, &r->row.env,
					&r->row.trigger };
		for (size_t i = 0; i < ARRAY_LEN(texts); i++)
			*texts[i] = arena_str(&r->arena, *texts[i]);
		r->row.steps = r->row.problem = STR_NULL;
	}
	loop_stop(r->app->loop);
}

int recalled_open(struct recalled *r, struct app *a, const char *id)
{
	uint64_t number;
	*r = (struct recalled){ .app = a, .e = ERR_INIT };
	arena_init(&r->arena, 0);
	if (num_parse_u64(str_c(id), &number) < 0) {
		app_say("\"%s\" is no run's number", id);
		return EXIT_USAGE;
	}
	if (run_recall(a->store, (int64_t)number, &a->env, on_recalled, r, &r->e) == 0)
		while (!r->is_done)
			(void)loop_run(a->loop);
	if (!r->plan) {
		app_say("%s", r->e.msg);
		return app_refusal(EXIT_INVALID);
	}
	return EXIT_OK;
}

void recalled_close(struct recalled *r)
{
	plan_unref(r->plan);
	r->plan = NULL;
	arena_done(&r->arena);
}

/* "3", "0-9" */
bool item_range(const char *text, uint64_t *ret_from, uint64_t *ret_to)
{
	struct str rest = str_c(text), from = str_split(&rest, '-');
	if (num_parse_u64(from, ret_from) < 0)
		return false;
	*ret_to = *ret_from;
	return (!rest.ptr || num_parse_u64(rest, ret_to) == 0) && *ret_to >= *ret_from;
}

static int redact_add(void *arg, const char *text)
{
	struct export *x = arg;
	if (x->tape.redact.len == CASSETTE_REDACT_MAX) {
		app_say("--redact: more than %d", CASSETTE_REDACT_MAX);
		return -1;
	}
	return value_push(&x->tape.arena, &x->tape.redact, value_string(str_c(text)));
}

static void on_finding(void *arg, const struct cassette_finding *f)
{
	struct buf *b = arg;
	if (f->kind == CASSETTE_CALL && f->verdict != CASSETTE_SAME)
		finding_write(b, f);
}

/* Requests that the run does not make a second time cannot be tested. */
static void say_differences(const struct export *x, const struct cassette *now)
{
	struct buf b;
	buf_init(&b, 1u << 20);
	(void)cassette_compare(&x->tape, now, true, on_finding, &b);
	if (b.len && !x->tape.redact.len)
		fprintf(stderr,
			"weir: played again, the run makes other requests than it made then; the cassette has the new "
			"ones:\n%.*s",
			STR_ARG(buf_str(&b)));
	buf_done(&b);
}

static int export_write(struct export *x)
{
	struct err e = ERR_INIT;
	struct buf b;
	buf_init(&b, CASSETTE_MAX_BYTES);
	int code = cassette_write(&x->tape, &b);
	if (code < 0)
		err_set(&e, ERR_LIMIT, "the cassette is larger than %u MiB: choose fewer items with --items 0-9",
			CASSETTE_MAX_BYTES >> 20);
	else
		(void)app_bytes_write(buf_str(&b), x->output ? x->output : "-", &e);
	buf_done(&b);
	if (e.code)
		app_say("%s", e.msg);
	return e.code ? EXIT_RUN_FAILED : EXIT_OK;
}

static int export_run(struct export *x, const char *id)
{
	struct err e = ERR_INIT;
	struct cassette now;
	uint64_t from = 0, to = CASSETTE_MAX_ITEMS, items = 0;
	int code = recalled_open(&x->run, &x->app, id);
	if (code != EXIT_OK)
		return code;
	if (x->items && !item_range(x->items, &from, &to))
		return app_usage(app_command("runs"), "--items %s: write an item's number, or two as in 0-9", x->items);
	cassette_init(&now);
	struct cassette_play play = { .loop = x->app.loop, .scripts = x->app.services.scripts, .plan = x->run.plan };
	if (cassette_record(&x->tape, x->app.loop, x->app.store, &x->run.row, x->run.plan, from, to, &items, &e) == 0 &&
	    !items)
		err_set(&e, ERR_NOT_FOUND, "run %s has no such items", id);
	if (e.code == 0 && cassette_redact(&x->tape, &e) == 0 && cassette_play(&x->tape, &play, &now, &e) == 0) {
		say_differences(x, &now);
		if (cassette_update(&x->tape, &now) < 0)
			err_set(&e, ERR_NO_MEMORY, "out of memory");
	}
	cassette_done(&now);
	if (e.code)
		app_say("%s", e.msg);
	else if (!x->app.flags.quiet)
		fprintf(stderr, "run %s: %llu item%s on the cassette\n", id, (unsigned long long)items,
			items == 1 ? "" : "s");
	return e.code ? app_refusal(EXIT_INVALID) : export_write(x);
}

int cmd_runs_export(int argc, char **argv)
{
	struct export x = { 0 };
	const struct flag flags[] = {
		{ .name = "output", .letter = 'o', .value = &x.output },
		{ .name = "items", .value = &x.items },
		{ .name = "redact", .each = redact_add, .arg = &x },
		{ .name = NULL },
	};
	int first, code = EXIT_USAGE;
	cassette_init(&x.tape);
	if (app_flags_parse(app_command("runs"), argc, argv, &x.app.flags, flags, &first)) {
		if (first + 2 != argc)
			code = app_usage(
			    app_command("runs"),
			    "export wants one run's number, as in `weir runs export 17 -o paris.cassette.ndjson`");
		else
			code = app_open(&x.app, true);
		if (first + 2 == argc && code == EXIT_OK)
			code = export_run(&x, argv[first + 1]);
	}
	recalled_close(&x.run);
	cassette_done(&x.tape);
	app_close(&x.app);
	return code;
}
