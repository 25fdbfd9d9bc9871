/* SPDX-License-Identifier: Apache-2.0 */
/* A run may be freed from its callbacks and at any turn; a store that fails stops it and it says why. AddressSanitizer
 * is the judge. */
#include "run_test.h"

#include <signal.h>

#define STEP(name, from, rest) "          - { name: " name ", source_step: " from ", kind: " rest " }\n"
#define FLOW                                                                                                           \
	STEP("a", "input", "slow, mode: odd")                                                                          \
	STEP("n", "a", "note")                                                                                         \
	STEP("s", "n", "save")                                                                                         \
	STEP("f", "s", "fail, every: 3")                                                                               \
	STEP("z", "f", "slow, order: any")                                                                             \
	STEP("y", "a", "tag")

TEST(a_run_may_be_freed_from_any_of_its_callbacks)
{
	static const enum moment moments[] = { AT_STARTED, AT_RECORDED, AT_OUTPUT, AT_PROBLEM, AT_END };
	for (size_t i = 0; i < ARRAY_LEN(moments); i++)
		for (int nth = 0; nth < (moments[i] == AT_OUTPUT || moments[i] == AT_PROBLEM ? 12 : 1); nth++) {
			struct world w;
			world_init(&w, false);
			world_plan(&w, FLOW);
			w.free_at = moments[i];
			w.free_countdown = nth;
			w.feeder = (struct feeder){ .n = 60, .per_read = 6, .is_shy = nth % 2 };
			world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 10 });
			uint64_t outputs = w.n_outputs, problems = w.n_problems;
			int reads = w.feeder.reads;
			/* What is still under way ends without a word. */
			(void)row_on_disk(&w);
			char *ledger = ledger_text(&w);
			free(ledger);
			assert_int_equal(w.n_outputs, outputs);
			assert_int_equal(w.n_problems, problems);
			assert_int_equal(w.feeder.reads, reads);
			assert_int_equal(w.ended, moments[i] == AT_END);
			assert_int_equal(probe.opens, probe.closes);
			world_done(&w);
		}
}

TEST(a_run_may_be_freed_before_it_has_begun)
{
	struct world w;
	struct err e = ERR_INIT;
	world_init(&w, false);
	world_plan(&w, FLOW);
	struct run_config config = {
		.loop = w.loop, .store = w.store, .plan = w.plan, .on_started = on_started, .on_end = on_end, .arg = &w
	};
	run_free(run_start(&config, &e));
	run_free(NULL);
	world_run_n(&w, 2);
	struct run_row row = row_on_disk(&w);
	config.resume = &row;
	int started = w.started;
	run_free(run_start(&config, &e));
	(void)row_on_disk(&w);
	assert_int_equal(w.started, started);
	world_done(&w);
}

TEST(a_run_may_be_freed_at_any_turn)
{
	for (int point = 0; point < 150; point++) {
		struct world w;
		world_init(&w, false);
		world_plan(&w, FLOW);
		w.free_at = AT_TURN;
		w.free_countdown = 3 * point - 15;
		w.feeder = (struct feeder){ .n = 60, .per_read = 7, .is_shy = point % 3 == 0 };
		world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 10 });
		(void)row_on_disk(&w);
		assert_int_equal(probe.opens, probe.closes);
		world_done(&w);
	}
}

/* The disk takes no more than `bytes` a file. */
static void disk_limit(rlim_t bytes)
{
	struct rlimit l;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

TEST(a_disk_that_fails_at_any_write_stops_the_run_and_it_can_be_resumed)
{
	struct world w;
	world_init(&w, true);
	world_plan(&w, FLOW);
	world_run_n(&w, 1);
	off_t base = (off_t)store_disk_bytes(w.store);
	world_done(&w);
	int stopped = 0;
	for (int point = 0; point < 40; point++) {
		world_init(&w, true);
		world_plan(&w, FLOW);
		world_run_n(&w, 1);
		disk_limit((rlim_t)base / 2 + 2500 * (rlim_t)point);
		w.feeder = (struct feeder){ .n = 60, .per_read = 6 };
		world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 10 });
		disk_limit(RLIM_INFINITY);
		assert_int_equal(w.ended, 1);
		if (w.row.state != RUN_RUNNING) { /* enough room */
			world_done(&w);
			continue;
		}
		stopped++;
		assert_true(strlen(w.problem) > 0);
		assert_int_equal(w.row.ended_at, 0);
		int64_t id = w.row.id;
		store_close(w.store);
		world_store_open(&w);
		if (id && row_on_disk(&w).input_is_complete) {
			world_resume(&w, (struct run_config){ .window = 10 });
			assert_int_equal(w.row.failed, 20);
			assert_int_equal(w.n_problems, 20);
			assert_int_equal(w.n_outputs, 80);
			assert_int_equal(w.row.state, RUN_PARTLY_DONE);
		}
		world_done(&w);
	}
	assert_true(stopped > 3);
}

TEST(a_run_that_another_process_executes_is_left_alone)
{
	struct world w, other;
	world_init(&w, true);
	world_plan(&w, STEP("a", "input", "slow, mode: stuck"));
	w.free_at = AT_RECORDED;
	world_run_n(&w, 3);
	w.free_at = NEVER;
	struct err e = ERR_INIT;
	(void)row_on_disk(&w);
	world_init(&other, false);
	store_close(other.store);
	(void)strcpy(other.dir, w.dir);
	world_store_open(&other);
	assert_int_equal(store_run_claim(other.store, w.id, &e), 0);
	world_resume(&w, (struct run_config){ .window = 3 });
	assert_int_equal(w.ended, 1);
	assert_int_equal(w.started, 0);
	assert_true(strlen(w.problem) > 0);
	assert_int_equal(w.row.state, RUN_RUNNING);
	store_run_release(other.store, w.id);
	world_plan(&w, STEP("a", "input", "slow"));
	world_resume(&w, (struct run_config){ .window = 3 });
	assert_int_equal(w.row.state, RUN_DONE);
	other.dir[0] = '\0';
	world_done(&other);
	world_done(&w);
}

RUN_TESTS(CLAIM(a_run_may_be_freed_from_any_of_its_callbacks), CLAIM(a_run_may_be_freed_before_it_has_begun),
	  CLAIM(a_run_may_be_freed_at_any_turn),
	  CLAIM(a_disk_that_fails_at_any_write_stops_the_run_and_it_can_be_resumed),
	  CLAIM(a_run_that_another_process_executes_is_left_alone))
