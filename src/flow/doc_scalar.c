/* SPDX-License-Identifier: Apache-2.0 */
/* What an unquoted word is: text, number, truth or nothing. YAML 1.2.2, section 10.3.2, and a wary eye on 1.1. */
#include "flow/doc_int.h"
#include "base/num.h"

static bool is_one_of(struct str s, const char *const *words)
{
	for (size_t i = 0; words[i]; i++) {
		if (str_eq_c(s, words[i]))
			return true;
	}
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t skip_digits(struct str s, size_t i)
{
	while (i < s.len && is_digit(s.ptr[i]))
		i++;
	return i;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_core_decimal(struct str s)
{
	size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
	size_t whole = skip_digits(s, i) - i;
	i += whole;
	if (i < s.len && s.ptr[i] == '.') {
		size_t fraction = skip_digits(s, i + 1) - (i + 1);
		if (whole == 0 && fraction == 0)
			return false;
		i += 1 + fraction;
	} else if (whole == 0) {
		return false;
	}
	if (i < s.len && (s.ptr[i] | 0x20) == 'e') {
		i++;
		if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+'))
			i++;
		size_t end = skip_digits(s, i);
		if (end == i)
			return false;
		i = end;
	}
	return i == s.len;
}

static bool is_core_radix(struct str s)
{
	if (s.len < 3 || s.ptr[0] != '0' || (s.ptr[1] != 'x' && s.ptr[1] != 'o'))
		return false;
	for (size_t i = 2; i < s.len; i++) {
		int digit = num_hex_value(s.ptr[i]);
		if (digit < 0 || (s.ptr[1] == 'o' && digit > 7))
			return false;
	}
	return true;
}

/* RFC 8259 number, by shape alone: the value may be too large for a double. */
static bool is_json_number(struct str s)
{
	size_t i = s.len && s.ptr[0] == '-';
	size_t whole = skip_digits(s, i) - i;
	if (whole == 0 || (whole > 1 && s.ptr[i] == '0'))
		return false;
	i += whole;
	if (i < s.len && s.ptr[i] == '.') {
		size_t end = skip_digits(s, i + 1);
		if (end == i + 1)
			return false;
		i = end;
	}
	return i == s.len || ((s.ptr[i] | 0x20) == 'e' && is_core_decimal(s));
}

enum plain_kind plain_resolve(struct str s)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const trues[] = { "true", "True", "TRUE", NULL };
	static const char *const falses[] = { "false", "False", "FALSE", NULL };
	static const char *const odd[] = { ".inf",  ".Inf",  ".INF", "-.inf", "-.Inf", "-.INF", "+.inf",
					   "+.Inf", "+.INF", ".nan", ".NaN",  ".NAN",  NULL };
	if (is_one_of(s, nulls))
		return PLAIN_NULL;
	if (is_one_of(s, trues))
		return PLAIN_TRUE;
	if (is_one_of(s, falses))
		return PLAIN_FALSE;
	if (is_json_number(s))
		return PLAIN_NUMBER;
	return is_core_decimal(s) || is_core_radix(s) || is_one_of(s, odd) ? PLAIN_ODD_NUMBER : PLAIN_STRING;
}

bool plain_is_odd_in_1_1(struct str s)
{
	static const char *const words[] = { "y",     "n",    "yes", "no", "on", "off", "true",
					     "false", "null", "~",   "=",  "<<", NULL };
	for (size_t i = 0; words[i]; i++) {
		if (str_eq_nocase(s, str_c(words[i])))
			return true;
	}
	/* 12:30:45, 2026-01-31, 0b101, 1_000, 1.5e3: whatever begins like a number is kept in quotes. */
	size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+');
	if (i < s.len && s.ptr[i] == '.')
		i++;
	return i < s.len && is_digit(s.ptr[i]);
}
