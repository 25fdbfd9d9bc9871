/* SPDX-License-Identifier: Apache-2.0 */
/* docs/guide/requests.md: each example's operation and mapping give the request that stands below them. */
#include "call_test.h"

#include <stdio.h>

/* Whatever its id: all files of the guide hold the same. */
static int any_size(struct call_files *files, struct str id, uint64_t *ret, struct err *e)
{
	return test_file_size(files, STR("any"), ret, e);
}

static int any_open(struct call_files *files, struct str id, int *ret_fd, uint64_t *ret_size, struct err *e)
{
	return test_file_open(files, STR("any"), ret_fd, ret_size, e);
}

static const struct test_file any_file = { "any", { "(the bytes of the file)", 23 }, 0 };
static struct test_folder folder = { { any_size, any_open, test_file_close }, &any_file, 1, 0, 0 };

static struct str read_guide(void)
{
	FILE *f = fopen("docs/guide/requests.md", "rb");
	char *text = arena_alloc(&arena, 1u << 17);
	assert_non_null(f);
	size_t n = fread(text, 1, 1u << 17, f);
	(void)fclose(f);
	return str_from(text, n);
}

/* The text of the next block fenced as `label`; *pos behind it. */
static bool next_block(struct str guide, size_t *pos, const char *label, struct str *ret)
{
	const char *open = arena_printf(&arena, "```%s\n", label);
	struct str rest = str_from(guide.ptr + *pos, guide.len - *pos);
	ptrdiff_t start = str_find(rest, str_c(open));
	if (start < 0)
		return false;
	size_t from = *pos + (size_t)start + strlen(open);
	ptrdiff_t end = str_find(str_from(guide.ptr + from, guide.len - from), STR("```"));
	assert_true(end >= 0);
	*ret = str_from(guide.ptr + from, (size_t)end);
	*pos = from + (size_t)end + 3;
	return true;
}

static struct value *parse(struct str text)
{
	struct value *v = arena_alloc(&arena, sizeof(*v));
	struct err e = ERR_INIT;
	if (json_parse(&arena, text, NULL, v, NULL, &e) < 0)
		fail_msg("%s in: %.*s", e.msg, STR_ARG(text));
	return v;
}

/* The request as the guide writes it: no carriage returns, no headers that every request has. */
static struct str render(const struct call_request *r)
{
	struct buf b;
	buf_init(&b, 1u << 16);
	(void)buf_printf(&b, "%s %.*s\n", call_method_name(r->method), STR_ARG(r->url));
	for (size_t i = 0; i < r->headers.n; i++) {
		const struct header *h = &r->headers.items[i];
		if (!str_eq(h->name, STR("Accept")) && !str_eq(h->name, STR("User-Agent")))
			(void)buf_printf(&b, "%.*s: %.*s\n", STR_ARG(h->name), STR_ARG(h->value));
	}
	if (r->body.ptr)
		(void)buf_append_char(&b, '\n');
	for (size_t i = 0; i < r->body.len; i++)
		if (r->body.ptr[i] != '\r')
			(void)buf_append_char(&b, r->body.ptr[i]);
	if (r->body.len && r->body.ptr[r->body.len - 1] != '\n')
		(void)buf_append_char(&b, '\n');
	struct str text = arena_str(&arena, buf_str(&b));
	buf_done(&b);
	return text;
}

static struct str request_of(struct str operation_text, struct str mapping_text)
{
	struct heard h = { "" };
	struct err e = ERR_INIT;
	struct call_request r;
	enum call_method method;
	struct value *operation = parse(operation_text), *mapping = parse(mapping_text);
	struct value *system = parse(str_c(arena_printf(
	    &arena, "{\"base_url\":\"https://api.example.com\",\"connectors\":{\"c\":{\"operations\":[%.*s]}}}",
	    STR_ARG(operation_text))));
	assert_true(call_method_parse(value_text(value_get_c(operation, "method_name")), &method));
	if (call_system_check(system, STR_NULL, hear, &h))
		fail_msg("%s in: %.*s", h.text, STR_ARG(operation_text));
	struct call_spec *s =
	    call_spec_new(&arena, system, STR("s"), STR("c"), value_text(value_get_c(operation, "query_path")), method,
			  STR_NULL, hear, &h);
	if (!s || call_spec_check_mapping(s, mapping, hear, &h))
		fail_msg("%s in: %.*s", h.text, STR_ARG(mapping_text));
	if (call_request_build_files(s, NULL, &folder.face, mapping, STR_NULL, &arena, &r, &e) < 0)
		fail_msg("%s in: %.*s", e.msg, STR_ARG(mapping_text));
	r.body = whole_body(&r, &folder.face);
	return render(&r);
}

TEST(each_example_gives_the_request_below_it)
{
	struct str guide = read_guide(), operation, mapping, expected;
	size_t pos = 0, n = 0;
	for (; next_block(guide, &pos, "json operation", &operation); n++) {
		assert_true(next_block(guide, &pos, "json mapping", &mapping));
		assert_true(next_block(guide, &pos, "http", &expected));
		struct str got = request_of(operation, mapping);
		if (!str_eq(got, expected))
			fail_msg("example %zu gives:\n%.*s", n + 1, STR_ARG(got));
	}
	assert_true(n >= 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CALL_CLAIM(each_example_gives_the_request_below_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
