/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields in HTTP/2 (RFC 9113 8). The request was written as HTTP/1.1 and checked there; its lines become fields here,
 * so that what is sent does not depend on what the server speaks. The answer's fields go through the guard of every
 * answer (client_head.c) after what is HTTP/2's own: lower case, :status once and first, nothing that belongs to a
 * connection.
 */
#include "http/h2_int.h"

#include <string.h>

#define FIELD_OVERHEAD                                                                                                 \
	4 /* bytes that ": " and a line's end would take: counted, so that a head of empty fields has an end */

/* ---- the request ---- */

/* What speaks of a connection has no place on a stream (RFC 9113 8.2.2). */
static bool is_of_connection(struct str name)
{
	static const char *const names[] = { "connection", "proxy-connection", "keep-alive", "transfer-encoding",
					     "upgrade" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (str_eq_nocase(name, str_c(names[i])))
			return true;
	}
	return false;
}

static bool is_secret(struct str name)
{
	return str_eq(name, STR("authorization")) || str_eq(name, STR("proxy-authorization")) ||
	       str_eq(name, STR("cookie"));
}

static struct str in_lower_case(char *to, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		to[i] = (char)(s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? s.ptr[i] + ('a' - 'A') : s.ptr[i]);
	return str_from(to, s.len);
}

static struct str next_line(struct str *text)
{
	struct str line = str_split(text, '\n');

	line.len -= line.len > 0; /* its carriage return */
	return line;
}

static size_t count_lines(struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == '\n';
	return n;
}

/* Our own text: a request line, "Host: ...", fields, an empty line. */
int h2_request_fields(struct http_transfer *t, struct h2_field **ret, size_t *ret_n)
{
	struct str text = buf_str(&t->head_out);
	struct h2_field *fields = arena_alloc(&t->arena, (count_lines(text) + 4) * sizeof(*fields));
	char *names = arena_alloc(&t->arena, text.len); /* in lower case; all of them fit */
	size_t n = 4;

	if (!fields || !names)
		return -ERR_NO_MEMORY;
	struct str line = next_line(&text);
	fields[0] = (struct h2_field){ STR(":method"), str_split(&line, ' '), false };
	fields[1] = (struct h2_field){ STR(":scheme"), t->origin->is_tls ? STR("https") : STR("http"), false };
	fields[2] = (struct h2_field){ STR(":authority"), STR(""), false };
	fields[3] = (struct h2_field){ STR(":path"), str_split(&line, ' '), false };
	while ((line = next_line(&text)).len > 0) {
		struct str name = str_split(&line, ':'), value = str_trim(line);
		if (str_eq(name, STR("Host"))) {
			fields[2].value = value;
			continue;
		}
		if (is_of_connection(name) || str_eq_nocase(name, STR("te")))
			continue;
		fields[n] = (struct h2_field){ in_lower_case(names, name), value, false };
		fields[n].is_secret = is_secret(fields[n].name);
		names += name.len;
		n++;
	}
	*ret = fields;
	*ret_n = n;
	return 0;
}

/* ---- the answer ---- */

static bool refuse(struct http_transfer *t, enum http_error error, const char *why)
{
	transfer_fail(t, error, HTTP_AMBIGUOUS, "%s", why);
	return false;
}

void h2_block_begin(struct http_transfer *t)
{
	t->h2.has_status = t->h2.has_fields = false;
}

static bool take_pseudo(struct http_transfer *t, struct str name, struct str value)
{
	if (t->head == HEAD_COMPLETE)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a pseudo field among the trailers");
	if (!str_eq(name, STR(":status")))
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a pseudo field other than :status");
	if (t->h2.has_status)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "two fields :status");
	if (t->h2.has_fields)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a pseudo field behind others");
	t->h2.has_status = true;
	return head_take_status(t, value);
}

static bool has_upper_case(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z')
			return true;
	}
	return false;
}

bool h2_block_field(struct http_transfer *t, struct str name, struct str value)
{
	if (!head_count(t, name.len + value.len + FIELD_OVERHEAD))
		return false;
	if (name.len > 0 && name.ptr[0] == ':')
		return take_pseudo(t, name, value);
	t->h2.has_fields = true;
	if (has_upper_case(name))
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a field name in upper case");
	if (is_of_connection(name))
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a field that has no place in HTTP/2");
	if (t->head == HEAD_COMPLETE) { /* trailers are looked at, counted and left out */
		bool is_clean = header_is_token(name) && header_value_is_clean(value);
		return is_clean || refuse(t, HTTP_ERROR_BAD_RESPONSE, "a trailer that is no field");
	}
	if (!t->h2.has_status)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "the head does not begin with :status");
	return head_take_field(t, name, value);
}

bool h2_block_end(struct http_transfer *t, bool is_last)
{
	if (t->head == HEAD_COMPLETE)
		return is_last || refuse(t, HTTP_ERROR_BAD_RESPONSE, "a second head");
	if (!t->h2.has_status)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a head without :status");
	if (is_last && t->status < 200)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "the answer ended with an interim head");
	return head_take_end(t);
}

/* What is counted twice must agree (RFC 9113 8.1.1); too few bytes show at the end. */
bool h2_take_body(struct http_transfer *t, struct str bytes)
{
	if (t->head == HEAD_COMPLETE && !t->wants_body && bytes.len > 0)
		return refuse(t, HTTP_ERROR_BAD_FRAMING, "a body where there can be none");
	if (t->head == HEAD_COMPLETE && t->has_length && bytes.len > t->length - t->body_wire)
		return refuse(t, HTTP_ERROR_BAD_FRAMING, "the body is longer than its Content-Length");
	return head_take_body(t, bytes);
}
