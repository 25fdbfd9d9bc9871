/* SPDX-License-Identifier: Apache-2.0 */
#include "step/steps.h"

#include "step/step_int.h"

#define STEP(name) extern const struct kind step_##name;
#include "step/steps.def"
#undef STEP

const struct kind *const step_kinds[] = {
#define STEP(name) &step_##name,
#include "step/steps.def"
#undef STEP
	NULL,
};

struct system_check {
	const struct doc *doc;
	struct complaints *complaints;
	struct str place;
};

void step_complain_call(void *arg, const struct value *at, const char *field, const char *sentence)
{
	struct compile *c = arg;
	(void)compile_complain(c, at, field, "%s", sentence);
}

static void complain_system(void *arg, const struct value *at, const char *field, const char *sentence)
{
	struct system_check *check = arg;
	if (field && *field)
		doc_complain(check->doc, check->complaints, at, check->place, "%s: %s", field, sentence);
	else
		doc_complain(check->doc, check->complaints, at, check->place, "%s", sentence);
}

static int check_system(const struct doc *doc, struct str name, const struct value *system, const struct flow_env *env,
			struct complaints *c)
{
	char place[NAME_MAX_BYTES + 16];
	(void)snprintf(place, sizeof(place), "system \"%.*s\"", STR_ARG(name));
	struct system_check check = { .doc = doc, .complaints = c, .place = str_c(place) };
	return call_system_check(system, env->env, complain_system, &check) ? -ERR_INVALID : 0;
}

struct flow_env step_flow_env(struct str environment)
{
	return (struct flow_env){
		.kinds = step_kinds,
		.env = environment,
		.check_system = check_system,
		.system_schema = call_system_schema,
	};
}

bool step_next_program(const struct plan *p, size_t *pos, struct script_program **ret_program,
		       const struct plan_step **ret_step)
{
	size_t at = 0;
	for (size_t i = 0; i < p->n_steps; i++)
		for (struct step_scripts *scripts = p->steps[i].compiled; scripts; scripts = scripts->more) {
			if (at++ < *pos || !scripts->program)
				continue;
			*pos = at;
			*ret_program = scripts->program;
			*ret_step = &p->steps[i];
			return true;
		}
	return false;
}

const char *step_program_name(struct compile *c, const struct plan_step *s)
{
	return arena_printf(c->arena, "step \"%.*s\"", STR_ARG(s->name));
}

int step_mapping_compile(struct compile *c, const struct plan_step *step, struct step_scripts *scripts,
			 const struct value *v, const char *field)
{
	struct err e = ERR_INIT;
	struct str sources[MAPPING_SCRIPTS_MAX];
	const char *name = arena_printf(c->arena, "%s, %s", step_program_name(c, step), field);
	scripts->mapping = mapping_compile(c->arena, v, &e);
	if (!scripts->mapping)
		return compile_complain(c, v, field, "%s", e.msg);
	size_t n = mapping_scripts(scripts->mapping);
	if (!n)
		return 0;
	for (size_t i = 0; i < n; i++)
		sources[i] = mapping_script(scripts->mapping, i);
	scripts->program = script_program_new(SCRIPT_EXPRS, sources, n, name, &e);
	return scripts->program ? 0 : compile_complain(c, v, field, "%s", e.msg);
}

void step_scripts_release(struct plan_step *s)
{
	for (struct step_scripts *scripts = s->compiled; scripts; scripts = scripts->more)
		if (scripts->program)
			script_program_unref(TAKE(scripts->program));
}

struct value step_err_problem(struct step *s, struct item *it, const char *type, const char *title, const struct err *e)
{
	struct buf text;
	buf_init(&text, ERR_MSG_MAX + NAME_MAX_BYTES + 16);
	(void)buf_printf(&text, "step \"%.*s\": %s", STR_ARG(step_plan(s)->name), e->msg);
	struct value p = call_problem(&it->arena, type, title, arena_str(&it->arena, buf_str(&text)), 0);
	buf_done(&text);
	return p;
}
