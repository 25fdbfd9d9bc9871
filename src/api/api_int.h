/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of api/: the server's state, a request on its way, the components in use. */
#pragma once
#include "api/api.h"
#include "api/views.h"
#include "base/auto.h"
#include "base/json.h"
#include "store/survey.h"

#define API_PARAMS_MAX 4

struct api;

/* prune.c */
struct prune_round;
void prune_round_free(struct prune_round *r); /* no more callbacks; NULL is fine */
/* Of the round under way, whoever began it; false = there is none. */
bool prune_round_progress(const struct api *a, struct prune_progress *ret);

/* recover.c: interrupted runs that wait for their turn. */
struct recover {
	int64_t *ids; /* newest first: the last is the next */
	size_t n, cap, live;
	bool is_going;
	struct loop_timer rest; /* while it runs nothing is resumed: the store is in trouble */
	msec_t delay;		/* of the next rest */
};

struct api {
	struct api_config config;
	struct http_server *server;
	struct list components; /* of struct loaded */
	struct list live;	/* of struct live_run */
	struct list requests;	/* under way */
	void (*on_idle)(void *arg);
	void *on_idle_arg;
	bool is_draining;
	struct recover recover;
	struct survey *survey;
	struct prune_round *pruning; /* a round that somebody asked for over REST; NULL = none under way */
	uint16_t port;
};

/* One request; lives until it was answered or the client is gone and nothing waits for it any more. */
struct request {
	struct list link;
	struct api *api;
	struct http_exchange *x; /* NULL once answered, or the client left */
	struct arena arena;
	struct str path; /* raw */
	struct str params[API_PARAMS_MAX]; /* decoded parts of the path that the route leaves open */
	size_t n_params;
	struct value body; /* parsed, when the route takes JSON */
	void *state;	   /* the handler's own, in the arena */
	bool wants_source; /* component_fetch() keeps the file's bytes here: */
	struct str source;
	int busy;	   /* callbacks that will still come */
	const char *allow; /* 405: what this address takes */
	struct run *replay; /* of the item asked for, while it runs */
};

/* Who waits holds the request; the last release frees it. */
static inline void request_hold(struct request *rq)
{
	rq->busy++;
}
void request_release(struct request *rq);
/* The answer is `h` and `body`; the exchange is done with. */
void request_reply(struct request *rq, int status, const struct headers *h, struct str body, bool is_static);

/* The same, a file's bytes; the descriptor is taken. */
void request_reply_file(struct request *rq, int status, const struct headers *h, int fd, uint64_t size);

void reply_json(struct request *rq, int status, const struct value *body, const char *location);
void reply_yaml(struct request *rq, struct str text);
/* problem+json; `more` (may be NULL) is an object whose members are added. */
void reply_problem(struct request *rq, int status, const char *type, const struct value *more, const char *fmt, ...) PRINTF_LIKE(5, 6);
void reply_store_error(struct request *rq, const struct store_result *result);
/* A query parameter, decoded into the request's arena; ptr NULL when absent. */
struct str request_query(struct request *rq, const char *name);
/* limit= and after= of a page; false after answering 400. */
bool request_page(struct request *rq, size_t *ret_limit, int64_t *ret_after);

/* A part of the path as a number of 0 or more; false after answering 404. */
bool request_number(struct request *rq, size_t param, int64_t *ret);

/*
 * decisions.c: "items" of the body: "all" (NULL), or a list of 1 to STORE_DECIDE_MAX numbers, in the request's arena. NULL, or what is wrong
 * with them, for people.
 */
const char *request_items(struct request *rq, uint64_t **ret_items, size_t *ret_n);
/* The run's claim, for as long as its rows are changed. False after answering 409: it is executed, here or elsewhere. */
bool request_claim(struct request *rq, int64_t run);

/* components.c: compiled components by name, as fresh as the store. */
struct loaded {
	struct list link;
	struct component *component;
	struct script_program *functions; /* NULL = none or not yet made */
	msec_t imported_at;
	int refs;
};
/* `done` with NULL after the request was answered (404, 500). It comes later. */
typedef void component_ready(struct request *rq, struct loaded *k);
void component_fetch(struct request *rq, struct str name, component_ready *done);
struct loaded *loaded_ref(struct loaded *k);
void loaded_unref(struct loaded *k);
/* Compile for running; answers the request when it cannot. */
struct plan *loaded_plan(struct request *rq, struct loaded *k, struct str dataflow);
void components_free(struct api *a);

/* live.c: runs that this process executes. */
struct live_run {
	struct list link;
	struct api *api;
	struct run *run;
	struct plan *plan;
	struct buf input;	/* lines not yet read by the run */
	uint32_t input_lines;
	struct request *waiter; /* held; NULL = nobody */
	/* The run ended, or the wait ran out (is_over tells); never before its input is on disk, unless it stops without. */
	void (*on_over)(struct request *rq, struct live_run *lr);
	struct loop_timer timer;
	struct arena arena;	/* outputs, while somebody waits */
	struct value outputs;
	struct value problem;	/* of the first item that failed */
	enum item_state problem_state;
	bool is_recovered; /* resumed by recover.c */
	bool is_over, is_recorded, is_cut; /* is_cut: not all outputs could be kept */
};
/* Start a run over the lines in `input` (taken). NULL after answering. The waiter hears through on_over that it is on disk, or over. */
struct live_run *live_start(struct request *rq, struct plan *p, const char *trigger, struct buf *input, uint32_t lines, msec_t wait,
			    void (*on_over)(struct request *rq, struct live_run *lr));
struct live_run *live_find(struct api *a, int64_t id);
/* After the end: the run stopped without ending, its ledger could not be written. Answers 503 then. */
bool live_reply_broken(struct request *rq, struct live_run *lr);
/* Go on with a run of the store; NULL rq = nobody asks. */
void live_resume(struct api *a, int64_t id, struct request *rq);
/*
 * Answer 200 with `v` and "resumed", after an attempt to go on with the run where that is wanted; "not_resumed" then says why it does not. What
 * `v` tells has happened either way.
 */
void live_resume_after(struct request *rq, int64_t id, struct value v, bool is_wanted);
void live_wind_down(struct api *a, bool even_waited); /* run_wind_down() of all runs, or of those that no request waits for */
void live_free_all(struct api *a);

/* What was interrupted goes on, the oldest first, so many at a time. */
void recover_start(struct api *a);
void recover_go_on(struct api *a);
void recover_one_is_over(struct api *a); /* one that was resumed so has ended, or could not be resumed */
void recover_later(struct api *a, int64_t id); /* the store failed under this run: it goes on when there is hope, see recover.c */
void recover_all_is_well(struct api *a); /* a run came to its end */
void recover_free(struct api *a);

/* runs.c: recorded as running, and nobody executes it. */
bool run_is_interrupted(struct api *a, const struct run_row *row);

/* Handlers. */
typedef void handler(struct request *rq);
handler get_components, put_component, get_component, get_form, post_submission, post_run, get_entries, get_entry, get_runs, get_run, post_resume,
	post_decisions, post_retry, post_rerun, delete_run, get_storage, post_prune,
	get_items, get_item, post_file, get_file;

/* pages.c: the user interface, embedded. True when it answered. */
bool pages_serve(struct request *rq);
