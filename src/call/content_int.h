/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of one kind each, and what they share. Only the content*.c files include this. */
#pragma once
#include "call/call_int.h"

/* Containers inside containers of an answer: it stands inside of an item, and the item as a whole shall still be written. */
#define CONTENT_DEPTH_MAX (VALUE_DEPTH_MAX - 10)

#define TITLE_INVALID_TEXT "The answer's text is broken"

/*
 * Each reader takes UTF-8 without a byte order mark, which may be gone when it returns: values are copies in `a`. It
 * returns 0 with a value or with a trouble, or -ERR_NO_MEMORY.
 */
int content_lines(struct str text, struct arena *a, struct content *ret); /* NDJSON -> array of values */
int content_events(struct str text, struct arena *a,
		   struct content *ret);				/* SSE -> array of { event, data, id, retry } */
int content_csv(struct str text, struct arena *a, struct content *ret); /* -> array of objects by the header row */
/* -> { root: ... }; elements named in `lists` (array of texts or NULL) are always lists. */
int content_xml(struct str text, const struct value *lists, struct arena *a, struct content *ret);
/* May the elements of such a body be given out as it comes? Lists of texts only where nothing has to be decoded first. */
bool content_may_split(const struct expected *expected, struct str media_type, struct str charset, enum split_kind *ret);
/* The charset that an XML declaration names, or the null string. */
struct str xml_declared_charset(struct str body);

/* Fill `ret` with a trouble; -ERR_NO_MEMORY when `detail` is NULL. */
int content_trouble(struct content *ret, const char *type, const char *title, char *detail);
/*
 * Bytes to checked UTF-8 without byte order mark: by the mark, else by `charset` (empty = UTF-8). Borrows `body` where
 * it can. False trouble, true text: look at ret->trouble.
 */
int text_decode(struct str body, struct str charset, struct arena *a, struct str *ret_text, struct content *ret);
