/* SPDX-License-Identifier: Apache-2.0 */
/* Files on the command line: NAME=@PATH puts one into the folder of files; a file's bytes go out with -o. */
#include "app/app.h"
#include "store/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE_BYTES 65536

static int read_piece(int fd, char *piece, size_t n)
{
	ssize_t got;
	do
		got = read(fd, piece, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : (int)got;
}

/* All of `fd` into the folder and to disk. */
static int put_bytes(struct app *a, int fd, char ret_id[static FILE_ID_BYTES], uint64_t *ret_bytes, struct err *e)
{
	struct app_wait wait = { .app = a };
	char piece[PIECE_BYTES];
	int n = 0, code = 0;
	struct file_writer *w = file_writer_new(store_files(a->store), 0, e);
	if (!w)
		return e->code;
	while (code == 0 && (n = read_piece(fd, piece, sizeof(piece))) > 0)
		code = file_writer_append(w, str_from(piece, (size_t)n), e);
	if (code == 0 && n < 0)
		code = err_set(e, -n, "%s", strerror(-n));
	if (code < 0) {
		file_writer_drop(w);
		return code;
	}
	*ret_bytes = file_writer_bytes(w);
	code = file_writer_keep(w, ret_id, app_wait_done, &wait, e);
	if (code == 0 && app_wait(&wait) < 0)
		code = err_set(e, ERR_IO, "the file cannot be kept: %s", wait.detail);
	return code;
}

int app_file_put(struct app *a, struct arena *arena, const char *path, struct value *ret, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	auto_fd int own = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	const char *slash = strrchr(path, '/'), *name = is_stdin ? "stdin" : slash ? slash + 1 : path;
	char id[FILE_ID_BYTES];
	uint64_t bytes = 0;
	struct stat st;
	if (!is_stdin && own < 0)
		return err_errno(e, "%s", path);
	if (fstat(is_stdin ? STDIN_FILENO : own, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, EISDIR, "%s is a directory", path);
	if (put_bytes(a, is_stdin ? STDIN_FILENO : own, id, &bytes, e) < 0)
		return err_wrap(e, "%s", path);
	struct str shown = str_is_utf8(str_c(name), NULL) ? str_c(name) : STR("file");
	char *number = arena_printf(arena, "%llu", (unsigned long long)bytes);
	*ret = value_object();
	if (!number || value_add(arena, ret, STR("file"), value_string_copy(arena, str_c(id))) < 0 ||
	    value_add(arena, ret, STR("name"), value_string_copy(arena, shown)) < 0 ||
	    value_add(arena, ret, STR("media_type"), value_string(app_media_type(arena, name))) < 0 ||
	    value_add(arena, ret, STR("bytes"), value_number_text(str_c(number))) < 0)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	return 0;
}

bool app_text_is_file(struct str *text)
{
	if (!str_starts(*text, STR("@")))
		return false;
	*text = str_from(text->ptr + 1, text->len - 1);
	return !str_starts(*text, STR("@"));
}

/* ---- out ---- */

static int write_all(int fd, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t done = write(fd, bytes.ptr, bytes.len);
		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0)
			bytes = str_from(bytes.ptr + done, bytes.len - (size_t)done);
	}
	return 0;
}

/* A piece at a time. */
static int copy_all(int from, int to)
{
	char piece[PIECE_BYTES];
	int n, code = 0;
	while (code == 0 && (n = read_piece(from, piece, sizeof(piece))) != 0)
		code = n < 0 ? n : write_all(to, str_from(piece, (size_t)n));
	return code;
}

/* `from` -1 = the bytes. Half a file is none. */
static int write_out(int from, struct str bytes, const char *path, struct err *e)
{
	bool is_stdout = strcmp(path, "-") == 0;
	auto_fd int own = is_stdout ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int to = is_stdout ? STDOUT_FILENO : own;
	struct stat st;
	if (to < 0)
		return err_errno(e, "%s", path);
	int code = from >= 0 ? copy_all(from, to) : write_all(to, bytes);
	if (code < 0 && !is_stdout && fstat(to, &st) == 0 && S_ISREG(st.st_mode))
		(void)unlink(path);
	return code < 0 ? err_set(e, -code, "%s: %s", path, strerror(-code)) : 0;
}

int app_file_get(struct app *a, struct str id, const char *path, struct err *e)
{
	auto_fd int fd = -1;
	uint64_t size;
	int code = files_open(store_files(a->store), id, &fd, &size, e);
	return code < 0 ? code : write_out(fd, STR_NULL, path, e);
}

int app_bytes_write(struct str bytes, const char *path, struct err *e)
{
	return write_out(-1, bytes, path, e);
}
