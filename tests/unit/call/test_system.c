/* SPDX-License-Identifier: Apache-2.0 */
/* Systems, operations and mappings: what is refused, where, and what to write instead. */
#include "call_test.h"

#include "base/alloc.h"

static const char good[] =
    "{'title':{'en':'CRM'},'base_url':{'live':'https://crm.example.com/api','sample':'http://127.0.0.1:8090'},"
    "'auth':{'kind':'bearer','token':{'secret':'CRM_TOKEN'}},'headers':{'X-Tenant':'7','X-Api-Key':{'secret':'K'}},"
    "'limits':{'connect_timeout':'2s','first_byte_timeout':'10s','total_timeout':'1m','max_body':'1MiB','in_flight':8},"
    "'http_version':'auto','tls':{'no_verify':true},'proxy':{'url':{'live':'http://p.example:3128','sample':null},'username':'a',"
    "'password':{'secret':'P'}},'connectors':{'contacts':{'title':'Contacts','headers':{'X-C':'1'},'operations':["
    "{'method_name':'GET','query_path':'/contacts/{id}','summary':'one','x-note':1,'parameters':["
    "{'name':'id','in':'path','required':true,'schema':{'type':'integer'},'x-example':1},"
    "{'name':'fields','in':'query','style':'form','explode':false,'description':'which','example':'a'}]},"
    "{'method_name':'post','query_path':'/contacts','request_body':{'content_type':'application/"
    "json'},'idempotency_key':true,"
    "'id':'$.data.id'},"
    "{'method_name':'PATCH','query_path':'/contacts/{id}','repeatable':true,'answer':'json'}]}}}";

static unsigned check(const char *system, const char *env, struct heard *h)
{
	*h = (struct heard){ "" };
	return call_system_check(json_new(system), str_c(env), hear, h);
}

TEST(a_good_system_has_no_complaints)
{
	struct heard h;
	if (check(good, "live", &h) != 0)
		fail_msg("%s", h.text);
	assert_int_equal(check(good, "", &h), 0);
	assert_int_equal(check("{'base_url':'https://h'}", "any", &h), 0);
}

TEST(each_fault_of_a_system_is_told_with_its_cure)
{
	static const struct {
		const char *system, *told;
	} rows[] = {
		{ "[]", "a system is an object" },
		{ "{}", "base_url" },
		{ "{'base_url':1}", "not number" },
		{ "{'base_url':'ftp://h'}", "http:// or https://" },
		{ "{'base_url':'https://u:p@h'}", "holds a user name" },
		{ "{'base_url':'https://h/#f'}", "no \"#\" part" },
		{ "{'base_url':'https://h/a/../b'}", "no \".\" or \"..\"" },
		{ "{'base_url':'https://h/%2e%2E/b'}", "no \".\" or \"..\"" },
		{ "{'base_url':{}}", "no address is given" },
		{ "{'base_url':{'live':'https://h'}}",
		  "no address for the environment \"prod\"; there is one for \"live\"" },
		{ "{'base_url':{'prod':'https://h','bad':'nonsense'}}", "bad: " },
		{ "{'base_url':'https://h','conectors':{}}", "connectors" },
		{ "{'base_url':'https://h','auth':{'kind':'oauth'}}", "none, basic, bearer or api_key" },
		{ "{'base_url':'https://h','auth':'none'}", "authentication is an object" },
		{ "{'base_url':'https://h','auth':{'kind':'bearer'}}", "write token: { secret: NAME }" },
		{ "{'base_url':'https://h','auth':{'kind':'bearer','token':'abc'}}", "write { secret: NAME }" },
		{ "{'base_url':'https://h','auth':{'kind':'bearer','tokn':{'secret':'A'}}}",
		  "did you mean \"token\"?" },
		{ "{'base_url':'https://h','auth':{'kind':'basic','username':'a:b','password':{'secret':'A'}}}",
		  "no \":\"" },
		{ "{'base_url':'https://h','auth':{'kind':'basic','username':'a','password':{'secret':1}}}",
		  "password is object" },
		{ "{'base_url':'https://h','auth':{'kind':'api_key','name':'k','in':'body','value':{'secret':'A'}}}",
		  "\"header\", \"query\" or \"cookie\"" },
		{ "{'base_url':'https://h','auth':{'kind':'api_key','name':'a "
		  "b','in':'header','value':{'secret':'A'}}}",
		  "needs the name" },
		{ "{'base_url':'https://"
		  "h','auth':{'kind':'api_key','name':'k','in':'query','prefix':'x','value':{'secret':'A'}}}",
		  "a prefix is" },
		{ "{'base_url':'https://h','headers':[]}", "headers are an object" },
		{ "{'base_url':'https://h','headers':{'a b':'c'}}", "is no header name" },
		{ "{'base_url':'https://h','headers':{'Host':'c'}}", "set by Weir itself" },
		{ "{'base_url':'https://h','headers':{'X':'a\\r\\nb'}}", "no line breaks" },
		{ "{'base_url':'https://h','headers':{'Authorization':'Bearer abc'}}", "write { secret: NAME }" },
		{ "{'base_url':'https://h','headers':{'X-Api-Key':'abc'}}", "write { secret: NAME }" },
		{ "{'base_url':'https://h','limits':{'total_timeout':30}}", "total_timeout" },
		{ "{'base_url':'https://h','limits':{'total_time':'3s'}}", "total_timeout" },
		{ "{'base_url':'https://h','http_version':'3'}", "http_version" },
		{ "{'base_url':'https://h','http_version':2}", "http_version" },
		{ "{'base_url':'https://h','http_version':'2','proxy':{'url':'http://p:1'}}", "calls go in HTTP/1.1" },
		{ "{'base_url':'https://h','tls':{'ca_file':'/x'}}", "not supported yet" },
		{ "{'base_url':'https://h','proxy':'http://p:3128'}", "a proxy is an object like" },
		{ "{'base_url':'https://h','proxy':{}}", "url" },
		{ "{'base_url':'https://h','proxy':{'url':1}}", "not number" },
		{ "{'base_url':'https://h','proxy':{'url':null}}", "not null" },
		{ "{'base_url':'https://h','proxy':{'url':'socks5h://p:1080'}}", "a SOCKS proxy is not supported" },
		{ "{'base_url':'https://h','proxy':{'url':'http://u:Bearer abc@p:3128'}}", "username and password" },
		{ "{'base_url':'https://h','proxy':{'url':'http://p'}}", "with its port" },
		{ "{'base_url':'https://h','proxy':{'url':{'live':'http://p:1'}}}", "prod: null where none is needed" },
		{ "{'base_url':'https://h','proxy':{'url':{'prod':null,'live':'p'}}}", "live: " },
		{ "{'base_url':'https://h','proxy':{'url':'http://p:1','pasword':1}}", "password" },
		{ "{'base_url':'https://h','proxy':{'url':'http://p:1','username':'a'}}", "write password: { secret: NAME }" },
		{ "{'base_url':'https://h','proxy':{'url':'http://p:1','password':{'secret':'A'}}}", "username is missing" },
		{ "{'base_url':'https://h','proxy':{'url':'http://p:1','username':'a','password':'Bearer abc'}}",
		  "write { secret: NAME }" },
		{ "{'base_url':'https://h','proxy':{'url':'http://p:1','username':'a:b','password':{'secret':'A'}}}",
		  "no \":\"" },
		{ "{'base_url':'https://h','headers':{'Proxy-Authorization':{'secret':'A'}}}", "write proxy: { url" },
		{ "{'base_url':'https://h','connectors':[]}", "connectors are an object" },
		{ "{'base_url':'https://h','connectors':{'c':1}}", "a connector is an object" },
		{ "{'base_url':'https://h','connectors':{'c':{'operation':[]}}}", "operations" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h;
		if (check(rows[i].system, "prod", &h) == 0)
			fail_msg("no complaint about %s", rows[i].system);
		assert_heard(h, rows[i].told);
		assert_null(strstr(h.text, "Bearer abc"));
	}
}

TEST(each_fault_of_an_operation_is_told_with_its_cure)
{
	static const struct {
		const char *operation, *told;
	} rows[] = {
		{ "1", "an operation is an object" },
		{ "{'method_name':'FETCH','query_path':'/'}", "method \"FETCH\" is not known" },
		{ "{'method_name':'GET'}", "query_path" },
		{ "{'method_name':'GET','query_path':'users'}", "does not begin with \"/\"" },
		{ "{'method_name':'GET','query_path':'/users?x=1'}", "map query parameters by name" },
		{ "{'method_name':'GET','query_path':'/users/{id'}", "braces" },
		{ "{'method_name':'GET','query_path':'/users/{}'}", "braces" },
		{ "{'method_name':'GET','query_path':'/users/id}'}", "braces" },
		{ "{'method_name':'GET','query_path':'/a/../b'}", "no \".\" or \"..\"" },
		{ "{'method_name':'GET','query_path':'/a/.%2E/b'}", "no \".\" or \"..\"" },
		{ "{'method_name':'GET','query_path':'/%2e'}", "no \".\" or \"..\"" },
		{ "{'method_name':'GET','query_path':'/a\\\\b'}", "no control bytes or backslashes" },
		{ "{'method_name':'GET','query_path':'/','parameters':{}}", "parameters are a list" },
		{ "{'method_name':'GET','query_path':'/','parameters':[1]}", "a parameter is an object" },
		{ "{'method_name':'GET','query_path':'/','parameters':[{'name':'a'}]}", "in" },
		{ "{'method_name':'GET','query_path':'/','parameters':[{'name':'a','in':'body'}]}",
		  "path, query, header or cookie" },
		{ "{'method_name':'GET','query_path':'/','parameters':[{'name':'a','in':'path'}]}", "has no {a}" },
		{ "{'method_name':'GET','query_path':'/','parameters':[{'name':'a','in':'query','style':'matrix'}]}",
		  "style \"matrix\"" },
		{ "{'method_name':'GET','query_path':'/','parameters':[{'name':'a','in':'header','style':'form'}]}",
		  "not possible in a header" },
		{ "{'method_name':'GET','query_path':'/','parameters':[{'name':'a b','in':'header'}]}",
		  "no name of a header" },
		{ "{'method_name':'GET','query_path':'/','parameters':[{'name':'a','in':'query','requird':true}]}",
		  "required" },
		{ "{'method_name':'GET','query_path':'/"
		  "','parameters':[{'name':'a','in':'query'},{'name':'a','in':'query'}]}",
		  "twice" },
		{ "{'method_name':'POST','query_path':'/','request_body':{'content_type':'multipart/mixed'}}",
		  "not \"multipart/mixed\"" },
		{ "{'method_name':'POST','query_path':'/','idempotency_key':'yes'}", "write idempotency_key: true" },
		{ "{'method_name':'POST','query_path':'/','id':'data.id'}", "like $.data.id" },
		{ "{'method_name':'POST','query_path':'/','id':'$.data.[id]'}", "offset 7" },
		{ "{'method_name':'POST','query_path':'/','answer':'yaml'}", "json" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h;
		const char *system = arena_printf(
		    &arena, "{'base_url':'https://h','connectors':{'c':{'operations':[%s]}}}", rows[i].operation);
		if (check(system, "", &h) == 0)
			fail_msg("no complaint about %s", rows[i].operation);
		assert_heard(h, rows[i].told);
	}
	struct heard h;
	assert_int_equal(
	    check("{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'GET','query_path':'/a'},"
		  "{'method_name':'get','query_path':'/a'}]}}}",
		  "", &h),
	    1);
	assert_heard(h, "GET /a stands in this connector twice");
}

TEST(the_schema_names_what_the_check_knows)
{
	struct value schema;
	assert_int_equal(call_system_schema(&arena, &schema), 0);
	struct str text = text_of_value(&schema);
	static const char *const words[] = { "\"base_url\"",	    "\"total_timeout\"", "\"no_verify\"",
					     "\"query_path\"",	    "\"content_type\"",	 "\"explode\"",
					     "\"idempotency_key\"", "\"secret\"" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		assert_contains(text, words[i]);
}

/* ---- specs ---- */

static struct call_spec *spec(const char *connector, const char *path, enum call_method m, const char *env,
			      struct heard *h)
{
	*h = (struct heard){ "" };
	return call_spec_new(&arena, json_new(good), STR("crm"), str_c(connector), str_c(path), m, str_c(env), hear, h);
}

TEST(a_spec_is_refused_where_it_leads_nowhere)
{
	struct heard h;
	assert_null(spec("contact", "/contacts", CALL_GET, "live", &h));
	assert_string_equal(h.text,
			    "connector: system \"crm\" has no connector \"contact\"; did you mean \"contacts\"?\n");
	assert_null(spec("zzz", "/contacts", CALL_GET, "live", &h));
	assert_string_equal(h.text, "connector: system \"crm\" has no connector \"zzz\"\n");
	assert_null(spec("contacts", "contacts", CALL_GET, "live", &h));
	assert_heard(h, "query_path: query path \"contacts\" does not begin with \"/\"");
	assert_null(spec("contacts", "/contacts", CALL_GET, "prod", &h));
	assert_heard(h, "no address for the environment \"prod\"");
	assert_null(spec("contacts", "/contacts", CALL_METHOD_COUNT, "live", &h));
	assert_heard(h, "method");
	assert_null(call_spec_new(&arena, NULL, STR("crm"), STR("c"), STR("/"), CALL_GET, STR_NULL, hear, &h));
}

TEST(a_spec_says_what_it_promises)
{
	static const struct {
		const char *path;
		enum call_method method;
		bool is_repeatable, wants_key;
		const char *promise, *summary;
	} rows[] = {
		{ "/contacts/{id}", CALL_GET, true, false, "at least once: GET may be repeated",
		  "GET crm/contacts /contacts/{id}" },
		{ "/contacts", CALL_POST, true, true, "at least once: POST repeats with the same Idempotency-Key for 24 h",
		  "POST crm/contacts /contacts" },
		{ "/contacts/{id}", CALL_PATCH, true, false, "at least once: this PATCH is marked repeatable",
		  "PATCH crm/contacts /contacts/{id}" },
		{ "/other", CALL_POST, false, false, "at most once: POST without key", "POST crm/contacts /other" },
		{ "/other", CALL_DELETE, true, false, "at least once: DELETE may be repeated",
		  "DELETE crm/contacts /other" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h;
		struct call_spec *s = spec("contacts", rows[i].path, rows[i].method, "sample", &h);
		if (!s)
			fail_msg("%s", h.text);
		assert_int_equal(call_spec_method(s), rows[i].method);
		assert_int_equal(call_spec_is_repeatable(s), rows[i].is_repeatable);
		assert_int_equal(call_spec_wants_key(s), rows[i].wants_key);
		assert_str(call_spec_promise(s, &arena), rows[i].promise);
		assert_str(call_spec_summary(s, &arena), rows[i].summary);
		assert_int_equal(call_spec_limits(s)->total_timeout, 60000);
		assert_int_equal(call_spec_limits(s)->max_body, 1u << 20);
		assert_int_equal(call_spec_limits(s)->in_flight, 8);
		assert_true(call_spec_limits(s)->tls_no_verify);
		assert_int_equal(call_spec_limits(s)->http_version, HTTP_WISH_2_OR_1_1);
	}
}

TEST(mappings_are_checked_against_the_operation)
{
	static const struct {
		const char *path;
		enum call_method method;
		const char *mapping;
		unsigned n;
		const char *told;
	} rows[] = {
		{ "/contacts/{id}", CALL_GET, "{'id':'=item.id'}", 0, "" },
		{ "/contacts/{id}", CALL_GET, "{'id':'=item.id','query.more':1,'header.X':1,'cookie.c':1,'body':1}", 0,
		  "" },
		{ "/contacts/{id}", CALL_GET, "'=item.parameters'", 0, "" },
		{ "/contacts/{id}", CALL_GET, "{}", 1, "-: parameter \"id\" (path) is required; map a value to it" },
		{ "/contacts/{id}", CALL_GET, "null", 1, "is required" },
		{ "/contacts/{id}", CALL_GET, "{'id':null}", 1,
		  "id: parameter \"id\" (path) is required and has no value" },
		{ "/contacts/{id}", CALL_GET, "{'id':1,'field':1}", 1,
		  "field: parameter \"field\" is not known; did you mean \"fields\"?" },
		{ "/contacts/{id}", CALL_GET, "{'id':1,'zzzzzz':1}", 1, "write query.zzzzzz to send it all the same" },
		{ "/contacts/{id}", CALL_GET, "{'id':1,'path.id':1}", 1, "mapped twice" },
		{ "/contacts/{id}", CALL_GET, "{'id':1,'path.nr':1}", 1, "has no {nr}" },
		{ "/contacts/{id}", CALL_GET, "{'id':1,'header.Authorization':1}", 1,
		  "set by the system's authentication" },
		{ "/contacts/{id}", CALL_GET, "[]", 1, "a mapping is an object" },
		{ "/contacts", CALL_POST, "{'anything':1}", 0, "" },
		{ "/contacts", CALL_POST, "{'header.Idempotency-Key':1}", 1, "set by Weir itself" },
		{ "/unlisted/{x}", CALL_GET, "{'x':1,'free':2}", 0, "" },
		{ "/unlisted/{x}", CALL_GET, "{'free':2}", 1, "parameter \"x\" (path) is required" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h;
		struct call_spec *s = spec("contacts", rows[i].path, rows[i].method, "live", &h);
		assert_non_null(s);
		unsigned n = call_spec_check_mapping(s, json_new(rows[i].mapping), hear, &h);
		if (n != rows[i].n)
			fail_msg("%s: %u complaints: %s", rows[i].mapping, n, h.text);
		assert_heard(h, rows[i].told);
	}
}

TEST(methods_are_known_by_name_in_any_case)
{
	enum call_method m;
	assert_true(call_method_parse(STR("Get"), &m) && m == CALL_GET);
	assert_true(call_method_parse(STR("options"), &m) && m == CALL_OPTIONS);
	assert_false(call_method_parse(STR("GET\r\n"), &m));
	assert_false(call_method_parse(STR(""), &m));
	assert_false(call_method_is_idempotent(CALL_POST));
	assert_false(call_method_is_idempotent(CALL_PATCH));
	assert_true(call_method_is_idempotent(CALL_PUT) && call_method_is_idempotent(CALL_DELETE));
}

TEST(checks_survive_any_allocation_failing)
{
	struct value *system = json_new(good);
	for (unsigned long n = 1;; n++) {
		struct arena a;
		struct heard h = { "" };
		arena_init(&a, 0);
		alloc_fail_after(n);
		(void)call_system_check(system, STR("live"), hear, &h);
		struct call_spec *s = call_spec_new(&a, system, STR("crm"), STR("contacts"), STR("/contacts/{id}"),
						    CALL_GET, STR("live"), hear, &h);
		bool has_failed = alloc_has_failed();
		alloc_fail_after(0);
		arena_done(&a);
		if (!has_failed) {
			assert_non_null(s);
			return;
		}
		if (!s)
			assert_true(h.text[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(a_good_system_has_no_complaints),
		CALL_CLAIM(each_fault_of_a_system_is_told_with_its_cure),
		CALL_CLAIM(each_fault_of_an_operation_is_told_with_its_cure),
		CALL_CLAIM(the_schema_names_what_the_check_knows),
		CALL_CLAIM(a_spec_is_refused_where_it_leads_nowhere),
		CALL_CLAIM(a_spec_says_what_it_promises),
		CALL_CLAIM(mappings_are_checked_against_the_operation),
		CALL_CLAIM(methods_are_known_by_name_in_any_case),
		CALL_CLAIM(checks_survive_any_allocation_failing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
