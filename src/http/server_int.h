/* SPDX-License-Identifier: Apache-2.0 */
/* What server.c (connections, the daemon on the loop) and exchange.c (one request and its answer) know of each other.
 */
#pragma once
#include "http/server.h"

#include <microhttpd.h>

#define POOLED_EXCHANGES 256 /* kept for reuse per server */

struct peer { /* one connection */
	struct list link;
	struct http_server *server;
	int fd;
	msec_t since; /* when it began to wait for a head, send a body or take an answer */
	size_t bytes; /* of the body received, or of the answer, since then */
	bool is_busy; /* a whole request is ours: no clock runs against the client */
	bool has_head;
};

struct http_server {
	struct loop *loop;
	struct http_server_config config;
	struct MHD_Daemon *daemon;
	struct loop_fd *watch;
	struct loop_timer timer; /* libmicrohttpd's next timeout */
	struct loop_timer sweep; /* the slow are shown out */
	struct loop_soon soon;	 /* something was resumed: run the daemon before sleeping */
	struct list peers;
	struct list exchanges; /* all that libmicrohttpd knows */
	struct list pool;
	size_t n_pool;
	uint16_t port;
	bool is_stopping, is_closed, is_running;
};

#define EXCHANGE_STATES(X) X(READING) X(ASKED) X(ANSWERED)
enum exchange_state {
#define X(name) EXCHANGE_##name,
	EXCHANGE_STATES(X)
#undef X
};

struct http_exchange {
	struct list link;
	struct http_server *server; /* NULL: the server was closed, or libmicrohttpd is done with it */
	struct loop *loop;
	struct MHD_Connection *connection; /* NULL as above */
	struct peer *peer;
	enum exchange_state state;
	bool is_suspended, has_head, is_dropped;
	struct arena arena;
	struct str method, path, query;
	struct headers headers;
	struct buf body;
	size_t discarded; /* bytes of a body over the limit */
	int refusal;	  /* status that we answer by ourselves; 0 = the owner is asked */
	struct MHD_Response *response;
	int status;
	void (*on_gone)(void *arg);
	void *on_gone_arg;
	struct loop_fd *gone_watch; /* a suspended connection is nobody's to poll: we look whether the client leaves */
};

/* exchange.c */
void *exchange_on_uri(void *arg, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_on_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
				   const char *version, const char *upload, size_t *upload_size, void **slot);
void exchange_on_completed(void *arg, struct MHD_Connection *connection, void **slot,
			   enum MHD_RequestTerminationCode why);
void exchange_free(struct http_exchange *x);
void exchange_wake(struct http_exchange *x); /* resume, if suspended */
