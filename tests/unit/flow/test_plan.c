/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: order, followers, settings, lifetimes. */
#include "flow_test.h"

#define FLOW(steps) "weir: 1\ncomponent: c\ndataflows: { d: { stages: [{ name: S, steps: [" steps "] }] } }\n"

static struct plan *plan_of(const char *text)
{
	struct complaints c;
	complaints_init(&c);
	struct component *k = component_of(text, &test_env, &c);
	struct plan *p = k ? plan_new(k, STR(""), &test_env, &c) : NULL;
	if (!p)
		fail_msg("%s", complaint_line(&c, 0));
	component_unref(k);
	complaints_done(&c);
	return p;
}

TEST(sources_come_first_and_the_order_of_the_file_stays)
{
	static const struct {
		const char *text, *order;
	} table[] = {
		{ FLOW("{ name: a, kind: get_action_model }, { name: b, kind: pass, source_step: a }, { name: c, kind: "
		       "pass, source_step: b }"),
		  "abc" },
		{ FLOW("{ name: c, kind: pass, source_step: b }, { name: b, kind: pass, source_step: a }, { name: a, "
		       "kind: get_action_model }"),
		  "abc" },
		{ FLOW("{ name: a, kind: get_action_model }, { name: d, kind: pass, source_step: c }, { name: b, kind: "
		       "pass, source_step: a }, "
		       "{ name: c, kind: pass, source_step: a }, { name: e, kind: pass, source_step: a }"),
		  "abcde" },
		{ FLOW("{ name: b, kind: get_action_model }, { name: a, kind: get_action_model }"), "ba" },
	};
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct plan *p = plan_of(table[i].text);
		assert_int_equal(p->n_steps, strlen(table[i].order));
		for (size_t k = 0; k < p->n_steps; k++) {
			assert_int_equal(p->steps[k].index, k);
			assert_int_equal(p->steps[k].name.ptr[0], table[i].order[k]);
			assert_true(p->steps[k].source < (ptrdiff_t)k);
		}
		plan_unref(p);
	}
}

TEST(followers_are_the_steps_that_name_it)
{
	struct plan *p =
	    plan_of(FLOW("{ name: a, kind: get_action_model }, { name: d, kind: pass, source_step: c }, "
			 "{ name: b, kind: pass, source_step: a }, { name: c, kind: pass, source_step: a }"));
	assert_int_equal(p->steps[0].source, -1);
	assert_int_equal(p->steps[0].n_followers, 2);
	assert_str(p->steps[p->steps[0].followers[0]].name, "b");
	assert_str(p->steps[p->steps[0].followers[1]].name, "c");
	assert_int_equal(p->steps[1].n_followers, 0);
	assert_str(p->steps[3].name, "d");
	assert_int_equal(p->steps[3].source, 2);
	plan_unref(p);
}

TEST(settings_are_filled_and_released)
{
	wait_releases = 0;
	struct plan *p = plan_of(FLOW("{ name: a, kind: get_action_model }, { name: w, kind: wait, source_step: a, "
				      "time: 2m, mapping: { x: =item.y } }"));
	const struct wait_opts *o = p->steps[1].opts;
	assert_int_equal(o->time, 120000);
	assert_non_null(value_get_c(o->mapping, "x"));
	assert_int_equal(wait_releases, 1); /* the one of the check */
	plan_unref(plan_ref(p));
	assert_int_equal(wait_releases, 1);
	plan_unref(p);
	assert_int_equal(wait_releases, 2);
}

TEST(a_dataflow_must_be_named_when_there_are_several)
{
	struct complaints c;
	complaints_init(&c);
	struct component *k =
	    component_of("weir: 1\ncomponent: c\ndataflows:\n  d1: { stages: [{ name: S, steps: [{ name: a, kind: "
			 "get_action_model }] }] }\n"
			 "  d2: { stages: [{ name: S, steps: [{ name: a, kind: get_action_model }] }] }\n",
			 &test_env, &c);
	assert_non_null(k);
	assert_null(plan_new(k, STR(""), &test_env, &c));
	assert_true(has_text(c.items[0].text, "the component has 2 dataflows; say which: \"d1\", \"d2\""));
	assert_null(plan_new(k, STR("d3"), &test_env, &c));
	assert_true(has_text(c.items[1].text, "the component has no dataflow \"d3\""));
	struct plan *p = plan_new(k, STR("d2"), &test_env, &c);
	assert_str(p->dataflow->name, "d2");
	component_unref(k);
	assert_str(p->component->name, "c"); /* the plan holds it */
	plan_unref(p);
	complaints_done(&c);
}

TEST(five_hundred_steps_in_the_worst_order_are_fine)
{
	size_t size = 200000, used = 0;
	char *text = malloc(size);
	assert_non_null(text);
	used += (size_t)snprintf(
	    text, size, "weir: 1\ncomponent: c\ndataflows:\n  d:\n    stages:\n      - name: S\n        steps:\n");
	for (int i = STEPS_MAX - 1; i > 0; i--)
		used += (size_t)snprintf(text + used, size - used,
					 "          - { name: s%d, kind: pass, source_step: s%d }\n", i, i - 1);
	(void)snprintf(text + used, size - used, "          - { name: s0, kind: get_action_model }\n");
	struct plan *p = plan_of(text);
	assert_str(p->steps[0].name, "s0");
	assert_str(p->steps[STEPS_MAX - 1].name, "s499");
	plan_unref(p);
	free(text);
}

RUN_TESTS(CLAIM(sources_come_first_and_the_order_of_the_file_stays), CLAIM(followers_are_the_steps_that_name_it),
	  CLAIM(settings_are_filled_and_released), CLAIM(a_dataflow_must_be_named_when_there_are_several),
	  CLAIM(five_hundred_steps_in_the_worst_order_are_fine))
