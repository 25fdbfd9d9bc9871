/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the client know of each other:
 *
 *   client.c        the object: start, cancel, deadlines, delivery, the pool of handles
 *   client_setup.c  a request becomes the options of an easy handle
 *   client_multi.c  shards (CURLMs), their descriptors in one epoll set, drain()
 *   client_head.c   the header guard and the body's way in
 *   client_body.c   bodies in pieces and into sinks, pauses
 *   client_map.c    a CURLcode becomes an error and a certainty
 *   client_proxy.c  what a proxy between us and the server changes in all that
 */
#pragma once
#include "http/client.h"
#include "http/decode.h"
#include "http/h1_parse.h"

#include <curl/curl.h>

#define SHARD_TRANSFERS 64	    /* live transfers a CURLM carries well: it searches its connections linearly */
#define SHARDS_MAX 64		    /* shards of one client */
#define INTERIM_MAX 16		    /* 1xx answers before the final one */
#define SLOW_WINDOW 15000	    /* ms; an answer that brings less than ... */
#define SLOW_BYTES_PER_SECOND 100   /* ... in such a window is too slow */
#define IDLE_SHARD 60000	    /* ms without a transfer after which a shard's connections are closed */
#define KEEP_BODY_BYTES (64u << 10) /* body memory that a pooled transfer keeps */

struct h1;
struct h1_conn;
struct h1_origin;
struct url;

struct shard {
	struct http_client *client;
	CURLM *multi;
	char *proxy;	 /* proxy_key of its transfers, proxy_len bytes; NULL = they go without one */
	size_t proxy_len;
	size_t live;	 /* transfers added */
	size_t paused;	 /* of these */
	bool wants_kick; /* libcurl asked for "timeout now": never acted on inside its callback */
	bool is_dirty;	 /* in need of drain(); the client's soon is armed then */
	msec_t idle_since;
	struct loop_timer timer;
};

/* A descriptor of libcurl's, indexed by number. */
struct sock {
	struct shard *shard;
	uint32_t registered; /* with epoll */
	uint32_t wanted;
	bool is_ours;  /* from our open callback: its closing is announced, so registration may be lazy */
	bool is_plain; /* no TLS: bytes that arrive while it idles are nobody's */
};

struct http_client {
	struct loop *loop;
	struct http_client_config config;
	char *ca_file;
	int epoll_fd; /* of libcurl's tier */
	struct loop_fd *watch;
	struct sock *socks;
	size_t n_socks;
	struct shard *shards[SHARDS_MAX];
	size_t n_shards;
	struct loop_soon soon;
	struct loop_timer sweep; /* closes shards that nobody uses */
	struct list waiting;	 /* TRANSFER_WAITING: for a place among max_connections */
	struct list stillborn;	 /* TRANSFER_STILLBORN */
	struct list running;
	struct list idle; /* pool of handles */
	size_t n_running, n_live, n_idle, n_resumed;
	msec_t slow_window;
	struct h1 *h1;	    /* the own tier; NULL = not used yet */
	bool is_multi_open; /* libcurl's tier; else not used yet */
	bool is_closed;
};

#define TRANSFER_STATES(X) X(IDLE) X(WAITING) X(STILLBORN) X(RUNNING) X(DELIVERING)
enum transfer_state {
#define X(name) TRANSFER_##name,
	TRANSFER_STATES(X)
#undef X
};

enum head_state {
	HEAD_STATUS_LINE, /* a status line comes next */
	HEAD_FIELDS,
	HEAD_COMPLETE, /* the empty line of the final answer was seen; what still comes are trailers */
};

struct verdict {
	enum http_error error;
	enum http_certainty certainty;
};

/* What becomes of a transfer's HTTP/2 stream. */
enum h2_fate {
	H2_FATE_OPEN,
	H2_FATE_ANSWERED,  /* the answer has come to its end; whether it is whole is looked at on delivery */
	H2_FATE_REFUSED,   /* the transfer's refusal says why */
	H2_FATE_AGAIN,	   /* nothing of it has left: on another connection */
	H2_FATE_AGAIN_1_1, /* the server wants HTTP/1.1, and has done nothing */
};

/* A transfer's place in HTTP/2; offsets count the bytes that the session wrote before. */
struct h2_stream {
	struct list link; /* among those who wait at the origin, the session's streams, or those to be delivered */
	int32_t id;	  /* 0 = none */
	enum h2_fate fate;
	bool has_status, has_fields; /* of the block of fields that is being read */
	uint64_t from;		     /* where its HEADERS begin; UINT64_MAX = not written yet */
	uint64_t to;		     /* where its last frame ends; 0 = not written yet */
	unsigned moves;		     /* from one connection to another */
	size_t unread;		     /* bytes taken while paused, which the server's window does not have back yet */
};

/* What the handle is set to from its last use; an equal setting is not made again. */
struct applied {
	enum { METHOD_NONE, METHOD_GET, METHOD_HEAD, METHOD_POST } method;
	char custom[24]; /* CURLOPT_CUSTOMREQUEST, "" = none */
	msec_t connect_timeout;
	bool no_verify, fresh, forbid_reuse, has_proxy;
};

struct http_transfer {
	struct list link; /* in the client's list of its state */
	enum transfer_state state;
	struct http_client *client;
	struct shard *shard;
	CURL *easy; /* NULL until libcurl's tier needs it */
	struct applied applied;
	http_done *done;
	void *arg;
	struct arena arena; /* the request's copy, then the answer's fields */
	struct str body_out;
	const struct http_piece *pieces; /* or these */
	size_t n_pieces, piece;
	uint64_t piece_start, pieces_len; /* where in the body `piece` begins; of all */
	uint64_t read_at;		  /* libcurl's tier: how far it has read */
	struct curl_slist *lines;
	const char *url;
	msec_t connect_timeout;

	/* its proxy */
	const char *proxy_url;		/* NULL = none */
	struct curl_slist *proxy_lines; /* fields for the proxy alone */
	struct str proxy_key;		/* who may share connections with it; empty without proxy */
	bool is_tunnel;			/* the proxy was asked to CONNECT */
	int proxy_status;		/* of a refusal by the proxy; 0 = none */
	size_t proxy_calls;		/* of on_progress() without a step of the upload */
	curl_off_t proxy_uploaded;

	/* deadlines: one timer, set to whichever comes first */
	struct loop_timer deadline;
	msec_t first_byte_by, total_by, slow_from;
	size_t slow_mark; /* bytes that had arrived at slow_from */

	/* what is known of the conversation */
	int prereqs; /* times libcurl was about to send, or 1 = our socket took a byte: 0 = provably not sent */
	bool is_own; /* carried by the own tier */
	bool is_head_request, is_blocked, has_host_name;
	bool is_plain; /* no TLS on its socket */
	size_t arrived; /* all bytes of head and body */
	char ip[48];
	int port;

	/* the answer */
	enum head_state head;
	int status, interim;
	size_t head_bytes;
	struct str http_version;
	struct headers headers;
	bool has_length, has_coding_chunked, wants_body;
	uint64_t length; /* Content-Length */
	struct str content_coding;
	size_t codings;
	struct decoder *decoder;
	struct buf body;
	struct buf raw; /* a coded body before it was decoded, its beginning */
	size_t body_wire;
	size_t max_body;	/* decoded bytes, once the head is whole */
	struct http_sink *sink; /* NULL = none */
	size_t sunk;		/* bytes that it has taken */
	bool is_sunk, is_paused, is_resumed;
	msec_t paused_at;

	/* the own tier's */
	struct h1_conn *conn;
	struct h1_origin *origin;
	struct h1_parser parser;
	struct h2_stream h2;
	struct buf head_out; /* the request's head in HTTP/1.1; HTTP/2 takes its fields from there */
	size_t sent;	     /* bytes of head and body */
	bool wants_fresh, forbids_reuse, says_close, says_keep_alive;
	msec_t keep_alive; /* the server keeps an idle connection for so long; -1 = it did not say */
	uint64_t started_ns;
	struct http_timings marks;
	msec_t attempt_by; /* the step towards a connection that runs now must be over; 0 = none */

	/* a refusal of ours, made inside libcurl's callbacks */
	struct verdict refusal;
	struct err why;
	char curl_text[CURL_ERROR_SIZE];
};

/* client.c */
void transfer_deliver(struct http_transfer *t, struct verdict v, const char *detail);
void transfer_fail(struct http_transfer *t, enum http_error error, enum http_certainty certainty, const char *fmt, ...)
    PRINTF_LIKE(4, 5);						     /* remember a refusal; the first one stays */
void transfer_set_slow_window(struct http_client *c, msec_t window); /* for tests: 15 s are long */

int transfer_arm_deadline(struct http_transfer *t); /* after one of its times has changed; 0 or -ERR_NO_MEMORY */

/* client_body.c */
void transfer_take_pieces(struct http_transfer *t, const struct http_request *r);
/*
 * Some bytes of the pieces from `at` on, at most to the end of one: where they lie, or up to `n` of them read into
 * `scratch`. Empty at the end; -ERR_IO when a file cannot be read, t->refusal says so.
 */
int transfer_body_view(struct http_transfer *t, uint64_t at, char *scratch, size_t n, struct str *ret);
void transfer_ask_sink(struct http_transfer *t); /* at the end of the head */
bool transfer_sink_takes(struct http_transfer *t, struct str bytes);
/* As decoder_push(), into the sink; -ERR_STATE: t->refusal says why. */
int transfer_decode_into_sink(struct http_transfer *t, struct str wire);
void transfers_read_on(struct http_client *c); /* those that were resumed; may deliver */

/* client_setup.c */
int transfer_make_handle(struct http_transfer *t); /* 0 or -ERR_NO_MEMORY */
/* Copies the request into the transfer. -ERR_NO_MEMORY; anything else wrong with it becomes t->refusal. */
int transfer_copy_request(struct http_transfer *t, const struct http_request *r);
bool transfer_check_field(struct http_transfer *t, const struct header *h); /* false = refused */
int transfer_apply(struct http_transfer *t);				    /* the copied request onto the handle */

/* client_multi.c */
int multi_open(struct http_client *c, struct err *e);
void multi_close(struct http_client *c); /* stops watching; nothing is called any more */
void multi_bury(struct http_client *c);	 /* frees */
int multi_add(struct http_transfer *t);	 /* 0 or -code */
void multi_remove(struct http_transfer *t);
void multi_drain_dirty(struct http_client *c);
void multi_pause(struct http_transfer *t);
void multi_read_on(struct http_transfer *t);
curl_socket_t multi_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
int multi_close_socket(void *arg, curl_socket_t fd);

/* client_head.c */
size_t head_on_line(char *line, size_t size, size_t n, void *arg);
size_t head_on_body(char *bytes, size_t size, size_t n, void *arg);
bool head_take_line(struct http_transfer *t, struct str line); /* with its line feed; false = refused */
bool head_take_body(struct http_transfer *t, struct str bytes);
/* The same guard where the head comes in fields and not in lines (HTTP/2); each copies what it keeps. */
bool head_take_status(struct http_transfer *t, struct str value);
bool head_take_field(struct http_transfer *t, struct str name, struct str value);
bool head_take_end(struct http_transfer *t);
bool head_count(struct http_transfer *t, size_t bytes); /* towards the limit of a head; trailers count, too */
int head_on_prereq(void *arg, char *ip, char *local_ip, int port, int local_port);

/* client_proxy.c; all but the first do nothing for a transfer without proxy */
void proxy_set_conduct(CURL *h, const char *ca_file /* NULL = the system's */); /* once per handle */
/* Copies the proxy, whose address goes to *ret. -ERR_NO_MEMORY; anything else wrong with it becomes t->refusal. */
int proxy_copy(struct http_transfer *t, const struct http_proxy *proxy, const struct url *origin, struct url *ret);
int proxy_apply(struct http_transfer *t); /* onto the handle; 0 or -ERR_NO_MEMORY */
/* Did it end on the way to the server, and was it the proxy? Then t->refusal says so. `tls`: what `code` means as a TLS error. */
bool proxy_has_failed(struct http_transfer *t, CURLcode code, enum http_error tls);
bool proxy_keeps_waiting(struct http_transfer *t); /* no way to the server stands yet */
bool proxy_refuses(struct http_transfer *t); /* is this head, now complete, the proxy's 407? Then t->refusal says so. */

/* The own tier; see h1_int.h. */
int h1_open(struct http_client *c, struct err *e); /* sets c->h1 */
void h1_close(struct http_client *c);		   /* no callback after it */
void h1_bury(struct http_client *c);
int h1_find_origin(struct http_transfer *t, const struct url *u, const struct http_request *r);
int h1_write_head(struct http_transfer *t, const struct http_request *r, const struct url *u); /* 0 or -ERR_NO_MEMORY */
void h1_begin(struct http_transfer *t);							       /* may deliver */
void h1_drop(struct http_transfer *t); /* takes it from its connection, without a word */
void h1_forget(struct http_transfer *t);
void h1_pause(struct http_transfer *t);
void h1_read_on(struct http_transfer *t);      /* may deliver */
void h1_trim(struct http_client *c);	       /* idle connections beyond the limit */
void h1_attempt_over(struct http_transfer *t); /* may deliver */
void h2_turn(struct http_client *c);	       /* what HTTP/2 has gathered in this turn; delivers */

/* client_map.c */
struct verdict map_result(struct http_transfer *t, CURLcode code, const char **ret_detail);
