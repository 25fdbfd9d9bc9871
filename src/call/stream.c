/* SPDX-License-Identifier: Apache-2.0 */
/* What of an answer can be told before its body is there: whether it may be taken apart as it comes. */
#include "call/content_int.h"

struct str call_spec_json_prefix(const struct call_spec *s)
{
	return s->op.answer.json_prefix;
}

bool call_spec_gives_lists(const struct call_spec *s)
{
	enum answer_kind kind = s->op.answer.kind;
	return kind != ANSWER_TEXT && kind != ANSWER_BINARY && kind != ANSWER_FILE;
}

/* The verdict by status and header alone: a rule may call a 200 none that is ok. */
static bool is_ok_so_far(const struct call_spec *s, int status, const struct headers *headers, struct arena *a)
{
	struct call_answer x;
	char *body = NULL;
	struct http_response r = { .certainty = HTTP_ANSWERED, .status = status, .headers = headers };
	struct call_judgement j;
	if (call_answer_from_response(&r, NULL, a, &x, &body) < 0)
		return false;
	return call_judge_full(s, NULL, &x, a, &j) == CALL_OK;
}

bool call_spec_may_split(const struct call_spec *s, int status, const struct headers *headers, enum split_kind *ret)
{
	auto_arena struct arena a;
	struct str type = headers_get(headers, STR("Content-Type"));
	arena_init(&a, 0);
	if (status < 200 || status > 299 || status == 204 || status == 205 || s->op.method == CALL_HEAD)
		return false;
	return content_may_split(&s->op.answer, header_media_type(type), header_parameter(&a, type, STR("charset")),
				 ret) &&
	       is_ok_so_far(s, status, headers, &a);
}
