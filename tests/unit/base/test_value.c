/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/json.h"
#include <math.h>
#include <time.h>

static struct value parse(struct arena *a, const char *text)
{
	struct value v;
	struct err e = ERR_INIT;
	if (json_parse(a, str_c(text), &(struct json_options){ .duplicates = JSON_DUP_KEEP }, &v, NULL, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return v;
}

static void assert_json(const struct value *v, const char *expected)
{
	auto_buf struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(json_write(&b, v, JSON_COMPACT), 0);
	assert_str(buf_str(&b), expected);
}

TEST(set_replaces_in_place_and_appends_at_the_end)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct value o = value_object();
	assert_int_equal(value_set(&a, &o, STR("a"), value_int(&a, 1)), 0);
	assert_int_equal(value_set(&a, &o, STR("b"), value_bool(true)), 0);
	assert_int_equal(value_set(&a, &o, STR("a"), value_null()), 0);
	char key[] = "c";
	assert_int_equal(value_set_copy(&a, &o, str_c(key), value_string_copy(&a, str_c(key))), 0);
	key[0] = 'X';
	assert_json(&o, "{\"a\":null,\"b\":true,\"c\":\"c\"}");
	assert_int_equal(value_set(&a, &(struct value){ .kind = VALUE_ARRAY }, STR("a"), value_null()), -ERR_STATE);
	assert_int_equal(value_push(&a, &o, value_null()), -ERR_STATE);
	assert_true(value_remove(&o, STR("a")));
	assert_false(value_remove(&o, STR("a")));
	assert_json(&o, "{\"b\":true,\"c\":\"c\"}");
}

TEST(parsed_containers_can_grow_and_shrink)
{
	for (int n = 0; n < 20; n++) {
		auto_arena struct arena a;
		char text[256], *p = text;
		arena_init(&a, 0);
		*p++ = '[';
		for (int i = 0; i < n; i++)
			p += sprintf(p, "%s%d", i ? "," : "", i);
		strcpy(p, "]");
		struct value v = parse(&a, text);
		(void)arena_alloc(&a, 1); /* nothing grows in place by luck */
		for (int i = n; i < 40; i++)
			assert_int_equal(value_push(&a, &v, value_int(&a, i)), 0);
		for (int i = 0; i < 40; i++) {
			int64_t got;
			assert_true(value_to_int64(value_at(&v, (size_t)i), &got));
			assert_int_equal(got, i);
		}
		assert_null(value_at(&v, 40));
	}
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct value o = parse(&a, "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}");
	(void)arena_alloc(&a, 1);
	for (const char *k = "abcde"; *k; k++)
		assert_true(value_remove(&o, str_from(k, 1)));
	assert_json(&o, "{}");
	for (const char *k = "uvwxyz"; *k; k++)
		assert_int_equal(value_set(&a, &o, str_from(k, 1), value_null()), 0);
	assert_json(&o, "{\"u\":null,\"v\":null,\"w\":null,\"x\":null,\"y\":null,\"z\":null}");
}

TEST(get_finds_the_last_of_repeated_keys)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct value o = parse(&a, "{\"a\":1,\"b\":2,\"a\":3,\"\":4}");
	assert_json(value_get_c(&o, "a"), "3");
	assert_json(value_get(&o, STR_NULL), "4");
	assert_null(value_get_c(&o, "c"));
	assert_null(value_get_c(value_get_c(&o, "a"), "a"));
	assert_null(value_get_c(NULL, "a"));
	assert_null(value_at(&o, 0));
	assert_true(value_remove(&o, STR("a")));
	assert_json(&o, "{\"b\":2,\"\":4}");
}

TEST(a_copy_shares_no_byte)
{
	auto_arena struct arena copy_arena;
	arena_init(&copy_arena, 0);
	struct value copy;
	const char *text = "{\"k\":[1.50,\"x\",{\"\":\"\"},[],{},null,true]}";
	{
		auto_arena struct arena a;
		arena_init(&a, 0);
		struct value v = parse(&a, arena_c(&a, str_c(text)));
		assert_int_equal(value_copy(&copy_arena, &v, &copy), 0);
	} /* under ASan whatever is still borrowed is poisoned now */
	assert_json(&copy, text);
	assert_int_equal(value_push(&copy_arena, value_get_c(&copy, "k"), value_bool(false)), 0);
	assert_json(&copy, "{\"k\":[1.50,\"x\",{\"\":\"\"},[],{},null,true,false]}");
}

TEST(copies_and_texts_end_at_the_depth_limit)
{
	auto_arena struct arena a;
	auto_buf struct buf b;
	arena_init(&a, 0);
	buf_init(&b, 1 << 20);
	struct value v = value_array(), copy;
	for (int depth = 1; depth < VALUE_DEPTH_MAX; depth++) {
		struct value outer = value_array();
		assert_int_equal(value_push(&a, &outer, v), 0);
		v = outer;
	}
	assert_int_equal(value_copy(&a, &v, &copy), 0);
	assert_int_equal(json_write(&b, &v, JSON_COMPACT), 0);
	assert_true(value_eq(&v, &copy));
	struct value outer = value_array();
	assert_int_equal(value_push(&a, &outer, v), 0);
	assert_int_equal(value_copy(&a, &outer, &copy), -ERR_LIMIT);
	assert_int_equal(json_write(&b, &outer, JSON_COMPACT), -ERR_LIMIT);
	assert_false(buf_ok(&b));
}

TEST(equality_ignores_key_order_and_nothing_else)
{
	static const struct {
		const char *x, *y;
		bool eq;
	} rows[] = {
		{ "{\"a\":1,\"b\":[2]}", "{\"b\":[2],\"a\":1}", true },
		{ "{\"a\":1}", "{\"a\":1,\"b\":1}", false },
		{ "{\"a\":1,\"b\":1}", "{\"a\":1,\"c\":1}", false },
		{ "[1,2]", "[2,1]", false },
		{ "1", "1.0", false },
		{ "\"1\"", "1", false },
		{ "null", "false", false },
		{ "true", "false", false },
		{ "[]", "{}", false },
		{ "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}", true },
		{ "{\"a\":1,\"a\":2}", "{\"a\":2,\"a\":1}", false },
		{ "{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":1}", false },
		{ "{\"a\":1,\"b\":1}", "{\"a\":1,\"a\":1}", false },
		{ "\"\\u00e9\"", "\"\xc3\xa9\"", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena a;
		arena_init(&a, 0);
		struct value x = parse(&a, rows[i].x), y = parse(&a, rows[i].y);
		if (value_eq(&x, &y) != rows[i].eq)
			fail_msg("row %zu: %s and %s", i, rows[i].x, rows[i].y);
	}
}

TEST(large_shuffled_objects_compare_quickly)
{
	enum { N = 100000 };
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct value x = value_object(), y = value_object();
	for (int i = 0; i < N; i++) {
		assert_int_equal(value_add(&a, &x, str_c(arena_printf(&a, "k%d", i)), value_int(&a, i)), 0);
		assert_int_equal(value_add(&a, &y, str_c(arena_printf(&a, "k%d", N - 1 - i)), value_int(&a, N - 1 - i)),
				 0);
	}
	clock_t start = clock();
	assert_true(value_eq(&x, &y));
	y.members[5].value = value_null();
	assert_false(value_eq(&x, &y));
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5); /* quadratic would be minutes here */
}

TEST(whole_numbers_are_read_however_written)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t n;
	} rows[] = {
		{ "0", true, 0 },
		{ "-0", true, 0 },
		{ "0.000", true, 0 },
		{ "0e99999", true, 0 },
		{ "1.0", true, 1 },
		{ "1e2", true, 100 },
		{ "-1.50e1", true, -15 },
		{ "1200e-2", true, 12 },
		{ "0.0012e4", true, 12 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "-9223372036854775808", true, INT64_MIN },
		{ "9223372036854775808", false, 0 },
		{ "-9223372036854775809", false, 0 },
		{ "9.223372036854775807e18", true, INT64_MAX },
		{ "1e18", true, INT64_C(1000000000000000000) },
		{ "1e19", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "1.5", false, 0 },
		{ "1e-1", false, 0 },
		{ "1e99999999999999999999", false, 0 },
		{ "1e-99999999999999999999", false, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value v = value_number_text(str_c(rows[i].text));
		int64_t n = 0;
		if (value_to_int64(&v, &n) != rows[i].ok || n != rows[i].n)
			fail_msg("row %zu \"%s\": %lld", i, rows[i].text, (long long)n);
	}
	struct value s = value_string(STR("1"));
	int64_t n;
	assert_false(value_to_int64(&s, &n));
	assert_false(value_to_int64(NULL, &n));
}

TEST(doubles_print_as_javascript_prints_them)
{
	static const struct {
		double d;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ -0.0, "0" },
		{ 1, "1" },
		{ -1, "-1" },
		{ 100, "100" },
		{ 0.1, "0.1" },
		{ 0.1 + 0.2, "0.30000000000000004" },
		{ 1e21, "1e+21" },
		{ 1e20, "100000000000000000000" },
		{ 123456789012345680000.0, "123456789012345680000" },
		{ 1.5e300, "1.5e+300" },
		{ 1e-6, "0.000001" },
		{ 1e-7, "1e-7" },
		{ 1.25e-7, "1.25e-7" },
		{ -1.5e-6, "-0.0000015" },
		{ 5e-324, "5e-324" },
		{ 1e-323, "1e-323" },
		{ 2.2250738585072014e-308, "2.2250738585072014e-308" },
		{ 2.225073858507201e-308, "2.225073858507201e-308" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308" },
		{ 9007199254740993.0, "9007199254740992" },
		{ 5.684341886080802e-14, "5.684341886080802e-14" }, /* 2^-44: the nearest 16 digits do not read back */
		{ 4.35, "4.35" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 2.0 / 3, "0.6666666666666666" },
		{ 123456.789, "123456.789" },
		{ 1e15, "1000000000000000" },
		{ 999999999999999.9, "999999999999999.9" },
	};
	auto_arena struct arena a;
	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value v = value_double(&a, rows[i].d);
		assert_str(value_text(&v), rows[i].text);
		if (!value_number_is_canonical(str_c(rows[i].text)) || !value_number_fits_double(str_c(rows[i].text)))
			fail_msg("row %zu \"%s\" is not canonical", i, rows[i].text);
	}
	assert_int_equal(value_double(&a, NAN).kind, VALUE_NULL);
	assert_int_equal(value_double(&a, -INFINITY).kind, VALUE_NULL);
}

/* xorshift64*: the same doubles each time. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

TEST(any_double_reads_back_and_none_is_shorter)
{
	uint64_t state = 88172645463325252u;
	for (int i = 0; i < 20000; i++) {
		struct arena a;
		uint64_t bits = next_random(&state);
		double d, back;
		if (i % 4 == 0)
			bits &=
			    UINT64_C(0xFFF0000000000000) | bits >> 40; /* few mantissa bits: powers of two and near */
		if (i % 16 == 1)
			bits &= UINT64_C(0x800FFFFFFFFFFFFF); /* subnormals */
		memcpy(&d, &bits, 8);
		if (!isfinite(d))
			continue;
		arena_init(&a, 0);
		struct value v = value_double(&a, d);
		char text[64], shorter[64];
		snprintf(text, sizeof(text), "%.*s", STR_ARG(value_text(&v)));
		if (!value_to_double(&v, &back) || back != d || strtod(text, NULL) != d)
			fail_msg("%.17g became %s", d, text);
		int digits = 0;
		while (snprintf(shorter, sizeof(shorter), "%.*e", digits, d), strtod(shorter, NULL) != d)
			digits++;
		size_t ours = 0, zeros = 0;
		for (const char *p = text; *p && *p != 'e'; p++) {
			zeros = *p == '0' ? zeros + 1 : *p == '.' ? zeros : 0;
			if (*p >= '0' && *p <= '9' && (ours > 0 || *p != '0'))
				ours++;
		}
		if (!strchr(text, '.')) /* trailing zeros of a large whole number carry nothing */
			ours -= zeros;
		if (ours > (size_t)digits + 1)
			fail_msg("%s has more digits than %s", text, shorter);
		if (!value_number_is_canonical(value_text(&v)) || !value_number_fits_double(value_text(&v)))
			fail_msg("%s should be canonical", text);
		arena_done(&a);
	}
}

TEST(a_double_holds_what_its_shortest_text_says)
{
	static const struct {
		const char *text;
		bool fits, canonical;
	} rows[] = {
		{ "0", true, true },
		{ "-0", true, false },
		{ "0.0", true, false },
		{ "0e5", true, false },
		{ "100", true, true },
		{ "-100", true, true },
		{ "1.0", true, false },
		{ "1e2", true, false },
		{ "1E2", true, false },
		{ "0.1", true, true },
		{ "0.1000", true, false },
		{ "0.10000000000000000000000", true, false },
		{ "1e+21", true, true },
		{ "1e21", true, false },
		{ "1000000000000000000000", true, false },
		{ "100000000000000000000", true, true },
		{ "1e-7", true, true },
		{ "0.0000001", true, false },
		{ "0.000001", true, true },
		{ "1e-6", true, false },
		{ "9007199254740992", true, true },
		{ "9007199254740991", true, true },
		{ "9007199254740993", false, false },
		{ "-9007199254740993", false, false },
		{ "12345678901234567890", false, false },
		{ "12345678901234567000", true, true }, /* what JavaScript prints for ...890 */
		{ "0.30000000000000004", true, true },
		{ "0.30000000000000003", false, false },
		{ "3.14159265358979323846", false, false },
		{ "1e-400", false, false },
		{ "1e400", false, false },
		{ "-1e400", false, false },
		{ "1e308", true, false },
		{ "1e+308", true, true },
		{ "2e308", false, false },
		{ "5e-324", true, true },
		{ "4e-324", false, false },
		{ "1e99999999999999999999", false, false },
		{ "1e-99999999999999999999", false, false },
		{ "", false, false },
		{ "abc", false, false },
		{ "1.", false, false },
		{ "01", false, false },
		{ "-", false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str text = str_c(rows[i].text);
		if (value_number_fits_double(text) != rows[i].fits)
			fail_msg("row %zu \"%s\": fits is wrong", i, rows[i].text);
		if (value_number_is_canonical(text) != rows[i].canonical)
			fail_msg("row %zu \"%s\": canonical is wrong", i, rows[i].text);
	}
}

TEST(doubles_are_rounded_to_nearest_even_at_any_length)
{
	static const struct {
		const char *text;
		double d;
	} rows[] = {
		{ "0.1", 0.1 },
		{ "-1.5", -1.5 },
		{ "123456789012345678", 123456789012345678.0 },
		{ "1e22", 1e22 },
		{ "1e23", 1e23 },
		{ "9007199254740993", 9007199254740992.0 },
		{ "9007199254740993.0000000000000000000001", 9007199254740994.0 },
		{ "9007199254740995", 9007199254740996.0 },
		{ "1e400", INFINITY },
		{ "-1e400", -INFINITY },
		{ "1e-400", 0 },
		{ "2.4703282292062327208e-324", 0 },
		{ "2.4703282292062328e-324", 5e-324 },
		{ "0.0000000000000000000000000000000000000000000000000000000000000000000000000000001e79", 1 },
		{ "1000000000000000000000000000000000000000000000000000000000000000000000000000000e-78", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value v = value_number_text(str_c(rows[i].text));
		double d = -7;
		if (!value_to_double(&v, &d) || d != rows[i].d)
			fail_msg("row %zu \"%s\": %.17g", i, rows[i].text, d);
	}
	/* A tie that only the thousandth digit breaks. */
	char text[1100] = "9007199254740993.";
	memset(text + 17, '0', 1000);
	struct value v = value_number_text(str_from(text, 1017));
	double d;
	assert_true(value_to_double(&v, &d) && d == 9007199254740992.0);
	text[1016] = '1';
	assert_true(value_to_double(&v, &d) && d == 9007199254740994.0);
}

TEST(integers_print_to_both_ends)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct value v = value_int(&a, INT64_MIN);
	assert_str(value_text(&v), "-9223372036854775808");
	v = value_int(&a, INT64_MAX);
	assert_str(value_text(&v), "9223372036854775807");
	v = value_int(&a, 0);
	assert_str(value_text(&v), "0");
}

TEST(kinds_have_names)
{
	assert_string_equal(value_kind_name(VALUE_ABSENT), "absent");
	assert_string_equal(value_kind_name(VALUE_BOOL), "boolean");
	assert_string_equal(value_kind_name(VALUE_OBJECT), "object");
}

RUN_TESTS(CLAIM(set_replaces_in_place_and_appends_at_the_end), CLAIM(parsed_containers_can_grow_and_shrink),
	  CLAIM(get_finds_the_last_of_repeated_keys), CLAIM(a_copy_shares_no_byte),
	  CLAIM(copies_and_texts_end_at_the_depth_limit), CLAIM(equality_ignores_key_order_and_nothing_else),
	  CLAIM(large_shuffled_objects_compare_quickly), CLAIM(whole_numbers_are_read_however_written),
	  CLAIM(doubles_print_as_javascript_prints_them), CLAIM(any_double_reads_back_and_none_is_shorter),
	  CLAIM(a_double_holds_what_its_shortest_text_says), CLAIM(doubles_are_rounded_to_nearest_even_at_any_length),
	  CLAIM(integers_print_to_both_ends), CLAIM(kinds_have_names))
