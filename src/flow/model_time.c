/* SPDX-License-Identifier: Apache-2.0 */
/* Is there a 29th of February? */
#include "flow/model_time.h"

static bool digits(struct str s, size_t at, size_t n, unsigned *ret)
{
	*ret = 0;
	for (size_t i = at; i < at + n; i++) {
		if (i >= s.len || s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		*ret = *ret * 10 + (unsigned)(s.ptr[i] - '0');
	}
	return true;
}

static bool has(struct str s, size_t at, const char *one_of)
{
	return at < s.len && s.ptr[at] && strchr(one_of, s.ptr[at]);
}

bool text_is_date(struct str s)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year, month, day;
	if (s.len != 10 || !digits(s, 0, 4, &year) || !has(s, 4, "-") || !digits(s, 5, 2, &month) || !has(s, 7, "-") ||
	    !digits(s, 8, 2, &day))
		return false;
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (is_leap && month == 2 ? 1u : 0u);
}

/* Bytes of "HH:MM", seconds and fraction; 0 = no time. A leap second (:60) is a second. */
static size_t time_length(struct str s, bool *ret_has_seconds)
{
	unsigned hour, minute, second;
	size_t i = 5;
	if (!digits(s, 0, 2, &hour) || !has(s, 2, ":") || !digits(s, 3, 2, &minute) || hour > 23 || minute > 59)
		return 0;
	*ret_has_seconds = has(s, 5, ":");
	if (!*ret_has_seconds)
		return i;
	if (!digits(s, 6, 2, &second) || second > 60)
		return 0;
	i = 8;
	if (has(s, i, ".")) {
		size_t start = ++i;
		while (has(s, i, "0123456789"))
			i++;
		if (i == start)
			return 0;
	}
	return i;
}

static bool is_offset(struct str s)
{
	unsigned hour, minute;
	if (s.len == 1)
		return has(s, 0, "Zz");
	return s.len == 6 && has(s, 0, "+-") && digits(s, 1, 2, &hour) && has(s, 3, ":") && digits(s, 4, 2, &minute) &&
	       hour <= 23 && minute <= 59;
}

bool text_is_time(struct str s)
{
	bool has_seconds;
	size_t n = time_length(s, &has_seconds);
	return n && (n == s.len || is_offset(str_from(s.ptr + n, s.len - n)));
}

bool text_is_datetime(struct str s)
{
	bool has_seconds = false;
	if (s.len < 20 || !text_is_date(str_from(s.ptr, 10)) || !has(s, 10, "Tt "))
		return false;
	struct str rest = str_from(s.ptr + 11, s.len - 11);
	size_t n = time_length(rest, &has_seconds);
	return n && has_seconds && is_offset(str_from(rest.ptr + n, rest.len - n));
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool text_is_uri(struct str s)
{
	size_t i = 0;
	unsigned char c;
	while (i < s.len && (is_letter(s.ptr[i]) || (i > 0 && has(s, i, "0123456789+-."))))
		i++;
	if (i == 0 || !has(s, i, ":") || i + 1 == s.len)
		return false;
	struct str rest = str_from(s.ptr + i + 1, s.len - i - 1);
	if (str_starts(rest, STR("//")) && (rest.len == 2 || has(rest, 2, "/?#")) &&
	    !(i == 4 && str_starts(s, STR("file"))))
		return false;
	for (size_t k = 0; k < rest.len; k++) {
		c = (unsigned char)rest.ptr[k];
		if (c <= 0x20 || c == 0x7F || (c < 0x80 && strchr("\"<>\\^`{|}", (char)c)))
			return false;
		if (c == '%' && !(k + 2 < rest.len && has(rest, k + 1, "0123456789abcdefABCDEF") &&
				  has(rest, k + 2, "0123456789abcdefABCDEF")))
			return false;
	}
	return true;
}
