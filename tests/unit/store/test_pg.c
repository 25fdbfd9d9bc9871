/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL alone: connections that break, claims of two processes, schemas of others. Lost answers:
 * tests/scenario/postgres. */
#include "store_test.h"

/* Ends every session of a store, as an administrator or a restart does. */
static void cut(struct place *p)
{
	(void)place_number(
	    p, "SELECT count(pg_terminate_backend(pid,5000)) FROM pg_stat_activity WHERE application_name LIKE "
	       "'weir-%' AND pid<>pg_backend_pid()");
}

/* A second store on the first one's database, as another process has it. */
static void place_beside(struct place *p, const struct place *first)
{
	*p = *first;
	p->store = NULL;
	(void)snprintf(p->last_dir, sizeof(p->last_dir), "%s/beside", first->dir);
	place_open(p);
}

static int put(struct place *p, uint64_t seq, struct answer *a, struct err *e)
{
	struct ledger_row row = a_row(1, seq, LEDGER_OUTCOME, "x");

	return store_ledger_put(p->store, &row, on_answer, a, e);
}

TEST(a_schema_of_another_program_is_refused_and_left_alone)
{
	struct place p;
	struct err e = ERR_INIT;

	place_make(&p);
	(void)place_number(&p, "CREATE TABLE photos (id int)");
	assert_int_equal(place_try(&p, &e), -ERR_INVALID);
	assert_non_null(strstr(e.msg, "tables of another program"));
	assert_int_equal(place_number(&p, "SELECT count(*) FROM pg_class WHERE relkind='r' AND relnamespace="
					  "CAST(current_schema() AS regnamespace)"),
			 1);
	loop_free(p.loop);
}

TEST(a_schema_that_is_not_there_and_a_newer_one_are_refused_with_what_to_do)
{
	struct place p;
	struct err e = ERR_INIT;

	place_new(&p);
	(void)place_number(&p, "UPDATE weir SET schema=77");
	place_close(&p);
	assert_int_equal(place_try(&p, &e), -ERR_INVALID);
	assert_non_null(strstr(e.msg, "newer Weir"));
	(void)strcat(p.url, "_no");
	assert_int_equal(place_try(&p, &e), -ERR_INVALID);
	assert_non_null(strstr(e.msg, "CREATE SCHEMA"));
	loop_free(p.loop);
}

TEST(a_server_that_is_not_there_is_named_without_the_password)
{
	struct place p;
	struct err e = ERR_INIT;

	place_make(&p);
	(void)snprintf(p.url, sizeof(p.url), "postgresql://u:s3cr3t@/db?host=%s", p.dir);
	assert_int_equal(place_try(&p, &e), -ERR_IO);
	assert_non_null(strstr(e.msg, "cannot connect"));
	assert_null(strstr(e.msg, "s3cr3t"));
	loop_free(p.loop);
}

TEST(a_connection_that_breaks_is_made_again_and_each_row_is_there_once)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	for (uint64_t seq = 0; seq < 400; seq++) {
		if (seq % 40 == 7)
			cut(&p);
		if (seq % 3) {
			struct ledger_row row = a_row(1, seq, LEDGER_OUTCOME, "x");
			assert_int_equal(store_ledger_put(p.store, &row, NULL, NULL, NULL), 0);
			continue;
		}
		ASK(&p, &a, put(&p, seq, &a, e));
		assert_int_equal(a.error, STORE_OK);
		assert_false(a.was_recorded);
	}
	ASK(&p, &a, put(&p, 399, &a, e));
	assert_true(a.was_recorded);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM ledger"), 400);
	assert_null(store_broken(p.store));
	place_drop(&p);
}

TEST(a_run_is_one_processs_and_its_again_after_the_connection_broke)
{
	struct place p, other;
	struct answer a auto_answer = { 0 };
	struct err e1 = ERR_INIT;

	place_new(&p);
	place_beside(&other, &p);
	assert_int_equal(store_run_claim(p.store, 1, NULL), 0);
	assert_int_equal(store_run_claim(p.store, 1, NULL), -ERR_CONFLICT);
	assert_int_equal(store_run_claim(other.store, 1, &e1), -ERR_CONFLICT);
	assert_non_null(strstr(e1.msg, "another process"));
	cut(&p);
	ASK(&p, &a, put(&p, 1, &a, e)); /* connects again, and has its claim again */
	assert_int_equal(a.error, STORE_OK);
	assert_int_equal(store_run_claim(other.store, 1, NULL), -ERR_CONFLICT);
	store_run_release(p.store, 1);
	ASK(&p, &a, put(&p, 2, &a, e)); /* the release is behind us */
	assert_int_equal(store_run_claim(other.store, 1, NULL), 0);
	place_close(&other);
	assert_int_equal(store_run_claim(p.store, 1, NULL), 0);
	place_drop(&p);
}

TEST(who_lost_a_run_to_another_while_cut_off_writes_nothing_more)
{
	struct place p, other;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	assert_int_equal(store_run_claim(p.store, 1, NULL), 0);
	ASK(&p, &a, put(&p, 1, &a, e));
	cut(&p);
	place_beside(&other, &p);
	assert_int_equal(store_run_claim(other.store, 1, NULL), 0);
	ASK(&p, &a, put(&p, 2, &a, e));
	assert_int_equal(a.error, STORE_FAILED);
	assert_non_null(strstr(store_broken(p.store), "taken over run 1"));
	assert_int_equal(put(&p, 3, &a, NULL), -ERR_IO);
	ASK(&other, &a, put(&other, 4, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM ledger WHERE seq IN (2,3)"), 0);
	place_close(&other);
	place_drop(&p);
}

TEST(two_processes_write_one_after_the_other_and_lose_nothing)
{
	struct place p, other;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	place_beside(&other, &p);
	for (uint64_t seq = 0; seq < 200; seq++)
		ASK(&p, &a, put(seq % 2 ? &p : &other, seq / 2, &a, e));
	assert_true(a.was_recorded);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM ledger"), 100);
	place_close(&other);
	place_drop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(a_schema_of_another_program_is_refused_and_left_alone),
		CLAIM(a_schema_that_is_not_there_and_a_newer_one_are_refused_with_what_to_do),
		CLAIM(a_server_that_is_not_there_is_named_without_the_password),
		CLAIM(a_connection_that_breaks_is_made_again_and_each_row_is_there_once),
		CLAIM(a_run_is_one_processs_and_its_again_after_the_connection_broke),
		CLAIM(who_lost_a_run_to_another_while_cut_off_writes_nothing_more),
		CLAIM(two_processes_write_one_after_the_other_and_lose_nothing),
	};
	if (!getenv("WEIR_TEST_POSTGRES")) {
		(void)printf("no WEIR_TEST_POSTGRES: tests/tools/postgres.py brings one\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
