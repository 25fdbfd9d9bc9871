/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: taken apart without guessing, put together without surprises. */
#include "http/url.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_triple(struct str s, size_t i)
{
	return i + 2 < s.len && num_hex_value(s.ptr[i + 1]) >= 0 && num_hex_value(s.ptr[i + 2]) >= 0;
}

/* What may not stand in any URL, with the words for it; NULL = fine. */
static const char *bad_byte(struct str s, size_t i)
{
	unsigned char c = (unsigned char)s.ptr[i];

	if (c > ' ' && c < 0x7f && c != '\\' && c != '%')
		return NULL;
	if (c == '%')
		return is_triple(s, i) ? NULL : "a percent sign without two hex digits";
	if (c == ' ')
		return "a space";
	if (c == '\\')
		return "a backslash";
	return c >= 0x80 ? "a byte outside ASCII (write it percent-encoded)" : "a control character";
}

static int parse_port(struct str text, struct url *u, struct err *e)
{
	uint64_t port = 0;

	u->port = u->scheme.len == 5 ? 443 : 80;
	if (text.len == 0) /* "host:" is allowed by RFC 3986 3.2.3 */
		return 0;
	if (num_parse_u64(text, &port) != 0 || port == 0 || port > 65535)
		return err_set(e, ERR_INVALID, "URL has no valid port: '%.*s'", (int)(text.len < 20 ? text.len : 20),
			       text.ptr);
	u->port = (uint16_t)port;
	u->has_port = true;
	return 0;
}

static int parse_ipv6(struct str *authority, struct url *u, struct err *e)
{
	char text[64];
	struct in6_addr address;
	ptrdiff_t end = str_find_char(*authority, ']');

	if (end < 0)
		return err_set(e, ERR_INVALID, "URL has an unclosed '[' in its host");
	u->host = str_from(authority->ptr + 1, (size_t)end - 1);
	u->is_ipv6 = true;
	*authority = str_from(authority->ptr + end + 1, authority->len - (size_t)end - 1);
	if (u->host.len >= sizeof(text))
		return err_set(e, ERR_INVALID, "URL has no valid IPv6 address in its host");
	memcpy(text, u->host.ptr, u->host.len);
	text[u->host.len] = 0;
	if (strlen(text) != u->host.len || inet_pton(AF_INET6, text, &address) != 1)
		return err_set(e, ERR_INVALID, "URL has no valid IPv6 address in its host");
	return 0;
}

static int parse_authority(struct str authority, struct url *u, struct err *e)
{
	int code;

	if (str_find_char(authority, '@') >= 0)
		return err_set(e, ERR_INVALID,
			       "URL holds a user name; credentials belong into the system's authentication");
	if (authority.len > 0 && authority.ptr[0] == '[') {
		code = parse_ipv6(&authority, u, e);
		if (code)
			return code;
		if (authority.len > 0 && authority.ptr[0] != ':')
			return err_set(e, ERR_INVALID, "URL has something between ']' and its port");
		return parse_port(authority.len ? str_from(authority.ptr + 1, authority.len - 1) : STR_NULL, u, e);
	}
	u->host = str_split(&authority, ':');
	if (u->host.len == 0)
		return err_set(e, ERR_INVALID, "URL has no host");
	for (size_t i = 0; i < u->host.len; i++) {
		char c = u->host.ptr[i];
		if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_' && c != '~')
			return err_set(e, ERR_INVALID, "URL has a host with '%c' (0x%02x) in it",
				       c > ' ' && c < 0x7f ? c : '?', (unsigned)(unsigned char)c);
	}
	return parse_port(authority, u, e);
}

/* Cut `*s` before the first of `stops`; the rest, stop included, stays in `*s`. */
static struct str take_until(struct str *s, const char *stops)
{
	size_t n = 0;

	while (n < s->len && !(s->ptr[n] && strchr(stops, s->ptr[n])))
		n++;
	struct str front = str_from(s->ptr, n);
	if (n > 0) /* and not for the null string */
		*s = str_from(s->ptr + n, s->len - n);
	return front;
}

/* "?query#fragment" at the end of an URL or reference. */
static void take_tail(struct str s, struct str *ret_query, struct str *ret_fragment)
{
	*ret_query = *ret_fragment = STR_NULL;
	if (s.len > 0 && s.ptr[0] == '?') {
		s = str_from(s.ptr + 1, s.len - 1);
		*ret_query = take_until(&s, "#");
	}
	if (s.len > 0)
		*ret_fragment = str_from(s.ptr + 1, s.len - 1);
}

int url_parse(struct str text, struct url *ret, struct err *e)
{
	struct url u = { 0 };

	if (text.len > URL_MAX_BYTES)
		return err_set(e, ERR_LIMIT, "URL is longer than %d bytes", URL_MAX_BYTES);
	for (size_t i = 0; i < text.len; i++) {
		const char *bad = bad_byte(text, i);
		if (bad)
			return err_set(e, ERR_INVALID, "URL has %s at offset %zu", bad, i);
	}
	struct str rest = text;
	u.scheme = take_until(&rest, ":/?#");
	if (!str_eq_nocase(u.scheme, STR("http")) && !str_eq_nocase(u.scheme, STR("https")))
		return err_set(e, ERR_INVALID, "URL does not begin with http:// or https://");
	if (!str_starts(rest, STR("://")))
		return err_set(e, ERR_INVALID, "URL does not begin with http:// or https://");
	rest = str_from(rest.ptr + 3, rest.len - 3);
	int code = parse_authority(take_until(&rest, "/?#"), &u, e);
	if (code)
		return code;
	u.path = take_until(&rest, "?#");
	take_tail(rest, &u.query, &u.fragment);
	*ret = u;
	return 0;
}

bool url_same_origin(const struct url *x, const struct url *y)
{
	return str_eq_nocase(x->scheme, y->scheme) && str_eq_nocase(x->host, y->host) && x->port == y->port &&
	       x->is_ipv6 == y->is_ipv6;
}

/* ---- resolving (RFC 3986 5.2) ---- */

struct reference {
	struct str scheme, authority, path, query, fragment; /* ptr NULL = absent */
};

static struct reference split_reference(struct str s)
{
	struct reference r = { .scheme = STR_NULL, .authority = STR_NULL };
	struct str rest = s;
	struct str front = take_until(&rest, ":/?#");
	bool is_scheme = rest.len > 0 && rest.ptr[0] == ':' && front.len > 0 && is_alpha(front.ptr[0]);

	for (size_t i = 0; i < front.len && is_scheme; i++)
		is_scheme = is_alpha(front.ptr[i]) || is_digit(front.ptr[i]) || strchr("+-.", front.ptr[i]) != NULL;
	if (is_scheme) {
		r.scheme = front;
		s = str_from(rest.ptr + 1, rest.len - 1);
	}
	if (str_starts(s, STR("//"))) {
		s = str_from(s.ptr + 2, s.len - 2);
		r.authority = take_until(&s, "/?#");
	}
	r.path = take_until(&s, "?#");
	take_tail(s, &r.query, &r.fragment);
	return r;
}

static bool is_dot_part(struct str in, const char *dots, size_t *ret_skip)
{
	size_t n = strlen(dots); /* "/." or "/.." */

	if (!str_starts(in, str_from(dots, n)) || (in.len > n && in.ptr[n] != '/'))
		return false;
	*ret_skip = n;
	return true;
}

/* RFC 3986 5.2.4 for a path that begins with "/"; what it writes never reaches back beyond `floor`. */
static void remove_dots(struct buf *b, struct str in, size_t floor)
{
	size_t skip;

	while (in.len > 0 && buf_ok(b)) {
		bool is_up = is_dot_part(in, "/..", &skip);
		if (is_up || is_dot_part(in, "/.", &skip)) {
			while (is_up && b->len > floor && b->ptr[--b->len] != '/')
				;
			in = in.len == skip ? STR("/") : str_from(in.ptr + skip, in.len - skip);
			continue;
		}
		size_t n = 1;
		while (n < in.len && in.ptr[n] != '/')
			n++;
		(void)buf_append(b, in.ptr, n);
		in = str_from(in.ptr + n, in.len - n);
	}
}

static void put_authority(struct buf *b, const struct url *u)
{
	(void)buf_append_c(b, u->is_ipv6 ? "[" : "");
	(void)buf_append_str(b, u->host);
	(void)buf_append_c(b, u->is_ipv6 ? "]" : "");
	if (u->has_port)
		(void)buf_printf(b, ":%u", (unsigned)u->port);
}

/* Spaces and bytes outside ASCII, which servers write into Location all the same, percent-encoded. */
static int tidy(struct buf *b, struct str reference, struct err *e)
{
	reference = str_trim(reference);
	for (size_t i = 0; i < reference.len; i++) {
		unsigned char c = (unsigned char)reference.ptr[i];
		if (c < ' ' || c == 0x7f || c == '\\')
			return err_set(e, ERR_INVALID,
				       "the reference holds a control character or backslash at offset %zu", i);
		if (c == ' ' || c >= 0x80)
			(void)buf_printf(b, "%%%02X", c);
		else
			(void)buf_append_char(b, (char)c);
	}
	return buf_ok(b) ? 0 : err_set(e, b->failed, "the reference is longer than %d bytes", URL_MAX_BYTES);
}

static void merge_path(struct buf *merged, const struct url *base, const struct reference *r)
{
	size_t keep = base->path.len;

	if (str_starts(r->path, STR("/"))) {
		(void)buf_append_str(merged, r->path);
		return;
	}
	while (keep > 0 && base->path.ptr[keep - 1] != '/')
		keep--;
	if (keep == 0)
		(void)buf_append_char(merged, '/');
	(void)buf_append(merged, base->path.ptr, keep);
	(void)buf_append_str(merged, r->path);
}

static void put_path_and_query(struct buf *b, const struct url *base, const struct reference *r, struct buf *merged)
{
	struct str query = r->query;
	size_t floor = b->len;

	if (r->authority.ptr) {
		remove_dots(b, r->path, floor);
	} else if (r->path.len == 0) {
		(void)buf_append_str(b, base->path);
		if (!query.ptr)
			query = base->query;
	} else {
		merge_path(merged, base, r);
		remove_dots(b, buf_str(merged), floor);
	}
	if (query.ptr) {
		(void)buf_append_char(b, '?');
		(void)buf_append_str(b, query);
	}
	if (r->fragment.ptr) {
		(void)buf_append_char(b, '#');
		(void)buf_append_str(b, r->fragment);
	}
}

int url_resolve(const struct url *base, struct str reference, struct buf *b, struct err *e)
{
	auto_buf struct buf clean;
	auto_buf struct buf merged;

	buf_init(&clean, URL_MAX_BYTES);
	buf_init(&merged, 2 * URL_MAX_BYTES);
	int code = tidy(&clean, reference, e);
	if (code)
		return code;
	struct reference r = split_reference(buf_str(&clean));
	if (r.scheme.ptr) { /* absolute already */
		code = buf_append_str(b, buf_str(&clean));
		return code ? err_set(e, b->failed, "the URL is too long") : 0;
	}
	(void)buf_append_str(b, base->scheme);
	(void)buf_append_c(b, "://");
	if (r.authority.ptr)
		(void)buf_append_str(b, r.authority);
	else
		put_authority(b, base);
	put_path_and_query(b, base, &r, &merged);
	if (!buf_ok(b) || !buf_ok(&merged))
		return err_set(e, ERR_LIMIT, "the URL is too long");
	return 0;
}

/* ---- percent-encoding ---- */

#define U                                                                                                              \
	(BIT(URL_SET_PATH_SEGMENT) | BIT(URL_SET_QUERY) | BIT(URL_SET_QUERY_RESERVED) | BIT(URL_SET_FORM) |            \
	 BIT(URL_SET_COOKIE))
#define R BIT(URL_SET_QUERY_RESERVED)
#define F BIT(URL_SET_FORM)
#define C BIT(URL_SET_COOKIE)

static const unsigned char kept[256] = {
	['0' ... '9'] = U,
	['A' ... 'Z'] = U,
	['a' ... 'z'] = U,
	['-'] = U,
	['.'] = U,
	['_'] = U,
	['~'] = U & ~F,
	/* reserved, save '#', '[', ']' and the '&' and '+' that would change what the query says */
	[':'] = R | C,
	['/'] = R | C,
	['?'] = R | C,
	['@'] = R | C,
	['!'] = R | C,
	['$'] = R | C,
	['\''] = R | C,
	['('] = R | C,
	[')'] = R | C,
	['*'] = R | F | C,
	[','] = R,
	[';'] = R,
	['='] = R | C,
	/* the rest of cookie-octet; not '%', or %41 written by us could not be told from %41 in the value */
	['#'] = C,
	['&'] = C,
	['+'] = C,
	['<'] = C,
	['>'] = C,
	['['] = C,
	[']'] = C,
	['^'] = C,
	['`'] = C,
	['{'] = C,
	['|'] = C,
	['}'] = C,
};

int url_encode(struct buf *b, struct str s, enum url_set set)
{
	static const char hex[] = "0123456789ABCDEF";
	/* A segment of dots alone would be taken for a step upwards. */
	bool is_dots = set == URL_SET_PATH_SEGMENT && (str_eq(s, STR(".")) || str_eq(s, STR("..")));

	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if ((kept[c] & BIT(set) && !is_dots) ||
		    (set == URL_SET_QUERY_RESERVED && c == '%' && is_triple(s, i))) {
			(void)buf_append_char(b, (char)c);
		} else if (set == URL_SET_FORM && c == ' ') {
			(void)buf_append_char(b, '+');
		} else {
			char triple[3] = { '%', hex[c >> 4], hex[c & 15] };
			(void)buf_append(b, triple, 3);
		}
	}
	return -b->failed;
}

bool url_decode(struct buf *b, struct str s, bool plus_is_space)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (c == '%') {
			if (!is_triple(s, i))
				return false;
			c = (char)(num_hex_value(s.ptr[i + 1]) << 4 | num_hex_value(s.ptr[i + 2]));
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		(void)buf_append_char(b, c);
	}
	return buf_ok(b);
}
