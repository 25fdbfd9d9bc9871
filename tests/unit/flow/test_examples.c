/* SPDX-License-Identifier: Apache-2.0 */
/* The weather example and the snippets of the guide are good files; the schema says so, too. */
#include "base/json.h"
#include "flow_test.h"

#include <unistd.h>

/* Stand-ins for the real kinds, which live above this layer: the settings' names, any value. */
struct any_opts {
	const struct value *script, *system, *connector, *query_path, *items, *method_name, *parameters_mapping,
	    *result_store_field, *mode, *fields_mapping;
};
static const struct opt script_rows[] = {
	OPT_VALUE(struct any_opts, script, OPT_REQUIRED | OPT_SCRIPT, NULL, "What to do with the item."),
	OPT_END,
};
static const struct opt call_rows[] = {
	OPT_VALUE(struct any_opts, system, OPT_REQUIRED, NULL, "System."),
	OPT_VALUE(struct any_opts, connector, OPT_REQUIRED, NULL, "Connector."),
	OPT_VALUE(struct any_opts, query_path, OPT_REQUIRED, NULL, "Path."),
	OPT_VALUE(struct any_opts, items, 0, NULL, "List."),
	OPT_VALUE(struct any_opts, method_name, OPT_REQUIRED, NULL, "Method."),
	OPT_VALUE(struct any_opts, parameters_mapping, OPT_MAPPING, NULL, "Parameters."),
	OPT_VALUE(struct any_opts, result_store_field, 0, NULL, "Field."),
	OPT_END,
};
static const struct opt update_rows[] = {
	OPT_VALUE(struct any_opts, mode, 0, NULL, "Mode."),
	OPT_VALUE(struct any_opts, fields_mapping, OPT_MAPPING, NULL, "Fields."),
	OPT_VALUE(struct any_opts, result_store_field, 0, NULL, "Field."),
	OPT_END,
};

static int compile_mappings(struct compile *c, struct plan_step *s)
{
	struct err e = ERR_INIT;
	const char *names[] = { "parameters_mapping", "fields_mapping" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct value *v = value_get_c(c->step, names[i]);
		if (v && !mapping_compile(c->arena, v, &e))
			return compile_complain(c, v, names[i], "%s", e.msg);
	}
	return 0;
}

static const struct kind script_kind = {
	.name = "execute_script", .title = "Execute script", .opts = script_rows, .opts_size = sizeof(struct any_opts)
};
static const struct kind call_kind = { .name = "execute_api_call",
				       .title = "Execute API call",
				       .opts = call_rows,
				       .opts_size = sizeof(struct any_opts),
				       .compile = compile_mappings };
static const struct kind update_kind = { .name = "update_entry",
					 .title = "Update entry",
					 .opts = update_rows,
					 .opts_size = sizeof(struct any_opts),
					 .compile = compile_mappings };
static const struct kind respond_kind = { .name = "write_response", .title = "Write response" };
static const struct kind *const kinds[] = { &kind_input, &script_kind, &call_kind, &update_kind, &respond_kind, NULL };
static const struct flow_env env = { .kinds = kinds, .env = { "live", 4 } };

TEST(the_weather_example_is_a_good_component)
{
	struct complaints c;
	struct err e = ERR_INIT;
	complaints_init(&c);
	struct doc *d = doc_load("examples/weather/weather.yaml", &c, &e);
	struct component *k = d ? component_new(d, &env, &c) : NULL;
	if (!k)
		fail_msg("%s %s", complaint_line(&c, 0), e.msg);
	struct plan *p = plan_new(k, STR("get_weather"), &env, &c);
	assert_non_null(p);
	assert_int_equal(p->n_steps, 8);
	for (size_t i = 1; i < p->n_steps; i++)
		assert_int_equal(p->steps[i].source, (ptrdiff_t)i - 1);
	const struct form *f = component_form(k, STR("weather"));
	assert_int_equal(f->n_fields, 1);
	assert_str(f->display, "showWeather");
	assert_true(component_field(k, STR("city"))->primary_key);
	plan_unref(p);
	/* Written anew it means the same. */
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(yaml_write(&b, component_root(k)), 0);
	struct doc *again = doc_parse("w.yaml", buf_str(&b), &c);
	struct component *same = again ? component_new(again, &env, &c) : NULL;
	assert_non_null(same);
	assert_string_equal(same->version, k->version);
	component_unref(same);
	component_unref(k);
	buf_done(&b);
	complaints_done(&c);
}

/* A snippet stands for a file: where it has no head, it gets one. */
static void check_snippet(struct str snippet, size_t line)
{
	struct complaints c;
	struct buf b;
	complaints_init(&c);
	buf_init(&b, 1 << 20);
	if (str_find(snippet, STR("weir: 1")) != 0)
		assert_int_equal(buf_append_c(&b, "weir: 1\ncomponent: snippet\n"), 0);
	assert_int_equal(buf_append_str(&b, snippet), 0);
	struct doc *d = doc_parse("guide.yaml", buf_str(&b), &c);
	struct component *k = d ? component_new(d, &env, &c) : NULL;
	if (!k)
		fail_msg("docs/guide/component-file.md, snippet at line %zu: %s", line, complaint_line(&c, 0));
	component_unref(k);
	buf_done(&b);
	complaints_done(&c);
}

TEST(the_snippets_of_the_guide_are_good_components)
{
	static char text[65536];
	FILE *f = fopen("docs/guide/component-file.md", "rb");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof(text), f), line_number = 0, snippets = 0, begun = 0;
	(void)fclose(f);
	const char *start = NULL;
	for (struct str rest = str_from(text, n); rest.ptr;) {
		struct str line = str_split(&rest, '\n');
		line_number++;
		if (str_eq(line, STR("```yaml"))) {
			start = rest.ptr;
			begun = line_number;
		} else if (start && str_eq(line, STR("```"))) {
			check_snippet(str_from(start, (size_t)(line.ptr - start)), begun);
			start = NULL;
			snippets++;
		}
	}
	assert_true(snippets >= 5);
}

static void write_file(const char *path, const struct value *v)
{
	struct buf b;
	buf_init(&b, 4 << 20);
	assert_int_equal(json_write(&b, v, JSON_PRETTY), 0);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(b.ptr, 1, b.len, f), b.len);
	(void)fclose(f);
	buf_done(&b);
}

TEST(the_schema_describes_each_kind)
{
	struct arena a;
	struct value schema;
	arena_init(&a, 0);
	assert_int_equal(component_schema(&env, &a, &schema), 0);
	const struct value *step = json_pointer_get(&schema, STR("/$defs/step"));
	assert_int_equal(json_pointer_get(step, STR("/properties/kind/enum"))->len, 5);
	assert_int_equal(json_pointer_get(step, STR("/allOf"))->len, 5);
	assert_true(
	    value_is_string(json_pointer_get(step, STR("/allOf/2/if/properties/kind/const")), STR("execute_api_call")));
	assert_true(
	    value_is_string(json_pointer_get(step, STR("/allOf/2/then/$ref")), STR("#/$defs/step_execute_api_call")));
	assert_non_null(json_pointer_get(&schema, STR("/$defs/step_execute_api_call/properties/query_path")));
	assert_non_null(json_pointer_get(&schema, STR("/$defs/step_execute_api_call/properties/source_step")));
	assert_null(json_pointer_get(&schema, STR("/$defs/step_get_action_model/properties/source_step")));
	assert_true(
	    value_is_string(json_pointer_get(&schema, STR("/$defs/step_execute_script/required/3")), STR("script")));
	assert_int_equal(json_pointer_get(&schema, STR("/$defs/field/properties/type/enum"))->len, 11);
	arena_done(&a);
}

/* With python3-jsonschema at hand, a real checker has the word; without, the test above must do. */
TEST(a_json_schema_checker_accepts_the_example_and_refuses_mistakes)
{
	static const char *const mistakes[] = {
		"", /* none: the example itself */
		"d['dataflows']['get_weather']['stages'][2]['steps'][0]['sistem'] = 1",
		"del d['dataflows']['get_weather']['stages'][2]['steps'][0]['system']",
		"d['dataflows']['get_weather']['stages'][0]['steps'][0]['kind'] = 'x'",
		"d['model'][0]['type'] = 'x'",
		"d['weir'] = 2",
		"d['forms']['weather']['x'] = 2",
		"d['title'] = 5",
	};
	if (system("python3 -c 'import jsonschema' 2>/dev/null") != 0) {
		printf("skipped: python3-jsonschema is not here\n");
		skip();
	}
	char dir[] = "/tmp/weir-schema-XXXXXX", path[100], command[1000];
	struct arena a;
	struct value schema;
	struct complaints c;
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	complaints_init(&c);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(component_schema(&env, &a, &schema), 0);
	(void)snprintf(path, sizeof(path), "%s/schema.json", dir);
	write_file(path, &schema);
	struct doc *d = doc_load("examples/weather/weather.yaml", &c, &e);
	(void)snprintf(path, sizeof(path), "%s/weather.json", dir);
	write_file(path, doc_root(d));
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		(void)snprintf(command, sizeof(command),
			       "cd %s && python3 -c \"import json,sys,jsonschema as j; "
			       "s=json.load(open('schema.json')); d=json.load(open('weather.json'));\n%s\n"
			       "v=j.Draft202012Validator; v.check_schema(s); es=list(v(s).iter_errors(d)); %s; "
			       "sys.exit(bool(es))\"",
			       dir, mistakes[i], i ? "0" : "[print(x.json_path, x.message) for x in es]");
		assert_int_equal(system(command) != 0, i > 0);
	}
	doc_free(d);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/schema.json", dir);
	(void)unlink(path);
	(void)rmdir(dir);
	complaints_done(&c);
	arena_done(&a);
}

RUN_TESTS(CLAIM(the_weather_example_is_a_good_component), CLAIM(the_snippets_of_the_guide_are_good_components),
	  CLAIM(the_schema_describes_each_kind), CLAIM(a_json_schema_checker_accepts_the_example_and_refuses_mistakes))
