/* SPDX-License-Identifier: Apache-2.0 */
/* CSV whose first record names the columns: each other record is an object of strings. */
#pragma once
#include "base/csv.h"
#include "base/value.h"

struct csv_table {
	struct str *names; /* NULL until the first record was read */
	size_t n;
};

/*
 * Take the record that `r` holds. The first one's names are kept in `names_arena`, which must outlive the table, and 0
 * is returned; for each other one 1 and *ret_row, an object in `row_arena` that borrows the names. -ERR_INVALID: two
 * columns of one name, a record that is not as wide as the first one, a text that is not UTF-8 ("line N ...").
 * -ERR_NO_MEMORY.
 */
int csv_table_take(struct csv_table *t, const struct csv_reader *r, struct arena *names_arena, struct arena *row_arena,
		   struct value *ret_row, struct err *e);
