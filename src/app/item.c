/* SPDX-License-Identifier: Apache-2.0 */
#include "app/item.h"

#include "api/views.h"
#include "app/waterfall.h"
#include "base/quote.h"

#define NOTE_PRINTED_MAX 1000 /* bytes of what somebody has written about a decision */

/* ---- the plan ---- */

static void on_recalled(void *arg, const struct run_row *row, struct plan *plan, struct err *e)
{
	struct item_reader *r = arg;
	r->plan = plan;
	r->e = *e;
	r->is_over = true;
	loop_stop(r->app->loop);
}

bool item_reader_open(struct item_reader *r, struct app *app, int64_t run)
{
	*r = (struct item_reader){ .app = app, .run = run, .e = ERR_INIT };
	if (run_recall(app->store, run, &app->env, on_recalled, r, &r->e) == 0)
		while (!r->is_over)
			(void)loop_run(app->loop);
	return r->plan != NULL;
}

void item_reader_close(struct item_reader *r)
{
	plan_unref(r->plan);
	r->plan = NULL;
}

/* ---- the rows of one item, borrowed for one callback ---- */

struct item_use {
	const struct item_reader *reader;
	struct arena *arena;
	struct value list;
	bool as_calls, found;
};

static bool rows_read(struct item_reader *r, uint64_t seq, void (*use)(void *, const struct store_result *), void *arg)
{
	struct err e = ERR_INIT;
	struct app_wait wait = { .app = r->app, .use = use, .arg = arg };
	return store_ledger_read(r->app->store, r->run, seq, seq, app_wait_done, &wait, &e) == 0 &&
	       app_wait(&wait) == 0;
}

static struct value attempt_in_short(struct arena *a, const struct item_attempt *it)
{
	struct value v = value_object();
	const struct call_attempt *x = &it->x;
	bool is_first = x->again.why == CALL_WHY_FIRST;
	view_set_str(a, &v, "step", it->step ? it->step->name : STR_NULL);
	view_set_int(a, &v, "attempt", x->number);
	view_set_str(a, &v, "why", is_first ? STR_NULL : call_attempt_why(x, a));
	view_set(a, &v, "wait_ms", is_first ? value_null() : call_msec_value(a, x->again.wait_us));
	view_set(a, &v, "status", x->status ? value_int(a, x->status) : value_null());
	view_set_str(a, &v, "error", x->error);
	view_set_str(a, &v, "verdict", x->verdict);
	return v;
}

static void on_rows(void *arg, const struct store_result *result)
{
	struct item_use *u = arg;
	struct item_attempt *list;
	if (u->as_calls) {
		u->list = view_calls(u->arena, u->reader->plan, result->rows, result->n);
		return;
	}
	size_t n = view_attempts(u->arena, u->reader->plan, result->rows, result->n, &list);
	for (size_t i = 0; i < n; i++)
		(void)value_push(u->arena, &u->list, attempt_in_short(u->arena, &list[i]));
}

struct value item_attempts(struct item_reader *r, uint64_t seq, struct arena *a)
{
	struct item_use u = { .reader = r, .arena = a, .list = value_array() };
	(void)rows_read(r, seq, on_rows, &u);
	return u.list;
}

struct value item_calls(struct item_reader *r, uint64_t seq, struct arena *a)
{
	struct item_use u = { .reader = r, .arena = a, .list = value_array(), .as_calls = true };
	(void)rows_read(r, seq, on_rows, &u);
	return u.list;
}

/* ---- as text ---- */

/* One call: attempts that follow each other with one step. */
static void call_print(const struct waterfall *w, const struct item_attempt *list, size_t n, struct arena *a)
{
	struct call_attempt *attempts = arena_alloc(a, n * sizeof(*attempts));
	const struct value *method = value_get_c(&list[0].request, "method"),
			   *url = value_get_c(&list[0].request, "url");
	struct str step = list[0].step ? list[0].step->name : STR("(a step that is not in the file)");
	if (!attempts)
		return;
	for (size_t i = 0; i < n; i++)
		attempts[i] = list[i].x;
	printf("%.*s: %.*s %.*s, %zu attempt%s\n", STR_ARG(step),
	       STR_ARG(value_is(method, VALUE_STRING) ? value_text(method) : STR("?")),
	       STR_ARG(value_is(url, VALUE_STRING) ? value_text(url) : STR("?")), n, n == 1 ? "" : "s");
	waterfall_print(w, attempts, n);
}

static struct str text_in(const struct value *v, const char *name)
{
	const struct value *found = value_get_c(v, name);
	return value_is(found, VALUE_STRING) || value_is(found, VALUE_NUMBER) ? value_text(found) : STR_NULL;
}

/* "call: attempt 1 was decided by probe: done (GET ... answered 200: done)" */
static void decisions_print(const struct value *list, struct arena *a)
{
	for (uint32_t i = 0; i < list->len; i++) {
		const struct value *v = value_at(list, i);
		struct str by = quote_safely(a, text_in(v, "by"), NOTE_PRINTED_MAX),
			   note = quote_safely(a, text_in(v, "note"), NOTE_PRINTED_MAX);
		printf("%.*s: attempt %.*s was decided by %.*s: %.*s", STR_ARG(text_in(v, "step")),
		       STR_ARG(text_in(v, "attempt")), STR_ARG(by), STR_ARG(text_in(v, "decision")));
		printf(note.len ? " (%.*s)\n" : "%.*s\n", STR_ARG(note));
	}
}

static void on_rows_to_print(void *arg, const struct store_result *result)
{
	struct item_use *u = arg;
	struct item_attempt *list;
	struct waterfall w = waterfall_of(&u->reader->app->flags, stdout, "  ");
	size_t n = view_attempts(u->arena, u->reader->plan, result->rows, result->n, &list);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && list[k].step == list[i].step; k++)
			;
		call_print(&w, list + i, k - i, u->arena);
	}
	struct value decisions = view_decisions(u->arena, u->reader->plan, result->rows, result->n);
	decisions_print(&decisions, u->arena);
	u->found = n > 0;
}

bool item_print(struct item_reader *r, uint64_t seq)
{
	struct arena a;
	arena_init(&a, 0);
	struct item_use u = { .reader = r, .arena = &a };
	(void)rows_read(r, seq, on_rows_to_print, &u);
	arena_done(&a);
	return u.found;
}
