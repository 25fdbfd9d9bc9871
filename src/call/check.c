/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the author of a component file what is wrong with a system or a mapping, and describes a system as JSON Schema.
 */
#include "call/body_int.h"
#include <stdio.h>

#define NAMES_MAX 64 /* parameters among which the nearest is looked for */

struct connector_text {
	const struct value *title, *description, *headers, *operations, *rules, *idempotency_key;
};

#define PEOPLE_TEXT "{\"type\":[\"string\",\"object\"]}"
#define HEADERS_SCHEMA "{\"type\":\"object\"}"

/* clang-format off */
const struct opt connector_rows[] = {
	OPT_VALUE(struct connector_text, title, 0, PEOPLE_TEXT, "Name for people."),
	OPT_VALUE(struct connector_text, description, 0, PEOPLE_TEXT, "What these operations are about."),
	OPT_VALUE(struct connector_text, headers, 0, HEADERS_SCHEMA, "Headers of every call of this connector; they win over the system's."),
	OPT_VALUE(struct connector_text, operations, 0, NULL, "What can be called: method, path and parameters."),
	OPT_VALUE(struct connector_text, rules, 0, NULL, "What answers mean; asked after the rules of the operation."),
	OPT_VALUE(struct connector_text, idempotency_key, 0, NULL,
		  "The system knows idempotency keys: each POST and PATCH of this connector carries one, unless its operation says otherwise."),
	OPT_END,
};
/* clang-format on */

/* ---- systems ---- */

static void operations_check(const struct value *list, struct told *t)
{
	if (!value_is(list, VALUE_ARRAY)) {
		tell(t, list, "operations", "operations are a list of objects with method_name and query_path");
		return;
	}
	for (uint32_t i = 0; i < list->len; i++) {
		auto_arena struct arena a;
		struct operation op;
		arena_init(&a, 0);
		if (!operation_load(&a, &list->items[i], t, &op))
			continue;
		for (uint32_t k = 0; k < i; k++) {
			enum call_method m;
			const struct value *name = value_get_c(&list->items[k], "method_name");
			if (value_is_string(value_get_c(&list->items[k], "query_path"), op.path) &&
			    value_is(name, VALUE_STRING) && call_method_parse(value_text(name), &m) && m == op.method)
				tell(t, &list->items[i], "query_path", "%s %.*s stands in this connector twice",
				     call_method_name(m), STR_ARG(op.path));
		}
	}
}

static void connector_check(const struct value *v, struct str name, struct told *t)
{
	struct connector_text text = { 0 };
	struct call_system headers = { 0 };
	auto_arena struct arena a;
	arena_init(&a, 0);
	if (!value_is(v, VALUE_OBJECT)) {
		tell_named(t, v, name, "a connector is an object like { operations: [...] }");
		return;
	}
	told_load(connector_rows, v, &text, t);
	headers_load(text.headers, t, &headers);
	rules_load(&a, text.rules, t, &headers.connector_rules);
	key_load(text.idempotency_key, t,
		 &(struct call_key){ .header = key_default.header, .replayed_header = key_default.replayed_header });
	if (text.operations)
		operations_check(text.operations, t);
}

/* ---- probes' mappings ---- */

struct probe_place {
	const struct value *probe;
	struct told *t;
};

/* What is about the mapping as a whole, which may not be there, is told at the probe. */
static void tell_of_probe(void *arg, const struct value *at, const char *field, const char *sentence)
{
	const struct probe_place *place = arg;
	tell(place->t, at ? at : place->probe, field ? field : "probe", "%s", sentence);
}

static void probe_mapping_check(const struct value *system, struct str env, struct str connector,
				const struct value *operation, struct told *t)
{
	const struct value *path = value_get_c(operation, "query_path"),
			   *method = value_get_c(operation, "method_name");
	struct probe_place place = { value_get_c(operation, "probe"), t };
	auto_arena struct arena a;
	enum call_method m;
	arena_init(&a, 0);
	if (!place.probe || !call_method_parse(value_text(method), &m))
		return;
	const struct call_spec *s =
	    call_spec_new(&a, system, STR("of the probe"), connector, value_text(path), m, env, tell_of_probe, &place);
	if (s && s->probe)
		(void)call_spec_check_mapping(s->probe->spec, s->probe->mapping, tell_of_probe, &place);
}

/* Of a system without fault: a probe's parameters are those of another operation, perhaps. */
static void probes_check(const struct value *system, struct str env, struct told *t)
{
	const struct value *connectors = value_get_c(system, "connectors");
	for (uint32_t i = 0; value_is(connectors, VALUE_OBJECT) && i < connectors->len; i++) {
		const struct value *list = value_get_c(&connectors->members[i].value, "operations");
		for (uint32_t k = 0; value_is(list, VALUE_ARRAY) && k < list->len; k++)
			probe_mapping_check(system, env, connectors->members[i].key, &list->items[k], t);
	}
}

unsigned call_system_check(const struct value *system, struct str env, call_complain *complain, void *arg)
{
	struct told t = { .complain = complain, .arg = arg };
	auto_arena struct arena a;
	struct call_system sys;
	arena_init(&a, 0);
	(void)system_load(&a, system, env, &t, &sys);
	const struct value *connectors = value_get_c(system, "connectors");
	for (uint32_t i = 0; value_is(connectors, VALUE_OBJECT) && i < connectors->len; i++)
		connector_check(&connectors->members[i].value, connectors->members[i].key, &t);
	if (!t.n)
		probes_check(system, env, &t);
	return t.n;
}

/* ---- schema ---- */

static int rows_schema(struct arena *a, const struct opt *rows, const char *extension, struct value *ret)
{
	int r = opt_schema(rows, a, ret);
	struct value pattern = value_object(), any = value_bool(true);
	if (r < 0 || !extension)
		return r;
	r = value_add(a, &pattern, STR("^x-"), any);
	return r < 0 ? r : value_set(a, ret, str_c(extension), pattern);
}

static int put_property(struct arena *a, struct value *schema, const char *name, struct value property)
{
	struct value *properties = value_get_c(schema, "properties");
	struct value *old = value_get_c(properties, name), *brief = value_get_c(old, "description");
	if (!properties)
		return -ERR_STATE;
	if (brief && value_is(&property, VALUE_OBJECT) && !value_get_c(&property, "description")) {
		int r = value_add(a, &property, STR("description"), *brief);
		if (r < 0)
			return r;
	}
	return value_set(a, properties, str_c(name), property);
}

static int list_of(struct arena *a, struct value item, struct value *ret)
{
	*ret = value_object();
	int r = value_add(a, ret, STR("type"), value_string(STR("array")));
	return r < 0 ? r : value_add(a, ret, STR("items"), item);
}

static int map_of(struct arena *a, struct value item, struct value *ret)
{
	*ret = value_object();
	int r = value_add(a, ret, STR("type"), value_string(STR("object")));
	return r < 0 ? r : value_add(a, ret, STR("additionalProperties"), item);
}

static int rules_schema(struct arena *a, struct value *ret)
{
	struct value rule, when;
	int r = rows_schema(a, rule_rows, "patternProperties", &rule);
	r = r < 0 ? r : rows_schema(a, rule_when_rows, "patternProperties", &when);
	r = r < 0 ? r : put_property(a, &rule, "when", when);
	return r < 0 ? r : list_of(a, rule, ret);
}

static int either(struct arena *a, struct value one, struct value other, struct value *ret)
{
	struct value both = value_array();
	*ret = value_object();
	int r = value_push(a, &both, one);
	r = r < 0 ? r : value_push(a, &both, other);
	return r < 0 ? r : value_add(a, ret, STR("anyOf"), both);
}

static int key_schema(struct arena *a, struct value *ret)
{
	struct value flag = value_object(), settings;
	int r = value_add(a, &flag, STR("type"), value_string(STR("boolean")));
	r = r < 0 ? r : rows_schema(a, key_rows, "patternProperties", &settings);
	return r < 0 ? r : either(a, flag, settings, ret);
}

static int conditions_schema(struct arena *a, struct value *ret)
{
	struct value one, item, list;
	int r = rows_schema(a, rule_when_rows, "patternProperties", &one);
	r = r < 0 ? r : rows_schema(a, rule_when_rows, "patternProperties", &item);
	r = r < 0 ? r : list_of(a, item, &list);
	return r < 0 ? r : either(a, one, list, ret);
}

static int probe_schema(struct arena *a, struct value *ret)
{
	struct value done, not_done;
	int r = rows_schema(a, probe_rows, "patternProperties", ret);
	r = r < 0 ? r : conditions_schema(a, &done);
	r = r < 0 ? r : conditions_schema(a, &not_done);
	r = r < 0 ? r : put_property(a, ret, "done_when", done);
	return r < 0 ? r : put_property(a, ret, "not_done_when", not_done);
}

static int operation_schema(struct arena *a, struct value *ret)
{
	struct value parameter, parameters, body, rules, key, probe;
	int r = rows_schema(a, operation_rows, "patternProperties", ret);
	r = r < 0 ? r : rows_schema(a, parameter_rows, "patternProperties", &parameter);
	r = r < 0 ? r : list_of(a, parameter, &parameters);
	r = r < 0 ? r : rows_schema(a, request_body_rows, NULL, &body);
	r = r < 0 ? r : rules_schema(a, &rules);
	r = r < 0 ? r : key_schema(a, &key);
	r = r < 0 ? r : probe_schema(a, &probe);
	r = r < 0 ? r : put_property(a, ret, "rules", rules);
	r = r < 0 ? r : put_property(a, ret, "idempotency_key", key);
	r = r < 0 ? r : put_property(a, ret, "probe", probe);
	r = r < 0 ? r : put_property(a, ret, "parameters", parameters);
	return r < 0 ? r : put_property(a, ret, "request_body", body);
}

int call_system_schema(struct arena *a, struct value *ret)
{
	struct value schema, limits, tls, proxy, connector, connectors, operation, operations, rules, connector_rules,
	    connector_key;
	int r = rows_schema(a, system_rows, NULL, &schema);
	r = r < 0 ? r : rows_schema(a, limit_rows, NULL, &limits);
	r = r < 0 ? r : rows_schema(a, tls_rows, NULL, &tls);
	r = r < 0 ? r : rows_schema(a, proxy_rows, NULL, &proxy);
	r = r < 0 ? r : rows_schema(a, connector_rows, NULL, &connector);
	r = r < 0 ? r : operation_schema(a, &operation);
	r = r < 0 ? r : list_of(a, operation, &operations);
	r = r < 0 ? r : put_property(a, &connector, "operations", operations);
	r = r < 0 ? r : rules_schema(a, &connector_rules);
	r = r < 0 ? r : put_property(a, &connector, "rules", connector_rules);
	r = r < 0 ? r : key_schema(a, &connector_key);
	r = r < 0 ? r : put_property(a, &connector, "idempotency_key", connector_key);
	r = r < 0 ? r : rules_schema(a, &rules);
	r = r < 0 ? r : put_property(a, &schema, "rules", rules);
	r = r < 0 ? r : map_of(a, connector, &connectors);
	r = r < 0 ? r : put_property(a, &schema, "limits", limits);
	r = r < 0 ? r : put_property(a, &schema, "tls", tls);
	r = r < 0 ? r : put_property(a, &schema, "proxy", proxy);
	r = r < 0 ? r : put_property(a, &schema, "connectors", connectors);
	if (r == 0)
		*ret = schema;
	return r;
}

/* ---- mappings ---- */

static void tell_unknown(const struct call_spec *s, struct str name, const struct value *at, struct told *t)
{
	char names[NAMES_MAX][65];
	const char *known[NAMES_MAX];
	size_t n = 0;
	for (; n < s->op.n_params && n < NAMES_MAX; n++) {
		(void)snprintf(names[n], sizeof(names[n]), "%.*s", STR_ARG(s->op.params[n].name));
		known[n] = names[n];
	}
	const char *near = opt_nearest(name, known, n);
	if (near)
		tell_named(
		    t, at, name,
		    "parameter \"%.*s\" is not known; did you mean \"%s\"? (write query.%.*s to send it all the same)",
		    STR_ARG(name), near, STR_ARG(name));
	else
		tell_named(
		    t, at, name,
		    "parameter \"%.*s\" is not among those of the operation; write query.%.*s to send it all the same",
		    STR_ARG(name), STR_ARG(name));
}

/* One row of the mapping: marks the parameter it fills. */
static void row_check(const struct call_spec *s, struct str name, const struct value *v, bool *is_filled,
		      struct told *t)
{
	struct target target;
	struct err e = ERR_INIT;
	if (target_find(s, name, &target, &e) < 0) {
		tell_named(t, v, name, "%s", e.msg);
		return;
	}
	if (target.param) {
		size_t i = (size_t)(target.param - s->op.params);
		if (is_filled[i])
			tell_named(t, v, name, "parameter \"%.*s\" (%s) is mapped twice", STR_ARG(target.name),
				   call_place_name(target.place));
		is_filled[i] = true;
		if (target.param->required && value_is_nothing(v))
			tell_named(t, v, name, "parameter \"%.*s\" (%s) is required and has no value",
				   STR_ARG(target.name), call_place_name(target.place));
	} else if (s->op.has_params && !target.has_prefix && target.place == CALL_IN_QUERY) {
		tell_unknown(s, name, v, t);
	}
}

unsigned call_spec_check_mapping(const struct call_spec *s, const struct value *mapping, call_complain *complain,
				 void *arg)
{
	struct told t = { .complain = complain, .arg = arg };
	auto_arena struct arena a;
	arena_init(&a, 0);
	bool *is_filled = ARENA_ARRAY(&a, bool, s->op.n_params + 1);
	if (!is_filled) {
		tell(&t, mapping, NULL, "out of memory");
		return t.n;
	}
	if (value_is(mapping, VALUE_STRING)) /* one expression: its value is looked at when it is there */
		return 0;
	if (!value_is_nothing(mapping) && !value_is(mapping, VALUE_OBJECT)) {
		tell(&t, mapping, NULL, "a mapping is an object of parameter: value");
		return t.n;
	}
	for (uint32_t i = 0; !value_is_nothing(mapping) && i < mapping->len; i++)
		row_check(s, mapping->members[i].key, &mapping->members[i].value, is_filled, &t);
	for (size_t i = 0; i < s->op.n_params; i++) {
		const struct param *p = &s->op.params[i];
		if (p->required && !is_filled[i])
			tell(&t, mapping, NULL, "parameter \"%.*s\" (%s) is required; map a value to it",
			     STR_ARG(p->name), call_place_name(p->place));
	}
	body_check_mapping(s, mapping, &t);
	return t.n;
}
