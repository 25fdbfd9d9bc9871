/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP client: one transfer, one object. The one door to libcurl. Promises (see http/README.md for how each is kept):
 * a request leaves at most once per transfer; an answer is complete or it is an error; content codings are decoded here with proof of
 * their end; limits count decoded bytes; redirects are never followed (the caller decides); no cookie jar, no netrc, and no proxy but the
 * request's (whatever http_proxy and no_proxy say in the environment).
 */
#pragma once
#include "base/buf.h"
#include "http/header.h"
#include "loop/loop.h"

struct http_client;
struct http_transfer;

/* How sure we are that the server did not act: the ground of every retry decision. */
enum http_certainty {
	HTTP_NOT_SENT,	/* provably not processed: any method may be repeated */
	HTTP_AMBIGUOUS, /* may have been processed */
	HTTP_ANSWERED,	/* a complete response was read */
};

#define HTTP_ERRORS(X)                                                                                                 \
	X(NONE, "none")                                                                                                \
	X(CONNECT_REFUSED, "connect_refused")                                                                          \
	X(CONNECT_TIMEOUT, "connect_timeout")                                                                          \
	X(CONNECT_FAILED, "connect_failed")                                                                            \
	X(DNS_NOT_FOUND, "dns_not_found")                                                                              \
	X(DNS_TEMPORARY, "dns_temporary")                                                                              \
	X(TLS_CERT, "tls_cert")                                                                                        \
	X(TLS_PROTOCOL, "tls_protocol")                                                                                \
	X(PROXY, "proxy_error")                                                                                        \
	X(CONNECTION_LOST, "connection_lost")                                                                          \
	X(SEND_FAILED, "send_failed")                                                                                  \
	X(BAD_RESPONSE, "bad_response")                                                                                \
	X(BAD_FRAMING, "bad_framing")                                                                                  \
	X(TRUNCATED, "truncated")                                                                                      \
	X(BAD_ENCODING, "bad_encoding")                                                                                \
	X(HEADERS_TOO_LARGE, "headers_too_large")                                                                      \
	X(TOO_LARGE, "too_large")                                                                                      \
	X(FIRST_BYTE_TIMEOUT, "first_byte_timeout")                                                                    \
	X(TOTAL_TIMEOUT, "total_timeout")                                                                              \
	X(TOO_SLOW, "too_slow")                                                                                        \
	X(REFUSED_STREAM, "refused_stream")                                                                            \
	X(ENHANCE_YOUR_CALM, "enhance_your_calm")                                                                      \
	X(BLOCKED_ADDRESS, "blocked_address")                                                                          \
	X(INVALID_REQUEST, "invalid_request")                                                                          \
	X(CANCELLED, "cancelled")                                                                                      \
	X(INTERNAL, "internal")

#define RAW_KEPT_BYTES (64u << 10) /* of a body whose coding is broken */

enum http_error {
#define X(name, text) HTTP_ERROR_##name,
	HTTP_ERRORS(X)
#undef X
};
const char *http_error_name(enum http_error error); /* "connect_refused" ... */

/*
 * What carries a transfer. The own tier is the stricter one, costs a third and speaks HTTP/2 for those who wish it; libcurl's speaks
 * HTTP/1.1. One client may use both; each is opened with its first transfer.
 */
enum http_tier {
	HTTP_TIER_DEFAULT, /* request: the client's; client: HTTP_TIER_H1 */
	HTTP_TIER_CURL,
	HTTP_TIER_H1,
};

/*
 * Which HTTP a request wants. With TLS the server chooses among what is offered (ALPN). HTTP/2 carries many transfers over few connections.
 * A server that answers HTTP_1_1_REQUIRED (RFC 9113 7) gets HTTP/1.1 whatever the wish.
 */
enum http_version_wish {
	HTTP_WISH_1_1,
	HTTP_WISH_2_OR_1_1, /* over plain http this is HTTP/1.1 */
	HTTP_WISH_2,	    /* over plain http with prior knowledge (RFC 9113 3.3) */
};

struct http_client_config {
	enum http_tier tier;	/* of requests that ask for none */
	size_t max_connections; /* 0 = 256 */
	size_t max_idle;	/* connections kept; 0 = 64 */
	const char *ca_file;	/* NULL = the system's bundle */
	/* May this address be connected to? NULL = yes. Called with the socket address really tried, once per
	 * connection. */
	bool (*may_connect)(void *arg, const void *sockaddr);
	void *may_connect_arg;
};

/*
 * Takes a body as it comes instead of having it gathered in memory. `wants` is asked once the head is whole; where it
 * says no, or there is none, the body is gathered. `take` gets decoded bytes, borrowed until it returns: true = go on.
 * After false the transfer ends with INTERNAL and the sentence in `e`, certainty AMBIGUOUS. Inside `take` http_pause()
 * may be called.
 */
struct http_sink {
	bool (*wants)(struct http_sink *sink, int status, const struct headers *headers);
	bool (*take)(struct http_sink *sink, struct str bytes, struct err *e);
	size_t max_body;      /* decoded bytes that it takes at most; 0 = HTTP_SINK_BODY_MAX */
	msec_t total_timeout; /* from the head on, pauses left out; 0 = HTTP_SINK_TIMEOUT */
};
#define HTTP_PIECES_MAX 2048
#define HTTP_SINK_BODY_MAX ((size_t)1 << 40)
#define HTTP_SINK_TIMEOUT ((msec_t)6 * 3600 * 1000)

/* A piece of a request's body: bytes, or a stretch of an open file that nobody changes. */
struct http_piece {
	struct str bytes; /* ptr NULL = of the file */
	int fd;
	uint64_t offset, len; /* of the file */
};
/* The way to a server leads through it. */
struct http_proxy {
	struct str url;		  /* as http_proxy_check() wants it; reached by TLS when https */
	struct str authorization; /* value of Proxy-Authorization, sent to the proxy alone; ptr NULL = none */
};
/* Is it the address of a proxy: http or https, host and port, nothing more? Else -ERR_INVALID with a sentence and the cure. */
int http_proxy_check(struct str url, struct err *e);

struct http_request {
	struct str method;	       /* token */
	struct str url;		       /* absolute http(s), already encoded; sent as is */
	const struct headers *headers; /* Content-Length, Host and Transfer-Encoding are ours to set */
	struct str body;	       /* ptr NULL = no body at all */
	const struct http_piece
	    *pieces;	 /* a body in pieces, instead of `body`; borrowed until the callback, and so are their files */
	size_t n_pieces; /* at most HTTP_PIECES_MAX */
	struct http_sink *sink;	   /* NULL = the body is gathered; else it outlives the transfer */
	msec_t connect_timeout;	   /* 0 = 10 s */
	msec_t first_byte_timeout; /* 0 = the total's */
	msec_t total_timeout;	   /* 0 = 30 s; always on */
	size_t max_body;	   /* decoded bytes; 0 = 10 MB */
	enum http_tier tier;
	const struct http_proxy *proxy; /* NULL = none. With one: libcurl's tier, HTTP/1.1, whatever `tier` says */
	enum http_version_wish http_version; /* libcurl's tier knows HTTP/1.1 alone */
	bool tls_no_verify; /* of the server; a proxy's certificate is always checked */
	bool fresh_connection; /* do not reuse a connection (needed nowhere for safety: a resend is prevented anyway) */
};

struct http_timings { /* microseconds since the start of the transfer; 0 = did not happen */
	uint32_t dns, connect, tls, sent, first_byte, total;
};

struct http_response {
	enum http_error error;
	enum http_certainty certainty;
	const char *detail; /* a sentence for people when error; borrowed until the callback returns */
	int status;	    /* 0 unless a complete head was read; of HTTP_ERROR_PROXY the proxy's own, 0 = it gave none */
	struct str http_version;   /* "1.1", "2" */
	const struct headers *headers; /* of the final response; borrowed until the callback returns */
	struct buf *body;   /* decoded, but as it came (RAW_KEPT_BYTES at most) for BAD_ENCODING; the callback may buf_take() it */
	bool was_sunk;		       /* the sink took the body, as far as it came */
	struct str decoded; /* BAD_ENCODING: what could be decoded: a look for secrets has to look here, too */
	size_t wire_bytes;
	bool is_close_delimited;
	struct http_timings timings;
	char peer[64]; /* address and port connected to: the proxy's if there is one */
};

typedef void http_done(void *arg, const struct http_response *response);

struct http_client *http_client_new(struct loop *l, const struct http_client_config *config, struct err *e);
void http_client_free(struct http_client *c); /* cancels what runs, without callbacks */
/* Start one transfer. Everything in `request` is copied except the body, borrowed until the callback. NULL only when
 * out of memory: any other trouble arrives in the callback. */
struct http_transfer *http_start(struct http_client *c, const struct http_request *request, http_done *done, void *arg,
				 struct err *e);
/*
 * A transfer whose sink took the body reads no more until http_resume(); what was read already still comes. Deadlines stand still
 * meanwhile. Both may be called at any time before the callback, and twice; elsewhere they do nothing.
 */
void http_pause(struct http_transfer *t);
void http_resume(struct http_transfer *t); /* from the loop, later */
void http_cancel(struct http_transfer *t); /* the callback will not run; whether the server acted is unknown */
size_t http_client_live(const struct http_client *c);
