/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts through the pool: items a second, and processor time an item on both sides. Usage: bench_script [seconds]
 *   cc -std=gnu17 -D_GNU_SOURCE -O2 -Isrc bench/bench_script.c build/libscript.a build/libloop.a build/libbase.a -luv
 * -lseccomp -lm -o bench_script
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "script/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static const char item_text[] =
    "{\"id\":12345,\"first\":\"Ada\",\"last\":\"Lovelace\",\"name\":\"analytical "
    "engine\",\"email\":\"ada@example.com\","
    "\"address\":{\"street\":\"12 St James's "
    "Square\",\"city\":\"London\",\"zip\":\"SW1Y\",\"country\":\"UK\"},\"tags\":[\"a\",\"b\",\"c\"],"
    "\"lines\":[{\"sku\":\"X1\",\"q\":2,\"p\":3.5},{\"sku\":\"X2\",\"q\":1,\"p\":10},{\"sku\":\"X3\",\"q\":5,\"p\":0."
    "25}],"
    "\"note\":\"The engine might compose elaborate and scientific pieces of "
    "music.\",\"active\":true,\"nothing\":null,\"score\":98.6}";
static const char source[] = "item.full = item.first + ' ' + item.last; item.total = item.lines.map((l) => l.q * "
			     "l.p).reduce((a, b) => a + b, 0);"
			     "item.tag = item.name.toUpperCase().slice(0, 5); item.ok = item.total > 10;";

static struct loop *loop;
static struct script_pool *pool;
static struct script_program *program;
static struct arena results;
static struct script_item items[SCRIPT_BATCH_MAX];
static size_t batch, done, failed;
static uint64_t until;

static void go_on(void);

static void on_done(void *arg, const struct script_result *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		failed += r[i].error != SCRIPT_OK;
	done += n;
	arena_done(&results);
	if (clock_mono_ns() < until)
		go_on();
	else
		loop_stop(loop);
}

static void go_on(void)
{
	const struct script_realm realm = { .id = 1, .now = 1700000000000, .seed = 1 };

	if (!script_run(pool, program, &realm, items, batch, on_done, NULL, NULL))
		abort();
}

static double processor_us(int who)
{
	struct rusage u;

	(void)getrusage(who, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

/* The worker's time is known when it is reaped: one pool a line. */
static void measure(size_t n, double seconds)
{
	struct err e = ERR_INIT;
	struct script_config config = { .workers = 1 };
	double start_us = processor_us(RUSAGE_CHILDREN);

	batch = n;
	loop = loop_new(&e);
	pool = script_pool_new(loop, &config, &e);
	done = 0;
	until = 0;
	go_on(); /* start and first realm are not counted */
	(void)loop_run(loop);
	done = 0;
	double own = processor_us(RUSAGE_SELF);
	uint64_t from = clock_mono_ns();
	until = from + (uint64_t)(seconds * 1e9);
	go_on();
	(void)loop_run(loop);
	double wall = (double)(clock_mono_ns() - from) / 1e9;
	own = processor_us(RUSAGE_SELF) - own;
	script_pool_free(pool);
	loop_free(loop);
	while (waitpid(-1, NULL, 0) > 0) {
	}
	printf("batch %3zu: %8.0f items/s, server %5.2f us/item, worker %5.2f us/item (with its start)%s\n", n,
	       (double)done / wall, own / (double)done, (processor_us(RUSAGE_CHILDREN) - start_us) / (double)done,
	       failed ? ", FAILURES" : "");
}

int main(int argc, char **argv)
{
	struct arena a;
	struct value item;
	struct str s = str_c(source);
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;

	if (argc > 1 && strcmp(argv[1], "--role=script") == 0)
		return script_worker_main(argc, argv);
	log_setup(LOG_WARN, LOG_TEXT);
	arena_init(&a, 0);
	arena_init(&results, 0);
	if (json_parse(&a, str_c(item_text), NULL, &item, NULL, NULL) != 0)
		return 1;
	for (size_t i = 0; i < SCRIPT_BATCH_MAX; i++)
		items[i] = (struct script_item){ .input = &item, .arena = &results, .number = i };
	program = script_program_new(SCRIPT_ITEM, &s, 1, NULL, NULL);
	printf("item of %zu bytes\n", sizeof(item_text) - 1);
	measure(1, seconds);
	measure(10, seconds);
	measure(100, seconds);
	script_program_unref(program);
	arena_done(&a);
	return failed != 0;
}
