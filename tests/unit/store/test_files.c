/* SPDX-License-Identifier: Apache-2.0 */
/* Files by their content: whole or not there, once, private, and on disk before any row that follows them. */
#include "store_test.h"
#include "base/clock.h"
#include "store/files.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <utime.h>

/* SHA-256 of "abc" (FIPS 180-2, B.1). */
#define ABC_ID "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_PATH "files/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct file_writer *begin(struct place *p, struct str bytes)
{
	struct err e = ERR_INIT;
	struct file_writer *w = file_writer_new(store_files(p->store), 0, &e);

	if (!w || file_writer_append(w, bytes, &e))
		fail_msg("%s", e.msg);
	return w;
}

static void keep_abc(struct place *p)
{
	auto_answer struct answer a = { 0 };
	char id[FILE_ID_BYTES];

	ASK(p, &a, file_writer_keep(begin(p, STR("abc")), id, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_string_equal(id, ABC_ID);
}

static size_t count_in(const struct place *p, const char *name)
{
	DIR *d = opendir(place_file(p, name));
	size_t n = 0;

	if (!d)
		return 0;
	for (struct dirent *entry; (entry = readdir(d));)
		n += entry->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static bool has_bytes(int fd, struct str bytes)
{
	char got[64];
	return pread(fd, got, sizeof(got), 0) == (ssize_t)bytes.len && memcmp(got, bytes.ptr, bytes.len) == 0;
}

static bool can_open(struct place *p, const char *id)
{
	int fd;
	uint64_t size;

	if (files_open(store_files(p->store), str_c(id), &fd, &size, NULL))
		return false;
	assert_int_equal(close(fd), 0);
	return true;
}

TEST(same_bytes_twice_are_one_file_under_their_sha256)
{
	struct place p;

	place_new(&p);
	keep_abc(&p);
	keep_abc(&p);
	assert_int_equal(count_in(&p, "files/ba"), 1);
	assert_int_equal(count_in(&p, "files/tmp"), 0);
	place_drop(&p);
}

TEST(file_can_be_read_before_it_has_its_name_and_after)
{
	struct place p;
	auto_answer struct answer a = { 0 };
	struct err e = ERR_INIT;
	char id[FILE_ID_BYTES];
	int before = -1, after = -1;
	uint64_t size = 0;

	place_new(&p);
	struct file_writer *w = begin(&p, STR("ab"));
	assert_int_equal(file_writer_append(w, STR("c"), &e), 0);
	assert_int_equal(file_writer_bytes(w), 3);
	answer_clear(&a, p.loop);
	assert_int_equal(file_writer_keep(w, id, on_answer, &a, &e), 0);
	assert_int_equal(files_open(store_files(p.store), STR(ABC_ID), &before, &size, &e), 0);
	assert_int_equal(size, 3);
	(void)loop_run(p.loop);
	assert_true(a.has_come);
	assert_int_equal(files_open(store_files(p.store), STR(ABC_ID), &after, &size, &e), 0);
	assert_true(has_bytes(before, STR("abc")));
	assert_true(has_bytes(after, STR("abc")));
	assert_int_equal(close(before), 0);
	assert_int_equal(close(after), 0);
	place_close(&p);
	place_open(&p);
	assert_true(can_open(&p, ABC_ID));
	place_drop(&p);
}

struct look {
	struct answer *answer;
	const struct place *place;
	bool was_there;
};

static void on_row(void *arg, const struct store_result *r)
{
	struct look *l = arg;

	l->was_there = access(place_file(l->place, ABC_PATH), F_OK) == 0;
	on_answer(l->answer, r);
}

TEST(row_that_follows_a_file_implies_it)
{
	struct place p;
	auto_answer struct answer a = { 0 };
	struct err e = ERR_INIT;
	char id[FILE_ID_BYTES];

	place_new(&p);
	struct ledger_row row = a_row(1, 0, LEDGER_OUTCOME, "");
	struct look look = { &a, &p, false };
	answer_clear(&a, p.loop);
	assert_int_equal(file_writer_keep(begin(&p, STR("abc")), id, NULL, NULL, &e), 0);
	assert_int_equal(store_ledger_put(p.store, &row, on_row, &look, &e), 0);
	(void)loop_run(p.loop);
	assert_int_equal(a.error, STORE_OK);
	assert_true(look.was_there);
	place_drop(&p);
}

TEST(file_that_gets_no_name_breaks_the_store_and_what_follows_it)
{
	struct place p;
	auto_answer struct answer a = { 0 }, row_answer = { 0 };
	struct err e = ERR_INIT;
	char id[FILE_ID_BYTES];

	place_new(&p);
	struct ledger_row row = a_row(1, 0, LEDGER_OUTCOME, "");
	struct file_writer *w = begin(&p, STR("abc"));
	int wall = open(place_file(&p, "files/ba"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* where its folder goes */
	assert_true(wall >= 0);
	answer_clear(&a, NULL);
	answer_clear(&row_answer, p.loop);
	assert_int_equal(file_writer_keep(w, id, on_answer, &a, &e), 0);
	assert_int_equal(store_ledger_put(p.store, &row, on_answer, &row_answer, &e), 0);
	(void)loop_run(p.loop);
	assert_int_equal(a.error, STORE_FAILED);
	assert_int_equal(row_answer.error, STORE_FAILED);
	assert_non_null(store_broken(p.store));
	assert_non_null(strstr(store_broken(p.store), "a file"));
	assert_false(can_open(&p, ABC_ID));
	assert_int_equal(count_in(&p, "files/tmp"), 0);
	(void)close(wall);
	place_drop(&p);
}

TEST(what_is_no_id_or_is_not_there_is_refused)
{
	static const char *const wrong[] = { "",
					     "abc",
					     "../../etc/passwd",
					     "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
					     ABC_ID "0",
					     "ba/816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" };
	struct place p;
	struct err e = ERR_INIT;
	int fd = -1;
	uint64_t size;

	place_new(&p);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(files_open(store_files(p.store), str_c(wrong[i]), &fd, &size, &e), -ERR_INVALID);
		assert_non_null(strstr(e.msg, "64 hexadecimal digits"));
	}
	assert_int_equal(files_size(store_files(p.store), STR(ABC_ID), &size, &e), -ERR_NOT_FOUND);
	assert_non_null(strstr(e.msg, ABC_ID));
	/* A link under an id leads nowhere. */
	keep_abc(&p);
	assert_int_equal(unlink(place_file(&p, ABC_PATH)), 0);
	assert_int_equal(symlink("/etc/passwd", place_file(&p, ABC_PATH)), 0);
	assert_int_not_equal(files_open(store_files(p.store), STR(ABC_ID), &fd, &size, &e), 0);
	place_drop(&p);
}

TEST(dropped_and_oversized_leave_nothing)
{
	struct place p;
	struct err e = ERR_INIT;

	place_new(&p);
	struct file_writer *w = file_writer_new(store_files(p.store), 4, &e);
	assert_int_equal(file_writer_append(w, STR("abcd"), &e), 0);
	assert_int_equal(file_writer_append(w, STR("e"), &e), -ERR_LIMIT);
	assert_int_equal(count_in(&p, "files/tmp"), 1);
	file_writer_drop(w);
	assert_int_equal(count_in(&p, "files/tmp"), 0);
	assert_int_equal(count_in(&p, "files"), 1);
	place_drop(&p);
}

TEST(only_old_and_unlocked_rests_are_swept)
{
	struct place p;
	struct utimbuf old = { .modtime = (time_t)((clock_wall() - FILES_TMP_AGE) / 1000 - 60) };

	place_new(&p);
	keep_abc(&p);
	place_close(&p);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "files/tmp/old", "files/tmp/young", "files/tmp/locked" };
		int fd = open(place_file(&p, names[i]), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (i == 2)
			assert_int_equal(flock(fd, LOCK_EX), 0); /* left open: it is being written */
		else
			assert_int_equal(close(fd), 0);
		if (i != 1)
			assert_int_equal(utime(place_file(&p, names[i]), &old), 0);
	}
	place_open(&p);
	assert_int_not_equal(access(place_file(&p, "files/tmp/old"), F_OK), 0);
	assert_int_equal(access(place_file(&p, "files/tmp/young"), F_OK), 0);
	assert_int_equal(access(place_file(&p, "files/tmp/locked"), F_OK), 0);
	assert_true(can_open(&p, ABC_ID));
	place_drop(&p);
}

TEST(only_the_owner_may_look)
{
	struct place p;
	struct stat st;

	(void)umask(0);
	place_new(&p);
	keep_abc(&p);
	static const char *const folders[] = { "files", "files/ba", "files/tmp" };
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		assert_int_equal(stat(place_file(&p, folders[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
	assert_int_equal(stat(place_file(&p, ABC_PATH), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	(void)umask(022);
	place_drop(&p);
}

TEST(a_store_in_memory_takes_its_files_along)
{
	struct place p;
	struct err e = ERR_INIT;

	place_make(&p);
	assert_int_equal(setenv("TMPDIR", p.dir, 1), 0);
	assert_int_equal(store_open(&p.store, p.loop, &(struct store_config){ 0 }, &e), 0);
	(void)snprintf(p.last_dir, sizeof(p.last_dir), "%s", p.dir);
	assert_int_equal(count_in(&p, "."), 0); /* made when it is needed */
	keep_abc(&p);
	assert_true(can_open(&p, ABC_ID));
	assert_int_equal(count_in(&p, "."), 1);
	place_close(&p);
	assert_int_equal(count_in(&p, "."), 0);
	assert_int_equal(unsetenv("TMPDIR"), 0);
	place_drop(&p);
}

TEST(no_more_are_lent_than_the_limit)
{
	struct place p;
	struct err e = ERR_INIT;
	int fds[FILES_LENT_MAX], more;
	uint64_t size;

	place_new(&p);
	struct files *f = store_files(p.store);
	keep_abc(&p);
	for (size_t i = 0; i < FILES_LENT_MAX; i++)
		assert_int_equal(files_lend(f, STR(ABC_ID), &fds[i], &size, &e), 0);
	assert_int_equal(files_lend(f, STR(ABC_ID), &more, &size, &e), -ERR_LIMIT);
	files_give_back(f, fds[0]);
	assert_int_equal(files_lend(f, STR(ABC_ID), &fds[0], &size, &e), 0);
	for (size_t i = 0; i < FILES_LENT_MAX; i++)
		files_give_back(f, fds[i]);
	place_drop(&p);
}

/* Until its rename a file has no id: whoever dies before leaves none behind. */
TEST(a_killed_writer_leaves_no_file_under_an_id)
{
	struct place p;
	int status;

	place_make(&p);
	pid_t child = fork();
	if (child == 0) {
		p.loop = loop_new(NULL);
		place_open(&p);
		(void)begin(&p, STR("abc"));
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(count_in(&p, "files/tmp"), 1);
	assert_int_equal(count_in(&p, "files"), 1);
	place_open(&p);
	assert_false(can_open(&p, ABC_ID));
	place_drop(&p);
}

RUN_TESTS(CLAIM(same_bytes_twice_are_one_file_under_their_sha256),
	  CLAIM(file_can_be_read_before_it_has_its_name_and_after), CLAIM(row_that_follows_a_file_implies_it),
	  CLAIM(file_that_gets_no_name_breaks_the_store_and_what_follows_it),
	  CLAIM(what_is_no_id_or_is_not_there_is_refused), CLAIM(dropped_and_oversized_leave_nothing),
	  CLAIM(only_old_and_unlocked_rests_are_swept), CLAIM(only_the_owner_may_look),
	  CLAIM(a_store_in_memory_takes_its_files_along), CLAIM(no_more_are_lent_than_the_limit),
	  CLAIM(a_killed_writer_leaves_no_file_under_an_id))
