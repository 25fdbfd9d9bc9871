/* SPDX-License-Identifier: Apache-2.0 */
/* Dataflows as written: stages left to right, steps top to bottom. What steps mean to each other is plan.c's. */
#include "flow/component_int.h"

static const char *const dataflow_names[] = { "title", "description", "stages", NULL };
static const char *const stage_names[] = { "name", "steps", NULL };

struct flow_check {
	struct check *check;
	struct dataflow *flow;
	struct str place;
};

static void take_text(struct flow_check *f, const struct value *step, const char *name, struct str place,
		      struct str *ret)
{
	const struct value *v = check_kind(f->check, step, name, VALUE_STRING, place);
	*ret = v ? value_text(v) : STR("");
}

static void check_step_name(struct flow_check *f, const struct value *step, struct step_source *s, size_t number)
{
	struct check *k = f->check;
	const struct value *name = value_get_c(step, "name");
	struct str place = check_place(k, "%.*s, step %zu", STR_ARG(f->place), number);
	take_text(f, step, "name", place, &s->name);
	if (!name || name->kind == VALUE_NULL) {
		COMPLAIN(k, step, place, "the step has no \"name\"");
		return;
	}
	if (name->kind != VALUE_STRING || !check_name(k, s->name, name, place, "the step's name"))
		return;
	for (size_t i = 0; i < f->flow->n_steps; i++) {
		if (str_eq(f->flow->steps[i].name, s->name)) {
			COMPLAIN(k, name, f->place, "two steps are called \"%.*s\"; give one of them another name",
				 CLIP(s->name));
			return;
		}
	}
}

static void check_step(struct flow_check *f, const struct value *step, size_t stage_index)
{
	struct check *k = f->check;
	struct dataflow *flow = f->flow;
	struct step_source *s = &flow->steps[flow->n_steps];
	if (step->kind != VALUE_OBJECT) {
		COMPLAIN(k, step, f->place, "a step must be an object: { name: input, kind: get_action_model }");
		return;
	}
	*s = (struct step_source){ .stage = flow->stages[stage_index], .stage_index = stage_index, .settings = step };
	check_step_name(f, step, s, flow->n_steps + 1);
	struct str place = check_place(k, "%.*s, step \"%.*s\"", STR_ARG(f->place), CLIP(s->name));
	s->title = check_title(k, step, "title", place);
	(void)check_title(k, step, "notes", place);
	take_text(f, step, "kind", place, &s->kind_name);
	take_text(f, step, "source_step", place, &s->source_step);
	if (!value_get_c(step, "kind"))
		COMPLAIN(k, step, place, "the step has no \"kind\"; write what it does, such as kind: execute_script");
	flow->n_steps++;
}

static void check_stage_name(struct flow_check *f, const struct value *stage, size_t i)
{
	struct check *k = f->check;
	const struct value *name = check_kind(k, stage, "name", VALUE_STRING, f->place);
	struct str s = name ? value_text(name) : STR("");
	f->flow->stages[i] = s;
	if (!s.len) {
		if (name || !value_get_c(stage, "name"))
			COMPLAIN(k, stage, f->place, "the stage has no \"name\"");
		return;
	}
	if (s.len > 4 * STAGE_NAME_MAX)
		COMPLAIN(k, name, f->place, "the stage's name is too long; at most %d characters", STAGE_NAME_MAX);
	for (size_t j = 0; j < i; j++) {
		if (str_eq(f->flow->stages[j], s)) {
			COMPLAIN(k, name, f->place, "two stages are called \"%.*s\"; give one of them another name",
				 CLIP(s));
			return;
		}
	}
}

static const struct value *steps_of(const struct value *stage)
{
	const struct value *steps = value_get_c(stage, "steps");
	return value_is(steps, VALUE_ARRAY) ? steps : NULL;
}

/* Room for all steps at once, so that they are an array. */
static bool make_room(struct flow_check *f, const struct value *stages)
{
	struct check *k = f->check;
	size_t n = 0;
	for (uint32_t i = 0; i < stages->len; i++)
		n += steps_of(&stages->items[i]) ? steps_of(&stages->items[i])->len : 0;
	if (n > STEPS_MAX || stages->len > STEPS_MAX) {
		COMPLAIN(k, stages, f->place, "%zu steps in %u stages; a dataflow has at most %d", n, stages->len,
			 STEPS_MAX);
		return false;
	}
	f->flow->steps = ARENA_ARRAY(k->arena, struct step_source, n ? n : 1);
	f->flow->stages = ARENA_ARRAY(k->arena, struct str, stages->len ? stages->len : 1);
	return f->flow->steps && f->flow->stages;
}

static void check_stages(struct flow_check *f, const struct value *stages)
{
	struct check *k = f->check;
	if (!make_room(f, stages))
		return;
	for (uint32_t i = 0; i < stages->len; i++) {
		const struct value *stage = &stages->items[i];
		f->flow->n_stages = i + 1;
		if (stage->kind != VALUE_OBJECT) {
			COMPLAIN(k, stage, f->place, "a stage must be an object: { name: Input, steps: [ ... ] }");
			continue;
		}
		check_known(k, stage, stage_names, f->place);
		check_stage_name(f, stage, i);
		const struct value *steps = check_kind(k, stage, "steps", VALUE_ARRAY, f->place);
		for (uint32_t j = 0; steps && j < steps->len; j++)
			check_step(f, &steps->items[j], i);
	}
}

static void check_dataflow(struct check *k, const struct member *m)
{
	struct dataflow *flow = &k->component->dataflows[k->component->n_dataflows];
	struct flow_check f = { .check = k, .flow = flow, .place = check_place(k, "dataflow \"%.*s\"", CLIP(m->key)) };
	*flow = (struct dataflow){ .name = m->key };
	if (m->value.kind != VALUE_OBJECT) {
		COMPLAIN(k, &m->value, f.place, "a dataflow must be an object with \"stages\"");
		return;
	}
	if (!check_name(k, m->key, &m->value, STR("dataflows"), "the dataflow's name"))
		return;
	k->component->n_dataflows++;
	check_known(k, &m->value, dataflow_names, f.place);
	flow->title = check_title(k, &m->value, "title", f.place);
	(void)check_title(k, &m->value, "description", f.place);
	size_t before = k->complaints->n + k->complaints->dropped;
	const struct value *stages = check_kind(k, &m->value, "stages", VALUE_ARRAY, f.place);
	if (stages)
		check_stages(&f, stages);
	if (flow->n_steps == 0 && before == k->complaints->n + k->complaints->dropped)
		COMPLAIN(k, &m->value, f.place,
			 "the dataflow has no steps; begin with stages: [ { name: Input, steps: [ ... ] } ]");
}

void check_dataflows(struct check *k, const struct value *dataflows)
{
	if (!dataflows)
		return;
	k->component->dataflows = ARENA_ARRAY(k->arena, struct dataflow, dataflows->len ? dataflows->len : 1);
	for (uint32_t i = 0; k->component->dataflows && i < dataflows->len; i++)
		check_dataflow(k, &dataflows->members[i]);
}
