/* SPDX-License-Identifier: Apache-2.0 */
/* A text that came from outside, made fit for a message. */
#include "base/quote.h"
#include "base/utf8.h"

struct str quote_safely(struct arena *a, struct str text, size_t max)
{
	bool is_cut = text.len > max;
	struct str rest = str_trim(is_cut ? str_from(text.ptr, max) : text);
	char *out = arena_alloc(a, rest.len + 4);
	size_t n = 0;
	if (!out)
		return STR_NULL;
	for (size_t i = 0; i < rest.len;) {
		size_t len = utf8_sequence(rest.ptr + i, rest.ptr + rest.len);
		unsigned char c = (unsigned char)rest.ptr[i];
		if (len == 0 && is_cut && i + 4 > rest.len)
			break; /* the cut went through a character */
		/* C1 controls (U+0080 to U+009F) steer terminals, too. */
		bool is_c1 = len == 2 && c == 0xC2 && (unsigned char)rest.ptr[i + 1] < 0xA0;
		if (len == 0)
			out[n++] = '?';
		else if (c > 0x20 && c != 0x7f && !is_c1)
			n += (memcpy(out + n, rest.ptr + i, len), len);
		else if (n > 0 && out[n - 1] != ' ')
			out[n++] = ' ';
		i += len ? len : 1;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	if (is_cut)
		memcpy(out + n, "...", 3);
	return str_from(out, n + (is_cut ? 3 : 0));
}
