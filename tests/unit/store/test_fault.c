/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that lies in wait: an SQLite VFS between the store and the real files fails the write or fsync that a test
 * names. What was reported as saved must be there after opening again, what failed must say so, and nobody pretends.
 */
#include "store_test.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/resource.h>

/* ---- the disk ---- */

/* The n-th write or fsync from now on fails so, and all after it until healed. */
enum disk_fault { DISK_WELL, DISK_FULL, DISK_WRITE_EIO, DISK_FSYNC_EIO };
static _Atomic int disk_fault;
static _Atomic long disk_calls_left; /* until it strikes */
static _Atomic long disk_strikes;

struct disk_file {
	sqlite3_file base;
	sqlite3_io_methods methods;
	sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs disk_vfs;

static bool strikes(bool is_sync)
{
	int fault = disk_fault;

	if (fault == DISK_WELL || (fault == DISK_FSYNC_EIO) != is_sync)
		return false;
	if (disk_calls_left-- > 0)
		return false;
	disk_strikes++;
	return true;
}

#define REAL(f) (((struct disk_file *)(f))->real)

static int disk_write(sqlite3_file *f, const void *bytes, int n, sqlite3_int64 at)
{
	if (strikes(false))
		return disk_fault == DISK_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	return REAL(f)->pMethods->xWrite(REAL(f), bytes, n, at);
}

static int disk_sync(sqlite3_file *f, int flags)
{
	return strikes(true) ? SQLITE_IOERR_FSYNC : REAL(f)->pMethods->xSync(REAL(f), flags);
}

static int disk_close(sqlite3_file *f)
{
	return REAL(f)->pMethods->xClose(REAL(f));
}

static int disk_read(sqlite3_file *f, void *bytes, int n, sqlite3_int64 at)
{
	return REAL(f)->pMethods->xRead(REAL(f), bytes, n, at);
}

static int disk_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int disk_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	return REAL(f)->pMethods->xFileSize(REAL(f), ret);
}

static int disk_lock(sqlite3_file *f, int level)
{
	return REAL(f)->pMethods->xLock(REAL(f), level);
}

static int disk_unlock(sqlite3_file *f, int level)
{
	return REAL(f)->pMethods->xUnlock(REAL(f), level);
}

static int disk_reserved(sqlite3_file *f, int *ret)
{
	return REAL(f)->pMethods->xCheckReservedLock(REAL(f), ret);
}

static int disk_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int disk_sector(sqlite3_file *f)
{
	return REAL(f)->pMethods->xSectorSize(REAL(f));
}

static int disk_traits(sqlite3_file *f)
{
	return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}

static int disk_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
	return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, ret);
}

static int disk_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}

static void disk_shm_barrier(sqlite3_file *f)
{
	REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int disk_shm_unmap(sqlite3_file *f, int is_delete)
{
	return REAL(f)->pMethods->xShmUnmap(REAL(f), is_delete);
}

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct disk_file *f = (struct disk_file *)file;

	f->real = (sqlite3_file *)(f + 1);
	f->base.pMethods = NULL;
	int code = real_vfs->xOpen(real_vfs, name, f->real, flags, ret_flags);
	if (!f->real->pMethods)
		return code;
	f->methods = (sqlite3_io_methods){
		2,	     disk_close,   disk_read,	  disk_write,	    disk_truncate,  disk_sync,
		disk_size,   disk_lock,	   disk_unlock,	  disk_reserved,    disk_control,   disk_sector,
		disk_traits, disk_shm_map, disk_shm_lock, disk_shm_barrier, disk_shm_unmap, NULL,
		NULL,
	};
	f->base.pMethods = &f->methods;
	return code;
}

static void disk_set(enum disk_fault fault, long after)
{
	disk_calls_left = after;
	disk_strikes = 0;
	disk_fault = fault;
}

static int disk_install(void **state)
{
	real_vfs = sqlite3_vfs_find(NULL);
	disk_vfs = *real_vfs;
	disk_vfs.zName = "disk";
	disk_vfs.szOsFile = (int)sizeof(struct disk_file) + real_vfs->szOsFile;
	disk_vfs.xOpen = disk_open;
	return sqlite3_vfs_register(&disk_vfs, 1);
}

/* ---- time, so that a retry needs no waiting ---- */

static _Atomic uint64_t mono_ns = 1000000000;

static msec_t fake_wall(void)
{
	return 1763900000000;
}

static uint64_t fake_mono(void)
{
	return mono_ns;
}

static void pass_a_second(void)
{
	mono_ns += 1000000001;
}

/* ---- helpers ---- */

static int put(struct place *p, uint64_t seq, struct answer *a, struct err *e)
{
	struct ledger_row row = a_row(1, seq, LEDGER_OUTCOME, "body");

	return store_ledger_put(p->store, &row, on_answer, a, e);
}

static uint64_t rows_from(struct place *p)
{
	struct answer a auto_answer = { 0 };

	ASK(p, &a, store_ledger_read(p->store, 1, 0, UINT64_MAX, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	return a.n;
}

/* ---- claims ---- */

TEST(a_full_disk_fails_the_group_and_work_goes_on_when_space_returns)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct err err = ERR_INIT;

	disk_set(DISK_WELL, 0);
	clock_fake(fake_wall, fake_mono);
	place_new(&p);
	ASK(&p, &a, put(&p, 1, &a, e));
	assert_null(store_broken(p.store));
	disk_set(DISK_FULL, 0);
	ASK(&p, &a, put(&p, 2, &a, e));
	assert_int_equal(a.error, STORE_FAILED);
	assert_non_null(strstr(a.detail, "full"));
	assert_non_null(strstr(store_broken(p.store), "free some space"));
	assert_int_equal(put(&p, 3, &a, &err), -ERR_IO); /* at once, without a try */
	assert_non_null(strstr(err.msg, "nothing can be saved"));
	assert_int_equal(rows_from(&p), 1); /* reading goes on */
	pass_a_second();
	ASK(&p, &a, put(&p, 4, &a, e)); /* one try */
	assert_int_equal(a.error, STORE_FAILED);
	assert_int_equal(put(&p, 5, &a, NULL), -ERR_IO);
	disk_set(DISK_WELL, 0);
	pass_a_second();
	ASK(&p, &a, put(&p, 6, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_null(store_broken(p.store));
	ASK(&p, &a, put(&p, 7, &a, e));
	assert_int_equal(rows_from(&p), 3);
	clock_fake(NULL, NULL);
	place_drop(&p);
}

static int put_like(struct place *p, int64_t run, uint64_t seq, struct answer *a, struct err *e)
{
	struct ledger_row row = a_row(run, seq, LEDGER_OUTCOME,
				      "{\"temperature\":11.3,\"wind\":14.8,\"unit\":\"km/h\",\"place\":\"Paris\"}");

	return store_ledger_put(p->store, &row, on_answer, a, e);
}

/* The row that brings its dictionary along fails with it; the next one has to bring it again. */
TEST(a_dictionary_that_was_rolled_back_is_written_with_the_next_row)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct run_row run = a_run();
	uint64_t seq = 0;

	disk_set(DISK_WELL, 0);
	clock_fake(fake_wall, fake_mono);
	place_new(&p);
	ASK(&p, &a, store_run_create(p.store, &run, on_answer, &a, e));
	int64_t id = a.id;
	for (; seq < 96; seq++) /* as many as a dictionary is made of */
		ASK(&p, &a, put_like(&p, id, seq, &a, e));
	disk_set(DISK_FULL, 0);
	ASK(&p, &a, put_like(&p, id, seq, &a, e));
	assert_int_equal(a.error, STORE_FAILED);
	disk_set(DISK_WELL, 0);
	pass_a_second();
	for (; seq < 100; seq++) {
		ASK(&p, &a, put_like(&p, id, seq, &a, e));
		assert_int_equal(a.error, STORE_OK);
	}
	place_close(&p);
	place_open(&p);
	ASK(&p, &a, store_ledger_read(p.store, id, 0, UINT64_MAX, on_answer, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_int_equal(a.n, 100);
	clock_fake(NULL, NULL);
	place_drop(&p);
}

/* Each number is either reported saved or reported failed; none saved after one that failed. */
struct tail {
	struct loop *loop;
	unsigned answered, saved, failed;
};

static void on_tail(void *arg, const struct store_result *r)
{
	struct tail *t = arg;

	t->answered++;
	if (r->error == STORE_OK) {
		t->saved++;
		assert_int_equal(t->failed, 0);
	} else {
		assert_int_equal(r->error, STORE_FAILED);
		assert_non_null(r->detail);
		disk_fault = DISK_WELL; /* heals in the middle: what was queued before must fail all the same */
		t->failed++;
	}
	if (t->answered == 4000)
		loop_stop(t->loop);
}

TEST(what_was_queued_behind_a_failure_fails_even_if_the_disk_heals)
{
	struct place p;

	disk_set(DISK_WELL, 0);
	place_new(&p);
	struct tail t = { .loop = p.loop };
	disk_set(DISK_FULL, 20);
	for (uint64_t i = 0; i < 4000; i++) {
		struct ledger_row row = a_row(1, i, LEDGER_OUTCOME, "body");
		assert_int_equal(store_ledger_put(p.store, &row, on_tail, &t, NULL), 0);
	}
	(void)loop_run(p.loop);
	assert_true(t.failed > 0);
	assert_int_equal(t.saved + t.failed, 4000);
	assert_int_equal(rows_from(&p), t.saved);
	place_drop(&p);
}

TEST(after_a_failed_fsync_nothing_is_accepted_until_the_store_is_opened_again)
{
	struct place p;
	struct answer a auto_answer = { 0 };

	disk_set(DISK_WELL, 0);
	clock_fake(fake_wall, fake_mono);
	place_new(&p);
	ASK(&p, &a, put(&p, 1, &a, e));
	disk_set(DISK_FSYNC_EIO, 0);
	ASK(&p, &a, put(&p, 2, &a, e));
	assert_int_equal(a.error, STORE_FAILED);
	assert_non_null(strstr(store_broken(p.store), "restart"));
	disk_set(DISK_WELL, 0); /* the next fsync would "succeed" */
	for (int i = 0; i < 5; i++) {
		pass_a_second();
		assert_int_equal(put(&p, 3, &a, NULL), -ERR_IO);
	}
	assert_int_equal(rows_from(&p), 1);
	place_close(&p);
	place_open(&p);
	assert_null(store_broken(p.store));
	uint64_t n = rows_from(&p);
	assert_true(n == 1 || n == 2); /* the bytes may have reached the disk; only its word was no good */
	ASK(&p, &a, put(&p, 3, &a, e));
	assert_int_equal(a.error, STORE_OK);
	clock_fake(NULL, NULL);
	place_drop(&p);
}

TEST(a_failed_fsync_of_a_checkpoint_counts_too)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	static char body[1 << 20];
	struct ledger_row row = a_row(1, 0, LEDGER_OUTCOME, "");

	disk_set(DISK_WELL, 0);
	place_new(&p);
	row.body = str_from(body, sizeof(body));
	/* One commit writes more than a checkpoint's worth of log: its own fsync goes well, the next one is the
	 * checkpoint's. */
	disk_set(DISK_FSYNC_EIO, 0);
	disk_calls_left = 100000;
	for (uint64_t i = 0; i < 64 && !store_broken(p.store); i++) {
		row.key.seq = i;
		ASK(&p, &a, store_ledger_put(p.store, &row, on_answer, &a, e));
		if (i == 14) /* 15 MiB are in the log */
			disk_calls_left = 1;
		if (disk_strikes) /* behind the 16th row's callback, perhaps behind the 17th row's start */
			break;
		assert_int_equal(a.error, STORE_OK);
	}
	answer_clear(&a, p.loop);
	for (int i = 0; i < 100 && !store_broken(p.store); i++)
		(void)rows_from(&p);
	assert_true(disk_strikes > 0);
	assert_non_null(store_broken(p.store));
	assert_int_equal(put(&p, 999, &a, NULL), -ERR_IO);
	disk_set(DISK_WELL, 0);
	place_drop(&p);
}

TEST(the_kernels_own_no_room_is_a_full_disk_too)
{
	struct place p;
	struct answer a auto_answer = { 0 };
	struct rlimit before, small;
	static char body[100000];
	struct ledger_row row = a_row(1, 0, LEDGER_OUTCOME, "");

	disk_set(DISK_WELL, 0);
	clock_fake(fake_wall, fake_mono);
	place_new(&p);
	ASK(&p, &a, put(&p, 1, &a, e));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 150000;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	row.body = str_from(body, sizeof(body));
	for (row.key.seq = 2; !store_broken(p.store); row.key.seq++)
		ASK(&p, &a, store_ledger_put(p.store, &row, on_answer, &a, e));
	assert_int_equal(a.error, STORE_FAILED);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(store_broken(p.store), "free some space"));
	pass_a_second();
	ASK(&p, &a, put(&p, 99, &a, e));
	assert_int_equal(a.error, STORE_OK);
	assert_int_equal(rows_from(&p), row.key.seq - 2 + 1); /* 1, those before the one that failed, 99 */
	clock_fake(NULL, NULL);
	place_drop(&p);
}

/* For each n: the n-th call to the disk fails. What was reported saved is there afterwards, and the database is whole.
 */
static void sweep(enum disk_fault fault, long step)
{
	for (long n = 0;; n += step) {
		struct place p;
		struct answer a auto_answer = { 0 };
		uint64_t saved = 0;
		disk_set(DISK_WELL, 0);
		place_new(&p);
		disk_set(fault, n);
		for (uint64_t i = 0; i < 40 && !store_broken(p.store); i++) {
			ASK(&p, &a, put(&p, i, &a, e));
			saved += a.error == STORE_OK;
		}
		bool has_struck = disk_strikes > 0;
		place_close(&p); /* with the fault still there */
		disk_set(DISK_WELL, 0);
		place_open(&p); /* unclean: this is the check, too */
		uint64_t there = rows_from(&p);
		if (there != saved && there != saved + 1)
			fail_msg("fault %d at call %ld: %llu saved, %llu there", fault, n, (unsigned long long)saved,
				 (unsigned long long)there);
		place_drop(&p);
		if (!has_struck)
			return;
	}
}

TEST(whichever_write_meets_a_full_disk_the_saved_rows_are_there)
{
	sweep(DISK_FULL, 7);
}

TEST(whichever_write_fails_the_saved_rows_are_there)
{
	sweep(DISK_WRITE_EIO, 11);
}

TEST(whichever_fsync_fails_the_saved_rows_are_there)
{
	sweep(DISK_FSYNC_EIO, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLAIM(a_full_disk_fails_the_group_and_work_goes_on_when_space_returns),
		CLAIM(a_dictionary_that_was_rolled_back_is_written_with_the_next_row),
		CLAIM(what_was_queued_behind_a_failure_fails_even_if_the_disk_heals),
		CLAIM(after_a_failed_fsync_nothing_is_accepted_until_the_store_is_opened_again),
		CLAIM(a_failed_fsync_of_a_checkpoint_counts_too),
		CLAIM(the_kernels_own_no_room_is_a_full_disk_too),
		CLAIM(whichever_write_meets_a_full_disk_the_saved_rows_are_there),
		CLAIM(whichever_write_fails_the_saved_rows_are_there),
		CLAIM(whichever_fsync_fails_the_saved_rows_are_there),
	};
	return cmocka_run_group_tests(tests, disk_install, NULL);
}
