/* SPDX-License-Identifier: Apache-2.0 */
/* Which verb does which operation. */
#include "store/sql_int.h"

static sql_verb *const verbs[OP_KINDS] = {
	[OP_RUN_CREATE] = sql_run_create,
	[OP_RUN_UPDATE] = sql_run_update,
	[OP_INPUT_PUT] = sql_input_put,
	[OP_LEDGER_PUT] = sql_ledger_put,
	[OP_DECIDE] = sql_decide,
	[OP_LEDGER_REDO] = sql_ledger_redo,
	[OP_DROP_PROBLEMS] = sql_drop_problems,
	[OP_ENTRY_WRITE] = sql_entry_write,
	[OP_COMPONENT_PUT] = sql_component_put,
	[OP_RUN_PRUNE] = sql_run_prune,
	[OP_PRUNE_SOME] = sql_prune_some,
	[OP_RUN_BYTES] = sql_run_bytes,
	[OP_SPACE] = sql_space,
	[OP_STORAGE] = sql_storage,
	[OP_RUN_GET] = sql_run_get,
	[OP_RUN_LIST] = sql_run_list,
	[OP_INPUT_END] = sql_input_end,
	[OP_LEDGER_READ] = sql_ledger_read,
	[OP_PROBLEM_LIST] = sql_problem_list,
	[OP_ENTRY_GET] = sql_entry_get,
	[OP_ENTRY_LIST] = sql_entry_list,
	[OP_COMPONENT_GET] = sql_component_get,
	[OP_COMPONENT_LIST] = sql_component_list,
};

int sql_apply(struct sql *q, struct op *op)
{
	return verbs[op->kind](q, op);
}
