/* SPDX-License-Identifier: Apache-2.0 */
/* All of the text or nothing, and a sentence that says what to write instead. */
#include "base/num.h"
#include "base/number.h"
#include <math.h>

#define QUOTED_MAX 40 /* bytes of the text that a message repeats */

int num_parse_u64(struct str s, uint64_t *ret)
{
	uint64_t n = 0;
	if (s.len == 0)
		return -ERR_INVALID;
	for (size_t i = 0; i < s.len; i++)
		if (!number_is_digit(s.ptr[i]))
			return -ERR_INVALID;
	for (size_t i = 0; i < s.len; i++)
		if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (unsigned)(s.ptr[i] - '0'), &n))
			return -ERR_LIMIT;
	*ret = n;
	return 0;
}

int num_parse_i64(struct str s, int64_t *ret)
{
	bool is_negative = s.len > 0 && s.ptr[0] == '-';
	uint64_t n;
	int r = num_parse_u64(is_negative ? str_from(s.ptr + 1, s.len - 1) : s, &n);
	if (r < 0)
		return r;
	if (n > (uint64_t)INT64_MAX + is_negative)
		return -ERR_LIMIT;
	*ret = is_negative ? (int64_t)(0 - n) : (int64_t)n;
	return 0;
}

int num_parse_double(struct str s, double *ret)
{
	struct decimal d;
	if (!number_split(s, &d))
		return -ERR_INVALID;
	double nearest = number_to_double(&d);
	if (isinf(nearest))
		return -ERR_LIMIT;
	*ret = nearest;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit durations[] = {
	{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { NULL, 0 },
};

static const struct unit sizes[] = {
	{ "B", 1 },
	{ "kB", 1000u },
	{ "KB", 1000u },
	{ "MB", 1000u * 1000 },
	{ "GB", 1000u * 1000 * 1000 },
	{ "TB", UINT64_C(1000) * 1000 * 1000 * 1000 },
	{ "KiB", 1u << 10 },
	{ "MiB", 1u << 20 },
	{ "GiB", 1u << 30 },
	{ "TiB", UINT64_C(1) << 40 },
	{ NULL, 0 },
};

/* What the two differ in, for parsing and for the sentence. */
struct measure {
	const char *what;   /* "duration" */
	const char *likely; /* the unit that a bare number probably meant */
	const char *names;  /* the units, as read aloud */
	const struct unit *units;
};

static const struct measure duration_measure = { "duration", "s", "ms, s, m, h or d", durations };
static const struct measure size_measure = { "size", "MiB", "B, KB, MB, GB, KiB, MiB or GiB", sizes };

static int measure_parse(const struct measure *m, struct str s, uint64_t max, uint64_t *ret, struct err *e)
{
	struct str quoted = str_clip(s, QUOTED_MAX);
	size_t digits = 0;
	while (digits < s.len && number_is_digit(s.ptr[digits]))
		digits++;
	if (digits == 0)
		return err_set(e, ERR_INVALID, "\"%.*s\" is no %s; write a whole number and %s, such as \"30%s\"",
			       STR_ARG(quoted), m->what, m->names, m->likely);
	uint64_t n = 0;
	int r = num_parse_u64(str_from(s.ptr, digits), &n);
	struct str unit = str_from(s.ptr + digits, s.len - digits);
	if (unit.len == 0 && r == 0 && n == 0) {
		*ret = 0;
		return 0;
	}
	if (unit.len == 0)
		return err_set(e, ERR_INVALID, "\"%.*s\" has no unit; write \"%.*s%s\"", STR_ARG(quoted),
			       STR_ARG(quoted), m->likely);
	const struct unit *u = m->units;
	while (u->name && !str_eq_c(unit, u->name))
		u++;
	if (!u->name)
		return err_set(e, ERR_INVALID, "\"%.*s\" is no %s; write a whole number and %s, such as \"30%s\"",
			       STR_ARG(quoted), m->what, m->names, m->likely);
	if (r < 0 || __builtin_mul_overflow(n, u->factor, &n) || n > max)
		return err_set(e, ERR_LIMIT, "\"%.*s\" is too large for a %s", STR_ARG(quoted), m->what);
	*ret = n;
	return 0;
}

int num_parse_duration(struct str s, msec_t *ret, struct err *e)
{
	uint64_t n;
	int r = measure_parse(&duration_measure, s, INT64_MAX, &n, e);
	if (r == 0)
		*ret = (msec_t)n;
	return r;
}

int num_parse_size(struct str s, uint64_t *ret, struct err *e)
{
	return measure_parse(&size_measure, s, UINT64_MAX, ret, e);
}

int num_hex_value(char c)
{
	if (number_is_digit(c))
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
