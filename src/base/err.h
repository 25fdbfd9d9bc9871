/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: we cannot do what was asked. A negative code travels as the return value, the sentence in struct err, filled by
 * the one who knows and wrapped by those who add place. An outcome (HTTP 500, script threw) is data and not an err.
 */
#pragma once
#include "base/attr.h"
#include <stdarg.h>

#define ERR_MSG_MAX 1024 /* longest message kept; the rest is cut */

/* Codes beside errno's (returned negative, like errno's). */
enum err_code {
	ERR_INVALID = 10000, /* input breaks a rule: exit 3, HTTP 422 */
	ERR_NOT_FOUND,	     /* the named thing does not exist */
	ERR_LIMIT,	     /* a named limit was reached */
	ERR_NO_MEMORY,
	ERR_IO,	      /* disk, pipe or socket failed */
	ERR_CONFLICT, /* somebody else holds or changed it */
	ERR_STATE,    /* not possible in this state */
	ERR_DENIED,   /* not allowed */
	ERR_MISSING,  /* a feature or package is not here */
};

struct err {
	int code; /* 0 = none, else negative */
	char msg[ERR_MSG_MAX];
};

#define ERR_INIT ((struct err){ .code = 0 })

/* Fill `e` (may be NULL) and return -code. `code` is positive: an errno or an enum err_code. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Put "what: " before the message; keeps and returns the code (-ERR_INVALID if `e` is NULL). */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* As err_set with strerror(errno) appended; returns -errno. */
int err_errno(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The name of a code for problem types: "invalid", "not_found", ... never NULL. */
const char *err_code_name(int code);
