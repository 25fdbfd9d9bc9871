/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict about what decides where an answer ends: a chunk's line is hex, perhaps well-formed extensions, CR and LF; the
 * chunk is as long as it says and followed by CR and LF. A line feed alone, which the head still may have (RFC
 * 9112 2.2), is refused here: proxies disagree about it, and what they disagree about is how requests are smuggled (RFC
 * 9112 errata 7633).
 */
#include "http/client_int.h"
#include "http/h1_int.h"

#include <string.h>

static enum h1_parsed bad_framing(struct http_transfer *t, const char *what)
{
	transfer_fail(t, HTTP_ERROR_BAD_FRAMING, HTTP_AMBIGUOUS, "%s", what);
	return H1_FAILED;
}

/* The line at the front, its LF included, or a null string when it is not whole yet. */
static struct str line_at(struct h1_parser *p, struct str bytes)
{
	const char *end = bytes.len > p->scanned ? memchr(bytes.ptr + p->scanned, '\n', bytes.len - p->scanned) : NULL;

	p->scanned = end ? 0 : bytes.len;
	return end ? str_from(bytes.ptr, (size_t)(end + 1 - bytes.ptr)) : STR_NULL;
}

/* ---- the head ---- */

/* RFC 9112 6.3, in its order; what is wrong with the lengths was refused line by line. */
static void decide_framing(struct h1_parser *p, struct http_transfer *t)
{
	if (!t->wants_body) {
		p->part = H1_PART_DONE;
	} else if (t->has_coding_chunked) {
		p->part = H1_PART_CHUNK_LINE;
	} else if (t->has_length) {
		p->left = t->length;
		p->part = t->length ? H1_PART_LENGTH : H1_PART_DONE;
	} else {
		p->part = H1_PART_UNTIL_END;
	}
}

static enum h1_parsed parse_head(struct h1_parser *p, struct http_transfer *t, struct str bytes, size_t *used)
{
	struct str line = line_at(p, bytes);

	if (!line.ptr) {
		if (bytes.len <= HEADER_FIELD_MAX_BYTES)
			return H1_MORE;
		transfer_fail(t, HTTP_ERROR_HEADERS_TOO_LARGE, HTTP_AMBIGUOUS, "a field is longer than %d bytes",
			      HEADER_FIELD_MAX_BYTES);
		return H1_FAILED;
	}
	*used = line.len;
	if (!head_take_line(t, line))
		return H1_FAILED;
	if (t->head == HEAD_COMPLETE)
		decide_framing(p, t);
	return H1_DONE;
}

/* ---- chunks ---- */

static size_t skip_blanks(struct str s, size_t i)
{
	while (i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'))
		i++;
	return i;
}

static size_t skip_token(struct str s, size_t i)
{
	while (i < s.len && header_is_token(str_from(s.ptr + i, 1)))
		i++;
	return i;
}

/* The offset behind a quoted string that starts at `i`, or `i` itself when it never ends. */
static size_t skip_quoted(struct str s, size_t i)
{
	for (size_t k = i + 1; k < s.len; k++) {
		if (s.ptr[k] == '"')
			return k + 1;
		if (s.ptr[k] == '\\')
			k++;
	}
	return i;
}

/* chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 7.1.1; nobody reads what it
 * says. */
static bool are_extensions(struct str s)
{
	size_t i = 0;

	while (i < s.len) {
		i = skip_blanks(s, i);
		if (i == s.len || s.ptr[i] != ';')
			return false;
		i = skip_blanks(s, i + 1);
		size_t after = skip_token(s, i);
		if (after == i)
			return false;
		i = after;
		size_t equals = skip_blanks(s, i);
		if (equals == s.len || s.ptr[equals] != '=')
			continue;
		i = skip_blanks(s, equals + 1);
		after = i < s.len && s.ptr[i] == '"' ? skip_quoted(s, i) : skip_token(s, i);
		if (after == i)
			return false;
		i = after;
	}
	return true;
}

static bool parse_chunk_size(struct str line, uint64_t *ret)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < line.len; i++) {
		int digit = num_hex_value(line.ptr[i]);
		if (digit < 0)
			break;
		if (n > INT64_MAX >> 4)
			return false;
		n = n << 4 | (uint64_t)digit;
	}
	*ret = n;
	return i > 0 && header_value_is_clean(line) && are_extensions(str_from(line.ptr + i, line.len - i));
}

/* A line that has to end in CR LF, without them; false = a line feed alone. */
static bool strip_crlf(struct str *line)
{
	if (line->len < 2 || line->ptr[line->len - 2] != '\r')
		return false;
	line->len -= 2;
	return true;
}

static enum h1_parsed parse_chunk_line(struct h1_parser *p, struct http_transfer *t, struct str bytes, size_t *used)
{
	struct str line = line_at(p, bytes);
	size_t len = line.ptr ? line.len : bytes.len;

	if (len > H1_CHUNK_LINE_MAX)
		return bad_framing(t, "the line of a chunk is too long");
	if (!line.ptr)
		return H1_MORE;
	*used = line.len;
	if (!strip_crlf(&line))
		return bad_framing(t, "the line of a chunk ends in a line feed alone");
	if (!parse_chunk_size(line, &p->left))
		return bad_framing(t, "the size of a chunk makes no sense");
	if (line.len > 16) { /* extensions count as the head does: else they were a way to send without end */
		t->head_bytes += line.len;
		if (t->head_bytes > HEADERS_MAX_BYTES)
			return bad_framing(t, "too many chunk extensions");
	}
	p->part = p->left ? H1_PART_CHUNK : H1_PART_TRAILERS;
	return H1_DONE;
}

static enum h1_parsed parse_chunk_end(struct h1_parser *p, struct http_transfer *t, struct str bytes, size_t *used)
{
	if (bytes.ptr[0] != '\r' || (bytes.len > 1 && bytes.ptr[1] != '\n'))
		return bad_framing(t, "a chunk is longer than its size");
	if (bytes.len < 2)
		return H1_MORE;
	*used = 2;
	p->part = H1_PART_CHUNK_LINE;
	return H1_DONE;
}

static enum h1_parsed parse_trailer(struct h1_parser *p, struct http_transfer *t, struct str bytes, size_t *used)
{
	struct str line = line_at(p, bytes), whole = line;

	if (!line.ptr && bytes.len <= HEADER_FIELD_MAX_BYTES)
		return H1_MORE;
	if (!line.ptr || line.len > HEADER_FIELD_MAX_BYTES) {
		transfer_fail(t, HTTP_ERROR_HEADERS_TOO_LARGE, HTTP_AMBIGUOUS, "a trailer is longer than %d bytes",
			      HEADER_FIELD_MAX_BYTES);
		return H1_FAILED;
	}
	*used = line.len;
	if (!strip_crlf(&line))
		return bad_framing(t, "a trailer ends in a line feed alone");
	if (line.len == 0) {
		p->part = H1_PART_DONE;
		return H1_DONE;
	}
	if (!header_value_is_clean(line))
		return bad_framing(t, "a carriage return or NUL inside a trailer");
	return head_take_line(t, whole) ? H1_DONE : H1_FAILED;
}

/* ---- the body ---- */

static enum h1_parsed parse_body(struct h1_parser *p, struct http_transfer *t, struct str bytes, size_t *used)
{
	size_t n = bytes.len;

	if (p->part != H1_PART_UNTIL_END && n > p->left)
		n = (size_t)p->left;
	if (!head_take_body(t, str_from(bytes.ptr, n)))
		return H1_FAILED;
	*used = n;
	if (p->part == H1_PART_UNTIL_END)
		return H1_DONE;
	p->left -= n;
	if (p->left == 0)
		p->part = p->part == H1_PART_CHUNK ? H1_PART_CHUNK_END : H1_PART_DONE;
	return H1_DONE;
}

/* One line, or as much of a body as is there. H1_DONE: that much is done, look on. */
static enum h1_parsed step(struct h1_parser *p, struct http_transfer *t, struct str bytes, size_t *used)
{
	switch (p->part) {
	case H1_PART_HEAD:
		return parse_head(p, t, bytes, used);
	case H1_PART_CHUNK_LINE:
		return parse_chunk_line(p, t, bytes, used);
	case H1_PART_CHUNK_END:
		return parse_chunk_end(p, t, bytes, used);
	case H1_PART_TRAILERS:
		return parse_trailer(p, t, bytes, used);
	default:
		return parse_body(p, t, bytes, used);
	}
}

enum h1_parsed h1_parse(struct h1_parser *p, struct http_transfer *t, struct str bytes, size_t *ret_used)
{
	size_t at = 0;

	while (p->part != H1_PART_DONE && at < bytes.len) {
		size_t used = 0;
		enum h1_parsed r = step(p, t, str_from(bytes.ptr + at, bytes.len - at), &used);
		at += used;
		if (r == H1_DONE)
			continue;
		*ret_used = at;
		return r;
	}
	*ret_used = at;
	return p->part == H1_PART_DONE ? H1_DONE : H1_MORE;
}

enum h1_parsed h1_parse_end(struct h1_parser *p, struct http_transfer *t, bool is_reset, bool is_cut)
{
	if (p->part == H1_PART_HEAD && is_reset)
		transfer_fail(t, HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS,
			      "the connection was reset inside the head");
	else if (p->part == H1_PART_HEAD)
		transfer_fail(t, HTTP_ERROR_BAD_RESPONSE, HTTP_AMBIGUOUS, "the answer ended inside its head");
	else if (p->part != H1_PART_UNTIL_END)
		transfer_fail(t, HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS, "the connection ended inside the body");
	else if (is_reset)
		transfer_fail(t, HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS,
			      "the connection was reset before the body's end was known");
	else if (is_cut)
		transfer_fail(t, HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS,
			      "the connection ended without a TLS close_notify: the body may be cut");
	else
		p->part = H1_PART_DONE;
	return p->part == H1_PART_DONE ? H1_DONE : H1_FAILED;
}
