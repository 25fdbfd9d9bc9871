/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions about unknown outcomes: all or nothing, once an attempt, for unknown items alone. */
#include "store_test.h"

#define PROBLEMS                                                                                                       \
	"3.1.1.4 code=3 number=0 {}|\n5.1.1.4 code=2 number=0 {}|\n7.1.1.4 code=3 number=0 {}|\n9.1.1.4 code=3 "       \
	"number=0 {}|\n"

static void put(struct place *p, uint64_t seq, uint32_t attempt, enum ledger_kind kind, int32_t code)
{
	struct ledger_row row = a_row(1, seq, kind, "");
	row.key.attempt = attempt;
	row.code = code;
	assert_int_equal(store_ledger_put(p->store, &row, NULL, NULL, NULL), 0);
}

/* Run 1, ended: item 3 unknown at its second attempt, 5 failed, 7 and 9 unknown at their first. */
static void needs_attention(struct place *p, struct answer *a)
{
	struct run_row run = a_run();
	place_new(p);
	ASK(p, a, store_run_create(p->store, &run, on_answer, a, e));
	run.id = a->id;
	run.state = RUN_NEEDS_ATTENTION;
	run.ended_at = 99;
	run.unknown = 3;
	run.failed = 1;
	run.steps = STR("[]");
	run.problem = STR(RUN_STOPPED_TEXT "5: no");
	assert_int_equal(store_run_update(p->store, &run, NULL, NULL, NULL), 0);
	put(p, 3, 1, LEDGER_INTENT, 0);
	put(p, 3, 1, LEDGER_OUTCOME, 429);
	put(p, 3, 2, LEDGER_INTENT, 0);
	put(p, 3, 1, LEDGER_PROBLEM, LEDGER_CODE_UNKNOWN);
	put(p, 5, 1, LEDGER_INTENT, 0);
	put(p, 5, 1, LEDGER_OUTCOME, 500);
	put(p, 5, 1, LEDGER_PROBLEM, LEDGER_CODE_FAILED);
	for (uint64_t seq = 7; seq <= 9; seq += 2) {
		put(p, seq, 1, LEDGER_INTENT, 0);
		put(p, seq, 1, LEDGER_PROBLEM, LEDGER_CODE_UNKNOWN);
	}
}

static struct decision_row decision(enum decision what, const uint64_t *items, size_t n)
{
	return (struct decision_row){ .run = 1,
				      .decision = what,
				      .at = 8,
				      .head = STR("{\"by\":\"cli:ann\"}"),
				      .body = STR("{\"id\":1}"),
				      .items = items,
				      .n_items = n };
}

static void read_state(void *arg, const struct store_result *r)
{
	struct answer *a = arg;
	const struct run_row *row = &r->runs[0];
	(void)snprintf(
	    a->detail, sizeof(a->detail), "%s ended=%" PRId64 " unknown=%" PRIu64 " failed=%" PRIu64 " \"%.*s\"",
	    run_state_name(row->state), (int64_t)row->ended_at, row->unknown, row->failed, STR_ARG(row->problem));
	a->has_come = true;
	loop_stop(a->loop);
}

static void assert_run(struct place *p, struct answer *a, const char *expected)
{
	ASK(p, a, store_run_get(p->store, 1, read_state, a, e));
	assert_string_equal(a->detail, expected);
}

static void assert_problems(struct place *p, struct answer *a, const char *expected)
{
	ASK(p, a, store_problem_list(p->store, 1, UINT64_MAX, -1, 10, on_answer, a, e));
	assert_rows(a, expected);
}

TEST(a_decision_is_a_row_under_its_attempt_and_the_run_is_to_be_resumed)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	static const uint64_t items[] = { 7, 3, 7 }; /* in any order, and nobody is decided twice */
	struct decision_row d = decision(DECISION_DONE, items, 3);
	needs_attention(&p, &a);
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.total, 1); /* 9 is left */
	assert_run(&p, &a, "running ended=0 unknown=1 failed=1 \"\"");
	assert_problems(&p, &a, "5.1.1.4 code=2 number=0 {}|\n9.1.1.4 code=3 number=0 {}|\n");
	ASK(&p, &a, store_ledger_read(p.store, 1, 3, 3, on_answer, &a, e));
	assert_rows(&a, "3.1.1.1 code=0 number=0 {}|\n3.1.1.2 code=429 number=0 {}|\n3.1.2.1 code=0 number=0 {}|\n"
			"3.1.2.7 code=1 number=0 {\"by\":\"cli:ann\"}|{\"id\":1}\n");
	place_drop(&p);
}

TEST(items_that_are_not_unknown_are_refused_by_name_and_nothing_is_written)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	static const uint64_t items[] = { 3, 5, 8, 7 };
	struct decision_row d = decision(DECISION_AGAIN, items, 4);
	needs_attention(&p, &a);
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e));
	assert_int_equal(a.error, STORE_CONFLICT);
	assert_int_equal(a.n, 2);
	assert_string_equal(a.detail, "these items have no unknown outcome: 5, 8");
	assert_problems(&p, &a, PROBLEMS);
	assert_run(&p, &a, "needs attention ended=99 unknown=3 failed=1 \"" RUN_STOPPED_TEXT "5: no\"");
	d.run = 2;
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e));
	assert_int_equal(a.error, STORE_NOT_FOUND);
	d = decision(DECISION_AGAIN, items, STORE_DECIDE_MAX + 1);
	assert_int_equal(store_decide(p.store, &d, NULL, NULL, NULL), -ERR_LIMIT);
	place_drop(&p);
}

TEST(an_item_is_decided_again_only_after_another_attempt_and_both_rows_stay)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct decision_row d = decision(DECISION_AGAIN, NULL, 0);
	static const uint64_t items[] = { 9 };
	needs_attention(&p, &a);
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e)); /* all */
	assert_int_equal(a.n, 3);
	assert_int_equal(a.total, 0);
	d = decision(DECISION_SKIP, items, 1);
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e));
	assert_int_equal(a.error, STORE_CONFLICT);
	put(&p, 9, 2, LEDGER_INTENT, 0);
	put(&p, 9, 1, LEDGER_PROBLEM, LEDGER_CODE_UNKNOWN);
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	ASK(&p, &a, store_ledger_read(p.store, 1, 9, 9, on_answer, &a, e));
	assert_rows(&a, "9.1.1.1 code=0 number=0 {}|\n9.1.1.7 code=2 number=0 {\"by\":\"cli:ann\"}|{\"id\":1}\n"
			"9.1.2.1 code=0 number=0 {}|\n9.1.2.7 code=3 number=0 {\"by\":\"cli:ann\"}|{\"id\":1}\n");
	place_drop(&p);
}

TEST(all_takes_whole_items_up_to_the_limit_and_says_what_is_left)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct decision_row d = decision(DECISION_SKIP, NULL, 0);
	needs_attention(&p, &a);
	for (uint64_t seq = 100; seq < 100 + STORE_DECIDE_MAX; seq++) {
		put(&p, seq, 1, LEDGER_INTENT, 0);
		put(&p, seq, 1, LEDGER_PROBLEM, LEDGER_CODE_UNKNOWN);
	}
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e));
	assert_in_range(a.n, STORE_DECIDE_MAX - 1, STORE_DECIDE_MAX);
	assert_int_equal(a.n + a.total, STORE_DECIDE_MAX + 3);
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e));
	assert_int_equal(a.total, 0);
	ASK(&p, &a, store_decide(p.store, &d, on_answer, &a, e)); /* nobody is left: no harm */
	assert_int_equal(a.error, STORE_OK);
	assert_int_equal(a.n, 0);
	place_drop(&p);
}

static int redo(struct place *p, const uint64_t *items, size_t n, bool is_fixed, struct answer *a, struct err *e)
{
	static const uint32_t steps[] = { 1 };
	struct redo_row r = { .run = 1,
			      .steps = steps,
			      .n_steps = 1,
			      .fixed = steps,
			      .n_fixed = is_fixed,
			      .items = items,
			      .n_items = n };
	return store_ledger_redo(p->store, &r, on_answer, a, e);
}

TEST(done_again_forgets_what_was_answered_and_keeps_what_is_unknown_open_or_decided)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	static const uint64_t items[] = { 1, 2, 3, 5, 7 };
	needs_attention(&p, &a);
	put(&p, 1, 1, LEDGER_INTENT, 0);
	put(&p, 1, 1, LEDGER_OUTCOME, 200);
	put(&p, 1, 1, LEDGER_ENTRY, 1);
	put(&p, 2, 1, LEDGER_INTENT, 0); /* open */
	put(&p, 2, 1, LEDGER_DECISION, DECISION_AGAIN);
	put(&p, 2, 2, LEDGER_INTENT, 0);
	put(&p, 2, 2, LEDGER_OUTCOME, 200);
	put(&p, 8, 1, LEDGER_INTENT, 0);
	put(&p, 8, 1, LEDGER_OUTCOME, 200);
	ASK(&p, &a, redo(&p, items, 5, true, &a, e));
	assert_int_equal(a.error, STORE_CONFLICT); /* it has written an entry */
	assert_non_null(strstr(a.detail, "has written entries"));
	assert_run(&p, &a, "needs attention ended=99 unknown=3 failed=1 \"" RUN_STOPPED_TEXT "5: no\"");
	ASK(&p, &a, redo(&p, items, 5, false, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_int_equal(a.total, 3 + 2 + 3);
	assert_run(&p, &a, "running ended=0 unknown=3 failed=1 \"\"");
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, 8, on_answer, &a, e));
	assert_rows(&a, "2.1.1.1 code=0 number=0 {}|\n2.1.1.7 code=2 number=0 {}|\n"
			"3.1.1.1 code=0 number=0 {}|\n3.1.1.2 code=429 number=0 {}|\n3.1.1.4 code=3 number=0 {}|\n"
			"3.1.2.1 code=0 number=0 {}|\n7.1.1.1 code=0 number=0 {}|\n7.1.1.4 code=3 number=0 {}|\n"
			"8.1.1.1 code=0 number=0 {}|\n8.1.1.2 code=200 number=0 {}|\n");
	ASK(&p, &a, redo(&p, items, 1, false, &a, e));
	assert_int_equal(a.total, 0); /* nothing is left of it */
	put(&p, 8, 1, LEDGER_MADE, 0);
	ASK(&p, &a, redo(&p, NULL, 0, false, &a, e));
	assert_int_equal(a.error, STORE_CONFLICT);
	assert_non_null(strstr(a.detail, "has made items"));
	place_drop(&p);
}

RUN_TESTS(CLAIM(a_decision_is_a_row_under_its_attempt_and_the_run_is_to_be_resumed),
	  CLAIM(items_that_are_not_unknown_are_refused_by_name_and_nothing_is_written),
	  CLAIM(an_item_is_decided_again_only_after_another_attempt_and_both_rows_stay),
	  CLAIM(all_takes_whole_items_up_to_the_limit_and_says_what_is_left),
	  CLAIM(done_again_forgets_what_was_answered_and_keeps_what_is_unknown_open_or_decided))
