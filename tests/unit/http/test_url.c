/* SPDX-License-Identifier: Apache-2.0 */
#include "http/url.h"
#include "test.h"

TEST(urls_are_taken_apart)
{
	static const struct {
		const char *text, *host;
		int port;
		const char *path, *query, *fragment; /* NULL = absent */
	} rows[] = {
		{ "http://a", "a", 80, "", NULL, NULL },
		{ "HTTPS://A.example/", "A.example", 443, "/", NULL, NULL },
		{ "http://a:8080/x/../y?q=1?2#f#g", "a", 8080, "/x/../y", "q=1?2", "f#g" },
		{ "http://a?q", "a", 80, "", "q", NULL },
		{ "http://a#f", "a", 80, "", NULL, "f" },
		{ "http://a/?#", "a", 80, "/", "", "" },
		{ "http://a:/", "a", 80, "/", NULL, NULL },
		{ "http://[::1]:81/%41", "::1", 81, "/%41", NULL, NULL },
		{ "http://[2001:db8::1]", "2001:db8::1", 80, "", NULL, NULL },
		{ "http://127.0.0.1:65535//b//c", "127.0.0.1", 65535, "//b//c", NULL, NULL },
		{ "http://a_b.c~d/:@!$&'()*+,;=", "a_b.c~d", 80, "/:@!$&'()*+,;=", NULL, NULL },
		{ "http://a/@b", "a", 80, "/@b", NULL, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct url u;
		struct err e = ERR_INIT;
		if (url_parse(str_c(rows[i].text), &u, &e) != 0)
			fail_msg("%s: %s", rows[i].text, e.msg);
		if (!str_eq_c(u.host, rows[i].host) || u.port != rows[i].port || !str_eq_c(u.path, rows[i].path))
			fail_msg("%s: host %.*s port %d path %.*s", rows[i].text, STR_ARG(u.host), u.port, STR_ARG(u.path));
		if ((u.query.ptr == NULL) != (rows[i].query == NULL) || (u.query.ptr && !str_eq_c(u.query, rows[i].query)))
			fail_msg("%s: query '%.*s'", rows[i].text, STR_ARG(u.query));
		if ((u.fragment.ptr == NULL) != (rows[i].fragment == NULL) || (u.fragment.ptr && !str_eq_c(u.fragment, rows[i].fragment)))
			fail_msg("%s: fragment '%.*s'", rows[i].text, STR_ARG(u.fragment));
	}
}

TEST(naughty_urls_are_refused)
{
	static const struct str rows[] = {
		STR(""), STR("a"), STR("/a"), STR("//a"), STR("http:"), STR("http:/a"), STR("http://"), STR("http:///a"),
		STR("http://:80/"), STR("http://?a"), STR("ftp://a/"), STR("file:///etc/passwd"), STR("javascript:alert(1)"),
		STR("httpx://a"), STR("http//a"), STR(" http://a"), STR("http://a "), STR("http://a b/"), STR("http://a/b c"),
		STR("http://a/\r\nX: y"), STR("http://a/\n"), STR("http://a/\t"), STR("http://a/\0b"), STR("http://a\0.b/"),
		STR("http://a\\b/"), STR("http://a/\\..\\b"), STR("http:\\\\a"), STR("http://a/%"), STR("http://a/%4"),
		STR("http://a/%4g"), STR("http://a/%%41"), STR("http://a/?%zz"), STR("http://a/#%"), STR("http://u@a/"),
		STR("http://u:p@a/"), STR("http://@a/"), STR("http://a@b@c/"), STR("http://a:0/"), STR("http://a:65536/"),
		STR("http://a:99999999999999999999/"), STR("http://a:-1/"), STR("http://a:+1/"), STR("http://a:8x/"),
		STR("http://a:80:80/"), STR("http://a: 80/"), STR("http://[::1/"), STR("http://[]/"), STR("http://[::1]x/"),
		STR("http://[::1]80/"), STR("http://[fe80::1%25eth0]/"), STR("http://[1.2.3.4]/"), STR("http://[gggg::]/"),
		STR("http://::1/"), STR("http://a%2eb/"), STR("http://%61/"), STR("http://a,b/"), STR("http://a;b/"),
		STR("http://a(b)/"), STR("http://a'b/"), STR("http://{host}/"), STR("http://b\xc3\xbc" "cher/"), STR("http://a/\xc3\xbc"),
		STR("http://a/\x7f"), STR("http://a\x01/"), STR("http://[::1\0]/"),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct url u;
		struct err e = ERR_INIT;
		int code = url_parse(rows[i], &u, &e);
		if (code != -ERR_INVALID || !e.msg[0])
			fail_msg("%zu: '%.*s' gave %d", i, STR_ARG(rows[i]), code);
	}
	char *text = malloc(URL_MAX_BYTES + 1);
	struct url u;
	struct err e = ERR_INIT;
	memset(text, 'a', URL_MAX_BYTES + 1);
	memcpy(text, "http://a/", 9);
	assert_int_equal(url_parse(str_from(text, URL_MAX_BYTES), &u, &e), 0);
	assert_int_equal(url_parse(str_from(text, URL_MAX_BYTES + 1), &u, &e), -ERR_LIMIT);
	free(text);
}

/* RFC 3986 5.4, with http for the scheme; and what servers write into Location. */
TEST(references_resolve_as_the_rfc_says)
{
	static const struct {
		const char *reference, *expected;
	} rows[] = {
		{ "http:h", "http:h" }, { "g", "http://a/b/c/g" }, { "./g", "http://a/b/c/g" }, { "g/", "http://a/b/c/g/" },
		{ "/g", "http://a/g" }, { "//g", "http://g" }, { "?y", "http://a/b/c/d;p?y" }, { "g?y", "http://a/b/c/g?y" },
		{ "#s", "http://a/b/c/d;p?q#s" }, { "g#s", "http://a/b/c/g#s" }, { "g?y#s", "http://a/b/c/g?y#s" },
		{ ";x", "http://a/b/c/;x" }, { "g;x", "http://a/b/c/g;x" }, { "g;x?y#s", "http://a/b/c/g;x?y#s" },
		{ "", "http://a/b/c/d;p?q" }, { ".", "http://a/b/c/" }, { "./", "http://a/b/c/" }, { "..", "http://a/b/" },
		{ "../", "http://a/b/" }, { "../g", "http://a/b/g" }, { "../..", "http://a/" }, { "../../", "http://a/" },
		{ "../../g", "http://a/g" }, { "../../../g", "http://a/g" }, { "../../../../g", "http://a/g" }, { "/./g", "http://a/g" },
		{ "/../g", "http://a/g" }, { "g.", "http://a/b/c/g." }, { ".g", "http://a/b/c/.g" }, { "g..", "http://a/b/c/g.." },
		{ "..g", "http://a/b/c/..g" }, { "./../g", "http://a/b/g" }, { "./g/.", "http://a/b/c/g/" },
		{ "g/./h", "http://a/b/c/g/h" }, { "g/../h", "http://a/b/c/h" }, { "g;x=1/./y", "http://a/b/c/g;x=1/y" },
		{ "g;x=1/../y", "http://a/b/c/y" }, { "g?y/./x", "http://a/b/c/g?y/./x" }, { "g?y/../x", "http://a/b/c/g?y/../x" },
		{ "g#s/../x", "http://a/b/c/g#s/../x" }, { "https://other:8443/x/../y", "https://other:8443/x/../y" },
		{ "//other/x/../y", "http://other/y" }, { " /g ", "http://a/g" }, { "/a b", "http://a/a%20b" },
		{ "/\xc3\xbc?\xff", "http://a/%C3%BC?%FF" }, { "ftp://x/", "ftp://x/" }, { "javascript:alert(1)", "javascript:alert(1)" },
		{ "1:2", "http://a/b/c/1:2" }, { "//", "http://" }, { "/..", "http://a/" }, { "/.", "http://a/" }, { "//b/..", "http://b/" },
	};
	struct url base;
	struct err e = ERR_INIT;

	assert_int_equal(url_parse(STR("http://a/b/c/d;p?q"), &base, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b;
		buf_init(&b, URL_MAX_BYTES);
		if (url_resolve(&base, str_c(rows[i].reference), &b, &e) != 0)
			fail_msg("'%s': %s", rows[i].reference, e.msg);
		if (!str_eq_c(buf_str(&b), rows[i].expected))
			fail_msg("'%s': got '%.*s', expected '%s'", rows[i].reference, STR_ARG(buf_str(&b)), rows[i].expected);
		buf_done(&b);
	}
}

TEST(references_keep_port_and_brackets_and_refuse_control_bytes)
{
	struct url base;
	struct err e = ERR_INIT;
	struct buf b;

	buf_init(&b, URL_MAX_BYTES);
	assert_int_equal(url_parse(STR("https://[::1]:8443"), &base, &e), 0);
	assert_int_equal(url_resolve(&base, STR("x"), &b, &e), 0);
	assert_str(buf_str(&b), "https://[::1]:8443/x");
	buf_clear(&b);
	assert_int_equal(url_resolve(&base, STR("/x\r\nX: y"), &b, &e), -ERR_INVALID);
	assert_int_equal(url_resolve(&base, STR("/x\0y"), &b, &e), -ERR_INVALID);
	assert_int_equal(url_resolve(&base, STR("\\\\evil"), &b, &e), -ERR_INVALID);
	assert_int_equal(b.len, 0);
	buf_done(&b);
	buf_init(&b, 10);
	assert_int_equal(url_resolve(&base, STR("x"), &b, &e), -ERR_LIMIT);
	buf_done(&b);
}

TEST(same_origin_is_scheme_host_and_port)
{
	static const struct {
		const char *x, *y;
		bool same;
	} rows[] = {
		{ "http://a/x", "http://a/y?z", true },	   { "http://a", "http://A:80", true },	  { "https://a", "HTTPS://a:443/", true },
		{ "http://a", "https://a", false },	   { "http://a", "http://a:81", false },  { "http://a", "http://b", false },
		{ "http://a", "http://a.b", false },	   { "http://[::1]", "http://[::1]:80", true }, { "https://a:80", "http://a:80", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct url x, y;
		assert_int_equal(url_parse(str_c(rows[i].x), &x, NULL), 0);
		assert_int_equal(url_parse(str_c(rows[i].y), &y, NULL), 0);
		if (url_same_origin(&x, &y) != rows[i].same)
			fail_msg("%s and %s", rows[i].x, rows[i].y);
	}
}

TEST(values_are_encoded_for_their_place)
{
	static const struct {
		enum url_set set;
		struct str in;
		const char *out;
	} rows[] = {
		{ URL_SET_PATH_SEGMENT, STR("a/b?c#d e"), "a%2Fb%3Fc%23d%20e" },
		{ URL_SET_PATH_SEGMENT, STR("AZaz09-._~"), "AZaz09-._~" },
		{ URL_SET_PATH_SEGMENT, STR(".."), "%2E%2E" },
		{ URL_SET_PATH_SEGMENT, STR("."), "%2E" },
		{ URL_SET_PATH_SEGMENT, STR("..."), "..." },
		{ URL_SET_PATH_SEGMENT, STR("../x"), "..%2Fx" },
		{ URL_SET_PATH_SEGMENT, STR("%41"), "%2541" },
		{ URL_SET_PATH_SEGMENT, STR("\0\r\n\x7f\xff"), "%00%0D%0A%7F%FF" },
		{ URL_SET_QUERY, STR("a=b&c+d é"), "a%3Db%26c%2Bd%20%C3%A9" },
		{ URL_SET_QUERY, STR(".."), ".." },
		{ URL_SET_QUERY_RESERVED, STR("a/b?c:@!$'()*,;=d"), "a/b?c:@!$'()*,;=d" },
		{ URL_SET_QUERY_RESERVED, STR("a#b[c]d&e+f g"), "a%23b%5Bc%5Dd%26e%2Bf%20g" },
		{ URL_SET_QUERY_RESERVED, STR("%2F%zz%"), "%2F%25zz%25" },
		{ URL_SET_FORM, STR("a b*c-._d~e&f=g+h"), "a+b*c-._d%7Ee%26f%3Dg%2Bh" },
		{ URL_SET_FORM, STR("\n"), "%0A" },
		{ URL_SET_COOKIE, STR("a=b!#$&'()*+-./:<>?@[]^_`{|}~"), "a=b!#$&'()*+-./:<>?@[]^_`{|}~" },
		{ URL_SET_COOKIE, STR("100%41"), "100%2541" },
		{ URL_SET_COOKIE, STR("a;b,c\"d\\e f\x01"), "a%3Bb%2Cc%22d%5Ce%20f%01" },
		{ URL_SET_QUERY, STR(""), "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b;
		buf_init(&b, 1000);
		assert_int_equal(url_encode(&b, rows[i].in, rows[i].set), 0);
		if (!str_eq_c(buf_str(&b), rows[i].out))
			fail_msg("%zu: got '%.*s', expected '%s'", i, STR_ARG(buf_str(&b)), rows[i].out);
		buf_done(&b);
	}
}

TEST(what_was_encoded_decodes_to_itself)
{
	static const enum url_set sets[] = { URL_SET_PATH_SEGMENT, URL_SET_QUERY, URL_SET_FORM };
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		struct buf coded, back;
		buf_init(&coded, 4096);
		buf_init(&back, 4096);
		assert_int_equal(url_encode(&coded, str_from(all, 256), sets[i]), 0);
		assert_true(url_decode(&back, buf_str(&coded), sets[i] == URL_SET_FORM));
		assert_int_equal(back.len, 256);
		assert_memory_equal(back.ptr, all, 256);
		buf_done(&coded);
		buf_done(&back);
	}
}

TEST(bad_triples_do_not_decode)
{
	static const char *const bad[] = { "%", "%4", "a%4", "%g1", "%1g", "%%41", "a%" };
	struct buf b;

	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_clear(&b);
		if (url_decode(&b, str_c(bad[i]), false))
			fail_msg("'%s'", bad[i]);
	}
	buf_clear(&b);
	assert_true(url_decode(&b, STR("a+b%2B"), true));
	assert_str(buf_str(&b), "a b+");
	buf_clear(&b);
	assert_true(url_decode(&b, STR("a+b"), false));
	assert_str(buf_str(&b), "a+b");
	b.max = 3;
	assert_false(url_decode(&b, STR("toolong"), false) && b.len > b.cap);
	buf_done(&b);
}

RUN_TESTS(CLAIM(urls_are_taken_apart), CLAIM(naughty_urls_are_refused), CLAIM(references_resolve_as_the_rfc_says),
	  CLAIM(references_keep_port_and_brackets_and_refuse_control_bytes), CLAIM(same_origin_is_scheme_host_and_port),
	  CLAIM(values_are_encoded_for_their_place), CLAIM(what_was_encoded_decodes_to_itself), CLAIM(bad_triples_do_not_decode))
