/* SPDX-License-Identifier: Apache-2.0 */
#include "call/redirect.h"

#include "call/call_int.h"
#include "http/url.h"

static bool is_read(enum call_method m)
{
	return m == CALL_GET || m == CALL_HEAD;
}

bool call_redirect_is_followed(enum call_method method, int status)
{
	switch (status) {
	case 301:
	case 302:
		return is_read(method);
	case 303:
	case 307:
	case 308:
		return true;
	default:
		return false;
	}
}

/* Content fields describe a body that is not sent again (RFC 9110 15.4, 303). */
static bool describes_content(struct str name)
{
	return name.len > 8 && str_eq_nocase(str_from(name.ptr, 8), STR("content-"));
}

static bool is_credential(const struct header *h, const struct secrets *secrets)
{
	return header_is_secret(h->name) || secrets_occur(secrets, h->value);
}

static int keep_headers(const struct call_request *from, const struct secrets *secrets, bool with_credentials, bool with_content,
			struct arena *a, struct call_request *ret)
{
	for (size_t i = 0; i < from->headers.n; i++) {
		const struct header *h = &from->headers.items[i];
		if ((!with_credentials && is_credential(h, secrets)) || (!with_content && describes_content(h->name)))
			continue;
		if (headers_add(a, &ret->headers, h->name, h->value, NULL) < 0)
			return -ERR_NO_MEMORY;
	}
	return 0;
}

static struct value masked_text(struct arena *a, const struct secrets *secrets, struct str text)
{
	auto_buf struct buf b = { .max = JSON_MAX_BYTES };
	if (!secrets_occur(secrets, text))
		return value_string(text);
	if (secrets_mask(secrets, &b, text) < 0)
		return value_string(STR(SECRET_MASK));
	return value_string_copy(a, buf_str(&b));
}

/* The shadow of the next request: that of the one before with what has changed. */
static int make_shadow(const struct call_request *from, const struct secrets *secrets, struct arena *a, struct call_request *ret)
{
	auto_buf struct buf text = { .max = JSON_MAX_BYTES };
	struct value v, headers = value_array();
	if (json_parse(a, from->masked, NULL, &v, NULL, NULL) < 0)
		return -ERR_NO_MEMORY;
	for (size_t i = 0; i < ret->headers.n; i++) {
		const struct header *h = &ret->headers.items[i];
		struct value pair = value_array();
		(void)value_push(a, &pair, value_string(h->name));
		(void)value_push(a, &pair, header_is_secret(h->name) ? value_string(STR(SECRET_MASK)) : masked_text(a, secrets, h->value));
		(void)value_push(a, &headers, pair);
	}
	(void)value_set(a, &v, STR("method"), value_string(str_c(call_method_name(ret->method))));
	(void)value_set(a, &v, STR("url"), masked_text(a, secrets, ret->url));
	(void)value_set(a, &v, STR("headers"), headers);
	if (!ret->body.ptr && !ret->n_pieces)
		(void)value_set(a, &v, STR("body"), value_null());
	if (json_write(&text, &v, JSON_COMPACT) < 0)
		return -ERR_NO_MEMORY;
	ret->masked = arena_str(a, buf_str(&text));
	return ret->masked.ptr ? 0 : -ERR_NO_MEMORY;
}

static enum call_hop refuse(struct str *ret_reason, struct arena *a, const char *why, struct str url)
{
	const char *text = arena_printf(a, "the redirect to %.*s is not followed: %s", (int)(url.len < 200 ? url.len : 200),
					url.ptr ? url.ptr : "", why);
	*ret_reason = str_c(text ? text : why);
	return CALL_HOP_REFUSED;
}

/* Been there with the same method: the way leads in a circle. */
static bool trail_has(const struct call_trail *trail, struct str url)
{
	for (unsigned i = 0; i < trail->n; i++)
		if (str_eq(trail->urls[i], url))
			return true;
	return false;
}

static int find_target(const struct call_request *from, struct str location, struct arena *a, struct url *base, struct url *next, struct str *ret)
{
	auto_buf struct buf b = { .max = URL_MAX_BYTES };
	if (!header_value_is_clean(location) || url_parse(from->url, base, NULL) < 0 || url_resolve(base, location, &b, NULL) < 0)
		return -ERR_INVALID;
	*ret = arena_str(a, buf_str(&b));
	/* A fragment is for people, not for the wire. */
	ptrdiff_t hash = str_find_char(*ret, '#');
	if (hash >= 0)
		ret->len = (size_t)hash;
	return ret->ptr ? url_parse(*ret, next, NULL) : -ERR_NO_MEMORY;
}

enum call_hop call_redirect(const struct call_request *from, int status, const struct headers *headers, struct secrets *secrets,
			    struct call_trail *trail, struct arena *a, struct call_request *ret, struct str *ret_reason)
{
	struct url base, next;
	struct str location = headers_get(headers, STR("Location")), url = STR_NULL;
	size_t locations = headers_count(headers, STR("Location"));
	if (!call_redirect_is_followed(from->method, status) || locations == 0 || !location.len)
		return CALL_HOP_NONE;
	if (locations > 1)
		return refuse(ret_reason, a, "the answer names more than one address", location);
	if (!trail->n)
		trail->urls[trail->n++] = from->url;
	if (find_target(from, location, a, &base, &next, &url) < 0)
		return refuse(ret_reason, a, "it is no http or https address", location);
	bool to_get = status == 303 && from->method != CALL_HEAD;
	if (trail_has(trail, url) && (!to_get || from->method == CALL_GET))
		return refuse(ret_reason, a, "it leads in a circle", url);
	if (trail->n > CALL_HOPS_MAX)
		return refuse(ret_reason, a, "there were five already", url);
	bool is_same = url_same_origin(&base, &next);
	bool downgrade = str_eq_nocase(base.scheme, STR("https")) && !str_eq_nocase(next.scheme, STR("https"));
	for (size_t i = 0; downgrade && !trail->left_origin && i < from->headers.n; i++)
		if (is_credential(&from->headers.items[i], secrets))
			return refuse(ret_reason, a, "it leads from https to http, and the call carries credentials", url);
	if (downgrade && secrets_occur(secrets, from->url))
		return refuse(ret_reason, a, "it leads from https to http, and the call carries credentials", url);
	trail->left_origin |= !is_same;
	*ret = (struct call_request){ .method = to_get ? CALL_GET : from->method, .url = url, .proxy = from->proxy };
	if (!to_get) {
		ret->body = from->body;
		ret->pieces = from->pieces;
		ret->n_pieces = from->n_pieces;
	}
	if (keep_headers(from, secrets, !trail->left_origin, !to_get, a, ret) < 0 || make_shadow(from, secrets, a, ret) < 0)
		return refuse(ret_reason, a, "out of memory", url);
	trail->urls[trail->n < CALL_HOPS_MAX + 1 ? trail->n++ : CALL_HOPS_MAX] = url;
	return CALL_HOP_FOLLOW;
}
