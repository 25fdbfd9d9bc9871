/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSONPath over a document: the query stands before the first line feed, the JSON behind it. What is refused says
 * where; what is selected is no more than allowed, and a singular query has one opinion however it is asked.
 */
#include "base/json.h"
#include "base/jsonpath.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MUST(claim)                                                                                                    \
	do {                                                                                                           \
		if (!(claim))                                                                                          \
			abort();                                                                                       \
	} while (0)

#define SAMPLE "{\"p\":\"[a-z]+\",\"s\":[\"abc\",\"A1\",\"\",null,1.0,10e-1,-2],\"o\":{\"a\":{\"a\":[[1],2]},\"b\":{}}}"

static void select_all(const struct jsonpath *path, const struct value *root, struct arena *a)
{
	struct value got = VALUE_NONE, again = VALUE_NONE;
	struct err e = ERR_INIT;
	int r = jsonpath_select(path, root, a, &got, &e);
	MUST(r == 0 ? got.kind == VALUE_ARRAY : r == -ERR_LIMIT && e.code == r && got.kind == VALUE_ABSENT);
	if (r < 0)
		return;
	MUST(got.len <= JSONPATH_NODES_MAX);
	MUST(jsonpath_select(path, root, a, &again, NULL) == 0 && again.len == got.len);
	if (!jsonpath_is_singular(path))
		return;
	const struct value *one = jsonpath_first(path, root);
	MUST(got.len == (one ? 1 : 0));
	MUST(!one || value_eq(one, &got.items[0]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct str document = str_from((const char *)bytes, n), text = str_split(&document, '\n');
	auto_arena struct arena a;
	struct value root;
	struct err e = ERR_INIT;
	arena_init(&a, 0);
	struct jsonpath *path = jsonpath_compile(&a, text, &e);
	if (!path) {
		MUST((e.code == -ERR_INVALID || e.code == -ERR_LIMIT) && e.msg[0] && str_is_utf8(str_c(e.msg), NULL));
		return 0;
	}
	if (json_parse(&a, document.ptr ? document : STR(""), NULL, &root, NULL, NULL) < 0)
		MUST(json_parse(&a, STR(SAMPLE), NULL, &root, NULL, NULL) == 0);
	select_all(path, &root, &a);
	return 0;
}
