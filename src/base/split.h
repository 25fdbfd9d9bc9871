/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elements of a list inside a body of any size, one after the other, in memory that does not grow with the body:
 * bytes are pushed as they come, and each element is handed out as soon as its end was seen. Pure: no I/O, no clock.
 *
 * What counts as JSON is decided by json_parse() alone. Only the containers on the path are walked here; every other
 * value is collected until its end and then parsed, those that are passed over as well: so the whole body is accepted
 * exactly when json_parse() would accept it, with the same reason and the same place, counted in the whole body, when
 * it would not.
 */
#pragma once
#include "base/value.h"

enum split_kind {
	SPLIT_JSON,  /* one document; the elements of the list at the path */
	SPLIT_LINES, /* NDJSON: a JSON value a line, LF or CRLF; empty lines are passed over, the last one needs no end
		      */
	SPLIT_CSV,   /* RFC 4180: the first record names the columns, each other one is an object of strings */
};

#define SPLIT_ELEMENT_MAX (16u << 20) /* bytes of one element's text, and of any one value or key that is passed over  \
				       */
#define SPLIT_NAMES_MAX 16	      /* names in a path */
#define SPLIT_PREFIX_MAX 64	      /* bytes of `json_prefix` */

struct split_options {
	enum split_kind kind;
	struct str path;	/* "$[*]", "$.data[*]", "$.a['b c'].d[*]"; copied. LINES and CSV: "$[*]" only */
	struct str json_prefix; /* JSON: cut off if the body begins with it; may be empty; copied */
	unsigned
	    max_depth; /* containers inside containers, those that lead to the element counted; 0 = VALUE_DEPTH_MAX */
	size_t max_element; /* bytes; 0 = SPLIT_ELEMENT_MAX, which is also the most */
};

struct split;

/*
 * One element, parsed; numbers keep their text, of repeated keys the last one stays. The value and all that it points
 * to lives until the function returns (value_copy() what shall stay). 0, or negative: then the splitter stops, and that
 * number is what split_push() or split_end() returns. It must not push to the same splitter or free it.
 */
typedef int split_on_element(void *arg, const struct value *element);

/*
 * Is `path` one that can be split by? A path is a query of RFC 9535 that is "$", up to SPLIT_NAMES_MAX names, and a
 * wildcard at its end. 0, -ERR_INVALID (the sentence says what to write), -ERR_LIMIT, -ERR_NO_MEMORY.
 */
int split_check_path(enum split_kind kind, struct str path, struct err *e);
/* NULL and `e` filled: as split_check_path(); -ERR_LIMIT for a json_prefix that is too long. */
struct split *split_new(const struct split_options *o, struct err *e);
void split_free(struct split *s); /* NULL is fine */
/*
 * The next bytes of the body, in pieces of any size, even none; borrowed until it returns. `on` may be called any
 * number of times. A byte order mark (UTF-8) at the very start is dropped.
 *
 * 0, the negative number of `on` (`e` is then as `on` left it), or
 * -ERR_INVALID    the body is broken: "invalid JSON at offset N (line L, column C): reason", "line L: ..." for CSV;
 * also when a name of the path comes twice in its object, for the last one cannot win once the first one's elements are
 * out -ERR_NOT_FOUND  the body is not broken so far, but what stands at the path is no list: the sentence names the
 * kind -ERR_LIMIT      an element or another value is too long, or nested too deeply -ERR_NO_MEMORY A failure stays:
 * later calls give the same number again and call nobody.
 */
int split_push(struct split *s, struct str bytes, split_on_element *on, void *arg, struct err *e);
/*
 * The body has ended. 0 only when it was whole and the list was there: a list, or null in its place, which counts as an
 * empty one. A last line or record without a line end is handed out here. LINES and CSV: an empty body is a list of
 * nothing. Errors as for split_push(); -ERR_NOT_FOUND when the path leads nowhere ("the answer has no list at $.data").
 */
int split_end(struct split *s, split_on_element *on, void *arg, struct err *e);
uint64_t split_count(const struct split *s); /* elements for which `on` was called */
