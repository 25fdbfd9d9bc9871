/* SPDX-License-Identifier: Apache-2.0 */
/* The sample API's server: routes, and answers that wait a while when told to. */
#include "sample/sample.h"
#include "sample/sample_int.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "http/server.h"
#include <stdlib.h>

struct sample_api {
	struct loop *loop;
	struct http_server *server;
	msec_t delay;
	msec_t now;	    /* 0 = the wall clock */
	struct arena arena; /* headers below */
	struct headers json_headers;
	struct buf body; /* of the answer being made; one at a time */
};

/* An answer that is ready and waits; lives in the exchange's arena. */
struct waiting {
	struct sample_api *api;
	struct http_exchange *exchange;
	struct loop_timer timer;
	int status;
	struct str body;
};

static void on_time(struct loop_timer *t)
{
	struct waiting *w = CONTAINER_OF(t, struct waiting, timer);
	struct http_exchange *x = w->exchange;
	exchange_on_gone(x, NULL, NULL);
	(void)exchange_reply(x, w->status, &w->api->json_headers, w->body);
}

static void on_gone(void *arg)
{
	struct waiting *w = arg;
	loop_timer_stop(&w->timer);
}

static void answer(struct sample_api *a, struct http_exchange *x, int status, struct str body)
{
	struct waiting *w = a->delay > 0 ? ARENA_NEW(exchange_arena(x), struct waiting) : NULL;
	if (w) {
		*w = (struct waiting){
			.api = a, .exchange = x, .status = status, .body = arena_str(exchange_arena(x), body)
		};
		loop_timer_init(a->loop, &w->timer, on_time);
		if (w->body.ptr && loop_timer_start(&w->timer, a->delay) == 0) {
			exchange_on_gone(x, on_gone, w);
			return;
		}
	}
	(void)exchange_reply(x, status, &a->json_headers, body);
}

static int route(struct sample_api *a, struct http_exchange *x)
{
	struct str path = exchange_path(x), method = exchange_method(x);
	struct buf *b = &a->body;
	if (!str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD"))) {
		(void)answer_error(b, "Method Not Allowed");
		return 405;
	}
	if (str_eq(path, STR("/v1/forecast")))
		return forecast_answer(exchange_arena(x), exchange_query(x), a->now ? a->now : clock_wall(), b);
	if (str_eq(path, STR("/v1/search")))
		return geocode_search(exchange_arena(x), exchange_query(x), b);
	if (str_eq(path, STR("/v1/get")))
		return geocode_get(exchange_arena(x), exchange_query(x), b);
	if (str_eq(path, STR("/"))) {
		buf_append_c(b,
			     "{\"name\":\"Weir sample API\",\"note\":\"invented weather, shaped like open-meteo.com\","
			     "\"paths\":[\"/v1/search?name=Paris\",\"/v1/"
			     "forecast?latitude=48.85&longitude=2.35&current=temperature_2m\"]}");
		return 200;
	}
	(void)answer_error(b, "Not Found");
	return 404;
}

static void on_request(void *arg, struct http_exchange *x)
{
	struct sample_api *a = arg;
	buf_clear(&a->body);
	int status = route(a, x);
	if (!buf_ok(&a->body) || status == 503) {
		buf_clear(&a->body);
		(void)answer_error(&a->body, "The answer is too large.");
		status = 503;
	}
	answer(a, x, status, buf_str(&a->body));
}

int sample_api_open(struct sample_api **ret, struct loop *l, uint16_t port, msec_t delay, struct err *e)
{
	struct sample_api *a = alloc_calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	a->loop = l;
	a->delay = delay;
	arena_init(&a->arena, 0);
	buf_init(&a->body, SAMPLE_ANSWER_MAX);
	struct http_server_config config = { .address = "127.0.0.1", .port = port, .on_request = on_request, .arg = a };
	int rc =
	    headers_add(&a->arena, &a->json_headers, STR("Content-Type"), STR("application/json; charset=utf-8"), e);
	if (rc == 0)
		rc = http_server_open(&a->server, l, &config, e);
	if (rc < 0) {
		sample_api_close(a);
		return err_wrap(e, "sample API");
	}
	*ret = a;
	return 0;
}

uint16_t sample_api_port(const struct sample_api *a)
{
	return http_server_port(a->server);
}

void sample_api_set_now(struct sample_api *a, msec_t now)
{
	a->now = now;
}

void sample_api_close(struct sample_api *a)
{
	if (!a)
		return;
	if (a->server)
		http_server_close(a->server);
	buf_done(&a->body);
	arena_done(&a->arena);
	free(a);
}
