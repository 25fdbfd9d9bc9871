/* SPDX-License-Identifier: Apache-2.0 */
/* Rules tried on recorded answers, without a network: what `weir check --answers` does. */
#pragma once
#include "call/call.h"

/* What became of one line. Texts live until the callback returns. */
struct call_recorded {
	unsigned line;
	struct str operation; /* "GET crm/contacts /users" */
	enum call_verdict verdict;
	struct str rule;    /* who decided */
	struct str message; /* the problem's detail; ptr NULL = none */
	msec_t wait_ms;
	struct str expected; /* ptr NULL = nothing was expected */
	bool holds;
	const char *mistake; /* the line cannot be judged: a sentence; all but `line` is empty then. NULL = judged */
};
typedef void call_recorded_tell(void *arg, const struct call_recorded *r);

/*
 * Judge each line of `text`: { operation: { system, connector, method_name, query_path }, status, headers, body, expect
 * }, or with error and certainty in status' place. `headers` is an object of name: value or [values], `body` a text, or
 * any other value as its JSON. `systems` is the object of systems by name. Returns the number of lines that do not hold
 * or cannot be judged.
 */
unsigned call_recorded_check(const struct value *systems, struct str env, struct str text, call_recorded_tell *each,
			     void *arg);
