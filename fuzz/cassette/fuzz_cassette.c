/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cassettes that anybody wrote: never a crash, and what was read is written so that it reads as the same again.
 * Redaction, comparison with itself and update by itself change nothing that they should not.
 */
#include "base/auto.h"
#include "cassette/cassette.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void on_finding(void *arg, const struct cassette_finding *f)
{
	if (f->verdict != CASSETTE_SAME)
		abort();
}

/* Requests alone: an entry that is recorded without its data is no expectation. */
static void compare(struct cassette *c)
{
	(void)cassette_compare(c, c, true, on_finding, NULL);
	(void)cassette_compare(c, c, false, on_finding, NULL);
}

static void write_again(struct cassette *c)
{
	struct cassette again;
	auto_buf struct buf first = { .max = 64u << 20 }, second = { .max = 64u << 20 };
	struct err e = ERR_INIT;
	if (cassette_write(c, &first) < 0)
		return;
	cassette_init(&again);
	if (cassette_read(&again, buf_str(&first), &e) < 0 || again.n != c->n || cassette_write(&again, &second) < 0 ||
	    !str_eq(buf_str(&first), buf_str(&second)))
		abort();
	cassette_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct cassette c;
	struct err e = ERR_INIT;
	cassette_init(&c);
	if (cassette_read(&c, str_from((const char *)bytes, n), &e) == 0) {
		write_again(&c);
		compare(&c);
		(void)cassette_redact(&c, &e);
		compare(&c);
	} else if (!e.code) {
		abort();
	}
	cassette_done(&c);
	return 0;
}
