/* SPDX-License-Identifier: Apache-2.0 */
/* Components: what is accepted, and each complaint with its place. */
#include "flow/component.h"
#include "base/json.h"
#include "flow_test.h"

#define HEAD "weir: 1\ncomponent: c\n"
/* Line 3 on: a model with city, a dataflow with input -> a -> b. */
#define FLOW(steps) HEAD "dataflows:\n  d:\n    stages:\n      - name: S\n        steps:\n" steps
#define IN "          - { name: in, kind: get_action_model }\n"
#define MODEL                                                                                                          \
	HEAD "model: [{ name: city, type: string }]\ndataflows: { d: { stages: [{ name: S, steps: [{ name: in, kind: " \
	     "get_action_model }] }] } }\n"

struct bad {
	const char *text;
	unsigned line, column;
	const char *place, *fragment;
};

static void check_bad(const struct bad *t)
{
	struct complaints c;
	complaints_init(&c);
	struct component *k = component_of(t->text, &test_env, &c);
	if (k)
		fail_msg("accepted:\n%s", t->text);
	if (c.n != 1 || c.items[0].line != t->line || c.items[0].column != t->column ||
	    !str_eq_c(c.items[0].place, t->place) || !has_text(c.items[0].text, t->fragment))
		fail_msg("%s\n%zu complaints: %s\nwanted %u:%u: %s: %s", t->text, c.n, complaint_line(&c, 0), t->line,
			 t->column, t->place, t->fragment);
	complaints_done(&c);
}

static void check_all(const struct bad *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_bad(&table[i]);
}

TEST(heads_are_checked)
{
	static const struct bad table[] = {
		{ "[]", 1, 1, "", "a component must be an object that begins with \"weir: 1\"; this is a list" },
		{ "component: c", 1, 1, "", "\"weir\" is missing; begin the file with \"weir: 1\"" },
		{ "weir: 2\ncomponent: c", 1, 7, "", "this Weir reads version 1; write \"weir: 1\"" },
		{ "weir: '1'\ncomponent: c", 1, 7, "", "this Weir reads version 1" },
		{ "weir: 1", 1, 1, "", "\"component\" is missing" },
		{ "weir: 1\ncomponent: a b", 2, 12, "", "the component's name \"a b\" is no name" },
		{ "weir: 1\ncomponent: 7", 2, 12, "", "\"component\" must be a text; it is a number" },
		{ HEAD "modell: []", 3, 1, "", "unknown member \"modell\"; did you mean \"model\"?" },
		{ HEAD "zzz: []", 3, 1, "", "unknown member \"zzz\"" },
		{ HEAD "title: 5", 3, 8, "", "\"title\" must be a text, or texts by language" },
		{ HEAD "title: { english!: A }", 3, 20, "", "\"english!\" in \"title\" is no language" },
		{ HEAD "title: { en: 5 }", 3, 14, "", "\"title\" in en must be a text" },
		{ HEAD "systems: []", 3, 10, "", "\"systems\" must be an object; it is a list" },
		{ HEAD "systems: { \"a b\": {} }", 3, 19, "systems", "the system's name \"a b\" is no name" },
		{ HEAD "systems: { a: 1 }", 3, 15, "system \"a\"", "a system must be an object" },
		{ HEAD "functions: [a]", 3, 12, "", "\"functions\" must be a text; it is a list" },
	};
	check_all(table, ARRAY_LEN(table));
}

TEST(models_are_checked)
{
	static const struct bad table[] = {
		{ HEAD "model: {}", 3, 8, "", "\"model\" must be a list; it is an object" },
		{ HEAD "model: [city]", 3, 9, "model", "a field must be an object" },
		{ HEAD "model: [{ type: string }]", 3, 9, "model, field \"?\"", "\"name\" is missing" },
		{ HEAD "model: [{ name: 1a, type: string }]", 3, 17, "model, field \"1a\"",
		  "the field's name \"1a\" is no name" },
		{ HEAD "model: [{ name: a }]", 3, 9, "model, field \"a\"", "\"type\" is missing" },
		{ HEAD "model: [{ name: a, type: strng }]", 3, 26, "model, field \"a\"", "did you mean \"string\"?" },
		{ HEAD "model: [{ name: a, type: string, requird: true }]", 3, 43, "model, field \"a\"",
		  "did you mean \"required\"?" },
		{ HEAD "model: [{ name: a, type: string, required: yes }]", 3, 44, "model, field \"a\"",
		  "\"required\" must be true or false" },
		{ HEAD "model:\n  - { name: a, type: string }\n  - { name: a, type: date }", 5, 13,
		  "model, field \"a\"", "stands twice" },
		{ HEAD "model:\n  - { name: a, type: string, primary_key: true }\n  - { name: b, type: date, "
		       "primary_key: true }",
		  5, 5, "model", "a second primary_key" },
		{ HEAD "model: [{ name: a, type: catalog }]", 3, 9, "model, field \"a\"", "a catalog needs \"enum\"" },
		{ HEAD "model: [{ name: a, type: catalog, enum: x }]", 3, 41, "model, field \"a\"",
		  "\"enum\" must be a list" },
		{ HEAD "model: [{ name: a, type: catalog, enum: [] }]", 3, 41, "model, field \"a\"",
		  "\"enum\" must be a list" },
		{ HEAD "model: [{ name: a, type: catalog, enum: [x, 1] }]", 3, 45, "model, field \"a\"",
		  "\"enum\" of this field is a list of texts" },
		{ HEAD "model: [{ name: a, type: integer, enum: ['1'] }]", 3, 42, "model, field \"a\"",
		  "list of numbers" },
		{ HEAD "model: [{ name: a, type: string, minimum: 1 }]", 3, 43, "model, field \"a\"",
		  "are for number and integer" },
		{ HEAD "model: [{ name: a, type: number, minimum: x }]", 3, 43, "model, field \"a\"",
		  "must be numbers" },
		{ HEAD "model: [{ name: a, type: number, minimum: 2, maximum: 1 }]", 3, 43, "model, field \"a\"",
		  "\"minimum\" is greater" },
		{ HEAD "model: [{ name: a, type: number, max_length: 2 }]", 3, 9, "model, field \"a\"",
		  "are for texts and arrays" },
		{ HEAD "model: [{ name: a, type: string, min_length: 3, max_length: 2 }]", 3, 9, "model, field \"a\"",
		  "\"min_length\" is greater" },
		{ HEAD "model: [{ name: a, type: string, title: 1 }]", 3, 41, "model, field \"a\"",
		  "\"title\" must be a text" },
	};
	check_all(table, ARRAY_LEN(table));
}

TEST(dataflows_are_checked)
{
	static const struct bad table[] = {
		{ HEAD "dataflows: { d: 1 }", 3, 17, "dataflow \"d\"", "a dataflow must be an object" },
		{ HEAD "dataflows: { \"d d\": {} }", 3, 21, "dataflows", "the dataflow's name \"d d\" is no name" },
		{ HEAD "dataflows: { d: {} }", 3, 17, "dataflow \"d\"", "the dataflow has no steps" },
		{ HEAD "dataflows: { d: { stages: [] } }", 3, 17, "dataflow \"d\"", "the dataflow has no steps" },
		{ HEAD "dataflows: { d: { stages: 5 } }", 3, 27, "dataflow \"d\"", "\"stages\" must be a list" },
		{ HEAD "dataflows: { d: { stages: [5] } }", 3, 28, "dataflow \"d\"", "a stage must be an object" },
		{ HEAD "dataflows: { d: { stages: [{ name: S, steps: [5] }] } }", 3, 47, "dataflow \"d\"",
		  "a step must be an object" },
		{ HEAD "dataflows: { d: { stages: [{ steps: [{ name: in, kind: get_action_model }] }] } }", 3, 28,
		  "dataflow \"d\"", "the stage has no \"name\"" },
		{ HEAD "dataflows: { d: { stages: [{ name: S, steps: [{ name: in, kind: get_action_model }] }, { name: "
		       "S }] } }",
		  3, 96, "dataflow \"d\"", "two stages are called \"S\"" },
		{ HEAD
		  "dataflows: { d: { stages: [{ name: S, step: 1, steps: [{ name: in, kind: get_action_model }] }] } }",
		  3, 39, "dataflow \"d\"", "unknown member \"step\"; did you mean \"steps\"?" },
		{ FLOW(IN "          - { kind: pass, source_step: in }\n"), 9, 13, "dataflow \"d\", step 2",
		  "the step has no \"name\"" },
		{ FLOW(IN "          - { name: a-b!, kind: pass, source_step: in }\n"), 9, 21, "dataflow \"d\", step 2",
		  "the step's name \"a-b!\" is no name" },
		{ FLOW(IN "          - { name: in, kind: pass, source_step: in }\n"), 9, 21, "dataflow \"d\"",
		  "two steps are called \"in\"" },
		{ FLOW(IN "          - { name: a, source_step: in }\n"), 9, 13, "dataflow \"d\", step \"a\"",
		  "the step has no \"kind\"" },
		{ FLOW(IN "          - { name: a, kind: wiat, source_step: in }\n"), 9, 30,
		  "dataflow \"d\", step \"a\"", "unknown kind \"wiat\"; did you mean \"wait\"?" },
		{ FLOW(IN "          - { name: a, kind: pass }\n"), 9, 13, "dataflow \"d\", step \"a\"",
		  "step \"a\" has no source_step; name the step whose items it takes: \"in\"?" },
		{ FLOW("          - { name: a, kind: pass }\n"), 8, 13, "dataflow \"d\", step \"a\"",
		  "or begin with a step of kind get_action_model" },
		{ FLOW(IN "          - { name: a, kind: pass, source_step: ni }\n"), 9, 49,
		  "dataflow \"d\", step \"a\"", "source_step \"ni\" is no step of this dataflow" },
		{ FLOW(IN "          - { name: a, kind: pass, source_step: a }\n"), 9, 49, "dataflow \"d\", step \"a\"",
		  "cannot be its own source_step" },
		{ FLOW(IN "          - { name: j, kind: get_action_model, source_step: in }\n"), 9, 61,
		  "dataflow \"d\", step \"j\"", "begins the dataflow and takes no source_step" },
		{ FLOW(IN "          - { name: a, kind: pass, source_step: b }\n          - { name: b, kind: pass, "
			  "source_step: a }\n"),
		  9, 49, "dataflow \"d\", step \"a\"",
		  "steps a -> b -> a form a circle; let one of them take its items from a step outside" },
		{ FLOW(IN "          - { name: a, kind: wait, source_step: in, tiem: 3s }\n"), 9, 59,
		  "dataflow \"d\", step \"a\"", "did you mean \"time\"?" },
		{ FLOW(IN "          - { name: a, kind: wait, source_step: in, time: 30 }\n"), 9, 59,
		  "dataflow \"d\", step \"a\"", "unit" },
		{ FLOW(IN "          - { name: a, kind: wait, source_step: in, note: bad }\n"), 9, 59,
		  "dataflow \"d\", step \"a\", field \"note\"", "\"bad\" is no good note" },
		{ FLOW(IN "          - { name: a, kind: wait, source_step: in, title: [] }\n"), 9, 60,
		  "dataflow \"d\", step \"a\"", "\"title\" must be" },
		{ FLOW(IN "          - { name: a, kind: pass, source_step: [in] }\n"), 9, 49,
		  "dataflow \"d\", step \"a\"", "\"source_step\" must be a text; it is a list" },
	};
	check_all(table, ARRAY_LEN(table));
}

TEST(forms_are_checked)
{
	static const struct bad table[] = {
		{ MODEL "forms: { f: 1 }", 5, 13, "form \"f\"", "a form must be an object" },
		{ MODEL "forms: { \"f f\": {} }", 5, 17, "forms", "the form's name \"f f\" is no name" },
		{ MODEL "forms: { f: {} }", 5, 13, "form \"f\"", "\"submit\" is missing" },
		{ MODEL "forms: { f: { submit: dd } }", 5, 23, "form \"f\"", "is no dataflow of this component" },
		{ MODEL "forms: { f: { submit: d, fields: [cty] } }", 5, 35, "form \"f\"",
		  "\"fields\" names \"cty\", which is no field of the model; did you mean \"city\"?" },
		{ MODEL "forms: { f: { submit: d, fields: [city, city] } }", 5, 41, "form \"f\"",
		  "\"fields\" names \"city\" twice" },
		{ MODEL "forms: { f: { submit: d, entries: [1] } }", 5, 36, "form \"f\"",
		  "\"entries\" is a list of names" },
		{ MODEL "forms: { f: { submit: d, display: show } }", 5, 35, "form \"f\"",
		  "the component has no \"functions\"" },
		{ MODEL "functions: x\nforms: { f: { submit: d, display: show } }", 6, 35, "form \"f\"",
		  "write function show(item, language)" },
		{ MODEL "forms: { f: { submit: d, titel: x } }", 5, 26, "form \"f\"", "did you mean \"title\"?" },
	};
	check_all(table, ARRAY_LEN(table));
}

TEST(one_check_says_everything)
{
	struct complaints c;
	complaints_init(&c);
	assert_null(component_of(
	    "weir: 3\ncomponent: c\nmodel: [{ name: a, type: x }]\n"
	    "dataflows: { d: { stages: [{ name: S, steps: [{ name: a, kind: pass }, { name: b, kind: y }] }] } }\n"
	    "forms: { f: { submit: e, fields: [z] } }\n",
	    &test_env, &c));
	assert_int_equal(c.n, 6);
	assert_str(c.items[1].pointer, "/model/0/type");
	assert_true(has_text(c.items[4].text, "unknown kind"));
	complaints_done(&c);
}

static const struct flow_env *checked_env;

static int refuse_system(const struct doc *doc, struct str name, const struct value *system, const struct flow_env *env,
			 struct complaints *c)
{
	checked_env = env;
	doc_complain(doc, c, value_get_c(system, "auth"), STR("system \"crm\", auth"), "no");
	return -ERR_INVALID;
}

TEST(systems_are_checked_by_who_knows_them)
{
	struct complaints c;
	struct flow_env env = { .kinds = test_kinds, .check_system = refuse_system };
	complaints_init(&c);
	assert_null(component_of(HEAD "systems:\n  crm:\n    auth: { kind: x }\n", &env, &c));
	assert_string_equal(complaint_line(&c, 0), "f:5:11: system \"crm\", auth: no");
	assert_ptr_equal(checked_env, &env);
	complaints_done(&c);
}

TEST(the_parts_can_be_asked_for)
{
	static const char text[] =
	    HEAD "title: { en: C }\n"
		 "model:\n  - { name: city, type: string, required: true, primary_key: true, max_length: 9 }\n"
		 "  - { name: size, type: catalog, enum: [s, { value: l, title: { en: Large } }] }\n"
		 "  - { name: t, type: number, minimum: -1.5, unit: K }\n"
		 "systems: { crm: { auth: { kind: bearer, token: { secret: CRM_TOKEN } }, tls: [{ key: { secret: KEY } "
		 "}] } }\n"
		 "dataflows: { d: { title: D, stages: [{ name: Premier pas, steps: [{ name: in, kind: get_action_model "
		 "}] }] } }\n"
		 "forms: { f: { submit: d, fields: [t, city], entries: [city], display: show } }\n"
		 "functions: function show(item) {}\n";
	struct complaints c;
	complaints_init(&c);
	struct component *k = component_of(text, &test_env, &c);
	if (!k)
		fail_msg("%s", complaint_line(&c, 0));
	assert_str(k->name, "c");
	assert_int_equal(k->n_fields, 3);
	const struct field *t = component_field(k, STR("t"));
	assert_true(t->has_minimum && t->minimum == -1.5 && !t->has_maximum);
	assert_string_equal(field_type_name(t->type), "number");
	assert_null(component_field(k, STR("u")));
	const struct form *f = component_form(k, STR(""));
	assert_str(f->fields[0], "t");
	assert_int_equal(f->n_entries, 1);
	assert_str(f->submit, "d");
	assert_str(f->display, "show");
	assert_str(component_dataflow(k, STR(""))->stages[0], "Premier pas");
	assert_null(component_dataflow(k, STR("x")));
	size_t pos = 0;
	struct str name, where;
	assert_true(component_next_secret(k, &pos, &name, &where));
	assert_str(name, "CRM_TOKEN");
	assert_str(where, "systems.crm.auth.token");
	assert_true(component_next_secret(k, &pos, &name, &where));
	assert_str(where, "systems.crm.tls.0.key");
	assert_false(component_next_secret(k, &pos, &name, &where));
	component_unref(component_ref(k));
	component_unref(k);
	complaints_done(&c);
}

TEST(the_version_is_of_the_meaning_not_of_the_layout)
{
	struct complaints c;
	complaints_init(&c);
	struct component *x = component_of("weir: 1\ncomponent: c\n", &test_env, &c);
	struct component *y = component_of("{ \"weir\" : 1,  \"component\":\"c\" }", &test_env, &c);
	struct component *z = component_of("weir: 1\ncomponent: d\n", &test_env, &c);
	assert_string_equal(x->version, y->version);
	assert_string_not_equal(x->version, z->version);
	/* printf '{"weir":1,"component":"c"}' | sha256sum */
	assert_string_equal(x->version, "26f764aeb9e2c2ed82e2638db9f5f1f7284b50406353914ad1c0f8613eb34385");
	component_unref(x);
	component_unref(y);
	component_unref(z);
	complaints_done(&c);
}

RUN_TESTS(CLAIM(heads_are_checked), CLAIM(models_are_checked), CLAIM(dataflows_are_checked), CLAIM(forms_are_checked),
	  CLAIM(one_check_says_everything), CLAIM(systems_are_checked_by_who_knows_them),
	  CLAIM(the_parts_can_be_asked_for), CLAIM(the_version_is_of_the_meaning_not_of_the_layout))
