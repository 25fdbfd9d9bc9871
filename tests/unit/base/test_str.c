/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/num.h"
#include "base/str.h"

TEST(comparison_folds_ascii_case_only)
{
	assert_true(str_eq_nocase(STR("Content-TYPE"), STR("content-type")));
	assert_false(str_eq_nocase(STR("\xc3\x89"), STR("\xc3\xa9")));
	assert_false(str_eq_nocase(STR("@"), STR("`")));
	assert_false(str_eq_nocase(STR("["), STR("{")));
	assert_true(str_eq(STR_NULL, STR("")));
	assert_true(str_eq_c(STR_NULL, NULL));
}

TEST(prefix_suffix_and_blanks_are_found)
{
	assert_true(str_starts(STR("=item.x"), STR("=")));
	assert_false(str_starts(STR(""), STR("=")));
	assert_true(str_ends(STR("a.json"), STR(".json")));
	assert_false(str_ends(STR("json"), STR(".json")));
	assert_true(str_starts(STR("x"), STR_NULL));
	assert_str(str_trim(STR(" \t a b\t ")), "a b");
	assert_str(str_trim(STR(" \t ")), "");
	assert_str(str_trim(STR("\na")), "\na");
}

TEST(search_finds_the_first_and_minus_one_for_none)
{
	assert_int_equal(str_find(STR("abcabc"), STR("ca")), 2);
	assert_int_equal(str_find(STR("abc"), STR("")), 0);
	assert_int_equal(str_find(STR("ab"), STR("abc")), -1);
	assert_int_equal(str_find(str_from("a\0b", 3), str_from("\0b", 2)), 1);
	assert_int_equal(str_find_char(STR("abc"), 'c'), 2);
	assert_int_equal(str_find_char(STR_NULL, 'c'), -1);
}

TEST(order_is_bytewise_then_by_length)
{
	assert_true(str_cmp(STR("a"), STR("b")) < 0);
	assert_true(str_cmp(STR("ab"), STR("a")) > 0);
	assert_int_equal(str_cmp(STR("a"), STR("a")), 0);
	assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
	assert_int_equal(str_cmp(STR_NULL, STR("")), 0);
}

TEST(split_walks_through_all_parts)
{
	struct str s = STR("a,,b");
	assert_str(str_split(&s, ','), "a");
	assert_str(str_split(&s, ','), "");
	assert_non_null(s.ptr);
	assert_str(str_split(&s, ','), "b");
	assert_null(s.ptr);
	s = STR("a,");
	assert_str(str_split(&s, ','), "a");
	assert_non_null(s.ptr);
	assert_int_equal(s.len, 0);
}

TEST(a_copy_is_terminated)
{
	char *c = str_dup_c(str_from("abcdef", 3));
	assert_string_equal(c, "abc");
	free(c);
	c = str_dup_c(STR_NULL);
	assert_string_equal(c, "");
	free(c);
}

TEST(utf8_is_what_rfc_3629_says)
{
	static const struct {
		const char *text;
		int bad; /* -1 = fine */
	} rows[] = {
		{ "", -1 },
		{ "plain ascii, longer than eight", -1 },
		{ "\x7f", -1 },
		{ "\xc2\x80", -1 },
		{ "\xdf\xbf", -1 },
		{ "\xe0\xa0\x80", -1 },
		{ "\xed\x9f\xbf", -1 },
		{ "\xee\x80\x80", -1 },
		{ "\xef\xbf\xbf", -1 },
		{ "\xf0\x90\x80\x80", -1 },
		{ "\xf4\x8f\xbf\xbf", -1 },
		{ "abcdefgh\xc3\xa9", -1 },
		{ "a\x80", 1 },
		{ "a\xbf", 1 },
		{ "\xc0\xaf", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xe0\x80\xaf", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xf0\x80\x80\xaf", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xed\xa0\x80", 0 },
		{ "\xed\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xf8\x88\x80\x80\x80", 0 },
		{ "\xff", 0 },
		{ "\xfe", 0 },
		{ "ab\xc3", 2 },
		{ "ab\xe2\x82", 2 },
		{ "ab\xf0\x9f\x98", 2 },
		{ "\xc3(", 0 },
		{ "\xe2\x28\xa1", 0 },
		{ "\xe2\x82(", 0 },
		{ "\xf0\x28\x8c\xbc", 0 },
		{ "\xf0\x90\x28\xbc", 0 },
		{ "\xf0\x28\x8c\x28", 0 },
		{ "12345678\x80", 8 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t bad = 999, n = strlen(rows[i].text);
		char *exact = malloc(n + !n); /* so that a look past the end is seen */
		memcpy(exact, rows[i].text, n);
		bool is_fine = str_is_utf8(str_from(exact, n), &bad);
		if (is_fine != (rows[i].bad < 0) || (!is_fine && bad != (size_t)rows[i].bad))
			fail_msg("row %zu: fine=%d bad=%zu", i, is_fine, bad);
		free(exact);
	}
}

TEST(clip_leaves_no_half_character)
{
	struct str s = STR("a\xe2\x82\xac\xf0\x9f\x98\x80z");
	static const size_t expected[] = { 0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9 };
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(str_clip(s, i).len, expected[i]);
}

RUN_TESTS(CLAIM(comparison_folds_ascii_case_only), CLAIM(prefix_suffix_and_blanks_are_found),
	  CLAIM(search_finds_the_first_and_minus_one_for_none), CLAIM(order_is_bytewise_then_by_length),
	  CLAIM(split_walks_through_all_parts), CLAIM(a_copy_is_terminated), CLAIM(utf8_is_what_rfc_3629_says),
	  CLAIM(clip_leaves_no_half_character))
