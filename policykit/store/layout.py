"""The tables of a SQLite store."""

from __future__ import annotations

import sqlite3
from typing import Final

from policykit.errors import StoreUnavailable

#: What a library must know at least to work on the file (`PRAGMA user_version`); a file that asks for more is refused.
SCHEMA: Final = 1
#: What the file has (`meta.layout`, 1 where it says nothing). A version that only adds leaves SCHEMA, so that the
#: version before it goes on working on the same file; its additions stand in `_ADDED`.
LAYOUT: Final = 2

_TABLES: Final = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, state TEXT NOT NULL, hash TEXT NOT NULL);
-- Ids that callers chose themselves: kept for ever, in the transaction that writes their intent.
CREATE TABLE own_ids (
    account TEXT, client_order_id TEXT, intent TEXT NOT NULL, PRIMARY KEY (account, client_order_id)) WITHOUT ROWID;
CREATE TABLE guards (
    bot TEXT, host TEXT, pid INTEGER, account TEXT, beat_ms INTEGER NOT NULL, info TEXT NOT NULL,
    PRIMARY KEY (bot, host, pid, account)) WITHOUT ROWID;
CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version={SCHEMA};
"""

#: What each layout adds to the one before it.
_ADDED: Final = {
    # The newest grant of a store elsewhere (valkey) that this host has written down: its epoch and sequence.
    2: "CREATE TABLE IF NOT EXISTS seen (one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, seq INTEGER)",
}


def lay_out(db: sqlite3.Connection, path: str, epoch: str) -> str:
    """Prepare a connection, make the tables if the file has none, and return the store's epoch.

    Raise StoreUnavailable for a newer layout and for a file that is another program's.
    """
    # INVARIANT I3: a row is synced before the call that wrote it returns, and only then may an order be sent.
    db.execute("PRAGMA synchronous=FULL")
    if _version(db, path) < SCHEMA:
        db.execute("BEGIN IMMEDIATE")
        try:
            if _version(db, path) < SCHEMA:  # or another process was first
                _check_empty(db, path)
                for statement in _TABLES.strip().split(";\n"):
                    db.execute(statement)
                db.execute("INSERT INTO meta VALUES ('epoch', ?)", (epoch,))
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
    db.execute("PRAGMA journal_mode=WAL")
    if _layout(db) < LAYOUT:
        _add(db)
    found = db.execute("SELECT value FROM meta WHERE name='epoch'").fetchone()
    return str(found[0])


def _version(db: sqlite3.Connection, path: str) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA:
        raise StoreUnavailable(
            f"{path}: written by a newer policykit (layout {version}); layouts up to {SCHEMA} can be read; "
            "upgrade policykit",
            "STORE_VERSION",
        )
    return version


def _layout(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT value FROM meta WHERE name='layout'").fetchone()
    return int(found[0]) if found else 1


def _add(db: sqlite3.Connection) -> None:
    """Bring an older file to this layout, all of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for layout in range(_layout(db) + 1, LAYOUT + 1):
            db.execute(_ADDED[layout])
            db.execute("INSERT OR REPLACE INTO meta VALUES ('layout', ?)", (str(layout),))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _check_empty(db: sqlite3.Connection, path: str) -> None:
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreUnavailable(
            f"{path}: is the database of another program; a new or empty file may be; name one in POLICYKIT_STORE",
            "STORE_VERSION",
        )
