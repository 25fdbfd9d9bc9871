/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the own tier know of each other:
 *   h1_pool.c    origins, idle connections, the epoll set       h1_parse.c  bytes -> an answer, or a refusal
 *   h1_connect.c a connection until it stands                    h1_tls.c    the one door to libssl
 *   h1_conn.c    one that stands, from request to idle
 *   h1_dns.c     names by threads, with a short memory          h1_head.c   a request -> bytes
 * and of HTTP/2 (h2_int.h), which shares all but the parser.
 */
#pragma once
#include "http/client_int.h"
#include "http/url.h"

#include <netinet/in.h>

#define H1_ADDRESSES 8		     /* of one name that are tried */
#define H1_ORIGIN_BUCKETS 256	     /* a power of two */
#define H1_ORIGINS_KEPT 1024	     /* more than these: the unused ones are forgotten */
#define H1_IDLE_MAX 60000	     /* ms that a connection may idle */
#define H1_SWEEP_EVERY 15000	     /* ms */
#define H1_SCRATCH_BYTES (64u << 10) /* read at once, by all connections in turn */
#define H1_CHUNK_LINE_MAX 4096	     /* a chunk's size with its extensions */
#define H1_NAMES_KEPT 1024	     /* names remembered */
#define H1_NAME_FRESH 30000	     /* ms that they are believed */

union h1_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Where connections are alike: scheme, host, port, whether the certificate counts, and which HTTP is wished. */
struct h1_origin {
	struct list link; /* in its bucket */
	struct list idle; /* connections, the one used last at the end */
	/* HTTP/2's */
	enum http_version_wish wish;
	bool speaks_1_1;      /* the server chose HTTP/1.1 last time */
	bool needs_1_1;	      /* it has answered HTTP_1_1_REQUIRED: nothing else is offered any more */
	struct list sessions; /* connections that carry one, busy or not */
	struct list queue;    /* transfers that wait for a place in one */
	struct list look;     /* among the tier's hungry origins */
	size_t n_opening;     /* connections that may become sessions */
	size_t refs; /* by connections and transfers; with 0 it is kept for its session, until there are too many */
	uint32_t hash;
	uint16_t port;
	bool is_tls, no_verify, is_literal;
	union h1_address literal; /* the host, when it is an address */
	void *session;		  /* SSL_SESSION to resume, or NULL */
	size_t host_len;
	char host[]; /* lower case, terminated */
};

#define H1_STATES(X)                                                                                                   \
	X(RESOLVING) X(CONNECTING) X(HANDSHAKE) X(SENDING) X(RECEIVING) X(IDLE) X(GREETING) X(SESSION) X(CLOSED)
enum h1_state {
#define X(name) H1_##name,
	H1_STATES(X)
#undef X
};

struct h1_conn {
	struct list link; /* busy, and with HTTP/2 always: the tier's list; idle: the origin's */
	struct list age;  /* idle: the tier's, oldest first */
	struct list name; /* RESOLVING: among those who wait for the name */
	struct h1 *h1;
	struct h1_origin *origin;
	struct http_transfer *t; /* NULL when IDLE, SESSION or CLOSED */
	struct h2 *h2;		 /* NULL = HTTP/1.1, or not known yet */
	bool is_opening;	 /* others wait at the origin for what this one will become */
	enum h1_state state;
	int fd;
	uint32_t registered; /* with epoll */
	void *ssl;
	struct buf in;	      /* bytes that were no whole line yet */
	size_t wire_out;      /* bytes that the socket has taken, ever */
	size_t wire_mark;     /* ... before this request */
	size_t answers;	      /* complete so far; > 0 = a kept connection */
	bool has_send_failed; /* an answer may still be there to read */
	unsigned idle_turn;
	msec_t idle_since, connect_by;
	msec_t stale_after; /* ms of idling after which the server may be closing it; -1 = it did not say */
	/* the attempts */
	union h1_address addresses[H1_ADDRESSES];
	size_t n_addresses, next_address;
	int last_errno;
	char ip[48];
};

struct h1 {
	struct http_client *client;
	struct loop *loop;
	int epoll_fd;
	struct loop_fd *watch;
	unsigned turn; /* counts the looks at the epoll set */
	struct list buckets[H1_ORIGIN_BUCKETS];
	size_t n_origins;
	struct list busy, idle; /* connections; idle ones by age */
	size_t n_idle;
	struct list hungry;   /* HTTP/2: origins to be looked after, */
	struct list dirty;    /* connections with something to say, */
	struct list finished; /* and transfers to be delivered, at the end of the turn */
	struct list names;
	size_t n_names;
	struct loop_timer sweep;
	void *tls[2]; /* SSL_CTX: [0] verifies, [1] does not; made when first needed */
	char scratch[H1_SCRATCH_BYTES];
};

/* How a connection's bytes ended. */
enum h1_end {
	H1_END_NONE,  /* they have not: nothing to read just now */
	H1_END_CLEAN, /* FIN; with TLS after close_notify */
	H1_END_CUT,   /* FIN without close_notify */
	H1_END_RESET,
};

/* May HTTP/2 be offered? What the server makes of it is another matter. */
static inline bool h1_origin_may_h2(const struct h1_origin *o)
{
	return o->wish != HTTP_WISH_1_1 && !o->needs_1_1;
}

/* h1_pool.c */
/* A reference; NULL = no memory. */
struct h1_origin *h1_origin_get(struct h1 *h, const struct url *u, bool no_verify, enum http_version_wish wish);
void h1_origin_put(struct h1_origin *o);
void h1_idle_add(struct h1_conn *c);
void h1_idle_note(struct h1_conn *c); /* its age alone: for one that stays where it is */
int h1_watch(struct h1_conn *c, uint32_t events); /* 0 or -ERR_IO */

/* h1_conn.c */
struct h1_conn *h1_conn_new(struct http_transfer *t); /* not started; NULL = no memory */
void h1_conn_open(struct h1_conn *c);		      /* resolve, connect, ... */
void h1_conn_reuse(struct h1_conn *c, struct http_transfer *t);
bool h1_conn_is_clean(struct h1_conn *c); /* idle: neither at its end nor with bytes nobody asked for */
void h1_conn_on_event(struct h1_conn *c,
		      uint32_t events);		       /* may deliver: the connection is not to be touched after it */
void h1_conn_pause(struct h1_conn *c);
void h1_conn_read_on(struct h1_conn *c);	       /* after a pause; may deliver */
void h1_conn_on_resolved(struct h1_conn *c, int code); /* 0, or HTTP_ERROR_DNS_...; may deliver */
void h1_conn_on_attempt_over(struct h1_conn *c);       /* the time for this step is up; may deliver */
void h1_conn_close(struct h1_conn *c);		       /* its transfer, if any, is let go without a word */
void h1_conn_greet(struct h1_conn *c, bool is_over);   /* into GREETING; with `is_over` into SESSION */
void h1_conn_refuse(struct h1_conn *c, enum http_error error, const char *why); /* closes and delivers */
void h1_conn_move(struct h1_conn *c, enum h1_state to); /* the only writer of c->state */
void h1_conn_give_up(struct h1_conn *c); /* by the transfer's refusal: delivers */
void h1_conn_begin(struct h1_conn *c);	 /* HTTP/1.1 on a connection that stands: the request goes out */
ssize_t h1_conn_recv(struct h1_conn *c, char *to, size_t n, enum h1_end *ret_end); /* > 0, or 0 with how it ended */
ssize_t h1_conn_send(struct h1_conn *c, const char *bytes, size_t n); /* as send(); counts wire_out */
uint32_t h1_since_start(const struct http_transfer *t);		      /* microseconds, never 0 */

/* h1_connect.c */
void h1_conn_on_connect_event(struct h1_conn *c);
void h1_conn_shake_hands(struct h1_conn *c); /* TLS goes on */
void h1_conn_close_socket(struct h1_conn *c);

/* h1_dns.c */
/* 1 = c->addresses are filled; 0 = h1_conn_on_resolved() will be called; -1 = too many wait already, or no memory. */
int h1_resolve(struct h1_conn *c);
void h1_names_close(struct h1 *h); /* nothing is called any more; nobody waits for a thread */

/* h1_tls.c */
int h1_tls_open(struct h1_conn *c, struct err *e); /* 0 or -code */
/* 1 = it stands; 0 = wants *ret_events first; -1 = failed, verdict in the transfer's refusal. */
int h1_tls_handshake(struct h1_conn *c, uint32_t *ret_events);
ssize_t h1_tls_read(struct h1_conn *c, char *to, size_t n, enum h1_end *ret_end); /* > 0, or 0 with how it ended */
ssize_t h1_tls_write(struct h1_conn *c, const char *bytes, size_t n); /* as send(): -1 and errno, EAGAIN among them */
bool h1_tls_is_h2(struct h1_conn *c);	    /* what the server chose */
bool h1_tls_has_pending(struct h1_conn *c); /* bytes were read off the socket and not yet handed out */
void h1_tls_close(struct h1_conn *c);
void h1_tls_forget_session(struct h1_origin *o);
void h1_tls_free(struct h1 *h);
