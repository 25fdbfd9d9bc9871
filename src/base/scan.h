/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the bytes that a JSON string treats specially, sixteen at a time where the machine can. Inside base only. */
#pragma once
#include "base/attr.h"
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* First byte in [p, end) that is a quote, a backslash, a control character or not ASCII; `end` when there is none. */
static inline const char *scan_special(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');
	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* The comparison is signed: bytes from 0x80 count as less than a space, which is just what is wanted.
		 */
		__m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
					   _mm_cmplt_epi8(v, space));
		unsigned mask = (unsigned)_mm_movemask_epi8(odd);
		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)(*p - 0x20) < 0x60)
		p++;
	return p;
}

#define SCAN_ONES UINT64_C(0x0101010101010101)

/* Non-zero when one of eight bytes must be escaped in a string: below 0x20, quote, backslash. Not ASCII is fine. */
static inline uint64_t scan_word_escapes(uint64_t w)
{
	uint64_t quote = w ^ (SCAN_ONES * '"'), backslash = w ^ (SCAN_ONES * '\\');
	uint64_t found =
	    ((w - SCAN_ONES * 0x20) & ~w) | ((quote - SCAN_ONES) & ~quote) | ((backslash - SCAN_ONES) & ~backslash);
	return found & (SCAN_ONES * 0x80);
}

#ifdef __SSE2__
/* One bit for each of sixteen bytes that must be escaped. */
static inline unsigned scan_escapes16(const char *p)
{
	const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), control = _mm_set1_epi8(0x1F);
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i odd = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)),
				   _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
	return (unsigned)_mm_movemask_epi8(odd);
}
#endif

/* First byte in [p, end) that must be escaped, `end` when there is none. */
static inline const char *scan_escape(const char *p, const char *end)
{
#ifdef __SSE2__
	if (end - p >= 16) {
		unsigned mask;
		for (; end - p >= 16; p += 16)
			if ((mask = scan_escapes16(p)))
				return p + __builtin_ctz(mask);
		/* The last sixteen overlap what was found clean. */
		mask = scan_escapes16(end - 16);
		return mask ? end - 16 + __builtin_ctz(mask) : end;
	}
#endif
	for (; end - p >= 8; p += 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		if (scan_word_escapes(w))
			break;
	}
	while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
		p++;
	return p;
}
