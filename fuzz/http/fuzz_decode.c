/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings: never beyond the limit, and the same answer whatever the pieces. Input: one byte for the coding,
 * then the stream. */
#include "http/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MAX_DECODED (1u << 20)

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static int decode(struct str coding, struct str wire, size_t piece, struct buf *out)
{
	struct decoder *d = NULL;
	struct err e;
	int code = decoder_new(&d, coding, MAX_DECODED, &e);

	for (size_t i = 0; i < wire.len && !code; i += piece)
		code = decoder_push(d, str_from(wire.ptr + i, wire.len - i < piece ? wire.len - i : piece), out, &e);
	if (!code)
		code = decoder_end(d, &e);
	decoder_free(d);
	demand(out->len <= MAX_DECODED);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const codings[] = { "gzip", "deflate", "br", "zstd", "identity" };
	struct buf whole, pieces;

	if (n == 0)
		return 0;
	struct str coding = str_c(codings[bytes[0] % ARRAY_LEN(codings)]);
	struct str wire = str_from((const char *)bytes + 1, n - 1);
	buf_init(&whole, 2 * MAX_DECODED);
	buf_init(&pieces, 2 * MAX_DECODED);
	int x = decode(coding, wire, n, &whole);
	int y = decode(coding, wire, 1 + bytes[0] / 8u, &pieces);
	if (x == 0 && y == 0)
		demand(str_eq(buf_str(&whole), buf_str(&pieces)));
	demand((x == 0) == (y == 0) || x == -ERR_LIMIT || y == -ERR_LIMIT);
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
