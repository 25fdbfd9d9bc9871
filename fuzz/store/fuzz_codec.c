/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored bytes: any at all are read or refused, within bounds; and any row that is packed comes back byte for byte.
 * Input: a byte of choice; then a packed row, or a byte that says where head and body part, and a row.
 */
#include "store/sqlite_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct sqlite q;

static void need(bool is_so)
{
	if (!is_so)
		abort();
}

/* A database in memory with a run and a dictionary, number 1. */
static void prepare(void)
{
	struct err e = ERR_INIT;
	const struct store_config config = { .busy_timeout = 1 };
	struct ledger_key key = { .run = 1, .step = 1 };
	char row[200];

	need(sqlite_open(&q, NULL, &config, &e) == 0);
	q.sql.codec = codec_new();
	need(q.sql.codec && sqlite3_exec(q.db, "INSERT INTO runs VALUES(1,'c','d','v','e','t',1,1,1,1,1,1,1,1,0,0,'{}','')",
				     NULL, NULL, NULL) == SQLITE_OK);
	for (int i = 0; i < 120; i++) {
		struct str packed;
		int len = snprintf(row, sizeof(row),
				   "{\"status\":200,\"temperature\":%d,\"place\":\"%c%d\",\"unit\":\"km/h\"}",
				   i * 7 % 40, 'A' + i % 26, i * i);
		key.seq = (uint64_t)i;
		need(codec_pack(&q.sql, &key, LEDGER_OUTCOME, str_from(row, 14), str_from(row + 14, (size_t)len - 14),
				&packed) == 0);
		codec_tend(q.sql.codec);
	}
}

static void read_any(struct str packed)
{
	struct arena a;
	struct str head, body;

	arena_init(&a, STORE_RESULT_BYTES_MAX);
	enum codec_error code = codec_unpack(&q.sql, packed, &a, &head, &body);
	need(code == CODEC_OK || code == CODEC_DAMAGED || code == CODEC_NO_ROOM);
	need(code != CODEC_OK || head.ptr + head.len == body.ptr);
	static volatile char seen; /* a sanitizer looks whether it is ours */
	for (size_t i = 0; code == CODEC_OK && i < body.len; i += 4096)
		seen = body.ptr[i];
	(void)seen;
	arena_done(&a);
}

static void there_and_back(struct str row, size_t at)
{
	struct ledger_key key = { .run = 1, .step = 1 };
	struct str packed, head, body;
	struct arena a;

	at = at < row.len ? at : row.len;
	arena_init(&a, STORE_RESULT_BYTES_MAX);
	need(codec_pack(&q.sql, &key, LEDGER_OUTCOME, str_from(row.ptr, at), str_from(row.ptr + at, row.len - at),
			&packed) == 0);
	if (packed.ptr) {
		need(codec_unpack(&q.sql, packed, &a, &head, &body) == CODEC_OK && head.len == at &&
		     head.len + body.len == row.len);
		need(memcmp(head.ptr, row.ptr, row.len) == 0);
	}
	arena_done(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (!q.db)
		prepare();
	if (n < 2)
		return 0;
	struct str rest = str_from((const char *)bytes + 1, n - 1);
	if (bytes[0] % 2)
		there_and_back(str_from(rest.ptr + 1, rest.len - 1), bytes[1]);
	else
		read_any(rest);
	return 0;
}
