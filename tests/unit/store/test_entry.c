/* SPDX-License-Identifier: Apache-2.0 */
/* Entries: each mode with its refusals, once per ledger key, and paged. */
#include "store_test.h"

static const struct ledger_key no_run = { 0 };

static struct entry_row an_entry(const char *key, const char *data)
{
	return (struct entry_row){ .component = STR("weather"), .key = str_c(key), .data = str_c(data) };
}

#define WRITE(p, a, mode, key, data)                                                                                   \
	do {                                                                                                           \
		struct entry_row write_row_ = an_entry((key), (data));                                                 \
		ASK((p), (a), store_entry_write((p)->store, &no_run, (mode), &write_row_, on_answer, (a), e));         \
	} while (0)

TEST(upsert_creates_then_replaces_then_has_nothing_to_do)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	WRITE(&p, &a, ENTRY_UPSERT, "Paris", "{\"a\":1,\"b\":2}");
	assert_int_equal(a.change, 1);
	assert_int_equal(a.id, 1);
	WRITE(&p, &a, ENTRY_UPSERT, "Paris", "{\"c\":3}");
	assert_int_equal(a.change, 2);
	assert_int_equal(a.id, 1);
	WRITE(&p, &a, ENTRY_UPSERT, "Paris", "{\"c\":3}");
	assert_int_equal(a.change, 0);
	assert_int_equal(a.id, 1);
	ASK(&p, &a, store_entry_get(p.store, STR("weather"), 1, on_answer, &a, e));
	assert_rows(&a, "entry 1 key=Paris {\"c\":3}\n");
	ASK(&p, &a, store_entry_get(p.store, STR("other"), 1, on_answer, &a, e));
	assert_int_equal(a.error, STORE_NOT_FOUND);
	place_drop(&p);
}

TEST(update_merges_top_level_members_and_keeps_number_texts)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	WRITE(&p, &a, ENTRY_CREATE, "k", "{\"big\":12345678901234567890,\"x\":{\"y\":1,\"z\":2},\"keep\":1.50}");
	WRITE(&p, &a, ENTRY_UPDATE, "k", "{\"x\":{\"y\":2},\"new\":null}");
	assert_int_equal(a.change, 2);
	ASK(&p, &a, store_entry_get(p.store, STR("weather"), 1, on_answer, &a, e));
	assert_rows(&a, "entry 1 key=k {\"big\":12345678901234567890,\"x\":{\"y\":2},\"keep\":1.50,\"new\":null}\n");
	WRITE(&p, &a, ENTRY_UPDATE, "k", "[1]");
	assert_int_equal(a.error, STORE_CONFLICT);
	place_drop(&p);
}

TEST(create_of_one_that_exists_and_update_or_delete_of_none_are_refused)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	WRITE(&p, &a, ENTRY_UPDATE, "k", "{}");
	assert_int_equal(a.error, STORE_NOT_FOUND);
	WRITE(&p, &a, ENTRY_DELETE, "k", "{}");
	assert_int_equal(a.error, STORE_NOT_FOUND);
	WRITE(&p, &a, ENTRY_CREATE, "k", "{}");
	assert_int_equal(a.error, STORE_OK);
	WRITE(&p, &a, ENTRY_CREATE, "k", "{}");
	assert_int_equal(a.error, STORE_CONFLICT);
	WRITE(&p, &a, ENTRY_DELETE, "k", "{}");
	assert_int_equal(a.change, 3);
	assert_int_equal(a.id, 1);
	WRITE(&p, &a, ENTRY_CREATE, "k", "{}");
	assert_int_equal(a.id, 2); /* an id is never given twice */
	place_drop(&p);
}

TEST(entries_without_key_are_all_different_and_found_by_id)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	WRITE(&p, &a, ENTRY_UPSERT, NULL, "{}");
	WRITE(&p, &a, ENTRY_UPSERT, NULL, "{}");
	assert_int_equal(a.id, 2);
	struct entry_row row = an_entry("now with key", "{\"a\":1}");
	row.id = 2;
	ASK(&p, &a, store_entry_write(p.store, &no_run, ENTRY_UPDATE, &row, on_answer, &a, e));
	assert_int_equal(a.change, 2);
	row.id = 1;
	ASK(&p, &a, store_entry_write(p.store, &no_run, ENTRY_UPDATE, &row, on_answer, &a, e));
	assert_int_equal(a.error, STORE_CONFLICT); /* the key is another's */
	WRITE(&p, &a, ENTRY_UPSERT, "", "{}");	   /* an empty key is a key */
	WRITE(&p, &a, ENTRY_CREATE, "", "{}");
	assert_int_equal(a.error, STORE_CONFLICT);
	place_drop(&p);
}

TEST(a_write_with_the_same_ledger_key_is_recalled_not_repeated)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_key key = { .run = 3, .seq = 9, .step = 2, .attempt = 1 };
	struct entry_row row = an_entry("k", "{\"n\":1}");

	place_new(&p);
	ASK(&p, &a, store_entry_write(p.store, &key, ENTRY_UPSERT, &row, on_answer, &a, e));
	assert_int_equal(a.change, 1);
	assert_false(a.was_recorded);
	row = an_entry("k", "{\"n\":2}");
	ASK(&p, &a, store_entry_write(p.store, &key, ENTRY_UPSERT, &row, on_answer, &a, e));
	assert_true(a.was_recorded);
	assert_int_equal(a.change, 1);
	assert_int_equal(a.id, 1);
	ASK(&p, &a, store_entry_get(p.store, STR("weather"), 1, on_answer, &a, e));
	assert_rows(&a, "entry 1 key=k {\"n\":1}\n");
	ASK(&p, &a, store_ledger_read(p.store, 3, 0, 99, on_answer, &a, e));
	assert_rows(&a, "9.2.1.3 code=1 number=1 |\n");
	place_drop(&p);
}

static void on_writer(void *arg, const struct store_result *r)
{
	struct entry_row *ret = ((void **)arg)[0];

	assert_int_equal(r->n, 1);
	*ret = r->entries[0];
	loop_stop(((void **)arg)[1]);
}

TEST(an_entry_knows_the_run_the_item_and_the_step_that_wrote_it_last)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_key key = { .run = 3, .seq = 9, .step = 2, .attempt = 1 };
	struct entry_row row = an_entry("k", "{\"n\":1}"), read;

	place_new(&p);
	for (int i = 0; i < 3; i++) {
		key.seq += (uint64_t)i;
		key.run = i == 2 ? 0 : 3; /* the last one by nobody's run */
		row.run = key.run;
		row.data = i == 0 ? STR("{\"n\":1}") : i == 1 ? STR("{\"n\":2}") : STR("{\"n\":3}");
		ASK(&p, &a, store_entry_write(p.store, &key, ENTRY_UPSERT, &row, on_answer, &a, e));
		assert_int_equal(
		    store_entry_get(p.store, STR("weather"), a.id, on_writer, (void *[]){ &read, p.loop }, NULL), 0);
		(void)loop_run(p.loop);
		assert_int_equal(read.run, key.run);
		assert_int_equal(read.seq, key.seq);
		assert_int_equal(read.step, i == 2 ? -1 : 2);
	}
	place_drop(&p);
}

TEST(a_refused_write_leaves_no_line_in_the_ledger_and_its_group_goes_on)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct ledger_key key = { .run = 3, .step = 2, .attempt = 1 };
	struct entry_row row = an_entry("k", "{\"n\":1}");

	place_new(&p);
	answer_clear(&a, NULL);
	assert_int_equal(store_entry_write(p.store, &key, ENTRY_CREATE, &row, NULL, NULL, NULL), 0);
	key.seq = 1;
	assert_int_equal(store_entry_write(p.store, &key, ENTRY_CREATE, &row, on_answer, &a, NULL), 0);
	key.seq = 2;
	row = an_entry("l", "{}");
	assert_int_equal(store_entry_write(p.store, &key, ENTRY_CREATE, &row, NULL, NULL, NULL), 0);
	struct answer b auto_answer = { 0 };
	ASK(&p, &b, store_ledger_read(p.store, 3, 0, 99, on_answer, &b, e));
	assert_int_equal(a.error, STORE_CONFLICT);
	assert_rows(&b, "0.2.1.3 code=1 number=1 |\n2.2.1.3 code=1 number=2 |\n");
	place_drop(&p);
}

TEST(entries_are_paged_newest_first)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	static const msec_t times[] = { 50, 10, 50, 90 };

	place_new(&p);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct entry_row row = an_entry(NULL, "{}");
		row.updated_at = times[i];
		assert_int_equal(store_entry_write(p.store, &no_run, ENTRY_CREATE, &row, NULL, NULL, NULL), 0);
	}
	ASK(&p, &a, store_entry_list(p.store, STR("weather"), 0, 2, on_answer, &a, e));
	assert_int_equal(a.total, 4);
	assert_rows(&a, "entry 4 key= {}\nentry 3 key= {}\n");
	ASK(&p, &a, store_entry_list(p.store, STR("weather"), 3, 2, on_answer, &a, e));
	assert_rows(&a, "entry 1 key= {}\nentry 2 key= {}\n");
	ASK(&p, &a, store_entry_list(p.store, STR("weather"), 2, 2, on_answer, &a, e));
	assert_int_equal(a.n, 0);
	ASK(&p, &a, store_entry_list(p.store, STR("weather"), 77, 2, on_answer, &a, e));
	assert_int_equal(a.error, STORE_NOT_FOUND);
	ASK(&p, &a, store_entry_list(p.store, STR("nobody"), 0, 2, on_answer, &a, e));
	assert_int_equal(a.total, 0);
	place_drop(&p);
}

TEST(names_and_keys_are_data_never_sql)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	static const char *const nasty[] = { "'; DROP TABLE entries; --", "\"x\"", "%", "\xc3\xa9\xf0\x9f\x8c\x8d",
					     "a b" };

	place_new(&p);
	for (size_t i = 0; i < ARRAY_LEN(nasty); i++) {
		WRITE(&p, &a, ENTRY_CREATE, nasty[i], "{}");
		assert_int_equal(a.id, i + 1);
		WRITE(&p, &a, ENTRY_CREATE, nasty[i], "{}");
		assert_int_equal(a.error, STORE_CONFLICT);
		ASK(&p, &a, store_entry_list(p.store, str_c(nasty[i]), 0, 2, on_answer, &a, e));
		assert_int_equal(a.total, 0);
	}
	place_drop(&p);
}

RUN_TESTS(CLAIM(upsert_creates_then_replaces_then_has_nothing_to_do),
	  CLAIM(update_merges_top_level_members_and_keeps_number_texts),
	  CLAIM(create_of_one_that_exists_and_update_or_delete_of_none_are_refused),
	  CLAIM(entries_without_key_are_all_different_and_found_by_id),
	  CLAIM(a_write_with_the_same_ledger_key_is_recalled_not_repeated),
	  CLAIM(an_entry_knows_the_run_the_item_and_the_step_that_wrote_it_last),
	  CLAIM(a_refused_write_leaves_no_line_in_the_ledger_and_its_group_goes_on),
	  CLAIM(entries_are_paged_newest_first), CLAIM(names_and_keys_are_data_never_sql))
