/* SPDX-License-Identifier: Apache-2.0 */
/* Execute API call, inside: what is compiled, and one call's life. */
#pragma once
#include "call/attempt.h"
#include "call/call.h"
#include "call/redirect.h"
#include "step/file_sink.h"
#include "step/folder.h"
#include "step/step_int.h"

#define API_CALL_IN_FLIGHT_DEFAULT 32
#define API_CALL_ATTEMPTS_DEFAULT 3
#define API_CALL_BACKOFF_BASE 500  /* ms; full jitter below base * 2^n */
#define API_CALL_BACKOFF_CAP 60000 /* ms */
#define API_CALL_ITEMS_MAX 10000000 /* items out of one answer, unless max_items says otherwise */
#define API_CALL_ITEMS_DEPTH 20	   /* containers of an item around an element of the list */
#define API_CALL_REST_HEADER 64	   /* bytes kept of the name of a header that asks for rest */
#define API_CALL_FILES_WAIT 100	   /* ms; rest of the step's calls when too many files are open in this process */

struct api_call_opts {
	struct str result_store_field, system, connector, query_path, method_name;
	const struct value *parameters_mapping;
	struct str result, items;
	int64_t max_items;
	int64_t in_flight;
	int order;
	int64_t attempts;
	bool follow_redirects;
	msec_t max_wait;
	msec_t connect_timeout, first_byte_timeout, total_timeout;
	uint64_t max_body;
};

#define API_CALL_PROBE_BY "probe"	    /* who has decided, in the ledger */
#define API_CALL_PROBE_BODY 4096	    /* bytes kept of an answer that decided */
#define API_CALL_PROBE_RESULT_MAX (1u << 20) /* bytes of JSON that a probe may give as result, like a person */

struct api_call_plan {
	struct step_scripts scripts; /* of the mapping; first, see step_int.h */
	struct step_scripts probe_scripts; /* of the probe's mapping */
	struct call_spec *spec;
	struct call_result_rule *rule;
	struct call_limits limits; /* the step's over the system's */
	size_t in_flight;
};

/*
 * One call:
 *
 *   start -> [SCRIPTING] -> built -+- repeatable ----------> RECORDING -> SENDABLE -> IN_FLIGHT -> judged
 *                                  '- not -> WAITING (slot) -> RECORDING ------------^    |
 *                                                              ^-------- BACKOFF <--------'
 *
 * A call whose outcome is not known goes through the PROBE states (api_call_probe.c) and comes back decided.
 *
 * The intent is on disk before bytes leave: RECORDING ends with its commit. A call that must not be repeated takes its slot first,
 * so that after a kill only what was really under way is unknown; a repeatable one is recorded ahead, so that commits come in groups.
 */
#define API_CALL_STATES(X)                                                                                             \
	X(SCRIPTING)                                                                                                   \
	X(WAITING)                                                                                                     \
	X(RECORDING)                                                                                                   \
	X(SENDABLE)                                                                                                    \
	X(IN_FLIGHT)                                                                                                   \
	X(BACKOFF)                                                                                                     \
	X(PROBE_WAIT)                                                                                                  \
	X(PROBE_SCRIPTING)                                                                                             \
	X(PROBE_READY)                                                                                                 \
	X(PROBING)                                                                                                     \
	X(DECIDING)
enum api_call_state {
#define X(name) API_CALL_##name,
	API_CALL_STATES(X)
#undef X
	    API_CALL_STATE_COUNT
};

/* What the attempts so far would mean if the system did not know their key any more. The worst of them counts. */
enum api_call_doubt {
	API_CALL_NO_DOUBT,    /* nothing was done */
	API_CALL_REFUSED,     /* an error was answered that only a key allows to try again */
	API_CALL_MAY_BE_DONE, /* no answer came */
};

/* A call that is asked after. In the item's arena. */
struct api_call_probe {
	struct call_judgement unknown; /* what is told when no probe tells anything */
	struct call_request request;   /* masked.ptr NULL = not yet built */
	unsigned sent;
	enum call_probed said;
	struct str result; /* as JSON; empty = null */
};

struct api_call_items;

struct api_call {
	struct list link; /* in the step's list of its state */
	struct step *step;
	struct item *item;
	enum api_call_state state;
	uint32_t attempt;
	uint32_t tries; /* attempts that went out or ended, those of earlier processes too; one killed under way does not count */
	bool has_slot;
	bool wants_identity; /* a content coding was broken: ask for none */
	bool wants_fresh;    /* over another connection than the one that was answered on */
	struct call_request request;
	struct call_request first; /* as built: where a retry begins again after redirects */
	struct call_trail trail;
	struct http_transfer *transfer;
	struct api_call_items *items; /* its list becomes items; NULL = not yet, or never */
	struct call_body *body;	    /* files of the body, open while it is sent; NULL = it never had any */
	struct file_sink *file; /* where the answer goes; NULL = never asked */
	struct loop_timer timer;
	struct api_call_probe *probe; /* NULL = nothing is to be asked */
	enum api_call_doubt doubt;
	uint32_t key_number;	      /* 0 = the first; recorded with the intent */
	msec_t key_since;	      /* wall clock of the key's first intent; 0 = not yet used */
	uint64_t key_since_ns;	      /* the same by this process's clock; 0 = in another one */
	struct call_again again;      /* why this attempt is made */
	uint64_t ready_ns, sent_ns;   /* when it could go but for slot, disk and rest; when it went out */
	uint64_t ended_ns;	      /* when the attempt before ended; 0 = there is none */
	uint64_t rested_ns;	      /* the step's rests: until ready_ns, from sent_ns on those in between */
	struct value rest;	      /* who asked for these; absent = there were none */
};

struct api_call_step {
	struct step *step;
	const struct api_call_plan *plan;
	struct batch *batch; /* NULL = the mapping needs no JavaScript */
	struct batch *probe_batch; /* the same of the probe's */
	struct list in[API_CALL_STATE_COUNT];
	size_t slots_used;
	struct loop_timer pause; /* while it runs nothing is sent: an answer asked for it */
	struct folder folder;
	uint64_t rested_ns;	 /* pauses that are over, summed up */
	uint64_t rest_since_ns;	 /* 0 = no pause runs */
	struct call_rest rest;	 /* who asked for the latest one */
	char rest_header[API_CALL_REST_HEADER];
	struct buf scratch;
	bool is_pumping;
};

/*
 * api_call_times.c: what is told of an attempt. ready, sent, ended follow each other for each attempt; why is said between ended and ready.
 */
void api_call_is_ready(const struct api_call_step *st, struct api_call *c);
void api_call_goes_out(const struct api_call_step *st, struct api_call *c);
void api_call_has_ended(struct api_call *c, struct call_answer *x); /* adds its times to the answer */
void api_call_again(struct api_call *c, enum call_why why); /* another attempt is due */
void api_call_again_after(struct api_call *c, const struct call_judgement *j, msec_t wait); /* after a failure, `wait` from now */
void api_call_resumes(struct api_call *c, const struct ledger_row *last); /* an earlier process got as far as this row */
void api_call_is_decided(struct api_call *c, const struct ledger_row *decision, struct str by); /* to be sent again */
void api_call_rest_begins(struct api_call_step *st, const struct call_answer *x, const struct call_judgement *j);
void api_call_rest_ends(struct api_call_step *st);
/* What the ledger keeps of the intent; borrows the request or `scratch`. */
struct str api_call_intent(const struct api_call *c, struct buf *scratch);

/* api_call_items.c: the list in an answer becomes items. */
struct http_sink *api_call_items_sink(struct api_call *c, struct err *e); /* for one try; NULL with e set */
/*
 * The try has ended. True when the list was taken apart on its way: the rest is done there, at once or once all is on disk. Else the answer, perhaps
 * with a body that was held, goes the usual way.
 */
bool api_call_items_ended(struct api_call *c, const struct http_response *r, struct call_answer *x, char **body);
void api_call_items_judged(struct api_call_step *st, struct api_call *c, const struct value *result); /* ok as a whole */
bool api_call_items_recalled(struct api_call_step *st, struct api_call *c, const struct call_answer *x); /* true: done */
void api_call_items_free(struct api_call *c);

/* api_call_key.c */
struct str api_call_key(const struct api_call_step *st, const struct api_call *c); /* in the item's arena; null = none, or no memory */
void api_call_key_is_used(struct api_call *c, msec_t at);			   /* its intent is recorded now */
/* Its age `later` ms from now would be more than the system remembers. False where repeating does not rest on it. */
bool api_call_key_is_gone(const struct api_call_step *st, const struct api_call *c, msec_t later);
/* The call ends as failed: where it may have been made, that and the age of its key are recorded, for a retry drops the attempts. */
void api_call_key_failed(const struct api_call_step *st, const struct api_call *c);
void api_call_key_answered(const struct api_call_step *st, struct api_call *c, const struct call_answer *x); /* doubts */
void api_call_key_next(struct api_call *c); /* the next attempt has another one */
int api_call_key_renew(const struct api_call_step *st, struct api_call *c); /* c->first has the next one; or -ERR_NO_MEMORY */
/* Number, age and doubts out of the ledger; what was before `decision` (may be NULL) is not doubted. */
void api_call_key_recall(const struct api_call_step *st, struct api_call *c, const struct ledger_row *decision);
/*
 * The end of a call whose key is gone: unknown where it may have been done, else failed. `last`: the judgement of its last answer, NULL = none is at
 * hand. The second one acts on it: the call ends so, or is asked after.
 */
struct call_judgement api_call_key_problem(const struct api_call_step *st, const struct api_call *c, const struct call_judgement *last);
void api_call_key_expired(struct api_call_step *st, struct api_call *c, const struct call_judgement *last);

/* api_call_probe.c */
/* Whether it was done is not known: by this judgement, or as keyed attempts broke and none is left that could tell. */
bool api_call_is_in_doubt(const struct api_call *c, const struct call_judgement *j);
/* Nobody knows what became of the newest attempt: it is asked after if there is a probe, else that is how the item ends. */
void api_call_is_unknown(struct api_call_step *st, struct api_call *c, const struct call_judgement *j);
/* The same before the request is built: true when c->probe is set and api_call_probe_begins() is to follow. */
bool api_call_probe_wanted(struct api_call_step *st, struct api_call *c, const struct call_judgement *unknown);
/* The run winds down: who waits to ask does not; a resumed run does. */
void api_call_probe_stop(struct api_call_step *st);
void api_call_probe_begins(struct api_call_step *st, struct api_call *c);
void api_call_probe_is_due(struct api_call_step *st, struct api_call *c);
void api_call_probe_scripted(struct step *s, struct item *it, const struct script_result *result);
void api_call_probe_send(struct api_call_step *st, struct api_call *c);
/* A probe has said "not done": false when no attempt is left, and the item has ended with that. */
bool api_call_probe_lets_go(struct api_call_step *st, struct api_call *c);

/* api_call_wait.c */
bool api_call_may_try_again(const struct api_call_step *st, const struct api_call *c, const struct call_judgement *j);
msec_t api_call_backoff(uint32_t tries); /* before the next try */
/* The call's next attempt, after its wait; or it ends, where a key is too old for that. */
void api_call_waits(struct api_call_step *st, struct api_call *c, const struct call_answer *x, const struct call_judgement *j);
/* Nothing is sent for so long. True when that is longer than it was to be. */
bool api_call_holds(struct api_call_step *st, msec_t wait);
void api_call_pause_over(struct loop_timer *t);
/* One answer that asks for rest speaks for all calls of the step. */
void api_call_pauses(struct api_call_step *st, const struct call_answer *x, const struct call_judgement *j);

/* api_call_run.c */
void api_call_move(struct api_call_step *st, struct api_call *c, enum api_call_state to);
void api_call_slot_back(struct api_call_step *st, struct api_call *c);
void api_call_drop(struct api_call_step *st, struct api_call *c); /* the item leaves undone */
bool api_call_is_closing(const struct api_call_step *st); /* the run takes no more work: what has not begun does not begin */
void api_call_on_timer(struct loop_timer *t); /* the wait is over */
void api_call_goes_by_probe(struct api_call_step *st, struct api_call *c); /* sent again, as the probe says */
void api_call_leave(struct api_call_step *st, struct api_call *c); /* the call is over; the item is the caller's to let go */
void api_call_fails(struct api_call_step *st, struct api_call *c, const char *type, const char *title, const struct err *e);
/* The judgement stands: the item goes on with its result, ends with its problem, or leaves quietly. */
void api_call_judged(struct api_call_step *st, struct api_call *c, const struct call_judgement *j);
void api_call_record_outcome(struct api_call_step *st, struct api_call *c, const struct call_answer *x);
/* Recorded, judged, and tried again, gone on or failed. */
void api_call_answered(struct api_call_step *st, struct api_call *c, const struct call_answer *x);
void api_call_pump(struct api_call_step *st);
int api_call_open(struct step *s, struct err *e);
enum verdict api_call_start(struct step *s, struct item *it);
void api_call_flush(struct step *s);
void api_call_stop(struct step *s);
void api_call_close(struct step *s);

/* api_call_recall.c */
/* Go on from what the ledger holds of this item here; true when the call is decided by it, and over. */
bool api_call_recall(struct api_call_step *st, struct api_call *c);
/* It happened: the item goes on with the result of the decision, JSON or empty for null, as if it had been answered. */
void api_call_decided_done(struct api_call_step *st, struct api_call *c, struct str result);
/* The call is over by this row of kind OUTCOME, or OFFERED, whatever it says. */
void api_call_takes(struct api_call_step *st, struct api_call *c, const struct ledger_row *outcome);

/* api_call_planned.c: runs that were prepared out of a plan or of another run's answers. */
/* An answer was offered and not all of it is taken over yet: the request must be built, whatever is recorded. */
bool api_call_is_offered(const struct api_call_step *st, const struct api_call *c);
/*
 * The request is built. True when that decides it: it is the recorded one, and takes the answer offered; or it must not be sent, and the item
 * has failed. False: it may be sent.
 */
bool api_call_planned(struct api_call_step *st, struct api_call *c);

/* api_call_file.c */
/* Takes the answer's body where it becomes, or may become, a file; NULL = it is gathered. For one sending. */
struct http_sink *api_call_sink(struct api_call_step *st, struct api_call *c);
/* The transfer is over: what the sink still holds is given back; a file that was not kept leaves nothing. */
void api_call_sink_release(struct api_call *c);
/* The answer as the ledger will have it; a file is queued to be kept before this returns. As call_answer_from_response(). */
int api_call_answer(struct api_call_step *st, struct api_call *c, const struct http_response *r, struct call_answer *ret, char **ret_body,
		    struct err *e);
