/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are not in memory as a whole: a request's in pieces, an answer's on its way into a sink. A paused
 * transfer takes nothing off its connection, so that the sender's window closes and memory stays where it is.
 */
#include "http/client_int.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define DECODE_SLICE 4096u    /* wire bytes decoded at once for a sink */
#define STAGE_MAX (16u << 20) /* decoded bytes that such a slice may become */

/* ---- the request's ---- */

void transfer_take_pieces(struct http_transfer *t, const struct http_request *r)
{
	t->pieces = r->pieces;
	t->n_pieces = r->n_pieces;
	t->piece = 0;
	t->piece_start = t->pieces_len = 0;
	if (r->n_pieces > HTTP_PIECES_MAX)
		transfer_fail(t, HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT, "a body of more than %d pieces",
			      HTTP_PIECES_MAX);
	for (size_t i = 0; i < r->n_pieces; i++)
		t->pieces_len += r->pieces[i].bytes.ptr ? r->pieces[i].bytes.len : r->pieces[i].len;
}

static uint64_t piece_len(const struct http_piece *p)
{
	return p->bytes.ptr ? p->bytes.len : p->len;
}

int transfer_body_view(struct http_transfer *t, uint64_t at, char *scratch, size_t n, struct str *ret)
{
	if (at < t->piece_start)
		t->piece_start = t->piece = 0;
	while (t->piece < t->n_pieces && at >= t->piece_start + piece_len(&t->pieces[t->piece]))
		t->piece_start += piece_len(&t->pieces[t->piece++]);
	*ret = STR("");
	if (t->piece == t->n_pieces)
		return 0;
	const struct http_piece *p = &t->pieces[t->piece];
	uint64_t from = at - t->piece_start, left = piece_len(p) - from;
	if (p->bytes.ptr) {
		*ret = str_from(p->bytes.ptr + from, (size_t)left);
		return 0;
	}
	ssize_t got;
	do
		got = pread(p->fd, scratch, left < n ? (size_t)left : n, (off_t)(p->offset + from));
	while (got < 0 && errno == EINTR);
	if (got <= 0) {
		transfer_fail(t, HTTP_ERROR_INTERNAL, t->prereqs ? HTTP_AMBIGUOUS : HTTP_NOT_SENT,
			      got < 0 ? "a file of the body cannot be read"
				      : "a file of the body is shorter than it was");
		return -ERR_IO;
	}
	*ret = str_from(scratch, (size_t)got);
	return 0;
}

/* ---- the answer's ---- */

void transfer_ask_sink(struct http_transfer *t)
{
	struct http_sink *sink = t->sink;

	t->max_body = t->body.max;
	t->is_sunk = sink && t->wants_body && sink->wants(sink, t->status, &t->headers);
	if (!t->is_sunk)
		return;
	t->max_body = sink->max_body ? sink->max_body : HTTP_SINK_BODY_MAX;
	t->body.max = STAGE_MAX;
	t->total_by = loop_now(t->client->loop) + (sink->total_timeout ? sink->total_timeout : HTTP_SINK_TIMEOUT);
	(void)transfer_arm_deadline(t); /* out of memory: the earlier time stands */
}

bool transfer_sink_takes(struct http_transfer *t, struct str bytes)
{
	struct err e = ERR_INIT;

	if (bytes.len > t->max_body - t->sunk) {
		transfer_fail(t, HTTP_ERROR_TOO_LARGE, HTTP_ANSWERED, "the body is larger than %zu bytes", t->max_body);
		return false;
	}
	t->sunk += bytes.len;
	if (bytes.len == 0 || t->sink->take(t->sink, bytes, &e))
		return true;
	transfer_fail(t, HTTP_ERROR_INTERNAL, HTTP_AMBIGUOUS, "%s", e.msg);
	return false;
}

int transfer_decode_into_sink(struct http_transfer *t, struct str wire)
{
	while (wire.len > 0) {
		size_t n = wire.len < DECODE_SLICE ? wire.len : DECODE_SLICE;
		int code = decoder_push(t->decoder, str_from(wire.ptr, n), &t->body, &t->why);
		if (code)
			return code;
		bool goes_on = transfer_sink_takes(t, buf_str(&t->body));
		buf_clear(&t->body);
		if (!goes_on)
			return -ERR_STATE;
		wire = str_from(wire.ptr + n, wire.len - n);
	}
	return 0;
}

/* ---- pauses ---- */

void http_pause(struct http_transfer *t)
{
	if (t->is_paused || !t->is_sunk || t->state != TRANSFER_RUNNING)
		return;
	t->is_paused = true;
	t->paused_at = loop_now(t->client->loop);
	loop_timer_stop(&t->deadline);
	if (t->is_resumed) /* not read on yet */
		t->is_resumed = false;
	else if (t->is_own)
		h1_pause(t);
	else
		multi_pause(t);
}

void http_resume(struct http_transfer *t)
{
	if (!t->is_paused)
		return;
	t->is_paused = false;
	t->is_resumed = true;
	t->total_by += loop_now(t->client->loop) - t->paused_at;
	t->slow_from = 0;
	if (transfer_arm_deadline(t) != 0)
		transfer_fail(t, HTTP_ERROR_INTERNAL, HTTP_AMBIGUOUS, "out of memory");
	t->client->n_resumed++;
	loop_soon(t->client->loop, &t->client->soon);
}

static struct http_transfer *find_resumed(struct http_client *c)
{
	LIST_FOREACH (node, &c->running) {
		struct http_transfer *t = LIST_ENTRY(node, struct http_transfer, link);
		if (t->is_resumed)
			return t;
	}
	return NULL;
}

void transfers_read_on(struct http_client *c)
{
	struct http_transfer *t;

	if (c->n_resumed == 0)
		return;
	c->n_resumed = 0;
	while (!c->is_closed && (t = find_resumed(c))) { /* a delivery may free any of them, and the client */
		t->is_resumed = false;
		if (t->is_own)
			h1_read_on(t);
		else
			multi_read_on(t);
	}
}
