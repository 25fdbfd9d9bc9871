/* SPDX-License-Identifier: Apache-2.0 */
/* One line, one write(2), no locks: what two threads say at once stays two lines. */
#include "base/log.h"
#include "base/clock.h"
#include "base/utf8.h"
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PARENTS_MAX 8	  /* contexts printed in one line, the innermost ones */
#define CONTEXT_BYTES 128 /* most that one key or value takes */
#define TAIL_BYTES 8	  /* kept free for what closes a line */

static _Atomic int least_level = LOG_INFO;
static _Atomic int line_format = LOG_AUTO;

static const char *const level_names[] = { "debug", "info", "warn", "error", "off" };

struct line {
	char *p, *end; /* nothing is written at or beyond `end` */
	bool is_json;
};

void log_setup(enum log_level least, enum log_format format)
{
	if (format == LOG_AUTO)
		format = isatty(STDERR_FILENO) ? LOG_TEXT : LOG_JSON;
	atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
	atomic_store_explicit(&line_format, (int)format, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(level_names); i++)
		if (strcmp(name, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return true;
		}
	return false;
}

bool log_wants(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* All of it or nothing, so that no escape is cut in half. */
static bool put(struct line *l, const char *bytes, size_t n)
{
	if ((size_t)(l->end - l->p) < n)
		return false;
	memcpy(l->p, bytes, n);
	l->p += n;
	return true;
}

static bool put_c(struct line *l, const char *c)
{
	return put(l, c, strlen(c));
}

/* The character at `p` as it may stand in a line: no control characters, so nobody forges a second line. */
static bool put_escaped(struct line *l, const char *p, size_t n)
{
	char text[8];
	unsigned char c = (unsigned char)*p;
	if (n == 0) /* no UTF-8 */
		return put_c(l, l->is_json ? "\\ufffd" : "?");
	if (c == '\n')
		return put(l, "\\n", 2);
	if (c < 0x20 || c == 0x7F) {
		(void)snprintf(text, sizeof(text), "\\u%04x", c);
		return put_c(l, text);
	}
	if (l->is_json && (c == '"' || c == '\\')) {
		text[0] = '\\';
		text[1] = (char)c;
		return put(l, text, 2);
	}
	return put(l, p, n);
}

static void put_text(struct line *l, const char *p, size_t len)
{
	for (const char *end = p + len; p < end;) {
		size_t n = utf8_sequence(p, end);
		if (!put_escaped(l, p, n))
			return;
		p += n ? n : 1;
	}
}

static void put_context(struct line *l, const struct log *ctx)
{
	put_c(l, l->is_json ? ",\"" : " ");
	put_text(l, ctx->key, strnlen(ctx->key, CONTEXT_BYTES));
	put_c(l, l->is_json ? "\":\"" : "=");
	put_text(l, ctx->value ? ctx->value : "", ctx->value ? strnlen(ctx->value, CONTEXT_BYTES) : 0);
	put_c(l, l->is_json ? "\"" : "");
}

/* Parents first. */
static void put_contexts(struct line *l, const struct log *ctx)
{
	const struct log *chain[PARENTS_MAX];
	unsigned n = 0;
	for (; ctx && n < PARENTS_MAX; ctx = ctx->parent)
		if (ctx->key)
			chain[n++] = ctx;
	while (n > 0)
		put_context(l, chain[--n]);
}

static void put_head(struct line *l, enum log_level level)
{
	char when[CLOCK_RFC3339_BYTES];
	clock_format_rfc3339(clock_wall(), when);
	const char *name = level_names[level < LOG_OFF ? level : LOG_ERROR];
	put_c(l, l->is_json ? "{\"time\":\"" : "");
	put_c(l, when);
	put_c(l, l->is_json ? "\",\"level\":\"" : " ");
	put_c(l, name);
	put_c(l, l->is_json ? "\"" : strlen(name) < 5 ? " " : "");
}

void log_write(const struct log *ctx, enum log_level level, const char *fmt, ...)
{
	if (!log_wants(level))
		return;
	int saved_errno = errno; /* callers log on their way out with errno in hand */
	if (atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_AUTO)
		log_setup((enum log_level)atomic_load(&least_level), LOG_AUTO);
	char text[LOG_LINE_MAX], message[LOG_LINE_MAX];
	struct line l = { text, text + sizeof(text) - TAIL_BYTES,
			  atomic_load_explicit(&line_format, memory_order_relaxed) == LOG_JSON };
	put_head(&l, level);
	put_contexts(&l, ctx);
	put_c(&l, l.is_json ? ",\"message\":\"" : "  ");
	va_list ap;
	va_start(ap, fmt);
	errno = saved_errno; /* for %m */
	int n = vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (n > 0)
		put_text(&l, message, (size_t)n < sizeof(message) ? (size_t)n : sizeof(message) - 1);
	l.end = text + sizeof(text);
	put_c(&l, l.is_json ? "\"}\n" : "\n");
	/* A log that cannot be written has nobody left to tell. */
	while (write(STDERR_FILENO, text, (size_t)(l.p - text)) < 0 && errno == EINTR)
		;
	errno = saved_errno;
}
