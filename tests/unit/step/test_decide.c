/* SPDX-License-Identifier: Apache-2.0 */
/* What a person decides about an unknown outcome is what a resumed run does, wherever it was cut before and is cut
 * after. */
#include "step_test.h"

#define ITEMS 12
#define FLOW CALL(", in_flight: 3", "POST", "/plain") SAVE

struct decided {
	struct world *w;
	bool has_come;
	enum store_error error;
	size_t n;
	bool items[ITEMS];
};

static void on_decided(void *arg, const struct store_result *r)
{
	struct decided *d = arg;
	d->error = r->error;
	d->n = r->n;
	for (size_t i = 0; !r->error && i < r->n; i++)
		d->items[r->rows[i].key.seq] = true;
	d->has_come = true;
	loop_stop(d->w->loop);
}

static struct decided decide(struct world *w, enum decision what, const char *result)
{
	struct decided d = { .w = w };
	struct err e = ERR_INIT;
	struct decision_row row = { .run = w->id,
				    .decision = what,
				    .at = 1000,
				    .head = STR("{\"by\":\"cli:ann\",\"note\":null}"),
				    .body = str_c(result) };
	assert_int_equal(store_decide(w->store, &row, on_decided, &d, &e), 0);
	while (!d.has_come)
		(void)loop_run(w->loop);
	assert_int_equal(d.error, STORE_OK);
	return d;
}

/* Killed at the point, then resumed to its end: true when that left unknown outcomes. */
static bool cut(struct world *w, int point)
{
	w->free_at = AT_TURN;
	w->free_countdown = point;
	step_run_n(w, ITEMS, 7);
	w->free_at = NEVER;
	if (w->ended)
		return false;
	world_settle(w);
	if (!w->id || !row_on_disk(w).input_is_complete)
		return false;
	step_resume(w, 5);
	return w->row.unknown > 0;
}

/* Resumed, killed at another point, resumed. */
static void resume_cut(struct world *w, int point)
{
	w->free_at = AT_TURN;
	w->free_countdown = point;
	step_resume(w, 5);
	w->free_at = NEVER;
	if (w->ended)
		return;
	world_settle(w);
	step_resume(w, 9);
}

static bool is_out(const struct world *w, int n)
{
	char line[16];
	(void)snprintf(line, sizeof(line), "\n%d {", n);
	return strncmp(w->outputs.ptr, line + 1, strlen(line) - 1) == 0 || strstr(w->outputs.ptr, line);
}

static void decision_holds(const struct world *w, enum decision what, const struct decided *d)
{
	uint64_t left_out = what == DECISION_SKIP ? d->n : 0;
	assert_int_equal(w->row.failed, 0);
	assert_int_equal(w->row.items_out + w->row.unknown + left_out, ITEMS);
	assert_int_equal(w->n_outputs, w->row.items_out);
	for (int n = 0; n < ITEMS; n++) {
		const struct peer_item *it = &peer.items[n];
		int most = what == DECISION_AGAIN && d->items[n] ? 2 : 1;
		if (it->seen > most)
			fail_msg("item %d was sent %d times", n, it->seen);
		if (what == DECISION_SKIP && d->items[n])
			assert_false(is_out(w, n));
		if (what == DECISION_AGAIN && is_out(w, n))
			assert_true(it->seen > 0);
	}
	assert_int_equal(w->row.state, w->row.unknown ? RUN_NEEDS_ATTENTION : RUN_DONE);
}

/* What was answered to the end is told again by the ledger alone. */
static void replay_is_the_same(struct world *w)
{
	int requests = peer.requests;
	char *before = strdup(w->outputs.ptr);
	struct run_row row = row_on_disk(w);
	world_run(
	    w, (struct run_config){ .resume = &row, .is_replay = true, .replay_to = ITEMS - 1, .services = &services });
	assert_string_equal(w->outputs.ptr, before);
	assert_int_equal(w->n_problems, 0);
	assert_int_equal(peer.requests, requests);
	free(before);
}

static int decide_at(int point, enum decision what, const char *result)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	peer.is_delayed = true;
	step_plan_of(&w, FLOW);
	bool has_unknown = cut(&w, point);
	if (has_unknown) {
		uint64_t unknown = w.row.unknown;
		struct decided d = decide(&w, what, result);
		assert_int_equal(d.n, unknown);
		resume_cut(&w, 1 + point / 2);
		decision_holds(&w, what, &d);
		assert_int_equal(entries_on_disk(&w), w.row.items_out);
		if (!w.row.unknown)
			replay_is_the_same(&w);
	}
	peer_close();
	world_done(&w);
	return has_unknown;
}

TEST(a_decision_is_carried_out_wherever_the_run_was_cut_and_is_cut_again)
{
	int n[4] = { 0 };
	for (int point = 0; point < 58; point++) {
		n[DECISION_DONE] += decide_at(point, DECISION_DONE, "{\"id\":77}");
		n[DECISION_AGAIN] += decide_at(point, DECISION_AGAIN, "");
		n[DECISION_SKIP] += decide_at(point, DECISION_SKIP, "");
	}
	assert_true(n[DECISION_DONE] > 10 && n[DECISION_AGAIN] > 10 &&
		    n[DECISION_SKIP] > 10); /* or nothing was decided */
}

/* Three items whose answers never came: sent, and nobody knows. */
static void silent(struct world *w)
{
	world_init(w, false);
	peer_open(w);
	peer.manners = PEER_SILENT_FIRST;
	step_plan_of(w, CALL(", first_byte_timeout: 60ms", "POST", "/plain"));
	step_run_n(w, 3, 0);
	assert_int_equal(w->row.unknown, 3);
	assert_int_equal(peer.requests, 3);
}

TEST(done_goes_on_with_the_result_and_sends_nothing)
{
	struct world w;
	silent(&w);
	assert_int_equal(decide(&w, DECISION_DONE, "{\"id\":\"by hand\"}").n, 3);
	step_resume(&w, 0);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(w.row.items_out, 3);
	assert_int_equal(peer.requests, 3);
	assert_non_null(strstr(w.outputs.ptr, "2 {\"data\":{\"n\":2},\"_r\":{\"id\":\"by hand\"}}"));
	peer_close();
	world_done(&w);
}

TEST(done_without_a_result_goes_on_with_null)
{
	struct world w;
	silent(&w);
	(void)decide(&w, DECISION_DONE, "");
	step_resume(&w, 0);
	assert_int_equal(w.row.items_out, 3);
	assert_non_null(strstr(w.outputs.ptr, "0 {\"data\":{\"n\":0},\"_r\":null}"));
	peer_close();
	world_done(&w);
}

TEST(again_is_one_more_attempt_that_says_who_decided)
{
	struct world w;
	silent(&w);
	(void)decide(&w, DECISION_AGAIN, "");
	step_resume(&w, 0);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(w.row.items_out, 3);
	assert_int_equal(peer.requests, 6);
	char *rows = ledger_text(&w);
	assert_non_null(strstr(rows, "0.1.1.1 0.1.1.2 0.1.1.7 0.1.2.1 0.1.2.2 "));
	free(rows);
	peer_close();
	world_done(&w);
}

TEST(a_skipped_item_is_neither_out_nor_failed_and_the_run_is_done)
{
	struct world w;
	silent(&w);
	(void)decide(&w, DECISION_SKIP, "");
	step_resume(&w, 0);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(w.row.items_out + w.row.failed + w.row.unknown, 0);
	assert_int_equal(w.n_outputs, 0);
	assert_int_equal(peer.requests, 3);
	struct run_row row = row_on_disk(&w);
	world_run(&w, (struct run_config){ .resume = &row, .is_replay = true, .replay_to = 2, .services = &services });
	assert_int_equal(w.n_outputs, 0);
	assert_int_equal(w.n_problems, 0);
	peer_close();
	world_done(&w);
}

TEST(what_is_cut_off_after_a_decision_is_unknown_again)
{
	struct world w;
	int again = 0;
	for (int point = 1; point < 30; point++) {
		silent(&w);
		(void)decide(&w, DECISION_AGAIN, "");
		peer.is_delayed = true;
		w.free_at = AT_TURN;
		w.free_countdown = point;
		step_resume(&w, 0);
		w.free_at = NEVER;
		if (!w.ended) {
			world_settle(&w);
			step_resume(&w, 0);
		}
		again += w.row.unknown > 0;
		assert_int_equal(w.row.unknown + w.row.items_out, 3);
		if (w.row.unknown)
			assert_int_equal(decide(&w, DECISION_DONE, "").n, w.row.unknown);
		step_resume(&w, 0);
		assert_int_equal(w.row.items_out, 3);
		assert_true(peer.requests <= 6);
		peer_close();
		world_done(&w);
	}
	assert_true(again > 0);
}

RUN_TESTS(CLAIM(a_decision_is_carried_out_wherever_the_run_was_cut_and_is_cut_again),
	  CLAIM(done_goes_on_with_the_result_and_sends_nothing), CLAIM(done_without_a_result_goes_on_with_null),
	  CLAIM(again_is_one_more_attempt_that_says_who_decided),
	  CLAIM(a_skipped_item_is_neither_out_nor_failed_and_the_run_is_done),
	  CLAIM(what_is_cut_off_after_a_decision_is_unknown_again))
