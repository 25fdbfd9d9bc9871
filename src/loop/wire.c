/* SPDX-License-Identifier: Apache-2.0 */
/* Frames over a socketpair: eight bytes that must make sense, then what they announce. */
#include "loop/wire.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAGIC 0x31524957u      /* "WIR1" */
#define READ_BYTES (64u << 10) /* asked of one read */
#define READS_PER_TURN 16      /* then others get a turn */
#define KEEP_BYTES (1u << 20)  /* an empty buffer larger than this is given back */

struct wire {
	struct loop *loop;
	int fd;
	struct loop_fd *watch;
	size_t max_frame;
	struct buf in, out;
	size_t in_done, out_done; /* consumed bytes at the front */
	wire_on_frame *on_frame;
	wire_on_broken *on_broken;
	void *arg;
	struct loop_soon tell;
	const char *broken; /* why; NULL = works */
	bool is_closed;
};

static void put_head(unsigned char head[static WIRE_HEAD_BYTES], size_t len)
{
	uint32_t words[2] = { MAGIC, (uint32_t)len };

	for (int i = 0; i < WIRE_HEAD_BYTES; i++)
		head[i] = (unsigned char)(words[i / 4] >> (8 * (i % 4)));
}

static uint32_t get_word(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;
	return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static void on_tell(struct loop_soon *s)
{
	struct wire *w = CONTAINER_OF(s, struct wire, tell);
	w->on_broken(w->arg, w->broken);
}

/* The owner is told at the end of the turn, never from inside its own wire_send(). */
static void wire_break(struct wire *w, const char *why)
{
	if (w->broken || w->is_closed)
		return;
	w->broken = why;
	(void)loop_fd_want(w->watch, 0);
	loop_soon(w->loop, &w->tell);
}

/* Hand out the whole frames that have arrived; false when the wire is dead or closed. */
static bool deliver(struct wire *w)
{
	while (w->in.len - w->in_done >= WIRE_HEAD_BYTES) {
		const char *head = w->in.ptr + w->in_done;
		size_t len = get_word(head + 4);
		if (get_word(head) != MAGIC || len > w->max_frame) {
			wire_break(w, get_word(head) != MAGIC ? "frame without magic" : "frame over the limit");
			return false;
		}
		if (w->in.len - w->in_done - WIRE_HEAD_BYTES < len)
			break;
		w->in_done += WIRE_HEAD_BYTES + len;
		w->on_frame(w->arg, str_from(head + WIRE_HEAD_BYTES, len));
		if (w->is_closed || w->broken)
			return false;
	}
	buf_consume(&w->in, w->in_done);
	w->in_done = 0;
	if (w->in.len == 0 && w->in.cap > KEEP_BYTES)
		buf_done(&w->in);
	return true;
}

/* Room for the next read: at least READ_BYTES, or what the frame under way still lacks. */
static size_t room_wanted(const struct wire *w)
{
	size_t want = READ_BYTES;

	if (w->in.len >= WIRE_HEAD_BYTES) {
		size_t whole = WIRE_HEAD_BYTES + (size_t)get_word(w->in.ptr + 4);
		if (whole > w->in.len + want)
			want = whole - w->in.len;
	}
	return want < KEEP_BYTES ? want : KEEP_BYTES;
}

static void wire_read(struct wire *w)
{
	for (int i = 0; i < READS_PER_TURN; i++) {
		if (buf_reserve(&w->in, room_wanted(w)) != 0) {
			wire_break(w, "no memory for a frame");
			return;
		}
		size_t asked = w->in.cap - w->in.len;
		if (asked > w->in.max - w->in.len)
			asked = w->in.max - w->in.len;
		ssize_t n = read(w->fd, w->in.ptr + w->in.len, asked);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			wire_break(w, n < 0		       ? "read failed"
				      : w->in.len > w->in_done ? "closed inside a frame"
							       : "closed by the other end");
			return;
		}
		w->in.len += (size_t)n;
		if (!deliver(w) || (size_t)n < asked)
			return;
	}
}

static void wire_write(struct wire *w)
{
	while (w->out_done < w->out.len) {
		ssize_t n =
		    send(w->fd, w->out.ptr + w->out_done, w->out.len - w->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			wire_break(w, errno == EPIPE ? "closed by the other end" : "write failed");
			return;
		}
		w->out_done += (size_t)n;
	}
	if (w->out_done == w->out.len) {
		buf_clear(&w->out);
		w->out_done = 0;
		if (w->out.cap > KEEP_BYTES)
			buf_done(&w->out);
		(void)loop_fd_want(w->watch, LOOP_READ);
	} else {
		if (w->out_done > KEEP_BYTES) {
			buf_consume(&w->out, w->out_done);
			w->out_done = 0;
		}
		(void)loop_fd_want(w->watch, LOOP_READ | LOOP_WRITE);
	}
}

static void on_ready(void *arg, unsigned events)
{
	struct wire *w = arg;

	if (events & LOOP_WRITE)
		wire_write(w);
	if ((events & LOOP_READ) && !w->broken && !w->is_closed)
		wire_read(w);
}

struct wire *wire_open(struct loop *l, int fd, size_t max_frame, wire_on_frame *on_frame, wire_on_broken *on_broken,
		       void *arg, struct err *e)
{
	assert(max_frame > 0 && max_frame <= WIRE_FRAME_MAX);
	struct wire *w = alloc_calloc(1, sizeof(*w));
	if (!w) {
		err_set(e, ERR_NO_MEMORY, "no memory for a wire");
		return NULL;
	}
	*w = (struct wire){
		.loop = l, .fd = fd, .max_frame = max_frame, .on_frame = on_frame, .on_broken = on_broken, .arg = arg
	};
	size_t queue = max_frame * WIRE_QUEUE_FRAMES;
	buf_init(&w->in, max_frame + WIRE_HEAD_BYTES + KEEP_BYTES);
	buf_init(&w->out, queue < WIRE_QUEUE_MIN_BYTES ? WIRE_QUEUE_MIN_BYTES : queue);
	loop_soon_init(&w->tell, on_tell);
	w->watch = loop_fd_open(l, fd, on_ready, w, e);
	if (!w->watch || loop_fd_want(w->watch, LOOP_READ) != 0) {
		loop_fd_close(w->watch);
		free(w);
		err_wrap(e, "open a wire");
		return NULL;
	}
	return w;
}

/* Write head and parts at once as far as the socket takes them; bytes written, or -1 with errno. */
static ssize_t send_now(int fd, unsigned char *head, struct str first, struct str second, int flags)
{
	struct iovec parts[3] = {
		{ head, WIRE_HEAD_BYTES },
		{ (void *)(uintptr_t)first.ptr, first.len },
		{ (void *)(uintptr_t)second.ptr, second.len },
	};
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = ARRAY_LEN(parts) };
	ssize_t n;

	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Queue what `*done` bytes of a frame have left over. */
static void queue_rest(struct wire *w, const void *part, size_t len, size_t *done)
{
	size_t skip = *done < len ? *done : len;

	*done -= skip;
	(void)buf_append(&w->out, (const char *)part + skip, len - skip);
}

int wire_send(struct wire *w, struct str header, struct str body)
{
	unsigned char head[WIRE_HEAD_BYTES];
	size_t len = header.len + body.len;
	size_t done = 0;

	if (w->broken || w->is_closed)
		return -ERR_STATE;
	if (len > w->max_frame || header.len > w->max_frame || wire_queued(w) + len + WIRE_HEAD_BYTES > w->out.max)
		return -ERR_LIMIT;
	put_head(head, len);
	if (w->out_done > 0) {
		buf_consume(&w->out, w->out_done);
		w->out_done = 0;
	}
	if (buf_reserve(&w->out, len + WIRE_HEAD_BYTES) != 0) { /* all or nothing: half a frame cannot be taken back */
		buf_clear(&w->out);
		wire_break(w, "no memory for a frame");
		return -ERR_NO_MEMORY;
	}
	if (w->out.len == 0) {
		ssize_t n = send_now(w->fd, head, header, body, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			wire_break(w, errno == EPIPE ? "closed by the other end" : "write failed");
			return -ERR_STATE;
		}
		done = n > 0 ? (size_t)n : 0;
		if (done == len + WIRE_HEAD_BYTES)
			return 0;
	}
	queue_rest(w, head, WIRE_HEAD_BYTES, &done);
	queue_rest(w, header.ptr, header.len, &done);
	queue_rest(w, body.ptr, body.len, &done);
	(void)loop_fd_want(w->watch, LOOP_READ | LOOP_WRITE);
	return 0;
}

size_t wire_queued(const struct wire *w)
{
	return w->out.len - w->out_done;
}

static void wire_bury(void *p)
{
	struct wire *w = p;

	buf_done(&w->in);
	buf_done(&w->out);
	free(w);
}

void wire_close(struct wire *w)
{
	if (!w || w->is_closed)
		return;
	w->is_closed = true;
	loop_soon_cancel(&w->tell);
	loop_fd_close(w->watch);
	(void)close(w->fd);
	loop_free_later(w->loop, w, wire_bury);
}

/* ---- the blocking side ---- */

/* 1 = all n bytes, 0 = end of file before the first, else -code. */
static int read_all(int fd, char *p, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, p + done, n - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return done == 0 ? 0 : -ERR_IO;
		done += (size_t)got;
	}
	return 1;
}

int wire_read_frame(int fd, struct buf *b)
{
	char head[WIRE_HEAD_BYTES];
	int code = read_all(fd, head, sizeof(head));

	buf_clear(b);
	if (code <= 0)
		return code;
	size_t len = get_word(head + 4);
	if (get_word(head) != MAGIC)
		return -ERR_INVALID;
	if (len > b->max)
		return -ERR_LIMIT;
	if (len == 0)
		return 1;
	code = buf_reserve(b, len);
	if (code)
		return code;
	code = read_all(fd, b->ptr, len);
	if (code == 1)
		b->len = len;
	return code == 0 ? -ERR_IO : code;
}

int wire_write_frame(int fd, struct str frame)
{
	unsigned char head[WIRE_HEAD_BYTES];
	size_t done = 0;

	if (frame.len > WIRE_FRAME_MAX)
		return -ERR_LIMIT;
	put_head(head, frame.len);
	ssize_t n = send_now(fd, head, frame, STR_NULL, 0);
	if (n < 0)
		return -errno;
	for (done = (size_t)n; done < WIRE_HEAD_BYTES + frame.len; done += (size_t)n) {
		if (done < WIRE_HEAD_BYTES)
			n = send(fd, head + done, WIRE_HEAD_BYTES - done, MSG_NOSIGNAL);
		else
			n = send(fd, frame.ptr + (done - WIRE_HEAD_BYTES), WIRE_HEAD_BYTES + frame.len - done,
				 MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
	}
	return 0;
}
