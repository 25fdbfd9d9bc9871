/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of files. A writer's bytes are in files/tmp/<name>, locked while its process lives; its life:
 *
 *   writing --- file_writer_keep() ---> sealed (found by its id through `sealed`) --- files_settle() ---> under its id
 *      '------------ dropped, or the process died: nothing under the id <------------'  the store failed
 */
#include "store/store_int.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_DIR "files"
#define TMP_DIR "tmp"
#define TMP_NAME_BYTES 48
#define WRITE_BACK_BYTES                                                                                               \
	(8u << 20) /* the kernel begins to write so much at once, so that the fsync finds little to do */
#define NAME_TRIES 100

struct files {
	struct store *store;
	int data_fd;	    /* borrowed; -1 = in memory */
	char *private_dir;  /* of a store in memory, made when it is needed; NULL = not yet */
	int fd, tmp_fd;	    /* files/ and files/tmp/; -1 = not there yet */
	struct list sealed; /* writers whose file may not have its name yet */
	size_t n_lent;
	uint64_t n_made;
};

struct file_writer {
	struct list link; /* in files->sealed */
	struct files *files;
	int fd;
	char name[TMP_NAME_BYTES]; /* in files/tmp/ */
	struct file_digest *digest;
	uint64_t bytes, max, written_back;
	char id[FILE_ID_BYTES];
	bool is_settled; /* the store's thread says so; read by the loop's after the operation came back */
};

/* ---- the folder ---- */

bool file_id_is_valid(struct str id)
{
	if (id.len != FILE_ID_DIGITS)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!((id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'f')))
			return false;
	return true;
}

/* "ab/cdef..." */
static void path_of(const char *id, char ret[static FILE_ID_BYTES + 1])
{
	(void)snprintf(ret, FILE_ID_BYTES + 1, "%.2s/%.62s", id, id + 2);
}

/* A directory of ours, private whatever the umask says; -1 with errno. */
static int make_dir(int parent, const char *name)
{
	bool is_new = mkdirat(parent, name, 0700) == 0;

	if (!is_new && errno != EEXIST)
		return -1;
	if (is_new && (fchmodat(parent, name, 0700, 0) || fsync(parent)))
		return -1;
	return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The directory that files/ is in. */
static int parent_fd(struct files *f, struct err *e)
{
	const char *tmp = getenv("TMPDIR");
	char *path = NULL;

	if (f->data_fd >= 0) {
		int fd = fcntl(f->data_fd, F_DUPFD_CLOEXEC, 0);
		return fd >= 0 ? fd : err_errno(e, "cannot open the data directory");
	}
	if (!f->private_dir) {
		if (asprintf(&path, "%s/weir-files-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0)
			return err_set(e, ERR_NO_MEMORY, "no memory for the folder of files");
		if (!mkdtemp(path)) {
			int code = err_errno(e, "cannot make a folder for files at '%s'", path);
			free(path);
			return code;
		}
		f->private_dir = path;
	}
	int fd = open(f->private_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : err_errno(e, "cannot open '%s'", f->private_dir);
}

/* Open what is there: another process may have made it since. */
static void find_folder(struct files *f)
{
	if (f->fd < 0 && f->data_fd >= 0)
		f->fd = openat(f->data_fd, FILES_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (f->fd >= 0 && f->tmp_fd < 0)
		f->tmp_fd = openat(f->fd, TMP_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_folder(struct files *f, struct err *e)
{
	find_folder(f);
	if (f->tmp_fd >= 0)
		return 0;
	auto_fd int parent = parent_fd(f, e);
	if (parent < 0)
		return parent;
	if (f->fd < 0)
		f->fd = make_dir(parent, FILES_DIR);
	if (f->fd >= 0)
		f->tmp_fd = make_dir(f->fd, TMP_DIR);
	return f->tmp_fd >= 0 ? 0 : err_errno(e, "cannot make the folder of files");
}

/* What a process left half written when it died. Locked ones are being written, young ones may not be locked yet. */
static void sweep(struct files *f)
{
	int fd = f->tmp_fd >= 0 ? openat(f->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	size_t n = 0;

	if (!d && fd >= 0)
		(void)close(fd);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		struct stat st;
		if (fstatat(f->tmp_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode) ||
		    (msec_t)st.st_mtim.tv_sec * 1000 > clock_wall() - FILES_TMP_AGE)
			continue;
		auto_fd int left = openat(f->tmp_fd, entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (left >= 0 && flock(left, LOCK_EX | LOCK_NB) == 0 && unlinkat(f->tmp_fd, entry->d_name, 0) == 0)
			n++;
	}
	if (d)
		(void)closedir(d);
	if (n)
		log_info(NULL, "files swept: %zu were half written and nobody's", n);
}

int files_new(struct files **ret, struct store *s, int data_fd, struct err *e)
{
	struct files *f = alloc_calloc(1, sizeof(*f));

	if (!f)
		return err_set(e, ERR_NO_MEMORY, "no memory for the folder of files");
	*f = (struct files){ .store = s, .data_fd = data_fd, .fd = -1, .tmp_fd = -1 };
	list_init(&f->sealed);
	find_folder(f);
	sweep(f);
	*ret = f;
	return 0;
}

/* Everything under a private directory; it has two levels and holds only what we made. */
static void remove_tree(int parent, const char *name, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		(void)close(fd);
	for (struct dirent *entry; d && (entry = readdir(d));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(d), entry->d_name, 0) && depth > 0)
			remove_tree(dirfd(d), entry->d_name, depth - 1);
	}
	if (d)
		(void)closedir(d);
	(void)unlinkat(parent, name, AT_REMOVEDIR);
}

void files_free(struct files *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	if (f->tmp_fd >= 0)
		(void)close(f->tmp_fd);
	if (f->private_dir)
		remove_tree(AT_FDCWD, f->private_dir, 3);
	free(f->private_dir);
	free(f);
}

/* ---- reading ---- */

static int refuse_id(struct err *e)
{
	return err_set(e, ERR_INVALID, "the id of a file is %d hexadecimal digits in lower case", FILE_ID_DIGITS);
}

static const struct file_writer *find_sealed(const struct files *f, struct str id)
{
	LIST_FOREACH (it, &f->sealed) {
		const struct file_writer *w = LIST_ENTRY(it, struct file_writer, link);
		if (str_eq_c(id, w->id))
			return w;
	}
	return NULL;
}

int files_open(struct files *f, struct str id, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	char path[FILE_ID_BYTES + 1];
	struct stat st = { 0 };

	if (!file_id_is_valid(id))
		return refuse_id(e);
	const struct file_writer *w = find_sealed(f, id);
	find_folder(f);
	path_of(id.ptr, path);
	auto_fd int fd = -1;
	if (w) { /* opened anew: its own place to read from */
		fd = openat(f->tmp_fd, w->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (fd < 0 && f->fd >= 0) /* the store's thread may just have moved it */
		fd = openat(f->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && (f->fd < 0 || errno == ENOENT))
		return err_set(e, ERR_NOT_FOUND, "there is no file %.*s here", STR_ARG(id));
	if (fd < 0 || fstat(fd, &st))
		return err_errno(e, "cannot open file %.*s", STR_ARG(id));
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_NOT_FOUND, "there is no file %.*s here", STR_ARG(id));
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int files_size(struct files *f, struct str id, uint64_t *ret, struct err *e)
{
	auto_fd int fd = -1;
	return files_open(f, id, &fd, ret, e);
}

int files_lend(struct files *f, struct str id, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	if (f->n_lent >= FILES_LENT_MAX)
		return err_set(e, ERR_LIMIT, "%d files are open already", FILES_LENT_MAX);
	int code = files_open(f, id, ret_fd, ret_size, e);
	f->n_lent += code == 0;
	return code == -EMFILE || code == -ENFILE ? -ERR_LIMIT : code;
}

void files_give_back(struct files *f, int fd)
{
	(void)close(fd);
	f->n_lent--;
}

/* ---- writing ---- */

static int open_tmp(struct file_writer *w, struct err *e)
{
	for (int i = 0; i < NAME_TRIES; i++) {
		(void)snprintf(w->name, sizeof(w->name), "%ld-%llu-%llx", (long)getpid(),
			       (unsigned long long)w->files->n_made++, (unsigned long long)clock_mono_ns());
		w->fd = openat(w->files->tmp_fd, w->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (w->fd >= 0 || errno != EEXIST)
			break;
	}
	if (w->fd < 0)
		return err_errno(e, "cannot begin a file");
	if (fchmod(w->fd, 0600) || flock(w->fd, LOCK_EX | LOCK_NB))
		return err_errno(e, "cannot make a new file private");
	return 0;
}

struct file_writer *file_writer_new(struct files *f, uint64_t max, struct err *e)
{
	struct file_writer *w = alloc_calloc(1, sizeof(*w));

	if (!w) {
		(void)err_set(e, ERR_NO_MEMORY, "no memory for a file");
		return NULL;
	}
	*w = (struct file_writer){ .files = f, .fd = -1, .max = max == 0 || max > FILE_MAX ? FILE_MAX : max };
	list_init(&w->link);
	w->digest = file_digest_new();
	if (!w->digest)
		(void)err_set(e, ERR_NO_MEMORY, "no memory for a file");
	if (w->digest && make_folder(f, e) == 0 && open_tmp(w, e) == 0)
		return w;
	file_writer_drop(w);
	return NULL;
}

int file_writer_append(struct file_writer *w, struct str bytes, struct err *e)
{
	size_t at = 0;

	if (bytes.len > w->max - w->bytes)
		return err_set(e, ERR_LIMIT, "the file is larger than %llu bytes", (unsigned long long)w->max);
	while (at < bytes.len) {
		ssize_t n = write(w->fd, bytes.ptr + at, bytes.len - at);
		if (n < 0 && errno != EINTR)
			return err_errno(e, "the file cannot be written");
		at += n > 0 ? (size_t)n : 0;
	}
	w->bytes += bytes.len;
	if (w->bytes - w->written_back >= WRITE_BACK_BYTES) {
		(void)sync_file_range(w->fd, (off_t)w->written_back, (off_t)(w->bytes - w->written_back),
				      SYNC_FILE_RANGE_WRITE);
		w->written_back = w->bytes;
	}
	return file_digest_push(w->digest, bytes) ? 0 : err_set(e, ERR_NO_MEMORY, "no memory for a file's digest");
}

uint64_t file_writer_bytes(const struct file_writer *w)
{
	return w->bytes;
}

void file_writer_drop(struct file_writer *w)
{
	if (!w)
		return;
	list_remove(&w->link);
	if (w->fd >= 0 && !w->is_settled)
		(void)unlinkat(w->files->tmp_fd, w->name, 0);
	if (w->fd >= 0)
		(void)close(w->fd);
	file_digest_free(w->digest);
	free(w);
}

int file_writer_keep(struct file_writer *w, char ret_id[static FILE_ID_BYTES], store_done *done, void *arg,
		     struct err *e)
{
	struct op *op;
	int code = file_digest_end(w->digest, w->id) ? 0 : err_set(e, ERR_NO_MEMORY, "no memory for a file's digest");

	if (code == 0)
		code = store_op_new(&op, w->files->store, OP_FILE_KEEP, 0, e);
	if (code) {
		file_writer_drop(w);
		return code;
	}
	memcpy(ret_id, w->id, FILE_ID_BYTES);
	list_add_last(&w->files->sealed, &w->link);
	op->file = w;
	store_op_queue(w->files->store, op, done, arg);
	return 0;
}

/* ---- the store's thread ---- */

static int fault(struct store_fault *ret, enum fault_kind kind, const char *doing)
{
	*ret = (struct store_fault){ .kind = kind };
	(void)snprintf(ret->why, sizeof(ret->why), "%s: %s%s", doing, strerror(errno),
		       kind == FAULT_LASTING ? "; check the disk, then restart: nothing is accepted until then" : "");
	return -1;
}

/* A failed fsync is one that the kernel forgets: what the disk holds is not known any more. */
static int sync_fault(struct store_fault *ret, const char *doing)
{
	bool is_room = errno == ENOSPC || errno == EDQUOT;
	return fault(ret, is_room ? FAULT_PASSING : FAULT_LASTING, doing);
}

int files_settle(struct file_writer *w, struct store_fault *ret)
{
	const struct files *f = w->files;
	char path[FILE_ID_BYTES + 1], folder[3] = { w->id[0], w->id[1], '\0' };
	struct stat there;

	path_of(w->id, path);
	if (fsync(w->fd))
		return sync_fault(ret, "write a file to disk");
	auto_fd int fd = make_dir(f->fd, folder);
	if (fd < 0)
		return fault(ret, FAULT_PASSING, "make a folder for a file");
	/* There already, whole: it is the same. One of another size was damaged by somebody and is replaced. */
	bool is_known = fstatat(fd, path + 3, &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(there.st_mode) &&
			(uint64_t)there.st_size == w->bytes;
	if (is_known ? unlinkat(f->tmp_fd, w->name, 0) : renameat(f->tmp_fd, w->name, fd, path + 3))
		return fault(ret, FAULT_PASSING, "give a file its name");
	w->is_settled = true;
	/* Also for a known one: who wrote it may not have come so far yet. */
	if (fsync(fd) || fsync(f->fd))
		return sync_fault(ret, "write a file's name to disk");
	return 0;
}
