/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request becomes settings of an easy handle. Handles are pooled and never reset: what is the same for all requests
 * is set once, what differs is compared with the last use, which is the cheapest way through libcurl.
 */
#include "http/client_int.h"
#include "http/url.h"

#include <stdarg.h>
#include <string.h>

#define EXPECT_BYTES (512u << 10) /* libcurl would ask for 100-continue from 1 MB on */
#define CONNECT_TIMEOUT 10000	  /* ms */

/* The body in pieces, for libcurl. It never reads from the start again: a second sending is stopped before its first
 * byte. */
static size_t on_read(char *to, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	struct str bytes;

	if (transfer_body_view(t, t->read_at, to, size * n, &bytes) != 0)
		return CURL_READFUNC_ABORT;
	if (bytes.len > size * n)
		bytes.len = size * n;
	if (bytes.ptr != to && bytes.len)
		memcpy(to, bytes.ptr, bytes.len);
	t->read_at += bytes.len;
	return bytes.len;
}

/* ---- once per handle ---- */

static void set_conduct(CURL *h, const struct http_client *c)
{
	(void)curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(h, CURLOPT_QUICK_EXIT,
			       1L); /* a timeout while resolving must not wait for the resolver's thread */
	(void)curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
	(void)curl_easy_setopt(h, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	(void)curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1); /* it would repeat streams unasked */
	(void)curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(h, CURLOPT_CAPATH,
			       NULL); /* else libcurl parses the whole bundle for each connection: 21 ms */
	if (c->ca_file)
		(void)curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file);
	proxy_set_conduct(h, c->ca_file);
}

static void set_callbacks(CURL *h, struct http_transfer *t)
{
	(void)curl_easy_setopt(h, CURLOPT_PRIVATE, t);
	(void)curl_easy_setopt(h, CURLOPT_ERRORBUFFER, t->curl_text);
	(void)curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, head_on_line);
	(void)curl_easy_setopt(h, CURLOPT_HEADERDATA, t);
	(void)curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, head_on_body);
	(void)curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
	(void)curl_easy_setopt(h, CURLOPT_READFUNCTION, on_read);
	(void)curl_easy_setopt(h, CURLOPT_READDATA, t);
	(void)curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, head_on_prereq);
	(void)curl_easy_setopt(h, CURLOPT_PREREQDATA, t);
	(void)curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, multi_open_socket);
	(void)curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, t);
	(void)curl_easy_setopt(h, CURLOPT_CLOSESOCKETFUNCTION, multi_close_socket);
	(void)curl_easy_setopt(h, CURLOPT_CLOSESOCKETDATA, t->client);
}

int transfer_make_handle(struct http_transfer *t)
{
	t->easy = curl_easy_init();
	if (!t->easy)
		return -ERR_NO_MEMORY;
	set_conduct(t->easy, t->client);
	set_callbacks(t->easy, t);
	return 0;
}

/* ---- the request ---- */

/* Fields that say how the message is sent. */
static bool is_ours(struct str name)
{
	switch (name.len) {
	case 4:
		return str_eq_nocase(name, STR("Host"));
	case 6:
		return str_eq_nocase(name, STR("Expect"));
	case 7:
		return str_eq_nocase(name, STR("Upgrade"));
	case 14:
		return str_eq_nocase(name, STR("Content-Length"));
	case 17:
		return str_eq_nocase(name, STR("Transfer-Encoding"));
	default:
		return false;
	}
}

static void invalid(struct http_transfer *t, const char *what, struct str detail)
{
	transfer_fail(t, HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT, "%s: '%.*s'", what,
		      (int)(detail.len < 200 ? detail.len : 200), detail.ptr ? detail.ptr : "");
}

static int add_line(struct http_transfer *t, struct curl_slist ***tail, struct str name, const char *between,
		    struct str value)
{
	size_t n_between = strlen(between);
	struct curl_slist *node = arena_alloc(&t->arena, sizeof(*node) + name.len + n_between + value.len + 1);

	if (!node)
		return -ERR_NO_MEMORY;
	char *p = node->data = (char *)(node + 1);
	memcpy(p, name.ptr, name.len);
	memcpy(p += name.len, between, n_between);
	if (value.len)
		memcpy(p + n_between, value.ptr, value.len);
	p[n_between + value.len] = 0;
	node->next = NULL;
	**tail = node;
	*tail = &node->next;
	return 0;
}

bool transfer_check_field(struct http_transfer *t, const struct header *h)
{
	if (!header_is_token(h->name) || !header_value_is_clean(h->value))
		invalid(t, "not a header field", h->name);
	else if (is_ours(h->name))
		invalid(t, "a header field that the client sets itself", h->name);
	return t->refusal.error == HTTP_ERROR_NONE;
}

/* One field of the caller's, in libcurl's spelling ("Name;" is a field with an empty value). */
static int add_field_line(struct http_transfer *t, struct curl_slist ***tail, const struct header *h)
{
	struct str value = str_trim(h->value);

	if (!transfer_check_field(t, h))
		return 0;
	return value.len ? add_line(t, tail, h->name, ": ", value) : add_line(t, tail, h->name, ";", STR_NULL);
}

static int copy_fields(struct http_transfer *t, const struct http_request *r, bool has_body)
{
	static const struct headers none;
	const struct headers *headers = r->headers ? r->headers : &none;
	bool has_accept_encoding = false, has_type = false;
	struct curl_slist **tail = &t->lines;
	int code = 0;

	t->lines = NULL;
	for (size_t i = 0; i < headers->n && !code; i++) {
		struct str name = headers->items[i].name;
		has_accept_encoding |= name.len == 15 && str_eq_nocase(name, STR("Accept-Encoding"));
		has_type |= name.len == 12 && str_eq_nocase(name, STR("Content-Type"));
		code = add_field_line(t, &tail, &headers->items[i]);
	}
	if (!code && !has_accept_encoding)
		code = add_line(t, &tail, STR("Accept-Encoding"), ": ", STR("gzip, deflate, br, zstd"));
	if (!code && has_body && !has_type)
		code = add_line(t, &tail, STR("Content-Type"), ":", STR_NULL); /* or libcurl says form data */
	if (!code && (r->body.len > EXPECT_BYTES || t->pieces_len > EXPECT_BYTES))
		code = add_line(t, &tail, STR("Expect"), ":", STR_NULL);
	return code;
}

/* Only digits and dots, or in brackets: nothing to resolve. */
static bool is_name(const struct url *u)
{
	if (u->is_ipv6)
		return false;
	for (size_t i = 0; i < u->host.len; i++) {
		if (u->host.ptr[i] != '.' && (u->host.ptr[i] < '0' || u->host.ptr[i] > '9'))
			return true;
	}
	return false;
}

static void set_method(struct http_transfer *t, const struct http_request *r)
{
	struct applied *a = &t->applied;
	bool anticipates_body =
	    str_eq(r->method, STR("POST")) || str_eq(r->method, STR("PUT")) || str_eq(r->method, STR("PATCH"));
	const char *plain = "GET";
	int kind = METHOD_GET;

	if (r->body.ptr || r->n_pieces ||
	    anticipates_body) { /* without content these say Content-Length: 0 (RFC 9110 8.6) */
		kind = METHOD_POST;
		plain = "POST";
	} else if (str_eq(r->method, STR("HEAD"))) {
		kind = METHOD_HEAD;
		plain = "HEAD";
	}
	if (kind != (int)a->method) {
		CURLoption option = kind == METHOD_GET	  ? CURLOPT_HTTPGET
				    : kind == METHOD_HEAD ? CURLOPT_NOBODY
							  : CURLOPT_POST;
		(void)curl_easy_setopt(t->easy, option, 1L);
		a->method = kind;
	}
	const char *custom = str_eq_c(r->method, plain) ? "" : r->method.ptr;
	size_t n_custom = *custom ? r->method.len : 0;
	if (strlen(a->custom) == n_custom && memcmp(a->custom, custom, n_custom) == 0)
		return;
	memcpy(a->custom, custom, n_custom);
	a->custom[n_custom] = 0;
	(void)curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, n_custom ? a->custom : NULL);
}

static void check_method(struct http_transfer *t, const struct http_request *r)
{
	if (!header_is_token(r->method) || r->method.len >= sizeof(t->applied.custom) ||
	    str_eq(r->method, STR("CONNECT")))
		invalid(t, "not a method", r->method);
	else if ((r->body.ptr || r->n_pieces) && str_eq(r->method, STR("HEAD")))
		invalid(t, "a body with the method", r->method);
}

static void set_switch(struct http_transfer *t, bool *applied, bool wanted, CURLoption option)
{
	if (*applied == wanted)
		return;
	*applied = wanted;
	(void)curl_easy_setopt(t->easy, option, (long)wanted);
}

static void set_verification(struct http_transfer *t, bool no_verify)
{
	if (t->applied.no_verify == no_verify)
		return;
	t->applied.no_verify = no_verify;
	(void)curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, no_verify ? 0L : 1L);
	(void)curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, no_verify ? 0L : 2L);
}

static int copy_for_h1(struct http_transfer *t, const struct http_request *r, const struct url *url)
{
	t->wants_fresh = r->fresh_connection;
	if (h1_find_origin(t, url, r) != 0)
		return -ERR_NO_MEMORY;
	return h1_write_head(t, r, url);
}

int transfer_copy_request(struct http_transfer *t, const struct http_request *r)
{
	struct url url, proxy;

	check_method(t, r);
	if (t->refusal.error == HTTP_ERROR_NONE && url_parse(r->url, &url, &t->why) != 0)
		t->refusal = (struct verdict){ HTTP_ERROR_INVALID_REQUEST, HTTP_NOT_SENT };
	if (t->refusal.error != HTTP_ERROR_NONE)
		return 0;
	t->connect_timeout = r->connect_timeout > 0 ? r->connect_timeout : CONNECT_TIMEOUT;
	t->body_out = r->body.ptr ? r->body : STR("");
	transfer_take_pieces(t, r);
	if (t->refusal.error != HTTP_ERROR_NONE)
		return 0;
	t->is_head_request = str_eq(r->method, STR("HEAD"));
	if (t->is_own)
		return copy_for_h1(t, r, &url);
	if (r->http_version == HTTP_WISH_2) {
		invalid(t, "libcurl's tier speaks HTTP/1.1 only", r->url);
		return 0;
	}
	t->is_plain = url.scheme.len == 4;
	if (r->proxy && proxy_copy(t, r->proxy, &url, &proxy) != 0)
		return -ERR_NO_MEMORY;
	if (t->refusal.error != HTTP_ERROR_NONE)
		return 0;
	t->has_host_name = is_name(r->proxy ? &proxy : &url);
	t->url = arena_c(&t->arena, r->url);
	if (!t->url)
		return -ERR_NO_MEMORY;
	set_method(t, r);
	set_verification(t, r->tls_no_verify);
	set_switch(t, &t->applied.fresh, r->fresh_connection, CURLOPT_FRESH_CONNECT);
	set_switch(t, &t->applied.forbid_reuse, false, CURLOPT_FORBID_REUSE);
	return copy_fields(t, r, t->applied.method == METHOD_POST);
}

int transfer_apply(struct http_transfer *t)
{
	CURL *h = t->easy;

	t->curl_text[0] = 0;
	if (t->applied.connect_timeout != t->connect_timeout) {
		t->applied.connect_timeout = t->connect_timeout;
		(void)curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect_timeout);
	}
	(void)curl_easy_setopt(h, CURLOPT_HTTPHEADER, t->lines);
	if (t->applied.method == METHOD_POST) {
		t->read_at = 0;
		(void)curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
				       (curl_off_t)(t->n_pieces ? t->pieces_len : t->body_out.len));
		(void)curl_easy_setopt(h, CURLOPT_POSTFIELDS, t->n_pieces ? NULL : t->body_out.ptr);
	}
	if (proxy_apply(t) != 0)
		return -ERR_NO_MEMORY;
	return curl_easy_setopt(h, CURLOPT_URL, t->url) == CURLE_OK ? 0 : -ERR_NO_MEMORY;
}
