/* SPDX-License-Identifier: Apache-2.0 */
/* One call from start to end, for tests: what came back, copied. */
#pragma once
#include "http/client.h"
#include "peer.h"

struct answer {
	int calls; /* of the callback */
	enum http_error error;
	enum http_certainty certainty;
	int status;
	char detail[512], version[8], peer[64], body[4096];
	size_t body_len, wire_bytes, n_headers;
	bool is_close_delimited, has_body_failed;
	struct http_timings timings;
	char x[512]; /* the field X, if any */
	struct loop *loop;
	int *remaining; /* the loop stops when this reaches 0 */
};

static inline void ask_done(void *arg, const struct http_response *r)
{
	struct answer *a = arg;

	a->calls++;
	a->error = r->error;
	a->certainty = r->certainty;
	a->status = r->status;
	snprintf(a->detail, sizeof(a->detail), "%s", r->detail ? r->detail : "");
	snprintf(a->version, sizeof(a->version), "%.*s", STR_ARG(r->http_version));
	snprintf(a->peer, sizeof(a->peer), "%s", r->peer);
	a->body_len = r->body->len;
	a->has_body_failed = !buf_ok(r->body); /* nobody could take it */
	memcpy(a->body, r->body->ptr ? r->body->ptr : "", r->body->len < sizeof(a->body) - 1 ? r->body->len : sizeof(a->body) - 1);
	a->wire_bytes = r->wire_bytes;
	a->n_headers = r->headers->n;
	a->is_close_delimited = r->is_close_delimited;
	a->timings = r->timings;
	struct str x = headers_get(r->headers, STR("X"));
	snprintf(a->x, sizeof(a->x), "%.*s", STR_ARG(x));
	if (a->remaining && --*a->remaining == 0)
		loop_stop(a->loop);
}

struct asker {
	struct loop *loop;
	struct http_client *client;
};

/* The same claims hold for both tiers: RUN_ON_BOTH_TIERS() makes them twice. */
static enum http_tier tier_under_test;

#define RUN_ON_BOTH_TIERS(...)                                                                                                       \
	int main(void)                                                                                                               \
	{                                                                                                                            \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                                   \
		tier_under_test = HTTP_TIER_CURL;                                                                                    \
		int failed = cmocka_run_group_tests_name("libcurl", tests, NULL, NULL);                                              \
		tier_under_test = HTTP_TIER_H1;                                                                                      \
		return failed + cmocka_run_group_tests_name("own tier", tests, NULL, NULL);                                          \
	}

static inline struct asker asker_new(const struct http_client_config *wanted)
{
	struct err e = ERR_INIT;
	struct asker a = { .loop = loop_new(&e) };
	struct http_client_config config = { 0 };

	if (wanted)
		config = *wanted;
	if (config.tier == HTTP_TIER_DEFAULT)
		config.tier = tier_under_test;
	assert_non_null(a.loop);
	a.client = http_client_new(a.loop, &config, &e);
	assert_non_null(a.client);
	return a;
}

static inline void asker_free(struct asker *a)
{
	http_client_free(a->client);
	loop_free(a->loop);
}

static inline struct answer ask_request(struct asker *a, const struct http_request *r)
{
	int remaining = 1;
	struct answer answer = { .loop = a->loop, .remaining = &remaining };
	struct err e = ERR_INIT;

	assert_non_null(http_start(a->client, r, ask_done, &answer, &e));
	assert_int_equal(answer.calls, 0); /* never inside the starter */
	assert_int_equal(http_client_live(a->client), 1);
	loop_run(a->loop);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(http_client_live(a->client), 0);
	return answer;
}

static inline struct answer ask(struct asker *a, const char *method, struct peer *p, const char *target, const char *body)
{
	char url[512];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", p->port, target);
	return ask_request(a, &(struct http_request){
				      .method = str_c(method),
				      .url = str_c(url),
				      .body = body ? str_c(body) : STR_NULL,
				      .total_timeout = 20000,
			      });
}

#define assert_outcome(what, want_error, want_certainty)                                                                                 \
	do {                                                                                                                                \
		struct answer got_ = (what);                                                                                                \
		if (got_.error != (want_error) || got_.certainty != (want_certainty))                                                       \
			fail_msg("got %s/%d (%s) status %d, expected %s/%d", http_error_name(got_.error), got_.certainty, got_.detail,      \
				 got_.status, http_error_name(want_error), (want_certainty));                                               \
	} while (0)
