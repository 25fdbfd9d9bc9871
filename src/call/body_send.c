/* SPDX-License-Identifier: Apache-2.0 */
/* A body with files in it on its way out: what was named when the request was built is opened for one sending. */
#include "call/call_int.h"

uint64_t call_request_bytes(const struct call_request *r)
{
	uint64_t n = r->body.len;
	for (size_t i = 0; i < r->n_pieces; i++)
		n += r->pieces[i].len;
	return n;
}

msec_t call_total_timeout(const struct call_limits *l, const struct call_request *r)
{
	if (l->total_timeout || !r->n_pieces)
		return l->total_timeout;
	return CALL_TOTAL_TIMEOUT + (msec_t)(call_request_bytes(r) * 1000 / CALL_UPLOAD_RATE);
}

/* A piece of the same file before this one: it shares the descriptor. */
static int find_open(const struct call_body *b, const struct call_request *r, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (!r->pieces[i].bytes.ptr && str_eq(r->pieces[i].file, r->pieces[at].file))
			return b->pieces[i].fd;
	return -1;
}

static int open_piece(struct call_body *b, const struct call_request *r, size_t at, struct err *e)
{
	const struct call_piece *p = &r->pieces[at];
	uint64_t size = 0;
	b->pieces[at] = (struct http_piece){ .bytes = p->bytes, .fd = -1, .len = p->len };
	if (p->bytes.ptr)
		return 0;
	b->pieces[at].fd = find_open(b, r, at);
	if (b->pieces[at].fd >= 0)
		return 0;
	if (b->n_open == CALL_FILES_MAX)
		return err_set(e, ERR_STATE, "more than %d files", CALL_FILES_MAX);
	int code = b->files->open(b->files, p->file, &b->pieces[at].fd, &size, e);
	if (code < 0)
		return code;
	b->fds[b->n_open++] = b->pieces[at].fd;
	return size == p->len ? 0 : err_set(e, ERR_STATE, "a file of the body has changed");
}

int call_body_open(struct call_body *b, const struct call_request *r, struct call_files *files, struct arena *a,
		   struct err *e)
{
	if (r->n_pieces == 0) {
		*b = (struct call_body){ 0 };
		return 0;
	}
	if (!files)
		return err_set(e, ERR_MISSING, "there is no folder of files here");
	if (b->n < r->n_pieces || !b->pieces) {
		b->pieces = ARENA_ARRAY(a, struct http_piece, r->n_pieces);
		if (!b->pieces)
			return err_set(e, ERR_NO_MEMORY, "out of memory");
	}
	b->n = r->n_pieces;
	b->files = files;
	for (size_t i = 0; i < r->n_pieces; i++) {
		int code = open_piece(b, r, i, e);
		if (code < 0) {
			call_body_close(b);
			return code;
		}
	}
	return 0;
}

void call_body_close(struct call_body *b)
{
	while (b->n_open > 0)
		b->files->close(b->files, b->fds[--b->n_open]);
}
