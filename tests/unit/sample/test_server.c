/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/sample.h"
#include "base/json.h"
#include "http/client.h"
#include "test.h"

struct world {
	struct loop *loop;
	struct sample_api *api;
	struct http_client *client;
	struct arena arena;
	unsigned answered;
	int status;
	struct value root;
	msec_t took;
};

static void setup(struct world *w, msec_t delay)
{
	struct err e = ERR_INIT;
	struct http_client_config config = { 0 };
	*w = (struct world){ 0 };
	arena_init(&w->arena, 0);
	w->loop = loop_new(&e);
	assert_non_null(w->loop);
	if (sample_api_open(&w->api, w->loop, 0, delay, &e) < 0)
		fail_msg("%s", e.msg);
	w->client = http_client_new(w->loop, &config, &e);
	assert_non_null(w->client);
}

static void teardown(struct world *w)
{
	http_client_free(w->client);
	sample_api_close(w->api);
	loop_free(w->loop);
	arena_done(&w->arena);
}

static void on_answer(void *arg, const struct http_response *r)
{
	struct world *w = arg;
	w->answered++;
	w->status = r->status;
	w->took = r->timings.total / 1000;
	struct str copy = arena_str(&w->arena, buf_str(r->body));
	if (r->error == HTTP_ERROR_NONE && copy.len)
		assert_int_equal(json_parse(&w->arena, copy, NULL, &w->root, NULL, NULL), 0);
	loop_stop(w->loop);
}

static struct http_transfer *start(struct world *w, const char *method, const char *path)
{
	struct err e = ERR_INIT;
	struct headers none = { 0 };
	char *url = arena_printf(&w->arena, "http://127.0.0.1:%u%s", sample_api_port(w->api), path);
	struct http_request request = { .method = str_c(method), .url = str_c(url), .headers = &none };
	struct http_transfer *t = http_start(w->client, &request, on_answer, w, &e);
	if (!t)
		fail_msg("%s", e.msg);
	return t;
}

static void ask(struct world *w, const char *method, const char *path)
{
	unsigned before = w->answered;
	(void)start(w, method, path);
	while (w->answered == before)
		(void)loop_run(w->loop);
}

TEST(routes_lead_to_their_answers)
{
	static const struct {
		const char *method, *path;
		int status;
		const char *member;
	} rows[] = {
		{ "GET", "/", 200, "paths" },
		{ "GET", "/v1/search?name=Paris", 200, "results" },
		{ "GET", "/v1/get?id=1000", 200, "name" },
		{ "GET", "/v1/get?id=1", 404, "reason" },
		{ "GET", "/v1/forecast?latitude=1&longitude=2&daily=sunrise", 200, "daily" },
		{ "GET", "/v1/forecast", 400, "reason" },
		{ "GET", "/v2/forecast", 404, "reason" },
		{ "POST", "/v1/forecast", 405, "reason" },
	};
	struct world w;
	setup(&w, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ask(&w, rows[i].method, rows[i].path);
		assert_int_equal(w.status, rows[i].status);
		if (!value_get_c(&w.root, rows[i].member))
			fail_msg("%s %s has no %s", rows[i].method, rows[i].path, rows[i].member);
	}
	teardown(&w);
}

TEST(today_can_be_told)
{
	struct world w;
	setup(&w, 0);
	sample_api_set_now(w.api, 1763899200000);
	ask(&w, "GET", "/v1/forecast?latitude=1&longitude=2&daily=sunrise");
	assert_str(value_text(json_pointer_get(&w.root, STR("/daily/time/0"))), "2025-11-23");
	teardown(&w);
}

TEST(answers_wait_as_long_as_they_are_told)
{
	struct world w;
	setup(&w, 30);
	ask(&w, "GET", "/v1/search?name=Paris");
	assert_int_equal(w.status, 200);
	assert_true(w.took >= 29); /* no upper bound: machines are slow at times */
	teardown(&w);
}

TEST(a_client_that_leaves_before_its_answer_harms_nobody)
{
	struct world w;
	setup(&w, 20);
	for (int i = 0; i < 20; i++)
		http_cancel(start(&w, "GET", "/v1/search?name=Paris"));
	ask(&w, "GET", "/v1/search?name=Oslo");
	assert_int_equal(w.status, 200);
	for (int i = 0; i < 20; i++) /* closed with answers still waiting */
		(void)start(&w, "GET", "/v1/search?name=Paris");
	teardown(&w);
}

TEST(a_port_that_is_taken_is_an_error)
{
	struct world w;
	struct sample_api *second = NULL;
	struct err e = ERR_INIT;
	setup(&w, 0);
	assert_true(sample_api_open(&second, w.loop, sample_api_port(w.api), 0, &e) < 0);
	assert_null(second);
	assert_true(e.msg[0] != '\0');
	teardown(&w);
}

RUN_TESTS(CLAIM(routes_lead_to_their_answers), CLAIM(today_can_be_told), CLAIM(answers_wait_as_long_as_they_are_told),
	  CLAIM(a_client_that_leaves_before_its_answer_harms_nobody), CLAIM(a_port_that_is_taken_is_an_error))
