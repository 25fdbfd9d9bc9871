/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker as the server sees it: started, given jobs, watched, killed, buried. Nothing that it says is believed.
 *
 *   STARTING --READY--> IDLE --proc_give--> BUSY --last answer--> IDLE
 *       \                 \ (idle_stop)       \ (time, memory, lies)
 *        +-----------------+-------------------+--> DYING --exited and cut--> gone
 */
#include "script/script_int.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "loop/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const environment[] = {
	"GIGACAGE_ENABLED=0",
	"JSC_useWasm=0",
	"JSC_useConcurrentGC=0",
	"JSC_useConcurrentJIT=0",
	"JSC_numberOfGCMarkers=1",
	"TZ=UTC",
#ifdef __SANITIZE_ADDRESS__ /* no ptrace for the leak check, the engine's own handlers first, no hoard of freed memory \
			     */
	"ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigill=0:handle_abort=0:handle_sigfpe=0:"
	"use_sigaltstack=0:quarantine_size_mb=4:allocator_may_return_null=1:exitcode=70",
#endif
	NULL,
};

static void proc_look(struct loop_timer *t);
static void proc_check_dead(struct script_proc *w);

static void proc_move(struct script_proc *w, enum proc_state to)
{
	static const uint8_t may_follow[] = {
		[PROC_STARTING] = BIT(PROC_IDLE) | BIT(PROC_DYING),
		[PROC_IDLE] = BIT(PROC_BUSY) | BIT(PROC_DYING),
		[PROC_BUSY] = BIT(PROC_IDLE) | BIT(PROC_DYING),
		[PROC_DYING] = 0,
	};
	if (!(may_follow[w->state] & BIT(to)))
		abort();
	w->state = to;
	loop_timer_stop(&w->watch);
	if (to == PROC_IDLE)
		(void)loop_timer_start(&w->watch, w->pool->config.idle_stop);
	else if (to == PROC_BUSY)
		(void)loop_timer_start(&w->watch, WATCH_PERIOD);
	loop_soon(w->pool->loop, &w->pool->soon);
}

static void proc_kill(struct script_proc *w, enum proc_blame blame)
{
	if (w->state == PROC_DYING)
		return;
	w->blame = blame;
	proc_move(w, PROC_DYING);
	if (!w->has_exited)
		loop_child_kill(w->child, SIGKILL);
	wire_close(w->wire);
	w->wire = NULL;
	w->is_cut = true;
	proc_check_dead(w);
}

static void proc_lies(struct script_proc *w, const char *how)
{
	log_warn(NULL, "script worker killed: it sent %s pid=%d", how, w->pid);
	proc_kill(w, BLAME_WIRE);
}

/* ---- watching ---- */

static uint64_t proc_rss(const struct script_proc *w)
{
	char text[128];
	ssize_t n = w->statm < 0 ? -1 : pread(w->statm, text, sizeof(text) - 1, 0);
	unsigned long size = 0, resident = 0;

	if (n <= 0)
		return 0;
	text[n] = 0;
	if (sscanf(text, "%lu %lu", &size, &resident) != 2)
		return 0;
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void proc_look(struct loop_timer *t)
{
	struct script_proc *w = CONTAINER_OF(t, struct script_proc, watch);
	const struct script_config *c = &w->pool->config;

	if (w->state == PROC_IDLE || w->state == PROC_STARTING) {
		if (w->state == PROC_STARTING)
			log_warn(NULL, "script worker killed: not ready after %d ms pid=%d", START_DEADLINE, w->pid);
		proc_kill(w, BLAME_NOBODY);
	} else if (loop_now(w->pool->loop) - w->progress_at >= c->deadline) {
		proc_kill(w, BLAME_TIMEOUT);
	} else if (proc_rss(w) > w->rss_at_start + c->memory + RSS_SLACK) {
		proc_kill(w, BLAME_MEMORY);
	} else {
		(void)loop_timer_start(&w->watch, WATCH_PERIOD);
	}
}

/* ---- what is sent ---- */

static bool proc_knows(const struct script_proc *w, uint64_t program)
{
	for (size_t i = 0; i < w->n_known; i++) {
		if (w->known[i].id == program)
			return true;
	}
	return false;
}

static int proc_send(struct script_proc *w)
{
	int code = buf_ok(&w->frame) ? wire_send(w->wire, buf_str(&w->frame), STR_NULL) : -w->frame.failed;

	buf_clear(&w->frame);
	return code;
}

static int proc_forget_oldest(struct script_proc *w)
{
	script_put_u8(&w->frame, SCRIPT_FORGET);
	script_put_u64(&w->frame, w->known[0].id);
	w->known_bytes -= w->known[0].bytes;
	w->n_known--;
	memmove(w->known, w->known + 1, w->n_known * sizeof(w->known[0]));
	return proc_send(w);
}

static int proc_teach(struct script_proc *w, const struct script_program *p)
{
	int code = 0;

	if (proc_knows(w, p->id))
		return 0;
	while (!code && w->n_known > 0 && (w->n_known == KNOWN_MAX || w->known_bytes + p->bytes > KNOWN_BYTES))
		code = proc_forget_oldest(w);
	if (code)
		return code;
	script_put_u8(&w->frame, SCRIPT_PROGRAM);
	script_put_u64(&w->frame, p->id);
	script_put_u8(&w->frame, (uint8_t)p->kind);
	script_put_u32(&w->frame, (uint32_t)p->n);
	for (size_t i = 0; i < p->n; i++)
		script_put_c_text(&w->frame, p->sources[i]);
	w->known[w->n_known].id = p->id;
	w->known[w->n_known++].bytes = p->bytes;
	w->known_bytes += p->bytes;
	return proc_send(w);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Append item i to the frame. False when it has no place there: too long, or not serializable; then it has failed. */
static bool put_item(struct script_proc *w, struct script_job *j, uint32_t i)
{
	const struct script_item *item = &j->items[i];
	size_t before = w->frame.len;

	script_put_batch_item(&w->frame, mix(j->realm.seed ^ mix(j->program->hash ^ mix(item->number + 1))), false);
	script_put_u32(&w->frame, 0);
	size_t start = w->frame.len;
	int code = script_value_write(&w->frame, item->input, &j->flags[i]);
	size_t len = w->frame.len - start;
	script_put_u8(&w->frame, 0);
	if (!code && buf_ok(&w->frame) && len <= SCRIPT_RESULT_MAX) {
		script_patch_u32(&w->frame, start - 4, (uint32_t)len);
		w->frame.ptr[start - 5] = (j->flags[i] & SCRIPT_VALUE_EXACT) != 0;
		return true;
	}
	w->frame.len = before;
	w->frame.failed = 0;
	return false;
}

/* As many items as make a good frame: until the bytes are enough or one does not fit. */
static uint32_t put_items(struct script_proc *w, struct script_job *j)
{
	uint32_t n = 0;

	while (j->sent + n < j->n && (n == 0 || w->frame.len < SCRIPT_BATCH_BYTES)) {
		if (!put_item(w, j, j->sent + n))
			break;
		n++;
	}
	return n;
}

static int proc_send_chunk(struct script_proc *w, struct script_job *j)
{
	struct script_batch batch = {
		.job = j->id,
		.program = j->program->id,
		.realm = j->realm.id,
		.now = j->realm.now,
		.is_careful = j->is_careful,
	};

	j->sent = j->answered;
	while (!job_is_done(j)) {
		batch.first = j->sent;
		script_put_batch(&w->frame, &batch);
		size_t n_at = w->frame.len - 4;
		uint32_t n = put_items(w, j);
		if (n > 0) {
			script_patch_u32(&w->frame, n_at, n);
			j->sent += n;
			w->expected = (struct script_expected){ .job = j->id, .first = j->answered, .end = j->sent };
			return proc_send(w);
		}
		buf_clear(&w->frame);
		job_fail_next(j, SCRIPT_TOO_LARGE, STR("the item is larger than 8 MiB, or nested too deep, as JSON"), 0,
			      0);
		j->sent = j->answered;
	}
	return 0;
}

static int proc_send_check(struct script_proc *w, struct script_job *j)
{
	script_put_u8(&w->frame, SCRIPT_CHECK);
	script_put_u64(&w->frame, j->id);
	script_put_u64(&w->frame, j->program->id);
	j->sent = 1;
	w->expected = (struct script_expected){ .job = j->id, .first = 0, .end = 1 };
	return proc_send(w);
}

/* Send what is next of the job, or finish it. */
static void proc_go_on(struct script_proc *w)
{
	struct script_job *j = w->job;
	int code = 0;

	if (j && !job_is_done(j))
		code = j->is_check ? proc_send_check(w, j) : proc_send_chunk(w, j);
	if (code) {
		proc_kill(w, BLAME_NOBODY);
		return;
	}
	if (j && !job_is_done(j))
		return;
	w->job = NULL;
	if (j)
		job_finish(j);
	proc_move(w, PROC_IDLE);
}

void proc_give(struct script_proc *w, struct script_job *j)
{
	w->job = j;
	j->proc = w;
	w->last_realm = j->realm.id;
	w->last_program = j->program->id;
	w->progress_at = loop_now(w->pool->loop);
	proc_move(w, PROC_BUSY);
	if (proc_teach(w, j->program) != 0)
		proc_kill(w, BLAME_NOBODY);
	else
		proc_go_on(w);
}

void proc_abandon(struct script_proc *w)
{
	w->job = NULL;
}

/* ---- what is heard ---- */

static void on_ready(struct script_proc *w, struct str frame)
{
	struct script_ready ready;
	char layers[80];

	if (!script_parse_ready(frame, &ready)) {
		proc_lies(w, "no READY");
		return;
	}
	if (ready.error != SCRIPT_OK) {
		(void)snprintf(w->pool->why_not, sizeof(w->pool->why_not), "%.*s", STR_ARG(ready.text));
		w->pool->failures = START_FAILURES_MAX; /* it knows why: another one would say the same */
		proc_kill(w, BLAME_NOBODY);
		return;
	}
	sandbox_layer_names(ready.layers, layers, sizeof(layers));
	log_debug(NULL, "script worker ready pid=%d jail=\"%s\"", w->pid, layers);
	w->pool->failures = 0;
	w->was_ready = true;
	w->rss_at_start = proc_rss(w);
	proc_move(w, PROC_IDLE);
}

static void take_answer(struct script_proc *w, const struct script_answer *a)
{
	struct script_job *j = w->job;

	w->expected.first++;
	if (!j) /* cancelled */
		return;
	if (a->error != SCRIPT_OK)
		job_fail_next(j, a->error, a->text, a->line, a->column);
	else if (j->is_check)
		j->results[j->answered++] = (struct script_result){ .value = value_null() };
	else
		job_answer_next(j, a->text);
}

static void on_answers(struct script_proc *w, struct str frame)
{
	struct script_answers answers;
	const char *complaint = script_check_answers(frame, &w->expected, &answers);

	if (complaint) {
		proc_lies(w, complaint);
		return;
	}
	w->progress_at = loop_now(w->pool->loop);
	for (uint32_t i = 0; i < answers.n; i++) {
		struct script_answer a = script_read_answer(&answers.rest);
		take_answer(w, &a);
	}
	if (answers.is_last)
		proc_kill(w, BLAME_NOBODY);
	else if (w->expected.first == w->expected.end)
		proc_go_on(w);
}

static void on_frame(void *arg, struct str frame)
{
	struct script_proc *w = arg;

	if (w->state == PROC_STARTING)
		on_ready(w, frame);
	else if (w->state == PROC_BUSY)
		on_answers(w, frame);
	else
		proc_lies(w, "a message that nobody waits for");
}

/* ---- death ---- */

static const char *describe_death(const struct script_proc *w, enum script_error *ret, char *room, size_t n)
{
	*ret = SCRIPT_KILLED;
	if (w->blame == BLAME_TIMEOUT) {
		*ret = SCRIPT_TIMEOUT;
		(void)snprintf(room, n, "took longer than %lld ms", (long long)w->pool->config.deadline);
	} else if (w->blame == BLAME_MEMORY || (w->blame == BLAME_NONE && w->exit_status == SCRIPT_EXIT_NO_MEMORY)) {
		*ret = SCRIPT_NO_MEMORY_JS;
		(void)snprintf(room, n, "needed more than %llu MiB of memory",
			       (unsigned long long)(w->pool->config.memory >> 20));
	} else if (w->blame == BLAME_WIRE) {
		(void)snprintf(room, n, "the worker was killed: it broke the protocol");
	} else if (w->term_signal == SIGSYS) {
		(void)snprintf(room, n, "the worker was killed: it tried a forbidden system call");
	} else if (w->term_signal) {
		(void)snprintf(room, n, "the worker died: %s", strsignal(w->term_signal));
	} else {
		(void)snprintf(room, n, "the worker ended with code %d", w->exit_status);
	}
	return room;
}

/*
 * Whose fault? With one item at work it is clear. With several it is one of them: they are run again, each answered at
 * once, and the next death names it. A worker that says that it is spent has answered something in the same frame, so
 * each such end brings the job on.
 */
static void job_survive(struct script_job *j, const struct script_proc *w)
{
	char room[160];
	enum script_error error;
	bool is_blameless = w->blame == BLAME_NOBODY;

	j->proc = NULL;
	while (++j->deaths > DEATHS_MAX && !job_is_done(j))
		job_fail_next(j, SCRIPT_KILLED, STR("too many workers died of this script"), 0, 0);
	if (!is_blameless && !job_is_done(j) && (j->is_careful || j->sent - j->answered == 1)) {
		const char *text = describe_death(w, &error, room, sizeof(room));
		job_fail_next(j, error, str_c(text), 0, 0);
	} else if (!is_blameless) {
		j->is_careful = true;
	}
	if (job_is_done(j))
		job_finish(j);
	else
		job_put_back(j);
}

static void start_failed(struct script_proc *w)
{
	struct script_pool *p = w->pool;

	if (p->failures < START_FAILURES_MAX) {
		enum script_error error;
		char room[160];
		(void)snprintf(p->why_not, sizeof(p->why_not), "a script worker cannot be started: %s",
			       describe_death(w, &error, room, sizeof(room)));
		p->failures++;
	}
	p->next_start =
	    loop_now(p->loop) + (p->failures >= START_FAILURES_MAX ? RETRY_AFTER : BACK_OFF_FIRST << p->failures);
}

static void proc_bury(void *arg)
{
	struct script_proc *w = arg;

	buf_done(&w->frame);
	free(w);
}

static void proc_check_dead(struct script_proc *w)
{
	if (!w->has_exited || !w->is_cut)
		return;
	if (!w->was_ready)
		start_failed(w);
	if (w->job)
		job_survive(w->job, w);
	loop_timer_stop(&w->watch);
	if (w->statm >= 0)
		(void)close(w->statm);
	list_remove(&w->link);
	w->pool->n_procs--;
	loop_soon(w->pool->loop, &w->pool->soon);
	loop_free_later(w->pool->loop, w, proc_bury);
}

static void on_broken(void *arg, const char *why)
{
	struct script_proc *w = arg;

	wire_close(w->wire);
	w->wire = NULL;
	w->is_cut = true;
	proc_move(w, PROC_DYING);
	if (!w->has_exited)
		loop_child_kill(w->child, SIGKILL);
	proc_check_dead(w);
}

static void on_exit_of(void *arg, int exit_status, int term_signal)
{
	struct script_proc *w = arg;

	w->has_exited = true;
	w->child = NULL;
	w->exit_status = exit_status;
	w->term_signal = term_signal;
	proc_check_dead(w);
}

/* ---- birth ---- */

static struct script_proc *proc_new(struct script_pool *p, struct err *e)
{
	struct script_proc *w = alloc_calloc(1, sizeof(*w));

	if (!w) {
		err_set(e, ERR_NO_MEMORY, "no memory for a script worker");
		return NULL;
	}
	*w = (struct script_proc){ .pool = p, .state = PROC_STARTING, .statm = -1 };
	list_init(&w->link);
	buf_init(&w->frame, SCRIPT_FRAME_MAX);
	loop_timer_init(p->loop, &w->watch, proc_look);
	return w;
}

static struct loop_child *launch(struct script_proc *w, int fd, struct err *e)
{
	const struct script_config *c = &w->pool->config;
	char role[] = "--role=script", memory[48], deadline[48];

	(void)snprintf(memory, sizeof(memory), "--memory=%llu", (unsigned long long)c->memory);
	/* The engine's own limit counts processor time and comes a little earlier: the worker survives it. */
	(void)snprintf(deadline, sizeof(deadline), "--deadline-ms=%lld", (long long)(c->deadline - c->deadline / 8));
	char *argv[] = { w->pool->path, role, memory, deadline, NULL };
	return loop_child_start(w->pool->loop, w->pool->path, argv, (char *const *)(uintptr_t)environment, &fd, 1,
				on_exit_of, w, e);
}

int proc_start(struct script_pool *p, struct err *e)
{
	int pair[2] = { -1, -1 };
	char path[64];
	struct script_proc *w = proc_new(p, e);

	if (!w)
		return -ERR_NO_MEMORY;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		proc_bury(w);
		return err_errno(e, "socketpair");
	}
	w->wire = wire_open(p->loop, pair[0], SCRIPT_FRAME_MAX, on_frame, on_broken, w, e);
	if (w->wire)
		w->child = launch(w, pair[1], e);
	else
		(void)close(pair[0]);
	(void)close(pair[1]);
	if (!w->child) {
		wire_close(w->wire);
		proc_bury(w);
		return e ? e->code : -ERR_IO;
	}
	w->pid = loop_child_pid(w->child);
	(void)snprintf(path, sizeof(path), "/proc/%d/statm", w->pid);
	w->statm = open(path, O_RDONLY | O_CLOEXEC);
	list_add_last(&p->procs, &w->link);
	p->n_procs++;
	(void)loop_timer_start(&w->watch, START_DEADLINE);
	return 0;
}

void proc_drop(struct script_proc *w)
{
	loop_timer_stop(&w->watch);
	wire_close(w->wire);
	if (w->child) {
		loop_child_kill(w->child, SIGKILL);
		loop_child_forget(w->child);
	}
	if (w->statm >= 0)
		(void)close(w->statm);
	list_remove(&w->link);
	w->pool->n_procs--;
	loop_free_later(w->pool->loop, w, proc_bury);
}
