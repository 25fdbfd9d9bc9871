/* SPDX-License-Identifier: Apache-2.0 */
/* The driver: every item ends once, in order unless a step says otherwise, and no input leaves a run waiting. */
#include "run_test.h"

#define STEP(name, from, rest) "          - { name: " name ", source_step: " from ", kind: " rest " }\n"

TEST(every_item_comes_out_once_and_in_order)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow, mode: odd") STEP("b", "a", "slow") STEP("c", "b", "pass"));
	w.feeder = (struct feeder){ .n = 1000, .per_read = 37 };
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 7 });
	assert_int_equal(w.n_outputs, 1000);
	assert_false(w.out_of_order);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(w.row.items_in, 1000);
	assert_int_equal(w.row.items_out, 1000);
	assert_int_equal(w.ended, 1);
	assert_int_equal(probe.opens, probe.closes);
	world_done(&w);
}

TEST(order_any_lets_those_pass_that_are_ready)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow, mode: odd, order: any"));
	w.free_at = AT_RECORDED; /* while the input is on its way to the disk, what rests on it waits */
	world_run_n(&w, 20);
	w.free_at = NEVER;
	world_resume(&w, (struct run_config){ .window = 20 });
	assert_int_equal(w.n_outputs, 20);
	assert_true(w.out_of_order);
	world_done(&w);
}

TEST(no_item_and_one_item_are_runs)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow"));
	world_run_n(&w, 0);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(w.row.items_in, 0);
	assert_int_equal(w.recorded, 1);
	world_run_n(&w, 1);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_str(buf_str(&w.outputs), "0 {\"data\":{\"n\":0}}\n");
	world_done(&w);
}

TEST(a_run_without_source_ends)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, "");
	world_run(&w, (struct run_config){ .window = 1 });
	assert_int_equal(w.ended, 1);
	assert_int_equal(w.n_outputs, 0);
	world_done(&w);
}

TEST(when_all_items_fail_at_the_first_step_the_run_has_failed)
{
	struct world w;
	world_init(&w, false);
	const char *modes[] = { "now", "late" };
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		char steps[256];
		(void)snprintf(steps, sizeof(steps), STEP("a", "input", "fail, mode: %s") STEP("b", "a", "slow"),
			       modes[i]);
		world_plan(&w, steps);
		world_run_n(&w, 600);
		assert_int_equal(w.row.state, RUN_FAILED);
		assert_int_equal(w.row.failed, 600);
		assert_int_equal(w.n_problems, 600);
		assert_int_equal(w.n_outputs, 0);
		assert_false(w.by_network);
	}
	world_done(&w);
}

TEST(a_failed_item_does_not_hold_up_the_others)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow") STEP("b", "a", "fail, every: 3"));
	world_run_n(&w, 10);
	assert_int_equal(w.row.state, RUN_PARTLY_DONE);
	assert_int_equal(w.row.failed, 4);
	assert_int_equal(w.row.items_out, 6);
	assert_false(w.out_of_order);
	assert_non_null(strstr(w.problems.ptr, "\"step\":\"b\""));
	assert_non_null(strstr(w.problems.ptr, "step \\\"b\\\": item 3 was told to fail"));
	char *ledger = ledger_text(&w);
	assert_string_equal(ledger, "0.2.1.4 3.2.1.4 6.2.1.4 9.2.1.4 ");
	free(ledger);
	world_done(&w);
}

TEST(an_unknown_outcome_needs_attention)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "fail, every: 5, mode: unknown"));
	world_run_n(&w, 10);
	assert_int_equal(w.row.state, RUN_NEEDS_ATTENTION);
	assert_int_equal(w.row.unknown, 2);
	assert_int_equal(w.row.failed, 0);
	assert_int_equal(row_on_disk(&w).unknown, 2);
	world_done(&w);
}

static const char *some_bad_line(uint64_t i)
{
	static char deep[1000];
	switch (i) {
	case 1:
		return "{\"n\":";
	case 2:
		return "[1]";
	case 3:
		return "";
	case 4: /* as a member of the item it would be one too deep to be written again */
		memset(deep, 0, sizeof(deep));
		for (int d = 0; d < VALUE_DEPTH_MAX - 1; d++)
			(void)strcpy(deep + 5 * d, d < VALUE_DEPTH_MAX - 2 ? "{\"a\":" : "[");
		(void)strcat(deep, "]");
		for (int d = 0; d < VALUE_DEPTH_MAX - 2; d++)
			(void)strcat(deep, "}");
		return deep;
	case 5:
		return "{\"n\":\"\xff\"}";
	default:
		return "{\"n\":7}";
	}
}

TEST(a_line_that_is_no_object_fails_alone)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "tag, mode: x") STEP("b", "a", "pass") STEP("c", "a", "pass"));
	w.feeder = (struct feeder){ .n = 7, .line = some_bad_line };
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder } });
	assert_int_equal(w.row.failed, 4); /* the deep one is 99 containers: 100 with the item's own */
	assert_int_equal(w.row.items_out, 3);
	assert_non_null(strstr(w.problems.ptr, "invalid_input"));
	world_done(&w);
}

TEST(a_shy_source_is_waited_for)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow"));
	w.feeder = (struct feeder){ .n = 50, .per_read = 1, .is_shy = true };
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder } });
	assert_int_equal(w.n_outputs, 50);
	assert_int_equal(w.row.state, RUN_DONE);
	world_done(&w);
}

TEST(input_that_cannot_be_read_on_is_said_and_what_came_is_done)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow"));
	w.feeder = (struct feeder){ .n = 50, .per_read = 10, .bad_at = 25 };
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder } });
	assert_int_equal(w.n_outputs, 25);
	assert_int_equal(w.row.state, RUN_PARTLY_DONE);
	assert_string_equal(w.problem, "line 25 is bad");
	world_done(&w);
}

TEST(branches_do_not_see_each_other)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w,
		   STEP("l", "input", "tag, mode: left") STEP("r", "input", "tag, mode: right") STEP("s", "r", "slow"));
	world_run_n(&w, 3);
	assert_int_equal(w.row.items_out, 3); /* items, not outputs */
	assert_int_equal(w.n_outputs, 6);
	const char *p = w.outputs.ptr;
	for (int i = 0; i < 3; i++) {
		char left[80], right[80];
		(void)snprintf(left, sizeof(left), "%d {\"data\":{\"n\":%d},\"_tag\":\"left\"}\n", i, i);
		(void)snprintf(right, sizeof(right), "%d {\"data\":{\"n\":%d},\"_tag\":\"right\"}\n", i, i);
		assert_memory_equal(p, left, strlen(left));
		p += strlen(left);
		assert_memory_equal(p, right, strlen(right));
		p += strlen(right);
	}
	world_done(&w);
}

TEST(an_item_with_a_failed_branch_is_left_out_and_the_graver_problem_stands)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w,
		   STEP("ok", "input", "pass") STEP("f", "input", "fail") STEP("u", "input", "fail, mode: unknown"));
	world_run_n(&w, 4);
	assert_int_equal(w.n_outputs, 0);
	assert_int_equal(w.n_problems, 4);
	assert_int_equal(w.row.unknown, 4);
	assert_int_equal(w.row.state, RUN_NEEDS_ATTENTION);
	assert_non_null(strstr(w.problems.ptr, "\"step\":\"u\""));
	assert_null(strstr(w.problems.ptr, "\"step\":\"f\""));
	world_done(&w);
}

TEST(a_branch_that_leads_to_no_answer_is_finished_before_the_item_is_let_out)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("side", "input", "slow") STEP("note", "side", "note") STEP("out", "input", "answer"));
	world_run_n(&w, 30);
	assert_int_equal(w.n_outputs, 30);
	assert_int_equal(probe.records, 30);
	world_done(&w);
}

TEST(what_follows_an_answer_runs_too)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("out", "input", "answer") STEP("x", "out", "note") STEP("y", "out", "note"));
	world_run_n(&w, 5);
	assert_int_equal(w.n_outputs, 5);
	assert_int_equal(probe.records, 10);
	assert_int_equal(w.row.state, RUN_DONE);
	world_done(&w);
}

TEST(a_large_input_is_on_disk_while_the_window_is_in_memory)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow"));
	w.feeder = (struct feeder){ .n = 20000, .per_read = 500 };
	w.free_at = AT_TURN;
	w.free_countdown = 1 << 30; /* look at each turn, free never */
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 64 });
	assert_int_equal(w.n_outputs, 20000);
	assert_true(w.most_live <= 64);
	assert_false(w.out_of_order);
	world_done(&w);
}

static const char *fat_line(uint64_t i)
{
	static char line[200000];
	memset(line, 'x', sizeof(line));
	int n = snprintf(line, sizeof(line), "{\"n\":%" PRIu64 ",\"t\":\"", i);
	line[n] = 'x';
	(void)strcpy(line + sizeof(line) - 3, "\"}");
	return line;
}

TEST(input_beyond_what_is_kept_is_read_back_from_the_ledger)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow"));
	w.feeder = (struct feeder){ .n = 100, .per_read = 3, .line = fat_line }; /* 20 MB, 4 are kept */
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 4 });
	assert_int_equal(w.n_outputs, 100);
	assert_false(w.out_of_order);
	assert_int_equal(w.row.state, RUN_DONE);
	world_done(&w);
}

TEST(on_recorded_comes_when_all_input_is_on_disk)
{
	struct world w;
	world_init(&w, true);
	world_plan(&w, STEP("a", "input", "note"));
	w.free_at = AT_RECORDED;
	world_run_n(&w, 300);
	assert_int_equal(w.recorded, 1);
	assert_int_equal(w.started, 1);
	world_settle(&w);
	store_close(w.store);
	world_store_open(&w);
	struct run_row row = row_on_disk(&w);
	assert_true(row.input_is_complete);
	assert_int_equal(row.items_in, 300);
	w.free_at = NEVER;
	world_resume(&w, (struct run_config){ .window = 50 });
	assert_int_equal(w.n_outputs, 300);
	world_done(&w);
}

TEST(a_step_that_does_not_open_ends_the_run)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow") STEP("b", "a", "slow, mode: broken") STEP("c", "b", "slow"));
	world_run_n(&w, 3);
	assert_int_equal(w.ended, 1);
	assert_int_equal(w.row.state, RUN_RUNNING);
	assert_string_equal(w.problem, "this step does not open");
	assert_int_equal(w.n_outputs, 0);
	world_done(&w);
}

TEST(outputs_wait_for_what_they_rest_on)
{
	struct world w;
	world_init(&w, true);
	world_plan(&w, STEP("a", "input", "note"));
	w.free_at = AT_OUTPUT;
	world_run_n(&w, 10);
	assert_int_equal(w.n_outputs, 1);
	char *ledger = ledger_text(&w);
	assert_memory_equal(ledger, "0.1.1.1 0.1.1.2 ", 16);
	free(ledger);
	world_done(&w);
}

RUN_TESTS(CLAIM(every_item_comes_out_once_and_in_order), CLAIM(order_any_lets_those_pass_that_are_ready),
	  CLAIM(no_item_and_one_item_are_runs), CLAIM(a_run_without_source_ends),
	  CLAIM(when_all_items_fail_at_the_first_step_the_run_has_failed),
	  CLAIM(a_failed_item_does_not_hold_up_the_others), CLAIM(an_unknown_outcome_needs_attention),
	  CLAIM(a_line_that_is_no_object_fails_alone), CLAIM(a_shy_source_is_waited_for),
	  CLAIM(input_that_cannot_be_read_on_is_said_and_what_came_is_done), CLAIM(branches_do_not_see_each_other),
	  CLAIM(an_item_with_a_failed_branch_is_left_out_and_the_graver_problem_stands),
	  CLAIM(a_branch_that_leads_to_no_answer_is_finished_before_the_item_is_let_out),
	  CLAIM(what_follows_an_answer_runs_too), CLAIM(a_large_input_is_on_disk_while_the_window_is_in_memory),
	  CLAIM(input_beyond_what_is_kept_is_read_back_from_the_ledger),
	  CLAIM(on_recorded_comes_when_all_input_is_on_disk), CLAIM(a_step_that_does_not_open_ends_the_run),
	  CLAIM(outputs_wait_for_what_they_rest_on))
