-- SPDX-License-Identifier: Apache-2.0
-- Rows compressed against dictionaries. Where `packed` is set, head and body (or lines) are empty and stand in it: src/store/sql_codec.c
-- says in which form. A dictionary belongs to one step of one version of a dataflow (kind 0 = its input) and lives as long as a run of it.

CREATE TABLE dictionaries (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  component TEXT NOT NULL,
  dataflow  TEXT NOT NULL,
  version   TEXT NOT NULL,
  step      INTEGER NOT NULL,
  kind      INTEGER NOT NULL,
  made_at   INTEGER NOT NULL,
  bytes     BLOB NOT NULL,
  UNIQUE (component, dataflow, version, step, kind)
) STRICT;
ALTER TABLE ledger ADD COLUMN packed BLOB;
ALTER TABLE input ADD COLUMN packed BLOB;
-- When a run last asked that a version be kept beside it: one that is about to begin must find it.
ALTER TABLE components ADD COLUMN used_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX runs_by_version ON runs (component, version);

-- Runs that are being deleted, a stretch at a time. The run itself is gone when its row stands here; what it left goes with the next stretches.
CREATE TABLE pruning (
  run       INTEGER PRIMARY KEY,
  component TEXT NOT NULL,
  dataflow  TEXT NOT NULL,
  version   TEXT NOT NULL
) STRICT;
