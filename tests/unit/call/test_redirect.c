/* SPDX-License-Identifier: Apache-2.0 */
/* Where a redirect leads, by method and status, and what stays behind. */
#include "call/redirect.h"
#include "test.h"

struct hop {
	struct arena arena;
	struct secrets *secrets;
	struct call_request from, next;
	struct call_trail trail;
	struct headers answer;
	struct str reason;
};

static void hop_init(struct hop *h, enum call_method method, const char *url)
{
	*h = (struct hop){ .from = { .method = method, .url = str_c(url) } };
	arena_init(&h->arena, 0);
	assert_int_equal(setenv("WEIR_SECRET_HOP", "hop-s3cr3t", 1), 0);
	h->secrets = secrets_new(NULL, NULL);
	struct str value;
	assert_true(secrets_get(h->secrets, STR("HOP"), &value));
	(void)headers_add(&h->arena, &h->from.headers, STR("Accept"), STR("application/json"), NULL);
	(void)headers_add(&h->arena, &h->from.headers, STR("Authorization"), STR("Bearer hop-s3cr3t"), NULL);
	(void)headers_add(&h->arena, &h->from.headers, STR("X-Tenant"), STR("key=hop-s3cr3t"), NULL);
	if (method != CALL_GET && method != CALL_HEAD) {
		(void)headers_add(&h->arena, &h->from.headers, STR("Content-Type"), STR("application/json"), NULL);
		h->from.body = STR("{\"a\":1}");
	}
	h->from.masked = STR("{\"method\":\"X\",\"url\":\"u\",\"headers\":[],\"body\":\"{}\"}");
}

static void hop_done(struct hop *h)
{
	secrets_free(h->secrets);
	arena_done(&h->arena);
}

static enum call_hop hop_take(struct hop *h, int status, const char *location)
{
	h->answer = (struct headers){ 0 };
	if (location)
		(void)headers_add(&h->arena, &h->answer, STR("Location"), str_c(location), NULL);
	return call_redirect(&h->from, status, &h->answer, h->secrets, &h->trail, &h->arena, &h->next, &h->reason);
}

TEST(method_and_body_follow_rfc_9110)
{
	static const struct {
		enum call_method method;
		int status;
		enum call_hop hop;
		enum call_method next;
		bool has_body;
	} rows[] = {
		{ CALL_GET, 301, CALL_HOP_FOLLOW, CALL_GET, false },	 { CALL_GET, 302, CALL_HOP_FOLLOW, CALL_GET, false },
		{ CALL_GET, 303, CALL_HOP_FOLLOW, CALL_GET, false },	 { CALL_HEAD, 303, CALL_HOP_FOLLOW, CALL_HEAD, false },
		{ CALL_GET, 307, CALL_HOP_FOLLOW, CALL_GET, false },	 { CALL_GET, 308, CALL_HOP_FOLLOW, CALL_GET, false },
		{ CALL_GET, 300, CALL_HOP_NONE, CALL_GET, false },	 { CALL_GET, 304, CALL_HOP_NONE, CALL_GET, false },
		{ CALL_POST, 301, CALL_HOP_NONE, CALL_POST, true },	 { CALL_PUT, 302, CALL_HOP_NONE, CALL_PUT, true },
		{ CALL_POST, 303, CALL_HOP_FOLLOW, CALL_GET, false },	 { CALL_DELETE, 303, CALL_HOP_FOLLOW, CALL_GET, false },
		{ CALL_POST, 307, CALL_HOP_FOLLOW, CALL_POST, true },	 { CALL_PUT, 308, CALL_HOP_FOLLOW, CALL_PUT, true },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hop h;
		hop_init(&h, rows[i].method, "http://a.test/x?q=1");
		enum call_hop got = hop_take(&h, rows[i].status, "/y#part");
		if (got != rows[i].hop)
			fail_msg("row %zu: hop %d", i, got);
		if (got == CALL_HOP_FOLLOW) {
			assert_int_equal(h.next.method, rows[i].next);
			assert_str(h.next.url, "http://a.test/y");
			assert_int_equal(h.next.body.ptr != NULL, rows[i].has_body);
			assert_int_equal(headers_count(&h.next.headers, STR("Content-Type")), rows[i].has_body ? 1 : 0);
			assert_int_equal(headers_count(&h.next.headers, STR("Authorization")), 1);
			assert_true(str_find(h.next.masked, STR("hop-s3cr3t")) < 0);
		}
		hop_done(&h);
	}
}

TEST(another_origin_gets_no_credential)
{
	static const char *const others[] = { "http://b.test/", "http://a.test:8080/", "https://a.test/", "//b.test/x" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct hop h;
		struct http_proxy proxy = { .url = STR("http://p:3128") };
		hop_init(&h, CALL_GET, "http://a.test/x");
		h.from.proxy = &proxy;
		assert_int_equal(hop_take(&h, 302, others[i]), CALL_HOP_FOLLOW);
		assert_int_equal(headers_count(&h.next.headers, STR("Authorization")), 0);
		assert_int_equal(headers_count(&h.next.headers, STR("X-Tenant")), 0);
		assert_int_equal(headers_count(&h.next.headers, STR("Accept")), 1);
		assert_ptr_equal(h.next.proxy, &proxy); /* the way is the same for all */
		/* and it does not come back with the way home */
		h.from = h.next;
		assert_int_equal(hop_take(&h, 302, "http://a.test/home"), CALL_HOP_FOLLOW);
		assert_int_equal(headers_count(&h.next.headers, STR("Authorization")), 0);
		hop_done(&h);
	}
}

TEST(bad_ways_are_refused_with_the_reason)
{
	static const struct {
		const char *from, *location, *reason;
	} rows[] = {
		{ "https://a.test/", "http://a.test/", "from https to http" },
		{ "http://a.test/x", "http://a.test/x", "circle" },
		{ "http://a.test/x", "ftp://a.test/", "no http or https" },
		{ "http://a.test/x", "http://user:pw@b.test/", "no http or https" },
		{ "http://a.test/x", "javascript:alert(1)", "no http or https" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hop h;
		hop_init(&h, CALL_GET, rows[i].from);
		if (hop_take(&h, 302, rows[i].location) != CALL_HOP_REFUSED || str_find(h.reason, str_c(rows[i].reason)) < 0)
			fail_msg("row %zu: %.*s", i, STR_ARG(h.reason));
		hop_done(&h);
	}
}

TEST(two_locations_are_refused_and_none_is_no_redirect)
{
	struct hop h;
	hop_init(&h, CALL_GET, "http://a.test/x");
	assert_int_equal(hop_take(&h, 302, NULL), CALL_HOP_NONE);
	(void)headers_add(&h.arena, &h.answer, STR("Location"), STR("/a"), NULL);
	(void)headers_add(&h.arena, &h.answer, STR("Location"), STR("/b"), NULL);
	assert_int_equal(call_redirect(&h.from, 302, &h.answer, h.secrets, &h.trail, &h.arena, &h.next, &h.reason), CALL_HOP_REFUSED);
	hop_done(&h);
}

TEST(five_hops_are_enough)
{
	struct hop h;
	char location[32];
	hop_init(&h, CALL_GET, "http://a.test/0");
	for (int i = 1; i <= CALL_HOPS_MAX; i++) {
		(void)snprintf(location, sizeof(location), "/%d", i);
		assert_int_equal(hop_take(&h, 302, location), CALL_HOP_FOLLOW);
		h.from = h.next;
	}
	assert_int_equal(hop_take(&h, 302, "/6"), CALL_HOP_REFUSED);
	hop_done(&h);
}

RUN_TESTS(CLAIM(method_and_body_follow_rfc_9110), CLAIM(another_origin_gets_no_credential),
	  CLAIM(bad_ways_are_refused_with_the_reason), CLAIM(two_locations_are_refused_and_none_is_no_redirect),
	  CLAIM(five_hops_are_enough))
