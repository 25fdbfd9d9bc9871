/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of HTTP/2, written from RFC 9113 with nothing of the code under test: it reads frames without understanding their fields
 * and says what a script tells it, right or wrong. A script is a list of words, ";" between them:
 *   H 200 name=value ...   HEADERS; He = the stream's last frame; a status of "-" leaves :status out
 *   D text                 DATA; De = the last
 *   R CODE  G LAST CODE    RST_STREAM, GOAWAY (numbers)
 *   P N  S N  Z N  I N     N times PING, SETTINGS, empty DATA, an interim head of 103
 *   X hex                  bytes as they are
 *   F N                    HEADERS of 200 with N fields
 *   O N                    HEADERS without an end, and N CONTINUATION of 100 bytes, the last of which ends it
 *   B N                    N bytes of DATA, in frames of 16,000 bytes, windows or not
 *   C  K  W                close, reset, wait until the client has closed
 */
#pragma once
#include "base/num.h"
#include "peer.h"

enum { F_DATA, F_HEADERS, F_PRIORITY, F_RST, F_SETTINGS, F_PUSH, F_PING, F_GOAWAY, F_WINDOW, F_CONTINUATION };
#define F_END_STREAM 1
#define F_END_HEADERS 4

struct h2_frame {
	uint8_t type, flags;
	uint32_t stream;
	size_t len;
	uint8_t payload[20000];
};

static inline bool h2p_read_all(int fd, void *to, size_t n)
{
	return recv(fd, to, n, MSG_WAITALL) == (ssize_t)n;
}

static inline bool h2p_read(int fd, struct h2_frame *f)
{
	uint8_t head[9];

	if (!h2p_read_all(fd, head, 9))
		return false;
	f->len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
	f->type = head[3];
	f->flags = head[4];
	f->stream = (uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8];
	assert_true(f->len <= sizeof(f->payload));
	return f->len == 0 || h2p_read_all(fd, f->payload, f->len);
}

static inline void h2p_send(int fd, uint8_t type, uint8_t flags, uint32_t stream, const void *payload, size_t n)
{
	uint8_t bytes[20000 + 9] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, type, flags,
				     (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream };

	if (n)
		memcpy(bytes + 9, payload, n);
	peer_send(fd, bytes, n + 9);
}

static inline void h2p_send_numbers(int fd, uint8_t type, uint32_t stream, uint32_t a, uint32_t b, size_t n)
{
	uint8_t bytes[8] = { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a,
			     (uint8_t)(b >> 24), (uint8_t)(b >> 16), (uint8_t)(b >> 8), (uint8_t)b };

	h2p_send(fd, type, 0, stream, bytes, n);
}

/* Literal fields without indexing (RFC 7541 6.2.2), names and values shorter than 127 bytes. */
static inline size_t h2p_field(uint8_t *to, const char *name, size_t n_name, const char *value, size_t n_value)
{
	uint8_t *p = to;

	*p++ = 0;
	*p++ = (uint8_t)n_name;
	memcpy(p, name, n_name);
	p += n_name;
	*p++ = (uint8_t)n_value;
	memcpy(p, value, n_value);
	return (size_t)(p + n_value - to);
}

static inline size_t h2p_block(uint8_t *to, const char *words)
{
	size_t n = 0;
	struct str rest = str_c(words), status = str_split(&rest, ' ');

	if (!str_eq(status, STR("-")))
		n += h2p_field(to, ":status", 7, status.ptr, status.len);
	while (rest.ptr) {
		struct str value = str_split(&rest, ' '), name = str_split(&value, '=');
		n += h2p_field(to + n, name.ptr, name.len, value.ptr ? value.ptr : "", value.len);
	}
	return n;
}

static inline void h2p_repeat(int fd, char what, int times, uint32_t stream)
{
	uint8_t block[64], zeros[8] = { 0 };

	for (int i = 0; i < times; i++) {
		if (what == 'P')
			h2p_send(fd, F_PING, 0, 0, zeros, 8);
		else if (what == 'S')
			h2p_send(fd, F_SETTINGS, 0, 0, NULL, 0);
		else if (what == 'Z')
			h2p_send(fd, F_DATA, 0, stream, NULL, 0);
		else
			h2p_send(fd, F_HEADERS, F_END_HEADERS, stream, block, h2p_block(block, "103"));
	}
}

static inline void h2p_hex(int fd, const char *hex)
{
	uint8_t bytes[512];
	size_t n = 0;

	for (; hex[0] && hex[1]; hex += hex[2] == ' ' ? 3 : 2)
		bytes[n++] = (uint8_t)(num_hex_value(hex[0]) << 4 | num_hex_value(hex[1]));
	peer_send(fd, bytes, n);
}

static inline void h2p_bytes(int fd, uint32_t stream, size_t n)
{
	static const uint8_t zeros[16000];

	for (size_t at = 0; at < n; at += sizeof(zeros))
		h2p_send(fd, F_DATA, 0, stream, zeros, sizeof(zeros));
}

static inline void h2p_fields(int fd, uint32_t stream, size_t n)
{
	uint8_t block[16000];
	size_t len = h2p_block(block, "200");

	while (n-- > 0)
		len += h2p_field(block + len, "x", 1, "1", 1);
	h2p_send(fd, F_HEADERS, F_END_HEADERS, stream, block, len);
}

static inline void h2p_continuations(int fd, uint32_t stream, int n)
{
	uint8_t field[128], value[97];

	memset(value, 'v', sizeof(value));
	h2p_send(fd, F_HEADERS, 0, stream, "\x88", 1);
	while (n-- > 0) /* 1 + 1 + 1 + 1 + 96 */
		h2p_send(fd, F_CONTINUATION, n == 0 ? F_END_HEADERS : 0, stream, field,
			 h2p_field(field, "x", 1, (const char *)value, 96));
}

/* One word; false = the connection is over. */
static inline bool h2p_word(int fd, uint32_t stream, const char *word)
{
	uint8_t block[4096];
	uint8_t last = word[1] == 'e' ? F_END_STREAM : 0;
	const char *rest = strchr(word, ' ');
	char *after;

	rest = rest ? rest + 1 : "";
	switch (word[0]) {
	case 'H':
		h2p_send(fd, F_HEADERS, F_END_HEADERS | last, stream, block, h2p_block(block, rest));
		return true;
	case 'D':
		h2p_send(fd, F_DATA, last, stream, rest, strlen(rest));
		return true;
	case 'R':
		h2p_send_numbers(fd, F_RST, stream, (uint32_t)strtoul(rest, NULL, 0), 0, 4);
		return true;
	case 'G': {
		uint32_t id = (uint32_t)strtoul(rest, &after, 0);
		h2p_send_numbers(fd, F_GOAWAY, 0, id, (uint32_t)strtoul(after, NULL, 0), 8);
		return true;
	}
	case 'X':
		h2p_hex(fd, rest);
		return true;
	case 'F':
		h2p_fields(fd, stream, strtoul(rest, NULL, 0));
		return true;
	case 'O':
		h2p_continuations(fd, stream, atoi(rest));
		return true;
	case 'B':
		h2p_bytes(fd, stream, strtoul(rest, NULL, 0));
		return true;
	case 'K':
		peer_reset(fd);
		return false;
	case 'W':
		peer_wait_end(fd);
		return false;
	case 'C':
		return false;
	default:
		h2p_repeat(fd, word[0], atoi(rest), stream);
		return true;
	}
}

static inline bool h2p_say(int fd, uint32_t stream, const char *script)
{
	struct str rest = str_c(script);
	char word[1024];

	while (rest.ptr) {
		struct str s = str_trim(str_split(&rest, ';'));
		snprintf(word, sizeof(word), "%.*s", STR_ARG(s));
		if (word[0] && !h2p_word(fd, stream, word))
			return false;
	}
	return true;
}

static inline bool h2p_preface(int fd)
{
	char preface[24];

	return h2p_read_all(fd, preface, sizeof(preface)) && memcmp(preface, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24) == 0;
}

/* The client's preface, and our SETTINGS: MAX_CONCURRENT_STREAMS and INITIAL_WINDOW_SIZE, each -1 = not said. */
static inline bool h2p_greet(int fd, int max_streams, int window)
{
	uint8_t settings[12] = { 0 };
	size_t n = 0;

	if (!h2p_preface(fd))
		return false;
	if (max_streams >= 0) {
		settings[n + 1] = 3;
		settings[n + 5] = (uint8_t)max_streams;
		n += 6;
	}
	if (window >= 0) {
		settings[n + 1] = 4;
		settings[n + 5] = (uint8_t)window;
		n += 6;
	}
	h2p_send(fd, F_SETTINGS, 0, 0, settings, n);
	return true;
}

/* The next stream's HEADERS, and with `whole` its body; 0 = the connection ended. */
static inline uint32_t h2p_request(struct peer *p, int fd, bool whole)
{
	static _Thread_local struct h2_frame f;
	uint32_t stream = 0;

	while (h2p_read(fd, &f)) {
		if (f.type == F_HEADERS) {
			stream = f.stream;
			atomic_fetch_add(&p->requests, 1);
		}
		if (stream && (!whole || (f.flags & F_END_STREAM && (f.type == F_HEADERS || f.type == F_DATA))))
			return stream;
	}
	return 0;
}
