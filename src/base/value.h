/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON values. Numbers keep their text, objects keep key order, everything lives in an arena or borrows bytes that live
 * as long. A value is 16 bytes and may be copied by assignment: the copy shares what it points to. Values are not changed
 * behind a sharer's back: value_set() and value_push() change the container they are given, so share only what is finished.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum value_kind {
	VALUE_ABSENT = 0, /* no value at all: what a path that leads nowhere gives; never inside containers */
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_NUMBER, /* text as it stood, RFC 8259 grammar */
	VALUE_STRING, /* UTF-8, may contain NUL */
	VALUE_ARRAY,
	VALUE_OBJECT,
};

struct value {
	uint8_t kind;
	uint8_t truth;	  /* VALUE_BOOL */
	uint8_t cap_log2; /* containers: room is at least 1 << cap_log2, 0 with len 0 = none */
	uint8_t flags;
	uint32_t len; /* bytes, items or members */
	union {
		const char *text;
		struct value *items;
		struct member *members;
	};
};

struct member {
	struct str key;
	struct value value;
};

#define VALUE_NONE ((struct value){ .kind = VALUE_ABSENT })
#define VALUE_DEPTH_MAX 100 /* containers inside containers, for parser, writer and copies */

struct value value_null(void);
struct value value_bool(bool b);
struct value value_string(struct str s);	    /* borrows */
struct value value_string_copy(struct arena *a, struct str s); /* absent when out of memory, as the two with an arena below */
struct value value_number_text(struct str text);    /* borrows; the caller vouches for the grammar */
struct value value_int(struct arena *a, int64_t n);
struct value value_double(struct arena *a, double d); /* shortest text that reads back as d; not finite gives null */
struct value value_array(void);
struct value value_object(void);

static inline struct str value_text(const struct value *v)
{
	return (struct str){ v->text, v->len };
}
static inline bool value_is(const struct value *v, enum value_kind k)
{
	return v && v->kind == k;
}
static inline bool value_is_string(const struct value *v, struct str s)
{
	return value_is(v, VALUE_STRING) && str_eq(value_text(v), s);
}
const char *value_kind_name(enum value_kind k); /* "null", "boolean", "number", "string", "array", "object", "absent" */

/* Member by key, the last one where keys repeat; NULL when absent or `v` is no object. Borrowed until the object changes. */
struct value *value_get(const struct value *v, struct str key);
struct value *value_get_c(const struct value *v, const char *key);
struct value *value_at(const struct value *v, size_t i); /* item i of an array, or NULL */
/* Put or replace a member; the key is copied only if `a_key` says so. 0 or -code. */
int value_set(struct arena *a, struct value *object, struct str key, struct value v);	   /* borrows the key */
int value_set_copy(struct arena *a, struct value *object, struct str key, struct value v); /* copies the key */
/* As value_set, but the caller knows that the key is new: no search, so building a large object stays linear. */
int value_add(struct arena *a, struct value *object, struct str key, struct value v);
bool value_remove(struct value *object, struct str key); /* every member of that key; true if there was one */
int value_push(struct arena *a, struct value *array, struct value v);
/* Deep copy into `a`, bytes included. 0, -ERR_NO_MEMORY, or -ERR_LIMIT beyond VALUE_DEPTH_MAX. */
int value_copy(struct arena *a, const struct value *v, struct value *ret);
/* Same JSON text up to key order? Numbers are compared as text. Containers deeper than VALUE_DEPTH_MAX are equal to nothing. */
bool value_eq(const struct value *x, const struct value *y);

/* Numbers out of text. False when `v` is no number, not whole (1.0 and 1e2 are whole) or out of range. */
bool value_to_int64(const struct value *v, int64_t *ret);
bool value_to_double(const struct value *v, double *ret); /* nearest double, "1e400" gives infinity; false when no number */
/* Does a double hold exactly this decimal text, in the sense that its shortest text equals it numerically? */
bool value_number_fits_double(struct str text);
/* Is `text` exactly what JavaScript would print for that number? */
bool value_number_is_canonical(struct str text);

/* cap_log2 of a container that holds exactly `len`: for those who lay out items themselves. */
uint8_t value_cap_log2(size_t len);
