/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the request of one item and, beside it, its shadow for people: what goes out and what may be seen are written
 * in the same breath. Order of a request: path, query in the mapping's order, fixed headers, mapped headers, body, and
 * last of all the credentials.
 */
#include "call/request_int.h"
#include "http/url.h"

#define FEW_ROWS 16 /* rows that need no allocation */

int build_out_of_memory(struct err *e)
{
	return err_set(e, ERR_NO_MEMORY, "out of memory");
}

void build_wipe(struct buf *b)
{
	if (b->ptr)
		explicit_bzero(b->ptr, b->cap);
}

int build_buf_trouble(const struct buf *b, const char *what, struct err *e)
{
	return b->failed == ERR_LIMIT ? err_set(e, ERR_LIMIT, "%s is longer than %zu bytes", what, b->max)
				      : build_out_of_memory(e);
}

/* ---- values to places ---- */

/* A row that is left out. Empty lists say something as JSON, and where the operation allows an empty value. */
static bool says_nothing(const struct value *v, const struct param *p)
{
	return value_is_nothing(v) || (p->style != STYLE_JSON && !p->allow_empty && value_says_nothing(v));
}

static const struct value *given_value(const struct build *b, const struct param *p)
{
	for (uint32_t i = 0; b->rows && i < b->rows->len; i++)
		if (b->targets[i].param == p && !says_nothing(&b->rows->members[i].value, p))
			return &b->rows->members[i].value;
	return NULL;
}

static int require_params(const struct build *b, struct err *e)
{
	for (size_t i = 0; i < b->s->op.n_params; i++) {
		const struct param *p = &b->s->op.params[i];
		if (p->required && !given_value(b, p))
			return err_set(e, ERR_INVALID, "parameter \"%.*s\" (%s) is required and has no value",
				       STR_ARG(p->name), call_place_name(p->place));
	}
	return 0;
}

static int add_member(struct build *b, struct str name, const struct value *v, struct err *e)
{
	if (value_get(&b->members, name))
		return err_set(e, ERR_INVALID, "body member \"%.*s\" is given twice", STR_ARG(name));
	return value_add(b->a, &b->members, name, *v) < 0 ? build_out_of_memory(e) : 0;
}

static int gather_body(struct build *b, struct err *e)
{
	const struct value *whole = NULL;
	int r;
	for (uint32_t i = 0; b->rows && i < b->rows->len; i++) {
		const struct target *t = &b->targets[i];
		const struct value *v = &b->rows->members[i].value;
		if (t->place != CALL_IN_BODY || value_is_nothing(v))
			continue;
		if (t->is_whole_body)
			whole = v;
		else if ((r = add_member(b, t->name, v, e)) < 0)
			return r;
	}
	if (whole && b->members.len)
		return err_set(e, ERR_INVALID, "the body is given whole (\"body\") and by member (\"%.*s\")",
			       STR_ARG(b->members.members[0].key));
	b->body = whole ? whole : b->members.len ? &b->members : NULL;
	if (b->s->op.graphql)
		return build_graphql(b, e);
	if (b->s->op.needs_body && !b->body)
		return err_set(e, ERR_INVALID, "the body is required and has no value");
	return 0;
}

static int find_targets(struct build *b, const struct value *parameters, struct target *few, struct err *e)
{
	if (!value_is_nothing(parameters) && !value_is(parameters, VALUE_OBJECT))
		return err_set(e, ERR_INVALID, "parameters are an object of name: value, not %s",
			       value_kind_name(parameters->kind));
	b->rows = value_is_nothing(parameters) ? NULL : parameters;
	b->targets = b->rows && b->rows->len > FEW_ROWS ? ARENA_ARRAY(b->a, struct target, b->rows->len) : few;
	if (!b->targets)
		return build_out_of_memory(e);
	for (uint32_t i = 0; b->rows && i < b->rows->len; i++) {
		int r = target_find(b->s, b->rows->members[i].key, &b->targets[i], e);
		if (r < 0)
			return r;
	}
	int r = require_params(b, e);
	return r < 0 ? r : gather_body(b, e);
}

/* The parameter of a row; one that nobody declared gets its place's usual style. */
static const struct param *param_of(const struct target *t, struct param *plain)
{
	if (t->param)
		return t->param;
	*plain = (struct param){ .name = t->name, .place = t->place, .style = STYLE_FORM, .explode = true };
	if (t->place == CALL_IN_PATH || t->place == CALL_IN_HEADER) {
		plain->style = STYLE_SIMPLE;
		plain->explode = false;
	}
	return plain;
}

static int wrap(const struct param *p, struct err *e)
{
	return err_wrap(e, "parameter \"%.*s\" (%s)", STR_ARG(p->name), call_place_name(p->place));
}

/* ---- URL ---- */

static int write_query(struct build *b, struct err *e)
{
	size_t before = b->url.len;
	(void)buf_append_char(&b->url, '?');
	if (b->s->system.base_query.len) {
		(void)buf_append_str(&b->url, b->s->system.base_query);
		(void)buf_append_char(&b->url, '&');
	}
	for (uint32_t i = 0; b->rows && i < b->rows->len; i++) {
		const struct value *v = &b->rows->members[i].value;
		struct param plain;
		if (b->targets[i].place != CALL_IN_QUERY)
			continue;
		const struct param *p = param_of(&b->targets[i], &plain);
		if (!says_nothing(v, p) && param_write_query(&b->url, p, v, e) < 0)
			return wrap(p, e);
	}
	if (buf_ok(&b->url)) /* off with the last "&", or the "?" that nothing followed */
		b->url.len -= b->url.len > before ? 1 : 0;
	return 0;
}

static int write_url(struct build *b, struct err *e)
{
	const struct call_spec *s = b->s;
	(void)buf_append_str(&b->url, s->system.base_path_url);
	for (size_t i = 0; i < s->n_slots; i++) {
		const struct param *p = &s->op.params[s->slots[i].param];
		(void)buf_append_str(&b->url, s->slots[i].before);
		if (param_write_path(&b->url, p, given_value(b, p), e) < 0)
			return wrap(p, e);
	}
	(void)buf_append_str(&b->url, s->path_end);
	return write_query(b, e);
}

/* ---- headers ---- */

struct out_header *build_find_header(const struct build *b, struct str name)
{
	for (size_t i = 0; i < b->n_headers; i++)
		if (b->headers[i].header.name.len == name.len && str_eq_nocase(b->headers[i].header.name, name))
			return &b->headers[i];
	return NULL;
}

void build_set_header(struct build *b, struct str name, struct str value, struct str shown)
{
	struct out_header *h = build_find_header(b, name);
	if (h && (size_t)(h - b->headers) < b->s->fixed.n)
		b->fixed_as_was = false;
	if (!h)
		h = &b->headers[b->n_headers++];
	else
		b->header_bytes -= h->header.name.len + h->header.value.len;
	*h = (struct out_header){ { name, value }, shown };
	b->header_bytes += name.len + value.len;
}

/* Fixed ones, a row each, and Content-Type, Cookie, credential and key: room for all of them at once. */
static int start_headers(struct build *b, struct err *e)
{
	const struct headers *fixed = &b->s->fixed;
	size_t most = fixed->n + b->s->system.n_headers + (b->rows ? b->rows->len : 0) + 4;
	b->headers = arena_alloc(b->a, most * sizeof(*b->headers));
	if (!b->headers)
		return build_out_of_memory(e);
	for (size_t i = 0; i < fixed->n; i++)
		b->headers[b->n_headers++] = (struct out_header){ fixed->items[i], STR_NULL };
	b->header_bytes = fixed->bytes;
	b->fixed_as_was = true;
	return 0;
}

int build_keep_text(struct build *b, struct str *ret, struct err *e)
{
	if (!buf_ok(&b->text))
		return build_buf_trouble(&b->text, "a header", e);
	*ret = arena_str(b->a, buf_str(&b->text));
	return ret->ptr ? 0 : build_out_of_memory(e);
}

static int write_mapped_headers(struct build *b, struct err *e)
{
	for (uint32_t i = 0; b->rows && i < b->rows->len; i++) {
		const struct target *t = &b->targets[i];
		const struct value *v = &b->rows->members[i].value;
		struct str text;
		struct param plain;
		if (t->place != CALL_IN_HEADER && t->place != CALL_IN_COOKIE)
			continue;
		const struct param *p = param_of(t, &plain);
		if (says_nothing(v, p))
			continue;
		if (t->place == CALL_IN_COOKIE) {
			if (param_write_cookie(&b->cookies, p, v, e) < 0)
				return wrap(p, e);
			continue;
		}
		buf_clear(&b->text);
		if (param_write_header(&b->text, p, v, e) < 0 || build_keep_text(b, &text, e) < 0)
			return wrap(p, e);
		build_set_header(b, p->name, text, STR_NULL);
	}
	return 0;
}

/* ---- all of it ---- */

static int hand_over(struct build *b, struct call_request *ret, struct err *e)
{
	if (!buf_ok(&b->url))
		return build_buf_trouble(&b->url, "the URL", e);
	if (b->n_headers > HEADERS_MAX || b->header_bytes > HEADERS_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "more than %d headers or %d bytes of them", HEADERS_MAX,
			       HEADERS_MAX_BYTES);
	build_shadow(b);
	if (!buf_ok(&b->shown))
		return build_buf_trouble(&b->shown, "the request", e);
	struct call_request request = { .method = b->s->op.method, .pieces = b->pieces, .n_pieces = b->n_pieces, .proxy = b->proxy };
	request.body = b->n_pieces ? STR_NULL : b->sent_body;
	request.url = arena_str(b->a, buf_str(&b->url));
	request.masked = arena_str(b->a, buf_str(&b->shown));
	request.headers = (struct headers){ .n = b->n_headers, .cap = b->n_headers, .bytes = b->header_bytes };
	request.headers.items = arena_alloc(b->a, b->n_headers * sizeof(struct header));
	if (!request.url.ptr || !request.masked.ptr || !request.headers.items)
		return build_out_of_memory(e);
	for (size_t i = 0; i < b->n_headers; i++)
		request.headers.items[i] = b->headers[i].header;
	*ret = request;
	return 0;
}

static int build(struct build *b, const struct value *parameters, struct str key, struct call_request *ret,
		 struct err *e)
{
	struct target few[FEW_ROWS];
	int r = find_targets(b, parameters, few, e);
	r = r < 0 ? r : start_headers(b, e);
	r = r < 0 ? r : write_url(b, e);
	r = r < 0 ? r : write_mapped_headers(b, e);
	r = r < 0 ? r : build_body(b, e);
	r = r < 0 ? r : build_secret_headers(b, e);
	r = r < 0 ? r : build_credential(b, e);
	r = r < 0 ? r : build_cookies(b, e);
	r = r < 0 ? r : build_key(b, key, e);
	r = r < 0 ? r : build_proxy(b, e);
	return r < 0 ? r : hand_over(b, ret, e);
}

int call_request_build(const struct call_spec *s, struct secrets *secrets, const struct value *parameters,
		       struct str key, struct arena *a, struct call_request *ret, struct err *e)
{
	return call_request_build_files(s, secrets, NULL, parameters, key, a, ret, e);
}

int call_request_build_files(const struct call_spec *s, struct secrets *secrets, struct call_files *files,
			     const struct value *parameters, struct str key, struct arena *a, struct call_request *ret,
			     struct err *e)
{
	struct build b = { .s = s, .secrets = secrets, .files = files, .a = a, .members = value_object() };
	buf_init(&b.url, URL_MAX_BYTES);
	buf_init(&b.cookies, HEADER_FIELD_MAX_BYTES);
	buf_init(&b.text, HEADER_FIELD_MAX_BYTES);
	buf_init(&b.shown, 2 * (JSON_MAX_BYTES / 16));
	buf_init(&b.cuts, CALL_FILES_MAX * sizeof(struct body_cut));
	int r = build(&b, parameters, key, ret, e);
	build_wipe(&b.url);
	build_wipe(&b.cookies);
	build_wipe(&b.text);
	buf_done(&b.url);
	buf_done(&b.cookies);
	buf_done(&b.text);
	buf_done(&b.shown);
	buf_done(&b.cuts);
	return r;
}

struct str call_request_summary(const struct call_request *r, struct arena *a)
{
	struct value v;
	if (json_parse(a, r->masked, NULL, &v, NULL, NULL) < 0)
		return STR_NULL;
	const struct value *url = value_get_c(&v, "url");
	if (!value_is(url, VALUE_STRING))
		return STR_NULL;
	return str_c(arena_printf(a, "%s %.*s", call_method_name(r->method), STR_ARG(value_text(url))));
}
