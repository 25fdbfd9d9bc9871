/* SPDX-License-Identifier: Apache-2.0 */
/* A run that was cut off anywhere goes on from its ledger as if nothing had happened; a replay changes nothing. */
#include "run_test.h"

#define STEP(name, from, rest) "          - { name: " name ", source_step: " from ", kind: " rest " }\n"
#define FLOW                                                                                                           \
	STEP("a", "input", "slow, mode: odd")                                                                          \
	STEP("n", "a", "note")                                                                                         \
	STEP("s", "n", "save")                                                                                         \
	STEP("f", "s", "fail, every: 7")                                                                               \
	STEP("z", "f", "slow")                                                                                         \
	STEP("side", "a", "note")

static char *whole_outputs(struct world *w)
{
	return strndup(w->outputs.ptr ? w->outputs.ptr : "", w->outputs.len);
}

TEST(a_run_cut_off_anywhere_gives_the_same_when_resumed)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, FLOW);
	world_run_n(&w, 40);
	char *outputs = whole_outputs(&w), *problems = strndup(w.problems.ptr, w.problems.len),
	     *ledger = ledger_text(&w);
	world_done(&w);
	int cut = 0;
	for (int point = 0; point < 120; point++) {
		world_init(&w, false);
		world_plan(&w, FLOW);
		w.feeder = (struct feeder){ .n = 40, .per_read = 40 };
		w.free_at = AT_TURN;
		w.free_countdown = 4 * point - 10;
		world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 9 });
		cut += !w.ended;
		if (!w.id || !row_on_disk(&w).input_is_complete) {
			world_done(&w);
			continue;
		}
		w.free_countdown = 2 * point;
		if (!w.ended)
			world_resume(&w, (struct run_config){ .window = 5 });
		w.free_at = NEVER;
		if (!w.ended)
			world_resume(&w, (struct run_config){ .window = 11 });
		char *now = whole_outputs(&w), *now_ledger = ledger_text(&w);
		assert_string_equal(now, outputs);
		assert_memory_equal(w.problems.ptr, problems, strlen(problems));
		assert_string_equal(now_ledger, ledger);
		assert_int_equal(entries_on_disk(&w), 40);
		assert_true(probe.entries <= 40);
		assert_int_equal(w.row.failed, 6);
		free(now);
		free(now_ledger);
		world_done(&w);
	}
	assert_true(cut > 60);
	free(outputs);
	free(problems);
	free(ledger);
}

TEST(a_recorded_problem_is_not_tried_again)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("f", "input", "fail, every: 2") STEP("s", "f", "slow, order: any"));
	w.free_at = AT_PROBLEM;
	w.free_countdown = 4;
	world_run_n(&w, 10);
	assert_int_equal(w.n_problems, 5);
	assert_int_equal(probe.fails, 5);
	w.free_at = NEVER;
	world_resume(&w, (struct run_config){ .window = 3 });
	assert_int_equal(w.n_problems, 5);
	assert_int_equal(w.row.failed, 5);
	assert_int_equal(w.n_outputs, 5);
	assert_int_equal(probe.fails, 5);
	assert_non_null(strstr(w.problems.ptr, "item 8 was told to fail"));
	world_done(&w);
}

static bool all_stuck(void)
{
	return probe.stuck == 3 && probe.fails == 3;
}

TEST(a_recorded_problem_of_one_branch_does_not_stop_the_other)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("f", "input", "fail") STEP("s", "input", "slow, mode: stuck") STEP("n", "s", "note"));
	w.free_at = AT_TURN;
	w.free_when = all_stuck;
	world_run_n(&w, 3);
	assert_int_equal(probe.fails, 3);
	assert_int_equal(probe.records, 0);
	w.free_at = NEVER;
	w.free_when = NULL;
	world_plan(&w, STEP("f", "input", "fail") STEP("s", "input", "slow") STEP("n", "s", "note"));
	world_resume(&w, (struct run_config){ .window = 9 });
	assert_int_equal(probe.fails, 3);
	assert_int_equal(probe.records, 3);
	assert_int_equal(w.row.failed, 3);
	world_done(&w);
}

TEST(input_given_again_goes_on_where_the_ledger_ends)
{
	int cut = 0;
	for (int point = 0; point < 40; point++) {
		struct world w;
		world_init(&w, false);
		world_plan(&w, STEP("a", "input", "slow") STEP("n", "a", "note"));
		w.feeder = (struct feeder){ .n = 200, .per_read = 10, .is_shy = true };
		w.free_at = AT_TURN;
		w.free_countdown = 10 * point;
		world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 20 });
		w.free_at = NEVER;
		bool is_cut = w.id && !w.ended && !row_on_disk(&w).input_is_complete;
		cut += is_cut;
		if (is_cut) {
			w.feeder = (struct feeder){ .n = 200, .per_read = 7, .is_shy = point % 2 };
			world_resume(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 20 });
			assert_int_equal(w.n_outputs, 200);
			assert_false(w.out_of_order);
			assert_int_equal(w.row.items_in, 200);
			assert_int_equal(w.row.state, RUN_DONE);
			assert_int_equal(w.recorded, 1);
		}
		world_done(&w);
	}
	assert_true(cut > 20);
}

TEST(input_that_is_not_given_again_is_missed_aloud)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow"));
	w.feeder = (struct feeder){ .n = 200, .per_read = 10, .is_shy = true };
	w.free_at = AT_OUTPUT;
	w.free_countdown = 30;
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 5 });
	w.free_at = NEVER;
	world_resume(&w, (struct run_config){ .window = 0 });
	assert_int_equal(w.ended, 1);
	assert_int_equal(w.row.state, RUN_PARTLY_DONE);
	assert_non_null(strstr(w.problem, "give it again with --items"));
	assert_int_equal(w.row.items_in, w.n_outputs);
	world_done(&w);
}

TEST(a_problem_of_the_input_survives_the_resume)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow, mode: stuck"));
	w.feeder = (struct feeder){ .n = 20, .bad_at = 10 };
	w.free_at = AT_RECORDED;
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder } });
	assert_int_equal(w.recorded, 1);
	w.free_at = NEVER;
	world_plan(&w, STEP("a", "input", "slow"));
	char problem[] = "line 10 is bad";
	struct run_row row = row_on_disk(&w);
	row.problem = str_c(problem);
	world_run(&w, (struct run_config){ .resume = &row });
	assert_int_equal(w.n_outputs, 10);
	assert_int_equal(w.row.state, RUN_PARTLY_DONE);
	assert_string_equal(w.problem, problem);
	world_done(&w);
}

TEST(more_items_than_one_reading_are_resumed_once_each)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("n", "input", "note"));
	w.free_at = AT_OUTPUT;
	w.free_countdown = 700;
	w.feeder = (struct feeder){ .n = 1000, .per_read = 90 };
	world_run(&w, (struct run_config){ .source = { feeder_read, &w.feeder }, .window = 300 });
	w.free_at = NEVER;
	world_resume(&w, (struct run_config){ .window = 500 });
	assert_int_equal(w.n_outputs, 1000);
	assert_false(w.out_of_order);
	assert_int_equal(w.row.items_in, 1000);
	/* Writes that were under way at the cut went through, so nothing was noted twice. */
	char *ledger = ledger_text(&w);
	size_t n = 0;
	for (const char *p = ledger; *p; p++)
		n += *p == ' ';
	assert_int_equal(n, 2000);
	free(ledger);
	world_done(&w);
}

TEST(a_replay_shows_only_the_items_asked_for_and_touches_nothing)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, FLOW);
	world_run_n(&w, 100);
	char *outputs = whole_outputs(&w), *ledger = ledger_text(&w);
	struct probe before = probe;
	struct run_row row = row_on_disk(&w);
	for (uint64_t seq = 0; seq < 100; seq += 9) {
		world_replay(&w, seq, seq);
		assert_int_equal(w.ended, 1);
		assert_int_equal(w.n_outputs + w.n_problems,
				 1 + (seq % 7 ? 1 : 0)); /* two branches give two outputs, or one problem */
		if (seq % 7) {
			char *line =
			    strndup(w.outputs.ptr,
				    (size_t)((char *)memchr(w.outputs.ptr, '\n', w.outputs.len) - w.outputs.ptr));
			assert_non_null(strstr(outputs, line));
			free(line);
		}
	}
	world_replay(&w, 60, 69);
	assert_int_equal(w.n_problems, 1); /* 63 */
	assert_int_equal(w.n_outputs, 18);
	world_replay(&w, 100, 200); /* not there */
	assert_int_equal(w.n_outputs + w.n_problems, 0);
	char *now = ledger_text(&w);
	assert_string_equal(now, ledger);
	struct run_row after = row_on_disk(&w);
	assert_int_equal(after.state, row.state);
	assert_int_equal(after.items_out, row.items_out);
	assert_int_equal(probe.records, before.records);
	assert_int_equal(probe.entries, before.entries);
	assert_int_equal(probe.fails, before.fails);
	free(now);
	free(outputs);
	free(ledger);
	world_done(&w);
}

TEST(a_replay_without_answers_says_so)
{
	struct world w;
	world_init(&w, false);
	world_plan(&w, STEP("a", "input", "slow, mode: stuck") STEP("n", "a", "note"));
	w.free_at = AT_RECORDED;
	world_run_n(&w, 3);
	w.free_at = NEVER;
	world_plan(&w, STEP("a", "input", "pass") STEP("n", "a", "note"));
	world_replay(&w, 1, 1);
	assert_int_equal(w.n_outputs, 0);
	assert_int_equal(w.n_problems, 1);
	assert_non_null(strstr(w.problems.ptr, "not_recorded"));
	char *ledger = ledger_text(&w);
	assert_string_equal(ledger, "");
	free(ledger);
	world_done(&w);
}

struct recalled {
	struct world *w;
	int n;
	struct plan *plan;
	struct err e;
	char component[64];
};

static void on_recalled(void *arg, const struct run_row *row, struct plan *plan, struct err *e)
{
	struct recalled *r = arg;
	r->n++;
	r->plan = plan;
	r->e = *e;
	(void)snprintf(r->component, sizeof(r->component), "%.*s", STR_ARG(row->component));
	loop_stop(r->w->loop);
}

static struct recalled recall(struct world *w, int64_t id)
{
	struct recalled r = { .w = w };
	struct err e = ERR_INIT;
	assert_int_equal(run_recall(w->store, id, &probe_env, on_recalled, &r, &e), 0);
	assert_int_equal(r.n, 0);
	while (!r.n)
		(void)loop_run(w->loop);
	return r;
}

TEST(recall_brings_back_the_plan_of_the_version)
{
	struct world w;
	struct err e = ERR_INIT;
	struct buf source;
	world_init(&w, false);
	world_plan(&w, STEP("n", "input", "note"));
	world_run_n(&w, 1);
	struct recalled r = recall(&w, 999);
	assert_null(r.plan);
	assert_int_equal(r.e.code, -ERR_NOT_FOUND);
	r = recall(&w, w.id);
	assert_null(r.plan);
	assert_non_null(strstr(r.e.msg, "is not in the store"));
	assert_string_equal(r.component, "t");
	buf_init(&source, 1u << 20);
	assert_int_equal(json_write(&source, component_root(w.component), JSON_COMPACT), 0);
	struct component_row row = { .name = w.component->name,
				     .version = str_c(w.component->version),
				     .source = buf_str(&source) };
	assert_int_equal(store_component_put(w.store, &row, NULL, NULL, &e), 0);
	r = recall(&w, w.id);
	assert_non_null(r.plan);
	assert_int_equal(r.plan->n_steps, 2);
	assert_string_equal(r.plan->component->version, w.component->version);
	plan_unref(r.plan);
	buf_done(&source);
	world_done(&w);
}

RUN_TESTS(CLAIM(a_run_cut_off_anywhere_gives_the_same_when_resumed), CLAIM(a_recorded_problem_is_not_tried_again),
	  CLAIM(a_recorded_problem_of_one_branch_does_not_stop_the_other),
	  CLAIM(input_given_again_goes_on_where_the_ledger_ends), CLAIM(input_that_is_not_given_again_is_missed_aloud),
	  CLAIM(a_problem_of_the_input_survives_the_resume), CLAIM(more_items_than_one_reading_are_resumed_once_each),
	  CLAIM(a_replay_shows_only_the_items_asked_for_and_touches_nothing), CLAIM(a_replay_without_answers_says_so),
	  CLAIM(recall_brings_back_the_plan_of_the_version))
