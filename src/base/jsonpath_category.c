/* SPDX-License-Identifier: Apache-2.0 */
/* The general category of a code point: for \p{Lu} and its like. */
#include "base/jsonpath_int.h"

static const uint32_t changes[] = {
#include "base/jsonpath_category.inc"
};

/* In the order of the generator. */
static const char names[][3] = { "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
				 "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
				 "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn" };
#define UPPER_LOWER (uint32_t) ARRAY_LEN(names) /* capital, small, capital, ...; one more: the small letter first */

uint32_t category_of(uint32_t c)
{
	size_t low = 0, high = ARRAY_LEN(changes);
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (changes[middle] >> 5 <= c)
			low = middle;
		else
			high = middle;
	}
	uint32_t category = changes[low] & 31;
	if (category >= UPPER_LOWER)
		category = (category - UPPER_LOWER) ^ ((c - (changes[low] >> 5)) & 1);
	return BIT(category);
}

uint32_t category_named(struct str name)
{
	uint32_t bits = 0;
	if (name.len != 1 && name.len != 2)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (names[i][0] == name.ptr[0] && (name.len == 1 || names[i][1] == name.ptr[1]))
			bits |= BIT(i);
	/* Surrogates are no characters, and RFC 9485 leaves their name out. */
	return str_eq_c(name, "Cs") ? 0 : bits;
}
