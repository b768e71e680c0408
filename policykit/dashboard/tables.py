"""The tables of an index: small facts of journal rows, to find the rows by, and counts of them over time."""

from __future__ import annotations

from typing import Final

#: Another number makes every index anew.
FORM: Final = 2
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
#: The spans that counts are kept for, ms; 0: since the index begins.
WIDTHS: Final = (0, MINUTE_MS, HOUR_MS)

#: The kinds of what is counted.
DECISION: Final = 0
DECIDED_TO_SENT: Final = 1
SENT_TO_ANSWERED: Final = 2
#: Of the two delays: their sums, ms, under the number of the delay.
SUM: Final = 3

LAY_OUT: Final = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- What is counted: of a kind, by its labels as JSON; of decisions also the newest, and the trace it was asked for in.
CREATE TABLE series (
    id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, labels TEXT NOT NULL, newest INTEGER, trace TEXT,
    UNIQUE (kind, labels));
CREATE TABLE tally (
    kind INTEGER, width INTEGER, start INTEGER, series INTEGER, n INTEGER NOT NULL,
    PRIMARY KEY (kind, width, start, series)) WITHOUT ROWID;
-- Rows are numbered in order and dated by clocks that may step: which numbers an hour's rows lie between.
CREATE TABLE hours (start INTEGER PRIMARY KEY, low INTEGER NOT NULL, high INTEGER NOT NULL);
-- A row a decision; `state` and what follows only where an order was meant.
CREATE TABLE decided (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, series INTEGER NOT NULL, denied INTEGER NOT NULL,
    ident TEXT NOT NULL, bot TEXT NOT NULL, symbol TEXT NOT NULL, check_id TEXT NOT NULL,
    client_id TEXT, root INTEGER, state TEXT, order_id TEXT, signed_ms INTEGER, answered_ms INTEGER);
CREATE INDEX by_ident ON decided (ident);
CREATE INDEX by_client ON decided (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX by_order ON decided (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX by_root ON decided (root) WHERE root IS NOT NULL;
CREATE INDEX by_state ON decided (state, seq) WHERE state IS NOT NULL;
CREATE INDEX ordered_symbol ON decided (symbol, seq) WHERE state IS NOT NULL;
CREATE INDEX ordered_bot ON decided (bot, seq) WHERE state IS NOT NULL;
CREATE INDEX denied_all ON decided (seq) WHERE denied;
CREATE INDEX denied_check ON decided (check_id, seq) WHERE denied;
CREATE INDEX denied_symbol ON decided (symbol, seq) WHERE denied;
CREATE INDEX denied_bot ON decided (bot, seq) WHERE denied;
-- The later rows of an order: what was sent, looked up and found.
CREATE TABLE steps (decision INTEGER, seq INTEGER, PRIMARY KEY (decision, seq)) WITHOUT ROWID;
-- Rows that change in what state trading is.
CREATE TABLE turns (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL);
CREATE TABLE policies (version TEXT PRIMARY KEY, stage TEXT, sandbox INTEGER) WITHOUT ROWID;
PRAGMA user_version={FORM};
"""
TABLES: Final = ("meta", "series", "tally", "hours", "decided", "steps", "turns", "policies")
