/* SPDX-License-Identifier: Apache-2.0 */
/* Equal, less: numbers by their decimal value however long, strings by code point, containers by content. */
#include "base/jsonpath_int.h"
#include "base/key_index.h"
#include "base/number.h"

static int equal(struct jp_eval *ev, const struct value *x, const struct value *y, unsigned depth);

static int digits_compare(const struct decimal *x, const struct decimal *y)
{
	const char *p = x->first, *q = y->first;
	size_t n = x->digits < y->digits ? x->digits : y->digits;
	for (size_t i = 0; i < n; i++, p++, q++) {
		p += *p == '.';
		q += *q == '.';
		if (*p != *q)
			return *p < *q ? -1 : 1;
	}
	return (x->digits > y->digits) - (x->digits < y->digits); /* the last digit is not 0 */
}

/* Exact: no double in between. Exponents beyond 10^15 count as 10^15. */
static int number_compare(struct str x_text, struct str y_text)
{
	struct decimal x, y;
	if (!number_split(x_text, &x) || !number_split(y_text, &y))
		return str_cmp(x_text, y_text); /* a value made by hand whose maker broke the word given */
	int x_sign = x.digits == 0 ? 0 : x.is_negative ? -1 : 1, y_sign = y.digits == 0 ? 0 : y.is_negative ? -1 : 1;
	if (x_sign != y_sign)
		return x_sign < y_sign ? -1 : 1;
	if (x_sign == 0)
		return 0;
	int size = x.point != y.point ? (x.point < y.point ? -1 : 1) : digits_compare(&x, &y);
	return x_sign * size;
}

static int equal_arrays(struct jp_eval *ev, const struct value *x, const struct value *y, unsigned depth)
{
	int r = x->len == y->len;
	for (uint32_t i = 0; r == 1 && i < x->len; i++)
		r = equal(ev, &x->items[i], &y->items[i], depth);
	return r;
}

/* Apart, for the index is too large to stand on the stack once per level. */
static int __attribute__((noinline)) index_new(const struct value *v, struct key_index **ret, struct arena *a)
{
	*ret = arena_alloc(a, sizeof(**ret));
	return *ret && key_index_build(*ret, v->members, v->len) ? 0 : -ERR_NO_MEMORY;
}

/* Every member of x in y, with an equal value. */
static int covers(struct jp_eval *ev, const struct value *y, const struct value *x, unsigned depth)
{
	struct key_index *index = NULL;
	auto_arena struct arena a;
	int r = jp_spend(ev, x->len);
	arena_init(&a, 0);
	if (r < 0)
		return r;
	if (y->len > KEY_INDEX_WORTH && index_new(y, &index, &a) < 0)
		return err_set(ev->e, ERR_NO_MEMORY, "out of memory for a comparison");
	r = 1;
	for (uint32_t i = 0; r == 1 && i < x->len; i++) {
		struct str key = x->members[i].key;
		const struct value *twin = index ? key_index_find(index, y->members, key) : value_get(y, key);
		r = twin ? equal(ev, &x->members[i].value, twin, depth) : 0;
	}
	if (index)
		key_index_done(index);
	return r;
}

static inline uint64_t bytes_of(const struct value *v)
{
	return v->kind == VALUE_STRING || v->kind == VALUE_NUMBER ? v->len : 0;
}

/* 1, 0 or -code. Repeated keys (JSON_DUP_KEEP) make the outcome unspecified, as RFC 8259 section 4 warns. */
static int equal(struct jp_eval *ev, const struct value *x, const struct value *y, unsigned depth)
{
	int r = jp_spend(ev, 1 + bytes_of(x) / 64); /* long texts are read to their end in the worst case */
	if (r < 0 || x->kind != y->kind)
		return r;
	if (depth > VALUE_DEPTH_MAX)
		return err_set(ev->e, ERR_LIMIT, "values deeper than %d levels cannot be compared", VALUE_DEPTH_MAX);
	switch ((enum value_kind)x->kind) {
	case VALUE_BOOL:
		return x->truth == y->truth;
	case VALUE_NUMBER:
		return number_compare(value_text(x), value_text(y)) == 0;
	case VALUE_STRING:
		return str_eq(value_text(x), value_text(y));
	case VALUE_ARRAY:
		return equal_arrays(ev, x, y, depth + 1);
	case VALUE_OBJECT:
		return x->len == y->len ? covers(ev, y, x, depth + 1) : 0;
	case VALUE_NULL:
	case VALUE_ABSENT:
		break;
	}
	return 1;
}

/* UTF-8 sorts by bytes as it does by code points. */
static bool less(const struct value *x, const struct value *y)
{
	if (value_is(x, VALUE_NUMBER) && value_is(y, VALUE_NUMBER))
		return number_compare(value_text(x), value_text(y)) < 0;
	if (value_is(x, VALUE_STRING) && value_is(y, VALUE_STRING))
		return str_cmp(value_text(x), value_text(y)) < 0;
	return false;
}

static int equal_or_nothing(struct jp_eval *ev, const struct value *x, const struct value *y)
{
	return x && y ? equal(ev, x, y, 1) : !x && !y;
}

int jp_compare(struct jp_eval *ev, enum jp_operator op, const struct value *x, const struct value *y)
{
	int r = jp_spend(ev, x ? bytes_of(x) / 64 : 0);
	if (r < 0)
		return r;
	switch (op) {
	case JP_LT:
		return less(x, y);
	case JP_GT:
		return less(y, x);
	case JP_LE:
		return less(x, y) ? 1 : equal_or_nothing(ev, x, y);
	case JP_GE:
		return less(y, x) ? 1 : equal_or_nothing(ev, x, y);
	case JP_NE:
		r = equal_or_nothing(ev, x, y);
		return r < 0 ? r : !r;
	case JP_EQ:
	case JP_NO_OPERATOR:
		break;
	}
	return equal_or_nothing(ev, x, y);
}
