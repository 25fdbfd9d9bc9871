/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that leave, servers that stop, runs that were interrupted, and the pages' headers. */
#include "api_test.h"

#include "api/pages.h"

static int countdown;

static void on_leave(struct loop_soon *soon)
{
	struct server *s = CONTAINER_OF(CONTAINER_OF(soon, struct world, turn), struct server, w);
	if (--countdown > 0)
		loop_soon(s->w.loop, soon);
	else
		loop_stop(s->w.loop);
}

/* Ask, leave after some turns, and look whether the server still stands. */
static void leave_after(struct server *s, const char *request, int turns)
{
	struct line l;
	line_open(&l, s, request, strlen(request));
	countdown = turns;
	loop_soon_init(&s->w.turn, on_leave);
	loop_soon(s->w.loop, &s->w.turn);
	while (countdown > 0 && !l.is_over)
		(void)loop_run(s->w.loop);
	loop_soon_cancel(&s->w.turn);
	line_close(&l);
	struct reply r = get(s, "/healthz");
	assert_status(r, 200);
}

TEST(a_client_may_leave_at_any_moment)
{
	struct server s;
	server_open(&s);
	import(&s);
	peer.is_delayed = true;
	struct reply r = ask(&s, "POST", "/api/v1/components/t/dataflows/d/runs", JSON_TYPE "Prefer: wait=30\r\n",
			     "{\"items\":[{\"n\":1},{\"n\":2}]}");
	assert_status(r, 200);
	const char *texts[] = {
		request_text(&s, "POST", "/api/v1/components/t/forms/f/submissions", JSON_TYPE, "{\"data\":{\"n\":5}}"),
		request_text(&s, "POST", "/api/v1/components/t/dataflows/d/runs", JSON_TYPE "Prefer: wait=30\r\n",
			     "{\"items\":[{\"n\":5},{\"n\":6}]}"),
		request_text(&s, "GET", "/api/v1/runs/1/items/0", "", NULL),
		request_text(&s, "GET", "/api/v1/runs/1/items?state=failed", "", NULL),
		request_text(&s, "PUT", "/api/v1/components/t", "", component_text(&s, "again")),
		request_text(&s, "GET", "/api/v1/components/t", "", NULL),
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (int turns = 1; turns < 400; turns += 1 + turns / 3)
			leave_after(&s, texts[i], turns);
	/* Whoever left had asked: what was started ends all the same. */
	for (int tries = 0; tries < 2000; tries++) {
		r = get(&s, "/api/v1/runs?limit=200");
		if (!strstr(r.body, "\"running\""))
			break;
	}
	assert_null(strstr(r.body, "\"running\""));
	assert_null(strstr(r.body, "\"failed\","));
	server_close(&s);
}

TEST(half_a_request_does_not_hold_the_server)
{
	struct server s;
	server_open(&s);
	static const char *const halves[] = {
		"", "GET",
		"POST /api/v1/components/t/dataflows/d/runs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
	};
	for (size_t i = 0; i < ARRAY_LEN(halves); i++)
		leave_after(&s, halves[i], 20);
	server_close(&s);
}

TEST(a_server_that_stops_leaves_its_runs_to_the_next)
{
	struct server s;
	server_open(&s);
	import(&s);
	peer.manners = PEER_SILENT_FIRST;
	struct reply r =
	    post(&s, "/api/v1/components/t/dataflows/d/runs", "{\"items\":[{\"n\":1},{\"n\":2},{\"n\":3}]}");
	assert_status(r, 202);
	r = get(&s, "/api/v1/runs/1");
	assert_at(&s, r, "/state", "\"running\"");
	r = ask(&s, "POST", "/api/v1/runs/1/resume", "", NULL);
	assert_problem(&s, r, 409, "not_resumable");
	r = get(&s, "/api/v1/runs/1/items/0");
	assert_at(&s, r, "/state", "\"running\"");
	assert_at(&s, r, "/problem", "null");
	world_settle(&s.w);
	api_close(s.api);
	world_settle(&s.w);
	peer.manners = PEER_ANSWERS;
	server_start(&s);
	for (int tries = 0; tries < 2000; tries++) {
		r = get(&s, "/api/v1/runs/1");
		if (strcmp(at(&s, &r, "/state"), "\"done\"") == 0)
			break;
	}
	assert_at(&s, r, "/state", "\"done\"");
	assert_at(&s, r, "/counts/items_out", "3");
	server_close(&s);
}

#define LEFT 20

static bool is_interrupted(struct server *s, int run)
{
	char path[40];
	(void)snprintf(path, sizeof(path), "/api/v1/runs/%d", run);
	struct reply r = get(s, path);
	return strcmp(at(s, &r, "/state"), "\"interrupted\"") == 0;
}

TEST(interrupted_runs_go_on_a_few_at_a_time_the_oldest_first)
{
	struct server s;
	struct reply r = { 0 };
	char text[80];
	server_open(&s);
	import(&s);
	peer.manners = PEER_SILENT_FIRST;
	for (int i = 0; i < LEFT; i++) {
		/* the peer takes 3 ms for such a number */
		(void)snprintf(text, sizeof(text), "{\"items\":[{\"n\":%d}]}", 4 * i + 1);
		r = post(&s, "/api/v1/components/t/dataflows/d/runs", text);
		assert_status(r, 202);
	}
	for (int tries = 0; peer.requests < LEFT && tries < 2000; tries++)
		r = get(&s, "/api/v1/runs/1");
	assert_int_equal(peer.requests, LEFT);
	world_settle(&s.w);
	api_close(s.api);
	world_settle(&s.w);
	for (int tries = 0; peer.in_flight > 0 && tries < 2000; tries++)
		world_settle(&s.w);
	assert_int_equal(peer.in_flight, 0);
	peer.most_in_flight = 0;
	peer.manners = PEER_ANSWERS;
	peer.is_delayed = true;
	server_start(&s);
	for (int tries = 0, done = 0; done < LEFT && tries < 5000; tries++) {
		bool is_first_waiting = is_interrupted(&s, 1), is_last_waiting = is_interrupted(&s, LEFT);
		assert_false(is_first_waiting && !is_last_waiting);
		r = get(&s, "/api/v1/runs?state=done&limit=100");
		done = atoi(at(&s, &r, "/total"));
	}
	assert_at(&s, r, "/total", "20");
	assert_in_range(peer.most_in_flight, 1, 8);
	peer.is_delayed = false;
	server_close(&s);
}

TEST(a_run_of_the_command_line_without_all_its_input_is_not_ended_by_the_server)
{
	struct server s;
	struct err e = ERR_INIT;
	server_open(&s);
	import(&s);
	struct reply r;
	struct run_row row = { .component = STR("t"),
			       .dataflow = STR("d"),
			       .env = STR("live"),
			       .trigger = STR("cli"),
			       .state = RUN_RUNNING,
			       .started_at = 1 };
	step_plan_of(&s.w, ""); /* only for its shape */
	struct complaints *c = calloc(1, sizeof(*c));
	complaints_init(c);
	struct doc *d = doc_parse("t", str_c(component_text(&s, "one")), c);
	struct component *k = component_new(d, &step_env, c);
	row.version = str_c(k->version);
	assert_int_equal(store_run_create(s.w.store, &row, NULL, NULL, &e), 0);
	api_close(s.api);
	server_start(&s);
	world_settle(&s.w);
	r = get(&s, "/api/v1/runs/1");
	assert_at(&s, r, "/state", "\"interrupted\"");
	r = ask(&s, "POST", "/api/v1/runs/1/resume", "", NULL);
	assert_problem(&s, r, 409, "not_resumable");
	assert_non_null(strstr(r.body, "--items"));
	component_unref(k);
	complaints_done(c);
	free(c);
	server_close(&s);
}

static bool is_done(struct server *s, int64_t run)
{
	s->w.id = run;
	return row_on_disk(&s->w).state == RUN_DONE;
}

static void on_idle(void *arg)
{
	++*(int *)arg;
}

TEST(draining_waits_for_calls_under_way_and_leaves_the_rest_to_the_next_server)
{
	struct server s;
	int idle = 0;
	server_open(&s);
	import(&s);
	peer.is_delayed = true;
	struct reply r =
	    post(&s, "/api/v1/components/t/dataflows/d/runs", "{\"items\":[{\"n\":1},{\"n\":2},{\"n\":3}]}");
	assert_status(r, 202);
	for (int i = 0; i < 5000 && !peer.requests; i++)
		world_settle(&s.w);
	api_drain(s.api, on_idle, &idle);
	for (int i = 0; i < 5000 && !idle; i++)
		world_settle(&s.w);
	assert_int_equal(idle, 1);
	assert_int_equal(peer.in_flight, 0);
	api_close(s.api);
	server_start(&s);
	for (int i = 0; i < 5000 && !is_done(&s, 1); i++)
		world_settle(&s.w);
	assert_true(is_done(&s, 1));
	assert_int_equal(peer.requests, 3); /* each once: none was cut off and sent again */
	server_close(&s);
}

TEST(pages_come_with_their_guards)
{
	struct server s;
	server_open(&s);
	if (!page_files_n) {
		printf("skipped: the pages are not built\n");
		server_close(&s);
		skip();
	}
	static const char *const pages[] = { "/", "/runs", "/runs/17", "/app/t", "/app/t/f", "/index.html" };
	const char *nonce = "";
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct reply r = get(&s, pages[i]);
		assert_status(r, 200);
		const char *csp = strstr(r.head, "Content-Security-Policy: default-src 'none'");
		assert_non_null(csp);
		assert_non_null(strstr(csp, "frame-ancestors 'none'"));
		assert_null(strstr(csp, "unsafe"));
		assert_non_null(strstr(r.head, "X-Content-Type-Options: nosniff"));
		assert_non_null(strstr(r.head, "Referrer-Policy: no-referrer"));
		assert_non_null(strstr(r.head, "Cache-Control: no-cache"));
		assert_null(strstr(r.body, "__NONCE__"));
		const char *now = strstr(csp, "'nonce-");
		assert_non_null(now);
		assert_true(strncmp(now, nonce, strlen(nonce) < 40 ? 1 : 39) != 0 || !*nonce);
		nonce = now;
	}
	for (size_t i = 0; i < page_files_n; i++) {
		if (strncmp(page_files[i].path, "/assets/", 8) != 0)
			continue;
		struct reply r = ask(&s, "GET", page_files[i].path, "Accept-Encoding: gzip;q=0, br\r\n", NULL);
		assert_status(r, 200);
		assert_non_null(strstr(r.head, "immutable"));
		assert_non_null(strstr(r.head, "nosniff"));
		if (page_files[i].br) {
			assert_non_null(strstr(r.head, "Content-Encoding: br"));
			assert_int_equal(r.body_len, page_files[i].br_len);
		}
		r = ask(&s, "HEAD", page_files[i].path, "", NULL);
		assert_status(r, 200);
		assert_int_equal(r.body_len, 0);
	}
	struct reply r = ask(&s, "POST", "/runs", "", "");
	assert_status(r, 404);
	server_close(&s);
}

RUN_TESTS(CLAIM(a_client_may_leave_at_any_moment), CLAIM(half_a_request_does_not_hold_the_server),
	  CLAIM(a_server_that_stops_leaves_its_runs_to_the_next),
		CLAIM(interrupted_runs_go_on_a_few_at_a_time_the_oldest_first),
	  CLAIM(a_run_of_the_command_line_without_all_its_input_is_not_ended_by_the_server),
	  CLAIM(draining_waits_for_calls_under_way_and_leaves_the_rest_to_the_next_server), CLAIM(pages_come_with_their_guards))
