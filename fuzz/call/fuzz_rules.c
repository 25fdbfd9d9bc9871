/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules out of a file and answers out of the world. Input: a byte for the method and status, a line that is the list of
 * rules, a line that is the headers' list of pairs, then the body.
 */
#include "base/json.h"
#include "call/call.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void count(void *arg, const struct value *at, const char *field, const char *sentence)
{
	++*(unsigned *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const int statuses[] = { 200, 201, 403, 404, 413, 429, 500, 503 };
	auto_arena struct arena a = { 0 };
	struct value system;
	unsigned told = 0;
	if (n < 2)
		return 0;
	arena_init(&a, 16u << 20);
	struct str body = str_from((const char *)bytes + 1, n - 1), rules = str_split(&body, '\n'),
		   headers = str_split(&body, '\n');
	const char *text = arena_printf(
	    &a,
	    "{\"base_url\":\"https://h\",\"rules\":%.*s,\"connectors\":{\"c\":{\"operations\":[{"
	    "\"method_name\":\"GET\",\"query_path\":\"/x\"},{\"method_name\":\"POST\",\"query_path\":\"/x\"}]}}}",
	    STR_ARG(rules));
	if (!text || json_parse(&a, str_c(text), NULL, &system, NULL, NULL) < 0)
		return 0;
	unsigned complaints = call_system_check(&system, STR_NULL, count, &told);
	must(complaints == told);
	enum call_method m = bytes[0] & 1 ? CALL_POST : CALL_GET;
	struct call_spec *s = call_spec_new(&a, &system, STR("s"), STR("c"), STR("/x"), m, STR_NULL, NULL, NULL);
	must(!s || complaints == 0);
	struct call_answer x;
	const char *head = arena_printf(
	    &a, "{\"headers\":%.*s,\"timings\":{}%s}", STR_ARG(headers),
	    bytes[0] & 0x80 ? ",\"error\":\"truncated\",\"certainty\":\"ambiguous\",\"detail\":\"x\"" : "");
	if (!s || !head || call_answer_read(str_c(head), statuses[(bytes[0] >> 1) & 7], body, &a, &x, NULL) < 0)
		return 0;
	struct call_judgement j;
	enum call_verdict v = call_judge_full(s, call_result_rule_new(&a, STR("auto"), NULL), &x, &a, &j);
	must(v == j.verdict && j.rule.len > 0);
	must((v == CALL_OK) == (j.problem.kind == VALUE_NULL) || a.used > (8u << 20));
	must(j.wait_ms >= 0 && j.wait_ms <= CALL_WAIT_MAX);
	must(j.retryable == (v == CALL_RETRY || v == CALL_WAIT || v == CALL_REFRESH));
	must(!(bytes[0] & 0x80) || m == CALL_GET || v == CALL_UNKNOWN);
	return 0;
}
