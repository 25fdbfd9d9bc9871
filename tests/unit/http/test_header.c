/* SPDX-License-Identifier: Apache-2.0 */
#include "http/header.h"
#include "test.h"

TEST(names_are_tokens)
{
	static const struct {
		const char *name;
		bool ok;
	} rows[] = {
		{ "Accept", true }, { "x-api_key", true }, { "!#$%&'*+-.^_`|~09azAZ", true }, { "", false },	 { "a b", false },
		{ "a:", false },    { "a\r", false },	   { "a\n", false },		     { "a\t", false },	 { "\xc3\xa9", false },
		{ "(a)", false },   { "a/b", false },	   { "a=b", false },		     { "\"a\"", false }, { "a;", false },
		{ "\x7f", false },  { "a,b", false },	   { "[a]", false },		     { "{a}", false },	 { "a@b", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (header_is_token(str_c(rows[i].name)) != rows[i].ok)
			fail_msg("'%s'", rows[i].name);
	}
	assert_false(header_is_token(STR("a\0b")));
}

TEST(values_hold_no_line_break_and_no_nul)
{
	assert_true(header_value_is_clean(STR("")));
	assert_true(header_value_is_clean(STR("a \t b \x80\xff \x01")));
	assert_false(header_value_is_clean(STR("a\rb")));
	assert_false(header_value_is_clean(STR("a\nb")));
	assert_false(header_value_is_clean(STR("a\0b")));
	assert_false(header_value_is_clean(STR("a\r\nSet-Cookie: x")));
}

TEST(adding_copies_and_refuses_injection)
{
	struct arena a;
	struct headers h = { 0 };
	struct err e = ERR_INIT;
	char name[] = "X-A", value[] = "one";

	arena_init(&a, 0);
	assert_int_equal(headers_add(&a, &h, str_c(name), str_c(value), &e), 0);
	name[0] = value[0] = '?';
	assert_int_equal(headers_add(&a, &h, STR("x-a"), STR("two"), &e), 0);
	assert_int_equal(headers_add(&a, &h, STR("X-B"), STR(""), &e), 0);
	assert_str(headers_get(&h, STR("x-A")), "one");
	assert_int_equal(headers_count(&h, STR("X-a")), 2);
	assert_non_null(headers_get(&h, STR("X-B")).ptr);
	assert_null(headers_get(&h, STR("X-C")).ptr);
	assert_int_equal(headers_add(&a, &h, STR("X: y"), STR(""), &e), -ERR_INVALID);
	assert_int_equal(headers_add(&a, &h, STR("X"), STR("a\r\nb"), &e), -ERR_INVALID);
	assert_int_equal(headers_add(&a, &h, STR("X"), STR("a\0b"), &e), -ERR_INVALID);
	assert_int_equal(h.n, 3);
	assert_int_equal(headers_set(&a, &h, STR("x-a"), STR("bad\n"), &e), -ERR_INVALID);
	assert_int_equal(headers_count(&h, STR("X-a")), 2); /* a refusal changes nothing */
	assert_int_equal(headers_set(&a, &h, STR("x-a"), STR("three"), &e), 0);
	assert_int_equal(headers_count(&h, STR("X-a")), 1);
	assert_str(headers_get(&h, STR("x-A")), "three");
	assert_int_equal(h.bytes, 3 + 3 + 5);
	arena_done(&a);
}

TEST(fields_have_limits)
{
	struct arena a;
	struct headers h = { 0 };
	struct err e = ERR_INIT;
	char *big = malloc(HEADER_FIELD_MAX_BYTES + 1);

	memset(big, 'a', HEADER_FIELD_MAX_BYTES + 1);
	arena_init(&a, 0);
	assert_int_equal(headers_add(&a, &h, STR("X"), str_from(big, HEADER_FIELD_MAX_BYTES), &e), -ERR_LIMIT);
	for (int i = 0; i < 4; i++)
		assert_int_equal(headers_add(&a, &h, STR("X"), str_from(big, HEADER_FIELD_MAX_BYTES - 1), &e), 0);
	assert_int_equal(headers_add(&a, &h, STR("X"), STR("one more"), &e), -ERR_LIMIT);
	h = (struct headers){ 0 };
	for (int i = 0; i < HEADERS_MAX; i++)
		assert_int_equal(headers_add(&a, &h, STR("X"), STR("v"), &e), 0);
	assert_int_equal(headers_add(&a, &h, STR("X"), STR("v"), &e), -ERR_LIMIT);
	free(big);
	arena_done(&a);
}

TEST(media_types_and_their_parameters)
{
	static const struct {
		const char *value, *type, *name, *parameter; /* parameter NULL = absent */
	} rows[] = {
		{ "application/json", "application/json", "charset", NULL },
		{ "application/json; charset=utf-8", "application/json", "charset", "utf-8" },
		{ " text/html ;charset = \"a;b\" ; x=y", "text/html", "charset", "a;b" },
		{ " text/html ;charset = \"a;b\" ; x=y", "text/html", "X", "y" },
		{ "text/plain; CHARSET=\"a\\\"b\"", "text/plain", "charset", "a\"b" },
		{ "text/plain; charset=", "text/plain", "charset", "" },
		{ "text/plain; charset", "text/plain", "charset", NULL },
		{ "text/plain; flag; charset=x", "text/plain", "charset", "x" },
		{ "text/plain; charset=\"open", "text/plain", "charset", NULL },
		{ "multipart/mixed; boundary=\"a b\"; boundary=c", "multipart/mixed", "boundary", "a b" },
		{ ";;;=;\"\"", "", "x", NULL },
		{ "", "", "x", NULL },
		{ "a/b;=x", "a/b", "", "x" },
	};
	struct arena a;

	arena_init(&a, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_eq_c(header_media_type(str_c(rows[i].value)), rows[i].type))
			fail_msg("type of '%s'", rows[i].value);
		struct str p = header_parameter(&a, str_c(rows[i].value), str_c(rows[i].name));
		if ((p.ptr == NULL) != (rows[i].parameter == NULL) || (p.ptr && !str_eq_c(p, rows[i].parameter)))
			fail_msg("%s of '%s': '%.*s'", rows[i].name, rows[i].value, STR_ARG(p));
	}
	arena_done(&a);
}

RUN_TESTS(CLAIM(names_are_tokens), CLAIM(values_hold_no_line_break_and_no_nul), CLAIM(adding_copies_and_refuses_injection),
	  CLAIM(fields_have_limits), CLAIM(media_types_and_their_parameters))
