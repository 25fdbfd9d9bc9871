/* SPDX-License-Identifier: Apache-2.0 */
/* Sentences for what could not be done. */
#include "base/err.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* vsnprintf that never leaves half a UTF-8 sequence at the cut. */
static size_t format_cut(char *out, size_t size, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
static size_t format_cut(char *out, size_t size, const char *fmt, va_list ap)
{
	int wanted = vsnprintf(out, size, fmt, ap);
	if (wanted < 0) {
		out[0] = '\0';
		return 0;
	}
	if ((size_t)wanted < size)
		return (size_t)wanted;
	size_t len = size - 1;
	while (len > 0 && ((unsigned char)out[len - 1] & 0xC0) == 0x80)
		len--;
	/* Before the continuation bytes stands their lead: dropped too, the sequence may be cut. */
	if (len > 0 && (unsigned char)out[len - 1] >= 0xC0)
		len--;
	out[len] = '\0';
	return len;
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	if (!e)
		return -code;
	char text[ERR_MSG_MAX]; /* apart, since the arguments may point into e->msg */
	va_list ap;
	va_start(ap, fmt);
	size_t len = format_cut(text, sizeof(text), fmt, ap);
	va_end(ap);
	memcpy(e->msg, text, len + 1);
	e->code = -code;
	return -code;
}

static void put_before(struct err *e, const char *head, size_t head_len)
{
	char old[ERR_MSG_MAX];
	memcpy(old, e->msg, sizeof(old));
	memcpy(e->msg, head, head_len);
	size_t room = sizeof(e->msg) - head_len;
	size_t len = strnlen(old, sizeof(old) - 1);
	const char *joint = len > 0 ? ": " : "";
	if (room <= 3)
		joint = "";
	size_t joint_len = strlen(joint);
	room -= joint_len + 1;
	if (len > room)
		for (len = room; len > 0 && ((unsigned char)old[len] & 0xC0) == 0x80;)
			len--;
	memcpy(e->msg + head_len, joint, joint_len);
	memcpy(e->msg + head_len + joint_len, old, len);
	e->msg[head_len + joint_len + len] = '\0';
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	if (!e)
		return -ERR_INVALID; /* nobody kept the code; negative is what callers count on */
	char head[ERR_MSG_MAX];
	va_list ap;
	va_start(ap, fmt);
	size_t len = format_cut(head, sizeof(head), fmt, ap);
	va_end(ap);
	put_before(e, head, len);
	return e->code;
}

int err_errno(struct err *e, const char *fmt, ...)
{
	int code = errno;
	if (code == 0)
		code = EIO; /* whoever calls us has failed: 0 would read as success */
	if (!e)
		return -code;
	char head[ERR_MSG_MAX], why[128];
	va_list ap;
	va_start(ap, fmt);
	size_t len = format_cut(head, sizeof(head), fmt, ap);
	va_end(ap);
	const char *text = strerror_r(code, why, sizeof(why)); /* the GNU one: always a string */
	(void)snprintf(e->msg, sizeof(e->msg), "%s", text);
	put_before(e, head, len);
	e->code = -code;
	return -code;
}

const char *err_code_name(int code)
{
	switch (code < 0 ? -code : code) {
	case 0:
		return "ok";
	case ERR_INVALID:
	case EINVAL:
		return "invalid";
	case ERR_NOT_FOUND:
	case ENOENT:
		return "not_found";
	case ERR_LIMIT:
		return "limit";
	case ERR_NO_MEMORY:
	case ENOMEM:
		return "no_memory";
	case ERR_CONFLICT:
	case EEXIST:
		return "conflict";
	case ERR_STATE:
		return "state";
	case ERR_DENIED:
	case EACCES:
	case EPERM:
		return "denied";
	case ERR_MISSING:
		return "missing";
	default:
		return "io"; /* ERR_IO and the rest of errno: something outside failed */
	}
}
