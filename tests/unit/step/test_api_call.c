/* SPDX-License-Identifier: Apache-2.0 */
/* execute_api_call against a peer that remembers: the bounds, the order, and the promise under interruption. */
#include "step_test.h"

TEST(no_more_calls_are_in_flight_than_the_step_says_and_order_is_kept)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	peer.is_delayed = true;
	step_plan_of(&w, CALL(", in_flight: 4", "GET", "/get") SAVE);
	step_run_n(&w, 100, 64);
	assert_int_equal(w.n_outputs, 100);
	assert_false(w.out_of_order);
	assert_int_equal(peer.requests, 100);
	assert_true(peer.most_in_flight <= 4);
	assert_true(peer.most_in_flight > 1);
	assert_non_null(
	    strstr(w.outputs.ptr, "0 {\"data\":{\"n\":0},\"_r\":{\"id\":1000,\"twice\":0,\"exact\":0.1000,"));
	assert_int_equal(entries_on_disk(&w), 100);
	step_plan_of(&w, CALL(", in_flight: 2, order: any", "POST", "/plain"));
	peer.most_in_flight = 0;
	step_run_n(&w, 40, 64);
	assert_int_equal(w.n_outputs, 40);
	assert_true(peer.most_in_flight <= 2);
	assert_non_null(strstr(w.outputs.ptr, "\"_r\":1007")); /* auto: of a POST the id */
	peer_close();
	world_done(&w);
}

TEST(the_intent_is_on_disk_before_the_peer_sees_the_request)
{
	static const char *const flows[] = { CALL("", "GET", "/get"), CALL("", "POST", "/plain"),
					     CALL("", "POST", "/keyed") };
	for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
		struct world w;
		struct err e = ERR_INIT;
		world_init(&w, true);
		peer_open(&w);
		struct store_config config = { .dir = w.dir };
		assert_int_equal(store_open(&peer.looker, w.loop, &config, &e), 0);
		step_plan_of(&w, flows[i]);
		step_run_n(&w, 60, 32);
		assert_int_equal(w.n_outputs, 60);
		assert_int_equal(peer.requests, 60);
		assert_int_equal(peer.without_intent, 0);
		assert_int_equal(peer.with_outcome, 0);
		peer_close();
		world_done(&w);
	}
}

struct promise {
	const char *flow;
	bool may_repeat, has_key;
};

/* Cut at a point, cut again, then go on to the end. */
static int cut_and_resume(struct world *w, int point)
{
	w->free_at = AT_TURN;
	w->free_countdown = point;
	step_run_n(w, 12, 7);
	if (w->ended)
		return 0;
	world_settle(w);
	if (!w->id || !row_on_disk(w).input_is_complete)
		return 0;
	w->free_countdown = point / 2;
	step_resume(w, 5);
	w->free_at = NEVER;
	if (!w->ended) {
		world_settle(w);
		step_resume(w, 9);
	}
	return 1;
}

static void promise_holds(struct world *w, const struct promise *p, bool *has_unknown)
{
	assert_int_equal(w->row.failed, 0);
	assert_int_equal(w->row.items_out + w->row.unknown, 12);
	assert_int_equal(w->n_outputs, w->row.items_out);
	assert_int_equal(entries_on_disk(w), w->row.items_out);
	if (p->may_repeat)
		assert_int_equal(w->row.unknown, 0);
	for (int n = 0; n < 12; n++) {
		char line[64];
		const struct peer_item *it = &peer.items[n];
		(void)snprintf(line, sizeof(line), "\n%d {", n);
		bool is_out = strncmp(w->outputs.ptr, line + 1, strlen(line) - 1) == 0 || strstr(w->outputs.ptr, line);
		if (!p->may_repeat && it->seen > 1)
			fail_msg("item %d was sent %d times", n, it->seen);
		if (is_out && it->seen < 1)
			fail_msg("item %d is done and was never sent", n);
		if (!is_out && p->may_repeat)
			fail_msg("item %d is lost", n);
		assert_false(it->has_other_key);
		assert_int_equal(*it->key != '\0', p->has_key && it->seen);
	}
	*has_unknown |= w->row.unknown > 0;
	assert_int_equal(w->row.state, w->row.unknown ? RUN_NEEDS_ATTENTION : RUN_DONE);
}

TEST(the_promise_holds_wherever_the_run_is_cut)
{
	static const struct promise promises[] = {
		{ CALL(", in_flight: 3", "GET", "/get") SAVE, true, false },
		{ CALL(", in_flight: 3", "POST", "/keyed") SAVE, true, true },
		{ CALL(", in_flight: 3", "POST", "/plain") SAVE, false, false },
	};
	int cut = 0;
	bool has_unknown[ARRAY_LEN(promises)] = { 0 };
	for (size_t i = 0; i < ARRAY_LEN(promises); i++)
		for (int point = 0; point < 120; point++) {
			struct world w;
			world_init(&w, false);
			peer_open(&w);
			peer.is_delayed = point % 3 != 0; /* the same points again fall differently */
			step_plan_of(&w, promises[i].flow);
			int was_cut = cut_and_resume(&w, point % 58);
			cut += was_cut;
			if (w.ended)
				promise_holds(&w, &promises[i], &has_unknown[i]);
			peer_close();
			world_done(&w);
		}
	assert_true(cut > 200);
	assert_false(has_unknown[0] || has_unknown[1]);
	assert_true(has_unknown[2]); /* or the test does not cut where it hurts */
	printf("cut and resumed %d times\n", cut);
}

TEST(a_replay_gives_the_same_bytes_and_touches_nothing)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	peer.is_delayed = true;
	step_plan_of(&w, CALL("", "GET", "/get") SAVE);
	step_run_n(&w, 70, 16);
	char *outputs = strndup(w.outputs.ptr, w.outputs.len), *ledger = ledger_text(&w);
	int requests = peer.requests;
	struct run_row row = row_on_disk(&w);
	world_run(&w,
		  (struct run_config){
		      .resume = &row, .is_replay = true, .replay_from = 0, .replay_to = 69, .services = &services });
	assert_memory_equal(w.outputs.ptr, outputs, strlen(outputs));
	world_run(&w,
		  (struct run_config){
		      .resume = &row, .is_replay = true, .replay_from = 66, .replay_to = 66, .services = &services });
	assert_int_equal(w.n_outputs, 1);
	char *now = ledger_text(&w);
	assert_string_equal(now, ledger);
	assert_int_equal(peer.requests, requests);
	assert_int_equal(entries_on_disk(&w), 70);
	free(now);
	free(outputs);
	free(ledger);
	peer_close();
	world_done(&w);
}

/* A port at which nobody listens. */
static unsigned closed_port(struct world *w)
{
	struct http_server *s;
	struct err e = ERR_INIT;
	struct http_server_config config = { .address = "127.0.0.1", .on_request = on_peer_request };
	assert_int_equal(http_server_open(&s, w->loop, &config, &e), 0);
	unsigned port = http_server_port(s);
	http_server_close(s);
	return port;
}

TEST(a_refused_connection_is_tried_again_then_named)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	step_plan_port(&w, CALL(", attempts: 2", "POST", "/plain"),
		       closed_port(&w)); /* not sent for sure: even this may be repeated */
	step_run_n(&w, 1, 0);
	assert_int_equal(w.row.state, RUN_FAILED);
	assert_true(w.by_network);
	assert_non_null(strstr(w.problems.ptr, "\"type\":\"connect_refused\""));
	assert_non_null(strstr(w.problems.ptr, "\"step\":\"call\""));
	char *ledger = ledger_text(&w);
	assert_non_null(strstr(ledger, "0.1.1.1 0.1.1.2 "));
	assert_non_null(strstr(ledger, "0.1.2.1 0.1.2.2 "));
	assert_null(strstr(ledger, "0.1.3.1"));
	free(ledger);
	peer_close();
	world_done(&w);
}

struct raw {
	struct world *w;
	bool has_come;
	struct buf text;
};

static void on_raw(void *arg, const struct store_result *r)
{
	struct raw *raw = arg;
	for (size_t i = 0; i < r->n; i++) {
		(void)buf_append_str(&raw->text, r->rows[i].head);
		(void)buf_append_char(&raw->text, '\n');
	}
	(void)buf_append_char(&raw->text, '\0');
	raw->has_come = true;
	loop_stop(raw->w->loop);
}

/* The heads of one item's rows, a line each. */
static char *heads_of(struct world *w, uint64_t seq)
{
	struct err e = ERR_INIT;
	struct raw raw = { .w = w };
	buf_init(&raw.text, 1u << 20);
	assert_int_equal(store_ledger_read(w->store, w->id, seq, seq, on_raw, &raw, &e), 0);
	while (!raw.has_come)
		(void)loop_run(w->loop);
	return buf_take(&raw.text, NULL);
}

static int count(const char *text, const char *part)
{
	int n = 0;
	for (const char *p = strstr(text, part); p; p = strstr(p + 1, part))
		n++;
	return n;
}

static bool was_live;

static bool is_backing_off(void)
{
	size_t live = http_client_live(services.http);
	was_live |= live > 0;
	return was_live && live == 0;
}

TEST(attempts_are_counted_over_a_restart)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	was_live = false;
	step_plan_port(&w, CALL(", attempts: 2", "GET", "/get"), closed_port(&w));
	w.free_at = AT_TURN;
	w.free_when = is_backing_off;
	step_run_n(&w, 1, 0);
	assert_int_equal(w.ended, 0);
	w.free_at = NEVER;
	step_resume(&w, 0);
	assert_int_equal(w.row.failed, 1);
	char *ledger = ledger_text(&w);
	assert_non_null(strstr(ledger, "0.1.2.2 "));
	assert_null(strstr(ledger, "0.1.3.1 "));
	free(ledger);
	char *heads = heads_of(&w, 0);
	assert_int_equal(count(heads, "\"again\":{\"why\":\"resumed\",\"wait\":"), 1);
	free(heads);
	peer_close();
	world_done(&w);
}

TEST(an_answer_that_does_not_come_is_asked_for_again_only_where_that_is_harmless)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	peer.manners = PEER_SILENT_FIRST;
	step_plan_of(&w, CALL(", first_byte_timeout: 60ms", "GET", "/get"));
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.items_out, 3);
	assert_int_equal(peer.requests, 6);
	peer_close();
	peer_open(&w);
	peer.manners = PEER_SILENT_FIRST;
	step_plan_of(&w, CALL(", first_byte_timeout: 60ms", "POST", "/keyed"));
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.items_out, 3);
	assert_false(peer.items[1].has_other_key);
	peer_close();
	peer_open(&w);
	peer.manners = PEER_SILENT_FIRST;
	step_plan_of(&w, CALL(", first_byte_timeout: 60ms", "POST", "/plain"));
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.unknown, 3);
	assert_int_equal(peer.requests, 3);
	assert_false(w.by_network);
	peer_close();
	world_done(&w);
}

TEST(after_a_broken_coding_none_is_asked_for_only_where_repeating_is_harmless)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	peer.manners = PEER_PACKS_BADLY;
	step_plan_of(&w, CALL("", "GET", "/get"));
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.items_out, 3);
	assert_int_equal(peer.requests, 6);
	peer_close();
	peer_open(&w);
	peer.manners = PEER_PACKS_BADLY;
	step_plan_of(&w, CALL("", "POST", "/keyed"));
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.items_out, 3);
	assert_int_equal(peer.requests, 6);
	assert_false(peer.items[1].has_other_key);
	peer_close();
	peer_open(&w);
	peer.manners = PEER_PACKS_BADLY;
	step_plan_of(&w, CALL("", "POST", "/plain"));
	step_run_n(&w, 3, 0);
	assert_int_equal(w.row.unknown, 3);
	assert_int_equal(peer.requests, 3);
	peer_close();
	world_done(&w);
}

TEST(a_failing_server_is_asked_again_only_where_that_is_harmless)
{
	static const struct {
		const char *steps;
		int requests;
	} rows[] = { { CALL(", attempts: 2", "GET", "/get"), 2 * 2 }, { CALL(", attempts: 2", "POST", "/post"), 2 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		world_init(&w, false);
		peer_open(&w);
		peer.manners = PEER_SAYS_500;
		step_plan_of(&w, rows[i].steps);
		step_run_n(&w, 2, 0);
		assert_int_equal(w.row.failed, 2);
		assert_int_equal(w.row.unknown, 0); /* it was answered */
		assert_int_equal(peer.requests, rows[i].requests);
		assert_non_null(strstr(w.problems.ptr, "\"status\":500"));
		assert_false(w.by_network);
		peer_close();
		world_done(&w);
	}
}

TEST(an_attempt_keeps_why_it_was_made_and_who_held_it_back)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	peer.manners = PEER_LIMITS_ONCE;
	step_plan_of(&w, CALL(", in_flight: 1", "GET", "/get"));
	step_run_n(&w, 2, 0);
	assert_int_equal(w.row.items_out, 2);
	char *limited = heads_of(&w, 0), *held = heads_of(&w, 1);
	const char *asked = strstr(limited, "\"again\":{\"why\":\"asked\",\"wait\":");
	assert_int_equal(count(limited, "\"again\""), 1);
	assert_non_null(asked);
	assert_true(strtod(strstr(asked, "wait") + 6, NULL) >= 950); /* as long as was asked for, by another clock */
	assert_non_null(strstr(limited, "\"header\":\"retry-after\",\"asked\":1000}}"));
	assert_int_equal(count(held, "\"again\""), 0);
	assert_int_equal(count(held, "\"limiter\":"), 1);
	assert_non_null(strstr(held, "\"rest\":{\"status\":429,\"asked\":1000,\"header\":\"retry-after\"}"));
	free(limited);
	free(held);
	peer_close();
	world_done(&w);
}

TEST(a_failed_attempt_has_times_and_the_next_one_its_back_off)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	step_plan_port(&w, CALL(", attempts: 2", "POST", "/plain"), closed_port(&w));
	step_run_n(&w, 1, 0);
	char *heads = heads_of(&w, 0);
	assert_int_equal(count(heads, "\"again\":{\"why\":\"back_off\",\"wait\":"), 1);
	assert_int_equal(count(heads, "\"queue\":"), 2);
	assert_int_equal(count(heads, "\"total\":"), 2);
	assert_int_equal(count(heads, "\"limiter\":"), 0);
	free(heads);
	peer_close();
	world_done(&w);
}

TEST(no_secret_is_in_the_ledger)
{
	struct world w;
	struct err e = ERR_INIT;
	struct raw raw = { .w = &w };
	world_init(&w, false);
	peer_open(&w);
	buf_init(&raw.text, 1u << 20);
	step_plan_of(&w, CALL("", "GET", "/get"));
	step_run_n(&w, 1, 0);
	assert_int_equal(store_ledger_read(w.store, w.id, 0, 0, on_raw, &raw, &e), 0);
	while (!raw.has_come)
		(void)loop_run(w.loop);
	assert_null(strstr(raw.text.ptr, "hush-hush"));
	assert_non_null(strstr(raw.text.ptr, "***"));
	buf_done(&raw.text);
	peer_close();
	world_done(&w);
}

TEST(a_missing_secret_fails_the_item_and_sends_nothing)
{
	struct world w;
	world_init(&w, false);
	peer_open(&w);
	(void)unsetenv("WEIR_SECRET_TOKEN");
	step_plan_of(&w, CALL("", "GET", "/get"));
	step_run_n(&w, 2, 0);
	assert_int_equal(w.row.failed, 2);
	assert_int_equal(peer.requests, 0);
	assert_non_null(strstr(w.problems.ptr, "missing_secret"));
	peer_close();
	world_done(&w);
}

RUN_TESTS(CLAIM(no_more_calls_are_in_flight_than_the_step_says_and_order_is_kept),
	  CLAIM(the_intent_is_on_disk_before_the_peer_sees_the_request),
	  CLAIM(the_promise_holds_wherever_the_run_is_cut), CLAIM(a_replay_gives_the_same_bytes_and_touches_nothing),
	  CLAIM(a_refused_connection_is_tried_again_then_named), CLAIM(attempts_are_counted_over_a_restart),
	  CLAIM(an_answer_that_does_not_come_is_asked_for_again_only_where_that_is_harmless),
	  CLAIM(a_failing_server_is_asked_again_only_where_that_is_harmless),
	  CLAIM(an_attempt_keeps_why_it_was_made_and_who_held_it_back),
	  CLAIM(a_failed_attempt_has_times_and_the_next_one_its_back_off), CLAIM(after_a_broken_coding_none_is_asked_for_only_where_repeating_is_harmless), CLAIM(no_secret_is_in_the_ledger),
	  CLAIM(a_missing_secret_fails_the_item_and_sends_nothing))
