/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy of a system: what is said of it, read and checked, and its part of a request. */
#include "call/request_int.h"

struct proxy_text {
	const struct value *url, *username, *password;
};

#define PROXY_URL_SCHEMA                                                                                               \
	"{\"anyOf\":[{\"type\":\"string\",\"format\":\"uri\"},{\"type\":\"object\",\"minProperties\":1,"               \
	"\"additionalProperties\":{\"anyOf\":[{\"type\":\"string\",\"format\":\"uri\"},{\"type\":\"null\"}]}}]}"

/* clang-format off */
const struct opt proxy_rows[] = {
	OPT_VALUE(struct proxy_text, url, OPT_REQUIRED, PROXY_URL_SCHEMA, "http://host:port or https://host:port; one, or one by environment, null for none there."),
	OPT_VALUE(struct proxy_text, username, 0, TEXT_SCHEMA, "Who the proxy is to believe that we are."),
	OPT_VALUE(struct proxy_text, password, 0, SECRET_SCHEMA, "Named secret; sent to the proxy alone, as Basic authentication."),
	OPT_END,
};
/* clang-format on */

/* ---- the setting ---- */

static bool url_check(const struct value *v, struct str name, bool may_be_none, struct told *t)
{
	struct err e = ERR_INIT;
	if (may_be_none && value_is(v, VALUE_NULL))
		return true;
	if (!value_is(v, VALUE_STRING))
		tell_named(t, v, name, "the address of a proxy is a text like http://proxy.example:3128, not %s",
			   value_kind_name(v->kind));
	else if (http_proxy_check(value_text(v), &e) < 0)
		tell_named(t, v, name, "%s", e.msg);
	else
		return true;
	return false;
}

/* As base_url does: the one of the environment, the first where none was chosen. No way is silently left out: whoever
 * wants none says null. */
static void url_load(const struct value *v, struct str env, struct told *t, struct call_proxy *ret)
{
	bool found = false;
	if (!value_is(v, VALUE_OBJECT)) {
		if (url_check(v, STR("url"), false, t))
			ret->url = value_text(v);
		return;
	}
	for (uint32_t i = 0; i < v->len; i++) {
		struct str name = v->members[i].key;
		const struct value *one = &v->members[i].value;
		bool is_ours = env.len ? str_eq(name, env) : i == 0;
		found |= is_ours;
		if (url_check(one, name, true, t) && is_ours && value_is(one, VALUE_STRING))
			ret->url = value_text(one);
	}
	if (!found)
		tell(t, v, "url",
		     "no proxy for the environment \"%.*s\"; write its address, or %.*s: null where none is needed",
		     STR_ARG(env), STR_ARG(env.len ? env : STR("live")));
}

void proxy_load(const struct value *proxy, struct str env, struct told *t, struct call_proxy *ret)
{
	struct proxy_text text = { 0 };
	if (!value_is(proxy, VALUE_OBJECT)) {
		tell(t, proxy, "proxy", "a proxy is an object like { url: \"http://proxy.example:3128\" }");
		return;
	}
	told_load(proxy_rows, proxy, &text, t);
	if (text.url)
		url_load(text.url, env, t, ret);
	if (!text.username && !text.password)
		return;
	(void)text_load(text.username, proxy, "username", false, t, &ret->username);
	(void)text_load(text.password, proxy, "password", true, t, &ret->password);
	if (str_find_char(ret->username.literal, ':') >= 0)
		tell(t, text.username, "username", "a username of basic authentication has no \":\" (RFC 7617)");
	ret->has_credentials = true;
}

/* ---- its part of a request ---- */

int build_proxy(struct build *b, struct err *e)
{
	const struct call_proxy *p = &b->s->system.proxy;
	if (!p->url.ptr)
		return 0;
	struct http_proxy *way = ARENA_NEW(b->a, struct http_proxy);
	if (!way)
		return build_out_of_memory(e);
	way->url = p->url;
	b->proxy = way;
	return p->has_credentials ? build_basic(b, &p->username, &p->password, &way->authorization, e) : 0;
}
