/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields (RFC 9110 5): a list in order of arrival, names compared without case. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

struct header {
	struct str name, value;
};

struct headers {
	struct header *items;
	size_t n, cap;
	size_t bytes; /* names and values together */
};

#define HEADERS_MAX 256		      /* fields of one message */
#define HEADER_FIELD_MAX_BYTES 65536  /* one field */
#define HEADERS_MAX_BYTES (256 << 10) /* all fields of a message */

/* Copies both. -ERR_INVALID for a name that is no token or a value with CR, LF or NUL (RFC 9110 5.5); -ERR_LIMIT over the limits. */
int headers_add(struct arena *a, struct headers *h, struct str name, struct str value, struct err *e);
/* Replace all of that name by one. */
int headers_set(struct arena *a, struct headers *h, struct str name, struct str value, struct err *e);
/* First value of that name; ptr NULL when absent. */
struct str headers_get(const struct headers *h, struct str name);
size_t headers_count(const struct headers *h, struct str name);
bool header_is_token(struct str s);
bool header_value_is_clean(struct str s);
/* Media type: "application/json; charset=utf-8" -> type "application/json", and a parameter by name (unquoted, in arena). */
struct str header_media_type(struct str value);
struct str header_parameter(struct arena *a, struct str value, struct str name);
