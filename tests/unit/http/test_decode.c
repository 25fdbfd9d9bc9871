/* SPDX-License-Identifier: Apache-2.0 */
#include "http/decode.h"
#include "base/auto.h"
#include "test.h"

#include <dirent.h>
#include <zlib.h>
#include <zstd.h>

#define PLAIN_BYTES 40000
#define NO_LIMIT ((size_t)64 << 20)

static char plain[PLAIN_BYTES];

static void make_plain(void)
{
	unsigned seed = 7;

	for (size_t i = 0; i < PLAIN_BYTES; i++)
		plain[i] = (char)('a' + rand_r(&seed) % 20);
}

/* Decode all of it in pieces of `piece` bytes; 0 when the stream proved its end. */
static int decode(const char *coding, struct str wire, size_t piece, size_t max, struct buf *out, struct err *e)
{
	struct decoder *d = NULL;
	int code = decoder_new(&d, str_c(coding), max, e);

	for (size_t i = 0; i < wire.len && !code; i += piece)
		code = decoder_push(d, str_from(wire.ptr + i, wire.len - i < piece ? wire.len - i : piece), out, e);
	if (!code)
		code = decoder_end(d, e);
	decoder_free(d);
	return code;
}

struct coded {
	const char *coding;
	char bytes[PLAIN_BYTES * 2];
	size_t len;
	bool has_checksum;
};

static void deflate_into(struct coded *c, const char *coding, int window_bits, bool has_checksum)
{
	z_stream z = { 0 };

	c->coding = coding;
	c->has_checksum = has_checksum;
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)plain;
	z.avail_in = PLAIN_BYTES;
	z.next_out = (unsigned char *)c->bytes;
	z.avail_out = sizeof(c->bytes);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	c->len = z.total_out;
	deflateEnd(&z);
}

static void zstd_into(struct coded *c)
{
	ZSTD_CCtx *z = ZSTD_createCCtx();

	c->coding = "zstd";
	c->has_checksum = true;
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	c->len = ZSTD_compress2(z, c->bytes, sizeof(c->bytes), plain, PLAIN_BYTES);
	assert_false(ZSTD_isError(c->len));
	ZSTD_freeCCtx(z);
}

/* An uncompressed metablock (RFC 7932 9.2), for there is no encoder here. */
static void brotli_into(struct coded *c)
{
	unsigned head = 1u << 20 | (PLAIN_BYTES - 1u) << 4; /* window 16, 4 nibbles of length, uncompressed */

	c->coding = "br";
	c->has_checksum = false;
	for (int i = 0; i < 3; i++)
		c->bytes[i] = (char)(head >> (8 * i));
	memcpy(c->bytes + 3, plain, PLAIN_BYTES);
	c->bytes[3 + PLAIN_BYTES] = 3; /* last and empty */
	c->len = PLAIN_BYTES + 4;
}

#define CODINGS 5

static struct coded *make_all(void)
{
	struct coded *c = calloc(CODINGS, sizeof(*c));

	make_plain();
	deflate_into(&c[0], "gzip", 15 + 16, true);
	deflate_into(&c[1], "deflate", 15, true);
	deflate_into(&c[2], "deflate", -15, false);
	zstd_into(&c[3]);
	brotli_into(&c[4]);
	return c;
}

TEST(each_coding_gives_back_what_went_in_whatever_the_pieces)
{
	static const size_t pieces[] = { 1, 2, 7, 4096, SIZE_MAX / 2 };
	struct coded *c = make_all();

	for (int i = 0; i < CODINGS; i++) {
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct err e = ERR_INIT;
			auto_buf struct buf out;
			buf_init(&out, NO_LIMIT);
			if (decode(c[i].coding, str_from(c[i].bytes, c[i].len), pieces[k], NO_LIMIT, &out, &e) != 0)
				fail_msg("%s in pieces of %zu: %s", c[i].coding, pieces[k], e.msg);
			assert_int_equal(out.len, PLAIN_BYTES);
			assert_memory_equal(out.ptr, plain, PLAIN_BYTES);
		}
	}
	free(c);
}

TEST(no_cut_of_a_stream_is_a_success)
{
	struct coded *c = make_all();

	for (int i = 0; i < CODINGS; i++) {
		for (size_t len = 0; len < c[i].len; len += len < 64 || len + 64 > c[i].len ? 1 : 501) {
			struct err e = ERR_INIT;
			auto_buf struct buf out;
			buf_init(&out, NO_LIMIT);
			if (decode(c[i].coding, str_from(c[i].bytes, len), 4096, NO_LIMIT, &out, &e) == 0)
				fail_msg("%s (%d) cut to %zu of %zu bytes passed", c[i].coding, i, len, c[i].len);
			assert_true(e.msg[0]);
		}
	}
	free(c);
}

TEST(bytes_after_the_end_are_refused)
{
	static const char *const tails[] = { "G", "GARBAGE", "\0", "\r\n" };
	struct coded *c = make_all();

	for (int i = 0; i < CODINGS; i++) {
		for (size_t k = 0; k < ARRAY_LEN(tails); k++) {
			size_t n = tails[k][0] ? strlen(tails[k]) : 1;
			for (size_t piece = 1; piece < 100000; piece += 99998) {
				struct err e = ERR_INIT;
				auto_buf struct buf out;
				buf_init(&out, NO_LIMIT);
				memcpy(c[i].bytes + c[i].len, tails[k], n);
				if (decode(c[i].coding, str_from(c[i].bytes, c[i].len + n), piece, NO_LIMIT, &out, &e) == 0)
					fail_msg("%s (%d) with tail %zu passed", c[i].coding, i, k);
			}
		}
	}
	free(c);
}

TEST(a_flipped_bit_is_seen_where_there_is_a_checksum)
{
	struct coded *c = make_all();

	for (int i = 0; i < CODINGS; i++) {
		for (size_t at = 0; at < c[i].len && c[i].has_checksum; at += 97) {
			if (strcmp(c[i].coding, "gzip") == 0 && at > 3 && at < 10)
				continue; /* time, level and system mean nothing */
			struct err e = ERR_INIT;
			auto_buf struct buf out;
			buf_init(&out, NO_LIMIT);
			c[i].bytes[at] ^= 0x55;
			if (decode(c[i].coding, str_from(c[i].bytes, c[i].len), 4096, NO_LIMIT, &out, &e) == 0 && out.len != 0 &&
			    memcmp(out.ptr, plain, PLAIN_BYTES) != 0)
				fail_msg("%s (%d) with byte %zu changed passed", c[i].coding, i, at);
			c[i].bytes[at] ^= 0x55;
		}
	}
	free(c);
}

TEST(streams_may_stand_one_after_the_other_where_the_format_says_so)
{
	struct coded *c = make_all();

	for (int i = 0; i < CODINGS; i++) {
		bool may = strcmp(c[i].coding, "gzip") == 0 || strcmp(c[i].coding, "zstd") == 0;
		struct err e = ERR_INIT;
		auto_buf struct buf both, out;
		buf_init(&both, NO_LIMIT);
		buf_init(&out, NO_LIMIT);
		buf_append(&both, c[i].bytes, c[i].len);
		buf_append(&both, c[i].bytes, c[i].len);
		int code = decode(c[i].coding, buf_str(&both), 1000, NO_LIMIT, &out, &e);
		if ((code == 0) != may)
			fail_msg("%s (%d) twice: %d %s", c[i].coding, i, code, e.msg);
		if (may)
			assert_int_equal(out.len, 2 * PLAIN_BYTES);
		both.failed = 0;
	}
	free(c);
}

TEST(the_limit_counts_decoded_bytes_exactly)
{
	struct coded *c = make_all();

	for (int i = 0; i < CODINGS; i++) {
		struct err e = ERR_INIT;
		auto_buf struct buf out;
		buf_init(&out, NO_LIMIT);
		assert_int_equal(decode(c[i].coding, str_from(c[i].bytes, c[i].len), 500, PLAIN_BYTES, &out, &e), 0);
		buf_clear(&out);
		assert_int_equal(decode(c[i].coding, str_from(c[i].bytes, c[i].len), 500, PLAIN_BYTES - 1, &out, &e), -ERR_LIMIT);
		assert_true(out.len < PLAIN_BYTES);
		buf_clear(&out);
		out.max = PLAIN_BYTES / 2; /* the buffer's own limit counts, too */
		buf_done(&out);
		assert_int_equal(decode(c[i].coding, str_from(c[i].bytes, c[i].len), 500, NO_LIMIT, &out, &e), -ERR_LIMIT);
	}
	free(c);
}

TEST(a_bomb_is_stopped_by_its_ratio)
{
	size_t n = (size_t)20 << 20;
	char *zeros = calloc(1, n);
	uLongf packed_len = compressBound(n);
	char *packed = malloc(packed_len);
	struct err e = ERR_INIT;
	auto_buf struct buf out;

	assert_int_equal(compress2((Bytef *)packed, &packed_len, (Bytef *)zeros, n, 9), Z_OK);
	buf_init(&out, NO_LIMIT);
	assert_int_equal(decode("deflate", str_from(packed, packed_len), 4096, NO_LIMIT, &out, &e), -ERR_LIMIT);
	assert_non_null(strstr(e.msg, "200 times"));
	assert_true(out.len < (size_t)4 << 20);
	/* The same ratio is fine for something small. */
	packed_len = compressBound(n);
	assert_int_equal(compress2((Bytef *)packed, &packed_len, (Bytef *)zeros, 900000, 9), Z_OK);
	buf_clear(&out);
	assert_int_equal(decode("deflate", str_from(packed, packed_len), 4096, NO_LIMIT, &out, &e), 0);
	free(packed);
	free(zeros);
}

TEST(coding_names_are_known_or_refused)
{
	static const struct {
		const char *name;
		bool is_known;
	} rows[] = {
		{ "gzip", true },    { "GZIP", true },	     { " x-gzip ", true },   { "deflate", true }, { "br", true }, { "zstd", true },
		{ "identity", true }, { "", true },	     { "gzip, gzip", false }, { "gzip,", false },  { "foo", false }, { "gzipx", false },
		{ "compress", false }, { "br, identity", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct decoder *d = NULL;
		struct err e = ERR_INIT;
		int code = decoder_new(&d, str_c(rows[i].name), 10, &e);
		if ((code == 0) != rows[i].is_known)
			fail_msg("'%s': %d %s", rows[i].name, code, e.msg);
		if (code)
			assert_int_equal(code, -ERR_INVALID);
		decoder_free(d);
	}
}

TEST(identity_passes_through_and_counts)
{
	struct err e = ERR_INIT;
	auto_buf struct buf out;

	buf_init(&out, 100);
	assert_int_equal(decode("", STR("hello"), 2, 5, &out, &e), 0);
	assert_str(buf_str(&out), "hello");
	assert_int_equal(decode("identity", STR("hello!"), 2, 5, &out, &e), -ERR_LIMIT);
}

/* ---- third-party streams ---- */

static struct str read_file(struct buf *b, const char *path)
{
	auto_file FILE *f = fopen(path, "rb");
	size_t n;
	char bytes[4096];

	assert_non_null(f);
	buf_init(b, NO_LIMIT);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		buf_append(b, bytes, n);
	return buf_str(b);
}

static void check_file(const char *dir, const char *name, const char *coding, const char *expected_path, bool is_good)
{
	char path[1024];
	struct err e = ERR_INIT;
	auto_buf struct buf wire, expected, out;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	read_file(&wire, path);
	buf_init(&out, NO_LIMIT);
	buf_init(&expected, NO_LIMIT);
	for (size_t piece = 1; piece <= 100001; piece += 100000) {
		buf_clear(&out);
		int code = decode(coding, buf_str(&wire), piece, NO_LIMIT, &out, &e);
		if ((code == 0) != is_good)
			fail_msg("%s: %d %s", path, code, e.msg);
	}
	if (!expected_path)
		return;
	read_file(&expected, expected_path);
	if (!str_eq(buf_str(&expected), buf_str(&out)))
		fail_msg("%s decodes to something else", path);
}

static bool libzstd_takes(const char *dir, const char *name)
{
	char path[1024];
	size_t max = (size_t)4 << 20;
	auto_free char *out = malloc(max);
	auto_buf struct buf wire;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	read_file(&wire, path);
	return !ZSTD_isError(ZSTD_decompress(out, max, wire.ptr, wire.len));
}

TEST(third_party_streams_decode_as_their_authors_say)
{
	char dir[512], expected[1100];
	struct dirent *entry;
	size_t n = 0;

	if (!test_suites()) {
		test_skip_suite("content-coding");
		return;
	}
	snprintf(dir, sizeof(dir), "%s/content-coding/brotli", test_suites());
	DIR *d = opendir(dir);
	if (!d) {
		test_skip_suite("content-coding");
		return;
	}
	while ((entry = readdir(d))) {
		char *dot = strstr(entry->d_name, ".compressed");
		if (!dot)
			continue;
		snprintf(expected, sizeof(expected), "%s/%.*s", dir, (int)(dot - entry->d_name), entry->d_name);
		check_file(dir, entry->d_name, "br", expected, true);
		n++;
	}
	closedir(d);
	assert_true(n > 20);
	for (int good = 0; good < 2; good++) {
		snprintf(dir, sizeof(dir), "%s/content-coding/zstd/%s", test_suites(), good ? "ok" : "bad");
		d = opendir(dir);
		assert_non_null(d);
		while ((entry = readdir(d))) {
			if (entry->d_name[0] == '.')
				continue;
			/* libzstd 1.5.4 errs on both sides (newer ones do not): streaming, we must agree with its one-shot verdict. */
			bool is_taken = libzstd_takes(dir, entry->d_name);
			if (is_taken != good)
				printf("  libzstd %s itself %s %s\n", ZSTD_versionString(), is_taken ? "takes" : "refuses", entry->d_name);
			check_file(dir, entry->d_name, "zstd", NULL, is_taken);
		}
		closedir(d);
	}
}

/* Debian's libzstd reads formats from before RFC 8878, too. */
TEST(a_frame_that_is_none_of_the_rfcs_is_refused_however_it_is_cut)
{
	static const char *const bad[] = { "\x26\xb5\x2f\xfd\x44\x58\xe6\x04\x31", "\x25\xb5\x2f\xfd\x00", "\x28\xb5\x2f\xfe", "\x28\xb5\x2e" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t piece = 1; piece < 10; piece++) {
			struct buf out;
			struct err e = ERR_INIT;
			buf_init(&out, 4096);
			assert_int_equal(decode("zstd", str_c(bad[i]), piece, 4096, &out, &e), -ERR_INVALID);
			assert_non_null(strstr(e.msg, "no zstd frame"));
			buf_done(&out);
		}
}

RUN_TESTS(CLAIM(a_frame_that_is_none_of_the_rfcs_is_refused_however_it_is_cut), CLAIM(each_coding_gives_back_what_went_in_whatever_the_pieces), CLAIM(no_cut_of_a_stream_is_a_success),
	  CLAIM(bytes_after_the_end_are_refused), CLAIM(a_flipped_bit_is_seen_where_there_is_a_checksum),
	  CLAIM(streams_may_stand_one_after_the_other_where_the_format_says_so), CLAIM(the_limit_counts_decoded_bytes_exactly),
	  CLAIM(a_bomb_is_stopped_by_its_ratio), CLAIM(coding_names_are_known_or_refused), CLAIM(identity_passes_through_and_counts),
	  CLAIM(third_party_streams_decode_as_their_authors_say))
