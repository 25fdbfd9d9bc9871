/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are files: which become one, what they are called, and that the ledger's word gives the same value. */
#include "call_test.h"

#include <stdio.h>

#define ID "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct call_spec *get_answer(const char *answer)
{
	return spec_of(arena_printf(&arena,
				    "{'base_url':'https://h','connectors':{'c':{'operations':["
				    "{'method_name':'GET','query_path':'/f','answer':'%s'},"
				    "{'method_name':'HEAD','query_path':'/f','answer':'%s'},"
				    "{'method_name':'POST','query_path':'/f','answer':'%s'}]}}}",
				    answer, answer, answer),
		       "GET", "/f");
}

static struct headers headers_of(const char *type, const char *disposition)
{
	struct headers h = { 0 };
	if (type)
		(void)headers_add(&arena, &h, STR("Content-Type"), str_c(type), NULL);
	if (disposition)
		(void)headers_add(&arena, &h, STR("Content-Disposition"), str_c(disposition), NULL);
	return h;
}

TEST(only_successes_become_files_and_by_what_is_expected)
{
	static const struct {
		const char *answer, *type;
		int status;
		enum call_way way;
	} rows[] = {
		{ "file", "application/json", 200, CALL_TO_FILE },
		{ "file", NULL, 201, CALL_TO_FILE },
		{ "file", "application/pdf", 404, CALL_GATHER },
		{ "file", "application/pdf", 302, CALL_GATHER },
		{ "binary", "text/plain", 200, CALL_SPILL },
		{ "binary", "image/png", 500, CALL_GATHER },
		{ "auto", "image/png", 200, CALL_SPILL },
		{ "auto", "application/octet-stream; x=y", 206, CALL_SPILL },
		{ "auto", "application/json", 200, CALL_GATHER },
		{ "auto", "text/html", 200, CALL_GATHER },
		{ "auto", "image/svg+xml", 200, CALL_GATHER },
		{ "auto", NULL, 200, CALL_GATHER }, /* what it is shows when it is there */
		{ "json", "image/png", 200, CALL_GATHER },
		{ "text", "application/octet-stream", 200, CALL_GATHER },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct headers h = headers_of(rows[i].type, NULL);
		if (call_answer_way(get_answer(rows[i].answer), rows[i].status, &h) != rows[i].way)
			fail_msg("row %zu", i);
	}
}

/* An answer from the wire whose body went into a file. */
static struct call_answer answer_in_file(const char *type, const char *disposition, const char *url,
					 struct secrets *secrets)
{
	struct headers h = headers_of(type, disposition);
	struct buf none = { 0 };
	struct http_response r = {
		.certainty = HTTP_ANSWERED, .status = 200, .headers = &h, .body = &none, .was_sunk = true
	};
	struct call_answer x;
	char *body = NULL;
	assert_int_equal(call_answer_from_response(&r, secrets, &arena, &x, &body), 0);
	assert_null(body);
	assert_int_equal(call_answer_set_file(&x, STR(ID), 5000000000, str_c(url), secrets, &arena), 0);
	return x;
}

TEST(a_file_is_called_what_the_answer_calls_it_without_paths)
{
	static const struct {
		const char *disposition, *url, *name;
	} rows[] = {
		{ "attachment; filename=cat.png", "https://h/f", "cat.png" },
		{ "attachment; filename=\"a b; c.png\"", "https://h/f", "a b; c.png" },
		{ "inline; FileName=\"x.pdf\"", "https://h/f", "x.pdf" },
		/* RFC 8187 wins over the plain one (RFC 6266 4.3) */
		{ "attachment; filename=\"EURO.txt\"; filename*=utf-8''%e2%82%ac.txt", "https://h/f", "\u20ac.txt" },
		{ "attachment; filename*=UTF-8'en'na%C3%AFve%20file.txt", "https://h/f", "na\u00efve file.txt" },
		{ "attachment; filename*=iso-8859-1'en'%A3.txt", "https://h/f", "\u00a3.txt" },
		/* broken ones are passed over */
		{ "attachment; filename*=utf-8''%ff%fe; filename=ok.txt", "https://h/f", "ok.txt" },
		{ "attachment; filename*=koi8-r''%c1; filename=ok.txt", "https://h/f", "ok.txt" },
		{ "attachment; filename*=nonsense; filename=ok.txt", "https://h/f", "ok.txt" },
		/* nothing of a path, nothing that steers */
		{ "attachment; filename=\"../../etc/passwd\"", "https://h/f", "passwd" },
		{ "attachment; filename*=utf-8''..%2F..%2Fetc%2Fpasswd", "https://h/f", "passwd" },
		{ "attachment; filename*=utf-8''C%3A%5Cdir%5Cx.txt", "https://h/f", "x.txt" },
		{ "attachment; filename=\"..\"", "https://h/report.csv", "report.csv" },
		{ "attachment; filename*=utf-8''a%00b%1b%5B31m%0Ac.txt", "https://h/f", "ab[31mc.txt" },
		{ "attachment; filename*=utf-8''gnp%E2%80%AE.exe", "https://h/f", "gnp.exe" },
		{ "attachment; filename=\"dir/\"", "https://h/report.csv", "report.csv" },
		/* the address else */
		{ NULL, "https://h/a/b%20c.png?x=1/2#f", "b c.png" },
		{ "attachment", "https://h/a/%2e%2e", "file" },
		{ NULL, "https://h/a/x%2Fy.png", "y.png" },
		{ NULL, "https://h/a/", "file" },
		{ NULL, "https://h", "file" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_answer x = answer_in_file("image/png", rows[i].disposition, rows[i].url, NULL);
		if (!str_eq_c(x.file_name, rows[i].name))
			fail_msg("row %zu: \"%.*s\"", i, STR_ARG(x.file_name));
	}
	char *longest = arena_printf(&arena, "https://h/%0300d", 0);
	assert_int_equal(answer_in_file(NULL, NULL, longest, NULL).file_name.len, 255);
}

TEST(a_secret_in_the_address_is_no_name)
{
	assert_int_equal(setenv("WEIR_SECRET_SEGMENT", "s3cr3t-value", 1), 0);
	struct secrets *secrets = secrets_new(NULL, NULL);
	struct str value;
	assert_true(secrets_get(secrets, STR("SEGMENT"), &value));
	assert_str(answer_in_file("image/png", NULL, "https://h/s3cr3t-value", secrets).file_name, "***");
	secrets_free(secrets);
	assert_int_equal(unsetenv("WEIR_SECRET_SEGMENT"), 0);
}

static struct str head_of(const struct call_answer *x)
{
	struct buf b;
	buf_init(&b, 1u << 20);
	assert_int_equal(call_answer_write(x, &b), 0);
	struct str head = arena_str(&arena, buf_str(&b));
	buf_done(&b);
	return head;
}

static struct str judged(const struct call_spec *s, const char *result, const struct call_answer *x)
{
	struct value v, problem;
	struct err e = ERR_INIT;
	struct call_result_rule *rule = call_result_rule_new(&arena, str_c(result), &e);
	assert_non_null(rule);
	if (call_judge(s, rule, x, &arena, &v, &problem) != CALL_OK)
		return text_of_value(&problem);
	return text_of_value(&v);
}

#define VALUE "{\"file\":\"" ID "\",\"name\":\"cat.png\",\"media_type\":\"image/png\",\"bytes\":5000000000}"

TEST(the_ledger_gives_the_same_value_as_the_wire)
{
	static const struct {
		const char *answer, *result, *expected;
	} rows[] = {
		{ "file", "auto", VALUE },
		{ "auto", "auto", VALUE },
		{ "binary", "body", VALUE },
		{ "file", "$.file", "\"" ID "\"" },
	};
	struct call_answer x = answer_in_file("image/png; x=y", "attachment; filename=cat.png", "https://h/f", NULL), y;
	struct err e = ERR_INIT;
	assert_int_equal(call_answer_read(head_of(&x), 200, STR(""), &arena, &y, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_spec *s = get_answer(rows[i].answer);
		assert_str(judged(s, rows[i].result, &x), rows[i].expected);
		assert_str(judged(s, rows[i].result, &y), rows[i].expected);
	}
	assert_contains(judged(get_answer("file"), "response", &y), "\"body\":" VALUE "}");
	assert_contains(judged(get_answer("file"), "response", &y), "\"status\":200");
}

TEST(a_write_that_expects_a_file_results_in_it)
{
	struct call_answer x = answer_in_file("image/png", "attachment; filename=cat.png", "https://h/f", NULL);
	struct call_spec *s =
	    spec_of("{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'POST','query_path':'/f',"
		    "'answer':'file'}]}}}",
		    "POST", "/f");
	assert_str(judged(s, "auto", &x), VALUE);
	assert_str(judged(s, "id", &x), "null");
}

TEST(a_media_type_that_is_none_is_not_passed_on)
{
	struct call_answer x = answer_in_file("nonsense", "attachment; filename=a", "https://h/f", NULL);
	assert_contains(judged(get_answer("file"), "body", &x), "\"media_type\":\"application/octet-stream\"");
	x = answer_in_file(NULL, "attachment; filename=a", "https://h/f", NULL);
	assert_contains(judged(get_answer("file"), "body", &x), "\"media_type\":\"application/octet-stream\"");
}

TEST(without_a_file_the_answer_is_read_by_its_type)
{
	struct call_answer x = { .certainty = HTTP_ANSWERED, .status = 200, .body = STR("{\"a\":1}") };
	x.headers = json("[['content-type','application/json']]");
	assert_str(judged(get_answer("file"), "auto", &x), "{\"a\":1}");
}

TEST(a_damaged_record_of_a_file_is_refused)
{
	static const char *const files[] = {
		"1",
		"{}",
		"{'file':1,'name':'a','bytes':1}",
		"{'file':'x','bytes':1}",
		"{'file':'x','name':'a'}",
		"{'file':'x','name':'a','bytes':-1}",
		"{'file':'x','name':'a','bytes':'1'}",
	};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct err e = ERR_INIT;
		struct call_answer x;
		struct value head = json(arena_printf(&arena, "{'file':%s,'headers':[],'timings':{}}", files[i]));
		assert_int_equal(call_answer_read(text_of_value(&head), 200, STR(""), &arena, &x, &e), -ERR_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(only_successes_become_files_and_by_what_is_expected),
		CALL_CLAIM(a_file_is_called_what_the_answer_calls_it_without_paths),
		CALL_CLAIM(a_secret_in_the_address_is_no_name),
		CALL_CLAIM(the_ledger_gives_the_same_value_as_the_wire),
		CALL_CLAIM(a_write_that_expects_a_file_results_in_it),
		CALL_CLAIM(a_media_type_that_is_none_is_not_passed_on),
		CALL_CLAIM(without_a_file_the_answer_is_read_by_its_type),
		CALL_CLAIM(a_damaged_record_of_a_file_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
