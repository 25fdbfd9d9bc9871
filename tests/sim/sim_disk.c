/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk between the store and SQLite: real transactions in a database in memory that outlives the process, commits
 * that take their time, find no room, are lost with a failed fsync, or are there although the fsync failed. It tells
 * sim_books.c what is committed.
 */
#include "sim.h"

static struct {
	struct store_fault fault;
	bool is_injected, has_writes;
	bool is_lasting;	      /* nothing is written any more in this life */
	uint64_t epoch, failed_epoch; /* newest of the group; of the newest group that failed, plus 1 */
	const struct op *notes[STORE_GROUP_MAX];
	size_t n_notes;
} disk;

static int disk_open(void **ret, struct dir *dir, const struct store_config *config, struct err *e)
{
	memset(&disk, 0, sizeof(disk));
	*ret = &disk;
	return sim.disk ? 0 : store_backend_sqlite.open(&sim.disk, dir, config, e);
}

static int fails(enum fault_kind kind, const char *why)
{
	disk.is_injected = true;
	disk.fault.kind = kind;
	(void)snprintf(disk.fault.why, sizeof(disk.fault.why), "%s", why);
	disk.is_lasting |= kind == FAULT_LASTING;
	disk.failed_epoch = disk.epoch + 1;
	if (!sim.is_dead) {
		sim.disk_faults++;
		sim_tell("disk: %s", why);
	}
	return -1;
}

static int disk_begin(void *b, bool writes)
{
	disk.n_notes = 0;
	disk.has_writes = writes;
	disk.is_injected = false;
	disk.epoch = 0;
	if (sim.is_dead)
		return fails(FAULT_LASTING, "the process is dead");
	if (writes && disk.is_lasting)
		sim_fail("a write after a failed fsync");
	return store_backend_sqlite.begin(sim.disk, writes);
}

/* Operations come in the order in which the engine asked for them. */
static void check_stop(const struct op *op)
{
	struct sim_run *r = op->kind == OP_LEDGER_PUT ? sim_run_of(op->ledger.key.run) : NULL;
	uint32_t step = r ? op->ledger.key.step : 0;
	if (!step)
		return;
	if (op->ledger.kind == LEDGER_PROBLEM)
		r->has_stopped |= sim.steps[step - 1].on_error == ON_ERROR_STOP && op->ledger.code != ITEM_KEPT;
	else if (op->ledger.kind == LEDGER_INTENT && r->has_stopped)
		sim_fail("a call begins after the run has stopped: seq %" PRIu64 " step %u", op->ledger.key.seq,
			 step - 1);
}

static int disk_apply(void *b, struct op *op)
{
	if (op_is_write(op) && op->epoch < disk.failed_epoch)
		sim_fail("what was queued behind a failure is written after all");
	if (op_is_write(op) && op->epoch > disk.epoch)
		disk.epoch = op->epoch;
	check_stop(op);
	int code = store_backend_sqlite.apply(sim.disk, op);
	bool is_new = !op->result.was_recorded && !op->result.error;
	if (code || !op_is_write(op) || !is_new)
		return code;
	if (disk.n_notes == ARRAY_LEN(disk.notes))
		sim_fail("a group of more than %d operations", STORE_GROUP_MAX);
	disk.notes[disk.n_notes++] = op; /* it lives until its callback */
	return 0;
}

static void write_down(void)
{
	for (size_t i = 0; i < disk.n_notes; i++)
		sim_books_commit(disk.notes[i]);
}

static int disk_commit(void *b)
{
	if (disk.has_writes && sim_happens(sim.weather.disk_full))
		return fails(FAULT_PASSING, "disk full; free some space");
	if (disk.has_writes && sim_happens(sim.weather.disk_lost))
		return fails(FAULT_LASTING, "fsync failed, the group is lost");
	if (store_backend_sqlite.commit(sim.disk))
		sim_fail("a database in memory does not commit: %s", store_backend_sqlite.fault(sim.disk)->why);
	write_down();
	if (disk.has_writes && sim_happens(sim.weather.disk_late))
		return fails(FAULT_LASTING, "fsync failed, the group is there");
	return 0;
}

static void disk_rollback(void *b)
{
	store_backend_sqlite.rollback(sim.disk); /* of nothing, where it was committed: that is allowed */
}

static int disk_tend(void *b)
{
	return 0;
}

static const struct store_fault *disk_fault(void *b)
{
	return disk.is_injected ? &disk.fault : store_backend_sqlite.fault(sim.disk);
}

static bool disk_close(void *b, bool is_sound)
{
	return true;
}

void sim_disk_close(void)
{
	if (sim.disk)
		(void)store_backend_sqlite.close(sim.disk, true);
	sim.disk = NULL;
}

const struct store_backend sim_backend = {
	.name = "simulated",
	.open = disk_open,
	.begin = disk_begin,
	.apply = disk_apply,
	.commit = disk_commit,
	.rollback = disk_rollback,
	.tend = disk_tend,
	.fault = disk_fault,
	.close = disk_close,
};
