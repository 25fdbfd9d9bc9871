/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framed, checked messages over a stream socketpair. A frame is 8 bytes of head (magic and length, little endian) and
 * at most max_frame bytes; anything else breaks the wire for good: there is no way back into step with a peer that lies
 * about lengths.
 *
 * The asynchronous side lives on a loop; the two synchronous functions at the end are for the process at the other end,
 * which may block and may be in a jail: they need read(2) and sendmsg(2) alone.
 */
#pragma once
#include "base/buf.h"
#include "loop/loop.h"

#define WIRE_HEAD_BYTES 8
#define WIRE_FRAME_MAX (256u << 20) /* no max_frame is larger */
#define WIRE_QUEUE_FRAMES 4	    /* unsent bytes kept: this many times max_frame, at least WIRE_QUEUE_MIN_BYTES */
#define WIRE_QUEUE_MIN_BYTES (1u << 20)

struct wire;

/* The frame is borrowed until the callback returns, which may call wire_send() and wire_close(). */
typedef void wire_on_frame(void *arg, struct str frame);
/* Once, from the loop: end of file, I/O error, bad frame. The wire is dead then and waits for wire_close(). */
typedef void wire_on_broken(void *arg, const char *why);

/* Takes `fd` (a connected stream socket; made non-blocking) when it succeeds; NULL with `e` filled when it does not. */
struct wire *wire_open(struct loop *l, int fd, size_t max_frame, wire_on_frame *on_frame, wire_on_broken *on_broken,
		       void *arg, struct err *e);
/*
 * Queue one frame: header and body one after the other (either may be empty), copied if they cannot be written at once.
 * 0, or -ERR_LIMIT (frame too long, or the queue is full: nothing was queued), -ERR_STATE (broken), -ERR_NO_MEMORY.
 */
int wire_send(struct wire *w, struct str header, struct str body);
size_t wire_queued(const struct wire *w); /* bytes accepted and not yet written */
/* Closes the descriptor; unsent frames are dropped; no callback runs any more. Safe inside callbacks. NULL is allowed.
 */
void wire_close(struct wire *w);

/* Blocking side. Reads one frame into `b` (cleared first; b->max bounds the frame). 1 = a frame, 0 = clean end of file,
 * else -code. */
int wire_read_frame(int fd, struct buf *b);
/* Writes one frame whole; 0 or -code (-EPIPE when the other end is gone, without a signal). */
int wire_write_frame(int fd, struct str frame);
