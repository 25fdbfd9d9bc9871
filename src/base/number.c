/* SPDX-License-Identifier: Apache-2.0 */
/* Between decimal text and double, without ever asking the locale how a point is written. */
#include "base/number.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPONENT_MAX INT64_C(1000000000000000) /* larger than any text is long: adding digits changes nothing */

static int64_t exponent_of(const char *p, const char *end)
{
	if (p == end)
		return 0;
	p++; /* the e */
	bool is_negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	int64_t e = 0;
	for (; p < end && e < EXPONENT_MAX; p++)
		e = e * 10 + (*p - '0');
	return is_negative ? -e : e;
}

bool number_split(struct str text, struct decimal *ret)
{
	const char *p = text.ptr, *end = p + text.len, *bad;
	if (text.len == 0 || number_end(p, end, &bad) != end)
		return false;
	*ret = (struct decimal){ .is_negative = *p == '-' };
	p += *p == '-';
	int64_t seen = 0, whole = -1, first_at = 0, last_at = 0;
	for (; p < end && (*p | 0x20) != 'e'; p++) {
		if (*p == '.') {
			whole = seen;
			continue;
		}
		if (*p != '0') {
			if (!ret->first) {
				ret->first = p;
				first_at = seen;
			}
			last_at = seen;
		}
		seen++;
	}
	if (!ret->first)
		return true;
	ret->digits = (size_t)(last_at - first_at + 1);
	ret->point = (whole < 0 ? seen : whole) - first_at + exponent_of(p, end);
	return true;
}

/*
 * Up to 15 digits are exact in a double, as are powers of ten up to 22, and one multiplication or division of exact
 * numbers rounds once (Clinger 1990).
 */
static bool exact_path(const char *digits, size_t n, int64_t scale, double *ret)
{
	static const double powers[] = { 1e0,  1e1,  1e2,  1e3,	 1e4,  1e5,  1e6,  1e7,	 1e8,  1e9,  1e10, 1e11,
					 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
	if (FLT_EVAL_METHOD != 0 || n > 15 || scale < -22 || scale > 22)
		return false;
	int64_t whole = 0;
	for (size_t i = 0; i < n; i++)
		whole = whole * 10 + (digits[i] - '0');
	*ret = scale < 0 ? (double)whole / powers[-scale] : (double)whole * powers[scale];
	return true;
}

double number_to_double(const struct decimal *d)
{
	/* Beyond 767 digits only "is there anything more?" can change the rounding: one more digit says so. */
	enum { DIGITS_MAX = 770 };
	char text[DIGITS_MAX + 32];
	if (d->digits == 0)
		return d->is_negative ? -0.0 : 0.0;
	if (d->point > 400)
		return d->is_negative ? -INFINITY : INFINITY;
	if (d->point < -400)
		return d->is_negative ? -0.0 : 0.0;
	size_t n = d->digits < DIGITS_MAX ? d->digits : DIGITS_MAX;
	const char *p = d->first;
	for (size_t i = 0; i < n; p++)
		if (*p != '.')
			text[i++] = *p;
	if (n < d->digits)
		text[n++] = '1';
	double result;
	if (!exact_path(text, n, d->point - (int64_t)n, &result)) {
		/* No decimal point in it, hence nothing for LC_NUMERIC to change. */
		(void)snprintf(text + n, sizeof(text) - n, "e%d", (int)(d->point - (int64_t)n));
		result = strtod(text, NULL);
	}
	return d->is_negative ? -result : result;
}

/* d with so many significant digits; false when they do not read back. The digits are stripped of trailing zeros. */
static bool try_digits(double d, int want, char digits[static 18], int *ret_count, int *ret_point)
{
	char text[48];
	(void)snprintf(text, sizeof(text), "%.*e", want - 1, d);
	const char *p = text;
	int n = 0;
	for (; *p != 'e'; p++) /* whatever stands for the point is no digit */
		if (number_is_digit(*p))
			digits[n++] = *p;
	*ret_point = atoi(p + 1) + 1;
	while (n > 1 && digits[n - 1] == '0')
		n--;
	*ret_count = n;
	struct decimal back = { .first = digits, .digits = (size_t)n, .point = *ret_point };
	return number_to_double(&back) == d;
}

/* One up in the 16th digit. A 9 there needs no care: what it carries to has 15 digits, and those were tried before. */
static bool next_up(double d, char digits[static 18], int *count, int point)
{
	while (*count < 16)
		digits[(*count)++] = '0';
	if (digits[15] == '9')
		return false;
	digits[15]++;
	struct decimal back = { .first = digits, .digits = 16, .point = point };
	return number_to_double(&back) == d;
}

int number_shortest(double d, char digits[static 18], int *ret_point)
{
	int count;
	/* Every decimal of 15 digits comes back from a normal double; subnormals have fewer to give. */
	for (int want = d < DBL_MIN ? 1 : 15; want < 17; want++) {
		if (try_digits(d, want, digits, &count, ret_point))
			return count;
		/* Below a power of two doubles stand closer: the nearest 16 digits may lie there, the next ones up not.
		 */
		int exponent;
		if (want == 16 && frexp(d, &exponent) == 0.5 && next_up(d, digits, &count, *ret_point))
			return count;
	}
	(void)try_digits(d, 17, digits, &count, ret_point);
	return count;
}

static char *put(char *out, const char *bytes, int n)
{
	memcpy(out, bytes, (size_t)n);
	return out + n;
}

static char *put_zeros(char *out, int n)
{
	memset(out, '0', (size_t)n);
	return out + n;
}

size_t number_js(char out[static NUMBER_JS_MAX], bool is_negative, const char *digits, int count, int point)
{
	char *p = out;
	if (is_negative)
		*p++ = '-';
	if (point > 21 || point <= -6) {
		p = put(p, digits, 1);
		if (count > 1) {
			*p++ = '.';
			p = put(p, digits + 1, count - 1);
		}
		int n = snprintf(p, 8, "e%+d", point - 1);
		return (size_t)(p - out + n);
	}
	if (point <= 0) {
		p = put_zeros(p, 1);
		*p++ = '.';
		p = put_zeros(p, -point);
		p = put(p, digits, count);
	} else if (count <= point) {
		p = put(p, digits, count);
		p = put_zeros(p, point - count);
	} else {
		p = put(p, digits, point);
		*p++ = '.';
		p = put(p, digits + point, count - point);
	}
	return (size_t)(p - out);
}
