/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data directory: made private, and honest about how it was left. weir.lock is both the lock and the note: each
 * process holds it shared while it has the database open, exclusively while it opens it; the last to leave after a
 * complete close writes "clean", with the size and time of weir.db. Anything else found there at the next start means:
 * look first.
 */
#include "store/store_int.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_FILE "weir.lock"
#define RUNS_DIR "runs"
#define NOTE_MAX 96
#define POLL_EVERY_NS 20000000 /* while another process opens the same directory */

struct claim {
	struct list link;
	int64_t run;
	int fd;
};

struct dir {
	char *path, *database_path;
	int fd, runs_fd, lock_fd;
	bool has_database, was_clean, had_log;
	struct list claims;
};

/* ---- making it ---- */

static int sync_fd(int fd, const char *what, struct err *e)
{
	return fsync(fd) == 0 ? 0 : err_errno(e, "cannot write %s to disk", what);
}

/* mkdir -p; what is made is private whatever the umask says, what was there keeps its mode. */
static int make_dirs(char *path, struct err *e)
{
	for (char *slash = path + 1;; slash++) {
		if (*slash != '/' && *slash != '\0')
			continue;
		char kept = *slash;
		*slash = '\0';
		bool is_new = mkdir(path, 0700) == 0;
		int code = is_new || errno == EEXIST ? 0 : err_errno(e, "cannot make the data directory '%s'", path);
		if (is_new && chmod(path, 0700))
			code = err_errno(e, "cannot make the data directory '%s' private", path);
		*slash = kept;
		if (code || !kept)
			return code;
	}
}

static int open_fds(struct dir *d, struct err *e)
{
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->fd < 0)
		return err_errno(e, "cannot open the data directory '%s'", d->path);
	if (mkdirat(d->fd, RUNS_DIR, 0700) == 0 && fchmodat(d->fd, RUNS_DIR, 0700, 0))
		return err_errno(e, "cannot make '%s/" RUNS_DIR "' private", d->path);
	d->runs_fd = openat(d->fd, RUNS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->runs_fd < 0)
		return err_errno(e, "cannot open '%s/" RUNS_DIR "'", d->path);
	d->lock_fd = openat(d->fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0 || fchmod(d->lock_fd, 0600))
		return err_errno(e, "cannot open '%s/" LOCK_FILE "'", d->path);
	return sync_fd(d->fd, d->path, e);
}

/* ---- the note ---- */

static int database_stat(const struct dir *d, struct stat *ret)
{
	return fstatat(d->fd, DIR_DATABASE, ret, 0);
}

static void clean_note(const struct stat *st, char ret[static NOTE_MAX])
{
	(void)snprintf(ret, NOTE_MAX, "clean %lld %lld.%09ld\n", (long long)st->st_size, (long long)st->st_mtim.tv_sec,
		       st->st_mtim.tv_nsec);
}

static int write_note(struct dir *d, const char *note, struct err *e)
{
	size_t n = strlen(note);

	if (pwrite(d->lock_fd, note, n, 0) != (ssize_t)n || ftruncate(d->lock_fd, (off_t)n) || fsync(d->lock_fd))
		return err_errno(e, "cannot write '%s/" LOCK_FILE "'", d->path);
	return 0;
}

/* We are alone: how was it left? */
static int read_note(struct dir *d, struct err *e)
{
	char note[NOTE_MAX] = "", expected[NOTE_MAX];
	struct stat st = { 0 }, wal = { 0 };
	ssize_t n = pread(d->lock_fd, note, sizeof(note) - 1, 0);

	if (n < 0)
		return err_errno(e, "cannot read '%s/" LOCK_FILE "'", d->path);
	bool has_database = database_stat(d, &st) == 0 && st.st_size > 0;
	if (n > 0 && !has_database)
		return err_set(e, ERR_IO,
			       "'%s/" DIR_DATABASE
			       "' is %s, although runs were kept here before; put it back from a copy, "
			       "or remove " LOCK_FILE " and " DIR_DATABASE "-wal to begin with an empty one",
			       d->path, st.st_ino ? "empty" : "missing");
	clean_note(&st, expected);
	d->had_log = fstatat(d->fd, DIR_DATABASE "-wal", &wal, 0) == 0 && wal.st_size > 0;
	d->was_clean = !has_database || (!d->had_log && strcmp(note, expected) == 0);
	return 0;
}

/* ---- opening and leaving ---- */

/* Exclusively when nobody else is there, shared when somebody is; waits for one who is just opening. */
static int lock(struct dir *d, msec_t wait, struct err *e)
{
	const struct timespec nap = { .tv_nsec = POLL_EVERY_NS };

	for (msec_t waited = 0;; waited += POLL_EVERY_NS / 1000000) {
		if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0)
			return read_note(d, e);
		if (errno == EWOULDBLOCK && flock(d->lock_fd, LOCK_SH | LOCK_NB) == 0) {
			d->was_clean = true; /* its other users have looked */
			return 0;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(e, "cannot lock '%s/" LOCK_FILE "'", d->path);
		if (waited >= wait)
			return err_set(e, ERR_CONFLICT,
				       "another weir is opening or checking '%s'; try again when it is done", d->path);
		(void)nanosleep(&nap, NULL);
	}
}

int dir_open(struct dir **ret, const char *path, bool has_database, msec_t wait, struct err *e)
{
	struct dir *d = alloc_calloc(1, sizeof(*d));
	int code = 0;

	if (!d)
		return err_set(e, ERR_NO_MEMORY, "no memory for the data directory");
	d->fd = d->runs_fd = d->lock_fd = -1;
	d->has_database = has_database;
	list_init(&d->claims);
	*ret = d;
	/* "./": SQLite would take a name that begins with "file:" for an address. */
	if (asprintf(&d->path, "%s%s", path[0] == '/' ? "" : "./", path) < 0 ||
	    asprintf(&d->database_path, "%s/" DIR_DATABASE, d->path) < 0)
		code = err_set(e, ERR_NO_MEMORY, "no memory for the data directory");
	if (code == 0)
		code = make_dirs(d->path, e);
	if (code == 0)
		code = open_fds(d, e);
	if (code == 0 && has_database)
		code = lock(d, wait, e);
	if (code == 0)
		return 0;
	dir_close(d, false);
	*ret = NULL;
	return code;
}

int dir_settle(struct dir *d, struct err *e)
{
	if (!d->has_database)
		return 0;
	int code = write_note(d, "open\n", e);

	if (code)
		return code;
	if (flock(d->lock_fd, LOCK_SH))
		return err_errno(e, "cannot lock '%s/" LOCK_FILE "'", d->path);
	return 0;
}

static void drop_claims(struct dir *d)
{
	LIST_FOREACH (it, &d->claims)
		dir_release(d, LIST_ENTRY(it, struct claim, link)->run);
}

void dir_close(struct dir *d, bool is_tidy)
{
	struct stat st;
	char note[NOTE_MAX];

	if (!d)
		return;
	drop_claims(d);
	if (is_tidy && d->has_database && flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0 && database_stat(d, &st) == 0) {
		clean_note(&st, note);
		(void)write_note(d, note, NULL); /* failing means a look at the next start */
	}
	int fds[] = { d->lock_fd, d->runs_fd, d->fd };
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
	free(d->path);
	free(d->database_path);
	free(d);
}

bool dir_was_clean(const struct dir *d)
{
	return d->was_clean;
}

bool dir_had_log(const struct dir *d)
{
	return d->had_log;
}

const char *dir_database_path(const struct dir *d)
{
	return d->database_path;
}

const char *dir_path(const struct dir *d)
{
	return d->path;
}

int dir_fd(const struct dir *d)
{
	return d->fd;
}

static uint64_t file_bytes(const struct dir *d, const char *name)
{
	struct stat st;

	return fstatat(d->fd, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

uint64_t dir_log_bytes(const struct dir *d)
{
	return file_bytes(d, DIR_DATABASE "-wal") + file_bytes(d, DIR_DATABASE "-shm");
}

uint64_t dir_bytes(const struct dir *d)
{
	return file_bytes(d, DIR_DATABASE) + dir_log_bytes(d);
}

/* ---- who executes which run ---- */

static struct claim *find_claim(struct dir *d, int64_t run)
{
	LIST_FOREACH (it, &d->claims) {
		struct claim *c = LIST_ENTRY(it, struct claim, link);
		if (c->run == run)
			return c;
	}
	return NULL;
}

static void claim_name(int64_t run, char ret[static 32])
{
	(void)snprintf(ret, 32, "%" PRId64 ".lock", run);
}

/* The descriptor, locked; -1 when somebody holds it (errno EWOULDBLOCK) or on trouble. */
static int lock_run(const struct dir *d, const char *name)
{
	for (;;) {
		auto_fd int fd = openat(d->runs_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		struct stat ours, there;
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
			return -1;
		/* The holder before us removed the file between our open and our lock: this lock is nobody's. */
		if (fstat(fd, &ours) || fstatat(d->runs_fd, name, &there, 0) || ours.st_ino != there.st_ino)
			continue;
		int taken = fd;
		fd = -1;
		return taken;
	}
}

int dir_claim(struct dir *d, int64_t run, struct err *e)
{
	char name[32];

	if (find_claim(d, run))
		return err_set(e, ERR_CONFLICT, "run %" PRId64 " is being executed by this process already", run);
	claim_name(run, name);
	auto_free struct claim *c = alloc_malloc(sizeof(*c));
	if (!c)
		return err_set(e, ERR_NO_MEMORY, "no memory to claim run %" PRId64, run);
	c->run = run;
	c->fd = lock_run(d, name);
	if (c->fd < 0 && errno == EWOULDBLOCK)
		return err_set(e, ERR_CONFLICT, "run %" PRId64 " is being executed by another process", run);
	if (c->fd < 0)
		return err_errno(e, "cannot lock '%s/" RUNS_DIR "/%s'", d->path, name);
	list_add_last(&d->claims, &c->link);
	c = NULL; /* the list has it */
	return 0;
}

void dir_release(struct dir *d, int64_t run)
{
	struct claim *c = find_claim(d, run);
	char name[32];

	if (!c)
		return;
	claim_name(run, name);
	(void)unlinkat(d->runs_fd, name, 0); /* while we hold it: see lock_run() */
	(void)close(c->fd);
	list_remove(&c->link);
	free(c);
}
