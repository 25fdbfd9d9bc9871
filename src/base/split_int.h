/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/split*: the splitter as a whole. split.c is the door, split_path.c reads paths, split_json.c walks
 * documents. */
#pragma once
#include "base/csv_table.h"
#include "base/json_int.h"
#include "base/split.h"

#define SPLIT_START_MAX (3 + SPLIT_PREFIX_MAX) /* a byte order mark and the prefix */
#define SPLIT_RAW_KEPT (256u << 10)	       /* a larger collecting buffer is given back after use */

/* What comes next in a document, white space aside. */
enum split_step {
	STEP_VALUE, /* a value */
	STEP_FIRST, /* the first item or key of the innermost container, or its end */
	STEP_KEY,   /* behind a comma */
	STEP_COLON,
	STEP_AFTER, /* behind a value: a comma or the end of the innermost container */
	STEP_END,   /* nothing */
};

/* What a value is to us. */
enum split_role { ROLE_PATH, ROLE_ELEMENT, ROLE_PASSED, ROLE_KEY };

/* A value or a line whose end has not come yet. What is in the buffer is the start of it. */
enum split_raw { RAW_NONE, RAW_NESTED /* strings, too */, RAW_NUMBER, RAW_WORD, RAW_LINE };

struct split {
	struct split_options o;
	struct arena path_arena;
	struct str names[SPLIT_NAMES_MAX];
	unsigned n;

	split_on_element *on; /* of the call under way */
	void *arg;
	uint64_t count;
	int result; /* negative: it has stopped */
	bool is_ended;
	struct err err; /* the failure, code 0 when it was the callback's */

	char start[SPLIT_START_MAX];
	size_t start_len;
	bool has_begun;

	struct json_error place; /* where `piece` begins in the body */
	struct str piece;
	struct arena a; /* of the value at hand */

	enum split_raw collecting;
	struct buf raw;
	struct json_error raw_place; /* where it begins in the body */
	unsigned raw_depth;
	bool in_string, in_escape;

	enum split_step step;
	enum split_role role; /* of the value that is due or being collected */
	unsigned open;	      /* containers of the path that are open: objects, and the list as number n + 1 */
	uint32_t seen;	      /* bit i: names[i] was there in the open object number i + 1 */
	bool has_list;

	struct csv_reader csv;
	struct csv_table table;
	struct arena table_arena;
};
_Static_assert(SPLIT_NAMES_MAX <= 32, "a bit for each name");

/* split_path.c: the names into `s`; and the path up to its first `names` names as a text for messages, clipped. */
int split_read_path(struct split *s, struct str path, struct err *e);
struct str split_path_text(const struct split *s, unsigned names, struct buf *b);

/* split.c: every failure passes through one of these, which keep it in `s` and return the code. */
int split_fail(struct split *s, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int split_fail_json(struct split *s, int code, const struct json_error *at, const char *why, struct str rest);
/* The place of a byte of the current piece. */
struct json_error split_place(const struct split *s, const char *p);
/* Collect [p, end) of the piece; the place of the first one is noted. */
int split_collect(struct split *s, const char *p, const char *end);
void split_collected(struct split *s); /* the buffer is empty again */
/* The text collected was refused at `je`. */
int split_fail_raw(struct split *s, int code, const struct json_error *je);
/* Hand an element out; what the callback says. */
int split_give(struct split *s, const struct value *v);

/* split_json.c */
int split_json_push(struct split *s, struct str bytes);
int split_json_end(struct split *s);
