/* SPDX-License-Identifier: Apache-2.0 */
/* Puts credentials into a request: last of all, so that nothing mapped can stand in their place, and never into the
 * shadow. */
#include "call/request_int.h"
#include "http/url.h"

/* A secret is about to become a header: it must be one line. Its bytes are never told. */
static int check_secret(const struct call_text *text, struct str value, struct err *e)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7f)
			return err_set(e, ERR_INVALID, "secret \"%.*s\" holds a line break or control byte",
				       STR_ARG(text->secret));
	return 0;
}

int build_secret_headers(struct build *b, struct err *e)
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
			return build_out_of_memory(e);
		build_set_header(b, h->name, copy, STR(SECRET_MASK));
	}
	return 0;
}

int build_basic(struct build *b, const struct call_text *username, const struct call_text *password, struct str *ret,
		struct err *e)
{
	auto_buf struct buf pair = { .max = HEADER_FIELD_MAX_BYTES / 2 };
	struct str user, word;
	int r = text_get(username, b->secrets, &user, e);
	r = r < 0 ? r : text_get(password, b->secrets, &word, e);
	if (r < 0)
		return r;
	if (str_find_char(user, ':') >= 0)
		return err_set(e, ERR_INVALID, "the username of basic authentication holds a \":\"");
	(void)buf_append_str(&pair, user);
	(void)buf_append_char(&pair, ':');
	(void)buf_append_str(&pair, word);
	buf_clear(&b->text);
	(void)buf_append_c(&b->text, "Basic ");
	base64_append(&b->text, buf_str(&pair), false);
	if (!buf_ok(&pair))
		r = build_buf_trouble(&pair, "the credential", e);
	build_wipe(&pair);
	r = r < 0 ? r : build_keep_text(b, ret, e);
	if (r < 0)
		return r;
	return secrets_note(b->secrets, str_from(ret->ptr + 6, ret->len - 6)) < 0 ? build_out_of_memory(e) : 0;
}

static int basic_header(struct build *b, struct err *e)
{
	const struct call_auth *auth = &b->s->system.auth;
	struct str value;
	int r = build_basic(b, &auth->username, &auth->credential, &value, e);
	if (r == 0)
		build_set_header(b, STR("Authorization"), value, STR("Basic ***"));
	return r;
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
	r = build_keep_text(b, &value, e);
	buf_clear(&b->text);
	(void)buf_append_str(&b->text, prefix);
	(void)buf_append_c(&b->text, SECRET_MASK);
	r = r < 0 ? r : build_keep_text(b, &shown, e);
	if (r == 0)
		build_set_header(b, name, value, shown);
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
		return build_out_of_memory(e);
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

int build_credential(struct build *b, struct err *e)
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

int build_cookies(struct build *b, struct err *e)
{
	struct out_header *fixed = build_find_header(b, STR("Cookie"));
	struct str value;
	if (!buf_ok(&b->cookies))
		return build_buf_trouble(&b->cookies, "a header", e);
	if (b->cookies.len == 0)
		return 0;
	buf_clear(&b->text);
	if (fixed) {
		(void)buf_append_str(&b->text, fixed->header.value);
		(void)buf_append_c(&b->text, "; ");
	}
	(void)buf_append(&b->text, b->cookies.ptr, b->cookies.len - 2);
	int r = build_keep_text(b, &value, e);
	if (r == 0)
		build_set_header(b, STR("Cookie"), value, STR(SECRET_MASK));
	return r;
}

int build_key(struct build *b, struct str key, struct err *e)
{
	if (!call_spec_wants_key(b->s) || key.len == 0)
		return 0;
	/* As plain text, not as the quoted string of the draft: the APIs that exist take the bytes as they come. */
	if (!header_value_is_clean(key))
		return err_set(e, ERR_INVALID, "the idempotency key holds a control byte");
	struct str copy = arena_str(b->a, key);
	if (!copy.ptr)
		return build_out_of_memory(e);
	build_set_header(b, b->s->op.key.header, copy, copy);
	return 0;
}
