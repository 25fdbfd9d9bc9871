/* SPDX-License-Identifier: Apache-2.0 */
/* The door of JSONPath: compile once, ask often. */
#include "base/jsonpath_int.h"
#include <assert.h>

static int parse_whole(struct jp_parser *p, struct jp_query *ret)
{
	size_t bad;
	if (p->text.len > JSONPATH_QUERY_BYTES_MAX)
		return err_set(p->e, ERR_LIMIT, "JSONPath of %zu bytes; write at most %d", p->text.len,
			       JSONPATH_QUERY_BYTES_MAX);
	if (!str_is_utf8(p->text, &bad))
		return err_set(p->e, ERR_INVALID, "JSONPath at offset %zu: this is not UTF-8", bad);
	if (jp_peek(p) != '$')
		return jp_fail(p, 0, "a path begins with the root; write $.name or $[0]");
	int r = jp_parse_query(p, ret);
	if (r < 0 || p->pos == p->text.len)
		return r;
	size_t at = p->pos;
	jp_blanks(p);
	if (p->pos == p->text.len)
		return jp_fail(p, at, "blanks at the end; remove them");
	return jp_fail(p, p->pos, "a segment begins with a dot or a bracket; write .name, ['any name'] or [0]");
}

struct jsonpath *jsonpath_compile(struct arena *a, struct str text, struct err *e)
{
	struct jsonpath *path = ARENA_NEW(a, struct jsonpath);
	struct jp_parser p = { .arena = a, .text = arena_str(a, text), .e = e };
	if (!path || !p.text.ptr) {
		(void)jp_no_memory(&p);
		return NULL;
	}
	if (parse_whole(&p, &path->query) < 0)
		return NULL;
	path->doubt = p.doubt;
	return path;
}

bool jsonpath_is_singular(const struct jsonpath *path)
{
	return path->query.is_singular;
}

struct str jsonpath_doubt(const struct jsonpath *path)
{
	return path->doubt;
}

const struct value *jsonpath_first(const struct jsonpath *path, const struct value *root)
{
	assert(path->query.is_singular);
	return root && root->kind != VALUE_ABSENT ? jp_follow(&path->query, root, root) : NULL;
}

struct collector {
	struct jp_sink sink;
	struct arena *arena;
	struct value array;
	struct err *e;
};

static int collect(struct jp_sink *sink, const struct value *v)
{
	struct collector *c = CONTAINER_OF(sink, struct collector, sink);
	if (c->array.len >= JSONPATH_NODES_MAX)
		return err_set(c->e, ERR_LIMIT,
			       "the path selects more than %d values; select less, with a filter or a slice",
			       JSONPATH_NODES_MAX);
	int r = value_push(c->arena, &c->array, *v);
	return r < 0 ? err_set(c->e, ERR_NO_MEMORY, "out of memory for what the path selects") : 0;
}

int jsonpath_select(const struct jsonpath *path, const struct value *root, struct arena *a, struct value *ret_array,
		    struct err *e)
{
	struct jp_eval ev = { .root = root, .e = e };
	struct collector c = { .sink = { collect }, .arena = a, .array = value_array(), .e = e };
	int r = 0;
	if (root && root->kind != VALUE_ABSENT)
		r = jp_walk_query(&ev, &path->query, root, &c.sink);
	arena_done(&ev.pattern_arena);
	if (r < 0)
		return r;
	*ret_array = c.array;
	return 0;
}
