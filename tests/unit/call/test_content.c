/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of every kind: what they become, and what is refused with which words. */
#include "call_test.h"

#include "base/alloc.h"

static struct value result, problem;

#define BYTES(lit) ((struct str){ lit, sizeof(lit) - 1 })

/* One body of a type, read by an operation with these settings (JSON members). */
static enum call_verdict read_body(const char *settings, const char *type, struct str body)
{
	struct call_answer x = { .status = 200, .certainty = HTTP_ANSWERED, .body = body, .timings = value_object() };
	x.headers = *type ? json(arena_printf(&arena, "[['content-type','%s']]", type)) : value_array();
	struct call_spec *s = spec_of(arena_printf(&arena,
						   "{'base_url':'https://h','connectors':{'c':{'operations':[{"
						   "'method_name':'GET','query_path':'/x'%s%s}]}}}",
						   *settings ? "," : "", settings),
				      "GET", "/x");
	return call_judge(s, call_result_rule_new(&arena, STR("body"), NULL), &x, &arena, &result, &problem);
}

struct row {
	const char *settings, *type;
	struct str body;
	const char *expected; /* a value as JSON; or problem type, "|" and words of its detail */
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum call_verdict v = read_body(rows[i].settings, rows[i].type, rows[i].body);
		struct str expected = str_c(rows[i].expected), told = expected;
		struct str type = str_split(&told, '|');
		const struct value *t = value_get_c(&problem, "type"), *d = value_get_c(&problem, "detail");
		if (told.ptr && !strchr("{[\"", expected.ptr[0])) {
			if (v != CALL_FAILED || !value_is_string(t, type) || str_find(value_text(d), told) < 0)
				fail_msg("row %zu: got %.*s", i, STR_ARG(text_of_value(v ? &problem : &result)));
			assert_int_equal(result.kind, VALUE_NULL);
			continue;
		}
		if (v != CALL_OK)
			fail_msg("row %zu: %.*s", i, STR_ARG(value_text(d)));
		if (!str_eq(text_of_value(&result), expected))
			fail_msg("row %zu: got %.*s", i, STR_ARG(text_of_value(&result)));
	}
}

TEST(lines_of_json_become_a_list)
{
	static const struct row rows[] = {
		{ "", "application/jsonl", BYTES("{\"n\":12345678901234567890}\n\r\n[1.10]"),
		  "[{\"n\":12345678901234567890},[1.10]]" },
		{ "'answer':'ndjson'", "text/plain", BYTES("1\n2\n"), "[1,2]" },
		{ "'answer':'ndjson'", "application/json", BYTES("{}\n{}"), "[{},{}]" },
		{ "'answer':'ndjson'", "application/x-ndjson",
		  BYTES("\xEF\xBB\xBF"
			"1"),
		  "[1]" },
		{ "'answer':'ndjson'", "application/x-ndjson", BYTES("1\n{\"cut"), "invalid_json|line 2: " },
		{ "'answer':'ndjson'", "text/csv", BYTES("a,b"),
		  "unexpected_content_type|declared text/csv where JSON lines was expected" },
		{ "'answer':'ndjson'", "text/html", BYTES("<title>Login</title>"),
		  "unexpected_content_type|titled \"Login\" where JSON lines" },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(events_are_read_as_the_standard_says)
{
	static const struct row rows[] = {
		{ "", "text/event-stream; charset=utf-8", BYTES("data: {\"a\":1.50}\n\n"),
		  "[{\"event\":\"message\",\"data\":{\"a\":1.50}}]" },
		{ "", "text/event-stream", BYTES(""), "null" },
		{ "", "text/event-stream", BYTES(": keep alive\n\n:\n\n"), "[]" },
		{ "", "text/event-stream", BYTES("event: add\r\ndata: 73857293\r\n\r\nevent: gone\rdata:x\r\r"),
		  "[{\"event\":\"add\",\"data\":73857293},{\"event\":\"gone\",\"data\":\"x\"}]" },
		{ "", "text/event-stream", BYTES("data: a\ndata\ndata: b\n\n"),
		  "[{\"event\":\"message\",\"data\":\"a\\n\\nb\"}]" },
		{ "", "text/event-stream", BYTES("data:  two\n\ndata\n\n"),
		  "[{\"event\":\"message\",\"data\":\" two\"},{\"event\":\"message\",\"data\":\"\"}]" },
		{ "", "text/event-stream", BYTES("id: 7\nretry: 0300\ndata: 1\n\ndata: 2\n\nid\ndata: 3\n\n"),
		  "[{\"event\":\"message\",\"data\":1,\"id\":\"7\",\"retry\":300},"
		  "{\"event\":\"message\",\"data\":2,\"id\":\"7\"},{\"event\":\"message\",\"data\":3}]" },
		{ "", "text/event-stream", BYTES("id: a\0b\nretry: 1s\ndata: 1\n\n"),
		  "[{\"event\":\"message\",\"data\":1}]" },
		{ "", "text/event-stream", BYTES("event: lost\n\ndata: kept\nother: x\n\n"),
		  "[{\"event\":\"message\",\"data\":\"kept\"}]" },
		{ "", "text/event-stream",
		  BYTES("\xEF\xBB\xBF"
			"data: [DONE]\n\n"),
		  "[{\"event\":\"message\",\"data\":\"[DONE]\"}]" },
		{ "", "text/event-stream", BYTES("data: 1\n\ndata: {\"cut\":"),
		  "[{\"event\":\"message\",\"data\":1}]" },
		{ "", "text/event-stream", BYTES("data: 1\n\ndata: 2\n"), "[{\"event\":\"message\",\"data\":1}]" },
		{ "", "text/event-stream", BYTES("data: 1\n\ndata: \xFF\n\n"), "invalid_text|offset 15" },
		{ "'answer':'sse'", "text/plain", BYTES("data: 1\n\n"), "[{\"event\":\"message\",\"data\":1}]" },
		{ "'answer':'sse'", "application/json", BYTES("{\"error\":\"no\"}"),
		  "unexpected_content_type|declared application/json where an event stream was expected" },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(csv_becomes_objects_by_its_header_row)
{
	static const struct row rows[] = {
		{ "", "text/csv", BYTES("id,name\r\n007,\"a \"\"b\"\",\nc\"\r\n8,\r\n"),
		  "[{\"id\":\"007\",\"name\":\"a \\\"b\\\",\\nc\"},{\"id\":\"8\",\"name\":\"\"}]" },
		{ "", "text/csv", BYTES("id\n"), "[]" },
		{ "", "text/csv", BYTES("id\n1"), "[{\"id\":\"1\"}]" },
		{ "", "text/csv", BYTES("\n"), "[]" },
		{ "", "text/csv; header=present; charset=utf-8", BYTES("\xEF\xBB\xBF\xC3\xA9\n1\n"),
		  "[{\"\xC3\xA9\":\"1\"}]" },
		{ "", "text/csv; charset=windows-1251", BYTES("\xEF\xF0\n\xB9\n"),
		  "[{\"\xD0\xBF\xD1\x80\":\"\xE2\x84\x96\"}]" },
		{ "", "text/csv",
		  BYTES("\xFF\xFE"
			"a\0\n\0"
			"1\0\n\0"),
		  "[{\"a\":\"1\"}]" },
		{ "'answer':'csv'", "application/octet-stream", BYTES("a\n1\n"), "[{\"a\":\"1\"}]" },
		{ "", "text/csv", BYTES("a,b\n1\n"), "invalid_csv|line 2 has 1 fields, the header row has 2" },
		{ "", "text/csv", BYTES("a,b\n1,2,3\n"), "invalid_csv|line 2 has 3 fields" },
		{ "", "text/csv", BYTES("a,a\n1,2\n"), "invalid_csv|two columns are named \"a\"" },
		{ "", "text/csv", BYTES("a,b\n1,\"cut"), "invalid_csv|line 2: a quoted field is not closed" },
		{ "", "text/csv", BYTES("a\n\"b\"c\n"), "invalid_csv|text follows a closing quote" },
		{ "", "text/csv", BYTES("a\n\xFF\n"), "invalid_text|offset 2" },
		{ "", "text/csv", BYTES("<!DOCTYPE html><title>Gate</title>"),
		  "unexpected_content_type|titled \"Gate\" where CSV" },
		{ "'answer':'csv'", "application/json", BYTES("{\"error\":1}"),
		  "unexpected_content_type|where CSV was expected" },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(xml_becomes_a_value)
{
	static const struct row rows[] = {
		{ "", "application/xml", BYTES("<a k=\"1\"><b>x</b><c/><c>y</c>z</a>"),
		  "{\"a\":{\"@k\":\"1\",\"b\":\"x\",\"c\":[\"\",\"y\"],\"#text\":\"z\"}}" },
		{ "", "text/xml", BYTES("<a/>"), "{\"a\":\"\"}" },
		{ "", "text/xml", BYTES("<a>\n <b> 1.10 </b>\n</a>"), "{\"a\":{\"b\":\" 1.10 \"}}" },
		{ "", "application/soap+xml", BYTES("<s:Body xmlns:s=\"u\" xmlns=\"v\"><s:x y:z=\"1\"/></s:Body>"),
		  "{\"s:Body\":{\"s:x\":{\"@y:z\":\"1\"}}}" },
		{ "", "text/xml", BYTES("<a b='&lt;&amp;&quot;&#65;'>&gt;<![CDATA[<&>]]>&apos;&#x20AC;</a>"),
		  "{\"a\":{\"@b\":\"<&\\\"A\",\"#text\":\"><&>'\xE2\x82\xAC\"}}" },
		{ "", "text/xml", BYTES("<?xml version='1.0'?><!-- c --><a><?p i?>x<!-- c -->y</a>\n"),
		  "{\"a\":\"xy\"}" },
		{ "'xml_lists':['Contents']", "application/xml", BYTES("<L><Contents><K>a</K></Contents></L>"),
		  "{\"L\":{\"Contents\":[{\"K\":\"a\"}]}}" },
		{ "", "text/xml; charset=iso-8859-1", BYTES("<?xml version='1.0' encoding='utf-8'?><a>\xE9</a>"),
		  "{\"a\":\"\xC3\xA9\"}" },
		{ "", "text/xml", BYTES("<?xml version='1.0' encoding='Shift_JIS'?><a>\x83\x65</a>"),
		  "{\"a\":\"\xE3\x83\x86\"}" },
		{ "'answer':'xml'", "text/plain", BYTES("\xEF\xBB\xBF<a>1</a>"), "{\"a\":\"1\"}" },
		{ "", "image/svg+xml", BYTES("<svg/>"), "\"<svg/>\"" },
		{ "'answer':'text'", "application/xml", BYTES("<a/>"), "\"<a/>\"" },
		{ "", "text/xml", BYTES(""), "null" },
		{ "", "text/xml", BYTES("<a><b>"), "invalid_xml|line 1" },
		{ "", "text/xml", BYTES("<a>\n</b>"), "invalid_xml|line 2" },
		{ "", "text/xml", BYTES("<a/><b/>"), "invalid_xml|line 1" },
		{ "", "text/xml", BYTES("<a x='1' x='2'/>"), "invalid_xml|" },
		{ "", "text/xml", BYTES("<a>&nbsp;</a>"), "invalid_xml|nbsp" },
		{ "", "text/xml", BYTES("<?xml version='1.0' encoding='ebcdic'?><a/>"), "unsupported_charset|ebcdic" },
		{ "", "text/xml", BYTES("<a>\xFF</a>"), "invalid_text|offset 3" },
		{ "'answer':'xml'", "text/html", BYTES("<title>Sign in</title>"),
		  "unexpected_content_type|titled \"Sign in\" where XML" },
		{ "", "application/xml", BYTES("<!doctype html><html><title>Off</title>"),
		  "unexpected_content_type|titled \"Off\" where XML" },
		{ "", "text/xml", BYTES("<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><l>&b;</l>"),
		  "invalid_xml|document type" },
		{ "", "text/xml", BYTES("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>"),
		  "invalid_xml|document type" },
		{ "", "text/xml", BYTES("<!DOCTYPE a [<!ENTITY % p SYSTEM \"http://127.0.0.1/\"> %p;]><a/>"),
		  "invalid_xml|document type" },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

/* `each` n times, "#" in it being the number. */
static struct str repeated(const char *before, const char *each, unsigned n, const char *after)
{
	struct buf b;
	buf_init(&b, 64u << 20);
	(void)buf_append_c(&b, before);
	for (unsigned i = 0; i < n; i++)
		for (const char *p = each; *p; p++)
			(void)(*p == '#' ? buf_printf(&b, "%u", i) : buf_append_char(&b, *p));
	(void)buf_append_c(&b, after);
	assert_true(buf_ok(&b));
	struct str copy = arena_str(&arena, buf_str(&b));
	buf_done(&b);
	return copy;
}

TEST(hostile_xml_is_refused_early)
{
	const struct {
		struct str body;
		const char *told;
	} rows[] = {
		{ repeated("", "<a#>", 100000, ""), "nested deeper than 48" },
		{ repeated("<a ", "b#='#' ", 300, "/>"), "more than 256 attributes" },
		{ repeated("<a ", "b#='>' ", 300, "/>"), "more than 256 attributes" },
		{ repeated("<a>", "<b#/>", 1001, "</a>"), "more than 1000 names" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(read_body("", "text/xml", rows[i].body), CALL_FAILED);
		assert_contains(value_text(value_get_c(&problem, "detail")), rows[i].told);
	}
	struct str deep = repeated("", "<a>", 48, "");
	struct str closed =
	    str_c(arena_printf(&arena, "%.*s%.*s", STR_ARG(deep), STR_ARG(repeated("", "</a>", 48, ""))));
	assert_int_equal(read_body("", "text/xml", closed), CALL_OK);
	assert_int_equal(read_body("", "text/xml", repeated("<a>", "<b>#</b>", 20000, "</a>")), CALL_OK);
	assert_int_equal(value_get_c(value_get_c(&result, "a"), "b")->len, 20000);
}

TEST(text_comes_in_many_charsets)
{
	static const struct row rows[] = {
		{ "", "text/plain; charset=windows-1251", BYTES("\xCF\xF0"), "\"\xD0\x9F\xD1\x80\"" },
		{ "", "text/plain; charset=Shift_JIS", BYTES("\x83\x65\x5C"), "\"\xE3\x83\x86\\\\\"" },
		{ "", "text/plain; charset=gb2312", BYTES("\xC4\xE3"), "\"\xE4\xBD\xA0\"" },
		{ "", "text/plain; charset=euc-kr", BYTES("\xB0\xA1"), "\"\xEA\xB0\x80\"" },
		{ "", "text/plain; charset=iso-8859-15", BYTES("\xA4"), "\"\xE2\x82\xAC\"" },
		{ "", "text/plain; charset=koi8-r", BYTES("\xF0"), "\"\xD0\x9F\"" },
		{ "", "text/plain; charset=utf-16be", BYTES("\0x\x20\xAC"), "\"x\xE2\x82\xAC\"" },
		{ "", "text/plain; charset=latin1", BYTES("\xFF\xFEx\0"), "\"x\"" },
		{ "", "text/plain; charset=latin1", BYTES("\xEF\xBB\xBF\xC3\xA9"), "\"\xC3\xA9\"" },
		{ "", "text/plain; charset=utf-8; charset=latin1", BYTES("\xC3\xA9"), "\"\xC3\xA9\"" },
		{ "", "application/json", BYTES("\xFE\xFF\0{\0}"), "{}" },
		{ "", "application/json; charset=utf-16", BYTES("{}"), "{}" },
		{ "", "text/plain; charset=shift_jis", BYTES("ok\x83"), "invalid_text|\"shift_jis\" from offset 2 on" },
		{ "", "text/plain; charset=euc-jp", BYTES("a\xFF\xFFz"), "invalid_text|offset 1" },
		{ "", "text/plain; charset=utf-16le", BYTES("a\0\0\xD8"), "invalid_text|offset 2" },
		{ "", "text/plain; charset=utf-8//IGNORE", BYTES("a"), "unsupported_charset|WHATWG" },
		{ "", "text/plain; charset=utf-7", BYTES("a"), "unsupported_charset|\"utf-7\"" },
		{ "", "text/plain", BYTES("\xFF\xFE\0\0a\0\0\0"), "unsupported_charset|\"utf-32\"" },
		{ "", "application/json", BYTES("\xFF\xFE{\0\0\xDC"), "invalid_text|offset 2" },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(a_prefix_against_script_tags_is_cut_only_when_told)
{
	static const struct row rows[] = {
		{ "'json_prefix':'while(1);'", "application/json", BYTES("while(1);\n{\"a\":1}"), "{\"a\":1}" },
		{ "'json_prefix':')]}\\u0027'", "application/json", BYTES(")]}'{\"a\":1}"), "{\"a\":1}" },
		{ "'json_prefix':'while(1);'", "text/plain", BYTES("while(1);[]"), "[]" },
		{ "'json_prefix':'while(1);'", "application/json", BYTES("{}"), "{}" },
		{ "", "application/json", BYTES(")]}'{}"), "invalid_json|offset 0" },
	};
	check_rows(rows, ARRAY_LEN(rows));
}

TEST(any_kind_survives_any_allocation_failing)
{
	static const char *const rows[][2] = {
		{ "application/x-ndjson", "{}\n[1]" },
		{ "text/event-stream", "id: 1\nretry: 2\ndata: {\"a\":1}\n\ndata: x\n\n" },
		{ "text/csv", "a,b\n1,\"2\"\n" },
		{ "text/xml", "<a b='1'><c>x</c><c/>y</a>" },
		{ "text/plain; charset=windows-1251", "\xCF" },
	};
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "GET", "/x");
	struct call_result_rule *rule = call_result_rule_new(&arena, STR("body"), NULL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = { .status = 200, .body = str_c(rows[i][1]), .timings = value_object() };
		x.headers = json(arena_printf(&arena, "[['content-type','%s']]", rows[i][0]));
		for (unsigned long n = 1;; n++) {
			struct arena item;
			arena_init(&item, 0);
			arena_trim();
			alloc_fail_after(n);
			enum call_verdict v = call_judge(s, rule, &x, &item, &result, &problem);
			bool has_failed = alloc_has_failed();
			alloc_fail_after(0);
			arena_done(&item);
			if (!has_failed) {
				assert_int_equal(v, CALL_OK);
				break;
			}
			assert_int_equal(v, CALL_FAILED);
		}
	}
}

/* What lay on the stack before must not matter: it did. */
static __attribute__((noinline)) void dirty_the_stack(void)
{
	volatile unsigned char bytes[8192];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = 0x5a;
}

TEST(whether_an_answer_may_be_taken_apart_is_told_by_its_head_alone)
{
	static const struct {
		int status;
		bool may;
	} cases[] = { { 200, true }, { 204, false }, { 301, false }, { 404, false }, { 503, false } };
	struct call_spec *s = spec_of("{'base_url':{'live':'http://h'},'connectors':{'c':{'operations':[{'method_name':"
				      "'GET','query_path':'/x'}]}}}",
				      "GET", "/x");
	struct headers h = { 0 };
	(void)headers_add(&arena, &h, STR("Content-Type"), STR("application/json"), NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum split_kind kind = SPLIT_JSON;
		dirty_the_stack();
		assert_int_equal(call_spec_may_split(s, cases[i].status, &h, &kind), cases[i].may);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(lines_of_json_become_a_list),
		CALL_CLAIM(events_are_read_as_the_standard_says),
		CALL_CLAIM(csv_becomes_objects_by_its_header_row),
		CALL_CLAIM(xml_becomes_a_value),
		CALL_CLAIM(hostile_xml_is_refused_early),
		CALL_CLAIM(text_comes_in_many_charsets),
		CALL_CLAIM(any_kind_survives_any_allocation_failing),
		CALL_CLAIM(a_prefix_against_script_tags_is_cut_only_when_told),
		CALL_CLAIM(whether_an_answer_may_be_taken_apart_is_told_by_its_head_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
