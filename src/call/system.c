/* SPDX-License-Identifier: Apache-2.0 */
/* What a system says of itself, read and checked: address, fixed headers, authentication, limits. */
#include "call/call_int.h"
#include "http/url.h"
#include <stdarg.h>
#include <stdio.h>

#define FIELD_MAX 256 /* longest name shown in a complaint */

void tell(struct told *t, const struct value *at, const char *field, const char *fmt, ...)
{
	char sentence[ERR_MSG_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	if (t->n++ == 0)
		memcpy(t->first, sentence, sizeof(sentence));
	if (t->complain)
		t->complain(t->arg, at, field, sentence);
}

void tell_named(struct told *t, const struct value *at, struct str field, const char *fmt, ...)
{
	char sentence[ERR_MSG_MAX], name[FIELD_MAX];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	(void)snprintf(name, sizeof(name), "%.*s", STR_ARG(field));
	tell(t, at, field.ptr ? name : NULL, "%s", sentence);
}

static void on_opt(void *arg, const struct value *at, struct str name, const char *sentence)
{
	if (!str_starts(name, STR("x-")))
		tell_named(arg, at, name, "%s", sentence);
}

void told_load(const struct opt *rows, const struct value *object, void *out, struct told *t)
{
	(void)opt_load(rows, object, NULL, out, on_opt, t);
}

/* ---- rows ---- */

struct system_text {
	const struct value *title, *description, *base_url, *auth, *headers, *connectors, *limits, *tls, *proxy, *rules;
	int http_version;
};

static const char *const http_versions[] = {
	[HTTP_WISH_1_1] = "1.1", [HTTP_WISH_2_OR_1_1] = "auto", [HTTP_WISH_2] = "2", NULL
};

struct tls_text {
	bool no_verify;
	struct str ca_file;
};

#define PEOPLE_TEXT "{\"type\":[\"string\",\"object\"]}"
#define HEADERS_SCHEMA "{\"type\":\"object\",\"additionalProperties\":" TEXT_SCHEMA "}"
#define AUTH_SCHEMA                                                                                                    \
	"{\"type\":\"object\",\"properties\":{\"kind\":{\"enum\":[\"none\",\"basic\",\"bearer\",\"api_key\"]},"        \
	"\"username\":" TEXT_SCHEMA ",\"password\":" SECRET_SCHEMA ",\"token\":" SECRET_SCHEMA                         \
	",\"name\":{\"type\":\"string\"},\"in\":{\"enum\":[\"header\",\"query\",\"cookie\"]},\"value\":" SECRET_SCHEMA \
	",\"prefix\":{\"type\":\"string\"}},\"required\":[\"kind\"],\"additionalProperties\":false}"
#define BASE_URL_SCHEMA                                                                                                \
	"{\"anyOf\":[{\"type\":\"string\",\"format\":\"uri\"},{\"type\":\"object\",\"minProperties\":1,"               \
	"\"additionalProperties\":{\"type\":\"string\",\"format\":\"uri\"}}]}"

/* clang-format off */
const struct opt system_rows[] = {
	OPT_VALUE(struct system_text, title, 0, PEOPLE_TEXT, "Name for people, a text or one by language."),
	OPT_VALUE(struct system_text, description, 0, PEOPLE_TEXT, "What this system is."),
	OPT_VALUE(struct system_text, base_url, OPT_REQUIRED, BASE_URL_SCHEMA, "Address that query paths are added to; one, or one by environment."),
	OPT_VALUE(struct system_text, auth, 0, AUTH_SCHEMA, "How calls identify themselves; credentials are named secrets."),
	OPT_VALUE(struct system_text, headers, 0, HEADERS_SCHEMA, "Headers of every call."),
	OPT_VALUE(struct system_text, connectors, 0, NULL, "Named groups of operations."),
	OPT_VALUE(struct system_text, limits, 0, NULL, "Time, size and number of calls."),
	OPT_ENUM(struct system_text, http_version, "1.1", http_versions, "HTTP/1.1, HTTP/2, or auto: with https what the server chooses of both. HTTP/2 carries many calls over few connections."),
	OPT_VALUE(struct system_text, tls, 0, NULL, "How the server's certificate is checked."),
	OPT_VALUE(struct system_text, proxy, 0, NULL, "The way to the server leads through it. http_proxy of the environment is not heeded."),
	OPT_VALUE(struct system_text, rules, 0, NULL, "What answers mean; asked after the rules of operation and connector."),
	OPT_END,
};

#define SECONDS(n) ((n) * INT64_C(1000))
const struct opt limit_rows[] = {
	OPT_DURATION(struct call_limits, connect_timeout, NULL, 1, SECONDS(600), "Longest time to connect, TLS included."),
	OPT_DURATION(struct call_limits, first_byte_timeout, NULL, 1, SECONDS(3600), "Longest wait for the first byte of an answer."),
	OPT_DURATION(struct call_limits, total_timeout, NULL, 1, SECONDS(3600), "Longest time of one call from start to end."),
	OPT_SIZE(struct call_limits, max_body, NULL, 1, INT64_C(4) << 30,
		 "Largest answer, counted after decoding; only files may be larger than 256 MiB."),
	OPT_INT(struct call_limits, in_flight, NULL, 1, 1000, "Most calls of this system at a time."),
	OPT_END,
};

const struct opt tls_rows[] = {
	OPT_BOOL(struct tls_text, no_verify, "false", "Accept any certificate. Only for a test system."),
	OPT_STRING(struct tls_text, ca_file, 0, NULL, 0, 4096, "Certificate authority of this system (PEM file)."),
	OPT_END,
};
/* clang-format on */

/* ---- texts ---- */

bool text_load(const struct value *v, const struct value *parent, const char *what, bool must_be_secret, struct told *t,
	       struct call_text *ret)
{
	*ret = (struct call_text){ 0 };
	const struct value *secret = value_get_c(v, "secret");
	if (!v) {
		tell(t, parent, what, "%s is missing; write %s: { secret: NAME }", what, what);
	} else if (value_is(v, VALUE_STRING) && !must_be_secret) {
		ret->literal = value_text(v);
		return true;
	} else if (value_is(v, VALUE_STRING)) {
		tell(t, v, what,
		     "%s stands in the file for all to read; write { secret: NAME } and set WEIR_SECRET_NAME", what);
	} else if (!value_is(secret, VALUE_STRING) || v->len != 1 || secret->len == 0) {
		tell(t, v, what, "%s is %s, write { secret: NAME }%s", what, value_kind_name(v->kind),
		     must_be_secret ? "" : " or a text");
	} else {
		ret->secret = value_text(secret);
		return true;
	}
	return false;
}

/* Members of `v` other than these are refused with the nearest known name. */
static void refuse_unknown(const struct value *v, const char *const *known, size_t n, struct told *t)
{
	for (uint32_t i = 0; i < v->len; i++) {
		struct str key = v->members[i].key;
		bool is_known = str_starts(key, STR("x-"));
		for (size_t k = 0; k < n && !is_known; k++)
			is_known = str_eq_c(key, known[k]);
		const char *near = is_known ? NULL : opt_nearest(key, known, n);
		if (is_known)
			continue;
		if (near)
			tell_named(t, &v->members[i].value, key, "\"%.*s\" is not known; did you mean \"%s\"?",
				   STR_ARG(key), near);
		else
			tell_named(t, &v->members[i].value, key, "\"%.*s\" is not known here", STR_ARG(key));
	}
}

/* ---- address ---- */

static bool has_dot_segment(struct str path)
{
	while (path.ptr) {
		struct str segment = str_split(&path, '/');
		if (segment_is_dots(segment))
			return true;
	}
	return false;
}

static bool base_url_check(const struct value *v, struct str env, struct told *t, struct url *ret)
{
	struct err e = ERR_INIT;
	if (!value_is(v, VALUE_STRING))
		tell_named(t, v, env, "an address is a text like https://api.example.com, not %s",
			   value_kind_name(v->kind));
	else if (url_parse(value_text(v), ret, &e) < 0)
		tell_named(t, v, env, "%s", e.msg);
	else if (ret->fragment.ptr)
		tell_named(t, v, env, "an address of a system has no \"#\" part");
	else if (has_dot_segment(ret->path))
		tell_named(t, v, env, "an address of a system has no \".\" or \"..\" in its path");
	else
		return true;
	return false;
}

static void base_url_take(const struct value *v, const struct url *u, struct call_system *ret)
{
	struct str whole = value_text(v);
	if (u->query.ptr)
		whole.len = (size_t)(u->query.ptr - 1 - whole.ptr);
	if (u->path.len && str_ends(whole, STR("/")))
		whole.len--;
	ret->base_path_url = whole;
	ret->base_query = u->query.len ? u->query : STR_NULL;
}

static void base_url_load(const struct value *v, struct str env, struct told *t, struct call_system *ret)
{
	struct url u;
	if (!value_is(v, VALUE_OBJECT)) {
		if (base_url_check(v, STR("base_url"), t, &u))
			base_url_take(v, &u, ret);
		return;
	}
	bool found = false;
	for (uint32_t i = 0; i < v->len; i++) {
		struct str name = v->members[i].key;
		bool is_ours = env.len ? str_eq(name, env) : i == 0;
		found |= is_ours;
		if (base_url_check(&v->members[i].value, name, t, &u) && is_ours)
			base_url_take(&v->members[i].value, &u, ret);
	}
	if (v->len == 0)
		tell(t, v, "base_url", "no address is given; write base_url: { live: https://... }");
	else if (!found)
		tell(t, v, "base_url", "no address for the environment \"%.*s\"; there is one for \"%.*s\"%s",
		     STR_ARG(env), STR_ARG(v->members[0].key), v->len > 1 ? " and others" : "");
}

/* ---- headers ---- */

bool header_is_ours(struct str name)
{
	static const char *const ours[] = { "Host",	  "Content-Length",   "Transfer-Encoding", "Connection",
					    "Keep-Alive", "Upgrade",	      "Trailer",	   "TE",
					    "Expect",	  "Proxy-Connection", "Accept-Encoding",   "Proxy-Authorization" };
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (str_eq_nocase(name, str_c(ours[i])))
			return true;
	return false;
}

static void header_put(struct call_system *sys, struct call_header h, const struct value *at, struct told *t)
{
	for (size_t i = 0; i < sys->n_headers; i++) {
		if (str_eq_nocase(sys->headers[i].name, h.name)) {
			sys->headers[i] = h;
			return;
		}
	}
	if (sys->n_headers == CALL_HEADERS_MAX)
		tell(t, at, "headers", "at most %d headers", CALL_HEADERS_MAX);
	else
		sys->headers[sys->n_headers++] = h;
}

void headers_load(const struct value *headers, struct told *t, struct call_system *sys)
{
	if (!headers)
		return;
	if (!value_is(headers, VALUE_OBJECT)) {
		tell(t, headers, "headers", "headers are an object of name: text or { secret: NAME }");
		return;
	}
	for (uint32_t i = 0; i < headers->len; i++) {
		struct call_header h = { .name = headers->members[i].key };
		const struct value *v = &headers->members[i].value;
		char what[FIELD_MAX];
		(void)snprintf(what, sizeof(what), "%.*s", STR_ARG(h.name));
		if (!header_is_token(h.name))
			tell_named(t, v, h.name, "\"%.*s\" is no header name", STR_ARG(h.name));
		else if (str_eq_nocase(h.name, STR("Proxy-Authorization")))
			tell_named(t, v, h.name,
				   "%.*s goes to a proxy alone; write proxy: { url, username, password } of the system",
				   STR_ARG(h.name));
		else if (header_is_ours(h.name))
			tell_named(t, v, h.name, "%.*s is set by Weir itself", STR_ARG(h.name));
		else if (text_load(v, headers, what, header_is_secret(h.name), t, &h.text)) {
			if (!header_value_is_clean(h.text.literal))
				tell_named(t, v, h.name, "a header has no line breaks or control bytes");
			else
				header_put(sys, h, v, t);
		}
	}
}

/* ---- authentication ---- */

static void basic_load(const struct value *auth, struct told *t, struct call_auth *ret)
{
	static const char *const known[] = { "kind", "username", "password" };
	refuse_unknown(auth, known, ARRAY_LEN(known), t);
	const struct value *username = value_get_c(auth, "username");
	(void)text_load(username, auth, "username", false, t, &ret->username);
	(void)text_load(value_get_c(auth, "password"), auth, "password", true, t, &ret->credential);
	if (str_find_char(ret->username.literal, ':') >= 0)
		tell(t, username, "username", "a username of basic authentication has no \":\" (RFC 7617)");
}

static void bearer_load(const struct value *auth, struct told *t, struct call_auth *ret)
{
	static const char *const known[] = { "kind", "token" };
	refuse_unknown(auth, known, ARRAY_LEN(known), t);
	(void)text_load(value_get_c(auth, "token"), auth, "token", true, t, &ret->credential);
}

static bool api_key_place(const struct value *in, enum call_place *ret)
{
	static const enum call_place places[] = { CALL_IN_HEADER, CALL_IN_QUERY, CALL_IN_COOKIE };
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (value_is_string(in, str_c(call_place_name(places[i])))) {
			*ret = places[i];
			return true;
		}
	}
	return false;
}

static void api_key_load(const struct value *auth, struct told *t, struct call_auth *ret)
{
	static const char *const known[] = { "kind", "name", "in", "value", "prefix" };
	refuse_unknown(auth, known, ARRAY_LEN(known), t);
	const struct value *name = value_get_c(auth, "name"), *in = value_get_c(auth, "in"),
			   *prefix = value_get_c(auth, "prefix");
	(void)text_load(value_get_c(auth, "value"), auth, "value", true, t, &ret->credential);
	if (!api_key_place(in, &ret->place))
		tell(t, in ? in : auth, "in", "an API key stands in \"header\", \"query\" or \"cookie\"");
	if (value_is(name, VALUE_STRING))
		ret->name = value_text(name);
	bool is_name = ret->place == CALL_IN_QUERY ? ret->name.len > 0 : header_is_token(ret->name);
	if (!is_name || (ret->place == CALL_IN_HEADER && header_is_ours(ret->name)))
		tell(t, name ? name : auth, "name", "the API key needs the name of its %s",
		     call_place_name(ret->place));
	if (!prefix)
		return;
	if (value_is(prefix, VALUE_STRING) && ret->place == CALL_IN_HEADER && header_value_is_clean(value_text(prefix)))
		ret->prefix = value_text(prefix);
	else
		tell(t, prefix, "prefix", "a prefix is the text before an API key in a header, like \"Token \"");
}

bool auth_load(const struct value *auth, struct told *t, struct call_auth *ret)
{
	static const char *const kinds[] = { "none", "basic", "bearer", "api_key" };
	unsigned before = t->n;
	*ret = (struct call_auth){ .kind = AUTH_NONE };
	if (!auth)
		return true;
	const struct value *kind = value_get_c(auth, "kind");
	size_t i = 0;
	while (i < ARRAY_LEN(kinds) && !value_is_string(kind, str_c(kinds[i])))
		i++;
	ret->kind = (enum auth_kind)i;
	switch (i) {
	case AUTH_NONE:
		refuse_unknown(auth, &(const char *const){ "kind" }, 1, t);
		break;
	case AUTH_BASIC:
		basic_load(auth, t, ret);
		break;
	case AUTH_BEARER:
		bearer_load(auth, t, ret);
		break;
	case AUTH_API_KEY:
		api_key_load(auth, t, ret);
		break;
	default:
		tell(t, kind ? kind : auth, "kind", "authentication is of kind none, basic, bearer or api_key");
	}
	return t->n == before;
}

/* ---- all of it ---- */

static void tls_load(const struct value *tls, struct told *t, struct call_system *ret)
{
	struct tls_text text = { 0 };
	told_load(tls_rows, tls, &text, t);
	ret->limits.tls_no_verify = text.no_verify;
	if (text.ca_file.len)
		tell(t, value_get_c(tls, "ca_file"), "ca_file",
		     "an authority of one system is not supported yet; add it to the machine's bundle");
}

bool system_load(struct arena *a, const struct value *system, struct str env, struct told *t, struct call_system *ret)
{
	unsigned before = t->n;
	struct system_text text = { 0 };
	*ret = (struct call_system){ 0 };
	if (!value_is(system, VALUE_OBJECT)) {
		tell(t, system, NULL, "a system is an object with a base_url and connectors");
		return false;
	}
	told_load(system_rows, system, &text, t);
	if (text.base_url)
		base_url_load(text.base_url, env, t, ret);
	if (text.auth && !value_is(text.auth, VALUE_OBJECT))
		tell(t, text.auth, "auth",
		     "authentication is an object like { kind: bearer, token: { secret: NAME } }");
	else
		(void)auth_load(text.auth, t, &ret->auth);
	headers_load(text.headers, t, ret);
	if (text.limits)
		told_load(limit_rows, text.limits, &ret->limits, t);
	ret->limits.http_version = (enum http_version_wish)text.http_version;
	if (text.tls)
		tls_load(text.tls, t, ret);
	if (text.proxy)
		proxy_load(text.proxy, env, t, &ret->proxy);
	if (text.proxy && ret->limits.http_version == HTTP_WISH_2)
		tell(t, system, "http_version", "by way of a proxy calls go in HTTP/1.1; write http_version: auto, or leave it out");
	ret->connectors = text.connectors;
	rules_load(a, text.rules, t, &ret->rules);
	if (text.connectors && !value_is(text.connectors, VALUE_OBJECT))
		tell(t, text.connectors, "connectors", "connectors are an object of name: { operations: [...] }");
	return t->n == before;
}
