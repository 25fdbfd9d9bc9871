/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings (RFC 9110 8.4): gzip, deflate (zlib and raw), br, zstd; one coding only, proof of end, limits on decoded bytes. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

struct decoder;

#define DECODE_RATIO_MAX 200		  /* decoded : wire ... */
#define DECODE_RATIO_FLOOR (1u << 20) /* ... once this much was decoded */

/* `coding` is the field's value, any case; "" and "identity" pass through. -ERR_INVALID names an unknown or nested coding. */
int decoder_new(struct decoder **ret, struct str coding, size_t max_decoded, struct err *e);
int decoder_push(struct decoder *d, struct str wire, struct buf *out, struct err *e); /* -ERR_LIMIT over a limit */
int decoder_end(struct decoder *d, struct err *e); /* 0 only when the stream ended and nothing trailed */
void decoder_free(struct decoder *d);
