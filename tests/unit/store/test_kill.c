/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 in the middle of writing, twenty times at different points: every row whose commit was reported is there,
 * rows are there in order without a hole, and entry and ledger line come together.
 */
#include "store_test.h"

#include <signal.h>

#define KILLS 20
#define IN_FLIGHT 40

struct writer {
	struct place *p;
	int fd;
	uint64_t next, first_in_group;
};

struct written {
	struct writer *w;
	uint64_t seq;
};

static void write_next(struct writer *w);

static void on_written(void *arg, const struct store_result *r)
{
	struct written *done = arg;

	if (r->error || write(done->w->fd, &done->seq, sizeof(done->seq)) != (ssize_t)sizeof(done->seq))
		_exit(7);
	write_next(done->w);
	free(done);
}

/* Every third one an entry with its line, else a ledger row. */
static void write_next(struct writer *w)
{
	struct written *next = malloc(sizeof(*next));
	struct ledger_row row = a_row(1, w->next, LEDGER_OUTCOME, "an answer of some length, so that pages fill");
	struct entry_row entry = { .component = STR("c"), .data = STR("{}") };

	*next = (struct written){ w, w->next++ };
	int code = next->seq % 3
		       ? store_ledger_put(w->p->store, &row, on_written, next, NULL)
		       : store_entry_write(w->p->store, &row.key, ENTRY_CREATE, &entry, on_written, next, NULL);
	if (code)
		_exit(6);
}

static void be_writer(struct place *p, uint64_t from, int fd)
{
	struct writer w = { .p = p, .fd = fd, .next = from };

	p->loop = loop_new(NULL); /* the parent's stays untouched: they share its epoll descriptor */
	if (place_try(p, NULL))
		_exit(5);
	for (int i = 0; i < IN_FLIGHT; i++)
		write_next(&w);
	(void)loop_run(p->loop);
	_exit(4);
}

/* Kills the writer after `reports` of its reports; the highest number reported, plus one. */
static uint64_t write_and_kill(struct place *p, uint64_t from, unsigned reports)
{
	int fds[2], status;
	uint64_t seq = 0, expected = from;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0)
		be_writer(p, from, fds[1]);
	(void)close(fds[1]);
	for (unsigned i = 0; i < reports; i++) {
		assert_int_equal(read(fds[0], &seq, sizeof(seq)), sizeof(seq));
		assert_int_equal(seq, expected++);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	while (read(fds[0], &seq, sizeof(seq)) == (ssize_t)sizeof(seq)) /* said before it died */
		assert_int_equal(seq, expected++);
	(void)close(fds[0]);
	return expected;
}

static uint64_t rows_there, entries_there;

static void on_rows(void *arg, const struct store_result *r)
{
	rows_there = r->n;
	entries_there = 0;
	for (size_t i = 0; i < r->n; i++) {
		assert_int_equal(r->rows[i].key.seq, i); /* no hole */
		assert_int_equal(r->rows[i].kind, i % 3 ? LEDGER_OUTCOME : LEDGER_ENTRY);
		entries_there += i % 3 == 0;
	}
	on_answer(arg, &(struct store_result){ 0 });
}

TEST(every_reported_row_survives_kill_9)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	uint64_t next = 0;

	place_make(&p);
	for (unsigned kill_no = 0; kill_no < KILLS; kill_no++) {
		uint64_t reported = write_and_kill(&p, next, 1 + kill_no * kill_no * 3);
		place_open(&p);
		ASK(&p, &a, store_ledger_read(p.store, 1, 0, UINT64_MAX, on_rows, &a, e));
		if (rows_there < reported)
			fail_msg("kill %u: %llu reported, %llu there", kill_no, (unsigned long long)reported,
				 (unsigned long long)rows_there);
		ASK(&p, &a, store_entry_list(p.store, STR("c"), 0, 1, on_answer, &a, e));
		assert_int_equal(a.total, entries_there);
		next = rows_there;
		place_close(&p);
	}
	place_drop(&p);
}

RUN_TESTS(CLAIM(every_reported_row_survives_kill_9))
