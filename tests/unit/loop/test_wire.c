/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/wire.h"
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FRAME (1u << 20)

struct side {
	struct loop *loop;
	struct wire *wire;
	size_t frames, bytes, expected;
	const char *broken;
	bool closes;
	uint32_t sum;
};

static void on_frame(void *arg, struct str frame)
{
	struct side *s = arg;

	s->frames++;
	s->bytes += frame.len;
	for (size_t i = 0; i < frame.len; i++)
		s->sum = s->sum * 31 + (unsigned char)frame.ptr[i];
	if (s->closes || s->frames == s->expected) {
		wire_close(s->wire);
		s->wire = NULL;
	}
}

static void on_broken(void *arg, const char *why)
{
	struct side *s = arg;

	s->broken = why;
	wire_close(s->wire);
	s->wire = NULL;
}

static struct side open_side(int fds[2], size_t max_frame)
{
	struct side s = { .loop = loop_new(NULL) };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	return s;
}

static void wire_up(struct side *s, int fd, size_t max_frame)
{
	s->wire = wire_open(s->loop, fd, max_frame, on_frame, on_broken, s, NULL);
	assert_non_null(s->wire);
}

/* The worker's side: echo each frame until the end. */
static void *echo(void *arg)
{
	int fd = *(int *)arg;
	struct buf b;
	int code;

	buf_init(&b, MAX_FRAME);
	while ((code = wire_read_frame(fd, &b)) == 1)
		code = wire_write_frame(fd, buf_str(&b));
	buf_done(&b);
	close(fd);
	return (void *)(intptr_t)code;
}

TEST(frames_of_all_sizes_come_back_as_they_went)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 4096, 65536, 65537, 500000, MAX_FRAME };
	int fds[2];
	struct side s = open_side(fds, MAX_FRAME);
	char *bytes = malloc(MAX_FRAME);
	uint32_t sum = 0;
	size_t total = 0;
	pthread_t thread;
	void *code;

	for (size_t i = 0; i < MAX_FRAME; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	wire_up(&s, fds[0], MAX_FRAME);
	pthread_create(&thread, NULL, echo, &fds[1]);
	s.expected = ARRAY_LEN(sizes);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t head = sizes[i] / 3;
		assert_int_equal(wire_send(s.wire, str_from(bytes, head), str_from(bytes + head, sizes[i] - head)), 0);
		for (size_t k = 0; k < sizes[i]; k++)
			sum = sum * 31 + (unsigned char)bytes[k];
		total += sizes[i];
	}
	loop_run(s.loop);
	pthread_join(thread, &code);
	assert_int_equal(s.frames, ARRAY_LEN(sizes));
	assert_int_equal(s.bytes, total);
	assert_int_equal(s.sum, sum);
	assert_null(s.broken);
	free(bytes);
	loop_free(s.loop);
}

TEST(a_frame_over_the_limit_is_refused_when_sent_and_breaks_when_read)
{
	int fds[2];
	struct side s = open_side(fds, 100);
	char bytes[200] = { 0 };

	wire_up(&s, fds[0], 100);
	assert_int_equal(wire_send(s.wire, str_from(bytes, 50), str_from(bytes, 51)), -ERR_LIMIT);
	assert_int_equal(wire_send(s.wire, str_from(bytes, SIZE_MAX), str_from(bytes, 51)), -ERR_LIMIT);
	assert_int_equal(wire_send(s.wire, str_from(bytes, 50), str_from(bytes, 50)), 0);
	assert_int_equal(wire_write_frame(fds[1], str_from(bytes, 101)), 0);
	loop_run(s.loop);
	assert_int_equal(s.frames, 0);
	assert_string_equal(s.broken, "frame over the limit");
	close(fds[1]);
	loop_free(s.loop);
}

TEST(nonsense_breaks_the_wire)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *why;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n\r\n", 18, "frame without magic" },
		{ "WIR1\xff\xff\xff\xff", 8, "frame over the limit" },
		{ "WIR1\x05\0\0\0hel", 11, "closed inside a frame" },
		{ "WIR", 3, "closed inside a frame" },
		{ "", 0, "closed by the other end" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fds[2];
		struct side s = open_side(fds, 1000);
		wire_up(&s, fds[0], 1000);
		assert_int_equal(write(fds[1], rows[i].bytes, rows[i].n), rows[i].n);
		close(fds[1]);
		loop_run(s.loop);
		assert_string_equal(s.broken, rows[i].why);
		assert_int_equal(s.frames, 0);
		loop_free(s.loop);
	}
}

TEST(frames_that_arrived_before_the_end_are_delivered)
{
	int fds[2];
	struct side s = open_side(fds, 1000);

	wire_up(&s, fds[0], 1000);
	assert_int_equal(wire_write_frame(fds[1], STR("one")), 0);
	assert_int_equal(wire_write_frame(fds[1], STR("two")), 0);
	close(fds[1]);
	loop_run(s.loop);
	assert_int_equal(s.frames, 2);
	assert_string_equal(s.broken, "closed by the other end");
	loop_free(s.loop);
}

TEST(the_queue_has_an_end)
{
	int fds[2];
	struct side s = open_side(fds, 1000);
	char bytes[1000] = { 0 };
	size_t sent = 0;
	int code;

	wire_up(&s, fds[0], 1000);
	while ((code = wire_send(s.wire, STR_NULL, str_from(bytes, sizeof(bytes)))) == 0)
		sent++;
	assert_int_equal(code, -ERR_LIMIT);
	assert_true(wire_queued(s.wire) <= WIRE_QUEUE_MIN_BYTES);
	assert_true(sent > 100);
	wire_close(s.wire); /* with a full queue: nothing leaks */
	loop_run(s.loop);
	close(fds[1]);
	loop_free(s.loop);
}

TEST(a_send_to_the_dead_is_told_later_and_once)
{
	int fds[2];
	struct side s = open_side(fds, 1000);

	wire_up(&s, fds[0], 1000);
	close(fds[1]);
	assert_int_equal(wire_send(s.wire, STR("x"), STR_NULL), -ERR_STATE);
	assert_int_equal(wire_send(s.wire, STR("x"), STR_NULL), -ERR_STATE);
	assert_null(s.broken); /* not inside the sender */
	loop_run(s.loop);
	assert_string_equal(s.broken, "closed by the other end");
	loop_free(s.loop);
}

TEST(a_wire_closed_in_its_callback_delivers_no_more)
{
	int fds[2];
	struct side s = open_side(fds, 1000);

	s.closes = true;
	wire_up(&s, fds[0], 1000);
	for (int i = 0; i < 5; i++)
		assert_int_equal(wire_write_frame(fds[1], STR("frame")), 0);
	loop_run(s.loop);
	assert_int_equal(s.frames, 1);
	assert_null(s.broken);
	close(fds[1]);
	loop_free(s.loop);
}

TEST(the_blocking_side_refuses_what_the_other_one_does)
{
	int fds[2];
	struct buf b;

	buf_init(&b, 10);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(wire_write_frame(fds[0], STR("0123456789")), 0);
	assert_int_equal(wire_read_frame(fds[1], &b), 1);
	assert_str(buf_str(&b), "0123456789");
	assert_int_equal(wire_write_frame(fds[0], STR("")), 0);
	assert_int_equal(wire_read_frame(fds[1], &b), 1);
	assert_int_equal(b.len, 0);
	assert_int_equal(wire_write_frame(fds[0], STR("01234567890")), 0);
	assert_int_equal(wire_read_frame(fds[1], &b), -ERR_LIMIT);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[0], "XXXXXXXXXXXX", 12), 12);
	assert_int_equal(wire_read_frame(fds[1], &b), -ERR_INVALID);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(write(fds[0], "WIR1\x05\0\0\0he", 10), 10);
	close(fds[0]);
	assert_int_equal(wire_read_frame(fds[1], &b), -ERR_IO);
	assert_int_equal(wire_read_frame(fds[1], &b), 0);
	assert_int_equal(wire_write_frame(fds[1], STR("x")), -EPIPE);
	close(fds[1]);
	buf_done(&b);
}

RUN_TESTS(CLAIM(frames_of_all_sizes_come_back_as_they_went), CLAIM(a_frame_over_the_limit_is_refused_when_sent_and_breaks_when_read),
	  CLAIM(nonsense_breaks_the_wire), CLAIM(frames_that_arrived_before_the_end_are_delivered), CLAIM(the_queue_has_an_end),
	  CLAIM(a_send_to_the_dead_is_told_later_and_once), CLAIM(a_wire_closed_in_its_callback_delivers_no_more),
	  CLAIM(the_blocking_side_refuses_what_the_other_one_does))
