/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of every kind, as the operation expects them and as they declare themselves: a value that can be written as
 * JSON and read again, or a problem. Input: a byte for the kind, a byte for the type, then the body.
 */
#include "base/json.h"
#include "call/call.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const kinds[] = { "auto", "json", "ndjson", "sse", "csv", "xml", "text", "binary" };
static const char *const types[] = { "application/json",
				     "application/x-ndjson",
				     "text/event-stream",
				     "text/csv",
				     "application/xml",
				     "text/plain",
				     "text/html",
				     "",
				     "text/plain; charset=windows-1251",
				     "text/plain; charset=shift_jis",
				     "text/plain; charset=gb18030",
				     "text/plain; charset=iso-2022-jp",
				     "text/csv; charset=big5",
				     "text/xml; charset=utf-16",
				     "text/plain; charset=euc-jp",
				     "text/plain; charset=euc-kr" };

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	auto_arena struct arena a = { 0 };
	struct value system, result, problem, again;
	if (n < 2)
		return 0;
	arena_init(&a, 0);
	const char *text =
	    arena_printf(&a,
			 "{\"base_url\":\"https://"
			 "h\",\"connectors\":{\"c\":{\"operations\":[{\"method_name\":\"GET\",\"query_path\":"
			 "\"/x\",\"answer\":\"%s\",\"xml_lists\":[\"a\"],\"json_prefix\":\"while(1);\"}]}}}",
			 kinds[bytes[0] % (sizeof(kinds) / sizeof(*kinds))]);
	must(json_parse(&a, str_c(text), NULL, &system, NULL, NULL) == 0);
	struct call_spec *s = call_spec_new(&a, &system, STR("s"), STR("c"), STR("/x"), CALL_GET, STR_NULL, NULL, NULL);
	const char *head = arena_printf(&a, "{\"headers\":[[\"content-type\",\"%s\"]],\"timings\":{}}",
					types[bytes[1] % (sizeof(types) / sizeof(*types))]);
	struct call_answer x;
	must(s && call_answer_read(str_c(head), 200, str_from((const char *)bytes + 2, n - 2), &a, &x, NULL) == 0);
	enum call_verdict v = call_judge(s, call_result_rule_new(&a, STR("body"), NULL), &x, &a, &result, &problem);
	must((v == CALL_OK) == (problem.kind == VALUE_NULL));
	auto_buf struct buf b = { .max = 256u << 20 };
	must(json_write(&b, v == CALL_OK ? &result : &problem, JSON_COMPACT) == 0);
	must(json_parse(&a, buf_str(&b), NULL, &again, NULL, NULL) == 0);
	return 0;
}
