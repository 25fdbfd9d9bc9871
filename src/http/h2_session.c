/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/2 session, and the one door to libnghttp2: frames, HPACK, flow control and the order of things on a
 * connection are its; what an answer may say is ours (its checks of messages are off: it would leave out fields that we
 * refuse, and name no reason). Nothing is delivered here: a transfer whose stream has come to an end goes to `ended`,
 * with its fate, and is collected when libnghttp2 has returned.
 *
 * Certainty: a stream is as good as sent once a byte of its HEADERS may have reached the socket. `from` is the offset
 * of that byte in all that the session has written, and the session knows how far the socket has come.
 */
#include "http/h2_int.h"
#include "base/alloc.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES (640u << 10) /* a request's head as libnghttp2 counts it; the client's own limit is below */
#define FIELD_OVERHEAD 32	/* in MAX_HEADER_LIST_SIZE (RFC 9113 6.5.2) */

const char *h2_code_name(uint32_t code)
{
	static const char *const names[] = {
#define X(name, number) [number] = #name,
		H2_CODES(X)
#undef X
	};
	return code < ARRAY_LEN(names) ? names[code] : "an unknown code";
}

/* ---- the end of streams ---- */

static struct http_transfer *transfer_of(struct h2 *s, int32_t id)
{
	return nghttp2_session_get_stream_user_data(s->session, id);
}

/* The transfer leaves its stream; what still comes for it is ignored. */
static void stream_leave(struct h2 *s, struct http_transfer *t, enum h2_fate fate)
{
	(void)nghttp2_session_set_stream_user_data(s->session, t->h2.id, NULL);
	t->h2.fate = fate;
	list_remove(&t->h2.link);
	list_add_last(&s->ended, &t->h2.link);
}

/* The answer is refused by us: t->refusal says why. */
static void stream_refuse(struct h2 *s, struct http_transfer *t)
{
	bool breaks_rules = t->refusal.error == HTTP_ERROR_BAD_RESPONSE || t->refusal.error == HTTP_ERROR_BAD_FRAMING;

	(void)nghttp2_submit_rst_stream(s->session, NGHTTP2_FLAG_NONE, t->h2.id,
					breaks_rules ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_CANCEL);
	stream_leave(s, t, H2_FATE_REFUSED);
}

static void stream_answered(struct h2 *s, struct http_transfer *t)
{
	if (t->h2.to == 0) /* an answer to half a request is one, and the other half is not wanted (RFC 9113 8.1) */
		(void)nghttp2_submit_rst_stream(s->session, NGHTTP2_FLAG_NONE, t->h2.id, NGHTTP2_CANCEL);
	stream_leave(s, t, H2_FATE_ANSWERED);
}

/* No byte of it has left, or the server swears that it has done nothing. */
static void stream_again(struct h2 *s, struct http_transfer *t, enum h2_fate fate)
{
	t->prereqs = 0;
	stream_leave(s, t, fate);
}

static void stream_lost(struct h2 *s, struct http_transfer *t, enum http_error error, const char *why)
{
	if (error == HTTP_ERROR_CONNECTION_LOST && t->head == HEAD_COMPLETE)
		error = HTTP_ERROR_TRUNCATED;
	transfer_fail(t, error, t->prereqs ? HTTP_AMBIGUOUS : HTTP_NOT_SENT, "%s", why);
	stream_leave(s, t, H2_FATE_REFUSED);
}

/* The server says that it has not processed the stream. Whoever has begun to answer says otherwise. */
static void stream_unprocessed(struct h2 *s, struct http_transfer *t, uint32_t code)
{
	if (!t->prereqs) {
		stream_again(s, t, H2_FATE_AGAIN);
	} else if (code == H2_HTTP_1_1_REQUIRED) {
		stream_again(s, t, H2_FATE_AGAIN_1_1);
	} else {
		bool is_calm = code == H2_ENHANCE_YOUR_CALM;
		transfer_fail(
		    t, is_calm ? HTTP_ERROR_ENHANCE_YOUR_CALM : HTTP_ERROR_REFUSED_STREAM, HTTP_NOT_SENT, "%s",
		    is_calm ? "the server wants fewer calls and has not processed this one (ENHANCE_YOUR_CALM)"
			    : "the server has refused the stream and not processed it");
		stream_leave(s, t, H2_FATE_REFUSED);
	}
}

/* RST_STREAM, or a GOAWAY that leaves the stream out, which libnghttp2 tells as REFUSED_STREAM. */
static void stream_reset(struct h2 *s, struct http_transfer *t, uint32_t code)
{
	bool has_begun = t->arrived > 0;
	char why[96];

	if (code == H2_REFUSED_STREAM && !has_begun) {
		stream_unprocessed(s, t, s->is_going ? s->going_code : code);
	} else if (code == H2_HTTP_1_1_REQUIRED && !has_begun) {
		stream_unprocessed(s, t, code);
	} else {
		(void)snprintf(why, sizeof(why), "the server reset the stream: %s", h2_code_name(code));
		stream_lost(s, t,
			    code == H2_ENHANCE_YOUR_CALM ? HTTP_ERROR_ENHANCE_YOUR_CALM : HTTP_ERROR_CONNECTION_LOST,
			    why);
	}
}

void h2_session_end(struct h2 *s, enum http_error error, const char *why)
{
	bool is_calm = s->is_going && s->going_code == H2_ENHANCE_YOUR_CALM;

	LIST_FOREACH (node, &s->streams) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		if (!t->prereqs)
			stream_again(s, t, H2_FATE_AGAIN);
		else if (is_calm)
			stream_lost(s, t, HTTP_ERROR_ENHANCE_YOUR_CALM,
				    "the server wants fewer calls and closed the connection (ENHANCE_YOUR_CALM)");
		else
			stream_lost(s, t, error, why);
	}
}

/* ---- what arrives ---- */

static void session_breaks(struct h2 *s, enum http_error error, const char *why)
{
	if (s->is_broken)
		return;
	s->is_broken = true;
	s->error = error;
	(void)snprintf(s->why, sizeof(s->why), "%s", why);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct h2 *s = arg;

	if (++s->idle_frames <= H2_IDLE_FRAMES || s->is_broken)
		return 0;
	session_breaks(s, HTTP_ERROR_BAD_RESPONSE, "the server sent more frames without progress than it may");
	(void)nghttp2_session_terminate_session(session, NGHTTP2_ENHANCE_YOUR_CALM);
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct http_transfer *t = transfer_of(arg, f->hd.stream_id);

	if (!t || f->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (t->arrived == 0)
		t->marks.first_byte = h1_since_start(t);
	t->arrived += f->hd.length + 1;
	h2_block_begin(t);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *f, const uint8_t *name, size_t n_name,
		     const uint8_t *value, size_t n_value, uint8_t flags, void *arg)
{
	struct http_transfer *t = transfer_of(arg, f->hd.stream_id);

	if (!t || f->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (!h2_block_field(t, str_from((const char *)name, n_name), str_from((const char *)value, n_value)))
		stream_refuse(arg, t);
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t n, void *arg)
{
	struct h2 *s = arg;
	struct http_transfer *t = transfer_of(s, id);

	/* The other streams go on whatever this one does: only its own window stays shut while it is paused. */
	(void)nghttp2_session_consume_connection(session, n);
	if (!t) {
		(void)nghttp2_session_consume_stream(session, id, n);
		return 0;
	}
	s->idle_frames = 0;
	t->arrived += n;
	bool is_taken = h2_take_body(t, str_from((const char *)bytes, n));
	if (t->is_paused)
		t->h2.unread += n;
	else
		(void)nghttp2_session_consume_stream(session, id, n);
	if (!is_taken)
		stream_refuse(s, t);
	return 0;
}

void h2_session_read_on(struct h2 *s, struct http_transfer *t)
{
	if (t->h2.fate == H2_FATE_OPEN && t->h2.unread)
		(void)nghttp2_session_consume_stream(s->session, t->h2.id, t->h2.unread);
	t->h2.unread = 0;
}

static void on_settings(struct h2 *s)
{
	s->has_settings = true;
	s->limit = nghttp2_session_get_remote_settings(s->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* A whole frame; of HEADERS and DATA those that a stream may end with. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2 *s = arg;
	bool is_last = f->hd.flags & NGHTTP2_FLAG_END_STREAM;
	struct http_transfer *t;

	switch (f->hd.type) {
	case NGHTTP2_SETTINGS:
		if (!(f->hd.flags & NGHTTP2_FLAG_ACK))
			on_settings(s);
		break;
	case NGHTTP2_GOAWAY: /* streams beyond the last one are closed after this, each by on_stream_close() */
		s->is_going = true;
		s->going_code = f->goaway.error_code;
		break;
	case NGHTTP2_HEADERS:
		t = transfer_of(s, f->hd.stream_id);
		if (!t)
			break;
		s->idle_frames = 0;
		if (!h2_block_end(t, is_last))
			stream_refuse(s, t);
		else if (is_last)
			stream_answered(s, t);
		break;
	case NGHTTP2_DATA:
		t = transfer_of(s, f->hd.stream_id);
		if (t && is_last && t->head != HEAD_COMPLETE) {
			transfer_fail(t, HTTP_ERROR_BAD_RESPONSE, HTTP_AMBIGUOUS, "a body before the end of the head");
			stream_refuse(s, t);
		} else if (t && is_last) {
			stream_answered(s, t);
		}
		break;
	default:
		break;
	}
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct h2 *s = arg;
	struct http_transfer *t = transfer_of(s, id);

	s->n_open--;
	if (t)
		stream_reset(s, t, code);
	return 0;
}

/* ---- what leaves ---- */

static uint64_t written(const struct h2 *s)
{
	return s->out_from + s->out.len;
}

/* Everything before this frame is in `out` already. */
static int on_before_send(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2 *s = arg;
	struct http_transfer *t = f->hd.stream_id ? transfer_of(s, f->hd.stream_id) : NULL;
	char why[sizeof(s->why)];

	switch (f->hd.type) {
	case NGHTTP2_HEADERS:
		s->n_pending--;
		s->n_open++;
		if (t)
			t->h2.from = written(s);
		break;
	case NGHTTP2_DATA:
		s->idle_frames = 0;
		break;
	case NGHTTP2_RST_STREAM: /* ours have left their transfer before: this one is libnghttp2's opinion */
		if (!t)
			break;
		(void)snprintf(why, sizeof(why), "the server broke a rule of HTTP/2 on this stream: %s",
			       h2_code_name(f->rst_stream.error_code));
		transfer_fail(t, HTTP_ERROR_BAD_RESPONSE, HTTP_AMBIGUOUS, "%s", why);
		stream_leave(s, t, H2_FATE_REFUSED);
		break;
	case NGHTTP2_GOAWAY:
		if (f->goaway.error_code == NGHTTP2_NO_ERROR)
			break;
		(void)snprintf(why, sizeof(why), "the server broke the rules of HTTP/2: %s, %.*s",
			       h2_code_name(f->goaway.error_code), (int)f->goaway.opaque_data_len,
			       f->goaway.opaque_data_len ? (const char *)f->goaway.opaque_data : "");
		session_breaks(s, HTTP_ERROR_BAD_RESPONSE, why);
		break;
	default:
		break;
	}
	return 0;
}

static int on_sent(nghttp2_session *session, const nghttp2_frame *f, void *arg)
{
	struct h2 *s = arg;
	struct http_transfer *t;

	if ((f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	t = transfer_of(s, f->hd.stream_id);
	if (t)
		t->h2.to = written(s);
	return 0;
}

/* A request that libnghttp2 will not write: the server leaves, or the head is more than it can take. */
static int on_not_sent(nghttp2_session *session, const nghttp2_frame *f, int code, void *arg)
{
	struct h2 *s = arg;

	if (f->hd.type != NGHTTP2_HEADERS)
		return 0;
	s->n_pending--;
	if (nghttp2_session_find_stream(session, f->hd.stream_id))
		s->n_open++; /* it was opened before it was refused, and will be told closed */
	LIST_FOREACH (node, &s->streams) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		if (t->h2.id != f->hd.stream_id)
			continue;
		if (code == NGHTTP2_ERR_FRAME_SIZE_ERROR)
			stream_lost(s, t, HTTP_ERROR_INVALID_REQUEST, "the request's head is too long for HTTP/2");
		else
			stream_again(s, t, H2_FATE_AGAIN);
	}
	return 0;
}

static uint64_t body_len(const struct http_transfer *t)
{
	return t->n_pieces ? t->pieces_len : t->body_out.len;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
			 nghttp2_data_source *source, void *arg)
{
	struct http_transfer *t = transfer_of(arg, id);

	if (!t)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	struct str bytes = t->n_pieces ? STR_NULL : str_from(t->body_out.ptr + t->sent, t->body_out.len - t->sent);
	if (t->n_pieces && transfer_body_view(t, t->sent, (char *)to, n, &bytes) != 0) {
		stream_refuse(arg, t);
		return NGHTTP2_ERR_DEFERRED; /* until its end, which is queued */
	}
	if (bytes.len > n)
		bytes.len = n;
	if (bytes.ptr != (char *)to && bytes.len)
		memcpy(to, bytes.ptr, bytes.len);
	t->sent += bytes.len;
	if (t->sent == body_len(t))
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)bytes.len;
}

bool h2_session_recv(struct h2 *s, struct str bytes)
{
	ssize_t n = nghttp2_session_mem_recv(s->session, (const uint8_t *)bytes.ptr, bytes.len);

	if (n == NGHTTP2_ERR_NOMEM)
		session_breaks(s, HTTP_ERROR_INTERNAL, "out of memory");
	else if (n < 0)
		session_breaks(s, HTTP_ERROR_BAD_RESPONSE, nghttp2_strerror((int)n));
	return !s->is_broken;
}

bool h2_session_fill(struct h2 *s)
{
	while (s->out.len < H2_OUT_BYTES) {
		const uint8_t *bytes;
		ssize_t n = nghttp2_session_mem_send(s->session, &bytes);
		if (n == 0)
			break;
		if (n < 0 || buf_append(&s->out, bytes, (size_t)n) != 0) {
			session_breaks(s, HTTP_ERROR_INTERNAL, "out of memory");
			break;
		}
	}
	return !s->is_broken;
}

void h2_session_sent(struct h2 *s, size_t taken, size_t reached)
{
	if (s->reach < s->out_from + reached)
		s->reach = s->out_from + reached;
	s->out_from += taken;
	buf_consume(&s->out, taken);
	LIST_FOREACH (node, &s->streams) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, h2.link);
		if (t->h2.from < s->reach)
			t->prereqs = 1;
		if (t->marks.sent == 0 && t->h2.to && t->h2.to <= s->out_from)
			t->marks.sent = h1_since_start(t);
	}
}

/* ---- life ---- */

static void *on_malloc(size_t n, void *arg)
{
	return alloc_malloc(n);
}

static void on_free(void *p, void *arg)
{
	free(p);
}

static void *on_calloc(size_t count, size_t size, void *arg)
{
	return alloc_calloc(count, size);
}

static void *on_realloc(void *p, size_t n, void *arg)
{
	return alloc_realloc(p, n);
}

static void set_callbacks(nghttp2_session_callbacks *c)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(c, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
	nghttp2_session_callbacks_set_before_frame_send_callback(c, on_before_send);
	nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
	nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_not_sent);
}

static void set_options(nghttp2_option *o)
{
	nghttp2_option_set_no_http_messaging(o, 1);
	nghttp2_option_set_no_auto_window_update(o, 1); /* a window opens when its bytes have found a place */
	nghttp2_option_set_no_closed_streams(o, 1);
	nghttp2_option_set_max_outbound_ack(o, H2_ACKS);
	nghttp2_option_set_max_send_header_block_length(o, HEAD_BYTES);
}

static int make_session(struct h2 *s)
{
	static nghttp2_mem mem = { NULL, on_malloc, on_free, on_calloc, on_realloc };
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	nghttp2_session *session = NULL;

	if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
		set_callbacks(callbacks);
		set_options(option);
		(void)nghttp2_session_client_new3(&session, callbacks, s, option, &mem);
	}
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	s->session = session;
	return session ? 0 : -ERR_NO_MEMORY;
}

int h2_session_open(struct h2 *s)
{
	static const nghttp2_settings_entry ours[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HEADERS_MAX_BYTES + HEADERS_MAX * FIELD_OVERHEAD },
	};

	list_init(&s->streams);
	list_init(&s->ended);
	list_init(&s->member);
	list_init(&s->dirty);
	buf_init(&s->out, H2_OUT_BYTES + (32u << 10));
	if (make_session(s) != 0)
		return -ERR_NO_MEMORY;
	if (nghttp2_submit_settings(s->session, NGHTTP2_FLAG_NONE, ours, ARRAY_LEN(ours)) != 0 ||
	    nghttp2_session_set_local_window_size(s->session, NGHTTP2_FLAG_NONE, 0, H2_SESSION_WINDOW) != 0)
		return -ERR_NO_MEMORY;
	return 0;
}

void h2_session_done(struct h2 *s)
{
	if (s->session)
		nghttp2_session_del(s->session);
	s->session = NULL;
	list_remove(&s->member);
	list_remove(&s->dirty);
	buf_done(&s->out);
}

unsigned h2_session_room(const struct h2 *s)
{
	unsigned most = s->limit < H2_STREAMS ? s->limit : H2_STREAMS, used = s->n_open + s->n_pending;

	return s->is_going || s->is_broken || !s->has_settings || used >= most ? 0 : most - used;
}

int h2_session_submit(struct h2 *s, struct http_transfer *t)
{
	nghttp2_data_provider body = { .read_callback = read_body };
	struct h2_field *fields;
	size_t n;

	if (h2_request_fields(t, &fields, &n) != 0)
		return -ERR_NO_MEMORY;
	nghttp2_nv *nv = arena_alloc(&t->arena, n * sizeof(*nv));
	if (!nv)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < n; i++)
		nv[i] = (nghttp2_nv){
			.name = (uint8_t *)(uintptr_t)fields[i].name.ptr,
			.namelen = fields[i].name.len,
			.value = (uint8_t *)(uintptr_t)fields[i].value.ptr,
			.valuelen = fields[i].value.len,
			.flags = fields[i].is_secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE,
		};
	int32_t id = nghttp2_submit_request(s->session, NULL, nv, n, body_len(t) ? &body : NULL, t);
	if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
		s->is_going = true;
		return -ERR_LIMIT;
	}
	if (id < 0)
		return -ERR_NO_MEMORY;
	t->h2.id = id;
	t->h2.fate = H2_FATE_OPEN;
	t->h2.from = H2_NOT_WRITTEN;
	t->h2.to = 0;
	t->h2.unread = 0;
	t->sent = 0;
	s->n_pending++;
	list_remove(&t->h2.link);
	list_add_last(&s->streams, &t->h2.link);
	return 0;
}

void h2_session_drop(struct h2 *s, struct http_transfer *t)
{
	bool is_open = t->h2.fate == H2_FATE_OPEN;

	list_remove(&t->h2.link);
	if (!is_open)
		return;
	(void)nghttp2_session_set_stream_user_data(s->session, t->h2.id, NULL);
	(void)nghttp2_submit_rst_stream(s->session, NGHTTP2_FLAG_NONE, t->h2.id, NGHTTP2_CANCEL);
}

void h2_session_bye(struct h2 *s)
{
	(void)nghttp2_session_terminate_session(s->session, NGHTTP2_NO_ERROR);
}
