/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request by way of a proxy: libcurl sends http in absolute form (RFC 9112 3.2.2) and https through a tunnel that
 * CONNECT opens (RFC 9110 9.3.6), both as HTTP/1.1. What is watched here:
 *
 * - Proxy-Authorization is a field of the proxy's alone (CURLOPT_PROXYHEADER, kept apart by CURLHEADER_SEPARATE), and
 *   our fields never stand in a CONNECT. libcurl's own authentication is left out: it decodes percent triples in a
 *   password, and thinks for itself about what to do after a 407.
 * - libcurl 7.88 takes a kept tunnel for any credentials. So each proxy with its credentials has shards of its own.
 * - The answer to CONNECT is no answer of the server: it never reaches the guard (CURLOPT_SUPPRESS_CONNECT_HEADERS).
 *   libcurl reads it byte by byte for as long as bytes come; we count them.
 * - Until the proxy has let us through nothing was sent, and the trouble is the proxy's.
 */
#include "http/client_int.h"
#include "http/url.h"

#include <string.h>

#define PROXY_ANSWER_MAX 65536 /* bytes of an answer to CONNECT; 64 kB, as of one field elsewhere */
#define PROXY_AUTH_REQUIRED 407

static int bad_address(struct err *e, const char *sentence)
{
	return err_set(e, ERR_INVALID, "%s", sentence);
}

int http_proxy_check(struct str url, struct err *e)
{
	struct url u;

	if (str_starts(url, STR("socks")))
		return bad_address(e, "a SOCKS proxy is not supported; give the address of an HTTP proxy, like "
				      "http://proxy.example:3128");
	if (str_find_char(url, '@') >= 0)
		return bad_address(e, "the credentials of a proxy do not stand in its address; write them as username "
				      "and password: { secret: NAME } beside its url");
	int code = url_parse(url, &u, e);
	if (code < 0)
		return code;
	if (!u.has_port)
		return bad_address(e, "a proxy is named with its port, like http://proxy.example:3128");
	if ((u.path.len && !str_eq(u.path, STR("/"))) || u.query.ptr || u.fragment.ptr)
		return bad_address(e, "a proxy is named by scheme, host and port alone, like "
				      "http://proxy.example:3128");
	return 0;
}

/* ---- settings ---- */

/* Called by libcurl for each byte of an answer to CONNECT, and now and then besides: an upload that goes on is none. */
static int on_progress(void *arg, curl_off_t unused1, curl_off_t unused2, curl_off_t unused3, curl_off_t uploaded)
{
	struct http_transfer *t = arg;

	if (uploaded != t->proxy_uploaded)
		t->proxy_calls = 0;
	t->proxy_uploaded = uploaded;
	if (t->arrived > 0 || ++t->proxy_calls <= PROXY_ANSWER_MAX)
		return 0;
	if (t->prereqs == 0)
		transfer_fail(t, HTTP_ERROR_PROXY, HTTP_NOT_SENT,
			      "the proxy's answer to CONNECT is longer than %d bytes", PROXY_ANSWER_MAX);
	else
		transfer_fail(t, HTTP_ERROR_CONNECTION_LOST, HTTP_AMBIGUOUS,
			      "the proxy closed a kept tunnel instead of answering");
	return 1;
}

void proxy_set_conduct(CURL *h, const char *ca_file)
{
	(void)curl_easy_setopt(h, CURLOPT_PROXY, "");	/* not NULL: the environment's http_proxy would count */
	(void)curl_easy_setopt(h, CURLOPT_NOPROXY, ""); /* nor its no_proxy, where a proxy is set */
	(void)curl_easy_setopt(h, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	(void)curl_easy_setopt(h, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)curl_easy_setopt(h, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
	(void)curl_easy_setopt(h, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(h, CURLOPT_PROXY_CAPATH, NULL);
	if (ca_file)
		(void)curl_easy_setopt(h, CURLOPT_PROXY_CAINFO, ca_file);
}

static int copy_authorization(struct http_transfer *t, struct str value)
{
	static const char name[] = "Proxy-Authorization: ";
	struct curl_slist *line = arena_alloc(&t->arena, sizeof(*line) + sizeof(name) + value.len);

	if (!line)
		return -ERR_NO_MEMORY;
	line->data = (char *)(line + 1);
	line->next = NULL;
	memcpy(line->data, name, sizeof(name) - 1);
	memcpy(line->data + sizeof(name) - 1, value.ptr, value.len);
	line->data[sizeof(name) - 1 + value.len] = 0;
	t->proxy_lines = line;
	return 0;
}

/* What connections have in common that this transfer may use: "http://proxy:3128", a line feed, its credentials. */
static int make_key(struct http_transfer *t, const struct http_proxy *proxy)
{
	size_t n = proxy->url.len + 1 + proxy->authorization.len;
	char *key = arena_alloc(&t->arena, n);

	if (!key)
		return -ERR_NO_MEMORY;
	memcpy(key, proxy->url.ptr, proxy->url.len);
	key[proxy->url.len] = '\n';
	if (proxy->authorization.len)
		memcpy(key + proxy->url.len + 1, proxy->authorization.ptr, proxy->authorization.len);
	t->proxy_key = str_from(key, n);
	return 0;
}

int proxy_copy(struct http_transfer *t, const struct http_proxy *proxy, const struct url *origin, struct url *ret)
{
	if (http_proxy_check(proxy->url, &t->why) < 0 || url_parse(proxy->url, ret, &t->why) < 0) {
		t->refusal = (struct verdict){ HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT };
		return 0;
	}
	if (!header_value_is_clean(proxy->authorization)) {
		transfer_fail(t, HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT,
			      "the credentials of the proxy are not fit for a header field");
		return 0;
	}
	t->is_tunnel = origin->scheme.len == 5;
	t->is_plain = !t->is_tunnel && ret->scheme.len == 4;
	t->proxy_url = arena_c(&t->arena, proxy->url);
	if (!t->proxy_url || make_key(t, proxy) != 0)
		return -ERR_NO_MEMORY;
	return proxy->authorization.len ? copy_authorization(t, proxy->authorization) : 0;
}

int proxy_apply(struct http_transfer *t)
{
	CURL *h = t->easy;
	bool has_proxy = t->proxy_url != NULL;

	if (!has_proxy && !t->applied.has_proxy)
		return 0;
	t->applied.has_proxy = has_proxy;
	(void)curl_easy_setopt(h, CURLOPT_PROXYHEADER, t->proxy_lines);
	(void)curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(h, CURLOPT_XFERINFODATA, t);
	(void)curl_easy_setopt(h, CURLOPT_NOPROGRESS, has_proxy ? 0L : 1L);
	return curl_easy_setopt(h, CURLOPT_PROXY, has_proxy ? t->proxy_url : "") == CURLE_OK ? 0 : -ERR_NO_MEMORY;
}

/* ---- what came of it ---- */

/* What the proxy said to CONNECT; 0 = nothing yet, or there is none. */
static int connect_status(struct http_transfer *t)
{
	long status = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return (int)status;
}

static void fail(struct http_transfer *t, const char *what, const char *detail)
{
	transfer_fail(t, HTTP_ERROR_PROXY, HTTP_NOT_SENT, "%s: %s", what, detail);
}

static const char *meaning(int status)
{
	switch (status) {
	case PROXY_AUTH_REQUIRED:
	case 401: /* so say some */
		return "its credentials are missing or wrong";
	case 403:
		return "it does not allow this address";
	default:
		return "it opened no way to the server";
	}
}

/* The proxy is in the way, in whatever way. */
static void blame(struct http_transfer *t, CURLcode code)
{
	const char *text = t->curl_text[0] ? t->curl_text : curl_easy_strerror(code);
	int status = connect_status(t);

	if (status >= 200 && status / 100 != 2) {
		t->proxy_status = status;
		transfer_fail(t, HTTP_ERROR_PROXY, HTTP_NOT_SENT, "the proxy answered CONNECT with %d: %s", status,
			      meaning(status));
	} else if (code == CURLE_COULDNT_RESOLVE_PROXY) {
		fail(t, "the proxy's name is not known", text);
	} else if (code == CURLE_COULDNT_CONNECT) {
		fail(t, "the proxy cannot be reached", text);
	} else if (code == CURLE_OPERATION_TIMEDOUT) {
		fail(t, "the proxy opened no way to the server in time", text);
	} else {
		fail(t, "the proxy's answer to CONNECT was none", text);
	}
}

bool proxy_has_failed(struct http_transfer *t, CURLcode code, enum http_error tls)
{
	if (!t->proxy_url || t->prereqs > 0 || t->is_blocked || code == CURLE_OK)
		return false;
	bool is_shaking_hands = tls != HTTP_ERROR_NONE || code == CURLE_OPERATION_TIMEDOUT;
	if (connect_status(t) / 100 == 2 && is_shaking_hands)
		return false; /* the tunnel stood: what followed was the server's */
	if (tls != HTTP_ERROR_NONE)
		transfer_fail(t, tls, HTTP_NOT_SENT, "to the proxy: %s",
			      t->curl_text[0] ? t->curl_text : curl_easy_strerror(code));
	else
		blame(t, code);
	return true;
}

bool proxy_keeps_waiting(struct http_transfer *t)
{
	return t->proxy_url && t->shard && t->prereqs == 0 && connect_status(t) / 100 != 2;
}

bool proxy_refuses(struct http_transfer *t)
{
	if (t->status != PROXY_AUTH_REQUIRED || !t->proxy_url || t->is_tunnel)
		return false;
	transfer_fail(t, HTTP_ERROR_PROXY, HTTP_NOT_SENT, "the proxy answered with %d: %s", PROXY_AUTH_REQUIRED,
		      meaning(PROXY_AUTH_REQUIRED));
	t->proxy_status = PROXY_AUTH_REQUIRED;
	t->head = HEAD_FIELDS; /* its fields are none of the server's */
	return true;
}
