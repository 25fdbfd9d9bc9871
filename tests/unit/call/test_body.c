/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of every kind: the bytes that go out, the shadow that people see, and what is refused before. */
#include "call_test.h"

#include "base/alloc.h"

static struct call_request built;
static struct err trouble;

static const struct test_file files[] = {
	{ "logo.png", { "\x89PNG\r\n\0\xff", 8 }, 0 },
	{ "note", { "a note", 6 }, 0 },
	{ "empty", { "", 0 }, 0 },
	{ "huge", { "", 0 }, UINT64_C(1) << 40 },
};
static struct test_folder folder;

static int folder_begin(void **state)
{
	folder = test_folder_of(files, ARRAY_LEN(files));
	return test_begin(state);
}

static int folder_end(void **state)
{
	assert_int_equal(folder.n_open, 0);
	return test_end(state);
}

/* POST /b with these members of the operation, in JSON with ' for ". */
static const char *system_with(const char *members)
{
	return arena_printf(&arena,
			    "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'POST',"
			    "'query_path':'/b',%s}]}}}",
			    members);
}

static struct call_spec *post(const char *members)
{
	return spec_of(system_with(members), "POST", "/b");
}

static struct call_spec *post_type(const char *content_type)
{
	return post(arena_printf(&arena, "'request_body':{'content_type':'%s'}", content_type));
}

static int attempt(const struct call_spec *s, const char *parameters)
{
	trouble = ERR_INIT;
	return call_request_build_files(s, NULL, &folder.face, json_new(parameters), STR_NULL, &arena, &built,
					&trouble);
}

static void build(const struct call_spec *s, const char *parameters)
{
	if (attempt(s, parameters) < 0)
		fail_msg("%s: %s", parameters, trouble.msg);
	built.body = whole_body(&built, &folder.face);
}

static struct str type_sent(void)
{
	return headers_get(&built.headers, STR("Content-Type"));
}

static struct str shown(const char *member)
{
	struct value masked;
	assert_int_equal(json_parse(&arena, built.masked, NULL, &masked, NULL, NULL), 0);
	const struct value *v = value_get_c(&masked, member);
	return v ? text_of_value(v) : STR_NULL;
}

/* ---- raw ---- */

TEST(a_text_is_sent_as_it_is_in_utf8)
{
	static const struct {
		const char *type, *parameters, *sent_type, *body;
	} rows[] = {
		{ "text/plain", "{'body':'h\u00e9 \\r\\n'}", "text/plain; charset=utf-8", "h\u00e9 \r\n" },
		{ "text/csv; header=present", "{'body':'a,b'}", "text/csv; header=present; charset=utf-8", "a,b" },
		{ "text/plain; charset=UTF-8", "{'body':12.50}", "text/plain; charset=UTF-8", "12.50" },
		{ "text/plain", "{'body':true}", "text/plain; charset=utf-8", "true" },
		{ "text/xml", "{'body':'<a/>'}", "text/xml; charset=utf-8", "<a/>" },
		{ "application/soap+xml", "{'body':'<a/>'}", "application/soap+xml", "<a/>" },
		{ "application/x-ndjson", "{'body':'1\\n2\\n'}", "application/x-ndjson", "1\n2\n" },
		{ "application/merge-patch+json", "{'a':null,'b':1.0}", "application/merge-patch+json", "{\"b\":1.0}" },
		{ "Application/JSON", "{'b':1}", "Application/JSON", "{\"b\":1}" },
		{ "text/plain", "{'file':'note'}", "text/plain; charset=utf-8", "a note" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		build(post_type(rows[i].type), rows[i].parameters);
		assert_str(built.body, rows[i].body);
		if (i + 1 < ARRAY_LEN(rows))
			assert_str(type_sent(), rows[i].sent_type);
	}
}

TEST(json_and_xml_are_sent_under_every_name_they_go_by)
{
	static const struct {
		const char *type, *parameters, *sent_type, *body;
	} rows[] = {
		{ "text/json", "{'a':[1.50]}", "text/json", "{\"a\":[1.50]}" },
		{ "application/problem+json", "{'a':1}", "application/problem+json", "{\"a\":1}" },
		{ "application/*+json", "{'a':1}", "application/json", "{\"a\":1}" },
		{ "application/*+JSON; charset=utf-8", "{'a':1}", "application/json", "{\"a\":1}" },
		{ "application/*+xml", "{'body':'<a/>'}", "application/xml", "<a/>" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		build(post_type(rows[i].type), rows[i].parameters);
		assert_str(built.body, rows[i].body);
		assert_str(type_sent(), rows[i].sent_type);
	}
}

TEST(bytes_come_from_base64_or_a_file)
{
	static const struct {
		const char *type, *parameters, *sent_type, *body;
		size_t n;
	} rows[] = {
		{ "application/octet-stream", "{'body':{'base64':''}}", "application/octet-stream", "", 0 },
		{ "application/octet-stream", "{'body':{'base64':'Zg=='}}", "application/octet-stream", "f", 1 },
		{ "application/octet-stream", "{'body':{'base64':'Zg'}}", "application/octet-stream", "f", 1 },
		{ "application/octet-stream", "{'body':{'base64':'Zm8='}}", "application/octet-stream", "fo", 2 },
		{ "application/octet-stream", "{'body':{'base64':'Zm9v'}}", "application/octet-stream", "foo", 3 },
		{ "application/octet-stream", "{'body':{'base64':'_-8='}}", "application/octet-stream", "\xff\xef", 2 },
		{ "image/png", "{'body':{'base64':'AP+A','media_type':'image/gif','bytes':3}}", "image/png",
		  "\0\xff\x80", 3 },
		{ "image/*", "{'base64':'AP+A','media_type':'image/gif'}", "image/gif", "\0\xff\x80", 3 },
		{ "*/*", "{'base64':'AP+A'}", "application/octet-stream", "\0\xff\x80", 3 },
		{ "image/png", "{'file':'logo.png'}", "image/png", "\x89PNG\r\n\0\xff", 8 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		build(post_type(rows[i].type), rows[i].parameters);
		assert_int_equal(built.body.len, rows[i].n);
		assert_memory_equal(built.body.ptr, rows[i].body, rows[i].n);
		assert_str(type_sent(), rows[i].sent_type);
		bool is_named = strstr(rows[i].parameters, "'file'") != NULL;
		assert_str(shown("body"), arena_printf(&arena, "{%s\"bytes\":%zu}",
						       is_named ? "\"file\":\"logo.png\"," : "", rows[i].n));
	}
}

TEST(a_body_that_cannot_be_written_is_refused_with_the_reason)
{
	static const struct {
		const char *type, *parameters, *sentence;
		int code;
	} rows[] = {
		{ "text/csv", "{'body':[1]}", "a body of type \"text/csv\" is a text, { file: ID } or", ERR_INVALID },
		{ "image/png", "{'body':{'a':1}}", "is a text, { file: ID } or { base64: ... }, not object",
		  ERR_INVALID },
		{ "image/png", "{'base64':'A'}", "the body: no base64 at offset 1", ERR_INVALID },
		{ "image/png", "{'base64':'AA*A'}", "no base64 at offset 2", ERR_INVALID },
		{ "image/png", "{'base64':'AA=A'}", "no base64 at offset 2", ERR_INVALID },
		{ "image/png", "{'base64':'Zh=='}", "no base64 at offset 1", ERR_INVALID },
		{ "image/png", "{'base64':'AAAA=='}", "no base64 at offset", ERR_INVALID },
		{ "image/png", "{'base64':'Zg==\\n'}", "no base64 at offset", ERR_INVALID },
		{ "image/png", "{'base64':'AAAA','file':'note'}", "a file has one of file, base64 and text",
		  ERR_INVALID },
		{ "image/png", "{'file':'note','nmae':'x'}", "\"nmae\" is no member of a file", ERR_INVALID },
		{ "image/png", "{'file':'note','name':3}", "\"name\" of a file is a text, not number", ERR_INVALID },
		{ "image/*", "{'file':'note','media_type':'a/b\\r\\nX: y'}", "media_type of a file is written like",
		  ERR_INVALID },
		{ "image/png", "{'file':'nope'}", "the body: there is no such file", ERR_NOT_FOUND },
		{ "image/png", "{'file':'/etc/passwd'}", "a file is named by its id: no folders", ERR_INVALID },
		{ "image/png", "{'file':'..'}", "a file is named by its id: no folders", ERR_INVALID },
		{ "image/png", "{'file':'a\\\\b'}", "a file is named by its id: no folders", ERR_INVALID },
		{ "image/png", "{'file':''}", "a file is named by its id: no folders", ERR_INVALID },
		{ "image/png", "{'file':'a\\u0000'}", "a file is named by its id: no folders", ERR_INVALID },
		{ "multipart/form-data", "{'f':{'file':'nope'}}", "the body: part \"f\": there is no such file",
		  ERR_NOT_FOUND },
		{ "multipart/form-data", "{'body':'a=1'}", "a multipart body is an object of name: value, not string",
		  ERR_INVALID },
		{ "multipart/form-data", "{'a\\u0000':'1'}", "byte 0x00 at offset 1 is not allowed in a name",
		  ERR_INVALID },
		{ "multipart/form-data", "{'a':{'file':'note','name':'\\u001b'}}",
		  "the body: part \"a\": byte 0x1b at offset 0 is not allowed in a name", ERR_INVALID },
		{ "multipart/form-data", "{'a':{'file':'note','media_type':'text/plain; x=\\r\\nX-Evil: 1'}}",
		  "part \"a\": the media_type of a file is written like image/png", ERR_INVALID },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_spec *s = post_type(rows[i].type);
		if (attempt(s, rows[i].parameters) != -rows[i].code)
			fail_msg("row %zu: %s", i, trouble.msg);
		assert_contains(str_c(trouble.msg), rows[i].sentence);
	}
	trouble = ERR_INIT;
	assert_int_equal(call_request_build(post_type("image/png"), NULL, json_new("{'file':'note'}"), STR_NULL, &arena,
					    &built, &trouble),
			 -ERR_MISSING);
	assert_string_equal(trouble.msg,
			    "the body: there is no folder of files here, only { base64: ... } can be sent");
}

/* ---- multipart ---- */

/* The body with its boundary written as B. */
static struct str with_short_boundary(void)
{
	struct str type = type_sent(), boundary = header_parameter(&arena, type, STR("boundary"));
	assert_int_equal(boundary.len, 36);
	assert_true(str_starts(type, STR("multipart/form-data; boundary=weir")));
	struct buf b;
	buf_init(&b, 1u << 20);
	for (size_t i = 0; i < built.body.len; i++) {
		if (str_starts(str_from(built.body.ptr + i, built.body.len - i), boundary)) {
			(void)buf_append_char(&b, 'B');
			i += boundary.len - 1;
		} else {
			(void)buf_append_char(&b, built.body.ptr[i]);
		}
	}
	struct str text = arena_str(&arena, buf_str(&b));
	buf_done(&b);
	return text;
}

#define DISPOSITION "--B\r\nContent-Disposition: form-data; name="

TEST(multipart_parts_are_fields_files_and_json)
{
	static const struct {
		const char *parameters, *expected;
	} rows[] = {
		{ "{'a':'x y','n':1.50,'t':true,'gone':null}",
		  DISPOSITION "\"a\"\r\n\r\nx y\r\n" DISPOSITION "\"n\"\r\n\r\n1.50\r\n" DISPOSITION
			      "\"t\"\r\n\r\ntrue\r\n--B--\r\n" },
		{ "{'body':{}}", "--B--\r\n" },
		{ "{'l':['a',null,'b'],'e':[]}",
		  DISPOSITION "\"l\"\r\n\r\na\r\n" DISPOSITION "\"l\"\r\n\r\nb\r\n--B--\r\n" },
		{ "{'o':{'k':[1]}}",
		  DISPOSITION "\"o\"\r\nContent-Type: application/json\r\n\r\n{\"k\":[1]}\r\n--B--\r\n" },
		{ "{'f':{'file':'note'}}", DISPOSITION "\"f\"; filename=\"note\"\r\nContent-Type: "
						       "application/octet-stream\r\n\r\na note\r\n--B--\r\n" },
		{ "{'f':{'file':'note','name':'n.txt','media_type':'text/plain; charset=utf-8'}}",
		  DISPOSITION "\"f\"; filename=\"n.txt\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\na note\r\n"
			      "--B--\r\n" },
		{ "{'f':[{'base64':'Zm9v','name':'1'},{'text':'x','name':'2','media_type':'text/csv'}]}", DISPOSITION
		  "\"f\"; filename=\"1\"\r\nContent-Type: application/octet-stream\r\n\r\nfoo\r\n" DISPOSITION
		  "\"f\"; filename=\"2\"\r\nContent-Type: text/csv\r\n\r\nx\r\n--B--\r\n" },
		/* names escaped as by the URL standard: \" CR LF, and nothing else */
		{ "{'a\\\"b\\r\\nX-Evil: 1':'v'}", DISPOSITION "\"a%22b%0D%0AX-Evil: 1\"\r\n\r\nv\r\n--B--\r\n" },
		{ "{'\u00e9;\\\\':'v'}", DISPOSITION "\"\u00e9;\\\"\r\n\r\nv\r\n--B--\r\n" },
		{ "{'f':{'text':'','name':'\\\"; x=\\\"\\r\\n\\r\\n'}}",
		  DISPOSITION "\"f\"; filename=\"%22; x=%22%0D%0A%0D%0A\"\r\nContent-Type: "
			      "application/octet-stream\r\n\r\n\r\n--B--\r\n" },
		/* a content that plays the format stays content */
		{ "{'a':'\\r\\n--B--\\r\\n','__proto__':'p'}",
		  DISPOSITION "\"a\"\r\n\r\n\r\n--B--\r\n\r\n" DISPOSITION "\"__proto__\"\r\n\r\np\r\n--B--\r\n" },
		/* members that look like a file in part are data */
		{ "{'o':{'text':'x'}}",
		  DISPOSITION "\"o\"\r\nContent-Type: application/json\r\n\r\n{\"text\":\"x\"}\r\n--B--\r\n" },
	};
	struct call_spec *s = post_type("multipart/form-data");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		build(s, rows[i].parameters);
		assert_str(with_short_boundary(), rows[i].expected);
	}
}

TEST(the_same_item_has_the_same_boundary_and_another_has_not)
{
	struct call_spec *s = post_type("multipart/form-data");
	build(s, "{'a':'1','f':{'file':'logo.png'}}");
	struct str first = built.body, type = type_sent();
	build(s, "{'a':'1','f':{'file':'logo.png'}}");
	assert_true(str_eq(first, built.body));
	assert_true(str_eq(type, type_sent()));
	build(s, "{'a':'2','f':{'file':'logo.png'}}");
	assert_false(str_eq(type, type_sent()));
	build(post_type("application/json"), "{'header.Content-Type':'multipart/form-data; boundary=evil','a':'1'}");
	assert_true(str_starts(type_sent(), STR("multipart/form-data; boundary=weir")));
	assert_int_equal(headers_count(&built.headers, STR("content-type")), 1);
}

TEST(binary_parts_are_shown_by_their_size)
{
	build(post_type("multipart/form-data"), "{'a':'seen','f':{'file':'logo.png'},'g':'after'}");
	struct str body = shown("body");
	assert_contains(body, "seen");
	assert_contains(body, "\\r\\n\\r\\n(file logo.png, 8 bytes)\\r\\n");
	assert_contains(body, "after");
	assert_str(shown("body_bytes"), arena_printf(&arena, "%zu", built.body.len));
}

/* ---- XML ---- */

static struct call_spec *post_xml(const char *template)
{
	return post(
	    arena_printf(&arena, "'request_body':{'content_type':'application/xml','template':'%s'}", template));
}

TEST(xml_slots_take_values_escaped_for_their_place)
{
	static const struct {
		const char *template, *parameters, *expected;
	} rows[] = {
		{ "<a>{{x}}</a>", "{'x':'1 < 2 && 3 > 2 ]]>'}", "<a>1 &lt; 2 &amp;&amp; 3 &gt; 2 ]]&gt;</a>" },
		{ "<a>{{x}}</a>", "{'x':'</a><b>'}", "<a>&lt;/a&gt;&lt;b&gt;</a>" },
		{ "<a>{{ x }}</a>", "{'x':'\\\"\\t\\r\\n\\\"'}", "<a>\"\t&#13;\n\"</a>" },
		{ "<a b=\\\"{{x}}\\\"/>", "{'x':'\\\" c=\\\"<'}", "<a b=\"&#34; c=&#34;&lt;\"/>" },
		{ "<a b=\\\"{{x}}\\\"/>", "{'x':'\\r\\n\\t&'}", "<a b=\"&#13;&#10;&#9;&amp;\"/>" },
		{ "<a>{{p.q.1}}{{p.r}}</a>", "{'p':{'q':['x','y'],'r':12345678901234567890.10}}",
		  "<a>y12345678901234567890.10</a>" },
		{ "<a>{{x}}|{{y}}|{{z}}</a>", "{'x':null,'y':false,'z':''}", "<a>|false|</a>" },
		{ "<?xml version=\\\"1.0\\\" encoding=\\\"UTF-8\\\"?>\\n<!-- c --><s:a "
		  "xmlns:s=\\\"u\\\">&#169;&amp;<![CDATA[<]]><b/>"
		  "{{x}}</s:a >\\n",
		  "{'x':'\u00e9\U0001F600'}",
		  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><s:a "
		  "xmlns:s=\"u\">&#169;&amp;<![CDATA[<]]><b/>\u00e9\U0001F600</s:a >\n" },
		{ "<a>{{x}}</a>", "{'x':'{{y}}'}", "<a>{{y}}</a>" },
		{ "<a>{{__proto__}}</a>", "{'__proto__':'p'}", "<a>p</a>" },
		{ "<a>fixed</a>", "{'body':{}}", "<a>fixed</a>" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		build(post_xml(rows[i].template), rows[i].parameters);
		assert_str(built.body, rows[i].expected);
		assert_str(type_sent(), "application/xml");
	}
}

TEST(what_xml_cannot_hold_is_refused_by_the_slots_name)
{
	static const struct {
		const char *json, *sentence;
	} rows[] = {
		{ "'a\\u0000'", "the body: slot {{x}}: byte 0x00 at offset 1 cannot stand in XML" },
		{ "'\\u0008'", "byte 0x08 at offset 0" },
		{ "'\\u001b[31m'", "byte 0x1b at offset 0" },
		{ "'\\uffff'", "byte 0xef at offset 0" },
		{ "[1]", "slot {{x}} takes a text, not array; name one of its values" },
		{ "{'a':1}", "slot {{x}} takes a text, not object" },
	};
	struct call_spec *s = post_xml("<a>{{x}}</a>");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(attempt(s, arena_printf(&arena, "{'x':%s}", rows[i].json)), -ERR_INVALID);
		assert_contains(str_c(trouble.msg), rows[i].sentence);
	}
	assert_int_equal(attempt(s, "{'body':'<a/>'}"), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "a template takes an object of name: value, not string");
}

TEST(a_template_that_is_no_xml_is_complained_about)
{
	static const struct {
		const char *template, *sentence;
	} rows[] = {
		{ "<a>{{x</a>", "line 1: a slot is opened by \"{{\" and not closed by \"}}\"" },
		{ "<a>\\n{{}}</a>", "line 2: \"\" is no path of names; write {{customer.name}}" },
		{ "<a>{{x y}}</a>", "\"x y\" is no path of names" },
		{ "<a>{{x..y}}</a>", "\"x..y\" is no path of names" },
		{ "<{{x}}/>", "not in a name" },
		{ "<a {{x}}=\\\"1\\\"/>", "not in a name" },
		{ "<a><!-- {{x}} --></a>", "not in a comment" },
		{ "<a><![CDATA[{{x}}]]></a>", "not in CDATA" },
		{ "<a><?php {{x}} ?></a>", "not in an instruction" },
		{ "{{x}}<a/>", "a slot outside of all elements" },
		{ "<a b={{x}}/>", "the value of an attribute stands in quotes" },
		{ "<a><b></a></b>", "</a> closes nothing; open is <b>" },
		{ "<a>", "<a> is not closed" },
		{ "<a/><b/>", "one element around all others" },
		{ " ", "one element around all others" },
		{ "<a>&nbsp;</a>", "write \"&\" as &amp;" },
		{ "<a>a & b</a>", "write \"&\" as &amp;" },
		{ "<a>&#0;</a>", "write \"&\" as &amp;" },
		{ "<a>]]></a>", "write \"]]>\" as ]]&gt;" },
		{ "<a b=\\\"<\\\"/>", "write \"<\" as &lt;" },
		{ "<a b=\\\"1\\\" b=\\\"2\\\"/>", "attribute \"b\" stands here twice" },
		{ "<a b=\\\"1\\\"c=\\\"2\\\"/>", "a space is missing before an attribute" },
		{ "<a b=\\\"1/>", "the value of an attribute is not closed" },
		{ "<!DOCTYPE a [<!ENTITY x SYSTEM \\\"file:///etc/passwd\\\">]><a>&x;</a>",
		  "a template has no DOCTYPE" },
		{ "<a/><?xml version=\\\"1.0\\\"?>", "stands at the very beginning" },
		{ "<?xml version=\\\"1.0\\\" encoding=\\\"latin1\\\"?><a/>", "bodies are sent as UTF-8" },
		{ "<a><!-- x -- y --></a>", "a comment holds no \"--\"" },
		{ "<a>\\u0001</a>", "byte 0x01 cannot stand in XML" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h = { "" };
		const char *system = system_with(arena_printf(
		    &arena, "'request_body':{'content_type':'text/xml','template':'%s'}", rows[i].template));
		assert_int_equal(call_system_check(json_new(system), STR_NULL, hear, &h), 1);
		assert_heard(h, "template: line ");
		assert_heard(h, rows[i].sentence);
	}
}

/* ---- GraphQL ---- */

TEST(graphql_rows_become_variables)
{
	static const struct {
		const char *graphql, *parameters, *expected;
	} rows[] = {
		{ "{'query':'query($id: ID!) { u(id: $id) { n } }'}", "{'id':12345678901234567890.10}",
		  "{'query':'query($id: ID!) { u(id: $id) { n } }','variables':{'id':12345678901234567890.10}}" },
		{ "{'query':'{ a }'}", "{}", "{'query':'{ a }'}" },
		{ "{'query':'{ a }','operation_name':'A'}", "{'operationName':'x'}",
		  "{'query':'{ a }','operationName':'A','variables':{'operationName':'x'}}" },
		{ "{'query':'{ a }'}", "{'operationName':'B','variables':{'a':null,'b':[1e2]}}",
		  "{'query':'{ a }','operationName':'B','variables':{'a':null,'b':[1e2]}}" },
		{ "{}", "{'query':'{ a }','variables':{}}", "{'query':'{ a }','variables':{}}" },
		{ "{'query':'query($query: String) { a }'}", "{'query':'\\\") { evil }','header.X-A':'1'}",
		  "{'query':'query($query: String) { a }','variables':{'query':'\\\") { evil }'}}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value expected = json(rows[i].expected);
		build(post(arena_printf(&arena, "'graphql':%s", rows[i].graphql)), rows[i].parameters);
		assert_str(built.body, arena_c(&arena, text_of_value(&expected)));
		assert_str(type_sent(), "application/json");
	}
	assert_int_equal(attempt(post("'graphql':{}"), "{'a':1}"), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "a GraphQL call needs a query");
	assert_int_equal(attempt(post("'graphql':{'query':'{a}'}"), "{'a':1,'variables':{}}"), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "variables are given whole (\"variables\") and by name (\"a\")");
	assert_int_equal(attempt(post("'graphql':{'query':'{a}'}"), "{'variables':[1]}"), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "variables are an object of name: value, not array");
	assert_int_equal(attempt(post("'graphql':{'query':'{a}'}"), "{'body':{}}"), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "map variables instead of \"body\"");
	assert_int_equal(attempt(post("'graphql':{}"), "{'query':1}"), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "query is a text, not number");
}

/* ---- complaints ---- */

TEST(an_operation_whose_body_cannot_be_is_complained_about)
{
	static const struct {
		const char *members, *sentence;
	} rows[] = {
		{ "'request_body':{'content_type':'json'}",
		  "content_type: a content type is written like application/json, not \"json\"" },
		{ "'request_body':{'content_type':'a/b\\r\\nX: y'}", "a content type is written like" },
		{ "'request_body':{'content_type':'multipart/mixed'}",
		  "content_type: of the multipart types only multipart/form-data is known" },
		{ "'request_body':{'content_type':'text/plain; charset=latin1'}",
		  "content_type: texts are sent in UTF-8, not in \"latin1\"; write charset=utf-8" },
		{ "'request_body':{'template':'<a/>'}",
		  "template: a template is for XML; write content_type: application/xml" },
		{ "'request_body':{'content_type':'text/xml','template':'<a>{{nmae}}</a>','schema':{'properties':"
		  "{'name':{}}}}",
		  "template: slot {{nmae}} is not in the schema; did you mean \"name\"?" },
		{ "'request_body':[]", "request_body is an object like" },
		{ "'graphql':'{ a }'", "graphql: graphql is an object like" },
		{ "'graphql':{'qurey':'{a}'}", "did you mean \"query\"?" },
		{ "'graphql':{'query':'{a}'},'request_body':{'content_type':'text/plain'}",
		  "request_body: the body of a GraphQL operation is JSON; leave request_body out" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h = { "" };
		assert_true(call_system_check(json_new(system_with(rows[i].members)), STR_NULL, hear, &h) > 0);
		assert_heard(h, rows[i].sentence);
	}
	struct heard h = { "" };
	const char *get = "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'GET',"
			  "'query_path':'/','graphql':{'query':'{a}'}}]}}}";
	assert_int_equal(call_system_check(json_new(get), STR_NULL, hear, &h), 1);
	assert_heard(h, "method_name: a GraphQL operation is a POST");
}

TEST(the_schema_knows_templates_and_graphql)
{
	struct value schema;
	assert_int_equal(call_system_schema(&arena, &schema), 0);
	struct str text = text_of_value(&schema);
	assert_contains(text, "\"template\":{");
	assert_contains(text, "\"graphql\":{");
	assert_contains(text, "\"operation_name\":{");
	assert_contains(text, "label, matrix");
}

TEST(a_mapping_that_the_body_cannot_take_is_complained_about)
{
	static const char xml[] = "'request_body':{'content_type':'text/xml','template':'<a>{{x.y}}{{x.z}}</a>'}";
	static const struct {
		const char *members, *mapping, *heard; /* "" = no complaint */
	} rows[] = {
		{ xml, "{'x':'=item'}", "" },
		{ xml, "{'body':'=item'}", "" },
		{ xml, "{'body':{'x':1}}", "" },
		{ xml, "{'y':1}",
		  "-: slot {{x.y}} of the template has no row; map \"x\"\ny: \"y\" stands in no slot of the "
		  "template\n" },
		{ xml, "{'body':{'y':1}}", "-: slot {{x.y}} of the template has no row; map \"x\"\n" },
		{ xml, "{'body':'<a/>'}", "body: the operation has a template; map an object of name: value\n" },
		{ "'request_body':{'content_type':'text/plain'}", "{'a':1}",
		  "a: a body of type \"text/plain\" has no members; map a text or a file to \"body\"\n" },
		{ "'request_body':{'content_type':'image/png'}", "{'file':'=item.id'}", "" },
		{ "'request_body':{'content_type':'image/png'}", "{'body':{'file':'../x'}}",
		  "body: a file is named by its id: no folders, no dot in front, at most 255 bytes\n" },
		{ "'request_body':{'content_type':'multipart/form-data'}", "{'f':{'file':'=item.id','nmae':'x'}}", "" },
		{ "'request_body':{'content_type':'multipart/form-data'}", "{'f':{'file':'x','nmae':'x'}}",
		  "f: \"nmae\" is no member of a file; write file, base64 or text, name, media_type\n" },
		{ "'request_body':{'content_type':'multipart/form-data'}", "{'body':'a=1'}",
		  "body: a multipart body is an object of name: value, not string\n" },
		{ "'request_body':{'content_type':'application/x-www-form-urlencoded'}", "{'body':[1]}",
		  "body: a form is an object of name: value, not array\n" },
		{ "'request_body':{'required':true}", "{'query.a':1}", "-: the body is required; map values to it\n" },
		{ "'request_body':{}", "{'body':{},'a':1}",
		  "a: the body is given whole (\"body\") and by member; leave one out\n" },
		{ "'graphql':{'query':'query($id: ID) { a(id: $id) }'}", "{'id':1}", "" },
		{ "'graphql':{'query':'query($id: ID) { a(id: $id) }'}", "{'i':1}",
		  "i: the query has no variable $i\n" },
		{ "'graphql':{}", "{'a':1}",
		  "-: a GraphQL call needs a query; write graphql: { query: ... } in the operation or map "
		  "\"query\"\n" },
		{ "'graphql':{'query':'{a}'}", "{'body':{}}",
		  "body: the body of a GraphQL operation is made of its query; map variables instead of \"body\"\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h = { "" };
		(void)call_spec_check_mapping(post(rows[i].members), json_new(rows[i].mapping), hear, &h);
		if (strcmp(h.text, rows[i].heard) != 0)
			fail_msg("row %zu: heard \"%s\", expected \"%s\"", i, h.text, rows[i].heard);
	}
}

TEST(secrets_are_masked_in_text_parts)
{
	assert_int_equal(setenv("WEIR_SECRET_BODY", "s3cr3t-value", 1), 0);
	struct secrets *secrets = secrets_new(NULL, NULL);
	struct str value;
	assert_true(secrets_get(secrets, STR("BODY"), &value));
	static const char *const types[] = { "multipart/form-data", "text/plain", "application/json" };
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const char *parameters = i == 1 ? "{'body':'a s3cr3t-value'}" : "{'a':'s3cr3t-value','f':'\u00e9'}";
		assert_int_equal(call_request_build_files(post_type(types[i]), secrets, &folder.face,
							  json_new(parameters), STR_NULL, &arena, &built, &trouble),
				 0);
		assert_contains(built.body, "s3cr3t-value");
		assert_lacks(built.masked, "s3cr3t-value");
		assert_contains(built.masked, "***");
	}
	secrets_free(secrets);
	assert_int_equal(unsetenv("WEIR_SECRET_BODY"), 0);
}

TEST(any_allocation_may_fail_and_no_body_is_half_written)
{
	static const struct {
		const char *members, *parameters;
	} rows[] = {
		{ "'request_body':{'content_type':'multipart/form-data'}",
		  "{'a':['x','y'],'o':{'k':1},'f':{'file':'logo.png'},'g':{'base64':'Zm9v'}}" },
		{ "'request_body':{'content_type':'text/xml','template':'<a b=\\\"{{x}}\\\">{{y.0}}</a>'}",
		  "{'x':'<&>','y':['z']}" },
		{ "'request_body':{'content_type':'image/*'}", "{'file':'logo.png','media_type':'image/png'}" },
		{ "'graphql':{'query':'{a}'}", "{'a':1,'b':{'c':2}}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value *system = json_new(system_with(rows[i].members)),
			     *parameters = json_new(rows[i].parameters);
		for (unsigned long n = 1;; n++) {
			auto_arena struct arena item = { 0 };
			struct err e = ERR_INIT;
			arena_init(&item, 0);
			arena_trim();
			alloc_fail_after(n);
			struct call_spec *s = call_spec_new(&item, system, STR("s"), STR("c"), STR("/b"), CALL_POST,
							    STR_NULL, NULL, NULL);
			int r =
			    s ? call_request_build_files(s, NULL, &folder.face, parameters, STR_NULL, &item, &built, &e)
			      : -ERR_NO_MEMORY;
			bool has_failed = alloc_has_failed();
			alloc_fail_after(0);
			if (!has_failed) {
				assert_int_equal(r, 0);
				break;
			}
			assert_true(r == 0 || r == -ERR_NO_MEMORY);
		}
	}
}

/* ---- files ---- */

TEST(files_are_pieces_and_not_loaded)
{
	assert_int_equal(attempt(post_type("image/png"), "{'file':'huge'}"), 0);
	assert_null(built.body.ptr);
	assert_int_equal(built.n_pieces, 1);
	assert_int_equal(call_request_bytes(&built), UINT64_C(1) << 40);
	assert_int_equal(folder.opened, 0); /* that is for when it is sent */
	assert_int_equal(attempt(post_type("multipart/form-data"), "{'a':'1','f':[{'file':'huge'},{'file':'note'}]}"),
			 0);
	assert_int_equal(built.n_pieces, 5);
	assert_true(call_request_bytes(&built) > (UINT64_C(1) << 40) + 100);
	build(post_type("text/plain"), "{'file':'note'}");
	assert_str(built.body, "a note");
	assert_int_equal(attempt(post_type("image/png"), "{'file':'empty'}"), 0);
	assert_true(built.body.ptr && built.body.len == 0 && built.n_pieces == 0);
}

TEST(what_is_in_memory_has_a_limit_still)
{
	struct value parameters = value_object(), file = value_object();
	struct buf b;
	buf_init(&b, CALL_BODY_MAX + 1);
	assert_int_equal(buf_reserve(&b, CALL_BODY_MAX + 1), 0);
	memset(b.ptr, 'x', CALL_BODY_MAX + 1);
	struct str text = str_from(b.ptr, CALL_BODY_MAX + 1);
	assert_int_equal(value_add(&arena, &file, STR("text"), value_string(text)), 0);
	assert_int_equal(value_add(&arena, &file, STR("name"), value_string(STR("n"))), 0);
	assert_int_equal(value_add(&arena, &parameters, STR("f"), file), 0);
	assert_int_equal(call_request_build_files(post_type("multipart/form-data"), NULL, &folder.face, &parameters,
						  STR_NULL, &arena, &built, &trouble),
			 -ERR_LIMIT);
	assert_string_equal(trouble.msg, "the body is longer than 67108864 bytes");
	buf_done(&b);
}

TEST(a_body_takes_so_many_files_and_no_more)
{
	struct value parameters = value_object(), list = value_array();
	for (int i = 0; i <= CALL_FILES_MAX; i++)
		assert_int_equal(value_push(&arena, &list, json("{'file':'note'}")), 0);
	assert_int_equal(value_add(&arena, &parameters, STR("f"), list), 0);
	assert_int_equal(call_request_build_files(post_type("multipart/form-data"), NULL, &folder.face, &parameters,
						  STR_NULL, &arena, &built, &trouble),
			 -ERR_LIMIT);
	assert_string_equal(trouble.msg, "the body: part \"f\": more than 64 files");
}

/* The id stands for the content in the hash: another file is another boundary, another name too. */
TEST(the_boundary_depends_on_which_files_stand_where)
{
	static const char *const items[] = {
		"{'f':{'file':'note','name':'n'}}",
		"{'f':{'file':'logo.png','name':'n'}}",
		"{'f':{'file':'note','name':'m'}}",
		"{'f':{'file':'note','name':'n'},'g':{'file':'note','name':'n'}}",
	};
	struct call_spec *s = post_type("multipart/form-data");
	struct str types[ARRAY_LEN(items)];
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		build(s, items[i]);
		types[i] = type_sent();
		for (size_t k = 0; k < i; k++)
			assert_false(str_eq(types[i], types[k]));
		build(s, items[i]);
		assert_true(str_eq(types[i], type_sent()));
	}
}

TEST(people_see_a_files_name_type_and_size)
{
	build(post_type("image/*"), "{'file':'logo.png','name':'l.png','media_type':'image/png'}");
	assert_contains(built.masked, "\"body\":{\"file\":\"logo.png\",\"name\":\"l.png\",\"media_type\":"
				      "\"image/png\",\"bytes\":8}}");
	build(post_type("text/plain"), "{'file':'note'}");
	assert_contains(built.masked, "\"body\":{\"file\":\"note\",\"bytes\":6}}");
}

TEST(a_file_is_opened_once_for_each_sending_and_closed_after_it)
{
	struct call_body body = { 0 };
	assert_int_equal(
	    attempt(post_type("multipart/form-data"), "{'f':[{'file':'note'},{'file':'note'},{'file':'logo.png'}]}"),
	    0);
	struct str first = whole_body(&built, &folder.face);
	folder.opened = 0;
	for (size_t i = 1; i <= 2; i++) {
		assert_int_equal(call_body_open(&body, &built, &folder.face, &arena, &trouble), 0);
		assert_int_equal(folder.opened, 2 * i);
		assert_int_equal(folder.n_open, 2);
		call_body_close(&body);
		call_body_close(&body);
		assert_int_equal(folder.n_open, 0);
		assert_true(str_eq(first, whole_body(&built, &folder.face)));
		folder.opened -= 2;
	}
}

TEST(a_file_that_is_not_what_it_was_is_not_sent)
{
	struct call_body body = { 0 };
	assert_int_equal(attempt(post_type("multipart/form-data"), "{'f':[{'file':'note'},{'file':'huge'}]}"), 0);
	assert_int_equal(call_body_open(&body, &built, &folder.face, &arena, &trouble), -ERR_STATE);
	assert_int_equal(folder.n_open, 0);
	folder.n = 0;
	assert_int_equal(call_body_open(&body, &built, &folder.face, &arena, &trouble), -ERR_NOT_FOUND);
	assert_int_equal(call_body_open(&body, &built, NULL, &arena, &trouble), -ERR_MISSING);
}

#define BODY_CLAIM(name) cmocka_unit_test_setup_teardown(name, folder_begin, folder_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BODY_CLAIM(files_are_pieces_and_not_loaded),
		BODY_CLAIM(what_is_in_memory_has_a_limit_still),
		BODY_CLAIM(a_body_takes_so_many_files_and_no_more),
		BODY_CLAIM(the_boundary_depends_on_which_files_stand_where),
		BODY_CLAIM(people_see_a_files_name_type_and_size),
		BODY_CLAIM(a_file_is_opened_once_for_each_sending_and_closed_after_it),
		BODY_CLAIM(a_file_that_is_not_what_it_was_is_not_sent),
		BODY_CLAIM(a_text_is_sent_as_it_is_in_utf8),
		BODY_CLAIM(json_and_xml_are_sent_under_every_name_they_go_by),
		BODY_CLAIM(bytes_come_from_base64_or_a_file),
		BODY_CLAIM(a_body_that_cannot_be_written_is_refused_with_the_reason),
		BODY_CLAIM(multipart_parts_are_fields_files_and_json),
		BODY_CLAIM(the_same_item_has_the_same_boundary_and_another_has_not),
		BODY_CLAIM(binary_parts_are_shown_by_their_size),
		BODY_CLAIM(xml_slots_take_values_escaped_for_their_place),
		BODY_CLAIM(what_xml_cannot_hold_is_refused_by_the_slots_name),
		BODY_CLAIM(a_template_that_is_no_xml_is_complained_about),
		BODY_CLAIM(graphql_rows_become_variables),
		BODY_CLAIM(an_operation_whose_body_cannot_be_is_complained_about),
		BODY_CLAIM(the_schema_knows_templates_and_graphql),
		BODY_CLAIM(a_mapping_that_the_body_cannot_take_is_complained_about),
		BODY_CLAIM(secrets_are_masked_in_text_parts),
		BODY_CLAIM(any_allocation_may_fail_and_no_body_is_half_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
