/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"
#include "test.h"

#include <stdio.h>

/* Read all of `text`, `step` bytes at a time, and write it again with "|" between fields and "/" after records. */
static int redo(const char *text, size_t len, size_t step, struct buf *out, struct err *e)
{
	struct csv_reader r;
	int rc = 0;
	size_t at = 0;
	csv_reader_init(&r);
	while (rc >= 0 && at <= len) {
		size_t used = 0, piece = at + step > len ? len - at : step;
		rc = at == len ? csv_end(&r, e) : csv_push(&r, str_from(text + at, piece), &used, e);
		at += at == len ? 1 : used;
		for (size_t i = 0; rc == 1 && i < csv_fields(&r); i++) {
			if (i)
				(void)buf_append_char(out, '|');
			(void)buf_append_str(out, csv_field(&r, i));
		}
		if (rc == 1)
			(void)buf_append_char(out, '/');
	}
	csv_reader_done(&r);
	return rc < 0 ? rc : 0;
}

TEST(reads_what_rfc_4180_says_at_any_piece_size)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "", "" },
		{ "a,b\n1,2\n", "a|b/1|2/" },
		{ "a,b\r\n1,2", "a|b/1|2/" },
		{ "a,b\r1,2\r", "a|b/1|2/" },
		{ "\xef\xbb\xbf"
		  "a\n",
		  "a/" },
		{ "\"a,\"\"x\"\"\",\"l1\nl2\"\n", "a,\"x\"|l1\nl2/" },
		{ ",\n", "|/" },
		{ "a,\"\"\n\n\nb,c\n", "a|/b|c/" },
		{ "\"\"", "/" },
		{ "é,日本\n", "é|日本/" },
		{ "\xef\xbb\n", "\xef\xbb/" }, /* half a mark is text */
		{ "\xef", "\xef/" },
		{ ("\xef\xbb\xbf\xef\xbb\xbf"
		   "x\n"),
		  ("\xef\xbb\xbf"
		   "x/") },
		{ "\"\xef\xbb\xbf\",a\n", "\xef\xbb\xbf|a/" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t step = 1; step < 9; step++) {
			struct buf out;
			struct err e = ERR_INIT;
			buf_init(&out, 4096);
			int rc = redo(rows[i].in, strlen(rows[i].in), step, &out, &e);
			if (rc < 0 || !str_eq_c(buf_str(&out), rows[i].out))
				fail_msg("row %zu step %zu: \"%.*s\" %s", i, step, STR_ARG(buf_str(&out)), e.msg);
			buf_done(&out);
		}
}

TEST(refuses_stray_quotes_with_the_line)
{
	static const char *const bad[] = { "a\nb\"c\n", "a\n\"b\"c\n", "a\n\"open\n" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf out;
		struct err e = ERR_INIT;
		buf_init(&out, 4096);
		assert_int_equal(redo(bad[i], strlen(bad[i]), 64, &out, &e), -ERR_INVALID);
		assert_non_null(strstr(e.msg, "line 2"));
		buf_done(&out);
	}
}

TEST(writes_fields_that_read_back)
{
	static const char *const fields[] = { "", "a", "a,b", "say \"x\"", "two\nlines", " edge ", "=1+1" };
	struct buf b, out;
	struct err e = ERR_INIT;
	buf_init(&b, 4096);
	buf_init(&out, 4096);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (i)
			(void)buf_append_char(&b, ',');
		(void)csv_write_field(&b, str_c(fields[i]));
	}
	assert_int_equal(redo(b.ptr, b.len, 5, &out, &e), 0);
	assert_str(buf_str(&out), "|a|a,b|say \"x\"|two\nlines| edge |=1+1/");
	buf_done(&b);
	buf_done(&out);
}

RUN_TESTS(CLAIM(reads_what_rfc_4180_says_at_any_piece_size), CLAIM(refuses_stray_quotes_with_the_line),
	  CLAIM(writes_fields_that_read_back))
