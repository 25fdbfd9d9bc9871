-- SPDX-License-Identifier: Apache-2.0
-- Items that a step makes out of one item (a list in an answer) are input, too: recorded before they move. made_by is 0 for the source of the
-- run, else 1 + the index of the step, and parent the item that it made them of. How many it has made so far stands in the ledger, kind 6.

ALTER TABLE input ADD COLUMN made_by INTEGER NOT NULL DEFAULT 0;
ALTER TABLE input ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;
