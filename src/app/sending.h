/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run that sends what was shown (weir run --plan --send, --over ID --send). It is prepared in the store as a run that
 * has not begun: its input, the requests that were shown, the answers that it may take over. Then it is resumed like
 * any other; see docs/internals/ledger.md.
 */
#pragma once
#include "app/cassettes.h"

#define SENDING_MAX_BYTES (256u << 20) /* of requests that are shown before they are sent */

/* What becomes of a call. */
enum call_fate {
	FATE_SEND,
	FATE_TAKE,    /* it was answered: the answer is taken over */
	FATE_HOLD,    /* whether the recorded one happened nobody knows */
	FATE_NOTHING, /* its item will not be there: another answer will make other items */
};

struct shown_call {
	uint64_t item;
	size_t step; /* in the plan */
	enum cassette_verdict verdict;
	enum call_fate fate;
	struct str text; /* as its intent, under the key of the run that it was shown for */
};

/* An item that a list was made into. */
struct shown_made {
	uint64_t item, parent;
	size_t maker;
	bool is_kept; /* its list's answer is taken over */
};

struct sending {
	struct app *app;
	struct plan *plan;
	struct run_row shown_as;      /* now, seed, id that the requests were made with; env */
	const struct recalled *donor; /* whose input and answers; NULL = the input is the tape's */
	const struct cassette *tape;  /* input, when there is no donor */
	struct arena arena;
	struct shown_call *calls;
	size_t n_calls, cap_calls;
	size_t n_shown; /* calls of stretches that are over */
	struct shown_made *made;
	size_t n_made, cap_made;
	uint64_t n_items; /* items 0..n-1 of the input */
	const char *what; /* --send: all, changed, new, a step, or numbers of items */
	uint64_t *chosen; /* sorted; NULL = all */
	size_t n_chosen;
	bool is_full;
	int64_t id; /* of the run that was prepared */
};

/* An item is among those chosen. */
bool sending_has(const struct sending *s, uint64_t item);
/* The shown call, or NULL; the item that a list was made into, or NULL. After sending_choose(). */
const struct shown_call *sending_call(const struct sending *s, uint64_t item, size_t step);
const struct shown_made *sending_made(const struct sending *s, uint64_t item);
/* sending_write.c: the run into the store, so that it has only to be resumed; s->id is its number. 0 or -code. */
int sending_write(struct sending *s, struct err *e);

void sending_init(struct sending *s, struct app *a, struct plan *p, const char *what);
void sending_done(struct sending *s);
/* cassette_play's on_request; arg is the sending. */
void sending_on_request(void *arg, const struct cassette_request *rq);
/* Of a stretch that was shown: which of its items a list was made into. */
void sending_stretch(struct sending *s, const struct cassette *tape);
/* All is shown. An exit code: EXIT_USAGE for a word that is none, EXIT_INVALID where it chooses nothing. */
int sending_choose(struct sending *s);
/* Requests of the items chosen: how many are to be sent, by method ("3 POST"), in `b`; how many items are held. */
uint64_t sending_count(const struct sending *s, struct buf *b, uint64_t *ret_held, uint64_t *ret_taken);
/* --send without --yes wants a terminal: false after saying so. Before anything is done. */
bool sending_may_ask(bool yes);
/*
 * Tell what will be sent and ask, unless `yes`; then prepare the run. *ret_goes: it is to be resumed, its number is
 * s->id. An exit code.
 */
int sending_prepare(struct sending *s, bool yes, bool *ret_goes);
