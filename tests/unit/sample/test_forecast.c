/* SPDX-License-Identifier: Apache-2.0 */
#include "sample/sample_int.h"
#include "base/clock.h"
#include "base/json.h"
#include "test.h"
#include <math.h>

#define NOON_NOVEMBER 1763899200000 /* 2025-11-23T12:00Z */
#define NOON_JULY 1752235200000	    /* 2025-07-11T12:00Z */

struct asked {
	struct arena arena;
	struct buf body;
	struct value root;
	int status;
};

static void ask_at(struct asked *q, const char *query, msec_t now)
{
	struct err e = ERR_INIT;
	arena_init(&q->arena, 0);
	buf_init(&q->body, SAMPLE_ANSWER_MAX);
	q->status = forecast_answer(&q->arena, str_c(query), now, &q->body);
	if (json_parse(&q->arena, buf_str(&q->body), NULL, &q->root, NULL, &e))
		fail_msg("%s: %s: %.*s", query, e.msg, STR_ARG(buf_str(&q->body)));
}

static void ask(struct asked *q, const char *query)
{
	ask_at(q, query, NOON_NOVEMBER);
}

static void done(struct asked *q)
{
	buf_done(&q->body);
	arena_done(&q->arena);
}

static struct str text_at(const struct asked *q, const char *pointer)
{
	const struct value *v = json_pointer_get(&q->root, str_c(pointer));
	if (!v)
		fail_msg("no %s in %.*s", pointer, STR_ARG(buf_str(&q->body)));
	return value_text(v);
}

static double number_at(const struct asked *q, const char *pointer)
{
	double d = NAN;
	const struct value *v = json_pointer_get(&q->root, str_c(pointer));
	if (!v || !value_to_double(v, &d))
		fail_msg("no number %s in %.*s", pointer, STR_ARG(buf_str(&q->body)));
	return d;
}

static size_t length_at(const struct asked *q, const char *pointer)
{
	const struct value *v = json_pointer_get(&q->root, str_c(pointer));
	return value_is(v, VALUE_ARRAY) ? v->len : SIZE_MAX;
}

#define PARIS "latitude=48.85341&longitude=2.3488&"

TEST(keys_come_in_the_real_order)
{
	static const char *const order[] = { "latitude",
					     "longitude",
					     "generationtime_ms",
					     "utc_offset_seconds",
					     "timezone",
					     "timezone_abbreviation",
					     "elevation",
					     "current_units",
					     "current",
					     "hourly_units",
					     "hourly",
					     "daily_units",
					     "daily" };
	struct asked q;
	ask(&q, PARIS "current=temperature_2m&hourly=temperature_2m&daily=sunrise&timezone=auto");
	assert_int_equal(q.root.len, ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_str(q.root.members[i].key, order[i]);
	assert_str(text_at(&q, "/timezone"), "Europe/Paris");
	assert_str(text_at(&q, "/timezone_abbreviation"), "GMT+1");
	assert_str(text_at(&q, "/utc_offset_seconds"), "3600");
	assert_str(text_at(&q, "/latitude"), "48.8750"); /* snapped */
	assert_str(text_at(&q, "/elevation"), "42.0");
	assert_str(text_at(&q, "/current/time"), "2025-11-23T13:00");
	assert_str(text_at(&q, "/current/interval"), "900");
	assert_str(text_at(&q, "/current_units/temperature_2m"), "°C");
	assert_str(text_at(&q, "/hourly/time/0"), "2025-11-23T00:00");
	assert_str(text_at(&q, "/daily/time/6"), "2025-11-29");
	done(&q);
}

TEST(columns_are_parallel)
{
	static const struct {
		const char *query;
		size_t days;
	} rows[] = {
		{ PARIS "forecast_days=0&daily=sunset&hourly=rain", 0 },
		{ PARIS "forecast_days=1&daily=sunset&hourly=rain", 1 },
		{ PARIS "daily=sunset&hourly=rain", 7 },
		{ PARIS "forecast_days=16&past_days=92&daily=sunset&hourly=rain", 108 },
		{ PARIS "start_date=2025-11-20&end_date=2025-11-22&daily=sunset&hourly=rain", 3 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asked q;
		ask(&q, rows[i].query);
		assert_int_equal(length_at(&q, "/daily/time"), rows[i].days);
		assert_int_equal(length_at(&q, "/daily/sunset"), rows[i].days);
		assert_int_equal(length_at(&q, "/hourly/time"), rows[i].days * 24);
		assert_int_equal(length_at(&q, "/hourly/rain"), rows[i].days * 24);
		done(&q);
	}
}

TEST(days_agree_with_their_hours)
{
	struct asked q;
	ask(&q, PARIS "forecast_days=16&hourly=temperature_2m,precipitation,weather_code&"
		      "daily=temperature_2m_max,temperature_2m_min,precipitation_sum,weather_code");
	for (int day = 0; day < 16; day++) {
		char at[60];
		double most = -100, least = 100, sum = 0;
		for (int i = 0; i < 24; i++) {
			(void)snprintf(at, sizeof(at), "/hourly/temperature_2m/%d", day * 24 + i);
			most = fmax(most, number_at(&q, at));
			least = fmin(least, number_at(&q, at));
			(void)snprintf(at, sizeof(at), "/hourly/precipitation/%d", day * 24 + i);
			sum += number_at(&q, at);
		}
		(void)snprintf(at, sizeof(at), "/daily/temperature_2m_max/%d", day);
		assert_float_equal(number_at(&q, at), most, 0.001);
		(void)snprintf(at, sizeof(at), "/daily/temperature_2m_min/%d", day);
		assert_float_equal(number_at(&q, at), least, 0.001);
		(void)snprintf(at, sizeof(at), "/daily/precipitation_sum/%d", day);
		assert_float_equal(number_at(&q, at), sum, 0.01);
	}
	done(&q);
}

TEST(the_same_question_gives_the_same_bytes)
{
	struct asked x, y;
	ask(&x, PARIS "current=temperature_2m,weather_code&daily=weather_code");
	ask(&y, PARIS "current=temperature_2m,weather_code&daily=weather_code");
	assert_true(str_eq(buf_str(&x.body), buf_str(&y.body)));
	done(&x);
	done(&y);
}

TEST(summer_is_warmer_than_winter_on_both_sides)
{
	static const char *const where[] = { "latitude=52.5&longitude=13.4&", "latitude=-33.9&longitude=151.2&" };
	for (int i = 0; i < 2; i++) {
		struct asked july, november;
		char query[120];
		(void)snprintf(query, sizeof(query), "%sdaily=temperature_2m_mean&forecast_days=16&past_days=16",
			       where[i]);
		ask_at(&july, query, NOON_JULY);
		ask_at(&november, query, NOON_NOVEMBER);
		double warm = 0, cold = 0;
		for (int day = 0; day < 32; day++) {
			char at[60];
			(void)snprintf(at, sizeof(at), "/daily/temperature_2m_mean/%d", day);
			warm += number_at(i == 0 ? &july : &november, at);
			cold += number_at(i == 0 ? &november : &july, at);
		}
		assert_true(warm > cold);
		done(&july);
		done(&november);
	}
}

TEST(zones_follow_their_summer_time)
{
	static const struct {
		const char *query, *name, *november, *july, *abbreviation;
	} rows[] = {
		{ "latitude=48.85&longitude=2.35&timezone=auto", "Europe/Paris", "3600", "7200", "GMT+2" },
		{ "latitude=40.71&longitude=-74&timezone=auto", "America/New_York", "-18000", "-14400", "GMT-4" },
		{ "latitude=-33.87&longitude=151.2&timezone=auto", "Australia/Sydney", "39600", "36000", "GMT+10" },
		{ "latitude=28.6&longitude=77.2&timezone=auto", "Asia/Kolkata", "19800", "19800", "GMT+5:30" },
		{ "latitude=0&longitude=-150&timezone=auto", "Etc/GMT+10", "-36000", "-36000", "GMT-10" },
		{ "latitude=48.85&longitude=2.35", "GMT", "0", "0", "GMT" },
		{ "latitude=48.85&longitude=2.35&timezone=Asia%2FTokyo", "Asia/Tokyo", "32400", "32400", "GMT+9" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct asked november, july;
		ask(&november, rows[i].query);
		ask_at(&july, rows[i].query, NOON_JULY);
		assert_str(text_at(&november, "/timezone"), rows[i].name);
		assert_str(text_at(&november, "/utc_offset_seconds"), rows[i].november);
		assert_str(text_at(&july, "/utc_offset_seconds"), rows[i].july);
		assert_str(text_at(&july, "/timezone_abbreviation"), rows[i].abbreviation);
		done(&november);
		done(&july);
	}
}

TEST(several_points_make_an_array_with_location_ids_from_the_second)
{
	struct asked q;
	ask(&q, "latitude=48.85,52.52,1.29&longitude=2.35,13.41,103.85&daily=sunrise&timezone=auto");
	assert_int_equal(q.root.kind, VALUE_ARRAY);
	assert_int_equal(q.root.len, 3);
	assert_null(value_get_c(value_at(&q.root, 0), "location_id"));
	assert_str(text_at(&q, "/1/location_id"), "1");
	assert_str(text_at(&q, "/2/location_id"), "2");
	assert_str(text_at(&q, "/2/timezone"), "Asia/Singapore");
	done(&q);
}

TEST(open_country_has_no_elevation_and_far_days_have_nulls)
{
	struct asked q;
	ask(&q, "latitude=0&longitude=-150&daily=precipitation_probability_max,uv_index_max&forecast_days=16");
	assert_null(value_get_c(&q.root, "elevation"));
	assert_true(value_is(json_pointer_get(&q.root, STR("/daily/precipitation_probability_max/15")), VALUE_NULL));
	assert_true(value_is(json_pointer_get(&q.root, STR("/daily/precipitation_probability_max/0")), VALUE_NUMBER));
	assert_true(value_is(json_pointer_get(&q.root, STR("/daily/uv_index_max/8")), VALUE_NULL));
	done(&q);
	ask(&q, "latitude=0&longitude=-150&elevation=7");
	assert_str(text_at(&q, "/elevation"), "7.0");
	done(&q);
	ask(&q, "latitude=78.22&longitude=15.65&daily=sunrise,daylight_duration"); /* polar night */
	assert_true(value_is(json_pointer_get(&q.root, STR("/daily/sunrise/0")), VALUE_NULL));
	assert_str(text_at(&q, "/daily/daylight_duration/0"), "0.00");
	done(&q);
}

TEST(units_are_converted_and_named)
{
	struct asked c, f;
	ask(&c, PARIS "current=temperature_2m,wind_speed_10m&daily=sunrise");
	ask(&f, PARIS "current=temperature_2m,wind_speed_10m&daily=sunrise&temperature_unit=fahrenheit&wind_speed_unit="
		      "ms&timeformat=unixtime");
	assert_float_equal(number_at(&f, "/current/temperature_2m"),
			   number_at(&c, "/current/temperature_2m") * 1.8 + 32, 0.2);
	assert_float_equal(number_at(&f, "/current/wind_speed_10m"), number_at(&c, "/current/wind_speed_10m") / 3.6,
			   0.05);
	assert_str(text_at(&f, "/current_units/temperature_2m"), "°F");
	assert_str(text_at(&f, "/current_units/time"), "unixtime");
	assert_str(text_at(&f, "/daily/time/0"), "1763856000");
	done(&c);
	done(&f);
}

TEST(wrong_questions_get_400_with_a_reason)
{
	static const char *const queries[] = {
		"",
		"latitude=1",
		"longitude=1",
		"latitude=91&longitude=1",
		"latitude=1&longitude=181",
		"latitude=x&longitude=1",
		"latitude=1,2&longitude=1",
		"latitude=NaN&longitude=1",
		"latitude=1e999&longitude=1",
		PARIS "daily=temperature",
		PARIS "hourly=nope",
		PARIS "current=sunrise",
		PARIS "forecast_days=17",
		PARIS "forecast_days=-1",
		PARIS "past_days=93",
		PARIS "timezone=Mars%2FOlympus",
		PARIS "temperature_unit=kelvin",
		PARIS "start_date=2025-11-20",
		PARIS "start_date=2025-11-20&end_date=2025-11-19",
		PARIS "start_date=2025-02-30&end_date=2025-03-01",
		PARIS "start_date=2020-01-01&end_date=2020-01-02",
		PARIS "timezone=auto,auto,auto",
		PARIS "daily=%zz",
	};
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct asked q;
		ask(&q, queries[i]);
		if (q.status != 400)
			fail_msg("%s: %d %.*s", queries[i], q.status, STR_ARG(buf_str(&q.body)));
		assert_true(value_is(value_get_c(&q.root, "reason"), VALUE_STRING));
		done(&q);
	}
}

TEST(every_variable_has_a_value)
{
	struct asked q;
	ask(&q, PARIS "hourly=temperature_2m,relative_humidity_2m,dew_point_2m,apparent_temperature,precipitation_"
		      "probability,precipitation,rain,showers,"
		      "snowfall,weather_code,pressure_msl,surface_pressure,cloud_cover,visibility,wind_speed_10m,wind_"
		      "direction_10m,wind_gusts_10m,is_day,"
		      "uv_index,sunshine_duration,shortwave_radiation&forecast_days=1"
		      "&daily=weather_code,temperature_2m_max,temperature_2m_min,temperature_2m_mean,apparent_"
		      "temperature_max,apparent_temperature_min,sunrise,"
		      "sunset,daylight_duration,sunshine_duration,uv_index_max,precipitation_sum,rain_sum,showers_sum,"
		      "snowfall_sum,precipitation_hours,"
		      "precipitation_probability_max,wind_speed_10m_max,wind_gusts_10m_max,wind_direction_10m_dominant,"
		      "shortwave_radiation_sum");
	assert_int_equal(q.status, 200);
	static const char *const groups[] = { "hourly", "daily" };
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		const struct value *group = value_get_c(&q.root, groups[g]);
		assert_int_equal(group->len, 22);
		for (uint32_t i = 0; i < group->len; i++)
			for (uint32_t n = 0; n < group->members[i].value.len; n++)
				if (value_is(&group->members[i].value.items[n], VALUE_NULL))
					fail_msg("%s %.*s is null", groups[g], STR_ARG(group->members[i].key));
	}
	done(&q);
}

TEST(an_answer_is_cheap)
{
	/* No assertion about time: the number is for the reader, the test that it stays correct a thousand times over.
	 */
	uint64_t before = clock_mono_ns();
	for (int i = 0; i < 1000; i++) {
		struct arena a;
		struct buf b;
		arena_init(&a, 0);
		buf_init(&b, SAMPLE_ANSWER_MAX);
		assert_int_equal(
		    forecast_answer(
			&a,
			STR(PARIS
			    "current=temperature_2m,relative_humidity_2m,weather_code,wind_speed_10m&"
			    "daily=weather_code,temperature_2m_max,temperature_2m_min,precipitation_sum&timezone=auto"),
			NOON_NOVEMBER, &b),
		    200);
		buf_done(&b);
		arena_done(&a);
	}
	print_message("%.1f us an answer\n", (double)(clock_mono_ns() - before) / 1e6);
}

RUN_TESTS(CLAIM(keys_come_in_the_real_order), CLAIM(columns_are_parallel), CLAIM(days_agree_with_their_hours),
	  CLAIM(the_same_question_gives_the_same_bytes), CLAIM(summer_is_warmer_than_winter_on_both_sides),
	  CLAIM(zones_follow_their_summer_time), CLAIM(several_points_make_an_array_with_location_ids_from_the_second),
	  CLAIM(open_country_has_no_elevation_and_far_days_have_nulls), CLAIM(units_are_converted_and_named),
	  CLAIM(wrong_questions_get_400_with_a_reason), CLAIM(every_variable_has_a_value), CLAIM(an_answer_is_cheap))
