/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the call layer itself costs an item: CPU microseconds to build a request (with its masked shadow) and to keep,
 * write, read and judge an answer of 500 bytes. No network.
 *   ninja -C build call && cc -std=gnu17 -D_GNU_SOURCE -O2 -Isrc bench/bench_call_build.c build/libcall.a
 * build/libhttp.a build/libloop.a \ build/libbase.a -lcurl -lmicrohttpd -luv -lcrypto -lz -lbrotlidec -lzstd -lseccomp
 * -lm -o build/bench_call_build && build/bench_call_build
 */
#include "base/json.h"
#include "call/call.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUND_SECONDS 0.3 /* the best of several such rounds counts: others use the machine too */
#define ROUNDS 5

static double cpu_seconds(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int r)
{
	if (r < 0)
		abort();
}

struct job {
	const struct call_spec *spec;
	struct secrets *secrets;
	struct call_result_rule *rule;
	struct value parameters;
	struct http_response response;
	struct str body;
	struct call_answer answer;
};

static void do_build(struct job *j)
{
	auto_arena struct arena a;
	struct call_request request;
	arena_init(&a, 0);
	must(call_request_build(j->spec, j->secrets, &j->parameters, STR_NULL, &a, &request, NULL));
}

static void do_keep(struct job *j)
{
	auto_arena struct arena a;
	struct call_answer x;
	char *body = NULL;
	struct buf copy, head;
	arena_init(&a, 0);
	buf_init(&copy, 1u << 20);
	buf_init(&head, 1u << 20);
	must(buf_append_str(&copy, j->body));
	j->response.body = &copy;
	must(call_answer_from_response(&j->response, j->secrets, &a, &x, &body));
	must(call_answer_write(&x, &head));
	buf_done(&head);
	buf_done(&copy);
	free(body);
}

static void do_judge(struct job *j)
{
	auto_arena struct arena a;
	struct value result, problem;
	arena_init(&a, 0);
	if (call_judge(j->spec, j->rule, &j->answer, &a, &result, &problem) != CALL_OK)
		abort();
}

static void measure(const char *name, void (*work)(struct job *), struct job *j)
{
	double best = 1e9;
	for (int round = 0; round < ROUNDS; round++) {
		double start = cpu_seconds(), now;
		unsigned long n = 0;
		do {
			for (int i = 0; i < 100; i++)
				work(j);
			n += 100;
			now = cpu_seconds();
		} while (now - start < ROUND_SECONDS);
		double us = (now - start) * 1e6 / (double)n;
		best = us < best ? us : best;
	}
	printf("%-44s %7.3f us\n", name, best);
}

static struct value parse(struct arena *a, const char *text)
{
	struct value v;
	must(json_parse(a, str_c(text), NULL, &v, NULL, NULL));
	return v;
}

static const struct call_spec *spec(struct arena *a, const char *auth, enum call_method m)
{
	struct value *system = arena_alloc(a, sizeof(*system));
	*system =
	    parse(a, arena_printf(a,
				  "{\"base_url\":\"https://"
				  "api.open-meteo.com\",\"auth\":%s,\"connectors\":{\"forecast\":{\"operations\":[{"
				  "\"method_name\":\"GET\",\"query_path\":\"/v1/"
				  "forecast\",\"parameters\":[{\"name\":\"latitude\",\"in\":\"query\","
				  "\"required\":true},{\"name\":\"longitude\",\"in\":\"query\",\"required\":true},{"
				  "\"name\":\"current\",\"in\":"
				  "\"query\"}]}]}}}",
				  auth));
	return call_spec_new(a, system, STR("open-meteo"), STR("forecast"), STR("/v1/forecast"), m, STR_NULL, NULL,
			     NULL);
}

int main(void)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	(void)setenv("WEIR_SECRET_TOKEN", "0123456789abcdef0123456789abcdef", 1);
	struct job j = { .secrets = secrets_new(NULL, NULL), .rule = call_result_rule_new(&a, STR("auto"), NULL) };
	j.parameters =
	    parse(&a, "{\"latitude\":48.8566,\"longitude\":2.3522,\"current\":\"temperature_2m,wind_speed_10m\"}");
	j.spec = spec(&a, "{\"kind\":\"none\"}", CALL_GET);
	measure("GET, 3 query parameters, no credential", do_build, &j);

	struct headers headers = { 0 };
	static const char *const pairs[][2] = { { "Date", "Mon, 23 Nov 2026 18:00:00 GMT" },
						{ "Content-Type", "application/json; charset=utf-8" },
						{ "Content-Length", "500" },
						{ "Connection", "keep-alive" },
						{ "Server", "nginx" },
						{ "Cache-Control", "no-store" } };
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		must(headers_add(&a, &headers, str_c(pairs[i][0]), str_c(pairs[i][1]), NULL));
	j.body = str_c(
	    arena_printf(&a,
			 "{\"latitude\":48.86,\"longitude\":2.3599997,\"generationtime_ms\":0.034,\"utc_offset_"
			 "seconds\":0,\"timezone\":\"GMT\","
			 "\"timezone_abbreviation\":\"GMT\",\"elevation\":38.0,\"current_units\":{\"time\":\"iso8601\","
			 "\"interval\":\"seconds\","
			 "\"temperature_2m\":\"\xC2\xB0"
			 "C\",\"wind_speed_10m\":\"km/h\"},\"current\":{\"time\":\"2026-11-23T17:00\",\"interval\":900,"
			 "\"temperature_2m\":8.4,\"wind_speed_10m\":12.3},\"note\":\"%0120d\"}",
			 7));
	j.response =
	    (struct http_response){ .certainty = HTTP_ANSWERED,
				    .status = 200,
				    .headers = &headers,
				    .timings = { .connect = 200, .sent = 250, .first_byte = 2000, .total = 2400 } };
	measure("answer kept and its head written", do_keep, &j);
	char *body = NULL;
	struct buf wire;
	buf_init(&wire, 1u << 20);
	must(buf_append_str(&wire, j.body));
	j.response.body = &wire;
	must(call_answer_from_response(&j.response, j.secrets, &a, &j.answer, &body));
	printf("  (body of %zu bytes)\n", j.body.len);
	measure("answer judged", do_judge, &j);

	j.spec = spec(&a, "{\"kind\":\"bearer\",\"token\":{\"secret\":\"TOKEN\"}}", CALL_GET);
	measure("GET, 3 query parameters, bearer", do_build, &j);
	measure("answer kept, a secret looked for", do_keep, &j);
	j.spec = spec(&a, "{\"kind\":\"bearer\",\"token\":{\"secret\":\"TOKEN\"}}", CALL_POST);
	measure("POST, JSON body of 3 members, bearer", do_build, &j);
	secrets_free(j.secrets);
	free(body);
	return 0;
}
