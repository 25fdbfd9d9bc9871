/* SPDX-License-Identifier: Apache-2.0 */
/* Values that are numbers: made from numbers, read as numbers, and asked whether a double may carry them. */
#include "base/number.h"
#include "base/value.h"
#include <math.h>

struct value value_int(struct arena *a, int64_t n)
{
	char text[24], *p = text + sizeof(text);
	uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (n < 0)
		*--p = '-';
	struct str s = arena_str(a, str_from(p, (size_t)(text + sizeof(text) - p)));
	return s.ptr ? value_number_text(s) : VALUE_NONE;
}

struct value value_double(struct arena *a, double d)
{
	if (!isfinite(d))
		return value_null();
	if (fabs(d) < 1e15 && d == trunc(d)) /* minus zero too: JavaScript prints 0 */
		return value_int(a, (int64_t)d);
	char digits[18], text[NUMBER_JS_MAX];
	int point, count = number_shortest(fabs(d), digits, &point);
	struct str s = arena_str(a, str_from(text, number_js(text, d < 0, digits, count, point)));
	return s.ptr ? value_number_text(s) : VALUE_NONE;
}

bool value_to_int64(const struct value *v, int64_t *ret)
{
	struct decimal d;
	if (!value_is(v, VALUE_NUMBER) || !number_split(value_text(v), &d))
		return false;
	if (d.digits == 0) {
		*ret = 0;
		return true;
	}
	if (d.point > 19 || d.point < (int64_t)d.digits)
		return false;
	uint64_t n = 0; /* 19 digits fit */
	size_t digits = d.digits;
	for (const char *p = d.first; digits > 0; p++)
		if (*p != '.') {
			n = n * 10 + (uint64_t)(*p - '0');
			digits--;
		}
	for (int64_t zeros = d.point - (int64_t)d.digits; zeros > 0; zeros--)
		n *= 10;
	if (n > (uint64_t)INT64_MAX + d.is_negative)
		return false;
	*ret = d.is_negative ? (int64_t)(0 - n) : (int64_t)n;
	return true;
}

bool value_to_double(const struct value *v, double *ret)
{
	struct decimal d;
	if (!value_is(v, VALUE_NUMBER) || !number_split(value_text(v), &d))
		return false;
	*ret = number_to_double(&d);
	return true;
}

/* Every decimal of up to 15 digits survives a trip through a normal double. */
static bool survives_surely(const struct decimal *d)
{
	return d->digits <= 15 && d->point > -307 && d->point <= 308;
}

/* The shortest text of the double nearest to `d`; false when that is infinite or zero. */
static bool shortest_of(const struct decimal *d, char digits[static 18], int *ret_count, int *ret_point)
{
	double nearest = fabs(number_to_double(d));
	if (nearest == 0 || !isfinite(nearest))
		return false;
	*ret_count = number_shortest(nearest, digits, ret_point);
	return true;
}

bool value_number_fits_double(struct str text)
{
	struct decimal d;
	if (!number_split(text, &d))
		return false;
	if (d.digits == 0 || survives_surely(&d))
		return true;
	if (d.digits > 17) /* the shortest text never has more */
		return false;
	char digits[18];
	int count, point;
	if (!shortest_of(&d, digits, &count, &point) || (size_t)count != d.digits || point != d.point)
		return false;
	const char *p = d.first;
	for (int i = 0; i < count; p++)
		if (*p != '.' && *p != digits[i++])
			return false;
	return true;
}

/* Up to 15 digits, no leading zero, perhaps a sign: most numbers there are. */
static bool is_plain_integer(struct str text)
{
	const char *p = text.ptr, *end = p + text.len;
	p += p < end && *p == '-';
	if (end - p < 1 || end - p > 15 || *p == '0')
		return false;
	while (p < end && number_is_digit(*p))
		p++;
	return p == end;
}

bool value_number_is_canonical(struct str text)
{
	if (is_plain_integer(text))
		return true;
	struct decimal d;
	if (!number_split(text, &d) || d.digits > 17)
		return false;
	if (d.digits == 0)
		return text.len == 1;
	char digits[18], js[NUMBER_JS_MAX];
	int count = (int)d.digits, point = (int)d.point;
	if (survives_surely(&d)) {
		const char *p = d.first;
		for (int i = 0; i < count; p++)
			if (*p != '.')
				digits[i++] = *p;
	} else if (!shortest_of(&d, digits, &count, &point)) {
		return false;
	}
	return str_eq(text, str_from(js, number_js(js, d.is_negative, digits, count, point)));
}
