/* SPDX-License-Identifier: Apache-2.0 */
/* A store without a thread: its owner says when a group goes to the disk. */
#include "store_test.h"
#include "store/store_int.h"

struct hand {
	struct loop *loop;
	int paces, saved, failed;
};

static void on_pace(void *arg)
{
	struct hand *h = arg;
	h->paces++;
	loop_stop(h->loop);
}

static void on_done(void *arg, const struct store_result *r)
{
	struct hand *h = arg;
	if (r->error == STORE_OK)
		h->saved++;
	else
		h->failed++;
	loop_stop(h->loop);
}

TEST(nothing_is_saved_or_said_before_its_owner_takes_a_turn)
{
	struct err e = ERR_INIT;
	struct hand h = { .loop = loop_new(&e) };
	struct store *s = NULL;
	struct store_config config = { .pace = on_pace, .pace_arg = &h };
	struct ledger_row row = a_row(1, 1, LEDGER_OUTCOME, "body");

	assert_int_equal(store_open(&s, h.loop, &config, NULL), 0);
	assert_int_equal(store_ledger_put(s, &row, on_done, &h, NULL), 0);
	assert_false(store_turn(s)); /* gathered, not yet handed over */
	(void)loop_run(h.loop);
	assert_int_equal(h.paces, 1);
	assert_int_equal(h.saved, 0);
	assert_true(store_turn(s));
	assert_false(store_turn(s));
	assert_int_equal(h.saved, 0); /* from the loop, never from inside */
	(void)loop_run(h.loop);
	assert_int_equal(h.saved, 1);
	store_close(s);
	loop_free(h.loop);
}

TEST(closing_takes_what_is_queued_to_the_disk)
{
	struct hand h = { .loop = loop_new(NULL) };
	struct place p;
	struct store *s = NULL;
	struct answer a auto_answer = { 0 };
	struct ledger_row row = a_row(1, 1, LEDGER_OUTCOME, "body");

	place_new(&p);
	place_close(&p);
	struct store_config config = { .dir = p.last_dir, .pace = on_pace, .pace_arg = &h };
	assert_int_equal(store_open(&s, h.loop, &config, NULL), 0);
	assert_int_equal(store_ledger_put(s, &row, on_done, &h, NULL), 0);
	store_close(s);
	loop_free(h.loop);
	assert_int_equal(h.saved, 0);
	place_open(&p);
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, UINT64_MAX, on_answer, &a, e));
	assert_int_equal(a.n, 1);
	place_drop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(nothing_is_saved_or_said_before_its_owner_takes_a_turn),
		CLAIM(closing_takes_what_is_queued_to_the_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
