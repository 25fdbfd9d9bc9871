/* SPDX-License-Identifier: Apache-2.0 */
/* Items that a step makes out of one: recorded like input, worked on once, whatever cuts the run off. */
#include "run_test.h"

#define STEP(name, from, rest) "          - { name: " name ", source_step: " from ", kind: " rest " }\n"
#define FLOW                                                                                                           \
	STEP("m", "input", "many, every: 10")                                                                          \
	STEP("n", "m", "note")                                                                                         \
	STEP("z", "n", "slow")                                                                                         \
	STEP("f", "z", "fail, every: 7")
#define INPUTS 4
#define ALL (INPUTS * 11) /* items of the source, and ten out of each */

TEST(made_items_follow_those_of_the_source_and_carry_what_the_step_gave_them)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("m", "input", "many, every: 4") STEP("t", "m", "tag, mode: x"));
	world_run_n(&w, 2);
	assert_int_equal(w.n_outputs, 8); /* what has become others gives none itself */
	assert_int_equal(w.row.items_in, 10);
	assert_int_equal(w.row.items_out, 10);
	assert_int_equal(w.row.failed, 0);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_false(w.out_of_order);
	assert_non_null(strstr(w.outputs.ptr, "{\"data\":{\"n\":103},\"_k\":3,\"_tag\":\"x\"}"));
	world_done(&w);
}

TEST(made_items_may_branch_or_be_the_output_at_once)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w,
		   STEP("m", "input", "many, every: 4") STEP("a", "m", "tag, mode: a") STEP("b", "m", "tag, mode: b"));
	world_run_n(&w, 1);
	assert_int_equal(w.n_outputs, 8);
	world_plan(&w, STEP("m", "input", "many, every: 5"));
	w.n_outputs = 0;
	world_run_n(&w, 2);
	assert_int_equal(w.n_outputs, 10);
	world_plan(&w, STEP("m", "input", "many, every: 3") STEP("o", "m", "many, every: 3"));
	w.n_outputs = 0;
	world_run_n(&w, 2); /* and made items may become others again */
	assert_int_equal(w.n_outputs, 18);
	assert_int_equal(w.row.items_in, 2 + 6 + 18);
	world_done(&w);
}

TEST(a_run_cut_off_anywhere_makes_each_item_once)
{
	int cut = 0;
	for (int point = 0; point < 160; point++) {
		struct world w;
		world_init(&w, point % 4 == 0);
		world_plan(&w, FLOW);
		w.feeder = (struct feeder){ .n = INPUTS, .per_read = INPUTS };
		w.free_at = AT_TURN;
		w.free_countdown = point - 4;
		world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 5 });
		cut += !w.ended;
		if (!w.id || !row_on_disk(&w).input_is_complete) {
			world_done(&w);
			continue;
		}
		w.free_countdown = point / 2;
		if (!w.ended)
			world_resume(&w, (struct run_config){ .window = 3 });
		w.free_at = NEVER;
		if (!w.ended)
			world_resume(&w, (struct run_config){ .window = 50 });
		assert_int_equal(w.row.items_in, ALL);
		assert_int_equal(w.row.failed + w.row.items_out, ALL);
		char *ledger = ledger_text(&w);
		int notes = 0;
		for (const char *p = ledger; (p = strstr(p, ".2.1.2 ")); p++)
			notes++;
		assert_int_equal(notes, INPUTS * 10);
		free(ledger);
		world_done(&w);
	}
	assert_true(cut > 60);
}

TEST(a_replay_shows_a_made_item_and_what_it_was_made_of)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("m", "input", "many, every: 10") STEP("n", "m", "note"));
	world_run_n(&w, INPUTS);
	w.n_outputs = 0;
	buf_clear(&w.outputs);
	world_resume(&w, (struct run_config){ .is_replay = true, .replay_from = INPUTS + 1, .replay_to = INPUTS + 1 });
	assert_int_equal(w.n_outputs, 1);
	assert_non_null(strstr(w.outputs.ptr, "\"_k\":1"));
	w.n_outputs = 0;
	world_resume(&w, (struct run_config){ .is_replay = true, .replay_from = 0, .replay_to = 0 });
	assert_int_equal(w.n_outputs, 0);
	assert_int_equal(w.n_problems, 0);
	world_done(&w);
}

TEST(thousands_made_of_one_stay_on_disk_until_their_turn)
{
	struct world w;
	world_init(&w, true);
	world_plan(&w, STEP("m", "input", "many, every: 30000") STEP("z", "m", "slow"));
	world_run_n(&w, 1);
	assert_int_equal(w.n_outputs, 30000);
	assert_true(w.most_live <= RUN_WINDOW_DEFAULT);
	world_done(&w);
}

RUN_TESTS(CLAIM(made_items_follow_those_of_the_source_and_carry_what_the_step_gave_them),
	  CLAIM(made_items_may_branch_or_be_the_output_at_once), CLAIM(a_run_cut_off_anywhere_makes_each_item_once),
	  CLAIM(a_replay_shows_a_made_item_and_what_it_was_made_of),
	  CLAIM(thousands_made_of_one_stay_on_disk_until_their_turn))
