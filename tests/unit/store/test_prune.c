/* SPDX-License-Identifier: Apache-2.0 */
/* Retention: what may go goes whole, what may not stays whole, and a prune that dies goes on. */
#include "store_test.h"
#include "base/clock.h"
#include "store/prune.h"

#include <sqlite3.h>

#define ITEMS 2500

/* ---- runs to prune ---- */

static int64_t new_run(struct place *p, struct str version, enum run_state state, msec_t ended_at)
{
	struct answer a auto_answer = { 0 };
	struct run_row run = a_run();

	run.version = version;
	run.state = state;
	run.ended_at = ended_at;
	ASK(p, &a, store_run_create(p->store, &run, on_answer, &a, e));
	return a.id;
}

static void fill(struct place *p, int64_t run, uint64_t items)
{
	struct answer a auto_answer = { 0 };
	struct input_row in = { .run = run, .count = 1, .lines = STR("{\"city\":\"Paris\"}\n") };
	struct entry_row entry = { .component = STR("weather"), .data = STR("{\"a\":1}") };

	for (uint64_t i = 0; i + 1 < items; i++) { /* the last one is waited for, and with it all */
		char body[300] = "{\"temperature\":11.5,\"wind\":14,\"note\":\"as every day\",\"digits\":\"";
		size_t n = strlen(body);
		for (unsigned seed = (unsigned)i; n < 250; n++) /* what no dictionary knows */
			body[n] = (char)('0' + rand_r(&seed) % 64);
		struct ledger_row row = a_row(run, i, LEDGER_OUTCOME, body);
		assert_int_equal(store_ledger_put(p->store, &row, NULL, NULL, NULL), 0);
	}
	for (; in.first_seq < 40; in.first_seq++)
		ASK(p, &a, store_input_put(p->store, &in, on_answer, &a, e));
	struct ledger_key key = { .run = run, .seq = items, .step = 7, .attempt = 1 };
	ASK(p, &a, store_entry_write(p->store, &key, ENTRY_UPSERT, &entry, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	struct ledger_row row = a_row(run, items - 1, LEDGER_PROBLEM, "");
	ASK(p, &a, store_ledger_put(p->store, &row, on_answer, &a, e));
}

static int64_t filled(struct place *p, const char *version, enum run_state state, msec_t ended_at)
{
	int64_t id = new_run(p, str_c(version), state, ended_at);

	fill(p, id, ITEMS);
	return id;
}

/* ---- a round, waited for ---- */

struct round {
	struct loop *loop;
	struct prune_report report;
	char said[2000], problem[256];
	bool is_over;
};

static void on_each(void *arg, int64_t run, uint64_t bytes, const char *refusal)
{
	struct round *r = arg;
	size_t n = strlen(r->said);

	(void)snprintf(r->said + n, sizeof(r->said) - n, "%" PRId64 "%s%s;", run, bytes ? "+" : "", refusal ? "!" : "");
}

static void on_over(void *arg, const struct prune_report *report)
{
	struct round *r = arg;

	r->report = *report;
	(void)snprintf(r->problem, sizeof(r->problem), "%s", report->problem ? report->problem : "");
	r->is_over = true;
	loop_stop(r->loop);
}

static struct round prune_with(struct place *p, struct prune_policy policy)
{
	struct round r = { .loop = p->loop };

	assert_non_null(prune_start(p->store, &policy, on_each, on_over, &r, NULL));
	while (!r.is_over)
		(void)loop_run(p->loop);
	assert_string_equal(r.problem, "");
	return r;
}

static bool has_run(struct place *p, int64_t id)
{
	struct answer a auto_answer = { 0 };

	ASK(p, &a, store_run_get(p->store, id, on_answer, &a, e));
	assert_true(a.error == STORE_OK || a.error == STORE_NOT_FOUND);
	return a.error == STORE_OK;
}

static uint64_t rows_of(struct place *p, int64_t id)
{
	struct answer a auto_answer = { 0 };

	ASK(p, &a, store_ledger_read(p->store, id, 0, UINT64_MAX, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	return a.n;
}

/* ---- claims ---- */

TEST(a_pruned_run_leaves_nothing_but_its_entries_and_the_others_are_whole)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	struct component_row kept = { .name = STR("weather"), .version = STR("v1"), .source = STR("weir: 1") };
	ASK(&p, &a, store_component_put(p.store, &kept, on_answer, &a, e));
	kept.version = STR("v2");
	kept.imported_at = 7;
	ASK(&p, &a, store_component_put(p.store, &kept, on_answer, &a, e));
	int64_t one = filled(&p, "v1", RUN_DONE, 2000), two = filled(&p, "v2", RUN_DONE, 2000),
		three = filled(&p, "v2", RUN_FAILED, 2000);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM dictionaries"), 2);
	struct round r = prune_with(&p, (struct prune_policy){ .named = (int64_t[]){ one, two }, .n_named = 2 });
	assert_int_equal(r.report.runs, 2);
	assert_true(r.report.used_after * 2 < r.report.used_before);
	assert_false(has_run(&p, one) || has_run(&p, two));
	assert_true(has_run(&p, three));
	assert_int_equal(rows_of(&p, three), ITEMS + 1);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM ledger WHERE run<3"), 0);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM input WHERE run<3"), 0);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM input WHERE run=3"), 40);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM pruning"), 0);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM entries"), 3);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM dictionaries WHERE version='v2'"), 1);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM dictionaries WHERE version='v1'"), 0);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM components"), 2); /* v1 was asked for today: spared */
	ASK(&p, &a, store_space(p.store, on_answer, &a, e));
	assert_true(*p.url || a.bytes_free == 0);	 /* a server keeps the room of rows for others */
	int64_t four = filled(&p, "v1", RUN_DONE, 3000); /* its dictionary is gone from the file, not from memory */
	assert_int_equal(rows_of(&p, four), ITEMS + 1);
	place_close(&p);
	place_open(&p);
	assert_int_equal(rows_of(&p, four), ITEMS + 1);
	place_drop(&p);
}

TEST(a_version_kept_for_a_pruned_run_goes_when_it_has_rested_and_an_imported_one_stays)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	place_new(&p);
	struct component_row row = { .name = STR("weather"), .version = STR("v1"), .source = STR("weir: 1") };
	ASK(&p, &a, store_component_put(p.store, &row, on_answer, &a, e));
	row.version = STR("v2");
	row.imported_at = 7;
	ASK(&p, &a, store_component_put(p.store, &row, on_answer, &a, e));
	int64_t ids[] = { new_run(&p, STR("v1"), RUN_DONE, 1), new_run(&p, STR("v2"), RUN_DONE, 1) };
	(void)place_number(&p, "UPDATE components SET used_at=1");
	(void)prune_with(&p, (struct prune_policy){ .named = ids, .n_named = 2 });
	assert_int_equal(place_number(&p, "SELECT count(*) FROM components WHERE version='v1'"), 0);
	assert_int_equal(place_number(&p, "SELECT count(*) FROM components WHERE version='v2'"), 1);
	place_drop(&p);
}

TEST(each_rule_narrows_and_what_is_not_over_stays_unless_named)
{
	struct place p;
	msec_t now = clock_wall(), hour = 3600000;

	place_new(&p);
	(void)new_run(&p, STR("v"), RUN_DONE, now - 50 * hour);		   /* 1 */
	(void)new_run(&p, STR("v"), RUN_FAILED, now - 40 * hour);	   /* 2 */
	(void)new_run(&p, STR("v"), RUN_NEEDS_ATTENTION, now - 40 * hour); /* 3 */
	(void)new_run(&p, STR("v"), RUN_RUNNING, 0);			   /* 4 */
	(void)new_run(&p, STR("v"), RUN_PARTLY_DONE, now - 30 * hour);	   /* 5 */
	(void)new_run(&p, STR("v"), RUN_DONE, now - 1 * hour);		   /* 6 */
	struct prune_policy dry = { .older_than = 24 * hour, .is_dry = true };
	assert_string_equal(prune_with(&p, dry).said, "1;2;5;");
	dry.keep = 3;
	assert_string_equal(prune_with(&p, dry).said, "1;2;");
	dry.states = 1u << RUN_FAILED;
	assert_string_equal(prune_with(&p, dry).said, "2;");
	assert_string_equal(prune_with(&p, (struct prune_policy){ .keep = 1, .is_dry = true }).said, "1;2;5;");
	assert_true(has_run(&p, 1));
	assert_string_equal(prune_with(&p, (struct prune_policy){ .keep = 1 }).said, "1;2;5;");
	assert_true(has_run(&p, 3) && has_run(&p, 4) && has_run(&p, 6));
	assert_int_equal(store_run_claim(p.store, 4, NULL), 0); /* somebody executes it */
	struct round r = prune_with(&p, (struct prune_policy){ .named = (int64_t[]){ 3, 4, 99 }, .n_named = 3 });
	assert_string_equal(r.said, "3;4!;99!;");
	assert_int_equal(r.report.refused, 2);
	store_run_release(p.store, 4);
	assert_string_equal(prune_with(&p, (struct prune_policy){ .named = (int64_t[]){ 4 }, .n_named = 1 }).said,
			    "4;");
	assert_false(has_run(&p, 3) || has_run(&p, 4));
	place_drop(&p);
}

TEST(by_size_the_oldest_go_and_no_more_than_needed)
{
	struct place p;

	place_new(&p);
	for (int i = 0; i < 4; i++)
		(void)filled(&p, "v1", RUN_DONE, 1000);
	struct answer a auto_answer = { 0 };
	ASK(&p, &a, store_space(p.store, on_answer, &a, e));
	uint64_t used = a.bytes_used;
	struct prune_policy policy = { .max_bytes = used * 6 / 10, .is_dry = true };
	struct round dry = prune_with(&p, policy);
	policy.is_dry = false;
	struct round r = prune_with(&p, policy);
	assert_true(r.report.used_after <= policy.max_bytes);
	assert_true(r.report.runs >= 1 && r.report.runs <= 3);
	assert_true(dry.report.runs >= 1 && dry.report.runs <= 3);
	assert_false(has_run(&p, 1));
	assert_true(has_run(&p, 4));
	assert_int_equal(prune_with(&p, policy).report.runs, 0);
	place_drop(&p);
}

/* One step at a time, the store closed after each: as a process that is killed there leaves it. */
TEST(a_prune_that_dies_anywhere_is_consistent_and_goes_on)
{
	struct place p;
	struct answer a auto_answer = { 0 };

#ifdef __SANITIZE_THREAD__
	skip(); /* the thread sanitizer ends a child that starts threads after fork() */
#endif
	place_new(&p);
	int64_t one = filled(&p, "v1", RUN_DONE, 1), two = filled(&p, "v1", RUN_DONE, 1);
	ASK(&p, &a, store_run_prune(p.store, one, false, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	for (int i = 0; place_number(&p, "SELECT count(*) FROM pruning"); i++) {
		assert_true(i < 10);
		pid_t pid = fork(); /* another process does a step and dies without closing */
		if (pid == 0) {
			struct place q = p;
			q.loop = loop_new(NULL);
			place_open(&q);
			ASK(&q, &a, store_prune_some(q.store, on_answer, &a, e));
			_exit(a.error);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_false(has_run(&p, one));
		assert_int_equal(rows_of(&p, two), ITEMS + 1);
	}
	assert_int_equal(place_number(&p, "SELECT count(*) FROM ledger WHERE run=1"), 0);
	assert_int_equal(prune_with(&p, (struct prune_policy){ .keep = 5 }).report.runs, 0);
	ASK(&p, &a, store_space(p.store, on_answer, &a, e));
	assert_true(*p.url || a.bytes_free == 0); /* a server keeps the room of rows for others */
	place_close(&p);
	place_open(&p);
	assert_int_equal(rows_of(&p, two), ITEMS + 1);
	place_drop(&p);
}

TEST(a_round_that_is_stopped_says_nothing_more)
{
	struct place p;
	struct round r = { 0 };
	struct answer a auto_answer = { 0 };

	place_new(&p);
	int64_t id = filled(&p, "v1", RUN_DONE, 1);
	r.loop = p.loop;
	struct prune *round =
	    prune_start(p.store, &(struct prune_policy){ .named = &id, .n_named = 1 }, on_each, on_over, &r, NULL);
	assert_non_null(round);
	prune_stop(round);
	ASK(&p, &a, store_run_get(p.store, id, on_answer, &a, e));
	assert_false(r.is_over);
	place_drop(&p);
}

TEST(a_database_of_an_older_weir_learns_to_shrink_and_keeps_its_rows)
{
	struct place p;
	sqlite3 *db = NULL;
	static const char *const shapes[] = { "src/store/sql/001-first.sql", "src/store/sql/002-made-items.sql" };
	static char sql[20000];

	SKIP_ON_POSTGRES();
	place_make(&p);
	assert_int_equal(mkdir(p.last_dir, 0700), 0);
	assert_int_equal(sqlite3_open(place_file(&p, "weir.db"), &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL", NULL, NULL, NULL),
			 SQLITE_OK);
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		FILE *f = fopen(shapes[i], "r");
		assert_non_null(f);
		sql[fread(sql, 1, sizeof(sql) - 1, f)] = '\0';
		(void)fclose(f);
		assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	}
	assert_int_equal(
	    sqlite3_exec(db,
			 "PRAGMA application_id=0x57656972; PRAGMA user_version=2;"
			 "INSERT INTO runs VALUES(1,'weather','d','v1','e','t',1,1,1,1,1,1,1,1,0,0,'{}','');"
			 "INSERT INTO ledger VALUES(1,0,1,1,2,5,200,0,'{\"h\":1}',x'6162')",
			 NULL, NULL, NULL),
	    SQLITE_OK);
	(void)sqlite3_close(db);
	place_open(&p);
	struct answer a auto_answer = { 0 };
	ASK(&p, &a, store_ledger_read(p.store, 1, 0, 9, on_answer, &a, e));
	assert_rows(&a, "0.1.1.2 code=200 number=0 {\"h\":1}|ab\n");
	assert_int_equal(place_number(&p, "PRAGMA auto_vacuum"), 2);
	fill(&p, 1, ITEMS);
	assert_int_equal(prune_with(&p, (struct prune_policy){ .named = (int64_t[]){ 1 }, .n_named = 1 }).report.runs,
			 1);
	ASK(&p, &a, store_space(p.store, on_answer, &a, e));
	assert_true(*p.url || a.bytes_free == 0); /* a server keeps the room of rows for others */
	place_drop(&p);
}

RUN_TESTS(CLAIM(a_pruned_run_leaves_nothing_but_its_entries_and_the_others_are_whole),
	  CLAIM(a_version_kept_for_a_pruned_run_goes_when_it_has_rested_and_an_imported_one_stays),
	  CLAIM(each_rule_narrows_and_what_is_not_over_stays_unless_named),
	  CLAIM(by_size_the_oldest_go_and_no_more_than_needed),
	  CLAIM(a_prune_that_dies_anywhere_is_consistent_and_goes_on), CLAIM(a_round_that_is_stopped_says_nothing_more),
	  CLAIM(a_database_of_an_older_weir_learns_to_shrink_and_keeps_its_rows))
