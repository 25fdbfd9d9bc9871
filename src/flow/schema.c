/* SPDX-License-Identifier: Apache-2.0 */
/* The component file as JSON Schema: what editors complete by, and `weir schema component` prints. */
#include "base/json.h"
#include "flow/component_int.h"

/* The fixed parts stand in files of their own; systems, fields and the settings of the kinds are put in below. */
__asm__(".section .rodata\n"
	".global schema_frame\nschema_frame:\n.incbin \"" __FILE__ ".json\"\n.byte 0\n"
	".global schema_step\nschema_step:\n.incbin \"" __FILE__ ".step.json\"\n.byte 0\n"
	".previous\n");
extern const char schema_frame[], schema_step[];

struct maker {
	struct arena *arena;
	int failed;
};

static struct value parsed(struct maker *m, const char *text)
{
	struct value v = VALUE_NONE;
	if (m->failed == 0)
		m->failed = json_parse(m->arena, str_c(text), NULL, &v, NULL, NULL);
	return v;
}

static void put(struct maker *m, struct value *object, const char *key, struct value v)
{
	if (m->failed == 0)
		m->failed = v.kind == VALUE_ABSENT ? -ERR_NO_MEMORY : value_set(m->arena, object, str_c(key), v);
}

static void push(struct maker *m, struct value *array, struct value v)
{
	if (m->failed == 0)
		m->failed = v.kind == VALUE_ABSENT ? -ERR_NO_MEMORY : value_push(m->arena, array, v);
}

static struct value text(const char *s)
{
	return value_string(str_c(s));
}

/* The settings of one kind beside those that every step has. */
static struct value kind_schema(struct maker *m, const struct kind *kind)
{
	static const struct opt none[] = { OPT_END };
	struct value schema = VALUE_NONE, required = value_array();
	if (m->failed == 0)
		m->failed = opt_schema(kind->opts ? kind->opts : none, m->arena, &schema);
	if (m->failed < 0)
		return VALUE_NONE;
	struct value properties = parsed(m, schema_step);
	const struct value *own = value_get_c(&schema, "properties");
	for (uint32_t i = 0; m->failed == 0 && own && i < own->len; i++)
		m->failed = value_set(m->arena, &properties, own->members[i].key, own->members[i].value);
	if (kind->is_source && m->failed == 0) {
		(void)value_remove(&properties, STR("source_step"));
		(void)value_remove(&properties, STR("source_output"));
	}
	push(m, &required, text("name"));
	push(m, &required, text("kind"));
	if (!kind->is_source)
		push(m, &required, text("source_step"));
	const struct value *asked = value_get_c(&schema, "required");
	for (uint32_t i = 0; asked && i < asked->len; i++)
		push(m, &required, asked->items[i]);
	put(m, &schema, "properties", properties);
	put(m, &schema, "required", required);
	if (kind->title)
		put(m, &schema, "title", text(kind->title));
	if (kind->brief)
		put(m, &schema, "description", text(kind->brief));
	return schema;
}

/* if kind is X then the settings of X: so a complaint is about the kind that was meant, not about all. */
static struct value condition(struct maker *m, const struct kind *kind)
{
	struct value rule = value_object();
	struct value when = parsed(m, "{\"properties\":{\"kind\":{}},\"required\":[\"kind\"]}");
	struct value then = value_object();
	const char *ref = arena_printf(m->arena, "#/$defs/step_%s", kind->name);
	if (!ref || m->failed < 0)
		return VALUE_NONE;
	put(m, value_get_c(value_get_c(&when, "properties"), "kind"), "const", text(kind->name));
	put(m, &then, "$ref", text(ref));
	put(m, &rule, "if", when);
	put(m, &rule, "then", then);
	return rule;
}

static void add_steps(struct maker *m, const struct flow_env *env, struct value *defs)
{
	struct value step =
	    parsed(m, "{\"type\":\"object\",\"required\":[\"name\",\"kind\"],\"properties\":{\"kind\":{}}}");
	struct value names = value_array(), rules = value_array();
	for (size_t i = 0; env->kinds && env->kinds[i]; i++) {
		const char *def = arena_printf(m->arena, "step_%s", env->kinds[i]->name);
		push(m, &names, text(env->kinds[i]->name));
		push(m, &rules, condition(m, env->kinds[i]));
		put(m, defs, def ? def : "", kind_schema(m, env->kinds[i]));
	}
	if (m->failed < 0)
		return;
	if (names.len) {
		put(m, value_get_c(value_get_c(&step, "properties"), "kind"), "enum", names);
		put(m, &step, "allOf", rules);
	}
	put(m, defs, "step", step);
}

int component_schema(const struct flow_env *env, struct arena *a, struct value *ret)
{
	struct maker m = { .arena = a };
	struct value schema = parsed(&m, schema_frame), field = VALUE_NONE, system = VALUE_NONE;
	struct value *defs = value_get_c(&schema, "$defs");
	if (m.failed < 0)
		return m.failed;
	m.failed = opt_schema(field_rows, a, &field);
	if (m.failed == 0 && env->system_schema)
		m.failed = env->system_schema(a, &system);
	else
		system = parsed(&m, "{\"type\":\"object\"}");
	put(&m, defs, "field", field);
	put(&m, defs, "system", system);
	add_steps(&m, env, defs);
	if (m.failed == 0)
		*ret = schema;
	return m.failed;
}
