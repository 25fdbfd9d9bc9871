/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt of a call as people look at it: why it was made, how long it stood before its bytes left, and where its
 * time on the wire went. Only what cannot be computed again is kept: the reason and the wait with the intent, marks of
 * the clock with the answer; the rest is made of them here.
 */
#pragma once
#include "call/call.h"

/* Why an attempt was made. Names are in ledgers: they may be added to, not changed. */
#define CALL_WHYS(X)                                                                                                   \
	X(FIRST, "first")	/* the call's first */                                                                 \
	X(ASKED, "asked")	/* the answer before named a time to come back */                                      \
	X(BACK_OFF, "back_off") /* the attempt before failed; the wait is ours */                                      \
	X(REDIRECT, "redirect") /* the answer before named another address */                                          \
	X(RESUMED, "resumed")	/* the run was interrupted after the attempt before, or during it */                   \
	X(IDENTITY, "identity") /* the answer before could not be unpacked: asked for again as it is */               \
	X(DECIDED, "decided")	/* a person decided that it is to be sent again, or a probe */                         \
	X(NEW_KEY, "new_key")	/* the answer before was saved under the key, and nothing was done */
enum call_why {
#define X(name, text) CALL_WHY_##name,
	CALL_WHYS(X)
#undef X
};
const char *call_why_name(enum call_why w);

/* What is kept with an intent that is not the first of its call. */
struct call_again {
	enum call_why why;
	uint64_t wait_us;  /* from the end of the attempt before until this one might go, on our clock */
	struct str header; /* ASKED: that named the time, in lower case; ptr NULL = a rule did */
	msec_t asked;	   /* ASKED: what it asked for */
	struct str by;	   /* DECIDED: who; ptr NULL = not known */
	uint32_t key_number; /* of the idempotency key that goes with it; 0 = the call's first */
};

/* Append `masked` (a request's shadow) to `b` with `again` as its member "again". 0, or the buffer's code. */
int call_again_write(const struct call_again *again, struct str masked, struct buf *b);
/* Take the member "again" out of a recorded request. FIRST when there is none, or one that this version cannot read. */
struct call_again call_again_take(struct value *request);

/* Why calls of a step were held back: the answer that asked for rest. Kept with the answers of those it held. */
struct call_rest {
	int status;
	struct str header;
	msec_t asked;
};
struct value call_rest_value(const struct call_rest *rest, struct arena *a); /* absent when out of memory */
bool call_rest_read(const struct value *v, struct call_rest *ret);

/* Phases of an attempt in the order in which they happen. Names are the REST face's. */
#define CALL_PHASES(X)                                                                                                 \
	X(QUEUE, "queue")     /* waiting for a slot, and for the intent to be on disk */                               \
	X(LIMITER, "limiter") /* held back because an answer asked for rest */                                         \
	X(DNS, "dns")                                                                                                  \
	X(CONNECT, "connect")                                                                                          \
	X(TLS, "tls")                                                                                                  \
	X(SEND, "send") /* the request on its way out */                                                               \
	X(WAIT, "wait") /* until the first byte of the answer */                                                       \
	X(BODY, "body") /* from the first byte to the last */
enum call_phase {
#define X(name, text) CALL_PHASE_##name,
	CALL_PHASES(X)
#undef X
	    CALL_PHASE_COUNT
};
const char *call_phase_name(enum call_phase p);

enum call_connection { CALL_CONNECTION_UNKNOWN, CALL_CONNECTION_NEW, CALL_CONNECTION_REUSED };

struct call_phases {
	uint64_t us[CALL_PHASE_COUNT]; /* 0 = did not happen, or took less than can be seen */
	uint64_t total_us;	       /* of all of them */
	uint64_t wire_us;	       /* without queue and limiter */
	enum call_connection connection;
};

/*
 * Phases out of an answer's timings (milliseconds since the start of the transfer, as call_answer has them). What an
 * attempt that broke off spent after its last mark belongs to the phase that it was in. Anything may be missing or
 * damaged: what cannot be read took no time.
 */
struct call_phases call_phases_of(const struct value *timings);

/* One attempt with all that there is to tell. */
struct call_attempt {
	uint32_t number;
	struct call_again again;
	int status;	    /* 0 = no answer */
	struct str error;   /* name; ptr NULL = none */
	struct str verdict; /* ptr NULL = not known yet */
	struct str rule;    /* who gave it; ptr NULL = nobody had to */
	bool has_outcome;
	struct call_phases phases;
	struct call_rest rest; /* where the limiter took time */
	bool has_rest;
	/* of the attempt before */
	int status_before;
	struct str error_before;
	struct str url_before; /* masked */
};

/* The reason in words: "Retry-After: 2 s", "back-off after 503", "redirect from /a". Empty for the first; in `a`. */
struct str call_attempt_why(const struct call_attempt *x, struct arena *a);
/* Who held it back: "rest after 429, Retry-After: 2 s". Empty when nobody did; in `a`. */
struct str call_attempt_rest(const struct call_attempt *x, struct arena *a);
/* 1234 as "1.234", 2000 as "2": milliseconds for JSON. */
struct value call_msec_value(struct arena *a, uint64_t usec);
/* "250 ms", "2 s", "1.5 s", "3 min 20 s". */
struct str call_duration_text(struct arena *a, msec_t ms);
/* "Service Unavailable"; empty for a status that RFC 9110 does not know. */
const char *call_status_phrase(int status);
