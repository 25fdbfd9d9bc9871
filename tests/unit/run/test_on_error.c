/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of items that fail: kept, taken by another step, or the end of the run; the same wherever the run is
 * cut. */
#include "run_test.h"

#define STEP(name, from, rest) "          - { name: " name ", source_step: " from ", kind: " rest " }\n"
#define KEEP                                                                                                           \
	STEP("a", "input", "slow, mode: odd")                                                                          \
	STEP("f", "a", "fail, every: 3, mode: late, on_error: keep")                                                   \
	STEP("n", "f", "note")                                                                                         \
	STEP("z", "n", "slow")
#define ERRORS                                                                                                         \
	STEP("f", "input", "fail, every: 3")                                                                           \
	STEP("ok", "f", "note")                                                                                        \
	STEP("e", "f", "note, source_output: errors")                                                                  \
	STEP("t", "e", "tag, mode: mended")

TEST(kept_items_go_on_with_their_problem)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, KEEP);
	world_run_n(&w, 10);
	assert_int_equal(w.n_outputs, 10);
	assert_int_equal(w.n_problems, 0);
	assert_false(w.out_of_order);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(probe.records, 10);
	assert_non_null(strstr(w.outputs.ptr, "3 {\"data\":{\"n\":3},\"_error\":{\"type\":\"test_failed\""));
	world_done(&w);
}

TEST(a_step_may_take_the_items_that_fail)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, ERRORS);
	world_run_n(&w, 10);
	assert_int_equal(w.n_outputs, 10);
	assert_int_equal(w.n_problems, 0);
	assert_non_null(strstr(w.outputs.ptr, "\"_tag\":\"mended\""));
	world_done(&w);
}

TEST(an_unknown_outcome_is_never_passed_on)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("f", "input", "fail, mode: unknown, on_error: keep") STEP("n", "f", "note"));
	world_run_n(&w, 3);
	assert_int_equal(w.row.unknown, 3);
	assert_int_equal(probe.records, 0);
	world_done(&w);
}

TEST(passed_on_failures_are_the_same_wherever_the_run_is_cut)
{
	static const char *const flows[] = { KEEP, ERRORS };
	for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
		struct world w;
		int cut = 0;
		world_init(&w, false);
		world_plan(&w, flows[i]);
		world_run_n(&w, 20);
		char *outputs = strndup(w.outputs.ptr, w.outputs.len), *ledger = ledger_text(&w);
		world_done(&w);
		for (int point = 0; point < 60; point++) {
			world_init(&w, false);
			world_plan(&w, flows[i]);
			w.feeder = (struct feeder){ .n = 20 };
			w.free_at = AT_TURN;
			w.free_countdown = point;
			world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 5 });
			w.free_at = NEVER;
			if (!w.ended && w.id && row_on_disk(&w).input_is_complete) {
				cut++;
				world_resume(&w, (struct run_config){ .window = 7 });
				char *now = ledger_text(&w);
				assert_string_equal(w.outputs.ptr, outputs);
				assert_string_equal(now, ledger);
				free(now);
			}
			world_done(&w);
		}
		assert_true(cut > 10);
		free(outputs);
		free(ledger);
	}
}

TEST(stop_ends_the_run_and_the_reading_of_its_input)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow") STEP("f", "a", "fail, every: 1000000, on_error: stop")
			   STEP("n", "f", "note"));
	w.feeder = (struct feeder){ .n = 100000000, .per_read = 50000 }; /* more than can be read */
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 10 });
	assert_int_equal(w.ended, 1);
	assert_int_equal(w.row.state, RUN_FAILED);
	assert_int_equal(w.row.failed, 1);
	assert_memory_equal(w.problem, "stopped at item 0: ", 19);
	assert_true(w.feeder.at < 10000000);
	assert_int_equal(w.n_outputs, 0);
	assert_int_equal(row_on_disk(&w).state, RUN_FAILED);
	world_done(&w);
}

TEST(a_stopping_run_may_be_freed_and_resumed)
{
	for (int point = 0; point < 40; point++) {
		struct world w;
		world_init(&w, false);
		world_plan(&w, STEP("n", "input", "note") STEP("a", "n", "slow, mode: odd")
				   STEP("f", "a", "fail, every: 7, on_error: stop") STEP("z", "f", "slow"));
		w.free_at = AT_TURN;
		w.free_countdown = point;
		world_run_n(&w, 30);
		w.free_at = NEVER;
		if (!w.ended && w.id && row_on_disk(&w).input_is_complete)
			world_resume(&w, (struct run_config){ .window = 4 });
		if (w.ended) {
			assert_int_equal(w.row.state, RUN_FAILED);
			assert_true(w.row.failed >= 1);
		}
		world_done(&w);
	}
}

TEST(a_replay_of_a_kept_item_shows_its_problem_and_its_way)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, KEEP);
	world_run_n(&w, 10);
	int fails = probe.fails;
	world_replay(&w, 3, 3);
	assert_int_equal(w.n_outputs, 1);
	assert_non_null(strstr(w.outputs.ptr, "\"_error\""));
	assert_int_equal(probe.fails, fails);
	world_done(&w);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

TEST(an_unknown_outcome_is_told_although_the_resumed_run_stops_before_it)
{
	int cut = 0;
	for (int point = 0; point < 60; point++) {
		struct world w;
		world_init(&w, false);
		world_plan(&w, STEP("u", "input", "fail, mode: unknown") STEP("a", "input", "slow")
				   STEP("f", "a", "fail, every: 1000000, on_error: stop"));
		w.free_at = AT_TURN;
		w.free_countdown = point;
		world_run_n(&w, 20);
		w.free_at = NEVER;
		if (!w.ended && w.id && row_on_disk(&w).input_is_complete) {
			char *before = ledger_text(&w);
			size_t n = count(before, ".1.1.4 ");
			cut += n > 1;
			world_resume(&w, (struct run_config){ .window = 1 });
			assert_true(w.row.unknown >= n);
			assert_true(w.n_problems >= n);
			assert_int_equal(w.row.state, RUN_NEEDS_ATTENTION);
			free(before);
		}
		world_done(&w);
	}
	assert_true(cut > 5);
}

RUN_TESTS(CLAIM(kept_items_go_on_with_their_problem), CLAIM(a_step_may_take_the_items_that_fail),
	  CLAIM(an_unknown_outcome_is_never_passed_on), CLAIM(passed_on_failures_are_the_same_wherever_the_run_is_cut),
	  CLAIM(stop_ends_the_run_and_the_reading_of_its_input), CLAIM(a_stopping_run_may_be_freed_and_resumed),
	  CLAIM(a_replay_of_a_kept_item_shows_its_problem_and_its_way),
	  CLAIM(an_unknown_outcome_is_told_although_the_resumed_run_stops_before_it))
