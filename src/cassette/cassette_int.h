/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/auto.h"
#include "base/json.h"
#include "base/num.h"
#include "cassette/cassette.h"

#define BODY_JSON "json"
#define BODY_TEXT "text"
#define BODY_BASE64 "base64"

/*
 * Bytes as a value: { json } where that loses nothing (the same bytes written compactly, or `is_json`, where white
 * space says nothing), { text }, { base64 }, null for none. Absent when out of memory.
 */
struct value body_of_bytes(struct arena *a, struct str bytes, bool is_json);
/* And back, in `a`. False for what is no body. */
bool body_to_bytes(struct arena *a, const struct value *body, struct str *ret);

/* A recorded outcome as an answer { body, error, headers, status ... } without what changes each time. */
int answer_of_row(struct arena *a, const struct ledger_row *row, struct value *ret, struct err *e);
int answer_to_row(struct arena *a, const struct value *answer, struct ledger_row *row, struct err *e);
/* A request as recorded, its body as body_of_bytes(). */
int request_of_text(struct arena *a, struct str masked, struct value *ret, struct err *e);
int request_to_text(struct arena *a, const struct value *request, struct str *ret);

/* Where the lines of an item begin among `n` sorted ones, or would begin. */
size_t cassette_find(const struct cassette_line *lines, size_t n, uint64_t item);

/* A CALL line: it was answered, or a person has said what came of it. */
bool call_is_over(const struct cassette_line *l);
