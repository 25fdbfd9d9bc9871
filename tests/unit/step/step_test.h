/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The world of the run's tests with the real kinds, a real HTTP client, and a peer in the same loop: it counts what
 * arrives for each item, answers after a while and out of order, and can look into the ledger through a store of its
 * own before it answers.
 */
#pragma once
#include "../run/run_test.h"

#include "base/num.h"
#include "http/server.h"
#include "step/steps.h"

#define PEER_ITEMS 2048

enum manners { PEER_ANSWERS, PEER_SILENT_FIRST, PEER_SAYS_500, PEER_SAYS_204, PEER_LIMITS_ONCE, PEER_PACKS_BADLY };

struct peer_item {
	int seen, answered;
	char key[80];
	bool has_other_key;
};

struct peer {
	struct world *w;
	struct http_server *server;
	enum manners manners;
	struct store *looker; /* a second connection to the same file: sees only what is committed */
	int requests, in_flight, most_in_flight;
	int without_intent, with_outcome;
	struct peer_item items[PEER_ITEMS];
	bool is_delayed;
	bool (*other)(struct http_exchange *x, int64_t n); /* true: it has dealt with the request; NULL = none */
};

static struct peer peer;
static struct step_services services;
static struct flow_env step_env;

struct asked {
	struct http_exchange *x; /* NULL once the client left */
	int64_t n;
	struct loop_timer timer;
	bool is_looking, is_gone;
};

static inline void asked_end(struct asked *q)
{
	if (q->is_looking || loop_timer_is_running(&q->timer))
		return;
	free(q);
}

static inline void on_asker_gone(void *arg)
{
	struct asked *q = arg;
	q->x = NULL;
	peer.in_flight--;
	loop_timer_stop(&q->timer);
	asked_end(q);
}

static inline void peer_answer(struct asked *q)
{
	char body[160];
	struct arena a;
	struct headers h = { 0 };
	if (!q->x)
		return;
	arena_init(&a, 0);
	(void)headers_add(&a, &h, STR("Content-Type"), STR("application/json"), NULL);
	(void)headers_add(&a, &h, STR("Set-Cookie"), STR("s=1"), NULL);
	(void)snprintf(body, sizeof(body),
		       "{\"id\":%" PRId64 ",\"twice\":%" PRId64 ",\"exact\":0.1000,\"token\":\"hush-hush-1\"}",
		       1000 + q->n, 2 * q->n);
	if (q->n >= 0 && q->n < PEER_ITEMS)
		peer.items[q->n].answered++;
	if (peer.manners == PEER_PACKS_BADLY && !str_eq_c(exchange_header(q->x, "Accept-Encoding"), "identity"))
		(void)headers_add(&a, &h, STR("Content-Encoding"), STR("gzip"), NULL); /* which it is not */
	int status = peer.manners == PEER_SAYS_500 ? 500 : peer.manners == PEER_SAYS_204 ? 204 : 200;
	if (peer.manners == PEER_LIMITS_ONCE && peer.requests == 1) {
		status = 429;
		(void)headers_add(&a, &h, STR("Retry-After"), STR("1"), NULL);
	}
	assert_int_equal(exchange_reply(q->x, status, &h, status == 204 ? STR_NULL : str_c(body)), 0);
	arena_done(&a);
}

static inline void asked_timer(struct loop_timer *t)
{
	peer_answer(CONTAINER_OF(t, struct asked, timer));
}

static inline void answer_soon(struct asked *q)
{
	if (peer.is_delayed)
		(void)loop_timer_start(&q->timer, (q->n * 7) % 4);
	else
		peer_answer(q);
}

static inline void on_ledger(void *arg, const struct store_result *r)
{
	struct asked *q = arg;
	bool has_intent = false, has_outcome = false;
	for (size_t i = 0; i < r->n; i++) {
		has_intent |= r->rows[i].kind == LEDGER_INTENT;
		has_outcome |= r->rows[i].kind == LEDGER_OUTCOME;
	}
	peer.without_intent += !has_intent;
	peer.with_outcome += has_outcome;
	q->is_looking = false;
	if (q->x)
		answer_soon(q);
	else
		asked_end(q);
}

/* "n" of the query, or of the JSON body. */
static inline int64_t number_of(struct http_exchange *x)
{
	struct str text = exchange_query(x), mark = STR("n=");
	if (!text.len) {
		text = exchange_body(x);
		mark = STR("\"n\":");
	}
	ptrdiff_t at = str_find(text, mark);
	int64_t n = -1;
	for (size_t i = at < 0 ? text.len : (size_t)at + mark.len;
	     i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++)
		n = (n < 0 ? 0 : n) * 10 + (text.ptr[i] - '0');
	return n;
}

static inline void on_peer_request(void *arg, struct http_exchange *x)
{
	struct asked *q = calloc(1, sizeof(*q));
	struct str key = exchange_header(x, "Idempotency-Key");
	struct err e = ERR_INIT;
	if (peer.other && peer.other(x, number_of(x))) {
		peer.requests++;
		peer.w->happened++;
		free(q);
		return;
	}
	*q = (struct asked){ .x = x, .n = number_of(x) };
	loop_timer_init(peer.w->loop, &q->timer, asked_timer);
	exchange_on_gone(x, on_asker_gone, q);
	peer.requests++;
	peer.w->happened++;
	if (++peer.in_flight > peer.most_in_flight)
		peer.most_in_flight = peer.in_flight;
	int seen = 0;
	if (q->n >= 0 && q->n < PEER_ITEMS) {
		struct peer_item *it = &peer.items[q->n];
		seen = it->seen++;
		it->has_other_key |= *it->key && !str_eq_c(key, it->key);
		(void)snprintf(it->key, sizeof(it->key), "%.*s", STR_ARG(key));
	}
	if (peer.manners == PEER_SILENT_FIRST && seen == 0)
		return;
	if (!peer.looker) {
		answer_soon(q);
		return;
	}
	q->is_looking = true;
	assert_int_equal(store_ledger_read(peer.looker, peer.w->id, (uint64_t)q->n, (uint64_t)q->n, on_ledger, q, &e),
			 0);
}

static inline void peer_open(struct world *w)
{
	struct err e = ERR_INIT;
	struct http_server_config config = { .address = "127.0.0.1", .on_request = on_peer_request };
	struct http_client_config http = { 0 };
	peer = (struct peer){ .w = w };
	if (http_server_open(&peer.server, w->loop, &config, &e) < 0)
		fail_msg("%s", e.msg);
	(void)setenv("WEIR_SECRET_TOKEN", "hush-hush-1", 1);
	services =
	    (struct step_services){ .http = http_client_new(w->loop, &http, &e), .secrets = secrets_new(NULL, &e) };
	assert_non_null(services.http);
	step_env = step_flow_env(STR_NULL);
}

static inline void peer_close(void)
{
	http_client_free(services.http);
	secrets_free(services.secrets);
	http_server_close(peer.server);
	store_close(peer.looker);
}

/* Flow: model, get_action_model "input", then `steps`; the system "s" is the peer (or `port`). */
static inline void step_plan_port(struct world *w, const char *steps, unsigned port)
{
	static char text[8192];
	(void)snprintf(text, sizeof(text),
		       "weir: 1\ncomponent: t\n"
		       "systems:\n  s:\n    base_url: { live: http://127.0.0.1:%u }\n    auth: { kind: bearer, token: "
		       "{ secret: TOKEN } }\n"
		       "    connectors:\n      c:\n        operations:\n"
		       "          - { method_name: GET, query_path: /get, parameters: [ { name: n, in: query } ] }\n"
		       "          - { method_name: POST, query_path: /plain }\n"
		       "          - { method_name: POST, query_path: /keyed, idempotency_key: true }\n"
		       "model:\n  - { name: n, type: integer, primary_key: true, required: true }\n  - { name: city, "
		       "type: string, min_length: 2 }\n"
		       "dataflows:\n  d:\n    stages:\n"
		       "      - name: A\n        steps:\n          - { name: input, kind: get_action_model }\n%s",
		       port, steps);
	world_plan_env(w, text, &step_env);
}

static inline void step_plan_of(struct world *w, const char *steps)
{
	step_plan_port(w, steps, http_server_port(peer.server));
}

#define CALL(more, method, path)                                                                                       \
	"          - { name: call, source_step: input, kind: execute_api_call, system: s, connector: c, "              \
	"method_name: " method ", query_path: " path                                                                   \
	", parameters_mapping: { n: =item.data.n }, result_store_field: _r" more " }\n"
#define SAVE "          - { name: save, source_step: call, kind: update_entry, fields_mapping: { n: =item.data.n } }\n"

static inline void step_run_n(struct world *w, uint64_t n, size_t window)
{
	w->feeder = (struct feeder){ .n = n };
	world_run(
	    w, (struct run_config){ .source = { feeder_read, &w->feeder }, .window = window, .services = &services });
}

static inline void step_resume(struct world *w, size_t window)
{
	world_resume(w, (struct run_config){ .window = window, .services = &services });
}
