/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"
#include "base/clock.h"
#include <time.h>

static msec_t fake_now;

static msec_t fake_wall(void)
{
	return fake_now;
}

static uint64_t fake_mono(void)
{
	return (uint64_t)fake_now * 1000000u + 999999u;
}

TEST(dates_are_written_in_utc_with_milliseconds)
{
	static const struct {
		msec_t ms;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ 1795453200123, "2026-11-23T17:00:00.123Z" },
		{ 951782399999, "2000-02-28T23:59:59.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 4107542400000, "2100-03-01T00:00:00.000Z" },
		{ INT64_MIN, "0000-01-01T00:00:00.000Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[CLOCK_RFC3339_BYTES];
		clock_format_rfc3339(rows[i].ms, text);
		assert_string_equal(text, rows[i].text);
	}
}

TEST(dates_agree_with_the_c_library)
{
	for (int64_t t = -62167219200; t < 253402300800; t += 86400 * 13 + 12345) {
		char ours[CLOCK_RFC3339_BYTES], theirs[64];
		struct tm tm;
		time_t seconds = (time_t)t;
		gmtime_r(&seconds, &tm);
		snprintf(theirs, sizeof(theirs), "%04d-%02d-%02dT%02d:%02d:%02d.000Z", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		clock_format_rfc3339(t * 1000, ours);
		assert_string_equal(ours, theirs);
	}
}

TEST(tests_turn_the_clock)
{
	fake_now = 42;
	clock_fake(fake_wall, fake_mono);
	assert_int_equal(clock_wall(), 42);
	assert_int_equal(clock_mono(), 42);
	clock_fake(NULL, NULL);
	assert_true(clock_wall() > 1700000000000);
	uint64_t before = clock_mono_ns();
	assert_true(clock_mono_ns() >= before);
}

RUN_TESTS(CLAIM(dates_are_written_in_utc_with_milliseconds), CLAIM(dates_agree_with_the_c_library),
	  CLAIM(tests_turn_the_clock))
