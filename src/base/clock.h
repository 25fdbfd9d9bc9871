/* SPDX-License-Identifier: Apache-2.0 */
/* Time, replaceable in tests. Timers run on the monotonic clock, dates on the wall clock. */
#pragma once
#include "base/num.h"

#define CLOCK_RFC3339_BYTES 25 /* "2026-11-23T17:00:00.123Z" and NUL */

msec_t clock_wall(void);	    /* milliseconds since 1970-01-01 UTC */
uint64_t clock_mono_ns(void);	    /* nanoseconds since some point, never backwards */
static inline msec_t clock_mono(void)
{
	return (msec_t)(clock_mono_ns() / 1000000u);
}
/* Replace both clocks (NULL, NULL = the real ones). */
void clock_fake(msec_t (*wall)(void), uint64_t (*mono_ns)(void));
/* RFC 3339 in UTC with milliseconds. */
void clock_format_rfc3339(msec_t wall, char ret[static CLOCK_RFC3339_BYTES]);
