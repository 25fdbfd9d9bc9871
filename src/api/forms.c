/* SPDX-License-Identifier: Apache-2.0 */
/* Forms: what a page draws, and a submission: run, wait, let the component's function prepare what the person sees. */
#include "api/api_int.h"


static void form_ready(struct request *rq, struct loaded *k)
{
	if (!k)
		return;
	const struct form *f = component_form(k->component, rq->params[1]);
	if (!f) {
		reply_problem(rq, 404, "not_found", NULL, "component \"%.*s\" has no form \"%.*s\"",
			      STR_ARG(rq->params[0]), STR_ARG(rq->params[1]));
		return;
	}
	struct value v = view_form(&rq->arena, k->component, f, rq->api->config.env.env);
	reply_json(rq, 200, &v, NULL);
}

void get_form(struct request *rq)
{
	component_fetch(rq, rq->params[0], form_ready);
}

struct submission {
	struct loaded *loaded; /* referenced */
	struct str display, language;
	msec_t now; /* the run's: the function lives in the same world as its scripts */
	uint64_t seed;
	struct value answer; /* grows until it is sent */
	struct value item;
	struct value saved; /* { run_id, entry_id }: what is done even if the view cannot be made */
	struct value call;  /* { function, arguments } */
};

static void submission_end(struct request *rq, struct submission *s)
{
	reply_json(rq, 200, &s->answer, NULL);
	loaded_unref(s->loaded);
}

static void on_view(void *arg, const struct script_result *results, size_t n)
{
	struct request *rq = arg;
	struct submission *s = rq->state;
	if (results[0].error) {
		reply_problem(rq, 500, script_error_name(results[0].error), &s->saved,
			      "the result is saved, but function %.*s failed: %.*s", STR_ARG(s->display),
			      STR_ARG(results[0].detail));
		loaded_unref(s->loaded);
	} else {
		view_set(&rq->arena, &s->answer, "view", results[0].value);
		submission_end(rq, s);
	}
	request_release(rq);
}

static void view_make(struct request *rq, struct submission *s, int64_t run)
{
	struct arena *a = &rq->arena;
	struct script_realm realm = { .id = (uint64_t)run, .now = s->now, .seed = s->seed };
	struct script_item input = { .input = &s->call, .arena = a };
	struct value arguments = value_array();
	struct err e = ERR_INIT;
	if (!s->display.len || !s->loaded->functions) {
		submission_end(rq, s);
		return;
	}
	(void)value_push(a, &arguments, s->item);
	(void)value_push(a, &arguments, value_string(s->language));
	s->call = value_object();
	view_set(a, &s->call, "function", value_string(s->display));
	view_set(a, &s->call, "arguments", arguments);
	request_hold(rq);
	if (script_run(rq->api->config.services->scripts, s->loaded->functions, &realm, &input, 1, on_view, rq, &e))
		return;
	reply_problem(rq, 500, "script_unavailable", NULL, "%s", e.msg);
	loaded_unref(s->loaded);
	request_release(rq);
}

/* The entry that the run wrote for the item, if it wrote one. */
static void on_rows(void *arg, const struct store_result *result)
{
	struct request *rq = arg;
	struct submission *s = rq->state;
	int64_t run = 0, entry = 0;
	for (size_t i = 0; i < result->n; i++) {
		run = result->rows[i].key.run;
		if (result->rows[i].kind == LEDGER_ENTRY && result->rows[i].number)
			entry = result->rows[i].number;
	}
	s->saved = value_object();
	view_set_str(&rq->arena, &s->saved, "run_id", str_c(arena_printf(&rq->arena, "%lld", (long long)run)));
	if (entry) {
		struct str id = str_c(arena_printf(&rq->arena, "%lld", (long long)entry));
		view_set_str(&rq->arena, &s->answer, "entry_id", id);
		view_set_str(&rq->arena, &s->saved, "entry_id", id);
	}
	view_make(rq, s, run);
	request_release(rq);
}

/* 422 when the data did not fit the model or a script refused it, 504 for a time-out, else 502. */
static int problem_status(const struct value *problem)
{
	const struct value *type = value_get_c(problem, "type");
	if (value_is_string(type, STR("invalid_input")) || value_is_string(type, STR("script_threw")))
		return 422;
	return value_is(type, VALUE_STRING) && str_ends(value_text(type), STR("_timeout")) ? 504 : 502;
}

static void reply_failed(struct request *rq, struct live_run *lr)
{
	struct arena *a = &rq->arena;
	struct value more = value_object(), copy = VALUE_NONE;
	const struct run_row *row = run_row(lr->run);
	static const char *const passed_on[] = { "step", "errors", "title" };
	(void)value_copy(a, &lr->problem, &copy);
	for (size_t i = 0; i < ARRAY_LEN(passed_on); i++) {
		const struct value *v = value_get_c(&copy, passed_on[i]);
		if (v)
			view_set(a, &more, passed_on[i], *v);
	}
	view_set_str(a, &more, "run_id", str_c(arena_printf(a, "%lld", (long long)row->id)));
	const struct value *type = value_get_c(&copy, "type"), *detail = value_get_c(&copy, "detail");
	const struct value *message = value_get_c(&copy, "message");
	struct str text = value_is(detail, VALUE_STRING) ? value_text(detail) : row->problem;
	/* The person at the form reads what the script says; the place in it is for the run's page. */
	if (value_is(message, VALUE_STRING) && message->len)
		text = value_text(message);
	reply_problem(rq, problem_status(&copy),
		      value_is(type, VALUE_STRING) ? arena_c(a, value_text(type)) : "run_failed", &more, "%.*s",
		      STR_ARG(text));
}

static void run_over(struct request *rq, struct live_run *lr)
{
	struct submission *s = rq->state;
	struct arena *a = &rq->arena;
	const struct run_row *row = run_row(lr->run);
	struct value run = view_run(a, row, false);
	struct err e = ERR_INIT;
	if (lr->is_over && live_reply_broken(rq, lr)) {
		loaded_unref(s->loaded);
		return;
	}
	s->answer = value_object();
	s->now = row->now;
	s->seed = row->seed;
	view_set(a, &s->answer, "run", run);
	if (!lr->is_over || lr->is_cut) {
		reply_json(rq, 202, &s->answer, NULL);
		loaded_unref(s->loaded);
		return;
	}
	if (!lr->outputs.len) {
		reply_failed(rq, lr);
		loaded_unref(s->loaded);
		return;
	}
	(void)value_copy(a, value_at(&lr->outputs, 0), &s->item);
	view_set(a, &s->answer, "item", s->item);
	request_hold(rq);
	if (store_ledger_read(rq->api->config.store, row->id, 0, 0, on_rows, rq, &e) < 0) {
		reply_problem(rq, 503, "store", NULL, "%s", e.msg);
		loaded_unref(s->loaded);
		request_release(rq);
	}
}

static void submit_ready(struct request *rq, struct loaded *k)
{
	const struct form *f = k ? component_form(k->component, rq->params[1]) : NULL;
	const struct value *data = value_get_c(&rq->body, "data"), *language = value_get_c(&rq->body, "language");
	struct buf line;
	if (!k)
		return;
	if (!f) {
		reply_problem(rq, 404, "not_found", NULL, "component \"%.*s\" has no form \"%.*s\"",
			      STR_ARG(rq->params[0]), STR_ARG(rq->params[1]));
		return;
	}
	if (!value_is(data, VALUE_OBJECT)) {
		reply_problem(rq, 400, "invalid_request", NULL, "send { \"data\": { field: value } }");
		return;
	}
	struct plan *p = loaded_plan(rq, k, f->submit);
	struct submission *s = ARENA_NEW(&rq->arena, struct submission);
	if (!p || !s) {
		plan_unref(p);
		return;
	}
	*s = (struct submission){ .loaded = loaded_ref(k), .display = arena_str(&rq->arena, f->display) };
	s->language = value_is(language, VALUE_STRING) ? value_text(language) : STR("en");
	rq->state = s;
	buf_init(&line, RUN_LINE_MAX);
	/* The language of the page goes along as data, so that scripts can speak it; a field of the model of that name
	 * is the person's own. */
	if (!value_get_c(data, "language") && !component_field(k->component, STR("language")))
		(void)value_set(&rq->arena, value_get_c(&rq->body, "data"), STR("language"), value_string(s->language));
	(void)json_write(&line, data, JSON_COMPACT);
	(void)buf_append_char(&line, '\n');
	if (!live_start(rq, p, "form", &line, 1, API_SUBMIT_WAIT_MS, run_over))
		loaded_unref(k);
	plan_unref(p);
}

void post_submission(struct request *rq)
{
	component_fetch(rq, rq->params[0], submit_ready);
}
