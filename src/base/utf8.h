/* SPDX-License-Identifier: Apache-2.0 */
/* One UTF-8 sequence at a time, by the table of RFC 3629 section 4. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence at p (1..4), or 0. p < end. */
static inline size_t utf8_sequence(const char *text, const char *text_end)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t room = (size_t)(text_end - text);
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2)
		return 0; /* a continuation byte, or an overlong two */
	if (p[0] < 0xE0)
		return room >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
	if (p[0] < 0xF0) {
		if (room < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
			return 0;
		/* E0 below A0 is overlong, ED from A0 is a surrogate. */
		return (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] >= 0xA0) ? 0 : 3;
	}
	if (p[0] > 0xF4 || room < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
		return 0;
	/* F0 below 90 is overlong, F4 from 90 lies beyond U+10FFFF. */
	return (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] >= 0x90) ? 0 : 4;
}

/* Writes the sequence of a scalar value (no surrogates, at most U+10FFFF) and returns its bytes. */
static inline size_t utf8_encode(uint32_t c, char out[static 4])
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xC0 | (c >> 6));
		out[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xE0 | (c >> 12));
		out[1] = (char)(0x80 | ((c >> 6) & 0x3F));
		out[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | (c >> 18));
	out[1] = (char)(0x80 | ((c >> 12) & 0x3F));
	out[2] = (char)(0x80 | ((c >> 6) & 0x3F));
	out[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}
