/* SPDX-License-Identifier: Apache-2.0 */
/* CSV: any bytes, in pieces; whatever is read must read the same after it was written. */
#include "base/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void read_all(struct str text, size_t step, struct buf *out)
{
	struct csv_reader r;
	size_t at = 0;
	int rc = 0;
	csv_reader_init(&r);
	while (rc >= 0 && at <= text.len) {
		size_t used = 0, piece = at + step > text.len ? text.len - at : step;
		rc = at == text.len ? csv_end(&r, NULL) : csv_push(&r, str_from(text.ptr + at, piece), &used, NULL);
		at += at == text.len ? 1 : used;
		for (size_t i = 0; rc == 1 && i < csv_fields(&r); i++) {
			if (i)
				(void)buf_append_char(out, ',');
			(void)csv_write_field(out, csv_field(&r, i));
		}
		if (rc == 1)
			(void)buf_append_char(out, '\n');
	}
	csv_reader_done(&r);
	if (rc < 0)
		buf_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct buf once, twice;
	buf_init(&once, 16u << 20);
	buf_init(&twice, 16u << 20);
	read_all(str_from((const char *)bytes, n), n % 7 + 3, &once);
	read_all(buf_str(&once), 64, &twice);
	if (once.len && !str_eq(buf_str(&once), buf_str(&twice)))
		abort();
	buf_done(&once);
	buf_done(&twice);
	return 0;
}
