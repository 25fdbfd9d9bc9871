/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: every value to its place, byte by byte. */
#include "call_test.h"

#include "base/alloc.h"

#define BASE "{'base_url':'https://api.example.com/v1','connectors':{'c':{'operations':["
#define END "]}}}"

static struct call_request built;
static struct err trouble;

static int build_with(const struct call_spec *s, struct secrets *secrets, const char *parameters, const char *key)
{
	trouble = ERR_INIT;
	return call_request_build(s, secrets, json_new(parameters), str_c(key), &arena, &built, &trouble);
}

static void build(const struct call_spec *s, const char *parameters)
{
	if (build_with(s, NULL, parameters, "") < 0)
		fail_msg("%s: %s", parameters, trouble.msg);
}

static struct str header(const char *name)
{
	return headers_get(&built.headers, str_c(name));
}

TEST(get_sends_parameters_as_query_in_mapping_order)
{
	struct call_spec *s =
	    spec_of("{'base_url':'https://api.open-meteo.com','connectors':{'c':{}}}", "GET", "/v1/forecast");
	build(s, "{'latitude':48.85,'longitude':2.35,'current':'temperature_2m'}");
	assert_str(built.url,
		   "https://api.open-meteo.com/v1/forecast?latitude=48.85&longitude=2.35&current=temperature_2m");
	assert_null(built.body.ptr);
	assert_str(header("accept"), "application/json, */*;q=0.5");
	assert_str(header("user-agent"), "weir/" WEIR_VERSION);
	assert_str(built.masked, "{\"method\":\"GET\",\"url\":\"https://api.open-meteo.com/v1/"
				 "forecast?latitude=48.85&longitude=2.35&current="
				 "temperature_2m\",\"headers\":[[\"Accept\",\"application/json, "
				 "*/*;q=0.5\"],[\"User-Agent\",\"weir/" WEIR_VERSION "\"]],\"body\":null}");
}

/* ---- path ---- */

TEST(every_naughty_text_is_one_encoded_path_segment)
{
	static const struct {
		const char *json, *expected;
	} rows[] = {
		{ "'42'", "42" },
		{ "42", "42" },
		{ "true", "true" },
		{ "'../admin'", "..%2Fadmin" },
		{ "'%2e%2e'", "%252e%252e" },
		{ "'%2e%2e%2f'", "%252e%252e%252f" },
		{ "'..;/'", "..%3B%2F" },
		{ "'/'", "%2F" },
		{ "'//evil'", "%2F%2Fevil" },
		{ "'?x=1#f'", "%3Fx%3D1%23f" },
		{ "'\\\\'", "%5C" },
		{ "'a b+c'", "a%20b%2Bc" },
		{ "'a\\r\\nX-Evil: 1'", "a%0D%0AX-Evil%3A%201" },
		{ "'\\u0000'", "%00" },
		{ "'\u00e9'", "%C3%A9" },
		{ "'\U0001F600'", "%F0%9F%98%80" },
		{ "'...'", "..." },
		{ "'-._~'", "-._~" },
		{ "'!$&()*+,;=:@'", "%21%24%26%28%29%2A%2B%2C%3B%3D%3A%40" },
		{ "['a','b/c']", "a,b%2Fc" },
		{ "{'k':'v','n':1}", "k,v,n,1" },
		{ "12345678901234567890", "12345678901234567890" },
		{ "0.1000", "0.1000" },
		{ "1e-400", "1e-400" },
		{ "1E+2", "1E%2B2" },
	};
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "GET", "/users/{id}/posts");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char url[512];
		(void)snprintf(url, sizeof(url), "https://h/users/%s/posts", rows[i].expected);
		build(s, str_c(arena_printf(&arena, "{'id':%s}", rows[i].json)).ptr);
		assert_str(built.url, url);
	}
}

TEST(dots_empty_and_nothing_are_no_path_segment)
{
	static const struct {
		const char *json, *sentence;
	} rows[] = {
		{ "{'id':'.'}", "parameter \"id\" (path): \".\" is no part of a path" },
		{ "{'id':'..'}", "parameter \"id\" (path): \"..\" is no part of a path" },
		{ "{'id':''}", "parameter \"id\" (path): an empty text is no part of a path" },
		{ "{'id':null}", "parameter \"id\" (path) is required and has no value" },
		{ "{}", "parameter \"id\" (path) is required and has no value" },
		{ "null", "parameter \"id\" (path) is required and has no value" },
		{ "{'id':[]}", "parameter \"id\" (path) is required and has no value" },
		{ "{'id':[null]}", "parameter \"id\" (path) is required and has no value" },
		{ "{'id':['..']}", "parameter \"id\" (path): \"..\" is no part of a path" },
		{ "{'id':[[1]]}", "parameter \"id\" (path): a list inside another cannot be written here" },
		{ "[1]", "parameters are an object of name: value, not array" },
		{ "{'path.nr':1}", "query path \"/users/{id}/posts\" has no {nr}" },
	};
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "GET", "/users/{id}/posts");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(build_with(s, NULL, rows[i].json, ""), -ERR_INVALID);
		assert_contains(str_c(trouble.msg), rows[i].sentence);
	}
}

TEST(ten_thousand_bytes_are_one_segment_and_too_many_are_refused)
{
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "GET", "/{id}");
	char *json_text = arena_alloc(&arena, 80000);
	(void)snprintf(json_text, 80000, "{'id':'%010000d'}", 0);
	build(s, json_text);
	assert_int_equal(built.url.len, strlen("https://h/") + 10000);
	(void)snprintf(json_text, 80000, "{'id':'%070000d'}", 0);
	assert_int_equal(build_with(s, NULL, json_text, ""), -ERR_LIMIT);
	assert_contains(str_c(trouble.msg), "longer than 65536 bytes");
}

TEST(base_url_and_path_are_joined_exactly)
{
	static const struct {
		const char *base, *path, *expected;
	} rows[] = {
		{ "https://h", "/", "https://h/" },
		{ "https://h/", "/a", "https://h/a" },
		{ "https://h/v1", "/a/", "https://h/v1/a/" },
		{ "https://h/v1/", "/a", "https://h/v1/a" },
		{ "https://h:8443/v1?key=1&z", "/a", "https://h:8443/v1/a?key=1&z" },
		{ "https://h/v1/?k=1", "/a", "https://h/v1/a?k=1" },
		{ "http://[::1]:80", "/a b/%41/%zz", "http://[::1]:80/a%20b/%41/%25zz" },
		{ "https://h", "/caf\u00e9", "https://h/caf%C3%A9" },
		{ "https://h", "/v1/{a}:{b}.json", "https://h/v1/1:2.json?c=3" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *system = arena_printf(&arena, "{'base_url':'%s','connectors':{'c':{}}}", rows[i].base);
		struct call_spec *s = spec_of(system, "GET", rows[i].path);
		build(s, strstr(rows[i].path, "{a}") ? "{'a':1,'b':2,'c':3}" : "{}");
		assert_str(built.url, rows[i].expected);
	}
}

/* ---- query ---- */

static const char query_system[] = BASE
    "{'method_name':'get','query_path':'/q','parameters':["
    "{'name':'plain','in':'query'},{'name':'flat','in':'query','explode':false},"
    "{'name':'space','in':'query','style':'spaceDelimited'},{'name':'pipe','in':'query','style':'pipeDelimited'},"
    "{'name':'deep','in':'query','style':'deepObject'},{'name':'json','in':'query','content':{'application/json':{}}},"
    "{'name':'wide','in':'query','allowReserved':true},{'name':'na me[]','in':'query'}]}" END;

TEST(query_values_follow_their_declared_style)
{
	static const struct {
		const char *json, *expected;
	} rows[] = {
		{ "{'plain':'a&b=1'}", "?plain=a%26b%3D1" },
		{ "{'plain':'+ %'}", "?plain=%2B%20%25" },
		{ "{'plain':''}", "?plain=" },
		{ "{'plain':1e21}", "?plain=1e21" },
		{ "{'plain':false}", "?plain=false" },
		{ "{'plain':null}", "" },
		{ "{'plain':[]}", "" },
		{ "{'plain':['a','b c',null,3]}", "?plain=a&plain=b%20c&plain=3" },
		{ "{'plain':{'R':100,'G':'x&y'}}", "?R=100&G=x%26y" },
		{ "{'flat':['a','b,c']}", "?flat=a,b%2Cc" },
		{ "{'flat':{'R':100,'G':200}}", "?flat=R,100,G,200" },
		{ "{'space':['a','b']}", "?space=a%20b" },
		{ "{'pipe':['a','b']}", "?pipe=a%7Cb" },
		{ "{'deep':{'a':1,'b':{'c':'d e'},'l':[1,2],'m':[{'n':1}]}}",
		  "?deep%5Ba%5D=1&deep%5Bb%5D%5Bc%5D=d%20e&deep%5Bl%5D=1&deep%5Bl%5D=2&deep%5Bm%5D%5B0%5D%5Bn%5D=1" },
		{ "{'json':{'a':[1]}}", "?json=%7B%22a%22%3A%5B1%5D%7D" },
		{ "{'json':[]}", "?json=%5B%5D" },
		{ "{'wide':'a/b?c:d'}", "?wide=a/b?c:d" },
		{ "{'na me[]':1}", "?na%20me%5B%5D=1" },
		{ "{'query.extra':1,'plain':2}", "?extra=1&plain=2" },
		{ "{'__proto__':1,'constructor':2,'length':3}", "?__proto__=1&constructor=2&length=3" },
		{ "{'plain':'\\r\\n\\u0000'}", "?plain=%0D%0A%00" },
	};
	struct call_spec *s = spec_of(query_system, "GET", "/q");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char url[512];
		(void)snprintf(url, sizeof(url), "https://api.example.com/v1/q%s", rows[i].expected);
		build(s, rows[i].json);
		assert_str(built.url, url);
	}
}

TEST(containers_inside_containers_are_refused_where_no_style_can_write_them)
{
	static const char *const rows[] = { "{'plain':[[1]]}", "{'plain':{'a':{}}}", "{'flat':[{'a':1}]}",
					    "{'space':[[]]}" };
	struct call_spec *s = spec_of(query_system, "GET", "/q");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(build_with(s, NULL, rows[i], ""), -ERR_INVALID);
		assert_contains(str_c(trouble.msg), "inside another cannot be written here; write it as JSON text");
	}
}

TEST(a_required_parameter_without_value_is_named)
{
	struct call_spec *s =
	    spec_of(BASE "{'method_name':'GET','query_path':'/f','parameters':[{'name':'latitude','in':'query',"
			 "'required':true}]}" END,
		    "GET", "/f");
	assert_int_equal(build_with(s, NULL, "{'latitude':null}", ""), -ERR_INVALID);
	assert_string_equal(trouble.msg, "parameter \"latitude\" (query) is required and has no value");
	build(s, "{'latitude':''}");
	assert_str(built.url, "https://api.example.com/v1/f?latitude=");
}

/* ---- headers and cookies ---- */

TEST(control_bytes_in_a_header_are_refused_with_its_name)
{
	static const char *const rows[] = { "\\r\\nX-Evil: 1", "a\\rb",	      "a\\nb",	 "\\u0000",
					    "\\u007f",	       "\\u001b[31m", "a\\u0001" };
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "GET", "/");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(build_with(s, NULL, arena_printf(&arena, "{'header.X-Trace':'%s'}", rows[i]), ""),
				 -ERR_INVALID);
		assert_contains(str_c(trouble.msg), "parameter \"X-Trace\" (header): byte 0x");
		assert_int_equal(build_with(s, NULL, arena_printf(&arena, "{'header.X%s':'a'}", rows[i]), ""),
				 -ERR_INVALID);
		assert_contains(str_c(trouble.msg), "not a name of a header");
		assert_int_equal(build_with(s, NULL, arena_printf(&arena, "{'cookie.X%s':'a'}", rows[i]), ""),
				 -ERR_INVALID);
		assert_contains(str_c(trouble.msg), "not a name of a cookie");
	}
}

TEST(headers_carry_texts_lists_and_objects_simply)
{
	struct call_spec *s =
	    spec_of(BASE "{'method_name':'GET','query_path':'/h','parameters':[{'name':'X-List','in':'header'},"
			 "{'name':'X-Map','in':'header','explode':true}]}" END,
		    "GET", "/h");
	build(s, "{'x-list':['a','b'],'X-Map':{'a':1,'b':2},'header.X-Raw':'\u00e9\\t=&%','header.Accept':'text/csv'}");
	assert_str(header("X-List"), "a,b");
	assert_str(header("X-Map"), "a=1,b=2");
	assert_str(header("X-Raw"), "\u00e9\t=&%");
	assert_str(header("Accept"), "text/csv");
	assert_int_equal(headers_count(&built.headers, STR("accept")), 1);
	assert_contains(built.masked, "[\"Accept\",\"text/csv\"]");
	assert_lacks(built.masked, "application/json");
}

TEST(headers_that_weir_sets_cannot_be_mapped)
{
	static const char *const names[] = { "Host", "content-length", "Transfer-Encoding", "Connection",
					     "TE",   "Expect",	       "Accept-Encoding" };
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "GET", "/");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(build_with(s, NULL, arena_printf(&arena, "{'header.%s':'a'}", names[i]), ""),
				 -ERR_INVALID);
		assert_contains(str_c(trouble.msg), "is set by Weir itself");
	}
}

TEST(cookies_stand_in_one_header_and_cannot_break_out)
{
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "GET", "/");
	build(s, "{'cookie.a':'1; b=2','cookie.list':['x','y'],'cookie.n':\"\\\"\\r\\n\"}");
	assert_str(header("Cookie"), "a=1%3B%20b=2; list=x; list=y; n=%22%0D%0A");
	assert_contains(built.masked, "[\"Cookie\",\"***\"]");
}

/* ---- bodies ---- */

TEST(a_json_body_is_built_as_a_tree)
{
	static const struct {
		const char *json, *expected;
	} rows[] = {
		{ "{'name':'a','n':1}", "{'name':'a','n':1}" },
		{ "{'x':'\\\",\\\"admin\\\":true,\\\"x\\\":\\\"'}", "{'x':'\\\",\\\"admin\\\":true,\\\"x\\\":\\\"'}" },
		{ "{'__proto__':{'a':1},'constructor':1}", "{'__proto__':{'a':1},'constructor':1}" },
		{ "{'n':12345678901234567890,'d':0.1000,'e':1e-400,'z':'\\u0000'}",
		  "{'n':12345678901234567890,'d':0.1000,'e':1e-400,'z':'\\u0000'}" },
		{ "{'body':[1,null]}", "[1,null]" },
		{ "{'body':'text'}", "'text'" },
		{ "{'body':{}}", "{}" },
		{ "{'body':{'a':null}}", "{'a':null}" },
		{ "{'body.a':1,'b':2,'gone':null}", "{'a':1,'b':2}" },
		{ "{'body.body':1}", "{'body':1}" },
		{ "{'deep':{'a':[null]},'empty':[]}", "{'deep':{'a':[null]},'empty':[]}" },
	};
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "POST", "/");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value expected = json(rows[i].expected);
		build(s, rows[i].json);
		assert_str(built.body, arena_c(&arena, text_of_value(&expected)));
		assert_str(header("Content-Type"), "application/json");
	}
}

TEST(without_values_there_is_no_body)
{
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "POST", "/");
	build(s, "{'a':null,'body':null,'query.x':1}");
	assert_null(built.body.ptr);
	assert_null(header("Content-Type").ptr);
	assert_str(built.url, "https://h/?x=1");
}

TEST(get_and_delete_have_a_body_only_when_asked)
{
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "DELETE", "/");
	build(s, "{'a':1}");
	assert_str(built.url, "https://h/?a=1");
	assert_null(built.body.ptr);
	build(s, "{'body':{'a':1}}");
	assert_str(built.body, "{\"a\":1}");
}

TEST(a_body_given_twice_is_refused)
{
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "POST", "/");
	assert_int_equal(build_with(s, NULL, "{'body':{},'a':1}", ""), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "given whole (\"body\") and by member (\"a\")");
	assert_int_equal(build_with(s, NULL, "{'a':1,'body.a':1}", ""), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "body member \"a\" is given twice");
}

TEST(a_form_body_is_encoded_by_the_url_standard)
{
	struct call_spec *s = spec_of(BASE "{'method_name':'POST','query_path':'/f','request_body':{'content_type':"
					   "'application/x-www-form-urlencoded','required':true}}" END,
				      "POST", "/f");
	build(s, "{'a':'x "
		 "y&=+\u00e9~','list':[1,2],'card':{'no':42,'sub':{'k':true}},'rows':[{'id':1},{'id':2}],'no':null}");
	assert_str(
	    built.body,
	    "a=x+y%26%3D%2B%C3%A9%7E&list=1&list=2&card%5Bno%5D=42&card%5Bsub%5D%5Bk%5D=true&rows%5B0%5D%5Bid%5D=1&"
	    "rows%5B1%5D%5Bid%5D=2");
	assert_str(header("Content-Type"), "application/x-www-form-urlencoded");
	assert_int_equal(build_with(s, NULL, "{'body':'a=1'}", ""), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "the body: a form is an object of name: value, not string");
	assert_int_equal(build_with(s, NULL, "{}", ""), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "the body is required and has no value");
}

TEST(a_mapped_content_type_decides_how_the_body_is_written)
{
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "POST", "/");
	build(s, "{'header.Content-Type':'application/merge-patch+json','a':null,'b':1}");
	assert_str(built.body, "{\"b\":1}");
	assert_str(header("content-type"), "application/merge-patch+json");
	build(s, "{'header.Content-Type':'text/csv; charset=utf-8','body':'a,b\\r\\n'}");
	assert_str(built.body, "a,b\r\n");
	assert_int_equal(build_with(s, NULL, "{'header.Content-Type':'text/csv','body':[1]}", ""), -ERR_INVALID);
	assert_contains(str_c(trouble.msg), "a body of type \"text/csv\" is a text, { file: ID } or { base64: ... }, not array");
}

TEST(the_shown_body_is_clipped_between_characters)
{
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "POST", "/");
	struct buf b;
	buf_init(&b, 1u << 20);
	(void)buf_append_c(&b, "{'header.Content-Type':'text/plain','body':'a");
	for (int i = 0; i < 40000; i++)
		(void)buf_append_c(&b, "\u00e9");
	(void)buf_append(&b, "'}", 3);
	build(s, b.ptr);
	buf_done(&b);
	struct value shown;
	assert_int_equal(built.body.len, 80001);
	assert_int_equal(json_parse(&arena, built.masked, NULL, &shown, NULL, NULL), 0);
	assert_int_equal(value_get_c(&shown, "body")->len, 65535);
	assert_str(value_text(value_get_c(&shown, "body_bytes")), "80001");
	assert_true(value_get_c(&shown, "clipped")->truth);
}

/* ---- headers of the system, keys ---- */

TEST(fixed_headers_of_connector_win_over_the_systems_and_mapped_over_both)
{
	struct call_spec *s =
	    spec_of("{'base_url':'https://h','headers':{'X-A':'system','X-B':'system','User-Agent':'me'},"
		    "'connectors':{'c':{'headers':{'x-b':'connector'}}}}",
		    "GET", "/");
	build(s, "{}");
	assert_str(header("X-A"), "system");
	assert_str(header("X-B"), "connector");
	assert_str(header("User-Agent"), "me");
	assert_int_equal(built.headers.n, 4);
	assert_str(built.masked, "{\"method\":\"GET\",\"url\":\"https://h/\",\"headers\":[[\"Accept\",\"application/"
				 "json, */*;q=0.5\"],[\"X-A\","
				 "\"system\"],[\"x-b\",\"connector\"],[\"User-Agent\",\"me\"]],\"body\":null}");
	build(s, "{'header.X-B':'mapped'}");
	assert_str(header("X-B"), "mapped");
	assert_int_equal(built.headers.n, 4);
	assert_contains(built.masked, "[\"X-B\",\"mapped\"]");
	assert_lacks(built.masked, "connector");
}

TEST(the_idempotency_key_is_sent_as_plain_text)
{
	struct call_spec *s = spec_of(
	    BASE "{'method_name':'POST','query_path':'/p','idempotency_key':true},{'method_name':'PATCH','query_path':"
		 "'/p','idempotency_key':{'header':'X-Request-Key'}}" END,
	    "POST", "/p");
	assert_true(call_spec_wants_key(s));
	assert_int_equal(build_with(s, NULL, "{}", "0123abcd"), 0);
	assert_str(header("Idempotency-Key"), "0123abcd");
	assert_contains(built.masked, "[\"Idempotency-Key\",\"0123abcd\"]");
	assert_int_equal(build_with(s, NULL, "{'header.idempotency-key':'mine'}", "k"), -ERR_INVALID);
	assert_int_equal(build_with(s, NULL, "{}", "a\r\nb"), -ERR_INVALID);
}

TEST(many_rows_are_taken_and_too_many_headers_refused)
{
	struct call_spec *s = spec_of("{'base_url':'https://h','connectors':{'c':{}}}", "GET", "/");
	struct value parameters = value_object();
	for (int i = 0; i < 300; i++) {
		assert_int_equal(
		    value_add(&arena, &parameters, str_c(arena_printf(&arena, "q%d", i)), value_bool(true)), 0);
		if (i == 99) {
			assert_int_equal(call_request_build(s, NULL, &parameters, STR_NULL, &arena, &built, &trouble),
					 0);
			assert_contains(built.url, "/?q0=true&q1=true&");
			assert_true(str_ends(built.url, STR("&q99=true")));
		}
		assert_int_equal(
		    value_add(&arena, &parameters, str_c(arena_printf(&arena, "header.h%d", i)), value_bool(true)), 0);
	}
	assert_int_equal(call_request_build(s, NULL, &parameters, STR_NULL, &arena, &built, &trouble), -ERR_LIMIT);
	assert_contains(str_c(trouble.msg), "more than 256 headers");
}

static struct call_spec *torture_spec(void)
{
	return spec_of("{'base_url':'https://"
		       "h?a=1','auth':{'kind':'api_key','name':'key','in':'query','value':{'secret':'K'}},'headers':"
		       "{'X-A':'1','X-S':{'secret':'K'}},'connectors':{'c':{}}}",
		       "POST", "/{id}");
}

TEST(any_allocation_may_fail_and_nothing_is_lost)
{
	assert_int_equal(setenv("WEIR_SECRET_K", "s3cr3t-value", 1), 0);
	struct value *parameters =
	    json_new("{'id':'a b','header.X':['a','b'],'cookie.c':1,'query.q':{'a':1},'x':{'y':'s3cr3t-value'}}");
	for (unsigned long n = 1;; n++) {
		struct arena item;
		struct err e = ERR_INIT;
		struct call_spec *s = torture_spec();
		arena_init(&item, 0);
		alloc_fail_after(n);
		struct secrets *secrets = secrets_new(NULL, &e);
		int r =
		    secrets ? call_request_build(s, secrets, parameters, STR_NULL, &item, &built, &e) : -ERR_NO_MEMORY;
		bool has_failed = alloc_has_failed();
		alloc_fail_after(0);
		secrets_free(secrets);
		arena_done(&item);
		if (!has_failed) {
			assert_int_equal(r, 0);
			break;
		}
		assert_true(r == 0 || r == -ERR_NO_MEMORY || r == -ERR_MISSING);
	}
	assert_int_equal(unsetenv("WEIR_SECRET_K"), 0);
}

TEST(asking_for_no_coding_changes_one_header_and_nothing_else)
{
	struct call_request r, before;
	struct err e = ERR_INIT;
	struct value parameters = json("{'n':1}");
	struct call_spec *s = spec_of("{'base_url':'https://h','headers':{'X-A':'1'},'connectors':{'c':{}}}", "POST", "/x");
	if (call_request_build(s, NULL, &parameters, STR_NULL, &arena, &r, &e) < 0)
		fail_msg("%s", e.msg);
	before = r;
	assert_int_equal(call_request_ask_identity(&r, &arena), 0);
	assert_int_equal(call_request_ask_identity(&r, &arena), 0); /* twice is once */
	assert_int_equal(r.headers.n, before.headers.n + 1);
	assert_str(headers_get(&r.headers, STR("Accept-Encoding")), "identity");
	assert_int_equal(headers_count(&before.headers, STR("Accept-Encoding")), 0);
	assert_contains(r.masked, "[\"X-A\",\"1\"],[\"Content-Type\",\"application/json\"],[\"Accept-Encoding\",\"identity\"]]");
	assert_true(str_eq(r.body, before.body) && str_eq(r.url, before.url) && r.method == before.method);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(get_sends_parameters_as_query_in_mapping_order),
		CALL_CLAIM(every_naughty_text_is_one_encoded_path_segment),
		CALL_CLAIM(dots_empty_and_nothing_are_no_path_segment),
		CALL_CLAIM(ten_thousand_bytes_are_one_segment_and_too_many_are_refused),
		CALL_CLAIM(base_url_and_path_are_joined_exactly),
		CALL_CLAIM(query_values_follow_their_declared_style),
		CALL_CLAIM(containers_inside_containers_are_refused_where_no_style_can_write_them),
		CALL_CLAIM(a_required_parameter_without_value_is_named),
		CALL_CLAIM(control_bytes_in_a_header_are_refused_with_its_name),
		CALL_CLAIM(headers_carry_texts_lists_and_objects_simply),
		CALL_CLAIM(headers_that_weir_sets_cannot_be_mapped),
		CALL_CLAIM(cookies_stand_in_one_header_and_cannot_break_out),
		CALL_CLAIM(a_json_body_is_built_as_a_tree),
		CALL_CLAIM(without_values_there_is_no_body),
		CALL_CLAIM(get_and_delete_have_a_body_only_when_asked),
		CALL_CLAIM(a_body_given_twice_is_refused),
		CALL_CLAIM(a_form_body_is_encoded_by_the_url_standard),
		CALL_CLAIM(a_mapped_content_type_decides_how_the_body_is_written),
		CALL_CLAIM(the_shown_body_is_clipped_between_characters),
		CALL_CLAIM(fixed_headers_of_connector_win_over_the_systems_and_mapped_over_both),
		CALL_CLAIM(the_idempotency_key_is_sent_as_plain_text),
		CALL_CLAIM(many_rows_are_taken_and_too_many_headers_refused),
		CALL_CLAIM(asking_for_no_coding_changes_one_header_and_nothing_else),
		CALL_CLAIM(any_allocation_may_fail_and_nothing_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
