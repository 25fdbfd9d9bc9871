/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of an answer is the result: by a word, or by a path of names and numbers. */
#include "call/call_int.h"

#define RULE_STEPS_MAX 32 /* parts of one path */

struct rule_step {
	struct str name;
	bool is_index;
	int64_t index; /* negative counts from the end */
};

struct call_result_rule {
	enum rule_kind kind;
	struct rule_step *steps;
	size_t n;
};

enum rule_kind rule_kind_of(const struct call_result_rule *rule)
{
	return rule->kind;
}

static bool is_name_byte(char c, bool is_first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (unsigned char)c >= 0x80 ||
	       (!is_first && c >= '0' && c <= '9');
}

/* Behind a dot. *pos moves behind the name. */
static int read_dotted(struct str text, size_t *pos, struct rule_step *ret, struct err *e)
{
	size_t start = *pos, end = start;
	while (end < text.len && is_name_byte(text.ptr[end], end == start))
		end++;
	if (end == start && start < text.len && text.ptr[start] == '.')
		return err_set(e, ERR_INVALID, "\"..\" (descendants) is not supported yet; write the whole path");
	if (end == start && start < text.len && text.ptr[start] == '*')
		return err_set(e, ERR_INVALID, "\"*\" (wildcards) is not supported yet; a path leads to one value");
	if (end == start)
		return err_set(e, ERR_INVALID, "path \"%.*s\": a name is missing at offset %zu", STR_ARG(text), start);
	*ret = (struct rule_step){ .name = str_from(text.ptr + start, end - start) };
	*pos = end;
	return 0;
}

/* 'a b' or "a b"; a backslash keeps the quote or backslash behind it. */
static int read_quoted(struct arena *a, struct str text, size_t *pos, struct rule_step *ret, struct err *e)
{
	char quote = text.ptr[(*pos)++];
	char *name = arena_alloc(a, text.len);
	size_t n = 0;
	if (!name)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	while (*pos < text.len && text.ptr[*pos] != quote) {
		if (text.ptr[*pos] == '\\' && ++*pos < text.len && text.ptr[*pos] != quote && text.ptr[*pos] != '\\')
			return err_set(e, ERR_INVALID, "path \"%.*s\": in a quoted name only \\\\ and \\%c are known",
				       STR_ARG(text), quote);
		if (*pos < text.len)
			name[n++] = text.ptr[(*pos)++];
	}
	if (*pos >= text.len)
		return err_set(e, ERR_INVALID, "path \"%.*s\": a quoted name does not end", STR_ARG(text));
	++*pos;
	*ret = (struct rule_step){ .name = str_from(name, n) };
	return 0;
}

static int read_index(struct str text, size_t *pos, struct rule_step *ret, struct err *e)
{
	size_t start = *pos, end = start;
	while (end < text.len && text.ptr[end] != ']')
		end++;
	struct str digits = str_from(text.ptr + start, end - start);
	if (digits.len && digits.ptr[0] == '?')
		return err_set(e, ERR_INVALID, "filters ([?...]) are not supported yet; a path leads to one value");
	if (str_eq(digits, STR("*")))
		return err_set(e, ERR_INVALID, "\"*\" (wildcards) is not supported yet; a path leads to one value");
	if (str_find_char(digits, ':') >= 0 || str_find_char(digits, ',') >= 0)
		return err_set(e, ERR_INVALID,
			       "slices and lists ([a:b], [a,b]) are not supported yet; a path leads to one value");
	*ret = (struct rule_step){ .is_index = true };
	if (num_parse_i64(digits, &ret->index) < 0)
		return err_set(e, ERR_INVALID, "path \"%.*s\": write [0] or ['name'], not [%.*s]", STR_ARG(text),
			       STR_ARG(digits));
	*pos = end;
	return 0;
}

static int read_bracket(struct arena *a, struct str text, size_t *pos, struct rule_step *ret, struct err *e)
{
	bool is_quoted = *pos < text.len && (text.ptr[*pos] == '\'' || text.ptr[*pos] == '"');
	int r = is_quoted ? read_quoted(a, text, pos, ret, e) : read_index(text, pos, ret, e);
	if (r < 0)
		return r;
	if (*pos >= text.len || text.ptr[*pos] != ']')
		return err_set(e, ERR_INVALID, "path \"%.*s\": \"]\" is missing", STR_ARG(text));
	++*pos;
	return 0;
}

static int read_path(struct arena *a, struct str text, struct call_result_rule *rule, struct err *e)
{
	rule->steps = ARENA_ARRAY(a, struct rule_step, RULE_STEPS_MAX);
	if (!rule->steps)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	for (size_t pos = 1; pos < text.len;) {
		char c = text.ptr[pos++];
		int r;
		if (rule->n == RULE_STEPS_MAX)
			return err_set(e, ERR_LIMIT, "a path has at most %d parts", RULE_STEPS_MAX);
		if (c == '.')
			r = read_dotted(text, &pos, &rule->steps[rule->n++], e);
		else if (c == '[')
			r = read_bracket(a, text, &pos, &rule->steps[rule->n++], e);
		else
			r = err_set(
			    e, ERR_INVALID,
			    "path \"%.*s\": unexpected \"%c\"; a name with such a byte is written ['like-this']",
			    STR_ARG(text), (unsigned char)c < 0x20 || c == 0x7f ? '?' : c);
		if (r < 0)
			return r;
	}
	return 0;
}

struct call_result_rule *call_result_rule_new(struct arena *a, struct str text, struct err *e)
{
	static const struct {
		const char *word;
		enum rule_kind kind;
	} words[] = { { "auto", RULE_AUTO }, { "id", RULE_ID }, { "body", RULE_BODY }, { "response", RULE_RESPONSE } };
	struct call_result_rule *rule = ARENA_NEW(a, struct call_result_rule);
	if (!rule) {
		(void)err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_eq_c(text, words[i].word)) {
			rule->kind = words[i].kind;
			return rule;
		}
	}
	rule->kind = RULE_PATH;
	if (text.len && text.ptr[0] == '$')
		return read_path(a, text, rule, e) < 0 ? NULL : rule;
	(void)err_set(e, ERR_INVALID,
		      "result \"%.*s\" is not known; write auto, id, body, response or a path like $.data.id",
		      STR_ARG(text));
	return NULL;
}

const struct value *rule_follow(const struct call_result_rule *rule, const struct value *v)
{
	for (size_t i = 0; i < rule->n && v; i++) {
		const struct rule_step *step = &rule->steps[i];
		if (!step->is_index) {
			v = value_get(v, step->name);
			continue;
		}
		int64_t at = step->index < 0 && value_is(v, VALUE_ARRAY) ? step->index + v->len : step->index;
		v = at >= 0 ? value_at(v, (size_t)at) : NULL;
	}
	return v;
}
