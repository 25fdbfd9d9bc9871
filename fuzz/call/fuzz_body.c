/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies out of any values: a multipart body is read again by a reader that knows nothing of its writer and has as many
 * parts as were mapped, XML out of a template is XML, the same item gives the same bytes, and the shadow is JSON.
 * Input: a byte of choices, a line that is the template, then the mapped values as JSON.
 */
#include "call/body_int.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* A folder where each id names a file that holds the id. */
static int file_size(struct call_files *files, struct str id, uint64_t *ret, struct err *e)
{
	if (str_find_char(id, '/') >= 0 || str_starts(id, STR(".")) || str_find_char(id, '\0') >= 0)
		abort();
	*ret = id.len;
	return 0;
}

/* The body as it would be sent; false when the memory of one input is used up. */
static bool make_whole(struct arena *a, struct call_request *r)
{
	auto_buf struct buf b = { .max = 1u << 26 };
	if (r->n_pieces && r->body.ptr)
		abort();
	for (size_t i = 0; i < r->n_pieces; i++) {
		const struct call_piece *p = &r->pieces[i];
		if ((p->bytes.ptr ? p->bytes.len : p->file.len) != p->len || p->len == 0)
			abort();
		(void)buf_append_str(&b, p->bytes.ptr ? p->bytes : p->file);
	}
	if (r->n_pieces)
		r->body = arena_str(a, buf_str(&b));
	return buf_ok(&b) && (!r->n_pieces || r->body.ptr);
}

static const char *const kinds[] = { "multipart/form-data",  "text/xml",
				     "application/soap+xml", "image/*",
				     "text/plain",	     "image/png",
				     "application/json",     "application/x-www-form-urlencoded" };

/* NULL when the template is no UTF-8. */
static const struct value *system_of(struct arena *a, unsigned choice, struct str template)
{
	auto_buf struct buf b = { .max = 1u << 20 };
	struct value *v = arena_alloc(a, sizeof(*v));
	(void)buf_append_c(&b, "{\"base_url\":\"https://h\",\"connectors\":{\"c\":{\"operations\":[{\"method_name\":"
			       "\"POST\",\"query_path\":\"/\",");
	if (choice & 8) {
		(void)buf_append_c(&b, "\"graphql\":{");
		if (template.len) {
			(void)buf_append_c(&b, "\"query\":");
			(void)json_write_string(&b, template);
		}
	} else {
		(void)buf_printf(&b, "\"request_body\":{\"content_type\":\"%s\"", kinds[choice & 7]);
		if ((choice & 7) == 1 || (choice & 7) == 2) {
			(void)buf_append_c(&b, ",\"template\":");
			(void)json_write_string(&b, template);
		}
	}
	(void)buf_append_c(&b, "}}]}}}");
	struct str text = arena_str(a, buf_str(&b));
	return v && text.ptr && json_parse(a, text, NULL, v, NULL, NULL) == 0 ? v : NULL;
}

/* ---- multipart, read again ---- */

static size_t parts_of(const struct value *v)
{
	size_t n = 0;
	if (value_is_nothing(v))
		return 0;
	if (!value_is(v, VALUE_ARRAY))
		return 1;
	for (uint32_t i = 0; i < v->len; i++)
		n += !value_is_nothing(&v->items[i]);
	return n;
}

/* The head of a part: a disposition, perhaps a type, nothing else. */
static void check_head(struct str head)
{
	size_t lines = 0;
	while (head.ptr) {
		ptrdiff_t end = str_find(head, STR("\r\n"));
		struct str line = end < 0 ? head : str_from(head.ptr, (size_t)end);
		head = end < 0 ? STR_NULL : str_from(head.ptr + end + 2, head.len - (size_t)end - 2);
		struct str known = lines == 0 ? STR("Content-Disposition: form-data; name=\"") : STR("Content-Type: ");
		if (!str_starts(line, known) || str_find_char(line, '\r') >= 0 || str_find_char(line, '\n') >= 0 ||
		    (lines == 0 && !str_ends(line, STR("\""))) || lines > 1)
			abort();
		lines++;
	}
}

static void check_multipart(struct arena *a, const struct call_request *r, size_t expected)
{
	struct str type = headers_get(&r->headers, STR("Content-Type"));
	struct str boundary = header_parameter(a, type, STR("boundary")), rest = r->body;
	struct str line = str_c(arena_printf(a, "--%.*s", STR_ARG(boundary)));
	size_t n = 0;
	if (!boundary.len || !str_starts(rest, line))
		abort();
	for (;; n++) {
		rest = str_from(rest.ptr + line.len, rest.len - line.len);
		if (str_eq(rest, STR("--\r\n")))
			break;
		ptrdiff_t next = str_find(rest, line), head = str_find(rest, STR("\r\n\r\n"));
		if (!str_starts(rest, STR("\r\n")) || next < 2 || head < 2 || head + 4 > next - 2 ||
		    memcmp(rest.ptr + next - 2, "\r\n", 2) != 0)
			abort();
		check_head(str_from(rest.ptr + 2, (size_t)head - 2));
		rest = str_from(rest.ptr + next, rest.len - (size_t)next);
	}
	if (n != expected)
		abort();
}

/* What came out of a template is a template without slots. */
static void check_xml(struct arena *a, struct str body)
{
	char *copy = arena_c(a, body);
	for (size_t i = 0; copy && i < body.len; i++)
		copy[i] = copy[i] == '{' ? '(' : copy[i];
	if (copy && !body_template_new(a, str_from(copy, body.len), NULL))
		abort();
}

static void check_request(struct arena *a, const struct call_spec *s, const struct call_request *r,
			  const struct value *parameters)
{
	struct value shown;
	size_t parts = 0;
	for (size_t i = 0; i < r->headers.n; i++)
		if (!header_is_token(r->headers.items[i].name) || !header_value_is_clean(r->headers.items[i].value))
			abort();
	if (json_parse(a, r->masked, NULL, &shown, NULL, NULL) < 0)
		abort();
	if (!r->body.ptr)
		return;
	for (uint32_t i = 0; i < parameters->len; i++)
		parts += parts_of(&parameters->members[i].value);
	if (s->op.graphql && (json_parse(a, r->body, NULL, &shown, NULL, NULL) < 0 || !value_get_c(&shown, "query")))
		abort();
	else if (!s->op.graphql && s->op.body_kind == SEND_MULTIPART)
		check_multipart(a, r, parts);
	else if (s->op.body_template)
		check_xml(a, r->body);
}

/* Rows that go elsewhere than to a member are another target's business. */
static bool is_plain(const struct value *parameters)
{
	if (!value_is(parameters, VALUE_OBJECT))
		return false;
	for (uint32_t i = 0; i < parameters->len; i++)
		if (str_eq_c(parameters->members[i].key, "body") || str_find_char(parameters->members[i].key, '.') >= 0)
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	auto_arena struct arena a = { 0 };
	struct call_files files = { .size = file_size };
	struct call_request one, two;
	struct value parameters;
	if (n < 2)
		return 0;
	arena_init(&a, 0);
	struct str rest = str_from((const char *)bytes + 1, n - 1), template = str_split(&rest, '\n');
	if (json_parse(&a, rest, NULL, &parameters, NULL, NULL) < 0 || !is_plain(&parameters))
		return 0;
	const struct value *system = system_of(&a, bytes[0], template);
	if (!system)
		return 0;
	(void)call_system_check(system, STR_NULL, NULL, NULL);
	const struct call_spec *s =
	    call_spec_new(&a, system, STR("s"), STR("c"), STR("/"), CALL_POST, STR_NULL, NULL, NULL);
	if (!s)
		return 0;
	(void)call_spec_check_mapping(s, &parameters, NULL, NULL);
	if (call_request_build_files(s, NULL, &files, &parameters, STR_NULL, &a, &one, NULL) < 0)
		return 0;
	if (call_request_build_files(s, NULL, &files, &parameters, STR_NULL, &a, &two, NULL) < 0 ||
	    !str_eq(one.masked, two.masked))
		abort();
	if (!make_whole(&a, &one) || !make_whole(&a, &two))
		return 0;
	if (!str_eq(one.body, two.body))
		abort();
	check_request(&a, s, &one, &parameters);
	return 0;
}
