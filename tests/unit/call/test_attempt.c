/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of an attempt: the reason that a ledger keeps, phases out of marks, and the words for both. */
#include "call_test.h"

#include "call/attempt.h"

static const char *written(const struct call_again *again, const char *masked)
{
	struct buf b;
	buf_init(&b, 4096);
	assert_int_equal(call_again_write(again, str_c(masked), &b), 0);
	const char *text = arena_c(&arena, buf_str(&b));
	buf_done(&b);
	return text;
}

TEST(a_reason_is_kept_beside_the_request_and_taken_out_again)
{
	struct call_again first = { .why = CALL_WHY_FIRST };
	assert_string_equal(written(&first, "{\"url\":\"/a\"}"), "{\"url\":\"/a\"}");
	struct call_again asked = {
		.why = CALL_WHY_ASKED, .wait_us = 1000384, .header = STR("retry-after"), .asked = 1000
	};
	const char *text = written(&asked, "{\"url\":\"/a\"}");
	assert_string_equal(text, "{\"url\":\"/a\",\"again\":{\"why\":\"asked\",\"wait\":1000.384,"
				  "\"header\":\"retry-after\",\"asked\":1000}}");
	struct value v = json(text);
	struct call_again read = call_again_take(&v);
	assert_int_equal(read.why, CALL_WHY_ASKED);
	assert_int_equal(read.wait_us, 1000384);
	assert_str(read.header, "retry-after");
	assert_int_equal(read.asked, 1000);
	assert_str(text_of_value(&v), "{\"url\":\"/a\"}");
	assert_int_equal(call_again_take(&v).why, CALL_WHY_FIRST);
}

TEST(a_damaged_reason_is_none)
{
	static const char *const rows[] = { "{'again':1}",
					    "{'again':{'why':'odd'}}",
					    "{'again':{'why':7,'wait':-1,'asked':-5,'header':[]}}",
					    "{'again':{'why':'first','wait':1e300}}",
					    "{'again':{'wait':'x','asked':1.5}}",
					    "[]",
					    "null" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value v = json(rows[i]);
		struct call_again again = call_again_take(&v);
		assert_int_equal(again.why, CALL_WHY_FIRST);
		assert_int_equal(again.wait_us, 0);
		assert_int_equal(again.asked, 0);
		assert_null(again.header.ptr);
	}
}

TEST(marks_become_phases_and_what_broke_off_belongs_to_the_phase_it_was_in)
{
	static const struct {
		const char *timings;
		const char *phases; /* name=us of those that took time, then the total and the connection */
	} rows[] = {
		{ "{'dns':1,'connect':3,'tls':10.5,'sent':10.75,'first_byte':20,'total':22,'queue':0.25}",
		  "queue=250 dns=1000 connect=2000 tls=7500 send=250 wait=9250 body=2000 of 22250/22000 new" },
		{ "{'sent':0.1,'first_byte':2.1,'total':2.1,'queue':0.5,'limiter':1000}",
		  "queue=500 limiter=1000000 send=100 wait=2000 of 1002600/2100 reused" },
		{ "{'total':30}", "connect=30000 of 30000/30000 unknown" },
		{ "{'dns':5,'total':30}", "dns=5000 connect=25000 of 30000/30000 unknown" },
		{ "{'connect':5,'total':30}", "connect=5000 tls=25000 of 30000/30000 new" },
		{ "{'connect':5,'sent':6,'total':30}", "connect=5000 send=1000 wait=24000 of 30000/30000 new" },
		{ "{'connect':5,'sent':4,'total':3}", "connect=5000 of 5000/5000 new" },
		{ "{'sent':'x','total':-1,'queue':1e99}", "of 0/0 unknown" },
		{ "{}", "of 0/0 unknown" },
		{ "null", "of 0/0 unknown" },
	};
	static const char *const connections[] = { "unknown", "new", "reused" };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value v = json(rows[i].timings);
		struct call_phases x = call_phases_of(&v);
		struct buf b;
		buf_init(&b, 4096);
		for (size_t k = 0; k < CALL_PHASE_COUNT; k++)
			if (x.us[k])
				(void)buf_printf(&b, "%s=%llu ", call_phase_name((enum call_phase)k),
						 (unsigned long long)x.us[k]);
		(void)buf_printf(&b, "of %llu/%llu %s", (unsigned long long)x.total_us, (unsigned long long)x.wire_us,
				 connections[x.connection]);
		assert_str(buf_str(&b), rows[i].phases);
		buf_done(&b);
	}
}

TEST(a_reason_is_told_in_words)
{
	static const struct {
		struct call_attempt x;
		const char *words;
	} rows[] = {
		{ { .number = 1 }, "" },
		{ { .again = { CALL_WHY_ASKED, 0, STR("retry-after"), 2000 } }, "Retry-After: 2 s" },
		{ { .again = { CALL_WHY_ASKED, 0, STR("x-ratelimit-reset"), 200000 } },
		  "X-Ratelimit-Reset: 3 min 20 s" },
		{ { .again = { CALL_WHY_ASKED, 0, { 0 }, 250 } }, "250 ms asked for" },
		{ { .again = { .why = CALL_WHY_BACK_OFF }, .status_before = 503 }, "back-off after 503" },
		{ { .again = { .why = CALL_WHY_BACK_OFF }, .status_before = 200, .error_before = STR("truncated") },
		  "back-off after truncated" },
		{ { .again = { .why = CALL_WHY_REDIRECT }, .url_before = STR("https://h.example/a/b?x=1") },
		  "redirect from /a/b" },
		{ { .again = { .why = CALL_WHY_REDIRECT }, .url_before = STR("https://h.example") },
		  "redirect from /" },
		{ { .again = { .why = CALL_WHY_RESUMED } }, "run resumed after an interruption" },
		{ { .again = { .why = CALL_WHY_IDENTITY }, .error_before = STR("bad_encoding") },
		  "Accept-Encoding: identity after bad_encoding" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_str(call_attempt_why(&rows[i].x, &arena), rows[i].words);
	struct call_rest rest = { 429, STR("retry-after"), 1500 };
	struct value kept = call_rest_value(&rest, &arena);
	struct call_attempt held = { .number = 1 };
	held.has_rest = call_rest_read(&kept, &held.rest);
	assert_str(call_attempt_rest(&held, &arena), "rest after 429, Retry-After: 1.5 s");
	held.has_rest = false;
	assert_str(call_attempt_rest(&held, &arena), "");
}

TEST(microseconds_are_milliseconds_without_idle_digits)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = { { 0, "0" }, { 1, "0.001" }, { 1234, "1.234" }, { 1500, "1.5" }, { 2000000, "2000" } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct value v = call_msec_value(&arena, rows[i].us);
		assert_str(text_of_value(&v), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(a_reason_is_kept_beside_the_request_and_taken_out_again),
		CALL_CLAIM(a_damaged_reason_is_none),
		CALL_CLAIM(marks_become_phases_and_what_broke_off_belongs_to_the_phase_it_was_in),
		CALL_CLAIM(a_reason_is_told_in_words),
		CALL_CLAIM(microseconds_are_milliseconds_without_idle_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
