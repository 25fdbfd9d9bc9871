/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: conditions, comparisons and functions, and whether their types fit (RFC 9535 sections 2.3.5 and 2.4). */
#include "base/jsonpath_int.h"
#include "base/number.h"

static const struct jp_function functions[] = {
	{ "length", JP_LENGTH, JP_TYPE_VALUE, 1, { JP_TYPE_VALUE }, "length(@.name)" },
	{ "count", JP_COUNT, JP_TYPE_VALUE, 1, { JP_TYPE_NODES }, "count(@.list[*])" },
	{ "value", JP_VALUE, JP_TYPE_VALUE, 1, { JP_TYPE_NODES }, "value(@..name)" },
	{ "match", JP_MATCH, JP_TYPE_LOGICAL, 2, { JP_TYPE_VALUE, JP_TYPE_VALUE }, "match(@.name, 'A.*')" },
	{ "search", JP_SEARCH, JP_TYPE_LOGICAL, 2, { JP_TYPE_VALUE, JP_TYPE_VALUE }, "search(@.name, 'a|b')" },
};

static bool is_word_byte(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (!is_first && (c == '_' || (c >= '0' && c <= '9')));
}

static bool takes_pattern(const struct jp_function *f)
{
	return f->id == JP_MATCH || f->id == JP_SEARCH;
}

/* An argument against its parameter (RFC 9535 section 2.4.3). */
static int check_argument(struct jp_parser *p, size_t at, const struct jp_function *f, unsigned i,
			  const struct jp_term *t)
{
	if (f->arg_types[i] == JP_TYPE_NODES)
		return t->kind == JP_QUERY ? 0 : jp_fail(p, at, "%s() takes a path; write %s", f->name, f->example);
	if (t->kind == JP_QUERY && !t->query.is_singular)
		return jp_fail(p, at, "%s() takes one value, and this path may lead to many; write %s", f->name,
			       f->example);
	if (t->kind == JP_CALL && t->call->function->result != JP_TYPE_VALUE)
		return jp_fail(p, at, "%s() takes a value, and %s() gives none; write %s", f->name,
			       t->call->function->name, f->example);
	return 0;
}

/* Behind "(". Leaves the parser behind ")". */
static int parse_arguments(struct jp_parser *p, size_t start, struct jp_call *call)
{
	const struct jp_function *f = call->function;
	for (unsigned i = 0; i < f->args; i++) {
		jp_blanks(p);
		size_t at = p->pos;
		if (jp_peek(p) == ')')
			return jp_fail(p, start, "%s() takes %u argument%s; write %s", f->name, f->args,
				       f->args == 1 ? "" : "s", f->example);
		if (jp_peek(p) == '(' || jp_peek(p) == '!')
			return jp_fail(p, at, "an argument is a value or a path, no condition; write %s", f->example);
		int r = jp_parse_term(p, &call->args[i]);
		if (r == 0)
			r = check_argument(p, at, f, i, &call->args[i]);
		if (r < 0)
			return r;
		jp_blanks(p);
		if (i + 1 < f->args && !jp_take(p, ','))
			return jp_fail(p, p->pos, "%s() takes %u arguments with a comma between; write %s", f->name,
				       f->args, f->example);
	}
	if (jp_take(p, ')'))
		return 0;
	if (jp_peek(p) == ',')
		return jp_fail(p, start, "%s() takes %u argument%s; write %s", f->name, f->args,
			       f->args == 1 ? "" : "s", f->example);
	return jp_fail(p, p->pos, "\")\" is missing; write %s", f->example);
}

/* A pattern that stands in the query is compiled with it. A wrong one is lawful and matches nothing (section 2.4.6):
 * noted as doubt. */
static int compile_pattern(struct jp_parser *p, struct jp_call *call)
{
	const struct jp_term *t = &call->args[1];
	struct regex *regex = NULL;
	struct err e = ERR_INIT;
	if (!takes_pattern(call->function) || t->kind != JP_LITERAL || t->literal.kind != VALUE_STRING)
		return 0;
	int r = regex_compile(p->arena, value_text(&t->literal), &regex, &e);
	if (r == -ERR_INVALID && !p->doubt.ptr) {
		p->doubt = arena_str(p->arena, str_c(e.msg));
		return p->doubt.ptr ? 0 : jp_no_memory(p);
	}
	call->regex = regex;
	return r < 0 && r != -ERR_INVALID ? err_set(p->e, -r, "%s", e.msg) : 0;
}

/* Behind the name, at "(". */
static int parse_call(struct jp_parser *p, size_t start, struct str name, struct jp_call **ret)
{
	struct jp_call *call = ARENA_NEW(p->arena, struct jp_call);
	if (!call)
		return jp_no_memory(p);
	for (size_t i = 0; i < ARRAY_LEN(functions); i++)
		if (str_eq_c(name, functions[i].name))
			call->function = &functions[i];
	if (!call->function)
		return jp_fail(p, start, "no such function; there are length, count, value, match and search");
	int r = jp_enter(p);
	p->pos++;
	if (r == 0)
		r = parse_arguments(p, start, call);
	if (r == 0)
		r = compile_pattern(p, call);
	p->nesting--;
	*ret = call;
	return r;
}

/* true, false, null or a function. */
static int parse_word(struct jp_parser *p, struct jp_term *ret)
{
	size_t start = p->pos;
	while (is_word_byte(jp_peek(p), p->pos == start))
		p->pos++;
	struct str word = str_from(p->text.ptr + start, p->pos - start);
	if (word.len && jp_peek(p) == '(') {
		ret->kind = JP_CALL;
		return parse_call(p, start, word, &ret->call);
	}
	ret->kind = JP_LITERAL;
	if (str_eq_c(word, "true") || str_eq_c(word, "false"))
		ret->literal = value_bool(word.len == 4);
	else if (str_eq_c(word, "null"))
		ret->literal = value_null();
	else
		return jp_fail(
		    p, start,
		    "neither a value nor a path; write @.name, 'text', 12, true, false, null or length(@.name)");
	return 0;
}

int jp_parse_term(struct jp_parser *p, struct jp_term *ret)
{
	char c = jp_peek(p);
	*ret = (struct jp_term){ .kind = JP_LITERAL };
	if (c == '@' || c == '$') {
		ret->kind = JP_QUERY;
		return jp_parse_query(p, &ret->query);
	}
	if (c == '"' || c == '\'') {
		struct str text;
		int r = jp_parse_string(p, &text);
		if (r == 0)
			ret->literal = value_string(text);
		return r;
	}
	if (c != '-' && !number_is_digit(c))
		return parse_word(p, ret);
	const char *start = p->text.ptr + p->pos, *bad = start, *end = number_end(start, p->text.ptr + p->text.len, &bad);
	if (!end)
		return jp_fail(p, (size_t)(bad - p->text.ptr), "a digit is missing; write numbers like -1, 0.5 or 1e3");
	ret->literal = value_number_text(str_from(start, (size_t)(end - start)));
	p->pos += (size_t)(end - start);
	return 0;
}

/* ---- conditions ---- */

static struct jp_test *test_new(struct jp_parser *p, enum jp_test_kind kind)
{
	struct jp_test *t = ARENA_NEW(p->arena, struct jp_test);
	if (!t)
		(void)jp_no_memory(p);
	else
		t->kind = kind;
	return t;
}

static enum jp_operator take_operator(struct jp_parser *p)
{
	static const struct {
		const char *text;
		enum jp_operator operator;
	} rows[] = {
		{ "==", JP_EQ }, { "!=", JP_NE }, { "<=", JP_LE }, { ">=", JP_GE }, { "<", JP_LT }, { ">", JP_GT }
	};
	struct str rest = str_from(p->text.ptr + p->pos, p->text.len - p->pos);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_starts(rest, str_c(rows[i].text))) {
			p->pos += strlen(rows[i].text);
			return rows[i].operator;
		}
	return JP_NO_OPERATOR;
}

/* A side of a comparison is one value (RFC 9535 section 2.3.5.1). */
static int check_side(struct jp_parser *p, size_t at, const struct jp_term *t)
{
	if (t->kind == JP_QUERY && !t->query.is_singular)
		return jp_fail(p, at,
			       "this path may lead to many values and cannot be compared; write one like @.a[0], or "
			       "count(), or value()");
	if (t->kind == JP_CALL && t->call->function->result != JP_TYPE_VALUE)
		return jp_fail(
		    p, at, "%s() is true or false already and cannot be compared; write it alone, or with ! before it",
		    t->call->function->name);
	return 0;
}

/* A path or a function that stands alone. */
static int alone(struct jp_parser *p, size_t at, const struct jp_term *term, struct jp_test **ret)
{
	if (jp_peek(p) == '=')
		return jp_fail(p, p->pos, "write == to compare");
	if (term->kind == JP_LITERAL)
		return jp_fail(p, at, "a value alone is no condition; compare it, as in @.a == 1");
	if (term->kind == JP_CALL && term->call->function->result == JP_TYPE_VALUE)
		return jp_fail(p, at, "%s() alone is no condition; compare it, as in %s == 1",
			       term->call->function->name, term->call->function->example);
	*ret = test_new(p, term->kind == JP_CALL ? JP_MATCHES : JP_EXISTS);
	if (!*ret)
		return -ERR_NO_MEMORY;
	(*ret)->left = *term;
	return 0;
}

/* A comparison, or a path or function that stands alone. */
static int parse_plain(struct jp_parser *p, bool is_negated, struct jp_test **ret)
{
	size_t left_at = p->pos;
	struct jp_term left;
	int r = jp_parse_term(p, &left);
	if (r < 0)
		return r;
	jp_blanks(p);
	size_t operator_at = p->pos;
	enum jp_operator operator= take_operator(p);
	if (operator== JP_NO_OPERATOR)
		return alone(p, left_at, &left, ret);
	if (is_negated)
		return jp_fail(p, operator_at,
			       "! binds tighter than a comparison; write !(...), or the opposite operator");
	struct jp_test *t = test_new(p, JP_COMPARE);
	if (!t)
		return -ERR_NO_MEMORY;
	jp_blanks(p);
	size_t right_at = p->pos;
	t->operator= operator;
	t->left = left;
	r = jp_parse_term(p, &t->right);
	if (r == 0)
		r = check_side(p, left_at, &t->left);
	if (r == 0)
		r = check_side(p, right_at, &t->right);
	*ret = t;
	return r;
}

static int parse_parenthesis(struct jp_parser *p, struct jp_test **ret)
{
	p->pos++;
	jp_blanks(p);
	int r = jp_parse_test(p, ret);
	if (r < 0)
		return r;
	jp_blanks(p);
	if (!jp_take(p, ')'))
		return jp_fail(p, p->pos, "\")\" is missing; write it behind the condition");
	jp_blanks(p);
	size_t at = p->pos;
	if (take_operator(p) != JP_NO_OPERATOR)
		return jp_fail(p, at, "a condition in parentheses cannot be compared; compare the values inside");
	return 0;
}

static int parse_basic(struct jp_parser *p, struct jp_test **ret)
{
	bool is_negated = jp_take(p, '!');
	if (is_negated)
		jp_blanks(p);
	int r = jp_peek(p) == '(' ? parse_parenthesis(p, ret) : parse_plain(p, is_negated, ret);
	if (r == 0)
		(*ret)->is_negated ^= is_negated;
	return r;
}

typedef int parse_operand(struct jp_parser *p, struct jp_test **ret);

/* Operands with `sign` twice between them; one alone stays what it is. */
static int parse_list(struct jp_parser *p, enum jp_test_kind kind, char sign, parse_operand *operand,
		      struct jp_test **ret)
{
	struct jp_test *one, *list, **last;
	int r = operand(p, &one);
	if (r < 0)
		return r;
	*ret = one;
	jp_blanks(p);
	if (jp_peek(p) != sign)
		return 0;
	list = test_new(p, kind);
	if (!list)
		return -ERR_NO_MEMORY;
	list->first = one;
	last = &one->next;
	while (jp_take(p, sign)) {
		if (!jp_take(p, sign))
			return jp_fail(p, p->pos - 1, "write %c%c between conditions", sign, sign);
		jp_blanks(p);
		if ((r = operand(p, last)) < 0)
			return r;
		last = &(*last)->next;
		jp_blanks(p);
	}
	*ret = list;
	return 0;
}

static int parse_and(struct jp_parser *p, struct jp_test **ret)
{
	return parse_list(p, JP_AND, '&', parse_basic, ret);
}

int jp_parse_test(struct jp_parser *p, struct jp_test **ret)
{
	int r = jp_enter(p);
	if (r == 0)
		r = parse_list(p, JP_OR, '|', parse_and, ret);
	p->nesting--;
	return r;
}
