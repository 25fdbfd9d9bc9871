/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers from hostile peers and from a torn ledger: never a crash, never a success beside a problem, and the same
 * judgement from what was written and read again. Input: a byte of choices, a line that is the ledger's head (or,
 * unread, chooses one), then the body.
 */
#include "base/json.h"
#include "call/call.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const types[] = { "application/json",
				     "text/html",
				     "text/plain; charset=latin1",
				     "application/x-ndjson",
				     "image/png",
				     "",
				     "text/plain",
				     "application/problem+json" };
static const char *const rules[] = { "auto", "id", "body", "response", "$.a['b'][0]", "$[-1]", "$", "auto" };
static const int statuses[] = { 200, 201, 204, 302, 404, 500, 999, 0 };

static struct call_spec *spec_new(struct arena *a, enum call_method m, const char *answer)
{
	static struct value system;
	const char *text =
	    arena_printf(a,
			 "{\"base_url\":\"https://"
			 "h\",\"connectors\":{\"c\":{\"operations\":[{\"method_name\":\"%s\",\"query_path\":\"/x\","
			 "\"id\":\"$.data.id\",\"answer\":\"%s\"}]}}}",
			 call_method_name(m), answer);
	if (json_parse(a, str_c(text), NULL, &system, NULL, NULL) < 0)
		abort();
	return call_spec_new(a, &system, STR("s"), STR("c"), STR("/x"), m, STR_NULL, NULL, NULL);
}

static struct str text_of(struct arena *a, const struct value *v)
{
	auto_buf struct buf b = { .max = 512u << 20 };
	if (json_write(&b, v, JSON_COMPACT) < 0)
		abort();
	return arena_str(a, buf_str(&b));
}

/* The judgement as text; a success has no problem, everything else has one with a type. */
static struct str judge(struct arena *a, const struct call_spec *s, const struct call_result_rule *rule,
			const struct call_answer *x)
{
	struct value result, problem;
	enum call_verdict verdict = call_judge(s, rule, x, a, &result, &problem);
	if ((verdict == CALL_OK) != (problem.kind == VALUE_NULL) ||
	    (verdict != CALL_OK && !value_get_c(&problem, "type")))
		abort();
	struct str r = text_of(a, &result), p = text_of(a, &problem);
	struct value again;
	if (json_parse(a, r, NULL, &again, NULL, NULL) < 0 || json_parse(a, p, NULL, &again, NULL, NULL) < 0)
		abort();
	return str_c(arena_printf(a, "%d %.*s %.*s", verdict, STR_ARG(r), STR_ARG(p)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const answers[] = { "auto", "json", "xml", "csv" };
	auto_arena struct arena a = { 0 };
	struct call_answer x, y;
	if (n < 3)
		return 0;
	arena_init(&a, 0);
	enum call_method m = bytes[0] % CALL_METHOD_COUNT;
	const struct call_spec *s = spec_new(&a, m, answers[bytes[1] >> 6]);
	struct call_result_rule *rule = call_result_rule_new(&a, str_c(rules[bytes[1] & 7]), NULL);
	struct str body = str_from((const char *)bytes + 3, n - 3), head = str_split(&body, '\n');
	int status = statuses[bytes[2] & 7];
	/* A rule out of the input, too. */
	(void)call_result_rule_new(&a, head, NULL);
	if (call_answer_read(head, status, body, &a, &x, NULL) < 0) {
		const char *plain = arena_printf(
		    &a, "{\"headers\":[[\"content-type\",\"%s\"],[\"location\",\"/a/%%41\"]],\"timings\":{}}",
		    types[bytes[2] >> 5]);
		if (call_answer_read(str_c(plain), status, body, &a, &x, NULL) < 0)
			abort();
	}
	auto_buf struct buf written = { .max = 64u << 20 };
	if (call_answer_write(&x, &written) < 0 || call_answer_read(buf_str(&written), status, body, &a, &y, NULL) < 0)
		return 0; /* escapes have made it longer than a head may be */
	if (!str_eq(judge(&a, s, rule, &x), judge(&a, s, rule, &y)))
		abort();
	return 0;
}
