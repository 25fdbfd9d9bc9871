/* SPDX-License-Identifier: Apache-2.0 */
/* What XML 1.0 takes as text, and how it is written. */
#include "base/xml_text.h"

size_t xml_bad_char(struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
			return i;
		if (c == 0xEF && i + 2 < text.len && (unsigned char)text.ptr[i + 1] == 0xBF &&
		    (unsigned char)text.ptr[i + 2] >= 0xBE)
			return i;
	}
	return text.len;
}

/* Line breaks inside attributes would become spaces on the other side, a CR everywhere a line feed (XML 1.0 2.11,
 * 3.3.3): they go as references. */
void xml_append(struct buf *b, struct str text, bool in_attribute)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		switch (c) {
		case '&':
			(void)buf_append_c(b, "&amp;");
			break;
		case '<':
			(void)buf_append_c(b, "&lt;");
			break;
		case '>':
			(void)buf_append_c(b, "&gt;");
			break;
		default:
			if (c == '\r' || (in_attribute && (c == '"' || c == '\'' || c == '\t' || c == '\n')))
				(void)buf_printf(b, "&#%d;", c);
			else
				(void)buf_append_char(b, c);
		}
	}
}
