/* SPDX-License-Identifier: Apache-2.0 */
/* The model's rows and the forms that show them. */
#include "flow/component_int.h"

#define X(name) #name,
const char *const field_type_names[] = { FIELD_TYPES(X) NULL };
#undef X

/* A row of the model as written; the rest of struct field is made of it. */
struct field_opts {
	struct str name;
	int type;
	bool required, primary_key, query;
	const struct value *title, *help, *unit, *fallback, *choices, *minimum, *maximum;
	int64_t min_length, max_length;
};

#define LANGUAGES                                                                                                      \
	"{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"}}]}"
#define LENGTH_MAX 10000000

/* "default" and "enum" are words of C: their members are called otherwise, so they have no macro. */
const struct opt field_rows[] = {
	OPT_STRING(struct field_opts, name, OPT_REQUIRED, NULL, 1, NAME_MAX_BYTES,
		   "Name of the field: item.data.<name>."),
	{ "type", OPT_T_ENUM, OPT_AT(struct field_opts, type, int), OPT_REQUIRED, NULL, 0, 0, field_type_names, NULL,
	  "What the field holds." },
	OPT_VALUE(struct field_opts, title, 0, LANGUAGES, "Label for people, one text or one by language."),
	OPT_VALUE(struct field_opts, help, 0, LANGUAGES, "A sentence below the field."),
	OPT_BOOL(struct field_opts, required, "false", "The field must not be left empty."),
	OPT_BOOL(struct field_opts, primary_key, "false",
		 "Entries with the same value are the same entry; at most one field."),
	OPT_BOOL(struct field_opts, query, "false", "Entries can be searched by this field."),
	OPT_VALUE(struct field_opts, unit, 0, "{\"type\":\"string\"}", "Unit shown behind numbers: \"°C\"."),
	{ "default", OPT_T_VALUE, OPT_AT(struct field_opts, fallback, const struct value *), 0, NULL, 0, 0, NULL, NULL,
	  "Value that a form begins with." },
	{ "enum", OPT_T_VALUE, OPT_AT(struct field_opts, choices, const struct value *), 0, NULL, 0, 0, NULL,
	  "{\"type\":\"array\",\"minItems\":1}", "The values allowed: a list of values, or of { value, title }." },
	OPT_VALUE(struct field_opts, minimum, 0, "{\"type\":\"number\"}", "Least number allowed."),
	OPT_VALUE(struct field_opts, maximum, 0, "{\"type\":\"number\"}", "Greatest number allowed."),
	OPT_INT(struct field_opts, min_length, "0", 0, LENGTH_MAX,
		"Least number of characters, or of items in an array."),
	OPT_INT(struct field_opts, max_length, "0", 0, LENGTH_MAX,
		"Greatest number of characters, or of items in an array; 0 = no limit."),
	OPT_END,
};

const char *field_type_name(enum field_type t)
{
	return (size_t)t < ARRAY_LEN(field_type_names) - 1 ? field_type_names[t] : "unknown";
}

struct row_arg {
	struct check *check;
	struct str place;
};

static void on_row_complaint(void *arg, const struct value *at, struct str name, const char *sentence)
{
	struct row_arg *r = arg;
	COMPLAIN(r->check, at, r->place, "%s", sentence);
}

static void check_limits(struct check *k, const struct value *row, const struct field_opts *o, struct field *f,
			 struct str place)
{
	bool is_number = f->type == FIELD_number || f->type == FIELD_integer;
	bool has_length = !is_number && f->type != FIELD_boolean;
	f->has_minimum = o->minimum && value_to_double(o->minimum, &f->minimum);
	f->has_maximum = o->maximum && value_to_double(o->maximum, &f->maximum);
	f->min_length = (uint64_t)o->min_length;
	f->max_length = (uint64_t)o->max_length;
	if ((o->minimum && !f->has_minimum) || (o->maximum && !f->has_maximum))
		COMPLAIN(k, o->minimum && !f->has_minimum ? o->minimum : o->maximum, place,
			 "\"minimum\" and \"maximum\" must be numbers");
	else if (!is_number && (o->minimum || o->maximum))
		COMPLAIN(k, o->minimum ? o->minimum : o->maximum, place,
			 "\"minimum\" and \"maximum\" are for number and integer; for the length of a text write "
			 "min_length, max_length");
	else if (f->has_minimum && f->has_maximum && f->minimum > f->maximum)
		COMPLAIN(k, o->minimum, place, "\"minimum\" is greater than \"maximum\"");
	if (!has_length && (f->min_length || f->max_length))
		COMPLAIN(
		    k, row, place,
		    "\"min_length\" and \"max_length\" are for texts and arrays; for numbers write minimum, maximum");
	else if (f->max_length && f->min_length > f->max_length)
		COMPLAIN(k, row, place, "\"min_length\" is greater than \"max_length\"");
}

static void check_choices(struct check *k, const struct value *row, const struct value *choices, struct field *f,
			  struct str place)
{
	bool is_number = f->type == FIELD_number || f->type == FIELD_integer;
	enum value_kind wanted = is_number ? VALUE_NUMBER : VALUE_STRING;
	if (!choices) {
		if (f->type == FIELD_catalog)
			COMPLAIN(k, row, place,
				 "a catalog needs \"enum\", the list of what it may be: enum: [small, large]");
		return;
	}
	if (choices->kind != VALUE_ARRAY || choices->len == 0) {
		COMPLAIN(k, choices, place, "\"enum\" must be a list of values: [small, large]");
		return;
	}
	f->choices = choices;
	for (uint32_t i = 0; i < choices->len; i++) {
		const struct value *v = &choices->items[i];
		if (v->kind == VALUE_OBJECT)
			(void)check_title(k, v, "title", place);
		const struct value *it = v->kind == VALUE_OBJECT ? value_get_c(v, "value") : v;
		if (!value_is(it, wanted))
			COMPLAIN(k, v, place, "\"enum\" of this field is a list of %s; %s",
				 is_number ? "numbers" : "texts",
				 is_number ? "write them without quotes" : "put what reads otherwise in quotes");
	}
}

static void check_field(struct check *k, const struct value *row, struct field *f)
{
	struct field_opts o = { 0 };
	const struct value *name = value_get_c(row, "name");
	struct str shown = value_is(name, VALUE_STRING) ? value_text(name) : STR("?");
	struct row_arg arg = { k, check_place(k, "model, field \"%.*s\"", CLIP(shown)) };
	size_t before = k->complaints->n + k->complaints->dropped;
	f->source = row;
	if (opt_load(field_rows, row, NULL, &o, on_row_complaint, &arg) && !o.name.len)
		return;
	if (!check_name(k, o.name, name, arg.place, "the field's name"))
		return;
	if (component_field(k->component, o.name))
		COMPLAIN(k, name, arg.place, "the name stands twice in the model; give one of them another");
	f->name = o.name;
	f->type = (enum field_type)o.type;
	f->required = o.required;
	f->primary_key = o.primary_key;
	f->query = o.query;
	f->title = check_title(k, row, "title", arg.place);
	(void)check_title(k, row, "help", arg.place);
	(void)check_kind(k, row, "unit", VALUE_STRING, arg.place);
	if (k->complaints->n + k->complaints->dropped != before)
		return;
	check_limits(k, row, &o, f, arg.place);
	check_choices(k, row, o.choices, f, arg.place);
}

void check_model(struct check *k, const struct value *model)
{
	const struct value *first_key = NULL;
	if (!model)
		return;
	if (model->len > FIELDS_MAX) {
		COMPLAIN(k, model, STR("model"), "%u fields; a model has at most %d", model->len, FIELDS_MAX);
		return;
	}
	k->component->fields = ARENA_ARRAY(k->arena, struct field, model->len ? model->len : 1);
	for (uint32_t i = 0; k->component->fields && i < model->len; i++) {
		const struct value *row = &model->items[i];
		struct field f = { 0 };
		if (row->kind != VALUE_OBJECT) {
			COMPLAIN(k, row, STR("model"), "a field must be an object: { name: city, type: string }");
			continue;
		}
		check_field(k, row, &f);
		if (f.primary_key && first_key)
			COMPLAIN(k, row, STR("model"),
				 "a second primary_key; a model has at most one (keys of several fields are not "
				 "possible yet)");
		if (f.primary_key)
			first_key = row;
		if (f.name.len)
			k->component->fields[k->component->n_fields++] = f;
	}
}

/* -- forms -- */

static const char *const form_names[] = { "title",  "description",  "fields",  "entries",
					  "submit", "submit_title", "display", NULL };

static const char *field_hint(struct check *k, struct str name)
{
	const char *names[FIELDS_MAX];
	for (size_t i = 0; i < k->component->n_fields; i++)
		names[i] = arena_c(&k->complaints->arena, k->component->fields[i].name);
	return check_hint(k, name, names, k->component->n_fields);
}

/* A list of names of fields, each once. */
static void check_field_list(struct check *k, const struct value *form, const char *member, struct str place,
			     struct str **ret, size_t *ret_n)
{
	const struct value *list = check_kind(k, form, member, VALUE_ARRAY, place);
	*ret_n = 0;
	*ret = ARENA_ARRAY(k->arena, struct str, list && list->len ? list->len : 1);
	for (uint32_t i = 0; list && *ret && i < list->len; i++) {
		const struct value *v = &list->items[i];
		struct str name = value_is(v, VALUE_STRING) ? value_text(v) : STR("");
		bool is_twice = false;
		for (size_t j = 0; j < *ret_n; j++)
			is_twice = is_twice || str_eq((*ret)[j], name);
		if (v->kind != VALUE_STRING)
			COMPLAIN(k, v, place, "\"%s\" is a list of names of the model's fields", member);
		else if (!component_field(k->component, name))
			COMPLAIN(k, v, place, "\"%s\" names \"%.*s\", which is no field of the model%s", member,
				 CLIP(name), field_hint(k, name));
		else if (is_twice)
			COMPLAIN(k, v, place, "\"%s\" names \"%.*s\" twice", member, CLIP(name));
		else
			(*ret)[(*ret_n)++] = name;
	}
}

static void check_submit(struct check *k, const struct value *form, struct form *f, struct str place)
{
	const char *names[100];
	size_t n = k->component->n_dataflows < ARRAY_LEN(names) ? k->component->n_dataflows : ARRAY_LEN(names);
	const struct value *submit = check_kind(k, form, "submit", VALUE_STRING, place);
	for (size_t i = 0; i < n; i++)
		names[i] = arena_c(&k->complaints->arena, k->component->dataflows[i].name);
	if (submit)
		f->submit = value_text(submit);
	if (!value_get_c(form, "submit"))
		COMPLAIN(k, form, place, "\"submit\" is missing; name the dataflow that takes what was filled in");
	else if (submit && !component_dataflow(k->component, f->submit))
		COMPLAIN(k, submit, place, "\"submit\" names \"%.*s\", which is no dataflow of this component%s",
			 CLIP(f->submit), check_hint(k, f->submit, names, n));
}

/* Whether the function is really there only JavaScript can tell; that its name is nowhere in the text, we can. */
static void check_display(struct check *k, const struct value *form, struct form *f, struct str place)
{
	const struct value *display = check_kind(k, form, "display", VALUE_STRING, place);
	if (!display || !display->len)
		return;
	f->display = value_text(display);
	if (!k->component->functions.len)
		COMPLAIN(k, display, place,
			 "\"display\" names the function \"%.*s\", but the component has no \"functions\"",
			 CLIP(f->display));
	else if (str_find(k->component->functions, f->display) < 0)
		COMPLAIN(k, display, place,
			 "\"display\" names \"%.*s\", which is not in \"functions\"; write function %.*s(item, "
			 "language) { ... }",
			 CLIP(f->display), CLIP(f->display));
}

void check_forms(struct check *k, const struct value *forms)
{
	if (!forms)
		return;
	k->component->forms = ARENA_ARRAY(k->arena, struct form, forms->len ? forms->len : 1);
	for (uint32_t i = 0; k->component->forms && i < forms->len; i++) {
		const struct member *m = &forms->members[i];
		struct str place = check_place(k, "form \"%.*s\"", CLIP(m->key));
		struct form f = { .name = m->key, .source = &m->value, .submit = STR(""), .display = STR("") };
		if (m->value.kind != VALUE_OBJECT) {
			COMPLAIN(k, &m->value, place,
				 "a form must be an object: { fields: [city], submit: get_weather }");
			continue;
		}
		if (!check_name(k, m->key, &m->value, STR("forms"), "the form's name"))
			continue;
		check_known(k, &m->value, form_names, place);
		(void)check_title(k, &m->value, "title", place);
		(void)check_title(k, &m->value, "description", place);
		(void)check_title(k, &m->value, "submit_title", place);
		check_field_list(k, &m->value, "fields", place, &f.fields, &f.n_fields);
		check_field_list(k, &m->value, "entries", place, &f.entries, &f.n_entries);
		check_submit(k, &m->value, &f, place);
		check_display(k, &m->value, &f, place);
		k->component->forms[k->component->n_forms++] = f;
	}
}
