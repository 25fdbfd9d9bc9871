/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one call costs: GETs with three header fields against a server that answers with a small JSON, at a fixed number
 * in flight. Prints CPU microseconds per request (user and system, this process) and requests per second. bench/http.sh
 * starts nginx, runs this and wrk in the same minute; the figures mean nothing apart.
 *
 *   bench_http URL [concurrency] [requests]
 */
#include "base/clock.h"
#include "http/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

struct bench {
	struct loop *loop;
	struct http_client *client;
	struct http_request request;
	size_t started, done, wanted, failed;
};

static void start_one(struct bench *b);

static void on_done(void *arg, const struct http_response *r)
{
	struct bench *b = arg;

	if (r->error != HTTP_ERROR_NONE || r->status != 200) {
		if (b->failed++ == 0)
			fprintf(stderr, "first failure: %s %s status=%d\n", http_error_name(r->error),
				r->detail ? r->detail : "", r->status);
	}
	if (++b->done == b->wanted)
		loop_stop(b->loop);
	else
		start_one(b);
}

static void start_one(struct bench *b)
{
	if (b->started == b->wanted)
		return;
	b->started++;
	if (!http_start(b->client, &b->request, on_done, b, NULL))
		abort();
}

static double cpu_us(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
	struct bench b = { .wanted = argc > 3 ? strtoul(argv[3], NULL, 10) : 200000 };
	size_t in_flight = argc > 2 ? strtoul(argv[2], NULL, 10) : 64;
	struct arena arena;
	struct headers headers = { 0 };
	struct err e = ERR_INIT;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_http URL [concurrency] [requests]\n");
		return 2;
	}
	arena_init(&arena, 0);
	(void)headers_add(&arena, &headers, STR("Authorization"), STR("Bearer 0123456789abcdef0123456789abcdef"), &e);
	(void)headers_add(&arena, &headers, STR("X-Request-Id"), STR("7f3c1b2a-0000-4000-8000-000000000001"), &e);
	(void)headers_add(&arena, &headers, STR("Accept"), STR("application/json"), &e);
	b.loop = loop_new(&e);
	b.client =
	    b.loop ? http_client_new(b.loop, &(struct http_client_config){ .max_connections = in_flight }, &e) : NULL;
	if (!b.client) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	b.request = (struct http_request){ .method = STR("GET"), .url = str_c(argv[1]), .headers = &headers };
	uint64_t from = clock_mono_ns();
	double cpu = cpu_us();
	for (size_t i = 0; i < in_flight; i++)
		start_one(&b);
	(void)loop_run(b.loop);
	double seconds = (double)(clock_mono_ns() - from) / 1e9;
	printf("c=%-4zu %8zu requests %6.2f us CPU/req %9.0f req/s  failed %zu\n", in_flight, b.done,
	       (cpu_us() - cpu) / (double)b.done, (double)b.done / seconds, b.failed);
	http_client_free(b.client);
	loop_free(b.loop);
	arena_done(&arena);
	return b.failed != 0;
}
