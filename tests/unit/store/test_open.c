/* SPDX-License-Identifier: Apache-2.0 */
/* Opening: what is private, what is refused and why, who may execute which run. */
#include "store_test.h"

#include <endian.h>

#include <signal.h>

/* ---- helpers ---- */

static void write_at(const char *path, off_t at, const void *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), n);
	assert_int_equal(close(fd), 0);
}

static void sqlite_shell(const char *file, const char *sql)
{
	char command[512];

	(void)snprintf(command, sizeof(command), "sqlite3 %s \"%s\" >/dev/null", file, sql);
	assert_int_equal(system(command), 0);
}

/* A store with runs, closed; enough pages for something to break. */
static void place_with_rows(struct place *p)
{
	static char body[1500];

	memset(body, 'b', sizeof(body) - 1);
	place_new(p);
	for (uint64_t i = 0; i < 200; i++) {
		struct ledger_row row = a_row(1, i, LEDGER_OUTCOME, body);
		assert_int_equal(store_ledger_put(p->store, &row, NULL, NULL, NULL), 0);
	}
	place_close(p);
}

static size_t count_rows(struct place *p)
{
	struct answer a auto_answer = { 0 };

	ASK(p, &a, store_ledger_read(p->store, 1, 0, UINT64_MAX, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	return a.n;
}

static char *slurp(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	char *bytes = malloc(64 << 20);
	*ret_n = fread(bytes, 1, 64 << 20, f);
	(void)fclose(f);
	return bytes;
}

/* Refused with this in the sentence, and the file is as it was. */
static void assert_refused(struct place *p, const char *why)
{
	struct err e = ERR_INIT;
	size_t n_before, n_after;
	char *before = slurp(place_file(p, "weir.db"), &n_before);

	if (place_try(p, &e) == 0)
		fail_msg("opened, expected: %s", why);
	assert_null(p->store);
	if (!strstr(e.msg, why))
		fail_msg("\"%s\" lacks \"%s\"", e.msg, why);
	char *after = slurp(place_file(p, "weir.db"), &n_after);
	assert_int_equal(n_before, n_after);
	assert_memory_equal(before, after, n_before);
	free(before);
	free(after);
}

/* ---- private ---- */

static void assert_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	if ((st.st_mode & 07777) != mode)
		fail_msg("%s has mode %o", path, st.st_mode & 07777);
}

TEST(directory_and_files_are_private_whatever_the_umask)
{
	static const mode_t masks[] = { 0, 0022, 0277 };

	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		struct place p;
		place_make(&p);
		mode_t before = umask(masks[i]);
		(void)snprintf(p.last_dir, sizeof(p.last_dir), "%s/a/b", p.dir);
		place_open(&p);
		assert_int_equal(store_run_claim(p.store, 5, NULL), 0);
		(void)umask(before);
		assert_int_equal(count_rows(&p), 0);
		assert_mode(p.last_dir, 0700);
		assert_mode(place_file(&p, "runs"), 0700);
		static const char *const files[] = { "weir.db", "weir.db-wal", "weir.db-shm", "weir.lock" };
		for (size_t f = 0; f < ARRAY_LEN(files); f++)
			assert_mode(place_file(&p, files[f]), 0600);
		assert_true(store_disk_bytes(p.store) > 0);
		place_drop(&p);
	}
}

/* ---- refusals ---- */

TEST(a_file_that_is_no_database_is_refused)
{
	struct place p;

	place_with_rows(&p);
	write_at(place_file(&p, "weir.db"), 0, "This is a letter to my aunt.", 28);
	assert_refused(&p, "is no database of Weir");
	place_drop(&p);
}

TEST(a_file_too_short_to_be_a_database_is_not_written_over)
{
	struct place p;

	place_make(&p);
	assert_int_equal(mkdir(p.last_dir, 0700), 0);
	write_at(place_file(&p, "weir.db"), 0, "A short note.", 13);
	assert_refused(&p, "is no database of Weir");
	place_drop(&p);
}

TEST(a_database_of_another_program_is_refused)
{
	struct place p;

	place_make(&p);
	assert_int_equal(mkdir(p.last_dir, 0700), 0);
	sqlite_shell(place_file(&p, "weir.db"), "CREATE TABLE photos (id)");
	assert_refused(&p, "of another program");
	place_drop(&p);
}

TEST(a_newer_schema_is_refused)
{
	struct place p;

	place_with_rows(&p);
	sqlite_shell(place_file(&p, "weir.db"), "PRAGMA user_version=77");
	assert_refused(&p, "made by a newer Weir (schema 77;");
	place_drop(&p);
}

TEST(a_cut_database_is_refused_at_every_length)
{
	struct place p;
	struct stat st;

	place_with_rows(&p);
	assert_int_equal(stat(place_file(&p, "weir.db"), &st), 0);
	size_t n;
	char *whole = slurp(place_file(&p, "weir.db"), &n);
	for (off_t cut = 1; cut <= 4096; cut = cut * 3 - 1) {
		write_at(place_file(&p, "weir.db"), 0, whole, n);
		assert_int_equal(truncate(place_file(&p, "weir.db"), st.st_size - cut), 0);
		assert_refused(&p, "is damaged");
	}
	for (off_t left = 100; left < st.st_size; left = left * 2 + 13) {
		write_at(place_file(&p, "weir.db"), 0, whole, n);
		assert_int_equal(truncate(place_file(&p, "weir.db"), left), 0);
		assert_refused(&p, ".recover");
	}
	write_at(place_file(&p, "weir.db"), 0, whole, n); /* whole again: opens, everything is there */
	free(whole);
	place_open(&p);
	assert_int_equal(count_rows(&p), 200);
	place_drop(&p);
}

TEST(an_emptied_or_missing_database_is_never_replaced_by_a_new_one)
{
	struct place p;
	struct err e = ERR_INIT;

	place_with_rows(&p);
	assert_int_equal(truncate(place_file(&p, "weir.db"), 0), 0);
	assert_refused(&p, "is empty, although runs were kept here before");
	assert_int_equal(unlink(place_file(&p, "weir.db")), 0);
	assert_int_equal(place_try(&p, &e), -ERR_IO);
	assert_non_null(strstr(e.msg, "is missing, although"));
	assert_int_equal(unlink(place_file(&p, "weir.lock")), 0); /* the cure that the message names */
	place_open(&p);
	assert_int_equal(count_rows(&p), 0);
	place_drop(&p);
}

TEST(a_page_overwritten_while_closed_is_found_at_the_next_start)
{
	struct place p;
	char noise[4096];

	memset(noise, 0xa5, sizeof(noise));
	place_with_rows(&p);
	write_at(place_file(&p, "weir.db"), 3 * 8192, noise, sizeof(noise));
	assert_refused(&p, "is damaged");
	assert_refused(&p, "Nothing was changed"); /* and still, the second time */
	place_drop(&p);
}

/* ---- unclean stops ---- */

static pid_t start_child(void (*fn)(struct place *p, int fd), struct place *p, int *ret_fd)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(fds[0]);
		p->loop = loop_new(NULL); /* the parent's stays untouched: they share its epoll descriptor */
		if (place_try(p, NULL))
			_exit(9);
		fn(p, fds[1]);
		_exit(0);
	}
	(void)close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

static void stop_child(pid_t pid, int fd)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(fd);
}

static void read_byte(int fd, char expected)
{
	char c = 0;
	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, expected);
}

static void be_killed_after_writing(struct place *p, int fd)
{
	struct answer a = { 0 };
	static char body[100000]; /* the database grows, so its first page is in the log, too */
	struct ledger_row row = a_row(1, 1000, LEDGER_OUTCOME, "");

	row.body = str_from(body, sizeof(body));
	ASK(p, &a, store_ledger_put(p->store, &row, on_answer, &a, e));
	assert_int_equal(write(fd, "w", 1), 1);
	(void)pause();
}

static void place_killed(struct place *p)
{
	int fd;

	place_with_rows(p);
	pid_t pid = start_child(be_killed_after_writing, p, &fd);
	read_byte(fd, 'w');
	stop_child(pid, fd);
}

TEST(after_a_kill_the_log_is_read_and_nothing_is_missing)
{
	struct place p;

	place_killed(&p);
	place_open(&p);
	assert_int_equal(count_rows(&p), 201);
	place_drop(&p);
}

static void cut_log(struct place *p)
{
	struct stat st;

	assert_int_equal(stat(place_file(p, "weir.db-wal"), &st), 0);
	assert_int_equal(truncate(place_file(p, "weir.db-wal"), st.st_size - 1), 0);
}

TEST(a_log_cut_after_a_kill_is_refused_since_its_index_knows_better)
{
	struct place p;

	place_killed(&p);
	cut_log(&p);
	assert_refused(&p, "is cut off");
	place_drop(&p);
}

TEST(a_wrong_byte_anywhere_in_the_log_after_a_kill_is_refused)
{
	struct place p;
	size_t n;

	place_killed(&p);
	char *log = slurp(place_file(&p, "weir.db-wal"), &n);
	for (size_t at = 25; at < n; at += n / 7) {
		char wrong = (char)~log[at];
		write_at(place_file(&p, "weir.db-wal"), (off_t)at, &wrong, 1);
		assert_refused(&p, "wrong bytes");
		write_at(place_file(&p, "weir.db-wal"), (off_t)at, &log[at], 1);
	}
	free(log);
	place_open(&p);
	assert_int_equal(count_rows(&p), 201);
	place_drop(&p);
}

TEST(without_its_index_a_cut_log_loses_its_tail_and_no_more)
{
	struct place p;

	place_killed(&p);
	cut_log(&p);
	assert_int_equal(unlink(place_file(&p, "weir.db-shm")), 0);
	place_open(&p);
	assert_int_equal(count_rows(&p), 200);
	place_drop(&p);
}

/* After a loss of power the index may be one that was written before the log last began anew. */
TEST(an_index_older_than_its_log_is_believed_nothing)
{
	struct place p;
	size_t n;

	place_killed(&p);
	char *index = slurp(place_file(&p, "weir.db-shm"), &n);
	for (size_t at = 32; at <= 80; at += 48) { /* the first salt, of both copies: as it was one beginning ago */
		uint32_t salt;
		memcpy(&salt, index + at, sizeof(salt));
		salt = htobe32(be32toh(salt) - 1);
		memcpy(index + at, &salt, sizeof(salt));
		index[at - 16 + 2] = 1; /* and counts more frames than there are */
	}
	write_at(place_file(&p, "weir.db-shm"), 0, index, n);
	free(index);
	place_open(&p);
	assert_int_equal(count_rows(&p), 201);
	place_drop(&p);
}

TEST(the_whole_log_of_a_like_database_is_refused)
{
	struct place p, other;
	size_t n;

	place_killed(&p);
	place_killed(&other);
	char *log = slurp(place_file(&p, "weir.db-wal"), &n);
	write_at(place_file(&other, "weir.db-wal"), 0, log, n);
	free(log);
	assert_refused(&other, "of another database");
	place_drop(&other);
	place_drop(&p);
}

TEST(the_log_of_another_database_is_refused)
{
	struct place p, other;
	size_t n;

	place_killed(&p);
	place_make(&other);
	place_open(&other); /* small: the other's pages make no sense in it */
	place_close(&other);
	char *log = slurp(place_file(&p, "weir.db-wal"), &n);
	write_at(place_file(&other, "weir.db-wal"), 0, log, n);
	free(log);
	assert_refused(&other, "is damaged");
	place_drop(&other);
	place_drop(&p);
}

/* ---- several processes ---- */

static void hold_run_7(struct place *p, int fd)
{
	assert_int_equal(store_run_claim(p->store, 7, NULL), 0);
	assert_int_equal(write(fd, "c", 1), 1);
	(void)pause();
}

TEST(a_run_is_claimed_by_one_process_and_freed_by_its_death)
{
	struct place p;
	struct err e = ERR_INIT;
	int fd;

	place_make(&p);
	pid_t pid = start_child(hold_run_7, &p, &fd);
	read_byte(fd, 'c');
	place_open(&p);
	assert_int_equal(store_run_claim(p.store, 7, &e), -ERR_CONFLICT);
	assert_non_null(strstr(e.msg, "run 7 is being executed by another process"));
	assert_int_equal(store_run_claim(p.store, 8, NULL), 0);
	assert_int_equal(store_run_claim(p.store, 8, &e), -ERR_CONFLICT);
	stop_child(pid, fd);
	assert_int_equal(store_run_claim(p.store, 7, NULL), 0);
	store_run_release(p.store, 8);
	store_run_release(p.store, 8); /* of one not held: nothing */
	assert_int_equal(store_run_claim(p.store, 8, NULL), 0);
	place_drop(&p);
}

static void write_300(struct place *p, int fd)
{
	struct answer a = { 0 };

	for (uint64_t i = 0; i < 300; i++) {
		struct ledger_row row = a_row(1, i + 1000000 * (uint64_t)getpid(), LEDGER_OUTCOME, "x");
		ASK(p, &a, store_ledger_put(p->store, &row, on_answer, &a, e));
		if (a.error)
			_exit(8);
	}
	place_close(p);
	assert_int_equal(write(fd, "d", 1), 1);
}

TEST(two_processes_write_to_one_directory)
{
	struct place p;
	int fds[2], status;
	pid_t pids[2];

	place_make(&p);
	for (int i = 0; i < 2; i++)
		pids[i] = start_child(write_300, &p, &fds[i]);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
		(void)close(fds[i]);
	}
	place_open(&p);
	assert_int_equal(count_rows(&p), 600);
	place_drop(&p);
}

RUN_TESTS(CLAIM(directory_and_files_are_private_whatever_the_umask), CLAIM(a_file_that_is_no_database_is_refused),
	  CLAIM(a_file_too_short_to_be_a_database_is_not_written_over), CLAIM(a_database_of_another_program_is_refused),
	  CLAIM(a_newer_schema_is_refused), CLAIM(a_cut_database_is_refused_at_every_length),
	  CLAIM(an_emptied_or_missing_database_is_never_replaced_by_a_new_one),
	  CLAIM(a_page_overwritten_while_closed_is_found_at_the_next_start),
	  CLAIM(after_a_kill_the_log_is_read_and_nothing_is_missing),
	  CLAIM(a_log_cut_after_a_kill_is_refused_since_its_index_knows_better),
	  CLAIM(a_wrong_byte_anywhere_in_the_log_after_a_kill_is_refused),
	  CLAIM(without_its_index_a_cut_log_loses_its_tail_and_no_more),
	  CLAIM(an_index_older_than_its_log_is_believed_nothing), CLAIM(the_whole_log_of_a_like_database_is_refused),
	  CLAIM(the_log_of_another_database_is_refused), CLAIM(a_run_is_claimed_by_one_process_and_freed_by_its_death),
	  CLAIM(two_processes_write_to_one_directory))
