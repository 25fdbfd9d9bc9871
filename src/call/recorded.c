/* SPDX-License-Identifier: Apache-2.0 */
/* Answers out of a file take the way that those out of the ledger take. */
#include "call/recorded.h"
#include "call/call_int.h"

struct recording {
	struct arena a;
	struct value line;
	struct call_spec *spec;
	struct call_answer x;
	struct err e;
};

static void first_complaint(void *arg, const struct value *at, const char *field, const char *sentence)
{
	struct err *e = arg;
	if (!e->code)
		(void)err_set(e, ERR_INVALID, "%s", sentence);
}

static struct str text_member(const struct value *v, const char *name)
{
	const struct value *found = value_get_c(v, name);
	return value_is(found, VALUE_STRING) ? value_text(found) : STR_NULL;
}

static int read_spec(struct recording *r, const struct value *systems, struct str env)
{
	const struct value *op = value_get_c(&r->line, "operation");
	struct str name = text_member(op, "system"), method = text_member(op, "method_name");
	const struct value *system = value_get(systems, name);
	enum call_method m;
	if (!value_is(op, VALUE_OBJECT))
		return err_set(&r->e, ERR_INVALID,
			       "operation is missing; write { system, connector, method_name, query_path }");
	if (!system)
		return err_set(&r->e, ERR_INVALID, "there is no system \"%.*s\"", STR_ARG(str_clip(name, 60)));
	if (!call_method_parse(method, &m))
		return err_set(&r->e, ERR_INVALID, "method_name \"%.*s\" is not known", STR_ARG(str_clip(method, 60)));
	r->spec = call_spec_new(&r->a, system, name, text_member(op, "connector"), text_member(op, "query_path"), m,
				env, first_complaint, &r->e);
	if (!r->spec && !r->e.code)
		return err_set(&r->e, ERR_INVALID, "the operation cannot be used");
	return r->spec ? 0 : r->e.code;
}

static void write_pair(struct buf *b, struct str name, const struct value *v)
{
	struct str text = STR_NULL;
	(void)scalar_text(v, &text);
	if (b->len && b->ptr[b->len - 1] == ']')
		(void)buf_append_char(b, ',');
	(void)buf_append_char(b, '[');
	size_t from = b->len;
	(void)json_write_string(b, name);
	for (size_t i = from; i < b->len; i++)
		b->ptr[i] = b->ptr[i] >= 'A' && b->ptr[i] <= 'Z' ? (char)(b->ptr[i] | 0x20) : b->ptr[i];
	(void)buf_append_char(b, ',');
	(void)json_write_string(b, text);
	(void)buf_append_char(b, ']');
}

/* The head as the ledger has it. */
static void write_head(struct recording *r, struct buf *head)
{
	const struct value *headers = value_get_c(&r->line, "headers");
	struct str error = text_member(&r->line, "error"), certainty = text_member(&r->line, "certainty");
	auto_buf struct buf pairs = { .max = 4u << 20 };
	for (uint32_t i = 0; value_is(headers, VALUE_OBJECT) && i < headers->len; i++) {
		const struct member *m = &headers->members[i];
		bool is_list = m->value.kind == VALUE_ARRAY;
		for (uint32_t k = 0; is_list && k < m->value.len; k++)
			write_pair(&pairs, m->key, &m->value.items[k]);
		if (!is_list)
			write_pair(&pairs, m->key, &m->value);
	}
	(void)buf_append_c(head, "{\"headers\":[");
	(void)buf_append_str(head, buf_str(&pairs));
	(void)buf_append_c(head, "],\"timings\":{}");
	if (error.len) {
		(void)buf_append_c(head, ",\"detail\":\"recorded\",\"error\":");
		(void)json_write_string(head, error);
		(void)buf_append_c(head, ",\"certainty\":");
		(void)json_write_string(head, certainty.len ? certainty : STR("ambiguous"));
	}
	(void)buf_append_char(head, '}');
	head->failed = pairs.failed ? pairs.failed : head->failed;
}

static int read_answer(struct recording *r)
{
	const struct value *status = value_get_c(&r->line, "status"), *body = value_get_c(&r->line, "body");
	auto_buf struct buf head = { .max = 4u << 20 }, written = { .max = 64u << 20 };
	struct str bytes = value_is(body, VALUE_STRING) ? value_text(body) : STR_NULL;
	int64_t n = 0;
	bool has_error = text_member(&r->line, "error").len > 0;
	if (!has_error && (!status || !value_to_int64(status, &n) || n < 100 || n > 999))
		return err_set(&r->e, ERR_INVALID, "status is a number like 404, or error a name like connect_refused");
	if (body && !bytes.ptr && body->kind != VALUE_NULL) {
		(void)json_write(&written, body, JSON_COMPACT);
		bytes = arena_str(&r->a, buf_str(&written));
	}
	write_head(r, &head);
	if (!buf_ok(&head) || !buf_ok(&written))
		return err_set(&r->e, ERR_LIMIT, "the answer is too large");
	if (call_answer_read(buf_str(&head), (int)n, bytes, &r->a, &r->x, &r->e) < 0)
		return err_set(&r->e, ERR_INVALID,
			       "headers are an object of name: text; error and certainty are names that Weir knows");
	r->x.is_range_asked = true; /* what was asked is not recorded: the benefit of the doubt */
	return 0;
}

static bool check_line(struct recording *r, const struct value *systems, struct str env, struct str text,
		       struct call_recorded *ret)
{
	struct call_judgement j;
	if (json_parse(&r->a, text, NULL, &r->line, NULL, &r->e) < 0 || read_spec(r, systems, env) < 0 ||
	    read_answer(r) < 0) {
		ret->mistake = r->e.msg;
		return false;
	}
	(void)call_judge_full(r->spec, call_result_rule_new(&r->a, STR("auto"), NULL), &r->x, &r->a, &j);
	ret->operation = call_spec_summary(r->spec, &r->a);
	ret->verdict = j.verdict;
	ret->rule = j.rule;
	ret->message = j.message;
	ret->wait_ms = j.wait_ms;
	ret->expected = text_member(&r->line, "expect");
	ret->holds = !ret->expected.ptr || str_eq_c(ret->expected, call_verdict_name(j.verdict));
	return ret->holds;
}

unsigned call_recorded_check(const struct value *systems, struct str env, struct str text, call_recorded_tell *each,
			     void *arg)
{
	unsigned wrong = 0, number = 0;
	while (text.ptr) {
		struct str line = str_split(&text, '\n');
		struct call_recorded told = { .line = ++number };
		struct recording r = { .e = ERR_INIT };
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		if (str_trim(line).len == 0)
			continue;
		arena_init(&r.a, 0);
		wrong += !check_line(&r, systems, env, line, &told);
		each(arg, &told);
		arena_done(&r.a);
	}
	return wrong;
}
