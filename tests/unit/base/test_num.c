/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/num.h"
#include <locale.h>

TEST(whole_numbers_are_digits_and_nothing_else)
{
	static const struct {
		const char *text;
		int r;
		uint64_t n;
	} rows[] = {
		{ "0", 0, 0 },
		{ "007", 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERR_LIMIT, 0 },
		{ "99999999999999999999999", -ERR_LIMIT, 0 },
		{ "", -ERR_INVALID, 0 },
		{ "+1", -ERR_INVALID, 0 },
		{ "-1", -ERR_INVALID, 0 },
		{ " 1", -ERR_INVALID, 0 },
		{ "1 ", -ERR_INVALID, 0 },
		{ "0x10", -ERR_INVALID, 0 },
		{ "1e3", -ERR_INVALID, 0 },
		{ "1.0", -ERR_INVALID, 0 },
		{ "99999999999999999999999x", -ERR_INVALID, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t n = 0;
		if (num_parse_u64(str_c(rows[i].text), &n) != rows[i].r || n != rows[i].n)
			fail_msg("row %zu \"%s\": %llu", i, rows[i].text, (unsigned long long)n);
	}
}

TEST(signed_numbers_reach_both_ends)
{
	int64_t n;
	assert_int_equal(num_parse_i64(STR("-9223372036854775808"), &n), 0);
	assert_true(n == INT64_MIN);
	assert_int_equal(num_parse_i64(STR("9223372036854775807"), &n), 0);
	assert_true(n == INT64_MAX);
	assert_int_equal(num_parse_i64(STR("9223372036854775808"), &n), -ERR_LIMIT);
	assert_int_equal(num_parse_i64(STR("-9223372036854775809"), &n), -ERR_LIMIT);
	assert_int_equal(num_parse_i64(STR("-"), &n), -ERR_INVALID);
	assert_int_equal(num_parse_i64(STR("--1"), &n), -ERR_INVALID);
	assert_int_equal(num_parse_i64(STR_NULL, &n), -ERR_INVALID);
}

TEST(doubles_follow_the_grammar_of_json)
{
	static const char *const bad[] = { "",	 "-",	".5",  "5.",	"01",  "1e", "1e+",
					   "+1", "inf", "NaN", "0x1p3", "1,5", " 1", "1 " };
	double d;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(num_parse_double(str_c(bad[i]), &d), -ERR_INVALID);
	assert_int_equal(num_parse_double(STR("-1.25e2"), &d), 0);
	assert_true(d == -125);
	assert_int_equal(num_parse_double(STR("1e400"), &d), -ERR_LIMIT);
	assert_int_equal(num_parse_double(STR("1e-400"), &d), 0);
	assert_true(d == 0);
}

TEST(the_locale_has_no_say)
{
	/* Not installed everywhere; where it is, its decimal comma must not be seen. */
	const char *locale = setlocale(LC_ALL, "de_DE.UTF-8");
	if (!locale)
		locale = setlocale(LC_ALL, "fr_FR.UTF-8");
	double d;
	assert_int_equal(num_parse_double(STR("1234567890.12345678901"), &d), 0);
	assert_true(d == 1234567890.12345678901);
	assert_int_equal(num_parse_double(STR("1,5"), &d), -ERR_INVALID);
	setlocale(LC_ALL, "C");
	if (!locale)
		print_message("note: no locale with a decimal comma is installed\n");
}

TEST(durations_want_a_unit)
{
	static const struct {
		const char *text;
		msec_t ms;
	} good[] = { { "0", 0 },       { "000", 0 },	  { "250ms", 250 },	   { "30s", 30000 },
		     { "2m", 120000 }, { "1h", 3600000 }, { "365d", 31536000000 }, { "0s", 0 } };
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		msec_t ms = -1;
		assert_int_equal(num_parse_duration(str_c(good[i].text), &ms, NULL), 0);
		assert_int_equal(ms, good[i].ms);
	}
	static const struct {
		const char *text, *sentence;
	} bad[] = {
		{ "30", "\"30\" has no unit; write \"30s\"" },
		{ "", "\"\" is no duration; write a whole number and ms, s, m, h or d, such as \"30s\"" },
		{ "1.5s", "\"1.5s\" is no duration; write a whole number and ms, s, m, h or d, such as \"30s\"" },
		{ "30 s", "\"30 s\" is no duration; write a whole number and ms, s, m, h or d, such as \"30s\"" },
		{ "-1s", "\"-1s\" is no duration; write a whole number and ms, s, m, h or d, such as \"30s\"" },
		{ "30S", "\"30S\" is no duration; write a whole number and ms, s, m, h or d, such as \"30s\"" },
		{ "99999999999999999999s", "\"99999999999999999999s\" is too large for a duration" },
		{ "9223372036854775807s", "\"9223372036854775807s\" is too large for a duration" },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = ERR_INIT;
		msec_t ms = -7;
		assert_true(num_parse_duration(str_c(bad[i].text), &ms, &e) < 0);
		assert_string_equal(e.msg, bad[i].sentence);
		assert_int_equal(ms, -7);
	}
}

TEST(sizes_know_thousands_from_1024)
{
	static const struct {
		const char *text;
		uint64_t n;
	} good[] = {
		{ "0", 0 },
		{ "512B", 512 },
		{ "10KB", 10000 },
		{ "10kB", 10000 },
		{ "10MB", 10000000 },
		{ "64KiB", 65536 },
		{ "1MiB", 1 << 20 },
		{ "3GiB", UINT64_C(3) << 30 },
		{ "2TiB", UINT64_C(2) << 40 },
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t n = 1;
		assert_int_equal(num_parse_size(str_c(good[i].text), &n, NULL), 0);
		assert_int_equal(n, good[i].n);
	}
	struct err e = ERR_INIT;
	uint64_t n;
	assert_int_equal(num_parse_size(STR("10"), &n, &e), -ERR_INVALID);
	assert_string_equal(e.msg, "\"10\" has no unit; write \"10MiB\"");
	assert_int_equal(num_parse_size(STR("99999999999TiB"), &n, &e), -ERR_LIMIT);
	assert_int_equal(num_parse_size(STR("1K"), &n, &e), -ERR_INVALID);
}

TEST(hex_digits_have_values)
{
	static const char digits[] = "0123456789abcdef";
	for (int c = 0; c < 256; c++) {
		const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
		assert_int_equal(num_hex_value((char)c), at ? (int)(at - digits) : -1);
	}
}

RUN_TESTS(CLAIM(whole_numbers_are_digits_and_nothing_else), CLAIM(signed_numbers_reach_both_ends),
	  CLAIM(doubles_follow_the_grammar_of_json), CLAIM(the_locale_has_no_say), CLAIM(durations_want_a_unit),
	  CLAIM(sizes_know_thousands_from_1024), CLAIM(hex_digits_have_values))
