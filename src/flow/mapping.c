/* SPDX-License-Identifier: Apache-2.0 */
/* Mappings: a value with expressions in it, compiled once, evaluated for each item. */
#include "base/alloc.h"
#include "flow/expr.h"

enum node_kind {
	NODE_LITERAL, /* this part has no expression */
	NODE_PATH,
	NODE_SCRIPT,
	NODE_ARRAY,
	NODE_OBJECT,
};

struct node {
	enum node_kind kind;
	uint32_t n;		 /* children; NODE_SCRIPT: its number */
	struct str key;		 /* when a member of an object */
	struct value literal;	 /* NODE_LITERAL */
	const struct path *path; /* NODE_PATH */
	struct node *children;
};

struct mapping {
	struct node root;
	size_t n_scripts;
	struct str scripts[MAPPING_SCRIPTS_MAX];
};

struct compiler {
	struct arena *arena;
	struct mapping *mapping;
	unsigned depth;
	struct err *e;
};

static struct str trim(struct str s)
{
	while (s.len && strchr(" \t\r\n", s.ptr[0]))
		s = str_from(s.ptr + 1, s.len - 1);
	while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

static int compile_string(struct compiler *c, const struct value *v, struct node *ret)
{
	struct mapping *m = c->mapping;
	struct str s = value_text(v);
	ret->literal = *v;
	if (!str_starts(s, STR("=")))
		return 0;
	s = str_from(s.ptr + 1, s.len - 1);
	if (str_starts(s, STR("="))) {
		ret->literal = value_string(s);
		return 0;
	}
	s = trim(s);
	if (!s.len)
		return err_set(c->e, ERR_INVALID,
			       "nothing stands behind the \"=\"; write an expression such as =item.data.city, or == "
			       "for the text \"=\"");
	unsigned long failures = alloc_failures();
	ret->path = path_compile(c->arena, s);
	ret->kind = NODE_PATH;
	if (ret->path)
		return 0;
	if (alloc_failures() != failures) /* a path, perhaps */
		return err_set(c->e, ERR_NO_MEMORY, "out of memory");
	if (m->n_scripts == MAPPING_SCRIPTS_MAX)
		return err_set(
		    c->e, ERR_LIMIT,
		    "more than %d JavaScript expressions in one mapping; gather them in an execute_script step",
		    MAPPING_SCRIPTS_MAX);
	ret->kind = NODE_SCRIPT;
	ret->n = (uint32_t)m->n_scripts;
	m->scripts[m->n_scripts++] = s;
	return 0;
}

static int compile_node(struct compiler *c, const struct value *v, struct node *ret);

/* All children are literals: so is this, and if none of them has changed, it is the very value of the file. */
static int fold(struct compiler *c, const struct value *v, struct node *node)
{
	struct value out = v->kind == VALUE_OBJECT ? value_object() : value_array();
	bool is_same = true;
	for (uint32_t i = 0; i < node->n; i++) {
		const struct value *was = v->kind == VALUE_OBJECT ? &v->members[i].value : &v->items[i];
		if (node->children[i].kind != NODE_LITERAL)
			return 0;
		is_same = is_same && memcmp(was, &node->children[i].literal, sizeof(*was)) == 0;
	}
	for (uint32_t i = 0; !is_same && i < node->n; i++) {
		const struct node *child = &node->children[i];
		int r = v->kind == VALUE_OBJECT ? value_add(c->arena, &out, child->key, child->literal)
						: value_push(c->arena, &out, child->literal);
		if (r < 0)
			return err_set(c->e, ERR_NO_MEMORY, "out of memory");
	}
	node->kind = NODE_LITERAL;
	node->literal = is_same ? *v : out;
	return 0;
}

static int compile_container(struct compiler *c, const struct value *v, struct node *ret)
{
	if (c->depth == VALUE_DEPTH_MAX)
		return err_set(c->e, ERR_LIMIT, "a mapping deeper than %d", VALUE_DEPTH_MAX);
	ret->kind = v->kind == VALUE_OBJECT ? NODE_OBJECT : NODE_ARRAY;
	ret->n = v->len;
	ret->children = ARENA_ARRAY(c->arena, struct node, v->len ? v->len : 1);
	if (!ret->children)
		return err_set(c->e, ERR_NO_MEMORY, "out of memory");
	c->depth++;
	for (uint32_t i = 0; i < v->len; i++) {
		bool is_object = v->kind == VALUE_OBJECT;
		if (is_object)
			ret->children[i].key = v->members[i].key;
		int r = compile_node(c, is_object ? &v->members[i].value : &v->items[i], &ret->children[i]);
		if (r < 0)
			return is_object ? err_wrap(c->e, "\"%.*s\"", STR_ARG(v->members[i].key)) : r;
	}
	c->depth--;
	return fold(c, v, ret);
}

static int compile_node(struct compiler *c, const struct value *v, struct node *ret)
{
	ret->kind = NODE_LITERAL;
	ret->literal = *v;
	if (v->kind == VALUE_STRING)
		return compile_string(c, v, ret);
	return v->kind == VALUE_ARRAY || v->kind == VALUE_OBJECT ? compile_container(c, v, ret) : 0;
}

struct mapping *mapping_compile(struct arena *a, const struct value *v, struct err *e)
{
	struct mapping *m = ARENA_NEW(a, struct mapping);
	struct compiler c = { .arena = a, .mapping = m, .e = e };
	if (!m) {
		(void)err_set(e, ERR_NO_MEMORY, "out of memory");
		return NULL;
	}
	return compile_node(&c, v, &m->root) == 0 ? m : NULL;
}

bool mapping_is_literal(const struct mapping *m)
{
	return m->root.kind == NODE_LITERAL;
}

size_t mapping_scripts(const struct mapping *m)
{
	return m->n_scripts;
}

struct str mapping_script(const struct mapping *m, size_t i)
{
	return i < m->n_scripts ? m->scripts[i] : STR_NULL;
}

struct evaluation {
	struct arena *arena;
	const struct value *item, *scripted;
};

static int eval_node(const struct evaluation *ev, const struct node *node, struct value *ret);

static int eval_array(const struct evaluation *ev, const struct node *node, struct value *ret)
{
	struct value out = value_array(), v;
	for (uint32_t i = 0; i < node->n; i++) {
		if (eval_node(ev, &node->children[i], &v) < 0 ||
		    value_push(ev->arena, &out, v.kind == VALUE_ABSENT ? value_null() : v) < 0)
			return -ERR_NO_MEMORY;
	}
	*ret = out;
	return 0;
}

static int eval_object(const struct evaluation *ev, const struct node *node, struct value *ret)
{
	struct value out = value_object(), v;
	for (uint32_t i = 0; i < node->n; i++) {
		if (eval_node(ev, &node->children[i], &v) < 0)
			return -ERR_NO_MEMORY;
		if (v.kind != VALUE_ABSENT && value_add(ev->arena, &out, node->children[i].key, v) < 0)
			return -ERR_NO_MEMORY;
	}
	*ret = out;
	return 0;
}

static int eval_node(const struct evaluation *ev, const struct node *node, struct value *ret)
{
	const struct value *v;
	switch (node->kind) {
	case NODE_LITERAL:
		*ret = node->literal;
		return 0;
	case NODE_PATH:
		v = path_get(node->path, ev->item);
		*ret = v ? *v : VALUE_NONE;
		return 0;
	case NODE_SCRIPT:
		v = value_at(ev->scripted, node->n);
		*ret = v && v->kind != VALUE_NULL ? *v : VALUE_NONE;
		return 0;
	case NODE_ARRAY:
		return eval_array(ev, node, ret);
	case NODE_OBJECT:
		return eval_object(ev, node, ret);
	}
	return 0;
}

int mapping_eval(const struct mapping *m, struct arena *a, const struct value *item, const struct value *scripted,
		 struct value *ret, struct err *e)
{
	struct evaluation ev = { a, item, scripted };
	if (m->n_scripts && !(value_is(scripted, VALUE_ARRAY) && scripted->len == m->n_scripts))
		return err_set(e, ERR_STATE, "the mapping has %zu expressions, but other values were brought",
			       m->n_scripts);
	return eval_node(&ev, &m->root, ret) == 0 ? 0 : err_set(e, ERR_NO_MEMORY, "out of memory");
}
