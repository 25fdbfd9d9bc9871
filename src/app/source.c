/* SPDX-License-Identifier: Apache-2.0 */
/* Reads items as lines of JSON text from NDJSON, CSV or a JSON array, a piece at a time. */
#include "app/source.h"

#include "base/alloc.h"
#include "base/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE_BYTES 65536

struct source {
	struct loop *loop;
	struct run *run;
	struct loop_fd *watch; /* pipes only */
	int fd;
	bool is_pipe, is_eof, is_single;
	uint64_t size, seen;
	enum item_format format;
	struct buf in;	       /* read, not yet turned into lines */
	struct csv_reader csv;
	struct buf *columns;   /* CSV header, JSON-quoted names */
	size_t n_columns;
	/* JSON array: where the scanner stands */
	enum { ARRAY_BEFORE, ARRAY_INSIDE, ARRAY_AFTER } array;
	unsigned depth;
	bool in_string, in_escape, has_element;
	uint64_t line;
};

bool format_parse(const char *name, enum item_format *ret)
{
	static const char *const names[] = { "ndjson", "csv", "json" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum item_format)i;
			return true;
		}
	return false;
}

bool format_of_file(const char *path, enum item_format *ret)
{
	const char *dot = strrchr(path, '.');
	if (dot && strcmp(dot, ".jsonl") == 0) {
		*ret = FORMAT_NDJSON;
		return true;
	}
	return dot && format_parse(dot + 1, ret);
}

static void on_pipe(void *arg, unsigned events)
{
	struct source *s = arg;
	(void)loop_fd_want(s->watch, 0);
	if (s->run)
		run_source_ready(s->run);
}

struct source *source_open(struct loop *l, const char *path, enum item_format format, struct err *e)
{
	struct source *s = alloc_calloc(1, sizeof(*s));
	struct stat st;
	if (!s) {
		err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	*s = (struct source){ .loop = l, .format = format, .line = 1 };
	buf_init(&s->in, RUN_LINE_MAX + PIECE_BYTES);
	csv_reader_init(&s->csv);
	s->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st) < 0) {
		err_errno(e, "%s", path);
		source_close(s);
		return NULL;
	}
	s->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	s->is_pipe = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode);
	if (S_ISDIR(st.st_mode) || (s->is_pipe && !(s->watch = loop_fd_open(l, s->fd, on_pipe, s, e)))) {
		if (!e->code)
			err_set(e, EISDIR, "%s is a directory", path);
		source_close(s);
		return NULL;
	}
	if (s->is_pipe)
		(void)fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
	return s;
}

struct source *source_single(struct str object)
{
	struct source *s = alloc_calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	*s = (struct source){ .fd = -1, .is_single = true, .is_eof = true };
	buf_init(&s->in, RUN_LINE_MAX);
	csv_reader_init(&s->csv);
	if (buf_append_str(&s->in, object) < 0) {
		source_close(s);
		return NULL;
	}
	return s;
}

void source_attach(struct source *s, struct run *r)
{
	s->run = r;
}

double source_share(const struct source *s)
{
	return s->size ? (double)s->seen / (double)s->size : -1.0;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	if (s->watch)
		loop_fd_close(s->watch);
	if (s->fd >= 0)
		(void)close(s->fd);
	for (size_t i = 0; i < s->n_columns; i++)
		buf_done(&s->columns[i]);
	free(s->columns);
	csv_reader_done(&s->csv);
	buf_done(&s->in);
	free(s);
}

/* One piece more in s->in: 1 = got some, 0 = end, -EAGAIN = a pipe has none now. */
static int piece_read(struct source *s, struct err *e)
{
	if (s->is_eof)
		return 0;
	if (buf_reserve(&s->in, PIECE_BYTES) < 0)
		return err_set(e, ERR_LIMIT, "line %llu is longer than %u MiB", (unsigned long long)s->line, RUN_LINE_MAX >> 20);
	for (;;) {
		ssize_t n = read(s->fd, s->in.ptr + s->in.len, PIECE_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			(void)loop_fd_want(s->watch, LOOP_READ);
			return -EAGAIN;
		}
		if (n < 0)
			return err_errno(e, "the input cannot be read");
		s->is_eof = n == 0;
		s->in.len += (size_t)n;
		s->seen += (uint64_t)n;
		return n > 0;
	}
}

static int line_put(struct buf *lines, struct str text, uint32_t *count)
{
	(void)buf_append_str(lines, text);
	(*count)++;
	return buf_append_char(lines, '\n');
}

static int take_ndjson(struct source *s, struct buf *lines, uint32_t *count, struct err *e)
{
	size_t at = 0;
	while (at < s->in.len) {
		const char *start = s->in.ptr + at;
		const char *nl = memchr(start, '\n', s->in.len - at);
		if (!nl && !s->is_eof)
			break;
		size_t n = nl ? (size_t)(nl - start) : s->in.len - at;
		struct str line = str_trim(str_from(start, n && start[n - 1] == '\r' ? n - 1 : n));
		if (line.len)
			(void)line_put(lines, line, count);
		s->line++;
		at += nl ? n + 1 : n;
	}
	buf_consume(&s->in, at);
	return buf_ok(lines) ? 0 : err_set(e, ERR_LIMIT, "line %llu is too long", (unsigned long long)s->line);
}

static int csv_header(struct source *s, struct err *e)
{
	s->columns = alloc_calloc(csv_fields(&s->csv), sizeof(*s->columns));
	if (!s->columns)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < csv_fields(&s->csv); i++) {
		struct str name = str_trim(csv_field(&s->csv, i));
		if (!name.len)
			return err_set(e, ERR_INVALID, "the CSV header has no name for column %zu", i + 1);
		buf_init(&s->columns[i], CSV_FIELD_MAX * 2);
		s->n_columns++;
		(void)json_write_string(&s->columns[i], name);
	}
	return 0;
}

static int csv_record(struct source *s, struct buf *lines, uint32_t *count, struct err *e)
{
	if (!s->columns)
		return csv_header(s, e);
	if (csv_fields(&s->csv) != s->n_columns)
		return err_set(e, ERR_INVALID, "line %u has %zu fields, the header has %zu", s->csv.line, csv_fields(&s->csv), s->n_columns);
	(void)buf_append_char(lines, '{');
	for (size_t i = 0; i < s->n_columns; i++) {
		size_t bad;
		if (!str_is_utf8(csv_field(&s->csv, i), &bad))
			return err_set(e, ERR_INVALID, "line %u is not UTF-8", s->csv.line);
		(void)buf_append_str(lines, buf_str(&s->columns[i]));
		(void)buf_append_char(lines, ':');
		(void)json_write_string(lines, csv_field(&s->csv, i));
		(void)buf_append_char(lines, i + 1 < s->n_columns ? ',' : '}');
	}
	(*count)++;
	return buf_append_char(lines, '\n') < 0 ? err_set(e, ERR_LIMIT, "line %u is too long", s->csv.line) : 0;
}

static int take_csv(struct source *s, struct buf *lines, uint32_t *count, struct err *e)
{
	size_t at = 0, used;
	int rc = 0;
	while (at < s->in.len && rc >= 0) {
		rc = csv_push(&s->csv, str_from(s->in.ptr + at, s->in.len - at), &used, e);
		at += used;
		if (rc == 1)
			rc = csv_record(s, lines, count, e);
	}
	if (rc >= 0 && s->is_eof && (rc = csv_end(&s->csv, e)) == 1)
		rc = csv_record(s, lines, count, e);
	buf_consume(&s->in, at);
	return rc < 0 ? rc : 0;
}

static int array_error(struct source *s, struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "line %llu: %s; write [ {...}, {...} ]", (unsigned long long)s->line, what);
}

/* Between elements: brackets, commas, white space. `*start` is set where an element begins. */
static int array_gap(struct source *s, char c, size_t i, size_t *start, struct err *e)
{
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return 0;
	if (s->array == ARRAY_AFTER)
		return array_error(s, e, "something follows the array's end");
	if (s->array == ARRAY_BEFORE) {
		if (c != '[')
			return array_error(s, e, "a JSON input must be an array");
		s->array = ARRAY_INSIDE;
		return 0;
	}
	if (c == ']')
		s->array = ARRAY_AFTER;
	else if (c == ',' && s->has_element)
		s->has_element = false;
	else if (c == '{' && !s->has_element)
		*start = i, s->depth = 1;
	else
		return array_error(s, e, "the array's elements must be objects with a comma between them");
	return 0;
}

/* Inside an element: true at its last byte. */
static bool element_step(struct source *s, char c)
{
	if (s->in_string) {
		if (s->in_escape)
			s->in_escape = false;
		else if (c == '\\')
			s->in_escape = true;
		else if (c == '"')
			s->in_string = false;
		return false;
	}
	if (c == '"')
		s->in_string = true;
	else if (c == '{' || c == '[')
		s->depth++;
	else if (c == '}' || c == ']')
		s->depth--;
	return s->depth == 0;
}

/* Cut the elements of the array; what they hold is parsed when they become items. */
static int take_array(struct source *s, struct buf *lines, uint32_t *count, struct err *e)
{
	size_t start = 0, done = 0;
	s->depth = 0;
	s->in_string = s->in_escape = false;
	for (size_t i = 0; i < s->in.len; i++) {
		char c = s->in.ptr[i];
		if (c == '\n') {
			s->line++;
			s->in.ptr[i] = ' '; /* an item is one line */
		}
		if (s->depth == 0) {
			int rc = array_gap(s, c, i, &start, e);
			if (rc < 0)
				return rc;
			done = s->depth ? i : i + 1;
		} else if (element_step(s, c)) {
			(void)line_put(lines, str_from(s->in.ptr + start, i + 1 - start), count);
			s->has_element = true;
			done = i + 1;
		}
	}
	/* A cut element is looked at again from its start with the next piece: its lines were counted already. */
	buf_consume(&s->in, done);
	if (s->is_eof && (s->array != ARRAY_AFTER || s->in.len))
		return array_error(s, e, "the array is not closed before the end of the file");
	return 0;
}

static enum source_verdict source_read(void *arg, struct buf *lines, size_t wanted, uint32_t *ret_count, struct err *e)
{
	struct source *s = arg;
	if (s->is_single) {
		if (s->in.len)
			(void)line_put(lines, buf_str(&s->in), ret_count);
		buf_clear(&s->in);
		return SOURCE_END;
	}
	int rc = piece_read(s, e);
	if (rc == -EAGAIN)
		return SOURCE_LATER;
	if (rc >= 0 && s->format == FORMAT_CSV)
		rc = take_csv(s, lines, ret_count, e);
	else if (rc >= 0 && s->format == FORMAT_JSON)
		rc = take_array(s, lines, ret_count, e);
	else if (rc >= 0)
		rc = take_ndjson(s, lines, ret_count, e);
	if (rc < 0)
		return SOURCE_BAD;
	return s->is_eof ? SOURCE_END : SOURCE_MORE;
}

struct run_source source_face(struct source *s)
{
	return (struct run_source){ .read = source_read, .arg = s };
}
