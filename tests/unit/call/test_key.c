/* SPDX-License-Identifier: Apache-2.0 */
/* What a connector says of its idempotency keys: who sends one, how long it holds, and what an answer means that is
 * saved under it. */
#include "call_test.h"

#include "call/attempt.h"

static struct call_judgement judgement;

/* A spec of an operation with these members in a connector with those; both with a comma in front. */
static struct call_spec *spec_with(const char *method, const char *operation, const char *connector)
{
	return spec_of(
	    arena_printf(&arena,
			 "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':'%s','query_path':'/"
			 "x'%s}]%s}}}",
			 method, operation, connector),
	    method, "/x");
}

static enum call_verdict judge(const struct call_spec *s, int status, const char *headers)
{
	struct call_answer x = {
		.status = status, .certainty = HTTP_ANSWERED, .headers = json(headers), .timings = value_object()
	};
	return call_judge_full(s, call_result_rule_new(&arena, STR("body"), NULL), &x, &arena, &judgement);
}

static struct str problem_member(const char *name)
{
	const struct value *v = value_get_c(&judgement.problem, name);
	return v ? value_text(v) : STR("");
}

#define FOR_ALL ",'idempotency_key':{'header':'X-Key','lifetime':'1h'}"

TEST(a_connector_says_it_for_what_must_not_be_sent_twice_and_an_operation_for_itself)
{
	static const struct {
		const char *method, *operation, *connector, *promise;
		bool rests_on_key;
		msec_t lifetime;
	} rows[] = {
		{ "POST", "", "", "at most once: POST without key", false, 86400000 },
		{ "POST", ",'idempotency_key':true", "",
		  "at least once: POST repeats with the same Idempotency-Key for 24 h", true, 86400000 },
		{ "POST", "", FOR_ALL, "at least once: POST repeats with the same X-Key for 1 h", true, 3600000 },
		{ "PATCH", "", FOR_ALL, "at least once: PATCH repeats with the same X-Key for 1 h", true, 3600000 },
		{ "GET", "", FOR_ALL, "at least once: GET may be repeated", false, 3600000 },
		{ "PUT", "", FOR_ALL, "at least once: PUT may be repeated", false, 3600000 },
		{ "POST", ",'idempotency_key':false", FOR_ALL, "at most once: POST without key", false, 3600000 },
		{ "POST", ",'idempotency_key':true", FOR_ALL, "at least once: POST repeats with the same X-Key for 1 h",
		  true, 3600000 },
		{ "POST", ",'idempotency_key':{'lifetime':'90m'}", FOR_ALL,
		  "at least once: POST repeats with the same X-Key for 90 min", true, 5400000 },
		{ "POST", ",'idempotency_key':{'header':'Y'}", FOR_ALL,
		  "at least once: POST repeats with the same Y for 1 h", true, 3600000 },
		{ "POST", ",'idempotency_key':{'lifetime':'7d'},'repeatable':true", "",
		  "at least once: POST repeats with the same Idempotency-Key for 168 h", false, 604800000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_spec *s = spec_with(rows[i].method, rows[i].operation, rows[i].connector);
		assert_str(call_spec_promise(s, &arena), rows[i].promise);
		assert_int_equal(call_spec_rests_on_key(s), rows[i].rests_on_key);
		assert_int_equal(call_spec_key_lifetime(s), rows[i].lifetime);
	}
}

TEST(settings_of_keys_that_cannot_be_are_refused)
{
	static const struct {
		const char *setting, *heard;
	} rows[] = {
		{ "7", "write idempotency_key: true, or { header: Idempotency-Key }" },
		{ "{'header':'a b'}", "header: \"a b\" cannot carry a key" },
		{ "{'header':'Content-Length'}", "cannot carry a key" },
		{ "{'lifetime':'0s'}", "lifetime" },
		{ "{'lifetime':'4000d'}", "lifetime" },
		{ "{'on_saved_error':'maybe'}", "on_saved_error" },
		{ "{'replayed_header':'a:b'}", "\"a:b\" is no header name" },
		{ "{'life_time':'1h'}", "lifetime" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int at_connector = 0; at_connector < 2; at_connector++) {
			struct heard h = { "" };
			const char *key = arena_printf(&arena, ",'idempotency_key':%s", rows[i].setting);
			assert_true(call_system_check(
					json_new(arena_printf(
					    &arena,
					    "{'base_url':'https://h','connectors':{'c':{'operations':[{'method_name':"
					    "'POST','query_path':'/x'%s}]%s}}}",
					    at_connector ? "" : key, at_connector ? key : "")),
					STR_NULL, hear, &h) > 0);
			assert_heard(h, rows[i].heard);
		}
}

#define SAVED "[['idempotent-replayed','true']]"
#define TRY_500 ",'rules':[{'when':{'status':500},'then':'retry'},{'when':{'status':[409,422]},'then':'retry'}]"
#define NEW ",'idempotency_key':{'on_saved_error':'new_key'}"

TEST(an_error_saved_under_the_key_is_tried_with_a_new_one_only_where_nothing_was_done)
{
	static const struct {
		const char *operation;
		int status;
		const char *headers;
		enum call_verdict verdict;
		bool wants_new_key;
	} rows[] = {
		{ ",'idempotency_key':true", 500, SAVED, CALL_RETRY, false },
		{ ",'idempotency_key':{'on_saved_error':'fail'}", 500, SAVED, CALL_FAILED, false },
		{ ",'idempotency_key':{'on_saved_error':'fail'}", 500, "[]", CALL_RETRY, false },
		{ ",'idempotency_key':{'on_saved_error':'fail'}", 500, "[['idempotent-replayed','false']]", CALL_RETRY,
		  false },
		{ ",'idempotency_key':{'on_saved_error':'fail','replayed_header':'X-Again'}", 500, SAVED, CALL_RETRY,
		  false },
		{ ",'idempotency_key':{'on_saved_error':'fail','replayed_header':'X-Again'}", 500,
		  "[['x-again',' TRUE ']]", CALL_FAILED, false },
		{ NEW, 500, SAVED, CALL_FAILED, false }, /* nobody says that a 500 has done nothing */
		{ NEW TRY_500, 500, SAVED, CALL_RETRY, true },
		{ NEW TRY_500, 500, "[]", CALL_RETRY, false },
		{ NEW, 429, SAVED, CALL_WAIT, true },
		{ NEW TRY_500, 409, SAVED, CALL_RETRY,
		  false }, /* 2.7 of the draft: about the key, not saved under it */
		{ NEW TRY_500, 422, SAVED, CALL_RETRY, false },
		{ NEW, 409, SAVED, CALL_RETRY, false },
		{ NEW, 422, SAVED, CALL_FAILED, false },
		{ NEW, 200, SAVED, CALL_OK, false },
		{ NEW, 400, SAVED, CALL_FAILED, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct call_spec *s = spec_with("POST", rows[i].operation, "");
		enum call_verdict v = judge(s, rows[i].status, rows[i].headers);
		if (v != rows[i].verdict || judgement.wants_new_key != rows[i].wants_new_key)
			fail_msg("row %zu: %s, new key %d", i, call_verdict_name(v), judgement.wants_new_key);
	}
	(void)judge(spec_with("POST", NEW, ""), 500, SAVED);
	assert_str(problem_member("type"), "saved_error");
	assert_contains(problem_member("detail"), "saved this answer under the idempotency key");
}

TEST(with_a_key_that_is_gone_an_answer_means_what_it_means_without_one)
{
	static const struct {
		int status;
		enum http_error error;
		enum http_certainty certainty;
		enum call_verdict alive, gone;
	} rows[] = {
		{ 500, HTTP_ERROR_NONE, HTTP_ANSWERED, CALL_RETRY, CALL_FAILED },
		{ 409, HTTP_ERROR_NONE, HTTP_ANSWERED, CALL_RETRY, CALL_FAILED },
		{ 429, HTTP_ERROR_NONE, HTTP_ANSWERED, CALL_WAIT, CALL_WAIT },
		{ 0, HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS, CALL_RETRY, CALL_UNKNOWN },
		{ 0, HTTP_ERROR_CONNECT_REFUSED, HTTP_NOT_SENT, CALL_RETRY, CALL_RETRY },
	};
	struct call_spec *s = spec_with("POST", ",'idempotency_key':true", "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int gone = 0; gone < 2; gone++) {
			struct call_answer x = { .status = rows[i].status,
						 .error = rows[i].error,
						 .certainty = rows[i].certainty,
						 .headers = value_array(),
						 .timings = value_object(),
						 .is_key_gone = gone };
			assert_int_equal(call_judge_full(s, NULL, &x, &arena, &judgement),
					 gone ? rows[i].gone : rows[i].alive);
		}
}

TEST(another_key_takes_the_place_of_the_first_and_nothing_else_changes)
{
	struct call_spec *s = spec_with("POST", ",'idempotency_key':true", "");
	struct call_request r, next;
	struct secrets *secrets = secrets_new(NULL, NULL);
	struct value none = json("{'a':1}");
	assert_int_equal(call_request_build(s, secrets, &none, STR("k-1"), &arena, &r, NULL), 0);
	next = r;
	assert_int_equal(call_request_set_key(&next, s, STR("k-1-1"), &arena), 0);
	assert_int_equal(next.headers.n, r.headers.n);
	for (size_t i = 0; i < r.headers.n; i++) {
		bool is_key = str_eq_c(r.headers.items[i].name, "Idempotency-Key");
		assert_true(str_eq(next.headers.items[i].name, r.headers.items[i].name));
		assert_true(str_eq(next.headers.items[i].value, is_key ? STR("k-1-1") : r.headers.items[i].value));
	}
	assert_contains(next.masked, "[\"Idempotency-Key\",\"k-1-1\"]");
	assert_int_equal(next.masked.len, r.masked.len + 2);
	assert_true(str_eq(next.body, r.body));
	secrets_free(secrets);
}

TEST(which_key_an_attempt_has_is_kept_with_its_reason)
{
	struct buf b;
	struct call_again again = { .why = CALL_WHY_NEW_KEY, .key_number = 2 };
	buf_init(&b, 4096);
	assert_int_equal(call_again_write(&again, STR("{\"url\":\"/a\"}"), &b), 0);
	assert_contains(buf_str(&b), "\"why\":\"new_key\"");
	struct value v;
	assert_int_equal(json_parse(&arena, buf_str(&b), NULL, &v, NULL, NULL), 0);
	assert_int_equal(call_again_take(&v).key_number, 2);
	struct value damaged = json("{'again':{'why':'new_key','key':-1}}");
	assert_int_equal(call_again_take(&damaged).key_number, 0);
	struct call_attempt x = { .again = again, .status_before = 500 };
	assert_contains(call_attempt_why(&x, &arena), "new idempotency key after 500");
	buf_done(&b);
}

RUN_TESTS(CALL_CLAIM(a_connector_says_it_for_what_must_not_be_sent_twice_and_an_operation_for_itself),
	  CALL_CLAIM(settings_of_keys_that_cannot_be_are_refused),
	  CALL_CLAIM(an_error_saved_under_the_key_is_tried_with_a_new_one_only_where_nothing_was_done),
	  CALL_CLAIM(with_a_key_that_is_gone_an_answer_means_what_it_means_without_one),
	  CALL_CLAIM(another_key_takes_the_place_of_the_first_and_nothing_else_changes),
	  CALL_CLAIM(which_key_an_attempt_has_is_kept_with_its_reason))
