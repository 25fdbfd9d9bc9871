/* SPDX-License-Identifier: Apache-2.0 */
/* Plain paths: item.data.city without a script. What is no plain path is left to JavaScript, which says the same
 * slower. */
#include "base/num.h"
#include "flow/expr.h"

#define PATH_PARTS_MAX 32 /* a longer one is JavaScript's */

struct part {
	struct str key;
	uint32_t index;
	bool is_index; /* the key is an array index as JavaScript writes it: "0", "17" */
};

struct path {
	size_t n;
	struct part parts[];
};

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct str trim(struct str s)
{
	while (s.len && is_space(s.ptr[0]))
		s = str_from(s.ptr + 1, s.len - 1);
	while (s.len && is_space(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* ASCII names; a letter beyond ASCII may be one of JavaScript's or not: JavaScript knows. */
static size_t name_length(struct str s)
{
	size_t i = 0;
	if (s.len && is_name_start(s.ptr[0]))
		for (i = 1; i < s.len && (is_name_start(s.ptr[i]) || is_digit(s.ptr[i])); i++)
			;
	return i;
}

static struct part make_part(struct str key)
{
	struct part p = { .key = key };
	uint64_t n;
	bool is_canonical = key.len && key.len <= 9 && (key.ptr[0] != '0' || key.len == 1);
	if (is_canonical && num_parse_u64(key, &n) == 0) {
		p.index = (uint32_t)n;
		p.is_index = true;
	}
	return p;
}

/* Behind "[": digits or a quoted text without escapes, then "]". Bytes used, 0 = not plain. */
static size_t parse_bracket(struct str s, struct str *ret_key)
{
	size_t i = 0;
	if (s.len && (s.ptr[0] == '"' || s.ptr[0] == '\'')) {
		for (i = 1; i < s.len && s.ptr[i] != s.ptr[0]; i++) {
			if (s.ptr[i] == '\\' || s.ptr[i] == '\n' || s.ptr[i] == '\r')
				return 0;
		}
		*ret_key = str_from(s.ptr + 1, i - 1);
		i++;
	} else {
		while (i < s.len && is_digit(s.ptr[i]))
			i++;
		*ret_key = str_from(s.ptr, i);
		if (i == 0 || i > 9 || (i > 1 && s.ptr[0] == '0'))
			return 0;
	}
	return i < s.len && s.ptr[i] == ']' ? i + 1 : 0;
}

/* One ".name", "?.name", "[...]" or "?.[...]". Bytes used, 0 = not plain. */
static size_t parse_part(struct str s, struct str *ret_key)
{
	size_t dot = str_starts(s, STR("?.")) ? 2 : str_starts(s, STR(".")) ? 1 : 0;
	struct str rest = str_from(s.ptr + dot, s.len - dot);
	if (dot != 1 && rest.len && rest.ptr[0] == '[') {
		size_t n = parse_bracket(str_from(rest.ptr + 1, rest.len - 1), ret_key);
		return n ? dot + 1 + n : 0;
	}
	size_t n = dot ? name_length(rest) : 0;
	*ret_key = str_from(rest.ptr, n);
	return n ? dot + n : 0;
}

struct path *path_compile(struct arena *a, struct str text)
{
	struct part parts[PATH_PARTS_MAX];
	size_t n = 0;
	struct str s = trim(text);
	if (name_length(s) != 4 || !str_starts(s, STR("item")))
		return NULL;
	for (s = str_from(s.ptr + 4, s.len - 4); s.len;) {
		struct str key;
		size_t used = parse_part(s, &key);
		/* .length of an array or text is computed, not stored: JavaScript's. */
		if (!used || n == PATH_PARTS_MAX || str_eq_c(key, "length"))
			return NULL;
		parts[n++] = make_part(key);
		s = str_from(s.ptr + used, s.len - used);
	}
	struct path *p = arena_alloc(a, sizeof(*p) + n * sizeof(parts[0]));
	if (!p)
		return NULL;
	p->n = n;
	if (n)
		memcpy(p->parts, parts, n * sizeof(parts[0]));
	return p;
}

const struct value *path_get(const struct path *p, const struct value *item)
{
	const struct value *v = item;
	for (size_t i = 0; v && i < p->n; i++) {
		const struct part *part = &p->parts[i];
		if (v->kind == VALUE_OBJECT)
			v = value_get(v, part->key);
		else
			v = part->is_index && v->kind == VALUE_ARRAY ? value_at(v, part->index) : NULL;
	}
	return value_is(v, VALUE_ABSENT) ? NULL : v;
}

/* A container of its own with the same members: others may share the old one. */
static int own_members(struct arena *a, struct value *object)
{
	struct value own = value_object();
	for (uint32_t i = 0; i < object->len; i++) {
		int r = value_add(a, &own, object->members[i].key, object->members[i].value);
		if (r < 0)
			return r;
	}
	*object = own;
	return 0;
}

static int put_below(struct arena *a, struct value *object, struct str key, struct str rest, struct value **ret_below,
		     struct err *e)
{
	struct value *below = value_get(object, key);
	if (!below || below->kind == VALUE_NULL) {
		if (value_set_copy(a, object, key, value_object()) < 0)
			return err_set(e, ERR_NO_MEMORY, "out of memory");
		below = value_get(object, key);
	}
	if (below->kind != VALUE_OBJECT)
		return err_set(e, ERR_INVALID,
			       "\"%.*s\" of the item is no object (it is %s), so it cannot hold \"%.*s\"", STR_ARG(key),
			       value_kind_name(below->kind), STR_ARG(rest));
	if (own_members(a, below) < 0)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	*ret_below = below;
	return 0;
}

int path_put(struct arena *a, struct value *item, struct str field_path, struct value v, struct err *e)
{
	struct value root = *item, *object = &root;
	struct str rest = field_path;
	if (item->kind != VALUE_OBJECT)
		return err_set(e, ERR_INVALID, "the item is no object (it is %s)", value_kind_name(item->kind));
	if (own_members(a, object) < 0)
		return err_set(e, ERR_NO_MEMORY, "out of memory");
	for (;;) {
		struct str key = str_split(&rest, '.');
		if (!key.len)
			return err_set(e, ERR_INVALID,
				       "\"%.*s\" is no field path; write names with dots between them: data.city",
				       STR_ARG(field_path));
		if (!rest.ptr) {
			if (value_set_copy(a, object, key, v) < 0)
				return err_set(e, ERR_NO_MEMORY, "out of memory");
			*item = root;
			return 0;
		}
		int r = put_below(a, object, key, rest, &object, e);
		if (r < 0)
			return r;
	}
}
