/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on recorded answers: each line is judged, and told. */
#include "call_test.h"

#include "call/recorded.h"

static void tell(void *arg, const struct call_recorded *r)
{
	struct heard *h = arg;
	size_t n = strlen(h->text);
	(void)snprintf(h->text + n, sizeof(h->text) - n, "%u %s %.*s %s|%s\n", r->line,
		       r->mistake ? "-" : call_verdict_name(r->verdict), STR_ARG(r->rule),
		       r->expected.ptr ? (r->holds ? "yes" : "NO") : "", r->mistake ? r->mistake : "");
}

static unsigned check(const char *lines, struct heard *h)
{
	struct value *systems =
	    json_new("{'crm':{'base_url':'https://h','rules':[{'when':{'status':404},'then':'skip'},"
		     "{'when':{'body':'$.ok','equals':false},'then':'fail'},"
		     "{'when':{'header':{'X-A':'2'}},'then':'wait'}],'connectors':{'c':{}}}}");
	char *text = arena_c(&arena, str_c(lines));
	for (char *p = text; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	return call_recorded_check(systems, STR_NULL, str_c(text), tell, h);
}

#define OPERATION "'operation':{'system':'crm','connector':'c','method_name':'GET','query_path':'/x'}"

TEST(each_line_is_judged_by_the_rules)
{
	struct heard h = { "" };
	assert_int_equal(check("{" OPERATION ",'status':404,'expect':'skip'}\n"
			       "\n"
			       "{" OPERATION ",'status':200,'body':{'ok':false},'expect':'ok'}\r\n"
			       "{" OPERATION ",'status':200,'headers':{'X-a':['1','2']},'expect':'wait'}\n"
			       "{" OPERATION ",'status':200,'headers':{'Content-Type':'text/csv'},'body':'a\\n1\\n'}\n"
			       "{" OPERATION ",'error':'connect_refused','certainty':'not_sent','expect':'retry'}",
			       &h),
			 1);
	assert_string_equal(h.text, "1 skip system rule 1 yes|\n3 fail system rule 2 NO|\n4 wait system rule 3 yes|\n"
				    "5 ok default: 200 |\n6 retry default: connect_refused yes|\n");
}

TEST(a_line_that_cannot_be_judged_is_told_with_its_cure)
{
	static const struct {
		const char *line, *told;
	} rows[] = {
		{ "{", "invalid JSON" },
		{ "{}", "write { system, connector, method_name, query_path }" },
		{ "{'operation':{'system':'x'}}", "there is no system \"x\"" },
		{ "{'operation':{'system':'crm','method_name':'GRAB'}}", "\"GRAB\" is not known" },
		{ "{'operation':{'system':'crm','method_name':'GET','connector':'d','query_path':'/x'}}",
		  "no connector \"d\"" },
		{ "{" OPERATION "}", "status is a number like 404" },
		{ "{" OPERATION ",'status':'ok'}", "status is a number" },
		{ "{" OPERATION ",'error':'odd'}", "names that Weir knows" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h = { "" };
		assert_int_equal(check(rows[i].line, &h), 1);
		assert_heard(h, rows[i].told);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(each_line_is_judged_by_the_rules),
		CALL_CLAIM(a_line_that_cannot_be_judged_is_told_with_its_cure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
