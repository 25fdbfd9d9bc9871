/* SPDX-License-Identifier: Apache-2.0 */
/* Records to objects, by the header row. */
#include "base/csv_table.h"
#include "base/quote.h"

#define NAME_SHOWN_MAX 60 /* bytes of a column's name in a message */

static int no_memory(struct err *e)
{
	return err_set(e, ERR_NO_MEMORY, "out of memory");
}

static int check_utf8(const struct csv_reader *r, struct err *e)
{
	return str_is_utf8(buf_str(&r->text), NULL) ? 0 : err_set(e, ERR_INVALID, "line %u is not UTF-8", r->line);
}

static int header(struct csv_table *t, const struct csv_reader *r, struct arena *a, struct err *e)
{
	size_t n = csv_fields(r);
	struct str *names = ARENA_ARRAY(a, struct str, n + 1);
	if (!names)
		return no_memory(e);
	for (size_t i = 0; i < n; i++) {
		names[i] = arena_str(a, csv_field(r, i));
		if (!names[i].ptr)
			return no_memory(e);
		for (size_t k = 0; k < i; k++)
			if (str_eq(names[k], names[i]))
				return err_set(e, ERR_INVALID, "line %u: two columns are named \"%.*s\"", r->line,
					       STR_ARG(quote_safely(a, names[i], NAME_SHOWN_MAX)));
	}
	t->names = names;
	t->n = n;
	return 0;
}

int csv_table_take(struct csv_table *t, const struct csv_reader *r, struct arena *names_arena, struct arena *row_arena,
		   struct value *ret_row, struct err *e)
{
	struct value row = value_object();
	int rc = check_utf8(r, e);
	if (rc < 0)
		return rc;
	if (!t->names)
		return header(t, r, names_arena, e);
	if (csv_fields(r) != t->n)
		return err_set(e, ERR_INVALID, "line %u has %zu fields, the header row has %zu", r->line, csv_fields(r),
			       t->n);
	for (size_t i = 0; i < t->n; i++) {
		struct value v = value_string_copy(row_arena, csv_field(r, i));
		if (v.kind == VALUE_ABSENT || value_add(row_arena, &row, t->names[i], v) < 0)
			return no_memory(e);
	}
	*ret_row = row;
	return 1;
}
