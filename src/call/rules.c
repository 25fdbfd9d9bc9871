/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of meaning: what an answer means, said by those who know the API. Read once per plan; the first rule that fits
 * decides, the operation's before the connector's before the system's before the shipped ones.
 */
#include "call/rules_int.h"

struct rule_text {
	const struct value *when;
	struct str then, wait_from;
	const struct value *message;
};

struct when_text {
	const struct value *status, *header, *equals, *exists, *error;
	struct str body, matches;
};

#define STATUS_SCHEMA                                                                                                  \
	"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":["           \
	"\"integer\",\"string\"]}}]}"
#define ERROR_SCHEMA "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}"

/* clang-format off */
const struct opt rule_rows[] = {
	OPT_VALUE(struct rule_text, when, OPT_REQUIRED, NULL, "Which answers the rule is for; all that is said must hold."),
	OPT_STRING(struct rule_text, then, OPT_REQUIRED, NULL, 1, 16, "ok, retry, wait, refresh, skip or fail."),
	OPT_VALUE(struct rule_text, message, 0, "{\"type\":\"string\"}", "What people read; {status}, {reason}, {header:NAME} and {body:$.path} are filled in."),
	OPT_STRING(struct rule_text, wait_from, 0, NULL, 0, 128, "Header that says how long to wait."),
	OPT_END,
};

const struct opt rule_when_rows[] = {
	OPT_VALUE(struct when_text, status, 0, STATUS_SCHEMA, "200, 4xx, 500-599, or a list of them."),
	OPT_VALUE(struct when_text, header, 0, "{\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"boolean\"]}}", "Headers by name: a text with * and ?, or true or false for there or not."),
	OPT_STRING(struct when_text, body, 0, NULL, 0, 512, "Path into the body, like $.error.code."),
	OPT_VALUE(struct when_text, equals, 0, NULL, "The value that the path leads to."),
	OPT_STRING(struct when_text, matches, 0, NULL, 0, 512, "Text with * and ? that the value matches."),
	OPT_VALUE(struct when_text, exists, 0, "{\"type\":\"boolean\"}", "Whether the path leads to something other than null."),
	OPT_VALUE(struct when_text, error, 0, ERROR_SCHEMA, "Name of a transfer error, or not_sent, ambiguous, answered, any."),
	OPT_END,
};
/* clang-format on */

/* ---- status ---- */

static bool range_parse(struct str text, struct status_range *ret)
{
	uint64_t from, to;
	struct str rest = text, first = str_split(&rest, '-');
	if (text.len == 3 && text.ptr[0] >= '1' && text.ptr[0] <= '9' &&
	    str_eq_nocase(str_from(text.ptr + 1, 2), STR("xx"))) {
		from = (uint64_t)(text.ptr[0] - '0') * 100;
		to = from + 99;
	} else if (num_parse_u64(str_trim(first), &from) < 0 || from < 100 || from > 999) {
		return false;
	} else if (!rest.ptr) {
		to = from;
	} else if (num_parse_u64(str_trim(rest), &to) < 0 || to < from || to > 999) {
		return false;
	}
	*ret = (struct status_range){ (int)from, (int)to };
	return true;
}

static void statuses_load(struct arena *a, const struct value *v, struct told *t, struct rule *ret)
{
	const struct value *items = value_is(v, VALUE_ARRAY) ? v->items : v;
	size_t n = value_is(v, VALUE_ARRAY) ? v->len : 1;
	if (n == 0 || n > RULE_STATUSES_MAX) {
		tell(t, v, "status", "a rule has 1 to %d statuses", RULE_STATUSES_MAX);
		return;
	}
	ret->statuses = ARENA_ARRAY(a, struct status_range, n);
	for (size_t i = 0; i < n && ret->statuses; i++) {
		bool is_text = value_is(&items[i], VALUE_STRING) || value_is(&items[i], VALUE_NUMBER);
		if (!is_text || !range_parse(value_text(&items[i]), &ret->statuses[ret->n_statuses++]))
			tell(t, &items[i], "status", "a status is written 404, 4xx or 500-599");
	}
}

/* ---- headers ---- */

static struct str lower(struct arena *a, struct str name)
{
	char *out = arena_alloc(a, name.len + 1);
	for (size_t i = 0; out && i < name.len; i++)
		out[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] | 0x20) : name.ptr[i];
	return str_from(out, out ? name.len : 0);
}

static void headers_test_load(struct arena *a, const struct value *v, struct told *t, struct rule *ret)
{
	if (!value_is(v, VALUE_OBJECT) || v->len == 0 || v->len > RULE_HEADERS_MAX) {
		tell(t, v, "header",
		     "header is 1 to %d names with what they are, like { x-ratelimit-remaining: \"0\" }",
		     RULE_HEADERS_MAX);
		return;
	}
	ret->headers = ARENA_ARRAY(a, struct header_test, v->len);
	for (uint32_t i = 0; i < v->len && ret->headers; i++) {
		const struct value *is = &v->members[i].value;
		struct header_test *test = &ret->headers[ret->n_headers++];
		test->name = lower(a, v->members[i].key);
		if (!header_is_token(v->members[i].key))
			tell_named(t, is, v->members[i].key, "\"%.*s\" is no header name",
				   STR_ARG(str_clip(v->members[i].key, 60)));
		test->kind = value_is(is, VALUE_BOOL) ? (is->truth ? TEST_EXISTS : TEST_MISSING) : TEST_MATCHES;
		if (value_is(is, VALUE_STRING) || value_is(is, VALUE_NUMBER))
			test->pattern = value_text(is);
		else if (!value_is(is, VALUE_BOOL))
			tell_named(t, is, v->members[i].key,
				   "a header is tested with a text (* and ? stand for anything), true or false");
	}
}

/* ---- body ---- */

static void body_load(struct arena *a, const struct value *when, const struct when_text *text, struct told *t,
		      struct rule *ret)
{
	struct err e = ERR_INIT;
	bool has_exists = text->exists != NULL;
	int n = (text->equals != NULL) + (text->matches.len > 0) + has_exists;
	if (text->body.len == 0) {
		if (n > 0)
			tell(t, when, "body", "equals, matches and exists need a path; write body: $.error");
		return;
	}
	if (text->body.ptr[0] != '$')
		tell(t, value_get_c(when, "body"), "body", "body is a path into the answer, like $.error.code");
	else if (!(ret->path = call_result_rule_new(a, text->body, &e)))
		tell(t, value_get_c(when, "body"), "body", "%s", e.msg);
	if (n > 1)
		tell(t, when, "body", "one of equals, matches and exists is enough; write two rules");
	if (has_exists && !value_is(text->exists, VALUE_BOOL))
		tell(t, text->exists, "exists", "exists is true or false");
	ret->equals = text->equals;
	ret->pattern = text->matches;
	ret->body = text->equals			 ? TEST_EQUALS
		    : text->matches.len			 ? TEST_MATCHES
		    : has_exists && !text->exists->truth ? TEST_MISSING
							 : TEST_EXISTS;
}

/* ---- errors ---- */

static bool error_load(struct str name, struct rule *ret)
{
	static const char *const names[] = {
#define X(name, text) text,
		HTTP_ERRORS(X)
#undef X
	};
	static const char *const classes[] = { "not_sent", "ambiguous", "answered" };
	if (str_eq(name, STR("any"))) {
		ret->certainties = BIT(ARRAY_LEN(classes)) - 1;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (str_eq_c(name, classes[i]))
			return ret->certainties |= BIT(i);
	for (size_t i = 1; i < ARRAY_LEN(names); i++)
		if (str_eq_c(name, names[i]))
			return ret->errors |= UINT64_C(1) << i;
	return false;
}

static void errors_load(const struct value *v, struct told *t, struct rule *ret)
{
	const struct value *items = value_is(v, VALUE_ARRAY) ? v->items : v;
	size_t n = value_is(v, VALUE_ARRAY) ? v->len : 1;
	if (n == 0)
		tell(t, v, "error", "name an error, like connect_refused, not_sent or any");
	for (size_t i = 0; i < n; i++)
		if (!value_is(&items[i], VALUE_STRING) || !error_load(value_text(&items[i]), ret))
			tell(t, &items[i], "error",
			     "an error is not_sent, ambiguous, answered, any, or a name like connect_refused, "
			     "dns_not_found, tls_cert, truncated, total_timeout");
}

/* ---- a rule ---- */

void rule_when_load(struct arena *a, const struct value *when, struct told *t, struct rule *ret)
{
	struct when_text text = { 0 };
	if (!value_is(when, VALUE_OBJECT) || when->len == 0) {
		tell(t, when, "when", "when says which answers: status, header, body or error");
		return;
	}
	told_load(rule_when_rows, when, &text, t);
	if (text.status)
		statuses_load(a, text.status, t, ret);
	if (text.header)
		headers_test_load(a, text.header, t, ret);
	body_load(a, when, &text, t, ret);
	if (text.error)
		errors_load(text.error, t, ret);
	if (text.error && (text.status || text.header || text.body.len))
		tell(t, text.error, "error",
		     "where there is an error there is no answer to look at; write one rule for each");
}

static void rule_load(struct arena *a, const struct value *v, struct told *t, struct rule *ret)
{
	static const char *const thens[] = { "ok", "retry", "wait", "refresh", "skip", "fail" };
	struct rule_text text = { 0 };
	size_t i = 0;
	if (!value_is(v, VALUE_OBJECT)) {
		tell(t, v, "rules", "a rule is an object like { when: { status: 404 }, then: skip }");
		return;
	}
	told_load(rule_rows, v, &text, t);
	if (text.when)
		rule_when_load(a, text.when, t, ret);
	while (i < ARRAY_LEN(thens) && !str_eq_c(text.then, thens[i]))
		i++;
	if (i == ARRAY_LEN(thens) && text.then.len)
		tell(t, value_get_c(v, "then"), "then", "then is ok, retry, wait, refresh, skip or fail");
	ret->then = (enum rule_then)i;
	if ((ret->errors || ret->certainties) && ret->then == THEN_OK)
		tell(t, value_get_c(v, "then"), "then",
		     "an error brings no result that could be ok; write skip or fail");
	if (text.wait_from.len && (ret->then != THEN_WAIT && ret->then != THEN_RETRY))
		tell(t, value_get_c(v, "wait_from"), "wait_from", "wait_from belongs to then: wait or then: retry");
	if (text.wait_from.len && !header_is_token(text.wait_from))
		tell(t, value_get_c(v, "wait_from"), "wait_from", "wait_from is the name of a header");
	ret->wait_from = lower(a, text.wait_from);
	if (text.message && !value_is(text.message, VALUE_STRING))
		tell(t, text.message, "message", "a message is a text");
	else if (text.message)
		message_load(a, text.message, t, ret);
}

void rules_load(struct arena *a, const struct value *list, struct told *t, struct rules *ret)
{
	if (!list)
		return;
	if (!value_is(list, VALUE_ARRAY) || list->len > RULES_MAX) {
		tell(t, list, "rules", "rules are a list of at most %d, like [{ when: { status: 404 }, then: skip }]",
		     RULES_MAX);
		return;
	}
	struct rule *items = ARENA_ARRAY(a, struct rule, list->len + 1);
	if (!items) {
		tell(t, list, "rules", "out of memory");
		return;
	}
	for (uint32_t i = 0; i < list->len; i++)
		rule_load(a, &list->items[i], t, &items[i]);
	*ret = (struct rules){ items, list->len };
}

/* ---- matching ---- */

static char folded(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

bool pattern_matches(struct str pattern, struct str text)
{
	size_t p = 0, i = 0, star = SIZE_MAX, resume = 0;
	while (i < text.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			resume = i;
		} else if (p < pattern.len &&
			   (pattern.ptr[p] == '?' || folded(pattern.ptr[p]) == folded(text.ptr[i]))) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}

static bool status_fits(const struct rule *r, int status)
{
	for (size_t i = 0; i < r->n_statuses; i++)
		if (status >= r->statuses[i].from && status <= r->statuses[i].to)
			return true;
	return r->n_statuses == 0;
}

static bool header_fits(const struct header_test *test, const struct call_answer *x)
{
	for (uint32_t i = 0; i < x->headers.len; i++) {
		if (!value_is_string(value_at(&x->headers.items[i], 0), test->name))
			continue;
		struct str text = str_trim(value_text(value_at(&x->headers.items[i], 1)));
		if (test->kind == TEST_MISSING)
			return false;
		if (test->kind == TEST_EXISTS || pattern_matches(test->pattern, str_clip(text, RULE_MATCH_MAX)))
			return true;
	}
	return test->kind == TEST_MISSING;
}

static bool numbers_are_equal(const struct value *x, const struct value *y)
{
	int64_t m, n;
	return value_to_int64(x, &m) && value_to_int64(y, &n) && m == n;
}

static bool value_fits(const struct rule *r, const struct value *v)
{
	struct str text;
	if (r->body == TEST_EQUALS)
		return value_eq(v, r->equals) || numbers_are_equal(v, r->equals);
	return scalar_text(v, &text) && pattern_matches(r->pattern, str_clip(text, RULE_MATCH_MAX));
}

/* Of a list, one member that fits is enough; an empty one is nothing. */
static bool body_fits(const struct rule *r, struct judging *j)
{
	struct value room;
	const struct value *found = judging_follow(j, r->path, &room);
	bool is_list = value_is(found, VALUE_ARRAY), is_nothing = value_is_nothing(found) || (is_list && !found->len);
	if (r->body == TEST_EXISTS || r->body == TEST_MISSING)
		return is_nothing == (r->body == TEST_MISSING);
	if (!found || value_fits(r, found))
		return found;
	for (uint32_t i = 0; is_list && i < found->len; i++)
		if (value_fits(r, &found->items[i]))
			return true;
	return false;
}

bool rule_fits(const struct rule *r, struct judging *j)
{
	const struct call_answer *x = j->x;
	bool is_for_error = r->errors || r->certainties;
	if (x->error != HTTP_ERROR_NONE)
		return is_for_error &&
		       ((r->errors & (UINT64_C(1) << x->error)) || (r->certainties & BIT(x->certainty)));
	if (is_for_error || !status_fits(r, x->status))
		return false;
	for (size_t i = 0; i < r->n_headers; i++)
		if (!header_fits(&r->headers[i], x))
			return false;
	return !r->path || body_fits(r, j);
}

struct decision rules_decide(struct judging *j)
{
	const struct call_spec *s = j->spec;
	const struct {
		const struct rules *rules;
		const char *owner;
	} lists[] = { { &s->op.rules, "operation" },
		      { &s->system.connector_rules, "connector" },
		      { &s->system.rules, "system" } };
	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		for (size_t i = 0; i < lists[k].rules->n; i++)
			if (rule_fits(&lists[k].rules->items[i], j))
				return (struct decision){ .then = lists[k].rules->items[i].then,
							  .rule = &lists[k].rules->items[i],
							  .owner = lists[k].owner,
							  .number = i + 1 };
	return rules_default_decide(s, j->x);
}
