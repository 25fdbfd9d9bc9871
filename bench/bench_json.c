/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a JSON text costs: CPU microseconds an operation and MB/s, for parse, write and both with a copy between, and for splitting it
 * into the items of its list, as it would come from a socket.
 *   cc -std=gnu17 -D_GNU_SOURCE -O2 -fno-strict-aliasing -Isrc bench/bench_json.c src/base/[a-z]*.c -lm -o bench_json
 * && ./bench_json
 */
#include "base/json.h"
#include "base/split.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUND_SECONDS 0.3 /* the best of several such rounds counts: others use the machine too */
#define ROUNDS 5
#define PIECE_BYTES 16384 /* what a socket gives at a time */

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

/* An order as an API would answer it: about 230 bytes a line item. */
static void order(struct buf *b, int lines)
{
	must(buf_printf(
	    b, "{\"id\":\"ord_5f0c2a9be1\",\"status\":\"paid\",\"customer\":{\"name\":\"Zo\xc3\xab Lef\xc3\xa8vre\","
	       "\"email\":\"zoe@example.org\",\"since\":\"2021-04-07T09:30:00Z\",\"vip\":false},\"total\":129.90,"
	       "\"currency\":\"EUR\",\"discount\":null,\"lines\":["));
	for (int i = 0; i < lines; i++)
		must(buf_printf(
		    b,
		    "%s{\"sku\":\"A-%05d\",\"title\":\"Enamel mug, blue rim, 350 ml\",\"quantity\":%d,\"price\":%d.95,"
		    "\"weight\":0.%03d,\"tags\":[\"kitchen\",\"gift\",\"new\"],\"in_stock\":true,"
		    "\"note\":\"fragile: \\\"handle with care\\\"\",\"warehouse\":{\"code\":\"FR-%02d\",\"row\":%d}}",
		    i ? "," : "", i * 7919 % 100000, i % 9 + 1, i % 90 + 9, i * 37 % 1000, i % 20, i));
	must(buf_append_c(b, "],\"updated_at\":\"2026-11-23T17:00:00.123Z\"}"));
}

struct job {
	struct str text;
	struct value parsed;
	struct buf out;
	struct json_options options;
};

static void do_parse(struct job *j)
{
	auto_arena struct arena a;
	struct value v;
	arena_init(&a, 0);
	must(json_parse(&a, j->text, &j->options, &v, NULL, NULL));
}

static void do_write(struct job *j)
{
	buf_clear(&j->out);
	must(json_write(&j->out, &j->parsed, JSON_COMPACT));
}

static void do_both(struct job *j)
{
	auto_arena struct arena a;
	struct value v;
	arena_init(&a, 0);
	buf_clear(&j->out);
	must(json_parse(&a, j->text, &j->options, &v, NULL, NULL));
	must(json_write(&j->out, &v, JSON_COMPACT));
}

static int pass_over(void *arg, const struct value *element)
{
	return 0;
}

static void do_split(struct job *j)
{
	struct split *s = split_new(&(struct split_options){ .path = STR("$.lines[*]") }, NULL);
	if (!s)
		abort();
	for (size_t at = 0; at < j->text.len; at += PIECE_BYTES) {
		size_t n = j->text.len - at < PIECE_BYTES ? j->text.len - at : PIECE_BYTES;
		must(split_push(s, str_from(j->text.ptr + at, n), pass_over, NULL, NULL));
	}
	must(split_end(s, pass_over, NULL, NULL));
	split_free(s);
}

static void measure(const char *what, void (*work)(struct job *), struct job *j)
{
	double best = 1e9;
	for (int round = 0; round < ROUNDS; round++) {
		double start = cpu_seconds(), spent;
		long n = 0;
		do {
			for (int i = 0; i < 16; i++, n++)
				work(j);
			spent = cpu_seconds() - start;
		} while (spent < ROUND_SECONDS);
		if (spent / (double)n < best)
			best = spent / (double)n;
	}
	printf("%8zu bytes  %-14s %10.3f us  %8.0f MB/s\n", j->text.len, what, best * 1e6,
	       (double)j->text.len / best / 1e6);
}

int main(void)
{
	static const int lines[] = { 1, 20, 4500 };
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		auto_arena struct arena a;
		auto_buf struct buf text;
		struct job j = { 0 };
		arena_init(&a, 0);
		buf_init(&text, JSON_MAX_BYTES);
		buf_init(&j.out, JSON_MAX_BYTES);
		order(&text, lines[i]);
		j.text = buf_str(&text);
		must(json_parse(&a, j.text, NULL, &j.parsed, NULL, NULL));
		measure("parse", do_parse, &j);
		j.options.copy = true;
		measure("parse, copied", do_parse, &j);
		measure("split", do_split, &j);
		measure("write", do_write, &j);
		j.options.copy = false;
		measure("parse + write", do_both, &j);
		buf_done(&j.out);
	}
	return 0;
}
