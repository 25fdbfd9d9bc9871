/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal texts of RFC 8259 section 6, as digits and a point. Inside base only. */
#pragma once
#include "base/str.h"

#define NUMBER_JS_MAX 32 /* "-1.7976931348623157e+308" and its like */

/* 0.d1d2d3... x 10^point, d1 and the last digit not 0; no digits means zero. */
struct decimal {
	bool is_negative;
	const char *first; /* where d1 stands in the text; a '.' may follow somewhere */
	size_t digits;
	int64_t point; /* saturates far beyond what any double needs */
};

static inline bool number_is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* The end of the number that begins at p, or NULL and *ret_bad = the place where the grammar is left. */
static inline const char *number_end(const char *p, const char *end, const char **ret_bad)
{
	if (p < end && *p == '-')
		p++;
	if (p == end || !number_is_digit(*p))
		goto bad;
	if (*p++ != '0')
		while (p < end && number_is_digit(*p))
			p++;
	if (p < end && *p == '.') {
		p++;
		if (p == end || !number_is_digit(*p))
			goto bad;
		while (p < end && number_is_digit(*p))
			p++;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !number_is_digit(*p))
			goto bad;
		while (p < end && number_is_digit(*p))
			p++;
	}
	return p;
bad:
	*ret_bad = p;
	return NULL;
}

/* False when `text` is not one number and nothing else. */
bool number_split(struct str text, struct decimal *ret);
/* The nearest double (ties to even), infinity when too large. Independent of the locale. */
double number_to_double(const struct decimal *d);
/* The shortest digits that read back as d (finite, positive): their count, and *ret_point as in struct decimal. */
int number_shortest(double d, char ret_digits[static 18], int *ret_point);
/* As JavaScript's Number.prototype.toString writes it (ECMA-262, Number::toString); returns the length. */
size_t number_js(char out[static NUMBER_JS_MAX], bool is_negative, const char *digits, int count, int point);
