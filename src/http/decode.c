/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content codings, believed only when they end properly: libcurl calls half a gzip stream inside a correct
 * Content-Length a success, and so does who forgets decoder_end().
 */
#include "http/decode.h"
#include "base/alloc.h"

#include <brotli/decode.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define CHUNK_BYTES (16u << 10)
#define ZSTD_WINDOW_LOG_MAX 23 /* 8 MiB (RFC 9659) */

enum coding { IDENTITY, GZIP, DEFLATE, BROTLI, ZSTANDARD };

struct decoder {
	enum coding coding;
	size_t max_decoded, decoded, consumed;
	bool has_ended;	      /* a stream is complete and nothing followed it so far */
	bool is_deflate_open; /* zlib or raw was decided */
	unsigned char first;  /* first byte of a deflate body, kept until the second one comes */
	bool has_first;
	z_stream z;
	BrotliDecoderState *brotli;
	ZSTD_DStream *zstd;
	size_t magic; /* zstd: bytes seen of the frame's magic number, up to four */
	bool is_skippable;
};

static int bad(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "%s", what);
}

/* The decoders have a malloc of their own: what they lack is counted as if it were ours. */
static int no_memory(struct err *e)
{
	(void)alloc_failed();
	return err_set(e, ERR_NO_MEMORY, "no memory to decode a body");
}

static int open_zlib(struct decoder *d, int window_bits, struct err *e)
{
	int r = inflateInit2(&d->z, window_bits);

	return r == Z_OK ? 0 : no_memory(e);
}

static int decoder_open(struct decoder *d, struct err *e)
{
	bool is_open = true;

	if (d->coding == GZIP)
		return open_zlib(d, MAX_WBITS + 16, e);
	if (d->coding == BROTLI)
		is_open = (d->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL)) != NULL;
	if (d->coding == ZSTANDARD) {
		d->zstd = ZSTD_createDStream();
		is_open =
		    d->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
	}
	return is_open ? 0 : no_memory(e);
}

int decoder_new(struct decoder **ret, struct str coding, size_t max_decoded, struct err *e)
{
	static const struct {
		const char *name;
		enum coding coding;
	} known[] = {
		{ "", IDENTITY }, { "identity", IDENTITY }, { "gzip", GZIP },	   { "x-gzip", GZIP },
		{ "br", BROTLI }, { "deflate", DEFLATE },   { "zstd", ZSTANDARD },
	};

	coding = str_trim(coding);
	if (str_find_char(coding, ',') >= 0)
		return bad(e, "more than one content coding");
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!str_eq_nocase(coding, str_c(known[i].name)))
			continue;
		struct decoder *d = alloc_calloc(1, sizeof(*d));
		if (!d)
			return err_set(e, ERR_NO_MEMORY, "no memory to decode a body");
		d->coding = known[i].coding;
		d->max_decoded = max_decoded;
		int code = decoder_open(d, e);
		if (code) {
			decoder_free(d);
			return code;
		}
		*ret = d;
		return 0;
	}
	return err_set(e, ERR_INVALID, "unknown content coding '%.*s'", (int)(coding.len < 40 ? coding.len : 40),
		       coding.ptr ? coding.ptr : "");
}

/* Bytes that came out, counted before they are kept. */
static int put(struct decoder *d, const void *bytes, size_t n, struct buf *out, struct err *e)
{
	d->decoded += n;
	if (d->decoded > d->max_decoded)
		return err_set(e, ERR_LIMIT, "the decoded body is larger than %zu bytes", d->max_decoded);
	if (d->decoded > DECODE_RATIO_FLOOR && d->decoded / DECODE_RATIO_MAX > d->consumed)
		return err_set(e, ERR_LIMIT, "the body unpacks to more than %d times its size", DECODE_RATIO_MAX);
	int code = buf_append(out, bytes, n);
	return code ? err_set(e, -code, "no room for the decoded body") : 0;
}

static int push_zlib(struct decoder *d, struct str wire, struct buf *out, struct err *e)
{
	unsigned char chunk[CHUNK_BYTES];
	size_t before = d->consumed;

	d->z.next_in = (unsigned char *)(uintptr_t)wire.ptr;
	d->z.avail_in = (unsigned)wire.len;
	for (;;) {
		if (d->has_ended) {
			if (d->z.avail_in == 0)
				return 0;
			if (d->coding != GZIP)
				return bad(e, "bytes after the end of the coded body");
			(void)inflateReset(&d->z); /* gzip files may stand one after the other (RFC 1952 2.2) */
			d->has_ended = false;
		}
		d->z.next_out = chunk;
		d->z.avail_out = sizeof(chunk);
		int r = inflate(&d->z, Z_NO_FLUSH);
		d->consumed = before + wire.len - d->z.avail_in;
		if (r == Z_MEM_ERROR)
			return no_memory(e);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return bad(e, "the coded body is damaged");
		int code = put(d, chunk, sizeof(chunk) - d->z.avail_out, out, e);
		if (code)
			return code;
		d->has_ended = r == Z_STREAM_END;
		if (!d->has_ended && d->z.avail_in == 0 && d->z.avail_out > 0)
			return 0;
	}
}

/* "deflate" means zlib (RFC 9110 8.4.1.2), but some send the bare stream: the first two bytes tell. */
static int push_deflate(struct decoder *d, struct str wire, struct buf *out, struct err *e)
{
	if (d->is_deflate_open)
		return push_zlib(d, wire, out, e);
	if (!d->has_first) {
		d->has_first = true;
		d->first = (unsigned char)wire.ptr[0];
		wire = str_from(wire.ptr + 1, wire.len - 1);
		if (wire.len == 0)
			return 0;
	}
	unsigned second = (unsigned char)wire.ptr[0];
	bool is_zlib = (d->first & 0x0f) == 8 && d->first >> 4 <= 7 && (d->first * 256u + second) % 31 == 0;
	int code = open_zlib(d, is_zlib ? MAX_WBITS : -MAX_WBITS, e);
	if (code)
		return code;
	d->is_deflate_open = true;
	code = push_zlib(d, str_from((const char *)&d->first, 1), out, e);
	return code ? code : push_zlib(d, wire, out, e);
}

static int push_brotli(struct decoder *d, struct str wire, struct buf *out, struct err *e)
{
	unsigned char chunk[CHUNK_BYTES];
	const unsigned char *in = (const unsigned char *)wire.ptr;
	size_t before = d->consumed, left = wire.len;

	if (d->has_ended)
		return bad(e, "bytes after the end of the coded body");
	for (;;) {
		unsigned char *to = chunk;
		size_t room = sizeof(chunk);
		BrotliDecoderResult r = BrotliDecoderDecompressStream(d->brotli, &left, &in, &room, &to, NULL);
		d->consumed = before + wire.len - left;
		if (r == BROTLI_DECODER_RESULT_ERROR)
			return bad(e, "the coded body is damaged");
		int code = put(d, chunk, sizeof(chunk) - room, out, e);
		if (code)
			return code;
		d->has_ended = r == BROTLI_DECODER_RESULT_SUCCESS;
		if (d->has_ended && left > 0)
			return bad(e, "bytes after the end of the coded body");
		if (r != BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT)
			return 0;
	}
}

/* Debian's libzstd also reads the formats of before 2016, which are none of RFC 8878's, and differently by how they are
 * cut. */
static bool is_frame_of_8878(struct decoder *d, const unsigned char *bytes, size_t n)
{
	static const unsigned char frame[] = { 0x28, 0xB5, 0x2F, 0xFD }, skippable[] = { 0x50, 0x2A, 0x4D, 0x18 };

	for (size_t i = 0; i < n && d->magic < sizeof(frame); i++, d->magic++) {
		if (d->magic == 0)
			d->is_skippable = (bytes[i] & 0xF0) == skippable[0];
		unsigned char wanted = d->is_skippable ? skippable[d->magic] : frame[d->magic];
		if ((d->is_skippable && d->magic == 0 ? bytes[i] & 0xF0 : bytes[i]) != wanted)
			return false;
	}
	return true;
}

static int push_zstd(struct decoder *d, struct str wire, struct buf *out, struct err *e)
{
	unsigned char chunk[CHUNK_BYTES];
	ZSTD_inBuffer in = { .src = wire.ptr, .size = wire.len };
	size_t before = d->consumed;

	for (;;) { /* frames may stand one after the other (RFC 8878 3.1); libzstd goes on by itself */
		ZSTD_outBuffer to = { .dst = chunk, .size = sizeof(chunk) };
		if (!is_frame_of_8878(d, (const unsigned char *)wire.ptr + in.pos, in.size - in.pos))
			return bad(e, d->has_ended ? "bytes after the end of the coded body"
						   : "the coded body is no zstd frame");
		size_t r = ZSTD_decompressStream(d->zstd, &to, &in);
		d->consumed = before + in.pos;
		if (ZSTD_isError(r))
			return bad(e, d->has_ended ? "bytes after the end of the coded body"
						   : "the coded body is damaged");
		int code = put(d, chunk, to.pos, out, e);
		if (code)
			return code;
		d->has_ended = r == 0;
		if (r == 0)
			d->magic = 0;
		if (in.pos == in.size && (r == 0 || to.pos < to.size))
			return 0;
	}
}

int decoder_push(struct decoder *d, struct str wire, struct buf *out, struct err *e)
{
	if (wire.len == 0)
		return 0;
	if (wire.len > UINT32_MAX / 2) /* zlib counts in unsigned */
		return err_set(e, ERR_LIMIT, "too many bytes at once");
	switch (d->coding) {
	case GZIP:
		return push_zlib(d, wire, out, e);
	case DEFLATE:
		return push_deflate(d, wire, out, e);
	case BROTLI:
		return push_brotli(d, wire, out, e);
	case ZSTANDARD:
		return push_zstd(d, wire, out, e);
	default:
		d->consumed += wire.len;
		return put(d, wire.ptr, wire.len, out, e);
	}
}

int decoder_end(struct decoder *d, struct err *e)
{
	if (d->coding == IDENTITY || d->has_ended)
		return 0;
	return bad(e, "the coded body is cut: its end is missing");
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	if (d->coding == GZIP || d->is_deflate_open)
		(void)inflateEnd(&d->z);
	if (d->brotli)
		BrotliDecoderDestroyInstance(d->brotli);
	if (d->zstd)
		(void)ZSTD_freeDStream(d->zstd);
	free(d);
}
