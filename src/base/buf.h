/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growable byte buffer, born with a maximum. A failure (limit or memory) sticks: later appends do nothing and buf_ok()
 * is false, so a writer may append freely and look once at the end.
 */
#pragma once
#include "base/str.h"

struct buf {
	char *ptr;
	size_t len;
	size_t cap;
	size_t max;   /* never holds more bytes than this */
	int failed;   /* 0, ERR_LIMIT or ERR_NO_MEMORY */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);	/* frees; the buffer may be used again with its maximum */
void buf_clear(struct buf *b);	/* len = 0 and failure forgotten, memory kept */
static inline bool buf_ok(const struct buf *b)
{
	return b->failed == 0;
}
static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->ptr, b->len };
}
int buf_reserve(struct buf *b, size_t more); /* room for `more` bytes after len; 0 or -code */
int buf_append(struct buf *b, const void *bytes, size_t n);
int buf_append_str(struct buf *b, struct str s);
int buf_append_c(struct buf *b, const char *c);
int buf_append_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_consume(struct buf *b, size_t n); /* drop the first n bytes */
/* Ownership of the bytes (NUL-terminated, NUL not counted) moves to the caller; the buffer is empty afterwards.
 * NULL when the buffer has failed or memory is out: then the bytes are freed. `ret_len` may be NULL. */
char *buf_take(struct buf *b, size_t *ret_len);

#define auto_buf __attribute__((cleanup(buf_done)))
