/* SPDX-License-Identifier: Apache-2.0 */
/* The author's own words for an answer, with what the answer says in their place. */
#include "call/rules_int.h"

#define MESSAGE_PARTS_MAX 32
#define MESSAGE_MAX_BYTES 2048

static struct str lower(struct arena *a, struct str name)
{
	char *out = arena_alloc(a, name.len + 1);
	for (size_t i = 0; out && i < name.len; i++)
		out[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] | 0x20) : name.ptr[i];
	return str_from(out, out ? name.len : 0);
}

/* What stands between the braces. */
static bool load_slot(struct arena *a, struct str slot, const struct value *at, struct told *t,
		      struct message_part *ret)
{
	struct err e = ERR_INIT;
	struct str name = slot, rest = STR_NULL;
	ptrdiff_t colon = str_find_char(slot, ':');
	if (colon >= 0) {
		name.len = (size_t)colon;
		rest = str_from(slot.ptr + colon + 1, slot.len - name.len - 1);
	}
	*ret = (struct message_part){ .kind = PART_STATUS };
	if (str_eq(slot, STR("status")))
		return true;
	ret->kind = PART_REASON;
	if (str_eq(slot, STR("reason")))
		return true;
	ret->kind = PART_HEADER;
	ret->text = rest.len ? lower(a, rest) : STR_NULL;
	if (str_eq(name, STR("header")) && header_is_token(rest))
		return ret->text.ptr;
	ret->kind = PART_BODY;
	if (str_eq(name, STR("body")) && rest.len && rest.ptr[0] == '$' &&
	    (ret->path = call_result_rule_new(a, rest, &e)))
		return true;
	if (e.code)
		tell(t, at, "message", "{body:%.*s}: %s", STR_ARG(rest), e.msg);
	else
		tell(
		    t, at, "message",
		    "{%.*s} is not known; write {status}, {reason}, {header:NAME} or {body:$.path}, and {{ for a brace",
		    STR_ARG(str_clip(slot, 60)));
	return false;
}

void message_load(struct arena *a, const struct value *v, struct told *t, struct rule *ret)
{
	struct str rest = value_text(v);
	struct message_part *parts = ARENA_ARRAY(a, struct message_part, MESSAGE_PARTS_MAX);
	size_t n = 0;
	while (parts && rest.len) {
		ptrdiff_t open = str_find_char(rest, '{');
		size_t before = open < 0 ? rest.len : (size_t)open;
		bool is_brace = open >= 0 && before + 1 < rest.len && rest.ptr[before + 1] == '{';
		if (n + 2 > MESSAGE_PARTS_MAX) {
			tell(t, v, "message", "a message has at most %d parts", MESSAGE_PARTS_MAX);
			return;
		}
		if (before || is_brace)
			parts[n++] = (struct message_part){ .text = str_from(rest.ptr, before + is_brace) };
		before += is_brace ? 2 : 0;
		rest = str_from(rest.ptr + before, rest.len - before);
		if (open < 0 || is_brace)
			continue;
		ptrdiff_t end = str_find_char(rest, '}');
		if (end < 0) {
			tell(t, v, "message", "a brace is not closed; write {status}, and {{ for a brace");
			return;
		}
		if (!load_slot(a, str_from(rest.ptr + 1, (size_t)end - 1), v, t, &parts[n++]))
			return;
		rest = str_from(rest.ptr + end + 1, rest.len - (size_t)end - 1);
	}
	ret->message = parts;
	ret->n_message = parts ? n : 0;
}

static void write_value(struct buf *b, const struct value *v)
{
	struct str text;
	if (v && scalar_text(v, &text))
		(void)buf_append_str(b, text);
	else if (v && v->kind != VALUE_NULL)
		(void)json_write(b, v, JSON_COMPACT);
}

struct str message_write(struct judging *j, const struct rule *rule)
{
	auto_buf struct buf b = { .max = MESSAGE_MAX_BYTES };
	struct value room;
	for (size_t i = 0; i < rule->n_message; i++) {
		const struct message_part *p = &rule->message[i];
		if (p->kind == PART_TEXT)
			(void)buf_append_str(&b, p->text);
		else if (p->kind == PART_STATUS)
			(void)buf_printf(&b, "%d", j->x->status);
		else if (p->kind == PART_REASON)
			(void)buf_append_c(&b, status_phrase(j->x->status));
		else if (p->kind == PART_BODY)
			write_value(&b, judging_follow(j, p->path, &room));
		for (uint32_t k = 0; p->kind == PART_HEADER && k < j->x->headers.len; k++)
			if (value_is_string(value_at(&j->x->headers.items[k], 0), p->text))
				(void)buf_append_str(&b, value_text(value_at(&j->x->headers.items[k], 1)));
	}
	return quote_safely(j->a, buf_str(&b), MESSAGE_MAX_BYTES);
}
