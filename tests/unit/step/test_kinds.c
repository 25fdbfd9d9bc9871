/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that need no network: what the model refuses and where, what becomes an entry, what is answered. */
#include "step_test.h"

static const char *line_text;

static const char *the_line(uint64_t i)
{
	return line_text;
}

static void run_line(struct world *w, const char *line, uint64_t n)
{
	line_text = line;
	w->feeder = (struct feeder){ .n = n, .line = the_line };
	world_run(w, (struct run_config){ .source = { feeder_read, &w->feeder }, .services = &services });
}

#define UPDATE(more) "          - { name: save, source_step: input, kind: update_entry" more " }\n"

TEST(the_model_names_each_refused_field_by_pointer)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	step_plan_of(&w, "");
	run_line(&w, "{\"city\":\"P\"}", 1);
	assert_int_equal(w.row.failed, 1);
	assert_non_null(strstr(w.problems.ptr, "\"type\":\"invalid_input\""));
	assert_non_null(strstr(w.problems.ptr, "\"errors\":[{\"pointer\":\"/data/n\""));
	assert_non_null(strstr(w.problems.ptr, "{\"pointer\":\"/data/city\""));
	assert_non_null(strstr(w.problems.ptr, "\"step\":\"input\""));
	run_line(&w, "{\"n\":\"12\",\"city\":\"Paris\",\"more\":0.10}", 1);
	assert_str(buf_str(&w.outputs), "0 {\"data\":{\"n\":12,\"city\":\"Paris\",\"more\":0.10}}\n");
	step_plan_of(&w, "          - { name: b, source_step: input, kind: update_entry, mode: create }\n");
	peer_close();
	world_done(&w);
}

TEST(entries_are_written_as_the_mode_says)
{
	static const struct {
		const char *more;
		bool fails;
		size_t entries;
	} rows[] = {
		{ ", mode: update", true, 0 },	/* there is none */
		{ ", mode: delete", false, 0 }, /* nothing to delete is done */
		{ ", mode: create", false, 1 }, { ", mode: create", true, 1 },	{ "", false, 1 },
		{ ", mode: update", false, 1 }, { ", mode: delete", false, 0 },
	};
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char steps[200];
		(void)snprintf(steps, sizeof(steps), UPDATE("%s, result_store_field: _id"), rows[i].more);
		step_plan_of(&w, steps);
		run_line(&w, "{\"n\":7,\"city\":\"Paris\"}", 1);
		if ((w.row.failed == 1) != rows[i].fails || entries_on_disk(&w) != rows[i].entries)
			fail_msg("row %zu: failed=%" PRIu64 " entries=%zu %.*s", i, w.row.failed, entries_on_disk(&w),
				 (int)w.problems.len, w.problems.ptr);
		if (rows[i].fails)
			assert_non_null(strstr(w.problems.ptr, "entry_conflict"));
		else
			assert_non_null(strstr(w.outputs.ptr, i == 1 ? "\"_id\":null" : "\"_id\":1"));
	}
	peer_close();
	world_done(&w);
}

TEST(an_entry_that_does_not_fit_the_model_is_refused)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	step_plan_of(&w, UPDATE(", fields_mapping: { n: =item.data.x, city: =item.data.city }"));
	run_line(&w, "{\"n\":7,\"city\":\"Paris\"}", 1);
	assert_int_equal(w.row.failed, 1);
	assert_non_null(strstr(w.problems.ptr, "invalid_entry"));
	assert_int_equal(entries_on_disk(&w), 0);
	peer_close();
	world_done(&w);
}

TEST(items_with_the_same_key_are_one_entry)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	step_plan_of(&w, UPDATE(""));
	run_line(&w, "{\"n\":7}", 50);
	assert_int_equal(w.row.items_out, 50);
	assert_int_equal(entries_on_disk(&w), 1);
	peer_close();
	world_done(&w);
}

TEST(the_answer_has_the_fields_that_are_named)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	step_plan_of(
	    &w,
	    "          - { name: out, source_step: input, kind: write_response, fields: [data.city, data.none] }\n");
	run_line(&w, "{\"n\":7,\"city\":\"Paris\"}", 1);
	assert_str(buf_str(&w.outputs), "0 {\"data\":{\"city\":\"Paris\"}}\n");
	step_plan_of(&w, "          - { name: out, source_step: input, kind: write_response }\n");
	run_line(&w, "{\"n\":7}", 1);
	assert_str(buf_str(&w.outputs), "0 {\"data\":{\"n\":7}}\n");
	peer_close();
	world_done(&w);
}

static void refused(const char *steps, const char *told)
{
	struct complaints *c = calloc(1, sizeof(*c));
	char text[2048];
	complaints_init(c);
	(void)snprintf(
	    text, sizeof(text),
	    "weir: 1\ncomponent: t\nsystems:\n  s:\n    base_url: http://127.0.0.1:1\n    connectors:\n      c:\n      "
	    "  operations:\n"
	    "          - { method_name: GET, query_path: /get, parameters: [ { name: n, in: query, required: true } ] "
	    "}\n"
	    "model: [ { name: n, type: integer } ]\ndataflows:\n  d:\n    stages:\n      - name: A\n        steps:\n"
	    "          - { name: input, kind: get_action_model }\n          - { name: x, source_step: input, %s }\n",
	    steps);
	struct doc *d = doc_parse("t.yaml", str_c(text), c);
	struct component *k = d ? component_new(d, &step_env, c) : NULL;
	if (k)
		fail_msg("accepted: %s", steps);
	bool is_told = false;
	for (size_t i = 0; i < c->n; i++)
		is_told |= str_find(c->items[i].text, str_c(told)) >= 0;
	if (!is_told)
		fail_msg("%s: told \"%.*s\", not \"%s\"", steps, STR_ARG(c->items[0].text), told);
	complaints_done(c);
	free(c);
}

TEST(settings_that_cannot_work_are_refused_with_a_cure)
{
	step_env = step_flow_env(STR_NULL);
	refused("kind: update_entry", "primary_key: true");
	refused("kind: update_entry, mode: create, fields_mapping: { m: 1 }", "no field \"m\"");
	refused("kind: update_entry, mode: destroy", "mode");
	refused("kind: write_response, fields: []", "1 to 200");
	refused("kind: write_response, fields: [ 7 ]", "as text");
	refused("kind: execute_script", "script");
	refused("kind: execute_api_call, system: r, connector: c, method_name: GET, query_path: /get",
		"no system \"r\"");
	refused("kind: execute_api_call, system: s, connector: c, method_name: GTE, query_path: /get", "is no method");
	refused("kind: execute_api_call, system: s, connector: c, method_name: GET, query_path: /get", "n");
	refused("kind: execute_api_call, system: s, connector: c, method_name: GET, query_path: /get, "
		"parameters_mapping: { n: 1 }, attempts: 0",
		"attempts");
	refused("kind: execute_api_call, system: s, connector: c, method_name: GET, query_path: /get, "
		"parameters_mapping: { n: 1 }, result: $..",
		"a name is missing");
	refused("kind: execute_api_cal, system: s", "execute_api_call");
}

TEST(every_kind_describes_itself)
{
	for (size_t i = 0; step_kinds[i]; i++) {
		const struct kind *k = step_kinds[i];
		assert_non_null(k->name);
		assert_non_null(k->title);
		assert_true(strlen(k->brief) > 20);
		assert_ptr_equal(kind_find(&step_env, str_c(k->name)), k);
		assert_true(k->start != NULL);
		assert_true(k->open == NULL || k->close != NULL); /* what opens, closes */
	}
}

RUN_TESTS(CLAIM(the_model_names_each_refused_field_by_pointer), CLAIM(entries_are_written_as_the_mode_says),
	  CLAIM(an_entry_that_does_not_fit_the_model_is_refused), CLAIM(items_with_the_same_key_are_one_entry),
	  CLAIM(the_answer_has_the_fields_that_are_named), CLAIM(settings_that_cannot_work_are_refused_with_a_cure),
	  CLAIM(every_kind_describes_itself))
