/* SPDX-License-Identifier: Apache-2.0 */
/* A run that was prepared: what was shown is sent as it was shown, what another run has had answered is taken over. */
#include "step_test.h"

#define ITEMS 12
#define FLOW CALL(", in_flight: 3", "POST", "/plain") SAVE
#define STEP 1 /* of the call */

/* How the rows of one run are put under another one. */
struct preparing {
	struct world *w;
	int64_t from, to;
	enum planned code;
	uint64_t other; /* item that gets another request; ITEMS = none */
	bool without_answers, has_come;
	uint64_t left_out;
};

static void on_created(void *arg, const struct store_result *r)
{
	struct preparing *p = arg;
	p->to = r->id;
	p->has_come = true;
	loop_stop(p->w->loop);
}

static void put(struct preparing *p, const struct ledger_row *row)
{
	struct err e = ERR_INIT;
	assert_int_equal(store_ledger_put(p->w->store, row, NULL, NULL, &e), 0);
}

static void on_rows(void *arg, const struct store_result *r)
{
	struct preparing *p = arg;
	struct err e = ERR_INIT;
	for (size_t i = 0; i < r->n_inputs; i++) {
		struct input_row in = r->inputs[i];
		in.run = p->to;
		assert_int_equal(store_input_put(p->w->store, &in, NULL, NULL, &e), 0);
	}
	for (size_t i = 0; i < r->n; i++) {
		struct ledger_row row = r->rows[i];
		bool is_intent = row.kind == LEDGER_INTENT;
		if ((!is_intent && row.kind != LEDGER_OUTCOME) || (p->without_answers && !is_intent))
			continue;
		row.kind = is_intent ? LEDGER_PLANNED : LEDGER_OFFERED;
		row.code = is_intent ? (int32_t)p->code : row.code;
		row.head = is_intent && row.key.seq == p->other ? STR("{\"method\":\"POST\"}") : row.head;
		row.number = p->from;
		row.key.run = p->to;
		put(p, &row);
	}
	p->has_come = true;
	loop_stop(p->w->loop);
}

static void wait_for(struct preparing *p)
{
	while (!p->has_come)
		(void)loop_run(p->w->loop);
	p->has_come = false;
}

/* w->id is the new run then. */
static void prepare(struct preparing *p)
{
	struct world *w = p->w;
	struct err e = ERR_INIT;
	struct run_row row = row_on_disk(w);
	p->from = row.id;
	row.state = RUN_RUNNING;
	row.id = 0;
	row.component = row.dataflow = row.version = row.trigger = STR("t");
	assert_int_equal(store_run_create(w->store, &row, on_created, p, &e), 0);
	wait_for(p);
	assert_int_equal(store_ledger_read(w->store, p->from, 0, ITEMS, on_rows, p, &e), 0);
	wait_for(p);
	row.id = w->id = p->to;
	row.items_in = ITEMS;
	row.input_is_complete = true;
	assert_int_equal(store_run_update(w->store, &row, NULL, NULL, &e), 0);
	if (p->left_out)
		put(p, &(struct ledger_row){ .key = { .run = p->to, .seq = p->left_out, .attempt = 1 },
					     .kind = LEDGER_DECISION,
					     .code = DECISION_SKIP,
					     .head = STR("{\"by\":\"cli:ann\"}") });
}

static void open_and_run(struct world *w)
{
	world_init(w, false);
	peer_open(w);
	step_plan_of(w, FLOW);
	step_run_n(w, ITEMS, 7);
	assert_int_equal(w->row.items_out, ITEMS);
	assert_int_equal(peer.requests, ITEMS);
}

static void world_close(struct world *w)
{
	peer_close();
	world_done(w);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;
	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* Killed at the point while answers are taken over, then resumed; false when it was through by then. */
static bool taken_over(int point)
{
	struct world w;
	open_and_run(&w);
	char *outputs = strndup(w.outputs.ptr, w.outputs.len);
	struct preparing p = { .w = &w, .code = PLANNED_SHOWN, .other = ITEMS };
	prepare(&p);
	w.free_at = AT_TURN;
	w.free_countdown = point;
	step_resume(&w, 5);
	w.free_at = NEVER;
	bool was_cut = !w.ended;
	world_settle(&w);
	if (was_cut)
		step_resume(&w, 5);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_string_equal(w.outputs.ptr, outputs);
	assert_int_equal(peer.requests, ITEMS);
	char *rows = ledger_text(&w);
	assert_int_equal(count(rows, ".1.1.1 "), ITEMS); /* its own intents */
	assert_int_equal(count(rows, ".1.1.2 "), ITEMS);
	free(rows);
	free(outputs);
	world_close(&w);
	return was_cut;
}

TEST(an_answer_that_is_offered_is_taken_over_wherever_the_run_is_cut)
{
	int cut = 0;
	for (int point = 0; point < 40; point++)
		cut += taken_over(point);
	assert_true(cut > 5);
}

TEST(another_request_than_the_one_that_was_shown_is_not_sent)
{
	for (int with_answers = 0; with_answers < 2; with_answers++) {
		struct world w;
		open_and_run(&w);
		struct preparing p = { .w = &w, .code = PLANNED_SHOWN, .other = 3, .without_answers = !with_answers };
		prepare(&p);
		step_resume(&w, 5);
		assert_int_equal(w.row.failed, 1);
		assert_int_equal(w.row.items_out, ITEMS - 1);
		assert_non_null(strstr(w.problems.ptr, "not_as_planned"));
		assert_int_equal(peer.items[3].seen, 1);
		assert_int_equal(peer.requests, with_answers ? ITEMS : 2 * ITEMS - 1);
		world_close(&w);
	}
}

TEST(a_request_that_does_not_fit_an_offer_is_sent)
{
	struct world w;
	open_and_run(&w);
	struct preparing p = { .w = &w, .code = PLANNED_OFFER, .other = 3 };
	prepare(&p);
	step_resume(&w, 5);
	assert_int_equal(w.row.items_out, ITEMS);
	assert_int_equal(peer.items[3].seen, 2);
	assert_int_equal(peer.requests, ITEMS + 1);
	world_close(&w);
}

TEST(what_is_held_is_not_sent_and_its_item_fails)
{
	struct world w;
	open_and_run(&w);
	struct preparing p = { .w = &w, .code = PLANNED_HELD, .other = ITEMS, .without_answers = true };
	prepare(&p);
	step_resume(&w, 5);
	assert_int_equal(w.row.failed, ITEMS);
	assert_non_null(strstr(w.problems.ptr, "undecided"));
	assert_int_equal(peer.requests, ITEMS);
	world_close(&w);
}

TEST(an_item_that_is_left_out_does_nothing)
{
	struct world w;
	open_and_run(&w);
	struct preparing p = { .w = &w, .code = PLANNED_SHOWN, .other = ITEMS, .without_answers = true, .left_out = 5 };
	prepare(&p);
	step_resume(&w, 5);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(w.row.items_out, ITEMS - 1);
	assert_int_equal(peer.items[5].seen, 1);
	assert_int_equal(peer.requests, 2 * ITEMS - 1);
	world_close(&w);
}

static void on_dropped(void *arg, const struct store_result *r)
{
	struct preparing *p = arg;
	p->has_come = true;
	loop_stop(p->w->loop);
}

TEST(a_retry_sends_and_does_not_take_the_answer_that_has_failed)
{
	struct world w;
	struct err e = ERR_INIT;
	world_init(&w, false);
	peer_open(&w);
	step_plan_of(&w, CALL(", attempts: 1", "POST", "/plain") SAVE);
	peer.manners = PEER_SAYS_500;
	step_run_n(&w, ITEMS, 7);
	assert_int_equal(w.row.failed, ITEMS);
	struct preparing p = { .w = &w, .code = PLANNED_SHOWN, .other = ITEMS };
	prepare(&p);
	step_resume(&w, 5);
	assert_int_equal(w.row.failed, ITEMS);
	assert_int_equal(peer.requests, ITEMS);
	peer.manners = PEER_ANSWERS;
	assert_int_equal(store_ledger_drop_problems(w.store, w.id, on_dropped, &p, &e), 0);
	wait_for(&p);
	step_resume(&w, 5);
	assert_int_equal(w.row.items_out, ITEMS);
	assert_int_equal(peer.requests, 2 * ITEMS);
	world_close(&w);
}

RUN_TESTS(CLAIM(an_answer_that_is_offered_is_taken_over_wherever_the_run_is_cut),
	  CLAIM(another_request_than_the_one_that_was_shown_is_not_sent),
	  CLAIM(a_request_that_does_not_fit_an_offer_is_sent), CLAIM(what_is_held_is_not_sent_and_its_item_fails),
	  CLAIM(an_item_that_is_left_out_does_nothing),
	  CLAIM(a_retry_sends_and_does_not_take_the_answer_that_has_failed))
