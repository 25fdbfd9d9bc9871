/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of meaning: the shipped ones row by row, the author's, what they say, and how long they wait. */
#include "call_test.h"

#include "base/clock.h"

static struct call_judgement judgement;

static msec_t wall(void)
{
	return INT64_C(784111777000); /* Sun, 06 Nov 1994 08:49:37 GMT */
}

static uint64_t mono(void)
{
	return 1;
}

/* A spec whose operation has these settings besides (JSON members, with a comma in front), in a system with these. */
static struct call_spec *spec_with(const char *method, const char *operation, const char *connector, const char *system)
{
	return spec_of(arena_printf(&arena,
				    "{'base_url':'https://h'%s,'connectors':{'c':{'operations':[{'method_name':'%s',"
				    "'query_path':'/x'%s}]%s}}}",
				    system, method, operation, connector),
		       method, "/x");
}

static enum call_verdict judge(const struct call_spec *s, int status, const char *headers, const char *body)
{
	struct call_answer x = { .status = status, .certainty = HTTP_ANSWERED, .timings = value_object() };
	char *text = arena_c(&arena, str_c(body));
	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	x.body = str_c(text);
	x.headers = json(headers);
	return call_judge_full(s, call_result_rule_new(&arena, STR("body"), NULL), &x, &arena, &judgement);
}

static enum call_verdict judge_error(const struct call_spec *s, enum http_error error, enum http_certainty certainty)
{
	struct call_answer x = {
		.error = error, .certainty = certainty, .headers = value_array(), .timings = value_object()
	};
	return call_judge_full(s, call_result_rule_new(&arena, STR("body"), NULL), &x, &arena, &judgement);
}

static const char *problem_member(const char *name)
{
	const struct value *v = value_get_c(&judgement.problem, name);
	return v ? arena_c(&arena, value_text(v)) : "";
}

TEST(each_status_has_its_shipped_verdict)
{
	static const struct {
		int status;
		const char *headers;
		enum call_verdict get, post, keyed;
	} rows[] = {
		{ 200, "[]", CALL_OK, CALL_OK, CALL_OK },
		{ 202, "[]", CALL_OK, CALL_OK, CALL_OK },
		{ 299, "[]", CALL_OK, CALL_OK, CALL_OK },
		{ 300, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 304, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 400, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 401, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 402, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 403, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 403, "[['x-ratelimit-remaining','17']]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 403, "[['x-ratelimit-remaining','0']]", CALL_WAIT, CALL_WAIT, CALL_WAIT },
		{ 403, "[['retry-after','60']]", CALL_WAIT, CALL_WAIT, CALL_WAIT },
		{ 404, "[['retry-after','60']]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 405, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 407, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 408, "[]", CALL_RETRY, CALL_FAILED, CALL_RETRY },
		{ 409, "[]", CALL_FAILED, CALL_FAILED, CALL_RETRY },
		{ 410, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 412, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 413, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 413, "[['retry-after','1']]", CALL_RETRY, CALL_RETRY, CALL_RETRY },
		{ 421, "[]", CALL_RETRY, CALL_RETRY, CALL_RETRY },
		{ 422, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 423, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 425, "[]", CALL_RETRY, CALL_RETRY, CALL_RETRY },
		{ 428, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 429, "[]", CALL_WAIT, CALL_WAIT, CALL_WAIT },
		{ 431, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 500, "[]", CALL_RETRY, CALL_FAILED, CALL_RETRY },
		{ 501, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 502, "[]", CALL_RETRY, CALL_FAILED, CALL_RETRY },
		{ 503, "[]", CALL_RETRY, CALL_FAILED, CALL_RETRY },
		{ 503, "[['retry-after','5']]", CALL_WAIT, CALL_FAILED, CALL_WAIT },
		{ 504, "[]", CALL_RETRY, CALL_FAILED, CALL_RETRY },
		{ 505, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 511, "[]", CALL_FAILED, CALL_FAILED, CALL_FAILED },
		{ 520, "[]", CALL_RETRY, CALL_FAILED, CALL_RETRY },
		{ 527, "[]", CALL_RETRY, CALL_FAILED, CALL_RETRY },
		{ 999, "[]", CALL_RETRY, CALL_FAILED, CALL_RETRY },
	};
	struct call_spec *get = spec_with("GET", "", "", ""), *post = spec_with("POST", "", "", ""),
			 *keyed = spec_with("POST", ",'idempotency_key':true", "", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum call_verdict g = judge(get, rows[i].status, rows[i].headers, "");
		enum call_verdict p = judge(post, rows[i].status, rows[i].headers, "");
		enum call_verdict k = judge(keyed, rows[i].status, rows[i].headers, "");
		if (g != rows[i].get || p != rows[i].post || k != rows[i].keyed)
			fail_msg("row %zu (%d): %s, %s, %s", i, rows[i].status, call_verdict_name(g),
				 call_verdict_name(p), call_verdict_name(k));
		assert_str(judgement.rule, arena_printf(&arena, "default: %d", rows[i].status));
		assert_int_equal(judgement.retryable, k == CALL_RETRY || k == CALL_WAIT);
		assert_int_equal(judgement.problem.kind == VALUE_NULL, k == CALL_OK);
	}
	assert_int_equal(judge(get, 425, "[]", ""), CALL_RETRY);
	assert_int_equal(judgement.most_tries, 2);
}

TEST(an_error_may_be_repeated_by_what_is_known_of_it)
{
	static const struct {
		enum http_error error;
		enum http_certainty certainty;
		enum call_verdict get, post;
	} rows[] = {
		{ HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT, CALL_RETRY, CALL_RETRY },
		{ HTTP_ERROR_CONNECT_TIMEOUT, HTTP_NOT_SENT, CALL_RETRY, CALL_RETRY },
		{ HTTP_ERROR_DNS_NOT_FOUND, HTTP_NOT_SENT, CALL_RETRY, CALL_RETRY },
		{ HTTP_ERROR_DNS_TEMPORARY, HTTP_NOT_SENT, CALL_RETRY, CALL_RETRY },
		{ HTTP_ERROR_TLS_CERT, HTTP_NOT_SENT, CALL_FAILED, CALL_FAILED },
		{ HTTP_ERROR_TLS_PROTOCOL, HTTP_NOT_SENT, CALL_FAILED, CALL_FAILED },
		{ HTTP_ERROR_BLOCKED_ADDRESS, HTTP_NOT_SENT, CALL_FAILED, CALL_FAILED },
		{ HTTP_ERROR_PROXY, HTTP_NOT_SENT, CALL_RETRY, CALL_RETRY },
		{ HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS, CALL_RETRY, CALL_UNKNOWN },
		{ HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS, CALL_RETRY, CALL_UNKNOWN },
		{ HTTP_ERROR_BAD_FRAMING, HTTP_AMBIGUOUS, CALL_RETRY, CALL_UNKNOWN },
		{ HTTP_ERROR_TOTAL_TIMEOUT, HTTP_AMBIGUOUS, CALL_RETRY, CALL_UNKNOWN },
		{ HTTP_ERROR_SEND_FAILED, HTTP_NOT_SENT, CALL_RETRY, CALL_RETRY },
		{ HTTP_ERROR_BAD_ENCODING, HTTP_ANSWERED, CALL_RETRY, CALL_FAILED },
		{ HTTP_ERROR_TOO_LARGE, HTTP_ANSWERED, CALL_FAILED, CALL_FAILED },
		{ HTTP_ERROR_HEADERS_TOO_LARGE, HTTP_AMBIGUOUS, CALL_FAILED, CALL_UNKNOWN },
		{ HTTP_ERROR_CANCELLED, HTTP_AMBIGUOUS, CALL_FAILED, CALL_UNKNOWN },
		{ HTTP_ERROR_REFUSED_STREAM, HTTP_NOT_SENT, CALL_RETRY, CALL_RETRY },
		{ HTTP_ERROR_ENHANCE_YOUR_CALM, HTTP_NOT_SENT, CALL_WAIT, CALL_WAIT },
		{ HTTP_ERROR_ENHANCE_YOUR_CALM, HTTP_AMBIGUOUS, CALL_WAIT, CALL_UNKNOWN },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum call_verdict g = judge_error(spec_with("GET", "", "", ""), rows[i].error, rows[i].certainty);
		enum call_verdict p = judge_error(spec_with("POST", "", "", ""), rows[i].error, rows[i].certainty);
		if (g != rows[i].get || p != rows[i].post)
			fail_msg("row %zu: %s, %s", i, call_verdict_name(g), call_verdict_name(p));
		assert_str(judgement.rule, arena_printf(&arena, "default: %s", http_error_name(rows[i].error)));
	}
}

TEST(a_proxy_that_wants_other_credentials_is_not_asked_again)
{
	static const struct {
		int status;
		enum call_verdict expected;
	} rows[] = { { 407, CALL_FAILED }, { 401, CALL_FAILED }, { 503, CALL_RETRY }, { 403, CALL_RETRY }, { 0, CALL_RETRY } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = { .error = HTTP_ERROR_PROXY,
					 .certainty = HTTP_NOT_SENT,
					 .status = rows[i].status,
					 .detail = STR("the proxy did"),
					 .headers = value_array() };
		assert_int_equal(call_judge_full(spec_with("POST", "", "", ""),
						 call_result_rule_new(&arena, STR("body"), NULL), &x, &arena, &judgement),
				 rows[i].expected);
		assert_string_equal(problem_member("type"), "proxy_error");
	}
}

TEST(no_rule_makes_a_doubtful_call_be_sent_twice)
{
	static const char *const thens[] = { "retry", "wait", "skip", "fail", "refresh" };
	for (size_t i = 0; i < ARRAY_LEN(thens); i++) {
		const char *rules =
		    arena_printf(&arena, ",'rules':[{'when':{'error':'any'},'then':'%s','message':'m'}]", thens[i]);
		assert_int_equal(
		    judge_error(spec_with("POST", rules, "", ""), HTTP_ERROR_TOTAL_TIMEOUT, HTTP_AMBIGUOUS),
		    CALL_UNKNOWN);
		assert_string_equal(problem_member("type"), "unknown_outcome");
	}
	const char *skip = ",'rules':[{'when':{'error':['ambiguous','not_sent']},'then':'skip'}]";
	assert_int_equal(judge_error(spec_with("GET", skip, "", ""), HTTP_ERROR_TOTAL_TIMEOUT, HTTP_AMBIGUOUS),
			 CALL_SKIPPED);
	assert_int_equal(judge_error(spec_with("POST", skip, "", ""), HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT),
			 CALL_SKIPPED);
	assert_str(judgement.rule, "operation rule 1");
	const char *tls = ",'rules':[{'when':{'error':'tls_cert'},'then':'retry'}]";
	assert_int_equal(judge_error(spec_with("POST", tls, "", ""), HTTP_ERROR_TLS_CERT, HTTP_NOT_SENT), CALL_RETRY);
	assert_int_equal(judge(spec_with("GET", skip, "", ""), 200, "[]", "1"), CALL_OK);
}

TEST(a_rule_fits_when_all_that_it_says_holds)
{
	static const struct {
		const char *when;
		int status;
		const char *headers, *body;
		bool fits;
	} rows[] = {
		{ "'status':404", 404, "[]", "", true },
		{ "'status':404", 405, "[]", "", false },
		{ "'status':'4xx'", 499, "[]", "", true },
		{ "'status':'4XX'", 500, "[]", "", false },
		{ "'status':'500-599'", 599, "[]", "", true },
		{ "'status':'500-599'", 600, "[]", "", false },
		{ "'status':[404,'410','5xx']", 410, "[]", "", true },
		{ "'status':[404,'410','5xx']", 503, "[]", "", true },
		{ "'status':[404,'410','5xx']", 200, "[]", "", false },
		{ "'header':{'X-Kind':'err*'}", 200, "[['x-kind','ERROR 7']]", "", true },
		{ "'header':{'X-Kind':'err*'}", 200, "[['x-kind','no error']]", "", false },
		{ "'header':{'X-Kind':'a?c'}", 200, "[['x-kind','b'],['x-kind','abc']]", "", true },
		{ "'header':{'X-Left':0}", 200, "[['x-left',' 0 ']]", "", true },
		{ "'header':{'X-Kind':true}", 200, "[['x-kind','']]", "", true },
		{ "'header':{'X-Kind':true}", 200, "[]", "", false },
		{ "'header':{'X-Kind':false}", 200, "[]", "", true },
		{ "'header':{'X-Kind':false,'Y':'1'}", 200, "[['y','2']]", "", false },
		{ "'body':'$.error'", 200, "[]", "{'error':'x'}", true },
		{ "'body':'$.error'", 200, "[]", "{'error':null}", false },
		{ "'body':'$.error'", 200, "[]", "{}", false },
		{ "'body':'$.error','exists':true", 200, "[]", "{'error':false}", true },
		{ "'body':'$.data','exists':false", 200, "[]", "{'data':null}", true },
		{ "'body':'$.data','exists':false", 200, "[]", "", true },
		{ "'body':'$.data','exists':false", 200, "[]", "{'data':1}", false },
		{ "'body':'$.ok','equals':false", 200, "[]", "{'ok':false}", true },
		{ "'body':'$.ok','equals':false", 200, "[]", "{'ok':true}", false },
		{ "'body':'$.ok','equals':false", 200, "[]", "{}", false },
		{ "'body':'$.n','equals':null", 200, "[]", "{'n':null}", true },
		{ "'body':'$.n','equals':null", 200, "[]", "{}", false },
		{ "'body':'$.c','equals':40001", 200, "[]", "{'c':40001.0}", true },
		{ "'body':'$.c','equals':'602'", 200, "[]", "{'c':602}", false },
		{ "'body':'$.c','matches':'60?'", 200, "[]", "{'c':602}", true },
		{ "'body':'$.e[0].m','matches':'*limit*exceeded*'", 200, "[]",
		  "{'e':[{'m':'Daily API request LIMIT exceeded.'}]}", true },
		{ "'body':'$.errors'", 200, "[]", "{'errors':[]}", false },
		{ "'body':'$.e[*].c','equals':7", 200, "[]", "{'e':[{'c':1},{'c':7}]}", true },
		{ "'body':'$.e[*].c','matches':'b*'", 200, "[]", "{'e':[{'c':'a'}]}", false },
		{ "'body':'$..code'", 200, "[]", "{'e':[]}", false },
		{ "'body':'$','matches':'*busy*'", 503, "[['content-type','text/plain']]", "we are busy", true },
		{ "'body':'$.a'", 200, "[['content-type','application/json']]", "{broken", false },
		{ "'status':200,'body':'$.ok','equals':false", 201, "[]", "{'ok':false}", false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *rules = arena_printf(&arena, ",'rules':[{'when':{%s},'then':'skip'}]", rows[i].when);
		enum call_verdict v =
		    judge(spec_with("GET", rules, "", ""), rows[i].status, rows[i].headers, rows[i].body);
		if ((v == CALL_SKIPPED) != rows[i].fits)
			fail_msg("row %zu: %s", i, call_verdict_name(v));
	}
}

TEST(the_first_rule_that_fits_decides_operation_before_connector_before_system)
{
	const char *op = ",'rules':[{'when':{'status':410},'then':'skip'},{'when':{'status':404},'then':'skip'}]";
	const char *connector = ",'rules':[{'when':{'status':'4xx'},'then':'retry'}]";
	const char *system = ",'rules':[{'when':{'status':404},'then':'fail'},{'when':{'status':'5xx'},'then':'wait'}]";
	struct call_spec *s = spec_with("POST", op, connector, system);
	assert_int_equal(judge(s, 404, "[]", ""), CALL_SKIPPED);
	assert_str(judgement.rule, "operation rule 2");
	assert_string_equal(problem_member("type"), "skipped");
	assert_int_equal(judge(s, 400, "[]", ""), CALL_RETRY);
	assert_str(judgement.rule, "connector rule 1");
	assert_int_equal(judge(s, 500, "[]", ""), CALL_WAIT);
	assert_str(judgement.rule, "system rule 2");
	assert_string_equal(problem_member("rule"), "system rule 2");
	assert_int_equal(judge(s, 302, "[]", ""), CALL_FAILED);
	assert_str(judgement.rule, "default: 302");
	assert_int_equal(judge(s, 200, "[]", "{'a':1}"), CALL_OK);
	assert_str(text_of_value(&judgement.result), "{\"a\":1}");
}

TEST(errors_inside_of_200_are_found)
{
	const char *system =
	    ",'rules':[{'when':{'body':'$.errors[0].code','equals':'602'},'then':'refresh'},"
	    "{'when':{'body':'$.errors[0].extensions.code','equals':'THROTTLED'},'then':'wait'},"
	    "{'when':{'body':'$.ok','equals':false},'then':'fail','message':'{status} said {body:$.error} {{'}]";
	struct call_spec *s = spec_with("POST", "", "", system);
	assert_int_equal(judge(s, 200, "[]", "{'ok':false,'error':'invalid_auth'}"), CALL_FAILED);
	assert_str(judgement.message, "POST crm /x: 200 said invalid_auth {");
	assert_string_equal(problem_member("type"), "refused_by_rule");
	assert_int_equal(judge(s, 200, "[]", "{'errors':[{'code':'602','message':'expired'}]}"), CALL_REFRESH);
	assert_int_equal(judgement.most_tries, 2);
	assert_true(judgement.retryable);
	assert_contains(judgement.message, "expired");
	assert_int_equal(judge(s, 200, "[]", "{'errors':[{'extensions':{'code':'THROTTLED'}}]}"), CALL_WAIT);
	/* An expected CSV that comes as a JSON error is looked into all the same. */
	s = spec_with("GET", ",'answer':'csv','rules':[{'when':{'body':'$.error'},'then':'skip'}]", "", "");
	assert_int_equal(judge(s, 200, "[['content-type','application/json']]", "{'error':1}"), CALL_SKIPPED);
	assert_int_equal(judge(s, 200, "[['content-type','text/csv']]", "a\n1\n"), CALL_OK);
}

TEST(what_a_rule_calls_ok_has_what_can_be_read_as_its_result)
{
	struct call_spec *s = spec_with("DELETE", ",'rules':[{'when':{'status':[404,410]},'then':'ok'}]", "", "");
	assert_int_equal(judge(s, 404, "[['content-type','text/html']]", "<html>gone"), CALL_OK);
	assert_int_equal(judgement.result.kind, VALUE_NULL);
	assert_int_equal(judge(s, 410, "[]", "{'b':1}"), CALL_OK);
	assert_str(text_of_value(&judgement.result), "{\"b\":1}");
	s = spec_with("GET", ",'rules':[{'when':{'status':200},'then':'ok'}]", "", "");
	assert_int_equal(judge(s, 200, "[['content-type','application/json']]", "{"), CALL_FAILED);
}

TEST(the_answer_says_how_long_to_wait)
{
	static const struct {
		const char *headers;
		msec_t ms;
		const char *source;
	} rows[] = {
		{ "[]", 0, NULL },
		{ "[['retry-after','120']]", 120000, "retry-after" },
		{ "[['retry-after','2.0']]", 2000, "retry-after" },
		{ "[['retry-after','0.25']]", 250, "retry-after" },
		{ "[['retry-after','0']]", 0, "retry-after" },
		{ "[['retry-after','-5']]", 0, "retry-after" },
		{ "[['retry-after','soon']]", 0, NULL },
		{ "[['retry-after','Sun, 06 Nov 1994 08:50:07 GMT']]", 30000, "retry-after" },
		{ "[['retry-after','Sunday, 06-Nov-94 08:50:07 GMT']]", 30000, "retry-after" },
		{ "[['retry-after','Sun Nov  6 08:50:07 1994']]", 30000, "retry-after" },
		{ "[['retry-after','Sun, 06 Nov 1994 08:00:00 GMT']]", 0, "retry-after" },
		{ "[['retry-after','Sun, 06 Nov 1994 08:50:07 CET']]", 0, NULL },
		{ "[['retry-after','Sun, 06 Nov 1994 25:50:07 GMT']]", 0, NULL },
		{ "[['date','Mon, 23 Nov 2026 18:00:00 GMT'],['retry-after','Mon, 23 Nov 2026 18:01:00 GMT']]", 60000,
		  "retry-after" },
		{ "[['retry-after','36000000']]", CALL_WAIT_MAX, "retry-after" },
		{ "[['retry-after','99999999999999999999999']]", CALL_WAIT_MAX, "retry-after" },
		{ "[['ratelimit','\\\"default\\\";r=50;t=30']]", 30000, "ratelimit" },
		{ "[['ratelimit','\\\"burst\\\";r=0;t=5, \\\"day\\\";r=900;t=8000']]", 5000, "ratelimit" },
		{ "[['ratelimit','limit=100, remaining=0, reset=7']]", 7000, "ratelimit" },
		{ "[['ratelimit','\\\"x\\\";t=abc']]", 0, NULL },
		{ "[['retry-after','1'],['ratelimit','\\\"a\\\";t=9']]", 1000, "retry-after" },
		{ "[['x-ratelimit-reset','42']]", 42000, "x-ratelimit-reset" },
		{ "[['date','Mon, 23 Nov 2026 18:00:00 GMT'],['x-ratelimit-reset','1795456810']]", 10000,
		  "x-ratelimit-reset" },
		{ "[['date','Mon, 23 Nov 2026 18:00:00 GMT'],['x-ratelimit-reset','1795456810500']]", 10500,
		  "x-ratelimit-reset" },
		{ "[['x-ratelimit-reset','784111000']]", CALL_WAIT_MAX, "x-ratelimit-reset" },
		{ "[['ratelimit-reset','3'],['x-ratelimit-reset','9']]", 3000, "ratelimit-reset" },
	};
	struct call_spec *s = spec_with("GET", "", "", "");
	clock_fake(wall, mono);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(judge(s, 429, arena_c(&arena, str_c(rows[i].headers)), ""), CALL_WAIT);
		if (judgement.wait_ms != rows[i].ms)
			fail_msg("row %zu: %lld ms", i, (long long)judgement.wait_ms);
		assert_str(judgement.wait_source, rows[i].source ? rows[i].source : "");
		assert_int_equal(judgement.wait_is_clamped, rows[i].ms == CALL_WAIT_MAX);
	}
	s = spec_with("POST", ",'rules':[{'when':{'status':200},'then':'wait','wait_from':'X-Reset-Requests'}]", "",
		      "");
	assert_int_equal(judge(s, 200, "[['retry-after','9'],['x-reset-requests','1m30.5s']]", ""), CALL_WAIT);
	assert_int_equal(judgement.wait_ms, 90500);
	assert_int_equal(judge(s, 200, "[['x-reset-requests','20ms']]", ""), CALL_WAIT);
	assert_int_equal(judgement.wait_ms, 20);
	assert_int_equal(judge(s, 200, "[['retry-after','9'],['x-reset-requests','1 week']]", ""), CALL_WAIT);
	assert_int_equal(judgement.wait_ms, 9000);
	clock_fake(NULL, NULL);
}

TEST(a_pattern_is_all_of_a_text)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} rows[] = {
		{ "a", "A", true },	    { "a", "ab", false },	{ "", "", true },      { "", "a", false },
		{ "*", "", true },	    { "a*", "abc", true },	{ "*c", "abc", true }, { "*b*", "abc", true },
		{ "a*c*e", "abcde", true }, { "a*c*e", "abcd", false }, { "??", "ab", true },  { "?", "", false },
		{ "**a", "xa", true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *rules =
		    arena_printf(&arena, ",'rules':[{'when':{'header':{'h':'%s'}},'then':'skip'}]", rows[i].pattern);
		const char *headers = arena_printf(&arena, "[['h','%s']]", rows[i].text);
		if ((judge(spec_with("GET", rules, "", ""), 200, headers, "") == CALL_SKIPPED) != rows[i].fits)
			fail_msg("row %zu", i);
	}
}

TEST(each_fault_of_a_rule_is_told_with_its_cure)
{
	static const struct {
		const char *rules, *told;
	} rows[] = {
		{ "{}", "rules are a list" },
		{ "[1]", "a rule is an object like { when: { status: 404 }, then: skip }" },
		{ "[{'then':'ok'}]", "when" },
		{ "[{'when':{'status':404}}]", "then" },
		{ "[{'when':{},'then':'ok'}]", "when says which answers" },
		{ "[{'when':{'status':404},'then':'ignore'}]", "then is ok, retry, wait, refresh, skip or fail" },
		{ "[{'when':{'statuses':404},'then':'ok'}]", "\"status\"" },
		{ "[{'when':{'status':'40x'},'then':'ok'}]", "a status is written 404, 4xx or 500-599" },
		{ "[{'when':{'status':[]},'then':'ok'}]", "1 to 32 statuses" },
		{ "[{'when':{'status':'599-500'},'then':'ok'}]", "a status is written" },
		{ "[{'when':{'status':99},'then':'ok'}]", "a status is written" },
		{ "[{'when':{'header':'x'},'then':'ok'}]", "header is 1 to 16 names" },
		{ "[{'when':{'header':{'a b':'x'}},'then':'ok'}]", "no header name" },
		{ "[{'when':{'header':{'a':null}},'then':'ok'}]", "a header is tested with a text" },
		{ "[{'when':{'body':'error'},'then':'ok'}]", "body is a path into the answer" },
		{ "[{'when':{'body':'$['},'then':'ok'}]", "[" },
		{ "[{'when':{'equals':1},'then':'ok'}]", "need a path" },
		{ "[{'when':{'body':'$.a','equals':1,'exists':true},'then':'ok'}]",
		  "one of equals, matches and exists" },
		{ "[{'when':{'body':'$.a','exists':1},'then':'ok'}]", "exists is true or false" },
		{ "[{'when':{'error':'refused'},'then':'skip'}]", "connect_refused" },
		{ "[{'when':{'error':'none'},'then':'skip'}]", "connect_refused" },
		{ "[{'when':{'error':'any','status':200},'then':'skip'}]", "write one rule for each" },
		{ "[{'when':{'error':'any'},'then':'ok'}]", "write skip or fail" },
		{ "[{'when':{'status':404},'then':'fail','message':'{foo}'}]", "{foo} is not known" },
		{ "[{'when':{'status':404},'then':'fail','message':'{body:x}'}]", "{body:x} is not known" },
		{ "[{'when':{'status':404},'then':'fail','message':'{body:$[}'}]", "{body:$[}" },
		{ "[{'when':{'status':404},'then':'fail','message':'{status'}]", "a brace is not closed" },
		{ "[{'when':{'status':404},'then':'fail','message':7}]", "a message is a text" },
		{ "[{'when':{'status':404},'then':'fail','wait_from':'x'}]", "wait_from belongs to" },
		{ "[{'when':{'status':429},'then':'wait','wait_from':'x y'}]", "name of a header" },
	};
	static const char *const places[] = { "{'base_url':'https://h','rules':%s}",
					      "{'base_url':'https://h','connectors':{'c':{'rules':%s}}}",
					      ("{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':"
					      "'GET','query_path':'/','rules':%s}]}}}") };
	for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(places); i++) {
		struct heard h = { "" };
		const char *place = places[i % ARRAY_LEN(places)], *slot = strstr(place, "%s");
		const char *rules = rows[i / ARRAY_LEN(places)].rules;
		const char *system = arena_printf(&arena, "%.*s%s%s", (int)(slot - place), place, rules, slot + 2);
		if (call_system_check(json_new(system), STR_NULL, hear, &h) == 0)
			fail_msg("no complaint about %s", rules);
		assert_heard(h, rows[i / ARRAY_LEN(places)].told);
	}
}

TEST(the_schema_of_a_system_knows_rules)
{
	struct value schema;
	assert_int_equal(call_system_schema(&arena, &schema), 0);
	struct str text = text_of_value(&schema);
	assert_contains(text, "\"wait_from\"");
	assert_contains(text, "\"matches\"");
	assert_non_null(value_get_c(value_get_c(&schema, "properties"), "rules"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(each_status_has_its_shipped_verdict),
		CALL_CLAIM(an_error_may_be_repeated_by_what_is_known_of_it),
		CALL_CLAIM(a_proxy_that_wants_other_credentials_is_not_asked_again),
		CALL_CLAIM(no_rule_makes_a_doubtful_call_be_sent_twice),
		CALL_CLAIM(a_rule_fits_when_all_that_it_says_holds),
		CALL_CLAIM(the_first_rule_that_fits_decides_operation_before_connector_before_system),
		CALL_CLAIM(errors_inside_of_200_are_found),
		CALL_CLAIM(what_a_rule_calls_ok_has_what_can_be_read_as_its_result),
		CALL_CLAIM(the_answer_says_how_long_to_wait),
		CALL_CLAIM(a_pattern_is_all_of_a_text),
		CALL_CLAIM(each_fault_of_a_rule_is_told_with_its_cure),
		CALL_CLAIM(the_schema_of_a_system_knows_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
