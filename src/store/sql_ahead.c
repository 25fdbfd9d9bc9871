/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packing ahead. Puts that stand next to each other in a group are packed all at once, those of one dictionary after
 * each other, before the first of them is inserted. Between two inserts the database has had the caches of the
 * processor to itself, and a row packed then finds nothing of zstd there: a third more time for the same instructions.
 *
 * Only puts that follow each other directly: another operation between them may prune what a row was packed against.
 */
#include "store/sql_int.h"

/* Problems and the lines of entries are few or small, and asked for by people with sqlite3: they stay plain. */
static bool is_packed_kind(const struct ledger_row *r)
{
	return r->kind == LEDGER_INTENT || r->kind == LEDGER_OUTCOME || r->kind == LEDGER_OUTPUT;
}

void ahead_forget(struct ahead *a)
{
	a->n = a->next = 0;
	buf_clear(&a->bytes);
}

static void gather(struct ahead *a, const struct op *op)
{
	size_t bytes = 0;

	ahead_forget(a);
	for (; op && op->kind == OP_LEDGER_PUT && a->n < AHEAD_MAX; op = op->next) {
		if (op->result.error == STORE_FAILED) /* it will not be applied */
			continue;
		bytes += op->ledger.head.len + op->ledger.body.len;
		if (bytes > AHEAD_BYTES)
			break;
		a->puts[a->n++] = (struct ahead_put){ .op = op };
	}
}

static int pack(struct sql *q, struct ahead *a, struct ahead_put *p)
{
	const struct ledger_row *r = &p->op->ledger;
	struct str packed = STR_NULL;

	p->is_done = true;
	if (is_packed_kind(r) && codec_pack(q, &r->key, r->kind, r->head, r->body, &packed))
		return -1;
	p->at = a->bytes.len;
	p->len = packed.ptr && buf_append_str(&a->bytes, packed) == 0 ? packed.len : 0;
	return 0;
}

/* Those of one dictionary after each other, in their order. */
static int pack_all(struct sql *q, struct ahead *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct ledger_row *first = &a->puts[i].op->ledger;
		if (a->puts[i].is_done)
			continue;
		for (size_t k = i; k < a->n; k++) {
			const struct ledger_row *r = &a->puts[k].op->ledger;
			bool is_alike =
			    r->kind == first->kind && r->key.step == first->key.step && r->key.run == first->key.run;
			if (is_alike && !a->puts[k].is_done && pack(q, a, &a->puts[k]))
				return -1;
		}
	}
	return 0;
}

int ahead_take(struct sql *q, const struct op *op, struct str *ret)
{
	const struct ledger_row *r = &op->ledger;

	*ret = STR_NULL;
	if (!q->codec || q->keeps_plain)
		return 0;
	struct ahead *a = codec_ahead(q->codec);
	if (a->next == a->n || a->puts[a->next].op != op) {
		gather(a, op);
		if (pack_all(q, a))
			return -1;
	}
	if (a->next == a->n) /* too large for company */
		return is_packed_kind(r) ? codec_pack(q, &r->key, r->kind, r->head, r->body, ret) : 0;
	const struct ahead_put *p = &a->puts[a->next++];
	if (p->len)
		*ret = str_from(a->bytes.ptr + p->at, p->len);
	return 0;
}
