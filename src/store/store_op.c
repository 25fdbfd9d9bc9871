/* SPDX-License-Identifier: Apache-2.0 */
/* The doors of the store: each makes an operation, copies what it was given, queues it. */
#include "store/store_int.h"
#include "base/clock.h"

#include <assert.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The copy, written to *at; a null string stays null. */
static struct str keep(char **at, struct str s)
{
	char *copy = *at;

	if (!s.ptr)
		return STR_NULL;
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	*at += s.len;
	return (struct str){ copy, s.len };
}

static size_t page(size_t limit)
{
	return limit == 0 || limit > STORE_PAGE_MAX ? STORE_PAGE_MAX : limit;
}

/* ---- writes ---- */

static int put_run(struct store *s, enum op_kind kind, const struct run_row *run, store_done *done, void *arg,
		   struct err *e)
{
	size_t bytes = run->component.len + run->dataflow.len + run->version.len + run->env.len + run->trigger.len +
		       run->steps.len + run->problem.len;
	struct op *op;
	int code = store_op_new(&op, s, kind, bytes, e);
	if (code)
		return code;
	char *at = op->copied;
	op->run = *run;
	op->run.component = keep(&at, run->component);
	op->run.dataflow = keep(&at, run->dataflow);
	op->run.version = keep(&at, run->version);
	op->run.env = keep(&at, run->env);
	op->run.trigger = keep(&at, run->trigger);
	op->run.steps = keep(&at, run->steps);
	op->run.problem = keep(&at, run->problem);
	store_op_queue(s, op, done, arg);
	return 0;
}

int store_run_create(struct store *s, const struct run_row *run, store_done *done, void *arg, struct err *e)
{
	return put_run(s, OP_RUN_CREATE, run, done, arg, e);
}

int store_run_update(struct store *s, const struct run_row *run, store_done *done, void *arg, struct err *e)
{
	return put_run(s, OP_RUN_UPDATE, run, done, arg, e);
}

int store_input_put(struct store *s, const struct input_row *input, store_done *done, void *arg, struct err *e)
{
	struct op *op;

	if (input->first_seq > (uint64_t)INT64_MAX - input->count)
		return err_set(e, ERR_LIMIT, "item %llu is beyond the last number of an input item",
			       (unsigned long long)input->first_seq);
	int code = store_op_new(&op, s, OP_INPUT_PUT, input->lines.len + input->made_state.len, e);
	if (code)
		return code;
	char *at = op->copied;
	op->input = *input;
	op->input.lines = keep(&at, input->lines);
	op->input.made_state = keep(&at, input->made_state);
	store_op_queue(s, op, done, arg);
	return 0;
}

int store_ledger_put(struct store *s, const struct ledger_row *row, store_done *done, void *arg, struct err *e)
{
	struct op *op;
	int code = store_op_new(&op, s, OP_LEDGER_PUT, row->head.len + row->body.len, e);

	if (code)
		return code;
	char *at = op->copied;
	op->ledger = *row;
	op->ledger.head = keep(&at, row->head);
	op->ledger.body = keep(&at, row->body);
	store_op_queue(s, op, done, arg);
	return 0;
}

int store_entry_write(struct store *s, const struct ledger_key *key, enum entry_mode mode,
		      const struct entry_row *entry, store_done *done, void *arg, struct err *e)
{
	struct op *op;
	int code = store_op_new(&op, s, OP_ENTRY_WRITE, entry->component.len + entry->key.len + entry->data.len, e);

	if (code)
		return code;
	char *at = op->copied;
	op->entry = (struct op_entry){ .key = *key, .mode = mode, .row = *entry };
	struct entry_row *row = &op->entry.row;
	row->component = keep(&at, entry->component);
	row->key = keep(&at, entry->key);
	row->data = keep(&at, entry->data);
	if (!row->updated_at)
		row->updated_at = clock_wall();
	if (!row->created_at)
		row->created_at = row->updated_at;
	if (!row->run)
		row->run = key->run;
	store_op_queue(s, op, done, arg);
	return 0;
}

int store_component_put(struct store *s, const struct component_row *row, store_done *done, void *arg, struct err *e)
{
	struct op *op;
	int code = store_op_new(&op, s, OP_COMPONENT_PUT, row->name.len + row->version.len + row->source.len, e);

	if (code)
		return code;
	char *at = op->copied;
	op->component = *row;
	op->component.name = keep(&at, row->name);
	op->component.version = keep(&at, row->version);
	op->component.source = keep(&at, row->source);
	store_op_queue(s, op, done, arg);
	return 0;
}

/* ---- what takes only a question ---- */

static int ask(struct store *s, enum op_kind kind, const struct op_query *query, store_done *done, void *arg,
	       struct err *e)
{
	struct op *op;
	int code = store_op_new(&op, s, kind, query->name.len + query->version.len, e);

	if (code)
		return code;
	char *at = op->copied;
	op->query = *query;
	op->query.name = keep(&at, query->name);
	op->query.version = keep(&at, query->version);
	store_op_queue(s, op, done, arg);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

int store_decide(struct store *s, const struct decision_row *d, store_done *done, void *arg, struct err *e)
{
	size_t items = d->items ? d->n_items * sizeof(*d->items) : 0;
	struct op *op;

	if (d->n_items > STORE_DECIDE_MAX)
		return err_set(e, ERR_LIMIT, "more than %d items at once", STORE_DECIDE_MAX);
	int code = store_op_new(&op, s, OP_DECIDE, d->head.len + d->body.len + items, e);
	if (code)
		return code;
	static_assert(offsetof(struct op, copied) % alignof(uint64_t) == 0, "the items come first");
	char *at = op->copied + items;
	op->decision = *d;
	op->decision.head = keep(&at, d->head);
	op->decision.body = keep(&at, d->body);
	op->decision.items = NULL;
	if (d->items) {
		uint64_t *copy = (uint64_t *)(void *)op->copied;
		memcpy(copy, d->items, items);
		qsort(copy, d->n_items, sizeof(*copy), by_number);
		op->decision.items = copy;
	}
	store_op_queue(s, op, done, arg);
	return 0;
}

static void redo_copy(struct redo_row *to, const struct redo_row *from, char *at)
{
	uint64_t *items = (uint64_t *)(void *)at;
	uint32_t *steps = (uint32_t *)(void *)(at + from->n_items * sizeof(*items));
	*to = *from;
	if (from->items && from->n_items)
		memcpy(items, from->items, from->n_items * sizeof(*items));
	if (from->n_steps)
		memcpy(steps, from->steps, from->n_steps * sizeof(*steps));
	if (from->n_fixed)
		memcpy(steps + from->n_steps, from->fixed, from->n_fixed * sizeof(*steps));
	to->items = from->items ? items : NULL;
	to->steps = steps;
	to->fixed = steps + from->n_steps;
}

int store_ledger_redo(struct store *s, const struct redo_row *redo, store_done *done, void *arg, struct err *e)
{
	size_t bytes = redo->n_items * sizeof(uint64_t) + (redo->n_steps + redo->n_fixed) * sizeof(uint32_t);
	struct op *op;

	if (redo->n_items > STORE_DECIDE_MAX)
		return err_set(e, ERR_LIMIT, "more than %d items at once", STORE_DECIDE_MAX);
	int code = store_op_new(&op, s, OP_LEDGER_REDO, bytes, e);
	if (code)
		return code;
	redo_copy(&op->redo, redo, op->copied);
	store_op_queue(s, op, done, arg);
	return 0;
}

int store_ledger_drop_problems(struct store *s, int64_t run, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_DROP_PROBLEMS, &(struct op_query){ .id = run }, done, arg, e);
}

int store_run_prune(struct store *s, int64_t run, bool even_unfinished, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_RUN_PRUNE, &(struct op_query){ .id = run, .code = even_unfinished }, done, arg, e);
}

int store_prune_some(struct store *s, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_PRUNE_SOME, &(struct op_query){ 0 }, done, arg, e);
}

int store_run_bytes(struct store *s, int64_t run, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_RUN_BYTES, &(struct op_query){ .id = run }, done, arg, e);
}

int store_space(struct store *s, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_SPACE, &(struct op_query){ 0 }, done, arg, e);
}

int store_storage(struct store *s, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_STORAGE, &(struct op_query){ 0 }, done, arg, e);
}

int store_run_get(struct store *s, int64_t id, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_RUN_GET, &(struct op_query){ .id = id }, done, arg, e);
}

int store_run_list(struct store *s, int64_t before, int state, size_t limit, store_done *done, void *arg, struct err *e)
{
	struct op_query q = { .before = before > 0 ? before : INT64_MAX, .code = state, .limit = page(limit) };

	return ask(s, OP_RUN_LIST, &q, done, arg, e);
}

int store_input_end(struct store *s, int64_t run, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_INPUT_END, &(struct op_query){ .id = run }, done, arg, e);
}

int store_ledger_read(struct store *s, int64_t run, uint64_t from_seq, uint64_t to_seq, store_done *done, void *arg,
		      struct err *e)
{
	struct op_query q = { .id = run, .from_seq = from_seq, .to_seq = to_seq };

	return ask(s, OP_LEDGER_READ, &q, done, arg, e);
}

int store_problem_list(struct store *s, int64_t run, uint64_t after_seq, int code, size_t limit, store_done *done,
		       void *arg, struct err *e)
{
	/* UINT64_MAX asks from the first, which is what adding one makes of it. */
	struct op_query q = {
		.id = run, .from_seq = after_seq + 1, .to_seq = UINT64_MAX, .code = code, .limit = page(limit)
	};

	return ask(s, OP_PROBLEM_LIST, &q, done, arg, e);
}

int store_entry_get(struct store *s, struct str component, int64_t id, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_ENTRY_GET, &(struct op_query){ .name = component, .id = id }, done, arg, e);
}

int store_entry_list(struct store *s, struct str component, int64_t before, size_t limit, store_done *done, void *arg,
		     struct err *e)
{
	struct op_query q = { .name = component, .before = before, .limit = page(limit) };

	return ask(s, OP_ENTRY_LIST, &q, done, arg, e);
}

int store_component_get(struct store *s, struct str name, struct str version, store_done *done, void *arg,
			struct err *e)
{
	return ask(s, OP_COMPONENT_GET, &(struct op_query){ .name = name, .version = version }, done, arg, e);
}

int store_component_list(struct store *s, store_done *done, void *arg, struct err *e)
{
	return ask(s, OP_COMPONENT_LIST, &(struct op_query){ 0 }, done, arg, e);
}
