/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call that broke is asked after: what the probe tells is on disk before anything follows from it, so wherever the
 * run is cut, no POST is done twice and none is lost. And keys: how long one lets a call be repeated, and when another
 * takes its place. The peer counts what it has done, and forgets keys as systems do.
 */
#include "step_test.h"

#include "base/alloc.h"
#include "base/clock.h"

#include <time.h>

#define ITEMS 12
#define ASKED                                                                                                          \
	"probe: { query_path: /asked, parameters_mapping: { n: =item.data.n }, done_when: { body: \"$.found[0]\" }, "  \
	"not_done_when: { body: \"$.found[0]\", exists: false }, result: \"$.found[0]\", wait: 1ms, attempts: 3 }"

/* What the server does with the k-th POST of an item, and what it says. */
enum deed {
	DEED_ANSWERED,	  /* done, and said so */
	DEED_SILENT,	  /* done, no answer */
	DEED_LOST,	  /* not done, no answer */
	DEED_FAILED,	  /* not done, answered 500 and saved under the key */
	DEED_LATE_SILENT, /* done, no answer; found by the second probe only: the first says that it is pending */
};

static struct shop {
	enum deed (*deed)(int64_t n, int nth);
	int posts[ITEMS], done[ITEMS], asked[ITEMS];
	char keys[ITEMS][4][80]; /* distinct ones, in order */
	int n_keys[ITEMS], with_first_key[ITEMS];
	bool is_saved[ITEMS][4], is_made[ITEMS][4]; /* under the key */
	const char *answer;			    /* of every probe; NULL = what is true */
	int answer_status;
	unsigned long fail_after; /* allocations from the first POST on; 0 = none fails */
} shop;

static void reply(struct http_exchange *x, int status, const char *body, bool is_saved)
{
	struct headers h = { 0 };
	struct arena a;
	arena_init(&a, 0);
	(void)headers_add(&a, &h, STR("Content-Type"), STR("application/json"), NULL);
	if (is_saved)
		(void)headers_add(&a, &h, STR("Idempotent-Replayed"), STR("true"), NULL);
	int code = exchange_reply(x, status, &h, str_c(body));
	assert_true(code == 0 || alloc_has_failed());
	arena_done(&a);
}

static int key_at(int64_t n, struct str key)
{
	int k = 0;
	while (k < shop.n_keys[n] && !str_eq_c(key, shop.keys[n][k]))
		k++;
	assert_true(k < 4);
	if (k == shop.n_keys[n])
		(void)snprintf(shop.keys[n][shop.n_keys[n]++], sizeof(shop.keys[n][0]), "%.*s", STR_ARG(key));
	return k;
}

static void hang(void *arg)
{
}

static void on_post(struct http_exchange *x, int64_t n)
{
	if (shop.fail_after)
		alloc_fail_after(shop.fail_after);
	shop.fail_after = 0;
	char body[64];
	struct str key = exchange_header(x, "Idempotency-Key");
	int k = key_at(n, key);
	shop.with_first_key[n] += k == 0;
	enum deed deed = shop.deed(n, shop.posts[n]++);
	(void)snprintf(body, sizeof(body), "{\"id\":%" PRId64 "}", 1000 + n);
	if (shop.is_made[n][k]) {
		reply(x, 201, body, true);
		return;
	}
	if (shop.is_saved[n][k]) {
		reply(x, 500, "{\"error\":\"saved\"}", true);
		return;
	}
	shop.done[n] += deed == DEED_ANSWERED || deed == DEED_SILENT || deed == DEED_LATE_SILENT;
	shop.is_saved[n][k] = deed == DEED_FAILED;
	shop.is_made[n][k] = key.len && shop.done[n];
	if (deed == DEED_ANSWERED)
		reply(x, 201, body, false);
	else if (deed == DEED_FAILED)
		reply(x, 500, "{}", false);
	else
		exchange_on_gone(x, hang, NULL);
}

static void on_probe(struct http_exchange *x, int64_t n)
{
	char body[96];
	int nth = shop.asked[n]++;
	if (shop.answer) {
		reply(x, shop.answer_status, shop.answer, false);
		return;
	}
	if (shop.deed(n, 0) == DEED_LATE_SILENT && nth == 0) {
		reply(x, 503, "{\"found\":[]}", false);
		return;
	}
	(void)snprintf(body, sizeof(body),
		       shop.done[n] ? "{\"found\":[{\"id\":%" PRId64 ",\"by\":\"probe\"}]}" : "{\"found\":[]}",
		       1000 + n);
	reply(x, 200, body, false);
}

static bool on_shop(struct http_exchange *x, int64_t n)
{
	assert_true(n >= 0 && n < ITEMS);
	if (str_eq_c(exchange_method(x), "POST"))
		on_post(x, n);
	else
		on_probe(x, n);
	return true;
}

static void shop_open(struct world *w, enum deed (*deed)(int64_t n, int nth), const char *operation, const char *step)
{
	static char text[8192];
	shop = (struct shop){ .deed = deed };
	world_init(w, false);
	peer_open(w);
	peer.other = on_shop;
	(void)snprintf(text, sizeof(text),
		       "weir: 1\ncomponent: t\n"
		       "systems:\n  s:\n    base_url: { live: http://127.0.0.1:%u }\n    connectors:\n      c:\n       "
		       " operations:\n"
		       "          - { method_name: POST, query_path: /do%s%s }\n"
		       "model:\n  - { name: n, type: integer, primary_key: true, required: true }\n"
		       "dataflows:\n  d:\n    stages:\n"
		       "      - name: A\n        steps:\n          - { name: input, kind: get_action_model }\n"
		       "          - { name: call, source_step: input, kind: execute_api_call, system: s, connector: c, "
		       "method_name: POST, query_path: /do, "
		       "parameters_mapping: { n: =item.data.n }, result_store_field: _r, result: body, "
		       "first_byte_timeout: 60ms%s }\n",
		       http_server_port(peer.server), *operation ? ", " : "", operation, step);
	world_plan_env(w, text, &step_env);
}

static void shop_close(struct world *w)
{
	peer_close();
	world_done(w);
}

/* ---- the ledger ---- */

struct found {
	struct world *w;
	bool has_come;
	int intents, outcomes, decisions[4];
	char head[4096], result[256];
};

static void on_rows(void *arg, const struct store_result *r)
{
	struct found *f = arg;
	for (size_t i = 0; i < r->n; i++) {
		const struct ledger_row *row = &r->rows[i];
		f->intents += row->kind == LEDGER_INTENT;
		f->outcomes += row->kind == LEDGER_OUTCOME;
		if (row->kind != LEDGER_DECISION)
			continue;
		f->decisions[row->code]++;
		(void)snprintf(f->head, sizeof(f->head), "%.*s", STR_ARG(row->head));
		(void)snprintf(f->result, sizeof(f->result), "%.*s", STR_ARG(row->body));
	}
	f->has_come = true;
	loop_stop(f->w->loop);
}

static struct found rows_of(struct world *w, uint64_t n)
{
	struct found f = { .w = w };
	struct err e = ERR_INIT;
	assert_int_equal(store_ledger_read(w->store, w->id, n, n, on_rows, &f, &e), 0);
	while (!f.has_come)
		(void)loop_run(w->loop);
	return f;
}

static void replay_is_the_same(struct world *w, uint64_t n)
{
	int requests = peer.requests;
	char *before = strdup(w->outputs.ptr ? w->outputs.ptr : "");
	struct run_row row = row_on_disk(w);
	world_run(w,
		  (struct run_config){ .resume = &row, .is_replay = true, .replay_to = n - 1, .services = &services });
	assert_string_equal(w->outputs.ptr ? w->outputs.ptr : "", before);
	assert_int_equal(peer.requests, requests);
	free(before);
}

/* ---- probes ---- */

static enum deed always_silent(int64_t n, int nth)
{
	return DEED_SILENT;
}

static enum deed lost_once(int64_t n, int nth)
{
	return nth == 0 ? DEED_LOST : DEED_ANSWERED;
}

static enum deed always_lost(int64_t n, int nth)
{
	return DEED_LOST;
}

static enum deed always_failed(int64_t n, int nth)
{
	return DEED_FAILED;
}

static enum deed late(int64_t n, int nth)
{
	return DEED_LATE_SILENT;
}

TEST(done_goes_on_with_the_probes_result_and_the_ledger_says_who_decided)
{
	struct world w;
	shop_open(&w, always_silent, ASKED, "");
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(w.row.items_out, 3);
	assert_non_null(strstr(w.outputs.ptr, "2 {\"data\":{\"n\":2},\"_r\":{\"id\":1002,\"by\":\"probe\"}}"));
	for (int n = 0; n < 3; n++) {
		struct found f = rows_of(&w, (uint64_t)n);
		assert_int_equal(shop.posts[n], 1);
		assert_int_equal(shop.asked[n], 1);
		assert_int_equal(f.decisions[DECISION_DONE], 1);
		assert_non_null(strstr(f.head, "{\"by\":\"probe\",\"note\":\"GET http://127.0.0.1:"));
		assert_non_null(strstr(f.head, "answered 200: done\""));
		assert_non_null(strstr(f.head, "\"status\":200,\"sent\":1,\"body\":\"{\\\"found\\\":"));
		assert_non_null(strstr(f.result, "\"by\":\"probe\""));
	}
	replay_is_the_same(&w, 3);
	shop_close(&w);
}

TEST(not_done_is_sent_again_once_as_the_next_attempt)
{
	struct world w;
	shop_open(&w, lost_once, ASKED, "");
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.state, RUN_DONE);
	assert_int_equal(w.row.items_out, 3);
	for (int n = 0; n < 3; n++) {
		struct found f = rows_of(&w, (uint64_t)n);
		assert_int_equal(shop.posts[n], 2);
		assert_int_equal(shop.done[n], 1);
		assert_int_equal(f.intents, 2);
		assert_int_equal(f.decisions[DECISION_AGAIN], 1);
	}
	assert_non_null(strstr(w.outputs.ptr, "1 {\"data\":{\"n\":1},\"_r\":{\"id\":1001}}"));
	replay_is_the_same(&w, 3);
	shop_close(&w);
}

TEST(not_done_after_the_last_attempt_is_a_failure_and_not_a_riddle)
{
	struct world w;
	shop_open(&w, always_lost, ASKED, ", attempts: 2");
	step_run_n(&w, 2, 0);
	assert_int_equal(w.row.failed, 2);
	assert_int_equal(w.row.unknown, 0);
	assert_int_equal(shop.posts[1], 2);
	assert_int_equal(shop.asked[1], 2);
	assert_non_null(strstr(w.problems.ptr, "\"type\":\"not_done\""));
	assert_non_null(strstr(w.problems.ptr, "last of 2 attempts, and the probe says that it was not done"));
	shop_close(&w);
}

TEST(a_probe_that_tells_neither_is_sent_again_within_its_attempts)
{
	struct world w;
	shop_open(&w, late, ASKED, "");
	step_run_n(&w, 2, 0);
	assert_int_equal(w.row.items_out, 2);
	assert_int_equal(shop.posts[0], 1);
	assert_int_equal(shop.asked[0], 2);
	shop_close(&w);
}

TEST(what_no_probe_can_tell_stays_unknown_and_says_what_it_was_told)
{
	static const struct {
		int status;
		const char *answer, *says;
		int asked;
	} rows[] = {
		{ 403, "{\"found\":[]}", "answered 403, which fits neither done_when nor not_done_when", 3 },
		{ 200, "\"login\"", "fits neither", 3 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		shop_open(&w, always_silent, ASKED, "");
		shop.answer = rows[i].answer;
		shop.answer_status = rows[i].status;
		step_run_n(&w, 2, 0);
		assert_int_equal(w.row.unknown, 2);
		assert_int_equal(w.row.state, RUN_NEEDS_ATTENTION);
		assert_int_equal(shop.posts[0], 1);
		assert_int_equal(shop.asked[0], rows[i].asked);
		assert_non_null(strstr(w.problems.ptr, "\"type\":\"unknown_outcome\""));
		assert_non_null(strstr(w.problems.ptr, rows[i].says));
		assert_int_equal(rows_of(&w, 0).decisions[DECISION_DONE], 0);
		step_resume(&w, 0); /* it ended so, and is not asked after again */
		assert_int_equal(shop.asked[0], rows[i].asked);
		shop_close(&w);
	}
}

/* Every third is done and silent, every third lost once, the others are answered. */
static enum deed mixed(int64_t n, int nth)
{
	return n % 3 == 0 ? DEED_SILENT : n % 3 == 1 ? lost_once(n, nth) : DEED_ANSWERED;
}

/* True when the run was cut with something in doubt. */
static bool cut_at(int first, int second)
{
	struct world w;
	shop_open(&w, mixed, ASKED, ", in_flight: 4, attempts: 9");
	w.free_at = AT_TURN;
	w.free_countdown = first;
	step_run_n(&w, ITEMS, 7);
	bool was_cut = !w.ended;
	for (int again = 0; again < 2 && !w.ended; again++) {
		world_settle(&w);
		if (!w.id || !row_on_disk(&w).input_is_complete)
			break;
		w.free_at = again ? NEVER : AT_TURN;
		w.free_countdown = second;
		step_resume(&w, 5);
	}
	if (w.ended) {
		assert_int_equal(w.row.items_out, ITEMS);
		assert_int_equal(w.row.unknown + w.row.failed, 0);
		for (int n = 0; n < ITEMS; n++)
			if (shop.done[n] != 1)
				fail_msg("cut at %d and %d: item %d was done %d times", first, second, n, shop.done[n]);
		replay_is_the_same(&w, ITEMS);
	}
	shop_close(&w);
	return was_cut;
}

TEST(wherever_the_run_is_cut_nothing_is_done_twice_and_nothing_is_lost)
{
	int cut = 0;
	for (int first = 0; first < 48; first++)
		cut += cut_at(first, 1 + first / 2) + cut_at(first, 40);
	assert_true(cut > 60);
}

TEST(a_decision_on_disk_is_not_asked_for_again)
{
	struct world w;
	for (int point = 1; point < 12; point++) {
		shop_open(&w, always_silent, ASKED, "");
		w.free_at = AT_TURN;
		w.free_countdown = point;
		step_run_n(&w, 2, 0);
		w.free_at = NEVER;
		if (!w.ended)
			world_settle(&w);
		int decided[2], asked[2];
		for (int n = 0; n < 2; n++) {
			decided[n] = w.id ? rows_of(&w, (uint64_t)n).decisions[DECISION_DONE] : 0;
			asked[n] = shop.asked[n];
		}
		if (!w.ended && w.id && row_on_disk(&w).input_is_complete)
			step_resume(&w, 0);
		for (int n = 0; n < 2; n++)
			if (decided[n])
				assert_int_equal(shop.asked[n], asked[n]);
		shop_close(&w);
	}
}

TEST(a_probes_word_gives_no_new_attempts_to_a_run_that_is_resumed)
{
	int between = 0;
	for (int point = 1; point < 16; point++) {
		struct world w;
		shop_open(&w, always_lost, ASKED, ", attempts: 2");
		w.free_at = AT_TURN;
		w.free_countdown = point;
		step_run_n(&w, 2, 0);
		w.free_at = NEVER;
		if (!w.ended) {
			world_settle(&w);
			struct found f = w.id ? rows_of(&w, 0) : (struct found){ 0 };
			between += f.decisions[DECISION_AGAIN] == 1 && f.outcomes == 1;
			if (w.id && row_on_disk(&w).input_is_complete)
				step_resume(&w, 0);
		}
		for (uint64_t n = 0; w.ended && n < 2; n++)
			assert_int_equal(rows_of(&w, n).outcomes, 2);
		if (w.ended)
			assert_int_equal(w.row.failed, 2);
		shop_close(&w);
	}
	assert_true(between > 0);
}

/* From the first POST on the n-th allocation fails, in the step, the store or the peer; then the run goes on with
 * enough. */
TEST(whatever_allocation_fails_nothing_is_done_twice)
{
	bool has_failed = true;
	for (unsigned long n = 1; has_failed; n++) {
		struct world w;
		shop_open(&w, mixed, ASKED, ", attempts: 9");
		shop.fail_after = n;
		arena_trim(); /* kept blocks would spare the very allocations that are to fail */
		step_run_n(&w, 2, 0);
		has_failed = alloc_has_failed();
		alloc_fail_after(0);
		if (w.row.state == RUN_RUNNING) {
			world_settle(&w);
			step_resume(&w, 0);
		}
		assert_true(w.row.state != RUN_RUNNING);
		for (int k = 0; k < 2; k++)
			if (shop.done[k] > 1)
				fail_msg("allocation %lu: item %d was done %d times", n, k, shop.done[k]);
		if (!has_failed)
			assert_int_equal(w.row.items_out, 2);
		shop_close(&w);
	}
}

/* ---- keys ---- */

static msec_t later;

static msec_t wall(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (msec_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + later;
}

static uint64_t mono(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Killed while POSTs are on the wire, and resumed `after` ms later by the wall clock. */
static void killed_and_resumed(struct world *w, enum deed (*deed)(int64_t n, int nth), const char *operation,
			       msec_t after)
{
	later = 0;
	clock_fake(wall, mono);
	shop_open(w, deed, operation, "");
	w->free_at = AT_TURN;
	w->free_countdown = 4; /* three are stepped in, and the third has come to the peer */
	step_run_n(w, 3, 0);
	assert_int_equal(w->ended, 0);
	w->free_at = NEVER;
	world_settle(w);
	later = after;
	step_resume(w, 0);
	clock_fake(NULL, NULL);
}

static int posts(void)
{
	return shop.posts[0] + shop.posts[1] + shop.posts[2];
}

#define KEYED "idempotency_key: { lifetime: 1h }"

TEST(a_run_resumed_within_the_lifetime_repeats_with_the_key)
{
	struct world w;
	killed_and_resumed(&w, lost_once, KEYED, 3500000);
	assert_int_equal(w.row.items_out, 3);
	assert_int_equal(shop.n_keys[0], 1);
	assert_true(posts() > 3);
	shop_close(&w);
}

TEST(a_run_resumed_after_the_lifetime_repeats_nothing_by_itself)
{
	static const msec_t times[] = { 3600000, 86400000, -3600000 };
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct world w;
		killed_and_resumed(&w, always_silent, KEYED, times[i]);
		int before = posts();
		assert_true(w.row.unknown > 0);
		assert_non_null(strstr(w.problems.ptr, "\"type\":\"key_expired\""));
		assert_non_null(strstr(w.problems.ptr, "for 1 h only"));
		for (int n = 0; n < 3; n++)
			assert_int_equal(shop.done[n], 1);
		step_resume(&w, 0);
		assert_int_equal(posts(), before);
		shop_close(&w);
	}
}

TEST(with_a_probe_a_call_whose_key_is_gone_is_asked_after)
{
	struct world w;
	killed_and_resumed(&w, lost_once, KEYED ", " ASKED, 7200000);
	assert_int_equal(w.row.items_out, 3);
	assert_int_equal(w.row.unknown, 0);
	assert_true(shop.asked[0] + shop.asked[1] + shop.asked[2] > 0);
	for (int n = 0; n < 3; n++)
		assert_int_equal(shop.done[n], 1);
	shop_close(&w);
}

/* What is retried is asked for by a person who cannot know that a key is forgotten by now. */
TEST(a_retry_long_after_sends_nothing_that_may_have_been_done_under_an_old_key)
{
	static const struct {
		enum deed (*deed)(int64_t n, int nth);
		msec_t later;
		int posts, unknown;
	} rows[] = {
		{ always_silent, 60000, 4, 0 },	  /* the key is good */
		{ always_silent, 7200000, 2, 2 }, /* it is not, and they may have been done */
		{ always_failed, 7200000, 4, 0 }, /* nothing was done */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct err e = ERR_INIT;
		later = 0;
		clock_fake(wall, mono);
		shop_open(&w, rows[i].deed, KEYED, ", attempts: 1");
		step_run_n(&w, 2, 0);
		assert_int_equal(w.row.failed, 2);
		later = rows[i].later;
		assert_int_equal(store_ledger_drop_problems(w.store, w.row.id, NULL, NULL, &e), 0);
		world_settle(&w);
		step_resume(&w, 0);
		clock_fake(NULL, NULL);
		assert_int_equal(posts(), rows[i].posts);
		assert_int_equal(w.row.unknown, rows[i].unknown);
		if (rows[i].unknown)
			assert_non_null(strstr(w.problems.ptr, "\"type\":\"key_expired\""));
		shop_close(&w);
	}
}

TEST(within_one_process_a_key_grows_old_as_well)
{
	struct world w;
	shop_open(&w, always_silent, "idempotency_key: { lifetime: 1ms }", "");
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.unknown, 3);
	assert_int_equal(posts(), 3);
	assert_non_null(strstr(w.problems.ptr, "\"type\":\"key_expired\""));
	shop_close(&w);
}

/* Keyed attempts broke, all of them: without a probe that is a failure, with one it is known. */
TEST(a_keyed_call_of_which_no_attempt_is_left_is_asked_after)
{
	static const struct {
		enum deed (*deed)(int64_t n, int nth);
		const char *operation;
		uint64_t out, failed;
		const char *type;
	} rows[] = {
		{ always_silent, "idempotency_key: true", 0, 2, "first_byte_timeout" },
		{ always_silent, "idempotency_key: true, " ASKED, 2, 0, "" },
		{ always_lost, "idempotency_key: true, " ASKED, 0, 2, "not_done" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		shop_open(&w, rows[i].deed, rows[i].operation, ", attempts: 1");
		step_run_n(&w, 2, 0);
		assert_int_equal(w.row.items_out, rows[i].out);
		assert_int_equal(w.row.failed, rows[i].failed);
		assert_int_equal(w.row.unknown, 0);
		assert_int_equal(posts(), 2);
		if (rows[i].failed)
			assert_non_null(strstr(w.problems.ptr, rows[i].type));
		shop_close(&w);
	}
}

static enum deed failed_once(int64_t n, int nth)
{
	return nth == 0 ? DEED_FAILED : DEED_ANSWERED;
}

TEST(an_answered_error_is_a_failure_when_the_key_is_gone)
{
	struct world w;
	shop_open(&w, failed_once, "idempotency_key: { lifetime: 1ms }", "");
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.failed, 3);
	assert_int_equal(posts(), 3);
	assert_non_null(strstr(w.problems.ptr, "\"type\":\"http_status\""));
	shop_close(&w);
}

#define RENEW "idempotency_key: { on_saved_error: new_key }"
#define NOTHING_DONE ", rules: [ { when: { status: 500 }, then: retry } ]"

TEST(a_saved_error_gets_a_new_key_where_a_rule_says_that_nothing_was_done)
{
	struct world w;
	shop_open(&w, failed_once, RENEW NOTHING_DONE, "");
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.items_out, 3);
	for (int n = 0; n < 3; n++) {
		assert_int_equal(shop.posts[n], 3); /* the error, the same saved, the new key */
		assert_int_equal(shop.done[n], 1);
		assert_int_equal(shop.n_keys[n], 2);
		assert_memory_equal(shop.keys[n][1], shop.keys[n][0], strlen(shop.keys[n][0]));
		assert_string_equal(shop.keys[n][1] + strlen(shop.keys[n][0]), "-1");
	}
	shop_close(&w);
	shop_open(&w, failed_once, RENEW, "");
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.failed, 3);
	assert_non_null(strstr(w.problems.ptr, "\"type\":\"saved_error\""));
	assert_int_equal(shop.n_keys[0], 1);
	shop_close(&w);
}

TEST(which_key_is_next_is_the_same_wherever_the_run_is_cut)
{
	int cut = 0, told = 0;
	for (int point = 1; point < 24; point++) {
		int with_first_key[3] = { 0 };
		struct world w;
		shop_open(&w, failed_once, RENEW NOTHING_DONE, ", attempts: 9");
		w.free_at = AT_TURN;
		w.free_countdown = point;
		step_run_n(&w, 3, 0);
		w.free_at = NEVER;
		if (!w.ended) {
			world_settle(&w);
			/* Two answers are on disk, the second was the saved one: that key is not sent any more. */
			for (int n = 0; w.id && n < 3; n++)
				if (rows_of(&w, (uint64_t)n).outcomes >= 2)
					with_first_key[n] = shop.with_first_key[n];
			if (w.id && row_on_disk(&w).input_is_complete) {
				step_resume(&w, 0);
				cut++;
			}
		}
		for (int n = 0; n < 3; n++) {
			assert_true(shop.n_keys[n] <= 2);
			if (w.ended)
				assert_int_equal(shop.done[n], 1);
			if (with_first_key[n])
				assert_int_equal(shop.with_first_key[n], with_first_key[n]);
			told += with_first_key[n] > 0;
		}
		shop_close(&w);
	}
	assert_true(cut > 6 && told > 0);
}

RUN_TESTS(CLAIM(done_goes_on_with_the_probes_result_and_the_ledger_says_who_decided),
	  CLAIM(not_done_is_sent_again_once_as_the_next_attempt),
	  CLAIM(not_done_after_the_last_attempt_is_a_failure_and_not_a_riddle),
	  CLAIM(a_probe_that_tells_neither_is_sent_again_within_its_attempts),
	  CLAIM(what_no_probe_can_tell_stays_unknown_and_says_what_it_was_told),
	  CLAIM(wherever_the_run_is_cut_nothing_is_done_twice_and_nothing_is_lost),
	  CLAIM(a_decision_on_disk_is_not_asked_for_again), CLAIM(whatever_allocation_fails_nothing_is_done_twice),
	  CLAIM(a_probes_word_gives_no_new_attempts_to_a_run_that_is_resumed),
	  CLAIM(a_run_resumed_within_the_lifetime_repeats_with_the_key),
	  CLAIM(a_run_resumed_after_the_lifetime_repeats_nothing_by_itself),
	  CLAIM(a_retry_long_after_sends_nothing_that_may_have_been_done_under_an_old_key),
	  CLAIM(with_a_probe_a_call_whose_key_is_gone_is_asked_after),
	  CLAIM(within_one_process_a_key_grows_old_as_well),
	  CLAIM(a_keyed_call_of_which_no_attempt_is_left_is_asked_after),
	  CLAIM(an_answered_error_is_a_failure_when_the_key_is_gone),
	  CLAIM(a_saved_error_gets_a_new_key_where_a_rule_says_that_nothing_was_done),
	  CLAIM(which_key_is_next_is_the_same_wherever_the_run_is_cut))
