/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: what may be written, and what an answer to one tells. A wrong "not done" is a second order, so silence is the
 * rule. */
#include "call_test.h"

#define DONE "'done_when':{'body':'$.data[0]'}"
#define NOT "'not_done_when':{'body':'$.data[0]','exists':false}"
#define ASK "'query_path':'/orders','parameters_mapping':{'reference':'=item.data.n'}"

static const char *system_with(const char *probe, const char *more)
{
	return arena_printf(
	    &arena,
	    "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'POST','query_path':'/"
	    "orders','probe':{%s}%s},"
	    "{'method_name':'GET','query_path':'/"
	    "orders','parameters':[{'name':'reference','in':'query','required':true}]}]}}}",
	    probe, more);
}

TEST(a_probe_that_cannot_be_is_refused)
{
	static const struct {
		const char *probe, *more, *heard;
	} rows[] = {
		{ ASK "," DONE, "", "not_done_when" },
		{ ASK "," NOT, "", "done_when" },
		{ DONE "," NOT, "", "query_path" },
		{ "'method_name':'POST'," ASK "," DONE "," NOT, "",
		  "method_name: a probe asks and changes nothing: GET or HEAD" },
		{ "'method_name':'PUT'," ASK "," DONE "," NOT, "", "GET or HEAD" },
		{ "'query_path':'orders'," DONE "," NOT, "", "does not begin with" },
		{ "'query_path':'/orders','parameters_mapping':{'referense':1}," DONE "," NOT, "",
		  "did you mean \"reference\"" },
		{ "'query_path':'/orders'," DONE "," NOT, "", "parameter \"reference\" (query) is required" },
		{ "'query_path':'/orders/{id}'," DONE "," NOT, "", "parameter \"id\" (path) is required" },
		{ ASK ",'done_when':[]," NOT, "", "done_when has 1 to 16 conditions" },
		{ ASK ",'done_when':{'error':'any'}," NOT, "", "a probe without an answer tells nothing" },
		{ ASK ",'done_when':{'statos':200}," NOT, "", "did you mean \"status\"" },
		{ ASK ",'done_when':{'body':'data'}," NOT, "", "path into the answer" },
		{ ASK "," DONE "," NOT ",'result':'$.data['", "", "result" },
		{ ASK "," DONE "," NOT ",'attempts':21", "", "attempts" },
		{ ASK "," DONE "," NOT ",'wait':'2h'", "", "wait" },
		{ ASK "," DONE "," NOT ",'body':{}", "", "body" },
		{ ASK "," DONE "," NOT, ",'repeatable':true", "what is repeatable needs no probe" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h = { "" };
		if (!call_system_check(json_new(system_with(rows[i].probe, rows[i].more)), STR_NULL, hear, &h))
			fail_msg("row %zu is taken", i);
		assert_heard(h, rows[i].heard);
	}
	struct heard h = { "" };
	assert_true(
	    call_system_check(
		json_new(arena_printf(
		    &arena,
		    "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'PUT','query_path':"
		    "'/x','probe':{'query_path':'/x'," DONE "," NOT "}}]}}}")),
		STR_NULL, hear, &h) > 0);
	assert_heard(h, "a PUT may be repeated and needs no probe");
	assert_int_equal(call_system_check(json_new(system_with(ASK "," DONE "," NOT, "")), STR_NULL, NULL, NULL), 0);
}

TEST(a_promise_tells_of_the_probe)
{
	assert_str(call_spec_promise(spec_of(system_with(ASK "," DONE "," NOT, ""), "POST", "/orders"), &arena),
		   "at most once: POST without key, a probe tells what happened");
	assert_str(
	    call_spec_promise(
		spec_of(system_with(ASK "," DONE "," NOT, ",'idempotency_key':{'lifetime':'2h'}"), "POST", "/orders"),
		&arena),
	    "at least once: POST repeats with the same Idempotency-Key for 2 h, then a probe tells what happened");
}

static const struct call_probe *probe_with(const char *probe)
{
	const struct call_probe *p = call_spec_probe(spec_of(system_with(probe, ""), "POST", "/orders"));
	assert_non_null(p);
	return p;
}

TEST(a_probe_has_what_is_written_or_a_careful_default)
{
	const struct call_probe *p = probe_with(ASK "," DONE "," NOT);
	assert_int_equal(p->wait, 1000);
	assert_int_equal(p->attempts, 5);
	assert_int_equal(call_spec_method(p->spec), CALL_GET);
	p = probe_with("'method_name':'HEAD','query_path':'/"
		       "o','done_when':{'status':200},'not_done_when':{'status':404},'wait':'250ms','attempts':2");
	assert_int_equal(p->wait, 250);
	assert_int_equal(p->attempts, 2);
	assert_int_equal(call_spec_method(p->spec), CALL_HEAD);
	assert_null(call_spec_probe(spec_of(system_with(ASK "," DONE "," NOT, ""), "GET", "/orders")));
}

static enum call_probed ask(const struct call_probe *p, int status, const char *type, const char *body,
			    struct value *ret_result, struct str *ret_why)
{
	struct call_answer x = { .status = status, .certainty = HTTP_ANSWERED, .timings = value_object() };
	char *text = arena_c(&arena, str_c(body));
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	x.body = str_c(text);
	x.headers = json(arena_printf(&arena, "[['content-type','%s']]", type));
	return call_probe_judge(p, &x, &arena, ret_result, ret_why);
}

TEST(only_what_is_said_is_done_or_not_done_and_all_else_is_silence)
{
	static const char by_body[] = ASK "," DONE "," NOT ",'result':'$.data[0].id'";
	static const char by_status[] =
	    "'query_path':'/o','done_when':{'status':200},'not_done_when':{'status':404},'result':'response'";
	static const char listed[] = "'query_path':'/"
				     "o','done_when':[{'body':'$.state','equals':'paid'},{'status':410}],'not_done_"
				     "when':{'body':'$.state','matches':'fail*'}";
	static const char both[] = "'query_path':'/o','done_when':{'status':200},'not_done_when':{'body':'$.x'}";
	static const struct {
		const char *probe;
		int status;
		const char *type, *body;
		enum call_probed said;
		const char *why;
	} rows[] = {
		{ by_body, 200, "application/json", "{'data':[{'id':7}]}", CALL_PROBE_DONE, "answered 200" },
		{ by_body, 200, "application/json", "{'data':[]}", CALL_PROBE_NOT_DONE, "answered 200" },
		{ by_body, 200, "application/json", "{}", CALL_PROBE_NOT_DONE, "answered 200" },
		{ by_body, 500, "application/json", "{'data':[{'id':7}]}", CALL_PROBE_SILENT,
		  "fits neither" }, /* no status said: 2xx */
		{ by_body, 404, "application/json", "{'data':[]}", CALL_PROBE_SILENT, "fits neither" },
		{ by_body, 200, "text/html", "<html><title>Log in</title></html>", CALL_PROBE_SILENT, "fits neither" },
		{ by_body, 200, "application/json", "{'data':[", CALL_PROBE_SILENT, "fits neither" },
		{ by_body, 200, "text/plain", "in maintenance", CALL_PROBE_SILENT, "fits neither" },
		{ by_body, 204, "application/json", "", CALL_PROBE_SILENT, "fits neither" },
		{ by_status, 200, "text/plain", "there", CALL_PROBE_DONE, "answered 200" },
		{ by_status, 404, "text/html", "<html>gone</html>", CALL_PROBE_NOT_DONE, "answered 404" },
		{ by_status, 403, "text/plain", "", CALL_PROBE_SILENT, "answered 403, which fits neither" },
		{ by_status, 302, "text/plain", "", CALL_PROBE_SILENT, "answered 302" },
		{ listed, 200, "application/json", "{'state':'paid'}", CALL_PROBE_DONE, "answered 200" },
		{ listed, 410, "application/json", "{}", CALL_PROBE_DONE, "answered 410" },
		{ listed, 200, "application/json", "{'state':'failure'}", CALL_PROBE_NOT_DONE, "answered 200" },
		{ listed, 200, "application/json", "{'state':'pending'}", CALL_PROBE_SILENT, "fits neither" },
		{ both, 200, "application/json", "{'x':1}", CALL_PROBE_SILENT, "both" },
		{ both, 200, "application/json", "{'x':null}", CALL_PROBE_DONE, "answered 200" },
		{ both, 200, "application/json", "{'x':", CALL_PROBE_SILENT, "holds no result that can be read" },
	};
	struct value result;
	struct str why;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum call_probed said =
		    ask(probe_with(rows[i].probe), rows[i].status, rows[i].type, rows[i].body, &result, &why);
		if (said != rows[i].said)
			fail_msg("row %zu: %s, %.*s", i, call_probed_name(said), STR_ARG(why));
		assert_contains(why, rows[i].why);
	}
	(void)ask(probe_with(by_body), 200, "application/json", "{'data':[{'id':12345678901234567890}]}", &result,
		  &why);
	assert_str(text_of_value(&result), "12345678901234567890");
}

TEST(a_probe_without_an_answer_tells_nothing)
{
	struct call_answer x = { .error = HTTP_ERROR_TRUNCATED,
				 .status = 404,
				 .certainty = HTTP_AMBIGUOUS,
				 .headers = value_array(),
				 .timings = value_object() };
	struct value result;
	struct str why;
	const struct call_probe *p =
	    probe_with("'query_path':'/o','done_when':{'status':200},'not_done_when':{'status':404}");
	assert_int_equal(call_probe_judge(p, &x, &arena, &result, &why), CALL_PROBE_SILENT);
	assert_contains(why, "got no answer (truncated)");
}

RUN_TESTS(CALL_CLAIM(a_probe_that_cannot_be_is_refused), CALL_CLAIM(a_promise_tells_of_the_probe),
	  CALL_CLAIM(a_probe_has_what_is_written_or_a_careful_default),
	  CALL_CLAIM(only_what_is_said_is_done_or_not_done_and_all_else_is_silence),
	  CALL_CLAIM(a_probe_without_an_answer_tells_nothing))
