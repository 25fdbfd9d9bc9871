/* SPDX-License-Identifier: Apache-2.0 */
/* Writes items as NDJSON, CSV or a JSON array. A file appears under its name only when it is whole and on disk. */
#include "app/source.h"

#include "base/alloc.h"
#include "base/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SINK_FLUSH_BYTES 65536

struct sink {
	int fd;
	bool is_stdout;
	char *path, *part; /* part: the name while it is being written; NULL = under its own: a device, a pipe */
	enum item_format format;
	struct buf out;
	uint64_t n;
	struct str *columns; /* CSV: of the first item */
	size_t n_columns;
	struct arena arena;
};

/*
 * The file is written beside its name, so its name must be that of a file: behind a link, and no device or pipe, whose place
 * a file would take.
 */
static bool open_named(struct sink *s, const char *path)
{
	char *real = realpath(path, NULL);
	struct stat st;
	if (!real && errno == ENOENT) /* new; a link to nothing is taken for the file's name */
		real = alloc_strdup(path);
	s->path = real;
	if (!real)
		return false;
	if (stat(real, &st) == 0 && !S_ISREG(st.st_mode)) {
		s->fd = open(real, O_WRONLY | O_CLOEXEC);
		return true;
	}
	s->part = arena_printf(&s->arena, "%s.part", real);
	s->fd = s->part ? open(s->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
	return s->part;
}

struct sink *sink_open(const char *path, enum item_format format, struct err *e)
{
	struct sink *s = alloc_calloc(1, sizeof(*s));
	if (!s) {
		err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	s->format = format;
	s->is_stdout = !path || strcmp(path, "-") == 0;
	s->fd = STDOUT_FILENO;
	arena_init(&s->arena, 0);
	buf_init(&s->out, 256u << 20);
	if (!s->is_stdout)
		s->fd = -1;
	errno = 0;
	bool has_names = s->is_stdout || open_named(s, path);
	if (!has_names || s->fd < 0) {
		if (has_names || (errno && errno != ENOMEM))
			err_errno(e, "%s", path);
		else
			err_set(e, ERR_NO_MEMORY, "out of memory");
		sink_close(s);
		return NULL;
	}
	return s;
}

static int sink_flush(struct sink *s, struct err *e)
{
	size_t at = 0;
	if (!buf_ok(&s->out)) /* something is missing in it */
		return err_set(e, ERR_NO_MEMORY, "the output %s cannot be written: out of memory", s->path ? s->path : "(stdout)");
	while (at < s->out.len) {
		ssize_t n = write(s->fd, s->out.ptr + at, s->out.len - at);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return err_errno(e, "the output %s cannot be written", s->path ? s->path : "(stdout)");
		at += (size_t)n;
	}
	buf_clear(&s->out);
	return 0;
}

static int csv_columns(struct sink *s, const struct value *item)
{
	s->columns = ARENA_ARRAY(&s->arena, struct str, item->len);
	if (!s->columns && item->len)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < item->len; i++) {
		s->columns[i] = arena_str(&s->arena, item->members[i].key);
		if (i)
			(void)buf_append_char(&s->out, ',');
		(void)csv_write_field(&s->out, s->columns[i]);
	}
	s->n_columns = item->len;
	return buf_append_char(&s->out, '\n');
}

/* Strings as they are, null and absent empty, everything else as JSON text. */
static void csv_value(struct sink *s, const struct value *v)
{
	struct buf text;
	if (!v || v->kind == VALUE_NULL)
		return;
	if (v->kind == VALUE_STRING) {
		(void)csv_write_field(&s->out, value_text(v));
		return;
	}
	buf_init(&text, 64u << 20);
	(void)json_write(&text, v, JSON_COMPACT);
	(void)csv_write_field(&s->out, buf_str(&text));
	buf_done(&text);
}

static int csv_item(struct sink *s, const struct value *item, struct err *e)
{
	if (!s->n && csv_columns(s, item) < 0)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < item->len; i++) {
		bool known = false;
		for (size_t k = 0; k < s->n_columns && !known; k++)
			known = str_eq(s->columns[k], item->members[i].key);
		if (!known)
			return err_set(e, ERR_INVALID,
				       "item %llu has a field \"%.*s\" that the first item had not, and CSV has one header; write NDJSON or name the fields in write_response",
				       (unsigned long long)s->n, STR_ARG(item->members[i].key));
	}
	for (size_t i = 0; i < s->n_columns; i++) {
		if (i)
			(void)buf_append_char(&s->out, ',');
		csv_value(s, value_get(item, s->columns[i]));
	}
	return buf_append_char(&s->out, '\n');
}

int sink_write(struct sink *s, const struct value *item, struct err *e)
{
	int rc = 0;
	unsigned long failures = alloc_failures();
	if (s->format == FORMAT_CSV) {
		rc = csv_item(s, item, e);
	} else {
		if (s->format == FORMAT_JSON)
			(void)buf_append_c(&s->out, s->n ? ",\n" : "[\n");
		rc = json_write(&s->out, item, s->format == FORMAT_PRETTY ? JSON_PRETTY : JSON_COMPACT);
		if (s->format != FORMAT_JSON)
			rc = buf_append_char(&s->out, '\n');
	}
	s->n++;
	if (rc == 0 && alloc_failures() != failures) /* a field may be empty that is not */
		rc = -ERR_NO_MEMORY;
	if (rc < 0 && !e->code)
		err_set(e, rc == -ERR_LIMIT ? ERR_LIMIT : ERR_NO_MEMORY, rc == -ERR_LIMIT ? "item %llu is too large to write" :
			"item %llu cannot be written: out of memory", (unsigned long long)s->n - 1);
	if (rc < 0)
		return rc;
	return s->out.len >= SINK_FLUSH_BYTES ? sink_flush(s, e) : 0;
}

int sink_finish(struct sink *s, struct err *e)
{
	if (s->format == FORMAT_JSON)
		(void)buf_append_c(&s->out, s->n ? "\n]\n" : "[]\n");
	if (sink_flush(s, e) < 0)
		return e->code;
	if (!s->part)
		return 0;
	if (fsync(s->fd) < 0 || rename(s->part, s->path) < 0)
		return err_errno(e, "the output %s cannot be finished", s->path);
	s->part = NULL;
	return 0;
}

void sink_close(struct sink *s)
{
	if (!s)
		return;
	if (!s->is_stdout && s->fd >= 0)
		(void)close(s->fd);
	if (s->part && s->fd >= 0)
		(void)unlink(s->part);
	free(s->path);
	buf_done(&s->out);
	arena_done(&s->arena);
	free(s);
}
