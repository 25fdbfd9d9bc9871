/* SPDX-License-Identifier: Apache-2.0 */
/* Inside base/jsonpath*: the compiled query, its parser's hands and its walker's. */
#pragma once
#include "base/jsonpath.h"
#include "base/utf8.h"

struct regex; /* a compiled pattern (RFC 9485) */
struct jp_test;
struct jp_segment;

struct jp_query {
	struct jp_segment *first; /* none: the start itself */
	bool is_absolute;	  /* from $, else from @ */
	bool is_singular;
};

struct jp_segment {
	struct jp_segment *next;
	struct jp_selector *first;
	bool is_descendant;
};

enum jp_selector_kind { JP_NAME, JP_WILDCARD, JP_INDEX, JP_SLICE, JP_FILTER };

struct jp_slice {
	int64_t start, end, step;
	bool has_start, has_end;
};

struct jp_selector {
	struct jp_selector *next;
	enum jp_selector_kind kind;
	union {
		struct str name;
		int64_t index;
		struct jp_slice slice;
		struct jp_test *filter;
	};
};

/* What an argument or a comparison's side is. */
enum jp_term_kind { JP_LITERAL, JP_QUERY, JP_CALL };

struct jp_term {
	enum jp_term_kind kind;
	struct value literal;
	struct jp_query query;
	struct jp_call *call;
};

enum jp_type { JP_TYPE_VALUE, JP_TYPE_LOGICAL, JP_TYPE_NODES };
enum jp_function_id { JP_LENGTH, JP_COUNT, JP_VALUE, JP_MATCH, JP_SEARCH };
#define JP_ARGS_MAX 2

struct jp_function {
	const char *name;
	enum jp_function_id id;
	enum jp_type result;
	unsigned args;
	enum jp_type arg_types[JP_ARGS_MAX];
	const char *example; /* for the message about wrong arguments */
};

struct jp_call {
	const struct jp_function *function;
	struct jp_term args[JP_ARGS_MAX];
	const struct regex *regex; /* of a pattern written in the query; NULL when it is no I-Regexp */
};

enum jp_test_kind { JP_OR, JP_AND, JP_EXISTS, JP_COMPARE, JP_MATCHES };
enum jp_operator { JP_NO_OPERATOR, JP_EQ, JP_NE, JP_LT, JP_LE, JP_GT, JP_GE };

struct jp_test {
	struct jp_test *next; /* in the list of its OR or AND */
	enum jp_test_kind kind;
	bool is_negated;
	enum jp_operator operator;
	struct jp_test *first;	    /* JP_OR, JP_AND */
	struct jp_term left, right; /* JP_COMPARE both; JP_EXISTS and JP_MATCHES: left */
};

struct jsonpath {
	struct jp_query query;
	struct str doubt;
};

/* ---- parsing ---- */

struct jp_parser {
	struct arena *arena;
	struct str text;
	size_t pos;
	unsigned nesting;
	struct str doubt;
	struct err *e;
};

/* -ERR_INVALID with "JSONPath at offset N, near "...": " before the sentence. */
int jp_fail(struct jp_parser *p, size_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);
int jp_no_memory(struct jp_parser *p);
int jp_enter(struct jp_parser *p); /* one level deeper, or -ERR_LIMIT */
void jp_blanks(struct jp_parser *p);
bool jp_take(struct jp_parser *p, char c); /* true and behind it if it is next */
/* The next byte, 0 at the end. A NUL in the text is no lawful byte either. */
static inline char jp_peek(const struct jp_parser *p)
{
	return p->pos < p->text.len ? p->text.ptr[p->pos] : '\0';
}
/* At a quote; *ret borrows the parser's text or lives in the arena. */
int jp_parse_string(struct jp_parser *p, struct str *ret);
/* At '$' or '@'. */
int jp_parse_query(struct jp_parser *p, struct jp_query *ret);
/* A logical expression (RFC 9535 section 2.3.5.1). */
int jp_parse_test(struct jp_parser *p, struct jp_test **ret);
/* A literal, a query or a function call. */
int jp_parse_term(struct jp_parser *p, struct jp_term *ret);

/* ---- selecting ---- */

struct jp_eval {
	const struct value *root;
	uint64_t steps; /* spent so far */
	unsigned depth;
	struct err *e;
	/* The last pattern that came out of a document: mostly the next one is the same. */
	struct arena pattern_arena;
	struct str pattern;
	struct regex *pattern_regex;
	bool has_pattern;
};

/* Who gets the nodes: 0 = go on, 1 = enough, negative = error. */
struct jp_sink {
	int (*on_node)(struct jp_sink *sink, const struct value *v);
};

int jp_spend(struct jp_eval *ev, uint64_t steps);
/* Every node of the query; `current` is what @ means. Returns as the sink does. */
int jp_walk_query(struct jp_eval *ev, const struct jp_query *q, const struct value *current, struct jp_sink *sink);
/* The node of a singular query, or NULL. */
const struct value *jp_follow(const struct jp_query *q, const struct value *root, const struct value *current);
/* Does the filter hold for `current`? 1, 0 or -code. */
int jp_holds(struct jp_eval *ev, const struct jp_test *t, const struct value *current);
/* RFC 9535 section 2.3.5.2.2; NULL is Nothing. 1, 0 or -code. */
int jp_compare(struct jp_eval *ev, enum jp_operator op, const struct value *x, const struct value *y);

/* ---- patterns (I-Regexp, RFC 9485) ---- */

enum regex_kind { REGEX_CHAR, REGEX_ANY, REGEX_SET, REGEX_SPLIT, REGEX_JUMP, REGEX_BEGIN, REGEX_END, REGEX_MATCH };

struct regex_range {
	uint32_t first, last;
};

struct regex_set {
	struct regex_range *ranges;
	uint32_t n;
	uint32_t categories; /* bits */
	bool is_negated;
};

struct regex_state {
	uint8_t kind;
	uint16_t to[2]; /* REGEX_SPLIT both, REGEX_JUMP the first; else the next state follows */
	union {
		uint32_t c;
		const struct regex_set *set;
	};
};

struct regex {
	struct regex_state *states;
	unsigned n;
};

/* The code point at p and its bytes; p < end. What is no UTF-8 reads as U+FFFD, byte by byte. */
static inline uint32_t regex_code_point(const char *p, const char *end, size_t *ret_bytes)
{
	const unsigned char *b = (const unsigned char *)p;
	size_t n = utf8_sequence(p, end);
	*ret_bytes = n ? n : 1;
	switch (n) {
	case 1:
		return b[0];
	case 2:
		return (b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu);
	case 3:
		return (b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
	case 4:
		return (b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu);
	default:
		return 0xFFFD;
	}
}

/* -ERR_INVALID when the text is no I-Regexp (the message says where and why), -ERR_LIMIT, -ERR_NO_MEMORY. */
int regex_compile(struct arena *a, struct str text, struct regex **ret, struct err *e);
/* Does the pattern match all (`whole`) or some of the text? Time grows with text x states; *steps counts. False beyond
 * max_steps. */
bool regex_run(const struct regex *x, struct str text, bool whole, uint64_t *steps, uint64_t max_steps);
/* Bit of the general category of a code point. */
uint32_t category_of(uint32_t c);
/* Bits of "L", "Lu", ...; 0 when there is none of that name. */
uint32_t category_named(struct str name);
