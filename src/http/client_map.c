/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From CURLcode to what a caller may do about it. The certainty follows one rule: a request is provably not sent only
 * while libcurl never reached its pre-request hook (no connection), or failed in the first write with nothing taken.
 * All else may have been processed.
 */
#include "http/client_int.h"

#include <errno.h>
#include <string.h>

static struct verdict verdict(enum http_error error, enum http_certainty certainty)
{
	return (struct verdict){ .error = error, .certainty = certainty };
}

static enum http_error couldnt_connect(const struct http_transfer *t)
{
	long os_error = 0;

	if (t->is_blocked)
		return HTTP_ERROR_BLOCKED_ADDRESS;
	(void)curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_error);
	if (os_error == ECONNREFUSED)
		return HTTP_ERROR_CONNECT_REFUSED;
	return os_error == ETIMEDOUT ? HTTP_ERROR_CONNECT_TIMEOUT : HTTP_ERROR_CONNECT_FAILED;
}

static enum http_error timed_out(const struct http_transfer *t)
{
	curl_off_t resolved = 0;

	if (t->prereqs > 0)
		return HTTP_ERROR_TOTAL_TIMEOUT;
	(void)curl_easy_getinfo(t->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
	return t->has_host_name && resolved == 0 ? HTTP_ERROR_DNS_TEMPORARY : HTTP_ERROR_CONNECT_TIMEOUT;
}

/* CURLE_RECV_ERROR is a family; its members are known by their text alone. */
static enum http_error recv_error(const struct http_transfer *t)
{
	if (strstr(t->curl_text, "chunk"))
		return HTTP_ERROR_BAD_FRAMING;
	if (strstr(t->curl_text, "response headers"))
		return HTTP_ERROR_HEADERS_TOO_LARGE;
	return t->head == HEAD_COMPLETE ? HTTP_ERROR_TRUNCATED : HTTP_ERROR_CONNECTION_LOST;
}

static enum http_error tls_error(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
		return HTTP_ERROR_TLS_CERT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_USE_SSL_FAILED:
		return HTTP_ERROR_TLS_PROTOCOL;
	default:
		return HTTP_ERROR_NONE;
	}
}

static enum http_error answer_error(const struct http_transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_HTTP2_STREAM:
		return HTTP_ERROR_CONNECTION_LOST;
	case CURLE_RECV_ERROR:
		return recv_error(t);
	case CURLE_PARTIAL_FILE:
		return t->head == HEAD_COMPLETE ? HTTP_ERROR_TRUNCATED : HTTP_ERROR_BAD_RESPONSE;
	case CURLE_BAD_CONTENT_ENCODING: /* we decode contents ourselves: this one is about Transfer-Encoding */
	case CURLE_FILESIZE_EXCEEDED:	 /* a Content-Length beyond 2^63 */
	case CURLE_HTTP2:
		return HTTP_ERROR_BAD_FRAMING;
	case CURLE_WEIRD_SERVER_REPLY:
		return strstr(t->curl_text, "Content-Length") ? HTTP_ERROR_BAD_FRAMING : HTTP_ERROR_BAD_RESPONSE;
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9, HTTP/1.2, status 20 or 2000 */
		return HTTP_ERROR_BAD_RESPONSE;
	case CURLE_OUT_OF_MEMORY: /* so it calls a field over 100 kB */
		return t->head == HEAD_COMPLETE ? HTTP_ERROR_INTERNAL : HTTP_ERROR_HEADERS_TOO_LARGE;
	case CURLE_ABORTED_BY_CALLBACK:
		return t->prereqs > 1 ? HTTP_ERROR_CONNECTION_LOST : HTTP_ERROR_INTERNAL;
	default:
		return HTTP_ERROR_INTERNAL;
	}
}

/* A failure before the pre-request hook. */
static enum http_error early_error(const struct http_transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return HTTP_ERROR_DNS_NOT_FOUND;
	case CURLE_COULDNT_CONNECT:
		return couldnt_connect(t);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
		return HTTP_ERROR_INVALID_REQUEST;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		return HTTP_ERROR_CONNECT_FAILED;
	default:
		return HTTP_ERROR_INTERNAL;
	}
}

static struct verdict failure(struct http_transfer *t, CURLcode code)
{
	enum http_error tls = tls_error(code);
	enum http_certainty sent = t->prereqs == 0 ? HTTP_NOT_SENT : HTTP_AMBIGUOUS;

	if (code == CURLE_OPERATION_TIMEDOUT)
		return verdict(timed_out(t), sent);
	if (tls != HTTP_ERROR_NONE && t->prereqs == 0)
		return verdict(tls, HTTP_NOT_SENT);
	if (t->prereqs == 0)
		return verdict(early_error(t, code), HTTP_NOT_SENT);
	if (code == CURLE_SEND_ERROR) {
		long taken = 1;
		(void)curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &taken);
		return verdict(HTTP_ERROR_SEND_FAILED, taken == 0 && t->prereqs == 1 ? HTTP_NOT_SENT : HTTP_AMBIGUOUS);
	}
	return verdict(answer_error(t, code), HTTP_AMBIGUOUS);
}

/* libcurl is content: are we? */
static struct verdict success(struct http_transfer *t, const char **ret_detail)
{
	if (t->head != HEAD_COMPLETE) {
		*ret_detail = "the answer ended inside its header";
		return verdict(HTTP_ERROR_BAD_RESPONSE, HTTP_AMBIGUOUS);
	}
	if (t->wants_body && t->has_length && !t->has_coding_chunked && t->body_wire != t->length) {
		*ret_detail = "the body is not as long as its Content-Length";
		return verdict(HTTP_ERROR_TRUNCATED, HTTP_AMBIGUOUS);
	}
	bool has_end = t->has_length || t->has_coding_chunked || str_eq(t->http_version, STR("2"));
	bool may_be_empty = t->body_wire == 0 && (!t->wants_body || has_end);
	if (t->codings > 0 && !may_be_empty && (!t->decoder || decoder_end(t->decoder, &t->why) != 0)) {
		*ret_detail = t->decoder ? t->why.msg : "the body is empty but has a content coding";
		return verdict(HTTP_ERROR_BAD_ENCODING, HTTP_AMBIGUOUS);
	}
	return verdict(HTTP_ERROR_NONE, HTTP_ANSWERED);
}

struct verdict map_result(struct http_transfer *t, CURLcode code, const char **ret_detail)
{
	*ret_detail = NULL;
	if (t->refusal.error != HTTP_ERROR_NONE) {
		*ret_detail = t->why.msg;
		return t->refusal;
	}
	if (code == CURLE_OK)
		return success(t, ret_detail);
	if (proxy_has_failed(t, code, tls_error(code))) {
		*ret_detail = t->why.msg;
		return t->refusal;
	}
	struct verdict v = failure(t, code);
	if (v.error == HTTP_ERROR_BLOCKED_ADDRESS)
		*ret_detail = "the address is not allowed"; /* and nothing about what answers there */
	else if (code == CURLE_ABORTED_BY_CALLBACK && t->prereqs > 1)
		*ret_detail = "the server closed a kept connection instead of answering";
	else
		*ret_detail = t->curl_text[0] ? t->curl_text : curl_easy_strerror(code);
	return v;
}
