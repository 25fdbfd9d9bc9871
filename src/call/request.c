/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the request of one item and, beside it, its shadow for people: what goes out and what may be seen are written
 * in the same breath. Order of a request: path, query in the mapping's order, fixed headers, mapped headers, body, and
 * last of all the credentials.
 */
#include "call/call_int.h"
#include "http/url.h"

#define SHOWN_BODY_MAX (64u << 10)  /* bytes of a body that people see */
#define SHOWN_BODY_SLACK (8u << 10) /* read beyond it, so that a secret across the cut is found */
#define FEW_ROWS 16		    /* rows that need no allocation */

/* One header on its way: what is sent, and what is shown when that differs. */
struct out_header {
	struct header header;
	struct str shown; /* ptr NULL = the value itself, masked by name and by value */
};

struct build {
	const struct call_spec *s;
	struct secrets *secrets;
	struct arena *a;
	const struct value *rows; /* the mapped values; NULL = none */
	struct target *targets;	  /* where each goes */
	struct buf url, cookies, text, shown;
	struct out_header *headers;
	size_t n_headers, header_bytes;
	bool fixed_as_was;	  /* the spec's own headers stand at the front, none replaced */
	struct str shown_url;	  /* with an API key as *** */
	struct value members;	  /* of a body given by members */
	const struct value *body; /* NULL = none */
	struct str sent_body;	  /* ptr NULL = none */
};

static int out_of_memory(struct err *e)
{
	return err_set(e, ERR_NO_MEMORY, "out of memory");
}

/* It has held a credential, or may have. */
static void wipe(struct buf *b)
{
	if (b->ptr)
		explicit_bzero(b->ptr, b->cap);
}

static int buf_trouble(const struct buf *b, const char *what, struct err *e)
{
	return b->failed == ERR_LIMIT ? err_set(e, ERR_LIMIT, "%s is longer than %zu bytes", what, b->max)
				      : out_of_memory(e);
}

/* ---- values to places ---- */

/* Empty lists and objects say nothing in a text; only JSON can tell them from absence. */
static bool says_nothing(const struct value *v, const struct param *p)
{
	return value_is_nothing(v) ||
	       ((v->kind == VALUE_ARRAY || v->kind == VALUE_OBJECT) && v->len == 0 && !(p && p->style == STYLE_JSON));
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
	return value_add(b->a, &b->members, name, *v) < 0 ? out_of_memory(e) : 0;
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
		return out_of_memory(e);
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

static struct out_header *find_header(const struct build *b, struct str name)
{
	for (size_t i = 0; i < b->n_headers; i++)
		if (b->headers[i].header.name.len == name.len && str_eq_nocase(b->headers[i].header.name, name))
			return &b->headers[i];
	return NULL;
}

/* Put or replace. `value` lives as long as the item. */
static void set_header(struct build *b, struct str name, struct str value, struct str shown)
{
	struct out_header *h = find_header(b, name);
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
		return out_of_memory(e);
	for (size_t i = 0; i < fixed->n; i++)
		b->headers[b->n_headers++] = (struct out_header){ fixed->items[i], STR_NULL };
	b->header_bytes = fixed->bytes;
	b->fixed_as_was = true;
	return 0;
}

/* The text buffer's content from `start`, moved to the arena. */
static int keep_text(struct build *b, struct str *ret, struct err *e)
{
	if (!buf_ok(&b->text))
		return buf_trouble(&b->text, "a header", e);
	*ret = arena_str(b->a, buf_str(&b->text));
	return ret->ptr ? 0 : out_of_memory(e);
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
		if (param_write_header(&b->text, p, v, e) < 0 || keep_text(b, &text, e) < 0)
			return wrap(p, e);
		set_header(b, p->name, text, STR_NULL);
	}
	return 0;
}

/* A secret is about to become a header: it must be one line. Its bytes are never told. */
static int check_secret(const struct call_text *text, struct str value, struct err *e)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
			return err_set(e, ERR_INVALID, "secret \"%.*s\" holds a line break or control byte",
				       STR_ARG(text->secret));
	return 0;
}

static int write_secret_headers(struct build *b, struct err *e)
{
	for (size_t i = 0; i < b->s->system.n_headers; i++) {
		const struct call_header *h = &b->s->system.headers[i];
		struct str value;
		if (!h->text.secret.ptr)
			continue;
		int r = text_get(&h->text, b->secrets, &value, e);
		r = r < 0 ? r : check_secret(&h->text, value, e);
		if (r < 0)
			return r;
		struct str copy = arena_str(b->a, value);
		if (!copy.ptr)
			return out_of_memory(e);
		set_header(b, h->name, copy, STR(SECRET_MASK));
	}
	return 0;
}

/* ---- body ---- */

static bool is_json_type(struct str type)
{
	return str_eq_nocase(type, STR("application/json")) || str_ends(type, STR("+json"));
}

static int write_body(struct build *b, struct err *e)
{
	static const struct str json_type = { "application/json", 16 },
				form_type = { "application/x-www-form-urlencoded", 33 };
	auto_buf struct buf out = { .max = JSON_MAX_BYTES };
	int r = 0;
	if (!b->body)
		return 0;
	struct out_header *mapped = find_header(b, STR("Content-Type"));
	struct str type = mapped ? header_media_type(mapped->header.value) : b->s->op.is_form ? form_type : json_type;
	if (str_eq_nocase(type, form_type))
		r = form_write(&out, b->body, e);
	else if (is_json_type(type))
		(void)json_write(&out, b->body, JSON_COMPACT);
	else if (value_is(b->body, VALUE_STRING))
		(void)buf_append_str(&out, value_text(b->body));
	else
		r = err_set(e, ERR_INVALID, "a body of type \"%.*s\" is a text, not %s", STR_ARG(type),
			    value_kind_name(b->body->kind));
	if (r < 0)
		return err_wrap(e, "the body");
	if (!buf_ok(&out))
		return buf_trouble(&out, "the body", e);
	b->sent_body = arena_str(b->a, buf_str(&out));
	if (!b->sent_body.ptr)
		return out_of_memory(e);
	if (!mapped)
		set_header(b, STR("Content-Type"), type, STR_NULL);
	return 0;
}

/* ---- credentials ---- */

static int basic_header(struct build *b, struct err *e)
{
	const struct call_auth *auth = &b->s->system.auth;
	auto_buf struct buf pair = { .max = HEADER_FIELD_MAX_BYTES / 2 };
	struct str user, password, value;
	int r = text_get(&auth->username, b->secrets, &user, e);
	r = r < 0 ? r : text_get(&auth->credential, b->secrets, &password, e);
	if (r < 0)
		return r;
	if (str_find_char(user, ':') >= 0)
		return err_set(e, ERR_INVALID, "the username of basic authentication holds a \":\"");
	(void)buf_append_str(&pair, user);
	(void)buf_append_char(&pair, ':');
	(void)buf_append_str(&pair, password);
	buf_clear(&b->text);
	(void)buf_append_c(&b->text, "Basic ");
	base64_append(&b->text, buf_str(&pair), false);
	if (!buf_ok(&pair))
		r = buf_trouble(&pair, "the credential", e);
	wipe(&pair);
	r = r < 0 ? r : keep_text(b, &value, e);
	if (r < 0)
		return r;
	if (secrets_note(b->secrets, str_from(value.ptr + 6, value.len - 6)) < 0)
		return out_of_memory(e);
	set_header(b, STR("Authorization"), value, STR("Basic ***"));
	return 0;
}

/* prefix + secret, shown as prefix + ***. */
static int token_header(struct build *b, struct str name, struct str prefix, struct err *e)
{
	const struct call_auth *auth = &b->s->system.auth;
	struct str secret, value, shown;
	int r = text_get(&auth->credential, b->secrets, &secret, e);
	r = r < 0 ? r : check_secret(&auth->credential, secret, e);
	if (r < 0)
		return r;
	buf_clear(&b->text);
	(void)buf_append_str(&b->text, prefix);
	(void)buf_append_str(&b->text, secret);
	r = keep_text(b, &value, e);
	buf_clear(&b->text);
	(void)buf_append_str(&b->text, prefix);
	(void)buf_append_c(&b->text, SECRET_MASK);
	r = r < 0 ? r : keep_text(b, &shown, e);
	if (r == 0)
		set_header(b, name, value, shown);
	return r;
}

static int key_in_query(struct build *b, struct err *e)
{
	const struct call_auth *auth = &b->s->system.auth;
	struct str secret;
	int r = text_get(&auth->credential, b->secrets, &secret, e);
	if (r < 0)
		return r;
	bool has_query = buf_ok(&b->url) && memchr(b->url.ptr, '?', b->url.len);
	(void)buf_append_char(&b->url, has_query ? '&' : '?');
	(void)url_encode(&b->url, auth->name, URL_SET_QUERY);
	(void)buf_append_char(&b->url, '=');
	if (!buf_ok(&b->url))
		return 0;
	auto_buf struct buf shown = { .max = 2 * URL_MAX_BYTES };
	(void)secrets_mask(b->secrets, &shown, buf_str(&b->url));
	(void)buf_append_c(&shown, SECRET_MASK);
	b->shown_url = buf_ok(&shown) ? arena_str(b->a, buf_str(&shown)) : STR_NULL;
	if (!b->shown_url.ptr)
		return out_of_memory(e);
	(void)url_encode(&b->url, secret, URL_SET_QUERY);
	return 0;
}

static int key_in_cookie(struct build *b, struct err *e)
{
	const struct call_auth *auth = &b->s->system.auth;
	struct str secret;
	int r = text_get(&auth->credential, b->secrets, &secret, e);
	if (r < 0)
		return r;
	(void)buf_append_str(&b->cookies, auth->name);
	(void)buf_append_char(&b->cookies, '=');
	(void)url_encode(&b->cookies, secret, URL_SET_COOKIE);
	(void)buf_append_c(&b->cookies, "; ");
	return 0;
}

static int write_credential(struct build *b, struct err *e)
{
	const struct call_auth *auth = &b->s->system.auth;
	switch (auth->kind) {
	case AUTH_BASIC:
		return basic_header(b, e);
	case AUTH_BEARER:
		return token_header(b, STR("Authorization"), STR("Bearer "), e);
	case AUTH_API_KEY:
		if (auth->place == CALL_IN_QUERY)
			return key_in_query(b, e);
		return auth->place == CALL_IN_COOKIE ? key_in_cookie(b, e)
						     : token_header(b, auth->name, auth->prefix, e);
	default:
		return 0;
	}
}

/* Cookies mapped and secret, after those that the system itself fixed. Always shown as ***. */
static int write_cookies(struct build *b, struct err *e)
{
	struct out_header *fixed = find_header(b, STR("Cookie"));
	struct str value;
	if (!buf_ok(&b->cookies))
		return buf_trouble(&b->cookies, "a header", e);
	if (b->cookies.len == 0)
		return 0;
	buf_clear(&b->text);
	if (fixed) {
		(void)buf_append_str(&b->text, fixed->header.value);
		(void)buf_append_c(&b->text, "; ");
	}
	(void)buf_append(&b->text, b->cookies.ptr, b->cookies.len - 2);
	int r = keep_text(b, &value, e);
	if (r == 0)
		set_header(b, STR("Cookie"), value, STR(SECRET_MASK));
	return r;
}

static int write_key(struct build *b, struct str key, struct err *e)
{
	if (!call_spec_wants_key(b->s) || key.len == 0)
		return 0;
	/* As plain text, not as the quoted string of the draft: the APIs that exist take the bytes as they come. */
	if (!header_value_is_clean(key))
		return err_set(e, ERR_INVALID, "the idempotency key holds a control byte");
	struct str copy = arena_str(b->a, key);
	if (!copy.ptr)
		return out_of_memory(e);
	set_header(b, b->s->op.key_header, copy, copy);
	return 0;
}

/* ---- the shadow ---- */

/* A JSON string of `text` with secrets masked. */
static void show_text(struct build *b, struct str text)
{
	auto_buf struct buf masked = { .max = JSON_MAX_BYTES };
	if (!secrets_occur(b->secrets, text)) {
		(void)json_write_string(&b->shown, text);
		return;
	}
	if (secrets_mask(b->secrets, &masked, text) < 0)
		(void)buf_append_c(&b->shown, "\"" SECRET_MASK "\"");
	else
		(void)json_write_string(&b->shown, buf_str(&masked));
}

static void show_header(struct build *b, const struct out_header *h, bool is_first)
{
	(void)buf_append_c(&b->shown, is_first ? "[" : ",[");
	(void)json_write_string(&b->shown, h->header.name);
	(void)buf_append_char(&b->shown, ',');
	if (h->shown.ptr)
		(void)json_write_string(&b->shown, h->shown);
	else if (header_is_secret(h->header.name))
		(void)buf_append_c(&b->shown, "\"" SECRET_MASK "\"");
	else
		show_text(b, h->header.value);
	(void)buf_append_char(&b->shown, ']');
}

static void show_headers(struct build *b)
{
	size_t i = 0;
	bool is_first = true;
	(void)buf_append_c(&b->shown, ",\"headers\":[");
	if (b->fixed_as_was) {
		if (b->s->accept_is_default) {
			show_header(b, &b->headers[0], true);
			is_first = false;
		}
		if (b->s->fixed_shown.len) {
			(void)buf_append_c(&b->shown, is_first ? "" : ",");
			(void)secrets_mask(b->secrets, &b->shown, b->s->fixed_shown);
			is_first = false;
		}
		i = b->s->fixed.n;
	}
	for (; i < b->n_headers; i++, is_first = false)
		show_header(b, &b->headers[i], is_first);
	(void)buf_append_char(&b->shown, ']');
}

/* At most `max` bytes, cut between characters. */
static struct str clip(struct str text, size_t max)
{
	if (text.len <= max)
		return text;
	while (max > 0 && ((unsigned char)text.ptr[max] & 0xC0) == 0x80)
		max--;
	return str_from(text.ptr, max);
}

static void show_body(struct build *b)
{
	struct str text = clip(b->sent_body, SHOWN_BODY_MAX + SHOWN_BODY_SLACK);
	(void)buf_append_c(&b->shown, ",\"body\":");
	if (!text.ptr) {
		(void)buf_append_c(&b->shown, "null}");
		return;
	}
	auto_buf struct buf masked = { .max = 4 * (SHOWN_BODY_MAX + SHOWN_BODY_SLACK) };
	if (secrets_occur(b->secrets, text))
		text = secrets_mask(b->secrets, &masked, text) < 0 ? STR(SECRET_MASK) : buf_str(&masked);
	(void)json_write_string(&b->shown, clip(text, SHOWN_BODY_MAX));
	if (b->sent_body.len > SHOWN_BODY_MAX)
		(void)buf_printf(&b->shown, ",\"body_bytes\":%zu,\"clipped\":true", b->sent_body.len);
	(void)buf_append_char(&b->shown, '}');
}

static void show_request(struct build *b)
{
	(void)buf_append_c(&b->shown, "{\"method\":\"");
	(void)buf_append_c(&b->shown, call_method_name(b->s->op.method));
	(void)buf_append_c(&b->shown, "\",\"url\":");
	if (b->shown_url.ptr)
		(void)json_write_string(&b->shown, b->shown_url);
	else
		show_text(b, buf_str(&b->url));
	show_headers(b);
	show_body(b);
}

/* ---- all of it ---- */

static int hand_over(struct build *b, struct call_request *ret, struct err *e)
{
	if (!buf_ok(&b->url))
		return buf_trouble(&b->url, "the URL", e);
	if (b->n_headers > HEADERS_MAX || b->header_bytes > HEADERS_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "more than %d headers or %d bytes of them", HEADERS_MAX,
			       HEADERS_MAX_BYTES);
	show_request(b);
	if (!buf_ok(&b->shown))
		return buf_trouble(&b->shown, "the request", e);
	struct call_request request = { .method = b->s->op.method, .body = b->sent_body };
	request.url = arena_str(b->a, buf_str(&b->url));
	request.masked = arena_str(b->a, buf_str(&b->shown));
	request.headers = (struct headers){ .n = b->n_headers, .cap = b->n_headers, .bytes = b->header_bytes };
	request.headers.items = arena_alloc(b->a, b->n_headers * sizeof(struct header));
	if (!request.url.ptr || !request.masked.ptr || !request.headers.items)
		return out_of_memory(e);
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
	r = r < 0 ? r : write_body(b, e);
	r = r < 0 ? r : write_secret_headers(b, e);
	r = r < 0 ? r : write_credential(b, e);
	r = r < 0 ? r : write_cookies(b, e);
	r = r < 0 ? r : write_key(b, key, e);
	return r < 0 ? r : hand_over(b, ret, e);
}

int call_request_build(const struct call_spec *s, struct secrets *secrets, const struct value *parameters,
		       struct str key, struct arena *a, struct call_request *ret, struct err *e)
{
	struct build b = { .s = s, .secrets = secrets, .a = a, .members = value_object() };
	buf_init(&b.url, URL_MAX_BYTES);
	buf_init(&b.cookies, HEADER_FIELD_MAX_BYTES);
	buf_init(&b.text, HEADER_FIELD_MAX_BYTES);
	buf_init(&b.shown, 2 * (JSON_MAX_BYTES / 16));
	int r = build(&b, parameters, key, ret, e);
	wipe(&b.url);
	wipe(&b.cookies);
	wipe(&b.text);
	buf_done(&b.url);
	buf_done(&b.cookies);
	buf_done(&b.text);
	buf_done(&b.shown);
	return r;
}
