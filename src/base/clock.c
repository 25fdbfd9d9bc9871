/* SPDX-License-Identifier: Apache-2.0 */
/* Two clocks with a hand for tests to turn. */
#include "base/clock.h"
#include <stdatomic.h>
#include <time.h>

static msec_t (*_Atomic fake_wall)(void);
static uint64_t (*_Atomic fake_mono)(void);

msec_t clock_wall(void)
{
	msec_t (*fake)(void) = atomic_load_explicit(&fake_wall, memory_order_relaxed);
	if (unlikely(fake != NULL))
		return fake();
	struct timespec t;
	(void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail for this clock */
	return (msec_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t clock_mono_ns(void)
{
	uint64_t (*fake)(void) = atomic_load_explicit(&fake_mono, memory_order_relaxed);
	if (unlikely(fake != NULL))
		return fake();
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void clock_fake(msec_t (*wall)(void), uint64_t (*mono_ns)(void))
{
	atomic_store(&fake_wall, wall);
	atomic_store(&fake_mono, mono_ns);
}

/* Civil date of a day number, by H. Hinnant's days_from_civil turned round: the year begins in March. */
static void civil(int64_t day, int *ret_year, int *ret_month, int *ret_day)
{
	day += 719468;
	int64_t era = (day >= 0 ? day : day - 146096) / 146097;
	int64_t doe = day - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t month = (5 * doy + 2) / 153;
	*ret_day = (int)(doy - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int)(yoe + era * 400 + (*ret_month <= 2));
}

#define WALL_MIN INT64_C(-62167219200000) /* 0000-01-01: RFC 3339 knows four digits of year */
#define WALL_MAX INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

static char *put_digits(char *p, int64_t n, int width)
{
	for (int i = width; i-- > 0; n /= 10)
		p[i] = (char)('0' + n % 10);
	return p + width;
}

void clock_format_rfc3339(msec_t wall, char ret[static CLOCK_RFC3339_BYTES])
{
	if (wall < WALL_MIN)
		wall = WALL_MIN;
	if (wall > WALL_MAX)
		wall = WALL_MAX;
	int64_t day = wall / 86400000, rest = wall % 86400000;
	if (rest < 0) {
		rest += 86400000;
		day--;
	}
	int year, month, mday;
	civil(day, &year, &month, &mday);
	char *p = put_digits(ret, year, 4);
	*p++ = '-';
	p = put_digits(p, month, 2);
	*p++ = '-';
	p = put_digits(p, mday, 2);
	*p++ = 'T';
	p = put_digits(p, rest / 3600000, 2);
	*p++ = ':';
	p = put_digits(p, rest / 60000 % 60, 2);
	*p++ = ':';
	p = put_digits(p, rest / 1000 % 60, 2);
	*p++ = '.';
	p = put_digits(p, rest % 1000, 3);
	*p++ = 'Z';
	*p = '\0';
}
