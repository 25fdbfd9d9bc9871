/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long an answer asks to be left alone. Times that are given as a moment are counted from the answer's own Date,
 * when it has one: their clock against their clock.
 */
#include "base/clock.h"
#include "call/rules_int.h"
#include <stdio.h>
#include <time.h>

#define EPOCH_SECONDS_FROM 1e9 /* a larger number is no duration but a moment */
#define EPOCH_MSEC_FROM 1e11   /* and beyond that one in milliseconds */
#define DATE_MAX 64

/* ---- dates ---- */

static int month_of(const char *name)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	for (int i = 0; i < 12; i++)
		if (strcmp(name, months[i]) == 0)
			return i;
	return -1;
}

/* Two digits: the year that is at most 50 years ahead (RFC 9110 5.6.7). */
static int full_year(int year, msec_t now)
{
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	if (!gmtime_r(&seconds, &tm))
		return year;
	int this_year = tm.tm_year + 1900;
	year += this_year - this_year % 100;
	return year > this_year + 50 ? year - 100 : year;
}

bool http_date_parse(struct str text, msec_t now, msec_t *ret)
{
	char s[DATE_MAX], month[4] = "";
	struct tm tm = { 0 };
	int end = 0;
	if (text.len >= sizeof(s) || str_find_char(text, '\0') >= 0)
		return false;
	(void)snprintf(s, sizeof(s), "%.*s", STR_ARG(text));
	int year = 0, n = sscanf(s, "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &year,
				 &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end);
	if (n != 6 || end == 0) {
		end = 0;
		n = sscanf(s, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm.tm_mday, month, &year,
			   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end);
		year = n == 6 && end ? full_year(year, now) : year;
	}
	if (n != 6 || end == 0) {
		end = 0;
		n = sscanf(s, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm.tm_mday, &tm.tm_hour,
			   &tm.tm_min, &tm.tm_sec, &year, &end);
	}
	tm.tm_mon = month_of(month);
	tm.tm_year = year - 1900;
	if (n != 6 || end == 0 || s[end] || tm.tm_mon < 0 || year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	*ret = (msec_t)timegm(&tm) * 1000;
	return true;
}

static msec_t now_of(const struct call_answer *x)
{
	msec_t now = clock_wall(), theirs;
	return http_date_parse(answer_header(x, "date"), now, &theirs) ? theirs : now;
}

/* ---- numbers ---- */

/* Digits with an optional fraction at the front of `*s`, which moves past them. */
static bool take_number(struct str *s, double *ret)
{
	double value = 0, scale = 1;
	size_t i = 0;
	for (; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++)
		value = value * 10 + (s->ptr[i] - '0');
	bool is_number = i > 0;
	if (is_number && i < s->len && s->ptr[i] == '.')
		for (i++; i < s->len && s->ptr[i] >= '0' && s->ptr[i] <= '9'; i++)
			value += (s->ptr[i] - '0') * (scale /= 10);
	*s = str_from(s->ptr + i, s->len - i);
	*ret = value;
	return is_number;
}

/* "1h2m3.5s", "20ms": seconds. */
static bool take_duration(struct str s, double *ret)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = { { "ms", 0.001 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 } };
	*ret = 0;
	while (s.len) {
		double number;
		size_t u = 0;
		if (!take_number(&s, &number))
			return false;
		while (u < ARRAY_LEN(units) && !str_starts(s, str_c(units[u].unit)))
			u++;
		if (u == ARRAY_LEN(units))
			return false;
		*ret += number * units[u].seconds;
		s = str_from(s.ptr + strlen(units[u].unit), s.len - strlen(units[u].unit));
	}
	return true;
}

static struct wait_hint hint(double ms, struct str source)
{
	struct wait_hint h = { .source = source, .is_clamped = ms > (double)CALL_WAIT_MAX };
	h.ms = h.is_clamped ? CALL_WAIT_MAX : ms > 0 ? (msec_t)(ms + 0.999) : 0;
	return h;
}

/* Seconds, a moment in seconds or milliseconds since 1970, a duration with units, or a date. What is past is no wait.
 */
static bool read_wait(const struct call_answer *x, struct str text, struct str source, struct wait_hint *ret)
{
	struct str rest = text = str_trim(text);
	double number;
	msec_t date, now = now_of(x);
	if (text.len == 0)
		return false;
	if (text.ptr[0] == '-' && (rest = str_from(text.ptr + 1, text.len - 1), take_number(&rest, &number)) &&
	    rest.len == 0)
		number = 0;
	else if (http_date_parse(text, now, &date))
		number = (double)(date - now) / 1000;
	else if (rest = text, take_number(&rest, &number) && rest.len == 0)
		number = number > EPOCH_MSEC_FROM      ? (number - (double)now) / 1000
			 : number > EPOCH_SECONDS_FROM ? number - (double)now / 1000
						       : number;
	else if (!take_duration(text, &number))
		return false;
	*ret = hint(number * 1000, source);
	return true;
}

/* ---- RateLimit ---- */

/* A parameter of one item of the field: `"default";r=0;t=30`, or of older drafts `limit=10, remaining=0, reset=30`. */
static bool item_number(struct str item, const char *name, double *ret)
{
	while (item.ptr) {
		struct str pair = str_trim(str_split(&item, ';')), key = str_split(&pair, '=');
		pair = str_trim(pair);
		if (pair.len && str_eq_c(str_trim(key), name) && take_number(&pair, ret) && pair.len == 0)
			return true;
	}
	return false;
}

/* The longest t of those policies that are used up; without any, of all. */
static bool read_ratelimit(struct str field, double *ret)
{
	bool found = false, found_empty = false;
	while (field.ptr) {
		struct str item = str_split(&field, ',');
		double t, r = 1;
		if (!item_number(item, "t", &t) && !item_number(item, "reset", &t))
			continue;
		bool is_empty = item_number(item, "r", &r) && r == 0;
		if (!found || (is_empty && !found_empty) || (is_empty == found_empty && t > *ret))
			*ret = t;
		found = true;
		found_empty |= is_empty;
	}
	return found;
}

/* ---- the answer ---- */

struct wait_hint wait_find(const struct call_answer *x, struct str first)
{
	static const char *const resets[] = { "ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset" };
	struct wait_hint h = { 0 };
	double t = 0;
	for (uint32_t i = 0; first.len && i < x->headers.len; i++)
		if (value_is_string(value_at(&x->headers.items[i], 0), first) &&
		    read_wait(x, value_text(value_at(&x->headers.items[i], 1)), first, &h))
			return h;
	if (read_wait(x, answer_header(x, "retry-after"), STR("retry-after"), &h))
		return h;
	if (read_ratelimit(answer_header(x, "ratelimit"), &t))
		return hint(t * 1000, STR("ratelimit"));
	for (size_t i = 0; i < ARRAY_LEN(resets); i++)
		if (read_wait(x, answer_header(x, resets[i]), str_c(resets[i]), &h))
			return h;
	return h;
}

bool wait_says_limited(const struct call_answer *x)
{
	double r;
	struct str field = answer_header(x, "ratelimit");
	if (answer_header(x, "retry-after").len ||
	    str_eq(str_trim(answer_header(x, "x-ratelimit-remaining")), STR("0")) ||
	    str_eq(str_trim(answer_header(x, "ratelimit-remaining")), STR("0")))
		return true;
	while (field.ptr) {
		struct str item = str_split(&field, ',');
		if ((item_number(item, "r", &r) || item_number(item, "remaining", &r)) && r == 0)
			return true;
	}
	return false;
}
