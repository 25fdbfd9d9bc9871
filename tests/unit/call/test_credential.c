/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: each kind in its place, and never where people look. */
#include "call_test.h"

#include <sys/stat.h>
#include <unistd.h>

#define CANARY "s3cr3t-CANARY-\u00e4\u00df/\"+"
#define AUTH(auth) "{'base_url':'https://h/v1','auth':" auth ",'connectors':{'c':{'operations':[]}}}"

static struct call_request built;
static struct err trouble;
static struct secrets *secrets;

static int setup(void **state)
{
	(void)setenv("WEIR_SECRET_KEY", CANARY, 1);
	(void)setenv("WEIR_SECRET_USER", "jane-doe", 1);
	(void)setenv("WEIR_SECRET_BROKEN", "two\nlines", 1);
	(void)setenv("WEIR_SECRET_SHORT", "abc", 1);
	secrets = secrets_new(NULL, NULL);
	return test_begin(state) || !secrets;
}

static int teardown(void **state)
{
	secrets_free(secrets);
	return test_end(state);
}

static int build(const struct call_spec *s, const char *parameters)
{
	trouble = ERR_INIT;
	return call_request_build(s, secrets, json_new(parameters), STR_NULL, &arena, &built, &trouble);
}

static void assert_no_canary(struct str s)
{
	static const char *const forms[] = { "s3cr3t",	"CANARY",   "czNjcjN0",	   "MzY3IzdC",
					     "zM2NyM3", "Q0FOQVJZ", "733363723374" };
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		assert_lacks(s, forms[i]);
}

static struct str mask(const char *text, size_t n)
{
	struct buf b;
	buf_init(&b, 1u << 20);
	assert_int_equal(secrets_mask(secrets, &b, str_from(text, n)), 0);
	struct str copy = arena_str(&arena, buf_str(&b));
	buf_done(&b);
	return copy;
}

TEST(each_kind_of_authentication_puts_its_bytes)
{
	static const struct {
		const char *system, *header, *expected, *shown;
	} rows[] = {
		{ AUTH("{'kind':'basic','username':'Aladdin','password':{'secret':'SHORT'}}"), "Authorization",
		  "Basic QWxhZGRpbjphYmM=", "[\"Authorization\",\"Basic ***\"]" },
		{ AUTH("{'kind':'bearer','token':{'secret':'KEY'}}"), "Authorization", "Bearer " CANARY,
		  "[\"Authorization\",\"Bearer ***\"]" },
		{ AUTH("{'kind':'api_key','name':'X-Api-Key','in':'header','value':{'secret':'KEY'}}"), "X-Api-Key",
		  CANARY, "[\"X-Api-Key\",\"***\"]" },
		{ AUTH("{'kind':'api_key','name':'Authorization','in':'header','prefix':'Token "
		       "','value':{'secret':'KEY'}}"),
		  "Authorization", "Token " CANARY, "[\"Authorization\",\"Token ***\"]" },
		{ AUTH("{'kind':'api_key','name':'sid','in':'cookie','value':{'secret':'SHORT'}}"), "Cookie",
		  "a=1; sid=abc", "[\"Cookie\",\"***\"]" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(build(spec_of(rows[i].system, "GET", "/"), "{'cookie.a':1}"), 0);
		assert_str(headers_get(&built.headers, str_c(rows[i].header)), rows[i].expected);
		assert_contains(built.masked, rows[i].shown);
		assert_no_canary(built.masked);
		assert_lacks(built.masked, "abc");
	}
}

TEST(a_key_in_the_query_is_last_and_masked_by_position)
{
	struct call_spec *s =
	    spec_of(AUTH("{'kind':'api_key','name':'appid','in':'query','value':{'secret':'SHORT'}}"), "GET", "/w");
	assert_int_equal(build(s, "{'q':'abc'}"), 0);
	assert_str(built.url, "https://h/v1/w?q=abc&appid=abc");
	assert_contains(built.masked, "\"https://h/v1/w?q=abc&appid=***\"");
	assert_int_equal(build(s, "{}"), 0);
	assert_str(built.url, "https://h/v1/w?appid=abc");
	s = spec_of(AUTH("{'kind':'api_key','name':'appid','in':'query','value':{'secret':'KEY'}}"), "GET", "/w");
	assert_int_equal(build(s, "{'q':1}"), 0);
	assert_str(built.url, "https://h/v1/w?q=1&appid=s3cr3t-CANARY-%C3%A4%C3%9F%2F%22%2B");
	assert_no_canary(built.masked);
}

TEST(a_mapping_cannot_compete_with_authentication)
{
	static const struct {
		const char *system, *parameters;
	} rows[] = {
		{ AUTH("{'kind':'bearer','token':{'secret':'KEY'}}"), "{'header.authorization':'x'}" },
		{ AUTH("{'kind':'basic','username':'a','password':{'secret':'KEY'}}"), "{'header.Authorization':'x'}" },
		{ AUTH("{'kind':'api_key','name':'key','in':'query','value':{'secret':'KEY'}}"), "{'key':'x'}" },
		{ AUTH("{'kind':'api_key','name':'key','in':'cookie','value':{'secret':'KEY'}}"),
		  "{'cookie.key':'x'}" },
		{ AUTH("{'kind':'api_key','name':'X-Key','in':'header','value':{'secret':'KEY'}}"),
		  "{'header.x-key':'x'}" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(build(spec_of(rows[i].system, "GET", "/"), rows[i].parameters), -ERR_INVALID);
		assert_contains(str_c(trouble.msg), "is set by the system's authentication");
	}
}

TEST(a_secret_that_is_not_set_is_named_with_its_cure)
{
	struct call_spec *s = spec_of(AUTH("{'kind':'bearer','token':{'secret':'NOWHERE'}}"), "GET", "/");
	assert_int_equal(build(s, "{}"), -ERR_MISSING);
	assert_string_equal(
	    trouble.msg,
	    "secret \"NOWHERE\" is not set: export WEIR_SECRET_NOWHERE, or add NOWHERE=... to the secrets file");
}

TEST(a_secret_with_a_line_break_never_becomes_a_header)
{
	static const char *const systems[] = {
		AUTH("{'kind':'bearer','token':{'secret':'BROKEN'}}"),
		AUTH("{'kind':'api_key','name':'X-Key','in':'header','value':{'secret':'BROKEN'}}"),
		"{'base_url':'https://h','headers':{'X-Thing':{'secret':'BROKEN'}},'connectors':{'c':{}}}",
	};
	for (size_t i = 0; i < ARRAY_LEN(systems); i++) {
		assert_int_equal(build(spec_of(systems[i], "GET", "/"), "{}"), -ERR_INVALID);
		assert_contains(str_c(trouble.msg), "secret \"BROKEN\" holds a line break or control byte");
		assert_lacks(str_c(trouble.msg), "lines");
	}
}

TEST(secrets_that_come_by_another_way_are_masked_by_value)
{
	struct call_spec *s =
	    spec_of(AUTH("{'kind':'basic','username':{'secret':'USER'},'password':{'secret':'KEY'}}"), "POST", "/{id}");
	struct value parameters = value_object(), canary = value_string(STR(CANARY)),
		     text = value_string(STR("<" CANARY ">"));
	assert_int_equal(value_add(&arena, &parameters, STR("id"), canary), 0);
	assert_int_equal(value_add(&arena, &parameters, STR("header.X-Echo"), canary), 0);
	assert_int_equal(value_add(&arena, &parameters, STR("query.q"), text), 0);
	assert_int_equal(value_add(&arena, &parameters, STR("member"), text), 0);
	assert_int_equal(call_request_build(s, secrets, &parameters, STR_NULL, &arena, &built, &trouble), 0);
	assert_contains(built.url, "s3cr3t");
	assert_contains(built.body, "s3cr3t");
	/* The first build with a secret knows it only after the credential was written: the shadow comes last. */
	assert_no_canary(built.masked);
	assert_contains(built.masked, "https://h/v1/***?q=%3C***%3E");
	assert_contains(built.masked, "\"{\\\"member\\\":\\\"<***>\\\"}\"");
}

#define BY_PROXY(more)                                                                                                 \
	"{'base_url':'https://h/v1','auth':{'kind':'bearer','token':{'secret':'SHORT'}},"                              \
	"'proxy':{'url':'http://p:3128'" more "},'connectors':{'c':{'operations':[]}}}"

TEST(a_proxys_credentials_go_with_the_request_and_not_in_it)
{
	struct call_spec *s = spec_of(BY_PROXY(",'username':{'secret':'USER'},'password':{'secret':'KEY'}"), "GET", "/");
	assert_int_equal(build(s, "{'q':1}"), 0);
	assert_non_null(built.proxy);
	assert_str(built.proxy->url, "http://p:3128");
	assert_str(built.proxy->authorization, "Basic amFuZS1kb2U6czNjcjN0LUNBTkFSWS3DpMOfLyIr");
	assert_str(headers_get(&built.headers, STR("Authorization")), "Bearer abc");
	assert_int_equal(headers_count(&built.headers, STR("Proxy-Authorization")), 0);
	assert_no_canary(built.masked);
	assert_lacks(built.masked, "jane-doe");
	const char *echo = "an echo: amFuZS1kb2U6czNjcjN0LUNBTkFSWS3DpMOfLyIr, s3cr3t-CANARY-\u00e4\u00df/\"+";
	assert_no_canary(mask(echo, strlen(echo)));
	assert_int_equal(build(spec_of(BY_PROXY(""), "GET", "/"), "{}"), 0);
	assert_null(built.proxy->authorization.ptr);
	assert_int_equal(build(spec_of(BY_PROXY(",'username':'a','password':{'secret':'NOT_SET'}"), "GET", "/"), "{}"),
			 -ERR_MISSING);
	assert_contains(str_c(trouble.msg), "WEIR_SECRET_NOT_SET");
	(void)setenv("WEIR_SECRET_COLON", "a:b", 1);
	assert_int_equal(build(spec_of(BY_PROXY(",'username':{'secret':'COLON'},'password':{'secret':'KEY'}"), "GET", "/"), "{}"),
			 -ERR_INVALID);
	assert_int_equal(build(spec_of(BY_PROXY(""), "GET", "/"), "{'header.Proxy-Authorization':'x'}"), -ERR_INVALID);
}

TEST(the_proxy_is_the_environments)
{
	static const struct {
		const char *env, *url;
	} rows[] = { { "live", "http://p:1" }, { "test", NULL }, { "", "http://p:1" } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h = { "" };
		struct call_spec *s = call_spec_new(
		    &arena,
		    json_new("{'base_url':'https://h','proxy':{'url':{'live':'http://p:1','test':null}},'connectors':{'c':{}}}"),
		    STR("crm"), STR("c"), STR("/"), CALL_GET, str_c(rows[i].env), hear, &h);
		assert_non_null(s);
		assert_int_equal(build(s, "{}"), 0);
		assert_int_equal(built.proxy != NULL, rows[i].url != NULL);
		if (rows[i].url)
			assert_str(built.proxy->url, rows[i].url);
	}
}

TEST(needed_secrets_are_listed_once)
{
	struct call_spec *s = spec_of(
	    "{'base_url':'https://h','auth':{'kind':'basic','username':{'secret':'A'},'password':{'secret':'B'}},"
	    "'proxy':{'url':'http://p:1','username':{'secret':'B'},'password':{'secret':'D'}},"
	    "'headers':{'X-1':{'secret':'B'},'X-2':{'secret':'C'},'X-3':'plain'},'connectors':{'c':{}}}",
	    "GET", "/");
	struct str name;
	size_t pos = 0;
	const char *const expected[] = { "A", "B", "D", "C" };
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_true(call_spec_next_secret(s, &pos, &name));
		assert_str(name, expected[i]);
	}
	assert_false(call_spec_next_secret(s, &pos, &name));
}

/* ---- masks ---- */

TEST(only_values_handed_out_are_masked)
{
	struct str value;
	assert_str(mask("jane-doe", 8), "jane-doe");
	assert_true(secrets_get(secrets, STR("USER"), &value));
	assert_str(value, "jane-doe");
	assert_str(mask("a jane-doe and jane-doe", 23), "a *** and ***");
	assert_true(secrets_get(secrets, STR("SHORT"), &value));
	assert_str(mask("abcabc", 6), "abcabc");
	assert_false(secrets_get(secrets, STR("NOWHERE"), &value));
	assert_false(secrets_get(secrets, STR(""), &value));
	assert_false(secrets_get(secrets, STR("A=B"), &value));
}

TEST(each_disguise_is_seen_through)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "x" CANARY "y", "x***y" },
		{ "s3cr3t-CANARY-%C3%A4%C3%9F%2F%22%2B", "***" },
		{ "s3cr3t-CANARY-%c3%a4%c3%9f%2f%22%2b", "***" },
		{ "{\"a\":\"s3cr3t-CANARY-\u00e4\u00df/\\\"+\"}", "{\"a\":\"***\"}" },
		{ "{\"a\":\"s3cr3t-CANARY-\u00e4\u00df\\/\\\"+\"}", "{\"a\":\"***\"}" },
		{ "{\"a\":\"s3cr3t-CANARY-\\u00e4\\u00df/\\\"+\"}", "{\"a\":\"***\"}" },
		{ "{\"a\":\"s3cr3t-CANARY-\\u00E4\\u00DF\\/\\\"+\"}", "{\"a\":\"***\"}" },
		{ "\"{\\\"a\\\":\\\"s3cr3t-CANARY-\\u00e4\\u00df/\\\\\\\"+\\\"}\"", "\"{\\\"a\\\":\\\"***\\\"}\"" },
		{ "{\"a\":\"s3cr3t-CANARY-\\u00E4\\u00DF/\\u0022\\u002B\"}", "{\"a\":\"***\"}" },
		{ "czNjcjN0LUNBTkFSWS3DpMOfLyIr/", "***/" },
		{ "7333637233742d43414e4152592dc3a4c39f2f222b", "***" },
		{ "czNjcjN0LUNBTkFSWS3DpMOfLyIr", "***" },			      /* alone */
		{ "eHMzY3IzdC1DQU5BUlktw6TDny8iKw==", "e***==" },		      /* behind x */
		{ "eHhzM2NyM3QtQ0FOQVJZLcOkw58vIit4", "eH***4" },		      /* behind xx, before x */
		{ "s3cr3t-CANARY-\u00e4\u00df/\"", "s3cr3t-CANARY-\u00e4\u00df/\"" }, /* not all of it */
		{ "", "" },
		{ "s3c", "s3c" },
	};
	struct str value;
	assert_true(secrets_get(secrets, STR("KEY"), &value));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_str(mask(rows[i].text, strlen(rows[i].text)), rows[i].expected);
}

TEST(base64_is_found_in_json_that_escapes_slashes)
{
	struct str value;
	(void)setenv("WEIR_SECRET_SLASHES", "??" "?>>>abc", 1);
	assert_true(secrets_get(secrets, STR("SLASHES"), &value));
	assert_str(mask("<Pz8/Pj4+YWJj> Pz8\\/Pj4+YWJj Pz8_Pj4-YWJj", 41), "<***> *** ***");
}

/* The search jumps: every position, every neighbour and every mix of lengths must come out as a plain search says. */
TEST(the_jumping_search_agrees_with_a_plain_one)
{
	static const char *const values[] = { "aaaa", "abab", "abcdefghijklmnop", "aaaabaaaabaaaab",
					      "ponmlkjihgfedcba0123" };
	unsigned seed = 7;
	for (size_t n = 1; n <= ARRAY_LEN(values); n++) {
		struct secrets *s = secrets_new(NULL, NULL);
		struct str value;
		for (size_t i = 0; i < n; i++) {
			/* The longest first, then shorter: the window shrinks on the way. */
			char name[] = "JUMP_0", variable[] = "WEIR_SECRET_JUMP_0";
			name[5] = variable[17] = (char)('0' + i);
			(void)setenv(variable, values[ARRAY_LEN(values) - 1 - i], 1);
			assert_true(secrets_get(s, str_c(name), &value));
		}
		for (int round = 0; round < 3000; round++) {
			char text[64];
			size_t len = (size_t)(rand_r(&seed) % 40);
			for (size_t i = 0; i < len; i++)
				text[i] = "ab"[rand_r(&seed) % 2];
			if (round % 3 == 0)
				len +=
				    (size_t)snprintf(text + len, sizeof(text) - len, "%s", values[rand_r(&seed) % 5]);
			bool expected = false;
			for (size_t i = 0; i < n; i++)
				expected |=
				    str_find(str_from(text, len), str_c(values[ARRAY_LEN(values) - 1 - i])) >= 0;
			struct buf b;
			buf_init(&b, 4096);
			assert_int_equal(secrets_mask(s, &b, str_from(text, len)), 0);
			bool is_masked = str_find(buf_str(&b), STR("***")) >= 0;
			for (size_t i = 0; i < n; i++)
				assert_lacks(buf_str(&b), values[ARRAY_LEN(values) - 1 - i]);
			if (expected && !is_masked)
				fail_msg("not masked: %.*s", (int)len, text);
			buf_done(&b);
		}
		secrets_free(s);
	}
}

/* ---- the file ---- */

static const char *write_file(const char *text, size_t n, mode_t mode)
{
	static char path[64];
	(void)snprintf(path, sizeof(path), "/tmp/weir-secrets-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
	return path;
}

TEST(the_file_is_lines_of_name_and_value)
{
	static const char text[] = "\xEF\xBB\xBF# a comment\r\n\r\nCRLF=one two \r\n  SPACED  = "
				   "x=y\nQUOTED=\"q\"\nEMPTY=\nTWICE=a\nTWICE=b\nUSER=file\nLAST=end";
	static const struct {
		const char *name, *value;
	} rows[] = { { "CRLF", "one two " }, { "SPACED", " x=y" },   { "QUOTED", "\"q\"" },
		     { "TWICE", "b" },	     { "USER", "jane-doe" }, { "LAST", "end" } };
	const char *path = write_file(text, sizeof(text) - 1, 0600);
	struct err e = ERR_INIT;
	struct str value;
	struct secrets *s = secrets_new(path, &e);
	if (!s)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(secrets_get(s, str_c(rows[i].name), &value));
		assert_str(value, rows[i].value);
	}
	assert_false(secrets_get(s, STR("EMPTY"), &value));
	assert_false(secrets_get(s, STR("# a comment"), &value));
	secrets_free(s);
	(void)unlink(path);
}

TEST(a_file_that_others_may_read_is_refused_with_the_cure)
{
	static const mode_t modes[] = { 0644, 0640, 0604, 0620 };
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		const char *path = write_file("A=s3cr3t\n", 9, modes[i]);
		struct err e = ERR_INIT;
		assert_null(secrets_new(path, &e));
		assert_int_equal(e.code, -ERR_DENIED);
		assert_contains(str_c(e.msg), "chmod 600");
		assert_lacks(str_c(e.msg), "s3cr3t");
		(void)unlink(path);
	}
}

TEST(a_broken_file_is_told_by_line_never_by_content)
{
	static const char *const rows[] = { "A=ok\ns3cr3t\n", "A=ok\n=s3cr3t\n", "A=ok\n1A=s3cr3t",
					    "A=ok\na b=s3cr3t" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *path = write_file(rows[i], strlen(rows[i]), 0600);
		struct err e = ERR_INIT;
		assert_null(secrets_new(path, &e));
		assert_contains(str_c(e.msg), "line 2: write NAME=value");
		assert_lacks(str_c(e.msg), "s3cr3t");
		(void)unlink(path);
	}
	struct err e = ERR_INIT;
	assert_null(secrets_new("/nonexistent/secrets", &e));
	assert_null(secrets_new("/tmp", &e));
}

#define C(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		C(each_kind_of_authentication_puts_its_bytes),
		C(a_key_in_the_query_is_last_and_masked_by_position),
		C(a_mapping_cannot_compete_with_authentication),
		C(a_secret_that_is_not_set_is_named_with_its_cure),
		C(a_secret_with_a_line_break_never_becomes_a_header),
		C(secrets_that_come_by_another_way_are_masked_by_value),
		C(a_proxys_credentials_go_with_the_request_and_not_in_it), C(the_proxy_is_the_environments),
		C(needed_secrets_are_listed_once),
		C(only_values_handed_out_are_masked),
		C(each_disguise_is_seen_through),
		C(base64_is_found_in_json_that_escapes_slashes),
		C(the_jumping_search_agrees_with_a_plain_one),
		C(the_file_is_lines_of_name_and_value),
		C(a_file_that_others_may_read_is_refused_with_the_cure),
		C(a_broken_file_is_told_by_line_never_by_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
