/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of texts that a model knows: dates, times, addresses. */
#pragma once
#include "base/str.h"

bool text_is_date(struct str s);     /* 2026-11-23, a day that exists */
bool text_is_time(struct str s);     /* 17:05, 17:05:30, 17:05:30.250, each with Z or +01:00 behind if wanted */
bool text_is_datetime(struct str s); /* RFC 3339: date, T, time with seconds, Z or offset */
bool text_is_uri(struct str s);	     /* absolute: scheme, colon, something; RFC 3986 characters and any beyond ASCII */
