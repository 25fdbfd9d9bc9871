/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard at the door: each line of an answer's head is looked at before libcurl's opinion of it counts, and each
 * byte of its body before it is kept. libcurl 7.88 is content with two lengths, "5abc", a carriage return inside a
 * value or a head cut in half; we are not.
 *
 * A callback that returns too little makes libcurl stop with CURLE_WRITE_ERROR; the reason waits in t->refusal.
 */
#include "http/client_int.h"

#include <string.h>

#define REFUSED ((size_t)0) /* shorter than any line or chunk */

/* What is wrong with an answer whose request was sent: ambiguous unless said otherwise. */
#define refuse(t, error, ...) (transfer_fail((t), (error), HTTP_AMBIGUOUS, __VA_ARGS__), REFUSED)

/* The three digits that `text` begins with; 0 when there are none, or less than 100. */
static int parse_status(struct str text)
{
	int status = 0;

	for (size_t i = 0; i < 3; i++) {
		if (i >= text.len || text.ptr[i] < '0' || text.ptr[i] > '9')
			return 0;
		status = status * 10 + (text.ptr[i] - '0');
	}
	return status >= 100 ? status : 0;
}

/* "HTTP/1.1 200 OK" */
static bool parse_status_line(struct http_transfer *t, struct str line)
{
	struct str version = str_split(&line, ' ');
	bool is_10 = str_eq(version, STR("HTTP/1.0"));

	if (!is_10 && !str_eq(version, STR("HTTP/1.1")))
		return false;
	if (line.len > 3 && line.ptr[3] != ' ')
		return false;
	t->http_version = is_10 ? STR("1.0") : STR("1.1");
	t->status = parse_status(line);
	return t->status != 0;
}

/* t->status is known: what was said before it, by an interim answer, no longer counts. */
static size_t begin_fields(struct http_transfer *t, size_t ok)
{
	if (t->status == 101)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "the server switched protocols unasked");
	if (t->status < 200 && ++t->interim > INTERIM_MAX)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "more than %d interim answers", INTERIM_MAX);
	t->headers.n = 0;
	t->headers.bytes = 0;
	t->has_length = t->has_coding_chunked = t->says_close = t->says_keep_alive = false;
	t->codings = 0;
	t->keep_alive = -1;
	t->head = HEAD_FIELDS;
	return ok;
}

static size_t on_status_line(struct http_transfer *t, struct str line, size_t ok)
{
	if (!parse_status_line(t, line)) {
		t->status = 0;
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "the status line makes no sense");
	}
	return begin_fields(t, ok);
}

/* Content-Length: digits, or the same digits several times (RFC 9112 6.3 rule 5). */
static bool take_length(struct http_transfer *t, struct str value)
{
	if (value.len == 0)
		return false;
	while (value.ptr) {
		uint64_t n = 0;
		if (num_parse_u64(str_trim(str_split(&value, ',')), &n) != 0 || n > INT64_MAX)
			return false;
		if (t->has_length && n != t->length)
			return false;
		t->has_length = true;
		t->length = n;
	}
	return true;
}

/* What an HTTP/1 connection is to become after this answer (RFC 9112 9.3); libcurl looks for itself. */
static void note_connection(struct http_transfer *t, struct str value)
{
	while (value.ptr) {
		struct str option = str_trim(str_split(&value, ','));
		t->says_close |= str_eq_nocase(option, STR("close"));
		t->says_keep_alive |= str_eq_nocase(option, STR("keep-alive"));
	}
}

/* "timeout=5, max=100": for how long the server keeps an idle connection (RFC 2068 19.7.1); seconds that are no number
 * say nothing. */
static void note_keep_alive(struct http_transfer *t, struct str value)
{
	uint64_t seconds = 0;

	while (value.ptr) {
		struct str parameter = str_split(&value, ',');
		struct str name = str_trim(str_split(&parameter, '='));
		if (str_eq_nocase(name, STR("timeout")) && num_parse_u64(str_trim(parameter), &seconds) == 0)
			t->keep_alive = seconds < 3600 ? (msec_t)seconds * 1000 : -1;
	}
}

/* Fields that decide where the body ends, or what it is. */
static size_t note_field(struct http_transfer *t, struct str name, struct str value, size_t ok)
{
	switch (name.len) {
	case sizeof("Connection") - 1:
		if (str_eq_nocase(name, STR("Connection")))
			note_connection(t, value);
		else if (str_eq_nocase(name, STR("Keep-Alive")))
			note_keep_alive(t, value);
		break;
	case sizeof("Content-Length") - 1:
		if (str_eq_nocase(name, STR("Content-Length")) && !take_length(t, value))
			return refuse(t, HTTP_ERROR_BAD_FRAMING, "Content-Length is not one number");
		break;
	case sizeof("Transfer-Encoding") - 1:
		if (!str_eq_nocase(name, STR("Transfer-Encoding")))
			break;
		if (!str_eq_nocase(value, STR("chunked")) || t->has_coding_chunked)
			return refuse(t, HTTP_ERROR_BAD_FRAMING, "a Transfer-Encoding other than chunked");
		t->has_coding_chunked = true;
		break;
	case sizeof("Content-Encoding") - 1:
		if (!str_eq_nocase(name, STR("Content-Encoding")) || value.len == 0 ||
		    str_eq_nocase(value, STR("identity")))
			break;
		t->codings++;
		t->content_coding = value;
		break;
	default:
		break;
	}
	return ok;
}

/* Name and value lie in our arena already. */
static int add_field(struct http_transfer *t, struct str name, struct str value)
{
	struct headers *h = &t->headers;

	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 16;
		struct header *items = arena_grow(&t->arena, h->items, h->cap * sizeof(*items), cap * sizeof(*items));
		if (!items)
			return -ERR_NO_MEMORY;
		h->items = items;
		h->cap = cap;
	}
	h->items[h->n++] = (struct header){ .name = name, .value = value };
	h->bytes += name.len + value.len;
	return 0;
}

static bool is_framing(struct str name)
{
	return str_eq_nocase(name, STR("Transfer-Encoding")) || str_eq_nocase(name, STR("Content-Length"));
}

/* obs-fold: the line continues the value before it; together they are one value with a space between (RFC 9112 5.2). */
static size_t on_folded_line(struct http_transfer *t, struct str line, size_t ok)
{
	if (t->headers.n == 0)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "the first field line is a continuation");
	struct header *last = &t->headers.items[t->headers.n - 1];
	if (is_framing(last->name))
		return refuse(t, HTTP_ERROR_BAD_FRAMING, "a folded field where the body's length may stand");
	if (last->value.len + line.len + 1 > HEADER_FIELD_MAX_BYTES)
		return refuse(t, HTTP_ERROR_HEADERS_TOO_LARGE, "a field is longer than %d bytes",
			      HEADER_FIELD_MAX_BYTES);
	struct str more = str_trim(line);
	char *both = arena_alloc(&t->arena, last->value.len + 1 + more.len);
	if (!both)
		return refuse(t, HTTP_ERROR_INTERNAL, "out of memory");
	memcpy(both, last->value.ptr, last->value.len);
	both[last->value.len] = ' ';
	memcpy(both + last->value.len + 1, more.ptr, more.len);
	last->value.ptr = both;
	last->value.len += 1 + more.len;
	t->headers.bytes += 1 + more.len;
	if (str_eq_nocase(last->name, STR("Content-Encoding"))) {
		t->content_coding = last->value;
		t->codings += t->codings == 0;
	}
	return ok;
}

static size_t on_field_line(struct http_transfer *t, struct str line, size_t ok)
{
	ptrdiff_t colon = str_find_char(line, ':');

	if (colon < 0)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a field line without a colon");
	if (t->headers.n >= HEADERS_MAX)
		return refuse(t, HTTP_ERROR_HEADERS_TOO_LARGE, "more than %d fields", HEADERS_MAX);
	char *copy = arena_alloc(&t->arena, line.len);
	if (!copy)
		return refuse(t, HTTP_ERROR_INTERNAL, "out of memory");
	memcpy(copy, line.ptr, line.len);
	struct str name =
	    str_trim(str_from(copy, (size_t)colon)); /* space before the colon is taken off (RFC 9112 5.1) */
	struct str value = str_trim(str_from(copy + colon + 1, line.len - (size_t)colon - 1));
	if (!header_is_token(name))
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a field name that is no token");
	if (name.len < (size_t)colon &&
	    is_framing(name)) /* libcurl does not know such a field, and would read on without it */
		return refuse(t, HTTP_ERROR_BAD_FRAMING, "a space between %.*s and its colon", STR_ARG(name));
	if (add_field(t, name, value) != 0)
		return refuse(t, HTTP_ERROR_INTERNAL, "out of memory");
	return note_field(t, name, value, ok);
}

static void forbid_reuse(struct http_transfer *t)
{
	t->forbids_reuse = true;
	if (!t->easy)
		return;
	(void)curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
	t->applied.forbid_reuse = true;
}

/* The empty line: from here on the status is believed. */
static size_t on_head_end(struct http_transfer *t, size_t ok)
{
	if (t->status < 200) {
		t->head = HEAD_STATUS_LINE;
		return ok;
	}
	if (proxy_refuses(t))
		return REFUSED;
	t->head = HEAD_COMPLETE;
	t->wants_body = !t->is_head_request && t->status != 204 && t->status != 304;
	/* Both lengths: chunked wins, and the connection is not trusted again (RFC 9112 6.3). So with a 204 that
	 * announces a body. */
	if (t->has_coding_chunked && t->has_length)
		forbid_reuse(t);
	if (t->status == 204 && (t->has_coding_chunked || (t->has_length && t->length > 0)))
		forbid_reuse(t);
	transfer_ask_sink(t);
	if (t->wants_body && t->has_length && !t->has_coding_chunked && t->codings == 0 && t->length > t->max_body) {
		transfer_fail(t, HTTP_ERROR_TOO_LARGE, HTTP_ANSWERED,
			      "a body of %llu bytes is announced, %zu are allowed", (unsigned long long)t->length,
			      t->max_body);
		return REFUSED;
	}
	return ok;
}

bool head_count(struct http_transfer *t, size_t bytes)
{
	t->head_bytes += bytes;
	if (t->head_bytes > HEADERS_MAX_BYTES)
		transfer_fail(t, HTTP_ERROR_HEADERS_TOO_LARGE, HTTP_AMBIGUOUS, "the head is longer than %d bytes",
			      HEADERS_MAX_BYTES);
	return t->head_bytes <= HEADERS_MAX_BYTES;
}

static size_t on_line(struct http_transfer *t, struct str line)
{
	size_t ok = line.len;

	if (!head_count(t, ok))
		return REFUSED;
	if (t->head == HEAD_COMPLETE)
		return ok; /* trailers are counted and left out */
	if (ok > HEADER_FIELD_MAX_BYTES)
		return refuse(t, HTTP_ERROR_HEADERS_TOO_LARGE, "a field is longer than %d bytes",
			      HEADER_FIELD_MAX_BYTES);
	if (line.len == 0 || line.ptr[line.len - 1] != '\n')
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a field line without an end");
	line.len -= line.len > 1 && line.ptr[line.len - 2] == '\r' ? 2 : 1;
	if (!header_value_is_clean(line))
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a carriage return or NUL inside the head");
	if (t->head == HEAD_STATUS_LINE)
		return on_status_line(t, line, ok);
	if (line.len == 0)
		return on_head_end(t, ok);
	if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
		return on_folded_line(t, line, ok);
	return on_field_line(t, line, ok);
}

size_t head_on_line(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;

	t->arrived += size * n;
	return on_line(t, str_from(bytes, size * n));
}

bool head_take_line(struct http_transfer *t, struct str line)
{
	return on_line(t, line) == line.len;
}

/* ---- a head without lines ---- */

bool head_take_status(struct http_transfer *t, struct str value)
{
	t->status = value.len == 3 ? parse_status(value) : 0;
	t->http_version = STR("2");
	if (t->status == 0)
		transfer_fail(t, HTTP_ERROR_BAD_RESPONSE, HTTP_AMBIGUOUS, "the status makes no sense");
	return t->status != 0 && begin_fields(t, 1) == 1;
}

bool head_take_field(struct http_transfer *t, struct str name, struct str value)
{
	char *copy;

	value = str_trim(value);
	if (name.len + value.len > HEADER_FIELD_MAX_BYTES)
		return refuse(t, HTTP_ERROR_HEADERS_TOO_LARGE, "a field is longer than %d bytes",
			      HEADER_FIELD_MAX_BYTES);
	if (t->headers.n >= HEADERS_MAX)
		return refuse(t, HTTP_ERROR_HEADERS_TOO_LARGE, "more than %d fields", HEADERS_MAX);
	if (!header_is_token(name))
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a field name that is no token");
	if (!header_value_is_clean(value))
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a line break or NUL inside a field");
	copy = arena_alloc(&t->arena, name.len + value.len + 1);
	if (!copy)
		return refuse(t, HTTP_ERROR_INTERNAL, "out of memory");
	memcpy(copy, name.ptr, name.len);
	if (value.len)
		memcpy(copy + name.len, value.ptr, value.len);
	name.ptr = copy;
	value.ptr = copy + name.len;
	if (add_field(t, name, value) != 0)
		return refuse(t, HTTP_ERROR_INTERNAL, "out of memory");
	return note_field(t, name, value, 1) == 1;
}

bool head_take_end(struct http_transfer *t)
{
	return on_head_end(t, 1) == 1;
}

/* ---- the body ---- */

static size_t body_failed(struct http_transfer *t, int code)
{
	if (code == -ERR_LIMIT) {
		t->body.failed = 0; /* what came before the limit is whole, and kept for people to look at */
		transfer_fail(t, HTTP_ERROR_TOO_LARGE, HTTP_ANSWERED, "the body is larger than %zu bytes", t->body.max);
		return REFUSED;
	}
	return refuse(t, HTTP_ERROR_INTERNAL, "out of memory");
}

/* For people, should the coding be broken. A failure to keep it fails nothing. */
static void keep_raw(struct http_transfer *t, struct str wire)
{
	size_t room = t->raw.max - t->raw.len;

	if (buf_append(&t->raw, wire.ptr, wire.len < room ? wire.len : room) != 0)
		buf_done(&t->raw);
}

static size_t decode_body(struct http_transfer *t, struct str wire)
{
	int code = 0;

	keep_raw(t, wire);
	if (!t->decoder && t->codings > 1)
		return refuse(t, HTTP_ERROR_BAD_ENCODING, "more than one content coding");
	if (!t->decoder)
		code = decoder_new(&t->decoder, t->content_coding, t->max_body, &t->why);
	if (!code && t->is_sunk)
		code = transfer_decode_into_sink(t, wire);
	else if (!code)
		code = decoder_push(t->decoder, wire, &t->body, &t->why);
	if (!code)
		return wire.len;
	if (code == -ERR_STATE)
		return REFUSED;
	if (code == -ERR_LIMIT)
		t->refusal = (struct verdict){ HTTP_ERROR_TOO_LARGE, HTTP_ANSWERED };
	else
		t->refusal = (struct verdict){ code == -ERR_NO_MEMORY ? HTTP_ERROR_INTERNAL : HTTP_ERROR_BAD_ENCODING,
					       HTTP_AMBIGUOUS };
	return REFUSED; /* the decoder has written why */
}

static size_t on_body(struct http_transfer *t, const char *bytes, size_t len)
{
	t->body_wire += len;
	if (t->head != HEAD_COMPLETE)
		return refuse(t, HTTP_ERROR_BAD_RESPONSE, "a body before the end of the head");
	if (len == 0)
		return 0;
	if (t->codings > 0)
		return decode_body(t, str_from(bytes, len));
	if (t->is_sunk)
		return transfer_sink_takes(t, str_from(bytes, len)) ? len : REFUSED;
	int code = buf_append(&t->body, bytes, len);
	return code ? body_failed(t, code) : len;
}

size_t head_on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;

	t->arrived += size * n;
	return on_body(t, bytes, size * n);
}

bool head_take_body(struct http_transfer *t, struct str bytes)
{
	return on_body(t, bytes.ptr, bytes.len) == bytes.len;
}

/*
 * Called when the connection stands and the request is about to be written. A second time in one transfer means that
 * libcurl found a kept connection dead and is about to send the same request again, POST or not, without asking
 * (Curl_retry_request looks at the connection, never at the method). Whether the first one was processed is for the
 * caller to weigh, so it ends here.
 */
int head_on_prereq(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct http_transfer *t = arg;

	if (++t->prereqs > 1)
		return CURL_PREREQFUNC_ABORT;
	size_t n = strnlen(ip, sizeof(t->ip) - 1);
	memcpy(t->ip, ip, n);
	t->ip[n] = 0;
	t->port = port;
	return CURL_PREREQFUNC_OK;
}
