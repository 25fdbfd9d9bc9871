/* SPDX-License-Identifier: Apache-2.0 */
/* What the call layer's tests share: values from JSON text with single quotes, specs, builds and complaints. */
#pragma once
#include "test.h"

#include "base/json.h"
#include "call/call.h"

static struct arena arena;

/* JSON with ' for " so that it can be read in C. */
static inline struct value json(const char *text)
{
	char *copy = arena_c(&arena, str_c(text));
	struct value v;
	struct err e = ERR_INIT;
	assert_non_null(copy);
	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	if (json_parse(&arena, str_c(copy), NULL, &v, NULL, &e) < 0)
		fail_msg("%s in: %s", e.msg, text);
	return v;
}

static inline struct value *json_new(const char *text)
{
	struct value *v = arena_alloc(&arena, sizeof(*v));
	assert_non_null(v);
	*v = json(text);
	return v;
}

static inline struct str text_of_value(const struct value *v)
{
	struct buf b;
	buf_init(&b, 64u << 20);
	assert_int_equal(json_write(&b, v, JSON_COMPACT), 0);
	struct str copy = arena_str(&arena, buf_str(&b));
	buf_done(&b);
	return copy;
}

/* Complaints gathered as "field: sentence\n". */
struct heard {
	char text[8192];
};

static inline void hear(void *arg, const struct value *at, const char *field, const char *sentence)
{
	struct heard *h = arg;
	size_t n = strlen(h->text);
	(void)snprintf(h->text + n, sizeof(h->text) - n, "%s: %s\n", field ? field : "-", sentence);
}

#define assert_heard(h, part)                                                                                          \
	do {                                                                                                           \
		if (!strstr((h).text, (part)))                                                                         \
			fail_msg("heard \"%s\", expected \"%s\" in it", (h).text, (part));                             \
	} while (0)
#define assert_contains(s, part)                                                                                       \
	do {                                                                                                           \
		struct str whole_ = (s);                                                                               \
		if (str_find(whole_, str_c(part)) < 0)                                                                 \
			fail_msg("got \"%.*s\", expected \"%s\" in it", STR_ARG(whole_), (part));                      \
	} while (0)
#define assert_lacks(s, part)                                                                                          \
	do {                                                                                                           \
		struct str whole_ = (s);                                                                               \
		if (str_find(whole_, str_c(part)) >= 0)                                                                \
			fail_msg("got \"%.*s\", which holds \"%s\"", STR_ARG(whole_), (part));                         \
	} while (0)

/* A spec of connector "c" of `system`, or the test fails with what was complained about. */
static inline struct call_spec *spec_of(const char *system, const char *method, const char *path)
{
	struct heard h = { "" };
	enum call_method m;
	assert_true(call_method_parse(str_c(method), &m));
	struct call_spec *s =
	    call_spec_new(&arena, json_new(system), STR("crm"), STR("c"), str_c(path), m, STR_NULL, hear, &h);
	if (!s)
		fail_msg("%s", h.text);
	return s;
}

static inline int test_begin(void **state)
{
	arena_init(&arena, 0);
	return 0;
}

static inline int test_end(void **state)
{
	arena_done(&arena);
	return 0;
}
#define CALL_CLAIM(name) cmocka_unit_test_setup_teardown(name, test_begin, test_end)
