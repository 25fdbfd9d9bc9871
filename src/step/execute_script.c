/* SPDX-License-Identifier: Apache-2.0 */
/* execute_script: JavaScript over each item, in the jailed workers. */
#include "step/step_int.h"

struct execute_script_opts {
	struct str script;
};

static const struct opt execute_script_rows[] = {
	OPT_STRING(struct execute_script_opts, script, OPT_REQUIRED | OPT_SCRIPT, NULL, 1, SCRIPT_SOURCE_MAX,
		   "JavaScript over `item`: change it, or return another object."),
	OPT_END,
};

static int execute_script_compile(struct compile *c, struct plan_step *s)
{
	const struct execute_script_opts *o = s->opts;
	struct err e = ERR_INIT;
	struct step_scripts *scripts = ARENA_NEW(c->arena, struct step_scripts);
	if (!scripts)
		return compile_complain(c, NULL, NULL, "out of memory");
	s->compiled = scripts;
	scripts->program = script_program_new(SCRIPT_ITEM, &o->script, 1, step_program_name(c, s), &e);
	return scripts->program ? 0 : compile_complain(c, value_get_c(s->source_text->settings, "script"), "script", "%s", e.msg);
}

static void on_result(struct step *s, struct item *it, const struct script_result *result)
{
	if (result->error) {
		batch_fail_item(s, it, result);
		return;
	}
	it->root = result->value;
	step_pass(s, it);
}

static int execute_script_open(struct step *s, struct err *e)
{
	struct step_scripts *scripts = step_plan(s)->compiled;
	step_set_state(s, batch_new(s, scripts->program, on_result));
	return step_state(s) ? 0 : err_set(e, ERR_NO_MEMORY, "out of memory");
}

static enum verdict execute_script_start(struct step *s, struct item *it)
{
	batch_add(step_state(s), it);
	return STEP_WAIT;
}

static void execute_script_flush(struct step *s)
{
	batch_flush(step_state(s));
}

/* After an error some of the items rest on a call that was made, and go on to their end; a resumed run has them all. */
static void execute_script_stop(struct step *s)
{
	if (step_is_leaving(s))
		batch_stop(step_state(s), step_drop);
}

static void execute_script_close(struct step *s)
{
	batch_free(step_state(s));
	step_set_state(s, NULL);
}

const struct kind step_execute_script = {
	.name = "execute_script",
	.title = "Execute script",
	.brief = "Runs JavaScript over each item: prepares variables, reshapes answers.",
	.group = KIND_SHAPE,
	.opts = execute_script_rows,
	.opts_size = sizeof(struct execute_script_opts),
	.compile = execute_script_compile,
	.release = step_scripts_release,
	.open = execute_script_open,
	.start = execute_script_start,
	.flush = execute_script_flush,
	.stop = execute_script_stop,
	.close = execute_script_close,
};
