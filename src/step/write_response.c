/* SPDX-License-Identifier: Apache-2.0 */
/* write_response: what leaves here is the run's output: the whole item, or the fields that the step names. */
#include "step/step_int.h"

#define RESPONSE_FIELDS_MAX 200

struct write_response_opts {
	const struct value *fields;
};

static const struct opt write_response_rows[] = {
	OPT_VALUE(struct write_response_opts, fields, 0, "{\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1}}",
		  "Names of the item's fields to answer with, dots lead inside (data.city); left out: the whole item."),
	OPT_END,
};

struct response_field {
	struct str name;
	struct path *path;
};

struct response {
	struct step_scripts scripts; /* none, but every compiled kind begins so */
	struct response_field *fields;
	size_t n;
};

static int field_compile(struct compile *c, struct response *r, const struct value *v)
{
	if (v->kind != VALUE_STRING || !v->len)
		return compile_complain(c, v, "fields", "write names of fields as text, like \"data.city\"");
	struct str name = value_text(v);
	struct response_field *f = &r->fields[r->n];
	f->name = name;
	f->path = path_compile(c->arena, str_c(arena_printf(c->arena, "item.%.*s", STR_ARG(name))));
	if (!f->path)
		return compile_complain(c, v, "fields", "\"%.*s\" is no field; write names with dots, like data.city", STR_ARG(name));
	r->n++;
	return 0;
}

static int write_response_compile(struct compile *c, struct plan_step *s)
{
	const struct write_response_opts *o = s->opts;
	int rc = 0;
	if (!o->fields)
		return 0;
	if (o->fields->kind != VALUE_ARRAY || !o->fields->len || o->fields->len > RESPONSE_FIELDS_MAX)
		return compile_complain(c, o->fields, "fields", "write a list of 1 to %d field names", RESPONSE_FIELDS_MAX);
	struct response *r = ARENA_NEW(c->arena, struct response);
	if (r)
		r->fields = ARENA_ARRAY(c->arena, struct response_field, o->fields->len);
	if (!r || !r->fields)
		return compile_complain(c, NULL, NULL, "out of memory");
	for (size_t i = 0; i < o->fields->len; i++)
		rc |= field_compile(c, r, value_at(o->fields, i));
	s->compiled = r;
	return rc ? -ERR_INVALID : 0;
}

static enum verdict write_response_start(struct step *s, struct item *it)
{
	const struct response *r = step_plan(s)->compiled;
	struct err e = ERR_INIT;
	if (!r)
		return STEP_DONE;
	struct value out = value_object();
	for (size_t i = 0; i < r->n; i++) {
		const struct value *v = path_get(r->fields[i].path, &it->root);
		if (v && v->kind != VALUE_ABSENT && path_put(&it->arena, &out, r->fields[i].name, *v, &e) < 0)
			return step_problem(s, it, "bad_mapping", "The answer cannot be built", "%s", e.msg);
	}
	it->root = out;
	return STEP_DONE;
}

const struct kind step_write_response = {
	.name = "write_response",
	.title = "Write response",
	.brief = "Answers the caller, the form or the output file with the item.",
	.group = KIND_OUTPUT,
	.is_response = true,
	.opts = write_response_rows,
	.opts_size = sizeof(struct write_response_opts),
	.compile = write_response_compile,
	.start = write_response_start,
};
