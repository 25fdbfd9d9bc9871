/* SPDX-License-Identifier: Apache-2.0 */
/* A request under construction: shared by request.c, credential.c and shadow.c, gone when call_request_build() returns.
 */
#pragma once
#include "call/call_int.h"

/* One header on its way: what is sent, and what is shown when that differs. */
struct out_header {
	struct header header;
	struct str shown; /* ptr NULL = the value itself, masked by name and by value */
};

struct body_file;

struct build {
	const struct call_spec *s;
	struct secrets *secrets;
	struct call_files *files; /* NULL = none */
	struct arena *a;
	const struct value *rows; /* the mapped values; NULL = none */
	struct target *targets;	  /* where each goes */
	struct buf url, cookies, text, shown;
	struct out_header *headers;
	size_t n_headers, header_bytes;
	bool fixed_as_was;	  /* the spec's own headers stand at the front, none replaced */
	struct str shown_url;	  /* with an API key as *** */
	struct value members;	  /* of a body given by members */
	const struct value *body; /* NULL = none */
	struct str sent_body;	  /* what of it is in memory; ptr NULL = none */
	struct buf cuts;	  /* struct body_cut: the files in it */
	struct call_piece *pieces;
	size_t n_pieces;
	uint64_t body_bytes;		    /* of all of it */
	struct str shown_body;		    /* what people see in its place; ptr NULL = the same */
	const struct body_file *shown_file; /* the body is this file */
	const struct http_proxy *proxy;     /* NULL = none */
	bool body_is_bytes;		    /* people see its size */
};

/* A file that stands in the body before its byte `at`. */
struct body_cut {
	size_t at;
	struct str id;
	uint64_t len;
};

/* ---- request.c ---- */

int build_out_of_memory(struct err *e);
/* What a failed buffer means: "the URL is longer than ..." */
int build_buf_trouble(const struct buf *b, const char *what, struct err *e);
/* It has held a credential, or may have. */
void build_wipe(struct buf *b);
struct out_header *build_find_header(const struct build *b, struct str name);
/* Put or replace. `value` and `shown` live as long as the item. */
void build_set_header(struct build *b, struct str name, struct str value, struct str shown);
/* The text buffer's content, moved to the arena. */
int build_keep_text(struct build *b, struct str *ret, struct err *e);

/* ---- body.c, body_multipart.c, body_graphql.c ---- */

/* The bytes of a file: into `out`, or where it is named by an id a cut there. */
int build_put_file(struct build *b, struct buf *out, const struct body_file *f, struct err *e);
/* Write the mapped body and its Content-Type. */
int build_body(struct build *b, struct err *e);
int build_multipart(struct build *b, struct buf *out, struct str *ret_type, struct err *e);
/* The members of the body become the members of a GraphQL request. */
int build_graphql(struct build *b, struct err *e);

/* ---- credential.c ---- */

int build_secret_headers(struct build *b, struct err *e);
/* "Basic ..." in the arena (RFC 7617); its base64 is masked from now on. */
int build_basic(struct build *b, const struct call_text *username, const struct call_text *password, struct str *ret,
		struct err *e);
int build_credential(struct build *b, struct err *e);
/* Cookies mapped and secret, after those that the system itself fixed. Always shown as ***. */
int build_cookies(struct build *b, struct err *e);
int build_key(struct build *b, struct str key, struct err *e);

/* ---- proxy.c ---- */

int build_proxy(struct build *b, struct err *e); /* b->proxy, with its credentials */

/* ---- shadow.c ---- */

/* Write b->shown: the request as JSON with secrets as ***. */
void build_shadow(struct build *b);
