-- SPDX-License-Identifier: Apache-2.0
-- The first shape of weir.db. A file here is never changed once it has shipped: the next change is the next number.

CREATE TABLE runs (
  id                INTEGER PRIMARY KEY AUTOINCREMENT,
  component         TEXT NOT NULL,
  dataflow          TEXT NOT NULL,
  version           TEXT NOT NULL,
  env               TEXT NOT NULL,
  trigger           TEXT NOT NULL,
  state             INTEGER NOT NULL,
  started_at        INTEGER NOT NULL,
  ended_at          INTEGER NOT NULL,
  now               INTEGER NOT NULL,
  seed              INTEGER NOT NULL,
  input_is_complete INTEGER NOT NULL,
  items_in          INTEGER NOT NULL,
  items_out         INTEGER NOT NULL,
  failed            INTEGER NOT NULL,
  unknown           INTEGER NOT NULL,
  steps             TEXT NOT NULL,
  problem           TEXT NOT NULL
) STRICT;
CREATE INDEX runs_by_state ON runs (state, id);

-- The input of runs: a chunk of items a row, one JSON object a line.
CREATE TABLE input (
  run       INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  count     INTEGER NOT NULL,
  lines     BLOB NOT NULL,
  PRIMARY KEY (run, first_seq)
) STRICT, WITHOUT ROWID;

-- The ledger. No index over all of it: one would cost three times the write (src/store/README.md). Problems are rare and asked for by
-- themselves, so they alone have one.
CREATE TABLE ledger (
  run     INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  step    INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  kind    INTEGER NOT NULL,
  at      INTEGER NOT NULL,
  code    INTEGER NOT NULL,
  number  INTEGER NOT NULL,
  head    TEXT NOT NULL,
  body    BLOB NOT NULL,
  PRIMARY KEY (run, seq, step, attempt, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_problems ON ledger (run, seq) WHERE kind = 4;

CREATE TABLE entries (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  component  TEXT NOT NULL,
  key        TEXT,
  data       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  run        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_by_key ON entries (component, key) WHERE key IS NOT NULL;
CREATE INDEX entries_by_age ON entries (component, updated_at, id);

-- Every version that was ever imported; the newest is the one with the highest rank.
CREATE TABLE components (
  name        TEXT NOT NULL,
  version     TEXT NOT NULL,
  rank        INTEGER NOT NULL,
  imported_at INTEGER NOT NULL,
  source      BLOB NOT NULL,
  PRIMARY KEY (name, version)
) STRICT;
CREATE UNIQUE INDEX components_by_rank ON components (name, rank);
