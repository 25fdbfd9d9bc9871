/* SPDX-License-Identifier: Apache-2.0 */
/* Option rows as JSON Schema: what the UI draws its forms from and the reference is printed from. */
#include "base/opt_int.h"

/* Appends while all is well; the first failure sticks. */
struct builder {
	struct arena *arena;
	int failed;
};

static void add(struct builder *b, struct value *object, const char *key, struct value v)
{
	if (v.kind == VALUE_ABSENT)
		b->failed = -ERR_NO_MEMORY;
	if (b->failed == 0)
		b->failed = value_add(b->arena, object, str_c(key), v);
}

static void add_text(struct builder *b, struct value *object, const char *key, const char *text)
{
	add(b, object, key, value_string(str_c(text)));
}

static void add_written(struct builder *b, struct value *object, const char *key, const struct opt *o, int64_t n)
{
	char text[OPT_WRITTEN_MAX];
	add(b, object, key, value_string_copy(b->arena, str_c(opt_written(o, n, text))));
}

static const char *schema_type(enum opt_type t)
{
	if (t == OPT_T_BOOL)
		return "boolean";
	return t == OPT_T_INT ? "integer" : "string";
}

/* Limits of numbers and texts have words in JSON Schema; those of durations and sizes are ours to name. */
static void add_limits(struct builder *b, struct value *p, const struct opt *o)
{
	if (o->type == OPT_T_DURATION || o->type == OPT_T_SIZE) {
		bool is_duration = o->type == OPT_T_DURATION;
		add_text(b, p, "pattern",
			 is_duration ? "^(0|[0-9]+(ms|s|m|h|d))$" : "^(0|[0-9]+([kKMGT]?B|[KMGT]iB))$");
		add_text(b, p, "x-unit", is_duration ? "duration" : "size");
		if (o->min > 0)
			add_written(b, p, "x-minimum", o, o->min);
		if (o->max > 0)
			add_written(b, p, "x-maximum", o, o->max);
		return;
	}
	if ((o->type != OPT_T_INT && o->type != OPT_T_STRING) || (o->min == 0 && o->max == 0))
		return;
	bool is_int = o->type == OPT_T_INT;
	if (is_int || o->min > 0)
		add(b, p, is_int ? "minimum" : "minLength", value_int(b->arena, o->min));
	if (o->max != 0 || o->min < 0)
		add(b, p, is_int ? "maximum" : "maxLength", value_int(b->arena, o->max));
}

static void add_choices(struct builder *b, struct value *p, const struct opt *o)
{
	struct value list = value_array();
	for (int i = 0; b->failed == 0 && o->choices[i]; i++)
		b->failed = value_push(b->arena, &list, value_string(str_c(o->choices[i])));
	add(b, p, "enum", list);
}

static void add_fallback(struct builder *b, struct value *p, const struct opt *o)
{
	if (!o->fallback || o->flags & OPT_SECRET)
		return;
	if (o->type == OPT_T_BOOL)
		add(b, p, "default", value_bool(str_eq_c(STR("true"), o->fallback)));
	else if (o->type == OPT_T_INT)
		add(b, p, "default", value_number_text(str_c(o->fallback)));
	else
		add_text(b, p, "default", o->fallback);
}

static void add_flags(struct builder *b, struct value *p, const struct opt *o)
{
	static const struct {
		unsigned flag;
		const char *key;
	} words[] = {
		{ OPT_SECRET, "writeOnly" },
		{ OPT_EXPR, "x-expression" },
		{ OPT_SCRIPT, "x-script" },
		{ OPT_MAPPING, "x-mapping" },
	};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (o->flags & words[i].flag)
			add(b, p, words[i].key, value_bool(true));
}

/* One row. A VALUE row may bring its own schema, to which the sentence is added. */
static struct value property(struct builder *b, const struct opt *o)
{
	struct value p = value_object();
	if (o->type == OPT_T_VALUE) {
		if (o->schema && b->failed == 0)
			b->failed = json_parse(b->arena, str_c(o->schema), NULL, &p, NULL, NULL);
	} else {
		add_text(b, &p, "type", schema_type(o->type));
	}
	if (o->brief && p.kind == VALUE_OBJECT && !value_get_c(&p, "description"))
		add_text(b, &p, "description", o->brief);
	if (o->type == OPT_T_ENUM)
		add_choices(b, &p, o);
	add_limits(b, &p, o);
	add_fallback(b, &p, o);
	if (p.kind == VALUE_OBJECT)
		add_flags(b, &p, o);
	return p;
}

int opt_schema(const struct opt *rows, struct arena *a, struct value *ret)
{
	struct builder b = { .arena = a };
	struct value schema = value_object(), properties = value_object(), required = value_array();
	for (const struct opt *o = rows; o->name && b.failed == 0; o++) {
		add(&b, &properties, o->name, property(&b, o));
		if (o->flags & OPT_REQUIRED && b.failed == 0)
			b.failed = value_push(a, &required, value_string(str_c(o->name)));
	}
	add_text(&b, &schema, "type", "object");
	add(&b, &schema, "properties", properties);
	if (required.len > 0)
		add(&b, &schema, "required", required);
	add(&b, &schema, "additionalProperties", value_bool(false));
	if (b.failed == 0)
		*ret = schema;
	return b.failed;
}
