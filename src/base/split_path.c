/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that lead to a list: those queries of RFC 9535 that are names and a wildcard. */
#include "base/jsonpath_int.h"
#include "base/split_int.h"

#define PATH_SHOWN_MAX 200 /* bytes of a path or name in a message */

static int refuse(struct str path, enum split_kind kind, struct err *e)
{
	struct str shown = str_clip(path, PATH_SHOWN_MAX);
	if (kind != SPLIT_JSON)
		return err_set(
		    e, ERR_INVALID,
		    "the path \"%.*s\" leads into a list of %s, whose elements have no path of their own: write $[*]",
		    STR_ARG(shown), kind == SPLIT_CSV ? "records" : "lines");
	return err_set(e, ERR_INVALID,
		       "the path \"%.*s\" is not $, names and [*] at the end: write one like $[*] or $.data.rows[*]",
		       STR_ARG(shown));
}

int split_read_path(struct split *s, struct str path, struct err *e)
{
	struct jsonpath *query = jsonpath_compile(&s->path_arena, path, e);
	if (!query)
		return e && e->code ? e->code : -ERR_INVALID;
	s->n = 0;
	for (const struct jp_segment *seg = query->query.first; seg; seg = seg->next) {
		const struct jp_selector *x = seg->first;
		if (seg->is_descendant || x->next)
			return refuse(path, s->o.kind, e);
		if (!seg->next)
			return x->kind == JP_WILDCARD && (s->n == 0 || s->o.kind == SPLIT_JSON)
				   ? 0
				   : refuse(path, s->o.kind, e);
		if (x->kind != JP_NAME)
			return refuse(path, s->o.kind, e);
		if (s->n == SPLIT_NAMES_MAX)
			return err_set(e, ERR_LIMIT, "a path has at most %d names before its [*]", SPLIT_NAMES_MAX);
		s->names[s->n++] = x->name;
	}
	return refuse(path, s->o.kind, e);
}

static bool is_plain(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (!is_letter && (i == 0 || c < '0' || c > '9'))
			return false;
	}
	return name.len > 0;
}

struct str split_path_text(const struct split *s, unsigned names, struct buf *b)
{
	(void)buf_append_char(b, '$');
	for (unsigned i = 0; i < names; i++) {
		if (is_plain(s->names[i])) {
			(void)buf_append_char(b, '.');
			(void)buf_append_str(b, s->names[i]);
			continue;
		}
		(void)buf_append_char(b, '[');
		(void)json_write_string(b, s->names[i]);
		(void)buf_append_char(b, ']');
	}
	return buf_ok(b) ? str_clip(buf_str(b), PATH_SHOWN_MAX) : STR("the path");
}

int split_check_path(enum split_kind kind, struct str path, struct err *e)
{
	struct err mine = ERR_INIT;
	struct split *s = split_new(&(struct split_options){ .kind = kind, .path = path }, &mine);
	split_free(s);
	if (s)
		return 0;
	if (e)
		*e = mine;
	return mine.code;
}
