/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans: a dataflow compiled once and read by every run of it. Each step has at most one source, so the graph is a
 * forest; a circle is found by following sources further than there are steps.
 */
#include "base/alloc.h"
#include "flow/component_int.h"

#include <stdio.h>
#include <stdlib.h>

#define PLAN_ARENA_MAX (64u << 20) /* bytes of one compiled dataflow */

static const char *const step_names[] = { "name",  "title",	   "kind", "source_step",
					  "notes", "source_output", "on_error", NULL };
static const char *const on_error_names[] = { "skip", "stop", "keep", NULL };
static const char *const source_output_names[] = { "items", "errors", NULL };
static const struct opt no_rows[] = { OPT_END };

/* A dataflow on its way to a plan; indices are those of the file until it is ordered. */
struct planner {
	struct check check; /* for its helpers */
	const struct dataflow *flow;
	const struct flow_env *env;
	struct plan *plan;
	const struct kind *kinds[STEPS_MAX];
	ptrdiff_t sources[STEPS_MAX];
	size_t order[STEPS_MAX];     /* order[new] = old */
	size_t positions[STEPS_MAX]; /* positions[old] = new */
	bool is_broken;
};

const struct kind *kind_find(const struct flow_env *env, struct str name)
{
	for (size_t i = 0; env && env->kinds && env->kinds[i]; i++) {
		if (str_eq_c(name, env->kinds[i]->name))
			return env->kinds[i];
	}
	return NULL;
}

int compile_complain(struct compile *c, const struct value *at, const char *field, const char *fmt, ...)
{
	char text[1024], place[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(place, sizeof(place), "%.*s%s%s%s", STR_ARG(c->place), field ? ", field \"" : "",
		       field ? field : "", field ? "\"" : "");
	if (!at && field)
		at = value_get_c(c->step, field);
	doc_complain(c->component->doc, c->complaints, at ? at : c->step, str_c(place), "%s", text);
	return -ERR_INVALID;
}

static struct str step_place(struct planner *p, size_t i)
{
	return check_place(&p->check, "dataflow \"%.*s\", step \"%.*s\"", CLIP(p->flow->name),
			   CLIP(p->flow->steps[i].name));
}

static void complain_step(struct planner *p, size_t i, const char *member, const char *text)
{
	const struct value *step = p->flow->steps[i].settings;
	const struct value *at = member ? value_get_c(step, member) : NULL;
	doc_complain(p->check.doc, p->check.complaints, at ? at : step, step_place(p, i), "%s", text);
	p->is_broken = true;
}

static void find_kind(struct planner *p, size_t i)
{
	const char *names[200];
	size_t n = 0;
	struct str name = p->flow->steps[i].kind_name;
	p->kinds[i] = kind_find(p->env, name);
	if (p->kinds[i])
		return;
	p->is_broken = true;
	if (!name.len)
		return; /* said when the file was checked */
	for (; p->env->kinds && p->env->kinds[n] && n < ARRAY_LEN(names); n++)
		names[n] = p->env->kinds[n]->name;
	struct str text =
	    check_place(&p->check, "unknown kind \"%.*s\"%s", CLIP(name), check_hint(&p->check, name, names, n));
	complain_step(p, i, "kind", text.ptr);
}

static ptrdiff_t find_step(const struct dataflow *flow, struct str name)
{
	for (size_t i = 0; name.len && i < flow->n_steps; i++) {
		if (str_eq(flow->steps[i].name, name))
			return (ptrdiff_t)i;
	}
	return -1;
}

static void complain_no_source(struct planner *p, size_t i)
{
	const struct dataflow *flow = p->flow;
	struct str text;
	if (i > 0 && flow->steps[i - 1].name.len)
		text = check_place(&p->check,
				   "step \"%.*s\" has no source_step; name the step whose items it takes: \"%.*s\"?",
				   CLIP(flow->steps[i].name), CLIP(flow->steps[i - 1].name));
	else
		text = check_place(&p->check,
				   "step \"%.*s\" has no source_step; name the step whose items it takes, or begin "
				   "with a step of kind get_action_model",
				   CLIP(flow->steps[i].name));
	complain_step(p, i, NULL, text.ptr);
}

static void complain_unknown_source(struct planner *p, size_t i)
{
	const char *names[STEPS_MAX];
	struct str name = p->flow->steps[i].source_step;
	for (size_t j = 0; j < p->flow->n_steps; j++)
		names[j] = arena_c(&p->check.complaints->arena, p->flow->steps[j].name);
	struct str text = check_place(&p->check, "source_step \"%.*s\" is no step of this dataflow%s", CLIP(name),
				      check_hint(&p->check, name, names, p->flow->n_steps));
	complain_step(p, i, "source_step", text.ptr);
}

static void find_source(struct planner *p, size_t i)
{
	const struct step_source *s = &p->flow->steps[i];
	const struct value *written = value_get_c(s->settings, "source_step");
	p->sources[i] = find_step(p->flow, s->source_step);
	if (p->kinds[i] && p->kinds[i]->is_source) {
		p->sources[i] = -1;
		if (s->source_step.len)
			complain_step(p, i, "source_step",
				      "a step of this kind begins the dataflow and takes no source_step; take it out");
	} else if (!s->source_step.len) {
		if (p->kinds[i] && (!written || written->kind == VALUE_NULL || written->kind == VALUE_STRING))
			complain_no_source(p, i);
	} else if (p->sources[i] == (ptrdiff_t)i) {
		complain_step(p, i, "source_step", "a step cannot be its own source_step");
	} else if (p->sources[i] < 0) {
		complain_unknown_source(p, i);
	}
}

/* "a -> b -> a": from step i along its sources back to i, in the direction in which items would flow. */
static void complain_circle(struct planner *p, size_t i)
{
	struct str text = check_place(&p->check, "%.*s", CLIP(p->flow->steps[i].name));
	size_t at = i, n = 0;
	do {
		at = (size_t)p->sources[at];
		text = check_place(&p->check, "%.*s -> %.*s", CLIP(p->flow->steps[at].name), STR_ARG(text));
	} while (at != i && ++n < 10);
	text = check_place(&p->check, "steps %.*s form a circle; let one of them take its items from a step outside",
			   STR_ARG(text));
	complain_step(p, i, "source_step", text.ptr);
}

static void find_circles(struct planner *p)
{
	bool is_said[STEPS_MAX] = { 0 };
	for (size_t i = 0; i < p->flow->n_steps; i++) {
		ptrdiff_t at = p->sources[i];
		size_t n = 0;
		while (at >= 0 && at != (ptrdiff_t)i && n++ < p->flow->n_steps)
			at = p->sources[at];
		if (at != (ptrdiff_t)i || is_said[i] || p->sources[i] == (ptrdiff_t)i)
			continue;
		complain_circle(p, i);
		do {
			is_said[at] = true;
			at = p->sources[at];
		} while (at != (ptrdiff_t)i);
	}
}

/* The order of the file, but each step after its source. What cannot be ordered (already complained of) stays in place.
 */
static void order_steps(struct planner *p)
{
	bool is_placed[STEPS_MAX] = { 0 };
	size_t n = p->flow->n_steps;
	for (size_t placed = 0; placed < n; placed++) {
		size_t i = 0;
		while (i < n && (is_placed[i] || (p->sources[i] >= 0 && !is_placed[p->sources[i]])))
			i++;
		for (size_t j = 0; i == n && j < n; j++)
			i = is_placed[j] ? n : j;
		is_placed[i] = true;
		p->order[placed] = i;
		p->positions[i] = placed;
	}
}

/* A setting with a few words to choose from; the first is the default. */
static int take_choice(struct planner *p, size_t i, const char *member, const char *const *words)
{
	const struct value *v = value_get_c(p->flow->steps[i].settings, member);
	if (!v || v->kind == VALUE_NULL)
		return 0;
	for (int w = 0; words[w]; w++) {
		if (value_is_string(v, str_c(words[w])))
			return w;
	}
	struct str text = check_place(&p->check, "%s must be %s or %s%s%s", member, words[0], words[1],
				      words[2] ? " or " : "", words[2] ? words[2] : "");
	complain_step(p, i, member, text.ptr);
	return 0;
}

/* Steps that take the items of step i, those that take what fails in it apart. */
static int link_followers(struct plan *plan, struct plan_step *s)
{
	size_t n = plan->n_steps;
	s->followers = ARENA_ARRAY(&plan->arena, size_t, n);
	s->error_followers = ARENA_ARRAY(&plan->arena, size_t, n);
	if (!s->followers || !s->error_followers)
		return -ERR_NO_MEMORY;
	for (size_t j = 0; j < n; j++) {
		if (plan->steps[j].source != (ptrdiff_t)s->index)
			continue;
		if (plan->steps[j].takes_errors)
			s->error_followers[s->n_error_followers++] = j;
		else
			s->followers[s->n_followers++] = j;
	}
	return 0;
}

static int link_steps(struct planner *p)
{
	struct plan *plan = p->plan;
	size_t n = p->flow->n_steps;
	plan->steps = ARENA_ARRAY(&plan->arena, struct plan_step, n ? n : 1);
	if (!plan->steps)
		return -ERR_NO_MEMORY;
	plan->n_steps = n;
	for (size_t i = 0; i < n; i++) {
		const struct step_source *s = &p->flow->steps[p->order[i]];
		ptrdiff_t source = p->sources[p->order[i]];
		plan->steps[i] = (struct plan_step){
			.kind = p->kinds[p->order[i]],
			.name = s->name,
			.stage = s->stage,
			.source_text = s,
			.index = i,
			.stage_index = s->stage_index,
			.source = source < 0 ? -1 : (ptrdiff_t)p->positions[source],
			.on_error = (enum on_error)take_choice(p, p->order[i], "on_error", on_error_names),
			.takes_errors = take_choice(p, p->order[i], "source_output", source_output_names) == 1,
		};
	}
	for (size_t i = 0; i < n; i++) {
		if (link_followers(plan, &plan->steps[i]) < 0)
			return -ERR_NO_MEMORY;
	}
	return 0;
}

struct opts_arg {
	struct planner *planner;
	struct str place;
};

static void on_opt_complaint(void *arg, const struct value *at, struct str name, const char *sentence)
{
	struct opts_arg *o = arg;
	doc_complain(o->planner->check.doc, o->planner->check.complaints, at, o->place, "%s", sentence);
	o->planner->is_broken = true;
}

static int compile_step(struct planner *p, struct plan_step *s)
{
	const struct kind *kind = s->kind;
	struct opts_arg arg = { p, step_place(p, (size_t)(s->source_text - p->flow->steps)) };
	s->opts = arena_zalloc(&p->plan->arena, kind->opts_size ? kind->opts_size : 1);
	if (!s->opts)
		return -ERR_NO_MEMORY;
	struct compile c = {
		.component = p->plan->component,
		.dataflow = p->flow,
		.env = p->env,
		.arena = &p->plan->arena,
		.complaints = p->check.complaints,
		.place = arg.place,
		.step = s->source_text->settings,
	};
	if (opt_load(kind->opts ? kind->opts : no_rows, c.step, step_names, s->opts, on_opt_complaint, &arg) == 0 &&
	    kind->compile && kind->compile(&c, s) < 0)
		p->is_broken = true;
	return 0;
}

static int make_plan(struct planner *p)
{
	for (size_t i = 0; i < p->flow->n_steps; i++)
		find_kind(p, i);
	for (size_t i = 0; i < p->flow->n_steps; i++)
		find_source(p, i);
	find_circles(p);
	order_steps(p);
	int r = link_steps(p);
	for (size_t i = 0; r == 0 && i < p->plan->n_steps; i++) {
		if (p->plan->steps[i].kind)
			r = compile_step(p, &p->plan->steps[i]);
	}
	if (r < 0)
		doc_complain(p->check.doc, p->check.complaints, NULL, STR(""), "out of memory");
	return r < 0 ? r : p->is_broken ? -ERR_INVALID : 0;
}

static const struct dataflow *pick_dataflow(struct check *k, struct str name)
{
	const struct dataflow *flow = component_dataflow(k->component, name);
	const char *names[100];
	size_t n = k->component->n_dataflows < ARRAY_LEN(names) ? k->component->n_dataflows : ARRAY_LEN(names);
	if (flow)
		return flow;
	for (size_t i = 0; i < n; i++)
		names[i] = arena_c(&k->complaints->arena, k->component->dataflows[i].name);
	if (name.len)
		COMPLAIN(k, NULL, STR(""), "the component has no dataflow \"%.*s\"%s", CLIP(name),
			 check_hint(k, name, names, n));
	else if (n == 0)
		COMPLAIN(k, NULL, STR(""), "the component has no dataflow");
	else
		COMPLAIN(k, NULL, STR(""), "the component has %zu dataflows; say which: \"%s\", \"%s\"%s",
			 k->component->n_dataflows, names[0], names[1], n > 2 ? ", ..." : "");
	return NULL;
}

struct plan *plan_new(struct component *k, struct str dataflow, const struct flow_env *env, struct complaints *c)
{
	struct check check = { k, k->doc, NULL, c, env };
	const struct dataflow *flow = pick_dataflow(&check, dataflow);
	if (!flow)
		return NULL;
	struct plan *plan = alloc_calloc(1, sizeof(*plan));
	struct planner *p = alloc_calloc(1, sizeof(*p));
	if (!plan || !p) {
		free(plan);
		free(p);
		doc_complain(k->doc, c, NULL, STR(""), "out of memory");
		return NULL;
	}
	arena_init(&plan->arena, PLAN_ARENA_MAX);
	plan->component = component_ref(k);
	plan->dataflow = flow;
	plan->refs = 1;
	plan->env = arena_str(&plan->arena, env->env.ptr ? env->env : STR(""));
	*p = (struct planner){ .check = check, .flow = flow, .env = env, .plan = plan };
	int r = make_plan(p);
	free(p);
	if (r == 0)
		return plan;
	plan_unref(plan);
	return NULL;
}

struct plan *plan_ref(struct plan *p)
{
	p->refs++;
	return p;
}

void plan_unref(struct plan *p)
{
	if (!p || --p->refs > 0)
		return;
	for (size_t i = 0; i < p->n_steps; i++) {
		struct plan_step *s = &p->steps[i];
		if (s->kind && s->kind->release && s->compiled)
			s->kind->release(s);
	}
	component_unref(p->component);
	arena_done(&p->arena);
	free(p);
}
