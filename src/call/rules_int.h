/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of meaning: what they look at, what they decide. Shared by rules.c, rules_default.c, message.c and judge.c. */
#pragma once
#include "call/call_int.h"

#define RULES_MAX 100		   /* of one system, connector or operation */
#define RULE_STATUSES_MAX 32	   /* of one rule */
#define RULE_HEADERS_MAX 16	   /* of one rule */
#define RULE_MATCH_MAX (64u << 10) /* bytes of a value that a pattern looks at */

enum rule_then { THEN_OK, THEN_RETRY, THEN_WAIT, THEN_REFRESH, THEN_SKIP, THEN_FAIL };

struct status_range {
	int from, to;
};

enum test_kind { TEST_NONE, TEST_EXISTS, TEST_MISSING, TEST_EQUALS, TEST_MATCHES };

struct header_test {
	struct str name; /* lower case */
	enum test_kind kind;
	struct str pattern;
};

/* A part of a message: text, or what stands in its place. */
struct message_part {
	enum { PART_TEXT, PART_STATUS, PART_REASON, PART_HEADER, PART_BODY } kind;
	struct str text; /* of a header: its name in lower case */
	struct call_result_rule *path;
};

struct rule {
	struct status_range *statuses;
	size_t n_statuses; /* 0 = any */
	struct header_test *headers;
	size_t n_headers;
	struct call_result_rule *path; /* into the body */
	enum test_kind body;
	const struct value *equals;
	struct str pattern;
	uint64_t errors;      /* bits of enum http_error: the rule is for calls without an answer */
	unsigned certainties; /* bits of enum http_certainty */
	enum rule_then then;
	struct message_part *message;
	size_t n_message;     /* 0 = the usual message */
	struct str wait_from; /* lower case; empty = the usual headers */
};

/* An answer while it is judged; its body is read when somebody asks. */
struct judging {
	const struct call_spec *spec;
	const struct call_answer *x;
	struct arena *a;
	struct content content; /* as the operation expects it */
	struct content looked;	/* as rules look at it */
	bool is_read, is_looked_at, is_out_of_memory;
};
/* The body as rules see it; null when it cannot be read. */
const struct value *judging_body(struct judging *j);
/* What a path leads to in it, kept in `ret`; NULL when nowhere, also when it would cost too much. */
const struct value *judging_follow(struct judging *j, const struct call_result_rule *path, struct value *ret);

/* One condition, as `when` of a rule holds it. */
void rule_when_load(struct arena *a, const struct value *when, struct told *t, struct rule *ret);
bool rule_fits(const struct rule *r, struct judging *j);

/* What was decided, and by whom. */
struct decision {
	enum rule_then then;
	const struct rule *rule; /* NULL = the shipped ones */
	const char *owner;	 /* "operation", "connector", "system" or "default" */
	size_t number;		 /* of the rule, from 1 */
	unsigned most_tries;	 /* 0 = the policy's */
};
struct decision rules_decide(struct judging *j);
struct decision rules_default_decide(const struct call_spec *s, const struct call_answer *x);

/* `*` is any run of bytes, `?` one; ASCII letters in any case. All of `text` or nothing. */
bool pattern_matches(struct str pattern, struct str text);

/* ---- messages ---- */

/* Reads {status}, {reason}, {header:NAME}, {body:$.path}; `{{` is a brace. */
void message_load(struct arena *a, const struct value *text, struct told *t, struct rule *ret);
/* One safe line in the arena; ptr NULL when out of memory. */
struct str message_write(struct judging *j, const struct rule *rule);

/* ---- waiting ---- */

struct wait_hint {
	msec_t ms;
	struct str source; /* the header's name, ptr NULL = none says anything */
	bool is_clamped;
};
/* What the answer asks for: in `first` (lower case, may be empty), else Retry-After, RateLimit, X-RateLimit-Reset. */
struct wait_hint wait_find(const struct call_answer *x, struct str first);
bool wait_says_limited(const struct call_answer *x); /* Retry-After, or nothing remaining */
/* Any of the three forms of RFC 9110 5.6.7. */
bool http_date_parse(struct str text, msec_t now, msec_t *ret);
