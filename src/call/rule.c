/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of an answer is the result: by a word, or by a JSONPath. */
#include "call/call_int.h"
#include "base/jsonpath.h"

struct call_result_rule {
	enum rule_kind kind;
	struct jsonpath *path; /* RULE_PATH */
};

enum rule_kind rule_kind_of(const struct call_result_rule *rule)
{
	return rule->kind;
}

/* A pattern that never matches is lawful in a JSONPath, but in a setting it is a mistake that nobody would find. */
static int read_path(struct arena *a, struct str text, struct call_result_rule *rule, struct err *e)
{
	rule->kind = RULE_PATH;
	rule->path = jsonpath_compile(a, text, e);
	if (!rule->path)
		return -ERR_INVALID;
	struct str doubt = jsonpath_doubt(rule->path);
	return doubt.ptr ? err_set(e, ERR_INVALID, "JSONPath: %.*s", STR_ARG(doubt)) : 0;
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
	if (text.len && text.ptr[0] == '$')
		return read_path(a, text, rule, e) < 0 ? NULL : rule;
	(void)err_set(e, ERR_INVALID,
		      "result \"%.*s\" is not known; write auto, id, body, response or a path like $.data.id",
		      STR_ARG(text));
	return NULL;
}

int rule_follow(const struct call_result_rule *rule, const struct value *v, struct arena *a, struct value *ret,
		struct err *e)
{
	if (!jsonpath_is_singular(rule->path))
		return jsonpath_select(rule->path, v, a, ret, e);
	const struct value *found = jsonpath_first(rule->path, v);
	*ret = found ? *found : VALUE_NONE;
	return 0;
}
