/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: what is kept, and what is made of them. */
#include "call_test.h"

#include "base/alloc.h"

static struct value result, problem;

/* An answer with one content type ("" = none) and more headers as JSON pairs. */
static struct call_answer answer(int status, const char *type, struct str body, const char *more)
{
	struct call_answer x = {
		.status = status, .certainty = HTTP_ANSWERED, .body = body, .headers = json(more ? more : "[]")
	};
	struct value pair = value_array();
	x.timings = value_object();
	assert_int_equal(value_push(&arena, &pair, value_string(STR("content-type"))), 0);
	assert_int_equal(value_push(&arena, &pair, value_string(str_c(type))), 0);
	if (*type)
		assert_int_equal(value_push(&arena, &x.headers, pair), 0);
	return x;
}

static struct call_spec *spec(const char *method)
{
	return spec_of("{'base_url':'https://h','connectors':{'c':{}}}", method, "/things");
}

static enum call_verdict judge(const struct call_spec *s, const char *rule, const struct call_answer *x)
{
	struct err e = ERR_INIT;
	struct call_result_rule *r = call_result_rule_new(&arena, str_c(rule), &e);
	if (!r)
		fail_msg("%s", e.msg);
	return call_judge(s, r, x, &arena, &result, &problem);
}

static struct str detail(void)
{
	const struct value *v = value_get_c(&problem, "detail");
	return v ? value_text(v) : STR_NULL;
}

#define BYTES(lit) ((struct str){ lit, sizeof(lit) - 1 })

TEST(a_body_becomes_what_its_type_says)
{
	static const struct {
		const char *type;
		struct str body;
		const char *expected;
	} rows[] = {
		{ "application/json", BYTES("{\"a\":[1,null]}"), "{\"a\":[1,null]}" },
		{ "Application/JSON; charset=latin1", BYTES("\"\xC3\xA9\""), "\"\xC3\xA9\"" },
		{ "application/vnd.api+json", BYTES(" 1 "), "1" },
		{ "text/json", BYTES("true"), "true" },
		{ "application/json", BYTES("\xEF\xBB\xBF{}"), "{}" },
		{ "application/json", BYTES(""), "null" },
		{ "application/json", BYTES("\xEF\xBB\xBF"), "null" },
		{ "application/json", BYTES("{\"n\":12345678901234567890,\"d\":0.1000,\"e\":1e-400,\"z\":\"\\u0000\"}"),
		  "{\"n\":12345678901234567890,\"d\":0.1000,\"e\":1e-400,\"z\":\"\\u0000\"}" },
		{ "application/json", BYTES("{\"__proto__\":{\"a\":1}}"), "{\"__proto__\":{\"a\":1}}" },
		{ "application/json", BYTES("{\"a\":1,\"a\":2}"), "{\"a\":2}" },
		{ "", BYTES(" {\"a\":1}"), "{\"a\":1}" },
		{ "", BYTES("[]"), "[]" },
		{ "", BYTES("plain"), "\"plain\"" },
		{ "", BYTES("\x00\xFF"),
		  "{\"media_type\":\"application/octet-stream\",\"bytes\":2,\"base64\":\"AP8=\"}" },
		{ "text/plain", BYTES("h\xC3\xA9"), "\"h\xC3\xA9\"" },
		{ "text/plain; charset=ISO-8859-1", BYTES("h\xE9\x80"), "\"h\xC3\xA9\xE2\x82\xAC\"" },
		{ "text/x-any; charset=\"windows-1252\"", BYTES("\x93q\x94"), "\"\xE2\x80\x9Cq\xE2\x80\x9D\"" },
		{ "text/plain; charset=us-ascii", BYTES("{}"), "{}" },
		{ "text/plain", BYTES("{not json"), "\"{not json\"" },
		{ "text/x-log", BYTES("{}"), "\"{}\"" },
		{ "image/svg+xml", BYTES("<svg/>"), "\"<svg/>\"" },
		{ "text/html", BYTES("\n{\"php\":1}"), "{\"php\":1}" },
		{ "application/x-ndjson", BYTES("{\"a\":1}\r\n\n2\n"), "[{\"a\":1},2]" },
		{ "application/x-ndjson", BYTES("\n"), "[]" },
		{ "image/png", BYTES("\x89PNG"), "{\"media_type\":\"image/png\",\"bytes\":4,\"base64\":\"iVBORw==\"}" },
		{ "application/pdf", BYTES(""), "null" },
	};
	struct call_spec *s = spec("GET");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = answer(200, rows[i].type, rows[i].body, NULL);
		if (judge(s, "body", &x) != CALL_OK)
			fail_msg("row %zu: %.*s", i, STR_ARG(detail()));
		assert_str(text_of_value(&result), rows[i].expected);
	}
}

TEST(a_body_that_cannot_be_read_is_no_success)
{
	static const struct {
		const char *type;
		struct str body;
		const char *problem, *told;
	} rows[] = {
		{ "application/json", BYTES("{\"a\":"), "invalid_json",
		  "the answer is declared application/json; invalid JSON at offset 5" },
		{ "application/json", BYTES("{} x"), "invalid_json", "offset 3" },
		{ "application/json", BYTES("NaN"), "invalid_json", "offset 0" },
		{ "application/json", BYTES("\"\xFF\""), "invalid_json", "offset 1" },
		{ "application/json", BYTES("\"\\ud800\""), "invalid_json", "offset" },
		{ "application/json", BYTES(")]}'{}"), "invalid_json", "offset 0" },
		{ "application/json", BYTES("<html><title>Sign in</title>"), "unexpected_content_type",
		  "titled \"Sign in\" where JSON was expected" },
		{ "application/json", BYTES("<h1>"), "invalid_json", "offset 0" },
		{ "application/json", BYTES("{\"a\":1}{\"error\":true}"), "invalid_json", "offset 7" },
		{ "", BYTES("{\"a\""), "invalid_json", "offset 4" },
		{ "text/html", BYTES("<!doctype html><html><head><TITLE lang=en>\n Sign\x01 in </title>"),
		  "unexpected_content_type", "an HTML page titled \"Sign in\" where JSON was expected" },
		{ "text/html; charset=utf-8", BYTES("oops"), "unexpected_content_type",
		  "an HTML page where JSON was expected" },
		{ "", BYTES("<HTML><title>x</title>"), "unexpected_content_type", "titled \"x\"" },
		{ "application/x-ndjson", BYTES("{}\n{"), "invalid_json", "line 2: invalid JSON at offset 1" },
		{ "text/plain; charset=ebcdic", BYTES("x"), "unsupported_charset", "charset \"ebcdic\"" },
		{ "text/plain; charset=utf-8", BYTES("ab\xFF"), "invalid_text", "offset 2" },
	};
	struct call_spec *s = spec("GET");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = answer(200, rows[i].type, rows[i].body, NULL);
		if (judge(s, "body", &x) != CALL_FAILED)
			fail_msg("row %zu is no failure", i);
		assert_str(value_text(value_get_c(&problem, "type")), rows[i].problem);
		assert_contains(detail(), "GET crm /things: ");
		assert_contains(detail(), rows[i].told);
		assert_int_equal(result.kind, VALUE_NULL);
	}
}

TEST(a_binary_answer_beyond_a_mebibyte_does_not_go_into_an_item)
{
	char *bytes = arena_zalloc(&arena, (1u << 20) + 1);
	assert_non_null(bytes);
	struct call_answer x = answer(200, "image/png", str_from(bytes, (1u << 20) + 1), NULL);
	assert_int_equal(judge(spec("GET"), "body", &x), CALL_FAILED);
	assert_str(value_text(value_get_c(&problem, "type")), "binary_too_large");
	x.body.len--;
	assert_int_equal(judge(spec("GET"), "body", &x), CALL_OK);
}

TEST(an_operation_may_say_what_its_answer_is)
{
	static const struct {
		const char *answer, *type, *expected;
	} rows[] = {
		{ "json", "text/plain", "{\"a\":1}" },
		{ "json", "application/octet-stream", "{\"a\":1}" },
		{ "text", "application/json", "\"{\\\"a\\\":1}\"" },
		{ "text", "text/html", "\"{\\\"a\\\":1}\"" },
		{ "binary", "text/html", "{\"media_type\":\"text/html\",\"bytes\":7,\"base64\":\"eyJhIjoxfQ==\"}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = answer(200, rows[i].type, STR("{\"a\":1}"), NULL);
		struct call_spec *s = spec_of(
		    arena_printf(&arena,
				 "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'GET',"
				 "'query_path':'/x','answer':'%s'}]}}}",
				 rows[i].answer),
		    "GET", "/x");
		assert_int_equal(judge(s, "auto", &x), CALL_OK);
		assert_str(text_of_value(&result), rows[i].expected);
	}
}

/* ---- result rules ---- */

TEST(the_result_rule_finds_its_part)
{
	static const char body[] = "{\"id\":7,\"a\":{\"b\":[10,{\"c d\":\"e\",\"f-g\":1}]},\"n\":null}";
	static const struct {
		const char *method, *rule, *expected;
	} rows[] = {
		{ "GET", "auto", body },
		{ "OPTIONS", "auto", body },
		{ "POST", "auto", "7" },
		{ "PUT", "auto", "7" },
		{ "PATCH", "auto", "7" },
		{ "DELETE", "auto", "7" },
		{ "GET", "id", "7" },
		{ "POST", "body", body },
		{ "GET", "$", body },
		{ "GET", "$.id", "7" },
		{ "POST", "$.a.b[0]", "10" },
		{ "GET", "$['a']['b'][1]['c d']", "\"e\"" },
		{ "GET", "$[\"a\"].b[-1]['f-g']", "1" },
		{ "GET", "$.a.b[9]", "null" },
		{ "GET", "$.nowhere.b", "null" },
		{ "GET", "$.n", "null" },
		{ "GET", "$.id.deeper", "null" },
		{ "GET", "$[0]", "null" },
		{ "GET", "$..id", "[7]" },
		{ "GET", "$.a.b[*]['c d']", "[\"e\"]" },
		{ "GET", "$.a.b[1:]", "[{\"c d\":\"e\",\"f-g\":1}]" },
		{ "GET", "$.a.b[?@['f-g'] == 1.0]['c d', 'f-g']", "[\"e\",1]" },
		{ "GET", "$[?match(@.b[1]['c d'], '[a-f]')].b[0]", "[10]" },
		{ "GET", "$.nowhere[*]", "[]" },
		{ "HEAD", "auto", "null" },
		{ "HEAD", "response",
		  "{\"status\":200,\"headers\":{\"x-a\":[\"1\",\"2\"],"
		  "\"content-type\":\"application/json\"},\"body\":null}" },
		{ "GET", "response", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = answer(200, "application/json", BYTES(body), "[['x-a','1'],['x-a','2']]");
		assert_int_equal(judge(spec(rows[i].method), rows[i].rule, &x), CALL_OK);
		const char *expected = rows[i].expected
					   ? rows[i].expected
					   : arena_printf(&arena,
							  "{\"status\":200,\"headers\":{\"x-a\":[\"1\",\"2\"],"
							  "\"content-type\":\"application/json\"},\"body\":%s}",
							  body);
		assert_str(text_of_value(&result), expected);
	}
}

TEST(the_id_is_looked_for_in_three_places)
{
	static const struct {
		int status;
		const char *type, *body, *headers, *expected;
	} rows[] = {
		{ 201, "application/json", "{'data':{'id':'a1'},'id':2}", "[['location','/x/3']]", "\"a1\"" },
		{ 201, "application/json", "{'data':{'id':null},'id':2}", "[['location','/x/3']]", "2" },
		{ 201, "application/json", "{'id':0}", "[]", "0" },
		{ 201, "application/json", "{'other':1}", "[['location','/x/3']]", "\"3\"" },
		{ 201, "", "", "[['location','https://h/users/a%20b/?x=/9#/8']]", "\"a b\"" },
		{ 204, "", "", "[['location','https://h/users/42/']]", "\"42\"" },
		{ 201, "", "", "[['location','https://h']]", "null" },
		{ 201, "", "", "[['location','https://h/']]", "null" },
		{ 201, "", "", "[['location','7']]", "\"7\"" },
		{ 201, "", "", "[['location','/a/%zz']]", "\"%zz\"" },
		{ 201, "", "", "[['location','/a/%ff']]", "\"%ff\"" },
		{ 201, "", "", "[['location','']]", "null" },
		{ 200, "", "", "[]", "null" },
		{ 200, "text/plain", "ok", "[]", "null" },
		{ 200, "application/json", "[{'id':1}]", "[]", "null" },
		{ 201, "application/json", "{broken", "[['location','/x/3']]", "\"3\"" },
		{ 201, "text/html", "<html>", "[['location','/x/3']]", "\"3\"" },
	};
	struct call_spec *s =
	    spec_of("{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'POST','query_path':'/x',"
		    "'id':'$.data.id'}]}}}",
		    "POST", "/x");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *body = arena_c(&arena, str_c(rows[i].body));
		for (char *p = body; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		struct call_answer x = answer(rows[i].status, rows[i].type, str_c(body), rows[i].headers);
		if (judge(s, "auto", &x) != CALL_OK)
			fail_msg("row %zu: %.*s", i, STR_ARG(detail()));
		assert_str(text_of_value(&result), rows[i].expected);
	}
	struct call_answer x = answer(200, "application/json", STR("{broken"), NULL);
	assert_int_equal(judge(s, "auto", &x), CALL_FAILED);
}

TEST(an_id_may_be_all_that_a_path_selects)
{
	static const struct {
		const char *body, *headers, *expected;
	} rows[] = {
		{ "{\"rows\":[{\"id\":1,\"new\":true},{\"id\":2},{\"id\":3,\"new\":false}]}", "[]", "[1,3]" },
		{ "{\"rows\":[{\"id\":1}],\"id\":4}", "[['location','/x/5']]", "4" },
		{ "{\"rows\":[]}", "[['location','/x/5']]", "\"5\"" },
		{ "{}", "[]", "null" },
	};
	struct call_spec *s =
	    spec_of("{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'POST','query_path':'/x',"
		    "'id':'$.rows[?@.new].id'}]}}}",
		    "POST", "/x");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = answer(201, "application/json", str_c(rows[i].body), rows[i].headers);
		assert_int_equal(judge(s, "auto", &x), CALL_OK);
		assert_str(text_of_value(&result), rows[i].expected);
	}
}

TEST(a_path_that_takes_too_much_is_the_answers_failure)
{
	auto_buf struct buf b;
	buf_init(&b, 1 << 20);
	buf_append_c(&b, "[0");
	for (int i = 0; i < 20000; i++)
		buf_append_c(&b, ",0");
	buf_append_c(&b, "]");
	struct call_answer x = answer(200, "application/json", buf_str(&b), NULL);
	assert_int_equal(judge(spec("GET"), "$[?count($[*]) > 1]", &x), CALL_FAILED);
	assert_true(value_is_string(value_get_c(&problem, "type"), STR("result_path_limit")));
	assert_contains(detail(), "costs more than");
}

TEST(other_paths_are_refused_with_a_clear_sentence)
{
	static const struct {
		const char *rule, *told;
	} rows[] = {
		{ "", "write auto, id, body, response or a path like $.data.id" },
		{ "Body", "write auto, id, body, response" },
		{ "data.id", "write auto, id, body, response" },
		{ "$.a[?(@.b=1)]", "write == to compare" },
		{ "$.a[?@.*==1]", "may lead to many values" },
		{ "$.a[?match(@.b, '\\\\d+')]", "write [0-9]" },
		{ "$.a-b", "offset 3, near \"-b\"" },
		{ "$.a-b", "['any name']" },
		{ "$a", "offset 1, near \"a\"" },
		{ "$.", "a name is missing" },
		{ "$.1a", "a name is missing" },
		{ "$[", "write [0], ['name']" },
		{ "$[x]", "write [0], ['name']" },
		{ "$[]", "write [0], ['name']" },
		{ "$[1", "\"]\" is missing" },
		{ "$['a", "does not end" },
		{ "$['a'", "\"]\" is missing" },
		{ "$['a\\q']", "no such escape" },
		{ "$['a\\", "does not end" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = ERR_INIT;
		if (call_result_rule_new(&arena, str_c(rows[i].rule), &e))
			fail_msg("\"%s\" is taken", rows[i].rule);
		assert_contains(str_c(e.msg), rows[i].told);
	}
}

/* ---- failures ---- */

TEST(a_status_outside_2xx_fails_with_the_upstreams_own_words)
{
	static const struct {
		int status;
		const char *type, *body, *headers, *expected;
	} rows[] = {
		{ 404, "application/problem+json", "{\"title\":\"Not there\",\"detail\":\"no user 7\",\"status\":404}",
		  "[]", "POST crm /things: answered 404 Not Found: no user 7" },
		{ 400, "application/json", "{\"error\":true,\"reason\":\"bad latitude\"}", "[]",
		  "POST crm /things: answered 400 Bad Request: bad latitude" },
		{ 422, "application/json", "{\"error\":{\"code\":1,\"message\":\"too short\"}}", "[]",
		  "POST crm /things: answered 422 Unprocessable Content: too short" },
		{ 422, "application/json", "{\"errors\":[{\"detail\":\"first\"},{\"detail\":\"second\"}]}", "[]",
		  "POST crm /things: answered 422 Unprocessable Content: first" },
		{ 401, "application/json", "{\"error\":\"invalid_token\",\"error_description\":\"expired\"}", "[]",
		  "POST crm /things: answered 401 Unauthorized: expired" },
		{ 500, "text/html", "<html><title>Oops\x1b[31m &amp;</title>", "[]",
		  "POST crm /things: answered 500 Internal Server Error: Oops [31m &amp;" },
		{ 503, "text/plain", "  come back\r\nlater\n", "[]",
		  "POST crm /things: answered 503 Service Unavailable: come back later" },
		{ 500, "application/json", "{broken", "[]", "POST crm /things: answered 500 Internal Server Error" },
		{ 500, "application/json", "{\"detail\":{\"x\":1},\"title\":7}", "[]",
		  "POST crm /things: answered 500 Internal Server Error" },
		{ 599, "", "", "[]", "POST crm /things: answered 599" },
		{ 999, "image/png", "\x89PNG", "[]", "POST crm /things: answered 999" },
		{ 302, "", "", "[[\"location\",\"https://elsewhere/x\"]]",
		  "POST crm /things: answered 302 Found, pointing to \"https://elsewhere/x\"; this redirect is not "
		  "followed" },
		{ 304, "", "", "[]", "POST crm /things: answered 304 Not Modified" },
	};
	struct call_spec *s = spec("POST");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = answer(rows[i].status, rows[i].type, str_c(rows[i].body), rows[i].headers);
		assert_int_equal(judge(s, "auto", &x), CALL_FAILED);
		assert_str(detail(), rows[i].expected);
		assert_str(value_text(value_get_c(&problem, "type")), "http_status");
		assert_str(value_text(value_get_c(&problem, "status")), arena_printf(&arena, "%d", rows[i].status));
	}
}

TEST(a_long_message_is_clipped)
{
	char *body = arena_printf(&arena, "{\"message\":\"%0500d\"}", 0);
	struct call_answer x = answer(400, "application/json", str_c(body), NULL);
	assert_int_equal(judge(spec("GET"), "auto", &x), CALL_FAILED);
	assert_true(detail().len < 260);
	assert_contains(detail(), "000...");
}

TEST(only_an_ambiguous_error_on_an_unrepeatable_call_is_unknown)
{
	static const struct {
		const char *method;
		enum http_error error;
		enum http_certainty certainty;
		enum call_verdict verdict;
		const char *type;
	} rows[] = {
		{ "POST", HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS, CALL_UNKNOWN, "unknown_outcome" },
		{ "PATCH", HTTP_ERROR_TOTAL_TIMEOUT, HTTP_AMBIGUOUS, CALL_UNKNOWN, "unknown_outcome" },
		{ "POST", HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT, CALL_FAILED, "connect_refused" },
		{ "POST", HTTP_ERROR_TOO_LARGE, HTTP_ANSWERED, CALL_FAILED, "too_large" },
		{ "GET", HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS, CALL_FAILED, "truncated" },
		{ "PUT", HTTP_ERROR_FIRST_BYTE_TIMEOUT, HTTP_AMBIGUOUS, CALL_FAILED, "first_byte_timeout" },
		{ "DELETE", HTTP_ERROR_BAD_FRAMING, HTTP_AMBIGUOUS, CALL_FAILED, "bad_framing" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = { .error = rows[i].error,
					 .certainty = rows[i].certainty,
					 .detail = STR("the\x01 cause"),
					 .headers = value_array() };
		assert_int_equal(judge(spec(rows[i].method), "auto", &x), rows[i].verdict);
		assert_str(value_text(value_get_c(&problem, "type")), rows[i].type);
		assert_contains(detail(), "the cause");
		assert_int_equal(value_get_c(&problem, "status")->kind, VALUE_NULL);
	}
	struct call_spec *keyed =
	    spec_of("{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'POST','query_path':'/k',"
		    "'idempotency_key':true}]}}}",
		    "POST", "/k");
	struct call_answer x = { .error = HTTP_ERROR_CONNECTION_LOST,
				 .certainty = HTTP_AMBIGUOUS,
				 .headers = value_array() };
	assert_int_equal(judge(keyed, "auto", &x), CALL_FAILED);
}

/* ---- from the wire, to the ledger and back ---- */

static struct http_response response;
static struct headers wire_headers;
static struct buf wire_body;

static void wire(const char *body)
{
	static const char *const pairs[][2] = { { "Content-Type", "application/json" },
						{ "Set-Cookie", "sid=1" },
						{ "X-Auth-Token", "t" },
						{ "Location", "/things/4" },
						{ "X-Latin", "caf\xE9" },
						{ "X-Echo", "s3cr3t-value" } };
	wire_headers = (struct headers){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		assert_int_equal(headers_add(&arena, &wire_headers, str_c(pairs[i][0]), str_c(pairs[i][1]), NULL), 0);
	buf_init(&wire_body, 1u << 20);
	assert_int_equal(buf_append_c(&wire_body, body), 0);
	response =
	    (struct http_response){ .certainty = HTTP_ANSWERED,
				    .status = 201,
				    .headers = &wire_headers,
				    .body = &wire_body,
				    .timings = { .connect = 1234, .sent = 1500, .first_byte = 2000, .total = 5 } };
}

TEST(an_answer_is_kept_with_lower_names_and_masked_secrets)
{
	struct call_answer x;
	char *body = NULL;
	struct str value;
	(void)setenv("WEIR_SECRET_W", "s3cr3t-value", 1);
	struct secrets *secrets = secrets_new(NULL, NULL);
	assert_true(secrets_get(secrets, STR("W"), &value));
	wire("{\"id\":1,\"echo\":\"czNjcjN0LXZhbHVl\",\"q\":\"a=s3cr3t-value&b\"}");
	assert_int_equal(call_answer_from_response(&response, secrets, &arena, &x, &body), 0);
	assert_str(text_of_value(&x.headers),
		   "[[\"content-type\",\"application/json\"],[\"set-cookie\",\"***\"],[\"x-auth-token\",\"***\"],"
		   "[\"location\",\"/things/4\"],[\"x-latin\",\"caf\xC3\xA9\"],[\"x-echo\",\"***\"]]");
	assert_str(text_of_value(&x.timings), "{\"connect\":1.234,\"sent\":1.5,\"first_byte\":2,\"total\":0.005}");
	assert_str(x.body, "{\"id\":1,\"echo\":\"***\",\"q\":\"a=***&b\"}");
	free(body);
	buf_done(&wire_body);
	response =
	    (struct http_response){ .error = HTTP_ERROR_TLS_CERT, .detail = "no trust in https://h/?key=s3cr3t-value" };
	assert_int_equal(call_answer_from_response(&response, secrets, &arena, &x, &body), 0);
	assert_str(x.detail, "no trust in https://h/?key=***");
	assert_null(body);
	wire("packed bytes, in which nobody finds it");
	response.error = HTTP_ERROR_BAD_ENCODING;
	response.decoded = STR("{\"echo\":\"s3cr3t-value\"");
	assert_int_equal(call_answer_from_response(&response, secrets, &arena, &x, &body), 0);
	assert_null(body); /* what cannot be masked is not kept */
	response.decoded = STR("{\"echo\":");
	assert_int_equal(call_answer_from_response(&response, secrets, &arena, &x, &body), 0);
	assert_str(x.body, "packed bytes, in which nobody finds it");
	free(body);
	buf_done(&wire_body);
	secrets_free(secrets);
}

TEST(an_answer_without_secrets_is_taken_as_it_is)
{
	struct call_answer x;
	char *body = NULL;
	wire("{\"id\":1}");
	const char *bytes = wire_body.ptr;
	assert_int_equal(call_answer_from_response(&response, NULL, &arena, &x, &body), 0);
	assert_ptr_equal(body, bytes);
	assert_null(wire_body.ptr);
	free(body);
}

TEST(an_answer_read_from_the_ledger_is_judged_the_same)
{
	static const struct {
		enum http_error error;
		enum http_certainty certainty;
		int status;
		const char *body;
	} rows[] = {
		{ HTTP_ERROR_NONE, HTTP_ANSWERED, 201, "{\"name\":1}" },
		{ HTTP_ERROR_NONE, HTTP_ANSWERED, 201, "{broken" },
		{ HTTP_ERROR_NONE, HTTP_ANSWERED, 500, "{\"message\":\"m\"}" },
		{ HTTP_ERROR_NONE, HTTP_ANSWERED, 204, "" },
		{ HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS, 0, "" },
		{ HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS, 200, "{\"a\"" },
		{ HTTP_ERROR_DNS_NOT_FOUND, HTTP_NOT_SENT, 0, "" },
	};
	static const char *const rules[] = { "auto", "body", "response", "$.name" };
	struct call_spec *s = spec("POST");
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(rules); i++) {
		struct call_answer x, y;
		struct buf head;
		struct err e = ERR_INIT;
		char *body = NULL;
		size_t row = i / ARRAY_LEN(rules);
		wire(rows[row].body);
		response.error = rows[row].error;
		response.certainty = rows[row].certainty;
		response.status = rows[row].status;
		response.detail = "why \"it\" failed";
		assert_int_equal(call_answer_from_response(&response, NULL, &arena, &x, &body), 0);
		buf_init(&head, 1u << 20);
		assert_int_equal(call_answer_write(&x, &head), 0);
		struct str stored = arena_str(&arena, buf_str(&head));
		if (call_answer_read(stored, rows[row].status, x.body, &arena, &y, &e) < 0)
			fail_msg("%s", e.msg);
		enum call_verdict first = judge(s, rules[i % ARRAY_LEN(rules)], &x);
		struct str r1 = text_of_value(&result), p1 = text_of_value(&problem);
		assert_int_equal(judge(s, rules[i % ARRAY_LEN(rules)], &y), first);
		assert_str(text_of_value(&result), arena_c(&arena, r1));
		assert_str(text_of_value(&problem), arena_c(&arena, p1));
		buf_done(&head);
		buf_done(&wire_body);
		free(body);
	}
}

TEST(a_part_is_a_success_only_where_a_range_was_asked_for)
{
	static const struct {
		const char *connector;
		bool is_asked;
		enum call_verdict verdict;
	} rows[] = {
		{ "{}", false, CALL_FAILED },
		{ "{}", true, CALL_OK },
		{ "{'rules':[{'when':{'status':206},'then':'ok'}]}", false, CALL_OK }, /* who writes that knows */
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_spec *s = spec_of(arena_printf(&arena, "{'base_url':'https://h','connectors':{'c':%s}}", rows[i].connector),
					      "POST", "/things");
		struct call_answer x = answer(206, "application/json", STR("{\"id\":1}"), "[['content-range','bytes 0-7/100']]"), y;
		struct buf head;
		x.is_range_asked = rows[i].is_asked;
		x.is_close_delimited = !rows[i].is_asked;
		assert_int_equal(judge(s, "auto", &x), rows[i].verdict);
		if (rows[i].verdict == CALL_FAILED) {
			assert_true(value_is_string(value_get_c(&problem, "type"), STR("partial_content")));
			assert_contains(detail(), "bytes 0-7/100");
		}
		buf_init(&head, 1u << 20);
		assert_int_equal(call_answer_write(&x, &head), 0);
		assert_int_equal(call_answer_read(buf_str(&head), 206, x.body, &arena, &y, NULL), 0);
		assert_int_equal(judge(s, "auto", &y), rows[i].verdict); /* as it was when it came */
		assert_int_equal(y.is_close_delimited, x.is_close_delimited);
		buf_done(&head);
	}
}

TEST(a_strange_head_is_refused)
{
	static const char *const rows[] = {
		"",
		"[]",
		"{}",
		"{'headers':[],'timings':1}",
		"{'headers':[[1,2]],'timings':{}}",
		"{'headers':[['a']],'timings':{}}",
		"{'headers':[],'timings':{},'error':'odd','certainty':'answered','detail':''}",
		"{'headers':[],'timings':{},'error':'truncated','certainty':'maybe','detail':''}",
		"{'headers':[],'timings':{},'error':'truncated','certainty':'answered'}"
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x;
		struct err e = ERR_INIT;
		char *head = arena_c(&arena, str_c(rows[i]));
		for (char *p = head; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		assert_true(call_answer_read(str_c(head), 200, STR_NULL, &arena, &x, &e) < 0);
		assert_contains(str_c(e.msg), "head of an answer");
	}
}

TEST(judgement_survives_any_allocation_failing)
{
	struct call_spec *s = spec("POST");
	for (unsigned long n = 1;; n++) {
		struct arena item;
		struct call_answer x;
		char *body = NULL;
		struct call_result_rule *rule = call_result_rule_new(&arena, STR("response"), NULL);
		arena_init(&item, 0);
		wire("{\"a\":[1,2,3]}");
		alloc_fail_after(n);
		int r = call_answer_from_response(&response, NULL, &item, &x, &body);
		enum call_verdict verdict = r == 0 ? call_judge(s, rule, &x, &item, &result, &problem) : CALL_FAILED;
		bool has_failed = alloc_has_failed();
		alloc_fail_after(0);
		arena_done(&item);
		free(body);
		buf_done(&wire_body);
		if (!has_failed) {
			assert_int_equal(verdict, CALL_OK);
			return;
		}
		assert_true(r == 0 || r == -ERR_NO_MEMORY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(a_body_becomes_what_its_type_says),
		CALL_CLAIM(a_body_that_cannot_be_read_is_no_success),
		CALL_CLAIM(a_binary_answer_beyond_a_mebibyte_does_not_go_into_an_item),
		CALL_CLAIM(an_operation_may_say_what_its_answer_is),
		CALL_CLAIM(the_result_rule_finds_its_part),
		CALL_CLAIM(an_id_may_be_all_that_a_path_selects),
		CALL_CLAIM(a_path_that_takes_too_much_is_the_answers_failure),
		CALL_CLAIM(the_id_is_looked_for_in_three_places),
		CALL_CLAIM(other_paths_are_refused_with_a_clear_sentence),
		CALL_CLAIM(a_status_outside_2xx_fails_with_the_upstreams_own_words),
		CALL_CLAIM(a_long_message_is_clipped),
		CALL_CLAIM(only_an_ambiguous_error_on_an_unrepeatable_call_is_unknown),
		CALL_CLAIM(an_answer_is_kept_with_lower_names_and_masked_secrets),
		CALL_CLAIM(an_answer_without_secrets_is_taken_as_it_is),
		CALL_CLAIM(an_answer_read_from_the_ledger_is_judged_the_same),
		CALL_CLAIM(a_part_is_a_success_only_where_a_range_was_asked_for),
		CALL_CLAIM(a_strange_head_is_refused),
		CALL_CLAIM(judgement_survives_any_allocation_failing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
