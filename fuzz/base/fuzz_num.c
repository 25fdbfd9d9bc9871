/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from text, against the C library's opinion, and doubles to text and back. */
#include "base/num.h"
#include "base/value.h"
#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MUST(claim)                                                                                                    \
	do {                                                                                                           \
		if (!(claim))                                                                                          \
			abort();                                                                                       \
	} while (0)

static void as_text(struct arena *a, struct str s)
{
	struct err e = ERR_INIT;
	uint64_t u;
	int64_t i;
	msec_t ms;
	double d, nearest;
	char *c = arena_c(a, s);
	if (num_parse_u64(s, &u) == 0)
		MUST(u == strtoull(c, NULL, 10));
	if (num_parse_i64(s, &i) == 0)
		MUST(i == strtoll(c, NULL, 10));
	if (num_parse_duration(s, &ms, &e) == 0)
		MUST(ms >= 0);
	else
		MUST(e.msg[0]);
	if (num_parse_size(s, &u, &e) < 0)
		MUST(e.msg[0]);
	struct value v = value_number_text(s);
	bool is_number = value_to_double(&v, &nearest);
	if (num_parse_double(s, &d) == 0)
		MUST(is_number && d == nearest);
	if (!is_number) {
		MUST(!value_number_fits_double(s) && !value_number_is_canonical(s) && !value_to_int64(&v, &i));
		return;
	}
	MUST(nearest == strtod(c, NULL));
	if (value_to_int64(&v, &i) && llabs(i) < (INT64_C(1) << 53))
		MUST((double)i == nearest);
	struct value js = value_double(a, nearest);
	MUST(value_number_is_canonical(s) == (js.kind == VALUE_NUMBER && str_eq(value_text(&js), s)));
}

static void as_double(struct arena *a, double d)
{
	double back;
	struct value v = value_double(a, d);
	if (!isfinite(d)) {
		MUST(v.kind == VALUE_NULL);
		return;
	}
	MUST(value_to_double(&v, &back) && back == d);
	MUST(value_number_fits_double(value_text(&v)));
	MUST(value_number_is_canonical(value_text(&v)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	auto_arena struct arena a;
	arena_init(&a, 0);
	as_text(&a, str_from((const char *)bytes, n));
	if (n >= sizeof(double)) {
		double d;
		memcpy(&d, bytes, sizeof(d));
		as_double(&a, d);
	}
	return 0;
}
