/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 (RFC 9113) in the own tier:
 *   h2_session.c  the one door to libnghttp2: bytes in, bytes out, streams that come to an end. No socket, no loop
 *   h2_fields.c   a request becomes fields; fields of an answer go through the guard
 *   h2_conn.c     sessions on connections: who waits for which, and what becomes of all streams when one ends
 */
#pragma once
#include "http/h1_int.h"

#define H2_SESSIONS 6		 /* connections of one origin that carry a session or are about to */
#define H2_STREAMS 100		 /* on one of them, if the server allows so many */
#define H2_MOVES 3		 /* of one transfer to another connection, none of which has taken a byte of it */
#define H2_OUT_BYTES (64u << 10) /* written ahead of the socket; a frame of 16 kB may come on top */
#define H2_IDLE_FRAMES 1000	 /* frames in a row that bring no transfer further (PING, SETTINGS, empty DATA ...) */
#define H2_ACKS 100		 /* of PING and SETTINGS that wait for the socket */
#define H2_STREAM_WINDOW (512 << 10) /* bytes of a body that may be on their way; a stream's ... */
#define H2_SESSION_WINDOW (2 << 20)  /* ... and all of a connection's */
#define H2_NOT_WRITTEN UINT64_MAX    /* h2_stream.from */

#define H2_CODES(X)                                                                                                    \
	X(NO_ERROR, 0x0)                                                                                               \
	X(PROTOCOL_ERROR, 0x1)                                                                                         \
	X(INTERNAL_ERROR, 0x2)                                                                                         \
	X(FLOW_CONTROL_ERROR, 0x3)                                                                                     \
	X(SETTINGS_TIMEOUT, 0x4)                                                                                       \
	X(STREAM_CLOSED, 0x5)                                                                                          \
	X(FRAME_SIZE_ERROR, 0x6)                                                                                       \
	X(REFUSED_STREAM, 0x7)                                                                                         \
	X(CANCEL, 0x8)                                                                                                 \
	X(COMPRESSION_ERROR, 0x9)                                                                                      \
	X(CONNECT_ERROR, 0xa)                                                                                          \
	X(ENHANCE_YOUR_CALM, 0xb)                                                                                      \
	X(INADEQUATE_SECURITY, 0xc)                                                                                    \
	X(HTTP_1_1_REQUIRED, 0xd)
enum h2_code { /* RFC 9113 7 */
#define X(name, number) H2_##name = (number),
	       H2_CODES(X)
#undef X
};

struct h2 {
	void *session;	      /* nghttp2_session */
	struct h1_conn *conn; /* whose session it is */
	struct list streams;  /* transfers whose answer is awaited, oldest first */
	struct list ended;    /* transfers whose fate is known, to be collected */
	struct list member;   /* among the origin's sessions */
	struct list dirty;    /* among the tier's connections that have something to say */
	unsigned n_pending;   /* streams whose HEADERS are not written yet */
	unsigned n_open;      /* streams that count towards the server's limit, those we have given up included */
	uint32_t limit;	      /* the server's MAX_CONCURRENT_STREAMS */
	struct buf out;	      /* written, and not taken by the socket yet */
	uint64_t out_from;    /* bytes that the socket has taken: the offset of out.ptr[0] */
	uint64_t reach;	      /* bytes of which some trace may have reached the socket */
	bool has_settings;    /* the server has said its first word */
	bool is_going;	      /* it will take no new stream (GOAWAY), or there are no numbers left */
	bool is_broken;	      /* over: a rule was broken, or memory is out; `error` and `why` say which */
	uint32_t going_code;
	unsigned idle_frames;
	enum http_error error;
	char why[160];
};

/* h2_session.c */
int h2_session_open(struct h2 *s); /* 0 or -ERR_NO_MEMORY; preface and SETTINGS are to be filled then */
void h2_session_done(struct h2 *s);
/* Opens a stream. 0; -ERR_NO_MEMORY; -ERR_LIMIT: the session has no numbers left, and is going. */
int h2_session_submit(struct h2 *s, struct http_transfer *t);
void h2_session_drop(struct h2 *s, struct http_transfer *t); /* the transfer leaves its stream, which is cancelled */
/* Bytes from the server. Transfers may have moved to `ended`. False = broken; what is to be said of it is to be filled.
 */
bool h2_session_recv(struct h2 *s, struct str bytes);
bool h2_session_fill(struct h2 *s); /* as much into `out` as may be written; false = broken, the last words are in it */
/* The socket took `taken` bytes of `out`; up to `reached` of them may have left a trace. */
void h2_session_sent(struct h2 *s, size_t taken, size_t reached);
unsigned h2_session_room(const struct h2 *s); /* streams that may be opened now */
/* The connection is gone for this reason: each stream is judged by what is known of it. */
void h2_session_end(struct h2 *s, enum http_error error, const char *why);
/* After a pause: what was withheld of the stream's window is given, and is to be filled. */
void h2_session_read_on(struct h2 *s, struct http_transfer *t);
void h2_session_bye(struct h2 *s); /* GOAWAY, to be filled */
const char *h2_code_name(uint32_t code);

/* h2_fields.c */
struct h2_field {
	struct str name, value;
	bool is_secret; /* never to be remembered by a compressor (RFC 7541 7.1.3) */
};
/* The request's fields, pseudo fields first, into the transfer's arena. 0 or -ERR_NO_MEMORY. */
int h2_request_fields(struct http_transfer *t, struct h2_field **ret, size_t *ret_n);
/* One block of fields of an answer: interim head, head or trailers. False = refused. */
void h2_block_begin(struct http_transfer *t);
bool h2_block_field(struct http_transfer *t, struct str name, struct str value);
bool h2_block_end(struct http_transfer *t, bool is_last); /* `is_last`: the stream ends with it */
bool h2_take_body(struct http_transfer *t, struct str bytes);

/* h2_conn.c */
bool h2_is_wanted(const struct h1_origin *o);
void h2_begin(struct http_transfer *t);		      /* a place in a session, now or when there is one */
void h2_read_on(struct http_transfer *t);	      /* after a pause */
void h2_drop(struct http_transfer *t);		      /* from wherever it waits or runs */
void h2_greet(struct h1_conn *c);		      /* HTTP/2 was agreed on; may refuse */
void h2_is_not_spoken(struct h1_conn *c);	      /* HTTP/1.1 was */
void h2_on_event(struct h1_conn *c, uint32_t events); /* delivers nothing but a greeting that failed */
void h2_share_refusal(struct h1_conn *c);	      /* what hinders this connection hinders those who wait for it */
void h2_leave(struct h1_conn *c);		      /* the connection closes */
