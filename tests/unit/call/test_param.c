/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters: the table of OpenAPI 3.1 styles, byte by byte, with the specification's own values; empty and null. */
#include "call_test.h"

static struct call_request built;
static struct err trouble;

/* A spec of GET `path` with one parameter, written with ' for ". */
static struct call_spec *spec_with(const char *path, const char *parameter)
{
	return spec_of(arena_printf(&arena,
				    "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'GET',"
				    "'query_path':'%s','parameters':[{'name':'color',%s}]}]}}}",
				    path, parameter),
		       "GET", path);
}

static int build(const struct call_spec *s, const char *color)
{
	trouble = ERR_INIT;
	return call_request_build(s, NULL, json_new(arena_printf(&arena, "{'color':%s}", color)), STR_NULL, &arena,
				  &built, &trouble);
}

#define BLUE "'blue'"
#define ARRAY "['blue','black','brown']"
#define OBJECT "{'R':100,'G':200,'B':150}"

struct style_row {
	const char *parameter, *color, *expected;
};

/* OpenAPI 3.1.1, 4.8.12.6 "Style Examples": label without explode by RFC 6570, as the corrected table has it. */
TEST(path_styles_write_the_specifications_examples)
{
	static const struct style_row rows[] = {
		{ "'in':'path'", BLUE, "blue" },
		{ "'in':'path','style':'simple'", ARRAY, "blue,black,brown" },
		{ "'in':'path','style':'simple'", OBJECT, "R,100,G,200,B,150" },
		{ "'in':'path','style':'simple','explode':true", BLUE, "blue" },
		{ "'in':'path','style':'simple','explode':true", ARRAY, "blue,black,brown" },
		{ "'in':'path','style':'simple','explode':true", OBJECT, "R=100,G=200,B=150" },
		{ "'in':'path','style':'label'", BLUE, ".blue" },
		{ "'in':'path','style':'label'", ARRAY, ".blue,black,brown" },
		{ "'in':'path','style':'label'", OBJECT, ".R,100,G,200,B,150" },
		{ "'in':'path','style':'label','explode':true", BLUE, ".blue" },
		{ "'in':'path','style':'label','explode':true", ARRAY, ".blue.black.brown" },
		{ "'in':'path','style':'label','explode':true", OBJECT, ".R=100.G=200.B=150" },
		{ "'in':'path','style':'matrix'", BLUE, ";color=blue" },
		{ "'in':'path','style':'matrix'", ARRAY, ";color=blue,black,brown" },
		{ "'in':'path','style':'matrix'", OBJECT, ";color=R,100,G,200,B,150" },
		{ "'in':'path','style':'matrix','explode':true", BLUE, ";color=blue" },
		{ "'in':'path','style':'matrix','explode':true", ARRAY, ";color=blue;color=black;color=brown" },
		{ "'in':'path','style':'matrix','explode':true", OBJECT, ";R=100;G=200;B=150" },
		{ "'in':'path','content':{'application/json':{}}", OBJECT,
		  "%7B%22R%22%3A100%2C%22G%22%3A200%2C%22B%22%3A150%7D" },
		/* values that would like to be syntax */
		{ "'in':'path','style':'label'", "'../a'", "...%2Fa" },
		{ "'in':'path','style':'label','explode':true", "['a.b',';c=d']", ".a.b.%3Bc%3Dd" },
		{ "'in':'path','style':'matrix'", "'a;color=b'", ";color=a%3Bcolor%3Db" },
		{ "'in':'path','style':'matrix','explode':true", "{'a/b':'?','c':null}", ";a%2Fb=%3F" },
		{ "'in':'path','style':'matrix','explode':true", "['a',null,'']", ";color=a;color" },
		{ "'in':'path','style':'matrix'", "'\\r\\n\\u0000'", ";color=%0D%0A%00" },
		{ "'in':'path'", "['.','..','a']", ".,..,a" },
		{ "'in':'path'", "{'dot':'.','up':'..'}", "dot,.,up,.." },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_spec *s = spec_with("/p/{color}/q", rows[i].parameter);
		if (build(s, rows[i].color) < 0)
			fail_msg("row %zu: %s", i, trouble.msg);
		assert_str(built.url, arena_printf(&arena, "https://h/p/%s/q", rows[i].expected));
	}
}

TEST(query_styles_write_the_specifications_examples)
{
	static const struct style_row rows[] = {
		{ "'in':'query'", "''", "?color=" },
		{ "'in':'query'", BLUE, "?color=blue" },
		{ "'in':'query'", ARRAY, "?color=blue&color=black&color=brown" },
		{ "'in':'query'", OBJECT, "?R=100&G=200&B=150" },
		{ "'in':'query','explode':false", "''", "?color=" },
		{ "'in':'query','explode':false", BLUE, "?color=blue" },
		{ "'in':'query','style':'form','explode':false", ARRAY, "?color=blue,black,brown" },
		{ "'in':'query','style':'form','explode':false", OBJECT, "?color=R,100,G,200,B,150" },
		{ "'in':'query','style':'spaceDelimited'", ARRAY, "?color=blue%20black%20brown" },
		{ "'in':'query','style':'spaceDelimited'", OBJECT, "?color=R%20100%20G%20200%20B%20150" },
		{ "'in':'query','style':'pipeDelimited'", ARRAY, "?color=blue%7Cblack%7Cbrown" },
		{ "'in':'query','style':'pipeDelimited'", OBJECT, "?color=R%7C100%7CG%7C200%7CB%7C150" },
		{ "'in':'query','style':'deepObject'", OBJECT, "?color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150" },
		/* cells the specification leaves open: as form */
		{ "'in':'query','style':'spaceDelimited'", BLUE, "?color=blue" },
		{ "'in':'query','style':'spaceDelimited','explode':true", ARRAY,
		  "?color=blue&color=black&color=brown" },
		{ "'in':'query','style':'pipeDelimited','explode':true", ARRAY, "?color=blue&color=black&color=brown" },
		{ "'in':'query','style':'deepObject'", BLUE, "?color=blue" },
		{ "'in':'query','style':'deepObject'", "{'a':{'b':[1,2]},'c':[{'d':1},{'d':2}],'e':null}",
		  "?color%5Ba%5D%5Bb%5D=1&color%5Ba%5D%5Bb%5D=2&color%5Bc%5D%5B0%5D%5Bd%5D=1&color%5Bc%5D%5B1%5D%5Bd%5D"
		  "=2" },
		{ "'in':'query','content':{'application/json':{}}", ARRAY,
		  "?color=%5B%22blue%22%2C%22black%22%2C%22brown%22%5D" },
		{ "'in':'query','content':{'application/problem+json; charset=utf-8':{}}", "1.0", "?color=1.0" },
		/* reserved characters stay only where that was said, and never those that end the value */
		{ "'in':'query'", "':/?#[]@!$&()*+,;='", "?color=%3A%2F%3F%23%5B%5D%40%21%24%26%28%29%2A%2B%2C%3B%3D" },
		{ "'in':'query','allowReserved':true", "':/?#[]@!$&()*+,;='", "?color=:/?%23%5B%5D@!$%26()*%2B,;=" },
		{ "'in':'query','allowReserved':true", "'50%, %41'", "?color=50%25,%20%41" },
		{ "'in':'query'", "'a,b|c d'", "?color=a%2Cb%7Cc%20d" },
		{ "'in':'query','style':'pipeDelimited'", "['a|b','c']", "?color=a%7Cb%7Cc" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_spec *s = spec_with("/q", rows[i].parameter);
		if (build(s, rows[i].color) < 0)
			fail_msg("row %zu: %s", i, trouble.msg);
		assert_str(built.url, arena_printf(&arena, "https://h/q%s", rows[i].expected));
	}
}

TEST(header_and_cookie_styles_write_the_specifications_examples)
{
	static const struct {
		const char *parameter, *color, *header, *expected;
	} rows[] = {
		{ "'in':'header'", BLUE, "color", "blue" },
		{ "'in':'header'", ARRAY, "color", "blue,black,brown" },
		{ "'in':'header'", OBJECT, "color", "R,100,G,200,B,150" },
		{ "'in':'header','style':'simple','explode':true", ARRAY, "color", "blue,black,brown" },
		{ "'in':'header','style':'simple','explode':true", OBJECT, "color", "R=100,G=200,B=150" },
		{ "'in':'header'", "''", "color", "" },
		{ "'in':'header','content':{'application/json':{}}", "{'a':'\\r\\n'}", "color", "{\"a\":\"\\r\\n\"}" },
		{ "'in':'cookie'", BLUE, "Cookie", "color=blue" },
		{ "'in':'cookie'", ARRAY, "Cookie", "color=blue; color=black; color=brown" },
		{ "'in':'cookie'", OBJECT, "Cookie", "R=100; G=200; B=150" },
		{ "'in':'cookie','explode':false", BLUE, "Cookie", "color=blue" },
		{ "'in':'cookie','explode':false", ARRAY, "Cookie", "color=blue,black,brown" },
		{ "'in':'cookie','explode':false", OBJECT, "Cookie", "color=R,100,G,200,B,150" },
		{ "'in':'cookie','explode':false", "['a,b','c;d']", "Cookie", "color=a%2Cb,c%3Bd" },
		{ "'in':'cookie','content':{'application/json':{}}", "[1,'a']", "Cookie", "color=[1%2C%22a%22]" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_spec *s = spec_with("/", rows[i].parameter);
		if (build(s, rows[i].color) < 0)
			fail_msg("row %zu: %s", i, trouble.msg);
		assert_str(headers_get(&built.headers, str_c(rows[i].header)), rows[i].expected);
	}
}

TEST(nothing_is_left_out_and_required_nothing_is_named)
{
	static const char *const nothings[] = { "null", "[]", "{}", "[null]", "{'a':null}", "[null,null]" };
	static const char *const places[] = { "'in':'query'",
					      "'in':'query','explode':false",
					      "'in':'query','style':'deepObject'",
					      "'in':'query','style':'pipeDelimited'",
					      "'in':'header'",
					      "'in':'cookie'",
					      "'in':'cookie','explode':false" };
	for (size_t p = 0; p < ARRAY_LEN(places); p++) {
		struct call_spec *s = spec_with("/", places[p]),
				 *strict = spec_with("/", arena_printf(&arena, "%s,'required':true", places[p]));
		for (size_t i = 0; i < ARRAY_LEN(nothings); i++) {
			assert_int_equal(build(s, nothings[i]), 0);
			assert_str(built.url, "https://h/");
			assert_int_equal(built.headers.n, 2);
			assert_int_equal(build(strict, nothings[i]), -ERR_INVALID);
			assert_contains(str_c(trouble.msg), "parameter \"color\" (");
			assert_contains(str_c(trouble.msg), ") is required and has no value");
		}
	}
}

TEST(an_empty_list_is_sent_where_an_empty_value_is_allowed)
{
	static const struct {
		const char *color, *expected;
	} rows[] = {
		{ "[]", "?color=" }, { "{}", "?color=" }, { "''", "?color=" }, { "[null]", "?color=" }, { "null", "" },
	};
	static const char *const styles[] = { "'in':'query'", "'in':'query','explode':false",
					      "'in':'query','style':'deepObject'" };
	for (size_t k = 0; k < ARRAY_LEN(styles); k++) {
		struct call_spec *s = spec_with("/", arena_printf(&arena, "%s,'allowEmptyValue':true", styles[k]));
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			assert_int_equal(build(s, rows[i].color), 0);
			assert_str(built.url, arena_printf(&arena, "https://h/%s", rows[i].expected));
		}
	}
}

TEST(dots_and_emptiness_are_refused_behind_a_dot_or_a_name)
{
	static const struct {
		const char *color, *sentence;
	} rows[] = {
		{ "'.'", "\".\" is no part of a path" },
		{ "'..'", "\"..\" is no part of a path" },
		{ "''", "an empty text is no part of a path" },
		{ "['']", "an empty text is no part of a path" },
		{ "['','']", "an empty text is no part of a path" },
	};
	static const char *const styles[] = { "simple", "label", "matrix" };
	for (size_t k = 0; k < ARRAY_LEN(styles); k++) {
		for (int explode = 0; explode < 2; explode++) {
			struct call_spec *s =
			    spec_with("/a/{color}", arena_printf(&arena, "'in':'path','style':'%s','explode':%s",
								 styles[k], explode ? "true" : "false"));
			for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
				assert_int_equal(build(s, rows[i].color), -ERR_INVALID);
				assert_contains(str_c(trouble.msg), "parameter \"color\" (path): ");
				assert_contains(str_c(trouble.msg), rows[i].sentence);
			}
			assert_int_equal(build(s, "[[1]]"), -ERR_INVALID);
			assert_contains(str_c(trouble.msg), "a list inside another cannot be written here");
		}
	}
}

TEST(a_style_in_the_wrong_place_is_complained_about_with_those_possible)
{
	static const struct {
		const char *parameter, *sentence;
	} rows[] = {
		{ "'in':'query','style':'label'",
		  "style: style \"label\" is not possible in a query; write form, spaceDelimited, pipeDelimited or "
		  "deepObject" },
		{ "'in':'path','style':'form'",
		  "style: style \"form\" is not possible in a path; write simple, label or matrix" },
		{ "'in':'header','style':'matrix'",
		  "style: style \"matrix\" is not possible in a header; write simple" },
		{ "'in':'cookie','style':'deepObject'",
		  "style: style \"deepObject\" is not possible in a cookie; write form" },
		{ "'in':'header','allowReserved':true", "allowReserved is for the query; leave it out of a header" },
		{ "'in':'cookie','allowEmptyValue':true",
		  "allowEmptyValue is for the query; leave it out of a cookie" },
		{ "'in':'query','content':{'text/plain':{}}", "content: content has one entry, application/json" },
		{ "'in':'query','content':{}", "content: content has one entry, application/json" },
		{ "'in':'query','style':'form','content':{'application/json':{}}",
		  "style: a parameter has content or a style, not both; leave one out" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h = { "" };
		const char *system = arena_printf(
		    &arena,
		    "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'GET','query_path':"
		    "'/{color}','parameters':[{'name':'color',%s}]}]}}}",
		    rows[i].parameter);
		assert_true(call_system_check(json_new(system), STR_NULL, hear, &h) > 0);
		assert_heard(h, rows[i].sentence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(path_styles_write_the_specifications_examples),
		CALL_CLAIM(query_styles_write_the_specifications_examples),
		CALL_CLAIM(header_and_cookie_styles_write_the_specifications_examples),
		CALL_CLAIM(nothing_is_left_out_and_required_nothing_is_named),
		CALL_CLAIM(an_empty_list_is_sent_where_an_empty_value_is_allowed),
		CALL_CLAIM(dots_and_emptiness_are_refused_behind_a_dot_or_a_name),
		CALL_CLAIM(a_style_in_the_wrong_place_is_complained_about_with_those_possible),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
