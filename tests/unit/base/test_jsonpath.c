/* SPDX-License-Identifier: Apache-2.0 */
/* JSONPath: what is selected and in which order, how values compare, what is refused and with which words, the limits.
 */
#include "test.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/jsonpath.h"

static struct value parse(struct arena *a, const char *text)
{
	struct value v;
	struct err e = ERR_INIT;
	if (json_parse(a, str_c(text), &(struct json_options){ .copy = true }, &v, NULL, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return v;
}

static const char *written(struct arena *a, const struct value *v)
{
	auto_buf struct buf b;
	buf_init(&b, 1 << 24);
	assert_int_equal(json_write(&b, v, JSON_COMPACT), 0);
	return arena_c(a, buf_str(&b));
}

struct row {
	const char *path, *root, *expected;
};

static void selects(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		auto_arena struct arena a;
		struct value got, root;
		struct err e = ERR_INIT;
		arena_init(&a, 0);
		root = parse(&a, rows[i].root);
		struct jsonpath *path = jsonpath_compile(&a, str_c(rows[i].path), &e);
		if (!path || jsonpath_select(path, &root, &a, &got, &e) < 0)
			fail_msg("%s: %s", rows[i].path, e.msg);
		if (strcmp(written(&a, &got), rows[i].expected) != 0)
			fail_msg("%s gives %s, not %s", rows[i].path, written(&a, &got), rows[i].expected);
	}
}

#define SELECTS(...)                                                                                                   \
	do {                                                                                                           \
		static const struct row rows_[] = { __VA_ARGS__ };                                                     \
		selects(rows_, ARRAY_LEN(rows_));                                                                      \
	} while (0)

TEST(names_indexes_and_slices_lead_to_their_values)
{
	SELECTS({ "$", "7", "[7]" }, { "$.a", "{\"a\":1}", "[1]" }, { "$.a", "[1]", "[]" },
		{ "$[0]", "{\"0\":1}", "[]" }, { "$['a b'][\"c\\u00e9\"]", "{\"a b\":{\"c\xC3\xA9\":null}}", "[null]" },
		{ "$[-1]", "[1,2]", "[2]" }, { "$[-3]", "[1,2]", "[]" }, { "$[1:3]", "[0,1,2,3]", "[1,2]" },
		{ "$[::-1]", "[0,1,2]", "[2,1,0]" }, { "$[5:0:-2]", "[0,1,2,3,4,5]", "[5,3,1]" },
		{ "$[::0]", "[0]", "[]" }, { "$[-2:]", "[0,1,2]", "[1,2]" }, { "$[9007199254740991:]", "[0]", "[]" },
		{ "$[:-9007199254740991:-9007199254740991]", "[0,1]", "[1]" }, { "$[ 1 , 0 ,'a']", "[0,1]", "[1,0]" },
		{ "$ .a [0]", "{\"a\":[5]}", "[5]" }, { "$.\xE2\x98\xBA", "{\"\xE2\x98\xBA\":1}", "[1]" });
}

TEST(wildcards_and_descendants_go_in_order)
{
	SELECTS({ "$.*", "{\"b\":1,\"a\":2}", "[1,2]" }, { "$[*]", "[3,[4]]", "[3,[4]]" }, { "$.*", "1", "[]" },
		{ "$..a", "{\"a\":{\"a\":1},\"b\":[{\"a\":2}]}", "[{\"a\":1},1,2]" },
		{ "$..[0]", "[[1,2],[3]]", "[[1,2],1,3]" }, { "$..*", "[[1],2]", "[[1],2,1]" },
		{ "$..['a','b']", "[{\"b\":1,\"a\":2}]", "[2,1]" }, { "$[0,0]", "[1]", "[1,1]" },
		{ "$..a..b", "{\"a\":{\"a\":{\"b\":1}}}", "[1,1]" });
}

TEST(filters_choose_among_items_and_members)
{
	SELECTS({ "$[?@.a]", "[{\"a\":null},{},{\"a\":false}]", "[{\"a\":null},{\"a\":false}]" },
		{ "$[?!@.a]", "[{\"a\":1},{}]", "[{}]" }, { "$[?@ > 1]", "{\"x\":1,\"y\":2}", "[2]" },
		{ "$[?@.a == 1 || @.b == 1 && @.c]", "[{\"a\":1},{\"b\":1},{\"b\":1,\"c\":0}]",
		  "[{\"a\":1},{\"b\":1,\"c\":0}]" },
		{ "$[?(@.a || @.b) && !(@.c)]", "[{\"a\":1,\"c\":1},{\"b\":1}]", "[{\"b\":1}]" },
		{ "$.list[?@ == $.wanted]", "{\"wanted\":2,\"list\":[1,2,2]}", "[2,2]" },
		{ "$[?@[?@ > 1]]", "[[1],[2]]", "[[2]]" },
		{ "$[?@..x]", "[{\"a\":{\"x\":0}},[]]", "[{\"a\":{\"x\":0}}]" },
		{ "$[?@[ 'a' ]==1]", "[{\"a\":1}]", "[{\"a\":1}]" }, { "$[?@.a==@.b]", "[{},{\"a\":1}]", "[{}]" },
		{ "$[?!(!@.a)]", "[{\"a\":1},{}]", "[{\"a\":1}]" },
		{ "$[?@.a,?@.b]", "[{\"b\":1},{\"a\":2}]", "[{\"a\":2},{\"b\":1}]" });
}

TEST(numbers_are_compared_by_value_however_they_are_written)
{
	SELECTS({ "$[?@ == 1]", "[1,1.0,1e0,10e-1,0.1e1,-1,\"1\",true]", "[1,1.0,1e0,10e-1,0.1e1]" },
		{ "$[?@ == 0]", "[0,-0,0.0,0e9]", "[0,-0,0.0,0e9]" },
		/* One apart beyond 2^53, where doubles are equal. */
		{ "$[?@ == 9007199254740993]", "[9007199254740992,9007199254740993]", "[9007199254740993]" },
		{ "$[?@ < 0.30000000000000004]", "[0.3,0.30000000000000003999,0.30000000000000004]",
		  "[0.3,0.30000000000000003999]" },
		{ "$[?@ > 1e400]", "[1e401,1e400,10e399,1e399]", "[1e401]" },
		{ "$[?@ < -2]", "[-10,-2,-1.5,-2.01]", "[-10,-2.01]" },
		{ "$[?@ >= 1e2]", "[100,99.9,1000]", "[100,1000]" }, { "$[?@ < 10]", "[9,9.99,10]", "[9,9.99]" });
}

TEST(other_kinds_are_compared_as_the_rfc_says)
{
	SELECTS({ "$[?@ == 'a']", "[\"a\",\"A\"]", "[\"a\"]" },
		{ "$[?@ < 'b']", "[\"a\",\"b\",\"\",\"B\",1]", "[\"a\",\"\",\"B\"]" },
		/* U+FFFF comes before U+10000 by code point, not by UTF-16 unit. */
		{ "$[?@ > '\xEF\xBF\xBF']", "[\"\xF0\x90\x80\x80\",\"\xEE\x80\x80\"]", "[\"\xF0\x90\x80\x80\"]" },
		{ "$[?@ <= null]", "[null,0,false]", "[null]" }, { "$[?@ < true]", "[true,false]", "[]" },
		{ "$[?@.a == $[0].a]", "[{\"a\":{\"x\":1,\"y\":[2]}},{\"a\":{\"y\":[2.0],\"x\":1}},{\"a\":{\"x\":1}}]",
		  "[{\"a\":{\"x\":1,\"y\":[2]}},{\"a\":{\"y\":[2.0],\"x\":1}}]" },
		{ "$[?@.a >= $[0].a]", "[{\"a\":[1]},{\"a\":[1]},{\"a\":[2]}]", "[{\"a\":[1]},{\"a\":[1]}]" },
		{ "$[?@.a != 1]", "[{\"a\":1},{},{\"a\":\"1\"}]", "[{},{\"a\":\"1\"}]" });
}

TEST(large_objects_are_compared_through_an_index)
{
	auto_arena struct arena a;
	struct value root = value_array(), got;
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	for (int side = 0; side < 3; side++) {
		struct value o = value_object();
		for (int i = 0; i < 500; i++) {
			int n = side == 1 ? 499 - i : i;
			assert_int_equal(
			    value_add(&a, &o, str_c(arena_printf(&a, "k%d", n)), value_int(&a, side == 2 ? n + 1 : n)),
			    0);
		}
		assert_int_equal(value_push(&a, &root, o), 0);
	}
	struct jsonpath *path = jsonpath_compile(&a, STR("$[?@ == $[0]]"), &e);
	assert_int_equal(jsonpath_select(path, &root, &a, &got, &e), 0);
	assert_int_equal(got.len, 2);
}

TEST(functions_count_and_measure)
{
	SELECTS({ "$[?length(@) == 2]", "[\"\xC3\xA9\xF0\x9F\x98\x80\",[1,2],{\"a\":1,\"b\":2},2,null]",
		  "[\"\xC3\xA9\xF0\x9F\x98\x80\",[1,2],{\"a\":1,\"b\":2}]" },
		{ "$[?length(@.a) == length(@.b)]", "[{\"a\":1},{\"a\":\"x\"}]", "[{\"a\":1}]" },
		{ "$[?count(@.*) > 1]", "[[1],[1,2]]", "[[1,2]]" },
		{ "$[?count(@..*) == 3]", "[[[1],2]]", "[[[1],2]]" },
		{ "$[?value(@..x) == 1]", "[{\"x\":1},{\"x\":1,\"y\":{\"x\":1}}]", "[{\"x\":1}]" },
		{ "$[?length(value(@..x)) == 1]", "[{\"x\":\"a\"}]", "[{\"x\":\"a\"}]" },
		{ "$[?length('\\ud83d\\ude00') == count(@[0])]", "[[1],[]]", "[[1]]" });
}

TEST(singular_queries_give_one_value_or_none)
{
	static const struct {
		const char *path, *root, *expected; /* NULL: nothing */
		bool is_singular;
	} rows[] = {
		{ "$", "[1]", "[1]", true },
		{ "$.a[0]", "{\"a\":[5]}", "5", true },
		{ "$['a'][-1]", "{\"a\":[5,6]}", "6", true },
		{ "$.b", "{\"a\":1}", NULL, true },
		{ "$.a.b.c", "{\"a\":1}", NULL, true },
		{ "$[ 0 ]", "[null]", "null", true },
		{ "$[0,1]", "[]", NULL, false },
		{ "$[0:1]", "[]", NULL, false },
		{ "$..a", "{}", NULL, false },
		{ "$[*]", "[]", NULL, false },
		{ "$[?@.a]", "[]", NULL, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena a;
		arena_init(&a, 0);
		struct value root = parse(&a, rows[i].root);
		struct jsonpath *path = jsonpath_compile(&a, str_c(rows[i].path), NULL);
		assert_non_null(path);
		assert_int_equal(jsonpath_is_singular(path), rows[i].is_singular);
		const struct value *v = rows[i].is_singular ? jsonpath_first(path, &root) : NULL;
		if (!v != !rows[i].expected || (v && strcmp(written(&a, v), rows[i].expected) != 0))
			fail_msg("%s gives %s", rows[i].path, v ? written(&a, v) : "nothing");
	}
}

TEST(absent_roots_have_nothing_in_them)
{
	auto_arena struct arena a;
	struct value none = VALUE_NONE, got;
	arena_init(&a, 0);
	struct jsonpath *path = jsonpath_compile(&a, STR("$"), NULL);
	assert_null(jsonpath_first(path, &none));
	assert_null(jsonpath_first(path, NULL));
	assert_int_equal(jsonpath_select(path, &none, &a, &got, NULL), 0);
	assert_int_equal(got.len, 0);
	assert_int_equal(jsonpath_select(path, NULL, &a, &got, NULL), 0);
	assert_int_equal(got.len, 0);
}

TEST(refusals_name_the_offset_and_the_cure)
{
	static const struct {
		const char *path, *told;
	} rows[] = {
		{ "", "offset 0, its end: a path begins with the root; write $.name" },
		{ " $", "offset 0" },
		{ "a.b", "offset 0, near \"a.b\": a path begins with the root" },
		{ "$ ", "offset 1, near \" \": blanks at the end" },
		{ "$a", "offset 1, near \"a\": a segment begins with" },
		{ "$.", "offset 2, its end: a name is missing" },
		{ "$. a", "a name is missing" },
		{ "$.a-b", "offset 3, near \"-b\"" },
		{ "$[", "no selector; write [0]" },
		{ "$[]", "no selector" },
		{ "$[0", "offset 3, its end: \"]\" is missing" },
		{ "$[01]", "no leading zeros" },
		{ "$[-0]", "0 no sign" },
		{ "$[-]", "digits are missing" },
		{ "$[9007199254740992]", "within 2^53-1" },
		{ "$[1:2:99999999999999999999]", "within 2^53-1" },
		{ "$['a", "offset 2, near \"'a\": a quoted text does not end" },
		{ "$['a\n']", "offset 4, near \"?']\": a control character" },
		{ "$['\\q']", "no such escape" },
		{ "$['\\\"']", "no such escape" },
		{ "$['\\u12']", "four hexadecimal digits" },
		{ "$['\\ud800']", "half a surrogate pair" },
		{ "$['\\udc00']", "half a surrogate pair" },
		{ "$['\\ud800\\u0041']", "half a surrogate pair" },
		{ "$['\xC3']", "offset 3: this is not UTF-8" },
		{ "$[?@.a=1]", "offset 6, near \"=1]\": write == to compare" },
		{ "$[?@.a==1 & @.b]", "write && between conditions" },
		{ "$[?1]", "a value alone is no condition" },
		{ "$[?@.a==x]", "neither a value nor a path" },
		{ "$[?@.a==-]", "a digit is missing" },
		{ "$[?@.*==1]", "may lead to many values" },
		{ "$[?1==@..a]", "offset 6, near \"@..a]\"" },
		{ "$[?!@.a==1]", "! binds tighter" },
		{ "$[?(@.a)==1]", "in parentheses cannot be compared" },
		{ "$[?(@.a]", "\")\" is missing" },
		{ "$[?@.a 1]", "the filter should end here" },
		{ "$[?size(@)]", "there are length, count, value, match and search" },
		{ "$[?length(@)]", "length() alone is no condition" },
		{ "$[?length(@.*)==1]", "takes one value" },
		{ "$[?length()==1]", "takes 1 argument;" },
		{ "$[?length(@,@)==1]", "takes 1 argument;" },
		{ "$[?match(@)]", "takes 2 arguments with a comma" },
		{ "$[?match(@,'a')==true]", "true or false already" },
		{ "$[?length(match(@,'a'))==1]", "match() gives none" },
		{ "$[?count(1)==1]", "count() takes a path" },
		{ "$[?length(!@)==1]", "no condition" },
		{ "$[?length (@)==1]", "neither a value" },
		{ "$[?length(@==1]", "\")\" is missing" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena a;
		struct err e = ERR_INIT;
		arena_init(&a, 0);
		if (jsonpath_compile(&a, str_c(rows[i].path), &e))
			fail_msg("%s is taken", rows[i].path);
		if (e.code != -ERR_INVALID || !strstr(e.msg, rows[i].told) || !str_is_utf8(str_c(e.msg), NULL))
			fail_msg("%s: \"%s\" should say \"%s\"", rows[i].path, e.msg, rows[i].told);
	}
}

/* `n` times `open`, then `middle`, then n times `close`. */
static struct str nested(struct arena *a, int n, const char *open, const char *middle, const char *close)
{
	auto_buf struct buf b;
	buf_init(&b, 1 << 24);
	for (int i = 0; i < n; i++)
		buf_append_c(&b, open);
	buf_append_c(&b, middle);
	for (int i = 0; i < n; i++)
		buf_append_c(&b, close);
	assert_true(buf_ok(&b));
	return arena_str(a, buf_str(&b));
}

static int compiled(struct arena *a, struct str text)
{
	struct err e = ERR_INIT;
	return jsonpath_compile(a, text, &e) ? 0 : e.code;
}

TEST(long_and_deep_queries_meet_a_limit)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	assert_int_equal(compiled(&a, nested(&a, 4000, "", "$", ".a")), 0);
	assert_int_equal(compiled(&a, nested(&a, 5000, "", "$", ".a")), -ERR_LIMIT);
	struct str good = nested(&a, JSONPATH_NESTING_MAX - 1, "(", "@.a", ")"),
		   deep = nested(&a, JSONPATH_NESTING_MAX, "(", "@.a", ")");
	assert_int_equal(compiled(&a, str_c(arena_printf(&a, "$[?%.*s]", STR_ARG(good)))), 0);
	assert_int_equal(compiled(&a, str_c(arena_printf(&a, "$[?%.*s]", STR_ARG(deep)))), -ERR_LIMIT);
	deep = nested(&a, 1000, "[?@", "", "]");
	assert_int_equal(compiled(&a, str_c(arena_printf(&a, "$%.*s", STR_ARG(deep)))), -ERR_LIMIT);
	deep = nested(&a, 1000, "length(", "@", ")");
	assert_int_equal(compiled(&a, str_c(arena_printf(&a, "$[?%.*s==1]", STR_ARG(deep)))), -ERR_LIMIT);
}

static int selected(struct arena *a, const char *text, const struct value *root, const char *told)
{
	struct err e = ERR_INIT;
	struct value got = VALUE_NONE;
	struct jsonpath *path = jsonpath_compile(a, str_c(text), &e);
	if (!path)
		fail_msg("%s", e.msg);
	int r = jsonpath_select(path, root, a, &got, &e);
	if (r < 0) {
		assert_int_equal(got.kind, VALUE_ABSENT);
		if (!strstr(e.msg, told))
			fail_msg("%s: %s", text, e.msg);
	}
	return r;
}

TEST(selections_that_explode_meet_a_limit)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct str text = nested(&a, 40, "[0,", "1", "]");
	struct value root = parse(&a, arena_c(&a, text));
	/* Forty times two: a million million nodes if nobody counted. */
	struct str doubling = nested(&a, 39, "", "$", "[1,1]");
	assert_int_equal(selected(&a, arena_c(&a, doubling), &root, "selects more than"), -ERR_LIMIT);
	assert_int_equal(selected(&a, "$..[?@..[?@..[?@..[?@..[?@..[?count(@..*) > 99]]]]]]", &root, "costs more than"),
			 -ERR_LIMIT);
}

TEST(values_deeper_than_any_parser_makes_do_not_grow_the_stack)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	struct value root = value_array();
	for (int i = 0; i < 200000; i++) {
		struct value outer = value_array();
		assert_int_equal(value_push(&a, &outer, root), 0);
		root = outer;
	}
	assert_int_equal(selected(&a, "$..a", &root, "deeper than"), -ERR_LIMIT);
	assert_int_equal(selected(&a, "$[?@ == $[0]]", &root, "deeper than"), -ERR_LIMIT);
	assert_int_equal(selected(&a, "$[0][0]", &root, ""), 0);
}

static int whole_job(void)
{
	auto_arena struct arena a;
	struct value root, got;
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	int r = json_parse(&a, STR("{\"p\":[\"a+\",\"(b|c){2}\"],\"t\":[\"aa\",\"bc\",\"\\u00e9\"],\"n\":[1,[2]]}"),
			   NULL, &root, NULL, &e);
	struct jsonpath *path =
	    r == 0 ? jsonpath_compile(&a,
				      STR("$..[?match(@, $.p[0]) || search(@, '[\\\\p{L}x-z]') || "
					  "search(@, $.p[1]) || match(@, '\\\\d') || @ == 'q' && count(@..*) > 1]"),
				      &e)
		   : NULL;
	if (!path)
		return r < 0 ? r : e.code;
	r = jsonpath_select(path, &root, &a, &got, &e);
	if (r == 0)
		assert_int_equal(got.len, 5);
	return r;
}

TEST(every_failing_allocation_is_an_honest_error)
{
	unsigned long n = 1;
	for (bool has_failed = true; has_failed; n++) {
		arena_trim();
		alloc_fail_after(n);
		int r = whole_job();
		has_failed = alloc_has_failed();
		alloc_fail_after(0);
		assert_int_equal(r, has_failed ? -ERR_NO_MEMORY : 0);
	}
	assert_true(n > 4);
}

RUN_TESTS(CLAIM(names_indexes_and_slices_lead_to_their_values), CLAIM(wildcards_and_descendants_go_in_order),
	  CLAIM(filters_choose_among_items_and_members), CLAIM(numbers_are_compared_by_value_however_they_are_written),
	  CLAIM(other_kinds_are_compared_as_the_rfc_says), CLAIM(large_objects_are_compared_through_an_index),
	  CLAIM(functions_count_and_measure), CLAIM(singular_queries_give_one_value_or_none),
	  CLAIM(absent_roots_have_nothing_in_them), CLAIM(refusals_name_the_offset_and_the_cure),
	  CLAIM(long_and_deep_queries_meet_a_limit), CLAIM(selections_that_explode_meet_a_limit),
	  CLAIM(values_deeper_than_any_parser_makes_do_not_grow_the_stack),
	  CLAIM(every_failing_allocation_is_an_honest_error))
