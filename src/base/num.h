/* SPDX-License-Identifier: Apache-2.0 */
/* Strict number, duration and size parsing: all of the text or nothing. */
#pragma once
#include "base/err.h"
#include "base/str.h"

typedef int64_t msec_t; /* milliseconds */

int num_parse_u64(struct str s, uint64_t *ret); /* digits only; -ERR_INVALID, -ERR_LIMIT on overflow */
int num_parse_i64(struct str s, int64_t *ret);
int num_parse_double(struct str s, double *ret); /* JSON grammar */
/* "30s", "250ms", "2m", "1h", "1d", "0"; a bare number other than 0 is refused: the message says to write the unit. */
int num_parse_duration(struct str s, msec_t *ret, struct err *e);
/* "64KiB", "10MB", "1GiB", "512B", "0". */
int num_parse_size(struct str s, uint64_t *ret, struct err *e);
int num_hex_value(char c); /* 0..15 or -1 */
