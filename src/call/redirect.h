/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redirects (RFC 9110 15.4), by our own rules: the HTTP client never follows one. GET and HEAD follow 301, 302, 303, 307 and 308; other methods
 * follow 303 as GET, and 307 and 308 with the same method and body; 301 and 302 of other methods are reported, since clients disagree on them. A
 * change of scheme, host or port drops every credential; from https to http nothing that held one is followed.
 */
#pragma once
#include "call/call.h"

#define CALL_HOPS_MAX 5 /* redirects followed for one call */

enum call_hop {
	CALL_HOP_NONE,	  /* not a redirect to follow: judge the answer as it is */
	CALL_HOP_FOLLOW,  /* *ret is the next request */
	CALL_HOP_REFUSED, /* *ret_reason says why: a loop, too many, an address that is none */
};

/* Where a call has been. Zeroed at its start. */
struct call_trail {
	struct str urls[CALL_HOPS_MAX + 1];
	unsigned n;
	bool left_origin; /* credentials were dropped and stay so */
};

/*
 * Look at the answer of `from`. `headers` are those of the answer as they came (call_answer has them masked). The next request lives in `a`, shares
 * the body of `from`, and its shadow is masked like any other. It takes
 * the same proxy, whose credentials are none of the server's.
 */
enum call_hop call_redirect(const struct call_request *from, int status, const struct headers *headers, struct secrets *secrets,
			    struct call_trail *trail, struct arena *a, struct call_request *ret, struct str *ret_reason);
/* Would an answer of this status to this method be followed, if it has a Location? */
bool call_redirect_is_followed(enum call_method method, int status);
