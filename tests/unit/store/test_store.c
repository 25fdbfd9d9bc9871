/* SPDX-License-Identifier: Apache-2.0 */
/* The store's promises on a healthy disk: runs, input, ledger, components, order. */
#include "store_test.h"

TEST(a_run_is_created_read_updated_and_listed)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct run_row run = a_run();

	place_new(&p);
	ASK(&p, &a, store_run_create(p.store, &run, on_answer, &a, e));
	assert_int_equal(a.id, 1);
	run.id = 1;
	run.state = RUN_PARTLY_DONE;
	run.items_in = UINT64_MAX;
	run.steps = STR("{\"n\":1}");
	ASK(&p, &a, store_run_update(p.store, &run, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	ASK(&p, &a, store_run_get(p.store, 1, on_answer, &a, e));
	assert_rows(&a, "run 1 weather/get_weather partly done in=18446744073709551615 steps={\"n\":1}\n");
	run.id = 7;
	ASK(&p, &a, store_run_update(p.store, &run, on_answer, &a, e));
	assert_int_equal(a.error, STORE_NOT_FOUND);
	ASK(&p, &a, store_run_get(p.store, 7, on_answer, &a, e));
	assert_int_equal(a.error, STORE_NOT_FOUND);
	place_drop(&p);
}

TEST(runs_are_paged_newest_first_and_by_state)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	for (int i = 0; i < 5; i++) {
		struct run_row run = a_run();
		run.state = i % 2 ? RUN_DONE : RUN_RUNNING;
		assert_int_equal(store_run_create(p.store, &run, NULL, NULL, NULL), 0);
	}
	ASK(&p, &a, store_run_list(p.store, 0, -1, 2, on_answer, &a, e));
	assert_int_equal(a.total, 5);
	assert_rows(&a,
		    "run 5 weather/get_weather running in=0 steps={}\nrun 4 weather/get_weather done in=0 steps={}\n");
	ASK(&p, &a, store_run_list(p.store, 4, RUN_RUNNING, 2, on_answer, &a, e));
	assert_int_equal(a.total, 3);
	assert_rows(
	    &a, "run 3 weather/get_weather running in=0 steps={}\nrun 1 weather/get_weather running in=0 steps={}\n");
	ASK(&p, &a, store_run_list(p.store, 1, -1, 2, on_answer, &a, e));
	assert_int_equal(a.n, 0);
	place_drop(&p);
}

TEST(reads_see_the_writes_queued_before_them_and_not_those_after)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_row one = a_row(1, 1, LEDGER_INTENT, ""), two = a_row(1, 2, LEDGER_INTENT, "");

	place_new(&p);
	assert_int_equal(store_ledger_put(p.store, &one, NULL, NULL, NULL), 0);
	ASK(&p, &a,
	    store_ledger_read(p.store, 1, 0, UINT64_MAX, on_answer, &a, e) ||
		store_ledger_put(p.store, &two, NULL, NULL, e));
	assert_rows(&a, "1.1.1.1 code=0 number=0 {}|\n");
	place_drop(&p);
}

TEST(a_ledger_row_is_recorded_once)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_row first = a_row(1, 1, LEDGER_OUTCOME, "first"), again = a_row(1, 1, LEDGER_OUTCOME, "again");

	place_new(&p);
	ASK(&p, &a, store_ledger_put(p.store, &first, on_answer, &a, e));
	assert_false(a.was_recorded);
	ASK(&p, &a, store_ledger_put(p.store, &again, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_true(a.was_recorded);
	ASK(&p, &a, store_ledger_read(p.store, 1, 1, 1, on_answer, &a, e));
	assert_rows(&a, "1.1.1.2 code=0 number=0 {}|first\n");
	place_drop(&p);
}

TEST(ledger_ranges_hold_over_all_64_bits)
{
	static const uint64_t seqs[] = { 0, 1, 41, (uint64_t)INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };
	static const struct {
		uint64_t from, to;
		size_t n;
	} ranges[] = {
		{ 0, UINT64_MAX, 6 },
		{ 1, 41, 2 },
		{ 42, (uint64_t)INT64_MAX, 1 },
		{ (uint64_t)INT64_MAX, (uint64_t)INT64_MAX + 1, 2 },
		{ (uint64_t)INT64_MAX + 1, UINT64_MAX, 2 },
		{ UINT64_MAX, UINT64_MAX, 1 },
		{ 5, 4, 0 },
		{ UINT64_MAX, 0, 0 },
	};
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	for (size_t i = ARRAY_LEN(seqs); i-- > 0;) {
		struct ledger_row row = a_row(1, seqs[i], LEDGER_PROBLEM, "");
		assert_int_equal(store_ledger_put(p.store, &row, NULL, NULL, NULL), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		ASK(&p, &a, store_ledger_read(p.store, 1, ranges[i].from, ranges[i].to, on_answer, &a, e));
		if (a.n != ranges[i].n)
			fail_msg("range %zu: %zu rows", i, a.n);
	}
	ASK(&p, &a, store_ledger_read(p.store, 1, 41, UINT64_MAX, on_answer, &a, e));
	assert_rows(&a, "41.1.1.4 code=0 number=0 {}|\n"
			"9223372036854775807.1.1.4 code=0 number=0 {}|\n"
			"9223372036854775808.1.1.4 code=0 number=0 {}|\n"
			"18446744073709551615.1.1.4 code=0 number=0 {}|\n");
	ASK(&p, &a, store_problem_list(p.store, 1, (uint64_t)INT64_MAX - 1, -1, 2, on_answer, &a, e));
	assert_rows(&a, "9223372036854775807.1.1.4 code=0 number=0 {}|\n"
			"9223372036854775808.1.1.4 code=0 number=0 {}|\n");
	place_drop(&p);
}

TEST(the_order_is_seq_step_attempt_kind)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	static const struct {
		uint64_t seq;
		uint32_t step, attempt;
		enum ledger_kind kind;
	} keys[] = { { 300, 0, 1, 1 }, { 2, 300, 1, 1 }, { 2, 2, 300, 1 },
		     { 2, 2, 2, 5 },   { 2, 2, 2, 1 },	 { 1, 9, 9, 5 } };

	place_new(&p);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct ledger_row row = a_row(1, keys[i].seq, keys[i].kind, "");
		row.key.step = keys[i].step;
		row.key.attempt = keys[i].attempt;
		assert_int_equal(store_ledger_put(p.store, &row, NULL, NULL, NULL), 0);
	}
	struct ledger_row other = a_row(2, 1, LEDGER_INTENT, "of another run");
	assert_int_equal(store_ledger_put(p.store, &other, NULL, NULL, NULL), 0);
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, UINT64_MAX, on_answer, &a, e));
	assert_rows(&a,
		    "1.9.9.5 code=0 number=0 {}|\n2.2.2.1 code=0 number=0 {}|\n2.2.2.5 code=0 number=0 {}|\n"
		    "2.2.300.1 code=0 number=0 {}|\n2.300.1.1 code=0 number=0 {}|\n300.0.1.1 code=0 number=0 {}|\n");
	place_drop(&p);
}

static void check_bytes(void *arg, const struct store_result *r)
{
	struct answer *a = arg;

	assert_int_equal(r->n, 3);
	assert_int_equal(r->rows[0].body.len, 7);
	assert_memory_equal(r->rows[0].body.ptr, "a\0b\0\xff\xfe\0", 7);
	assert_int_equal(r->rows[1].body.len, 0);
	assert_int_equal(r->rows[1].head.len, 0);
	assert_int_equal(r->rows[2].body.len, 3000000);
	assert_int_equal(r->rows[2].number, INT64_MIN);
	assert_int_equal(r->rows[2].code, INT32_MIN);
	on_answer(arg, &(struct store_result){ 0 });
	(void)a;
}

TEST(bodies_keep_every_byte_empty_ones_too)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_row rows[3] = { a_row(1, 1, LEDGER_OUTCOME, ""), a_row(1, 2, LEDGER_OUTCOME, ""),
				      a_row(1, 3, LEDGER_OUTCOME, "") };
	char *large = malloc(3000000);

	memset(large, 'x', 3000000);
	place_new(&p);
	rows[0].body = str_from("a\0b\0\xff\xfe\0", 7);
	rows[1].body = rows[1].head = STR_NULL;
	rows[2].body = str_from(large, 3000000);
	rows[2].number = INT64_MIN;
	rows[2].code = INT32_MIN;
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_ledger_put(p.store, &rows[i], NULL, NULL, NULL), 0);
	free(large); /* the store has its copy */
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, 10, check_bytes, &a, e));
	place_drop(&p);
}

TEST(input_chunks_that_overlap_come_whole)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct input_row chunks[] = { { 1, 0, 10, STR("zero") },
				      { 1, 10, 10, STR("ten") },
				      { 1, 20, 5, STR("twenty") } };

	place_new(&p);
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_input_put(p.store, &chunks[i], NULL, NULL, NULL), 0);
	ASK(&p, &a, store_ledger_read(p.store, 1, 9, 9, on_answer, &a, e));
	assert_rows(&a, "input 0+10 zero\n");
	ASK(&p, &a, store_ledger_read(p.store, 1, 15, 20, on_answer, &a, e));
	assert_rows(&a, "input 10+10 ten\ninput 20+5 twenty\n");
	ASK(&p, &a, store_ledger_read(p.store, 1, 25, UINT64_MAX, on_answer, &a, e));
	assert_int_equal(a.n_inputs, 0);
	chunks[1].lines = STR("other");
	ASK(&p, &a, store_input_put(p.store, &chunks[1], on_answer, &a, e));
	assert_true(a.was_recorded);
	chunks[0].first_seq = UINT64_MAX;
	assert_int_equal(store_input_put(p.store, &chunks[0], NULL, NULL, NULL), -ERR_LIMIT);
	place_drop(&p);
}

static void check_made(void *arg, const struct store_result *r)
{
	assert_int_equal(r->n, 1);
	assert_int_equal(r->rows[0].kind, LEDGER_MADE);
	assert_int_equal(r->rows[0].key.step, 4);
	assert_int_equal(r->rows[0].number, 4);
	assert_str(r->rows[0].head, "{\"d\":2}");
	assert_int_equal(r->n_inputs, 2);
	assert_int_equal(r->inputs[0].made_by, 0);
	assert_int_equal(r->inputs[1].made_by, 5);
	assert_int_equal(r->inputs[1].parent, 1);
	on_answer(arg, &(struct store_result){ 0 });
}

TEST(made_items_and_how_many_they_are_become_one_record)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct input_row
	    source = { 1, 0, 2, STR("two") },
	    made = { 1, 2, 3, STR("three"), .made_by = 5, .parent = 1, .made = 3, .made_state = STR("{\"d\":1}") },
	    more = { 1, 5, 1, STR("one"), .made_by = 5, .parent = 1, .made = 4, .made_state = STR("{\"d\":2}") };

	place_new(&p);
	ASK(&p, &a, store_input_end(p.store, 1, on_answer, &a, e));
	assert_true(a.next_seq == 0 && a.total == 0);
	assert_int_equal(store_input_put(p.store, &source, NULL, NULL, NULL), 0);
	assert_int_equal(store_input_put(p.store, &made, NULL, NULL, NULL), 0);
	assert_int_equal(store_input_put(p.store, &more, NULL, NULL, NULL), 0);
	assert_int_equal(store_input_put(p.store, &made, NULL, NULL, NULL), 0); /* a smaller number does not win */
	ASK(&p, &a, store_input_end(p.store, 1, on_answer, &a, e));
	assert_int_equal(a.next_seq, 6);
	assert_int_equal(a.total, 2);
	ASK(&p, &a, store_ledger_read(p.store, 1, 1, 2, check_made, &a, e));
	place_drop(&p);
}

static void put_call(struct place *p, uint64_t seq, uint32_t attempt, bool has_outcome)
{
	struct ledger_row row = a_row(1, seq, LEDGER_INTENT, "");

	row.key.attempt = attempt;
	assert_int_equal(store_ledger_put(p->store, &row, NULL, NULL, NULL), 0);
	row.kind = LEDGER_OUTCOME;
	if (has_outcome)
		assert_int_equal(store_ledger_put(p->store, &row, NULL, NULL, NULL), 0);
}

TEST(dropping_problems_forgets_failed_calls_but_no_unknown_one)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_row problem = a_row(1, 2, LEDGER_PROBLEM, "");

	place_new(&p);
	put_call(&p, 1, 1, true); /* went well */
	put_call(&p, 2, 1, true); /* failed twice */
	put_call(&p, 2, 2, true);
	problem.code = 2;
	assert_int_equal(store_ledger_put(p.store, &problem, NULL, NULL, NULL), 0);
	put_call(&p, 3, 1, false); /* unknown */
	problem.key.seq = 3;
	problem.code = 3;
	assert_int_equal(store_ledger_put(p.store, &problem, NULL, NULL, NULL), 0);
	put_call(&p, 4, 1, true); /* unknown, though something is recorded: that the connection broke */
	problem.key.seq = 4;
	assert_int_equal(store_ledger_put(p.store, &problem, NULL, NULL, NULL), 0);
	ASK(&p, &a, store_problem_list(p.store, 1, UINT64_MAX, 3, 10, on_answer, &a, e));
	assert_int_equal(a.total, 2);
	assert_rows(&a, "3.1.1.4 code=3 number=0 {}|\n4.1.1.4 code=3 number=0 {}|\n");
	ASK(&p, &a, store_problem_list(p.store, 1, 2, -1, 10, on_answer, &a, e));
	assert_int_equal(a.n, 2);
	ASK(&p, &a, store_ledger_drop_problems(p.store, 1, on_answer, &a, e));
	assert_int_equal(a.total, 1);
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, UINT64_MAX, on_answer, &a, e));
	assert_rows(&a, "1.1.1.1 code=0 number=0 {}|\n1.1.1.2 code=0 number=0 {}|\n3.1.1.1 code=0 number=0 {}|\n"
			"3.1.1.4 code=3 number=0 {}|\n4.1.1.1 code=0 number=0 {}|\n4.1.1.2 code=0 number=0 {}|\n"
			"4.1.1.4 code=3 number=0 {}|\n");
	place_drop(&p);
}

static int put_component(struct place *p, const char *version, const char *source, msec_t imported_at, struct answer *a,
			 struct err *e)
{
	struct component_row row = { STR("weather"), str_c(version), str_c(source), imported_at };

	return store_component_put(p->store, &row, on_answer, a, e);
}

TEST(components_keep_every_version_and_the_last_import_is_the_newest)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	ASK(&p, &a, put_component(&p, "1", "one", 100, &a, e));
	assert_int_equal(a.change, 1);
	ASK(&p, &a, put_component(&p, "2", "two", 50, &a, e)); /* the order of import counts, not the clock */
	ASK(&p, &a, store_component_get(p.store, STR("weather"), STR_NULL, on_answer, &a, e));
	assert_rows(&a, "component weather 2 two\n");
	ASK(&p, &a, put_component(&p, "1", "one", 60, &a, e));
	assert_int_equal(a.change, 2);
	ASK(&p, &a, store_component_list(p.store, on_answer, &a, e));
	assert_rows(&a, "component weather 1 one\n");
	ASK(&p, &a, store_component_get(p.store, STR("weather"), STR("2"), on_answer, &a, e));
	assert_rows(&a, "component weather 2 two\n");
	ASK(&p, &a, store_component_get(p.store, STR("weather"), STR("3"), on_answer, &a, e));
	assert_int_equal(a.error, STORE_NOT_FOUND);
	place_drop(&p);
}

TEST(a_version_kept_for_a_run_alone_is_found_but_not_published)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	ASK(&p, &a, put_component(&p, "1", "one", 0, &a, e));
	ASK(&p, &a, store_component_list(p.store, on_answer, &a, e));
	assert_int_equal(a.n, 0);
	ASK(&p, &a, store_component_get(p.store, STR("weather"), STR_NULL, on_answer, &a, e));
	assert_int_equal(a.error, STORE_NOT_FOUND);
	ASK(&p, &a, store_component_get(p.store, STR("weather"), STR("1"), on_answer, &a, e));
	assert_rows(&a, "component weather 1 one\n");
	ASK(&p, &a, put_component(&p, "2", "two", 10, &a, e));
	ASK(&p, &a, put_component(&p, "3", "three", 0, &a, e)); /* later, but not imported */
	ASK(&p, &a, put_component(&p, "2", "two", 0, &a, e));	/* used by a run: stays imported */
	ASK(&p, &a, store_component_list(p.store, on_answer, &a, e));
	assert_rows(&a, "component weather 2 two\n");
	place_drop(&p);
}

/* ---- order and life ---- */

struct order {
	struct loop *loop;
	unsigned next, total;
};

struct order_mark {
	struct order *order;
	unsigned number;
};

static void on_order(void *arg, const struct store_result *r)
{
	struct order_mark *m = arg;

	assert_int_equal(r->error, STORE_OK);
	assert_int_equal(m->number, m->order->next);
	if (++m->order->next == m->order->total)
		loop_stop(m->order->loop);
}

TEST(callbacks_come_in_the_order_of_the_calls)
{
	enum { N = 3000 };
	static struct order_mark marks[N];
	struct place p;

	place_new(&p);
	struct order order = { .loop = p.loop, .total = N };
	for (unsigned i = 0; i < N; i++) {
		struct ledger_row row = a_row(1, i * 7919u % N, LEDGER_OUTCOME, "body");
		marks[i] = (struct order_mark){ &order, i };
		if (i % 3)
			assert_int_equal(store_ledger_put(p.store, &row, on_order, &marks[i], NULL), 0);
		else
			assert_int_equal(store_run_list(p.store, 0, -1, 1, on_order, &marks[i], NULL), 0);
	}
	(void)loop_run(p.loop);
	assert_int_equal(order.next, N);
	place_drop(&p);
}

static void on_not(void *arg, const struct store_result *r)
{
	fail_msg("a callback ran although the store was closed");
}

static void on_close_it(void *arg, const struct store_result *r)
{
	struct place *p = arg;

	place_close(p);
	loop_stop(p->loop);
}

TEST(closing_saves_what_is_queued_and_silences_the_callbacks)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_row row = a_row(1, 1, LEDGER_INTENT, "");

	place_new(&p);
	assert_int_equal(store_ledger_put(p.store, &row, on_not, NULL, NULL), 0);
	place_close(&p);
	place_open(&p);
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, 9, on_answer, &a, e));
	assert_int_equal(a.n, 1);
	place_drop(&p);
}

TEST(a_callback_may_close_the_store)
{
	struct place p;
	struct ledger_row row = a_row(1, 1, LEDGER_INTENT, "");

	place_new(&p);
	assert_int_equal(store_ledger_put(p.store, &row, on_close_it, &p, NULL), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		row.key.seq = i + 2;
		assert_int_equal(store_ledger_put(p.store, &row, on_not, NULL, NULL), 0);
	}
	(void)loop_run(p.loop);
	assert_null(p.store);
	place_drop(&p);
}

TEST(the_store_is_full_when_too_much_is_queued_and_not_for_ever)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	char *large = calloc(1, 9 << 20);
	struct ledger_row row = a_row(1, 0, LEDGER_OUTCOME, "");

	place_new(&p);
	row.body = str_from(large, 9 << 20);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(store_is_full(p.store), i == 8);
		row.key.seq = (uint64_t)i;
		assert_int_equal(store_ledger_put(p.store, &row, NULL, NULL, NULL), 0);
	}
	assert_true(store_is_full(p.store));
	ASK(&p, &a, store_run_list(p.store, 0, -1, 1, on_answer, &a, e));
	assert_false(store_is_full(p.store));
	free(large);
	place_drop(&p);
}

TEST(a_store_in_memory_needs_no_directory)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_row row = a_row(1, 1, LEDGER_INTENT, "");

	place_make(&p);
	assert_int_equal(store_open(&p.store, p.loop, &(struct store_config){ .dir = NULL }, NULL), 0);
	assert_int_equal(store_run_claim(p.store, 1, NULL), 0);
	store_run_release(p.store, 1);
	ASK(&p, &a, store_ledger_put(p.store, &row, on_answer, &a, e));
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, 9, on_answer, &a, e));
	assert_int_equal(a.n, 1);
	assert_int_equal(store_disk_bytes(p.store), 0);
	place_drop(&p);
}

TEST(a_window_gathers_company_without_changing_the_answers)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_row row = a_row(1, 1, LEDGER_INTENT, "");

	place_make(&p);
	struct store_config config = { .dir = p.last_dir, .group_window = 5 };
	assert_int_equal(store_open(&p.store, p.loop, &config, NULL), 0);
	for (uint64_t i = 0; i < 2500; i++) {
		row.key.seq = i;
		assert_int_equal(store_ledger_put(p.store, &row, NULL, NULL, NULL), 0);
	}
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, UINT64_MAX, on_answer, &a, e));
	assert_int_equal(a.n, 2500);
	place_drop(&p);
}

RUN_TESTS(CLAIM(a_run_is_created_read_updated_and_listed), CLAIM(runs_are_paged_newest_first_and_by_state),
	  CLAIM(reads_see_the_writes_queued_before_them_and_not_those_after), CLAIM(a_ledger_row_is_recorded_once),
	  CLAIM(ledger_ranges_hold_over_all_64_bits), CLAIM(the_order_is_seq_step_attempt_kind),
	  CLAIM(bodies_keep_every_byte_empty_ones_too), CLAIM(input_chunks_that_overlap_come_whole),
	  CLAIM(made_items_and_how_many_they_are_become_one_record),
	  CLAIM(dropping_problems_forgets_failed_calls_but_no_unknown_one),
	  CLAIM(components_keep_every_version_and_the_last_import_is_the_newest),
	  CLAIM(a_version_kept_for_a_run_alone_is_found_but_not_published),
	  CLAIM(callbacks_come_in_the_order_of_the_calls),
	  CLAIM(closing_saves_what_is_queued_and_silences_the_callbacks), CLAIM(a_callback_may_close_the_store),
	  CLAIM(the_store_is_full_when_too_much_is_queued_and_not_for_ever),
	  CLAIM(a_store_in_memory_needs_no_directory), CLAIM(a_window_gathers_company_without_changing_the_answers))
