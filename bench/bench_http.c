/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one call costs: GETs with three header fields against a server that answers with a small JSON, at a fixed number
 * in flight. Prints CPU microseconds per request (user and system, this process) and requests per second. bench/http.sh
 * starts nginx, runs this and wrk in the same minute; the figures mean nothing apart.
 *
 *   bench_http [-t curl|h1] URL [concurrency] [requests]
 */
#include "base/clock.h"
#include "http/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Takes "-t NAME" off the front of the arguments. */
static enum http_tier tier_of(int *argc, char ***argv)
{
	if (*argc < 3 || strcmp((*argv)[1], "-t") != 0)
		return HTTP_TIER_DEFAULT;
	enum http_tier tier = strcmp((*argv)[2], "h1") == 0 ? HTTP_TIER_H1 : HTTP_TIER_CURL;
	*argc -= 2;
	*argv += 2;
	return tier;
}

int main(int argc, char **argv)
{
	enum http_tier tier = tier_of(&argc, &argv);
	static const char *const names[] = { "default", "curl", "h1" };
	struct bench b = { .wanted = argc > 3 ? strtoul(argv[3], NULL, 10) : 200000 };
	size_t in_flight = argc > 2 ? strtoul(argv[2], NULL, 10) : 64;
	struct arena arena;
	struct headers headers = { 0 };
	struct err e = ERR_INIT;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_http [-t curl|h1] URL [concurrency] [requests]\n");
		return 2;
	}
	arena_init(&arena, 0);
	(void)headers_add(&arena, &headers, STR("Authorization"), STR("Bearer 0123456789abcdef0123456789abcdef"), &e);
	(void)headers_add(&arena, &headers, STR("X-Request-Id"), STR("7f3c1b2a-0000-4000-8000-000000000001"), &e);
	(void)headers_add(&arena, &headers, STR("Accept"), STR("application/json"), &e);
	b.loop = loop_new(&e);
	struct http_client_config config = { .tier = tier, .max_connections = in_flight };
	b.client = b.loop ? http_client_new(b.loop, &config, &e) : NULL;
	if (!b.client) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	b.request = (struct http_request){
		.method = STR("GET"), .url = str_c(argv[1]), .headers = &headers, .tls_no_verify = true
	};
	uint64_t from = clock_mono_ns();
	double cpu = cpu_us();
	for (size_t i = 0; i < in_flight; i++)
		start_one(&b);
	(void)loop_run(b.loop);
	double seconds = (double)(clock_mono_ns() - from) / 1e9;
	printf("%-7s c=%-4zu %8zu requests %6.2f us CPU/req %9.0f req/s  failed %zu\n", names[tier], in_flight, b.done,
	       (cpu_us() - cpu) / (double)b.done, (double)b.done / seconds, b.failed);
	http_client_free(b.client);
	loop_free(b.loop);
	arena_done(&arena);
	return b.failed != 0;
}
