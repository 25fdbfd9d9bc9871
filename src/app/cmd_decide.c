/* SPDX-License-Identifier: Apache-2.0 */
/* weir runs decide, weir runs retry: what a person says about items that ended badly; then the run goes on. */
#include "app/app.h"

#include "api/views.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "step/redo.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

struct deciding {
	struct app app;
	const struct command *command;
	const char *run_text, *items_text, *result_text, *note, *output;
	bool all, no_resume;
	int64_t run;
	enum decision decision;
	struct arena arena;
	struct buf head, body;
	uint64_t *items;
	size_t n_items;
	/* of the last answer */
	size_t n_decided;
	uint64_t left;
};

uint64_t *app_items_parse(const struct command *c, const char *text, struct arena *a, size_t *ret_n)
{
	struct str rest = str_c(text);
	uint64_t *items = ARENA_ARRAY(a, uint64_t, STORE_DECIDE_MAX);
	size_t n = 0;
	if (!items)
		app_say("out of memory");
	while (items && (rest.len || !n)) {
		struct str to = str_split(&rest, ','), from = str_split(&to, '-');
		uint64_t first, last;
		if (num_parse_u64(from, &first) < 0 || num_parse_u64(to.len ? to : from, &last) < 0 || last < first)
			return app_usage(c, "--items %s: write numbers of items, as in 3,5-9", text), NULL;
		if (last - first >= STORE_DECIDE_MAX - n)
			return app_usage(c, "--items: more than %d items at once", STORE_DECIDE_MAX), NULL;
		for (uint64_t seq = first; seq <= last; seq++)
			items[n++] = seq;
	}
	*ret_n = n;
	return items;
}

static bool items_parse(struct deciding *d)
{
	d->items = app_items_parse(d->command, d->items_text, &d->arena, &d->n_items);
	return d->items;
}

static bool run_parse(struct deciding *d)
{
	uint64_t id;
	if (num_parse_u64(str_c(d->run_text), &id) < 0 || id > INT64_MAX)
		return app_usage(d->command, "\"%s\" is no run's number", d->run_text), false;
	d->run = (int64_t)id;
	return true;
}

struct str app_who(struct arena *a)
{
	const struct passwd *p = getpwuid(getuid());
	return str_c(p ? arena_printf(a, "cli:%s", p->pw_name) : arena_printf(a, "cli:%u", (unsigned)getuid()));
}

static bool texts_prepare(struct deciding *d)
{
	struct value result;
	struct err e = ERR_INIT;
	if (d->note && (strlen(d->note) > DECISION_NOTE_MAX))
		return app_usage(d->command, "--note: longer than %d bytes", DECISION_NOTE_MAX), false;
	if (d->result_text && d->decision != DECISION_DONE)
		return app_usage(d->command, "--result: only \"done\" has one"), false;
	if (d->result_text && json_parse(&d->arena, str_c(d->result_text), NULL, &result, NULL, &e) < 0)
		return app_usage(d->command, "--result: %s", e.msg), false;
	if (d->result_text && json_write(&d->body, &result, JSON_COMPACT) < 0)
		return app_usage(d->command, "--result: larger than %u MiB", DECISION_RESULT_MAX >> 20), false;
	return decision_head_write(&d->head, app_who(&d->arena), str_c(d->note ? d->note : "")) == 0;
}

/* The run is ours while its rows are changed. */
static bool claim(struct deciding *d)
{
	struct err e = ERR_INIT;
	if (store_run_claim(d->app.store, d->run, &e) == 0)
		return true;
	app_say("run %lld is being executed; do this when it has ended", (long long)d->run);
	return false;
}

static void on_decided(void *arg, const struct store_result *result)
{
	static const char *const words[] = { [DECISION_DONE] = "done", [DECISION_AGAIN] = "send again", [DECISION_SKIP] = "left out" };
	struct deciding *d = arg;
	d->n_decided = result->error ? 0 : result->n;
	d->left = result->total;
	for (size_t i = 0; i < d->n_decided; i++)
		if (i == 0 || result->rows[i].key.seq != result->rows[i - 1].key.seq)
			printf("item %llu: %s\n", (unsigned long long)result->rows[i].key.seq, words[d->decision]);
}

static int decide_once(struct deciding *d)
{
	struct app_wait wait = { .app = &d->app, .use = on_decided, .arg = d };
	struct err e = ERR_INIT;
	struct decision_row row = { .run = d->run,
				    .decision = d->decision,
				    .at = clock_wall(),
				    .head = buf_str(&d->head),
				    .body = buf_str(&d->body),
				    .items = d->items,
				    .n_items = d->n_items };
	if (store_decide(d->app.store, &row, app_wait_done, &wait, &e) == 0 && app_wait(&wait) == 0)
		return EXIT_OK;
	app_say("%s%s", e.code ? e.msg : wait.detail, wait.error == STORE_CONFLICT ? "; nothing was decided" : "");
	return wait.error == STORE_CONFLICT || wait.error == STORE_NOT_FOUND ? EXIT_INVALID : EXIT_RUN_FAILED;
}

/* All of a run may be more than one decision takes. */
static int decide(struct deciding *d)
{
	size_t n = 0;
	int code;
	if (!claim(d))
		return EXIT_INVALID;
	do {
		code = decide_once(d);
		n += d->n_decided;
	} while (code == EXIT_OK && !d->items && d->n_decided && d->left);
	store_run_release(d->app.store, d->run);
	if (code == EXIT_OK && !n) {
		app_say("run %lld has no item with an unknown outcome", (long long)d->run);
		return EXIT_INVALID;
	}
	return code;
}

/* ---- again from a step ---- */

struct redoing {
	struct step_redo what;
	uint64_t dropped;
	int64_t stuck; /* step that refuses */
};

static void on_redone(void *arg, const struct store_result *result)
{
	struct redoing *r = arg;
	r->dropped = result->total;
	r->stuck = result->id;
}

static int redo(struct app *a, const struct plan *p, struct redoing *r)
{
	struct app_wait wait = { .app = a, .use = on_redone, .arg = r };
	struct err e = ERR_INIT;
	if (store_run_claim(a->store, r->what.row.run, &e) < 0) {
		app_say("run %lld is being executed; do this when it has ended", (long long)r->what.row.run);
		return EXIT_INVALID;
	}
	int code = store_ledger_redo(a->store, &r->what.row, app_wait_done, &wait, &e);
	if (code == 0)
		code = app_wait(&wait);
	store_run_release(a->store, r->what.row.run);
	if (code == 0 && r->dropped)
		return EXIT_OK;
	if (code == 0)
		app_say("run %lld has nothing recorded at step \"%.*s\" or behind it that could be done again", (long long)r->what.row.run,
			STR_ARG(p->steps[r->what.steps[0]].name));
	else if (wait.error == STORE_CONFLICT)
		app_say("step \"%.*s\" %s; nothing was changed", STR_ARG(p->steps[r->stuck].name), wait.detail);
	else
		app_say("%s", e.code ? e.msg : wait.detail);
	return code == 0 || wait.error == STORE_CONFLICT ? EXIT_INVALID : EXIT_RUN_FAILED;
}

int app_run_redo(struct app *a, int64_t run, const struct plan *p, const char *step, const uint64_t *items, size_t n_items)
{
	auto_free struct redoing *r = alloc_calloc(1, sizeof(*r));
	if (!r) {
		app_say("out of memory");
		return EXIT_RUN_FAILED;
	}
	if (!step_redo_from(&r->what, p, str_c(step))) {
		app_say("--from %s: the dataflow of run %lld has no step of that name", step, (long long)run);
		return EXIT_INVALID;
	}
	r->what.row.run = run;
	r->what.row.items = items;
	r->what.row.n_items = n_items;
	return redo(a, p, r);
}

/* ---- the failed ones again ---- */

static void on_dropped(void *arg, const struct store_result *result)
{
	uint64_t *n = arg;
	*n = result->total;
}

int app_run_retry(struct app *a, int64_t run, uint64_t *ret_items)
{
	struct app_wait wait = { .app = a };
	struct err e = ERR_INIT;
	uint64_t n = 0;
	if (store_run_claim(a->store, run, &e) < 0) {
		app_say("run %lld is being executed; do this when it has ended", (long long)run);
		return EXIT_INVALID;
	}
	wait.use = on_dropped;
	wait.arg = &n;
	int code = store_ledger_drop_problems(a->store, run, app_wait_done, &wait, &e);
	if (code == 0)
		code = app_wait(&wait);
	store_run_release(a->store, run);
	if (code < 0) {
		app_say("%s", e.code ? e.msg : wait.detail);
		return EXIT_RUN_FAILED;
	}
	*ret_items = n;
	return EXIT_OK;
}

static int retry(struct deciding *d)
{
	uint64_t n = 0;
	int code = app_run_retry(&d->app, d->run, &n);
	if (code == EXIT_OK && !n) {
		app_say("no item of run %lld has failed", (long long)d->run);
		return EXIT_INVALID;
	}
	if (code == EXIT_OK)
		printf("%llu failed item%s of run %lld will be done again\n", (unsigned long long)n, n == 1 ? "" : "s", (long long)d->run);
	return code;
}

static bool args_parse(struct deciding *d, int argc, char **argv, bool *ret_is_retry)
{
	const struct flag flags[] = {
		{ .name = "items", .value = &d->items_text }, { .name = "all", .present = &d->all },
		{ .name = "result", .value = &d->result_text }, { .name = "note", .value = &d->note },
		{ .name = "no-resume", .present = &d->no_resume }, { .name = "output", .letter = 'o', .value = &d->output },
		{ .name = NULL },
	};
	int first;
	if (!app_flags_parse(d->command, argc, argv, &d->app.flags, flags, &first))
		return false;
	*ret_is_retry = first < argc && strcmp(argv[first], "retry") == 0;
	if (*ret_is_retry && (first + 2 != argc || d->all || d->items_text || d->result_text || d->note))
		return app_usage(d->command, "retry and a run's number, as in `weir runs retry 17`"), false;
	if (!*ret_is_retry && (first + 3 != argc || strcmp(argv[first], "decide") != 0 || !decision_parse(str_c(argv[first + 2]), &d->decision)))
		return app_usage(d->command, "decide, a run's number, and done, again or skip"), false;
	d->run_text = argv[first + 1];
	if (!*ret_is_retry && d->all == (d->items_text != NULL))
		return app_usage(d->command, "which items? --items 3,5-9 or --all"), false;
	return run_parse(d) && (*ret_is_retry || ((d->all || items_parse(d)) && texts_prepare(d)));
}

int cmd_runs_decide(int argc, char **argv)
{
	struct deciding d = { .command = app_command("runs") };
	bool is_retry = false;
	arena_init(&d.arena, 1u << 24);
	buf_init(&d.head, DECISION_NOTE_MAX * 6 + 1024);
	buf_init(&d.body, DECISION_RESULT_MAX);
	int code = args_parse(&d, argc, argv, &is_retry) ? app_open(&d.app, true) : app_refusal(EXIT_USAGE);
	if (code == EXIT_OK)
		code = is_retry ? retry(&d) : decide(&d);
	(void)fflush(stdout);
	struct app_flags flags = d.app.flags;
	app_close(&d.app);
	if (code == EXIT_OK && !d.no_resume)
		code = app_resume(&flags, d.run_text, d.output);
	buf_done(&d.head);
	buf_done(&d.body);
	arena_done(&d.arena);
	return code;
}
