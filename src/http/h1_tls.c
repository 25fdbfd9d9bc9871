/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS for the own tier, the one door to libssl. One SSL_CTX for those who verify and one for those who do not, made
 * when first needed: parsing the CA bundle takes 17 ms, once. TLS 1.2 at least, the host's name checked, ALPN says
 * what the origin's transfers wish and nothing else.
 *
 * Its sockets are ours: its own BIO would write without MSG_NOSIGNAL, and would not count.
 */
#include "http/h1_int.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#define ERR_STATE OPENSSL_ERR_STATE /* a type of theirs, a code of ours */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#undef ERR_STATE
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define DEFAULT_CA_FILE "/etc/ssl/certs/ca-certificates.crt" /* as Debian's libcurl */

#define SUBJECT_MAX 200 /* of a certificate's subject that is told */

static BIO_METHOD *our_bio; /* NULL = out of memory at the start */

/* ---- once per process ---- */

static int bio_write(BIO *b, const char *bytes, int n)
{
	struct h1_conn *c = BIO_get_data(b);
	ssize_t sent = send(c->fd, bytes, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);

	BIO_clear_retry_flags(b);
	if (sent > 0)
		c->wire_out += (size_t)sent;
	else if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_write(b);
	return (int)sent;
}

static int bio_read(BIO *b, char *to, int n)
{
	struct h1_conn *c = BIO_get_data(b);
	ssize_t got = recv(c->fd, to, (size_t)n, MSG_DONTWAIT);

	BIO_clear_retry_flags(b);
	if (got == 0)
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	else if (got < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_read(b);
	return (int)got;
}

static long bio_ctrl(BIO *b, int what, long n, void *p)
{
	if (what == BIO_CTRL_EOF)
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	return what == BIO_CTRL_FLUSH;
}

static void make_bio(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir");

	if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) && BIO_meth_set_ctrl(m, bio_ctrl))
		our_bio = m;
}

/* ---- once per client ---- */

/* The newest session of an origin is the one to resume. */
static int on_new_session(SSL *s, SSL_SESSION *session)
{
	struct h1_conn *c = SSL_get_ex_data(s, 0);

	if (!c->origin)
		return 0;
	h1_tls_forget_session(c->origin);
	c->origin->session = session;
	return 1; /* kept: the reference is ours */
}

/* "2026-01-31", or "?" for what is no date. */
static void write_day(const ASN1_TIME *at, char ret[static 16])
{
	struct tm tm = { 0 };

	(void)snprintf(ret, 16, "?");
	if (at && ASN1_TIME_to_tm(at, &tm) == 1)
		(void)strftime(ret, 16, "%Y-%m-%d", &tm);
}

/*
 * Called for each certificate of the chain. One that is not accepted is told here, for afterwards nobody knows any more
 * which it was: the check that failed, whose it is, from when to when it holds.
 */
static int on_certificate(int is_ok, X509_STORE_CTX *x)
{
	SSL *s = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct h1_conn *c = s ? SSL_get_ex_data(s, 0) : NULL;
	X509 *certificate = X509_STORE_CTX_get_current_cert(x);
	char subject[SUBJECT_MAX] = "?", from[16], to[16];

	if (is_ok || !c || !certificate)
		return is_ok;
	BIO *b = BIO_new(BIO_s_mem());
	if (b && X509_NAME_print_ex(b, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) > 0) {
		int n = BIO_read(b, subject, sizeof(subject) - 1);
		subject[n > 0 ? n : 0] = 0;
	}
	BIO_free(b);
	write_day(X509_get0_notBefore(certificate), from);
	write_day(X509_get0_notAfter(certificate), to);
	transfer_fail(c->t, HTTP_ERROR_TLS_CERT, HTTP_NOT_SENT,
		      "the certificate of %s is not accepted: %s (%s, valid from %s to %s)", c->origin->host,
		      X509_verify_cert_error_string(X509_STORE_CTX_get_error(x)), subject, from, to);
	return 0;
}

static bool load_ca(const struct h1 *h, SSL_CTX *context)
{
	if (h->client->ca_file)
		return SSL_CTX_load_verify_file(context, h->client->ca_file) == 1;
	return SSL_CTX_load_verify_file(context, DEFAULT_CA_FILE) == 1 ||
	       SSL_CTX_set_default_verify_paths(context) == 1;
}

static SSL_CTX *make_context(const struct h1 *h, bool no_verify, struct err *e)
{
	SSL_CTX *x = SSL_CTX_new(TLS_client_method());

	if (!x) {
		err_set(e, ERR_NO_MEMORY, "no memory for TLS");
		return NULL;
	}
	if (!no_verify && !load_ca(h, x)) {
		err_set(e, ERR_INVALID, "cannot read the CA file '%s'",
			h->client->ca_file ? h->client->ca_file : DEFAULT_CA_FILE);
		SSL_CTX_free(x);
		return NULL;
	}
	SSL_CTX_set_verify(x, no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, no_verify ? NULL : on_certificate);
	(void)SSL_CTX_ctrl(x, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
	(void)SSL_CTX_ctrl(
	    x, SSL_CTRL_MODE,
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS, NULL);
	(void)SSL_CTX_ctrl(x, SSL_CTRL_SET_READ_AHEAD, 1, NULL); /* one recv() a record, not two */
	(void)SSL_CTX_ctrl(x, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL, NULL);
	SSL_CTX_sess_set_new_cb(x, on_new_session);
	return x;
}

/* ---- once per connection ---- */

static bool set_name(SSL *s, const struct h1_origin *o)
{
	char host[256];
	struct str name = str_from(o->host, o->host_len);

	if (o->is_literal && o->literal.any.sa_family == AF_INET)
		return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(s), (const unsigned char *)&o->literal.v4.sin_addr,
						 4) == 1;
	if (o->is_literal)
		return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(s), (const unsigned char *)&o->literal.v6.sin6_addr,
						 16) == 1;
	if (str_ends(name, STR("."))) /* neither SNI nor certificates know the root's dot */
		name.len--;
	if (name.len == 0 || name.len >= sizeof(host))
		return false;
	memcpy(host, name.ptr, name.len);
	host[name.len] = 0;
	X509_VERIFY_PARAM_set_hostflags(SSL_get0_param(s), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(s, host) == 1 &&
	       SSL_ctrl(s, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host) == 1;
}

/* What may be spoken, in the order of our liking (RFC 7301 3.1). */
static void offer_protocols(SSL *s, const struct h1_origin *o)
{
	static const unsigned char all[] = "\x02h2\x08http/1.1";
	bool may_h2 = h1_origin_may_h2(o), may_h1 = !may_h2 || o->wish != HTTP_WISH_2;
	size_t from = may_h2 ? 0 : 3, to = may_h1 ? sizeof(all) - 1 : 3;

	(void)SSL_set_alpn_protos(s, all + from, (unsigned)(to - from));
}

bool h1_tls_is_h2(struct h1_conn *c)
{
	const unsigned char *name = NULL;
	unsigned n = 0;

	SSL_get0_alpn_selected(c->ssl, &name, &n);
	return h1_origin_may_h2(c->origin) && n == 2 && name[0] == 'h' && name[1] == '2';
}

int h1_tls_open(struct h1_conn *c, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool no_verify = c->origin->no_verify;
	void **context = &c->h1->tls[no_verify];

	(void)pthread_once(&once, make_bio);
	if (!our_bio)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	if (!*context && !(*context = make_context(c->h1, no_verify, e)))
		return e->code;
	SSL *s = SSL_new(*context);
	BIO *b = s ? BIO_new(our_bio) : NULL;
	if (!b) {
		SSL_free(s);
		return err_set(e, ERR_NO_MEMORY, "no memory for TLS");
	}
	BIO_set_data(b, c);
	BIO_set_init(b, 1);
	SSL_set_bio(s, b, b);
	c->ssl = s;
	if (!SSL_set_ex_data(s, 0, c) || !set_name(s, c->origin))
		return err_set(e, ERR_INVALID, "cannot check certificates for '%s'", c->origin->host);
	offer_protocols(s, c->origin);
	if (c->origin->session)
		(void)SSL_set_session(s, c->origin->session);
	SSL_set_connect_state(s);
	return 0;
}

static void refuse_handshake(struct h1_conn *c, SSL *s)
{
	char text[256] = "the connection ended";
	unsigned long code = ERR_peek_last_error();
	long verdict = SSL_get_verify_result(s);

	if (verdict != X509_V_OK && !c->origin->no_verify) {
		transfer_fail(c->t, HTTP_ERROR_TLS_CERT, HTTP_NOT_SENT, "the certificate of %s is not accepted: %s",
			      c->origin->host, X509_verify_cert_error_string(verdict));
		return;
	}
	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	transfer_fail(c->t, HTTP_ERROR_TLS_PROTOCOL, HTTP_NOT_SENT, "TLS with %s failed: %s", c->origin->host, text);
}

int h1_tls_handshake(struct h1_conn *c, uint32_t *ret_events)
{
	SSL *s = c->ssl;

	ERR_clear_error();
	int r = SSL_do_handshake(s);
	if (r == 1)
		return 1;
	switch (SSL_get_error(s, r)) {
	case SSL_ERROR_WANT_READ:
		*ret_events = EPOLLIN;
		return 0;
	case SSL_ERROR_WANT_WRITE:
		*ret_events = EPOLLOUT;
		return 0;
	default:
		refuse_handshake(c, s);
		h1_tls_forget_session(c->origin); /* perhaps it was the session that it did not like */
		return -1;
	}
}

ssize_t h1_tls_read(struct h1_conn *c, char *to, size_t n, enum h1_end *ret_end)
{
	SSL *s = c->ssl;

	*ret_end = H1_END_NONE;
	ERR_clear_error();
	int got = SSL_read(s, to, (int)n);
	if (got > 0)
		return got;
	switch (SSL_get_error(s, got)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		break;
	case SSL_ERROR_ZERO_RETURN:
		*ret_end = H1_END_CLEAN;
		break;
	case SSL_ERROR_SSL:
		*ret_end =
		    ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? H1_END_CUT : H1_END_RESET;
		break;
	default:
		*ret_end = H1_END_RESET;
		break;
	}
	return 0;
}

ssize_t h1_tls_write(struct h1_conn *c, const char *bytes, size_t n)
{
	SSL *s = c->ssl;

	ERR_clear_error();
	int sent = SSL_write(s, bytes, n > INT32_MAX ? INT32_MAX : (int)n);
	if (sent > 0)
		return sent;
	int why = SSL_get_error(s, sent);
	errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
	return -1;
}

bool h1_tls_has_pending(struct h1_conn *c)
{
	return SSL_has_pending(c->ssl) == 1;
}

/* A word of goodbye: without it the session could not be resumed. */
void h1_tls_close(struct h1_conn *c)
{
	if (!c->ssl)
		return;
	ERR_clear_error();
	if (SSL_is_init_finished(c->ssl))
		(void)SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	ERR_clear_error();
	c->ssl = NULL;
}

void h1_tls_forget_session(struct h1_origin *o)
{
	if (o->session)
		SSL_SESSION_free(o->session);
	o->session = NULL;
}

void h1_tls_free(struct h1 *h)
{
	for (size_t i = 0; i < ARRAY_LEN(h->tls); i++) {
		if (h->tls[i])
			SSL_CTX_free(h->tls[i]);
	}
}
