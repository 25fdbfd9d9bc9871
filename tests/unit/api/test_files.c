/* SPDX-License-Identifier: Apache-2.0 */
/* Files over REST: put in with a name and a type, given back as something to save and never to run. */
#include "api_test.h"

#include "store/files.h"

#define ABC_ID "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

TEST(an_upload_is_described_by_what_the_client_says)
{
	static const struct {
		const char *query, *headers, *name, *media_type;
	} rows[] = {
		{ "", "Content-Type: image/png\r\n", "\"file\"", "\"image/png\"" },
		{ "?name=cat.png", "Content-Type: image/png; x=y\r\n", "\"cat.png\"", "\"image/png\"" },
		{ "?name=..%2F..%2Fetc%2Fpasswd", "", "\"passwd\"", "\"application/octet-stream\"" },
		{ "", "Content-Disposition: attachment; filename*=UTF-8''na%C3%AFve.txt\r\nContent-Type: nonsense\r\n",
		  "\"na\u00efve.txt\"", "\"application/octet-stream\"" },
		{ "?name=..", "", "\"file\"", "\"application/octet-stream\"" },
	};
	struct server s;
	server_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply r =
		    ask(&s, "POST", arena_printf(&s.arena, "/api/v1/files%s", rows[i].query), rows[i].headers, "abc");
		assert_status(r, 201);
		assert_at(&s, r, "/file", "\"" ABC_ID "\"");
		assert_at(&s, r, "/name", rows[i].name);
		assert_at(&s, r, "/media_type", rows[i].media_type);
		assert_at(&s, r, "/bytes", "3");
		assert_non_null(strstr(r.head, "Location: /api/v1/files/" ABC_ID "\r\n"));
	}
	struct reply r = ask(&s, "POST", "/api/v1/files", "", "");
	assert_status(r, 201);
	assert_at(&s, r, "/bytes", "0");
	server_close(&s);
}

TEST(a_file_is_sent_to_be_saved)
{
	static const struct {
		const char *query, *type, *disposition;
	} rows[] = {
		{ "", "application/octet-stream", "attachment; filename*=UTF-8''" ABC_ID },
		{ "?media_type=image/png&name=a%20b.png", "image/png", "attachment; filename*=UTF-8''a%20b.png" },
		{ "?media_type=text/html", "application/octet-stream", "attachment" },
		{ "?media_type=image/svg%2Bxml", "application/octet-stream", "attachment" },
		{ "?media_type=application/javascript", "application/octet-stream", "attachment" },
		{ "?name=x%22%0D%0AX-Evil:%201.png", "application/octet-stream",
		  "attachment; filename*=UTF-8''x%22X-Evil%3A%201.png\r\n" },
	};
	struct server s;
	server_open(&s);
	assert_status(ask(&s, "POST", "/api/v1/files", "", "abc"), 201);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reply r = get(&s, arena_printf(&s.arena, "/api/v1/files/" ABC_ID "%s", rows[i].query));
		assert_status(r, 200);
		assert_string_equal(r.body, "abc");
		if (!strstr(r.head, arena_printf(&s.arena, "Content-Type: %s\r\n", rows[i].type)) ||
		    !strstr(r.head, arena_printf(&s.arena, "Content-Disposition: %s", rows[i].disposition)))
			fail_msg("row %zu: %s", i, r.head);
		assert_non_null(strstr(r.head, "X-Content-Type-Options: nosniff\r\n"));
		assert_non_null(strstr(r.head, "Content-Security-Policy: default-src 'none'; sandbox\r\n"));
	}
	struct reply r = ask(&s, "HEAD", "/api/v1/files/" ABC_ID, "", NULL);
	assert_status(r, 200);
	assert_int_equal(r.body_len, 0);
	assert_non_null(strstr(r.head, "Content-Length: 3\r\n"));
	server_close(&s);
}

TEST(an_id_that_is_none_gets_no_file)
{
	static const char *const paths[] = {
		"..%2F..%2Fweir.db",
		"%2e%2e%2fweir.db",
		"abc",
		"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
		ABC_ID,
		"tmp",
	};
	struct server s;
	server_open(&s);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct reply r = get(&s, arena_printf(&s.arena, "/api/v1/files/%s", paths[i]));
		assert_problem(&s, r, 404, "not_found");
		assert_non_null(strstr(r.body, strcmp(paths[i], ABC_ID) == 0 ? "there is no file " ABC_ID
									     : "64 hexadecimal digits"));
	}
	assert_status(get(&s, "/api/v1/files/../../weir.db"), 404);
	assert_status(get(&s, "/api/v1/files"), 405);
	assert_status(ask(&s, "POST", "/api/v1/files", "Origin: http://evil.example\r\n", "abc"), 403);
	assert_int_not_equal(files_size(store_files(s.w.store), STR(ABC_ID), &(uint64_t){ 0 }, NULL), 0);
	server_close(&s);
}

TEST(an_upload_beyond_the_limit_is_told_the_limit)
{
	struct server s;
	struct line l;
	server_open(&s);
	const char *text = arena_printf(
	    &s.arena, "POST /api/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 16777217\r\n\r\n");
	line_open(&l, &s, text, strlen(text));
	while (!l.is_over)
		(void)loop_run(s.w.loop);
	(void)buf_append_char(&l.in, '\0');
	assert_non_null(strstr(l.in.ptr, "HTTP/1.1 413 "));
	assert_non_null(strstr(l.in.ptr, "at most 16777216 bytes"));
	line_close(&l);
	server_close(&s);
}

RUN_TESTS(CLAIM(an_upload_is_described_by_what_the_client_says), CLAIM(a_file_is_sent_to_be_saved),
	  CLAIM(an_id_that_is_none_gets_no_file), CLAIM(an_upload_beyond_the_limit_is_told_the_limit))
