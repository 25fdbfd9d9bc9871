/* SPDX-License-Identifier: Apache-2.0 */
/* The user interface: files embedded in the binary, index.html for every page's address, strict security headers. */
#include "api/pages.h"

#include "api/api_int.h"

#include <stdio.h>
#include <sys/random.h>

#define NONCE_MARK "__NONCE__"
#define INDEX "/index.html"

static const struct page_file *file_find(struct str path)
{
	for (size_t i = 0; i < page_files_n; i++)
		if (str_eq_c(path, page_files[i].path))
			return &page_files[i];
	return NULL;
}

/* Does the list of Accept-Encoding name this coding, and not with q=0? */
static bool accepts(struct str list, const char *coding)
{
	while (list.len) {
		struct str one = str_trim(str_split(&list, ',')), q = one;
		struct str name = str_trim(str_split(&q, ';'));
		if (str_eq_nocase(name, str_c(coding)))
			return str_find(q, STR("q=0")) < 0 || str_find(q, STR("q=0.")) >= 0;
	}
	return false;
}

static void asset_reply(struct request *rq, const struct page_file *f)
{
	struct headers h = { 0 };
	struct arena *a = &rq->arena;
	struct str accept = exchange_header(rq->x, "Accept-Encoding");
	struct str body = str_from((const char *)f->plain, f->plain_len);
	(void)headers_add(a, &h, STR("Content-Type"), str_c(f->type), NULL);
	bool is_hashed = str_starts(rq->path, STR("/assets/")); /* the name changes with the content */
	(void)headers_add(a, &h, STR("Cache-Control"),
			  is_hashed ? STR("public, max-age=31536000, immutable") : STR("no-cache"), NULL);
	(void)headers_add(a, &h, STR("X-Content-Type-Options"), STR("nosniff"), NULL);
	(void)headers_add(a, &h, STR("Vary"), STR("Accept-Encoding"), NULL);
	if (f->br && accepts(accept, "br")) {
		body = str_from((const char *)f->br, f->br_len);
		(void)headers_add(a, &h, STR("Content-Encoding"), STR("br"), NULL);
	} else if (f->gzip && accepts(accept, "gzip")) {
		body = str_from((const char *)f->gzip, f->gzip_len);
		(void)headers_add(a, &h, STR("Content-Encoding"), STR("gzip"), NULL);
	}
	request_reply(rq, 200, &h, body, true);
}

/* index.html with a nonce of its own, which the style elements of the libraries carry. */
static void index_reply(struct request *rq, const struct page_file *f)
{
	struct headers h = { 0 };
	struct arena *a = &rq->arena;
	unsigned char random[16];
	char nonce[sizeof(random) * 2 + 1];
	struct buf html;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		reply_problem(rq, 500, "internal", NULL, "no random numbers from the system");
		return;
	}
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(nonce + 2 * i, 3, "%02x", random[i]);
	buf_init(&html, 1u << 20);
	struct str rest = str_from((const char *)f->plain, f->plain_len);
	for (ptrdiff_t at; (at = str_find(rest, STR(NONCE_MARK))) >= 0;) {
		(void)buf_append(&html, rest.ptr, (size_t)at);
		(void)buf_append_c(&html, nonce);
		rest =
		    str_from(rest.ptr + at + sizeof(NONCE_MARK) - 1, rest.len - (size_t)at - (sizeof(NONCE_MARK) - 1));
	}
	(void)buf_append_str(&html, rest);
	const char *csp =
	    arena_printf(a,
			 "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%s'; font-src 'self'; img-src "
			 "'self' data:; "
			 "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
			 "require-trusted-types-for 'script'",
			 nonce);
	(void)headers_add(a, &h, STR("Content-Type"), STR("text/html; charset=utf-8"), NULL);
	(void)headers_add(a, &h, STR("Cache-Control"), STR("no-cache"), NULL);
	(void)headers_add(a, &h, STR("Content-Security-Policy"), str_c(csp), NULL);
	(void)headers_add(a, &h, STR("X-Content-Type-Options"), STR("nosniff"), NULL);
	(void)headers_add(a, &h, STR("Referrer-Policy"), STR("no-referrer"), NULL);
	request_reply(rq, 200, &h, buf_str(&html), false);
	buf_done(&html);
}

static bool is_page(struct str path)
{
	return str_eq_c(path, "/") || str_eq_c(path, INDEX) || str_eq_c(path, "/runs") || str_eq_c(path, "/storage") ||
	       str_starts(path, STR("/runs/")) || str_starts(path, STR("/app/"));
}

bool pages_serve(struct request *rq)
{
	struct str method = exchange_method(rq->x);
	if (!str_eq_c(method, "GET") && !str_eq_c(method, "HEAD"))
		return false;
	const struct page_file *f = file_find(is_page(rq->path) ? STR(INDEX) : rq->path);
	if (f && is_page(rq->path))
		index_reply(rq, f);
	else if (f)
		asset_reply(rq, f);
	return f != NULL;
}
