/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: what is refused is refused with a place; what is accepted can be written and comes back equal, and writing is a
 * fixed point. Borrowing and copying agree. The first byte chooses the options.
 */
#include "base/json.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MUST(claim)                                                                                                    \
	do {                                                                                                           \
		if (!(claim))                                                                                          \
			abort();                                                                                       \
	} while (0)

/* Every accessor over every value; pointers built from keys lead back. */
static void walk(const struct value *v)
{
	int64_t i;
	double d;
	(void)value_to_int64(v, &i);
	(void)value_to_double(v, &d);
	if (v->kind == VALUE_NUMBER) {
		bool fits = value_number_fits_double(value_text(v));
		MUST(!value_number_is_canonical(value_text(v)) || fits);
	}
	if (v->kind == VALUE_STRING)
		MUST(str_is_utf8(value_text(v), NULL));
	for (uint32_t k = 0; v->kind == VALUE_ARRAY && k < v->len; k++)
		walk(&v->items[k]);
	for (uint32_t k = 0; v->kind == VALUE_OBJECT && k < v->len; k++) {
		MUST(str_is_utf8(v->members[k].key, NULL));
		walk(&v->members[k].value);
	}
	if (v->kind == VALUE_OBJECT && v->len > 0) {
		auto_buf struct buf b;
		buf_init(&b, 1 << 20);
		struct str key = v->members[v->len - 1].key;
		MUST(json_pointer_append(&b, key) == 0);
		MUST(json_pointer_get(v, buf_str(&b)) == value_get(v, key));
	}
}

static void accepted(struct arena *a, const struct value *v)
{
	auto_buf struct buf compact, pretty, again;
	struct value twin, back;
	struct json_options keep = { .duplicates = JSON_DUP_KEEP, .copy = true };
	buf_init(&compact, 1 << 24);
	buf_init(&pretty, 1 << 24);
	buf_init(&again, 1 << 24);
	walk(v);
	MUST(json_write(&compact, v, JSON_COMPACT) == 0);
	MUST(json_write(&pretty, v, JSON_PRETTY) == 0);
	MUST(json_parse(a, buf_str(&pretty), &keep, &back, NULL, NULL) == 0);
	MUST(value_eq(v, &back));
	MUST(json_write(&again, &back, JSON_COMPACT) == 0);
	MUST(str_eq(buf_str(&compact), buf_str(&again)));
	MUST(value_copy(a, v, &twin) == 0);
	MUST(value_eq(&twin, v));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0)
		return 0;
	struct json_options opt = { .duplicates = bytes[0] % 3,
				    .copy = bytes[0] & 4,
				    .max_depth = bytes[0] & 8 ? 3 : 0 };
	struct str text = str_from((const char *)bytes + 1, n - 1);
	auto_arena struct arena a;
	struct value v, other;
	struct json_error je = { 0 };
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	int r = json_parse(&a, text, &opt, &v, &je, &e);
	opt.copy = !opt.copy;
	MUST(json_parse(&a, text, &opt, &other, NULL, NULL) == r);
	if (r < 0) {
		MUST(je.offset <= text.len && je.line > 0 && je.column > 0 && e.code == r && e.msg[0]);
		MUST(str_is_utf8(str_c(e.msg), NULL));
		return 0;
	}
	MUST(value_eq(&v, &other));
	accepted(&a, &v);
	return 0;
}
