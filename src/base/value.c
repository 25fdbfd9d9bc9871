/* SPDX-License-Identifier: Apache-2.0 */
/* Building, finding, copying and comparing values. Numbers as numbers: value_number.c. */
#include "base/value.h"
#include "base/key_index.h"

/* Room is at least 1 << cap_log2: containers from the parser hold exactly their items, which the floor understates. */
static inline size_t room_of(const struct value *v)
{
	return v->len == 0 && v->cap_log2 == 0 ? 0 : (size_t)1 << v->cap_log2;
}

struct value value_null(void)
{
	return (struct value){ .kind = VALUE_NULL };
}

struct value value_bool(bool b)
{
	return (struct value){ .kind = VALUE_BOOL, .truth = b };
}

/* A value holds less than 4 GiB; more than that is our mistake, since every source of bytes has a smaller limit. */
static struct value text_value(enum value_kind kind, struct str s)
{
	if (s.len > UINT32_MAX)
		s.len = UINT32_MAX;
	return (struct value){ .kind = (uint8_t)kind, .len = (uint32_t)s.len, .text = s.ptr ? s.ptr : "" };
}

struct value value_string(struct str s)
{
	return text_value(VALUE_STRING, s);
}

struct value value_string_copy(struct arena *a, struct str s)
{
	struct str copy = arena_str(a, s);
	return copy.ptr ? value_string(copy) : VALUE_NONE;
}

struct value value_number_text(struct str text)
{
	return text_value(VALUE_NUMBER, text);
}

struct value value_array(void)
{
	return (struct value){ .kind = VALUE_ARRAY };
}

struct value value_object(void)
{
	return (struct value){ .kind = VALUE_OBJECT };
}

const char *value_kind_name(enum value_kind k)
{
	static const char *const names[] = { "absent", "null", "boolean", "number", "string", "array", "object" };
	return (unsigned)k < ARRAY_LEN(names) ? names[k] : "absent";
}

struct value *value_get(const struct value *v, struct str key)
{
	if (!value_is(v, VALUE_OBJECT))
		return NULL;
	for (uint32_t i = v->len; i-- > 0;)
		if (str_eq(v->members[i].key, key))
			return &v->members[i].value;
	return NULL;
}

struct value *value_get_c(const struct value *v, const char *key)
{
	return value_get(v, str_c(key));
}

struct value *value_at(const struct value *v, size_t i)
{
	return value_is(v, VALUE_ARRAY) && i < v->len ? &v->items[i] : NULL;
}

/* Room for one more of `size` bytes. */
static int make_room(struct arena *a, struct value *v, size_t size)
{
	if (v->len < room_of(v))
		return 0;
	if (v->len == UINT32_MAX)
		return -ERR_LIMIT;
	uint8_t log2 = 2;
	while (((size_t)1 << log2) <= v->len)
		log2++;
	void *grown = arena_grow(a, v->len ? v->items : NULL, v->len * size, size << log2);
	if (!grown)
		return -ERR_NO_MEMORY;
	v->items = grown;
	v->cap_log2 = log2;
	return 0;
}

int value_add(struct arena *a, struct value *object, struct str key, struct value v)
{
	if (!value_is(object, VALUE_OBJECT))
		return -ERR_STATE;
	int r = make_room(a, object, sizeof(struct member));
	if (r < 0)
		return r;
	object->members[object->len++] = (struct member){ key, v };
	return 0;
}

int value_set(struct arena *a, struct value *object, struct str key, struct value v)
{
	struct value *old = value_get(object, key);
	if (!old)
		return value_add(a, object, key, v);
	*old = v;
	return 0;
}

int value_set_copy(struct arena *a, struct value *object, struct str key, struct value v)
{
	struct value *old = value_get(object, key);
	if (old) {
		*old = v;
		return 0;
	}
	struct str copy = arena_str(a, key);
	return copy.ptr ? value_add(a, object, copy, v) : -ERR_NO_MEMORY;
}

bool value_remove(struct value *object, struct str key)
{
	if (!value_is(object, VALUE_OBJECT))
		return false;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < object->len; i++)
		if (!str_eq(object->members[i].key, key))
			object->members[kept++] = object->members[i];
	bool was_there = kept < object->len;
	object->len = kept;
	return was_there;
}

int value_push(struct arena *a, struct value *array, struct value v)
{
	if (!value_is(array, VALUE_ARRAY))
		return -ERR_STATE;
	int r = make_room(a, array, sizeof(struct value));
	if (r < 0)
		return r;
	array->items[array->len++] = v;
	return 0;
}

uint8_t value_cap_log2(size_t len)
{
	return len ? (uint8_t)(63 - __builtin_clzll(len)) : 0;
}

static int copy_at(struct arena *a, const struct value *v, struct value *ret, unsigned depth);

static int copy_items(struct arena *a, struct value *c, const struct value *v, unsigned depth)
{
	c->items = arena_alloc(a, v->len * sizeof(*c->items));
	if (!c->items)
		return -ERR_NO_MEMORY;
	for (uint32_t i = 0; i < v->len; i++) {
		int r = copy_at(a, &v->items[i], &c->items[i], depth);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_members(struct arena *a, struct value *c, const struct value *v, unsigned depth)
{
	c->members = arena_alloc(a, v->len * sizeof(*c->members));
	if (!c->members)
		return -ERR_NO_MEMORY;
	for (uint32_t i = 0; i < v->len; i++) {
		c->members[i].key = arena_str(a, v->members[i].key);
		if (!c->members[i].key.ptr)
			return -ERR_NO_MEMORY;
		int r = copy_at(a, &v->members[i].value, &c->members[i].value, depth);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_at(struct arena *a, const struct value *v, struct value *ret, unsigned depth)
{
	struct value c = *v;
	int r = 0;
	switch (v->kind) {
	case VALUE_NUMBER:
	case VALUE_STRING:
		c.text = arena_str(a, value_text(v)).ptr;
		r = c.text ? 0 : -ERR_NO_MEMORY;
		break;
	case VALUE_ARRAY:
	case VALUE_OBJECT:
		if (depth >= VALUE_DEPTH_MAX)
			return -ERR_LIMIT;
		c.cap_log2 = value_cap_log2(v->len);
		if (v->len == 0)
			c.items = NULL;
		else
			r = (v->kind == VALUE_ARRAY ? copy_items : copy_members)(a, &c, v, depth + 1);
		break;
	default:
		break;
	}
	if (r == 0)
		*ret = c;
	return r;
}

int value_copy(struct arena *a, const struct value *v, struct value *ret)
{
	return copy_at(a, v, ret, 0);
}

static bool eq_at(const struct value *x, const struct value *y, unsigned depth);

/* The members of x in y. Usually both stand in the same order; if not, many keys get an index. */
static bool members_in(const struct value *x, const struct value *y, unsigned depth, bool keys_only)
{
	struct key_index index;
	bool has_index = false, same = true;
	for (uint32_t i = 0; i < x->len && same; i++) {
		struct str key = x->members[i].key;
		const struct value *other = &y->members[i].value;
		if (!str_eq(y->members[i].key, key)) {
			if (!has_index && y->len > KEY_INDEX_WORTH)
				has_index = key_index_build(&index, y->members, y->len);
			other = has_index ? key_index_find(&index, y->members, key) : value_get(y, key);
		}
		same = other && (keys_only || eq_at(&x->members[i].value, other, depth));
	}
	if (has_index)
		key_index_done(&index);
	return same;
}

static bool eq_at(const struct value *x, const struct value *y, unsigned depth)
{
	if (x->kind != y->kind)
		return false;
	if (x->kind == VALUE_BOOL)
		return x->truth == y->truth;
	if (x->kind < VALUE_NUMBER)
		return true;
	if (x->len != y->len || depth > VALUE_DEPTH_MAX)
		return false;
	if (x->kind == VALUE_OBJECT) /* the second way round only matters where keys repeat */
		return members_in(x, y, depth + 1, false) && members_in(y, x, depth + 1, true);
	if (x->kind != VALUE_ARRAY)
		return str_eq(value_text(x), value_text(y));
	for (uint32_t i = 0; i < x->len; i++)
		if (!eq_at(&x->items[i], &y->items[i], depth + 1))
			return false;
	return true;
}

bool value_eq(const struct value *x, const struct value *y)
{
	return eq_at(x, y, 0);
}
