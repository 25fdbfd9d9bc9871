/* SPDX-License-Identifier: Apache-2.0 */
/* Every route of docs/internals/rest.md, asked rightly and wrongly. */
#include "api_test.h"

TEST(a_component_is_imported_listed_and_given_back)
{
	struct server s;
	server_open(&s);
	struct reply r = get(&s, "/api/v1/components");
	assert_status(r, 200);
	assert_at(&s, r, "/items", "[]");
	(void)unsetenv("WEIR_SECRET_TOKEN");
	const char *text = component_text(&s, "one");
	r = ask(&s, "PUT", "/api/v1/components/t", "", text);
	assert_status(r, 201);
	assert_at(&s, r, "/name", "\"t\"");
	assert_at(&s, r, "/missing/0/kind", "\"secret\"");
	assert_at(&s, r, "/missing/0/name", "\"TOKEN\"");
	assert_non_null(strstr(r.head, "Location: /api/v1/components/t"));
	r = ask(&s, "PUT", "/api/v1/components/t", "", text);
	assert_status(r, 200);
	r = get(&s, "/api/v1/components");
	assert_at(&s, r, "/items/0/name", "\"t\"");
	assert_at(&s, r, "/items/0/dataflows", "[\"d\"]");
	assert_at(&s, r, "/items/0/forms", "[\"f\"]");
	assert_at(&s, r, "/total", "1");
	r = get(&s, "/api/v1/components/t");
	assert_at(&s, r, "/component", "\"t\"");
	r = ask(&s, "GET", "/api/v1/components/t", "Accept: application/yaml\r\n", NULL);
	assert_status(r, 200);
	assert_string_equal(r.body, text);
	assert_non_null(strstr(r.head, "application/yaml"));
	r = get(&s, "/api/v1/components/nobody");
	assert_problem(&s, r, 404, "not_found");
	server_close(&s);
}

TEST(a_wrong_component_is_refused_with_every_place)
{
	struct server s;
	server_open(&s);
	struct reply r = ask(&s, "PUT", "/api/v1/components/t", "",
			     "weir: 1\ncomponent: t\nmodel: [ { name: n, type: nmber } ]\ndataflows: { d: { stages: [ "
			     "{ name: A, steps: [ { name: x, kind: nosuch } ] } ] } }\n");
	assert_problem(&s, r, 422, "invalid_component");
	assert_at(&s, r, "/errors/0/line", "3");
	assert_true(strlen(at(&s, &r, "/errors/0/pointer")) > 2);
	assert_true(strlen(at(&s, &r, "/errors/1/detail")) > 2);
	r = ask(&s, "PUT", "/api/v1/components/other", "", component_text(&s, "one"));
	assert_problem(&s, r, 422, "name_differs");
	r = ask(&s, "PUT", "/api/v1/components/t", "", NULL);
	assert_status(r, 422);
	r = get(&s, "/api/v1/components");
	assert_at(&s, r, "/items", "[]");
	server_close(&s);
}

TEST(a_form_says_what_to_draw)
{
	struct server s;
	server_open(&s);
	import(&s);
	struct reply r = get(&s, "/api/v1/components/t/forms/f");
	assert_status(r, 200);
	assert_at(&s, r, "/component", "\"t\"");
	assert_at(&s, r, "/app_title/fr", "\"Essai\"");
	assert_at(&s, r, "/submit", "\"d\"");
	assert_at(&s, r, "/fields/0/name", "\"n\"");
	assert_at(&s, r, "/fields/0/required", "true");
	assert_at(&s, r, "/fields/1/min_length", "2");
	assert_at(&s, r, "/fields/1/enum", "null");
	r = get(&s, "/api/v1/components/t/forms/g");
	assert_problem(&s, r, 404, "not_found");
	server_close(&s);
}

TEST(a_submission_answers_with_the_item_and_its_entry)
{
	struct server s;
	server_open(&s);
	import(&s);
	struct reply r =
	    post(&s, "/api/v1/components/t/forms/f/submissions", "{\"data\":{\"n\":\"7\"},\"language\":\"fr\"}");
	assert_status(r, 200);
	assert_at(&s, r, "/run/state", "\"done\"");
	assert_at(&s, r, "/run/trigger", "\"form\"");
	assert_at(&s, r, "/entry_id", "\"1\"");
	assert_at(&s, r, "/item/_r/exact", "0.1000");
	r = post(&s, "/api/v1/components/t/forms/f/submissions", "{\"data\":{\"city\":\"P\"}}");
	assert_problem(&s, r, 422, "invalid_input");
	assert_at(&s, r, "/errors/0/pointer", "\"/data/n\"");
	assert_at(&s, r, "/step", "\"input\"");
	assert_at(&s, r, "/run_id", "\"2\"");
	peer.manners = PEER_SAYS_500;
	r = post(&s, "/api/v1/components/t/forms/f/submissions", "{\"data\":{\"n\":1}}");
	assert_status(r, 502);
	assert_at(&s, r, "/step", "\"call\"");
	r = post(&s, "/api/v1/components/t/forms/f/submissions", "{\"n\":1}");
	assert_problem(&s, r, 400, "invalid_request");
	r = post(&s, "/api/v1/components/t/forms/f/submissions", "{\"n\":1");
	assert_problem(&s, r, 400, "invalid_json");
	r = post(&s, "/api/v1/components/t/forms/f/submissions", "{\"data\":{\"n\":1},\"data\":{\"n\":2}}");
	assert_problem(&s, r, 400, "invalid_json");
	r = ask(&s, "POST", "/api/v1/components/t/forms/f/submissions", "Content-Type: text/plain\r\n",
		"{\"data\":{\"n\":1}}");
	assert_problem(&s, r, 415, "unsupported_media_type");
	r = post(&s, "/api/v1/components/t/forms/g/submissions", "{\"data\":{}}");
	assert_problem(&s, r, 404, "not_found");
	server_close(&s);
}

TEST(a_run_is_on_disk_when_it_is_accepted_and_waited_for_on_request)
{
	struct server s;
	server_open(&s);
	import(&s);
	struct reply r =
	    post(&s, "/api/v1/components/t/dataflows/d/runs", "{\"items\":[{\"n\":1},{\"n\":2},{\"city\":\"Paris\"}]}");
	assert_status(r, 202);
	assert_non_null(strstr(r.head, "Location: /api/v1/runs/1\r\n"));
	assert_at(&s, r, "/id", "\"1\"");
	assert_at(&s, r, "/counts/items_in", "3");
	s.w.id = 1;
	assert_true(row_on_disk(&s.w).input_is_complete);
	r = ask(&s, "POST", "/api/v1/components/t/dataflows/d/runs", JSON_TYPE "Prefer: wait=20\r\n",
		"{\"items\":[{\"n\":1},{\"city\":\"Paris\"}]}");
	assert_status(r, 200);
	assert_at(&s, r, "/run/state", "\"partly done\"");
	assert_at(&s, r, "/items/0/data/n", "1");
	assert_at(&s, r, "/items/1", "(absent)");
	assert_at(&s, r, "/problem/step", "\"input\"");
	r = ask(&s, "POST", "/api/v1/components/t/dataflows/d/runs", JSON_TYPE "Prefer: respond-async, wait=20\r\n",
		"{\"data\":{\"n\":3}}");
	assert_at(&s, r, "/run/state", "\"done\"");
	static const char *const wrong[] = {
		"{}", "[]", "{\"items\":[]}", "{\"items\":{}}", "{\"data\":1}", "{\"data\":{},\"items\":[{}]}"
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		r = post(&s, "/api/v1/components/t/dataflows/d/runs", wrong[i]);
		assert_problem(&s, r, 400, "invalid_request");
	}
	r = post(&s, "/api/v1/components/t/dataflows/e/runs", "{\"data\":{}}");
	assert_problem(&s, r, 404, "not_found");
	server_close(&s);
}

static void run_items(struct server *s, const char *body)
{
	struct reply r = ask(s, "POST", "/api/v1/components/t/dataflows/d/runs", JSON_TYPE "Prefer: wait=30\r\n", body);
	assert_status(r, 200);
}

TEST(runs_are_paged_from_the_newest)
{
	struct server s;
	server_open(&s);
	import(&s);
	for (int i = 0; i < 5; i++)
		run_items(&s, "{\"data\":{\"n\":1}}");
	struct reply r = get(&s, "/api/v1/runs?limit=2");
	assert_at(&s, r, "/items/0/id", "\"5\"");
	assert_at(&s, r, "/items/1/id", "\"4\"");
	assert_at(&s, r, "/next", "\"4\"");
	assert_at(&s, r, "/total", "5");
	r = get(&s, "/api/v1/runs?limit=3&after=4");
	assert_at(&s, r, "/items/0/id", "\"3\"");
	assert_at(&s, r, "/items/2/id", "\"1\"");
	r = get(&s, "/api/v1/runs/5");
	assert_at(&s, r, "/state", "\"done\"");
	assert_at(&s, r, "/counts/items_out", "1");
	assert_at(&s, r, "/steps/1/kind", "\"execute_api_call\"");
	assert_at(&s, r, "/steps/1/out", "1");
	assert_at(&s, r, "/steps/1/source_step", "\"input\"");
	assert_true(strstr(at(&s, &r, "/steps/1/promise"), "at least once") != NULL);
	static const char *const wrong[] = { "limit=0", "limit=201", "limit=x", "limit=-1",
					     "after=x", "after=-1",  "limit=" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		r = get(&s, arena_printf(&s.arena, "/api/v1/runs?%s", wrong[i]));
		assert_problem(&s, r, 400, "invalid_query");
	}
	r = get(&s, "/api/v1/runs/99");
	assert_problem(&s, r, 404, "not_found");
	r = get(&s, "/api/v1/runs/x");
	assert_problem(&s, r, 404, "not_found");
	r = ask(&s, "POST", "/api/v1/runs/5/resume", "", NULL);
	assert_problem(&s, r, 409, "not_resumable");
	r = ask(&s, "POST", "/api/v1/runs/77/resume", "", NULL);
	assert_status(r, 404);
	server_close(&s);
}

TEST(items_show_what_went_in_what_was_sent_and_what_came_back)
{
	struct server s;
	server_open(&s);
	import(&s);
	run_items(&s, "{\"items\":[{\"n\":1},{\"city\":\"P\"},{\"n\":3},{\"n\":\"x\"}]}");
	struct reply r = get(&s, "/api/v1/runs/1/items?limit=3");
	assert_at(&s, r, "/total", "4");
	assert_at(&s, r, "/items/0/state", "\"done\"");
	assert_at(&s, r, "/items/0/input", "{\"n\":1}");
	assert_at(&s, r, "/items/1/state", "\"failed\"");
	assert_at(&s, r, "/items/1/problem/step", "\"input\"");
	assert_at(&s, r, "/next", "\"2\"");
	r = get(&s, "/api/v1/runs/1/items?limit=3&after=2");
	assert_at(&s, r, "/items/0/seq", "3");
	assert_at(&s, r, "/next", "null");
	r = get(&s, "/api/v1/runs/1/items?state=failed");
	assert_at(&s, r, "/items/0/seq", "1");
	assert_at(&s, r, "/items/1/seq", "3");
	assert_at(&s, r, "/items/1/input", "{\"n\":\"x\"}");
	assert_at(&s, r, "/total", "2");
	r = get(&s, "/api/v1/runs/1/items?state=unknown");
	assert_at(&s, r, "/items", "[]");
	r = get(&s, "/api/v1/runs/1/items?state=odd");
	assert_problem(&s, r, 400, "invalid_query");
	int requests = peer.requests;
	r = get(&s, "/api/v1/runs/1/items/2");
	assert_at(&s, r, "/seq", "2");
	assert_at(&s, r, "/state", "\"done\"");
	assert_at(&s, r, "/output/data/n", "3");
	assert_at(&s, r, "/output/_r/exact", "0.1000");
	assert_at(&s, r, "/steps/0/name", "\"input\"");
	assert_at(&s, r, "/steps/3/name", "\"out\"");
	assert_at(&s, r, "/steps/4", "(absent)"); /* of this item only */
	assert_at(&s, r, "/calls/0/state", "\"answered\"");
	assert_at(&s, r, "/calls/0/answer/status", "200");
	assert_at(&s, r, "/calls/0/request/method", "\"GET\"");
	assert_non_null(strstr(at(&s, &r, "/calls/0/request/headers"), "***"));
	assert_null(strstr(at(&s, &r, "/calls/0/request"), "hush-hush"));
	assert_int_equal(peer.requests, requests); /* a look sends nothing */
	r = get(&s, "/api/v1/runs/1/items/1");
	assert_at(&s, r, "/state", "\"failed\"");
	assert_at(&s, r, "/problem/type", "\"invalid_input\"");
	assert_at(&s, r, "/output", "null");
	assert_at(&s, r, "/steps", "[]");
	r = get(&s, "/api/v1/runs/1/items/4");
	assert_problem(&s, r, 404, "not_found");
	r = get(&s, "/api/v1/runs/2/items/0");
	assert_problem(&s, r, 404, "not_found");
	r = get(&s, "/api/v1/runs/2/items");
	assert_problem(&s, r, 404, "not_found");
	server_close(&s);
}

TEST(an_item_tells_each_attempt_with_its_reason_its_phases_and_who_judged_it)
{
	struct server s;
	server_open(&s);
	import(&s);
	peer.manners = PEER_LIMITS_ONCE;
	run_items(&s, "{\"items\":[{\"n\":1}]}");
	struct reply r = get(&s, "/api/v1/runs/1/items/0");
	assert_at(&s, r, "/state", "\"done\"");
	assert_at(&s, r, "/calls/0/again", "null");
	assert_at(&s, r, "/calls/0/verdict", "\"wait\"");
	assert_at(&s, r, "/calls/0/rule", "\"default: 429\"");
	assert_at(&s, r, "/calls/0/reused", "false");
	assert_at(&s, r, "/calls/1/attempt", "2");
	assert_at(&s, r, "/calls/1/again/why", "\"asked\"");
	assert_at(&s, r, "/calls/1/again/text", "\"Retry-After: 1 s\"");
	assert_at(&s, r, "/calls/1/again/status", "429");
	assert_at(&s, r, "/calls/1/again/asked_ms", "1000");
	assert_at(&s, r, "/calls/1/verdict", "\"ok\"");
	assert_at(&s, r, "/calls/1/rest", "null");
	assert_at(&s, r, "/calls/1/request/again", "(absent)"); /* told once, beside the request */
	assert_non_null(strstr(at(&s, &r, "/calls/0/phases_ms"), "\"connect\":"));
	assert_non_null(strstr(at(&s, &r, "/calls/1/phases_ms"), "\"wait\":"));
	assert_non_null(strstr(at(&s, &r, "/calls/1/sent_at"), "Z\""));
	server_close(&s);
}

TEST(entries_are_paged_and_found)
{
	struct server s;
	server_open(&s);
	import(&s);
	run_items(&s, "{\"items\":[{\"n\":1},{\"n\":2},{\"n\":3}]}");
	struct reply r = get(&s, "/api/v1/components/t/entries?limit=2");
	assert_at(&s, r, "/total", "3");
	assert_true(strcmp(at(&s, &r, "/next"), "null") != 0);
	r = get(&s, "/api/v1/components/t/entries/2");
	assert_at(&s, r, "/data", "{\"n\":2}");
	assert_at(&s, r, "/run_id", "\"1\"");
	assert_at(&s, r, "/item", "1");
	r = get(&s, "/api/v1/components/t/entries/9");
	assert_problem(&s, r, 404, "not_found");
	r = get(&s, "/api/v1/components/u/entries");
	assert_at(&s, r, "/items", "[]");
	server_close(&s);
}

TEST(wrong_methods_and_addresses_are_told_apart)
{
	struct server s;
	server_open(&s);
	struct reply r = ask(&s, "DELETE", "/api/v1/runs", "", NULL);
	assert_problem(&s, r, 405, "method_not_allowed");
	assert_non_null(strstr(r.head, "Allow: GET, HEAD\r\n"));
	r = ask(&s, "POST", "/api/v1/components/t", "", NULL);
	assert_problem(&s, r, 405, "method_not_allowed");
	assert_non_null(strstr(r.head, "Allow: GET, HEAD, PUT\r\n"));
	r = get(&s, "/api/v1/runs/1/resume");
	assert_problem(&s, r, 405, "method_not_allowed");
	static const char *const nowhere[] = { "/api/v1",
					       "/api/v1/",
					       "/api/v1/runs/",
					       "/api/v1/runs//items",
					       "/api/v1/runs/1/items/2/3",
					       "/api/v2/runs",
					       "/api/v1/components//forms/f",
					       "/assets/../index.html",
					       "/nowhere" };
	for (size_t i = 0; i < ARRAY_LEN(nowhere); i++) {
		r = get(&s, nowhere[i]);
		assert_problem(&s, r, 404, "not_found");
	}
	r = ask(&s, "HEAD", "/api/v1/runs", "", NULL);
	assert_status(r, 200);
	assert_string_equal(r.body, "");
	r = get(&s, "/healthz");
	assert_string_equal(r.body, "ok\n");
	r = get(&s, "/readyz");
	assert_status(r, 200);
	server_close(&s);
}

TEST(odd_bytes_in_an_address_give_a_problem_in_utf8)
{
	struct server s;
	size_t bad;
	server_open(&s);
	static const char *const odd[] = { "%ff",    "%00",	 "a%2Fb",	 "%2e%2e",
					   "%",	     "%zz",	 "\xc3\xa9",	 "\xff",
					   "%c3%a9", "a%0d%0ab", "%f0%9f%98%80", "\"><script>" };
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		struct reply r = get(&s, arena_printf(&s.arena, "/api/v1/components/%s", odd[i]));
		if (r.status != 404 && r.status != 400)
			fail_msg("%s: %d", odd[i], r.status);
		assert_true(str_is_utf8(str_from(r.body, r.body_len), &bad));
		assert_null(strstr(r.head, "text/html"));
	}
	server_close(&s);
}

TEST(other_sites_may_not_speak_through_a_browser)
{
	struct server s;
	server_open(&s);
	import(&s);
	static const struct {
		const char *headers;
		bool is_refused, is_refused_get;
	} rows[] = {
		{ "", false, false },
		{ "Host: evil.example\r\n", true, true },
		{ "Host: localhost.evil.example\r\n", true, true },
		{ "Host: 127.0.0.1.evil.example:80\r\n", true, true },
		{ "Host: 10.0.0.1\r\n", true, true },
		{ "Host: localhost\r\n", false, false },
		{ "Host: LOCALHOST:8080\r\n", false, false },
		{ "Host: [::1]:8080\r\n", false, false },
		{ "Host: [::2]:8080\r\n", true, true },
		{ "Host: localhost:8080\r\nOrigin: http://localhost:8080\r\n", false, false },
		{ "Host: localhost:8080\r\nOrigin: http://localhost:8081\r\n", true, false },
		{ "Host: localhost:8080\r\nOrigin: http://evil.example\r\n", true, false },
		{ "Host: localhost:8080\r\nOrigin: null\r\n", true, false },
		{ "Sec-Fetch-Site: cross-site\r\n", true, false },
		{ "Sec-Fetch-Site: same-site\r\n", true, false },
		{ "Sec-Fetch-Site: same-origin\r\n", false, false },
		{ "Sec-Fetch-Site: none\r\n", false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *headers = arena_printf(&s.arena, "%s" JSON_TYPE, rows[i].headers);
		struct reply r =
		    ask(&s, "POST", "/api/v1/components/t/dataflows/d/runs", headers, "{\"data\":{\"n\":1}}");
		if (r.status != (rows[i].is_refused ? 403 : 202))
			fail_msg("POST with %s: %d", rows[i].headers, r.status);
		r = ask(&s, "PUT", "/api/v1/components/t", rows[i].headers, "");
		if ((r.status == 403) != rows[i].is_refused)
			fail_msg("PUT with %s: %d", rows[i].headers, r.status);
		r = ask(&s, "GET", "/api/v1/runs", rows[i].headers, NULL);
		if (r.status != (rows[i].is_refused_get ? 403 : 200))
			fail_msg("GET with %s: %d", rows[i].headers, r.status);
		assert_null(strstr(r.head, "Access-Control-Allow"));
		r = ask(&s, "GET", "/runs", rows[i].headers, NULL);
		assert_int_equal(r.status == 403, rows[i].is_refused_get);
	}
	server_close(&s);
}

RUN_TESTS(CLAIM(a_component_is_imported_listed_and_given_back), CLAIM(a_wrong_component_is_refused_with_every_place),
	  CLAIM(a_form_says_what_to_draw), CLAIM(a_submission_answers_with_the_item_and_its_entry),
	  CLAIM(a_run_is_on_disk_when_it_is_accepted_and_waited_for_on_request), CLAIM(runs_are_paged_from_the_newest),
	  CLAIM(items_show_what_went_in_what_was_sent_and_what_came_back),
	  CLAIM(an_item_tells_each_attempt_with_its_reason_its_phases_and_who_judged_it),
	  CLAIM(entries_are_paged_and_found), CLAIM(wrong_methods_and_addresses_are_told_apart),
	  CLAIM(odd_bytes_in_an_address_give_a_problem_in_utf8), CLAIM(other_sites_may_not_speak_through_a_browser))
