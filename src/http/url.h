/* SPDX-License-Identifier: Apache-2.0 */
/* URLs (RFC 3986) as bytes: split, percent-encode, resolve. Pure. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct url {
	struct str scheme; /* lower case in canonical text only */
	struct str userinfo;
	struct str host; /* without brackets */
	bool is_ipv6;
	uint16_t port; /* the scheme's default when not written */
	bool has_port;
	struct str path;     /* as written, may be empty */
	struct str query;    /* without "?"; ptr NULL when absent */
	struct str fragment; /* ptr NULL when absent */
};

#define URL_MAX_BYTES 65536 /* longest URL built or taken */

/* Absolute http or https URL. Refuses control bytes, spaces, backslash, bad percent triples, userinfo, empty host, port 0. Borrows. */
int url_parse(struct str text, struct url *ret, struct err *e);
/* Reference resolution (RFC 3986 5.2) for Location; the result is an absolute URL in `b`. */
int url_resolve(const struct url *base, struct str reference, struct buf *b, struct err *e);
/* Same scheme, host (case folded) and port? */
bool url_same_origin(const struct url *x, const struct url *y);

enum url_set {
	URL_SET_PATH_SEGMENT,	/* keeps unreserved only: one value is one segment */
	URL_SET_QUERY,		/* keeps unreserved */
	URL_SET_QUERY_RESERVED, /* OpenAPI allowReserved: keeps reserved, too, save "#", "[", "]" and what breaks a query */
	URL_SET_FORM,		/* application/x-www-form-urlencoded of the URL standard: space is "+" */
	URL_SET_COOKIE,		/* cookie-octet (RFC 6265 4.1.1) kept, save "%" */
};
int url_encode(struct buf *b, struct str s, enum url_set set);
/* Percent-decode; false on a bad triple. */
bool url_decode(struct buf *b, struct str s, bool plus_is_space);
