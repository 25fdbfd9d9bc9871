/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer means when nobody says otherwise: the shipped rules, first that fits. The table follows the fault
 * matrix; it is shown to users in docs/guide/rules.md. A row whose needs are not met is passed over, and the last one
 * says no.
 */
#include "call/rules_int.h"

enum need {
	NEED_REPEATABLE = BIT(0),  /* the method, a key or a mark says that repeating does no harm */
	NEED_KEY = BIT(1),	   /* an idempotency key was sent */
	NEED_REFRESH = BIT(2),	   /* the credential can be renewed */
	NEED_RETRY_AFTER = BIT(3), /* the answer says when */
	NEED_LIMITED = BIT(4),	   /* Retry-After, or a rate limit with nothing remaining */
};

static const struct status_rule {
	struct status_range range;
	enum rule_then then;
	unsigned needs;
	unsigned most_tries; /* 0 = as many as the policy allows */
} status_rules[] = {
	{ { 200, 299 }, THEN_OK, 0, 0 },
	{ { 401, 401 }, THEN_REFRESH, NEED_REFRESH, 2 }, /* a second 401 is an answer */
	{ { 403, 403 }, THEN_WAIT, NEED_LIMITED, 0 },	 /* GitHub says it so */
	{ { 408, 408 }, THEN_RETRY, NEED_REPEATABLE, 0 },
	{ { 409, 409 }, THEN_RETRY, NEED_KEY, 0 },	   /* our own first try is still being worked on */
	{ { 413, 413 }, THEN_RETRY, NEED_RETRY_AFTER, 0 }, /* temporary, RFC 9110 15.5.14; it was not processed */
	{ { 421, 421 }, THEN_RETRY, 0, 0 },		   /* not processed: on another connection */
	{ { 425, 425 }, THEN_RETRY, 0, 2 },
	{ { 429, 429 }, THEN_WAIT, 0, 0 }, /* not processed */
	{ { 501, 501 }, THEN_FAIL, 0, 0 },
	{ { 505, 505 }, THEN_FAIL, 0, 0 },
	{ { 511, 511 }, THEN_FAIL, 0, 0 }, /* a captive portal */
	{ { 503, 503 }, THEN_WAIT, NEED_REPEATABLE | NEED_RETRY_AFTER, 0 },
	{ { 500, 999 }, THEN_RETRY, NEED_REPEATABLE, 0 }, /* 600 and more count as 5xx, RFC 9110 15 */
	{ { 0, 999 }, THEN_FAIL, 0, 0 },
};

static const struct error_rule {
	enum http_error error;
	enum rule_then then;
	unsigned most_tries;
} error_rules[] = {
	{ HTTP_ERROR_TLS_CERT, THEN_FAIL, 0 },
	{ HTTP_ERROR_TLS_PROTOCOL, THEN_FAIL, 0 },
	{ HTTP_ERROR_BLOCKED_ADDRESS, THEN_FAIL, 0 },
	{ HTTP_ERROR_INVALID_REQUEST, THEN_FAIL, 0 },
	{ HTTP_ERROR_TOO_LARGE, THEN_FAIL, 0 },
	{ HTTP_ERROR_HEADERS_TOO_LARGE, THEN_FAIL, 0 },
	{ HTTP_ERROR_CANCELLED, THEN_FAIL, 0 },
	{ HTTP_ERROR_DNS_NOT_FOUND, THEN_RETRY, 2 }, /* a name that is not there seldom appears */
	{ HTTP_ERROR_BAD_ENCODING, THEN_RETRY, 2 },
	{ HTTP_ERROR_ENHANCE_YOUR_CALM, THEN_WAIT, 0 }, /* HTTP/2's 429 */
};

/* No kind of authentication that is known so far renews its credential. */
static bool credential_can_refresh(const struct call_auth *auth)
{
	return auth->kind > AUTH_API_KEY;
}

static unsigned needs_met(const struct call_spec *s, const struct call_answer *x)
{
	unsigned met = 0;
	met |= key_lets_repeat(s, x) ? NEED_REPEATABLE : 0u;
	met |= call_spec_wants_key(s) && !x->is_key_gone ? NEED_KEY : 0u;
	met |= credential_can_refresh(&s->system.auth) ? NEED_REFRESH : 0u;
	met |= answer_header(x, "retry-after").len ? NEED_RETRY_AFTER : 0u;
	met |= wait_says_limited(x) ? NEED_LIMITED : 0u;
	return met;
}

static struct decision decide_error(const struct call_spec *s, const struct call_answer *x)
{
	struct decision d = { .then = THEN_RETRY, .owner = "default" };
	for (size_t i = 0; i < ARRAY_LEN(error_rules); i++) {
		if (error_rules[i].error == x->error) {
			d.then = error_rules[i].then;
			d.most_tries = error_rules[i].most_tries;
		}
	}
	/* Credentials do not get better by themselves; there are proxies that say 401. */
	if (x->error == HTTP_ERROR_PROXY && (x->status == 407 || x->status == 401))
		d.then = THEN_FAIL;
	if (d.then != THEN_FAIL && x->certainty != HTTP_NOT_SENT && !key_lets_repeat(s, x))
		d.then = THEN_FAIL;
	return d;
}

struct decision rules_default_decide(const struct call_spec *s, const struct call_answer *x)
{
	struct decision d = { .then = THEN_FAIL, .owner = "default" };
	if (x->error != HTTP_ERROR_NONE)
		return decide_error(s, x);
	if (x->status >= 200 && x->status <= 299) {
		d.then = THEN_OK;
		return d;
	}
	unsigned met = needs_met(s, x);
	for (size_t i = 0; i < ARRAY_LEN(status_rules); i++) {
		const struct status_rule *r = &status_rules[i];
		if (x->status < r->range.from || x->status > r->range.to || (r->needs & ~met))
			continue;
		d.then = r->then;
		d.most_tries = r->most_tries;
		break;
	}
	return d;
}
