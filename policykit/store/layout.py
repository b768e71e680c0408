"""The tables of a SQLite store."""

from __future__ import annotations

import sqlite3
from typing import Final

from policykit.errors import StoreUnavailable
from policykit.store.failures import damaged

#: What a library must know at least to work on the file (`PRAGMA user_version`); a file that asks for more is refused.
SCHEMA: Final = 1
#: Whose file it is (`PRAGMA application_id`): "pkit". `file` and whoever finds the file can tell.
APPLICATION: Final = 0x706B6974
#: The layout that says so; a file of an earlier one is known by its tables.
_NAMED: Final = 3

#: The columns of a row, in order.
ROWS: Final = "SELECT seq, at_ms, kind, body, hash FROM journal"

#: Every row that is left, in order: those that pruning carried on, then those behind what was pruned.
LISTED: Final = (
    "SELECT seq, at_ms, kind, body, hash FROM carried WHERE seq > ?1 "
    "UNION ALL SELECT seq, at_ms, kind, body, hash FROM journal "
    "WHERE seq > max(?1, coalesce((SELECT seq FROM base), 0)) ORDER BY seq LIMIT ?2"
)

#: What each layout adds to the one before it, which stands in `meta.layout` (1 where that says nothing). A version that
#: only adds leaves SCHEMA, so that the version before it goes on working on the same file.
_ADDED: Final = {
    1: f"""
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
""",
    # The newest grant of a store elsewhere (valkey) that this host has written down: its epoch and sequence.
    2: "CREATE TABLE IF NOT EXISTS seen (one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, seq INTEGER)",
    _NAMED: f"PRAGMA application_id={APPLICATION}",
    # What is left of rows that were pruned: the number and hash of the last, the state as of it, and which row says so;
    # and those of them that are still of use. A version that knows of neither finds row 1 missing, and refuses.
    4: """
CREATE TABLE IF NOT EXISTS base (
    one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL, row INTEGER NOT NULL,
    form TEXT NOT NULL, state TEXT NOT NULL, state_hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS carried (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL)
""",
}
LAYOUT: Final = max(_ADDED)
_STATEMENTS: Final = {layout: text.strip().split(";\n") for layout, text in _ADDED.items()}
#: How each table begins in the schema; a later version may have put columns behind ours.
_BEGINS: Final = {
    text.split()[2]: text[: text.rindex(")")]
    for statements in _STATEMENTS.values()
    for _, create, rest in (text.replace("IF NOT EXISTS ", "").partition("CREATE TABLE") for text in statements)
    for text in (create + rest,)
    if text
}


def lay_out(db: sqlite3.Connection, path: str, epoch: str) -> str:
    """Prepare a connection, bring the file to this layout, and return the store's epoch.

    Raise StoreUnavailable for a newer layout and for a file that is another program's, which is left as it is.
    """
    # INVARIANT I3: a row is synced before the call that wrote it returns, and only then may an order be sent.
    db.execute("PRAGMA synchronous=FULL")
    if known(db, path) < LAYOUT:
        _add(db, path, epoch)
    db.execute("PRAGMA journal_mode=WAL")
    found = _said(db, "epoch")
    if found is None:
        raise damaged(path)
    return found


def copied(db: sqlite3.Connection, path: str) -> int | None:
    """Return the last row that a backup was made with; None for a file that is none."""
    found = _said(db, "copied")
    if found is not None and not found.isdecimal():
        raise damaged(path)
    return None if found is None else int(found)


def mark_copied(db: sqlite3.Connection) -> None:
    """Write into a backup that it is one."""
    with db:
        db.execute("INSERT OR REPLACE INTO meta SELECT 'copied', coalesce(max(seq), 0) FROM journal")


def _said(db: sqlite3.Connection, name: str) -> str | None:
    found = db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
    return None if found is None else str(found[0])


def known(db: sqlite3.Connection, path: str) -> int:
    """Return what the file has as of one moment: between two reads another process may have made its tables."""
    db.execute("BEGIN")
    try:
        return _layout(db, path)
    finally:
        db.execute("ROLLBACK")


def _layout(db: sqlite3.Connection, path: str) -> int:
    """Return what the file has; 0 for an empty one."""
    owner, version = (int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version"))
    found = db.execute("SELECT name, rootpage, sql FROM sqlite_master WHERE type='table'").fetchall()
    tables = {name: sql for name, _, sql in found}
    if not tables and owner == version == 0:
        return 0
    if owner not in (0, APPLICATION) or not {"meta", "journal"} <= set(tables):
        raise StoreUnavailable(
            f"{path}: is the database of another program; a new or empty file may be; name one in POLICYKIT_STORE",
            "STORE_VERSION",
        )
    if version > SCHEMA:
        raise StoreUnavailable(
            f"{path}: written by a newer policykit (layout {version}); layouts up to {SCHEMA} can be read; "
            "upgrade policykit",
            "STORE_VERSION",
        )
    layout = _said(db, "layout") or "1"
    # Two tables in one place, or other columns than ours: the journal could seem to be empty.
    mixed = len({root for _, root, _ in found}) < len(found)
    mixed = mixed or any(not tables.get(name, begins).startswith(begins) for name, begins in _BEGINS.items())
    if mixed or version < SCHEMA or not layout.isdecimal() or (int(layout) >= _NAMED and owner != APPLICATION):
        raise damaged(path)
    return int(layout)


def _add(db: sqlite3.Connection, path: str, epoch: str) -> None:
    """Bring a new or older file to this layout, all of it or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        had = _layout(db, path)  # another process may have been first
        for layout in range(had + 1, LAYOUT + 1):
            for statement in _STATEMENTS[layout]:
                db.execute(statement)
        if not had:
            db.execute("INSERT INTO meta VALUES ('epoch', ?)", (epoch,))
        db.execute("INSERT OR REPLACE INTO meta VALUES ('layout', ?)", (str(max(had, LAYOUT)),))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
