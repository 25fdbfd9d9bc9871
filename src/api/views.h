/* SPDX-License-Identifier: Apache-2.0 */
/* Stored rows as the JSON that the REST face and the command line show. Values live in the arena given. */
#pragma once
#include "run/run.h"

/* `is_interrupted`: running on disk, but nobody executes it. */
struct value view_run(struct arena *a, const struct run_row *row, bool is_interrupted);
/* The steps with their promises; counts come from the row's text or, for a live run, from `live`. */
struct value view_run_steps(struct arena *a, const struct plan *p, const struct run_row *row, const struct run *live);
struct value view_entry(struct arena *a, const struct entry_row *row);
struct value view_component(struct arena *a, const struct component *k, msec_t imported_at);
struct value view_form(struct arena *a, const struct component *k, const struct form *f, struct str env);
/* The calls of one item out of its ledger rows (of one seq, in order). */
struct value view_calls(struct arena *a, const struct plan *p, const struct ledger_row *rows, size_t n);
struct value view_time(struct arena *a, msec_t wall); /* RFC 3339, or null for 0 */
/* JSON text out of the ledger as a value; null when empty or damaged. */
struct value view_json(struct arena *a, struct str text);
void view_set(struct arena *a, struct value *object, const char *key, struct value v);
void view_set_str(struct arena *a, struct value *object, const char *key, struct str s);
void view_set_int(struct arena *a, struct value *object, const char *key, int64_t n);
/* The pages' shape: { items, next, total }. */
struct value view_page(struct arena *a, struct value items, struct value next, struct value total);
