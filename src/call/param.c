/* SPDX-License-Identifier: Apache-2.0 */
/* One writer a place: values become path segments, query pairs, header and cookie texts by OpenAPI style and explode.
 */
#include "call/call_int.h"
#include "http/url.h"

#define FORM_DEPTH_MAX 16 /* brackets of one form or deepObject name */

/* How text reaches the buffer. */
struct pen {
	struct buf *b;
	bool is_raw; /* headers */
	enum url_set set;
};

static int no_room(const struct buf *b, struct err *e)
{
	return b->failed == ERR_LIMIT ? err_set(e, ERR_LIMIT, "the request becomes longer than %zu bytes", b->max)
				      : err_set(e, ERR_NO_MEMORY, "out of memory");
}

static bool is_dots(struct str text)
{
	return str_eq(text, STR(".")) || str_eq(text, STR(".."));
}

/* Dots are never encoded (RFC 6570 3.2.1, RFC 3986 2.3): a whole segment of them is refused, and beside others they are
 * harmless. */
static void put(const struct pen *pen, struct str text)
{
	if (pen->is_raw || is_dots(text))
		(void)buf_append_str(pen->b, text);
	else
		(void)url_encode(pen->b, text, pen->set);
}

bool scalar_text(const struct value *v, struct str *ret)
{
	switch (v->kind) {
	case VALUE_STRING:
	case VALUE_NUMBER:
		*ret = value_text(v);
		return true;
	case VALUE_BOOL:
		*ret = v->truth ? STR("true") : STR("false");
		return true;
	default:
		return false;
	}
}

bool value_says_nothing(const struct value *v)
{
	if (value_is_nothing(v))
		return true;
	if (v->kind != VALUE_ARRAY && v->kind != VALUE_OBJECT)
		return false;
	for (uint32_t i = 0; i < v->len; i++)
		if (!value_is_nothing(v->kind == VALUE_ARRAY ? &v->items[i] : &v->members[i].value))
			return false;
	return true;
}

static int put_scalar(const struct pen *pen, const struct value *v, struct err *e)
{
	struct str text;
	if (!scalar_text(v, &text))
		return err_set(e, ERR_INVALID, "%s inside another cannot be written here; write it as JSON text",
			       v->kind == VALUE_ARRAY ? "a list" : "an object");
	put(pen, text);
	return 0;
}

/* a,b,c — or k,v,k,v (k=v,k=v) for an object. Nulls inside are left out. */
static int put_joined(const struct pen *pen, const struct value *v, const char *between, const char *after_key,
		      struct err *e)
{
	int r = 0;
	size_t start = pen->b->len;
	if (v->kind != VALUE_ARRAY && v->kind != VALUE_OBJECT)
		return put_scalar(pen, v, e);
	for (uint32_t i = 0; i < v->len && r == 0; i++) {
		const struct value *item = v->kind == VALUE_ARRAY ? &v->items[i] : &v->members[i].value;
		if (value_is_nothing(item))
			continue;
		if (pen->b->len > start)
			(void)buf_append_c(pen->b, between);
		if (v->kind == VALUE_OBJECT) {
			put(pen, v->members[i].key);
			(void)buf_append_c(pen->b, after_key);
		}
		r = put_scalar(pen, item, e);
	}
	return r;
}

static int put_json(const struct pen *pen, const struct value *v, struct err *e)
{
	auto_buf struct buf json = { .max = URL_MAX_BYTES };
	(void)json_write(&json, v, JSON_COMPACT);
	if (!buf_ok(&json))
		return no_room(&json, e);
	put(pen, buf_str(&json));
	return 0;
}

static int put_simple(const struct pen *pen, const struct param *p, const struct value *v, struct err *e)
{
	int r = p->style == STYLE_JSON ? put_json(pen, v, e) : put_joined(pen, v, ",", p->explode ? "=" : ",", e);
	return r < 0 || buf_ok(pen->b) ? r : no_room(pen->b, e);
}

/* ---- path ---- */

/* .a.b — each item by itself, or all of them behind one dot (RFC 6570 3.2.5). */
static int put_label(const struct pen *pen, const struct param *p, const struct value *v, struct err *e)
{
	(void)buf_append_char(pen->b, '.');
	return put_joined(pen, v, p->explode ? "." : ",", p->explode ? "=" : ",", e);
}

static int put_matrix_pair(const struct pen *pen, struct str name, const struct value *v, struct err *e)
{
	(void)buf_append_char(pen->b, ';');
	put(pen, name);
	(void)buf_append_char(pen->b, '=');
	size_t start = pen->b->len;
	int r = put_joined(pen, v, ",", ",", e);
	if (r == 0 && buf_ok(pen->b) && pen->b->len == start)
		pen->b->len--; /* ";name" says the same in this style (RFC 6570 3.2.7) */
	return r;
}

/* ;n=a;n=b — or ;n=a,b, or ;k=v;l=w for an exploded object. */
static int put_matrix(const struct pen *pen, const struct param *p, const struct value *v, struct err *e)
{
	int r = 0;
	if (!p->explode || (v->kind != VALUE_ARRAY && v->kind != VALUE_OBJECT))
		return put_matrix_pair(pen, p->name, v, e);
	for (uint32_t i = 0; i < v->len && r == 0; i++) {
		const struct value *item = v->kind == VALUE_ARRAY ? &v->items[i] : &v->members[i].value;
		if (value_is_nothing(item))
			continue;
		if (item->kind == VALUE_ARRAY || item->kind == VALUE_OBJECT)
			return put_scalar(pen, item, e);
		r = put_matrix_pair(pen, v->kind == VALUE_ARRAY ? p->name : v->members[i].key, item, e);
	}
	return r;
}

/* A value without text, or of dots alone, is refused even where a style puts something before it: servers that cut
 * ";name=" off are led elsewhere by what remains. A list is as empty as its items. */
static int refuse_no_segment(const struct param *p, const struct value *v, struct err *e)
{
	struct str text;
	bool is_list = v->kind == VALUE_ARRAY, has_text = v->kind == VALUE_OBJECT;
	for (uint32_t i = 0; i < (is_list ? v->len : 1) && !value_is(v, VALUE_OBJECT); i++) {
		const struct value *item = is_list ? &v->items[i] : v;
		if (!scalar_text(item, &text)) {
			has_text |= !value_is_nothing(item); /* a container: refused where it is written */
			continue;
		}
		has_text |= text.len > 0;
		if (is_dots(text) && (!is_list || p->style == STYLE_MATRIX))
			return err_set(e, ERR_INVALID, "\"%.*s\" is no part of a path: it would lead elsewhere",
				       STR_ARG(text));
	}
	return has_text ? 0 : err_set(e, ERR_INVALID, "an empty text is no part of a path");
}

int param_write_path(struct buf *b, const struct param *p, const struct value *v, struct err *e)
{
	struct pen pen = { .b = b, .set = URL_SET_PATH_SEGMENT };
	size_t start = b->len;
	int r = p->style == STYLE_JSON ? 0 : refuse_no_segment(p, v, e);
	if (r < 0)
		return r;
	r = p->style == STYLE_LABEL    ? put_label(&pen, p, v, e)
	    : p->style == STYLE_MATRIX ? put_matrix(&pen, p, v, e)
				       : put_simple(&pen, p, v, e);
	if (r < 0 || !buf_ok(b))
		return r < 0 ? r : no_room(b, e);
	struct str segment = str_from(b->ptr + start, b->len - start);
	/* Dots written as %2E are normalized by peers all the same (RFC 3986 6.2.2.2). */
	if (segment_is_dots(segment))
		return err_set(e, ERR_INVALID, "\"%s\" is no part of a path: it would lead elsewhere",
			       segment.len == 3 || segment.len == 1 ? "." : "..");
	return 0;
}

/* ---- header ---- */

int param_write_header(struct buf *b, const struct param *p, const struct value *v, struct err *e)
{
	struct pen pen = { .b = b, .is_raw = true };
	size_t start = b->len;
	int r = put_simple(&pen, p, v, e);
	for (size_t i = start; r == 0 && i < b->len; i++) {
		unsigned char c = (unsigned char)b->ptr[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return err_set(e, ERR_INVALID, "byte 0x%02x at offset %zu is not allowed in a header", c,
				       i - start);
	}
	if (r == 0 && b->len - start > HEADER_FIELD_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "a header is at most %d bytes long", HEADER_FIELD_MAX_BYTES);
	return r;
}

/* ---- pairs: query and cookie ---- */

static int put_pair(const struct pen *pen, struct str name, const struct value *v, const char *end, struct err *e)
{
	put(pen, name);
	(void)buf_append_char(pen->b, '=');
	int r = put_scalar(pen, v, e);
	(void)buf_append_c(pen->b, end);
	return r;
}

/* style form, explode: a pair for each item, or for each member under its own key. */
static int put_exploded(const struct pen *pen, const struct param *p, const struct value *v, const char *end,
			struct err *e)
{
	int r = 0;
	if (v->kind != VALUE_ARRAY && v->kind != VALUE_OBJECT)
		return put_pair(pen, p->name, v, end, e);
	for (uint32_t i = 0; i < v->len && r == 0; i++) {
		if (v->kind == VALUE_ARRAY && !value_is_nothing(&v->items[i]))
			r = put_pair(pen, p->name, &v->items[i], end, e);
		else if (v->kind == VALUE_OBJECT && !value_is_nothing(&v->members[i].value))
			r = put_pair(pen, v->members[i].key, &v->members[i].value, end, e);
	}
	return r;
}

/* name[a][b]=c; lists repeat the name, lists of containers count: name[0][a]=c. `name` is encoded already and is put
 * back as found. */
static int put_nested(const struct pen *pen, struct buf *name, const struct value *v, unsigned depth, struct err *e)
{
	int r = 0;
	if (value_is_nothing(v))
		return 0;
	if (depth > FORM_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, "more than %d levels of names", FORM_DEPTH_MAX);
	if (v->kind != VALUE_ARRAY && v->kind != VALUE_OBJECT) {
		(void)buf_append_str(pen->b, buf_str(name));
		(void)buf_append_char(pen->b, '=');
		r = put_scalar(pen, v, e);
		(void)buf_append_char(pen->b, '&');
		return r;
	}
	size_t len = name->len;
	for (uint32_t i = 0; i < v->len && r == 0; i++) {
		const struct value *item = v->kind == VALUE_ARRAY ? &v->items[i] : &v->members[i].value;
		bool is_container = item->kind == VALUE_ARRAY || item->kind == VALUE_OBJECT;
		if (v->kind == VALUE_OBJECT) {
			(void)buf_append_c(name, "%5B");
			(void)url_encode(name, v->members[i].key, pen->set);
			(void)buf_append_c(name, "%5D");
		} else if (is_container) {
			(void)buf_printf(name, "%%5B%u%%5D", i);
		}
		r = buf_ok(name) ? put_nested(pen, name, item, depth + 1, e) : no_room(name, e);
		name->len = len;
	}
	return r;
}

static int put_deep(const struct pen *pen, const struct param *p, const struct value *v, struct err *e)
{
	auto_buf struct buf name = { .max = URL_MAX_BYTES };
	(void)url_encode(&name, p->name, pen->set);
	return buf_ok(&name) ? put_nested(pen, &name, v, 0, e) : no_room(&name, e);
}

int param_write_query(struct buf *b, const struct param *p, const struct value *v, struct err *e)
{
	struct pen pen = { .b = b, .set = p->allow_reserved ? URL_SET_QUERY_RESERVED : URL_SET_QUERY };
	int r;
	if (p->allow_empty && value_says_nothing(v)) { /* a declared wish to send "name=" */
		(void)url_encode(b, p->name, URL_SET_QUERY);
		(void)buf_append_c(b, "=&");
		r = 0;
	} else if (p->style == STYLE_DEEP) {
		r = put_deep(&pen, p, v, e);
	} else if (p->style == STYLE_JSON || !p->explode) {
		const char *between = p->style == STYLE_SPACE ? "%20" : p->style == STYLE_PIPE ? "%7C" : ",";
		(void)url_encode(b, p->name, URL_SET_QUERY);
		(void)buf_append_char(b, '=');
		r = p->style == STYLE_JSON ? put_json(&pen, v, e) : put_joined(&pen, v, between, between, e);
		(void)buf_append_char(b, '&');
	} else {
		r = put_exploded(&pen, p, v, "&", e);
	}
	return r < 0 || buf_ok(b) ? r : no_room(b, e);
}

int param_write_cookie(struct buf *b, const struct param *p, const struct value *v, struct err *e)
{
	struct pen pen = { .b = b, .set = URL_SET_COOKIE };
	int r;
	if (p->style != STYLE_JSON && p->explode) {
		r = put_exploded(&pen, p, v, "; ", e);
	} else {
		(void)buf_append_str(b, p->name);
		(void)buf_append_char(b, '=');
		r = p->style == STYLE_JSON ? put_json(&pen, v, e) : put_joined(&pen, v, ",", ",", e);
		(void)buf_append_c(b, "; ");
	}
	return r < 0 || buf_ok(b) ? r : no_room(b, e);
}

/* ---- forms ---- */

int form_write(struct buf *b, const struct value *body, struct err *e)
{
	struct pen pen = { .b = b, .set = URL_SET_FORM };
	auto_buf struct buf name = { .max = URL_MAX_BYTES };
	int r = 0;
	if (!value_is(body, VALUE_OBJECT))
		return err_set(e, ERR_INVALID, "a form is an object of name: value, not %s",
			       value_kind_name(body->kind));
	for (uint32_t i = 0; i < body->len && r == 0; i++) {
		buf_clear(&name);
		(void)url_encode(&name, body->members[i].key, URL_SET_FORM);
		r = buf_ok(&name) ? put_nested(&pen, &name, &body->members[i].value, 0, e) : no_room(&name, e);
	}
	if (r == 0 && b->len && b->ptr[b->len - 1] == '&')
		b->len--;
	return r < 0 || buf_ok(b) ? r : no_room(b, e);
}
