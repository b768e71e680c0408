"""The tables of a SQLite store."""

from __future__ import annotations

import sqlite3
from typing import Final

from policykit.errors import StoreUnavailable

#: The layout of the file; a newer one is refused, an older one is migrated when there is one.
SCHEMA: Final = 1

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


def _check_empty(db: sqlite3.Connection, path: str) -> None:
    if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StoreUnavailable(
            f"{path}: is the database of another program; a new or empty file may be; name one in POLICYKIT_STORE",
            "STORE_VERSION",
        )
