/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One survey:
 *
 *   list: pages of runs, newest first ---> bytes: each run that was not measured before ---> top: the rows of the
 * largest
 *        ---> space ---> kinds: sums over all rows, if the database is not too large ---> files: some at a time --->
 * published
 *
 * A run that is over does not change, so what it takes is remembered with its end: the next survey measures only what
 * is new. The handle is opened with the first survey and stays: closing it would tidy up the log, which takes its time.
 */
#include "store/survey.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/clock.h"
#include "store/store_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILES_STEP 512 /* of the folder looked at in one turn of the loop */
#define FILES_FOLDERS 256

struct measured {
	int64_t id;
	msec_t ended_at; /* 0 = it was under way: to be measured again */
	uint64_t bytes;
	bool is_known;
};

/* What is published, with its bytes. */
struct snapshot {
	struct arena arena;
	struct survey_report report;
	char problem[256];
};

struct survey {
	struct store *store, *reader; /* reader NULL = not yet open; the store itself when it is in memory */
	struct loop *loop;
	struct snapshot *last, *next; /* next: under way */
	msec_t began;
	struct measured *runs, *before; /* newest first; of this survey, and of the last one */
	size_t n, cap, n_before, at, at_before;
	int64_t top[SURVEY_TOP];
	uint64_t top_bytes[SURVEY_TOP];
	size_t n_top;
	int64_t cursor; /* of the next page of runs */
	struct loop_timer files_timer;
	DIR *folder; /* of files, being read; NULL = the next is to be opened */
	unsigned n_folders;
	int files_fd;
	bool is_stopped; /* the owner is gone; the callback under way frees */
};

static void next_bytes(struct survey *v);
static void next_top(struct survey *v);

static void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	arena_done(&s->arena);
	free(s);
}

static void close_files(struct survey *v)
{
	if (v->folder)
		(void)closedir(v->folder);
	if (v->files_fd >= 0)
		(void)close(v->files_fd);
	v->folder = NULL;
	v->files_fd = -1;
}

static void publish(struct survey *v, const char *problem)
{
	struct snapshot *s = TAKE(v->next);

	close_files(v);
	s->report.computed_at = clock_wall();
	s->report.took = clock_mono() - v->began;
	if (problem) {
		(void)snprintf(s->problem, sizeof(s->problem), "%s", problem);
		s->report.problem = s->problem;
	}
	snapshot_free(v->last);
	v->last = s;
	free(v->before);
	v->before = TAKE(v->runs);
	v->n_before = v->n;
	v->n = v->cap = 0;
}

static void survey_done_with(struct survey *v)
{
	snapshot_free(v->last);
	snapshot_free(v->next);
	free(v->runs);
	free(v->before);
	free(v);
}

/* At the head of each callback: true = it is over. */
static bool failed(struct survey *v, const struct store_result *r)
{
	if (v->is_stopped) {
		survey_done_with(v);
		return true;
	}
	if (r->error == STORE_FAILED)
		publish(v, r->detail ? r->detail : "the database cannot be read");
	return r->error == STORE_FAILED;
}

/* ---- files ---- */

static void count_one(struct survey *v, const struct dirent *entry)
{
	struct survey_report *r = &v->next->report;
	struct stat st;

	if (fstatat(dirfd(v->folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
		r->files++;
		r->file_bytes += (uint64_t)st.st_size;
	}
}

/* The folder of the next two digits, if there is one. */
static void open_folder(struct survey *v)
{
	char name[3];

	(void)snprintf(name, sizeof(name), "%02x", v->n_folders++ & 0xff);
	int fd = openat(v->files_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	v->folder = fd >= 0 ? fdopendir(fd) : NULL;
	if (fd >= 0 && !v->folder)
		(void)close(fd);
}

static void on_files(struct loop_timer *t)
{
	struct survey *v = CONTAINER_OF(t, struct survey, files_timer);

	for (int i = 0; i < FILES_STEP; i++) {
		const struct dirent *entry = v->folder ? readdir(v->folder) : NULL;
		if (entry) {
			count_one(v, entry);
			continue;
		}
		if (v->folder)
			(void)closedir(v->folder);
		v->folder = NULL;
		if (v->n_folders == FILES_FOLDERS) {
			publish(v, NULL);
			return;
		}
		open_folder(v);
	}
	(void)loop_timer_start(t, 1);
}

static void count_files(struct survey *v)
{
	const struct dir *dir = store_dir(v->store);

	v->next->report.has_files = dir != NULL;
	v->n_folders = 0;
	v->files_fd = dir ? openat(dir_fd(dir), "files", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	if (v->files_fd < 0)
		publish(v, NULL); /* none was ever kept */
	else
		(void)loop_timer_start(&v->files_timer, 1);
}

/* ---- kinds ---- */

static void on_kinds(void *arg, const struct store_result *r)
{
	struct survey *v = arg;

	if (failed(v, r))
		return;
	struct survey_report *report = &v->next->report;
	for (size_t i = 0; r->error == STORE_OK && i < r->n; i++) {
		report->kinds[i] = r->storage[i];
		report->kinds[i].what = arena_str(&v->next->arena, r->storage[i].what);
		report->n_kinds++;
	}
	count_files(v);
}

static void on_space(void *arg, const struct store_result *r)
{
	struct survey *v = arg;
	struct err e = ERR_INIT;

	if (failed(v, r))
		return;
	if (r->bytes_used > SURVEY_KINDS_BYTES)
		count_files(v);
	else if (store_storage(v->reader, on_kinds, v, &e))
		publish(v, e.msg);
}

/* ---- the largest ---- */

static void rank(struct survey *v, int64_t id, uint64_t bytes)
{
	if (v->n_top == SURVEY_TOP && v->top_bytes[SURVEY_TOP - 1] >= bytes)
		return;
	size_t i = v->n_top < SURVEY_TOP ? v->n_top++ : SURVEY_TOP - 1;
	for (; i > 0 && v->top_bytes[i - 1] < bytes; i--) {
		v->top[i] = v->top[i - 1];
		v->top_bytes[i] = v->top_bytes[i - 1];
	}
	v->top[i] = id;
	v->top_bytes[i] = bytes;
}

static struct run_row kept_row(struct arena *a, const struct run_row *r)
{
	struct run_row row = *r;

	row.component = arena_str(a, r->component);
	row.dataflow = arena_str(a, r->dataflow);
	row.version = row.env = row.trigger = row.steps = row.problem = STR_NULL;
	return row;
}

static void on_top(void *arg, const struct store_result *r)
{
	struct survey *v = arg;

	if (failed(v, r))
		return;
	struct survey_report *report = &v->next->report;
	if (r->error == STORE_OK && r->n > 0) /* else it was pruned meanwhile */
		report->top[report->n_top++] =
		    (struct survey_run){ v->top_bytes[v->at], kept_row(&v->next->arena, &r->runs[0]) };
	v->at++;
	next_top(v);
}

static void next_top(struct survey *v)
{
	struct err e = ERR_INIT;
	int code = v->at < v->n_top ? store_run_get(v->reader, v->top[v->at], on_top, v, &e)
				    : store_space(v->reader, on_space, v, &e);

	if (code)
		publish(v, e.msg);
}

/* ---- each run ---- */

static void on_bytes(void *arg, const struct store_result *r)
{
	struct survey *v = arg;

	if (failed(v, r))
		return;
	struct measured *m = &v->runs[v->at++];
	m->is_known = r->error == STORE_OK;
	m->bytes = r->total;
	next_bytes(v);
}

/* What the last survey found of a run that has not changed since. Both lists go from the newest to the oldest. */
static bool is_remembered(struct survey *v, struct measured *m)
{
	while (v->at_before < v->n_before && v->before[v->at_before].id > m->id)
		v->at_before++;
	const struct measured *old = v->at_before < v->n_before ? &v->before[v->at_before] : NULL;
	if (!old || old->id != m->id || !old->is_known || !m->ended_at || old->ended_at != m->ended_at)
		return false;
	m->bytes = old->bytes;
	m->is_known = true;
	return true;
}

static void next_bytes(struct survey *v)
{
	struct err e = ERR_INIT;

	while (v->at < v->n && is_remembered(v, &v->runs[v->at]))
		v->at++;
	if (v->at < v->n) {
		if (store_run_bytes(v->reader, v->runs[v->at].id, on_bytes, v, &e))
			publish(v, e.msg);
		return;
	}
	v->n_top = 0;
	for (size_t i = 0; i < v->n; i++) {
		v->next->report.runs_measured += v->runs[i].is_known;
		if (v->runs[i].is_known)
			rank(v, v->runs[i].id, v->runs[i].bytes);
	}
	v->at = 0;
	next_top(v);
}

/* ---- which runs there are ---- */

static bool add_run(struct survey *v, const struct run_row *r)
{
	if (v->n == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 256;
		struct measured *runs = alloc_realloc(v->runs, cap * sizeof(*runs));
		if (!runs)
			return false;
		v->runs = runs;
		v->cap = cap;
	}
	v->runs[v->n++] = (struct measured){ .id = r->id, .ended_at = r->state == RUN_RUNNING ? 0 : r->ended_at };
	return true;
}

static void on_page(void *arg, const struct store_result *r)
{
	struct survey *v = arg;
	struct err e = ERR_INIT;

	if (failed(v, r))
		return;
	struct survey_report *report = &v->next->report;
	report->runs = r->total;
	for (size_t i = 0; i < r->n && v->n < SURVEY_RUNS_MAX; i++) {
		v->cursor = r->runs[i].id;
		if (!add_run(v, &r->runs[i])) {
			publish(v, "no memory for the list of runs");
			return;
		}
	}
	struct run_row *oldest = r->n > 0 ? ARENA_NEW(&v->next->arena, struct run_row) : NULL;
	if (oldest) {
		*oldest = kept_row(&v->next->arena, &r->runs[r->n - 1]);
		report->oldest = oldest;
	}
	if (r->error == STORE_OK && r->n == STORE_PAGE_MAX && v->n < SURVEY_RUNS_MAX) {
		if (store_run_list(v->reader, v->cursor, -1, STORE_PAGE_MAX, on_page, v, &e))
			publish(v, e.msg);
		return;
	}
	if (v->n == SURVEY_RUNS_MAX)
		report->oldest = NULL;
	v->at = v->at_before = 0;
	next_bytes(v);
}

/* ---- the face ---- */

int survey_reader(struct survey *v, struct store **ret, struct err *e)
{
	const struct dir *dir = store_dir(v->store);
	int code = 0;

	if (!v->reader && dir)
		code = store_open_reader(&v->reader, v->store, e);
	else if (!v->reader)
		v->reader = v->store;
	*ret = v->reader;
	return code;
}

struct survey *survey_new(struct store *s, struct loop *l)
{
	struct survey *v = alloc_calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	*v = (struct survey){ .store = s, .loop = l, .files_fd = -1 };
	loop_timer_init(l, &v->files_timer, on_files);
	return v;
}

void survey_free(struct survey *v)
{
	if (!v)
		return;
	/* The store's own callback may still come; that of a closed handle does not. */
	v->is_stopped = v->next && v->reader == v->store && !loop_timer_is_running(&v->files_timer);
	loop_timer_stop(&v->files_timer);
	close_files(v);
	if (v->reader != v->store)
		store_close(v->reader);
	if (!v->is_stopped)
		survey_done_with(v);
}

int survey_start(struct survey *v, struct err *e)
{
	if (v->next)
		return 0;
	struct store *reader;
	int code = survey_reader(v, &reader, e);
	if (code)
		return code;
	struct snapshot *s = alloc_calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, ERR_NO_MEMORY, "no memory for the sums");
	arena_init(&s->arena, 0);
	v->began = clock_mono();
	v->n = 0;
	v->cursor = 0;
	code = store_run_list(reader, 0, -1, STORE_PAGE_MAX, on_page, v, e);
	if (code)
		snapshot_free(s);
	else
		v->next = s;
	return code;
}

bool survey_is_under_way(const struct survey *v)
{
	return v->next != NULL;
}

const struct survey_report *survey_last(const struct survey *v)
{
	return v->last ? &v->last->report : NULL;
}

void survey_disk(const struct store *s, struct survey_disk *ret)
{
	const struct dir *dir = store_dir(s);
	struct statvfs fs;

	*ret = (struct survey_disk){ .dir = dir ? dir_path(dir) : NULL };
	if (!dir)
		return;
	ret->log_bytes = dir_log_bytes(dir);
	ret->database_bytes = dir_bytes(dir) - ret->log_bytes;
	if (fstatvfs(dir_fd(dir), &fs) == 0) {
		ret->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
		ret->size_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	}
}
