/* SPDX-License-Identifier: Apache-2.0 */
/* A group and its transaction: all of it is saved, or all of it says why not. In the store's thread. */
#include "store/store_int.h"
#include "base/log.h"

static bool is_refused(const struct worker *w, const struct op *op)
{
	return op_is_write(op) && (w->is_lasting || op->epoch < w->failed_epoch);
}

static void fail_op(struct op *op, const char *why)
{
	arena_done(&op->arena);
	op->result = (struct store_result){ .error = STORE_FAILED };
	if (why) {
		const char *copy = arena_c(&op->arena, str_c(why));
		op->result.detail = copy ? copy : "no memory for the reason";
	}
}

/* Every operation of the group failed; a write's failure, and a lasting one in any case, breaks the store: true. */
static bool fail_group(struct worker *w, struct queue *group, bool has_writes)
{
	const struct store_fault *f = w->file_fault.kind != FAULT_NONE ? &w->file_fault : w->backend->fault(w->b);

	for (struct op *op = group->first; op; op = op->next) {
		if (op->result.error != STORE_FAILED)
			fail_op(op, f->why);
	}
	if (!has_writes && f->kind != FAULT_LASTING)
		return false;
	w->is_lasting = w->is_lasting || f->kind == FAULT_LASTING;
	w->failed_epoch = group->last->epoch + 1;
	w->news = *f;
	return true;
}

/*
 * Before the transaction, so that a large file's way to disk does not hold the database's lock. Earlier than its turn
 * is no harm: until a row names it a file is nobody's.
 */
static int settle_files(struct worker *w, struct queue *group)
{
	for (struct op *op = group->first; op; op = op->next)
		if (op->kind == OP_FILE_KEEP && op->result.error != STORE_FAILED &&
		    files_settle(op->file, &w->file_fault))
			return -1;
	return 0;
}

static int transact(struct worker *w, struct queue *group, bool has_writes)
{
	if (w->backend->begin(w->b, has_writes))
		return -1;
	for (struct op *op = group->first; op; op = op->next) {
		if (op->kind != OP_FILE_KEEP && op->result.error != STORE_FAILED && w->backend->apply(w->b, op))
			return -1;
	}
	return w->backend->commit(w->b);
}

/* What a try has left in the operations that will be tried again. */
static void forget_results(struct queue *group)
{
	for (struct op *op = group->first; op; op = op->next) {
		if (op->result.error == STORE_FAILED)
			continue;
		arena_done(&op->arena);
		arena_init(&op->arena, STORE_RESULT_BYTES_MAX);
		op->result = (struct store_result){ 0 };
	}
}

static int apply_group(struct worker *w, struct queue *group, bool has_writes)
{
	if (settle_files(w, group))
		return -1;
	for (unsigned tries = 1;; tries++) {
		if (transact(w, group, has_writes) == 0)
			return 0;
		if (!w->backend->recover || tries == GROUP_TRIES_MAX)
			return -1;
		enum group_fate fate = w->backend->recover(w->b);
		if (fate != GROUP_AGAIN)
			return fate == GROUP_SAVED ? 0 : -1;
		forget_results(group);
	}
}

bool worker_apply(struct worker *w, struct queue *group)
{
	bool has_writes = false, has_any = false;

	for (struct op *op = group->first; op; op = op->next) {
		if (is_refused(w, op)) {
			fail_op(op, NULL); /* the loop knows why */
			continue;
		}
		has_any = true;
		has_writes = has_writes || op_is_write(op);
	}
	if (!has_any)
		return false;
	w->file_fault.kind = FAULT_NONE;
	if (apply_group(w, group, has_writes)) {
		w->backend->rollback(w->b);
		return fail_group(w, group, has_writes);
	}
	if (!has_writes || w->news.kind == FAULT_NONE)
		return false;
	w->news.kind = FAULT_NONE;
	return true;
}

/* The checkpoint, and the like. */
bool worker_tend(struct worker *w)
{
	if (w->is_lasting || w->backend->tend(w->b) == 0)
		return false;
	const struct store_fault *f = w->backend->fault(w->b);
	if (f->kind != FAULT_LASTING) { /* what is committed is in the log; the next commit will say if it matters */
		log_warn(NULL, "store checkpoint put off: %s", f->why);
		return false;
	}
	w->is_lasting = true;
	w->news = *f;
	return true;
}
