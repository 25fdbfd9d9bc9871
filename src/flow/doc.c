/* SPDX-License-Identifier: Apache-2.0 */
/* Documents: bytes in, values with an address and a line out. YAML itself is read in doc_yaml.c. */
#include "flow/doc_int.h"
#include "base/alloc.h"
#include "base/auto.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PLACE_TEXT_MAX 2000

void doc_cursor_init(struct doc_cursor *c, struct str text)
{
	*c = (struct doc_cursor){ .text = text, .line = 1, .column = 1 };
}

/* Lines end with LF, CR LF or a CR alone. */
static bool ends_line(struct str t, size_t i)
{
	return t.ptr[i] == '\n' || (t.ptr[i] == '\r' && !(i + 1 < t.len && t.ptr[i + 1] == '\n'));
}

static bool starts_character(char c)
{
	return ((unsigned char)c & 0xC0) != 0x80;
}

/* Back is rare and near: the parser reports a mapping in a flow list after its first key. */
static void cursor_back(struct doc_cursor *c, size_t offset)
{
	while (c->offset > offset) {
		c->offset--;
		if (ends_line(c->text, c->offset))
			c->line--;
	}
	c->column = 1;
	for (size_t i = offset; i > 0 && !ends_line(c->text, i - 1); i--)
		c->column += starts_character(c->text.ptr[i - 1]);
}

void doc_cursor_to(struct doc_cursor *c, size_t offset)
{
	if (offset > c->text.len)
		offset = c->text.len;
	if (offset < c->offset)
		cursor_back(c, offset);
	for (; c->offset < offset; c->offset++) {
		if (ends_line(c->text, c->offset)) {
			c->line++;
			c->column = 1;
		} else {
			c->column += starts_character(c->text.ptr[c->offset]);
		}
	}
}

int doc_note(struct doc *d, const struct value *at, unsigned line, unsigned column)
{
	if (d->n_spots == d->cap_spots) {
		size_t cap = d->cap_spots ? d->cap_spots * 2 : 256;
		struct doc_spot *grown = alloc_realloc(d->spots, cap * sizeof(*grown));
		if (!grown)
			return -ERR_NO_MEMORY;
		d->spots = grown;
		d->cap_spots = cap;
	}
	d->spots[d->n_spots++] = (struct doc_spot){ at, line, column };
	return 0;
}

int doc_refuse(struct complaints *c, unsigned line, unsigned column, const char *fmt, ...)
{
	char text[PLACE_TEXT_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	complaint_add(c, STR(""), line, column, STR(""), str_c(text));
	return -ERR_INVALID;
}

/* The value tree beside the text that it came from: where each value begins. The text is known to be good JSON. */
struct json_walk {
	struct doc *doc;
	struct doc_cursor cursor;
	size_t i;
	const struct value *open[VALUE_DEPTH_MAX + 1];
	uint32_t child[VALUE_DEPTH_MAX + 1];
	size_t depth;
};

static void skip_string(struct json_walk *w)
{
	const char *t = w->doc->text.ptr;
	for (w->i++; t[w->i] != '"'; w->i++)
		w->i += t[w->i] == '\\';
	w->i++;
}

static void skip_word(struct json_walk *w)
{
	while (w->i < w->doc->text.len && !strchr(" \t\r\n,]}", w->doc->text.ptr[w->i]))
		w->i++;
}

static void skip_between(struct json_walk *w)
{
	while (w->i < w->doc->text.len && strchr(" \t\r\n,:]}", w->doc->text.ptr[w->i]))
		w->i++;
}

/* At the first byte of `v`: note it, step over it or into it. */
static int walk_value(struct json_walk *w, const struct value *v)
{
	doc_cursor_to(&w->cursor, w->i);
	if (doc_note(w->doc, v, w->cursor.line, w->cursor.column) < 0)
		return -ERR_NO_MEMORY;
	if (v->kind == VALUE_STRING) {
		skip_string(w);
	} else if (v->kind != VALUE_ARRAY && v->kind != VALUE_OBJECT) {
		skip_word(w);
	} else {
		w->i++;
		if (v->len) {
			w->open[w->depth] = v;
			w->child[w->depth++] = 0;
		}
	}
	return 0;
}

static int note_json(struct doc *d, struct complaints *c)
{
	struct json_walk w = { .doc = d };
	doc_cursor_init(&w.cursor, d->text);
	skip_between(&w);
	int r = walk_value(&w, d->root);
	while (r == 0 && w.depth > 0) {
		const struct value *v = w.open[w.depth - 1];
		uint32_t i = w.child[w.depth - 1]++;
		if (i == v->len) {
			w.depth--;
			continue;
		}
		if (d->n_spots == DOC_MAX_NODES)
			return doc_refuse(c, w.cursor.line, w.cursor.column,
					  "more than %d values; make several files of it", DOC_MAX_NODES);
		skip_between(&w);
		if (v->kind == VALUE_OBJECT) {
			skip_string(&w);
			skip_between(&w);
		}
		r = walk_value(&w, v->kind == VALUE_OBJECT ? &v->members[i].value : &v->items[i]);
	}
	return r == 0 ? 0 : doc_refuse(c, 0, 0, "out of memory");
}

static int parse_json(struct doc *d, struct complaints *c)
{
	struct err e = ERR_INIT;
	struct json_error je = { 0 };
	struct json_options opt = { .max_bytes = DOC_MAX_BYTES, .duplicates = JSON_DUP_REFUSE };
	if (json_parse(&d->arena, d->text, &opt, d->root, &je, &e) == 0)
		return note_json(d, c);
	struct doc_cursor at;
	doc_cursor_init(&at, d->text);
	doc_cursor_to(&at, je.offset);
	const char *reason = strstr(e.msg, "): ");
	return doc_refuse(c, at.line, at.column, "this is no JSON: %s", reason ? reason + 3 : e.msg);
}

static bool is_json(const struct doc *d)
{
	size_t i = 0;
	while (i < d->text.len && strchr(" \t\r\n", d->text.ptr[i]))
		i++;
	return (i < d->text.len && d->text.ptr[i] == '{') || str_ends(d->name, STR(".json"));
}

static int compare_spots(const void *x, const void *y)
{
	uintptr_t a = (uintptr_t)((const struct doc_spot *)x)->at, b = (uintptr_t)((const struct doc_spot *)y)->at;
	return (a > b) - (a < b);
}

static int parse(struct doc *d, struct complaints *c)
{
	size_t bad = 0;
	if (!d->root || !d->name.ptr || !d->text.ptr)
		return doc_refuse(c, 0, 0, "out of memory");
	if (!str_is_utf8(d->text, &bad)) {
		struct doc_cursor at;
		doc_cursor_init(&at, d->text);
		doc_cursor_to(&at, bad);
		return doc_refuse(c, at.line, at.column, "not UTF-8 (byte %zu of the file); save the file as UTF-8",
				  bad);
	}
	int r = is_json(d) ? parse_json(d, c) : doc_parse_yaml(d, c);
	if (r == 0 && d->n_spots)
		qsort(d->spots, d->n_spots, sizeof(*d->spots), compare_spots);
	return r;
}

struct doc *doc_parse(const char *name, struct str bytes, struct complaints *c)
{
	if (bytes.len > DOC_MAX_BYTES) {
		(void)doc_refuse(c, 0, 0, "%zu bytes; a document has at most %u (4 MiB)", bytes.len, DOC_MAX_BYTES);
		return NULL;
	}
	struct doc *d = alloc_calloc(1, sizeof(*d));
	if (!d) {
		(void)doc_refuse(c, 0, 0, "out of memory");
		return NULL;
	}
	arena_init(&d->arena, DOC_ARENA_MAX);
	if (str_starts(bytes, STR("\xEF\xBB\xBF")))
		bytes = str_from(bytes.ptr + 3, bytes.len - 3);
	char *text = arena_c(&d->arena, bytes);
	d->text = str_from(text, bytes.len);
	d->name = str_c(arena_c(&d->arena, str_c(name ? name : "")));
	d->root = ARENA_NEW(&d->arena, struct value);
	if (parse(d, c) < 0) {
		doc_free(d);
		return NULL;
	}
	return d;
}

/* At most one byte more than allowed, so that doc_parse sees what is too long; a growing file cannot fool it. */
static int read_all(int fd, struct buf *b, struct err *e, const char *path)
{
	while (b->len <= DOC_MAX_BYTES) {
		if (buf_reserve(b, 65536) < 0)
			return err_set(e, ERR_NO_MEMORY, "read %s: out of memory", path);
		ssize_t n = read(fd, b->ptr + b->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, ERR_IO, "read %s: %s", path, strerror(errno));
		if (n == 0)
			break;
		b->len += (size_t)n;
	}
	return 0;
}

struct doc *doc_load(const char *path, struct complaints *c, struct err *e)
{
	struct stat st;
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)err_set(e, ERR_IO, "read %s: %s", path, strerror(errno));
		return NULL;
	}
	if (S_ISREG(st.st_mode) && st.st_size > (off_t)DOC_MAX_BYTES) {
		(void)doc_refuse(c, 0, 0, "%lld bytes; a document has at most %u (4 MiB)", (long long)st.st_size,
				 DOC_MAX_BYTES);
		return NULL;
	}
	auto_buf struct buf b;
	buf_init(&b, DOC_MAX_BYTES + (128u << 10));
	if (read_all(fd, &b, e, path) < 0)
		return NULL;
	return doc_parse(path, buf_str(&b), c);
}

void doc_free(struct doc *d)
{
	if (!d)
		return;
	arena_done(&d->arena);
	free(d->spots);
	free(d);
}

const struct value *doc_root(const struct doc *d)
{
	return d->root;
}

const char *doc_name(const struct doc *d)
{
	return d->name.ptr;
}

struct arena *doc_arena(struct doc *d)
{
	return &d->arena;
}

bool doc_place(const struct doc *d, const struct value *v, unsigned *ret_line, unsigned *ret_column)
{
	struct doc_spot wanted = { .at = v };
	const struct doc_spot *it =
	    d->n_spots ? bsearch(&wanted, d->spots, d->n_spots, sizeof(*d->spots), compare_spots) : NULL;
	*ret_line = it ? it->line : 0;
	*ret_column = it ? it->column : 0;
	return it != NULL;
}

/* Writes the way down to spots of the stack as a pointer. */
static struct str pointer_text(struct arena *a, const struct value *const *open, const uint32_t *child, size_t depth)
{
	auto_buf struct buf b;
	buf_init(&b, 64u << 10);
	for (size_t i = 0; i < depth; i++) {
		if (open[i]->kind == VALUE_OBJECT)
			(void)json_pointer_append(&b, open[i]->members[child[i]].key);
		else
			(void)buf_printf(&b, "/%u", child[i]);
	}
	return buf_ok(&b) ? arena_str(a, buf_str(&b)) : STR_NULL;
}

/* Searched for from the root: complaints are few, so paths are not kept. */
struct str doc_pointer(const struct doc *d, const struct value *v)
{
	const struct value *open[VALUE_DEPTH_MAX + 1];
	uint32_t child[VALUE_DEPTH_MAX + 1];
	size_t depth = 0;
	const struct value *at = d->root;
	while (at != v) {
		if ((at->kind == VALUE_ARRAY || at->kind == VALUE_OBJECT) && at->len && depth <= VALUE_DEPTH_MAX) {
			open[depth] = at;
			child[depth++] = 0;
		} else {
			while (depth > 0 && ++child[depth - 1] == open[depth - 1]->len)
				depth--;
			if (depth == 0)
				return STR("");
		}
		const struct value *in = open[depth - 1];
		at = in->kind == VALUE_OBJECT ? &in->members[child[depth - 1]].value : &in->items[child[depth - 1]];
	}
	struct str pointer = pointer_text((struct arena *)&d->arena, open, child, depth);
	return pointer.ptr ? pointer : STR("");
}

/* Offset of a line and column (characters) in the text. */
static size_t offset_of(struct str text, unsigned line, unsigned column)
{
	size_t i = 0;
	for (unsigned l = 1; l < line && i < text.len; i++)
		l += text.ptr[i] == '\n';
	for (unsigned k = 1; k < column && i < text.len; k++) {
		i++;
		while (i < text.len && ((unsigned char)text.ptr[i] & 0xC0) == 0x80)
			i++;
	}
	return i;
}

/* Between a key and its value stand a colon and blanks, so the key is the last of its spelling before the value. */
static bool find_key(const struct doc *d, const struct member *m, unsigned *line, unsigned *column)
{
	if (!doc_place(d, &m->value, line, column) || !m->key.len)
		return false;
	size_t at = offset_of(d->text, *line, *column);
	for (size_t i = at < d->text.len ? at : d->text.len; i-- > 0;) {
		if (i + m->key.len > at || memcmp(d->text.ptr + i, m->key.ptr, m->key.len) != 0)
			continue;
		struct doc_cursor cursor;
		doc_cursor_init(&cursor, d->text);
		doc_cursor_to(&cursor, i);
		*line = cursor.line;
		*column = cursor.column;
		return true;
	}
	return false;
}

void doc_complain_key(const struct doc *d, struct complaints *c, const struct member *m, struct str place, const char *fmt, ...)
{
	char text[PLACE_TEXT_MAX];
	unsigned line = 0, column = 0;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)find_key(d, m, &line, &column);
	struct str pointer = c->n < COMPLAINTS_MAX ? doc_pointer(d, &m->value) : STR("");
	complaint_add(c, pointer, line, column, place, str_c(text));
}

void doc_complain(const struct doc *d, struct complaints *c, const struct value *at, struct str place, const char *fmt,
		  ...)
{
	char text[PLACE_TEXT_MAX];
	unsigned line = 0, column = 0;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!at)
		at = d->root;
	(void)doc_place(d, at, &line, &column);
	struct str pointer = c->n < COMPLAINTS_MAX ? doc_pointer(d, at) : STR("");
	complaint_add(c, pointer, line, column, place, str_c(text));
}
