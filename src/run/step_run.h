/* SPDX-License-Identifier: Apache-2.0 */
/* What a step kind may do at run time. A step gets items by its start verb and lets each go once, by step_pass() or step_fail(). */
#pragma once
#include "run/run.h"

struct run *step_run(const struct step *s);
const struct plan_step *step_plan(const struct step *s);
const void *step_opts(const struct step *s);
void *step_state(const struct step *s);
void step_set_state(struct step *s, void *state);
struct loop *step_loop(const struct step *s);
struct store *step_store(const struct step *s);
void *step_services(const struct step *s);
const struct run_row *step_row(const struct step *s);
bool step_is_replay(const struct step *s);
/* A checked replay (run_config.on_effect): requests and entries are made again and told by step_tell(). */
bool step_is_checked(const struct step *s);
/* False: the ledger is not to be asked. */
bool step_tell(struct step *s, const struct item *it, enum ledger_kind kind, struct str text);

/* The item goes on (in the order of arrival, unless step_set_order_any). Not for items whose start returned STEP_DONE. */
void step_pass(struct step *s, struct item *it);
/* The item ends here: `problem` { type, title, detail, status } gets the step's name added; state FAILED or UNKNOWN. Recorded. */
void step_fail(struct step *s, struct item *it, struct value problem, enum item_state state);
/* The item leaves quietly, neither out nor failed: a rule says skip, or the run stops early and nothing has begun for it here. */
void step_drop(struct step *s, struct item *it);
bool step_is_stopping(const struct step *s);
/* run_wind_down(): what would begin, or be tried again, is dropped instead; a resumed run does it. Nothing of it is judged. */
bool step_is_leaving(const struct step *s);
/* Set the problem for a start that returns STEP_FAIL. */
enum verdict step_problem(struct step *s, struct item *it, const char *type, const char *title, const char *fmt, ...) PRINTF_LIKE(5, 6);
void step_set_order_any(struct step *s);
/* The item's primary place in the ledger. */
struct ledger_key step_key(const struct step *s, const struct item *it, uint32_t attempt);

/* What the ledger holds for this item at this step: the newest attempt of that kind, or NULL. */
const struct ledger_row *step_recorded(const struct step *s, const struct item *it, enum ledger_kind kind);

/*
 * Record; head and body are copied. With a callback it comes after the commit, and the item must stay inside the step until then; when the
 * disk fails it never comes, since then the run stops. Without one, the run alone waits for it before it lets the item's output out.
 */
typedef void step_record_done(struct step *s, struct item *it);
void step_record(struct step *s, struct item *it, const struct ledger_row *row, step_record_done *done);
/*
 * The item becomes others. Each of the `count` lines is a whole item (an object as text, with its line feed) that will begin at the steps
 * which follow this one. They are recorded like the run's input, behind it, and are worked on whatever becomes of this item. `made` is how
 * many it has become so far, these included, `state` what the step wants to find again in the LEDGER_MADE row (step_recorded()). Bytes are
 * copied; `done` comes after the commit, and one call waits for the other's. When the disk fails it never comes: the run stops.
 */
void step_make(struct step *s, struct item *it, struct str lines, uint32_t count, uint64_t made, struct str state, step_record_done *done);
/* The last of them is made: the item itself ends here, as one that is through. */
void step_become(struct step *s, struct item *it);
/* Write an entry on behalf of the item; `done` gets the store's result. */
typedef void step_entry_done(struct step *s, struct item *it, const struct store_result *result);
void step_entry_write(struct step *s, struct item *it, enum entry_mode mode, const struct entry_row *entry, step_entry_done *done);
