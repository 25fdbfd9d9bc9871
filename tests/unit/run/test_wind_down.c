/* SPDX-License-Identifier: Apache-2.0 */
/* A run that winds down ends what is under way and begins nothing; whoever resumes it finds nothing half done. */
#include "run_test.h"

#define STEP(name, from, rest) "          - { name: " name ", source_step: " from ", kind: " rest " }\n"
#define FLOW                                                                                                           \
	STEP("a", "input", "slow, mode: odd")                                                                          \
	STEP("n", "a", "note")                                                                                         \
	STEP("s", "n", "save")                                                                                         \
	STEP("f", "s", "fail, every: 3")                                                                               \
	STEP("z", "f", "slow")                                                                                         \
	STEP("m", "z", "note")

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (const char *p = text; (p = strstr(p, what)); p++)
		n++;
	return n;
}

TEST(calls_under_way_are_recorded_and_the_rest_is_for_a_resumed_run)
{
	struct world w;
	int early = 0;
	world_init(&w, false);
	world_plan(&w, FLOW);
	world_run_n(&w, 30);
	char *outputs = strndup(w.outputs.ptr, w.outputs.len), *ledger = ledger_text(&w);
	world_done(&w);
	for (int point = 0; point < 160; point++) {
		world_init(&w, false);
		world_plan(&w, FLOW);
		w.feeder = (struct feeder){ .n = 30 };
		w.winds_down = true;
		w.free_at = AT_TURN;
		w.free_countdown = point;
		world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 7 });
		assert_int_equal(w.ended, 1);
		assert_int_equal(probe.opens, probe.closes);
		char *now = ledger_text(&w);
		assert_int_equal(count(now, ".1 "), count(now, ".2 "));
		free(now);
		assert_int_equal(row_on_disk(&w).state, w.row.state);
		w.free_at = NEVER;
		if (w.row.state == RUN_RUNNING && row_on_disk(&w).input_is_complete) {
			early++;
			assert_int_equal(w.row.ended_at, 0);
			world_resume(&w, (struct run_config){ .window = 9 });
			assert_int_equal(w.row.state, RUN_PARTLY_DONE);
		}
		if (w.row.state != RUN_RUNNING) {
			now = ledger_text(&w);
			assert_string_equal(now, ledger);
			assert_string_equal(w.outputs.ptr, outputs);
			free(now);
			assert_int_equal(probe.records, 30 + 20); /* each once, over both */
		}
		world_done(&w);
	}
	assert_true(early > 60);
	free(outputs);
	free(ledger);
}

TEST(before_anything_has_begun_nothing_begins)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, FLOW);
	w.winds_down = true;
	w.free_at = AT_STARTED;
	w.feeder = (struct feeder){ .n = 30 };
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder } });
	assert_int_equal(w.ended, 1);
	assert_int_equal(w.row.state, RUN_RUNNING);
	assert_int_equal(w.feeder.reads, 0);
	assert_int_equal(probe.records, 0);
	world_done(&w);
}

TEST(what_is_under_way_at_a_stop_may_wait_for_the_rest_of_an_input)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, FLOW);
	w.winds_down = true;
	w.free_at = AT_OUTPUT;
	w.feeder = (struct feeder){ .n = 400000, .per_read = 50000, .is_shy = true };
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 5 });
	assert_int_equal(w.ended, 1);
	assert_int_equal(w.row.state, RUN_RUNNING);
	assert_true(w.feeder.at < 400000 || w.n_outputs < 400000);
	world_done(&w);
}

RUN_TESTS(CLAIM(calls_under_way_are_recorded_and_the_rest_is_for_a_resumed_run),
	  CLAIM(before_anything_has_begun_nothing_begins),
	  CLAIM(what_is_under_way_at_a_stop_may_wait_for_the_rest_of_an_input))
