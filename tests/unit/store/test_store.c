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

RUN_TESTS(CLAIM(a_run_is_created_read_updated_and_listed))
