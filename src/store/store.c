/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One queue, one thread, one fsync for many.
 *
 * Where an operation is, in order; it is in one list at a time:
 *
 *      loop's thread                 | lock |                    store's thread
 *      fresh     gathered this turn ---> queued ---> group   applied in one transaction
 *      callback, then freed  <--------- finished <---- commit, or STORE_FAILED for all of the group
 *
 * fresh -> queued     at the end of the turn, or after STORE_HAND_OVER operations        hand_over()
 * queued -> group     up to STORE_GROUP_MAX operations or STORE_GROUP_BYTES_MAX bytes     next_group()
 * group -> finished   after COMMIT returned: the bytes are on disk                         publish()
 * finished -> freed   in one turn of the loop                                           on_finished()
 *
 * Failure. The order is a promise: what is committed implies all that was queued before it. So when a group fails,
 * writes that were queued before the loop could know of it fail, too. Each operation carries the number of failures
 * that the loop knew (its epoch); the thread refuses writes up to the epoch that failed last. A passing fault (full
 * disk) lets one write try again every STORE_RETRY_EVERY; after a lasting one (failed fsync) the kernel has forgotten
 * what it did not write, and nobody tries again.
 */
#include "store/store_int.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CLAIM_WAIT 5	    /* s until the thread begins with it */
#define PATIENT_NICE 10	    /* of the thread of a store that only reads, and may wait */
#define ALIVE_EVERY 3600000 /* ms; the timer only says that there is something to wait for */

struct store {
	struct loop *loop;
	struct worker worker; /* the store's thread only, once it runs */
	struct dir *dir;      /* NULL = in memory */
	struct files *files;
	msec_t group_window;
	bool is_patient;
	char *url;		 /* of the database; NULL = in dir */
	void (*pace)(void *arg); /* set: there is no thread, store_turn() does its work */
	void *pace_arg;

	/* The loop's thread only. */
	struct queue fresh;
	struct loop_soon hand_over;
	struct loop_timer alive; /* runs while callbacks are owed */
	size_t n_pending, pending_bytes;
	uint64_t epoch;
	struct store_fault fault;
	uint64_t fault_number; /* the last one learnt from below */
	msec_t retry_at;
	bool is_closed, is_calling_back;

	/* Both, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool is_asleep, is_closing;
	struct claims claims;
	struct queue queued, finished;
	bool is_posted;
	struct store_fault said_fault;
	uint64_t said_number;

	pthread_t thread;
};

const char *run_state_name(enum run_state s)
{
	static const char *const names[] = {
		[RUN_RUNNING] = "running",
		[RUN_DONE] = "done",
		[RUN_FAILED] = "failed",
		[RUN_PARTLY_DONE] = "partly done",
		[RUN_NEEDS_ATTENTION] = "needs attention",
	};

	return (size_t)s < ARRAY_LEN(names) ? names[s] : "?";
}

/* ---- queues ---- */

static void queue_add(struct queue *q, struct op *op)
{
	op->next = NULL;
	if (q->last)
		q->last->next = op;
	else
		q->first = op;
	q->last = op;
	q->n++;
}

static struct op *queue_take(struct queue *q)
{
	struct op *op = q->first;

	if (!op)
		return NULL;
	q->first = op->next;
	if (!q->first)
		q->last = NULL;
	q->n--;
	return op;
}

/* All of `from` to the end of `to`. */
static void queue_move(struct queue *to, struct queue *from)
{
	if (!from->first)
		return;
	if (to->last)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	to->n += from->n;
	*from = (struct queue){ 0 };
}

static void op_free(struct op *op)
{
	if (op->kind == OP_FILE_KEEP)
		file_writer_drop(op->file);
	arena_done(&op->arena);
	free(op);
}

static void queue_free(struct queue *q)
{
	for (struct op *op; (op = queue_take(q));)
		op_free(op);
}

/* ---- the store's thread ---- */

/* Room for company: wait until the window is over or the group is full. Under the lock. */
static void wait_window(struct store *s)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += s->group_window / 1000;
	until.tv_nsec += (s->group_window % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	s->is_asleep = true;
	while (s->queued.n < STORE_GROUP_MAX && !s->is_closing) {
		if (pthread_cond_timedwait(&s->wake, &s->lock, &until) != 0)
			break;
	}
	s->is_asleep = false;
}

/* False when the store closes and nothing is left. */
static bool next_group(struct store *s, struct queue *group)
{
	size_t bytes = 0;

	*group = (struct queue){ 0 };
	(void)pthread_mutex_lock(&s->lock);
	while (s->claims.first || (!s->queued.first && !s->is_closing)) {
		if (s->claims.first) {
			claims_serve(&s->claims, &s->lock, &s->worker);
			continue;
		}
		s->is_asleep = true;
		(void)pthread_cond_wait(&s->wake, &s->lock);
		s->is_asleep = false;
	}
	if (s->queued.first && s->group_window > 0)
		wait_window(s);
	while (s->queued.first && group->n < STORE_GROUP_MAX && bytes < STORE_GROUP_BYTES_MAX) {
		bytes += s->queued.first->bytes;
		queue_add(group, queue_take(&s->queued));
	}
	(void)pthread_mutex_unlock(&s->lock);
	return group->first != NULL;
}

static void on_finished(void *arg);

static void publish(struct store *s, struct queue *group)
{
	(void)pthread_mutex_lock(&s->lock);
	queue_move(&s->finished, group);
	bool was_posted = s->is_posted;
	s->is_posted = true;
	(void)pthread_mutex_unlock(&s->lock);
	if (!was_posted)
		loop_post(s->loop, on_finished, s);
}

static void tell(struct store *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->said_fault = s->worker.news;
	s->said_number++;
	(void)pthread_mutex_unlock(&s->lock);
}

static void carry(struct store *s, struct queue *group)
{
	struct queue nobody = { 0 };

	if (worker_apply(&s->worker, group))
		tell(s);
	publish(s, group);
	if (worker_tend(&s->worker)) {
		tell(s);
		publish(s, &nobody);
	}
}

static void *store_thread(void *arg)
{
	struct store *s = arg;
	struct queue group;

	if (s->is_patient) /* on Linux a thread has its own; failing costs nothing but the courtesy */
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), PATIENT_NICE);
	while (next_group(s, &group))
		carry(s, &group);
	return NULL;
}

bool store_turn(struct store *s)
{
	struct queue group;

	assert(s->pace);
	if (!s->queued.first || !next_group(s, &group))
		return false;
	carry(s, &group);
	return true;
}

/* ---- the loop's side ---- */

static void hand_over(struct store *s)
{
	if (!s->fresh.first)
		return;
	(void)pthread_mutex_lock(&s->lock);
	queue_move(&s->queued, &s->fresh);
	bool is_asleep = s->is_asleep;
	(void)pthread_mutex_unlock(&s->lock);
	if (is_asleep)
		(void)pthread_cond_signal(&s->wake);
	if (s->pace)
		s->pace(s->pace_arg);
}

static void on_hand_over(struct loop_soon *soon)
{
	hand_over(CONTAINER_OF(soon, struct store, hand_over));
}

static void on_alive(struct loop_timer *t)
{
	(void)loop_timer_start(t, ALIVE_EVERY);
}

static int refuse_broken(struct store *s, struct err *e)
{
	if (s->fault.kind == FAULT_PASSING && clock_mono() >= s->retry_at) {
		s->retry_at = clock_mono() + STORE_RETRY_EVERY;
		return 0;
	}
	return err_set(e, ERR_IO, "nothing can be saved: %s", s->fault.why);
}

int store_op_new(struct op **ret, struct store *s, enum op_kind kind, size_t bytes, struct err *e)
{
	if (bytes > STORE_OP_BYTES_MAX)
		return err_set(e, ERR_LIMIT, "%zu bytes are too many for one row; at most %u", bytes,
			       STORE_OP_BYTES_MAX);
	if (kind < OP_RUN_GET && s->fault.kind != FAULT_NONE) {
		int code = refuse_broken(s, e);
		if (code)
			return code;
	}
	struct op *op = alloc_malloc(sizeof(*op) + bytes);
	if (!op)
		return err_set(e, ERR_NO_MEMORY, "no memory to save %zu bytes", bytes);
	op->kind = kind;
	op->bytes = sizeof(*op) + bytes;
	op->result = (struct store_result){ 0 };
	arena_init(&op->arena, STORE_RESULT_BYTES_MAX);
	*ret = op;
	return 0;
}

void store_op_queue(struct store *s, struct op *op, store_done *done, void *arg)
{
	op->done = done;
	op->arg = arg;
	op->epoch = s->epoch;
	queue_add(&s->fresh, op);
	s->pending_bytes += op->bytes;
	if (s->n_pending++ == 0)
		(void)loop_timer_start(
		    &s->alive, ALIVE_EVERY); /* without it the loop could end before the callback; nothing worse */
	if (s->fresh.n >= STORE_HAND_OVER)
		hand_over(s);
	else
		loop_soon(s->loop, &s->hand_over);
}

bool store_is_full(const struct store *s)
{
	return s->pending_bytes > STORE_PENDING_MAX;
}

const char *store_broken(const struct store *s)
{
	return s->fault.kind == FAULT_NONE ? NULL : s->fault.why;
}

bool store_is_lost(const struct store *s)
{
	return s->fault.kind == FAULT_LASTING;
}

static void learn_fault(struct store *s, const struct store_fault *said)
{
	if (said->kind != FAULT_NONE) {
		if (s->fault.kind != said->kind)
			log_error(NULL, "store failed: %s", said->why);
		s->retry_at = clock_mono() + STORE_RETRY_EVERY;
		s->epoch++;
	} else if (s->fault.kind != FAULT_NONE) {
		log_warn(NULL, "store works again: %s", s->fault.why);
	}
	s->fault = *said;
}

static void store_free(struct store *s)
{
	queue_free(&s->finished);
	files_free(s->files);
	(void)pthread_mutex_destroy(&s->lock);
	(void)pthread_cond_destroy(&s->wake);
	(void)pthread_cond_destroy(&s->claims.answered);
	free(s->url);
	free(s);
}

static void call_back(struct store *s, struct queue *finished)
{
	s->is_calling_back = true;
	for (struct op *op; !s->is_closed && (op = queue_take(finished));) {
		s->n_pending--;
		s->pending_bytes -= op->bytes;
		if (op->result.error == STORE_FAILED && !op->result.detail)
			op->result.detail = s->fault.why;
		if (op->done)
			op->done(op->arg, &op->result);
		op_free(op);
	}
	s->is_calling_back = false;
}

static void on_finished(void *arg)
{
	struct store *s = arg;
	struct queue finished = { 0 };

	(void)pthread_mutex_lock(&s->lock);
	queue_move(&finished, &s->finished);
	s->is_posted = false;
	bool is_news = s->fault_number != s->said_number;
	struct store_fault said;
	if (is_news) {
		said = s->said_fault;
		s->fault_number = s->said_number;
	}
	(void)pthread_mutex_unlock(&s->lock);
	if (is_news && !s->is_closed)
		learn_fault(s, &said);
	call_back(s, &finished);
	queue_free(&finished);
	if (s->is_closed) {
		if (!s->is_posted) /* the thread is gone: no lock needed */
			store_free(s);
	} else if (s->n_pending == 0) {
		loop_timer_stop(&s->alive);
	}
}

/* ---- open and close ---- */

static int start_thread(struct store *s, struct err *e)
{
	sigset_t all, before;
	pthread_condattr_t attr;

	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&s->lock, NULL);
	(void)pthread_cond_init(&s->wake, &attr);
	(void)pthread_cond_init(&s->claims.answered, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (s->pace)
		return 0;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's business */
	int code = pthread_create(&s->thread, NULL, store_thread, s);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code)
		return err_set(e, code, "cannot start the store's thread: %s", strerror(code));
	return 0;
}

static int open_parts(struct store *s, const struct store_config *config, struct err *e)
{
	int code = 0;

	if (config->dir)
		code = dir_open(&s->dir, config->dir, !config->url, config->busy_timeout, e);
	if (code)
		return code;
	code = s->worker.backend->open(&s->worker.b, s->dir, config, e);
	if (code == 0 && s->dir)
		code = dir_settle(s->dir, e);
	if (code == 0)
		code = files_new(&s->files, s, s->dir ? dir_fd(s->dir) : -1, e);
	if (code == 0)
		code = start_thread(s, e);
	return code;
}

int store_open(struct store **ret, struct loop *l, const struct store_config *config, struct err *e)
{
	struct store_config c = *config;
	struct store *s = alloc_calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, ERR_NO_MEMORY, "no memory for a store");
	c.busy_timeout = c.busy_timeout > 0 ? c.busy_timeout : STORE_BUSY_TIMEOUT;
	c.patience = c.patience > 0 ? c.patience : STORE_PATIENCE;
	s->loop = l;
	s->worker.backend = c.backend ? c.backend : c.url ? &store_backend_pg : &store_backend_sqlite;
	s->is_patient = c.is_patient;
	s->url = c.url ? alloc_strdup(c.url) : NULL;
	s->pace = c.pace;
	s->pace_arg = c.pace_arg;
	s->group_window = c.pace ? 0 : c.group_window;
	loop_soon_init(&s->hand_over, on_hand_over);
	loop_timer_init(l, &s->alive, on_alive);
	int code = c.url && !s->url ? err_set(e, ERR_NO_MEMORY, "no memory for a store") : open_parts(s, &c, e);
	if (code) {
		bool is_tidy = s->worker.b && s->worker.backend->close(s->worker.b, true);
		dir_close(s->dir, is_tidy);
		files_free(s->files);
		free(s->url);
		free(s);
		return code;
	}
	*ret = s;
	return 0;
}

int store_open_reader(struct store **ret, struct store *s, struct err *e)
{
	const struct store_config config = {
		.dir = dir_path(s->dir), .url = s->url, .busy_timeout = STORE_READER_BUSY_TIMEOUT, .is_patient = true
	};

	return store_open(ret, s->loop, &config, e);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	assert(!s->is_closed);
	hand_over(s);
	loop_soon_cancel(&s->hand_over);
	loop_timer_stop(&s->alive);
	(void)pthread_mutex_lock(&s->lock);
	s->is_closing = true;
	(void)pthread_mutex_unlock(&s->lock);
	if (s->pace) {
		while (s->queued.first && store_turn(s))
			;
	} else {
		(void)pthread_cond_signal(&s->wake);
		(void)pthread_join(s->thread, NULL);
	}
	bool is_tidy = s->worker.backend->close(s->worker.b, !s->worker.is_lasting);
	dir_close(s->dir, is_tidy);
	s->is_closed = true;
	if (!s->is_calling_back && !s->is_posted)
		store_free(s);
}

int store_run_claim(struct store *s, int64_t id, struct err *e)
{
	int code = s->dir ? dir_claim(s->dir, id, e) : 0;

	if (code || !s->worker.backend->claim || s->pace)
		return code;
	code = claims_ask(&s->claims, &s->lock, &s->wake, id, e);
	if (code && s->dir)
		dir_release(s->dir, id);
	return code;
}

void store_run_release(struct store *s, int64_t id)
{
	if (s->dir)
		dir_release(s->dir, id);
	if (s->worker.backend->release && !s->pace)
		claims_release(&s->claims, &s->lock, &s->wake, id);
}

struct files *store_files(struct store *s)
{
	return s->files;
}

const char *store_where(const struct store *s)
{
	if (s->worker.backend->where)
		return s->worker.backend->where(s->worker.b);
	return s->dir ? dir_path(s->dir) : "memory";
}

struct dir *store_dir(const struct store *s)
{
	return s->dir;
}

uint64_t store_disk_bytes(struct store *s)
{
	return s->dir ? dir_bytes(s->dir) : 0;
}
