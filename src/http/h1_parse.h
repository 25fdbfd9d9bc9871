/* SPDX-License-Identifier: Apache-2.0 */
/* Where an answer's head, chunks and body end (RFC 9112), bytes as they come. What the lines say is client_head.c's
 * matter. Pure. */
#pragma once
#include "base/str.h"

#include <stdint.h>

struct http_transfer;

enum h1_part {
	H1_PART_HEAD,
	H1_PART_LENGTH,	   /* a body of `left` more bytes */
	H1_PART_UNTIL_END, /* a body until the connection ends */
	H1_PART_CHUNK_LINE,
	H1_PART_CHUNK,	   /* `left` more bytes of this chunk */
	H1_PART_CHUNK_END, /* its CRLF */
	H1_PART_TRAILERS,
	H1_PART_DONE,
};

struct h1_parser {
	enum h1_part part;
	uint64_t left;
	size_t scanned; /* bytes at the front that hold no line feed, as we know already */
};

enum h1_parsed {
	H1_MORE,   /* wants more bytes */
	H1_DONE,   /* the answer is complete; what was not used belongs to nobody */
	H1_FAILED, /* the transfer's refusal says why */
};

/* Bytes beyond *ret_used must be shown again, with more behind them. A body is handed to the transfer at once. */
enum h1_parsed h1_parse(struct h1_parser *p, struct http_transfer *t, struct str bytes, size_t *ret_used);
/* The connection has ended: H1_DONE or H1_FAILED. `is_cut`: TLS ended without its close_notify. */
enum h1_parsed h1_parse_end(struct h1_parser *p, struct http_transfer *t, bool is_reset, bool is_cut);
