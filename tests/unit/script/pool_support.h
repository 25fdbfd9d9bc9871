/* SPDX-License-Identifier: Apache-2.0 */
/* A pool, a loop and jobs that are waited for. The test program itself is the worker: WORKER_TESTS() makes its main. */
#pragma once
#include "base/json.h"
#include "base/log.h"
#include "script/script.h"
#include "test.h"

#define WORKER_TESTS(...)                                                                                              \
	int main(int argc, char **argv)                                                                                \
	{                                                                                                              \
		const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                     \
		if (argc > 1 && strcmp(argv[1], "--role=script") == 0)                                                 \
			return script_worker_main(argc, argv);                                                         \
		log_setup(LOG_ERROR, LOG_TEXT);                                                                        \
		return cmocka_run_group_tests(tests, NULL, NULL);                                                      \
	}

#define NOW 1700000000000
#define ANSWERS_MAX 128

struct bench {
	struct loop *loop;
	struct script_pool *pool;
	struct arena arena;
	size_t waiting; /* jobs */
	size_t n;	/* results of the last job */
	struct {
		enum script_error error;
		unsigned line, column;
		char detail[2049];
		char *json; /* in the arena */
	} got[ANSWERS_MAX];
};

static inline struct bench *bench_new(struct script_config config)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err e = ERR_INIT;

	arena_init(&b->arena, 0);
	b->loop = loop_new(&e);
	assert_non_null(b->loop);
	if (!config.workers)
		config.workers = 1;
	if (!config.deadline)
		config.deadline = 20000;
	b->pool = script_pool_new(b->loop, &config, &e);
	assert_non_null(b->pool);
	return b;
}

static inline void bench_free(struct bench *b)
{
	script_pool_free(b->pool);
	loop_free(b->loop);
	arena_done(&b->arena);
	free(b);
}

static inline void bench_done(void *arg, const struct script_result *results, size_t n)
{
	struct bench *b = arg;

	b->n = n;
	for (size_t i = 0; i < n && i < ANSWERS_MAX; i++) {
		struct buf text;
		b->got[i].error = results[i].error;
		b->got[i].line = results[i].line;
		b->got[i].column = results[i].column;
		b->got[i].json = NULL;
		(void)snprintf(b->got[i].detail, sizeof(b->got[i].detail), "%.*s", STR_ARG(results[i].detail));
		if (results[i].error)
			continue;
		buf_init(&text, 64u << 20);
		assert_int_equal(json_write(&text, &results[i].value, JSON_COMPACT), 0);
		b->got[i].json = arena_c(&b->arena, buf_str(&text));
		buf_done(&text);
	}
	if (--b->waiting == 0)
		loop_stop(b->loop);
}

static inline void bench_wait(struct bench *b)
{
	if (b->waiting)
		(void)loop_run(b->loop);
}

static inline struct value bench_value(struct bench *b, const char *json)
{
	struct value v;
	struct err e = ERR_INIT;

	if (json_parse(&b->arena, str_c(json), NULL, &v, NULL, &e) != 0)
		fail_msg("%s: %s", json, e.msg);
	return v;
}

static inline struct script_program *bench_program(enum script_kind kind, const char *source)
{
	struct str s = str_c(source);
	struct err e = ERR_INIT;
	struct script_program *p = script_program_new(kind, &s, 1, NULL, &e);

	if (!p)
		fail_msg("%s", e.msg);
	return p;
}

/* Start the program over n texts; the values live in the bench's arena. */
static inline struct script_job *bench_start(struct bench *b, struct script_program *p, uint64_t realm,
					     const char *const *json, size_t n)
{
	struct script_realm r = { .id = realm, .now = NOW, .seed = 42 };
	struct script_item items[ANSWERS_MAX];
	struct value *values = ARENA_ARRAY(&b->arena, struct value, n);
	struct err e = ERR_INIT;

	for (size_t i = 0; i < n; i++) {
		values[i] = bench_value(b, json[i]);
		items[i] = (struct script_item){ .input = &values[i], .arena = &b->arena, .number = i };
	}
	struct script_job *j = script_run(b->pool, p, &r, items, n, bench_done, b, &e);
	if (!j)
		fail_msg("%s", e.msg);
	b->waiting++;
	return j;
}

static inline void bench_run_all(struct bench *b, enum script_kind kind, const char *source, const char *const *json,
				 size_t n)
{
	struct script_program *p = bench_program(kind, source);

	(void)bench_start(b, p, 1, json, n);
	script_program_unref(p);
	bench_wait(b);
	assert_int_equal(b->n, n);
}

static inline void bench_run(struct bench *b, const char *source, const char *json)
{
	bench_run_all(b, SCRIPT_ITEM, source, &json, 1);
}

/* The script turns one JSON text into the other. */
static inline void assert_gives(struct bench *b, const char *source, const char *json, const char *expected)
{
	bench_run(b, source, json);
	if (b->got[0].error)
		fail_msg("%s over %s: %s: %s", source, json, script_error_name(b->got[0].error), b->got[0].detail);
	assert_string_equal(b->got[0].json, expected);
}

/* The script fails, and the message holds `part`. */
static inline void assert_fails(struct bench *b, const char *source, enum script_error error, const char *part)
{
	bench_run(b, source, "{}");
	if (b->got[0].error != error)
		fail_msg("%s: %s instead of %s: %s%s", source, script_error_name(b->got[0].error),
			 script_error_name(error), b->got[0].detail, b->got[0].json ? b->got[0].json : "");
	if (!strstr(b->got[0].detail, part))
		fail_msg("%s: '%s' is not in the message: %s", source, part, b->got[0].detail);
}
