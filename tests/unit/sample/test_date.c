/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/sample_int.h"
#include "test.h"

TEST(days_and_dates_are_two_ways_to_say_the_same)
{
	for (int64_t day = -800000; day < 800000; day += 17) {
		struct date d = date_from_days(day);
		assert_int_equal(date_to_days(d), day);
		assert_in_range(d.month, 1, 12);
		assert_in_range(d.day, 1, 31);
	}
	assert_int_equal(date_to_days((struct date){ 1970, 1, 1 }), 0);
	assert_int_equal(date_to_days((struct date){ 2024, 2, 29 }), 19782);
	assert_int_equal(date_weekday(19782), 4); /* a Thursday */
	assert_int_equal(date_day_of_year(19782), 59);
}

TEST(dates_that_do_not_exist_are_refused)
{
	static const char *const wrong[] = { "",	   "2025-1-1",	 "2025-13-01", "2025-00-10", "2025-02-29",
					     "2025-04-31", "2025-01-00", "2025/01/01", "20250101",   "2025-01-01T" };
	int64_t day;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (date_parse(str_c(wrong[i]), &day))
			fail_msg("%s was taken", wrong[i]);
	assert_true(date_parse(STR("2024-02-29"), &day));
	assert_int_equal(day, 19782);
}

TEST(numbers_have_just_their_decimals)
{
	static const struct {
		double v;
		unsigned decimals;
		const char *text;
	} rows[] = {
		{ 0, 0, "0" },		{ 0, 2, "0.00" },      { -0.04, 1, "0.0" }, { -0.05, 1, "-0.1" },
		{ 12.345, 2, "12.35" }, { 99.96, 1, "100.0" }, { -7, 0, "-7" },	    { 1e9, 5, "1000000000.00000" },
		{ 0.5, 3, "0.500" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b;
		buf_init(&b, 100);
		put_fixed(&b, rows[i].v, rows[i].decimals);
		assert_str(buf_str(&b), rows[i].text);
		buf_done(&b);
	}
}

RUN_TESTS(CLAIM(days_and_dates_are_two_ways_to_say_the_same), CLAIM(dates_that_do_not_exist_are_refused),
	  CLAIM(numbers_have_just_their_decimals))
