/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes up to a line feed are a path, the rest is a mapping (JSON); both over a fixed item. */
#include "flow/expr.h"
#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char item_text[] = "{\"data\":{\"city\":\"Paris\",\"n\":1.50,\"null\":null},\"_rows\":[{\"id\":7},{\"a "
				"b\":8,\"\":9}],\"__proto__\":{\"x\":1}}";

static void try_mapping(struct arena *a, struct str text, const struct value *item)
{
	struct value source, result, scripted = value_array();
	struct json_options opt = { .copy = true };
	if (json_parse(a, text, &opt, &source, NULL, NULL) < 0)
		return;
	struct mapping *m = mapping_compile(a, &source, NULL);
	for (size_t i = 0; m && i < mapping_scripts(m); i++) {
		if (!mapping_script(m, i).len || value_push(a, &scripted, i % 2 ? value_null() : value_bool(true)) < 0)
			abort();
	}
	if (!m)
		return;
	if (mapping_eval(m, a, item, mapping_scripts(m) ? &scripted : NULL, &result, NULL) < 0)
		abort();
	if (mapping_is_literal(m) && result.kind == VALUE_ABSENT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena a;
	struct value item, before;
	struct str rest = str_from((const char *)bytes, n), path = str_split(&rest, '\n');
	arena_init(&a, 0);
	if (n > 100000 || json_parse(&a, str_c(item_text), NULL, &item, NULL, NULL) < 0)
		abort();
	before = item;
	struct path *p = path_compile(&a, path);
	if (p)
		(void)path_get(p, &item);
	if (path_put(&a, &item, path, value_bool(true), NULL) < 0 && item.members != before.members)
		abort();
	try_mapping(&a, rest, &item);
	struct buf b;
	buf_init(&b, 1 << 20);
	if (json_write(&b, &before, JSON_COMPACT) < 0 || !str_eq(buf_str(&b), str_c(item_text)))
		abort(); /* somebody else's item was changed */
	buf_done(&b);
	arena_done(&a);
	return 0;
}
