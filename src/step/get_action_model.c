/* SPDX-License-Identifier: Apache-2.0 */
/* get_action_model: where data comes in; checks item.data against the component's model. */
#include "step/step_int.h"

#include "base/json.h"

struct get_action_model_opts {
	bool validate;
	bool from_text;
};

static const struct opt get_action_model_rows[] = {
	OPT_BOOL(struct get_action_model_opts, validate, "true", "Check the data against the model: required fields, types, limits."),
	OPT_BOOL(struct get_action_model_opts, from_text, "true", "Turn text into the field's type (forms and CSV give text)."),
	OPT_END,
};

struct refusal {
	struct item *it;
	struct value errors;
	struct buf text;
};

static void refuse(void *arg, struct str field, const char *sentence)
{
	struct refusal *x = arg;
	struct arena *a = &x->it->arena;
	struct buf pointer;
	buf_init(&pointer, 1024);
	(void)buf_append_c(&pointer, "/data");
	(void)json_pointer_append(&pointer, field);
	struct value error = value_object();
	(void)value_set(a, &error, STR("pointer"), value_string_copy(a, buf_str(&pointer)));
	(void)value_set(a, &error, STR("detail"), value_string_copy(a, str_c(sentence)));
	(void)value_push(a, &x->errors, error);
	(void)buf_printf(&x->text, "%s%s", x->text.len ? "; " : "", sentence);
	buf_done(&pointer);
}

static enum verdict get_action_model_start(struct step *s, struct item *it)
{
	const struct get_action_model_opts *o = step_opts(s);
	const struct value *data = value_get_c(&it->root, "data");
	struct value checked = VALUE_NONE;
	if (!o->validate)
		return STEP_DONE;
	struct refusal x = { .it = it, .errors = value_array() };
	buf_init(&x.text, 768); /* the sentence for people; the list has them all */
	unsigned n = model_check(step_plan_component(s), data, o->from_text ? MODEL_FROM_TEXT : 0, &it->arena, &checked, refuse, &x);
	if (n) {
		(void)step_problem(s, it, "invalid_input", "The data does not fit the model", "%.*s", STR_ARG(buf_str(&x.text)));
		(void)value_set(&it->arena, &it->problem, STR("errors"), x.errors);
		buf_done(&x.text);
		return STEP_FAIL;
	}
	buf_done(&x.text);
	(void)value_set(&it->arena, &it->root, STR("data"), checked);
	return STEP_DONE;
}

const struct kind step_get_action_model = {
	.name = "get_action_model",
	.title = "Get action model",
	.brief = "Takes the data that a form, a caller or a file brings, and checks it against the model.",
	.group = KIND_INPUT,
	.is_source = true,
	.opts = get_action_model_rows,
	.opts_size = sizeof(struct get_action_model_opts),
	.start = get_action_model_start,
};
