/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that grow, up to the day their maximum says no. */
#include "base/buf.h"
#include "base/alloc.h"
#include "base/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_BYTES 256 /* first allocation, unless more is asked for at once */

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
	free(b->ptr);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = 0;
}

static int fail(struct buf *b, int code)
{
	b->failed = code;
	return -code;
}

/* The room itself: `cap` bytes and one for the NUL that buf_take() promises. */
static int set_cap(struct buf *b, size_t cap)
{
	char *ptr = alloc_realloc(b->ptr, cap + 1);
	if (!ptr)
		return fail(b, ERR_NO_MEMORY);
	b->ptr = ptr;
	b->cap = cap;
	return 0;
}

int buf_reserve(struct buf *b, size_t more)
{
	if (b->failed)
		return -b->failed;
	if (more <= b->cap - b->len)
		return 0;
	size_t max = b->max < SIZE_MAX ? b->max : SIZE_MAX - 1;
	if (b->len > max || more > max - b->len)
		return fail(b, ERR_LIMIT);
	size_t cap = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap > max / 2 ? max : b->cap * 2;
	if (cap < b->len + more)
		cap = b->len + more;
	return set_cap(b, cap < max ? cap : max);
}

int buf_append(struct buf *b, const void *bytes, size_t n)
{
	int r = buf_reserve(b, n);
	if (r < 0)
		return r;
	if (n)
		memcpy(b->ptr + b->len, bytes, n);
	b->len += n;
	return 0;
}

int buf_append_str(struct buf *b, struct str s)
{
	return buf_append(b, s.ptr, s.len);
}

int buf_append_c(struct buf *b, const char *c)
{
	return buf_append(b, c, strlen(c));
}

int buf_append_char(struct buf *b, char c)
{
	return buf_append(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	int r = buf_reserve(b, 0);
	if (r < 0)
		return r;
	va_list ap;
	va_start(ap, fmt);
	/* A buffer without memory yet measures only. One byte beyond cap exists, for the NUL. */
	int wanted = b->ptr ? vsnprintf(b->ptr + b->len, b->cap - b->len + 1, fmt, ap) : vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (wanted < 0)
		return fail(b, ERR_INVALID);
	if (!b->ptr || (size_t)wanted > b->cap - b->len) {
		r = buf_reserve(b, (size_t)wanted);
		if (r == 0 && !b->ptr)
			r = set_cap(b, b->max < BUF_FIRST_BYTES ? b->max : BUF_FIRST_BYTES);
		if (r < 0)
			return r;
		va_start(ap, fmt);
		(void)vsnprintf(b->ptr + b->len, (size_t)wanted + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)wanted;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		b->len = 0;
		return;
	}
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->ptr, b->ptr + n, b->len);
}

char *buf_take(struct buf *b, size_t *ret_len)
{
	if (ret_len)
		*ret_len = 0;
	if (b->failed || (!b->ptr && set_cap(b, 0) < 0)) {
		buf_done(b);
		return NULL;
	}
	char *ptr = b->ptr;
	ptr[b->len] = '\0';
	if (ret_len)
		*ret_len = b->len;
	buf_init(b, b->max);
	return ptr;
}
