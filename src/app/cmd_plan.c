/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir run --plan: what a run would begin with, by method, beside what another run has sent; with --send a run that
 * sends it. Until then nothing is sent and nothing is kept.
 */
#include "app/plan.h"

#include "app/sending.h"
#include "base/clock.h"
#include "base/dice.h"

#include <string.h>

#define SHOWN_MAX 3	 /* requests shown of one step, problems of all */
#define BODY_SHOWN 400	 /* bytes of a body */
#define LAST_LOOKED 2000 /* runs looked at for the last one of a dataflow */
#define METHOD_COLUMN 7

/* Harmless ones first. */
static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE" };
#define HARMLESS 3 /* so many of them */

struct planning {
	struct app *app;
	const struct plan_wish *wish;
	struct plan *plan;
	FILE *to;
	enum item_format format; /* PRETTY = for people */
	bool color;
	struct recalled run; /* beside which */
	bool has_run;
	struct cassette tape, now;    /* what is shown */
	struct cassette beside, then; /* the same under that run's answers, clock and dice */
	struct sending sending;
	uint64_t items;
	struct err e;
};

/* ---- what is compared ---- */

static const struct cassette_line *line_of(const struct cassette *c, enum cassette_kind kind, uint64_t item,
					   struct str step)
{
	size_t low = 0, high = c->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (c->lines[middle].item < item)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < c->n && c->lines[low].item == item; low++)
		if (c->lines[low].kind == kind && str_eq(c->lines[low].step, step))
			return &c->lines[low];
	return NULL;
}

/* False: there is no run beside, or it led elsewhere before this call. */
static bool verdict_of(const struct planning *x, const struct cassette_line *l, enum cassette_verdict *ret,
		       const struct value **ret_recorded, const struct value **ret_now)
{
	const struct cassette *now = x->wish->send ? &x->then : &x->now;
	const struct cassette_line *r = x->has_run ? line_of(&x->beside, CASSETTE_CALL, l->item, l->step) : NULL;
	const struct cassette_line *n = x->has_run ? line_of(now, CASSETTE_CALL, l->item, l->step) : NULL;
	*ret_recorded = *ret_now = NULL;
	if (!n)
		return false;
	*ret_now = value_get_c(&n->v, "request");
	*ret = CASSETTE_NEW;
	if (!r)
		return true;
	*ret_recorded = value_get_c(&r->v, "request");
	*ret = value_eq(*ret_recorded, *ret_now) ? CASSETTE_SAME : CASSETTE_CHANGED;
	return true;
}

static const char *const verdict_words[] = { "same", "changed", "new", "gone" };

/* ---- for people ---- */

static const char *paint(const struct planning *x, const char *sgr)
{
	return x->color ? sgr : "";
}

static void request_print(struct planning *x, const struct cassette_line *l)
{
	static const char *const colors[] = { "\033[2m", "\033[33m", "\033[32m", "" };
	const struct value *request = value_get_c(&l->v, "request"), *body = value_get_c(request, "body");
	const struct value *url = value_get_c(request, "url"), *recorded, *now;
	enum cassette_verdict verdict = CASSETTE_NEW;
	auto_buf struct buf b = { .max = 1u << 26 };
	auto_buf struct buf diff = { .max = 1u << 26 };
	bool has_verdict = verdict_of(x, l, &verdict, &recorded, &now);
	fprintf(x->to, "    item %llu: ", (unsigned long long)l->item);
	if (has_verdict)
		fprintf(x->to, "%s%-*s%s ", paint(x, colors[verdict]), METHOD_COLUMN, verdict_words[verdict],
			paint(x, "\033[0m"));
	if (value_is(url, VALUE_STRING))
		fprintf(x->to, "%.*s\n", STR_ARG(value_text(url)));
	if (value_is(body, VALUE_OBJECT) && body->len) {
		(void)json_write(&b, &body->members[0].value, JSON_COMPACT);
		fprintf(x->to, "      %.*s%s\n", STR_ARG(str_clip(buf_str(&b), BODY_SHOWN)),
			b.len > BODY_SHOWN ? "..." : "");
	}
	if (has_verdict && verdict == CASSETTE_CHANGED) {
		(void)cassette_diff_write(&diff, recorded, now, "      ");
		fprintf(x->to, "%.*s", STR_ARG(buf_str(&diff)));
	}
}

/* The requests of a step, counted by what they are beside the other run. */
static uint64_t step_count(const struct planning *x, const struct plan_step *s, uint64_t counts[static 4])
{
	const struct value *recorded, *now;
	enum cassette_verdict verdict;
	uint64_t n = 0;
	for (size_t i = 0; i < x->now.n; i++) {
		const struct cassette_line *l = &x->now.lines[i];
		if (l->kind != CASSETTE_CALL || !str_eq(l->step, s->name))
			continue;
		n++;
		if (verdict_of(x, l, &verdict, &recorded, &now))
			counts[verdict]++;
	}
	return n;
}

static void counts_print(const struct planning *x, const uint64_t counts[static 4])
{
	static const char *const words[] = { "the same", "changed", "new" };
	const char *before = "    beside run ";
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!counts[i])
			continue;
		fprintf(x->to, "%s", before);
		if (before[0] == ' ')
			fprintf(x->to, "%lld: ", (long long)x->run.row.id);
		fprintf(x->to, "%llu %s", (unsigned long long)counts[i], words[i]);
		before = ", ";
	}
	if (before[0] == ',')
		fprintf(x->to, "\n");
}

static bool is_same_as_then(const struct planning *x, const struct cassette_line *l)
{
	const struct value *recorded, *now;
	enum cassette_verdict verdict;
	return !verdict_of(x, l, &verdict, &recorded, &now) || verdict == CASSETTE_SAME;
}

/* What differs comes first: it is what one looks for. How many were shown. */
static size_t requests_print(struct planning *x, struct str step)
{
	size_t shown = 0, most = x->wish->all ? SIZE_MAX : SHOWN_MAX;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < x->now.n && shown < most; i++) {
			const struct cassette_line *l = &x->now.lines[i];
			if (l->kind != CASSETTE_CALL || !str_eq(l->step, step) || is_same_as_then(x, l) != (pass == 1))
				continue;
			request_print(x, l);
			shown++;
		}
	return shown;
}

static void step_print(struct planning *x, const struct plan_step *s)
{
	auto_arena struct arena a = { 0 };
	uint64_t counts[4] = { 0 }, n = step_count(x, s, counts);
	arena_init(&a, 0);
	struct str detail = s->kind->detail ? s->kind->detail(s, &a) : STR_NULL,
		   promise = s->kind->promise ? s->kind->promise(s, &a) : STR_NULL;
	fprintf(x->to, "  %.*s: %.*s, %llu request%s", STR_ARG(s->name), STR_ARG(detail), (unsigned long long)n,
		n == 1 ? "" : "s");
	fprintf(x->to, promise.len ? " (%.*s)\n" : "%.*s\n", STR_ARG(promise));
	if (!n)
		fprintf(x->to, "    not known before the calls in front of it are answered, or no item comes here\n");
	counts_print(x, counts);
	size_t shown = requests_print(x, s->name);
	if (n > shown)
		fprintf(x->to, "    (%llu more; --all shows them)\n", (unsigned long long)(n - shown));
}

static void methods_print(struct planning *x)
{
	for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
		uint64_t n = 0, counts[4] = { 0 };
		size_t steps = 0;
		for (size_t i = 0; i < x->plan->n_steps; i++) {
			const char *method = step_call_method(&x->plan->steps[i]);
			bool is_it = method && strcmp(method, methods[m]) == 0;
			steps += is_it;
			n += is_it ? step_count(x, &x->plan->steps[i], counts) : 0;
		}
		if (!steps)
			continue;
		fprintf(x->to, "%s%s%s%s: %llu request%s\n", paint(x, m < HARMLESS ? "\033[1m" : "\033[1;33m"),
			methods[m], m < HARMLESS ? ", harmless" : "", paint(x, "\033[0m"), (unsigned long long)n,
			n == 1 ? "" : "s");
		for (size_t i = 0; i < x->plan->n_steps; i++) {
			const char *method = step_call_method(&x->plan->steps[i]);
			if (method && strcmp(method, methods[m]) == 0)
				step_print(x, &x->plan->steps[i]);
		}
	}
}

/* Calls of the other run, of items that are here, which the way does not come to any more. */
static void gone_print(struct planning *x)
{
	for (size_t i = 0; x->has_run && i < x->run.plan->n_steps; i++) {
		struct str step = x->run.plan->steps[i].name;
		const struct cassette *now = x->wish->send ? &x->then : &x->now;
		uint64_t n = 0;
		for (size_t k = 0; k < x->beside.n; k++) {
			const struct cassette_line *l = &x->beside.lines[k];
			bool is_first = l->kind == CASSETTE_CALL && str_eq(l->step, step) &&
					line_of(&x->beside, CASSETTE_CALL, l->item, step) == l;
			n += is_first && !line_of(now, CASSETTE_CALL, l->item, step) && !ends_at_call(now, l->item);
		}
		if (n)
			fprintf(x->to, "not made any more: %llu request%s of step %.*s of run %lld\n",
				(unsigned long long)n, n == 1 ? "" : "s", STR_ARG(step), (long long)x->run.row.id);
	}
}

struct totals {
	uint64_t done, failed, at_call;
};

static struct totals totals_of(const struct cassette *now)
{
	struct totals t = { 0 };
	for (size_t i = 0; i < now->n; i++) {
		const struct cassette_line *l = &now->lines[i];
		bool is_sent = is_would_be_sent(l);
		t.done += l->kind == CASSETTE_OUTPUT;
		t.at_call += is_sent;
		t.failed += l->kind == CASSETTE_PROBLEM && !is_sent;
	}
	return t;
}

static void problems_print(struct planning *x)
{
	size_t shown = 0;
	for (size_t i = 0; i < x->now.n && shown < SHOWN_MAX; i++) {
		const struct cassette_line *l = &x->now.lines[i];
		const struct value *detail = value_get_c(value_get_c(&l->v, "problem"), "detail");
		if (l->kind != CASSETTE_PROBLEM || is_would_be_sent(l) || !value_is(detail, VALUE_STRING))
			continue;
		fprintf(x->to, "item %llu fails: %.*s\n", (unsigned long long)l->item, STR_ARG(value_text(detail)));
		shown++;
	}
}

/* Calls whose requests nobody can know yet. */
static void behind_print(struct planning *x)
{
	const char *before = "not shown, since they depend on answers: ";
	for (size_t i = 0; i < x->plan->n_steps; i++) {
		const struct plan_step *s = &x->plan->steps[i];
		uint64_t counts[4] = { 0 };
		if (!step_call_method(s) || step_count(x, s, counts))
			continue;
		fprintf(x->to, "%s%s of step %.*s", before, step_call_method(s), STR_ARG(s->name));
		before = ", ";
	}
	if (before[0] == ',')
		fprintf(x->to, "%s\n", x->wish->send ? " (sent as they come)" : "");
}

static void all_print(struct planning *x)
{
	struct totals t = totals_of(&x->now);
	fprintf(x->to, "plan of %.*s/%.*s, environment %.*s: %llu item%s", STR_ARG(x->plan->component->name),
		STR_ARG(x->plan->dataflow->name), STR_ARG(x->plan->env.len ? x->plan->env : STR("-")),
		(unsigned long long)x->items, x->items == 1 ? "" : "s");
	if (x->has_run)
		fprintf(x->to, ", beside run %lld", (long long)x->run.row.id);
	fprintf(x->to, "\n");
	methods_print(x);
	gone_print(x);
	problems_print(x);
	behind_print(x);
	fprintf(x->to, "%llu items would send, %llu fail before, %llu need no call%s\n", (unsigned long long)t.at_call,
		(unsigned long long)t.failed, (unsigned long long)t.done, x->wish->send ? "" : "; nothing was sent");
}

/* ---- for machines ---- */

static void request_value(struct planning *x, struct arena *a, const struct cassette_line *l, struct value *v)
{
	const struct value *recorded, *now;
	enum cassette_verdict verdict = CASSETTE_NEW;
	bool has_verdict = verdict_of(x, l, &verdict, &recorded, &now);
	const struct plan_step *s = NULL;
	for (size_t i = 0; i < x->plan->n_steps; i++)
		if (str_eq(x->plan->steps[i].name, l->step))
			s = &x->plan->steps[i];
	(void)value_set(a, v, STR("item"), value_int(a, (int64_t)l->item));
	(void)value_set(a, v, STR("step"), value_string(l->step));
	(void)value_set(a, v, STR("method"), s ? value_string(str_c(step_call_method(s))) : value_null());
	(void)value_set(a, v, STR("promise"),
			s && s->kind->promise ? value_string(s->kind->promise(s, a)) : value_null());
	(void)value_set(a, v, STR("request"), *value_get_c(&l->v, "request"));
	(void)value_set(a, v, STR("verdict"), has_verdict ? value_string(str_c(verdict_words[verdict])) : value_null());
	if (has_verdict && verdict == CASSETTE_CHANGED)
		(void)value_set(a, v, STR("differences"), differences_value(a, recorded, now));
}

static void summary_value(const struct planning *x, struct arena *a, struct value *v)
{
	struct totals t = totals_of(&x->now);
	struct value summary = value_object(), requests = value_object(), behind = value_array();
	for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
		uint64_t n = 0, counts[4] = { 0 };
		for (size_t i = 0; i < x->plan->n_steps; i++) {
			const char *method = step_call_method(&x->plan->steps[i]);
			n += method && strcmp(method, methods[m]) == 0 ? step_count(x, &x->plan->steps[i], counts) : 0;
		}
		if (n)
			(void)value_set(a, &requests, str_c(methods[m]), value_int(a, (int64_t)n));
	}
	for (size_t i = 0; i < x->plan->n_steps; i++) {
		uint64_t counts[4] = { 0 };
		if (step_call_method(&x->plan->steps[i]) && !step_count(x, &x->plan->steps[i], counts))
			(void)value_push(a, &behind, value_string(x->plan->steps[i].name));
	}
	(void)value_set(a, &summary, STR("component"), value_string(x->plan->component->name));
	(void)value_set(a, &summary, STR("dataflow"), value_string(x->plan->dataflow->name));
	(void)value_set(a, &summary, STR("env"), value_string(x->plan->env));
	(void)value_set(a, &summary, STR("beside"), x->has_run ? value_int(a, x->run.row.id) : value_null());
	(void)value_set(a, &summary, STR("items"), value_int(a, (int64_t)x->items));
	(void)value_set(a, &summary, STR("requests"), requests);
	(void)value_set(a, &summary, STR("would_send"), value_int(a, (int64_t)t.at_call));
	(void)value_set(a, &summary, STR("fail_before"), value_int(a, (int64_t)t.failed));
	(void)value_set(a, &summary, STR("need_no_call"), value_int(a, (int64_t)t.done));
	(void)value_set(a, &summary, STR("depend_on_answers"), behind);
	(void)value_set(a, v, STR("summary"), summary);
}

static void all_write(struct planning *x)
{
	struct told_json j = { .to = x->to, .is_array = x->format == FORMAT_JSON };
	for (size_t i = 0; i <= x->now.n; i++) {
		const struct cassette_line *l = i < x->now.n ? &x->now.lines[i] : NULL;
		auto_arena struct arena a = { 0 };
		struct value v = value_object();
		arena_init(&a, 0);
		if (!l) {
			summary_value(x, &a, &v);
		} else if (l->kind == CASSETTE_CALL) {
			request_value(x, &a, l, &v);
		} else if (l->kind == CASSETTE_PROBLEM && !is_would_be_sent(l)) {
			(void)value_set(&a, &v, STR("item"), value_int(&a, (int64_t)l->item));
			(void)value_set(&a, &v, STR("problem"), *value_get_c(&l->v, "problem"));
		} else {
			continue;
		}
		told_json_write(&j, &v);
	}
	told_json_end(&j);
}

/* ---- the plan ---- */

/* All of the source on a cassette that has no answers. */
static int input_take(struct planning *x)
{
	struct json_options opt = { .copy = true, .max_bytes = RUN_LINE_MAX };
	const struct run_source *source = &x->wish->source;
	struct cassette *c = &x->tape;
	struct err *e = &x->e;
	for (enum source_verdict v = SOURCE_MORE; v == SOURCE_MORE;) {
		auto_buf struct buf lines = { .max = RUN_LINE_MAX + (1u << 20) };
		uint32_t count = 0;
		v = source->read(source->arg, &lines, 1u << 16, &count, e);
		if (v == SOURCE_LATER)
			return err_set(e, ERR_STATE, "a plan wants its items from a file");
		for (struct str rest = buf_str(&lines); count > 0; count--) {
			struct cassette_line l = { .kind = CASSETTE_INPUT, .item = x->items++, .v = value_object() };
			struct value input;
			if (x->items > CASSETTE_MAX_ITEMS)
				return err_set(e, ERR_LIMIT, "a plan takes up to %d items", CASSETTE_MAX_ITEMS);
			if (json_parse(&c->arena, str_split(&rest, '\n'), &opt, &input, NULL, e) < 0 ||
			    value_set(&c->arena, &l.v, STR("input"), input) < 0 || !cassette_add(c, &l))
				return e->code ? e->code : err_set(e, ERR_NO_MEMORY, "out of memory");
		}
	}
	return e->code;
}

/* That run's calls, clock and dice, under the items that are to come. */
static int beside_take(struct planning *x)
{
	uint64_t items = 0;
	size_t n = 0;
	if (x->items && cassette_record(&x->beside, x->app->loop, x->app->store, &x->run.row, x->run.plan, 0,
					x->items - 1, &items, &x->e) < 0)
		return x->e.code;
	for (size_t i = 0; i < x->beside.n; i++)
		if (x->beside.lines[i].kind == CASSETTE_CALL)
			x->beside.lines[n++] = x->beside.lines[i];
	x->beside.n = n;
	for (size_t i = 0; i < x->tape.n; i++)
		if (!cassette_add(&x->beside, &x->tape.lines[i])) /* values are shared: the tape is freed last */
			return err_set(&x->e, ERR_NO_MEMORY, "out of memory");
	cassette_sort(&x->beside);
	return 0;
}

static void tape_name(struct planning *x, struct cassette *tape)
{
	tape->component = x->plan->component->name;
	tape->dataflow = x->plan->dataflow->name;
	tape->env = x->plan->env;
}

/* What is sent must be what is shown, so the clock and the dice of what will be sent are drawn here. */
static int plan_play(struct planning *x)
{
	struct cassette_play play = {
		.loop = x->app->loop, .scripts = x->app->services.scripts, .plan = x->plan, .stops_at_changes = true
	};
	x->tape.now = clock_wall();
	x->tape.seed = dice() & INT64_MAX;
	x->tape.run = 1;
	tape_name(x, &x->tape);
	if (input_take(x) < 0 || (x->has_run && beside_take(x) < 0))
		return x->e.code;
	tape_name(x, &x->beside);
	if (x->has_run && cassette_play(&x->beside, &play, x->wish->send ? &x->then : &x->now, &x->e) < 0)
		return x->e.code;
	if (x->wish->send) {
		play.on_request = sending_on_request;
		play.arg = &x->sending;
	}
	if (!x->has_run || x->wish->send)
		(void)cassette_play(&x->tape, &play, &x->now, &x->e);
	return x->e.code;
}

/* ---- sending it ---- */

static int plan_send(struct planning *x, int64_t *ret_run)
{
	struct sending *s = &x->sending;
	bool goes = false;
	sending_stretch(s, &x->tape);
	s->tape = &x->tape;
	s->shown_as = (struct run_row){ .id = x->tape.run, .now = x->tape.now, .seed = x->tape.seed };
	for (size_t i = 0; i < s->n_calls; i++) {
		const struct value *recorded, *now;
		struct cassette_line l = { .item = s->calls[i].item, .step = x->plan->steps[s->calls[i].step].name };
		(void)verdict_of(x, &l, &s->calls[i].verdict, &recorded, &now);
	}
	int code = sending_choose(s);
	if (code == EXIT_OK)
		code = sending_prepare(s, x->wish->yes, &goes);
	*ret_run = goes ? s->id : 0;
	return code;
}

/* ---- which run beside ---- */

struct looking {
	const struct plan *plan;
	int64_t found, oldest;
	size_t looked, page;
};

static void on_runs(void *arg, const struct store_result *result)
{
	struct looking *k = arg;
	k->page = result->error ? 0 : result->n;
	for (size_t i = 0; i < k->page && !k->found; i++) {
		const struct run_row *row = &result->runs[i];
		if (row->state != RUN_RUNNING && row->items_in && str_eq(row->component, k->plan->component->name) &&
		    str_eq(row->dataflow, k->plan->dataflow->name))
			k->found = row->id;
		k->oldest = row->id;
	}
	k->looked += k->page;
}

int64_t app_last_run(struct app *a, const struct plan *p)
{
	struct looking k = { .plan = p };
	struct err e = ERR_INIT;
	do {
		struct app_wait wait = { .app = a, .use = on_runs, .arg = &k };
		k.page = 0;
		if (store_run_list(a->store, k.oldest, -1, STORE_PAGE_MAX, app_wait_done, &wait, &e) < 0 ||
		    app_wait(&wait) < 0)
			break;
	} while (!k.found && k.page == STORE_PAGE_MAX && k.looked < LAST_LOOKED);
	return k.found;
}

static int beside_open(struct planning *x)
{
	const char *diff = x->wish->diff;
	char number[24];
	if ((!diff && !x->app->store) || (diff && strcmp(diff, "none") == 0))
		return EXIT_OK;
	if (!diff || strcmp(diff, "last") == 0) {
		int64_t last = app_last_run(x->app, x->plan);
		if (!last && diff) {
			app_say("--diff last: there is no run of %.*s/%.*s here yet", STR_ARG(x->plan->component->name),
				STR_ARG(x->plan->dataflow->name));
			return EXIT_INVALID;
		}
		if (!last)
			return EXIT_OK;
		(void)snprintf(number, sizeof(number), "%lld", (long long)last);
		diff = number;
	}
	int code = recalled_open(&x->run, x->app, diff);
	x->has_run = code == EXIT_OK;
	if (code == EXIT_OK || x->wish->diff)
		return code;
	app_say("so the plan stands alone"); /* nobody asked for that run */
	return EXIT_OK;
}

static int planning_go(struct planning *x, int64_t *ret_run)
{
	int code = beside_open(x);
	if (code != EXIT_OK)
		return code;
	if (plan_play(x) < 0) {
		app_say("%s", x->e.msg);
		return app_refusal(EXIT_INVALID);
	}
	if (x->format == FORMAT_PRETTY)
		all_print(x);
	else
		all_write(x);
	return x->wish->send ? plan_send(x, ret_run) : EXIT_OK;
}

int app_run_plan(struct app *a, const struct plan_wish *wish, int64_t *ret_run)
{
	struct planning x = { .app = a, .wish = wish, .plan = wish->plan, .format = FORMAT_PRETTY };
	x.to = wish->send ? stderr : stdout; /* where a run follows, stdout is its items' */
	x.color = app_color(&a->flags, wish->send ? 2 : 1);
	*ret_run = 0;
	if (!wish->send && wish->format && (!format_parse(wish->format, &x.format) || x.format == FORMAT_CSV))
		return app_usage(app_command("run"), "--format %s: a plan is written as json or ndjson", wish->format);
	struct cassette *tapes[] = { &x.tape, &x.now, &x.beside, &x.then };
	for (size_t i = 0; i < ARRAY_LEN(tapes); i++)
		cassette_init(tapes[i]);
	sending_init(&x.sending, a, x.plan, wish->send);
	int code = planning_go(&x, ret_run);
	sending_done(&x.sending);
	for (size_t i = ARRAY_LEN(tapes); i-- > 0;)
		cassette_done(tapes[i]);
	recalled_close(&x.run);
	return code;
}
