/* SPDX-License-Identifier: Apache-2.0 */
/* Packed rows: the very bytes come back, whatever happens to dictionaries; damage is said, never crashed on or made up.
 */
#include "store_test.h"
#include "base/alloc.h"
#include "store/sqlite_int.h"

#include <sqlite3.h>

#define ROWS 400

/* ---- helpers ---- */

static void shell(struct place *p, const char *sql)
{
	sqlite3 *db = NULL;
	char *why = NULL;

	assert_int_equal(sqlite3_open(place_file(p, "weir.db"), &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 10000);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	(void)sqlite3_close(db);
}

static int64_t number(struct place *p, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;

	assert_int_equal(sqlite3_open(place_file(p, "weir.db"), &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	return n;
}

/* What row `seq` holds, in a static buffer each: similar to its neighbours, and with bytes that are no text. */
static struct ledger_row row_of(int64_t run, uint64_t seq)
{
	static char head[400], body[2000];
	int h = snprintf(head, sizeof(head),
			 "{\"status\":200,\"headers\":{\"content-type\":\"application/json\",\"date\":\"%08llx\"}}",
			 (unsigned long long)(seq * 2654435761u));
	int b = snprintf(body, sizeof(body),
			 "{\"latitude\":%llu.5,\"longitude\":%llu,\"current\":{\"temperature\":%llu,\"unit\":\"C\"},"
			 "\"note\":\"same for all of them, and long enough\"}",
			 (unsigned long long)(seq % 90), (unsigned long long)(seq * 7 % 180),
			 (unsigned long long)(seq * 31 % 40));

	for (uint64_t i = 0; i < seq % 5; i++)
		body[b++] = (char)(i * 85); /* NUL, 0x55, 0xaa, 0xff ... */
	struct ledger_row row = a_row(run, seq, LEDGER_OUTCOME, "");
	row.head = str_from(head, (size_t)h);
	row.body = str_from(body, (size_t)b);
	return row;
}

/* A hundred at a time, so that a dictionary can be made between two groups. */
static void put_rows(struct place *p, int64_t run, uint64_t from, uint64_t to)
{
	struct answer a auto_answer = { 0 };

	for (uint64_t i = from; i < to; i++) {
		struct ledger_row row = row_of(run, i);
		if ((i + 1) % 100 && i + 1 < to) {
			assert_int_equal(store_ledger_put(p->store, &row, NULL, NULL, NULL), 0);
			continue;
		}
		ASK(p, &a, store_ledger_put(p->store, &row, on_answer, &a, e));
		assert_int_equal(a.error, STORE_OK);
	}
}

static int64_t new_run(struct place *p)
{
	struct answer a auto_answer = { 0 };
	struct run_row run = a_run();

	ASK(p, &a, store_run_create(p->store, &run, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	return a.id;
}

struct check {
	struct loop *loop;
	int64_t run;
	size_t n;
	enum store_error error;
};

static void on_check(void *arg, const struct store_result *r)
{
	struct check *c = arg;

	c->error = r->error;
	c->n = r->n;
	for (size_t i = 0; r->error == STORE_OK && i < r->n; i++) {
		struct ledger_row want = row_of(c->run, r->rows[i].key.seq);
		assert_true(str_eq(r->rows[i].head, want.head));
		assert_true(str_eq(r->rows[i].body, want.body));
	}
	loop_stop(c->loop);
}

/* Reads and compares all rows of the run. */
static struct check check_rows(struct place *p, int64_t run, uint64_t from, uint64_t to)
{
	struct check c = { .loop = p->loop, .run = run };

	assert_int_equal(store_ledger_read(p->store, run, from, to, on_check, &c, NULL), 0);
	(void)loop_run(p->loop);
	return c;
}

static void expect_rows(struct place *p, int64_t run, size_t n)
{
	struct check c = check_rows(p, run, 0, UINT64_MAX);

	assert_int_equal(c.error, STORE_OK);
	assert_int_equal(c.n, n);
}

/* ---- claims ---- */

TEST(rows_of_a_step_come_back_byte_for_byte_and_take_a_third)
{
	struct place p;

	place_new(&p);
	int64_t run = new_run(&p);
	put_rows(&p, run, 0, ROWS);
	expect_rows(&p, run, ROWS);
	assert_int_equal(number(&p, "SELECT count(*) FROM dictionaries"), 1);
	int64_t packed = number(&p, "SELECT count(*) FROM ledger WHERE packed IS NOT NULL");
	assert_true(packed > ROWS / 2 && packed < ROWS); /* the first ones made the dictionary */
	int64_t small = number(&p, "SELECT sum(length(packed)) FROM ledger WHERE packed IS NOT NULL");
	int64_t large =
	    number(&p, "SELECT sum(length(CAST(head AS BLOB))+length(body)) FROM ledger WHERE packed IS NULL");
	assert_true(small / packed * 3 < large / (ROWS - packed));
	place_drop(&p);
}

TEST(another_run_and_another_day_use_the_dictionary_that_is_there)
{
	struct place p;

	place_new(&p);
	int64_t first = new_run(&p);
	put_rows(&p, first, 0, ROWS);
	place_close(&p);
	place_open(&p);
	expect_rows(&p, first, ROWS);
	int64_t second = new_run(&p);
	put_rows(&p, second, 0, 3);
	expect_rows(&p, second, 3);
	assert_int_equal(number(&p, "SELECT count(*) FROM ledger WHERE run=2 AND packed IS NOT NULL"), 3);
	assert_int_equal(number(&p, "SELECT count(*) FROM dictionaries"), 1);
	place_drop(&p);
}

TEST(a_dictionary_that_another_process_removed_is_written_again_before_a_row_refers_to_it)
{
	struct place p;

	place_new(&p);
	int64_t first = new_run(&p);
	put_rows(&p, first, 0, ROWS);
	shell(&p, "DELETE FROM ledger; DELETE FROM dictionaries");
	put_rows(&p, first, 0, 20);
	expect_rows(&p, first, 20);
	assert_int_equal(number(&p, "SELECT count(*) FROM ledger l WHERE packed IS NOT NULL"), 20);
	place_close(&p);
	place_open(&p);
	expect_rows(&p, first, 20);
	place_drop(&p);
}

TEST(damaged_rows_are_refused_one_by_one_and_the_others_are_read)
{
	struct place p;

	place_new(&p);
	int64_t run = new_run(&p);
	put_rows(&p, run, 0, ROWS);
	shell(&p,
	      "UPDATE ledger SET packed=x'' WHERE seq=300; UPDATE ledger SET packed=x'0100ff' WHERE seq=301;"
	      "UPDATE ledger SET packed=substr(packed,1,length(packed)-3) WHERE seq=302;"
	      "UPDATE ledger SET packed=CAST(x'7f'||substr(packed,2) AS BLOB) WHERE seq=303;" /* no such dictionary */
	      "UPDATE ledger SET packed=x'ffffffffffffffffffffff' WHERE seq=304;"	      /* no number */
	      "UPDATE ledger SET packed=CAST(x'01ffff7f'||substr(packed,3) AS BLOB) WHERE seq=305;" /* a head beyond the
												       row */
	      "UPDATE ledger SET packed=x'0000a0ffffffff010000' WHERE seq=306"); /* says that it is 4 GiB */
	for (uint64_t seq = 300; seq <= 306; seq++)
		assert_int_equal(check_rows(&p, run, seq, seq).error, STORE_DAMAGED);
	assert_int_equal(check_rows(&p, run, 0, 299).n, 300);
	assert_int_equal(check_rows(&p, run, 307, ROWS).n, ROWS - 307);
	assert_int_equal(check_rows(&p, run, 0, UINT64_MAX).error, STORE_DAMAGED);
	assert_null(store_broken(p.store));
	place_drop(&p);
}

TEST(no_bytes_crash_the_reader_and_no_wrong_bit_of_a_frame_goes_unseen)
{
	struct place p;
	sqlite3 *db = NULL;
	sqlite3_stmt *get = NULL, *put = NULL;
	unsigned seed = 17;
	char bytes[4096], first[4096];
	int n_read = 0;

	place_new(&p);
	int64_t run = new_run(&p);
	put_rows(&p, run, 0, 200);
	assert_int_equal(sqlite3_open(place_file(&p, "weir.db"), &db), SQLITE_OK);
	(void)sqlite3_busy_timeout(db, 10000);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT packed FROM ledger WHERE seq=199", -1, &get, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "UPDATE ledger SET packed=? WHERE seq=198", -1, &put, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(get), SQLITE_ROW);
	size_t n = (size_t)sqlite3_column_bytes(get, 0);
	assert_true(n > 10 && n < sizeof(bytes));
	for (int i = 0; i < 300; i++) {
		memcpy(bytes, sqlite3_column_blob(get, 0), n);
		for (int k = 0; k <= i % 3; k++)
			bytes[(size_t)rand_r(&seed) % n] ^= (char)(1 << rand_r(&seed) % 8);
		(void)sqlite3_bind_blob(put, 1, bytes, (int)n, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(put), SQLITE_DONE);
		(void)sqlite3_reset(put);
		struct answer a auto_answer = { 0 };
		ASK(&p, &a, store_ledger_read(p.store, run, 198, 198, on_answer, &a, e));
		assert_true(a.error == STORE_OK || a.error == STORE_DAMAGED);
	}
	/* Behind the two numbers in front a frame begins, and its digest finds whichever bit is wrong; one is without
	 * meaning. */
	for (size_t bit = 16; bit <= n * 8; bit++) {
		struct answer a auto_answer = { 0 };
		memcpy(bytes, sqlite3_column_blob(get, 0), n);
		if (bit < n * 8)
			bytes[bit / 8] ^= (char)(1 << bit % 8);
		(void)sqlite3_bind_blob(put, 1, bytes, (int)n, SQLITE_STATIC);
		assert_int_equal(sqlite3_step(put), SQLITE_DONE);
		(void)sqlite3_reset(put);
		ASK(&p, &a, store_ledger_read(p.store, run, 198, 198, on_answer, &a, e));
		if (a.error == STORE_DAMAGED)
			continue;
		(void)buf_append_char(&a.rows, '\0');
		if (n_read++ == 0)
			(void)snprintf(first, sizeof(first), "%s", a.rows.ptr);
		assert_string_equal(first, a.rows.ptr);
	}
	assert_true(n_read >= 1 && n_read < (int)n / 2);
	(void)sqlite3_finalize(get);
	(void)sqlite3_finalize(put);
	(void)sqlite3_close(db);
	place_drop(&p);
}

TEST(without_memory_rows_stay_plain_and_are_right)
{
	struct place p;

	for (unsigned long n = 1; n < 80; n++) {
		place_new(&p);
		int64_t run = new_run(&p);
		struct err e = ERR_INIT;
		size_t saved = 0;
		alloc_fail_after(n * 3);
		for (uint64_t i = 0; i < 130; i++) {
			struct ledger_row row = row_of(run, i);
			struct answer a = { 0 };
			bool is_awaited = i == 100 || i == 129; /* between these the dictionary is made */
			answer_clear(&a, p.loop);
			if (store_ledger_put(p.store, &row, is_awaited ? on_answer : NULL, &a, &e))
				continue;
			saved++;
			if (is_awaited)
				(void)loop_run(p.loop);
			assert_int_equal(a.error, STORE_OK);
			answer_done(&a);
		}
		alloc_fail_after(0);
		expect_rows(&p, run, saved);
		assert_true(saved >= 129);
		place_drop(&p);
	}
}

TEST(the_input_is_packed_too)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	static char lines[64000];
	size_t n = 0;

	place_new(&p);
	int64_t run = new_run(&p);
	for (int i = 0; i < 500; i++)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "{\"id\":%d,\"city\":\"Zürich %d\"}\n", i, i);
	struct input_row in = { .run = run, .count = 500, .lines = str_from(lines, n) };
	ASK(&p, &a, store_input_put(p.store, &in, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_true(number(&p, "SELECT length(packed)+length(lines) FROM input") < (int64_t)n / 3);
	ASK(&p, &a, store_ledger_read(p.store, run, 0, 10, on_answer, &a, e));
	assert_int_equal(a.n_inputs, 1);
	assert_non_null(strstr((buf_append_char(&a.rows, '\0'), a.rows.ptr), lines));
	shell(&p, "UPDATE input SET packed=x'0000'");
	ASK(&p, &a, store_ledger_read(p.store, run, 0, 10, on_answer, &a, e));
	assert_int_equal(a.error, STORE_DAMAGED);
	place_drop(&p);
}

TEST(a_row_larger_than_the_codec_takes_stays_plain)
{
	struct place p;
	size_t n = 17u << 20;
	char *body = malloc(n);
	struct answer a auto_answer = { 0 };

	memset(body, 'x', n);
	place_new(&p);
	int64_t run = new_run(&p);
	struct ledger_row row = a_row(run, 0, LEDGER_OUTCOME, "");
	row.body = str_from(body, n);
	ASK(&p, &a, store_ledger_put(p.store, &row, on_answer, &a, e));
	assert_int_equal(number(&p, "SELECT length(body) FROM ledger"), n);
	row.key.seq = 1;
	row.body.len = 1u << 20; /* and a large one is packed by itself */
	ASK(&p, &a, store_ledger_put(p.store, &row, on_answer, &a, e));
	assert_true(number(&p, "SELECT length(packed) FROM ledger WHERE seq=1") < 1000);
	ASK(&p, &a, store_ledger_read(p.store, run, 1, 1, on_answer, &a, e));
	assert_int_equal(a.rows.len, sizeof("1.1.1.2 code=0 number=0 {}|\n") - 1 + (1u << 20));
	free(body);
	place_drop(&p);
}

TEST(a_store_that_keeps_plain_rows_reads_the_packed_ones_too)
{
	struct place p;

	place_new(&p);
	int64_t run = new_run(&p);
	put_rows(&p, run, 0, 250);
	int64_t packed = number(&p, "SELECT count(*) FROM ledger WHERE packed IS NOT NULL");
	assert_true(packed > 0);
	place_close(&p);
	assert_int_equal(
	    store_open(&p.store, p.loop, &(struct store_config){ .dir = p.last_dir, .keeps_plain = true }, NULL), 0);
	put_rows(&p, run, 250, 300);
	expect_rows(&p, run, 300);
	assert_int_equal(number(&p, "SELECT count(*) FROM ledger WHERE packed IS NOT NULL"), packed);
	place_drop(&p);
}

/* Row `i` of a group where kinds, steps and sizes change from row to row. */
static struct ledger_row mixed_row(int64_t run, uint64_t i)
{
	static const enum ledger_kind kinds[] = { LEDGER_INTENT, LEDGER_OUTCOME, LEDGER_OUTPUT, LEDGER_PROBLEM };
	struct ledger_row row = row_of(run, i);

	row.kind = kinds[i * 7 / 3 % ARRAY_LEN(kinds)];
	row.key.step = (uint32_t)(i % 3);
	return row;
}

static void on_mixed(void *arg, const struct store_result *r)
{
	struct check *c = arg;

	c->error = r->error;
	c->n = r->n;
	for (size_t i = 0; r->error == STORE_OK && i < r->n; i++) {
		struct ledger_row want = mixed_row(c->run, r->rows[i].key.seq);
		assert_int_equal(r->rows[i].kind, want.kind);
		assert_int_equal(r->rows[i].key.step, want.key.step);
		assert_true(str_eq(r->rows[i].head, want.head));
		assert_true(str_eq(r->rows[i].body, want.body));
	}
	loop_stop(c->loop);
}

TEST(rows_packed_ahead_of_their_insert_stay_with_their_keys)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	enum { N = 4000, LARGE = 700, RUN_IN_BETWEEN = 150 };
	static char large[300 << 10]; /* more than is packed ahead at a time */

	memset(large, 'y', sizeof(large));
	place_new(&p);
	int64_t run = new_run(&p);
	for (uint64_t i = 0; i < N; i++) {
		struct ledger_row row = mixed_row(run, i);
		struct run_row other = a_run();
		if (i % RUN_IN_BETWEEN == 0) /* another operation ends the stretch */
			assert_int_equal(store_run_create(p.store, &other, NULL, NULL, NULL), 0);
		assert_int_equal(store_ledger_put(p.store, &row, NULL, NULL, NULL), 0);
		if (i % 10 == 9) /* recorded already: the first one stays */
			assert_int_equal(store_ledger_put(p.store, &row, NULL, NULL, NULL), 0);
		if (i % LARGE == LARGE - 1) {
			row = a_row(run, N + i, LEDGER_OUTCOME, "");
			row.body = str_from(large, sizeof(large));
			assert_int_equal(store_ledger_put(p.store, &row, NULL, NULL, NULL), 0);
		}
		if (i % 100 == 99) {
			ASK(&p, &a, store_input_end(p.store, run, on_answer, &a, e));
			assert_int_equal(a.error, STORE_OK);
		}
	}
	struct check c = { .loop = p.loop, .run = run };
	assert_int_equal(store_ledger_read(p.store, run, 0, N - 1, on_mixed, &c, NULL), 0);
	(void)loop_run(p.loop);
	assert_int_equal(c.error, STORE_OK);
	assert_int_equal(c.n, N);
	assert_true(number(&p, "SELECT count(*) FROM ledger WHERE packed IS NOT NULL AND kind<>4") > N / 3);
	assert_int_equal(number(&p, "SELECT count(*) FROM ledger WHERE packed IS NOT NULL AND kind=4"), 0);
	assert_int_equal(number(&p, "SELECT count(*) FROM ledger WHERE seq>=4000 AND length(packed)<1000"), N / LARGE);
	place_drop(&p);
}

RUN_TESTS(CLAIM(rows_packed_ahead_of_their_insert_stay_with_their_keys),
	  CLAIM(rows_of_a_step_come_back_byte_for_byte_and_take_a_third),
	  CLAIM(another_run_and_another_day_use_the_dictionary_that_is_there),
	  CLAIM(a_dictionary_that_another_process_removed_is_written_again_before_a_row_refers_to_it),
	  CLAIM(damaged_rows_are_refused_one_by_one_and_the_others_are_read),
	  CLAIM(no_bytes_crash_the_reader_and_no_wrong_bit_of_a_frame_goes_unseen),
	  CLAIM(without_memory_rows_stay_plain_and_are_right), CLAIM(the_input_is_packed_too),
	  CLAIM(a_row_larger_than_the_codec_takes_stays_plain),
	  CLAIM(a_store_that_keeps_plain_rows_reads_the_packed_ones_too))
