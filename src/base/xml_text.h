/* SPDX-License-Identifier: Apache-2.0 */
/* Text that is to stand in an XML document. */
#pragma once
#include "base/buf.h"

/* Offset of the first byte that XML 1.0 (2.2) has no place for, not even escaped, or the length: control bytes other
 * than white space, U+FFFE and U+FFFF. `text` is UTF-8. */
size_t xml_bad_char(struct str text);

/* Appends the text escaped, for content or for an attribute in quotes of either kind. What xml_bad_char() finds goes
 * through as it is: look first. Errors stay in the buffer. */
void xml_append(struct buf *b, struct str text, bool in_attribute);
