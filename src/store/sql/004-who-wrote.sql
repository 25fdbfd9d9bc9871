-- SPDX-License-Identifier: Apache-2.0
-- Entries know which item's step wrote them last: run, seq and step are the key of its line in the ledger. Those of before know the run alone.

ALTER TABLE entries ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entries ADD COLUMN step INTEGER NOT NULL DEFAULT -1;
