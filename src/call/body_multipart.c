/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multipart/form-data (RFC 7578), names escaped as the URL standard's forms are. The boundary is a hash of the content
 * and looked for in it: it cannot be met inside, and the same item gives the same bytes whenever it is built again.
 */
#include "call/body_digest.h"
#include "call/body_int.h"
#include "call/request_int.h"
#include <stdio.h>

#define BOUNDARY_BYTES 36 /* "weir" and 32 hexadecimal digits */
#define BOUNDARY_TRIES 8
#define SHOWN_MAX (128u << 10) /* more than the shadow shows */

/* Where the boundary before a part stands, and its content. */
struct part {
	size_t mark, start, len;
	struct str file; /* by its id: not in memory; ptr NULL = none */
	uint64_t file_bytes;
};

struct writer {
	struct build *build;
	struct buf *out;
	struct buf parts; /* struct part, one after the other */
};

static void put_boundary(struct buf *b)
{
	for (int i = 0; i < BOUNDARY_BYTES; i++)
		(void)buf_append_char(b, '0');
}

/* A name inside quotes. Other control bytes than line breaks have no escape. */
static int put_name(struct buf *b, const char *what, struct str name, struct err *e)
{
	(void)buf_append_c(b, what);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (c == '"')
			(void)buf_append_c(b, "%22");
		else if (c == '\r')
			(void)buf_append_c(b, "%0D");
		else if (c == '\n')
			(void)buf_append_c(b, "%0A");
		else if ((unsigned char)c < 0x20 || c == 0x7f)
			return err_set(e, ERR_INVALID, "byte 0x%02x at offset %zu is not allowed in a name",
				       (unsigned char)c, i);
		else
			(void)buf_append_char(b, c);
	}
	(void)buf_append_char(b, '"');
	return 0;
}

static int start_part(struct writer *w, struct part *p, struct str name, struct str file_name, struct str media_type,
		      struct err *e)
{
	(void)buf_append_c(w->out, "--");
	p->mark = w->out->len;
	put_boundary(w->out);
	(void)buf_append_c(w->out, "\r\nContent-Disposition: form-data");
	int r = put_name(w->out, "; name=\"", name, e);
	if (r == 0 && file_name.ptr)
		r = put_name(w->out, "; filename=\"", file_name, e);
	if (r < 0)
		return r;
	if (media_type.ptr) {
		(void)buf_append_c(w->out, "\r\nContent-Type: ");
		(void)buf_append_str(w->out, media_type);
	}
	(void)buf_append_c(w->out, "\r\n\r\n");
	p->start = w->out->len;
	p->file = STR_NULL;
	return 0;
}

static void end_part(struct writer *w, struct part *p)
{
	p->len = w->out->len - p->start;
	(void)buf_append_c(w->out, "\r\n");
	(void)buf_append(&w->parts, p, sizeof(*p));
}

static int put_file(struct writer *w, struct str name, const struct body_file *f, struct err *e)
{
	struct part p;
	struct str file_name = f->name.ptr ? f->name : f->id.ptr ? f->id : STR("file");
	struct str type = f->media_type.ptr ? f->media_type : STR("application/octet-stream");
	int r = start_part(w, &p, name, file_name, type, e);
	r = r < 0 ? r : build_put_file(w->build, w->out, f, e);
	if (r < 0)
		return r;
	if (f->id.ptr) {
		const struct buf *cuts = &w->build->cuts;
		p.file = f->id;
		p.file_bytes = ((const struct body_cut *)(const void *)(cuts->ptr + cuts->len))[-1].len;
	}
	end_part(w, &p);
	return 0;
}

/* One part: a file, a text, or a container as JSON. */
static int put_one(struct writer *w, struct str name, const struct value *v, struct err *e)
{
	struct part p;
	struct str text;
	struct body_file f;
	int r = body_file_parse(v, &f, e);
	if (r != 0)
		return r < 0 ? r : put_file(w, name, &f, e);
	bool is_text = scalar_text(v, &text);
	r = start_part(w, &p, name, STR_NULL, is_text ? STR_NULL : STR("application/json"), e);
	if (r < 0)
		return r;
	if (is_text)
		(void)buf_append_str(w->out, text);
	else
		(void)json_write(w->out, v, JSON_COMPACT);
	end_part(w, &p);
	return 0;
}

/* A list is a part an item. */
static int put_field(struct writer *w, struct str name, const struct value *v, struct err *e)
{
	int r = 0;
	if (value_is_nothing(v))
		return 0;
	if (!value_is(v, VALUE_ARRAY))
		r = put_one(w, name, v, e);
	for (uint32_t i = 0; value_is(v, VALUE_ARRAY) && i < v->len && r == 0; i++)
		if (!value_is_nothing(&v->items[i]))
			r = put_one(w, name, &v->items[i], e);
	return r < 0 ? err_wrap(e, "part \"%.*s\"", STR_ARG(str_clip(name, 64))) : 0;
}

/* ---- the boundary ---- */

/*
 * Of what is in memory and of which files stand where. A file's id is a hash of its content: that a file holds this
 * boundary would take one that was made knowing its own.
 */
static bool digest_content(const struct build *b, struct str content, unsigned char hash[static BODY_DIGEST_BYTES])
{
	const struct body_cut *cuts = (const struct body_cut *)(const void *)b->cuts.ptr;
	auto_buf struct buf all = { .max = CALL_FILES_MAX * 512 };
	if (!body_digest(content, hash))
		return false;
	if (b->cuts.len == 0)
		return true;
	(void)buf_append(&all, hash, BODY_DIGEST_BYTES);
	for (size_t i = 0; i < b->cuts.len / sizeof(*cuts); i++)
		(void)buf_printf(&all, "%zu %.*s\n", cuts[i].at, STR_ARG(cuts[i].id));
	return buf_ok(&all) && body_digest(buf_str(&all), hash);
}

static int choose_boundary(const struct build *b, struct str content, char ret[static BOUNDARY_BYTES + 1],
			   struct err *e)
{
	unsigned char hash[BODY_DIGEST_BYTES];
	if (!digest_content(b, content, hash))
		return build_out_of_memory(e);
	for (int i = 0; i < BOUNDARY_TRIES; i++) {
		memcpy(ret, "weir", 5);
		for (size_t k = 0; k < (BOUNDARY_BYTES - 4) / 2; k++)
			(void)snprintf(ret + 4 + 2 * k, 3, "%02x", hash[k]);
		if (!memmem(content.ptr, content.len, ret, BOUNDARY_BYTES))
			return 0;
		if (!body_digest(str_from((const char *)hash, sizeof(hash)), hash))
			return build_out_of_memory(e);
	}
	return err_set(e, ERR_STATE, "no boundary was found that is not in the content");
}

/* Parts that are no text, and files, are shown as their size. */
static struct str shown_of(const struct writer *w)
{
	const struct part *parts = (const struct part *)(const void *)w->parts.ptr;
	auto_buf struct buf shown = { .max = 2 * SHOWN_MAX };
	size_t n = w->parts.len / sizeof(*parts), from = 0;
	bool is_text = true;
	for (size_t i = 0; i < n && from < SHOWN_MAX; i++) {
		struct str content = str_from(w->out->ptr + parts[i].start, parts[i].len);
		if (!parts[i].file.ptr && str_is_utf8(content, NULL))
			continue;
		is_text = false;
		size_t before = parts[i].start - from;
		(void)buf_append(&shown, w->out->ptr + from, before < SHOWN_MAX ? before : SHOWN_MAX);
		if (parts[i].file.ptr)
			(void)buf_printf(&shown, "(file %.*s, %llu bytes)", STR_ARG(parts[i].file),
					 (unsigned long long)parts[i].file_bytes);
		else
			(void)buf_printf(&shown, "(%zu bytes)", content.len);
		from = parts[i].start + parts[i].len;
		if (shown.len > SHOWN_MAX)
			break;
	}
	if (is_text)
		return STR_NULL;
	size_t rest = w->out->len - from;
	if (shown.len <= SHOWN_MAX)
		(void)buf_append(&shown, w->out->ptr + from,
				 rest < SHOWN_MAX - shown.len ? rest : SHOWN_MAX - shown.len);
	return buf_ok(&shown) ? arena_str(w->build->a, buf_str(&shown)) : STR(SECRET_MASK);
}

static int finish(struct writer *w, struct str *ret_type, struct err *e)
{
	char boundary[BOUNDARY_BYTES + 1];
	struct part last = { 0 };
	(void)buf_append_c(w->out, "--");
	last.mark = w->out->len;
	put_boundary(w->out);
	(void)buf_append_c(w->out, "--\r\n");
	if (!buf_ok(w->out))
		return 0; /* told by the owner */
	if (!buf_ok(&w->parts))
		return build_buf_trouble(&w->parts, "the list of parts", e);
	int r = choose_boundary(w->build, buf_str(w->out), boundary, e);
	if (r < 0)
		return r;
	const struct part *parts = (const struct part *)(const void *)w->parts.ptr;
	for (size_t i = 0; i < w->parts.len / sizeof(*parts); i++)
		memcpy(w->out->ptr + parts[i].mark, boundary, BOUNDARY_BYTES);
	memcpy(w->out->ptr + last.mark, boundary, BOUNDARY_BYTES);
	w->build->shown_body = shown_of(w);
	const char *type = arena_printf(w->build->a, "multipart/form-data; boundary=%s", boundary);
	*ret_type = str_c(type);
	return type ? 0 : build_out_of_memory(e);
}

int build_multipart(struct build *b, struct buf *out, struct str *ret_type, struct err *e)
{
	struct writer w = { .build = b, .out = out };
	int r = 0;
	if (!value_is(b->body, VALUE_OBJECT))
		return err_set(e, ERR_INVALID, "a multipart body is an object of name: value, not %s",
			       value_kind_name(b->body->kind));
	buf_init(&w.parts, CALL_BODY_MAX);
	for (uint32_t i = 0; i < b->body->len && r == 0; i++)
		r = put_field(&w, b->body->members[i].key, &b->body->members[i].value, e);
	r = r < 0 ? r : finish(&w, ret_type, e);
	buf_done(&w.parts);
	return r;
}
