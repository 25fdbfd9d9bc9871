/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/json.h"
#include <time.h>

static const struct json_options usual = { 0 };

/* Parses a copy of exactly that many bytes, so that the sanitizer sees each byte read past the end. */
static int parse_exact(struct arena *a, const char *text, size_t n, const struct json_options *opt, struct value *ret,
		       struct json_error *je, struct err *e, char **ret_copy)
{
	*ret_copy = malloc(n + !n);
	memcpy(*ret_copy, text, n);
	return json_parse(a, str_from(*ret_copy, n), opt, ret, je, e);
}

static const char *const modes[] = { "borrowing", "copying" };

TEST(texts_are_written_back_as_they_stood)
{
	static const char *const rows[] = {
		"null",
		"true",
		"false",
		"0",
		"-0",
		"-0.0",
		"1.50",
		"1E+2",
		"1e-0",
		"12345678901234567890.12345678901234567890",
		"\"\"",
		"\"abc\"",
		"\"\\\"\\\\\\b\\f\\n\\r\\t\"",
		"\"\\u0000\\u001f\"",
		"\"\x7f\"",
		"\"/\"",
		"[]",
		"{}",
		"[[]]",
		"[{}]",
		"{\"\":\"\"}",
		"{\"a\":{\"b\":[1,2,[3,{\"c\":null}]]},\"d\":[]}",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
		"\"\xef\xbf\xbf\xee\x80\x80\"",
		"\"\xe2\x80\xa8\"",
		"[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]",
		"\"exactly sixteen \"",
		"\"exactly fifteen\"",
		"\"a longer text with a quote \\\" in its second half, and more\"",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int mode = 0; mode < 2; mode++) {
			auto_arena struct arena a;
			auto_buf struct buf b;
			struct value v;
			struct err e = ERR_INIT;
			char *copy;
			arena_init(&a, 0);
			buf_init(&b, 1 << 20);
			if (parse_exact(&a, rows[i], strlen(rows[i]), &(struct json_options){ .copy = mode }, &v, NULL,
					&e, &copy) < 0)
				fail_msg("row %zu %s, %s: %s", i, rows[i], modes[mode], e.msg);
			if (mode == 1) {
				free(copy); /* nothing may borrow from it */
				copy = NULL;
			}
			assert_int_equal(json_write(&b, &v, JSON_COMPACT), 0);
			assert_str(buf_str(&b), rows[i]);
			free(copy);
		}
}

TEST(texts_are_read_for_what_they_mean)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
		{ " \t\r\n[ 1 , 2 ] \n", "[1,2]" },
		{ "{ \"a\" : 1 , \"b\" : { } }", "{\"a\":1,\"b\":{}}" },
		{ "\"\\u0061\\/\\u00e9\\u20ac\\uD83D\\uDE00\"", "\"a/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\"\\u0000\"", "\"\\u0000\"" },
		{ "\"\\uFFFF\\uE000\"", "\"\xef\xbf\xbf\xee\x80\x80\"" },
		{ "{\"\\u0061\":1}", "{\"a\":1}" },
		{ "\"before \\u00e9 after and a good deal more\"", "\"before \xc3\xa9 after and a good deal more\"" },
		{ "[\"\\\\\",\"\\\"\"]", "[\"\\\\\",\"\\\"\"]" },
		{ "\"\\n\xc3\xa9\\n\"", "\"\\n\xc3\xa9\\n\"" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int mode = 0; mode < 2; mode++) {
			auto_arena struct arena a;
			auto_buf struct buf b;
			struct value v;
			struct err e = ERR_INIT;
			char *copy;
			arena_init(&a, 0);
			buf_init(&b, 1 << 20);
			if (parse_exact(&a, rows[i].text, strlen(rows[i].text), &(struct json_options){ .copy = mode },
					&v, NULL, &e, &copy) < 0)
				fail_msg("row %zu %s: %s", i, rows[i].text, e.msg);
			json_write(&b, &v, JSON_COMPACT);
			assert_str(buf_str(&b), rows[i].written);
			free(copy);
		}
}

TEST(wrong_texts_are_refused_at_their_offset)
{
	static const struct {
		const char *text;
		size_t offset;
		const char *why;
	} rows[] = {
		{ "", 0, "there is no value" },
		{ "  \n", 3, "there is no value" },
		{ "[", 1, "ends where a value" },
		{ "[1", 2, "ends inside an array" },
		{ "[1,", 3, "ends where a value" },
		{ "[1,]", 3, "expected a value" },
		{ "[,1]", 1, "expected a value" },
		{ "[1 2]", 3, "expected ','" },
		{ "[1}", 2, "expected ','" },
		{ "]", 0, "expected a value" },
		{ "[1]]", 3, "behind the value" },
		{ "1 2", 2, "behind the value" },
		{ "{", 1, "ends inside an object" },
		{ "{\"a\"", 4, "ends inside an object" },
		{ "{\"a\":", 5, "ends where a value" },
		{ "{\"a\":1", 6, "ends inside an object" },
		{ "{\"a\":1,", 7, "ends inside an object" },
		{ "{\"a\":1,}", 7, "expected a key" },
		{ "{,}", 1, "expected a key" },
		{ "{a:1}", 1, "expected a key" },
		{ "{1:1}", 1, "expected a key" },
		{ "{\"a\" 1}", 5, "expected ':'" },
		{ "{\"a\"::1}", 5, "expected a value" },
		{ "{\"a\":1 \"b\":2}", 7, "expected ','" },
		{ "{\"a\":1]", 6, "expected ','" },
		{ "\"", 1, "inside a string" },
		{ "\"abc", 4, "inside a string" },
		{ "\"abc\\", 5, "inside a string" },
		{ "\"abc\\\"", 6, "inside a string" },
		{ "\"a\nb\"", 2, "control character" },
		{ "\"\\n\x1f\"", 3, "control character" },
		{ "\"\\x\"", 1, "no such escape" },
		{ "\"\\'\"", 1, "no such escape" },
		{ "\"a\\u12\"", 2, "four hex digits" },
		{ "\"a\\u12g4\"", 2, "four hex digits" },
		{ "\"\\ud800\"", 1, "surrogate" },
		{ "\"\\udc00\"", 1, "surrogate" },
		{ "\"\\ud800\\ud800\"", 1, "surrogate" },
		{ "\"\\ud800\\u0041\"", 1, "surrogate" },
		{ "\"\\ud800x\"", 1, "surrogate" },
		{ "\"\\udc00\\ud800\"", 1, "surrogate" },
		{ "\"\\udc00\\udc00\"", 1, "surrogate" },
		{ "\"\\udfff\\udfff\"", 1, "surrogate" },
		{ "\"a\x80\"", 2, "UTF-8" },
		{ "\"\\n\xc0\xaf\"", 3, "UTF-8" },
		{ "\"\xed\xa0\x80\"", 1, "UTF-8" },
		{ "\"\xf4\x90\x80\x80\"", 1, "UTF-8" },
		{ "\"\xc3\"", 1, "UTF-8" },
		{ "\"\\t\xc3\"", 3, "UTF-8" },
		{ "\xef\xbb\xbf{}", 0, "expected a value" },
		{ "\xff\xfe[\x00", 0, "expected a value" },
		{ "[1]\xa0", 3, "behind the value" },
		{ "01", 1, "leading zeros" },
		{ "-01", 2, "leading zeros" },
		{ "-", 1, "inside a number" },
		{ "-a", 1, "digit is missing" },
		{ "+1", 0, "expected a value" },
		{ ".5", 0, "expected a value" },
		{ "1.", 2, "inside a number" },
		{ "1.e1", 2, "digit is missing" },
		{ "[1e]", 3, "digit is missing" },
		{ "1e+", 3, "inside a number" },
		{ "1.5.5", 3, "behind the value" },
		{ "0x10", 1, "behind the value" },
		{ "NaN", 0, "expected a value" },
		{ "Infinity", 0, "expected a value" },
		{ "-Infinity", 1, "digit is missing" },
		{ "nul", 0, "expected a value" },
		{ "nulll", 4, "behind the value" },
		{ "True", 0, "expected a value" },
		{ "[tru", 1, "expected a value" },
		{ "'a'", 0, "expected a value" },
		{ "[1,\n 2,\n  x]", 10, "expected a value" },
		{ "// c\n1", 0, "expected a value" },
		{ "[1,/**/2]", 3, "expected a value" },
		{ "\f1", 0, "expected a value" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int mode = 0; mode < 2; mode++) {
			auto_arena struct arena a;
			struct value v = value_bool(true);
			struct err e = ERR_INIT;
			struct json_error je = { 0 };
			char *copy;
			arena_init(&a, 0);
			int r = parse_exact(&a, rows[i].text, strlen(rows[i].text),
					    &(struct json_options){ .copy = mode }, &v, &je, &e, &copy);
			if (r != -ERR_INVALID || je.offset != rows[i].offset || !strstr(e.msg, rows[i].why))
				fail_msg("row %zu %s, %s: %d at %zu: %s", i, rows[i].text, modes[mode], r, je.offset,
					 e.msg);
			assert_int_equal(v.kind, VALUE_BOOL); /* untouched */
			free(copy);
		}
}

TEST(the_message_says_where_and_shows_safe_characters)
{
	auto_arena struct arena a;
	struct value v;
	struct err e = ERR_INIT;
	struct json_error je;
	arena_init(&a, 0);
	assert_true(json_parse(&a,
			       STR("[1,\n \"x\" \"\x1b[2Jy\xff and then some more text that is not shown at all\"]"),
			       NULL, &v, &je, &e) < 0);
	assert_int_equal(je.line, 2);
	assert_int_equal(je.column, 6);
	assert_string_equal(e.msg, "invalid JSON at offset 9 (line 2, column 6): expected ',' or ']', near \"'.[2Jy. "
				   "and then some more text that is \"");
}

TEST(duplicate_keys_are_treated_as_asked)
{
	static const struct {
		const char *text, *last;
		size_t offset;
	} rows[] = {
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}", 13 },
		{ "{\"a\":1,\"a\":2,\"a\":3}", "{\"a\":3}", 7 },
		{ "{\"\":1,\"\":2}", "{\"\":2}", 6 },
		{ "[{\"x\":{\"a\":1,\"a\":[2]},\"y\":0}]", "[{\"x\":{\"a\":[2]},\"y\":0}]", 13 },
		{ "{\"a\":1,\"\\u0061\":2}", "{\"a\":2}",
		  17 }, /* its bytes are not in the text: the end of the object */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena a;
		auto_buf struct buf b;
		struct value v;
		struct json_error je;
		arena_init(&a, 0);
		buf_init(&b, 1000);
		assert_int_equal(json_parse(&a, str_c(rows[i].text), &usual, &v, &je, NULL), 0);
		assert_true(je.had_duplicates);
		json_write(&b, &v, JSON_COMPACT);
		assert_str(buf_str(&b), rows[i].last);
		struct json_options o = { .duplicates = JSON_DUP_REFUSE };
		assert_int_equal(json_parse(&a, str_c(rows[i].text), &o, &v, &je, NULL), -ERR_INVALID);
		assert_int_equal(je.offset, rows[i].offset);
		o.duplicates = JSON_DUP_KEEP;
		assert_int_equal(json_parse(&a, str_c(rows[i].text), &o, &v, &je, NULL), 0);
		assert_false(je.had_duplicates);
	}
	auto_arena struct arena a;
	struct value v;
	struct json_error je;
	arena_init(&a, 0);
	assert_int_equal(json_parse(&a, STR("[{\"a\":1},{\"a\":1}]"),
				    &(struct json_options){ .duplicates = JSON_DUP_REFUSE }, &v, &je, NULL),
			 0);
	assert_false(je.had_duplicates);
}

TEST(duplicates_are_found_at_every_size)
{
	for (int n = 2; n < 300; n += n < 40 ? 1 : 13) {
		auto_arena struct arena a;
		auto_buf struct buf b;
		struct value v;
		struct json_error je;
		arena_init(&a, 0);
		buf_init(&b, 1 << 20);
		for (int i = 0; i < n; i++)
			buf_printf(&b, "%c\"key%d\":%d", i ? ',' : '{', i, i);
		buf_append_c(&b, ",\"key0\":\"x\",\"tail\":1,\"key1\":\"y\"}");
		assert_int_equal(json_parse(&a, buf_str(&b), &usual, &v, &je, NULL), 0);
		assert_true(je.had_duplicates);
		assert_int_equal(v.len, n + 1);
		assert_true(value_is_string(&v.members[0].value, STR("x")));
		assert_true(value_is_string(&v.members[1].value, STR("y")));
		assert_true(str_eq(v.members[n].key, STR("tail")));
		buf_clear(&b);
		for (int i = 0; i < n; i++)
			buf_printf(&b, "%c\"key%d\":%d", i ? ',' : '{', i, i);
		buf_append_char(&b, '}');
		assert_int_equal(
		    json_parse(&a, buf_str(&b), &(struct json_options){ .duplicates = JSON_DUP_REFUSE }, &v, &je, NULL),
		    0);
		assert_int_equal(v.len, n);
	}
}

TEST(a_hundred_thousand_keys_take_no_second)
{
	auto_arena struct arena a;
	auto_buf struct buf b;
	struct value v;
	arena_init(&a, 0);
	buf_init(&b, 16 << 20);
	for (int i = 0; i < 100000; i++) /* one length, same first, middle and last bytes */
		buf_printf(&b, "%c\"k%06dxk%06dk\":%d", i ? ',' : '{', i, i, i);
	buf_append_char(&b, '}');
	clock_t start = clock();
	assert_int_equal(json_parse(&a, buf_str(&b), &usual, &v, NULL, NULL), 0);
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 1);
	assert_int_equal(v.len, 100000);
}

TEST(limits_are_exact)
{
	auto_arena struct arena a;
	struct value v;
	struct json_error je;
	char deep[2 * VALUE_DEPTH_MAX + 3];
	arena_init(&a, 0);
	memset(deep, '[', VALUE_DEPTH_MAX + 1);
	memset(deep + VALUE_DEPTH_MAX + 1, ']', VALUE_DEPTH_MAX + 1);
	assert_int_equal(json_parse(&a, str_from(deep + 1, 2 * VALUE_DEPTH_MAX), NULL, &v, NULL, NULL), 0);
	assert_int_equal(json_parse(&a, str_from(deep, 2 * VALUE_DEPTH_MAX + 2), NULL, &v, &je, NULL), -ERR_LIMIT);
	assert_int_equal(je.offset, VALUE_DEPTH_MAX);
	struct json_options o = { .max_depth = 2 };
	assert_int_equal(json_parse(&a, STR("[[],{}]"), &o, &v, NULL, NULL), 0);
	assert_int_equal(json_parse(&a, STR("[[],{\"a\":[]}]"), &o, &v, &je, NULL), -ERR_LIMIT);
	assert_int_equal(je.offset, 9);
	o = (struct json_options){ .max_bytes = 4 };
	assert_int_equal(json_parse(&a, STR("1234"), &o, &v, NULL, NULL), 0);
	assert_int_equal(json_parse(&a, STR("12345"), &o, &v, NULL, NULL), -ERR_LIMIT);
	auto_arena struct arena small;
	arena_init(&small, 64);
	assert_int_equal(json_parse(&small, STR("[1,2,3,4,5,6,7,8,9]"), NULL, &v, NULL, NULL), -ERR_NO_MEMORY);
}

TEST(many_open_brackets_cost_no_stack)
{
	auto_arena struct arena a;
	struct value v;
	size_t n = 1 << 20;
	char *text = malloc(n);
	arena_init(&a, 0);
	memset(text, '[', n);
	assert_int_equal(json_parse(&a, str_from(text, n), NULL, &v, NULL, NULL), -ERR_LIMIT);
	for (size_t i = 0; i < n; i += 2)
		memcpy(text + i, i ? ",1" : "[1", 2);
	text[n - 1] = ']';
	assert_int_equal(json_parse(&a, str_from(text, n), NULL, &v, NULL, NULL), -ERR_INVALID); /* "...,]" */
	text[n - 2] = '2';									 /* "...,12]" */
	assert_int_equal(json_parse(&a, str_from(text, n), NULL, &v, NULL, NULL), 0);
	assert_int_equal(v.len, n / 2 - 1);
	free(text);
}

TEST(large_arrays_outgrow_the_first_stack)
{
	auto_arena struct arena a;
	auto_buf struct buf b, out;
	struct value v;
	arena_init(&a, 0);
	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 20);
	for (int i = 0; i < 5000; i++)
		buf_printf(&b, "%c{\"n\":%d,\"a\":[%d]}", i ? ',' : '[', i, i);
	buf_append_char(&b, ']');
	assert_int_equal(json_parse(&a, buf_str(&b), NULL, &v, NULL, NULL), 0);
	assert_int_equal(json_write(&out, &v, JSON_COMPACT), 0);
	assert_true(str_eq(buf_str(&b), buf_str(&out)));
}

TEST(pretty_text_has_one_member_a_line)
{
	auto_arena struct arena a;
	auto_buf struct buf b;
	struct value v, again;
	arena_init(&a, 0);
	buf_init(&b, 1000);
	assert_int_equal(json_parse(&a, STR("{\"a\":[1,{\"b\":[]}],\"c\":{}}"), NULL, &v, NULL, NULL), 0);
	assert_int_equal(json_write(&b, &v, JSON_PRETTY), 0);
	assert_str(buf_str(&b), "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}");
	assert_int_equal(json_parse(&a, buf_str(&b), NULL, &again, NULL, NULL), 0);
	assert_true(value_eq(&v, &again));
}

TEST(every_byte_that_needs_an_escape_gets_one_at_every_place)
{
	for (size_t len = 1; len < 40; len++)
		for (size_t at = 0; at < len; at++)
			for (int c = 0; c < 0x80; c++) {
				char *text = malloc(len);
				auto_buf struct buf b;
				memset(text, 'x', len);
				text[at] = (char)c;
				buf_init(&b, 1000);
				json_write_string(&b, str_from(text, len));
				bool escapes = c < 0x20 || c == '"' || c == '\\';
				if ((b.len > len + 2) != escapes)
					fail_msg("byte %02x at %zu of %zu", (unsigned)c, at, len);
				auto_arena struct arena a;
				struct value v;
				arena_init(&a, 0);
				assert_int_equal(json_parse(&a, buf_str(&b), NULL, &v, NULL, NULL), 0);
				assert_true(str_eq(value_text(&v), str_from(text, len)));
				free(text);
			}
}

TEST(a_full_buffer_is_the_result)
{
	auto_arena struct arena a;
	struct value v;
	const char *text = "{\"abc\":[1,\"x\\ny\",true,null,{}],\"d\":-1.5}";
	arena_init(&a, 0);
	assert_int_equal(json_parse(&a, str_c(text), NULL, &v, NULL, NULL), 0);
	for (size_t max = 0; max < strlen(text); max++) {
		auto_buf struct buf b;
		buf_init(&b, max);
		assert_int_equal(json_write(&b, &v, JSON_COMPACT), -ERR_LIMIT);
		assert_int_equal(json_write(&b, &v, JSON_COMPACT), -ERR_LIMIT);
		assert_int_equal(json_write_string(&b, STR("")), -ERR_LIMIT);
		assert_true(b.len <= max);
	}
	static const char *const exact[] = { "\"\\n\"", "\"x\\u0001\"", "\"\\n and so on, longer than sixteen \\t\"",
					     "[]", "7" };
	for (size_t i = 0; i < ARRAY_LEN(exact) + 1; i++) {
		auto_buf struct buf b;
		const char *all = i < ARRAY_LEN(exact) ? exact[i] : text;
		buf_init(&b, strlen(all));
		assert_int_equal(json_parse(&a, str_c(all), NULL, &v, NULL, NULL), 0);
		assert_int_equal(json_write(&b, &v, JSON_COMPACT), 0);
		assert_str(buf_str(&b), all);
	}
}

TEST(pointers_lead_where_rfc_6901_says)
{
	static const char *const document = "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
					    "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8,\"~1\":9}";
	static const struct {
		const char *pointer, *text; /* NULL = nowhere */
	} rows[] = {
		{ "/foo", "[\"bar\",\"baz\"]" },
		{ "/foo/0", "\"bar\"" },
		{ "/foo/1", "\"baz\"" },
		{ "/", "0" },
		{ "/a~1b", "1" },
		{ "/c%d", "2" },
		{ "/e^f", "3" },
		{ "/g|h", "4" },
		{ "/i\\j", "5" },
		{ "/k\"l", "6" },
		{ "/ ", "7" },
		{ "/m~0n", "8" },
		{ "/~01", "9" },
		{ "foo", NULL },
		{ "/foo/2", NULL },
		{ "/foo/-", NULL },
		{ "/foo/00", NULL },
		{ "/foo/01", NULL },
		{ "/foo/", NULL },
		{ "/foo/+1", NULL },
		{ "/foo/0/x", NULL },
		{ "/m~n", NULL },
		{ "/m~2n", NULL },
		{ "/m~", NULL },
		{ "/foo/99999999999999999999", NULL },
		{ "/fo", NULL },
		{ "/foo2", NULL },
		{ "//", NULL },
	};
	auto_arena struct arena a;
	struct value v;
	arena_init(&a, 0);
	assert_int_equal(json_parse(&a, str_c(document), NULL, &v, NULL, NULL), 0);
	assert_ptr_equal(json_pointer_get(&v, STR("")), &v);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_buf struct buf b;
		buf_init(&b, 1000);
		struct value *found = json_pointer_get(&v, str_c(rows[i].pointer));
		if (!found != !rows[i].text)
			fail_msg("row %zu %s", i, rows[i].pointer);
		if (!found)
			continue;
		json_write(&b, found, JSON_COMPACT);
		assert_str(buf_str(&b), rows[i].text);
	}
	for (uint32_t i = 0; i < v.len; i++) { /* what append writes, get follows */
		auto_buf struct buf b;
		buf_init(&b, 1000);
		assert_int_equal(json_pointer_append(&b, v.members[i].key), 0);
		assert_ptr_equal(json_pointer_get(&v, buf_str(&b)), &v.members[i].value);
	}
}

RUN_TESTS(CLAIM(texts_are_written_back_as_they_stood), CLAIM(texts_are_read_for_what_they_mean),
	  CLAIM(wrong_texts_are_refused_at_their_offset), CLAIM(the_message_says_where_and_shows_safe_characters),
	  CLAIM(duplicate_keys_are_treated_as_asked), CLAIM(duplicates_are_found_at_every_size),
	  CLAIM(a_hundred_thousand_keys_take_no_second), CLAIM(limits_are_exact),
	  CLAIM(many_open_brackets_cost_no_stack), CLAIM(large_arrays_outgrow_the_first_stack),
	  CLAIM(pretty_text_has_one_member_a_line), CLAIM(every_byte_that_needs_an_escape_gets_one_at_every_place),
	  CLAIM(a_full_buffer_is_the_result), CLAIM(pointers_lead_where_rfc_6901_says))
