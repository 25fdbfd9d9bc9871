/* SPDX-License-Identifier: Apache-2.0 */
/* Each job again and again with the n-th allocation failing, until none does: no crash, no leak, an honest result. */
#include "test.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/map.h"
#include "base/opt.h"

#define TRIES_MAX 10000

typedef int job(void);

static void torture(const char *name, job *work)
{
	unsigned long n = 1;
	for (; n < TRIES_MAX; n++) {
		arena_trim(); /* kept blocks would spare the very allocations that are to fail */
		alloc_fail_after(n);
		int r = work();
		bool has_failed = alloc_has_failed();
		alloc_fail_after(0);
		if (!has_failed) {
			assert_int_equal(r, 0);
			break;
		}
		if (r != -ERR_NO_MEMORY)
			fail_msg("%s: allocation %lu failed and the result was %d", name, n, r);
	}
	print_message("%s: %lu allocations failed one by one\n", name, n - 1);
	assert_true(n > 1 && n < TRIES_MAX);
}

/* Long enough for heap slots, an index on the heap, several arena blocks and a growing buffer. */
static struct str big_text(void)
{
	static char text[40000];
	char *p = text;
	*p++ = '{';
	for (int i = 0; i < 400; i++)
		p += sprintf(p, "%s\"key %d\":[%d,\"caf\\u00e9 %d\",{\"x\":null}]", i ? "," : "", i, i, i);
	*p++ = '}';
	return str_from(text, (size_t)(p - text));
}

static int round_trip(bool copy)
{
	auto_arena struct arena a;
	auto_buf struct buf b;
	struct value v, twin;
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	buf_init(&b, 1 << 20);
	int r = json_parse(&a, big_text(), &(struct json_options){ .copy = copy }, &v, NULL, &e);
	if (r < 0) {
		assert_int_equal(e.code, r);
		return r;
	}
	r = value_copy(&a, &v, &twin);
	if (r == 0)
		r = json_write(&b, &twin, JSON_PRETTY);
	if (r == 0)
		r = value_eq(&v, &twin) ? 0 : -1;
	return r;
}

static int round_trip_borrowing(void)
{
	return round_trip(false);
}

static int round_trip_copying(void)
{
	return round_trip(true);
}

static int build_values(void)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct value o = value_object(), list = value_array();
	int r = 0;
	for (int i = 0; r == 0 && i < 300; i++) {
		struct value n = value_int(&a, i), d = value_double(&a, i + 0.1),
			     s = value_string_copy(&a, STR("text"));
		if (!n.kind || !d.kind || !s.kind)
			return -ERR_NO_MEMORY;
		r = value_push(&a, &list, n);
		char *key = r == 0 ? arena_printf(&a, "k%d", i) : NULL;
		if (!key)
			return -ERR_NO_MEMORY;
		r = value_set_copy(&a, &o, str_c(key), d);
	}
	return r;
}

static int use_map(void)
{
	struct map *m = map_new(1000);
	int r = m ? 0 : -ERR_NO_MEMORY, put = 0;
	char key[16];
	for (; r == 0 && put < 200; put += r == 0) {
		snprintf(key, sizeof(key), "%d", put);
		r = map_put(m, str_c(key), key, NULL);
	}
	for (int i = 0; m && i < put; i++) { /* what got in before stays reachable */
		snprintf(key, sizeof(key), "%d", i);
		assert_non_null(map_remove(m, str_c(key)));
	}
	assert_true(!m || map_len(m) == 0);
	map_free(m);
	return r;
}

static int use_buf(void)
{
	auto_buf struct buf b;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 2000; i++) {
		buf_printf(&b, "%d", i);
		buf_append_c(&b, "some text");
	}
	char *taken = buf_take(&b, NULL);
	free(taken);
	return taken ? 0 : -ERR_NO_MEMORY;
}

static int grow_arena(void)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	char *p = NULL;
	for (size_t n = 1; n < 100000; n *= 2) {
		p = arena_grow(&a, p, p ? n / 2 : 0, n);
		if (!p || !arena_alloc(&a, 8) || !arena_c(&a, STR("x")))
			return -ERR_NO_MEMORY;
		memset(p, 1, n);
	}
	return 0;
}

struct settings {
	struct str name;
	int64_t count;
	const struct value *any;
};

static int describe(void)
{
	static const struct opt rows[] = {
		OPT_STRING(struct settings, name, OPT_REQUIRED, "x", 1, 9, "A name."),
		OPT_INT(struct settings, count, "1", 1, 9, "A count."),
		OPT_VALUE(struct settings, any, 0, "{\"type\":[\"array\",\"object\"]}", "Anything."),
		OPT_END,
	};
	auto_arena struct arena a;
	arena_init(&a, 0);
	int r = 0;
	for (int i = 0; r == 0 && i < 20; i++) { /* more than one block */
		struct value v;
		r = opt_schema(rows, &a, &v);
	}
	return r;
}

TEST(json_round_trips_survive_any_failing_allocation)
{
	torture("borrowing round trip", round_trip_borrowing);
	torture("copying round trip", round_trip_copying);
}

TEST(values_maps_and_buffers_survive_any_failing_allocation)
{
	torture("values", build_values);
	torture("map", use_map);
	torture("buffer", use_buf);
	torture("arena", grow_arena);
	torture("schema", describe);
}

TEST(the_trap_springs_once)
{
	alloc_fail_after(2);
	void *first = alloc_malloc(1), *second = alloc_calloc(1, 1), *third = alloc_realloc(NULL, 1);
	assert_non_null(first);
	assert_null(second);
	assert_non_null(third);
	assert_true(alloc_has_failed());
	free(first);
	free(third);
}

RUN_TESTS(CLAIM(json_round_trips_survive_any_failing_allocation),
	  CLAIM(values_maps_and_buffers_survive_any_failing_allocation), CLAIM(the_trap_springs_once))
